import { describe, expect, it } from "vitest";
import type { NamespaceView } from "../core/namespace-view.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import type { NexusTask } from "./contract.js";
import { OperationService } from "./operation-service.js";

const target = { namespace: { id: "ns-id" } as NamespaceView, taskQueue: "q", endpoint: "e" };
const SECOND = 1_000_000;

/** The task that a cancel request with those headers and that time becomes. */
async function taskOf(header: Record<string, string>, timeout: number | undefined): Promise<{ task: NexusTask; now: number }> {
  const runtime = new FakeRuntime();
  let task: NexusTask | undefined;
  const service = new OperationService({
    runtime,
    payloadBytesMax: () => 1_000,
    dispatcher: {
      dispatchNexusTask: (t) => {
        task = t;
        return Promise.resolve({ kind: "response", response: undefined });
      },
    },
  });
  await service.cancel(target, { service: "s", operation: "o", token: "t", header, timeout, readsFailures: true });
  return { task: task as NexusTask, now: runtime.nowMicros() };
}

describe("a task of an operation", () => {
  it("ends a second before its caller's time, a minute at the most", async () => {
    const short = await taskOf({}, 10 * SECOND);
    expect(short.task.deadline - short.now).toBe(9 * SECOND);
    const open = await taskOf({}, undefined);
    expect(open.task.deadline - open.now).toBe(59 * SECOND);
  });

  it("knows when the operation has to be over, where its caller says so", async () => {
    const { task, now } = await taskOf({ "operation-timeout": "1500ms" }, 10 * SECOND);
    expect((task.operationDeadline ?? 0) - now).toBe(1.5 * SECOND);
    expect((await taskOf({}, 10 * SECOND)).task.operationDeadline).toBeUndefined();
    expect((await taskOf({ "operation-timeout": "soon" }, 10 * SECOND)).task.operationDeadline).toBeUndefined();
  });
});
