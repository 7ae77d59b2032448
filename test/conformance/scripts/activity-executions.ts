/** Standalone activities: their lives in the hands of workers, clients and operators, and how they are waited for and listed. */
import { randomUUID } from "node:crypto";
import { Header, Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type { PollActivityTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode } from "../../../src/api/wire.js";
import { payloads, type Script, type Session, seconds } from "../session.js";

type Extra = Parameters<Session["call"]>[1] & Record<string, unknown>;

const start = (s: Session, extra: object = {}) =>
  s.call("StartActivityExecution", {
    activityId: s.id,
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(60),
    identity: "client",
    requestId: randomUUID(),
    ...extra,
  } as Extra);

const refusedStart = (s: Session, extra: object = {}) =>
  s.refused("StartActivityExecution", {
    activityId: s.id,
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(60),
    requestId: "r",
    ...extra,
  } as Extra);

/** Without sizes; attributes by their values. */
function shownInfo(answer: unknown): unknown {
  const plain = (v: unknown, key: string): unknown => {
    // The official server counts what its queues do with the activity too, whenever they do.
    if (key === "stateSizeBytes" || key === "stateTransitionCount" || key === "longPollToken") return undefined;
    // The official server keeps those of each request together, and the requests in no order.
    if (key === "links") return (v as unknown[]).map((x) => plain(x, "")).sort((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1));
    if (key === "indexedFields")
      return Object.fromEntries(Object.entries(v as Record<string, Uint8Array>).map(([k, p]) => [k, decode(Payload, p).data]));
    if (v instanceof Uint8Array || v === null || typeof v !== "object") return v;
    if (Array.isArray(v)) return v.map((x) => plain(x, ""));
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x, k)]));
  };
  return plain(answer, "");
}

const describe = (s: Session, extra: object = {}) =>
  s.shown(
    "DescribeActivityExecution",
    { activityId: s.id, includeInput: true, includeOutcome: true, includeHeartbeatDetails: true, includeLastFailure: true, ...extra },
    shownInfo,
  );

const outcome = (s: Session, extra: object = {}) => s.shown("PollActivityExecution", { activityId: s.id, ...extra });

/** Takes the next task; what is the same of every one of them is left out. */
async function take(s: Session, queue = s.queue): Promise<PollActivityTaskQueueResponse> {
  const task = await s.activityTask(queue);
  const {
    taskToken: _token,
    pollerScalingDecision: _advice,
    pollerGroupsInfo: _groups,
    ...rest
  } = task as PollActivityTaskQueueResponse & {
    pollerGroupsInfo?: unknown;
  };
  s.note("task", rest);
  return task;
}

const failure = (message: string, extra: object = {}) => ({
  message,
  failureInfo: { case: "applicationFailureInfo" as const, value: { type: "E", ...extra } },
});

const fail = (s: Session, { taskToken }: { taskToken: Uint8Array }, extra: object = {}, more: object = {}) =>
  s.call("RespondActivityTaskFailed", { taskToken, failure: failure("no", extra), identity: "worker", ...more });
const complete = (s: Session, { taskToken }: { taskToken: Uint8Array }) =>
  s.call("RespondActivityTaskCompleted", { taskToken, result: payloads("out"), identity: "worker" });
const heartbeat = (s: Session, { taskToken }: { taskToken: Uint8Array }) =>
  s.shown("RecordActivityTaskHeartbeat", { taskToken, details: payloads("beat"), identity: "worker" });

