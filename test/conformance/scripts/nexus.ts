/** Nexus: endpoints, operations from the workflow's and from the handler's side, completion callbacks. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { Response } from "../../../gen/wire/temporal/api/nexus/v1/message.js";
import type { PendingNexusOperationInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import type { PollNexusTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Init } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const NO_SUCH = "0c6d6a5e-0000-4000-8000-000000000000";
const payload = (text: string): Uint8Array => payloads(text).subarray(2);
const endpointName = (s: Session) => `e-${s.id}`;
const handlers = (s: Session) => `${s.queue}-h`;
const handlerId = (s: Session) => `${s.id}-handler`;

const spec = (s: Session, extra: object = {}) => ({
  name: endpointName(s),
  target: { variant: { case: "worker" as const, value: { namespace: "default", taskQueue: handlers(s) } } },
  ...extra,
});
const endpoint = async (s: Session) => (await s.call("CreateNexusEndpoint", { spec: spec(s) })).endpoint?.id ?? "";

const schedule = (s: Session, extra: object = {}) => ({
  commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
  attributes: {
    case: "scheduleNexusOperationCommandAttributes",
    value: { endpoint: endpointName(s), service: "svc", operation: "op", input: payload("in"), scheduleToCloseTimeout: seconds(60), ...extra },
  } as never,
});
const cancel = (scheduledEventId: number) => ({
  commandType: CommandType.REQUEST_CANCEL_NEXUS_OPERATION,
  attributes: { case: "requestCancelNexusOperationCommandAttributes", value: { scheduledEventId } } as never,
});

const poll = (s: Session) => s.call("PollNexusTaskQueue", { taskQueue: { name: handlers(s) }, identity: "handler" }, 20_000);
/** Whether the handler is asked for anything within a while. */
const asked = async (s: Session) => {
  const task = await s.call("PollNexusTaskQueue", { taskQueue: { name: handlers(s) }, identity: "handler" }, 4_000);
  s.note("the handler is asked", task.taskToken.length > 0);
};
/** The part of a task that does not differ by the moment. */
const shownTask = (s: Session, { request }: PollNexusTaskQueueResponse) => {
  const { "request-timeout": a, "Request-Timeout": b, "operation-timeout": o, ...header } = request?.header ?? {};
  const start = request?.variant.case === "startOperation" ? request.variant.value : undefined;
  const value = start === undefined ? request?.variant.value : { ...start, callbackHeader: Object.keys(start.callbackHeader) };
  const sorted = Object.fromEntries(Object.entries(header).sort(([x], [y]) => (x < y ? -1 : 1)));
  s.note("task", { ...request, header: sorted, timeouts: [a, b, o].map((t) => t !== undefined), variant: value });
};
const startResponse = (variant: object): Init<Response> => ({ variant: { case: "startOperation", value: { variant: variant as never } } });
const respond = (s: Session, task: PollNexusTaskQueueResponse, variant: object) =>
  s.call("RespondNexusTaskCompleted", { taskToken: task.taskToken, identity: "handler", response: startResponse(variant) });
const respondAsync = (s: Session, task: PollNexusTaskQueueResponse, operationToken = "token", links: object[] = []) =>
  respond(s, task, { case: "asyncSuccess", value: { operationToken, links } });
const fail = (s: Session, task: PollNexusTaskQueueResponse, failure: Init<Failure>) =>
  s.call("RespondNexusTaskFailed", { taskToken: task.taskToken, identity: "handler", failure });
const handlerFailure = (type: string, retryBehavior = 0, extra: object = {}): Init<Failure> => ({
  message: "no",
  failureInfo: { case: "nexusHandlerFailureInfo", value: { type, retryBehavior } },
  ...extra,
});
const applicationFailure = (message: string, extra: object = {}): Init<Failure> => ({
  message,
  source: "test",
  stackTrace: "at here",
  failureInfo: { case: "applicationFailureInfo", value: { type: "T", nonRetryable: true, details: payloads("d"), nextRetryDelay: seconds(1.5) } },
  ...extra,
});

