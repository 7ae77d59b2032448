import { expect, it } from "vitest";
import { OutboundRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { encode } from "../../api/wire.js";
import { Kind } from "../../core/workflow/mutable-state.js";
import { BREAKER_FAILURES_MAX, BREAKER_OPEN_MICROS } from "../../lib/circuit-breaker.js";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { Batch } from "../../persistence/batch.js";
import { MemoryStore } from "../../persistence/memory/store.js";
import { silent } from "../fake-engine.js";
import { type OutboundOutcome, OutboundQueue } from "./outbound-queue.js";

const OPENS_AFTER = BREAKER_FAILURES_MAX + 1;
const OPEN_MS = BREAKER_OPEN_MICROS / 1000;
const UP: OutboundOutcome = { done: true, isDown: false };
const DOWN: OutboundOutcome = { done: true, isDown: true };

class FakeCalls {
  readonly runtime = new FakeRuntime();
  readonly store = new MemoryStore();
  ran: number[] = [];
  outcome: (id: number, record: OutboundRecord) => Promise<OutboundOutcome> = async () => UP;
  readonly queue: OutboundQueue;

  constructor(ownIdsFrom = Number.MAX_SAFE_INTEGER) {
    this.queue = new OutboundQueue({
      store: this.store,
      runtime: this.runtime,
      logger: silent,
      ownIdsFrom,
      run: (id, record) => {
        this.ran.push(id);
        return this.outcome(id, record);
      },
    });
  }

  /** Calls come one after the other, so that each knows how the one before it ended. */
  async add(ids: number[], destination = "a"): Promise<void> {
    for (const id of ids) {
      this.queue.add(id, OutboundRecord.create({ kind: 1, namespaceId: "n", destination }));
      await this.runtime.settle();
    }
  }
  isBlocked(destination = "a", kind = 1, namespaceId = "n"): boolean {
    return this.queue.isBlocked(kind, namespaceId, destination);
  }
}

const numbers = (n: number, from = 1) => Array.from({ length: n }, (_, i) => from + i);

it("takes up every row of an earlier process, and leaves its own to those who add them", async () => {
  const t = new FakeCalls(5_000);
  const batch = new Batch();
  for (const id of [...numbers(2_500), 5_000])
    batch.writeComponent(0, Kind.OUTBOUND, id, { op: "insert", value: encode(OutboundRecord, { kind: 1 }) });
  await t.store.commit(batch);
  await t.queue.start();
  await t.runtime.settle();
  expect(t.ran).toEqual(numbers(2_500));
});

it("has no more calls to one destination under way than a limit, whatever waits for another", async () => {
  const t = new FakeCalls();
  t.outcome = (_, r) => (r.destination === "a" ? new Promise(() => undefined) : Promise.resolve(UP));
  await t.add(numbers(150), "a");
  expect(t.ran).toEqual(numbers(100));
  await t.add([200], "b");
  expect(t.ran.at(-1)).toBe(200);
});

it("does not make a call that was removed while it waited", async () => {
  const t = new FakeCalls();
  let free: () => void = () => undefined;
  t.outcome = (id) => (id === 1 ? new Promise((resolve) => (free = () => resolve(UP))) : new Promise(() => undefined));
  await t.add(numbers(102));
  t.queue.remove(101, OutboundRecord.create({ kind: 1, namespaceId: "n", destination: "a" }));
  t.queue.remove(102, OutboundRecord.create({ kind: 1, namespaceId: "n", destination: "b" }));
  free();
  await t.runtime.settle();
  expect(t.ran.slice(100)).toEqual([102]);
});

it("holds calls to a destination that is down, for a minute, then tries one", async () => {
  const t = new FakeCalls();
  t.outcome = async () => DOWN;
  await t.add(numbers(OPENS_AFTER - 1));
  expect(t.isBlocked()).toBe(false);
  await t.add([OPENS_AFTER]);
  expect(t.isBlocked()).toBe(true);
  t.ran = [];
  await t.add([11, 12, 13]);
  await t.runtime.advance(OPEN_MS - 1);
  expect(t.ran).toEqual([]);
  await t.runtime.advance(3);
  expect([t.ran, t.isBlocked()]).toEqual([[11], true]);
  await t.runtime.advance(OPEN_MS + 3);
  expect([t.ran, t.isBlocked()]).toEqual([[11, 12], true]);
});

it("lets all of them go once the one that was tried is well", async () => {
  const t = new FakeCalls();
  t.outcome = async () => DOWN;
  await t.add(numbers(OPENS_AFTER));
  await t.add([11, 12, 13]);
  t.ran = [];
  let answer: (o: OutboundOutcome) => void = () => undefined;
  t.outcome = () => new Promise((resolve) => (answer = resolve));
  await t.runtime.advance(OPEN_MS + 3);
  expect([t.ran, t.isBlocked()]).toEqual([[11], true]);
  t.outcome = async () => UP;
  answer(UP);
  await t.runtime.settle();
  expect([t.ran, t.isBlocked()]).toEqual([[11, 12, 13], false]);
});

it("blames no other destination, kind of call or namespace", async () => {
  const t = new FakeCalls();
  t.outcome = async () => DOWN;
  await t.add(numbers(OPENS_AFTER));
  expect([t.isBlocked("b"), t.isBlocked("a", 2), t.isBlocked("a", 1, "other")]).toEqual([false, false, false]);
  t.ran = [];
  await t.add([11], "b");
  expect(t.ran).toEqual([11]);
});

it("makes a call again whose outcome could not be recorded, later each time", async () => {
  const t = new FakeCalls();
  t.outcome = async () => ({ done: false, problem: "the disk is full" });
  await t.add([1]);
  await t.runtime.advance(1_001);
  expect(t.ran).toEqual([1, 1]);
  t.outcome = () => Promise.reject(new Error("no connection"));
  await t.runtime.advance(2_001);
  expect(t.ran).toEqual([1, 1, 1]);
  t.outcome = async () => UP;
  await t.runtime.advance(4_001);
  expect(t.ran).toEqual([1, 1, 1, 1]);
  await t.runtime.advance(600_000);
  expect([t.ran.length, t.runtime.timers.size]).toEqual([4, 0]);
});

it("starts nothing once it is stopped", async () => {
  const t = new FakeCalls();
  t.outcome = async () => ({ done: false, problem: "the disk is full" });
  await t.add([1]);
  t.queue.stop();
  await t.add([2]);
  await t.runtime.advance(600_000);
  expect([t.ran, t.runtime.timers.size]).toEqual([[1], 0]);
});
