/**
 * Orders of lists that tables are kept in (sort-tables.ts), as text and as columns. The text of one system field is its name, and its
 * table has the rows that have a value, read either way: `runId`. Of several keys it is `workflowType ASC, 12 DESC`, fields and ids
 * of attributes, and the table has every row: for each key whether there is no value, which comes last either way, and the value.
 */
import type { Field, VisibilityOrder } from "../../core/visibility/query.js";
import { COLUMN, type SortColumn } from "./visibility-filter.js";

/** A row that SQL speaks of. */
type Row = "new" | "old" | "v";

export interface Shape {
  readonly table: string;
  readonly isMixed: boolean;
  /** Between the namespace and the key. */
  readonly columns: readonly { readonly name: string; readonly descending: boolean }[];
  readonly isKeyDescending: boolean;
  /** SQL of what the columns hold. */
  readonly values: (row: Row) => readonly string[];
  /** SQL of whether the row has a place in the table. */
  readonly isIn: (row: Row) => string;
}

/** Each key is two columns more. */
const KEYS_MAX = 4;
/** Indexes of the schema that have the order of a system field. */
export const OWN_INDEX: { readonly [column in SortColumn]?: string } = {
  startTime: "visibility_start",
  closeTime: "visibility_closed",
  workflowId: "visibility_workflow_id",
};

/** Undefined: an index has that order, or it has too many keys for a table. */
export function orderText(orderBy: readonly VisibilityOrder[]): string | undefined {
  const [first] = orderBy;
  if (first === undefined || orderBy.length > KEYS_MAX) return undefined;
  if (orderBy.length > 1) return orderBy.map((o) => `${nameOf(o.field)} ${o.descending ? "DESC" : "ASC"}`).join(", ");
  return first.field.kind !== "system" || OWN_INDEX[first.field.column.column] !== undefined ? undefined : first.field.column.column;
}

const nameOf = (field: Field): string => (field.kind === "system" ? field.column.column : String(field.id));

/** Undefined: not an order's text. */
export function shapeOf(order: string): Shape | undefined {
  if (!order.includes(" ")) {
    if (!(order in COLUMN)) return undefined;
    const value = (row: Row): string => fieldOf(order, row);
    return {
      table: `${PREFIX}${snake(order)}`,
      isMixed: false,
      columns: [{ name: "value", descending: false }],
      isKeyDescending: false,
      values: (row) => [value(row)],
      isIn: (row) => `${value(row)} IS NOT NULL`,
    };
  }
  const keys = order.split(", ").map((key) => /^(\w+|-\d+) (ASC|DESC)$/.exec(key)?.slice(1) as [string, string] | undefined);
  if (!keys.every((k): k is [string, string] => k !== undefined && (k[0] in COLUMN || /^-?\d+$/.test(k[0])))) return undefined;
  return {
    table: `${PREFIX}${keys.map(([name, direction]) => `${snake(name)}_${direction.toLowerCase()}`).join("_")}`,
    isMixed: true,
    columns: keys.flatMap(([, direction], i) => [
      { name: `none${i}`, descending: false },
      { name: `value${i}`, descending: direction === "DESC" },
    ]),
    isKeyDescending: keys.at(-1)?.[1] === "DESC",
    values: (row) => keys.map(([name]) => fieldOf(name, row)).flatMap((value) => [`(${value} IS NULL)`, `ifnull(${value}, 0)`]),
    isIn: () => "1",
  };
}

const PREFIX = "visibility_by_";
const snake = (name: string): string =>
  /^-?\d+$/.test(name) ? `attribute_${name.replace("-", "m")}` : name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

function fieldOf(name: string, row: Row): string {
  if (name in COLUMN) return COLUMN[name as SortColumn].replaceAll("v.", `${row}.`);
  return `(SELECT json_extract(e.value, '$.value') FROM json_each(${row}.attributes) e WHERE json_extract(e.value, '$.id') = ${Number(name)})`;
}
