/** PauseActivity, UnpauseActivity, ResetActivity and UpdateActivityOptions. */
import type { WorkflowExecution } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type {
  PauseActivityRequest,
  PauseActivityResponse,
  ResetActivityRequest,
  ResetActivityResponse,
  UnpauseActivityRequest,
  UnpauseActivityResponse,
  UpdateActivityOptionsRequest,
  UpdateActivityOptionsResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { Services } from "../services.js";
import { validateAddress } from "../validation/execution.js";
import { validatePriority } from "../validation/priority.js";

function validated(
  s: Services,
  request: { namespace: string; execution: WorkflowExecution | undefined; activity: { case?: string | undefined } },
): ExecutionAddress {
  const { workflowId = "", runId = "" } = request.execution ?? {};
  if (workflowId === "") throw invalidArgument("WorkflowId is not set on request.");
  if (request.activity.case === undefined) throw invalidArgument("Either Activity.Id or Activity.Type should be set on request.");
  validateAddress(workflowId, runId);
  return { namespaceId: s.namespaces.view(request.namespace).id, workflowId, runId };
}

export const pauseActivity =
  (s: Services): Handler<PauseActivityRequest, PauseActivityResponse> =>
  async (request) => {
    await s.history.submit(validated(s, request), { kind: "pauseActivity", request });
    return {};
  };

export const unpauseActivity =
  (s: Services): Handler<UnpauseActivityRequest, UnpauseActivityResponse> =>
  async (request) => {
    await s.history.submit(validated(s, request), { kind: "unpauseActivity", request });
    return {};
  };

export const resetActivity =
  (s: Services): Handler<ResetActivityRequest, ResetActivityResponse> =>
  async (request) => {
    await s.history.submit(validated(s, request), { kind: "resetActivity", request });
    return {};
  };

export const updateActivityOptions =
  (s: Services): Handler<UpdateActivityOptionsRequest, UpdateActivityOptionsResponse> =>
  async (request) => {
    const address = validated(s, request);
    validatePriority(request.activityOptions?.priority);
    return s.history.submit(address, { kind: "updateActivityOptions", request });
  };
