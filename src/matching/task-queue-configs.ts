/**
 * Configurations of task queues: in memory, written through to registry rows of kind "queue-config". A change counts once its row is
 * durable, and changes apply one after the other.
 */
import { TaskQueueConfigRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { TaskQueueConfig } from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type { UpdateTaskQueueConfigRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode } from "../api/wire.js";
import { updatedConfig } from "../core/matching/queue-config.js";
import { Batch } from "../persistence/batch.js";
import type { QueueName } from "./queue-keys.js";

export const QUEUE_CONFIG_REGISTRY_KIND = "queue-config";

interface TaskQueueConfigsOptions {
  /** The registry's rows, of every kind. */
  readonly rows: Iterable<{ kind: string; id: string; version: number; value: Uint8Array }>;
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly now: () => number;
  readonly weightOverridesMax: (namespaceId: string, taskQueue: string, type: TaskQueueType) => number;
}

type Listener = (namespaceId: string, taskQueue: string, type: QueueName["type"] | undefined) => void;

export class TaskQueueConfigs {
  private readonly configs = new Map<string, { config: TaskQueueConfig; version: number }>();
  private readonly listeners: Listener[] = [];
  private lastChange: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: TaskQueueConfigsOptions) {
    for (const { kind, id, version, value } of options.rows) {
      if (kind !== QUEUE_CONFIG_REGISTRY_KIND) continue;
      const { config } = decode(TaskQueueConfigRecord, value);
      if (config !== undefined) this.configs.set(id, { config, version });
    }
  }

  onChange(f: Listener): void {
    this.listeners.push(f);
  }

  find(namespaceId: string, taskQueue: string, type: QueueName["type"]): TaskQueueConfig | undefined {
    return this.get(namespaceId, taskQueue, NUMBERS[type]);
  }

  get(namespaceId: string, taskQueue: string, type: TaskQueueType): TaskQueueConfig | undefined {
    return this.configs.get(idOf(namespaceId, taskQueue, type))?.config;
  }

  /** @throws ServiceError when there are too many overrides, or the store refuses. */
  update(namespaceId: string, request: UpdateTaskQueueConfigRequest): Promise<TaskQueueConfig> {
    const change = this.lastChange.then(async () => {
      const { taskQueue, taskQueueType: type } = request;
      const id = idOf(namespaceId, taskQueue, type);
      const old = this.configs.get(id);
      const config = updatedConfig(old?.config, request, this.options.weightOverridesMax(namespaceId, taskQueue, type), this.options.now());
      const version = (old?.version ?? 0) + 1;
      const batch = new Batch();
      const value = encode(TaskQueueConfigRecord, { namespaceId, name: taskQueue, type, config });
      batch.writeRegistry(QUEUE_CONFIG_REGISTRY_KIND, id, version, { op: old === undefined ? "insert" : "put", value });
      await this.options.commit(batch);
      this.configs.set(id, { config, version });
      for (const f of this.listeners) f(namespaceId, taskQueue, NAMES[type]);
      return config;
    });
    this.lastChange = change.catch(() => undefined);
    return change;
  }
}

const NUMBERS: Readonly<Record<QueueName["type"], TaskQueueType>> = { workflow: TaskQueueType.WORKFLOW, activity: TaskQueueType.ACTIVITY };
const NAMES: Readonly<Partial<Record<TaskQueueType, QueueName["type"]>>> = {
  [TaskQueueType.WORKFLOW]: "workflow",
  [TaskQueueType.ACTIVITY]: "activity",
};

function idOf(namespaceId: string, taskQueue: string, type: TaskQueueType): string {
  return `${namespaceId}/${type}/${taskQueue}`;
}
