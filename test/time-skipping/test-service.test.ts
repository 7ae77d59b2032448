/** TestService on one clock and on several: locks, sleeps, what may be skipped and what may not. */
import { describe, expect, it } from "vitest";
import { Code } from "../../src/api/service-error.js";
import { timestampMicros } from "../../src/api/time.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { commands as c } from "./commands.js";
import { openWorld as open, sleeper } from "./open-world.js";
import { count, DAY, EventType, HOUR, has, MINUTE, SECOND, span, timeOf } from "./world.js";

const code = (p: Promise<unknown>): Promise<number> =>
  p.then(
    () => Code.OK,
    (e: { code: number }) => e.code,
  );

describe("locks", () => {
  it("are one at the start: time passes at its own pace", async () => {
    const w = await open();
    w.worker(sleeper(10 * MINUTE));
    await w.start("w");
    await w.closed("w");
    expect(w.waited).toBeGreaterThanOrEqual(10 * MINUTE);
    expect(w.skips).toEqual([]);
  });

  it("are none at the start where the server was told so: nobody has to unlock", async () => {
    const w = await open({ unlocked: true });
    w.worker(sleeper(10 * DAY));
    await w.start("w");
    await w.closed("w");
    expect(w.waited).toBeLessThan(SECOND);
    expect(await code(w.call("UnlockTimeSkipping", {}))).toBe(Code.UNKNOWN);
  });

  it("of a namespace that does not exist are refused, except where any name is one", async () => {
    const strict = await open({ strict: true });
    expect(await code(strict.call("LockTimeSkipping", {}, { clock: "nowhere" }))).toBe(Code.NOT_FOUND);
    const w = await open();
    expect(await code(w.call("LockTimeSkipping", {}, { clock: "nowhere" }))).toBe(Code.OK);
  });

  it("given back while a client waits for the end let time skip, and each skip is logged", async () => {
    const w = await open();
    w.worker(sleeper(30 * DAY));
    const before = await w.time();
    await w.start("w");
    await w.result("w");
    expect(w.waited).toBeLessThan(SECOND);
    expect((await w.time()) - before).toBeGreaterThanOrEqual(30 * DAY);
    expect(w.skips).toEqual([expect.objectContaining({ clock: "server", reason: "timer", workflowId: "w" })]);
    const [skip] = w.skips;
    expect(Date.parse(skip?.to ?? "") - Date.parse(skip?.from ?? "")).toBe((30 * DAY) / 1000);
  });

  it("are counted: one that is held keeps time from skipping", async () => {
    const w = await open();
    w.worker(sleeper(MINUTE));
    await w.call("LockTimeSkipping", {});
    await w.call("UnlockTimeSkipping", {});
    await w.start("w");
    await w.closed("w");
    expect(w.waited).toBeGreaterThanOrEqual(MINUTE);
    await w.call("UnlockTimeSkipping", {});
    expect(await code(w.call("UnlockTimeSkipping", {}))).toBe(Code.UNKNOWN);
    await w.call("LockTimeSkipping", {});
    await w.call("UnlockTimeSkipping", {});
  });
});

