/**
 * Deletes stored tasks of runs that are gone. A task whose run has ended is dropped when a worker would get it; in a queue that nobody
 * polls any more it would stay for ever. Every so often, and only when runs were deleted since, all backlogs are read in slices.
 */
import { TaskRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../api/wire.js";
import type { HistoryEngine } from "../history/history-engine.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { MatchingService } from "../matching/contract.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";

const SLICE_ROWS = 200;
const PAUSE_MS = 20;

export interface BacklogScavengerOptions {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly intervalMs: () => number;
  readonly history: Pick<HistoryEngine, "rows" | "removedRuns">;
  readonly matching: MatchingService;
}

export class BacklogScavenger {
  private isStopped = false;
  private seen = 0;

  constructor(private readonly o: BacklogScavengerOptions) {}

  start(): void {
    this.o.runtime.setTimer(this.o.intervalMs(), () => {
      if (this.isStopped) return;
      this.scan().then(
        () => this.start(),
        (e: unknown) => {
          if (this.isStopped) return;
          this.o.logger.warn({ err: e }, "stored tasks cannot be looked through now");
          this.start();
        },
      );
    });
  }

  stop(): void {
    this.isStopped = true;
  }

  private async scan(): Promise<void> {
    const removed = this.o.history.removedRuns();
    if (removed === this.seen) return;
    for (const queue of this.o.matching.storedQueues()) await this.scanQueue(queue);
    this.seen = removed;
  }

  private async scanQueue(queue: number): Promise<void> {
    const { store, history, matching, runtime } = this.o;
    let after: BacklogKey | undefined;
    for (;;) {
      const tasks = await store.readBacklog(queue, after, SLICE_ROWS);
      const stale: BacklogKey[] = [];
      for (const t of tasks) {
        const { executionKey } = decode(TaskRecord, t.value);
        if (executionKey > 0 && (await store.loadExecution(executionKey)) === undefined) stale.push(t.at);
      }
      if (stale.length > 0 && !this.isStopped) {
        await history.rows.commit((rows) => {
          for (const at of stale) rows.writeBacklog(at, { op: "delete" });
        });
        matching.backlogChanged(queue);
      }
      after = tasks.at(-1)?.at;
      if (tasks.length < SLICE_ROWS || this.isStopped) return;
      await new Promise<void>((resolve) => runtime.setTimer(PAUSE_MS, resolve));
    }
  }
}
