/**
 * The SQLite store. One connection writes, on the engine's thread while fsync is fast (measured at start), else on a writer
 * thread; a batch is one transaction. On the engine's thread that goes to the journal first, and to the tables later (journaled-writer.ts):
 * what is read is what is in the tables with what waits, or the tables once that is in them. Reads by key use the same connection,
 * which sees committed rows only: no transaction is open between two calls. List pages run on a reader thread of their own. Checkpoints
 * are off the commit path (checkpoints.ts).
 */
import { closeSync, existsSync, fdatasyncSync, mkdirSync, openSync, statSync, unlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type Database from "better-sqlite3";
import type { Logger } from "../../lib/runtime.js";
import type { BacklogKey, Batch, ComponentId } from "../batch.js";
import { type HistoryBatch, KEYED_KIND_MIN, type LoadedExecution, type NamespaceRun, type RunAddress, type Store, StoreFailure } from "../store.js";
import type { VisibilityReader } from "../visibility.js";
import { Checkpoints } from "./checkpoints.js";
import { chosen } from "./choice.js";
import { type Durability, isOwnPragma, openConnection } from "./connection.js";
import { JournaledWriter } from "./journaled-writer.js";
import { PendingRows } from "./pending-rows.js";
import { ReaderThread } from "./reader-thread.js";
import { migrate, SCHEMA_VERSION, schemaVersion } from "./schema.js";
import { SortTables } from "./sort-tables.js";
import { SqliteVisibilityReader } from "./visibility-reader.js";
import { syncLog } from "./write-ahead-log.js";
import { isFull, type WriteResult } from "./write-batch.js";
import { WriterThread } from "./writer-thread.js";

export interface SqliteStoreOptions {
  /** ":memory:" keeps nothing. */
  readonly file: string;
  readonly durability: Durability;
  /** `auto`: the engine's thread where an fsync usually takes under 2 ms. */
  readonly commitThread: "auto" | "engine" | "writer";
  readonly pragmas: readonly string[];
  readonly logger: Logger;
  /** The file can no longer be trusted: the process must end. */
  readonly onFatal: (error: Error) => void;
}

/** While fsync is fast, a thread of its own costs 20-25 % more CPU a workflow and gives 8 % more of them a second (docs/PERFORMANCE.md). */
const FSYNC_ENGINE_MS_MAX = 2;
const FSYNC_PROBES = 8;
const FREE_PAGES_PER_TURN = 64;
/** How long a batch stays in the journal alone when nothing needs the tables, and how long in the journal of a store at rest. */
const APPLY_MS = 500;
const EMPTY_MS = 2_000;

export class SqliteStore implements Store {
  readonly inFlightMax: number;
  readonly visibility: VisibilityReader;
  private readonly r: ReturnType<typeof readStatements>;
  private readonly readers: ReaderThread | undefined;
  private readonly checkpoints: Checkpoints | undefined;
  private readonly sorts: SortTables;
  private readonly pending: PendingRows;
  private commits = 0;
  private rows = 0;
  private isApplyPlanned = false;
  private hasNoRoom = false;
  /** Ends the plan of the moment. */
  private stopPlan = (): void => undefined;
  private failure: StoreFailure | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private commitsSinceCheck = 0;

  private constructor(
    private readonly options: SqliteStoreOptions,
    private readonly db: Database.Database,
    private readonly direct: JournaledWriter | undefined,
    private readonly thread: WriterThread | undefined,
  ) {
    this.pending = direct?.pending ?? new PendingRows();
    this.r = readStatements(db);
    this.inFlightMax = 2;
    this.readers = options.file === ":memory:" ? undefined : new ReaderThread(options);
    this.checkpoints = this.readers && new Checkpoints(db, options.file, this.readers, direct !== undefined);
    this.sorts = new SortTables({
      db,
      logger: options.logger,
      wrote: async () => this.checkpoints?.run(),
      now: () => performance.now(),
      later: (ms, f) => setTimeout(f, ms).unref(),
    });
    const here = async (sql: string, params: readonly unknown[]) => this.read(this.pending.hasVisibility, () => all(db, sql, params));
    const { readers } = this;
    if (readers === undefined) {
      this.visibility = new SqliteVisibilityReader(here, undefined, this.sorts);
      return;
    }
    this.visibility = new SqliteVisibilityReader(
      async (sql, params) => (this.isInTables(this.pending.hasVisibility) ? readers.query(sql, params) : here(sql, params)),
      async (choice) => {
        if (this.isInTables(this.pending.hasVisibility)) return readers.choose(choice);
        return this.read(true, () => {
          const { sql, params } = chosen(choice, all(db, choice.probe.sql, choice.probe.params)[0] ?? []);
          return all(db, sql, params);
        });
      },
      this.sorts,
    );
  }

  /** @throws SchemaError when the file is not ours to open. */
  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    if (options.file !== ":memory:") {
      mkdirSync(dirname(options.file), { recursive: true });
      if (options.durability === "full") syncLog(`${options.file}-wal`);
    }
    for (const pragma of options.pragmas.filter(isOwnPragma))
      options.logger.warn({ pragma }, "the store sets this pragma itself (see --durability); the one that was given is ignored");
    const db = openConnection(options);
    try {
      const version = schemaVersion(db, options.file);
      if (version < SCHEMA_VERSION) {
        if (version > 0) {
          const copy = `${options.file}.v${version}.bak`;
          await db.backup(copy);
          options.logger.info({ copy, from: version, to: SCHEMA_VERSION }, "file copied before its schema is changed");
        }
        migrate(db, version);
      }
    } catch (e) {
      db.close();
      throw e;
    }
    const onWriter =
      options.file !== ":memory:" &&
      (options.commitThread === "writer" ||
        (options.commitThread === "auto" && options.durability === "full" && usualFsyncMs(options) >= FSYNC_ENGINE_MS_MAX));
    const direct = new JournaledWriter(db, options.file !== ":memory:");
    const recovered = direct.recover();
    if (recovered > 0) options.logger.info({ batches: recovered }, "the journal of a server that was killed is in the tables");
    // What a full disk keeps in the journal, this thread has to bring into the tables; and nobody after it would empty the journal.
    if (onWriter && direct.pending.isEmpty && direct.empty() === undefined)
      return new SqliteStore(options, db, undefined, await WriterThread.start(options));
    const store = new SqliteStore(options, db, direct, undefined);
    store.planApply();
    return store;
  }

  async findRun(a: RunAddress): Promise<{ key: number; runId: string } | undefined> {
    const stored = () =>
      (a.runId === "" ? this.r.currentRun.get(a.namespaceKey, a.workflowId) : this.r.run.get(a.namespaceKey, a.workflowId, a.runId)) as
        | { key: number; runId: string }
        | undefined;
    const found = this.pending.findRun(a, stored);
    return found === "written first" ? this.read(true, stored) : found;
  }

  async listRuns(namespaceKey: number, workflowId: string, afterRunId: string, limit: number): Promise<{ key: number; runId: string }[]> {
    return this.read(this.pending.hasRuns, () => this.r.listRuns.all(namespaceKey, workflowId, afterRunId, limit)) as {
      key: number;
      runId: string;
    }[];
  }

  async listNamespaceRuns(namespaceKey: number, after: NamespaceRun | undefined, limit: number): Promise<NamespaceRun[]> {
    const from = [after?.workflowId ?? "", after?.runId ?? ""];
    return this.read(this.pending.hasRuns, () => this.r.namespaceRuns.all(namespaceKey, ...from, limit)) as NamespaceRun[];
  }

  async loadExecution(key: number): Promise<LoadedExecution | undefined> {
    return this.pending.loadExecution(
      key,
      () => (this.r.execution.get(key) as { record: Uint8Array } | undefined)?.record,
      () => this.r.live.all(key, KEYED_KIND_MIN) as LoadedExecution["live"],
    );
  }

  async loadComponent(key: number, kind: number, id: ComponentId): Promise<Uint8Array | undefined> {
    const here = this.pending.loadComponent(key, kind, id);
    return here === "stored" ? (this.r.component.get(key, kind, id) as { value: Uint8Array } | undefined)?.value : here;
  }

  async listComponents(key: number, kind: number, after: ComponentId | undefined, limit: number): Promise<{ id: ComponentId; value: Uint8Array }[]> {
    return this.read(this.pending.hasComponents(key), () =>
      after === undefined ? this.r.components.all(key, kind, limit) : this.r.componentsAfter.all(key, kind, after, limit),
    ) as { id: ComponentId; value: Uint8Array }[];
  }

  async readHistory(branch: number, fromEventId: number, endEventId: number, reverse: boolean, bytesMax: number): Promise<HistoryBatch[]> {
    return this.read(this.pending.hasBranch(branch), () => {
      const out: HistoryBatch[] = [];
      let bytes = 0;
      const statement = reverse ? this.r.historyReverse : this.r.history;
      for (const row of statement.iterate({ branch, from: fromEventId, end: endEventId }) as IterableIterator<HistoryBatch>) {
        out.push(row);
        bytes += row.data.length;
        if (bytes >= bytesMax) break;
      }
      return out;
    });
  }

  async readForks(parentBranch: number): Promise<{ childBranch: number; endEventId: number }[]> {
    return this.read(this.pending.hasForks, () => this.r.forks.all(parentBranch)) as { childBranch: number; endEventId: number }[];
  }

  async readDue(
    clock: number,
    until: number,
    after: { due: number; key: number } | undefined,
    limit: number,
  ): Promise<{ due: number; key: number }[]> {
    const from = [after?.due ?? -1, after?.key ?? -1];
    return this.read(this.pending.hasDues, () => this.r.due.all(clock, until, ...from, limit)) as { due: number; key: number }[];
  }

  async nextDue(clock: number): Promise<number | undefined> {
    return (this.read(this.pending.hasDues, () => this.r.nextDue.get(clock)) as { due: number } | undefined)?.due;
  }

  async readBacklog(queue: number, after: BacklogKey | undefined, limit: number): Promise<{ at: BacklogKey; value: Uint8Array }[]> {
    const from = [after?.priority ?? -1, after?.pass ?? -1, after?.id ?? -1];
    const rows = this.read(this.pending.hasBacklog(queue), () => this.r.backlog.all(queue, ...from, limit)) as {
      priority: number;
      pass: number;
      id: number;
      value: Uint8Array;
    }[];
    return rows.map((row) => ({ at: { queue, priority: row.priority, pass: row.pass, id: row.id }, value: row.value }));
  }

  async countBacklog(queue: number): Promise<number> {
    return (this.read(this.pending.hasBacklog(queue), () => this.r.countBacklog.get(queue)) as { n: number }).n;
  }

  async loadRegistry(): Promise<{ kind: string; id: string; version: number; value: Uint8Array }[]> {
    return this.read(this.pending.hasRegistry, () => this.r.registry.all()) as { kind: string; id: string; version: number; value: Uint8Array }[];
  }

  commit(batch: Batch): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.commits++;
    this.rows += batch.rowCount;
    if (this.thread !== undefined) {
      const settled = this.thread.commit(batch).then((failed) => this.settle(failed));
      this.last = settled.catch(() => undefined);
      return settled;
    }
    try {
      this.settle(this.direct?.write(batch));
      this.planApply();
      return Promise.resolve();
    } catch (e) {
      return Promise.reject(e);
    }
  }

  /** What `f` finds in the tables; if `isNeeded`, with what is in the journal. @throws StoreFailure */
  private read<T>(isNeeded: boolean, f: () => T): T {
    return this.isInTables(isNeeded) ? f() : (this.direct as JournaledWriter).readAsApplied(f);
  }

  /** Brings what is in the journal into the tables, if `isNeeded`. False: the disk has no room for it. @throws StoreFailure */
  private isInTables(isNeeded: boolean): boolean {
    if (!isNeeded || this.failure !== undefined) return true;
    const result = this.direct?.apply();
    if (result !== undefined && isFull(result.failed)) {
      this.noteRoom(result);
      return false;
    }
    this.settle(result);
    return true;
  }

  /**
   * What is in the journal does not stay there, even if nothing more comes: first it comes to the tables, then it goes. Tried again
   * and again while the disk is full.
   */
  private planApply(): void {
    if (this.isApplyPlanned || this.pending.isEmpty) return;
    this.isApplyPlanned = true;
    this.stopPlan();
    this.stopPlan = this.later(APPLY_MS, () => {
      this.isApplyPlanned = false;
      if (this.tryOut(() => this.isInTables(true))) this.stopPlan = this.later(EMPTY_MS, () => this.tryOut(() => this.isEmptied()));
      else this.planApply();
    });
  }

  private isEmptied(): boolean {
    this.settle(this.direct?.empty());
    return true;
  }

  private later(ms: number, f: () => void): () => void {
    const timer = setTimeout(f, ms).unref();
    return () => clearTimeout(timer);
  }

  private tryOut(f: () => boolean): boolean {
    if (!this.db.open || this.failure !== undefined) return true;
    try {
      return f();
    } catch (e) {
      this.options.logger.warn({ err: e instanceof Error ? e.message : String(e) }, "the journal stays: the tables could not be written");
      return true;
    }
  }

  /** Says once that the disk is full, and once that it is not any more. */
  private noteRoom(result: WriteResult): void {
    const isFullNow = result !== undefined && isFull(result.failed);
    if (isFullNow === this.hasNoRoom || (result !== undefined && !isFullNow)) return;
    this.hasNoRoom = isFullNow;
    const { logger, file } = this.options;
    if (isFullNow) logger.error({ file }, "the disk is full: changes are refused until there is room");
    else logger.info({ file }, "the disk has room again");
  }

  private settle(result: WriteResult): void {
    this.noteRoom(result);
    if (result === undefined) {
      this.commitsSinceCheck++;
      return;
    }
    const failure = classify(result.failed, result.committing);
    if (failure.kind === "lost") {
      this.failure = failure;
      this.options.onFatal(failure);
    }
    throw failure;
  }

  async idle(): Promise<boolean> {
    if (this.failure !== undefined || this.checkpoints === undefined) return false;
    if (this.commitsSinceCheck === 0) return false;
    this.commitsSinceCheck = 0;
    await this.checkpoints.run();
    if (!this.db.open) return false;
    const free = this.db.pragma("freelist_count", { simple: true }) as number;
    if (free > FREE_PAGES_PER_TURN * 4) this.db.pragma(`incremental_vacuum(${FREE_PAGES_PER_TURN})`);
    return false;
  }

  private walBytes(): number {
    try {
      return statSync(`${this.options.file}-wal`).size;
    } catch {
      return 0;
    }
  }

  statistics(): { commits: number; rows: number; fsyncs: number; walBytes: number; fileBytes: number } {
    const fileBytes = this.options.file !== ":memory:" && existsSync(this.options.file) ? statSync(this.options.file).size : 0;
    return {
      commits: this.commits,
      rows: this.rows,
      fsyncs: this.options.durability === "full" ? this.commits : 0,
      walBytes: this.walBytes(),
      fileBytes,
    };
  }

  /** On a full disk the log stays, and the next server reads it. */
  private checkpointAll(): void {
    try {
      this.db.pragma("wal_checkpoint(TRUNCATE)");
    } catch (e) {
      if (!isFull(e)) throw e;
    }
  }

  /** A consistent copy of the file, while the server runs. */
  async backup(file: string): Promise<void> {
    // What a full disk keeps in the journal is in the copy's journal too.
    this.isInTables(true);
    await this.db.backup(file);
  }

  async close(): Promise<void> {
    this.sorts.close();
    await this.last;
    await this.thread?.close();
    await this.readers?.close();
    if (this.db.open) {
      this.stopPlan();
      this.tryOut(() => this.isEmptied());
      if (this.options.file !== ":memory:" && this.failure === undefined) this.checkpointAll();
      this.db.close();
    }
  }
}

