/**
 * The disk of a simulated server, and the store of one of its lives. A commit may be refused, find the disk full, be torn at any
 * row (SQLite: the statement of that row fails, and the transaction is rolled back), be written and reported as lost, wait with
 * later ones behind it, or be the last thing that the process does, before, within or after the write. Batches settle in order.
 * Reads answer at once or later. What was written is watched: visibility and due rows, by execution.
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Logger } from "../../src/lib/runtime.js";
import { Batch, type ComponentId } from "../../src/persistence/batch.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { SqliteStore } from "../../src/persistence/sqlite/store.js";
import { type Store, StoreFailure } from "../../src/persistence/store.js";
import type { VisibilityRow } from "../../src/persistence/visibility.js";
import { temporaryDirectory } from "../harness/server-process.js";

export type Verdict =
  | "ok"
  | "refused"
  | "full"
  | "torn"
  | "done but failed"
  | "died before the write"
  | "died within the write"
  | "died after the write";

export interface StoreFaults {
  verdict(): Verdict;
  isDelayed(): boolean;
  isReadDelayed(): boolean;
  /** A number below n. */
  pick(n: number): number;
  count(fault: string): void;
  /** The process that asked for the commit ends here. */
  onDeath(): void;
  /** A batch was written. */
  onWritten(batch: Batch): void;
}

/** What outlives the process. */
export class Disk {
  readonly visibility = new Map<number, VisibilityRow>();
  readonly dues = new Set<string>();
  private memory = new MemoryStore();
  private sqlite: SqliteStore | undefined;
  private readonly file: string | undefined;

  constructor(readonly isSqlite: boolean) {
    this.file = isSqlite ? join(temporaryDirectory(), "sim.db") : undefined;
  }

  get inner(): Store {
    return this.sqlite ?? this.memory;
  }

  /** What the next process finds. */
  async open(): Promise<void> {
    if (this.file === undefined) {
      this.memory = this.memory.crash();
      return;
    }
    const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    // Closed as a process that dies closes it: nothing is finished, and its thread goes with it.
    const dead = this.sqlite as unknown as { db: { close(): void }; readers?: { worker?: { terminate(): Promise<number> } } } | undefined;
    dead?.db.close();
    await dead?.readers?.worker?.terminate();
    this.sqlite = await SqliteStore.open({
      file: this.file,
      durability: "memory",
      commitThread: "engine",
      pragmas: [],
      logger: silent,
      onFatal: () => undefined,
    });
  }

  async executionKeys(): Promise<number[]> {
    if (this.sqlite === undefined) return this.memory.executionKeys();
    const { db, pending } = this.sqlite as unknown as {
      db: { prepare(sql: string): { all(): { key: number }[] } };
      pending: { rows: Batch };
    };
    const keys = new Set(
      db
        .prepare("SELECT key FROM execution")
        .all()
        .map((r) => r.key),
    );
    // What waits in the journal is there as well.
    for (const [key, { op }] of pending.rows.executions) {
      if (op === "delete") keys.delete(key);
      else keys.add(key);
    }
    return [...keys].sort((a, b) => a - b);
  }

  note(b: Batch): void {
    for (const [key, op] of b.visibility) {
      if (op.op === "delete") this.visibility.delete(key);
      else this.visibility.set(key, op.row);
    }
    for (const d of b.dues.values()) {
      if (d.op === "insert") this.dues.add(`${d.key}/${d.due}`);
      else this.dues.delete(`${d.key}/${d.due}`);
    }
  }

  async close(): Promise<void> {
    await this.sqlite?.close();
    if (this.file !== undefined) rmSync(dirname(this.file), { recursive: true, force: true });
  }
}

interface Waiting {
  readonly batch: Batch;
  readonly verdict: Verdict;
  readonly resolve: () => void;
  readonly reject: (e: Error) => void;
}

const NEVER = new Promise<never>(() => undefined);

/** One process's view of the disk. */
export class SimStore implements Store {
  readonly inFlightMax = 2;
  private readonly commits: Waiting[] = [];
  private readonly reads: (() => void)[] = [];
  private isDead = false;
  private isWriting = false;
  private settled = 0;

  constructor(
    private readonly disk: Disk,
    private readonly faults: StoreFaults,
  ) {}

  // --- Commits

  commit(batch: Batch): Promise<void> {
    if (this.isDead) return NEVER;
    return new Promise((resolve, reject) => {
      this.commits.push({ batch, verdict: this.faults.verdict(), resolve, reject });
      if (this.commits.length > 1) this.faults.count("delayed with a later batch queued");
      if (this.faults.isDelayed()) this.faults.count("delayed");
      else if (this.commits.length === 1) void this.settleNext();
    });
  }

  get hasPendingCommit(): boolean {
    return this.commits.length > 0 && !this.isWriting;
  }

  /** The oldest commit comes to its end. */
  async settleNext(): Promise<void> {
    if (this.isWriting || this.isDead) return;
    const next = this.commits[0];
    if (next === undefined) return;
    this.isWriting = true;
    await this.settle(next);
    this.commits.shift();
    this.isWriting = false;
  }

