/**
 * Completion callbacks of a standalone activity: STANDBY until it closes, then delivered as a workflow's are. Behaviour:
 * chasm/lib/activity and chasm/lib/callback of the official server.
 */
import { CallbackRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { CallbackInfo } from "../../../gen/wire/temporal/api/activity/v1/message.js";
import { Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { CallbackState as State } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { StartActivityExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { failedPrecondition } from "../../api/service-error.js";
import { timestamp } from "../../api/time.js";
import { decode, type Init } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { attemptsOf } from "../attempts.js";
import { afterAttempt, type CallbackCall, deliveryOf, targetOf } from "../callback/statemachine.js";
import type { ComponentContext } from "../component.js";
import type { Env, InputOf } from "../input.js";
import type { OperationOutcome } from "../nexus-operation/calls.js";
import { Stale } from "../workflow/context.js";
import { realNow } from "../workflow/execution-clock.js";
import { type ActivityDraft, Status } from "./activity-state.js";

type Context = ComponentContext<ActivityDraft>;

/** @throws FAILED_PRECONDITION. A request that is sent again adds nothing. */
export function attachCallbacks(draft: ActivityDraft, { completionCallbacks, requestId }: StartActivityExecutionRequest, env: Env): void {
  if (completionCallbacks.length === 0) return;
  for (const c of draft.callbacks.values()) if (c.requestId === requestId) return;
  if (!draft.isOpen) throw failedPrecondition("cannot attach callbacks to a closed activity");
  const max = env.config.limits.callbacksPerExecutionMax;
  const attached = draft.callbacks.size;
  if (attached + completionCallbacks.length > max)
    throw failedPrecondition(`cannot attach more than ${max} callbacks to an activity (${attached} callbacks already attached)`);
  for (const callback of completionCallbacks) {
    const id = draft.callbacks.size + 1;
    draft.putCallback(CallbackRecord.create({ id, callback, requestId, registrationTime: env.now, state: State.STANDBY }));
  }
}

/** The activity has closed. */
export function triggerCallbacks(draft: ActivityDraft): void {
  for (const c of [...draft.callbacks.values()]) if (c.state === State.STANDBY) schedule(draft, c);
}

function schedule(draft: ActivityDraft, c: CallbackRecord): void {
  draft.putCallback(CallbackRecord.copy(c, { state: State.SCHEDULED, nextAttemptTime: 0 }));
  draft.call(deliveryOf(c));
}

export function fireCallbacksDue(ctx: Context, draft: ActivityDraft): void {
  const now = realNow(ctx.env);
  for (const c of [...draft.callbacks.values()]) if (c.state === State.BACKING_OFF && c.nextAttemptTime <= now) schedule(draft, c);
}

function scheduled(draft: ActivityDraft, id: number, attempt: number): CallbackRecord {
  const c = draft.callbacks.get(id);
  if (c === undefined || c.state !== State.SCHEDULED || c.attempt !== attempt) throw new Stale();
  return c;
}

export function callbackCall(ctx: Context, draft: ActivityDraft, { callbackId, attempt }: InputOf<"callbackCall">): CallbackCall {
  const c = scheduled(draft, callbackId, attempt);
  const { info, activity } = draft;
  const { workflowId: activityId, runId, closeTime } = info;
  return {
    ...targetOf(c),
    outcome: outcomeFor(draft),
    startTime: activity.scheduledTime,
    closeTime,
    link: { variant: { case: "activity", value: { namespace: ctx.env.namespace.name, activityId, runId } } },
  };
}

/** What callers of a Nexus operation get: of several results the first. */
function outcomeFor({ outcome, status }: ActivityDraft): OperationOutcome {
  assert(outcome !== undefined, "an activity's callback goes out when it has closed");
  const { failure, result } = outcome;
  if (failure !== undefined) return { kind: status === Status.CANCELED ? "canceled" : "failed", cause: failure };
  return { kind: "completed", result: result === undefined ? undefined : decode(Payloads, result).payloads[0], links: [] };
}

export function callbackDelivered(ctx: Context, draft: ActivityDraft, input: InputOf<"callbackDelivered">): void {
  const c = scheduled(draft, input.callbackId, input.attempt);
  draft.callDone(input.outboundId);
  // Retention and what is left to do of a closed one are real.
  const now = realNow(ctx.env);
  draft.putCallback(afterAttempt(c, input.outcome, now, now, ctx.random.float()));
}

export const callbackInfo = (c: CallbackRecord): Init<CallbackInfo> => ({
  trigger: { variant: { case: "activityClosed", value: {} } },
  info: { callback: c.callback, registrationTime: timestamp(c.registrationTime), state: c.state, ...attemptsOf(c) },
});
