/** The visibility row of a run and the queries over it. The row is written in the transaction that changes the state. */
import type { Field, VisibilityFilter, VisibilityOrder } from "../core/visibility/query.js";

import type { AttributeValue, VisibilityRow } from "../core/visibility/row.js";

export type { AttributeValue, VisibilityRow };

export interface VisibilityQuery {
  namespaceKey: number;
  /** Undefined matches all. */
  filter: VisibilityFilter | undefined;
  /** Empty: the default order, CloseTime DESC NULLS FIRST, StartTime DESC. */
  orderBy: readonly VisibilityOrder[];
}

export interface VisibilityPage {
  rows: VisibilityRow[];
  /** Opaque position after the last row; undefined when there is no more. */
  next: Uint8Array | undefined;
}

export interface VisibilityReader {
  /** Each page is a snapshot of its own, opened after the call. `after` is the `next` of the page before. */
  list(query: VisibilityQuery, pageSize: number, after: Uint8Array | undefined): Promise<VisibilityPage>;
  count(query: VisibilityQuery): Promise<number>;
  /** In the order of the values, as the official server's SQLite gives them; a row without a value is in the group of undefined, the first. */
  countGroups(query: VisibilityQuery, groupBy: readonly Field[]): Promise<{ values: (AttributeValue | undefined)[]; count: number }[]>;
}

export function byGroupValue(a: { values: readonly (AttributeValue | undefined)[] }, b: { values: readonly (AttributeValue | undefined)[] }): number {
  for (const [i, x] of a.values.entries()) {
    const y = b.values[i];
    if (x === y) continue;
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}
