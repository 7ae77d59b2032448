/** AdminService: task queues. Each has one partition here, number 0, which is the queue itself. */
import { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { DescribeTaskQueueRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type {
  DescribeTaskQueuePartitionRequest,
  DescribeTaskQueuePartitionResponse,
  ForceUnloadTaskQueuePartitionRequest,
  ForceUnloadTaskQueuePartitionResponse,
  GetTaskQueueTasksRequest,
  GetTaskQueueTasksResponse,
  GetTaskQueueUserDataRequest,
  GetTaskQueueUserDataResponse,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { AllocatedTaskInfo } from "../../../gen/wire/temporal/server/api/persistence/v1/tasks.js";
import type { TaskQueuePartition } from "../../../gen/wire/temporal/server/api/taskqueue/v1/message.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { timestamp } from "../../api/time.js";
import { EMPTY_BYTES, type Init } from "../../api/wire.js";
import type { BacklogPosition, BacklogTask } from "../../matching/admin.js";
import type { QueueName } from "../../matching/queue-keys.js";
import type { Services } from "../services.js";

const PAGE_MAX = 1_000;

function queueOf(s: Services, namespace: string, name: string, type: TaskQueueType, isSticky = false): QueueName {
  if (name === "") throw invalidArgument("missing task queue name");
  const { id, key } = s.namespaces.view(namespace);
  return { namespaceId: id, namespaceKey: key, name, type: type === TaskQueueType.ACTIVITY ? "activity" : "workflow", isSticky };
}

/** A partition that there is none of has no tasks and no pollers. */
function partitionOf(s: Services, namespace: string, partition: TaskQueuePartition | undefined): QueueName | undefined {
  const { taskQueue = "", taskQueueType = TaskQueueType.WORKFLOW, partitionId } = partition ?? {};
  if (partitionId?.case === "stickyName") return queueOf(s, namespace, partitionId.value, taskQueueType, true);
  const queue = queueOf(s, namespace, taskQueue, taskQueueType);
  return partitionId?.case === "normalPartitionId" && partitionId.value !== 0 ? undefined : queue;
}

export const getTaskQueueTasks =
  (s: Services): Handler<GetTaskQueueTasksRequest, GetTaskQueueTasksResponse> =>
  async (request) => {
    const queue = queueOf(s, request.namespace, request.taskQueue, request.taskQueueType);
    const { minTaskId, maxTaskId, minPass, subqueue, batchSize } = request;
    const limit = batchSize > 0 ? Math.min(batchSize, PAGE_MAX) : PAGE_MAX;
    // All priorities are in one table.
    if (subqueue !== 0) return {};
    const tasks: BacklogTask[] = [];
    let after = parseToken(request.nextPageToken);
    for (let isLast = false; tasks.length < limit && !isLast; ) {
      const rows = await s.admin.matching.backlog(queue, after, limit);
      isLast = rows.length < limit;
      for (const row of rows) {
        if (tasks.length === limit) break;
        after = { priority: row.at.priority, pass: row.at.pass, id: row.at.id };
        if (row.at.id >= minTaskId && (minPass !== 0 || row.at.id < maxTaskId) && row.at.pass >= minPass) tasks.push(row);
      }
    }
    return {
      tasks: tasks.map((t) => allocated(queue, t)),
      nextPageToken: tasks.length < limit || after === undefined ? EMPTY_BYTES : Buffer.from(JSON.stringify(after)),
    };
  };

function allocated(queue: QueueName, { at, task }: BacklogTask): Init<AllocatedTaskInfo> {
  const { priority, fairnessKey, fairnessWeight } = task;
  const isPlain = priority === 3 && fairnessKey === "" && fairnessWeight === 0;
  return {
    data: {
      namespaceId: queue.namespaceId,
      workflowId: task.workflowId,
      runId: task.runId,
      scheduledEventId: task.scheduledEventId,
      createTime: timestamp(task.createTime),
      expiryTime: timestamp(task.expireTime),
      stamp: task.stamp,
      priority: isPlain ? undefined : { priorityKey: priority, fairnessKey, fairnessWeight },
    },
    taskPass: at.pass,
    taskId: at.id,
  };
}

export const describeTaskQueuePartition =
  (s: Services): Handler<DescribeTaskQueuePartitionRequest, DescribeTaskQueuePartitionResponse> =>
  async ({ namespace, taskQueuePartition, buildIds }) => {
    s.namespaces.view(namespace);
    if (buildIds === undefined)
      throw invalidArgument("versions must not be nil, to describe the default queue, pass the default build ID as a member of the BuildIds list");
    const queue = partitionOf(s, namespace, taskQueuePartition);
    // Tasks and pollers of build ids are not told apart from the others.
    const isWanted = buildIds.unversioned || buildIds.allActive || buildIds.buildIds.includes("");
    if (queue === undefined || !isWanted) return {};
    return { versionsInfoInternal: { "": { physicalTaskQueueInfo: await s.admin.matching.describe(queue) } } };
  };

export const forceUnloadTaskQueuePartition =
  (s: Services): Handler<ForceUnloadTaskQueuePartitionRequest, ForceUnloadTaskQueuePartitionResponse> =>
  ({ namespace, taskQueuePartition }) => {
    const queue = partitionOf(s, namespace, taskQueuePartition);
    return { wasLoaded: queue !== undefined && s.admin.matching.unload(queue) };
  };

/** What is kept of a queue besides its tasks: the configuration that an operator gave it. */
export const getTaskQueueUserData =
  (s: Services): Handler<GetTaskQueueUserDataRequest, GetTaskQueueUserDataResponse> =>
  async ({ namespace, taskQueue, taskQueueType }) => {
    const request = DescribeTaskQueueRequest.create({ namespace, taskQueue: { name: taskQueue }, taskQueueType, reportConfig: true });
    const { config } = await s.matching.describeTaskQueue(s.namespaces.view(namespace), request);
    return config === undefined ? {} : { userData: { config }, version: 1 };
  };

function parseToken(bytes: Uint8Array): BacklogPosition | undefined {
  if (bytes.length === 0) return undefined;
  try {
    const p = JSON.parse(Buffer.from(bytes).toString()) as BacklogPosition;
    if ([p.priority, p.pass, p.id].every((n) => typeof n === "number")) return p;
  } catch {
    // Not a token of ours.
  }
  throw invalidArgument("invalid next page token");
}
