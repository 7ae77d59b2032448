/** Nexus operations of workflows and standalone ones, and completion callbacks: attempts, timeouts, and what a handler is told of them. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { PollNexusTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { command as c, seconds } from "../../conformance/session.js";
import type { MomentScript, MomentSession } from "../moment-session.js";
import { failNexus, startNexus } from "../outcomes.js";

/** Shown as the queue is, whose name is in it. */
const endpointName = (s: MomentSession) => `e-${s.queue}`;
const endpoint = (s: MomentSession) =>
  s.call("CreateNexusEndpoint", {
    spec: { name: endpointName(s), target: { variant: { case: "worker", value: { namespace: "default", taskQueue: s.queue } } } },
  });
const request = (s: MomentSession, extra: object) => ({ endpoint: endpointName(s), service: "S", operation: "O", ...extra });
const operation = (s: MomentSession, extra: object = {}) => ({
  commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
  attributes: { case: "scheduleNexusOperationCommandAttributes", value: request(s, extra) } as never,
});
/** A workflow that waits for an operation. */
const scheduled = async (s: MomentSession, extra: object = {}) => {
  await endpoint(s);
  await s.running([operation(s, extra)]);
};
const standalone = async (s: MomentSession, extra: object = {}) => {
  await endpoint(s);
  await s.call("StartNexusOperationExecution", {
    operationId: s.id,
    requestId: s.id,
    identity: "client",
    ...request(s, extra),
  } as never);
};
const describes = async (s: MomentSession, what: string) => s.leaves(what, await s.call("DescribeNexusOperationExecution", { operationId: s.id }));
const pending = async (s: MomentSession, what: string) =>
  s.leaves(what, (await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } })).pendingNexusOperations);
const callbacks = async (s: MomentSession, what: string) =>
  s.leaves(what, (await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } })).callbacks);
/** The workflow hears how it ended, and ends. */
const told = async (s: MomentSession, until: number): Promise<void> => {
  for await (const t of s.workflowTasks(until)) await s.complete(t, c.complete());
  await s.events("history");
};
/** "9.5s", "950ms", "1m30s": what a handler is told of its time. */
function secondsOf(text: string): number {
  const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  let sum = 0;
  for (const [, n, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) sum += Number(n) * (UNITS[unit ?? ""] ?? Number.NaN);
  return sum;
}
const timeouts = (s: MomentSession, what: string, { request: r }: PollNexusTaskQueueResponse) => {
  for (const [name, value] of Object.entries(r?.header ?? {}))
    if (/timeout$/i.test(name)) s.lasts(`${what}: ${name.toLowerCase()}`, secondsOf(value));
};

export const scripts: Record<string, MomentScript> = {
  "a handler that fails again and again": async (s) => {
    await scheduled(s);
    for await (const t of s.nexusTasks(5.5)) await failNexus(s, t);
    await pending(s, "backing off");
  },
  "an operation that nobody handles": async (s) => {
    await scheduled(s, { scheduleToCloseTimeout: seconds(5) });
    await s.goTo(3);
    await pending(s, "waits");
    await told(s, 7);
  },
  "a handler that does not answer": async (s) => {
    await scheduled(s, { scheduleToCloseTimeout: seconds(15) });
    for await (const t of s.nexusTasks(17)) timeouts(s, "request", t);
    await told(s, 18);
  },
  "a handler that has all the time": async (s) => {
    await scheduled(s);
    const t = await s.nexusTaskBy(5);
    if (t !== undefined) timeouts(s, "request", t);
  },
  "schedule-to-start": async (s) => {
    await scheduled(s, { scheduleToStartTimeout: seconds(2), scheduleToCloseTimeout: seconds(15) });
    await told(s, 5);
  },
  "start-to-close": async (s) => {
    await scheduled(s, { startToCloseTimeout: seconds(2), scheduleToCloseTimeout: seconds(15) });
    await s.goTo(1);
    await startNexus(s, await s.nexusTaskBy(4));
    s.happens("started");
    await told(s, 6);
  },
  "an operation described in each state": async (s) => {
    await scheduled(s, { scheduleToCloseTimeout: seconds(50), scheduleToStartTimeout: seconds(40), startToCloseTimeout: seconds(30) });
    await s.goTo(1);
    await pending(s, "scheduled");
    const t = await s.nexusTaskBy(4);
    if (t !== undefined) timeouts(s, "request", t);
    await failNexus(s, t);
    await s.goTo(1.5);
    await pending(s, "backing off");
    await startNexus(s, await s.nexusTaskBy(5));
    await s.goTo(3.5);
    await pending(s, "started");
    await s.complete(await s.workflowTaskBy(5), {
      commandType: CommandType.REQUEST_CANCEL_NEXUS_OPERATION,
      attributes: { case: "requestCancelNexusOperationCommandAttributes", value: { scheduledEventId: 5 } } as never,
    });
    await s.goTo(4.5);
    await pending(s, "asked to cancel");
    for await (const u of s.nexusTasks(8)) await failNexus(s, u);
    await pending(s, "the request fails");
  },
  "a standalone operation described in each state": async (s) => {
    await standalone(s, { scheduleToCloseTimeout: seconds(50), scheduleToStartTimeout: seconds(40) });
    await s.goTo(1);
    await describes(s, "scheduled");
    await failNexus(s, await s.nexusTaskBy(4));
    await s.goTo(1.5);
    await describes(s, "backing off");
    await startNexus(s, await s.nexusTaskBy(5));
    await s.goTo(3.5);
    await describes(s, "started");
    await s.call("RequestCancelNexusOperationExecution", { operationId: s.id, requestId: "c", reason: "enough" });
    await s.goTo(4);
    await describes(s, "asked to cancel");
    await s.call("TerminateNexusOperationExecution", { operationId: s.id, requestId: "t", reason: "end" });
    await describes(s, "terminated");
  },
  "a standalone operation that times out": async (s) => {
    await standalone(s, { scheduleToCloseTimeout: seconds(3) });
    for await (const t of s.nexusTasks(5)) timeouts(s, "request", t);
    // Whether the timer or the attempt that runs out of time comes first is chance.
    const { info } = await s.call("DescribeNexusOperationExecution", { operationId: s.id });
    s.leaves("timed out", { ...info, lastAttemptFailure: undefined, lastAttemptCompleteTime: undefined });
  },
  "a standalone operation whose handler fails": async (s) => {
    await standalone(s);
    for await (const t of s.nexusTasks(5.5)) await failNexus(s, t);
    await describes(s, "backing off");
  },
  "a standalone operation, listed": async (s) => {
    await standalone(s);
    const list = () => s.call("ListNexusOperationExecutions", { query: `OperationId = '${s.id}'` });
    await s.goTo(1.5);
    s.leaves("running", await list());
    await s.call("TerminateNexusOperationExecution", { operationId: s.id, requestId: "t", reason: "end" });
    await s.goTo(3);
    s.leaves("terminated", await list());
  },
  "a callback that is refused": async (s) => {
    await s.start({ completionCallbacks: [{ variant: { case: "nexus", value: { url: "http://127.0.0.1:1/x", header: { a: "b" } } } }] });
    await callbacks(s, "standby");
    await s.answer([c.complete()]);
    await s.goTo(0.5);
    await callbacks(s, "backing off");
    await s.goTo(2);
    await callbacks(s, "later");
  },
};
