/**
 * Rest for the loop while workers are behind. Calls then come one by one, and each is read, applied, committed and answered by itself,
 * though none of them is in a hurry: what limits the work is how fast pollers come. After a small batch the loop sleeps for a
 * millisecond or two, and what came meanwhile shares one read, one batch, one fsync and one write (docs/PERFORMANCE.md has the figures).
 *
 * Workers are behind when polls find tasks that have waited for them, many in a short time. A caller that waits for each answer before
 * the next call meets a poller that waits, so it never rests.
 *
 * Few pollers that ask again as soon as they are answered would get less done. So it is tried first: slices of time without rests and
 * with shorter and longer ones, in turns. The longest that hardly delays the work is kept for a while; where each of them does, there are
 * none. What is done is counted without the inputs of workflow tasks: the fewer of them see the same work, the better.
 */
import type { Runtime } from "../lib/runtime.js";

/** What is tried, in milliseconds, ascending. */
const RESTS_MS = [0, 1, 2] as const;
/** So many tasks within that time had waited for their pollers. */
const BEHIND_TASKS = 4;
const BEHIND_MICROS = 20_000;
/** A larger batch has shared enough already. */
const BATCH_INPUTS_MAX = 32;
/** A slice of a trial, each rest twice. Its beginning, when what the slice before has left undone is made up for, does not count. */
const SLICE_MICROS = 250_000;
const TRIAL_MICROS = 2 * RESTS_MS.length * SLICE_MICROS;
const SETTLING_MICROS = 50_000;
/** What is done without rests over what is done with them, from which on they are in the way. */
const SLOWER = 1.05;
/** How long what a trial has shown is believed: that rests do no harm, and at first and at the most that they do. */
const RESTING_MICROS = 10_000_000;
const HURRY_MICROS_MIN = 2_000_000;
const HURRY_MICROS_MAX = 32_000_000;

export class Pace {
  /** When the last tasks were taken that had waited: a ring. */
  private readonly taken: number[] = new Array<number>(BEHIND_TASKS).fill(Number.NEGATIVE_INFINITY);
  private next = 0;
  private isTrial = true;
  /** Of the trial, or of what it has shown; a trial has no end before it begins. */
  private begin = Number.NEGATIVE_INFINITY;
  /** How long there are no rests where they do harm: twice as long each time that a trial shows it again. */
  private hurryMicros = HURRY_MICROS_MIN / 2;
  private restMs = 0;
  /** What the trial's slices have done, for each of the rests. */
  private readonly done = RESTS_MS.map(() => 0);
  private isRestDue = false;

  constructor(private readonly runtime: Runtime) {}

  /** A poll has found a task that waited for one. */
  tookWaiting(): void {
    this.taken[this.next] = this.runtime.nowMicros();
    this.next = (this.next + 1) % BEHIND_TASKS;
  }

  /** A turn of that many inputs is over; `work` of them are not of workflow tasks. */
  turned(inputs: number, work: number): void {
    const now = this.runtime.nowMicros();
    if (now - (this.taken[this.next] as number) > BEHIND_MICROS) return;
    this.moveOn(now);
    const restMs = this.isTrial ? this.triedRestMs(now, work) : this.restMs;
    if (restMs > 0 && inputs <= BATCH_INPUTS_MAX) this.restSoon(restMs);
  }

  private triedRestMs(now: number, work: number): number {
    const since = now - this.begin;
    const tried = Math.floor(since / SLICE_MICROS) % RESTS_MS.length;
    if (since % SLICE_MICROS >= SETTLING_MICROS) this.done[tried] = (this.done[tried] as number) + work;
    return RESTS_MS[tried] as number;
  }

  private moveOn(now: number): void {
    const since = now - this.begin;
    if (!this.isTrial) {
      if (since > (this.restMs > 0 ? RESTING_MICROS : this.hurryMicros)) this.try(now);
    } else if (since >= 2 * TRIAL_MICROS) {
      // It was interrupted.
      this.try(now);
    } else if (since >= TRIAL_MICROS) this.decide(now);
  }

  private try(now: number): void {
    this.isTrial = true;
    this.begin = now;
    this.done.fill(0);
  }

  private decide(now: number): void {
    const [free = 0] = this.done;
    this.isTrial = false;
    this.begin = now;
    this.restMs = RESTS_MS.findLast((_, i) => (this.done[i] as number) * SLOWER >= free) ?? 0;
    this.hurryMicros = this.restMs > 0 ? HURRY_MICROS_MIN / 2 : Math.min(2 * this.hurryMicros, HURRY_MICROS_MAX);
  }

  private restSoon(ms: number): void {
    if (this.isRestDue) return;
    this.isRestDue = true;
    const { runtime } = this;
    // Answers are written at the end of the next turn of the loop.
    runtime.defer(() => {
      runtime.defer(() => {
        this.isRestDue = false;
        runtime.rest(ms);
      });
    });
  }
}
