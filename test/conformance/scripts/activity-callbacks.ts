/** Completion callbacks of standalone activities: refused, attached, carried out, and as what a Nexus handler starts. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { PollNexusTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

/** Nobody listens there. Scripts with a port of their own do not open one another's circuit breakers. */
const callback = (path: string, extra: object = {}, port = 7) => ({
  variant: { case: "nexus" as const, value: { url: `http://127.0.0.1:${port}/${path}`, header: { K: "v" } } },
  ...extra,
});
const link = (workflowId: string) => ({
  variant: { case: "workflowEvent" as const, value: { namespace: "n", workflowId, runId: "r" } },
});
const request = (s: Session, extra: object = {}) =>
  ({
    activityId: s.id,
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(60),
    requestId: "r",
    identity: "client",
    ...extra,
  }) as never;
const start = (s: Session, extra: object = {}) => s.call("StartActivityExecution", request(s, extra));
const attaching = { idConflictPolicy: 2, onConflictOptions: { attachRequestId: true, attachCompletionCallbacks: true } };

const callbacksOf = async (s: Session) =>
  (await s.call("DescribeActivityExecution", { activityId: s.id })).callbacks
    .map(({ trigger, info }) => ({ trigger, info }))
    .sort((a, b) => (JSON.stringify(a.info?.callback) < JSON.stringify(b.info?.callback) ? -1 : 1));
const noted = async (s: Session) => s.note("callbacks", await callbacksOf(s));
/** Tried once, and waiting for the next time. */
const tried = async (s: Session) => {
  await s.until("each was tried", async () => (await callbacksOf(s)).every(({ info }) => (info?.attempt ?? 0) >= 1 && info?.state === 3));
  s.note(
    "callbacks that were tried",
    (await callbacksOf(s)).map(({ trigger, info }) => ({
      trigger,
      ...{ callback: info?.callback, state: info?.state, registrationTime: info?.registrationTime, last: info?.lastAttemptCompleteTime },
      ...{ failure: info?.lastAttemptFailure, next: info?.nextAttemptScheduleTime },
    })),
  );
};

/** Ended in that way, its callback is sent. */
const ended =
  (port: number, end: (s: Session) => Promise<unknown>, extra: object = {}): Script =>
  async (s) => {
    await start(s, { completionCallbacks: [callback("a", {}, port), callback("b", {}, port)], ...extra });
    await noted(s);
    await end(s);
    await tried(s);
  };

const endpointName = (s: Session) => `e-${s.id}`;
const nexusTask = (s: Session) => s.call("PollNexusTaskQueue", { taskQueue: { name: `${s.queue}-h` }, identity: "handler" }, 20_000);
function callbackOf(task: PollNexusTaskQueueResponse) {
  const v = task.request?.variant;
  if (v?.case !== "startOperation") throw new Error("not a start");
  return {
    variant: { case: "nexus" as const, value: { url: v.value.callback, header: { ...v.value.callbackHeader, "Nexus-Operation-Token": "token" } } },
  };
}
/** An operation that an activity carries out; it ends as the activity does. */
const carriedOut =
  (end: (s: Session) => Promise<unknown>, extra: object = {}): Script =>
  async (s) => {
    await s.call("CreateNexusEndpoint", {
      spec: { name: endpointName(s), target: { variant: { case: "worker", value: { namespace: "default", taskQueue: `${s.queue}-h` } } } },
    } as never);
    const value = { endpoint: endpointName(s), service: "svc", operation: "op", scheduleToCloseTimeout: seconds(60) };
    await s.running([
      {
        commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
        attributes: { case: "scheduleNexusOperationCommandAttributes", value } as never,
      },
    ]);
    const task = await nexusTask(s);
    await start(s, { taskQueue: { name: `${s.queue}-a` }, completionCallbacks: [callbackOf(task)], ...extra });
    await s.call("RespondNexusTaskCompleted", {
      taskToken: task.taskToken,
      identity: "handler",
      response: { variant: { case: "startOperation", value: { variant: { case: "asyncSuccess", value: { operationToken: "token" } } } } },
    } as never);
    // The start and the end are told in two workflow tasks.
    await s.answer([]);
    await end(s);
    await s.answer([c.complete()]);
    await s.history();
    const delivered = async () => (await callbacksOf(s)).map(({ info }) => [info?.state, info?.attempt, info?.lastAttemptFailure]);
    await s.until("it is known to have come", async () => (await delivered())[0]?.[0] === 5);
    s.note("delivered", await delivered());
  };
