/** Workers as such: their shutdown, their heartbeats, their configurations. */
import type {
  CountWorkersRequest,
  CountWorkersResponse,
  DescribeWorkerRequest,
  DescribeWorkerResponse,
  FetchWorkerConfigRequest,
  FetchWorkerConfigResponse,
  ListWorkersRequest,
  ListWorkersResponse,
  RecordWorkerHeartbeatRequest,
  RecordWorkerHeartbeatResponse,
  ShutdownWorkerRequest,
  ShutdownWorkerResponse,
  UpdateWorkerConfigRequest,
  UpdateWorkerConfigResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Services } from "../services.js";
import { validateIdentity } from "../validation/execution.js";

/** The worker's polls end, its sticky tasks go to the normal queue, and it leaves the list of workers. */
export const shutdownWorker =
  (s: Services): Handler<ShutdownWorkerRequest, ShutdownWorkerResponse> =>
  (request) => {
    const namespace = s.namespaces.view(request.namespace);
    s.matching.shutdownWorker(namespace, request);
    const { doPollsEndOnShutdown, areWorkerHeartbeatsKept } = s.limits(request.namespace);
    if (doPollsEndOnShutdown) s.nexusTasks.shutdownWorker(namespace.id, request.workerInstanceKey);
    if (request.workerHeartbeat !== undefined && areWorkerHeartbeatsKept) s.workers.record(namespace.id, [request.workerHeartbeat]);
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
  async (request) => ({ count: await s.workers.count(s.namespaces.view(request.namespace).id, request) });

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
