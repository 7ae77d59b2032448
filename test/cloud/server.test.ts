/** CloudService on the real server: what was acknowledged outlives a kill, the `/cloud` routes are the same calls, and so is the Go client. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AccountAccess_Role as Role } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { client, type JsonAnswer } from "../http/http-client.js";
import { goIsHere, goProgram, run } from "../sdk/languages.js";
import { keyOn } from "../security/command.js";
import { accessOf } from "./cloud-world.js";
import { GrpcCaller } from "./grpc-caller.js";

const folder = temporaryDirectory();
const file = join(folder, "p.db");
let token: string;
let server: ServerProcess;
let cloud: GrpcCaller;

async function start(): Promise<void> {
  server = await startServer(["-f", file, "-n", "one", "--auth"]);
  cloud = await GrpcCaller.connect(server.address, token);
}

async function killed(): Promise<void> {
  cloud.close();
  server.child.kill("SIGKILL");
  await server.exited;
  await start();
}

beforeAll(async () => {
  token = await keyOn(file, "--role", "admin", "--name", "first");
  await start();
}, 60_000);
afterAll(async () => {
  cloud?.close();
  await server?.stop();
});

const READ = accessOf({ role: Role.READ });

describe("a killed server", () => {
  it("has every kind as it was acknowledged: made, changed and deleted", async () => {
    const { userId } = await cloud.call("CreateUser", { spec: { email: "a@example.com", access: READ } });
    const group = { displayName: "team", access: READ, groupType: { case: "cloudGroup", value: {} } } as const;
    const { groupId } = await cloud.call("CreateUserGroup", { spec: group });
    await cloud.call("AddUserGroupMember", { groupId, memberId: { memberType: { case: "userId", value: userId } } });
    const { serviceAccountId } = await cloud.call("CreateServiceAccount", { spec: { name: "ci", access: READ } });
    const { keyId, token: secret } = await cloud.call("CreateApiKey", { spec: { ownerId: serviceAccountId, ownerType: 2, displayName: "k" } });
    const permissions = [{ resources: { resourceType: "accounts", allowAll: true }, actions: ["cloud.user.get"] }];
    const { roleId } = await cloud.call("CreateCustomRole", { spec: { name: "r", permissions } });
    const { connectivityRuleId } = await cloud.call("CreateConnectivityRule", { spec: { connectionType: { case: "publicRule", value: {} } } });
    const namespace = { name: "made", retentionDays: 3, apiKeyAuth: { enabled: true }, connectivityRuleIds: [connectivityRuleId] };
    await cloud.call("CreateNamespace", { spec: namespace });
    await cloud.call("CreateNamespaceExportSink", { namespace: "made", spec: { name: "s", s3: { bucketName: "b" } } });
    await cloud.call("UpdateAccount", { spec: { metrics: {} }, resourceVersion: "0" });

    /** Versions of everything, as it is read now. */
    const versions = async () => [
      (await cloud.call("GetUser", { userId })).user?.resourceVersion,
      (await cloud.call("GetUserGroup", { groupId })).group?.resourceVersion,
      (await cloud.call("GetUserGroupMembers", { groupId })).members.length,
      (await cloud.call("GetServiceAccount", { serviceAccountId })).serviceAccount?.resourceVersion,
      (await cloud.call("GetApiKey", { keyId })).apiKey?.resourceVersion,
      (await cloud.call("GetCustomRole", { roleId })).customRole?.resourceVersion,
      (await cloud.call("GetConnectivityRule", { connectivityRuleId })).connectivityRule?.resourceVersion,
      (await cloud.call("GetNamespace", { namespace: "made" })).namespace?.spec?.retentionDays,
      (await cloud.call("GetNamespaceExportSink", { namespace: "made", name: "s" })).sink?.resourceVersion,
      (await cloud.call("GetAccount", {})).account?.resourceVersion,
      (await cloud.call("GetAuditLogs", {})).logs.length,
    ];
    const made = await versions();
    expect(made).toEqual(["1", "1", 1, "1", "1", "1", "1", 3, "1", "1", 10]);
    await killed();
    expect(await versions()).toEqual(made);

    await cloud.call("UpdateUser", { userId, resourceVersion: "1", spec: { email: "b@example.com", access: READ } });
    await cloud.call("UpdateUserGroup", { groupId, resourceVersion: "1", spec: { ...group, displayName: "crew" } });
    await cloud.call("UpdateServiceAccount", { serviceAccountId, resourceVersion: "1", spec: { name: "cd", access: READ } });
    await cloud.call("UpdateApiKey", { keyId, resourceVersion: "1", spec: { displayName: "l" } });
    await cloud.call("UpdateCustomRole", { roleId, resourceVersion: "1", spec: { name: "s", permissions } });
    const { resourceVersion = "" } = (await cloud.call("GetNamespace", { namespace: "made" })).namespace ?? {};
    await cloud.call("UpdateNamespace", { namespace: "made", resourceVersion, spec: { ...namespace, retentionDays: 4, connectivityRuleIds: [] } });
    await cloud.call("UpdateNamespaceExportSink", { namespace: "made", resourceVersion: "1", spec: { name: "s", s3: { bucketName: "c" } } });
    await killed();
    expect(await versions()).toEqual(["2", "2", 1, "2", "2", "2", "1", 4, "2", "1", 17]);
    const key = await GrpcCaller.connect(server.address, secret);
    expect((await key.call("GetCurrentIdentity", {})).principalApiKey?.spec?.displayName).toBe("l");

    await cloud.call("DeleteNamespaceExportSink", { namespace: "made", name: "s", resourceVersion: "2" });
    const last = (await cloud.call("GetNamespace", { namespace: "made" })).namespace?.resourceVersion ?? "";
    const { asyncOperation } = await cloud.call("DeleteNamespace", { namespace: "made", resourceVersion: last });
    await cloud.call("DeleteConnectivityRule", { connectivityRuleId, resourceVersion: "1" });
    await cloud.call("DeleteCustomRole", { roleId, resourceVersion: "2" });
    await cloud.call("DeleteServiceAccount", { serviceAccountId, resourceVersion: "2" });
    await cloud.call("DeleteUserGroup", { groupId, resourceVersion: "2" });
    await cloud.call("DeleteUser", { userId, resourceVersion: "2" });
    await expect(key.call("GetRegions", {})).rejects.toThrow("16:");
    key.close();
    await killed();
    await expect(GrpcCaller.connect(server.address, secret).then((c) => c.call("GetRegions", {}).finally(() => c.close()))).rejects.toThrow("16:");
    expect((await cloud.call("GetUsers", {})).users).toEqual([]);
    expect((await cloud.call("GetUserGroups", {})).groups).toEqual([]);
    expect((await cloud.call("GetServiceAccounts", {})).serviceAccount).toEqual([]);
    expect((await cloud.call("GetApiKeys", {})).apiKeys.map((k) => k.spec?.displayName)).toEqual(["first"]);
    expect((await cloud.call("GetCustomRoles", {})).customRoles).toEqual([]);
    expect((await cloud.call("GetConnectivityRules", {})).connectivityRules).toEqual([]);
    const id = asyncOperation?.id ?? "";
    await expect
      .poll(async () => (await cloud.call("GetAsyncOperation", { asyncOperationId: id })).asyncOperation?.finishedTime, { timeout: 20_000 })
      .toBeDefined();
    await expect(cloud.call("GetNamespace", { namespace: "made" })).rejects.toThrow("5:");
  }, 60_000);
});

