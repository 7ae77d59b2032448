/** Reset over the shell: what it needs is loaded, what it writes outlives the process, what it shares goes with its last reader. */
import { describe, expect, it } from "vitest";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import {
  PauseWorkflowExecutionRequest,
  ResetWorkflowExecutionRequest,
  UnpauseWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { StartedWorkflowTask } from "../core/transition.js";
import { at, FakeEngine, watch } from "./fake-engine.js";
import { decodeFramed, frameOffsets } from "./history-reader.js";

let requests = 0;

async function reset(f: FakeEngine, eventId: number, runId = ""): Promise<string> {
  const request = ResetWorkflowExecutionRequest.create({ workflowTaskFinishEventId: eventId, requestId: `r${++requests}`, reason: "again" });
  const reply = watch(f.engine.submit(at("w", runId), { kind: "reset", request }));
  await f.settle();
  if (reply.value === undefined) throw reply.error ?? new Error("no answer");
  return reply.value.runId;
}

async function events(f: FakeEngine, runId: string, reverse = false) {
  const position = await settled(f, f.engine.submit(at("w", runId), { kind: "historyPosition" }));
  const out = [];
  let next: number | undefined = reverse ? 0 : 1;
  do {
    const page: Awaited<ReturnType<typeof f.engine.readHistory>> = await settled(
      f,
      f.engine.readHistory(position.range, { fromEventId: next, eventCountMax: 2, bytesMax: 1 << 20, reverse }),
    );
    const offsets = frameOffsets(page.data);
    out.push(...offsets.slice(0, -1).map((o, i) => decodeFramed(page.data.subarray(o, offsets[i + 1]))));
    next = page.nextEventId;
  } while (next !== undefined);
  return out;
}
const names = async (f: FakeEngine, runId: string) => (await events(f, runId)).map((e) => EventType[e.eventType]);

async function settled<T>(f: FakeEngine, promise: Promise<T>): Promise<T> {
  await f.settle();
  return promise;
}

async function remove(f: FakeEngine, runId: string): Promise<void> {
  await settled(f, f.engine.submit(at("w", runId), { kind: "delete" }));
  await f.runtime.advance(1_000);
}

const runOf = async (f: FakeEngine) => (await settled(f, f.engine.submit(at("w"), { kind: "historyPosition" }))).runId;

/** A run that has answered its first task and got a signal. */
async function running(f: FakeEngine): Promise<string> {
  f.dispatcher.isPolled = true;
  const started = f.start("w");
  await f.settle();
  f.dispatcher.isPolled = false;
  f.complete(
    f.dispatcher.confirmed.at(-1) as StartedWorkflowTask,
    {
      commands: [
        {
          commandType: CommandType.SCHEDULE_ACTIVITY_TASK,
          attributes: {
            case: "scheduleActivityTaskCommandAttributes",
            value: { activityId: "a", activityType: { name: "A" }, taskQueue: { name: "q" }, startToCloseTimeout: { seconds: 10 } },
          },
        },
      ],
    } as never,
  );
  await f.settle();
  f.signal("w", "s");
  await f.settle();
  return started.value?.runId ?? "";
}

const RESET = [
  "WORKFLOW_EXECUTION_STARTED",
  "WORKFLOW_TASK_SCHEDULED",
  "WORKFLOW_TASK_STARTED",
  "WORKFLOW_TASK_FAILED",
  "WORKFLOW_EXECUTION_SIGNALED",
  "WORKFLOW_TASK_SCHEDULED",
];

describe("a reset", () => {
  it("loads what it needs when nothing is in memory", async () => {
    const f = new FakeEngine();
    const first = await running(f);
    await f.restart();
    const second = await reset(f, 4);
    expect(await names(f, second)).toEqual(RESET);
    expect((await names(f, first)).at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
  });

  it("of an older run ends the current one, which nobody has asked for since the process began", async () => {
    const f = new FakeEngine();
    const first = await running(f);
    const second = await reset(f, 4);
    await f.restart();
    const third = await reset(f, 4, first);
    expect((await names(f, second)).at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
    expect(await runOf(f)).toBe(third);
  });

  it("is not answered, and not there, before it is durable", async () => {
    const f = new FakeEngine();
    const first = await running(f);
    f.isHolding = true;
    const request = ResetWorkflowExecutionRequest.create({ workflowTaskFinishEventId: 4, requestId: "held" });
    const reply = watch(f.engine.submit(at("w"), { kind: "reset", request }));
    await f.settle();
    expect(reply.isSettled).toBe(false);
    f.isHolding = false;
    await f.restart();
    expect(await runOf(f)).toBe(first);
    expect(await names(f, first)).not.toContain("WORKFLOW_EXECUTION_TERMINATED");
  });

  it("by the same request after a restart is the same", async () => {
    const f = new FakeEngine();
    await running(f);
    const request = ResetWorkflowExecutionRequest.create({ workflowTaskFinishEventId: 4, requestId: "same" });
    const once = await settled(f, f.engine.submit(at("w"), { kind: "reset", request }));
    await f.restart();
    expect(await settled(f, f.engine.submit(at("w"), { kind: "reset", request }))).toEqual(once);
  });

  it("reads through both parts of the history, forwards and backwards, page by page", async () => {
    const f = new FakeEngine();
    await running(f);
    const second = await reset(f, 4);
    const third = await reset(f, 4, second);
    for (const runId of [second, third]) {
      const forward = (await events(f, runId)).map((e) => e.eventId);
      expect(forward).toEqual(Array.from({ length: runId === third ? 6 : 7 }, (_, i) => i + 1));
      expect((await events(f, runId, true)).map((e) => e.eventId)).toEqual(forward.reverse());
    }
    await f.restart();
    expect(await names(f, third)).toEqual(RESET);
  });

  it("keeps its shared events when the base run is deleted, and leaves nothing when all are", async () => {
    const f = new FakeEngine();
    const first = await running(f);
    const second = await reset(f, 4);
    await remove(f, first);
    expect(await names(f, second)).toEqual(RESET);
    const third = await reset(f, 4);
    await remove(f, second);
    expect(await names(f, third)).toEqual(RESET);
    await f.restart();
    expect(await names(f, third)).toEqual(RESET);
    await remove(f, third);
    const registry = await f.store.loadRegistry();
    expect(registry.map((r) => r.kind)).toEqual(["keys"]);
    for (const branch of [1, 2, 3, 4, 5, 6, 7, 8]) {
      expect(await f.store.readHistory(branch, 1, 100, false, 1 << 20)).toEqual([]);
      expect(await f.store.readForks(branch)).toEqual([]);
    }
    expect(f.store.executionKeys()).toEqual([]);
  });

  it("goes on deleting what it shared after a crash", async () => {
    const f = new FakeEngine();
    const first = await running(f);
    const second = await reset(f, 4);
    await remove(f, first);
    await settled(f, f.engine.submit(at("w", second), { kind: "delete" }));
    await f.restart();
    await f.runtime.advance(1_000);
    expect((await f.store.loadRegistry()).map((r) => r.kind)).toEqual(["keys"]);
    for (const branch of [1, 2, 3, 4, 5, 6]) expect(await f.store.readHistory(branch, 1, 100, false, 1 << 20)).toEqual([]);
  });
});

describe("a paused workflow", () => {
  it("is paused after a restart, and goes on", async () => {
    const f = new FakeEngine();
    await running(f);
    await settled(f, f.engine.submit(at("w"), { kind: "pauseWorkflow", request: PauseWorkflowExecutionRequest.create({ reason: "why" }) }));
    await f.restart();
    f.dispatcher.isPolled = true;
    f.signal("w", "while paused");
    await f.settle();
    expect(f.dispatcher.confirmed).toEqual([]);
    const described = f.describe("w");
    await f.settle();
    expect(described.value?.workflowExtendedInfo?.pauseInfo).toMatchObject({ reason: "why" });
    await settled(f, f.engine.submit(at("w"), { kind: "unpauseWorkflow", request: UnpauseWorkflowExecutionRequest.create({}) }));
    expect(f.dispatcher.confirmed.length).toBeGreaterThan(0);
  });
});
