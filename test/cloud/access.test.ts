/** CloudService: API keys of users and service accounts, what they open, and that they open nothing once what they stand on is gone. */
import { beforeEach, describe, expect, it } from "vitest";
import { KeyService } from "../../gen/wire/perdure/security/v1/service.js";
import { AccountAccess_Role as Role } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { ResourceState } from "../../gen/wire/temporal/api/cloud/resource/v1/message.js";
import { StoreFailure } from "../../src/persistence/store.js";
import { accessOf, CloudWorld, codeOf, outcomeOf, W, type Who } from "./cloud-world.js";

let world: CloudWorld;
beforeEach(async () => {
  world = await CloudWorld.start();
});

const start = (who: Who, namespace: string) =>
  codeOf(
    world.rpc(W.StartWorkflowExecution, { namespace, workflowId: "w", requestId: "r", workflowType: { name: "t" }, taskQueue: { name: "q" } }, who),
  );
const list = (who: Who, namespace: string) => codeOf(world.rpc(W.ListWorkflowExecutions, { namespace }, who));
const poll = (who: Who) => outcomeOf(world.rpc(W.PollWorkflowTaskQueue, { namespace: "one", taskQueue: { name: "nothing" } }, who));
/** Until calls that were made have come to wait. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("an API key", () => {
  it("is made with a token that is shown once, read, changed and deleted, and known to the other door", async () => {
    const ownerId = await world.serviceAccount("ci", { role: Role.READ });
    const spec = { ownerId, ownerType: 2, displayName: "deploy", description: "for deploys", expiryTime: { seconds: 4_000_000_000 } } as const;
    const { keyId, token } = await world.call("CreateApiKey", { spec });
    expect(token).toMatch(/^pdk_/);
    await world.restart();
    const { apiKey } = await world.call("GetApiKey", { keyId });
    expect(apiKey).toMatchObject({ id: keyId, resourceVersion: "1", spec: { ...spec, disabled: false }, state: ResourceState.ACTIVE });
    expect(JSON.stringify(apiKey)).not.toContain(token);
    await world.call("UpdateApiKey", { keyId, resourceVersion: "1", spec: { ...spec, displayName: "release", disabled: true } });
    await world.restart();
    expect((await world.call("GetApiKey", { keyId })).apiKey).toMatchObject({
      resourceVersion: "2",
      spec: { displayName: "release", disabled: true },
    });
    const listed = (await world.rpc(KeyService.methods.ListKeys, {})).keys;
    expect(listed.map((k) => [k.name, k.role, k.disabled])).toEqual([
      ["admin", "admin", false],
      ["release", `service-account:${ownerId}`, true],
    ]);
    const plain = (await world.call("GetApiKeys", {})).apiKeys.find((k) => k.id !== keyId);
    expect(plain?.spec).toMatchObject({ displayName: "admin", ownerId: "", ownerType: 0 });
    expect((await world.call("GetApiKeys", { ownerId })).apiKeys.map((k) => k.id)).toEqual([keyId]);
    expect((await world.call("GetApiKeys", { ownerType: 1 })).apiKeys).toEqual([]);
    expect(await codeOf(world.call("DeleteApiKey", { keyId, resourceVersion: "1" }))).toBe("FAILED_PRECONDITION");
    await world.call("DeleteApiKey", { keyId, resourceVersion: "2" });
    await world.restart();
    expect(await codeOf(world.call("GetApiKey", { keyId }))).toBe("NOT_FOUND");
    expect((await world.rpc(KeyService.methods.ListKeys, {})).keys).toHaveLength(1);
    // And the other way round.
    const made = await world.rpc(KeyService.methods.CreateKey, { name: "other", role: "read", namespaces: ["one"] });
    await world.call("DeleteApiKey", { keyId: made.key?.id ?? "", resourceVersion: "1" });
    expect(await list({ token: made.token }, "one")).toBe("UNAUTHENTICATED");
  });

  it("is refused without an owner that is there, a name, or a time to come; and its owner stays", async () => {
    const ownerId = await world.user("a@example.com", { role: Role.READ });
    const create = (o: object) => codeOf(world.call("CreateApiKey", { spec: { ownerId, ownerType: 1, displayName: "k", ...o } }));
    expect(await create({ ownerType: 0 })).toBe("INVALID_ARGUMENT");
    expect(await create({ ownerId: "" })).toBe("INVALID_ARGUMENT");
    expect(await create({ displayName: "" })).toBe("INVALID_ARGUMENT");
    expect(await create({ expiryTime: { seconds: 1 } })).toBe("INVALID_ARGUMENT");
    expect(await create({ expiryTime: { seconds: 0 } })).toBe("INVALID_ARGUMENT");
    expect(await create({ ownerId: "nobody" })).toBe("NOT_FOUND");
    // A user is no service account.
    expect(await create({ ownerType: 2 })).toBe("NOT_FOUND");
    expect(await create({ ownerType: 0, ownerTypeDeprecated: "user" })).toBe("OK");
    const { id: keyId } = await world.key(1, ownerId);
    const move = { ownerId: await world.user("b@example.com", { role: Role.READ }), ownerType: 1, displayName: "k" } as const;
    expect(await codeOf(world.call("UpdateApiKey", { keyId, resourceVersion: "1", spec: move }))).toBe("INVALID_ARGUMENT");
  });

  it("that was asked for once has one token, which nobody is shown again", async () => {
    const ownerId = await world.user("a@example.com", { role: Role.READ });
    const request = { spec: { ownerId, ownerType: 1, displayName: "k" }, asyncOperationId: "op" } as const;
    const { keyId } = await world.call("CreateApiKey", request);
    expect(await world.outcome("CreateApiKey", request)).toContain(`ALREADY_EXISTS: the API key of async operation op`);
    expect((await world.call("GetApiKeys", { ownerId })).apiKeys.map((k) => k.id)).toEqual([keyId]);
  });

  it("opens the namespaces and what the role of its owner says, at once after each change", async () => {
    const userId = await world.user("a@example.com", { role: Role.READ, namespaces: { one: 2 } });
    const key = await world.key(1, userId);
    expect([await start(key, "one"), await list(key, "one")]).toEqual(["OK", "OK"]);
    expect([await start(key, "two"), await list(key, "two")]).toEqual(["PERMISSION_DENIED", "PERMISSION_DENIED"]);
    expect(await codeOf(world.rpc(W.RegisterNamespace, { namespace: "three", workflowExecutionRetentionPeriod: { seconds: 86_400 } }, key))).toBe(
      "PERMISSION_DENIED",
    );
    await world.call("SetUserNamespaceAccess", { userId, namespace: "one", resourceVersion: "1", access: { permission: 3 } });
    expect([await start(key, "one"), await list(key, "one")]).toEqual(["PERMISSION_DENIED", "OK"]);
    await world.call("SetUserNamespaceAccess", { userId, namespace: "two", resourceVersion: "2", access: { permission: 1 } });
    expect([await start(key, "two"), await codeOf(world.rpc(W.UpdateNamespace, { namespace: "two" }, key))]).toEqual(["OK", "OK"]);
    await world.restart();
    expect([await start(key, "one"), await list(key, "one"), await list(key, "two")]).toEqual(["PERMISSION_DENIED", "OK", "OK"]);
    await world.call("UpdateUser", { userId, resourceVersion: "3", spec: { email: "a@example.com", access: accessOf({ role: Role.ADMIN }) } });
    expect(await start(key, "one")).toBe("OK");
  });

  it("opens what the groups of its owner have, while they do", async () => {
    const userId = await world.user("a@example.com", { role: Role.METRICS_READ });
    const key = await world.key(1, userId);
    const spec = {
      displayName: "team",
      access: accessOf({ role: Role.READ, namespaces: { one: 3 } }),
      groupType: { case: "cloudGroup", value: {} },
    } as const;
    const { groupId } = await world.call("CreateUserGroup", { spec });
    const memberId = { memberType: { case: "userId", value: userId } } as const;
    expect(await list(key, "one")).toBe("PERMISSION_DENIED");
    await world.call("AddUserGroupMember", { groupId, memberId });
    expect([await list(key, "one"), await codeOf(world.call("GetUsers", {}, key))]).toEqual(["OK", "OK"]);
    await world.call("RemoveUserGroupMember", { groupId, memberId });
    expect([await list(key, "one"), await codeOf(world.call("GetUsers", {}, key))]).toEqual(["PERMISSION_DENIED", "PERMISSION_DENIED"]);
    await world.call("AddUserGroupMember", { groupId, memberId });
    await world.call("DeleteUserGroup", { groupId, resourceVersion: "1" });
    expect(await list(key, "one")).toBe("PERMISSION_DENIED");
  });

  it("opens nothing from the moment that its disabling, deletion or end is acknowledged, nor do calls that wait by it", async () => {
    const ownerId = await world.serviceAccount("ci", { role: Role.READ, namespaces: { one: 2 } });
    const spec = { ownerId, ownerType: 2, displayName: "k" } as const;
    const key = await world.key(2, ownerId);
    const waiting = poll(key);
    await settled();
    await world.call("UpdateApiKey", { keyId: key.id, resourceVersion: "1", spec: { ...spec, disabled: true } });
    expect(await list(key, "one")).toBe("UNAUTHENTICATED");
    expect(await waiting).toContain("UNAUTHENTICATED");
    await world.call("UpdateApiKey", { keyId: key.id, resourceVersion: "2", spec });
    expect(await list(key, "one")).toBe("OK");
    const again = poll(key);
    await settled();
    await world.call("DeleteApiKey", { keyId: key.id, resourceVersion: "3" });
    expect(await list(key, "one")).toBe("UNAUTHENTICATED");
    expect(await again).toContain("UNAUTHENTICATED");
    const seconds = Math.floor(world.runtime.nowMicros() / 1e6) + 30;
    const { token } = await world.call("CreateApiKey", { spec: { ...spec, expiryTime: { seconds } } });
    const last = poll({ token });
    await settled();
    expect(await list({ token }, "one")).toBe("OK");
    world.runtime.elapse(31_000);
    expect(await last).toContain("UNAUTHENTICATED");
    expect(await list({ token }, "one")).toBe("UNAUTHENTICATED");
    expect((await world.call("GetApiKeys", { ownerId })).apiKeys.map((k) => k.state)).toEqual([ResourceState.EXPIRED]);
  });

  it("goes with its owner", async () => {
    const userId = await world.user("a@example.com", { role: Role.READ, namespaces: { one: 2 } });
    const serviceAccountId = await world.serviceAccount("ci", { role: Role.READ, namespaces: { one: 2 } });
    const keys = [await world.key(1, userId), await world.key(1, userId), await world.key(2, serviceAccountId)];
    const waiting = keys.map(poll);
    await settled();
    await world.call("DeleteUser", { userId, resourceVersion: "1" });
    expect(await Promise.all(keys.map((k) => list(k, "one")))).toEqual(["UNAUTHENTICATED", "UNAUTHENTICATED", "OK"]);
    await world.call("DeleteServiceAccount", { serviceAccountId, resourceVersion: "1" });
    expect(await list(keys[2] as Who, "one")).toBe("UNAUTHENTICATED");
    for (const w of waiting) expect(await w).toContain("UNAUTHENTICATED");
    expect((await world.call("GetApiKeys", {})).apiKeys).toHaveLength(1);
    await world.restart();
    expect(await Promise.all(keys.map((k) => list(k, "one")))).toEqual(["UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED"]);
    expect((await world.call("GetApiKeys", {})).apiKeys).toHaveLength(1);
  });

  it("ends calls that wait when its owner may make them no longer, and leaves those that it may", async () => {
    const userId = await world.user("a@example.com", { role: Role.READ, namespaces: { one: 2 } });
    const key = await world.key(1, userId);
    let isOver = false;
    const waiting = poll(key).then((o) => {
      isOver = true;
      return o;
    });
    await settled();
    await world.call("SetUserNamespaceAccess", { userId, namespace: "one", resourceVersion: "1", access: { permission: 1 } });
    await settled();
    expect(isOver).toBe(false);
    await world.call("SetUserNamespaceAccess", { userId, namespace: "one", resourceVersion: "2", access: { permission: 3 } });
    expect(await waiting).toContain("PERMISSION_DENIED");
  });

  it("is rotated without a gap: the new one opens what the old one did before that goes", async () => {
    const id = await world.serviceAccount("ci", { role: Role.READ, namespaces: { one: 2 } });
    const old = await world.key(2, id);
    // By itself: who has a key of an account may make the next.
    const next = await world.key(2, id, old);
    expect([await list(old, "one"), await list(next, "one")]).toEqual(["OK", "OK"]);
    await world.call("DeleteApiKey", { keyId: old.id, resourceVersion: "1" }, next);
    expect([await list(old, "one"), await list(next, "one")]).toEqual(["UNAUTHENTICATED", "OK"]);
  });

  it("does not open a namespace that takes none", async () => {
    const spec = { name: "closed", retentionDays: 1 };
    await world.call("CreateNamespace", { spec });
    expect(await codeOf(world.rpc(W.DescribeNamespace, { namespace: "closed" }))).toBe("PERMISSION_DENIED");
    const { namespace } = await world.call("GetNamespace", { namespace: "closed" });
    expect(namespace?.endpoints?.grpcAddress).toBe("");
    const open = { ...spec, apiKeyAuth: { enabled: true } };
    await world.call("UpdateNamespace", { namespace: "closed", spec: open, resourceVersion: namespace?.resourceVersion ?? "" });
    expect(await codeOf(world.rpc(W.DescribeNamespace, { namespace: "closed" }))).toBe("OK");
  });
});

describe("a change that the store does not take", () => {
  it("is none: neither the resource nor its keys nor its operation have changed, now or later", async () => {
    const userId = await world.user("a@example.com", { role: Role.READ, namespaces: { one: 2 } });
    const key = await world.key(1, userId);
    const { apiKeys } = await world.call("GetApiKeys", {});
    const commit = world.store.commit.bind(world.store);
    world.store.commit = () => Promise.reject(new StoreFailure("refused", "no"));
    const spec = { name: "made", retentionDays: 1 };
    for (const answer of [
      world.call("DeleteUser", { userId, resourceVersion: "1" }),
      world.call("SetUserNamespaceAccess", { userId, namespace: "one", resourceVersion: "1" }),
      world.call("UpdateApiKey", { keyId: key.id, resourceVersion: "1", spec: { displayName: "x", disabled: true } }),
      world.call("DeleteApiKey", { keyId: key.id, resourceVersion: "1" }),
      world.call("CreateNamespace", { spec }),
    ])
      expect(await codeOf(answer)).not.toBe("OK");
    world.store.commit = commit;
    for (const again of [false, true]) {
      if (again) await world.restart();
      expect(await list(key, "one")).toBe("OK");
      expect((await world.call("GetUser", { userId })).user?.resourceVersion).toBe("1");
      expect((await world.call("GetApiKeys", {})).apiKeys).toEqual(apiKeys);
      expect(await codeOf(world.call("GetNamespace", { namespace: "made" }))).toBe("NOT_FOUND");
      expect((await world.call("GetAuditLogs", {})).logs.map((l) => l.operation)).toEqual(["CreateUser", "CreateApiKey"]);
    }
    expect(await codeOf(world.call("DeleteUser", { userId, resourceVersion: "1" }))).toBe("OK");
  });
});

describe("who calls", () => {
  it("is told who that is, and by which key", async () => {
    const userId = await world.user("a@example.com", { role: Role.READ });
    const accountId = await world.serviceAccount("ci", { role: Role.READ });
    const [u, a] = [await world.key(1, userId), await world.key(2, accountId)];
    expect(await world.call("GetCurrentIdentity", {}, u)).toMatchObject({
      principal: { case: "user", value: { id: userId } },
      principalApiKey: { id: u.id },
    });
    expect(await world.call("GetCurrentIdentity", {}, a)).toMatchObject({ principal: { case: "serviceAccount", value: { id: accountId } } });
    expect(await world.call("GetCurrentIdentity", {})).toMatchObject({
      principal: { case: undefined },
      principalApiKey: { spec: { displayName: "admin" } },
    });
    expect(await codeOf(world.call("GetCurrentIdentity", {}, { token: undefined }))).toBe("UNAUTHENTICATED");
  });

  it("sees and manages their own keys, and nobody else's", async () => {
    const [mine, theirs] = [await world.user("a@example.com", { role: Role.READ }), await world.user("b@example.com", { role: Role.READ })];
    const key = await world.key(1, mine);
    const other = await world.key(1, theirs);
    expect((await world.call("GetApiKeys", {}, key)).apiKeys.map((k) => k.id)).toEqual([key.id]);
    expect(await codeOf(world.call("GetApiKey", { keyId: other.id }, key))).toBe("NOT_FOUND");
    expect(await codeOf(world.call("DeleteApiKey", { keyId: other.id, resourceVersion: "1" }, key))).toBe("NOT_FOUND");
    expect(await codeOf(world.key(1, theirs, key))).toBe("PERMISSION_DENIED");
    const second = await world.key(1, mine, key);
    expect(await codeOf(world.call("DeleteApiKey", { keyId: second.id, resourceVersion: "1" }, key))).toBe("OK");
  });

  it("of a namespace manages the service accounts that are bound to it, and their keys", async () => {
    const boss = await world.key(1, await world.user("a@example.com", { role: Role.READ, namespaces: { one: 1 } }));
    const bound = (namespace: string) => ({
      spec: { name: `ci-${namespace}`, namespaceScopedAccess: { namespace, access: { permission: 2 as const } } },
    });
    const { serviceAccountId } = await world.call("CreateServiceAccount", bound("one"), boss);
    expect(await codeOf(world.call("CreateServiceAccount", bound("two"), boss))).toBe("PERMISSION_DENIED");
    expect(await codeOf(world.call("CreateServiceAccount", { spec: { name: "x", access: accessOf({ role: Role.READ }) } }, boss))).toBe(
      "PERMISSION_DENIED",
    );
    const key = await world.key(2, serviceAccountId, boss);
    expect([await start(key, "one"), await start(key, "two")]).toEqual(["OK", "PERMISSION_DENIED"]);
    const wide = await world.serviceAccount("wide", { role: Role.READ });
    expect(await codeOf(world.call("DeleteServiceAccount", { serviceAccountId: wide, resourceVersion: "1" }, boss))).toBe("PERMISSION_DENIED");
    expect(await codeOf(world.call("DeleteServiceAccount", { serviceAccountId, resourceVersion: "1" }, boss))).toBe("OK");
  });

  it("developing makes namespaces and administers those, and sees no others", async () => {
    const userId = await world.user("a@example.com", { role: Role.DEVELOPER });
    const key = await world.key(1, userId);
    expect((await world.call("GetNamespaces", {}, key)).namespaces).toEqual([]);
    const spec = { name: "mine", retentionDays: 1, apiKeyAuth: { enabled: true } };
    expect(await codeOf(world.call("CreateNamespace", { spec, tags: { a: "b" } }, key))).toBe("PERMISSION_DENIED");
    await world.call("CreateNamespace", { spec }, key);
    await world.restart();
    expect((await world.call("GetNamespaces", {}, key)).namespaces.map((n) => n.namespace)).toEqual(["mine"]);
    expect([await start(key, "mine"), await start(key, "one")]).toEqual(["OK", "PERMISSION_DENIED"]);
    const { namespace } = await world.call("GetNamespace", { namespace: "mine" }, key);
    const change = { namespace: "mine", resourceVersion: namespace?.resourceVersion ?? "", spec: { ...spec, retentionDays: 2 } };
    expect(await codeOf(world.call("UpdateNamespace", change, key))).toBe("OK");
    expect(await codeOf(world.call("CreateUser", {}, key))).toBe("PERMISSION_DENIED");
    const reader = await world.key(1, await world.user("b@example.com", { role: Role.READ }));
    expect(await codeOf(world.call("CreateNamespace", { spec: { ...spec, name: "theirs" } }, reader))).toBe("PERMISSION_DENIED");
  });

  it("administers the account and is no owner, makes no owner and touches none", async () => {
    const owner = await world.user("o@example.com", { role: Role.OWNER });
    const admin = await world.key(1, await world.user("a@example.com", { role: Role.ADMIN }));
    const spec = { email: "x@example.com", access: accessOf({ role: Role.OWNER }) };
    expect(await codeOf(world.call("CreateUser", { spec }, admin))).toBe("PERMISSION_DENIED");
    expect(await codeOf(world.call("DeleteUser", { userId: owner, resourceVersion: "1" }, admin))).toBe("PERMISSION_DENIED");
    expect(await codeOf(world.key(1, owner, admin))).toBe("PERMISSION_DENIED");
    const down = { userId: owner, resourceVersion: "1", spec: { email: "o@example.com", access: accessOf({ role: Role.READ }) } };
    expect(await codeOf(world.call("UpdateUser", down, admin))).toBe("PERMISSION_DENIED");
    expect(await codeOf(world.call("CreateUser", { spec: { ...spec, access: accessOf({ role: Role.ADMIN }) } }, admin))).toBe("OK");
    const top = await world.key(1, owner);
    expect(await codeOf(world.call("CreateUser", { spec: { ...spec, email: "y@example.com" } }, top))).toBe("OK");
  });
});

describe("a custom role", () => {
  const role = async (name: string, resourceType: string, actions: string[], resourceIds: string[] = []) => {
    const resources = { resourceType, resourceIds, allowAll: resourceIds.length === 0 };
    return (await world.call("CreateCustomRole", { spec: { name, permissions: [{ resources, actions }] } })).roleId;
  };

  it("adds its actions on its resources, and no more", async () => {
    const roleId = await role("looker", "namespaces", ["cloud.namespace.get"], ["one"]);
    const userId = await world.user("a@example.com", { role: Role.METRICS_READ, customRoles: [roleId] });
    const key = await world.key(1, userId);
    expect(await codeOf(world.call("GetNamespace", { namespace: "one" }, key))).toBe("OK");
    expect(await codeOf(world.call("GetNamespace", { namespace: "two" }, key))).toBe("PERMISSION_DENIED");
    expect(await codeOf(world.call("GetNamespaceCapacityInfo", { namespace: "one" }, key))).toBe("PERMISSION_DENIED");
    // It is of the account's API, not of the namespace's own.
    expect(await list(key, "one")).toBe("PERMISSION_DENIED");
    const all = { name: "looker", permissions: [{ resources: { resourceType: "namespaces", allowAll: true }, actions: ["cloud.namespace.get"] }] };
    await world.call("UpdateCustomRole", { roleId, resourceVersion: "1", spec: all });
    expect(await codeOf(world.call("GetNamespace", { namespace: "two" }, key))).toBe("OK");
    await world.call("UpdateUser", { userId, resourceVersion: "1", spec: { email: "a@example.com", access: accessOf({ role: Role.METRICS_READ }) } });
    expect(await codeOf(world.call("GetNamespace", { namespace: "two" }, key))).toBe("PERMISSION_DENIED");
  });

  it("does not let its holder give or take more than it has", async () => {
    const roleId = await role("helper", "accounts", ["cloud.user.create", "cloud.usergroup.addMember", "cloud.customrole.create"]);
    const changer = await role("changer", "custom-roles", ["cloud.customrole.update"]);
    const userId = await world.user("a@example.com", { role: Role.READ, namespaces: { one: 3 }, customRoles: [roleId, changer] });
    const key = await world.key(1, userId);
    const create = (access: Parameters<typeof accessOf>[0]) =>
      codeOf(world.call("CreateUser", { spec: { email: "b@example.com", access: accessOf(access) } }, key));
    expect(await create({ role: Role.ADMIN })).toBe("PERMISSION_DENIED");
    expect(await create({ role: Role.READ, namespaces: { one: 1 } })).toBe("PERMISSION_DENIED");
    expect(await create({ role: Role.READ, namespaces: { two: 3 } })).toBe("PERMISSION_DENIED");
    expect(await create({ role: Role.READ, namespaces: { one: 3 }, customRoles: [roleId] })).toBe("OK");
    const permissions = [{ resources: { resourceType: "accounts", allowAll: true }, actions: ["cloud.user.delete"] }];
    expect(await codeOf(world.call("UpdateCustomRole", { roleId, resourceVersion: "1", spec: { name: "helper", permissions } }, key))).toBe(
      "PERMISSION_DENIED",
    );
    expect(await codeOf(world.call("CreateCustomRole", { spec: { name: "more", permissions } }, key))).toBe("PERMISSION_DENIED");
    const spec = { displayName: "admins", access: accessOf({ role: Role.ADMIN }), groupType: { case: "cloudGroup", value: {} } } as const;
    const { groupId } = await world.call("CreateUserGroup", { spec });
    const member = { groupId, memberId: { memberType: { case: "userId", value: userId } } } as const;
    expect(await codeOf(world.call("AddUserGroupMember", member, key))).toBe("PERMISSION_DENIED");
  });

  it("to give access in a namespace gives no more than its holder has there", async () => {
    const roleId = await role("giver", "namespaces", ["cloud.namespace.setUserAccess"]);
    const userId = await world.user("a@example.com", { role: Role.READ, namespaces: { one: 3 }, customRoles: [roleId] });
    const key = await world.key(1, userId);
    const set = (permission: 1 | 3) =>
      codeOf(world.call("SetUserNamespaceAccess", { userId, namespace: "one", resourceVersion: "1", access: { permission } }, key));
    expect([await set(1), await set(3)]).toEqual(["PERMISSION_DENIED", "OK"]);
  });
});

describe("the version header", () => {
  const ask = (version?: string) =>
    world.outcome("GetRegions", {}, undefined, version === undefined ? {} : { "temporal-cloud-api-version": version });

  it("may be missing or of a version that is served, and nothing else", async () => {
    expect([await ask(), await ask("v0.17.0"), await ask("v0.10.1"), await ask("v0.4.0")]).toEqual(["OK", "OK", "OK", "OK"]);
    for (const version of ["v0.18.0", "v0.3.0", "v0.17", "0.17.0", "v1", "", "latest"])
      expect(await ask(version)).toBe(
        `INVALID_ARGUMENT: temporal-cloud-api-version ${JSON.stringify(version)} is not supported; supported versions: v0.4.0 to v0.17.0`,
      );
  });

  it("is of this service alone", async () => {
    expect(await codeOf(world.rpc(W.GetClusterInfo, {}, undefined, { "temporal-cloud-api-version": "v9" }))).toBe("OK");
  });
});
