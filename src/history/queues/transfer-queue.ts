/**
 * Effects on other executions, carried at least once: every row is tried until its source has learned the result, with a growing
 * pause in between. Attempt, next time and last error are kept in the row. Rows that an earlier process left are read in windows,
 * as those before them are done.
 */
import { TransferRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../../api/wire.js";
import { Kind } from "../../core/workflow/mutable-state.js";
import { TransferKind } from "../../core/workflow/transfer-kind.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Store } from "../../persistence/store.js";

const CONCURRENCY = 256;
/** Of tasks that leave the process: an archive that does not answer is not to hold up the others. */
const SLOW_CONCURRENCY = 16;
/** Rows behind this many archives of an earlier process wait for them. */
const SLOW_WAITING_MAX = 20_000;
const WINDOW = 1_000;
const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 300_000;

/** `retry`: why it has to be tried again. */
export type TransferOutcome = "done" | { retry: string };

interface Task {
  readonly id: number;
  readonly record: TransferRecord;
}

export interface TransferQueueOptions {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** Ids from here on are given out by this process, which adds their rows itself. */
  readonly ownIdsFrom: number;
  readonly run: (id: number, record: TransferRecord) => Promise<TransferOutcome>;
  /** Keeps what is known of a failed attempt. A row that says less than it could is no harm. */
  readonly save: (id: number, record: TransferRecord) => void;
}

const isSlow = (task: Task): boolean => task.record.kind === TransferKind.ARCHIVE;

export class TransferQueue {
  private readonly waiting: Task[] = [];
  private readonly waitingSlow: Task[] = [];
  private running = 0;
  private runningSlow = 0;
  private resting = 0;
  private isStopped = false;
  /** Removed by hand: not to be run any more. */
  private readonly removed = new Set<number>();
  /** Last row of an earlier process that was read; undefined when all were. */
  private resumeAfter: number | undefined = Number.MIN_SAFE_INTEGER;
  private isReading = false;

  constructor(private readonly o: TransferQueueOptions) {}

  async start(): Promise<void> {
    await this.readOn();
  }

  /** A row that has become durable. */
  add(id: number, record: TransferRecord): void {
    this.line({ id, record });
    this.pump();
  }

  get pending(): number {
    return this.waiting.length + this.waitingSlow.length + this.running + this.runningSlow + this.resting;
  }

  private line(task: Task): void {
    (isSlow(task) ? this.waitingSlow : this.waiting).push(task);
  }

  private async readOn(): Promise<void> {
    const after = this.resumeAfter;
    if (after === undefined || this.isReading || this.isStopped) return;
    this.isReading = true;
    const { store, ownIdsFrom } = this.o;
    try {
      const rows = await store.listComponents(0, Kind.TRANSFER, after === Number.MIN_SAFE_INTEGER ? undefined : after, WINDOW);
      const own = rows.findIndex((r) => Number(r.id) >= ownIdsFrom);
      this.resumeAfter = rows.length < WINDOW || own >= 0 ? undefined : Number(rows.at(-1)?.id);
      for (const r of own >= 0 ? rows.slice(0, own) : rows) this.schedule({ id: Number(r.id), record: decode(TransferRecord, r.value) });
    } finally {
      this.isReading = false;
    }
    this.pump();
  }

  /** Not before the time that its last attempt set. */
  private schedule(task: Task): void {
    const delayMs = Math.min(Math.ceil((task.record.nextTime - this.o.runtime.nowMicros()) / 1000), BACKOFF_MS_MAX);
    if (delayMs > 0) this.rest(task, delayMs);
    else this.line(task);
  }

  /** The row is being deleted. An attempt that is under way ends by itself. */
  remove(id: number): void {
    this.removed.add(id);
  }

  private run(task: Task): void {
    if (this.removed.delete(task.id)) {
      this.ended(task, "done");
      return;
    }
    this.o.run(task.id, task.record).then(
      (outcome) => this.ended(task, outcome),
      (e: unknown) => {
        this.o.logger.warn({ err: e, transfer: task.id }, "transfer task failed");
        this.ended(task, { retry: e instanceof Error ? e.message : String(e) });
      },
    );
  }

  private pump(): void {
    while (!this.isStopped && this.running < CONCURRENCY) {
      const task = this.waiting.shift();
      if (task === undefined) break;
      this.running++;
      this.run(task);
    }
    while (!this.isStopped && this.runningSlow < SLOW_CONCURRENCY) {
      const task = this.waitingSlow.shift();
      if (task === undefined) break;
      this.runningSlow++;
      this.run(task);
    }
    if (this.resumeAfter === undefined || this.waiting.length >= WINDOW / 2 || this.waitingSlow.length >= SLOW_WAITING_MAX) return;
    this.readOn().catch((e: unknown) => {
      this.o.logger.warn({ err: e }, "transfer tasks cannot be read");
      this.o.runtime.setTimer(BACKOFF_MS_MIN, () => this.pump());
    });
  }

  private ended(task: Task, outcome: TransferOutcome): void {
    if (isSlow(task)) this.runningSlow--;
    else this.running--;
    if (outcome !== "done" && !this.isStopped && !this.removed.delete(task.id)) {
      const { attempt } = task.record;
      const delayMs = Math.min(BACKOFF_MS_MIN * 2 ** Math.min(attempt, 20), BACKOFF_MS_MAX);
      const record: TransferRecord = {
        ...task.record,
        attempt: attempt + 1,
        nextTime: this.o.runtime.nowMicros() + delayMs * 1000,
        lastError: outcome.retry,
      };
      this.o.save(task.id, record);
      this.rest({ id: task.id, record }, delayMs);
    }
    this.pump();
  }

  private rest(task: Task, delayMs: number): void {
    this.resting++;
    this.o.runtime.setTimer(delayMs, () => {
      this.resting--;
      this.line(task);
      this.pump();
    });
  }

  stop(): void {
    this.isStopped = true;
  }
}
