import { describe, expect, it } from "vitest";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { Code } from "../api/service-error.js";
import { decode } from "../api/wire.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { at, FakeEngine, watch } from "./fake-engine.js";
import { frameOffsets } from "./history-reader.js";

const ALL = { fromEventId: 1, eventCountMax: 10_000, bytesMax: 1 << 24, reverse: false };

/** A long poll for an event of workflow "w" after one. */
async function longPoll(f: FakeEngine, after: number) {
  const position = f.position("w");
  await f.settle();
  return watch(f.engine.waitForEvents(position.value?.range.runKey as number, after, 20_000, () => () => undefined));
}

describe("reading", () => {
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

describe("timers", () => {
  const timeout = { workflowRunTimeout: { seconds: 10 } };

  it("fires a timeout at its time and not before", async () => {
    const f = new FakeEngine();
    await f.engine.start([]);
    f.start("w", timeout);
    await f.runtime.advance(9_999);
    expect(await f.eventTypes("w")).not.toContain("WORKFLOW_EXECUTION_TIMED_OUT");
    await f.runtime.advance(2);
    expect(await f.eventTypes("w")).toContain("WORKFLOW_EXECUTION_TIMED_OUT");
  });

  it("fires after a restart", async () => {
    const f = new FakeEngine();
    f.start("w", timeout);
    await f.settle();
    await f.restart();
    await f.runtime.advance(10_001);
    expect(await f.eventTypes("w")).toContain("WORKFLOW_EXECUTION_TIMED_OUT");
  });

  it.each(["full", "refused"] as const)("is not lost when the store is %s as it fires", async (verdict) => {
    const f = new FakeEngine();
    await f.engine.start([]);
    f.start("w", timeout);
    await f.settle();
    f.verdict = () => verdict;
    await f.runtime.advance(10_001);
    expect(await f.eventTypes("w")).not.toContain("WORKFLOW_EXECUTION_TIMED_OUT");
    f.verdict = () => "ok";
    await f.runtime.advance(60_000);
    expect(await f.eventTypes("w")).toContain("WORKFLOW_EXECUTION_TIMED_OUT");
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
    expect((await f.eventTypes("w")).length).toBe(2);
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
