/** Nexus operations from callers to handlers, by workers of the official TypeScript SDK: results, failures, cancellation, callbacks. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Connection } from "@temporalio/client";
import { startWorkflow, WorkflowRunOperationHandler } from "@temporalio/nexus";
import type { temporal } from "@temporalio/proto";
import * as nexus from "nexus-rpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { service } from "./nexus-service.js";
import type { serves } from "./nexus-workflows.js";
import { COMPLETED, eventually, STARTED, type Suite, startSuite } from "./suite.js";

const SCHEDULED = "NEXUS_OPERATION_SCHEDULED";
const OPERATION_STARTED = "NEXUS_OPERATION_STARTED";
const OPERATION_COMPLETED = "NEXUS_OPERATION_COMPLETED";
const OPERATION_FAILED = "NEXUS_OPERATION_FAILED";

let s: Suite;
let endpoint: string;
let attempts = 0;

const handlers = nexus.serviceHandler(service, {
  echo: async (_ctx, input) => input,
  none: async () => undefined,
  refuse: async (_ctx, input) => {
    throw new nexus.HandlerError("BAD_REQUEST", `not ${input}`);
  },
  fail: async (_ctx, input) => {
    throw new nexus.OperationError("failed", `failed with ${input}`);
  },
  flaky: async (_ctx, input) => {
    if (attempts++ === 0) throw new nexus.HandlerError("UNAVAILABLE", "later");
    return input;
  },
  never: (ctx) => new Promise<string>((_, reject) => ctx.abortSignal.addEventListener("abort", () => reject(new Error("gone")))),
  run: new WorkflowRunOperationHandler<string, string>((ctx, input) =>
    startWorkflow<typeof serves>(ctx, "serves" as never, { workflowId: `serves-${ctx.requestId}`, args: [input] }),
  ),
});

const create = async (name: string, target: temporal.api.nexus.v1.IEndpointTarget): Promise<string> => {
  await s.client.connection.operatorService.createNexusEndpoint({ spec: { name, target } });
  return name;
};

beforeAll(async () => {
  s = await startSuite("nexus-workflows.ts", false);
  await s.worker({ nexusServices: [handlers] });
  endpoint = await create(s.id("suite"), { worker: { namespace: "default", taskQueue: s.taskQueue } });
});
afterAll(async () => s?.end());

const describeRun = (workflowId: string) => s.client.workflow.getHandle(workflowId).describe();
/** The workflow that serves the only operation of a caller. */
const servedBy = async (caller: string): Promise<string> => {
  await eventually(async () => s.events(caller)).toContain(OPERATION_STARTED);
  const started = (await s.history(caller)).find((e) => e.nexusOperationStartedEventAttributes);
  return `serves-${started?.nexusOperationStartedEventAttributes?.requestId}`;
};

