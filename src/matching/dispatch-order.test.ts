/** In which order, and how fast, the tasks of a queue reach its workers. */
import { describe, expect, it } from "vitest";
import { RateLimitSource, TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import {
  DescribeTaskQueueRequest,
  ShutdownWorkerRequest,
  UpdateTaskQueueConfigRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Init } from "../api/wire.js";
import type { DispatchTask } from "../core/transition.js";
import { namespace, START_MICROS, setup, task } from "./matching-under-test.js";

type World = ReturnType<typeof setup>;

const keyed = (key: string, weight = 0, more: Partial<DispatchTask> = {}) =>
  task({ fairnessKey: key, fairnessWeight: weight, workflowId: key, ...more });

/** What the next polls get, one after the other. */
async function take(w: World, count: number): Promise<string[]> {
  const got: string[] = [];
  for (let i = 0; i < count; i++) {
    const p = w.poll();
    await w.runtime.settle();
    if (p.state !== "task") break;
    got.push(p.workflowId);
  }
  return got;
}

const count = (got: string[], what: string) => got.filter((g) => g === what).length;

const configure = (w: World, change: Init<UpdateTaskQueueConfigRequest>) =>
  w.engine.updateTaskQueueConfig(
    namespace,
    UpdateTaskQueueConfigRequest.create({ taskQueue: "q", taskQueueType: TaskQueueType.ACTIVITY, identity: "admin", ...change }),
  );

const describeQueue = (w: World, more: Init<DescribeTaskQueueRequest> = {}) =>
  w.engine.describeTaskQueue(
    namespace,
    DescribeTaskQueueRequest.create({ taskQueue: { name: "q", kind: 1 }, taskQueueType: TaskQueueType.ACTIVITY, ...more }),
  );

describe("the order of a backlog", () => {
  it("is by priority first, and priorities beyond the last level are of the last one", async () => {
    const w = setup();
    w.storeDurably(...[5, 3, 1, 40, 2].map((priority) => task({ priority, workflowId: String(priority) })));
    expect(await take(w, 5)).toEqual(["1", "2", "3", "5", "40"]);
  });

  it("shares within 10 % of the weights, beyond what is in memory", async () => {
    const w = setup({ backlogWindowTasksMax: 50, taskQueueDispatchPerSecondMax: 100_000 });
    for (let i = 0; i < 700; i++) w.storeDurably(keyed("one", 1), keyed("two", 2), keyed("four", 4));
    const got = await take(w, 700);
    expect(count(got, "one")).toBeGreaterThanOrEqual(90);
    expect(count(got, "one")).toBeLessThanOrEqual(110);
    expect(count(got, "two")).toBeGreaterThanOrEqual(180);
    expect(count(got, "two")).toBeLessThanOrEqual(220);
    expect(count(got, "four")).toBeGreaterThanOrEqual(360);
    expect(count(got, "four")).toBeLessThanOrEqual(440);
  });

  it("lets one greedy key starve nobody", async () => {
    const w = setup({ backlogWindowTasksMax: 50 });
    for (let i = 0; i < 500; i++) w.storeDurably(keyed("greedy"));
    await take(w, 100);
    for (let i = 0; i < 10; i++) w.storeDurably(keyed(`modest ${i}`));
    expect(new Set(await take(w, 22)).size).toBe(11);
  });

  it("takes the queue's weights before the tasks'", async () => {
    const w = setup();
    await configure(w, { setFairnessWeightOverrides: { a: 4 } });
    for (let i = 0; i < 100; i++) w.storeDurably(keyed("a"), keyed("b", 1));
    const got = await take(w, 100);
    expect(count(got, "a")).toBeGreaterThanOrEqual(78);
    expect(count(got, "a")).toBeLessThanOrEqual(82);
  });

  it("is that of arrival when fairness is off", async () => {
    const w = setup({ fairness: false });
    for (let i = 0; i < 5; i++) w.storeDurably(keyed("greedy"));
    w.storeDurably(keyed("modest"));
    expect(await take(w, 6)).toEqual(["greedy", "greedy", "greedy", "greedy", "greedy", "modest"]);
  });

  it("outlives the process: no task overtakes an older one of its key, and keys still share", async () => {
    const w = setup();
    for (let i = 0; i < 300; i++) w.storeDurably(keyed("a", 0, { workflowId: `a${i}` }));
    await take(w, 100);
    const next = setup({}, w.store, w.runtime);
    next.storeDurably(keyed("a", 0, { workflowId: "a300" }));
    const [first] = await take(next, 1);
    next.storeDurably(keyed("b", 0, { workflowId: "b" }));
    const got = await take(next, 300);
    expect([first, ...got.filter((g) => g.startsWith("a"))]).toEqual(Array.from({ length: 201 }, (_, i) => `a${i + 100}`));
    expect(got.indexOf("b")).toBeLessThan(3);
  });

  it("survives a batch that fails", async () => {
    const w = setup();
    w.storeDurably(keyed("a", 0, { workflowId: "a0" }));
    const { Batch } = await import("../persistence/batch.js");
    const lost = new Batch();
    for (let i = 0; i < 100; i++) w.engine.store(keyed("a", 0, { workflowId: `lost${i}` }), lost);
    w.engine.settled(lost, false);
    w.storeDurably(keyed("a", 0, { workflowId: "a1" }));
    expect(await take(w, 5)).toEqual(["a0", "a1"]);
    const next = setup({}, w.store, w.runtime);
    next.storeDurably(keyed("a", 0, { workflowId: "a2" }));
    expect(await take(next, 1)).toEqual(["a2"]);
  });
});

describe("the configuration of a queue", () => {
  it("limits the queue, whatever its workers ask for, until it takes the limit away", async () => {
    const w = setup();
    await configure(w, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 2 }, reason: "slow" } });
    w.poll({ rate: 50 });
    expect((await describeQueue(w)).effectiveRateLimit).toEqual({ requestsPerSecond: 2, rateLimitSource: RateLimitSource.API });
    const config = await configure(w, { updateQueueRateLimit: {} });
    expect(config.queueRateLimit).toMatchObject({ rateLimit: undefined, metadata: { updateIdentity: "admin" } });
    expect((await describeQueue(w)).effectiveRateLimit).toEqual({ requestsPerSecond: 50, rateLimitSource: RateLimitSource.WORKER });
  });

  it("takes effect on tasks that wait: a queue at 0 goes on at once", async () => {
    const w = setup();
    await configure(w, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 0 } } });
    w.storeDurably(task({ workflowId: "w" }));
    const p = w.poll();
    await w.runtime.advance(5000);
    expect(p.state).toBe("open");
    await configure(w, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 1 } } });
    await w.runtime.settle();
    expect([p.state, p.workflowId]).toEqual(["task", "w"]);
  });

  it("holds back a direct start as well", async () => {
    const w = setup();
    await configure(w, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 1 } } });
    const [a, b] = [w.poll(), w.poll()];
    expect([w.offer(task()), w.offer(task())]).toEqual(["reserved", "stored"]);
    await w.runtime.settle();
    expect([a.state, b.state]).toEqual(["task", "open"]);
    await w.runtime.advance(1001);
    expect(b.state).toBe("task");
  });

  it("limits each key in proportion to its weight", async () => {
    const w = setup();
    await configure(w, { updateFairnessKeyRateLimitDefault: { rateLimit: { requestsPerSecond: 1 } }, setFairnessWeightOverrides: { b: 3 } });
    for (let i = 0; i < 100; i++) w.storeDurably(keyed("a"), keyed("b"));
    const polls = Array.from({ length: 100 }, () => w.poll());
    await w.runtime.advance(10_000);
    const got = polls.filter((p) => p.state === "task").map((p) => p.workflowId);
    expect(count(got, "a")).toBeGreaterThanOrEqual(10);
    expect(count(got, "a")).toBeLessThanOrEqual(12);
    expect(count(got, "b")).toBeGreaterThanOrEqual(28);
    expect(count(got, "b")).toBeLessThanOrEqual(34);
  });

  it("outlives the process, and is of one type of the queue", async () => {
    const w = setup();
    await configure(w, { updateQueueRateLimit: { rateLimit: { requestsPerSecond: 3 }, reason: "r" }, setFairnessWeightOverrides: { a: 2 } });
    const next = setup({}, w.store, w.runtime);
    const described = await describeQueue(next, { reportConfig: true });
    expect(described.config).toMatchObject({
      queueRateLimit: { rateLimit: { requestsPerSecond: 3 }, metadata: { reason: "r", updateTime: { seconds: START_MICROS / 1e6 } } },
      fairnessWeightOverrides: { a: 2 },
    });
    expect(described.effectiveRateLimit?.requestsPerSecond).toBe(3);
    expect((await describeQueue(next, { reportConfig: true, taskQueueType: TaskQueueType.WORKFLOW })).config).toBeUndefined();
    expect((await describeQueue(next)).config).toBeUndefined();
  });

  it("keeps what a change does not name, and refuses too many weights whole", async () => {
    const w = setup();
    await configure(w, { setFairnessWeightOverrides: { a: 1, b: 2 }, updateFairnessKeyRateLimitDefault: { rateLimit: { requestsPerSecond: 9 } } });
    const config = await configure(w, { setFairnessWeightOverrides: { b: 3, c: 4 }, unsetFairnessWeightOverrides: ["a", "nobody"] });
    expect(config.fairnessWeightOverrides).toEqual({ b: 3, c: 4 });
    expect(config.fairnessKeysRateLimitDefault?.rateLimit?.requestsPerSecond).toBe(9);
    await expect(configure(w, { setFairnessWeightOverrides: { d: 1, e: 1 } })).rejects.toThrow("exceeding maximum key size");
    expect((await describeQueue(w, { reportConfig: true })).config?.fairnessWeightOverrides).toEqual({ b: 3, c: 4 });
  });
});

