/** Workers as such: their shutdown and their heartbeats. */
import type {
  RecordWorkerHeartbeatRequest,
  RecordWorkerHeartbeatResponse,
  ShutdownWorkerRequest,
  ShutdownWorkerResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import type { Services } from "../services.js";

export const shutdownWorker =
  (s: Services): Handler<ShutdownWorkerRequest, ShutdownWorkerResponse> =>
  (request) => {
    s.matching.shutdownWorker(s.namespaces.view(request.namespace), request);
    s.nexusTasks.shutdownWorker(request.workerInstanceKey);
    return {};
  };

/** Accepted: SDKs send heartbeats only to servers that announce them, which this one does not yet. */
export const recordWorkerHeartbeat =
  (s: Services): Handler<RecordWorkerHeartbeatRequest, RecordWorkerHeartbeatResponse> =>
  (request) => {
    s.namespaces.view(request.namespace);
    return {};
  };
