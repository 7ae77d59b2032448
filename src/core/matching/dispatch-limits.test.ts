import { describe, expect, it } from "vitest";
import { RateLimitSource } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { DispatchLimits, effectiveRate } from "./dispatch-limits.js";

const SECOND = 1_000_000;

/** Tasks that get through in so many seconds, asked for every millisecond. */
function through(limits: DispatchLimits, keys: readonly (readonly [string, number])[], seconds: number, from = 0): Record<string, number> {
  const counts: Record<string, number> = Object.fromEntries(keys.map(([key]) => [key, 0]));
  for (let now = from; now < from + seconds * SECOND; now += 1000)
    for (const [key, weight] of keys) if (limits.tryTake(key, weight, now)) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

describe("the rate of a queue", () => {
  it("is the configuration's, else the worker's, never above the system's", () => {
    expect(effectiveRate({ system: 100, api: undefined, worker: undefined })).toEqual({ perSecond: 100, source: RateLimitSource.SYSTEM });
    expect(effectiveRate({ system: 100, api: undefined, worker: 5 })).toEqual({ perSecond: 5, source: RateLimitSource.WORKER });
    expect(effectiveRate({ system: 100, api: 50, worker: 5 })).toEqual({ perSecond: 50, source: RateLimitSource.API });
    expect(effectiveRate({ system: 100, api: 500, worker: 5 })).toEqual({ perSecond: 100, source: RateLimitSource.SYSTEM });
    expect(effectiveRate({ system: 100, api: 0, worker: 5 })).toEqual({ perSecond: 0, source: RateLimitSource.API });
  });

  it("gives the worker's rate back when the configuration takes its own away", () => {
    const limits = new DispatchLimits(1000, 0);
    limits.setWorkerRate(7, 0);
    limits.setConfig(20, undefined, 0);
    expect(limits.effective.perSecond).toBe(20);
    limits.setConfig(undefined, undefined, 0);
    expect(limits.effective).toEqual({ perSecond: 7, source: RateLimitSource.WORKER });
  });

  it("lets nothing through at 0, and something at once when it rises", () => {
    const limits = new DispatchLimits(1000, 0);
    limits.setConfig(0, undefined, 0);
    expect(through(limits, [["", 1]], 2)).toEqual({ "": 0 });
    expect(limits.nextAt("", 1, 2 * SECOND)).toBeUndefined();
    expect(limits.setConfig(1, undefined, 2 * SECOND)).toBe(true);
    expect(limits.tryTake("", 1, 2 * SECOND)).toBe(true);
  });
});

describe("the rate of each key", () => {
  it("is in proportion to its weight", () => {
    const limits = new DispatchLimits(10_000, 0);
    limits.setConfig(undefined, 10, 0);
    const counts = through(
      limits,
      [
        ["a", 1],
        ["b", 2],
        ["c", 0.5],
      ],
      10,
    );
    // A second's worth is saved up at the beginning.
    expect(counts.a).toBeGreaterThanOrEqual(108);
    expect(counts.a).toBeLessThanOrEqual(111);
    expect(counts.b).toBeGreaterThanOrEqual(217);
    expect(counts.b).toBeLessThanOrEqual(221);
    expect(counts.c).toBeLessThanOrEqual(56);
  });

  it("does not add up beyond the queue's", () => {
    const limits = new DispatchLimits(10_000, 0);
    limits.setConfig(15, 10, 0);
    const counts = through(
      limits,
      [
        ["a", 1],
        ["b", 1],
      ],
      10,
    );
    expect((counts.a ?? 0) + (counts.b ?? 0)).toBeLessThanOrEqual(166);
    expect((counts.a ?? 0) + (counts.b ?? 0)).toBeGreaterThanOrEqual(160);
  });

  it("gives a token back to both when a start came to nothing", () => {
    const limits = new DispatchLimits(1, 0);
    limits.setConfig(undefined, 1, 0);
    expect([limits.tryTake("a", 1, 0), limits.tryTake("a", 1, 0)]).toEqual([true, false]);
    limits.giveBack("a");
    expect(limits.tryTake("a", 1, 0)).toBe(true);
  });

  it("says when the next task of the key may go", () => {
    const limits = new DispatchLimits(100, 0);
    limits.setConfig(undefined, 2, 0);
    while (limits.tryTake("a", 1, 0));
    const at = limits.nextAt("a", 1, 0) ?? 0;
    expect(limits.tryTake("a", 1, at - 1000)).toBe(false);
    expect(limits.tryTake("a", 1, at)).toBe(true);
    expect(limits.nextAt("b", 1, 0)).toBeLessThan(at);
  });
});
