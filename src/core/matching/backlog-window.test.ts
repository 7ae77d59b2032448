import { describe, expect, it } from "vitest";
import { Random } from "../../lib/random.js";
import { BacklogWindow, comparePositions, type Position } from "./backlog-window.js";

const at = (priority: number, id: number) => ({ order: { priority, pass: 0, id } });
const ids = (w: BacklogWindow<{ order: Position }>) => [...w.values()].map((t) => t.order.id);

describe("backlog window", () => {
  it("gives tasks out by priority, pass and arrival", () => {
    const w = new BacklogWindow<{ order: Position }>(10, "all");
    for (const t of [at(3, 1), at(5, 2), at(1, 3), at(3, 4), { order: { priority: 3, pass: -1, id: 9 } }]) w.insert(t);
    expect(ids(w)).toEqual([3, 9, 1, 4, 2]);
    expect(w.takeFirst()?.order.id).toBe(3);
    expect(w.first()?.order.id).toBe(9);
  });

  it("keeps nothing before the first read and needs one", () => {
    const w = new BacklogWindow<{ order: Position }>(10);
    w.insert(at(3, 1));
    expect(w.size).toBe(0);
    expect(w.needsRefill).toBe(true);
    expect(w.readAfter).toBeUndefined();
  });

  it("sheds its end when it grows past its bound, and then leaves later tasks to the store", () => {
    const w = new BacklogWindow<{ order: Position }>(3, "all");
    for (const id of [1, 2, 3, 4, 5]) w.insert(at(3, id));
    expect(ids(w)).toEqual([1, 2, 3]);
    expect(w.isComplete).toBe(false);
    w.insert(at(1, 6));
    expect(ids(w)).toEqual([6, 1, 2]);
    w.insert(at(3, 3));
    expect(ids(w)).toEqual([6, 1, 2]);
    expect(w.readAfter).toEqual({ priority: 3, pass: 0, id: 2 });
  });

  it("asks for more below half and continues where it ends", () => {
    const w = new BacklogWindow<{ order: Position }>(4);
    w.extend([at(3, 1), at(3, 2), at(3, 3), at(3, 4)], at(3, 4).order);
    w.takeFirst();
    w.takeFirst();
    expect(w.needsRefill).toBe(false);
    w.takeFirst();
    expect(w.needsRefill).toBe(true);
    expect(w.room).toBe(3);
    w.extend([at(3, 5)], "all");
    expect(ids(w)).toEqual([4, 5]);
    expect(w.needsRefill).toBe(false);
  });

  it("stays in order under random stores, takes and puts back", () => {
    const random = new Random(7);
    const w = new BacklogWindow<{ order: Position }>(5_000, "all");
    const model: { order: Position }[] = [];
    for (let id = 1; id <= 6_000; id++) {
      const task = at(1 + (random.uint32() % 5), id);
      model.push(task);
      w.insert(task);
      if (random.uint32() % 3 > 0) {
        model.sort((a, b) => comparePositions(a.order, b.order));
        const taken = w.takeFirst();
        expect(taken).toBe(model.shift());
        if (taken !== undefined && random.uint32() % 4 === 0) {
          model.unshift(taken);
          w.insert(taken);
        }
      }
    }
    model.sort((a, b) => comparePositions(a.order, b.order));
    expect([...w.values()]).toEqual(model);
  });
});
