import { describe, expect, test } from "vitest";
import { BREAKER_FAILURES_MAX, BREAKER_OPEN_MICROS, CircuitBreaker } from "./circuit-breaker.js";

const call = (b: CircuitBreaker, success: boolean, now: number): boolean => {
  const end = b.tryBegin(now);
  end?.(success, now);
  return end !== undefined;
};
const opened = (now = 0): CircuitBreaker => {
  const b = new CircuitBreaker();
  for (let i = 0; i <= BREAKER_FAILURES_MAX; i++) call(b, false, now);
  return b;
};

describe("a circuit breaker", () => {
  test("opens with the sixth failure in a row, not before", () => {
    const b = new CircuitBreaker();
    for (let i = 0; i < BREAKER_FAILURES_MAX; i++) call(b, false, 0);
    expect(b.isClosed(0)).toBe(true);
    call(b, false, 0);
    expect(b.isClosed(0)).toBe(false);
    expect(b.tryBegin(0)).toBeUndefined();
  });

  test("counts from the beginning after a success", () => {
    const b = new CircuitBreaker();
    for (let i = 0; i < 20; i++) call(b, i % BREAKER_FAILURES_MAX === 0, 0);
    expect(b.isClosed(0)).toBe(true);
  });

  test("lets nothing through for a minute, then one call at a time", () => {
    const b = opened();
    expect(b.tryBegin(BREAKER_OPEN_MICROS)).toBeUndefined();
    expect(b.opensAt(1)).toBe(BREAKER_OPEN_MICROS + 1);
    const later = BREAKER_OPEN_MICROS + 1;
    expect(b.tryBegin(later)).toBeDefined();
    expect(b.tryBegin(later)).toBeUndefined();
    expect(b.isClosed(later)).toBe(false);
  });

  test("closes with the success of that call, and opens again with its failure", () => {
    const later = BREAKER_OPEN_MICROS + 1;
    const good = opened();
    call(good, true, later);
    expect(good.isClosed(later)).toBe(true);
    expect(good.isFresh).toBe(true);
    const bad = opened();
    call(bad, false, later);
    expect(bad.tryBegin(later + BREAKER_OPEN_MICROS)).toBeUndefined();
    expect(bad.tryBegin(later + BREAKER_OPEN_MICROS + 1)).toBeDefined();
  });

  test("does not listen to calls that began before it opened", () => {
    const b = new CircuitBreaker();
    const slow = b.tryBegin(0);
    for (let i = 0; i <= BREAKER_FAILURES_MAX; i++) call(b, false, 0);
    slow?.(true, 1);
    expect(b.isClosed(1)).toBe(false);
    const later = BREAKER_OPEN_MICROS + 1;
    expect(call(b, true, later)).toBe(true);
    expect(b.isClosed(later)).toBe(true);
  });
});
