/** UpdateWorkflowExecution and PollWorkflowExecutionUpdate. Behaviour: service/history/api/updateworkflow and pollupdate of the official server. */

import { RequestIdRecord } from "../../../../gen/wire/perdure/persistence/v1/records.js";
import type { Callback } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../../../gen/wire/temporal/api/enums/v1/update.js";
import { WorkflowExecutionStatus } from "../../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Request } from "../../../../gen/wire/temporal/api/update/v1/message.js";
import type { UpdateWorkflowExecutionRequest } from "../../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { failedPrecondition, invalidArgument, notFound, workflowNotReady } from "../../../api/service-error.js";
import { checkUpdateCallbackLimit } from "../../callback/statemachine.js";
import type { ExecutionAddress, InputOf } from "../../input.js";
import type { UpdateReply, UpdateStart } from "../../transition.js";
import { type Context, type Run, Stale } from "../context.js";
import { addressed, WORKFLOW_COMPLETED, WORKFLOW_NOT_FOUND } from "../signal.js";
import { isTaskRunning, scheduleSpeculativeTask } from "../workflow-task.js";
import { admit, changed, completedFirst, type FoundUpdate, findUpdate, outcomeOf, putUpdate, reply, workflowIsClosing } from "./registry.js";

/** A workflow task that has failed this often will fail with the update too. */
const FAILING_ATTEMPT = 3;

export function update(ctx: Context, address: ExecutionAddress, input: InputOf<"update">): UpdateReply | undefined {
  const { request } = input;
  const state = addressed(ctx, address);
  if (request.firstExecutionRunId !== "" && state.info.firstRunId !== request.firstExecutionRunId) throw notFound(WORKFLOW_NOT_FOUND);
  return requestUpdate(ctx.open(state), request, input.waiter, undefined);
}

/** The update of that id, admitted unless it is known; the workflow task that delivers it; the answer, or a waiter for it. */
export function requestUpdate(
  run: Run,
  request: UpdateWorkflowExecutionRequest,
  waiter: number,
  start: UpdateStart | undefined,
): UpdateReply | undefined {
  const asked = request.request ?? Request.create();
  const updateId = asked.meta?.updateId ?? "";
  const stage = request.waitPolicy?.lifecycleStage ?? Stage.UNSPECIFIED;
  const { info, draft } = run;
  if (!run.isOpen) {
    const found = findUpdate(run, updateId);
    if (found === undefined) throw notFound(WORKFLOW_COMPLETED);
    return answerOrWait(run, updateId, found, stage, waiter, start);
  }
  if (info.status === WorkflowExecutionStatus.PAUSED) throw failedPrecondition("Workflow is paused. Cannot update the workflow.");
  if ((info.workflowTask?.attempt ?? info.nextTaskAttempt) >= FAILING_ATTEMPT)
    throw workflowNotReady("Unable to perform workflow execution update due to Workflow Task in failed state.");
  if (info.closeAttempted && isTaskRunning(draft)) throw workflowIsClosing();
  let found = findUpdate(run, updateId);
  const isNew = found === undefined;
  if (found === undefined) {
    found = { update: admit(run, asked) };
    if (asked.completionCallbacks.length > 0 && asked.requestId === "") throw callbacksWithoutRequestId();
  }
  const attached = !isNew && attachCallbacks(run, found, asked);
  if (isNew && !attached && info.workflowTask === undefined) scheduleSpeculativeTask(run);
  return answerOrWait(run, updateId, find(run, updateId, found), stage, waiter, start);
}

const find = (run: Run, updateId: string, found: FoundUpdate): FoundUpdate => {
  const update = run.draft.updates.find((u) => u.id === updateId);
  return update === undefined ? found : { update };
};

const callbacksWithoutRequestId = () => invalidArgument("invalid *update.Request: request_id is required when completion_callbacks are set");

