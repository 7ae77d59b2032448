/**
 * The shell of the functional core: what it consists of, and what the rest of the server asks of it. An input is queued and applied by
 * the loop (input-loop.ts), by way of the core (applier.ts); its transition is taken into the open batch (acceptance.ts), written
 * (execution-writer.ts), committed with others (group-commit.ts), and released when it is durable. Tasks are offered to matching in the
 * turn that makes them; a poller that is held becomes one more input of the same batch (task-offers.ts).
 *
 * In: inputs of RPCs, timers, transfer tasks and matching. Out: rows, replies, tasks. Invariants: inputs of a workflow id apply in
 * order; a reply leaves after every change that it was computed from is durable; nothing of a workflow id is loaded while a batch
 * holds rows of it.
 */
import { ExecutionHeader, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { MICROS_PER_MS } from "../api/time.js";
import { decode, encode } from "../api/wire.js";
import type { Config } from "../config/dynamic-config.js";
import type { apply as Apply } from "../core/engine.js";
import { Archetype } from "../core/execution.js";
import type { ExecutionAddress, InputKind, InputOf } from "../core/input.js";
import type { NamespaceDirectory, NamespaceView } from "../core/namespace-view.js";
import type { NexusEndpointDirectory } from "../core/nexus-operation/endpoints.js";
import type { EventReference, HistoryRange, Replies } from "../core/transition.js";
import type { VersionDirectory } from "../core/versioning/routing.js";
import { aheadOf, REAL_CLOCK } from "../core/workflow/execution-clock.js";
import { Kind, RunState } from "../core/workflow/mutable-state.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import { Acceptance } from "./acceptance.js";
import { EngineAdmin, type HistoryAdmin } from "./admin.js";
import { Applier, type BugReport } from "./applier.js";
import { ChainRenewal } from "./chain-renewal.js";
import { Clocks } from "./clocks.js";
import { CompletionTally } from "./completion-tally.js";
import type { ChangeWait, HistoryService, OutboundCaller, ShardService, StatusChangesService, TaskDispatcher } from "./contract.js";
import { Effects } from "./effects.js";
import { EngineClocks } from "./engine-clocks.js";
import { EventsCache } from "./events-cache.js";
import { EventsNotifier } from "./events-notifier.js";
import { type CachedChain, ExecutionCache } from "./execution-cache.js";
import { ExecutionLoader } from "./execution-loader.js";
import { ExecutionWriter } from "./execution-writer.js";
import { GroupCommit, type OpenBatch } from "./group-commit.js";
import { HeldCompletions } from "./held-completions.js";
import { HistoryReader, type PageLimits } from "./history-reader.js";
import { IdleWork } from "./idle-work.js";
import { KeyAllocator, RunIds } from "./ids.js";
import { InputLoop } from "./input-loop.js";
import { addressOf } from "./open-runs.js";
import { OutboundCalls } from "./outbound-calls.js";
import { OwnRows } from "./own-rows.js";
import { InputClass, type PendingInput } from "./pending-input.js";
import { OutboundQueue } from "./queues/outbound-queue.js";
import { Retention } from "./queues/retention.js";
import { type DueRow, TimerQueue } from "./queues/timer-queue.js";
import { TransferQueue } from "./queues/transfer-queue.js";
import { ReadyChains } from "./ready-chains.js";
import { SHARD_COUNT } from "./shard.js";
import { SpeculativeTimers } from "./speculative-timers.js";
import { StatusChanges } from "./status-changes.js";
import { TaskOffers } from "./task-offers.js";
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
  /** Events of a namespace are being written. */
  readonly onEvents?: (namespace: string, count: number) => void;
  /** Answers where the report was put. */
  readonly onBug: (report: BugReport) => string;
  /** The store can no longer be trusted. */
  readonly onFatal: (error: Error) => void;
}

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
  private readonly keys: KeyAllocator;
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
  private readonly applier: Applier;
  private readonly loop: InputLoop;
  /** For registries and others that keep rows of their own in the store. */
  readonly rows: OwnRows;
  private readonly idleWork: IdleWork;
  private nextWaiter = 1;
  private readonly waiters = new Map<number, PendingInput>();
  readonly completions = new CompletionTally();

  constructor(private readonly o: HistoryEngineOptions) {
    const { store, runtime, logger, config, namespaces } = o;
    const clocks = (): Clocks => this.clocks;
    this.ready = new ReadyChains(runtime, () => this.loop.turn());
    this.idleWork = new IdleWork(store, runtime, logger);
    this.cache = new ExecutionCache(() => Math.min(config().limits.executionCacheEntriesMax, CHAINS_MAX), CHAINS_BYTES_MAX);
    this.eventsCache = new EventsCache(() => Math.min(config().limits.eventsCacheBytesMax, EVENTS_BYTES_MAX));
    this.reader = new HistoryReader(store, this.eventsCache);
    this.notifier = new EventsNotifier(runtime);
    this.commits = new GroupCommit(
      store,
      logger,
      (b) => this.settled(b),
      (lost, kind) => this.renewal.lost(lost, kind),
    );
    const { ready, cache, commits, waiters } = this;
    this.renewal = new ChainRenewal({
      logger,
      cache,
      commits,
      ready,
      clocks,
      waiters,
      stop: (error) => {
        this.loop.stop();
        o.onFatal(error);
      },
    });
    this.rows = new OwnRows({ runtime, commits, ready, isStopped: () => this.loop.isStopped });
    this.keys = new KeyAllocator(o.keysRecord, runtime);
    this.timers = new TimerQueue(store, runtime, logger, REAL_CLOCK, (row) => this.fireDue(row));
    this.retention = new Retention(store, runtime, logger, (f) => this.rows.commitSurely(f));
    this.changes = new StatusChanges(store, runtime, () => config().limits.statusChangesKeptMax);
    const { keys, reader, rows } = this;
    const floorMs = KeyAllocator.floorMs(o.keysRecord);
    const undurable = new UndurableEvents(this.eventsCache);
    this.applier = new Applier({
      runtime,
      logger,
      config,
      namespaces,
      nexusEndpoints: o.nexusEndpoints,
      versions: o.versions,
      apply: o.apply,
      onBug: o.onBug,
      runIds: new RunIds(runtime, floorMs),
      keys,
      clocks,
      undurable,
      reader,
      floor: floorMs * MICROS_PER_MS,
    });
    const writer = new ExecutionWriter({
      logger,
      config,
      namespaces,
      onEvents: o.onEvents,
      cache,
      eventsCache: this.eventsCache,
      undurable,
      notifier: this.notifier,
      keys,
      timers: this.timers,
      clocks,
      retention: this.retention,
      changes: this.changes,
      completions: this.completions,
      wake: (chain) => ready.wake(chain),
    });
    this.speculative = new SpeculativeTimers(
      runtime,
      (key) => {
        const state = cache.byKey(key)?.state;
        return state instanceof RunState ? state : undefined;
      },
      ({ info, timeSkipping }) => (timeSkipping === undefined ? (this.clocks.viewOf(info.namespaceId)?.offset ?? 0) : aheadOf(timeSkipping)),
      ({ info }) =>
        this.loop.post({ namespaceId: info.namespaceId, workflowId: info.workflowId, runId: info.runId }, { kind: "due" }, InputClass.TIMER),
    );
    const acceptance = new Acceptance({
      logger,
      cache,
      commits,
      keys,
      writer,
      speculative: this.speculative,
      clocks,
      engineClocks: () => this.engineClocks,
      offers: () => this.offers,
      effects: () => this.effects,
      outbound: () => this.outbound,
      waiters,
    });
    this.held = new HeldCompletions(runtime);
    this.loop = new InputLoop({
      logger,
      runtime,
      namespaces,
      cache,
      commits,
      ready,
      loader: new ExecutionLoader(store, namespaces, cache, reader),
      applier: this.applier,
      acceptance,
      held: this.held,
      rows,
      renewal: this.renewal,
      clocks,
      engineClocks: () => this.engineClocks,
      waiters,
    });
    const { applier, loop } = this;
    // What leads to further inputs of the same batch.
    const follow = { applier, acceptance, renewal: this.renewal };
    this.effects = new Effects({
      ...follow,
      cache,
      keys,
      transfers: () => this.transfers,
      namespaces,
      mayJoinBatch: () => o.sameBatchTransfers,
      archive: o.archive,
      submit: (address, input, row) => loop.submitInternal(address, input, InputClass.TRANSFER, { transferRow: row }),
      deleteRow: (id) => commits.open.rows.writeComponent(0, Kind.TRANSFER, id, { op: "delete" }),
      rows,
    });
    this.offers = new TaskOffers(
      { ...follow, dispatcher: o.dispatcher, undeliver: (address, task, reply) => loop.undeliver(address, task, reply) },
      this.held,
    );
    this.transfers = new TransferQueue({
      store,
      runtime,
      logger,
      ownIdsFrom: keys.first,
      run: (id, record) => this.effects.run(id, record),
      save: (id, record) => this.saveTransfer(id, record),
    });
    if (o.outbound !== undefined) {
      const calls = new OutboundCalls({
        caller: o.outbound,
        submit: (address, input) => loop.submitInternal(address, input, InputClass.TRANSFER),
        deleteRow: (id) => this.deleteOutboundRow(id),
        pause: (ms) => new Promise((resolve) => void runtime.setTimer(ms, resolve)),
      });
      this.outbound = new OutboundQueue({ store, runtime, logger, ownIdsFrom: keys.first, run: (id, record) => calls.run(id, record) });
    }
    this.engineClocks = new EngineClocks({
      store,
      cache,
      commits,
      clocks,
      applier,
      fire: (row) => this.fireDue(row),
      submit: (address, input, skip) => loop.submitInternal(address, input, InputClass.TIMER, { skip }),
      rows,
    });
    this.clocks = new Clocks({
      store,
      runtime,
      logger,
      host: this.engineClocks,
      namespaces: o.allNamespaces ?? (() => []),
      initialLocks: o.initialTimeLocks ?? 1,
      skipsWhileAwaited: o.skipsTimeWhileAwaited ?? false,
    });
    this.admin = new EngineAdmin({
      store,
      runtime,
      namespaces,
      cache,
      clocks: () => [REAL_CLOCK, ...[...this.clocks.queues()].map((c) => c.id)].sort((a, b) => a - b),
      close: (id) => this.renewShard(id),
      removeEffect: (id, record) => this.effects.remove(id, record),
      removeOutbound: (id, record) => {
        this.outbound?.remove(id, record);
        return this.deleteOutboundRow(id);
      },
    });
  }

  /** For the bench and metrics: inputs that were applied, batches that became durable, and their rows. */
  get counters(): { readonly inputs: number; readonly commits: number; readonly rows: number } {
    return { inputs: this.applier.count, ...this.commits.counters };
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
    return this.loop.submit(address, input, options);
  }

  /** A poll has found a task that was made at that time, microseconds, and has waited for one. */
  tookWaiting(createTime: number): void {
    this.loop.tookWaiting(createTime);
  }

  /** Everything of the shard leaves memory once it is durable. */
  private async renewShard(shardId: number): Promise<void> {
    await this.renewal.renewAll(this.chainsOf(shardId));
    await Promise.all([this.timers, ...[...this.clocks.queues()].map((c) => c.queue)].map((queue) => queue.reload()));
  }

  isBlocked(kind: number, namespaceId: string, destination: string): boolean {
    return this.outbound?.isBlocked(kind, namespaceId, destination) ?? false;
  }

  private deleteOutboundRow(id: number): Promise<void> {
    return this.rows.commitSurely((rows) => rows.writeComponent(0, Kind.OUTBOUND, id, { op: "delete" }));
  }

  private saveTransfer(id: number, record: TransferRecord): void {
    if (this.loop.isStopped) return;
    this.rows.commit((rows) => rows.writeComponent(0, Kind.TRANSFER, id, { op: "put", value: encode(TransferRecord, record) })).catch(NOTHING);
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
    await this.loop.submitInternal(address, { kind: "due" }, InputClass.TIMER, { dueRow: row });
  }

  // --- Commit

  private settled(batch: OpenBatch): void {
    this.keys.durable(batch.rows);
    for (const chain of batch.chains) {
      if (chain.archetype !== Archetype.SCHEDULE) this.cache.trim(chain, this.commits.durable);
      else this.cache.rest(chain, this.commits.durable);
    }
    this.cache.shrink(this.commits.durable);
    if (!this.loop.goOn()) this.idleWork.schedule();
    if (this.clocks.isActive) this.clocks.look();
  }

  /** Runs that were removed since the server started. */
  removedRuns(): number {
    return this.retention.removedRuns;
  }

  /** How many removed runs of the namespace still have rows. */
  remnantsOf(namespaceKey: number): number {
    return this.retention.remnantsOf(namespaceKey);
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
      await this.changes.keep(id, key, (fill) => this.rows.commit(fill));
      return this.changes.newest(key);
    },
    newest: (namespaceKey) => this.changes.newest(namespaceKey),
    read: (namespaceKey, after, max) => this.changes.read(namespaceKey, after, max),
    wait: (namespaceKey, after, timeoutMs, onCancel) => this.changes.wait(namespaceKey, after, timeoutMs, onCancel),
  };

  /** Of a namespace that goes. */
  forgetStatusChanges(namespaceKey: number): Promise<void> {
    return this.changes.isKept(namespaceKey) ? this.rows.commit((rows) => this.changes.forget(rows, namespaceKey)) : Promise.resolve();
  }

  // --- End

  drain(): Promise<void> {
    this.timers.stop();
    this.clocks.stop();
    this.transfers.stop();
    this.outbound?.stop();
    this.retention.stop();
    this.speculative.stop();
    this.idleWork.stop();
    this.held.releaseAll();
    this.notifier.wakeAll();
    this.changes.wakeAll();
    return this.loop.drain();
  }
}
