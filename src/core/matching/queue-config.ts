/** What UpdateTaskQueueConfig makes of a queue's configuration. Limits and texts are the official server's (service/matching/matching_engine.go). */
import { type RateLimitConfig, TaskQueueConfig } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  UpdateTaskQueueConfigRequest,
  UpdateTaskQueueConfigRequest_RateLimitUpdate,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument } from "../../api/service-error.js";
import { timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";

/** A part that the request does not name stays; an update without a limit takes the limit away, and is remembered as who did so. */
export function updatedConfig(
  old: TaskQueueConfig | undefined,
  request: UpdateTaskQueueConfigRequest,
  weightOverridesMax: number,
  now: number,
): TaskQueueConfig {
  const limit = (update: UpdateTaskQueueConfigRequest_RateLimitUpdate | undefined, before: RateLimitConfig | undefined) =>
    update === undefined
      ? before
      : ({
          rateLimit: update.rateLimit,
          metadata: { reason: update.reason, updateIdentity: request.identity, updateTime: timestampOf(now) },
        } satisfies Init<RateLimitConfig>);
  return TaskQueueConfig.create({
    queueRateLimit: limit(request.updateQueueRateLimit, old?.queueRateLimit),
    fairnessKeysRateLimitDefault: limit(request.updateFairnessKeyRateLimitDefault, old?.fairnessKeysRateLimitDefault),
    fairnessWeightOverrides: mergedOverrides(old?.fairnessWeightOverrides ?? {}, request, weightOverridesMax),
  });
}

function mergedOverrides(
  old: Readonly<Record<string, number>>,
  { setFairnessWeightOverrides: set, unsetFairnessWeightOverrides: unset }: UpdateTaskQueueConfigRequest,
  countMax: number,
): Record<string, number> {
  const merged = new Map(Object.entries(old));
  for (const key of unset) merged.delete(key);
  for (const [key, weight] of Object.entries(set)) merged.set(key, weight);
  if (merged.size > countMax) throw invalidArgument("fairness weight overrides update rejected: exceeding maximum key size");
  return Object.fromEntries(merged);
}
