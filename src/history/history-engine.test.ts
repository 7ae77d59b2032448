import { describe, expect, it } from "vitest";
import { TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { QueryWorkflowRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, internal, unavailable } from "../api/service-error.js";
import { decode } from "../api/wire.js";
import type { StartedWorkflowTask } from "../core/transition.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { Batch } from "../persistence/batch.js";
import { at, FakeEngine, POLLER, watch } from "./fake-engine.js";
import { decodeFramed, frameOffsets } from "./history-reader.js";
import { EngineTaskStarter } from "./task-starter.js";

const ALL = { fromEventId: 1, eventCountMax: 10_000, bytesMax: 1 << 24, reverse: false };

async function events(f: FakeEngine, workflowId: string) {
  const position = f.position(workflowId);
  await f.settle();
  if (position.value === undefined) throw position.error ?? new Error("no position");
  const { data } = await f.engine.readHistory(position.value.range, ALL);
  const offsets = frameOffsets(data);
  return offsets.slice(0, -1).map((o, i) => decodeFramed(data.subarray(o, offsets[i + 1])));
}
const types = async (f: FakeEngine, workflowId: string) => (await events(f, workflowId)).map((e) => EventType[e.eventType]);
const signalNames = async (f: FakeEngine, workflowId: string) =>
  (await events(f, workflowId)).flatMap((e) =>
    e.attributes.case === "workflowExecutionSignaledEventAttributes" ? [e.attributes.value.signalName] : [],
  );
const holdsRun = (batch: Batch, workflowId: string) => [...batch.runs.values()].some((r) => r.workflowId === workflowId);

/** A long poll for an event of workflow "w" after one. */
async function longPoll(f: FakeEngine, after: number) {
  const position = f.position("w");
  await f.settle();
  return watch(f.engine.waitForEvents(position.value?.range.runKey as number, after, 20_000, () => () => undefined));
}

async function startTask(f: FakeEngine, workflowId: string): Promise<StartedWorkflowTask> {
  f.dispatcher.isPolled = true;
  f.start(workflowId);
  await f.settle();
  f.dispatcher.isPolled = false;
  return f.dispatcher.confirmed.at(-1) as StartedWorkflowTask;
}

describe("order and release", () => {
  it("applies the inputs of a workflow id in the order of the calls, over many turns", async () => {
    const f = new FakeEngine();
    f.start("w");
    const names = Array.from({ length: 600 }, (_, i) => `s${i}`);
    const replies = names.map((n) => f.signal("w", n));
    await f.settle();
    expect(replies.every((r) => r.value !== undefined)).toBe(true);
    expect(await signalNames(f, "w")).toEqual(names);
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

  it("reads committed history only", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    const position = f.position("w");
    await f.settle();
    f.isHolding = true;
    f.signal("w", "s");
    await f.settle();
    const { data } = await f.engine.readHistory(position.value?.range as never, ALL);
    expect(decode(History, data)).toBeDefined();
    expect(frameOffsets(data).length - 1).toBe(2);
  });

  it("wakes a long poll after the commit that brought an event", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.isHolding = true;
    const waiting = await longPoll(f, 2);
    f.signal("w", "s");
    await f.settle();
    expect(waiting.isSettled).toBe(false);
    await f.letGo();
    expect(waiting.isSettled).toBe(true);
  });

  it("wakes a long poll for the end of a run after the commit of its end, and not before", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    const waiting = await longPoll(f, Number.MAX_SAFE_INTEGER);
    f.signal("w", "s");
    await f.settle();
    f.isHolding = true;
    f.terminate("w");
    await f.settle();
    expect(waiting.isSettled).toBe(false);
    await f.letGo();
    expect(waiting.isSettled).toBe(true);
  });

  it("does not wait for what came between the position and the wait", async () => {
    const f = new FakeEngine();
    f.start("w");
    const position = f.position("w");
    f.signal("w", "s");
    await f.settle();
    const runKey = position.value?.range.runKey as number;
    const waiting = [2, 3].map((after) => watch(f.engine.waitForEvents(runKey, after, 20_000, () => () => undefined)));
    await f.settle();
    expect(waiting.map((w) => w.isSettled)).toEqual([true, false]);
    f.terminate("w");
    await f.settle();
    const ended = watch(f.engine.waitForEvents(runKey, Number.MAX_SAFE_INTEGER, 20_000, () => () => undefined));
    await f.settle();
    expect(ended.isSettled).toBe(true);
  });

  it("ends a long poll at its time limit", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    const waiting = await longPoll(f, 2);
    await f.runtime.advance(19_999);
    expect(waiting.isSettled).toBe(false);
    await f.runtime.advance(2);
    expect(waiting.isSettled).toBe(true);
  });
});

