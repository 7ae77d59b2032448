/**
 * Rest for the loop while workers are behind. Calls then come one by one, and each is read, applied, committed and answered by itself,
 * though none of them is in a hurry: what limits the work is how fast pollers come. After a small batch the loop sleeps for a
 * millisecond, and what came meanwhile shares one read, one batch, one fsync and one write (docs/PERFORMANCE.md has the figures).
 *
 * Workers are behind when polls find tasks that have waited for them, many in a short time. A caller that waits for each answer before
 * the next call meets a poller that waits, so it never rests.
 *
 * Few pollers that ask again as soon as they are answered would get less done. So it is tried first: for some slices of time the loop
 * rests, for as many it does not, in turns. Where more comes without rests, there are none for a while.
 */
import type { Runtime } from "../lib/runtime.js";

const REST_MS = 1;
/** So many tasks within that time had waited for their pollers. */
const BEHIND_TASKS = 4;
const BEHIND_MICROS = 20_000;
/** A larger batch has shared enough already. */
const BATCH_INPUTS_MAX = 32;
/** A trial: slices without rests and with them by turns. The beginning of each, when what the last has left undone is made up for, does not count. */
const SLICE_MICROS = 250_000;
const TRIAL_MICROS = 4 * SLICE_MICROS;
const SETTLING_MICROS = 50_000;
/** Inputs without rests over those with them, from which on rests are in the way. */
const SLOWER = 1.2;
/** How long what a trial has shown is believed. */
const RESTING_MICROS = 10_000_000;
const HURRY_MICROS_MIN = 2_000_000;
const HURRY_MICROS_MAX = 32_000_000;

export class Pace {
  /** When the last tasks were taken that had waited: a ring. */
  private readonly taken: number[] = new Array<number>(BEHIND_TASKS).fill(Number.NEGATIVE_INFINITY);
  private next = 0;
  private phase: "trial" | "resting" | "hurry" = "trial";
  /** Of the phase; a trial has no end before it begins. */
  private begin = Number.NEGATIVE_INFINITY;
  private hurryMicros = HURRY_MICROS_MIN;
  /** Inputs of the trial. */
  private free = 0;
  private rested = 0;
  private isRestDue = false;

  constructor(private readonly runtime: Runtime) {}

  /** A poll has found a task that waited for one. */
  tookWaiting(): void {
    this.taken[this.next] = this.runtime.nowMicros();
    this.next = (this.next + 1) % BEHIND_TASKS;
  }

  /** A turn of that many inputs is over. */
  turned(inputs: number): void {
    const now = this.runtime.nowMicros();
    if (now - (this.taken[this.next] as number) > BEHIND_MICROS) return;
    if (this.mayRest(now, inputs) && inputs <= BATCH_INPUTS_MAX) this.restSoon();
  }

  private mayRest(now: number, inputs: number): boolean {
    this.moveOn(now);
    if (this.phase !== "trial") return this.phase === "resting";
    const since = now - this.begin;
    const isRested = Math.floor(since / SLICE_MICROS) % 2 === 1;
    if (since % SLICE_MICROS < SETTLING_MICROS) return isRested;
    if (isRested) this.rested += inputs;
    else this.free += inputs;
    return isRested;
  }

  private moveOn(now: number): void {
    const since = now - this.begin;
    switch (this.phase) {
      case "trial":
        // One that was interrupted begins anew.
        if (since >= 2 * TRIAL_MICROS) this.enter("trial", now);
        else if (since >= TRIAL_MICROS) this.enter(this.free > this.rested * SLOWER ? "hurry" : "resting", now);
        return;
      case "resting":
        this.hurryMicros = HURRY_MICROS_MIN;
        if (since > RESTING_MICROS) this.enter("trial", now);
        return;
      case "hurry":
        if (since <= this.hurryMicros) return;
        this.hurryMicros = Math.min(2 * this.hurryMicros, HURRY_MICROS_MAX);
        this.enter("trial", now);
    }
  }

  private enter(phase: Pace["phase"], now: number): void {
    this.phase = phase;
    this.begin = now;
    this.free = 0;
    this.rested = 0;
  }

  private restSoon(): void {
    if (this.isRestDue) return;
    this.isRestDue = true;
    const { runtime } = this;
    // Answers are written at the end of the next turn of the loop.
    runtime.defer(() => {
      runtime.defer(() => {
        this.isRestDue = false;
        runtime.rest(REST_MS);
      });
    });
  }
}
