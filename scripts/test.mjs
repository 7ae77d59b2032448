/**
 * `npm test`: set-up, `npm run check`, then every test; arguments go to vitest and leave the check out. The last line is
 * "N passed, N failed", alone: each stage of the check counts as one, a stage that fails for a reason of its own as one failed.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { seedsWithoutTest } from "./seeds.mjs";
import { root, setup } from "./setup.mjs";

const args = process.argv.slice(2);
let passed = 0;
let failed = 0;
const timings = [];

function stage(name, work) {
  const start = process.hrtime.bigint();
  const result = work();
  timings.push([name, Number(process.hrtime.bigint() - start) / 1e9]);
  return result;
}

/** Runs a program with its output on ours. */
const run = (command, commandArgs) => spawnSync(command, commandArgs, { cwd: root, stdio: "inherit" }).status;

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function check() {
  const path = join(root, ".setup/check.json");
  rmSync(path, { force: true });
  const status = run(process.execPath, ["scripts/check.mjs", "--report", path]);
  const report = readReport(path);
  passed += report?.passed ?? 0;
  failed += report?.failed ?? 0;
  if (status !== 0 && !report?.failed) failed++;
}

function tests() {
  const path = join(root, ".setup/vitest.json");
  rmSync(path, { force: true });
  const status = run(process.execPath, [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${path}`,
    ...args,
  ]);
  const report = readReport(path);
  passed += report?.numPassedTests ?? 0;
  // A file that does not load has no tests that could fail.
  const broken = report?.testResults?.filter((f) => f.status === "failed" && !f.assertionResults.some((t) => t.status === "failed")).length ?? 0;
  const found = (report?.numFailedTests ?? 0) + broken;
  failed += found;
  if (args.length === 0 && report !== undefined) seeds(report);
  // Errors outside any test, or no report at all.
  if (status !== 0 && found === 0) failed++;
}

/** A row of docs/SEEDS.md without a passing test is a test that failed. */
function seeds(report) {
  const problems = seedsWithoutTest(report);
  for (const problem of problems) console.log(`docs/SEEDS.md: ${problem}`);
  if (problems.length > 0) failed++;
  else passed++;
}

try {
  const start = process.hrtime.bigint();
  await setup();
  timings.push(["set-up", Number(process.hrtime.bigint() - start) / 1e9]);
  if (args.length === 0) stage("check", check);
  stage("tests", tests);
} catch (error) {
  console.error(`test: ${error.message}`);
  failed++;
}
console.log();
for (const [name, seconds] of timings) console.log(`${name.padEnd(18)} ${seconds.toFixed(1).padStart(6)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
