/** COMMAND_TYPE_START_TIMER */
import type { TimerRecord } from "../../../../gen/wire/perdure/persistence/v1/records.js";
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { cappedMicros, duration, durationProblem } from "../../../api/time.js";
import { type Completion, TaskFailure } from "./command.js";

export function startTimer(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_START_TIMER_ATTRIBUTES;
  if (command.attributes.case !== "startTimerCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("StartTimerCommandAttributes is not set on StartTimerCommand."));
  const { timerId, startToFireTimeout } = command.attributes.value;
  const max = c.limits.idLengthMax;
  if (timerId === "") throw new TaskFailure(cause, invalidArgument("TimerId is not set on StartTimerCommand."));
  if (Buffer.byteLength(timerId) > max)
    throw new TaskFailure(
      cause,
      invalidArgument(`TimerId on StartTimerCommand exceeds length limit. TimerId=${timerId} Length=${Buffer.byteLength(timerId)} Limit=${max}`),
    );
  const problem = durationProblem(startToFireTimeout);
  if (problem !== undefined)
    throw new TaskFailure(cause, invalidArgument(`An invalid StartToFireTimeout is set on StartTimerCommand: ${problem}. TimerId=${timerId}`));
  const { run } = c;
  if (run.draft.timerByName(timerId) !== undefined)
    throw new TaskFailure(
      Cause.START_TIMER_DUPLICATE_ID,
      invalidArgument(`invalid history builder state for action: add-timer-started-event, TimerID: ${timerId}`),
    );
  const event = run.add(
    EventType.TIMER_STARTED,
    "timerStartedEventAttributes",
    {
      timerId,
      startToFireTimeout: startToFireTimeout === undefined ? undefined : duration(cappedMicros(startToFireTimeout)),
      workflowTaskCompletedEventId: c.completedEventId,
    },
    c.extra(command),
  );
  const timer = run.draft.timers.get(event.eventId) as TimerRecord;
  run.deadline(timer.fireTime);
  if (c.firstTimer === undefined || timer.fireTime < c.firstTimer.fireTime) c.firstTimer = timer;
  return event;
}
