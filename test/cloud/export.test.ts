/** Export sinks: the histories of workflows that have closed arrive in the bucket, once each, also those of before a restart. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ExportSink_Health } from "../../gen/wire/temporal/api/cloud/namespace/v1/message.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowExecutions } from "../../gen/wire/temporal/api/export/v1/message.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../src/api/wire.js";
import { type S3Server, startS3 } from "../archival/s3-server.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { GrpcCaller } from "./grpc-caller.js";

const folder = temporaryDirectory();
let s3: S3Server;
let server: ServerProcess;
let cloud: GrpcCaller;
let connection: Connection;

async function start(): Promise<void> {
  const setting = (key: string, value: unknown) => ["--dynamic-config-value", `${key}=${JSON.stringify(value)}`];
  server = await startServer(
    [
      ...["-f", join(folder, "p.db")],
      ...setting("archival.provider.s3store.endpoint", s3.endpoint),
      ...setting("archival.provider.s3store.region", "eu-central-1"),
      ...setting("archival.provider.s3store.s3ForcePathStyle", true),
      ...setting("cloud.exportInterval", "200ms"),
    ],
    { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" },
  );
  cloud = await GrpcCaller.connect(server.address, "");
  connection = await Connection.connect({ address: server.address });
}

async function stop(): Promise<void> {
  cloud.close();
  await connection.close();
  await server.stop();
}

beforeAll(async () => {
  s3 = await startS3(join(folder, "s3"), "exports");
  await start();
}, 60_000);
afterAll(async () => {
  await stop();
  await s3.stop();
});

/** Histories in the bucket, each by the id of its workflow. */
function exported(): Map<string, History> {
  const objects = readdirSync(join(folder, "s3"), { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".proto._S3rver_object"));
  const out = new Map<string, History>();
  for (const o of objects) {
    expect(o).toMatch(/temporal-workflow-history\/export\/default\/\d{4}\/\d\d\/\d\d\/\d\d\/\d\d\//);
    for (const { history } of decode(WorkflowExecutions, readFileSync(join(folder, "s3", o))).items) {
      const read = decode(History, history ?? new Uint8Array());
      const first = read.events[0]?.attributes;
      const id = first?.case === "workflowExecutionStartedEventAttributes" ? first.value.workflowId : "";
      expect(out.has(id)).toBe(false);
      out.set(id, read);
    }
  }
  return out;
}

async function closed(workflowId: string): Promise<void> {
  const run = { namespace: "default", workflowId, requestId: workflowId, workflowType: { name: "t" }, taskQueue: { name: "q" } };
  await connection.workflowService.startWorkflowExecution(run);
  await connection.workflowService.terminateWorkflowExecution({ namespace: "default", workflowExecution: { workflowId } });
}

const sink = async () => (await cloud.call("GetNamespaceExportSink", { namespace: "default", name: "all" })).sink;

describe("an export sink", () => {
  it("is tried before it is made", async () => {
    const spec = { name: "all", enabled: true, s3: { bucketName: "exports", region: "eu-central-1" } };
    await cloud.call("ValidateNamespaceExportSink", { namespace: "default", spec });
    const tried = readdirSync(join(folder, "s3"), { recursive: true, encoding: "utf8" });
    expect(tried.some((f) => f.includes("temporal-export-test"))).toBe(true);
    const none = { ...spec, s3: { bucketName: "nowhere", region: "eu-central-1" } };
    await expect(cloud.call("ValidateNamespaceExportSink", { namespace: "default", spec: none })).rejects.toThrow(
      "3: bucket nowhere takes no object",
    );
  });

  it("gets what closes from when it was made, once each, and by the next process what closed before that began", async () => {
    await closed("before");
    await cloud.call("CreateNamespaceExportSink", {
      namespace: "default",
      spec: { name: "all", enabled: true, s3: { bucketName: "exports", region: "eu-central-1" } },
    });
    await closed("a");
    await closed("b");
    await connection.workflowService.startWorkflowExecution({
      ...{ namespace: "default", workflowId: "open", requestId: "open", workflowType: { name: "t" }, taskQueue: { name: "q" } },
    });
    await expect.poll(async () => (await sink())?.latestDataExportTime, { timeout: 20_000 }).toBeDefined();
    expect([...exported().keys()].sort()).toEqual(["a", "b"]);
    expect(
      exported()
        .get("a")
        ?.events.map((e) => e.eventType),
    ).toEqual([EventType.WORKFLOW_EXECUTION_STARTED, EventType.WORKFLOW_TASK_SCHEDULED, EventType.WORKFLOW_EXECUTION_TERMINATED]);
    expect(await sink()).toMatchObject({ health: ExportSink_Health.OK, errorMessage: "", resourceVersion: "1" });
    await closed("c");
    await stop();
    await start();
    await expect.poll(() => [...exported().keys()].sort(), { timeout: 20_000 }).toEqual(["a", "b", "c"]);
  }, 60_000);

  it("whose bucket takes nothing says so", async () => {
    const spec = { name: "all", enabled: true, s3: { bucketName: "nowhere", region: "eu-central-1" } };
    await cloud.call("UpdateNamespaceExportSink", { namespace: "default", resourceVersion: "1", spec });
    await closed("d");
    await expect.poll(async () => (await sink())?.health, { timeout: 20_000 }).toBe(ExportSink_Health.ERROR_USER_CONFIGURATION);
    expect((await sink())?.errorMessage).toContain("bucket nowhere takes no object");
  }, 30_000);
});
