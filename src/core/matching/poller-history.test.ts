import { expect, it } from "vitest";
import { POLLER_HISTORY_COUNT_MAX, PollerHistory } from "./poller-history.js";
import { TaskRate } from "./task-rate.js";

it("lists who polled in the window, latest first, once each", () => {
  const h = new PollerHistory<string>(100);
  h.record("a", undefined, "v1", 1);
  h.record("b", 5, "v1", 2);
  h.record("a", 7, "v2", 3);
  expect(h.list(3)).toEqual([
    { identity: "a", lastAccess: 3, ratePerSecond: 7, version: "v2" },
    { identity: "b", lastAccess: 2, ratePerSecond: 5, version: "v1" },
  ]);
  expect(h.list(100 + 3).map((p) => p.identity)).toEqual(["a"]);
  h.remove("a");
  expect(h.list(4)).toEqual([]);
  expect(h.lastPoll).toBe(3);
});

it("holds a bounded number of pollers", () => {
  const h = new PollerHistory<undefined>(1_000_000);
  for (let i = 0; i < POLLER_HISTORY_COUNT_MAX + 10; i++) h.record(`p${i}`, undefined, undefined, i);
  expect(h.list(0)).toHaveLength(POLLER_HISTORY_COUNT_MAX);
});

it("counts tasks per second over the last half minute", () => {
  const r = new TaskRate(0);
  for (let s = 0; s < 60; s++) for (let i = 0; i < 4; i++) r.add(s * 1_000_000);
  expect(r.perSecond(60_000_000)).toBeGreaterThan(3);
  expect(r.perSecond(60_000_000)).toBeLessThan(5);
  expect(r.perSecond(200_000_000)).toBe(0);
});
