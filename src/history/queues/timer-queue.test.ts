import { describe, expect, it } from "vitest";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { Batch } from "../../persistence/batch.js";
import { MemoryStore } from "../../persistence/memory/store.js";
import { silent } from "../fake-engine.js";
import { type DueRow, TimerQueue } from "./timer-queue.js";

class FakeTimers {
  readonly runtime = new FakeRuntime();
  readonly store = new MemoryStore();
  readonly fired: DueRow[] = [];
  /** Rows whose input is under way, when `isSlow`. */
  readonly underWay: (() => void)[] = [];
  isSlow = false;
  failures = 0;
  readonly queue = new TimerQueue(this.store, this.runtime, silent, 0, (row) => {
    this.fired.push(row);
    if (this.failures-- > 0) return Promise.reject(new Error("not now"));
    if (this.isSlow) return new Promise((resolve) => this.underWay.push(resolve));
    return Promise.resolve();
  });

  async write(...rows: { due: number; key: number }[]): Promise<void> {
    const batch = new Batch();
    for (const r of rows) batch.insertDue(0, r.due, r.key);
    await this.store.commit(batch);
  }
  get keys(): number[] {
    return this.fired.map((r) => r.key);
  }
}

const MS = 1_000;

describe("the timer queue", () => {
  it("fires rows in their order, none before its time", async () => {
    const t = new FakeTimers();
    const begin = t.runtime.now;
    await t.write({ due: begin + 30 * MS, key: 3 }, { due: begin + 10 * MS, key: 1 });
    await t.queue.start();
    t.queue.add({ clock: 0, due: begin + 20 * MS, key: 2 });
    await t.runtime.advance(9);
    expect(t.keys).toEqual([]);
    await t.runtime.advance(1);
    expect(t.keys).toEqual([1]);
    await t.runtime.advance(1_000);
    expect(t.keys).toEqual([1, 2, 3]);
  });

  it("does not fire early because its timer does", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    t.queue.add({ clock: 0, due: t.runtime.now + 1_500, key: 1 });
    await t.runtime.advance(1);
    expect(t.keys).toEqual([]);
    await t.runtime.advance(1);
    expect(t.keys).toEqual([1]);
  });

  it("does not fire a row with one that is due a moment earlier", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    t.queue.add({ clock: 0, due: t.runtime.now + 10 * MS, key: 1 });
    t.queue.add({ clock: 0, due: t.runtime.now + 10 * MS + 500, key: 2 });
    await t.runtime.advance(10);
    expect(t.keys).toEqual([1]);
  });

  it("ignores rows of other clocks", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    t.queue.add({ clock: 7, due: t.runtime.now, key: 1 });
    await t.runtime.advance(10);
    expect(t.keys).toEqual([]);
  });

  it("keeps a bounded window in memory of any number of far timers, and fires them all", async () => {
    const t = new FakeTimers();
    const begin = t.runtime.now;
    const rows = Array.from({ length: 35_000 }, (_, i) => ({ due: begin + 3_600_000 * MS + i, key: i + 1 }));
    await t.write(...rows);
    await t.queue.start();
    expect(t.queue.size).toBeLessThanOrEqual(20_000);
    await t.runtime.advance(3_600_000 + 100);
    expect(new Set(t.keys).size).toBe(35_000);
  });

  it("gets past more rows of one instant than a window holds", async () => {
    const t = new FakeTimers();
    const due = t.runtime.now + 10 * MS;
    await t.write(...Array.from({ length: 25_000 }, (_, i) => ({ due, key: i + 1 })));
    await t.queue.start();
    await t.runtime.advance(20);
    expect(new Set(t.keys).size).toBe(25_000);
  });

  it("keeps the nearest when it is given more than it holds", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    const rows = Array.from({ length: 30_000 }, (_, i) => ({ due: t.runtime.now + 10 * MS + i, key: i + 1 }));
    await t.write(...rows);
    for (const r of [...rows].reverse()) t.queue.add({ clock: 0, ...r });
    expect(t.queue.size).toBeLessThanOrEqual(20_001);
    await t.runtime.advance(100);
    expect(new Set(t.keys).size).toBe(30_000);
  });

  it("does not miss a row that becomes durable while it reads", async () => {
    const t = new FakeTimers();
    const read = t.store.readDue.bind(t.store);
    t.store.readDue = async (...a) => {
      const rows = await read(...a);
      t.queue.add({ clock: 0, due: t.runtime.now + 5 * MS, key: 42 });
      return rows;
    };
    await t.queue.start();
    await t.runtime.advance(10);
    expect(t.keys).toEqual([42]);
  });

  it("tries a row again whose input failed", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    t.failures = 3;
    t.queue.add({ clock: 0, due: t.runtime.now, key: 1 });
    await t.runtime.advance(500);
    expect(t.fired.length).toBe(1);
    await t.runtime.advance(10_000);
    expect(t.fired.length).toBe(4);
    await t.runtime.advance(600_000);
    expect(t.fired.length).toBe(4);
  });

  it("has a bounded number of rows on its way to the engine", async () => {
    const t = new FakeTimers();
    t.isSlow = true;
    await t.write(...Array.from({ length: 3_000 }, (_, i) => ({ due: t.runtime.now + i, key: i + 1 })));
    await t.queue.start();
    await t.runtime.advance(10);
    expect(t.fired.length).toBe(1_000);
    while (t.underWay.length > 0) {
      for (const done of t.underWay.splice(0)) done();
      await t.runtime.advance(1);
    }
    expect(new Set(t.keys).size).toBe(3_000);
  });

  it("passes over a row that its run has left, and over none with the same time since", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    const row = { clock: 0, due: t.runtime.now + 10 * MS, key: 1 };
    t.queue.add(row);
    t.queue.leave(row);
    t.queue.add(row);
    const other = { ...row, key: 2 };
    t.queue.add(other);
    t.queue.leave(other);
    t.queue.add({ ...other, due: other.due + MS });
    await t.runtime.advance(10);
    expect(t.keys).toEqual([1]);
    await t.runtime.advance(1);
    expect(t.keys).toEqual([1, 2]);
    expect(t.queue.size).toBe(0);
  });

  it("passes over each row that a run has left, however often it has", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    const begin = t.runtime.now;
    for (const ms of [30, 20, 10, 40]) {
      const row = { clock: 0, due: begin + ms * MS, key: 1 };
      t.queue.add(row);
      if (ms < 40) t.queue.leave(row);
    }
    await t.runtime.advance(39);
    expect(t.keys).toEqual([]);
    await t.runtime.advance(1);
    expect(t.keys).toEqual([1]);
  });

  it("knows of no more rows than are in memory", async () => {
    const t = new FakeTimers();
    t.isSlow = true;
    const far = { clock: 0, due: t.runtime.now + 3_600_000 * MS, key: 90_000 };
    const rows = Array.from({ length: 20_000 }, (_, i) => ({ clock: 0, due: far.due - 30_000 * MS - 20_000 + i, key: i + 1 }));
    await t.write(far, ...rows);
    await t.queue.start();
    t.queue.leave(far);
    expect([t.queue.size, t.queue.heldCount]).toEqual([10_000, 10_000]);
    const onItsWay = { clock: 0, due: t.runtime.now, key: 100_000 };
    t.queue.add(onItsWay);
    await t.runtime.advance(1);
    t.queue.leave(onItsWay);
    expect([t.queue.size, t.queue.heldCount]).toEqual([10_000, 10_000]);
    for (let i = 0; i < 25_000; i++) t.queue.add({ clock: 0, due: far.due - 60_000 * MS + i, key: 200_000 + i });
    expect(t.queue.heldCount).toBe(t.queue.size);
  });

  it("fires a row that was left, and written again, while it was too many for memory", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    const row = { clock: 0, due: t.runtime.now + 60_000 * MS, key: 90_000 };
    t.queue.add(row);
    t.queue.leave(row);
    const nearer = Array.from({ length: 20_001 }, (_, i) => ({ due: row.due - 50_000 * MS + i, key: i + 1 }));
    await t.write(...nearer, row);
    for (const r of nearer) t.queue.add({ clock: 0, ...r });
    await t.runtime.advance(60_001);
    expect(t.keys).toContain(row.key);
  });

  it("fires nothing after its end", async () => {
    const t = new FakeTimers();
    await t.queue.start();
    t.queue.add({ clock: 0, due: t.runtime.now + MS, key: 1 });
    t.queue.stop();
    await t.runtime.advance(100);
    expect(t.keys).toEqual([]);
  });
});
