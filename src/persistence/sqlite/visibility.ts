/**
 * Visibility in SQLite. System fields are columns of one row with four indexes: open ones by start, closed ones by close (both
 * partial), workflow id, type and status. Custom values are rows in one table per type, only for attributes that an execution has:
 * a new attribute needs no DDL, an unused one costs nothing. Texts are indexed by their words, cut by the same tokenizer as in
 * memory. The division that hides a row from most queries is a column too, so that counts stay inside one index. Pages continue after the last row's sort key; nothing is ever skipped by counting.
 */
import { createHash } from "node:crypto";
import type Database from "better-sqlite3";
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { invalidArgument } from "../../api/service-error.js";
import { DIVISION, PREDEFINED, type SystemColumn } from "../../core/visibility/attributes.js";
import { isNegatedSearch } from "../../core/visibility/evaluate.js";
import { type Field, type Scalar, tokens, type VisibilityFilter, type VisibilityOrder } from "../../core/visibility/query.js";
import type { AttributeValue, VisibilityRow } from "../../core/visibility/row.js";
import type { Batch } from "../batch.js";
import type { VisibilityPage, VisibilityQuery, VisibilityReader } from "../visibility.js";

const VALUE_TABLES = ["keyword", "int", "double", "bool", "datetime", "text"] as const;

