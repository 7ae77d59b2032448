/** One row per command type: what applies it. */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { invalidArgument } from "../../../api/service-error.js";
import { enumName } from "../enum-name.js";
import { cancelTimer } from "./cancel-timer.js";
import { cancelWorkflow, completeWorkflow, failWorkflow } from "./close-workflow.js";
import type { CommandHandler } from "./command.js";
import { continueAsNew } from "./continue-as-new.js";
import { modifyProperties } from "./modify-properties.js";
import { protocolMessage } from "./protocol-message.js";
import { recordMarker } from "./record-marker.js";
import { requestCancelActivity } from "./request-cancel-activity.js";
import { requestCancelExternal } from "./request-cancel-external.js";
import { requestCancelNexusOperation } from "./request-cancel-nexus-operation.js";
import { scheduleActivity } from "./schedule-activity.js";
import { scheduleNexusOperation } from "./schedule-nexus-operation.js";
import { signalExternal } from "./signal-external.js";
import { startChild } from "./start-child.js";
import { startTimer } from "./start-timer.js";
import { upsertSearchAttributes } from "./upsert-search-attributes.js";

export const COMMANDS: Readonly<Partial<Record<CommandType, { name: string; handle: CommandHandler; closes: boolean }>>> = {
  [CommandType.SCHEDULE_ACTIVITY_TASK]: { name: "ScheduleActivityTask", handle: scheduleActivity, closes: false },
  [CommandType.REQUEST_CANCEL_ACTIVITY_TASK]: { name: "RequestCancelActivityTask", handle: requestCancelActivity, closes: false },
  [CommandType.START_TIMER]: { name: "StartTimer", handle: startTimer, closes: false },
  [CommandType.CANCEL_TIMER]: { name: "CancelTimer", handle: cancelTimer, closes: false },
  [CommandType.RECORD_MARKER]: { name: "RecordMarker", handle: recordMarker, closes: false },
  [CommandType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION]: {
    name: "RequestCancelExternalWorkflowExecution",
    handle: requestCancelExternal,
    closes: false,
  },
  [CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION]: { name: "SignalExternalWorkflowExecution", handle: signalExternal, closes: false },
  [CommandType.START_CHILD_WORKFLOW_EXECUTION]: { name: "StartChildWorkflowExecution", handle: startChild, closes: false },
  [CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES]: { name: "UpsertWorkflowSearchAttributes", handle: upsertSearchAttributes, closes: false },
  [CommandType.MODIFY_WORKFLOW_PROPERTIES]: { name: "ModifyWorkflowProperties", handle: modifyProperties, closes: false },
  [CommandType.SCHEDULE_NEXUS_OPERATION]: { name: "ScheduleNexusOperation", handle: scheduleNexusOperation, closes: false },
  [CommandType.REQUEST_CANCEL_NEXUS_OPERATION]: { name: "RequestCancelNexusOperation", handle: requestCancelNexusOperation, closes: false },
  [CommandType.PROTOCOL_MESSAGE]: { name: "ProtocolMessage", handle: protocolMessage, closes: false },
  [CommandType.CONTINUE_AS_NEW_WORKFLOW_EXECUTION]: { name: "ContinueAsNewWorkflowExecution", handle: continueAsNew, closes: true },
  [CommandType.COMPLETE_WORKFLOW_EXECUTION]: { name: "CompleteWorkflowExecution", handle: completeWorkflow, closes: true },
  [CommandType.FAIL_WORKFLOW_EXECUTION]: { name: "FailWorkflowExecution", handle: failWorkflow, closes: true },
  [CommandType.CANCEL_WORKFLOW_EXECUTION]: { name: "CancelWorkflowExecution", handle: cancelWorkflow, closes: true },
};

/** A closing command is the last one. */
export function checkSequence(commands: readonly Command[]): void {
  let closing: string | undefined;
  for (const command of commands) {
    if (closing !== undefined) {
      const names = commands.map((c) => COMMANDS[c.commandType]?.name ?? String(c.commandType)).join(", ");
      throw invalidArgument(`invalid command sequence: [${names}], command ${closing} must be the last command.`);
    }
    const row = COMMANDS[command.commandType];
    if (row === undefined) throw invalidArgument(`unknown command type: ${enumName(CommandType, command.commandType)}`);
    if (row.closes) closing = row.name;
  }
}
