/**
 * CloudService: the rows of the RPCs by which an installation is managed as one account, in the table of methods (methods.ts). Permissions
 * follow the published table of roles; what a role in a namespace or of its own making may do beside is said in the handlers
 * (cloud/authority.ts) and by the actions of custom roles (src/cloud/custom-roles.ts).
 */
import type { CloudService } from "../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { actionOf } from "../cloud/custom-roles.js";
import {
  getAccount,
  getAsyncOperation,
  getAuditLogs,
  getCurrentIdentity,
  getRegion,
  getRegions,
  noAuditLogSink,
  noAuditLogSinks,
  updateAccount,
} from "./cloud/account.js";
import { createApiKey, deleteApiKey, getApiKey, getApiKeys, updateApiKey } from "./cloud/api-keys.js";
import { refuse } from "./cloud/changing.js";
import { createConnectivityRule, deleteConnectivityRule, getConnectivityRule, getConnectivityRules } from "./cloud/connectivity-rules.js";
import { createCustomRole, deleteCustomRole, getCustomRole, getCustomRoles, updateCustomRole } from "./cloud/custom-roles.js";
import {
  createNamespaceExportSink,
  deleteNamespaceExportSink,
  getNamespaceExportSink,
  getNamespaceExportSinks,
  updateNamespaceExportSink,
  validateNamespaceExportSink,
} from "./cloud/export-sinks.js";
import {
  addUserGroupMember,
  createUserGroup,
  deleteUserGroup,
  getUserGroup,
  getUserGroupMembers,
  getUserGroupNamespaceAssignments,
  getUserGroups,
  removeUserGroupMember,
  setUserGroupNamespaceAccess,
  updateUserGroup,
} from "./cloud/groups.js";
import {
  createNamespace,
  deleteNamespace,
  failoverNamespaceRegion,
  getNamespace,
  getNamespaceCapacityInfo,
  getNamespaces,
  renameCustomSearchAttribute,
  updateNamespace,
  updateNamespaceTags,
} from "./cloud/namespaces.js";
import { createNexusEndpoint, deleteNexusEndpoint, getNexusEndpoint, getNexusEndpoints, updateNexusEndpoint } from "./cloud/nexus-endpoints.js";
import {
  createServiceAccount,
  deleteServiceAccount,
  getServiceAccount,
  getServiceAccountNamespaceAssignments,
  getServiceAccounts,
  setServiceAccountNamespaceAccess,
  updateServiceAccount,
} from "./cloud/service-accounts.js";
import { createUser, deleteUser, getUser, getUserNamespaceAssignments, getUsers, setUserNamespaceAccess, updateUser } from "./cloud/users.js";
import { type Rows, row } from "./method-row.js";
import type { Services } from "./services.js";

const ONE_REGION = "this installation is one region: namespaces have no others";
const NO_USAGE = "usage is metered by the vendor of a cloud: this server does not meter it";
const NO_BILLING = "bills are written by the vendor of a cloud: this server has none";
const NO_LOG_SINKS = "audit logs are read with GetAuditLogs and written to the file of --audit-log: this server sends them to no Kinesis or Pub/Sub";

/** Each RPC by its name, with the action that custom roles call it by. */
function withActions(rows: Rows<typeof CloudService.methods>): Rows<typeof CloudService.methods> {
  return Object.fromEntries(Object.entries(rows).map(([rpc, r]) => [rpc, { ...r, action: actionOf(rpc) }])) as never;
}

