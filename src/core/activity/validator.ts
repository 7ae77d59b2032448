/** What an activity command must say, and what is filled in. Behaviour: chasm/lib/activity/validator.go of the official server. */
import type { ScheduleActivityTaskCommandAttributes } from "../../../gen/wire/temporal/api/command/v1/message.js";
import type { Priority, RetryPolicy } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { invalidArgument, type ServiceError } from "../../api/service-error.js";
import { cappedMicros, durationProblem } from "../../api/time.js";
import type { Limits } from "../../config/limits.js";
import { retryPolicyProblem, withRetryDefaults } from "../workflow/retry-and-cron.js";

/** Microseconds throughout. */
export interface NormalActivity {
  taskQueue: string;
  scheduleToClose: number;
  scheduleToStart: number;
  startToClose: number;
  heartbeat: number;
  retryPolicy: RetryPolicy;
}

export type Normalized = { options: NormalActivity; error?: undefined } | { error: ServiceError; options: NormalActivity };

/** Queues of the server's own workers in each namespace. */
function isInternalQueue(name: string): boolean {
  return name.startsWith("temporal-sys-per-ns-") || name === "temporal-sys-worker-controller-per-ns-tq";
}

export function priorityProblem(p: Priority | undefined): string | undefined {
  if (p === undefined) return undefined;
  if (p.priorityKey < 0) return "priority key can't be negative";
  if (Buffer.byteLength(p.fairnessKey) > 64) return "fairness key length exceeds limit";
  if (p.fairnessWeight < 0) return "must be greater than zero";
  return undefined;
}

/**
 * Timeouts that are not given follow from those that are: schedule-to-close bounds the others, the run timeout bounds all. An
 * activity with neither start-to-close nor schedule-to-close could run for ever and is refused.
 */
export function normalizeActivity(
  a: ScheduleActivityTaskCommandAttributes,
  runTimeout: number,
  workflowTaskQueue: string,
  limits: Pick<Limits, "idLengthMax" | "activityRetry">,
): Normalized {
  const { idLengthMax } = limits;
  const type = a.activityType?.name ?? "";
  const retryPolicy = withRetryDefaults(a.retryPolicy, limits.activityRetry);
  let scheduleToClose = cappedMicros(a.scheduleToCloseTimeout);
  let scheduleToStart = cappedMicros(a.scheduleToStartTimeout);
  let startToClose = cappedMicros(a.startToCloseTimeout);
  let heartbeat = cappedMicros(a.heartbeatTimeout);
  const taskQueue = a.taskQueue?.name ?? "";
  const done = (error?: ServiceError): Normalized => {
    const options = { taskQueue, scheduleToClose, scheduleToStart, startToClose, heartbeat, retryPolicy };
    return error === undefined ? { options } : { error, options };
  };
  if (a.taskQueue === undefined) return done(invalidArgument("taskQueue is not set"));
  if (taskQueue === "") return done(invalidArgument("missing task queue name"));
  if (Buffer.byteLength(taskQueue) > idLengthMax) return done(invalidArgument("taskQueue length exceeds limit"));
  if (taskQueue.startsWith("/_sys/")) return done(invalidArgument("task queue name cannot start with reserved prefix /_sys/"));
  if (isInternalQueue(taskQueue) && !isInternalQueue(workflowTaskQueue))
    return done(invalidArgument(`cannot use internal per-namespace task queue:${taskQueue} (in parent component task queue: ${workflowTaskQueue})`));
  if (a.activityId === "") return done(invalidArgument("activityId is not set"));
  if (type === "") return done(invalidArgument("activityType is not set"));
  const retryProblem = retryPolicyProblem(retryPolicy);
  if (retryProblem !== undefined) return done(retryProblem);
  if (Buffer.byteLength(a.activityId) > idLengthMax)
    return done(invalidArgument(`activityId exceeds length limit. Length=${Buffer.byteLength(a.activityId)} Limit=${idLengthMax}`));
  if (Buffer.byteLength(type) > idLengthMax)
    return done(invalidArgument(`activityType exceeds length limit. Length=${Buffer.byteLength(type)} Limit=${idLengthMax}`));
  const badPriority = priorityProblem(a.priority);
  if (badPriority !== undefined) return done(invalidArgument(`invalid priorities: ${badPriority}`));
  for (const [name, value] of [
    ["ScheduleToCloseTimeout", a.scheduleToCloseTimeout],
    ["ScheduleToStartTimeout", a.scheduleToStartTimeout],
    ["StartToCloseTimeout", a.startToCloseTimeout],
    ["HeartbeatTimeout", a.heartbeatTimeout],
  ] as const) {
    const problem = durationProblem(value);
    if (problem !== undefined) return done(invalidArgument(`invalid ${name}: ${problem}`));
  }
  if (scheduleToClose > 0) {
    scheduleToStart = scheduleToStart > 0 ? Math.min(scheduleToStart, scheduleToClose) : scheduleToClose;
    startToClose = startToClose > 0 ? Math.min(startToClose, scheduleToClose) : scheduleToClose;
  } else if (startToClose > 0) {
    scheduleToClose = runTimeout;
    if (scheduleToStart === 0) scheduleToStart = runTimeout;
  } else
    return done(
      invalidArgument(
        `a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. ActivityId=${a.activityId} ActivityType=${type}`,
      ),
    );
  if (runTimeout > 0) {
    scheduleToClose = Math.min(scheduleToClose, runTimeout);
    scheduleToStart = Math.min(scheduleToStart, runTimeout);
    startToClose = Math.min(startToClose, runTimeout);
    heartbeat = Math.min(heartbeat, runTimeout);
  }
  heartbeat = Math.min(heartbeat, startToClose);
  return done();
}
