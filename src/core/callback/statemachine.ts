/**
 * Completion callbacks: STANDBY while the workflow runs, SCHEDULED when it has closed, then SUCCEEDED or FAILED, with BACKING_OFF
 * between attempts. A run that is continued or tried again hands those on standby to the next run of its chain. Behaviour:
 * chasm/lib/callback of the official server.
 */

import { CallbackRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Callback, Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { CallbackState as State } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { RetryState } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { CallbackInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { failedPrecondition } from "../../api/service-error.js";
import { timestamp, timestampMicros } from "../../api/time.js";
import { decode, type Init } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { attemptsOf } from "../attempts.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import type { OperationOutcome } from "../nexus-operation/calls.js";
import { OutboundKind, outboundBackoff } from "../outbound.js";
import { type Context, type Run, Stale } from "../workflow/context.js";
import { realNow } from "../workflow/execution-clock.js";
import type { RunDraft } from "../workflow/mutable-state.js";
import { WORKFLOW_COMPLETED_FIRST } from "../workflow/update/registry.js";

/** One delivery of a callback. */
export interface CallbackCall {
  readonly url: string;
  readonly header: Readonly<Record<string, string>>;
  readonly outcome: OperationOutcome;
  /** Microseconds. */
  readonly startTime: number;
  readonly closeTime: number;
  /** The event that began what has ended. */
  readonly link: Init<Link>;
}

/** The event that brings callbacks is applied. Those within this server have no life of their own: the run keeps them. */
export function applyCallbacks(draft: RunDraft, callbacks: readonly Callback[], requestId: string, event: HistoryEvent, updateId = ""): void {
  // Those of an update come with its admission, and again with its acceptance.
  if (updateId !== "" && callbacks.length > 0 && draft.hasCallbacks)
    for (const c of draft.callbacks.values()) if (c.updateId === updateId && c.requestId === requestId) return;
  for (const callback of callbacks) {
    if (callback.variant.case === "internal") {
      draft.info.completionCallbacks = [...draft.info.completionCallbacks, callback];
      continue;
    }
    const id = draft.callbacks.size + 1;
    const registrationTime = timestampMicros(event.eventTime);
    draft.putCallback(CallbackRecord.create({ id, callback, requestId, updateId, registrationTime, state: State.STANDBY }));
  }
}

/** @throws FAILED_PRECONDITION */
export function checkCallbackLimit(run: Run, added: number, max = run.ctx.env.config.limits.callbacksPerExecutionMax): void {
  const attached = run.info.completionCallbacks.length + (run.draft.hasCallbacks ? run.draft.callbacks.size : 0);
  if (added + attached > max)
    throw failedPrecondition(`cannot attach more than ${max} callbacks to a workflow (${attached} callbacks already attached)`);
}

/** @throws FAILED_PRECONDITION */
export function checkUpdateCallbackLimit(run: Run, updateId: string, added: number): void {
  if (!run.ctx.env.config.limits.updateCallbacks) return;
  // Those of updates have a limit of their own, within which those of the workflow count.
  const { callbacksPerWorkflowMax, callbacksPerUpdateMax: max } = run.ctx.env.config.limits;
  checkCallbackLimit(run, added, callbacksPerWorkflowMax);
  let attached = 0;
  if (run.draft.hasCallbacks) for (const c of run.draft.callbacks.values()) if (c.updateId === updateId) attached++;
  if (added + attached > max)
    throw failedPrecondition(
      `cannot attach more than ${max} callbacks to update ${JSON.stringify(updateId)} (${attached} callbacks already attached)`,
    );
}

/** The update has ended, with this event. */
export function triggerUpdateCallbacks(run: Run, updateId: string, event: HistoryEvent): void {
  if (!run.draft.hasCallbacks) return;
  for (const c of [...run.draft.callbacks.values()])
    if (c.state === State.STANDBY && c.updateId === updateId) schedule(run, CallbackRecord.copy(c, { completedEventId: event.eventId }));
}

/** What the next run of the chain gets. */
export function callbacksToCarry(draft: RunDraft): Callback[] {
  const out = [...draft.info.completionCallbacks];
  if (!draft.hasCallbacks) return out;
  for (const c of draft.callbacks.values()) if (c.state === State.STANDBY && c.updateId === "" && c.callback !== undefined) out.push(c.callback);
  return out;
}

/**
 * The run has closed. One that goes on, and one that was reset, leaves its callbacks to the run that follows; but updates that were
 * accepted end with their run.
 */
export function triggerCallbacks(run: Run, event: HistoryEvent): void {
  if (!run.draft.hasCallbacks || run.info.resetRunId !== "") return;
  for (const c of [...run.draft.callbacks.values()]) if (c.state === State.STANDBY && c.updateId !== "") schedule(run, c);
  // From here on in real time.
  const ahead = run.now - realNow(run.ctx.env);
  if (ahead > 0)
    for (const c of [...run.draft.callbacks.values()])
      if (c.state === State.BACKING_OFF) run.draft.putCallback(CallbackRecord.copy(c, { nextAttemptTime: c.nextAttemptTime - ahead }));
  const a = event.attributes;
  if (a.case === "workflowExecutionContinuedAsNewEventAttributes") return;
  if (
    (a.case === "workflowExecutionFailedEventAttributes" || a.case === "workflowExecutionTimedOutEventAttributes") &&
    a.value.retryState === RetryState.IN_PROGRESS
  )
    return;
  for (const c of [...run.draft.callbacks.values()]) if (c.state === State.STANDBY && c.updateId === "") schedule(run, c);
}

function schedule(run: Run, c: CallbackRecord): void {
  run.draft.putCallback(CallbackRecord.copy(c, { state: State.SCHEDULED, nextAttemptTime: 0 }));
  requestDelivery(run, c);
}

function requestDelivery(run: Run, c: CallbackRecord): void {
  run.outbound(deliveryOf(c));
}

/** The outbound row of the next attempt. */
export const deliveryOf = (c: CallbackRecord) => ({
  kind: OutboundKind.CALLBACK,
  componentId: c.id,
  attempt: c.attempt,
  destination: callbackDestination(urlOf(c)),
});

/** Those that are to be delivered are tried once more, whatever has become of the calls under way. */
export function deliverAgain(run: Run): void {
  for (const c of run.draft.callbacks.values()) if (c.state === State.SCHEDULED) requestDelivery(run, c);
}

/** Scheme and host: what has failed for one path has failed for all. */
export function callbackDestination(url: string): string {
  const end = url.indexOf("/", url.indexOf("//") + 2);
  return end < 0 ? url : url.slice(0, end);
}

function urlOf(c: CallbackRecord): string {
  const variant = c.callback?.variant;
  return variant?.case === "nexus" ? variant.value.url : "";
}

/** Where it goes. */
export function targetOf(c: CallbackRecord): Pick<CallbackCall, "url" | "header"> {
  const variant = c.callback?.variant;
  return { url: urlOf(c), header: variant?.case === "nexus" ? variant.value.header : {} };
}

/** Deliveries that are under way: their end is not a matter of time. */
export function callbacksInFlight(draft: RunDraft): number {
  let n = 0;
  for (const c of draft.callbacks.values()) if (c.state === State.SCHEDULED) n++;
  return n;
}

/** What is left to do of a closed run is done in real time. */
const nowOf = (run: Run): number => (run.isOpen ? run.now : realNow(run.ctx.env));

export const earliestCallback = (draft: RunDraft): number => earliestOf(draft.callbacks.values());

/** When the first of them that back off is to be tried again; 0 is never. */
export function earliestOf(callbacks: Iterable<CallbackRecord>): number {
  let earliest = 0;
  for (const c of callbacks) if (c.state === State.BACKING_OFF && (earliest === 0 || c.nextAttemptTime < earliest)) earliest = c.nextAttemptTime;
  return earliest;
}

/** Answers whether anything was due. */
export function fireCallbacksDue(run: Run): boolean {
  let fired = false;
  for (const c of [...run.draft.callbacks.values()]) {
    if (c.state !== State.BACKING_OFF || c.nextAttemptTime > nowOf(run)) continue;
    schedule(run, c);
    fired = true;
  }
  return fired;
}

function callbackOf(ctx: Context, address: ExecutionAddress, id: number, attempt: number): { run: Run; c: CallbackRecord } {
  const state = ctx.chain.run(address.runId);
  if (state === undefined) throw new Stale();
  const run = ctx.open(state);
  const c = run.draft.callbacks.get(id);
  if (c === undefined || c.state !== State.SCHEDULED || c.attempt !== attempt) throw new Stale();
  return { run, c };
}

export function callbackCall(ctx: Context, address: ExecutionAddress, input: InputOf<"callbackCall">): CallbackCall {
  const { run, c } = callbackOf(ctx, address, input.callbackId, input.attempt);
  const { info } = run;
  const { workflowId, runId } = info;
  const target = { ...targetOf(c), startTime: info.startTime };
  if (c.updateId !== "") {
    const request = info.attachedRequests.find((r) => r.requestId === c.requestId);
    const link = {
      ...{ namespace: ctx.env.namespace.name, workflowId, runId },
      ...(request === undefined
        ? {}
        : { reference: { case: "requestIdRef" as const, value: { requestId: c.requestId, eventType: request.eventType } } }),
    };
    const event = c.completedEventId > 0 ? ctx.event(run, c.completedEventId) : undefined;
    return {
      ...target,
      outcome: outcomeOfUpdate(event),
      closeTime: event === undefined ? info.closeTime : timestampMicros(event.eventTime),
      link: { variant: { case: "workflowEvent", value: link } },
    };
  }
  assert(!run.isOpen, "a workflow's callback goes out when its run has closed");
  const event = ctx.event(run, info.nextEventId - 1);
  const attached = c.requestId !== "" && c.requestId !== info.startRequestId;
  const reference = attached
    ? { case: "requestIdRef" as const, value: { requestId: c.requestId, eventType: EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED } }
    : { case: "eventRef" as const, value: { eventId: 1, eventType: EventType.WORKFLOW_EXECUTION_STARTED } };
  return {
    ...target,
    outcome: outcomeOf(event),
    closeTime: info.closeTime,
    link: { variant: { case: "workflowEvent", value: { namespace: ctx.env.namespace.name, workflowId, runId, reference } } },
  };
}

/** Of an update its event of completion; without one the workflow ended first. */
function outcomeOfUpdate(event: HistoryEvent | undefined): OperationOutcome {
  const a = event?.attributes;
  if (a === undefined) return { kind: "failed", cause: WORKFLOW_COMPLETED_FIRST };
  assert(a.case === "workflowExecutionUpdateCompletedEventAttributes", "the event of an update's end");
  const value = a.value.outcome?.value;
  if (value?.case === "failure") return { kind: "failed", cause: value.value };
  const success = value?.case === "success" ? value.value : undefined;
  return { kind: "completed", result: success === undefined ? undefined : decode(Payloads, success).payloads[0], links: [] };
}

/** A completion may go to anyone: it says no more than the outcome, and nothing of who ended the workflow, or why. */
function outcomeOf(event: HistoryEvent): OperationOutcome {
  const a = event.attributes;
  switch (a.case) {
    case "workflowExecutionCompletedEventAttributes":
      return { kind: "completed", result: a.value.result === undefined ? undefined : decode(Payloads, a.value.result).payloads[0], links: [] };
    case "workflowExecutionFailedEventAttributes":
      return { kind: "failed", cause: a.value.failure ?? {} };
    case "workflowExecutionCanceledEventAttributes":
      return {
        kind: "canceled",
        cause: { message: "operation canceled", failureInfo: { case: "canceledFailureInfo", value: { details: a.value.details } } } as Init<Failure>,
      };
    case "workflowExecutionTerminatedEventAttributes":
      return { kind: "failed", cause: { message: "operation terminated", failureInfo: { case: "terminatedFailureInfo", value: {} } } };
    case "workflowExecutionTimedOutEventAttributes":
      return { kind: "failed", cause: { message: "operation exceeded internal timeout", failureInfo: { case: "timeoutFailureInfo", value: {} } } };
    default:
      assert(false, `a closed run does not end with ${a.case}`);
  }
}

export function callbackDelivered(ctx: Context, address: ExecutionAddress, input: InputOf<"callbackDelivered">): undefined {
  const { run, c } = callbackOf(ctx, address, input.callbackId, input.attempt);
  run.outboundDone(input.outboundId);
  const next = afterAttempt(c, input.outcome, run.now, nowOf(run), ctx.random.float());
  if (next.state === State.BACKING_OFF) run.deadline(next.nextAttemptTime);
  run.draft.putCallback(next);
  return undefined;
}

/** `now`: when the attempt ended; `realTime`: from when the pause before the next one counts; `chance`: of its length. */
export function afterAttempt(
  c: CallbackRecord,
  outcome: InputOf<"callbackDelivered">["outcome"],
  now: number,
  realTime: number,
  chance: number,
): CallbackRecord {
  const attempt = c.attempt + 1;
  const changes: Partial<CallbackRecord> = { attempt, lastAttemptCompleteTime: now };
  if (outcome.kind === "done") {
    changes.state = State.SUCCEEDED;
    changes.lastAttemptFailure = undefined;
  } else {
    const nonRetryable = outcome.kind === "failed";
    changes.lastAttemptFailure = Failure.create({
      message: outcome.message,
      failureInfo: { case: "applicationFailureInfo", value: { nonRetryable } },
    });
    changes.state = nonRetryable ? State.FAILED : State.BACKING_OFF;
    if (!nonRetryable) changes.nextAttemptTime = realTime + outboundBackoff(attempt, chance);
  }
  return CallbackRecord.copy(c, changes);
}

export function callbackInfo(c: CallbackRecord): Init<CallbackInfo> {
  return {
    callback: c.callback,
    trigger: {
      variant:
        c.updateId === "" ? { case: "workflowClosed", value: {} } : { case: "updateWorkflowExecutionCompleted", value: { updateId: c.updateId } },
    },
    registrationTime: timestamp(c.registrationTime),
    state: c.state,
    ...attemptsOf(c),
  } as Init<CallbackInfo>;
}
