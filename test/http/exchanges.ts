/**
 * Requests to the official HTTP API, in sequences: what the official server answers them is recorded (main.ts), and ours must answer
 * the same (official.test.ts). `$id` stands for a name of its own per play; `$name` for what an earlier answer was asked to keep.
 */
export interface Exchange {
  readonly ask: string;
  readonly body?: unknown;
  /** Sent as it is. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Fields of the answer, by dotted path, for later requests. */
  readonly keep?: Readonly<Record<string, string>>;
}

const NS = "/api/v1/namespaces/default";
const START = { workflowType: { name: "T" }, taskQueue: { name: "$id" } };
const NO_SHORTHAND = { "content-type": "application/json+no-payload-shorthand" };
const base64 = (text: string): string => Buffer.from(text).toString("base64");

export const SEQUENCES: Readonly<Record<string, readonly Exchange[]>> = {
  "the server and its namespaces": [
    { ask: "GET /cluster/namespaces/default" },
    { ask: "GET /api/v1/namespaces/default" },
    { ask: "GET /api/v1/namespaces/none-$id" },
    { ask: "GET /api/v1/namespaces/default?pretty" },
    { ask: "POST /cluster/namespaces", body: { namespace: "$id", workflowExecutionRetentionPeriod: "86400s", data: { a: "b" } } },
    { ask: "POST /api/v1/namespaces", body: { namespace: "$id", workflow_execution_retention_period: "86400s" } },
    { ask: "POST /api/v1/namespaces", body: { namespace: "x-$id" } },
    { ask: "POST /api/v1/namespaces/none-$id/update", body: { updateInfo: { description: "d" } } },
    { ask: "GET /cluster/namespaces/default/search-attributes?x=1" },
  ],
  "what there is no route for": [
    { ask: "GET /nothing" },
    { ask: "GET /api/v1/nothing" },
    { ask: "PUT /system-info", body: {} },
    { ask: "DELETE /api/v1/namespaces/default/workflows/a" },
    { ask: "GET /namespaces/default/workflows/a/b/c/d/e" },
  ],
  "bodies that are wrong": [
    { ask: `POST ${NS}/workflows/$id`, body: { foo: 1 } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, retryPolicy: { nope: 1 } } },
    { ask: `POST ${NS}/workflows/$id`, text: '{"workflowType":{"name":"T"},"workflowType":{"name":"T"}}' },
    { ask: `POST ${NS}/workflows/$id`, text: '{"workflowType":{"name":"T"},"workflow_type":{"name":"T"}}' },
    { ask: `POST ${NS}/workflows/$id`, body: { workflowType: "T" } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, workflowTaskTimeout: "x" } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, workflowTaskTimeout: 5 } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, workflowIdReusePolicy: "Nope" } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, workflowIdReusePolicy: 99 } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, identity: 7 } },
    { ask: `POST ${NS}/workflows/$id`, text: '{"workflowType":' },
    { ask: `POST ${NS}/workflows/$id`, text: "[]" },
    { ask: `POST ${NS}/workflows/$id`, text: "null" },
    { ask: `POST ${NS}/workflows/$id`, text: "nonsense" },
    { ask: `POST ${NS}/workflows/$id`, text: "" },
    { ask: `POST ${NS}/workflows/$id`, headers: NO_SHORTHAND, body: { ...START, input: [1] } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, input: 1 } },
  ],
  "queries of addresses that are wrong": [
    { ask: `GET ${NS}/workflows?pageSize=abc` },
    { ask: `GET ${NS}/workflows?pageSize=99999999999` },
    { ask: `GET ${NS}/workflows?pageSize=1&page_size=2&query=WorkflowId%3D'$id'` },
    { ask: `GET ${NS}/workflows/$id/history?waitNewEvent=maybe` },
    { ask: `GET ${NS}/workflows/$id/history?historyEventFilterType=NOPE` },
    { ask: `GET ${NS}/workflows?nextPageToken=!` },
    { ask: `GET ${NS}/workflows?query=Nope%20%3D%201` },
    { ask: `GET ${NS}/workflows?namespace.x=1&query=WorkflowId%3D'$id'` },
    { ask: `GET ${NS}/schedules/$id/matching-times?startTime=yesterday` },
    { ask: `GET ${NS}/workflows/$id?execution.run_id=xx` },
    { ask: `GET ${NS}/workflows/$id?execution.runId=7b7a4d2e-0000-4000-8000-000000000001` },
  ],
  "a workflow from its start to its end": [
    {
      ask: `POST ${NS}/workflows/$id`,
      body: { ...START, input: [1, "a", { b: 2 }, true, null], memo: { fields: { k: "v" } } },
      keep: { run: "runId" },
    },
    { ask: `POST ${NS}/workflows/$id`, body: START },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, workflowIdConflictPolicy: "UseExisting" } },
    { ask: `POST ${NS}/workflows/$id`, body: { ...START, workflow_id_conflict_policy: "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING" } },
    { ask: `GET ${NS}/workflows/$id` },
    { ask: `GET /namespaces/default/workflows/$id?execution.runId=$run` },
    { ask: `GET ${NS}/workflows/$id?execution.workflowId=other` },
    { ask: `POST ${NS}/workflows/$id/signal/s`, body: { input: [{ x: [1] }], workflowExecution: { workflowId: "other" } } },
    {
      ask: `POST /namespaces/default/workflows/$id/signal/s2`,
      body: { input: { payloads: [{ metadata: { encoding: base64("json/plain") }, data: base64("7") }] } },
    },
    { ask: `POST ${NS}/workflows/none-$id/signal/s`, body: {} },
    { ask: `GET ${NS}/workflows/$id/history` },
    { ask: `GET ${NS}/workflows/$id/history?noPayloadShorthand` },
    { ask: `GET ${NS}/workflows/$id/history`, headers: { accept: "application/json+pretty+no-payload-shorthand" } },
    { ask: `GET ${NS}/workflows/$id/history?maximumPageSize=1` },
    { ask: `GET ${NS}/workflows/$id/history-reverse` },
    { ask: `POST ${NS}/workflows/$id/query/q`, body: {}, headers: { "grpc-timeout": "300m" } },
    { ask: `GET ${NS}/workflows/$id`, headers: { "grpc-timeout": "3x" } },
    { ask: `POST ${NS}/workflows/$id/cancel`, body: { reason: "r", workflowExecution: { runId: "$run" } } },
    { ask: `POST ${NS}/workflows/$id/terminate?reason=ignored`, body: { reason: "r", details: ["d"] } },
    { ask: `POST ${NS}/workflows/$id/terminate`, text: "" },
    { ask: `POST ${NS}/workflows/$id/signal/s`, body: {} },
    { ask: `GET ${NS}/workflows/$id/history?historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT` },
    { ask: `GET ${NS}/workflows/$id/history?history_event_filter_type=2&skip_archival=true` },
  ],
  payloads: [
    {
      ask: `POST ${NS}/workflows/$id`,
      body: {
        ...START,
        input: [
          { metadata: { encoding: base64("json/plain") }, data: base64('{"long":true}') },
          { metadata: { encoding: base64("binary/null") } },
          { data: "mine", metadata: "mine" },
          { _protoMessageType: "a.B", x: 1 },
          "text",
          -1.5,
        ],
      },
    },
    { ask: `GET ${NS}/workflows/$id/history?maximumPageSize=1` },
    { ask: `GET ${NS}/workflows/$id/history?maximumPageSize=1&noPayloadShorthand` },
    {
      ask: `POST ${NS}/workflows/b-$id`,
      body: { ...START, input: [{ metadata: { encoding: base64("json/plain"), own: base64("1") }, data: base64("1") }] },
    },
    { ask: `GET ${NS}/workflows/b-$id/history?maximumPageSize=1&noPayloadShorthand` },
    {
      ask: `POST ${NS}/workflows/c-$id`,
      headers: NO_SHORTHAND,
      body: { ...START, input: { payloads: [{ metadata: { encoding: base64("binary/plain") }, data: "_-8=" }] } },
    },
    { ask: `GET ${NS}/workflows/c-$id/history?maximumPageSize=1&noPayloadShorthand` },
  ],
  "signal with start, reset, delete": [
    { ask: `POST ${NS}/workflows/$id/signal-with-start/s`, body: { ...START, signalInput: ["x"] }, keep: { run: "runId" } },
    { ask: `GET ${NS}/workflows/$id/history` },
    { ask: `POST ${NS}/workflows/$id/reset`, body: { workflowExecution: { runId: "$run" }, workflowTaskFinishEventId: 99, requestId: "r" } },
    { ask: `POST ${NS}/workflows/$id/update-options`, body: { workflowExecutionOptions: {}, updateMask: "versioningOverride" } },
    { ask: `POST ${NS}/workflows/$id/terminate`, body: {} },
  ],
  "activities by HTTP": [
    { ask: `POST ${NS}/activity-heartbeat`, body: { taskToken: base64("x") } },
    { ask: `POST ${NS}/activity-complete`, body: {} },
    { ask: `POST ${NS}/activity-fail`, body: { taskToken: "" } },
    { ask: `POST ${NS}/workflows/none-$id/activities/a/heartbeat`, body: {} },
    { ask: `POST ${NS}/workflows/none-$id/activities/a/complete`, body: { result: [1] } },
  ],
  schedules: [
    {
      ask: `POST ${NS}/schedules/$id`,
      body: {
        requestId: "r",
        schedule: {
          spec: { interval: [{ interval: "3600s" }] },
          action: { startWorkflow: { workflowId: "w-$id", workflowType: { name: "T" }, taskQueue: { name: "$id" } } },
          state: { paused: true, notes: "n" },
        },
      },
    },
    { ask: `POST ${NS}/schedules/$id`, body: { requestId: "r2", schedule: {} } },
    { ask: `POST ${NS}/schedules/$id/patch`, body: { patch: { unpause: "go" } } },
    { ask: `GET ${NS}/schedules/$id/matching-times?startTime=2030-01-01T00:00:00Z&endTime=2030-01-01T02:00:00Z` },
    { ask: `GET ${NS}/schedules/none-$id` },
    { ask: `DELETE ${NS}/schedules/$id` },
  ],
  "task queues and workers": [
    { ask: `GET ${NS}/task-queues/$id` },
    { ask: `GET ${NS}/task-queues/$id?taskQueueType=TASK_QUEUE_TYPE_ACTIVITY` },
    { ask: `GET ${NS}/task-queues/$id?taskQueueType=9` },
    { ask: `GET ${NS}/workers?query=x` },
    { ask: `POST ${NS}/workers/heartbeat`, body: { workerHeartbeat: [{ workerInstanceKey: "k-$id", taskQueue: "$id" }] } },
    { ask: `GET ${NS}/workers/describe/none-$id` },
    { ask: `GET ${NS}/batch-operations/none-$id` },
    {
      ask: `POST ${NS}/task-queues/$id/update-config`,
      body: { taskQueueType: "Activity", updateQueueRateLimit: { rateLimit: { requestsPerSecond: 2.5 } } },
    },
  ],
};
