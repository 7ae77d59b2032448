/** The REST API: the examples of its documentation, each field that only it has, its errors and versions. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fingerprint32 } from "../../src/lib/fingerprint32.js";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { type Ask, addKeywords, client } from "./http-client.js";

const V1 = { "Temporal-API-Version": "v1" };
const NAMESPACE = "order-processing";
const NS = `/api/v1/namespaces/${NAMESPACE}`;
const NONE = "7b7a4d2e-0000-4000-8000-000000000001";

let server: ServerProcess;
let ask: Ask;

const START = {
  namespace: "default",
  workflow_id: "order-processing-12345",
  workflow_type: { name: "OrderProcessingWorkflow" },
  task_queue: "order-processing-queue",
  input: { order_id: "12345", customer_id: "customer-67890", items: [{ product_id: "product-001", quantity: 2, price: 29.99 }] },
  workflow_execution_timeout: "86400s",
  workflow_run_timeout: "3600s",
  workflow_task_timeout: "10s",
  identity: "order-service-v1.2.3",
  workflow_id_reuse_policy: "ALLOW_DUPLICATE_FAILED_ONLY",
  retry_policy: { initial_interval: "1s", backoff_coefficient: 2.0, maximum_interval: "100s", maximum_attempts: 3 },
  memo: { fields: { environment: { data: "production" }, version: { data: "v1.2.3" } } },
  search_attributes: { indexed_fields: { OrderId: { data: "12345" }, CustomerId: { data: "customer-67890" }, Environment: { data: "production" } } },
};

const REGISTER = {
  namespace: NAMESPACE,
  description: "Namespace for order processing workflows",
  owner_email: "team-orders@company.com",
  workflow_execution_retention_period: "2592000s",
  data: { environment: "production", team: "orders", cost_center: "engineering" },
  is_global_namespace: false,
  history_archival_config: { state: "ENABLED", uri: "s3://temporal-archival/order-processing/history" },
  visibility_archival_config: { state: "ENABLED", uri: "s3://temporal-archival/order-processing/visibility" },
};

beforeAll(async () => {
  server = await startServer();
  ask = client(`http://${server.address}`);
  expect(
    (await ask("POST /api/v1/namespaces", { ...REGISTER, history_archival_config: undefined, visibility_archival_config: undefined }, V1)).status,
  ).toBe(200);
  await addKeywords(ask, NAMESPACE, ["OrderId", "CustomerId", "Environment"]);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

let ids = 0;
const fresh = (name: string): string => `${name}-${++ids}`;

interface Started {
  readonly id: string;
  readonly run: string;
  readonly queue: string;
  readonly at: string;
}

async function start(fields: object = {}): Promise<Started> {
  const id = fresh("w");
  const queue = fresh("q");
  const { status, body } = await ask(`POST ${NS}/workflows`, { workflow_id: id, workflow_type: "T", task_queue: queue, ...fields });
  expect([status, body]).toMatchObject([200, { started: true }]);
  return { id, run: body.run_id, queue, at: `${NS}/workflows/${id}/runs/${body.run_id}` };
}

const pollWorkflow = async (queue: string, fields: object = {}) =>
  (await ask(`POST ${NS}/task-queues/${queue}/workflow-tasks/poll`, { identity: "worker", ...fields })).body;
const pollActivity = async (queue: string, fields: object = {}) =>
  (await ask(`POST ${NS}/task-queues/${queue}/activity-tasks/poll`, { identity: "worker", ...fields })).body;

async function complete(task: { task_token: string }, fields: object = {}) {
  const answer = await ask(`POST ${NS}/workflow-tasks/complete`, { task_token: task.task_token, identity: "worker", ...fields });
  expect([answer.status, answer.body]).toMatchObject([200, {}]);
  return answer.body;
}

const history = async (w: Started) => (await ask(`GET ${w.at}/history`)).body.history as Record<string, Record<string, never>>[];

const schedule = (queue: string, fields: object = {}) => ({
  command_type: "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK",
  schedule_activity_task_command_attributes: {
    activity_id: "a",
    activity_type: "A",
    task_queue: queue,
    start_to_close_timeout: "30s",
    input: { n: 1 },
    ...fields,
  },
});
const finish = { command_type: "COMPLETE_WORKFLOW_EXECUTION", complete_workflow_execution_command_attributes: { result: { ok: true } } };

/** Waits, by long polls, until an event of the type is there. */
async function awaitEvent(w: Started, type: string): Promise<void> {
  let token = "";
  for (;;) {
    const { body } = await ask(`GET ${w.at}/history?wait_new_event=true&next_page_token=${encodeURIComponent(token)}`);
    if (body.history.some((e: { event_type: string }) => e.event_type === type)) return;
    expect(body.next_page_token).not.toBe("");
    token = body.next_page_token;
  }
}

