/** Access in one namespace: who has it, and giving or taking it. The same for users, groups and service accounts. */
import type { Access, NamespaceAccess } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import type { Call } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { type CheckedAccess, checkPermission, inheritsNamespaces, liveAccess, withNamespaceAccess } from "../../cloud/access.js";
import { page } from "../../cloud/page.js";
import type { Resource, ResourceTable } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { checkMayGive } from "./authority.js";

interface Holder {
  readonly access: Access | undefined;
}

const given = <S extends Holder>(s: Services, { spec, record }: Resource<S>): Access | undefined =>
  spec.access && liveAccess(spec.access, record.namespaceIds, s.cloud);

const own = (access: Access | undefined, namespace: string): NamespaceAccess | undefined =>
  access !== undefined && Object.hasOwn(access.namespaceAccesses, namespace) ? access.namespaceAccesses[namespace] : undefined;

/** Given there, or inherited. */
export function hasNamespace<S extends Holder>(s: Services, holder: Resource<S>, namespace: string): boolean {
  return inheritsNamespaces(holder.spec.access) || own(given(s, holder), namespace) !== undefined;
}

/** A page of those that have access to a namespace, with what was given to them there. @throws ServiceError */
export function assignments<S extends Holder>(
  s: Services,
  table: ResourceTable<S>,
  request: { readonly namespace: string; readonly pageSize: number; readonly pageToken: string },
): { readonly items: { readonly resource: Resource<S>; readonly namespaceAccess: Init<NamespaceAccess> | undefined }[]; nextPageToken: string } {
  s.namespaces.view(request.namespace);
  const all = table.all().filter((r) => hasNamespace(s, r, request.namespace));
  const { items, nextPageToken } = page(all, (r) => r.id, request);
  return { items: items.map((resource) => ({ resource, namespaceAccess: own(given(s, resource), request.namespace) })), nextPageToken };
}

/** The access of a holder with that in one namespace set; without a permission it is taken away. @throws ServiceError */
export function nextAccess<S extends Holder>(
  s: Services,
  call: Call,
  holder: Resource<S>,
  namespace: string,
  wanted: NamespaceAccess | undefined,
): CheckedAccess {
  const { id: namespaceId } = s.namespaces.view(namespace);
  const before = given(s, holder);
  if (before === undefined) throw invalidArgument("access to a namespace cannot be given to what is bound to another");
  const isTaken = wanted === undefined || (wanted.permission === 0 && wanted.permissionDeprecated === "");
  const access = withNamespaceAccess(before, namespace, isTaken ? undefined : checkPermission(wanted));
  if (!isTaken) {
    const giving = { accountAccess: undefined, namespaceAccesses: { [namespace]: wanted }, customRolesDeprecated: [] };
    checkMayGive(s, call, giving, { [namespace]: namespaceId });
  }
  const ids = { ...holder.record.namespaceIds, [namespace]: namespaceId };
  return { access, namespaceIds: Object.fromEntries(Object.keys(access.namespaceAccesses).map((name) => [name, ids[name] as string])) };
}
