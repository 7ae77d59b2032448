/** sdk-dotnet 578: Nexus operations of workflows, and operations that stand alone, on a clock that skips. */
import { describe, expect, it } from "vitest";
import type { PollNexusTaskQueueResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { commands as c } from "./commands.js";
import { openWorld } from "./open-world.js";
import { DAY, EventType, HOUR, has, SECOND, timeOf, type Workflow, type World } from "./world.js";

async function open(): Promise<World> {
  const w = await openWorld();
  const target = { variant: { case: "worker", value: { namespace: "default", taskQueue: "handlers" } } };
  await w.call("CreateNexusEndpoint", { spec: { name: "endpoint", target: target as never } });
  return w;
}

type Answer = object | "retry";
/** Answers Nexus tasks until the world ends. */
function handler(w: World, answer: (task: PollNexusTaskQueueResponse, attempt: number) => Promise<Answer>): void {
  let attempt = 0;
  void w.polling(async () => {
    const task = await w.call("PollNexusTaskQueue", { taskQueue: { name: "handlers" }, identity: "handler" }, { timeoutMs: 60_000 });
    const { taskToken } = task;
    if (taskToken.length === 0) return;
    const variant = await answer(task, ++attempt);
    if (variant === "retry") {
      const failureInfo = { case: "nexusHandlerFailureInfo", value: { type: "UNAVAILABLE" } };
      await w.call("RespondNexusTaskFailed", { taskToken, failure: { message: "again", failureInfo: failureInfo as never } });
    } else
      await w.call("RespondNexusTaskCompleted", {
        taskToken,
        response: { variant: { case: "startOperation", value: { variant: variant as never } } },
      });
  });
}

const done = { case: "syncSuccess", value: {} };
/** Calls the operation beside a timer of days, and ends with the operation. */
const caller: Workflow = (events) => {
  if (has(events, EventType.NEXUS_OPERATION_COMPLETED)) return [c.complete()];
  return has(events, EventType.NEXUS_OPERATION_SCHEDULED) ? [] : [c.nexusOperation("endpoint", 20 * DAY), c.timer("t", 30 * DAY)];
};

describe("sdk-dotnet 578: a Nexus operation of a workflow", () => {
  it("keeps time from skipping while its handler is at work", async () => {
    const w = await open();
    w.worker(caller);
    handler(w, async () => {
      await w.subject.sleep(7000);
      return done;
    });
    await w.start("w");
    await w.result("w");
    expect(w.skips).toEqual([]);
    expect(w.waited).toBeGreaterThanOrEqual(7 * SECOND);
    expect(w.waited).toBeLessThan(9 * SECOND);
  });

  it("is tried again in skipped time", async () => {
    const w = await open();
    w.worker(caller);
    handler(w, (_task, attempt) => Promise.resolve(attempt < 4 ? "retry" : done));
    await w.start("w");
    await w.result("w");
    expect(w.skips).toHaveLength(3);
    expect(w.waited).toBeLessThan(SECOND);
    const events = await w.history("w");
    expect(timeOf(events.at(-1)) - timeOf(events[0])).toBeGreaterThan(3 * SECOND);
  });

  it("that a workflow serves is done when that has slept for days", async () => {
    const w = await open();
    w.worker(caller);
    w.worker((events) => {
      if (has(events, EventType.TIMER_FIRED)) return [c.complete()];
      return has(events, EventType.TIMER_STARTED) ? [] : [c.timer("t", 5 * DAY)];
    }, "served");
    handler(w, async (task) => {
      const v = task.request?.variant;
      if (v?.case !== "startOperation") throw new Error("not a start");
      const header = { ...v.value.callbackHeader, "Nexus-Operation-Token": "token" };
      const completionCallbacks = [{ variant: { case: "nexus", value: { url: v.value.callback, header } } }] as never;
      await w.start("served", { taskQueue: { name: "served" }, completionCallbacks });
      return { case: "asyncSuccess", value: { operationToken: "token" } };
    });
    await w.start("w");
    await w.result("w");
    expect(w.waited).toBeLessThan(2 * SECOND);
    const events = await w.history("w");
    const passed = timeOf(events.at(-1)) - timeOf(events[0]);
    expect(passed).toBeGreaterThanOrEqual(5 * DAY);
    expect(passed).toBeLessThan(5 * DAY + HOUR);
  });

  it("that nobody serves times out in skipped time once nobody is at work on it", async () => {
    const w = await open();
    w.worker((events) => (has(events, EventType.NEXUS_OPERATION_TIMED_OUT) ? [c.complete()] : caller(events, [])));
    handler(w, () => Promise.resolve({ case: "asyncSuccess", value: { operationToken: "token" } }));
    await w.start("w");
    await w.result("w");
    const events = await w.history("w");
    expect(Math.round((timeOf(events.at(-1)) - timeOf(events[0])) / DAY)).toBe(20);
    expect(w.waited).toBeLessThan(2 * SECOND);
  });
});

describe("sdk-dotnet 578: a Nexus operation that stands alone", () => {
  async function ended(w: World): Promise<number> {
    const before = await w.time();
    await w.call("StartNexusOperationExecution", {
      operationId: "op",
      endpoint: "endpoint",
      service: "service",
      operation: "operation",
      requestId: "start",
      scheduleToCloseTimeout: { seconds: (20 * DAY) / SECOND, nanos: 0 },
    });
    await w.call("UnlockTimeSkipping", {});
    await w.call("PollNexusOperationExecution", { operationId: "op" }, { timeoutMs: 60_000 });
    await w.call("LockTimeSkipping", {});
    return (await w.time()) - before;
  }

  it("is tried again in skipped time", async () => {
    const w = await open();
    handler(w, (_task, attempt) => Promise.resolve(attempt < 4 ? "retry" : done));
    expect(await ended(w)).toBeGreaterThan(3 * SECOND);
    expect(w.skips).toHaveLength(3);
    expect(w.waited).toBeLessThan(SECOND);
  });

  it("keeps time from skipping while its handler is at work", async () => {
    const w = await open();
    handler(w, async () => {
      await w.subject.sleep(7000);
      return done;
    });
    expect(await ended(w)).toBeLessThan(9 * SECOND);
    expect(w.skips).toEqual([]);
  });

  it("that has started and is not heard of again times out in skipped time", async () => {
    const w = await open();
    handler(w, () => Promise.resolve({ case: "asyncSuccess", value: { operationToken: "token" } }));
    expect(Math.round((await ended(w)) / DAY)).toBe(20);
    expect(w.waited).toBeLessThan(2 * SECOND);
  });
});
