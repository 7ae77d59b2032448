/**
 * What one commit writes: a map by row key, so that the last write of a row wins and a row that is inserted and deleted in the
 * same batch never reaches the disk (docs/ARCHITECTURE.md section 4.4). The engine fills it from Transitions; a store turns it
 * into one transaction. It is plain data: it can be handed to a writer thread, or dropped.
 */
import type { VisibilityRow } from "./visibility.js";

/** `insert`: the row did not exist before this batch. `put`: it may have. `delete`: it did. */
export type RowWrite = { op: "insert" | "put"; value: Uint8Array } | { op: "delete" };

export type ComponentId = number | string;

export interface RunWrite {
  op: "insert" | "delete";
  namespaceKey: number;
  workflowId: string;
  /** Run ids are UUIDv7 of this server, greater than those of every older run of the workflow id: the greatest is the current run. */
  runId: string;
  key: number;
}

export interface HistoryAppend {
  branch: number;
  firstEventId: number;
  /** Concatenated field-1-framed HistoryEvents (the encoding of temporal.api.history.v1.History). */
  data: Uint8Array;
}

export interface DueWrite {
  op: "insert" | "delete";
  clock: number;
  /** Microseconds in that clock. */
  due: number;
  key: number;
}

export interface BacklogKey {
  /** Key of the task queue (registry kind "queue"). */
  queue: number;
  priority: number;
  /** Fairness pass; 0 without fairness. */
  pass: number;
  id: number;
}

export interface ForkWrite {
  parentBranch: number;
  childBranch: number;
  endEventId: number;
}

function merge(old: RowWrite | undefined, next: RowWrite): RowWrite | undefined {
  if (next.op === "delete") return old?.op === "insert" ? undefined : next;
  if (old?.op === "insert") return { op: "insert", value: next.value };
  if (old?.op === "delete") return { op: "put", value: next.value };
  return next;
}

function apply<K>(map: Map<K, RowWrite>, key: K, write: RowWrite): void {
  const merged = merge(map.get(key), write);
  if (merged === undefined) map.delete(key);
  else map.set(key, merged);
}

/** A row that has grown beyond this is joined by nothing. */
const HISTORY_ROW_BYTES_MAX = 64 * 1024;

export class Batch {
  /** By execution key. */
  readonly executions = new Map<number, RowWrite & { shard: number }>();
  /** By `${namespaceKey}/${workflowId}/${runId}`. */
  readonly runs = new Map<string, RunWrite>();
  /** By execution key, then `kind`, then id. */
  readonly components = new Map<number, Map<number, Map<ComponentId, RowWrite>>>();
  readonly history: HistoryAppend[] = [];
  readonly #historyEnds = new Map<number, { row: HistoryAppend; endEventId: number }>();
  /** Rows of a branch that begin in [fromEventId, endEventId) go. */
  readonly historyDeletes: { branch: number; fromEventId: number; endEventId: number }[] = [];
  /** Executions of which every component goes. */
  readonly componentPurges: number[] = [];
  readonly forks: ForkWrite[] = [];
  readonly forkDeletes: { parentBranch: number; childBranch: number }[] = [];
  /** By `${clock}/${due}/${key}`. */
  readonly dues = new Map<string, DueWrite>();
  /** By `${queue}/${priority}/${pass}/${id}`. */
  readonly backlog = new Map<string, { at: BacklogKey; write: RowWrite }>();
  /** By execution key; undefined deletes. */
  readonly visibility = new Map<number, { op: "insert" | "put"; row: VisibilityRow } | { op: "delete"; namespaceKey: number }>();
  /** By kind, then id. */
  readonly registry = new Map<string, Map<string, { version: number; write: RowWrite }>>();
  #componentCount = 0;
  /** Rows written so far: what the budget of docs/ARCHITECTURE.md section 5 counts. */
  get rowCount(): number {
    let n = this.executions.size + this.runs.size + this.history.length + this.dues.size + this.backlog.size + this.visibility.size;
    for (const ids of this.registry.values()) n += ids.size;
    return n + this.#componentCount + this.forks.length + this.forkDeletes.length + this.historyDeletes.length + this.componentPurges.length;
  }
  get isEmpty(): boolean {
    return this.rowCount === 0;
  }

