/**
 * Custom roles: actions on resources of a type, all of them or some by their ids. An action is an RPC of CloudService; which, on what type
 * of resource, and where a request names that is said once, here, and used by the table of methods and by the check of a role.
 */
import type { CustomRoleSpec } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import type { MethodAction } from "../api/call.js";
import { invalidArgument } from "../api/service-error.js";

const TYPES = ["accounts", "projects", "namespaces", "nexus-endpoints", "connectivity-rules", "custom-roles"] as const;
export type ResourceType = (typeof TYPES)[number];

interface Action {
  readonly rpc: string;
  readonly name: string;
  readonly types: readonly ResourceType[];
  /** Field of the request with the id of the resource. */
  readonly field?: "namespace" | "endpointId" | "connectivityRuleId" | "roleId";
}

const account = (rpc: string, name: string, ...also: readonly ResourceType[]): Action => ({ rpc, name, types: ["accounts", ...also] });
const project = (rpc: string, name: string): Action => ({ rpc, name, types: ["projects"] });
const namespace = (rpc: string, name: string): Action => ({ rpc, name: `cloud.namespace.${name}`, types: ["namespaces"], field: "namespace" });
const endpoint = (rpc: string, name: string): Action => ({ rpc, name, types: ["nexus-endpoints"], field: "endpointId" });
const rule = (rpc: string, name: string): Action => ({ rpc, name, types: ["connectivity-rules"], field: "connectivityRuleId" });
const role = (rpc: string, name: string): Action => ({ rpc, name, types: ["custom-roles"], field: "roleId" });

const ACTIONS: readonly Action[] = [
  account("GetAccount", "cloud.account.get"),
  account("UpdateAccount", "cloud.account.update"),
  account("GetAsyncOperation", "cloud.asyncoperation.get"),
  account("GetAuditLogs", "cloud.auditlog.list"),
  account("CreateAccountAuditLogSink", "cloud.auditlog.createSink"),
  account("GetAccountAuditLogSink", "cloud.auditlog.getSink"),
  account("GetAccountAuditLogSinks", "cloud.auditlog.listSinks"),
  account("UpdateAccountAuditLogSink", "cloud.auditlog.updateSink"),
  account("DeleteAccountAuditLogSink", "cloud.auditlog.deleteSink"),
  account("ValidateAccountAuditLogSink", "cloud.auditlog.validateSink"),
  account("CreateBillingReport", "cloud.billingreport.create"),
  account("GetBillingReport", "cloud.billingreport.get"),
  account("GetConnectivityRules", "cloud.connectivityrule.list", "projects"),
  account("CreateCustomRole", "cloud.customrole.create", "projects"),
  account("GetCustomRoles", "cloud.customrole.list", "projects"),
  account("GetNamespaces", "cloud.namespace.list", "projects"),
  account("GetNexusEndpoints", "cloud.nexusendpoint.list", "projects"),
  account("GetRegion", "cloud.region.get"),
  account("GetRegions", "cloud.region.list"),
  account("GetUsage", "cloud.usage.get"),
  account("CreateUser", "cloud.user.create"),
  account("DeleteUser", "cloud.user.delete"),
  account("GetUser", "cloud.user.get"),
  account("GetUsers", "cloud.user.list"),
  account("AddUserGroupMember", "cloud.usergroup.addMember"),
  account("CreateUserGroup", "cloud.usergroup.create"),
  account("DeleteUserGroup", "cloud.usergroup.delete"),
  account("GetUserGroup", "cloud.usergroup.get"),
  account("GetUserGroupMembers", "cloud.usergroup.getMembers"),
  account("GetUserGroups", "cloud.usergroup.list"),
  account("RemoveUserGroupMember", "cloud.usergroup.removeMember"),
  project("CreateConnectivityRule", "cloud.connectivityrule.create"),
  project("CreateNamespace", "cloud.namespace.create"),
  project("CreateNexusEndpoint", "cloud.nexusendpoint.create"),
  namespace("AddNamespaceRegion", "addRegion"),
  namespace("GetNamespaceCapacityInfo", "capacityinfo.get"),
  namespace("DeleteNamespace", "delete"),
  namespace("DeleteNamespaceRegion", "deleteRegion"),
  namespace("CreateNamespaceExportSink", "exportsink.create"),
  namespace("DeleteNamespaceExportSink", "exportsink.delete"),
  namespace("GetNamespaceExportSink", "exportsink.get"),
  namespace("GetNamespaceExportSinks", "exportsink.list"),
  namespace("UpdateNamespaceExportSink", "exportsink.update"),
  namespace("ValidateNamespaceExportSink", "exportsink.validate"),
  namespace("FailoverNamespaceRegion", "failoverRegion"),
  namespace("GetNamespace", "get"),
  namespace("GetServiceAccountNamespaceAssignments", "getServiceAccountNamespaceAssignments"),
  namespace("GetUserGroupNamespaceAssignments", "getUserGroupNamespaceAssignments"),
  namespace("GetUserNamespaceAssignments", "getUserNamespaceAssignments"),
  namespace("RenameCustomSearchAttribute", "renameCustomSearchAttribute"),
  namespace("SetUserNamespaceAccess", "setUserAccess"),
  namespace("SetUserGroupNamespaceAccess", "setUserGroupAccess"),
  namespace("UpdateNamespace", "update"),
  namespace("UpdateNamespaceTags", "updateTags"),
  endpoint("DeleteNexusEndpoint", "cloud.nexusendpoint.delete"),
  endpoint("GetNexusEndpoint", "cloud.nexusendpoint.get"),
  endpoint("UpdateNexusEndpoint", "cloud.nexusendpoint.update"),
  rule("DeleteConnectivityRule", "cloud.connectivityrule.delete"),
  rule("GetConnectivityRule", "cloud.connectivityrule.get"),
  role("DeleteCustomRole", "cloud.customrole.delete"),
  role("GetCustomRole", "cloud.customrole.get"),
  role("UpdateCustomRole", "cloud.customrole.update"),
];

