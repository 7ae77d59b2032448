/**
 * What every store must do, as one suite. `store.test.ts` runs it on memory, a SQLite file, SQLite in memory and SQLite with its
 * writer thread; a store on a network runs it unchanged. It knows the interface only: what a kind has beyond it (files, faults)
 * is tested beside that kind.
 */
import { expect, it, onTestFinished } from "vitest";
import { Batch, type ComponentId } from "./batch.js";
import { KEYED_KIND_MIN, type Store, StoreFailure } from "./store.js";
import type { VisibilityRow } from "./visibility.js";

/**
 * A store kind under test. `open` answers an empty store that refuses batches with a registry row of kind REFUSED_KIND, if the
 * rows of a test's own making (a second insert of the same row) do not make it refuse them. `reopen` opens what a closed store left.
 */
export interface StoreKind {
  readonly name: string;
  readonly open: () => Promise<{ store: Store; reopen?: () => Promise<Store> }>;
}

export const REFUSED_KIND = "refused";

export const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : Buffer.from(value).toString());

/** A batch filled by `fill`. */
export function batchOf(fill: (b: Batch) => void): Batch {
  const b = new Batch();
  fill(b);
  return b;
}

export const write = (store: Store, fill: (b: Batch) => void): Promise<void> => store.commit(batchOf(fill));

export function visibilityRow(key: number, change: Partial<VisibilityRow> = {}): VisibilityRow {
  const none = new Uint8Array(0);
  return {
    key,
    namespaceKey: 1,
    workflowId: `w${key}`,
    runId: `r${key}`,
    workflowType: "type",
    taskQueue: "queue",
    status: 1,
    startTime: 1_000 * key,
    executionTime: 1_000 * key,
    closeTime: 0,
    historyLength: 0,
    historySizeBytes: 0,
    stateTransitionCount: 0,
    parentWorkflowId: "",
    parentRunId: "",
    rootWorkflowId: `w${key}`,
    rootRunId: `r${key}`,
    memo: none,
    searchAttributes: none,
    attributes: [],
    ...change,
  };
}

async function listed(store: Store): Promise<{ key: number; status: number }[]> {
  const page = await store.visibility.list({ namespaceKey: 1, filter: undefined, orderBy: [] }, 100, undefined);
  return page.rows.map(({ key, status }) => ({ key, status })).sort((a, b) => a.key - b.key);
}

/** One row of every table, all under `key`. */
function fillEverywhere(b: Batch, key: number): void {
  b.putExecution(key, 7, bytes("record"), true);
  b.insertRun({ namespaceKey: 1, workflowId: `w${key}`, runId: "r1", key });
  b.writeComponent(key, 1, 1, { op: "insert", value: bytes("live") });
  b.writeComponent(key, KEYED_KIND_MIN, "id", { op: "insert", value: bytes("keyed") });
  b.appendHistory(key, 1, bytes("events"));
  b.forks.push({ parentBranch: key, childBranch: key + 1, endEventId: 4 });
  b.insertDue(key, 100, key);
  b.writeBacklog({ queue: key, priority: 3, pass: 0, id: 1 }, { op: "insert", value: bytes("task") });
  b.putVisibility(visibilityRow(key), true);
  b.writeRegistry("kind", `${key}`, 1, { op: "insert", value: bytes("registered") });
}

/** What is left of fillEverywhere(key). */
async function everywhere(store: Store, key: number): Promise<unknown[]> {
  const execution = await store.loadExecution(key);
  return [
    text(execution?.record),
    execution?.live.map((c) => text(c.value)),
    (await store.findRun({ namespaceKey: 1, workflowId: `w${key}`, runId: "" }))?.key,
    text(await store.loadComponent(key, KEYED_KIND_MIN, "id")),
    (await store.readHistory(key, 1, 100, false, 1000)).map((h) => text(h.data)),
    (await store.readForks(key)).map((f) => f.endEventId),
    await store.nextDue(key),
    await store.countBacklog(key),
    (await listed(store)).filter((r) => r.key === key).length,
    (await store.loadRegistry()).filter((r) => r.id === `${key}`).map((r) => text(r.value)),
  ];
}

