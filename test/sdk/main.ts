/** `npm run test:sdks`: the suites of all languages, by the test runner, against the server as its sources are now. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const run = (...args: string[]) => spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
process.exitCode = run("scripts/setup.mjs") || run("node_modules/vitest/vitest.mjs", "run", "test/sdk");
