/**
 * UpdateWorkflowExecution and PollWorkflowExecutionUpdate: checks, one input to history, and the caller's patience. The answer comes
 * with another input, when a worker has spoken; when the server's own time limit passes first, the caller is told how far the update
 * has come, and asks again.
 */
import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../../gen/wire/temporal/api/enums/v1/update.js";
import { WaitPolicy } from "../../../gen/wire/temporal/api/update/v1/message.js";
import type {
  PollWorkflowExecutionUpdateRequest,
  PollWorkflowExecutionUpdateResponse,
  UpdateWorkflowExecutionRequest,
  UpdateWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { canceled, deadlineExceeded, invalidArgument, permissionDenied } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import type { ExecutionAddress, InputOf } from "../../core/input.js";
import type { UpdateReply } from "../../core/transition.js";
import { isUuid, uuidV4 } from "../../lib/uuid.js";
import { remainingMs, type Services } from "../services.js";
import { isLongerThan, validateExecution } from "../validation/execution.js";
import { requestIdLink } from "./start.js";

export const updateWorkflowExecution =
  (s: Services): Handler<UpdateWorkflowExecutionRequest, UpdateWorkflowExecutionResponse> =>
  async (request, call) => {
    const { workflowId, runId } = validateUpdate(s, request, request.namespace);
    const { namespace } = request;
    const address = { namespaceId: s.namespaces.view(namespace).id, workflowId, runId };
    const waiter = s.history.newWaiter();
    return updateResponse(request, namespace, await awaitUpdate(s, address, { kind: "update", request, waiter }, namespace, call));
  };

export const pollWorkflowExecutionUpdate =
  (s: Services): Handler<PollWorkflowExecutionUpdateRequest, PollWorkflowExecutionUpdateResponse> =>
  async (request, call) => {
    const { updateRef, namespace } = request;
    if (updateRef === undefined) throw invalidArgument("UpdateRef is not set on request.");
    const namespaceId = s.namespaces.view(namespace).id;
    if (!s.limits(namespace).areUpdatesEnabled) throw notAllowed();
    const { updateId } = updateRef;
    const { workflowId = "", runId = "" } = updateRef.workflowExecution ?? {};
    // The official server finds these faults when it loads the workflow.
    if (workflowId === "") throw invalidArgument("Can't load workflow execution. WorkflowId not set.");
    if (runId !== "" && !isUuid(runId)) throw invalidArgument("RunId is not valid UUID.");
    const stage = request.waitPolicy?.lifecycleStage ?? Stage.UNSPECIFIED;
    const waiter = s.history.newWaiter();
    const reply = await awaitUpdate(s, { namespaceId, workflowId, runId }, { kind: "pollUpdate", updateId, stage, waiter }, namespace, call);
    return { outcome: reply.outcome, stage: reply.stage, updateRef: { workflowExecution: { workflowId, runId: reply.runId }, updateId } };
  };

const notAllowed = () => permissionDenied("UpdateWorkflowExecution operation is disabled on this namespace.", "");

/** In the order of the official server. Fills in what may be left out. */
export function validateUpdate(s: Services, request: UpdateWorkflowExecutionRequest, namespace: string): { workflowId: string; runId: string } {
  const execution = validateExecution(request.workflowExecution);
  const limits = s.limits(namespace);
  const meta = request.request?.meta;
  if (meta === undefined) throw invalidArgument("Update meta is not set on request.");
  if (isLongerThan(meta.updateId, limits.idLengthMax)) throw invalidArgument("UpdateId length exceeds limit.");
  if (meta.updateId === "") meta.updateId = uuidV4(s.runtime.randomBytes16());
  const input = request.request?.input;
  if (input === undefined) throw invalidArgument("Update input is not set on request.");
  if (input.name === "") throw invalidArgument("Update name is not set on request.");
  request.waitPolicy ??= WaitPolicy.create();
  if (!limits.areUpdatesEnabled) throw notAllowed();
  const policy = request.waitPolicy;
  if (policy.lifecycleStage === Stage.UNSPECIFIED) policy.lifecycleStage = Stage.COMPLETED;
  if (policy.lifecycleStage === Stage.ADMITTED)
    throw permissionDenied("UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported.", "");
  if (policy.lifecycleStage === Stage.ACCEPTED && !limits.areUpdatesAcceptedEnabled)
    throw permissionDenied("UpdateWorkflowExecution issued asynchronously and waiting on update accepted is disabled on this namespace.", "");
  return execution;
}

export function updateResponse(
  request: UpdateWorkflowExecutionRequest,
  namespace: string,
  reply: UpdateReply,
): Init<UpdateWorkflowExecutionResponse> {
  const { runId, updateId, stage, outcome } = reply;
  const workflowId = request.workflowExecution?.workflowId ?? "";
  return {
    updateRef: { workflowExecution: { workflowId, runId }, updateId },
    outcome,
    stage,
    link: reply.start?.isRepeated === true ? undefined : linkOf(request, namespace, workflowId, reply),
  };
}

/** A rejected update has no event to point to; nor, so the official server has it, has one that failed. */
function linkOf(request: UpdateWorkflowExecutionRequest, namespace: string, workflowId: string, reply: UpdateReply): Init<Link> | undefined {
  const { runId, stage, outcome } = reply;
  if (stage === Stage.COMPLETED && outcome?.value?.case === "failure")
    return { variant: { case: "workflow", value: { namespace, workflowId, runId, reason: "Update rejected" } } };
  if (stage !== Stage.ACCEPTED && stage !== Stage.COMPLETED) return undefined;
  return requestIdLink(namespace, workflowId, runId, request.request?.requestId ?? "", EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED);
}

type Asking = InputOf<"update"> | InputOf<"pollUpdate"> | InputOf<"updateWithStart">;

function updateIdOf(input: Asking): string {
  switch (input.kind) {
    case "pollUpdate":
      return input.updateId;
    case "update":
      return input.request.request?.meta?.updateId ?? "";
    case "updateWithStart":
      return input.update.request?.meta?.updateId ?? "";
  }
}

/** Waits for the answer, the end of the server's patience (how far the update has come is then the answer), or of the caller's. */
export function awaitUpdate(s: Services, address: ExecutionAddress, input: Asking, namespace: string, call: Call): Promise<UpdateReply> {
  return new Promise((resolve, reject) => {
    const end = { kind: "endUpdateWait" as const, updateId: updateIdOf(input), waiter: input.waiter };
    let isOver = false;
    let stopTimer: () => void = () => undefined;
    let stopWatching: () => void = () => undefined;
    // What a workflow does before it answers may take its time.
    const stopSkipping = s.clocks.awaiting(address.namespaceId);
    const over = (): boolean => {
      if (isOver) return false;
      isOver = true;
      stopTimer();
      stopWatching();
      stopSkipping();
      return true;
    };
    s.history.submit(address, input).then(
      (reply) => over() && resolve(reply),
      (error: unknown) => over() && reject(error instanceof Error ? error : new Error(String(error))),
    );
    const endWait = async (): Promise<UpdateReply | undefined> => s.history.submit(address, end);
    const serverMs = s.limits(namespace).longPollExpirationMs;
    const callerMs = remainingMs(call.deadlineMs, s.runtime);
    const giveUp = (error: Error) => {
      if (!over()) return;
      reject(error);
      endWait().catch(() => undefined);
    };
    const onTime = (): void => {
      if (callerMs !== undefined && callerMs <= serverMs) giveUp(deadlineExceeded("context deadline exceeded"));
      else
        endWait().then(
          // Without a reply the answer is on its way.
          (reply) => reply !== undefined && over() && resolve(reply),
          (error: unknown) => over() && reject(error instanceof Error ? error : new Error(String(error))),
        );
    };
    stopTimer = s.runtime.setDeadline(Math.max(0, Math.min(serverMs, callerMs ?? serverMs)), onTime);
    stopWatching = call.onCancel(() => giveUp(canceled("context canceled")));
  });
}
