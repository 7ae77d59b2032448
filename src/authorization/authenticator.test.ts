/** Which proof of a call counts. */
import { describe, expect, it } from "vitest";
import type { Call } from "../api/call.js";
import type { ApiKeys } from "./api-keys.js";
import { Authenticator, ClientCertificates } from "./authenticator.js";
import type { JwtVerifier } from "./jwt.js";
import { allows } from "./permissions.js";

const seen: string[] = [];
const verifierOf = (kind: string) => ({ verify: (token: string) => void seen.push(`${kind} ${token}`) });
const keys = verifierOf("key") as unknown as ApiKeys;
const jwt = verifierOf("jwt") as unknown as JwtVerifier;
const identify = (header: string | undefined, clientSubject?: string) => {
  seen.length = 0;
  const call = { metadata: () => header, clientSubject } as unknown as Call;
  return [new Authenticator(keys, jwt, new ClientCertificates(["CN=w=one:write"])).identify(call), [...seen]];
};

describe("a bearer token", () => {
  it("is a key or a JWT by its form, whatever the case of the scheme", () => {
    expect(identify("Bearer pdk_x")).toEqual([undefined, ["key pdk_x"]]);
    expect(identify("bearer  eyJ")).toEqual([undefined, ["jwt eyJ"]]);
  });
  it("that is too long is not looked at", () => {
    expect(identify(`Bearer ${"x".repeat(8192)}`)[1]).toHaveLength(1);
    expect(identify(`Bearer ${"x".repeat(8193)}`)).toEqual([undefined, []]);
  });
  it("of another scheme is none, and a certificate does not make it good", () => {
    for (const header of ["Basic eDp5", "pdk_x", "", "Bearer"]) expect(identify(header, "CN=w")).toEqual([undefined, []]);
    expect(identify("Bearer pdk_x", "CN=w")[0]).toBeUndefined();
  });
});

describe("a client certificate", () => {
  const may = (grants: string[], subject: string, namespace: string): boolean =>
    allows(new ClientCertificates(grants).identityOf(subject).access, "workflow.start", namespace);
  it("has what is granted to its whole subject, or to its common name", () => {
    expect(may(["CN=w=one:write"], "O=Example,CN=w", "one")).toBe(true);
    expect(may(["O=Example,CN=w=one:write"], "O=Example,CN=w", "one")).toBe(true);
    expect(may(["O=Other,CN=w=one:write"], "O=Example,CN=w", "one")).toBe(false);
    expect(may(["CN=w=one:read", "CN=w=two:write"], "CN=w", "one")).toBe(false);
    expect(may(["CN=w=one:read", "CN=w=two:write"], "CN=w", "two")).toBe(true);
  });
  it("is not somebody else by what its fields hold", () => {
    for (const subject of ["O=CN\\=w", "CN=x\\,CN=w", "O=a\\,CN=w,CN=x", "CN=ww", "XCN=w"])
      expect([subject, may(["CN=w=one:write"], subject, "one")]).toEqual([subject, false]);
  });
  it("that nothing is granted to is known, and may do nothing", () => {
    expect(identify(undefined, "CN=stranger")[0]).toMatchObject({ kind: "certificate", subject: "CN=stranger" });
    expect(identify(undefined)[0]).toBeUndefined();
  });
  it.each(["CN=w", "CN=w=one", "CN=w=one:owner", "=one:read", "CN=w=:read"])("%s is no grant", (grant) => {
    expect(() => new ClientCertificates([grant])).toThrow("must have the form");
  });
});
