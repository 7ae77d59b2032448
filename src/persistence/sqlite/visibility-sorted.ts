/**
 * The parts of a list with ORDER BY. By one field: along its index, as far as the page goes - an attribute's values, a system field's
 * own index, or the table that is kept in its order once somebody has sorted by it (sort-tables.ts); by several along their table. When
 * few rows meet a condition they are read by that and sorted; until there is a table, all rows that match are.
 */
import type { Field, VisibilityOrder } from "../../core/visibility/query.js";
import type { VisibilityQuery } from "../visibility.js";
import type { Statement } from "./choice.js";
import { OWN_INDEX } from "./sort-order.js";
import { tableOf } from "./visibility.js";
import { COLUMN, Compiler } from "./visibility-filter.js";
import { FIELDS, type Part, type Position } from "./visibility-page.js";
import type { Lead } from "./visibility-plan.js";

/** Of a row at hand, without the index of its attributes. */
export function valueOfRow(field: Field, c: Compiler): string {
  if (field.kind === "system") return COLUMN[field.column.column];
  c.params.push(field.id);
  return "(SELECT json_extract(e.value, '$.value') FROM json_each(v.attributes) e WHERE json_extract(e.value, '$.id') = ?)";
}

/** The rows that have a value of the only sort key. */
export const VALUED: Part = (query, index, position, limit, { way, table }) => {
  const { field, descending } = query.orderBy[0] as VisibilityOrder;
  const direction = descending ? "DESC" : "ASC";
  if (way !== undefined && "lead" in way) return valuedLedBy(way.lead, field, direction, query, index, position, limit);
  const c = new Compiler(query.namespaceKey, true);
  let from: string;
  let by: string[];
  let where: string;
  if (field.kind === "attribute" || table !== undefined) {
    from = `${field.kind === "attribute" ? tableOf(field.type) : table} a CROSS JOIN visibility v ON v.key = a.key`;
    by = field.kind === "attribute" ? ["a.value", "a.close_time", "a.start_time", "a.key"] : ["a.value", "a.key"];
    c.params.push(query.namespaceKey, ...(field.kind === "attribute" ? [field.id] : []));
    where = `a.namespace = ? AND ${field.kind === "attribute" ? "a.attribute = ? AND " : ""}${c.where(query)}`;
  } else {
    const own = OWN_INDEX[field.column.column];
    from = `visibility v${own === undefined ? "" : ` INDEXED BY ${own}`}`;
    by = [COLUMN[field.column.column], "v.key"];
    where = `${c.where(query)} AND ${by[0]} IS NOT NULL`;
  }
  if (way !== undefined && "within" in way) {
    where += ` AND ${by.at(-1)} IN (${way.within.sql})`;
    c.params.push(...way.within.params);
  }
  if (position !== undefined) where += ` AND ${behind(position, by, direction, c)}`;
  c.params.push(limit);
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time, v.start_time, ${by[0]} FROM ${from} WHERE ${where} ORDER BY ${by.map((e) => `${e} ${direction}`).join(", ")} LIMIT ?`,
    params: c.params,
  };
};

/** `by`: the value and the key; of an attribute also the times between them. */
function behind({ values: [close, start, value], key }: Position, by: readonly string[], direction: "ASC" | "DESC", c: Compiler): string {
  c.params.push(value, ...(by.length === 2 ? [] : [close ?? 0, start]), key);
  return `(${by.join(", ")}) ${direction === "DESC" ? "<" : ">"} (${by.map(() => "?").join(", ")})`;
}

/** Keys and sort keys alone are sorted: the rows of the page are read in full afterwards. */
function valuedLedBy(
  lead: Lead,
  field: Field,
  direction: "ASC" | "DESC",
  query: VisibilityQuery,
  index: number,
  position: Position | undefined,
  limit: number,
): Statement {
  const c = new Compiler(query.namespaceKey, true);
  const value = valueOfRow(field, c);
  c.params.push(...lead.params);
  const rows = `SELECT ${value} AS value, ifnull(v.close_time, 0) AS close, v.start_time AS start, v.key FROM (${lead.sql}) l CROSS JOIN visibility v ON v.key = l.key WHERE ${c.where(query)}`;
  const by = field.kind === "attribute" ? ["w.value", "w.close", "w.start", "w.key"] : ["w.value", "w.key"];
  const order = by.map((e) => `${e} ${direction}`).join(", ");
  const where = `w.value IS NOT NULL${position === undefined ? "" : ` AND ${behind(position, by, direction, c)}`}`;
  c.params.push(limit);
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time, v.start_time, w.value FROM (SELECT * FROM (${rows}) w WHERE ${where} ORDER BY ${order} LIMIT ?) w CROSS JOIN visibility v ON v.key = w.key ORDER BY ${order}`,
    params: c.params,
  };
}

/** Values of fields by row, joined as sets: no table is read by key. */
export function joined(fields: readonly Field[], c: Compiler, namespace: number): { from: string; expressions: string[] } {
  let from = "visibility v";
  const expressions = fields.map((f, i) => {
    if (f.kind === "system") return COLUMN[f.column.column];
    c.params.push(namespace, f.id);
    from += ` LEFT JOIN (SELECT key, value FROM ${tableOf(f.type)} WHERE namespace = ? AND attribute = ?) j${i} ON j${i}.key = v.key`;
    return `j${i}.value`;
  });
  return { from, expressions };
}

