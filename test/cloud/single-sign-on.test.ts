/** A person who comes with a token of single sign-on instead of a key: the user whose address it names. */
import { beforeEach, describe, expect, it } from "vitest";
import { AccountAccess_Role as Role } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { DOCUMENTED_LIMITS } from "../../src/config/limits.js";
import { accessOf, CloudWorld, codeOf, outcomeOf, W, type Who } from "./cloud-world.js";

let world: CloudWorld;
let ann: string;
let token: Who;
beforeEach(async () => {
  world = await CloudWorld.start();
  ann = await world.user("Ann@example.com", { role: Role.READ, namespaces: { one: 2 } });
  token = await world.signedOn("ann@example.com");
});

const list = (namespace: string, who: Who = token) => codeOf(world.rpc(W.ListWorkflowExecutions, { namespace }, who));

describe("a token whose subject is a user's address", () => {
  it("is that user's, and has what the user has", async () => {
    const { principal } = await world.call("GetCurrentIdentity", {}, token);
    expect(principal).toMatchObject({ case: "user", value: { id: ann } });
    expect([await list("one"), await list("two")]).toEqual(["OK", "PERMISSION_DENIED"]);
    expect(await codeOf(world.call("GetRegions", {}, token))).toBe("OK");
    // Their own keys, and nobody else's.
    expect(await codeOf(world.call("CreateApiKey", { spec: { ownerId: ann, ownerType: 1, displayName: "mine" } }, token))).toBe("OK");
    expect((await world.call("GetApiKeys", {}, token)).apiKeys.map((k) => k.spec?.displayName)).toEqual(["mine"]);
    const operations = (await world.call("GetAuditLogs", {})).logs.filter((l) => l.operation === "CreateApiKey");
    expect(operations[0]?.principal).toMatchObject({ type: "user", id: ann });
  });

  it("loses what the user loses at once, and the user's end ends nothing of its own", async () => {
    const both = await world.signedOn("ann@example.com", ["two:read"]);
    expect([await list("one", both), await list("two", both)]).toEqual(["OK", "OK"]);
    await world.call("UpdateUser", { userId: ann, resourceVersion: "1", spec: { email: "ann@example.com", access: accessOf({ role: Role.READ }) } });
    expect([await list("one", both), await list("two", both)]).toEqual(["PERMISSION_DENIED", "OK"]);
    await world.call("DeleteUser", { userId: ann, resourceVersion: "2" });
    expect([await list("one", both), await list("two", both)]).toEqual(["PERMISSION_DENIED", "OK"]);
    expect((await world.call("GetCurrentIdentity", {}, both)).principal.case).toBeUndefined();
  });

  it("ends the polls that wait under it when the user may not poll any more", async () => {
    const poll = { namespace: "one", taskQueue: { name: "q", kind: TaskQueueKind.NORMAL } };
    const waiting = outcomeOf(world.rpc(W.PollWorkflowTaskQueue, poll, token));
    const spec = { email: "ann@example.com", access: accessOf({ role: Role.READ, namespaces: { one: 3 } }) };
    await world.call("UpdateUser", { userId: ann, resourceVersion: "1", spec });
    expect(await waiting).toBe("PERMISSION_DENIED: Request unauthorized.");
    expect(await list("one")).toBe("OK");
  });

  it("shares the user's limit with the user's keys", async () => {
    const key = await world.key(1, ann);
    const cloudUserCallsPerSecond = DOCUMENTED_LIMITS.cloudUserCallsPerSecond ?? 0;
    world.set({ cloudUserCallsPerSecond });
    const outcomes: string[] = [];
    for (let i = 0; i <= cloudUserCallsPerSecond; i++) outcomes.push(await codeOf(world.call("GetRegions", {}, i % 2 === 0 ? token : key)));
    expect(outcomes.filter((o) => o === "OK")).toHaveLength(10);
    expect(outcomes.at(-1)).toBe("RESOURCE_EXHAUSTED");
  });

  it("of an address that is no user's is nobody's but its own", async () => {
    const other = await world.signedOn("bob@example.com", ["system:admin"]);
    expect((await world.call("GetCurrentIdentity", {}, other)).principal.case).toBeUndefined();
    const owner = { email: "o@example.com", access: accessOf({ role: Role.OWNER }) };
    expect(await codeOf(world.call("CreateUser", { spec: owner }, other))).toBe("OK");
    // Who administers the server by the token itself stays above the account when there is a user of that name.
    const ruling = await world.signedOn("ann@example.com", ["system:admin"]);
    const second = { ...owner, email: "p@example.com" };
    expect(await codeOf(world.call("CreateUser", { spec: second }, ruling))).toBe("OK");
    expect(await codeOf(world.call("CreateUser", { spec: { ...owner, email: "q@example.com" } }, token))).toBe("PERMISSION_DENIED");
  });
});
