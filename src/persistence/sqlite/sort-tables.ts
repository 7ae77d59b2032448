/**
 * Tables that keep the rows of lists in the order of one system field, for ORDER BY on fields that have no index of their own (run id,
 * history length, task queue, ...), or in that of several sort keys. Few sort by them, so a table is made when somebody does, and only
 * where there are so many rows that sorting them takes long: until then it costs nothing. Triggers keep it as rows come, change and go,
 * whichever thread writes them; the rows that were there before are copied in slices between other work, the last one marks the table as
 * whole, and lists use it from then on. One that nobody has used for a day goes: its triggers at once, its rows in slices. Each table
 * of several keys is one more to write, so there are a few at most: lists in further orders are sorted.
 *
 * In: what lists are sorted by (`tableFor`). Out: the name of a whole table. Progress is in table `meta`, so that a restart goes on.
 */
import type Database from "better-sqlite3";
import type { Logger } from "../../lib/runtime.js";
import { type Shape, shapeOf } from "./sort-order.js";

export interface SortTablesOptions {
  readonly db: Database.Database;
  readonly logger: Logger;
  /** Called after slices: the log may have grown. */
  readonly wrote: () => Promise<void>;
  /** Milliseconds, from any beginning. */
  readonly now: () => number;
  /** Runs `f` later; nothing waits for it. */
  readonly later: (ms: number, f: () => void) => void;
  /** Fewer rows than these are sorted. */
  readonly rowsMin?: number;
  /** Copied at a time. */
  readonly sliceRows?: number;
}

/** Sorting takes some microseconds a row. */
const ROWS_MIN = 20_000;
const SLICE_ROWS = 1_000;
const PAUSE_MS = 20;
const UNUSED_MS_MAX = 24 * 3_600_000;
/** What was asked of a reader before the table began to go has been answered by then. */
const FAREWELL_MS = 60_000;

interface SortTable {
  readonly order: string;
  readonly shape: Shape;
  /** The last key that was copied, or one of the two below. */
  copied: number;
  usedAt: number;
  /** Since when it goes. */
  goesSince: number | undefined;
}

/** What a table's row of `meta` says beside the last key that was copied. */
const WHOLE = -1;
const GOING = -2;

/** Of several keys. */
const MIXED_TABLES_MAX = 8;

export class SortTables {
  private readonly tables = new Map<string, SortTable>();
  private isScheduled = false;
  private isClosed = false;

  constructor(private readonly o: SortTablesOptions) {
    const kept = o.db.prepare("SELECT substr(name, ?) AS name, value FROM meta WHERE name LIKE ?").all(MARK.length + 1, `${MARK}%`) as {
      name: string;
      value: number;
    }[];
    for (const { name, value } of kept) {
      const shape = shapeOf(name);
      if (shape !== undefined)
        this.tables.set(name, { order: name, shape, copied: value, usedAt: o.now(), goesSince: value === GOING ? o.now() : undefined });
    }
    if (this.tables.size > 0) this.schedule(PAUSE_MS);
  }

  /** Undefined: there is none, or not yet; the rows are to be sorted. */
  tableFor(order: string): string | undefined {
    const table = this.tables.get(order);
    if (table === undefined) {
      const shape = shapeOf(order);
      if (shape !== undefined && this.hasMany() && (!shape.isMixed || this.mixedCount < MIXED_TABLES_MAX)) this.make(order, shape);
      return undefined;
    }
    table.usedAt = this.o.now();
    return table.copied === WHOLE ? table.shape.table : undefined;
  }

  close(): void {
    this.isClosed = true;
  }

  private hasMany(): boolean {
    const min = this.o.rowsMin ?? ROWS_MIN;
    return (this.o.db.prepare("SELECT count(*) FROM (SELECT 1 FROM visibility LIMIT ?)").pluck().get(min) as number) >= min;
  }

  private get mixedCount(): number {
    return [...this.tables.values()].filter((t) => t.shape.isMixed).length;
  }

