/**
 * Deletes runs. A small run goes in the batch that removes it; the history of a large one goes in slices, named by a tombstone row
 * in the registry until the last slice is gone, so that a crash in between is made up for at the next start. A prefix that another
 * run still shares stays.
 */
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Batch } from "../../persistence/batch.js";
import type { Store } from "../../persistence/store.js";

const TOMBSTONE_KIND = "tombstone";
const SLICE_EVENTS = 2_000;
const SLICE_PAUSE_MS = 20;

export interface RemovedRun {
  key: number;
  namespaceKey: number;
  workflowId: string;
  runId: string;
  branch: number;
  lastEventId: number;
  shard: number;
}

export class Retention {
  constructor(
    private readonly store: Store,
    private readonly runtime: Runtime,
    private readonly logger: Logger,
    private readonly withBatch: (f: (rows: Batch) => void) => Promise<void>,
  ) {}

  start(registry: readonly { kind: string; id: string; value: Uint8Array }[]): void {
    for (const r of registry) if (r.kind === TOMBSTONE_KIND) this.slice(Number(r.id), Number(Buffer.from(r.value).toString()));
  }

  /** Visibility first, history last: nothing is listed that cannot be read. */
  remove(rows: Batch, run: RemovedRun): void {
    rows.deleteVisibility(run.key, run.namespaceKey);
    rows.deleteRun({ namespaceKey: run.namespaceKey, workflowId: run.workflowId, runId: run.runId, key: run.key });
    rows.deleteExecution(run.key, run.shard);
    rows.componentPurges.push(run.key);
    rows.writeRegistry(TOMBSTONE_KIND, String(run.branch), 1, { op: "put", value: Buffer.from(String(run.lastEventId)) });
    this.slice(run.branch, run.lastEventId);
  }

  private slice(branch: number, lastEventId: number): void {
    this.runtime.setTimer(SLICE_PAUSE_MS, () => {
      this.deleteSlice(branch, lastEventId).catch((e: unknown) => this.logger.warn({ err: e, branch }, "history cannot be deleted now"));
    });
  }

  private async deleteSlice(branch: number, lastEventId: number): Promise<void> {
    const forks = await this.store.readForks(branch);
    const kept = Math.max(0, ...forks.map((f) => f.endEventId - 1));
    const from = Math.max(kept + 1, lastEventId - SLICE_EVENTS + 1);
    const isLast = from <= kept + 1;
    await this.withBatch((rows) => {
      rows.historyDeletes.push({ branch, fromEventId: from, endEventId: lastEventId + 1 });
      rows.writeRegistry(TOMBSTONE_KIND, String(branch), 1, isLast ? { op: "delete" } : { op: "put", value: Buffer.from(String(from - 1)) });
    });
    if (!isLast) this.slice(branch, from - 1);
  }
}

