/** Standalone Nexus operations: from start to end, by every end, and every refusal. */
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import {
  NexusOperationIdConflictPolicy as Conflict,
  NexusOperationIdReusePolicy as Reuse,
  NexusOperationWaitStage as Stage,
} from "../../../gen/wire/temporal/api/enums/v1/nexus.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { PollNexusTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { encode, type Init } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const NO_SUCH = "0c6d6a5e-0000-4000-8000-000000000000";
const payload = (text: string): Uint8Array =>
  encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(JSON.stringify(text)) });
const endpointName = (s: Session) => `e-${s.id}`;
const handlers = (s: Session) => `${s.queue}-h`;

const endpoint = (s: Session) =>
  s.call("CreateNexusEndpoint", {
    spec: { name: endpointName(s), target: { variant: { case: "worker", value: { namespace: "default", taskQueue: handlers(s) } } } },
  });
const request = (s: Session, extra: object = {}) => ({
  operationId: s.id,
  requestId: `${s.id}-request`,
  identity: "caller",
  endpoint: endpointName(s),
  service: "svc",
  operation: "op",
  input: payload("in"),
  scheduleToCloseTimeout: seconds(60),
  ...extra,
});
const start = (s: Session, extra: object = {}) => s.call("StartNexusOperationExecution", request(s, extra));
const begin = async (s: Session, extra: object = {}) => {
  await endpoint(s);
  return start(s, extra);
};
const poll = (s: Session) => s.call("PollNexusTaskQueue", { taskQueue: { name: handlers(s) }, identity: "handler" }, 20_000);
const respond = (s: Session, task: PollNexusTaskQueueResponse, variant: object) =>
  s.call("RespondNexusTaskCompleted", {
    taskToken: task.taskToken,
    identity: "handler",
    response: { variant: { case: "startOperation", value: { variant: variant as never } } },
  });
const respondAsync = (s: Session, task: PollNexusTaskQueueResponse, operationToken = "token", links: object[] = []) =>
  respond(s, task, { case: "asyncSuccess", value: { operationToken, links } });
const respondCancel = (s: Session, task: PollNexusTaskQueueResponse) =>
  s.call("RespondNexusTaskCompleted", {
    taskToken: task.taskToken,
    identity: "handler",
    response: { variant: { case: "cancelOperation", value: {} } },
  });
const fail = (s: Session, task: PollNexusTaskQueueResponse, type: string, retryBehavior = 0) =>
  s.call("RespondNexusTaskFailed", {
    taskToken: task.taskToken,
    identity: "handler",
    failure: { message: "no", failureInfo: { case: "nexusHandlerFailureInfo", value: { type, retryBehavior } } } as Init<Failure>,
  });
const callbackOf = (task: PollNexusTaskQueueResponse) => {
  const v = task.request?.variant;
  if (v?.case !== "startOperation") throw new Error("not a start");
  return {
    variant: { case: "nexus" as const, value: { url: v.value.callback, header: { ...v.value.callbackHeader, "Nexus-Operation-Token": "token" } } },
  };
};
/** The workflow that serves an operation, whose callback it has; its answer ends the operation. */
const serve = async (s: Session, task: PollNexusTaskQueueResponse) => {
  await s.call("StartWorkflowExecution", {
    workflowId: `${s.id}-handler`,
    workflowType: { name: "H" },
    taskQueue: { name: `${s.queue}-w` },
    requestId: `${s.id}-handler-request`,
    completionCallbacks: [callbackOf(task)],
  });
};
const handlerAnswers = async (s: Session, commands: object[]) => {
  const t = await s.workflowTask(`${s.queue}-w`);
  await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands });
};

const of = (s: Session, extra: object = {}) => ({ operationId: s.id, ...extra });
/**
 * Sizes are of each server's records; how often state was written is each server's matter, too. The official server does not say when a
 * cancellation was asked for.
 */
