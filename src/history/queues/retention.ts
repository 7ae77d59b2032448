/**
 * Deletes runs. The batch that removes a run takes what it is found by - visibility, run and execution rows - and leaves a tombstone
 * in the registry; once that is durable, request ids and history go in slices, newest events first, so that a crash in between is
 * made up for at the next start. A prefix that another run still shares stays.
 */

import type { ExecutionDraft } from "../../core/execution.js";
import { Kind } from "../../core/workflow/mutable-state.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Batch } from "../../persistence/batch.js";
import type { Store } from "../../persistence/store.js";

export const TOMBSTONE_KIND = "tombstone";
const SLICE_ROWS = 500;
const SLICE_BYTES = 1024 * 1024;
const SLICE_PAUSE_MS = 20;
const RETRY_MS = 5_000;

export interface RemovedRun {
  key: number;
  namespaceKey: number;
  /** Its space in table `run`. */
  space: number;
  workflowId: string;
  runId: string;
  /** Undefined: it has none, and nothing is left of it with the batch. */
  history: ExecutionDraft["history"];
  shard: number;
}

/**
 * What is left of a removed run. Registry id: its key; with `of`, the events of an earlier removed run that the run `of` was the last
 * to share.
 */
interface Tombstone {
  key: number;
  branch: number;
  lastEventId: number;
  /** Branches of which it shares a part. */
  parents?: number[];
  of?: number;
  /** Absent in rows of earlier versions. */
  namespaceKey?: number;
}

const idOf = (t: Tombstone): string => (t.of === undefined ? String(t.key) : `${t.key}/${t.of}`);

export class Retention {
  private isStopped = false;
  /** Runs of a namespace that are not wholly deleted yet, by its key. */
  private readonly remnants = new Map<number, number>();
  /** Runs that this process has removed. */
  removedRuns = 0;

  constructor(
    private readonly store: Store,
    private readonly runtime: Runtime,
    private readonly logger: Logger,
    private readonly withBatch: (f: (rows: Batch) => void) => Promise<void>,
  ) {}

  start(registry: readonly { kind: string; id: string; value: Uint8Array }[]): void {
    for (const r of registry) if (r.kind === TOMBSTONE_KIND) this.begin(JSON.parse(Buffer.from(r.value).toString()) as Tombstone);
  }

  /** How many removed runs of the namespace still have rows. */
  remnantsOf(namespaceKey: number): number {
    return this.remnants.get(namespaceKey) ?? 0;
  }

  private begin(t: Tombstone): void {
    this.count(t, 1);
    this.later(t, SLICE_PAUSE_MS);
  }

  private count({ namespaceKey }: Tombstone, by: number): void {
    if (namespaceKey === undefined) return;
    const left = this.remnantsOf(namespaceKey) + by;
    if (left > 0) this.remnants.set(namespaceKey, left);
    else this.remnants.delete(namespaceKey);
  }

  /** Visibility first, history last: nothing is listed that cannot be read. To be called when the batch is durable: the answer. */
  remove(rows: Batch, run: RemovedRun): () => void {
    rows.deleteVisibility(run.key, run.namespaceKey);
    rows.deleteRun({ namespaceKey: run.space, workflowId: run.workflowId, runId: run.runId, key: run.key });
    rows.deleteExecution(run.key, run.shard);
    const { history } = run;
    if (history === undefined) {
      rows.purgeComponents(run.key);
      return () => {
        this.removedRuns++;
      };
    }
    const parents = history.segments.map((s) => s.branch);
    const tombstone: Tombstone = {
      key: run.key,
      branch: history.branch,
      lastEventId: history.lastEventId,
      namespaceKey: run.namespaceKey,
      ...(parents.length === 0 ? {} : { parents }),
    };
    writeTombstone(rows, tombstone);
    return () => {
      this.removedRuns++;
      this.begin(tombstone);
    };
  }

  private later(t: Tombstone, delayMs: number): void {
    this.runtime.setTimer(delayMs, () => {
      if (this.isStopped) return;
      this.deleteSlice(t).catch((e: unknown) => {
        this.logger.warn({ err: e, branch: t.branch }, "a removed run cannot be deleted now");
        this.later(t, RETRY_MS);
      });
    });
  }

  private async deleteSlice(t: Tombstone): Promise<void> {
    const requestIds = await this.store.listComponents(t.key, Kind.REQUEST_ID, undefined, SLICE_ROWS);
    if (requestIds.length === SLICE_ROWS) {
      await this.withBatch((rows) => {
        for (const r of requestIds) rows.writeComponent(t.key, Kind.REQUEST_ID, r.id, { op: "delete" });
      });
      this.later(t, SLICE_PAUSE_MS);
      return;
    }
    const forks = await this.store.readForks(t.branch);
    const kept = Math.max(0, ...forks.map((f) => f.endEventId - 1));
    const newest = (await this.store.readHistory(t.branch, kept + 1, t.lastEventId + 1, true, SLICE_BYTES))
      .filter((b) => b.firstEventId > kept)
      .slice(0, SLICE_ROWS);
    const from = newest.at(-1)?.firstEventId ?? kept + 1;
    const isLast = from <= kept + 1;
    const next: Tombstone = { ...t, lastEventId: from - 1 };
    const parents = t.parents ?? [];
    await this.withBatch((rows) => {
      if (newest.length > 0) rows.historyDeletes.push({ branch: t.branch, fromEventId: from, endEventId: t.lastEventId + 1 });
      if (!isLast) writeTombstone(rows, next);
      else if (parents.length === 0) end(rows, t);
      else for (const parentBranch of parents) rows.forkDeletes.push({ parentBranch, childBranch: t.branch });
    });
    if (!isLast) this.later(next, SLICE_PAUSE_MS);
    else if (parents.length > 0) await this.release(t, parents);
    else this.count(t, -1);
  }

  /** The run shares nothing any more: of runs that have gone before it, what it alone has kept goes too. */
  private async release(t: Tombstone, parents: readonly number[]): Promise<void> {
    const orphans: Tombstone[] = [];
    for (const branch of parents) {
      // A run's branch has the number of its key.
      if ((await this.store.loadExecution(branch)) !== undefined) continue;
      const last = (await this.store.readHistory(branch, 1, Number.MAX_SAFE_INTEGER, true, 1))[0];
      // Rows are found by their first event; the end of the last one is its own affair.
      if (last !== undefined) orphans.push({ ...t, parents: [], key: branch, branch, lastEventId: last.firstEventId, of: t.key });
    }
    await this.withBatch((rows) => {
      for (const o of orphans) writeTombstone(rows, o);
      end(rows, t);
    });
    for (const o of orphans) this.begin(o);
    this.count(t, -1);
  }

  stop(): void {
    this.isStopped = true;
  }
}

function end(rows: Batch, t: Tombstone): void {
  rows.componentPurges.push(t.key);
  rows.writeRegistry(TOMBSTONE_KIND, idOf(t), 1, { op: "delete" });
}

function writeTombstone(rows: Batch, t: Tombstone): void {
  rows.writeRegistry(TOMBSTONE_KIND, idOf(t), 1, { op: "put", value: Buffer.from(JSON.stringify(t)) });
}
