/** What stands before the calls: TLS with client certificates, files that change, requests that are no requests, pages of elsewhere. */
import { writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authority, issued, type Pair } from "../harness/certificates.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { keyOn } from "./command.js";

const folder = temporaryDirectory();
const path = (name: string): string => join(folder, name);
let secure: ServerProcess;
let plain: ServerProcess;
let serverCa: Pair;
let nextCa: Pair;
let clientCa: Pair;
let worker: Pair;
let stranger: Pair;
let forged: Pair;
let key: string;

beforeAll(async () => {
  [serverCa, nextCa, clientCa] = await Promise.all([authority("server authority"), authority("next authority"), authority("client authority")]);
  const server = await issued("server", serverCa);
  [worker, stranger, forged] = await Promise.all([issued("worker", clientCa), issued("stranger", clientCa), issued("worker", serverCa)]);
  writeFileSync(path("cert"), server.cert);
  writeFileSync(path("key"), server.private);
  writeFileSync(path("clients"), clientCa.cert);
  key = await keyOn(path("p.db"), "--role", "read", "-n", "two");
  const tls = ["--tls-cert", path("cert"), "--tls-key", path("key"), "--tls-client-ca", path("clients")];
  secure = await startServer(["-f", path("p.db"), "-n", "one", "-n", "two", ...tls, "--auth", "--auth-certificate", "CN=worker=one:write"]);
  plain = await startServer(["--allowed-host", "perdure.example.com"]);
}, 60_000);

afterAll(async () => {
  await secure?.stop();
  await plain?.stop();
});

const CODES: Readonly<Record<number, string>> = { 7: "PERMISSION_DENIED", 14: "UNAVAILABLE", 16: "UNAUTHENTICATED" };

/** What a caller with the certificate is told when it lists a namespace. */
async function listAs(pair: Pair | undefined, namespace: string, o: { ca?: Pair; apiKey?: string } = {}): Promise<string> {
  const connection = Connection.lazy({
    address: secure.address,
    ...(o.apiKey === undefined ? {} : { apiKey: o.apiKey }),
    tls: {
      serverRootCACertificate: Buffer.from((o.ca ?? serverCa).cert),
      ...(pair === undefined ? {} : { clientCertPair: { crt: Buffer.from(pair.cert), key: Buffer.from(pair.private) } }),
    },
  });
  try {
    await connection.withDeadline(Date.now() + 5_000, () => connection.workflowService.listWorkflowExecutions({ namespace }));
    return "OK";
  } catch (e) {
    const { code = -1 } = e as { code?: number };
    return CODES[code] ?? String(code);
  } finally {
    await connection.close();
  }
}

describe("client certificates", () => {
  it("are who the caller is", async () => {
    expect(await listAs(worker, "one")).toBe("OK");
    expect(await listAs(worker, "two")).toBe("PERMISSION_DENIED");
    expect(await listAs(stranger, "one")).toBe("PERMISSION_DENIED");
  });

  it("must be there, and by the right authority", async () => {
    const answerTo = (pair?: Pair) =>
      conversation(
        connectTls({ ...at(secure), ca: serverCa.cert, ...(pair === undefined ? {} : { cert: pair.cert, key: pair.private }) }),
        http(["GET / HTTP/1.1", "Host: localhost", "Connection: close"]),
      );
    expect(await answerTo(worker)).toContain("HTTP/1.1");
    expect(await answerTo(undefined)).toBe("");
    expect(await answerTo(forged)).toBe("");
  });

  it("give way to a bearer token, good or bad", async () => {
    expect(await listAs(worker, "two", { apiKey: key })).toBe("OK");
    expect(await listAs(worker, "one", { apiKey: key })).toBe("PERMISSION_DENIED");
    expect(await listAs(worker, "one", { apiKey: "nothing" })).toBe("UNAUTHENTICATED");
  });
});

/** What comes back until the other end closes. */
function conversation(socket: Socket, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let got = "";
    socket.on("data", (d: Buffer) => {
      got += d.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(got));
    socket.write(bytes, "latin1");
  });
}

const at = (server: ServerProcess) => ({ host: "127.0.0.1", port: Number(server.address.split(":")[1]) });
const http = (lines: readonly string[], body = ""): string => `${lines.join("\r\n")}\r\n\r\n${body}`;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

describe("TLS", () => {
  it("speaks what was agreed on, and nothing in the clear", async () => {
    const client = { ca: serverCa.cert, cert: worker.cert, key: worker.private };
    const agreed = (protocol: string) => connectTls({ ...at(secure), ...client, ALPNProtocols: [protocol] });
    expect(await conversation(agreed("http/1.1"), PREFACE)).toBe("");
    expect(await conversation(agreed("h2"), http(["GET / HTTP/1.1", "Host: localhost", "Connection: close"]))).not.toContain("HTTP/1.1");
    expect(await conversation(agreed("http/1.1"), http(["GET / HTTP/1.1", "Host: localhost", "Connection: close"]))).toContain("HTTP/1.1");
    expect(await conversation(connectTcp(at(secure)), http(["GET / HTTP/1.1", "Host: localhost"]))).not.toContain("HTTP/1.1");
  });

  it("takes a new certificate when its files change, and keeps the old one while they do not fit", async () => {
    const next = await issued("server", nextCa);
    writeFileSync(path("cert"), next.cert);
    await expect.poll(() => secure.log(), { timeout: 10_000 }).toContain("do not fit");
    expect(await listAs(worker, "one")).toBe("OK");
    writeFileSync(path("key"), next.private);
    await expect.poll(() => listAs(worker, "one", { ca: nextCa }), { timeout: 10_000 }).toBe("OK");
    const trusting = (ca: Pair) =>
      conversation(
        connectTls({ ...at(secure), ca: ca.cert, cert: worker.cert, key: worker.private }),
        http(["GET / HTTP/1.1", "Host: localhost", "Connection: close"]),
      );
    expect(await trusting(nextCa)).toContain("HTTP/1.1");
    expect(await trusting(serverCa)).toBe("");
  });
});

