/**
 * A visibility query after names and types are resolved. NOT has been pushed down to the comparisons, which are false for rows
 * without a value: so stores need no three-valued logic. The exceptions are the negated searches of evaluate.ts.
 */
import type { SystemColumn } from "./attributes.js";

export type Field =
  | { readonly kind: "system"; readonly column: SystemColumn }
  | { readonly kind: "attribute"; readonly id: number; readonly type: number };

export type Scalar = string | number | boolean;
export type Comparison = "=" | "!=" | ">" | ">=" | "<" | "<=";

export type VisibilityFilter =
  | { readonly op: "and" | "or"; readonly args: readonly VisibilityFilter[] }
  | { readonly op: "compare"; readonly field: Field; readonly comparison: Comparison; readonly value: Scalar }
  | { readonly op: "in"; readonly field: Field; readonly values: readonly Scalar[]; readonly negated: boolean }
  | { readonly op: "between"; readonly field: Field; readonly low: Scalar; readonly high: Scalar; readonly negated: boolean }
  | { readonly op: "startsWith"; readonly field: Field; readonly prefix: string; readonly negated: boolean }
  /** Any of the tokens is in the text. */
  | { readonly op: "match"; readonly field: Field; readonly tokens: readonly string[]; readonly negated: boolean }
  | { readonly op: "isNull"; readonly field: Field; readonly negated: boolean }
  | { readonly op: "never" };

export interface VisibilityOrder {
  readonly field: Field;
  readonly descending: boolean;
}

export interface ResolvedQuery {
  readonly filter: VisibilityFilter | undefined;
  readonly orderBy: readonly VisibilityOrder[];
  readonly groupBy: readonly { name: string; field: Field }[];
}

/** Words of a text: letters and digits, without case and diacritics (the tokenizer of the official server's SQLite schema). */
export function tokens(text: string): string[] {
  const folded = text
    .normalize("NFD")
    .replace(/\p{Diacritic}/gu, "")
    .toLowerCase();
  return [...new Set(folded.match(/[\p{L}\p{N}\p{Co}]+/gu) ?? [])];
}
