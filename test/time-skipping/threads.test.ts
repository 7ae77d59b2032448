/** What users of the official time-skipping test server reported, one test a thread. */
import { describe, expect, it } from "vitest";
import { timestampMicros } from "../../src/api/time.js";
import { rejected } from "../harness/core-commands.js";
import { commands as c, updatable } from "./commands.js";
import { openWorld as open } from "./open-world.js";
import { count, DAY, EventType, HOUR, has, MINUTE, SECOND, span, timeOf, type Workflow } from "./world.js";

const ABANDON = { parentClosePolicy: 2 };

const sleepThenEnd =
  (micros: number): Workflow =>
  (events) => {
    if (has(events, EventType.TIMER_FIRED)) return [c.complete()];
    return has(events, EventType.TIMER_STARTED) ? [] : [c.timer("t", micros)];
  };

/** Starts a child that outlives it, and ends. */
const startAndLeave: Workflow = (events) => {
  if (has(events, EventType.CHILD_WORKFLOW_EXECUTION_STARTED)) return [c.complete()];
  return has(events, EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED) ? [] : [c.child("child", ABANDON)];
};

describe("children", () => {
  it("sdk-java 1540: the sleep of a child is skipped when its parent has continued as new", async () => {
    const w = await open();
    let runs = 0;
    w.worker((events) => {
      if (!has(events, EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED)) return runs++ === 0 ? [c.child("child", ABANDON)] : [c.complete()];
      return has(events, EventType.CHILD_WORKFLOW_EXECUTION_STARTED) ? [c.continueAsNew()] : [];
    });
    w.worker(sleepThenEnd(10 * HOUR), "child");
    await w.start("w");
    await w.result("w");
    const end = await w.result("child");
    expect(end.eventType).toBe(EventType.WORKFLOW_EXECUTION_COMPLETED);
    expect(w.waited).toBeLessThan(2 * SECOND);
    const events = await w.history("child");
    expect(timeOf(events.at(-1)) - timeOf(events[0])).toBeGreaterThanOrEqual(10 * HOUR);
  });

  it("sdk-java 2392: sleeping in the test does not hang after a workflow whose abandoned child has ended", async () => {
    const w = await open();
    w.worker(startAndLeave);
    w.worker((events) => (has(events, EventType.ACTIVITY_TASK_COMPLETED) ? [c.complete()] : [c.activity("a")]), "child");
    w.activities(() => undefined);
    await w.start("w");
    await w.result("w");
    const before = await w.time();
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(DAY) });
    expect((await w.time()) - before).toBeGreaterThanOrEqual(DAY);
    expect((await w.closed("child")).eventType).toBe(EventType.WORKFLOW_EXECUTION_COMPLETED);
    expect(w.waited).toBeLessThan(SECOND);
  });

  it("sdk-java 2642: sleeping in the test stays virtual after another test left a child that is retried, and reaches a delayed start", async () => {
    const w = await open();
    w.worker((events) => {
      if (has(events, EventType.CHILD_WORKFLOW_EXECUTION_STARTED)) return [c.complete()];
      const retryPolicy = { initialInterval: span(HOUR), maximumAttempts: 3, backoffCoefficient: 1 };
      return has(events, EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED) ? [] : [c.child("child", { ...ABANDON, retryPolicy })];
    });
    w.worker(() => [c.fail("the child fails")], "child");
    await w.start("first test");
    await w.result("first test");
    let ran = 0;
    w.worker(() => {
      ran++;
      return [c.complete()];
    }, "delayed");
    await w.start("second test", { taskQueue: { name: "delayed" }, workflowStartDelay: span(12 * HOUR) });
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(11 * HOUR) });
    expect(ran).toBe(0);
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(13 * HOUR) });
    expect(ran).toBe(1);
    expect((await w.closed("child")).eventType).toBe(EventType.WORKFLOW_EXECUTION_FAILED);
    expect(w.waited).toBeLessThan(2 * SECOND);
  });
});

describe("sleeping in the test", () => {
  it("sdk-dotnet 77: is no real time beside a workflow with a long timer and no activity", async () => {
    const w = await open();
    w.worker(sleepThenEnd(30 * DAY));
    await w.start("w");
    await w.until(async () => (await w.types("w")).includes("TIMER_STARTED"));
    const waited = w.waited;
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(DAY) });
    expect(await w.types("w")).not.toContain("TIMER_FIRED");
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(30 * DAY) });
    expect(await w.types("w")).toContain("TIMER_FIRED");
    expect(w.waited - waited).toBeLessThan(SECOND);
  });
});

