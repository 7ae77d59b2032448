import { expect, it } from "vitest";
import { PollerScaling, type QueueLoad } from "./poller-scaling.js";

const LIMITS = { pollerScalingWaitMs: 1000, pollerScalingBacklogMs: 200, pollerScalingDecisionsPerSecond: 10, pollerScalingAddToDispatchRatio: 1.2 };
const SECOND = 1_000_000;
const load = (oldest: number | undefined, added = 0, dispatched = 0): QueueLoad => ({
  oldest: () => oldest,
  addRate: () => added,
  dispatchRate: () => dispatched,
});

it("advises fewer polls when one waited for its task", () => {
  const scaling = new PollerScaling();
  expect(scaling.decide(0, 1, load(undefined), LIMITS, SECOND)).toBe(-1);
  expect(scaling.decide(0, 1, load(undefined), LIMITS, SECOND - 1)).toBe(0);
});

it("advises more polls when a task waits for long", () => {
  const scaling = new PollerScaling();
  const now = 10 * SECOND;
  expect(scaling.decide(now, 1, load(now - 200_001), LIMITS, now)).toBe(1);
  expect(scaling.decide(now, 1, load(now - 200_000), LIMITS, now)).toBe(0);
});

it("advises more polls when tasks come faster than they leave", () => {
  const scaling = new PollerScaling();
  expect(scaling.decide(0, 1, load(undefined, 13, 10), LIMITS, 0)).toBe(1);
  expect(scaling.decide(0, 1, load(undefined, 12, 10), LIMITS, 0)).toBe(0);
  expect(scaling.decide(0, 1, load(undefined, 1, 0), LIMITS, 0)).toBe(1);
  expect(scaling.decide(0, 1, load(undefined, 0, 0), LIMITS, 0)).toBe(0);
});

it("advises each poller so often a second and no more", () => {
  const waiting = load(-SECOND);
  const given = (pollers: number): number => {
    const scaling = new PollerScaling();
    let n = 0;
    for (let now = 0; now < SECOND; now += 1000) n += scaling.decide(now, pollers, waiting, LIMITS, now);
    return n;
  };
  // What a second allows is there from the start.
  expect(given(1)).toBeLessThanOrEqual(20);
  expect(given(1)).toBeGreaterThan(17);
  expect(given(5)).toBeGreaterThan(90);
});
