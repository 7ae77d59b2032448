/** The long form of the durability test: every kind of disk, some thousand images. Prints what was done. */
import { parseArgs } from "node:util";
import { circumstances } from "../../bench/figures.js";
import { temporaryDirectory } from "../harness/server-process.js";
import { buildLibrary, type DurabilityOptions, durabilityTest, NO_COMPILER } from "./durability.js";

const { values } = parseArgs({
  options: {
    long: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    /** Names of disks or of weaker durabilities, as an expression. */
    only: { type: "string", default: "" },
  },
});
const isAsked = (name: string): boolean => new RegExp(values.only).test(name);
const library = buildLibrary("freeze", temporaryDirectory());
if (library === undefined) {
  process.stdout.write(`${NO_COMPILER}\n`);
  process.exit(0);
}
process.stdout.write(`${circumstances(`test/durability/main.ts --seed ${values.seed}${values.long ? " --long" : ""}`)}\n`);
const times = values.long ? 8 : 1;
const base: DurabilityOptions = {
  durability: "full",
  delayUs: 0,
  commitThread: "engine",
  lives: 3,
  syncsPerLife: 50 * times,
  payloadBytes: 200,
  imagesMax: 130 * times,
  mayTear: true,
  engineEvery: 7,
  binaryEvery: 60,
  seed: Number(values.seed),
  lifeMsMax: 20_000 * times,
  dieAfterPages: 0,
  syncsLeftOut: 0,
};
const disks: Record<string, Partial<DurabilityOptions>> = {
  "engine thread": {},
  "writer thread, 2 ms a sync": { delayUs: 2_000, commitThread: "writer" },
  "writer thread, 15 ms a sync": { delayUs: 15_000, commitThread: "writer" },
  "killed within a write": { dieAfterPages: 60, lives: 4 * times, syncsPerLife: 1_000 },
  "killed within a write, writer thread": { commitThread: "writer", dieAfterPages: 60, lives: 4 * times, syncsPerLife: 1_000 },
  // Every call adds its payload to the file that each image copies and reads: fewer of both.
  "great payloads, checkpoints": { payloadBytes: 400_000, syncsPerLife: 20 * times, imagesMax: 50 * times },
};
let failed = 0;
for (const [name, options] of Object.entries(disks)) {
  if (!isAsked(name)) continue;
  const { problems, ...counts } = await durabilityTest(library, { ...base, ...options });
  process.stdout.write(`${name}: ${JSON.stringify(counts)}\n`);
  for (const p of problems) process.stdout.write(`  ${p}\n`);
  failed += problems.length;
}
for (const durability of ["normal", "memory"] as const) {
  if (!isAsked(durability)) continue;
  const { problems, images } = await durabilityTest(library, { ...base, durability, lives: 1, lifeMsMax: 1_500, engineEvery: 0, binaryEvery: 0 });
  process.stdout.write(`durability ${durability}: ${problems.length} losses found in ${images} images, as it must be\n  ${problems[0] ?? "none"}\n`);
  if (problems.length === 0) failed++;
}
process.exitCode = failed > 0 ? 1 : 0;
