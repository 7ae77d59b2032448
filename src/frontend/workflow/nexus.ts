/** Nexus tasks: poll and both responses, in the older form of failures and in Temporal's. */
import type { HandlerError, UnsuccessfulOperationError } from "../../../gen/wire/temporal/api/nexus/v1/message.js";
import type {
  PollNexusTaskQueueRequest,
  PollNexusTaskQueueResponse,
  RespondNexusTaskCompletedRequest,
  RespondNexusTaskCompletedResponse,
  RespondNexusTaskFailedRequest,
  RespondNexusTaskFailedResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { validateLongPollDeadline } from "../long-poll.js";
import type { Services } from "../services.js";
import { taskToken } from "../task-token.js";
import { validateIdentity } from "../validation/execution.js";
import { validateTaskQueue } from "../validation/task-queue.js";
import { validateVersioning } from "../validation/versioning.js";

export const pollNexusTaskQueue =
  (s: Services): Handler<PollNexusTaskQueueRequest, PollNexusTaskQueueResponse> =>
  (request, call) => {
    validateLongPollDeadline(s, call);
    const limits = s.limits(request.namespace);
    validateTaskQueue(request.taskQueue, limits.idLengthMax);
    const namespace = s.namespaces.view(request.namespace);
    validateIdentity(request.identity, limits.idLengthMax);
    const { workerHeartbeat, workerVersionCapabilities: capabilities } = request;
    if (workerHeartbeat.length > 0 && limits.areWorkerHeartbeatsKept) s.workers.record(namespace.id, workerHeartbeat);
    validateVersioning(capabilities, request.deploymentOptions, request.taskQueue, limits);
    if (capabilities?.useVersioning && request.deploymentOptions === undefined)
      s.buildIds.checkPoll(namespace.id, request.taskQueue?.name ?? "", capabilities.buildId);
    return s.nexusTasks.pollNexusTask(namespace, request, call);
  };

export const respondNexusTaskCompleted =
  (s: Services): Handler<RespondNexusTaskCompletedRequest, RespondNexusTaskCompletedResponse> =>
  (request) => {
    const variant = request.response?.variant;
    const start = variant?.case === "startOperation" ? variant.value.variant : undefined;
    if (start?.case === "asyncSuccess") {
      const token = start.value.operationToken || start.value.operationId;
      if (token === "") throw invalidArgument("missing opration token in response");
      const { nexusTokenBytesMax } = s.limits(request.namespace);
      const length = Buffer.byteLength(token);
      if (length > nexusTokenBytesMax) throw invalidArgument(`operation token length exceeds allowed limit (${length}/${nexusTokenBytesMax})`);
    }
    const taskId = nexusTaskId(request.taskToken);
    if (start?.case === "operationError") checkDetails(start.value);
    s.nexusTasks.respondCompleted(taskId, request);
    return {};
  };

export const respondNexusTaskFailed =
  (s: Services): Handler<RespondNexusTaskFailedRequest, RespondNexusTaskFailedResponse> =>
  (request) => {
    const taskId = nexusTaskId(request.taskToken);
    const { error, failure } = request;
    if (error === undefined && failure === undefined) throw invalidArgument("request must contain error or failure");
    if (error !== undefined) checkDetails(error);
    if (failure !== undefined && failure.failureInfo.case !== "nexusHandlerFailureInfo")
      throw invalidArgument("request Failure must contain error or failure with NexusHandlerFailureInfo");
    s.nexusTasks.respondFailed(taskId, request);
    return {};
  };

function nexusTaskId(bytes: Uint8Array): string {
  const token = taskToken(bytes);
  if (token.taskQueue === "" || token.nexusTaskId === "") throw invalidArgument("Invalid TaskToken.");
  return token.nexusTaskId;
}

/** They travel as part of a JSON document. */
function checkDetails({ failure }: HandlerError | UnsuccessfulOperationError): void {
  const details = failure?.details;
  if (details === undefined || details.length === 0) return;
  try {
    JSON.parse(Buffer.from(details).toString());
  } catch {
    throw invalidArgument("failure details must be JSON serializable");
  }
}
