/** What goes to the journal, what of it comes to the tables, and what a server that is killed leaves behind. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { Batch } from "../batch.js";
import { batchOf, bytes, visibilityRow } from "../contract.js";
import { openConnection } from "./connection.js";
import { decodeBatch, encodeBatch, RECORD_BYTES_MAX } from "./journal-record.js";
import { JournaledWriter } from "./journaled-writer.js";
import { migrate } from "./schema.js";

const directory = mkdtempSync(join(tmpdir(), "perdure-journal-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;

function open(pragmas: string[] = [], file = join(directory, `${files++}.db`)) {
  const db = openConnection({ file, durability: "normal", pragmas });
  onTestFinished(() => {
    db.close();
  });
  if (db.pragma("user_version", { simple: true }) === 0) migrate(db, 0);
  return { db, file, writer: new JournaledWriter(db, true) };
}

/** The file of a server that is killed now, opened by the next one. */
function killed(file: string, pragmas: string[] = []): ReturnType<typeof open> & { recovered: number } {
  const copy = join(directory, `${files++}.db`);
  for (const part of ["", "-wal"]) cpSync(file + part, copy + part);
  const next = open(pragmas, copy);
  return { ...next, recovered: next.writer.recover() };
}

const count = (db: Database.Database, table: string): number => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
const execution = (key: number, value = "x") => batchOf((b) => b.putExecution(key, 7, bytes(value), true));
const history = (branch: number, size: number) => batchOf((b) => b.appendHistory(branch, 1, new Uint8Array(size).fill(branch)));

describe("a batch", () => {
  it("is in the journal first, and in the tables once it is applied", () => {
    const { db, writer } = open();
    expect(writer.write(execution(1))).toBeUndefined();
    expect([count(db, "execution"), count(db, "journal")]).toEqual([0, 1]);
    writer.apply();
    expect(count(db, "execution")).toBe(1);
    expect(writer.pending.isEmpty).toBe(true);
  });

  it("that inserts what a later one deletes is never in the tables", () => {
    const { db, writer } = open();
    db.exec("CREATE TABLE seen (x); CREATE TRIGGER t AFTER INSERT ON component BEGIN INSERT INTO seen VALUES (new.id); END");
    writer.write(batchOf((b) => b.writeComponent(1, 1, 5, { op: "insert", value: bytes("a") })));
    writer.write(batchOf((b) => b.writeComponent(1, 1, 6, { op: "insert", value: bytes("b") })));
    writer.write(batchOf((b) => b.writeComponent(1, 1, 5, { op: "delete" })));
    writer.apply();
    expect(db.prepare("SELECT x FROM seen").pluck().all()).toEqual([6]);
  });

  it("that is larger than a record goes to the tables at once, behind all that waits", () => {
    const { db, writer, file } = open();
    writer.write(execution(1));
    writer.write(history(9, RECORD_BYTES_MAX));
    expect([count(db, "execution"), count(db, "history")]).toEqual([1, 1]);
    expect(killed(file).recovered).toBe(0);
  });

  it("after as many rows as a transaction should hold takes all of them along", () => {
    const { db, writer } = open();
    for (let key = 1; key <= 1_000; key++) writer.write(execution(key));
    expect(count(db, "execution")).toBe(0);
    writer.write(execution(1_001));
    expect(count(db, "execution")).toBe(1_001);
  });

  it("whose rows have gone again does not bring the others into the tables, and its record counts as applied with them", () => {
    const { db, writer, file } = open();
    writer.write(execution(1));
    for (let id = 1; id <= 300; id++) {
      writer.write(batchOf((b) => b.writeComponent(1, 1, id, { op: "insert", value: bytes("a") })));
      writer.write(batchOf((b) => b.writeBacklog({ queue: 1, priority: 3, pass: 0, id }, { op: "insert", value: bytes("b") })));
      writer.write(
        batchOf((b) => {
          b.writeComponent(1, 1, id, { op: "delete" });
          b.writeBacklog({ queue: 1, priority: 3, pass: 0, id }, { op: "delete" });
        }),
      );
    }
    expect([writer.pending.rowCount, count(db, "execution"), count(db, "component")]).toEqual([1, 0, 0]);
    writer.write(batchOf((b) => b.deleteExecution(1, 7)));
    expect([writer.pending.rowCount, writer.pending.isEmpty]).toEqual([0, false]);
    writer.apply();
    expect(killed(file).recovered).toBe(0);
  });

  it("that inserts a row which waits is refused, and nothing of it is kept", () => {
    const { writer, file } = open();
    writer.write(execution(1));
    const again = batchOf((b) => {
      b.putExecution(1, 7, bytes("again"), true);
      b.insertDue(1, 5, 5);
    });
    expect(writer.write(again)?.committing).toBe(false);
    const next = killed(file);
    expect([next.recovered, count(next.db, "due")]).toEqual([1, 0]);
  });
});

