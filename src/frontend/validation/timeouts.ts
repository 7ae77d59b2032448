/** Checks on durations, retry policies, cron schedules and start delays, with their defaults. */
import type { Duration } from "../../../gen/wire/google/protobuf/duration.js";
import type { RetryPolicy } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { invalidArgument, type ServiceError } from "../../api/service-error.js";
import { cappedMicros, DURATION_MICROS_MAX, duration, MICROS_PER_SECOND } from "../../api/time.js";
import type { RetryDefaults } from "../../config/limits.js";
import { withRetryDefaults } from "../../core/workflow/retry-and-cron.js";
import { parseCron } from "../../lib/cron.js";

const WORKFLOW_TASK_TIMEOUT_MAX = 120 * MICROS_PER_SECOND;
const TIMEOUT_TYPE_PREFIX = "TemporalTimeout:";
/** Names that Go's TimeoutTypeFromString knows, the unspecified one excepted. */
const TIMEOUT_TYPES: ReadonlySet<string> = new Set(
  ["StartToClose", "ScheduleToStart", "ScheduleToClose", "Heartbeat"].flatMap((name) => [
    name,
    `TIMEOUT_TYPE_${name.replace(/(?!^)([A-Z])/g, "_$1").toUpperCase()}`,
  ]),
);

/** Cuts a duration to the longest that is kept; throws what `refuse` makes of the official reason when it is not one. */
export function checkDuration(d: Duration | undefined, refuse: (reason: string) => ServiceError): void {
  if (d === undefined) return;
  if ((d.seconds > 0 && d.nanos < 0) || (d.seconds < 0 && d.nanos > 0)) throw refuse("duration has seconds and nanos with different signs");
  if (d.seconds < 0 || d.nanos < 0) throw refuse("negative duration");
  if (d.seconds >= DURATION_MICROS_MAX / MICROS_PER_SECOND) {
    d.seconds = DURATION_MICROS_MAX / MICROS_PER_SECOND;
    d.nanos = 0;
  }
}

interface TimeoutRequest {
  workflowExecutionTimeout: Duration | undefined;
  workflowRunTimeout: Duration | undefined;
  workflowTaskTimeout: Duration | undefined;
}

export function validateWorkflowTimeouts(request: TimeoutRequest): void {
  const refuse = (field: string) => (reason: string) => invalidArgument(`An invalid ${field} is set on request. cause: ${reason}`);
  checkDuration(request.workflowExecutionTimeout, refuse("WorkflowExecutionTimeoutSeconds"));
  checkDuration(request.workflowRunTimeout, refuse("WorkflowRunTimeoutSeconds"));
  checkDuration(request.workflowTaskTimeout, refuse("WorkflowTaskTimeoutSeconds"));
}

/** Makes the timeouts consistent: a run not longer than its chain, a workflow task not longer than its run. */
export function normalizeWorkflowTimeouts(request: TimeoutRequest, defaultWorkflowTaskTimeout: number): void {
  const execution = cappedMicros(request.workflowExecutionTimeout);
  const asked = cappedMicros(request.workflowRunTimeout);
  const run = execution === 0 ? asked : asked === 0 ? execution : Math.min(asked, execution);
  if (run !== asked) request.workflowRunTimeout = duration(run);
  const task = cappedMicros(request.workflowTaskTimeout);
  const wanted = Math.min(task === 0 ? defaultWorkflowTaskTimeout : task, WORKFLOW_TASK_TIMEOUT_MAX);
  const next = run === 0 ? wanted : Math.min(wanted, run);
  if (next !== task) request.workflowTaskTimeout = duration(next);
}

/** Fills what the policy leaves open, then checks it. No policy means no retry. */
export function validateRetryPolicy(policy: RetryPolicy | undefined, defaults: RetryDefaults): void {
  if (policy === undefined) return;
  Object.assign(policy, withRetryDefaults(policy, defaults));

  // A policy of one attempt is never applied: the rest of it does not matter.
  if (policy.maximumAttempts === 1) return;
  checkDuration(policy.initialInterval, (reason) => invalidArgument(`invalid InitialInterval set on retry policy: ${reason}`));
  if (policy.backoffCoefficient < 1) throw invalidArgument("BackoffCoefficient cannot be less than 1 on retry policy.");
  checkDuration(policy.maximumInterval, (reason) => invalidArgument(`invalid MaximumInterval set on retry policy: ${reason}`));
  const initial = policy.initialInterval;
  const maximum = policy.maximumInterval;
  if (initial !== undefined && maximum !== undefined && maximum.seconds * 1e9 + maximum.nanos < initial.seconds * 1e9 + initial.nanos)
    throw invalidArgument("MaximumInterval cannot be less than InitialInterval on retry policy.");
  if (policy.maximumAttempts < 0) throw invalidArgument("MaximumAttempts cannot be negative on retry policy.");
  for (const type of policy.nonRetryableErrorTypes) {
    if (!type.startsWith(TIMEOUT_TYPE_PREFIX)) continue;
    const name = type.slice(TIMEOUT_TYPE_PREFIX.length);
    if (!TIMEOUT_TYPES.has(name)) throw invalidArgument(`Invalid timeout type value: ${name}.`);
  }
}

export function validateStartDelay(cronSchedule: string, startDelay: Duration | undefined): void {
  if (cronSchedule !== "" && startDelay !== undefined) throw invalidArgument("CronSchedule and WorkflowStartDelay may not be used together.");
  checkDuration(startDelay, (reason) => invalidArgument(`An invalid WorkflowStartDelaySeconds is set on request. cause: ${reason}`));
}

export function validateCronSchedule(spec: string, nowMicros: number): void {
  if (spec === "") return;
  const schedule = parseCron(spec);
  if (schedule === undefined) throw invalidArgument("invalid CronSchedule.");
  if (schedule.next(nowMicros) === undefined) throw invalidArgument("invalid CronSchedule, no time can be found to satisfy the schedule");
}
