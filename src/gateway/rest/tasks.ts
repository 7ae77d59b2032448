/** What workers do: poll, answer, heartbeat, register. */
import { invalidArgument } from "../../api/service-error.js";
import { decodeTaskToken } from "../../api/task-token.js";
import { isObject, type Json, type JsonObject } from "../json/json-text.js";
import type { TypeSchemas } from "../worker-registrations.js";
import { queueOf, stickyQueueName } from "./queue-names.js";
import { booleanOf, listOf, objectOf, type RestCall, type RestRoute, textOf } from "./rest-call.js";
import { missingField } from "./rest-error.js";
import { explained } from "./task-timeouts.js";

const NAMESPACE = "/namespaces/{namespace}";
const QUEUE = `${NAMESPACE}/task-queues/{task_queue}`;
/** Of a poll whose caller sets no deadline: a little more than the server itself waits. */
const POLL_TIMEOUT_MS = 70_000;
const STICKY_TIMEOUT = "10s";

export const TASK_ROUTES: readonly RestRoute[] = [
  { method: "POST", template: `${QUEUE}/workflow-tasks/poll`, handler: pollWorkflowTask },
  { method: "POST", template: `${QUEUE}/activity-tasks/poll`, handler: pollActivityTask },
  {
    method: "POST",
    template: `${NAMESPACE}/workflow-tasks/complete`,
    handler: (call) => explained(call, "workflow", () => completeWorkflowTask(call)),
  },
  { method: "POST", template: `${NAMESPACE}/workflow-tasks/fail`, handler: (call) => explained(call, "workflow", () => failWorkflowTask(call)) },
  {
    method: "POST",
    template: `${NAMESPACE}/activities/heartbeat`,
    handler: (call) => explained(call, "activity", () => respond(call, "RecordActivityTaskHeartbeat")),
  },
  {
    method: "POST",
    template: `${NAMESPACE}/activities/complete`,
    handler: (call) => explained(call, "activity", () => respond(call, "RespondActivityTaskCompleted")),
  },
  { method: "POST", template: `${NAMESPACE}/activities/fail`, handler: (call) => explained(call, "activity", () => failActivity(call)) },
  { method: "POST", template: `${NAMESPACE}/workers`, handler: registerWorker },
];

function respond(call: RestCall, name: string, fields: JsonObject = call.fields): Promise<JsonObject> {
  return call.rpc(name, { ...fields, namespace: call.namespace });
}

async function pollWorkflowTask(call: RestCall): Promise<JsonObject> {
  const { task_queue_metadata: metadata, task_queue: _, ...fields } = call.fields;
  const { namespace } = call;
  const name = call.parameters["task_queue"] ?? "";
  const rate = tasksPerSecond(metadata);
  const { matching, namespaces } = call.context.services;
  const known = namespaces.directory.byName(namespace);
  const options = { timeoutMs: POLL_TIMEOUT_MS, ...(known === undefined ? {} : { first: () => matching.limitWorkflowTasks(known, name, rate) }) };
  const reply = await call.rpc("PollWorkflowTaskQueue", { ...fields, namespace, task_queue: queueOf(name) }, options);
  return workflowTask(reply);
}

/** @throws ServiceError */
function tasksPerSecond(metadata: Json | undefined): number | undefined {
  const given = objectOf(metadata);
  const rate = given["max_tasks_per_second"] ?? given["maxTasksPerSecond"];
  if (rate === undefined || rate === null) return undefined;
  if (typeof rate !== "number" || rate < 0) throw invalidArgument(`parsing field "max_tasks_per_second": ${JSON.stringify(rate)} is not a rate`);
  return rate;
}

/** The fields of the documents, also when there is no task. */
function workflowTask(reply: JsonObject): JsonObject {
  const events = listOf(objectOf(reply["history"])["events"]);
  const scheduled = events.map((e) => objectOf(objectOf(e)["workflow_task_scheduled_event_attributes"])).findLast((a) => Object.keys(a).length > 0);
  return {
    task_token: textOf(reply["task_token"]),
    workflow_execution: reply["workflow_execution"] ?? null,
    workflow_type: reply["workflow_type"] ?? null,
    previous_started_event_id: reply["previous_started_event_id"] ?? "0",
    started_event_id: reply["started_event_id"] ?? "0",
    attempt: reply["attempt"] ?? 0,
    backlog_count_hint: reply["backlog_count_hint"] ?? "0",
    scheduled_time: reply["scheduled_time"] ?? null,
    started_time: reply["started_time"] ?? null,
    history: events,
    next_page_token: textOf(reply["next_page_token"]),
    query: reply["query"] ?? null,
    workflow_execution_task_queue: reply["workflow_execution_task_queue"] ?? null,
    workflow_task_timeout: scheduled?.["start_to_close_timeout"] ?? null,
    messages: listOf(reply["messages"]),
    // Only their ids let `query_results` answer them.
    ...(reply["queries"] === undefined ? {} : { queries: reply["queries"] }),
  };
}