describe("sleeps", () => {
  it("take real time while time is locked, and none when the moment has passed", async () => {
    const w = await open();
    await w.call("Sleep", { duration: span(7 * SECOND) }, { timeoutMs: 60_000 });
    expect(w.waited).toBeGreaterThanOrEqual(7 * SECOND);
    const waited = w.waited;
    const now = await w.time();
    await w.call("SleepUntil", { timestamp: span(now - HOUR) });
    await w.call("SleepUntil", { timestamp: undefined });
    await w.call("Sleep", {});
    expect(w.waited).toBe(waited);
    await w.call("SleepUntil", { timestamp: span(now + 3 * SECOND) });
    expect(await w.time()).toBeGreaterThanOrEqual(now + 3 * SECOND);
  });

  it("with a lock given back go to their end and no further, through every timer on the way", async () => {
    const w = await open();
    w.worker(sleeper(HOUR, 100));
    await w.start("w");
    const before = await w.time();
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(10 * HOUR + 30 * MINUTE) });
    expect((await w.time()) - before).toBeGreaterThanOrEqual(10 * HOUR + 30 * MINUTE);
    expect((await w.time()) - before).toBeLessThan(10 * HOUR + 31 * MINUTE);
    expect(w.waited).toBeLessThan(SECOND);
    expect(count(await w.history("w"), EventType.TIMER_FIRED)).toBe(10);
    expect(w.skips.map((s) => s.reason)).toEqual([...Array(10).fill("timer"), "sleep"]);
    // Locked again: nothing goes on by itself.
    await w.call("Sleep", { duration: span(5 * SECOND) });
    expect(count(await w.history("w"), EventType.TIMER_FIRED)).toBe(10);
  });

  it("with a lock given back of two that are held take real time", async () => {
    const w = await open();
    await w.call("LockTimeSkipping", {});
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(8 * SECOND) }, { timeoutMs: 60_000 });
    expect(w.waited).toBeGreaterThanOrEqual(8 * SECOND);
    expect(w.skips).toEqual([]);
  });

  it("with a lock given back that nobody holds are refused", async () => {
    const w = await open({ unlocked: true });
    expect(await code(w.call("UnlockTimeSkippingWithSleep", { duration: span(SECOND) }))).toBe(Code.UNKNOWN);
  });

  it("of a caller that goes take their lock back", async () => {
    const w = await open();
    await w.call("LockTimeSkipping", {});
    expect(await code(w.call("UnlockTimeSkippingWithSleep", { duration: span(HOUR) }, { timeoutMs: 1000 }))).toBe(Code.DEADLINE_EXCEEDED);
    // Two are held again: one unlock is not enough.
    await w.call("UnlockTimeSkipping", {});
    w.worker(sleeper(MINUTE));
    await w.start("w");
    await w.closed("w");
    expect(w.waited).toBeGreaterThanOrEqual(MINUTE);
    expect(w.skips).toEqual([]);
  });

  it("inside a running activity skip, because it gives back the lock of its own work", async () => {
    const w = await open();
    w.worker((events) => (has(events, EventType.ACTIVITY_TASK_COMPLETED) ? [c.complete()] : [c.activity("a", { startToCloseTimeout: span(DAY) })]));
    const poll = (async () => {
      const task = await w.call("PollActivityTaskQueue", { taskQueue: { name: "q" } }, { timeoutMs: 60_000 });
      await w.call("UnlockTimeSkippingWithSleep", { duration: span(2 * HOUR) });
      await w.call("RespondActivityTaskCompleted", { taskToken: task.taskToken });
    })();
    await w.start("w");
    await w.result("w");
    await poll;
    expect(w.waited).toBeLessThan(SECOND);
    const events = await w.history("w");
    expect(timeOf(events.at(-1)) - timeOf(events[0])).toBeGreaterThanOrEqual(2 * HOUR);
    expect(await code(w.call("UnlockTimeSkipping", {}))).toBe(Code.OK);
    expect(await code(w.call("UnlockTimeSkipping", {}))).toBe(Code.UNKNOWN);
  });
});

describe("time does not skip", () => {
  it("while an activity runs", async () => {
    const w = await open();
    w.worker((events) => {
      if (has(events, EventType.TIMER_FIRED)) return [c.complete()];
      return has(events, EventType.TIMER_STARTED) ? [] : [c.timer("t", DAY), c.activity("a")];
    });
    w.activities(() => ({ takes: 40 * SECOND }));
    await w.start("w");
    await w.result("w");
    expect(w.waited).toBeGreaterThanOrEqual(40 * SECOND);
    expect(w.waited).toBeLessThan(60 * SECOND);
    const types = await w.types("w");
    expect(types.indexOf("ACTIVITY_TASK_COMPLETED")).toBeLessThan(types.indexOf("TIMER_FIRED"));
  });

  it("while a task waits for a worker, whoever sleeps meanwhile", async () => {
    const w = await open();
    w.worker(sleeper(DAY), "other");
    await w.start("other", { taskQueue: { name: "other" } });
    await w.start("waits");
    await w.call("UnlockTimeSkipping", {});
    await w.call("Sleep", { duration: span(3 * SECOND) });
    expect(w.skips).toEqual([]);
    w.worker(sleeper(MINUTE));
    await w.closed("other");
    expect(w.waited).toBeLessThan(5 * SECOND);
  });

  it("to the deadline of a timer that was cancelled, or past a workflow task that times out", async () => {
    const w = await open();
    w.worker((events) => {
      if (has(events, EventType.TIMER_FIRED)) return [c.complete()];
      return [c.timer("gone", HOUR), c.cancelTimer("gone"), c.timer("t", 10 * HOUR)];
    });
    await w.start("w");
    const before = await w.time();
    await w.result("w");
    expect(w.skips).toHaveLength(1);
    expect((await w.time()) - before).toBeGreaterThanOrEqual(10 * HOUR);
  });

  it("over the retention of what has ended: it is still there", async () => {
    const w = await open();
    w.worker(sleeper(30 * DAY));
    await w.start("short");
    await w.result("short");
    await w.start("long");
    await w.result("long");
    expect((await w.types("short")).at(-1)).toBe("WORKFLOW_EXECUTION_COMPLETED");
    const listed = await w.call("ListWorkflowExecutions", {});
    expect(listed.executions.map((e) => e.execution?.workflowId).sort()).toEqual(["long", "short"]);
  });
});

