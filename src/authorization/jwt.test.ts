/** Tokens and the keys that they are verified with: a set at a URL that changes, one in a file, a secret. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { type JwtOptions, JwtVerifier } from "./jwt.js";
import { allows } from "./permissions.js";

const MAPPING = { permissions: "permissions", namespace: "namespace", subject: "sub", pattern: undefined };
const pairs = { one: await generateKeyPair("ES256"), two: await generateKeyPair("ES256") };
type KeyId = keyof typeof pairs;
const keySet = async (...ids: KeyId[]): Promise<string> =>
  JSON.stringify({ keys: await Promise.all(ids.map(async (kid) => ({ ...(await exportJWK(pairs[kid].publicKey)), kid, alg: "ES256" }))) });

let runtime: FakeRuntime;
const token = (kid: KeyId, claims: object = {}) =>
  new SignJWT({ sub: "user", permissions: ["one:read"], exp: runtime.now / 1_000_000 + 3600, ...claims })
    .setProtectedHeader({ alg: "ES256", kid })
    .sign(pairs[kid].privateKey);
const verifier = (o: Partial<JwtOptions> = {}) =>
  JwtVerifier.create({
    ...{ algorithms: ["ES256"], issuer: undefined, audience: undefined, clockSkewMs: 0, mapping: MAPPING, jwksUrl: undefined, runtime },
    ...o,
  });
const subject = async (v: JwtVerifier, t: string) => (await v.verify(t))?.subject;

beforeEach(() => {
  runtime = new FakeRuntime();
});

describe("keys at a URL", () => {
  let server: Server;
  let url: string;
  let served: string;
  let fetches = 0;
  const realNow = Date.now;

  beforeEach(async () => {
    fetches = 0;
    served = await keySet("one");
    server = createServer((_, response) => {
      fetches++;
      response.setHeader("content-type", "application/json").end(served);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    // The library takes its time from there.
    Date.now = () => runtime.now / 1000;
  });
  afterEach(() => {
    Date.now = realNow;
    server.closeAllConnections();
    server.close();
  });
  const pass = (seconds: number): void => runtime.elapse(seconds * 1000);

  it("are fetched once, however many tokens they sign", async () => {
    const v = await verifier({ jwksUrl: url });
    for (let i = 0; i < 5; i++) expect(await subject(v, await token("one", { sub: `user-${i}` }))).toBe(`user-${i}`);
    expect(fetches).toBe(1);
  });

  it("are fetched again for a token of a key that is not known, and what they no longer hold is refused", async () => {
    const v = await verifier({ jwksUrl: url });
    const old = await token("one");
    expect(await subject(v, old)).toBe("user");
    served = await keySet("two");
    // Whoever makes key ids up does not make the server fetch each time.
    expect(await subject(v, await token("two"))).toBeUndefined();
    expect(fetches).toBe(1);
    pass(11);
    expect(await subject(v, await token("two"))).toBe("user");
    expect(fetches).toBe(2);
    // It has been verified within the minute; afterwards its key is looked for.
    expect(await subject(v, old)).toBe("user");
    pass(60);
    expect(await subject(v, old)).toBeUndefined();
  });

  it("are fetched again when they are five minutes old", async () => {
    const v = await verifier({ jwksUrl: url });
    await subject(v, await token("one"));
    served = await keySet("two");
    pass(301);
    expect(await subject(v, await token("one"))).toBeUndefined();
    expect(fetches).toBeGreaterThan(1);
  });

  it("that cannot be fetched are UNAVAILABLE, not a refusal", async () => {
    const v = await verifier({ jwksUrl: url });
    server.close();
    await expect((async () => v.verify(await token("one")))()).rejects.toMatchObject({ code: 14 });
  });
});

describe("a token", () => {
  it("is remembered until it ends, and not longer", async () => {
    const v = await verifier();
    v.setKeys(await keySet("one"));
    const short = await token("one", { exp: runtime.now / 1_000_000 + 10 });
    expect(await subject(v, short)).toBe("user");
    // At once: nothing is computed.
    expect(v.verify(short)).not.toBeInstanceOf(Promise);
    runtime.elapse(10_000);
    expect(await subject(v, short)).toBeUndefined();
  });

  it("is forgotten with the keys that proved it", async () => {
    const v = await verifier();
    v.setKeys(await keySet("one"));
    const t = await token("one");
    expect(await subject(v, t)).toBe("user");
    v.setKeys(await keySet("two"));
    expect(await subject(v, t)).toBeUndefined();
  });

  it("is taken with clocks apart by the skew, and no further", async () => {
    const v = await verifier({ clockSkewMs: 30_000 });
    v.setKeys(await keySet("one"));
    const at = (s: number) => runtime.now / 1_000_000 + s;
    expect(await subject(v, await token("one", { exp: at(-29) }))).toBe("user");
    expect(await subject(v, await token("one", { exp: at(-31) }))).toBeUndefined();
    expect(await subject(v, await token("one", { nbf: at(29) }))).toBe("user");
    expect(await subject(v, await token("one", { nbf: at(31) }))).toBeUndefined();
  });

  it("gives what its claims say, by the names that are configured", async () => {
    const v = await verifier({ mapping: { ...MAPPING, permissions: "realm.roles", subject: "email" } });
    v.setKeys(await keySet("one"));
    const identity = await v.verify(await token("one", { email: "a@b.c", realm: { roles: "two:write" }, iss: "https://x" }));
    expect(identity).toMatchObject({ kind: "token", id: "https://x/a@b.c", subject: "a@b.c" });
    expect([allows(identity?.access as never, "workflow.start", "two"), allows(identity?.access as never, "workflow.start", "one")]).toEqual([
      true,
      false,
    ]);
  });

  it("is never signed by a secret that is too short to be one", async () => {
    const v = await verifier({ algorithms: ["HS256"] });
    expect(() => v.setSecret(Buffer.alloc(31))).toThrow("32 bytes");
  });
});
