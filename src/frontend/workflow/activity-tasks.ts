/**
 * Activity tasks: poll, heartbeat, complete, fail, cancel. The last four come by task token or by workflow and activity id; both
 * forms become one `Target`, and from there on they are the same.
 */
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type {
  PollActivityTaskQueueRequest,
  PollActivityTaskQueueResponse,
  RecordActivityTaskHeartbeatByIdRequest,
  RecordActivityTaskHeartbeatByIdResponse,
  RecordActivityTaskHeartbeatRequest,
  RecordActivityTaskHeartbeatResponse,
  RespondActivityTaskCanceledByIdRequest,
  RespondActivityTaskCanceledByIdResponse,
  RespondActivityTaskCanceledRequest,
  RespondActivityTaskCanceledResponse,
  RespondActivityTaskCompletedByIdRequest,
  RespondActivityTaskCompletedByIdResponse,
  RespondActivityTaskCompletedRequest,
  RespondActivityTaskCompletedResponse,
  RespondActivityTaskFailedByIdRequest,
  RespondActivityTaskFailedByIdResponse,
  RespondActivityTaskFailedRequest,
  RespondActivityTaskFailedResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { serverFailure, truncateFailure } from "../../api/failure.js";
import { invalidArgument, notFound } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";
import type { ActivityReference, ExecutionAddress } from "../../core/input.js";
import { isUuid } from "../../lib/uuid.js";
import { validateLongPollDeadline } from "../long-poll.js";
import type { Services } from "../services.js";
import { taskToken } from "../task-token.js";
import { validateIdentity } from "../validation/execution.js";
import { isBlobAllowed, type SizeContext, warnOfSize } from "../validation/size.js";
import { validateTaskQueue } from "../validation/task-queue.js";
import { validateVersioning } from "../validation/versioning.js";
import { activityTaskResponse, advised } from "./task-response.js";

const DURATION_SECONDS_MAX = 315_576_000_000;

export const pollActivityTaskQueue =
  (s: Services): Handler<PollActivityTaskQueueRequest, PollActivityTaskQueueResponse> =>
  async (request, call) => {
    validateLongPollDeadline(s, call);
    const limits = s.limits(request.namespace);
    validateTaskQueue(request.taskQueue, limits.idLengthMax);
    validateIdentity(request.identity, limits.idLengthMax);
    validateVersioning(request.workerVersionCapabilities, request.deploymentOptions, request.taskQueue, limits);
    const namespace = s.namespaces.view(request.namespace);
    const { workerVersionCapabilities } = request;
    if (workerVersionCapabilities?.useVersioning && request.deploymentOptions === undefined)
      s.buildIds.checkPoll(namespace.id, request.taskQueue?.name ?? "", workerVersionCapabilities.buildId);
    const polled = await s.matching.pollActivityTask(namespace, request, call);
    const response = polled === undefined ? undefined : await activityTaskResponse(s, polled.task);
    return polled === undefined || response === undefined ? {} : advised(response, polled.scaling);
  };

export const recordActivityTaskHeartbeat =
  (s: Services): Handler<RecordActivityTaskHeartbeatRequest, RecordActivityTaskHeartbeatResponse> =>
  (request) =>
    heartbeat(s, byToken(s, request.taskToken, undefined, "RecordActivityTaskHeartbeat"), request);

export const recordActivityTaskHeartbeatById =
  (s: Services): Handler<RecordActivityTaskHeartbeatByIdRequest, RecordActivityTaskHeartbeatByIdResponse> =>
  (request) =>
    heartbeat(s, byId(s, request, undefined, "RecordActivityTaskHeartbeatById"), request);

export const respondActivityTaskCompleted =
  (s: Services): Handler<RespondActivityTaskCompletedRequest, RespondActivityTaskCompletedResponse> =>
  (request) =>
    complete(s, byToken(s, request.taskToken, request.identity, "RespondActivityTaskCompleted"), request);

export const respondActivityTaskCompletedById =
  (s: Services): Handler<RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedByIdResponse> =>
  (request) =>
    complete(s, byId(s, request, request.identity, "RespondActivityTaskCompletedById"), request);

export const respondActivityTaskFailed =
  (s: Services): Handler<RespondActivityTaskFailedRequest, RespondActivityTaskFailedResponse> =>
  (request) => {
    const target = byToken(s, request.taskToken, undefined, "RespondActivityTaskFailed");
    if (request.failure !== undefined && request.failure.failureInfo.case !== "applicationFailureInfo")
      throw invalidArgument("Failure must have ApplicationFailureInfo.");
    validateNextRetryDelays(request.failure);
    validateIdentity(request.identity, target.size.limits.idLengthMax);
    return fail(s, target, request);
  };

export const respondActivityTaskFailedById =
  (s: Services): Handler<RespondActivityTaskFailedByIdRequest, RespondActivityTaskFailedByIdResponse> =>
  (request) => {
    const target = byId(s, request, request.identity, "RespondActivityTaskFailedById");
    validateNextRetryDelays(request.failure);
    return fail(s, target, request);
  };

export const respondActivityTaskCanceled =
  (s: Services): Handler<RespondActivityTaskCanceledRequest, RespondActivityTaskCanceledResponse> =>
  (request) =>
    cancel(s, byToken(s, request.taskToken, request.identity, "RespondActivityTaskCanceled"), request);

export const respondActivityTaskCanceledById =
  (s: Services): Handler<RespondActivityTaskCanceledByIdRequest, RespondActivityTaskCanceledByIdResponse> =>
  (request) =>
    cancel(s, byId(s, request, request.identity, "RespondActivityTaskCanceledById"), request);

interface Target {
  readonly address: ExecutionAddress;
  readonly activity: ActivityReference;
  readonly size: SizeContext;
}

function byToken(s: Services, bytes: Uint8Array, identity: string | undefined, operation: string): Target {
  const token = taskToken(bytes);
  const { id: namespaceId, name: namespace } = s.namespaces.viewById(token.namespaceId);
  const limits = s.limits(namespace);
  if (identity !== undefined) validateIdentity(identity, limits.idLengthMax);
  const { workflowId, runId } = token;
  return {
    address: { namespaceId, workflowId, runId },
    activity: { by: "token", token },
    size: { logger: s.logger, limits, operation, namespace, workflowId, runId },
  };
}

function byId(
  s: Services,
  request: { namespace: string; workflowId: string; runId: string; activityId: string },
  identity: string | undefined,
  operation: string,
): Target {
  const { namespace, workflowId, runId, activityId } = request;
  const namespaceId = s.namespaces.view(namespace).id;
  const limits = s.limits(namespace);
  if (activityId === "") throw invalidArgument("ActivityId is not set on request.");
  if (identity !== undefined) validateIdentity(identity, limits.idLengthMax);
  // Without a workflow id the activity is a standalone one: there are none yet.
  if (workflowId === "") throw notFound(`activity not found for ID: ${activityId}`);
  if (runId !== "" && !isUuid(runId)) throw invalidArgument("RunId is not valid UUID.");
  return {
    address: { namespaceId, workflowId, runId },
    activity: { by: "id", activityId },
    size: { logger: s.logger, limits, operation, namespace, workflowId, runId },
  };
}

const isAllowed = (blob: Uint8Array | undefined, size: SizeContext): boolean => blob === undefined || isBlobAllowed(blob.length, size);

/** What an activity cannot say because it is too long fails the activity. */
async function failTooLarge(s: Services, { address, activity }: Target, message: string, identity: string): Promise<void> {
  await s.history.submit(address, { kind: "failActivity", activity, failure: serverFailure(message), lastHeartbeatDetails: undefined, identity });
}

async function heartbeat(
  s: Services,
  target: Target,
  request: { details: Uint8Array | undefined; identity: string },
): Promise<{ cancelRequested: boolean; activityPaused: boolean; activityReset: boolean }> {
  const { details, identity } = request;
  if (!isAllowed(details, target.size)) {
    await failTooLarge(s, target, "Heartbeat details exceed size limit.", identity);
    return { cancelRequested: true, activityPaused: false, activityReset: false };
  }
  return s.history.submit(target.address, { kind: "heartbeatActivity", activity: target.activity, details, identity });
}

async function complete(
  s: Services,
  target: Target,
  request: Pick<RespondActivityTaskCompletedRequest, "result" | "identity">,
): Promise<Record<string, never>> {
  const { result, identity } = request;
  if (isAllowed(result, target.size))
    await s.history.submit(target.address, { kind: "completeActivity", activity: target.activity, result, identity });
  else await failTooLarge(s, target, "Complete result exceeds size limit.", identity);
  return {};
}

async function fail(
  s: Services,
  target: Target,
  request: Pick<RespondActivityTaskFailedRequest, "failure" | "identity" | "lastHeartbeatDetails">,
): Promise<{ failures: Failure[] }> {
  const { address, activity, size } = target;
  const failures: Failure[] = [];
  let { failure, lastHeartbeatDetails } = request;
  if (!isAllowed(lastHeartbeatDetails, size)) {
    failures.push(serverFailure("Heartbeat details exceed size limit."));
    lastHeartbeatDetails = undefined;
  }
  const failureSize = failure === undefined ? 0 : encode(Failure, failure).length;
  if (failure !== undefined && !isBlobAllowed(failureSize, size)) {
    failure = serverFailure("Failure exceeds size limit.", truncateFailure(failure, size.limits.blobSizeWarn));
    failures.push(failure);
  } else if (failureSize > size.limits.activityFailureSizeWarn && failureSize <= size.limits.blobSizeWarn) warnOfSize(failureSize, size);
  await s.history.submit(address, { kind: "failActivity", activity, failure, lastHeartbeatDetails, identity: request.identity });
  return { failures };
}

async function cancel(s: Services, target: Target, request: { details: Uint8Array | undefined; identity: string }): Promise<Record<string, never>> {
  const { details, identity } = request;
  if (isAllowed(details, target.size))
    await s.history.submit(target.address, { kind: "cancelActivity", activity: target.activity, details, identity });
  else await failTooLarge(s, target, "Cancel details exceed size limit.", identity);
  return {};
}

/** The delays that a failure or one of its causes asks for must be durations. */
function validateNextRetryDelays(failure: Failure | undefined): void {
  for (let f = failure; f !== undefined; f = f.cause) {
    const delay = f.failureInfo.case === "applicationFailureInfo" ? f.failureInfo.value.nextRetryDelay : undefined;
    if (delay === undefined) continue;
    const { seconds, nanos } = delay;
    const text = [seconds === 0 ? "" : `seconds:${seconds}`, nanos === 0 ? "" : `nanos:${nanos}`].filter((t) => t !== "").join(" ");
    const refuse = (reason: string) => invalidArgument(`NextRetryDelay is not a valid duration: proto: duration (${text}) ${reason}`);
    if (seconds < -DURATION_SECONDS_MAX) throw refuse("exceeds -10000 years");
    if (seconds > DURATION_SECONDS_MAX) throw refuse("exceeds +10000 years");
    if (nanos <= -1e9 || nanos >= 1e9) throw refuse("has out-of-range nanos");
    if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) throw refuse("has seconds and nanos with different signs");
  }
}
