/**
 * Rows that are durable in the journal and not in the tables yet: one batch that later ones are merged into, so that of the rows
 * that come, change and go within it only the last state is ever written. Reads by key look here first.
 */
import { Batch, type ComponentId, type RunWrite } from "../batch.js";
import { KEYED_KIND_MIN, type LoadedExecution, type RunAddress } from "../store.js";

type LiveRow = LoadedExecution["live"][number];

export class PendingRows {
  rows = new Batch();
  /** By namespace and workflow id. */
  private readonly runs = new Map<string, RunWrite[]>();
  /** The last batch of events of each branch that is here. */
  private readonly branches = new Map<number, number>();
  private readonly purged = new Set<number>();
  private readonly queues = new Set<number>();
  /** Whether nothing was merged. Rows that have come and gone since leave none, but records in the journal. */
  isEmpty = true;

  /** Rows to be written. */
  get rowCount(): number {
    return this.rows.rowCount;
  }
  get hasVisibility(): boolean {
    return this.rows.visibility.size > 0;
  }
  get hasDues(): boolean {
    return this.rows.dues.size > 0;
  }
  get hasRuns(): boolean {
    return this.runs.size > 0;
  }
  get hasForks(): boolean {
    return this.rows.forks.length + this.rows.forkDeletes.length > 0;
  }
  get hasRegistry(): boolean {
    return this.rows.registry.size > 0;
  }
  hasBranch(branch: number): boolean {
    return this.branches.has(branch);
  }
  hasBacklog(queue: number): boolean {
    return this.queues.has(queue);
  }
  hasComponents(key: number): boolean {
    return this.purged.has(key) || this.rows.components.has(key);
  }

  clear(): void {
    this.rows = new Batch();
    this.runs.clear();
    this.branches.clear();
    this.purged.clear();
    this.queues.clear();
    this.isEmpty = true;
  }

  /** Whether the batch inserts a row that is here: the tables would refuse it too, if later. */
  refuses(b: Batch): boolean {
    const { rows } = this;
    for (const [key, w] of b.executions) {
      const old = rows.executions.get(key);
      if (w.op === "insert" && old !== undefined && old.op !== "delete") return true;
    }
    for (const [id, r] of b.runs) if (r.op === "insert" && rows.runs.get(id)?.op === "insert") return true;
    for (const h of b.history) if (h.firstEventId <= (this.branches.get(h.branch) ?? -1) && this.hasHistory(h.branch, h.firstEventId)) return true;
    for (const [key, v] of b.visibility) {
      const old = rows.visibility.get(key);
      if (v.op === "insert" && old !== undefined && old.op !== "delete") return true;
    }
    for (const [key, kinds] of b.components) {
      const old = rows.components.get(key);
      if (old === undefined) continue;
      for (const [kind, ids] of kinds)
        for (const [id, w] of ids) {
          const before = old.get(kind)?.get(id);
          if (w.op === "insert" && before !== undefined && before.op !== "delete") return true;
        }
    }
    return false;
  }

  private hasHistory(branch: number, firstEventId: number): boolean {
    return this.rows.history.some((h) => h.branch === branch && h.firstEventId === firstEventId);
  }

  /** Whether the batch writes again what goes here, in tables where the order matters: the rows here are to be written first. */
  mustPrecede(b: Batch): boolean {
    const { rows } = this;
    if (rows.historyDeletes.length > 0 && b.history.some((h) => this.isDeleted(h.branch, h.firstEventId))) return true;
    if (rows.forkDeletes.length > 0 && b.forks.length > 0) return true;
    for (const [id, r] of b.runs) if (r.op === "insert" && rows.runs.get(id)?.op === "delete") return true;
    return false;
  }

  private isDeleted(branch: number, firstEventId: number): boolean {
    return this.rows.historyDeletes.some((d) => d.branch === branch && firstEventId >= d.fromEventId && firstEventId < d.endEventId);
  }

