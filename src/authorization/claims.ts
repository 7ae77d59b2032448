/**
 * From the claims of a token to what its bearer may do. Three forms are read, side by side:
 * - the permission tree, "temporal:workflow:start": in the namespaces of the namespace claim, or, without that claim, everywhere;
 * - the official server's "<namespace>:<role>", with "system:<role>" for the server and all namespaces;
 * - a pattern of one's own with the groups `namespace` and `role`, in place of the second.
 * What is none of these grants nothing.
 */
import type { Access } from "../api/identity.js";
import { AccessBuilder, isRole, nodeSet, roleSet } from "./permissions.js";

export interface ClaimMapping {
  /** Names of claims; a dot leads into an object, where no claim has the whole name. */
  readonly permissions: string;
  readonly namespace: string;
  readonly subject: string;
  /** Has groups `namespace` and `role`. */
  readonly pattern: RegExp | undefined;
}

export type Claims = Readonly<Record<string, unknown>>;

const EVERY_NAMESPACE = "*";
/** The official server's names for the server itself, where a claim names a namespace. */
const SERVER: ReadonlySet<string> = new Set(["system", "temporal-system"]);

export function accessOf(claims: Claims, mapping: ClaimMapping): Access {
  const namespaces = textsOf(claimOf(claims, mapping.namespace), /,\s*/);
  const builder = new AccessBuilder();
  for (const permission of textsOf(claimOf(claims, mapping.permissions), /[\s,]+/) ?? []) {
    const node = nodeSet(permission);
    if (node === undefined) addRole(builder, permission, mapping.pattern);
    else if (namespaces === undefined) builder.onServer(node);
    else for (const n of namespaces) n === EVERY_NAMESPACE ? builder.inEveryNamespace(node) : builder.inNamespace(n, node);
  }
  return builder.build();
}

function addRole(builder: AccessBuilder, permission: string, pattern: RegExp | undefined): void {
  const { namespace = "", role = "" } = (pattern ?? OFFICIAL).exec(permission)?.groups ?? {};
  const name = role.toLowerCase();
  if (namespace === "" || !isRole(name)) return;
  if (SERVER.has(namespace)) builder.onServer(roleSet(name));
  else if (namespace === EVERY_NAMESPACE) builder.inEveryNamespace(roleSet(name));
  else builder.inNamespace(namespace, roleSet(name));
}

const OFFICIAL = /^(?<namespace>[^:]+):(?<role>[^:]+)$/;

export function claimOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let at: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Claims)[part];
  }
  return at;
}

/** A claim of texts: a list, or one text with separators. Undefined when there is none; what is no text counts as none of the list. */
function textsOf(value: unknown, separator: RegExp): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value.split(separator).filter((t) => t !== "");
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string" && v !== "") : [];
}
