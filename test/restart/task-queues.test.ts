/** What callers set on task queues and workers, and the order of a backlog, is there after the server has ended and begun again. */
import { expect, it } from "vitest";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { CoreSubject } from "../conformance/core-subject.js";
import { command as c, Session, seconds } from "../conformance/session.js";

/** The first half on one process, the second on the next; the second may go on with the first one's names. */
async function overARestart(before: (s: Session) => Promise<void>, after: (s: Session, names: { id: string; queue: string }) => Promise<void>) {
  const store = new MemoryStore();
  const first = await CoreSubject.open(store);
  const s = new Session(first);
  await before(s);
  first.close();
  const second = await CoreSubject.open(store, 2);
  await after(new Session(second), s);
  second.close();
}

const queueOf = (name: string) => ({ name, kind: 1 });

it("a queue's configuration", () =>
  overARestart(
    async (s) => {
      await s.call("UpdateTaskQueueConfig", {
        taskQueue: s.queue,
        taskQueueType: 2,
        identity: "admin",
        updateQueueRateLimit: { rateLimit: { requestsPerSecond: 7 }, reason: "slow" },
        setFairnessWeightOverrides: { a: 2, b: 3 },
      });
      await s.call("UpdateTaskQueueConfig", { taskQueue: s.queue, taskQueueType: 2, unsetFairnessWeightOverrides: ["a"] });
    },
    async (s, { queue }) => {
      const d = await s.call("DescribeTaskQueue", { taskQueue: queueOf(queue), taskQueueType: 2, reportConfig: true });
      expect(d.config).toMatchObject({
        queueRateLimit: { rateLimit: { requestsPerSecond: 7 }, metadata: { reason: "slow", updateIdentity: "admin" } },
        fairnessWeightOverrides: { b: 3 },
      });
      expect(d.effectiveRateLimit).toEqual({ requestsPerSecond: 7, rateLimitSource: 1 });
    },
  ));

it("the priorities and the fairness of a backlog", () =>
  overARestart(
    async (s) => {
      const greedy = Array.from({ length: 30 }, (_, i) =>
        c.activity(s, `greedy${i}`, { priority: { fairnessKey: "greedy" }, startToCloseTimeout: seconds(600) }),
      );
      await s.running([
        ...greedy,
        c.activity(s, "urgent", { priority: { priorityKey: 1 } }),
        c.activity(s, "modest", { priority: { fairnessKey: "modest" } }),
      ]);
      for (const expected of ["urgent", "greedy0"])
        expect((await s.call("PollActivityTaskQueue", { taskQueue: queueOf(s.queue), identity: "w" }, 5000)).activityId).toBe(expected);
    },
    async (s, { queue }) => {
      const next = async () => (await s.call("PollActivityTaskQueue", { taskQueue: queueOf(queue), identity: "w" }, 5000)).activityId;
      const got: string[] = [];
      for (let i = 0; i < 30; i++) got.push(await next());
      expect(got.slice(0, 2)).toContain("modest");
      expect(got.filter((id) => id !== "modest")).toEqual(Array.from({ length: 29 }, (_, i) => `greedy${i + 1}`));
    },
  ));

it("a worker's configuration, until the worker is not heard of", () =>
  overARestart(
    async (s) => {
      await s.call("RecordWorkerHeartbeat", { workerHeartbeat: [{ workerInstanceKey: "k", taskQueue: s.queue }] });
      await s.call("UpdateWorkerConfig", {
        selector: { selector: { case: "workerInstanceKey", value: "k" } },
        workerConfig: { workflowCacheSize: 9 },
      });
    },
    async (s) => {
      const fetch = () => s.call("FetchWorkerConfig", { selector: { selector: { case: "workerInstanceKey", value: "k" } } });
      expect((await fetch()).workerConfig?.workflowCacheSize).toBe(9);
      await s.sleep(6 * 60_000);
      await expect(fetch()).rejects.toThrow("Worker k not found");
    },
  ));

it("what the process of a worker has to be told", () =>
  overARestart(
    async (s) => {
      await s.running([c.activity(s, "a", { startToCloseTimeout: seconds(600) })]);
      const workerControlTaskQueue = `${s.queue}-control`;
      await s.call("PollActivityTaskQueue", { taskQueue: queueOf(s.queue), identity: "w", workerControlTaskQueue });
      await s.signal("cancel");
      await s.answer([c.cancelActivity(5)]);
    },
    async (s, { queue }) => {
      const { request } = await s.call("PollNexusTaskQueue", { taskQueue: { name: `${queue}-control`, kind: 3 }, identity: "p" });
      expect(request?.variant).toMatchObject({ case: "startOperation", value: { operation: "ExecuteCommands" } });
    },
  ));

it("version sets and rules, with the token of the rules", () =>
  overARestart(
    async (s) => {
      await s.call("UpdateWorkerBuildIdCompatibility", { taskQueue: s.queue, operation: { case: "addNewBuildIdInNewDefaultSet", value: "1" } });
      const { conflictToken } = await s.call("GetWorkerVersioningRules", { taskQueue: s.queue });
      await s.call("UpdateWorkerVersioningRules", {
        taskQueue: s.queue,
        conflictToken,
        operation: { case: "commitBuildId", value: { targetBuildId: "2", force: true } },
      });
    },
    async (s, { queue }) => {
      expect((await s.call("GetWorkerBuildIdCompatibility", { taskQueue: queue })).majorVersionSets).toEqual([{ buildIds: ["1"] }]);
      const { conflictToken, assignmentRules } = await s.call("GetWorkerVersioningRules", { taskQueue: queue });
      expect(assignmentRules.map((r) => r.rule?.targetBuildId)).toEqual(["2"]);
      await s.call("UpdateWorkerVersioningRules", {
        taskQueue: queue,
        conflictToken,
        operation: { case: "deleteAssignmentRule", value: { ruleIndex: 0, force: true } },
      });
    },
  ));