describe("an operation", () => {
  it("answers at once", async () => {
    const h = await s.start("calls", [endpoint, "echo", "hello"]);
    expect(await h.result()).toBe("hello");
    expect(await s.events(h.workflowId)).toEqual([STARTED, SCHEDULED, OPERATION_COMPLETED, COMPLETED]);
  });

  it("takes and gives nothing", async () => {
    const h = await s.start("callsWithoutInput", [endpoint]);
    expect(await h.result()).toBe("undefined");
  });

  it("is served by a workflow, with links both ways", async () => {
    const h = await s.start("calls", [endpoint, "run", "by a workflow"]);
    expect(await h.result()).toBe("by a workflow");
    expect(await s.events(h.workflowId)).toEqual([STARTED, SCHEDULED, OPERATION_STARTED, OPERATION_COMPLETED, COMPLETED]);
    const served = await servedBy(h.workflowId);
    const linkOf = (events: Awaited<ReturnType<typeof s.history>>, i: number) => events[i]?.links?.[0]?.workflowEvent?.workflowId;
    const caller = await s.history(h.workflowId);
    expect(
      linkOf(
        caller,
        caller.findIndex((e) => e.nexusOperationStartedEventAttributes),
      ),
    ).toBe(served);
    expect(
      (await s.history(served))[0]?.workflowExecutionStartedEventAttributes?.completionCallbacks?.[0]?.links?.[0]?.workflowEvent?.workflowId,
    ).toBe(h.workflowId);
  });

  it("outlives a continue-as-new of what serves it", async () => {
    const h = await s.start("calls", [endpoint, "run", "again"]);
    expect(await h.result()).toBe("again");
  });

  it("fails as what serves it", async () => {
    const h = await s.start("calls", [endpoint, "run", "fail"]);
    expect(await h.result()).toEqual([
      "NexusOperationFailure: nexus operation completed unsuccessfully",
      expect.stringContaining("ApplicationFailure: served badly"),
    ]);
    expect(await s.events(h.workflowId)).toContain(OPERATION_FAILED);
  });

  it("fails at once", async () => {
    const h = await s.start("calls", [endpoint, "fail", "x"]);
    expect(await h.result()).toEqual(["NexusOperationFailure: nexus operation completed unsuccessfully", expect.stringContaining("failed with x")]);
  });

  it("is refused by its handler", async () => {
    const h = await s.start("calls", [endpoint, "refuse", "this"]);
    expect(await h.result()).toEqual(["NexusOperationFailure: nexus operation completed unsuccessfully", expect.stringContaining("not this")]);
  });

  it("is tried again after a passing error", async () => {
    const h = await s.start("calls", [endpoint, "flaky", "in the end"]);
    await eventually(async () => (await describeRun(h.workflowId)).raw.pendingNexusOperations?.[0]?.attempt ?? 0).toBe(1);
    expect(await h.result()).toBe("in the end");
    expect(attempts).toBe(2);
  });

  it("times out", async () => {
    const h = await s.start("calls", [endpoint, "never", "x", { scheduleToCloseTimeout: 2000 }]);
    expect(await h.result()).toEqual(["NexusOperationFailure: nexus operation completed unsuccessfully", "TimeoutFailure: operation timed out"]);
  });

  it("goes on with twenty others", async () => {
    const h = await s.start("callsAtOnce", [endpoint, 20]);
    expect(await h.result()).toEqual(Array.from({ length: 20 }, (_, i) => `answer ${i}`));
  });

  for (const type of ["WAIT_CANCELLATION_COMPLETED", "WAIT_CANCELLATION_REQUESTED"] as const)
    it(`is canceled by its workflow: ${type}`, async () => {
      const h = await s.start("callsAndCancels", [endpoint, type]);
      const served = await servedBy(h.workflowId);
      await h.signal("proceed", "");
      expect(await h.result()).toBe("NexusOperationFailure, CancelledFailure");
      await eventually(async () => (await describeRun(served)).status.name).toBe("CANCELLED");
      if (type === "WAIT_CANCELLATION_COMPLETED")
        // The end of what was canceled may be heard of before the answer to the request, or with nobody left to hear that.
        expect((await s.events(h.workflowId)).slice(3).filter((e) => e !== "NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED")).toEqual([
          "WORKFLOW_EXECUTION_SIGNALED",
          "NEXUS_OPERATION_CANCEL_REQUESTED",
          "NEXUS_OPERATION_CANCELED",
          COMPLETED,
        ]);
    });

  it("fits its workflow's code when it is replayed", async () => {
    expect(await s.replayAll()).toBeGreaterThan(10);
  });
});

