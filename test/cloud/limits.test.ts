/** The limits of the Cloud Ops API by their documented numbers, on a clock that the test moves. */
import { beforeEach, describe, expect, it } from "vitest";
import { AccountAccess_Role as Role } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { DOCUMENTED_LIMITS } from "../../src/config/limits.js";
import { CloudWorld, codeOf, W, type Who } from "./cloud-world.js";

let world: CloudWorld;
beforeEach(async () => {
  world = await CloudWorld.start();
});

const ask = (who: Who) => world.outcome("GetRegions", {}, who);
const OVER = /^RESOURCE_EXHAUSTED: Rate limit exceeded for /;

async function passing(count: number, who: (i: number) => Who): Promise<number> {
  let passed = 0;
  for (let i = 0; i < count; i++) if ((await ask(who(i))) === "OK") passed++;
  return passed;
}

const only = (
  name: "cloudAccountCallsPerSecond" | "cloudUserCallsPerSecond" | "cloudServiceAccountCallsPerSecond",
  value = DOCUMENTED_LIMITS[name] ?? 0,
) => world.set({ [name]: value });

describe("the limits of CloudService", () => {
  it("10 a second for a user, whatever the keys", async () => {
    const id = await world.user("a@example.com", { role: Role.READ });
    const keys = [await world.key(1, id), await world.key(1, id)] as const;
    const other = await world.key(1, await world.user("b@example.com", { role: Role.READ }));
    only("cloudUserCallsPerSecond");
    expect(await passing(10, (i) => keys[i % 2] as Who)).toBe(10);
    expect(await ask(keys[0])).toMatch(OVER);
    expect(await ask(keys[1])).toMatch(OVER);
    expect(await ask(other)).toBe("OK");
    // Nothing is changed by a call that is refused.
    expect(await codeOf(world.call("CreateApiKey", { spec: { ownerId: id, ownerType: 1, displayName: "third" } }, keys[0]))).toBe(
      "RESOURCE_EXHAUSTED",
    );
    expect((await world.call("GetApiKeys", { ownerId: id })).apiKeys).toHaveLength(2);
    // The rest of the API is another matter.
    expect(await codeOf(world.rpc(W.GetClusterInfo, {}, keys[0]))).toBe("OK");
    world.runtime.elapse(1000);
    expect(await passing(11, () => keys[0])).toBe(10);
  });

  it("20 a second for a service account, whatever the keys", async () => {
    const id = await world.serviceAccount("ci", { role: Role.READ });
    const keys = [await world.key(2, id), await world.key(2, id)] as const;
    only("cloudServiceAccountCallsPerSecond");
    expect(await passing(20, (i) => keys[i % 2] as Who)).toBe(20);
    expect([await ask(keys[0]), await ask(keys[1])].every((o) => OVER.test(o))).toBe(true);
    world.runtime.elapse(1000);
    expect(await passing(21, () => keys[1])).toBe(20);
  });

  it("40 a second for the account", async () => {
    const users: Who[] = [];
    for (let i = 0; i < 5; i++) users.push(await world.key(1, await world.user(`u${i}@example.com`, { role: Role.READ })));
    only("cloudAccountCallsPerSecond");
    expect(await passing(40, (i) => users[i % 5] as Who)).toBe(40);
    expect(await ask(users[0] as Who)).toBe("RESOURCE_EXHAUSTED: Rate limit exceeded for the account");
    expect(await codeOf(world.rpc(W.GetClusterInfo, {}))).toBe("OK");
    world.runtime.elapse(1000);
    expect(await passing(41, (i) => users[i % 5] as Who)).toBe(40);
  });

  it("160 a second for an account whose limit is raised, however far", async () => {
    only("cloudAccountCallsPerSecond", 100);
    expect(await passing(101, () => world.admin)).toBe(100);
    world.runtime.elapse(10_000);
    only("cloudAccountCallsPerSecond", 1000);
    expect(await passing(200, () => world.admin)).toBe(160);
  });
});
