/** `npm start`: set up, then the server on 7233 with its data in ./data/. Arguments after `--` go to `perdure serve`. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, setup } from "./setup.mjs";

try {
  await setup();
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exit(1);
}
const program = join(root, "dist/main.js");
process.argv.splice(1, 1, program, "serve");
await import(pathToFileURL(program).href);
