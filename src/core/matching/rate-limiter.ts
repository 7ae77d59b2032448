/**
 * Token bucket of one task queue. Holds at most one second's worth of tokens (at least one, so that slow rates pass at all), as
 * the official server's limiter does (service/matching/ratelimit_manager.go). Times are microseconds, given by the caller.
 */
import { MICROS_PER_SECOND } from "../../api/time.js";

export class RateLimiter {
  private tokens: number;

  constructor(
    private rate: number,
    private filledAt: number,
  ) {
    this.tokens = this.capacity;
  }

  get perSecond(): number {
    return this.rate;
  }

  private get capacity(): number {
    return this.rate > 0 ? Math.max(1, this.rate) : 0;
  }

  /** What was saved up stays, as far as the new rate allows to save up. Answers whether the rate has changed. */
  setRate(rate: number, now: number): boolean {
    if (rate === this.rate) return false;
    this.fill(now);
    const wasClosed = this.rate <= 0;
    this.rate = rate;
    this.tokens = wasClosed ? this.capacity : Math.min(this.tokens, this.capacity);
    return true;
  }

  tryTake(now: number): boolean {
    this.fill(now);
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /** For a start that came to nothing. */
  giveBack(): void {
    this.tokens = Math.min(this.tokens + 1, this.capacity);
  }

  /** When the next token is there, undefined for never. Rounded up: whoever comes at that time gets one. */
  nextAt(now: number): number | undefined {
    this.fill(now);
    if (this.tokens >= 1) return now;
    if (this.rate <= 0) return undefined;
    return now + Math.ceil(((1 - this.tokens) * MICROS_PER_SECOND) / this.rate) + 1;
  }

  private fill(now: number): void {
    // A clock that went back gives nothing and takes nothing.
    if (now > this.filledAt && this.rate > 0) {
      this.tokens = Math.min(this.capacity, this.tokens + ((now - this.filledAt) * this.rate) / MICROS_PER_SECOND);
    }
    this.filledAt = now;
  }
}
