/** DescribeWorkflowExecution. */
import { CallbackState, NexusOperationCancellationState, PendingNexusOperationState } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type {
  DescribeWorkflowExecutionRequest,
  DescribeWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import type { Init } from "../../api/wire.js";
import { callbackDestination } from "../../core/callback/statemachine.js";
import { OutboundKind } from "../../core/outbound.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";

const BLOCKED = "The circuit breaker is open.";

export const describeWorkflowExecution =
  (s: Services): Handler<DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse> =>
  async (request) => {
    const namespaceId = s.namespaces.view(request.namespace).id;
    const { workflowId, runId } = validateExecution(request.execution);
    const answer = await s.history.submit({ namespaceId, workflowId, runId }, { kind: "describe" });
    const hasOutbound = (answer.pendingNexusOperations?.length ?? 0) + (answer.callbacks?.length ?? 0) > 0;
    return hasOutbound ? withBlocked(s, namespaceId, answer) : answer;
  };

/** Calls that wait behind an open circuit breaker are shown as blocked: the workflow itself does not know. */
function withBlocked(s: Services, namespaceId: string, answer: Init<DescribeWorkflowExecutionResponse>): Init<DescribeWorkflowExecutionResponse> {
  return {
    ...answer,
    pendingNexusOperations: (answer.pendingNexusOperations ?? []).map((op) => {
      const endpoint = op.endpoint ?? "";
      const cancel = op.cancellationInfo;
      const cancellationInfo =
        cancel?.state === NexusOperationCancellationState.SCHEDULED && s.history.isBlocked(OutboundKind.CANCEL_OPERATION, namespaceId, endpoint)
          ? { ...cancel, state: NexusOperationCancellationState.BLOCKED, blockedReason: BLOCKED }
          : cancel;
      if (op.state !== PendingNexusOperationState.SCHEDULED || !s.history.isBlocked(OutboundKind.START_OPERATION, namespaceId, endpoint))
        return { ...op, cancellationInfo };
      return { ...op, cancellationInfo, state: PendingNexusOperationState.BLOCKED, blockedReason: BLOCKED };
    }),
    callbacks: (answer.callbacks ?? []).map((c) => {
      const variant = c.callback?.variant;
      const url = variant?.case === "nexus" ? (variant.value?.url ?? "") : "";
      if (c.state !== CallbackState.SCHEDULED || !s.history.isBlocked(OutboundKind.CALLBACK, namespaceId, callbackDestination(url))) return c;
      return { ...c, state: CallbackState.BLOCKED, blockedReason: BLOCKED };
    }),
  } as Init<DescribeWorkflowExecutionResponse>;
}
