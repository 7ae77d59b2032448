/** The options of an activity that an update names by its field mask. Behaviour: common/activityoptions of the official server. */
import { ActivityOptions } from "../../../gen/wire/temporal/api/activity/v1/message.js";
import { ScheduleActivityTaskCommandAttributes } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { Priority, RetryPolicy } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { TaskQueue } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import { invalidArgument } from "../../api/service-error.js";
import { duration } from "../../api/time.js";
import { retryPolicyProblem } from "../workflow/retry-and-cron.js";
import { normalizeActivity } from "./validator.js";

export function mergeOptions(into: ActivityOptions, from: ActivityOptions, mask: ReadonlySet<string>): ActivityOptions {
  const out = { ...into };
  if (mask.has("taskQueue.name")) {
    if (from.taskQueue === undefined) throw invalidArgument("TaskQueue is not provided");
    out.taskQueue = ActivityOptions.create({ taskQueue: { ...out.taskQueue, name: from.taskQueue.name } }).taskQueue;
  }
  for (const name of ["scheduleToCloseTimeout", "scheduleToStartTimeout", "startToCloseTimeout", "heartbeatTimeout", "priority"] as const)
    if (mask.has(name)) Object.assign(out, { [name]: from[name] });
  for (const name of ["priorityKey", "fairnessKey", "fairnessWeight"] as const)
    if (mask.has(`priority.${name}`)) {
      if (from.priority === undefined) throw invalidArgument("Priority is not provided");
      out.priority = { ...Priority.create(out.priority ?? {}), [name]: from.priority[name] };
    }
  if (mask.has("retryPolicy")) {
    if (from.retryPolicy === undefined) throw invalidArgument("RetryPolicy is not provided");
    out.retryPolicy = from.retryPolicy;
  }
  for (const name of ["initialInterval", "backoffCoefficient", "maximumInterval", "maximumAttempts"] as const)
    if (mask.has(`retryPolicy.${name}`)) {
      if (from.retryPolicy === undefined) throw invalidArgument("RetryPolicy is not provided");
      out.retryPolicy = { ...RetryPolicy.create(out.retryPolicy ?? {}), [name]: from.retryPolicy[name] };
    }
  return out;
}

/** What is left out of timeouts is filled in, as when the activity was scheduled. No run's timeout bounds them. */
export function checkedOptions(
  a: { readonly activityId: string; readonly activityType: string },
  o: ActivityOptions,
  mask: ReadonlySet<string>,
  workflowTaskQueue: string,
  limits: Parameters<typeof normalizeActivity>[3],
): ActivityOptions {
  if ([...mask].some((path) => path.startsWith("retryPolicy."))) {
    const problem = retryPolicyProblem(o.retryPolicy);
    if (problem !== undefined) throw problem;
  }
  const normal = normalizeActivity(
    ScheduleActivityTaskCommandAttributes.create({
      activityId: a.activityId,
      activityType: { name: a.activityType },
      taskQueue: o.taskQueue,
      scheduleToCloseTimeout: o.scheduleToCloseTimeout,
      scheduleToStartTimeout: o.scheduleToStartTimeout,
      startToCloseTimeout: o.startToCloseTimeout,
      heartbeatTimeout: o.heartbeatTimeout,
    }),
    0,
    workflowTaskQueue,
    limits,
  );
  if (normal.error !== undefined) throw normal.error;
  const n = normal.options;
  return {
    ...o,
    taskQueue: TaskQueue.create({ name: n.taskQueue, kind: TaskQueueKind.NORMAL }),
    scheduleToCloseTimeout: duration(n.scheduleToClose),
    scheduleToStartTimeout: duration(n.scheduleToStart),
    startToCloseTimeout: duration(n.startToClose),
    heartbeatTimeout: duration(n.heartbeat),
  };
}
