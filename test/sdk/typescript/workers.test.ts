/** Workers of the official TypeScript SDK that come and go, with the same code or another, while their workflows stay. */
import { temporal } from "@temporalio/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ACTIVITY_COMPLETED,
  ACTIVITY_STARTED,
  COMPLETED,
  type Event,
  eventually,
  nameOf,
  SCHEDULED,
  SIGNALED,
  STARTED,
  type Suite,
  startSuite,
} from "./suite.js";

const { TaskQueueKind, WorkflowTaskFailedCause } = temporal.api.enums.v1;
const AFTER = "code-after.ts";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("code-before.ts", false);
});
afterAll(async () => s?.end());

const ONE = [SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED];
const of = (events: readonly Event[], name: string) => events.filter((e) => nameOf(e) === name);
/** Queues of its own, so that no test's workers meet another's workflows. */
const queue = (name: string) => ({ taskQueue: s.id(name) });

/** A worker that fails a task again does not say so: the server waits for the timeout, which must not catch the first failure. */
const SOON = { workflowTaskTimeout: "3s" };

describe("a worker is replaced", () => {
  it("by one that goes on from the history", async () => {
    const on = queue("moves-on");
    const first = await s.worker({ ...on, identity: "first" });
    const h = await s.start("movesOn", [], on);
    await eventually(async () => (await s.events(h.workflowId)).includes(ACTIVITY_COMPLETED)).toBe(true);
    await eventually(async () => nameOf((await s.history(h.workflowId)).at(-1) as Event)).toBe("WORKFLOW_TASK_COMPLETED");
    await first.stop();
    const second = await s.worker({ ...on, identity: "second" });
    await h.signal("go");
    expect(await h.result()).toBe("first, second");
    await second.stop();
    const events = await s.history(h.workflowId);
    const by = of(events, "WORKFLOW_TASK_COMPLETED").map((e) => e.workflowTaskCompletedEventAttributes?.identity);
    expect(new Set(by)).toEqual(new Set(["first", "second"]));
    expect(by.slice(0, 2)).toEqual(["first", "first"]);
    expect(await s.events(h.workflowId)).toEqual([STARTED, ...ONE, SIGNALED, ...ONE, COMPLETED]);
  });

  it("by one whose code has the mistake repaired", async () => {
    const on = queue("repaired");
    const broken = await s.worker(on);
    const h = await s.start("repaired", [], { ...on, ...SOON });
    await eventually(async () => (await s.history(h.workflowId)).map(nameOf)).toContain("WORKFLOW_TASK_FAILED");
    const failed = of(await s.history(h.workflowId), "WORKFLOW_TASK_FAILED")[0]?.workflowTaskFailedEventAttributes;
    expect(failed).toMatchObject({
      cause: WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
      failure: { message: "a mistake in the code" },
    });
    await eventually(async () => (await h.describe()).raw.pendingWorkflowTask?.attempt ?? 0).toBeGreaterThan(1);
    await broken.stop();
    const mended = await s.worker({ ...on, workflows: AFTER });
    expect(await h.result()).toBe("before and after");
    await mended.stop();
    expect(await s.events(h.workflowId)).toEqual([STARTED, ...ONE, COMPLETED]);
  });

  it("by one that knows the workflow's type", async () => {
    const on = queue("newcomer");
    const unaware = await s.worker(on);
    const h = await s.start("newcomer", [], { ...on, ...SOON });
    await eventually(async () => (await s.history(h.workflowId)).map(nameOf)).toContain("WORKFLOW_TASK_FAILED");
    expect(of(await s.history(h.workflowId), "WORKFLOW_TASK_FAILED")[0]?.workflowTaskFailedEventAttributes?.failure?.message).toContain("newcomer");
    await unaware.stop();
    const aware = await s.worker({ ...on, workflows: AFTER });
    expect(await h.result()).toBe("here now");
    await aware.stop();
    expect(await s.events(h.workflowId)).toEqual([STARTED, COMPLETED]);
  });

  it("by one with patched code: who began the old way ends the old way", async () => {
    const on = queue("evolves");
    const old = await s.worker(on);
    const begunBefore = await s.start("evolves", [], on);
    await eventually(async () => nameOf((await s.history(begunBefore.workflowId)).at(-1) as Event)).toBe("WORKFLOW_TASK_COMPLETED");
    await old.stop();
    const patched = await s.worker({ ...on, workflows: AFTER });
    const begunAfter = await s.start("evolves", [], on);
    for (const h of [begunBefore, begunAfter]) await h.signal("go");
    expect(await begunBefore.result()).toBe("old way");
    expect(await begunAfter.result()).toBe("new way");
    await patched.stop();
    expect(await s.events(begunBefore.workflowId)).toEqual([STARTED, SIGNALED, ...ONE, COMPLETED]);
    const types = await s.events(begunAfter.workflowId);
    expect(types.filter((t) => t !== SIGNALED)).toEqual([STARTED, "MARKER_RECORDED", "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", ...ONE, COMPLETED]);
    await eventually(async () => (await s.client.workflow.count(`TemporalChangeVersion = 'new-way' AND TaskQueue = '${on.taskQueue}'`)).count).toBe(
      1,
    );
  });

  it("by one whose code does not fit the history, which is told so and does no harm", async () => {
    const on = queue("changes");
    const first = await s.worker(on);
    const h = await s.start("changesItsMind", [], { ...on, ...SOON });
    await eventually(async () => (await s.events(h.workflowId)).includes(ACTIVITY_COMPLETED)).toBe(true);
    await eventually(async () => nameOf((await s.history(h.workflowId)).at(-1) as Event)).toBe("WORKFLOW_TASK_COMPLETED");
    await first.stop();
    const wrong = await s.worker({ ...on, workflows: AFTER });
    await h.signal("go");
    await eventually(async () => (await s.history(h.workflowId)).map(nameOf)).toContain("WORKFLOW_TASK_FAILED");
    expect(of(await s.history(h.workflowId), "WORKFLOW_TASK_FAILED")[0]?.workflowTaskFailedEventAttributes?.cause).toBe(
      WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
    );
    await wrong.stop();
    const right = await s.worker(on);
    expect(await h.result()).toBe("as it was");
    await right.stop();
    expect(await s.events(h.workflowId)).toEqual([STARTED, ...ONE, SIGNALED, COMPLETED]);
  });
});