describe("workflows", () => {
  it("start as in the documented example, with attributes and memo in place", async () => {
    const { status, body } = await ask(`POST ${NS}/workflows`, START);
    expect([status, Object.keys(body), body.started]).toEqual([200, ["run_id", "started"], true]);
    const { body: run } = await ask(`GET ${NS}/workflows/order-processing-12345/runs/${body.run_id}`);
    expect(Object.keys(run)).toEqual(["execution_info", "workflow_execution_history", "next_page_token"]);
    expect(run.execution_info).toMatchObject({
      type: { name: "OrderProcessingWorkflow" },
      status: "WORKFLOW_EXECUTION_STATUS_RUNNING",
      memo: { fields: { environment: "production", version: "v1.2.3" } },
      search_attributes: { indexed_fields: { OrderId: "12345" } },
    });
    expect(run.workflow_execution_history[0].workflow_execution_started_event_attributes).toMatchObject({
      input: [START.input],
      workflow_run_timeout: "3600s",
      identity: "order-service-v1.2.3",
      retry_policy: { initial_interval: "1s", backoff_coefficient: 2, maximum_interval: "100s", maximum_attempts: 3 },
    });
    const query = encodeURIComponent(
      "OrderId = '12345' AND WorkflowType='OrderProcessingWorkflow' AND ExecutionStatus='Running' AND StartTime > '2023-01-01T00:00:00Z'",
    );
    const listed = await ask(`GET ${NS}/workflows?query=${query}`, undefined, V1);
    expect([Object.keys(listed.body), listed.body.executions.length]).toEqual([["executions", "next_page_token"], 1]);
    const { body: again } = await ask(`POST ${NS}/workflows`, { ...START, workflow_id_conflict_policy: "USE_EXISTING" });
    expect(again).toEqual({ run_id: body.run_id, started: false });
  });

  it("may be sent in camelCase, with several arguments, and with what the documents' JSON allows", async () => {
    const id = fresh("camel");
    const { body } = await ask(`POST ${NS}/workflows`, {
      workflowId: id,
      workflowType: { name: "T" },
      taskQueue: { name: "q" },
      input: [1, { a: 2 }],
      workflowTaskTimeout: "1m",
    });
    const { body: run } = await ask(`GET ${NS}/workflows/${id}/runs/${body.run_id}`);
    expect(run.workflow_execution_history[0].workflow_execution_started_event_attributes).toMatchObject({
      input: [1, { a: 2 }],
      workflow_task_timeout: "60s",
    });
  });

  it("take signals as in the documented example, with the control of the sender", async () => {
    const w = await start();
    const signal = {
      namespace: "default",
      workflow_execution: { workflow_id: "order-processing-12345", run_id: NONE },
      signal_name: "payment_received",
      input: { payment_id: "payment-98765", amount: 59.98, currency: "USD", method: "credit_card" },
      identity: "payment-service-v1.1.0",
      request_id: "signal-request-12345",
      control: "c-1",
    };
    for (let i = 0; i < 2; i++) expect(await ask(`POST ${w.at}/signal`, signal)).toMatchObject({ status: 200, body: {} });
    const signals = (await history(w)).filter((e) => e["workflow_execution_signaled_event_attributes"] !== undefined);
    expect(signals.length).toBe(1);
    expect(signals[0]?.["workflow_execution_signaled_event_attributes"]).toMatchObject({
      signal_name: "payment_received",
      input: [signal.input],
      identity: "payment-service-v1.1.0",
      header: { fields: { control: "c-1" } },
    });
  });

  it("answer queries, and say when they are not open", async () => {
    const w = await start();
    await complete(await pollWorkflow(w.queue));
    const asked = ask(`POST ${w.at}/query`, { query: { query_type: "get_order_status", query_args: {} }, query_reject_condition: "NOT_OPEN" });
    const task = await pollWorkflow(w.queue);
    expect(task.query).toMatchObject({ query_type: "get_order_status", query_args: [{}] });
    await complete(task, { query_results: { answer: { status: "paid" } } });
    expect((await asked).body).toEqual({ query_result: [{ status: "paid" }] });
    const failing = ask(`POST ${w.at}/query`, { query: { query_type: "bad" } });
    const second = await pollWorkflow(w.queue);
    await ask(`POST ${NS}/workflow-tasks/fail`, { task_token: second.task_token, failure: { message: "no such query" } });
    expect(await failing).toMatchObject({ status: 400, body: { error: { code: "INVALID_ARGUMENT", message: "no such query" } } });
    expect(await ask(`POST ${w.at}/terminate`, { reason: "r", details: { by: "test" } })).toMatchObject({ status: 200, body: {} });
    const rejected = await ask(`POST ${w.at}/query`, { query: { query_type: "q" }, query_reject_condition: "NOT_OPEN" });
    expect(rejected.body).toEqual({ query_result: null, query_rejected: { status: "WORKFLOW_EXECUTION_STATUS_TERMINATED" } });
    expect((await history(w)).at(-1)?.["workflow_execution_terminated_event_attributes"]).toMatchObject({ reason: "r", details: [{ by: "test" }] });
  });

  it("show their history by pages, by type and as it grows", async () => {
    const w = await start();
    await complete(await pollWorkflow(w.queue));
    const first = (await ask(`GET ${w.at}/history?maximum_page_size=1`)).body;
    expect([Object.keys(first), first.archived, first.next_page_token === ""]).toEqual([["history", "next_page_token", "archived"], false, false]);
    const second = (await ask(`GET ${w.at}/history?maximumPageSize=1&nextPageToken=${encodeURIComponent(first.next_page_token)}`)).body;
    expect(Number(second.history[0].event_id)).toBe(first.history.length + 1);
    const waiting = awaitEvent(w, "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED");
    await ask(`POST ${w.at}/signal`, { signal_name: "s" });
    await waiting;
    await ask(`POST ${w.at}/terminate`, {});
    const { body } = await ask(`GET ${w.at}/history?history_event_filter_type=CLOSE_EVENT`);
    expect(body.history.map((e: { event_type: string }) => e.event_type)).toEqual(["EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED"]);
  });

  it("are listed, scanned and counted", async () => {
    const type = fresh("Type");
    for (let i = 0; i < 3; i++) await start({ workflow_type: { name: type } });
    const query = `WorkflowType='${type}'`;
    const scan = await ask(`POST ${NS}/workflows/scan`, { query, page_size: 2 });
    expect([Object.keys(scan.body), scan.body.executions.length]).toEqual([["executions", "next_page_token"], 2]);
    const rest = await ask(`POST ${NS}/workflows/scan`, { query, page_size: 2, next_page_token: scan.body.next_page_token });
    expect([rest.body.executions.length, rest.body.next_page_token]).toEqual([1, ""]);
    expect((await ask(`GET ${NS}/workflows/count?query=${encodeURIComponent(query)}`)).body).toEqual({ count: "3" });
    const page = await ask(`GET ${NS}/workflows?page_size=2&query=${encodeURIComponent(query)}`, undefined, V1);
    const next = `GET ${NS}/workflows?page_size=2&query=${encodeURIComponent(query)}&next_page_token=${encodeURIComponent(page.body.next_page_token)}`;
    expect((await ask(next, undefined, V1)).body.executions.length).toBe(1);
  });
});

