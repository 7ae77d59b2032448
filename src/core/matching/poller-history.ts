/** Who polled a task queue lately: what DescribeTaskQueue lists, and how "is anybody there" is answered. Times in microseconds. */

export const POLLER_HISTORY_COUNT_MAX = 1_000;

export interface SeenPoller<V> {
  readonly identity: string;
  readonly lastAccess: number;
  /** Tasks per second that it asked for; undefined when it set none. */
  readonly ratePerSecond: number | undefined;
  /** What the poll said of its version. */
  readonly version: V;
}

export class PollerHistory<V> {
  /** Oldest access first. */
  private readonly seen = new Map<string, SeenPoller<V>>();
  private last: number | undefined;

  /** `window`: how long a poll is remembered. */
  constructor(private readonly window: number) {}

  record(identity: string, ratePerSecond: number | undefined, version: V, now: number): void {
    this.seen.delete(identity);
    this.seen.set(identity, { identity, lastAccess: now, ratePerSecond, version });
    this.touch(now);
    this.prune(now);
  }

  /** Somebody's poll was still open at this time. */
  touch(now: number): void {
    if (this.last === undefined || now > this.last) this.last = now;
  }

  /** A worker that said goodbye. */
  remove(identity: string): void {
    this.seen.delete(identity);
  }

  /** How many polled lately, give or take those whose time is over. */
  get count(): number {
    return this.seen.size;
  }

  /** Latest first. */
  list(now: number): SeenPoller<V>[] {
    this.prune(now);
    return [...this.seen.values()].reverse();
  }

  /** Of any poller, also of those no longer listed; undefined when nobody ever polled. */
  get lastPoll(): number | undefined {
    return this.last;
  }

  private prune(now: number): void {
    for (const p of this.seen.values()) {
      if (p.lastAccess >= now - this.window && this.seen.size <= POLLER_HISTORY_COUNT_MAX) return;
      this.seen.delete(p.identity);
    }
  }
}
