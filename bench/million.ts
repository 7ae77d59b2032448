/**
 * `npm run bench:million`: a file with 1,000,000 open workflows. One is started on a real server; its rows are written a million times
 * over under other names, then a server is started on the file. `--workflows N` makes fewer.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ExecutionRecord, NamespaceRecord } from "../gen/wire/perdure/persistence/v1/records.js";
import { History } from "../gen/wire/temporal/api/history/v1/message.js";
import { decode, encode } from "../src/api/wire.js";
import { Random } from "../src/lib/random.js";
import { Batch } from "../src/persistence/batch.js";
import { SqliteStore } from "../src/persistence/sqlite/store.js";
import { startServer, temporaryDirectory } from "../test/harness/server-process.js";
import { done, figure, heading } from "./figures.js";
import { cpuMs, median, rssMib } from "./process-usage.js";
import { Rpc } from "./rpc.js";

const { values } = parseArgs({ options: { workflows: { type: "string", default: "1000000" } } });
const WORKFLOWS = Number(values.workflows);
const SIGNALS = 200;
const A_BATCH = 2_000;
/** When they have something to do: not while the bench runs. */
const FAR = (Date.now() + 86_400_000) * 1000;
const directory = join(temporaryDirectory(), "million");
mkdirSync(directory);
const file = join(directory, "million.db");
const queue = { name: "bench", kind: 1 } as const;

const first = await startServer(["--db-filename", file]);
const maker = new Rpc(first.address);
const { runId } = await maker.call("StartWorkflowExecution", {
  workflowId: "template",
  requestId: "t",
  workflowType: { name: "w" },
  taskQueue: queue,
});
const task = await maker.call("PollWorkflowTaskQueue", { taskQueue: queue });
await maker.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken });
maker.close();
await first.stop();

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const fail = (e: Error): never => {
  throw e;
};
const store = await SqliteStore.open({ file, durability: "memory", commitThread: "engine", pragmas: [], logger: silent, onFatal: fail });
const namespaces = (await store.loadRegistry()).filter((r) => r.kind === "namespace").map((r) => decode(NamespaceRecord, r.value));
const namespace = namespaces.find((n) => n.info?.name === "default")?.key ?? 0;
const found = await store.findRun({ namespaceKey: namespace, workflowId: "template", runId });
if (found === undefined) throw new Error("the template is not in the file");
const rows = await store.loadExecution(found.key);
const record = decode(ExecutionRecord, rows?.record ?? new Uint8Array(0));
const batches = await store.readHistory(record.branch, 1, Number.MAX_SAFE_INTEGER, false, Number.MAX_SAFE_INTEGER);
const [visible] = (await store.visibility.list({ namespaceKey: namespace, filter: undefined, orderBy: [] }, 1, undefined)).rows;
if (visible === undefined) throw new Error("the template is not in the list");
const histories = batches.map((b) => ({ firstEventId: b.firstEventId, history: decode(History, b.data) }));
const nameOf = (i: number): string => `workflow-${i}`;
const runOf = (i: number): string => `${runId.slice(0, 24)}${i.toString(16).padStart(12, "0")}`;
for (let i = 1; i <= WORKFLOWS; ) {
  const batch = new Batch();
  for (const end = Math.min(WORKFLOWS, i + A_BATCH - 1); i <= end; i++) {
    // Below the template's: keys that are given later are greater.
    const key = found.key - WORKFLOWS - 1 + i;
    const own = {
      workflowId: nameOf(i),
      runId: runOf(i),
      firstRunId: runOf(i),
      originalRunId: runOf(i),
      rootWorkflowId: nameOf(i),
      rootRunId: runOf(i),
    };
    const due = FAR + i;
    const copy = ExecutionRecord.copy(record, { ...own, branch: key, startRequestId: `start-${i}`, due });
    batch.putExecution(key, 1, encode(ExecutionRecord, copy), true);
    batch.insertRun({ namespaceKey: namespace, workflowId: own.workflowId, runId: own.runId, key });
    for (const { firstEventId, history } of histories) {
      for (const { attributes: a } of history.events)
        if (a.case === "workflowExecutionStartedEventAttributes")
          Object.assign(a.value, { originalExecutionRunId: own.runId, firstExecutionRunId: own.runId, workflowId: own.workflowId });
      batch.appendHistory(key, firstEventId, encode(History, history));
    }
    batch.insertDue(record.dueClock, due, key);
    batch.putVisibility(
      { ...visible, key, workflowId: own.workflowId, runId: own.runId, rootWorkflowId: own.workflowId, rootRunId: own.runId },
      true,
    );
  }
  await store.commit(batch);
}
await store.close();

heading("npm run bench:million");
const times: number[] = [];
for (let i = 0; i < 3; i++) {
  const begin = process.hrtime.bigint();
  const server = await startServer(["--db-filename", file]);
  times.push(Number(process.hrtime.bigint() - begin) / 1e6);
  await server.stop();
}
figure(`ready with ${WORKFLOWS} open workflows`, median(times), "ms", 2_000);
const server = await startServer(["--db-filename", file]);
figure("resident memory when ready", rssMib(server.pid), "MiB", 250);
const rpc = new Rpc(server.address);
await rpc.call("GetSystemInfo", {});
const random = new Random(1);
const took: number[] = [];
for (let n = 0; n < SIGNALS; n++) {
  const workflowId = nameOf(1 + (random.uint32() % WORKFLOWS));
  const begin = process.hrtime.bigint();
  await rpc.call("SignalWorkflowExecution", { workflowExecution: { workflowId }, signalName: "s", requestId: `s-${n}` });
  took.push(Number(process.hrtime.bigint() - begin) / 1e6);
}
figure(`a signal to a random one, median of ${SIGNALS}`, median(took), "ms", 50);
figure("the slowest of them", Math.max(...took), "ms", 50);
figure("resident memory after that", rssMib(server.pid), "MiB", 250);
const before = cpuMs(server.pid);
await new Promise((resolve) => setTimeout(resolve, 10_000));
figure("CPU of 10 idle seconds", cpuMs(server.pid) - before, "ms", 100);
rpc.close();
await server.stop();
done();