/** Of a connection, for few: each statement is prepared anew. */
const all = (db: Database.Database, sql: string, params: readonly unknown[]): unknown[][] =>
  db
    .prepare(sql)
    .raw()
    .all(...params) as unknown[][];

function classify(e: unknown, committing: boolean): StoreFailure {
  const code = (e as { code?: string }).code ?? "";
  const message = e instanceof Error ? e.message : String(e);
  if (isFull(e)) return new StoreFailure("full", message, { cause: e });
  if (committing || code.startsWith("SQLITE_IOERR") || code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB")
    return new StoreFailure("lost", message, { cause: e });
  return new StoreFailure("refused", message, { cause: e });
}

/** What a commit waits for on this disk: the lower quartile, as what else the machine does at this moment passes. 0 on a full disk. */
function usualFsyncMs(options: SqliteStoreOptions): number {
  const file = join(dirname(options.file), `.fsync-probe-${process.pid}`);
  const fd = openSync(file, "w");
  try {
    const times: number[] = [];
    for (let i = 0; i < FSYNC_PROBES; i++) {
      writeSync(fd, Buffer.alloc(4096, i));
      const begin = process.hrtime.bigint();
      fdatasyncSync(fd);
      times.push(Number(process.hrtime.bigint() - begin) / 1e6);
    }
    times.sort((a, b) => a - b);
    const usual = times[FSYNC_PROBES >> 2] ?? 0;
    options.logger.debug({ fsyncMs: usual }, "fsync measured");
    return usual;
  } catch (e) {
    if (isFull(e)) return 0;
    throw e;
  } finally {
    closeSync(fd);
    unlinkSync(file);
  }
}

function readStatements(db: Database.Database) {
  return {
    currentRun: db.prepare("SELECT key, run_id AS runId FROM run WHERE namespace = ? AND workflow_id = ? ORDER BY run_id DESC LIMIT 1"),
    run: db.prepare("SELECT key, run_id AS runId FROM run WHERE namespace = ? AND workflow_id = ? AND run_id = ?"),
    namespaceRuns: db.prepare(
      "SELECT workflow_id AS workflowId, run_id AS runId FROM run WHERE namespace = ? AND (workflow_id, run_id) > (?, ?) ORDER BY workflow_id, run_id LIMIT ?",
    ),
    listRuns: db.prepare("SELECT key, run_id AS runId FROM run WHERE namespace = ? AND workflow_id = ? AND run_id > ? ORDER BY run_id LIMIT ?"),
    execution: db.prepare("SELECT record FROM execution WHERE key = ?"),
    live: db.prepare("SELECT kind, id, record AS value FROM component WHERE key = ? AND kind < ? ORDER BY kind, id"),
    component: db.prepare("SELECT record AS value FROM component WHERE key = ? AND kind = ? AND id = ?"),
    components: db.prepare("SELECT id, record AS value FROM component WHERE key = ? AND kind = ? ORDER BY id LIMIT ?"),
    componentsAfter: db.prepare("SELECT id, record AS value FROM component WHERE key = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?"),
    // The batch that holds the first event may begin before it.
    history: db.prepare(`SELECT branch, first_event_id AS firstEventId, data FROM history WHERE branch = $branch AND first_event_id < $end
      AND first_event_id >= coalesce((SELECT max(first_event_id) FROM history WHERE branch = $branch AND first_event_id <= $from), $from) ORDER BY first_event_id`),
    historyReverse: db.prepare(`SELECT branch, first_event_id AS firstEventId, data FROM history WHERE branch = $branch AND first_event_id < $end
      AND first_event_id >= coalesce((SELECT max(first_event_id) FROM history WHERE branch = $branch AND first_event_id <= $from), $from) ORDER BY first_event_id DESC`),
    forks: db.prepare("SELECT child AS childBranch, end_event_id AS endEventId FROM fork WHERE parent = ? ORDER BY child"),
    due: db.prepare("SELECT due, key FROM due WHERE clock = ? AND due <= ? AND (due, key) > (?, ?) ORDER BY due, key LIMIT ?"),
    nextDue: db.prepare("SELECT due FROM due WHERE clock = ? ORDER BY due LIMIT 1"),
    backlog: db.prepare(
      "SELECT priority, pass, id, record AS value FROM backlog WHERE queue = ? AND (priority, pass, id) > (?, ?, ?) ORDER BY priority, pass, id LIMIT ?",
    ),
    countBacklog: db.prepare("SELECT count(*) AS n FROM backlog WHERE queue = ?"),
    registry: db.prepare("SELECT kind, id, version, record AS value FROM registry ORDER BY kind, id"),
  };
}
