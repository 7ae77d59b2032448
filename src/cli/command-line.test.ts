import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseCommandLine } from "./command-line.js";

const parse = (line: string, environment: Record<string, string> = {}) => parseCommandLine(line.split(" ").filter(Boolean), environment, "1.2.3");

function started(line: string, environment: Record<string, string> = {}) {
  const parsed = parse(line, environment);
  if (parsed.kind !== "start") throw new Error(JSON.stringify(parsed));
  return parsed.options.server;
}

describe("command line", () => {
  test("takes what the SDK core passes for a local environment", () => {
    const server = started(
      "server start-dev --port 1234 --namespace default --ip 127.0.0.1 --log-format pretty --log-level warn" +
        " --dynamic-config-value frontend.enableServerVersionCheck=false --dynamic-config-value frontend.enableUpdateWorkflowExecution=true --db-filename x.db --headless",
    );
    expect(server).toMatchObject({ port: 1234, namespaces: ["default"], file: "x.db", logFormat: "pretty" });
    expect(server.dynamicConfig).toHaveLength(2);
    expect(server.extraPorts).toEqual({});
  });

  test("takes the official short forms, flags with an equals sign and switches with a value", () => {
    expect(started("server start-dev -p 1 -f a.db -n x -n y --headless=false --ui-port=5")).toMatchObject({
      port: 1,
      file: "a.db",
      namespaces: ["x", "y"],
      extraPorts: { ui: 5 },
    });
  });

  test("takes what SDKs pass for a time-skipping environment: a port, and at most one flag", () => {
    expect(started("1234")).toMatchObject({ port: 1234, ip: "0.0.0.0", file: ":memory:", testClocks: { state: "locked", anyNamespace: true } });
    expect(started("1234 --enable-time-skipping").testClocks.state).toBe("unlocked");
    expect(started("test-server 1234 --ip 127.0.0.1 --db-filename t.db")).toMatchObject({
      port: 1234,
      ip: "127.0.0.1",
      file: "t.db",
      extraPorts: {},
    });
    expect(started("test-server").port).toBe(7233);
    expect(started("server start-dev").testClocks).toEqual({ state: "locked", anyNamespace: false });
    expect(started("serve").testClocks.state).toBe("real");
  });

  test("a list on the command line replaces that of the environment", () => {
    const environment = { PERDURE_NAMESPACE: "a,b", PERDURE_PORT: "5" };
    expect(started("serve", environment)).toMatchObject({ namespaces: ["a", "b"], port: 5 });
    expect(started("serve --namespace c --port 6", environment)).toMatchObject({ namespaces: ["c"], port: 6 });
  });

  test("reads the file of --config", () => {
    const folder = mkdtempSync(join(tmpdir(), "perdure-config-"));
    const path = join(folder, "c.json");
    writeFileSync(path, '{"port": 9, "durability": "normal"}');
    expect(started(`serve --config ${path} --port 8`)).toMatchObject({ port: 8, durability: "normal" });
    rmSync(folder, { recursive: true });
  });

  test.each([
    ["serve --nope", "unknown option '--nope'"],
    ["serve --port", "option '-p, --port <port>' argument missing"],
    ["serve --port x", '--port: "x" is not a port'],
    ["serve --port 99999", "--port: must be a port"],
    ["server start-dev --headless=maybe", "neither true nor false"],
    ["serve stray", "too many arguments"],
    ["99999", "--port: must be a port"],
    ["test-server x", '--port: "x" is not a port'],
    ["1234 5678", "too many arguments"],
    ["serve --enable-time-skipping", "unknown option '--enable-time-skipping'"],
    ["fly", "unknown command 'fly'"],
    ["serve --config /no/such/file", "no such file"],
  ])("%s is answered with one clear line", (line, message) => {
    const parsed = parse(line);
    expect(parsed.kind).toBe("wrong");
    expect(parsed.kind === "wrong" && parsed.message).toContain(message);
    expect(parsed.kind === "wrong" && parsed.message).not.toContain("\n");
  });

  test("help and version are printed", () => {
    expect(parse("--version")).toEqual({ kind: "print", text: "perdure 1.2.3\n" });
    expect(parse("serve --help")).toMatchObject({ kind: "print", text: expect.stringContaining("--db-filename <path>") });
    expect(parse("")).toMatchObject({ kind: "print", text: expect.stringContaining("start-dev") });
  });
});
