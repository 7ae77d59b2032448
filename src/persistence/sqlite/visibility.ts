/**
 * Visibility in SQLite. System fields are columns of one row with four indexes: open ones by start, closed ones by close (both
 * partial), workflow id, type and status. Custom values are rows in one table per type, only for attributes that an execution has:
 * a new attribute needs no DDL, an unused one costs nothing. Texts are indexed by their words, cut by the same tokenizer as in
 * memory. Pages continue after the last row's sort key; nothing is ever skipped by counting.
 */
import { createHash } from "node:crypto";
import type Database from "better-sqlite3";
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { SystemColumn } from "../../core/visibility/attributes.js";
import { type Field, type Scalar, type VisibilityFilter, type VisibilityOrder, tokens } from "../../core/visibility/query.js";
import type { AttributeValue, VisibilityRow } from "../../core/visibility/row.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Batch } from "../batch.js";
import type { VisibilityPage, VisibilityQuery, VisibilityReader } from "../visibility.js";

const VALUE_TABLES = ["keyword", "int", "double", "bool", "datetime", "text"] as const;

export const VISIBILITY_SCHEMA = `
  CREATE TABLE visibility (
    key INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL, workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL, status INTEGER NOT NULL, start_time INTEGER NOT NULL, execution_time INTEGER NOT NULL, close_time INTEGER,
    history_length INTEGER, history_size INTEGER, state_transition_count INTEGER,
    parent_workflow_id TEXT, parent_run_id TEXT, root_workflow_id TEXT NOT NULL, root_run_id TEXT NOT NULL,
    memo BLOB, search_attributes BLOB, attributes TEXT);
  CREATE INDEX visibility_open ON visibility (namespace, start_time, key) WHERE close_time IS NULL;
  CREATE INDEX visibility_closed ON visibility (namespace, close_time, start_time, key) WHERE close_time IS NOT NULL;
  CREATE INDEX visibility_workflow_id ON visibility (namespace, workflow_id);
  CREATE INDEX visibility_type_status ON visibility (namespace, workflow_type, status, start_time);
  ${VALUE_TABLES.map((t) => `CREATE TABLE visibility_${t} (attribute INTEGER NOT NULL, value NOT NULL, key INTEGER NOT NULL, namespace INTEGER NOT NULL, PRIMARY KEY (namespace, attribute, value, key)) WITHOUT ROWID;`).join("\n  ")}
`;

function tableOf(type: number): string {
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
  if (type === T.TEXT) return tokens(String(value));
  if (Array.isArray(value)) return [...new Set(value as string[])];
  return [typeof value === "boolean" ? Number(value) : (value as string | number)];
}

type StoredAttribute = { id: number; type: number; value: AttributeValue };

export class SqliteVisibilityWriter {
  private readonly insert: Database.Statement;
  private readonly update: Database.Statement;
  private readonly remove: Database.Statement;
  private readonly attributes: Database.Statement;
  private readonly valueStatements = new Map<string, { insert: Database.Statement; remove: Database.Statement }>();

