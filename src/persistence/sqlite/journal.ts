/**
 * The journal: batches that are durable and not in the tables yet, as records in a ring of rows of one page each. To commit is to
 * write over one or two such pages; the rows themselves are written later, many batches at a time (pending-rows.ts), in one
 * transaction that also says up to which batch the tables hold everything. What a server that died had not written by then is read
 * here when the file is opened.
 *
 * A slot is used again when its record is in the tables. Every slot's row has the same size, so that SQLite writes over it in place.
 */
import type Database from "better-sqlite3";
import { assert } from "../../lib/assert.js";
import type { Batch } from "../batch.js";
import { decodeBatch } from "./journal-record.js";

/** With its row's other columns, what a leaf page of 4 KiB holds. */
const PART_BYTES = 4_032;
/** 4 MiB. */
const SLOTS = 1_024;
/** SQLite keeps a 0 or 1 in no byte and grows a number's bytes with the number: from here on each has one size. */
const FIRST_PART = 2;
export const FIRST_SEQUENCE = 2 ** 40;
/** Row of table `meta`: the last record that is in the tables. Made with the schema. */
const APPLIED = "journal";
const LENGTH_BYTES = 4;

export class Journal {
  private readonly update: Database.Statement;
  private readonly insert: Database.Statement;
  private readonly mark: Database.Statement;
  private readonly any: Database.Statement;
  private readonly remove: Database.Statement;
  private readonly part = Buffer.alloc(PART_BYTES);
  /** Of the next record. */
  private sequence: number;
  private slot = 0;
  /** Slots of records that are not in the tables. */
  private used = 0;
  /** What the transaction under way has taken. */
  private taken = 0;

  constructor(private readonly db: Database.Database) {
    this.update = db.prepare("UPDATE journal SET sequence = ?, part = ?, data = ? WHERE slot = ?");
    this.insert = db.prepare("INSERT INTO journal (slot, sequence, part, data) VALUES (?, ?, ?, ?)");
    this.mark = db.prepare("UPDATE meta SET value = ? WHERE name = ?");
    this.any = db.prepare("SELECT slot FROM journal LIMIT 1");
    this.remove = db.prepare("DELETE FROM journal");
    this.sequence = Math.max(this.appliedSequence, this.newestSequence) + 1;
  }

  private get appliedSequence(): number {
    return (this.db.prepare("SELECT value FROM meta WHERE name = ?").get(APPLIED) as { value: number }).value;
  }

  private get newestSequence(): number {
    return (this.db.prepare("SELECT max(sequence) AS n FROM journal").get() as { n: number | null }).n ?? FIRST_SEQUENCE - 1;
  }

  /** Batches that are not in the tables, oldest first. Only of use before the first write. */
  *unapplied(): Iterable<Batch> {
    const rows = this.db.prepare("SELECT sequence, data FROM journal WHERE sequence > ? ORDER BY sequence, part").all(this.appliedSequence) as {
      sequence: number;
      data: Buffer;
    }[];
    for (let at = 0; at < rows.length; ) {
      const first = rows[at] as { sequence: number; data: Buffer };
      const length = first.data.readUInt32LE(0);
      const parts = partsOf(length);
      const whole = Buffer.concat(rows.slice(at, at + parts).map((r) => r.data)).subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      assert(rows[at + parts - 1]?.sequence === first.sequence, "a journal record has all of its parts");
      yield decodeBatch(whole);
      at += parts;
    }
  }

  hasRoomFor(record: Buffer): boolean {
    return this.used + partsOf(record.length) <= SLOTS;
  }

  /** Within a transaction; `committed` tells that it has ended well. */
  write(record: Buffer): void {
    const parts = partsOf(record.length);
    for (let n = 0; n < parts; n++) {
      const begin = n * PART_BYTES - LENGTH_BYTES;
      if (n === 0) {
        this.part.writeUInt32LE(record.length);
        record.copy(this.part, LENGTH_BYTES, 0, PART_BYTES - LENGTH_BYTES);
      } else record.copy(this.part, 0, begin, begin + PART_BYTES);
      const slot = 1 + ((this.slot + n) % SLOTS);
      if (this.update.run(this.sequence, FIRST_PART + n, this.part, slot).changes === 0)
        this.insert.run(slot, this.sequence, FIRST_PART + n, this.part);
    }
    this.taken = parts;
  }

  committed(): void {
    this.slot = (this.slot + this.taken) % SLOTS;
    this.used += this.taken;
    this.sequence++;
  }

  /** Within the transaction that brings everything so far into the tables. */
  markApplied(): void {
    this.mark.run(this.sequence - 1, APPLIED);
  }

  applied(): void {
    this.used = 0;
  }

  /** Goes on behind the records that are there, as if this process had written them. Only of use before the first write. */
  goOn(): void {
    const slots = this.db
      .prepare("SELECT slot FROM journal WHERE sequence > ? ORDER BY sequence, part")
      .pluck()
      .all(this.appliedSequence) as number[];
    this.used = slots.length;
    this.slot = (slots.at(-1) ?? 0) % SLOTS;
  }

  /** Whether no slot has ever been written since the last `clear`. */
  get isEmpty(): boolean {
    return this.any.get() === undefined;
  }

  /** Within a transaction, when everything is in the tables. */
  clear(): void {
    this.remove.run();
  }
}

const partsOf = (length: number): number => Math.ceil((LENGTH_BYTES + length) / PART_BYTES);
