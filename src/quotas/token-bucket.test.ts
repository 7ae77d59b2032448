import { describe, expect, it } from "vitest";
import { PriorityBuckets, TokenBucket } from "./token-bucket.js";

const SECOND = 1_000_000;
/** How many pass at that moment. */
function passing(bucket: TokenBucket, now: number, tries = 1000): number {
  let passed = 0;
  for (let i = 0; i < tries; i++)
    if (bucket.has(now)) {
      bucket.take(now);
      passed++;
    }
  return passed;
}

describe("a token bucket", () => {
  it("lets through what it holds, then one for each part of the window, and never more than it holds", () => {
    const bucket = new TokenBucket({ capacity: 10, windowMs: 60_000 }, 0);
    expect(passing(bucket, 0)).toBe(10);
    expect([bucket.untilNext(0), bucket.untilFull(0)]).toEqual([6 * SECOND, 60 * SECOND]);
    expect(passing(bucket, 6 * SECOND - 1)).toBe(0);
    expect(passing(bucket, 6 * SECOND)).toBe(1);
    expect(passing(bucket, 30 * SECOND)).toBe(4);
    expect(passing(bucket, 10_000 * SECOND)).toBe(10);
  });
  it("lets the caller pass who waits exactly as long as it was told", () => {
    for (const capacity of [3, 7, 11, 1000]) {
      const bucket = new TokenBucket({ capacity, windowMs: 60_000 }, 0);
      let now = 0;
      passing(bucket, now, capacity);
      for (let i = 0; i < 50; i++) {
        now += bucket.untilNext(now);
        expect([capacity, i, passing(bucket, now)]).toEqual([capacity, i, 1]);
      }
    }
  });
  it("is in debt for what was counted after the fact", () => {
    const bucket = new TokenBucket({ capacity: 10, windowMs: 10_000 }, 0);
    bucket.take(0, 25);
    expect([bucket.has(0), bucket.remaining(0), bucket.untilNext(0)]).toEqual([false, 0, 16 * SECOND]);
    expect(passing(bucket, 16 * SECOND)).toBe(1);
  });
  it("keeps what is missing when its size changes", () => {
    const bucket = new TokenBucket({ capacity: 10, windowMs: 10_000 }, 0);
    passing(bucket, 0, 4);
    bucket.resize({ capacity: 5, windowMs: 10_000 }, 0);
    expect(bucket.remaining(0)).toBe(1);
    bucket.resize({ capacity: 20, windowMs: 10_000 }, 0);
    expect(bucket.remaining(0)).toBe(16);
  });
  it("gives nothing for a clock that goes back", () => {
    const bucket = new TokenBucket({ capacity: 10, windowMs: 10_000 }, 5 * SECOND);
    passing(bucket, 5 * SECOND);
    expect(passing(bucket, 4 * SECOND)).toBe(0);
  });
});

describe("buckets by priority", () => {
  it("refuse the last level by what all have used, and the first only by its own", () => {
    const buckets = new PriorityBuckets({ capacity: 4, windowMs: 1_000 }, 3, 0);
    for (let i = 0; i < 4; i++) buckets.take(2, 0);
    expect([0, 1, 2].map((l) => buckets.at(l).has(0))).toEqual([true, true, false]);
    for (let i = 0; i < 4; i++) buckets.take(0, 0);
    expect([0, 1, 2].map((l) => buckets.at(l).has(0))).toEqual([false, false, false]);
    // Whoever was let through by its own level has put nobody into debt.
    expect([0, 1, 2].map((l) => buckets.at(l).untilNext(0))).toEqual([250_000, 250_000, 250_000]);
  });
});
