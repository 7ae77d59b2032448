import type { RateLimit } from "../../api/rate-limit.js";

/** So many requests a minute of one address to one workflow: the window slides, and a refused request does not count. */
const WINDOW_MICROS = 60_000_000;
/** Addresses that are remembered; those that were quiet longest are forgotten first. */
const ADDRESSES_MAX = 10_000;

export class RequestsPerMinute {
  private readonly times = new Map<string, number[]>();

  constructor(private readonly now: () => number) {}

  /** How the address stands after this request, which has passed or not. */
  take(workflow: string, address: string, max: number): RateLimit {
    const now = this.now();
    const key = `${workflow} ${address}`;
    const recent = (this.times.get(key) ?? []).filter((t) => t > now - WINDOW_MICROS);
    this.times.delete(key);
    this.times.set(key, recent);
    const oldest = this.times.keys().next().value;
    if (this.times.size > ADDRESSES_MAX && oldest !== undefined) this.times.delete(oldest);
    const isRefused = recent.length >= max;
    const retryAfterMs = isRefused ? ((recent[recent.length - max] as number) + WINDOW_MICROS - now) / 1000 : 0;
    if (!isRefused) recent.push(now);
    return {
      scope: `client:${address}`,
      limit: max,
      windowMs: WINDOW_MICROS / 1000,
      remaining: Math.max(0, max - recent.length),
      resetTime: (recent.at(-1) as number) + WINDOW_MICROS,
      retryAfterMs,
    };
  }
}
