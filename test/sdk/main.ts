/**
 * `npm run test:sdks`: the suites of all languages and the official CLI's, by the test runner, against the server as its sources are now.
 * With Go and no CLI here, the CLI is built first.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildCliIfMissing } from "../cli/official-cli.js";

const root = join(import.meta.dirname, "../..");
const run = (...args: string[]) => spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
buildCliIfMissing();
process.exitCode = run("scripts/setup.mjs") || run("node_modules/vitest/vitest.mjs", "run", "test/sdk", "test/cli");
