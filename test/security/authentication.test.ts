/** The server as a process: who is let in, by which proof, over TLS, and that a key which ends is no key at once. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { keyOn, perdure } from "./command.js";

const folder = temporaryDirectory();
const file = join(folder, "p.db");
const audit = join(folder, "audit.jsonl");
const jwks = join(folder, "jwks.json");
const SECRET = "a secret of thirty-two bytes and more";

let server: ServerProcess;
let ca: Buffer;
const keys: Record<string, string> = {};
const connections: Connection[] = [];

/** A caller of the server, by its token. */
async function as(token?: string): Promise<Connection> {
  const connection = Connection.lazy({
    address: server.address,
    tls: { serverRootCACertificate: ca },
    ...(token === undefined ? {} : { apiKey: token }),
  });
  connections.push(connection);
  return connection;
}

/** Name of the code that a call is answered with. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "OK",
    (e: { code?: number }) => CODES[e.code ?? -1] ?? String(e),
  );
}
const CODES: Readonly<Record<number, string>> = {
  3: "INVALID_ARGUMENT",
  5: "NOT_FOUND",
  7: "PERMISSION_DENIED",
  14: "UNAVAILABLE",
  16: "UNAUTHENTICATED",
};

const idOf = (key: string): string => key.split("_")[1] as string;
const start = (c: Connection, namespace: string, workflowId: string) =>
  c.workflowService.startWorkflowExecution({
    namespace,
    workflowId,
    requestId: workflowId,
    workflowType: { name: "w" },
    taskQueue: { name: "q" },
  });
const list = (c: Connection, namespace: string) => c.workflowService.listWorkflowExecutions({ namespace });
const poll = (c: Connection, namespace: string) =>
  c.withDeadline(Date.now() + 60_000, () => c.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: "nothing" }, identity: "i" }));

const signing = await generateKeyPair("ES256", { extractable: true });
const rotated = await generateKeyPair("ES256", { extractable: true });
const keySet = async (pair: typeof signing, kid: string) => JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid, alg: "ES256" }] });
const token = (claims: Record<string, unknown>, o: { kid?: string; key?: typeof signing; expires?: string } = {}) =>
  new SignJWT({ sub: "user@company.com", ...claims })
    .setProtectedHeader({ alg: "ES256", kid: o.kid ?? "one" })
    .setIssuer("https://auth.company.com")
    .setAudience("temporal.company.com")
    .setIssuedAt()
    .setExpirationTime(o.expires ?? "1h")
    .sign((o.key ?? signing).privateKey);

beforeAll(async () => {
  for (const [name, args] of Object.entries({
    admin: ["--role", "admin"],
    reader: ["--role", "read", "-n", "one"],
    writer: ["--role", "write", "-n", "one"],
    worker: ["--role", "worker", "-n", "one"],
    namespaceAdmin: ["--role", "admin", "-n", "one"],
    systemReader: ["--role", "read"],
  }))
    keys[name] = await keyOn(file, "--name", name, ...args);
  writeFileSync(jwks, await keySet(signing, "one"));
  writeFileSync(join(folder, "secret"), `${SECRET}\n`);
  server = await startServer([
    ...["-f", file, "-n", "one", "-n", "two", "--tls-dev", "--auth", "--audit-log", audit],
    ...["--auth-jwks", jwks, "--auth-issuer", "https://auth.company.com", "--auth-audience", "temporal.company.com"],
    ...["--auth-hmac-secret-file", join(folder, "secret"), "--auth-algorithms", "ES256", "--auth-algorithms", "HS256"],
  ]);
  ca = readFileSync(join(folder, "tls-dev/ca.crt"));
}, 60_000);

afterAll(async () => {
  for (const c of connections) await c.close();
  await server?.stop();
});

describe("without credentials", () => {
  it("health and system info are open, everything else is not", async () => {
    const nobody = await as();
    expect(await codeOf(nobody.workflowService.getSystemInfo({}))).toBe("OK");
    expect(await codeOf(nobody.healthService.check({}))).toBe("OK");
    expect(await codeOf(nobody.workflowService.getClusterInfo({}))).toBe("UNAUTHENTICATED");
    expect(await codeOf(nobody.workflowService.listNamespaces({}))).toBe("UNAUTHENTICATED");
    expect(await codeOf(start(nobody, "one", "nobody"))).toBe("UNAUTHENTICATED");
  });

  it("a namespace that is not there reads like one that is", async () => {
    const nobody = await as();
    const reader = await as(keys.reader);
    for (const namespace of ["two", "no-such-namespace"]) {
      expect(await codeOf(list(nobody, namespace))).toBe("UNAUTHENTICATED");
      expect(await codeOf(list(reader, namespace))).toBe("PERMISSION_DENIED");
      expect(await codeOf(reader.workflowService.describeNamespace({ namespace }))).toBe("PERMISSION_DENIED");
    }
    expect(await codeOf(reader.workflowService.describeNamespace({ id: "00000000-0000-4000-8000-000000000000" }))).toBe("PERMISSION_DENIED");
  });
});

describe("an API key", () => {
  it("opens what its role stands for, in its namespaces", async () => {
    const [reader, writer, worker, admin] = await Promise.all([as(keys.reader), as(keys.writer), as(keys.worker), as(keys.admin)]);
    expect(await codeOf(list(reader, "one"))).toBe("OK");
    expect(await codeOf(start(reader, "one", "by-reader"))).toBe("PERMISSION_DENIED");
    expect(await codeOf(start(writer, "one", "by-writer"))).toBe("OK");
    expect(await codeOf(start(writer, "two", "by-writer"))).toBe("PERMISSION_DENIED");
    expect(await codeOf(start(worker, "one", "by-worker"))).toBe("PERMISSION_DENIED");
    expect(await codeOf(start(admin, "two", "by-admin"))).toBe("OK");
    expect(await codeOf(worker.workflowService.describeNamespace({ namespace: "one" }))).toBe("OK");
  });

  it("sees in the list of namespaces what it may read", async () => {
    const namesOf = async (key: string | undefined) => {
      const { namespaces } = await (await as(key)).workflowService.listNamespaces({ pageSize: 1000 });
      return (namespaces ?? []).map((n) => n.namespaceInfo?.name).sort();
    };
    expect(await namesOf(keys.reader)).toEqual(["one"]);
    expect(await namesOf(keys.systemReader)).toEqual(["default", "one", "temporal-system", "two"]);
  });

  it("of a namespace's administrator does not administer the server", async () => {
    const c = await as(keys.namespaceAdmin);
    expect(await codeOf(c.workflowService.updateNamespace({ namespace: "one", updateInfo: { description: "changed" } }))).toBe("OK");
    expect(await codeOf(c.workflowService.updateNamespace({ namespace: "two", updateInfo: { description: "changed" } }))).toBe("PERMISSION_DENIED");
    expect(await codeOf(c.workflowService.registerNamespace({ namespace: "three" }))).toBe("PERMISSION_DENIED");
    expect(await codeOf(c.operatorService.listClusters({}))).toBe("PERMISSION_DENIED");
  });

  it("that is not one, or not quite one, opens nothing", async () => {
    const key = keys.admin as string;
    const other = key.endsWith("A") ? "B" : "A";
    for (const bad of ["x", `${key}x`, key.slice(0, -1), `${key.slice(0, -1)}${other}`, key.replace(idOf(key), idOf(keys.reader as string))])
      expect(await codeOf(list(await as(bad), "one"))).toBe("UNAUTHENTICATED");
  });

  it("is kept as a hash", async () => {
    const secrets = Object.values(keys).map((k) => k.split("_").slice(2).join("_"));
    for (const name of ["p.db", "p.db-wal"]) {
      const bytes = readFileSync(join(folder, name)).toString("latin1");
      for (const secret of secrets) expect(bytes.includes(secret)).toBe(false);
    }
  });

  it("that is made, disabled, enabled and deleted on the running server counts at once", async () => {
    const remote = ["--address", server.address, "--tls-ca", join(folder, "tls-dev/ca.crt"), "--api-key", keys.admin as string];
    const made = await perdure("key", "create", "--role", "write", "-n", "one", "--name", "later", ...remote);
    expect(made.code).toBe(0);
    const c = await as(made.stdout);
    expect(await codeOf(list(c, "one"))).toBe("OK");
    const waiting = codeOf(poll(c, "one"));
    expect((await perdure("key", "disable", idOf(made.stdout), ...remote)).code).toBe(0);
    expect(await codeOf(list(c, "one"))).toBe("UNAUTHENTICATED");
    expect(await waiting).toBe("UNAUTHENTICATED");
    expect((await perdure("key", "enable", idOf(made.stdout), ...remote)).code).toBe(0);
    expect(await codeOf(list(c, "one"))).toBe("OK");
    expect((await perdure("key", "delete", idOf(made.stdout), ...remote)).code).toBe(0);
    expect(await codeOf(list(c, "one"))).toBe("UNAUTHENTICATED");
    const { stdout } = await perdure("key", "list", ...remote);
    expect(stdout).not.toContain(idOf(made.stdout));
    expect(stdout.split("\n")).toHaveLength(6);
    const refused = await perdure("key", "list", ...remote.slice(0, -1), keys.namespaceAdmin as string);
    expect(refused).toEqual({ code: 1, stdout: "", stderr: "perdure: Request unauthorized." });
  });

  it("is asked for where there is a server that speaks what was said", async () => {
    const asked = async (...flags: string[]) => (await perdure("key", "list", ...flags)).stderr;
    expect(await asked("--address", "127.0.0.1:1")).toBe("perdure: cannot reach 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1");
    const silent = createServer((socket) => socket.on("error", () => undefined).once("data", () => socket.destroy()));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    expect(await asked("--address", address)).toMatch(
      new RegExp(`^perdure: (cannot reach ${address}: |${address} ends the connection without an answer: if)`),
    );
    silent.close();
  });

  it("cannot be made on a file that a server has", async () => {
    const { code, stderr } = await perdure("key", "create", "--role", "admin", "-f", file);
    expect(code).toBe(1);
    expect(stderr).toContain(String(server.pid));
  });
});

describe("a JWT", () => {
  const claims = { permissions: ["temporal:workflow:start", "temporal:workflow:signal", "temporal:workflow:read"], namespace: "one" };

  it("in the documents' form opens its permissions in its namespace", async () => {
    const c = await as(await token(claims));
    expect(await codeOf(start(c, "one", "by-jwt"))).toBe("OK");
    expect(await codeOf(c.workflowService.describeWorkflowExecution({ namespace: "one", execution: { workflowId: "by-jwt" } }))).toBe("OK");
    expect(await codeOf(list(c, "one"))).toBe("PERMISSION_DENIED");
    expect(await codeOf(start(c, "two", "by-jwt"))).toBe("PERMISSION_DENIED");
  });

  it("in the official form opens its roles", async () => {
    const c = await as(await token({ permissions: ["one:read", "two:write"] }));
    expect(await codeOf(list(c, "one"))).toBe("OK");
    expect(await codeOf(start(c, "one", "official"))).toBe("PERMISSION_DENIED");
    expect(await codeOf(start(c, "two", "official"))).toBe("OK");
    expect(await codeOf(c.operatorService.listClusters({}))).toBe("PERMISSION_DENIED");
    expect(await codeOf((await as(await token({ permissions: ["system:admin"] }))).operatorService.listClusters({}))).toBe("OK");
  });

  it("that is expired, for somebody else, by somebody else or unsigned is none", async () => {
    const part = (o: object): string => Buffer.from(JSON.stringify(o)).toString("base64url");
    const good = {
      sub: "x",
      iss: "https://auth.company.com",
      aud: "temporal.company.com",
      exp: Date.now() / 1000 + 999,
      permissions: ["system:admin"],
    };
    const sign = (claim: object, secret = SECRET, alg = "HS256") =>
      new SignJWT({ ...good, ...claim }).setProtectedHeader({ alg }).sign(Buffer.from(secret));
    expect(await codeOf(list(await as(await sign({})), "one"))).toBe("OK");
    const publicKey = JSON.stringify(await exportJWK(signing.publicKey));
    for (const bad of [
      await token(claims, { expires: "-1h" }),
      await token(claims, { key: rotated }),
      await token(claims, { kid: "two" }),
      await sign({ iss: "https://elsewhere.com" }),
      await sign({ aud: "elsewhere.com" }),
      await sign({ exp: undefined }),
      await sign({ sub: undefined }),
      await sign({ nbf: Date.now() / 1000 + 999 }),
      await sign({}, "another secret of thirty-two bytes"),
      await sign({}, SECRET, "HS512"),
      // Signed with what everybody knows.
      await sign({}, publicKey),
      `${part({ alg: "none" })}.${part(good)}.`,
      `${part({ alg: "NONE", typ: "JWT" })}.${part(good)}.`,
      `${part({ alg: "HS256" })}.${part(good)}.${"A".repeat(43)}`,
      (await sign({ padding: "x".repeat(8192) })) as string,
    ])
      expect([bad.slice(0, 40), await codeOf(list(await as(bad), "one"))]).toEqual([bad.slice(0, 40), "UNAUTHENTICATED"]);
  });

  it("is taken by the keys of the file as it is now", async () => {
    const before = await as(await token({ permissions: ["one:read"] }));
    expect(await codeOf(list(before, "one"))).toBe("OK");
    writeFileSync(jwks, await keySet(rotated, "two"));
    const after = await as(await token({ permissions: ["one:read"] }, { key: rotated, kid: "two" }));
    await expect.poll(() => codeOf(list(after, "one")), { timeout: 10_000 }).toBe("OK");
    expect(await codeOf(list(before, "one"))).toBe("UNAUTHENTICATED");
  });
});

describe("the audit log", () => {
  it("has a record of each refused and each administrative call, and no secret", async () => {
    const text = readFileSync(audit, "utf8");
    const records = text
      .trim()
      .split("\n")
      .map((l) => JSON.parse(l) as { event: string; method: string; code: string; principal?: { subject: string }; namespace?: string });
    expect(records).toContainEqual(
      expect.objectContaining({
        event: "administrative",
        method: "/temporal.api.workflowservice.v1.WorkflowService/UpdateNamespace",
        namespace: "one",
        code: "OK",
        principal: { kind: "key", id: idOf(keys.namespaceAdmin as string), subject: "namespaceAdmin", key: idOf(keys.namespaceAdmin as string) },
        peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      }),
    );
    expect(records).toContainEqual(expect.objectContaining({ event: "denied", code: "UNAUTHENTICATED", namespace: "one" }));
    expect(records).toContainEqual(expect.objectContaining({ event: "denied", code: "PERMISSION_DENIED", namespace: "two" }));
    expect(records.filter((r) => r.method.endsWith("/CreateKey"))).toHaveLength(1);
    for (const key of Object.values(keys)) expect(text + server.log()).not.toContain(key.split("_").slice(2).join("_"));
    expect(text + server.log()).not.toMatch(/eyJ/);
    expect(statSync(audit).mode & 0o077).toBe(0);
  });
});
