/** What claims grant, in each of the three forms, and that nothing else grants anything. */
import { describe, expect, it } from "vitest";
import type { Permission } from "../api/call.js";
import { accessOf, type ClaimMapping, type Claims, claimOf } from "./claims.js";
import { allows } from "./permissions.js";

const MAPPING: ClaimMapping = { permissions: "permissions", namespace: "namespace", subject: "sub", pattern: undefined };
const ALL: readonly Permission[] = [
  ...(["cluster.read", "cluster.write", "namespace.create", "namespace.read", "namespace.update", "namespace.delete"] as const),
  ...(["workflow.start", "workflow.signal", "workflow.query", "workflow.read", "workflow.list", "workflow.terminate"] as const),
  ...(["workflow.cancel", "worker.poll", "worker.respond"] as const),
];
/** Permissions in the namespace, in short. */
const granted = (claims: Claims, namespace: string, mapping = MAPPING): string[] =>
  ALL.filter((p) => allows(accessOf(claims, mapping), p, namespace));
const SYSTEM = ["cluster.read", "cluster.write", "namespace.create"];

describe("a node of the tree", () => {
  it.each(ALL.map((p) => [p]))("%s stands for itself", (p) => {
    expect(granted({ permissions: [`temporal:${p.replace(".", ":")}`] }, "x")).toEqual([p]);
  });

  it("with a star stands for those below it", () => {
    expect(granted({ permissions: ["temporal:*"] }, "x")).toEqual(ALL);
    expect(granted({ permissions: ["temporal:cluster:*"] }, "x")).toEqual(ALL.slice(0, 2));
    expect(granted({ permissions: ["temporal:namespace:*"] }, "x")).toEqual(ALL.slice(2, 6));
    expect(granted({ permissions: ["temporal:workflow:*"] }, "x")).toEqual(ALL.slice(6));
    expect(granted({ permissions: ["temporal:worker:*"] }, "x")).toEqual(ALL.slice(13));
  });

  it("holds in the namespaces of the claim alone, and those of the server then nowhere", () => {
    const claims = { permissions: ["temporal:*"], namespace: ["a", "b"] };
    for (const n of ["a", "b"]) expect(granted(claims, n)).toEqual(ALL.filter((p) => !SYSTEM.includes(p)));
    expect(granted(claims, "c")).toEqual([]);
    expect(granted({ ...claims, namespace: "a, b" }, "b")).toEqual(granted(claims, "b"));
    expect(granted({ ...claims, namespace: "*" }, "c")).toEqual(ALL.filter((p) => !SYSTEM.includes(p)));
    // A claim that is there and names nothing is no claim of everything.
    for (const namespace of ["", [], 7, {}]) expect([namespace, granted({ ...claims, namespace }, "a")]).toEqual([namespace, []]);
  });
});

describe("a role", () => {
  it("holds in its namespace, on the server, or in every namespace", () => {
    expect(granted({ permissions: ["a:admin"] }, "a")).toEqual(ALL.filter((p) => !SYSTEM.includes(p)));
    expect(granted({ permissions: ["a:admin"] }, "b")).toEqual([]);
    for (const system of ["system", "temporal-system"]) expect(granted({ permissions: [`${system}:admin`] }, "b")).toEqual(ALL);
    expect(granted({ permissions: ["*:admin"] }, "b")).toEqual(ALL.filter((p) => !SYSTEM.includes(p)));
  });

  it("is read whatever its case, from lists and from one text", () => {
    expect(granted({ permissions: "x:y a:READ, b:Worker" }, "a")).toEqual(["namespace.read", "workflow.query", "workflow.read", "workflow.list"]);
    expect(granted({ permissions: "x:y a:READ, b:Worker" }, "b")).toEqual(["namespace.read", "workflow.read", "worker.poll", "worker.respond"]);
  });

  it("has the form that is configured, in place of the official one", () => {
    const mapping = { ...MAPPING, pattern: /^(?<role>\w+)@(?<namespace>[\w-]+)$/ };
    expect(granted({ permissions: ["write@a", "admin:b"] }, "a", mapping)).toContain("workflow.start");
    expect(granted({ permissions: ["write@a", "b:admin"] }, "b", mapping)).toEqual([]);
  });

  it("that is none grants nothing", () => {
    for (const permissions of [
      ["a:owner"],
      ["a:"],
      [":admin"],
      ["a"],
      ["a:b:admin"],
      "temporal:",
      ["temporal:workflow"],
      [7, null],
      { a: "admin" },
      3,
    ])
      expect([permissions, granted({ permissions }, "a")]).toEqual([permissions, []]);
  });
});

describe("a claim", () => {
  it("is found by its whole name before a path, and never on what every object has", () => {
    expect(claimOf({ "https://x.y/z": 1, a: { b: 2 }, "a.b": 3 }, "https://x.y/z")).toBe(1);
    expect(claimOf({ a: { b: 2 }, "a.b": 3 }, "a.b")).toBe(3);
    expect(claimOf({ a: { b: 2 } }, "a.b")).toBe(2);
    for (const name of ["constructor", "a.constructor", "__proto__", "a.b.c"]) expect(claimOf({ a: { b: 2 } }, name)).toBeUndefined();
  });
});
