/** Visibility in memory: every query looks at every row. For tests and the simulator, and the measure of the SQL. */
import { invalidArgument } from "../../api/service-error.js";
import { compareBy, fieldValue, matches } from "../../core/visibility/evaluate.js";
import type { Field } from "../../core/visibility/query.js";
import type { AttributeValue, VisibilityRow } from "../../core/visibility/row.js";
import type { Batch } from "../batch.js";
import { byGroupValue, type VisibilityPage, type VisibilityQuery, type VisibilityReader } from "../visibility.js";

export class MemoryVisibility {
  private readonly rows = new Map<number, VisibilityRow>();
  readonly reader: VisibilityReader = {
    list: async (query, pageSize, after) => this.list(query, pageSize, after),
    count: async (query) => this.select(query).length,
    countGroups: async (query, groupBy) => this.groups(query, groupBy),
  };

  write(ops: Batch["visibility"]): void {
    for (const [key, op] of ops) {
      if (op.op === "delete") this.rows.delete(key);
      else this.rows.set(key, op.row);
    }
  }

  private select(q: VisibilityQuery): VisibilityRow[] {
    const { filter } = q;
    return [...this.rows.values()].filter((r) => r.namespaceKey === q.namespaceKey && (filter === undefined || matches(r, filter)));
  }

  private list(q: VisibilityQuery, pageSize: number, after: Uint8Array | undefined): VisibilityPage {
    const compare = compareBy(q.orderBy);
    const sorted = this.select(q).sort(compare);
    const last = after === undefined ? undefined : positionOf(after, q);
    const from = last === undefined ? 0 : sorted.findIndex((r) => compare(r, last) > 0);
    const rows = from < 0 ? [] : sorted.slice(from, from + pageSize);
    const tail = rows.at(-1);
    const next =
      tail !== undefined && from + pageSize < sorted.length
        ? Buffer.from(JSON.stringify({ query: JSON.stringify(q), row: { ...tail, memo: [], searchAttributes: [] } }))
        : undefined;
    return { rows, next };
  }

  private groups(q: VisibilityQuery, groupBy: readonly Field[]): { values: (AttributeValue | undefined)[]; count: number }[] {
    const groups = new Map<string, { values: (AttributeValue | undefined)[]; count: number }>();
    for (const row of this.select(q)) {
      const values = groupBy.map((f) => fieldValue(row, f));
      const id = JSON.stringify(values);
      const group = groups.get(id) ?? { values, count: 0 };
      group.count++;
      groups.set(id, group);
    }
    return [...groups.values()].sort(byGroupValue);
  }
}

function positionOf(bytes: Uint8Array, q: VisibilityQuery): VisibilityRow {
  let token: { query?: string; row?: VisibilityRow } | null;
  try {
    token = JSON.parse(Buffer.from(bytes).toString()) as { query?: string; row?: VisibilityRow } | null;
  } catch {
    token = null;
  }
  if (typeof token?.row?.key !== "number" || !Array.isArray(token.row.attributes)) throw invalidArgument("invalid page token");
  if (token.query !== JSON.stringify(q)) throw invalidArgument("page token is of another query");
  return token.row;
}