describe("where workflow tasks go", () => {
  const kinds = async (workflowId: string) =>
    of(await s.history(workflowId), "WORKFLOW_TASK_SCHEDULED").map((e) => e.workflowTaskScheduledEventAttributes?.taskQueue?.kind);

  it("to the worker that has the workflow in its cache", async () => {
    const on = queue("sticky");
    const worker = await s.worker(on);
    const h = await s.start("movesOn", [], on);
    await h.signal("go");
    expect(await h.result()).toBe("first, second");
    await worker.stop();
    const [first, ...later] = await kinds(h.workflowId);
    expect(first).toBe(TaskQueueKind.TASK_QUEUE_KIND_NORMAL);
    expect(new Set(later)).toEqual(new Set([TaskQueueKind.TASK_QUEUE_KIND_STICKY]));
    const types = await s.events(h.workflowId);
    expect(types.filter((t) => t !== SIGNALED)).toEqual([STARTED, ...ONE, ...ONE, COMPLETED]);
  });

  it("to any worker where none has a cache", async () => {
    const on = queue("uncached");
    const worker = await s.worker({ ...on, maxCachedWorkflows: 0 });
    const h = await s.start("movesOn", [], on);
    await h.signal("go");
    expect(await h.result()).toBe("first, second");
    expect(new Set(await kinds(h.workflowId))).toEqual(new Set([TaskQueueKind.TASK_QUEUE_KIND_NORMAL]));
    await worker.stop();
    expect((await s.events(h.workflowId)).filter((t) => t === ACTIVITY_COMPLETED)).toHaveLength(2);
  });

  it("not to who runs activities only", async () => {
    const on = queue("apart");
    const workflows = await s.worker({ ...on, activities: {}, identity: "workflows" });
    const activities = await s.worker({ ...on, workflows: null, identity: "activities" });
    const h = await s.start("movesOn", [], on);
    await h.signal("go");
    expect(await h.result()).toBe("first, second");
    await Promise.all([workflows.stop(), activities.stop()]);
    const events = await s.history(h.workflowId);
    expect(new Set(of(events, ACTIVITY_STARTED).map((e) => e.activityTaskStartedEventAttributes?.identity))).toEqual(new Set(["activities"]));
    expect(new Set(of(events, "WORKFLOW_TASK_STARTED").map((e) => e.workflowTaskStartedEventAttributes?.identity))).toEqual(new Set(["workflows"]));
  });

  it("to nobody, until somebody comes", async () => {
    const on = queue("late");
    const all = await Promise.all(Array.from({ length: 20 }, () => s.start("movesOn", [], on)));
    await Promise.all(all.map((h) => h.signal("go")));
    const worker = await s.worker(on);
    expect(new Set(await Promise.all(all.map((h) => h.result())))).toEqual(new Set(["first, second"]));
    await worker.stop();
    for (const h of all) expect(await s.events(h.workflowId)).toEqual([STARTED, SIGNALED, ...ONE, ...ONE, COMPLETED]);
  });
});
