import { expect, it } from "vitest";
import type { DispatchTask } from "../core/transition.js";
import { KeptTasks } from "./kept-tasks.js";

const task = (workflowId: string, createTime: number, more: Partial<DispatchTask> = {}) =>
  ({ workflowId, createTime, priority: 3, expireTime: createTime + 1000, ...more }) as DispatchTask;
const names = (kept: KeptTasks, stored: DispatchTask | undefined, now: number): string[] => {
  const out = [];
  for (let t = kept.takeBefore(stored, now); t !== undefined; t = kept.takeBefore(stored, now)) out.push(t.workflowId);
  return out;
};

it("is served in the order of arrival among stored tasks, a more urgent one first", () => {
  const kept = new KeptTasks();
  for (const t of [task("a", 1), task("b", 5), task("c", 9)]) kept.add(t);
  expect(names(kept, task("stored", 5), 10)).toEqual(["a", "b"]);
  expect(names(kept, task("stored", 5, { priority: 4 }), 10)).toEqual(["c"]);
  kept.add(task("d", 1, { priority: 4 }));
  expect(names(kept, task("stored", 5), 10)).toEqual([]);
  expect(names(kept, undefined, 10)).toEqual(["d"]);
});

it("forgets what was not taken in time", () => {
  const kept = new KeptTasks();
  kept.add(task("late", 1, { expireTime: 10 }));
  kept.add(task("timely", 2));
  expect(names(kept, undefined, 10)).toEqual(["timely"]);
  expect(kept.size).toBe(0);
});

it("hands everything over when its worker has gone", () => {
  const sticky = new KeptTasks();
  const normal = new KeptTasks();
  sticky.add(task("a", 1));
  expect(sticky.moveTo(normal)).toBe(1);
  expect([sticky.size, names(normal, undefined, 2)]).toEqual([0, ["a"]]);
});
