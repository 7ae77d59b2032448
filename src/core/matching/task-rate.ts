/** Tasks per second over the last half minute, in buckets of five seconds (as service/matching/task_tracker.go counts them). */
import { MICROS_PER_SECOND } from "../../api/time.js";

const BUCKET_MICROS = 5 * MICROS_PER_SECOND;
const BUCKET_COUNT = 6;

export class TaskRate {
  private readonly counts: number[] = new Array<number>(BUCKET_COUNT).fill(0);
  private current: number;

  constructor(private readonly since: number) {
    this.current = Math.floor(since / BUCKET_MICROS);
  }

  add(now: number): void {
    this.advance(now);
    const slot = this.current % BUCKET_COUNT;
    this.counts[slot] = (this.counts[slot] ?? 0) + 1;
  }

  perSecond(now: number): number {
    this.advance(now);
    let total = 0;
    for (const c of this.counts) total += c;
    // The buckets cover what has passed of the current one and the whole of the others, but nothing before the beginning.
    const covered = Math.min(now - this.since, now - (this.current - BUCKET_COUNT + 1) * BUCKET_MICROS);
    return total === 0 ? 0 : total / Math.max(covered / MICROS_PER_SECOND, 1);
  }

  private advance(now: number): void {
    const bucket = Math.floor(now / BUCKET_MICROS);
    if (bucket - this.current >= BUCKET_COUNT) {
      this.counts.fill(0);
      this.current = bucket;
    }
    while (this.current < bucket) {
      this.current++;
      this.counts[this.current % BUCKET_COUNT] = 0;
    }
  }
}