describe("an external endpoint", () => {
  const requests: { url: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  let answers: ((r: { status: number; headers?: Record<string, string>; body?: string }) => void)[] = [];
  let web: Server;
  let external: string;
  beforeAll(async () => {
    web = createServer((request, response) => {
      let body = "";
      request.on("data", (d: Buffer) => {
        body += d.toString();
      });
      request.on("end", () => {
        requests.push({ url: request.url ?? "", headers: request.headers, body });
        answers.push(({ status, headers = {}, body: text = "" }) => response.writeHead(status, headers).end(text));
      });
    });
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    external = await create(s.id("external"), { external: { url: `http://127.0.0.1:${(web.address() as AddressInfo).port}/base` } });
  });
  afterAll(() => {
    web.closeAllConnections();
    web.close();
  });
  const answer = async (a: { status: number; headers?: Record<string, string>; body?: string }) => {
    await eventually(() => answers.length).toBe(1);
    answers[0]?.(a);
    answers = [];
    return requests.at(-1);
  };

  it("is called over HTTP and answers at once", async () => {
    const h = await s.start("calls", [external, "echo", "hello"]);
    const request = await answer({ status: 200, headers: { "content-type": "application/json" }, body: '"from outside"' });
    expect(request?.url.split("?")[0]).toBe("/base/suite/echo");
    expect(request?.body).toBe('"hello"');
    expect(request?.headers).toMatchObject({ "content-type": "application/json", "nexus-link": expect.stringContaining(h.workflowId) });
    expect(await h.result()).toBe("from outside");
  });

  it("ends its operation by the callback, once and with the right token only", async () => {
    const h = await s.start("calls", [external, "echo", "later"]);
    const request = await answer({ status: 201, headers: { "content-type": "application/json" }, body: '{"token":"t","state":"running"}' });
    const callback = new URL(request?.url ?? "", "http://x").searchParams.get("callback") ?? "";
    const token = request?.headers["nexus-callback-temporal-callback-token"] as string;
    const complete = (callbackToken: string) =>
      fetch(callback, {
        method: "POST",
        headers: { "temporal-callback-token": callbackToken, "nexus-operation-state": "succeeded", "content-type": "application/json" },
        body: '"called back"',
      });
    expect((await complete("no token")).status).toBe(400);
    const forged = Buffer.from(token, "base64url");
    forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1;
    expect((await complete(forged.toString("base64url"))).status).toBe(404);
    expect((await complete(token)).status).toBe(200);
    expect(await h.result()).toBe("called back");
    expect((await complete(token)).status).toBe(404);
  });

  it("fails its operation by the callback", async () => {
    const h = await s.start("calls", [external, "echo", "later"]);
    const request = await answer({ status: 201, headers: { "content-type": "application/json" }, body: '{"token":"t","state":"running"}' });
    const callback = new URL(request?.url ?? "", "http://x").searchParams.get("callback") ?? "";
    const response = await fetch(callback, {
      method: "POST",
      headers: {
        "temporal-callback-token": request?.headers["nexus-callback-temporal-callback-token"] as string,
        "nexus-operation-state": "failed",
        "content-type": "application/json",
      },
      body: '{"message":"it broke"}',
    });
    expect(response.status).toBe(200);
    expect(await h.result()).toEqual(["NexusOperationFailure: nexus operation completed unsuccessfully", expect.stringContaining("it broke")]);
  });

  it("is asked again as long as its errors may pass", async () => {
    const h = await s.start("calls", [external, "echo", "x"]);
    await answer({ status: 503, headers: { "content-type": "application/json" }, body: '{"message":"busy"}' });
    await answer({ status: 418 });
    await answer({ status: 400, headers: { "content-type": "application/json" }, body: '{"message":"never"}' });
    expect(await h.result()).toEqual([
      "NexusOperationFailure: nexus operation completed unsuccessfully",
      expect.stringContaining("HandlerError"),
      expect.stringContaining("never"),
    ]);
  });
});

describe("the HTTP endpoints of the server", () => {
  const base = () => `http://${(s.client.connection as Connection).options.address}`;
  const paths = async () => {
    const { endpoints } = await s.client.connection.operatorService.listNexusEndpoints({ name: endpoint });
    return [endpoints?.[0]?.urlPrefix as string, `/namespaces/default/task-queues/${encodeURIComponent(s.taskQueue)}/nexus-services`];
  };

  it("serve operations by endpoint and by task queue", async () => {
    for (const prefix of await paths()) {
      const headers = { "content-type": "application/json", "nexus-request-id": s.id("request") };
      const response = await fetch(`${base()}${prefix}/suite/echo`, { method: "POST", headers, body: '"hi"' });
      expect([response.status, await response.text()]).toEqual([200, '"hi"']);
    }
  });

  it("start what a workflow serves, and call back", async () => {
    const web = createServer();
    const called = once(web, "request");
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    const callback = `http://127.0.0.1:${(web.address() as AddressInfo).port}/done?x=y`;
    const [prefix] = await paths();
    const response = await fetch(`${base()}${prefix}/suite/run?callback=${encodeURIComponent(callback)}`, {
      method: "POST",
      headers: { "content-type": "application/json", "nexus-request-id": s.id("request"), "nexus-callback-mine": "kept" },
      body: '"over HTTP"',
    });
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ token: expect.any(String), state: "running" });
    const [request, answer] = (await called) as [IncomingMessage, { end(): void }];
    expect([request.url, request.headers["mine"], request.headers["nexus-operation-state"]]).toEqual(["/done?x=y", "kept", "succeeded"]);
    const body = await new Promise((resolve) => request.once("data", (d: Buffer) => resolve(d.toString())));
    expect(body).toBe('"over HTTP"');
    answer.end();
    web.close();
  });

  it("tell errors in their statuses", async () => {
    const [prefix] = await paths();
    const post = async (path: string, headers: Record<string, string> = {}, method = "POST") => {
      const response = await fetch(`${base()}${path}`, { method, headers: { "nexus-request-id": s.id("request"), ...headers } });
      return [response.status, ((await response.json()) as { message?: string }).message];
    };
    expect((await post(`${prefix}/suite/refuse`))[0]).toBe(400);
    expect((await post(`${prefix}/suite/fail`))[0]).toBe(424);
    expect((await post(`${prefix}/nobody/nothing`))[0]).toBe(404);
    expect(await post("/nexus/endpoints/0c6d6a5e-0000-4000-8000-000000000000/services/a/b")).toEqual([404, "nexus endpoint not found"]);
    expect(await post("/namespaces/nowhere/task-queues/q/nexus-services/a/b")).toEqual([404, 'namespace not found: "nowhere"']);
    expect(await post(`${prefix}/suite`)).toEqual([404, "not found"]);
    expect(await post(`${prefix}/suite/echo`, {}, "PUT")).toEqual([400, 'invalid request method: expected POST, got "PUT"']);
    expect(await post(`${prefix}/suite/echo`, { "request-timeout": "soon" })).toEqual([400, "invalid request timeout header"]);
    expect(await post(`${prefix}/suite/run/cancel`)).toEqual([400, "missing operation token"]);
    expect(await post("/namespaces/default/task-queues/nobody-polls/nexus-services/a/b", { "request-timeout": "1100ms" })).toEqual([
      520,
      "upstream timeout",
    ]);
    expect(await post("/namespaces/default/nexus/callback", { "nexus-operation-state": "odd" })).toEqual([
      400,
      'invalid request operation state: "odd"',
    ]);
  });
});
