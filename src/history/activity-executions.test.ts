/** Standalone activities in the shell: what they cost the store, what a new process finds, and who hears of a change. */
import { describe, expect, it } from "vitest";
import { StartActivityExecutionRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code } from "../api/service-error.js";
import type { Init } from "../api/wire.js";
import { Archetype } from "../core/execution.js";
import type { ExecutionAddress, InputOf } from "../core/input.js";
import type { ActivityOutcome, DispatchTask, StartedActivity } from "../core/transition.js";
import { FakeEngine, NAMESPACE, POLLER, type Watched, watch } from "./fake-engine.js";

const activityAt = (id: string, runId = ""): ExecutionAddress => ({
  namespaceId: NAMESPACE.id,
  workflowId: id,
  runId,
  archetype: Archetype.ACTIVITY,
});

function start(f: FakeEngine, id: string, extra: Init<StartActivityExecutionRequest> = {}): Watched<{ runId: string; started: boolean }> {
  const request = StartActivityExecutionRequest.create({
    activityId: id,
    requestId: `start-${id}`,
    activityType: { name: "A" },
    taskQueue: { name: "q" },
    startToCloseTimeout: { seconds: 10 },
    retryPolicy: { initialInterval: { seconds: 1 }, backoffCoefficient: 1, maximumAttempts: 2 },
    idReusePolicy: 1,
    idConflictPolicy: 1,
    ...extra,
  });
  return watch(f.engine.submit(activityAt(id), { kind: "startActivityExecution", request }));
}

const stored = (f: FakeEngine): DispatchTask => f.dispatcher.stored.at(-1) as DispatchTask;
const startOf = ({ attempt, stamp }: DispatchTask): InputOf<"startActivity"> => ({
  kind: "startActivity",
  scheduledEventId: 0,
  attempt,
  stamp,
  poller: POLLER,
  metadata: undefined,
});
const complete: InputOf<"completeActivity"> = {
  kind: "completeActivity",
  activity: { by: "id", activityId: "a" },
  result: undefined,
  identity: "worker",
};

async function outcome(f: FakeEngine, id: string): Promise<ActivityOutcome> {
  const reply = watch(f.engine.submit(activityAt(id), { kind: "activityOutcome" }));
  await f.settle();
  if (reply.error !== undefined) throw reply.error;
  return reply.value as ActivityOutcome;
}

async function begun(): Promise<FakeEngine> {
  const f = new FakeEngine();
  await f.engine.start([]);
  return f;
}

describe("a standalone activity in the shell", () => {
  it("costs a commit for each of its three steps", async () => {
    const f = await begun();
    start(f, "a");
    await f.settle();
    expect(f.engine.counters.commits).toBe(1);
    const started = watch(f.engine.submit(activityAt("a"), startOf(stored(f))));
    await f.settle();
    expect((started.value as StartedActivity).response).toMatchObject({ activityId: "a", attempt: 1 });
    expect(f.engine.counters.commits).toBe(2);
    watch(f.engine.submit(activityAt("a"), complete));
    await f.settle();
    expect(f.engine.counters.commits).toBe(3);
    expect((await outcome(f, "a")).isOpen).toBe(false);
    expect(f.engine.counters.commits).toBe(3);
  });

  it("has ids of its own beside those of workflows and schedules", async () => {
    const f = await begun();
    start(f, "a");
    await f.settle();
    for (const address of [{ ...activityAt("a"), archetype: Archetype.WORKFLOW }, activityAt("b")]) {
      const reply = watch(f.engine.submit(address, address.archetype === Archetype.WORKFLOW ? { kind: "describe" } : { kind: "activityOutcome" }));
      await f.settle();
      expect(reply.error).toMatchObject({ code: Code.NOT_FOUND });
    }
  });

  it("is found by a new process: its timers run, its attempt is taken, its worker may answer", async () => {
    const f = await begun();
    start(f, "a");
    await f.settle();
    const first = stored(f);
    watch(f.engine.submit(activityAt("a"), startOf(first)));
    await f.settle();
    await f.restart();
    // The worker was lost with the first process: its time is up, then the wait before the next attempt.
    await f.runtime.advance(11_500);
    await f.settle();
    const second = stored(f);
    expect(second).toMatchObject({ archetype: Archetype.ACTIVITY, attempt: 2, workflowId: "a", runId: first.runId });
    const stale = watch(f.engine.submit(activityAt("a"), startOf(first)));
    await f.settle();
    expect(stale.error).toMatchObject({ code: Code.NOT_FOUND });
    watch(f.engine.submit(activityAt("a"), startOf(second)));
    watch(f.engine.submit(activityAt("a"), complete));
    await f.settle();
    expect(await outcome(f, "a")).toMatchObject({ isOpen: false, runId: first.runId });
  });

  it("wakes who waits for its end at its end, and who waits for a change at each", async () => {
    const f = await begun();
    start(f, "a");
    await f.settle();
    const { key, changes } = await outcome(f, "a");
    const end = watch(f.engine.waitForChange(key, Number.MAX_SAFE_INTEGER, 60_000, () => () => undefined).changed.then(() => true));
    const change = watch(f.engine.waitForChange(key, changes, 60_000, () => () => undefined).changed.then(() => true));
    watch(f.engine.submit(activityAt("a"), startOf(stored(f))));
    await f.settle();
    expect([change.value, end.value]).toEqual([true, undefined]);
    watch(f.engine.submit(activityAt("a"), complete));
    await f.settle();
    expect(end.value).toBe(true);
  });

  it("leaves no row behind when its retention is over", async () => {
    const f = await begun();
    start(f, "a");
    await f.settle();
    watch(f.engine.submit(activityAt("a"), complete));
    await f.settle();
    await f.runtime.advance(NAMESPACE.retention / 1000 + 1_000);
    await f.settle();
    const reply = watch(f.engine.submit(activityAt("a"), { kind: "activityOutcome" }));
    await f.settle();
    expect(reply.error).toMatchObject({ code: Code.NOT_FOUND });
    expect(await f.store.readDue(0, Number.MAX_SAFE_INTEGER, undefined, 10)).toEqual([]);
  });

  it("is kept for its retention in real time, however far the clock of its namespace is moved", async () => {
    const f = await begun();
    const { clocks } = f.engine;
    watch(clocks.lock(NAMESPACE));
    await f.settle();
    start(f, "a");
    await f.settle();
    watch(f.engine.submit(activityAt("a"), complete));
    await f.settle();
    watch(clocks.unlock(NAMESPACE));
    const slept = watch(clocks.sleep(NAMESPACE, 2 * NAMESPACE.retention, () => () => undefined, { unlocked: true }).then(() => true));
    for (let i = 0; i < 10 && slept.value === undefined; i++) await f.runtime.advance(1);
    expect(slept.value).toBe(true);
    expect((await outcome(f, "a")).isOpen).toBe(false);
    await f.runtime.advance(NAMESPACE.retention / 1000 + 1_000);
    await f.settle();
    const reply = watch(f.engine.submit(activityAt("a"), { kind: "activityOutcome" }));
    await f.settle();
    expect(reply.error).toMatchObject({ code: Code.NOT_FOUND });
  });

  it("is offered again when the poller that was to have it has gone", async () => {
    const f = await begun();
    start(f, "a");
    await f.settle();
    const task = stored(f);
    watch(f.engine.submit(activityAt("a"), startOf(task), { isGone: () => true }));
    await f.settle();
    expect(f.dispatcher.stored.length).toBe(2);
    expect(stored(f)).toMatchObject({ attempt: 1, workflowId: "a" });
  });
});
