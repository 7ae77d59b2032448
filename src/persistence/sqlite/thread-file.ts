/** Where a thread's own script is: beside the bundle in a build, built on the fly by the test runner's helper otherwise. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export function threadFile(name: string): URL {
  for (const candidate of [`./${name}.js`, `../../../dist/${name}.js`]) {
    const url = new URL(candidate, import.meta.url);
    if (existsSync(fileURLToPath(url))) return url;
  }
  throw new Error(`${name}.js is not built: run npm run setup`);
}
