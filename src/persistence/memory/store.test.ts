/** What the memory store has beyond the contract: faults, commits that settle when told, and crashes. */
import { describe, expect, it } from "vitest";
import { bytes, write } from "../contract.js";
import { StoreFailure } from "../store.js";
import { MemoryStore } from "./store.js";

const put = (store: MemoryStore, key: number): Promise<void> =>
  write(store, (b) => {
    b.putExecution(key, 0, bytes("x"), true);
    b.insertDue(1, key, key);
  });

/** How a commit settled so far. */
function outcome(p: Promise<void>): { now: string } {
  const o = { now: "pending" };
  p.then(
    () => {
      o.now = "done";
    },
    (e: unknown) => {
      o.now = e instanceof StoreFailure ? e.kind : String(e);
    },
  );
  return o;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("faults", () => {
  it.each(["refused", "full"] as const)("a batch that is %s is not written, and the next one is", async (kind) => {
    let verdict: "ok" | "refused" | "full" = kind;
    const store = new MemoryStore({ beforeCommit: () => verdict });
    await expect(put(store, 1)).rejects.toMatchObject({ kind });
    verdict = "ok";
    await put(store, 2);
    expect(store.executionKeys()).toEqual([2]);
    expect(await store.nextDue(1)).toBe(2);
  });

  it("a batch can be written and yet be reported as lost", async () => {
    const store = new MemoryStore({ beforeCommit: () => "doneButFailed" });
    await expect(put(store, 1)).rejects.toMatchObject({ kind: "lost" });
    expect(store.crash().executionKeys()).toEqual([1]);
  });
});

describe("commits that settle when told", () => {
  it("nothing is read of a batch before it settles", async () => {
    const settle: (() => void)[] = [];
    const store = new MemoryStore({ settle: (f) => settle.push(f) });
    const first = outcome(put(store, 1));
    await turn();
    expect([first.now, store.executionKeys(), await store.nextDue(1)]).toEqual(["pending", [], undefined]);
    settle[0]?.();
    await turn();
    expect([first.now, store.executionKeys(), await store.nextDue(1)]).toEqual(["done", [1], 1]);
  });

  it("a batch that could settle waits for the one before it, failed or not", async () => {
    const settle: (() => void)[] = [];
    const verdicts = ["refused", "ok"] as const;
    const store = new MemoryStore({ settle: (f) => settle.push(f), beforeCommit: () => verdicts[settle.length] ?? "ok" });
    const outcomes = [outcome(put(store, 1)), outcome(put(store, 2))];
    settle[1]?.();
    await turn();
    expect(outcomes.map((o) => o.now)).toEqual(["pending", "pending"]);
    settle[0]?.();
    await turn();
    expect(outcomes.map((o) => o.now)).toEqual(["refused", "done"]);
    expect(store.executionKeys()).toEqual([2]);
  });

  it("close waits for what is in flight", async () => {
    const settle: (() => void)[] = [];
    const store = new MemoryStore({ settle: (f) => settle.push(f) });
    void put(store, 1);
    const closed = outcome(store.close());
    await turn();
    expect(closed.now).toBe("pending");
    settle[0]?.();
    await turn();
    expect([closed.now, store.executionKeys()]).toEqual(["done", [1]]);
  });
});

describe("a crash", () => {
  it("leaves whole batches that had settled and nothing of the others, whatever settles later", async () => {
    const settle: (() => void)[] = [];
    const store = new MemoryStore({ settle: (f) => settle.push(f) });
    void put(store, 1);
    settle[0]?.();
    await turn();
    const inFlight = outcome(put(store, 2));
    const next = store.crash();
    settle[1]?.();
    await turn();
    expect(next.executionKeys()).toEqual([1]);
    expect(await next.readDue(1, 100, undefined, 10)).toEqual([{ due: 1, key: 1 }]);
    await put(next, 2);
    expect(next.executionKeys()).toEqual([1, 2]);
    expect(inFlight.now).not.toBe("refused");
  });

  it("ends the old process: its later commits never settle and change nothing", async () => {
    const store = new MemoryStore();
    const next = store.crash();
    const late = outcome(put(store, 1));
    await turn();
    expect([late.now, next.executionKeys()]).toEqual(["pending", []]);
  });

  it("takes the faults of the new process, not those of the old", async () => {
    const store = new MemoryStore({ beforeCommit: () => "refused" });
    const next = store.crash();
    await put(next, 1);
    expect(next.executionKeys()).toEqual([1]);
    await expect(put(next.crash({ beforeCommit: () => "full" }), 2)).rejects.toMatchObject({ kind: "full" });
  });
});
