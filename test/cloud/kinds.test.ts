/** CloudService: what is made, read, changed and deleted is so, and is still so for the process that comes after. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  type CreateUserRequest,
  CreateUserRequest as CreateUserRequestType,
} from "../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { AccountAccess_Role as Role } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { AsyncOperation_State } from "../../gen/wire/temporal/api/cloud/operation/v1/message.js";
import { ResourceState } from "../../gen/wire/temporal/api/cloud/resource/v1/message.js";
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { decode, encode, type Init } from "../../src/api/wire.js";
import { accessOf, CloudWorld, codeOf, outcomeOf, W } from "./cloud-world.js";

let world: CloudWorld;
beforeEach(async () => {
  world = await CloudWorld.start();
});

const READ = { role: Role.READ };

describe("users", () => {
  it("are made, read, changed and deleted, and a new process knows of each step", async () => {
    const access = accessOf({ role: Role.DEVELOPER, namespaces: { one: 2 } });
    const { userId, asyncOperation } = await world.call("CreateUser", { spec: { email: "a@example.com", access } });
    expect(asyncOperation?.state).toBe(AsyncOperation_State.FULFILLED);
    await world.restart();
    const { user } = await world.call("GetUser", { userId });
    expect(user).toMatchObject({ id: userId, resourceVersion: "1", state: ResourceState.ACTIVE, lastModifiedTime: undefined });
    expect(user?.spec?.email).toBe("a@example.com");
    expect(user?.spec?.access?.accountAccess?.role).toBe(Role.DEVELOPER);
    expect(user?.spec?.access?.namespaceAccesses).toMatchObject({ one: { permission: 2 } });
    await world.call("UpdateUser", { userId, resourceVersion: "1", spec: { email: "b@example.com", access: accessOf(READ) } });
    await world.call("SetUserNamespaceAccess", { userId, resourceVersion: "2", namespace: "two", access: { permission: 1 } });
    await world.restart();
    const changed = (await world.call("GetUser", { userId })).user;
    expect(changed?.resourceVersion).toBe("3");
    expect(changed?.lastModifiedTime).toBeDefined();
    expect(changed?.spec?.email).toBe("b@example.com");
    expect(Object.keys(changed?.spec?.access?.namespaceAccesses ?? {})).toEqual(["two"]);
    await world.call("DeleteUser", { userId, resourceVersion: "3" });
    expect(await world.outcome("GetUser", { userId })).toBe(`NOT_FOUND: User ${userId} is not found.`);
    await world.restart();
    expect((await world.call("GetUsers", {})).users).toEqual([]);
  });

  it("are listed in pages in the order of their ids, and by address and namespace", async () => {
    for (let i = 0; i < 5; i++) await world.user(`u${i}@example.com`, { role: Role.READ, namespaces: i < 2 ? { one: 3 } : {} });
    await world.user("admin@example.com", { role: Role.ADMIN });
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await world.call("GetUsers", { pageSize: 4, pageToken });
      ids.push(...page.users.map((u) => u.id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(ids).toHaveLength(6);
    expect(ids).toEqual([...ids].sort());
    expect((await world.call("GetUsers", { email: "U3@example.com" })).users.map((u) => u.spec?.email)).toEqual(["u3@example.com"]);
    const inOne = (await world.call("GetUsers", { namespace: "one" })).users.map((u) => u.spec?.email).sort();
    expect(inOne).toEqual(["admin@example.com", "u0@example.com", "u1@example.com"]);
    const { users } = await world.call("GetUserNamespaceAssignments", { namespace: "one" });
    expect(users.map((u) => [u.email, u.namespaceAccess?.permission, u.inheritedAccess]).sort()).toEqual([
      ["admin@example.com", undefined, true],
      ["u0@example.com", 3, false],
      ["u1@example.com", 3, false],
    ]);
    expect(await world.outcome("GetUsers", { pageSize: 1001 })).toBe("INVALID_ARGUMENT: page_size exceeds limit of 1000");
    expect(await world.outcome("GetUsers", { pageToken: "rubbish" })).toBe("INVALID_ARGUMENT: page_token is not valid");
  });

  it("are refused when they make no sense, and nothing changes", async () => {
    const userId = await world.user("a@example.com", READ);
    const create = (spec: Init<CreateUserRequest>["spec"]) => world.outcome("CreateUser", spec === undefined ? {} : { spec });
    expect(await create(undefined)).toBe("INVALID_ARGUMENT: spec.email is not set on request.");
    expect(await create({ email: "nobody", access: accessOf(READ) })).toBe('INVALID_ARGUMENT: not an email address: "nobody"');
    expect(await create({ email: "b@example.com" })).toBe("INVALID_ARGUMENT: access.account_access.role is not set on request.");
    expect(await create({ email: "A@example.com", access: accessOf(READ) })).toContain("ALREADY_EXISTS");
    expect(await create({ email: "b@example.com", access: accessOf({ role: Role.READ, namespaces: { three: 1 } }) })).toContain("INVALID_ARGUMENT");
    expect(await create({ email: "b@example.com", access: accessOf({ role: Role.READ, customRoles: ["x"] }) })).toContain("INVALID_ARGUMENT");
    const spec = { email: "a@example.com", access: accessOf(READ) };
    expect(await world.outcome("UpdateUser", { userId, spec })).toBe("INVALID_ARGUMENT: resource_version is not set on request.");
    expect(await world.outcome("UpdateUser", { userId, spec, resourceVersion: "7" })).toBe(
      `FAILED_PRECONDITION: resource version mismatch of User ${userId}: received 7, current 1`,
    );
    expect(await codeOf(world.call("DeleteUser", { userId, resourceVersion: "2" }))).toBe("FAILED_PRECONDITION");
    expect(await codeOf(world.call("DeleteUser", { userId: "nobody", resourceVersion: "1" }))).toBe("NOT_FOUND");
    expect(await world.outcome("GetUser", {})).toBe("INVALID_ARGUMENT: User is not set on request.");
    expect((await world.call("GetUsers", {})).users.map((u) => u.resourceVersion)).toEqual(["1"]);
  });

  it("take the texts of before v0.4.0 for roles", async () => {
    const access = { accountAccess: { roleDeprecated: "financeadmin" }, namespaceAccesses: { one: { permissionDeprecated: "write" } } };
    const { userId } = await world.call("CreateUser", { spec: { email: "a@example.com", access } });
    const { user } = await world.call("GetUser", { userId });
    expect(user?.spec?.access?.accountAccess?.role).toBe(Role.FINANCE_ADMIN);
    expect(user?.spec?.access?.namespaceAccesses["one"]?.permission).toBe(2);
  });
});

describe("an operation", () => {
  it("has the id that was asked for, the request and its times, and is still there for the next process", async () => {
    const request = { spec: { email: "a@example.com", access: accessOf(READ) }, asyncOperationId: "mine" };
    const { asyncOperation } = await world.call("CreateUser", request);
    expect(asyncOperation).toMatchObject({ id: "mine", operationType: "CreateUser", failureReason: "" });
    await world.restart();
    const read = (await world.call("GetAsyncOperation", { asyncOperationId: "mine" })).asyncOperation;
    expect(read).toEqual(asyncOperation);
    expect(read?.operationInput?.typeUrl).toBe("type.googleapis.com/temporal.api.cloud.cloudservice.v1.CreateUserRequest");
    expect(decode(CreateUserRequestType, read?.operationInput?.value ?? new Uint8Array()).spec?.email).toBe("a@example.com");
    expect(await codeOf(world.call("GetAsyncOperation", { asyncOperationId: "other" }))).toBe("NOT_FOUND");
    expect(await codeOf(world.call("GetAsyncOperation", {}))).toBe("INVALID_ARGUMENT");
  });

  it("that is asked for again changes nothing again, also of another process; with another request it is refused", async () => {
    const request = { spec: { email: "a@example.com", access: accessOf(READ) }, asyncOperationId: "once" };
    const { userId } = await world.call("CreateUser", request);
    expect((await world.call("CreateUser", request)).userId).toBe(userId);
    await world.restart();
    expect((await world.call("CreateUser", request)).userId).toBe(userId);
    expect((await world.call("GetUsers", {})).users).toHaveLength(1);
    const other = { ...request, spec: { ...request.spec, email: "b@example.com" } };
    expect(await world.outcome("CreateUser", other)).toBe("ALREADY_EXISTS: async operation once is of another request");
    expect(await codeOf(world.call("DeleteUser", { userId, resourceVersion: "1", asyncOperationId: "once" }))).toBe("ALREADY_EXISTS");
  });
});

describe("user groups", () => {
  it("are made, changed, filled, emptied and deleted", async () => {
    const userId = await world.user("a@example.com", READ);
    const spec = {
      displayName: "team",
      access: accessOf({ role: Role.READ, namespaces: { one: 2 } }),
      groupType: { case: "cloudGroup", value: {} },
    } as const;
    const { groupId } = await world.call("CreateUserGroup", { spec });
    const memberId = { memberType: { case: "userId", value: userId } } as const;
    await world.call("AddUserGroupMember", { groupId, memberId });
    expect(await codeOf(world.call("AddUserGroupMember", { groupId, memberId }))).toBe("ALREADY_EXISTS");
    await world.call("UpdateUserGroup", { groupId, resourceVersion: "1", spec: { ...spec, displayName: "crew" } });
    await world.call("SetUserGroupNamespaceAccess", { groupId, resourceVersion: "2", namespace: "two", access: { permission: 3 } });
    await world.restart();
    const { group } = await world.call("GetUserGroup", { groupId });
    expect(group).toMatchObject({ resourceVersion: "3", spec: { displayName: "crew", groupType: { case: "cloudGroup" } } });
    expect(Object.keys(group?.spec?.access?.namespaceAccesses ?? {}).sort()).toEqual(["one", "two"]);
    const members = (await world.call("GetUserGroupMembers", { groupId })).members;
    expect(members.map((m) => m.memberId?.memberType.value)).toEqual([userId]);
    const { groups } = await world.call("GetUserGroupNamespaceAssignments", { namespace: "two" });
    expect(groups).toMatchObject([
      { id: groupId, displayName: "crew", namespaceAccess: { permission: 3 }, inheritedAccess: false, resourceVersion: "3" },
    ]);
    // An empty access takes it away.
    await world.call("SetUserGroupNamespaceAccess", { groupId, resourceVersion: "3", namespace: "two" });
    expect((await world.call("GetUserGroupNamespaceAssignments", { namespace: "two" })).groups).toEqual([]);
    await world.call("RemoveUserGroupMember", { groupId, memberId });
    expect(await codeOf(world.call("RemoveUserGroupMember", { groupId, memberId }))).toBe("NOT_FOUND");
    expect((await world.call("GetUserGroupMembers", { groupId })).members).toEqual([]);
    await world.call("DeleteUserGroup", { groupId, resourceVersion: "4" });
    await world.restart();
    expect(await codeOf(world.call("GetUserGroup", { groupId }))).toBe("NOT_FOUND");
    expect((await world.call("GetUserGroups", {})).groups).toEqual([]);
  });

  it("are listed by name, and take nobody from elsewhere", async () => {
    const spec = (displayName: string) => ({ displayName, access: accessOf(READ), groupType: { case: "cloudGroup", value: {} } }) as const;
    for (const name of ["c", "a", "b"]) await world.call("CreateUserGroup", { spec: spec(name) });
    const names = async (request: Parameters<typeof world.call<"GetUserGroups">>[1]) =>
      (await world.call("GetUserGroups", request)).groups.map((g) => g.spec?.displayName);
    expect(await names({})).toEqual(["a", "b", "c"]);
    expect(await names({ displayName: "b" })).toEqual(["b"]);
    expect(await names({ googleGroup: { emailAddress: "x@example.com" } })).toEqual([]);
    expect(await codeOf(world.call("CreateUserGroup", { spec: spec("a") }))).toBe("ALREADY_EXISTS");
    const google = { ...spec("d"), groupType: { case: "googleGroup", value: { emailAddress: "x@example.com" } } } as const;
    expect(await codeOf(world.call("CreateUserGroup", { spec: google }))).toBe("FAILED_PRECONDITION");
    const scim = { ...spec("d"), groupType: { case: "scimGroup", value: { idpId: "x" } } } as const;
    expect(await codeOf(world.call("CreateUserGroup", { spec: scim }))).toBe("INVALID_ARGUMENT");
  });
});

describe("service accounts", () => {
  it("are made, read, changed and deleted", async () => {
    const access = accessOf({ role: Role.READ, namespaces: { one: 2 } });
    const { serviceAccountId } = await world.call("CreateServiceAccount", { spec: { name: "ci", description: "builds", access } });
    expect(await codeOf(world.call("CreateServiceAccount", { spec: { name: "ci", access } }))).toBe("ALREADY_EXISTS");
    await world.call("UpdateServiceAccount", { serviceAccountId, resourceVersion: "1", spec: { name: "cd", access } });
    await world.call("SetServiceAccountNamespaceAccess", { serviceAccountId, resourceVersion: "2", namespace: "two", access: { permission: 1 } });
    await world.restart();
    const { serviceAccount } = await world.call("GetServiceAccount", { serviceAccountId });
    expect(serviceAccount).toMatchObject({ resourceVersion: "3", spec: { name: "cd", description: "" } });
    const { serviceAccounts } = await world.call("GetServiceAccountNamespaceAssignments", { namespace: "two" });
    expect(serviceAccounts).toMatchObject([{ id: serviceAccountId, name: "cd", namespaceAccess: { permission: 1 } }]);
    expect((await world.call("GetServiceAccounts", {})).serviceAccount.map((a) => a.id)).toEqual([serviceAccountId]);
    await world.call("DeleteServiceAccount", { serviceAccountId, resourceVersion: "3" });
    await world.restart();
    expect(await codeOf(world.call("GetServiceAccount", { serviceAccountId }))).toBe("NOT_FOUND");
  });

  it("are of the account or bound to one namespace for good", async () => {
    const namespaceScopedAccess = { namespace: "one", access: { permission: 2 } } as const;
    const access = accessOf(READ);
    expect(await codeOf(world.call("CreateServiceAccount", { spec: { name: "x" } }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(world.call("CreateServiceAccount", { spec: { name: "x", access, namespaceScopedAccess } }))).toBe("INVALID_ARGUMENT");
    const { serviceAccountId } = await world.call("CreateServiceAccount", { spec: { name: "bound", namespaceScopedAccess } });
    const update = (spec: object) =>
      codeOf(world.call("UpdateServiceAccount", { serviceAccountId, resourceVersion: "1", spec: { name: "bound", ...spec } }));
    expect(await update({ namespaceScopedAccess: { namespace: "two", access: { permission: 2 } } })).toBe("INVALID_ARGUMENT");
    expect(await update({ access })).toBe("INVALID_ARGUMENT");
    expect(await update({ namespaceScopedAccess: { namespace: "one", access: { permission: 3 } } })).toBe("OK");
    const set = { serviceAccountId, resourceVersion: "2", namespace: "two", access: { permission: 1 } } as const;
    expect(await codeOf(world.call("SetServiceAccountNamespaceAccess", set))).toBe("INVALID_ARGUMENT");
    const bound = (await world.call("GetServiceAccount", { serviceAccountId })).serviceAccount?.spec?.namespaceScopedAccess;
    expect(bound).toMatchObject({ namespace: "one", access: { permission: 3 } });
  });
});

describe("custom roles", () => {
  const permissions = [{ resources: { resourceType: "namespaces", resourceIds: ["one"] }, actions: ["cloud.namespace.get"] }];

  it("are made, read, changed and deleted, unless somebody has them", async () => {
    const { roleId } = await world.call("CreateCustomRole", { spec: { name: "looker", description: "looks", permissions } });
    const account = [{ resources: { resourceType: "accounts", allowAll: true }, actions: ["cloud.user.list", "cloud.account.get"] }];
    await world.call("UpdateCustomRole", { roleId, resourceVersion: "1", spec: { name: "looker", permissions: [...permissions, ...account] } });
    await world.restart();
    const { customRole } = await world.call("GetCustomRole", { roleId });
    expect(customRole).toMatchObject({ resourceVersion: "2", spec: { name: "looker", description: "", permissions: [...permissions, ...account] } });
    expect((await world.call("GetCustomRoles", {})).customRoles.map((r) => r.id)).toEqual([roleId]);
    const userId = await world.user("a@example.com", { role: Role.READ, customRoles: [roleId] });
    expect(await codeOf(world.call("DeleteCustomRole", { roleId, resourceVersion: "2" }))).toBe("FAILED_PRECONDITION");
    await world.call("DeleteUser", { userId, resourceVersion: "1" });
    await world.call("DeleteCustomRole", { roleId, resourceVersion: "2" });
    await world.restart();
    expect(await codeOf(world.call("GetCustomRole", { roleId }))).toBe("NOT_FOUND");
  });

  it("are refused with an unknown type, action or resource", async () => {
    const create = (p: object, name = "r") => world.outcome("CreateCustomRole", { spec: { name, permissions: [p] } });
    const of = (resourceType: string, action: string, resources: object = { allowAll: true }) => ({
      resources: { resourceType, ...resources },
      actions: [action],
    });
    expect(await create(of("planets", "cloud.user.get"))).toContain("INVALID_ARGUMENT: unknown resource_type");
    expect(await create(of("accounts", "cloud.namespace.get"))).toContain("INVALID_ARGUMENT: unknown action");
    expect(await create(of("namespaces", "cloud.namespace.get", { resourceIds: ["three"] }))).toContain("is not found");
    expect(await create(of("namespaces", "cloud.namespace.get", {}))).toContain("either allow_all or resource_ids");
    expect(await create(of("accounts", "cloud.user.get"), "")).toContain("INVALID_ARGUMENT: spec.name");
    expect(await world.outcome("CreateCustomRole", { spec: { name: "r" } })).toContain("INVALID_ARGUMENT: spec.permissions");
    const many = Array.from({ length: 21 }, () => of("accounts", "cloud.user.get"));
    expect(await world.outcome("CreateCustomRole", { spec: { name: "r", permissions: many } })).toContain("more than 20 permissions");
  });
});

describe("connectivity rules", () => {
  it("of the internet are kept, and not deleted while a namespace has one; private links are the vendor's", async () => {
    const spec = { connectionType: { case: "publicRule", value: {} } } as const;
    const { connectivityRuleId } = await world.call("CreateConnectivityRule", { spec });
    const ns = { name: "ruled", retentionDays: 1, connectivityRuleIds: [connectivityRuleId] };
    await world.call("CreateNamespace", { spec: ns });
    await world.restart();
    expect((await world.call("GetConnectivityRule", { connectivityRuleId })).connectivityRule).toMatchObject({
      id: connectivityRuleId,
      resourceVersion: "1",
      spec,
    });
    expect((await world.call("GetConnectivityRules", { namespace: "ruled" })).connectivityRules).toHaveLength(1);
    expect((await world.call("GetConnectivityRules", { namespace: "one" })).connectivityRules).toEqual([]);
    expect(await codeOf(world.call("DeleteConnectivityRule", { connectivityRuleId, resourceVersion: "1" }))).toBe("FAILED_PRECONDITION");
    const { namespace } = await world.call("GetNamespace", { namespace: "ruled" });
    expect(namespace?.connectivityRules.map((r) => r.id)).toEqual([connectivityRuleId]);
    await world.call("UpdateNamespace", {
      namespace: "ruled",
      resourceVersion: namespace?.resourceVersion ?? "",
      spec: { ...ns, connectivityRuleIds: [] },
    });
    await world.call("DeleteConnectivityRule", { connectivityRuleId, resourceVersion: "1" });
    expect((await world.call("GetConnectivityRules", {})).connectivityRules).toEqual([]);
    const link = { connectionType: { case: "privateRule", value: { connectionId: "vpce-1", region: "local" } } } as const;
    expect(await codeOf(world.call("CreateConnectivityRule", { spec: link }))).toBe("FAILED_PRECONDITION");
    expect(await codeOf(world.call("CreateConnectivityRule", { spec: {} }))).toBe("INVALID_ARGUMENT");
  });
});

describe("namespaces", () => {
  const spec = { name: "orders", retentionDays: 7, apiKeyAuth: { enabled: true }, searchAttributes: { Customer: 2 as const } };

  it("are made, read, changed and found by the rest of the API", async () => {
    const made = await world.call("CreateNamespace", { spec, tags: { team: "shop" } });
    expect(made).toMatchObject({ namespace: "orders", asyncOperation: { state: AsyncOperation_State.FULFILLED } });
    const described = await world.rpc(W.DescribeNamespace, { namespace: "orders" });
    expect(described.config?.workflowExecutionRetentionTtl?.seconds).toBe(7 * 86_400);
    await world.restart();
    const { namespace } = await world.call("GetNamespace", { namespace: "orders" });
    expect(namespace).toMatchObject({
      ...{ namespace: "orders", state: ResourceState.ACTIVE, activeRegion: "local", tags: { team: "shop" } },
      spec: { ...spec, regions: ["local"], replicas: [{ region: "local" }] },
      replicas: [{ isPrimary: true, region: "local" }],
      endpoints: { grpcAddress: "127.0.0.1:7233" },
    });
    const codecServer = { endpoint: "https://codec.example.com", passAccessToken: true };
    const next = {
      ...spec,
      retentionDays: 3,
      searchAttributes: { Customer: 2, Amount: 3 },
      codecServer,
      lifecycle: { enableDeleteProtection: true },
    } as const;
    await world.call("UpdateNamespace", { namespace: "orders", spec: next, resourceVersion: namespace?.resourceVersion ?? "" });
    await world.restart();
    const changed = (await world.call("GetNamespace", { namespace: "orders" })).namespace;
    expect(changed?.spec).toMatchObject({ ...next, codecServer });
    expect(changed?.tags).toEqual({ team: "shop" });
    expect(changed?.resourceVersion).not.toBe(namespace?.resourceVersion);
    expect(await codeOf(world.call("UpdateNamespace", { namespace: "orders", spec: next, resourceVersion: namespace?.resourceVersion ?? "" }))).toBe(
      "FAILED_PRECONDITION",
    );
    await world.call("UpdateNamespaceTags", { namespace: "orders", tagsToUpsert: { tier: "1" }, tagsToRemove: ["team", "none"] });
    expect((await world.call("GetNamespace", { namespace: "orders" })).namespace?.tags).toEqual({ tier: "1" });
    expect((await world.call("GetNamespaces", {})).namespaces.map((n) => n.namespace)).toEqual(["default", "one", "orders", "two"]);
    expect((await world.call("GetNamespaces", { name: "one" })).namespaces.map((n) => n.namespace)).toEqual(["one"]);
  });

  it("are refused with what one installation cannot do, and what makes no sense", async () => {
    const create = (o: object) => codeOf(world.call("CreateNamespace", { spec: { ...spec, ...o } }));
    expect(await create({ name: "" })).toBe("INVALID_ARGUMENT");
    expect(await create({ retentionDays: 0 })).toBe("INVALID_ARGUMENT");
    expect(await create({ regions: ["aws-us-east-1"] })).toBe("INVALID_ARGUMENT");
    expect(await create({ searchAttributes: { X: 0 } })).toBe("INVALID_ARGUMENT");
    expect(await create({ searchAttributes: { WorkflowId: 2 } })).toBe("INVALID_ARGUMENT");
    expect(await create({ codecServer: { endpoint: "not one" } })).toBe("INVALID_ARGUMENT");
    expect(await create({ mtlsAuth: { enabled: true } })).toBe("FAILED_PRECONDITION");
    expect(await create({ capacitySpec: { spec: { case: "provisioned", value: { value: 2 } } } })).toBe("FAILED_PRECONDITION");
    expect(await create({ fairness: { taskQueueFairnessEnabled: false } })).toBe("FAILED_PRECONDITION");
    expect(await create({ replicas: [{ region: "local" }, { region: "local" }] })).toBe("FAILED_PRECONDITION");
    expect(await create({ name: "one" })).toBe("ALREADY_EXISTS");
    expect((await world.call("GetNamespaces", {})).namespaces).toHaveLength(3);
    expect((await world.call("GetAuditLogs", {})).logs).toEqual([]);
    expect(await create({ regions: ["local"] })).toBe("OK");
    const { namespace } = await world.call("GetNamespace", { namespace: "orders" });
    const resourceVersion = namespace?.resourceVersion ?? "";
    const update = (o: object) => codeOf(world.call("UpdateNamespace", { namespace: "orders", resourceVersion, spec: { ...spec, ...o } }));
    expect(await update({ name: "other" })).toBe("INVALID_ARGUMENT");
    expect(await update({ searchAttributes: {} })).toBe("INVALID_ARGUMENT");
    expect(await update({ searchAttributes: { Customer: 3 } })).toBe("INVALID_ARGUMENT");
    expect(await codeOf(world.call("FailoverNamespaceRegion", { namespace: "orders", region: "local" }))).toBe("FAILED_PRECONDITION");
    expect(await codeOf(world.call("FailoverNamespaceRegion", { namespace: "orders", region: "aws-us-east-1" }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(world.call("FailoverNamespaceRegion", { namespace: "none", region: "local" }))).toBe("NOT_FOUND");
    expect(await codeOf(world.call("GetNamespace", { namespace: "temporal-system" }))).toBe("NOT_FOUND");
  });

  it("keep the values of an attribute that is renamed", async () => {
    await world.call("CreateNamespace", { spec });
    const start = { namespace: "orders", workflowId: "w", requestId: "r", workflowType: { name: "t" }, taskQueue: { name: "q" } };
    const data = { metadata: { encoding: Buffer.from("json/plain"), type: Buffer.from("Keyword") }, data: Buffer.from('"ann"') };
    await world.rpc(W.StartWorkflowExecution, { ...start, searchAttributes: { indexedFields: { Customer: encode(Payload, data) } } } as never);
    const count = async (query: string) => (await world.rpc(W.CountWorkflowExecutions, { namespace: "orders", query })).count;
    expect(await count('Customer = "ann"')).toBe(1);
    const resourceVersion = (await world.call("GetNamespace", { namespace: "orders" })).namespace?.resourceVersion ?? "";
    const rename = (from: string, to: string) =>
      codeOf(
        world.call("RenameCustomSearchAttribute", {
          ...{ namespace: "orders", resourceVersion },
          ...{ existingCustomSearchAttributeName: from, newCustomSearchAttributeName: to },
        }),
      );
    expect(await rename("None", "Buyer")).toBe("NOT_FOUND");
    expect(await rename("Customer", "WorkflowId")).toBe("INVALID_ARGUMENT");
    expect(await rename("Customer", "Buyer")).toBe("OK");
    expect(await rename("Buyer", "Other")).toBe("FAILED_PRECONDITION");
    expect(await count('Buyer = "ann"')).toBe(1);
    expect(await codeOf(count('Customer = "ann"') as Promise<unknown>)).toBe("INVALID_ARGUMENT");
    expect((await world.call("GetNamespace", { namespace: "orders" })).namespace?.spec?.searchAttributes).toEqual({ Buyer: 2 });
  });

  it("are deleted in the background: on their way out until nothing is left, then gone with what was given in them", async () => {
    await world.call("CreateNamespace", { spec });
    const userId = await world.user("a@example.com", { role: Role.READ, namespaces: { orders: 1 } });
    const sink = { name: "s", enabled: true, s3: { bucketName: "b", region: "r" } };
    await world.call("CreateNamespaceExportSink", { namespace: "orders", spec: sink });
    const resourceVersion = (await world.call("GetNamespace", { namespace: "orders" })).namespace?.resourceVersion ?? "";
    const { asyncOperation } = await world.call("DeleteNamespace", { namespace: "orders", resourceVersion });
    expect(asyncOperation).toMatchObject({ state: AsyncOperation_State.IN_PROGRESS, finishedTime: undefined, checkDuration: { seconds: 1 } });
    expect((await world.call("GetNamespace", { namespace: "orders" })).namespace).toMatchObject({
      ...{ namespace: "orders", state: ResourceState.DELETING, asyncOperationId: asyncOperation?.id },
    });
    expect((await world.call("GetNamespaces", {})).namespaces.map((n) => n.namespace)).toContain("orders");
    // Another process goes on with it.
    await world.restart();
    const state = async () => (await world.call("GetAsyncOperation", { asyncOperationId: asyncOperation?.id ?? "" })).asyncOperation?.state;
    for (let i = 0; i < 200 && (await state()) !== AsyncOperation_State.FULFILLED; i++) {
      world.runtime.elapse(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await state()).toBe(AsyncOperation_State.FULFILLED);
    expect(await codeOf(world.call("GetNamespace", { namespace: "orders" }))).toBe("NOT_FOUND");
    const { user } = await world.call("GetUser", { userId });
    expect(user?.spec?.access?.namespaceAccesses).toEqual({});
    // Whoever had the one has nothing of the next.
    await world.call("CreateNamespace", { spec });
    const key = await world.key(1, userId);
    expect(await outcomeOf(world.rpc(W.DescribeNamespace, { namespace: "orders" }, key))).toContain("PERMISSION_DENIED");
    expect((await world.call("GetNamespaceExportSinks", { namespace: "orders" })).sinks).toEqual([]);
  });

  it("under protection are deleted by neither door", async () => {
    await world.call("CreateNamespace", { spec: { ...spec, lifecycle: { enableDeleteProtection: true } } });
    const resourceVersion = (await world.call("GetNamespace", { namespace: "orders" })).namespace?.resourceVersion ?? "";
    expect(await codeOf(world.call("DeleteNamespace", { namespace: "orders", resourceVersion }))).toBe("FAILED_PRECONDITION");
    expect(await codeOf(world.rpc(OperatorService.methods.DeleteNamespace, { namespace: "orders" }))).toBe("FAILED_PRECONDITION");
    expect((await world.call("GetNamespace", { namespace: "orders" })).namespace?.state).toBe(ResourceState.ACTIVE);
  });

  it("say what capacity they have", async () => {
    const info = async () => (await world.call("GetNamespaceCapacityInfo", { namespace: "one" })).capacityInfo;
    expect(await info()).toMatchObject({
      namespace: "one",
      currentCapacity: { currentMode: { case: "onDemand" } },
      modeOptions: { onDemand: { apsLimit: 0 } },
    });
    expect(await codeOf(world.call("GetNamespaceCapacityInfo", { namespace: "three" }))).toBe("NOT_FOUND");
  });
});

describe("export sinks", () => {
  it("are made, read, changed and deleted", async () => {
    const spec = { name: "daily", enabled: false, s3: { bucketName: "b", region: "us-east-1", roleName: "r" } };
    await world.call("CreateNamespaceExportSink", { namespace: "one", spec });
    expect(await codeOf(world.call("CreateNamespaceExportSink", { namespace: "one", spec }))).toBe("ALREADY_EXISTS");
    await world.call("UpdateNamespaceExportSink", { namespace: "one", resourceVersion: "1", spec: { ...spec, enabled: true } });
    await world.restart();
    const { sink } = await world.call("GetNamespaceExportSink", { namespace: "one", name: "daily" });
    expect(sink).toMatchObject({ name: "daily", resourceVersion: "2", spec: { ...spec, enabled: true } });
    expect((await world.call("GetNamespaceExportSinks", { namespace: "one" })).sinks).toHaveLength(1);
    expect((await world.call("GetNamespaceExportSinks", { namespace: "two" })).sinks).toEqual([]);
    expect(await codeOf(world.call("DeleteNamespaceExportSink", { namespace: "one", name: "daily", resourceVersion: "1" }))).toBe(
      "FAILED_PRECONDITION",
    );
    await world.call("DeleteNamespaceExportSink", { namespace: "one", name: "daily", resourceVersion: "2" });
    await world.restart();
    expect(await codeOf(world.call("GetNamespaceExportSink", { namespace: "one", name: "daily" }))).toBe("NOT_FOUND");
    expect(await codeOf(world.call("CreateNamespaceExportSink", { namespace: "one", spec: { name: "x", gcs: {} } }))).toBe("FAILED_PRECONDITION");
    expect(await codeOf(world.call("CreateNamespaceExportSink", { namespace: "one", spec: { name: "x" } }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(world.call("ValidateNamespaceExportSink", { namespace: "one", spec: { name: "a b" } }))).toBe("INVALID_ARGUMENT");
  });
});

describe("the account", () => {
  it("is changed, and says where the metrics are", async () => {
    const { account } = await world.call("GetAccount", {});
    expect(account).toMatchObject({ resourceVersion: "0", state: ResourceState.ACTIVE, metrics: { uri: "http://127.0.0.1:7233/metrics" } });
    await world.call("UpdateAccount", { spec: { metrics: {} }, resourceVersion: "0" });
    await world.restart();
    expect((await world.call("GetAccount", {})).account).toMatchObject({ id: account?.id, resourceVersion: "1", spec: { metrics: {} } });
    expect(await codeOf(world.call("UpdateAccount", { spec: {}, resourceVersion: "0" }))).toBe("FAILED_PRECONDITION");
    const certificate = { metrics: { acceptedClientCa: Buffer.from("pem") } };
    expect(await codeOf(world.call("UpdateAccount", { spec: certificate, resourceVersion: "1" }))).toBe("FAILED_PRECONDITION");
  });

  it("has one region, by the name that the operator gave it", async () => {
    expect((await world.call("GetRegions", {})).regions.map((r) => r.id)).toEqual(["local"]);
    expect(await codeOf(world.call("GetRegion", { region: "aws-us-west-2" }))).toBe("NOT_FOUND");
    world.set({ cloudRegion: "aws-us-west-2" });
    await world.restart();
    expect((await world.call("GetRegion", { region: "aws-us-west-2" })).region).toMatchObject({ cloudProvider: 1, cloudProviderRegion: "us-west-2" });
    await world.call("CreateNamespace", { spec: { name: "west", retentionDays: 1, replicas: [{ region: "aws-us-west-2" }] } });
  });

  it("has an audit log of what was changed, by whom and when", async () => {
    const userId = await world.user("a@example.com", { role: Role.ADMIN });
    const key = await world.key(1, userId);
    const before = world.runtime.nowMicros();
    world.runtime.elapse(1000);
    await world.call("CreateUser", { spec: { email: "b@example.com", access: accessOf(READ) } }, key);
    await world.restart();
    const { logs } = await world.call("GetAuditLogs", {});
    expect(logs.map((l) => l.operation)).toEqual(["CreateUser", "CreateApiKey", "CreateUser"]);
    expect(logs[2]).toMatchObject({ status: "OK", principal: { type: "user", id: userId, apiKeyId: key.id }, xForwardedFor: "10.0.0.1" });
    const startTimeInclusive = { seconds: Math.floor(before / 1e6), nanos: (before % 1e6) * 1000 + 1000 };
    expect((await world.call("GetAuditLogs", { startTimeInclusive })).logs).toHaveLength(1);
    expect((await world.call("GetAuditLogs", { endTimeExclusive: startTimeInclusive })).logs).toHaveLength(2);
    const first = await world.call("GetAuditLogs", { pageSize: 2 });
    const second = await world.call("GetAuditLogs", { pageSize: 2, pageToken: first.nextPageToken });
    expect([...first.logs, ...second.logs]).toEqual(logs);
    expect(second.nextPageToken).toBe("");
  });
});

describe("what takes the vendor of a cloud", () => {
  it("is refused with the reason", async () => {
    const spec = { name: "s", sinkType: { case: "kinesisSink", value: { destinationUri: "arn", region: "r", roleName: "n" } } } as const;
    const region = { namespace: "one", region: "local" };
    for (const answer of [
      world.outcome("GetUsage", {}),
      world.outcome("CreateBillingReport", {}),
      world.outcome("GetBillingReport", { billingReportId: "b" }),
      world.outcome("AddNamespaceRegion", region),
      world.outcome("DeleteNamespaceRegion", region),
      world.outcome("CreateAccountAuditLogSink", { spec }),
      world.outcome("UpdateAccountAuditLogSink", { spec }),
      world.outcome("ValidateAccountAuditLogSink", { spec }),
    ])
      expect(await answer).toMatch(/^FAILED_PRECONDITION: .{20}/);
    expect((await world.call("GetAccountAuditLogSinks", {})).sinks).toEqual([]);
    expect(await codeOf(world.call("GetAccountAuditLogSink", { name: "s" }))).toBe("NOT_FOUND");
    expect(await codeOf(world.call("DeleteAccountAuditLogSink", { name: "s", resourceVersion: "1" }))).toBe("NOT_FOUND");
    expect((await world.call("GetAuditLogs", {})).logs).toEqual([]);
  });
});
