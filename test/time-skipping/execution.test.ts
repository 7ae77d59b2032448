/** Executions with a clock of their own, beside what the conformance scripts show: their times, restarts, and other clocks. */
import { describe, expect, it } from "vitest";
import { timestampMicros } from "../../src/api/time.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { commands as c } from "./commands.js";
import { openWorld as open, skipping, sleeper } from "./open-world.js";
import { count, DAY, EventType, HOUR, has, MINUTE, SECOND, span, timeOf } from "./world.js";

describe("an execution that skips", () => {
  it("has its own time in its events, its description and its list entry, and leaves that of others alone", async () => {
    const w = await open();
    w.worker(sleeper(DAY, 20));
    await w.start("skips", skipping);
    await w.start("waits");
    await w.closed("skips");
    expect(w.waited).toBeLessThan(SECOND);
    expect(count(await w.history("waits"), EventType.TIMER_FIRED)).toBe(0);
    const events = await w.history("skips");
    for (const [i, e] of events.entries()) if (i > 0) expect(timeOf(e)).toBeGreaterThanOrEqual(timeOf(events[i - 1]));
    expect(timeOf(events.at(-1)) - timeOf(events[0])).toBeGreaterThanOrEqual(20 * DAY);
    const d = await w.describe("skips");
    expect(timestampMicros(d.workflowExecutionInfo?.closeTime)).toBe(timeOf(events.at(-1)));
    expect(timestampMicros(d.workflowExtendedInfo?.timeSkippingInfo?.currentTime)).toBeGreaterThanOrEqual(timeOf(events.at(-1)));
    const [listed] = (await w.call("ListWorkflowExecutions", { query: "WorkflowId = 'skips'" })).executions;
    expect(listed?.closeTime).toEqual(d.workflowExecutionInfo?.closeTime);
    expect(w.skips).toHaveLength(20);
    expect(w.skips[0]).toMatchObject({ workflowId: "skips", reason: "timer" });
    expect((await w.time()) - w.subject.now).toBe(0);
  });

  it("ends its session at the cap and goes on in real time from where it is", async () => {
    const w = await open();
    w.worker(sleeper(MINUTE, 3));
    await w.start("w", { timeSkippingConfig: { enabled: true, maxSessionSkipCount: 2 } });
    await w.closed("w");
    expect(w.waited).toBeGreaterThanOrEqual(MINUTE);
    expect(w.waited).toBeLessThan(2 * MINUTE);
    const fired = (await w.history("w")).filter((e) => e.eventType === EventType.TIMER_FIRED);
    expect(Math.round((timeOf(fired[2]) - timeOf(fired[1])) / MINUTE)).toBe(1);
  });

  it("stops a workflow that would be retried for ever", async () => {
    const w = await open();
    let runs = 0;
    w.worker(() => {
      runs++;
      return [c.fail("always")];
    });
    await w.start("w", {
      timeSkippingConfig: { enabled: true, maxSessionSkipCount: 10 },
      retryPolicy: { initialInterval: span(HOUR), backoffCoefficient: 1 },
    });
    await w.until(async () => (await w.describe("w")).workflowExtendedInfo?.timeSkippingInfo === undefined || runs > 10);
    await w.subject.sleep(1000);
    expect(runs).toBe(11);
  });

  it("goes on after a restart: its time, its fast-forward and its session", async () => {
    const store = new MemoryStore();
    const first = await open({ store });
    first.worker(sleeper(DAY, 3));
    await first.start("w", { timeSkippingConfig: { enabled: true, fastForwardConfig: { id: "f", duration: span(36 * HOUR) } } });
    const poll = () => first.call("PollWorkflowExecutionTimeSkipping", { workflowExecution: { workflowId: "w" }, fastForwardId: "f" });
    expect((await poll()).fastForwardPollingResult).toBe(2);
    const before = await first.describe("w");
    await first.stop();

    const second = await open({ store, now: first.subject.now + MINUTE });
    const after = await second.describe("w");
    const info = after.workflowExtendedInfo?.timeSkippingInfo;
    expect(info?.effectiveConfig).toEqual(before.workflowExtendedInfo?.timeSkippingInfo?.effectiveConfig);
    const passed = timestampMicros(info?.currentTime) - timestampMicros(before.workflowExecutionInfo?.startTime);
    expect(passed).toBeGreaterThanOrEqual(36 * HOUR);
    expect(passed).toBeLessThan(37 * HOUR);
    second.worker(sleeper(DAY, 3));
    // Twelve hours are left of the second day, and they are real.
    await second.until(async () => {
      await second.subject.sleep((10 * MINUTE) / 1000);
      return count(await second.history("w"), EventType.TIMER_FIRED) === 2;
    });
    expect(second.waited).toBeGreaterThanOrEqual(11 * HOUR);
    expect(second.waited).toBeLessThan(13 * HOUR);
  });

  it("does not move with the clock of its namespace, nor hold it", async () => {
    const w = await open();
    w.worker(sleeper(10 * DAY));
    // It waits for a signal, and has a task that nobody takes.
    await w.start("own", { taskQueue: { name: "nobody" }, timeSkippingConfig: { enabled: true } });
    await w.start("w");
    await w.result("w");
    expect(w.waited).toBeLessThan(SECOND);
    const own = timestampMicros((await w.describe("own")).workflowExtendedInfo?.timeSkippingInfo?.currentTime);
    expect(own - w.subject.now).toBe(0);
    // One that begins now begins where its namespace is.
    await w.start("later", { taskQueue: { name: "nobody" }, timeSkippingConfig: { enabled: true } });
    const later = timestampMicros((await w.describe("later")).workflowExtendedInfo?.timeSkippingInfo?.currentTime);
    expect(later - w.subject.now).toBeGreaterThanOrEqual(10 * DAY);
  });

  it("keeps automatic skipping off for its next run and its children where its namespace skips", async () => {
    const w = await open({ unlocked: true });
    let runs = 0;
    w.worker((events) => {
      if (runs++ === 0) return [c.continueAsNew()];
      if (has(events, EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED)) return [c.complete()];
      return has(events, EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED) ? [] : [c.child("child")];
    });
    w.worker(sleeper(10 * MINUTE), "child");
    await w.start("w", { timeSkippingConfig: { enabled: false } });
    await w.until(async () => {
      await w.subject.sleep(1000);
      return (await w.describe("w")).workflowExecutionInfo?.status === 2;
    });
    expect(w.waited).toBeGreaterThanOrEqual(10 * MINUTE);
    expect(w.skips).toEqual([]);
  });

  it("is deleted by its retention in real time, with all its rows", async () => {
    const store = new MemoryStore();
    const w = await open({ store });
    w.worker(sleeper(100 * DAY));
    await w.start("w", skipping);
    await w.closed("w");
    expect((await w.call("CountWorkflowExecutions", {})).count).toBe(1);
    await w.subject.sleep((DAY + HOUR) / 1000);
    await w.until(async () => (await w.call("CountWorkflowExecutions", {})).count === 0);
    await w.stop();
    expect(await store.readDue(0, Number.MAX_SAFE_INTEGER, undefined, 10)).toEqual([]);
  });
});