describe("workers", () => {
  it("run a workflow with an activity from poll to result", async () => {
    const w = await start({ input: { order: 1 } });
    const task = await pollWorkflow(w.queue, { binary_checksum: "sum-1" });
    expect(Object.keys(task).sort()).toEqual(
      [
        "attempt",
        "backlog_count_hint",
        "history",
        "messages",
        "next_page_token",
        "previous_started_event_id",
        "query",
        "scheduled_time",
        "started_event_id",
      ]
        .concat(["started_time", "task_token", "workflow_execution", "workflow_execution_task_queue", "workflow_task_timeout", "workflow_type"])
        .sort(),
    );
    expect(task).toMatchObject({
      workflow_execution: { workflow_id: w.id, run_id: w.run },
      workflow_type: { name: "T" },
      attempt: 1,
      workflow_task_timeout: "10s",
    });
    expect(task.history.map((e: { event_id: string }) => e.event_id)).toEqual(["1", "2", "3"]);
    await complete(task, { commands: [schedule(w.queue)], binary_checksum: "sum-1", memo_update: { fields: { step: { data: 1 } } } });
    const activity = await pollActivity(w.queue, { task_queue_metadata: { max_tasks_per_second: 1000 } });
    expect(activity).toMatchObject({ activity_id: "a", activity_type: { name: "A" }, input: [{ n: 1 }], workflow_execution: { workflow_id: w.id } });
    const token = { task_token: activity.task_token, identity: "worker" };
    expect(await ask(`POST ${NS}/activities/heartbeat`, { ...token, details: { progress: 50 } })).toMatchObject({ status: 200 });
    expect(await ask(`POST ${NS}/activities/complete`, { ...token, result: { paid: true } })).toMatchObject({ status: 200, body: {} });
    const second = await pollWorkflow(w.queue);
    const done = second.history.find((e: Record<string, unknown>) => e["activity_task_completed_event_attributes"] !== undefined);
    expect(done.activity_task_completed_event_attributes.result).toEqual([{ paid: true }]);
    await complete(second, { commands: [finish] });
    const { body } = await ask(`GET ${w.at}`);
    expect(body.execution_info).toMatchObject({ status: "WORKFLOW_EXECUTION_STATUS_COMPLETED", memo: { fields: { step: 1 } } });
    const events = await history(w);
    expect(events.at(-1)?.["workflow_execution_completed_event_attributes"]).toMatchObject({ result: [{ ok: true }] });
    expect(
      events.find((e) => e["workflow_task_completed_event_attributes"] !== undefined)?.["workflow_task_completed_event_attributes"],
    ).toMatchObject({
      binary_checksum: "sum-1",
    });
  });

  it("get the next task with the answer when they ask for it", async () => {
    const w = await start();
    const task = await pollWorkflow(w.queue);
    const { workflow_task: next } = await complete(task, { force_create_new_workflow_task: true, return_new_workflow_task: true });
    expect(next.workflow_execution).toEqual({ workflow_id: w.id, run_id: w.run });
    await complete(next, { commands: [finish] });
  });

  it("fail an activity, whose heartbeat that got lost is made up for", async () => {
    const w = await start();
    await complete(await pollWorkflow(w.queue), { commands: [schedule(w.queue, { retry_policy: { initial_interval: "3600s" } })] });
    const activity = await pollActivity(w.queue);
    const failure = { message: "broken", application_failure_info: { type: "Broken" } };
    const fail = { task_token: activity.task_token, failure, last_heartbeat_time: Date.now() };
    expect(await ask(`POST ${NS}/activities/fail`, fail)).toMatchObject({ status: 200 });
    const { body } = await ask(`GET /api/v1/namespaces/${NAMESPACE}/workflows/${w.id}`);
    expect(body.pendingActivities[0]).toMatchObject({ attempt: 2, lastFailure: { message: "broken" } });
    expect(Date.parse(body.pendingActivities[0].lastHeartbeatTime)).toBeGreaterThan(0);
  });

  it("fail a workflow task with a cause in short", async () => {
    const w = await start();
    const task = await pollWorkflow(w.queue);
    expect(
      (
        await ask(`POST ${NS}/workflow-tasks/fail`, {
          task_token: task.task_token,
          cause: "WORKFLOW_WORKER_UNHANDLED_FAILURE",
          failure: { message: "m" },
        })
      ).status,
    ).toBe(200);
    const failed = (await history(w)).find((e) => e["workflow_task_failed_event_attributes"] !== undefined);
    expect(failed?.["workflow_task_failed_event_attributes"]).toMatchObject({
      cause: "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
    });
  });

  it("keep a workflow when they ask to, and let it go again", async () => {
    const w = await start();
    await complete(await pollWorkflow(w.queue), { sticky_attributes: true });
    const polled = pollWorkflow(`${w.queue}:sticky:worker`);
    await expect.poll(async () => (await ask(`GET ${NS}/task-queues/${w.queue}:sticky:worker`, undefined, V1)).status).toBe(200);
    await ask(`POST ${w.at}/signal`, { signal_name: "s" });
    const sticky = await polled;
    // Only what is new: the worker has the rest.
    expect([sticky.workflow_execution.run_id, sticky.history[0].event_id !== "1"]).toEqual([w.run, true]);
    await complete(sticky, { sticky_attributes: false });
    await ask(`POST ${w.at}/signal`, { signal_name: "s" });
    expect((await pollWorkflow(w.queue)).workflow_execution.run_id).toBe(w.run);
  });

  it("get no more tasks of a queue than they ask for", async () => {
    const queue = fresh("slow");
    for (let i = 0; i < 2; i++) await start({ task_queue: queue });
    const metadata = { task_queue_metadata: { max_tasks_per_second: 0.001 } };
    const first = await pollWorkflow(queue, metadata);
    expect(first.task_token).not.toBe("");
    const { body } = await ask(`POST ${NS}/task-queues/${queue}/workflow-tasks/poll`, metadata, { "grpc-timeout": "3S" });
    expect(body.task_token).toBe("");
    // A poll without it lifts the limit.
    expect((await pollWorkflow(queue)).task_token).not.toBe("");
  });

  it("have an empty answer when there is no task in time", async () => {
    const queue = fresh("idle");
    const { status, body } = await ask(`POST ${NS}/task-queues/${queue}/activity-tasks/poll`, {}, { "grpc-timeout": "3S" });
    expect([status, body]).toEqual([200, { task_token: "" }]);
  });

  it("register and are listed", async () => {
    const worker = {
      task_queue: "rq",
      identity: "rest-worker",
      workflow_types: ["T"],
      activity_types: ["A"],
      version_capabilities: { build_id: "b1" },
    };
    expect(await ask(`POST ${NS}/workers`, worker)).toMatchObject({ status: 200, body: {} });
    const { body } = await ask(`GET ${NS}/workers`);
    expect(body.workersInfo).toMatchObject([
      { workerHeartbeat: { workerIdentity: "rest-worker", taskQueue: "rq", deploymentVersion: { buildId: "b1" } } },
    ]);
    expect(await ask(`POST ${NS}/workers`, { task_queue: "rq" })).toMatchObject({
      status: 400,
      body: { error: { details: [{ field: "identity" }] } },
    });
  });
});

