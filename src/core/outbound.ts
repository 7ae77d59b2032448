/** Calls that leave the store (OutboundRecord.kind). Numbers are stored. */
export enum OutboundKind {
  START_OPERATION = 1,
  CANCEL_OPERATION = 2,
  CALLBACK = 3,
  /** Commands for a worker, by its control queue. */
  WORKER_COMMANDS = 4,
}

const RETRY_MICROS_MIN = 1_000_000;
const RETRY_MICROS_MAX = 3_600_000_000;

/** Pause before the next attempt: a second, doubled each time up to an hour, a fifth of it by chance (0 to 1). */
export function outboundBackoff(attempt: number, chance: number): number {
  const full = Math.min(RETRY_MICROS_MIN * 2 ** Math.min(attempt - 1, 30), RETRY_MICROS_MAX);
  return Math.floor(full * (0.8 + 0.2 * chance));
}
