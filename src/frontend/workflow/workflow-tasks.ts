/** Workflow tasks: poll, complete, fail; answers to queries that a worker was asked directly. */

import { QueryResultType } from "../../../gen/wire/temporal/api/enums/v1/query.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type {
  PollActivityTaskQueueResponse,
  PollWorkflowTaskQueueRequest,
  PollWorkflowTaskQueueResponse,
  RespondQueryTaskCompletedRequest,
  RespondQueryTaskCompletedResponse,
  RespondWorkflowTaskCompletedRequest,
  RespondWorkflowTaskCompletedResponse,
  RespondWorkflowTaskFailedRequest,
  RespondWorkflowTaskFailedResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { serverFailure, truncateFailure } from "../../api/failure.js";
import { invalidArgument } from "../../api/service-error.js";
import { encode, type Init } from "../../api/wire.js";
import { validateLongPollDeadline } from "../long-poll.js";
import type { Services } from "../services.js";
import { taskToken } from "../task-token.js";
import { warnOfCommandSizes } from "../validation/command-sizes.js";
import { validateIdentity } from "../validation/execution.js";
import { isBlobAllowed } from "../validation/size.js";
import { validateTaskQueue } from "../validation/task-queue.js";
import { validateVersioning } from "../validation/versioning.js";
import { CompletionPages, checkPagesAllowed, isPaged } from "./completion-pages.js";
import { activityTaskResponse, advised, queryTaskResponse, workflowTaskResponse } from "./task-response.js";

export const pollWorkflowTaskQueue =
  (s: Services): Handler<PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse> =>
  async (request, call) => {
    validateLongPollDeadline(s, call);
    const limits = s.limits(request.namespace);
    validateIdentity(request.identity, limits.idLengthMax);
    validateVersioning(request.workerVersionCapabilities, request.deploymentOptions, request.taskQueue, limits);
    validateTaskQueue(request.taskQueue, limits.idLengthMax);
    const { view: namespace, record } = s.namespaces.entry(request.namespace);
    if (Object.hasOwn(record.config?.badBinaries?.binaries ?? {}, request.binaryChecksum))
      throw invalidArgument(`Binary ${request.binaryChecksum} already marked as bad deployment.`);
    const { taskQueue, workerVersionCapabilities } = request;
    if (workerVersionCapabilities?.useVersioning && request.deploymentOptions === undefined)
      s.buildIds.checkPoll(namespace.id, taskQueue?.normalName || (taskQueue?.name ?? ""), workerVersionCapabilities.buildId);
    const polled = await s.matching.pollWorkflowTask(namespace, request, call);
    if (polled === undefined) return {};
    const response = await ("task" in polled ? workflowTaskResponse(s, namespace, polled.task) : queryTaskResponse(s, namespace, polled));
    response.backlogCountHint = polled.waiting;
    return advised(response, polled.scaling);
  };

export const respondWorkflowTaskCompleted =
  (s: Services, pages = new CompletionPages(s.runtime)): Handler<RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse> =>
  async (request, call) => {
    const token = taskToken(request.taskToken);
    const namespace = s.namespaces.viewById(token.namespaceId);
    const limits = s.limits(namespace.name);
    validateIdentity(request.identity, limits.idLengthMax);
    validateVersioning(request.workerVersionStamp, request.deploymentOptions, request.stickyAttributes?.workerTaskQueue, limits);
    const { workflowId, runId } = token;
    warnOfCommandSizes(request.commands, { logger: s.logger, limits, namespace: namespace.name, workflowId, runId });
    const address = { namespaceId: namespace.id, workflowId, runId };
    const isGone = () => call.cancelled;
    const complete = (page?: "look" | "too large") =>
      s.history.submit(address, { kind: "completeWorkflowTask", token, request, ...(page === undefined ? {} : { page }) }, { isGone });
    let isTooLarge = false;
    if (isPaged(request)) {
      const { timeLeft = 0 } = await complete("look");
      checkPagesAllowed(namespace.name, limits);
      if (!request.intermediatePage) request.commands = pages.take(token, request);
      else if (pages.keep(token, request, timeLeft / 1000, limits) === "kept") return {};
      else isTooLarge = true;
    }
    const reply = await complete(isTooLarge ? "too large" : undefined);
    if (reply.refused !== undefined) throw reply.refused;
    const started: Init<PollActivityTaskQueueResponse>[] = [];
    for (const task of reply.activityTasks) {
      const response = await activityTaskResponse(s, task);
      if (response !== undefined) started.push(response);
    }
    return {
      workflowTask: reply.newTask === undefined ? undefined : await workflowTaskResponse(s, namespace, reply.newTask),
      activityTasks: started,
      resetHistoryEventId: reply.resetHistoryEventId,
    };
  };

export const respondWorkflowTaskFailed =
  (s: Services): Handler<RespondWorkflowTaskFailedRequest, RespondWorkflowTaskFailedResponse> =>
  async (request) => {
    const token = taskToken(request.taskToken);
    const namespace = s.namespaces.viewById(token.namespaceId);
    const limits = s.limits(namespace.name);
    validateIdentity(request.identity, limits.idLengthMax);
    const { workflowId, runId } = token;
    const size = { logger: s.logger, limits, operation: "RespondWorkflowTaskFailed", namespace: namespace.name, workflowId, runId };
    if (request.failure !== undefined && !isBlobAllowed(encode(Failure, request.failure).length, size))
      request.failure = serverFailure("Failure exceeds size limit.", truncateFailure(request.failure, limits.blobSizeWarn));
    await s.history.submit({ namespaceId: namespace.id, workflowId, runId }, { kind: "failWorkflowTask", token, request });
    return {};
  };

export const respondQueryTaskCompleted =
  (s: Services): Handler<RespondQueryTaskCompletedRequest, RespondQueryTaskCompletedResponse> =>
  (request) => {
    const token = taskToken(request.taskToken);
    if (token.taskQueue === "" || token.queryId === "") throw invalidArgument("Invalid TaskToken.");
    const namespace = s.namespaces.viewById(token.namespaceId);
    const limits = s.limits(namespace.name);
    const size = { logger: s.logger, limits, operation: "RespondQueryTaskCompleted", namespace: namespace.name, workflowId: "", runId: "" };
    if (request.queryResult !== undefined && !isBlobAllowed(request.queryResult.length, size)) {
      request.completedType = QueryResultType.FAILED;
      request.queryResult = undefined;
      request.failure = undefined;
      request.errorMessage = "Blob data size exceeds limit.";
    }
    s.matching.respondQuery(namespace, token.queryId, request);
    return {};
  };