describe("batches in flight", () => {
  it("hands over at most two, and the third when one has settled", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    for (const w of ["a", "b", "c"]) {
      f.start(w);
      await f.settle();
    }
    expect(f.committed.length).toBe(2);
    await f.letGo();
    expect(f.committed.length).toBe(3);
  });

  it("does not hand over a batch that was computed from one in flight", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.start("a");
    await f.settle();
    const signaled = f.signal("a", "s");
    await f.settle();
    expect(f.committed.length).toBe(1);
    await f.letGo();
    expect(signaled.isSettled).toBe(false);
    await f.letGo();
    expect(signaled.value).toBeDefined();
  });

  it("lets a batch stand that shares nothing with the refused one before it", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.verdict = (b) => (holdsRun(b, "bad") ? "refused" : "ok");
    const bad = f.start("bad");
    await f.settle();
    const good = f.start("good");
    await f.settle();
    f.isHolding = false;
    while (f.held.length > 0) await f.letGo();
    await f.settle();
    expect(bad.error?.code).toBe(Code.INTERNAL);
    expect(good.value?.started).toBe(true);
    expect(f.committed.filter((b) => holdsRun(b, "good")).length).toBe(1);
  });
});

describe("a batch that is not written", () => {
  it("runs the inputs of a refused batch one by one, and only the one that fails alone gets INTERNAL", async () => {
    const f = new FakeEngine();
    f.verdict = (b) => (holdsRun(b, "bad") ? "refused" : "ok");
    const good = ["a", "b", "c"].map((w) => f.start(w));
    const bad = f.start("bad");
    const signaled = f.signal("a", "after");
    await f.settle();
    expect(good.every((r) => r.value?.started)).toBe(true);
    expect(signaled.value).toBeDefined();
    expect(bad.error?.code).toBe(Code.INTERNAL);
    expect(await signalNames(f, "a")).toEqual(["after"]);
    f.verdict = () => "ok";
    const retried = f.start("bad");
    await f.settle();
    expect(retried.value?.started).toBe(true);
  });

  it("takes transitions with it that were computed from it", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.isHolding = true;
    let refusals = 1;
    f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
    const first = f.signal("w", "first");
    await f.settle();
    const second = f.signal("w", "second");
    const described = f.describe("w");
    await f.settle();
    f.isHolding = false;
    await f.letGo();
    expect(first.value).toBeDefined();
    expect(second.value).toBeDefined();
    expect(described.value).toBeDefined();
    expect(await signalNames(f, "w")).toEqual(["first", "second"]);
  });

  it("refuses writes on a full disk, goes on answering reads, and recovers", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.verdict = () => "full";
    const signaled = f.signal("w", "lost");
    const described = f.describe("w");
    await f.settle();
    expect(signaled.error?.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(described.value).toBeDefined();
    f.verdict = () => "ok";
    const later = f.signal("w", "kept");
    await f.settle();
    expect(later.value).toBeDefined();
    expect(await signalNames(f, "w")).toEqual(["kept"]);
  });

  it("tells registries that the disk is full, or that the store did not take their rows", async () => {
    const f = new FakeEngine();
    for (const [verdict, code, message] of [
      ["full", Code.RESOURCE_EXHAUSTED, "the disk is full"],
      ["refused", Code.UNAVAILABLE, "the store did not take the change"],
    ] as const) {
      f.verdict = () => verdict;
      const written = watch(f.engine.commitRows((rows) => rows.writeRegistry("kind", "id", 1, { op: "put", value: new Uint8Array(1) })));
      await f.settle();
      expect(written.error).toMatchObject({ code, message });
    }
  });

  it("ends the process when the outcome is unknown, and answers nobody", async () => {
    const f = new FakeEngine();
    f.verdict = () => "doneButFailed";
    const started = f.start("w");
    await f.settle();
    expect(f.fatal.length).toBe(1);
    expect(started.isSettled).toBe(false);
    f.verdict = () => "ok";
    await f.restart();
    const again = f.start("w");
    await f.settle();
    expect(again.value?.runId).toBeDefined();
    expect((await types(f, "w")).length).toBe(2);
  });

  it("asks a query again that waited in memory only", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    const waiter = f.engine.newWaiter();
    const asked = watch(f.engine.submit(at("w"), { kind: "query", request: QueryWorkflowRequest.create({ query: { queryType: "q" } }), waiter }));
    await f.settle();
    let refusals = 1;
    f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
    f.signal("w", "s");
    await f.settle();
    expect(asked.isSettled).toBe(false);
    const terminated = f.engine.drain();
    await f.settle();
    await terminated;
    expect(asked.error?.code).toBe(Code.UNAVAILABLE);
  });
});

