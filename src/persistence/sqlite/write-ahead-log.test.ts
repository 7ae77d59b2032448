import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { logUse } from "./write-ahead-log.js";

const directory = mkdtempSync(join(tmpdir(), "perdure-log-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("the use of a log", () => {
  it("is what SQLite says, frame by frame, also when the log is used again from its start", () => {
    const file = join(directory, "a.db");
    const db = new Database(file);
    db.pragma("journal_mode = WAL");
    db.pragma("wal_autocheckpoint = 0");
    db.exec("CREATE TABLE t (n INTEGER PRIMARY KEY, data BLOB)");
    const insert = db.prepare("INSERT INTO t (data) VALUES (?)");
    const said = () => (db.pragma("wal_checkpoint(PASSIVE)") as { log: number }[])[0]?.log;
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 40 - round * 17; n++) {
        insert.run(Buffer.alloc(n * 500));
        // Asking SQLite lets the log begin anew: it is asked now and then only.
        if (n % 13 === 12) expect(logUse(`${file}-wal`).frames).toBe(said());
      }
    }
    const before = logUse(`${file}-wal`);
    const { size } = statSync(`${file}-wal`);
    said();
    insert.run(Buffer.alloc(10));
    const after = logUse(`${file}-wal`);
    expect(statSync(`${file}-wal`).size).toBe(size);
    expect(after.frames).toBeLessThan(before.frames);
    expect(after.frames).toBe(said());
    expect(after.bytes).toBe(after.frames * (4096 + 24));
    db.close();
  });

  it("is none of a log that is missing, empty or cut short", () => {
    expect(logUse(join(directory, "none")).frames).toBe(0);
    for (const bytes of [0, 10, 32, 50]) {
      const file = join(directory, `${bytes}-wal`);
      writeFileSync(file, Buffer.alloc(bytes));
      expect(logUse(file)).toEqual({ frames: 0, bytes: 0 });
    }
  });
});
