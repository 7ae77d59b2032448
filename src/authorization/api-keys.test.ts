/** API keys: what is kept of them, when they count, and that a change which is not durable is none. */
import { beforeEach, describe, expect, it } from "vitest";
import { ApiKeyRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { unavailable } from "../api/service-error.js";
import { decode } from "../api/wire.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { MemoryStore } from "../persistence/memory/store.js";
import { API_KEY_REGISTRY_KIND, ApiKeys, keyWithRole, type OwnerDirectory } from "./api-keys.js";
import { AccessBuilder, allows, roleSet } from "./permissions.js";

let runtime: FakeRuntime;
let store: MemoryStore;
let fails = false;
beforeEach(() => {
  runtime = new FakeRuntime();
  store = new MemoryStore();
  fails = false;
});
async function open(owners?: OwnerDirectory): Promise<ApiKeys> {
  const commit = (batch: Parameters<MemoryStore["commit"]>[0]) => (fails ? Promise.reject(unavailable("no")) : store.commit(batch));
  return new ApiKeys({ rows: await store.loadRegistry(), commit, runtime, ...(owners === undefined ? {} : { owners: () => owners }) });
}
const reader = (expireTime = 0) => keyWithRole("k", "read", ["one"], expireTime);

describe("a key", () => {
  it("is known again after a restart, and its row does not hold it", async () => {
    const { token } = await (await open()).create(reader());
    const again = await open();
    expect(again.verify(token)).toMatchObject({ kind: "key", subject: "k" });
    const [row] = (await store.loadRegistry()).filter((r) => r.kind === API_KEY_REGISTRY_KIND);
    const secret = token.split("_")[2] as string;
    expect(Buffer.from(row?.value ?? []).toString("latin1")).not.toContain(secret);
    expect(decode(ApiKeyRecord, row?.value ?? new Uint8Array()).tokenHash).toHaveLength(32);
  });

  it("is no other key, however like it", async () => {
    const keys = await open();
    const [a, b] = [(await keys.create(reader())).token, (await keys.create(reader())).token];
    const [, idA, secretA] = a.split("_") as [string, string, string];
    const [, idB] = b.split("_") as [string, string];
    for (const bad of [`pdk_${idB}_${secretA}`, `${a} `, a.slice(0, -1), `${a}A`, `pdk_${idA}_`, "pdk_", `pdk_${idA.toUpperCase()}_${secretA}x`])
      expect([bad, keys.verify(bad)]).toEqual([bad, undefined]);
  });

  it("counts until its end, and not at it", async () => {
    const keys = await open();
    const { token } = await keys.create(reader(runtime.now + 10_000_000));
    runtime.elapse(9_999);
    expect(keys.verify(token)).toBeDefined();
    runtime.elapse(1);
    expect(keys.verify(token)).toBeUndefined();
    await expect(keys.create(reader(runtime.now))).rejects.toThrow("expires in the past");
  });

  it("tells whoever waits under it that it ends, once it has", async () => {
    const keys = await open();
    const { key, token } = await keys.create(reader());
    const told: string[] = [];
    const stop = keys.onChange(key.id, () => told.push(keys.current(key.id) === undefined ? "ended" : "good"));
    keys.onChange(key.id, () => told.push("who has gone"))();
    await keys.setDisabled(key.id, true);
    expect([told, keys.verify(token)]).toEqual([["ended"], undefined]);
    await keys.setDisabled(key.id, false);
    expect(keys.verify(token)).toBeDefined();
    await keys.delete(key.id);
    expect([told[0], told.at(-1), told.filter((t) => t === "ended").length]).toEqual(["ended", "ended", 2]);
    stop();
    await expect(keys.delete(key.id)).rejects.toMatchObject({ code: 5 });
  });

  it("that could not be written, disabled or deleted stays as it was", async () => {
    const keys = await open();
    const { key, token } = await keys.create(reader());
    fails = true;
    for (const change of [() => keys.create(reader()), () => keys.setDisabled(key.id, true), () => keys.delete(key.id)])
      await expect(change()).rejects.toMatchObject({ code: 14 });
    expect([keys.list().length, keys.verify(token) !== undefined]).toEqual([1, true]);
    fails = false;
    await keys.delete(key.id);
    expect(keys.verify(token)).toBeUndefined();
  });

  it("has either roles that are some or an owner", async () => {
    const keys = await open();
    const owner = { kind: "user", id: "u" } as const;
    for (const bad of [
      { name: "n", expireTime: 0 },
      { name: "n", systemRole: "owner", expireTime: 0 },
      { name: "n", namespaceRoles: { "*": "read" }, expireTime: 0 },
      { name: "n", owner, systemRole: "read", expireTime: 0 },
      { name: "n".repeat(201), systemRole: "read", expireTime: 0 },
    ])
      await expect(keys.create(bad)).rejects.toMatchObject({ code: 3 });
  });

  it("of an owner may do what the owner may do now", async () => {
    let role: "read" | "write" | undefined = "read";
    const ownerAccess = () => (role === undefined ? undefined : new AccessBuilder().inNamespace("one", roleSet(role)).build());
    const keys = await open({ ownerAccess });
    const { token } = await keys.create({ name: "n", owner: { kind: "service-account", id: "s" }, expireTime: 0 });
    const maySignal = () => {
      const identity = keys.verify(token);
      return identity === undefined ? undefined : allows(identity.access, "workflow.signal", "one");
    };
    expect(maySignal()).toBe(false);
    role = "write";
    expect(maySignal()).toBe(true);
    role = undefined;
    expect(maySignal()).toBeUndefined();
  });
});
