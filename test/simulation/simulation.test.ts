/** The fixed seeds hold, do everything that there is to do, repeat, and catch deliberate breakages of src. */
import { afterAll, describe, expect, it } from "vitest";
import { type BackgroundReport, BackgroundSimulation } from "./background.js";
import { BACKGROUND_MUTATIONS } from "./background-mutations.js";
import { Coverage } from "./coverage.js";
import { FIXED_SEEDS, MUTATIONS, seedsFor } from "./mutations.js";
import { Simulation } from "./simulation.js";

const STEPS = 4000;
const INPUTS_MIN = 200_000;
const DEATHS_MIN = 500;
const seeds = Array.from({ length: FIXED_SEEDS }, (_, i) => i + 1);

describe("simulation", () => {
  it("holds on the fixed seeds, in which every input, command, event and fault occurs", { timeout: 400_000 }, async () => {
    const coverage = new Coverage();
    const problems: string[] = [];
    let deaths = 0;
    for (const seed of seeds) {
      const r = await new Simulation({ seed, steps: STEPS }).run();
      coverage.add(r.coverage);
      deaths += r.deaths;
      problems.push(...r.problems.map((p) => `npm run sim -- --seed ${seed}: ${p}`));
      if (problems.length > 0) break;
    }
    process.stdout.write(`${coverage.inputCount} inputs, ${deaths} process deaths\n${coverage}\n`);
    expect(problems).toEqual([]);
    expect(coverage.gaps).toEqual([]);
    expect(coverage.inputCount).toBeGreaterThanOrEqual(INPUTS_MIN);
    expect(deaths).toBeGreaterThanOrEqual(DEATHS_MIN);
  });

  // Two of them on SQLite, one without deaths.
  it.each([8, 11, 24, 25])("gives the same run for the same seed: %i", { timeout: 60_000 }, async (seed) => {
    const a = await new Simulation({ seed, steps: STEPS }).run();
    const b = await new Simulation({ seed, steps: STEPS }).run();
    expect(b.digest).toBe(a.digest);
    expect(b.coverage).toEqual(a.coverage);
  });

  it("gives another run for another seed", { timeout: 60_000 }, async () => {
    const digests = await Promise.all([1, 2, 3].map(async (seed) => (await new Simulation({ seed, steps: 500 }).run()).digest));
    expect(new Set(digests).size).toBe(3);
  });
});

describe("deliberate breakages are caught by the fixed seeds", () => {
  const caught: string[] = [];
  afterAll(() => {
    process.stdout.write(`${caught.join("\n")}\n`);
  });

  it.each(MUTATIONS.map((m) => [m.name, m] as const))("%s", { timeout: 400_000 }, async (name, mutation) => {
    const { undo, apply } = mutation.begin();
    try {
      for (const seed of seedsFor(mutation)) {
        const { problems } = await new Simulation({ seed, steps: STEPS, ...(apply === undefined ? {} : { apply }) }).run();
        const [first] = problems;
        if (first === undefined) continue;
        caught.push(`${name}: seed ${seed}: ${first.slice(0, 160).replaceAll("\n", " ")}`);
        return;
      }
    } finally {
      undo();
    }
    expect.fail("no fixed seed finds it");
  });
});

describe("batches and the deletion of namespaces", () => {
  const FIXED = Array.from({ length: 16 }, (_, i) => i + 1);
  const play = (seed: number) => new BackgroundSimulation({ seed, steps: 1_500 }).run();

  it("hold on the fixed seeds, over process deaths: every batch and every deletion comes to its end", { timeout: 120_000 }, async () => {
    const reports: BackgroundReport[] = [];
    for (const seed of FIXED) reports.push(await play(seed));
    for (const [i, { problems }] of reports.entries()) expect(problems, `npm run sim -- --background --steps 1500 --seed ${FIXED[i]}`).toEqual([]);
    const sum = (what: "deaths" | "jobs" | "gone") => reports.reduce((n, r) => n + r[what], 0);
    expect([sum("deaths") > 20, sum("jobs") > 12, sum("gone") > 12]).toEqual([true, true, true]);
    // The same seed gives the same run.
    expect((await play(1)).digest).toBe(reports[0]?.digest);
  });

  it.each(BACKGROUND_MUTATIONS.map((m) => [m.name, m] as const))("are not, when %s", { timeout: 120_000 }, async (_, mutation) => {
    const { undo } = mutation.begin();
    try {
      for (const seed of FIXED) if ((await play(seed)).problems.length > 0) return;
    } finally {
      undo();
    }
    expect.fail(`no seed up to ${FIXED.length} finds it`);
  });
});
