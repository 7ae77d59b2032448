/** COMMAND_TYPE_PROTOCOL_MESSAGE: says where among the commands a message of the completion takes effect. */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { invalidArgument } from "../../../api/service-error.js";
import { handleMessage } from "../update/messages.js";
import { type Completion, TaskFailure } from "./command.js";

export function protocolMessage(c: Completion, command: Command): undefined {
  const cause = Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE;
  if (command.attributes.case !== "protocolMessageCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("ProtocolMessageCommandAttributes is not set on ProtocolMessageCommand."));
  const { messageId } = command.attributes.value;
  if (messageId === "") throw new TaskFailure(cause, invalidArgument("MessageID is not set on ProtocolMessageCommand."));
  const message = c.messages?.take(messageId);
  if (message === undefined) throw new TaskFailure(cause, invalidArgument(`ProtocolMessageCommand referenced absent message ID ${messageId}`));
  handleMessage(c, message);
}