describe("the whole API", () => {
  it("sdk-java 1693: lists, counts, describes, reads backwards and deletes, all in skipped time", async () => {
    const w = await open();
    w.worker(sleepThenEnd(40 * DAY));
    const begin = await w.time();
    for (const id of ["a", "b", "c"]) await w.start(id);
    await w.result("a");
    await w.closed("b");
    await w.closed("c");
    const late = `'${new Date((begin + 39 * DAY) / 1000).toISOString()}'`;
    expect((await w.call("CountWorkflowExecutions", { query: `CloseTime > ${late}` })).count).toBe(3);
    expect((await w.call("CountWorkflowExecutions", { query: `StartTime > ${late}` })).count).toBe(0);
    const listed = (await w.call("ListWorkflowExecutions", { query: "ExecutionStatus = 'Completed'" })).executions;
    expect(listed).toHaveLength(3);
    for (const e of listed) expect(timestampMicros(e.closeTime) - timestampMicros(e.startTime)).toBeGreaterThanOrEqual(40 * DAY);
    const backwards = await w.call("GetWorkflowExecutionHistoryReverse", { execution: { workflowId: "a" } });
    expect(backwards.history?.length).toBeGreaterThan(0);
    await w.call("DeleteWorkflowExecution", { workflowExecution: { workflowId: "b" } });
    await w.until(async () => (await w.call("CountWorkflowExecutions", {})).count === 2);
  });
});

describe("one server for many tests", () => {
  it("documentation 3111: tests in namespaces of their own run side by side, each with its own time", async () => {
    const w = await open();
    const begin = await w.time();
    await Promise.all(
      [1, 2, 3, 4].map(async (days) => {
        const namespace = `test-${days}`;
        w.worker(sleepThenEnd(days * DAY), "q", namespace);
        await w.start("w", { namespace });
        await w.result("w", { namespace, clock: namespace });
        const passed = (await w.time(namespace)) - begin;
        expect(passed).toBeGreaterThanOrEqual(days * DAY);
        expect(passed).toBeLessThan(days * DAY + MINUTE);
      }),
    );
    expect(w.waited).toBeLessThan(2 * SECOND);
  });

  it("diachronic 6: a test of another namespace does not move the time under a test that has not acted yet", async () => {
    const w = await open();
    w.worker(sleepThenEnd(5 * SECOND), "q", "mine");
    w.worker(sleepThenEnd(500 * DAY), "q", "theirs");
    await w.start("w", { namespace: "mine" });
    await w.start("w", { namespace: "theirs" });
    await w.result("w", { namespace: "theirs", clock: "theirs" });
    expect(has(await w.history("w", "", "mine"), EventType.TIMER_FIRED)).toBe(false);
    await w.result("w", { namespace: "mine", clock: "mine" });
    expect(w.waited).toBeLessThan(SECOND);
  });

  it("diachronic 8: a test moves time by as much as it says, and a timer behind that is still active", async () => {
    const w = await open();
    w.worker(sleepThenEnd(5 * HOUR));
    await w.start("w");
    for (let hours = 1; hours <= 4; hours++) {
      await w.call("UnlockTimeSkippingWithSleep", { duration: span(HOUR) });
      expect((await w.describe("w")).workflowExecutionInfo?.status).toBe(1);
    }
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(HOUR) });
    await w.until(async () => (await w.describe("w")).workflowExecutionInfo?.status === 2);
    expect(w.waited).toBeLessThan(SECOND);
  });
});

