/**
 * Archives in files and in S3, by the official TypeScript SDK: what retention has deleted is read back and replayed, listed and
 * paged; what cannot be archived is not deleted.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker, type WorkflowBundleWithSourceMap } from "@temporalio/worker";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readTables } from "../harness/file-tables.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { type S3Server, startS3 } from "./s3-server.js";

const { ArchivalState } = temporal.api.enums.v1;
const setting = (key: string, value: unknown) => ["--dynamic-config-value", `${key}=${JSON.stringify(value)}`];
const RETENTION_MIN = setting("system.namespaceMinRetentionLocal", "1s");
const ENABLED = [...setting("system.historyArchivalState", "enabled"), ...setting("system.visibilityArchivalState", "enabled")];

const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
  for (const end = Date.now() + 40_000; !(await isSo()); ) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
const isMissing = (f: () => Promise<unknown>) => () =>
  f().then(
    () => false,
    () => true,
  );

interface World {
  readonly server: ServerProcess;
  readonly connection: Connection;
  readonly native: NativeConnection;
}
let open: World | undefined;

async function start(args: readonly string[], env: Record<string, string> = {}): Promise<World> {
  const server = await startServer([...RETENTION_MIN, ...args], env);
  const { address } = server;
  open = { server, connection: await Connection.connect({ address }), native: await NativeConnection.connect({ address }) };
  return open;
}
async function stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  const { server, connection, native } = open as World;
  open = undefined;
  await native.close();
  await connection.close();
  await server.stop(signal);
}
afterEach(async () => {
  if (open !== undefined) await stop("SIGKILL");
});

const register = (connection: Connection, namespace: string, archival: object) =>
  connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 1 as never },
    historyArchivalState: ArchivalState.ARCHIVAL_STATE_ENABLED,
    visibilityArchivalState: ArchivalState.ARCHIVAL_STATE_ENABLED,
    ...archival,
  });

/** Runs the workflow to its end; answers its ids. */
async function runWorkflow({ connection, native }: World, namespace: string, count = 1): Promise<{ workflowId: string; runId: string }[]> {
  const client = new Client({ connection, namespace });
  const taskQueue = `archival-${randomUUID()}`;
  const activities = { greet: async (name: string) => `hello ${name}` };
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue,
    workflowsPath: join(import.meta.dirname, "workflows.ts"),
    activities,
  });
  return worker.runUntil(
    Promise.all(
      Array.from({ length: count }, async () => {
        const handle = await client.workflow.start("archived", { taskQueue, workflowId: randomUUID(), args: ["you"], memo: { note: "kept" } });
        await handle.signal("release");
        expect(await handle.result()).toBe("hello you");
        return { workflowId: handle.workflowId, runId: handle.firstExecutionRunId };
      }),
    ),
  );
}

const isDeleted = ({ connection }: World, namespace: string, execution: { workflowId: string; runId: string }) =>
  until(
    "the run is deleted",
    isMissing(() => connection.workflowService.describeWorkflowExecution({ namespace, execution })),
  );

/** The archived history, read in small pages and replayed by the SDK; and the same history as the SDK's client fetches it. */
async function replays({ connection }: World, namespace: string, execution: { workflowId: string; runId: string }): Promise<void> {
  const events: temporal.api.history.v1.IHistoryEvent[] = [];
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await connection.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution,
      maximumPageSize: 3,
      nextPageToken: nextPageToken as never,
    });
    expect(page.archived).toBe(true);
    events.push(...(page.history?.events ?? []));
    nextPageToken = page.nextPageToken?.length ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined);
  expect(events.map((e) => Number(e.eventId))).toEqual(events.map((_e, i) => i + 1));
  const fetched = await new Client({ connection, namespace }).workflow.getHandle(execution.workflowId, execution.runId).fetchHistory();
  expect(fetched.events).toEqual(events);
  await Worker.runReplayHistory({ workflowBundle }, { events }, execution.workflowId);
  // It is the workflow's own history that is replayed: without the activity's result it does not fit.
  const torn = { events: events.filter((e) => e.eventType !== temporal.api.enums.v1.EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) };
  await expect(Worker.runReplayHistory({ workflowBundle }, torn, execution.workflowId)).rejects.toThrow();
}

