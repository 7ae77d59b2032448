/**
 * A pending activity: dispatched, started, heartbeated, completed, failed, canceled, timed out, retried. ActivityTaskStarted is
 * written together with the event that ends the activity, so an attempt that is retried leaves no trace in history.
 * Behaviour: service/history/api/*activity*, mutable_state_impl.go RetryActivity and timer_queue_active_task_executor.go of the
 * official server.
 */
import { ActivityControlRecord, ActivityRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { RetryState, TimeoutType, WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { invalidArgument, notFound } from "../../api/service-error.js";
import { encodeTaskToken } from "../../api/task-token.js";
import { duration, durationMicros, timestamp } from "../../api/time.js";
import type { ActivityReference, Poller } from "../input.js";
import { applyRules } from "../rules/workflow-rules.js";
import type { StartedActivity } from "../transition.js";
import { followBuildId, redirectCounter, withBuildId } from "../workflow/build-id.js";
import { eventReference, type Run, Stale } from "../workflow/context.js";
import { notePauses } from "../workflow/derived-attributes.js";
import { inheritedPriority } from "../workflow/priority.js";
import { isRetryable, nextBackoff, nextRetryDelay } from "../workflow/retry-and-cron.js";
import { wakeWorkflow } from "../workflow/signal.js";
import { activityTaskVersion, concernsVersions, mayStartActivity, offerActivitiesAgain } from "../workflow/versioning.js";
import { offerTaskAgain } from "../workflow/workflow-task.js";
import { keptFailure, NO_TIME_TO_RETRY, timeoutFailure, timeoutMessage } from "./failures.js";

const NOT_FOUND = "invalid activityID or activity already timed out or invoking workflow is completed";

/** Offers the activity's current attempt to the pollers of its queue. */
export function dispatchActivity(run: Run, a: ActivityRecord): void {
  const info = run.info;
  // It is offered when what is paused goes on.
  if (a.paused || info.status === WorkflowExecutionStatus.PAUSED) return;
  run.ctx.dispatch.push({
    type: "activity",
    namespaceId: info.namespaceId,
    namespaceKey: run.ctx.env.namespace.key,
    taskQueue: a.taskQueue,
    normalTaskQueue: undefined,
    workflowId: info.workflowId,
    runId: info.runId,
    executionKey: run.draft.key,
    scheduledEventId: a.scheduledEventId,
    attempt: a.attempt,
    stamp: a.stamp,
    priority: a.priority?.priorityKey || info.priority?.priorityKey || 3,
    fairnessKey: a.priority?.fairnessKey || info.priority?.fairnessKey || "",
    fairnessWeight: a.priority?.fairnessWeight || info.priority?.fairnessWeight || 0,
    createTime: run.real(a.attemptScheduledTime),
    expireTime: a.scheduleToStartTimeout > 0 ? run.real(a.attemptScheduledTime + a.scheduleToStartTimeout) : 0,
    version: activityTaskVersion(info, a),
  });
}

/** Deadlines of the activity as it stands; the earliest first decides. Undefined type: the end of a backoff. A paused one has none. */
export function activityDeadlines(a: ActivityRecord): { time: number; type: TimeoutType | undefined }[] {
  return a.paused ? [] : attemptDeadlines(a);
}

/** Those of an activity that is not paused. */
export function attemptDeadlines(a: ActivityRecord): { time: number; type: TimeoutType | undefined }[] {
  const out: { time: number; type: TimeoutType | undefined }[] = [];
  if (a.scheduleToCloseDeadline > 0) out.push({ time: a.scheduleToCloseDeadline, type: TimeoutType.SCHEDULE_TO_CLOSE });
  if (a.startedTime === 0) {
    if (a.waitsForRetry) out.push({ time: a.attemptScheduledTime, type: undefined });
    else if (a.scheduleToStartTimeout > 0) out.push({ time: a.attemptScheduledTime + a.scheduleToStartTimeout, type: TimeoutType.SCHEDULE_TO_START });
  } else {
    if (a.startToCloseTimeout > 0) out.push({ time: a.startedTime + a.startToCloseTimeout, type: TimeoutType.START_TO_CLOSE });
    if (a.heartbeatTimeout > 0) out.push({ time: Math.max(a.startedTime, a.lastHeartbeatTime) + a.heartbeatTimeout, type: TimeoutType.HEARTBEAT });
  }
  return out;
}

/**
 * Which of two timeouts of one moment is the one. An activity that is taken in the microsecond in which it was scheduled has started
 * later all the same: what counts from its schedule comes first.
 */
export function timeoutOrder(type: TimeoutType | undefined): number {
  return type === TimeoutType.START_TO_CLOSE ? TimeoutType.SCHEDULE_TO_CLOSE + 0.5 : (type ?? 0);
}

export function noteDeadlines(run: Run, a: ActivityRecord): void {
  for (const d of activityDeadlines(a)) run.deadline(d.time);
}

/** A poller takes the activity. The same poll request again gets the same answer. */
export function startActivity(run: Run, scheduledEventId: number, attempt: number, stamp: number, poller: Poller): StartedActivity | undefined {
  const a = run.draft.activities.get(scheduledEventId);
  if (!run.isOpen || a === undefined || a.attempt !== attempt || a.stamp !== stamp || a.paused) throw new Stale();
  if (a.startedTime !== 0) {
    if (a.requestId !== poller.requestId) throw new Stale();
    return startedActivity(run, a);
  }
  // Of a later attempt the rules were asked when it was set up.
  if (a.attempt === 1 && run.ctx.env.namespace.workflowRules !== undefined && applyRules(run, a).paused) {
    run.ctx.refused = notFound(`Activity task with this stamp not found: ${stamp}`);
    return undefined;
  }
  if (concernsVersions(run.info, poller) && mayStartActivity(run, a, poller) === "moves") {
    // Not started: it is offered again when the run has arrived.
    offerTaskAgain(run);
    wakeWorkflow(run);
    run.ctx.refused = notFound("activity task is not started: its workflow moves to another worker version");
    return undefined;
  }
  const { versionStamp } = poller;
  if (versionStamp?.useVersioning === true && a.useWorkflowBuildId && followBuildId(run, versionStamp, redirectCounter(run, versionStamp))) {
    offerTaskAgain(run);
    offerActivitiesAgain(run, 0, (other) => other.useWorkflowBuildId && other.scheduledEventId !== scheduledEventId);
  }
  return startedActivity(run, markStarted(run, withBuildId(a, versionStamp), poller));
}

export function markStarted(
  run: Run,
  a: ActivityRecord,
  poller: Pick<Poller, "requestId" | "identity" | "versionStamp" | "deployment" | "controlTaskQueue">,
): ActivityRecord {
  const started: ActivityRecord = ActivityRecord.copy(a, {
    startedTime: run.now,
    startedIdentity: poller.identity,
    requestId: poller.requestId,
    nonce: run.ctx.random.nonce(),
    versionStamp: poller.versionStamp,
    waitsForRetry: false,
  });
  if (poller.controlTaskQueue !== undefined) started.workerControlTaskQueue = poller.controlTaskQueue;
  if (poller.deployment !== undefined) {
    started.workerDeploymentName = poller.deployment.deploymentName;
    started.workerBuildId = poller.deployment.buildId;
  }
  run.draft.putActivity(started);
  noteDeadlines(run, started);
  return started;
}

/** Of the attempt that runs: the same bytes each time, as workers know their tasks by them. */
export function activityToken({ info }: Run, a: ActivityRecord): Uint8Array {
  return encodeTaskToken({
    namespaceId: info.namespaceId,
    workflowId: info.workflowId,
    runId: info.runId,
    scheduledEventId: a.scheduledEventId,
    attempt: a.attempt,
    nonce: a.nonce,
    activityId: a.activityId,
    activityType: a.activityType,
  });
}

export function startedActivity(run: Run, a: ActivityRecord): StartedActivity {
  const info = run.info;
  return {
    response: {
      taskToken: activityToken(run, a),
      workflowNamespace: run.ctx.env.namespace.name,
      workflowType: { name: info.workflowType },
      workflowExecution: { workflowId: info.workflowId, runId: info.runId },
      activityType: { name: a.activityType },
      activityId: a.activityId,
      heartbeatDetails: a.lastHeartbeatDetails,
      scheduledTime: timestamp(a.scheduledTime),
      currentAttemptScheduledTime: timestamp(a.attemptScheduledTime),
      startedTime: timestamp(a.startedTime),
      attempt: a.attempt,
      scheduleToCloseTimeout: duration(a.scheduleToCloseTimeout),
      startToCloseTimeout: duration(a.startToCloseTimeout),
      heartbeatTimeout: duration(a.heartbeatTimeout),
      retryPolicy: a.retryPolicy,
      priority: inheritedPriority(info.priority, a.priority),
    },
    scheduled: eventReference(run.draft, a.scheduledEventId),
    scheduledEventId: a.scheduledEventId,
    nonce: a.nonce,
  };
}

/** The activity that a respond call names, or NotFound. One that is not started can only be completed, by its id. */
export function activityByReference(run: Run, reference: ActivityReference, options = { needsStart: true }): ActivityRecord {
  if (reference.by === "id") {
    const a = run.draft.activityByName(reference.activityId);
    if (a === undefined)
      throw notFound(`cannot find pending activity with ActivityID ${reference.activityId}, check workflow execution history for more details`);
    if (options.needsStart && a.startedTime === 0) throw notFound(NOT_FOUND);
    return a;
  }
  const { token } = reference;
  const a = run.draft.activities.get(token.scheduledEventId);
  if (a === undefined || a.startedTime === 0 || a.attempt !== token.attempt || a.nonce !== token.nonce) throw notFound(NOT_FOUND);
  return a;
}

/** The started event that the end of the activity brings. */
function writeStarted(run: Run, a: ActivityRecord): number {
  const event = run.events.add(
    EventType.ACTIVITY_TASK_STARTED,
    "activityTaskStartedEventAttributes",
    {
      scheduledEventId: a.scheduledEventId,
      identity: a.startedIdentity,
      requestId: a.requestId,
      attempt: a.attempt,
      lastFailure: a.lastFailure,
      workerVersion: a.versionStamp,
      buildIdRedirectCounter: a.useWorkflowBuildId && a.versionStamp?.useVersioning === true ? (run.info.versioning?.redirectCounter ?? 0) : 0,
    },
    a.startedTime,
  );
  return event.eventId;
}

export function heartbeat(
  run: Run,
  reference: ActivityReference,
  details: Uint8Array | undefined,
): { cancelRequested: boolean; activityPaused: boolean; activityReset: boolean } {
  const a = activityByReference(run, reference);
  run.draft.putActivity(ActivityRecord.copy(a, { lastHeartbeatTime: run.now, lastHeartbeatDetails: details }));
  // The deadline moves later only, so the due row stays: it is a lower bound.
  return { cancelRequested: a.cancelRequested, activityPaused: a.paused, activityReset: a.control?.reset === true };
}

export function complete(run: Run, reference: ActivityReference, result: Uint8Array | undefined, identity: string): void {
  let a = activityByReference(run, reference, { needsStart: false });
  if (a.startedTime === 0) a = ActivityRecord.copy(a, { startedTime: run.now, startedIdentity: identity, requestId: "" });
  const startedEventId = writeStarted(run, a);
  run.add(EventType.ACTIVITY_TASK_COMPLETED, "activityTaskCompletedEventAttributes", {
    result,
    scheduledEventId: a.scheduledEventId,
    startedEventId,
    identity,
  });
  endOf(run, a);
}

export function fail(
  run: Run,
  reference: ActivityReference,
  failure: Failure | undefined,
  lastHeartbeatDetails: Uint8Array | undefined,
  identity: string,
): void {
  let a = activityByReference(run, reference);
  if (lastHeartbeatDetails !== undefined) a = ActivityRecord.copy(a, { lastHeartbeatDetails, lastHeartbeatTime: run.now });
  const state = retry(run, a, failure);
  if (state === RetryState.IN_PROGRESS) return;
  const startedEventId = writeStarted(run, a);
  run.draft.putActivity(a);
  run.add(EventType.ACTIVITY_TASK_FAILED, "activityTaskFailedEventAttributes", {
    failure,
    scheduledEventId: a.scheduledEventId,
    startedEventId,
    identity,
    retryState: state,
  });
  endOf(run, a);
}

export function cancel(run: Run, reference: ActivityReference, details: Uint8Array | undefined, identity: string): void {
  const a = activityByReference(run, reference);
  if (!a.cancelRequested) throw invalidArgument("unable to mark activity as canceled without activity being request canceled first");
  const startedEventId = writeStarted(run, a);
  run.add(EventType.ACTIVITY_TASK_CANCELED, "activityTaskCanceledEventAttributes", {
    details,
    latestCancelRequestedEventId: a.cancelRequestedEventId,
    scheduledEventId: a.scheduledEventId,
    startedEventId,
    identity,
  });
  endOf(run, a);
}

function endOf(run: Run, a: ActivityRecord): void {
  if (a.paused) notePauses(run);
  wakeWorkflow(run);
}

/** The next attempt is set up (IN_PROGRESS), or why there is none. */
function retry(run: Run, ended: ActivityRecord, failure: Failure | undefined): RetryState {
  let a = ended;
  const policy = a.retryPolicy;
  if (policy === undefined) return RetryState.RETRY_POLICY_NOT_SET;
  if (a.cancelRequested) return RetryState.CANCEL_REQUESTED;
  const info = failure?.failureInfo;
  if (
    info?.case === "timeoutFailureInfo" &&
    (info.value.timeoutType === TimeoutType.SCHEDULE_TO_START || info.value.timeoutType === TimeoutType.SCHEDULE_TO_CLOSE)
  )
    return RetryState.TIMEOUT;
  if (!isRetryable(failure, policy.nonRetryableErrorTypes)) return RetryState.NON_RETRYABLE_FAILURE;
  if (!a.paused && run.ctx.env.namespace.workflowRules !== undefined) a = applyRules(run, a);
  if (a.paused) {
    run.draft.putActivity(ActivityRecord.copy(a, { ...nextAttempt(run, a, failure), waitsForRetry: false }));
    return RetryState.IN_PROGRESS;
  }
  const maximum = nextRetryDelay(failure) ?? durationMicros(policy.maximumInterval);
  const backoff = nextBackoff(policy, a.attempt, run.now, a.scheduleToCloseDeadline, failure, maximum);
  if (backoff.state !== RetryState.IN_PROGRESS) return backoff.state;
  const next: ActivityRecord = ActivityRecord.copy(a, {
    ...nextAttempt(run, a, failure),
    attemptScheduledTime: run.now + backoff.delay,
    waitsForRetry: true,
  });
  if (a.control?.reset === true || a.control?.resetHeartbeats === true) {
    if (a.control.resetHeartbeats) {
      next.lastHeartbeatDetails = undefined;
      next.lastHeartbeatTime = 0;
    }
    next.control = ActivityControlRecord.copy(a.control, { reset: false, resetHeartbeats: false });
  }
  if (backoff.delay === 0) {
    const now = { ...next, waitsForRetry: false };
    run.draft.putActivity(now);
    noteDeadlines(run, now);
    dispatchActivity(run, now);
  } else {
    run.draft.putActivity(next);
    noteDeadlines(run, next);
  }
  return RetryState.IN_PROGRESS;
}

/** An attempt has ended: what the next one starts with. */
function nextAttempt(run: Run, a: ActivityRecord, failure: Failure | undefined): Partial<ActivityRecord> {
  return {
    attempt: a.attempt + 1,
    startedTime: 0,
    requestId: "",
    nonce: 0,
    startedIdentity: "",
    lastWorkerIdentity: a.startedIdentity,
    lastAttemptCompleteTime: run.now,
    lastFailure: keptFailure(failure, run.ctx.env.config.limits.activityFailureSizeBytesMax),
    versionStamp: undefined,
    workerControlTaskQueue: "",
  };
}

/** A deadline of the activity has passed. */
export function timeOut(run: Run, a: ActivityRecord, type: TimeoutType): void {
  let failure = timeoutFailure(timeoutMessage(type), type);
  const state = retry(run, a, failure);
  if (state === RetryState.IN_PROGRESS) return;
  if (state === RetryState.TIMEOUT && type !== TimeoutType.SCHEDULE_TO_START)
    failure = timeoutFailure(NO_TIME_TO_RETRY, TimeoutType.SCHEDULE_TO_CLOSE);
  if (failure.failureInfo.case === "timeoutFailureInfo") failure.failureInfo.value.lastHeartbeatDetails = a.lastHeartbeatDetails;
  // What made the attempts before fail is what the user needs to see.
  failure.cause = a.lastFailure;
  const startedEventId = a.startedTime === 0 ? 0 : writeStarted(run, a);
  run.add(EventType.ACTIVITY_TASK_TIMED_OUT, "activityTaskTimedOutEventAttributes", {
    failure,
    scheduledEventId: a.scheduledEventId,
    startedEventId,
    retryState: state,
  });
  endOf(run, a);
}

/** The end of a backoff: the next attempt is offered to the pollers. */
export function endBackoff(run: Run, a: ActivityRecord): void {
  const ready = ActivityRecord.copy(a, { waitsForRetry: false });
  run.draft.putActivity(ready);
  noteDeadlines(run, ready);
  dispatchActivity(run, ready);
}

/** The poller that was to have it had gone: the same attempt is offered again. */
export function undelivered(run: Run, scheduledEventId: number, nonce: number): void {
  const a = run.draft.activities.get(scheduledEventId);
  if (!run.isOpen || a === undefined || a.startedTime === 0 || a.nonce !== nonce) throw new Stale();
  const unstarted = { startedTime: 0, requestId: "", nonce: 0, startedIdentity: "", versionStamp: undefined, workerControlTaskQueue: "" };
  const again: ActivityRecord = ActivityRecord.copy(a, unstarted);
  run.draft.putActivity(again);
  noteDeadlines(run, again);
  dispatchActivity(run, again);
}
