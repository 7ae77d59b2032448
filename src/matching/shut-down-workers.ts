/**
 * Workers that have said goodbye: polls of theirs that were on their way are turned away for a while, so that nobody waits for them
 * (official: shutdownWorkersCacheTTL).
 *
 * A worker whose client is replaced says goodbye to the new server, and goes on to poll there: as long as it is turned away it asks
 * again at once, thousands of times a second. No worker has so many polls on their way as may be turned away here: who asks more often
 * has not shut down.
 */
import { MICROS_PER_MS } from "../api/time.js";
import type { Runtime } from "../lib/runtime.js";

const REMEMBERED_MS = 30_000;
const TURNED_AWAY_MAX = 1_000;

interface Goodbye {
  /** In microseconds. */
  readonly until: number;
  turnedAway: number;
}

export class ShutDownWorkers {
  /** By worker instance key. */
  private readonly goodbyes = new Map<string, Goodbye>();

  constructor(private readonly runtime: Runtime) {}

  add(workerInstanceKey: string): void {
    const now = this.runtime.nowMicros();
    for (const [key, { until }] of this.goodbyes) if (until <= now) this.goodbyes.delete(key);
    this.goodbyes.set(workerInstanceKey, { until: now + REMEMBERED_MS * MICROS_PER_MS, turnedAway: 0 });
  }

  has(workerInstanceKey: string): boolean {
    const goodbye = this.goodbyes.size === 0 ? undefined : this.goodbyes.get(workerInstanceKey);
    return goodbye !== undefined && goodbye.until > this.runtime.nowMicros();
  }

  /** Whether a poll that has just come is to be answered empty. */
  turnsAway(workerInstanceKey: string): boolean {
    if (!this.has(workerInstanceKey)) return false;
    const goodbye = this.goodbyes.get(workerInstanceKey) as Goodbye;
    if (++goodbye.turnedAway <= TURNED_AWAY_MAX) return true;
    this.goodbyes.delete(workerInstanceKey);
    return false;
  }
}
