/**
 * Lists and counts. A list's order is that of an index, and a page continues behind the last row's sort key; nothing is ever skipped
 * by counting. A condition that few rows meet leads instead: its rows are read by its own index and sorted (visibility-plan.ts).
 * Here: lists in the default order; those with ORDER BY: visibility-sorted.ts.
 */
import { createHash } from "node:crypto";
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { Field } from "../../core/visibility/query.js";
import type { AttributeValue } from "../../core/visibility/row.js";
import { byGroupValue, type VisibilityPage, type VisibilityQuery, type VisibilityReader } from "../visibility.js";
import { type Choice, chosen, type Statement } from "./choice.js";
import { orderText } from "./sort-order.js";
import type { SortTables } from "./sort-tables.js";
import { tableOf } from "./visibility.js";
import { Compiler, onlyClosed, onlyOpen } from "./visibility-filter.js";
import { FIELD_COUNT, FIELDS, type Part, type Position, parsePosition, token, toRow } from "./visibility-page.js";
import { type Lead, type OneValue, onlyValue, planOf, type Way } from "./visibility-plan.js";
import { joined, MIXED, VALUED, valueOfRow } from "./visibility-sorted.js";

export class SqliteVisibilityReader implements VisibilityReader {
  /** `choose`: in one snapshot, and one trip to where statements run. */
  constructor(
    private readonly run: (sql: string, params: readonly unknown[]) => Promise<unknown[][]>,
    private readonly choose: (choice: Choice) => Promise<unknown[][]> = async (choice) => {
      const [counts = []] = await run(choice.probe.sql, choice.probe.params);
      const { sql, params } = chosen(choice, counts);
      return run(sql, params);
    },
    private readonly sorts?: Pick<SortTables, "tableFor">,
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
    const needed = parts.map((part, i) => ({ part, i })).filter(({ part, i }) => i >= first && !isEmpty(part, query));
    if (needed.length === 0) return { rows: [], next: undefined };
    const order = orderText(query.orderBy);
    const table = order === undefined ? undefined : this.sorts?.tableFor(order);
    const statement = (way: Way | undefined): Statement => {
      const statements = needed.map(({ part, i }) => part(query, i, i === first ? position : undefined, pageSize + 1, { way, table }));
      const only = statements.length === 1 ? statements[0] : undefined;
      const sql = only?.sql ?? `${statements.map((s) => `SELECT * FROM (${s.sql})`).join(" UNION ALL ")} LIMIT ${pageSize + 1}`;
      return { sql, params: statements.flatMap((s) => s.params) };
    };
    const value = keys === 0 ? onlyValue(query) : undefined;
    const plan = value === undefined ? planOf(query, table !== undefined) : undefined;
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
    return groups.sort(byGroupValue);
  }
}

/** The rows of a part in the default order; with a sort key, those that have no value of it. */
function inDefaultOrder(isClosed: boolean): Part {
  return (query, index, position, limit, { way }) => {
    const c = new Compiler(query.namespaceKey, true);
    const order = query.orderBy[0];
    if (way !== undefined && "lead" in way) return ledBy(way.lead, isClosed, query, index, position, limit);
    const { from, by, isPart } = way === undefined || "within" in way ? byTime(isClosed) : byValue(isClosed, way, query.namespaceKey, c);
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
  const sorted = query.orderBy[0]?.field;
  if (sorted !== undefined) where += ` AND ${valueOfRow(sorted, c)} IS NULL`;
  if (position !== undefined) {
    where += ` AND (${by.join(", ")}) < (${by.map(() => "?").join(", ")})`;
    c.params.push(...position.values.slice(isClosed ? 0 : 1, 2), position.key);
  }
  c.params.push(limit);
  const order = (alias: string): string => by.map((e) => `${e.replace("v.", alias)} DESC`).join(", ");
  const keys = `SELECT v.close_time, v.start_time, v.key FROM (${lead.sql}) l CROSS JOIN visibility v ON v.key = l.key WHERE ${where} ORDER BY ${order("v.")} LIMIT ?`;
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time AS close_key, v.start_time AS start_key${sorted === undefined ? "" : ", NULL"} FROM (${keys}) w CROSS JOIN visibility v ON v.key = w.key ORDER BY ${order("w.")}`,
    params: c.params,
  };
}

const OPEN = inDefaultOrder(false);
const CLOSED = inDefaultOrder(true);

/** Whether no row can be in the part: it need not be looked for. */
function isEmpty(part: Part, query: VisibilityQuery): boolean {
  if (part === CLOSED && onlyOpen(query.filter)) return true;
  if (part === OPEN && onlyClosed(query.filter)) return true;
  const field = query.orderBy[0]?.field;
  if (part === VALUED || part === MIXED || field?.kind !== "system") return false;
  // Rows without a value of the sort key.
  return !(field.column.emptyIsNull === true || (part === OPEN && field.column.nullWhenOpen === true));
}
