/**
 * The store as the engine sees it. Everything is asynchronous, SQLite and memory included (docs/ARCHITECTURE.md section 4.4).
 * Readers see committed rows only. `persistence/contract.ts` is the one suite that every implementation passes.
 */
import type { BacklogKey, Batch, ComponentId } from "./batch.js";
import type { VisibilityReader } from "./visibility.js";

/** Component kinds below this are live: they load with the execution. Those from here on are keyed: fetched by id. */
export const KEYED_KIND_MIN = 64;

export interface RunAddress {
  namespaceKey: number;
  workflowId: string;
  /** Empty: the current run, which is the greatest run id. */
  runId: string;
}

export interface NamespaceRun {
  workflowId: string;
  runId: string;
}

export interface LoadedExecution {
  key: number;
  record: Uint8Array;
  live: { kind: number; id: ComponentId; value: Uint8Array }[];
}

export interface HistoryBatch {
  branch: number;
  firstEventId: number;
  data: Uint8Array;
}

export interface Store {
  findRun(address: RunAddress): Promise<{ key: number; runId: string } | undefined>;
  /** Every run of a workflow id, oldest first; at most `limit`, after `afterRunId`. */
  listRuns(namespaceKey: number, workflowId: string, afterRunId: string, limit: number): Promise<{ key: number; runId: string }[]>;
  /** Every run of a namespace in order of workflow id and run id, after a position. */
  listNamespaceRuns(namespaceKey: number, after: NamespaceRun | undefined, limit: number): Promise<NamespaceRun[]>;
  loadExecution(key: number): Promise<LoadedExecution | undefined>;
  loadComponent(key: number, kind: number, id: ComponentId): Promise<Uint8Array | undefined>;
  /** Keyed rows of one kind in id order, after `after`. */
  listComponents(key: number, kind: number, after: ComponentId | undefined, limit: number): Promise<{ id: ComponentId; value: Uint8Array }[]>;
  /**
   * Batches of a branch that hold events in [fromEventId, endEventId), in order (reverse: newest first), until `bytesMax` is
   * passed (at least one). The first batch may begin before fromEventId.
   */
  readHistory(branch: number, fromEventId: number, endEventId: number, reverse: boolean, bytesMax: number): Promise<HistoryBatch[]>;
  /** Forks that keep a part of the branch alive. */
  readForks(parentBranch: number): Promise<{ childBranch: number; endEventId: number }[]>;

  /** Due rows of a clock up to `until`, in order. */
  readDue(clock: number, until: number, after: { due: number; key: number } | undefined, limit: number): Promise<{ due: number; key: number }[]>;
  /** The earliest due row of a clock. */
  nextDue(clock: number): Promise<number | undefined>;

  /** Tasks of a queue in order, after a position. */
  readBacklog(queue: number, after: BacklogKey | undefined, limit: number): Promise<{ at: BacklogKey; value: Uint8Array }[]>;
  countBacklog(queue: number): Promise<number>;

  loadRegistry(): Promise<{ kind: string; id: string; version: number; value: Uint8Array }[]>;

  readonly visibility: VisibilityReader;

  /**
   * Writes everything or nothing. Resolves when it is durable. Batches settle in the order of the calls. Rejects with
   * StoreFailure; at most `inFlightMax` calls may be unsettled.
   */
  commit(batch: Batch): Promise<void>;
  readonly inFlightMax: number;

  /** Work for an idle turn: checkpoints, free pages. Answers whether more is left. */
  idle(): Promise<boolean>;
  statistics(): { commits: number; rows: number; fsyncs: number; walBytes: number; fileBytes: number };
  /** Finishes what is in flight, checkpoints and closes. */
  close(): Promise<void>;
}

/**
 * `refused`: nothing was written, the same batch may be tried again or in parts. `full`: no space; nothing was written.
 * `lost`: the outcome is unknown or fsync failed; the process (or the lease) must end.
 */
export class StoreFailure extends Error {
  constructor(
    readonly kind: "refused" | "full" | "lost",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
