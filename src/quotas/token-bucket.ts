/**
 * A token bucket: holds `capacity` tokens at most and gets them back evenly, all of them in `windowMs`. Times are microseconds, given
 * by the caller. May go below nothing for what is counted after the fact.
 */
export interface BucketSize {
  readonly capacity: number;
  readonly windowMs: number;
}

export class TokenBucket {
  private tokens: number;

  constructor(
    private size: BucketSize,
    private filledAt: number,
  ) {
    this.tokens = size.capacity;
  }

  /** What is missing stays missing. */
  resize(size: BucketSize, now: number): void {
    if (size.capacity === this.size.capacity && size.windowMs === this.size.windowMs) return;
    this.fill(now);
    this.tokens = Math.min(size.capacity, this.tokens + size.capacity - this.size.capacity);
    this.size = size;
  }

  has(now: number): boolean {
    this.fill(now);
    return this.tokens >= 1;
  }

  take(now: number, count = 1): void {
    this.fill(now);
    this.tokens -= count;
  }

  giveBack(count = 1): void {
    this.tokens = Math.min(this.size.capacity, this.tokens + count);
  }

  remaining(now: number): number {
    this.fill(now);
    return Math.max(0, Math.floor(this.tokens));
  }

  /** Microseconds until a token is there; 0 when one is. Rounded up: whoever comes then gets it. */
  untilNext(now: number): number {
    this.fill(now);
    return this.tokens >= 1 ? 0 : Math.ceil((1 - this.tokens) / this.perMicro);
  }

  /** Microseconds until all tokens are there. */
  untilFull(now: number): number {
    this.fill(now);
    return Math.ceil((this.size.capacity - this.tokens) / this.perMicro);
  }

  private get perMicro(): number {
    return this.size.capacity / (this.size.windowMs * 1000);
  }

  private fill(now: number): void {
    // A clock that went back gives nothing and takes nothing.
    if (now > this.filledAt) this.tokens = Math.min(this.size.capacity, this.tokens + (now - this.filledAt) * this.perMicro);
    this.filledAt = now;
  }
}

/**
 * A bucket for each level of priority, 0 first. A call is let through by the bucket of its own level and takes from that and all below:
 * so who comes late in the order of priorities is refused first, by what all have used, and the first only by its own kind
 * (common/quotas/priority_rate_limiter_impl.go of the official server).
 */
export class PriorityBuckets {
  private readonly levels: TokenBucket[];

  constructor(size: BucketSize, levels: number, now: number) {
    this.levels = Array.from({ length: levels }, () => new TokenBucket(size, now));
  }

  at(level: number): TokenBucket {
    return this.levels[Math.min(level, this.levels.length - 1)] as TokenBucket;
  }

  take(level: number, now: number): void {
    for (let i = Math.min(level, this.levels.length - 1); i < this.levels.length; i++) {
      const bucket = this.levels[i] as TokenBucket;
      // Who is let through by its own level does not put those below into debt.
      if (i === level || bucket.has(now)) bucket.take(now);
    }
  }

  giveBack(level: number): void {
    for (let i = Math.min(level, this.levels.length - 1); i < this.levels.length; i++) this.levels[i]?.giveBack();
  }

  resize(size: BucketSize, now: number): void {
    for (const bucket of this.levels) bucket.resize(size, now);
  }

  isFull(now: number): boolean {
    return this.levels.every((b) => b.untilFull(now) === 0);
  }
}
