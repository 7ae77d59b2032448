import { describe, expect, it } from "vitest";
import type { Position } from "./backlog-window.js";
import { TaskQueue, type WaitingPoller } from "./task-queue.js";

const poller = (name: string, expiresAt = 100, gone = false): WaitingPoller & { name: string } => ({ name, expiresAt, isGone: () => gone });
const task = (priority: number, id: number) => ({ order: { priority, pass: 0, id } });
const queue = (known = true) => new TaskQueue<ReturnType<typeof poller>, string, { order: Position }>(10, known);

describe("task queue", () => {
  it("serves pollers in the order of their coming, those that were held before first", () => {
    const q = queue();
    const [a, b, c] = [poller("a"), poller("b"), poller("c")];
    for (const p of [a, b, c]) q.addPoller(p);
    expect(q.nextPoller(0)).toBe(a);
    q.removePoller(a);
    expect(q.nextPoller(0)).toBe(b);
    q.returnPoller(a);
    expect(q.nextPoller(0)).toBe(a);
    expect(q.pollerCount).toBe(3);
  });

  it("passes over pollers that have gone or whose time is up", () => {
    const q = queue();
    q.addPoller(poller("gone", 100, true));
    q.addPoller(poller("late", 50));
    const ok = poller("ok");
    q.addPoller(ok);
    expect(q.nextPoller(50)).toBe(ok);
  });

  it("lets a new task start directly only before stored ones of a worse priority", () => {
    const q = queue();
    expect(q.canStartDirectly(5)).toBe(true);
    q.window.insert(task(3, 1));
    expect(q.canStartDirectly(2)).toBe(true);
    expect(q.canStartDirectly(3)).toBe(false);
    expect(q.canStartDirectly(4)).toBe(false);
  });

  it("lets nothing start directly while the backlog is unknown", () => {
    const q = queue(false);
    expect(q.canStartDirectly(1)).toBe(false);
    q.window.extend([], { priority: 3, pass: 0, id: 5 });
    expect(q.canStartDirectly(1)).toBe(false);
    q.window.extend([], "all");
    expect(q.canStartDirectly(1)).toBe(true);
  });

  it("gives moved tasks out before its own of the same priority", () => {
    const q = queue();
    q.window.insert(task(3, 1));
    q.window.insert(task(1, 2));
    q.addMoved(task(3, 77));
    expect(q.canStartDirectly(1)).toBe(false);
    expect([q.takeTask(), q.takeTask(), q.takeTask(), q.takeTask()].map((t) => t?.order.id)).toEqual([2, 77, 1, undefined]);
  });
});
