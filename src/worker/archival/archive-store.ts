/** A place for archives, by URI scheme: what file-store.ts and s3-store.ts have in common. Layouts are the official server's. */
import type { VisibilityRecord } from "./visibility-record.js";

export interface ArchiveUri {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
}

export interface ArchivedRun {
  readonly namespace: string;
  readonly namespaceId: string;
  readonly workflowId: string;
  readonly runId: string;
}

/** Consecutive events of a run, as a JSON of temporal.api.history.v1.History. */
export interface HistoryBatch {
  readonly json: unknown;
  readonly firstEventId: number;
  readonly lastEventId: number;
}

export interface ArchivedHistory {
  /** JSON of temporal.api.history.v1.History, in order. */
  readonly batches: unknown[];
  /** Empty after the last page. */
  readonly nextPageToken: Uint8Array;
}

export interface ArchivedPage {
  readonly records: VisibilityRecord[];
  readonly nextPageToken: Uint8Array;
}

export interface ArchiveStore {
  /** @throws ServiceError when nothing can be archived there. */
  validate(uri: ArchiveUri): Promise<void>;
  /** Resolves when the history is there for good. Done again it changes nothing. */
  putHistory(uri: ArchiveUri, run: ArchivedRun, batches: AsyncIterable<HistoryBatch>): Promise<void>;
  /** @throws ServiceError NOT_FOUND when it is not there. */
  getHistory(uri: ArchiveUri, run: ArchivedRun, pageSize: number, pageToken: Uint8Array): Promise<ArchivedHistory>;
  putVisibility(uri: ArchiveUri, record: VisibilityRecord): Promise<void>;
  /** @throws ServiceError when the query is not one of the few that the archive can answer. */
  listVisibility(uri: ArchiveUri, namespaceId: string, query: string, pageSize: number, pageToken: Uint8Array): Promise<ArchivedPage>;
}

/** Events archived by the official server have the failover version of their cluster; those of a server alone have none. */
export const FAILOVER_VERSION = 0;
