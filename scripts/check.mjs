/**
 * `npm run check`: everything that can be said about the tree without running it. Each stage once, all of them even if one fails;
 * at the end a table of stages and seconds. `--report <file>` leaves the counts for scripts/test.mjs.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

const MAX_SHOWN = 40;

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, command), ...args], { cwd: root, env: { ...process.env, FORCE_COLOR: "0" } });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    child.on("close", (code) => resolve(code === 0 ? [] : [output.trim() || `exit code ${code}`]));
  });
}

await setup({ only: ["packages", "generate"] });

const { readTree } = await import("./tidy/tree.mjs");
const { layers } = await import("./tidy/layers.mjs");
const { bannedCalls } = await import("./tidy/banned-calls.mjs");
const { unimportedFiles } = await import("./tidy/unimported-files.mjs");
const { docLinks } = await import("./tidy/doc-links.mjs");
const { names, leftovers } = await import("./tidy/names.mjs");

let tree;
/** Each gives its problems, none of them when all is well. */
const stages = [
  ["lint and format", () => run("node_modules/@biomejs/biome/bin/biome", ["ci", ".", "--max-diagnostics=200", "--colors=off"])],
  ["types", () => run("node_modules/typescript/bin/tsc", ["-p", "."])],
  [
    "read the tree",
    () => {
      tree = readTree();
      return [];
    },
  ],
  ["import direction", () => layers(tree)],
  ["banned calls", () => bannedCalls(tree)],
  ["unimported files", () => unimportedFiles(tree)],
  ["doc links", () => docLinks(tree)],
  ["names", () => names(tree)],
  ["leftovers", () => leftovers(tree)],
];

const results = [];
for (const [name, work] of stages) {
  const start = process.hrtime.bigint();
  let problems;
  try {
    problems = await work();
  } catch (error) {
    problems = [String(error.stack ?? error)];
  }
  results.push({ name, problems, seconds: Number(process.hrtime.bigint() - start) / 1e9 });
}

for (const { name, problems } of results) {
  if (problems.length === 0) continue;
  console.log(`\n${name}:`);
  for (const problem of problems.slice(0, MAX_SHOWN)) console.log(`  ${problem.replaceAll("\n", "\n  ")}`);
  if (problems.length > MAX_SHOWN) console.log(`  and ${problems.length - MAX_SHOWN} more`);
}
console.log();
for (const { name, problems, seconds } of results)
  console.log(`${name.padEnd(18)} ${seconds.toFixed(1).padStart(6)} s  ${problems.length === 0 ? "ok" : "failed"}`);

const failed = results.filter((r) => r.problems.length > 0).length;
const report = process.argv.indexOf("--report");
if (report > 0) writeFileSync(process.argv[report + 1], JSON.stringify({ passed: results.length - failed, failed, stages: results }));
if (failed > 0) console.log("\n`npm run format` mends formatting and imports.");
process.exitCode = failed === 0 ? 0 : 1;
