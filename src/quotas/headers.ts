/** What HTTP answers say about limits: the headers of every answer to which a limit applies, and the detail of a refusal. */
import type { RateLimit } from "../api/rate-limit.js";

/** Seconds, and never a moment too early. */
const retrySeconds = ({ retryAfterMs }: RateLimit): number => Math.max(1, Math.ceil(retryAfterMs / 1000));

export function rateLimitHeaders(limit: RateLimit | undefined): Record<string, string> {
  if (limit === undefined) return {};
  return {
    "x-ratelimit-limit": String(limit.limit),
    "x-ratelimit-remaining": String(limit.remaining),
    "x-ratelimit-reset": String(Math.ceil(limit.resetTime / 1_000_000)),
    "x-ratelimit-scope": limit.scope,
    ...(isRefusal(limit) ? { "retry-after": String(retrySeconds(limit)) } : {}),
  };
}

export const isRefusal = ({ retryAfterMs }: RateLimit): boolean => retryAfterMs > 0;

/** The documents' detail of a RESOURCE_EXHAUSTED error; `window`: of a limit that has one. */
export function rateLimitDetail(limit: RateLimit): { type: string; scope: string; limit: number; window?: string; retry_after: number } {
  const window = limit.windowMs === undefined ? {} : { window: windowText(limit.windowMs) };
  return { type: "RateLimitExceeded", scope: limit.scope, limit: limit.limit, ...window, retry_after: retrySeconds(limit) };
}

const windowText = (ms: number): string => (ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`);
