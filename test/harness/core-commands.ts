/** Commands as a worker sends them, in the fewest words. A test that is about one attribute gives that one; the rest is valid. */
import type { Command as CommandType } from "../../gen/wire/temporal/api/command/v1/message.js";
import { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { Payload, Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType as Type } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { UpdateWorkflowExecutionLifecycleStage } from "../../gen/wire/temporal/api/enums/v1/update.js";
import { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import type { Message } from "../../gen/wire/temporal/api/protocol/v1/message.js";
import { Acceptance, Rejection, Response } from "../../gen/wire/temporal/api/update/v1/message.js";
import { UpdateWorkflowExecutionRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode, type Init, type MessageType } from "../../src/api/wire.js";
import type { Attributes, CommandAttributes } from "../../src/core/workflow/commands/command.js";

export const QUEUE = "q";

export const seconds = (n: number) => ({ seconds: Math.trunc(n), nanos: Math.round((n % 1) * 1e9) });
export const MICROS = 1_000_000;

/** One payload of JSON, encoded. */
export function payload(value: unknown): Uint8Array {
  return encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(JSON.stringify(value)) });
}

export function payloads(value: unknown): Uint8Array {
  return encode(Payloads, { payloads: [payload(value)] });
}

/** The JSON of encoded payloads. */
export function jsonOf(bytes: Uint8Array | undefined): unknown {
  const [first] = decode(Payloads, bytes ?? new Uint8Array(0)).payloads;
  return first === undefined ? undefined : JSON.parse(Buffer.from(decode(Payload, first).data).toString());
}

export function applicationFailure(message: string, info: { type?: string; nonRetryable?: boolean; nextRetryDelay?: object } = {}): Failure {
  return Failure.create({ message, failureInfo: { case: "applicationFailureInfo", value: info } } as Init<Failure>);
}

function command<C extends Attributes["case"]>(commandType: Type, name: C, value: Init<CommandAttributes<C>>): CommandType {
  return Command.create({ commandType, attributes: { case: name, value } } as unknown as Init<CommandType>);
}

type Values<C extends Attributes["case"]> = Init<CommandAttributes<C>>;

export const activity = (activityId: string, more: Values<"scheduleActivityTaskCommandAttributes"> = {}) =>
  command(Type.SCHEDULE_ACTIVITY_TASK, "scheduleActivityTaskCommandAttributes", {
    activityId,
    activityType: { name: "A" },
    taskQueue: { name: QUEUE },
    startToCloseTimeout: seconds(10),
    ...more,
  });
export const cancelActivity = (scheduledEventId: number) =>
  command(Type.REQUEST_CANCEL_ACTIVITY_TASK, "requestCancelActivityTaskCommandAttributes", { scheduledEventId });
export const timer = (timerId: string, afterSeconds: number) =>
  command(Type.START_TIMER, "startTimerCommandAttributes", { timerId, startToFireTimeout: seconds(afterSeconds) });
export const cancelTimer = (timerId: string) => command(Type.CANCEL_TIMER, "cancelTimerCommandAttributes", { timerId });
export const complete = (result?: unknown) =>
  command(Type.COMPLETE_WORKFLOW_EXECUTION, "completeWorkflowExecutionCommandAttributes", {
    result: result === undefined ? undefined : payloads(result),
  });
export const fail = (failure: Init<Failure> | undefined) =>
  command(Type.FAIL_WORKFLOW_EXECUTION, "failWorkflowExecutionCommandAttributes", { failure });
export const cancel = (details?: unknown) =>
  command(Type.CANCEL_WORKFLOW_EXECUTION, "cancelWorkflowExecutionCommandAttributes", {
    details: details === undefined ? undefined : payloads(details),
  });
export const marker = (markerName: string, details: Record<string, Uint8Array> = {}) =>
  command(Type.RECORD_MARKER, "recordMarkerCommandAttributes", { markerName, details });
