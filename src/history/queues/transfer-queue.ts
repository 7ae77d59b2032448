/**
 * Effects on other executions, carried at least once: every row is tried until its source has learned the result. Rows that an
 * earlier process left are read in windows at start.
 */
import { TransferRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../../api/wire.js";
import { Kind } from "../../core/workflow/mutable-state.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Store } from "../../persistence/store.js";

const CONCURRENCY = 256;
const WINDOW = 1_000;
const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 300_000;

export class TransferQueue {
  private readonly waiting: { id: number; record: TransferRecord; attempt: number }[] = [];
  private running = 0;
  private isStopped = false;

  constructor(
    private readonly store: Store,
    private readonly runtime: Runtime,
    private readonly logger: Logger,
    private readonly run: (id: number, record: TransferRecord) => Promise<boolean>,
  ) {}

  async start(): Promise<void> {
    let after: number | undefined;
    for (;;) {
      const rows = await this.store.listComponents(0, Kind.TRANSFER, after, WINDOW);
      for (const r of rows) this.add(Number(r.id), decode(TransferRecord, r.value));
      if (rows.length < WINDOW) return;
      after = Number(rows.at(-1)?.id);
    }
  }

  /** A row that has become durable. */
  add(id: number, record: TransferRecord): void {
    this.waiting.push({ id, record, attempt: 0 });
    this.pump();
  }

  get pending(): number {
    return this.waiting.length + this.running;
  }

  private pump(): void {
    while (!this.isStopped && this.running < CONCURRENCY) {
      const task = this.waiting.shift();
      if (task === undefined) return;
      this.running++;
      this.run(task.id, task.record).then(
        (done) => this.ended(task, done),
        (e: unknown) => {
          this.logger.warn({ err: e, transfer: task.id }, "transfer task failed");
          this.ended(task, false);
        },
      );
    }
  }

  private ended(task: { id: number; record: TransferRecord; attempt: number }, done: boolean): void {
    this.running--;
    if (!done && !this.isStopped) {
      const delay = Math.min(BACKOFF_MS_MIN * 2 ** task.attempt, BACKOFF_MS_MAX);
      this.runtime.setTimer(delay, () => {
        this.waiting.push({ ...task, attempt: task.attempt + 1 });
        this.pump();
      });
    }
    this.pump();
  }

  stop(): void {
    this.isStopped = true;
  }
}
