import { command as c, payloads, type Script, seconds } from "../session.js";

export const scripts: Record<string, Script> = {
  "an activity that completes": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { input: payloads("in") })]);
    const a = await s.activityTask();
    s.note("task", {
      id: a.activityId,
      type: a.activityType?.name,
      input: a.input,
      attempt: a.attempt,
      timeouts: [a.startToCloseTimeout, a.scheduleToCloseTimeout, a.heartbeatTimeout],
      retryPolicy: a.retryPolicy,
    });
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker", result: payloads("out") });
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity that fails for good": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { retryPolicy: { maximumAttempts: 1 } })]);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskFailed", {
      taskToken: a.taskToken,
      identity: "worker",
      failure: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never },
    });
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity that is not retryable": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { retryPolicy: { nonRetryableErrorTypes: ["X"] } })]);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskFailed", {
      taskToken: a.taskToken,
      identity: "worker",
      failure: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never },
    });
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity that is retried": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { retryPolicy: { initialInterval: seconds(0.1) } })]);
    const first = await s.activityTask();
    await s.call("RespondActivityTaskFailed", {
      taskToken: first.taskToken,
      identity: "worker",
      failure: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never },
    });
    const second = await s.activityTask();
    s.note("attempt", second.attempt);
    await s.call("RespondActivityTaskCompleted", { taskToken: second.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity that times out": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { startToCloseTimeout: seconds(1), retryPolicy: { maximumAttempts: 1 } })]);
    await s.activityTask();
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity that nobody takes": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { scheduleToStartTimeout: seconds(1) })]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity without a heartbeat": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { heartbeatTimeout: seconds(1), retryPolicy: { maximumAttempts: 1 } })]);
    const a = await s.activityTask();
    await s.call("RecordActivityTaskHeartbeat", { taskToken: a.taskToken, identity: "worker", details: payloads("beat") });
    await s.answer([c.complete()]);
    await s.history();
  },
  "retries that run out of time": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a", { scheduleToCloseTimeout: seconds(2), retryPolicy: { initialInterval: seconds(10) } })]);
    const a = await s.activityTask();
    await s.refused("RespondActivityTaskFailed", { taskToken: a.taskToken, identity: "worker", failure: { message: "bad" } });
    await s.call("RespondActivityTaskFailed", {
      taskToken: a.taskToken,
      identity: "worker",
      failure: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never },
    });
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity canceled before it starts": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a")]);
    await s.signal("wake");
    await s.answer([c.cancelActivity(5)]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity canceled while it runs": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a")]);
    const a = await s.activityTask();
    await s.signal("wake");
    await s.answer([c.cancelActivity(5)]);
    const beat = await s.call("RecordActivityTaskHeartbeat", { taskToken: a.taskToken, identity: "worker" });
    s.note("cancel requested", beat.cancelRequested);
    await s.call("RespondActivityTaskCanceled", { taskToken: a.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "canceled without being asked to": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a")]);
    const a = await s.activityTask();
    await s.refused("RespondActivityTaskCanceled", { taskToken: a.taskToken, identity: "worker" });
  },
  "completed twice": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a")]);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker" });
    await s.refused("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker" });
    await s.refused("RespondActivityTaskFailed", { taskToken: a.taskToken, identity: "worker" });
    await s.refused("RecordActivityTaskHeartbeat", { taskToken: a.taskToken, identity: "worker" });
  },
  "completed by id": async (s) => {
    await s.start();
    await s.answer([c.activity(s, "a")]);
    await s.activityTask();
    await s.call("RespondActivityTaskCompletedById", { workflowId: s.id, activityId: "a", identity: "client", result: payloads("by id") });
    await s.answer([c.complete()]);
    await s.history();
    await s.refused("RespondActivityTaskCompletedById", { workflowId: s.id, activityId: "a", identity: "client" });
  },
  "an unknown activity by id": async (s) => {
    await s.start();
    await s.answer([c.timer("t", 100)]);
    await s.refused("RespondActivityTaskCompletedById", { workflowId: s.id, activityId: "nope", identity: "client" });
  },
  "two of one name": async (s) => {
    await s.start();
    await s.badAnswer([c.activity(s, "a"), c.activity(s, "a")]);
    await s.history();
  },
  "an activity without timeouts": async (s) => {
    await s.start();
    await s.badAnswer([c.activity(s, "a", { startToCloseTimeout: undefined })]);
    await s.history();
  },
  "an activity without a task queue": async (s) => {
    await s.start();
    await s.badAnswer([c.activity(s, "a", { taskQueue: undefined })]);
    await s.history();
  },
  "an activity whose task queue has no name": async (s) => {
    await s.start();
    await s.badAnswer([c.activity(s, "a", { taskQueue: { name: "" } })]);
    await s.history();
  },
  "an activity without an id": async (s) => {
    await s.start();
    await s.badAnswer([c.activity(s, "")]);
    await s.history();
  },
};
