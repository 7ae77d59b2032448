/** The five namespace RPCs: the registry's records as the API shows them. */
import { ReplicationState } from "../../../gen/wire/temporal/api/enums/v1/namespace.js";
import type {
  DeprecateNamespaceRequest,
  DeprecateNamespaceResponse,
  DescribeNamespaceRequest,
  DescribeNamespaceResponse,
  ListNamespacesRequest,
  ListNamespacesResponse,
  RegisterNamespaceRequest,
  RegisterNamespaceResponse,
  UpdateNamespaceRequest,
  UpdateNamespaceResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { invalidArgument, namespaceNotFound } from "../../api/service-error.js";
import { EMPTY_BYTES, type Init } from "../../api/wire.js";
import { allows } from "../../authorization/permissions.js";
import { isUuid } from "../../lib/uuid.js";
import type { NamespaceEntry } from "../../namespace/record.js";
import { fieldName } from "../../namespace/search-attribute-definitions.js";
import type { RequestLimits } from "../request-limits.js";
import type { Services } from "../services.js";

/** True once the thing works here; what is left out is false. */
const capabilities = (limits: RequestLimits) => ({
  eagerWorkflowStart: true,
  syncUpdate: limits.areUpdatesEnabled,
  asyncUpdate: limits.areUpdatesAcceptedEnabled,
  reportedProblemsSearchAttribute: limits.areTaskProblemsReported,
  workflowPause: limits.isWorkflowPauseEnabled,
  pollerAutoscaling: true,
  pollerAutoscalingAutoEnroll: limits.areWorkersToScalePolls,
  workerCommands: limits.areWorkerCommandsSent,
  workflowTaskCompletionPagination: limits.areCompletionsPaged,
  workerHeartbeats: limits.areWorkerHeartbeatsKept,
  workerPollCompleteOnShutdown: limits.doPollsEndOnShutdown,
  standaloneActivities: limits.areStandaloneActivitiesEnabled,
  standaloneActivityStartDelay: limits.areStandaloneActivitiesEnabled && limits.isActivityStartDelayEnabled,
  standaloneActivityOperatorCommands: limits.areStandaloneActivitiesEnabled && limits.areActivityOperationsEnabled,
  standaloneActivityBatchOperations: limits.areStandaloneActivitiesEnabled && limits.isBatchOfActivitiesEnabled,
  standaloneNexusOperation: limits.areNexusOperationsStandalone,
  workflowUpdateCallbacks: limits.areUpdateCallbacksKept,
});

export const registerNamespace =
  (s: Services): Handler<RegisterNamespaceRequest, RegisterNamespaceResponse> =>
  async (request) => {
    if (request.namespace === "") throw invalidArgument("Namespace not set on request.");
    await s.namespaces.register(request);
    return {};
  };

export const describeNamespace =
  (s: Services): Handler<DescribeNamespaceRequest, DescribeNamespaceResponse> =>
  (request) => {
    const { namespace, id } = request;
    if (namespace !== "" && id !== "") throw invalidArgument("GetNamespace operation failed.  Both ID and Name specified in request.");
    if (namespace === "" && id === "") throw invalidArgument("Namespace not set on request.");
    if (id !== "" && !isUuid(id)) throw invalidArgument(`Namespace id ${id} is not a UUID.`);
    const entry = id === "" ? s.namespaces.entry(namespace) : s.namespaces.directory.entryById(id);
    if (entry === undefined) throw namespaceNotFound(id);
    return description(s, entry);
  };

export const listNamespaces =
  (s: Services): Handler<ListNamespacesRequest, ListNamespacesResponse> =>
  (request, call) => {
    const after = Buffer.from(request.nextPageToken).toString("utf8");
    const { entries, next } = s.namespaces.list(request.pageSize, after, request.namespaceFilter?.includeDeleted ?? false, shownTo(call));
    return { namespaces: entries.map((e) => description(s, e)), nextPageToken: next === "" ? EMPTY_BYTES : Buffer.from(next, "utf8") };
  };

export const updateNamespace =
  (s: Services): Handler<UpdateNamespaceRequest, UpdateNamespaceResponse> =>
  async (request) => {
    const { namespaceInfo, config, replicationConfig } = description(s, await s.namespaces.update(request));
    return { namespaceInfo, config, replicationConfig };
  };

export const deprecateNamespace =
  (s: Services): Handler<DeprecateNamespaceRequest, DeprecateNamespaceResponse> =>
  async (request) => {
    await s.namespaces.deprecate(request.namespace);
    return {};
  };

/** Undefined: everything, where nobody is asked who they are. */
function shownTo({ identity }: Call): ((name: string) => boolean) | undefined {
  return identity === undefined ? undefined : (name) => allows(identity.access, "namespace.read", name);
}

function description(s: Services, { record, view }: NamespaceEntry): Init<DescribeNamespaceResponse> {
  const limits = s.limits(view.name);
  const aliases = record.searchAttributes.filter((a) => a.name !== "").map((a) => [fieldName(a), a.name] as const);
  return {
    namespaceInfo: {
      ...record.info,
      capabilities: capabilities(limits),
      limits: {
        blobSizeLimitError: limits.blobSizeError,
        memoSizeLimitError: limits.memoSizeError,
        workflowTaskCompletionSizeLimitError: limits.workflowTaskCompletionSizeMax,
      },
      supportsSchedules: true,
    },
    config: { ...record.config, customSearchAttributeAliases: Object.fromEntries(aliases) },
    replicationConfig: {
      activeClusterName: record.activeClusterName,
      clusters: record.clusters.map((clusterName) => ({ clusterName })),
      state: ReplicationState.NORMAL,
    },
    isGlobalNamespace: record.isGlobal,
  };
}
