/** COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument, namespaceNotFound } from "../../../api/service-error.js";
import { isUuid } from "../../../lib/uuid.js";
import { TransferKind } from "../transfer-kind.js";
import { type Completion, TaskFailure } from "./command.js";

export function requestCancelExternal(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES;
  const on = "on RequestCancelExternalWorkflowExecutionCommand";
  if (command.attributes.case !== "requestCancelExternalWorkflowExecutionCommandAttributes")
    throw new TaskFailure(cause, invalidArgument(`RequestCancelExternalWorkflowExecutionCommandAttributes is not set ${on}.`));
  const a = command.attributes.value;
  const { run } = c;
  const max = c.limits.idLengthMax;
  const target = c.target(a.namespace);
  if (target === undefined) throw namespaceNotFound(a.namespace);
  const refuse = (text: string) => new TaskFailure(cause, invalidArgument(text));
  const { workflowId, runId, namespace: ns } = a;
  if (workflowId === "") throw refuse(`WorkflowId is not set ${on}. Namespace=${ns} RunId=${runId}`);
  if (Buffer.byteLength(workflowId) > max)
    throw refuse(
      `WorkflowId ${on} exceeds length limit. WorkflowId=${workflowId} Length=${Buffer.byteLength(workflowId)} Limit=${max} RunId=${runId} Namespace=${ns}`,
    );
  if (runId !== "" && !isUuid(runId)) throw refuse(`Invalid RunId set ${on}. WorkflowId=${workflowId} RunId=${runId} Namespace=${ns}`);
  if (c.childrenInitiated.has(workflowId))
    throw refuse(
      `Start and RequestCancel for child workflow is not allowed in same workflow task. WorkflowId=${workflowId} RunId=${runId} Namespace=${ns}`,
    );
  const pendingMax = c.limits.pendingCancelRequestsMax;
  if (pendingMax > 0 && run.draft.externalCancels.size >= pendingMax)
    throw new TaskFailure(
      Cause.PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED,
      invalidArgument(
        `the number of pending requests to cancel external workflows, ${run.draft.externalCancels.size}, has reached the per-workflow limit of ${pendingMax}`,
      ),
    );
  const event = run.add(
    EventType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    "requestCancelExternalWorkflowExecutionInitiatedEventAttributes",
    {
      workflowTaskCompletedEventId: c.completedEventId,
      namespace: a.namespace,
      namespaceId: target.id,
      workflowExecution: { workflowId, runId },
      control: a.control,
      childWorkflowOnly: a.childWorkflowOnly,
      reason: a.reason,
    },
    c.extra(command),
  );
  run.transfer({
    kind: TransferKind.CANCEL_EXTERNAL,
    initiatedEventId: event.eventId,
    namespaceId: target.id,
    namespace: target.name,
    workflowId,
    runId,
    event,
    childWorkflowOnly: a.childWorkflowOnly,
    requestId: `${run.info.runId}:${event.eventId}`,
  });
  return event;
}