const fast = { initialInterval: seconds(0.1), backoffCoefficient: 1 };
const once = { maximumAttempts: 1 };
const of = (s: Session) => ({ activityId: s.id, identity: "operator" });
export const scripts: Record<string, Script> = {
  "requests that are refused": async (s) => {
    const long = "x".repeat(1001);
    await refusedStart(s, { activityId: "" });
    await refusedStart(s, { activityId: long });
    await refusedStart(s, { activityType: undefined });
    await refusedStart(s, { activityType: { name: long } });
    await refusedStart(s, { taskQueue: undefined });
    await refusedStart(s, { taskQueue: { name: "" } });
    await refusedStart(s, { taskQueue: { name: "temporal-sys-per-ns-tq" } });
    await refusedStart(s, { taskQueue: { name: "/_sys/x" } });
    await refusedStart(s, { startToCloseTimeout: undefined });
    await refusedStart(s, { startToCloseTimeout: seconds(-1) });
    await refusedStart(s, { heartbeatTimeout: seconds(-1) });
    await refusedStart(s, { startDelay: seconds(-1) });
    await refusedStart(s, { retryPolicy: { backoffCoefficient: 0.5 } });
    await refusedStart(s, { retryPolicy: { maximumAttempts: -1 } });
    await refusedStart(s, { priority: { priorityKey: -1 } });
    await refusedStart(s, { requestId: long });
    await refusedStart(s, { identity: long });
    await refusedStart(s, {
      userMetadata: { summary: payloads("x".repeat(90)).subarray(2) },
      searchAttributes: { indexedFields: { Nope: payloads("v").subarray(2) } },
    });
    await refusedStart(s, { links: [{}] });
    await refusedStart(s, { onConflictOptions: { attachCompletionCallbacks: true } });
    await refusedStart(s, { onConflictOptions: { attachRequestId: true } });
    await refusedStart(s, { idReusePolicy: 9 });
    await refusedStart(s, { idConflictPolicy: 9 });
    for (const name of ["DescribeActivityExecution", "PollActivityExecution", "DeleteActivityExecution"] as const) {
      await s.refused(name, { activityId: "" });
      await s.refused(name, { activityId: long });
      await s.refused(name, { activityId: s.id, runId: "x" });
      await s.refused(name, { activityId: s.id });
      await s.refused(name, { activityId: s.id, runId: randomUUID() });
    }
    await s.refused("DescribeActivityExecution", { activityId: s.id, longPollToken: Buffer.from("x") });
    for (const name of [
      "RequestCancelActivityExecution",
      "TerminateActivityExecution",
      "PauseActivityExecution",
      "UnpauseActivityExecution",
      "ResetActivityExecution",
    ] as const) {
      await s.refused(name, { activityId: "" });
      await s.refused(name, { activityId: long });
      await s.refused(name, { activityId: s.id, requestId: long });
      await s.refused(name, { activityId: s.id, identity: long });
      await s.refused(name, { activityId: s.id, runId: "x" });
      await s.refused(name, { activityId: s.id });
    }
    await s.refused("UnpauseActivityExecution", { activityId: s.id, jitter: seconds(-1) });
    await s.refused("ResetActivityExecution", { activityId: s.id, jitter: seconds(-1) });
    const update = (r: object) => s.refused("UpdateActivityExecutionOptions", { activityId: s.id, ...r });
    await update({ activityId: "" });
    await update({});
    await update({ activityOptions: {} });
    await update({ activityOptions: {}, updateMask: { paths: [] } });
    await update({ activityOptions: {}, updateMask: { paths: ["nope"] } });
    await update({ restoreOriginal: true, updateMask: { paths: ["priority"] } });
    await update({ activityOptions: {}, updateMask: { paths: ["task_queue.name"] } });
    await update({ activityOptions: { heartbeatTimeout: seconds(-1) }, updateMask: { paths: ["heartbeat_timeout"] } });
    await update({ activityOptions: { priority: { priorityKey: -1 } }, updateMask: { paths: ["priority"] } });
    await update({ activityOptions: { retryPolicy: { backoffCoefficient: 0.1 } }, updateMask: { paths: ["retry_policy.backoff_coefficient"] } });
    await update({ activityOptions: { retryPolicy: { maximumAttempts: -1 } }, updateMask: { paths: ["retry_policy"] } });
    await update({ activityOptions: {}, updateMask: { paths: ["priority"] } });
    await refusedStart(s, { namespace: "nowhere" });
    await s.refused("ListActivityExecutions", { namespace: "nowhere" });
    await s.refused("CountActivityExecutions", { namespace: "nowhere" });
    await s.refused("ListActivityExecutions", { query: "Nope = 'x'" });
    await s.refused("CountActivityExecutions", { query: "ActivityId =" });
  },

  "a life: scheduled, started, heartbeats, completed": async (s) => {
    const r = await start(s, {
      input: payloads("in"),
      header: encode(Header, { fields: { h: payloads("v").subarray(2) } }),
      heartbeatTimeout: seconds(30),
      scheduleToCloseTimeout: seconds(300),
      userMetadata: { summary: payloads("sum").subarray(2) },
      priority: { priorityKey: 2, fairnessKey: "f" },
      retryPolicy: { maximumAttempts: 4 },
    });
    s.note("start", r);
    await describe(s);
    const task = await take(s);
    await describe(s);
    await heartbeat(s, task);
    await describe(s);
    await complete(s, task);
    await describe(s, { runId: r.runId });
    await outcome(s);
    await s.refused("RespondActivityTaskCompleted", { taskToken: task.taskToken });
    await s.refused("RespondActivityTaskFailed", { taskToken: task.taskToken });
    await s.refused("RespondActivityTaskCanceled", { taskToken: task.taskToken });
    await s.refused("RecordActivityTaskHeartbeat", { taskToken: task.taskToken });
    for (const name of [
      "RequestCancelActivityExecution",
      "TerminateActivityExecution",
      "PauseActivityExecution",
      "UnpauseActivityExecution",
      "ResetActivityExecution",
    ] as const)
      await s.refused(name, of(s));
    await s.refused("UpdateActivityExecutionOptions", { ...of(s), restoreOriginal: true });
  },

  "attempts that fail are tried again, up to the last": async (s) => {
    await start(s, { retryPolicy: { ...fast, maximumAttempts: 3 } });
    const first = await take(s);
    await s.call("RecordActivityTaskHeartbeat", { taskToken: first.taskToken, details: payloads("kept") });
    await fail(s, first);
    await s.refused("RespondActivityTaskCompleted", { taskToken: first.taskToken });
    const second = await take(s);
    await fail(s, second, { nextRetryDelay: seconds(0.3) }, { lastHeartbeatDetails: payloads("last") });
    await take(s).then((t) => fail(s, t));
    await outcome(s);
    await describe(s);
  },

  "a failure that is not retried, and one without a failure": async (s) => {
    await start(s, { retryPolicy: { nonRetryableErrorTypes: ["Fatal"] } });
    await take(s).then((t) => fail(s, t, { type: "Fatal" }));
    await outcome(s);
    await start(s, { retryPolicy: once });
    const t = await take(s);
    await s.call("RespondActivityTaskFailed", { taskToken: t.taskToken });
    await outcome(s);
    await describe(s);
  },

  "an attempt waits for the end of its backoff": async (s) => {
    await start(s, { retryPolicy: { initialInterval: seconds(3600) } });
    await take(s).then((t) => fail(s, t));
    await describe(s);
    await s.call("UpdateActivityExecutionOptions", {
      ...of(s),
      activityOptions: { retryPolicy: { initialInterval: seconds(1), maximumInterval: seconds(1) } },
      updateMask: { paths: ["retry_policy.initial_interval", "retry_policy.maximum_interval"] },
    });
    await take(s).then((t) => complete(s, t));
    await outcome(s);
  },

  "timeouts: schedule-to-start": async (s) => {
    await start(s, { scheduleToStartTimeout: seconds(0.5) });
    await outcome(s);
    await describe(s);
  },

  "timeouts: start-to-close, tried again up to the last attempt": async (s) => {
    await start(s, { startToCloseTimeout: seconds(1), retryPolicy: { ...fast, maximumAttempts: 2 } });
    await take(s);
    await take(s);
    await outcome(s);
    await describe(s);
  },

  "timeouts: no time is left for another attempt": async (s) => {
    await start(s, { startToCloseTimeout: seconds(1), scheduleToCloseTimeout: seconds(4), retryPolicy: { initialInterval: seconds(10) } });
    await take(s);
    await outcome(s);
    await describe(s);
  },

  "timeouts: heartbeat, and no attempt left": async (s) => {
    await start(s, { heartbeatTimeout: seconds(0.5), retryPolicy: once });
    const t = await take(s);
    await s.call("RecordActivityTaskHeartbeat", { taskToken: t.taskToken, details: payloads("beat") });
    await outcome(s);
    await describe(s);
  },

  "timeouts: of a type that is not retried": async (s) => {
    await start(s, { startToCloseTimeout: seconds(0.5), retryPolicy: { nonRetryableErrorTypes: ["TemporalTimeout:StartToClose"] } });
    await take(s);
    await outcome(s);
  },

  "cancellation of one that waits and of one that runs": async (s) => {
    await start(s);
    await s.call("RequestCancelActivityExecution", { ...of(s), reason: "why", requestId: "c" });
    await s.call("RequestCancelActivityExecution", { ...of(s), reason: "why", requestId: "c" });
    await outcome(s);
    await describe(s);
    await start(s, { retryPolicy: fast });
    const t = await take(s);
    await s.refused("RespondActivityTaskCanceled", { taskToken: t.taskToken });
    await s.call("RequestCancelActivityExecution", { ...of(s), reason: "stop", requestId: "d" });
    await s.refused("RequestCancelActivityExecution", { ...of(s), requestId: "e" });
    await describe(s);
    await heartbeat(s, t);
    await s.refused("PauseActivityExecution", of(s));
    await s.refused("UnpauseActivityExecution", of(s));
    await s.refused("ResetActivityExecution", of(s));
    await s.refused("UpdateActivityExecutionOptions", { ...of(s), restoreOriginal: true });
    await s.call("RespondActivityTaskCanceled", { taskToken: t.taskToken, details: payloads("gone"), identity: "worker" });
    await outcome(s);
    await start(s, { retryPolicy: fast });
    const u = await take(s);
    await s.call("RequestCancelActivityExecution", { ...of(s), requestId: "f" });
    await fail(s, u);
    await outcome(s);
  },

  "termination, and ids that are used again": async (s) => {
    await start(s, { requestId: "one" });
    s.note("the same request", (await start(s, { requestId: "one" })).started);
    await refusedStart(s, { requestId: "two" });
    s.note("the existing one", (await start(s, { requestId: "two", idConflictPolicy: 2 })).started);
    await s.call("TerminateActivityExecution", { ...of(s), reason: "why", requestId: "t" });
    await s.call("TerminateActivityExecution", { ...of(s), reason: "why", requestId: "t" });
    await s.refused("TerminateActivityExecution", { ...of(s), reason: "why", requestId: "u" });
    await outcome(s);
    await describe(s);
    await refusedStart(s, { idReusePolicy: 3 });
    s.note("after a failure", (await start(s, { idReusePolicy: 2 })).started);
    await take(s).then((t) => complete(s, t));
    await refusedStart(s, { idReusePolicy: 2, requestId: "three" });
    await refusedStart(s, { idReusePolicy: 3, requestId: "three" });
    s.note("whatever came of it", (await start(s, { idReusePolicy: 1 })).started);
  },

  "links of the start, and of a request that found the activity": async (s) => {
    const link = (workflowId: string) => ({ variant: { case: "workflowEvent" as const, value: { namespace: "default", workflowId, runId: "r" } } });
    await start(s, { links: [link("a")] });
    const more = { links: [link("b")], idConflictPolicy: 2, onConflictOptions: { attachLinks: true }, requestId: "more" };
    await start(s, more);
    await start(s, more);
    await describe(s);
    const task = await s.activityTask();
    await complete(s, task);
  },

  "answers by id": async (s) => {
    const byId = { activityId: s.id, identity: "worker" };
    await s.refused("RespondActivityTaskCompletedById", byId);
    await start(s, { retryPolicy: fast });
    await s.refused("RecordActivityTaskHeartbeatById", byId);
    await s.refused("RespondActivityTaskFailedById", byId);
    await s.refused("RespondActivityTaskCanceledById", byId);
    await take(s);
    await s.shown("RecordActivityTaskHeartbeatById", { ...byId, details: payloads("beat") });
    await s.call("RespondActivityTaskFailedById", { ...byId, failure: failure("by id") });
    await take(s);
    await s.call("RequestCancelActivityExecution", of(s));
    await s.call("RespondActivityTaskCanceledById", { ...byId, details: payloads("d") });
    await outcome(s);
    const { runId } = await start(s);
    await s.call("RespondActivityTaskCompletedById", { ...byId, runId, result: payloads("without a worker") });
    await outcome(s);
    await describe(s);
  },

  "pause and unpause, waiting and running": async (s) => {
    await start(s, { retryPolicy: fast });
    await s.call("PauseActivityExecution", { ...of(s), reason: "why", requestId: "p" });
    await s.call("PauseActivityExecution", { ...of(s), reason: "why", requestId: "p" });
    await s.refused("PauseActivityExecution", of(s));
    await describe(s);
    await s.call("UnpauseActivityExecution", { ...of(s), requestId: "u" });
    await s.call("PauseActivityExecution", { ...of(s), requestId: "p" });
    const t = await take(s);
    await s.refused("UnpauseActivityExecution", of(s));
    await s.call("PauseActivityExecution", { ...of(s), requestId: "q" });
    await describe(s);
    await heartbeat(s, t);
    await fail(s, t);
    await describe(s);
    await s.call("UnpauseActivityExecution", of(s));
    const u = await take(s);
    await s.call("PauseActivityExecution", of(s));
    await s.call("UnpauseActivityExecution", of(s));
    await describe(s);
    await s.call("PauseActivityExecution", of(s));
    await complete(s, u);
    await outcome(s);
  },

  "a paused activity times out by its whole time only": async (s) => {
    await start(s, { scheduleToStartTimeout: seconds(0.5), scheduleToCloseTimeout: seconds(2) });
    await s.call("PauseActivityExecution", of(s));
    await outcome(s);
  },

  "reset: at once, when the attempt ends, staying paused": async (s) => {
    await start(s, { retryPolicy: { initialInterval: seconds(3600) } });
    const t = await take(s);
    await s.call("RecordActivityTaskHeartbeat", { taskToken: t.taskToken, details: payloads("beat") });
    await fail(s, t);
    await s.call("ResetActivityExecution", { ...of(s), resetHeartbeat: true, requestId: "r" });
    await s.call("ResetActivityExecution", { ...of(s), resetHeartbeat: true, requestId: "r" });
    await describe(s);
    const u = await take(s);
    await s.call("UpdateActivityExecutionOptions", {
      ...of(s),
      activityOptions: { heartbeatTimeout: seconds(5) },
      updateMask: { paths: ["heartbeat_timeout"] },
    });
    await s.call("ResetActivityExecution", { ...of(s), restoreOriginalOptions: true });
    await s.refused("ResetActivityExecution", of(s));
    await s.refused("PauseActivityExecution", of(s));
    await s.refused("UpdateActivityExecutionOptions", { ...of(s), restoreOriginal: true });
    await heartbeat(s, u);
    await fail(s, u);
    await describe(s);
    const v = await take(s);
    await s.call("PauseActivityExecution", of(s));
    await s.call("ResetActivityExecution", { ...of(s), keepPaused: true });
    await describe(s);
    await fail(s, v);
    await describe(s);
    await s.call("ResetActivityExecution", { ...of(s), keepPaused: true });
    await describe(s);
    await s.call("ResetActivityExecution", of(s));
    await take(s).then((w) => complete(s, w));
    await outcome(s);
  },

  "other options, and the first ones again": async (s) => {
    await start(s, { retryPolicy: fast });
    const update = (activityOptions: object, ...paths: string[]) =>
      s.shown("UpdateActivityExecutionOptions", { ...of(s), activityOptions, updateMask: { paths }, requestId: randomUUID() });
    await update({ taskQueue: { name: `${s.queue}-b` } }, "task_queue.name");
    await update({ priority: { priorityKey: 4, fairnessKey: "k" } }, "priority");
    await update({ scheduleToCloseTimeout: seconds(50) }, "schedule_to_close_timeout");
    await update({ retryPolicy: { maximumAttempts: 7 } }, "retry_policy.maximum_attempts");
    await update({ retryPolicy: { maximumAttempts: 2 } }, "retry_policy");
    await s.refused("UpdateActivityExecutionOptions", {
      ...of(s),
      activityOptions: { startDelay: seconds(5) },
      updateMask: { paths: ["start_delay"] },
    });
    await s.refused("UpdateActivityExecutionOptions", {
      ...of(s),
      activityOptions: { retryPolicy: { maximumInterval: seconds(0.01) } },
      updateMask: { paths: ["retry_policy.maximum_interval"] },
    });
    await describe(s);
    const t = await take(s, `${s.queue}-b`);
    await s.shown("UpdateActivityExecutionOptions", { ...of(s), restoreOriginal: true });
    await complete(s, t);
    await describe(s);
  },

  "a delay of the start": async (s) => {
    await start(s, { startDelay: seconds(3600), scheduleToCloseTimeout: seconds(60) });
    await describe(s);
    await s.shown("UpdateActivityExecutionOptions", {
      ...of(s),
      activityOptions: { startDelay: seconds(1) },
      updateMask: { paths: ["start_delay"] },
    });
    await take(s).then((t) => complete(s, t));
    await describe(s);
    await start(s, { startDelay: seconds(3600) });
    await s.call("ResetActivityExecution", of(s));
    await describe(s);
    await s.call("PauseActivityExecution", of(s));
    await s.call("UnpauseActivityExecution", of(s));
    await describe(s);
    await s.call("RequestCancelActivityExecution", of(s));
    await outcome(s);
  },

  "waiting for a change, and for the outcome": async (s) => {
    const { runId } = await start(s);
    const first = await s.call("DescribeActivityExecution", { activityId: s.id, runId });
    await s.refused("DescribeActivityExecution", { activityId: s.id, longPollToken: first.longPollToken });
    await s.refused("DescribeActivityExecution", { activityId: `${s.id}-other`, runId, longPollToken: Buffer.from("nonsense") });
    const changed = s.call("DescribeActivityExecution", { activityId: s.id, runId, longPollToken: first.longPollToken });
    const ended = s.call("PollActivityExecution", { activityId: s.id });
    const t = await take(s);
    const next = await changed;
    s.note("started", next.info?.runState);
    const nothing = await s.call("DescribeActivityExecution", { activityId: s.id, runId, longPollToken: next.longPollToken }, 3_000);
    s.note("nothing", nothing);
    s.note("no outcome", await s.call("PollActivityExecution", { activityId: s.id, runId }, 3_000));
    const again = s.call("DescribeActivityExecution", { activityId: s.id, runId, longPollToken: next.longPollToken });
    await s.call("RecordActivityTaskHeartbeat", { taskToken: t.taskToken });
    s.note("heartbeats", (await again).info?.totalHeartbeatCount);
    await complete(s, t);
    s.note("outcome", await ended);
  },

  "deletion of an open and of a closed one": async (s) => {
    const gone = () =>
      s.until("it has gone", async () => {
        try {
          await s.call("DescribeActivityExecution", { activityId: s.id });
          return false;
        } catch {
          return true;
        }
      });
    const { runId } = await start(s);
    await s.call("DescribeActivityExecution", { activityId: s.id });
    await s.call("DeleteActivityExecution", { activityId: s.id, runId });
    await gone();
    await s.refused("DescribeActivityExecution", { activityId: s.id, runId });
    await start(s);
    await take(s).then((t) => complete(s, t));
    await s.call("DeleteActivityExecution", { activityId: s.id });
    await gone();
    await s.refused("DeleteActivityExecution", { activityId: s.id });
    await s.refused("PollActivityExecution", { activityId: s.id });
  },

  "lists and counts": async (s) => {
    const type = `T-${s.queue}`;
    const mine = `ActivityType = '${type}'`;
    const count = async (query: string) => Number((await s.call("CountActivityExecutions", { query: `${mine} AND ${query}` })).count);
    await start(s, { activityId: `${s.id}-1`, activityType: { name: type } });
    await start(s, { activityId: `${s.id}-2`, activityType: { name: type } });
    await start(s, { activityId: `${s.id}-3`, activityType: { name: type }, taskQueue: { name: `${s.queue}-c` } });
    await s.call("PauseActivityExecution", { activityId: `${s.id}-3` });
    await s.call("TerminateActivityExecution", { activityId: `${s.id}-2` });
    await s.until(
      "all are listed",
      async () => (await count("ExecutionStatus = 'Terminated'")) === 1 && (await count("ExecutionStatus = 'Paused'")) === 1,
    );
    await s.until("the first is listed", async () => (await count(`ActivityId = '${s.id}-1'`)) === 1);
    const { executions } = await s.call("ListActivityExecutions", { query: mine });
    s.note("list", shownInfo([...executions].sort((a, b) => (a.activityId < b.activityId ? -1 : 1))));
    s.note("running", await count("ExecutionStatus = 'Running'"));
    s.note("queue", await count(`TaskQueue = '${s.queue}-c'`));
    s.note("since", await count("StartTime > '2020-01-01T00:00:00Z'"));
    s.note("closed", await count("CloseTime IS NOT NULL"));
    s.note("unknown state", await count("ExecutionStatus = 'Sleeping'"));
    const page = await s.call("ListActivityExecutions", { query: mine, pageSize: 2 });
    const rest = await s.call("ListActivityExecutions", { query: mine, pageSize: 2, nextPageToken: page.nextPageToken });
    s.note("pages", [page.executions.length, rest.executions.length]);
    const groups = await s.call("CountActivityExecutions", { query: `${mine} GROUP BY ExecutionStatus` });
    s.note(
      "groups",
      groups.groups.map((g) => [Buffer.from(decode(Payload, g.groupValues[0] as Uint8Array).data).toString(), Number(g.count)]).sort(),
    );
    const workflows = await s.call("CountWorkflowExecutions", { query: `WorkflowId = '${s.id}-1'` });
    s.note("workflows", Number(workflows.count));
  },

  "the calls for operators take activities of workflows": async (s) => {
    const of = { workflowId: s.id, activityId: "a", identity: "operator" };
    await s.refused("PauseActivityExecution", of);
    await s.running([
      {
        commandType: 1,
        attributes: {
          case: "scheduleActivityTaskCommandAttributes",
          value: { activityId: "a", activityType: { name: "A" }, taskQueue: { name: s.queue }, startToCloseTimeout: seconds(60) },
        },
      },
    ] as never);
    await s.call("PauseActivityExecution", { ...of, reason: "why" });
    await s.refused("PauseActivityExecution", { ...of, activityId: "b" });
    await s.shown("UpdateActivityExecutionOptions", {
      ...of,
      activityOptions: { heartbeatTimeout: seconds(7) },
      updateMask: { paths: ["heartbeat_timeout"] },
    });
    await s.call("ResetActivityExecution", { ...of, keepPaused: true });
    await s.call("UnpauseActivityExecution", of);
    const t = await s.activityTask();
    await complete(s, t);
    await s.answer([]);
  },
};
