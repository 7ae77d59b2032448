/** COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument, namespaceNotFound } from "../../../api/service-error.js";
import { isUuid } from "../../../lib/uuid.js";
import { TransferKind } from "../transfer-kind.js";
import { type Completion, TaskFailure } from "./command.js";
import { checkBlob } from "./limits-check.js";

export function signalExternal(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES;
  const on = "on SignalExternalWorkflowExecutionCommand";
  if (command.attributes.case !== "signalExternalWorkflowExecutionCommandAttributes")
    throw new TaskFailure(cause, invalidArgument(`SignalExternalWorkflowExecutionCommandAttributes is not set ${on}.`));
  const a = command.attributes.value;
  const { run } = c;
  const max = c.limits.idLengthMax;
  const target = c.target(a.namespace);
  if (target === undefined) throw namespaceNotFound(a.namespace);
  const refuse = (text: string) => new TaskFailure(cause, invalidArgument(text));
  if (a.execution === undefined) throw refuse(`Execution is not set ${on}.`);
  const { workflowId, runId } = a.execution;
  const ns = a.namespace;
  if (workflowId === "") throw refuse(`WorkflowId is not set ${on}. Namespace=${ns} RunId=${runId} SignalName=${a.signalName}`);
  if (Buffer.byteLength(workflowId) > max)
    throw refuse(
      `WorkflowId ${on} exceeds length limit. WorkflowId=${workflowId} Length=${Buffer.byteLength(workflowId)} Limit=${max} Namespace=${ns} RunId=${runId} SignalName=${a.signalName}`,
    );
  if (runId !== "" && !isUuid(runId))
    throw refuse(`Invalid RunId set ${on}. WorkflowId=${workflowId} Namespace=${ns} RunId=${runId} SignalName=${a.signalName}`);
  if (a.signalName === "") throw refuse(`SignalName is not set ${on}. WorkflowId=${workflowId} Namespace=${ns} RunId=${runId}`);
  const pendingMax = c.limits.pendingSignalsMax;
  if (pendingMax > 0 && run.draft.externalSignals.size >= pendingMax)
    throw new TaskFailure(
      Cause.PENDING_SIGNALS_LIMIT_EXCEEDED,
      invalidArgument(
        `the number of pending signals to external workflows, ${run.draft.externalSignals.size}, has reached the per-workflow limit of ${pendingMax}`,
      ),
    );
  checkBlob(c, a.input?.length ?? 0, cause, "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.");
  const event = run.add(
    EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    "signalExternalWorkflowExecutionInitiatedEventAttributes",
    {
      workflowTaskCompletedEventId: c.completedEventId,
      namespace: a.namespace,
      namespaceId: target.id,
      workflowExecution: { workflowId, runId },
      signalName: a.signalName,
      input: a.input,
      control: a.control,
      childWorkflowOnly: a.childWorkflowOnly,
      header: a.header,
    },
    c.extra(command),
  );
  run.transfer({
    kind: TransferKind.SIGNAL_EXTERNAL,
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
