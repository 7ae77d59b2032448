/** Skipping beside what else the API has: schedules, updates, pauses, resets, batch operations, namespaces that go. */
import { describe, expect, it } from "vitest";
import { Code } from "../../src/api/service-error.js";
import { timestampMicros } from "../../src/api/time.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { commands as c, updatable } from "./commands.js";
import { openWorld as open, skipping, sleeper } from "./open-world.js";
import { count, DAY, EventType, HOUR, has, MINUTE, SECOND, span, timeOf, type Workflow, type World } from "./world.js";

const complete: Workflow = () => [c.complete()];
const sleepUnlocked = (w: World, micros: number, clock?: string) =>
  w.call("UnlockTimeSkippingWithSleep", { duration: span(micros) }, { timeoutMs: 60_000, ...(clock === undefined ? {} : { clock }) });
const actionsOf = async (w: World, scheduleId: string, namespace = "default") =>
  (await w.call("DescribeSchedule", { namespace, scheduleId })).info?.actionCount;

describe("a schedule", () => {
  it("follows the clock of its namespace, which leaves that of another alone", async () => {
    const w = await open();
    for (const namespace of ["left", "right"]) {
      w.worker(complete, "q", namespace);
      await w.schedule("s", DAY, {}, namespace);
    }
    await sleepUnlocked(w, 5 * DAY, "left");
    expect([await actionsOf(w, "s", "left"), await actionsOf(w, "s", "right")]).toEqual([5, 0]);
    await sleepUnlocked(w, 2 * DAY, "right");
    expect([await actionsOf(w, "s", "left"), await actionsOf(w, "s", "right")]).toEqual([5, 2]);
    expect(w.waited).toBeLessThan(2 * SECOND);
  });

  it("goes on after a restart where its clock was: nothing is missed, made up for or done twice", async () => {
    const store = new MemoryStore();
    const first = await open({ store });
    first.worker(complete);
    await first.schedule("s", DAY);
    await sleepUnlocked(first, 10 * DAY);
    await first.stop();

    const second = await open({ store, now: first.subject.now + SECOND });
    second.worker(complete);
    await sleepUnlocked(second, 10 * DAY);
    const { info } = await second.call("DescribeSchedule", { scheduleId: "s" });
    expect([info?.actionCount, info?.missedCatchupWindow, info?.overlapSkipped]).toEqual([20, 0, 0]);
    expect((await second.call("CountWorkflowExecutions", {})).count).toBe(20);
    expect(second.skips.filter((s) => s.reason === "schedule")).toHaveLength(10);
  });

  it("that is paused, or has nothing left to do, keeps no clock", async () => {
    const w = await open();
    w.worker(complete);
    await w.schedule("paused", DAY, { state: { paused: true } });
    await w.schedule("limited", DAY, { state: { limitedActions: true, remainingActions: 2 } });
    await sleepUnlocked(w, 5 * DAY);
    expect([await actionsOf(w, "paused"), await actionsOf(w, "limited")]).toEqual([0, 2]);
    expect(w.skips.map((s) => s.reason)).toEqual(["schedule", "schedule", "sleep"]);
  });
});

describe("an update", () => {
  it("of an execution that skips on its own is answered when its handler has slept, without any lock", async () => {
    const w = await open();
    w.worker(updatable(3 * DAY));
    await w.start("w", skipping);
    expect((await w.update("w", "u")).outcome?.value.case).toBe("success");
    expect(w.waited).toBeLessThan(SECOND);
    expect(w.skips).toEqual([expect.objectContaining({ workflowId: "w", reason: "timer" })]);
    expect((await w.time()) - w.subject.now).toBe(0);
  });

  it("holds time until a worker has spoken", async () => {
    const w = await open();
    w.worker(sleeper(DAY));
    await w.start("asked", { taskQueue: { name: "polled once" } });
    const { taskToken } = await w.call("PollWorkflowTaskQueue", { taskQueue: { name: "polled once" } });
    await w.call("RespondWorkflowTaskCompleted", { taskToken });
    await w.start("sleeps");
    await w.until(async () => (await w.types("sleeps")).includes("TIMER_STARTED"));
    const answer = w.update("asked", "u");
    await w.call("UnlockTimeSkipping", {});
    await w.call("Sleep", { duration: span(5 * SECOND) });
    expect(w.skips).toEqual([]);
    w.worker(updatable(0), "polled once");
    expect((await answer).outcome?.value.case).toBe("success");
    await w.closed("sleeps");
    expect(w.waited).toBeLessThan(7 * SECOND);
  });
});

