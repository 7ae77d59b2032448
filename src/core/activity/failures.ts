/** Failures of activities that the server makes, and what the state keeps of those that workers report. */
import type { TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { serverFailure, truncateFailure } from "../../api/failure.js";
import { encode } from "../../api/wire.js";
import { timeoutName } from "../workflow/retry-and-cron.js";

export const NO_TIME_TO_RETRY = "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying";

export const timeoutMessage = (type: TimeoutType): string => `activity ${timeoutName(type)} timeout`;

export function timeoutFailure(message: string, timeoutType: TimeoutType, lastHeartbeatDetails?: Uint8Array, cause?: Failure): Failure {
  return Failure.create({
    message,
    source: "Server",
    cause,
    failureInfo: { case: "timeoutFailureInfo", value: { timeoutType, lastHeartbeatDetails } },
  });
}

/** What the state keeps of a failure that is too large for it (limit.mutableStateActivityFailureSize.error). */
export function keptFailure(failure: Failure | undefined, sizeBytesMax: number): Failure | undefined {
  if (failure === undefined || encode(Failure, failure).length <= sizeBytesMax) return failure;
  return serverFailure("Failure exceeds size limit.", truncateFailure(failure, sizeBytesMax), false);
}