function pollActivityTask(call: RestCall): Promise<JsonObject> {
  const { task_queue: _, ...fields } = call.fields;
  return call
    .rpc(
      "PollActivityTaskQueue",
      { ...fields, namespace: call.namespace, task_queue: { name: call.parameters["task_queue"] ?? "" } },
      { timeoutMs: POLL_TIMEOUT_MS },
    )
    .then((reply) => ({ task_token: "", ...reply }));
}

async function completeWorkflowTask(call: RestCall): Promise<JsonObject> {
  const { sticky_attributes: sticky, query_results: answers, memo_update: memo, commands, ...fields } = call.fields;
  if (isQueryTask(fields["task_token"])) return answerQuery(call, Object.values(objectOf(answers))[0] ?? null);
  const update = memo === undefined || memo === null ? [] : [memoCommand(memo)];
  const reply = await respond(call, "RespondWorkflowTaskCompleted", {
    ...fields,
    // First, since nothing may follow the command that closes a run.
    commands: [...update, ...listOf(commands)],
    ...(answers === undefined ? {} : { query_results: answeredQueries(answers) }),
    ...(booleanOf("sticky_attributes", sticky) ? { sticky_attributes: await stickyAttributes(call) } : {}),
  });
  const task = reply["workflow_task"];
  return {
    ...(isObject(task) ? { workflow_task: workflowTask(task) } : {}),
    ...(reply["activity_tasks"] === undefined ? {} : { activity_tasks: reply["activity_tasks"] }),
  };
}

const memoCommand = (memo: Json): JsonObject => ({
  command_type: "COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES",
  modify_workflow_properties_command_attributes: { upserted_memo: memo },
});

function answeredQueries(answers: Json): JsonObject {
  return Object.fromEntries(Object.entries(objectOf(answers)).map(([id, answer]) => [id, { result_type: "QUERY_RESULT_TYPE_ANSWERED", answer }]));
}

/** The worker's own queue: what it is told there goes on from what it has in memory. */
async function stickyAttributes(call: RestCall): Promise<JsonObject> {
  const identity = textOf(call.fields["identity"]);
  if (identity === "") throw missingField("Identity", "identity");
  const token = decodeTaskToken(Buffer.from(textOf(call.fields["task_token"]), "base64"));
  const execution = { workflow_id: token?.workflowId ?? "", run_id: token?.runId ?? "" };
  const run = await call.rpc("DescribeWorkflowExecution", { namespace: call.namespace, execution });
  const normal = textOf(objectOf(objectOf(run["execution_config"])["task_queue"])["name"]);
  return { worker_task_queue: queueOf(stickyQueueName(normal, identity)), schedule_to_start_timeout: STICKY_TIMEOUT };
}

async function failWorkflowTask(call: RestCall): Promise<JsonObject> {
  const { fields } = call;
  if (isQueryTask(fields["task_token"]))
    return call.rpc("RespondQueryTaskCompleted", {
      namespace: call.namespace,
      task_token: textOf(fields["task_token"]),
      completed_type: "QUERY_RESULT_TYPE_FAILED",
      error_message: textOf(objectOf(fields["failure"])["message"]),
    });
  return respond(call, "RespondWorkflowTaskFailed");
}

const isQueryTask = (token: Json | undefined): boolean => (decodeTaskToken(Buffer.from(textOf(token), "base64"))?.queryId ?? "") !== "";

function answerQuery(call: RestCall, answer: Json): Promise<JsonObject> {
  return call.rpc("RespondQueryTaskCompleted", {
    namespace: call.namespace,
    task_token: textOf(call.fields["task_token"]),
    completed_type: "QUERY_RESULT_TYPE_ANSWERED",
    query_result: answer,
  });
}