describe("namespaces and the cluster", () => {
  it("a namespace is made, told and listed in the documents' form", async () => {
    const name = fresh("ns");
    expect(
      await ask(
        "POST /api/v1/namespaces",
        { namespace: name, workflow_execution_retention_period: "86400s", clusters: [{ cluster_name: "active" }], active_cluster_name: "active" },
        V1,
      ),
    ).toMatchObject({ status: 200, body: {} });
    const { body } = await ask(`GET ${NS}`, undefined, V1);
    expect(Object.keys(body)).toEqual(["namespace_info", "config", "replication_config", "failover_version", "is_global_namespace"]);
    expect(body).toMatchObject({
      namespace_info: { name: NAMESPACE, owner_email: "team-orders@company.com", data: { team: "orders" } },
      config: { workflow_execution_retention_ttl: "2592000s" },
      replication_config: { active_cluster_name: "active" },
    });
    const listed = await ask("GET /api/v1/namespaces?page_size=1", undefined, V1);
    expect([Object.keys(listed.body), listed.body.namespaces.length]).toEqual([["namespaces", "next_page_token"], 1]);
  });

  it("archival is asked for in the documents' form, and refused where the server has none", async () => {
    const answer = await ask("POST /api/v1/namespaces", { ...REGISTER, namespace: fresh("archived") }, V1);
    const made = await ask("GET /api/v1/namespaces/archived", undefined, V1);
    expect([answer.status, made.status]).toEqual(answer.status === 200 ? [200, 404] : [400, 404]);
    const unknown = await ask(
      "POST /api/v1/namespaces",
      { ...REGISTER, namespace: fresh("archived"), history_archival_config: { state: "NOPE" } },
      V1,
    );
    expect(unknown).toMatchObject({ status: 400, body: { error: { code: "INVALID_ARGUMENT" } } });
  });

  it("the same routes without a version are the official ones", async () => {
    expect((await ask(`GET ${NS}`)).body.namespaceInfo.name).toBe(NAMESPACE);
    expect(Object.keys((await ask(`GET ${NS}/workflows?pageSize=1`)).body)).toContain("executions");
    expect((await ask(`GET /namespaces/${NAMESPACE}/workflows/count`)).body).toMatchObject({ code: 5 });
  });

  it("the cluster, its members and its shards are told", async () => {
    const { body } = await ask("GET /api/v1/cluster");
    expect(Object.keys(body)).toEqual(["cluster_info", "membership_info"]);
    expect(body.cluster_info).toMatchObject({ cluster_name: "active", history_shard_count: 1024 });
    expect(body.membership_info.map((m: { role: string }) => m.role)).toContain("CLUSTER_MEMBER_ROLE_HISTORY");
    expect((await ask("GET /api/v1/cluster/members")).body.active_members.length).toBe(4);
    expect((await ask("GET /api/v1/shards/1024")).body.shard_info).toMatchObject({ shard_id: 1024 });
  });

  it("a shard that is closed is loaded again: its timers fire, its workflows go on", async () => {
    const w = await start();
    const timer = { command_type: "COMMAND_TYPE_START_TIMER", start_timer_command_attributes: { timer_id: "t", start_to_fire_timeout: "2s" } };
    await complete(await pollWorkflow(w.queue), { commands: [timer] });
    const { id } = (await ask(`GET ${NS}`)).body.namespaceInfo;
    const shard = (fingerprint32(Buffer.from(`${id}_${w.id}`)) % 1024) + 1;
    const before = (await ask(`GET /api/v1/shards/${shard}`)).body.shard_info;
    expect(before.executions_in_memory).toBeGreaterThan(0);
    expect((await ask(`POST /api/v1/shards/${shard}/close`, {})).body).toEqual({});
    const after = (await ask(`GET /api/v1/shards/${shard}`)).body.shard_info;
    expect([after.executions_in_memory, Number(after.range_id)]).toEqual([0, Number(before.range_id) + 1]);
    await awaitEvent(w, "EVENT_TYPE_TIMER_FIRED");
    await complete(await pollWorkflow(w.queue), { commands: [finish] });
  });

  it("a task queue tells its pollers, its backlog and its parts", async () => {
    const w = await start();
    await pollWorkflow(w.queue);
    const { body } = await ask(`GET ${NS}/task-queues/${w.queue}`, undefined, V1);
    expect(Object.keys(body)).toEqual(["pollers", "task_queue_status"]);
    expect(body.pollers).toMatchObject([{ identity: "worker" }]);
    const parts = (await ask(`GET ${NS}/task-queues/${w.queue}/partitions`)).body;
    expect(Object.keys(parts)).toEqual(["activity_task_queue_partitions", "workflow_task_queue_partitions"]);
  });
});