  private make(order: string, shape: Shape): void {
    const { table: name, columns, values, isIn } = shape;
    const { db, logger } = this.o;
    const put = `INSERT OR IGNORE INTO ${name} SELECT new.namespace, ${values("new").join(", ")}, new.key WHERE ${isIn("new")};`;
    const old = values("old");
    const take = `DELETE FROM ${name} WHERE namespace = old.namespace AND ${columns.map((c, i) => `${c.name} = ${old[i]}`).join(" AND ")} AND key = old.key;`;
    const changes = values("new").map((v, i) => `${old[i]} IS NOT ${v}`);
    const key = [...columns, { name: "key", descending: shape.isKeyDescending }].map((c) => `${c.name}${c.descending ? " DESC" : ""}`);
    try {
      db.transaction(() => {
        db.exec(`
          CREATE TABLE ${name} (namespace INTEGER NOT NULL, ${columns.map((c) => `${c.name} NOT NULL`).join(", ")}, key INTEGER NOT NULL, PRIMARY KEY (namespace, ${key.join(", ")})) WITHOUT ROWID;
          CREATE TRIGGER ${name}_insert AFTER INSERT ON visibility BEGIN ${put} END;
          CREATE TRIGGER ${name}_update AFTER UPDATE ON visibility WHEN ${changes.join(" OR ")} BEGIN ${take} ${put} END;
          CREATE TRIGGER ${name}_delete AFTER DELETE ON visibility BEGIN ${take} END;`);
        this.mark(order, 0);
      }).immediate();
    } catch (e) {
      logger.warn({ err: e, order }, "a list's order gets no index");
      return;
    }
    logger.info({ order }, "an index for the order of lists is made, between other work");
    this.tables.set(order, { order, shape, copied: 0, usedAt: this.o.now(), goesSince: undefined });
    this.schedule(PAUSE_MS);
  }

  private mark(order: string, copied: number): void {
    this.o.db
      .prepare("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
      .run(`${MARK}${order}`, copied);
  }

  private schedule(ms: number): void {
    if (this.isScheduled || this.isClosed) return;
    this.isScheduled = true;
    this.o.later(ms, () => {
      this.isScheduled = false;
      if (!this.isClosed) void this.turn();
    });
  }

  private async turn(): Promise<void> {
    let pause = PAUSE_MS;
    try {
      const has = this.slice();
      if (has) await this.o.wrote();
      else pause = FAREWELL_MS;
    } catch (e) {
      // A full disk, or a writer that held the file for long.
      this.o.logger.warn({ err: e }, "work on an index for the order of lists failed, and is tried again");
      pause = FAREWELL_MS;
    }
    if (this.tables.size > 0) this.schedule(pause);
  }

  /** Some rows of one table. False: there is nothing to do. */
  private slice(): boolean {
    const now = this.o.now();
    for (const table of this.tables.values()) {
      if (table.goesSince === undefined && now - table.usedAt > UNUSED_MS_MAX) {
        this.letGo(table);
        return true;
      }
      if (table.goesSince !== undefined) {
        if (now - table.goesSince <= FAREWELL_MS) continue;
        this.removeSome(table);
        return true;
      }
      if (table.copied !== WHOLE) {
        this.copySome(table);
        return true;
      }
    }
    return false;
  }

  private letGo(table: SortTable): void {
    const { db, now } = this.o;
    db.transaction(() => {
      for (const on of ["insert", "update", "delete"]) db.exec(`DROP TRIGGER ${table.shape.table}_${on}`);
      this.mark(table.order, GOING);
    }).immediate();
    table.copied = GOING;
    table.goesSince = now();
  }

  private copySome(table: SortTable): void {
    const { db } = this.o;
    const { order, shape, copied } = table;
    const last = db
      .prepare("SELECT max(key) FROM (SELECT key FROM visibility WHERE key > ? ORDER BY key LIMIT ?)")
      .pluck()
      .get(copied, this.o.sliceRows ?? SLICE_ROWS) as number | null;
    db.transaction(() => {
      if (last !== null)
        db.prepare(
          `INSERT OR IGNORE INTO ${shape.table} SELECT v.namespace, ${shape.values("v").join(", ")}, v.key FROM visibility v WHERE v.key > ? AND v.key <= ? AND ${shape.isIn("v")}`,
        ).run(copied, last);
      this.mark(order, last ?? WHOLE);
    }).immediate();
    table.copied = last ?? WHOLE;
    if (table.copied === WHOLE) this.o.logger.info({ order }, "an index for the order of lists is whole");
  }

  private removeSome({ order, shape }: SortTable): void {
    const { db } = this.o;
    const { table: name, columns } = shape;
    const key = ["namespace", ...columns.map((c) => c.name), "key"].join(", ");
    const { changes } = db.prepare(`DELETE FROM ${name} WHERE (${key}) IN (SELECT ${key} FROM ${name} LIMIT ?)`).run(SLICE_ROWS);
    if (changes > 0) return;
    db.transaction(() => {
      db.exec(`DROP TABLE ${name}`);
      db.prepare("DELETE FROM meta WHERE name = ?").run(`${MARK}${order}`);
    }).immediate();
    this.tables.delete(order);
    this.o.logger.info({ order }, "an index for the order of lists is gone: nobody used it");
  }
}

/** Rows of table `meta`. */
const MARK = "lists sorted by ";