  /** Takes over what the batch writes; the batch itself may be used again. */
  merge(b: Batch): void {
    const { rows } = this;
    this.isEmpty = false;
    for (const [key, w] of b.executions) {
      if (w.op === "delete") rows.deleteExecution(key, w.shard);
      else rows.putExecution(key, w.shard, w.value, w.op === "insert" && !rows.executions.has(key));
    }
    for (const r of b.runs.values()) this.mergeRun(r);
    for (const key of b.componentPurges) {
      rows.purgeComponents(key);
      this.purged.add(key);
    }
    for (const [key, kinds] of b.components) for (const [kind, ids] of kinds) for (const [id, w] of ids) rows.writeComponent(key, kind, id, w);
    for (const h of b.history) {
      rows.appendHistory(h.branch, h.firstEventId, h.data);
      this.branches.set(h.branch, Math.max(h.firstEventId, this.branches.get(h.branch) ?? 0));
    }
    for (const d of b.historyDeletes) {
      rows.historyDeletes.push(d);
      this.branches.set(d.branch, Math.max(0, this.branches.get(d.branch) ?? 0));
    }
    rows.forks.push(...b.forks);
    rows.forkDeletes.push(...b.forkDeletes);
    // A due row is nothing but its key: to insert one that is there, or to delete one that is not, does nothing. So the last word counts.
    for (const [id, d] of b.dues) rows.dues.set(id, d);
    for (const { at, write } of b.backlog.values()) {
      rows.writeBacklog(at, write);
      this.queues.add(at.queue);
    }
    for (const [key, v] of b.visibility) {
      if (v.op === "delete") rows.deleteVisibility(key, v.namespaceKey);
      else rows.putVisibility(v.row, v.op === "insert" && !rows.visibility.has(key));
    }
    for (const [kind, ids] of b.registry) for (const [id, { version, write }] of ids) rows.writeRegistry(kind, id, version, write);
  }

  private mergeRun(r: RunWrite): void {
    if (r.op === "delete") this.rows.deleteRun(r);
    else this.rows.insertRun(r);
    const id = workflowKey(r.namespaceKey, r.workflowId);
    const others = this.runs.get(id);
    if (others === undefined) this.runs.set(id, [r]);
    else others.push(r);
  }

  /** What becomes of the run that the tables tell. */
  findRun(a: RunAddress, stored: () => { key: number; runId: string } | undefined): { key: number; runId: string } | undefined | "written first" {
    const here = this.runs.get(workflowKey(a.namespaceKey, a.workflowId));
    if (here === undefined) return stored();
    // One that goes uncovers another.
    if (here.some((r) => r.op === "delete")) return "written first";
    let found = stored();
    for (const r of here) if (a.runId === "" ? found === undefined || r.runId > found.runId : r.runId === a.runId) found = r;
    return found === undefined ? undefined : { key: found.key, runId: found.runId };
  }

  /** The execution as it is with what is here. */
  loadExecution(key: number, storedRecord: () => Uint8Array | undefined, storedLive: () => LiveRow[]): LoadedExecution | undefined {
    const w = this.rows.executions.get(key);
    if (w?.op === "delete") return undefined;
    const record = w === undefined ? storedRecord() : w.value;
    if (record === undefined) return undefined;
    const stored = this.purged.has(key) ? [] : storedLive();
    const kinds = this.rows.components.get(key);
    return { key, record, live: kinds === undefined ? stored : this.mergeLive(stored, kinds) };
  }

  private mergeLive(stored: LiveRow[], kinds: ReadonlyMap<number, ReadonlyMap<ComponentId, { op: string; value?: Uint8Array }>>): LiveRow[] {
    const live = stored.filter((r) => kinds.get(r.kind)?.get(r.id) === undefined);
    for (const [kind, ids] of kinds) {
      if (kind >= KEYED_KIND_MIN) continue;
      for (const [id, w] of ids) if (w.value !== undefined) live.push({ kind, id, value: w.value });
    }
    return live.sort((a, b) => a.kind - b.kind || compareIds(a.id, b.id));
  }

  /** "stored": the tables know. */
  loadComponent(key: number, kind: number, id: ComponentId): Uint8Array | undefined | "stored" {
    const w = this.rows.components.get(key)?.get(kind)?.get(id);
    if (w !== undefined) return w.op === "delete" ? undefined : w.value;
    return this.purged.has(key) ? undefined : "stored";
  }
}

const workflowKey = (namespaceKey: number, workflowId: string): string => `${namespaceKey}/${workflowId}`;

/** SQLite's order: numbers before texts, texts by their bytes. */
function compareIds(a: ComponentId, b: ComponentId): number {
  if (typeof a === "number") return typeof b === "number" ? a - b : -1;
  return typeof b === "number" ? 1 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
