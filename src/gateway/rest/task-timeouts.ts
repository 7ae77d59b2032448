/**
 * Why a worker's answer found no task: with the REST API a task that timed out has a code of its own. Only looked into after a
 * NOT_FOUND, with the caller's own permissions; who may not read the run gets the error as it was.
 */

import { Code, ServiceError } from "../../api/service-error.js";
import { decodeTaskToken, type TaskToken } from "../../api/task-token.js";
import type { JsonObject } from "../json/json-text.js";
import { listOf, objectOf, type RestCall, textOf } from "./rest-call.js";
import { RestError, type SpecificCode } from "./rest-error.js";

type Task = "workflow" | "activity";

const TIMEOUT: Readonly<Record<Task, { readonly code: SpecificCode; readonly event: string }>> = {
  workflow: { code: "WORKFLOW_TASK_TIMEOUT", event: "workflow_task_timed_out_event_attributes" },
  activity: { code: "ACTIVITY_TASK_TIMEOUT", event: "activity_task_timed_out_event_attributes" },
};
/** Of events that are searched, the newest first. */
const PAGES_MAX = 4;

/** @throws ServiceError what `respond` threw, with its specific code. */
export async function explained(call: RestCall, kind: Task, respond: () => Promise<JsonObject>): Promise<JsonObject> {
  try {
    return await respond();
  } catch (e) {
    if (!(e instanceof ServiceError) || e.code !== Code.NOT_FOUND) throw e;
    throw new RestError(e, await reason(call, kind).catch(() => undefined));
  }
}

async function reason(call: RestCall, kind: Task): Promise<SpecificCode | undefined> {
  const token = decodeTaskToken(Buffer.from(textOf(call.fields["task_token"]), "base64"));
  if (token === undefined || token.runId === "" || token.scheduledEventId === 0) return undefined;
  const execution = { workflow_id: token.workflowId, run_id: token.runId };
  const { namespace } = call;
  let run: JsonObject;
  try {
    run = await call.rpc("DescribeWorkflowExecution", { namespace, execution });
  } catch (e) {
    return e instanceof ServiceError && e.code === Code.NOT_FOUND ? "WORKFLOW_EXECUTION_NOT_FOUND" : undefined;
  }
  if (isRetriedAfterTimeout(run, kind, token) || (await hasTimedOut(call, kind, token))) return TIMEOUT[kind].code;
  const status = textOf(objectOf(run["workflow_execution_info"])["status"]);
  return status === "" || status.endsWith("_RUNNING") || status.endsWith("_PAUSED") ? undefined : "WORKFLOW_EXECUTION_COMPLETED";
}

/** A later attempt is pending, and no event tells of the one that timed out. */
function isRetriedAfterTimeout(run: JsonObject, kind: Task, token: TaskToken): boolean {
  if (kind === "workflow") {
    // Of the attempts after the first only the last has events.
    const attempt = objectOf(run["pending_workflow_task"])["attempt"];
    return token.attempt > 1 && typeof attempt === "number" && attempt > token.attempt;
  }
  const pending = listOf(run["pending_activities"])
    .map(objectOf)
    .find((a) => a["activity_id"] === token.activityId);
  const attempt = pending?.["attempt"];
  return typeof attempt === "number" && attempt > token.attempt && objectOf(pending?.["last_failure"])["timeout_failure_info"] !== undefined;
}

async function hasTimedOut(call: RestCall, kind: Task, token: TaskToken): Promise<boolean> {
  let next_page_token = "";
  for (let i = 0; i < PAGES_MAX; i++) {
    const page = await call.rpc("GetWorkflowExecutionHistoryReverse", {
      namespace: call.namespace,
      execution: { workflow_id: token.workflowId, run_id: token.runId },
      next_page_token,
    });
    for (const event of listOf(objectOf(page["history"])["events"]).map(objectOf)) {
      const attributes = event[TIMEOUT[kind].event];
      if (attributes !== undefined && objectOf(attributes)["scheduled_event_id"] === String(token.scheduledEventId)) return true;
      if (event["event_id"] === String(token.scheduledEventId)) return false;
    }
    next_page_token = textOf(page["next_page_token"]);
    if (next_page_token === "") return false;
  }
  return false;
}
