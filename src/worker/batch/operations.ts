/** What a batch operation does to one execution: one call of the method that does it for everybody. */
import { createHash } from "node:crypto";
import type { StartBatchOperationRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { AdminService } from "../../../gen/wire/temporal/server/api/adminservice/v1/service.js";
import { Code, PASSING_CODES, ServiceError } from "../../api/service-error.js";
import { REFRESH_TASKS } from "../../core/batch/admin-job.js";
import type { CallScope, InternalClient } from "../internal-client.js";
import { resetPoint } from "./reset-point.js";

const M = WorkflowService.methods;

/** A workflow, or a standalone activity by its id. */
export interface Target {
  readonly id: string;
  readonly runId: string;
}

export interface OperationContext {
  readonly client: InternalClient;
  readonly namespace: string;
  readonly request: StartBatchOperationRequest;
  /** temporal.api.enums.v1.BatchOperationType, or REFRESH_TASKS. */
  readonly type: number;
  readonly scope: CallScope;
  readonly nowMicros: () => number;
}

/** The same for every attempt at one target, so that what was done already is not done again. */
function requestId(c: OperationContext, ...parts: string[]): string {
  // UUID version 5 in the nil namespace.
  const hash = createHash("sha1")
    .update(Buffer.alloc(16))
    .update([c.request.jobId, ...parts].join(":"))
    .digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** @throws ServiceError what the called method answers. */
export async function operate(c: OperationContext, target: Target): Promise<unknown> {
  const { client, namespace, request, scope } = c;
  const { operation } = request;
  const execution = { workflowId: target.id, runId: target.runId };
  const { id, runId } = target;
  if (c.type === REFRESH_TASKS) {
    const described = await client.call(M.DescribeNamespace, { namespace }, scope);
    return client.call(AdminService.methods.RefreshWorkflowTasks, { namespaceId: described.namespaceInfo?.id ?? "", execution }, scope);
  }
  switch (operation.case) {
    case "terminationOperation": {
      const { identity, details } = operation.value;
      return client.call(M.TerminateWorkflowExecution, { namespace, workflowExecution: execution, reason: request.reason, details, identity }, scope);
    }
    case "cancellationOperation":
      return client.call(
        M.RequestCancelWorkflowExecution,
        { namespace, workflowExecution: execution, identity: operation.value.identity, requestId: requestId(c, "cancel", id, runId) },
        scope,
      );
    case "signalOperation": {
      const { signal, input, header, identity } = operation.value;
      return client.call(
        M.SignalWorkflowExecution,
        {
          namespace,
          workflowExecution: execution,
          signalName: signal,
          input,
          header,
          identity,
          requestId: requestId(c, "signal", id, runId, signal),
        },
        scope,
      );
    }
    case "deletionOperation":
      return client.call(M.DeleteWorkflowExecution, { namespace, workflowExecution: execution }, scope);
    case "resetOperation": {
      const { options, resetType, resetReapplyType, postResetOperations, identity } = operation.value;
      const point = await resetPoint(c, execution, options?.target ?? { case: "type", value: resetType }, options?.currentRunOnly ?? false);
      return client.call(
        M.ResetWorkflowExecution,
        {
          namespace,
          workflowExecution: { workflowId: id, runId: point.runId },
          reason: request.reason,
          requestId: requestId(c, "reset", id, point.runId),
          workflowTaskFinishEventId: point.eventId,
          resetReapplyType: options?.resetReapplyType ?? resetReapplyType,
          resetReapplyExcludeTypes: options?.resetReapplyExcludeTypes ?? [],
          postResetOperations,
          identity,
        },
        scope,
      );
    }
    case "updateWorkflowOptionsOperation": {
      const { workflowExecutionOptions, updateMask, identity } = operation.value;
      return client.call(
        M.UpdateWorkflowExecutionOptions,
        { namespace, workflowExecution: execution, workflowExecutionOptions, updateMask, identity },
        scope,
      );
    }
    case "unpauseActivitiesOperation": {
      const { activity, ...rest } = operation.value;
      const which = activity.case === "type" ? activity : { case: "unpauseAll" as const, value: true };
      return client.call(M.UnpauseActivity, { namespace, execution, ...rest, activity: which }, scope);
    }
    case "resetActivitiesOperation": {
      const { identity, resetHeartbeat, jitter, keepPaused, restoreOriginalOptions, activity } = operation.value;
      const which = activity.case === "type" ? activity : { case: "matchAll" as const, value: true };
      return client.call(
        M.ResetActivity,
        { namespace, execution, identity, resetHeartbeat, jitter, keepPaused, restoreOriginalOptions, activity: which },
        scope,
      );
    }
    case "updateActivityOptionsOperation": {
      const { activity, ...rest } = operation.value;
      const which = activity.case === "type" ? activity : { case: "matchAll" as const, value: true };
      return client.call(M.UpdateActivityOptions, { namespace, execution, ...rest, activity: which }, scope);
    }
    case "terminateActivitiesOperation": {
      const { identity, reason } = operation.value;
      const of = { namespace, activityId: id, runId, identity, reason, requestId: requestId(c, "terminate-activity", id, runId) };
      return client.call(M.TerminateActivityExecution, of, scope);
    }
    case "cancelActivitiesOperation": {
      const { identity, reason } = operation.value;
      const of = { namespace, activityId: id, runId, identity, reason, requestId: requestId(c, "cancel-activity", id, runId) };
      return client.call(M.RequestCancelActivityExecution, of, scope);
    }
    case "deleteActivitiesOperation":
      return client.call(M.DeleteActivityExecution, { namespace, activityId: id, runId }, scope);
    default:
      throw new ServiceError(Code.INVALID_ARGUMENT, `The operation type ${String(operation.case)} is not supported`);
  }
}

/** Whether asking again may help. States of an activity that stand in the way of an operator's wish pass. */
export function isPassing(error: unknown, operation: StartBatchOperationRequest["operation"]["case"]): boolean {
  if (!(error instanceof ServiceError)) return true;
  if (PASSING_CODES.has(error.code)) return true;
  return (
    error.code === Code.FAILED_PRECONDITION &&
    (operation === "unpauseActivitiesOperation" || operation === "resetActivitiesOperation" || operation === "updateActivityOptionsOperation")
  );
}
