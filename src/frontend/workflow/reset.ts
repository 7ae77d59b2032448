/** ResetWorkflowExecution. */
import { ResetReapplyType } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import type {
  ResetWorkflowExecutionRequest,
  ResetWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { internal, invalidArgument } from "../../api/service-error.js";
import type { Services } from "../services.js";
import { isLongerThan, validateExecution } from "../validation/execution.js";

export const resetWorkflowExecution =
  (s: Services): Handler<ResetWorkflowExecutionRequest, ResetWorkflowExecutionResponse> =>
  async (request) => {
    if (request.requestId === "") throw invalidArgument("RequestId is not set on request.");
    if (isLongerThan(request.requestId, s.limits(request.namespace).idLengthMax)) throw invalidArgument("RequestId length exceeds limit.");
    const { workflowId, runId } = validateExecution(request.workflowExecution);
    if (ResetReapplyType[request.resetReapplyType] === undefined) throw internal(`unknown reset reapply type: ${request.resetReapplyType}`);
    const namespaceId = s.namespaces.view(request.namespace).id;
    return s.history.submit({ namespaceId, workflowId, runId }, { kind: "reset", request });
  };
