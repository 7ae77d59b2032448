import { beforeEach, describe, expect, it } from "vitest";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { Pace } from "./pace.js";

/** What is deferred has run. */
async function deferred(): Promise<void> {
  for (let i = 0; i < 4; i++) await undefined;
}

describe("the pace of the loop", () => {
  let runtime: FakeRuntime;
  let pace: Pace;
  /** How long the tasks wait that polls find. */
  let waitedMs: number;

  beforeEach(() => {
    runtime = new FakeRuntime("free");
    waitedMs = 5;
    pace = new Pace(runtime);
  });

  /** A turn at that pace; answers how long the loop rests after it. */
  async function turn(inputs: number): Promise<number> {
    const before = runtime.restedMs;
    pace.turned(inputs, inputs);
    expect(runtime.restedMs, "before answers are written").toBe(before);
    await deferred();
    return runtime.restedMs - before;
  }

  /**
   * Work for `ms`: a turn every millisecond that the loop is awake, of what has come since the last: `arrive` says how much,
   * and `follow` how many inputs of workflow tasks come with that.
   */
  async function work(
    ms: number,
    arrive: (sinceMs: number) => number,
    follow: (arrived: number) => number = () => 0,
  ): Promise<{ turns: number; rests: number }> {
    const end = runtime.now + ms * 1000;
    const rested = runtime.restedMs;
    let turns = 0;
    for (let last = runtime.now; runtime.now < end; turns++) {
      runtime.now += 1000;
      const since = (runtime.now - last) / 1000;
      last = runtime.now;
      for (let i = 0; i < 4; i++) pace.tookWaiting(runtime.now - waitedMs * 1000);
      const arrived = arrive(since);
      pace.turned(arrived + follow(arrived), arrived);
      await deferred();
    }
    return { turns, rests: runtime.restedMs - rested };
  }

  /** Inputs come in their own time. */
  const paced = (sinceMs: number) => 4 * sinceMs;
  /** Each input follows from the last turn. */
  const prompt = () => 4;

  it("rests two milliseconds after small batches while polls find tasks that waited, when a trial has shown that nothing is lost", async () => {
    const trial = await work(1_500, paced);
    // One of two milliseconds and two of three, half a second each.
    expect(trial.rests).toBeGreaterThan(560);
    expect(trial.rests).toBeLessThan(610);
    const after = await work(1_000, paced);
    expect(after.rests).toBe(2 * after.turns);
  });

  it("does not rest where less is done for it, and asks ever more seldom", async () => {
    await work(1_520, prompt);
    expect((await work(1_900, prompt)).rests).toBe(0);
    // Trials after 2, 4, 8 and 16 seconds, a second with rests each.
    const { rests } = await work(40_000, prompt);
    expect(rests).toBeGreaterThan(4 * 560);
    expect(rests).toBeLessThan(4 * 610);
  });

  it("takes the longest of the rests that hardly delay the work", async () => {
    // Eight pollers, each of which asks again when it has been answered.
    const few = (sinceMs: number) => Math.min(4 * sinceMs, 8);
    await work(1_600, few);
    const { rests, turns } = await work(500, few);
    expect(rests).toBe(turns);
  });

  it("is not misled by work that becomes more or less during the trial", async () => {
    let begin = runtime.now;
    await work(1_520, () => 2 + (runtime.now - begin) / 1_000_000);
    expect((await work(1_000, prompt)).rests).toBe(0);
    pace = new Pace(runtime);
    begin = runtime.now;
    await work(1_520, (sinceMs) => (4 - (runtime.now - begin) / 1_000_000) * sinceMs);
    const { rests, turns } = await work(500, (sinceMs) => 3 * sinceMs);
    expect(rests).toBe(2 * turns);
  });

  it("rests where fewer workflow tasks see as much work", async () => {
    const eachItsOwn = (arrived: number) => Math.min(arrived, 4);
    await work(1_600, paced, eachItsOwn);
    const { rests, turns } = await work(500, paced, eachItsOwn);
    expect(rests).toBe(2 * turns);
  });

  it("comes to rest when the workers are others", async () => {
    await work(1_520, prompt);
    await work(3_600, paced);
    const { rests, turns } = await work(500, paced);
    expect(rests).toBe(2 * turns);
  });

  it("begins a trial again that was interrupted", async () => {
    await work(750, paced);
    runtime.now += 1_100_000;
    expect((await work(240, paced)).rests).toBe(0);
    await work(1_300, paced);
    const { rests, turns } = await work(500, paced);
    expect(rests).toBe(2 * turns);
  });

  it("tries anew when it is other work: when half as much again is done, or nothing was for a while", async () => {
    await work(1_600, paced);
    const more = (sinceMs: number) => 6 * sinceMs;
    await work(1_000, more);
    expect((await work(100, more)).rests).toBe(0);
    await work(1_600, more);
    const { rests, turns } = await work(500, more);
    expect(rests).toBe(2 * turns);
    runtime.now += 5_000_000;
    await work(10, more);
    expect((await work(150, more)).rests).toBe(0);
  });

  it("tries anew after a pause and when it is other work where it did not rest, too", async () => {
    await work(1_600, prompt);
    runtime.now += 251_000;
    await work(1_600, paced);
    const { rests, turns } = await work(500, paced);
    expect(rests).toBe(2 * turns);
    pace = new Pace(runtime);
    await work(1_520, prompt);
    // A trial after two seconds and one after four have shown the same: it would be eight now.
    await work(9_500, prompt);
    await work(2_000, (sinceMs) => 6 * sinceMs);
    await work(1_600, (sinceMs) => 6 * sinceMs);
    const other = await work(500, (sinceMs) => 6 * sinceMs);
    expect(other.rests).toBe(2 * other.turns);
  });

  it("soon tries again whether longer rests than it keeps do no harm, as where it keeps none", async () => {
    const few = (sinceMs: number) => Math.min(4 * sinceMs, 8);
    await work(1_600, few);
    const { rests, turns } = await work(500, few);
    expect(rests).toBe(turns);
    await work(3_100, paced);
    const later = await work(500, paced);
    expect(later.rests).toBe(2 * later.turns);
  });

  it("does not count the time in which everything stands still", async () => {
    // In the second and the third slice for a tenth of a second each.
    const stalls = [400_000, 700_000].map((at) => runtime.now + at);
    const stalling = (sinceMs: number) => {
      if (runtime.now > (stalls[0] ?? Number.POSITIVE_INFINITY)) {
        stalls.shift();
        runtime.now += 100_000;
      }
      return 4 * Math.min(sinceMs, 3);
    };
    await work(1_900, stalling);
    const { rests, turns } = await work(500, stalling);
    expect(rests).toBe(2 * turns);
  });

  it("allows for somewhat more delay where tasks have waited for long", async () => {
    // A tenth less is done with a rest of two milliseconds, a twentieth with one.
    const slower = (sinceMs: number) => 4 * sinceMs * (1 - 0.05 * Math.min(sinceMs - 1, 2));
    await work(1_600, slower);
    const short = await work(300, slower);
    expect(short.rests).toBe(short.turns);
    pace = new Pace(runtime);
    waitedMs = 41;
    await work(1_600, slower);
    const long = await work(300, slower);
    expect(long.rests).toBe(2 * long.turns);
    // Few pollers are kept waiting, however long the tasks have waited.
    pace = new Pace(runtime);
    await work(1_600, prompt);
    expect((await work(300, prompt)).rests).toBe(0);
  });

  it("keeps its rests while somewhat more or less is done", async () => {
    await work(1_600, paced);
    const { rests, turns } = await work(10_000, (sinceMs) => (Math.floor(runtime.now / 2_000_000) % 2 === 0 ? 3.5 : 4.5) * sinceMs);
    expect(rests).toBe(2 * turns);
  });

  it("does not rest where tasks wait now and then only", async () => {
    await work(1_600, paced);
    expect(await turn(5)).toBe(2);
    runtime.now += 20_001;
    expect(await turn(5)).toBe(0);
    for (let i = 0; i < 3; i++) pace.tookWaiting(runtime.now - waitedMs * 1000);
    expect(await turn(5)).toBe(0);
    pace.tookWaiting(runtime.now - waitedMs * 1000);
    expect(await turn(5)).toBe(2);
  });

  it("does not rest after a batch that many inputs share", async () => {
    await work(1_600, paced);
    expect(await turn(33)).toBe(0);
    expect(await turn(32)).toBe(2);
  });

  it("rests once for turns that come together, and again after the next", async () => {
    await work(1_600, paced);
    const before = runtime.restedMs;
    pace.turned(1, 1);
    pace.turned(1, 1);
    await deferred();
    expect(runtime.restedMs - before).toBe(2);
    expect(await turn(1)).toBe(2);
  });
});
