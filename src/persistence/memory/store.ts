/**
 * A store in memory with the same contract. Tests and the simulator use it: `faults` decides whether a commit succeeds and when it
 * settles, and `crash` gives the store that a new process would find: whole batches, never parts of one.
 */
import type { BacklogKey, Batch, ComponentId } from "../batch.js";
import { type HistoryBatch, KEYED_KIND_MIN, type LoadedExecution, type NamespaceRun, type RunAddress, type Store, StoreFailure } from "../store.js";
import type { VisibilityReader } from "../visibility.js";
import { MemoryVisibility } from "./visibility.js";

export interface MemoryFaults {
  /** `refused` and `full`: nothing is written. `doneButFailed`: written, but reported as lost. */
  beforeCommit?: (batch: Batch) => "ok" | "refused" | "full" | "doneButFailed";
  /** Called with what settles the commit; without it a commit settles at once. */
  settle?: (resolve: () => void) => void;
}

interface Tables {
  executions: Map<number, Uint8Array>;
  runs: Map<string, Map<string, number>>;
  components: Map<number, Map<number, Map<ComponentId, Uint8Array>>>;
  history: Map<number, Map<number, Uint8Array>>;
  forks: Map<number, Map<number, number>>;
  dues: Map<number, { due: number; key: number }[]>;
  backlog: Map<number, { at: BacklogKey; value: Uint8Array }[]>;
  registry: Map<string, Map<string, { version: number; value: Uint8Array }>>;
  visibility: MemoryVisibility;
}

const empty = (): Tables => ({
  executions: new Map(),
  runs: new Map(),
  components: new Map(),
  history: new Map(),
  forks: new Map(),
  dues: new Map(),
  backlog: new Map(),
  registry: new Map(),
  visibility: new MemoryVisibility(),
});

const compareIds = (a: ComponentId, b: ComponentId): number => {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
};
const compareDue = (a: { due: number; key: number }, b: { due: number; key: number }): number => a.due - b.due || a.key - b.key;
const compareBacklog = (a: BacklogKey, b: BacklogKey): number => a.priority - b.priority || a.pass - b.pass || a.id - b.id;

const compareText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const compareRuns = (a: NamespaceRun, b: NamespaceRun): number => compareText(a.workflowId, b.workflowId) || compareText(a.runId, b.runId);

