/**
 * `npm run bench:waits`: how long one call keeps the others waiting. A server on a fresh file gets calls that are as heavy as its limits
 * let them be, one after the other; beside each a probe asks on connections of its own. Out: for each how long it took, and the longest
 * time that the probe waited for its turn and for a commit. `--only TEXT` prints those whose name holds the text; `--group NAME` plays one group.
 */
import { parseArgs } from "node:util";
import { IndexedValueType } from "../gen/wire/temporal/api/enums/v1/common.js";
import { startServer, temporaryDirectory } from "../test/harness/server-process.js";
import { done, heading } from "./figures.js";
import { Rpc } from "./rpc.js";
import { completions } from "./waits/completions.js";
import { Loads } from "./waits/loads.js";
import { clocks, manySchedules, queues } from "./waits/queues.js";
import { batches, deletion, histories, manyRuns, payloads } from "./waits/runs.js";
import { schedules } from "./waits/schedules.js";

const { values } = parseArgs({ options: { only: { type: "string", default: "" }, group: { type: "string", default: "" } } });
const server = await startServer(["--db-filename", `${temporaryDirectory()}/waits.db`]);
const rpc = new Rpc(server.address);
await rpc.call("AddSearchAttributes", {
  namespace: "default",
  searchAttributes: { WaitsList: IndexedValueType.KEYWORD_LIST, WaitsKeyword: IndexedValueType.KEYWORD },
});

const GROUPS: Readonly<Record<string, (loads: Loads) => Promise<void>>> = {
  schedules,
  completions,
  histories,
  payloads: (loads) => payloads(loads, server.address),
  runs: async (loads) => {
    await manyRuns(loads);
    await queues(loads, server.address);
    await batches(loads);
    await deletion(loads);
  },
  many: manySchedules,
  clocks,
};
heading("npm run bench:waits");
try {
  const loads = await Loads.begin(rpc, server.address, values.only);
  await loads.play("nothing, for two seconds: what the machine adds", () => new Promise((resolve) => setTimeout(resolve, 2_000)));
  for (const [name, play] of Object.entries(GROUPS)) if (values.group === "" || values.group === name) await play(loads);
  await loads.end();
} finally {
  rpc.close();
  await server.stop();
}
done();
