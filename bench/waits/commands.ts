/** Workflows and commands of the loads. */
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { TaskQueue } from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type { PollWorkflowTaskQueueResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { jsonPayload } from "../../src/api/json-payload.js";
import { duration } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";
import type { Rpc } from "../rpc.js";
import { times } from "./loads.js";

const DAY_MICROS = 86_400_000_000;
/** Of tasks that no worker takes. */
export const nobody = { name: "nobody", kind: 1 } as const;

export const marker: Init<Command> = {
  commandType: CommandType.RECORD_MARKER,
  attributes: { case: "recordMarkerCommandAttributes", value: { markerName: "m" } },
};
export const timer = (timerId: string, micros = DAY_MICROS): Init<Command> => ({
  commandType: CommandType.START_TIMER,
  attributes: { case: "startTimerCommandAttributes", value: { timerId, startToFireTimeout: duration(micros) } },
});
export const activity = (activityId: string, taskQueue: Init<TaskQueue> = nobody): Init<Command> => ({
  commandType: CommandType.SCHEDULE_ACTIVITY_TASK,
  attributes: {
    case: "scheduleActivityTaskCommandAttributes",
    value: { activityId, activityType: { name: "a" }, taskQueue, scheduleToCloseTimeout: duration(DAY_MICROS) },
  },
});
export const child = (workflowId: string): Init<Command> => ({
  commandType: CommandType.START_CHILD_WORKFLOW_EXECUTION,
  attributes: {
    case: "startChildWorkflowExecutionCommandAttributes",
    value: { workflowId, workflowType: { name: "c" }, taskQueue: nobody, parentClosePolicy: 1 },
  },
});
export const externalSignal = (workflowId: string): Init<Command> => ({
  commandType: CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
  attributes: { case: "signalExternalWorkflowExecutionCommandAttributes", value: { execution: { workflowId }, signalName: "s" } },
});
export const attribute = (name: string, value: unknown): Init<Command> => ({
  commandType: CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
  attributes: {
    case: "upsertWorkflowSearchAttributesCommandAttributes",
    value: { searchAttributes: { indexedFields: { [name]: jsonPayload(value) } } },
  },
});
export const memo = (name: string, value: unknown): Init<Command> => ({
  commandType: CommandType.MODIFY_WORKFLOW_PROPERTIES,
  attributes: { case: "modifyWorkflowPropertiesCommandAttributes", value: { upsertedMemo: { fields: { [name]: jsonPayload(value) } } } },
});

/** Each workflow has a task queue of its own, by its name: no poll takes the task of another load. */
export const start = (rpc: Rpc, workflowId: string, taskQueue: { name: string } = { name: workflowId }) =>
  rpc.call("StartWorkflowExecution", {
    workflowId,
    requestId: workflowId,
    workflowType: { name: "w" },
    taskQueue,
    workflowTaskTimeout: duration(120_000_000),
  });

export const poll = (rpc: Rpc, workflowId: string): Promise<PollWorkflowTaskQueueResponse> =>
  rpc.call("PollWorkflowTaskQueue", { taskQueue: { name: workflowId, kind: 1 } });

/** A workflow whose first workflow task has been taken. */
export async function begin(rpc: Rpc, workflowId: string): Promise<Uint8Array> {
  await start(rpc, workflowId);
  return (await poll(rpc, workflowId)).taskToken;
}

export const complete = (rpc: Rpc, taskToken: Uint8Array, commands: readonly Init<Command>[]) =>
  rpc.call("RespondWorkflowTaskCompleted", { taskToken, commands: [...commands] });

export const signal = (rpc: Rpc, workflowId: string, requestId: string, input?: Uint8Array) =>
  rpc.call("SignalWorkflowExecution", {
    workflowExecution: { workflowId },
    signalName: "s",
    requestId,
    ...(input === undefined ? {} : { input }),
  });

/** A workflow of about so many events, all but a few of them markers. */
export async function long(rpc: Rpc, workflowId: string, events: number): Promise<void> {
  const A_TASK = 10_000;
  let token = await begin(rpc, workflowId);
  for (let has = 0; ; has += A_TASK) {
    await complete(
      rpc,
      token,
      times(Math.min(A_TASK, events - has) - 4, () => marker),
    );
    if (has + A_TASK >= events) return;
    await signal(rpc, workflowId, `go-on-${has}`);
    token = (await poll(rpc, workflowId)).taskToken;
  }
}
