/**
 * The time of an execution. Most follow the clock of their namespace, which is real time outside of tests; one that asked for time
 * skipping, or whose chain or parent had skipped, has a clock of its own: real time, plus what the namespace was ahead when it
 * began, plus what it has skipped.
 */
import type { TimeSkippingRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Env } from "../input.js";
import type { RunDraft } from "./mutable-state.js";

/** Clock of table `due` that is real time. */
export const REAL_CLOCK = 0;

export const clockIdOf = (env: Env): number => env.clock?.id ?? REAL_CLOCK;
export const realNow = (env: Env): number => env.now - (env.clock?.offset ?? 0);

/** How far an execution's own clock is ahead of real time. */
export const aheadOf = (own: TimeSkippingRecord): number => own.base + own.skipped;

export function executionNow(env: Env, own: TimeSkippingRecord | undefined): number {
  return own === undefined ? env.now : realNow(env) + aheadOf(own);
}

/** Clock that the due row of a run is kept in: deadlines of a namespace's clock move with it; the end of retention is real. */
export function dueClockOf(env: Env, draft: Pick<RunDraft, "isOpen" | "timeSkipping">): number {
  return draft.isOpen && draft.timeSkipping === undefined ? clockIdOf(env) : REAL_CLOCK;
}

/** The present in the clock of a due row. A row that its run has not moved to its new clock yet counts by that one. */
export function dueNow(env: Env, dueClock: number): number {
  return dueClock === REAL_CLOCK ? realNow(env) : env.now;
}
