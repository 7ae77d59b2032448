/**
 * The stored tasks of one queue, between the store and the window in memory (core/matching/backlog-window.ts).
 *
 * Rows come into being in batches that are not durable yet, so a read of the store does not show them; and rows of tasks that are
 * being started still show up. The backlog knows both (`unsettled`, `taken`) and corrects what it reads. A batch that fails takes
 * its tasks with it: the window is forgotten and read again.
 */
import { TaskRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode, encode } from "../api/wire.js";
import { type BacklogWindow, comparePositions, type Position } from "../core/matching/backlog-window.js";
import type { Fairness, FairnessTask } from "../core/matching/fairness.js";
import type { DispatchTask } from "../core/transition.js";
import { taskVersionOf, taskVersionRecord } from "../core/versioning/task-version.js";
import { assert } from "../lib/assert.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { BacklogKey, Batch } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import { RETRY_MS } from "./limits.js";
import type { QueueKey, QueueKeys, QueueName } from "./queue-keys.js";

export interface StoredTask {
  /** Place in the line: its row's, or one at the front of the normal queue that it was moved to. */
  order: Position;
  readonly at: BacklogKey;
  readonly task: DispatchTask;
  /** Whose row it is. */
  readonly home: Backlog;
  /** Its batch failed: neither row nor task exist. */
  isVoid: boolean;
}

export class Backlog {
  private readonly unsettled = new Map<Batch, StoredTask[]>();
  /** By id: tasks that left the window and whose rows may still be there. */
  private readonly taken = new Map<number, StoredTask>();
  private reading: { arrived: StoredTask[]; finished: Set<number>; done: Promise<void> } | undefined;
  private stopRetry: (() => void) | undefined;
  /** Number of rows; undefined while unknown. */
  private rows: number | undefined;

  constructor(
    private readonly id: string,
    readonly queue: QueueName,
    private readonly keys: QueueKeys,
    private readonly window: BacklogWindow<StoredTask>,
    private readonly store: Store,
    private readonly runtime: Runtime,
    private readonly logger: Logger,
    /** Undefined: tasks are given out in the order in which they came. */
    private readonly fairness: Fairness | undefined,
    /** Tasks have come into the window, or it is known that there are none. */
    private readonly onRead: () => void,
  ) {
    if (window.isComplete) this.rows = 0;
  }

  get isBusy(): boolean {
    return this.unsettled.size > 0 || this.taken.size > 0 || this.reading !== undefined;
  }

  get key(): QueueKey | undefined {
    return this.keys.find(this.id);
  }

  /** Adds the row to the batch. `weight`: of the task's fairness key in this queue. */
  add(task: DispatchTask, priority: number, weight: number, batch: Batch): StoredTask {
    const { fairness } = this;
    const picked = fairness?.pick(priority, task.fairnessKey, weight);
    const promises = picked?.needsPromise ? fairness?.promises() : undefined;
    const { key, taskId } = this.keys.nextTask(this.id, this.queue, batch, promises);
    const at = { queue: key.key, priority, pass: picked?.pass ?? 0, id: taskId };
    batch.writeBacklog(at, { op: "insert", value: encode(TaskRecord, recordOf(task)) });
    const stored: StoredTask = { order: at, at, task, home: this, isVoid: false };
    const others = this.unsettled.get(batch);
    if (others === undefined) this.unsettled.set(batch, [stored]);
    else others.push(stored);
    this.reading?.arrived.push(stored);
    if (this.rows !== undefined) this.rows++;
    this.window.insert(stored);
    return stored;
  }

  settled(batch: Batch, durable: boolean): void {
    const tasks = this.unsettled.get(batch);
    if (tasks === undefined) return;
    this.unsettled.delete(batch);
    if (durable) return;
    for (const stored of tasks) stored.isVoid = true;
    this.rows = undefined;
    this.window.reset();
  }

  /** The task has left the window and is being started, moved or dropped. */
  take(stored: StoredTask): void {
    assert(stored.home === this, "a task is taken from the backlog that has its row");
    this.fairness?.reached(stored.at.priority, stored.at.pass);
    this.taken.set(stored.at.id, stored);
  }

  /** Its row has gone durably, or never was. */
  finish(stored: StoredTask): void {
    if (!this.taken.delete(stored.at.id)) return;
    this.reading?.finished.add(stored.at.id);
    if (this.rows !== undefined && !stored.isVoid) this.rows--;
  }

  /** Its start failed: it waits again. */
  putBack(stored: StoredTask): void {
    if (!this.taken.delete(stored.at.id)) return;
    if (!stored.isVoid) this.window.insert(stored);
  }

  /** Sees to it that the window is read as far as it should be. Resolves after the read that is under way, if any. */
  async refill(): Promise<void> {
    if (this.reading !== undefined) return this.reading.done;
    if (this.stopRetry !== undefined || !this.window.needsRefill) return;
    return this.read();
  }

