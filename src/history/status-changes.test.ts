import { describe, expect, it } from "vitest";
import type { VisibilityRow } from "../core/visibility/row.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { Batch } from "../persistence/batch.js";
import { MemoryStore } from "../persistence/memory/store.js";
import { STATUS_CHANGES_REGISTRY_KIND, StatusChanges } from "./status-changes.js";

const NAMESPACE = 7;
const row = (workflowId: string, status: number, namespaceKey = NAMESPACE): VisibilityRow =>
  ({
    namespaceKey,
    workflowId,
    runId: "r",
    workflowType: "T",
    taskQueue: "q",
    status,
    startTime: 1,
    closeTime: 0,
    historyLength: 0,
  }) as VisibilityRow;

class World {
  readonly runtime = new FakeRuntime();
  changes: StatusChanges;
  constructor(
    readonly store = new MemoryStore(),
    private readonly keepMax = 1024,
  ) {
    this.changes = new StatusChanges(store, this.runtime, () => keepMax);
  }
  readonly commit = async (fill: (rows: Batch) => void): Promise<void> => {
    const rows = new Batch();
    fill(rows);
    await this.store.commit(rows);
  };
  keep(commit = this.commit): Promise<void> {
    return this.changes.keep("namespace-id", NAMESPACE, commit);
  }
  /** One commit with so many changes. */
  async change(count: number): Promise<void> {
    const reports: ((() => void) | undefined)[] = [];
    await this.commit((rows) => {
      for (let i = 0; i < count; i++) reports.push(this.changes.add(rows, row(`w${i}`, 1)));
    });
    for (const report of reports) report?.();
  }
  async numbers(after: number, max = 10_000): Promise<number[] | "gone"> {
    const page = await this.changes.read(NAMESPACE, after, max);
    return page.isGone ? "gone" : page.changes.map((c) => c.number);
  }
  async restarted(): Promise<World> {
    const next = new World(this.store, this.keepMax);
    await next.changes.start(await this.store.loadRegistry());
    return next;
  }
}

describe("changes of status", () => {
  it("are not written down before somebody follows", async () => {
    const w = new World();
    expect(w.changes.isKeeping).toBe(false);
    const rows = new Batch();
    expect(w.changes.add(rows, row("w", 1))).toBeUndefined();
    expect(rows.isEmpty).toBe(true);
    await w.keep();
    expect(w.changes.add(rows, row("w", 1, NAMESPACE + 1))).toBeUndefined();
    expect(rows.isEmpty).toBe(true);
  });

  it("are one row a commit, and read from any place", async () => {
    const w = new World();
    await w.keep();
    await w.change(3);
    await w.change(2);
    expect(await w.store.readHistory(-NAMESPACE, 0, 100, false, 1e6)).toHaveLength(2);
    expect(await w.numbers(0)).toEqual([1, 2, 3, 4, 5]);
    expect(await w.numbers(1, 2)).toEqual([2, 3]);
    expect(await w.numbers(5)).toEqual([]);
  });

  it("go on with the next number after a restart", async () => {
    const w = new World();
    await w.keep();
    await w.change(3);
    const next = await w.restarted();
    expect(next.changes.newest(NAMESPACE)).toBe(3);
    await next.change(1);
    expect(await next.numbers(2)).toEqual([3, 4]);
  });

  it("wake who waits once they are durable, and not before", async () => {
    const w = new World();
    await w.keep();
    let woken = false;
    const waiting = w.changes
      .wait(NAMESPACE, 0, 1000, () => () => undefined)
      .then(() => {
        woken = true;
      });
    const rows = new Batch();
    const report = w.changes.add(rows, row("w", 1));
    await w.store.commit(rows);
    expect(woken).toBe(false);
    // Seen in the store before its commit is reported: a reader may have come so far.
    expect(await w.numbers(0)).toEqual([1]);
    expect(w.changes.newest(NAMESPACE)).toBe(1);
    report?.();
    await waiting;
  });

  it("leave a gap where the store refused a batch, and never a number twice", async () => {
    const w = new World();
    await w.keep();
    await w.change(1);
    w.changes.add(new Batch(), row("refused", 1));
    await w.change(1);
    expect(await w.numbers(0)).toEqual([1, 3]);
    expect((await w.restarted()).changes.newest(NAMESPACE)).toBe(3);
  });

  it("are kept as many as asked for; an older place is gone", async () => {
    const w = new World(new MemoryStore(), 512);
    await w.keep();
    for (let i = 0; i < 30; i++) await w.change(50);
    expect(await w.numbers(0)).toBe("gone");
    expect(await w.numbers(510)).toBe("gone");
    expect((await w.numbers(511)).at(-1)).toBe(1500);
    expect(await w.store.readHistory(-NAMESPACE, 0, 512, false, 1e6)).toEqual([]);
  });

  it("begin again behind what is there when the row that says so was refused", async () => {
    const w = new World();
    await w.keep();
    await w.change(2);
    // A file where the registry's row is missing.
    await w.commit((rows) => rows.writeRegistry(STATUS_CHANGES_REGISTRY_KIND, "namespace-id", 1, { op: "delete" }));
    const next = await w.restarted();
    expect(next.changes.isKeeping).toBe(false);
    await expect(next.keep(() => Promise.reject(new Error("full")))).rejects.toThrow("full");
    expect(next.changes.isKeeping).toBe(false);
    await next.keep();
    await next.change(1);
    expect(await next.numbers(0)).toEqual([1, 2, 3]);
  });

  it("go with their namespace", async () => {
    const w = new World();
    await w.keep();
    await w.change(2);
    await w.commit((rows) => w.changes.forget(rows, NAMESPACE));
    expect(w.changes.isKeeping).toBe(false);
    expect(await w.store.readHistory(-NAMESPACE, 0, 100, false, 1e6)).toEqual([]);
  });
});