const EVERYTHING = ["record", ["live"], "key", "keyed", ["events"], [4], 100, 1, 1, ["registered"]];
const everythingOf = (key: number): unknown[] => EVERYTHING.map((v) => (v === "key" ? key : v));
const NOTHING = [undefined, undefined, undefined, undefined, [], [], undefined, 0, 0, []];

export function storeContract(kind: StoreKind): void {
  async function opened(): Promise<{ store: Store; reopen?: () => Promise<Store> }> {
    const o = await kind.open();
    let current = o.store;
    onTestFinished(() => current.close());
    const { reopen } = o;
    if (reopen === undefined) return { store: o.store };
    return {
      store: o.store,
      reopen: async () => {
        await current.close();
        current = await reopen();
        return current;
      },
    };
  }
  const open = async (): Promise<Store> => (await opened()).store;

  it("a new store is empty", async () => {
    expect(await everywhere(await open(), 1)).toEqual(NOTHING);
  });

  it("a batch writes every table, and deletes bring the store back to nothing", async () => {
    const store = await open();
    await write(store, (b) => fillEverywhere(b, 1));
    await write(store, (b) => fillEverywhere(b, 2));
    expect(await everywhere(store, 1)).toEqual(everythingOf(1));
    await write(store, (b) => {
      b.deleteExecution(1, 7);
      b.deleteRun({ namespaceKey: 1, workflowId: "w1", runId: "r1", key: 1 });
      b.componentPurges.push(1);
      b.historyDeletes.push({ branch: 1, fromEventId: 1, endEventId: 2 });
      b.forkDeletes.push({ parentBranch: 1, childBranch: 2 });
      b.deleteDue(1, 100, 1);
      b.writeBacklog({ queue: 1, priority: 3, pass: 0, id: 1 }, { op: "delete" });
      b.deleteVisibility(1, 1);
      b.writeRegistry("kind", "1", 1, { op: "delete" });
    });
    expect(await everywhere(store, 1)).toEqual(NOTHING);
    expect(await everywhere(store, 2)).toEqual(everythingOf(2));
  });

  it("deletes of rows that are not there are no error", async () => {
    const store = await open();
    await write(store, (b) => {
      b.deleteDue(1, 2, 3);
      b.deleteVisibility(9, 1);
      b.componentPurges.push(9);
      b.writeComponent(9, 1, 1, { op: "delete" });
      b.writeBacklog({ queue: 1, priority: 1, pass: 0, id: 1 }, { op: "delete" });
      b.historyDeletes.push({ branch: 9, fromEventId: 1, endEventId: 9 });
    });
    expect(await everywhere(store, 9)).toEqual(NOTHING);
  });

  it("an empty batch and a batch whose rows annihilated each other are committed like any other", async () => {
    const store = await open();
    await write(store, () => undefined);
    await write(store, (b) => {
      fillEverywhere(b, 1);
      b.deleteExecution(1, 7);
      b.writeComponent(1, 1, 1, { op: "delete" });
      b.deleteDue(1, 100, 1);
      b.deleteVisibility(1, 1);
    });
    const [record, , , keyed, , , due, , visible] = await everywhere(store, 1);
    expect([record, keyed, due, visible]).toEqual([undefined, "keyed", undefined, 0]);
  });

  describeRefusals(open);

  it("the current run is the one with the greatest run id, and a deleted run uncovers the one before", async () => {
    const store = await open();
    const run = (runId: string, key: number, workflowId = "w", namespaceKey = 1) => ({ namespaceKey, workflowId, runId, key });
    await write(store, (b) => {
      for (const r of [run("r1", 1), run("r3", 3), run("r2", 2), run("r9", 9, "w2"), run("r9", 8, "w", 2)]) b.insertRun(r);
    });
    const find = (runId: string, workflowId = "w") => store.findRun({ namespaceKey: 1, workflowId, runId });
    expect(await find("")).toEqual({ key: 3, runId: "r3" });
    expect(await find("r1")).toEqual({ key: 1, runId: "r1" });
    expect(await find("r9")).toBeUndefined();
    expect(await find("", "W")).toBeUndefined();
    await write(store, (b) => b.deleteRun(run("r3", 3)));
    expect(await find("")).toEqual({ key: 2, runId: "r2" });
    expect(await store.listRuns(1, "w", "", 10)).toEqual([
      { key: 1, runId: "r1" },
      { key: 2, runId: "r2" },
    ]);
    expect(await store.listRuns(1, "w", "", 1)).toEqual([{ key: 1, runId: "r1" }]);
    expect(await store.listRuns(1, "w", "r1", 10)).toEqual([{ key: 2, runId: "r2" }]);
    expect(await store.listRuns(1, "none", "", 10)).toEqual([]);
  });

  it("the runs of a namespace are listed by workflow id and run id, a page at a time, and no other namespace's", async () => {
    const store = await open();
    const all: { workflowId: string; runId: string }[] = [];
    await write(store, (b) => {
      let key = 1;
      for (const [namespaceKey, workflowId, runId] of [
        [1, "a", "r2"],
        [1, "a", "r1"],
        [1, "b/c", "r1"],
        [1, "é", "r0"],
        [2, "a", "r9"],
        [11, "a", "r8"],
      ] as const)
        b.insertRun({ namespaceKey, workflowId, runId, key: key++ });
    });
    for (let after: (typeof all)[number] | undefined; ; after = all.at(-1)) {
      const page = await store.listNamespaceRuns(1, after, 2);
      all.push(...page);
      if (page.length < 2) break;
    }
    expect(all.map((r) => `${r.workflowId} ${r.runId}`)).toEqual(["a r1", "a r2", "b/c r1", "é r0"]);
  });

  it("an execution loads with its live components in order of kind and id, without the keyed ones", async () => {
    const store = await open();
    await write(store, (b) => {
      b.putExecution(1, 7, bytes("a"), true);
      const put = (kindOf: number, id: ComponentId) => b.writeComponent(1, kindOf, id, { op: "insert", value: bytes(`${kindOf}/${id}`) });
      for (const id of [100, 9, 20, "x"]) put(2, id);
      put(KEYED_KIND_MIN - 1, 5);
      put(1, 7);
      put(KEYED_KIND_MIN, 1);
      b.writeComponent(2, 1, 1, { op: "insert", value: bytes("another's") });
    });
    const loaded = await store.loadExecution(1);
    expect(loaded?.key).toBe(1);
    expect(loaded?.live.map((c) => [c.kind, c.id, text(c.value)])).toEqual([
      [1, 7, "1/7"],
      [2, 9, "2/9"],
      [2, 20, "2/20"],
      [2, 100, "2/100"],
      [2, "x", "2/x"],
      [KEYED_KIND_MIN - 1, 5, `${KEYED_KIND_MIN - 1}/5`],
    ]);
    await write(store, (b) => b.putExecution(1, 7, bytes("b"), false));
    expect(text((await store.loadExecution(1))?.record)).toBe("b");
    expect(await store.loadExecution(2)).toBeUndefined();
  });

  it("a number and its digits are two ids, and numbers up to 2^53 are kept exactly", async () => {
    const store = await open();
    const ids: ComponentId[] = [1, "1", 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER, "", "é\u0000z"];
    await write(store, (b) => {
      for (const id of ids) b.writeComponent(1, 70, id, { op: "insert", value: bytes(`${typeof id} ${id}`) });
    });
    for (const id of ids) expect(text(await store.loadComponent(1, 70, id))).toBe(`${typeof id} ${id}`);
    expect((await store.listComponents(1, 70, undefined, 100)).map((c) => c.id)).toEqual([
      1,
      2 ** 31,
      2 ** 32 + 1,
      Number.MAX_SAFE_INTEGER - 1,
      Number.MAX_SAFE_INTEGER,
      "",
      "1",
      "é\u0000z",
    ]);
  });

  it("values are kept byte for byte: empty ones, large ones and views into a larger buffer", async () => {
    const store = await open();
    const large = new Uint8Array(300_000).map((_, i) => i * 7);
    const view = large.subarray(1000, 1010);
    await write(store, (b) => {
      b.writeComponent(1, 1, 1, { op: "put", value: new Uint8Array(0) });
      b.writeComponent(1, 1, 2, { op: "put", value: large });
      b.writeComponent(1, 1, 3, { op: "put", value: view });
    });
    expect((await store.loadComponent(1, 1, 1))?.length).toBe(0);
    expect(Buffer.compare((await store.loadComponent(1, 1, 2)) as Uint8Array, large)).toBe(0);
    expect(Buffer.compare((await store.loadComponent(1, 1, 3)) as Uint8Array, view)).toBe(0);
  });

  it("keyed components are paged in order of id", async () => {
    const store = await open();
    await write(store, (b) => {
      for (const id of ["d", "a", 10, "c", 9, "b"]) b.writeComponent(1, 70, id, { op: "insert", value: bytes(String(id)) });
      b.writeComponent(1, 71, "other", { op: "insert", value: bytes("") });
    });
    const out: ComponentId[] = [];
    let after: ComponentId | undefined;
    for (;;) {
      const page = await store.listComponents(1, 70, after, 2);
      out.push(...page.map((c) => c.id));
      after = page.at(-1)?.id;
      if (after === undefined) break;
    }
    expect(out).toEqual([9, 10, "a", "b", "c", "d"]);
    expect(await store.loadComponent(1, 70, "e")).toBeUndefined();
  });

  it("a put writes over a row and writes one that is not there", async () => {
    const store = await open();
    const at = { queue: 1, priority: 3, pass: 0, id: 1 };
    for (const value of ["a", "b"]) {
      await write(store, (b) => {
        b.writeComponent(1, 1, 1, { op: "put", value: bytes(value) });
        b.writeBacklog(at, { op: "put", value: bytes(value) });
        b.writeRegistry("k", "i", value === "a" ? 1 : 2, { op: "put", value: bytes(value) });
        b.putVisibility(visibilityRow(1, { status: value === "a" ? 1 : 2 }), false);
      });
      expect(text(await store.loadComponent(1, 1, 1))).toBe(value);
      expect((await store.readBacklog(1, undefined, 10)).map((t) => [t.at, text(t.value)])).toEqual([[at, value]]);
      expect((await store.loadRegistry()).map((r) => ({ ...r, value: text(r.value) }))).toEqual([
        { kind: "k", id: "i", version: value === "a" ? 1 : 2, value },
      ]);
      expect(await listed(store)).toEqual([{ key: 1, status: value === "a" ? 1 : 2 }]);
    }
  });

  it("components that are written with a purge of their execution stay", async () => {
    const store = await open();
    await write(store, (b) => {
      b.writeComponent(1, 1, 1, { op: "insert", value: bytes("old") });
      b.writeComponent(1, 70, "x", { op: "insert", value: bytes("old") });
      b.writeComponent(2, 1, 1, { op: "insert", value: bytes("another's") });
    });
    await write(store, (b) => {
      b.writeComponent(1, 1, 1, { op: "put", value: bytes("new") });
      b.componentPurges.push(1);
    });
    expect(text(await store.loadComponent(1, 1, 1))).toBe("new");
    expect(await store.loadComponent(1, 70, "x")).toBeUndefined();
    expect(text(await store.loadComponent(2, 1, 1))).toBe("another's");
  });

  it("history is read from the batch that holds the first event wanted to the last one, forwards and backwards", async () => {
    const store = await open();
    await write(store, (b) => {
      for (const first of [1, 3, 4, 10]) b.appendHistory(5, first, bytes(`0123456789 ${first}`));
      b.appendHistory(6, 2, bytes("another branch"));
    });
    const read = async (from: number, end: number, isReverse: boolean, bytesMax = 1 << 20) =>
      (await store.readHistory(5, from, end, isReverse, bytesMax)).map((h) => h.firstEventId);
    expect(await read(1, 100, false)).toEqual([1, 3, 4, 10]);
    expect(await read(1, 100, true)).toEqual([10, 4, 3, 1]);
    expect(await read(2, 100, false)).toEqual([1, 3, 4, 10]);
    expect(await read(3, 10, false)).toEqual([3, 4]);
    expect(await read(3, 11, true)).toEqual([10, 4, 3]);
    expect(await read(7, 10, true)).toEqual([4]);
    expect(await read(7, 8, false)).toEqual([4]);
    expect(await read(50, 60, false)).toEqual([10]);
    expect(await read(1, 1, false)).toEqual([]);
    expect((await store.readHistory(5, 4, 5, false, 100)).map((h) => ({ ...h, data: text(h.data) }))).toEqual([
      { branch: 5, firstEventId: 4, data: "0123456789 4" },
    ]);
    expect(await store.readHistory(7, 1, 100, false, 100)).toEqual([]);
  });

  it("a history read stops once it has the bytes asked for, with one batch at least", async () => {
    const store = await open();
    await write(store, (b) => {
      for (const first of [1, 2, 3, 4]) b.appendHistory(5, first, new Uint8Array(100));
    });
    const read = async (bytesMax: number, isReverse: boolean) => (await store.readHistory(5, 1, 100, isReverse, bytesMax)).map((h) => h.firstEventId);
    expect(await read(0, false)).toEqual([1]);
    expect(await read(100, false)).toEqual([1]);
    expect(await read(101, false)).toEqual([1, 2]);
    expect(await read(250, true)).toEqual([4, 3, 2]);
    // A read that was cut short leaves the statement free for the next one and for a commit.
    await write(store, (b) => b.appendHistory(5, 5, bytes("next")));
    expect(await read(1000, false)).toEqual([1, 2, 3, 4, 5]);
  });

  it("a range of a branch is deleted by the first event of its batches, and the rest of it stays", async () => {
    const store = await open();
    await write(store, (b) => {
      for (const first of [1, 3, 5, 7]) for (const branch of [5, 6]) b.appendHistory(branch, first, bytes("x"));
    });
    await write(store, (b) => b.historyDeletes.push({ branch: 5, fromEventId: 2, endEventId: 7 }));
    expect((await store.readHistory(5, 1, 100, false, 1000)).map((h) => h.firstEventId)).toEqual([1, 7]);
    expect((await store.readHistory(6, 1, 100, false, 1000)).map((h) => h.firstEventId)).toEqual([1, 3, 5, 7]);
    await write(store, (b) => b.historyDeletes.push({ branch: 5, fromEventId: 1, endEventId: 8 }));
    expect(await store.readHistory(5, 1, 100, false, 1000)).toEqual([]);
  });

  it("forks are kept by parent, in order of the child, until each is deleted", async () => {
    const store = await open();
    await write(store, (b) => {
      b.forks.push({ parentBranch: 1, childBranch: 9, endEventId: 4 }, { parentBranch: 1, childBranch: 3, endEventId: 8 });
      b.forks.push({ parentBranch: 2, childBranch: 4, endEventId: 2 });
    });
    expect(await store.readForks(1)).toEqual([
      { childBranch: 3, endEventId: 8 },
      { childBranch: 9, endEventId: 4 },
    ]);
    await write(store, (b) => b.forkDeletes.push({ parentBranch: 1, childBranch: 3 }));
    expect(await store.readForks(1)).toEqual([{ childBranch: 9, endEventId: 4 }]);
    expect(await store.readForks(2)).toEqual([{ childBranch: 4, endEventId: 2 }]);
  });

  it("due rows of a clock come in order of time, then key, up to and with the time asked for", async () => {
    const store = await open();
    const far = 4_102_444_800_000_000;
    await write(store, (b) => {
      for (const [due, key] of [
        [30, 1],
        [10, 2],
        [10, 1],
        [far, 4],
        [20, 1],
      ] as const)
        b.insertDue(1, due, key);
      b.insertDue(2, 5, 1);
    });
    const read = async (until: number, after?: { due: number; key: number }, limit = 100) =>
      (await store.readDue(1, until, after, limit)).map((d) => `${d.due}/${d.key}`);
    expect(await read(30)).toEqual(["10/1", "10/2", "20/1", "30/1"]);
    expect(await read(29)).toEqual(["10/1", "10/2", "20/1"]);
    expect(await read(9)).toEqual([]);
    expect(await read(far)).toHaveLength(5);
    expect(await read(far - 1)).toHaveLength(4);
    expect(await read(30, { due: 10, key: 1 }, 2)).toEqual(["10/2", "20/1"]);
    expect(await read(30, { due: 15, key: 0 })).toEqual(["20/1", "30/1"]);
    expect(await store.nextDue(1)).toBe(10);
    expect(await store.nextDue(3)).toBeUndefined();
    await write(store, (b) => {
      b.deleteDue(1, 10, 1);
      b.deleteDue(1, 10, 2);
      b.deleteDue(1, 20, 1);
      b.deleteDue(1, 30, 1);
    });
    expect(await store.nextDue(1)).toBe(far);
    expect(await store.nextDue(2)).toBe(5);
  });

  it("a due row that is moved in one batch is there once", async () => {
    const store = await open();
    await write(store, (b) => b.insertDue(1, 10, 1));
    await write(store, (b) => {
      b.deleteDue(1, 10, 1);
      b.insertDue(1, 20, 1);
      b.deleteDue(1, 20, 1);
      b.insertDue(1, 10, 1);
    });
    expect(await store.readDue(1, 100, undefined, 10)).toEqual([{ due: 10, key: 1 }]);
  });

  it("a backlog comes in order of priority, pass and id, page after page", async () => {
    const store = await open();
    const tasks = [
      [5, 0, 1],
      [1, 2, 4],
      [1, 0, 9],
      [3, 0, 2 ** 40],
      [1, 2, 3],
      [3, 0, 7],
    ] as const;
    await write(store, (b) => {
      for (const [priority, pass, id] of tasks) b.writeBacklog({ queue: 1, priority, pass, id }, { op: "insert", value: bytes(`${id}`) });
      b.writeBacklog({ queue: 2, priority: 1, pass: 0, id: 1 }, { op: "insert", value: bytes("another's") });
    });
    const all = await store.readBacklog(1, undefined, 100);
    expect(all.map(({ at }) => [at.priority, at.pass, at.id])).toEqual([
      [1, 0, 9],
      [1, 2, 3],
      [1, 2, 4],
      [3, 0, 7],
      [3, 0, 2 ** 40],
      [5, 0, 1],
    ]);
    expect(all.map((t) => t.at.queue)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(text(all[4]?.value)).toBe(`${2 ** 40}`);
    const paged = [];
    for (let page = await store.readBacklog(1, undefined, 2); page.length > 0; page = await store.readBacklog(1, page.at(-1)?.at, 2))
      paged.push(...page);
    expect(paged.map((t) => t.at)).toEqual(all.map((t) => t.at));
    expect((await store.readBacklog(1, { queue: 1, priority: 2, pass: 5, id: 5 }, 1)).map((t) => t.at.id)).toEqual([7]);
    expect([await store.countBacklog(1), await store.countBacklog(2), await store.countBacklog(3)]).toEqual([6, 1, 0]);
  });

  it("the registry is one list, by kind and id", async () => {
    const store = await open();
    await write(store, (b) => {
      for (const [kindOf, id] of [
        ["b", "1"],
        ["a", "2"],
        ["a", "10"],
      ] as const)
        b.writeRegistry(kindOf, id, 3, { op: "insert", value: bytes(id) });
    });
    expect((await store.loadRegistry()).map((r) => [r.kind, r.id, r.version, text(r.value)])).toEqual([
      ["a", "10", 3, "10"],
      ["a", "2", 3, "2"],
      ["b", "1", 3, "1"],
    ]);
  });

  it("a list sees what is committed when it is asked, and agrees with the state", async () => {
    const store = await open();
    for (let key = 1; key <= 5; key++) {
      await write(store, (b) => b.putVisibility(visibilityRow(key), true));
      expect(await listed(store)).toHaveLength(key);
    }
    await write(store, (b) => b.putVisibility(visibilityRow(2, { status: 2, closeTime: 9_000 }), false));
    expect((await listed(store))[1]).toEqual({ key: 2, status: 2 });
    await write(store, (b) => b.deleteVisibility(2, 1));
    expect((await listed(store)).map((r) => r.key)).toEqual([1, 3, 4, 5]);
  });

  it("batches settle in the order of the calls", async () => {
    const store = await open();
    const order: number[] = [];
    for (let round = 0; round < 20; round += store.inFlightMax) {
      const settled = [];
      for (let i = round; i < round + store.inFlightMax; i++)
        settled.push(write(store, (b) => b.putExecution(i + 1, 0, bytes("x"), true)).then(() => order.push(i)));
      await Promise.all(settled);
    }
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).toHaveLength(Math.ceil(20 / store.inFlightMax) * store.inFlightMax);
  });

  it("a batch may be dropped or refilled once its commit has settled, without changing what was written", async () => {
    const store = await open();
    const b = batchOf((x) => x.writeComponent(1, 1, 1, { op: "insert", value: bytes("a") }));
    await store.commit(b);
    b.writeComponent(1, 1, 2, { op: "insert", value: bytes("b") });
    expect(await store.loadComponent(1, 1, 2)).toBeUndefined();
  });

  it("statistics count commits and rows", async () => {
    const store = await open();
    const before = store.statistics();
    await write(store, (b) => fillEverywhere(b, 1));
    const after = store.statistics();
    expect(after.commits - before.commits).toBe(1);
    expect(after.rows - before.rows).toBe(10);
  });

  it("idle work changes nothing that is read", async () => {
    const store = await open();
    await write(store, (b) => fillEverywhere(b, 1));
    for (let turns = 0; turns < 100 && (await store.idle()); turns++);
    expect(await everywhere(store, 1)).toEqual(everythingOf(1));
  });

  it("what was committed, or in flight when the store was closed, is there when it is opened again", async () => {
    const { store, reopen } = await opened();
    if (reopen === undefined) return;
    await write(store, (b) => fillEverywhere(b, 1));
    const inFlight = write(store, (b) => fillEverywhere(b, 2));
    const again = await reopen();
    await inFlight;
    expect(await everywhere(again, 1)).toEqual(everythingOf(1));
    expect(await everywhere(again, 2)).toEqual(everythingOf(2));
  });
}

