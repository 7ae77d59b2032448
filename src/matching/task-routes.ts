/**
 * Which queue a task is stored in, and in which line it waits: a sticky queue while its worker polls, the line of the version that it
 * goes to at the moment, else the queue that its workflow names. When that changes - a version becomes current, a sticky worker
 * goes - what waits is moved; rows stay where they are.
 */
import type { DispatchTask } from "../core/transition.js";
import { type QueueKeys, type QueueName, queueId } from "./queue-keys.js";
import type { QueueState } from "./queue-state.js";
import type { Queues } from "./queues.js";
import type { VersionRouter } from "./version-router.js";

export interface TaskRoutesOptions {
  readonly queues: Queues;
  readonly queueKeys: QueueKeys;
  /** Unset: no worker names a version. */
  readonly versions: VersionRouter | undefined;
  /** Microseconds. */
  readonly now: () => number;
  /** There may be a poller for what waits in the queue. */
  readonly pumpSoon: (q: QueueState) => void;
}

export class TaskRoutes {
  constructor(private readonly o: TaskRoutesOptions) {}

  /** Queue that a task is offered to: a sticky one only while its worker polls. */
  route(task: DispatchTask): QueueName {
    const { namespaceId, namespaceKey, type, normalTaskQueue } = task;
    if (normalTaskQueue !== undefined) {
      const sticky: QueueName = { namespaceId, namespaceKey, type, name: task.taskQueue, isSticky: true };
      const isFit = this.o.versions?.isActive !== true || this.o.versions.fitsSticky(task, normalTaskQueue);
      if (isFit && this.o.queues.find(queueId(sticky))?.isStickyAvailable(this.o.now())) return sticky;
    }
    return this.normalOf(task);
  }

  private normalOf(task: DispatchTask): QueueName {
    const { namespaceId, namespaceKey, type, taskQueue, normalTaskQueue } = task;
    return this.waitsFor({ namespaceId, namespaceKey, type, name: normalTaskQueue ?? taskQueue, isSticky: false }, task);
  }

  // --- versions

  /** Where the pollers of the task's version stand. */
  waitsFor(queue: QueueName, task: DispatchTask): QueueName {
    const { versions } = this.o;
    if (versions?.isActive !== true) return queue;
    // What a build id's own queue has stored is that build's, whatever the rules have come to say of new runs.
    const version = versions.waitsFor(task, queue.name, queue.version);
    return version === queue.version ? queue : { ...queue, version };
  }

  storedBy(task: DispatchTask): QueueName {
    const queue = this.route(task);
    if (queue.isSticky || this.o.versions?.isActive !== true) return queue;
    return { ...queue, version: this.o.versions.storedBy(task, queue.name) };
  }

  /** Whether tasks of the queue may be for pollers that stand elsewhere. */
  isRouted(q: QueueState): boolean {
    return !q.name.isSticky && this.o.versions?.isActive === true && q.name.version?.startsWith("d:") !== true;
  }

  /** Whether nothing that is stored goes before a new task that is stored in one queue and waits in another. */
  isFirstOfStored(task: DispatchTask, q: QueueState): boolean {
    const id = queueId(this.storedBy(task));
    if (id === q.id) return true;
    const from = this.o.queues.find(id);
    return from === undefined ? this.o.queueKeys.find(id) === undefined : from.line.window.size === 0 && from.line.window.isComplete;
  }

  /** Each task goes to the line of the pollers that it is for. Their rows stay where they are. */
  spread(q: QueueState): void {
    const max = q.settings.backlogWindowTasksMax;
    const { window } = q.line;
    q.line.isSpread = true;
    for (let stored = window.first(); stored !== undefined; stored = window.first()) {
      const to = this.o.queues.open(this.waitsFor(q.name, stored.task));
      if (to.line.movedCount >= max) break;
      window.takeFirst();
      stored.home.take(stored);
      to.line.addMoved(stored);
      if (to !== q && to.line.pollerCount > 0) this.o.pumpSoon(to);
    }
  }

  /** The tasks of a version are for the most part stored in the queue without one. */
  feed(q: QueueState, base: QueueState, now: number): void {
    base.lastUsed = now;
    base.pollers.touch(now);
    for (const from of [base, ...this.upstreamOf(q)]) {
      from.lastUsed = now;
      if (from.line.window.isUnread) void from.backlog.refill();
      else if (from.line.window.size > 0) this.spread(from);
    }
  }

  /** Queues of build ids whose tasks are redirected to this one's. */
  private upstreamOf(q: QueueState): QueueState[] {
    const keys = this.o.versions?.upstreamOf(q.name) ?? [];
    return keys.map((version) => this.o.queues.open({ ...q.name, version }));
  }

  /** What is said of the queue's versions has changed: what waits is looked at again. */
  reroute(namespaceId: string, name: string, type: QueueName["type"]): void {
    const base = this.o.queues.find(queueId({ namespaceId, namespaceKey: 0, name, type, isSticky: false }));
    if (base === undefined) return;
    const family = [...base.family()];
    const kept = family.flatMap((q) => q.kept.takeAll());
    const homes = new Set(family.map((q) => q.backlog));
    for (const q of family)
      for (const stored of q.line.takeMoved()) {
        if (homes.has(stored.home)) stored.home.putBack(stored);
        else this.o.queues.open(this.waitsFor({ ...q.name, version: undefined }, stored.task)).line.addMoved(stored);
      }
    for (const task of kept) this.o.queues.open(this.waitsFor({ ...base.name, version: undefined }, task)).kept.add(task);
    for (const q of family) {
      // Its worker comes again, and finds the line that it belongs to now.
      if (q.name.version !== undefined && this.o.versions?.isOutdated(q.name.version, namespaceId, name))
        for (const waiter of [...q.line.pollers()]) waiter.end();
    }
    for (const q of base.family()) this.o.pumpSoon(q);
  }

  /**
   * Each task of an abandoned sticky queue goes to the front of its workflow's own: workers of two queues may share a sticky name.
   * Their rows stay where they are.
   */
  moveToNormal(q: QueueState): void {
    for (const task of q.kept.takeAll()) {
      const to = this.o.queues.open(this.normalOf(task));
      to.kept.add(task);
      this.o.pumpSoon(to);
    }
    for (let stored = q.line.takeTask(); stored !== undefined; stored = q.line.takeTask()) {
      stored.home.take(stored);
      const to = this.o.queues.open(this.normalOf(stored.task));
      to.line.addMoved(stored);
      this.o.pumpSoon(to);
    }
    void q.backlog.refill();
  }
}
