/** Workflows: start, look at, signal, query, terminate, list. */
import { isObject, type Json, type JsonObject } from "../json/json-text.js";
import { booleanOf, listOf, objectOf, pageFields, type RestCall, type RestRoute, textOf } from "./rest-call.js";
import { missingField } from "./rest-error.js";

const WORKFLOWS = "/namespaces/{namespace}/workflows";
const RUN = `${WORKFLOWS}/{workflow_id}/runs/{run_id}`;
const CONTROL = "control";

export const WORKFLOW_ROUTES: readonly RestRoute[] = [
  { method: "POST", template: WORKFLOWS, handler: start },
  { method: "GET", template: RUN, subject: "workflow", handler: get },
  { method: "POST", template: `${RUN}/terminate`, subject: "workflow", handler: terminate },
  { method: "POST", template: `${RUN}/signal`, subject: "workflow", handler: signal },
  { method: "POST", template: `${RUN}/query`, subject: "workflow", handler: query },
  { method: "GET", template: `${RUN}/history`, subject: "workflow", handler: history },
  { method: "GET", template: WORKFLOWS, isShared: true, handler: (call) => list(call, "ListWorkflowExecutions") },
  { method: "POST", template: `${WORKFLOWS}/scan`, handler: (call) => list(call, "ScanWorkflowExecutions") },
  { method: "GET", template: `${WORKFLOWS}/count`, handler: count },
];

async function start(call: RestCall): Promise<JsonObject> {
  const { fields, namespace } = call;
  if (textOf(fields["workflow_id"]) === "") throw missingField("Workflow ID", "workflow_id");
  const reply = await call.rpc("StartWorkflowExecution", { ...fields, namespace });
  return { run_id: textOf(reply["run_id"]), started: reply["started"] ?? false };
}

async function get(call: RestCall): Promise<JsonObject> {
  const { namespace, execution } = call;
  const described = await call.rpc("DescribeWorkflowExecution", { namespace, execution });
  const { events, next_page_token } = await historyPage(call, pageFields(call.fields, "maximum_page_size"));
  return { execution_info: described["workflow_execution_info"] ?? null, workflow_execution_history: events, next_page_token };
}

async function history(call: RestCall): Promise<JsonObject> {
  const { fields } = call;
  const { events, next_page_token, archived } = await historyPage(call, {
    ...pageFields(fields, "maximum_page_size"),
    wait_new_event: booleanOf("wait_new_event", fields["wait_new_event"]),
    ...(fields["history_event_filter_type"] === undefined ? {} : { history_event_filter_type: fields["history_event_filter_type"] }),
  });
  return { history: events, next_page_token, archived };
}

async function historyPage(call: RestCall, fields: JsonObject): Promise<{ events: Json[]; next_page_token: string; archived: boolean }> {
  const reply = await call.rpc("GetWorkflowExecutionHistory", { ...fields, namespace: call.namespace, execution: call.execution });
  return {
    events: listOf(objectOf(reply["history"])["events"]),
    next_page_token: textOf(reply["next_page_token"]),
    archived: reply["archived"] === true,
  };
}

async function terminate(call: RestCall): Promise<JsonObject> {
  await call.rpc("TerminateWorkflowExecution", { ...call.fields, namespace: call.namespace, workflow_execution: call.execution });
  return {};
}

/** `control` goes with the signal, as the header of that name, where the workflow and its history have it. */
async function signal(call: RestCall): Promise<JsonObject> {
  const { fields, namespace, execution } = call;
  if (textOf(fields["signal_name"]) === "") throw missingField("Signal name", "signal_name");
  const control = textOf(fields["control"]);
  const header = control === "" ? fields["header"] : withHeader(fields["header"], control);
  await call.rpc("SignalWorkflowExecution", {
    ...fields,
    namespace,
    workflow_execution: execution,
    ...(header === undefined ? {} : { header }),
  });
  return {};
}

function withHeader(header: Json | undefined, control: string): Json {
  const given = objectOf(header);
  const inner = isObject(given["fields"]) ? given["fields"] : given;
  return { fields: { [CONTROL]: { data: control }, ...inner } };
}

async function query(call: RestCall): Promise<JsonObject> {
  const { query: asked, header, execution: _, ...others } = call.fields;
  const reply = await call.rpc("QueryWorkflow", {
    ...others,
    namespace: call.namespace,
    execution: call.execution,
    query: { ...objectOf(asked), ...(header === undefined ? {} : { header }) },
  });
  return reply["query_rejected"] === undefined
    ? { query_result: reply["query_result"] ?? null }
    : { query_result: null, query_rejected: reply["query_rejected"] };
}

async function list(call: RestCall, name: string): Promise<JsonObject> {
  const { fields, namespace } = call;
  const reply = await call.rpc(name, { ...pageFields(fields, "page_size"), query: fields["query"] ?? "", namespace });
  return { executions: listOf(reply["executions"]), next_page_token: textOf(reply["next_page_token"]) };
}

async function count(call: RestCall): Promise<JsonObject> {
  const reply = await call.rpc("CountWorkflowExecutions", { namespace: call.namespace, query: call.fields["query"] ?? "" });
  return { count: reply["count"] ?? "0", ...(reply["groups"] === undefined ? {} : { groups: reply["groups"] }) };
}