/** Batches that the store cannot write, each with one row that makes it so and rows of every table beside it. */
function describeRefusals(open: () => Promise<Store>): void {
  const poisons: readonly [name: string, fill: (b: Batch) => void][] = [
    ["execution", (b) => b.putExecution(1, 7, bytes("again"), true)],
    ["run", (b) => b.insertRun({ namespaceKey: 1, workflowId: "w1", runId: "r1", key: 1 })],
    ["component", (b) => b.writeComponent(1, 1, 1, { op: "insert", value: bytes("again") })],
    ["history batch", (b) => b.appendHistory(1, 1, bytes("again"))],
    ["visibility row", (b) => b.putVisibility(visibilityRow(1), true)],
  ];
  it.each(poisons)("a batch that inserts an existing %s is refused whole, and the store goes on", async (_, poison) => {
    const store = await open();
    await write(store, (b) => fillEverywhere(b, 1));
    const bad = batchOf((b) => {
      fillEverywhere(b, 2);
      poison(b);
      b.writeRegistry(REFUSED_KIND, "1", 1, { op: "insert", value: bytes("") });
    });
    const failure = await store.commit(bad).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(failure).toBeInstanceOf(StoreFailure);
    expect((failure as StoreFailure).kind).toBe("refused");
    expect(await everywhere(store, 1)).toEqual(everythingOf(1));
    expect(await everywhere(store, 2)).toEqual(NOTHING);
    await write(store, (b) => fillEverywhere(b, 2));
    expect(await everywhere(store, 2)).toEqual(everythingOf(2));
  });
}
