/** Whether and when something is tried again: retry policies of activities and workflows. Behaviour: common/retrypolicy and service/history/workflow/retry.go of the official server. */
import type { Duration } from "../../../gen/wire/google/protobuf/duration.js";
import type { RetryPolicy } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { RetryState, TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { invalidArgument, type ServiceError } from "../../api/service-error.js";
import { durationMicros, durationProblem } from "../../api/time.js";
import type { RetryDefaults } from "../../config/limits.js";
import type { RunDraft } from "./mutable-state.js";

const NANOS_PER_MS = 1_000_000;
const TIMEOUT_TYPE_PREFIX = "TemporalTimeout:";

/** Names as non_retryable_error_types spells them. */
const TIMEOUT_NAMES: Readonly<Record<number, string>> = {
  [TimeoutType.START_TO_CLOSE]: "StartToClose",
  [TimeoutType.SCHEDULE_TO_START]: "ScheduleToStart",
  [TimeoutType.SCHEDULE_TO_CLOSE]: "ScheduleToClose",
  [TimeoutType.HEARTBEAT]: "Heartbeat",
};

export function timeoutName(type: TimeoutType): string {
  return TIMEOUT_NAMES[type] ?? "Unspecified";
}

export function isRetryable(failure: Failure | undefined, nonRetryableTypes: readonly string[]): boolean {
  const info = failure?.failureInfo;
  switch (info?.case) {
    case "terminatedFailureInfo":
    case "canceledFailureInfo":
      return false;
    case "timeoutFailureInfo": {
      const type = info.value.timeoutType;
      if (type !== TimeoutType.START_TO_CLOSE && type !== TimeoutType.HEARTBEAT) return false;
      return !nonRetryableTypes.includes(TIMEOUT_TYPE_PREFIX + timeoutName(type));
    }
    case "serverFailureInfo":
      return !info.value.nonRetryable;
    case "applicationFailureInfo":
      return !info.value.nonRetryable && !nonRetryableTypes.includes(info.value.type);
    default:
      return true;
  }
}

/** Delay that the worker asked for; undefined when it left that to the policy. */
export function nextRetryDelay(failure: Failure | undefined): number | undefined {
  const info = failure?.failureInfo;
  return info?.case === "applicationFailureInfo" && info.value.nextRetryDelay !== undefined ? durationMicros(info.value.nextRetryDelay) : undefined;
}

export type Backoff =
  | { state: typeof RetryState.IN_PROGRESS; delay: number }
  | { state: Exclude<RetryState, typeof RetryState.IN_PROGRESS>; delay?: undefined };

/**
 * Microseconds until the next attempt, or why there is none. `expiration`: microseconds, 0 is none. `maximum`: longest delay in
 * microseconds, 0 is none; a delay of 0 becomes the maximum, and without one ends the attempts.
 */
export function nextBackoff(
  policy: RetryPolicy,
  attempt: number,
  now: number,
  expiration: number,
  failure: Failure | undefined,
  maximum: number,
): Backoff {
  if (policy.maximumAttempts > 0 && attempt >= policy.maximumAttempts) return { state: RetryState.MAXIMUM_ATTEMPTS_REACHED };
  let delay = nextRetryDelay(failure) ?? durationMicros(policy.initialInterval) * policy.backoffCoefficient ** (Math.max(1, attempt) - 1);
  if (maximum === 0 && delay <= 0) return { state: RetryState.TIMEOUT };
  if (maximum !== 0 && (delay <= 0 || delay > maximum)) delay = maximum;
  delay = Math.round(delay);
  if (expiration > 0 && now + delay > expiration) return { state: RetryState.TIMEOUT };
  return { state: RetryState.IN_PROGRESS, delay };
}

/** Microseconds that the policy puts before the attempt behind this one, counted from 1. */
export function policyInterval(policy: RetryPolicy, attempt: number): number {
  const maximum = durationMicros(policy.maximumInterval);
  const interval = durationMicros(policy.initialInterval) * policy.backoffCoefficient ** (attempt - 1);
  return Math.round(maximum > 0 && (interval <= 0 || interval > maximum) ? maximum : interval);
}

/** The workflow's own retry, decided by its retry policy. */
export function workflowRetry(draft: RunDraft, now: number, failure: Failure | undefined): Backoff {
  const policy = draft.info.retryPolicy;
  if (policy === undefined) return { state: RetryState.RETRY_POLICY_NOT_SET };
  if (!isRetryable(failure, policy.nonRetryableErrorTypes)) return { state: RetryState.NON_RETRYABLE_FAILURE };
  // The delay that a worker asks for does not pass the policy's maximum here, unlike an activity's.
  return nextBackoff(policy, draft.info.attempt, now, draft.info.executionDeadline, failure, durationMicros(policy.maximumInterval));
}

/** Fills what the user left out (history.defaultActivityRetryPolicy, history.defaultWorkflowRetryPolicy). */
export function withRetryDefaults(policy: RetryPolicy | undefined, defaults: RetryDefaults): RetryPolicy {
  const initial = isUnset(policy?.initialInterval) ? durationOfNanos(defaults.InitialIntervalInSeconds * NANOS_PER_MS) : policy?.initialInterval;
  return {
    initialInterval: initial,
    backoffCoefficient: policy?.backoffCoefficient || defaults.BackoffCoefficient,
    maximumInterval: isUnset(policy?.maximumInterval) ? times(initial, Math.trunc(defaults.MaximumIntervalCoefficient)) : policy?.maximumInterval,
    maximumAttempts: policy?.maximumAttempts || defaults.MaximumAttempts,
    nonRetryableErrorTypes: policy?.nonRetryableErrorTypes ?? [],
  };
}

const isUnset = (d: Duration | undefined): boolean => d === undefined || (d.seconds === 0 && d.nanos === 0);

function durationOfNanos(nanos: number): Duration {
  const seconds = Math.trunc(nanos / 1e9);
  return { seconds, nanos: Math.trunc(nanos - seconds * 1e9) };
}

/** To the nanosecond. */
function times(d: Duration | undefined, factor: number): Duration {
  const nanos = durationOfNanos((d?.nanos ?? 0) * factor);
  return { seconds: (d?.seconds ?? 0) * factor + nanos.seconds, nanos: nanos.nanos };
}

/** What the official server refuses in a retry policy whose defaults are filled in. */
export function retryPolicyProblem(policy: RetryPolicy | undefined): ServiceError | undefined {
  if (policy === undefined || policy.maximumAttempts === 1) return undefined;
  let problem = durationProblem(policy.initialInterval);
  if (problem !== undefined) return invalidArgument(`invalid InitialInterval set on retry policy: ${problem}`);
  if (policy.backoffCoefficient < 1) return invalidArgument("BackoffCoefficient cannot be less than 1 on retry policy.");
  problem = durationProblem(policy.maximumInterval);
  if (problem !== undefined) return invalidArgument(`invalid MaximumInterval set on retry policy: ${problem}`);
  const maximum = durationMicros(policy.maximumInterval);
  if (maximum > 0 && maximum < durationMicros(policy.initialInterval))
    return invalidArgument("MaximumInterval cannot be less than InitialInterval on retry policy.");
  if (policy.maximumAttempts < 0) return invalidArgument("MaximumAttempts cannot be negative on retry policy.");
  for (const type of policy.nonRetryableErrorTypes)
    if (type.startsWith(TIMEOUT_TYPE_PREFIX) && !Object.values(TIMEOUT_NAMES).includes(type.slice(TIMEOUT_TYPE_PREFIX.length)))
      return invalidArgument(`Invalid timeout type value: ${type.slice(TIMEOUT_TYPE_PREFIX.length)}.`);
  return undefined;
}
