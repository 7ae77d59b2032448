/**
 * The workflow of the durability test: an activity, a timer and now and then a child, then an activity for each signal, until the
 * signal that ends it. What comes next follows from the history alone.
 */
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { duration } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";

export const QUEUE = "durability";
export const PARENT_TYPE = "parent";
export const CHILD_TYPE = "child";
export const END = "end";
const ACTIVITIES_MAX = 4;

export function commandsFor(type: string, workflowId: string, events: readonly HistoryEvent[]): Init<Command>[] {
  const begun = new Set<string>();
  let open = 0;
  let signals = 0;
  let isEnded = type === CHILD_TYPE;
  for (const { attributes: a } of events)
    switch (a.case) {
      case "activityTaskScheduledEventAttributes":
        begun.add(a.value.activityId);
        open++;
        break;
      case "timerStartedEventAttributes":
        begun.add(a.value.timerId);
        open++;
        break;
      case "startChildWorkflowExecutionInitiatedEventAttributes":
        begun.add("child");
        open++;
        break;
      case "activityTaskCompletedEventAttributes":
      case "activityTaskTimedOutEventAttributes":
      case "timerFiredEventAttributes":
      case "childWorkflowExecutionCompletedEventAttributes":
        open--;
        break;
      case "workflowExecutionSignaledEventAttributes":
        if (a.value.signalName === END) isEnded = true;
        else signals++;
        break;
      default:
    }
  const out: Init<Command>[] = [];
  const activity = (activityId: string): void => {
    if (begun.has(activityId)) return;
    out.push({
      commandType: CommandType.SCHEDULE_ACTIVITY_TASK,
      attributes: {
        case: "scheduleActivityTaskCommandAttributes",
        value: {
          activityId,
          activityType: { name: "a" },
          taskQueue: { name: QUEUE, kind: 1 },
          scheduleToCloseTimeout: duration(600_000_000),
          startToCloseTimeout: duration(1_000_000),
          retryPolicy: { initialInterval: duration(50_000), backoffCoefficient: 1 },
        },
      },
    });
  };
  activity("first");
  if (!begun.has("timer"))
    out.push({
      commandType: CommandType.START_TIMER,
      attributes: { case: "startTimerCommandAttributes", value: { timerId: "timer", startToFireTimeout: duration(30_000) } },
    });
  if (type === PARENT_TYPE && workflowId.endsWith("3") && !begun.has("child"))
    out.push({
      commandType: CommandType.START_CHILD_WORKFLOW_EXECUTION,
      attributes: {
        case: "startChildWorkflowExecutionCommandAttributes",
        value: { workflowId: `${workflowId}/child`, workflowType: { name: CHILD_TYPE }, taskQueue: { name: QUEUE, kind: 1 } },
      },
    });
  for (let i = 0; i < Math.min(signals, ACTIVITIES_MAX); i++) activity(`signal-${i}`);
  if (isEnded && open === 0 && out.length === 0)
    out.push({
      commandType: CommandType.COMPLETE_WORKFLOW_EXECUTION,
      attributes: { case: "completeWorkflowExecutionCommandAttributes", value: {} },
    });
  return out;
}