const BY_RPC = new Map(ACTIONS.map((a) => [a.rpc, a]));
const BY_NAME = new Map(ACTIONS.map((a) => [a.name, a]));

/** Of an RPC of CloudService; one without a name of its own is in no role. */
export function actionOf(rpc: string): MethodAction {
  const action = BY_RPC.get(rpc);
  const { field } = action ?? {};
  const resourceOf = (request: Readonly<Record<string, unknown>>): string => (field === undefined ? "" : String(request[field] ?? ""));
  return { name: action?.name ?? "", resourceOf: resourceOf as MethodAction["resourceOf"] };
}

const NAME_LENGTH_MAX = 64;
const DESCRIPTION_LENGTH_MAX = 256;
const PERMISSIONS_MAX = 20;

/** @throws ServiceError @param exists whether there is a resource of a type with an id. */
export function checkCustomRole(spec: CustomRoleSpec | undefined, exists: (type: ResourceType, id: string) => boolean): CustomRoleSpec {
  if (spec === undefined || spec.name === "") throw invalidArgument("spec.name is not set on request.");
  if (spec.name.length > NAME_LENGTH_MAX) throw invalidArgument(`name of the custom role is longer than ${NAME_LENGTH_MAX}`);
  if (spec.description.length > DESCRIPTION_LENGTH_MAX) throw invalidArgument(`description is longer than ${DESCRIPTION_LENGTH_MAX}`);
  if (spec.permissions.length === 0) throw invalidArgument("spec.permissions is not set on request.");
  if (spec.permissions.length > PERMISSIONS_MAX) throw invalidArgument(`custom role has more than ${PERMISSIONS_MAX} permissions`);
  for (const { resources, actions } of spec.permissions) {
    const { resourceType = "", resourceIds = [], allowAll = false } = resources ?? {};
    const type = TYPES.find((t) => t === resourceType);
    if (type === undefined) throw invalidArgument(`unknown resource_type ${JSON.stringify(resourceType)}: must be one of ${TYPES.join(", ")}`);
    if (allowAll === resourceIds.length > 0) throw invalidArgument("a permission must have either allow_all or resource_ids");
    for (const id of resourceIds) if (!exists(type, id)) throw invalidArgument(`resource ${JSON.stringify(id)} of type ${type} is not found`);
    if (actions.length === 0) throw invalidArgument("actions of a permission are not set on request.");
    for (const name of actions)
      if (BY_NAME.get(name)?.types.includes(type) !== true) throw invalidArgument(`unknown action ${JSON.stringify(name)} on ${type}`);
  }
  return spec;
}

/** Without what is said of namespaces that are no more. */
export function liveRole(spec: CustomRoleSpec, isLive: (namespace: string) => boolean): CustomRoleSpec {
  return {
    ...spec,
    permissions: spec.permissions.map((p) =>
      p.resources?.resourceType === "namespaces" ? { ...p, resources: { ...p.resources, resourceIds: p.resources.resourceIds.filter(isLive) } } : p,
    ),
  };
}
