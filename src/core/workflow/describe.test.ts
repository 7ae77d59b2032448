import { beforeEach, describe, expect, it } from "vitest";
import {
  PendingActivityState,
  PendingWorkflowTaskState,
  WorkflowExecutionStatus as Status,
} from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, trailingEvents } from "../../../test/harness/core-world.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const description = (workflowId = "w", runId = "") => {
  const answer = world.submit<"describe">(world.address(workflowId, runId), { kind: "describe" });
  if (answer === undefined) throw new Error("not answered");
  return answer;
};
const position = () => world.submit<"historyPosition">(world.address("w"), { kind: "historyPosition" });
const at = (micros: number) => ({ seconds: Math.floor(micros / c.MICROS), nanos: (micros % c.MICROS) * 1000 });

describe("a description", () => {
  it("changes nothing", () => {
    world.running([c.timer("t", 1)]);
    const before = world.snapshot();
    const outcome = world.outcome(world.address("w"), { kind: "describe" });
    expect(outcome).toMatchObject({ outcome: "accepted", runs: [], dispatch: [], transfers: [] });
    expect(world.snapshot()).toEqual(before);
  });

  it("says what the start asked for", () => {
    const start = world.now;
    const { runId } = world.start("w", {
      workflowRunTimeout: c.seconds(60),
      workflowExecutionTimeout: c.seconds(120),
      memo: { fields: { m: c.payload(1) } },
      priority: { priorityKey: 2 },
      requestId: "r",
    });
    expect(description()).toMatchObject({
      executionConfig: { taskQueue: { name: c.QUEUE }, workflowRunTimeout: c.seconds(60), workflowExecutionTimeout: c.seconds(120) },
      workflowExecutionInfo: {
        execution: { workflowId: "w", runId },
        type: { name: "T" },
        status: Status.RUNNING,
        startTime: at(start),
        executionTime: at(start),
        closeTime: undefined,
        historyLength: 2,
        memo: { fields: { m: c.payload(1) } },
        firstRunId: runId,
        rootExecution: { workflowId: "w", runId },
        priority: { priorityKey: 2 },
      },
      workflowExtendedInfo: {
        runExpirationTime: at(start + 60 * c.MICROS),
        executionExpirationTime: at(start + 120 * c.MICROS),
        requestIdInfos: { r: { eventId: 1 } },
      },
    });
  });

  it("leaves out what the start did not ask for", () => {
    world.running([c.activity("a", { useWorkflowBuildId: true })]);
    const { workflowExecutionInfo, pendingActivities } = description();
    expect(workflowExecutionInfo?.priority).toBeUndefined();
    // Of builds by rules only.
    expect(pendingActivities).toHaveLength(1);
    expect(pendingActivities?.[0]).not.toHaveProperty("assignedBuildId");
  });

  it("says how it ended and how long it lived, without a start delay", () => {
    world.start("w", { workflowStartDelay: c.seconds(60) });
    world.advance(70 * c.MICROS);
    world.answer([c.complete()]);
    expect(description().workflowExecutionInfo).toMatchObject({
      status: Status.COMPLETED,
      closeTime: at(world.now),
      executionDuration: c.seconds(10),
      historyLength: 5,
    });
    expect(description().pendingWorkflowTask).toBeUndefined();
  });

  it("counts what changed it, not what looked at it", () => {
    world.start();
    const first = description().workflowExecutionInfo?.stateTransitionCount;
    description();
    expect(description().workflowExecutionInfo?.stateTransitionCount).toBe(first);
    world.signal("s");
    expect(description().workflowExecutionInfo?.stateTransitionCount).toBe((first ?? 0) + 1);
  });

  it("shows the workflow task", () => {
    const start = world.now;
    world.start();
    expect(description().pendingWorkflowTask).toMatchObject({ state: PendingWorkflowTaskState.SCHEDULED, scheduledTime: at(start), attempt: 1 });
    world.failTask(world.task());
    world.advance(c.MICROS);
    world.task();
    expect(description().pendingWorkflowTask).toMatchObject({
      state: PendingWorkflowTaskState.STARTED,
      startedTime: at(start + c.MICROS),
      attempt: 2,
    });
  });

  it("shows activities and children", () => {
    world.running([
      c.activity("a", { heartbeatTimeout: c.seconds(3), retryPolicy: { maximumAttempts: 5, nonRetryableErrorTypes: ["Fatal"] } }),
      c.child("k", { parentClosePolicy: 2 }),
    ]);
    const { pendingActivities, pendingChildren } = description();
    expect(pendingActivities).toMatchObject([
      {
        activityId: "a",
        activityType: { name: "A" },
        state: PendingActivityState.SCHEDULED,
        attempt: 1,
        maximumAttempts: 5,
        activityOptions: {
          taskQueue: { name: c.QUEUE },
          heartbeatTimeout: c.seconds(3),
          retryPolicy: { maximumAttempts: 5, nonRetryableErrorTypes: [] },
        },
      },
    ]);
    expect(pendingChildren).toMatchObject([
      { workflowId: "k", runId: world.run("k").info.runId, workflowTypeName: "C", initiatedId: 6, parentClosePolicy: 2 },
    ]);
    expect(description("k").workflowExecutionInfo).toMatchObject({ parentExecution: { workflowId: "w" }, rootExecution: { workflowId: "w" } });
  });

  it("of an earlier run is of that run", () => {
    const first = world.running();
    world.advance(5 * c.MICROS);
    world.signal("s");
    world.answer([c.continueAsNew()]);
    expect(description("w", first).workflowExecutionInfo?.status).toBe(Status.CONTINUED_AS_NEW);
    expect(description().workflowExecutionInfo).toMatchObject({ status: Status.RUNNING, firstRunId: first });
  });
});

describe("the position of a history reader", () => {
  it("is behind the last event, and says whether more will come", () => {
    const runId = world.running();
    expect(position()).toMatchObject({ runId, isOpen: true, closeEventId: 0, range: { fromEventId: 1, endEventId: 5 } });
    world.signal("s");
    world.answer([c.marker("m"), c.complete()]);
    // The batch of the close event begins with the completion of its task.
    expect(position()).toMatchObject({ isOpen: false, closeEventId: 8, range: { endEventId: 11 } });
  });

  it("has the events of a transient task behind it, without who works on it", () => {
    world.start();
    world.failTask(world.task());
    const pending = trailingEvents({ trailing: position()?.trailing });
    expect(pending.map((e) => e.eventId)).toEqual([5]);
    world.task();
    const started = trailingEvents({ trailing: position()?.trailing });
    expect(started).toMatchObject([{ eventId: 5 }, { eventId: 6, attributes: { value: { identity: "" } } }]);
    expect(position()?.range.endEventId).toBe(5);
  });
});
