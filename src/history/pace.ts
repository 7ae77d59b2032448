/**
 * Rest for the loop while workers are behind. Calls then come one by one, and each is read, applied, committed and answered by itself,
 * though none of them is in a hurry: what limits the work is how fast pollers come. After a small batch the loop sleeps for a
 * millisecond or two, and what came meanwhile shares one read, one batch, one fsync and one write (docs/PERFORMANCE.md has the figures).
 * What came during the batch waits for the end of the rest too, instead of making a batch of one or two before it.
 *
 * Workers are behind when polls find tasks that have waited for them, many in a short time. A caller that waits for each answer before
 * the next call meets a poller that waits, so it never rests.
 *
 * Few pollers that ask again as soon as they are answered would get less done. So it is tried first: slices of time without rests and
 * with shorter and longer ones, in turns. The longest that hardly delays the work is kept for a while, or until it is other work; where
 * each of them does, there are none. What is done is counted without the inputs of workflow tasks: the fewer of them see the same work,
 * the better. Time in which nothing could be done, because a disk or the machine stood still, does not count.
 */
import { MICROS_PER_MS } from "../api/time.js";
import type { Runtime } from "../lib/runtime.js";

/** What is tried, in milliseconds, ascending. */
const RESTS_MS = [0, 1, 2] as const;
const REST_MS_MAX = Math.max(...RESTS_MS);
/** So many tasks within that time had waited for their pollers. */
const BEHIND_TASKS = 4;
const BEHIND_MICROS = 20_000;
/** Of how long tasks have waited, the last so many count for the most part. */
const WAITS = 32;
/** A larger batch has shared enough already. */
const BATCH_INPUTS_MAX = 32;
/** A slice of a trial. Its beginning, when what the slice before has left undone is made up for, does not count. */
const SLICE_MICROS = 250_000;
const SETTLING_MICROS = 50_000;
/** Up and down: work that becomes more or less in the meantime speaks for none of them. */
const TRIAL = [0, 1, 2, 2, 1, 0] as const;
const TRIAL_MICROS = TRIAL.length * SLICE_MICROS;
const COUNTED_MICROS = (TRIAL_MICROS - TRIAL.length * SETTLING_MICROS) / RESTS_MS.length;
/** What is done without rests over what is done with them, from which on they are in the way. */
const SLOWER = 1.07;
/**
 * The same where tasks have waited so many times as long as the rest. The more there is to do, the more of what a slice leaves undone is
 * done in the next one, and the slices without a rest seem better than they are.
 */
const LONG_WAIT = 20;
const SLOWER_AFTER_LONG_WAIT = 1.15;
/** How long what a trial has shown is believed: that the longest rests do no harm, and at first and at the most that they do. */
const RESTING_MICROS = 20_000_000;
const HURRY_MICROS_MIN = 2_000_000;
const HURRY_MICROS_MAX = 32_000_000;
/** Work of that long tells whether it still is the work of the trial: as much, give or take so many times. */
const WATCH_MICROS = 1_000_000;
const OTHER_WORK = 1.33;
/** So much of the time from one turn to the next counts; and after so much of it, it is other work. */
const STEP_MICROS_MAX = 20_000;
const PAUSE_MICROS = 250_000;

export class Pace {
  /** When the last tasks were taken that had waited: a ring. */
  private readonly taken: number[] = new Array<number>(BEHIND_TASKS).fill(Number.NEGATIVE_INFINITY);
  private next = 0;
  /** How long the last tasks had waited, on average. */
  private waited = 0;
  private turnedAt = Number.NEGATIVE_INFINITY;
  /** Time that counts: while workers are behind and things go on. Microseconds, like all times here. */
  private clock = 0;
  private isTrial = true;
  /** Of the trial, or of what it has shown, by `clock`. */
  private begin = 0;
  /** How long rests are shorter, or none, where longer ones do harm: twice as long each time that a trial shows it again. */
  private hurryMicros = HURRY_MICROS_MIN / 2;
  private restMs = 0;
  /** What the trial's slices have done, for each of the rests. */
  private readonly done = RESTS_MS.map(() => 0);
  /** What was done in a microsecond of the trial with the rests that were kept; since when, and how much, since then. */
  private rate = 0;
  private watchedFrom = 0;
  private watched = 0;
  private isRestDue = false;