  /** Number of waiting tasks. Asks the store when memory does not tell. */
  async count(): Promise<number> {
    const key = this.key;
    if (key === undefined) return 0;
    if (this.rows === undefined) {
      const durable = await this.store.countBacklog(key.key);
      let undurable = 0;
      for (const tasks of this.unsettled.values()) undurable += tasks.length;
      // Batches that settled during the count may be counted twice: the figure is an approximation, as its name in the API says.
      this.rows = durable + undurable;
    }
    return Math.max(0, this.rows - this.taken.size);
  }

  /** Rows were deleted by somebody else. Tasks of theirs that are in the window are found stale when they are started. */
  recount(): void {
    this.rows = undefined;
  }

  stop(): void {
    this.stopRetry?.();
    this.stopRetry = undefined;
  }

  private read(): Promise<void> {
    const key = this.key;
    if (key === undefined) {
      this.window.extend([], "all");
      this.rows = 0;
      this.onRead();
      return Promise.resolve();
    }
    const reading = { arrived: [...this.unsettled.values()].flat(), finished: new Set<number>(), done: Promise.resolve() };
    this.reading = reading;
    reading.done = this.readRows(key, reading);
    return reading.done;
  }

  private async readRows(key: QueueKey, reading: { arrived: StoredTask[]; finished: Set<number> }): Promise<void> {
    const version = this.window.version;
    const after = this.window.readAfter;
    const limit = this.window.room;
    let rows: { at: BacklogKey; value: Uint8Array }[];
    try {
      rows = await this.store.readBacklog(key.key, after === undefined ? undefined : { queue: key.key, ...position(after) }, limit);
    } catch (error) {
      this.reading = undefined;
      this.logger.warn({ queue: this.id, error: String(error) }, "reading the backlog of a task queue failed");
      this.stopRetry = this.runtime.setTimer(RETRY_MS, () => {
        this.stopRetry = undefined;
        this.onRead();
      });
      return;
    }
    this.reading = undefined;
    // What was read no longer continues the window when that was forgotten or cut meanwhile.
    if (version !== this.window.version) return this.onRead();
    const last = rows[rows.length - 1];
    const reach = rows.length < limit || last === undefined ? "all" : position(last.at);
    const found = new Map<number, StoredTask>();
    for (const stored of reading.arrived) {
      const isBehind = after === undefined || comparePositions(stored.order, after) > 0;
      const isWithin = reach === "all" || comparePositions(stored.order, reach) <= 0;
      if (isBehind && isWithin && !stored.isVoid) found.set(stored.at.id, stored);
    }
    for (const row of rows) if (!found.has(row.at.id)) found.set(row.at.id, this.load(row.at, row.value));
    for (const id of [...reading.finished, ...this.taken.keys()]) found.delete(id);
    this.window.extend(
      [...found.values()].sort((a, b) => comparePositions(a.order, b.order)),
      reach,
    );
    if (after === undefined && this.fairness !== undefined) this.fairness.learn(this.fairnessTasks(), reach === "all");
    if (after === undefined && reach === "all") this.rows = found.size + this.taken.size;
    this.onRead();
  }

  private *fairnessTasks(): Generator<FairnessTask> {
    for (const { at, task } of this.window.values()) yield { priority: at.priority, pass: at.pass, key: task.fairnessKey };
  }

  private load(at: BacklogKey, value: Uint8Array): StoredTask {
    const r = decode(TaskRecord, value);
    const { queue } = this;
    const task: DispatchTask = {
      type: queue.type,
      namespaceId: queue.namespaceId,
      namespaceKey: queue.namespaceKey,
      taskQueue: queue.name,
      normalTaskQueue: queue.isSticky ? r.normalTaskQueue || this.key?.normalName : undefined,
      workflowId: r.workflowId,
      runId: r.runId,
      ...(r.archetype === 0 ? {} : { archetype: r.archetype }),
      executionKey: r.executionKey,
      scheduledEventId: r.scheduledEventId,
      attempt: r.attempt,
      stamp: r.stamp,
      priority: r.priority,
      fairnessKey: r.fairnessKey,
      fairnessWeight: r.fairnessWeight,
      createTime: r.createTime,
      expireTime: r.expireTime,
      version: taskVersionOf(r.version),
    };
    return { order: position(at), at, task, home: this, isVoid: false };
  }
}

function position(at: Position): Position {
  return { priority: at.priority, pass: at.pass, id: at.id };
}

function recordOf(task: DispatchTask): TaskRecord {
  return {
    type: task.type === "activity" ? 2 : 1,
    workflowId: task.workflowId,
    runId: task.runId,
    scheduledEventId: task.scheduledEventId,
    attempt: task.attempt,
    createTime: task.createTime,
    expireTime: task.expireTime,
    priority: task.priority,
    stamp: task.stamp,
    fairnessKey: task.fairnessKey,
    fairnessWeight: task.fairnessWeight,
    executionKey: task.executionKey,
    archetype: task.archetype ?? 0,
    version: taskVersionRecord(task.version),
    normalTaskQueue: task.normalTaskQueue ?? "",
  };
}