describe("time skips", () => {
  it("over the backoff of an activity, to the millisecond of its attempts", async () => {
    const w = await open();
    w.worker((events) =>
      has(events, EventType.ACTIVITY_TASK_COMPLETED)
        ? [c.complete()]
        : [c.activity("a", { retryPolicy: { initialInterval: span(HOUR), backoffCoefficient: 2, maximumInterval: span(DAY) } })],
    );
    w.activities((attempt) => (attempt < 5 ? { failure: "again" } : undefined));
    const before = await w.time();
    await w.start("w");
    await w.result("w");
    expect(w.waited).toBeLessThan(SECOND);
    expect(w.skips.map((s) => s.reason)).toEqual(Array(4).fill("activity retry"));
    expect((await w.time()) - before).toBeGreaterThanOrEqual(15 * HOUR);
    expect((await w.time()) - before).toBeLessThan(15 * HOUR + SECOND);
  });

  it("to the start of a delayed workflow, the retry of a failed one, the next run of a cron and of a chain", async () => {
    const w = await open();
    let runs = 0;
    w.worker(() => (++runs < 3 ? [c.fail("again")] : [c.complete()]));
    await w.start("retried", {
      workflowStartDelay: span(5 * HOUR),
      retryPolicy: { initialInterval: span(2 * HOUR), backoffCoefficient: 1, maximumAttempts: 5 },
    });
    const before = await w.time();
    await w.call("UnlockTimeSkipping", {});
    await w.until(async () => (await w.describe("retried")).workflowExecutionInfo?.status === 2);
    expect((await w.time()) - before).toBeGreaterThanOrEqual(9 * HOUR);
    await w.call("LockTimeSkipping", {});
    const cron = await w.start("cron", { cronSchedule: "0 0 * * *" });
    await w.call("UnlockTimeSkippingWithSleep", { duration: span(5 * DAY) });
    const days = (await w.call("ListWorkflowExecutions", { query: "WorkflowId = 'cron'" })).executions;
    expect(days).toHaveLength(6);
    expect(days.some((d) => d.execution?.runId === cron)).toBe(true);
    for (const d of days) expect(timestampMicros(d.executionTime) % DAY).toBeLessThan(SECOND);
    await w.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "cron" } });
    expect(w.waited).toBeLessThan(2 * SECOND);
  });

  it("to the run timeout of a workflow that waits for a signal which never comes", async () => {
    const w = await open();
    w.worker(() => []);
    await w.start("w", { workflowRunTimeout: span(3 * HOUR) });
    const end = await w.result("w");
    expect(end.eventType).toBe(EventType.WORKFLOW_EXECUTION_TIMED_OUT);
    expect(w.skips.map((s) => s.reason)).toEqual(["run timeout"]);
  });

  it("and what is described and listed follows", async () => {
    const w = await open();
    w.worker(sleeper(10 * DAY));
    await w.start("w");
    const real = w.subject.now;
    await w.result("w");
    await w.start("later");
    const d = (await w.call("DescribeWorkflowExecution", { execution: { workflowId: "w" } })).workflowExecutionInfo;
    expect(timestampMicros(d?.closeTime) - real).toBeGreaterThanOrEqual(10 * DAY);
    const [later] = (await w.call("ListWorkflowExecutions", { query: "WorkflowId = 'later'" })).executions;
    expect(timestampMicros(later?.startTime) - real).toBeGreaterThanOrEqual(10 * DAY);
  });

  it("for one namespace after another, each on its own clock", async () => {
    const w = await open();
    w.worker(sleeper(10 * DAY), "q", "left");
    w.worker(sleeper(3 * HOUR), "q", "right");
    await w.start("w", { namespace: "left" });
    await w.start("w", { namespace: "right" });
    const before = await w.time();
    await w.result("w", { namespace: "left", clock: "left" });
    expect((await w.time("left")) - before).toBeGreaterThanOrEqual(10 * DAY);
    expect((await w.time("right")) - before).toBeLessThan(SECOND);
    expect((await w.time()) - before).toBeLessThan(SECOND);
    expect((await w.history("w", "", "right")).some((e) => e.eventType === EventType.TIMER_FIRED)).toBe(false);
    await w.result("w", { namespace: "right", clock: "right" });
    expect((await w.time("right")) - before).toBeGreaterThanOrEqual(3 * HOUR);
    expect((await w.time("right")) - before).toBeLessThan(4 * HOUR);
    expect((await w.time("left")) - before).toBeLessThan(11 * DAY);
    expect(w.skips.map((s) => s.workflowId)).toEqual(["w", "w"]);
  });

  it("side by side in two namespaces, neither of which waits for the other", async () => {
    const w = await open({ unlocked: true });
    w.worker(sleeper(DAY, 20), "q", "left");
    w.worker(sleeper(HOUR, 20), "q", "right");
    // Its clock is its own, and locked once.
    await w.call("LockTimeSkipping", {}, { clock: "right" });
    await w.start("w", { namespace: "right" });
    await w.start("w", { namespace: "left" });
    await w.closed("w", "left");
    expect(count(await w.history("w", "", "right"), EventType.TIMER_FIRED)).toBe(0);
    const release = w.call("UnlockTimeSkipping", {}, { clock: "right" });
    await w.start("again", { namespace: "left" });
    await Promise.all([release, w.closed("w", "right"), w.closed("again", "left")]);
    expect(w.waited).toBeLessThan(SECOND);
    for (const [id, ns, step] of [
      ["again", "left", DAY],
      ["w", "right", HOUR],
    ] as const) {
      const fired = (await w.history(id, "", ns)).filter((e) => e.eventType === EventType.TIMER_FIRED);
      const gaps = fired.slice(1).map((e, i) => Math.round((timeOf(e) - timeOf(fired[i])) / step));
      expect(gaps).toEqual(Array(19).fill(1));
    }
  });
});