describe("advice on the number of polls", () => {
  it("goes with a task: fewer after a wait, more for a backlog", async () => {
    const w = setup();
    const waited = w.poll();
    await w.runtime.advance(1500);
    w.offer(task());
    await w.runtime.settle();
    expect([waited.state, waited.scaling]).toEqual(["task", -1]);
    const prompt = w.poll();
    await w.runtime.settle();
    w.offer(task({ createTime: w.runtime.now }));
    await w.runtime.settle();
    expect([prompt.state, prompt.scaling]).toEqual(["task", 0]);
    w.storeDurably(...Array.from({ length: 5 }, () => task({ createTime: w.runtime.now })));
    await w.runtime.advance(300);
    const behind = w.poll();
    await w.runtime.settle();
    expect([behind.state, behind.scaling]).toEqual(["task", 1]);
  });
});

describe("what is told of a queue", () => {
  it("counts and ages its tasks by priority", async () => {
    const w = setup();
    w.storeDurably(...[1, 1, 5].map((priority) => task({ priority, createTime: w.runtime.now })));
    await w.runtime.advance(2000);
    w.storeDurably(task({ priority: 5, createTime: w.runtime.now }));
    const { stats, statsByPriorityKey } = await describeQueue(w, { reportStats: true });
    expect(stats).toMatchObject({ approximateBacklogCount: 4, approximateBacklogAge: { seconds: 2 }, tasksDispatchRate: 0 });
    expect(stats?.tasksAddRate).toBeGreaterThan(0);
    const counts = Object.entries(statsByPriorityKey ?? {}).map(([p, s]) => [p, s?.approximateBacklogCount]);
    expect(counts).toEqual([
      ["1", 2],
      ["3", 0],
      ["5", 2],
    ]);
  });

  it("tells of each build id that is asked for: the unversioned one has everything", async () => {
    const w = setup();
    w.storeDurably(task());
    const { versionsInfo } = await describeQueue(w, {
      apiMode: 1,
      versions: { buildIds: ["b"], unversioned: true },
      taskQueueTypes: [TaskQueueType.ACTIVITY],
      reportStats: true,
    });
    expect(versionsInfo?.[""]).toMatchObject({ typesInfo: { "2": { stats: { approximateBacklogCount: 1 } } } });
    expect(versionsInfo?.b).toMatchObject({ typesInfo: { "2": { stats: { approximateBacklogCount: 0 } } } });
  });
});

it("a worker's shutdown ends its polls, turns later ones away, and hands its sticky tasks over", async () => {
  const w = setup();
  const [own, sticky, other] = [
    w.poll({ type: "workflow", instance: "i1" }),
    w.poll({ type: "workflow", sticky: "s", instance: "i1" }),
    w.poll({ instance: "i2" }),
  ];
  await w.runtime.settle();
  sticky.call.cancel();
  w.storeDurably(task({ type: "workflow", sticky: "s", workflowId: "w" }));
  w.engine.shutdownWorker(
    namespace,
    ShutdownWorkerRequest.create({ stickyTaskQueue: "s", workerInstanceKey: "i1", taskQueue: "q", identity: "worker" }),
  );
  const late = w.poll({ type: "workflow", instance: "i1" });
  await w.runtime.settle();
  expect([own.state, late.state, other.state]).toEqual(["empty", "empty", "open"]);
  const heir = w.poll({ type: "workflow", instance: "i3" });
  await w.runtime.settle();
  expect([heir.state, heir.workflowId]).toEqual(["task", "w"]);
});
