/**
 * Visibility in SQLite: the tables, and what is written to them. System fields are columns of one row with indexes for the orders
 * and conditions that lists have: open ones by start and closed ones by close (both partial, with the columns that most conditions
 * are on, so that what does not match is passed over inside the index), all by start, by workflow id, by status and type. Custom values
 * are rows in one table per type, only for attributes that an execution has, in the order of lists behind each value (close time, 0 while
 * open, then start time): a new attribute needs no DDL, an unused one costs nothing, a list of those with a value is a range. Texts are indexed by their words, cut by the same tokenizer as in memory. The division that hides a row
 * from most queries is a column too, so that counts stay inside one index. Lists: visibility-reader.ts.
 */
import type Database from "better-sqlite3";
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { DIVISION, PREDEFINED } from "../../core/visibility/attributes.js";
import { tokens } from "../../core/visibility/query.js";
import type { AttributeValue, VisibilityRow } from "../../core/visibility/row.js";
import type { Batch } from "../batch.js";

const VALUE_TABLES = ["keyword", "int", "double", "bool", "datetime", "text"] as const;

export const VISIBILITY_SCHEMA = `
  CREATE TABLE visibility (
    key INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL, workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL, status INTEGER NOT NULL, division TEXT, start_time INTEGER NOT NULL, execution_time INTEGER NOT NULL, close_time INTEGER,
    history_length INTEGER, history_size INTEGER, state_transition_count INTEGER,
    parent_workflow_id TEXT, parent_run_id TEXT, root_workflow_id TEXT NOT NULL, root_run_id TEXT NOT NULL,
    memo BLOB, search_attributes BLOB, attributes TEXT);
  CREATE INDEX visibility_open ON visibility (namespace, start_time, key, division, status, workflow_type, workflow_id) WHERE close_time IS NULL;
  CREATE INDEX visibility_closed ON visibility (namespace, close_time, start_time, key, division, status, workflow_type, workflow_id) WHERE close_time IS NOT NULL;
  CREATE INDEX visibility_workflow_id ON visibility (namespace, workflow_id);
  CREATE INDEX visibility_start ON visibility (namespace, start_time, key);
  CREATE INDEX visibility_status_type ON visibility (namespace, status, workflow_type, division);
  ${VALUE_TABLES.map((t) => `CREATE TABLE visibility_${t} (namespace INTEGER NOT NULL, attribute INTEGER NOT NULL, value NOT NULL, close_time INTEGER NOT NULL, start_time INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (namespace, attribute, value, close_time, start_time, key)) WITHOUT ROWID;`).join("\n  ")}
`;

export function tableOf(type: number): string {
  switch (type) {
    case T.INT:
      return "visibility_int";
    case T.DOUBLE:
      return "visibility_double";
    case T.BOOL:
      return "visibility_bool";
    case T.DATETIME:
      return "visibility_datetime";
    case T.TEXT:
      return "visibility_text";
    default:
      return "visibility_keyword";
  }
}

/** What the value tables hold of an attribute. */
function storedValues(type: number, value: AttributeValue): (string | number)[] {
  // The empty word says that there is a text, even one without words.
  if (type === T.TEXT) return ["", ...tokens(String(value))];
  if (Array.isArray(value)) return [...new Set(value as string[])];
  return [typeof value === "boolean" ? Number(value) : (value as string | number)];
}

export const DIVISION_ID = PREDEFINED.get(DIVISION)?.id;

interface Stored {
  readonly attributes: string | null;
  readonly closeTime: number | null;
  readonly startTime: number;
}

type StoredAttribute = { id: number; type: number; value: AttributeValue };

export class SqliteVisibilityWriter {
  private readonly insert: Database.Statement;
  private readonly update: Database.Statement;
  private readonly remove: Database.Statement;
  private readonly stored: Database.Statement;
  private readonly valueStatements = new Map<string, { insert: Database.Statement; remove: Database.Statement }>();