describe("a bug of the core", () => {
  it("answers INTERNAL, reports the input, and leaves the workflow as it was", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.hook = (input) => {
      if (input.kind === "signal" && input.request.signalName === "boom") throw new Error("bug");
      return undefined;
    };
    const before = f.signal("w", "before");
    const boom = f.signal("w", "boom");
    const after = f.signal("w", "after");
    await f.settle();
    expect(boom.error?.code).toBe(Code.INTERNAL);
    expect(boom.error?.message).toBe("internal error");
    expect(f.bugs.map((b) => b.kind)).toEqual(["signal"]);
    expect(before.value).toBeDefined();
    expect(after.value).toBeDefined();
    expect(await signalNames(f, "w")).toEqual(["before", "after"]);
  });

  it("takes no input for the workflow until the batch before it has settled", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.hook = (input) => {
      if (input.kind === "signal" && input.request.signalName === "boom") throw new Error("bug");
      return undefined;
    };
    f.start("w");
    const boom = f.signal("w", "boom");
    f.signal("w", "after");
    await f.settle();
    expect(boom.isSettled).toBe(false);
    expect(f.committed.length).toBe(1);
    await f.letGo();
    expect(boom.error?.code).toBe(Code.INTERNAL);
    expect(f.committed.length).toBe(2);
  });

  it("does not hold the workflow for ever when that batch is refused", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    let refusals = 1;
    f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
    f.hook = (input) => {
      if (input.kind === "signal" && input.request.signalName === "boom") throw new Error("bug");
      return undefined;
    };
    f.signal("w", "before");
    const boom = f.signal("w", "boom");
    const after = f.signal("w", "after");
    await f.settle();
    expect(boom.error?.code).toBe(Code.INTERNAL);
    expect(after.value).toBeDefined();
    expect((await signalNames(f, "w")).sort()).toEqual(["after", "before"]);
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
    expect(await signalNames(f, "w")).toEqual(["s", "s2"]);
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
    expect(await signalNames(f, "w")).toEqual(["1", "2", "3"]);
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

describe("dispatch", () => {
  it("starts a task for a waiting poller in the batch that makes it, and confirms when durable", async () => {
    const f = new FakeEngine();
    f.dispatcher.isPolled = true;
    f.isHolding = true;
    const started = f.start("w");
    await f.settle();
    expect(f.committed.length).toBe(1);
    expect(f.dispatcher.confirmed.length).toBe(0);
    await f.letGo();
    expect(started.value?.started).toBe(true);
    expect(f.dispatcher.confirmed.length).toBe(1);
    expect(f.dispatcher.stored.length).toBe(0);
    expect(await types(f, "w")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
  });

  it("writes five rows and two history batches at most for a start with a poller", async () => {
    const f = new FakeEngine();
    await startTask(f, "first");
    f.committed.length = 0;
    await startTask(f, "w");
    const rows = f.committed[0] as Batch;
    expect([rows.executions.size, rows.runs.size, rows.dues.size, rows.visibility.size, rows.components.size, rows.registry.size]).toEqual([
      1, 1, 1, 1, 0, 0,
    ]);
  });

  it("stores a task that no poller waits for, and tells matching when that is durable", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    expect(f.dispatcher.stored.length).toBe(1);
    expect(f.dispatcher.settledBatches).toEqual([true]);
  });

  it("releases the poller when the batch is refused", async () => {
    const f = new FakeEngine();
    f.dispatcher.isPolled = true;
    f.verdict = () => "refused";
    const started = f.start("w");
    await f.settle();
    expect(started.error?.code).toBe(Code.INTERNAL);
    expect(f.dispatcher.confirmed.length).toBe(0);
    expect(f.dispatcher.released).toBe(2);
  });

  it("takes a task back whose poller has gone, and offers it again", async () => {
    const f = new FakeEngine();
    f.dispatcher.isPolled = true;
    f.dispatcher.isGone = true;
    f.isHolding = true;
    f.start("w");
    await f.settle();
    f.dispatcher.isPolled = false;
    f.isHolding = false;
    await f.letGo();
    expect(f.dispatcher.confirmed.length).toBe(0);
    expect(f.dispatcher.released).toBe(1);
    expect(f.dispatcher.stored.length).toBe(1);
  });

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

describe("timers", () => {
  const timeout = { workflowRunTimeout: { seconds: 10 } };

  it("fires a timeout at its time and not before", async () => {
    const f = new FakeEngine();
    await f.engine.start([]);
    f.start("w", timeout);
    await f.runtime.advance(9_999);
    expect(await types(f, "w")).not.toContain("WORKFLOW_EXECUTION_TIMED_OUT");
    await f.runtime.advance(2);
    expect(await types(f, "w")).toContain("WORKFLOW_EXECUTION_TIMED_OUT");
  });

  it("fires after a restart", async () => {
    const f = new FakeEngine();
    f.start("w", timeout);
    await f.settle();
    await f.restart();
    await f.runtime.advance(10_001);
    expect(await types(f, "w")).toContain("WORKFLOW_EXECUTION_TIMED_OUT");
  });

  it.each(["full", "refused"] as const)("is not lost when the store is %s as it fires", async (verdict) => {
    const f = new FakeEngine();
    await f.engine.start([]);
    f.start("w", timeout);
    await f.settle();
    f.verdict = () => verdict;
    await f.runtime.advance(10_001);
    expect(await types(f, "w")).not.toContain("WORKFLOW_EXECUTION_TIMED_OUT");
    f.verdict = () => "ok";
    await f.runtime.advance(60_000);
    expect(await types(f, "w")).toContain("WORKFLOW_EXECUTION_TIMED_OUT");
  });

  it("never lets time go back", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.runtime.now -= 3_600_000_000;
    f.signal("w", "s");
    await f.settle();
    const times = (await events(f, "w")).map((e) => e.eventTime?.seconds ?? 0);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  });

  it("makes the newest run the current one even if the clock is behind an earlier process's", async () => {
    const f = new FakeEngine();
    const first = f.start("w", timeout);
    await f.settle();
    await f.restart();
    await f.runtime.advance(10_001);
    f.runtime.now -= 7_200_000_000;
    await f.restart();
    const second = f.start("w", { requestId: "second" });
    await f.settle();
    expect((second.value?.runId ?? "") > (first.value?.runId ?? "z")).toBe(true);
    expect((await f.store.findRun({ namespaceKey: 1, workflowId: "w", runId: "" }))?.runId).toBe(second.value?.runId);
  });
});

describe("effects on other executions", () => {
  const startChild = {
    commands: [
      {
        commandType: CommandType.START_CHILD_WORKFLOW_EXECUTION,
        attributes: {
          case: "startChildWorkflowExecutionCommandAttributes",
          value: {
            namespace: "default",
            workflowId: "child",
            workflowType: { name: "c" },
            taskQueue: { name: "q" },
            workflowTaskTimeout: { seconds: 10 },
            parentClosePolicy: 1,
          },
        },
      },
    ],
  } as never;
  const transferRows = (f: FakeEngine) => f.store.listComponents(0, Kind.TRANSFER, undefined, 100);

  it("carries them in the batch that causes them, without a row, when both sides are in memory", async () => {
    const f = new FakeEngine();
    const task = await startTask(f, "parent");
    f.describe("child");
    await f.settle();
    f.committed.length = 0;
    f.complete(task, startChild);
    await f.settle();
    expect(f.committed.length).toBe(1);
    expect(f.committed[0]?.components.get(0)?.get(Kind.TRANSFER)?.size ?? 0).toBe(0);
    expect(await types(f, "parent")).toContain("CHILD_WORKFLOW_EXECUTION_STARTED");
    expect(await types(f, "child")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it.each([true, false])("ends with the same histories and no row left (same batch: %s)", async (sameBatch) => {
    const f = new FakeEngine(sameBatch);
    const task = await startTask(f, "parent");
    f.complete(task, startChild);
    await f.settle();
    expect(await types(f, "parent")).toContain("CHILD_WORKFLOW_EXECUTION_STARTED");
    expect(await types(f, "child")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(await transferRows(f)).toEqual([]);
  });

  it("goes on with them after a crash at any commit", async () => {
    for (let crashAfter = 1; crashAfter <= 5; crashAfter++) {
      const f = new FakeEngine(false);
      const task = await startTask(f, "parent");
      f.isHolding = true;
      f.complete(task, startChild);
      await f.settle();
      for (let i = 0; i < crashAfter; i++) await f.letGo();
      f.isHolding = false;
      await f.restart();
      await f.settle();
      expect((await types(f, "parent")).filter((t) => t === "CHILD_WORKFLOW_EXECUTION_STARTED")).toHaveLength(1);
      expect(await types(f, "child")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
      expect(await transferRows(f)).toEqual([]);
    }
  });

  it.each([
    ["terminates it", 1, ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_TERMINATED"]],
    ["lets it go on", 2, ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]],
    ["asks it to cancel", 3, ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_EXECUTION_CANCEL_REQUESTED"]],
  ])("a child whose parent is deleted before it knows of it: the policy %s", async (_, parentClosePolicy, expected) => {
    const f = new FakeEngine(false);
    const task = await startTask(f, "parent");
    f.hook = (input) => {
      if (input.kind !== "start" || input.parent === undefined) return undefined;
      f.terminate("parent");
      watch(f.engine.submit(at("parent"), { kind: "delete" }));
      return undefined;
    };
    const request = structuredClone(startChild) as { commands: { attributes: { value: { parentClosePolicy: number } } }[] };
    for (const command of request.commands) command.attributes.value.parentClosePolicy = parentClosePolicy;
    f.complete(task, request as never);
    await f.settle();
    expect(await types(f, "child")).toEqual(expected);
    expect(await transferRows(f)).toEqual([]);
  });

  it("tries again later with a growing pause, and keeps attempt and error in the row", async () => {
    const f = new FakeEngine(false);
    const task = await startTask(f, "parent");
    f.hook = (input) => {
      if (input.kind === "start") throw new Error("bug");
      return undefined;
    };
    f.complete(task, startChild);
    await f.settle();
    const row = (await transferRows(f))[0];
    const record = decode(TransferRecord, row?.value ?? new Uint8Array());
    expect([record.attempt, record.lastError]).toEqual([1, "internal error"]);
    await f.runtime.advance(1_001);
    expect(f.bugs.length).toBe(2);
    await f.runtime.advance(1_001);
    expect(f.bugs.length).toBe(2);
    f.hook = undefined;
    await f.restart();
    expect((await transferRows(f)).length).toBe(1);
    await f.runtime.advance(2_000);
    expect(await transferRows(f)).toEqual([]);
  });
});

describe("the result of an effect", () => {
  const signalOther = {
    commands: [
      {
        commandType: CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
        attributes: {
          case: "signalExternalWorkflowExecutionCommandAttributes",
          value: { namespace: "default", execution: { workflowId: "other" }, signalName: "from-source" },
        },
      },
    ],
  } as never;
  const transferRows = (f: FakeEngine) => f.store.listComponents(0, Kind.TRANSFER, undefined, 100);

  it("is told until the source has taken it, and the effect happens once", async () => {
    const f = new FakeEngine(false);
    f.start("other");
    await f.settle();
    const task = await startTask(f, "source");
    f.hook = (input) => (input.kind === "externalSignaled" ? { outcome: "error", error: internal("not now") } : undefined);
    f.complete(task, signalOther);
    await f.settle();
    expect((await transferRows(f)).length).toBe(1);
    f.hook = undefined;
    await f.runtime.advance(1_001);
    expect(await transferRows(f)).toEqual([]);
    expect(await signalNames(f, "other")).toEqual(["from-source"]);
    expect(await types(f, "source")).toContain("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED");
  });

  it("ends with the row when the source has gone", async () => {
    const f = new FakeEngine(false);
    f.start("other");
    await f.settle();
    const task = await startTask(f, "source");
    f.hook = (input) => (input.kind === "signal" ? { outcome: "error", error: unavailable("not now") } : undefined);
    f.complete(task, signalOther);
    await f.settle();
    watch(f.engine.submit(at("source"), { kind: "delete" }));
    await f.settle();
    f.hook = undefined;
    await f.runtime.advance(1_001);
    expect(await transferRows(f)).toEqual([]);
  });
});

describe("removal", () => {
  const remove = (f: FakeEngine, workflowId: string) => watch(f.engine.submit(at(workflowId), { kind: "delete" }));

  it("takes everything of the run, history last", async () => {
    const f = new FakeEngine();
    f.start("w");
    f.signal("w", "s", "r");
    await f.settle();
    const position = f.position("w");
    await f.settle();
    const key = position.value?.range.runKey ?? 0;
    remove(f, "w");
    const gone = f.describe("w");
    await f.settle();
    expect(gone.error?.code).toBe(Code.NOT_FOUND);
    expect(await f.store.loadExecution(key)).toBeUndefined();
    await f.runtime.advance(1_000);
    expect(await f.store.readHistory(key, 1, 100, false, 1 << 20)).toEqual([]);
    expect(await f.store.listComponents(key, Kind.REQUEST_ID, undefined, 10)).toEqual([]);
    expect((await f.store.loadRegistry()).filter((r) => r.kind === "tombstone")).toEqual([]);
  });

  it("leaves the history alone when the removal is refused", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.verdict = (b) => ([...b.visibility.values()].some((v) => v.op === "delete") ? "refused" : "ok");
    const removed = remove(f, "w");
    await f.settle();
    await f.runtime.advance(10_000);
    expect(removed.error?.code).toBe(Code.INTERNAL);
    // Not from memory.
    await f.restart();
    expect((await types(f, "w")).length).toBe(2);
  });

  it("goes on after a restart, slice by slice", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    for (let i = 0; i < 1_200; i++) {
      f.signal("w", `s${i}`, `r${i}`);
      if (i % 100 === 0) await f.settle();
    }
    await f.settle();
    const position = f.position("w");
    await f.settle();
    const key = position.value?.range.runKey ?? 0;
    remove(f, "w");
    await f.settle();
    await f.runtime.advance(25);
    await f.restart();
    await f.runtime.advance(1_000);
    expect(await f.store.readHistory(key, 1, 5_000, false, 1 << 24)).toEqual([]);
    expect(await f.store.listComponents(key, Kind.REQUEST_ID, undefined, 10)).toEqual([]);
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

  it("writes rows of the shell that came while two batches were in flight", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.start("a");
    await f.settle();
    f.start("b");
    await f.settle();
    const written = watch(f.engine.withBatch((rows) => rows.writeRegistry("k", "id", 1, { op: "put", value: new Uint8Array(1) })));
    await f.settle();
    f.isHolding = false;
    await f.letGo();
    await f.letGo();
    expect(written.isSettled).toBe(true);
  });
});
