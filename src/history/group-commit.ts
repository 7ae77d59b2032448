/**
 * Batches on their way to the disk. At most `store.inFlightMax` are unsettled; they settle in order; what was computed from a
 * batch leaves when it is durable. The engine fills the open batch, this file hands it over and releases what waited.
 *
 * Batches in flight touch different executions: one that was computed from an unsettled batch is held back until that has settled,
 * and grows meanwhile. So a batch that the store refuses takes nothing with it but the open one, and no store has to know which
 * batch was computed from which. It costs little: an execution's next input nearly always follows a reply, which is released after
 * the commit.
 */
import type { ExecutionState } from "../core/execution.js";
import type { Logger } from "../lib/runtime.js";
import { Batch } from "../persistence/batch.js";
import { type Store, StoreFailure } from "../persistence/store.js";
import type { CachedChain } from "./execution-cache.js";
import type { PendingInput } from "./pending-input.js";

export type FailureKind = StoreFailure["kind"];

/** A batch with all that hangs on it. */
export class OpenBatch {
  readonly rows = new Batch();
  /** Changed runs. Their records are encoded once, when the batch is handed over, however many transitions it holds. */
  readonly runs = new Map<ExecutionState, { shard: number; isNew: boolean }>();
  readonly chains = new Set<CachedChain>();
  /** Inputs that were applied or answered from it, for running them again one by one. */
  readonly inputs: PendingInput[] = [];
  /** The input that has the batch to itself, because an earlier batch with it was refused. */
  alone: PendingInput | undefined;
  /** In the order of release: replies, long polls, dispatch, timers. */
  readonly replies: (() => void)[] = [];
  readonly polls: (() => void)[] = [];
  readonly dispatch: (() => void)[] = [];
  readonly timers: (() => void)[] = [];
  /** Undone when the batch is lost. */
  readonly undo: ((kind: FailureKind) => void)[] = [];

  constructor(readonly sequence: number) {}

  get isEmpty(): boolean {
    return this.runs.size === 0 && this.rows.isEmpty;
  }

  get hasWaiting(): boolean {
    return this.replies.length + this.polls.length + this.dispatch.length + this.timers.length > 0;
  }

  putRun(state: ExecutionState, shard: number, isNew: boolean): void {
    if (isNew || !this.runs.has(state)) this.runs.set(state, { shard, isNew });
  }

  /** Writes the records. Nothing is applied to the batch afterwards. */
  seal(): void {
    for (const [state, { shard, isNew }] of this.runs) this.rows.putExecution(state.key, shard, state.encodeRecord(), isNew);
  }

  /** What waits here waits for `next` instead. */
  moveTo(next: OpenBatch): void {
    for (const chain of this.chains) next.chains.add(chain);
    next.inputs.push(...this.inputs);
    next.undo.push(...this.undo);
    next.replies.push(...this.replies);
    next.polls.push(...this.polls);
    next.dispatch.push(...this.dispatch);
    next.timers.push(...this.timers);
  }
}

export class GroupCommit {
  private nextSequence = 1;
  private inFlight: OpenBatch[] = [];
  /** The open batch was computed from one in flight. */
  private isHeld = false;
  /** Newest batch that is durable, and everything before it. */
  durable = 0;
  open = new OpenBatch(this.nextSequence++);
  /** Batches that have become durable, and their rows. */
  readonly counters = { commits: 0, rows: 0 };

  constructor(
    private readonly store: Store,
    private readonly logger: Logger,
    private readonly onSettled: (batch: OpenBatch) => void,
    /** Batches that did not become durable, oldest first. */
    private readonly onFailed: (batches: OpenBatch[], kind: FailureKind) => void,
  ) {}

  get canTakeMore(): boolean {
    return !this.isHeld && this.inFlight.length < this.store.inFlightMax;
  }

  get isIdle(): boolean {
    return this.inFlight.length === 0 && !this.hasOpenWork;
  }

  /** Whether the open batch has anything to hand over or to release. */
  get hasOpenWork(): boolean {
    return this.open.hasWaiting || !this.open.isEmpty;
  }

  /**
   * Runs `f` when everything up to `sequence` is durable: at once when it is. If that is lost, `undo` runs instead, and `input`
   * runs again.
   */
  release(sequence: number, f: () => void, input?: PendingInput, undo?: () => void): void {
    if (sequence <= this.durable) {
      f();
      return;
    }
    let batch = this.open;
    for (const b of this.inFlight)
      if (b.sequence >= sequence) {
        batch = b;
        break;
      }
    batch.replies.push(f);
    if (input !== undefined) batch.inputs.push(input);
    if (undo !== undefined) batch.undo.push(undo);
  }

  /** Hands the open batch over, if it holds anything and depends on nothing that is unsettled. */
  flush(): void {
    const batch = this.open;
    if (batch.isEmpty) {
      if (!batch.hasWaiting) return;
      // Nothing to write: what waits here waits for the batches before it.
      this.open = new OpenBatch(this.nextSequence++);
      const last = this.inFlight.at(-1);
      if (last !== undefined) {
        batch.moveTo(last);
        return;
      }
      this.durable = batch.sequence;
      this.runAll(batch);
      return;
    }
    if (this.inFlight.some((b) => shareChain(b, batch))) {
      this.isHeld = true;
      return;
    }
    this.open = new OpenBatch(this.nextSequence++);
    this.inFlight.push(batch);
    let committed: Promise<void>;
    try {
      batch.seal();
      committed = this.store.commit(batch.rows);
    } catch (e) {
      // A record that cannot be encoded: like a row that the store does not take.
      committed = Promise.reject(new StoreFailure("refused", e instanceof Error ? e.message : String(e), { cause: e }));
    }
    committed.then(
      () => this.settled(batch),
      (e: unknown) => this.failed(batch, e),
    );
  }

  private settled(batch: OpenBatch): void {
    if (!this.inFlight.includes(batch)) return; // The end of the process is near: it was given up.
    if (this.inFlight[0] !== batch) {
      this.failed(batch, new Error("the store settled its batches out of order"));
      return;
    }
    this.inFlight.shift();
    this.durable = batch.sequence;
    this.isHeld = false;
    this.counters.commits++;
    this.counters.rows += batch.rows.rowCount;
    this.onSettled(batch);
    this.runAll(batch);
  }

  private runAll(batch: OpenBatch): void {
    for (const list of [batch.replies, batch.polls, batch.dispatch, batch.timers])
      for (const f of list) {
        try {
          f();
        } catch (e) {
          this.logger.error({ err: e }, "release failed");
        }
      }
  }

  private failed(batch: OpenBatch, error: unknown): void {
    if (!this.inFlight.includes(batch)) return;
    const kind = error instanceof StoreFailure ? error.kind : "lost";
    this.logger.warn({ err: error instanceof Error ? error.message : String(error), kind, rows: batch.rows.rowCount }, "batch was not written");
    this.isHeld = false;
    let lost: OpenBatch[];
    if (kind === "lost") {
      lost = [...this.inFlight, this.open];
      this.inFlight = [];
    } else {
      this.inFlight = this.inFlight.filter((b) => b !== batch);
      lost = shareChain(batch, this.open) ? [batch, this.open] : [batch];
    }
    if (lost.includes(this.open)) this.open = new OpenBatch(this.nextSequence++);
    this.onFailed(lost, kind);
  }
}

function shareChain(a: OpenBatch, b: OpenBatch): boolean {
  const [few, many] = a.chains.size < b.chains.size ? [a.chains, b.chains] : [b.chains, a.chains];
  for (const chain of few) if (many.has(chain)) return true;
  return false;
}
