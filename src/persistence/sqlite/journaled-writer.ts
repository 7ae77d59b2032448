/**
 * How batches are committed on the engine's thread: each goes to the journal, and what many of them have come to goes to the tables
 * in one transaction, once enough has gathered, when a reader needs the tables, or a moment after the last batch. A batch that is
 * too large for the journal goes into the tables at once, with all that waits, in one transaction.
 *
 * While the disk is full, what waits stays in the journal and in memory, and reads that need the tables find it there all the same
 * (`readAsApplied`): nothing that was acknowledged is out of reach for want of space.
 */
import type Database from "better-sqlite3";
import type { Batch } from "../batch.js";
import { Journal } from "./journal.js";
import { encodeBatch } from "./journal-record.js";
import { PendingRows } from "./pending-rows.js";
import { BatchWriter, isFull, type WriteResult } from "./write-batch.js";

/** What a transaction writes in some milliseconds. */
const PENDING_ROWS_MAX = 1_000;

export class JournaledWriter {
  readonly pending = new PendingRows();
  private readonly writer: BatchWriter;
  private readonly journal: Journal;

  /** `isKept`: what is in the tables outlives the process; a database in memory needs no journal. */
  constructor(
    private readonly db: Database.Database,
    private readonly isKept: boolean,
  ) {
    this.writer = new BatchWriter(db);
    this.journal = new Journal(db);
  }

  /** Brings into the tables what a server that died had left in the journal; on a full disk it waits on. @throws what SQLite does */
  recover(): number {
    let batches = 0;
    const repair = new BatchWriter(this.db, true);
    const result = repair.transaction(() => {
      for (const batch of this.journal.unapplied()) {
        repair.rows(batch);
        batches++;
      }
      if (batches > 0) this.journal.markApplied();
    });
    if (result === undefined) return batches;
    if (!isFull(result.failed)) throw result.failed;
    for (const batch of this.journal.unapplied()) this.pending.merge(batch);
    this.journal.goOn();
    return 0;
  }

  write(batch: Batch): WriteResult {
    const { pending, journal } = this;
    let record: Buffer | undefined;
    try {
      if (pending.refuses(batch)) throw new Error("a row that the batch inserts exists");
      const isWaiting = this.isKept && pending.rowCount + batch.rowCount <= PENDING_ROWS_MAX && !pending.mustPrecede(batch);
      if (isWaiting) record = encodeBatch(batch);
    } catch (failed) {
      return { failed, committing: false };
    }
    if (record === undefined || !journal.hasRoomFor(record)) return this.writeThrough(batch);
    const result = this.writer.transaction(() => journal.write(record));
    if (result !== undefined) return result;
    journal.committed();
    pending.merge(batch);
    return undefined;
  }

  /** Brings what waits into the tables. */
  apply(): WriteResult {
    const { pending, writer } = this;
    if (pending.isEmpty) return undefined;
    const result = writer.transaction(() => this.applyRows());
    if (result === undefined) this.applied();
    // What was acknowledged cannot be refused any more: a restart brings it in, writing over what is in the way.
    else if (!isFull(result.failed)) return { failed: result.failed, committing: true };
    return result;
  }

  /** What `f` reads in the tables as if all that waits were there already. @throws what `f` does */
  readAsApplied<T>(f: () => T): T {
    return this.writer.uncommitted(() => this.applyRows(), f);
  }

  private writeThrough(batch: Batch): WriteResult {
    const { writer } = this;
    const result = writer.transaction(() => {
      this.applyRows();
      writer.rows(batch);
    });
    if (result === undefined) {
      this.applied();
      return undefined;
    }
    if (result.committing || isFull(result.failed) || this.pending.isEmpty) return result;
    // One of the two is at fault.
    return this.apply() ?? writer.write(batch);
  }

  private applyRows(): void {
    if (this.pending.isEmpty) return;
    this.writer.rows(this.pending.rows);
    this.journal.markApplied();
  }

  private applied(): void {
    this.pending.clear();
    this.journal.applied();
  }

  /** Brings what waits into the tables and leaves nothing in the journal: what is deleted from the tables is not to be read here. */
  empty(): WriteResult {
    return this.apply() ?? (this.journal.isEmpty ? undefined : this.writer.transaction(() => this.journal.clear()));
  }
}
