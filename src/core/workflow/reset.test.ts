import { beforeEach, describe, expect, it } from "vitest";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { ResetReapplyExcludeType as Exclude, ResetReapplyType } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import { WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { ResetWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";

let world: CoreWorld;
let requests = 0;
beforeEach(() => {
  world = new CoreWorld();
});

const reset = (eventId: number, more: Parameters<typeof ResetWorkflowExecutionRequest.create>[0] = {}, runId = "", workflowId = "w"): string => {
  const request = ResetWorkflowExecutionRequest.create({
    workflowTaskFinishEventId: eventId,
    requestId: `reset-${++requests}`,
    reason: "again",
    ...more,
  });
  return world.submit<"reset">(world.address(workflowId, runId), { kind: "reset", request })?.runId ?? "";
};
const signalsOf = (runId: string) =>
  world.history("w", runId).flatMap((e) => (e.attributes.case === "workflowExecutionSignaledEventAttributes" ? [e.attributes.value.signalName] : []));
const expectReplay = () => {
  for (const runs of world.states.values())
    for (const state of runs.values()) {
      const [stored, replayed] = world.projections(state);
      expect(replayed).toEqual(stored);
    }
};

describe("a reset", () => {
  it("ends the run and begins another one with a failed task that names both", () => {
    const first = world.running([c.timer("t", 60)]);
    const second = reset(4);
    expect(world.types("w", first).slice(-1)).toEqual(["WORKFLOW_EXECUTION_TERMINATED"]);
    expect(world.last("workflowExecutionTerminatedEventAttributes", "w", first)).toMatchObject({ reason: "again", identity: "history-resetter" });
    expect(world.types("w", second)).toEqual([
      "WORKFLOW_EXECUTION_STARTED",
      "WORKFLOW_TASK_SCHEDULED",
      "WORKFLOW_TASK_STARTED",
      "WORKFLOW_TASK_FAILED",
      "WORKFLOW_TASK_SCHEDULED",
    ]);
    expect(world.last("workflowTaskFailedEventAttributes")).toMatchObject({
      cause: WorkflowTaskFailedCause.RESET_WORKFLOW,
      baseRunId: first,
      newRunId: second,
      failure: { message: "again", failureInfo: { case: "resetWorkflowFailureInfo" } },
    });
    expect(world.states.get("w")?.get(first)?.info).toMatchObject({ resetRunId: second, endedByReset: true });
    expect(world.run("w").timers.base.size).toBe(0);
    expectReplay();
  });

  it("shares the events before the fork instead of copying them", () => {
    const first = world.running([c.marker("m")]);
    world.signal("s");
    world.answer([c.marker("n")]);
    const [base] = [world.states.get("w")?.get(first)?.info];
    const second = reset(9);
    expect(world.run("w").info.segments).toMatchObject([{ branch: base?.branch, endEventId: 9 }]);
    world.answer([c.marker("o")]);
    const third = reset(12, {}, second);
    expect(world.run("w").info.segments).toMatchObject([
      { branch: base?.branch, endEventId: 9 },
      { branch: world.states.get("w")?.get(second)?.info.branch, endEventId: 12 },
    ]);
    // Back before the first fork: nothing of the second run is left.
    reset(4, {}, third);
    expect(world.run("w").info.segments).toMatchObject([{ branch: base?.branch, endEventId: 4 }]);
    expect(world.run("w").info.reset?.baseRunIds).toEqual([third, second, first]);
    expectReplay();
  });

  it("by the same request is the same reset", () => {
    world.running();
    const once = reset(4, { requestId: "r" });
    expect(reset(4, { requestId: "r" })).toBe(once);
    expect(world.runs()).toHaveLength(2);
    expect(reset(4, { requestId: "other" })).not.toBe(once);
  });

  it("of a closed run leaves the run as it ended", () => {
    const first = world.running();
    world.signal("s");
    world.answer([c.complete("done")]);
    const second = reset(4);
    expect(world.states.get("w")?.get(first)?.info).toMatchObject({ status: Status.COMPLETED, resetRunId: second, endedByReset: false });
    expect(signalsOf(second)).toEqual(["s"]);
    world.answer([c.complete("again")]);
    expect(world.run("w").info.status).toBe(Status.COMPLETED);
  });

  it("of an older run ends the current one and takes signals from every run between", () => {
    const first = world.running();
    world.signal("one");
    world.answer([c.continueAsNew()]);
    world.advance(2 * c.MICROS);
    world.signal("two");
    world.answer([c.continueAsNew()]);
    world.advance(2 * c.MICROS);
    const current = world.run("w").info.runId;
    world.signal("three");
    const fourth = reset(4, {}, first);
    expect(world.states.get("w")?.get(current)?.info.status).toBe(Status.TERMINATED);
    expect(signalsOf(fourth)).toEqual(["one", "two", "three"]);
    expectReplay();
  });

  it("of a run that something else has followed takes no signals from that", () => {
    const first = world.running();
    world.signal("go");
    world.answer([c.complete()]);
    world.start("w");
    world.signal("to the other");
    expect(signalsOf(reset(4, {}, first))).toEqual(["go"]);
  });

  it("takes along what waited for the task that was running", () => {
    const first = world.running();
    world.signal("wakes");
    world.task();
    world.signal("waits");
    const second = reset(4);
    expect(signalsOf(first)).toEqual(["wakes", "waits"]);
    expect(signalsOf(second)).toEqual(["wakes", "waits"]);
  });

  it("leaves out what is excluded", () => {
    world.running();
    world.signal("s");
    expect(signalsOf(reset(4, { resetReapplyExcludeTypes: [Exclude.UPDATE, Exclude.NEXUS] }))).toEqual(["s"]);
    expect(signalsOf(reset(4, { resetReapplyExcludeTypes: [Exclude.SIGNAL] }))).toEqual([]);
    world.signal("t");
    expect(signalsOf(reset(4, { resetReapplyType: ResetReapplyType.SIGNAL }))).toEqual(["t"]);
    expect(signalsOf(reset(4, { resetReapplyType: ResetReapplyType.NONE }))).toEqual([]);
  });

  it("knows the requests of the signals that it has taken along", () => {
    world.running();
    world.signal("s", "w", { requestId: "once" });
    const second = reset(4);
    world.signal("s", "w", { requestId: "once" });
    expect(signalsOf(second)).toEqual(["s"]);
  });

  it("offers pending activities again, as first attempts that the old worker cannot answer", () => {
    world.running([c.activity("a", { scheduleToCloseTimeout: c.seconds(100) })]);
    const old = world.activityTask();
    world.signal("go");
    world.task();
    world.advance(5 * c.MICROS);
    reset(8);
    const token = tokenOf(old);
    expect(() =>
      world.submit(world.address("w", token.runId), {
        kind: "completeActivity",
        activity: { by: "token", token },
        result: undefined,
        identity: "",
      }),
    ).toThrow("workflow execution already completed");
    const again = world.activityTask();
    expect(again.response).toMatchObject({ activityId: "a", attempt: 1 });
    expect([...world.run("w").activities.base.values()][0]).toMatchObject({ scheduleToCloseDeadline: world.now + 100 * c.MICROS });
    expectReplay();
  });

  it("lets pending timers fire at their time, or at once when that is over", () => {
    world.running([c.timer("soon", 5), c.timer("late", 50)]);
    world.signal("go");
    world.answer([]);
    world.advance(10 * c.MICROS);
    reset(9);
    world.advance(1);
    expect(world.types().filter((t) => t === "TIMER_FIRED")).toHaveLength(1);
    world.advance(45 * c.MICROS);
    expect(world.types().filter((t) => t === "TIMER_FIRED")).toHaveLength(2);
  });

  it("counts the run's time from the reset", () => {
    world.running([], { workflowRunTimeout: c.seconds(10) });
    world.advance(9 * c.MICROS);
    reset(4);
    const { info } = world.run("w");
    expect([info.startTime, info.runDeadline]).toEqual([world.now, world.now + 10 * c.MICROS]);
    world.advance(9 * c.MICROS);
    expect(world.run("w").isOpen).toBe(true);
    expectReplay();
    world.advance(2 * c.MICROS);
    expect(world.run("w").info.status).toBe(Status.TIMED_OUT);
  });

  it("keeps its child, whose end reaches the new run", () => {
    world.running([c.child("k")]);
    world.answer();
    const second = reset(9);
    expect(world.run("k").isOpen).toBe(true);
    world.answer([c.complete("of the child")], {}, "k");
    world.settle();
    expect(world.last("childWorkflowExecutionCompletedEventAttributes", "w", second)).toMatchObject({ initiatedEventId: 5, startedEventId: 6 });
    expectReplay();
  });

  it("finds the child whose start its run did not live to record", () => {
    world.start();
    const task = world.task();
    world.complete(task, [c.child("k")], { forceCreateNewWorkflowTask: true });
    const pending = world.task();
    expect(pending).toBeDefined();
    // The child has begun; its parent is reset before it hears of that.
    const second = reset(8, { resetReapplyExcludeTypes: [Exclude.SIGNAL, Exclude.UPDATE, Exclude.NEXUS, Exclude.CANCEL_REQUEST] });
    world.settle();
    expect(world.runs("k")).toHaveLength(1);
    expect(world.types("w", second)).toContain("CHILD_WORKFLOW_EXECUTION_STARTED");
    world.answer([c.complete()], {}, "k");
    world.settle();
    expect(world.types("w", second)).toContain("CHILD_WORKFLOW_EXECUTION_COMPLETED");
  });

  it("of an older run applies the close policy of the current run's children", () => {
    const first = world.running();
    world.signal("go");
    world.answer([c.continueAsNew()]);
    world.advance(2 * c.MICROS);
    world.answer([c.child("k")]);
    world.settle();
    expect(world.run("k").isOpen).toBe(true);
    reset(4, {}, first);
    world.settle();
    expect(world.run("k").info.status).toBe(Status.TERMINATED);
  });

  it("asks others again for what it had asked of them", () => {
    world.running([], {}, "target");
    world.start();
    world.complete(world.task(), [c.signalExternal("target")], { forceCreateNewWorkflowTask: true });
    world.task();
    reset(8);
    world.settle();
    expect(world.types().filter((t) => t === "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")).toHaveLength(1);
  });

  it("answers queries that waited for the run that it ends", () => {
    world.running();
    world.signal("s");
    world.submit<"query">(world.address("w"), { kind: "query", request: { query: { queryType: "q" } } as never, waiter: 7 });
    reset(4);
    expect(world.answers.get(7)).toMatchObject({ kind: "direct" });
  });

  it("makes its way into lists", () => {
    const first = world.running();
    const second = reset(4);
    expect(world.visibilityRows.findLast((r) => r.runId === first)?.status).toBe(Status.TERMINATED);
    expect(world.visibilityRows.findLast((r) => r.runId === second)).toMatchObject({ status: Status.RUNNING, startTime: world.now });
  });

  it("goes on from a workflow task whose attempts had failed", () => {
    world.start();
    world.failTask(world.task());
    world.answer([c.marker("m")]);
    reset(7);
    expect(world.types().filter((t) => t === "WORKFLOW_TASK_FAILED")).toHaveLength(2);
    expect(world.task().response.attempt).toBe(1);
    expectReplay();
  });

  it.each([
    [0, "Workflow task finish ID must be > 1 && <= workflow last event ID."],
    [1, "Workflow task finish ID must be > 1 && <= workflow last event ID."],
    [99, "Workflow task finish ID must be > 1 && <= workflow last event ID."],
    [2, "StateRebuilder unable to Rebuild mutable state to event ID: 1, version: 0, this event must be at the boundary"],
    [6, "StateRebuilder unable to Rebuild mutable state to event ID: 5, version: 0, this event must be at the boundary"],
    [7, "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: 7"],
  ])("to event %i is refused and changes nothing", (eventId, text) => {
    world.running([c.timer("one", 50), c.timer("two", 50)]);
    world.advance(1);
    world.signal("s");
    const before = world.snapshot();
    expect(() => reset(eventId)).toThrow(text);
    expect(world.snapshot()).toEqual(before);
  });

  it("is refused while children are pending when the namespace does not allow it", () => {
    world.limit({ resetWithPendingChildren: false });
    world.running([c.child("k")]);
    world.answer();
    expect(() => reset(9)).toThrow("WorkflowResetter encountered pending child workflows.");
    expect(reset(4)).not.toBe("");
  });

  it("keeps reset points, named after the new run", () => {
    world.start();
    world.answer([], { binaryChecksum: "one" });
    world.signal("s");
    world.answer([], { binaryChecksum: "two" });
    const second = reset(8);
    expect(world.run("w").info.autoResetPoints?.points).toMatchObject([{ binaryChecksum: "one", runId: second, firstWorkflowTaskCompletedId: 4 }]);
  });

  it("is of event types that histories know", () => {
    world.running();
    reset(4);
    expect(world.history("w").map((e) => e.eventId)).toEqual(world.history("w").map((_, i) => i + 1));
    expect(world.history("w").every((e) => e.eventType !== EventType.UNSPECIFIED)).toBe(true);
  });
});
