import { describe, expect, it } from "vitest";
import { Code, internal } from "../api/service-error.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { Batch } from "../persistence/batch.js";
import { at, FakeEngine, POLLER, watch } from "./fake-engine.js";
import { EngineTaskStarter } from "./task-starter.js";

describe("order and release", () => {
  it("applies the inputs of a workflow id in the order of the calls, over many turns", async () => {
    const f = new FakeEngine();
    f.start("w");
    const names = Array.from({ length: 600 }, (_, i) => `s${i}`);
    const replies = names.map((n) => f.signal("w", n));
    await f.settle();
    expect(replies.every((r) => r.value !== undefined)).toBe(true);
    expect(await f.signalNames("w")).toEqual(names);
    expect(f.committed.length).toBeGreaterThan(1);
  });

  it("commits the inputs of a turn together", async () => {
    const f = new FakeEngine();
    for (let i = 0; i < 100; i++) f.start(`w${i}`);
    await f.settle();
    expect(f.store.statistics().commits).toBe(1);
  });

  it("takes what comes between a batch and the rest after it into the batch after the rest", async () => {
    const f = new FakeEngine();
    for (let i = 0; i < 80; i++) f.start(`w${i}`);
    await f.settle();
    const starter = new EngineTaskStarter(f.engine);
    const tasks = [...f.dispatcher.stored];
    const pollFour = () => tasks.splice(0, 4).map((task) => starter.startWorkflowTask(task, POLLER, undefined, () => false));
    // Polls find tasks that have waited: a trial of rests begins, and after a quarter of a second the first of a millisecond.
    for (let ms = 0; ms < 300; ms += 16) {
      pollFour();
      await f.settle();
      if (f.runtime.restedMs > 0) break;
      f.runtime.elapse(16);
    }
    const before = f.runtime.restedMs;
    const rested: number[] = [];
    f.verdict = () => {
      rested.push(f.runtime.restedMs - before);
      return "ok";
    };
    const signaled = pollFour()[0]?.then(() => f.signal("w0", "s"));
    await f.settle();
    expect((await signaled)?.value).toBeDefined();
    expect(rested).toEqual([0, 1]);
  });

  it("answers a start when it is durable and not before", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    const started = f.start("w");
    await f.settle();
    expect(started.isSettled).toBe(false);
    await f.letGo();
    expect(started.value?.started).toBe(true);
  });

  it("holds errors, describes and repeated requests back until what they saw is durable", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.start("w");
    await f.settle();
    const again = f.start("w");
    const other = f.start("w", { requestId: "another" });
    const described = f.describe("w");
    await f.settle();
    expect([again, other, described].some((r) => r.isSettled)).toBe(false);
    await f.letGo();
    expect(again.value?.runId).toBe(described.value?.workflowExecutionInfo?.execution?.runId);
    expect(other.error?.code).toBe(Code.ALREADY_EXISTS);
  });

  it("answers what nothing undurable was seen for at once", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.start("w");
    const unknown = f.describe("unknown");
    await f.settle();
    expect(unknown.error?.code).toBe(Code.NOT_FOUND);
  });
});

