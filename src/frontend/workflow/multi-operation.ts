/** ExecuteMultiOperation: a start and an update of one workflow, as one. */
import { MultiOperationExecutionFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import type {
  ExecuteMultiOperationRequest,
  ExecuteMultiOperationResponse,
  StartWorkflowExecutionRequest,
  UpdateWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { Code, invalidArgument, ServiceError } from "../../api/service-error.js";
import { durationMicros } from "../../api/time.js";
import { decode, type Init } from "../../api/wire.js";
import type { UpdateReply } from "../../core/transition.js";
import { multiOperationError } from "../../core/workflow/update/multi-operation-error.js";
import { CLOSING_WORKFLOW } from "../../core/workflow/update/registry.js";
import type { Services } from "../services.js";
import { startedLink, validateStart } from "./start.js";
import { awaitUpdate, updateResponse, validateUpdate } from "./updates.js";

export const executeMultiOperation =
  (s: Services): Handler<ExecuteMultiOperationRequest, ExecuteMultiOperationResponse> =>
  async (request, call) => {
    const { namespace } = request;
    const namespaceId = s.namespaces.view(namespace).id;
    const [first, second] = request.operations.map((o) => o.operation);
    if (request.operations.length !== 2 || first?.case !== "startWorkflow" || second?.case !== "updateWorkflow")
      throw invalidArgument("Operations have to be exactly [Start, Update].");
    const start = first.value;
    const update = second.value;
    validateBoth(s, namespace, start, update);
    const address = { namespaceId, workflowId: start.workflowId, runId: "" };
    const reply = await attempt(
      () => awaitUpdate(s, address, { kind: "updateWithStart", start, update, waiter: s.history.newWaiter() }, namespace, call),
      call,
    );
    return {
      responses: [
        { response: { case: "startWorkflow", value: startResponse(start.namespace, start.workflowId, reply) } },
        { response: { case: "updateWorkflow", value: updateResponse(update, update.namespace, reply) } },
      ],
    } as Init<ExecuteMultiOperationResponse>;
  };

function startResponse(namespace: string, workflowId: string, { start, runId }: UpdateReply) {
  if (start === undefined) return {};
  const { started, status } = start;
  if (start.isRepeated) return { runId: start.runId, started, status };
  return { runId, started, status, link: startedLink(namespace, workflowId, runId), firstExecutionRunId: started ? start.firstRunId : "" };
}

/** Both are checked, and each is told what is wrong with it. */
function validateBoth(s: Services, namespace: string, start: StartWorkflowExecutionRequest, update: UpdateWorkflowExecutionRequest): void {
  const ofStart = problem(() => {
    if (start.namespace !== "" && start.namespace !== namespace) throw otherNamespace();
    const isEager = start.requestEagerExecution;
    validateStart(s, start);
    if (start.cronSchedule !== "") throw invalidArgument("CronSchedule is not allowed.");
    if (isEager) throw invalidArgument("RequestEagerExecution is not supported.");
    if (durationMicros(start.workflowStartDelay) > 0) throw invalidArgument("WorkflowStartDelay is not supported.");
  });
  const ofUpdate = problem(() => {
    if (update.namespace !== "" && update.namespace !== namespace) throw otherNamespace();
    validateUpdate(s, update, namespace);
    if (update.firstExecutionRunId !== "") throw invalidArgument("FirstExecutionRunId is not allowed.");
    if (update.workflowExecution?.runId !== "") throw invalidArgument("RunId is not allowed.");
    if (ofStart === undefined && update.workflowExecution.workflowId !== start.workflowId)
      throw invalidArgument("WorkflowId is not consistent with previous operation(s).");
  });
  if (ofStart !== undefined || ofUpdate !== undefined) throw multiOperationError([ofStart ?? "aborted", ofUpdate ?? "aborted"]);
}

const otherNamespace = () => invalidArgument("Operation namespace did not match request's namespace.");

function problem(check: () => void): ServiceError | undefined {
  try {
    check();
    return undefined;
  } catch (e) {
    if (e instanceof ServiceError) return e;
    throw e;
  }
}

/**
 * A running workflow that took the update may close before it has accepted it. The next attempt starts a new one; should that end the
 * same way, the caller is asked to try again.
 */
async function attempt(ask: () => Promise<UpdateReply>, call: Call): Promise<UpdateReply> {
  try {
    return await ask();
  } catch (e) {
    if (!wasAbortedByClosing(e) || call.cancelled) throw e;
  }
  try {
    return await ask();
  } catch (e) {
    if (!wasAbortedByClosing(e)) throw e;
    throw multiOperationError(["aborted", new ServiceError(Code.ABORTED, CLOSING_WORKFLOW)]);
  }
}

function wasAbortedByClosing(e: unknown): boolean {
  const detail = e instanceof ServiceError ? e.details.find((d) => d.typeName === MultiOperationExecutionFailure.typeName) : undefined;
  if (detail === undefined) return false;
  const [start, update] = decode(MultiOperationExecutionFailure, detail.value).statuses;
  return start?.code === Code.ABORTED && update?.code === Code.NOT_FOUND && update.message === CLOSING_WORKFLOW;
}
