/** Schedules in the shell: what they write, what a new process finds, and their workflows through transfer tasks. */
import { describe, expect, it } from "vitest";
import type { Schedule, SchedulePatch } from "../../gen/wire/temporal/api/schedule/v1/message.js";
import {
  CreateScheduleRequest,
  type DescribeScheduleResponse,
  PatchScheduleRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code } from "../api/service-error.js";
import type { Init } from "../api/wire.js";
import { Archetype } from "../core/execution.js";
import type { ExecutionAddress } from "../core/input.js";
import type { DispatchTask, ScheduleView, StartedWorkflowTask } from "../core/transition.js";
import { at, FakeEngine, NAMESPACE, POLLER, type Watched, watch } from "./fake-engine.js";

const HOUR_MS = 3_600_000;
const scheduleAt = (id: string): ExecutionAddress => ({ namespaceId: NAMESPACE.id, workflowId: id, runId: "", archetype: Archetype.SCHEDULE });
const hourly: Init<Schedule> = { spec: { interval: [{ interval: { seconds: 3600 } }] } };

function create(f: FakeEngine, id: string, schedule: Init<Schedule> = hourly, requestId = `create-${id}`, action: object = {}): Watched<unknown> {
  const request = CreateScheduleRequest.create({
    scheduleId: id,
    requestId,
    schedule: {
      ...schedule,
      spec: schedule.spec ?? {},
      action: {
        action: { case: "startWorkflow", value: { workflowId: `w-${id}`, workflowType: { name: "T" }, taskQueue: { name: "q" }, ...action } },
      },
    },
  } as Init<CreateScheduleRequest>);
  return watch(f.engine.submit(scheduleAt(id), { kind: "createSchedule", request }));
}

const patch = (f: FakeEngine, id: string, p: Init<SchedulePatch>, requestId = ""): Watched<unknown> =>
  watch(
    f.engine.submit(scheduleAt(id), {
      kind: "patchSchedule",
      request: PatchScheduleRequest.create({ scheduleId: id, requestId, patch: p } as Init<PatchScheduleRequest>),
    }),
  );

async function describeSchedule(f: FakeEngine, id: string): Promise<DescribeScheduleResponse> {
  const reply = watch(f.engine.submit(scheduleAt(id), { kind: "describeSchedule" }));
  await f.settle();
  if (reply.error !== undefined) throw reply.error;
  return (reply.value as ScheduleView).response as DescribeScheduleResponse;
}

async function begun(sameBatchTransfers = true): Promise<FakeEngine> {
  const f = new FakeEngine(sameBatchTransfers);
  await f.engine.start([]);
  return f;
}

/** Workflow ids of the tasks that the actions have put into the queue. */
const actions = (f: FakeEngine): string[] => f.dispatcher.stored.map((t) => t.workflowId);

const COMPLETE = { commandType: 4, attributes: { case: "completeWorkflowExecutionCommandAttributes", value: {} } };
const FAIL = { commandType: 5, attributes: { case: "failWorkflowExecutionCommandAttributes", value: { failure: { message: "no" } } } };
async function complete(f: FakeEngine, task: DispatchTask, command: object = COMPLETE): Promise<void> {
  const { scheduledEventId, attempt, stamp } = task;
  const started = watch(
    f.engine.submit(at(task.workflowId, task.runId), { kind: "startWorkflowTask", scheduledEventId, attempt, stamp, poller: POLLER }),
  );
  await f.settle();
  f.complete(started.value as StartedWorkflowTask, { commands: [command] as never });
  await f.settle();
}

/** Everything that the store holds, but the counter of keys. */
async function left(f: FakeEngine): Promise<unknown> {
  const registry = await f.store.loadRegistry();
  return {
    executions: f.store.executionKeys(),
    due: await f.store.readDue(0, Number.MAX_SAFE_INTEGER, undefined, 100),
    rows: await f.store.visibility.count({ namespaceKey: NAMESPACE.key, filter: undefined, orderBy: [] }),
    registry: registry.filter((r) => r.kind !== "keys"),
    transfers: await f.store.listComponents(0, 65, undefined, 100),
  };
}
const NOTHING = { executions: [], due: [], rows: 0, registry: [], transfers: [] };

