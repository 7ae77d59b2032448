/** What a worker gets for a started task: the reply of the core, completed with history and payloads from the rows. */
import { HistoryToken } from "../../../gen/wire/perdure/persistence/v1/token.js";
import type {
  PollActivityTaskQueueResponse,
  PollWorkflowTaskQueueResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { encodeTaskToken } from "../../api/task-token.js";
import { EMPTY_BYTES, type Init } from "../../api/wire.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import type { StartedActivity, StartedWorkflowTask } from "../../core/transition.js";
import type { PolledQuery } from "../../matching/contract.js";
import type { Services } from "../services.js";
import { append, encodeHistoryToken, readPage } from "./history-page.js";

/** With the server's advice on how many polls to keep open; `scaling` 0 is none. */
export function advised<R extends { pollerScalingDecision?: unknown }>(response: R, scaling: number): R {
  if (scaling !== 0) response.pollerScalingDecision = { pollRequestDeltaSuggestion: scaling };
  return response;
}

export async function workflowTaskResponse(
  s: Services,
  namespace: NamespaceView,
  task: StartedWorkflowTask,
): Promise<Init<PollWorkflowTaskQueueResponse>> {
  const { history: range, trailing } = task;
  const { data, next } = await readPage(s.history, range, range.fromEventId, s.limits(namespace.name).workflowTaskPageSize);
  const runId = task.response.workflowExecution?.runId ?? "";
  // The response is this task's own; a copy of so many fields costs more than all that is done here.
  const { response } = task;
  if (next === undefined) {
    response.history = append(data, trailing);
    return response;
  }
  const token = HistoryToken.create({ runId, firstEventId: next, nextEventId: range.endEventId, trailing: trailing ?? EMPTY_BYTES });
  response.history = data;
  response.nextPageToken = encodeHistoryToken(token);
  return response;
}

/** Undefined when the run has gone since: there is nothing to work on. */
export async function activityTaskResponse(s: Services, task: StartedActivity): Promise<Init<PollActivityTaskQueueResponse> | undefined> {
  if (task.scheduled === undefined) return task.response;
  const event = await s.history.readEvent(task.scheduled);
  const attributes = event?.attributes;
  if (attributes?.case !== "activityTaskScheduledEventAttributes") return undefined;
  const { response } = task;
  response.activityType ??= attributes.value.activityType;
  response.activityId ??= attributes.value.activityId;
  response.input = attributes.value.input;
  response.header = attributes.value.header;
  return response;
}

/**
 * A query that no workflow task carries: its task has no events of its own and answers with a token of its own. A worker that has the
 * workflow gets no history: with one it would let go of what it has, and replay.
 */
export async function queryTaskResponse(
  s: Services,
  namespace: NamespaceView,
  { query, queryId, isSticky }: PolledQuery,
): Promise<Init<PollWorkflowTaskQueueResponse>> {
  const { reply, request } = query;
  const workflowId = request.execution?.workflowId ?? "";
  const range = reply.history;
  const { data, next } = isSticky
    ? { data: EMPTY_BYTES, next: undefined }
    : await readPage(s.history, range, range.fromEventId, s.limits(namespace.name).queryTaskPageSize);
  const { runId, taskQueue } = reply;
  const token = next === undefined ? undefined : HistoryToken.create({ runId, firstEventId: next, nextEventId: range.endEventId });
  return {
    taskToken: encodeTaskToken({ namespaceId: namespace.id, workflowId, runId, taskQueue, queryId }),
    workflowExecution: { workflowId, runId },
    workflowType: { name: reply.workflowType },
    previousStartedEventId: reply.previousStartedEventId,
    attempt: 1,
    history: data,
    nextPageToken: token === undefined ? EMPTY_BYTES : encodeHistoryToken(token),
    query: request.query,
    workflowExecutionTaskQueue: { name: taskQueue, kind: 1 },
  };
}
