/** DescribeWorkflowExecution. */
import type {
  DescribeWorkflowExecutionRequest,
  DescribeWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";

export const describeWorkflowExecution =
  (s: Services): Handler<DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse> =>
  (request) => {
    const namespaceId = s.namespaces.view(request.namespace).id;
    const { workflowId, runId } = validateExecution(request.execution);
    return s.history.submit({ namespaceId, workflowId, runId }, { kind: "describe" });
  };