async function listArchived(
  { connection }: World,
  namespace: string,
  query: string,
  pageSize = 100,
): Promise<temporal.api.workflow.v1.IWorkflowExecutionInfo[]> {
  const all: temporal.api.workflow.v1.IWorkflowExecutionInfo[] = [];
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await connection.workflowService.listArchivedWorkflowExecutions({
      namespace,
      query,
      pageSize,
      nextPageToken: nextPageToken as never,
    });
    expect(page.executions?.length).toBeLessThanOrEqual(pageSize);
    all.push(...(page.executions ?? []));
    nextPageToken = page.nextPageToken?.length ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined);
  return all;
}

let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger("ERROR"), telemetryOptions: { logging: { filter: "OFF", forward: {} } } });
  workflowBundle = await bundleWorkflowCode({ workflowsPath: join(import.meta.dirname, "workflows.ts"), logger: new DefaultLogger("ERROR") });
});

describe("archives in files", () => {
  it("are read, listed and replayed when retention has left no row of the run", async () => {
    const directory = temporaryDirectory();
    const file = join(directory, "server.db");
    const uris = { historyArchivalUri: `file://${directory}/history`, visibilityArchivalUri: `file://${directory}/visibility` };
    const world = await start([...ENABLED, "--db-filename", file]);
    await register(world.connection, "archived", uris);
    const { config } = await world.connection.workflowService.describeNamespace({ namespace: "archived" });
    expect(config).toMatchObject({ ...uris, historyArchivalState: 2, visibilityArchivalState: 2 });
    const runs = await runWorkflow(world, "archived", 3);
    for (const run of runs) await isDeleted(world, "archived", run);
    const [first] = runs as [{ workflowId: string; runId: string }];
    await replays(world, "archived", first);
    expect((await listArchived(world, "archived", "", 2)).map((e) => e.execution?.runId).sort()).toEqual(runs.map((r) => r.runId).sort());
    const [shown, ...others] = await listArchived(world, "archived", `WorkflowId = '${first.workflowId}' AND ExecutionStatus = 'Completed'`);
    expect(others).toEqual([]);
    expect(shown).toMatchObject({ execution: first, type: { name: "archived" }, status: 2 });
    expect(Buffer.from(shown?.memo?.fields?.["note"]?.data ?? "").toString()).toBe('"kept"');
    expect(Number(shown?.closeTime?.seconds)).toBeGreaterThan(1_700_000_000);
    expect(await listArchived(world, "archived", "CloseTime < '2020-01-01T00:00:00Z'")).toEqual([]);
    await expect(listArchived(world, "archived", "Colour = 'red'")).rejects.toThrow("unknown filter name: Colour");
    await expect(listArchived(world, "default", "")).rejects.toThrow("Namespace is not configured for visibility archival.");
    const skipped = world.connection.workflowService.getWorkflowExecutionHistory({ namespace: "archived", execution: first, skipArchival: true });
    await expect(skipped).rejects.toThrow("not found");
    await stop();
    expect(readTables(file).holding(runs.map((r) => r.runId))).toEqual([]);
  });

  it("are waited for by retention, over a restart, when they cannot be written", async () => {
    const directory = temporaryDirectory();
    const file = join(directory, "server.db");
    const args = [...ENABLED, "--db-filename", file];
    const archive = join(directory, "archive");
    let world = await start(args);
    await register(world.connection, "archived", {
      historyArchivalUri: `file://${archive}`,
      visibilityArchivalUri: `file://${directory}/visibility`,
    });
    // Where the directory should be, something else is.
    writeFileSync(archive, "in the way");
    const [run] = (await runWorkflow(world, "archived")) as [{ workflowId: string; runId: string }];
    await until("it was tried in vain", async () => world.server.log().includes("transfer task failed"));
    await stop("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    world = await start(args);
    await until("it was tried in vain again", async () => world.server.log().includes("transfer task failed"));
    const { workflowExecutionInfo } = await world.connection.workflowService.describeWorkflowExecution({ namespace: "archived", execution: run });
    expect(workflowExecutionInfo?.status).toBe(2);
    rmSync(archive);
    mkdirSync(archive);
    await isDeleted(world, "archived", run);
    await replays(world, "archived", run);
  });

  it("are refused where nothing can be written, and cannot be moved", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "a-file"), "");
    const { connection } = await start([...ENABLED, ...setting("namespaceDefaults.archival.history.URI", `file://${directory}/default`)]);
    const refused = (historyArchivalUri: string) =>
      expect(register(connection, randomUUID(), { historyArchivalUri, visibilityArchivalUri: `file://${directory}/v` })).rejects;
    await refused("nothing").toThrow("invalid URI for request");
    await refused("ftp://host/path").toThrow("unknown archiver scheme");
    await refused("/tmp").toThrow("unknown archiver scheme");
    await refused("file://").toThrow("directory path is empty");
    await refused(`file://${directory}/a-file`).toThrow("a path to a directory was expected");
    await refused("s3:///path").toThrow("no bucket specified");
    await register(connection, "archived", { visibilityArchivalState: ArchivalState.ARCHIVAL_STATE_DISABLED });
    const update = (config: object) => connection.workflowService.updateNamespace({ namespace: "archived", config });
    await expect(update({ historyArchivalUri: "file:///elsewhere" })).rejects.toThrow("Cannot update existing archival URI");
    const { config } = await update({ historyArchivalState: ArchivalState.ARCHIVAL_STATE_DISABLED });
    expect(config).toMatchObject({
      historyArchivalState: 1,
      historyArchivalUri: `file://${directory}/default`,
      visibilityArchivalState: 1,
      visibilityArchivalUri: "",
    });
    await expect(update({ visibilityArchivalState: ArchivalState.ARCHIVAL_STATE_ENABLED })).rejects.toThrow("default URI is not set");
  });
});

