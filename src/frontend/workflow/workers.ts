/** Workers as such: their shutdown, their heartbeats, their configurations, and Nexus task polls. */
import type {
  CountWorkersRequest,
  CountWorkersResponse,
  DescribeWorkerRequest,
  DescribeWorkerResponse,
  FetchWorkerConfigRequest,
  FetchWorkerConfigResponse,
  ListWorkersRequest,
  ListWorkersResponse,
  PollNexusTaskQueueRequest,
  PollNexusTaskQueueResponse,
  RecordWorkerHeartbeatRequest,
  RecordWorkerHeartbeatResponse,
  ShutdownWorkerRequest,
  ShutdownWorkerResponse,
  UpdateWorkerConfigRequest,
  UpdateWorkerConfigResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { validateLongPollDeadline } from "../long-poll.js";
import { remainingMs, type Services } from "../services.js";
import { validateIdentity } from "../validation/execution.js";
import { validateTaskQueue } from "../validation/task-queue.js";

/** An empty answer leaves this long before the caller's deadline. */
const POLL_TAIL_MS = 1000;
const POLL_MAX_MS = 60_000;

/** The worker's polls end, its sticky tasks go to the normal queue, and it leaves the list of workers. */
export const shutdownWorker =
  (s: Services): Handler<ShutdownWorkerRequest, ShutdownWorkerResponse> =>
  (request) => {
    const namespace = s.namespaces.view(request.namespace);
    s.matching.shutdownWorker(namespace, request);
    if (request.workerHeartbeat !== undefined && s.limits(request.namespace).areWorkerHeartbeatsKept)
      s.workers.record(namespace.id, [request.workerHeartbeat]);
    return {};
  };

export const recordWorkerHeartbeat =
  (s: Services): Handler<RecordWorkerHeartbeatRequest, RecordWorkerHeartbeatResponse> =>
  (request) => {
    if (!s.limits(request.namespace).areWorkerHeartbeatsKept) return {};
    s.workers.record(s.namespaces.view(request.namespace).id, request.workerHeartbeat);
    return {};
  };

export const listWorkers =
  (s: Services): Handler<ListWorkersRequest, ListWorkersResponse> =>
  (request) =>
    s.workers.list(s.namespaces.view(request.namespace).id, request);

export const countWorkers =
  (s: Services): Handler<CountWorkersRequest, CountWorkersResponse> =>
  (request) => ({ count: s.workers.count(s.namespaces.view(request.namespace).id, request) });

export const describeWorker =
  (s: Services): Handler<DescribeWorkerRequest, DescribeWorkerResponse> =>
  (request) =>
    s.workers.describe(s.namespaces.view(request.namespace).id, request);

export const fetchWorkerConfig =
  (s: Services): Handler<FetchWorkerConfigRequest, FetchWorkerConfigResponse> =>
  (request) => ({ workerConfig: s.workers.fetchConfig(s.namespaces.view(request.namespace).id, request) });

export const updateWorkerConfig =
  (s: Services): Handler<UpdateWorkerConfigRequest, UpdateWorkerConfigResponse> =>
  async (request) => {
    if (request.workerConfig === undefined) throw invalidArgument("WorkerConfig is not set");
    const { id } = s.namespaces.view(request.namespace);
    validateIdentity(request.identity, s.limits(request.namespace).idLengthMax);
    return { response: { case: "workerConfig", value: await s.workers.updateConfig(id, request) } };
  };

/** Nothing makes Nexus tasks yet: a worker with Nexus services waits for its deadline, as it would on an idle queue. */
export const pollNexusTaskQueue =
  (s: Services): Handler<PollNexusTaskQueueRequest, PollNexusTaskQueueResponse> =>
  (request, call) => {
    validateLongPollDeadline(s, call);
    const { idLengthMax } = s.limits(request.namespace);
    validateTaskQueue(request.taskQueue, idLengthMax);
    s.namespaces.view(request.namespace);
    validateIdentity(request.identity, idLengthMax);
    return new Promise((resolve) => {
      let stopWatching: () => void = () => undefined;
      const end = () => {
        stopTimer();
        stopWatching();
        resolve({});
      };
      const left = (remainingMs(call.deadlineMs, s.runtime) ?? POLL_MAX_MS) - POLL_TAIL_MS;
      const stopTimer = s.runtime.setTimer(Math.max(0, Math.min(left, POLL_MAX_MS)), end);
      stopWatching = call.onCancel(end);
    });
  };