const info = async (s: Session, extra: object = {}) => {
  const { info: i, input, outcome, longPollToken } = await s.call("DescribeNexusOperationExecution", of(s, extra));
  const cancellationInfo = i?.cancellationInfo === undefined ? undefined : { ...i.cancellationInfo, requestedTime: undefined };
  s.note("operation", {
    ...{ ...i, cancellationInfo, stateSizeBytes: 0, stateTransitionCount: 0 },
    ...{ input, outcome, hasToken: longPollToken.length > 0 },
  });
  return i;
};
/** How it ended, whichever of a timer and an attempt that ran out of time was first. */
const ending = async (s: Session) => {
  const { info: i, outcome } = await s.call("DescribeNexusOperationExecution", of(s, { includeOutcome: true }));
  s.note("ending", { status: i?.status, isClosed: i?.closeTime !== undefined, outcome });
};
const whole = (s: Session) => info(s, { includeInput: true, includeOutcome: true });
const closed = (s: Session) => s.shown("PollNexusOperationExecution", of(s, { waitStage: Stage.CLOSED }));
const started = (s: Session) => s.shown("PollNexusOperationExecution", of(s, { waitStage: Stage.STARTED }));
const until = (s: Session, what: string, is: (i: NonNullable<Awaited<ReturnType<typeof info>>>) => boolean) =>
  s.until(what, async () => {
    const { info: i } = await s.call("DescribeNexusOperationExecution", of(s));
    return i !== undefined && is(i);
  });

const shownTask = (s: Session, task: PollNexusTaskQueueResponse) => {
  const { "request-timeout": a, "Request-Timeout": b, "operation-timeout": o, ...header } = task.request?.header ?? {};
  const v = task.request?.variant;
  const value = v?.case === "startOperation" ? { ...v.value, callbackHeader: Object.keys(v.value.callbackHeader) } : v?.value;
  const sorted = Object.fromEntries(Object.entries(header).sort(([x], [y]) => (x < y ? -1 : 1)));
  s.note("task", { ...task.request, header: sorted, timeouts: [a, b, o].map((t) => t !== undefined), variant: value });
};

/** One operation, answered at once. */
const atOnce =
  (answer: (s: Session, task: PollNexusTaskQueueResponse) => Promise<unknown>, extra: object = {}): Script =>
  async (s) => {
    await begin(s, extra);
    await info(s);
    const task = await poll(s);
    shownTask(s, task);
    await answer(s, task);
    await closed(s);
    await whole(s);
  };