/** Several sort keys: along their table; else the rows of the condition that leads, or all that match, are sorted. */
export const MIXED: Part = (query, index, position, limit, { way, table }) => {
  const lead = way !== undefined && "lead" in way ? way.lead : undefined;
  if (table !== undefined && lead === undefined)
    return alongTable(table, query, index, position, limit, way !== undefined && "within" in way ? way.within : undefined);
  const c = new Compiler(query.namespaceKey, lead !== undefined);
  const orders = query.orderBy;
  const fields = orders.map((o) => o.field);
  const keys = fields.map((_, i) => `w.value${i}`);
  const values = (expressions: readonly string[]): string => expressions.map((e, i) => `${e} AS value${i}`).join(", ");
  let rows: string;
  if (lead === undefined) {
    const { from, expressions } = joined(fields, c, query.namespaceKey);
    rows = `SELECT ${values(expressions)}, v.key FROM ${from} WHERE ${c.where(query)}`;
  } else {
    const expressions = fields.map((f) => valueOfRow(f, c));
    c.params.push(...lead.params);
    rows = `SELECT ${values(expressions)}, v.key FROM (${lead.sql}) l CROSS JOIN visibility v ON v.key = l.key WHERE ${c.where(query)}`;
  }
  const isLastDescending = orders.at(-1)?.descending === true;
  let where = "1";
  if (position !== undefined) {
    // Rows behind the position: by the first sort key that differs; those without a value come last.
    const ways: string[] = [];
    for (let i = 0; i <= orders.length; i++) {
      const equal: string[] = [];
      const said: unknown[] = [];
      for (let j = 0; j < i; j++) {
        equal.push(`${keys[j]} IS ?`);
        said.push(position.values[j + 2]);
      }
      if (i === orders.length) {
        equal.push(`w.key ${isLastDescending ? "<" : ">"} ?`);
        said.push(position.key);
      } else {
        if (position.values[i + 2] === null) continue;
        equal.push(`(${keys[i]} IS NULL OR ${keys[i]} ${orders[i]?.descending === true ? "<" : ">"} ?)`);
        said.push(position.values[i + 2]);
      }
      ways.push(`(${equal.join(" AND ")})`);
      c.params.push(...said);
    }
    where = ways.join(" OR ");
  }
  c.params.push(limit);
  const by = [
    ...orders.map((o, i) => `${keys[i]} IS NULL, ${keys[i]} ${o.descending ? "DESC" : "ASC"}`),
    `w.key ${isLastDescending ? "DESC" : "ASC"}`,
  ].join(", ");
  return {
    sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time, v.start_time, ${keys.join(", ")} FROM (SELECT * FROM (${rows}) w WHERE ${where} ORDER BY ${by} LIMIT ?) w CROSS JOIN visibility v ON v.key = w.key ORDER BY ${by}`,
    params: c.params,
  };
};

/**
 * A page behind a position is made of ranges of the table, each of which is behind the one before: the rows that are equal in all
 * columns but the last and greater in that, then those that are equal in all but the last two, and so on.
 */
function alongTable(table: string, query: VisibilityQuery, index: number, position: Position | undefined, limit: number, within?: Lead): Statement {
  const orders = query.orderBy;
  const columns = orders.flatMap((o, i) => [
    { name: `o.none${i}`, descending: false },
    { name: `o.value${i}`, descending: o.descending },
  ]);
  columns.push({ name: "o.key", descending: orders.at(-1)?.descending === true });
  const at = position === undefined ? [] : [...position.values.slice(2).flatMap((v) => (v === null ? [1, 0] : [0, v])), position.key];
  const by = columns.map((c) => `${c.name}${c.descending ? " DESC" : ""}`).join(", ");
  const shown = orders.map((_, i) => `CASE o.none${i} WHEN 0 THEN o.value${i} END`).join(", ");
  const levels = position === undefined ? [-1] : columns.map((_, i) => columns.length - 1 - i).filter((level) => !isLast(level));
  const ranges = levels.map((level): Statement => {
    const c = new Compiler(query.namespaceKey, true);
    c.params.push(query.namespaceKey);
    let where = "o.namespace = ?";
    for (let i = 0; i <= level; i++) {
      where += ` AND ${columns[i]?.name} ${i < level ? "=" : columns[i]?.descending === true ? "<" : ">"} ?`;
      c.params.push(at[i]);
    }
    if (within !== undefined) {
      where += ` AND o.key IN (${within.sql})`;
      c.params.push(...within.params);
    }
    where += ` AND ${c.where(query)}`;
    c.params.push(limit);
    return {
      sql: `SELECT ${index} AS part, ${FIELDS}, v.close_time, v.start_time, ${shown} FROM ${table} o CROSS JOIN visibility v ON v.key = o.key WHERE ${where} ORDER BY ${by} LIMIT ?`,
      params: c.params,
    };
  });
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined) return only;
  return {
    sql: `${ranges.map((r) => `SELECT * FROM (${r.sql})`).join(" UNION ALL ")} LIMIT ${limit}`,
    params: ranges.flatMap((r) => r.params),
  };

  /** Nothing is behind what has no value, and what always has one is never without. */
  function isLast(level: number): boolean {
    const key = level >> 1;
    const field = orders[key]?.field;
    if (field === undefined) return false;
    if (at[key * 2] === 1) return true;
    return level % 2 === 0 && field.kind === "system" && field.column.nullWhenOpen !== true && field.column.emptyIsNull !== true;
  }
}
