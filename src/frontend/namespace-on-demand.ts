/**
 * The official test server takes any namespace: whatever a test names is there. Here it is made on the first call that names it.
 */
import type { Interceptor } from "../api/call.js";
import type { NamespaceRegistry } from "../namespace/registry.js";

/** These ask whether it exists, or make it themselves. */
const OWN_BUSINESS: ReadonlySet<string> = new Set(["RegisterNamespace", "UpdateNamespace", "DeprecateNamespace", "DeleteNamespace"]);

export function namespaceOnDemand(namespaces: NamespaceRegistry): Interceptor {
  return async (method, request, call, next) => {
    // Calls of TestService name it in their metadata.
    const { namespace = call.metadata("temporal-namespace") } = request as { namespace?: unknown };
    if (typeof namespace === "string" && namespace !== "" && !OWN_BUSINESS.has(method.name) && namespaces.directory.byName(namespace) === undefined)
      await namespaces.ensure([namespace]);
    return next();
  };
}
