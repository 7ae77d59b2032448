/**
 * The namespace checks that every call passes before its handler, as the official server's interceptors make them
 * (common/rpc/interceptor/namespace_validator.go, namespace registry): first the name alone, before the caller is authorized;
 * then the namespace's existence and state, and that of the task token.
 */
import { NamespaceState } from "../../gen/wire/temporal/api/enums/v1/namespace.js";
import type { Interceptor, Method } from "../api/call.js";
import { invalidArgument, namespaceInvalidState, namespaceNotFound } from "../api/service-error.js";
import { decodeTaskToken } from "../api/task-token.js";
import { checkCloudApiVersion } from "../cloud/api-version.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { NamespaceRegistry } from "../namespace/registry.js";
import { isLongerThan } from "./validation/execution.js";

const REGISTERED_ONLY: ReadonlySet<string> = new Set(["StartWorkflowExecution", "SignalWithStartWorkflowExecution"]);
/** These look the namespace up themselves: by id, or because there is none yet. */
const OWN_LOOKUP: ReadonlySet<string> = new Set(["DescribeNamespace", "RegisterNamespace"]);
/** These may come without a namespace, or check it themselves; a name that is given must exist. */
const OPTIONAL: ReadonlySet<string> = new Set([
  "AddSearchAttributes",
  "RemoveSearchAttributes",
  "ListSearchAttributes",
  "GetSearchAttributes",
  "DeleteNamespace",
  "DescribeHistoryHost",
]);
const NOT_SET_TEXT: ReadonlySet<string> = new Set([
  "UpdateNamespace",
  "DeprecateNamespace",
  "DescribeNamespace",
  "RegisterNamespace",
  "DescribeTaskQueuePartition",
  "ForceUnloadTaskQueuePartition",
  "GetTaskQueueUserData",
  "StartAdminBatchOperation",
  "MigrateSchedule",
]);

const STATE_NAMES: Readonly<Record<number, string>> = {
  [NamespaceState.UNSPECIFIED]: "Unspecified",
  [NamespaceState.REGISTERED]: "Registered",
  [NamespaceState.DEPRECATED]: "Deprecated",
  [NamespaceState.DELETED]: "Deleted",
};

interface NamespacedRequest {
  namespace?: unknown;
  id?: unknown;
  taskToken?: unknown;
}

/** Gives a task call without a namespace that of its token, and refuses a name that is too long. */
export function namespaceNameValidator(namespaces: NamespaceRegistry, idLengthMax: () => number): Interceptor {
  return (_method, request, _call, next) => {
    const r = request as NamespacedRequest;
    if (r.namespace === "" && r.taskToken instanceof Uint8Array) r.namespace = ofTaskToken(namespaces, r.taskToken).name;
    if (typeof r.namespace === "string" && isLongerThan(r.namespace, idLengthMax())) throw invalidArgument("Namespace length exceeds limit.");
    return next();
  };
}

/** Refuses a call whose namespace is missing, unknown, in the wrong state, or not that of its task token. */
export function namespaceStateValidator(namespaces: NamespaceRegistry): Interceptor {
  return (method, request, call, next) => {
    if (method.action !== undefined) {
      // CloudService looks for namespaces itself: it also tells of those that go.
      checkCloudApiVersion(call);
      return next();
    }
    const namespace = namespaceOf(namespaces, method, request as NamespacedRequest);
    if (namespace !== undefined) checkState(namespace, method);
    return next();
  };
}

function namespaceOf(namespaces: NamespaceRegistry, method: Method, request: NamespacedRequest): NamespaceView | undefined {
  const name = request.namespace;
  if (typeof name !== "string") return request.taskToken instanceof Uint8Array ? ofTaskToken(namespaces, request.taskToken) : undefined;
  if (OWN_LOOKUP.has(method.name)) {
    if (name === "" && !request.id) throw invalidArgument("Namespace not set on request.");
    return undefined;
  }
  // Before the token is read: a client of an unknown namespace learns that, whatever its token is.
  const fromRequest = name === "" ? undefined : namespaces.directory.byName(name);
  if (name !== "" && fromRequest === undefined) throw namespaceNotFound(name);
  const fromToken = request.taskToken instanceof Uint8Array ? ofTaskToken(namespaces, request.taskToken) : undefined;
  if (name === "" && fromToken === undefined) {
    if (OPTIONAL.has(method.name)) return undefined;
    throw invalidArgument(NOT_SET_TEXT.has(method.name) ? "Namespace not set on request." : "Namespace is empty.");
  }
  if (fromToken !== undefined && fromRequest !== undefined && fromRequest.id !== fromToken.id)
    throw invalidArgument("Operation requested with a token from a different namespace.");
  return fromToken ?? fromRequest;
}

function ofTaskToken(namespaces: NamespaceRegistry, bytes: Uint8Array): NamespaceView {
  if (bytes.length === 0) throw invalidArgument("Task token not set on request.");
  const token = decodeTaskToken(bytes);
  if (token === undefined) throw invalidArgument("Error deserializing task token.");
  return namespaces.viewById(token.namespaceId);
}

function checkState(namespace: NamespaceView, method: Method): void {
  const allowed = REGISTERED_ONLY.has(method.name)
    ? [NamespaceState.REGISTERED]
    : method.name === "DeleteNamespace"
      ? [NamespaceState.REGISTERED, NamespaceState.DEPRECATED, NamespaceState.DELETED]
      : [NamespaceState.REGISTERED, NamespaceState.DEPRECATED];
  if (allowed.includes(namespace.state)) return;
  const text = `Namespace has invalid state: ${STATE_NAMES[namespace.state] ?? namespace.state}. Must be ${allowed.map((s) => STATE_NAMES[s]).join(" or ")}.`;
  throw namespaceInvalidState(text, { namespace: namespace.name, state: namespace.state, allowedStates: allowed });
}
