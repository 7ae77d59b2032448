/** PauseWorkflowExecution and UnpauseWorkflowExecution. */
import type {
  PauseWorkflowExecutionRequest,
  PauseWorkflowExecutionResponse,
  UnpauseWorkflowExecutionRequest,
  UnpauseWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, unimplemented } from "../../api/service-error.js";
import type { Services } from "../services.js";
import { isLongerThan, validateAddress } from "../validation/execution.js";

export const pauseWorkflowExecution =
  (s: Services): Handler<PauseWorkflowExecutionRequest, PauseWorkflowExecutionResponse> =>
  async (request) => {
    const limits = s.limits(request.namespace);
    if (!limits.isWorkflowPauseEnabled) throw unimplemented(`workflow pause is not enabled for namespace: ${request.namespace}`);
    validate(request, limits.idLengthMax);
    const { workflowId, runId } = request;
    validateAddress(workflowId, runId);
    const namespaceId = s.namespaces.view(request.namespace).id;
    await s.history.submit({ namespaceId, workflowId, runId }, { kind: "pauseWorkflow", request });
    return {};
  };

export const unpauseWorkflowExecution =
  (s: Services): Handler<UnpauseWorkflowExecutionRequest, UnpauseWorkflowExecutionResponse> =>
  async (request) => {
    validate(request, s.limits(request.namespace).idLengthMax);
    const { workflowId, runId } = request;
    validateAddress(workflowId, runId);
    const namespaceId = s.namespaces.view(request.namespace).id;
    await s.history.submit({ namespaceId, workflowId, runId }, { kind: "unpauseWorkflow", request });
    return {};
  };

function validate(request: { reason: string; requestId: string; identity: string }, max: number): void {
  if (isLongerThan(request.reason, max)) throw invalidArgument("reason is too long.");
  if (isLongerThan(request.requestId, max)) throw invalidArgument("request id is too long.");
  if (isLongerThan(request.identity, max)) throw invalidArgument("identity is too long.");
}