  /** `repair`: a row that is there already is written over. */
  constructor(
    private readonly db: Database.Database,
    private readonly repair: boolean,
  ) {
    this.insert = db.prepare("INSERT INTO visibility VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    // What never changes after the start is not written again.
    this.update = db.prepare(`UPDATE visibility SET task_queue = ?, status = ?, division = ?, close_time = ?, history_length = ?, history_size = ?,
      state_transition_count = ?, memo = ?, search_attributes = ?, attributes = ? WHERE key = ?`);
    this.remove = db.prepare("DELETE FROM visibility WHERE key = ?");
    this.stored = db.prepare("SELECT attributes, close_time AS closeTime, start_time AS startTime FROM visibility WHERE key = ?");
  }

  private values(type: number): { insert: Database.Statement; remove: Database.Statement } {
    const table = tableOf(type);
    let s = this.valueStatements.get(table);
    if (s === undefined) {
      s = {
        insert: this.db.prepare(
          `INSERT OR IGNORE INTO ${table} (namespace, attribute, value, close_time, start_time, key) VALUES (?, ?, ?, ?, ?, ?)`,
        ),
        remove: this.db.prepare(
          `DELETE FROM ${table} WHERE namespace = ? AND attribute = ? AND value = ? AND close_time = ? AND start_time = ? AND key = ?`,
        ),
      };
      this.valueStatements.set(table, s);
    }
    return s;
  }

  write(ops: Batch["visibility"]): void {
    for (const [key, op] of ops) {
      if (op.op === "delete") {
        const old = this.stored.get(key) as Stored | undefined;
        if (old !== undefined) this.removeValues(key, op.namespaceKey, old);
        this.remove.run(key);
        continue;
      }
      const r = op.row;
      const isOpen = r.closeTime === 0;
      const closed = (v: number): number | null => (isOpen ? null : v);
      const attributes = r.attributes.length === 0 ? null : JSON.stringify(r.attributes);
      const memo = r.memo.length === 0 ? null : r.memo;
      const searchAttributes = r.searchAttributes.length === 0 ? null : r.searchAttributes;
      const division = (r.attributes.find((a) => a.id === DIVISION_ID)?.value as string | undefined) ?? null;
      if (op.op === "put" || this.repair) {
        const old = this.stored.get(key) as Stored | undefined;
        if (old !== undefined) {
          if (old.attributes !== attributes || (attributes !== null && (old.closeTime ?? 0) !== r.closeTime)) {
            this.removeValues(key, r.namespaceKey, old);
            this.insertValues(r);
          }
          this.update.run(
            r.taskQueue,
            r.status,
            division,
            closed(r.closeTime),
            closed(r.historyLength),
            closed(r.historySizeBytes),
            closed(r.stateTransitionCount),
            memo,
            searchAttributes,
            attributes,
            key,
          );
          continue;
        }
      }
      this.insert.run(
        key,
        r.namespaceKey,
        r.workflowId,
        r.runId,
        r.workflowType,
        r.taskQueue,
        r.status,
        division,
        r.startTime,
        r.executionTime,
        closed(r.closeTime),
        closed(r.historyLength),
        closed(r.historySizeBytes),
        closed(r.stateTransitionCount),
        r.parentWorkflowId === "" ? null : r.parentWorkflowId,
        r.parentRunId === "" ? null : r.parentRunId,
        r.rootWorkflowId,
        r.rootRunId,
        memo,
        searchAttributes,
        attributes,
      );
      if (attributes !== null) this.insertValues(r);
    }
  }

  private removeValues(key: number, namespace: number, old: Stored): void {
    for (const a of parse(old.attributes))
      for (const v of storedValues(a.type, a.value)) this.values(a.type).remove.run(namespace, a.id, v, old.closeTime ?? 0, old.startTime, key);
  }

  private insertValues(r: VisibilityRow): void {
    for (const a of r.attributes)
      for (const v of storedValues(a.type, a.value)) this.values(a.type).insert.run(r.namespaceKey, a.id, v, r.closeTime, r.startTime, r.key);
  }
}

/** The attributes of a row as its column holds them. */
export function parse(text: string | null | undefined): StoredAttribute[] {
  return text === null || text === undefined ? [] : (JSON.parse(text) as StoredAttribute[]);
}
