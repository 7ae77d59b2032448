import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { environmentName, FLAGS } from "./flags.js";
import { fromEnvironment, fromFile, OptionsError, resolveOptions, splitList } from "./options.js";

describe("server options", () => {
  test("start-dev listens on 127.0.0.1:7233 with the UI a thousand above, in memory", () => {
    const { server } = resolveOptions("start-dev", {});
    expect(server).toMatchObject({
      ip: "127.0.0.1",
      port: 7233,
      extraPorts: { ui: 8233 },
      file: ":memory:",
      durability: "full",
      logLevel: "warn",
    });
  });

  test.each(["authIssuer", "authAudience", "authPermissionPattern"])("%s is nothing without keys to verify tokens with", (name) => {
    const refused = /needs --auth-jwks or --auth-hmac-secret-file/;
    expect(() => resolveOptions("serve", { [name]: "x" })).toThrow(refused);
    expect(() => resolveOptions("serve", { auth: true, [name]: "x" })).toThrow(refused);
  });

  test("serve keeps its data in a file and has no UI port", () => {
    const { server } = resolveOptions("serve", {});
    expect(server).toMatchObject({ file: "./data/perdure.db", port: 7233 });
    expect(server.extraPorts).toEqual({});
  });

  test.each([
    [{ port: 0 }, undefined],
    [{ port: 0, uiPort: 0 }, 0],
    [{ port: 65_000 }, 65_535],
    [{ port: 7000, uiPort: 3000 }, 3000],
    [{ headless: true, uiPort: 3000 }, undefined],
  ])("the UI port of %j is %s", (flags, port) => {
    expect(resolveOptions("start-dev", flags).server.extraPorts.ui).toBe(port);
  });

  test("the UI port is a default only where it was worked out", () => {
    expect(resolveOptions("start-dev", {}).uiPortIsDefault).toBe(true);
    expect(resolveOptions("start-dev", { uiPort: 8233 }).uiPortIsDefault).toBe(false);
    expect(resolveOptions("serve", {}).uiPortIsDefault).toBe(false);
  });

  test.each([
    ["start-dev", {}, 7243, true],
    ["start-dev", { port: 7000 }, 7243, true],
    ["start-dev", { port: 0 }, undefined, false],
    ["start-dev", { httpPort: 9000 }, 9000, false],
    ["serve", {}, undefined, false],
  ] as const)("the HTTP API's port of %s with %j is %s", (command, flags, port, isDefault) => {
    const { server } = resolveOptions(command, flags);
    expect([server.extraPorts.http, server.httpPortIsDefault]).toEqual([port, isDefault]);
  });

  test("flags win over the environment, the environment over the file", () => {
    const file = fromFile("serve", "x.json", '{"port": 1, "ip": "10.0.0.1", "logLevel": "debug"}');
    const environment = fromEnvironment("serve", { PERDURE_PORT: "2", PERDURE_IP: "10.0.0.2", PERDURE_UI_PORT: "" });
    const { server } = resolveOptions("serve", { port: 3 }, environment, file);
    expect([server.port, server.ip, server.logLevel]).toEqual([3, "10.0.0.2", "debug"]);
  });

  test("lists of the environment are cut at commas outside JSON", () => {
    expect(splitList('a.b=["x","y"], c={"d":1,"e":","}\nf=1')).toEqual(['a.b=["x","y"]', 'c={"d":1,"e":","}', "f=1"]);
    expect(fromEnvironment("serve", { PERDURE_NAMESPACE: "a, b", PERDURE_LOG_CONFIG: "yes" })).toEqual({
      namespace: ["a", "b"],
      logConfig: true,
    });
  });

  test("a file may give settings and attributes as objects", () => {
    const file = fromFile("serve", "x.json", '{"dynamicConfigValue": {"limit.maxIDLength": 10}, "searchAttribute": {"City": "Keyword"}}');
    const { server } = resolveOptions("serve", file);
    expect(server.dynamicConfig).toEqual(["limit.maxIDLength=10"]);
    expect(server.searchAttributes).toEqual({ City: IndexedValueType.KEYWORD });
  });

  test("namespaces and attributes given twice are one; types are matched in any case", () => {
    const { server } = resolveOptions("serve", { namespace: ["a", "a"], searchAttribute: ["C=keywordlist", "C=KeywordList"] });
    expect(server.namespaces).toEqual(["a"]);
    expect(server.searchAttributes).toEqual({ C: IndexedValueType.KEYWORD_LIST });
  });

  test.each([
    [{ port: 70_000 }, "--port: must be a port between 0 and 65535"],
    [{ durability: "sometimes" }, "--durability: must be one of full, normal, memory"],
    [{ searchAttribute: ["C=Number"] }, "the type must be one of"],
    [{ searchAttribute: ["C=Int", "C=Text"] }, "given twice, with two types"],
    [{ searchAttribute: ["C"] }, "NAME=VALUE"],
    [{ dynamicConfigValue: ["x"] }, "--dynamic-config-value"],
    [{ sqlitePragma: ["cache_size=1;drop"] }, "not a pragma"],
    [{ dbFilename: "" }, "--db-filename: must not be empty"],
    [{ unheardOf: 1 }, "unknown option --unheard-of"],
    [{ port: "a" }, "--port: must be"],
  ])("%j is refused in one line", (flags, message) => {
    expect(() => resolveOptions("serve", flags)).toThrow(OptionsError);
    expect(() => resolveOptions("serve", flags)).toThrow(message);
  });

  test("wrong variables and files are refused by their name", () => {
    expect(() => fromEnvironment("serve", { PERDURE_PORT: "http" })).toThrow("PERDURE_PORT");
    expect(() => fromFile("serve", "x.json", "{")).toThrow("--config x.json");
    expect(() => fromFile("serve", "x.json", '{"prot": 1}')).toThrow('unknown key "prot"');
    expect(() => fromFile("serve", "x.json", "[]")).toThrow("not a JSON object");
  });

  test("the README's table lists every flag with its variable", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const missing = FLAGS.filter((f) => !readme.includes(`\`--${f.name}\``));
    expect(missing.map((f) => environmentName(f))).toEqual([]);
  });
});
