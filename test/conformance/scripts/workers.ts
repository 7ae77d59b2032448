/** What workers do besides answering: sticky queues, heartbeats, shutdown, tokens, activities by id, task queues described. */
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const sticky = (s: Session) => ({ workerTaskQueue: { name: `${s.queue}-sticky`, kind: 2, normalName: s.queue }, scheduleToStartTimeout: seconds(5) });
const stickyTask = (s: Session, timeoutMs?: number) =>
  s.call(
    "PollWorkflowTaskQueue",
    { taskQueue: { name: `${s.queue}-sticky`, kind: 2, normalName: s.queue }, identity: "worker" },
    timeoutMs ?? 20_000,
  );
const FAILURE = { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never };

export const scripts: Record<string, Script> = {
  "a sticky worker gets only what is new": async (s) => {
    await s.start();
    await s.answer([c.timer("t", 100)], { stickyAttributes: sticky(s) });
    const waiting = stickyTask(s);
    await s.signal("more");
    const t = await waiting;
    s.note("task", { previous: t.previousStartedEventId, started: t.startedEventId, attempt: t.attempt, queue: t.workflowExecutionTaskQueue });
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete()] });
    await s.history();
  },
  "a sticky worker that has gone": async (s) => {
    await s.start();
    await s.answer([], { stickyAttributes: { ...sticky(s), scheduleToStartTimeout: seconds(1) } });
    await stickyTask(s, 1500).catch(() => undefined);
    await s.signal("more");
    const t = await s.workflowTask();
    s.note("task", { previous: t.previousStartedEventId, attempt: t.attempt });
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete()] });
    await s.history();
  },
  "sticky no more, by request": async (s) => {
    const runId = await s.start();
    await s.answer([], { stickyAttributes: sticky(s) });
    await s.shown("ResetStickyTaskQueue", { execution: { workflowId: s.id, runId } });
    await s.signal("more");
    await s.answer([c.complete()]);
    await s.history();
    await s.refused("ResetStickyTaskQueue", { execution: { workflowId: s.id, runId } });
    await s.refused("ResetStickyTaskQueue", {});
  },
  "a worker that says goodbye": async (s) => {
    await s.start();
    await s.answer([], { stickyAttributes: sticky(s) });
    await s.shown("ShutdownWorker", { stickyTaskQueue: `${s.queue}-sticky`, identity: "worker", reason: "over" });
    await s.refused("ShutdownWorker", { namespace: "there-is-no-such-namespace", stickyTaskQueue: `${s.queue}-sticky` });
  },
  "a sticky task that fails goes to the normal queue": async (s) => {
    await s.start();
    await s.answer([], { stickyAttributes: sticky(s) });
    const waiting = stickyTask(s);
    await s.signal("more");
    const t = await waiting;
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 6, identity: "worker" });
    const again = await s.workflowTask();
    s.note("task", { previous: again.previousStartedEventId, attempt: again.attempt });
    await s.call("RespondWorkflowTaskCompleted", { taskToken: again.taskToken, identity: "worker", commands: [c.complete()] });
    await s.history();
  },
  "a task as a worker gets it": async (s) => {
    await s.start({ input: payloads("in") });
    const t = await s.workflowTask();
    const { taskToken, history, pollerScalingDecision, ...rest } = t;
    s.note("task", rest);
    await s.call("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [c.activity(s, "a", { input: payloads("in") })] });
    const a = await s.activityTask();
    const { taskToken: token, pollerScalingDecision: _, ...activity } = a;
    s.note("activity", { ...activity, hasToken: token.length > 0 });
  },
  "heartbeats of a workflow task, twice": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    const beat = { identity: "worker", forceCreateNewWorkflowTask: true, returnNewWorkflowTask: true };
    const first = await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, ...beat });
    const second = await s.call("RespondWorkflowTaskCompleted", { taskToken: first.workflowTask?.taskToken ?? new Uint8Array(0), ...beat });
    s.note("task", { attempt: second.workflowTask?.attempt, started: second.workflowTask?.startedEventId });
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: second.workflowTask?.taskToken ?? new Uint8Array(0),
      identity: "worker",
      commands: [c.complete()],
    });
    await s.history();
  },
  "a new task that is wanted but not taken along": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    const r = await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", forceCreateNewWorkflowTask: true });
    s.note("came along", r.workflowTask !== undefined);
    await s.answer([c.complete()]);
    await s.history();
  },
  "events that came during a task, in their order": async (s) => {
    await s.running([
      c.activity(s, "a", { retryPolicy: { maximumAttempts: 1 } }),
      c.activity(s, "b", { retryPolicy: { maximumAttempts: 1 } }),
      c.timer("t", 10),
    ]);
    const tasks = [await s.activityTask(), await s.activityTask()].sort((x, y) => (x.activityId < y.activityId ? -1 : 1));
    await s.signal("wake");
    const t = await s.workflowTask();
    await s.call("RespondActivityTaskFailed", { taskToken: tasks[0]?.taskToken ?? new Uint8Array(0), identity: "worker", failure: FAILURE });
    await s.signal("between");
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, identity: "client" });
    await s.call("RespondActivityTaskCompleted", { taskToken: tasks[1]?.taskToken ?? new Uint8Array(0), identity: "worker", result: payloads("b") });
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.marker("m"), c.cancelTimer("t")] });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a terminate while events wait": async (s) => {
    await s.running();
    await s.signal("wake");
    await s.workflowTask();
    await s.signal("unseen");
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id }, reason: "r", identity: "client" });
    await s.history();
  },
  "a workflow task refused for its token": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.refused("RespondWorkflowTaskFailed", {});
    await s.refused("RespondWorkflowTaskFailed", { taskToken: new Uint8Array([1, 2, 3]) });
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "x".repeat(1001) });
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker" });
    await s.refused("RespondWorkflowTaskFailed", { taskToken: t.taskToken, identity: "worker" });
  },
  "polls refused": async (s) => {
    await s.refused("PollWorkflowTaskQueue", { identity: "worker" });
    await s.refused("PollActivityTaskQueue", { identity: "worker" });
    await s.refused("PollWorkflowTaskQueue", { taskQueue: { name: "x".repeat(1001) } });
    await s.refused("PollActivityTaskQueue", { taskQueue: { name: "x".repeat(1001) } });
    await s.refused("PollWorkflowTaskQueue", { taskQueue: { name: s.queue }, identity: "x".repeat(1001) });
    await s.refused("PollActivityTaskQueue", { taskQueue: { name: s.queue }, identity: "x".repeat(1001) });
    await s.refused("PollWorkflowTaskQueue", { taskQueue: { name: s.queue }, namespace: "there-is-no-such-namespace" });
    await s.refused("PollActivityTaskQueue", { taskQueue: { name: s.queue }, namespace: "there-is-no-such-namespace" });
  },
  "polls that find nothing": async (s) => {
    const [w, a] = await Promise.all([
      s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "worker" }, 3000),
      s.call("PollActivityTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "worker" }, 3000),
    ]);
    s.note("answers", [w, a]);
  },
  "activity tokens refused": async (s) => {
    for (const name of [
      "RespondActivityTaskCompleted",
      "RespondActivityTaskFailed",
      "RespondActivityTaskCanceled",
      "RecordActivityTaskHeartbeat",
    ] as const) {
      await s.refused(name, {});
      await s.refused(name, { taskToken: new Uint8Array([1, 2, 3]) });
    }
  },
  "activities by id": async (s) => {
    const ids = { workflowId: s.id, identity: "client" };
    await s.running([c.activity(s, "a"), c.activity(s, "b", { retryPolicy: { maximumAttempts: 1 } }), c.activity(s, "c"), c.activity(s, "d")]);
    for (let i = 0; i < 4; i++) await s.activityTask();
    await s.shown("RecordActivityTaskHeartbeatById", { ...ids, activityId: "a", details: payloads("beat") });
    await s.call("RespondActivityTaskCompletedById", { ...ids, activityId: "a", result: payloads("a") });
    await s.call("RespondActivityTaskFailedById", { ...ids, activityId: "b", failure: FAILURE });
    await s.refused("RespondActivityTaskCanceledById", { ...ids, activityId: "c" });
    await s.answer([c.cancelActivity(7)]);
    await s.shown("RecordActivityTaskHeartbeatById", { ...ids, activityId: "c" });
    await s.call("RespondActivityTaskCanceledById", { ...ids, activityId: "c", details: payloads("c") });
    await s.answer([]);
    await s.history();
    for (const name of [
      "RespondActivityTaskCompletedById",
      "RespondActivityTaskFailedById",
      "RespondActivityTaskCanceledById",
      "RecordActivityTaskHeartbeatById",
    ] as const) {
      await s.refused(name, { ...ids, activityId: "nope" });
      await s.refused(name, { ...ids, activityId: "" });
      await s.refused(name, { ...ids, workflowId: "", activityId: "d" });
      await s.refused(name, { ...ids, workflowId: "there-is-none", activityId: "d" });
      await s.refused(name, { ...ids, activityId: "d", namespace: "there-is-no-such-namespace" });
    }
  },
  "activities of a closed workflow": async (s) => {
    await s.running([c.activity(s, "a")]);
    const a = await s.activityTask();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.refused("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker" });
    await s.refused("RespondActivityTaskFailed", { taskToken: a.taskToken, identity: "worker" });
    await s.refused("RespondActivityTaskCanceled", { taskToken: a.taskToken, identity: "worker" });
    await s.refused("RecordActivityTaskHeartbeat", { taskToken: a.taskToken, identity: "worker" });
    await s.refused("RespondActivityTaskCompletedById", { workflowId: s.id, activityId: "a", identity: "client" });
  },
  "heartbeat details go on to the next attempt": async (s) => {
    await s.running([c.activity(s, "a", { heartbeatTimeout: seconds(1), retryPolicy: { initialInterval: seconds(0.1), maximumAttempts: 2 } })]);
    const a = await s.activityTask();
    await s.call("RecordActivityTaskHeartbeat", { taskToken: a.taskToken, identity: "worker", details: payloads("so far") });
    const b = await s.activityTask();
    s.note("second attempt", { attempt: b.attempt, details: b.heartbeatDetails });
    await s.call("RespondActivityTaskFailed", {
      taskToken: b.taskToken,
      identity: "worker",
      failure: FAILURE,
      lastHeartbeatDetails: payloads("end"),
    });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a retry that the worker delays": async (s) => {
    await s.running([c.activity(s, "a", { retryPolicy: { initialInterval: seconds(100), maximumAttempts: 3 } })]);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskFailed", {
      taskToken: a.taskToken,
      identity: "worker",
      failure: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X", nextRetryDelay: seconds(0.2) } } as never },
    });
    const b = await s.activityTask();
    s.note("attempt", b.attempt);
    await s.call("RespondActivityTaskFailed", {
      taskToken: b.taskToken,
      identity: "worker",
      failure: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X", nonRetryable: true } } as never },
    });
    await s.answer([c.complete()]);
    await s.history();
  },
  "attempts that time out run out": async (s) => {
    await s.running([c.activity(s, "a", { startToCloseTimeout: seconds(1), retryPolicy: { initialInterval: seconds(0.1), maximumAttempts: 2 } })]);
    await s.activityTask();
    const b = await s.activityTask();
    s.note("attempt", b.attempt);
    await s.answer([c.complete()]);
    await s.history();
  },
  "schedule to close ends a retried activity": async (s) => {
    await s.running([
      c.activity(s, "a", { scheduleToCloseTimeout: seconds(5), retryPolicy: { initialInterval: seconds(0.1), backoffCoefficient: 1 } }),
    ]);
    for (let i = 0; i < 2; i++) {
      const a = await s.activityTask();
      await s.call("RespondActivityTaskFailed", { taskToken: a.taskToken, identity: "worker", failure: FAILURE });
    }
    await s.activityTask();
    await s.answer([c.complete()]);
    await s.history();
  },
  "a canceled activity that is between attempts": async (s) => {
    await s.running([c.activity(s, "a", { retryPolicy: { initialInterval: seconds(100) } })]);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskFailed", { taskToken: a.taskToken, identity: "worker", failure: FAILURE });
    await s.signal("wake");
    await s.answer([c.cancelActivity(5)]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a cancel that the activity ignores": async (s) => {
    await s.running([c.activity(s, "a")]);
    const a = await s.activityTask();
    await s.signal("wake");
    await s.answer([c.cancelActivity(5)]);
    await s.signal("again");
    await s.badAnswer([c.cancelActivity(5)]);
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker", result: payloads("done anyway") });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a task queue, described": async (s) => {
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 1 }, (d) => d.pollers.length);
    await s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "worker" }, 2500);
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 1 }, (d) =>
      d.pollers.map((p) => [p.identity, p.ratePerSecond]),
    );
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 2 }, (d) => d.pollers.length);
    await s.refused("DescribeTaskQueue", { taskQueueType: 1 });
    await s.refused("DescribeTaskQueue", { taskQueue: { name: "x".repeat(1001) }, taskQueueType: 1 });
    await s.refused("DescribeTaskQueue", { taskQueue: { name: s.queue }, taskQueueType: 1, namespace: "there-is-no-such-namespace" });
    await s.refused("ListTaskQueuePartitions", {});
    await s.call("ListTaskQueuePartitions", { taskQueue: { name: s.queue } });
  },
};
