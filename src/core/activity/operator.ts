/**
 * What operators do to the pending activities of a workflow: pause, unpause, reset, other options. None of it makes an event; a
 * running attempt goes on and hears of it with its next heartbeat. Activities are named by id, by type, or all at once.
 * Behaviour: service/history/workflow/activity.go and service/history/api/{pause,unpause,reset}activity, updateactivityoptions of
 * the official server.
 */
import { ActivityControlRecord, ActivityRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { ActivityOptions } from "../../../gen/wire/temporal/api/activity/v1/message.js";
import { RetryPolicy } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type { ActivityTaskScheduledEventAttributes } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type {
  PauseActivityRequest,
  ResetActivityRequest,
  UnpauseActivityRequest,
  UpdateActivityOptionsRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { failedPrecondition, invalidArgument, notFound } from "../../api/service-error.js";
import { duration, durationMicros } from "../../api/time.js";
import { assert } from "../../lib/assert.js";
import type { Replies } from "../transition.js";
import type { Context, Run } from "../workflow/context.js";
import { notePauses } from "../workflow/derived-attributes.js";
import { fieldPaths } from "../workflow/field-mask.js";
import type { RunState } from "../workflow/mutable-state.js";
import { policyInterval } from "../workflow/retry-and-cron.js";
import { WORKFLOW_COMPLETED } from "../workflow/signal.js";
import { checkedOptions, mergeOptions } from "./options.js";
import { dispatchActivity, noteDeadlines } from "./statemachine.js";

const NOT_FOUND = "Can't find pending activity with such ID. Invalid activityID or activity already completed";

type Named = { case: "id" | "type"; value: string } | { case: "unpauseAll" | "matchAll"; value: boolean } | { case: undefined; value?: undefined };

function named(run: Run, name: Named): ActivityRecord[] {
  const { draft } = run;
  let found: ActivityRecord[] = [];
  if (name.case === "id") {
    const a = draft.activityByName(name.value);
    if (a !== undefined) found = [a];
  } else if (name.case === "type") found = [...draft.activities.values()].filter((a) => a.activityType === name.value);
  else if (name.case !== undefined) found = [...draft.activities.values()];
  if (found.length === 0) throw notFound(NOT_FOUND);
  return found;
}

/** Waits for a poller, or for the time to be offered to one. */
const isScheduled = (a: ActivityRecord): boolean => a.startedTime === 0 && !a.cancelRequested;

const control = (a: ActivityRecord, changes: Partial<ActivityControlRecord>): ActivityControlRecord =>
  ActivityControlRecord.copy(a.control ?? ActivityControlRecord.create({}), changes);

export function pauseActivity(run: Run, request: PauseActivityRequest): undefined {
  for (const a of named(run, request.activity as Named))
    pause(run, a, { pauseIdentity: request.identity, pauseReason: request.reason, pauseRequestId: request.requestId });
  notePauses(run);
  return undefined;
}

/** Answers the activity as it is now. Its workflow's pause attribute is the caller's. */
export function pause(
  run: Run,
  a: ActivityRecord,
  by: { pauseIdentity?: string; pauseReason?: string; pauseRequestId?: string; ruleId?: string },
): ActivityRecord {
  if (a.paused) {
    if ((a.control?.pauseRequestId ?? "") === (by.pauseRequestId ?? "")) return a;
    throw failedPrecondition("activity is already paused");
  }
  const paused = ActivityRecord.copy(a, {
    paused: true,
    // An attempt that is with a worker may end; one on its way to a worker does not arrive.
    stamp: isScheduled(a) ? a.stamp + 1 : a.stamp,
    control: control(a, { pauseIdentity: "", pauseReason: "", pauseRequestId: "", ruleId: "", pauseTime: run.now, ...by }),
  });
  run.draft.putActivity(paused);
  return paused;
}

const unpaused = (a: ActivityRecord): ActivityRecord =>
  ActivityRecord.copy(a, {
    paused: false,
    stamp: a.stamp + 1,
    control: control(a, { pauseTime: 0, pauseIdentity: "", pauseReason: "", pauseRequestId: "", ruleId: "" }),
  });

const NO_HEARTBEAT = { lastHeartbeatDetails: undefined, lastHeartbeatTime: 0 };

export function unpauseActivity(run: Run, request: UnpauseActivityRequest): undefined {
  for (const a of named(run, request.activity as Named)) {
    if (!a.paused) continue;
    let next = unpaused(a);
    if (request.resetAttempts) next = ActivityRecord.copy(next, { attempt: 1 });
    if (request.resetHeartbeat) next = ActivityRecord.copy(next, NO_HEARTBEAT);
    if (isScheduled(next)) schedule(run, next, jittered(run, durationMicros(request.jitter)));
    else keep(run, next);
  }
  notePauses(run);
  return undefined;
}

function jittered(run: Run, jitter: number): number {
  return jitter > 0 ? run.now + Math.floor(run.ctx.random.float() * jitter) : run.now;
}

/** The attempt is offered to the pollers at that time, as if there had been none before it. */
function schedule(run: Run, a: ActivityRecord, time: number): void {
  const next = ActivityRecord.copy(a, {
    ...(a.control?.resetHeartbeats === true ? NO_HEARTBEAT : {}),
    attemptScheduledTime: time,
    startedTime: 0,
    requestId: "",
    nonce: 0,
    startedIdentity: "",
    lastWorkerIdentity: a.startedIdentity || a.lastWorkerIdentity,
    lastFailure: undefined,
    waitsForRetry: time > run.now,
    control: a.control === undefined ? undefined : control(a, { reset: false, resetHeartbeats: false }),
  });
  keep(run, next);
  if (!next.waitsForRetry) dispatchActivity(run, next);
}

function keep(run: Run, a: ActivityRecord): void {
  run.draft.putActivity(a);
  noteDeadlines(run, a);
}

export function resetActivity(run: Run, request: ResetActivityRequest): undefined {
  const { resetHeartbeat, keepPaused, restoreOriginalOptions } = request;
  for (const a of named(run, request.activity as Named)) {
    const wasPaused = a.paused;
    let next = ActivityRecord.copy(a, {
      attempt: 1,
      control: control(a, { reset: true, resetHeartbeats: resetHeartbeat || a.control?.resetHeartbeats === true }),
    });
    if (restoreOriginalOptions) {
      const o = scheduledEvent(run, a);
      next = withOptions(next, {
        ...optionsOf(next),
        taskQueue: o.taskQueue,
        scheduleToCloseTimeout: o.scheduleToCloseTimeout,
        scheduleToStartTimeout: o.scheduleToStartTimeout,
        startToCloseTimeout: o.startToCloseTimeout,
        heartbeatTimeout: o.heartbeatTimeout,
        retryPolicy: o.retryPolicy,
      });
    }
    if (wasPaused && !keepPaused) next = unpaused(next);
    const isRunning = next.startedTime !== 0 && !next.cancelRequested;
    if (isRunning || next.paused) {
      keep(run, next);
      continue;
    }
    if (!wasPaused) next = ActivityRecord.copy(next, { stamp: next.stamp + 1 });
    if (!isScheduled(next)) keep(run, next);
    else schedule(run, resetHeartbeat ? ActivityRecord.copy(next, NO_HEARTBEAT) : next, jittered(run, durationMicros(request.jitter)));
  }
  notePauses(run);
  return undefined;
}

function scheduledEvent(run: Run, a: ActivityRecord): ActivityTaskScheduledEventAttributes {
  const { attributes } = run.ctx.event(run, a.scheduledEventId);
  assert(attributes.case === "activityTaskScheduledEventAttributes", "an activity's scheduled event");
  return attributes.value;
}

/** As they are now. Types of errors that are not retried are no option: they stay. */
const optionsOf = (a: ActivityRecord): ActivityOptions =>
  ActivityOptions.create({
    taskQueue: { name: a.taskQueue },
    scheduleToCloseTimeout: duration(a.scheduleToCloseTimeout),
    scheduleToStartTimeout: duration(a.scheduleToStartTimeout),
    startToCloseTimeout: duration(a.startToCloseTimeout),
    heartbeatTimeout: duration(a.heartbeatTimeout),
    priority: a.priority,
    retryPolicy: { ...RetryPolicy.create(a.retryPolicy ?? {}), nonRetryableErrorTypes: [] },
  });

/** With a new stamp: a task that was made under the old options does not find it. */
function withOptions(a: ActivityRecord, o: ActivityOptions): ActivityRecord {
  const scheduleToClose = durationMicros(o.scheduleToCloseTimeout);
  return ActivityRecord.copy(a, {
    taskQueue: o.taskQueue?.name ?? "",
    scheduleToCloseTimeout: scheduleToClose,
    scheduleToStartTimeout: durationMicros(o.scheduleToStartTimeout),
    startToCloseTimeout: durationMicros(o.startToCloseTimeout),
    heartbeatTimeout: durationMicros(o.heartbeatTimeout),
    scheduleToCloseDeadline: scheduleToClose > 0 ? a.firstScheduledTime + scheduleToClose : 0,
    priority: o.priority,
    retryPolicy: {
      ...RetryPolicy.create(o.retryPolicy ?? {}),
      nonRetryableErrorTypes: a.retryPolicy?.nonRetryableErrorTypes ?? [],
    },
    stamp: a.stamp + 1,
    control: control(a, { optionsChanged: true }),
  });
}

export function updateActivityOptions(state: RunState, ctx: Context, request: UpdateActivityOptionsRequest): Replies["updateActivityOptions"] {
  const mask = fieldPaths(request.updateMask?.paths ?? []);
  if (request.restoreOriginal && mask.size > 0) throw invalidArgument("Both UpdateMask and RestoreOriginal are provided");
  if (!state.isOpen && !request.restoreOriginal) throw notFound(WORKFLOW_COMPLETED);
  const run = ctx.open(state);
  if (!request.restoreOriginal && request.activityOptions === undefined) throw invalidArgument("ActivityOptions are not provided");
  const activities = named(run, request.activity as Named);
  if (!request.restoreOriginal && request.updateMask === undefined) throw invalidArgument("UpdateMask is not provided");
  let options: ActivityOptions | undefined;
  for (const a of activities) {
    if (request.restoreOriginal) {
      const o = scheduledEvent(run, a);
      options = ActivityOptions.create({
        taskQueue: { name: o.taskQueue?.name ?? "" },
        scheduleToCloseTimeout: o.scheduleToCloseTimeout,
        scheduleToStartTimeout: o.scheduleToStartTimeout,
        startToCloseTimeout: o.startToCloseTimeout,
        heartbeatTimeout: o.heartbeatTimeout,
        priority: o.priority,
        retryPolicy: o.retryPolicy,
      });
    } else {
      const merged = mergeOptions(optionsOf(a), ActivityOptions.create(request.activityOptions ?? {}), mask);
      options = checkedOptions(a, merged, mask, run.info.taskQueue, run.ctx.env.config.limits);
    }
    const next = withOptions(a, options);
    if (isScheduled(next)) schedule(run, next, nextAttemptTime(next));
    else keep(run, next);
  }
  return { activityOptions: options };
}

/** The wait before an attempt follows the policy as it is now. */
function nextAttemptTime(a: ActivityRecord): number {
  const policy = a.retryPolicy;
  if (a.attempt <= 1 || policy === undefined) return a.attemptScheduledTime;
  const interval = policyInterval(policy, a.attempt);
  return interval > 0 ? a.lastAttemptCompleteTime + interval : a.attemptScheduledTime;
}
