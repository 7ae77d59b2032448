/** A batch as one transaction of prepared statements. Used on the engine's thread and on the writer thread alike. */
import type Database from "better-sqlite3";
import type { Batch } from "../batch.js";
import { SqliteVisibilityWriter } from "./visibility.js";

/** Undefined: done. `committing`: COMMIT had begun, after which the outcome is only known from the error itself. */
export type WriteResult = { failed: unknown; committing: boolean } | undefined;

/** As many as SQLite counts. */
const PAGES_MAX = 0xfffffffe;

/** Whether a write failed for want of space: nothing of it was written. */
export function isFull(failed: unknown): boolean {
  const { code } = failed as { code?: string };
  return code === "SQLITE_FULL" || code === "ENOSPC";
}

export class BatchWriter {
  private readonly s: ReturnType<typeof statements>;
  private readonly visibility: SqliteVisibilityWriter;
  private readonly begin: Database.Statement;
  private readonly commit: Database.Statement;
  private readonly rollback: Database.Statement;

  /** `repair`: a row that is there already is written over instead of refusing the batch. */
  constructor(
    private readonly db: Database.Database,
    repair = false,
  ) {
    this.s = statements(db, repair ? "INSERT OR REPLACE" : "INSERT");
    this.visibility = new SqliteVisibilityWriter(db, repair);
    this.begin = db.prepare("BEGIN IMMEDIATE");
    this.commit = db.prepare("COMMIT");
    this.rollback = db.prepare("ROLLBACK");
  }

  write(batch: Batch): WriteResult {
    return this.transaction(() => this.rows(batch));
  }

  /** Everything that `write` writes, or nothing. */
  transaction(write: () => void): WriteResult {
    let committing = false;
    try {
      this.begin.run();
      write();
      committing = true;
      this.commit.run();
      return undefined;
    } catch (failed) {
      if (this.db.inTransaction) {
        try {
          this.rollback.run();
        } catch {
          // The first error says more.
        }
      }
      return { failed, committing };
    }
  }

  /** What `read` finds after `write`, in a transaction that ends as if it had not been: nothing of it goes to the disk. @throws what they do */
  uncommitted<T>(write: () => void, read: () => T): T {
    const { db } = this;
    const pages = db.pragma("max_page_count", { simple: true }) as number;
    // Pages that do not fit into the cache would go to the log; and there is no bound to what is not kept.
    db.pragma("cache_spill = OFF");
    db.pragma(`max_page_count = ${PAGES_MAX}`);
    this.begin.run();
    try {
      write();
      return read();
    } finally {
      if (db.inTransaction) this.rollback.run();
      db.pragma(`max_page_count = ${pages}`);
      db.pragma("cache_spill = ON");
    }
  }

  /** Within a transaction. */
  rows(b: Batch): void {
    const s = this.s;
    for (const [key, w] of b.executions) {
      if (w.op === "insert") s.insertExecution.run(key, w.shard, w.value);
      else if (w.op === "put") s.putExecution.run(w.value, key);
      else s.deleteExecution.run(key);
    }
    for (const r of b.runs.values()) {
      if (r.op === "insert") s.insertRun.run(r.namespaceKey, r.workflowId, r.runId, r.key);
      else s.deleteRun.run(r.namespaceKey, r.workflowId, r.runId);
    }
    for (const key of b.componentPurges) s.purgeComponents.run(key);
    for (const [key, kinds] of b.components)
      for (const [kind, ids] of kinds)
        for (const [id, w] of ids) {
          if (w.op === "delete") s.deleteComponent.run(key, kind, id);
          else if (w.op === "insert") s.insertComponent.run(key, kind, id, w.value);
          else s.putComponent.run(key, kind, id, w.value);
        }
    for (const h of b.history) s.insertHistory.run(h.branch, h.firstEventId, h.data);
    for (const d of b.historyDeletes) s.deleteHistory.run(d.branch, d.fromEventId, d.endEventId);
    for (const f of b.forks) s.putFork.run(f.parentBranch, f.childBranch, f.endEventId);
    for (const f of b.forkDeletes) s.deleteFork.run(f.parentBranch, f.childBranch);
    for (const d of b.dues.values()) {
      if (d.op === "insert") s.insertDue.run(d.clock, d.due, d.key);
      else s.deleteDue.run(d.clock, d.due, d.key);
    }
    for (const { at, write } of b.backlog.values()) {
      if (write.op === "delete") s.deleteBacklog.run(at.queue, at.priority, at.pass, at.id);
      else s.putBacklog.run(at.queue, at.priority, at.pass, at.id, write.value);
    }
    for (const [kind, ids] of b.registry)
      for (const [id, { version, write }] of ids) {
        if (write.op === "delete") s.deleteRegistry.run(kind, id);
        else s.putRegistry.run(kind, id, version, write.value);
      }
    if (b.visibility.size > 0) this.visibility.write(b.visibility);
  }
}

function statements(db: Database.Database, insert: string) {
  return {
    insertExecution: db.prepare(`${insert} INTO execution (key, shard, record) VALUES (?, ?, ?)`),
    putExecution: db.prepare("UPDATE execution SET record = ? WHERE key = ?"),
    deleteExecution: db.prepare("DELETE FROM execution WHERE key = ?"),
    insertRun: db.prepare(`${insert} INTO run (namespace, workflow_id, run_id, key) VALUES (?, ?, ?, ?)`),
    deleteRun: db.prepare("DELETE FROM run WHERE namespace = ? AND workflow_id = ? AND run_id = ?"),
    insertComponent: db.prepare(`${insert} INTO component (key, kind, id, record) VALUES (?, ?, ?, ?)`),
    putComponent: db.prepare(
      "INSERT INTO component (key, kind, id, record) VALUES (?, ?, ?, ?) ON CONFLICT (key, kind, id) DO UPDATE SET record = excluded.record",
    ),
    deleteComponent: db.prepare("DELETE FROM component WHERE key = ? AND kind = ? AND id = ?"),
    purgeComponents: db.prepare("DELETE FROM component WHERE key = ?"),
    insertHistory: db.prepare(`${insert} INTO history (branch, first_event_id, data) VALUES (?, ?, ?)`),
    deleteHistory: db.prepare("DELETE FROM history WHERE branch = ? AND first_event_id >= ? AND first_event_id < ?"),
    putFork: db.prepare("INSERT OR REPLACE INTO fork (parent, child, end_event_id) VALUES (?, ?, ?)"),
    deleteFork: db.prepare("DELETE FROM fork WHERE parent = ? AND child = ?"),
    insertDue: db.prepare("INSERT OR IGNORE INTO due (clock, due, key) VALUES (?, ?, ?)"),
    deleteDue: db.prepare("DELETE FROM due WHERE clock = ? AND due = ? AND key = ?"),
    putBacklog: db.prepare("INSERT OR REPLACE INTO backlog (queue, priority, pass, id, record) VALUES (?, ?, ?, ?, ?)"),
    deleteBacklog: db.prepare("DELETE FROM backlog WHERE queue = ? AND priority = ? AND pass = ? AND id = ?"),
    putRegistry: db.prepare(
      "INSERT INTO registry (kind, id, version, record) VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, record = excluded.record",
    ),
    deleteRegistry: db.prepare("DELETE FROM registry WHERE kind = ? AND id = ?"),
  };
}
