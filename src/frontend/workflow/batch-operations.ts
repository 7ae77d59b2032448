/**
 * Batch operations: checks, and how a job's workflow is shown as one. The work is the batcher's (src/worker/batch). Rules and texts:
 * service/frontend/workflow_handler.go and service/worker/batcher/workflow.go of the official server.
 */
import { BatchOperationState, BatchOperationType as Type } from "../../../gen/wire/temporal/api/enums/v1/batch_operation.js";
import { ExecutionType } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { ResetType } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type {
  DescribeBatchOperationRequest,
  DescribeBatchOperationResponse,
  ListBatchOperationsRequest,
  ListBatchOperationsResponse,
  StartBatchOperationRequest,
  StartBatchOperationResponse,
  StopBatchOperationRequest,
  StopBatchOperationResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import {
  DescribeWorkflowExecutionResponse,
  TerminateWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { firstJsonOf, jsonOf } from "../../api/json-payload.js";
import { Code, invalidArgument, permissionDenied, resourceExhausted, ServiceError } from "../../api/service-error.js";
import { decode, encode } from "../../api/wire.js";
import {
  BATCH_DIVISION,
  BATCH_STATS_MEMO,
  type BatchProgress,
  type BatchStats,
  isOfActivities,
  type MemoExecution,
  typeOfName,
} from "../../core/batch/job-memo.js";
import { MALFORMED_QUERY, parseQuery, syntaxProblem } from "../../core/visibility/parser.js";
import type { Services } from "../services.js";

type Operation = StartBatchOperationRequest["operation"];
type OperationCase = NonNullable<Operation["case"]>;

const TYPES: Readonly<Record<OperationCase, Type>> = {
  terminationOperation: Type.TERMINATE,
  signalOperation: Type.SIGNAL,
  cancellationOperation: Type.CANCEL,
  deletionOperation: Type.DELETE,
  resetOperation: Type.RESET,
  updateWorkflowOptionsOperation: Type.UPDATE_EXECUTION_OPTIONS,
  unpauseActivitiesOperation: Type.UNPAUSE_ACTIVITY,
  resetActivitiesOperation: Type.RESET_ACTIVITY,
  updateActivityOptionsOperation: Type.UPDATE_ACTIVITY_OPTIONS,
  cancelActivitiesOperation: Type.CANCEL_ACTIVITY,
  terminateActivitiesOperation: Type.TERMINATE_ACTIVITY,
  deleteActivitiesOperation: Type.DELETE_ACTIVITY,
};

export const startBatchOperation =
  (s: Services): Handler<StartBatchOperationRequest, StartBatchOperationResponse> =>
  async (request) => {
    const limits = s.limits(request.namespace);
    requireBatches(s, request.namespace);
    if (isOfActivities(request.operation.case) && !limits.isBatchOfActivitiesEnabled)
      throw invalidArgument(`The operation type ${goType(request.operation)} is not supported for this namespace`);
    validate(request);
    checkSyntax(request.visibilityQuery);
    const namespace = s.namespaces.view(request.namespace);
    const { count } = await s.visibility.count(namespace, `TemporalNamespaceDivision = '${BATCH_DIVISION}' AND ExecutionStatus = 'Running'`);
    if ((count ?? 0) >= limits.batchOperationsMax)
      throw resourceExhausted(
        "Max concurrent batch operations is reached",
        ResourceExhaustedCause.CONCURRENT_LIMIT,
        ResourceExhaustedScope.NAMESPACE,
      );
    const { operation } = request;
    if (operation.case === undefined) throw invalidArgument("Batch operation is not set on request.");
    const identity = "identity" in operation.value ? operation.value.identity : "";
    await s.batches.start(namespace, { request, query: narrowed(request), type: TYPES[operation.case], identity });
    return {};
  };

export const stopBatchOperation =
  (s: Services): Handler<StopBatchOperationRequest, StopBatchOperationResponse> =>
  async ({ namespace, jobId, reason, identity }) => {
    requireJobId(jobId);
    if (reason === "") throw invalidArgument("Reason is not set on request.");
    requireBatches(s, namespace);
    const view = s.namespaces.view(namespace);
    const request = TerminateWorkflowExecutionRequest.create({
      namespace,
      workflowExecution: { workflowId: jobId },
      reason,
      identity: identity || "frontend-service",
    });
    await s.history.submit(
      { namespaceId: view.id, workflowId: jobId, runId: "" },
      { kind: "terminate", request, childWorkflowOnly: false, parent: undefined },
    );
    s.batches.stopped(view, jobId);
    return {};
  };

export const describeBatchOperation =
  (s: Services): Handler<DescribeBatchOperationRequest, DescribeBatchOperationResponse> =>
  async ({ namespace, jobId }) => {
    requireJobId(jobId);
    requireBatches(s, namespace);
    const address = { namespaceId: s.namespaces.view(namespace).id, workflowId: jobId, runId: "" };
    const described = await s.history.submit(address, { kind: "describe" });
    const { workflowExecutionInfo: info, pendingActivities } = decode(
      DescribeWorkflowExecutionResponse,
      encode(DescribeWorkflowExecutionResponse, described),
    );
    const memo = info?.memo?.fields ?? {};
    const reason = jsonOf(memo.batch_operation_reason);
    // Any workflow may be asked for by its id.
    if (info === undefined || typeof reason !== "string") throw new ServiceError(Code.UNKNOWN, "unable to decode");
    const query = jsonOf(memo.batch_operation_visibility_query);
    const identity = jsonOf(info.searchAttributes?.indexedFields.BatcherUser);
    const executions = (jsonOf(memo.batch_operation_executions) as MemoExecution[] | undefined) ?? [];
    return {
      operationType: typeOfName(jsonOf(memo.batch_operation_type)),
      jobId: info.execution?.workflowId ?? "",
      state: stateOf(info.status),
      startTime: info.startTime,
      closeTime: info.closeTime,
      identity: typeof identity === "string" ? identity : "",
      reason,
      query: typeof query === "string" ? query : "",
      executions: executions.map((e) => ({ type: e.type ?? 0, businessId: e.business_id ?? "", runId: e.run_id ?? "" })),
      ...counts(info.status, jsonOf(memo[BATCH_STATS_MEMO]), firstJsonOf(pendingActivities[0]?.heartbeatDetails)),
    };
  };

export const listBatchOperations =
  (s: Services): Handler<ListBatchOperationsRequest, ListBatchOperationsResponse> =>
  async ({ namespace, pageSize, nextPageToken }) => {
    requireBatches(s, namespace);
    const max = s.limits(namespace).visibilityPageSizeMax;
    const size = pageSize <= 0 || pageSize > max ? max : pageSize;
    const page = await s.visibility.list(s.namespaces.view(namespace), `TemporalNamespaceDivision = '${BATCH_DIVISION}'`, size, nextPageToken);
    return {
      operationInfo: page.executions.map((e) => ({
        jobId: e.execution?.workflowId ?? "",
        state: stateOf(e.status ?? 0),
        startTime: e.startTime,
        closeTime: e.closeTime,
        operationType: typeOfName(jsonOf(e.memo?.fields?.batch_operation_type)),
      })),
      nextPageToken: page.nextPageToken,
    };
  };

function requireBatches(s: Services, namespace: string): void {
  if (!s.limits(namespace).isBatchEnabled) throw permissionDenied("Batch operation feature are disabled on this namespace.", "");
}

function requireJobId(jobId: string): void {
  if (jobId === "") throw invalidArgument("JobId is not set on request.");
}

function stateOf(status: number): BatchOperationState {
  if (status === WorkflowExecutionStatus.RUNNING) return BatchOperationState.RUNNING;
  return status === WorkflowExecutionStatus.COMPLETED ? BatchOperationState.COMPLETED : BatchOperationState.FAILED;
}

function counts(
  status: number,
  stats: unknown,
  progress: unknown,
): Pick<DescribeBatchOperationResponse, "totalOperationCount" | "completeOperationCount" | "failureOperationCount"> {
  if (status === WorkflowExecutionStatus.COMPLETED) {
    const { NumSuccess: success, NumFailure: failure } = stats as BatchStats;
    return { totalOperationCount: success + failure, completeOperationCount: success, failureOperationCount: failure };
  }
  const p = progress as BatchProgress | undefined;
  return {
    totalOperationCount: p?.TotalEstimate ?? 0,
    completeOperationCount: (p?.SuccessCount ?? 0) + (p?.PageSuccessCount ?? 0),
    failureOperationCount: (p?.ErrorCount ?? 0) + (p?.PageErrorCount ?? 0),
  };
}

/** The Go type of an operation, which the official texts name. */
function goType({ case: name }: Operation): string {
  const text = name ?? "";
  return `*workflowservice.StartBatchOperationRequest_${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

const EITHER_TYPE_OR_ALL = "Either activity type must be set, or match all should be set to true";

/** In the order of the official server: which error a request with several faults gets depends on it. */
function validate(request: StartBatchOperationRequest): void {
  const { operation, targetExecutions } = request;
  const selectors = [request.visibilityQuery, request.executions, targetExecutions].filter((x) => x.length > 0).length;
  if (operation.case === undefined || request.reason === "" || selectors === 0)
    throw invalidArgument("must provide required parameters: BatchType,Reason,Namespace, AND one of (Query OR Executions OR TargetExecutions)");
  requireJobId(request.jobId);
  if (selectors > 1) throw invalidArgument("visibility query, executions, and target executions are mutually exclusive");
  const expected = isOfActivities(operation.case) ? ExecutionType.ACTIVITY : ExecutionType.WORKFLOW;
  targetExecutions.forEach(({ type }, i) => {
    if (type !== expected)
      throw invalidArgument(
        `target_executions[${i}] has type ${executionTypeName(type)}, but operation ${goType(operation)} requires ${executionTypeName(expected)}`,
      );
  });
  switch (operation.case) {
    case "signalOperation":
      if (operation.value.signal === "") throw invalidArgument("must provide signal name");
      return;
    case "updateWorkflowOptionsOperation":
      if (operation.value.workflowExecutionOptions === undefined) throw invalidArgument("must provide UpdateOptions");
      if (operation.value.updateMask === undefined) throw invalidArgument("must provide UpdateMask");
      return;
    case "resetOperation": {
      const { options, resetType } = operation.value;
      if (options !== undefined) {
        if (options.target.case === undefined) throw invalidArgument("batch reset missing target");
      } else if (resetType !== ResetType.FIRST_WORKFLOW_TASK && resetType !== ResetType.LAST_WORKFLOW_TASK)
        throw invalidArgument(`unknown batch reset type ${resetType === 0 ? "Unspecified" : resetType}`);
      return;
    }
    case "unpauseActivitiesOperation":
      if (operation.value.activity.case === undefined) throw invalidArgument("activity filter must be set");
      checkActivity(operation.value.activity);
      return;
    case "resetActivitiesOperation":
      if (operation.value.activity.case === undefined) throw invalidArgument("must provide ActivityType or MatchAll");
      checkActivity(operation.value.activity);
      return;
    case "updateActivityOptionsOperation": {
      const { activityOptions, restoreOriginal, activity } = operation.value;
      if (activityOptions !== undefined && restoreOriginal) throw invalidArgument("cannot set both activity options and restore original");
      if (activityOptions === undefined && !restoreOriginal)
        throw invalidArgument("Either activity type must be set, or restore original should be set to true");
      checkActivity(activity);
      return;
    }
  }
}

function checkActivity(activity: { case: "type"; value: string } | { case: "matchAll"; value: boolean } | { case: undefined }): void {
  if (activity.case !== undefined && !activity.value) throw invalidArgument(EITHER_TYPE_OR_ALL);
}

function executionTypeName(type: number): string {
  const name = ExecutionType[type];
  return name === undefined ? String(type) : name.charAt(0) + name.slice(1).toLowerCase();
}

/** What is not SQL would have the job try for ever. */
export function checkSyntax(query: string): void {
  if (query === "") return;
  try {
    parseQuery(query);
  } catch (e) {
    if (e instanceof ServiceError && e.message.startsWith(MALFORMED_QUERY)) throw invalidArgument(`invalid visibility query: ${syntaxProblem(e)}`);
  }
}

/** Activities of one type are unpaused where one of that type is paused. */
function narrowed({ operation, visibilityQuery }: StartBatchOperationRequest): string {
  if (visibilityQuery === "" || operation.case !== "unpauseActivitiesOperation" || operation.value.activity.case !== "type") return visibilityQuery;
  const property = `property:activityType=${operation.value.activity.value}`.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
  return `TemporalPauseInfo = '${property}' AND (${visibilityQuery})`;
}
