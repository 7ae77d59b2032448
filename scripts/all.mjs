/** `npm run all`: what CI runs, in its order. A stage whose program is missing fails. */
import { spawnSync } from "node:child_process";
import { root } from "./setup.mjs";

const seconds = [];
let failed = 0;
for (const name of ["test", "sim:long", "crash:long", "test:sdks"]) {
  const start = process.hrtime.bigint();
  const { status } = spawnSync("npm", ["run", "-s", name], { cwd: root, stdio: "inherit" });
  seconds.push([name, Number(process.hrtime.bigint() - start) / 1e9, status === 0 ? "ok" : "failed"]);
  if (status !== 0) failed++;
}
for (const [name, took, outcome] of seconds) console.log(`${name.padEnd(12)} ${took.toFixed(1).padStart(8)} s  ${outcome}`);
process.exitCode = failed === 0 ? 0 : 1;