describe("automatic skipping", () => {
  it("quarkus-temporal 244: can be off for one test, by its namespace or by its execution, while others skip", async () => {
    const w = await open({ unlocked: true });
    w.worker(sleepThenEnd(MINUTE), "q", "off");
    w.worker(sleepThenEnd(MINUTE));
    await w.call("LockTimeSkipping", {}, { clock: "off" });
    await w.start("w", { namespace: "off" });
    await w.start("by execution", { timeSkippingConfig: { enabled: false } });
    await w.start("skips");
    await w.closed("skips");
    expect(w.waited).toBeLessThan(SECOND);
    expect(has(await w.history("w", "", "off"), EventType.TIMER_FIRED)).toBe(false);
    expect(await w.types("by execution")).not.toContain("TIMER_FIRED");
    await w.closed("by execution");
    await w.closed("w", "off");
    expect(w.waited).toBeGreaterThanOrEqual(MINUTE);
    const events = await w.history("by execution");
    expect(timeOf(events.at(-1)) - timeOf(events[0])).toBeLessThan(MINUTE + SECOND);
  });

  it("effect-temporal 62: a client that knows nothing of locks gets the end of a day-long sleep at once, where time is not locked", async () => {
    const w = await open({ unlocked: true });
    w.worker(sleepThenEnd(DAY));
    await w.start("w");
    expect((await w.closed("w")).eventType).toBe(EventType.WORKFLOW_EXECUTION_COMPLETED);
    expect(w.waited).toBeLessThan(SECOND);
  });

  it("sdk-typescript 1101: the end of a workflow and a sleep after it are reached beside children that still sleep", async () => {
    const w = await open();
    w.worker(startAndLeave);
    w.worker(sleepThenEnd(3 * DAY), "child");
    await w.start("w");
    await w.result("w");
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(DAY) });
    expect((await w.describe("child")).workflowExecutionInfo?.status).toBe(1);
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(3 * DAY) });
    expect((await w.closed("child")).eventType).toBe(EventType.WORKFLOW_EXECUTION_COMPLETED);
    expect(count(await w.history("child"), EventType.TIMER_FIRED)).toBe(1);
    expect(w.waited).toBeLessThan(SECOND);
  });
});

describe("updates", () => {
  it("sdk-java 2283: the result of an update whose handler sleeps is awaited in skipped time, and only that", async () => {
    const w = await open();
    w.worker(updatable(2 * DAY));
    await w.start("w");
    const before = await w.time();
    expect((await w.update("w", "u")).outcome?.value.case).toBe("success");
    expect(w.waited).toBeLessThan(SECOND);
    expect((await w.time()) - before).toBeGreaterThanOrEqual(2 * DAY);
    // Time is locked again, whatever sleeps.
    w.worker(sleepThenEnd(MINUTE), "later");
    await w.start("later", { taskQueue: { name: "later" } });
    await w.call("Sleep", { duration: span(2 * SECOND) });
    expect(await w.types("later")).not.toContain("TIMER_FIRED");
    // One who keeps time from skipping is not overruled by the wait.
    await w.call("LockTimeSkipping", {});
    void w.update("w", "locked").catch(() => undefined);
    await w.call("Sleep", { duration: span(2 * SECOND) });
    expect(count(await w.history("w"), EventType.TIMER_FIRED)).toBe(1);
    expect(w.skips).toHaveLength(1);
  });

  it("samples-dotnet 72: an update that comes before there is a worker gets its result on a server whose time is locked", async () => {
    const w = await open();
    await w.start("w", { workflowExecutionTimeout: span(DAY) });
    const asked = w.update("w", "early");
    await w.call("Sleep", { duration: span(SECOND) });
    w.worker(updatable(0));
    expect((await asked).outcome?.value.case).toBe("success");
    expect((await w.update("w", "late")).outcome?.value.case).toBe("success");
    expect((await w.describe("w")).workflowExecutionInfo?.status).toBe(1);
    expect(w.skips).toEqual([]);
  });

  it("sdk-python 644: rejected, in the first task, with the start, by another run: all that updates can be, in skipped time", async () => {
    const w = await open();
    const slow = updatable(HOUR);
    w.worker((events, messages) => {
      const refused = messages.filter((m) => m.protocolInstanceId.startsWith("no"));
      if (refused.length > 0) return { commands: [], messages: refused.map((m) => rejected(m.protocolInstanceId)) };
      return slow(events, messages);
    });
    await w.start("w");
    expect((await w.update("w", "first task")).outcome?.value.case).toBe("success");
    const before = (await w.history("w")).length;
    expect((await w.update("w", "no")).outcome?.value.case).toBe("failure");
    expect(await w.history("w")).toHaveLength(before);
    const request = { meta: { updateId: "with start" }, input: { name: "u" } };
    const { responses } = await w.call("ExecuteMultiOperation", {
      operations: [
        {
          operation: {
            case: "startWorkflow",
            value: {
              namespace: "default",
              workflowId: "new",
              workflowType: { name: "T" },
              taskQueue: { name: "q" },
              requestId: "r",
              workflowIdConflictPolicy: 2,
            },
          },
        },
        { operation: { case: "updateWorkflow", value: { namespace: "default", workflowExecution: { workflowId: "new" }, request } } },
      ] as never,
    });
    const last = responses[1]?.response;
    expect(last?.case === "updateWorkflow" ? last.value.outcome?.value.case : "").toBe("success");
    // Asked again, it is remembered, and nothing is slept for.
    const skips = w.skips.length;
    expect((await w.update("new", "with start")).outcome?.value.case).toBe("success");
    expect(w.skips).toHaveLength(skips);
    expect(w.waited).toBeLessThan(2 * SECOND);
  });

  it.each(["cancellation", "failure", "continue-as-new"])(
    "sdk-python 826: an update whose handler is not done when its workflow ends by %s is answered at once",
    async (end) => {
      const w = await open();
      const handler = updatable(HOUR);
      w.worker((events, messages) => {
        const isAsked = has(events, EventType.WORKFLOW_EXECUTION_SIGNALED) || has(events, EventType.WORKFLOW_EXECUTION_CANCEL_REQUESTED);
        if (!isAsked) return handler(events, messages);
        if (end === "cancellation") return [c.cancel()];
        return [end === "failure" ? c.fail("no") : c.continueAsNew()];
      });
      await w.start("w");
      // The test holds time while the handler sleeps.
      await w.call("LockTimeSkipping", {});
      const asked = w.update("w", "u");
      await w.until(async () => (await w.types("w")).includes("WORKFLOW_EXECUTION_UPDATE_ACCEPTED"));
      if (end === "cancellation") await w.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: "w" } });
      else await w.signal("w", "end");
      const { outcome } = await asked;
      expect(outcome?.value.case === "failure" ? outcome.value.value.message : "").toContain("before the Update completed");
      expect(w.skips).toEqual([]);
      expect(w.waited).toBeLessThan(SECOND);
    },
  );
});

