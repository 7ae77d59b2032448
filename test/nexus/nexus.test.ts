/** What no script of the official server shows: operations and callbacks over a crash of the server, circuit breakers, what is left behind. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { CallbackState, PendingNexusOperationState as State } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { PollNexusTaskQueueResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode } from "../../src/api/wire.js";
import { Kind } from "../../src/core/workflow/mutable-state.js";
import type { HttpAnswer } from "../../src/nexus/http/client.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { CoreSubject } from "../conformance/core-subject.js";
import { command as c, payloads, Session } from "../conformance/session.js";
import { ServerOnFile } from "../harness/server-on-file.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const schedule = (endpoint: string) => ({
  commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
  attributes: { case: "scheduleNexusOperationCommandAttributes", value: { endpoint, service: "svc", operation: "op" } } as never,
});
const workerEndpoint = (name: string, taskQueue: string) => ({
  spec: { name, target: { variant: { case: "worker" as const, value: { namespace: "default", taskQueue } } } },
});
const externalEndpoint = (name: string, url: string) => ({ spec: { name, target: { variant: { case: "external" as const, value: { url } } } } });

const describeRun = (s: Session, workflowId = s.id) => s.call("DescribeWorkflowExecution", { execution: { workflowId } });
const operations = async (s: Session) => (await describeRun(s)).pendingNexusOperations.sort((a, b) => a.scheduledEventId - b.scheduledEventId);
const types = async (s: Session) => {
  const { history } = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: s.id } });
  return decode(History, history ?? new Uint8Array()).events.map((e) => EventType[e.eventType]);
};
const poll = (s: Session, name: string) => s.call("PollNexusTaskQueue", { taskQueue: { name }, identity: "handler" }, 20_000);
const respond = (s: Session, { taskToken }: PollNexusTaskQueueResponse, variant: object) =>
  s.call("RespondNexusTaskCompleted", {
    taskToken,
    identity: "handler",
    response: { variant: { case: "startOperation", value: { variant: variant as never } } },
  });
const callbackOf = ({ request }: PollNexusTaskQueueResponse) => {
  const v = request?.variant;
  if (v?.case !== "startOperation") throw new Error("not a start");
  return { variant: { case: "nexus" as const, value: { url: v.value.callback, header: v.value.callbackHeader } } };
};
const startWithCallbacks = (s: Session, workflowId: string, completionCallbacks: object[]) =>
  s.call("StartWorkflowExecution", {
    workflowId,
    workflowType: { name: "H" },
    taskQueue: { name: `${s.queue}-w` },
    requestId: workflowId,
    completionCallbacks: completionCallbacks as never,
  });

/** A handler elsewhere, which answers what the test says. */
async function listen(answer: () => { status: number; body?: string }): Promise<{ url: string; paths: string[] }> {
  const paths: string[] = [];
  const web: Server = createServer((request, response) => {
    paths.push(request.url ?? "");
    request.resume();
    const { status, body } = answer();
    response.writeHead(status, { "content-type": "application/json" });
    response.end(body);
  });
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  closing.push(() => {
    web.closeAllConnections();
    web.close();
  });
  return { url: `http://127.0.0.1:${(web.address() as AddressInfo).port}`, paths };
}

const answer = (status: number, statusText: string, body = ""): HttpAnswer => ({
  status,
  statusText,
  header: { "content-type": "application/json" },
  body: Buffer.from(body),
});

/** Within ten minutes of the simulated clock. */
async function within(s: Session, what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let second = 0; second < 600; second++) {
    if (await isSo()) return;
    await s.sleep(1_000);
  }
  throw new Error(`never: ${what}`);
}

