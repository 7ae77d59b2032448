/** The Nexus protocol's own doors of a server that asks who calls: permissions, limits, sizes, and the address that callbacks come back to. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeCallbackToken } from "../../src/nexus/callback-token.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { keyOn } from "../security/command.js";

const folder = temporaryDirectory();
const file = join(folder, "nexus.db");
const ROLES = ["read", "worker", "write"] as const;
const keys: Record<string, string> = {};
let server: ServerProcess;
let ca: Buffer;
let namespaceId: string;
let endpoint: string;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly message: string | undefined;
}

function post(path: string, key: string | undefined, headers: Record<string, string> = {}, body = '"x"'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const [host, port] = server.address.split(":");
    const authorization = key === undefined ? {} : { authorization: `Bearer ${keys[key]}` };
    const r = request(
      { host, port, path, method: "POST", ca, headers: { "content-type": "application/json", ...authorization, ...headers } },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (d: Buffer) => parts.push(d));
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString();
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            message: text === "" ? undefined : (JSON.parse(text) as { message?: string }).message,
          });
        });
      },
    );
    r.on("error", reject);
    r.end(body);
  });
}

const queue = "/namespaces/default/task-queues/nobody/nexus-services/svc/op";
const SOON = { "request-timeout": "1100ms" };
const WHO = [undefined, "read", "elsewhere", "worker", "write"];
const statuses = async (path: string, headers: Record<string, string>): Promise<number[]> =>
  (await Promise.all(WHO.map((key) => post(path, key, headers)))).map((a) => a.status);

beforeAll(async () => {
  for (const role of ROLES) keys[role] = await keyOn(file, "--role", role, "-n", "default");
  keys["elsewhere"] = await keyOn(file, "--role", "admin", "-n", "other");
  keys["admin"] = await keyOn(file, "--role", "admin");
  server = await startServer(["--db-filename", file, "--auth", "--tls-dev"]);
  ca = readFileSync(join(folder, "tls-dev/ca.crt"));
  const admin = await Connection.connect({ address: server.address, tls: { serverRootCACertificate: ca }, apiKey: keys["admin"] });
  namespaceId = (await admin.workflowService.describeNamespace({ namespace: "default" })).namespaceInfo?.id ?? "";
  const target = { worker: { namespace: "default", taskQueue: "nobody" } };
  endpoint = (await admin.operatorService.createNexusEndpoint({ spec: { name: "desk", target } })).endpoint?.urlPrefix ?? "";
  await admin.close();
});
afterAll(() => server.stop());

describe("a start over HTTP", () => {
  it("is for those who may start in the namespace", async () => {
    for (const path of [queue, `${endpoint}/svc/op`]) expect(await statuses(path, SOON), path).toEqual([401, 403, 403, 403, 520]);
    expect(await post(queue, undefined)).toMatchObject({ message: "unauthorized" });
    expect(await post(queue, "read")).toMatchObject({ message: "permission denied" });
  });

  it("does not hand its caller's key to the worker", async () => {
    const worker = await Connection.connect({ address: server.address, tls: { serverRootCACertificate: ca }, apiKey: keys["worker"] });
    const started = post(queue.replace("nobody", "served"), "write", { mine: "told" });
    const of = { namespace: "default", identity: "handler" };
    const task = await worker.withDeadline(Date.now() + 20_000, () =>
      worker.workflowService.pollNexusTaskQueue({ ...of, taskQueue: { name: "served" } }),
    );
    expect(task.request?.header).toMatchObject({ mine: "told" });
    expect(Object.values(task.request?.header ?? {}).join()).not.toContain(keys["write"]);
    const response = { startOperation: { syncSuccess: { payload: null } } };
    await worker.workflowService.respondNexusTaskCompleted({ ...of, taskToken: task.taskToken, response });
    expect((await started).status).toBe(200);
    await worker.close();
  });

  it("in a namespace that is none is refused like one where the caller may not", async () => {
    const nowhere = queue.replace("default", "nowhere");
    expect((await post(nowhere, "write")).status).toBe(403);
    expect(await post(nowhere, "admin")).toMatchObject({ status: 404, message: 'namespace not found: "nowhere"' });
  });

  it("of more than two mebibytes is refused, whoever sends it", async () => {
    const body = JSON.stringify("x".repeat(2 * 1024 * 1024));
    expect(await post(queue, "write", {}, body)).toMatchObject({ status: 400, message: "http: request body too large" });
  });
});

describe("a request to cancel over HTTP", () => {
  it("is for those who may cancel in the namespace", async () => {
    expect(await statuses(`${queue}/cancel`, { ...SOON, "nexus-operation-token": "t" })).toEqual([401, 403, 403, 403, 520]);
  });
});

describe("a completion", () => {
  it("is for those who may answer as workers, and needs the token of an operation besides", async () => {
    const token = encodeCallbackToken({
      namespaceId,
      workflowId: "none",
      runId: "0c6d6a5e-0000-4000-8000-000000000000",
      scheduledEventId: 5,
      requestId: "r",
    });
    const headers = { "nexus-operation-state": "succeeded", "temporal-callback-token": token };
    for (const path of ["/nexus/callback", "/namespaces/default/nexus/callback"])
      expect(await statuses(path, headers), path).toEqual([401, 403, 403, 404, 404]);
    expect(await post("/nexus/callback", "write", { "nexus-operation-state": "succeeded" })).toMatchObject({
      status: 400,
      message: "invalid callback token",
    });
    expect((await post("/namespaces/other/nexus/callback", "write", headers)).status).toBe(400);
  });
});

describe("an operation that is served elsewhere", () => {
  it("is told to call back by the protocol that the port speaks", async () => {
    const web = createServer();
    const called = once(web, "request");
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    const admin = await Connection.connect({ address: server.address, tls: { serverRootCACertificate: ca }, apiKey: keys["admin"] });
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    await admin.operatorService.createNexusEndpoint({ spec: { name: "away", target: { external: { url } } } });
    const of = { namespace: "default", operationId: "op", endpoint: "away", service: "svc", operation: "op" };
    await admin.workflowService.startNexusOperationExecution(of);
    const [asked, answer] = (await called) as [{ url: string }, { end(): void }];
    const callback = new URL(new URL(asked.url, url).searchParams.get("callback") ?? "");
    expect(callback.href).toBe(`https://${server.address}/namespaces/default/nexus/callback`);
    answer.end();
    web.closeAllConnections();
    web.close();
    await admin.close();
  });
});

describe("a limit of calls", () => {
  it("holds for starts over HTTP, and says when to come again", async () => {
    const limited = await startServer(["--dynamic-config-value", "frontend.clientCallsPerSecond=1"]);
    try {
      const answers: Response[] = [];
      for (let i = 0; i < 3; i++)
        answers.push(await fetch(`http://${limited.address}${queue.replace("/op", "")}/op`, { method: "POST", headers: SOON }));
      const refused = answers.find((a) => a.status === 429);
      expect(refused?.headers.get("retry-after")).not.toBeNull();
      expect(await refused?.json()).toMatchObject({ message: expect.stringContaining("Rate limit exceeded for client") });
    } finally {
      await limited.stop();
    }
  });
});
