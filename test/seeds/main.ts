/** `npm run seeds`: docs/SEEDS.md from its list. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { render } from "./seeds.js";

writeFileSync(join(import.meta.dirname, "../../docs/SEEDS.md"), render());