export const VISIBILITY_SCHEMA = `
  CREATE TABLE visibility (
    key INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL, workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL, status INTEGER NOT NULL, division TEXT, start_time INTEGER NOT NULL, execution_time INTEGER NOT NULL, close_time INTEGER,
    history_length INTEGER, history_size INTEGER, state_transition_count INTEGER,
    parent_workflow_id TEXT, parent_run_id TEXT, root_workflow_id TEXT NOT NULL, root_run_id TEXT NOT NULL,
    memo BLOB, search_attributes BLOB, attributes TEXT);
  CREATE INDEX visibility_open ON visibility (namespace, start_time, key) WHERE close_time IS NULL;
  CREATE INDEX visibility_closed ON visibility (namespace, close_time, start_time, key) WHERE close_time IS NOT NULL;
  CREATE INDEX visibility_workflow_id ON visibility (namespace, workflow_id);
  CREATE INDEX visibility_type_status ON visibility (namespace, workflow_type, status, division);
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
  // The empty word says that there is a text, even one without words.
  if (type === T.TEXT) return ["", ...tokens(String(value))];
  if (Array.isArray(value)) return [...new Set(value as string[])];
  return [typeof value === "boolean" ? Number(value) : (value as string | number)];
}

const DIVISION_ID = PREDEFINED.get(DIVISION)?.id;

type StoredAttribute = { id: number; type: number; value: AttributeValue };

export class SqliteVisibilityWriter {
  private readonly insert: Database.Statement;
  private readonly update: Database.Statement;
  private readonly remove: Database.Statement;
  private readonly attributes: Database.Statement;
  private readonly valueStatements = new Map<string, { insert: Database.Statement; remove: Database.Statement }>();

  constructor(private readonly db: Database.Database) {
    this.insert = db.prepare("INSERT INTO visibility VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    // What never changes after the start is not written again.
    this.update = db.prepare(`UPDATE visibility SET task_queue = ?, status = ?, division = ?, close_time = ?, history_length = ?, history_size = ?,
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
      const division = (r.attributes.find((a) => a.id === DIVISION_ID)?.value as string | undefined) ?? null;
      if (op.op === "put") {
        const old = this.attributes.get(key) as string | null | undefined;
        if (old !== undefined) {
          if (old !== attributes) this.replaceValues(key, r.namespaceKey, parse(old), r.attributes);
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
      if (attributes !== null) this.replaceValues(key, r.namespaceKey, [], r.attributes);
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

const FIELD_COUNT = 20;
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

  where(query: VisibilityQuery): string {
    this.params.push(query.namespaceKey);
    return query.filter === undefined ? "v.namespace = ?" : `v.namespace = ? AND ${this.filter(query.filter)}`;
  }

  filter(f: VisibilityFilter): string {
    switch (f.op) {
      case "never":
        return "0";
      case "and":
      case "or":
        return this.combine(f.op.toUpperCase(), f.args);
      case "isNull":
        if (f.field.kind === "system") return `${COLUMN[f.field.column.column]} IS ${f.negated ? "NOT " : ""}NULL`;
        if (f.field.id === DIVISION_ID) return `v.division IS ${f.negated ? "NOT " : ""}NULL`;
        return `v.key ${f.negated ? "" : "NOT "}IN ${this.keys(f.field)}`;
      default:
        return f.field.kind === "system" ? this.onColumn(f, COLUMN[f.field.column.column]) : this.onAttribute(f, f.field);
    }
  }

  /** As a balanced tree: SQLite refuses expressions deeper than 1,000. */
  private combine(operator: string, filters: readonly VisibilityFilter[]): string {
    if (filters.length === 1) return this.filter(filters[0] as VisibilityFilter);
    const half = filters.length >> 1;
    return `(${this.combine(operator, filters.slice(0, half))} ${operator} ${this.combine(operator, filters.slice(half))})`;
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

  /** Keys of the rows that have the attribute, with a value that meets the condition. A set is made once; a lookup by key has no index. */
  private keys(field: Attribute, condition?: () => string): string {
    this.params.push(this.namespace, field.id);
    const where = condition === undefined ? "" : ` AND ${condition()}`;
    return `(SELECT a.key FROM ${tableOf(field.type)} a WHERE a.namespace = ? AND a.attribute = ?${where})`;
  }

  private onAttribute(f: Exclude<VisibilityFilter, { op: "and" | "or" | "never" | "isNull" }>, field: Attribute): string {
    const keys = (condition: () => string): string => this.keys(field, condition);
    const negated = (inside: () => string): string => {
      if (isNegatedSearch(f, field.type)) return `v.key NOT IN ${this.keys(field, inside)}`;
      return `v.key IN ${this.keys(field, () => `NOT (${inside()})`)}`;
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
}

type Attribute = Extract<Field, { kind: "attribute" }>;

interface Position {
  hash: string;
  /** Index of the part of the list that the last row came from. */
  part: number;
  values: (string | number | null)[];
  key: number;
}

/** A statement's text with its parameters in the order of their places. */
interface Statement {
  sql: string;
  params: unknown[];
}

/** Values of the sort keys by row, joined as sets: no table is read by key. */
function joined(fields: readonly Field[], c: Compiler, namespace: number): { from: string; expressions: string[] } {
  let from = "visibility v";
  const expressions = fields.map((f, i) => {
    if (f.kind === "system") return COLUMN[f.column.column];
    c.params.push(namespace, f.id);
    from += ` LEFT JOIN (SELECT key, value FROM ${tableOf(f.type)} WHERE namespace = ? AND attribute = ?) j${i} ON j${i}.key = v.key`;
    return `j${i}.value`;
  });
  return { from, expressions };
}

export class SqliteVisibilityReader implements VisibilityReader {
  constructor(private readonly run: (sql: string, params: unknown[]) => Promise<unknown[][]>) {}

  /** One statement, and so one snapshot, though a list has parts of different order: a run that closes meanwhile is in one of them. */
  async list(query: VisibilityQuery, pageSize: number, after: Uint8Array | undefined): Promise<VisibilityPage> {
    const hash = createHash("sha256")
      .update(JSON.stringify([query.filter, query.orderBy, query.namespaceKey]))
      .digest("base64url")
      .slice(0, 12);
    const keys = query.orderBy.length;
    const parts = keys === 0 ? [OPEN, CLOSED] : keys === 1 ? [VALUED, OPEN, CLOSED] : [MIXED];
    const position = after === undefined ? undefined : parsePosition(after, hash, keys, parts.length);
    const first = position?.part ?? 0;
    const unneeded = onlyOpen(query.filter) ? CLOSED : undefined;
    const statements = parts
      .map((part, i) => ({ part, i }))
      .filter(({ part, i }) => i >= first && part !== unneeded)
      .map(({ part, i }) => part(query, i, i === first ? position : undefined, pageSize + 1));
    if (statements.length === 0) return { rows: [], next: undefined };
    const sql =
      statements.length === 1
        ? (statements[0] as Statement).sql
        : `${statements.map((s) => `SELECT * FROM (${s.sql})`).join(" UNION ALL ")} LIMIT ${pageSize + 1}`;
    const found = await this.run(
      sql,
      statements.flatMap((s) => s.params),
    );
    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    const rows = page.map((r) => toRow(r.slice(1)));
    if (found.length <= pageSize || last === undefined) return { rows, next: undefined };
    const values = last.slice(FIELD_COUNT + 1) as (string | number | null)[];
    return { rows, next: token({ hash, part: last[0] as number, values, key: last[1] as number }) };
  }

  async count(query: VisibilityQuery): Promise<number> {
    const c = new Compiler(query.namespaceKey);
    const rows = await this.run(`SELECT count(*) FROM visibility v WHERE ${c.where(query)}`, c.params);
    return rows[0]?.[0] as number;
  }

  async countGroups(query: VisibilityQuery, groupBy: readonly Field[]): Promise<{ values: (AttributeValue | undefined)[]; count: number }[]> {
    const c = new Compiler(query.namespaceKey);
    const { from, expressions } = joined(groupBy, c, query.namespaceKey);
    const by = expressions.join(", ");
    const rows = await this.run(`SELECT ${by}, count(*) FROM ${from} WHERE ${c.where(query)} GROUP BY ${by}`, c.params);
    const groups = rows.map((r) => ({
      values: groupBy.map((f, i) => {
        const v = r[i] as string | number | null;
        if (v === null) return undefined;
        return f.kind === "attribute" && f.type === T.BOOL ? v === 1 : v;
      }),
      count: r.at(-1) as number,
    }));
    return groups.sort((a, b) => b.count - a.count || (JSON.stringify(a.values) < JSON.stringify(b.values) ? -1 : 1));
  }
}

const OPEN_STATUSES: ReadonlySet<Scalar> = new Set([WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.PAUSED]);

/** Whether only open runs can match: then the closed ones, which are many, need not be read. */
function onlyOpen(filter: VisibilityFilter | undefined): boolean {
  if (filter?.op === "and") return filter.args.some(onlyOpen);
  if (filter?.op !== "compare" && filter?.op !== "in") return false;
  if (filter.field.kind !== "system" || filter.field.column.column !== "status") return false;
  return filter.op === "compare"
    ? filter.comparison === "=" && OPEN_STATUSES.has(filter.value)
    : !filter.negated && filter.values.every((v) => OPEN_STATUSES.has(v));
}

/**
 * The table with the index that a list shall use. SQLite has no statistics and prefers the index that gives the order, which would
 * read every run of the namespace for the few that have a workflow id or an attribute's value.
 */
function tableFor(filter: VisibilityFilter | undefined): string {
  const conditions = filter?.op === "and" ? filter.args : filter === undefined ? [] : [filter];
  const isPositive = (f: VisibilityFilter): boolean =>
    (f.op === "compare" && f.comparison === "=") ||
    ((f.op === "in" || f.op === "match") && !f.negated) ||
    (f.op === "startsWith" && !f.negated && f.prefix !== "");
  const selective = conditions.filter(isPositive) as Extract<VisibilityFilter, { field: Field }>[];
  if (selective.some((f) => f.field.kind === "system" && f.field.column.column === "workflowId"))
    return "visibility v INDEXED BY visibility_workflow_id";
  return selective.some((f) => f.field.kind === "attribute") ? "visibility v NOT INDEXED" : "visibility v";
}

type Part = (query: VisibilityQuery, index: number, position: Position | undefined, limit: number) => Statement;

/** The rows of a part in the default order; with a sort key, those that have no value of it. */
function inDefaultOrder(isClosed: boolean): Part {
  return (query, index, position, limit) => {
    const c = new Compiler(query.namespaceKey);
    const order = query.orderBy[0];
    const value = order === undefined ? "" : ", NULL";
    let where = `${c.where(query)} AND v.close_time IS ${isClosed ? "NOT " : ""}NULL`;
    if (order !== undefined) where += ` AND ${c.filter({ op: "isNull", field: order.field, negated: false })}`;
    const by = isClosed ? ["v.close_time", "v.start_time", "v.key"] : ["v.start_time", "v.key"];
    if (position !== undefined) {
      where += ` AND (${by.join(", ")}) < (${by.map(() => "?").join(", ")})`;
      c.params.push(...position.values.slice(isClosed ? 0 : 1, 2), position.key);
    }
    c.params.push(limit);
    return {
      sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time AS close_key, v.start_time AS start_key${value} FROM ${tableFor(query.filter)} WHERE ${where} ORDER BY ${by.map((e) => `${e} DESC`).join(", ")} LIMIT ?`,
      params: c.params,
    };
  };
}

const OPEN = inDefaultOrder(false);
const CLOSED = inDefaultOrder(true);

/** The rows that have a value of the only sort key: the range of its index, when it is an attribute. */
const VALUED: Part = (query, index, position, limit) => {
  const c = new Compiler(query.namespaceKey);
  const { field, descending } = query.orderBy[0] as VisibilityOrder;
  const direction = descending ? "DESC" : "ASC";
  let from = "visibility v";
  let value = "a.value";
  let key = "a.key";
  let where: string;
  if (field.kind === "attribute") {
    from = `${tableOf(field.type)} a CROSS JOIN visibility v ON v.key = a.key`;
    c.params.push(query.namespaceKey, field.id);
    where = `a.namespace = ? AND a.attribute = ? AND ${c.where(query)}`;
  } else {
    value = COLUMN[field.column.column];
    key = "v.key";
    where = `${c.where(query)} AND ${value} IS NOT NULL`;
  }
  if (position !== undefined) {
    where += ` AND (${value}, ${key}) ${descending ? "<" : ">"} (?, ?)`;
    c.params.push(position.values[2], position.key);
  }
  c.params.push(limit);
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time, v.start_time, ${value} FROM ${from} WHERE ${where} ORDER BY ${value} ${direction}, ${key} ${direction} LIMIT ?`,
    params: c.params,
  };
};

/** Several sort keys: all matching rows are sorted. */
const MIXED: Part = (query, index, position, limit) => {
  const c = new Compiler(query.namespaceKey);
  const orders = query.orderBy;
  const { from, expressions } = joined(
    orders.map((o) => o.field),
    c,
    query.namespaceKey,
  );
  let where = c.where(query);
  const isLastDescending = orders.at(-1)?.descending === true;
  if (position !== undefined) {
    // Rows behind the position: by the first sort key that differs; those without a value come last.
    const ways: string[] = [];
    for (let i = 0; i <= orders.length; i++) {
      const equal: string[] = [];
      const values: unknown[] = [];
      for (let j = 0; j < i; j++) {
        equal.push(`${expressions[j]} IS ?`);
        values.push(position.values[j + 2]);
      }
      if (i === orders.length) {
        equal.push(`v.key ${isLastDescending ? "<" : ">"} ?`);
        values.push(position.key);
      } else {
        if (position.values[i + 2] === null) continue;
        equal.push(`(${expressions[i]} IS NULL OR ${expressions[i]} ${orders[i]?.descending === true ? "<" : ">"} ?)`);
        values.push(position.values[i + 2]);
      }
      ways.push(`(${equal.join(" AND ")})`);
      c.params.push(...values);
    }
    where += ` AND (${ways.join(" OR ")})`;
  }
  c.params.push(limit);
  const by = [
    ...orders.map((o, i) => `${expressions[i]} IS NULL, ${expressions[i]} ${o.descending ? "DESC" : "ASC"}`),
    `v.key ${isLastDescending ? "DESC" : "ASC"}`,
  ];
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time, v.start_time, ${expressions.join(", ")} FROM ${from} WHERE ${where} ORDER BY ${by.join(", ")} LIMIT ?`,
    params: c.params,
  };
};

function token(p: Position): Uint8Array {
  return Buffer.from(JSON.stringify(p));
}

/** A position's values: close and start time, then those of the sort keys. */
function parsePosition(bytes: Uint8Array, hash: string, keys: number, parts: number): Position {
  let p: Position | undefined;
  try {
    p = JSON.parse(Buffer.from(bytes).toString()) as Position;
  } catch {
    // Not a token of ours.
  }
  const isValue = (v: unknown): boolean => v === null || typeof v === "string" || typeof v === "number";
  if (
    p === undefined ||
    p === null ||
    typeof p.key !== "number" ||
    !Array.isArray(p.values) ||
    p.values.length !== keys + 2 ||
    !p.values.every(isValue) ||
    !(p.part >= 0 && p.part < parts)
  )
    throw invalidArgument("invalid page token");
  if (p.hash !== hash) throw invalidArgument("page token is of another query");
  return p;
}

function toRow(r: unknown[]): VisibilityRow {
  const [
    key,
    namespaceKey,
    workflowId,
    runId,
    workflowType,
    taskQueue,
    status,
    startTime,
    executionTime,
    closeTime,
    historyLength,
    historySizeBytes,
    stateTransitionCount,
    parentWorkflowId,
    parentRunId,
    rootWorkflowId,
    rootRunId,
    memo,
    searchAttributes,
    attributes,
  ] = r as [
    number,
    number,
    string,
    string,
    string,
    string,
    number,
    number,
    number,
    number | null,
    number | null,
    number | null,
    number | null,
    string | null,
    string | null,
    string,
    string,
    Uint8Array | null,
    Uint8Array | null,
    string | null,
  ];
  return {
    key,
    namespaceKey,
    workflowId,
    runId,
    workflowType,
    taskQueue,
    status,
    startTime,
    executionTime,
    closeTime: closeTime ?? 0,
    historyLength: historyLength ?? 0,
    historySizeBytes: historySizeBytes ?? 0,
    stateTransitionCount: stateTransitionCount ?? 0,
    parentWorkflowId: parentWorkflowId ?? "",
    parentRunId: parentRunId ?? "",
    rootWorkflowId,
    rootRunId,
    memo: memo ?? new Uint8Array(0),
    searchAttributes: searchAttributes ?? new Uint8Array(0),
    attributes: parse(attributes),
  };
}
