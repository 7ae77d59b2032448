import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

type PauseBy = { case: "id" | "type"; value: string };
const id = (value: string): PauseBy => ({ case: "id", value });
const execution = (s: Session) => ({ execution: { workflowId: s.id } });
const pause = (s: Session, activity: PauseBy, extra: object = {}) =>
  s.call("PauseActivity", { ...execution(s), identity: "operator", reason: "why", activity, ...extra } as never);
const unpause = (s: Session, activity: object, extra: object = {}) =>
  s.call("UnpauseActivity", { ...execution(s), identity: "operator", activity, ...extra } as never);
const reset = (s: Session, activity: object, extra: object = {}) =>
  s.call("ResetActivity", { ...execution(s), identity: "operator", activity, ...extra } as never);
const pending = (s: Session) =>
  s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => [
    [...d.pendingActivities].sort((a, b) => (a.activityId < b.activityId ? -1 : 1)),
    d.workflowExecutionInfo?.searchAttributes,
  ]);
const failure = { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never };
const beat = (s: Session, taskToken: Uint8Array) =>
  s.shown("RecordActivityTaskHeartbeat", { taskToken, identity: "worker", details: payloads("beat") });

export const scripts: Record<string, Script> = {
  "a pause while the activity waits for a worker": async (s) => {
    await s.running([c.activity(s, "a")]);
    await pause(s, id("a"));
    await pending(s);
    await unpause(s, id("a"));
    await pending(s);
    const a = await s.activityTask();
    s.note("attempt", a.attempt);
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a pause while the activity runs": async (s) => {
    await s.running([c.activity(s, "a", { heartbeatTimeout: seconds(30) })]);
    const a = await s.activityTask();
    await pause(s, id("a"), { requestId: "p" });
    await pending(s);
    await beat(s, a.taskToken);
    await s.call("RespondActivityTaskFailed", { taskToken: a.taskToken, identity: "worker", failure });
    await pending(s);
    await unpause(s, id("a"));
    const again = await s.activityTask();
    s.note("again", [again.attempt, again.heartbeatDetails]);
    await pending(s);
    await s.call("RespondActivityTaskCompleted", { taskToken: again.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "an activity that ends while it is to pause": async (s) => {
    await s.running([c.activity(s, "a")]);
    const a = await s.activityTask();
    await pause(s, id("a"));
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker", result: payloads("done") });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a pause during the wait for the next attempt": async (s) => {
    await s.running([c.activity(s, "a", { retryPolicy: { initialInterval: seconds(30) } })]);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskFailed", { taskToken: a.taskToken, identity: "worker", failure });
    await pause(s, id("a"));
    await pending(s);
    await unpause(s, id("a"));
    const again = await s.activityTask();
    s.note("attempt", again.attempt);
    await s.call("RespondActivityTaskCompleted", { taskToken: again.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "unpaused with its attempts and heartbeats reset": async (s) => {
    await s.running([c.activity(s, "a", { heartbeatTimeout: seconds(30), retryPolicy: { initialInterval: seconds(0.05) } })]);
    const first = await s.activityTask();
    await beat(s, first.taskToken);
    await s.call("RespondActivityTaskFailed", { taskToken: first.taskToken, identity: "worker", failure });
    const second = await s.activityTask();
    s.note("second", [second.attempt, second.heartbeatDetails]);
    await pause(s, id("a"));
    await s.call("RespondActivityTaskFailed", { taskToken: second.taskToken, identity: "worker", failure });
    await pending(s);
    await unpause(s, id("a"), { resetAttempts: true, resetHeartbeat: true });
    const third = await s.activityTask();
    s.note("third", [third.attempt, third.heartbeatDetails]);
    await s.call("RespondActivityTaskCompleted", { taskToken: third.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "unpaused with jitter": async (s) => {
    await s.running([c.activity(s, "a")]);
    await pause(s, id("a"));
    await unpause(s, id("a"), { jitter: seconds(1) });
    const a = await s.activityTask();
    s.note("attempt", a.attempt);
  },
  "by type, and all at once": async (s) => {
    const other = { activityType: { name: "B" }, taskQueue: { name: `${s.queue}-b` } };
    await s.running([c.activity(s, "one"), c.activity(s, "two"), c.activity(s, "three", other)]);
    await pause(s, { case: "type", value: "A" });
    await pending(s);
    await s.refused("PauseActivity", { ...execution(s), activity: { case: "type", value: "A" }, requestId: "another" } as never);
    await unpause(s, { case: "unpauseAll", value: true });
    const ids = [(await s.activityTask()).activityId, (await s.activityTask()).activityId].sort();
    s.note("they come", ids);
    await reset(s, { case: "matchAll", value: true });
    await pending(s);
  },
  "paused twice": async (s) => {
    await s.running([c.activity(s, "a")]);
    await pause(s, id("a"), { requestId: "one" });
    await pause(s, id("a"), { requestId: "one" });
    await s.refused("PauseActivity", { ...execution(s), activity: id("a"), requestId: "two" } as never);
    await unpause(s, id("a"));
    await unpause(s, id("a"));
    await pause(s, id("a"));
    await pause(s, id("a"));
    await pending(s);
  },
  "a reset while the activity waits for a retry": async (s) => {
    await s.running([c.activity(s, "a", { heartbeatTimeout: seconds(30), retryPolicy: { initialInterval: seconds(60) } })]);
    const first = await s.activityTask();
    await beat(s, first.taskToken);
    await s.call("RespondActivityTaskFailed", { taskToken: first.taskToken, identity: "worker", failure });
    await pending(s);
    await reset(s, id("a"), { resetHeartbeat: true });
    const again = await s.activityTask();
    s.note("again", [again.attempt, again.heartbeatDetails]);
    await pending(s);
  },
  "a reset while the activity runs": async (s) => {
    await s.running([c.activity(s, "a", { heartbeatTimeout: seconds(30), retryPolicy: { initialInterval: seconds(0.05) } })]);
    const first = await s.activityTask();
    await beat(s, first.taskToken);
    await reset(s, id("a"), { resetHeartbeat: true });
    await beat(s, first.taskToken);
    await pending(s);
    await s.call("RespondActivityTaskFailed", { taskToken: first.taskToken, identity: "worker", failure });
    const second = await s.activityTask();
    s.note("second", [second.attempt, second.heartbeatDetails]);
    await reset(s, id("a"));
    await s.refused("RecordActivityTaskHeartbeat", { taskToken: second.taskToken, identity: "worker" });
    await pending(s);
  },
  "a reset of what is paused": async (s) => {
    await s.running([c.activity(s, "a"), c.activity(s, "b", { taskQueue: { name: `${s.queue}-b` } })]);
    await pause(s, id("a"));
    await pause(s, id("b"));
    await reset(s, id("a"), { keepPaused: true });
    await reset(s, id("b"));
    await pending(s);
    const b = await s.activityTask(`${s.queue}-b`);
    s.note("the other one", [b.activityId, b.attempt]);
  },
  "other options while it waits for a worker": async (s) => {
    await s.running([c.activity(s, "a")]);
    await s.shown("UpdateActivityOptions", {
      ...execution(s),
      identity: "operator",
      activity: id("a"),
      activityOptions: {
        taskQueue: { name: `${s.queue}-new` },
        startToCloseTimeout: seconds(77),
        scheduleToStartTimeout: seconds(66),
        heartbeatTimeout: seconds(5),
        retryPolicy: { initialInterval: seconds(3), maximumAttempts: 9 },
        priority: { priorityKey: 1, fairnessKey: "f" },
      },
      updateMask: {
        paths: [
          "task_queue.name",
          "start_to_close_timeout",
          "scheduleToStartTimeout",
          "heartbeat_timeout",
          "retry_policy.initial_interval",
          "retry_policy.maximum_attempts",
          "priority.priority_key",
          "no_such_field",
        ],
      },
    } as never);
    await pending(s);
    const a = await s.activityTask(`${s.queue}-new`);
    s.note("as it comes", [a.retryPolicy, a.priority, a.scheduleToCloseTimeout]);
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "other options while it waits for a retry, and the old ones again": async (s) => {
    await s.running([c.activity(s, "a", { retryPolicy: { initialInterval: seconds(60) }, priority: { priorityKey: 4 } })]);
    const first = await s.activityTask();
    await s.call("RespondActivityTaskFailed", { taskToken: first.taskToken, identity: "worker", failure });
    await s.shown("UpdateActivityOptions", {
      ...execution(s),
      activity: { case: "type", value: "A" },
      activityOptions: { retryPolicy: { initialInterval: seconds(0.2), backoffCoefficient: 1, maximumInterval: seconds(10) } },
      updateMask: { paths: ["retry_policy"] },
    } as never);
    const second = await s.activityTask();
    s.note("attempt", [second.attempt, second.retryPolicy]);
    await s.shown("UpdateActivityOptions", { ...execution(s), activity: { case: "matchAll", value: true }, restoreOriginal: true } as never);
    await pending(s);
  },
  "a reset with the old options": async (s) => {
    await s.running([c.activity(s, "a", { priority: { priorityKey: 4 } })]);
    await s.call("UpdateActivityOptions", {
      ...execution(s),
      activity: id("a"),
      activityOptions: { startToCloseTimeout: seconds(99), priority: { priorityKey: 2 }, taskQueue: { name: `${s.queue}-elsewhere` } },
      updateMask: { paths: ["startToCloseTimeout", "priority", "taskQueue.name"] },
    } as never);
    await pending(s);
    await reset(s, id("a"), { restoreOriginalOptions: true });
    await pending(s);
    const a = await s.activityTask();
    s.note("it comes where it was", [a.activityId, a.startToCloseTimeout]);
  },
  "an attempt that times out while it is paused": async (s) => {
    await s.running([c.activity(s, "a", { startToCloseTimeout: seconds(3), retryPolicy: { maximumAttempts: 1 } })]);
    await s.activityTask();
    await pause(s, id("a"));
    await s.sleep(4000);
    await pending(s);
    await unpause(s, id("a"));
    await s.answer([c.complete()]);
    await s.history();
  },
  "what is refused": async (s) => {
    const runId = "11111111-2222-4333-8444-555555555555";
    const calls = ["PauseActivity", "UnpauseActivity", "ResetActivity", "UpdateActivityOptions"] as const;
    const options = { activityOptions: { startToCloseTimeout: seconds(5) }, updateMask: { paths: ["start_to_close_timeout"] } };
    for (const name of calls) {
      const extra = name === "UpdateActivityOptions" ? options : {};
      await s.refused(name, { activity: id("a"), ...extra } as never);
      await s.refused(name, { ...execution(s), ...extra } as never);
      await s.refused(name, { ...execution(s), activity: id("a"), ...extra } as never);
      await s.refused(name, { execution: { workflowId: s.id, runId }, activity: id("a"), ...extra } as never);
      await s.refused(name, { execution: { workflowId: s.id, runId: "no run" }, activity: id("a"), ...extra } as never);
      await s.refused(name, { ...execution(s), activity: id("a"), namespace: "no-such-namespace", ...extra } as never);
    }
    await s.running([c.activity(s, "a")]);
    for (const name of calls) {
      const extra = name === "UpdateActivityOptions" ? options : {};
      await s.refused(name, { ...execution(s), activity: id("b"), ...extra } as never);
      await s.refused(name, { ...execution(s), activity: { case: "type", value: "none" }, ...extra } as never);
    }
    const update = (extra: object) => s.refused("UpdateActivityOptions", { ...execution(s), activity: id("a"), ...extra } as never);
    await update({ updateMask: { paths: ["start_to_close_timeout"] } });
    await update({ activityOptions: {} });
    await update({ restoreOriginal: true, updateMask: { paths: ["x"] } });
    await update({ activityOptions: {}, updateMask: { paths: ["task_queue.name"] } });
    await update({ activityOptions: {}, updateMask: { paths: ["priority.fairness_key"] } });
    await update({ activityOptions: {}, updateMask: { paths: ["retry_policy"] } });
    await update({ activityOptions: {}, updateMask: { paths: ["retry_policy.initial_interval"] } });
    await update({ activityOptions: { retryPolicy: { backoffCoefficient: 0.5 } }, updateMask: { paths: ["retry_policy.backoff_coefficient"] } });
    await update({ activityOptions: { retryPolicy: { maximumAttempts: -1 } }, updateMask: { paths: ["retry_policy.maximum_attempts"] } });
    await update({ activityOptions: { taskQueue: {} }, updateMask: { paths: ["task_queue.name"] } });
    await update({ activityOptions: { startToCloseTimeout: seconds(-1) }, updateMask: { paths: ["start_to_close_timeout"] } });
    await update({ activityOptions: {}, updateMask: { paths: ["start_to_close_timeout"] } });
    await update({ activityOptions: { priority: { priorityKey: -1 } }, updateMask: { paths: ["priority"] } });
    await s.signal("go");
    await s.answer([c.complete()]);
    for (const name of calls)
      await s.refused(name, { ...execution(s), activity: id("a"), ...(name === "UpdateActivityOptions" ? options : {}) } as never);
  },
};