const activityTask = (s: Session) => s.activityTask(`${s.queue}-a`);
const failure = (extra: object = {}) => ({
  message: "no",
  failureInfo: { case: "applicationFailureInfo" as const, value: { type: "E", nonRetryable: true, details: payloads("d"), ...extra } },
});

export const scripts: Record<string, Script> = {
  "callbacks that are refused": async (s) => {
    const refused = (completionCallbacks: object[], extra: object = {}) =>
      s.refused("StartActivityExecution", request(s, { completionCallbacks, ...extra }));
    await refused([{}]);
    await refused([{ variant: { case: "internal", value: { data: Buffer.from("x") } } }]);
    await refused([{ variant: { case: "nexus", value: { url: "ftp://localhost/x" } } }]);
    await refused([{ variant: { case: "nexus", value: { url: `http://localhost/${"x".repeat(1000)}` } } }]);
    await refused([{ variant: { case: "nexus", value: { url: "http://localhost/", header: { k: "x".repeat(8192) } } } }]);
    await refused(Array.from({ length: 2001 }, () => callback("x")));
    await refused([callback("x")], { onConflictOptions: { attachCompletionCallbacks: true } });
    await refused([callback("x")], { links: [{}] });
  },
  "callbacks that are attached to what runs": async (s) => {
    await start(s, { completionCallbacks: [callback("first", { links: [link("l")] })] });
    const again = (requestId: string, extra: object) =>
      s.shown("StartActivityExecution", request(s, { requestId, ...extra }), ({ started }) => ({ started }));
    await again("r", { completionCallbacks: [callback("first", { links: [link("l")] })] });
    await again("not attached", { idConflictPolicy: 2, completionCallbacks: [callback("not attached")] });
    await again("without callbacks", { ...attaching, links: [link("a")] });
    await again("second", { ...attaching, completionCallbacks: [callback("second"), callback("third")] });
    await again("second", { ...attaching, completionCallbacks: [callback("second"), callback("third")] });
    await noted(s);
    await s.refused(
      "StartActivityExecution",
      request(s, { requestId: "many", ...attaching, completionCallbacks: Array.from({ length: 1998 }, () => callback("x")) }),
    );
    await s.call("TerminateActivityExecution", { activityId: s.id, reason: "enough" });
    await tried(s);
    await s.refused(
      "StartActivityExecution",
      request(s, { requestId: "late", ...attaching, idReusePolicy: 3, completionCallbacks: [callback("late")] }),
    );
  },
  "nobody takes it: completed": ended(4, async (s) => {
    const { taskToken } = await s.activityTask();
    await s.call("RespondActivityTaskCompleted", { taskToken, result: payloads("out") });
  }),
  "nobody takes it: failed, after a retry": ended(
    5,
    async (s) => {
      for (let i = 0; i < 2; i++) {
        const { taskToken } = await s.activityTask();
        await s.call("RespondActivityTaskFailed", { taskToken, failure: failure({ nonRetryable: i === 1 }) } as never);
      }
    },
    { retryPolicy: { initialInterval: seconds(0.1) } },
  ),
  "nobody takes it: canceled before a worker had it": ended(6, (s) =>
    s.call("RequestCancelActivityExecution", { activityId: s.id, reason: "why", requestId: "c" }),
  ),
  "a Nexus operation: completed": carriedOut(async (s) => {
    const { taskToken } = await activityTask(s);
    await s.call("RespondActivityTaskCompleted", { taskToken, result: payloads("out") });
  }),
  "a Nexus operation: completed without a result": carriedOut(async (s) => {
    const { taskToken } = await activityTask(s);
    await s.call("RespondActivityTaskCompleted", { taskToken });
  }),
  "a Nexus operation: failed": carriedOut(async (s) => {
    const { taskToken } = await activityTask(s);
    await s.call("RespondActivityTaskFailed", { taskToken, failure: failure(), identity: "worker" } as never);
  }),
  "a Nexus operation: canceled by the worker": carriedOut(async (s) => {
    const { taskToken } = await activityTask(s);
    await s.call("RequestCancelActivityExecution", { activityId: s.id, reason: "why", requestId: "c", identity: "operator" });
    await s.call("RespondActivityTaskCanceled", { taskToken, details: payloads("d"), identity: "worker" });
  }),
  "a Nexus operation: terminated": carriedOut((s) =>
    s.call("TerminateActivityExecution", { activityId: s.id, reason: "enough", identity: "operator" }),
  ),
  "a Nexus operation: out of time": carriedOut(async () => undefined, {
    scheduleToStartTimeout: seconds(0.5),
  }),
};
