/** The gateway over both versions of HTTP, with routes of the test. */
import { createServer, request as http1Request } from "node:http";
import { connect, createServer as createHttp2 } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WorkflowExecution } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { Call, Method } from "../api/call.js";
import { invalidArgument, notFound } from "../api/service-error.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { createGateway } from "./gateway.js";
import { plainError } from "./official-error.js";
import type { GatewayContext, GatewayServices, HttpRequest, Route, Rpc } from "./route.js";

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}
interface Asked {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

const ECHO: Rpc<WorkflowExecution, WorkflowExecution> = { path: "/perdure.test.v1.S/Echo", input: WorkflowExecution, output: WorkflowExecution };

let closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers) close();
  closers = [];
});

interface Started {
  readonly runtime: FakeRuntime;
  readonly errors: object[];
  readonly stop: AbortController;
  readonly ask: (asked: Asked) => Promise<Answer>;
  readonly port: number;
}

async function start(
  version: 1 | 2,
  routes: (c: GatewayContext) => Route[],
  handler: (m: WorkflowExecution, c: Call) => unknown = (m) => m,
): Promise<Started> {
  const runtime = new FakeRuntime();
  const errors: object[] = [];
  const ignore = (): void => undefined;
  const stop = new AbortController();
  const method = {
    ...ECHO,
    service: "perdure.test.v1.S",
    name: "Echo",
    handler: undefined,
    permission: "none",
    priority: 0,
    longPoll: false,
  } as Method;
  const gateway = await createGateway({
    methods: new Map([[ECHO.path, method]]),
    services: { server: { version: "1.2.3" } } as GatewayServices,
    run: async (_, request, call) => handler(request as WorkflowExecution, call),
    runtime,
    logger: { debug: ignore, info: ignore, warn: ignore, error: (fields) => errors.push(fields) },
    receiveBytesMax: 1000,
    draining: stop.signal,
    modules: [{ name: "test", routes, fail: (e) => ({ ...plainError(e), headers: { "x-form": "of the module" } }) }],
  });
  const server: Server = version === 1 ? createServer((q, s) => gateway(q, s, "10.0.0.9:5")) : createHttp2((q, s) => gateway(q, s, "10.0.0.9:5"));
  const sockets = new Set<Socket>();
  server.on("connection", (s: Socket) => sockets.add(s));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  closers.push(() => {
    server.close();
    for (const s of sockets) s.destroy();
  });
  return { runtime, errors, stop, port, ask: (asked) => (version === 1 ? askHttp1(port, asked) : askHttp2(port, asked)) };
}

