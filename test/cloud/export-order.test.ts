/** Exports go by the order of commits: a run whose commit takes long is in the next export, not in none, also of a sink that fell behind. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CloudService } from "../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { WorkflowExecutions } from "../../gen/wire/temporal/api/export/v1/message.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { decode, encode } from "../../src/api/wire.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { frame, WireClient } from "../../src/rpc/wire-client.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";

const INTERVAL_MS = 5_000;
const W = WorkflowService.methods;
const C = CloudService.methods;

let runtime: FakeRuntime;
/** Commits that are held back; undefined: they settle at once. */
let held: (() => void)[] | undefined;
let bucket: Server;
/** Objects by their names. */
let objects: Map<string, Buffer>;
let server: WholeServer;
let client: WireClient;
/** So many changes of status are kept at least, and up to two slices more. */
const KEPT = 1;
const SLICE = 512;

beforeEach(async () => {
  runtime = new FakeRuntime("free");
  held = undefined;
  objects = new Map();
  bucket = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (d: Buffer) => parts.push(d));
    request.on("end", () => {
      if (request.method === "PUT") objects.set(request.url ?? "", Buffer.concat(parts));
      response.end();
    });
  });
  await new Promise<void>((resolve) => bucket.listen(0, "127.0.0.1", resolve));
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" });
  const { limits, version } = defaultConfig();
  const archivalS3Endpoint = `http://127.0.0.1:${(bucket.address() as AddressInfo).port}`;
  server = await openWholeServer({
    runtime,
    store: new MemoryStore({ settle: (resolve) => (held === undefined ? resolve() : void held.push(resolve)) }),
    config: { version, limits: { ...limits, archivalS3Endpoint, archivalS3PathStyle: true, cloudExportMs: INTERVAL_MS, statusChangesKeptMax: KEPT } },
  });
  client = await WireClient.connect(server.port);
});
afterEach(async () => {
  client.close();
  await server.close();
  bucket.closeAllConnections();
  bucket.close();
});

async function call({ path, input }: { path: string; input: { typeName: string } }, request: object): Promise<void> {
  const answer = await client.call({ path, chunks: [frame(encode(input as never, request as never))] });
  expect([path, answer.status, answer.text]).toEqual([path, 0, ""]);
}
const start = (workflowId: string) =>
  call(W.StartWorkflowExecution, {
    ...{ namespace: "one", workflowId, requestId: workflowId },
    ...{ workflowType: { name: "T" }, taskQueue: { name: "q", kind: 1 } },
  });
const terminate = (workflowId: string) => call(W.TerminateWorkflowExecution, { namespace: "one", workflowExecution: { workflowId } });

/** Ids of the workflows in all objects. */
const exported = (): string[] =>
  [...objects.values()]
    .flatMap((o) => decode(WorkflowExecutions, o).items)
    .map(({ history }) => {
      const first = decode(History, history ?? new Uint8Array()).events[0]?.attributes;
      return first?.case === "workflowExecutionStartedEventAttributes" ? first.value.workflowId : "";
    })
    .sort();

/** The next look of the exporter, and what follows from it. */
async function untilExported(ids: readonly string[]): Promise<void> {
  runtime.elapse(INTERVAL_MS);
  await expect.poll(exported, { timeout: 10_000 }).toEqual(ids);
}

it("a run whose commit took long is exported, and each once", async () => {
  await start("before");
  await terminate("before");
  await Promise.all(["slow", "fast", "open"].map(start));
  const s3 = { bucketName: "exports", region: "eu-central-1" };
  await call(C.CreateNamespaceExportSink, { namespace: "one", spec: { name: "all", enabled: true, s3 } });
  await terminate("fast");
  await untilExported(["fast"]);
  held = [];
  const slow = terminate("slow");
  await expect.poll(() => held?.length).toBe(1);
  // The exporter looks again and again meanwhile, and says that it has seen all there is.
  for (let i = 0; i < 5; i++) {
    runtime.elapse(INTERVAL_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const waiting = held;
  held = undefined;
  for (const settle of waiting) settle();
  await slow;
  await untilExported(["fast", "slow"]);
  await terminate("open");
  await untilExported(["fast", "open", "slow"]);
});

it("a sink that falls behind what is kept passes over nothing, not even a run whose commit took long", async () => {
  const s3 = { bucketName: "exports", region: "eu-central-1" };
  await call(C.CreateNamespaceExportSink, { namespace: "one", spec: { name: "all", enabled: true, s3 } });
  await start("first");
  await terminate("first");
  await untilExported(["first"]);
  // What the exporter writes down of that is there when these are.
  await start("slow");
  await start("open");
  held = [];
  const slow = terminate("slow");
  await expect.poll(() => held?.length).toBe(1);
  // Meanwhile the exporter is up to date: its record waits for its commit too.
  await expect
    .poll(() => {
      runtime.elapse(INTERVAL_MS);
      return held?.length;
    })
    .toBeGreaterThan(1);
  const waiting = held;
  held = undefined;
  for (const settle of waiting) settle();
  await slow;
  // More changes than are kept, before it looks again.
  const ids = Array.from({ length: SLICE + 10 }, (_, i) => `w${i}`);
  for (let i = 0; i < ids.length; i += 50) await Promise.all(ids.slice(i, i + 50).map((id) => start(id).then(() => terminate(id))));
  const all = ["first", "slow", ...ids].sort();
  runtime.elapse(INTERVAL_MS);
  await expect.poll(() => [...new Set(exported())].sort(), { timeout: 10_000 }).toEqual(all);
});
