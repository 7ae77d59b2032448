/** How far the attempts of something that leaves the server have come: the fields that describe it have these names in every message. */
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import { timestamp } from "../api/time.js";

/** Times in microseconds; 0 is none. */
export interface Attempts {
  readonly attempt: number;
  readonly lastAttemptCompleteTime: number;
  readonly lastAttemptFailure: Failure | undefined;
  readonly nextAttemptTime: number;
}

export const attemptsOf = ({ attempt, lastAttemptCompleteTime, lastAttemptFailure, nextAttemptTime }: Attempts) => ({
  attempt,
  lastAttemptCompleteTime: timestamp(lastAttemptCompleteTime),
  lastAttemptFailure,
  nextAttemptScheduleTime: timestamp(nextAttemptTime),
});
