/**
 * The shell of the functional core. Inputs of one workflow id wait in its queue; a turn of the loop applies up to 256 of them (or 5
 * ms), writes their transitions into one batch, and releases what was computed from it when it is durable. Tasks are offered to
 * matching in the turn that makes them; a poller that is held becomes one more input of the same batch.
 *
 * In: inputs of RPCs, timers, transfer tasks and matching. Out: rows, replies, tasks. Invariants: inputs of a workflow id apply in
 * order; a reply leaves after every change that it was computed from is durable; nothing of a workflow id is loaded while a batch
 * holds rows of it.
 */
import { ExecutionRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { ServiceError, internal, resourceExhausted, unavailable } from "../api/service-error.js";
import { decode, encode } from "../api/wire.js";
import type { Config } from "../config/dynamic-config.js";
import type { apply as Apply } from "../core/engine.js";
import type { Env, ExecutionAddress, Input, InputKind, InputOf } from "../core/input.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { DispatchTask, EventReference, HistoryRange, Loaded, Outcome, Replies, Transition } from "../core/transition.js";
import { Kind, type RunDraft, RunState } from "../core/workflow/mutable-state.js";
import { transferInput, transferResult } from "../core/workflow/transfer.js";
import { assert } from "../lib/assert.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import type { HistoryService, Reservation, TaskDispatcher } from "./contract.js";
import { EventsCache } from "./events-cache.js";
import { EventsNotifier } from "./events-notifier.js";
import { type CachedChain, ExecutionCache } from "./execution-cache.js";
import { GroupCommit, type OpenBatch } from "./group-commit.js";
import { HistoryReader, type PageLimits } from "./history-reader.js";
import { KeyAllocator, RunIds } from "./ids.js";
import { InputClass, type PendingInput, eventKey } from "./pending-input.js";
import { Retention } from "./queues/retention.js";
import { TimerQueue } from "./queues/timer-queue.js";
import { TransferQueue } from "./queues/transfer-queue.js";

export interface HistoryEngineOptions {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly config: () => Config;
  readonly namespaces: () => NamespaceDirectory;
  readonly dispatcher: TaskDispatcher;
  readonly apply: typeof Apply;
  /** Record of kind "keys" of the registry. */
  readonly keysRecord: Uint8Array | undefined;
  /** Effects on executions in memory may join the batch that causes them. Off: each waits for durability. */
  readonly sameBatchTransfers: boolean;
  /** A bug of the core, with what is needed to see it again. Answers where it was put. */
  readonly onBug: (report: { error: unknown; address: ExecutionAddress; input: Input; configVersion: number; states: Uint8Array[] }) => string;
  /** The store can no longer be trusted. */
  readonly onFatal: (error: Error) => void;
}

const TURN_INPUTS_MAX = 256;
const TURN_MICROS_MAX = 5_000;
const TRANSFER_DEPTH_MAX = 3;
/** Every so many calls a timer, then a transfer task, gets a turn. */
const SHARE_TIMER = 4;
const SHARE_TRANSFER = 8;
const ROWS_RETRY_MS = 1_000;
export const SHARD_COUNT = 1024;

const NOTHING = (): void => undefined;

export class HistoryEngine implements HistoryService {
  private readonly cache: ExecutionCache;
  private readonly eventsCache: EventsCache;
  private readonly reader: HistoryReader;
  private readonly notifier: EventsNotifier;
  private readonly commits: GroupCommit;
  private readonly runIds: RunIds;
  private readonly keys: KeyAllocator;
  readonly timers: TimerQueue;
  readonly transfers: TransferQueue;
  private readonly retention: Retention;
  /** Chains whose first input can be taken, by its class. */
  private readonly ready: CachedChain[][] = [[], [], []];
  private taken = 0;
  private isTurnScheduled = false;
  private isDraining = false;
  private drained: (() => void) | undefined;
  private lastNow = 0;
  private nextWaiter = 1;
  private readonly waiters = new Map<number, PendingInput>();
  private idleTurnScheduled = false;
  /** Counters for the bench and metrics. */
  readonly counters = { inputs: 0, commits: 0, rows: 0 };

  constructor(private readonly o: HistoryEngineOptions) {
    this.cache = new ExecutionCache(() => Math.min(o.config().limits.executionCacheEntriesMax, 20_000));
    this.eventsCache = new EventsCache(() => Math.min(o.config().limits.eventsCacheBytesMax, 32 * 1024 * 1024));
    this.reader = new HistoryReader(o.store, this.eventsCache);
    this.notifier = new EventsNotifier(o.runtime);
    this.commits = new GroupCommit(
      o.store,
      o.logger,
      (b) => this.settled(b),
      (lost, kind) => this.lost(lost, kind),
    );
    this.runIds = new RunIds(o.runtime, KeyAllocator.floorMs(o.keysRecord));
    this.lastNow = KeyAllocator.floorMs(o.keysRecord) * 1000;
    this.keys = new KeyAllocator(o.keysRecord, o.runtime);
    this.timers = new TimerQueue(o.store, o.runtime, o.logger, (row) => this.fireDue(row));
    this.transfers = new TransferQueue(o.store, o.runtime, o.logger, (id, record) => this.runTransfer(id, record));
    this.retention = new Retention(o.store, o.runtime, o.logger, (f) => this.withBatch(f));
  }

  /** Resumes what an earlier process left: timers, transfer tasks, deletions. */
  async start(registry: readonly { kind: string; id: string; value: Uint8Array }[]): Promise<void> {
    await this.timers.start();
    await this.transfers.start();
    this.retention.start(registry);
  }

  newWaiter(): number {
    return this.nextWaiter++;
  }

  submit<K extends InputKind>(address: ExecutionAddress, input: InputOf<K>, options?: { consumed?: BacklogKey; isGone?: () => boolean }): Promise<Replies[K]> {
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
        isAlone: false,
      });
    });
  }

  private enqueue(p: PendingInput): void {
    if (this.isDraining && p.class === InputClass.CALL) {
      p.reject(unavailable("server is shutting down"));
      return;
    }
    const chain = this.cache.get(p.address.namespaceId, p.address.workflowId);
    chain.queue.push(p);
    this.wake(chain);
  }

  /** The chain has input that can be taken now. */
  private wake(chain: CachedChain): void {
    const head = chain.queue[0];
    if (head === undefined || chain.isReady || chain.isLoading || chain.isBlocked) return;
    chain.isReady = true;
    (this.ready[head.class] as CachedChain[]).push(chain);
    this.scheduleTurn();
  }

  private scheduleTurn(): void {
    if (this.isTurnScheduled) return;
    this.isTurnScheduled = true;
    this.o.runtime.defer(() => {
      this.isTurnScheduled = false;
      this.turn();
    });
  }

  /** Calls before timers before transfer tasks, with a minimum share for each. */
  private nextChain(): CachedChain | undefined {
    const [calls, timers, transfers] = this.ready as [CachedChain[], CachedChain[], CachedChain[]];
    this.taken++;
    if (transfers.length > 0 && this.taken % SHARE_TRANSFER === 0) return transfers.shift();
    if (timers.length > 0 && this.taken % SHARE_TIMER === 0) return timers.shift();
    return calls.shift() ?? timers.shift() ?? transfers.shift();
  }

  private turn(): void {
    if (!this.commits.canTakeMore) return;
    const begin = this.o.runtime.nowMicros();
    for (let n = 0; n < TURN_INPUTS_MAX; n++) {
      const chain = this.nextChain();
      if (chain === undefined) break;
      chain.isReady = false;
      const p = chain.queue[0];
      if (p === undefined || chain.isLoading || chain.isBlocked) continue;
      if (p.isAlone && !this.commits.open.rows.isEmpty) {
        // It gets a batch of its own.
        this.wakeFront(chain);
        break;
      }
      if (!this.loaded(chain, p)) continue;
      chain.queue.shift();
      this.process(chain, p);
      this.wake(chain);
      if (p.isAlone || this.o.runtime.nowMicros() - begin > TURN_MICROS_MAX) break;
    }
    this.commits.flush();
    if (this.ready.some((r) => r.length > 0) && this.commits.canTakeMore) this.scheduleTurn();
    this.checkDrained();
  }

  private wakeFront(chain: CachedChain): void {
    chain.isReady = true;
    (this.ready[chain.queue[0]?.class ?? InputClass.CALL] as CachedChain[]).unshift(chain);
    this.scheduleTurn();
  }

  /** Answers whether what the input addresses is in memory; else starts to load it. */
  private loaded(chain: CachedChain, p: PendingInput): boolean {
    if (chain.isLoaded(p.address)) return true;
    chain.isLoading = true;
    this.load(chain, p.address).then(
      () => {
        chain.isLoading = false;
        this.wake(chain);
      },
      (e: unknown) => {
        chain.isLoading = false;
        this.o.logger.error({ err: e, workflowId: chain.workflowId }, "execution cannot be loaded");
        chain.queue.shift();
        p.reject(internal("execution cannot be loaded"));
        this.wake(chain);
      },
    );
    return false;
  }

  private async load(chain: CachedChain, address: ExecutionAddress): Promise<void> {
    const namespace = this.o.namespaces().byId(address.namespaceId);
    if (namespace === undefined) {
      if (address.runId === "") chain.currentRunId = null;
      else chain.missing.add(address.runId);
      return;
    }
    const found = await this.o.store.findRun({ namespaceKey: namespace.key, workflowId: address.workflowId, runId: address.runId });
    if (found === undefined) {
      if (address.runId === "") chain.currentRunId = null;
      else chain.missing.add(address.runId);
      return;
    }
    if (!chain.runs.has(found.runId)) {
      const rows = await this.o.store.loadExecution(found.key);
      if (rows === undefined) {
        chain.missing.add(found.runId);
        if (address.runId === "") chain.currentRunId = null;
        return;
      }
      const state = RunState.load(rows.key, rows.record, rows.live);
      chain.add(state);
      this.cache.index(chain, state);
    }
    if (address.runId === "") chain.currentRunId = found.runId;
  }

  private env(address: ExecutionAddress): Env | undefined {
    const namespaces = this.o.namespaces();
    const namespace = namespaces.byId(address.namespaceId);
    if (namespace === undefined) return undefined;
    this.lastNow = Math.max(this.lastNow, this.o.runtime.nowMicros());
    return new TurnEnv(this.lastNow, this.o.config(), namespace, namespaces, this.runIds, this.keys, this.o.runtime);
  }

  private applyInput<K extends InputKind>(chain: CachedChain, p: { address: ExecutionAddress; input: Input } & Partial<PendingInput>): Outcome<K> | "bug" {
    const env = this.env(p.address);
    if (env === undefined) return { outcome: "error", error: new ServiceError(5, `Namespace ${p.address.namespaceId} is not found.`) };
    const loaded: Loaded = {
      event: (r) => p.loadedEvents?.get(eventKey(r)) ?? this.recentEvent(r),
      requestId: (id) => p.loadedRequestIds?.get(id),
    };
    this.counters.inputs++;
    try {
      return this.o.apply<K>(chain, p.address, p.input as InputOf<K>, env, loaded);
    } catch (error) {
      const states = [...chain.runs.values()].map((s) => encode(ExecutionRecord, s.info));
      const where = this.o.onBug({ error, address: p.address, input: p.input, configVersion: env.config.version, states });
      this.o.logger.error({ err: error, reproducer: where, kind: p.input.kind, workflowId: p.address.workflowId }, "an input could not be applied");
      return "bug";
    }
  }

  /** Events of batches that are not settled are in memory only. */
  private recentEvent(r: EventReference): HistoryEvent | undefined {
    return this.undurableEvents.get(eventKey(r));
  }
  private readonly undurableEvents = new Map<string, HistoryEvent>();

  private process(chain: CachedChain, p: PendingInput): void {
    const outcome = this.applyInput(chain, p);
    if (outcome === "bug") {
      this.afterBug(chain, p);
      return;
    }
    switch (outcome.outcome) {
      case "need":
        this.loadNeeded(chain, p, outcome);
        return;
      case "error": {
        const error = outcome.error;
        this.consume(p, chain);
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
        this.accept(chain, outcome, 0);
        if (outcome.deferred) {
          const waiter = (p.input as { waiter?: number }).waiter;
          assert(waiter !== undefined, "a deferred input names its waiter");
          this.waiters.set(waiter, p);
          return;
        }
        const { reply } = outcome;
        if (p.isGone !== undefined && (p.input.kind === "startWorkflowTask" || p.input.kind === "startActivity")) {
          this.commits.release(chain.sequence, () => this.deliver(p, reply as Replies["startWorkflowTask"]), p);
          return;
        }
        this.commits.release(chain.sequence, () => p.resolve(reply as never), p);
      }
    }
  }

  /** A task that was started for a poller which has gone meanwhile goes back. */
  private deliver(p: PendingInput, reply: Replies["startWorkflowTask"] | Replies["startActivity"]): void {
    if (p.isGone?.() === true) {
      this.undeliver(p.address, p.input.kind === "startActivity" ? "activity" : "workflow", reply, p.input);
      p.reject(STALE_TASK);
      return;
    }
    p.resolve(reply as never);
  }

  private undeliver(address: ExecutionAddress, task: "workflow" | "activity", reply: { scheduledEventId: number; nonce: number }, _input: Input): void {
    this.internalInput(address, { kind: "undelivered", task, scheduledEventId: reply.scheduledEventId, nonce: reply.nonce }, InputClass.CALL);
  }

  private internalInput(address: ExecutionAddress, input: Input, inputClass: InputClass, extra: Partial<Pick<PendingInput, "dueRow" | "transferRow" | "resolve" | "reject">> = {}): void {
    const chain = this.cache.get(address.namespaceId, address.workflowId);
    chain.queue.push({
      address,
      input,
      class: inputClass,
      consumed: undefined,
      isGone: undefined,
      resolve: extra.resolve ?? NOTHING,
      reject: extra.reject ?? NOTHING,
      dueRow: extra.dueRow,
      transferRow: extra.transferRow,
      loadedEvents: undefined,
      loadedRequestIds: undefined,
      isAlone: false,
    });
    this.wake(chain);
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
    if (p.transferRow !== undefined) this.deleteTransferRow(p.transferRow);
  }

  private deleteTransferRow(id: number): void {
    this.commits.open.rows.writeComponent(0, Kind.TRANSFER, id, { op: "delete" });
  }

  private afterBug(chain: CachedChain, p: PendingInput): void {
    chain.isBlocked = true;
    const sequence = chain.sequence;
    this.commits.release(sequence, () => {
      chain.isBlocked = false;
      this.cache.evict(chain);
      p.reject(internal("internal error"));
      this.reopen(chain);
    });
  }

  /** An evicted chain with input left goes on under its name. */
  private reopen(chain: CachedChain): void {
    const queue = chain.queue.splice(0);
    const next = this.cache.get(chain.namespaceId, chain.workflowId);
    next.queue.push(...queue);
    next.sequence = Math.max(next.sequence, chain.sequence);
    this.wake(next);
  }

  private loadNeeded(chain: CachedChain, p: PendingInput, need: { events: readonly EventReference[]; requestIds: readonly string[] }): void {
    chain.isLoading = true;
    const sequence = chain.sequence;
    const rows = async (): Promise<void> => {
      p.loadedEvents ??= new Map();
      p.loadedRequestIds ??= new Map();
      for (const r of need.events) p.loadedEvents.set(eventKey(r), await this.reader.event(r));
      const address = p.address;
      const state = address.runId === "" ? chain.current() : chain.run(address.runId);
      for (const id of need.requestIds) {
        const value = state === undefined ? undefined : await this.o.store.loadComponent(state.key, Kind.REQUEST_ID, id);
        p.loadedRequestIds.set(id, value === undefined ? null : { eventType: 0, eventId: 0 });
      }
    };
    // Rows of transitions that are not durable are not readable yet.
    this.commits.release(sequence, () => {
      rows().then(
        () => {
          chain.isLoading = false;
          chain.queue.unshift(p);
          this.wake(chain);
        },
        (e: unknown) => {
          chain.isLoading = false;
          this.o.logger.error({ err: e }, "rows cannot be loaded");
          p.reject(internal("rows cannot be loaded"));
          this.wake(chain);
        },
      );
    });
  }

  /** Takes a transition into the state and the open batch, offers its tasks and carries its effects. */
  private accept(chain: CachedChain, t: Transition, depth: number): void {
    const open = this.commits.open;
    chain.sequence = Math.max(chain.sequence, t.runs.some((r) => r.dirty) ? open.sequence : 0);
    for (const draft of t.runs) {
      if (!draft.dirty && !draft.isNew) {
        draft.accept();
        continue;
      }
      open.chains.add(chain);
      this.writeRun(chain, draft, open);
    }
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
    for (const task of t.dispatch) this.dispatch(chain, task, depth);
    for (const draft of t.runs) for (const transfer of draft.transfers) this.beginTransfer(transfer.record, open, depth);
  }

  private writeRun(chain: CachedChain, draft: RunDraft, open: OpenBatch): void {
    const { rows } = open;
    const { info, key } = draft;
    const namespace = this.o.namespaces().byId(info.namespaceId);
    assert(namespace !== undefined, "a run has a namespace");
    const old = draft.base.info;
    const oldDue = draft.isNew ? 0 : old.due;
    const oldClock = draft.isNew ? 0 : old.dueClock;
    if (draft.removed) {
      if (oldDue > 0) rows.deleteDue(oldClock, oldDue, key);
      this.retention.remove(rows, { key, namespaceKey: namespace.key, workflowId: info.workflowId, runId: info.runId, branch: info.branch, lastEventId: info.nextEventId - 1, shard: shardOf(info) });
      this.cache.unindex(key);
      chain.runs.delete(info.runId);
      chain.missing.add(info.runId);
      if (chain.currentRunId === info.runId) chain.currentRunId = undefined;
      // The store still has the run until the batch is durable: nothing of the workflow id is loaded before.
      chain.isBlocked = true;
      const unblock = (): void => {
        chain.isBlocked = false;
        this.wake(chain);
      };
      open.replies.push(unblock);
      open.undo.push(unblock);
      open.polls.push(() => {
        this.eventsCache.drop(info.branch);
        this.notifier.notify(key, info.nextEventId, true);
      });
      return;
    }
    const components = draft.componentWrites();
    const due = info.due;
    if (due !== oldDue || info.dueClock !== oldClock) {
      if (oldDue > 0) rows.deleteDue(oldClock, oldDue, key);
      if (due > 0) {
        rows.insertDue(info.dueClock, due, key);
        const clock = info.dueClock;
        open.timers.push(() => this.timers.add({ clock, due, key }));
      }
    }
    if (draft.isNew) {
      this.keys.writeTo(rows);
      rows.insertRun({ namespaceKey: namespace.key, workflowId: info.workflowId, runId: info.runId, key });
    }
    for (const b of draft.batches) {
      rows.appendHistory(b.branch, b.firstEventId, b.data);
      for (const e of b.events) {
        const id = `${b.branch}/${e.eventId}`;
        this.undurableEvents.set(id, e);
        open.undo.push(() => this.undurableEvents.delete(id));
      }
      open.replies.push(() => {
        this.eventsCache.append({ branch: b.branch, firstEventId: b.firstEventId, data: b.data });
        for (const e of b.events) this.undurableEvents.delete(`${b.branch}/${e.eventId}`);
      });
    }
    for (const c of components) rows.writeComponent(key, c.kind, c.id, c.op === "delete" ? { op: "delete" } : { op: c.op, value: c.value });
    for (const r of draft.requestIds) if (r.id !== info.startRequestId) rows.writeComponent(key, Kind.REQUEST_ID, r.id, { op: "put", value: ONE });
    for (const id of draft.doneTransfers) this.deleteTransferRow(id);
    if (draft.visibility !== undefined) rows.putVisibility(draft.visibility, draft.isNew);
    rows.putExecution(key, shardOf(info), draft.encodeInfo(), draft.isNew);
    const hasEvents = draft.batches.length > 0;
    const state = draft.accept();
    if (draft.isNew) {
      chain.began(state);
      this.cache.index(chain, state);
    }
    if (hasEvents) {
      const lastEventId = info.nextEventId - 1;
      const isClosed = !state.isOpen;
      open.polls.push(() => this.notifier.notify(key, lastEventId, isClosed));
    }
  }

  private dispatch(chain: CachedChain, task: DispatchTask, depth: number): void {
    const open = this.commits.open;
    const reservation = this.o.dispatcher.reserve(task);
    if (reservation === undefined) {
      this.storeTask(task, open);
      return;
    }
    const address: ExecutionAddress = { namespaceId: task.namespaceId, workflowId: task.workflowId, runId: task.runId };
    const outcome = this.applyInput(chain, { address, input: reservation.input });
    if (outcome === "bug" || outcome.outcome !== "accepted") {
      reservation.release();
      if (outcome !== "bug" && outcome.outcome === "stale") return;
      this.storeTask(task, open);
      return;
    }
    this.accept(chain, outcome, depth);
    open.undo.push(() => reservation.release());
    const reply = outcome.reply as Replies["startWorkflowTask"] | Replies["startActivity"];
    open.dispatch.push(() => this.confirm(reservation, address, reply));
  }

  private confirm(reservation: Reservation, address: ExecutionAddress, reply: Replies["startWorkflowTask"] | Replies["startActivity"]): void {
    if (reservation.isGone()) {
      reservation.release();
      this.undeliver(address, reservation.input.kind === "startActivity" ? "activity" : "workflow", reply, reservation.input);
      return;
    }
    reservation.confirm(reply);
  }

  private storeTask(task: DispatchTask, open: OpenBatch): void {
    this.o.dispatcher.store(task, open.rows);
    if (this.storing.has(open)) return;
    this.storing.add(open);
    open.dispatch.push(() => {
      this.storing.delete(open);
      this.o.dispatcher.settled(open.rows, true);
    });
    open.undo.push(() => {
      this.storing.delete(open);
      this.o.dispatcher.settled(open.rows, false);
    });
  }
  private readonly storing = new Set<OpenBatch>();

  // --- Effects on other executions

  private beginTransfer(record: TransferRecord, open: OpenBatch, depth: number): void {
    const id = this.keys.next();
    this.keys.writeTo(open.rows);
    open.rows.writeComponent(0, Kind.TRANSFER, id, { op: "insert", value: encode(TransferRecord, { ...record, rowId: id }) });
    if (this.o.sameBatchTransfers && depth < TRANSFER_DEPTH_MAX && this.transferNow(id, record, depth)) return;
    open.timers.push(() => this.transfers.add(id, record));
  }

  /** Carries the effect within the batch, if both sides are in memory and nobody waits before it. */
  private transferNow(id: number, record: TransferRecord, depth: number): boolean {
    const source = this.cache.find(record.sourceNamespaceId, record.sourceWorkflowId);
    if (source === undefined || source.isLoading || source.isBlocked) return false;
    const ask = transferInput(id, record, this.o.namespaces());
    let result: Input | "retry";
    if ("result" in ask) result = ask.result;
    else {
      const target = this.cache.find(ask.address.namespaceId, ask.address.workflowId);
      if (target === undefined || target.isLoading || target.isBlocked || target.queue.length > 0 || !target.isLoaded(ask.address)) return false;
      const outcome = this.applyInput(target, ask);
      if (outcome === "bug" || outcome.outcome === "need") return false;
      if (outcome.outcome === "accepted") {
        this.accept(target, outcome, depth + 1);
        result = transferResult(id, record, { reply: outcome.reply });
      } else result = transferResult(id, record, outcome.outcome === "error" ? { error: outcome.error } : { reply: undefined });
    }
    if (result === "retry") return false;
    const address: ExecutionAddress = { namespaceId: record.sourceNamespaceId, workflowId: record.sourceWorkflowId, runId: record.sourceRunId };
    const outcome = this.applyInput(source, { address, input: result });
    if (outcome === "bug" || outcome.outcome === "need") return false;
    if (outcome.outcome === "accepted") this.accept(source, outcome, depth + 1);
    else this.deleteTransferRow(id);
    return true;
  }

  /** One attempt of a durable transfer task. Resolves true when its row is gone. */
  private async runTransfer(id: number, record: TransferRecord): Promise<boolean> {
    const ask = transferInput(id, record, this.o.namespaces());
    let result: Input | "retry";
    if ("result" in ask) result = ask.result;
    else {
      try {
        const reply = await this.submitInternal(ask.address, ask.input, InputClass.TRANSFER);
        result = transferResult(id, record, { reply });
      } catch (e) {
        result = transferResult(id, record, { error: e instanceof ServiceError ? e : internal(String(e)) });
      }
    }
    if (result === "retry") return false;
    const address: ExecutionAddress = { namespaceId: record.sourceNamespaceId, workflowId: record.sourceWorkflowId, runId: record.sourceRunId };
    try {
      await this.submitInternal(address, result, InputClass.TRANSFER, id);
      return true;
    } catch (e) {
      if (e instanceof ServiceError && e.code === 5) {
        // The source is gone: nobody is left to learn the result.
        await this.withBatch((rows) => rows.writeComponent(0, Kind.TRANSFER, id, { op: "delete" }));
        return true;
      }
      return false;
    }
  }

  private submitInternal(address: ExecutionAddress, input: Input, inputClass: InputClass, transferRow?: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.internalInput(address, input, inputClass, { resolve: resolve as (reply: never) => void, reject, ...(transferRow === undefined ? {} : { transferRow }) });
    });
  }

  // --- Timers

  private fireDue(row: { clock: number; due: number; key: number }): void {
    const cached = this.cache.byKey(row.key);
    if (cached !== undefined) {
      const { info } = cached.state;
      this.internalInput({ namespaceId: info.namespaceId, workflowId: info.workflowId, runId: info.runId }, { kind: "due" }, InputClass.TIMER, { dueRow: row });
      return;
    }
    this.o.store.loadExecution(row.key).then(
      (rows) => {
        if (rows === undefined) {
          void this.withBatch((b) => b.deleteDue(row.clock, row.due, row.key));
          return;
        }
        const info = decode(ExecutionRecord, rows.record);
        this.internalInput({ namespaceId: info.namespaceId, workflowId: info.workflowId, runId: info.runId }, { kind: "due" }, InputClass.TIMER, { dueRow: row });
      },
      (e: unknown) => this.o.logger.error({ err: e }, "due execution cannot be loaded"),
    );
  }

  // --- Commit

  private settled(batch: OpenBatch): void {
    this.counters.commits++;
    this.counters.rows += batch.rows.rowCount;
    this.keys.durable(batch.rows);
    this.cache.shrink(this.commits.durable);
    if (this.ready.some((r) => r.length > 0)) this.scheduleTurn();
    else this.scheduleIdle();
    this.checkDrained();
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

  /** Batches that will never be durable: memory goes back to what the store has, and the inputs run again or are refused. */
  private lost(lost: OpenBatch[], kind: "refused" | "full" | "lost"): void {
    for (const b of [...lost].reverse()) for (const f of [...b.undo].reverse()) f();
    const chains = new Set<CachedChain>();
    for (const b of lost) for (const c of b.chains) chains.add(c);
    const again: PendingInput[] = [];
    for (const c of chains) {
      // Queries that wait in memory only are asked again.
      for (const state of c.runs.values())
        for (const q of state.queries) {
          const waiting = this.waiters.get(q.waiter);
          this.waiters.delete(q.waiter);
          if (waiting !== undefined) again.push(waiting);
        }
      this.cache.evict(c);
      c.sequence = this.commits.durable;
    }
    if (kind === "lost") {
      this.o.onFatal(new Error("a commit has an unknown outcome"));
      return;
    }
    for (const b of lost)
      for (const p of b.inputs) {
        if (kind === "full") p.reject(resourceExhausted("the disk is full", ResourceExhaustedCause.PERSISTENCE_LIMIT, ResourceExhaustedScope.SYSTEM));
        else if (p.isAlone) p.reject(internal("the input could not be stored"));
        else again.push({ ...p, isAlone: true, loadedEvents: undefined, loadedRequestIds: undefined });
      }
    const byChain = new Map<CachedChain, PendingInput[]>();
    for (const p of again) {
      const chain = this.cache.get(p.address.namespaceId, p.address.workflowId);
      byChain.set(chain, [...(byChain.get(chain) ?? []), p]);
    }
    for (const [chain, inputs] of byChain) {
      chain.queue.unshift(...inputs);
      this.wake(chain);
    }
    for (const c of chains) if (c.queue.length > 0) this.reopen(c);
    this.scheduleTurn();
  }

  /** Rows of the shell's own, in the open batch. Resolves when they are durable. */
  withBatch(f: (rows: OpenBatch["rows"]) => void): Promise<void> {
    return new Promise((resolve) => {
      const open = this.commits.open;
      f(open.rows);
      open.replies.push(resolve);
      open.undo.push(() => this.o.runtime.setTimer(ROWS_RETRY_MS, () => void this.withBatch(f).then(resolve)));
      this.scheduleTurn();
    });
  }

  /** For registries that keep their records in the store: rejects when the batch is not written. */
  commitRows(fill: (rows: OpenBatch["rows"]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const open = this.commits.open;
      fill(open.rows);
      open.replies.push(resolve);
      open.undo.push(() => reject(unavailable("the store did not take the change")));
      this.scheduleTurn();
    });
  }

  // --- Reading

  readHistory(range: HistoryRange, page: PageLimits): Promise<{ data: Uint8Array; nextEventId: number | undefined }> {
    return this.reader.read(range, page);
  }

  readEvent(reference: EventReference): Promise<HistoryEvent | undefined> {
    return this.reader.event(reference);
  }

  async waitForEvents(address: ExecutionAddress, afterEventId: number, timeoutMs: number, onCancel: (f: () => void) => () => void): Promise<void> {
    const position = await this.submit(address, { kind: "historyPosition" });
    if (!position.isOpen || position.range.endEventId - 1 > afterEventId) return;
    const waiting = this.notifier.wait(position.range.runKey, afterEventId, timeoutMs, onCancel);
    // Something may have come between the answer and the wait.
    const cached = this.cache.byKey(position.range.runKey);
    if (cached !== undefined && (cached.state.info.nextEventId - 1 > afterEventId || !cached.state.isOpen)) waiting.wake();
    await waiting.promise;
  }

  // --- End

  drain(): Promise<void> {
    this.isDraining = true;
    this.timers.stop();
    this.transfers.stop();
    this.notifier.wakeAll();
    return new Promise((resolve) => {
      this.drained = resolve;
      this.scheduleTurn();
    });
  }

  private checkDrained(): void {
    if (this.drained === undefined) return;
    if (!this.commits.isIdle || this.ready.some((r) => r.length > 0) || !this.commits.open.rows.isEmpty) return;
    const done = this.drained;
    this.drained = undefined;
    done();
  }
}

const ONE = new Uint8Array([1]);
const STALE_TASK = new ServiceError(5, "Task not found.");

/** Ids are made only when asked for: most inputs need none. */
class TurnEnv implements Env {
  private runId: string | undefined;
  private key: number | undefined;
  private seedValue: number | undefined;

  constructor(
    readonly now: number,
    readonly config: Config,
    readonly namespace: Env["namespace"],
    readonly namespaces: NamespaceDirectory,
    private readonly runIds: RunIds,
    private readonly keys: KeyAllocator,
    private readonly runtime: Runtime,
  ) {}

  get newRunId(): string {
    return (this.runId ??= this.runIds.next());
  }
  get newKey(): number {
    return (this.key ??= this.keys.next());
  }
  get seed(): number {
    return (this.seedValue ??= this.runtime.randomSeed());
  }
}

/** Shard of an execution: fixed at creation, a column here and the leading key on databases with many nodes. */
function shardOf(info: { namespaceId: string; workflowId: string }): number {
  let h = 0x811c9dc5;
  const text = `${info.namespaceId}_${info.workflowId}`;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return ((h >>> 0) % SHARD_COUNT) + 1;
}
