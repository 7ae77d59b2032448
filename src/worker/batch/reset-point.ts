/** The event that a batch reset takes a workflow back to (official: service/worker/batcher/activities.go). */

import type { ResetOptions } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { ResetType } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { invalidArgument } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import { decode } from "../../api/wire.js";
import type { OperationContext } from "./operations.js";

const PAGE = 1000;

export type ResetTarget = ResetOptions["target"] | { case: "type"; value: ResetType };

interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

/** `runId`: the run to reset, which for a build id may be an earlier one. */
export async function resetPoint(
  c: OperationContext,
  execution: Execution,
  target: ResetTarget,
  currentRunOnly: boolean,
): Promise<{ runId: string; eventId: number }> {
  const { runId } = execution;
  switch (target.case) {
    case "firstWorkflowTask":
      return { runId, eventId: await workflowTask(c, execution, false) };
    case "lastWorkflowTask":
      return { runId, eventId: await workflowTask(c, execution, true) };
    case "type":
      if (target.value !== ResetType.FIRST_WORKFLOW_TASK && target.value !== ResetType.LAST_WORKFLOW_TASK)
        throw invalidArgument(`provided reset type (${target.value}) is not supported.`);
      return { runId, eventId: await workflowTask(c, execution, target.value === ResetType.LAST_WORKFLOW_TASK) };
    case "workflowTaskId":
      return { runId, eventId: target.value };
    case "buildId":
      return buildPoint(c, execution, target.value, currentRunOnly);
    default:
      throw invalidArgument("provided reset target is not supported.");
  }
}

/** The first or the last completed workflow task; where none was completed, what follows the first that was scheduled (seen from that end). */
async function workflowTask(c: OperationContext, execution: Execution, isLast: boolean): Promise<number> {
  const { GetWorkflowExecutionHistory, GetWorkflowExecutionHistoryReverse } = WorkflowService.methods;
  let scheduled = 0;
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const request = { namespace: c.namespace, execution, maximumPageSize: PAGE, nextPageToken };
    const page = isLast
      ? await c.client.call(GetWorkflowExecutionHistoryReverse, request, c.scope)
      : await c.client.call(GetWorkflowExecutionHistory, request, c.scope);
    for (const e of page.history === undefined ? [] : decode(History, page.history).events) {
      if (e.eventType === EventType.WORKFLOW_TASK_COMPLETED) return e.eventId;
      if (e.eventType === EventType.WORKFLOW_TASK_SCHEDULED && (isLast || scheduled === 0)) scheduled = e.eventId + 1;
    }
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  if (scheduled === 0) throw invalidArgument("unable to find any scheduled or completed task");
  return scheduled;
}

async function buildPoint(
  c: OperationContext,
  execution: Execution,
  buildId: string,
  currentRunOnly: boolean,
): Promise<{ runId: string; eventId: number }> {
  const { namespace } = c;
  const described = await c.client.call(WorkflowService.methods.DescribeWorkflowExecution, { namespace, execution }, c.scope);
  const point = described.workflowExecutionInfo?.autoResetPoints?.points.find((p) => p.buildId === buildId);
  if (point === undefined) throw invalidArgument(`Can't find reset point for ${buildId}`);
  if (!point.resettable) throw invalidArgument(`Reset point for ${buildId} is not resettable`);
  if (point.expireTime !== undefined && timestampMicros(point.expireTime) < c.nowMicros())
    throw invalidArgument(`Reset point for ${buildId} is expired`);
  if (execution.runId !== point.runId && currentRunOnly)
    throw invalidArgument(`Reset point for ${buildId} points to previous run and CurrentRunOnly is set`);
  return { runId: point.runId, eventId: point.firstWorkflowTaskCompletedId };
}