  constructor(private readonly db: Database.Database) {
    this.insert = db.prepare("INSERT INTO visibility VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    // What never changes after the start is not written again.
    this.update = db.prepare(`UPDATE visibility SET task_queue = ?, status = ?, close_time = ?, history_length = ?, history_size = ?,
      state_transition_count = ?, memo = ?, search_attributes = ?, attributes = ? WHERE key = ?`);
    this.remove = db.prepare("DELETE FROM visibility WHERE key = ?");
    this.attributes = db.prepare("SELECT attributes FROM visibility WHERE key = ?").pluck();
  }

  private values(type: number): { insert: Database.Statement; remove: Database.Statement } {
    const table = tableOf(type);
    let s = this.valueStatements.get(table);
    if (s === undefined) {
      s = {
        insert: this.db.prepare(`INSERT OR IGNORE INTO ${table} (attribute, value, key, namespace) VALUES (?, ?, ?, ?)`),
        remove: this.db.prepare(`DELETE FROM ${table} WHERE namespace = ? AND attribute = ? AND value = ? AND key = ?`),
      };
      this.valueStatements.set(table, s);
    }
    return s;
  }

  write(ops: Batch["visibility"]): void {
    for (const [key, op] of ops) {
      if (op.op === "delete") {
        this.replaceValues(key, op.namespaceKey, this.stored(key), []);
        this.remove.run(key);
        continue;
      }
      const r = op.row;
      const isOpen = r.closeTime === 0;
      const closed = (v: number): number | null => (isOpen ? null : v);
      const attributes = r.attributes.length === 0 ? null : JSON.stringify(r.attributes);
      const memo = r.memo.length === 0 ? null : r.memo;
      const searchAttributes = r.searchAttributes.length === 0 ? null : r.searchAttributes;
      if (op.op === "insert") {
        this.insert.run(
          key, r.namespaceKey, r.workflowId, r.runId, r.workflowType, r.taskQueue, r.status, r.startTime, r.executionTime, closed(r.closeTime),
          closed(r.historyLength), closed(r.historySizeBytes), closed(r.stateTransitionCount),
          r.parentWorkflowId === "" ? null : r.parentWorkflowId, r.parentRunId === "" ? null : r.parentRunId, r.rootWorkflowId, r.rootRunId,
          memo, searchAttributes, attributes,
        );
        if (attributes !== null) this.replaceValues(key, r.namespaceKey, [], r.attributes);
        continue;
      }
      const old = this.attributes.get(key) as string | null | undefined;
      if (old !== attributes) this.replaceValues(key, r.namespaceKey, parse(old), r.attributes);
      this.update.run(r.taskQueue, r.status, closed(r.closeTime), closed(r.historyLength), closed(r.historySizeBytes), closed(r.stateTransitionCount), memo, searchAttributes, attributes, key);
    }
  }

  private stored(key: number): StoredAttribute[] {
    return parse(this.attributes.get(key) as string | null | undefined);
  }

  private replaceValues(key: number, namespace: number, old: readonly StoredAttribute[], next: readonly StoredAttribute[]): void {
    for (const a of old) for (const v of storedValues(a.type, a.value)) this.values(a.type).remove.run(namespace, a.id, v, key);
    for (const a of next) for (const v of storedValues(a.type, a.value)) this.values(a.type).insert.run(a.id, v, key, namespace);
  }
}

function parse(text: string | null | undefined): StoredAttribute[] {
  return text === null || text === undefined ? [] : (JSON.parse(text) as StoredAttribute[]);
}

/** Nothing to merge: words are rows of an ordinary table. */
export function mergeText(_db: Database.Database): void {}

const COLUMN: Readonly<Record<SystemColumn["column"], string>> = {
  key: "v.key",
  namespaceKey: "v.namespace",
  workflowId: "v.workflow_id",
  runId: "v.run_id",
  workflowType: "v.workflow_type",
  taskQueue: "v.task_queue",
  status: "v.status",
  startTime: "v.start_time",
  executionTime: "v.execution_time",
  closeTime: "v.close_time",
  historyLength: "v.history_length",
  historySizeBytes: "v.history_size",
  stateTransitionCount: "v.state_transition_count",
  parentWorkflowId: "v.parent_workflow_id",
  parentRunId: "v.parent_run_id",
  rootWorkflowId: "v.root_workflow_id",
  rootRunId: "v.root_run_id",
  executionDuration: "(v.close_time - v.execution_time)",
  memo: "v.memo",
  searchAttributes: "v.search_attributes",
  attributes: "v.attributes",
};

const FIELDS = `v.key, v.namespace, v.workflow_id, v.run_id, v.workflow_type, v.task_queue, v.status, v.start_time, v.execution_time, v.close_time,
  v.history_length, v.history_size, v.state_transition_count, v.parent_workflow_id, v.parent_run_id, v.root_workflow_id, v.root_run_id, v.memo, v.search_attributes, v.attributes`;

/** SQL of a filter, with its parameters pushed in order. */
class Compiler {
  readonly params: unknown[] = [];

  constructor(private readonly namespace: number) {}

  private value(v: Scalar): string {
    this.params.push(typeof v === "boolean" ? Number(v) : v);
    return "?";
  }

