/** So many requests a minute of one address to one workflow: the window slides, and a refused request does not count. */
const WINDOW_MICROS = 60_000_000;
/** Addresses that are remembered; those that were quiet longest are forgotten first. */
const ADDRESSES_MAX = 10_000;

export class RequestsPerMinute {
  private readonly times = new Map<string, number[]>();

  constructor(private readonly now: () => number) {}

  /** Seconds after which the next request passes; undefined: this one does. */
  take(key: string, max: number): number | undefined {
    const now = this.now();
    const recent = (this.times.get(key) ?? []).filter((t) => t > now - WINDOW_MICROS);
    this.times.delete(key);
    this.times.set(key, recent);
    const oldest = this.times.keys().next().value;
    if (this.times.size > ADDRESSES_MAX && oldest !== undefined) this.times.delete(oldest);
    if (recent.length < max) {
      recent.push(now);
      return undefined;
    }
    return Math.ceil(((recent[recent.length - max] as number) + WINDOW_MICROS - now) / 1_000_000);
  }
}