describe("a schedule in the engine", () => {
  it("starts its workflow when the time has come, learns of its end, and goes on", async () => {
    const f = await begun();
    create(f, "s");
    await f.runtime.advance(HOUR_MS);
    expect(actions(f)).toHaveLength(1);
    expect((await describeSchedule(f, "s")).info).toMatchObject({ actionCount: 1, runningWorkflows: [{ workflowId: actions(f)[0] }] });
    await complete(f, f.dispatcher.stored[0] as DispatchTask);
    expect((await describeSchedule(f, "s")).info).toMatchObject({ runningWorkflows: [], recentActions: [{ startWorkflowStatus: 2 }] });
    await f.runtime.advance(HOUR_MS);
    expect(actions(f)).toHaveLength(2);
    expect(f.bugs).toEqual([]);
  });

  it("takes a workflow that is tried again for one action, which ends as the last attempt does", async () => {
    const f = await begun();
    const retryPolicy = { initialInterval: { seconds: 1 }, maximumAttempts: 2 };
    create(f, "s", { ...hourly, policies: { pauseOnFailure: true } }, "create", { retryPolicy });
    await f.runtime.advance(HOUR_MS);
    await complete(f, f.dispatcher.stored[0] as DispatchTask, FAIL);
    await f.runtime.advance(2_000);
    expect((await describeSchedule(f, "s")).info).toMatchObject({ actionCount: 1, runningWorkflows: [{ workflowId: actions(f)[0] }] });
    await complete(f, f.dispatcher.stored[1] as DispatchTask);
    const { info, schedule } = await describeSchedule(f, "s");
    expect(info).toMatchObject({ actionCount: 1, runningWorkflows: [], recentActions: [{ startWorkflowStatus: 2 }] });
    expect(schedule?.state?.paused).toBe(false);
  });

  it("has an id of its own beside a workflow of the same id", async () => {
    const f = await begun();
    const started = f.start("same");
    const created = create(f, "same");
    await f.settle();
    expect([started.error, created.error]).toEqual([undefined, undefined]);
    expect((await describeSchedule(f, "same")).info?.actionCount).toBe(0);
    const described = f.describe("same");
    await f.settle();
    expect(described.value?.workflowExecutionInfo?.type?.name).toBe("t");
    watch(f.engine.submit(scheduleAt("same"), { kind: "deleteSchedule" }));
    await f.settle();
    const again = f.describe("same");
    await f.settle();
    expect(again.error).toBeUndefined();
  });

  it("writes no row while it waits, a thousand of them neither", async () => {
    const f = await begun();
    for (let i = 0; i < 1_000; i++)
      create(f, `s${i}`, { spec: { interval: [{ interval: { seconds: 86_400 } }] }, ...(i % 2 === 0 ? { state: { paused: true } } : {}) });
    await f.settle();
    const { commits } = f.store.statistics();
    const reads: unknown[] = [];
    const load = f.store.loadExecution.bind(f.store);
    f.store.loadExecution = (key) => {
      reads.push(key);
      return load(key);
    };
    const toMidnight = 86_400_000 - ((f.runtime.now / 1000) % 86_400_000);
    await f.runtime.advance(toMidnight - 1_000);
    expect([f.store.statistics().commits - commits, reads.length]).toEqual([0, 0]);
    await f.runtime.advance(2_000);
    expect(actions(f)).toHaveLength(500);
  });

  it("leaves memory when its batch is durable, and a workflow does not", async () => {
    const f = await begun();
    f.start("w");
    for (let i = 0; i < 50; i++) create(f, `s${i}`);
    await f.settle();
    const { cache } = f.engine as unknown as { cache: { size: number } };
    expect(cache.size).toBe(1);
  });

  it("leaves nothing when it is deleted", async () => {
    const f = await begun();
    create(f, "s");
    await f.settle();
    expect(await left(f)).not.toEqual(NOTHING);
    const deleted = watch(f.engine.submit(scheduleAt("s"), { kind: "deleteSchedule" }));
    const again = create(f, "s", hourly, "another");
    await f.settle();
    expect([deleted.error, again.error]).toEqual([undefined, undefined]);
    watch(f.engine.submit(scheduleAt("s"), { kind: "deleteSchedule" }));
    await f.settle();
    expect(await left(f)).toEqual(NOTHING);
    expect((await describeSchedule(f, "s").catch((e: { code: Code }) => e.code)) as unknown).toBe(Code.NOT_FOUND);
  });

  it("that is created and deleted in one batch leaves nothing", async () => {
    const f = await begun();
    create(f, "s");
    watch(f.engine.submit(scheduleAt("s"), { kind: "deleteSchedule" }));
    await f.settle();
    expect(await left(f)).toEqual(NOTHING);
  });

  it("leaves nothing a week after its last action", async () => {
    const f = await begun();
    create(f, "s", { ...hourly, state: { limitedActions: true, remainingActions: 1 } });
    await f.runtime.advance(HOUR_MS);
    await complete(f, f.dispatcher.stored[0] as DispatchTask);
    await f.runtime.advance(9 * 24 * HOUR_MS);
    expect(await left(f)).toEqual(NOTHING);
  });
});

