/**
 * The timer queue of a clock: a window of the nearest due rows in memory, the rest only in the store, so that far timers cost no
 * memory. A timer means "not before": what is due is decided by the core when the input is applied. A row whose input failed is
 * tried again; a bounded number is on its way to the engine at a time, so that a laptop that wakes does not flood it. A row that its
 * run is known to have left behind is passed over without a look into the store: nearly every workflow task leaves one.
 */
import { Heap } from "../../lib/heap.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Store } from "../../persistence/store.js";

export interface DueRow {
  clock: number;
  due: number;
  key: number;
}

type Position = Pick<DueRow, "due" | "key">;

interface HeldRow extends DueRow {
  /** It is not in the store any more. */
  isLeft: boolean;
}

const compare = (a: Position, b: Position): number => a.due - b.due || a.key - b.key;

const WINDOW = 10_000;
const RUNNING_MAX = 1_000;
const ARM_MS_MAX = 60_000;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
/** Before the first read nothing is known; behind the last row everything is. */
const NOTHING: Position = { due: -1, key: -1 };
const EVERYTHING: Position = { due: Number.POSITIVE_INFINITY, key: 0 };

export class TimerQueue {
  private readonly heap = new Heap<HeldRow>(compare);
  /** Every row up to here is in the heap, on its way, or done. */
  private horizon = NOTHING;
  private armedAt = Number.POSITIVE_INFINITY;
  private disarm: (() => void) | undefined;
  /** Rows behind the horizon that became durable while a read is under way, which may have missed them. */
  private arrived: DueRow[] | undefined;
  private running = 0;
  private isFull = false;
  private isStopped = false;
  private readonly failures = new Map<number, number>();
  /** Rows of the heap that are in the store as far as is known, by key. */
  private readonly held = new Map<number, HeldRow>();

  constructor(
    private readonly store: Store,
    private readonly runtime: Runtime,
    private readonly logger: Logger,
    private readonly clock: number,
    /** Resolves when the row has been seen to, durably; rejects when it has to be tried again. */
    private readonly fire: (row: DueRow) => Promise<void>,
    /** Of a clock that is not real time: how far it is ahead; told when rows have been read. */
    private readonly virtual: { readonly ahead: () => number; readonly onRead: () => void } = { ahead: () => 0, onRead: () => undefined },
  ) {}

  async start(): Promise<void> {
    await this.refill();
    this.arm();
  }

  /** Forgets what is in memory and reads it again. */
  async reload(): Promise<void> {
    // A read under way began from the old horizon: it is to end first.
    while (this.arrived !== undefined) await new Promise<void>((resolve) => this.runtime.defer(resolve));
    if (this.isStopped) return;
    this.disarm?.();
    this.disarm = undefined;
    this.heap.trim(0);
    this.held.clear();
    this.horizon = NOTHING;
    try {
      await this.refill();
    } finally {
      this.arm();
    }
  }

  /** A row that has become durable. */
  add(row: DueRow): void {
    if (this.isStopped || row.clock !== this.clock) return;
    if (compare(row, this.horizon) > 0) {
      this.arrived?.push(row);
      return;
    }
    this.hold(row);
    if (this.heap.size > WINDOW * 2) {
      const cut = this.heap.trim(WINDOW);
      for (const r of cut) this.release(r);
      const [first] = cut;
      if (first !== undefined) this.horizon = { due: first.due, key: first.key - 1 };
    }
    if (row.due < this.armedAt) this.arm();
  }

  /** A row that is not in the store any more, durably. */
  leave(row: DueRow): void {
    const held = this.held.get(row.key);
    if (held === undefined || held.due !== row.due || row.clock !== this.clock) return;
    held.isLeft = true;
    this.held.delete(row.key);
  }

  private hold({ clock, due, key }: DueRow): void {
    const row = { clock, due, key, isLeft: false };
    this.heap.push(row);
    this.held.set(key, row);
  }

  /** The row is out of the heap. */
  private release(row: HeldRow): void {
    if (this.held.get(row.key) === row) this.held.delete(row.key);
  }

