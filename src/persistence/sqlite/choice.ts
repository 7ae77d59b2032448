/**
 * A statement that is chosen by what another one counts: both run in one turn of the thread that reads, in one snapshot. Knows of SQL
 * no more than that.
 */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

export interface Choice {
  /** One row of counts. */
  readonly probe: Statement;
  /** The first group in which a count is no greater than its bound decides, by the least such count. */
  readonly groups: readonly (readonly { readonly count: number; readonly max: number; readonly option: number }[])[];
  /** The first one when no count is within its bound. */
  readonly options: readonly Statement[];
}

export function chosen({ groups, options }: Choice, counts: readonly unknown[]): Statement {
  for (const group of groups) {
    let best: number | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const { count, max, option } of group) {
      const n = counts[count] as number;
      if (n > max || n >= fewest) continue;
      fewest = n;
      best = option;
    }
    if (best !== undefined) return options[best] as Statement;
  }
  return options[0] as Statement;
}