/** First index whose item is not before `item`. */
function lowerBound<T>(list: readonly T[], item: T, compare: (a: T, b: T) => number): number {
  let lo = 0;
  let hi = list.length;
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if (compare(list[mid] as T, item) < 0) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

export class MemoryStore implements Store {
  readonly inFlightMax = 2;
  private tables = empty();
  private commits = 0;
  private rows = 0;
  private tail: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(private readonly faults: MemoryFaults = {}) {}

  get visibility(): VisibilityReader {
    return this.tables.visibility.reader;
  }

  /** What a process that starts now finds. This store refuses everything afterwards. */
  crash(faults: MemoryFaults = {}): MemoryStore {
    this.closed = true;
    const next = new MemoryStore(faults);
    next.tables = this.tables;
    return next;
  }

  /** Keys of all executions: for checks over everything. */
  executionKeys(): number[] {
    return [...this.tables.executions.keys()].sort((a, b) => a - b);
  }

  async findRun(a: RunAddress): Promise<{ key: number; runId: string } | undefined> {
    const runs = this.tables.runs.get(`${a.namespaceKey}/${a.workflowId}`);
    if (runs === undefined) return undefined;
    let runId = a.runId;
    if (runId === "") for (const id of runs.keys()) if (id > runId) runId = id;
    const key = runs.get(runId);
    return key === undefined ? undefined : { key, runId };
  }

  async listRuns(namespaceKey: number, workflowId: string, afterRunId: string, limit: number): Promise<{ key: number; runId: string }[]> {
    const runs = this.tables.runs.get(`${namespaceKey}/${workflowId}`) ?? new Map<string, number>();
    return [...runs]
      .filter(([id]) => id > afterRunId)
      .sort((a, b) => (a[0] < b[0] ? -1 : 1))
      .slice(0, limit)
      .map(([runId, key]) => ({ key, runId }));
  }

  async listNamespaceRuns(namespaceKey: number, after: NamespaceRun | undefined, limit: number): Promise<NamespaceRun[]> {
    const prefix = `${namespaceKey}/`;
    return [...this.tables.runs]
      .filter(([id]) => id.startsWith(prefix))
      .flatMap(([id, runs]) => [...runs.keys()].map((runId) => ({ workflowId: id.slice(prefix.length), runId })))
      .filter((r) => after === undefined || compareRuns(r, after) > 0)
      .sort(compareRuns)
      .slice(0, limit);
  }

  async loadExecution(key: number): Promise<LoadedExecution | undefined> {
    const record = this.tables.executions.get(key);
    if (record === undefined) return undefined;
    const live: LoadedExecution["live"] = [];
    const kinds = [...(this.tables.components.get(key) ?? [])].filter(([kind]) => kind < KEYED_KIND_MIN).sort((a, b) => a[0] - b[0]);
    for (const [kind, ids] of kinds) for (const [id, value] of [...ids].sort((a, b) => compareIds(a[0], b[0]))) live.push({ kind, id, value });
    return { key, record, live };
  }

  async loadComponent(key: number, kind: number, id: ComponentId): Promise<Uint8Array | undefined> {
    return this.tables.components.get(key)?.get(kind)?.get(id);
  }

  async listComponents(key: number, kind: number, after: ComponentId | undefined, limit: number): Promise<{ id: ComponentId; value: Uint8Array }[]> {
    return [...(this.tables.components.get(key)?.get(kind) ?? [])]
      .filter(([id]) => after === undefined || compareIds(id, after) > 0)
      .sort((a, b) => compareIds(a[0], b[0]))
      .slice(0, limit)
      .map(([id, value]) => ({ id, value }));
  }

  async readHistory(branch: number, fromEventId: number, endEventId: number, reverse: boolean, bytesMax: number): Promise<HistoryBatch[]> {
    const rows = [...(this.tables.history.get(branch) ?? [])].sort((a, b) => a[0] - b[0]);
    let begin = 0;
    for (let i = 0; i < rows.length; i++) if ((rows[i]?.[0] ?? 0) <= fromEventId) begin = i;
    const within = rows.slice(begin).filter(([first]) => first < endEventId);
    if (reverse) within.reverse();
    const out: HistoryBatch[] = [];
    let bytes = 0;
    for (const [firstEventId, data] of within) {
      out.push({ branch, firstEventId, data });
      bytes += data.length;
      if (bytes >= bytesMax) break;
    }
    return out;
  }

  async readForks(parentBranch: number): Promise<{ childBranch: number; endEventId: number }[]> {
    return [...(this.tables.forks.get(parentBranch) ?? [])]
      .sort((a, b) => a[0] - b[0])
      .map(([childBranch, endEventId]) => ({ childBranch, endEventId }));
  }

  async readDue(
    clock: number,
    until: number,
    after: { due: number; key: number } | undefined,
    limit: number,
  ): Promise<{ due: number; key: number }[]> {
    const list = this.tables.dues.get(clock) ?? [];
    const from = after === undefined ? 0 : lowerBound(list, { due: after.due, key: after.key + 1 }, compareDue);
    const out: { due: number; key: number }[] = [];
    for (let i = from; i < list.length && out.length < limit; i++) {
      const d = list[i] as { due: number; key: number };
      if (d.due > until) break;
      out.push({ ...d });
    }
    return out;
  }

  async nextDue(clock: number): Promise<number | undefined> {
    return this.tables.dues.get(clock)?.[0]?.due;
  }

  async readBacklog(queue: number, after: BacklogKey | undefined, limit: number): Promise<{ at: BacklogKey; value: Uint8Array }[]> {
    return (this.tables.backlog.get(queue) ?? []).filter((r) => after === undefined || compareBacklog(r.at, after) > 0).slice(0, limit);
  }

  async countBacklog(queue: number): Promise<number> {
    return this.tables.backlog.get(queue)?.length ?? 0;
  }

  async loadRegistry(): Promise<{ kind: string; id: string; version: number; value: Uint8Array }[]> {
    const out: { kind: string; id: string; version: number; value: Uint8Array }[] = [];
    for (const [kind, ids] of this.tables.registry) for (const [id, r] of ids) out.push({ kind, id, ...r });
    return out.sort((a, b) => (a.kind === b.kind ? (a.id < b.id ? -1 : 1) : a.kind < b.kind ? -1 : 1));
  }

  commit(batch: Batch): Promise<void> {
    if (this.closed) return new Promise(() => undefined);
    const verdict = this.faults.beforeCommit?.(batch) ?? "ok";
    const apply = (): void => {
      if (this.closed) return;
      if (verdict === "refused") throw new StoreFailure("refused", "the store refused the batch");
      if (verdict === "full") throw new StoreFailure("full", "the store is full");
      this.write(batch);
      if (verdict === "doneButFailed") throw new StoreFailure("lost", "the outcome of the commit is unknown");
    };
    const settle = this.faults.settle;
    if (settle === undefined) {
      try {
        apply();
        return Promise.resolve();
      } catch (e) {
        return Promise.reject(e);
      }
    }
    const before = this.tail;
    const settled = new Promise<void>((resolve) => settle(resolve)).then(() => before.catch(() => undefined)).then(apply);
    this.tail = settled;
    return settled;
  }

  private write(b: Batch): void {
    this.commits++;
    this.rows += b.rowCount;
    const t = this.tables;
    for (const [key, w] of b.executions) {
      if (w.op === "delete") t.executions.delete(key);
      else t.executions.set(key, w.value);
    }
    for (const r of b.runs.values()) {
      const id = `${r.namespaceKey}/${r.workflowId}`;
      const runs = t.runs.get(id) ?? new Map<string, number>();
      if (r.op === "insert") runs.set(r.runId, r.key);
      else runs.delete(r.runId);
      if (runs.size === 0) t.runs.delete(id);
      else t.runs.set(id, runs);
    }
    for (const key of b.componentPurges) t.components.delete(key);
    for (const [key, kinds] of b.components) {
      let own = t.components.get(key);
      if (own === undefined) t.components.set(key, (own = new Map()));
      for (const [kind, ids] of kinds) {
        let rows = own.get(kind);
        if (rows === undefined) own.set(kind, (rows = new Map()));
        for (const [id, w] of ids) {
          if (w.op === "delete") rows.delete(id);
          else rows.set(id, w.value);
        }
        if (rows.size === 0) own.delete(kind);
      }
      if (own.size === 0) t.components.delete(key);
    }
    for (const h of b.history) {
      let rows = t.history.get(h.branch);
      if (rows === undefined) t.history.set(h.branch, (rows = new Map()));
      rows.set(h.firstEventId, h.data);
    }
    for (const d of b.historyDeletes) {
      const rows = t.history.get(d.branch);
      if (rows === undefined) continue;
      for (const first of [...rows.keys()]) if (first >= d.fromEventId && first < d.endEventId) rows.delete(first);
      if (rows.size === 0) t.history.delete(d.branch);
    }
    for (const f of b.forks) {
      const own = t.forks.get(f.parentBranch) ?? new Map<number, number>();
      own.set(f.childBranch, f.endEventId);
      t.forks.set(f.parentBranch, own);
    }
    for (const f of b.forkDeletes) {
      const own = t.forks.get(f.parentBranch);
      own?.delete(f.childBranch);
      if (own?.size === 0) t.forks.delete(f.parentBranch);
    }
    for (const d of b.dues.values()) {
      const list = t.dues.get(d.clock) ?? [];
      t.dues.set(d.clock, list);
      const row = { due: d.due, key: d.key };
      const i = lowerBound(list, row, compareDue);
      const there = list[i] !== undefined && compareDue(list[i], row) === 0;
      if (d.op === "insert" && !there) list.splice(i, 0, row);
      else if (d.op === "delete" && there) list.splice(i, 1);
    }
    for (const { at, write } of b.backlog.values()) {
      const list = t.backlog.get(at.queue) ?? [];
      t.backlog.set(at.queue, list);
      const i = lowerBound(
        list.map((r) => r.at),
        at,
        compareBacklog,
      );
      const there = list[i] !== undefined && compareBacklog(list[i].at, at) === 0;
      if (write.op === "delete") {
        if (there) list.splice(i, 1);
      } else list.splice(i, there ? 1 : 0, { at, value: write.value });
      if (list.length === 0) t.backlog.delete(at.queue);
    }
    for (const [kind, ids] of b.registry) {
      const own = t.registry.get(kind) ?? new Map<string, { version: number; value: Uint8Array }>();
      t.registry.set(kind, own);
      for (const [id, { version, write }] of ids) {
        if (write.op === "delete") own.delete(id);
        else own.set(id, { version, value: write.value });
      }
    }
    t.visibility.write(b.visibility);
  }

  async idle(): Promise<boolean> {
    return false;
  }

  statistics(): { commits: number; rows: number; fsyncs: number; walBytes: number; fileBytes: number } {
    return { commits: this.commits, rows: this.rows, fsyncs: 0, walBytes: 0, fileBytes: 0 };
  }

  async close(): Promise<void> {
    await this.tail.catch(() => undefined);
    this.closed = true;
  }
}
