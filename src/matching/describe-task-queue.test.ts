import { describe, expect, it } from "vitest";
import { TaskQueueKind, TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { DescribeTaskQueueRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { namespace, setup, task } from "./matching-under-test.js";

describe("describing a task queue", () => {
  const describeQueue = (t: ReturnType<typeof setup>, init: Parameters<typeof DescribeTaskQueueRequest.create>[0] = {}) =>
    t.engine.describeTaskQueue(
      namespace,
      DescribeTaskQueueRequest.create({ taskQueue: { name: "q" }, taskQueueType: TaskQueueType.ACTIVITY, ...init }),
    );

  it("shows pollers, their limit and the effective rate", async () => {
    const t = setup();
    t.poll({ identity: "a" });
    t.poll({ identity: "b", rate: 7 });
    const d = await describeQueue(t);
    expect(d.pollers?.map((p) => [p.identity, p.ratePerSecond])).toEqual([
      ["b", 7],
      ["a", 100_000],
    ]);
    expect(d.effectiveRateLimit).toEqual({ requestsPerSecond: 7, rateLimitSource: 2 });
    expect(d.versioningInfo?.currentVersion).toBe("__unversioned__");
    const workflow = await describeQueue(t, { taskQueueType: TaskQueueType.UNSPECIFIED });
    expect([workflow.pollers, workflow.effectiveRateLimit]).toEqual([[], { requestsPerSecond: 4_000, rateLimitSource: 3 }]);
  });

  it("counts the backlog and its age, by priority, also beyond the window and of an earlier process", async () => {
    const first = setup({ backlogWindowTasksMax: 4 });
    for (let i = 0; i < 9; i++) first.storeDurably(task({ priority: i === 8 ? 1 : 3 }));
    await first.runtime.advance(5_000);
    for (const t of [first, setup({ backlogWindowTasksMax: 4 }, first.store, first.runtime)]) {
      const d = await describeQueue(t, { reportStats: true, includeTaskQueueStatus: true });
      expect(d.stats).toMatchObject({ approximateBacklogCount: 9, approximateBacklogAge: { seconds: 5, nanos: 0 } });
      expect(d.statsByPriorityKey?.["1"]?.approximateBacklogCount).toBe(1);
      expect(d.statsByPriorityKey?.["3"]?.approximateBacklogCount).toBe(8);
      expect(d.taskQueueStatus?.backlogCountHint).toBe(9);
    }
  });

  it("shows how fast tasks come and go", async () => {
    const t = setup();
    for (let i = 0; i < 60; i++) {
      t.poll();
      await t.runtime.advance(500);
      t.offer(task());
    }
    const { stats } = await describeQueue(t, { reportStats: true });
    expect(Math.round(stats?.tasksAddRate ?? 0)).toBe(2);
    expect(Math.round(stats?.tasksDispatchRate ?? 0)).toBe(2);
  });

  it("describes several types in the enhanced form", async () => {
    const t = setup();
    t.poll({ identity: "a" });
    const d = await describeQueue(t, { apiMode: 1, reportPollers: true, reportStats: true });
    const types = d.versionsInfo?.[""]?.typesInfo as Record<string, { pollers: { identity: string }[] }>;
    expect([types["1"]?.pollers.length, types["2"]?.pollers[0]?.identity]).toEqual([0, "a"]);
  });

  it("refuses what the official server refuses", async () => {
    const t = setup();
    await expect(describeQueue(t, { taskQueue: undefined })).rejects.toThrow("taskQueue is not set");
    await expect(describeQueue(t, { taskQueue: { name: "" } })).rejects.toThrow("missing task queue name");
    const sticky = { name: "s", kind: TaskQueueKind.STICKY };
    await expect(describeQueue(t, { taskQueue: sticky, apiMode: 1 })).rejects.toThrow("Enhanced DescribeTaskQueue is not valid for a sticky queue");
    await expect(describeQueue(t, { taskQueue: sticky, reportStats: true })).rejects.toThrow("only supported for the root partition");
  });
});
