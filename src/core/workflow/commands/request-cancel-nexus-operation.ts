/** COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { beginCancellation } from "../../nexus-operation/statemachine.js";
import { type Completion, TaskFailure } from "./command.js";

export function requestCancelNexusOperation(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES;
  if (command.attributes.case !== "requestCancelNexusOperationCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("empty CancelNexusOperationCommandAttributes"));
  const { scheduledEventId } = command.attributes.value;
  const { run } = c;
  const op = run.draft.nexusOperations.get(scheduledEventId);
  // The workflow cannot know of an end that waits for this very workflow task.
  if (op === undefined && !run.events.hasBufferedWhere((e) => isEnd(e, scheduledEventId)))
    throw new TaskFailure(
      cause,
      invalidArgument(`requested cancelation for a non-existing or already completed operation with scheduled event ID of ${scheduledEventId}`),
    );
  if (op?.cancellation !== undefined)
    throw new TaskFailure(cause, invalidArgument(`cancelation was already requested for an operation with scheduled event ID ${scheduledEventId}`));
  const event = run.add(
    EventType.NEXUS_OPERATION_CANCEL_REQUESTED,
    "nexusOperationCancelRequestedEventAttributes",
    { scheduledEventId, workflowTaskCompletedEventId: c.completedEventId },
    c.extra(command),
  );
  beginCancellation(run, scheduledEventId);
  return event;
}

function isEnd(e: HistoryEvent, scheduledEventId: number): boolean {
  switch (e.attributes.case) {
    case "nexusOperationCompletedEventAttributes":
    case "nexusOperationFailedEventAttributes":
    case "nexusOperationCanceledEventAttributes":
    case "nexusOperationTimedOutEventAttributes":
      return e.attributes.value.scheduledEventId === scheduledEventId;
    default:
      return false;
  }
}
