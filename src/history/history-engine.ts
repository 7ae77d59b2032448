/**
 * The shell of the functional core. Inputs of one workflow id wait in its queue; a turn of the loop applies up to 256 of them (or 5
 * ms), writes their transitions into one batch, and releases what was computed from it when it is durable. Tasks are offered to
 * matching in the turn that makes them; a poller that is held becomes one more input of the same batch.
 *
 * In: inputs of RPCs, timers, transfer tasks and matching. Out: rows, replies, tasks. Invariants: inputs of a workflow id apply in
 * order; a reply leaves after every change that it was computed from is durable; nothing of a workflow id is loaded while a batch
 * holds rows of it.
 */
import { ExecutionHeader, OutboundRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { internal, namespaceNotFound, ServiceError, unavailable } from "../api/service-error.js";
import { decode, encode } from "../api/wire.js";
import { type Config, ofNamespace } from "../config/dynamic-config.js";
import type { apply as Apply } from "../core/engine.js";
import { Archetype } from "../core/execution.js";
import type { Env, ExecutionAddress, Input, InputKind, InputOf } from "../core/input.js";
import type { NamespaceDirectory, NamespaceView } from "../core/namespace-view.js";
import type { NexusEndpointDirectory } from "../core/nexus-operation/endpoints.js";
import type { EventReference, HistoryRange, Loaded, Outcome, Replies, Transition } from "../core/transition.js";
import type { VersionDirectory } from "../core/versioning/routing.js";
import { aheadOf, REAL_CLOCK } from "../core/workflow/execution-clock.js";
import { Kind, RunDraft, RunState, TASK_SPECULATIVE } from "../core/workflow/mutable-state.js";
import { assert } from "../lib/assert.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import { EngineAdmin, type HistoryAdmin } from "./admin.js";
import { ChainRenewal, diskFull } from "./chain-renewal.js";
import { Clocks } from "./clocks.js";
import { CompletionTally } from "./completion-tally.js";
import type { ChangeWait, HistoryService, OutboundCaller, ShardService, StatusChangesService, TaskDispatcher } from "./contract.js";
import { Effects } from "./effects.js";
import { EngineClocks } from "./engine-clocks.js";
import { EventsCache } from "./events-cache.js";
import { EventsNotifier } from "./events-notifier.js";
import { type CachedChain, ExecutionCache } from "./execution-cache.js";
import { ExecutionLoader, type Need } from "./execution-loader.js";
import { ExecutionWriter } from "./execution-writer.js";
import { GroupCommit, type OpenBatch } from "./group-commit.js";
import { HeldCompletions } from "./held-completions.js";
import { HistoryReader, type PageLimits } from "./history-reader.js";
import { KeyAllocator, RunIds } from "./ids.js";
import { addressOf } from "./open-runs.js";
import { OutboundCalls } from "./outbound-calls.js";
import { Pace } from "./pace.js";
import { eventKey, historyKey, InputClass, type PendingInput } from "./pending-input.js";
import { OutboundQueue } from "./queues/outbound-queue.js";
import { Retention } from "./queues/retention.js";
import { type DueRow, TimerQueue } from "./queues/timer-queue.js";
import { TransferQueue } from "./queues/transfer-queue.js";
import { ReadyChains } from "./ready-chains.js";
import { SHARD_COUNT } from "./shard.js";
import { SpeculativeTimers } from "./speculative-timers.js";
import { StatusChanges } from "./status-changes.js";
import { TaskOffers } from "./task-offers.js";
import { TurnEnv } from "./turn-env.js";
import { UndurableEvents } from "./undurable-events.js";

export interface HistoryEngineOptions {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly config: () => Config;
  readonly namespaces: () => NamespaceDirectory;
  /** Without them there are no endpoints, and no calls that leave the store. */
  readonly nexusEndpoints?: () => NexusEndpointDirectory;
  readonly outbound?: OutboundCaller;
  /** Which worker versions serve which queues. Unset: none serves any. */
  readonly versions?: () => VersionDirectory;
  readonly dispatcher: TaskDispatcher;
  readonly apply: typeof Apply;
  /** Record of kind "keys" of the registry. */
  readonly keysRecord: Uint8Array | undefined;
  /** Archives the run that a transfer of kind ARCHIVE comes from. Rejects when it has to be tried again. */
  readonly archive?: (record: TransferRecord) => Promise<void>;
  /** Every namespace, for clocks that have to find their executions. */
  readonly allNamespaces?: () => readonly NamespaceView[];
  /** Locks of a test clock at the start; 0: time may skip at once. */
  readonly initialTimeLocks?: number;
  readonly skipsTimeWhileAwaited?: boolean;
  /** Effects on executions in memory may join the batch that causes them. Off: each waits for durability. */
  readonly sameBatchTransfers: boolean;
  /** A bug of the core, with what is needed to see it again. Answers where it was put. */
  /** Events of a namespace are being written. */
  readonly onEvents?: (namespace: string, count: number) => void;
  readonly onBug: (report: { error: unknown; address: ExecutionAddress; input: Input; configVersion: number; states: Uint8Array[] }) => string;
  /** The store can no longer be trusted. */
  readonly onFatal: (error: Error) => void;
}

const TURN_INPUTS_MAX = 256;
const TURN_MICROS_MAX = 5_000;
const ROWS_RETRY_MS = 1_000;
const CHAINS_MAX = 20_000;
const CHAINS_BYTES_MAX = 12 * 1024 * 1024;
const EVENTS_BYTES_MAX = 6 * 1024 * 1024;

const NOTHING = (): void => undefined;

export class HistoryEngine implements HistoryService, ShardService {
  private readonly cache: ExecutionCache;
  private readonly eventsCache: EventsCache;
  private readonly reader: HistoryReader;
  private readonly notifier: EventsNotifier;
  private readonly changes: StatusChanges;
  private readonly commits: GroupCommit;
  private readonly renewal: ChainRenewal;
  private readonly runIds: RunIds;
  private readonly keys: KeyAllocator;
  private readonly undurable: UndurableEvents;
  private readonly writer: ExecutionWriter;
  private readonly loader: ExecutionLoader;
  private readonly effects: Effects;
  private readonly held: HeldCompletions;
  private readonly offers: TaskOffers;
  readonly timers: TimerQueue;
  readonly transfers: TransferQueue;
  private readonly outbound: OutboundQueue | undefined;
  readonly clocks: Clocks;
  private readonly engineClocks: EngineClocks;
  private readonly retention: Retention;
  private readonly speculative: SpeculativeTimers;
  /** For operators. */
  readonly admin: HistoryAdmin;
  private readonly ready: ReadyChains;
  private readonly pace: Pace;
  private isDraining = false;
  /** Nothing is applied any more. */
  private isStopped = false;
  private drained: (() => void) | undefined;
  private lastNow = 0;
  private nextWaiter = 1;
  private readonly waiters = new Map<number, PendingInput>();
  private idleTurnScheduled = false;
  /** Counters for the bench and metrics. */
  readonly counters = { inputs: 0, commits: 0, rows: 0 };
  readonly completions = new CompletionTally();

  constructor(private readonly o: HistoryEngineOptions) {
    this.ready = new ReadyChains(o.runtime, () => this.turn());
    this.pace = new Pace(o.runtime);
    this.cache = new ExecutionCache(() => Math.min(o.config().limits.executionCacheEntriesMax, CHAINS_MAX), CHAINS_BYTES_MAX);
    this.eventsCache = new EventsCache(() => Math.min(o.config().limits.eventsCacheBytesMax, EVENTS_BYTES_MAX));
    this.reader = new HistoryReader(o.store, this.eventsCache);
    this.notifier = new EventsNotifier(o.runtime);
    this.commits = new GroupCommit(
      o.store,
      o.logger,
      (b) => this.settled(b),
      (lost, kind) => this.renewal.lost(lost, kind),
    );
    this.renewal = new ChainRenewal({
      logger: o.logger,
      cache: this.cache,
      commits: this.commits,
      ready: this.ready,
      clocks: () => this.clocks,
      waiters: this.waiters,
      stop: (error) => {
        this.isStopped = true;
        o.onFatal(error);
      },
    });
    this.runIds = new RunIds(o.runtime, KeyAllocator.floorMs(o.keysRecord));
    this.lastNow = KeyAllocator.floorMs(o.keysRecord) * 1000;
    this.keys = new KeyAllocator(o.keysRecord, o.runtime);
    this.timers = new TimerQueue(o.store, o.runtime, o.logger, REAL_CLOCK, (row) => this.fireDue(row));
    this.loader = new ExecutionLoader(o.store, o.namespaces, this.cache, this.reader);
    this.effects = new Effects({
      cache: this.cache,
      keys: this.keys,
      transfers: () => this.transfers,
      namespaces: o.namespaces,
      mayJoinBatch: () => o.sameBatchTransfers,
      archive: o.archive,
      applyInput: (chain, p) => this.applyInput(chain, p),
      accept: (chain, t, depth) => this.accept(chain, t, depth),
      quarantine: (chain) => this.renewal.quarantine(chain, undefined),
      submit: (address, input, row) => this.submitInternal(address, input, InputClass.TRANSFER, { transferRow: row }),
      deleteRow: (id) => this.deleteTransferRow(id),
      withBatch: (f) => this.withBatch(f),
    });
    this.held = new HeldCompletions(o.runtime);
    this.offers = new TaskOffers(
      {
        dispatcher: o.dispatcher,
        applyInput: (chain, p) => this.applyInput(chain, p),
        accept: (chain, t, depth) => this.accept(chain, t, depth),
        quarantine: (chain) => this.renewal.quarantine(chain, undefined),
        undeliver: (address, task, reply) => this.undeliver(address, task, reply),
      },
      this.held,
    );
    this.transfers = new TransferQueue({
      store: o.store,
      runtime: o.runtime,
      logger: o.logger,
      ownIdsFrom: this.keys.first,
      run: (id, record) => this.effects.run(id, record),
      save: (id, record) => this.saveTransfer(id, record),
    });
    this.undurable = new UndurableEvents(this.eventsCache);
    this.writer = new ExecutionWriter({
      logger: o.logger,
      config: o.config,
      namespaces: o.namespaces,
      onEvents: o.onEvents,
      cache: this.cache,
      eventsCache: this.eventsCache,
      undurable: this.undurable,
      notifier: this.notifier,
      keys: this.keys,
      timers: this.timers,
      clocks: () => this.clocks,
      retention: () => this.retention,
      changes: () => this.changes,
      completions: this.completions,
      wake: (chain) => this.ready.wake(chain),
    });
    this.speculative = new SpeculativeTimers(
      o.runtime,
      (key) => {
        const state = this.cache.byKey(key)?.state;
        return state instanceof RunState ? state : undefined;
      },
      ({ info, timeSkipping }) => (timeSkipping === undefined ? (this.clocks.viewOf(info.namespaceId)?.offset ?? 0) : aheadOf(timeSkipping)),
      ({ info }) => {
        this.internalInput({ namespaceId: info.namespaceId, workflowId: info.workflowId, runId: info.runId }, { kind: "due" }, InputClass.TIMER);
      },
    );
    if (o.outbound !== undefined) {
      const calls = new OutboundCalls({
        caller: o.outbound,
        submit: (address, input) => this.submitInternal(address, input, InputClass.TRANSFER),
        deleteRow: (id) => this.withBatch((rows) => rows.writeComponent(0, Kind.OUTBOUND, id, { op: "delete" })),
        pause: (ms) => new Promise((resolve) => void o.runtime.setTimer(ms, resolve)),
      });
      const { store, runtime, logger } = o;
      this.outbound = new OutboundQueue({ store, runtime, logger, ownIdsFrom: this.keys.first, run: (id, record) => calls.run(id, record) });
    }
    this.engineClocks = new EngineClocks({
      store: o.store,
      cache: this.cache,
      commits: this.commits,
      clocks: () => this.clocks,
      realNow: () => this.realNow(),
      fire: (row) => this.fireDue(row),
      submit: (address, input, skip) => this.submitInternal(address, input, InputClass.TIMER, { skip }),
      commitRows: (fill) => this.commitRows(fill),
    });
    this.clocks = new Clocks({
      store: o.store,
      runtime: o.runtime,
      logger: o.logger,
      host: this.engineClocks,
      namespaces: o.allNamespaces ?? (() => []),
      initialLocks: o.initialTimeLocks ?? 1,
      skipsWhileAwaited: o.skipsTimeWhileAwaited ?? false,
    });
    this.retention = new Retention(o.store, o.runtime, o.logger, (f) => this.withBatch(f));
    this.changes = new StatusChanges(o.store, o.runtime, () => o.config().limits.statusChangesKeptMax);
    const { store, runtime, namespaces } = o;
    this.admin = new EngineAdmin({
      store,
      runtime,
      namespaces,
      cache: this.cache,
      clocks: () => [REAL_CLOCK, ...[...this.clocks.queues()].map((c) => c.id)].sort((a, b) => a - b),
      close: (id) => this.renewShard(id),
      removeEffect: (id, record) => this.effects.remove(id, record),
      removeOutbound: (id, record) => {
        this.outbound?.remove(id, record);
        return this.withBatch((rows) => rows.writeComponent(0, Kind.OUTBOUND, id, { op: "delete" }));
      },
    });
  }

  /** What is in memory, as the caches count it. */
  get cached(): { readonly executions: number; readonly executionBytes: number; readonly eventBytes: number } {
    return { executions: this.cache.size, executionBytes: this.cache.sizeBytes, eventBytes: this.eventsCache.sizeBytes };
  }

  /** Resumes what an earlier process left: timers, transfer tasks, deletions. */
  async start(registry: readonly { kind: string; id: string; value: Uint8Array }[]): Promise<void> {
    await this.changes.start(registry);
    await this.clocks.start(registry);
    await this.timers.start();
    await this.transfers.start();
    await this.outbound?.start();
    this.retention.start(registry);
  }

  newWaiter(): number {
    return this.nextWaiter++;
  }

  readonly count = SHARD_COUNT;

  describeShard(id: number): { executions: number; loads: number } {
    const executions = this.chainsOf(id).reduce((n, chain) => n + chain.runs.size, 0);
    return { executions, loads: this.admin.shard(id).rangeId };
  }

  closeShard(id: number): Promise<void> {
    return this.admin.closeShard(id);
  }

  private chainsOf(shardId: number): CachedChain[] {
    return [...this.cache.all()].filter((chain) => chain.shard === shardId);
  }

  submit<K extends InputKind>(
    address: ExecutionAddress,
    input: InputOf<K>,
    options?: { consumed?: BacklogKey; isGone?: () => boolean },
  ): Promise<Replies[K]> {
    return new Promise<Replies[K]>((resolve, reject) => {
      this.enqueue({
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

  /** A poll has found a task that was made at that time, microseconds, and has waited for one. */
  tookWaiting(createTime: number): void {
    this.pace.tookWaiting(createTime);
  }

  private enqueue(p: PendingInput): void {
    if (this.isStopped || (this.isDraining && p.class === InputClass.CALL)) {
      p.reject(unavailable("server is shutting down"));
      return;
    }
    this.push(p);
  }

  private push(p: PendingInput): void {
    const chain = this.cache.get(p.address.namespaceId, p.address.workflowId, p.address.archetype);
    chain.queue.push(p);
    this.ready.wake(chain);
  }

  private turn(): void {
    if (this.isStopped) return;
    // An input that runs alone waits for the batches before it, and nothing joins it.
    if (this.commits.canTakeMore && this.commits.open.alone !== undefined) this.commits.flush();
    if (!this.commits.canTakeMore) return;
    const begin = this.o.runtime.nowMicros();
    let n = 0;
    let ofWorkflowTasks = 0;
    for (; n < TURN_INPUTS_MAX; n++) {
      const chain = this.ready.next();
      if (chain === undefined) break;
      const p = chain.queue[0];
      if (p === undefined || chain.isLoading || chain.isBlocked) continue;
      if (p.isAlone && !this.commits.open.isEmpty) {
        // It gets a batch of its own.
        this.ready.putBack(chain);
        break;
      }
      if (!this.loaded(chain, p)) continue;
      chain.queue.shift();
      const { kind } = p.input;
      if (kind === "startWorkflowTask" || kind === "completeWorkflowTask") ofWorkflowTasks++;
      if (p.isAlone) this.commits.open.alone = p;
      this.process(chain, p);
      if (p.isAlone && this.commits.open.isEmpty) this.commits.open.alone = undefined;
      this.ready.wake(chain);
      if (p.isAlone || this.o.runtime.nowMicros() - begin > TURN_MICROS_MAX) break;
    }
    this.commits.flush();
    this.pace.turned(n, n - ofWorkflowTasks);
    if (!this.ready.isEmpty && this.commits.canTakeMore) this.ready.scheduleTurn();
    if (this.clocks.isActive) this.clocks.look();
    this.checkDrained();
  }

  /** Answers whether what the input addresses is in memory; else starts to load it. */
  private loaded(chain: CachedChain, p: PendingInput): boolean {
    if (chain.isLoaded(p.address)) return true;
    chain.isLoading = true;
    this.loader.load(chain, p.address).then(
      () => {
        chain.isLoading = false;
        this.ready.wake(chain);
      },
      (e: unknown) => {
        chain.isLoading = false;
        this.o.logger.error({ err: e, workflowId: chain.workflowId }, "execution cannot be loaded");
        const at = chain.queue.indexOf(p);
        if (at >= 0) chain.queue.splice(at, 1);
        p.reject(internal("execution cannot be loaded"));
        this.ready.wake(chain);
      },
    );
    return false;
  }

  private realNow(): number {
    this.lastNow = Math.max(this.lastNow, this.o.runtime.nowMicros());
    return this.lastNow;
  }

  private env(chain: CachedChain, address: ExecutionAddress): Env | undefined {
    const namespaces = this.o.namespaces();
    const namespace = namespaces.byId(address.namespaceId);
    if (namespace === undefined) return undefined;
    const now = this.realNow();
    const clock = this.clocks.viewOf(address.namespaceId);
    return new TurnEnv(
      clock === undefined ? now : now + clock.offset,
      clock,
      ofNamespace(this.o.config(), namespace.name),
      namespace,
      namespaces,
      this.o.versions,
      chain.currentRunId ?? address.runId,
      this.runIds,
      this.keys,
      this.o.runtime,
      this.o.nexusEndpoints,
    );
  }

  private applyInput<K extends InputKind>(
    chain: CachedChain,
    p: { address: ExecutionAddress; input: Input } & Partial<PendingInput>,
  ): Outcome<K> | "bug" {
    const env = this.env(chain, p.address);
    if (env === undefined) return { outcome: "error", error: namespaceNotFound(p.address.namespaceId) };
    const loaded: Loaded = {
      event: (r) => p.loadedEvents?.get(eventKey(r)) ?? this.undurable.find(r) ?? this.reader.cachedEvent(r),
      requestId: (id) => p.loadedRequestIds?.get(id),
      history: (range) => p.loadedHistories?.get(historyKey(range)),
      update: (id) => p.loadedUpdates?.get(id),
    };
    this.counters.inputs++;
    try {
      return this.o.apply<K>(chain, p.address, p.input as InputOf<K>, env, loaded);
    } catch (error) {
      const states = [...chain.runs.values()].map((s) => s.encodeRecord());
      const where = this.o.onBug({ error, address: p.address, input: p.input, configVersion: env.config.version, states });
      this.o.logger.error({ err: error, reproducer: where, kind: p.input.kind, workflowId: p.address.workflowId }, "an input could not be applied");
      return "bug";
    }
  }

  private process(chain: CachedChain, p: PendingInput): void {
    if (p.input.kind === "dropQuery" || p.input.kind === "endUpdateWait") this.waiters.delete(p.input.waiter);
    const { skip } = p;
    if (skip !== undefined && !this.clocks.maySkip(skip.clock)) {
      p.resolve(undefined as never);
      return;
    }
    const skipped = skip === undefined ? undefined : this.engineClocks.advance(chain, skip);
    const outcome = this.applyInput(chain, skip === undefined || skipped !== undefined ? p : { ...p, input: { kind: "due", settle: true } });
    if (skipped !== undefined && (outcome === "bug" || outcome.outcome !== "accepted")) skipped.undo();
    if (outcome === "bug") {
      this.renewal.quarantine(chain, p);
      return;
    }
    switch (outcome.outcome) {
      case "need":
        this.loadNeeded(chain, p, outcome);
        return;
      case "error": {
        // The backlog row of a task that could not be started stays: matching offers it again, or drops it.
        const error = outcome.error;
        this.commits.release(chain.sequence, () => p.reject(error), p);
        return;
      }
      case "stale":
        this.consume(p, chain);
        this.removeStaleRows(p);
        this.commits.release(
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
        this.accept(chain, outcome, 0);
        if (outcome.refused !== undefined) {
          this.refuse(chain, p, outcome.refused);
          return;
        }
        if (outcome.deferred) {
          const waiter = (p.input as { waiter?: number }).waiter;
          assert(waiter !== undefined, "a deferred input names its waiter");
          this.waiters.set(waiter, p);
          return;
        }
        this.commits.release(chain.sequence, this.answer(p, outcome.reply), p);
      }
    }
  }

  /** The run has ended instead of taking the input. Of that matching and the timers learn no more than that nothing is left to do. */
  private refuse(chain: CachedChain, p: PendingInput, error: ServiceError): void {
    const { workflowId } = chain;
    this.o.logger.warn({ namespace: this.o.namespaces().byId(chain.namespaceId)?.name, workflowId, kind: p.input.kind }, error.message);
    this.commits.release(
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
    const state = reply.nextTimer === undefined ? undefined : this.cache.byKey(reply.nextTimer.runKey)?.state;
    const isWaiting = state instanceof RunState && state.isOpen && state.info.workflowTask === undefined;
    if (this.isDraining || !isWaiting || p.input.kind !== "completeWorkflowTask") p.resolve(reply as never);
    else this.held.hold({ request: p.input.request, reply, isGone: p.isGone ?? (() => false), resolve: p.resolve as (reply: object) => void });
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

  private undeliver(address: ExecutionAddress, task: "workflow" | "activity", reply: { scheduledEventId: number; nonce: number }): void {
    this.internalInput(address, { kind: "undelivered", task, scheduledEventId: reply.scheduledEventId, nonce: reply.nonce }, InputClass.CALL);
  }

  private internalInput(
    address: ExecutionAddress,
    input: Input,
    inputClass: InputClass,
    extra: Partial<Pick<PendingInput, "dueRow" | "transferRow" | "skip" | "resolve" | "reject">> = {},
  ): void {
    const p: PendingInput = {
      address,
      input,
      class: inputClass,
      consumed: undefined,
      isGone: undefined,
      resolve: extra.resolve ?? NOTHING,
      reject: extra.reject ?? NOTHING,
      dueRow: extra.dueRow,
      transferRow: extra.transferRow,
      skip: extra.skip,
      loadedEvents: undefined,
      loadedRequestIds: undefined,
      loadedUpdates: undefined,
      isAlone: false,
    };
    if (this.isStopped) p.reject(unavailable("server is shutting down"));
    else this.push(p);
  }

  /** The backlog row of a task that has found its poller, or no longer concerns anyone. */
  private consume(p: PendingInput, chain: CachedChain): void {
    if (p.consumed === undefined) return;
    const open = this.commits.open;
    open.rows.writeBacklog(p.consumed, { op: "delete" });
    chain.sequence = open.sequence;
    open.chains.add(chain);
  }

  private removeStaleRows(p: PendingInput): void {
    if (p.dueRow !== undefined) this.commits.open.rows.deleteDue(p.dueRow.clock, p.dueRow.due, p.dueRow.key);
    // Unlike a due row, which its queue reads again, nobody looks at these again in this process: they go even if this batch is refused.
    if (p.transferRow !== undefined) this.deleteSurely(Kind.TRANSFER, p.transferRow);
    if ("outboundId" in p.input) this.deleteSurely(Kind.OUTBOUND, p.input.outboundId);
  }

  private deleteSurely(kind: Kind, id: number): void {
    this.withBatch((rows) => rows.writeComponent(0, kind, id, { op: "delete" })).catch(NOTHING);
  }

  private deleteTransferRow(id: number): void {
    this.commits.open.rows.writeComponent(0, Kind.TRANSFER, id, { op: "delete" });
  }
  /** Everything of the shard leaves memory once it is durable. */
  private async renewShard(shardId: number): Promise<void> {
    await this.renewal.renewAll(this.chainsOf(shardId));
    await Promise.all([this.timers, ...[...this.clocks.queues()].map((c) => c.queue)].map((queue) => queue.reload()));
  }

  private loadNeeded(chain: CachedChain, p: PendingInput, need: Need): void {
    if (this.loader.hasAll(p, need)) {
      this.o.logger.error(
        { kind: p.input.kind, workflowId: chain.workflowId, events: need.events.map((r) => r.eventId) },
        "rows that an input needs are missing",
      );
      p.reject(internal("rows that the request needs are missing"));
      return;
    }
    chain.isLoading = true;
    const read = (): void => {
      this.loader.loadNeeded(chain, p, need).then(
        () => {
          chain.isLoading = false;
          chain.queue.unshift(p);
          this.ready.wake(chain);
        },
        (e: unknown) => {
          chain.isLoading = false;
          this.o.logger.error({ err: e }, "rows cannot be loaded");
          p.reject(internal("rows cannot be loaded"));
          this.ready.wake(chain);
        },
      );
    };
    // Rows of transitions that are not durable are not readable yet.
    this.commits.release(chain.sequence, read, p, () => {
      chain.isLoading = false;
    });
  }

  /** Takes a transition into the state and the open batch, offers its tasks and carries its effects. */
  private accept(chain: CachedChain, t: Transition, depth: number): void {
    const open = this.commits.open;
    if (this.clocks.isActive) this.engineClocks.tie(chain, open);
    chain.sequence = Math.max(chain.sequence, t.runs.some((r) => r.dirty) ? open.sequence : 0);
    for (const draft of t.runs) {
      if (!draft.dirty && !draft.isNew) draft.accept();
      else {
        open.chains.add(chain);
        this.writer.write(chain, draft, open);
      }
      if (draft instanceof RunDraft && draft.info.workflowTask?.type === TASK_SPECULATIVE) this.speculative.watch(draft.base);
      if (this.clocks.isCounting) {
        if (draft.removed) this.clocks.forget(draft.key);
        else this.clocks.note(draft.base, draft.dirty || draft.isNew);
      }
    }
    this.cache.count(chain);
    if (t.notices !== undefined) for (const n of t.notices) this.o.logger[n.level]({ workflowId: chain.workflowId, ...n.fields }, n.text);
    for (const a of t.answers) {
      const waiting = this.waiters.get(a.waiter);
      if (waiting === undefined) continue;
      this.waiters.delete(a.waiter);
      this.commits.release(
        chain.sequence,
        () => {
          if (a.result instanceof ServiceError) waiting.reject(a.result);
          else waiting.resolve(a.result as never);
        },
        waiting,
      );
    }
    for (const task of t.dispatch) this.offers.offer(chain, task, this.commits.open, depth);
    for (const draft of t.runs) for (const transfer of draft.transfers) this.effects.begin(transfer.record, open, depth);
    for (const draft of t.runs) if (draft.outbound !== undefined) for (const record of draft.outbound) this.beginOutbound(record, open);
  }

  // --- Effects on other executions

  private beginOutbound(record: OutboundRecord, open: OpenBatch): void {
    const id = this.keys.next();
    this.keys.writeTo(open.rows);
    open.rows.writeComponent(0, Kind.OUTBOUND, id, { op: "insert", value: encode(OutboundRecord, { ...record, rowId: id }) });
    open.timers.push(() => this.outbound?.add(id, record));
  }

  isBlocked(kind: number, namespaceId: string, destination: string): boolean {
    return this.outbound?.isBlocked(kind, namespaceId, destination) ?? false;
  }

  private saveTransfer(id: number, record: TransferRecord): void {
    if (this.isStopped) return;
    this.commitRows((rows) => rows.writeComponent(0, Kind.TRANSFER, id, { op: "put", value: encode(TransferRecord, record) })).catch(NOTHING);
  }

  private submitInternal(
    address: ExecutionAddress,
    input: Input,
    inputClass: InputClass,
    extra: Partial<Pick<PendingInput, "dueRow" | "transferRow" | "skip">> = {},
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.internalInput(address, input, inputClass, { resolve: resolve as (reply: never) => void, reject, ...extra });
    });
  }

  // --- Timers

  /** Resolves when the row has been seen to. A row that its run has left behind needs nothing. */
  private async fireDue(row: DueRow): Promise<void> {
    const cached = this.cache.byKey(row.key);
    if (cached !== undefined) {
      const { info } = cached.state;
      // While a batch is unsettled the row may still come back.
      if ((info.due !== row.due || info.dueClock !== row.clock) && cached.chain.sequence <= this.commits.durable) return;
      return this.submitDue(addressOf(info, cached.state.archetype), row);
    }
    const rows = await this.o.store.loadExecution(row.key);
    if (rows === undefined) return;
    const info = decode(ExecutionHeader, rows.record);
    if (info.due !== row.due || info.dueClock !== row.clock) return;
    return this.submitDue(addressOf(info, info.archetype), row);
  }

  private async submitDue(address: ExecutionAddress, row: DueRow): Promise<void> {
    await this.submitInternal(address, { kind: "due" }, InputClass.TIMER, { dueRow: row });
  }

  // --- Commit

  private settled(batch: OpenBatch): void {
    this.counters.commits++;
    this.counters.rows += batch.rows.rowCount;
    this.keys.durable(batch.rows);
    for (const chain of batch.chains) {
      if (chain.archetype !== Archetype.SCHEDULE) this.cache.trim(chain, this.commits.durable);
      else this.cache.rest(chain, this.commits.durable);
    }
    this.cache.shrink(this.commits.durable);
    if (!this.ready.isEmpty || this.commits.hasOpenWork) this.ready.scheduleTurn();
    else this.scheduleIdle();
    if (this.clocks.isActive) this.clocks.look();
    if (this.drained !== undefined) this.ready.scheduleTurn();
  }

  private scheduleIdle(): void {
    if (this.idleTurnScheduled) return;
    this.idleTurnScheduled = true;
    this.o.runtime.setTimer(50, () => {
      this.idleTurnScheduled = false;
      if (this.isDraining) return;
      this.o.store.idle().then(
        (more) => {
          if (more) this.scheduleIdle();
        },
        (e: unknown) => this.o.logger.warn({ err: e }, "idle work failed"),
      );
    });
  }

  /** Runs that were removed since the server started. */
  removedRuns(): number {
    return this.retention.removedRuns;
  }

  /** How many removed runs of the namespace still have rows. */
  remnantsOf(namespaceKey: number): number {
    return this.retention.remnantsOf(namespaceKey);
  }

  /** Rows of the shell's own, in the open batch. Resolves when they are durable. */
  withBatch(f: (rows: OpenBatch["rows"]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isStopped) {
        reject(unavailable("server is shutting down"));
        return;
      }
      const open = this.commits.open;
      f(open.rows);
      open.replies.push(resolve);
      open.undo.push(() => this.o.runtime.setTimer(ROWS_RETRY_MS, () => void this.withBatch(f).then(resolve, reject)));
      this.ready.scheduleTurn();
    });
  }

  /** For registries that keep their records in the store: rejects when the batch is not written. */
  commitRows(fill: (rows: OpenBatch["rows"]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isStopped) {
        reject(unavailable("server is shutting down"));
        return;
      }
      const open = this.commits.open;
      fill(open.rows);
      open.replies.push(resolve);
      open.undo.push((kind) => reject(kind === "full" ? diskFull() : unavailable("the store did not take the change")));
      this.ready.scheduleTurn();
    });
  }

  // --- Reading

  readHistory(range: HistoryRange, page: PageLimits): Promise<{ data: Uint8Array; nextEventId: number | undefined }> {
    return this.reader.read(range, page);
  }

  readEvent(reference: EventReference): Promise<HistoryEvent | undefined> {
    return this.reader.event(reference);
  }

  waitForEvents(runKey: number, afterEventId: number, timeoutMs: number, onCancel: (f: () => void) => () => void): Promise<void> {
    const waiting = this.notifier.wait(runKey, afterEventId, timeoutMs, onCancel);
    // Something may have come between the answer and the wait.
    const state = this.cache.byKey(runKey)?.state;
    if (!(state instanceof RunState) || state.info.nextEventId - 1 > afterEventId || !state.isOpen) waiting.wake();
    return waiting.promise;
  }

  waitForChange(key: number, after: number, timeoutMs: number, onCancel: (f: () => void) => () => void): ChangeWait {
    const { promise, wake } = this.notifier.wait(key, after, timeoutMs, onCancel);
    return { changed: promise, stop: wake };
  }

  readonly statusChanges: StatusChangesService = {
    follow: async ({ id, key }) => {
      await this.changes.keep(id, key, (fill) => this.commitRows(fill));
      return this.changes.newest(key);
    },
    newest: (namespaceKey) => this.changes.newest(namespaceKey),
    read: (namespaceKey, after, max) => this.changes.read(namespaceKey, after, max),
    wait: (namespaceKey, after, timeoutMs, onCancel) => this.changes.wait(namespaceKey, after, timeoutMs, onCancel),
  };

  /** Of a namespace that goes. */
  forgetStatusChanges(namespaceKey: number): Promise<void> {
    return this.changes.isKept(namespaceKey) ? this.commitRows((rows) => this.changes.forget(rows, namespaceKey)) : Promise.resolve();
  }

  // --- End

  drain(): Promise<void> {
    this.isDraining = true;
    this.timers.stop();
    this.clocks.stop();
    this.transfers.stop();
    this.outbound?.stop();
    this.retention.stop();
    this.speculative.stop();
    this.held.releaseAll();
    this.notifier.wakeAll();
    this.changes.wakeAll();
    for (const p of this.waiters.values()) p.reject(unavailable("server is shutting down"));
    this.waiters.clear();
    return new Promise((resolve) => {
      this.drained = resolve;
      this.ready.scheduleTurn();
    });
  }

  private checkDrained(): void {
    if (this.drained === undefined || !this.commits.isIdle || this.cache.hasWork) return;
    const done = this.drained;
    this.drained = undefined;
    this.isStopped = true;
    done();
  }
}

const STALE_TASK = new ServiceError(5, "Task not found.");
