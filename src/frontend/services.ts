/**
 * What the handlers work with. The composition root fills it in; a handler is a plain function of it, the request and the call.
 */
import type { SearchAttributes } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { WorkflowExecutionInfo } from "../../gen/wire/temporal/api/workflow/v1/message.js";
import type { CountWorkflowExecutionsResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Init } from "../api/wire.js";
import type { ApiKeys } from "../authorization/api-keys.js";
import type { CloudStore } from "../cloud/cloud-store.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { QueryScope } from "../core/visibility/resolve.js";
import type { VisibilityRow } from "../core/visibility/row.js";
import type { HistoryAdmin } from "../history/admin.js";
import type { HistoryService, TestClockService } from "../history/contract.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { MatchingAdmin } from "../matching/admin.js";
import type { BuildIds } from "../matching/build-ids.js";
import type { MatchingService } from "../matching/contract.js";
import type { Deployments } from "../matching/deployments.js";
import type { NexusQueues } from "../matching/nexus-queues.js";
import type { Workers } from "../matching/workers.js";
import type { NamespaceRegistry } from "../namespace/registry.js";
import type { NexusEndpointRegistry } from "../nexus/endpoint-registry.js";
import type { ArchivalService, BatchService, ExportService, NamespaceDeletionService } from "../worker/contract.js";
import type { RequestLimits } from "./request-limits.js";

export interface VisibilityPage {
  readonly executions: Init<WorkflowExecutionInfo>[];
  /** Empty after the last page. */
  readonly nextPageToken: Uint8Array;
}

export interface VisibilityService {
  /** @throws ServiceError when the query or the token is not valid. */
  list(namespace: NamespaceView, query: string, pageSize: number, pageToken: Uint8Array): Promise<VisibilityPage>;
  count(namespace: NamespaceView, query: string, scope?: QueryScope): Promise<Init<CountWorkflowExecutionsResponse>>;
  /** Rows of a division of the server's own, such as schedules. */
  listDivision(
    namespace: NamespaceView,
    query: string,
    scope: QueryScope,
    pageSize: number,
    pageToken: Uint8Array,
  ): Promise<{ rows: VisibilityRow[]; nextPageToken: Uint8Array }>;
}

export interface SearchAttributeRules {
  /** Throws a ServiceError when the attributes cannot be set on a workflow of the namespace. */
  validate(attributes: SearchAttributes, namespace: NamespaceView): void;
  /** Names that no custom attribute may have. */
  isReserved(name: string): boolean;
  /** System and predefined attributes: name to temporal.api.enums.v1.IndexedValueType. */
  readonly predefined: ReadonlyMap<string, number>;
}

/** What the server says of itself. */
export interface ServerIdentity {
  readonly version: string;
  readonly clusterId: string;
  /** "host:port" that clients reach it at. */
  readonly address: string;
  readonly persistenceStore: string;
  /** The official UI offers to sort when it reads "elasticsearch" here. */
  readonly visibilityStore: string;
  readonly historyShardCount: number;
  /** Whether TestService may move time. */
  readonly hasTestClocks: boolean;
}

export interface Services {
  readonly history: HistoryService;
  readonly clocks: TestClockService;
  readonly matching: MatchingService;
  readonly workers: Workers;
  readonly buildIds: BuildIds;
  readonly nexusTasks: NexusQueues;
  readonly nexusEndpoints: NexusEndpointRegistry;
  readonly deployments: Deployments;
  readonly namespaces: NamespaceRegistry;
  readonly visibility: VisibilityService;
  readonly searchAttributes: SearchAttributeRules;
  readonly batches: BatchService;
  readonly namespaceDeletion: NamespaceDeletionService;
  readonly archival: ArchivalService;
  readonly apiKeys: ApiKeys;
  readonly cloud: CloudStore;
  readonly exports: ExportService;
  readonly admin: { readonly history: HistoryAdmin; readonly matching: MatchingAdmin };
  /** Settings of a namespace, by name: `requestLimits` of the present configuration, made once per version of it. */
  readonly limits: (namespace: string) => RequestLimits;
  /** Fairness weights that a task queue may have. */
  readonly weightOverridesMax: (namespaceId: string, taskQueue: string, type: TaskQueueType) => number;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly server: ServerIdentity;
}

/** Milliseconds until the caller gives up; undefined when it does not say. */
export function remainingMs(deadlineMs: number | undefined, runtime: Runtime): number | undefined {
  return deadlineMs === undefined ? undefined : deadlineMs - runtime.nowMicros() / 1000;
}