function askHttp1(port: number, { method = "GET", path, headers = {}, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = http1Request({ port, host: "127.0.0.1", method, path, headers }, (got) => {
      const parts: Buffer[] = [];
      got.on("data", (p: Buffer) => parts.push(p));
      got.on("end", () => resolve({ status: got.statusCode ?? 0, headers: got.headers, body: Buffer.concat(parts).toString() }));
      got.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function askHttp2(port: number, { method = "GET", path, headers = {}, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on("error", reject);
    const sent = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined });
    let head: Record<string, unknown> = {};
    const parts: Buffer[] = [];
    sent.on("response", (h) => {
      head = h as Record<string, unknown>;
    });
    sent.on("data", (p: Buffer) => parts.push(p));
    sent.on("error", reject);
    sent.on("close", () => {
      session.close();
      resolve({ status: Number(head[":status"]), headers: head as Answer["headers"], body: Buffer.concat(parts).toString() });
    });
    if (body !== undefined) sent.end(body);
  });
}

describe.each([1, 2] as const)("the gateway on HTTP/%i", (version) => {
  it("hands a request over whole, and its answer back", async () => {
    const server = await start(version, () => [
      {
        method: "POST",
        template: "/a/{name}",
        handler: async (request, { name }) => ({
          status: 201,
          headers: { "x-name": name ?? "", "content-type": "text/plain" },
          body: `${request.query.get("q")} ${(await request.body()).toString()} ${request.headers["x-own"]}`,
        }),
      },
    ]);
    const answer = await server.ask({ method: "POST", path: "/a/b%2Fc?q=1%202&r", headers: { "x-own": "h" }, body: "text" });
    expect(answer).toMatchObject({ status: 201, headers: { "x-name": "b/c", "content-type": "text/plain" }, body: "1 2 text h" });
  });

  it("makes a call with the caller's metadata, address and deadline", async () => {
    let seen: Call | undefined;
    const server = await start(
      version,
      (c) => [
        { method: "GET", template: "/call", handler: async (request) => ({ body: (await c.call(request, ECHO, { workflowId: "w" })).workflowId }) },
      ],
      (m, call) => {
        seen = call;
        return { workflowId: `${m.workflowId} ${m.runId === "" ? "whole" : ""}` };
      },
    );
    const headers = {
      authorization: "Bearer t",
      "grpc-metadata-own": "1",
      "user-agent": "ua",
      "x-other": "2",
      "grpc-timeout": "3S",
      "x-forwarded-for": "1.1.1.1",
    };
    expect((await server.ask({ path: "/call", headers })).body).toBe("w whole");
    const metadata = (key: string) => seen?.metadata(key);
    expect(["authorization", "own", "grpcgateway-user-agent", "grpcgateway-authorization", "x-forwarded-for"].map(metadata)).toEqual([
      "Bearer t",
      "1",
      "ua",
      "Bearer t",
      "1.1.1.1, 10.0.0.9",
    ]);
    expect(["x-other", "user-agent", "client-name", "client-version"].map(metadata)).toEqual([undefined, undefined, "temporal-server-http", "1.2.3"]);
    expect(seen?.peer).toBe("10.0.0.9:5");
    expect(seen?.deadlineMs).toBe(server.runtime.now / 1000 + 3000);
    expect((await server.ask({ path: "/call", headers: { "grpc-timeout": "3x" } })).body).toBe(
      JSON.stringify({ code: 3, message: "invalid grpc-timeout: 3x" }),
    );
  });

  it("answers errors in the form of the module, and what it has no route for in its own", async () => {
    const server = await start(version, () => [
      { method: "GET", template: "/known", handler: () => Promise.reject(notFound("no such thing")) },
      { method: "GET", template: "/bug", handler: () => Promise.reject(new Error("secret")) },
      { method: "GET", template: "/own", handler: () => Promise.reject(invalidArgument("bad")), fail: () => ({ status: 418 }) },
    ]);
    expect(await server.ask({ path: "/known" })).toMatchObject({ status: 404, headers: { "x-form": "of the module" } });
    const bug = await server.ask({ path: "/bug" });
    expect([bug.status, bug.body.includes("secret"), server.errors.length]).toEqual([500, false, 1]);
    expect((await server.ask({ path: "/own" })).status).toBe(418);
    expect((await server.ask({ path: "/none" })).body).toBe('{"code":5,"message":"Not Found"}');
    expect(await server.ask({ method: "PUT", path: "/own", body: "" })).toMatchObject({ status: 501, headers: { allow: "GET" } });
  });

  it("refuses a body that is too large, announced or not", async () => {
    const server = await start(version, () => [
      { method: "POST", template: "/", handler: async (request) => ({ body: `${(await request.body()).length}` }) },
    ]);
    expect((await server.ask({ method: "POST", path: "/", body: "x".repeat(1000) })).body).toBe("1000");
    const chunked = version === 1 ? { "transfer-encoding": "chunked" } : undefined;
    expect((await server.ask({ method: "POST", path: "/", body: "x".repeat(1001), ...(chunked && { headers: chunked }) })).status).toBe(400);
    expect((await server.ask({ method: "POST", path: "/", body: "x".repeat(1001), headers: { "content-length": "1001" } })).status).toBe(400);
  });

  it("ends a call whose deadline passes though its handler does not", async () => {
    let called = (): void => undefined;
    const isCalled = new Promise<void>((resolve) => {
      called = resolve;
    });
    const server = await start(
      version,
      (c) => [{ method: "GET", template: "/", handler: async (request) => ({ body: (await c.call(request, ECHO, {}, { timeoutMs: 500 })).runId }) }],
      () => {
        called();
        return new Promise(() => undefined);
      },
    );
    const answer = server.ask({ path: "/" });
    await isCalled;
    await server.runtime.advance(500);
    expect((await answer).status).toBe(504);
    expect(server.runtime.timers.size).toBe(0);
  });

  it("reads a stream no faster than the caller does, and ends it when the caller goes", async () => {
    let produced = 0;
    let ended = (): void => undefined;
    const isEnded = new Promise<void>((resolve) => {
      ended = resolve;
    });
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          produced++;
          yield Buffer.alloc(64 * 1024);
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        ended();
      }
    }
    const server = await start(version, () => [{ method: "GET", template: "/", handler: () => ({ body: endless() }) }]);
    const leave = await takeOneChunk(version, server.port);
    // Nothing is read any more: what is in flight fits into the buffers of both ends.
    let before = -1;
    while (before !== produced) {
      before = produced;
      for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(produced * 64).toBeLessThan(64 * 1024);
    leave();
    await isEnded;
  });

  it("tells a stream that the server stops", async () => {
    const server = await start(version, (c) => [{ method: "GET", template: "/", handler: (request) => ({ body: untilStop(c, request) }) }]);
    const answer = server.ask({ path: "/" });
    server.stop.abort();
    expect((await answer).body).toBe("begin end");
  });
});

async function* untilStop(c: GatewayContext, request: HttpRequest): AsyncGenerator<string> {
  yield "begin ";
  await new Promise<void>((resolve) => {
    for (const signal of [c.draining, request.signal])
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  yield "end";
}

/** Resolves with the way to leave. */
function takeOneChunk(version: 1 | 2, port: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    if (version === 1) {
      const sent = http1Request({ port, host: "127.0.0.1", path: "/" }, (got) => {
        got.once("data", () => {
          got.pause();
          resolve(() => sent.destroy());
        });
      });
      sent.on("error", () => reject(new Error("cut off")));
      sent.end();
      return;
    }
    const session = connect(`http://127.0.0.1:${port}`);
    const sent = session.request({ ":path": "/" });
    sent.on("error", () => undefined);
    session.on("error", () => undefined);
    sent.once("data", () => {
      sent.pause();
      resolve(() => session.destroy());
    });
  });
}
