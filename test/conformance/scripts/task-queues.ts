/** Task queues: priorities and fairness of a backlog, rates, configuration, description. */
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const queueOf = (s: Session) => ({ name: s.queue, kind: 1 });
const configure = (s: Session, change: object) =>
  s.call("UpdateTaskQueueConfig", { taskQueue: s.queue, taskQueueType: 2, identity: "admin", ...change });
const shownConfig = (s: Session, change: object) =>
  s.shown("UpdateTaskQueueConfig", { taskQueue: s.queue, taskQueueType: 2, identity: "admin", ...change });
const refusedConfig = (s: Session, change: object) =>
  s.refused("UpdateTaskQueueConfig", { taskQueue: s.queue, taskQueueType: 2, identity: "admin", ...change });

/** Activities that wait, one completion each, so that they come in this order. */
async function backlog(s: Session, activities: readonly (readonly [string, object])[]): Promise<void> {
  await s.running(activities.map(([id, priority]) => c.activity(s, id, { priority, startToCloseTimeout: seconds(60) })));
  await s.until("all wait", async () => (await count(s)) === activities.length);
}

const count = async (s: Session): Promise<number> => {
  const d = await s.call("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2, reportStats: true });
  return d.stats?.approximateBacklogCount ?? 0;
};

async function taken(s: Session, n: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < n; i++) ids.push((await s.activityTask()).activityId);
  return ids;
}

