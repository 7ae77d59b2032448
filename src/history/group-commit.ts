/**
 * Batches on their way to the disk. At most `store.inFlightMax` are unsettled; they settle in order; what was computed from a
 * batch leaves when it is durable. The engine fills the open batch, this file hands it over and releases what waited.
 */
import type { Logger } from "../lib/runtime.js";
import { Batch } from "../persistence/batch.js";
import { type Store, StoreFailure } from "../persistence/store.js";
import type { CachedChain } from "./execution-cache.js";
import type { PendingInput } from "./pending-input.js";

/** A batch with all that hangs on it. */
export class OpenBatch {
  readonly rows = new Batch();
  readonly chains = new Set<CachedChain>();
  /** Inputs of callers, for running them again one by one. */
  readonly inputs: PendingInput[] = [];
  /** In the order of release: replies, long polls, dispatch, timers. */
  readonly replies: (() => void)[] = [];
  readonly polls: (() => void)[] = [];
  readonly dispatch: (() => void)[] = [];
  readonly timers: (() => void)[] = [];
  /** Undone when the batch is lost. */
  readonly undo: (() => void)[] = [];

  constructor(readonly sequence: number) {}
}

export class GroupCommit {
  private nextSequence = 1;
  private inFlight: OpenBatch[] = [];
  /** Newest batch that is durable, and everything before it. */
  durable = 0;
  open = new OpenBatch(this.nextSequence++);

  constructor(
    private readonly store: Store,
    private readonly logger: Logger,
    private readonly onSettled: (batch: OpenBatch) => void,
    /** Batches that did not become durable, oldest first. */
    private readonly onFailed: (batches: OpenBatch[], kind: "refused" | "full" | "lost") => void,
  ) {}

  get canTakeMore(): boolean {
    return this.inFlight.length < this.store.inFlightMax;
  }

  get isIdle(): boolean {
    return this.inFlight.length === 0;
  }

  /** Runs `f` when everything up to `sequence` is durable: at once when it is. If that is lost, `input` runs again. */
  release(sequence: number, f: () => void, input?: PendingInput): void {
    if (sequence <= this.durable) {
      f();
      return;
    }
    const batch = this.inFlight.find((b) => b.sequence >= sequence) ?? this.open;
    batch.replies.push(f);
    if (input !== undefined) batch.inputs.push(input);
  }

  /** Hands the open batch over, if it holds anything. */
  flush(): void {
    const batch = this.open;
    if (batch.rows.isEmpty) {
      // Nothing to write: what waits here waits for the batches before it.
      if (batch.replies.length + batch.polls.length + batch.dispatch.length + batch.timers.length === 0) return;
      this.open = new OpenBatch(this.nextSequence++);
      const last = this.inFlight.at(-1);
      if (last === undefined) {
        this.durable = batch.sequence;
        this.runAll(batch);
        return;
      }
      last.inputs.push(...batch.inputs);
      last.undo.push(...batch.undo);
      last.replies.push(...batch.replies);
      last.polls.push(...batch.polls);
      last.dispatch.push(...batch.dispatch);
      last.timers.push(...batch.timers);
      return;
    }
    this.open = new OpenBatch(this.nextSequence++);
    this.inFlight.push(batch);
    this.store.commit(batch.rows).then(
      () => this.settled(batch),
      (e: unknown) => this.failed(batch, e),
    );
  }

  private settled(batch: OpenBatch): void {
    if (this.inFlight[0] !== batch) return; // It was given up with an earlier one.
    this.inFlight.shift();
    this.durable = batch.sequence;
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
    // Later batches were computed from this one.
    const lost = this.inFlight.slice(this.inFlight.indexOf(batch));
    this.inFlight = this.inFlight.slice(0, this.inFlight.indexOf(batch));
    lost.push(this.open);
    this.open = new OpenBatch(this.nextSequence++);
    this.onFailed(lost, kind);
  }
}