describe("a server that is killed", () => {
  it("keeps its endpoints, and goes on with operations that wait, back off or run, and with callbacks", async () => {
    let isUp = false;
    const web = await listen(() => (isUp ? { status: 200, body: '"there"' } : { status: 503, body: '{"message":"down"}' }));
    const server = new ServerOnFile();
    const before = await server.start();
    const [running, waiting, external] = ["a", "b", "c"].map((x) => `${x}-${before.id}`) as [string, string, string];
    const { endpoint } = await before.call("CreateNexusEndpoint", workerEndpoint(running, "running"));
    await before.call("CreateNexusEndpoint", workerEndpoint(waiting, "waiting"));
    await before.call("CreateNexusEndpoint", externalEndpoint(external, `${web.url}/nexus`));
    await before.running([schedule(running), schedule(waiting), schedule(external)]);
    const task = await poll(before, "running");
    await startWithCallbacks(before, "handler", [callbackOf(task)]);
    await respond(before, task, { case: "asyncSuccess", value: { operationToken: "token" } });
    await startWithCallbacks(before, "told", [{ variant: { case: "nexus", value: { url: `${web.url}/told` } } }]);
    await before.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "told" } });
    await before.until("each is where it should be", async () => {
      const states = (await operations(before)).map((o) => o.state);
      const told = (await describeRun(before, "told")).callbacks.map((x) => x.state);
      return `${states}` === `${[State.STARTED, State.SCHEDULED, State.BACKING_OFF]}` && `${told}` === `${[CallbackState.BACKING_OFF]}`;
    });
    await server.stop("SIGKILL");

    isUp = true;
    const s = Object.assign(await server.start(), { id: before.id, queue: before.queue });
    expect((await s.call("GetNexusEndpoint", { id: endpoint?.id })).endpoint).toEqual(endpoint);
    await respond(s, await poll(s, "waiting"), { case: "syncSuccess", value: { payload: payloads("late").subarray(2) } });
    const handler = await s.workflowTask(`${s.queue}-w`);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: handler.taskToken, commands: [c.complete(payloads("served"))] });
    await s.until("all operations have ended", async () => (await operations(s)).length === 0);
    expect((await types(s)).filter((t) => t?.startsWith("NEXUS_OPERATION_COMPLETED"))).toHaveLength(3);
    for (const id of ["handler", "told"])
      await s.until("callbacks are delivered", async () => (await describeRun(s, id)).callbacks[0]?.state === CallbackState.SUCCEEDED);
    expect(web.paths).toContain("/told");
  });
});

describe("a destination that is down", () => {
  async function open() {
    const world = { isUp: false, calls: [] as string[] };
    const store = new MemoryStore();
    const core = await CoreSubject.open(store, 1, {
      http: async (url) => {
        world.calls.push(url);
        return world.isUp ? answer(200, "200 OK", '"out"') : answer(503, "503 Service Unavailable");
      },
    });
    closing.push(() => core.close());
    const s = new Session(core);
    await s.call("CreateNexusEndpoint", externalEndpoint("away", "http://away/nexus"));
    return { s, world, store };
  }

  it("is left alone by operations, which are shown as blocked, until one attempt has gone well", async () => {
    const { s, world } = await open();
    await s.running([schedule("away")]);
    await within(s, "the breaker is open", async () => (await operations(s))[0]?.state === State.BLOCKED);
    expect((await operations(s))[0]).toMatchObject({ blockedReason: "The circuit breaker is open." });
    const made = world.calls.length;
    await s.sleep(20_000);
    expect(world.calls.length).toBe(made);
    world.isUp = true;
    await within(s, "the operation has ended", async () => (await operations(s)).length === 0);
    expect(world.calls.length).toBe(made + 1);
    await s.answer([schedule("away")]);
    await s.until("the next one goes at once", async () => (await types(s)).filter((t) => t === "NEXUS_OPERATION_COMPLETED").length === 2);
  });

  it("is left alone by callbacks, which are shown as blocked", async () => {
    const { s, world } = await open();
    await startWithCallbacks(s, "w", [{ variant: { case: "nexus", value: { url: "http://away/told" } } }]);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "w" } });
    const callback = async () => (await describeRun(s, "w")).callbacks[0];
    await within(s, "the breaker is open", async () => (await callback())?.state === CallbackState.BLOCKED);
    expect(await callback()).toMatchObject({ blockedReason: "The circuit breaker is open." });
    world.isUp = true;
    await within(s, "it is delivered", async () => (await callback())?.state === CallbackState.SUCCEEDED);
    expect(new Set(world.calls)).toEqual(new Set(["http://away/told"]));
  });

  it("is not asked any more for a workflow that is deleted, of which nothing is left", async () => {
    const { s, world, store } = await open();
    await s.running([schedule("away")]);
    await startWithCallbacks(s, "w", [{ variant: { case: "nexus", value: { url: "http://away/told" } } }]);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "w" } });
    await within(s, "calls have failed", async () => world.calls.length > 2);
    for (const workflowId of [s.id, "w"]) await s.call("DeleteWorkflowExecution", { workflowExecution: { workflowId } });
    for (const workflowId of [s.id, "w"])
      await s.until("it is deleted", () =>
        describeRun(s, workflowId).then(
          () => false,
          () => true,
        ),
      );
    await s.sleep(120_000);
    const made = world.calls.length;
    await s.sleep(4_000_000);
    expect(world.calls.length).toBe(made);
    expect(await store.listComponents(0, Kind.OUTBOUND, undefined, 10)).toEqual([]);
  });
});

