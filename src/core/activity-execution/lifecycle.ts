/**
 * How a standalone activity lives: scheduled, offered, started, retried, timed out, canceled, closed. Timers are deadlines of the state,
 * asked for again whenever something happens; what an operator wants of an attempt that runs waits for its end (operator.ts).
 * Behaviour: chasm/lib/activity of the official server.
 */
import { ActivityOutcomeRecord, ActivityRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { RetryState, TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { jsonPayloads } from "../../api/json-payload.js";
import { failedPrecondition, invalidArgument, notFound } from "../../api/service-error.js";
import { encodeTaskToken } from "../../api/task-token.js";
import { duration, timestamp } from "../../api/time.js";
import { keptFailure, NO_TIME_TO_RETRY, timeoutFailure, timeoutMessage } from "../activity/failures.js";
import { attemptDeadlines } from "../activity/statemachine.js";
import { earliestOf } from "../callback/statemachine.js";
import type { ComponentContext } from "../component.js";
import { Archetype } from "../execution.js";
import type { ActivityReference, InputOf } from "../input.js";
import type { Replies, StartedActivity } from "../transition.js";
import { Stale } from "../workflow/context.js";
import { realNow } from "../workflow/execution-clock.js";
import { isRetryable, nextRetryDelay, policyInterval } from "../workflow/retry-and-cron.js";
import { type ActivityDraft, isWithWorker, Status } from "./activity-state.js";
import { triggerCallbacks } from "./callbacks.js";
import { firstDispatchTime, restoreOptions } from "./options.js";

export type Context = ComponentContext<ActivityDraft>;

/** Of no such activity, and of a call of a worker that names no attempt which runs. */
export const activityNotFound = (activityId: string) => notFound(`activity not found for ID: ${activityId}`);

/** As the official texts name them. */
export const statusName = (status: Status): string =>
  (Status[status] ?? "")
    .split("_")
    .map((w) => w.charAt(0) + w.slice(1).toLowerCase())
    .join("");

/** A time for an attempt; as long as none has begun, not before the start delay is over. */
export const notBeforeDelay = (draft: ActivityDraft, time: number): number =>
  draft.info.firstStartedTime === 0 ? Math.max(time, firstDispatchTime(draft)) : time;

/** A later one decides when the earlier ones have been seen to. Undefined type: an attempt may be offered. */
export function deadlines(draft: ActivityDraft): { time: number; type: TimeoutType | undefined }[] {
  if (!draft.isOpen) return [];
  const { activity } = draft;
  if (draft.status !== Status.PAUSED) return attemptDeadlines(activity);
  return activity.scheduleToCloseDeadline > 0 ? [{ time: activity.scheduleToCloseDeadline, type: TimeoutType.SCHEDULE_TO_CLOSE }] : [];
}

/** 0 when it waits for no time; of a closed one the end of its retention, or the next attempt to deliver a callback. */
export function earliestDeadline(draft: ActivityDraft): number {
  if (!draft.isOpen) {
    const delivery = earliestOf(draft.callbacks.values());
    return delivery > 0 ? Math.min(delivery, draft.info.deleteAt) : draft.info.deleteAt;
  }
  const times = deadlines(draft).map((d) => d.time);
  return times.length === 0 ? 0 : Math.min(...times);
}

/** The attempt that is due is offered to the pollers of its queue. */
function offer(ctx: Context, draft: ActivityDraft): void {
  const { info, activity: a } = draft;
  draft.dispatch.push({
    type: "activity",
    namespaceId: info.namespaceId,
    namespaceKey: ctx.env.namespace.key,
    taskQueue: a.taskQueue,
    normalTaskQueue: undefined,
    workflowId: info.workflowId,
    runId: info.runId,
    archetype: Archetype.ACTIVITY,
    executionKey: draft.key,
    scheduledEventId: 0,
    attempt: a.attempt,
    stamp: a.stamp,
    priority: a.priority?.priorityKey || 3,
    fairnessKey: a.priority?.fairnessKey ?? "",
    fairnessWeight: a.priority?.fairnessWeight ?? 0,
    createTime: a.attemptScheduledTime,
    expireTime: a.scheduleToStartTimeout > 0 ? a.attemptScheduledTime + a.scheduleToStartTimeout : 0,
  });
}

/** An attempt that begins at that time: its number and stamp are the activity's. */
export function schedule(ctx: Context, draft: ActivityDraft, time: number, changes: Partial<ActivityRecord> = {}): void {
  draft.info.status = Status.SCHEDULED;
  draft.activity = ActivityRecord.copy(draft.activity, { ...changes, attemptScheduledTime: time, waitsForRetry: time > ctx.env.now });
  if (time <= ctx.env.now) offer(ctx, draft);
}

export function startAttempt(ctx: Context, draft: ActivityDraft, { attempt, stamp, poller }: InputOf<"startActivity">): StartedActivity {
  const a = draft.activity;
  if (isWithWorker(draft.status) && a.requestId === poller.requestId) return started(ctx, draft);
  if (draft.status !== Status.SCHEDULED || a.waitsForRetry || a.attempt !== attempt || a.stamp !== stamp) throw new Stale();
  const { info } = draft;
  const { now } = ctx.env;
  info.status = Status.STARTED;
  info.lastStartedTime = now;
  if (info.firstStartedTime === 0) info.firstStartedTime = now;
  info.sdkName = poller.sdkName ?? "";
  info.sdkVersion = poller.sdkVersion ?? "";
  draft.activity = ActivityRecord.copy(a, {
    startedTime: now,
    requestId: poller.requestId,
    lastWorkerIdentity: poller.identity,
    nonce: ctx.random.nonce(),
  });
  draft.isChanged = true;
  return started(ctx, draft);
}

function started(ctx: Context, draft: ActivityDraft): StartedActivity {
  const { info, activity: a, request } = draft;
  return {
    response: {
      taskToken: encodeTaskToken({
        namespaceId: info.namespaceId,
        workflowId: info.workflowId,
        runId: info.runId,
        attempt: a.attempt,
        nonce: a.nonce,
        activityId: a.activityId,
        activityType: a.activityType,
        archetype: Archetype.ACTIVITY,
      }),
      workflowNamespace: ctx.env.namespace.name,
      workflowExecution: {},
      activityType: { name: a.activityType },
      activityId: a.activityId,
      activityRunId: info.runId,
      input: request.input,
      header: request.header,
      heartbeatDetails: a.lastHeartbeatDetails,
      scheduledTime: timestamp(a.scheduledTime),
      currentAttemptScheduledTime: timestamp(a.attemptScheduledTime),
      startedTime: timestamp(a.startedTime),
      attempt: a.attempt,
      scheduleToCloseTimeout: duration(a.scheduleToCloseTimeout),
      startToCloseTimeout: duration(a.startToCloseTimeout),
      heartbeatTimeout: duration(a.heartbeatTimeout),
      retryPolicy: a.retryPolicy,
      priority: a.priority,
    },
    scheduled: undefined,
    scheduledEventId: 0,
    nonce: a.nonce,
  };
}

/** The poller that was to have it had gone: the same attempt is offered again. */
export function undelivered(ctx: Context, draft: ActivityDraft, nonce: number): void {
  const a = draft.activity;
  if (!isWithWorker(draft.status) || a.nonce !== nonce) throw new Stale();
  const again = { startedTime: 0, requestId: "", nonce: 0 };
  if (draft.status === Status.STARTED) {
    schedule(ctx, draft, a.attemptScheduledTime, again);
    return;
  }
  // What was asked for in between happens as if no worker had been found.
  draft.activity = ActivityRecord.copy(a, again);
  draft.isChanged = true;
  if (draft.status === Status.CANCEL_REQUESTED) closeCanceled(ctx, draft, jsonPayloads(draft.info.cancelReason));
  else if (draft.status === Status.PAUSE_REQUESTED) {
    draft.info.status = Status.PAUSED;
    draft.isShownChanged = true;
  } else applyReset(ctx, draft);
}

/** @throws ServiceError when the call names another attempt, or none runs. By its id an activity can be completed that does not run. */
export function checkReference(draft: ActivityDraft, reference: ActivityReference, mayWait = false): void {
  const { activity: a } = draft;
  const isRunning = isWithWorker(draft.status);
  if (reference.by === "id") {
    if (isRunning || (mayWait && draft.isOpen)) return;
  } else if (isRunning && reference.token.attempt === a.attempt && reference.token.nonce === a.nonce) return;
  throw activityNotFound(draft.info.workflowId);
}

export function heartbeat(ctx: Context, draft: ActivityDraft, { activity, details }: InputOf<"heartbeatActivity">): Replies["heartbeatActivity"] {
  checkReference(draft, activity);
  recordHeartbeat(ctx, draft, details);
  const { status } = draft;
  return {
    cancelRequested: status === Status.CANCEL_REQUESTED,
    activityReset: status === Status.RESET_REQUESTED,
    activityPaused: status === Status.PAUSE_REQUESTED,
  };
}

function recordHeartbeat(ctx: Context, draft: ActivityDraft, details: Uint8Array | undefined): void {
  draft.activity = ActivityRecord.copy(draft.activity, { lastHeartbeatTime: ctx.env.now, lastHeartbeatDetails: details });
  draft.info.heartbeatCount++;
  draft.isChanged = true;
}

export function complete(ctx: Context, draft: ActivityDraft, { activity, result, identity }: InputOf<"completeActivity">): void {
  checkReference(draft, activity, true);
  const { info } = draft;
  const { now } = ctx.env;
  if (!isWithWorker(draft.status)) {
    info.lastStartedTime = now;
    if (info.firstStartedTime === 0) info.firstStartedTime = now;
  }
  draft.activity = ActivityRecord.copy(draft.activity, { lastWorkerIdentity: identity, lastAttemptCompleteTime: now });
  close(ctx, draft, Status.COMPLETED, { result });
}

export function fail(ctx: Context, draft: ActivityDraft, input: InputOf<"failActivity">): void {
  checkReference(draft, input.activity);
  if (input.lastHeartbeatDetails !== undefined) recordHeartbeat(ctx, draft, input.lastHeartbeatDetails);
  const { failure } = input;
  const isAllowed = isRetryable(failure, draft.activity.retryPolicy?.nonRetryableErrorTypes ?? []);
  const retryState = retry(ctx, draft, failure, isAllowed, nextRetryDelay(failure) ?? 0);
  if (retryState === RetryState.IN_PROGRESS) return;
  draft.activity = ActivityRecord.copy(draft.activity, { lastWorkerIdentity: input.identity });
  const known = failure ?? Failure.create({ message: "activity task failed without failure details" });
  closeWithAttempt(ctx, draft, Status.FAILED, known, retryState);
}

export function cancelByWorker(ctx: Context, draft: ActivityDraft, { activity, details }: InputOf<"cancelActivity">): void {
  checkReference(draft, activity);
  if (draft.status !== Status.CANCEL_REQUESTED)
    throw invalidArgument("unable to mark activity as canceled without activity being request canceled first");
  closeCanceled(ctx, draft, details);
}

export function requestCancel(ctx: Context, draft: ActivityDraft, { request }: InputOf<"requestCancelActivityExecution">): void {
  const { info } = draft;
  if (request.requestId === info.cancelRequestId) return;
  if (!draft.isOpen) throw failedPrecondition(`activity is in terminal state ${statusName(draft.status)}`);
  if (draft.status === Status.CANCEL_REQUESTED) throw failedPrecondition(`cancellation already requested with request ID ${info.cancelRequestId}`);
  info.cancelRequestId = request.requestId;
  info.cancelIdentity = request.identity;
  info.cancelReason = request.reason;
  info.resetRestores = false;
  info.resetHeartbeat = false;
  draft.dirty = true;
  draft.isChanged = true;
  if (isWithWorker(draft.status)) {
    info.status = Status.CANCEL_REQUESTED;
  } else closeCanceled(ctx, draft, jsonPayloads(request.reason));
}

export function terminate(ctx: Context, draft: ActivityDraft, { requestId, reason, identity }: InputOf<"terminateActivityExecution">): void {
  const { info } = draft;
  if (draft.status === Status.TERMINATED) {
    if (info.terminateRequestId === requestId) return;
    throw failedPrecondition(`already terminated with request ID ${info.terminateRequestId}`);
  }
  if (!draft.isOpen) throw failedPrecondition(`invalid transition from ${statusName(draft.status)}`);
  info.terminateRequestId = requestId;
  const failure = Failure.create({ message: reason, failureInfo: { case: "terminatedFailureInfo", value: { identity } } });
  close(ctx, draft, Status.TERMINATED, { failure });
}

function closeCanceled(ctx: Context, draft: ActivityDraft, details: Uint8Array | undefined): void {
  const value = { details, identity: draft.info.cancelIdentity };
  close(ctx, draft, Status.CANCELED, {
    failure: Failure.create({ message: "Activity canceled", failureInfo: { case: "canceledFailureInfo", value } }),
  });
}

/** The failure of the attempt that has just ended is that of the activity. */
function closeWithAttempt(ctx: Context, draft: ActivityDraft, status: Status, failure: Failure, retryState: RetryState): void {
  draft.activity = ActivityRecord.copy(draft.activity, { lastAttemptCompleteTime: ctx.env.now, lastFailure: undefined });
  close(ctx, draft, status, { failure, retryState, ofAttempt: true });
}

function close(ctx: Context, draft: ActivityDraft, status: Status, outcome: Partial<ActivityOutcomeRecord>): void {
  const { info } = draft;
  info.status = status;
  info.closeTime = ctx.env.now;
  // Retention is real.
  info.deleteAt = realNow(ctx.env) + ctx.env.namespace.retention;
  draft.activity = ActivityRecord.copy(draft.activity, { waitsForRetry: false });
  draft.outcome = ActivityOutcomeRecord.create(outcome);
  triggerCallbacks(draft);
  draft.isChanged = true;
  draft.isShownChanged = true;
}

/** The next attempt is set up (IN_PROGRESS), or why there is none. `delay`: what the worker asks for, in microseconds; 0 is nothing. */
function retry(ctx: Context, draft: ActivityDraft, failure: Failure | undefined, isAllowed: boolean, delay: number): RetryState {
  const { info, activity: a } = draft;
  const { now } = ctx.env;
  const ended: Partial<ActivityRecord> = {
    startedTime: 0,
    requestId: "",
    nonce: 0,
    lastAttemptCompleteTime: now,
    lastFailure: keptFailure(failure, ctx.env.config.limits.activityFailureSizeBytesMax),
    stamp: a.stamp + 1,
  };
  if (draft.status === Status.RESET_REQUESTED) {
    draft.activity = ActivityRecord.copy(a, ended);
    applyReset(ctx, draft);
    return RetryState.IN_PROGRESS;
  }
  const policy = a.retryPolicy;
  if (policy === undefined) return RetryState.RETRY_POLICY_NOT_SET;
  if (draft.status === Status.CANCEL_REQUESTED) return RetryState.CANCEL_REQUESTED;
  const interval = delay > 0 ? delay : policyInterval(policy, a.attempt);
  if (!isAllowed) return RetryState.NON_RETRYABLE_FAILURE;
  if (policy.maximumAttempts > 0 && a.attempt >= policy.maximumAttempts) return RetryState.MAXIMUM_ATTEMPTS_REACHED;
  if (a.scheduleToCloseTimeout > 0 && now + interval >= a.scheduleToCloseDeadline) return RetryState.TIMEOUT;
  info.retryInterval = interval;
  info.retryIntervalOfPolicy = delay <= 0;
  const next = { ...ended, attempt: a.attempt + 1 };
  draft.isChanged = true;
  if (draft.status === Status.PAUSE_REQUESTED) {
    info.status = Status.PAUSED;
    draft.activity = ActivityRecord.copy(a, { ...next, waitsForRetry: false });
    draft.isShownChanged = true;
  } else schedule(ctx, draft, now + interval, next);
  return RetryState.IN_PROGRESS;
}

/** The attempt that a reset has waited for has ended: the next is the first again. */
function applyReset(ctx: Context, draft: ActivityDraft): void {
  const { info } = draft;
  const { resetPauses, resetRestores, resetHeartbeat } = info;
  Object.assign(info, { resetPauses: false, resetRestores: false, resetHeartbeat: false });
  if (resetRestores) restoreOptions(draft);
  if (resetHeartbeat) clearHeartbeat(draft);
  info.retryInterval = 0;
  draft.isChanged = true;
  if (resetPauses) {
    info.status = Status.PAUSED;
    draft.activity = ActivityRecord.copy(draft.activity, { attempt: 1, waitsForRetry: false });
    draft.isShownChanged = true;
  } else schedule(ctx, draft, notBeforeDelay(draft, ctx.env.now), { attempt: 1 });
}

export function clearHeartbeat(draft: ActivityDraft): void {
  draft.activity = ActivityRecord.copy(draft.activity, { lastHeartbeatDetails: undefined, lastHeartbeatTime: 0 });
}

/** Whatever is due happens, in the order in which it became due. */
export function fireDue(ctx: Context, draft: ActivityDraft): void {
  for (;;) {
    const next = deadlines(draft).reduce((a, b) => (b.time < a.time ? b : a), {
      time: Number.POSITIVE_INFINITY,
      type: undefined as TimeoutType | undefined,
    });
    if (next.time > ctx.env.now) return;
    if (next.type === undefined) schedule(ctx, draft, draft.activity.attemptScheduledTime);
    else timeOut(ctx, draft, next.type);
  }
}

function timeOut(ctx: Context, draft: ActivityDraft, type: TimeoutType): void {
  const { lastFailure: before, lastHeartbeatDetails: details } = draft.activity;
  const failed = (message: string, of: TimeoutType, cause?: Failure): Failure => ({ ...timeoutFailure(message, of, details, cause), source: "" });
  if (type === TimeoutType.SCHEDULE_TO_START || type === TimeoutType.SCHEDULE_TO_CLOSE) {
    const isCanceling = type === TimeoutType.SCHEDULE_TO_CLOSE && draft.status === Status.CANCEL_REQUESTED;
    const retryState = isCanceling ? RetryState.CANCEL_REQUESTED : RetryState.TIMEOUT;
    close(ctx, draft, Status.TIMED_OUT, { failure: failed(timeoutMessage(type), type, before), retryState });
    return;
  }
  const plain: Failure = { ...timeoutFailure(timeoutMessage(type), type), source: "" };
  const isAllowed = isRetryable(plain, draft.activity.retryPolicy?.nonRetryableErrorTypes ?? []);
  const retryState = retry(ctx, draft, plain, isAllowed, 0);
  if (retryState === RetryState.IN_PROGRESS) return;
  const failure = failed(timeoutMessage(type), type, before);
  if (retryState !== RetryState.TIMEOUT) {
    closeWithAttempt(ctx, draft, Status.TIMED_OUT, failure, retryState);
    return;
  }
  draft.activity = ActivityRecord.copy(draft.activity, { lastFailure: failure, lastAttemptCompleteTime: ctx.env.now });
  close(ctx, draft, Status.TIMED_OUT, { failure: failed(NO_TIME_TO_RETRY, TimeoutType.SCHEDULE_TO_CLOSE, before), retryState });
}
