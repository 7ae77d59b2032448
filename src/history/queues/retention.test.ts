import { expect, it } from "vitest";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { Batch } from "../../persistence/batch.js";
import { MemoryStore } from "../../persistence/memory/store.js";
import { silent } from "../fake-engine.js";
import { Retention } from "./retention.js";

const RUN = { key: 5, namespaceKey: 1, space: 1, workflowId: "w", runId: "r", history: { branch: 5, lastEventId: 30, segments: [] }, shard: 1 };

async function storeWithHistory(size: number): Promise<MemoryStore> {
  const store = new MemoryStore();
  const batch = new Batch();
  for (let id = 1; id <= 30; id++) batch.appendHistory(5, id, new Uint8Array(size));
  await store.commit(batch);
  return store;
}
const left = async (store: MemoryStore) => (await store.readHistory(5, 1, 100, false, 1 << 30)).map((b) => b.firstEventId);

it("keeps the prefix that another run shares", async () => {
  const store = await storeWithHistory(10);
  const runtime = new FakeRuntime();
  const fork = new Batch();
  fork.forks.push({ parentBranch: 5, childBranch: 6, endEventId: 4 });
  await store.commit(fork);
  const retention = new Retention(store, runtime, silent, async (f) => {
    const rows = new Batch();
    f(rows);
    await store.commit(rows);
  });
  const rows = new Batch();
  const begin = retention.remove(rows, RUN);
  await store.commit(rows);
  begin();
  await runtime.advance(1_000);
  expect(await left(store)).toEqual([1, 2, 3]);
});

it("deletes about a megabyte a turn, newest first, and leaves a tombstone until it is done", async () => {
  const store = await storeWithHistory(200 * 1024);
  const runtime = new FakeRuntime();
  const retention = new Retention(store, runtime, silent, async (f) => {
    const rows = new Batch();
    f(rows);
    await store.commit(rows);
  });
  const rows = new Batch();
  const begin = retention.remove(rows, RUN);
  await store.commit(rows);
  begin();
  await runtime.advance(25);
  const first = await left(store);
  expect(first.length).toBe(24);
  expect(first.at(-1)).toBe(24);
  expect((await store.loadRegistry()).length).toBe(1);
  await runtime.advance(1_000);
  expect(await left(store)).toEqual([]);
  expect(await store.loadRegistry()).toEqual([]);
});

it("tries again when the store cannot be read", async () => {
  const store = await storeWithHistory(10);
  const runtime = new FakeRuntime();
  const retention = new Retention(store, runtime, silent, async (f) => {
    const rows = new Batch();
    f(rows);
    await store.commit(rows);
  });
  const read = store.readForks.bind(store);
  let failures = 1;
  store.readForks = (branch) => (failures-- > 0 ? Promise.reject(new Error("busy")) : read(branch));
  retention.remove(new Batch(), RUN)();
  await runtime.advance(10_000);
  expect(await left(store)).toEqual([]);
});

it("lets the last run that shared a prefix take it along, when the run that wrote it has gone", async () => {
  const store = await storeWithHistory(10);
  const runtime = new FakeRuntime();
  const setUp = new Batch();
  setUp.appendHistory(6, 4, new Uint8Array(10));
  setUp.appendHistory(7, 3, new Uint8Array(10));
  setUp.forks.push({ parentBranch: 5, childBranch: 6, endEventId: 4 }, { parentBranch: 5, childBranch: 7, endEventId: 3 });
  await store.commit(setUp);
  const retention = new Retention(store, runtime, silent, async (f) => {
    const rows = new Batch();
    f(rows);
    await store.commit(rows);
  });
  const remove = async (run: Parameters<Retention["remove"]>[1]) => {
    const rows = new Batch();
    const begin = retention.remove(rows, run);
    await store.commit(rows);
    begin();
    await runtime.advance(1_000);
  };
  await remove(RUN);
  expect(await left(store)).toEqual([1, 2, 3]);
  await remove({ ...RUN, key: 6, runId: "r6", history: { branch: 6, lastEventId: 4, segments: [{ branch: 5, endEventId: 4 }] } });
  expect(await left(store)).toEqual([1, 2]);
  await remove({ ...RUN, key: 7, runId: "r7", history: { branch: 7, lastEventId: 3, segments: [{ branch: 5, endEventId: 3 }] } });
  expect(await left(store)).toEqual([]);
  expect([await store.readForks(5), await store.readHistory(6, 1, 100, false, 1), await store.readHistory(7, 1, 100, false, 1)]).toEqual([
    [],
    [],
    [],
  ]);
  expect(await store.loadRegistry()).toEqual([]);
});

it("keeps what the run itself still has when one that shared it goes", async () => {
  const store = await storeWithHistory(10);
  const runtime = new FakeRuntime();
  const setUp = new Batch();
  setUp.putExecution(5, 1, new Uint8Array(1), true);
  setUp.forks.push({ parentBranch: 5, childBranch: 6, endEventId: 4 });
  await store.commit(setUp);
  const retention = new Retention(store, runtime, silent, async (f) => {
    const rows = new Batch();
    f(rows);
    await store.commit(rows);
  });
  retention.remove(new Batch(), { ...RUN, key: 6, history: { branch: 6, lastEventId: 4, segments: [{ branch: 5, endEventId: 4 }] } })();
  await runtime.advance(1_000);
  expect((await left(store)).length).toBe(30);
  expect(await store.readForks(5)).toEqual([]);
});
