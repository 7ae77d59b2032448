/**
 * The version of the published protos that a caller of CloudService speaks, by header. Those from v0.4.0 to ours are served alike: what
 * came later is unset in what they send, and unknown fields of answers are passed over. Before, enumerations were texts.
 */
import type { Call } from "../api/call.js";
import { invalidArgument } from "../api/service-error.js";

export const CLOUD_API_VERSION_HEADER = "temporal-cloud-api-version";
export const CLOUD_API_VERSION = "v0.17.0";

const SERVED: ReadonlySet<string> = new Set([
  ...["v0.4.0", "v0.5.0", "v0.5.1", "v0.6.0", "v0.6.1", "v0.7.0", "v0.7.1", "v0.8.0", "v0.8.1", "v0.8.2", "v0.9.0"],
  ...["v0.10.0", "v0.10.1", "v0.11.0", "v0.11.1", "v0.11.2", "v0.12.0", "v0.13.0", "v0.14.0", "v0.15.0", "v0.16.0"],
  CLOUD_API_VERSION,
]);

/** A call without the header is of our version. @throws INVALID_ARGUMENT */
export function checkCloudApiVersion(call: Pick<Call, "metadata">): void {
  const version = call.metadata(CLOUD_API_VERSION_HEADER);
  if (version !== undefined && !SERVED.has(version))
    throw invalidArgument(
      `${CLOUD_API_VERSION_HEADER} ${JSON.stringify(version)} is not supported; supported versions: v0.4.0 to ${CLOUD_API_VERSION}`,
    );
}
