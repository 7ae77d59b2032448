/** `npm run crash:long`: a thousand kills, or `--kills N`. */
import { parseArgs } from "node:util";
import { crashTest } from "./crash.js";

const { values } = parseArgs({ options: { kills: { type: "string" }, long: { type: "boolean", default: false } } });
const report = await crashTest(Number(values.kills ?? (values.long ? 1000 : 20)), 12, 800);
process.stdout.write(`${JSON.stringify(report)}\n`);
const { kills: _kills, starts, signals: _signals, ...bad } = report;
process.exitCode = starts > 0 && Object.values(bad).every((n) => n === 0) ? 0 : 1;