export const continueAsNew = (more: Values<"continueAsNewWorkflowExecutionCommandAttributes"> = {}) =>
  command(Type.CONTINUE_AS_NEW_WORKFLOW_EXECUTION, "continueAsNewWorkflowExecutionCommandAttributes", more);
export const child = (workflowId: string, more: Values<"startChildWorkflowExecutionCommandAttributes"> = {}) =>
  command(Type.START_CHILD_WORKFLOW_EXECUTION, "startChildWorkflowExecutionCommandAttributes", {
    workflowId,
    workflowType: { name: "C" },
    ...more,
  });
export const signalExternal = (workflowId: string, more: Values<"signalExternalWorkflowExecutionCommandAttributes"> = {}) =>
  command(Type.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, "signalExternalWorkflowExecutionCommandAttributes", {
    execution: { workflowId },
    signalName: "s",
    ...more,
  });
export const cancelExternal = (workflowId: string, more: Values<"requestCancelExternalWorkflowExecutionCommandAttributes"> = {}) =>
  command(Type.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION, "requestCancelExternalWorkflowExecutionCommandAttributes", { workflowId, ...more });
export const memo = (fields: Record<string, unknown>) =>
  command(Type.MODIFY_WORKFLOW_PROPERTIES, "modifyWorkflowPropertiesCommandAttributes", { upsertedMemo: { fields: encoded(fields) } });
export const searchAttributes = (fields: Record<string, unknown>) =>
  command(Type.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, "upsertWorkflowSearchAttributesCommandAttributes", {
    searchAttributes: { indexedFields: encoded(fields) },
  });
export const protocolMessage = (messageId: string) => command(Type.PROTOCOL_MESSAGE, "protocolMessageCommandAttributes", { messageId });
export const nexusOperation = (more: Values<"scheduleNexusOperationCommandAttributes"> = {}) =>
  command(Type.SCHEDULE_NEXUS_OPERATION, "scheduleNexusOperationCommandAttributes", {
    endpoint: "endpoint",
    service: "svc",
    operation: "op",
    ...more,
  });
export const cancelNexusOperation = (scheduledEventId: number) =>
  command(Type.REQUEST_CANCEL_NEXUS_OPERATION, "requestCancelNexusOperationCommandAttributes", { scheduledEventId });
/** A command without its attributes. */
export const bare = (commandType: Type) => Command.create({ commandType });

function encoded(fields: Record<string, unknown>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, payload(v)]));
}

// What clients ask of updates, and what workers say of them.

export const update = (updateId: string, more: Init<UpdateWorkflowExecutionRequest> = {}): UpdateWorkflowExecutionRequest =>
  UpdateWorkflowExecutionRequest.create({
    waitPolicy: { lifecycleStage: UpdateWorkflowExecutionLifecycleStage.COMPLETED },
    request: { meta: { updateId, identity: "client" }, input: { name: "u", args: payloads(updateId) } },
    ...more,
  });

function messageOf<T>(type: MessageType<T>, updateId: string, id: string, body: Init<T>): Init<Message> {
  return { id, protocolInstanceId: updateId, body: { typeUrl: `type.googleapis.com/${type.typeName}`, value: encode(type, body) } };
}

export const accepted = (updateId: string, more: Init<Acceptance> = {}) =>
  messageOf(Acceptance, updateId, `${updateId}/accept`, {
    acceptedRequestMessageId: `${updateId}/request`,
    acceptedRequestSequencingEventId: 1,
    ...more,
  } as Init<Acceptance>);
export const rejected = (updateId: string, more: Init<Rejection> = {}) =>
  messageOf(Rejection, updateId, `${updateId}/reject`, { failure: { message: "no" }, ...more } as Init<Rejection>);
export const responded = (updateId: string, result: unknown = "done") =>
  messageOf(Response, updateId, `${updateId}/respond`, {
    meta: { updateId },
    outcome: { value: { case: "success", value: payloads(result) } },
  } as Init<Response>);
