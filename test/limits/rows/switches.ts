/** Switches of the official server that are on by default there too: what is different where they are off. */
import { Payload, Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { Response } from "../../../gen/wire/temporal/api/nexus/v1/message.js";
import { encode, type Init } from "../../../src/api/wire.js";
import { type Session, seconds } from "../../conformance/session.js";
import { events, type Group, refusal, typesOf } from "../row.js";

const nexusTask = (s: Session) => s.call("PollNexusTaskQueue", { taskQueue: { name: s.queue }, identity: "handler" }, 20_000);
const answered = (s: Session, taskToken: Uint8Array, response: Init<Response>) =>
  s.call("RespondNexusTaskCompleted", { taskToken, identity: "handler", response });
const started: Init<Response> = {
  variant: { case: "startOperation", value: { variant: { case: "asyncSuccess", value: { operationToken: "token" } } } },
};

export const switchesOff: Group = {
  name: "switches that are off",
  settings: [
    "frontend.workerVersioningWorkflowAPIs=false",
    "history.sendTransientOrSpeculativeWorkflowTaskEvents=false",
    "component.nexusoperations.recordCancelRequestCompletionEvents=false",
    "history.enableSignalWithStartFromWorkflow=false",
    "history.externalPayloadsEnabled=false",
    "system.forceNexusEndpointRefreshOnRead=true",
    "admin.matchingNamespaceToPartitionDispatchRate=7",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
  ],
  rows: [
    {
      keys: ["frontend.workerVersioningWorkflowAPIs"],
      breach: "polls and a completion of a worker with a build id",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        const poll = { taskQueue: { name: s.queue }, identity: "w", workerVersionCapabilities: { buildId: "1", useVersioning: true } };
        return [
          await refusal(s, "PollWorkflowTaskQueue", poll as never, 20_000),
          await refusal(s, "PollActivityTaskQueue", poll as never, 20_000),
          await refusal(s, "PollNexusTaskQueue", poll as never, 20_000),
          await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, workerVersionStamp: { buildId: "1", useVersioning: true } } as never),
          await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, workerVersionStamp: { buildId: "1" } } as never),
        ];
      },
      answer: [
        ...Array.from({ length: 4 }, () => ["PERMISSION_DENIED", "Worker versioning in workflow progress APIs is disabled on this namespace."]),
        "OK",
      ],
    },
    {
      keys: ["history.externalPayloadsEnabled"],
      breach: "an external payload, described and listed",
      play: async (s) => {
        const payload = encode(Payload, { data: Buffer.from("elsewhere"), externalPayloads: [{ sizeBytes: 7 }] });
        await s.start({ input: encode(Payloads, { payloads: [payload] }) });
        await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
        const { workflowExecutionInfo: info } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
        const count = async (query: string) => (await s.call("CountWorkflowExecutions", { query: `WorkflowId = '${s.id}'${query}` })).count;
        await s.until("it is listed", async () => (await count(" AND ExecutionStatus = 'Terminated'")) === 1);
        return [info?.externalPayloadCount, info?.externalPayloadSizeBytes, await count(" AND TemporalExternalPayloadCount IS NOT NULL")];
      },
      answer: [0, 0, 0],
    },
    {
      keys: ["history.sendTransientOrSpeculativeWorkflowTaskEvents"],
      breach: "a history while a workflow task is tried again",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        await s.call("RespondWorkflowTaskFailed", { taskToken, identity: "worker", cause: 24 });
        await s.workflowTask();
        return typesOf(await events(s)).slice(2);
      },
      answer: ["WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED"],
    },
    {
      keys: ["history.enableSignalWithStartFromWorkflow"],
      breach: "a workflow that signals another and starts it",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        const operation = {
          endpoint: "__temporal_system",
          service: "temporal.api.workflowservice.v1.WorkflowService",
          operation: "SignalWithStartWorkflowExecution",
          input: encode(Payload, { metadata: { encoding: Buffer.from("binary/protobuf") } }),
        };
        const attributes = { case: "scheduleNexusOperationCommandAttributes", value: operation };
        const commands = [{ commandType: CommandType.SCHEDULE_NEXUS_OPERATION, attributes }];
        return refusal(s, "RespondWorkflowTaskCompleted", { taskToken, commands } as never);
      },
      answer: ["UNIMPLEMENTED", "SignalWithStart operation is disabled"],
    },
    {
      keys: ["component.nexusoperations.recordCancelRequestCompletionEvents"],
      breach: "requests to cancel, one taken and one refused",
      play: async (s) => {
        const endpoint = `e-${s.id}`;
        await s.call("CreateNexusEndpoint", {
          spec: { name: endpoint, target: { variant: { case: "worker", value: { namespace: "default", taskQueue: s.queue } } } },
        } as never);
        const schedule = {
          commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
          attributes: {
            case: "scheduleNexusOperationCommandAttributes",
            value: { endpoint, service: "s", operation: "o", scheduleToCloseTimeout: seconds(60) },
          } as never,
        };
        const cancel = (scheduledEventId: number) => ({
          commandType: CommandType.REQUEST_CANCEL_NEXUS_OPERATION,
          attributes: { case: "requestCancelNexusOperationCommandAttributes", value: { scheduledEventId } } as never,
        });
        await s.running([schedule, schedule]);
        for (const _ of [1, 2]) await answered(s, (await nexusTask(s)).taskToken, started);
        await s.until("both have started", async () => (await events(s)).filter((e) => typesOf([e])[0] === "NEXUS_OPERATION_STARTED").length === 2);
        await s.answer([cancel(5), cancel(6)]);
        await answered(s, (await nexusTask(s)).taskToken, { variant: { case: "cancelOperation", value: {} } });
        await s.call("RespondNexusTaskFailed", {
          taskToken: (await nexusTask(s)).taskToken,
          identity: "handler",
          failure: { message: "no", failureInfo: { case: "nexusHandlerFailureInfo", value: { type: "NOT_FOUND" } } },
        } as never);
        const states = async () => {
          const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
          return d.pendingNexusOperations.map((o) => o.cancellationInfo?.state ?? 0).sort();
        };
        await s.until("both have gone out", async () => (await states()).every((state) => state >= 3));
        return [await states(), typesOf(await events(s)).filter((t) => t.startsWith("NEXUS_OPERATION_CANCEL")), typesOf(await events(s)).at(-1)];
      },
      answer: [[3, 4], ["NEXUS_OPERATION_CANCEL_REQUESTED", "NEXUS_OPERATION_CANCEL_REQUESTED"], "NEXUS_OPERATION_CANCEL_REQUESTED"],
    },
    {
      keys: ["admin.matchingNamespaceToPartitionDispatchRate"],
      breach: "what the queue says of its rate",
      play: async (s) => {
        const polled = refusal(s, "PollActivityTaskQueue", { taskQueue: { name: s.queue }, identity: "w" } as never, 3_000);
        const described = () => s.call("DescribeTaskQueue", { taskQueue: { name: s.queue }, taskQueueType: 2, reportConfig: true } as never);
        await s.until("it is there", async () => (await described()).effectiveRateLimit !== undefined);
        const { effectiveRateLimit } = await described();
        await polled;
        return [effectiveRateLimit?.requestsPerSecond, effectiveRateLimit?.rateLimitSource];
      },
      answer: [7, 3],
    },
  ],
};
