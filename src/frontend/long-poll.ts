/** Deadlines of long polls. */
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
