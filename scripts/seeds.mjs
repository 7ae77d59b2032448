/**
 * The rows of docs/SEEDS.md against the report of a run of all tests: those whose test has not passed. A row names a test by its file and
 * full title, or a file alone for all of its tests.
 */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./setup.mjs";

/** @param report of vitest, in JSON. @returns a line for each row without a passing test */
export function seedsWithoutTest(report, seeds = readFileSync(join(root, "docs/SEEDS.md"), "utf8")) {
  const tests = new Map();
  for (const file of report.testResults)
    tests.set(relative(root, file.name), new Map(file.assertionResults.map((t) => [t.fullName.replaceAll("'", ""), t.status])));
  const problems = [];
  for (const [, what, test] of seeds.matchAll(/^\| (.+?) \| ((?:src|test)\/.+) \|$/gm)) {
    const at = test.indexOf(": ");
    const found = tests.get(at < 0 ? test : test.slice(0, at));
    const status = at < 0 ? wholeFile(found) : found?.get(test.slice(at + 2).replaceAll("'", ""));
    // Of a language that is not on this machine.
    if (status === "skipped") {
      console.log(`docs/SEEDS.md: not seen here: ${what}: ${test}`);
      continue;
    }
    if (status !== "passed") problems.push(`${what}: ${test}: ${status ?? "there is no such test"}`);
  }
  return problems;
}

function wholeFile(tests) {
  if (tests === undefined) return undefined;
  return [...tests.values()].find((s) => s !== "passed") ?? (tests.size === 0 ? "no tests" : "passed");
}