describe("a new process", () => {
  it("finds the schedule, its actions and what they left", async () => {
    const f = await begun();
    create(f, "s");
    await f.runtime.advance(HOUR_MS);
    const before = await describeSchedule(f, "s");
    const [task] = f.dispatcher.stored;
    await f.restart();
    expect(await describeSchedule(f, "s")).toEqual(before);
    await complete(f, task as DispatchTask);
    expect((await describeSchedule(f, "s")).info?.runningWorkflows).toEqual([]);
    await f.runtime.advance(HOUR_MS);
    expect((await describeSchedule(f, "s")).info?.actionCount).toBe(2);
  });

  it("catches up on what was due while none ran", async () => {
    const f = await begun();
    create(f, "s", { ...hourly, policies: { overlapPolicy: 6 } });
    await f.settle();
    f.runtime.now += 5 * HOUR_MS * 1000;
    await f.restart();
    await f.runtime.advance(1_000);
    expect(actions(f)).toHaveLength(5);
  });

  it("starts each action once, wherever the one before it died", async () => {
    for (let commits = 0; commits < 6; commits++) {
      const f = await begun();
      create(f, "s");
      await f.settle();
      f.isHolding = true;
      await f.runtime.advance(HOUR_MS);
      for (let i = 0; i < commits; i++) await f.letGo();
      f.isHolding = false;
      await f.restart();
      await f.runtime.advance(60_000);
      const { info } = await describeSchedule(f, "s");
      const namespaceKey = NAMESPACE.key;
      const runs = await f.store.listRuns(namespaceKey, info?.recentActions[0]?.startWorkflowResult?.workflowId ?? "", "", 10);
      expect([commits, info?.actionCount, runs.length, info?.bufferSize]).toEqual([commits, 1, 1, 0]);
    }
  });

  it("learns of an end that was not told of before", async () => {
    const f = await begun(false);
    create(f, "s");
    await f.runtime.advance(HOUR_MS);
    const [task] = f.dispatcher.stored as [DispatchTask];
    const { scheduledEventId, attempt, stamp } = task;
    const started = watch(
      f.engine.submit(at(task.workflowId, task.runId), { kind: "startWorkflowTask", scheduledEventId, attempt, stamp, poller: POLLER }),
    );
    await f.settle();
    f.isHolding = true;
    f.complete(started.value as StartedWorkflowTask, {
      commands: [{ commandType: 4, attributes: { case: "completeWorkflowExecutionCommandAttributes", value: {} } }] as never,
    });
    await f.settle();
    // The workflow's own batch is durable; the one that tells the schedule is not.
    await f.letGo();
    f.isHolding = false;
    await f.restart();
    await f.runtime.advance(10_000);
    expect((await describeSchedule(f, "s")).info?.runningWorkflows).toEqual([]);
  });
});

it("a refused batch of a schedule runs again, and its callers are answered", async () => {
  const f = await begun();
  create(f, "s", { spec: {} });
  await f.settle();
  let refusals = 1;
  f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
  const patched = patch(f, "s", { triggerImmediately: {} }, "once");
  await f.settle();
  expect(patched.error).toBeUndefined();
  expect((await describeSchedule(f, "s")).info?.actionCount).toBe(1);
});

it("a workflow of a schedule that is gone ends without it", async () => {
  const f = await begun();
  create(f, "s", { spec: {} });
  patch(f, "s", { triggerImmediately: {} });
  await f.settle();
  watch(f.engine.submit(scheduleAt("s"), { kind: "deleteSchedule" }));
  await f.settle();
  await complete(f, f.dispatcher.stored[0] as DispatchTask);
  await f.runtime.advance(10_000);
  expect(await f.store.listComponents(0, 65, undefined, 10)).toEqual([]);
});
