/** Deadlines of a Nexus operation and of its requests, whether a workflow has scheduled it or it stands alone. */
import type { NexusCancellationRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import {
  NexusOperationCancellationState as CancelState,
  PendingNexusOperationState as State,
} from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { MICROS_PER_MS } from "../../api/time.js";
import type { Limits } from "../../config/limits.js";
import type { NexusCall } from "./calls.js";

/** Microseconds; 0 is none. */
export interface OperationTimes {
  readonly state: State;
  readonly scheduledTime: number;
  readonly startedTime: number;
  readonly scheduleToCloseTimeout: number;
  readonly scheduleToStartTimeout: number;
  readonly startToCloseTimeout: number;
  readonly nextAttemptTime: number;
  readonly cancellation: NexusCancellationRecord | undefined;
}

export interface Deadline {
  readonly time: number;
  readonly what: TimeoutType | "backoff" | "cancelBackoff";
}

export function deadlines(op: OperationTimes): Deadline[] {
  const out: Deadline[] = [];
  const at = (time: number, what: Deadline["what"]) => {
    if (time > 0) out.push({ time, what });
  };
  if (op.scheduleToCloseTimeout > 0) at(op.scheduledTime + op.scheduleToCloseTimeout, TimeoutType.SCHEDULE_TO_CLOSE);
  if (op.state === State.STARTED) {
    if (op.startToCloseTimeout > 0) at(op.startedTime + op.startToCloseTimeout, TimeoutType.START_TO_CLOSE);
  } else if (op.scheduleToStartTimeout > 0) at(op.scheduledTime + op.scheduleToStartTimeout, TimeoutType.SCHEDULE_TO_START);
  if (op.state === State.BACKING_OFF) at(op.nextAttemptTime, "backoff");
  if (op.cancellation?.state === CancelState.BACKING_OFF) at(op.cancellation.nextAttemptTime, "cancelBackoff");
  return out;
}

/** How long a request may take, and what it says of the time that the operation has. */
export function requestTimes(
  op: OperationTimes,
  isCancel: boolean,
  now: number,
  limits: Limits,
): Pick<NexusCall, "timeout" | "tooLate" | "operationTimeout"> {
  let timeout = limits.nexusRequestTimeoutMs * MICROS_PER_MS;
  let bound: TimeoutType | undefined;
  const limit = (end: number, type: TimeoutType) => {
    timeout = Math.min(timeout, end - now);
    bound = type;
  };
  if (isCancel) {
    if (op.startToCloseTimeout > 0) limit(op.startedTime + op.startToCloseTimeout, TimeoutType.START_TO_CLOSE);
    if (op.scheduleToCloseTimeout > 0) limit(op.scheduledTime + op.scheduleToCloseTimeout, TimeoutType.SCHEDULE_TO_CLOSE);
  } else if (op.scheduleToStartTimeout > 0) limit(op.scheduledTime + op.scheduleToStartTimeout, TimeoutType.SCHEDULE_TO_START);
  else if (op.scheduleToCloseTimeout > 0) limit(op.scheduledTime + op.scheduleToCloseTimeout, TimeoutType.SCHEDULE_TO_CLOSE);
  let operationTimeout: number | undefined = op.startToCloseTimeout > 0 ? op.startToCloseTimeout : undefined;
  if (op.scheduleToCloseTimeout > 0)
    operationTimeout = Math.min(op.scheduledTime + op.scheduleToCloseTimeout - now, operationTimeout ?? Number.POSITIVE_INFINITY);
  const tooLate = timeout < limits.nexusRequestTimeoutMsMin * MICROS_PER_MS ? (bound ?? TimeoutType.UNSPECIFIED) : undefined;
  return { timeout, tooLate, operationTimeout };
}
