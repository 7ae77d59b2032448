/** Field masks as the official server reads them: paths in proto names, compared in JSON names (common/util/proto.go). */
import { invalidArgument } from "../../api/service-error.js";

/** A word of a snake_case name behind its first: capital first letter, the rest small. */
const title = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();

function jsonName(name: string): string {
  const [first = "", ...rest] = name.split("_");
  return first.charAt(0).toLowerCase() + first.slice(1) + rest.map(title).join("");
}

/** The paths of a mask in JSON names. */
export function fieldPaths(paths: readonly string[]): Set<string> {
  return new Set(paths.map((path) => path.split(".").map(jsonName).join(".")));
}

export type FieldTree = { readonly [name: string]: FieldTree | true };

/** @throws ServiceError for a path that the message does not have. */
export function checkPaths(paths: readonly string[], fields: FieldTree, message: string): void {
  for (const path of paths) {
    let at: FieldTree | true | undefined = fields;
    for (const name of path.split(".")) at = typeof at === "object" && Object.hasOwn(at, name) ? at[name] : undefined;
    if (at === undefined) throw invalidArgument(`proto: invalid path ${JSON.stringify(path)} for message ${JSON.stringify(message)}`);
  }
}
