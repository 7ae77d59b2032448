/** A resolved query against rows in memory: what the memory store answers, and what the SQL of others is compared with. */
import { IndexedValueType } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { Comparison, Field, Scalar, VisibilityFilter, VisibilityOrder } from "./query.js";
import { tokens } from "./query.js";
import type { AttributeValue, VisibilityRow } from "./row.js";

/** Undefined: the row has no value. */
export function fieldValue(row: VisibilityRow, field: Field): AttributeValue | undefined {
  if (field.kind === "attribute") return row.attributes.find((a) => a.id === field.id)?.value;
  const { column, nullWhenOpen, emptyIsNull } = field.column;
  if (nullWhenOpen === true && row.closeTime === 0) return undefined;
  if (column === "executionDuration") return row.closeTime - row.executionTime;
  const value = row[column] as string | number;
  return emptyIsNull === true && value === "" ? undefined : value;
}

/** Text compares by its bytes. */
export function compareScalars(a: Scalar, b: Scalar): number {
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Number(a) - Number(b);
}

function holds(order: number, comparison: Comparison): boolean {
  switch (comparison) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
  }
}

export function matches(row: VisibilityRow, f: VisibilityFilter): boolean {
  switch (f.op) {
    case "never":
      return false;
    case "and":
      return f.args.every((a) => matches(row, a));
    case "or":
      return f.args.some((a) => matches(row, a));
    case "isNull":
      return (fieldValue(row, f.field) === undefined) !== f.negated;
    default:
  }
  const value = fieldValue(row, f.field);
  if (value === undefined) return f.field.kind === "attribute" && isNegatedSearch(f, f.field.type);
  const items: readonly Scalar[] = Array.isArray(value) ? value : [value as Scalar];
  switch (f.op) {
    case "compare":
      // Of a list: one item is equal, or none is.
      if (Array.isArray(value)) return items.some((v) => v === f.value) === (f.comparison === "=");
      return holds(compareScalars(items[0] as Scalar, f.value), f.comparison);
    case "in":
      return items.some((v) => f.values.includes(v)) !== f.negated;
    case "between":
      return (compareScalars(items[0] as Scalar, f.low) >= 0 && compareScalars(items[0] as Scalar, f.high) <= 0) !== f.negated;
    case "startsWith":
      return items.some((v) => String(v).startsWith(f.prefix)) !== f.negated;
    case "match": {
      const words = new Set(tokens(String(value)));
      return f.tokens.some((t) => words.has(t)) !== f.negated;
    }
  }
}

/** Text and KeywordList are searched, not compared: what is not found there includes rows without the attribute. */
export function isNegatedSearch(f: VisibilityFilter, type: number): boolean {
  if (type !== IndexedValueType.TEXT && type !== IndexedValueType.KEYWORD_LIST) return false;
  return f.op === "compare" ? f.comparison === "!=" : (f.op === "in" || f.op === "match") && f.negated;
}

/** Default order: running ones first, then latest closed, then latest started; the key makes it total. */
export function compareDefault(a: VisibilityRow, b: VisibilityRow): number {
  const open = Number(a.closeTime !== 0) - Number(b.closeTime !== 0);
  return open || b.closeTime - a.closeTime || b.startTime - a.startTime || b.key - a.key;
}

/**
 * Rows without the value of the only key follow in the default order. Equal rows follow each other by key, those of an attribute by
 * close time and start time first, in the direction of the last sort key: an index read either way then has this very order.
 */
export function compareBy(orders: readonly VisibilityOrder[]): (a: VisibilityRow, b: VisibilityRow) => number {
  if (orders.length === 0) return compareDefault;
  return (a, b) => {
    for (const { field, descending } of orders) {
      const x = fieldValue(a, field) as Scalar | undefined;
      const y = fieldValue(b, field) as Scalar | undefined;
      // Rows without a value come last, either way.
      if (x === undefined || y === undefined) {
        if (x === y) continue;
        return x === undefined ? 1 : -1;
      }
      const order = compareScalars(x, y);
      if (order !== 0) return descending ? -order : order;
    }
    const last = orders.at(-1) as VisibilityOrder;
    if (orders.length === 1 && fieldValue(a, last.field) === undefined) return compareDefault(a, b);
    const isByAttribute = orders.length === 1 && last.field.kind === "attribute";
    const tie = isByAttribute ? a.closeTime - b.closeTime || a.startTime - b.startTime || a.key - b.key : a.key - b.key;
    return last.descending ? -tie : tie;
  };
}
