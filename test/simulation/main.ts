/** `npm run sim -- --seed N`: one seed, or many in a row; `--long` a thousand. Prints what was done; a failing seed is one command to replay. */
import { parseArgs } from "node:util";
import { BackgroundSimulation } from "./background.js";
import { BACKGROUND_MUTATIONS } from "./background-mutations.js";
import { Coverage } from "./coverage.js";
import { MUTATIONS, type Mutation, seedsFor } from "./mutations.js";
import { Simulation } from "./simulation.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "20" },
    first: { type: "string", default: "1" },
    steps: { type: "string", default: "4000" },
    long: { type: "boolean", default: false },
    /** No seed is begun after so many. */
    minutes: { type: "string", default: "600" },
    /** Batches and the deletion of namespaces instead. */
    background: { type: "boolean", default: false },
    /** Names of deliberate breakages, as an expression: the first seed that finds each, of those of batches all. */
    mutation: { type: "string" },
  },
});
if (values.background && values.mutation !== undefined) {
  for (const { name, begin } of BACKGROUND_MUTATIONS.filter((m) => new RegExp(values.mutation as string).test(m.name))) {
    const { undo } = begin();
    const found: string[] = [];
    for (let seed = 1; seed <= Number(values.seeds); seed++) {
      const { problems } = await new BackgroundSimulation({ seed, steps: Number(values.steps) }).run();
      if (problems.length > 0) found.push(`seed ${seed}: ${problems[0]?.slice(0, 300)}`);
    }
    undo();
    process.stdout.write(`${name}: found by ${found.length} of ${values.seeds} seeds\n${found.map((f) => `  ${f}\n`).join("")}`);
  }
  process.exit();
}
if (values.background) {
  const first = Number(values.seed ?? values.first);
  const last = first + (values.seed === undefined ? (values.long ? 1000 : Number(values.seeds)) : 1);
  const sum = { deaths: 0, jobs: 0, gone: 0 };
  for (let seed = first; seed < last; seed++) {
    const r = await new BackgroundSimulation({ seed, steps: Number(values.steps) }).run();
    for (const what of ["deaths", "jobs", "gone"] as const) sum[what] += r[what];
    if (r.problems.length > 0) process.exitCode = 1;
    for (const problem of r.problems) process.stdout.write(`seed ${seed} FAILED: ${problem}\n`);
  }
  process.stdout.write(`${last - first} seeds, ${sum.deaths} process deaths, ${sum.jobs} batches, ${sum.gone} namespaces deleted\n`);
  process.exit();
}

if (values.mutation !== undefined) {
  for (const m of MUTATIONS.filter(({ name }) => new RegExp(values.mutation as string).test(name))) await find(m);
  process.exit();
}

async function find(mutation: Mutation): Promise<void> {
  const { name, begin } = mutation;
  const { undo, apply } = begin();
  for (const seed of seedsFor(mutation)) {
    const { problems } = await new Simulation({ seed, steps: Number(values.steps), ...(apply === undefined ? {} : { apply }) }).run();
    if (problems.length === 0) continue;
    process.stdout.write(`${name}: seed ${seed}: ${problems[0]?.slice(0, 300)}\n`);
    undo();
    return;
  }
  undo();
  process.stdout.write(`${name}: NOT FOUND\n`);
}

const first = Number(values.seed ?? values.first);
const count = values.seed === undefined ? (values.long ? 1000 : Number(values.seeds)) : 1;
const coverage = new Coverage();
let failed = 0;
let deaths = 0;
let played = 0;
const until = Date.now() + Number(values.minutes) * 60_000;
for (let seed = first; seed < first + count && Date.now() < until; seed++) {
  played++;
  const r = await new Simulation({ seed, steps: Number(values.steps) }).run();
  coverage.add(r.coverage);
  deaths += r.deaths;
  if (r.problems.length > 0) {
    failed++;
    process.stdout.write(
      `seed ${seed} FAILED after ${r.coverage.inputCount} inputs:\n  ${r.problems.join("\n  ")}\n  replay: npm run sim -- --seed ${seed} --steps ${values.steps}\n`,
    );
  } else if (count === 1) process.stdout.write(`seed ${seed}: digest ${r.digest}, ${r.deaths} deaths, ${r.runs} runs\n`);
}
process.stdout.write(`${played - failed} of ${played} seeds hold; ${coverage.inputCount} inputs, ${deaths} process deaths\n${coverage}\n`);
const { gaps } = coverage;
if (count > 1 && gaps.length > 0) process.stdout.write(`never: ${gaps.join("; ")}\n`);
process.exitCode = failed > 0 ? 1 : 0;
