/** The contract on every kind of store, and the same random batches on all of them. */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { Random } from "../lib/random.js";
import { Batch, type ComponentId } from "./batch.js";
import { REFUSED_KIND, type StoreKind, storeContract, visibilityRow } from "./contract.js";
import { MemoryStore } from "./memory/store.js";
import { SqliteStore, type SqliteStoreOptions } from "./sqlite/store.js";
import { KEYED_KIND_MIN, type Store } from "./store.js";

const directory = mkdtempSync(join(tmpdir(), "perdure-store-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
let files = 0;

function sqliteKind(name: string, change: Partial<SqliteStoreOptions>): Kind {
  return {
    name,
    open: async () => {
      const options: SqliteStoreOptions = {
        file: join(directory, `${files++}.db`),
        durability: "normal",
        commitThread: "engine",
        pragmas: [],
        logger: silent,
        onFatal: (e) => {
          throw e;
        },
        ...change,
      };
      const store = await SqliteStore.open(options);
      if (options.file === ":memory:") return { store };
      const crashed = async () => {
        const file = join(directory, `${files++}.db`);
        for (const part of ["", "-wal"]) if (existsSync(options.file + part)) cpSync(options.file + part, file + part);
        return SqliteStore.open({ ...options, file });
      };
      return { store, reopen: () => SqliteStore.open(options), crashed };
    },
  };
}

/** `crashed`: what a server finds that starts on the file of one that was killed at this moment. */
type Opened = { store: Store; reopen?: () => Promise<Store>; crashed?: () => Promise<Store> };
type Kind = StoreKind & { readonly open: () => Promise<Opened> };

const KINDS: readonly Kind[] = [
  {
    name: "memory",
    open: async () => ({ store: new MemoryStore({ beforeCommit: (b) => (b.registry.has(REFUSED_KIND) ? "refused" : "ok") }) }),
  },
  sqliteKind("SQLite file", { durability: "full" }),
  sqliteKind("SQLite in memory", { file: ":memory:" }),
  sqliteKind("SQLite with its writer thread", { commitThread: "writer" }),
];

describe.each(KINDS)("$name", (kind) => storeContract(kind));

/** What a batch must not contradict: an insert is of a row that is not there. */
interface Known {
  readonly executions: Set<number>;
  readonly runs: Map<string, { namespaceKey: number; workflowId: string; runId: string; key: number }>;
  readonly components: Set<string>;
  readonly history: Set<string>;
  readonly visibility: Set<number>;
  nextRun: number;
}

const KEYS = 6;
const IDS: readonly ComponentId[] = [1, 2, 10, "1", "a", "b/c", 2 ** 40];
const KIND_NUMBERS = [1, 2, KEYED_KIND_MIN - 1, KEYED_KIND_MIN, 70];

function randomBatch(known: Known, r: (n: number) => number): Batch {
  const b = new Batch();
  const value = (): Uint8Array => new Uint8Array(r(20)).fill(r(256));
  const key = (): number => 1 + r(KEYS);
  const operations: (() => void)[] = [
    () => {
      const k = key();
      // Keys are never used again, so an execution that goes is not put back in the same batch.
      if (b.executions.get(k)?.op === "delete") return;
      b.putExecution(k, r(4), value(), !known.executions.has(k));
      known.executions.add(k);
    },
    () => {
      const k = key();
      if (known.executions.delete(k)) b.deleteExecution(k, 0);
    },
    () => {
      const run = { namespaceKey: 1 + r(2), workflowId: `w${r(3)}`, runId: `r${String(known.nextRun++).padStart(6, "0")}`, key: key() };
      known.runs.set(run.runId, run);
      b.insertRun(run);
    },
    () => {
      const run = [...known.runs.values()][r(known.runs.size || 1)];
      if (run === undefined) return;
      known.runs.delete(run.runId);
      b.deleteRun(run);
    },
    () => {
      const [k, kind, id] = [key(), KIND_NUMBERS[r(KIND_NUMBERS.length)] as number, IDS[r(IDS.length)] as ComponentId];
      const name = JSON.stringify([k, kind, id]);
      if (b.componentPurges.includes(k)) return;
      const isNew = !known.components.has(name);
      if (!isNew && r(3) === 0) {
        known.components.delete(name);
        b.writeComponent(k, kind, id, { op: "delete" });
        return;
      }
      known.components.add(name);
      b.writeComponent(k, kind, id, { op: isNew && r(2) === 0 ? "insert" : "put", value: value() });
    },
    () => {
      const k = key();
      if (r(4) !== 0 || b.components.has(k)) return;
      b.componentPurges.push(k);
      for (const name of [...known.components]) if ((JSON.parse(name) as number[])[0] === k) known.components.delete(name);
    },
    () => {
      const [branch, first] = [key(), 1 + r(12)];
      if (b.historyDeletes.length > 0 || known.history.has(`${branch}/${first}`)) return;
      known.history.add(`${branch}/${first}`);
      b.appendHistory(branch, first, value());
    },
    () => {
      const [branch, from] = [key(), 1 + r(12)];
      const end = from + r(6);
      if (r(3) !== 0) return;
      b.historyDeletes.push({ branch, fromEventId: from, endEventId: end });
      for (let first = from; first < end; first++) known.history.delete(`${branch}/${first}`);
    },
    () => b.forks.push({ parentBranch: key(), childBranch: key(), endEventId: r(20) }),
    () => b.forkDeletes.push({ parentBranch: key(), childBranch: key() }),
    () => b.insertDue(1 + r(2), r(8), key()),
    () => b.deleteDue(1 + r(2), r(8), key()),
    () => {
      const at = { queue: 1 + r(2), priority: 1 + r(3), pass: r(2), id: r(4) };
      b.writeBacklog(at, r(3) === 0 ? { op: "delete" } : { op: "put", value: value() });
    },
    () => b.writeRegistry(`k${r(3)}`, `i${r(3)}`, r(5), r(3) === 0 ? { op: "delete" } : { op: "put", value: value() }),
    () => {
      const k = key();
      const isNew = !known.visibility.has(k);
      if (!isNew && r(3) === 0) {
        known.visibility.delete(k);
        b.deleteVisibility(k, 1);
        return;
      }
      if (b.visibility.get(k)?.op === "delete") return;
      known.visibility.add(k);
      const isClosed = r(2) === 0;
      b.putVisibility(visibilityRow(k, { status: 1 + r(6), closeTime: isClosed ? 100_000 + r(100) : 0 }), isNew);
    },
  ];
  for (let n = r(14); n >= 0; n--) operations[r(operations.length)]?.();
  return b;
}

/** Every read, with positions and limits from `r`, as plain data. */
async function readings(store: Store, r: (n: number) => number): Promise<unknown> {
  const out: unknown[] = [];
  const limit = 1 + r(5);
  for (let key = 1; key <= KEYS; key++) {
    out.push(await store.loadExecution(key));
    for (const kind of KIND_NUMBERS) {
      const after = IDS[r(IDS.length + 3)];
      out.push(await store.listComponents(key, kind, after, limit), await store.loadComponent(key, kind, IDS[r(IDS.length)] as ComponentId));
    }
    for (const isReverse of [false, true]) out.push(await store.readHistory(key, r(14), r(18), isReverse, r(60)));
    out.push(await store.readForks(key));
  }
  for (const namespaceKey of [1, 2])
    for (const workflowId of ["w0", "w1", "w2"]) {
      out.push(await store.findRun({ namespaceKey, workflowId, runId: "" }));
      out.push(await store.listRuns(namespaceKey, workflowId, r(2) === 0 ? "" : `r${String(r(40)).padStart(6, "0")}`, limit));
    }
  for (const n of [1, 2]) {
    const after = r(2) === 0 ? undefined : { due: r(8), key: r(KEYS) };
    const at = r(2) === 0 ? undefined : { queue: n, priority: 1 + r(3), pass: r(2), id: r(4) };
    out.push(await store.nextDue(n), await store.readDue(n, r(10), after, limit));
    out.push(await store.countBacklog(n), await store.readBacklog(n, at, limit));
  }
  out.push(await store.loadRegistry());
  const all = { namespaceKey: 1, filter: undefined, orderBy: [] };
  out.push((await store.visibility.list(all, 100, undefined)).rows, await store.visibility.count(all));
  // Bytes are bytes, whatever class holds them.
  return JSON.parse(JSON.stringify(out, (_, v: unknown) => (v instanceof Uint8Array ? Buffer.from(v).toString("hex") : bufferText(v))));
}

/** A Buffer that already became its JSON form. */
function bufferText(v: unknown): unknown {
  const b = v as { type?: string; data?: number[] } | null;
  return b !== null && typeof b === "object" && b.type === "Buffer" && Array.isArray(b.data) ? Buffer.from(b.data).toString("hex") : v;
}

function random(seed: number): (n: number) => number {
  const source = new Random(seed);
  return (n) => source.uint32() % n;
}

/** Every kind of store, all given the same random batches, one after the other; `after` looks at them after each. */
async function commitEverywhere(seed: number, after: (stores: readonly (Opened & { name: string })[], i: number) => Promise<void>) {
  const stores = await Promise.all(KINDS.map(async (k): Promise<Opened & { name: string }> => ({ name: k.name, ...(await k.open()) })));
  onTestFinished(async () => {
    await Promise.all(stores.map((s) => s.store.close()));
  });
  const r = random(seed);
  const known: Known = { executions: new Set(), runs: new Map(), components: new Set(), history: new Set(), visibility: new Set(), nextRun: 0 };
  for (let i = 0; i < 60; i++) {
    const batch = randomBatch(known, r);
    await Promise.all(stores.map((s) => s.store.commit(batch)));
    await after(stores, i);
  }
  return stores;
}

async function expectEqual(stores: readonly (Opened & { name: string })[], seed: number, when: string): Promise<void> {
  const [expected, ...others] = await Promise.all(stores.map((s) => readings(s.store, random(seed))));
  for (const [n, reads] of others.entries()) expect(reads, `${stores[n + 1]?.name} ${when}`).toEqual(expected);
}

describe("every kind against memory", () => {
  it.each([1, 2, 3, 4])("random batches of seed %i give the same reads after each commit", async (seed) => {
    await commitEverywhere(seed, (stores, i) => expectEqual(stores, seed * 1000 + i, `after batch ${i}`));
  });

  it.each([5, 6, 7, 8])("random batches of seed %i that nobody reads in between are all there after a crash, and after a close", async (seed) => {
    const stores = await commitEverywhere(seed, async (all, i) => {
      if (i % 6 !== seed % 6) return;
      const [memory, ...others] = all;
      for (const { name, crashed } of others) {
        if (crashed === undefined || memory === undefined) continue;
        const store = await crashed();
        await expectEqual([memory, { name, store }], seed * 1000 + i, `that crashed after batch ${i}`);
        await store.close();
      }
    });
    for (const s of stores) {
      if (s.reopen === undefined) continue;
      await s.store.close();
      s.store = await s.reopen();
    }
    await expectEqual(stores, seed, "opened again");
  });
});
