/** Operations of the endpoint `__temporal_system`: requests to the server that workflows make as Nexus operations. */
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import {
  SignalWithStartWorkflowExecutionRequest as Request,
  SignalWithStartWorkflowExecutionResponse as Response,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode, type Init } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const ENDPOINT = "__temporal_system";
const SERVICE = "temporal.api.workflowservice.v1.WorkflowService";
const OPERATION = "SignalWithStartWorkflowExecution";
const targetId = (s: Session) => `${s.id}-target`;

const payload = (messageType: string, data: Uint8Array, encoding = "binary/protobuf") =>
  encode(Payload, { metadata: { encoding: Buffer.from(encoding), messageType: Buffer.from(messageType) }, data });
const request = (s: Session, extra: Init<Request> = {}) =>
  payload(
    "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionRequest",
    encode(Request, {
      workflowId: targetId(s),
      workflowType: { name: "Target" },
      taskQueue: { name: `${s.queue}-t` },
      input: payloads("in"),
      signalName: "sig",
      signalInput: payloads("signal in"),
      identity: "caller",
      ...extra,
    }),
  );
const schedule = (s: Session, extra: object = {}) => ({
  commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
  attributes: {
    case: "scheduleNexusOperationCommandAttributes",
    value: { endpoint: ENDPOINT, service: SERVICE, operation: OPERATION, input: request(s), ...extra },
  } as never,
});

const events = async (s: Session) => {
  const { history } = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: s.id } });
  return decode(History, history ?? new Uint8Array()).events;
};
/** What the operation gave the workflow. */
async function result(s: Session): Promise<void> {
  for (const { attributes: a, links } of await events(s))
    if (a.case === "nexusOperationCompletedEventAttributes") {
      const { metadata, data } = decode(Payload, a.value.result ?? new Uint8Array());
      s.note("result", { metadata, response: decode(Response, data), links });
    }
}
const ended = (s: Session) =>
  s.until("the operation has ended", async () => {
    const { pendingNexusOperations } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
    return pendingNexusOperations.length === 0;
  });
/** What the caller's history says of it. The metadata of payloads has no order: results are shown by themselves, inputs are known. */
async function story(s: Session): Promise<void> {
  await s.answer([c.complete()]);
  await s.history();
  const caller = s.log[s.log.length - 1]?.value as { result?: unknown; input?: unknown }[];
  for (const event of caller) {
    delete event.result;
    delete event.input;
  }
}

export const scripts: Record<string, Script> = {
  "a workflow signals another and starts it": async (s) => {
    await s.running([schedule(s, { scheduleToCloseTimeout: seconds(60) })]);
    await ended(s);
    await result(s);
    await story(s);
    await s.history(targetId(s));
  },
  "a workflow signals another that runs": async (s) => {
    await s.start({ workflowId: targetId(s), taskQueue: { name: `${s.queue}-t` } });
    await s.running([schedule(s, { input: request(s, { namespace: "default" }) })]);
    await ended(s);
    await result(s);
    await story(s);
    await s.history(targetId(s));
  },
  "a workflow may not start another again": async (s) => {
    await s.start({ workflowId: targetId(s), taskQueue: { name: `${s.queue}-t` } });
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: targetId(s) } });
    await s.running([schedule(s, { input: request(s, { workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE }) })]);
    await ended(s);
    await story(s);
  },
  "operations of the server that are refused": async (s) => {
    const long = "x".repeat(1001);
    let n = 0;
    // Each of a run of its own: the next attempt of one comes after a while.
    const bad = async (extra: object) => {
      const queue = `${s.queue}-${++n}`;
      await s.start({ workflowId: `${s.id}-${n}`, taskQueue: { name: queue } });
      const { taskToken } = await s.workflowTask(queue);
      await s.refused("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [schedule(s, extra)] });
    };
    await bad({ nexusHeader: { a: "b" } });
    await bad({ service: "svc" });
    await bad({ operation: "op" });
    for (const extra of [
      { namespace: "temporal-system" },
      { requestId: "r" },
      { links: [{ variant: { case: "batchJob", value: { jobId: "j" } } }] },
      { workflowId: "" },
      { workflowId: long },
      { signalName: "" },
      { signalName: long },
      { workflowType: { name: "" } },
      { workflowType: { name: long } },
      { taskQueue: { name: "" } },
      { taskQueue: { name: "/_sys/q" } },
      { workflowRunTimeout: seconds(-1) },
      { retryPolicy: { backoffCoefficient: 0.5 } },
      { cronSchedule: "* * * * *", workflowStartDelay: seconds(1) },
      { workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL },
      { workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING, workflowIdReusePolicy: WorkflowIdReusePolicy.TERMINATE_IF_RUNNING },
      { searchAttributes: { indexedFields: { Nope: payloads("v").subarray(2) } } },
      { priority: { priorityKey: -1 } },
    ] as Init<Request>[])
      await bad({ input: request(s, extra) });
  },
};
