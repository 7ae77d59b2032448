/** `npm run sim -- --seed N`: one seed, or many in a row; `--long` runs until told. Prints what was done; a failing seed is one command to replay. */
import { parseArgs } from "node:util";
import { Simulation } from "./simulation.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "20" },
    steps: { type: "string", default: "4000" },
    long: { type: "boolean", default: false },
  },
});
const first = values.seed === undefined ? 1 : Number(values.seed);
const count = values.seed === undefined ? (values.long ? 1000 : Number(values.seeds)) : 1;
let failed = 0;
let inputs = 0;
let crashes = 0;
const events = new Map<string, number>();
const faults = new Map<string, number>();
for (let seed = first; seed < first + count; seed++) {
  const r = await new Simulation({ seed, steps: Number(values.steps) }).run();
  inputs += r.inputs;
  crashes += r.crashes;
  for (const [k, v] of r.events) events.set(k, (events.get(k) ?? 0) + v);
  for (const [k, v] of r.faults) faults.set(k, (faults.get(k) ?? 0) + v);
  if (r.problems.length > 0) {
    failed++;
    process.stdout.write(
      `seed ${seed} FAILED after ${r.inputs} inputs:\n  ${r.problems.join("\n  ")}\n  replay: npm run sim -- --seed ${seed} --steps ${values.steps}\n`,
    );
  } else if (count === 1)
    process.stdout.write(`seed ${seed}: digest ${r.digest}, ${r.inputs} inputs, ${r.crashes} deaths, ${r.commits} commits, ${r.runs} runs\n`);
}
process.stdout.write(`${count - failed} of ${count} seeds hold; ${inputs} inputs, ${crashes} process deaths\n`);
process.stdout.write(
  `faults: ${[...faults].map(([k, v]) => `${k} ${v}`).join(", ")}\nevents: ${[...events]
    .sort((a, b) => b[1] - a[1])
    .map(([k, v]) => `${k} ${v}`)
    .join(", ")}\n`,
);
process.exitCode = failed > 0 ? 1 : 0;
