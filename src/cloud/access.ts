/**
 * Access of users, groups and service accounts: whether what a request says makes sense, and what it lets its holder do. Pure.
 *
 * A namespace is named by its name and remembered by its id: what was given in one namespace is not given in a later one of that name.
 */
import {
  type Access as AccessSpec,
  type CustomRoleSpec,
  type NamespaceAccess,
  NamespaceAccess_Permission as NamespacePermission,
  type NamespaceScopedAccess,
  AccountAccess_Role as Role,
} from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { invalidArgument } from "../api/service-error.js";
import type { Init } from "../api/wire.js";
import { type AccessBuilder, nodeSet, roleSet } from "../authorization/permissions.js";

/** What there is to give access by. */
export interface AccessDirectory {
  /** Id of the namespace that has the name now. */
  namespaceId(name: string): string | undefined;
  customRole(id: string): CustomRoleSpec | undefined;
}

/** Names of the fields before v0.4.0, which are still read. */
const OLD_ROLES: Readonly<Record<string, Role>> = {
  owner: Role.OWNER,
  admin: Role.ADMIN,
  developer: Role.DEVELOPER,
  financeadmin: Role.FINANCE_ADMIN,
  read: Role.READ,
  metricsread: Role.METRICS_READ,
};
const OLD_PERMISSIONS: Readonly<Record<string, NamespacePermission>> = {
  admin: NamespacePermission.ADMIN,
  write: NamespacePermission.WRITE,
  read: NamespacePermission.READ,
};

export interface CheckedAccess {
  readonly access: Init<AccessSpec>;
  readonly namespaceIds: Record<string, string>;
}

/** @throws ServiceError */
export function checkAccess(access: AccessSpec | undefined, directory: AccessDirectory): CheckedAccess {
  const account = access?.accountAccess;
  const role = account?.role || OLD_ROLES[account?.roleDeprecated ?? ""] || 0;
  if (Role[role] === undefined || role === Role.UNSPECIFIED) throw invalidArgument("access.account_access.role is not set on request.");
  const customRoles = [...new Set([...(account?.customRoles ?? []), ...(access?.customRolesDeprecated ?? [])])];
  for (const id of customRoles) if (directory.customRole(id) === undefined) throw invalidArgument(`custom role ${id} is not found`);
  const namespaceAccesses: Record<string, Init<NamespaceAccess>> = {};
  const namespaceIds: Record<string, string> = {};
  for (const [name, given] of Object.entries(access?.namespaceAccesses ?? {})) {
    namespaceAccesses[name] = { permission: checkPermission(given) };
    namespaceIds[name] = existing(name, directory);
  }
  return { access: { accountAccess: { role, customRoles }, namespaceAccesses }, namespaceIds };
}

/** @throws ServiceError */
export function checkScopedAccess(
  { namespace, access }: NamespaceScopedAccess,
  directory: AccessDirectory,
): { scoped: Init<NamespaceScopedAccess>; namespaceIds: Record<string, string> } {
  const permission = checkPermission(access);
  return { scoped: { namespace, access: { permission } }, namespaceIds: { [namespace]: existing(namespace, directory) } };
}

/** @throws ServiceError */
export function checkPermission(access: NamespaceAccess | undefined): NamespacePermission {
  const permission = access?.permission || OLD_PERMISSIONS[access?.permissionDeprecated ?? ""] || 0;
  if (NamespacePermission[permission] === undefined || permission === NamespacePermission.UNSPECIFIED)
    throw invalidArgument("permission of the namespace access is not set on request.");
  return permission;
}

function existing(name: string, directory: AccessDirectory): string {
  const id = directory.namespaceId(name);
  if (id === undefined) throw invalidArgument(`namespace ${JSON.stringify(name)} of the access is not found`);
  return id;
}

/** Without what was given in namespaces that are no more. */
export function liveAccess(access: AccessSpec, namespaceIds: Readonly<Record<string, string>>, directory: AccessDirectory): AccessSpec {
  const isLive = ([name]: [string, unknown]): boolean => directory.namespaceId(name) === namespaceIds[name];
  return { ...access, namespaceAccesses: Object.fromEntries(Object.entries(access.namespaceAccesses).filter(isLive)) };
}

/** The access with that in one namespace set, or taken away. */
export function withNamespaceAccess(access: AccessSpec, namespace: string, permission: NamespacePermission | undefined): AccessSpec {
  const { [namespace]: _, ...others } = access.namespaceAccesses;
  const given = permission === undefined ? {} : { [namespace]: { permission, permissionDeprecated: "" } };
  return { ...access, namespaceAccesses: { ...others, ...given } };
}

const CLUSTER_READ = nodeSet("temporal:cluster:read") as number;
const NAMESPACE_CREATE = nodeSet("temporal:namespace:create") as number;

const ACCOUNT_SETS: Readonly<Record<Role, number>> = {
  [Role.UNSPECIFIED]: 0,
  [Role.OWNER]: roleSet("admin"),
  [Role.ADMIN]: roleSet("admin"),
  [Role.DEVELOPER]: CLUSTER_READ | NAMESPACE_CREATE,
  [Role.FINANCE_ADMIN]: CLUSTER_READ,
  [Role.READ]: CLUSTER_READ,
  [Role.METRICS_READ]: 0,
};

const NAMESPACE_SETS: Readonly<Record<NamespacePermission, number>> = {
  [NamespacePermission.UNSPECIFIED]: 0,
  [NamespacePermission.ADMIN]: roleSet("admin"),
  [NamespacePermission.WRITE]: roleSet("write"),
  [NamespacePermission.READ]: roleSet("read"),
};

/** Adds what the access lets its holder do. */
export function grant(
  builder: AccessBuilder,
  access: AccessSpec | undefined,
  namespaceIds: Readonly<Record<string, string>>,
  directory: AccessDirectory,
): void {
  const { role = 0, customRoles = [] } = access?.accountAccess ?? {};
  builder.onServer(ACCOUNT_SETS[role as Role] ?? 0);
  for (const [name, { permission }] of Object.entries(access?.namespaceAccesses ?? {}))
    if (directory.namespaceId(name) === namespaceIds[name]) builder.inNamespace(name, NAMESPACE_SETS[permission] ?? 0);
  for (const id of customRoles)
    for (const { resources, actions } of directory.customRole(id)?.permissions ?? [])
      for (const action of actions) builder.action(action, resources?.allowAll ?? false, resources?.resourceIds ?? []);
}

export function grantScoped(
  builder: AccessBuilder,
  { namespace, access }: NamespaceScopedAccess,
  namespaceIds: Readonly<Record<string, string>>,
  directory: AccessDirectory,
): void {
  if (directory.namespaceId(namespace) === namespaceIds[namespace])
    builder.inNamespace(namespace, NAMESPACE_SETS[access?.permission ?? NamespacePermission.UNSPECIFIED]);
}

/** Who administers the account has every namespace too. */
export const inheritsNamespaces = (access: AccessSpec | undefined): boolean => {
  const role = access?.accountAccess?.role;
  return role === Role.OWNER || role === Role.ADMIN;
};

export const isOwner = (access: AccessSpec | undefined): boolean => access?.accountAccess?.role === Role.OWNER;