  filter(f: VisibilityFilter): string {
    switch (f.op) {
      case "never":
        return "0";
      case "and":
        return `(${f.args.map((a) => this.filter(a)).join(" AND ")})`;
      case "or":
        return `(${f.args.map((a) => this.filter(a)).join(" OR ")})`;
      case "isNull":
        if (f.field.kind === "system") return `${COLUMN[f.field.column.column]} IS ${f.negated ? "NOT " : ""}NULL`;
        return `${f.negated ? "" : "NOT "}${this.exists(f.field)}`;
      default:
        return f.field.kind === "system" ? this.onColumn(f, COLUMN[f.field.column.column]) : this.onAttribute(f, f.field);
    }
  }

  private onColumn(f: Exclude<VisibilityFilter, { op: "and" | "or" | "never" | "isNull" }>, column: string): string {
    switch (f.op) {
      case "compare":
        return `${column} ${f.comparison} ${this.value(f.value)}`;
      case "in":
        return `${column} ${f.negated ? "NOT " : ""}IN (${f.values.map((v) => this.value(v)).join(", ")})`;
      case "between":
        return `${column} ${f.negated ? "NOT " : ""}BETWEEN ${this.value(f.low)} AND ${this.value(f.high)}`;
      case "startsWith": {
        const range = this.prefix(column, f.prefix);
        return f.negated ? `(${column} IS NOT NULL AND NOT ${range})` : range;
      }
      case "match":
        return "0";
    }
  }

  /** A range, so that an index serves it. */
  private prefix(column: string, prefix: string): string {
    if (prefix === "") return `${column} IS NOT NULL`;
    return `(${column} >= ${this.value(prefix)} AND ${column} < ${this.value(`${prefix}\u{10ffff}`)})`;
  }

  private exists(field: Extract<Field, { kind: "attribute" }>): string {
    this.params.push(this.namespace, field.id);
    return `EXISTS (SELECT 1 FROM ${tableOf(field.type)} a WHERE a.namespace = ? AND a.attribute = ? AND a.key = v.key)`;
  }

  /** Executions by their values: the set that an index gives, or for the opposite, the others that have a value. */
  private onAttribute(f: Exclude<VisibilityFilter, { op: "and" | "or" | "never" | "isNull" }>, field: Extract<Field, { kind: "attribute" }>): string {
    const table = tableOf(field.type);
    const keys = (condition: () => string): string => {
      this.params.push(this.namespace, field.id);
      return `(SELECT a.key FROM ${table} a WHERE a.namespace = ? AND a.attribute = ? AND ${condition()})`;
    };
    const negated = (inside: () => string): string => {
      const has = this.exists(field);
      return `(${has} AND v.key NOT IN ${keys(inside)})`;
    };
    switch (f.op) {
      case "compare":
        if (f.comparison === "!=") return negated(() => `a.value = ${this.value(f.value)}`);
        return `v.key IN ${keys(() => `a.value ${f.comparison} ${this.value(f.value)}`)}`;
      case "in": {
        const list = () => `a.value IN (${f.values.map((v) => this.value(v)).join(", ")})`;
        return f.negated ? negated(list) : `v.key IN ${keys(list)}`;
      }
      case "between": {
        const range = () => `a.value BETWEEN ${this.value(f.low)} AND ${this.value(f.high)}`;
        return f.negated ? negated(range) : `v.key IN ${keys(range)}`;
      }
      case "startsWith": {
        const range = () => this.prefix("a.value", f.prefix);
        return f.negated ? negated(range) : `v.key IN ${keys(range)}`;
      }
      case "match": {
        const list = () => `a.value IN (${f.tokens.map((t) => this.value(t)).join(", ")})`;
        return f.negated ? negated(list) : `v.key IN ${keys(list)}`;
      }
    }
  }

