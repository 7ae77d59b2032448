/** SignalWorkflowExecution. */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import type {
  SignalWorkflowExecutionRequest,
  SignalWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Services } from "../services.js";
import { isLongerThan, validateExecution } from "../validation/execution.js";
import { validateLinks } from "../validation/links.js";
import { validateBlob } from "../validation/size.js";
import { requestIdLink } from "./start.js";

export const signalWorkflowExecution =
  (s: Services): Handler<SignalWorkflowExecutionRequest, SignalWorkflowExecutionResponse> =>
  async (request) => {
    const { workflowId, runId } = validateExecution(request.workflowExecution);
    const { namespace } = request;
    const limits = s.limits(namespace);
    if (request.signalName === "") throw invalidArgument("SignalName is not set on request.");
    if (isLongerThan(request.signalName, limits.idLengthMax)) throw invalidArgument("SignalName length exceeds limit.");
    if (isLongerThan(request.requestId, limits.idLengthMax)) throw invalidArgument("RequestId length exceeds limit.");
    validateLinks(request.links, limits.linksPerRequestMax, limits.linkSizeMax);
    const namespaceId = s.namespaces.view(namespace).id;
    validateBlob(request.input, { logger: s.logger, limits, operation: "SignalWorkflowExecution", namespace, workflowId, runId });
    const reply = await s.history.submit({ namespaceId, workflowId, runId }, { kind: "signal", request, external: undefined });
    return { link: requestIdLink(namespace, workflowId, reply.runId, request.requestId, EventType.WORKFLOW_EXECUTION_SIGNALED) };
  };
