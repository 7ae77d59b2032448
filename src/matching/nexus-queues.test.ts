import { beforeEach, describe, expect, it } from "vitest";
import { RateLimitSource } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { PollNexusTaskQueueRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import { decodeTaskToken } from "../api/task-token.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { type RoutingRequest, setCurrent, setRamping } from "../core/versioning/deployment.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { BuildIds } from "./build-ids.js";
import { Deployments } from "./deployments.js";
import { NexusQueues } from "./nexus-queues.js";
import { VersionRouter } from "./version-router.js";

const NAMESPACE: NamespaceView = { id: "ns-id", name: "default", key: 1, retention: 1, state: 1, searchAttributes: new Map() };
const CALL = { deadlineMs: undefined, cancelled: false, onCancel: () => () => undefined } as unknown as Call;

let runtime: FakeRuntime;
let queues: NexusQueues;
let rate: number | undefined;
const ratesOf = () => ({ system: 4_000, api: rate, worker: undefined });
beforeEach(() => {
  runtime = new FakeRuntime();
  rate = undefined;
  queues = new NexusQueues({ runtime, longPollExpirationMs: () => 60_000, pollerHistoryMsMax: () => 300_000, ratesOf });
});

const poll = (workerInstanceKey = "") =>
  queues.pollNexusTask(NAMESPACE, PollNexusTaskQueueRequest.create({ taskQueue: { name: "q" }, identity: "me", workerInstanceKey }), CALL);
const dispatch = (seconds = 10) =>
  queues.dispatchNexusTask({ namespace: NAMESPACE, taskQueue: "q", request: {}, deadline: runtime.now + seconds * 1_000_000 });
const idOf = (token: Uint8Array | undefined) => decodeTaskToken(token ?? new Uint8Array(0))?.nexusTaskId ?? "";

describe("the end of a worker", () => {
  it("ends its polls at once and takes no more of them, and leaves those of others alone", async () => {
    const its = poll("gone");
    const others = poll("stays");
    queues.shutdownWorker("another namespace", "stays");
    queues.shutdownWorker("ns-id", "gone");
    expect(await its).toEqual({});
    expect(await poll("gone")).toEqual({});
    const outcome = dispatch();
    const { taskToken: token } = await others;
    queues.respondCompleted(idOf(token), { response: undefined } as never);
    expect(await outcome).toEqual({ kind: "response", response: undefined });
  });
});

describe("a task", () => {
  it("waits for a poller until its time is over, and then for none", async () => {
    const outcome = dispatch(5);
    await runtime.advance(5_000);
    expect(await outcome).toEqual({ kind: "timeout" });
    const waiting = poll();
    await runtime.advance(60_000);
    expect(await waiting).toEqual({});
  });

  it("is waited for as long as the setting says, and not until the caller's deadline", async () => {
    const ended: string[] = [];
    const request = PollNexusTaskQueueRequest.create({ taskQueue: { name: "q" }, identity: "me" });
    const until = { ...CALL, deadlineMs: runtime.now / 1_000 + 10_000 } as unknown as Call;
    void queues.pollNexusTask(NAMESPACE, request, CALL).then(() => ended.push("of the setting"));
    void queues.pollNexusTask(NAMESPACE, request, until).then(() => ended.push("of the deadline"));
    await runtime.advance(8_999);
    expect(ended).toEqual([]);
    await runtime.advance(1);
    expect(ended).toEqual(["of the deadline"]);
    await runtime.advance(50_999);
    expect(ended).toEqual(["of the deadline"]);
    await runtime.advance(1);
    expect(ended).toEqual(["of the deadline", "of the setting"]);
  });

  it("tells its worker how long its caller waits", async () => {
    const outcome = dispatch(9);
    await runtime.advance(2_000);
    const { request } = await poll();
    expect(request?.header).toEqual({ "request-timeout": "7s", "Request-Timeout": "7s" });
    await runtime.advance(7_000);
    expect(await outcome).toEqual({ kind: "timeout" });
  });

  it("tells its worker what is left for the operation", async () => {
    const request = { header: { "operation-timeout": "30000ms", own: "1" } };
    const deadlines = { deadline: runtime.now + 9_000_000, operationDeadline: runtime.now + 30_000_000 };
    void queues.dispatchNexusTask({ namespace: NAMESPACE, taskQueue: "q", request, ...deadlines });
    await runtime.advance(500);
    expect((await poll()).request?.header).toMatchObject({ "operation-timeout": "29500ms", own: "1" });
  });

  it("is answered once", async () => {
    const outcome = dispatch();
    const { taskToken: token } = await poll();
    queues.respondCompleted(idOf(token), { response: undefined } as never);
    await outcome;
    expect(() => queues.respondCompleted(idOf(token), {} as never)).toThrow("Nexus task not found or already expired");
  });
});

it("is limited as any task queue is, as long as nobody sets less", () => {
  expect(queues.effectiveRateOf(NAMESPACE, "q")).toEqual({ requestsPerSecond: 4_000, rateLimitSource: RateLimitSource.SYSTEM });
  rate = 5_000;
  expect(queues.effectiveRateOf(NAMESPACE, "q").requestsPerSecond).toBe(4_000);
  rate = 5;
  expect(queues.effectiveRateOf(NAMESPACE, "q")).toEqual({ requestsPerSecond: 5, rateLimitSource: RateLimitSource.API });
});

describe("a queue with a rate", () => {
  it("lets tasks go as fast as the rate says, and at once when it is taken away", async () => {
    rate = 0.1;
    let taken = 0;
    for (let i = 0; i < 4; i++) void poll().then(({ taskToken }) => (taken += taskToken === undefined ? 0 : 1));
    for (let i = 0; i < 4; i++) void dispatch(50);
    await runtime.advance(9_000);
    expect(taken).toBe(1);
    await runtime.advance(2_000);
    expect(taken).toBe(2);
    rate = undefined;
    queues.rateChanged("ns-id", "q");
    await runtime.advance(1);
    expect(taken).toBe(4);
  });

  it("of nothing keeps all of them until it is changed", async () => {
    rate = 0;
    const waiting = poll();
    void dispatch(50);
    await runtime.advance(20_000);
    rate = 1;
    queues.rateChanged("ns-id", "q");
    expect((await waiting).taskToken).toBeDefined();
  });
});

describe("worker versions", () => {
  const limits = { deploymentsMax: 10, versionsInDeploymentMax: 10, taskQueuesInDeploymentVersionMax: 10, versionsInTaskQueueMax: 10 };
  const facts = { hasPollers: () => true, isInUse: () => false };
  let deployments: Deployments;
  beforeEach(() => {
    const common = { rows: [], commit: () => Promise.resolve(), now: () => runtime.nowMicros() };
    deployments = new Deployments({ ...common, limits: () => limits });
    const buildIds = new BuildIds({ ...common, limits: () => ({}) as never });
    queues = new NexusQueues({
      runtime,
      longPollExpirationMs: () => 60_000,
      pollerHistoryMsMax: () => 300_000,
      ratesOf,
      versions: new VersionRouter(deployments, buildIds),
      facts: () => facts,
    });
  });
  const ask = (buildId: string): RoutingRequest => ({
    ...{ version: `d.${buildId}`, identity: "me", conflictToken: new Uint8Array(0) },
    ...{ ignoreMissingTaskQueues: true, allowNoPollers: true },
  });
  const change = (f: (d: never, now: number) => { record: unknown }) =>
    deployments.change("ns-id", "d", (d, now) => f(d as never, now).record as never);
  const pollOf = (buildId: string) =>
    queues.pollNexusTask(
      NAMESPACE,
      PollNexusTaskQueueRequest.create({
        taskQueue: { name: "q" },
        deploymentOptions: { deploymentName: "d", buildId, workerVersioningMode: 2 },
      }),
      CALL,
    );

  it("share the tasks as the ramp says", async () => {
    const taken = { current: 0, ramping: 0 };
    for (let i = 0; i < 400; i++) {
      void pollOf("1").then(({ taskToken }) => (taken.current += taskToken === undefined ? 0 : 1));
      void pollOf("2").then(({ taskToken }) => (taken.ramping += taskToken === undefined ? 0 : 1));
    }
    await runtime.advance(0);
    await change((d, now) => setCurrent(d, ask("1"), limits, facts, now));
    await runtime.advance(1);
    await change((d, now) => setRamping(d, { ...ask("2"), percentage: 25 }, limits, facts, now));
    for (let i = 0; i < 400; i++) void dispatch();
    await runtime.advance(0);
    expect(taken.current + taken.ramping).toBe(400);
    expect(taken.ramping).toBeGreaterThan(60);
    expect(taken.ramping).toBeLessThan(140);
  });

  it("take a task that has waited for another version as soon as it is theirs", async () => {
    const outdated = pollOf("1");
    const next = pollOf("2");
    await runtime.advance(0);
    await change((d, now) => setCurrent(d, ask("3"), limits, facts, now));
    const outcome = dispatch();
    await runtime.advance(5_000);
    await change((d, now) => setCurrent(d, ask("2"), limits, facts, now));
    const { taskToken } = await next;
    queues.respondCompleted(idOf(taskToken), { response: undefined } as never);
    expect((await outcome).kind).toBe("response");
    await runtime.advance(60_000);
    expect(await outdated).toEqual({});
  });
});
