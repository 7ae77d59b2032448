/** What the frontend asks of the server's own workers. */
import type { ExportSinkSpec } from "../../gen/wire/temporal/api/cloud/namespace/v1/message.js";
import type { WorkflowExecutionInfo } from "../../gen/wire/temporal/api/workflow/v1/message.js";
import type { StartBatchOperationRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { StartAdminBatchOperationRequest } from "../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { NamespaceEntry } from "../namespace/record.js";
import type { Also } from "../namespace/registry.js";

export interface NamespaceDeletionService {
  /**
   * Gives the namespace up and has everything of it deleted, and then itself; resolves with its name from now on when that is
   * durable, not when it is done. `delayMicros`: how long the record stays once nothing else is left.
   */
  begin(namespaceId: string, delayMicros: number, also?: Also): Promise<string>;
}

export interface ExportService {
  /** Puts a test object into the sink. @throws ServiceError when it does not take it. */
  validate(sink: ExportSinkSpec): Promise<void>;
}

/** What a batch operation is to do; `query` as the worker lists it, which may be narrower than the request's. */
export interface BatchJob {
  readonly request: StartBatchOperationRequest;
  /** A job of AdminService; `request` has its targets then, and no operation. */
  readonly admin?: StartAdminBatchOperationRequest;
  readonly query: string;
  /** temporal.api.enums.v1.BatchOperationType */
  readonly type: number;
  readonly identity: string;
}

export interface BatchService {
  /** Resolves once the job is durable. @throws ServiceError ALREADY_EXISTS when there is or was one of that id. */
  start(namespace: NamespaceView, job: BatchJob): Promise<void>;
  /** The job's workflow has been ended: nothing more is to be done for it. */
  stopped(namespace: NamespaceView, jobId: string): void;
}

/** What the settings say of one kind of archival, of the whole server. */
export interface ClusterArchival {
  readonly isConfigured: boolean;
  readonly isReadEnabled: boolean;
  /** temporal.api.enums.v1.ArchivalState of a namespace that names none. */
  readonly defaultState: number;
  readonly defaultUri: string;
}

export interface ArchivalService {
  readonly history: ClusterArchival;
  readonly visibility: ClusterArchival;
  /** A page of an archived history, as temporal.api.history.v1.History. @throws ServiceError NOT_FOUND when it is not there. */
  readHistory(
    namespace: NamespaceEntry,
    run: { workflowId: string; runId: string },
    pageSize: number,
    pageToken: Uint8Array,
  ): Promise<{ history: Uint8Array; nextPageToken: Uint8Array }>;
  list(
    namespace: NamespaceEntry,
    query: string,
    pageSize: number,
    pageToken: Uint8Array,
  ): Promise<{ executions: Init<WorkflowExecutionInfo>[]; nextPageToken: Uint8Array }>;
}

/** temporal.api.history.v1.History to its JSON and back. The descriptors that it takes are loaded on first use. */
export interface HistoryJson {
  encode(history: Uint8Array): Promise<unknown>;
  /** Fields that are not known are passed over. */
  decode(json: unknown): Promise<Uint8Array>;
}
