/**
 * What becomes of actions that are due while another one runs: each is started, waits, is skipped, or makes the running one end.
 * Pure; any mixture of policies in one buffer has an answer.
 */
import { ScheduleOverlapPolicy as Policy } from "../../../gen/wire/temporal/api/enums/v1/schedule.js";

export interface Overlap<T> {
  /** To be started now: those that may overlap, then at most one that may not. */
  readonly start: readonly T[];
  readonly wait: readonly T[];
  readonly skipped: number;
  /** What is to happen to the one that runs. */
  readonly end: "cancel" | "terminate" | undefined;
}

export function resolveOverlaps<T>(buffer: readonly T[], isRunning: boolean, policyOf: (start: T) => Policy): Overlap<T> {
  let overlapping: T[] = [];
  let alone: T | undefined;
  const wait: T[] = [];
  let skipped = 0;
  let cancel = false;
  let terminate = false;
  for (const start of buffer) {
    const policy = policyOf(start);
    if (policy === Policy.ALLOW_ALL) {
      overlapping.push(start);
      continue;
    }
    // With nothing running the first one starts whatever its policy is.
    if (!isRunning && alone === undefined) {
      alone = start;
      continue;
    }
    switch (policy) {
      case Policy.BUFFER_ONE:
        if (wait.length === 0) wait.push(start);
        else skipped++;
        break;
      case Policy.BUFFER_ALL:
        wait.push(start);
        break;
      case Policy.CANCEL_OTHER:
      case Policy.TERMINATE_OTHER:
        if (isRunning) {
          if (policy === Policy.CANCEL_OTHER) cancel = true;
          else terminate = true;
          wait.push(start);
        } else {
          // The other one has not even begun.
          alone = start;
        }
        break;
      default:
        skipped++;
    }
  }
  // What would be ended at once is not started.
  if (cancel || terminate) overlapping = [];
  return {
    start: alone === undefined ? overlapping : [...overlapping, alone],
    wait,
    skipped,
    end: terminate ? "terminate" : cancel ? "cancel" : undefined,
  };
}