const describe = (s: Session, workflowId = s.id) => s.call("DescribeWorkflowExecution", { execution: { workflowId } });
/** Pending operations, by their scheduled event: the official server has no order. */
const pending = async (s: Session) =>
  s.note(
    "pending operations",
    (await describe(s)).pendingNexusOperations.sort((a, b) => a.scheduledEventId - b.scheduledEventId),
  );
/** As they are at the moment when the first of them is as it should be: what backs off does so for a second. */
const pendingWhen = async (s: Session, what: string, isSo: (first: PendingNexusOperationInfo | undefined) => boolean) => {
  let found: PendingNexusOperationInfo[] = [];
  await s.until(what, async () => {
    found = (await describe(s)).pendingNexusOperations;
    return isSo(found[0]);
  });
  s.note("pending operations", found);
};
const callbacks = async (s: Session, workflowId: string) =>
  s.note(
    "callbacks",
    (await describe(s, workflowId)).callbacks
      .map((x) => ({ ...x, callback: urlOf(x.callback) }))
      .sort((a, b) => (JSON.stringify(a.callback) < JSON.stringify(b.callback) ? -1 : 1)),
  );
const urlOf = (callback: unknown) => (callback as { variant: { value: { url: string; header: object } } }).variant.value.url;
const ended = (s: Session, count = 0) => s.until("operations have ended", async () => (await describe(s)).pendingNexusOperations.length === count);
const settled = (s: Session, workflowId: string, state: number) =>
  s.until("callbacks are in that state", async () => (await describe(s, workflowId)).callbacks.every((x) => x.state === state));

/** The callback that a task asks for, as workers attach it to what they start. */
const callbackOf = (task: PollNexusTaskQueueResponse, token = "token") => {
  const v = task.request?.variant;
  if (v?.case !== "startOperation") throw new Error("not a start");
  return {
    variant: { case: "nexus" as const, value: { url: v.value.callback, header: { ...v.value.callbackHeader, "Nexus-Operation-Token": token } } },
  };
};
const startHandler = (s: Session, task: PollNexusTaskQueueResponse, extra: object = {}, token = "token") =>
  s.call("StartWorkflowExecution", {
    workflowId: handlerId(s),
    workflowType: { name: "H" },
    taskQueue: { name: `${s.queue}-w` },
    requestId: `${s.id}-request`,
    identity: "handler",
    completionCallbacks: [callbackOf(task, token)],
    ...extra,
  });
const handlerAnswers = async (s: Session, commands: object[]) => {
  const t = await s.workflowTask(`${s.queue}-w`);
  await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands });
};
const startedLink = (s: Session, runId: string) => ({
  url: `temporal:///namespaces/default/workflows/${handlerId(s)}/${runId}/history?eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference`,
  type: "temporal.api.common.v1.Link.WorkflowEvent",
});

/** One operation, answered at once; the workflow then completes. */
const atOnce =
  (answer: (s: Session, task: PollNexusTaskQueueResponse) => Promise<unknown>, extra: object = {}): Script =>
  async (s) => {
    await endpoint(s);
    await s.running([schedule(s, extra)]);
    const task = await poll(s);
    shownTask(s, task);
    await answer(s, task);
    await s.answer([c.complete()]);
    await s.history();
  };

/** The history of what serves an operation. What a token is made of is each server's own. */
const handlerHistory = async (s: Session) => {
  await s.history(handlerId(s));
  type WithCallbacks = { completionCallbacks?: { variant: { value: { header: Record<string, string> } } }[] };
  for (const event of (s.log[s.log.length - 1]?.value ?? []) as WithCallbacks[])
    for (const callback of event.completionCallbacks ?? []) callback.variant.value.header["temporal-callback-token"] = "<token>";
};

/** One operation that a workflow serves, which then ends. */
const served =
  (end: (s: Session) => Promise<unknown>, extra: object = {}): Script =>
  async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    const task = await poll(s);
    const { runId } = await startHandler(s, task, extra);
    await respondAsync(s, task, "token", [startedLink(s, runId)]);
    await s.answer([]);
    await pending(s);
    await callbacks(s, handlerId(s));
    await end(s);
    await ended(s);
    await s.answer([c.complete()]);
    await settled(s, handlerId(s), 5);
    await callbacks(s, handlerId(s));
    await s.history();
    await handlerHistory(s);
  };