  /** The value that rows are sorted by. */
  orderExpression(field: Field): string {
    if (field.kind === "system") return COLUMN[field.column.column];
    this.params.push(this.namespace, field.id);
    return `(SELECT a.value FROM ${tableOf(field.type)} a WHERE a.namespace = ? AND a.attribute = ? AND a.key = v.key LIMIT 1)`;
  }
}

interface Position {
  hash: string;
  /** Default order: whether the closed ones have begun. */
  closed: boolean;
  values: (Scalar | null)[];
  key: number;
}

export class SqliteVisibilityReader implements VisibilityReader {
  constructor(private readonly run: (sql: string, params: unknown[]) => Promise<unknown[][]>) {}

  async list(query: VisibilityQuery, pageSize: number, after: Uint8Array | undefined): Promise<VisibilityPage> {
    const hash = createHash("sha256").update(JSON.stringify([query.filter, query.orderBy, query.namespaceKey])).digest("base64url").slice(0, 12);
    const position = after === undefined ? undefined : parsePosition(after, hash);
    return query.orderBy.length === 0 ? this.defaultOrder(query, pageSize, position, hash) : this.ordered(query, pageSize, position, hash);
  }

  private async defaultOrder(query: VisibilityQuery, pageSize: number, position: Position | undefined, hash: string): Promise<VisibilityPage> {
    const rows: VisibilityRow[] = [];
    for (const closed of [false, true]) {
      if (position?.closed === true && !closed) continue;
      const c = new Compiler(query.namespaceKey);
      c.params.push(query.namespaceKey);
      let where = `v.namespace = ? AND v.close_time IS ${closed ? "NOT " : ""}NULL`;
      if (query.filter !== undefined) where += ` AND ${c.filter(query.filter)}`;
      if (position !== undefined && position.closed === closed) {
        if (closed) {
          where += " AND (v.close_time, v.start_time, v.key) < (?, ?, ?)";
          c.params.push(position.values[0], position.values[1], position.key);
        } else {
          where += " AND (v.start_time, v.key) < (?, ?)";
          c.params.push(position.values[1], position.key);
        }
      }
      const order = closed ? "v.close_time DESC, v.start_time DESC, v.key DESC" : "v.start_time DESC, v.key DESC";
      c.params.push(pageSize + 1 - rows.length);
      const found = await this.run(`SELECT ${FIELDS} FROM visibility v WHERE ${where} ORDER BY ${order} LIMIT ?`, c.params);
      rows.push(...found.map(toRow));
      if (rows.length > pageSize) break;
    }
    const page = rows.slice(0, pageSize);
    const last = page.at(-1);
    const next = rows.length > pageSize && last !== undefined ? token({ hash, closed: last.closeTime !== 0, values: [last.closeTime, last.startTime], key: last.key }) : undefined;
    return { rows: page, next };
  }

  private async ordered(query: VisibilityQuery, pageSize: number, position: Position | undefined, hash: string): Promise<VisibilityPage> {
    const c = new Compiler(query.namespaceKey);
    const expressions = query.orderBy.map((o, i) => ({ sql: `${c.orderExpression(o.field)} AS o${i}`, order: o }));
    c.params.push(query.namespaceKey);
    let where = "v.namespace = ?";
    if (query.filter !== undefined) where += ` AND ${c.filter(query.filter)}`;
    const names = expressions.map((_, i) => `o${i}`);
    let outer = "1";
    if (position !== undefined) outer = this.after(query.orderBy, names, position, c.params);
    c.params.push(pageSize + 1);
    const order = [...query.orderBy.map((o, i) => `o${i} IS NULL, o${i} ${o.descending ? "DESC" : "ASC"}`), "key DESC"].join(", ");
    const sql = `SELECT * FROM (SELECT ${FIELDS}, ${expressions.map((e) => e.sql).join(", ")} FROM visibility v WHERE ${where}) WHERE ${outer} ORDER BY ${order} LIMIT ?`;
    const found = await this.run(sql, c.params);
    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    const next = found.length > pageSize && last !== undefined ? token({ hash, closed: false, values: last.slice(-names.length) as (Scalar | null)[], key: last[0] as number }) : undefined;
    return { rows: page.map(toRow), next };
  }

