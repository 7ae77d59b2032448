import { describe, expect, it } from "vitest";
import { WorkerHeartbeat } from "../../gen/wire/temporal/api/worker/v1/message.js";
import {
  CountWorkersRequest,
  FetchWorkerConfigRequest,
  ListWorkersRequest,
  UpdateWorkerConfigRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, ServiceError, unavailable } from "../api/service-error.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import type { Batch } from "../persistence/batch.js";
import { WORKER_CONFIG_REGISTRY_KIND, Workers } from "./workers.js";

const MINUTE = 60_000_000;
const LIMITS = { entryTimeMax: 5 * MINUTE, evictionAgeMin: MINUTE, entriesMax: 100 };
const beat = (key: string, status = 1) => WorkerHeartbeat.create({ workerInstanceKey: key, taskQueue: "q", status });
const selector = (value: string) => ({ selector: { case: "workerInstanceKey" as const, value } });

function setup(rows = new Map<string, Uint8Array>(), runtime = new FakeRuntime()) {
  const state = { isRefusing: false };
  const workers = new Workers({
    rows: [...rows].map(([id, value]) => ({ kind: WORKER_CONFIG_REGISTRY_KIND, id, version: 1, value })),
    commit: async (batch: Batch) => {
      if (state.isRefusing) throw unavailable("the store did not take the change");
      for (const [id, { write }] of batch.registry.get(WORKER_CONFIG_REGISTRY_KIND) ?? [])
        if (write.op === "delete") rows.delete(id);
        else rows.set(id, write.value);
    },
    runtime,
    limits: () => LIMITS,
  });
  const update = (key: string, workflowCacheSize: number, paths: string[] = []) =>
    workers.updateConfig(
      "n",
      UpdateWorkerConfigRequest.create({ selector: selector(key), workerConfig: { workflowCacheSize }, updateMask: { paths } }),
    );
  const fetch = (key: string) => workers.fetchConfig("n", FetchWorkerConfigRequest.create({ selector: selector(key) })).workflowCacheSize;
  return { workers, rows, runtime, state, update, fetch };
}

describe("the configuration of a worker", () => {
  it("is kept and answered, also by the next process before the worker is heard of again", async () => {
    const { workers, rows, runtime, update, fetch } = setup();
    workers.record("n", [beat("a"), beat("b")]);
    expect(fetch("a")).toBeUndefined();
    expect((await update("a", 7)).workflowCacheSize).toBe(7);
    expect([fetch("a"), fetch("b")]).toEqual([7, undefined]);
    expect(setup(rows, runtime).fetch("a")).toBe(7);
  });

  it("is refused for a worker that nobody has heard of, and without one", async () => {
    const { workers, update } = setup();
    workers.record("other", [beat("a")]);
    await expect(update("a", 1)).rejects.toMatchObject({ code: Code.NOT_FOUND, message: "Worker a not found" });
    expect(() => workers.fetchConfig("n", FetchWorkerConfigRequest.create({}))).toThrow(ServiceError);
  });

  it("stays as it was when the store refuses", async () => {
    const { workers, state, update, fetch } = setup();
    workers.record("n", [beat("a")]);
    await update("a", 1);
    state.isRefusing = true;
    await expect(update("a", 2)).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    state.isRefusing = false;
    expect(fetch("a")).toBe(1);
    expect((await update("a", 3)).workflowCacheSize).toBe(3);
  });

  it("goes with the worker, and leaves no row", async () => {
    const { workers, rows, update } = setup();
    workers.record("n", [beat("a")]);
    await update("a", 1);
    workers.record("n", [beat("a", 3)]);
    await Promise.resolve();
    expect(rows.size).toBe(0);
  });

  it("goes with a worker that an earlier process had heard of and that never comes back", async () => {
    const first = setup();
    first.workers.record("n", [beat("a"), beat("b")]);
    await first.update("a", 1);
    await first.update("b", 2);
    const { workers, rows, runtime, fetch } = setup(first.rows, first.runtime);
    await runtime.advance(4 * 60_000);
    workers.record("n", [beat("a")]);
    await runtime.advance(2 * 60_000);
    workers.record("n", [beat("c")]);
    await runtime.settle();
    expect([rows.size, fetch("a")]).toEqual([1, 1]);
    expect(() => fetch("b")).toThrow("Worker b not found");
  });
});

it("lists and counts by query", async () => {
  const { workers } = setup();
  workers.record("n", [beat("b"), beat("a"), beat("c", 2)]);
  const query = "WorkerStatus = 'Running'";
  const { workers: listed, workersInfo } = await workers.list("n", ListWorkersRequest.create({ query }));
  expect([listed?.map((w) => w.workerInstanceKey), workersInfo?.length]).toEqual([["a", "b"], 2]);
  expect(await workers.count("n", CountWorkersRequest.create({ query }))).toBe(2);
  expect(await workers.count("other", CountWorkersRequest.create({}))).toBe(0);
});

it("a list that takes long lets others have their turn", async () => {
  /** Each look at the clock finds it ten milliseconds on. */
  class SlowRuntime extends FakeRuntime {
    deferrals = 0;
    override nowMicros(): number {
      return (this.now += 10_000);
    }
    override defer(f: () => void): void {
      this.deferrals++;
      super.defer(f);
    }
  }
  const runtime = new SlowRuntime("free");
  const { workers } = setup(undefined, runtime);
  workers.record(
    "n",
    Array.from({ length: 100 }, (_, i) => beat(`${i}`)),
  );
  expect(await workers.count("n", CountWorkersRequest.create({ query: "TaskQueue = 'q'" }))).toBe(100);
  expect(runtime.deferrals).toBeGreaterThan(1);
});