describe("a clock", () => {
  it("takes over timers that were set before it existed", async () => {
    const w = await open();
    w.worker(sleeper(10 * DAY), "q", "own");
    await w.start("w", { namespace: "own" });
    // Real time goes on; the workflow sleeps on it.
    await w.call("Sleep", { duration: span(5 * SECOND) });
    await w.result("w", { namespace: "own", clock: "own" });
    expect(w.waited).toBeLessThan(10 * SECOND);
  });

  it("goes on after a restart where it was, and its timers with it", async () => {
    const store = new MemoryStore();
    const first = await open({ store });
    first.worker(sleeper(10 * DAY, 2));
    await first.start("w");
    const start = await first.time();
    await first.call("UnlockTimeSkippingWithSleep", { duration: span(15 * DAY) });
    expect(count(await first.history("w"), EventType.TIMER_FIRED)).toBe(1);
    await first.stop();

    const second = await open({ store, now: first.subject.now + SECOND });
    const now = await second.time();
    expect(now - start).toBeGreaterThanOrEqual(15 * DAY);
    expect(now - start).toBeLessThan(16 * DAY);
    second.worker(sleeper(10 * DAY, 2));
    await second.result("w");
    expect(second.waited).toBeLessThan(SECOND);
    const fired = (await second.history("w")).filter((e) => e.eventType === EventType.TIMER_FIRED);
    expect(timeOf(fired[1]) - timeOf(fired[0])).toBeGreaterThanOrEqual(10 * DAY);
    expect(timeOf(fired[1]) - timeOf(fired[0])).toBeLessThan(10 * DAY + MINUTE);
  });
});
