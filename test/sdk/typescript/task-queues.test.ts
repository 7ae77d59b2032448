/** Task queues as workers of the official TypeScript SDK see them: order of a backlog, rates, and the list of workers. */
import { temporal } from "@temporalio/proto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { begun } from "./activities.js";
import { eventually, type Suite, startSuite } from "./suite.js";

const { TaskQueueType } = temporal.api.enums.v1;

let s: Suite;
beforeAll(async () => {
  s = await startSuite("task-queue-workflows.ts");
});
afterAll(async () => s?.end());

const waiting = async (name: string): Promise<number> => {
  const d = await s.client.workflowService.describeTaskQueue({
    namespace: "default",
    taskQueue: { name },
    taskQueueType: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    reportStats: true,
  });
  return Number(d.stats?.approximateBacklogCount ?? 0);
};

/** One activity at a time, asked for one at a time. */
const single = { workflows: null, maxConcurrentActivityTaskExecutions: 1, maxConcurrentActivityTaskPolls: 1 };

it("a worker gets a backlog by priority, and keys of one priority in turn", async () => {
  const taskQueue = s.id("backlog");
  const greedy = Array.from({ length: 10 }, () => ({ priorityKey: 3, fairnessKey: "greedy" }));
  const h = await s.start("fanOut", [
    taskQueue,
    [{ priorityKey: 5 }, ...greedy, { priorityKey: 3, fairnessKey: "modest" }, { priorityKey: 1 }, { fairnessKey: "modest" }],
  ]);
  await eventually(() => waiting(taskQueue)).toBe(14);
  begun.length = 0;
  const worker = await s.worker({ ...single, taskQueue });
  expect((await h.result()).length).toBe(14);
  await worker.stop();
  expect([begun[0], begun.at(-1)]).toEqual(["1/", "5/"]);
  // Both modest ones are among the first of their priority, whatever stands before them.
  expect(begun.slice(1, 7).filter((p) => p.endsWith("/modest")).length).toBe(2);
});

it("an activity and a child take over the priority of their workflow", async () => {
  const taskQueue = s.id("inherited");
  const worker = await s.worker({ ...single, taskQueue });
  const priority = { priorityKey: 2, fairnessKey: "tenant" };
  const h = await s.start("fanOut", [taskQueue, [undefined, { priorityKey: 4 }]], { priority });
  expect(await h.result()).toEqual(["2/tenant", "4/tenant"]);
  await worker.stop();
  const parent = await s.start("childPriority", [], { priority });
  expect(JSON.parse(await parent.result())).toMatchObject(priority);
});

it("a queue that an operator has stopped goes on when it is told to", async () => {
  const taskQueue = s.id("stopped");
  const configure = (requestsPerSecond?: number) =>
    s.client.workflowService.updateTaskQueueConfig({
      namespace: "default",
      taskQueue,
      taskQueueType: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
      updateQueueRateLimit: requestsPerSecond === undefined ? {} : { rateLimit: { requestsPerSecond }, reason: "incident" },
    });
  await configure(0);
  const worker = await s.worker({ ...single, taskQueue, maxTaskQueueActivitiesPerSecond: 1000 });
  const h = await s.start("fanOut", [taskQueue, [undefined]]);
  await eventually(() => waiting(taskQueue)).toBe(1);
  await configure();
  expect(await h.result()).toEqual(["/"]);
  await worker.stop();
});

it("a worker is listed as running from its first heartbeat until it shuts down", async () => {
  const taskQueue = s.id("listed");
  const query = `TaskQueue = '${taskQueue}' AND Status = 'Running'`;
  const running = async () => (await s.client.workflowService.listWorkers({ namespace: "default", query })).workers ?? [];
  const worker = await s.worker({ workflows: null, taskQueue });
  await eventually(async () => (await running()).map((w) => w.sdkName)).toEqual(["temporal-typescript"]);
  await worker.stop();
  // Its last word says that it is shutting down; it is forgotten when it is not heard of again.
  await eventually(async () => (await running()).length).toBe(0);
});
