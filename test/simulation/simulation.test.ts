/** Fixed seeds hold, repeat, and catch deliberate breakages of src. */
import { afterEach, describe, expect, it } from "vitest";
import { GroupCommit } from "../../src/history/group-commit.js";
import { MatchingEngine } from "../../src/matching/matching-engine.js";
import { Batch } from "../../src/persistence/batch.js";
import { Simulation } from "./simulation.js";

const STEPS = 4000;

async function problemsOf(seeds: readonly number[]): Promise<string[]> {
  const out: string[] = [];
  for (const seed of seeds) {
    const r = await new Simulation({ seed, steps: STEPS }).run();
    out.push(...r.problems.map((p) => `seed ${seed}: ${p}`));
    if (out.length > 0) break;
  }
  return out;
}
const range = (from: number, n: number) => Array.from({ length: n }, (_, i) => from + i);

describe("simulation", () => {
  it("holds on the fixed seeds", { timeout: 120_000 }, async () => {
    expect(await problemsOf(range(1, 60))).toEqual([]);
  });

  it("gives the same run for the same seed", { timeout: 60_000 }, async () => {
    for (const seed of [3, 11, 29]) {
      const a = await new Simulation({ seed, steps: STEPS }).run();
      const b = await new Simulation({ seed, steps: STEPS }).run();
      expect(b.digest).toBe(a.digest);
      expect([...b.events]).toEqual([...a.events]);
    }
  });
});

describe("deliberate breakages are caught", () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const f of undo.splice(0)) f();
  });

  /** Puts another method in place of one of src. */
  function breakMethod<T extends object, K extends keyof T>(prototype: T, name: K, make: (original: T[K]) => T[K]): void {
    const original = prototype[name];
    prototype[name] = make(original);
    undo.push(() => {
      prototype[name] = original;
    });
  }

  it("a reply before its commit", { timeout: 120_000 }, async () => {
    breakMethod(GroupCommit.prototype, "release", () => (_sequence: number, f: () => void) => f());
    expect(await problemsOf(range(1, 60))).not.toEqual([]);
  });

  it("a timer row that is not written", { timeout: 120_000 }, async () => {
    breakMethod(Batch.prototype, "insertDue", () => () => undefined);
    expect(await problemsOf(range(1, 60))).not.toEqual([]);
  });

  it("a task given to a poller that has gone", { timeout: 120_000 }, async () => {
    breakMethod(
      MatchingEngine.prototype,
      "reserve",
      (original) =>
        function (this: MatchingEngine, task) {
          const r = original.call(this, task);
          if (r !== undefined) (r as { isGone: () => boolean }).isGone = () => false;
          return r;
        },
    );
    expect(await problemsOf(range(1, 300))).not.toEqual([]);
  });

  it("a visibility row that is skipped", { timeout: 120_000 }, async () => {
    let n = 0;
    breakMethod(
      Batch.prototype,
      "putVisibility",
      (original) =>
        function (this: Batch, row, isNew) {
          if (++n % 50 !== 0) original.call(this, row, isNew);
        },
    );
    expect(await problemsOf(range(1, 20))).not.toEqual([]);
  });
});