describe("a pause", () => {
  it("of a workflow keeps the clock that it shares, and the one of its own, where they are", async () => {
    const w = await open();
    w.worker(sleeper(DAY));
    await w.start("shares");
    await w.start("own", { timeSkippingConfig: { enabled: true }, taskQueue: { name: "later" } });
    for (const workflowId of ["shares", "own"])
      await w.call("PauseWorkflowExecution", { workflowId, requestId: `pause-${workflowId}`, reason: "", identity: "" });
    w.worker(sleeper(DAY), "later");
    await sleepUnlocked(w, 3 * SECOND);
    expect(w.skips).toEqual([]);
    expect(w.waited).toBeGreaterThanOrEqual(3 * SECOND);
    const waited = w.waited;
    for (const workflowId of ["shares", "own"])
      await w.call("UnpauseWorkflowExecution", { workflowId, requestId: `unpause-${workflowId}`, reason: "", identity: "" });
    await w.closed("own");
    await w.result("shares");
    expect(w.skips.map((s) => [s.workflowId, s.reason])).toEqual([
      ["own", "timer"],
      ["shares", "timer"],
    ]);
    expect(w.waited - waited).toBeLessThan(SECOND);
  });

  it("of an activity in its backoff keeps them where they are, too", async () => {
    const w = await open();
    const failsOnce: Workflow = (events) => {
      if (has(events, EventType.ACTIVITY_TASK_COMPLETED)) return [c.complete()];
      return has(events, EventType.ACTIVITY_TASK_SCHEDULED) ? [] : [c.activity("a", { retryPolicy: { initialInterval: span(HOUR) } })];
    };
    w.worker(failsOnce);
    await w.start("shares");
    const attempts = async (id: string) => (await w.describe(id)).pendingActivities[0]?.attempt;
    const task = await w.call("PollActivityTaskQueue", { taskQueue: { name: "q" } });
    const failure = { message: "again", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never };
    await w.call("RespondActivityTaskFailed", { taskToken: task.taskToken, failure });
    await w.call("PauseActivity", { execution: { workflowId: "shares" }, activity: { case: "id", value: "a" } as never, identity: "" });
    expect(await attempts("shares")).toBe(2);
    await sleepUnlocked(w, 3 * SECOND);
    expect(w.skips).toEqual([]);
    await w.call("UnpauseActivity", { execution: { workflowId: "shares" }, activity: { case: "id", value: "a" } as never, identity: "" });
    w.activities(() => undefined);
    await w.result("shares");
    expect(w.waited).toBeLessThan(5 * SECOND);
  });
});

describe("a reset", () => {
  it("of a run that skipped goes on from what its share of the history skipped, on the same clock", async () => {
    const w = await open();
    w.worker(sleeper(DAY, 3));
    // Its namespace is ten days ahead when it begins.
    await sleepUnlocked(w, 10 * DAY);
    const runId = await w.start("w", skipping);
    await w.closed("w");
    const events = await w.history("w");
    const begin = timeOf(events[0]);
    expect(begin - w.subject.now).toBeGreaterThanOrEqual(10 * DAY - SECOND);
    const firstFired = events.findIndex((e) => e.eventType === EventType.TIMER_FIRED);
    const finish = events.slice(firstFired).find((e) => e.eventType === EventType.WORKFLOW_TASK_COMPLETED);
    const reset = await w.call("ResetWorkflowExecution", {
      workflowExecution: { workflowId: "w", runId },
      workflowTaskFinishEventId: finish?.eventId ?? 0,
      requestId: "reset",
      reason: "",
    });
    await w.closed("w", "default", reset.runId);
    const again = await w.history("w", reset.runId);
    for (const [i, e] of again.entries()) if (i > 0) expect(timeOf(e)).toBeGreaterThanOrEqual(timeOf(again[i - 1]));
    const failed = again.find((e) => e.eventType === EventType.WORKFLOW_TASK_FAILED);
    expect(timeOf(failed) - begin).toBeGreaterThanOrEqual(DAY);
    expect(timeOf(failed) - begin).toBeLessThan(DAY + MINUTE);
    expect(count(again, EventType.TIMER_FIRED)).toBe(3);
    expect(Math.round((timeOf(again.at(-1)) - begin) / DAY)).toBe(3);
    expect(w.waited).toBeLessThan(SECOND);
    expect(timestampMicros((await w.describe("w")).workflowExtendedInfo?.lastResetTime)).toBe(timeOf(failed));
  });
});

describe("a batch operation", () => {
  it("keeps time from passing until it is done: what it is about to signal does not time out", async () => {
    const w = await open();
    w.worker((events) => (has(events, EventType.WORKFLOW_EXECUTION_SIGNALED) ? [c.complete()] : []));
    const ids = ["a", "b", "c"];
    for (const id of ids) await w.start(id, { workflowRunTimeout: span(HOUR) });
    await w.call("StartBatchOperation", {
      jobId: "job",
      reason: "r",
      visibilityQuery: "WorkflowType = 'T'",
      maxOperationsPerSecond: 1,
      operation: { case: "signalOperation", value: { signal: "go", identity: "" } } as never,
    });
    await w.call("UnlockTimeSkipping", {});
    for (const id of ids) expect((await w.closed(id)).eventType).toBe(EventType.WORKFLOW_EXECUTION_COMPLETED);
    await w.until(async () => (await w.call("DescribeBatchOperation", { jobId: "job" })).state === 2);
    expect(w.skips).toEqual([]);
  });
});

describe("a namespace that is deleted", () => {
  it("takes its clock with it, and who sleeps on it is told", async () => {
    const store = new MemoryStore();
    const w = await open({ store });
    w.worker(sleeper(DAY), "q", "mine");
    await w.start("w", { namespace: "mine" });
    await w.result("w", { namespace: "mine", clock: "mine" });
    const clocks = async () => (await store.loadRegistry()).filter((r) => r.kind === "clock").length;
    expect(await clocks()).toBe(1);
    const sleeping = w.call("Sleep", { duration: span(100 * DAY) }, { clock: "mine", timeoutMs: 3_600_000 }).catch((e: { code: number }) => e.code);
    await w.call("DeleteNamespace", { namespace: "mine" });
    expect(await sleeping).toBe(Code.NOT_FOUND);
    await w.until(async () => (await clocks()) === 0);
    // Who takes its name begins with real time.
    await w.start("w", { namespace: "mine" });
    expect((await w.time("mine")) - w.subject.now).toBe(0);
  });
});
