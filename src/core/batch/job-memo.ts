/** What a batch operation's workflow shows of itself: memo and search attributes, in the official server's names and values. */

import type { Memo, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { BatchOperationType as Type } from "../../../gen/wire/temporal/api/enums/v1/batch_operation.js";
import { ExecutionType } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { StartBatchOperationRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { jsonPayload } from "../../api/json-payload.js";
import { encode, type Init } from "../../api/wire.js";

export const BATCH_DIVISION = "TemporalBatcher";
/** Of jobs of AdminService, which are not listed with the others. */
export const ADMIN_BATCH_DIVISION = "TemporalAdminBatcher";
export const BATCH_STATS_MEMO = "batch_operation_stats";

/** The memo of a job that is done. */
export interface BatchStats {
  readonly NumSuccess: number;
  readonly NumFailure: number;
}

/** How far a job has come: the details of its activity's heartbeats. */
export interface BatchProgress {
  /** Base64; null before the first page is done. */
  PageToken: string | null;
  CurrentPage: number;
  TotalEstimate: number;
  /** Of the pages that are done. */
  SuccessCount: number;
  ErrorCount: number;
  /** Of the page in progress: work that is begun again after a restart. */
  PageSuccessCount?: number;
  PageErrorCount?: number;
}

/** Whether the targets are standalone activities. */
export function isOfActivities(operation: StartBatchOperationRequest["operation"]["case"]): boolean {
  return operation === "terminateActivitiesOperation" || operation === "cancelActivitiesOperation" || operation === "deleteActivitiesOperation";
}

/** By the types that requests have; workflow operations keep the names they had before activities had any. */
const TYPE_NAMES: ReadonlyMap<Type, string> = new Map([
  [Type.TERMINATE, "terminate"],
  [Type.CANCEL, "cancel"],
  [Type.SIGNAL, "signal"],
  [Type.DELETE, "delete"],
  [Type.RESET, "reset"],
  [Type.UPDATE_EXECUTION_OPTIONS, "update_options"],
  [Type.UNPAUSE_ACTIVITY, "unpause_activities"],
  [Type.UPDATE_ACTIVITY_OPTIONS, "update_activity_options"],
  [Type.RESET_ACTIVITY, "reset_activities"],
  [Type.TERMINATE_ACTIVITY, "terminate_activities"],
  [Type.CANCEL_ACTIVITY, "cancel_activities"],
  [Type.DELETE_ACTIVITY, "delete_activities"],
]);

/** BATCH_OPERATION_TYPE_UNSPECIFIED for a name that is not known. */
export function typeOfName(name: unknown): Type {
  for (const [type, known] of TYPE_NAMES) if (known === name) return SHOWN_AS.get(type) ?? type;
  return Type.UNSPECIFIED;
}

/** Types of workflow operations as they are shown: those that name their target. */
const SHOWN_AS: ReadonlyMap<number, Type> = new Map([
  [Type.TERMINATE, Type.TERMINATE_WORKFLOW],
  [Type.CANCEL, Type.CANCEL_WORKFLOW],
  [Type.SIGNAL, Type.SIGNAL_WORKFLOW],
  [Type.DELETE, Type.DELETE_WORKFLOW],
  [Type.RESET, Type.RESET_WORKFLOW],
  [Type.UPDATE_EXECUTION_OPTIONS, Type.UPDATE_WORKFLOW_EXECUTION_OPTIONS],
]);

export function memoOf(request: StartBatchOperationRequest, type: number): Init<Memo> {
  const fields: Record<string, Uint8Array> = {
    batch_operation_type: jsonPayload(TYPE_NAMES.get(type) ?? ""),
    batch_operation_reason: jsonPayload(request.reason),
  };
  if (request.visibilityQuery !== "") fields.batch_operation_visibility_query = jsonPayload(request.visibilityQuery);
  const executions = executionsOf(request);
  if (executions.length > 0) fields.batch_operation_executions = jsonPayload(executions);
  return { fields };
}

/** Of a job of AdminService, whose one operation is to refresh tasks. */
export const adminMemoOf = (reason: string): Init<Memo> => ({
  fields: { batch_operation_type: jsonPayload("refresh_tasks"), batch_operation_reason: jsonPayload(reason) },
});

export interface MemoExecution {
  readonly type?: number;
  readonly business_id?: string;
  readonly run_id?: string;
}

/** Fields that are empty are left out. */
function executionsOf({ targetExecutions, executions, operation }: StartBatchOperationRequest): MemoExecution[] {
  const type = isOfActivities(operation.case) ? ExecutionType.ACTIVITY : ExecutionType.WORKFLOW;
  const all =
    targetExecutions.length > 0
      ? targetExecutions.map((e) => ({ type: e.type, business_id: e.businessId, run_id: e.runId }))
      : executions.map((e) => ({ type, business_id: e.workflowId, run_id: e.runId }));
  return all.map((e) => Object.fromEntries(Object.entries(e).filter(([, v]) => v !== "" && v !== 0)));
}

export function searchAttributesOf(identity: string, division = BATCH_DIVISION): Init<SearchAttributes> {
  const keyword = (value: string): Uint8Array =>
    encode(Payload, {
      metadata: { encoding: Buffer.from("json/plain"), type: Buffer.from("Keyword") },
      data: Buffer.from(JSON.stringify(value)),
    });
  return { indexedFields: { BatcherUser: keyword(identity), TemporalNamespaceDivision: keyword(division) } };
}
