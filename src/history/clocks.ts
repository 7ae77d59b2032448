/**
 * Clocks of namespaces. Outside of tests there are none: every namespace is on real time. A call of TestService makes one: the
 * server-wide clock, which every namespace without one of its own follows, or that of the namespace which the call names.
 *
 * A clock is a row {id, offset}: real time plus the offset. Due rows name their clock, so a skip writes the offset and no timer;
 * each clock has a heap of its own. While no lock is held, a clock goes on to its next deadline (or sleeper) when nothing else can
 * make progress: no execution of it has work in flight, no input of it waits or is unsettled, and one turn of the loop has passed
 * without a change of it. The offset is written in the batch of the input that is due then.
 *
 * Locks and work in flight are one count, as in the official test server: an activity that sleeps with the lock of its own work
 * given back lets time skip while it runs.
 *
 * Invariants: a clock never goes back; how much work is in flight is known for all executions before the first skip, and kept with
 * every transition; locks are counted in memory and start as at the start of the server.
 */
import { ClockRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { Code, namespaceNotFound, ServiceError, unavailable } from "../api/service-error.js";
import { MICROS_PER_MS } from "../api/time.js";
import { decode, encode } from "../api/wire.js";
import { Archetype, type ExecutionState } from "../core/execution.js";
import { workOf } from "../core/followed-clock.js";
import type { ExecutionAddress } from "../core/input.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { assert } from "../lib/assert.js";
import { Heap } from "../lib/heap.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import type { TestClockService } from "./contract.js";
import { EventsNotifier } from "./events-notifier.js";
import { CachedChain } from "./execution-cache.js";
import { type DueRow, TimerQueue } from "./queues/timer-queue.js";

export const CLOCK_REGISTRY_KIND = "clock";
const SERVER = "server";
const SERVER_CLOCK_ID = 1;
/** Clocks of namespaces are numbered from here by the namespace's key. */
const NAMESPACE_CLOCK_ID_MIN = 2;
const RETRY_MS = 1_000;

interface Sleeper {
  readonly due: number;
  /** Runs at its time, before anything else of the clock. */
  readonly wake: (error?: ServiceError) => void;
  isGone: boolean;
}

export class NamespaceClock {
  /** Microseconds ahead of real time. */
  offset = 0;
  /** The same as of the newest skip that is durable: all that callers are told, and sleepers woken by. */
  durableOffset = 0;
  /** What inputs are stamped with; undefined until the clock's row is durable. */
  view: { readonly id: number; readonly offset: number } | undefined;
  locks: number;
  queue: TimerQueue | undefined;
  /** Executions with work in flight: how much of it, and their namespaces. */
  private readonly busy = new Map<number, { namespaceId: string; work: number }>();
  /** All of `busy`. */
  work = 0;
  /** Whether `busy` holds all of them. */
  counted: "no" | "running" | "yes" = "no";
  /** Counts up when what was counted is lost. */
  countEpoch = 0;
  readonly holds = new Set<symbol>();
  readonly sleepers = new Heap<Sleeper>((a, b) => a.due - b.due);
  stopAlarm: (() => void) | undefined;
  /** Something of it has changed since it was last looked at. */
  isTouched = false;
  /** A skip is on its way to the store. */
  isMoving = false;
  /** Ties batches that were computed from an offset that is not durable to the one that holds it. */
  readonly tie: CachedChain;
  activation: Promise<void> | undefined;

  constructor(
    readonly registryId: string,
    readonly id: number,
    locks: number,
  ) {
    this.locks = locks;
    this.tie = new CachedChain(`clock/${registryId}`, "", "", Archetype.WORKFLOW);
  }

  setBusy(key: number, namespaceId: string, work: number): void {
    const before = this.busy.get(key)?.work ?? 0;
    if (work > 0) this.busy.set(key, { namespaceId, work });
    else this.busy.delete(key);
    this.work += work - before;
  }

  clearBusy(namespaceId?: string): void {
    for (const [key, of] of this.busy) if (namespaceId === undefined || of.namespaceId === namespaceId) this.setBusy(key, "", 0);
  }

  moveTo(offset: number): void {
    this.offset = offset;
    if (this.view !== undefined) this.view = { id: this.id, offset };
  }

  write(rows: Batch, adopted: boolean): void {
    const value = encode(ClockRecord, { id: this.id, offset: this.offset, adopted });
    rows.writeRegistry(CLOCK_REGISTRY_KIND, this.registryId, 1, { op: "put", value });
  }
}

/** The engine, as the clocks need it. */
export interface ClockHost {
  /** Every input of these namespaces has been applied, and what it made is durable. */
  isQuiet(follows: (namespaceId: string) => boolean): boolean;
  /** Fires a row whose time has come. */
  fire(row: DueRow): Promise<void>;
  /** Applies the deadline of a row together with the skip to it, if both still stand; else makes the row exact. */
  skip(clock: NamespaceClock, row: DueRow): Promise<void>;
  /** Writes the clock's row; what is computed from it later is not durable before. */
  commitClock(clock: NamespaceClock, adopted: boolean): Promise<void>;
  /** Brings the due row of an execution to the clock that it belongs to, and makes it exact. */
  settle(address: ExecutionAddress): Promise<void>;
  /** Resolves when everything that was applied before is durable. */
  settled(): Promise<void>;
  /** Sources of transfer tasks that are not done. */
  transferSources(): Promise<ExecutionAddress[]>;
  openRuns(namespace: NamespaceView): AsyncIterable<ExecutionAddress>;
  realNow(): number;
  /** State transitions of a run in memory. */
  transitionsOf(key: number): number | undefined;
}

export interface ClocksOptions {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly host: ClockHost;
  readonly namespaces: () => readonly NamespaceView[];
  /** Locks that each clock starts with: 1, or 0 where time may skip from the start. */
  readonly initialLocks: number;
  /** Whether calls that wait for a workflow give a lock back meanwhile. */
  readonly skipsWhileAwaited: boolean;
}

export class Clocks implements TestClockService {
  private readonly clocks = new Map<string, NamespaceClock>();
  private readonly byId = new Map<number, NamespaceClock>();
  private readonly server: NamespaceClock;
  /** Whether any namespace is not on real time. */
  isActive = false;
  /** Whether transitions have to be told. */
  isCounting = false;
  /** Calls that wait for a change of an execution with a clock of its own. */
  private readonly watchers: EventsNotifier;
  private isLookDue = false;
  private isStopped = false;

  constructor(private readonly o: ClocksOptions) {
    this.watchers = new EventsNotifier(o.runtime);
    this.server = this.make(SERVER, SERVER_CLOCK_ID);
  }

  private make(registryId: string, id: number): NamespaceClock {
    const clock = new NamespaceClock(registryId, id, this.o.initialLocks);
    this.clocks.set(registryId, clock);
    this.byId.set(id, clock);
    return clock;
  }

  /** Before the first input: the clocks that an earlier process had. */
  async start(registry: readonly { kind: string; id: string; value: Uint8Array }[]): Promise<void> {
    for (const row of registry) {
      if (row.kind !== CLOCK_REGISTRY_KIND) continue;
      const record = decode(ClockRecord, row.value);
      const clock = row.id === SERVER ? this.server : this.make(row.id, record.id);
      assert(clock.id === record.id, "a clock keeps its number");
      clock.offset = record.offset;
      clock.durableOffset = record.offset;
      await this.run(clock);
      if (!record.adopted) clock.activation = this.adopt(clock);
    }
    if (this.o.initialLocks === 0) await this.activate(this.server);
  }

  // --- What the engine asks

  /** The clock that inputs of the namespace are stamped with; undefined is real time. */
  viewOf(namespaceId: string): NamespaceClock["view"] {
    return this.isActive ? this.clockOf(namespaceId).view : undefined;
  }

  clockOf(namespaceId: string): NamespaceClock {
    const own = this.clocks.get(namespaceId);
    return own?.view === undefined ? this.server : own;
  }

  *queues(): Generator<{ readonly id: number; readonly queue: TimerQueue }> {
    for (const { id, queue } of this.clocks.values()) if (queue !== undefined) yield { id, queue };
  }

  queueOf(clockId: number): TimerQueue | undefined {
    return this.byId.get(clockId)?.queue;
  }

  /** An input has been applied: how much work the execution has in flight may have changed. Reading alone is no change of a clock. */
  note(state: ExecutionState, isChanged: boolean): void {
    const { namespaceId } = state.info;
    const clock = this.clockOf(namespaceId);
    const shares = (id: string): boolean => this.clockOf(id) === clock;
    const before = clock.work;
    clock.setBusy(state.key, namespaceId, workOf(state, this.now(clock), shares));
    if (isChanged || clock.work !== before) this.touch(clock);
  }

  forget(key: number): void {
    for (const clock of this.clocks.values()) {
      clock.setBusy(key, "", 0);
      this.touch(clock);
    }
  }

  /** The namespace is deleted, and its clock with it. */
  forgetNamespace(namespaceId: string): void {
    const clock = this.clocks.get(namespaceId);
    this.server.clearBusy(namespaceId);
    if (clock === undefined) return;
    this.clocks.delete(namespaceId);
    this.byId.delete(clock.id);
    this.stopClock(clock, namespaceNotFound(namespaceId));
  }

  /** Memory went back to what the store has: nothing that was counted can be trusted. */
  recount(): void {
    for (const clock of this.clocks.values()) {
      clock.clearBusy();
      clock.countEpoch++;
      if (clock.counted === "yes") clock.counted = "no";
      this.touch(clock);
    }
  }

  /** Something may have come to rest. */
  look(): void {
    if (this.isLookDue || this.isStopped) return;
    this.isLookDue = true;
    this.o.runtime.defer(() => {
      this.isLookDue = false;
      for (const clock of this.clocks.values()) {
        if (!clock.isTouched) this.tryToSkip(clock);
        else {
          // One turn without a change has to pass.
          clock.isTouched = false;
          this.look();
        }
      }
    });
  }

  private touch(clock: NamespaceClock): void {
    clock.isTouched = true;
    this.look();
  }

  /** Whether the clock may go on, apart from what waits in the engine. */
  maySkip(clock: NamespaceClock): boolean {
    return clock.counted === "yes" && clock.locks + clock.work + clock.holds.size <= 0 && !this.isStopped;
  }

  /** While the result is not called, the clock of the namespace does not skip: something outside of executions is at work. */
  hold(namespaceId: string): () => void {
    if (!this.isActive) return NOTHING;
    const clock = this.clockOf(namespaceId);
    const token = Symbol();
    clock.holds.add(token);
    return () => {
      if (clock.holds.delete(token)) this.touch(clock);
    };
  }

  awaiting(namespaceId: string): () => void {
    if (!this.o.skipsWhileAwaited) return NOTHING;
    const clock = this.clockOf(namespaceId);
    let isReleased = false;
    let hasEnded = false;
    const end = (): void => {
      if (isReleased && hasEnded) clock.locks++;
    };
    this.release(clock).then(
      () => {
        isReleased = true;
        end();
      },
      // Nobody holds a lock: time skips anyway.
      NOTHING,
    );
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      end();
    };
  }

  // --- Skipping

  private tryToSkip(clock: NamespaceClock): void {
    if (clock.locks > 0 || clock.view === undefined || clock.isMoving || this.isStopped) return;
    if (clock.counted !== "yes") {
      if (clock.counted === "no" && clock.activation === undefined) void this.count(clock);
      return;
    }
    if (!this.maySkip(clock) || !this.o.host.isQuiet((id) => this.clockOf(id) === clock)) return;
    const row = clock.queue?.nearest();
    if (row === "unknown") return;
    const sleeper = this.nearestSleeper(clock);
    const now = this.now(clock);
    if (row !== undefined && (sleeper === undefined || row.due <= sleeper.due)) {
      if (row.due > now) void this.moving(clock, this.o.host.skip(clock, row));
      return;
    }
    if (sleeper !== undefined && sleeper.due > now) void this.moving(clock, this.skipToSleeper(clock, sleeper.due));
  }

  private async moving(clock: NamespaceClock, done: Promise<void>): Promise<void> {
    clock.isMoving = true;
    try {
      await done;
    } catch (e) {
      this.o.logger.warn({ err: e, clock: clock.registryId }, "time could not be skipped");
      await new Promise<void>((resolve) => void this.o.runtime.setTimer(RETRY_MS, resolve));
    }
    clock.isMoving = false;
    this.moved(clock);
    this.touch(clock);
  }

  private async skipToSleeper(clock: NamespaceClock, to: number): Promise<void> {
    const from = this.now(clock);
    const before = clock.offset;
    clock.moveTo(before + to - from);
    try {
      await this.o.host.commitClock(clock, true);
    } catch (e) {
      clock.moveTo(before);
      throw e;
    }
    clock.durableOffset = before + to - from;
    this.log(clock, from, to, "sleep");
  }

  log(clock: NamespaceClock, from: number, to: number, reason: string, of: object = {}): void {
    this.o.logger.info({ clock: clock.registryId, from: iso(from), to: iso(to), reason, ...of }, "time skipped");
  }

  /** An execution's own clock has skipped. */
  logSkip(info: { workflowId: string; runId: string }, { from, to, reason }: { from: number; to: number; reason: string }): void {
    this.o.logger.info({ workflowId: info.workflowId, runId: info.runId, from: iso(from), to: iso(to), reason }, "time skipped");
  }

  /** A skip that a deadline has asked for is on disk. */
  skipIsDurable(clock: NamespaceClock, offset: number): void {
    clock.durableOffset = offset;
    this.wakeSleepers(clock);
  }

  /** The offset has changed: who waits for a time of the clock looks again. */
  private moved(clock: NamespaceClock): void {
    this.wakeSleepers(clock);
    clock.queue?.clockMoved();
  }

  private now(clock: NamespaceClock): number {
    return this.o.host.realNow() + clock.offset;
  }

  /** The time that whoever asks is told: after a death it is no earlier. */
  private toldNow(clock: NamespaceClock): number {
    return this.o.host.realNow() + clock.durableOffset;
  }

  // --- Sleepers

  private nearestSleeper(clock: NamespaceClock): Sleeper | undefined {
    for (let s = clock.sleepers.peek(); s !== undefined; s = clock.sleepers.peek()) {
      if (!s.isGone) return s;
      clock.sleepers.pop();
    }
    return undefined;
  }

  private wakeSleepers(clock: NamespaceClock): void {
    clock.stopAlarm?.();
    clock.stopAlarm = undefined;
    const now = this.toldNow(clock);
    for (let s = this.nearestSleeper(clock); s !== undefined; s = this.nearestSleeper(clock)) {
      if (s.due > now) {
        clock.stopAlarm = this.o.runtime.setTimer(Math.ceil((s.due - now) / MICROS_PER_MS), () => this.wakeSleepers(clock));
        return;
      }
      clock.sleepers.pop();
      s.isGone = true;
      s.wake();
    }
  }

  /** Resolves when the clock has reached `due`; `atTime` runs at that very moment, or when the caller goes. */
  private sleepOn(clock: NamespaceClock, due: number, onCancel: (f: () => void) => () => void, atTime: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let stopListening: () => void = NOTHING;
      const end = (error?: ServiceError): void => {
        sleeper.isGone = true;
        stopListening();
        atTime();
        if (error === undefined) resolve();
        else reject(error);
      };
      const sleeper: Sleeper = { due, wake: end, isGone: false };
      clock.sleepers.push(sleeper);
      stopListening = onCancel(() => {
        if (!sleeper.isGone) end(new ServiceError(Code.CANCELLED, "the caller has gone"));
      });
      if (!sleeper.isGone) this.wakeSleepers(clock);
      this.touch(clock);
    });
  }

  // --- Executions with a clock of their own

  /** Not every change of such a clock has an event at once: one that waits for a workflow task has none. */
  executionChanged(key: number): void {
    this.watchers.notify(key, 0, true);
  }

  async waitForExecution(runKey: number, transitions: number, timeoutMs: number, onCancel: (f: () => void) => () => void): Promise<void> {
    const waiting = this.watchers.wait(runKey, transitions, timeoutMs, onCancel);
    // Something may have come between the answer and the wait.
    if (this.o.host.transitionsOf(runKey) !== transitions) waiting.wake();
    await waiting.promise;
  }

  // --- TestService

  async lock(namespace: NamespaceView | undefined): Promise<void> {
    const clock = await this.addressed(namespace);
    clock.locks++;
  }

  async unlock(namespace: NamespaceView | undefined): Promise<void> {
    const clock = await this.addressed(namespace);
    await this.release(clock);
  }

  async sleep(
    namespace: NamespaceView | undefined,
    micros: number,
    onCancel: (f: () => void) => () => void,
    options: { unlocked: boolean },
  ): Promise<void> {
    const clock = await this.addressed(namespace);
    const due = this.toldNow(clock) + micros;
    if (!options.unlocked) return this.sleepOn(clock, due, onCancel, NOTHING);
    await this.release(clock);
    return this.sleepOn(clock, due, onCancel, () => clock.locks++);
  }

  async sleepUntil(namespace: NamespaceView | undefined, time: number, onCancel: (f: () => void) => () => void): Promise<void> {
    return this.sleepOn(await this.addressed(namespace), time, onCancel, NOTHING);
  }

  currentTime(namespace: NamespaceView | undefined): number {
    return this.toldNow(namespace === undefined ? this.server : this.clockOf(namespace.id));
  }

  private async release(clock: NamespaceClock): Promise<void> {
    if (clock.locks <= 1) await this.activate(clock);
    if (clock.locks <= 0 && clock.counted === "no") await this.count(clock);
    if (clock.locks <= 0 && clock.locks + clock.work <= 0)
      throw new ServiceError(Code.UNKNOWN, "Unbalanced lock and unlock calls: time skipping is not locked");
    clock.locks--;
    this.touch(clock);
  }

  /** The clock that a call acts on. One that names a namespace gives it a clock of its own. */
  private async addressed(namespace: NamespaceView | undefined): Promise<NamespaceClock> {
    if (namespace === undefined) return this.server;
    const clock = this.clocks.get(namespace.id) ?? this.make(namespace.id, NAMESPACE_CLOCK_ID_MIN + namespace.key);
    await this.activate(clock);
    return clock;
  }

  // --- From real time to a clock

  /** Makes the clock's row, and namespaces follow it from then on. */
  private activate(clock: NamespaceClock): Promise<void> {
    if (clock.view !== undefined) return Promise.resolve();
    clock.activation ??= this.begin(clock).catch((e: unknown) => {
      clock.activation = undefined;
      throw e;
    });
    return clock.activation;
  }

  private async begin(clock: NamespaceClock): Promise<void> {
    // Time goes on where the namespace has been.
    if (clock !== this.server) clock.offset = this.server.offset;
    await this.o.host.commitClock(clock, false);
    clock.durableOffset = clock.offset;
    await this.run(clock);
    await this.adopt(clock);
  }

  private async run(clock: NamespaceClock): Promise<void> {
    const { store, runtime, logger, host } = this.o;
    const fire = (row: DueRow): Promise<void> => host.fire(row).finally(() => this.touch(clock));
    clock.queue = new TimerQueue(store, runtime, logger, clock.id, fire, { ahead: () => clock.offset, onRead: () => this.touch(clock) });
    await clock.queue.start();
    clock.view = { id: clock.id, offset: clock.offset };
    this.isActive = true;
    if (clock !== this.server) this.server.clearBusy(clock.registryId);
  }

  private async adopt(clock: NamespaceClock): Promise<void> {
    await this.sweep(clock);
    await this.o.host.commitClock(clock, true);
    clock.activation = undefined;
    this.touch(clock);
  }

  /** Learns of all its executions which have work in flight. */
  private async count(clock: NamespaceClock): Promise<void> {
    clock.counted = "running";
    try {
      await this.sweep(clock);
    } catch (e) {
      clock.counted = "no";
      if (this.isStopped) return;
      this.o.logger.warn({ err: e, clock: clock.registryId }, "executions cannot be counted; time does not skip");
      this.o.runtime.setTimer(RETRY_MS, () => this.touch(clock));
    }
  }

  /** Visits every execution of the clock that may have a deadline or work in flight. */
  private async sweep(clock: NamespaceClock): Promise<void> {
    this.isCounting = true;
    clock.counted = "running";
    const epoch = clock.countEpoch;
    const { host } = this.o;
    // What was applied before it had to be told is in the store now, what comes is told.
    await host.settled();
    for (const namespace of this.o.namespaces()) {
      if (this.clockOf(namespace.id) !== clock) continue;
      for await (const address of host.openRuns(namespace)) await host.settle(address);
    }
    for (const address of await host.transferSources()) if (this.clockOf(address.namespaceId) === clock) await host.settle(address);
    clock.counted = clock.countEpoch === epoch ? "yes" : "no";
    this.touch(clock);
  }

  stop(): void {
    this.isStopped = true;
    this.watchers.wakeAll();
    for (const clock of this.clocks.values()) this.stopClock(clock, unavailable("server is shutting down"));
  }

  private stopClock(clock: NamespaceClock, why: ServiceError): void {
    clock.queue?.stop();
    clock.stopAlarm?.();
    for (let s = this.nearestSleeper(clock); s !== undefined; s = this.nearestSleeper(clock)) s.wake(why);
  }
}

const NOTHING = (): void => undefined;
const iso = (micros: number): string => new Date(micros / MICROS_PER_MS).toISOString();
