/**
 * Numbers that stand for task queues in the table `backlog`, and the ids of their tasks. Both are kept in registry records of
 * kind "queue", which are written in the batch that first stores a task, and again by each process before its first task: ids are
 * an epoch (one per process and queue) and a counter, so that they ascend over restarts without a write per task.
 *
 * A record is written with every batch until one that holds it is durable: batches fail independently of each other, and a
 * backlog row whose queue is unknown would never be found again.
 */
import { QueueRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { TaskQueueKind, TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { decode, encode } from "../api/wire.js";
import type { FairnessPromise } from "../core/matching/fairness.js";
import { assert } from "../lib/assert.js";
import type { Batch } from "../persistence/batch.js";

export const QUEUE_REGISTRY_KIND = "queue";
const IDS_PER_EPOCH = 2 ** 32;

export interface QueueName {
  readonly namespaceId: string;
  readonly namespaceKey: number;
  readonly name: string;
  readonly type: "workflow" | "activity";
  readonly isSticky: boolean;
  /** Whose tasks it has: of one worker version, by the router's key. Unset: of workers without one, and those not assigned yet. */
  readonly version?: string | undefined;
}

/** Id of the queue's record, and of the queue in memory. */
export function queueId(q: QueueName): string {
  const kind = q.isSticky ? "sticky" : q.version === undefined ? "normal" : `normal@${encodeURIComponent(q.version)}`;
  return `${q.namespaceId}/${q.type}/${kind}/${q.name}`;
}

export interface QueueKey {
  readonly queue: QueueName;
  readonly normalName: string;
  readonly key: number;
  epoch: number;
  /** Last id given out in this epoch; 0 while the epoch is an earlier process's. */
  lastId: number;
  /** `old`: the record is an earlier process's. `new`: of this one, not known to be durable. */
  record: "old" | "new" | "durable";
  /** How far its fairness passes may have gone. */
  fairness: readonly FairnessPromise[];
  /** Counts what was to be written of it. */
  edition: number;
}

export class QueueKeys {
  private readonly keys = new Map<string, QueueKey>();
  private nextKey = 1;
  /** Records of queues that have gone, to be deleted with the next batch. */
  private readonly dead = new Map<string, number>();
  /** What batches in flight will make durable. */
  private readonly unsettled = new Map<Batch, { written: Map<QueueKey, number>; deleted: Map<string, number> }>();

  /** `records`: the registry's records of kind "queue". */
  constructor(records: Iterable<{ id: string; value: Uint8Array }>) {
    for (const { id, value } of records) {
      const r = decode(QueueRecord, value);
      assert(!this.keys.has(id), `queue record ${id} exists once`);
      const type = r.type === TaskQueueType.ACTIVITY ? "activity" : "workflow";
      const queue = {
        namespaceId: r.namespaceId,
        namespaceKey: r.namespaceKey,
        name: r.name,
        type,
        isSticky: r.kind === TaskQueueKind.STICKY,
        ...(r.version === "" ? {} : { version: r.version }),
      } as const;
      const { normalName, key, idEpoch: epoch, fairness } = r;
      this.keys.set(id, { queue, normalName, key, epoch, lastId: 0, record: "old", fairness, edition: 0 });
      this.nextKey = Math.max(this.nextKey, r.key + 1);
    }
  }

  /** Undefined: no task was ever stored in the queue. */
  find(id: string): QueueKey | undefined {
    return this.keys.get(id);
  }

  [Symbol.iterator](): Iterator<QueueKey> {
    return this.keys.values();
  }

  /** The queue's key and a fresh task id; sees to it that the batch, or an earlier durable one, holds the record. */
  nextTask(id: string, queue: QueueName, batch: Batch, fairness?: readonly FairnessPromise[]): { key: QueueKey; taskId: number } {
    let entry = this.keys.get(id);
    if (entry === undefined) {
      entry = { queue, normalName: "", key: this.nextKey++, epoch: 1, lastId: 0, record: "new", fairness: [], edition: 0 };
      this.keys.set(id, entry);
      this.dead.delete(id);
    } else if (entry.record === "old") {
      entry.epoch++;
      entry.lastId = 0;
      entry.record = "new";
    }
    if (fairness !== undefined) {
      entry.fairness = fairness;
      entry.record = "new";
      entry.edition++;
    }
    if (entry.record === "new") this.writeRecord(id, entry, batch);
    if (this.dead.size > 0) this.writeDeletions(batch);
    assert(entry.lastId < IDS_PER_EPOCH - 1, "ids of an epoch do not run out");
    entry.lastId++;
    return { key: entry, taskId: entry.epoch * IDS_PER_EPOCH + entry.lastId };
  }

  /** The last task id that was given out, by whichever process. */
  lastId(entry: QueueKey): number {
    return entry.epoch * IDS_PER_EPOCH + (entry.record === "old" ? IDS_PER_EPOCH - 1 : entry.lastId);
  }

  /** Ids that the queue may give out now, as DescribeTaskQueue shows them. */
  idBlock(entry: QueueKey): { startId: number; endId: number } {
    return { startId: entry.epoch * IDS_PER_EPOCH + 1, endId: (entry.epoch + 1) * IDS_PER_EPOCH - 1 };
  }

  /** The queue has no rows and will not be used again (sticky queues are never reused). */
  forget(id: string): void {
    const entry = this.keys.get(id);
    if (entry === undefined || entry.record === "new") return;
    this.keys.delete(id);
    this.dead.set(id, entry.epoch);
  }

  /** The queues of a namespace that has gone. */
  ofNamespace(namespaceId: string): { registryId: string; key: number }[] {
    return [...this.keys].filter(([, e]) => e.queue.namespaceId === namespaceId).map(([registryId, { key }]) => ({ registryId, key }));
  }

  settled(batch: Batch, durable: boolean): void {
    const parts = this.unsettled.get(batch);
    if (parts === undefined) return;
    this.unsettled.delete(batch);
    if (durable) {
      // What has changed since is in a later batch.
      for (const [entry, edition] of parts.written) if (edition === entry.edition) entry.record = "durable";
    } else for (const [id, epoch] of parts.deleted) if (!this.keys.has(id)) this.dead.set(id, epoch);
  }

  private writeRecord(id: string, entry: QueueKey, batch: Batch): void {
    const parts = this.partsOf(batch);
    if (parts.written.get(entry) === entry.edition) return;
    parts.written.set(entry, entry.edition);
    const { queue } = entry;
    const value = encode(QueueRecord, {
      key: entry.key,
      namespaceId: queue.namespaceId,
      namespaceKey: queue.namespaceKey,
      name: queue.name,
      type: queue.type === "activity" ? TaskQueueType.ACTIVITY : TaskQueueType.WORKFLOW,
      kind: queue.isSticky ? TaskQueueKind.STICKY : TaskQueueKind.NORMAL,
      normalName: entry.normalName,
      version: queue.version ?? "",
      idEpoch: entry.epoch,
      fairness: entry.fairness.map(({ priority, front, keys }) => ({ priority, front, keys: [...keys] })),
    });
    // `put`, because another batch may bring the same record first.
    batch.writeRegistry(QUEUE_REGISTRY_KIND, id, entry.epoch, { op: "put", value });
  }

  private writeDeletions(batch: Batch): void {
    const parts = this.partsOf(batch);
    for (const [id, epoch] of this.dead) {
      batch.writeRegistry(QUEUE_REGISTRY_KIND, id, epoch, { op: "delete" });
      parts.deleted.set(id, epoch);
    }
    this.dead.clear();
  }

  private partsOf(batch: Batch): { written: Map<QueueKey, number>; deleted: Map<string, number> } {
    let parts = this.unsettled.get(batch);
    if (parts === undefined) this.unsettled.set(batch, (parts = { written: new Map(), deleted: new Map() }));
    return parts;
  }
}