describe("the ring", () => {
  it("is written over when it has gone round, and every kill leaves what was written", () => {
    const { db, writer, file } = open();
    // Some 50 pages each: the ring holds twenty of them.
    for (let branch = 1; branch <= 70; branch++) {
      writer.write(history(branch, 200_000));
      if (branch % 10 === 0) expect(count(killed(file).db, "history")).toBe(branch);
    }
    expect(count(db, "journal")).toBeLessThanOrEqual(1_024);
    expect(count(db, "history")).toBeGreaterThan(40);
  });

  it("has no hole after a batch that was refused for want of space", () => {
    const { writer, file, db } = open(["max_page_count = 120"]);
    let written = 0;
    for (let branch = 1; branch <= 40; branch++) {
      if (writer.write(history(branch, 40_000)) === undefined) written++;
      else db.pragma(`max_page_count = ${120 + 10 * branch}`);
    }
    expect(written).toBeLessThan(40);
    expect(count(killed(file).db, "history")).toBe(written);
  });

  it("is empty after a close", () => {
    const { db, writer } = open();
    writer.write(execution(1, "secret"));
    expect(writer.empty()).toBeUndefined();
    expect([count(db, "execution"), count(db, "journal")]).toEqual([1, 0]);
  });

  it("goes on behind what the server before had written", () => {
    const first = open();
    for (let key = 1; key <= 5; key++) first.writer.write(execution(key));
    const second = killed(first.file);
    second.writer.write(execution(6));
    const third = killed(second.file);
    expect([second.recovered, third.recovered, count(third.db, "execution")]).toEqual([5, 1, 6]);
  });
});

describe("on a full disk", () => {
  /** Batches in the journal, a ring that has been all round, and not one page more. */
  function full() {
    const o = open();
    for (let branch = 1; branch <= 30; branch++) o.writer.write(history(branch, 200_000));
    o.writer.apply();
    const before = count(o.db, "history");
    for (let key = 1; key <= 600; key++) o.writer.write(execution(key, "x".repeat(100)));
    const pages = o.db.pragma("page_count", { simple: true }) as number;
    o.db.pragma(`max_page_count = ${pages}`);
    return { ...o, before, pages };
  }

  it("the tables can be read as if what waits were there, and nothing of that is written", () => {
    const { db, writer, pages, before } = full();
    expect(writer.apply()?.failed).toMatchObject({ code: "SQLITE_FULL" });
    expect(writer.readAsApplied(() => [count(db, "execution"), count(db, "history")])).toEqual([600, before]);
    expect(() =>
      writer.readAsApplied(() => {
        throw new Error("of the reader");
      }),
    ).toThrow("of the reader");
    expect([count(db, "execution"), db.pragma("page_count", { simple: true }), db.pragma("max_page_count", { simple: true })]).toEqual([
      0,
      pages,
      pages,
    ]);
    db.pragma("max_page_count = 1000000");
    expect(writer.apply()).toBeUndefined();
    expect(count(db, "execution")).toBe(600);
  });

  it("the next server keeps waiting what the one before left, and goes on behind it", () => {
    const { file, pages } = full();
    const next = killed(file, [`max_page_count = ${pages}`]);
    expect(next.recovered).toBe(0);
    expect([next.writer.pending.rowCount, count(next.db, "execution")]).toEqual([600, 0]);
    expect(next.writer.readAsApplied(() => count(next.db, "execution"))).toBe(600);
    for (let key = 601; key <= 700; key++) expect(next.writer.write(execution(key))).toBeUndefined();
    const third = killed(next.file);
    expect([third.recovered, count(third.db, "execution")]).toEqual([700, 700]);
    next.db.pragma("max_page_count = 1000000");
    expect(next.writer.apply()).toBeUndefined();
    expect(count(next.db, "execution")).toBe(700);
  });
});

