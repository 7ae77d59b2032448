/** Nexus: endpoints, operations of workflows, operations that stand alone; completion callbacks. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { payloads, type Session, seconds } from "../../conformance/session.js";
import { events, type Group, type Row, refusal } from "../row.js";

const LONG = "x".repeat(51);
const endpointName = (s: Session) => `e-${s.id}`;
const worker = (s: Session) => ({ variant: { case: "worker" as const, value: { namespace: "default", taskQueue: s.queue } } });
const create = (s: Session, extra: object) =>
  refusal(s, "CreateNexusEndpoint", { spec: { name: endpointName(s), target: worker(s), ...extra } } as never);

const operation = (s: Session, extra: object) => ({
  commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
  attributes: {
    case: "scheduleNexusOperationCommandAttributes",
    value: { endpoint: endpointName(s), service: "s", operation: "o", scheduleToCloseTimeout: seconds(60), ...extra },
  } as never,
});
const scheduled = async (s: Session, ...operations: object[]) => {
  await s.call("CreateNexusEndpoint", { spec: { name: endpointName(s), target: worker(s) } } as never);
  await s.start();
  const { taskToken } = await s.workflowTask();
  const commands = operations.map((o) => operation(s, o));
  const answer = await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands } as never);
  const failure = (await events(s)).find((e) => e.eventType === EventType.WORKFLOW_TASK_FAILED)?.attributes;
  return [answer, failure?.case === "workflowTaskFailedEventAttributes" ? WorkflowTaskFailedCause[failure.value.cause] : undefined];
};
const failed = (why: string, cause = "BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES") => [
  [
    "INVALID_ARGUMENT",
    cause === "BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES"
      ? `BadScheduleNexusOperationAttributes: ${why}`
      : `PendingNexusOperationsLimitExceeded: ${why}`,
  ],
  cause,
];

const startWith = (s: Session, url: string, header: object = {}, count = 1) =>
  refusal(s, "StartWorkflowExecution", {
    workflowId: s.id,
    workflowType: { name: "T" },
    taskQueue: { name: s.queue },
    completionCallbacks: Array.from({ length: count }, () => ({ variant: { case: "nexus", value: { url, header } } })),
  } as never);
const startAlone = (s: Session, extra: object) =>
  refusal(s, "StartNexusOperationExecution", { operationId: s.id, endpoint: "e", service: "s", operation: "o", ...extra } as never);

const rows: Row[] = [
  {
    keys: ["limit.endpointNameMaxLength"],
    breach: "a long name of an endpoint",
    play: (s) => create(s, { name: LONG }),
    answer: ["INVALID_ARGUMENT", "endpoint name exceeds length limit of 50"],
  },
  {
    keys: ["limit.endpointExternalURLMaxLength"],
    breach: "a long address of an endpoint",
    play: (s) => create(s, { target: { variant: { case: "external", value: { url: `http://${LONG}` } } } }),
    answer: ["INVALID_ARGUMENT", "target URL length exceeds limit of 50"],
  },
  {
    keys: ["limit.endpointDescriptionMaxSize"],
    breach: "a long description of an endpoint",
    play: (s) => create(s, { description: payloads(LONG).subarray(2) }),
    answer: ["INVALID_ARGUMENT", "description size exceeds limit of 50"],
  },
  {
    keys: ["component.nexusoperations.limit.service.name.length"],
    breach: "a long name of a service",
    play: (s) => scheduled(s, { service: LONG }),
    answer: failed("ScheduleNexusOperationCommandAttributes.Service exceeds length limit of 50"),
  },
  {
    keys: ["component.nexusoperations.limit.operation.name.length"],
    breach: "a long name of an operation",
    play: (s) => scheduled(s, { operation: LONG }),
    answer: failed("ScheduleNexusOperationCommandAttributes.Operation exceeds length limit of 50"),
  },
  {
    keys: ["nexusoperation.limit.service.name.length", "nexusoperation.limit.operation.name.length", "nexusoperation.limit.header.size"],
    breach: "a long name of the service, of the operation, and a large header, of an operation that stands alone",
    play: async (s) => [
      await startAlone(s, { service: LONG }),
      await startAlone(s, { operation: LONG }),
      await startAlone(s, { nexusHeader: { key: LONG } }),
    ],
    answer: [
      ["INVALID_ARGUMENT", "service exceeds length limit. Length=51 Limit=50"],
      ["INVALID_ARGUMENT", "operation exceeds length limit. Length=51 Limit=50"],
      ["INVALID_ARGUMENT", "nexus_header exceeds size limit"],
    ],
  },
  {
    keys: ["component.nexusoperations.limit.header.size"],
    breach: "a large header of an operation",
    play: (s) => scheduled(s, { nexusHeader: { key: LONG } }),
    answer: failed("ScheduleNexusOperationCommandAttributes.NexusHeader exceeds size limit"),
  },
  {
    keys: ["component.nexusoperations.limit.operation.concurrency"],
    breach: "a third operation while two are pending",
    play: (s) => scheduled(s, {}, {}, {}),
    answer: failed("workflow has reached the pending nexus operation limit of 2 for this namespace", "PENDING_NEXUS_OPERATIONS_LIMIT_EXCEEDED"),
  },
  {
    keys: ["nexusoperation.limit.reasonLength"],
    breach: "a long reason to end an operation",
    play: async (s) => [
      await refusal(s, "TerminateNexusOperationExecution", { operationId: s.id, reason: LONG } as never),
      await refusal(s, "RequestCancelNexusOperationExecution", { operationId: s.id, reason: LONG } as never),
    ],
    answer: [
      ["INVALID_ARGUMENT", "reason exceeds length limit. Length=51 Limit=50"],
      ["INVALID_ARGUMENT", "reason exceeds length limit. Length=51 Limit=50"],
    ],
  },
  {
    keys: ["frontend.callbackURLMaxLength"],
    breach: "a long address of a callback",
    play: (s) => startWith(s, `http://${LONG}`),
    answer: ["INVALID_ARGUMENT", "invalid url: url length longer than max length allowed of 50"],
  },
  {
    keys: ["frontend.callbackHeaderMaxLength"],
    breach: "a large header of a callback",
    play: (s) => startWith(s, "http://example.org", { key: LONG }),
    answer: ["INVALID_ARGUMENT", "invalid header: header size longer than max allowed size of 50"],
  },
  {
    keys: ["callback.allowedAddresses"],
    breach: "a callback to where none may go",
    play: async (s) => [await startWith(s, "http://example.com"), await startWith(s, "http://secure.org")],
    answer: [
      ["INVALID_ARGUMENT", "invalid url: url does not match any configured callback address: http://example.com"],
      ["INVALID_ARGUMENT", "invalid url: callback address does not allow insecure connections: http://secure.org"],
    ],
  },
  {
    keys: ["callback.maxPerExecution"],
    breach: "a third callback of a workflow",
    play: (s) => startWith(s, "http://example.org", {}, 3),
    answer: ["INVALID_ARGUMENT", "cannot attach more than 2 callbacks to an execution"],
  },
];

export const nexus: Group = {
  name: "Nexus",
  settings: [
    "limit.endpointNameMaxLength=50",
    "limit.endpointExternalURLMaxLength=50",
    "limit.endpointDescriptionMaxSize=50",
    "component.nexusoperations.limit.service.name.length=50",
    "component.nexusoperations.limit.operation.name.length=50",
    "component.nexusoperations.limit.header.size=50",
    "component.nexusoperations.limit.operation.concurrency=2",
    "nexusoperation.limit.service.name.length=50",
    "nexusoperation.limit.operation.name.length=50",
    "nexusoperation.limit.header.size=50",
    "nexusoperation.limit.reasonLength=50",
    "nexusoperation.enableStandalone=true",
    "frontend.callbackURLMaxLength=50",
    "frontend.callbackHeaderMaxLength=50",
    'callback.allowedAddresses=[{"Pattern":"example.org","AllowInsecure":true},{"Pattern":"secure.org","AllowInsecure":false}]',
    "callback.maxPerExecution=2",
    "system.forceNexusEndpointRefreshOnRead=true",
  ],
  rows,
};

export const noNexusOperations: Group = {
  name: "no standalone Nexus operations",
  settings: ["nexusoperation.enableStandalone=false", "frontend.allowDeleteNamespaceIfNexusEndpointTarget=false"],
  rows: [
    {
      keys: ["nexusoperation.enableStandalone"],
      breach: "a standalone operation",
      play: async (s) => [
        await refusal(s, "StartNexusOperationExecution", { operationId: s.id, endpoint: "e", service: "s", operation: "o" } as never),
        await refusal(s, "ListNexusOperationExecutions", {}),
      ],
      answer: [
        ["UNIMPLEMENTED", "Standalone Nexus operation is disabled"],
        ["UNIMPLEMENTED", "Standalone Nexus operation is disabled"],
      ],
    },
    {
      keys: ["frontend.allowDeleteNamespaceIfNexusEndpointTarget"],
      breach: "the namespace of an endpoint",
      play: async (s) => {
        await s.call("RegisterNamespace", { namespace: s.id, workflowExecutionRetentionPeriod: seconds(86_400) } as never);
        await s.until("the namespace is there", () =>
          create(s, { target: { variant: { case: "worker", value: { namespace: s.id, taskQueue: s.queue } } } }).then((a) => a === "OK"),
        );
        return refusal(s, "DeleteNamespace", { namespace: s.id } as never);
      },
      answer: ["FAILED_PRECONDITION", "cannot delete a namespace that is a target of a Nexus endpoint e-<id>"],
    },
  ],
};