export const scripts: Record<string, Script> = {
  "an operation that completes at once": atOnce((s, t) => respond(s, t, { case: "syncSuccess", value: { payload: payload("out"), links: [] } }), {
    nexusHeader: { "X-Trace": "1" },
    scheduleToStartTimeout: seconds(120),
    startToCloseTimeout: seconds(30),
    userMetadata: { summary: payload("summary"), details: payload("details") },
    searchAttributes: { indexedFields: { ConformanceKeyword: payload("word") } },
  }),
  "an operation that fails at once": atOnce((s, t) =>
    respond(s, t, {
      case: "failure",
      value: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "T", nonRetryable: true } } },
    }),
  ),
  "an operation that is canceled at once": atOnce((s, t) =>
    respond(s, t, { case: "failure", value: { message: "gone", failureInfo: { case: "canceledFailureInfo", value: {} } } }),
  ),
  "an operation that its handler refuses": atOnce((s, t) => fail(s, t, "BAD_REQUEST")),
  "an operation tried again until it works": async (s) => {
    await begin(s);
    await fail(s, await poll(s), "INTERNAL");
    await until(s, "it backs off", (i) => i.lastAttemptFailure !== undefined);
    await info(s);
    await respond(s, await poll(s), { case: "syncSuccess", value: { payload: payload("out"), links: [] } });
    await closed(s);
    await whole(s);
  },
  "an operation that a workflow serves": async (s) => {
    await begin(s, { startToCloseTimeout: seconds(30) });
    const task = await poll(s);
    await serve(s, task);
    await respondAsync(s, task);
    await started(s);
    await whole(s);
    await handlerAnswers(s, [c.complete(payloads("out"))]);
    await closed(s);
    await whole(s);
  },
  "an operation whose workflow fails": async (s) => {
    await begin(s);
    const task = await poll(s);
    await serve(s, task);
    await respondAsync(s, task);
    await started(s);
    await handlerAnswers(s, [c.fail("bad")]);
    await closed(s);
    await whole(s);
  },
  "a completion before the answer to the start": async (s) => {
    await begin(s);
    const task = await poll(s);
    await serve(s, task);
    await handlerAnswers(s, [c.complete(payloads("out"))]);
    await closed(s);
    await s.refused("RespondNexusTaskCompleted", { taskToken: new Uint8Array([1]), identity: "handler" });
    await whole(s);
  },
  "an operation that nobody serves in time": async (s) => {
    await begin(s, { scheduleToCloseTimeout: seconds(2) });
    await closed(s);
    await ending(s);
  },
  "an operation that does not start in time": async (s) => {
    await begin(s, { scheduleToStartTimeout: seconds(2) });
    await closed(s);
    await ending(s);
  },
  "an operation that does not end in time": async (s) => {
    await begin(s, { startToCloseTimeout: seconds(1) });
    await respondAsync(s, await poll(s));
    await closed(s);
    await ending(s);
  },
  "an operation canceled by its caller": async (s) => {
    await begin(s);
    const task = await poll(s);
    await serve(s, task);
    await respondAsync(s, task);
    await started(s);
    await s.shown("RequestCancelNexusOperationExecution", of(s, { requestId: "cancel", identity: "caller", reason: "enough" }));
    await s.shown("RequestCancelNexusOperationExecution", of(s, { requestId: "cancel" }));
    await s.refused("RequestCancelNexusOperationExecution", of(s, { requestId: "another" }));
    const cancel = await poll(s);
    shownTask(s, cancel);
    await respondCancel(s, cancel);
    await until(s, "the handler has been asked", (i) => i.cancellationInfo?.state === 3);
    await info(s);
    await handlerAnswers(s, [c.cancel()]);
    await closed(s);
    await whole(s);
    await s.shown("RequestCancelNexusOperationExecution", of(s, { requestId: "cancel" }));
    await s.refused("RequestCancelNexusOperationExecution", of(s, { requestId: "another" }));
  },
  "a cancellation before the start": async (s) => {
    await begin(s);
    const task = await poll(s);
    await s.call("RequestCancelNexusOperationExecution", of(s, { requestId: "cancel", reason: "early" }));
    await info(s);
    await respondAsync(s, task);
    await fail(s, await poll(s), "NOT_FOUND");
    await until(s, "the handler has refused", (i) => i.cancellationInfo?.state === 4);
    await info(s);
  },
  "an operation terminated by its caller": async (s) => {
    await begin(s);
    await respondAsync(s, await poll(s));
    await started(s);
    await s.shown("TerminateNexusOperationExecution", of(s, { requestId: "terminate", identity: "caller", reason: "enough" }));
    await s.shown("TerminateNexusOperationExecution", of(s, { requestId: "terminate" }));
    await s.refused("TerminateNexusOperationExecution", of(s, { requestId: "another" }));
    await closed(s);
    await whole(s);
    await s.refused("RequestCancelNexusOperationExecution", of(s));
  },
  "ids used again": async (s) => {
    const first = await begin(s);
    s.note("first", { started: first.started });
    await s.shown("StartNexusOperationExecution", request(s));
    await s.refused("StartNexusOperationExecution", request(s, { requestId: "another" }));
    const same = await start(s, { requestId: "another", idConflictPolicy: Conflict.USE_EXISTING });
    s.note("existing", { started: same.started, isSame: same.runId === first.runId });
    await respond(s, await poll(s), { case: "syncSuccess", value: { payload: payload("out"), links: [] } });
    await closed(s);
    await s.refused("StartNexusOperationExecution", request(s, { requestId: "another", idReusePolicy: Reuse.REJECT_DUPLICATE }));
    await s.refused("StartNexusOperationExecution", request(s, { requestId: "another", idReusePolicy: Reuse.ALLOW_DUPLICATE_FAILED_ONLY }));
    const second = await start(s, { requestId: "second" });
    s.note("second", { started: second.started, isSame: second.runId === first.runId });
    await s.call("TerminateNexusOperationExecution", of(s, { requestId: "terminate" }));
    const third = await start(s, { requestId: "third", idReusePolicy: Reuse.ALLOW_DUPLICATE_FAILED_ONLY });
    s.note("third", { started: third.started });
    await info(s, { runId: first.runId, includeOutcome: true });
    await info(s, { runId: second.runId, includeOutcome: true });
  },
  "operations listed and counted": async (s) => {
    const { runId } = await begin(s, { searchAttributes: { indexedFields: { ConformanceKeyword: payload(s.id) } } });
    const mine = `ConformanceKeyword = ${JSON.stringify(s.id)}`;
    const list = async (query: string) => {
      const { operations } = await s.call("ListNexusOperationExecutions", { query });
      // The official server also shows by which mark it finds them.
      return operations.map(({ searchAttributes, ...o }) => ({ ...o, custom: searchAttributes?.indexedFields.ConformanceKeyword }));
    };
    await s.until("it is listed", async () => (await list(mine)).length === 1);
    s.note("running", await list(mine));
    await respond(s, await poll(s), { case: "syncSuccess", value: { payload: payload("out"), links: [] } });
    await closed(s);
    await s.until("its end is listed", async () => (await list(`${mine} AND ExecutionStatus = "Completed"`)).length === 1);
    s.note(
      "ended",
      (await list(mine)).map((o) => ({ ...o, stateTransitionCount: 0 })),
    );
    for (const query of [
      `OperationId = ${JSON.stringify(s.id)}`,
      `Endpoint = ${JSON.stringify(endpointName(s))} AND Service = "svc" AND Operation = "op"`,
      `${mine} AND RunId = ${JSON.stringify(runId)}`,
      `${mine} AND ExecutionStatus = "Running"`,
      `${mine} AND CloseTime IS NOT NULL`,
    ])
      await s.shown("CountNexusOperationExecutions", { query });
    await s.shown("CountNexusOperationExecutions", { query: `${mine} GROUP BY ExecutionStatus` });
    await s.shown("CountWorkflowExecutions", { query: `WorkflowId = ${JSON.stringify(s.id)}` });
    for (const query of ["nonsense", "NoSuchAttribute = 1"]) {
      await s.refused("ListNexusOperationExecutions", { query });
      await s.refused("CountNexusOperationExecutions", { query });
    }
  },
  "an operation deleted": async (s) => {
    await begin(s);
    await s.shown("DeleteNexusOperationExecution", of(s));
    await s.until("it has gone", async () => {
      try {
        await s.call("DescribeNexusOperationExecution", of(s));
        return false;
      } catch {
        return true;
      }
    });
    await s.refused("DescribeNexusOperationExecution", of(s));
    await s.refused("DeleteNexusOperationExecution", of(s));
  },
  "a change waited for": async (s) => {
    const { runId } = await begin(s);
    const { longPollToken } = await s.call("DescribeNexusOperationExecution", of(s));
    const waiting = s.call("DescribeNexusOperationExecution", of(s, { runId, longPollToken }), 20_000);
    await respondAsync(s, await poll(s));
    s.note("changed", { state: (await waiting).info?.state });
    await s.refused("DescribeNexusOperationExecution", of(s, { longPollToken }));
    await s.refused("DescribeNexusOperationExecution", of(s, { runId, longPollToken: new Uint8Array([1, 2]) }));
    s.note("not closed yet", await s.call("PollNexusOperationExecution", of(s), 2_500));
  },
  "starts refused": async (s) => {
    await endpoint(s);
    for (const extra of [
      { operationId: "" },
      { operationId: "x".repeat(1001) },
      { requestId: "x".repeat(1001) },
      { identity: "x".repeat(1001) },
      { endpoint: "" },
      { endpoint: "no-such-endpoint" },
      { service: "" },
      { service: "x".repeat(1001) },
      { operation: "" },
      { operation: "x".repeat(1001) },
      { scheduleToCloseTimeout: seconds(-1) },
      { scheduleToStartTimeout: seconds(-1) },
      { startToCloseTimeout: seconds(-1) },
      { userMetadata: { summary: payload("x".repeat(500)) } },
      { userMetadata: { details: payload("x".repeat(21_000)) } },
      { nexusHeader: { "Request-Timeout": "1s" } },
      { nexusHeader: { a: "x".repeat(9000) } },
      { searchAttributes: { indexedFields: { NoSuchAttribute: payload("x") } } },
    ])
      await s.refused("StartNexusOperationExecution", request(s, extra));
  },
  "calls refused": async (s) => {
    for (const method of [
      "DescribeNexusOperationExecution",
      "PollNexusOperationExecution",
      "RequestCancelNexusOperationExecution",
      "TerminateNexusOperationExecution",
      "DeleteNexusOperationExecution",
    ] as const) {
      await s.refused(method, {});
      await s.refused(method, of(s, { runId: "no-uuid" }));
      await s.refused(method, of(s));
      await s.refused(method, of(s, { runId: NO_SUCH }));
      await s.refused(method, { ...of(s), namespace: "there-is-no-such-namespace" });
    }
    for (const method of ["RequestCancelNexusOperationExecution", "TerminateNexusOperationExecution"] as const) {
      await s.refused(method, of(s, { reason: "x".repeat(1001) }));
      await s.refused(method, of(s, { identity: "x".repeat(1001) }));
    }
    for (const method of ["StartNexusOperationExecution", "ListNexusOperationExecutions", "CountNexusOperationExecutions"] as const)
      await s.refused(method, { namespace: "there-is-no-such-namespace" });
  },
};
