/**
 * The list of custom search attributes of a namespace, as its record holds it. An id is given out once and never again, so that
 * values stored under a removed attribute cannot come back under another name: the definition of the highest id stays in the
 * record without a name when it is removed.
 */
import type { SearchAttributeDefinition } from "../../gen/wire/perdure/persistence/v1/records.js";
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";

/** Names of the types in the official server's texts and field names. */
export const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [IndexedValueType.UNSPECIFIED, "Unspecified"],
  [IndexedValueType.TEXT, "Text"],
  [IndexedValueType.KEYWORD, "Keyword"],
  [IndexedValueType.INT, "Int"],
  [IndexedValueType.DOUBLE, "Double"],
  [IndexedValueType.BOOL, "Bool"],
  [IndexedValueType.DATETIME, "Datetime"],
  [IndexedValueType.KEYWORD_LIST, "KeywordList"],
]);

export function addDefinition(list: readonly SearchAttributeDefinition[], name: string, type: number): SearchAttributeDefinition[] {
  const id = list.reduce((max, a) => Math.max(max, a.id), 0) + 1;
  return [...list.filter((a) => a.name !== ""), { id, name, type }];
}

export function removeDefinition(list: readonly SearchAttributeDefinition[], name: string): SearchAttributeDefinition[] {
  const idMax = list.reduce((max, a) => Math.max(max, a.id), 0);
  return list.flatMap((a) => (a.name !== name ? [a] : a.id === idMax ? [{ id: a.id, name: "", type: 0 }] : []));
}

/** The official server stores attributes in numbered fields, e.g. Keyword01, which DescribeNamespace maps to names. */
export function fieldName(definition: SearchAttributeDefinition): string {
  return `${TYPE_NAMES.get(definition.type) ?? "Unspecified"}${String(definition.id).padStart(2, "0")}`;
}

export function fieldType(field: string): number | undefined {
  const m = /^([A-Za-z]+)\d{2,}$/.exec(field);
  if (m === null) return undefined;
  for (const [type, name] of TYPE_NAMES) if (type !== IndexedValueType.UNSPECIFIED && name === m[1]) return type;
  return undefined;
}
