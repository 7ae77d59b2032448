import { describe, expect, it } from "vitest";
import { QueryWorkflowRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code } from "../api/service-error.js";
import type { Batch } from "../persistence/batch.js";
import { at, FakeEngine, watch } from "./fake-engine.js";

const holdsRun = (batch: Batch, workflowId: string) => [...batch.runs.values()].some((r) => r.workflowId === workflowId);

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
    expect(await f.signalNames("a")).toEqual(["after"]);
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
    expect(await f.signalNames("w")).toEqual(["first", "second"]);
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
    expect(await f.signalNames("w")).toEqual(["kept"]);
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
    expect((await f.eventTypes("w")).length).toBe(2);
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
