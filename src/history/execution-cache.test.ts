import { describe, expect, it } from "vitest";
import { ExecutionRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { WorkflowExecutionStatus } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { RunState } from "../core/workflow/mutable-state.js";
import { type CachedChain, ExecutionCache } from "./execution-cache.js";
import type { PendingInput } from "./pending-input.js";

let nextKey = 1;
function run(runId: string, status = WorkflowExecutionStatus.RUNNING): RunState {
  return new RunState(nextKey++, ExecutionRecord.create({ runId, status }));
}
function fill(cache: ExecutionCache, workflowId: string, state = run(`run-${workflowId}`)): CachedChain {
  const chain = cache.get("ns", workflowId);
  chain.began(state);
  cache.index(chain, state);
  cache.count(chain);
  return chain;
}
/** Long enough for a second pass over what was used lately. */
const shrink = (cache: ExecutionCache, durable = 0) => {
  for (let i = 0; i < 20; i++) cache.shrink(durable);
};

describe("what leaves memory", () => {
  it("is the least used", () => {
    const cache = new ExecutionCache(() => 10, 1 << 30);
    for (let i = 0; i < 20; i++) fill(cache, `w${i}`);
    for (let i = 0; i < 5; i++) cache.get("ns", `w${i}`);
    shrink(cache);
    expect(cache.size).toBeLessThanOrEqual(10);
    expect(cache.size).toBeGreaterThan(5);
    expect(cache.find("ns", "w0")).toBeDefined();
    expect(cache.find("ns", "w7")).toBeUndefined();
  });

  it("is bounded in bytes too", () => {
    const cache = new ExecutionCache(() => 1_000_000, 100_000);
    for (let i = 0; i < 500; i++) fill(cache, `w${i}`);
    expect(cache.sizeBytes).toBeGreaterThan(100_000);
    shrink(cache);
    expect(cache.sizeBytes).toBeLessThanOrEqual(100_000);
    expect(cache.size).toBeGreaterThan(0);
  });

  it.each([
    ["queued inputs", (c: CachedChain) => c.queue.push({} as PendingInput)],
    ["a load under way", (c: CachedChain) => (c.isLoading = true)],
    ["an undurable transition", (c: CachedChain) => (c.sequence = 7)],
    ["queries that wait", (c: CachedChain) => ((c.current() as RunState).queries = [{ waiter: 1, id: "q", query: new Uint8Array(), sent: false }])],
  ])("is never a workflow with %s", (_, pin) => {
    const cache = new ExecutionCache(() => 1, 1 << 30);
    const pinned = fill(cache, "pinned");
    pin(pinned);
    for (let i = 0; i < 100; i++) fill(cache, `w${i}`);
    shrink(cache, 6);
    expect(cache.find("ns", "pinned")).toBe(pinned);
    expect(pinned.current()).toBeDefined();
    expect(cache.size).toBeLessThanOrEqual(2);
  });

  it("gives its bytes back and is found by no key", () => {
    const cache = new ExecutionCache(() => 0, 1 << 30);
    const state = run("r");
    const chain = fill(cache, "w", state);
    expect(cache.byKey(state.key)?.state).toBe(state);
    cache.evict(chain);
    expect([cache.size, cache.sizeBytes, cache.byKey(state.key)]).toEqual([0, 0, undefined]);
  });

  it("includes closed runs of a workflow that continues as new for ever", () => {
    const cache = new ExecutionCache(() => 100, 1 << 30);
    const chain = cache.get("ns", "w");
    for (let i = 0; i < 50; i++)
      fill(
        cache,
        "w",
        run(`run-${String(i).padStart(3, "0")}`, i === 49 ? WorkflowExecutionStatus.RUNNING : WorkflowExecutionStatus.CONTINUED_AS_NEW),
      );
    chain.sequence = 3;
    cache.trim(chain, 2);
    expect(chain.runs.size).toBe(50);
    cache.trim(chain, 3);
    expect(chain.runs.size).toBe(5);
    expect(chain.current()?.info.runId).toBe("run-049");
  });
});

it("remembers a bounded number of run ids that do not exist", () => {
  const chain = new ExecutionCache(() => 10, 1 << 30).get("ns", "w");
  for (let i = 0; i < 10_000; i++) chain.addMissing(`r${i}`);
  const known = Array.from({ length: 10_000 }, (_, i) => `r${i}`).filter((runId) => chain.isMissing(runId));
  expect(known.length).toBeLessThanOrEqual(100);
  expect(chain.isLoaded({ namespaceId: "ns", workflowId: "w", runId: "r9999" })).toBe(true);
});