describe("errors", () => {
  const cases: Record<string, { ask: () => Promise<{ status: number; body: unknown }>; status: number; error: object }> = {
    "INVALID_ARGUMENT, in the documents' words": {
      ask: () => ask(`POST ${NS}/workflows`, { workflow_type: "T", task_queue: "q" }),
      status: 400,
      error: {
        code: "INVALID_ARGUMENT",
        message: "Workflow ID cannot be empty",
        details: [{ type: "BadRequest", field: "workflow_id", description: "workflow_id is required and cannot be empty" }],
      },
    },
    "INVALID_ARGUMENT for an unknown field": {
      ask: () => ask(`POST ${NS}/workflows`, { workflow_id: "w", nope: 1 }),
      status: 400,
      error: { code: "INVALID_ARGUMENT", details: [{ type: "BadRequest", field: "nope" }] },
    },
    "INVALID_ARGUMENT from the server": {
      ask: () => ask(`POST ${NS}/workflows`, { workflow_id: "w", task_queue: "q" }),
      status: 400,
      error: { code: "INVALID_ARGUMENT", message: "WorkflowType is not set on request.", details: [{ type: "BadRequest", field: "workflow_type" }] },
    },
    ALREADY_EXISTS: {
      ask: () => ask("POST /api/v1/namespaces", { namespace: NAMESPACE, workflow_execution_retention_period: "86400s" }, V1),
      status: 409,
      error: { code: "ALREADY_EXISTS", details: [{ type: "NamespaceAlreadyExistsFailure" }] },
    },
    "FAILED_PRECONDITION for a global namespace": {
      ask: () => ask("POST /api/v1/namespaces", { namespace: "g", workflow_execution_retention_period: "86400s", is_global_namespace: true }, V1),
      status: 400,
      error: { code: "FAILED_PRECONDITION" },
    },
    OUT_OF_RANGE: { ask: () => ask("GET /api/v1/shards/1025"), status: 400, error: { code: "OUT_OF_RANGE", details: [{ field: "shard_id" }] } },
    "OUT_OF_RANGE of a close": { ask: () => ask("POST /api/v1/shards/0/close", {}), status: 400, error: { code: "OUT_OF_RANGE" } },
    NAMESPACE_NOT_FOUND: {
      ask: () => ask("POST /api/v1/namespaces/none/workflows", { workflow_id: "w", workflow_type: "T", task_queue: "q" }),
      status: 404,
      error: {
        code: "NAMESPACE_NOT_FOUND",
        details: [
          { type: "NamespaceNotFoundFailure", namespace: "none" },
          { type: "Status", code: "NOT_FOUND" },
        ],
      },
    },
    WORKFLOW_EXECUTION_NOT_FOUND: {
      ask: () => ask(`GET ${NS}/workflows/none/runs/${NONE}`),
      status: 404,
      error: { code: "WORKFLOW_EXECUTION_NOT_FOUND", details: [{ type: "NotFoundFailure" }, { type: "Status", code: "NOT_FOUND" }] },
    },
    TASK_QUEUE_NOT_FOUND: {
      ask: () => ask(`GET ${NS}/task-queues/never-seen`, undefined, V1),
      status: 404,
      error: { code: "TASK_QUEUE_NOT_FOUND", details: [{ type: "Status", code: "NOT_FOUND" }] },
    },
    "TASK_QUEUE_NOT_FOUND of parts": {
      ask: () => ask(`GET ${NS}/task-queues/never-seen/partitions`),
      status: 404,
      error: { code: "TASK_QUEUE_NOT_FOUND" },
    },
    "INVALID_ARGUMENT for a body that is no JSON": { ask: () => ask(`POST ${NS}/workflows`, "{"), status: 400, error: { code: "INVALID_ARGUMENT" } },
  };
  for (const [name, c] of Object.entries(cases))
    it(name, async () => {
      const { status, body } = await c.ask();
      expect([status, body]).toMatchObject([c.status, { error: c.error }]);
    });

  it("WORKFLOW_EXECUTION_ALREADY_STARTED", async () => {
    const w = await start();
    const again = await ask(`POST ${NS}/workflows`, { workflow_id: w.id, workflow_type: "T", task_queue: "q" });
    expect(again.status).toBe(409);
    expect(again.body.error).toMatchObject({
      code: "WORKFLOW_EXECUTION_ALREADY_STARTED",
      details: [
        { type: "WorkflowExecutionAlreadyStartedFailure", run_id: w.run },
        { type: "Status", code: "ALREADY_EXISTS" },
      ],
    });
  });

  it("WORKFLOW_EXECUTION_COMPLETED, for callers and for workers", async () => {
    const w = await start();
    const task = await pollWorkflow(w.queue);
    await ask(`POST ${w.at}/terminate`, {});
    expect(await ask(`POST ${w.at}/signal`, { signal_name: "s" })).toMatchObject({
      status: 404,
      body: { error: { code: "WORKFLOW_EXECUTION_COMPLETED" } },
    });
    const late = await ask(`POST ${NS}/workflow-tasks/complete`, { task_token: task.task_token });
    expect(late).toMatchObject({ status: 404, body: { error: { code: "WORKFLOW_EXECUTION_COMPLETED" } } });
  });

  it("WORKFLOW_TASK_TIMEOUT", async () => {
    const w = await start({ workflow_task_timeout: "1s" });
    const task = await pollWorkflow(w.queue);
    await awaitEvent(w, "EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT");
    const late = await ask(`POST ${NS}/workflow-tasks/complete`, { task_token: task.task_token });
    expect(late).toMatchObject({
      status: 404,
      body: { error: { code: "WORKFLOW_TASK_TIMEOUT", details: expect.arrayContaining([{ type: "Status", code: "NOT_FOUND" }]) } },
    });
  });

  it("ACTIVITY_TASK_TIMEOUT, also of an attempt that is retried", async () => {
    const w = await start();
    const once = schedule(w.queue, { start_to_close_timeout: "1s", retry_policy: { maximum_attempts: 1 } });
    const again = schedule(w.queue, {
      activity_id: "b",
      start_to_close_timeout: "1s",
      retry_policy: { initial_interval: "1s", maximum_attempts: 2 },
    });
    await complete(await pollWorkflow(w.queue), { commands: [once, again] });
    const tasks = [await pollActivity(w.queue), await pollActivity(w.queue)];
    const third = await pollActivity(w.queue);
    expect(third).toMatchObject({ activity_id: "b", attempt: 2 });
    await awaitEvent(w, "EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT");
    for (const { task_token } of tasks)
      for (const route of ["complete", "heartbeat", "fail"])
        expect(await ask(`POST ${NS}/activities/${route}`, { task_token })).toMatchObject({
          status: 404,
          body: { error: { code: "ACTIVITY_TASK_TIMEOUT" } },
        });
    // One that was answered in time has not timed out.
    expect((await ask(`POST ${NS}/activities/complete`, { task_token: third.task_token })).status).toBe(200);
    const { body } = await ask(`POST ${NS}/activities/complete`, { task_token: third.task_token });
    expect(body.error.code).toBe("NOT_FOUND");
  });
});

