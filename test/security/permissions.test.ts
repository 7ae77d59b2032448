/**
 * Every RPC by every role over every protocol: what permissions.json expects, which nobody has made from the table of methods. The
 * table, the authorization, the port and the protocols are the server's; the handlers only say that they were reached.
 */
import { readFileSync } from "node:fs";
import { request as http1 } from "node:http";
import { connect } from "node:http2";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Method } from "../../src/api/call.js";
import { encode } from "../../src/api/wire.js";
import { ApiKeys, keyWithRole } from "../../src/authorization/api-keys.js";
import { AuditLog } from "../../src/authorization/audit.js";
import { Authenticator, ClientCertificates } from "../../src/authorization/authenticator.js";
import { Authorization } from "../../src/authorization/interceptor.js";
import { methodTable } from "../../src/frontend/methods.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { Health } from "../../src/rpc/health.js";
import { type Listener, openListener } from "../../src/rpc/listener.js";

interface Matrix {
  readonly roles: readonly string[];
  readonly rpcs: Readonly<Record<string, string>>;
}
const matrix = JSON.parse(readFileSync(join(import.meta.dirname, "permissions.json"), "utf8")) as Matrix;
/** In the order of the matrix; nobody has no key. */
const KEYS = [
  undefined,
  ["read", "one"],
  ["worker", "one"],
  ["write", "one"],
  ["admin", "one"],
  ["admin", "two"],
  ["read"],
  ["worker"],
  ["write"],
  ["admin"],
] as const;

const nothing = new Proxy({}, { get: () => new Proxy({}, { get: () => () => undefined }) }) as never;
const table = [...methodTable(nothing).values()];
const nameOf = (m: Method): string => `${m.service.slice(m.service.lastIndexOf(".") + 1)}.${m.name}`;
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let listener: Listener;
let port: number;
const tokens: (string | undefined)[] = [];

beforeAll(async () => {
  const runtime = new FakeRuntime("free");
  const keys = new ApiKeys({ rows: [], commit: async () => undefined, runtime });
  for (const k of KEYS) tokens.push(k === undefined ? undefined : (await keys.create(keyWithRole("", k[0], k.slice(1), 0))).token);
  const authorization = new Authorization({
    authenticator: new Authenticator(keys, undefined, new ClientCertificates([])),
    keys,
    audit: new AuditLog(runtime, quiet, () => undefined),
    publicSubjects: new Set(["health", "system-info"]),
    namespaces: () => ({ byName: () => undefined, byId: () => undefined }),
    runtime,
  });
  const methods = new Map(table.map((m) => [m.path, { ...m, handler: () => ({}) }]));
  listener = await openListener({
    ...{ host: "127.0.0.1", port: 0, extra: [], methods, runtime, logger: quiet },
    interceptors: [authorization.identify, authorization.authorize],
    limits: { receiveBytesMax: 1 << 22 },
    health: new Health(new Set()),
    admit: authorization.admit.bind(authorization),
  });
  port = (listener.addresses[0] as { port: number }).port;
});
afterAll(() => listener.close());

/** Of a request about namespace "one". */
const bodyOf = (m: Method): Buffer => encode(m.input, { namespace: "one" } as never);

function framed(body: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

const bearer = (token: string | undefined): Record<string, string> => (token === undefined ? {} : { authorization: `Bearer ${token}` });
/** A stream of both sides: not on HTTP/1.1, whoever asks. */
const HTTP2_ONLY = "AdminService.StreamWorkflowReplicationMessages";
const overHttp1 = ({ [HTTP2_ONLY]: _, ...rows }: Readonly<Record<string, string>>): Record<string, string> => rows;

type Verdict = "x" | "-" | string;
const REFUSED = { grpc: ["7", "16"], http: ["401", "403"] };
const verdict = (status: string, good: string, bad: readonly string[]): Verdict => (status === good ? "x" : bad.includes(status) ? "-" : status);

async function overGrpc(m: Method, session: ReturnType<typeof connect>, token: string | undefined): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": m.path, "content-type": "application/grpc", te: "trailers", ...bearer(token) });
    let status = "";
    const look = (h: Record<string, unknown>): void => {
      if (h["grpc-status"] !== undefined) status = String(h["grpc-status"]);
    };
    stream.on("response", look);
    stream.on("trailers", look);
    stream.on("error", reject);
    stream.on("end", () => resolve(verdict(status, "0", REFUSED.grpc)));
    stream.resume();
    stream.end(framed(bodyOf(m)));
  });
}

function post(
  path: string,
  headers: Record<string, string>,
  body: Buffer,
): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const r = http1({ host: "127.0.0.1", port, path, method: "POST", headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (d: Buffer) => parts.push(d));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) }));
    });
    r.on("error", reject);
    r.end(body);
  });
}

async function overConnect(m: Method, token: string | undefined): Promise<Verdict> {
  const { status } = await post(m.path, { "content-type": "application/proto", ...bearer(token) }, bodyOf(m));
  return verdict(String(status), "200", REFUSED.http);
}

async function overGrpcWeb(m: Method, token: string | undefined): Promise<Verdict> {
  const answer = await post(m.path, { "content-type": "application/grpc-web+proto", ...bearer(token) }, framed(bodyOf(m)));
  const status = answer.headers["grpc-status"] ?? /grpc-status: ?(\d+)/.exec(answer.body.toString("latin1"))?.[1];
  return verdict(String(status), "0", REFUSED.grpc);
}

async function rowsBy(ask: (m: Method, token: string | undefined) => Promise<Verdict>): Promise<Record<string, string>> {
  const rows: Record<string, string> = {};
  for (const m of table) rows[nameOf(m)] = (await Promise.all(tokens.map((t) => ask(m, t)))).join("");
  return rows;
}

describe("permissions", () => {
  it("has a row for each RPC and a column for each role", () => {
    expect(Object.keys(matrix.rpcs).sort()).toEqual(table.map(nameOf).sort());
    expect(matrix.roles).toHaveLength(KEYS.length);
  });

  it("are as expected over gRPC", async () => {
    const session = connect(`http://127.0.0.1:${port}`);
    expect(await rowsBy((m, t) => overGrpc(m, session, t))).toEqual(matrix.rpcs);
    session.close();
  });

  it("are as expected over Connect", async () => {
    expect(overHttp1(await rowsBy(overConnect))).toEqual(overHttp1(matrix.rpcs));
  });

  it("are as expected over gRPC-Web", async () => {
    expect(overHttp1(await rowsBy(overGrpcWeb))).toEqual(overHttp1(matrix.rpcs));
  });
});
