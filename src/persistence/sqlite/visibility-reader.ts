/**
 * Lists and counts. A list's order is that of an index, and a page continues behind the last row's sort key; nothing is ever skipped
 * by counting. A condition that few rows meet leads instead: its rows are read by its own index and sorted (visibility-plan.ts).
 */
import { createHash } from "node:crypto";
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Field, VisibilityOrder } from "../../core/visibility/query.js";
import type { AttributeValue, VisibilityRow } from "../../core/visibility/row.js";
import type { VisibilityPage, VisibilityQuery, VisibilityReader } from "../visibility.js";
import { type Choice, chosen, type Statement } from "./choice.js";
import { parse, tableOf } from "./visibility.js";
import { COLUMN, Compiler, onlyClosed, onlyOpen } from "./visibility-filter.js";
import { type Lead, type OneValue, onlyValue, planOf, type Way } from "./visibility-plan.js";

const FIELD_COUNT = 20;
const FIELDS = `v.key, v.namespace, v.workflow_id, v.run_id, v.workflow_type, v.task_queue, v.status, v.start_time, v.execution_time, v.close_time,
  v.history_length, v.history_size, v.state_transition_count, v.parent_workflow_id, v.parent_run_id, v.root_workflow_id, v.root_run_id, v.memo, v.search_attributes, v.attributes`;

