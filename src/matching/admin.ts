/** What an operator sees of task queues and does to them: their backlog row by row, what is in memory of them. */
import { TaskRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { PhysicalTaskQueueInfo } from "../../gen/wire/temporal/server/api/taskqueue/v1/message.js";
import { decode, type Init } from "../api/wire.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import { pollersOf, statsByPriority, statusOf, total } from "./describe-task-queue.js";
import { type QueueKeys, type QueueName, queueId } from "./queue-keys.js";
import type { QueueState } from "./queue-state.js";

export interface BacklogTask {
  readonly at: BacklogKey;
  readonly task: TaskRecord;
}

export type BacklogPosition = Pick<BacklogKey, "priority" | "pass" | "id">;

export interface MatchingAdmin {
  /** Rows of a queue's backlog, in the order in which its tasks are given out. */
  backlog(queue: QueueName, after: BacklogPosition | undefined, limit: number): Promise<BacklogTask[]>;
  describe(queue: QueueName): Promise<Init<PhysicalTaskQueueInfo>>;
  /** What is in memory of the queue goes: its polls end, its backlog is read again. Answers whether it was there. */
  unload(queue: QueueName): boolean;
}

export class TaskQueueAdmin implements MatchingAdmin {
  constructor(
    private readonly store: Store,
    private readonly keys: QueueKeys,
    private readonly queues: { open(queue: QueueName): QueueState; unload(id: string): boolean },
    private readonly now: () => number,
  ) {}

  async backlog(queue: QueueName, after: BacklogPosition | undefined, limit: number): Promise<BacklogTask[]> {
    const key = this.keys.find(queueId(queue))?.key;
    if (key === undefined) return [];
    const rows = await this.store.readBacklog(key, after === undefined ? undefined : { queue: key, ...after }, limit);
    return rows.map(({ at, value }) => ({ at, task: decode(TaskRecord, value) }));
  }

  async describe(queue: QueueName): Promise<Init<PhysicalTaskQueueInfo>> {
    const q = this.queues.open(queue);
    const now = this.now();
    q.lastUsed = now;
    const byPriority = await statsByPriority(q, now);
    const { readLevel, ackLevel, taskIdBlock, backlogCountHint } = await statusOf(q, { queueKeys: this.keys });
    return {
      pollers: pollersOf(q, now),
      taskQueueStats: total(Object.values(byPriority)),
      taskQueueStatsByPriorityKey: byPriority,
      internalTaskQueueStatus: [
        {
          readLevel,
          ackLevel,
          taskIdBlock,
          loadedTasks: q.line.window.size,
          approximateBacklogCount: backlogCountHint,
          maxReadLevel: q.backlog.key === undefined ? 0 : this.keys.lastId(q.backlog.key),
          backlogDrained: backlogCountHint === 0,
        },
      ],
    };
  }

  unload(queue: QueueName): boolean {
    return this.queues.unload(queueId(queue));
  }
}