describe("tables that do not take what was acknowledged", () => {
  it("end the process, and the next server writes over what is in the way", () => {
    const { db, writer, file } = open();
    writer.write(execution(1, "acknowledged"));
    db.prepare("INSERT INTO execution VALUES (1, 7, 'in the way')").run();
    expect(writer.apply()?.committing).toBe(true);
    expect(killed(file).db.prepare("SELECT record FROM execution").pluck().all()).toEqual([bytes("acknowledged")]);
  });

  it("are not taken for a batch that is itself at fault", () => {
    const { db, writer } = open();
    writer.write(execution(1));
    db.prepare("INSERT INTO history VALUES (9, 1, 'in the way')").run();
    expect(writer.write(history(9, RECORD_BYTES_MAX))?.committing).toBe(false);
    expect(count(db, "execution")).toBe(1);
  });
});

it("a record is its batch again, to the last row", () => {
  const b = new Batch();
  b.putExecution(2 ** 52, 1_023, bytes("one"), true);
  b.putExecution(2, 0, new Uint8Array(0), false);
  b.deleteExecution(3, 5);
  b.insertRun({ namespaceKey: -7, workflowId: "größer 🜚", runId: "r", key: 1 });
  b.deleteRun({ namespaceKey: 1, workflowId: "", runId: "s", key: 2 });
  b.purgeComponents(4);
  b.writeComponent(1, 64, "id/ü", { op: "put", value: bytes("v") });
  b.writeComponent(1, 64, 2 ** 40, { op: "insert", value: bytes("w") });
  b.writeComponent(1, 2, "1", { op: "delete" });
  b.appendHistory(-5, 1, bytes("events"));
  b.historyDeletes.push({ branch: 1, fromEventId: 2, endEventId: 3 });
  b.forks.push({ parentBranch: 1, childBranch: 2, endEventId: 3 });
  b.forkDeletes.push({ parentBranch: 4, childBranch: 5 });
  b.insertDue(0, 1_700_000_000_000_001, 9);
  b.deleteDue(1, 2, 3);
  b.writeBacklog({ queue: 1, priority: 2, pass: 0.5, id: 4 }, { op: "insert", value: bytes("task") });
  b.writeBacklog({ queue: 1, priority: 2, pass: 3, id: 5 }, { op: "delete" });
  b.writeRegistry("kind", "id", 3, { op: "put", value: bytes("record") });
  const attributes = [
    { id: 1, type: 2, value: "text" },
    { id: -3, type: 7, value: ["a", "b"] },
    { id: 4, type: 4, value: 1.5 },
    { id: 5, type: 5, value: true },
  ];
  b.putVisibility(visibilityRow(1, { memo: bytes("memo"), searchAttributes: bytes("sa"), attributes }), true);
  b.putVisibility(visibilityRow(2, { closeTime: 5, parentWorkflowId: "p" }), false);
  b.deleteVisibility(3, 1);
  const plain = (v: unknown): unknown => {
    if (v instanceof Uint8Array) return Buffer.from(v).toString("hex");
    if (v instanceof Map) return [...(v as Map<unknown, unknown>)].map(plain);
    if (Array.isArray(v)) return v.map(plain);
    return typeof v === "object" && v !== null ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)])) : v;
  };
  expect(plain(decodeBatch(Buffer.from(encodeBatch(b) as Buffer)))).toEqual(plain(b));
  expect(() => decodeBatch(Buffer.from([2]))).toThrow("version 2");
});