describe("a namespace that is deleted", () => {
  it("is not while an endpoint leads to it", async () => {
    const core = await CoreSubject.open();
    closing.push(() => core.close());
    const s = new Session(core);
    await s.call("RegisterNamespace", { namespace: "target", workflowExecutionRetentionPeriod: { seconds: 86_400, nanos: 0 } });
    const target = { variant: { case: "worker" as const, value: { namespace: "target", taskQueue: "q" } } };
    const { endpoint } = await s.call("CreateNexusEndpoint", { spec: { name: "leads-there", target } });
    await expect(s.call("DeleteNamespace", { namespace: "target" })).rejects.toThrow(
      "cannot delete a namespace that is a target of a Nexus endpoint leads-there",
    );
    await s.call("DeleteNexusEndpoint", { id: endpoint?.id ?? "", version: 1 });
    await s.call("DeleteNamespace", { namespace: "target" });
  });

  it("leaves no calls that were to be made for it", async () => {
    const store = new MemoryStore();
    const core = await CoreSubject.open(store, 1, { http: async () => answer(503, "503 Service Unavailable") });
    closing.push(() => core.close());
    const s = new Session(core);
    await s.call("RegisterNamespace", { namespace: "gone", workflowExecutionRetentionPeriod: { seconds: 86_400, nanos: 0 } });
    await s.call("CreateNexusEndpoint", externalEndpoint("away", "http://away/nexus"));
    for (let n = 0; n < 12; n++)
      await s.call("StartNexusOperationExecution", { namespace: "gone", operationId: `op-${n}`, endpoint: "away", service: "svc", operation: "op" });
    const calls = () => store.listComponents(0, Kind.OUTBOUND, undefined, 100);
    await within(s, "the breaker holds calls back", async () => (await calls()).length > 0);
    await s.call("DeleteNamespace", { namespace: "gone" });
    // Less than the time for which the breaker stays open: nobody tries these calls again to find that they concern nothing.
    await s.sleep(20_000);
    expect(await calls()).toEqual([]);
  });
});

describe("a standalone operation", () => {
  it("goes on after a crash of the server, and its callback finds it", { timeout: 60_000 }, async () => {
    const server = new ServerOnFile();
    const first = await server.start();
    await first.call("CreateNexusEndpoint", workerEndpoint("desk", "desk"));
    const of = { operationId: "op" };
    await first.call("StartNexusOperationExecution", { ...of, endpoint: "desk", service: "svc", operation: "op", requestId: "r" });
    const task = await poll(first, "desk");
    await startWithCallbacks(first, "handler", [callbackOf(task)]);
    await respond(first, task, { case: "asyncSuccess", value: { operationToken: "token" } });
    await first.call("PollNexusOperationExecution", { ...of, waitStage: 1 });
    await server.stop("SIGKILL");

    const s = await server.start();
    expect(await s.call("StartNexusOperationExecution", { ...of, endpoint: "desk", service: "svc", operation: "op", requestId: "r" })).toMatchObject({
      started: false,
    });
    expect((await s.call("DescribeNexusOperationExecution", of)).info).toMatchObject({ state: State.STARTED, operationToken: "token" });
    const waiting = s.call("PollNexusOperationExecution", of, 20_000);
    const t = await s.workflowTask(`${first.queue}-w`);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete(payloads("out"))] });
    expect(await waiting).toMatchObject({ waitStage: 2, outcome: { case: "result" } });
    expect((await s.call("ListNexusOperationExecutions", { query: 'ExecutionStatus = "Completed"' })).operations).toMatchObject([
      { operationId: "op" },
    ]);
  });
});
