import { beforeEach, describe, expect, it } from "vitest";
import { PollNexusTaskQueueRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import { decodeTaskToken } from "../api/task-token.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { NexusQueues } from "./nexus-queues.js";

const NAMESPACE: NamespaceView = { id: "ns-id", name: "default", key: 1, retention: 1, state: 1, searchAttributes: new Map() };
const CALL = { deadlineMs: undefined, cancelled: false, onCancel: () => () => undefined } as unknown as Call;

let runtime: FakeRuntime;
let queues: NexusQueues;
let rate: number | undefined;
beforeEach(() => {
  runtime = new FakeRuntime();
  rate = undefined;
  queues = new NexusQueues({ runtime, longPollExpirationMs: () => 60_000, rateOf: () => rate });
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

  it("is answered once", async () => {
    const outcome = dispatch();
    const { taskToken: token } = await poll();
    queues.respondCompleted(idOf(token), { response: undefined } as never);
    await outcome;
    expect(() => queues.respondCompleted(idOf(token), {} as never)).toThrow("Nexus task not found or already expired");
  });
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
    await runtime.advance(0);
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