/** Answers at once when the stage is reached, or when none is waited for. */
function answerOrWait(
  run: Run,
  updateId: string,
  found: FoundUpdate,
  stage: Stage,
  waiter: number,
  start: UpdateStart | undefined,
): UpdateReply | undefined {
  if ("completedEventId" in found) return reply(run, updateId, Stage.COMPLETED, outcomeOf(run, found.completedEventId), start);
  const { update } = found;
  const isAccepted = update.state === "accepted";
  if (!run.isOpen) {
    if (isAccepted) return reply(run, updateId, Stage.COMPLETED, completedFirst(), start);
    throw notFound(WORKFLOW_COMPLETED);
  }
  if (isAccepted && stage !== Stage.COMPLETED) return reply(run, updateId, Stage.ACCEPTED, undefined, start);
  if (stage !== Stage.ACCEPTED && stage !== Stage.COMPLETED) return reply(run, updateId, Stage.ADMITTED, undefined, start);
  putUpdate(run.draft, changed(update, { waiters: [...update.waiters, { waiter, stage, start }] }));
  run.ctx.deferred = true;
  return undefined;
}

/** A further request for a known update may bring callbacks of its own. Answers whether it did. */
function attachCallbacks(run: Run, found: FoundUpdate, asked: Request): boolean {
  if (asked.completionCallbacks.length === 0) return false;
  if (asked.requestId === "") throw callbacksWithoutRequestId();
  const { draft } = run;
  if ("completedEventId" in found) {
    draft.dirty = true;
    return true;
  }
  const { update } = found;
  if (update.state === "admitted") return false;
  draft.dirty = true;
  if (update.state === "accepted") addCallbacks(run, update.id, asked.requestId, asked.completionCallbacks);
  else if (!update.callbacks.some((c) => c.requestId === asked.requestId))
    putUpdate(draft, changed(update, { callbacks: [...update.callbacks, { requestId: asked.requestId, callbacks: asked.completionCallbacks }] }));
  return true;
}

export function addCallbacks(run: Run, updateId: string, requestId: string, callbacks: readonly Callback[]): void {
  if (run.info.attachedRequests.some((r) => r.requestId === requestId)) return;
  checkUpdateCallbackLimit(run, updateId, callbacks.length);
  const event = run.add(
    EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    "workflowExecutionOptionsUpdatedEventAttributes",
    { workflowUpdateOptions: [{ updateId, attachedRequestId: requestId, attachedCompletionCallbacks: callbacks }] },
    { workerMayIgnore: true },
  );
  attachRequestId(run, requestId, event.eventType, event.eventId);
}

export function attachRequestId(run: Run, requestId: string, eventType: EventType, eventId: number): void {
  const attached = RequestIdRecord.create({ requestId, eventType, eventId, time: run.now });
  run.info.attachedRequests = [...run.info.attachedRequests, attached];
}

export function pollUpdate(ctx: Context, address: ExecutionAddress, input: InputOf<"pollUpdate">): UpdateReply | undefined {
  const run = ctx.open(addressed(ctx, address));
  const found = findUpdate(run, input.updateId);
  if (found === undefined) throw notFound(`update ${JSON.stringify(input.updateId)} not found`);
  return answerOrWait(run, input.updateId, found, input.stage, input.waiter, undefined);
}

/** The update stays: only its caller has gone, or asks again later. */
export function endUpdateWait(ctx: Context, address: ExecutionAddress, input: InputOf<"endUpdateWait">): UpdateReply | undefined {
  const state = address.runId === "" ? ctx.chain.current() : ctx.chain.run(address.runId);
  const update = state?.updates.find((u) => u.id === input.updateId && u.waiters.some((w) => w.waiter === input.waiter));
  if (state === undefined || update === undefined) throw new Stale();
  const run = ctx.open(state);
  const waiters = update.waiters.filter((w) => w.waiter !== input.waiter);
  const start = update.waiters.find((w) => w.waiter === input.waiter)?.start;
  putUpdate(run.draft, changed(update, { waiters }));
  return reply(run, update.id, update.state === "accepted" ? Stage.ACCEPTED : Stage.ADMITTED, undefined, start);
}
