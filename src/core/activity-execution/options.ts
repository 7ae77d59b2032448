/** The options of a standalone activity: what it was started with, what it has now, and the deadline that follows from them. */
import { ActivityRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { ActivityOptions } from "../../../gen/wire/temporal/api/activity/v1/message.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { StartActivityExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration, durationMicros } from "../../api/time.js";
import type { ActivityDraft } from "./activity-state.js";

export function optionsOfStart(r: StartActivityExecutionRequest): ActivityOptions {
  return ActivityOptions.create({
    taskQueue: r.taskQueue,
    scheduleToCloseTimeout: r.scheduleToCloseTimeout,
    scheduleToStartTimeout: r.scheduleToStartTimeout,
    startToCloseTimeout: r.startToCloseTimeout,
    heartbeatTimeout: r.heartbeatTimeout,
    retryPolicy: r.retryPolicy,
    priority: r.priority,
    startDelay: r.startDelay,
  });
}

/** When the first attempt may begin. */
export const firstDispatchTime = ({ info, activity }: Pick<ActivityDraft, "info" | "activity">): number => activity.scheduledTime + info.startDelay;

export function currentOptions(draft: ActivityDraft): ActivityOptions {
  const { activity: a, info } = draft;
  return ActivityOptions.create({
    taskQueue: { name: a.taskQueue, kind: TaskQueueKind.NORMAL },
    scheduleToCloseTimeout: duration(a.scheduleToCloseTimeout),
    scheduleToStartTimeout: duration(a.scheduleToStartTimeout),
    startToCloseTimeout: duration(a.startToCloseTimeout),
    heartbeatTimeout: duration(a.heartbeatTimeout),
    retryPolicy: a.retryPolicy,
    priority: a.priority,
    startDelay: info.startDelay > 0 ? duration(info.startDelay) : undefined,
  });
}

export function setOptions(draft: ActivityDraft, o: ActivityOptions): void {
  const { info, activity: a } = draft;
  const scheduleToClose = durationMicros(o.scheduleToCloseTimeout);
  const taskQueue = o.taskQueue?.name ?? "";
  if (taskQueue !== a.taskQueue) draft.isShownChanged = true;
  // A delay that is over moves nothing any more but the deadline.
  const startDelay = durationMicros(o.startDelay);
  if (startDelay !== info.startDelay) draft.isShownChanged = true;
  info.startDelay = startDelay;
  draft.activity = ActivityRecord.copy(a, {
    taskQueue,
    scheduleToCloseTimeout: scheduleToClose,
    scheduleToStartTimeout: durationMicros(o.scheduleToStartTimeout),
    startToCloseTimeout: durationMicros(o.startToCloseTimeout),
    heartbeatTimeout: durationMicros(o.heartbeatTimeout),
    scheduleToCloseDeadline: scheduleToClose > 0 ? a.scheduledTime + startDelay + scheduleToClose : 0,
    retryPolicy: o.retryPolicy,
    priority: o.priority,
  });
}

/** To those that it was started with. The delay of the start is over once an attempt has begun. */
export function restoreOptions(draft: ActivityDraft): void {
  const { info, request } = draft;
  const options = ActivityOptions.create(request.options ?? {});
  setOptions(draft, info.firstStartedTime === 0 ? options : { ...options, startDelay: duration(info.startDelay) });
}
