/** TimeSkippingConfig of a request (service/frontend/workflow_handler.go, validateAndPopulateTimeSkippingConfig, of the official server). */
import type { TimeSkippingConfig } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { invalidArgument, unimplemented } from "../../api/service-error.js";
import { durationMicros } from "../../api/time.js";
import type { RequestLimits } from "../request-limits.js";

export const FAST_FORWARD_ID_NOT_SET = "Time skipping config invalid: fast_forward_id must be set";

export function requireTimeSkipping(limits: RequestLimits): void {
  if (!limits.isTimeSkippingEnabled) throw unimplemented("The Time-Skipping feature is not enabled for namespace.");
}

/** Checks the config and fills in how many skips a session has. */
export function validateTimeSkipping(config: TimeSkippingConfig | undefined, limits: RequestLimits): void {
  if (config === undefined) return;
  requireTimeSkipping(limits);
  if (config.maxSessionSkipCount <= 0) config.maxSessionSkipCount = Math.max(1, limits.timeSkipsPerSession);
  const forward = config.fastForwardConfig;
  if (forward === undefined) return;
  if (durationMicros(forward.duration) <= 0) throw invalidArgument("Time skipping config invalid: fast_forward duration must be positive");
  if (forward.id.trim() === "") throw invalidArgument(FAST_FORWARD_ID_NOT_SET);
  if (!config.enabled) throw invalidArgument("time_skipping_config: cannot set fast_forward when enabled is false");
}
