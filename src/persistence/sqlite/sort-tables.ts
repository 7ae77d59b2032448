/**
 * Tables that keep the rows of lists in the order of one system field, for ORDER BY on fields that have no index of their own (run id,
 * history length, task queue, ...). Few sort by them, so a table is made when somebody does, and only where there are so many rows that
 * sorting them takes long: until then it costs nothing. Triggers keep it as rows come, change and go, whichever thread writes them; the
 * rows that were there before are copied in slices between other work, the last one marks the table as whole, and lists use it from
 * then on. One that nobody has used for a day goes: its triggers at once, its rows in slices.
 *
 * In: what lists are sorted by (`tableFor`). Out: the name of a whole table. Progress is in table `meta`, so that a restart goes on.
 */
import type Database from "better-sqlite3";
import type { Logger } from "../../lib/runtime.js";
import { COLUMN, type SortColumn } from "./visibility-filter.js";

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
  readonly column: SortColumn;
  readonly name: string;
  /** The last key that was copied, or one of the two below. */
  copied: number;
  usedAt: number;
  /** Since when it goes. */
  goesSince: number | undefined;
}

/** What a table's row of `meta` says beside the last key that was copied. */
const WHOLE = -1;
const GOING = -2;

const PREFIX = "visibility_by_";
const nameOf = (column: SortColumn): string => `${PREFIX}${column.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}`;
const valueIn = (column: SortColumn, row: "new" | "old" | "v"): string => COLUMN[column].replaceAll("v.", `${row}.`);

export class SortTables {
  private readonly tables = new Map<SortColumn, SortTable>();
  private isScheduled = false;
  private isClosed = false;

  constructor(private readonly o: SortTablesOptions) {
    const kept = o.db.prepare("SELECT substr(name, ?) AS name, value FROM meta WHERE name LIKE ?").all(MARK.length + 1, `${MARK}%`) as {
      name: SortColumn;
      value: number;
    }[];
    for (const { name, value } of kept)
      if (COLUMN[name] !== undefined)
        this.tables.set(name, { column: name, name: nameOf(name), copied: value, usedAt: o.now(), goesSince: value === GOING ? o.now() : undefined });
    if (this.tables.size > 0) this.schedule(PAUSE_MS);
  }

  /** Undefined: there is none, or not yet; the rows are to be sorted. */
  tableFor(column: SortColumn): string | undefined {
    const table = this.tables.get(column);
    if (table === undefined) {
      if (!this.hasMany()) return undefined;
      this.make(column);
      return undefined;
    }
    table.usedAt = this.o.now();
    return table.copied === WHOLE ? table.name : undefined;
  }

  close(): void {
    this.isClosed = true;
  }

  private hasMany(): boolean {
    const min = this.o.rowsMin ?? ROWS_MIN;
    return (this.o.db.prepare("SELECT count(*) FROM (SELECT 1 FROM visibility LIMIT ?)").pluck().get(min) as number) >= min;
  }

  private make(column: SortColumn): void {
    const name = nameOf(column);
    const { db, logger } = this.o;
    const put = `INSERT OR IGNORE INTO ${name} SELECT new.namespace, ${valueIn(column, "new")}, new.key WHERE ${valueIn(column, "new")} IS NOT NULL;`;
    const take = `DELETE FROM ${name} WHERE namespace = old.namespace AND value = ${valueIn(column, "old")} AND key = old.key;`;
    try {
      db.transaction(() => {
        db.exec(`
          CREATE TABLE ${name} (namespace INTEGER NOT NULL, value NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (namespace, value, key)) WITHOUT ROWID;
          CREATE TRIGGER ${name}_insert AFTER INSERT ON visibility BEGIN ${put} END;
          CREATE TRIGGER ${name}_update AFTER UPDATE ON visibility WHEN ${valueIn(column, "old")} IS NOT ${valueIn(column, "new")} BEGIN ${take} ${put} END;
          CREATE TRIGGER ${name}_delete AFTER DELETE ON visibility BEGIN ${take} END;`);
        this.mark(column, 0);
      }).immediate();
    } catch (e) {
      logger.warn({ err: e, column }, "a list's order gets no index");
      return;
    }
    logger.info({ column }, "an index for the order of lists is made, between other work");
    this.tables.set(column, { column, name, copied: 0, usedAt: this.o.now(), goesSince: undefined });
    this.schedule(PAUSE_MS);
  }

  private mark(column: SortColumn, copied: number): void {
    this.o.db
      .prepare("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
      .run(`${MARK}${column}`, copied);
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
      for (const on of ["insert", "update", "delete"]) db.exec(`DROP TRIGGER ${table.name}_${on}`);
      this.mark(table.column, GOING);
    }).immediate();
    table.copied = GOING;
    table.goesSince = now();
  }

  private copySome(table: SortTable): void {
    const { db } = this.o;
    const { name, column, copied } = table;
    const last = db
      .prepare("SELECT max(key) FROM (SELECT key FROM visibility WHERE key > ? ORDER BY key LIMIT ?)")
      .pluck()
      .get(copied, this.o.sliceRows ?? SLICE_ROWS) as number | null;
    const value = valueIn(column, "v");
    db.transaction(() => {
      if (last !== null)
        db.prepare(
          `INSERT OR IGNORE INTO ${name} SELECT v.namespace, ${value}, v.key FROM visibility v WHERE v.key > ? AND v.key <= ? AND ${value} IS NOT NULL`,
        ).run(copied, last);
      this.mark(column, last ?? WHOLE);
    }).immediate();
    table.copied = last ?? WHOLE;
    if (table.copied === WHOLE) this.o.logger.info({ column }, "an index for the order of lists is whole");
  }

  private removeSome(table: SortTable): void {
    const { db } = this.o;
    const { name, column } = table;
    const { changes } = db
      .prepare(`DELETE FROM ${name} WHERE (namespace, value, key) IN (SELECT namespace, value, key FROM ${name} LIMIT ?)`)
      .run(SLICE_ROWS);
    if (changes > 0) return;
    db.transaction(() => {
      db.exec(`DROP TABLE ${name}`);
      db.prepare("DELETE FROM meta WHERE name = ?").run(`${MARK}${column}`);
    }).immediate();
    this.tables.delete(column);
    this.o.logger.info({ column }, "an index for the order of lists is gone: nobody used it");
  }
}

/** Rows of table `meta`. */
const MARK = "lists sorted by ";