describe("the /cloud routes", () => {
  const ask = (what: string, body?: unknown, headers: Record<string, string> = {}): Promise<JsonAnswer> =>
    client(`http://${server.address}`)(what, body, { authorization: `Bearer ${token}`, ...headers });

  it("make, read, change and delete by path, query and body", async () => {
    const access = { accountAccess: { role: "ROLE_READ" }, namespaceAccesses: { one: { permission: "PERMISSION_WRITE" } } };
    const made = await ask("POST /cloud/users", { spec: { email: "h@example.com", access }, asyncOperationId: "http" });
    expect(made.status).toBe(200);
    expect(made.body.asyncOperation).toMatchObject({ id: "http", state: "STATE_FULFILLED", operationType: "CreateUser" });
    expect(made.body.asyncOperation.operationInput).toMatchObject({
      "@type": "type.googleapis.com/temporal.api.cloud.cloudservice.v1.CreateUserRequest",
      spec: { email: "h@example.com" },
    });
    const { userId } = made.body as { userId: string };
    expect((await ask("GET /cloud/operations/http")).body.asyncOperation).toEqual(made.body.asyncOperation);
    const { user } = (await ask(`GET /cloud/users/${userId}`)).body;
    expect(user).toMatchObject({ id: userId, resourceVersion: "1", state: "RESOURCE_STATE_ACTIVE", spec: { email: "h@example.com", access } });
    expect((await ask("GET /cloud/users?email=h@example.com&pageSize=1")).body.users).toHaveLength(1);
    const update = { spec: { email: "i@example.com", access }, resourceVersion: "1" };
    expect((await ask(`POST /cloud/users/${userId}`, update)).status).toBe(200);
    const given = { access: { permission: "PERMISSION_READ" }, resourceVersion: "2" };
    expect((await ask(`POST /cloud/namespaces/one/users/${userId}/access`, given)).status).toBe(200);
    const assigned = (await ask("GET /cloud/namespaces/one/user-assignments")).body.users;
    expect(assigned).toMatchObject([{ id: userId, namespaceAccess: { permission: "PERMISSION_READ" } }]);
    const sink = { spec: { name: "web", s3: { bucketName: "b" } } };
    expect((await ask("POST /cloud/namespaces/one/export-sinks", sink)).status).toBe(200);
    const changed = { spec: { s3: { bucketName: "c" } }, resourceVersion: "1" };
    expect((await ask("POST /cloud/namespaces/one/export-sinks/web", changed)).status).toBe(200);
    expect((await ask("GET /cloud/namespaces/one/export-sinks/web")).body.sink.spec.s3.bucketName).toBe("c");
    expect((await ask(`DELETE /cloud/users/${userId}?resourceVersion=2`)).status).toBe(400);
    expect((await ask(`DELETE /cloud/users/${userId}?resourceVersion=3`)).status).toBe(200);
    expect((await ask(`GET /cloud/users/${userId}`)).status).toBe(404);
  });

  it("answer errors in the official form, refuse fields that are not known and versions that are not served", async () => {
    expect(await ask("GET /cloud/users/none")).toMatchObject({ status: 404, body: { code: 5, message: "User none is not found." } });
    expect((await ask("POST /cloud/users", { spek: {} })).status).toBe(400);
    expect((await ask("GET /cloud/regions", undefined, { "temporal-cloud-api-version": "v9" })).status).toBe(400);
    expect((await ask("GET /cloud/regions", undefined, { "temporal-cloud-api-version": "v0.17.0" })).status).toBe(200);
    expect((await ask("GET /cloud/regions", undefined, { authorization: "" })).status).toBe(401);
    expect((await ask("GET /cloud/usage")).status).toBe(400);
    expect((await ask("GET /cloud/nothing")).status).toBe(404);
  });
});

const hasGo = goIsHere("the Cloud Ops client in Go");

describe("the official Go client", () => {
  it.runIf(hasGo)("manages the account", { timeout: 600_000 }, async () => {
    const program = goProgram(".", "go-cloud-ops", join(import.meta.dirname, "go"));
    const ended = await run(program, ["-addr", server.address, "-key", token], 120_000);
    expect(ended).toMatchObject({ ok: true });
    expect(ended.stdout.trim().split("\n").at(-1)).toBe("ok 23");
  });
});
