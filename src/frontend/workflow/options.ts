/** UpdateWorkflowExecutionOptions. */
import { type VersioningOverride, WorkflowExecutionOptions } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import type {
  UpdateWorkflowExecutionOptionsRequest,
  UpdateWorkflowExecutionOptionsResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { checkPaths } from "../../core/workflow/field-mask.js";
import { OPTIONS_FIELDS } from "../../core/workflow/options.js";
import type { Services } from "../services.js";
import { validateAddress } from "../validation/execution.js";
import { validatePriority } from "../validation/priority.js";
import { validateTimeSkipping } from "../validation/time-skipping.js";
import { reactivateVersion } from "./reactivation.js";

export const updateWorkflowExecutionOptions =
  (s: Services): Handler<UpdateWorkflowExecutionOptionsRequest, UpdateWorkflowExecutionOptionsResponse> =>
  async (request) => {
    const { workflowId = "", runId = "" } = request.workflowExecution ?? {};
    if (workflowId === "") throw invalidArgument("WorkflowId is not set on request.");
    if (request.updateMask === undefined) throw invalidArgument("UpdateMask is required");
    if (request.workflowExecutionOptions === undefined) throw invalidArgument("WorkflowExecutionOptions is required");
    try {
      checkPaths(request.updateMask.paths, OPTIONS_FIELDS, WorkflowExecutionOptions.typeName);
    } catch (e) {
      throw invalidArgument(`error parsing UpdateMask: ${(e as Error).message}`);
    }
    validatePriority(request.workflowExecutionOptions.priority);
    validateTimeSkipping(request.workflowExecutionOptions.timeSkippingConfig, s.limits(request.namespace));
    validateAddress(workflowId, runId);
    const namespace = s.namespaces.view(request.namespace);
    const reply = await s.history.submit({ namespaceId: namespace.id, workflowId, runId }, { kind: "updateOptions", request });
    reactivateVersion(s, namespace, reply.workflowExecutionOptions?.versioningOverride as VersioningOverride | undefined);
    return reply;
  };
