/**
 * The workflow that a batch operation is: one activity does the work, its counts go to the memo. A pure function of the history.
 * Names, options and payloads are those of the official server's batch workflow (service/worker/batcher).
 */
import { BatchOperationInput } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { Payload, Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { firstJsonOf, jsonPayload } from "../../api/json-payload.js";
import { decode, encode, type Init } from "../../api/wire.js";
import { BATCH_STATS_MEMO, type BatchProgress, type BatchStats } from "../../core/batch/job-memo.js";

export const BATCH_WORKFLOW_TYPE = "temporal-sys-batch-workflow-protobuf";
export const BATCH_ACTIVITY_TYPE = "BatchActivityWithProtobuf";
export const BATCH_TASK_QUEUE = "temporal-sys-per-ns-tq";
/** No time-out: twenty years. */
const FOREVER = { seconds: 20 * 365 * 86_400 };
const SCHEDULE_TO_START = { seconds: 300 };
const HEARTBEAT = { seconds: 10 };
const RETRY = { initialInterval: { seconds: 10 }, backoffCoefficient: 1.7, maximumInterval: { seconds: 300 } };

export function batchInput(input: Init<BatchOperationInput>): Buffer {
  const metadata = { encoding: Buffer.from("binary/protobuf"), messageType: Buffer.from("temporal.server.api.batch.v1.BatchOperationInput") };
  return encode(Payloads, { payloads: [encode(Payload, { metadata, data: encode(BatchOperationInput, input) })] });
}

export function readBatchInput(payloads: Uint8Array): BatchOperationInput {
  const payload = decode(Payloads, payloads).payloads[0];
  return decode(BatchOperationInput, payload === undefined ? new Uint8Array() : decode(Payload, payload).data);
}

/** What the workflow does next; `isOver` when it ends with these commands. */
export function nextCommands(events: readonly HistoryEvent[]): { commands: Init<Command>[]; isOver: boolean } {
  let input: Uint8Array | undefined;
  let isScheduled = false;
  for (const { attributes } of events) {
    switch (attributes.case) {
      case "workflowExecutionStartedEventAttributes":
        input = attributes.value.input;
        break;
      case "activityTaskScheduledEventAttributes":
        isScheduled = true;
        break;
      case "activityTaskCompletedEventAttributes":
        return { commands: completion(attributes.value.result), isOver: true };
      case "activityTaskFailedEventAttributes":
        return { commands: [failure(attributes.value.failure)], isOver: true };
      case "activityTaskTimedOutEventAttributes":
        return { commands: [failure(attributes.value.failure)], isOver: true };
      case "workflowExecutionCancelRequestedEventAttributes":
        return { commands: [CANCEL], isOver: true };
    }
  }
  return { commands: isScheduled ? [] : [work(input)], isOver: false };
}

function work(input: Uint8Array | undefined): Init<Command> {
  return {
    commandType: CommandType.SCHEDULE_ACTIVITY_TASK,
    attributes: {
      case: "scheduleActivityTaskCommandAttributes",
      value: {
        activityId: "5",
        activityType: { name: BATCH_ACTIVITY_TYPE },
        taskQueue: { name: BATCH_TASK_QUEUE },
        input,
        scheduleToStartTimeout: SCHEDULE_TO_START,
        startToCloseTimeout: FOREVER,
        heartbeatTimeout: HEARTBEAT,
        retryPolicy: RETRY,
      },
    },
  };
}

function completion(result: Uint8Array | undefined): Init<Command>[] {
  const progress = firstJsonOf(result) as BatchProgress | undefined;
  const stats: BatchStats = { NumSuccess: progress?.SuccessCount ?? 0, NumFailure: progress?.ErrorCount ?? 0 };
  return [
    {
      commandType: CommandType.MODIFY_WORKFLOW_PROPERTIES,
      attributes: {
        case: "modifyWorkflowPropertiesCommandAttributes",
        value: { upsertedMemo: { fields: { [BATCH_STATS_MEMO]: jsonPayload(stats) } } },
      },
    },
    {
      commandType: CommandType.COMPLETE_WORKFLOW_EXECUTION,
      attributes: { case: "completeWorkflowExecutionCommandAttributes", value: { result } },
    },
  ];
}

function failure(cause: Failure | undefined): Init<Command> {
  return {
    commandType: CommandType.FAIL_WORKFLOW_EXECUTION,
    attributes: { case: "failWorkflowExecutionCommandAttributes", value: { failure: { message: "activity error", source: "Server", cause } } },
  };
}

const CANCEL: Init<Command> = {
  commandType: CommandType.CANCEL_WORKFLOW_EXECUTION,
  attributes: { case: "cancelWorkflowExecutionCommandAttributes", value: {} },
};
