import { expect, it } from "vitest";
import { RateLimiter } from "./rate-limiter.js";

const take = (l: RateLimiter, now: number) => {
  let n = 0;
  while (l.tryTake(now)) n++;
  return n;
};

it("passes a second's worth at once and then the rate", () => {
  const l = new RateLimiter(10, 0);
  expect(take(l, 0)).toBe(10);
  expect(take(l, 99_999)).toBe(0);
  expect(take(l, 100_000)).toBe(1);
  expect(take(l, 60_000_000)).toBe(10);
});

it("passes single tasks at a rate below one", () => {
  const l = new RateLimiter(0.5, 0);
  expect(take(l, 0)).toBe(1);
  const next = l.nextAt(0);
  expect(next).toBeGreaterThanOrEqual(2_000_000);
  expect(take(l, 1_900_000)).toBe(0);
  expect(take(l, next ?? 0)).toBe(1);
});

it("passes nothing at rate 0 and opens again", () => {
  const l = new RateLimiter(0, 0);
  expect(take(l, 10_000_000)).toBe(0);
  expect(l.nextAt(10_000_000)).toBeUndefined();
  expect(l.setRate(2, 10_000_000)).toBe(true);
  expect(take(l, 10_000_000)).toBe(2);
});

it("takes tokens back, and a clock that goes back gives none", () => {
  const l = new RateLimiter(1, 1_000_000);
  expect(l.tryTake(1_000_000)).toBe(true);
  l.giveBack();
  expect(l.tryTake(1_000_000)).toBe(true);
  expect(l.tryTake(0)).toBe(false);
});

it("keeps what is saved within the new rate", () => {
  const l = new RateLimiter(100, 0);
  l.setRate(3, 0);
  expect(take(l, 0)).toBe(3);
});
