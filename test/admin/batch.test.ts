/** A batch operation for operators: workflows whose tasks were lost get them again, all that a query or a list names. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Code } from "../../src/api/service-error.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import type { Limits } from "../../src/config/limits.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { Batch } from "../../src/persistence/batch.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { Session } from "../conformance/session.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";
import { AdminClient } from "./admin-call.js";

const NAMESPACE = "default";
const QUEUE = "lost";
let store: MemoryStore;
let server: WholeServer;
let subject: GrpcSubject;
let admin: AdminClient;
let s: Session;

async function open(limits: Partial<Limits> = {}): Promise<void> {
  const config = defaultConfig();
  server = await openWholeServer({
    ...{ runtime: new FakeRuntime("free"), store, namespaces: [NAMESPACE] },
    config: { ...config, limits: { ...config.limits, ...limits } },
  });
  subject = new GrpcSubject(`${server.host}:${server.port}`);
  admin = new AdminClient(subject);
  s = new Session(subject);
}
async function close(): Promise<void> {
  subject.close();
  await server.close();
}

beforeEach(async () => {
  store = new MemoryStore();
  await open();
});
afterEach(close);

const start = (workflowId: string) =>
  s.call("StartWorkflowExecution", { workflowId, requestId: workflowId, workflowType: { name: "T" }, taskQueue: { name: QUEUE, kind: 1 } });
const tasks = async (): Promise<string[]> => {
  const queue = { namespace: NAMESPACE, taskQueue: QUEUE, taskQueueType: 1, maxTaskId: Number.MAX_SAFE_INTEGER } as const;
  return (await admin.call("GetTaskQueueTasks", queue)).tasks.map((t) => t.data?.workflowId ?? "").sort();
};

/** The store forgets what waits in the queue. */
async function lose(): Promise<void> {
  const { backlog } = (store as unknown as { tables: { backlog: Map<number, { at: Parameters<Batch["writeBacklog"]>[0] }[]> } }).tables;
  const batch = new Batch();
  for (const rows of backlog.values()) for (const { at } of rows) batch.writeBacklog(at, { op: "delete" });
  await store.commit(batch);
  await close();
  await open();
}

const refresh = { case: "refreshTasksOperation", value: {} } as const;
const job = (jobId: string, targets: { visibilityQuery: string } | { executions: { workflowId: string }[] }) =>
  ({ namespace: NAMESPACE, jobId, reason: "they were lost", identity: "operator", operation: refresh, ...targets }) as const;

describe("a batch operation of AdminService", () => {
  it("refreshes the tasks of what a query finds", async () => {
    for (const id of ["a", "b", "c"]) await start(id);
    await lose();
    expect(await tasks()).toEqual([]);
    await admin.call("StartAdminBatchOperation", job("all", { visibilityQuery: "WorkflowType = 'T' AND WorkflowId != 'c'" }));
    await expect.poll(tasks).toEqual(["a", "b"]);
    await expect.poll(async () => (await s.call("DescribeBatchOperation", { jobId: "all" })).completeOperationCount).toBe(2);
    const { workflowExecutionInfo: info } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: "all" } });
    expect([info?.status, info?.type?.name]).toEqual([2, "temporal-sys-batch-workflow-protobuf"]);
    // It is not one of those that everybody sees.
    expect((await s.call("ListBatchOperations", {})).operationInfo).toEqual([]);
    const ofAdmins = "TemporalNamespaceDivision = 'TemporalAdminBatcher' AND BatcherUser = 'operator'";
    expect((await s.call("CountWorkflowExecutions", { query: ofAdmins })).count).toBe(1);
  });

  it("refreshes the tasks of those that are named, and passes over what is not there", async () => {
    for (const id of ["a", "b"]) await start(id);
    await lose();
    await admin.call("StartAdminBatchOperation", job("some", { executions: [{ workflowId: "b" }, { workflowId: "nobody" }] }));
    await expect.poll(tasks).toEqual(["b"]);
    await expect.poll(async () => (await s.call("DescribeBatchOperation", { jobId: "some" })).completeOperationCount).toBe(2);
    expect((await admin.refusal("StartAdminBatchOperation", job("some", { visibilityQuery: "WorkflowId = 'a'" })))[0]).toBe(Code.ALREADY_EXISTS);
  });

  it("is refused with the official texts", async () => {
    const needed = "must provide required parameters: Operation, Reason, Namespace, AND one of (Query OR Executions)";
    const whole = job("j", { visibilityQuery: "WorkflowId = 'a'" });
    const refusal = (change: object) => admin.refusal("StartAdminBatchOperation", { ...whole, ...change });
    const missing = [{ operation: { case: undefined } }, { reason: "" }, { visibilityQuery: "" }];
    for (const change of missing) expect(await refusal(change)).toEqual([Code.INVALID_ARGUMENT, needed]);
    expect(await refusal({ jobId: "" })).toEqual([Code.INVALID_ARGUMENT, "JobId is not set on request."]);
    expect(await refusal({ executions: [{ workflowId: "a" }] })).toEqual([
      Code.INVALID_ARGUMENT,
      "batch query and executions are mutually exclusive",
    ]);
    expect((await refusal({ visibilityQuery: "((" }))[0]).toBe(Code.INVALID_ARGUMENT);
    expect((await refusal({ namespace: "nowhere" }))[0]).toBe(Code.NOT_FOUND);
    await close();
    await open({ adminBatchOperationsMax: 0 });
    expect(await refusal({})).toEqual([Code.RESOURCE_EXHAUSTED, "Max concurrent admin batch operations is reached"]);
  });
});
