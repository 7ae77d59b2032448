/** COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { TaskQueueKind } from "../../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument, type ServiceError } from "../../../api/service-error.js";
import { duration } from "../../../api/time.js";
import { dispatchActivity, noteDeadlines } from "../../activity/statemachine.js";
import { normalizeActivity } from "../../activity/validator.js";
import { type Completion, TaskFailure } from "./command.js";
import { checkBlob } from "./limits-check.js";

export function scheduleActivity(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES;
  if (command.attributes.case !== "scheduleActivityTaskCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("ScheduleActivityTaskCommandAttributes is not set on ScheduleActivityTaskCommand."));
  const a = command.attributes.value;
  const { run } = c;
  const normal = normalizeActivity(a, run.info.runTimeout, run.info.taskQueue, c.limits);
  if (normal.error !== undefined) throw new TaskFailure(cause, normal.error as ServiceError);
  const o = normal.options;
  if (a.useWorkflowBuildId && a.taskQueue !== undefined && a.taskQueue.name !== "" && a.taskQueue.name !== run.info.taskQueue)
    throw new TaskFailure(cause, invalidArgument("Activity with UseCompatibleVersion cannot run on different task queue."));
  checkBlob(c, a.input?.length ?? 0, cause, "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.");
  const pendingMax = c.limits.pendingActivitiesMax;
  if (pendingMax > 0 && run.draft.activities.size >= pendingMax)
    throw new TaskFailure(
      Cause.PENDING_ACTIVITIES_LIMIT_EXCEEDED,
      invalidArgument(`the number of pending activities, ${run.draft.activities.size}, has reached the per-workflow limit of ${pendingMax}`),
    );
  if (run.draft.activityByName(a.activityId) !== undefined)
    throw new TaskFailure(
      Cause.SCHEDULE_ACTIVITY_DUPLICATE_ID,
      invalidArgument(`invalid history builder state for action: add-activitytask-scheduled-event, ActivityID: ${a.activityId}`),
    );
  const event = run.add(
    EventType.ACTIVITY_TASK_SCHEDULED,
    "activityTaskScheduledEventAttributes",
    {
      activityId: a.activityId,
      activityType: a.activityType,
      taskQueue: { name: o.taskQueue, kind: TaskQueueKind.NORMAL },
      header: a.header,
      input: a.input,
      scheduleToCloseTimeout: duration(o.scheduleToClose),
      scheduleToStartTimeout: duration(o.scheduleToStart),
      startToCloseTimeout: duration(o.startToClose),
      heartbeatTimeout: duration(o.heartbeat),
      workflowTaskCompletedEventId: c.completedEventId,
      retryPolicy: o.retryPolicy,
      useWorkflowBuildId: a.useWorkflowBuildId,
      priority: a.priority,
    },
    c.extra(command),
  );
  const record = run.draft.activities.get(event.eventId);
  if (record === undefined) return event;
  noteDeadlines(run, record);
  if (a.requestEagerExecution && c.limits.eagerActivities && run.info.pause === undefined) c.eagerActivities.push(event.eventId);
  else dispatchActivity(run, record);
  return event;
}
