/** The reader thread's own side: reader-thread.ts. */
import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import { type Choice, chosen, type Statement } from "./choice.js";

const { file } = workerData as { file: string };
// Not opened read-only: the same connection checkpoints.
const db = new Database(file, { timeout: 10_000 });
db.pragma("synchronous = FULL");
db.pragma("fullfsync = 1");
db.pragma("checkpoint_fullfsync = 1");
db.pragma("wal_autocheckpoint = 0");
db.pragma("cache_size = -16384");
const statements = new Map<string, Database.Statement>();

function run({ sql, params }: Statement): unknown[][] {
  let s = statements.get(sql);
  if (s === undefined) {
    if (statements.size > 200) statements.clear();
    statements.set(sql, (s = db.prepare(sql).raw()));
  }
  return s.all(...params) as unknown[][];
}

const choose = db.transaction((choice: Choice): unknown[][] => run(chosen(choice, run(choice.probe)[0] ?? [])));

parentPort?.on("message", (m: { id: number; sql?: string; params?: unknown[]; choice?: Choice; checkpoint?: boolean; close?: boolean }) => {
  try {
    if (m.close === true) {
      db.close();
      process.exit(0);
    }
    if (m.checkpoint === true) {
      // Frames in the log, and of these in the database file.
      const { log, checkpointed } = (db.pragma("wal_checkpoint(PASSIVE)") as { log: number; checkpointed: number }[])[0] ?? {
        log: 0,
        checkpointed: 0,
      };
      parentPort?.postMessage({ id: m.id, rows: [[log, checkpointed]] });
      return;
    }
    const rows = m.choice === undefined ? run({ sql: m.sql ?? "", params: m.params ?? [] }) : choose(m.choice);
    parentPort?.postMessage({ id: m.id, rows });
  } catch (e) {
    parentPort?.postMessage({ id: m.id, error: e instanceof Error ? e.message : String(e) });
  }
});
