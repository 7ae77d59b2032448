/** Commands of the workflows that tests of time skipping run. */
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { Init } from "../../src/api/wire.js";
import { MINUTE, span } from "./world.js";

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
  complete: () => make(CommandType.COMPLETE_WORKFLOW_EXECUTION, "completeWorkflowExecutionCommandAttributes", {}),
  fail: (message: string) =>
    make(CommandType.FAIL_WORKFLOW_EXECUTION, "failWorkflowExecutionCommandAttributes", {
      failure: { message, failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } },
    }),
};
