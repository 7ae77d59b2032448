/** Commands of the workflows that tests of time skipping run. */
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { Init } from "../../src/api/wire.js";
import { accepted, protocolMessage, responded } from "../harness/core-commands.js";
import { MINUTE, span, type Workflow } from "./world.js";

const make = (commandType: CommandType, attributes: string, value: object): Init<Command> => ({
  commandType,
  attributes: { case: attributes, value } as never,
});

export const commands = {
  timer: (timerId: string, micros: number) =>
    make(CommandType.START_TIMER, "startTimerCommandAttributes", { timerId, startToFireTimeout: span(micros) }),
  cancelTimer: (timerId: string) => make(CommandType.CANCEL_TIMER, "cancelTimerCommandAttributes", { timerId }),
  activity: (activityId: string, extra: object = {}) =>
    make(CommandType.SCHEDULE_ACTIVITY_TASK, "scheduleActivityTaskCommandAttributes", {
      activityId,
      activityType: { name: "A" },
      taskQueue: { name: "q" },
      startToCloseTimeout: span(10 * MINUTE),
      ...extra,
    }),
  child: (workflowId: string, extra: object = {}) =>
    make(CommandType.START_CHILD_WORKFLOW_EXECUTION, "startChildWorkflowExecutionCommandAttributes", {
      workflowId,
      workflowType: { name: "C" },
      taskQueue: { name: "child" },
      ...extra,
    }),
  nexusOperation: (endpoint: string, scheduleToCloseMicros: number) =>
    make(CommandType.SCHEDULE_NEXUS_OPERATION, "scheduleNexusOperationCommandAttributes", {
      endpoint,
      service: "service",
      operation: "operation",
      scheduleToCloseTimeout: span(scheduleToCloseMicros),
    }),
  signalExternal: (workflowId: string, signalName: string) =>
    make(CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, "signalExternalWorkflowExecutionCommandAttributes", {
      execution: { workflowId },
      signalName,
    }),
  continueAsNew: (extra: object = {}) =>
    make(CommandType.CONTINUE_AS_NEW_WORKFLOW_EXECUTION, "continueAsNewWorkflowExecutionCommandAttributes", {
      workflowType: { name: "T" },
      ...extra,
    }),
  cancel: () => make(CommandType.CANCEL_WORKFLOW_EXECUTION, "cancelWorkflowExecutionCommandAttributes", {}),
  complete: () => make(CommandType.COMPLETE_WORKFLOW_EXECUTION, "completeWorkflowExecutionCommandAttributes", {}),
  fail: (message: string) =>
    make(CommandType.FAIL_WORKFLOW_EXECUTION, "failWorkflowExecutionCommandAttributes", {
      failure: { message, failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } },
    }),
};

/** Takes every update; its handler sleeps so long (0: not at all) before it answers. The workflow itself waits for ever. */
export const updatable =
  (micros: number): Workflow =>
  (events, messages) => {
    const done = new Set<string>();
    const slept: string[] = [];
    for (const { attributes: a } of events) {
      if (a.case === "timerFiredEventAttributes") slept.push(a.value.timerId);
      if (a.case === "workflowExecutionUpdateCompletedEventAttributes") done.add(a.value.meta?.updateId ?? "");
    }
    const ids = messages.map((m) => m.protocolInstanceId);
    const answered = [...slept.filter((id) => !done.has(id)), ...(micros === 0 ? ids : [])];
    return {
      commands: [
        ...ids.map((id) => protocolMessage(`${id}/accept`)),
        ...answered.map((id) => protocolMessage(`${id}/respond`)),
        ...(micros === 0 ? [] : ids.map((id) => commands.timer(id, micros))),
      ],
      messages: [...ids.map((id) => accepted(id)), ...answered.map((id) => responded(id))],
    };
  };
