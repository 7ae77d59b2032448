/** `npm run test:sdks`: the suites of all languages, by the test runner. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
process.exitCode = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "test/sdk"], { cwd: root, stdio: "inherit" }).status ?? 1;
