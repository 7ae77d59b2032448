/** The trace of a finished run, from its history: what it was given and gave, and each step (activity, child workflow, timer) likewise. */
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { timestampMicros } from "../../api/time.js";
import { resultValue } from "../trigger/json-values.js";
import { failureText } from "../trigger/workflow-calls.js";

export interface TraceError {
  readonly name: string;
  readonly message: string;
}

export interface TraceNode {
  /** Activity id, timer id, or workflow id. */
  readonly id: string;
  readonly kind: "workflow" | "activity" | "timer" | "signal";
  readonly name: string;
  /** Epoch milliseconds; null while it has not ended. */
  readonly startedAt: number;
  endedAt: number | null;
  readonly input?: unknown;
  output?: unknown;
  error?: TraceError;
  attempts?: number;
}

export interface Trace extends TraceNode {
  readonly workflowId: string;
  readonly runId: string;
  readonly steps: readonly TraceNode[];
}

const ms = (event: HistoryEvent): number => Math.floor(timestampMicros(event.eventTime) / 1000);

function errorOf(failure: Failure | undefined, name: string): TraceError {
  let info = failure;
  while (info !== undefined && info.failureInfo.case !== "applicationFailureInfo") info = info.cause;
  const type = info?.failureInfo.case === "applicationFailureInfo" ? info.failureInfo.value.type : "";
  return { name: type === "" ? name : type, message: failureText(failure) };
}

export function traceOf(run: { workflowId: string; runId: string }, events: readonly HistoryEvent[]): Trace {
  const steps: TraceNode[] = [];
  /** By the event that began them. */
  const open = new Map<number, TraceNode>();
  const begin = (event: HistoryEvent, node: Omit<TraceNode, "startedAt" | "endedAt">): void => {
    const step: TraceNode = { ...node, startedAt: ms(event), endedAt: null };
    steps.push(step);
    open.set(event.eventId, step);
  };
  const end = (event: HistoryEvent, begun: number, outcome: Partial<TraceNode>): void => {
    const step = open.get(begun);
    if (step !== undefined) Object.assign(step, { endedAt: ms(event) }, outcome);
  };
  const ended = { canceled: { name: "Canceled", message: "canceled" }, timedOut: { name: "TimedOut", message: "timed out" } };
  let root: Omit<Trace, "steps"> = { id: run.runId, kind: "workflow", name: "", startedAt: 0, endedAt: null, ...run };
  for (const event of events) {
    const { attributes: a } = event;
    const endRoot = (outcome: Partial<TraceNode>): void => {
      root = { ...root, endedAt: ms(event), ...outcome };
    };
    switch (a.case) {
      case "workflowExecutionStartedEventAttributes":
        root = { ...root, name: a.value.workflowType?.name ?? "", startedAt: ms(event), input: resultValue(a.value.input) };
        break;
      case "workflowExecutionCompletedEventAttributes":
        endRoot({ output: resultValue(a.value.result) });
        break;
      case "workflowExecutionFailedEventAttributes":
        endRoot({ error: errorOf(a.value.failure, "WorkflowFailed") });
        break;
      case "workflowExecutionCanceledEventAttributes":
        endRoot({ error: ended.canceled });
        break;
      case "workflowExecutionTimedOutEventAttributes":
        endRoot({ error: ended.timedOut });
        break;
      case "workflowExecutionTerminatedEventAttributes":
        endRoot({ error: { name: "Terminated", message: a.value.reason } });
        break;
      case "workflowExecutionContinuedAsNewEventAttributes":
        endRoot({ output: { continuedAsNew: a.value.newExecutionRunId } });
        break;
      case "workflowExecutionSignaledEventAttributes":
        begin(event, { id: String(event.eventId), kind: "signal", name: a.value.signalName, input: resultValue(a.value.input) });
        end(event, event.eventId, {});
        break;
      case "activityTaskScheduledEventAttributes":
        begin(event, { id: a.value.activityId, kind: "activity", name: a.value.activityType?.name ?? "", input: resultValue(a.value.input) });
        break;
      case "activityTaskStartedEventAttributes": {
        const step = open.get(a.value.scheduledEventId);
        if (step !== undefined) step.attempts = a.value.attempt;
        break;
      }
      case "activityTaskCompletedEventAttributes":
        end(event, a.value.scheduledEventId, { output: resultValue(a.value.result) });
        break;
      case "activityTaskFailedEventAttributes":
        end(event, a.value.scheduledEventId, { error: errorOf(a.value.failure, "ActivityFailed") });
        break;
      case "activityTaskTimedOutEventAttributes":
        end(event, a.value.scheduledEventId, { error: errorOf(a.value.failure, "TimedOut") });
        break;
      case "activityTaskCanceledEventAttributes":
        end(event, a.value.scheduledEventId, { error: ended.canceled });
        break;
      case "timerStartedEventAttributes":
        begin(event, { id: a.value.timerId, kind: "timer", name: "timer" });
        break;
      case "timerFiredEventAttributes":
        end(event, a.value.startedEventId, {});
        break;
      case "timerCanceledEventAttributes":
        end(event, a.value.startedEventId, { error: ended.canceled });
        break;
      case "startChildWorkflowExecutionInitiatedEventAttributes":
        begin(event, { id: a.value.workflowId, kind: "workflow", name: a.value.workflowType?.name ?? "", input: resultValue(a.value.input) });
        break;
      case "startChildWorkflowExecutionFailedEventAttributes":
        end(event, a.value.initiatedEventId, { error: { name: "StartFailed", message: "the workflow id is in use" } });
        break;
      case "childWorkflowExecutionCompletedEventAttributes":
        end(event, a.value.initiatedEventId, { output: resultValue(a.value.result) });
        break;
      case "childWorkflowExecutionFailedEventAttributes":
        end(event, a.value.initiatedEventId, { error: errorOf(a.value.failure, "WorkflowFailed") });
        break;
      case "childWorkflowExecutionCanceledEventAttributes":
        end(event, a.value.initiatedEventId, { error: ended.canceled });
        break;
      case "childWorkflowExecutionTimedOutEventAttributes":
        end(event, a.value.initiatedEventId, { error: ended.timedOut });
        break;
      case "childWorkflowExecutionTerminatedEventAttributes":
        end(event, a.value.initiatedEventId, { error: { name: "Terminated", message: "terminated" } });
        break;
      default:
        break;
    }
  }
  return { ...root, steps };
}
