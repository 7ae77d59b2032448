/**
 * The timer queue of the root clock: a window of the nearest due rows in memory, the rest only in the store. A timer means "not
 * before": what is due is decided by the core when the input is applied.
 */
import { Heap } from "../../lib/heap.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Store } from "../../persistence/store.js";

export interface DueRow {
  clock: number;
  due: number;
  key: number;
}

const WINDOW = 10_000;
/** Fired at once at most, so that a laptop that wakes does not flood the engine. */
const FIRE_MAX = 1_000;
const ARM_MS_MAX = 60_000;

export class TimerQueue {
  private heap = new Heap<DueRow>((a, b) => a.due - b.due || a.key - b.key);
  /** Every row due up to here is in the heap. */
  private horizon = Number.POSITIVE_INFINITY;
  private armedAt = Number.POSITIVE_INFINITY;
  private disarm: (() => void) | undefined;
  private isRefilling = false;
  private isStopped = false;

  constructor(
    private readonly store: Store,
    private readonly runtime: Runtime,
    private readonly logger: Logger,
    private readonly fire: (row: DueRow) => void,
  ) {}

  async start(): Promise<void> {
    await this.refill(-1, -1);
    this.arm();
  }

  private async refill(afterDue: number, afterKey: number): Promise<void> {
    const rows = await this.store.readDue(0, Number.MAX_SAFE_INTEGER, afterDue < 0 ? undefined : { due: afterDue, key: afterKey }, WINDOW);
    for (const r of rows) this.heap.push({ clock: 0, ...r });
    this.horizon = rows.length < WINDOW ? Number.POSITIVE_INFINITY : (rows.at(-1)?.due ?? Number.POSITIVE_INFINITY);
  }

  /** A row that has become durable. */
  add(row: DueRow): void {
    if (this.isStopped || row.due > this.horizon) return;
    this.heap.push(row);
    if (this.heap.size > WINDOW * 2) {
      const dropped = this.heap.trim(WINDOW);
      this.horizon = (dropped[0]?.due ?? this.horizon) - 1;
      // Rows at the cut share a time: those kept are found again by the refill, and fire twice at worst.
    }
    if (row.due < this.armedAt) this.arm();
  }

  private arm(): void {
    if (this.isStopped) return;
    this.disarm?.();
    this.disarm = undefined;
    const next = this.heap.peek();
    const at = next === undefined ? (Number.isFinite(this.horizon) ? this.horizon : undefined) : next.due;
    if (at === undefined) {
      this.armedAt = Number.POSITIVE_INFINITY;
      return;
    }
    this.armedAt = at;
    const delayMs = Math.max(0, Math.ceil((at - this.runtime.nowMicros()) / 1000));
    this.disarm = this.runtime.setTimer(Math.min(delayMs, ARM_MS_MAX), () => this.due());
  }

  private due(): void {
    this.disarm = undefined;
    const now = this.runtime.nowMicros();
    let fired = 0;
    for (let next = this.heap.peek(); next !== undefined && next.due <= now && fired < FIRE_MAX; next = this.heap.peek()) {
      this.heap.pop();
      this.fire(next);
      fired++;
    }
    if (this.heap.peek() === undefined && Number.isFinite(this.horizon) && !this.isRefilling) {
      this.isRefilling = true;
      this.refill(this.horizon, -1).then(
        () => {
          this.isRefilling = false;
          this.arm();
        },
        (e: unknown) => {
          this.isRefilling = false;
          this.logger.error({ err: e }, "due rows cannot be read");
          this.runtime.setTimer(1000, () => this.due());
        },
      );
      return;
    }
    this.arm();
  }

  stop(): void {
    this.isStopped = true;
    this.disarm?.();
  }
}