  /** Rows behind the position: by the first sort key that differs; those without a value come last. */
  private after(orders: readonly VisibilityOrder[], names: readonly string[], position: Position, params: unknown[]): string {
    const ways: string[] = [];
    for (let i = 0; i <= names.length; i++) {
      const parts: string[] = [];
      for (let j = 0; j < i; j++) {
        const v = position.values[j] ?? null;
        if (v === null) parts.push(`${names[j]} IS NULL`);
        else {
          parts.push(`${names[j]} = ?`);
          params.push(v);
        }
      }
      if (i === names.length) {
        parts.push("key < ?");
        params.push(position.key);
      } else {
        const v = position.values[i] ?? null;
        if (v === null) continue;
        parts.push(`(${names[i]} IS NULL OR ${names[i]} ${orders[i]?.descending === true ? "<" : ">"} ?)`);
        params.push(v);
      }
      ways.push(`(${parts.join(" AND ")})`);
    }
    return `(${ways.join(" OR ")})`;
  }

  async count(query: VisibilityQuery): Promise<number> {
    const c = new Compiler(query.namespaceKey);
    c.params.push(query.namespaceKey);
    let where = "v.namespace = ?";
    if (query.filter !== undefined) where += ` AND ${c.filter(query.filter)}`;
    const rows = await this.run(`SELECT count(*) FROM visibility v WHERE ${where}`, c.params);
    return rows[0]?.[0] as number;
  }

  async countGroups(query: VisibilityQuery, groupBy: readonly Field[]): Promise<{ values: (AttributeValue | undefined)[]; count: number }[]> {
    const c = new Compiler(query.namespaceKey);
    const expressions = groupBy.map((f, i) => `${c.orderExpression(f)} AS g${i}`);
    c.params.push(query.namespaceKey);
    let where = "v.namespace = ?";
    if (query.filter !== undefined) where += ` AND ${c.filter(query.filter)}`;
    const names = groupBy.map((_, i) => `g${i}`).join(", ");
    const rows = await this.run(`SELECT ${expressions.join(", ")}, count(*) AS n FROM visibility v WHERE ${where} GROUP BY ${names} ORDER BY n DESC, ${names}`, c.params);
    return rows.map((r) => ({
      values: groupBy.map((f, i) => {
        const v = r[i] as string | number | null;
        if (v === null) return undefined;
        return f.kind === "attribute" && f.type === T.BOOL ? v === 1 : v;
      }),
      count: r.at(-1) as number,
    }));
  }
}

function token(p: Position): Uint8Array {
  return Buffer.from(JSON.stringify(p));
}

function parsePosition(bytes: Uint8Array, hash: string): Position {
  let p: Position | undefined;
  try {
    p = JSON.parse(Buffer.from(bytes).toString()) as Position;
  } catch {
    // Not a token of ours.
  }
  if (p === undefined || p === null || typeof p.key !== "number" || !Array.isArray(p.values)) throw invalidArgument("invalid page token");
  if (p.hash !== hash) throw invalidArgument("page token is of another query");
  return p;
}

function toRow(r: unknown[]): VisibilityRow {
  const [key, namespaceKey, workflowId, runId, workflowType, taskQueue, status, startTime, executionTime, closeTime, historyLength, historySizeBytes, stateTransitionCount, parentWorkflowId, parentRunId, rootWorkflowId, rootRunId, memo, searchAttributes, attributes] =
    r as [number, number, string, string, string, string, number, number, number, number | null, number | null, number | null, number | null, string | null, string | null, string, string, Uint8Array | null, Uint8Array | null, string | null];
  return {
    key, namespaceKey, workflowId, runId, workflowType, taskQueue, status, startTime, executionTime,
    closeTime: closeTime ?? 0,
    historyLength: historyLength ?? 0,
    historySizeBytes: historySizeBytes ?? 0,
    stateTransitionCount: stateTransitionCount ?? 0,
    parentWorkflowId: parentWorkflowId ?? "",
    parentRunId: parentRunId ?? "",
    rootWorkflowId, rootRunId,
    memo: memo ?? new Uint8Array(0),
    searchAttributes: searchAttributes ?? new Uint8Array(0),
    attributes: parse(attributes),
  };
}
