/** CloudService: service accounts, of the account or bound to one namespace, whose administrators then manage them. */
import type {
  CreateServiceAccountRequest,
  CreateServiceAccountResponse,
  DeleteServiceAccountRequest,
  DeleteServiceAccountResponse,
  GetServiceAccountNamespaceAssignmentsRequest,
  GetServiceAccountNamespaceAssignmentsResponse,
  GetServiceAccountRequest,
  GetServiceAccountResponse,
  GetServiceAccountsRequest,
  GetServiceAccountsResponse,
  SetServiceAccountNamespaceAccessRequest,
  SetServiceAccountNamespaceAccessResponse,
  UpdateServiceAccountRequest,
  UpdateServiceAccountResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import type { ServiceAccount, ServiceAccountSpec, UserSpec } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import type { Call, Handler } from "../../api/call.js";
import { alreadyExists, invalidArgument, permissionDenied } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { checkAccess, checkScopedAccess, inheritsNamespaces, liveAccess } from "../../cloud/access.js";
import { page } from "../../cloud/page.js";
import type { Resource } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { assignments, nextAccess } from "./assignments.js";
import { administersNamespace, checkMayGive, checkMayTouch, isAdministrator } from "./authority.js";
import { changing, shown } from "./changing.js";

const M = CloudService.methods;
const NAME_LENGTH_MAX = 255;

export function serviceAccountOf(s: Services, r: Resource<ServiceAccountSpec>): Init<ServiceAccount> {
  const { access } = r.spec;
  return { ...shown(r), spec: { ...r.spec, access: access && liveAccess(access, r.record.namespaceIds, s.cloud) } };
}

export const getServiceAccounts =
  (s: Services): Handler<GetServiceAccountsRequest, GetServiceAccountsResponse> =>
  (request) => {
    const { items, nextPageToken } = page(s.cloud.serviceAccounts.all(), (a) => a.id, request);
    return { serviceAccount: items.map((a) => serviceAccountOf(s, a)), nextPageToken };
  };

export const getServiceAccount =
  (s: Services): Handler<GetServiceAccountRequest, GetServiceAccountResponse> =>
  ({ serviceAccountId }) => ({ serviceAccount: serviceAccountOf(s, s.cloud.serviceAccounts.get(serviceAccountId)) });

export const createServiceAccount = (s: Services): Handler<CreateServiceAccountRequest, CreateServiceAccountResponse> =>
  changing(
    s,
    M.CreateServiceAccount,
    ({ spec }, draft, call) => {
      const checked = checkSpec(s, call, spec, undefined);
      const id = draft.newId();
      draft.put(s.cloud.serviceAccounts, id, checked.spec, checked);
      draft.about(id, checked.namespace);
    },
    (serviceAccountId, operation) => ({ serviceAccountId, ...operation }),
  );

export const updateServiceAccount = (s: Services): Handler<UpdateServiceAccountRequest, UpdateServiceAccountResponse> =>
  changing(s, M.UpdateServiceAccount, ({ serviceAccountId, spec, resourceVersion }, draft, call) => {
    const old = s.cloud.serviceAccounts.at(serviceAccountId, resourceVersion);
    checkManages(s, call, old.spec);
    const before = old.spec.namespaceScopedAccess?.namespace;
    if (before !== spec?.namespaceScopedAccess?.namespace)
      throw invalidArgument("the namespace that a service account is bound to cannot be changed");
    const checked = checkSpec(s, call, spec, serviceAccountId);
    draft.put(s.cloud.serviceAccounts, serviceAccountId, checked.spec, checked);
    draft.about(serviceAccountId, checked.namespace);
  });

export const deleteServiceAccount = (s: Services): Handler<DeleteServiceAccountRequest, DeleteServiceAccountResponse> =>
  changing(s, M.DeleteServiceAccount, async ({ serviceAccountId, resourceVersion }, draft, call) => {
    const old = s.cloud.serviceAccounts.at(serviceAccountId, resourceVersion);
    checkManages(s, call, old.spec);
    draft.delete(s.cloud.serviceAccounts, old);
    draft.about(serviceAccountId, old.spec.namespaceScopedAccess?.namespace);
    await s.apiKeys.deleteOwned("service-account", serviceAccountId, (batch) => draft.into(batch));
  });

export const setServiceAccountNamespaceAccess = (
  s: Services,
): Handler<SetServiceAccountNamespaceAccessRequest, SetServiceAccountNamespaceAccessResponse> =>
  changing(s, M.SetServiceAccountNamespaceAccess, ({ namespace, serviceAccountId, access: given, resourceVersion }, draft, call) => {
    const old = s.cloud.serviceAccounts.at(serviceAccountId, resourceVersion);
    const { access, namespaceIds } = nextAccess(s, call, old, namespace, given);
    draft.put(s.cloud.serviceAccounts, serviceAccountId, { ...old.spec, access }, { namespaceIds });
    draft.about(serviceAccountId, namespace);
  });

export const getServiceAccountNamespaceAssignments =
  (s: Services): Handler<GetServiceAccountNamespaceAssignmentsRequest, GetServiceAccountNamespaceAssignmentsResponse> =>
  (request) => {
    const { items, nextPageToken } = assignments(s, s.cloud.serviceAccounts, request);
    return {
      serviceAccounts: items.map(({ resource: { id, spec, version }, namespaceAccess }) => ({
        ...{ id, name: spec.name, namespaceAccess, resourceVersion: String(version) },
        inheritedAccess: inheritsNamespaces(spec.access),
      })),
      nextPageToken,
    };
  };

/** @throws PERMISSION_DENIED */
function checkManages(s: Services, call: Call, spec: ServiceAccountSpec): void {
  const bound = spec.namespaceScopedAccess?.namespace;
  if (!isAdministrator(call) && (bound === undefined || !administersNamespace(call, bound))) throw permissionDenied("Request unauthorized.", "");
  checkMayTouch(s, call, spec.access);
}

interface CheckedSpec {
  readonly spec: Init<ServiceAccountSpec>;
  readonly namespaceIds: Record<string, string>;
  /** That it is bound to. */
  readonly namespace: string;
}

/** @throws ServiceError @param id of the account that has the name already. */
function checkSpec(s: Services, call: Call, spec: ServiceAccountSpec | undefined, id: string | undefined): CheckedSpec {
  const { name = "", description = "", access, namespaceScopedAccess } = spec ?? {};
  if (name === "") throw invalidArgument("spec.name is not set on request.");
  if (name.length > NAME_LENGTH_MAX) throw invalidArgument(`name of the service account is longer than ${NAME_LENGTH_MAX}`);
  if ((access === undefined) === (namespaceScopedAccess === undefined))
    throw invalidArgument("exactly one of spec.access and spec.namespace_scoped_access must be set on request.");
  checkManages(s, call, spec as ServiceAccountSpec);
  if (s.cloud.serviceAccounts.all().some((a) => a.id !== id && a.spec.name === name)) throw alreadyExists(`a service account ${name} exists already`);
  if (namespaceScopedAccess !== undefined) {
    const { scoped, namespaceIds } = checkScopedAccess(namespaceScopedAccess, s.cloud);
    return { spec: { name, description, namespaceScopedAccess: scoped }, namespaceIds, namespace: namespaceScopedAccess.namespace };
  }
  const checked = checkAccess(access, s.cloud);
  checkMayGive(s, call, checked.access as UserSpec["access"], checked.namespaceIds);
  return { spec: { name, description, access: checked.access }, namespaceIds: checked.namespaceIds, namespace: "" };
}
