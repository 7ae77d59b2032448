import { describe, expect, it } from "vitest";
import { Deadlines } from "./deadlines.js";

const STEP = 256;

class FakeClock {
  now = 1_000;
  readonly timers = new Set<{ at: number; f: () => void }>();
  readonly deadlines = new Deadlines(
    STEP,
    () => this.now,
    (delayMs, f) => {
      const timer = { at: this.now + delayMs, f };
      this.timers.add(timer);
      return () => this.timers.delete(timer);
    },
  );
  advance(ms: number): void {
    this.now += ms;
    for (const t of [...this.timers].sort((a, b) => a.at - b.at)) {
      if (t.at > this.now || !this.timers.delete(t)) continue;
      t.f();
    }
  }
}

describe("deadlines", () => {
  it("fire not before their time and at most a step later", () => {
    const c = new FakeClock();
    const fired = new Map<number, number>();
    const delays = [1_024, 1_025, 1_279, 1_280, 60_000];
    for (const d of delays) c.deadlines.set(d, () => fired.set(d, c.now - 1_000));
    for (let ms = 0; ms < 61_000; ms++) c.advance(1);
    expect([...fired.keys()].sort((a, b) => a - b)).toEqual(delays);
    for (const [delay, at] of fired) {
      expect(at).toBeGreaterThanOrEqual(delay);
      expect(at).toBeLessThan(delay + STEP);
    }
  });

  it("share a timer with those of their step, one after the other too", () => {
    const c = new FakeClock();
    const stops = Array.from({ length: 1_000 }, () => c.deadlines.set(60_000, () => expect.unreachable()));
    expect(c.timers.size).toBe(1);
    const [timer] = c.timers;
    for (const stop of stops) stop();
    for (const stop of stops) stop();
    for (let n = 0; n < 10; n++) c.deadlines.set(60_000, () => expect.unreachable())();
    expect([...c.timers]).toEqual([timer]);
    c.advance(70_000);
    expect(c.timers.size).toBe(0);
  });

  it("leave few timers behind when they are cancelled, and fire in a step that was empty for a while", () => {
    const c = new FakeClock();
    for (let n = 0; n < 100; n++) c.deadlines.set(60_000 + n * STEP, () => expect.unreachable())();
    expect(c.timers.size).toBe(4);
    let hasFired = false;
    c.deadlines.set(60_000 + 99 * STEP, () => (hasFired = true));
    for (let n = 0; n < 10; n++) c.deadlines.set(90_000 + n * STEP, () => expect.unreachable())();
    c.advance(60_000 + 100 * STEP);
    expect(hasFired).toBe(true);
  });

  it("that are cancelled leave the others of their step in place, in any order", () => {
    const c = new FakeClock();
    const fired: number[] = [];
    const stops = Array.from({ length: 100 }, (_, i) => c.deadlines.set(5_000, () => fired.push(i)));
    const isCancelled = (i: number): boolean => i % 3 === 0 || i > 90;
    for (let i = 0; i < 100; i += 7) if (isCancelled(i)) stops[i]?.();
    for (let i = 99; i >= 0; i--) if (isCancelled(i)) stops[i]?.();
    c.advance(6_000);
    expect(fired.sort((a, b) => a - b)).toEqual(stops.map((_, i) => i).filter((i) => !isCancelled(i)));
    expect(c.timers.size).toBe(0);
  });

  it("may set and cancel others of their own step as they fire", () => {
    const c = new FakeClock();
    const fired: string[] = [];
    const stops: (() => void)[] = [];
    for (const name of ["a", "b"])
      stops.push(
        c.deadlines.set(5_000, () => {
          fired.push(name);
          for (const stop of stops) stop();
          c.deadlines.set(0, () => fired.push("at once"));
        }),
      );
    c.advance(6_000);
    expect(fired.filter((f) => f !== "at once")).toHaveLength(1);
    c.advance(STEP);
    expect(fired).toContain("at once");
    expect(c.timers.size).toBe(0);
  });
});
