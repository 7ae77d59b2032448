/** Workers as such: their shutdown, their heartbeats, and Nexus task polls. */
import type {
  PollNexusTaskQueueRequest,
  PollNexusTaskQueueResponse,
  RecordWorkerHeartbeatRequest,
  RecordWorkerHeartbeatResponse,
  ShutdownWorkerRequest,
  ShutdownWorkerResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { validateLongPollDeadline } from "../long-poll.js";
import { remainingMs, type Services } from "../services.js";
import { validateIdentity } from "../validation/execution.js";
import { validateTaskQueue } from "../validation/task-queue.js";

/** An empty answer leaves this long before the caller's deadline. */
const POLL_TAIL_MS = 1000;
const POLL_MAX_MS = 60_000;

export const shutdownWorker =
  (s: Services): Handler<ShutdownWorkerRequest, ShutdownWorkerResponse> =>
  (request) => {
    s.matching.shutdownWorker(s.namespaces.view(request.namespace), request);
    return {};
  };

/** Accepted: SDKs send heartbeats only to servers that announce them, which this one does not yet. */
export const recordWorkerHeartbeat =
  (s: Services): Handler<RecordWorkerHeartbeatRequest, RecordWorkerHeartbeatResponse> =>
  (request) => {
    s.namespaces.view(request.namespace);
    return {};
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