export const scripts: Record<string, Script> = {
  "a backlog goes by priority": async (s) => {
    await backlog(
      s,
      [5, 3, 1, 4, 2, 9, 0].map((priorityKey) => [`p${priorityKey}`, { priorityKey }] as const),
    );
    const order = await taken(s, 7);
    // Those of one level are as they come.
    s.note("order", [order.slice(0, 2), order.slice(2, 4).sort(), order[4], order.slice(5).sort()]);
  },
  "keys share by their weights": async (s) => {
    const of = (key: string, fairnessWeight: number) =>
      Array.from({ length: 40 }, (_, i) => [`${key}${i}`, { fairnessKey: key, fairnessWeight }] as const);
    await backlog(s, [...of("one", 1), ...of("two", 2), ...of("four", 4)]);
    const got = await taken(s, 70);
    const share = (key: string, expected: number) => Math.abs(got.filter((id) => id.startsWith(key)).length - expected) <= 4;
    s.note("shares", [share("one", 10), share("two", 20), share("four", 40)]);
  },
  "a greedy key starves nobody": async (s) => {
    await backlog(s, [
      ...Array.from({ length: 60 }, (_, i) => [`greedy${i}`, { fairnessKey: "greedy" }] as const),
      ...Array.from({ length: 5 }, (_, i) => [`modest${i}`, { fairnessKey: `modest${i}` }] as const),
    ]);
    const got = await taken(s, 14);
    s.note("modest ones taken", got.filter((id) => id.startsWith("modest")).length);
  },
  "a queue's own weights": async (s) => {
    await shownConfig(s, { setFairnessWeightOverrides: { heavy: 4 } });
    await s.until("the weights are known", async () => {
      const d = await s.call("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2, reportConfig: true });
      return d.config?.fairnessWeightOverrides.heavy === 4;
    });
    await backlog(
      s,
      ["heavy", "light"].flatMap((key) => Array.from({ length: 30 }, (_, i) => [`${key}${i}`, { fairnessKey: key, fairnessWeight: 1 }] as const)),
    );
    const got = await taken(s, 25);
    s.note("heavy ones", Math.abs(got.filter((id) => id.startsWith("heavy")).length - 20) <= 2);
  },
  "priorities are handed down": async (s) => {
    await s.start({ priority: { priorityKey: 2, fairnessKey: "tenant", fairnessWeight: 3 } });
    const task = await s.workflowTask();
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: task.taskToken,
      identity: "worker",
      commands: [c.activity(s, "inherits"), c.child(`${s.id}-plain`, { taskQueue: queueOf(s) })],
    });
    s.note("activity", (await s.activityTask()).priority);
    const areRunning = (count: number) =>
      s.until(`children run: ${count}`, async () => {
        const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
        return d.pendingChildren.length === count && d.pendingChildren.every((p) => p.runId !== "");
      });
    await areRunning(1);
    await s.answer([c.child(`${s.id}-own`, { taskQueue: queueOf(s), priority: { priorityKey: 4 } })]);
    await areRunning(2);
    for (const child of [`${s.id}-plain`, `${s.id}-own`])
      await s.shown("DescribeWorkflowExecution", { execution: { workflowId: child } }, (d) => d.workflowExecutionInfo?.priority);
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => d.pendingActivities.map((a) => a.priority));
    await s.history(`${s.id}-own`);
    await s.history();
  },
  "an activity's own priority before its workflow's": async (s) => {
    await s.running([c.activity(s, "a", { priority: { priorityKey: 1, fairnessWeight: 5 } })], {
      priority: { priorityKey: 4, fairnessKey: "tenant" },
    });
    s.note("activity", (await s.activityTask()).priority);
    await s.history();
  },
  "a priority outlives continue as new and a retry": async (s) => {
    await s.start({
      priority: { priorityKey: 5, fairnessKey: "k", fairnessWeight: 0.5 },
      retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 },
    });
    await s.answer([c.fail("again")]);
    // A run that continues within a second waits for the rest of it.
    await s.sleep(1200);
    await s.answer([c.continueAsNew({ taskQueue: queueOf(s), input: payloads("next") })]);
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => d.workflowExecutionInfo?.priority);
    await s.answer([c.complete()]);
    await s.history();
  },
  "priorities refused": async (s) => {
    const start = (priority: object) =>
      s.refused("StartWorkflowExecution", { workflowId: s.id, workflowType: { name: "T" }, taskQueue: queueOf(s), priority });
    await start({ priorityKey: -1 });
    await start({ fairnessKey: "x".repeat(65) });
    await start({ fairnessWeight: -1 });
    await s.start();
    await s.badAnswer([c.activity(s, "a", { priority: { priorityKey: -1 } })]);
    await s.badAnswer([c.child(`${s.id}-child`, { priority: { fairnessWeight: -1 } })]);
    await s.history();
  },
  "a configuration, set and described": async (s) => {
    await shownConfig(s, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 12.5 }, reason: "slow" } });
    await shownConfig(s, { updateFairnessKeyRateLimitDefault: { rateLimit: { requestsPerSecond: 3 }, reason: "per key" }, identity: "other" });
    await shownConfig(s, { setFairnessWeightOverrides: { a: 2, b: 0.25 } });
    await shownConfig(s, { setFairnessWeightOverrides: { c: 7 }, unsetFairnessWeightOverrides: ["a", "nobody"] });
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2, reportConfig: true }, (d) => [d.config, d.effectiveRateLimit]);
    await shownConfig(s, { updateQueueRateLimit: { reason: "over" } });
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2 }, (d) => [d.config, d.effectiveRateLimit]);
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 1, reportConfig: true }, (d) => [d.config, d.effectiveRateLimit]);
  },
  "a configuration of workflow tasks": async (s) => {
    await shownConfig(s, { taskQueueType: 1, setFairnessWeightOverrides: { a: 2 } });
    await refusedConfig(s, { taskQueueType: 1, updateQueueRateLimit: { rateLimit: { requestsPerSecond: 1 } } });
    await refusedConfig(s, { taskQueueType: 1, updateFairnessKeyRateLimitDefault: { rateLimit: { requestsPerSecond: 1 } } });
    await shownConfig(s, { taskQueueType: 1, updateQueueRateLimit: {} });
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), reportConfig: true }, (d) => d.config);
  },
  "a configuration refused": async (s) => {
    await refusedConfig(s, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: -1 } } });
    await refusedConfig(s, { updateFairnessKeyRateLimitDefault: { rateLimit: { requestsPerSecond: -0.5 } } });
    await refusedConfig(s, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 1 }, reason: "x".repeat(1001) } });
    await refusedConfig(s, { identity: "x".repeat(1001) });
    await refusedConfig(s, { setFairnessWeightOverrides: { "": 1 } });
    await refusedConfig(s, { setFairnessWeightOverrides: { ["x".repeat(65)]: 1 } });
    await refusedConfig(s, { setFairnessWeightOverrides: { a: 0 } });
    await refusedConfig(s, { setFairnessWeightOverrides: { 'a "b"': -1 } });
    await refusedConfig(s, { unsetFairnessWeightOverrides: [""] });
    await refusedConfig(s, { setFairnessWeightOverrides: { a: 1 }, unsetFairnessWeightOverrides: ["a"] });
    await refusedConfig(s, { unsetFairnessWeightOverrides: Array.from({ length: 1001 }, (_, i) => `k${i}`) });
    await refusedConfig(s, { taskQueue: `/_sys/${s.queue}/1`, setFairnessWeightOverrides: { a: 1 } });
    await refusedConfig(s, { namespace: "there-is-no-such-namespace" });
    await configure(s, { setFairnessWeightOverrides: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, 1])) });
    await refusedConfig(s, { setFairnessWeightOverrides: { more: 1 } });
  },
  "who decides the rate": async (s) => {
    const effective = () => s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2 }, (d) => d.effectiveRateLimit);
    const poll = (maxTasksPerSecond: number | undefined) =>
      s.call(
        "PollActivityTaskQueue",
        {
          taskQueue: queueOf(s),
          identity: "worker",
          taskQueueMetadata: maxTasksPerSecond === undefined ? undefined : { maxTasksPerSecond: { value: maxTasksPerSecond } },
        },
        2500,
      );
    await effective();
    await poll(30);
    await effective();
    await poll(1_000_000);
    await effective();
    await poll(20);
    await configure(s, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 50 } } });
    await effective();
    await configure(s, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 10_000 } } });
    await effective();
    await configure(s, { updateQueueRateLimit: {} });
    await effective();
    await poll(undefined);
    await effective();
  },
  "a queue at rate 0 stands still": async (s) => {
    await configure(s, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 0 } } });
    await backlog(s, [["a", {}]]);
    const nothing = await s.call("PollActivityTaskQueue", { taskQueue: queueOf(s), identity: "worker" }, 3000);
    s.note("while it stands", nothing.activityId);
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2 }, (d) => d.effectiveRateLimit);
    const waiting = s.activityTask();
    await configure(s, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 100 } } });
    s.note("when it goes on", (await waiting).activityId);
  },
  "stats of a backlog": async (s) => {
    await backlog(s, [
      ["a", { priorityKey: 1 }],
      ["b", { priorityKey: 1 }],
      ["c", { priorityKey: 5 }],
    ]);
    await s.until("it is old", async () => {
      const d = await s.call("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2, reportStats: true });
      return (d.stats?.approximateBacklogAge?.seconds ?? 0) >= 1;
    });
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2, reportStats: true }, (d) => [
      d.stats?.approximateBacklogCount,
      (d.stats?.tasksAddRate ?? 0) > 0,
      d.stats?.tasksDispatchRate,
      d.stats?.rateLimitingActive,
      Object.entries(d.statsByPriorityKey)
        .map(([priority, stats]) => [priority, stats?.approximateBacklogCount])
        .filter(([, n]) => n !== 0),
    ]);
    await taken(s, 3);
    await s.until("it is empty", async () => (await count(s)) === 0);
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2 }, (d) => [d.stats, d.statsByPriorityKey]);
  },
  "a queue described by build id": async (s) => {
    const enhanced = (more: object) =>
      s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), apiMode: 1, ...more }, (d) =>
        Object.entries(d.versionsInfo)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([id, v]) => [
            id,
            v?.taskReachability,
            Object.entries(v?.typesInfo ?? {}).map(([type, t]) => [
              type,
              t?.pollers.map((p) => p.identity),
              t?.stats === undefined ? "none" : t.stats.approximateBacklogCount,
            ]),
          ]),
      );
    await s.call("PollActivityTaskQueue", { taskQueue: queueOf(s), identity: "worker" }, 2500);
    // The official server answers from a cache, for a while, what it was asked before, in full or not.
    await enhanced({ taskQueueTypes: [2], reportPollers: true });
    await enhanced({ versions: { unversioned: true, buildIds: ["b1"] }, taskQueueTypes: [1], reportStats: true, reportTaskReachability: true });
    await enhanced({ versions: { buildIds: ["b2"] } });
    await s.refused("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 2 }, apiMode: 1 });
    await s.refused("DescribeTaskQueue", { taskQueue: { name: `${s.queue}-sticky`, kind: 2, normalName: s.queue }, reportStats: true });
    await s.refused("DescribeTaskQueue", {
      taskQueue: queueOf(s),
      apiMode: 1,
      reportTaskReachability: true,
      versions: { buildIds: ["1", "2", "3", "4", "5", "6"] },
    });
  },
  "the status and the partitions of a queue": async (s) => {
    await backlog(s, [
      ["a", {}],
      ["b", {}],
    ]);
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2, includeTaskQueueStatus: true }, (d) => [
      d.taskQueueStatus?.backlogCountHint,
      d.taskQueueStatus?.ratePerSecond,
      d.taskQueueStatus?.taskIdBlock !== undefined,
    ]);
    await s.shown("DescribeTaskQueue", { taskQueue: queueOf(s), taskQueueType: 2 }, (d) => d.taskQueueStatus);
    await s.shown("ListTaskQueuePartitions", { taskQueue: queueOf(s) }, (d) => [
      d.activityTaskQueuePartitions.map((p) => [p.key, p.ownerHostName !== ""]),
      d.workflowTaskQueuePartitions.map((p) => p.key),
    ]);
  },
  "advice on the number of polls": async (s) => {
    const waiting = s.workflowTask();
    await s.sleep(1500);
    await s.start();
    const waited = await waiting;
    s.note("after a wait", waited.pollerScalingDecision);
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: waited.taskToken,
      identity: "worker",
      commands: ["a", "b", "c"].map((id) => c.activity(s, id)),
    });
    await s.sleep(1000);
    s.note("before a backlog", (await s.activityTask()).pollerScalingDecision);
  },
};