export const scripts: Record<string, Script> = {
  "an endpoint from its beginning to its end": async (s) => {
    const { endpoint: made } = await s.shown("CreateNexusEndpoint", { spec: spec(s, { description: payload("what it is for") }) });
    const id = made?.id ?? "";
    await s.shown("GetNexusEndpoint", { id });
    await s.shown("ListNexusEndpoints", { name: endpointName(s) });
    const target = { variant: { case: "external" as const, value: { url: "https://example.org/nexus?x=y" } } };
    // The official server forgets the time of creation with the first change.
    await s.shown("UpdateNexusEndpoint", { id, version: 1, spec: { name: `${endpointName(s)}-b`, target } }, (a) => ({
      ...a.endpoint,
      createdTime: undefined,
    }));
    await s.shown("GetNexusEndpoint", { id }, (a) => ({ ...a.endpoint, createdTime: undefined }));
    await s.shown("ListNexusEndpoints", { name: endpointName(s) });
    await s.refused("UpdateNexusEndpoint", { id, version: 1, spec: spec(s) });
    await s.call("DeleteNexusEndpoint", { id, version: 2 });
    await s.refused("GetNexusEndpoint", { id });
    await s.shown("ListNexusEndpoints", { name: `${endpointName(s)}-b` });
  },
  "endpoints refused": async (s) => {
    await endpoint(s);
    const worker = (value: object) => ({ target: { variant: { case: "worker" as const, value } } });
    const external = (url: string) => ({ target: { variant: { case: "external" as const, value: { url } } } });
    await s.refused("CreateNexusEndpoint", { spec: spec(s) });
    await s.refused("CreateNexusEndpoint", {});
    for (const extra of [
      { name: "" },
      { name: "under_score" },
      { name: "ends-with-" },
      { name: "x" },
      { name: "x".repeat(201) },
      worker({}),
      worker({ namespace: "there-is-no-such-namespace", taskQueue: "q" }),
      worker({ namespace: "default", taskQueue: "/_sys/q" }),
      worker({ namespace: "default", taskQueue: "q".repeat(1001) }),
      external(""),
      external("ftp://example.org"),
      external("no scheme"),
      external("http://[x"),
      external(`http://x/${"y".repeat(4096)}`),
      { description: payload("d".repeat(100)).subarray(0, 0), name: "" },
      { description: Buffer.concat([Buffer.from([18, 0xa8, 0xc3, 1]), Buffer.alloc(25_000)]) },
    ])
      await s.refused("CreateNexusEndpoint", { spec: spec(s, { name: `${endpointName(s)}-x`, ...extra }) });
    for (const id of ["", "x", NO_SUCH, "zzzzzzzz-0000-4000-8000-000000000000"]) {
      await s.refused("GetNexusEndpoint", { id });
      await s.refused("UpdateNexusEndpoint", { id, version: 1, spec: spec(s) });
      await s.refused("DeleteNexusEndpoint", { id, version: 1 });
    }
    await s.refused("UpdateNexusEndpoint", { id: NO_SUCH, version: 1 });
    await s.refused("DeleteNexusEndpoint", { id: "" });
    await s.refused("ListNexusEndpoints", { pageSize: -1 });
    await s.refused("ListNexusEndpoints", { pageSize: 1001 });
    await s.refused("ListNexusEndpoints", { nextPageToken: Buffer.from("no token") });
  },
  "an operation that completes at once": atOnce(
    (s, task) => respond(s, task, { case: "syncSuccess", value: { payload: payload("out"), links: [startedLink(s, NO_SUCH)] } }),
    { nexusHeader: { "X-Mine": "v" }, scheduleToStartTimeout: seconds(50), startToCloseTimeout: seconds(40) },
  ),
  "an operation without input and result": atOnce((s, task) => respond(s, task, { case: "syncSuccess", value: {} }), {
    input: undefined,
    scheduleToCloseTimeout: undefined,
  }),
  "an operation that fails at once": atOnce((s, task) =>
    respond(s, task, { case: "failure", value: applicationFailure("bad", { cause: applicationFailure("deeper") }) }),
  ),
  "an operation that is canceled at once": atOnce((s, task) =>
    respond(s, task, {
      case: "failure",
      value: { message: "gone", failureInfo: { case: "canceledFailureInfo", value: { details: payloads("d") } } },
    }),
  ),
  "an operation that fails in the older form": atOnce((s, task) =>
    respond(s, task, {
      case: "operationError",
      value: { operationState: "failed", failure: { message: "old", metadata: { k: "v" }, details: Buffer.from('{"a":1}') } },
    }),
  ),
  "an operation that is canceled in the older form": atOnce((s, task) =>
    respond(s, task, { case: "operationError", value: { operationState: "canceled", failure: { message: "old" } } }),
  ),
  "a handler that refuses": atOnce((s, task) =>
    fail(s, task, handlerFailure("BAD_REQUEST", 0, { stackTrace: "at there", cause: applicationFailure("why"), encodedAttributes: payload("e") })),
  ),
  "a handler that refuses in the older form": atOnce((s, task) =>
    s.call("RespondNexusTaskFailed", {
      taskToken: task.taskToken,
      error: { errorType: "NOT_FOUND", failure: { message: "old", metadata: { type: "mine" }, details: Buffer.from('"d"') } },
    }),
  ),
  "a handler that may not be asked again": atOnce((s, task) => fail(s, task, handlerFailure("INTERNAL", 2))),
  "an operation tried again until it works": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    await fail(s, await poll(s), handlerFailure("INTERNAL"));
    await pendingWhen(s, "it backs off", (o) => o?.state === 2);
    await fail(s, await poll(s), handlerFailure("BAD_REQUEST", 1));
    await pendingWhen(s, "it backs off again", (o) => o?.attempt === 2);
    const task = await poll(s);
    shownTask(s, task);
    await respond(s, task, { case: "syncSuccess", value: { payload: payload("out") } });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a workflow serves it and completes": served((s) => handlerAnswers(s, [c.complete(payloads("result"))])),
  "a workflow serves it and fails": served((s) =>
    handlerAnswers(s, [c.fail("no", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })]),
  ),
  "a workflow serves it and cancels itself": served((s) => handlerAnswers(s, [c.cancel()])),
  "a workflow serves it and is terminated": served((s) =>
    s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: handlerId(s) }, reason: "secret", identity: "somebody" }),
  ),
  "a workflow serves it and times out": served(async () => undefined, { workflowRunTimeout: seconds(4) }),
  "a workflow serves it and continues as new": served(async (s) => {
    await s.sleep(1100);
    await handlerAnswers(s, [c.continueAsNew()]);
    await callbacks(s, handlerId(s));
    await handlerAnswers(s, [c.complete(payloads("last"))]);
  }),
  "a workflow serves it and is tried again": served(
    async (s) => {
      await handlerAnswers(s, [c.fail("one", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })]);
      await handlerAnswers(s, [c.complete(payloads("two"))]);
    },
    { retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } },
  ),
  "a completion before the start is answered": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    const task = await poll(s);
    await startHandler(s, task);
    await handlerAnswers(s, [c.complete(payloads("early"))]);
    await ended(s);
    await respondAsync(s, task);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a completion that comes twice": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    const task = await poll(s);
    await startHandler(s, task);
    await respondAsync(s, task);
    await s.answer([]);
    await handlerAnswers(s, [c.complete()]);
    await ended(s);
    await startHandler(s, task, { requestId: `${s.id}-second` });
    await handlerAnswers(s, [c.complete()]);
    await settled(s, handlerId(s), 4);
    await callbacks(s, handlerId(s));
    await s.answer([c.complete()]);
    await startHandler(s, task, { requestId: `${s.id}-third` });
    await handlerAnswers(s, [c.complete()]);
    await settled(s, handlerId(s), 4);
    await callbacks(s, handlerId(s));
  },
  "an operation canceled by its workflow": async (s) => {
    await endpoint(s);
    await s.running([schedule(s, { nexusHeader: { k: "v" } })]);
    const task = await poll(s);
    await startHandler(s, task);
    await respondAsync(s, task);
    await s.answer([cancel(5)]);
    const canceling = await poll(s);
    shownTask(s, canceling);
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: handlerId(s) }, requestId: NO_SUCH });
    await s.call("RespondNexusTaskCompleted", { taskToken: canceling.taskToken, response: { variant: { case: "cancelOperation", value: {} } } });
    await s.answer([]);
    await pending(s);
    await handlerAnswers(s, [c.cancel()]);
    await ended(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a cancel request before the start": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    const task = await poll(s);
    await s.signal("wake");
    await s.answer([cancel(5)]);
    await pending(s);
    await respondAsync(s, task);
    const canceling = await poll(s);
    await fail(s, canceling, handlerFailure("UNAVAILABLE"));
    await s.until("it backs off", async () => (await describe(s)).pendingNexusOperations[0]?.cancellationInfo?.attempt === 1);
    await pending(s);
    await s.call("RespondNexusTaskCompleted", {
      taskToken: (await poll(s)).taskToken,
      response: { variant: { case: "cancelOperation", value: {} } },
    });
    await s.until("it went out", async () => (await describe(s)).pendingNexusOperations[0]?.cancellationInfo?.attempt === 2);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a cancel request that the handler refuses": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    await respondAsync(s, await poll(s));
    await s.answer([cancel(5)]);
    await fail(s, await poll(s), handlerFailure("NOT_FOUND", 0, { cause: applicationFailure("why") }));
    await s.until("it is known", async () => (await describe(s)).pendingNexusOperations[0]?.cancellationInfo?.attempt === 1);
    await pending(s);
    await s.answer([c.complete()]);
    await pending(s);
    await s.history();
  },
  "cancel commands refused": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    await respondAsync(s, await poll(s));
    await s.badAnswer([cancel(99)]);
    await s.answer([]);
    await s.signal("more");
    await s.badAnswer([{ commandType: CommandType.REQUEST_CANCEL_NEXUS_OPERATION }]);
    await s.answer([cancel(5)]);
    await s.call("RespondNexusTaskCompleted", {
      taskToken: (await poll(s)).taskToken,
      response: { variant: { case: "cancelOperation", value: {} } },
    });
    await s.badAnswer([cancel(5)]);
    await s.history();
  },
  "schedule commands refused": async (s) => {
    await endpoint(s);
    // A workflow task that has failed before is refused without an end: each command gets a workflow of its own.
    const refused = async (...commands: object[]) => {
      await s.start();
      await s.badAnswer(commands);
      await s.history();
      await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    };
    for (const extra of [
      { endpoint: "there-is-none" },
      { service: "s".repeat(1001) },
      { operation: "o".repeat(1001) },
      { scheduleToCloseTimeout: seconds(-1) },
      { scheduleToStartTimeout: seconds(-1) },
      { startToCloseTimeout: seconds(-1) },
      { nexusHeader: { "Request-Timeout": "1s" } },
      { nexusHeader: { long: "x".repeat(8192) } },
    ])
      await refused(schedule(s, extra));
    await refused({ commandType: CommandType.SCHEDULE_NEXUS_OPERATION });
    await refused(...Array.from({ length: 31 }, () => schedule(s)));
  },
  "operations held to the time of their run": async (s) => {
    await endpoint(s);
    await s.running(
      [
        schedule(s, { scheduleToCloseTimeout: undefined }),
        schedule(s, { scheduleToCloseTimeout: seconds(100), scheduleToStartTimeout: seconds(200), startToCloseTimeout: seconds(300) }),
        schedule(s, { scheduleToCloseTimeout: seconds(20), scheduleToStartTimeout: seconds(30), startToCloseTimeout: seconds(10) }),
      ],
      { workflowRunTimeout: seconds(60) },
    );
    await pending(s);
    await s.history();
  },
  "an operation that nobody serves in time": async (s) => {
    await endpoint(s);
    await s.running([schedule(s, { scheduleToCloseTimeout: seconds(2) }), schedule(s, { scheduleToStartTimeout: seconds(9) })]);
    // Seven seconds in which the first has ended and the second has not.
    await ended(s, 1);
    await s.answer([]);
    await ended(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "an operation without time for a request": async (s) => {
    await endpoint(s);
    await s.running([schedule(s, { scheduleToCloseTimeout: seconds(1) })]);
    await s.answer([schedule(s, { scheduleToStartTimeout: seconds(1) })]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a started operation that takes too long": async (s) => {
    await endpoint(s);
    await s.running([schedule(s, { startToCloseTimeout: seconds(1) })]);
    await respondAsync(s, await poll(s));
    await s.answer([]);
    await ended(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "an endpoint deleted under an operation": async (s) => {
    const id = await endpoint(s);
    await s.running([schedule(s)]);
    await fail(s, await poll(s), handlerFailure("UNAVAILABLE"));
    await s.until("it backs off", async () => (await describe(s)).pendingNexusOperations[0]?.attempt === 1);
    await s.call("DeleteNexusEndpoint", { id, version: 1 });
    await ended(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a workflow that ends before its operation": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    const task = await poll(s);
    await startHandler(s, task);
    await respondAsync(s, task);
    await s.answer([c.complete()]);
    await pending(s);
    await handlerAnswers(s, [c.complete()]);
    await settled(s, handlerId(s), 4);
    await callbacks(s, handlerId(s));
  },
  "an operation scheduled by the task that ends its workflow": async (s) => {
    await endpoint(s);
    await s.running([schedule(s), c.complete()]);
    await asked(s);
    await pending(s);
    await s.history();
  },
  "an operation canceled by the task that ends its workflow": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    await respondAsync(s, await poll(s));
    await s.answer([cancel(5), c.complete()]);
    await asked(s);
    await pending(s);
    await s.history();
  },
  "a Nexus task queue that is configured": async (s) => {
    const taskQueue = { name: handlers(s), kind: 1 };
    const updateQueueRateLimit = { rateLimit: { requestsPerSecond: 5 }, reason: "slow" };
    const { config } = await s.call("UpdateTaskQueueConfig", { taskQueue: taskQueue.name, taskQueueType: 3, identity: "me", updateQueueRateLimit });
    s.note("configuration", config?.queueRateLimit?.rateLimit);
    const d = await s.call("DescribeTaskQueue", { taskQueue, taskQueueType: 3, reportConfig: true });
    s.note("described", [d.config?.queueRateLimit?.rateLimit, d.effectiveRateLimit]);
    await s.call("UpdateTaskQueueConfig", { taskQueue: taskQueue.name, taskQueueType: 3, identity: "me", updateQueueRateLimit: {} });
    // The official server's partitions hear of it a moment later.
    await s.until("it is unset", async () => {
      const { config } = await s.call("DescribeTaskQueue", { taskQueue, taskQueueType: 3, reportConfig: true });
      return config?.queueRateLimit?.rateLimit === undefined;
    });
  },
  "Nexus tasks refused": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    const task = await poll(s);
    const taskToken = task.taskToken;
    await s.refused("RespondNexusTaskCompleted", {});
    await s.refused("RespondNexusTaskCompleted", { taskToken: Buffer.from("no token") });
    await s.refused("RespondNexusTaskCompleted", { taskToken, response: startResponse({ case: "asyncSuccess", value: {} }) });
    await s.refused("RespondNexusTaskCompleted", {
      taskToken,
      response: startResponse({ case: "asyncSuccess", value: { operationToken: "t".repeat(4097) } }),
    });
    const badDetails = { message: "m", details: Buffer.from("{") };
    await s.refused("RespondNexusTaskCompleted", {
      taskToken,
      response: startResponse({ case: "operationError", value: { operationState: "failed", failure: badDetails } }),
    });
    await s.refused("RespondNexusTaskFailed", {});
    await s.refused("RespondNexusTaskFailed", { taskToken });
    await s.refused("RespondNexusTaskFailed", { taskToken, failure: { message: "m" } });
    await s.refused("RespondNexusTaskFailed", { taskToken, error: { errorType: "INTERNAL", failure: badDetails } });
    await respond(s, task, { case: "syncSuccess", value: {} });
    await s.refused("RespondNexusTaskCompleted", { taskToken, response: startResponse({ case: "syncSuccess", value: {} }) });
    await s.refused("RespondNexusTaskFailed", { taskToken, failure: handlerFailure("INTERNAL") });
    await s.refused("PollNexusTaskQueue", {});
    await s.refused("PollNexusTaskQueue", { taskQueue: { name: handlers(s) }, namespace: "there-is-no-such-namespace" });
    await s.refused("PollNexusTaskQueue", { taskQueue: { name: handlers(s) }, identity: "x".repeat(1001) });
    await s.answer([c.complete()]);
    await s.history();
  },
  "an answer that says nothing": atOnce(async (s, task) => {
    await s.call("RespondNexusTaskCompleted", { taskToken: task.taskToken, response: {} });
    await pendingWhen(s, "it backs off", (o) => o?.attempt === 1);
    await respond(s, await poll(s), { case: "syncSuccess", value: {} });
  }),
  "a token that is too long to keep": atOnce(async (s, task) => {
    await respondAsync(s, task, "t".repeat(4096));
    await s.answer([]);
    await s.signal("on");
  }),
  "callbacks refused": async (s) => {
    const nexus = (url: string, header: Record<string, string> = {}) => ({ variant: { case: "nexus" as const, value: { url, header } } });
    const start = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue } };
    for (const callback of [
      nexus("no scheme"),
      nexus("ftp://example.org"),
      nexus("http:///path"),
      nexus("temporal://other"),
      nexus(`http://example.org/${"x".repeat(1000)}`),
      nexus("http://example.org", { k: "x".repeat(8192) }),
    ])
      await s.refused("StartWorkflowExecution", { ...start, completionCallbacks: [callback] });
    await s.refused("StartWorkflowExecution", { ...start, completionCallbacks: [{ ...nexus("http://example.org"), links: [{}] }] });
    await s.refused("StartWorkflowExecution", {
      ...start,
      completionCallbacks: [nexus("http://example.org")],
      onConflictOptions: { attachCompletionCallbacks: true },
      workflowIdConflictPolicy: 2,
    });
  },
  "callbacks attached to a workflow that runs": async (s) => {
    const nexus = (name: string) => ({ variant: { case: "nexus" as const, value: { url: `http://127.0.0.1:1/${name}`, header: { Upper: "v" } } } });
    await s.start({ completionCallbacks: [nexus("first")] });
    const again = { workflowIdConflictPolicy: 2, onConflictOptions: { attachRequestId: true, attachCompletionCallbacks: true, attachLinks: true } };
    await s.start({ ...again, completionCallbacks: [nexus("second"), nexus("third")] });
    await callbacks(s, s.id);
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.until("all were tried", async () => (await describe(s)).callbacks.every((x) => x.attempt > 0));
    s.note(
      "callbacks",
      (await describe(s)).callbacks.map((x) => [urlOf(x.callback), x.lastAttemptFailure]).sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
    );
  },
  "callbacks of a cron workflow": async (s) => {
    await s.start({
      cronSchedule: "@every 1s",
      completionCallbacks: [{ variant: { case: "nexus", value: { url: "http://127.0.0.1:1/cron" } } }],
    });
    await s.answer([c.complete()]);
    await callbacks(s, s.id);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "who polls for Nexus tasks": async (s) => {
    await endpoint(s);
    await s.running([schedule(s)]);
    await respond(s, await poll(s), { case: "syncSuccess", value: {} });
    await s.shown("DescribeTaskQueue", { taskQueue: { name: handlers(s) }, taskQueueType: 3 }, (a) => [a.pollers, a.effectiveRateLimit]);
  },
};
