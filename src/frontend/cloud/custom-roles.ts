/** CloudService: custom roles. A role that somebody has cannot be deleted. */
import type {
  CreateCustomRoleRequest,
  CreateCustomRoleResponse,
  DeleteCustomRoleRequest,
  DeleteCustomRoleResponse,
  GetCustomRoleRequest,
  GetCustomRoleResponse,
  GetCustomRolesRequest,
  GetCustomRolesResponse,
  UpdateCustomRoleRequest,
  UpdateCustomRoleResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import type { CustomRole, CustomRoleSpec } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import type { Call, Handler } from "../../api/call.js";
import { alreadyExists, failedPrecondition } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { checkCustomRole, type ResourceType } from "../../cloud/custom-roles.js";
import { page } from "../../cloud/page.js";
import type { Resource } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { checkMayMakeRole } from "./authority.js";
import { changing, shown } from "./changing.js";

const M = CloudService.methods;

const roleOf = (s: Services, r: Resource<CustomRoleSpec>): Init<CustomRole> => ({ ...shown(r), spec: s.cloud.customRole(r.id) });

export const getCustomRoles =
  (s: Services): Handler<GetCustomRolesRequest, GetCustomRolesResponse> =>
  (request) => {
    const { items, nextPageToken } = page(s.cloud.customRoles.all(), (r) => r.id, request);
    return { customRoles: items.map((r) => roleOf(s, r)), nextPageToken };
  };

export const getCustomRole =
  (s: Services): Handler<GetCustomRoleRequest, GetCustomRoleResponse> =>
  ({ roleId }) => ({ customRole: roleOf(s, s.cloud.customRoles.get(roleId)) });

export const createCustomRole = (s: Services): Handler<CreateCustomRoleRequest, CreateCustomRoleResponse> =>
  changing(
    s,
    M.CreateCustomRole,
    ({ spec }, draft, call) => {
      const checked = checkSpec(s, call, spec, undefined);
      const id = draft.newId();
      draft.put(s.cloud.customRoles, id, checked, { namespaceIds: namespaceIds(s, checked) });
      draft.about(id);
    },
    (roleId, operation) => ({ roleId, ...operation }),
  );

export const updateCustomRole = (s: Services): Handler<UpdateCustomRoleRequest, UpdateCustomRoleResponse> =>
  changing(s, M.UpdateCustomRole, ({ roleId, spec, resourceVersion }, draft, call) => {
    s.cloud.customRoles.at(roleId, resourceVersion);
    const checked = checkSpec(s, call, spec, roleId);
    draft.put(s.cloud.customRoles, roleId, checked, { namespaceIds: namespaceIds(s, checked) });
    draft.about(roleId);
  });

export const deleteCustomRole = (s: Services): Handler<DeleteCustomRoleRequest, DeleteCustomRoleResponse> =>
  changing(s, M.DeleteCustomRole, ({ roleId, resourceVersion }, draft) => {
    const old = s.cloud.customRoles.at(roleId, resourceVersion);
    const holders = [...s.cloud.users.all(), ...s.cloud.groups.all(), ...s.cloud.serviceAccounts.all()];
    const holder = holders.find((h) => h.spec.access?.accountAccess?.customRoles.includes(roleId));
    if (holder !== undefined) throw failedPrecondition(`custom role ${roleId} is assigned to ${holder.id}`);
    draft.delete(s.cloud.customRoles, old);
    draft.about(roleId);
  });

/** @throws ServiceError @param id of the role that has the name already. */
function checkSpec(s: Services, call: Call, spec: CustomRoleSpec | undefined, id: string | undefined): CustomRoleSpec {
  const checked = checkCustomRole(spec, (type, resource) => exists(s, type, resource));
  checkMayMakeRole(call, checked);
  if (s.cloud.customRoles.all().some((r) => r.id !== id && r.spec.name === checked.name))
    throw alreadyExists(`a custom role ${checked.name} exists already`);
  return checked;
}

function exists(s: Services, type: ResourceType, id: string): boolean {
  if (type === "namespaces") return s.cloud.namespaceId(id) !== undefined;
  if (type === "connectivity-rules") return s.cloud.connectivityRules.find(id) !== undefined;
  if (type === "custom-roles") return s.cloud.customRoles.find(id) !== undefined;
  // There is one account and no project: they are named by allow_all.
  return type === "accounts" && id === s.server.clusterId;
}

function namespaceIds(s: Services, { permissions }: CustomRoleSpec): Record<string, string> {
  const names = permissions.flatMap(({ resources }) => (resources?.resourceType === "namespaces" ? resources.resourceIds : []));
  return Object.fromEntries(names.map((name) => [name, s.cloud.namespaceId(name) ?? ""]));
}
