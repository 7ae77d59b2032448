/**
 * What operators do to a standalone activity: pause, unpause, reset, other options. An attempt that runs goes on and hears of it with
 * its next heartbeat; what was asked for happens when it ends.
 */
import { ActivityRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { ActivityOptions } from "../../../gen/wire/temporal/api/activity/v1/message.js";
import type { ResetActivityExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { failedPrecondition, invalidArgument } from "../../api/service-error.js";
import { durationMicros, durationProblem } from "../../api/time.js";
import { checkedOptions, mergeOptions } from "../activity/options.js";
import type { InputOf } from "../input.js";
import type { Replies } from "../transition.js";
import { fieldPaths } from "../workflow/field-mask.js";
import { policyInterval } from "../workflow/retry-and-cron.js";
import { type ActivityDraft, isWithWorker, Status } from "./activity-state.js";
import { type Context, clearHeartbeat, notBeforeDelay, schedule, statusName } from "./lifecycle.js";
import { currentOptions, firstDispatchTime, restoreOptions, setOptions } from "./options.js";

/** States in which no options are taken. */
const IS_ENDING: ReadonlySet<Status> = new Set([Status.CANCEL_REQUESTED, Status.RESET_REQUESTED]);

function changed(draft: ActivityDraft): void {
  draft.dirty = true;
  draft.isChanged = true;
}

const stamped = (draft: ActivityDraft, changes: Partial<ActivityRecord> = {}): ActivityRecord =>
  ActivityRecord.copy(draft.activity, { stamp: draft.activity.stamp + 1, ...changes });

function jittered(ctx: Context, jitter: number): number {
  return jitter > 0 ? ctx.env.now + Math.floor(ctx.random.float() * jitter) : ctx.env.now;
}

/** When the attempt that a retry has set up may begin; 0 when none has. */
const retryTime = ({ info, activity }: ActivityDraft): number => (info.retryInterval > 0 ? activity.lastAttemptCompleteTime + info.retryInterval : 0);

export function pause(ctx: Context, draft: ActivityDraft, { request }: InputOf<"pauseActivityExecution">): void {
  const { info } = draft;
  if (request.requestId === info.pauseRequestId) return;
  if (draft.status === Status.SCHEDULED) {
    info.status = Status.PAUSED;
    draft.activity = stamped(draft, { waitsForRetry: false });
    draft.isShownChanged = true;
  } else if (draft.status === Status.STARTED) info.status = Status.PAUSE_REQUESTED;
  else throw failedPrecondition(`activity is in non-pausable state ${statusName(draft.status)}`);
  info.pauseRequestId = request.requestId;
  changed(draft);
}

export function unpause(ctx: Context, draft: ActivityDraft, { request }: InputOf<"unpauseActivityExecution">): void {
  const { info } = draft;
  if (request.requestId === info.unpauseRequestId) return;
  if (!draft.isOpen) throw failedPrecondition(`activity is in terminal state ${statusName(draft.status)}`);
  if (draft.status === Status.PAUSED) {
    const time = Math.max(notBeforeDelay(draft, jittered(ctx, durationMicros(request.jitter))), retryTime(draft));
    draft.activity = stamped(draft);
    schedule(ctx, draft, time);
    draft.isShownChanged = true;
  } else if (draft.status === Status.PAUSE_REQUESTED) info.status = Status.STARTED;
  else throw failedPrecondition(`activity is in non-unpausable state ${statusName(draft.status)}`);
  info.unpauseRequestId = request.requestId;
  changed(draft);
}

export function reset(ctx: Context, draft: ActivityDraft, { request }: InputOf<"resetActivityExecution">): void {
  const { info } = draft;
  if (request.requestId === info.resetRequestId) return;
  switch (draft.status) {
    case Status.CANCEL_REQUESTED:
      throw failedPrecondition("cannot reset an activity with a pending cancellation");
    case Status.RESET_REQUESTED:
      throw failedPrecondition("cannot reset an activity with a pending reset");
    case Status.STARTED:
    case Status.PAUSE_REQUESTED:
      if (request.restoreOriginalOptions) info.resetRestores = true;
      if (request.resetHeartbeat) info.resetHeartbeat = true;
      info.resetPauses = request.keepPaused && draft.status === Status.PAUSE_REQUESTED;
      info.status = Status.RESET_REQUESTED;
      break;
    case Status.SCHEDULED:
    case Status.PAUSED:
      resetNow(ctx, draft, request);
      break;
    default:
      throw failedPrecondition("activity execution is not running");
  }
  info.resetRequestId = request.requestId;
  changed(draft);
}

function resetNow(ctx: Context, draft: ActivityDraft, request: ResetActivityExecutionRequest): void {
  if (request.restoreOriginalOptions) restoreOptions(draft);
  if (request.resetHeartbeat) clearHeartbeat(draft);
  draft.info.retryInterval = 0;
  draft.activity = stamped(draft, { attempt: 1 });
  if (draft.status === Status.PAUSED) {
    if (request.keepPaused) return;
    draft.isShownChanged = true;
  }
  schedule(ctx, draft, notBeforeDelay(draft, jittered(ctx, durationMicros(request.jitter))));
}

export function updateOptions(
  ctx: Context,
  draft: ActivityDraft,
  { request }: InputOf<"updateActivityExecutionOptions">,
): Replies["updateActivityExecutionOptions"] {
  const { info } = draft;
  if (request.requestId === info.updateRequestId) return { activityOptions: currentOptions(draft) };
  if (!draft.isOpen || IS_ENDING.has(draft.status))
    throw failedPrecondition(`Cannot update options for activity in state ${statusName(draft.status)}`);
  const mask = fieldPaths(request.updateMask?.paths ?? []);
  const given = ActivityOptions.create(request.activityOptions ?? {});
  const isDelayChanged = mask.has("startDelay");
  if (isDelayChanged) checkDelay(ctx, draft, given);
  if (request.restoreOriginal) restoreOptions(draft);
  else {
    const merged = mergeOptions(currentOptions(draft), given, mask);
    // Its own queue was taken before, whatever its name.
    const checked = checkedOptions(draft.activity, merged, mask, merged.taskQueue?.name ?? "", ctx.env.config.limits);
    setOptions(draft, isDelayChanged ? { ...checked, startDelay: given.startDelay } : checked);
  }
  const isPolicyChanged = request.restoreOriginal || [...mask].some((p) => p === "retryPolicy" || p.startsWith("retryPolicy."));
  const { activity: a } = draft;
  if (!isWithWorker(draft.status) && info.retryInterval > 0 && info.retryIntervalOfPolicy && isPolicyChanged && a.retryPolicy !== undefined)
    info.retryInterval = policyInterval(a.retryPolicy, a.attempt - 1);
  draft.activity = stamped(draft);
  if (draft.status === Status.SCHEDULED) schedule(ctx, draft, retryTime(draft) || notBeforeDelay(draft, ctx.env.now));
  info.updateRequestId = request.requestId;
  changed(draft);
  return { activityOptions: currentOptions(draft) };
}

function checkDelay(ctx: Context, draft: ActivityDraft, { startDelay }: ActivityOptions): void {
  const problem = durationProblem(startDelay);
  if (problem !== undefined) throw invalidArgument(`invalid StartDelay: ${problem}`);
  if (durationMicros(startDelay) > 0 && !ctx.env.config.limits.activityStartDelay)
    throw invalidArgument("start_delay is not enabled for this namespace");
  const isWaiting = firstDispatchTime(draft) > ctx.env.now || (draft.info.firstStartedTime === 0 && draft.status === Status.PAUSED);
  if (!isWaiting) throw failedPrecondition("cannot update start_delay: the first activity attempt has already been dispatched");
}
