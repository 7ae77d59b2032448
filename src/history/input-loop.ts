/**
 * Inputs of one workflow id wait in its queue; a turn of the loop applies up to 256 of them (or 5 ms) and hands their transitions over
 * as one batch. What an input addresses and needs is loaded first, and the chain waits meanwhile; what becomes of it is told its
 * caller when all that the answer was computed from is durable.
 *
 * Invariants: inputs of a workflow id apply in order; nothing of a workflow id is loaded while a batch holds rows of it; the poller of
 * a started task that has gone when its answer leaves gives the task back.
 */
import { internal, notFound, type ServiceError, unavailable } from "../api/service-error.js";
import type { ExecutionAddress, Input, InputKind, InputOf } from "../core/input.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { Replies } from "../core/transition.js";
import { Kind, RunState } from "../core/workflow/mutable-state.js";
import { assert } from "../lib/assert.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { Acceptance } from "./acceptance.js";
import type { Applier } from "./applier.js";
import type { ChainRenewal } from "./chain-renewal.js";
import type { Clocks } from "./clocks.js";
import type { EngineClocks } from "./engine-clocks.js";
import type { CachedChain, ExecutionCache } from "./execution-cache.js";
import type { ExecutionLoader, Need } from "./execution-loader.js";
import type { GroupCommit } from "./group-commit.js";
import { HeldCompletions } from "./held-completions.js";
import type { OwnRows } from "./own-rows.js";
import { Pace } from "./pace.js";
import { InputClass, type PendingInput } from "./pending-input.js";
import type { ReadyChains } from "./ready-chains.js";

const TURN_INPUTS_MAX = 256;
const TURN_MICROS_MAX = 5_000;

const NOTHING = (): void => undefined;
const STALE_TASK = notFound("Task not found.");

export interface InputLoopHost {
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly namespaces: () => NamespaceDirectory;
  readonly cache: ExecutionCache;
  readonly commits: GroupCommit;
  readonly ready: ReadyChains;
  readonly loader: ExecutionLoader;
  readonly applier: Applier;
  readonly acceptance: Acceptance;
  readonly held: HeldCompletions;
  readonly rows: OwnRows;
  readonly renewal: ChainRenewal;
  readonly clocks: () => Clocks;
  readonly engineClocks: () => EngineClocks;
  /** Inputs that wait in the memory of a run, by its number for them. */
  readonly waiters: Map<number, PendingInput>;
}

/** What an input of the server's own comes from. */
export type InputSource = Partial<Pick<PendingInput, "dueRow" | "transferRow" | "skip">>;

export class InputLoop {
  private readonly pace: Pace;
  private isDraining = false;
  /** Nothing is applied or answered any more. */
  private stopped = false;
  private drained: (() => void) | undefined;

