/**
 * How fast tasks may leave one task queue: a rate of the whole queue, from the first of these that is set - the queue's
 * configuration, the latest poll, the system - and never above the system's; and one for each fairness key, in proportion to its
 * weight (official: service/matching/ratelimit_manager.go). Times are microseconds.
 *
 * A key at its limit holds up the keys behind it: passes are in the same proportions as limits, so that these are at theirs.
 */
import { RateLimitSource } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { RateLimiter } from "./rate-limiter.js";

/** matching.fairnessKeyRateLimitCacheSize */
const LIMITED_KEYS_MAX = 2_000;

export interface RateSources {
  readonly system: number;
  /** UpdateTaskQueueConfig. */
  api: number | undefined;
  /** max_tasks_per_second of the latest poll. */
  worker: number | undefined;
}

export function effectiveRate({ system, api, worker }: RateSources): { perSecond: number; source: RateLimitSource } {
  const asked = api ?? worker;
  if (asked === undefined || asked >= system) return { perSecond: system, source: RateLimitSource.SYSTEM };
  return { perSecond: asked, source: api === undefined ? RateLimitSource.WORKER : RateLimitSource.API };
}

export class DispatchLimits {
  private readonly whole: RateLimiter;
  private readonly sources: RateSources;
  /** Tasks a second of a key that weighs 1; undefined: no limit. */
  private keyRate: number | undefined;
  /** The one used longest ago first. */
  private readonly keys = new Map<string, RateLimiter>();

  constructor(system: number, now: number) {
    this.sources = { system, api: undefined, worker: undefined };
    this.whole = new RateLimiter(system, now);
  }

  get effective(): { perSecond: number; source: RateLimitSource } {
    return effectiveRate(this.sources);
  }

  /** Answers whether the next task may be due at another time than before. */
  setWorkerRate(rate: number | undefined, now: number): boolean {
    this.sources.worker = rate;
    return this.whole.setRate(this.effective.perSecond, now);
  }

  setConfig(queueRate: number | undefined, keyRate: number | undefined, now: number): boolean {
    this.sources.api = queueRate;
    const hasChanged = this.whole.setRate(this.effective.perSecond, now);
    if (keyRate === this.keyRate) return hasChanged;
    this.keyRate = keyRate;
    this.keys.clear();
    return true;
  }

  tryTake(key: string, weight: number, now: number): boolean {
    if (this.keyRate === undefined) return this.whole.tryTake(now);
    const limiter = this.limiterOf(key, weight, now);
    if (!limiter.tryTake(now)) return false;
    if (this.whole.tryTake(now)) return true;
    limiter.giveBack();
    return false;
  }

  /** For a start that came to nothing. */
  giveBack(key: string): void {
    this.whole.giveBack();
    if (this.keyRate !== undefined) this.keys.get(key)?.giveBack();
  }

  /** When `tryTake` will succeed; undefined for never. */
  nextAt(key: string, weight: number, now: number): number | undefined {
    const whole = this.whole.nextAt(now);
    if (whole === undefined || this.keyRate === undefined) return whole;
    const own = this.limiterOf(key, weight, now).nextAt(now);
    return own === undefined ? undefined : Math.max(whole, own);
  }

  private limiterOf(key: string, weight: number, now: number): RateLimiter {
    const rate = (this.keyRate ?? 0) * weight;
    let limiter = this.keys.get(key);
    if (limiter === undefined) {
      if (this.keys.size >= LIMITED_KEYS_MAX) for (const oldest of this.keys.keys()) if (this.keys.delete(oldest)) break;
      limiter = new RateLimiter(rate, now);
    } else {
      this.keys.delete(key);
      limiter.setRate(rate, now);
    }
    this.keys.set(key, limiter);
    return limiter;
  }
}