describe("archives in S3", () => {
  let s3: S3Server;
  let directory: string;
  beforeAll(async () => {
    directory = temporaryDirectory();
    s3 = await startS3(directory, "archive");
  });
  afterAll(() => s3?.stop());

  const settings = () => [
    ...ENABLED,
    ...setting("archival.provider.s3store.endpoint", s3.endpoint),
    ...setting("archival.provider.s3store.region", "eu-central-1"),
    ...setting("archival.provider.s3store.s3ForcePathStyle", true),
  ];
  const env = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

  it("are read, listed and replayed when retention has deleted the run", async () => {
    const world = await start(settings(), env);
    const uri = "s3://archive/some/prefix";
    await register(world.connection, "archived", { historyArchivalUri: uri, visibilityArchivalUri: uri });
    const runs = await runWorkflow(world, "archived", 3);
    for (const run of runs) await isDeleted(world, "archived", run);
    const [first] = runs as [{ workflowId: string; runId: string }];
    await replays(world, "archived", first);
    const ids = (found: temporal.api.workflow.v1.IWorkflowExecutionInfo[]) => found.map((e) => e.execution?.runId).sort();
    const all = runs.map((r) => r.runId).sort();
    expect(ids(await listArchived(world, "archived", "", 2))).toEqual(all);
    expect(ids(await listArchived(world, "archived", "WorkflowType = 'archived'", 1))).toEqual(all);
    expect(ids(await listArchived(world, "archived", `WorkflowId = '${first.workflowId}'`))).toEqual([first.runId]);
    const today = new Date().toISOString();
    expect(ids(await listArchived(world, "archived", `WorkflowType = 'archived' AND CloseTime = '${today}' AND SearchPrecision = 'Day'`))).toEqual(
      all,
    );
    await expect(listArchived(world, "archived", "RunId = 'x'")).rejects.toThrow("unknown filter name: RunId");
    const { namespaceInfo } = await world.connection.workflowService.describeNamespace({ namespace: "archived" });
    const execution = { workflowId: first.workflowId, runId: randomUUID() };
    const missing = world.connection.workflowService.getWorkflowExecutionHistory({ namespace: "archived", execution });
    await expect(missing).rejects.toThrow("requested workflow history does not exist");
    // The layout is the official server's.
    const key = join(directory, "archive", "some/prefix", namespaceInfo?.id ?? "", "history", first.workflowId, first.runId, "0", "0._S3rver_object");
    expect(JSON.parse(readFileSync(key, "utf8"))).toMatchObject({ header: { isLast: true, workflowId: first.workflowId, firstEventId: "1" } });
  });

  it("are refused where there is no such bucket", async () => {
    const { connection } = await start(settings(), env);
    await expect(register(connection, "archived", { historyArchivalUri: "s3://nowhere", visibilityArchivalUri: "s3://archive" })).rejects.toThrow(
      "requested bucket does not exist",
    );
  });
});
