/** Long polls: their deadlines, and the wait for what has no history to change. */
import type { Call } from "../api/call.js";
import { failedPrecondition, invalidArgument } from "../api/service-error.js";
import { remainingMs, type Services } from "./services.js";

const TIMEOUT_MIN_MS = 2_000;

/** A poll must say how long it waits, and long enough to be worth it. */
export function validateLongPollDeadline(s: Services, call: Call): void {
  const left = remainingMs(call.deadlineMs, s.runtime);
  if (left === undefined) throw invalidArgument("Context timeout is not set.");
  if (left < TIMEOUT_MIN_MS) throw failedPrecondition("Context timeout is too short.");
}

/**
 * Looks, and looks again after each change of what is looked at, until it is so. Undefined when `waitMs` is over, which it may be from the
 * beginning, or when the caller has gone. `after`: how often what was seen has to have changed to be looked at again; its end always is.
 */
export async function lookUntil<T extends { readonly key: number }>(
  s: Services,
  call: Call,
  waitMs: number,
  look: () => Promise<T>,
  isSo: (seen: T) => boolean,
  after: (seen: T) => number,
): Promise<T | undefined> {
  const until = s.runtime.nowMicros() / 1000 + waitMs;
  let seen = await look();
  for (;;) {
    if (isSo(seen)) return seen;
    const rest = until - s.runtime.nowMicros() / 1000;
    if (rest <= 0 || call.cancelled) return undefined;
    const wait = s.history.waitForChange(seen.key, after(seen), rest, (f) => call.onCancel(f));
    try {
      // Something may have happened between the look and the wait.
      seen = await look();
      if (isSo(seen)) return seen;
      await wait.changed;
    } finally {
      wait.stop();
    }
    seen = await look();
  }
}