describe("versions", () => {
  it("v1 is served and named", async () => {
    const { status, headers } = await ask(`GET ${NS}`, undefined, V1);
    expect([status, headers.get("temporal-api-version"), headers.get("deprecation")]).toEqual([200, "v1", null]);
    expect((await ask("GET /api/v1/cluster")).headers.get("temporal-api-version")).toBe("v1");
  });

  it("v1beta1 is served with a warning, errors included", async () => {
    for (const [path, expected] of [
      [NS, 200],
      ["/api/v1/namespaces/none", 404],
    ] as const) {
      const { status, headers, body } = await ask(`GET ${path}`, undefined, { "Temporal-API-Version": "v1beta1" });
      expect([status, headers.get("temporal-api-version"), headers.get("deprecation")]).toEqual([expected, "v1beta1", "@1735603200"]);
      expect(headers.get("sunset")).toBe("Tue, 31 Dec 2024 00:00:00 GMT");
      expect(headers.get("warning")).toMatch(/^299 /);
      expect(Object.keys(body)[0]).toBe(expected === 200 ? "namespace_info" : "error");
    }
  });

  it.each([`${NS}`, "/api/v1/cluster", "/api/v1/system-info"])("others are refused with those that are served, at %s", async (path) => {
    const { status, body } = await ask(`GET ${path}`, undefined, { "Temporal-API-Version": "v2" });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toMatch(/v1, v1beta1/);
  });

  it.each(["v1", "v1beta1"])("an SDK may name %s in its metadata", async (version) => {
    const connection = await Connection.connect({ address: server.address, metadata: { "temporal-api-version": version } });
    const sdk = new Client({ connection, namespace: NAMESPACE });
    const handle = await sdk.workflow.start("T", { workflowId: fresh("sdk"), taskQueue: "sdk" });
    expect((await handle.describe()).status.name).toBe("RUNNING");
    await connection.close();
  });
});

describe("the documents' commands", () => {
  const curl = async (...args: string[]) => JSON.parse((await promisify(execFile)("curl", ["-sS", ...args])).stdout) as Record<string, unknown>;

  it("curl with a key lists workflows", async () => {
    const body = await curl(
      "-H",
      "Authorization: Bearer your-api-key",
      "-H",
      "Content-Type: application/json",
      `http://${server.address}/api/v1/namespaces/default/workflows`,
    );
    expect(body["error"] ?? body["code"]).toBeUndefined();
  });

  it("curl with a version lists namespaces", async () => {
    const body = await curl("-H", "Temporal-API-Version: v1", "-H", "Content-Type: application/json", `http://${server.address}/api/v1/namespaces`);
    expect(Object.keys(body)).toEqual(["namespaces", "next_page_token"]);
  });

  it("curl speaks HTTP/2 to it just as well", async () => {
    const body = await curl("--http2-prior-knowledge", "-H", "Temporal-API-Version: v1", `http://${server.address}/api/v1/namespaces`);
    expect(Object.keys(body)).toEqual(["namespaces", "next_page_token"]);
  });
});
