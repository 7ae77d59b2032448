/** COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { tellWorker } from "../../activity/worker-commands.js";
import { stringPayloads } from "../close.js";
import { type Completion, TaskFailure } from "./command.js";

export function requestCancelActivity(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES;
  if (command.attributes.case !== "requestCancelActivityTaskCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("RequestCancelActivityTaskCommandAttributes is not set on RequestCancelActivityTaskCommand."));
  const { scheduledEventId } = command.attributes.value;
  if (scheduledEventId <= 0) throw new TaskFailure(cause, invalidArgument("ScheduledEventId is not set on RequestCancelActivityTaskCommand."));
  const { run } = c;
  const activity = run.draft.activities.get(scheduledEventId);
  const isPending = activity !== undefined && !activity.cancelRequested;
  if (!isPending && (activity !== undefined || !run.events.hasBufferedWhere((e) => isActivityEnd(e, scheduledEventId))))
    throw new TaskFailure(
      cause,
      invalidArgument(`invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: ${scheduledEventId}`),
    );
  const event = run.add(
    EventType.ACTIVITY_TASK_CANCEL_REQUESTED,
    "activityTaskCancelRequestedEventAttributes",
    { workflowTaskCompletedEventId: c.completedEventId, scheduledEventId },
    c.extra(command),
  );
  // One that nobody runs ends at once.
  if (activity !== undefined && activity.startedTime === 0) {
    run.add(EventType.ACTIVITY_TASK_CANCELED, "activityTaskCanceledEventAttributes", {
      details: stringPayloads("ACTIVITY_ID_NOT_STARTED"),
      latestCancelRequestedEventId: event.eventId,
      scheduledEventId,
      startedEventId: 0,
      identity: c.identity,
    });
    c.activityCanceledUnstarted = true;
  } else if (activity !== undefined) tellWorker(run, activity, c.completedEventId);
  return event;
}

function isActivityEnd(e: HistoryEvent, scheduledEventId: number): boolean {
  switch (e.attributes.case) {
    case "activityTaskCompletedEventAttributes":
    case "activityTaskFailedEventAttributes":
    case "activityTaskTimedOutEventAttributes":
    case "activityTaskCanceledEventAttributes":
      return e.attributes.value.scheduledEventId === scheduledEventId;
    default:
      return false;
  }
}
