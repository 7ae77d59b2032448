import { describe, expect, it } from "vitest";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { Pace } from "./pace.js";

describe("the pace of the loop", () => {
  /** Rests after a batch of `inputs`, when the tasks before it were taken at these times: milliseconds. */
  async function restsAfter(inputs: number, takenAt: readonly number[]): Promise<number> {
    const runtime = new FakeRuntime();
    const begin = runtime.now;
    const pace = new Pace(runtime);
    for (const at of takenAt) {
      runtime.now = begin + at * 1000;
      pace.tookWaiting();
    }
    pace.turned(inputs);
    expect(runtime.restedMs, "before answers are written").toBe(0);
    await runtime.settle();
    return runtime.restedMs;
  }

  it("rests a millisecond after a small batch while polls find tasks that waited", async () => {
    expect(await restsAfter(5, [0, 2, 4, 6])).toBe(1);
  });

  it("does not rest where tasks wait now and then only", async () => {
    expect(await restsAfter(5, [])).toBe(0);
    expect(await restsAfter(5, [4, 5, 6])).toBe(0);
    expect(await restsAfter(5, [0, 9, 10, 10.1])).toBe(0);
    expect(await restsAfter(5, [0, 1, 2, 3, 20])).toBe(0);
  });

  it("does not rest after a batch that many inputs share", async () => {
    expect(await restsAfter(33, [0, 2, 4, 6])).toBe(0);
  });

  it("rests once for batches that settle together, and again after the next", async () => {
    const runtime = new FakeRuntime();
    const pace = new Pace(runtime);
    for (let i = 0; i < 4; i++) pace.tookWaiting();
    pace.turned(1);
    pace.turned(1);
    await runtime.settle();
    expect(runtime.restedMs).toBe(1);
    pace.turned(1);
    await runtime.settle();
    expect(runtime.restedMs).toBe(2);
  });
});
