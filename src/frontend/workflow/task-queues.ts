/** What callers may learn of task queues. */
import { DescribeTaskQueueMode, TaskQueueKind, TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type {
  DescribeTaskQueueRequest,
  DescribeTaskQueueResponse,
  ListTaskQueuePartitionsRequest,
  ListTaskQueuePartitionsResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Services } from "../services.js";
import { validateTaskQueue } from "../validation/task-queue.js";

const REACHABILITY_BUILD_IDS_MAX = 5;
const PARTITION_PREFIX = "/_sys/";

export const describeTaskQueue =
  (s: Services): Handler<DescribeTaskQueueRequest, DescribeTaskQueueResponse> =>
  (request) => {
    const namespace = s.namespaces.view(request.namespace);
    const isEnhanced = request.apiMode === DescribeTaskQueueMode.ENHANCED;
    const queue = validateTaskQueue(
      request.taskQueue,
      s.limits(request.namespace).idLengthMax,
      request.apiMode === DescribeTaskQueueMode.UNSPECIFIED,
    );
    if (request.taskQueueType === TaskQueueType.UNSPECIFIED || isEnhanced) request.taskQueueType = TaskQueueType.WORKFLOW;
    if (request.taskQueueTypes.length === 0) request.taskQueueTypes = [TaskQueueType.WORKFLOW, TaskQueueType.ACTIVITY];
    if (request.reportTaskReachability && (request.versions?.buildIds.length ?? 0) > REACHABILITY_BUILD_IDS_MAX)
      throw invalidArgument(`Too many build ids queried at once with ReportTaskReachability==true, limit: ${REACHABILITY_BUILD_IDS_MAX}`);
    if (isEnhanced && queue.kind === TaskQueueKind.STICKY)
      throw invalidArgument("Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.");
    // A queue has one partition here: a name of another one names an empty part of the same queue.
    if (queue.name.startsWith(PARTITION_PREFIX)) queue.name = queue.name.slice(PARTITION_PREFIX.length).replace(/\/[^/]*$/, "");
    const answer = s.matching.describeTaskQueue(namespace, request);
    // Nexus tasks are never stored: of their queue there are only pollers to tell of.
    if (request.taskQueueType !== TaskQueueType.NEXUS) return answer;
    return answer.then((a) => ({ ...a, pollers: s.nexusTasks.pollersOf(namespace, queue.name) }));
  };

export const listTaskQueuePartitions =
  (s: Services): Handler<ListTaskQueuePartitionsRequest, ListTaskQueuePartitionsResponse> =>
  (request) => {
    const queue = validateTaskQueue(request.taskQueue, s.limits(request.namespace).idLengthMax);
    s.namespaces.view(request.namespace);
    const partition = { key: queue.name, ownerHostName: s.server.address };
    return { activityTaskQueuePartitions: [partition], workflowTaskQueuePartitions: [partition] };
  };