/** A heartbeat that the server has not heard of is made up for: what an operator sees, and what the next attempt gets, is as new. */
async function failActivity(call: RestCall): Promise<JsonObject> {
  const { last_heartbeat_time: at, ...fields } = call.fields;
  const token = decodeTaskToken(Buffer.from(textOf(fields["task_token"]), "base64"));
  const time = heartbeatMicros(at);
  if (time > 0 && token !== undefined) {
    const execution = { workflow_id: token.workflowId, run_id: token.runId };
    const run = await call.rpc("DescribeWorkflowExecution", { namespace: call.namespace, execution });
    const pending = listOf(run["pending_activities"])
      .map(objectOf)
      .find((a) => a["activity_id"] === token.activityId);
    const known = Date.parse(textOf(pending?.["last_heartbeat_time"])) * 1000;
    if (Number.isNaN(known) || known < time)
      await respond(call, "RecordActivityTaskHeartbeat", {
        task_token: textOf(fields["task_token"]),
        identity: textOf(fields["identity"]),
        details: pending?.["heartbeat_details"] ?? null,
      });
  }
  return respond(call, "RespondActivityTaskFailed", fields);
}

/** Seconds, milliseconds, microseconds or nanoseconds since the epoch: their sizes tell them apart. 0: none. @throws ServiceError */
function heartbeatMicros(value: Json | undefined): number {
  if (value === undefined || value === null) return 0;
  const number = Number(isObject(value) || Array.isArray(value) ? Number.NaN : value);
  if (!Number.isFinite(number) || number < 0) throw invalidArgument(`parsing field "last_heartbeat_time": ${JSON.stringify(value)} is not a time`);
  if (number < 1e11) return number * 1e6;
  if (number < 1e14) return number * 1e3;
  return number < 1e17 ? number : number / 1e3;
}

/** The worker is in ListWorkers as one that sends heartbeats, and in the catalog with its types. */
async function registerWorker(call: RestCall): Promise<JsonObject> {
  const { fields, namespace, context } = call;
  const taskQueue = textOf(isObject(fields["task_queue"]) ? fields["task_queue"]["name"] : fields["task_queue"]);
  if (taskQueue === "") throw missingField("Task queue", "task_queue");
  const identity = textOf(fields["identity"]);
  if (identity === "") throw missingField("Identity", "identity");
  for (const name of Object.keys(fields)) if (!WORKER_FIELDS.has(name)) throw invalidArgument(`unknown field ${JSON.stringify(name)}`);
  const capabilities = objectOf(fields["version_capabilities"]);
  const buildId = textOf(capabilities["build_id"] ?? capabilities["buildId"]);
  const now = context.runtime.nowMicros();
  const time = new Date(Math.floor(now / 1000)).toISOString();
  await call.rpc("RecordWorkerHeartbeat", {
    namespace,
    identity,
    worker_heartbeat: [
      {
        worker_instance_key: `${identity}/${taskQueue}`,
        worker_identity: identity,
        task_queue: taskQueue,
        deployment_version: { build_id: buildId },
        status: "WORKER_STATUS_RUNNING",
        start_time: time,
        heartbeat_time: time,
      },
    ],
  });
  const namespaceId = context.services.namespaces.view(namespace).id;
  context.registrations.record(namespaceId, {
    identity,
    taskQueue,
    workflowTypes: names("workflow_types", fields["workflow_types"]),
    activityTypes: names("activity_types", fields["activity_types"]),
    buildId,
    schemas: schemasOf(fields["schemas"]),
    time: now,
  });
  return {};
}

const WORKER_FIELDS: ReadonlySet<string> = new Set([
  ...["namespace", "task_queue", "identity", "workflow_types", "activity_types", "version_capabilities", "schemas"],
]);

/** @throws ServiceError */
function names(field: string, value: Json | undefined): string[] {
  const list = value === undefined || value === null ? [] : value;
  if (!Array.isArray(list) || !list.every((v) => typeof v === "string")) throw invalidArgument(`parsing field "${field}": it is not a list of names`);
  return list as string[];
}

/** @throws ServiceError */
function schemasOf(value: Json | undefined): Record<string, TypeSchemas> {
  if (value === undefined || value === null) return {};
  if (!isObject(value) || !Object.values(value).every(isObject)) throw invalidArgument('parsing field "schemas": it is not a map of schemas by type');
  return value as Record<string, TypeSchemas>;
}