describe("rows that an input needs", () => {
  it("finds a request id of an earlier process and applies the request once", async () => {
    const f = new FakeEngine();
    f.start("w");
    f.signal("w", "s", "request-1");
    await f.settle();
    await f.restart();
    const again = f.signal("w", "s", "request-1");
    const other = f.signal("w", "s2", "request-2");
    await f.settle();
    expect(again.value).toBeDefined();
    expect(other.value).toBeDefined();
    expect(await f.signalNames("w")).toEqual(["s", "s2"]);
  });

  it("keeps the order of a workflow's inputs while rows are loaded", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    await f.restart();
    f.signal("w", "1", "r1");
    f.signal("w", "2");
    f.signal("w", "3", "r3");
    await f.settle();
    expect(await f.signalNames("w")).toEqual(["1", "2", "3"]);
  });

  it("goes on when the batch is refused that the rows were waited for", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.isHolding = true;
    let refusals = 1;
    f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
    f.hook = (input, _address, _env, loaded) =>
      input.kind === "describe" && loaded.requestId("x") === undefined ? { outcome: "need", events: [], requestIds: ["x"] } : undefined;
    f.signal("w", "s");
    const described = f.describe("w");
    await f.settle();
    expect(described.isSettled).toBe(false);
    f.isHolding = false;
    await f.letGo();
    expect(described.value).toBeDefined();
  });

  it("answers INTERNAL instead of asking for ever when rows are missing", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.hook = (input) =>
      input.kind === "describe"
        ? { outcome: "need", events: [{ segments: [{ branch: 99, endEventId: 100 }], eventId: 7 }], requestIds: [] }
        : undefined;
    const described = f.describe("w");
    await f.settle();
    expect(described.error?.code).toBe(Code.INTERNAL);
  });
});

describe("rows that an input leaves behind", () => {
  it("deletes the backlog row of a task with its start, keeps it when the start fails, deletes it when the task is stale", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    const task = f.dispatcher.stored[0];
    const row = { queue: 1, priority: task?.priority ?? 0, pass: 0, id: 1 };
    const input = {
      kind: "startWorkflowTask",
      scheduledEventId: task?.scheduledEventId ?? 0,
      attempt: 1,
      stamp: task?.stamp ?? 0,
      poller: POLLER,
    } as const;
    const run = at("w", task?.runId);
    f.hook = () => ({ outcome: "error", error: internal("not now") });
    const failed = watch(f.engine.submit(run, input, { consumed: row, isGone: () => false }));
    await f.settle();
    expect(failed.error?.code).toBe(Code.INTERNAL);
    expect(await f.store.countBacklog(1)).toBe(1);
    f.hook = undefined;
    const started = watch(f.engine.submit(run, input, { consumed: row, isGone: () => false }));
    await f.settle();
    expect(started.value?.scheduledEventId).toBe(2);
    expect(await f.store.countBacklog(1)).toBe(0);
    const stale = watch(
      f.engine.submit(run, { ...input, poller: { ...POLLER, requestId: "another" }, scheduledEventId: 99 }, { consumed: row, isGone: () => false }),
    );
    await f.settle();
    expect(stale.error?.code).toBe(Code.NOT_FOUND);
  });

  it("deletes the row of a call whose outcome concerns nothing any more, also when the first batch with it is refused", async () => {
    const f = new FakeEngine();
    const made = new Batch();
    made.writeComponent(0, Kind.OUTBOUND, 7, { op: "insert", value: new Uint8Array(1) });
    await f.store.commit(made);
    let refusals = 1;
    f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
    const outcome = { kind: "retry", failure: {} } as const;
    watch(f.engine.submit(at("gone", "gone"), { kind: "nexusStarted", outboundId: 7, scheduledEventId: 5, attempt: 1, outcome }));
    await f.settle();
    await f.runtime.advance(2_000);
    await f.settle();
    expect(refusals).toBeLessThan(1);
    expect(await f.store.listComponents(0, Kind.OUTBOUND, undefined, 10)).toEqual([]);
  });
});

describe("drain", () => {
  it("finishes what was taken, refuses what comes later, and commits nothing afterwards", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    const taken = f.start("w");
    await f.settle();
    const drained = watch(f.engine.drain());
    const late = f.start("late");
    await f.settle();
    expect(late.error?.code).toBe(Code.UNAVAILABLE);
    expect(drained.isSettled).toBe(false);
    await f.letGo();
    expect(taken.value?.started).toBe(true);
    expect(drained.isSettled).toBe(true);
    const commits = f.committed.length;
    await f.runtime.advance(60_000);
    expect(f.committed.length).toBe(commits);
  });
});