  private get now(): number {
    return this.runtime.nowMicros() + this.virtual.ahead();
  }

  /** The clock has gone on. */
  clockMoved(): void {
    this.arm();
  }

  /** The row that comes next, when none is on its way; it may be one that its run has left behind. "unknown": it is being found out. */
  nearest(): DueRow | undefined | "unknown" {
    if (this.running > 0 || this.failures.size > 0 || this.arrived !== undefined) return "unknown";
    let next = this.heap.peek();
    for (; next?.isLeft; next = this.heap.peek()) this.heap.pop();
    if (next !== undefined || this.horizon === EVERYTHING) return next;
    this.readOn();
    return "unknown";
  }

  /** The nearest row is one that its run has left behind. */
  discard(row: DueRow): void {
    const next = this.heap.peek();
    if (next === undefined || compare(next, row) !== 0) return;
    this.heap.pop();
    this.release(next);
  }

  /** Rows in memory. */
  get size(): number {
    return this.heap.size;
  }

  /** Of them, those that are in the store as far as is known. */
  get heldCount(): number {
    return this.held.size;
  }

  private async refill(): Promise<void> {
    this.arrived = [];
    try {
      const after = this.horizon === NOTHING ? undefined : this.horizon;
      const rows = await this.store.readDue(this.clock, Number.MAX_SAFE_INTEGER, after, WINDOW);
      this.horizon = rows.length < WINDOW ? EVERYTHING : (rows.at(-1) ?? EVERYTHING);
      const known = new Set(rows.map((r) => `${r.due}/${r.key}`));
      for (const { due, key } of rows) this.hold({ clock: this.clock, due, key });
      for (const r of this.arrived) if (compare(r, this.horizon) <= 0 && !known.has(`${r.due}/${r.key}`)) this.hold(r);
    } finally {
      this.arrived = undefined;
    }
  }

  private arm(): void {
    this.disarm?.();
    this.disarm = undefined;
    this.armedAt = Number.POSITIVE_INFINITY;
    if (this.isStopped || this.isFull || this.arrived !== undefined) return;
    const at = this.heap.peek()?.due ?? this.horizon.due;
    if (!Number.isFinite(at)) return;
    this.armedAt = at;
    const delayMs = Math.max(0, Math.ceil((at - this.now) / 1000));
    this.disarm = this.runtime.setTimer(Math.min(delayMs, ARM_MS_MAX), () => this.due());
  }

  private due(): void {
    this.disarm = undefined;
    const { now } = this;
    for (let next = this.heap.peek(); next !== undefined && next.due <= now; next = this.heap.peek()) {
      if (this.running >= RUNNING_MAX) {
        this.isFull = true;
        return;
      }
      this.heap.pop();
      if (next.isLeft) continue;
      this.release(next);
      this.begin(next);
    }
    if (this.heap.peek() !== undefined || this.horizon === EVERYTHING) {
      this.arm();
      return;
    }
    this.readOn();
  }

  private readOn(): void {
    this.refill().then(
      () => {
        this.arm();
        this.virtual.onRead();
      },
      (e: unknown) => {
        this.logger.error({ err: e }, "due rows cannot be read");
        this.runtime.setTimer(RETRY_MS_MIN, () => this.arm());
      },
    );
  }

  private begin(row: DueRow): void {
    this.running++;
    this.fire(row).then(
      () => {
        this.failures.delete(row.key);
        this.ended();
      },
      () => {
        this.retry(row);
        this.ended();
      },
    );
  }

  private ended(): void {
    this.running--;
    if (!this.isFull || this.running > RUNNING_MAX / 2) return;
    this.isFull = false;
    this.arm();
  }

  private retry(row: DueRow): void {
    const failures = this.failures.get(row.key) ?? 0;
    this.failures.set(row.key, failures + 1);
    this.runtime.setTimer(Math.min(RETRY_MS_MIN * 2 ** failures, RETRY_MS_MAX), () => {
      if (this.isStopped) return;
      this.hold(row);
      this.arm();
    });
  }

  stop(): void {
    this.isStopped = true;
    this.disarm?.();
    this.disarm = undefined;
  }
}
