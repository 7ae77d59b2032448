/** RequestCancel, Terminate and Delete of a workflow execution, and ResetStickyTaskQueue. */

import type {
  DeleteWorkflowExecutionRequest,
  DeleteWorkflowExecutionResponse,
  RequestCancelWorkflowExecutionRequest,
  RequestCancelWorkflowExecutionResponse,
  ResetStickyTaskQueueRequest,
  ResetStickyTaskQueueResponse,
  TerminateWorkflowExecutionRequest,
  TerminateWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { deleteRun } from "../../history/delete-run.js";
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

export const deleteWorkflowExecution =
  (s: Services): Handler<DeleteWorkflowExecutionRequest, DeleteWorkflowExecutionResponse> =>
  async (request) => {
    const { workflowId, runId } = validateExecution(request.workflowExecution);
    await deleteRun(s.history, s.namespaces.view(request.namespace), workflowId, runId);
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
