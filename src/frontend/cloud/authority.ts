/**
 * What the column of permissions cannot say: nobody gives what they have not got, and what concerns an owner of the account is for
 * owners. Who administers the server (`cluster.write`) may give everything but that. Where nobody is asked who they are, all of it is let
 * through.
 */
import type { Access as AccessSpec, CustomRoleSpec } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import type { Call } from "../../api/call.js";
import { permissionDenied } from "../../api/service-error.js";
import { AccessBuilder, allows, isWithin } from "../../authorization/permissions.js";
import { grant, isOwner } from "../../cloud/access.js";
import type { Services } from "../services.js";

const refused = (reason: string) => permissionDenied(`Request unauthorized: ${reason}.`, "");

export const isAdministrator = ({ identity }: Call): boolean => identity === undefined || allows(identity.access, "cluster.write", undefined);

export const administersNamespace = ({ identity }: Call, namespace: string): boolean =>
  identity === undefined || allows(identity.access, "namespace.update", namespace);

/** Keys without an owner, tokens and certificates stand above the account: who has the server gave them. */
function actsAsOwner(s: Services, { identity }: Call): boolean {
  if (identity === undefined || !isAdministrator({ identity } as Call)) return identity === undefined;
  if (identity.kind === "service-account") return isOwner(s.cloud.serviceAccounts.find(identity.id)?.spec.access);
  if (identity.kind !== "user") return true;
  // The user's token says itself that they administer the server.
  const own = s.cloud.ownerAccess("user", identity.id);
  if (own !== undefined && !allows(own, "cluster.write", undefined)) return true;
  const groups = s.cloud.groupsOf(identity.id).map((g) => s.cloud.groups.find(g)?.spec.access);
  return [s.cloud.users.find(identity.id)?.spec.access, ...groups].some(isOwner);
}

/** @throws ServiceError unless the caller may change what has the access. */
export function checkMayTouch(s: Services, call: Call, access: AccessSpec | undefined): void {
  if (isOwner(access) && !actsAsOwner(s, call)) throw refused("only an owner of the account changes an owner");
}

/** @throws ServiceError unless the caller may give the access. */
export function checkMayGive(s: Services, call: Call, access: AccessSpec | undefined, namespaceIds: Readonly<Record<string, string>>): void {
  if (isOwner(access) && !actsAsOwner(s, call)) throw refused("only an owner of the account makes an owner");
  const { identity } = call;
  if (identity === undefined || isAdministrator(call)) return;
  const builder = new AccessBuilder();
  grant(builder, access, namespaceIds, s.cloud);
  if (!isWithin(builder.build(), identity.access)) throw refused("nobody gives access that they have not got");
}

/** @throws ServiceError unless the caller has all that the role gives. */
export function checkMayMakeRole(call: Call, spec: CustomRoleSpec): void {
  const { identity } = call;
  if (identity === undefined || isAdministrator(call)) return;
  const builder = new AccessBuilder();
  for (const { resources, actions } of spec.permissions)
    for (const action of actions) builder.action(action, resources?.allowAll ?? false, resources?.resourceIds ?? []);
  if (!isWithin(builder.build(), identity.access)) throw refused("nobody gives access that they have not got");
}
