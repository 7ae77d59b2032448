/** What a peer may have us do at once, and how fast it earns that back: a bucket of tokens. */
import type { Runtime } from "../../lib/runtime.js";

export class Budget {
  private left: number;
  private at: number;

  constructor(
    private readonly runtime: Pick<Runtime, "nowMicros">,
    private readonly max: number,
    private readonly aSecond: number,
  ) {
    this.left = max;
    this.at = runtime.nowMicros();
  }

  /** False: there is nothing left. */
  take(): boolean {
    const now = this.runtime.nowMicros();
    this.left = Math.min(this.max, this.left + (Math.max(0, now - this.at) * this.aSecond) / 1_000_000) - 1;
    this.at = now;
    return this.left >= 0;
  }
}