  putExecution(key: number, shard: number, value: Uint8Array, isNew: boolean): void {
    const old = this.executions.get(key);
    const op = isNew || old?.op === "insert" ? "insert" : "put";
    this.executions.set(key, { op, value, shard });
  }
  deleteExecution(key: number, shard: number): void {
    if (this.executions.get(key)?.op === "insert") this.executions.delete(key);
    else this.executions.set(key, { op: "delete", shard });
  }
  insertRun(run: Omit<RunWrite, "op">): void {
    this.runs.set(`${run.namespaceKey}/${run.workflowId}/${run.runId}`, { op: "insert", ...run });
  }
  deleteRun(run: Omit<RunWrite, "op">): void {
    const id = `${run.namespaceKey}/${run.workflowId}/${run.runId}`;
    if (this.runs.get(id)?.op === "insert") this.runs.delete(id);
    else this.runs.set(id, { op: "delete", ...run });
  }
  writeComponent(key: number, kind: number, id: ComponentId, write: RowWrite): void {
    let kinds = this.components.get(key);
    if (kinds === undefined) this.components.set(key, (kinds = new Map()));
    let ids = kinds.get(kind);
    if (ids === undefined) kinds.set(kind, (ids = new Map()));
    const before = ids.size;
    apply(ids, id, write);
    this.#componentCount += ids.size - before;
  }
  /** Every component of the execution goes, those of this batch included. */
  purgeComponents(key: number): void {
    for (const ids of this.components.get(key)?.values() ?? []) this.#componentCount -= ids.size;
    this.components.delete(key);
    this.componentPurges.push(key);
  }
  /**
   * A row of history. Events that follow the branch's last row of this batch join it, unless `begins` says that a row must begin
   * here (`eventCount` is how many they are; 0 never joins).
   */
  appendHistory(branch: number, firstEventId: number, data: Uint8Array, eventCount = 0, begins = true): void {
    const last = this.#historyEnds.get(branch);
    if (!begins && last !== undefined && last.endEventId === firstEventId && last.row.data.length < HISTORY_ROW_BYTES_MAX) {
      last.row.data = Buffer.concat([last.row.data, data]);
      last.endEventId += eventCount;
      return;
    }
    const row = { branch, firstEventId, data };
    this.history.push(row);
    if (eventCount > 0) this.#historyEnds.set(branch, { row, endEventId: firstEventId + eventCount });
  }
  insertDue(clock: number, due: number, key: number): void {
    const id = `${clock}/${due}/${key}`;
    if (this.dues.get(id)?.op === "delete") this.dues.delete(id);
    else this.dues.set(id, { op: "insert", clock, due, key });
  }
  deleteDue(clock: number, due: number, key: number): void {
    const id = `${clock}/${due}/${key}`;
    if (this.dues.get(id)?.op === "insert") this.dues.delete(id);
    else this.dues.set(id, { op: "delete", clock, due, key });
  }
  writeBacklog(at: BacklogKey, write: RowWrite): void {
    const id = `${at.queue}/${at.priority}/${at.pass}/${at.id}`;
    const merged = merge(this.backlog.get(id)?.write, write);
    if (merged === undefined) this.backlog.delete(id);
    else this.backlog.set(id, { at, write: merged });
  }
  putVisibility(row: VisibilityRow, isNew: boolean): void {
    const old = this.visibility.get(row.key);
    this.visibility.set(row.key, { op: isNew || old?.op === "insert" ? "insert" : "put", row });
  }
  deleteVisibility(key: number, namespaceKey: number): void {
    if (this.visibility.get(key)?.op === "insert") this.visibility.delete(key);
    else this.visibility.set(key, { op: "delete", namespaceKey });
  }
  writeRegistry(kind: string, id: string, version: number, write: RowWrite): void {
    let ids = this.registry.get(kind);
    if (ids === undefined) this.registry.set(kind, (ids = new Map()));
    const merged = merge(ids.get(id)?.write, write);
    if (merged === undefined) ids.delete(id);
    else ids.set(id, { version, write: merged });
  }
}
