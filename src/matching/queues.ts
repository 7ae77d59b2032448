/** The task queues that are in memory: opened by their first use, unloaded when nothing has touched them for a while. */
import { MICROS_PER_MS } from "../api/time.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Store } from "../persistence/store.js";
import type { LimitsOf } from "./limits.js";
import { type QueueKeys, type QueueName, queueId } from "./queue-keys.js";
import { QueueState } from "./queue-state.js";
import type { TaskQueueConfigs } from "./task-queue-configs.js";

const SWEEP_MS = 60_000;

export interface QueuesDependencies {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly limits: LimitsOf;
  readonly queueKeys: QueueKeys;
  readonly configs: TaskQueueConfigs;
}

export class Queues {
  private readonly queues = new Map<string, QueueState>();
  /** Last poll (microseconds) of queues that are no longer in memory. */
  private readonly lastPolls = new Map<string, number>();
  private stopSweep: (() => void) | undefined;
  private isDraining = false;

  constructor(
    private readonly deps: QueuesDependencies,
    /** Tasks have come into the queue's window. */
    private readonly onRead: (q: QueueState) => void,
    /** A sticky queue that is unloaded with rows in the store. */
    private readonly onAbandon: (q: QueueState) => void,
  ) {
    deps.configs.onChange((namespaceId, name, type) => {
      if (type === undefined) return;
      const q = this.queues.get(queueId({ namespaceId, namespaceKey: 0, name, type, isSticky: false }));
      if (q === undefined) return;
      for (const each of q.family()) {
        each.applyConfig(deps.configs.find(namespaceId, name, type), deps.runtime.nowMicros());
        onRead(each);
      }
    });
  }

  [Symbol.iterator](): Iterator<QueueState> {
    return this.queues.values();
  }

  find(id: string): QueueState | undefined {
    return this.queues.get(id);
  }

  open(name: QueueName): QueueState {
    const id = queueId(name);
    let q = this.queues.get(id);
    if (q !== undefined) return q;
    const { store, runtime, logger, queueKeys, configs } = this.deps;
    const now = runtime.nowMicros();
    const base = name.version === undefined ? undefined : this.open({ ...name, version: undefined });
    const settings = base?.settings ?? this.deps.limits(name.namespaceId, name.name, name.type);
    q = new QueueState(id, name, settings, now, queueKeys, store, runtime, logger, this.onRead, base);
    if (base !== undefined) (base.versions ??= new Map()).set(name.version ?? "", q);
    if (!name.isSticky) {
      const config = configs.find(name.namespaceId, name.name, name.type);
      if (config !== undefined) q.applyConfig(config, now);
    }
    const lastPoll = this.lastPolls.get(id);
    if (lastPoll !== undefined) q.pollers.touch(lastPoll);
    this.lastPolls.delete(id);
    this.queues.set(id, q);
    if (this.stopSweep === undefined && !this.isDraining) this.armSweep();
    return q;
  }

  /** Milliseconds since somebody polled the queue; undefined when never. */
  sinceLastPoll(id: string): number | undefined {
    const q = this.queues.get(id);
    const now = this.deps.runtime.nowMicros();
    if (q !== undefined) for (const each of q.family()) if (each.line.nextPoller(now) !== undefined) return 0;
    const last = q?.pollers.lastPoll ?? this.lastPolls.get(id);
    return last === undefined ? undefined : Math.max(0, Math.floor((now - last) / MICROS_PER_MS));
  }

  /** Lets the queues of a namespace go that is no more: their polls end. */
  forget(namespaceId: string): QueueState[] {
    const forgotten = [...this.queues.values()].filter((q) => q.name.namespaceId === namespaceId);
    for (const q of forgotten) {
      for (const waiter of [...q.line.pollers()]) waiter.end();
      q.stop();
      this.queues.delete(q.id);
    }
    for (const id of [...this.lastPolls.keys()]) if (id.startsWith(`${namespaceId}/`)) this.lastPolls.delete(id);
    return forgotten;
  }

  /** What is in memory of a queue goes, as far as the store has it: its polls end, its backlog is read again. Answers whether it was there. */
  unload(id: string): boolean {
    const q = this.queues.get(id);
    if (q === undefined) return false;
    for (const line of [q, ...(q.versions?.values() ?? [])]) for (const waiter of [...line.line.pollers()]) waiter.end();
    // Tasks that wait in the lines of versions are of this queue's window.
    if ((q.versions?.size ?? 0) > 0 || q.line.isSpread) return true;
    // Tasks on their way to or from the store are known to this object only.
    if (q.isIdle()) {
      if (q.pollers.lastPoll !== undefined && !q.name.isSticky) this.lastPolls.set(id, q.pollers.lastPoll);
      q.stop();
      this.queues.delete(id);
    } else {
      q.backlog.recount();
      q.line.window.reset();
    }
    return true;
  }

  drain(): void {
    this.isDraining = true;
    this.stopSweep?.();
    this.stopSweep = undefined;
    for (const q of this.queues.values()) {
      q.stop();
      for (const waiter of [...q.line.pollers()]) waiter.end();
    }
  }

  private armSweep(): void {
    this.stopSweep = this.deps.runtime.setTimer(SWEEP_MS, () => {
      this.stopSweep = undefined;
      this.sweep();
      if (this.queues.size > 0) this.armSweep();
    });
  }

  private sweep(): void {
    const now = this.deps.runtime.nowMicros();
    for (const q of this.queues.values()) {
      const oldest = now - q.settings.taskQueueIdleMsMax * MICROS_PER_MS;
      if (q.lastUsed > oldest || !q.isIdle() || (q.versions?.size ?? 0) > 0) continue;
      q.base?.versions?.delete(q.name.version ?? "");
      if (q.name.isSticky) {
        // Whatever is left in it has timed out long ago; their normal queues find the tasks stale and drops the rows.
        const isEmpty = q.line.window.isComplete && q.line.window.size === 0;
        if (!isEmpty) {
          this.onAbandon(q);
          continue;
        }
        this.deps.queueKeys.forget(q.id);
      } else if (q.pollers.lastPoll !== undefined) {
        this.lastPolls.set(q.id, q.pollers.lastPoll);
      }
      q.stop();
      this.queues.delete(q.id);
    }
  }
}
