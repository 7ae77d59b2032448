/** StartWorkflowExecution and SignalWithStartWorkflowExecution: checks and defaults, then one input to history. */
import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type {
  SignalWithStartWorkflowExecutionRequest,
  SignalWithStartWorkflowExecutionResponse,
  StartWorkflowExecutionRequest,
  StartWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { durationMicros } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import type { Services } from "../services.js";
import { validateCallbacks } from "../validation/callbacks.js";
import { isLongerThan, requestIdOrNew, validateWorkflowId } from "../validation/execution.js";
import { validateLinks, withoutCallbackLinks } from "../validation/links.js";
import { validatePriority } from "../validation/priority.js";
import { type SizeContext, validateBlob, validateMemo } from "../validation/size.js";
import { validateUserTaskQueue } from "../validation/task-queue.js";
import { validateTimeSkipping } from "../validation/time-skipping.js";
import {
  normalizeWorkflowTimeouts,
  validateCronSchedule,
  validateRetryPolicy,
  validateStartDelay,
  validateWorkflowTimeouts,
} from "../validation/timeouts.js";
import { reactivateVersion } from "./reactivation.js";
import { workflowTaskResponse } from "./task-response.js";

export const startWorkflowExecution =
  (s: Services): Handler<StartWorkflowExecutionRequest, StartWorkflowExecutionResponse> =>
  async (request) => {
    validateStart(s, request);
    const namespace = s.namespaces.view(request.namespace);
    const { workflowId } = request;
    const reply = await s.history.submit({ namespaceId: namespace.id, workflowId, runId: "" }, { kind: "start", request, parent: undefined });
    if (reply.started) reactivateVersion(s, namespace, request.versioningOverride);
    const attached = !reply.started && request.onConflictOptions?.attachRequestId === true;
    return {
      runId: reply.runId,
      firstExecutionRunId: reply.firstRunId,
      started: reply.started,
      status: reply.status,
      eagerWorkflowTask: reply.eagerTask === undefined ? undefined : await workflowTaskResponse(s, namespace, reply.eagerTask),
      link: attached
        ? requestIdLink(request.namespace, workflowId, reply.runId, request.requestId, EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED)
        : startedLink(request.namespace, workflowId, reply.runId),
    };
  };

export const signalWithStartWorkflowExecution =
  (s: Services): Handler<SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse> =>
  (request) =>
    signalWithStart(s, request);

export async function signalWithStart(s: Services, request: SignalWithStartWorkflowExecutionRequest) {
  validateSignalWithStart(s, request);
  const namespace = s.namespaces.view(request.namespace);
  const { workflowId } = request;
  const reply = await s.history.submit({ namespaceId: namespace.id, workflowId, runId: "" }, { kind: "signalWithStart", request });
  if (reply.started) reactivateVersion(s, namespace, request.versioningOverride);
  return {
    runId: reply.runId,
    firstExecutionRunId: reply.firstRunId,
    started: reply.started,
    signalLink: requestIdLink(request.namespace, workflowId, reply.runId, request.requestId, EventType.WORKFLOW_EXECUTION_SIGNALED),
  };
}

/** In the order of the official server: which error a request with several faults gets depends on it. */
export function validateStart(s: Services, request: StartWorkflowExecutionRequest): void {
  const limits = s.limits(request.namespace);
  setIdPolicies(request, WorkflowIdConflictPolicy.FAIL);
  validateWorkflowId(request.workflowId, limits.idLengthMax);
  validateRetryPolicy(request.retryPolicy, limits.workflowRetry);
  validateStartDelay(request.cronSchedule, request.workflowStartDelay);
  validateCronSchedule(request.cronSchedule, s.runtime.nowMicros());
  const type = request.workflowType?.name ?? "";
  if (type === "") throw invalidArgument("WorkflowType is not set on request.");
  if (isLongerThan(type, limits.idLengthMax)) throw invalidArgument("WorkflowType length exceeds limit.");
  validateUserTaskQueue(request.taskQueue, limits.idLengthMax);
  validateWorkflowTimeouts(request);
  request.requestId = requestIdOrNew(request.requestId, limits.idLengthMax, s.runtime);
  validateIdPolicies(request);
  const options = request.onConflictOptions;
  if (options?.attachCompletionCallbacks === true && !options.attachRequestId)
    throw invalidArgument("attaching request ID is required for attaching completion callbacks");
  const namespace = s.namespaces.view(request.namespace);
  if (request.searchAttributes !== undefined) s.searchAttributes.validate(request.searchAttributes, namespace);
  validatePriority(request.priority);
  validateCallbacks(request.completionCallbacks, limits);
  request.links = withoutCallbackLinks(request.links, request.completionCallbacks);
  const links = request.completionCallbacks.length === 0 ? request.links : [...request.links, ...request.completionCallbacks.flatMap((c) => c.links)];
  validateLinks(links, limits.linksPerRequestMax, limits.linkSizeMax);
  validateTimeSkipping(request.timeSkippingConfig, limits);

  // The first task of such a run comes later: there is none to hand out with the start.
  const isDelayed = durationMicros(request.workflowStartDelay) > 0 || request.cronSchedule !== "";
  if (isDelayed || !limits.isEagerWorkflowStartEnabled) request.requestEagerExecution = false;
  normalizeWorkflowTimeouts(request, limits.defaultWorkflowTaskTimeout);
  const size = sizeContext(s, request, "StartWorkflowExecution");
  validateBlob(request.input, size);
  validateMemo(request.memo?.fields, size);
}

export function validateSignalWithStart(s: Services, request: SignalWithStartWorkflowExecutionRequest): void {
  const limits = s.limits(request.namespace);
  const max = limits.idLengthMax;
  validateCronSchedule(request.cronSchedule, s.runtime.nowMicros());
  validateWorkflowId(request.workflowId, max);
  if (request.signalName === "") throw invalidArgument("signal not set");
  if (isLongerThan(request.signalName, max)) throw invalidArgument(tooLong("signal name", request.signalName, max));
  const type = request.workflowType?.name ?? "";
  if (type === "") throw invalidArgument("workflow type not set");
  if (isLongerThan(type, max)) throw invalidArgument(tooLong("workflow type name", type, max));
  validateUserTaskQueue(request.taskQueue, max);
  if (isLongerThan(request.requestId, max)) throw invalidArgument(tooLong("Request ID", request.requestId, max));
  request.requestId = requestIdOrNew(request.requestId, max, s.runtime);
  validateWorkflowTimeouts(request);
  validateRetryPolicy(request.retryPolicy, limits.workflowRetry);
  validateStartDelay(request.cronSchedule, request.workflowStartDelay);
  validateIdPolicies(request);
  if (request.workflowIdConflictPolicy === WorkflowIdConflictPolicy.FAIL)
    throw invalidArgument("Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.");
  setIdPolicies(request, WorkflowIdConflictPolicy.USE_EXISTING);
  const namespace = s.namespaces.view(request.namespace);
  if (request.searchAttributes !== undefined) s.searchAttributes.validate(request.searchAttributes, namespace);
  validatePriority(request.priority);
  validateLinks(request.links, limits.linksPerRequestMax, limits.linkSizeMax);
  validateTimeSkipping(request.timeSkippingConfig, limits);

  normalizeWorkflowTimeouts(request, limits.defaultWorkflowTaskTimeout);
  const size = sizeContext(s, request, "SignalWithStartWorkflowExecution");
  validateBlob(request.input, size);
  validateMemo(request.memo?.fields, size);
  validateBlob(request.signalInput, size);
}

type IdPolicies = Pick<StartWorkflowExecutionRequest, "workflowIdReusePolicy" | "workflowIdConflictPolicy">;

/** Fills in unset policies; the reuse policy "terminate if running" becomes the conflict policy that replaced it. */
function setIdPolicies(request: IdPolicies, conflictDefault: WorkflowIdConflictPolicy): void {
  if (request.workflowIdConflictPolicy === WorkflowIdConflictPolicy.UNSPECIFIED) {
    if (request.workflowIdReusePolicy === WorkflowIdReusePolicy.TERMINATE_IF_RUNNING) {
      request.workflowIdConflictPolicy = WorkflowIdConflictPolicy.TERMINATE_EXISTING;
      request.workflowIdReusePolicy = WorkflowIdReusePolicy.ALLOW_DUPLICATE;
    } else request.workflowIdConflictPolicy = conflictDefault;
  }
  if (request.workflowIdReusePolicy === WorkflowIdReusePolicy.UNSPECIFIED) request.workflowIdReusePolicy = WorkflowIdReusePolicy.ALLOW_DUPLICATE;
}

function validateIdPolicies(request: IdPolicies): void {
  const { workflowIdReusePolicy: reuse, workflowIdConflictPolicy: conflict } = request;
  if (conflict !== WorkflowIdConflictPolicy.UNSPECIFIED && reuse === WorkflowIdReusePolicy.TERMINATE_IF_RUNNING)
    throw invalidArgument(
      "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy",
    );
  if (conflict === WorkflowIdConflictPolicy.TERMINATE_EXISTING && reuse === WorkflowIdReusePolicy.REJECT_DUPLICATE)
    throw invalidArgument(
      "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with " +
        "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
    );
}

function tooLong(what: string, text: string, max: number): string {
  return `${what} exceeds maximum allowed length (${Buffer.byteLength(text)}/${max})`;
}

function sizeContext(s: Services, request: { namespace: string; workflowId: string }, operation: string): SizeContext {
  const { namespace, workflowId } = request;
  return { logger: s.logger, limits: s.limits(namespace), operation, namespace, workflowId, runId: "" };
}

export function startedLink(namespace: string, workflowId: string, runId: string): Init<Link> {
  const reference = { case: "eventRef" as const, value: { eventId: 1, eventType: EventType.WORKFLOW_EXECUTION_STARTED } };
  return { variant: { case: "workflowEvent", value: { namespace, workflowId, runId, reference } } };
}

/** Names an event by the request that made it: a signal may be buffered and have no event id yet. */
export function requestIdLink(namespace: string, workflowId: string, runId: string, requestId: string, eventType: EventType): Init<Link> {
  const reference = { case: "requestIdRef" as const, value: { requestId, eventType } };
  return { variant: { case: "workflowEvent", value: { namespace, workflowId, runId, reference } } };
}
