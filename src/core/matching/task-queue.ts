/**
 * One task queue (namespace, name, type and kind): who waits for tasks, which tasks and queries wait for a poller, and in which
 * order they meet. Pure: times come in, decisions go out; what a decision does is the shell's (matching/matching-engine.ts).
 *
 * Pollers are served first come, first served; one whose task came to nothing is next. A query goes before tasks. Tasks go by
 * priority, fairness pass, arrival; tasks that moved here from the sticky queue of a worker that has gone are older than any other
 * of their priority.
 */
import { BacklogWindow, type Position } from "./backlog-window.js";

export interface WaitingPoller {
  /** Microseconds; from then on it may not be given a task. */
  readonly expiresAt: number;
  /** Whether its stream has closed. */
  isGone(): boolean;
}

export class TaskQueue<P extends WaitingPoller, Q, T extends { readonly order: Position }> {
  readonly window: BacklogWindow<T>;
  private readonly moved = new BacklogWindow<T>(Number.MAX_SAFE_INTEGER, "all");
  /** Pollers that were held for a task that came to nothing. */
  private readonly returned = new Set<P>();
  private readonly waiting = new Set<P>();
  private readonly queries = new Set<Q>();
  /** Tasks of the window may be for other lines: what is for this one has been moved to its front. */
  isSpread = false;

  constructor(windowMax: number, isKnownEmpty: boolean) {
    this.window = new BacklogWindow<T>(windowMax, isKnownEmpty ? "all" : "none");
  }

  get pollerCount(): number {
    return this.returned.size + this.waiting.size;
  }

  get queryCount(): number {
    return this.queries.size;
  }

  get movedCount(): number {
    return this.moved.size;
  }

  addPoller(p: P): void {
    this.waiting.add(p);
  }

  returnPoller(p: P): void {
    this.returned.add(p);
  }

  removePoller(p: P): void {
    if (!this.returned.delete(p)) this.waiting.delete(p);
  }

  /** The next poller that may be given something. Those that have gone or are about to go stay for their own timers. */
  nextPoller(now: number): P | undefined {
    for (const p of this.returned) if (p.expiresAt > now && !p.isGone()) return p;
    for (const p of this.waiting) if (p.expiresAt > now && !p.isGone()) return p;
    return undefined;
  }

  *pollers(): Generator<P> {
    yield* this.returned;
    yield* this.waiting;
  }

  addQuery(q: Q): void {
    this.queries.add(q);
  }

  removeQuery(q: Q): void {
    this.queries.delete(q);
  }

  nextQuery(): Q | undefined {
    for (const q of this.queries) return q;
    return undefined;
  }

  /** Whether a new task may overtake everything that is stored: no older task of its priority or a better one waits. */
  canStartDirectly(priority: number): boolean {
    const next = this.nextTask();
    if (next !== undefined && next.order.priority <= priority) return false;
    if (this.isSpread) return this.window.isComplete && this.window.size === 0;
    // Without a stored task in memory the rest of the backlog must be known to be empty. With one, the rest lies behind it.
    return this.window.isComplete || this.window.size > 0;
  }

  nextTask(): T | undefined {
    const own = this.isSpread ? undefined : this.window.first();
    const moved = this.moved.first();
    if (own === undefined || moved === undefined) return moved ?? own;
    return moved.order.priority <= own.order.priority ? moved : own;
  }

  takeTask(): T | undefined {
    const next = this.nextTask();
    if (next === undefined) return undefined;
    return next === this.moved.first() ? this.moved.takeFirst() : this.window.takeFirst();
  }

  /** Those whose row belongs to another queue, in order. */
  movedTasks(): IterableIterator<T> {
    return this.moved.values();
  }

  takeMoved(): T[] {
    const taken: T[] = [];
    for (let t = this.moved.takeFirst(); t !== undefined; t = this.moved.takeFirst()) taken.push(t);
    return taken;
  }

  /** A task whose row belongs to another queue. */
  addMoved(task: T): void {
    this.moved.insert(task);
  }
}