describe("schedules", () => {
  it("sdk-java 1954: sleep(30d) fires 30 daily actions, beside a schedule whose actions overlap", async () => {
    const w = await open();
    w.worker((events) => {
      const isSlow =
        events[0]?.attributes.case === "workflowExecutionStartedEventAttributes" && events[0].attributes.value.workflowId.startsWith("slow");
      return isSlow ? sleepThenEnd(90 * MINUTE)(events, []) : [c.complete()];
    });
    await w.schedule("daily", DAY);
    const begin = await w.time();
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(30 * DAY) });
    expect(w.waited).toBeLessThan(2 * SECOND);
    const daily = (await w.call("DescribeSchedule", { scheduleId: "daily" })).info;
    expect(daily?.actionCount).toBe(30);
    expect([daily?.missedCatchupWindow, daily?.bufferSize, daily?.runningWorkflows]).toEqual([0, 0, []]);
    const runs = (await w.call("ListWorkflowExecutions", { query: "TemporalScheduledById = 'daily'" })).executions;
    expect(runs).toHaveLength(30);
    const days = runs.map((r) => timestampMicros(r.startTime)).sort((a, b) => a - b);
    for (const [i, at] of days.entries()) {
      expect(at).toBeGreaterThan(begin);
      expect(at % DAY).toBeLessThan(SECOND);
      if (i > 0) expect(Math.round((at - (days[i - 1] ?? 0)) / DAY)).toBe(1);
    }
    expect(w.skips.map((s) => s.reason)).toEqual([...Array(30).fill("schedule"), "sleep"]);
    expect(w.skips[0]).toMatchObject({ workflowId: "daily", clock: "server" });
    for (const [i, s] of w.skips.entries()) if (i > 0) expect(Date.parse(s.from)).toBeGreaterThanOrEqual(Date.parse(w.skips[i - 1]?.to ?? ""));

    await w.schedule("slow", HOUR);
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(DAY) });
    const slow = (await w.call("DescribeSchedule", { scheduleId: "slow" })).info;
    expect([slow?.actionCount, slow?.overlapSkipped]).toEqual([12, 12]);
    expect((await w.call("DescribeSchedule", { scheduleId: "daily" })).info?.actionCount).toBe(31);
    expect(w.waited).toBeLessThan(5 * SECOND);
  });
});
