/**
 * Which index a list reads. SQLite has no statistics here: left alone it prefers the index that gives the order, and reads every run
 * of a namespace for the few that match; told to use the condition's index it sorts a million rows for a page of twenty. So the
 * conditions that have an index are counted first, up to a bound: one that few rows meet leads, and its rows are sorted; when all are
 * common, a page is soon full in the list's own order. Either way the work is bounded by the bound, not by the namespace. Two common
 * conditions that few rows meet together are between these: when one is an attribute's value, whose rows are kept in the order of lists,
 * they are passed over in that order, and the keys of the other one are a set that they are looked up in.
 */
import type { Scalar, VisibilityFilter } from "../../core/visibility/query.js";
import type { VisibilityQuery } from "../visibility.js";
import type { Choice, Statement } from "./choice.js";
import { DIVISION_ID } from "./visibility.js";
import { ANY_STATUS, type Attribute, COLUMN, Compiler, type Condition, conjuncts, isPositive, onlyOpen } from "./visibility-filter.js";

/** A statement that gives the keys of all rows that may match. */
export interface Lead {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** It leads when no more rows than these meet it. */
  readonly rowsMax: number;
  /** The condition, when it is one on an attribute. */
  readonly of?: VisibilityFilter;
}

/**
 * Rows that are read and sorted for a page. One row costs some fifty times what it costs to pass over an entry of the list's index, of
 * which 1,000,000 runs with this many matches have 50,000 for a page of 100.
 */
const LEAD_ROWS_MAX = 2_000;
/** Keys that are put into a set, which rows of another condition are looked up in as they come in the list's order. */
const SET_ROWS_MAX = 20_000;
/** Rows of a span of time lie side by side. */
const SPAN_ROWS_MAX = 10_000;

function candidates(query: VisibilityQuery): Lead[] {
  const conditions = conjuncts(query.filter).filter(isPositive);
  const on = (...columns: string[]): Condition[] => conditions.filter((f) => f.field.kind === "system" && columns.includes(f.field.column.column));
  const leads: Lead[] = [];
  const byIndex = (index: string, of: readonly Condition[], rowsMax: number, extra = ""): void => {
    if (of.length === 0) return;
    const c = new Compiler(query.namespaceKey);
    c.params.push(query.namespaceKey);
    const where = of.map((f) => (f.field.kind === "system" ? c.onColumn(f, COLUMN[f.field.column.column]) : "")).join(" AND ");
    leads.push({ sql: `SELECT v.key FROM visibility v INDEXED BY ${index} WHERE v.namespace = ? AND ${extra}${where}`, params: c.params, rowsMax });
  };
  byIndex("visibility_workflow_id", on("workflowId"), LEAD_ROWS_MAX);
  const status = on("status");
  const type = on("workflowType");
  // The open ones in order are an index of their own.
  if (type.length > 0 || !onlyOpen(query.filter))
    byIndex("visibility_status_type", [...status, ...type], LEAD_ROWS_MAX, status.length > 0 ? "" : `${ANY_STATUS} AND `);
  byIndex("visibility_start", on("startTime"), SPAN_ROWS_MAX);
  byIndex("visibility_closed", on("closeTime"), SPAN_ROWS_MAX, "v.close_time IS NOT NULL AND ");
  for (const f of conditions) {
    if (f.field.kind !== "attribute") continue;
    const c = new Compiler(query.namespaceKey);
    leads.push({ sql: c.keysOf(f, f.field), params: c.params, rowsMax: LEAD_ROWS_MAX, of: f });
  }
  return leads;
}

/**
 * How a page is read: led by a condition whose rows are sorted; along an attribute's value as far as rows meet another condition; or, with
 * ORDER BY, along that order within the keys of a condition.
 */
export type Way = { readonly lead: Lead } | { readonly value: OneValue; readonly set: Lead | undefined } | { readonly within: Lead };

export interface Plan {
  readonly probe: Statement;
  readonly groups: Choice["groups"];
  /** The option of each is one more than its place here. */
  readonly ways: readonly Way[];
}

/** Undefined: no condition has an index. `hasTable`: there is one in the list's order. */
export function planOf(query: VisibilityQuery, hasTable: boolean): Plan | undefined {
  const leads = candidates(query);
  if (leads.length === 0) return undefined;
  const inDefaultOrder = query.orderBy.length === 0;
  const value = inDefaultOrder
    ? conjuncts(query.filter)
        .map(oneValue)
        .find((v) => v !== undefined)
    : undefined;
  const ways: Way[] = leads.map((lead) => ({ lead }));
  const groups = [leads.map((lead, i) => ({ count: i, max: lead.rowsMax, option: i + 1 }))];
  const bounds = leads.map((l) => l.rowsMax);
  if (value !== undefined || query.orderBy.length === 1 || hasTable) {
    const sets: { count: number; max: number; option: number }[] = [];
    leads.forEach((set, i) => {
      if (value !== undefined && set.of === value.of) return;
      bounds[i] = Math.max(set.rowsMax, SET_ROWS_MAX);
      ways.push(value === undefined ? { within: set } : { value, set });
      sets.push({ count: i, max: SET_ROWS_MAX, option: ways.length });
    });
    groups.push(sets);
  }
  const counts = leads.map((l, i) => `(SELECT count(*) FROM (${l.sql} LIMIT ${(bounds[i] ?? 0) + 1}))`);
  return { probe: { sql: `SELECT ${counts.join(", ")}`, params: leads.flatMap((l) => l.params) }, groups, ways };
}

export interface OneValue {
  readonly of: VisibilityFilter;
  readonly field: Attribute;
  readonly value: Scalar;
}

function oneValue(f: VisibilityFilter): OneValue | undefined {
  if (f.op !== "compare" || f.comparison !== "=" || f.field.kind !== "attribute") return undefined;
  return { of: f, field: f.field, value: f.value };
}

/** The only condition, when it is that an attribute has a value: the value's own index has the order of lists. */
export function onlyValue(query: VisibilityQuery): OneValue | undefined {
  const conditions = conjuncts(query.filter).filter((f) => !(f.op === "isNull" && f.field.kind === "attribute" && f.field.id === DIVISION_ID));
  const [f] = conditions;
  return conditions.length !== 1 || f === undefined ? undefined : oneValue(f);
}
