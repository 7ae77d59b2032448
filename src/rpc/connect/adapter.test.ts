/** WorkflowService in Connect (JSON and binary), gRPC-Web and general gRPC, on HTTP/1.1 and HTTP/2, with the fast path's handlers and errors. */
import { gzipSync } from "node:zlib";
import { create, createRegistry } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code as ConnectCode, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WorkflowExecutionAlreadyStartedFailureSchema } from "../../../gen/es/temporal/api/errordetails/v1/message_pb.js";
import { AcceptanceSchema } from "../../../gen/es/temporal/api/update/v1/message_pb.js";
import { WorkflowService as WorkflowServiceDesc } from "../../../gen/es/temporal/api/workflowservice/v1/service_pb.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import type { Call, Handler, Method } from "../../api/call.js";
import { namespaceNotFound, workflowAlreadyStarted } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";
import { Gate, type ListenerUnderTest, openListenerUnderTest } from "../listener-under-test.js";

type Methods = typeof WorkflowService.methods;
type InputOf<N extends keyof Methods> = Methods[N]["input"] extends { create(): infer I } ? I : never;
type OutputOf<N extends keyof Methods> = Methods[N]["output"] extends { create(): infer O } ? O : never;

function row<N extends keyof Methods>(name: N, handler: Handler<InputOf<N>, OutputOf<N>>): Method {
  const m = WorkflowService.methods[name];
  return { ...m, service: WorkflowService.typeName, handler, permission: "none", priority: 0, longPoll: false } as unknown as Method;
}

let server: ListenerUnderTest;
let held: Gate<Call>;
let seen: Call | undefined;
let peer: string;

beforeAll(async () => {
  server = await openListenerUnderTest({
    limits: { receiveBytesMax: 100_000 },
    others: [
      row("GetSystemInfo", (_, call) => {
        seen = call;
        peer = call.peer;
        return { serverVersion: "1.2.3", capabilities: { signalAndQueryHeader: true } };
      }),
      row("DescribeNamespace", (m) => {
        throw namespaceNotFound(m.namespace);
      }),
      row("StartWorkflowExecution", (m) => {
        if (m.requestId === "again") throw workflowAlreadyStarted("Workflow execution is already running.", "request", "run");
        return { runId: `run of ${m.workflowId}`, started: true };
      }),
      row("GetWorkflowExecutionHistory", () => {
        const attributes = { case: "timerFiredEventAttributes", value: { timerId: "t", startedEventId: 5 } } as const;
        return { history: encode(History, { events: [{ eventId: 2 ** 40, eventType: EventType.TIMER_FIRED, attributes }] }) };
      }),
      row("RespondWorkflowTaskCompleted", ({ messages }) => ({ workflowTask: { messages } })),
      row("PollWorkflowTaskQueue", (_, call) => {
        held.open(call);
        return new Promise(() => undefined);
      }),
      row("ListNamespaces", () => {
        throw new Error("secret");
      }),
    ],
  });
});
afterAll(async () => {
  await server.listener.close();
  await server.listener.drain(0);
});
beforeEach(() => {
  held = new Gate();
  seen = undefined;
  peer = "";
});

interface Variant {
  readonly name: string;
  readonly make: (url: string, interceptors: Interceptor[]) => Transport;
}
const versions = ["1.1", "2"] as const;
const variants: Variant[] = [
  ...versions.flatMap((httpVersion): Variant[] => [
    {
      name: `Connect with JSON on HTTP/${httpVersion}`,
      make: (baseUrl, interceptors) =>
        createConnectTransport({
          baseUrl,
          httpVersion,
          interceptors,
          useBinaryFormat: false,
          jsonOptions: { registry: createRegistry(AcceptanceSchema) },
        }),
    },
    {
      name: `Connect with binary on HTTP/${httpVersion}`,
      make: (baseUrl, interceptors) => createConnectTransport({ baseUrl, httpVersion, interceptors, useBinaryFormat: true }),
    },
    { name: `gRPC-Web on HTTP/${httpVersion}`, make: (baseUrl, interceptors) => createGrpcWebTransport({ baseUrl, httpVersion, interceptors }) },
  ]),
  { name: "gRPC (the fast path)", make: (baseUrl, interceptors) => createGrpcTransport({ baseUrl, interceptors }) },
];

