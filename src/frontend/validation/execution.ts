/** Checks on names and ids. Lengths are in bytes of UTF-8, as the official server counts them. */
import type { WorkflowExecution } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Runtime } from "../../lib/runtime.js";
import { isUuid, uuidV4 } from "../../lib/uuid.js";

/** Whether the text takes more than `max` bytes, without counting when it cannot. */
export function isLongerThan(text: string, max: number): boolean {
  if (text.length > max) return true;
  return text.length * 3 > max && Buffer.byteLength(text) > max;
}

export function validateExecution(execution: WorkflowExecution | undefined): WorkflowExecution {
  if (execution === undefined) throw invalidArgument("Execution is not set on request.");
  if (execution.workflowId === "") throw invalidArgument("WorkflowId is not set on request.");
  if (execution.runId !== "" && !isUuid(execution.runId)) throw invalidArgument("Invalid RunId.");
  return execution;
}

/** The check of the official server's history service, for calls whose handler leaves it to that. */
export function validateAddress(workflowId: string, runId: string): void {
  if (workflowId === "") throw invalidArgument("Can't load workflow execution. WorkflowId not set.");
  if (runId !== "" && !isUuid(runId)) throw invalidArgument("RunId is not valid UUID.");
}

export function validateWorkflowId(workflowId: string, max: number): void {
  if (workflowId === "") throw invalidArgument("WorkflowId is not set on request.");
  if (isLongerThan(workflowId, max)) throw invalidArgument(`WorkflowId exceeds maximum allowed length (${Buffer.byteLength(workflowId)}/${max})`);
}

export function validateIdentity(identity: string, max: number): void {
  if (isLongerThan(identity, max)) throw invalidArgument("Identity length exceeds limit.");
}

/** The request id, or a fresh one: clients that retry on their own set it. */
export function requestIdOrNew(requestId: string, max: number, runtime: Runtime): string {
  if (requestId === "") return uuidV4(runtime.randomBytes16());
  if (isLongerThan(requestId, max)) throw invalidArgument("RequestId length exceeds limit.");
  return requestId;
}
