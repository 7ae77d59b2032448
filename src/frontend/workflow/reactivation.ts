/** A workflow that is pinned to a version out of use gives it something to drain again. */
import type { VersioningOverride } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import { overrideTarget } from "../../core/workflow/effective-version.js";
import type { Services } from "../services.js";

/** The caller does not wait for it, as on the official server. */
export function reactivateVersion(s: Services, namespace: NamespaceView, override: VersioningOverride | undefined): void {
  const version = overrideTarget(override);
  if (version === undefined || !s.limits(namespace.name).isVersionReactivated) return;
  s.deployments.reactivate(namespace.id, version).catch((error: unknown) => {
    s.logger.warn({ error: String(error), deployment: version.deploymentName, buildId: version.buildId }, "a version could not be put back into use");
  });
}
