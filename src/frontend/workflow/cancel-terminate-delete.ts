/** RequestCancel, Terminate and Delete of a workflow execution, and ResetStickyTaskQueue. */

import type {
  DeleteWorkflowExecutionRequest,
  DeleteWorkflowExecutionResponse,
  RequestCancelWorkflowExecutionRequest,
  RequestCancelWorkflowExecutionResponse,
  ResetStickyTaskQueueRequest,
  ResetStickyTaskQueueResponse,
  TerminateWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { TerminateWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";
import { validateLinks } from "../validation/links.js";

export const requestCancelWorkflowExecution =
  (s: Services): Handler<RequestCancelWorkflowExecutionRequest, RequestCancelWorkflowExecutionResponse> =>
  async (request) => {
    const { workflowId, runId } = validateExecution(request.workflowExecution);
    const limits = s.limits(request.namespace);
    validateLinks(request.links, limits.linksPerRequestMax, limits.linkSizeMax);
    const namespaceId = s.namespaces.view(request.namespace).id;
    await s.history.submit({ namespaceId, workflowId, runId }, { kind: "requestCancel", request, external: undefined });
    return {};
  };

export const terminateWorkflowExecution =
  (s: Services): Handler<TerminateWorkflowExecutionRequest, TerminateWorkflowExecutionResponse> =>
  async (request) => {
    const { workflowId, runId } = validateExecution(request.workflowExecution);
    const limits = s.limits(request.namespace);
    validateLinks(request.links, limits.linksPerRequestMax, limits.linkSizeMax);
    const namespaceId = s.namespaces.view(request.namespace).id;
    request.reason ||= "terminated by user via frontend";
    request.identity ||= "frontend-service";
    await s.history.submit({ namespaceId, workflowId, runId }, { kind: "terminate", request, childWorkflowOnly: false, parent: undefined });
    return {};
  };

/** An open run is terminated first: whoever waits for it learns how it ended. */
export const deleteWorkflowExecution =
  (s: Services): Handler<DeleteWorkflowExecutionRequest, DeleteWorkflowExecutionResponse> =>
  async (request) => {
    const execution = validateExecution(request.workflowExecution);
    const { namespace } = request;
    const { workflowId } = execution;
    const namespaceId = s.namespaces.view(namespace).id;
    const position = await s.history.submit({ namespaceId, workflowId, runId: execution.runId }, { kind: "historyPosition" });
    const run = { namespaceId, workflowId, runId: position.runId };
    if (position.isOpen) {
      const termination = TerminateWorkflowExecutionRequest.create({
        namespace,
        workflowExecution: { workflowId, runId: run.runId },
        reason: "Delete workflow execution",
        identity: "history-service",
      });
      try {
        await s.history.submit(run, { kind: "terminate", request: termination, childWorkflowOnly: false, parent: undefined });
      } catch (e) {
        // It has ended by itself in the meantime.
        if (!(e instanceof ServiceError && e.code === Code.NOT_FOUND)) throw e;
      }
    }
    await s.history.submit(run, { kind: "delete" });
    return {};
  };

export const resetStickyTaskQueue =
  (s: Services): Handler<ResetStickyTaskQueueRequest, ResetStickyTaskQueueResponse> =>
  async (request) => {
    const { workflowId, runId } = validateExecution(request.execution);
    const namespaceId = s.namespaces.view(request.namespace).id;
    await s.history.submit({ namespaceId, workflowId, runId }, { kind: "resetSticky" });
    return {};
  };
