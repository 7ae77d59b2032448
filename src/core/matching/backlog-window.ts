/**
 * The part of a queue's backlog that is in memory: every stored task up to a position (`reach`), in the order in which tasks are
 * given out. Rows beyond that position exist only in the store. It starts out knowing nothing, is extended by reads of the store,
 * and sheds its end when it grows past its bound.
 *
 * Invariant: no stored task at or before `reach` is missing, except those that were taken; none in memory is beyond it.
 */
import { assert } from "../../lib/assert.js";

export interface Position {
  /** 1 is served first. */
  readonly priority: number;
  /** Fairness pass; 0 without fairness. */
  readonly pass: number;
  /** Ascending in the order of arrival; unique in a queue. */
  readonly id: number;
}

export function comparePositions(a: Position, b: Position): number {
  return a.priority - b.priority || a.pass - b.pass || a.id - b.id;
}

/** `none`: nothing was read yet. `all`: the whole backlog is in memory. */
export type Reach = "none" | "all" | Position;

export class BacklogWindow<T extends { readonly order: Position }> {
  private items: T[] = [];
  private head = 0;
  private reach: Reach;
  private changes = 0;

  constructor(
    private readonly countMax: number,
    reach: "none" | "all" = "none",
  ) {
    assert(countMax >= 1, "a backlog window holds at least one task");
    this.reach = reach;
  }

  get size(): number {
    return this.items.length - this.head;
  }

  get isUnread(): boolean {
    return this.reach === "none";
  }

  get isComplete(): boolean {
    return this.reach === "all";
  }

  /** Whether the store must be read for tasks to follow. */
  get needsRefill(): boolean {
    return this.reach !== "all" && this.size < this.countMax / 2;
  }

  /** Where the next read starts; undefined for the beginning. */
  get readAfter(): Position | undefined {
    return typeof this.reach === "object" ? this.reach : undefined;
  }

  get room(): number {
    return Math.max(1, this.countMax - this.size);
  }

  /** Changes whenever what a read in progress will return no longer fits. */
  get version(): number {
    return this.changes;
  }

  first(): T | undefined {
    return this.items[this.head];
  }

  last(): T | undefined {
    return this.size === 0 ? undefined : this.items[this.items.length - 1];
  }

  takeFirst(): T | undefined {
    const task = this.items[this.head];
    if (task === undefined) return undefined;
    this.head++;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head >= 1024 && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return task;
  }

  /** A task that was stored or put back. Kept only if it lies within reach. */
  insert(task: T): void {
    if (this.reach === "none") return;
    if (this.reach !== "all" && comparePositions(task.order, this.reach) > 0) return;
    const last = this.items[this.items.length - 1];
    if (this.size === 0 || (last !== undefined && comparePositions(last.order, task.order) < 0)) this.items.push(task);
    else this.items.splice(this.indexOf(task.order), 0, task);
    if (this.size > this.countMax) {
      this.items.pop();
      const end = this.items[this.items.length - 1];
      assert(end !== undefined, "a full backlog window has a last task");
      this.reach = end.order;
      this.changes++;
    }
  }

  /** What a read of the store found behind `readAfter`, in order. `reach`: how far the store was read. */
  extend(tasks: readonly T[], reach: "all" | Position): void {
    for (const task of tasks) {
      assert(this.readAfter === undefined || comparePositions(task.order, this.readAfter) > 0, "a refill begins behind the window's reach");
      this.items.push(task);
    }
    this.reach = reach;
  }

  /** Forgets everything. */
  reset(): void {
    this.items = [];
    this.head = 0;
    this.reach = "none";
    this.changes++;
  }

  *values(): Generator<T> {
    for (let i = this.head; i < this.items.length; i++) yield this.items[i] as T;
  }

  /** Index of the first task behind the position. */
  private indexOf(order: Position): number {
    let low = this.head;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePositions((this.items[middle] as T).order, order) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