  constructor(private readonly runtime: Runtime) {}

  /** A poll has found a task that was made at that time, microseconds, and has waited for one. */
  tookWaiting(createTime: number): void {
    const now = this.runtime.nowMicros();
    this.taken[this.next] = now;
    this.next = (this.next + 1) % BEHIND_TASKS;
    // A namespace whose clock has skipped makes its tasks in the future.
    this.waited += (Math.max(0, now - createTime) - this.waited) / WAITS;
  }

  /** A turn of that many inputs is over; `work` of them are not of workflow tasks. */
  turned(inputs: number, work: number): void {
    const now = this.runtime.nowMicros();
    if (now - (this.taken[this.next] as number) > BEHIND_MICROS) return;
    const step = now - this.turnedAt;
    this.turnedAt = now;
    this.clock += Math.min(step, STEP_MICROS_MAX);
    if (step > PAUSE_MICROS) this.try();
    else this.moveOn();
    const restMs = this.isTrial ? this.triedRestMs(work) : this.keptRestMs(work);
    if (restMs > 0 && inputs <= BATCH_INPUTS_MAX) this.restSoon(restMs);
  }

  private triedRestMs(work: number): number {
    const since = this.clock - this.begin;
    const tried = TRIAL[Math.floor(since / SLICE_MICROS)] as number;
    if (since % SLICE_MICROS >= SETTLING_MICROS) this.done[tried] = (this.done[tried] as number) + work;
    return RESTS_MS[tried] as number;
  }

  /** None in the turn that finds other work, with which a trial begins. */
  private keptRestMs(work: number): number {
    const since = this.clock - this.watchedFrom;
    if (since >= WATCH_MICROS) {
      const rate = this.watched / since;
      this.watch();
      if (rate * OTHER_WORK < this.rate || rate > this.rate * OTHER_WORK) {
        this.hurryMicros = HURRY_MICROS_MIN / 2;
        this.try();
        return 0;
      }
    }
    this.watched += work;
    return this.restMs;
  }

  private watch(): void {
    this.watchedFrom = this.clock;
    this.watched = 0;
  }

  private moveOn(): void {
    const since = this.clock - this.begin;
    if (this.isTrial) {
      if (since >= TRIAL_MICROS) this.decide();
    } else if (since > (this.restMs === REST_MS_MAX ? RESTING_MICROS : this.hurryMicros)) this.try();
  }

  private try(): void {
    this.isTrial = true;
    this.begin = this.clock;
    this.done.fill(0);
  }

  private decide(): void {
    const [free = 0] = this.done;
    const kept = this.done.findLastIndex((done, i) => done * this.slowerMax(RESTS_MS[i] as number) >= free);
    this.isTrial = false;
    this.begin = this.clock;
    this.restMs = RESTS_MS[kept] as number;
    this.rate = (this.done[kept] as number) / COUNTED_MICROS;
    this.watch();
    this.hurryMicros = this.restMs === REST_MS_MAX ? HURRY_MICROS_MIN / 2 : Math.min(2 * this.hurryMicros, HURRY_MICROS_MAX);
  }

  private slowerMax(restMs: number): number {
    return this.waited >= LONG_WAIT * restMs * MICROS_PER_MS ? SLOWER_AFTER_LONG_WAIT : SLOWER;
  }

  private restSoon(ms: number): void {
    if (this.isRestDue) return;
    this.isRestDue = true;
    this.runtime.afterTurn(() => {
      this.isRestDue = false;
      this.runtime.rest(ms);
    });
  }
}
