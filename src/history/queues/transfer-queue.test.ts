import { expect, it } from "vitest";
import { TransferRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { encode } from "../../api/wire.js";
import { Kind } from "../../core/workflow/mutable-state.js";
import { TransferKind } from "../../core/workflow/transfer-kind.js";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { Batch } from "../../persistence/batch.js";
import { MemoryStore } from "../../persistence/memory/store.js";
import { silent } from "../fake-engine.js";
import { type TransferOutcome, TransferQueue } from "./transfer-queue.js";

class FakeTransfers {
  readonly runtime = new FakeRuntime();
  readonly store = new MemoryStore();
  readonly ran: number[] = [];
  readonly saved: TransferRecord[] = [];
  outcome: (id: number) => Promise<TransferOutcome> = async () => "done";

  async write(ids: number[], init: { nextTime?: number; attempt?: number } = {}): Promise<void> {
    const batch = new Batch();
    for (const id of ids) batch.writeComponent(0, Kind.TRANSFER, id, { op: "insert", value: encode(TransferRecord, { rowId: id, ...init }) });
    await this.store.commit(batch);
  }
  queue(ownIdsFrom = Number.MAX_SAFE_INTEGER): TransferQueue {
    return new TransferQueue({
      store: this.store,
      runtime: this.runtime,
      logger: silent,
      ownIdsFrom,
      run: (id) => {
        this.ran.push(id);
        return this.outcome(id);
      },
      save: (_, record) => this.saved.push(record),
    });
  }
}

const numbers = (n: number, from = 1) => Array.from({ length: n }, (_, i) => from + i);

it("resumes every row of an earlier process, a window at a time", async () => {
  const t = new FakeTransfers();
  await t.write(numbers(3_500));
  t.outcome = () => new Promise(() => undefined);
  const stuck = t.queue();
  await stuck.start();
  await t.runtime.settle();
  expect(stuck.pending).toBeLessThanOrEqual(1_500);
  t.ran.length = 0;
  t.outcome = async () => "done";
  await t.queue().start();
  await t.runtime.settle();
  expect(t.ran).toEqual(numbers(3_500));
});

it("leaves rows of its own process to those who add them", async () => {
  const t = new FakeTransfers();
  await t.write([1, 2, 10_000]);
  const q = t.queue(10_000);
  await q.start();
  await t.runtime.settle();
  expect(t.ran).toEqual([1, 2]);
});

it("waits from one second to five minutes between attempts", async () => {
  const t = new FakeTransfers();
  t.outcome = async () => ({ retry: "unavailable" });
  t.queue().add(1, TransferRecord.create({}));
  await t.runtime.settle();
  for (const [attempts, ms] of [
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
  ] as const) {
    await t.runtime.advance(ms - 1);
    expect(t.ran.length).toBe(attempts);
    await t.runtime.advance(1);
    expect(t.ran.length).toBe(attempts + 1);
  }
  await t.runtime.advance(3_600_000);
  const before = t.ran.length;
  await t.runtime.advance(300_000);
  expect(t.ran.length).toBe(before + 1);
  expect(t.saved.at(-1)).toMatchObject({ attempt: t.ran.length, lastError: "unavailable" });
});

it("keeps to the time that the last attempt set, also after a restart", async () => {
  const t = new FakeTransfers();
  await t.write([1], { nextTime: t.runtime.now + 60_000_000, attempt: 5 });
  await t.queue().start();
  await t.runtime.advance(59_999);
  expect(t.ran).toEqual([]);
  await t.runtime.advance(1);
  expect(t.ran).toEqual([1]);
});

it("starts nothing after its end", async () => {
  const t = new FakeTransfers();
  const q = t.queue();
  q.stop();
  q.add(1, TransferRecord.create({}));
  await t.runtime.settle();
  expect(t.ran).toEqual([]);
});

it("does not let archives that hang hold up the others, neither new ones nor an earlier process's", async () => {
  const t = new FakeTransfers();
  const batch = new Batch();
  const archive = { kind: TransferKind.ARCHIVE };
  for (const id of numbers(3_000))
    batch.writeComponent(0, Kind.TRANSFER, id, { op: "insert", value: encode(TransferRecord, { rowId: id, ...archive }) });
  await t.store.commit(batch);
  await t.write([3_001]);
  t.outcome = (id) => (id <= 3_000 || id === 10_000 ? new Promise(() => undefined) : Promise.resolve("done"));
  const q = t.queue(10_000);
  await q.start();
  await t.runtime.settle();
  q.add(10_000, TransferRecord.create(archive));
  q.add(10_001, TransferRecord.create());
  await t.runtime.settle();
  expect(t.ran.filter((id) => id <= 3_000 || id === 10_000).length).toBe(16);
  expect(t.ran).toEqual(expect.arrayContaining([3_001, 10_001]));
});