interface Position {
  hash: string;
  /** Index of the part of the list that the last row came from. */
  part: number;
  values: (string | number | null)[];
  key: number;
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
  /** `choose`: in one snapshot, and one trip to where statements run. */
  constructor(
    private readonly run: (sql: string, params: readonly unknown[]) => Promise<unknown[][]>,
    private readonly choose: (choice: Choice) => Promise<unknown[][]> = async (choice) => {
      const [counts = []] = await run(choice.probe.sql, choice.probe.params);
      const { sql, params } = chosen(choice, counts);
      return run(sql, params);
    },
  ) {}

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
    const unneeded = onlyOpen(query.filter) ? CLOSED : onlyClosed(query.filter) ? OPEN : undefined;
    const needed = parts.map((part, i) => ({ part, i })).filter(({ part, i }) => i >= first && part !== unneeded);
    if (needed.length === 0) return { rows: [], next: undefined };
    const statement = (way: Way | undefined): Statement => {
      const statements = needed.map(({ part, i }) => part(query, i, i === first ? position : undefined, pageSize + 1, way));
      const only = statements.length === 1 ? statements[0] : undefined;
      const sql = only?.sql ?? `${statements.map((s) => `SELECT * FROM (${s.sql})`).join(" UNION ALL ")} LIMIT ${pageSize + 1}`;
      return { sql, params: statements.flatMap((s) => s.params) };
    };
    const value = keys === 0 ? onlyValue(query) : undefined;
    const plan = keys === 0 && value === undefined ? planOf(query) : undefined;
    let found: unknown[][];
    if (plan === undefined) {
      const { sql, params } = statement(value === undefined ? undefined : { value, set: undefined });
      found = await this.run(sql, params);
    } else found = await this.choose({ probe: plan.probe, groups: plan.groups, options: [statement(undefined), ...plan.ways.map(statement)] });
    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    const rows = page.map((r) => toRow(r.slice(1)));
    if (found.length <= pageSize || last === undefined) return { rows, next: undefined };
    const values = last.slice(FIELD_COUNT + 1) as (string | number | null)[];
    return { rows, next: token({ hash, part: last[0] as number, values, key: last[1] as number }) };
  }

  async count(query: VisibilityQuery): Promise<number> {
    const c = new Compiler(query.namespaceKey);
    const rows = await this.run(`SELECT count(*) FROM visibility v WHERE ${c.whereCounted(query)}`, c.params);
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

type Part = (query: VisibilityQuery, index: number, position: Position | undefined, limit: number, way: Way | undefined) => Statement;

/** The rows of a part in the default order; with a sort key, those that have no value of it. */
function inDefaultOrder(isClosed: boolean): Part {
  return (query, index, position, limit, way) => {
    const c = new Compiler(query.namespaceKey, true);
    const order = query.orderBy[0];
    if (way !== undefined && "lead" in way) return ledBy(way.lead, isClosed, query, index, position, limit);
    const { from, by, isPart } = way === undefined ? byTime(isClosed) : byValue(isClosed, way, query.namespaceKey, c);
    let where = `${c.where(query)} AND ${isPart}`;
    if (order !== undefined) where += ` AND ${c.filter({ op: "isNull", field: order.field, negated: false })}`;
    if (position !== undefined) {
      where += ` AND (${by.join(", ")}) < (${by.map(() => "?").join(", ")})`;
      c.params.push(...position.values.slice(isClosed ? 0 : 1, 2), position.key);
    }
    c.params.push(limit);
    return {
      sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time AS close_key, v.start_time AS start_key${order === undefined ? "" : ", NULL"} FROM ${from} WHERE ${where} ORDER BY ${by.map((e) => `${e} DESC`).join(", ")} LIMIT ?`,
      params: c.params,
    };
  };
}

interface Source {
  readonly from: string;
  readonly by: readonly string[];
  readonly isPart: string;
}

/** The index of the order itself. */
function byTime(isClosed: boolean): Source {
  return {
    from: `visibility v INDEXED BY ${isClosed ? "visibility_closed" : "visibility_open"}`,
    by: isClosed ? ["v.close_time", "v.start_time", "v.key"] : ["v.start_time", "v.key"],
    isPart: `v.close_time IS ${isClosed ? "NOT " : ""}NULL`,
  };
}

/** The range of an attribute's value, which has the order behind it; of it the rows that are in a set. */
function byValue(
  isClosed: boolean,
  { value: { field, value }, set }: { value: OneValue; set: Lead | undefined },
  namespace: number,
  c: Compiler,
): Source {
  c.params.push(namespace, field.id, typeof value === "boolean" ? Number(value) : value, ...(set?.params ?? []));
  const on = `o.namespace = ? AND o.attribute = ? AND o.value = ? AND o.close_time ${isClosed ? "> 0" : "= 0"}${set === undefined ? "" : ` AND o.key IN (${set.sql})`}`;
  return {
    from: `(SELECT o.close_time, o.start_time, o.key FROM ${tableOf(field.type)} o WHERE ${on}) o CROSS JOIN visibility v ON v.key = o.key`,
    by: isClosed ? ["o.close_time", "o.start_time", "o.key"] : ["o.start_time", "o.key"],
    isPart: "1",
  };
}

/** The rows of the condition that leads, sorted by their keys alone: the page's are read in full afterwards. */
function ledBy(lead: Lead, isClosed: boolean, query: VisibilityQuery, index: number, position: Position | undefined, limit: number): Statement {
  const c = new Compiler(query.namespaceKey, true);
  c.params.push(...lead.params);
  const by = isClosed ? ["v.close_time", "v.start_time", "v.key"] : ["v.start_time", "v.key"];
  let where = `${c.where(query)} AND v.close_time IS ${isClosed ? "NOT " : ""}NULL`;
  if (position !== undefined) {
    where += ` AND (${by.join(", ")}) < (${by.map(() => "?").join(", ")})`;
    c.params.push(...position.values.slice(isClosed ? 0 : 1, 2), position.key);
  }
  c.params.push(limit);
  const order = (alias: string): string => by.map((e) => `${e.replace("v.", alias)} DESC`).join(", ");
  const keys = `SELECT v.close_time, v.start_time, v.key FROM (${lead.sql}) l CROSS JOIN visibility v ON v.key = l.key WHERE ${where} ORDER BY ${order("v.")} LIMIT ?`;
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time AS close_key, v.start_time AS start_key FROM (${keys}) w CROSS JOIN visibility v ON v.key = w.key ORDER BY ${order("w.")}`,
    params: c.params,
  };
}

const OPEN = inDefaultOrder(false);
const CLOSED = inDefaultOrder(true);

/** The rows that have a value of the only sort key: the range of its index, when it is an attribute. */
const VALUED: Part = (query, index, position, limit) => {
  const c = new Compiler(query.namespaceKey, true);
  const { field, descending } = query.orderBy[0] as VisibilityOrder;
  const direction = descending ? "DESC" : "ASC";
  let from = "visibility v";
  let by: string[];
  let where: string;
  if (field.kind === "attribute") {
    from = `${tableOf(field.type)} a CROSS JOIN visibility v ON v.key = a.key`;
    by = ["a.value", "a.close_time", "a.start_time", "a.key"];
    c.params.push(query.namespaceKey, field.id);
    where = `a.namespace = ? AND a.attribute = ? AND ${c.where(query)}`;
  } else {
    by = [COLUMN[field.column.column], "v.key"];
    where = `${c.where(query)} AND ${by[0]} IS NOT NULL`;
  }
  if (position !== undefined) {
    const [close, start, value] = position.values;
    where += ` AND (${by.join(", ")}) ${descending ? "<" : ">"} (${by.map(() => "?").join(", ")})`;
    c.params.push(value, ...(by.length === 2 ? [] : [close ?? 0, start]), position.key);
  }
  c.params.push(limit);
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time, v.start_time, ${by[0]} FROM ${from} WHERE ${where} ORDER BY ${by.map((e) => `${e} ${direction}`).join(", ")} LIMIT ?`,
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
