import { beforeEach, describe, expect, it } from "vitest";
import { RetryState } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const due = () => world.submit(world.address("w"), { kind: "due" });

describe("a timer", () => {
  it("fires at its time and not before", () => {
    world.running([c.timer("t", 10)]);
    world.advance(10 * c.MICROS - 1);
    expect(world.types().at(-1)).toBe("TIMER_STARTED");
    world.advance(1);
    expect(world.types().slice(5)).toEqual(["TIMER_FIRED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("timerFiredEventAttributes")).toMatchObject({ timerId: "t", startedEventId: 5 });
  });

  it("fires once", () => {
    world.running([c.timer("t", 10)]);
    world.advance(10 * c.MICROS);
    due();
    due();
    expect(world.types().filter((t) => t === "TIMER_FIRED")).toHaveLength(1);
  });

  it("that is asked too early does not fire", () => {
    world.running([c.timer("t", 10)]);
    due();
    expect(world.types().at(-1)).toBe("TIMER_STARTED");
    world.advance(10 * c.MICROS);
    expect(world.types()).toContain("TIMER_FIRED");
  });

  it("fires before others that are later, whatever the order in which they were started", () => {
    world.running([c.timer("late", 3), c.timer("early", 1), c.timer("same", 1)]);
    world.now += 5 * c.MICROS;
    due();
    const fired = world.history("w").flatMap((e) => (e.attributes.case === "timerFiredEventAttributes" ? [e.attributes.value.timerId] : []));
    expect(fired).toEqual(["early", "same", "late"]);
    expect(world.types().filter((t) => t === "WORKFLOW_TASK_SCHEDULED")).toHaveLength(2);
  });

  it("keeps the deadline of the run at the earliest one", () => {
    world.running([c.timer("b", 20), c.timer("a", 10)]);
    expect(world.run("w").info.due).toBe(world.now + 10 * c.MICROS);
    world.advance(10 * c.MICROS);
    world.answer();
    // A bound may be early, never late.
    expect(world.run("w").info.due).toBeLessThanOrEqual(world.now + 10 * c.MICROS);
    world.advance(10 * c.MICROS);
    expect(world.types().filter((t) => t === "TIMER_FIRED")).toHaveLength(2);
  });

  it("that is canceled does not fire", () => {
    world.running([c.timer("t", 10)]);
    world.signal("s");
    world.answer([c.cancelTimer("t")]);
    expect(world.last("timerCanceledEventAttributes")).toMatchObject({ timerId: "t", startedEventId: 5, identity: "worker" });
    world.advance(60 * c.MICROS);
    expect(world.types()).not.toContain("TIMER_FIRED");
  });

  it("that is canceled by a task during which it fired has not fired", () => {
    world.running([c.timer("t", 1)]);
    world.signal("s");
    const task = world.task();
    world.advance(2 * c.MICROS);
    // Nothing else happened, so that the workflow may close.
    expect(world.complete(task, [c.cancelTimer("t"), c.complete()]).refused).toBeUndefined();
    expect(world.types().slice(-2)).toEqual(["TIMER_CANCELED", "WORKFLOW_EXECUTION_COMPLETED"]);
    expect(world.types()).not.toContain("TIMER_FIRED");
  });

  it("that is canceled does not hide another event that came", () => {
    world.running([c.timer("t", 1)]);
    world.signal("s");
    const task = world.task();
    world.advance(2 * c.MICROS);
    world.signal("unseen");
    expect(world.complete(task, [c.cancelTimer("t"), c.complete()]).refused?.message).toBe("UnhandledCommand");
    expect(world.types()).toContain("TIMER_FIRED");
  });

  it("of no length fires at once", () => {
    world.running([c.timer("t", 0)]);
    world.advance(0);
    expect(world.types()).toContain("TIMER_FIRED");
  });
});

describe("the time of a run", () => {
  it("ends it, whatever it does: the task in progress fails first", () => {
    world.start("w", { workflowRunTimeout: c.seconds(5) });
    world.task();
    world.signal("s");
    world.advance(5 * c.MICROS);
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_TIMED_OUT"]);
    expect(world.last("workflowExecutionTimedOutEventAttributes")).toMatchObject({
      retryState: RetryState.RETRY_POLICY_NOT_SET,
      newExecutionRunId: "",
    });
  });

  it("is not tried again when the time of the chain is over", () => {
    world.start("w", { workflowExecutionTimeout: c.seconds(5), retryPolicy: { initialInterval: c.seconds(1) }, cronSchedule: "" });
    world.advance(5 * c.MICROS);
    expect(world.last("workflowExecutionTimedOutEventAttributes").retryState).toBe(RetryState.TIMEOUT);
    expect(world.runs()).toHaveLength(1);
  });
});

describe("deadlines that have passed together", () => {
  it("are all looked at by one visit", () => {
    world.running([c.timer("t", 1), c.activity("a", { scheduleToStartTimeout: c.seconds(2) })]);
    world.now += 10 * c.MICROS;
    due();
    expect(world.types()).toEqual(expect.arrayContaining(["TIMER_FIRED", "ACTIVITY_TASK_TIMED_OUT"]));
    expect(world.run("w").info.due).toBe(0);
  });

  it("of an activity: only the first of one attempt counts", () => {
    world.running([
      c.activity("a", {
        startToCloseTimeout: c.seconds(5),
        heartbeatTimeout: c.seconds(3),
        retryPolicy: { initialInterval: c.seconds(100), maximumInterval: c.seconds(100) },
      }),
    ]);
    world.activityTask();
    world.now += 10 * c.MICROS;
    due();
    expect([...world.run("w").activities.base.values()]).toMatchObject([{ attempt: 2 }]);
  });
});