  private async settle({ batch, verdict, resolve, reject }: Waiting): Promise<void> {
    if (verdict !== "ok") this.faults.count(verdict);
    switch (verdict) {
      case "refused":
        return reject(new StoreFailure("refused", "the store refused the batch"));
      case "full":
        return reject(new StoreFailure("full", "the store is full"));
      case "torn":
        return this.tear(batch).then(resolve, reject);
      case "died before the write":
        return this.die();
      case "died within the write":
        await this.tear(batch).catch(() => undefined);
        return this.die();
      default:
    }
    try {
      await this.disk.inner.commit(batch);
    } catch (e) {
      return reject(e as Error);
    }
    if (this.isDead) return;
    this.settled++;
    this.disk.note(batch);
    this.faults.onWritten(batch);
    if (verdict === "ok") return resolve();
    if (verdict === "done but failed") return reject(new StoreFailure("lost", "the outcome of the commit is unknown"));
    this.die();
  }

  /** The transaction ends at some row of it, for good. */
  private tear(batch: Batch): Promise<void> {
    if (batch.rowCount === 0) return Promise.reject(new StoreFailure("refused", "torn"));
    // In memory a batch has no parts.
    if (!this.disk.isSqlite) return Promise.reject(new StoreFailure("refused", "torn"));
    return this.disk.inner.commit(tornAt(batch, this.faults.pick(batch.rowCount)));
  }

  die(): void {
    this.isDead = true;
    this.faults.onDeath();
  }

  /** Nothing of this process happens any more. */
  end(): void {
    this.isDead = true;
    this.commits.length = 0;
    this.reads.length = 0;
  }

  // --- Reads

  private async read<T>(f: () => Promise<T>): Promise<T> {
    if (this.isDead) return NEVER;
    const result = await f();
    if (this.isDead) return NEVER;
    if (!this.faults.isReadDelayed()) return result;
    this.faults.count("read delayed");
    return new Promise((resolve) => this.reads.push(() => resolve(result)));
  }

  get hasPendingRead(): boolean {
    return this.reads.length > 0;
  }

  answerRead(n: number): void {
    for (const f of this.reads.splice(n % Math.max(1, this.reads.length), 1)) f();
  }

  get visibility() {
    return this.disk.inner.visibility;
  }
  findRun(...a: Parameters<Store["findRun"]>) {
    return this.read(() => this.disk.inner.findRun(...a));
  }
  listNamespaceRuns(...a: Parameters<Store["listNamespaceRuns"]>) {
    return this.read(() => this.disk.inner.listNamespaceRuns(...a));
  }
  listRuns(...a: Parameters<Store["listRuns"]>) {
    return this.read(() => this.disk.inner.listRuns(...a));
  }
  loadExecution(key: number) {
    return this.read(() => this.disk.inner.loadExecution(key));
  }
  loadComponent(...a: Parameters<Store["loadComponent"]>) {
    return this.read(() => this.disk.inner.loadComponent(...a));
  }
  listComponents(...a: Parameters<Store["listComponents"]>) {
    return this.read(() => this.disk.inner.listComponents(...a));
  }
  readHistory(...a: Parameters<Store["readHistory"]>) {
    return this.read(() => this.disk.inner.readHistory(...a));
  }
  readForks(...a: Parameters<Store["readForks"]>) {
    return this.read(() => this.disk.inner.readForks(...a));
  }
  readDue(...a: Parameters<Store["readDue"]>) {
    return this.read(() => this.disk.inner.readDue(...a));
  }
  nextDue(clock: number) {
    return this.read(() => this.disk.inner.nextDue(clock));
  }
  readBacklog(...a: Parameters<Store["readBacklog"]>) {
    return this.read(() => this.disk.inner.readBacklog(...a));
  }
  countBacklog(queue: number) {
    return this.read(() => this.disk.inner.countBacklog(queue));
  }
  loadRegistry() {
    return this.disk.inner.loadRegistry();
  }
  async idle(): Promise<boolean> {
    return this.isDead ? false : this.disk.inner.idle();
  }
  statistics() {
    return { ...this.disk.inner.statistics(), commits: this.settled };
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The batch, of which only the first `rows` rows can be had. */
function tornAt(batch: Batch, rows: number): Batch {
  let left = rows;
  function* some<T>(items: Iterable<T>): Generator<T> {
    for (const item of items) {
      if (left-- <= 0) throw Object.assign(new Error("torn"), { code: "SQLITE_CONSTRAINT" });
      yield item;
    }
  }
  const list = <T>(items: readonly T[]): T[] => Object.assign([...items], { [Symbol.iterator]: () => some(items) });
  const map = <K, V>(items: ReadonlyMap<K, V>): Map<K, V> => {
    const values = function* (): Generator<V> {
      for (const [, v] of some(items)) yield v;
    };
    return Object.assign(new Map(items), { [Symbol.iterator]: () => some(items), values });
  };
  const out = new Batch();
  const components = new Map<number, Map<number, Map<ComponentId, never>>>();
  for (const [key, kinds] of batch.components) components.set(key, new Map([...kinds].map(([k, ids]) => [k, map(ids) as Map<ComponentId, never>])));
  const registry = new Map([...batch.registry].map(([kind, ids]) => [kind, map(ids)]));
  return Object.assign(out, {
    executions: map(batch.executions),
    runs: map(batch.runs),
    components,
    history: list(batch.history),
    historyDeletes: list(batch.historyDeletes),
    componentPurges: list(batch.componentPurges),
    forks: list(batch.forks),
    forkDeletes: list(batch.forkDeletes),
    dues: map(batch.dues),
    backlog: map(batch.backlog),
    visibility: map(batch.visibility),
    registry,
  });
}
