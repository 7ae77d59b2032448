/**
 * `npm run fuzz:long`: 100,000 requests in rounds of 10,000, and whether memory stays flat; `-- --seed N --requests M` replays one round. With
 * `--callers` the server asks who calls, and each request is a caller's of random rights.
 */
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fuzzRound } from "./fuzz.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    first: { type: "string", default: "1" },
    rounds: { type: "string", default: "10" },
    requests: { type: "string", default: "10000" },
    callers: { type: "boolean", default: false },
  },
});
const first = Number(values.seed ?? values.first);
const rounds = values.seed === undefined ? Number(values.rounds) : 1;
const requests = Number(values.requests);
/** Of what the process keeps between rounds, from the second on: everything is loaded then. */
const GROWTH_MAX = 1.2;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heap: number[] = [];
const outcomes = new Map<string, number>();
let failed = 0;
let refused = 0;
let denied = 0;
let allowed = 0;
const begun = performance.now();
for (let seed = first; seed < first + rounds; seed++) {
  const r = await fuzzRound(seed, requests, { hasCallers: values.callers });
  for (const [k, n] of r.outcomes) outcomes.set(k, (outcomes.get(k) ?? 0) + n);
  refused += r.refused;
  denied += r.denied;
  allowed += r.allowed;
  if (r.problems.length === 0) process.stdout.write(`seed ${seed} holds: ${r.refused} of ${requests} refused\n`);
  else {
    failed++;
    process.stdout.write(
      `seed ${seed} FAILED:\n  ${r.problems.join("\n  ")}\n  replay: npm run fuzz:long -- --seed ${seed} --requests ${requests}${values.callers ? " --callers" : ""}\n`,
    );
  }
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  heap.push(process.memoryUsage().heapUsed);
}
for (const [k, n] of [...outcomes].sort()) process.stdout.write(`${k.padEnd(34)} ${n}\n`);
const mib = heap.map((h) => (h / 2 ** 20).toFixed(0)).join(" ");
const grows = heap.length > 2 && (heap.at(-1) as number) > (heap[1] as number) * GROWTH_MAX;
process.stdout.write(
  `${rounds * requests} requests in ${((performance.now() - begun) / 1000).toFixed(0)} s, ${refused} refused without a trace${values.callers ? ` (${denied} for want of rights; ${allowed} were granted)` : ""}, seeds ${first} to ${first + rounds - 1}; ${rounds - failed} of ${rounds} rounds hold; MiB kept after each: ${mib}${grows ? ": it GROWS" : ""}\n`,
);
process.exit(failed > 0 || grows ? 1 : 0);