describe("requests that two parsers could read differently", () => {
  const hidden = http(["GET /hidden HTTP/1.1", "Host: localhost"]);
  const post = (...headers: string[]): string[] => ["POST /api/v1/namespaces HTTP/1.1", "Host: localhost", ...headers];
  it.each([
    ["a length and chunks", http(post("Content-Length: 5", "Transfer-Encoding: chunked"), `0\r\n\r\n${hidden}`)],
    ["chunks and a length", http(post("Transfer-Encoding: chunked", "Content-Length: 5"), `0\r\n\r\n${hidden}`)],
    ["two lengths", http(post("Content-Length: 0", "Content-Length: 44"), hidden)],
    ["a list of lengths", http(post("Content-Length: 0, 44"), hidden)],
    ["a length with a sign", http(post("Content-Length: +0"), hidden)],
    ["an encoding that is not chunked at the end", http(post("Transfer-Encoding: chunked, identity"), `0\r\n\r\n${hidden}`)],
    ["a space before the colon", http(post("Transfer-Encoding : chunked"), `0\r\n\r\n${hidden}`)],
    ["a folded header", http(post("X: a", " Transfer-Encoding: chunked"), `0\r\n\r\n${hidden}`)],
    ["a bare line feed", `POST / HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n${hidden}`],
    ["a chunk of no size", http(post("Transfer-Encoding: chunked"), `-1\r\n\r\n${hidden}`)],
    ["two hosts", http(["GET / HTTP/1.1", "Host: localhost", "Host: elsewhere"], hidden)],
  ])("%s: one 400 at most, and the connection ends", async (_, bytes) => {
    const got = await conversation(connectTcp(at(plain)), bytes);
    const statuses = [...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]);
    expect(statuses.slice(0, 1).concat("400")).toContain("400");
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect(statuses.filter((s) => s !== "400")).toEqual([]);
  });

  it("a request at work is not answered with the refusal of what came after it", async () => {
    const poll = '{"namespace":"default","task_queue":"nobody"}';
    const length = `Content-Length: ${poll.length}`;
    const good = http(["POST /api/v1/namespaces/default/task-queues/nobody/workflow-tasks/poll HTTP/1.1", "Host: localhost", length], poll);
    expect(await conversation(connectTcp(at(plain)), `${good}0OST / HTTP/1.1\r\n\r\n`)).toBe("");
    expect(await conversation(connectTcp(at(plain)), "0OST / HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 .*\r\nConnection: close/);
  });

  it("there is no way from HTTP/1 to HTTP/2", async () => {
    const upgrade = http([
      "GET / HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQAAP__",
    ]);
    expect(await conversation(connectTcp(at(plain)), `${upgrade}${http(["GET / HTTP/1.1", "Host: localhost", "Connection: close"])}`)).not.toContain(
      "101",
    );
  });

  it("headers without end are 431", async () => {
    const got = await conversation(
      connectTcp(at(plain)),
      http(["GET / HTTP/1.1", "Host: localhost", ...Array.from({ length: 400 }, (_, i) => `X-${i}: ${"x".repeat(60)}`)]),
    );
    expect(got).toContain("HTTP/1.1 431");
  });
});

describe("web pages", () => {
  const status = async (...headers: string[]): Promise<string | undefined> => {
    const got = await conversation(connectTcp(at(plain)), http(["GET /nothing HTTP/1.1", ...headers, "Connection: close"]));
    return /HTTP\/1\.1 (\d+)/.exec(got)?.[1];
  };

  it("under a name that was pointed here get nowhere", async () => {
    for (const name of ["localhost", "127.0.0.1:7233", "[::1]:7233", "perdure", "x.localhost", "perdure.example.com", "PERDURE.example.com:80"])
      expect([name, await status(`Host: ${name}`)]).toEqual([name, "404"]);
    for (const name of ["evil.example.com", "perdure.example.com.evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "user@localhost", ""])
      expect([name, await status(`Host: ${name}`)]).toEqual([name, "403"]);
  });

  it("of other origins get nowhere, not even with a request that browsers send without asking", async () => {
    expect(await status("Host: localhost:7233", "Origin: http://localhost:7233")).toBe("404");
    for (const origin of ["https://evil.example.com", "http://localhost:9999", "https://localhost:7233x", "null", "file://"])
      expect([origin, await status("Host: localhost:7233", `Origin: ${origin}`)]).toEqual([origin, "403"]);
    const body = '{"namespace":"from-a-page","workflowExecutionRetentionPeriod":"86400s"}';
    const got = await conversation(
      connectTcp(at(plain)),
      http(
        [
          "POST /temporal.api.workflowservice.v1.WorkflowService/RegisterNamespace HTTP/1.1",
          ...[
            "Host: localhost",
            "Origin: https://evil.example.com",
            "Content-Type: application/json",
            `Content-Length: ${body.length}`,
            "Connection: close",
          ],
        ],
        body,
      ),
    );
    expect(got).toContain("HTTP/1.1 403");
  });
});
