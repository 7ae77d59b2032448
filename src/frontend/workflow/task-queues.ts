/** What callers may learn of task queues. */
import { DescribeTaskQueueMode, TaskQueueKind, TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { TaskQueueVersionSelection } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  DescribeTaskQueueRequest,
  DescribeTaskQueueResponse,
  ListTaskQueuePartitionsRequest,
  ListTaskQueuePartitionsResponse,
  UpdateTaskQueueConfigRequest,
  UpdateTaskQueueConfigResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { defaultBuildId } from "../../core/versioning/rules.js";
import { NO_TASKS } from "../../matching/describe-task-queue.js";
import type { Services } from "../services.js";
import { validateTaskQueue } from "../validation/task-queue.js";
import { validateTaskQueueConfig } from "../validation/task-queue-config.js";
import { taskReachability } from "./build-ids.js";

const PARTITION_PREFIX = "/_sys/";

export const describeTaskQueue =
  (s: Services): Handler<DescribeTaskQueueRequest, DescribeTaskQueueResponse> =>
  async (request) => {
    const namespace = s.namespaces.view(request.namespace);
    const { reachabilityBuildIdsMax } = s.limits(request.namespace);
    const isEnhanced = request.apiMode === DescribeTaskQueueMode.ENHANCED;
    const queue = validateTaskQueue(
      request.taskQueue,
      s.limits(request.namespace).idLengthMax,
      request.apiMode === DescribeTaskQueueMode.UNSPECIFIED,
    );
    if (request.taskQueueType === TaskQueueType.UNSPECIFIED || isEnhanced) request.taskQueueType = TaskQueueType.WORKFLOW;
    if (request.taskQueueTypes.length === 0) request.taskQueueTypes = [TaskQueueType.WORKFLOW, TaskQueueType.ACTIVITY];
    if (request.reportTaskReachability && (request.versions?.buildIds.length ?? 0) > reachabilityBuildIdsMax)
      throw invalidArgument(`Too many build ids queried at once with ReportTaskReachability==true, limit: ${reachabilityBuildIdsMax}`);
    if (isEnhanced && queue.kind === TaskQueueKind.STICKY)
      throw invalidArgument("Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.");
    // A queue has one partition here: a name of another one names an empty part of the same queue.
    if (queue.name.startsWith(PARTITION_PREFIX)) queue.name = queue.name.slice(PARTITION_PREFIX.length).replace(/\/[^/]*$/, "");
    if (!isEnhanced) {
      const answer = s.matching.describeTaskQueue(namespace, request);
      // Nexus tasks are never stored: of their queue there are only pollers to tell of.
      if (request.taskQueueType !== TaskQueueType.NEXUS) return answer;
      const { nexusTasks } = s;
      return answer.then((a) => ({
        ...a,
        pollers: nexusTasks.pollersOf(namespace, queue.name),
        effectiveRateLimit: nexusTasks.effectiveRateOf(namespace, queue.name),
        ...(request.reportStats ? NO_TASKS : {}),
      }));
    }
    const { assignmentRules } = s.buildIds.get(namespace.id, queue.name);
    request.versions ??= TaskQueueVersionSelection.create({ buildIds: [defaultBuildId(assignmentRules)] });
    const response = await s.matching.describeTaskQueue(namespace, request);
    for (const [buildId, info] of Object.entries(response.versionsInfo ?? {})) {
      const nexus = info?.typesInfo?.[String(TaskQueueType.NEXUS)];
      if (nexus === undefined) continue;
      nexus.pollers = request.reportPollers ? s.nexusTasks.pollersOf(namespace, queue.name, buildId) : [];
      nexus.stats = request.reportStats ? NO_TASKS.stats : undefined;
    }
    if (request.reportTaskReachability)
      for (const [buildId, info] of Object.entries(response.versionsInfo ?? {}))
        if (info !== undefined) info.taskReachability = await taskReachability(s, namespace, queue.name, buildId);
    return response;
  };

export const updateTaskQueueConfig =
  (s: Services): Handler<UpdateTaskQueueConfigRequest, UpdateTaskQueueConfigResponse> =>
  async (request) => {
    const namespace = s.namespaces.view(request.namespace);
    const overridesMax = s.weightOverridesMax(namespace.id, request.taskQueue, request.taskQueueType);
    validateTaskQueueConfig(request, s.limits(request.namespace).idLengthMax, overridesMax);
    return { config: await s.matching.updateTaskQueueConfig(namespace, request) };
  };

export const listTaskQueuePartitions =
  (s: Services): Handler<ListTaskQueuePartitionsRequest, ListTaskQueuePartitionsResponse> =>
  (request) => {
    const queue = validateTaskQueue(request.taskQueue, s.limits(request.namespace).idLengthMax);
    s.namespaces.view(request.namespace);
    const partition = { key: queue.name, ownerHostName: s.server.address };
    return { activityTaskQueuePartitions: [partition], workflowTaskQueuePartitions: [partition] };
  };
