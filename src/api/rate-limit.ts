/** How a call stands with the tightest of the limits that apply to it, or with the one that refused it: what HTTP answers say in their headers. */
export interface RateLimit {
  /** Such as "namespace:default", "client:10.0.0.7", "cluster". */
  readonly scope: string;
  /** Calls in a window; without one at the same time. */
  readonly limit: number;
  readonly windowMs: number | undefined;
  readonly remaining: number;
  /** Microseconds since the epoch at which all of the limit is there again. */
  readonly resetTime: number;
  /** Until the next call of its kind may pass; 0 when this one has passed. */
  readonly retryAfterMs: number;
}