  constructor(private readonly host: InputLoopHost) {
    this.pace = new Pace(host.runtime);
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /** The store can no longer be trusted. */
  stop(): void {
    this.stopped = true;
  }

  /** A poll has found a task that was made at that time, microseconds, and has waited for one. */
  tookWaiting(createTime: number): void {
    this.pace.tookWaiting(createTime);
  }

  // --- What comes

  /** Of a caller. */
  submit<K extends InputKind>(
    address: ExecutionAddress,
    input: InputOf<K>,
    options: { readonly consumed?: BacklogKey; readonly isGone?: () => boolean } | undefined,
  ): Promise<Replies[K]> {
    return new Promise<Replies[K]>((resolve, reject) => {
      if (this.stopped || this.isDraining) {
        reject(unavailable("server is shutting down"));
        return;
      }
      this.push({
        address,
        input,
        class: InputClass.CALL,
        consumed: options?.consumed,
        isGone: options?.isGone,
        resolve: resolve as (reply: never) => void,
        reject,
        dueRow: undefined,
        transferRow: undefined,
        loadedEvents: undefined,
        loadedRequestIds: undefined,
        loadedUpdates: undefined,
        isAlone: false,
      });
    });
  }

  /** Of the server's own. */
  submitInternal(address: ExecutionAddress, input: Input, inputClass: InputClass, from: InputSource = {}): Promise<unknown> {
    return new Promise((resolve, reject) => this.pushInternal(address, input, inputClass, resolve as (reply: never) => void, reject, from));
  }

  /** The same, and nobody asks what becomes of it. */
  post(address: ExecutionAddress, input: Input, inputClass: InputClass): void {
    this.pushInternal(address, input, inputClass, NOTHING, NOTHING, {});
  }

  private pushInternal(
    address: ExecutionAddress,
    input: Input,
    inputClass: InputClass,
    resolve: PendingInput["resolve"],
    reject: PendingInput["reject"],
    from: InputSource,
  ): void {
    if (this.stopped) {
      reject(unavailable("server is shutting down"));
      return;
    }
    this.push({
      address,
      input,
      class: inputClass,
      consumed: undefined,
      isGone: undefined,
      resolve,
      reject,
      dueRow: from.dueRow,
      transferRow: from.transferRow,
      skip: from.skip,
      loadedEvents: undefined,
      loadedRequestIds: undefined,
      loadedUpdates: undefined,
      isAlone: false,
    });
  }

  private push(p: PendingInput): void {
    const chain = this.host.cache.get(p.address.namespaceId, p.address.workflowId, p.address.archetype);
    chain.queue.push(p);
    this.host.ready.wake(chain);
  }

  // --- Turns

  turn(): void {
    if (this.stopped) return;
    const { commits, ready, runtime } = this.host;
    // An input that runs alone waits for the batches before it, and nothing joins it.
    if (commits.canTakeMore && commits.open.alone !== undefined) commits.flush();
    if (!commits.canTakeMore) return;
    const begin = runtime.nowMicros();
    let n = 0;
    let ofWorkflowTasks = 0;
    for (; n < TURN_INPUTS_MAX; n++) {
      const chain = ready.next();
      if (chain === undefined) break;
      const p = chain.queue[0];
      if (p === undefined || chain.isLoading || chain.isBlocked) continue;
      if (p.isAlone && !commits.open.isEmpty) {
        // It gets a batch of its own.
        ready.putBack(chain);
        break;
      }
      if (!this.isLoaded(chain, p)) continue;
      chain.queue.shift();
      const { kind } = p.input;
      if (kind === "startWorkflowTask" || kind === "completeWorkflowTask") ofWorkflowTasks++;
      if (p.isAlone) commits.open.alone = p;
      this.process(chain, p);
      if (p.isAlone && commits.open.isEmpty) commits.open.alone = undefined;
      ready.wake(chain);
      if (p.isAlone || runtime.nowMicros() - begin > TURN_MICROS_MAX) break;
    }
    commits.flush();
    this.pace.turned(n, n - ofWorkflowTasks);
    if (!ready.isEmpty && commits.canTakeMore) ready.scheduleTurn();
    const clocks = this.host.clocks();
    if (clocks.isActive) clocks.look();
    this.checkDrained();
  }

  /** Whether what the input addresses is in memory; else it is loaded from now on. */
  private isLoaded(chain: CachedChain, p: PendingInput): boolean {
    if (chain.isLoaded(p.address)) return true;
    chain.isLoading = true;
    this.host.loader.load(chain, p.address).then(
      () => {
        chain.isLoading = false;
        this.host.ready.wake(chain);
      },
      (e: unknown) => {
        chain.isLoading = false;
        this.host.logger.error({ err: e, workflowId: chain.workflowId }, "execution cannot be loaded");
        const at = chain.queue.indexOf(p);
        if (at >= 0) chain.queue.splice(at, 1);
        p.reject(internal("execution cannot be loaded"));
        this.host.ready.wake(chain);
      },
    );
    return false;
  }

  private process(chain: CachedChain, p: PendingInput): void {
    const { applier, acceptance, commits, renewal, waiters } = this.host;
    if (p.input.kind === "dropQuery" || p.input.kind === "endUpdateWait") waiters.delete(p.input.waiter);
    const { skip } = p;
    if (skip !== undefined && !this.host.clocks().maySkip(skip.clock)) {
      p.resolve(undefined as never);
      return;
    }
    const skipped = skip === undefined ? undefined : this.host.engineClocks().advance(chain, skip);
    const outcome = applier.apply(chain, skip === undefined || skipped !== undefined ? p : { ...p, input: { kind: "due", settle: true } });
    if (skipped !== undefined && (outcome === "bug" || outcome.outcome !== "accepted")) skipped.undo();
    if (outcome === "bug") {
      renewal.quarantine(chain, p);
      return;
    }
    switch (outcome.outcome) {
      case "need":
        this.loadNeeded(chain, p, outcome);
        return;
      case "error": {
        // The backlog row of a task that could not be started stays: matching offers it again, or drops it.
        const { error } = outcome;
        commits.release(chain.sequence, () => p.reject(error), p);
        return;
      }
      case "stale":
        this.consume(p, chain);
        this.removeStaleRows(p);
        commits.release(
          chain.sequence,
          () => {
            if (p.input.kind === "startWorkflowTask" || p.input.kind === "startActivity") p.reject(STALE_TASK);
            else p.resolve(undefined as never);
          },
          p,
        );
        return;
      case "accepted": {
        this.consume(p, chain);
        skipped?.write();
        acceptance.accept(chain, outcome, 0);
        if (outcome.refused !== undefined) {
          this.refuse(chain, p, outcome.refused);
          return;
        }
        if (outcome.deferred) {
          const waiter = (p.input as { waiter?: number }).waiter;
          assert(waiter !== undefined, "a deferred input names its waiter");
          waiters.set(waiter, p);
          return;
        }
        commits.release(chain.sequence, this.answer(p, outcome.reply), p);
      }
    }
  }

  private loadNeeded(chain: CachedChain, p: PendingInput, need: Need): void {
    const { loader, logger, ready } = this.host;
    if (loader.hasAll(p, need)) {
      const events = need.events.map((r) => r.eventId);
      logger.error({ kind: p.input.kind, workflowId: chain.workflowId, events }, "rows that an input needs are missing");
      p.reject(internal("rows that the request needs are missing"));
      return;
    }
    chain.isLoading = true;
    const read = (): void => {
      loader.loadNeeded(chain, p, need).then(
        () => {
          chain.isLoading = false;
          chain.queue.unshift(p);
          ready.wake(chain);
        },
        (e: unknown) => {
          chain.isLoading = false;
          logger.error({ err: e }, "rows cannot be loaded");
          p.reject(internal("rows cannot be loaded"));
          ready.wake(chain);
        },
      );
    };
    // Rows of transitions that are not durable are not readable yet.
    this.host.commits.release(chain.sequence, read, p, () => {
      chain.isLoading = false;
    });
  }

  // --- What becomes of them

  /** The run has ended instead of taking the input. Of that matching and the timers learn no more than that nothing is left to do. */
  private refuse(chain: CachedChain, p: PendingInput, error: ServiceError): void {
    const { workflowId } = chain;
    this.host.logger.warn({ namespace: this.host.namespaces().byId(chain.namespaceId)?.name, workflowId, kind: p.input.kind }, error.message);
    this.host.commits.release(
      chain.sequence,
      () => {
        if (p.input.kind === "startWorkflowTask" || p.input.kind === "startActivity") p.reject(STALE_TASK);
        else if (p.class === InputClass.TIMER) p.resolve(undefined as never);
        else p.reject(error);
      },
      p,
    );
  }

  private answer(p: PendingInput, reply: Replies[InputKind]): () => void {
    const { kind } = p.input;
    if (p.isGone !== undefined && (kind === "startWorkflowTask" || kind === "startActivity"))
      return () => this.deliver(p, reply as Replies["startWorkflowTask"]);
    if (kind === "completeWorkflowTask" && HeldCompletions.concerns(reply as Replies["completeWorkflowTask"]))
      return () => this.answerLater(p, reply as Replies["completeWorkflowTask"]);
    return () => p.resolve(reply as never);
  }

  /** With the task that the run's next timer brings, unless it has another one by now. */
  private answerLater(p: PendingInput, reply: Replies["completeWorkflowTask"]): void {
    const state = reply.nextTimer === undefined ? undefined : this.host.cache.byKey(reply.nextTimer.runKey)?.state;
    const isWaiting = state instanceof RunState && state.isOpen && state.info.workflowTask === undefined;
    if (this.isDraining || !isWaiting || p.input.kind !== "completeWorkflowTask") p.resolve(reply as never);
    else this.host.held.hold({ request: p.input.request, reply, isGone: p.isGone ?? (() => false), resolve: p.resolve as (reply: object) => void });
  }

  /** A task that was started for a poller which has gone meanwhile goes back. */
  private deliver(p: PendingInput, reply: Replies["startWorkflowTask"] | Replies["startActivity"]): void {
    if (p.isGone?.() === true) {
      this.undeliver(p.address, p.input.kind === "startActivity" ? "activity" : "workflow", reply);
      p.reject(STALE_TASK);
      return;
    }
    p.resolve(reply as never);
  }

  undeliver(address: ExecutionAddress, task: "workflow" | "activity", reply: { scheduledEventId: number; nonce: number }): void {
    this.post(address, { kind: "undelivered", task, scheduledEventId: reply.scheduledEventId, nonce: reply.nonce }, InputClass.CALL);
  }

  /** The backlog row of a task that has found its poller, or no longer concerns anyone. */
  private consume(p: PendingInput, chain: CachedChain): void {
    if (p.consumed === undefined) return;
    const { open } = this.host.commits;
    open.rows.writeBacklog(p.consumed, { op: "delete" });
    chain.sequence = open.sequence;
    open.chains.add(chain);
  }

  private removeStaleRows(p: PendingInput): void {
    if (p.dueRow !== undefined) this.host.commits.open.rows.deleteDue(p.dueRow.clock, p.dueRow.due, p.dueRow.key);
    // Unlike a due row, which its queue reads again, nobody looks at these again in this process: they go even if this batch is refused.
    if (p.transferRow !== undefined) this.deleteSurely(Kind.TRANSFER, p.transferRow);
    if ("outboundId" in p.input) this.deleteSurely(Kind.OUTBOUND, p.input.outboundId);
  }

  private deleteSurely(kind: Kind, id: number): void {
    this.host.rows.commitSurely((rows) => rows.writeComponent(0, kind, id, { op: "delete" })).catch(NOTHING);
  }

  // --- The end

  /** Takes no call any more. Resolves when all that has come is applied and durable; nothing is applied from then on. */
  drain(): Promise<void> {
    this.isDraining = true;
    for (const p of this.host.waiters.values()) p.reject(unavailable("server is shutting down"));
    this.host.waiters.clear();
    return new Promise((resolve) => {
      this.drained = resolve;
      this.host.ready.scheduleTurn();
    });
  }

  /** A batch has settled: there may be room for more. Answers whether anything is left to do. */
  goOn(): boolean {
    const { ready, commits } = this.host;
    const hasWork = !ready.isEmpty || commits.hasOpenWork;
    if (hasWork || this.drained !== undefined) ready.scheduleTurn();
    return hasWork;
  }

  private checkDrained(): void {
    if (this.drained === undefined || !this.host.commits.isIdle || this.host.cache.hasWork) return;
    const done = this.drained;
    this.drained = undefined;
    this.stopped = true;
    done();
  }
}
