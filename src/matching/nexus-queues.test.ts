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
beforeEach(() => {
  runtime = new FakeRuntime();
  queues = new NexusQueues({ runtime, longPollExpirationMs: () => 60_000 });
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
    queues.shutdownWorker("gone");
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