export const cloudService = (s: Services): Rows<typeof CloudService.methods> =>
  withActions({
    // Who calls, the account, its region
    GetCurrentIdentity: row("authenticated", 3, getCurrentIdentity(s)),
    GetAccount: row("cluster.read", 3, getAccount(s)),
    UpdateAccount: row("cluster.write", 2, updateAccount(s)),
    GetRegions: row("authenticated", 3, getRegions(s)),
    GetRegion: row("authenticated", 3, getRegion(s)),
    GetAsyncOperation: row("authenticated", 3, getAsyncOperation(s)),
    GetAuditLogs: row("cluster.write", 3, getAuditLogs(s)),

    // Users
    GetUsers: row("cluster.read", 3, getUsers(s)),
    GetUser: row("cluster.read", 3, getUser(s)),
    CreateUser: row("cluster.write", 2, createUser(s)),
    UpdateUser: row("cluster.write", 2, updateUser(s)),
    DeleteUser: row("cluster.write", 2, deleteUser(s)),
    SetUserNamespaceAccess: row("namespace.update", 2, setUserNamespaceAccess(s)),
    GetUserNamespaceAssignments: row("namespace.read", 3, getUserNamespaceAssignments(s)),

    // User groups
    GetUserGroups: row("cluster.read", 3, getUserGroups(s)),
    GetUserGroup: row("cluster.read", 3, getUserGroup(s)),
    CreateUserGroup: row("cluster.write", 2, createUserGroup(s)),
    UpdateUserGroup: row("cluster.write", 2, updateUserGroup(s)),
    DeleteUserGroup: row("cluster.write", 2, deleteUserGroup(s)),
    SetUserGroupNamespaceAccess: row("namespace.update", 2, setUserGroupNamespaceAccess(s)),
    AddUserGroupMember: row("cluster.write", 2, addUserGroupMember(s)),
    RemoveUserGroupMember: row("cluster.write", 2, removeUserGroupMember(s)),
    GetUserGroupMembers: row("cluster.read", 3, getUserGroupMembers(s)),
    GetUserGroupNamespaceAssignments: row("namespace.read", 3, getUserGroupNamespaceAssignments(s)),

    // Service accounts: one that is bound to a namespace is its administrators' to manage
    GetServiceAccounts: row("cluster.read", 3, getServiceAccounts(s)),
    GetServiceAccount: row("cluster.read", 3, getServiceAccount(s)),
    CreateServiceAccount: row("namespace.update", 2, createServiceAccount(s)),
    UpdateServiceAccount: row("namespace.update", 2, updateServiceAccount(s)),
    DeleteServiceAccount: row("namespace.update", 2, deleteServiceAccount(s)),
    SetServiceAccountNamespaceAccess: row("namespace.update", 2, setServiceAccountNamespaceAccess(s)),
    GetServiceAccountNamespaceAssignments: row("namespace.read", 3, getServiceAccountNamespaceAssignments(s)),

    // API keys: everybody has their own
    GetApiKeys: row("authenticated", 3, getApiKeys(s)),
    GetApiKey: row("authenticated", 3, getApiKey(s)),
    CreateApiKey: row("authenticated", 2, createApiKey(s)),
    UpdateApiKey: row("authenticated", 2, updateApiKey(s)),
    DeleteApiKey: row("authenticated", 2, deleteApiKey(s)),

    // Custom roles
    GetCustomRoles: row("cluster.read", 3, getCustomRoles(s)),
    GetCustomRole: row("cluster.read", 3, getCustomRole(s)),
    CreateCustomRole: row("cluster.write", 2, createCustomRole(s)),
    UpdateCustomRole: row("cluster.write", 2, updateCustomRole(s)),
    DeleteCustomRole: row("cluster.write", 2, deleteCustomRole(s)),

    // Namespaces: the list shows what the caller may see
    GetNamespaces: row("authenticated", 3, getNamespaces(s)),
    GetNamespace: row("namespace.read", 3, getNamespace(s)),
    CreateNamespace: row("namespace.create", 2, createNamespace(s)),
    UpdateNamespace: row("namespace.update", 2, updateNamespace(s)),
    DeleteNamespace: row("namespace.delete", 2, deleteNamespace(s)),
    RenameCustomSearchAttribute: row("namespace.update", 2, renameCustomSearchAttribute(s)),
    UpdateNamespaceTags: row("cluster.write", 2, updateNamespaceTags(s)),
    FailoverNamespaceRegion: row("namespace.update", 2, failoverNamespaceRegion(s)),
    AddNamespaceRegion: row("namespace.update", 2, refuse(ONE_REGION)),
    DeleteNamespaceRegion: row("namespace.update", 2, refuse(ONE_REGION)),
    GetNamespaceCapacityInfo: row("namespace.read", 3, getNamespaceCapacityInfo(s)),

    // Connectivity: who may make namespaces may see how they are reached
    GetConnectivityRules: row("namespace.create", 3, getConnectivityRules(s)),
    GetConnectivityRule: row("namespace.create", 3, getConnectivityRule(s)),
    CreateConnectivityRule: row("cluster.write", 2, createConnectivityRule(s)),
    DeleteConnectivityRule: row("cluster.write", 2, deleteConnectivityRule(s)),

    // Exports of histories
    GetNamespaceExportSinks: row("namespace.read", 3, getNamespaceExportSinks(s)),
    GetNamespaceExportSink: row("namespace.read", 3, getNamespaceExportSink(s)),
    CreateNamespaceExportSink: row("namespace.update", 2, createNamespaceExportSink(s)),
    UpdateNamespaceExportSink: row("namespace.update", 2, updateNamespaceExportSink(s)),
    DeleteNamespaceExportSink: row("namespace.update", 2, deleteNamespaceExportSink(s)),
    ValidateNamespaceExportSink: row("namespace.update", 2, validateNamespaceExportSink(s)),

    // Nexus endpoints: who may make namespaces makes them to namespaces of their own
    GetNexusEndpoints: row("cluster.read", 3, getNexusEndpoints(s)),
    GetNexusEndpoint: row("cluster.read", 3, getNexusEndpoint(s)),
    CreateNexusEndpoint: row("namespace.create", 2, createNexusEndpoint(s)),
    UpdateNexusEndpoint: row("namespace.create", 2, updateNexusEndpoint(s)),
    DeleteNexusEndpoint: row("namespace.create", 2, deleteNexusEndpoint(s)),

    // Of the vendor of a cloud
    GetUsage: row("cluster.read", 3, refuse(NO_USAGE)),
    CreateBillingReport: row("cluster.write", 2, refuse(NO_BILLING)),
    GetBillingReport: row("cluster.read", 3, refuse(NO_BILLING)),
    CreateAccountAuditLogSink: row("cluster.write", 2, refuse(NO_LOG_SINKS)),
    GetAccountAuditLogSink: row("cluster.write", 3, noAuditLogSink()),
    GetAccountAuditLogSinks: row("cluster.write", 3, noAuditLogSinks),
    UpdateAccountAuditLogSink: row("cluster.write", 2, refuse(NO_LOG_SINKS)),
    DeleteAccountAuditLogSink: row("cluster.write", 2, noAuditLogSink()),
    ValidateAccountAuditLogSink: row("cluster.write", 2, refuse(NO_LOG_SINKS)),
  });
