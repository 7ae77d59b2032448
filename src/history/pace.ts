/**
 * Rest for the loop while workers are behind. Calls then come one by one, and each is read, applied, committed and answered by itself,
 * though none of them is in a hurry: what limits the work is how fast pollers come. After a small batch the loop sleeps for a
 * millisecond, and what came meanwhile shares one read, one batch, one fsync and one write (docs/PERFORMANCE.md has the figures).
 *
 * Workers are behind when polls find tasks that have waited for them, many in a short time. A caller that waits for each answer before
 * the next call meets a poller that waits, so it never rests.
 */
import type { Runtime } from "../lib/runtime.js";

const REST_MS = 1;
/** So many tasks within that time had waited for their pollers. */
const BEHIND_TASKS = 4;
const BEHIND_MICROS = 20_000;
/** A larger batch has shared enough already. */
const BATCH_INPUTS_MAX = 32;

export class Pace {
  /** When the last tasks were taken that had waited: a ring. */
  private readonly taken: number[] = new Array<number>(BEHIND_TASKS).fill(Number.NEGATIVE_INFINITY);
  private next = 0;
  private isRestDue = false;

  constructor(private readonly runtime: Runtime) {}

  /** A poll has found a task that waited for one. */
  tookWaiting(): void {
    this.taken[this.next] = this.runtime.nowMicros();
    this.next = (this.next + 1) % BEHIND_TASKS;
  }

  /** A batch of that many inputs is durable, and what waited for it is being answered. */
  turned(inputs: number): void {
    if (this.isRestDue || inputs > BATCH_INPUTS_MAX || !this.isBehind()) return;
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

  private isBehind(): boolean {
    return this.runtime.nowMicros() - (this.taken[this.next] as number) <= BEHIND_MICROS;
  }
}
