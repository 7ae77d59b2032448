/** `npm run crash:long`: a thousand kills, or `--kills N`; one in ten hits a server that is making its file. */
import { parseArgs } from "node:util";
import { circumstances } from "../../bench/figures.js";
import { crashTest } from "./crash.js";

const { values } = parseArgs({ options: { kills: { type: "string" }, long: { type: "boolean", default: false } } });
const kills = Number(values.kills ?? (values.long ? 1000 : 20));
const schemaKills = Math.ceil(kills / 10);
process.stdout.write(`${circumstances(`npm run crash:long -- --kills ${kills}`)}\n`);
const report = await crashTest({ kills: kills - schemaKills, schemaKills, clients: 12, meanMs: 800 });
process.stdout.write(`${JSON.stringify(report)}\n`);
const { kills: _kills, starts, signals: _signals, during, ...bad } = report;
const isComplete = starts > 0 && Object.values(during).every((n) => n > 0);
process.exitCode = isComplete && Object.values(bad).every((n) => n === 0) ? 0 : 1;
