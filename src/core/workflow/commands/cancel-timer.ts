/** COMMAND_TYPE_CANCEL_TIMER */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { type Completion, TaskFailure } from "./command.js";

export function cancelTimer(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_CANCEL_TIMER_ATTRIBUTES;
  if (command.attributes.case !== "cancelTimerCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("CancelTimerCommandAttributes is not set on CancelTimerCommand."));
  const { timerId } = command.attributes.value;
  const max = c.limits.idLengthMax;
  if (timerId === "") throw new TaskFailure(cause, invalidArgument("TimerId is not set on CancelTimerCommand."));
  if (Buffer.byteLength(timerId) > max)
    throw new TaskFailure(
      cause,
      invalidArgument(`TimerId on CancelTimerCommand exceeds length limit. TimerId=${timerId} Length=${Buffer.byteLength(timerId)} Limit=${max}`),
    );
  const { run } = c;
  const pending = run.draft.timerByName(timerId);
  let startedEventId = pending?.startedEventId;
  if (pending === undefined) {
    // It fired while the workflow was busy: the workflow did not see that, so the firing is undone.
    const fired = run.events.removeBuffered((e) => e.attributes.case === "timerFiredEventAttributes" && e.attributes.value.timerId === timerId);
    if (fired?.attributes.case !== "timerFiredEventAttributes")
      throw new TaskFailure(cause, invalidArgument(`invalid history builder state for action: add-timer-canceled-event, TimerID: ${timerId}`));
    startedEventId = fired.attributes.value.startedEventId;
    c.hasBuffered = c.hasBuffered && run.events.hasBuffered;
  }
  return run.add(
    EventType.TIMER_CANCELED,
    "timerCanceledEventAttributes",
    { timerId, startedEventId: startedEventId ?? 0, workflowTaskCompletedEventId: c.completedEventId, identity: c.identity },
    c.extra(command),
  );
}