describe.each(variants)("$name", ({ make }) => {
  const headers: Interceptor = (next) => (request) => {
    request.header.set("client-name", "a-client");
    request.header.set("key-bin", "AP9/gA==");
    return next(request);
  };
  const client = () => createClient(WorkflowServiceDesc, make(`http://127.0.0.1:${server.port}`, [headers]));

  it("calls and answers, metadata, peer and deadline included", async () => {
    const reply = await client().getSystemInfo({}, { timeoutMs: 60_000 });
    expect([reply.serverVersion, reply.capabilities?.signalAndQueryHeader]).toEqual(["1.2.3", true]);
    expect(seen?.metadata("client-name")).toBe("a-client");
    expect(Buffer.from(seen?.metadata("key-bin") ?? "", "latin1").toString("hex")).toBe("00ff7f80");
    expect(seen?.metadata("absent")).toBeUndefined();
    expect(peer).toMatch(/^127\.0\.0\.1:\d+$/);
    const left = (seen?.deadlineMs ?? 0) - server.runtime.now / 1000;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
    expect((await client().startWorkflowExecution({ workflowId: "ünï" })).runId).toBe("run of ünï");
  });

  it("carries a history whose events never were decoded", async () => {
    const { history } = await client().getWorkflowExecutionHistory({});
    expect(history?.events[0]?.eventId).toBe(2n ** 40n);
    expect(history?.events[0]?.attributes).toMatchObject({ case: "timerFiredEventAttributes", value: { timerId: "t", startedEventId: 5n } });
  });

  it("carries messages of any type both ways", async () => {
    const body = anyPack(AcceptanceSchema, create(AcceptanceSchema, { acceptedRequestSequencingEventId: 7n }));
    const { workflowTask } = await client().respondWorkflowTaskCompleted({ messages: [{ id: "m", body }] });
    expect(workflowTask?.messages).toMatchObject([{ id: "m", body: { typeUrl: body.typeUrl, value: body.value } }]);
  });

  it("carries errors with Temporal's typed details", async () => {
    const e = ConnectError.from(
      await client()
        .startWorkflowExecution({ requestId: "again" })
        .catch((x: unknown) => x),
    );
    expect([e.code, e.rawMessage]).toEqual([ConnectCode.AlreadyExists, "Workflow execution is already running."]);
    expect(e.findDetails(WorkflowExecutionAlreadyStartedFailureSchema)).toMatchObject([{ startRequestId: "request", runId: "run" }]);
  });

  it("masks bugs and tells what is not served", async () => {
    const bug = ConnectError.from(
      await client()
        .listNamespaces({})
        .catch((x: unknown) => x),
    );
    expect([bug.code, bug.rawMessage]).toEqual([ConnectCode.Internal, "internal error"]);
    const absent = ConnectError.from(
      await client()
        .getClusterInfo({})
        .catch((x: unknown) => x),
    );
    expect(absent.code).toBe(ConnectCode.Unimplemented);
  });

  it("refuses messages beyond the limit", async () => {
    const e = ConnectError.from(
      await client()
        .startWorkflowExecution({ workflowId: "x".repeat(100_001) })
        .catch((x: unknown) => x),
    );
    expect(e.code).toBe(ConnectCode.ResourceExhausted);
  });

  it("withdraws the poll of a caller that goes", async () => {
    const leaving = new AbortController();
    const poll = client()
      .pollWorkflowTaskQueue({}, { signal: leaving.signal })
      .catch((x: unknown) => ConnectError.from(x).code);
    const call = await held.opened;
    const cancelled = new Gate();
    call.onCancel(cancelled.open);
    leaving.abort();
    expect(await poll).toBe(ConnectCode.Canceled);
    await cancelled.opened;
    expect(call.cancelled).toBe(true);
    expect((await client().getSystemInfo({})).serverVersion).toBe("1.2.3");
  });
});

describe("curl", () => {
  const url = (name: string): string => `http://127.0.0.1:${server.port}/temporal.api.workflowservice.v1.WorkflowService/${name}`;
  const post = (name: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    fetch(url(name), { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

  it("posts JSON and reads JSON", async () => {
    const answer = await post("StartWorkflowExecution", '{"namespace":"default","workflowId":"w","workflow_type":{"name":"n"}}');
    expect([answer.status, answer.headers.get("content-type"), await answer.json()]).toEqual([
      200,
      "application/json",
      { runId: "run of w", started: true },
    ]);
  });

  it("reads errors as Connect writes them", async () => {
    const answer = await post("DescribeNamespace", '{"namespace":"nope"}');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({
      code: "not_found",
      message: "Namespace nope is not found.",
      details: [
        { type: "temporal.api.errordetails.v1.NamespaceNotFoundFailure", value: Buffer.from("\n\x04nope").toString("base64").replace(/=+$/, "") },
      ],
    });
  });

  it("gets the right status for every bad request", async () => {
    const bomb = gzipSync(Buffer.from(`{"workflowId":"${"x".repeat(10_000_000)}"}`));
    const statuses = await Promise.all([
      post("StartWorkflowExecution", "{"),
      post("StartWorkflowExecution", '{"workflowId":7}'),
      post("StartWorkflowExecution", "{}", { "content-type": "text/plain" }),
      post("StartWorkflowExecution", bomb, { "content-encoding": "gzip" }),
      post("StartWorkflowExecution", Buffer.from("no gzip"), { "content-encoding": "gzip" }),
      post("StartWorkflowExecution", "{}", { "content-encoding": "snappy" }),
      post("StartWorkflowExecution", Buffer.from([0x0a, 0x7f]), { "content-type": "application/proto" }),
      post("Nope", "{}"),
      fetch(url("GetSystemInfo")),
      fetch(`http://127.0.0.1:${server.port}/`),
      post("GetSystemInfo", "{}"),
    ]);
    expect(statuses.map((s) => s.status)).toEqual([400, 400, 415, 429, 400, 501, 400, 404, 405, 404, 200]);
    expect(await Promise.all(statuses.slice(0, 2).map(async (s) => ((await s.json()) as { code: string }).code))).toEqual([
      "invalid_argument",
      "invalid_argument",
    ]);
  });

  it("has its call ended by its own deadline, whatever the handler does", async () => {
    const answer = await post("PollWorkflowTaskQueue", "{}", { "connect-timeout-ms": "50", "connect-protocol-version": "1" });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([504, "deadline_exceeded"]);
    expect((await held.opened).cancelled).toBe(true);
  });
});

describe("a Connect body that cannot be read", () => {
  it.each([
    ["application/proto", Buffer.from([0x0a, 0xff])],
    ["application/json", Buffer.from("{")],
    ["application/json", Buffer.from('{"pageSize":"x"}')],
  ])("is the caller's fault: %s", async (type, body) => {
    const url = `http://127.0.0.1:${server.port}/${WorkflowServiceDesc.typeName}/ListNamespaces`;
    const answer = await fetch(url, { method: "POST", headers: { "content-type": type }, body });
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: "invalid_argument" }]);
  });

  it("is told from a bug", async () => {
    const url = `http://127.0.0.1:${server.port}/${WorkflowServiceDesc.typeName}/ListNamespaces`;
    const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/proto" } });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([500, "internal"]);
  });
});
