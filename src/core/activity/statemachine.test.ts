import { beforeEach, describe, expect, it } from "vitest";
import { PendingActivityState, RetryState, TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";
import { Code, ServiceError } from "../../api/service-error.js";
import type { ActivityReference } from "../input.js";
import type { StartedActivity } from "../transition.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

type Options = NonNullable<Parameters<typeof c.activity>[1]>;
const RETRY = { initialInterval: c.seconds(1), backoffCoefficient: 2, maximumInterval: c.seconds(10) };
const ONCE = { maximumAttempts: 1 };
const w = () => world.address("w");
const by = (task: StartedActivity): ActivityReference => ({ by: "token", token: tokenOf(task) });
const byId = (activityId = "a"): ActivityReference => ({ by: "id", activityId });

/** A workflow that waits for activity "a"; its scheduled event is 5. */
const scheduled = (options: Options = {}, start: Parameters<CoreWorld["start"]>[1] = {}) => world.running([c.activity("a", options)], start);
const started = (options: Options = {}): StartedActivity => {
  scheduled(options);
  return world.activityTask();
};
const complete = (activity: ActivityReference, result?: unknown) =>
  world.submit<"completeActivity">(w(), {
    kind: "completeActivity",
    activity,
    result: result === undefined ? undefined : c.payloads(result),
    identity: "worker",
  });
const fail = (activity: ActivityReference, failure: Failure | undefined = c.applicationFailure("no"), details?: unknown) =>
  world.submit<"failActivity">(w(), {
    kind: "failActivity",
    activity,
    failure,
    lastHeartbeatDetails: details === undefined ? undefined : c.payloads(details),
    identity: "worker",
  });
const heartbeat = (activity: ActivityReference, details: unknown = 1) =>
  world.submit<"heartbeatActivity">(w(), { kind: "heartbeatActivity", activity, details: c.payloads(details), identity: "worker" });
const cancel = (activity: ActivityReference) =>
  world.submit<"cancelActivity">(w(), { kind: "cancelActivity", activity, details: c.payloads("bye"), identity: "worker" });
const requestCancel = () => {
  world.signal("cancel it");
  world.answer([c.cancelActivity(5)]);
};
const pending = () => world.submit<"describe">(w(), { kind: "describe" })?.pendingActivities?.[0];
const NOT_FOUND = "invalid activityID or activity already timed out or invoking workflow is completed";

function refusal(act: () => unknown): { code: Code; message: string } {
  try {
    act();
  } catch (e) {
    if (e instanceof ServiceError) return { code: e.code, message: e.message };
    throw e;
  }
  throw new Error("it was accepted");
}

describe("an activity that is scheduled", () => {
  it("is offered on its queue and writes nothing when it starts", () => {
    scheduled({ taskQueue: { name: "other" } });
    expect(world.tasks).toMatchObject([{ type: "activity", taskQueue: "other", scheduledEventId: 5, attempt: 1 }]);
    const { response, scheduled: reference } = world.activityTask();
    expect(response).toMatchObject({
      activityId: "a",
      activityType: { name: "A" },
      attempt: 1,
      workflowType: { name: "T" },
      workflowNamespace: "default",
      startToCloseTimeout: c.seconds(10),
    });
    expect(reference?.eventId).toBe(5);
    expect(world.types().at(-1)).toBe("ACTIVITY_TASK_SCHEDULED");
  });

  it("is offered once; the same poll gets the same answer", () => {
    scheduled();
    const offered = world.tasks[0];
    const poller = { ...world.poller(c.QUEUE), requestId: "one poll" };
    const input = { kind: "startActivity", scheduledEventId: 5, attempt: 1, stamp: 0, poller, metadata: undefined } as const;
    const first = world.submit(w(), input);
    expect(world.submit(w(), input)).toEqual(first);
    expect(world.outcome(w(), { ...input, poller: world.poller(c.QUEUE) }).outcome).toBe("stale");
    expect(offered?.scheduledEventId).toBe(5);
  });

  it.each<[string, Options, Parameters<CoreWorld["start"]>[1], object]>([
    [
      "schedule-to-close bounds the others",
      { startToCloseTimeout: c.seconds(60), scheduleToCloseTimeout: c.seconds(20), heartbeatTimeout: c.seconds(30) },
      {},
      {
        scheduleToCloseTimeout: c.seconds(20),
        scheduleToStartTimeout: c.seconds(20),
        startToCloseTimeout: c.seconds(20),
        heartbeatTimeout: c.seconds(20),
      },
    ],
    [
      "without schedule-to-close there is no bound but the run's",
      { startToCloseTimeout: c.seconds(5) },
      {},
      {
        scheduleToCloseTimeout: c.seconds(0),
        scheduleToStartTimeout: c.seconds(0),
        startToCloseTimeout: c.seconds(5),
        heartbeatTimeout: c.seconds(0),
      },
    ],
    [
      "the run's time bounds all",
      { startToCloseTimeout: c.seconds(50), heartbeatTimeout: c.seconds(40) },
      { workflowRunTimeout: c.seconds(30) },
      {
        scheduleToCloseTimeout: c.seconds(30),
        scheduleToStartTimeout: c.seconds(30),
        startToCloseTimeout: c.seconds(30),
        heartbeatTimeout: c.seconds(30),
      },
    ],
  ])("has timeouts: %s", (_, options, start, timeouts) => {
    scheduled(options, start);
    expect(world.last("activityTaskScheduledEventAttributes")).toMatchObject(timeouts);
  });

  it("has the default retry policy where it gives none", () => {
    scheduled({ retryPolicy: { initialInterval: c.seconds(3) } });
    expect(world.last("activityTaskScheduledEventAttributes").retryPolicy).toMatchObject({
      initialInterval: c.seconds(3),
      backoffCoefficient: 2,
      maximumInterval: c.seconds(300),
      maximumAttempts: 0,
    });
  });

  it("starts at once in the answer to the worker when that asks for it", () => {
    world.start();
    const { activityTasks } = world.answer([c.activity("a", { requestEagerExecution: true }), c.activity("b")]);
    expect(activityTasks.map((t) => t.response.activityId)).toEqual(["a"]);
    expect(world.tasks.filter((t) => t.type === "activity")).toHaveLength(1);
    complete(by(activityTasks[0] as StartedActivity), "done");
    expect(c.jsonOf(world.last("activityTaskCompletedEventAttributes").result)).toBe("done");
  });
});

describe("an activity that completes", () => {
  it("writes its start and its end together and wakes the workflow", () => {
    const task = started();
    world.now += 3 * c.MICROS;
    complete(by(task), "result");
    expect(world.types().slice(5)).toEqual(["ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("activityTaskStartedEventAttributes")).toMatchObject({ scheduledEventId: 5, attempt: 1, identity: "worker" });
    expect(world.last("activityTaskCompletedEventAttributes")).toMatchObject({ scheduledEventId: 5, startedEventId: 6, identity: "worker" });
    const [start, end] = [world.lastEvent("activityTaskStartedEventAttributes"), world.lastEvent("activityTaskCompletedEventAttributes")];
    expect((end.eventTime?.seconds ?? 0) - (start.eventTime?.seconds ?? 0)).toBe(3);
    expect(world.run("w").activities.base.size).toBe(0);
  });

  it("can be completed by its id, started or not", () => {
    scheduled();
    complete(byId(), "by hand");
    expect(world.types().slice(5, 7)).toEqual(["ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED"]);
    expect(world.last("activityTaskStartedEventAttributes")).toMatchObject({ identity: "worker", requestId: "" });
    expect(world.takeActivity()).toBeUndefined();
  });

  it.each<[string, (task: StartedActivity) => unknown, string]>([
    [
      "an end that was told before",
      (t) => {
        complete(by(t));
        return complete(by(t));
      },
      NOT_FOUND,
    ],
    ["a token of another attempt", (t) => complete({ by: "token", token: { ...tokenOf(t), attempt: 2 } }), NOT_FOUND],
    ["a token of another start", (t) => complete({ by: "token", token: { ...tokenOf(t), nonce: 1 } }), NOT_FOUND],
    [
      "an id that is unknown",
      () => complete(byId("b")),
      "cannot find pending activity with ActivityID b, check workflow execution history for more details",
    ],
    [
      "a workflow that is closed",
      (t) => {
        world.signal("end");
        world.answer([c.complete()]);
        return complete(by(t));
      },
      "workflow execution already completed",
    ],
  ])("is not found by %s", (_, act, message) => {
    const task = started();
    expect(refusal(() => act(task))).toEqual({ code: Code.NOT_FOUND, message });
  });
});

describe("an activity that is not started", () => {
  it.each([
    ["fail", () => fail(byId())],
    ["heartbeat", () => heartbeat(byId())],
    ["be canceled by a worker", () => cancel(byId())],
  ])("cannot %s, not even by its id", (_, act) => {
    scheduled({ retryPolicy: RETRY });
    const before = world.snapshot();
    expect(refusal(act)).toEqual({ code: Code.NOT_FOUND, message: NOT_FOUND });
    expect(world.snapshot()).toEqual(before);
  });
});

describe("an activity that fails", () => {
  it("is tried again after 1, 2, 4, 8 and then 10 seconds, without a trace in history", () => {
    scheduled({ retryPolicy: RETRY });
    for (const [i, delay] of [1, 2, 4, 8, 10, 10].entries()) {
      const task = world.activityTask();
      expect(task.response.attempt).toBe(i + 1);
      fail(by(task), c.applicationFailure(`no ${i + 1}`));
      world.advance(delay * c.MICROS - 1);
      expect(world.takeActivity()).toBeUndefined();
      world.advance(1);
    }
    expect(world.types().at(-1)).toBe("ACTIVITY_TASK_SCHEDULED");
    complete(by(world.activityTask()));
    expect(world.last("activityTaskStartedEventAttributes")).toMatchObject({ attempt: 7, lastFailure: { message: "no 6" } });
  });

  it("tells the next attempt when it was scheduled", () => {
    const task = started({ retryPolicy: RETRY });
    fail(by(task));
    world.advance(c.MICROS);
    const { response } = world.activityTask();
    expect((response.currentAttemptScheduledTime?.seconds ?? 0) - (response.scheduledTime?.seconds ?? 0)).toBe(1);
  });

  it.each<[string, Options, Failure | undefined, RetryState]>([
    ["its attempts are used up", { retryPolicy: ONCE }, c.applicationFailure("no"), RetryState.MAXIMUM_ATTEMPTS_REACHED],
    ["it says so itself", {}, c.applicationFailure("no", { nonRetryable: true }), RetryState.NON_RETRYABLE_FAILURE],
    [
      "its type is one that is not retried",
      { retryPolicy: { nonRetryableErrorTypes: ["Fatal"] } },
      c.applicationFailure("no", { type: "Fatal" }),
      RetryState.NON_RETRYABLE_FAILURE,
    ],
    [
      "the next attempt would come after schedule-to-close",
      { scheduleToCloseTimeout: c.seconds(5), retryPolicy: { initialInterval: c.seconds(6) } },
      c.applicationFailure("no"),
      RetryState.TIMEOUT,
    ],
    ["it asks for a next attempt at once", {}, c.applicationFailure("no", { nextRetryDelay: c.seconds(0) }), RetryState.TIMEOUT],
  ])("ends when %s", (_, options, failure, retryState) => {
    const task = started(options);
    fail(by(task), failure);
    expect(world.types().slice(5)).toEqual(["ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_FAILED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("activityTaskFailedEventAttributes")).toMatchObject({
      retryState,
      failure: { message: "no" },
      scheduledEventId: 5,
      startedEventId: 6,
      identity: "worker",
    });
  });

  it("of a type that is retried goes on", () => {
    const task = started({ retryPolicy: { ...RETRY, nonRetryableErrorTypes: ["Fatal"] } });
    fail(by(task), c.applicationFailure("no", { type: "Other" }));
    expect(world.types().at(-1)).toBe("ACTIVITY_TASK_SCHEDULED");
  });

  it("waits as long as its worker asks for, even beyond the policy's maximum", () => {
    const task = started({ retryPolicy: { ...RETRY, maximumInterval: c.seconds(2) } });
    fail(by(task), c.applicationFailure("no", { nextRetryDelay: c.seconds(30) }));
    world.advance(30 * c.MICROS - 1);
    expect(world.takeActivity()).toBeUndefined();
    world.advance(1);
    expect(world.activityTask().response.attempt).toBe(2);
  });

  it("shows attempt, failure, worker and the time of the next attempt", () => {
    const task = started({ retryPolicy: RETRY });
    expect(pending()).toMatchObject({ state: PendingActivityState.STARTED, attempt: 1, lastWorkerIdentity: "worker" });
    fail(by(task));
    expect(pending()).toMatchObject({
      state: PendingActivityState.SCHEDULED,
      attempt: 2,
      lastFailure: { message: "no" },
      lastWorkerIdentity: "worker",
      currentRetryInterval: c.seconds(1),
      nextAttemptScheduleTime: { seconds: world.now / c.MICROS + 1, nanos: 0 },
    });
    world.advance(c.MICROS);
    expect(pending()?.nextAttemptScheduleTime).toBeUndefined();
  });

  it("keeps the progress that came with its failure for the next attempt", () => {
    const task = started({ retryPolicy: RETRY });
    fail(by(task), undefined, "half way");
    world.advance(c.MICROS);
    expect(c.jsonOf(world.activityTask().response.heartbeatDetails)).toBe("half way");
  });
});

describe("an activity that is not answered", () => {
  type Case = [string, Options, boolean, number, { type: TimeoutType; message: string; retryState: RetryState }];
  it.each<Case>([
    [
      "schedule-to-start",
      { scheduleToStartTimeout: c.seconds(5), retryPolicy: RETRY },
      false,
      5,
      { type: TimeoutType.SCHEDULE_TO_START, message: "activity ScheduleToStart timeout", retryState: RetryState.TIMEOUT },
    ],
    [
      "start-to-close",
      { startToCloseTimeout: c.seconds(6), retryPolicy: ONCE },
      true,
      6,
      { type: TimeoutType.START_TO_CLOSE, message: "activity StartToClose timeout", retryState: RetryState.MAXIMUM_ATTEMPTS_REACHED },
    ],
    [
      "heartbeat",
      { heartbeatTimeout: c.seconds(3), retryPolicy: ONCE },
      true,
      3,
      { type: TimeoutType.HEARTBEAT, message: "activity Heartbeat timeout", retryState: RetryState.MAXIMUM_ATTEMPTS_REACHED },
    ],
    [
      "schedule-to-close",
      { scheduleToCloseTimeout: c.seconds(8), startToCloseTimeout: undefined, scheduleToStartTimeout: c.seconds(100), retryPolicy: RETRY },
      true,
      8,
      {
        type: TimeoutType.SCHEDULE_TO_CLOSE,
        message: "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying",
        retryState: RetryState.TIMEOUT,
      },
    ],
    [
      "schedule-to-close, taken in the moment in which it was scheduled",
      { scheduleToCloseTimeout: c.seconds(8), startToCloseTimeout: undefined, retryPolicy: ONCE },
      true,
      8,
      {
        type: TimeoutType.SCHEDULE_TO_CLOSE,
        message: "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying",
        retryState: RetryState.TIMEOUT,
      },
    ],
  ])("times out: %s", (_, options, isTaken, after, { type, message, retryState }) => {
    scheduled(options);
    if (isTaken) world.activityTask();
    world.advance(after * c.MICROS - 1);
    expect(world.types().at(-1)).toBe("ACTIVITY_TASK_SCHEDULED");
    world.advance(1);
    expect(world.types().slice(isTaken ? 6 : 5)).toEqual(["ACTIVITY_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("activityTaskTimedOutEventAttributes")).toMatchObject({
      scheduledEventId: 5,
      startedEventId: isTaken ? 6 : 0,
      retryState,
      failure: { message, source: "Server", failureInfo: { case: "timeoutFailureInfo", value: { timeoutType: type } } },
    });
    expect(world.takeActivity()).toBeUndefined();
  });

  it.each<[string, Options]>([
    ["start-to-close", { startToCloseTimeout: c.seconds(6), retryPolicy: RETRY }],
    ["heartbeat", { heartbeatTimeout: c.seconds(6), retryPolicy: RETRY }],
  ])("is tried again after a %s timeout, and its worker's late answer is not found", (_, options) => {
    const late = started(options);
    world.advance(7 * c.MICROS);
    expect(world.activityTask().response.attempt).toBe(2);
    expect(refusal(() => complete(by(late)))).toEqual({ code: Code.NOT_FOUND, message: NOT_FOUND });
  });

  it.each(["StartToClose", "Heartbeat"])("is not tried again after a %s timeout that its policy names", (name) => {
    started({
      startToCloseTimeout: c.seconds(6),
      heartbeatTimeout: c.seconds(name === "Heartbeat" ? 3 : 6),
      retryPolicy: { nonRetryableErrorTypes: [`TemporalTimeout:${name}`] },
    });
    world.advance(6 * c.MICROS);
    expect(world.last("activityTaskTimedOutEventAttributes").retryState).toBe(RetryState.NON_RETRYABLE_FAILURE);
  });

  it("says in the end what made its attempts fail, and the progress of the last one", () => {
    const first = started({ scheduleToCloseTimeout: c.seconds(9), startToCloseTimeout: undefined, retryPolicy: RETRY });
    fail(by(first), c.applicationFailure("the cause"));
    world.advance(c.MICROS);
    heartbeat(by(world.activityTask()), "half way");
    world.advance(10 * c.MICROS);
    const { failure } = world.last("activityTaskTimedOutEventAttributes");
    expect(failure).toMatchObject({ cause: { message: "the cause" } });
    const info = failure?.failureInfo;
    expect(info?.case === "timeoutFailureInfo" ? c.jsonOf(info.value.lastHeartbeatDetails) : undefined).toBe("half way");
  });

  it("lives as long as it heartbeats, and not a moment longer", () => {
    const task = started({ startToCloseTimeout: c.seconds(60), heartbeatTimeout: c.seconds(3), retryPolicy: ONCE });
    for (let i = 0; i < 4; i++) {
      world.advance(2 * c.MICROS);
      heartbeat(by(task), i);
    }
    world.advance(3 * c.MICROS - 1);
    expect(world.types().at(-1)).toBe("ACTIVITY_TASK_SCHEDULED");
    world.advance(1);
    expect(world.types()).toContain("ACTIVITY_TASK_TIMED_OUT");
  });
});

describe("a heartbeat", () => {
  it("is shown, and handed to the next attempt", () => {
    const task = started({ retryPolicy: RETRY });
    expect(heartbeat(by(task), { line: 7 })).toEqual({ cancelRequested: false, activityPaused: false, activityReset: false });
    expect(c.jsonOf(pending()?.heartbeatDetails)).toEqual({ line: 7 });
    expect(pending()?.lastHeartbeatTime?.seconds).toBe(Math.floor(world.now / c.MICROS));
    fail(by(task));
    world.advance(c.MICROS);
    expect(c.jsonOf(world.activityTask().response.heartbeatDetails)).toEqual({ line: 7 });
  });

  it("without details is shown while the next attempt runs, too", () => {
    const task = started({ retryPolicy: RETRY });
    world.submit(w(), { kind: "heartbeatActivity", activity: by(task), details: undefined, identity: "worker" });
    const at = pending()?.lastHeartbeatTime;
    expect(at).toBeDefined();
    fail(by(task));
    world.advance(c.MICROS);
    world.activityTask();
    expect(pending()).toMatchObject({ attempt: 2, lastHeartbeatTime: at });
  });

  it("by id reaches the attempt that runs", () => {
    started();
    heartbeat(byId(), "here");
    expect(c.jsonOf(pending()?.heartbeatDetails)).toBe("here");
  });

  it("of an attempt that is over is not found", () => {
    const task = started({ retryPolicy: RETRY });
    fail(by(task));
    expect(refusal(() => heartbeat(by(task)))).toEqual({ code: Code.NOT_FOUND, message: NOT_FOUND });
  });
});

describe("an activity that is asked to cancel", () => {
  it("ends at once when nobody runs it", () => {
    scheduled();
    requestCancel();
    expect(world.types().slice(-3)).toEqual(["ACTIVITY_TASK_CANCEL_REQUESTED", "ACTIVITY_TASK_CANCELED", "WORKFLOW_TASK_SCHEDULED"]);
    const { details, ...rest } = world.last("activityTaskCanceledEventAttributes");
    expect(c.jsonOf(details)).toBe("ACTIVITY_ID_NOT_STARTED");
    expect(rest).toMatchObject({ scheduledEventId: 5, startedEventId: 0, latestCancelRequestedEventId: 10 });
    expect(world.takeActivity()).toBeUndefined();
  });

  it("ends at once while it waits for its next attempt", () => {
    const task = started({ retryPolicy: RETRY });
    fail(by(task));
    requestCancel();
    expect(world.types().at(-2)).toBe("ACTIVITY_TASK_CANCELED");
    world.advance(60 * c.MICROS);
    expect(world.takeActivity()).toBeUndefined();
  });

  it("learns of it with a heartbeat and may say that it canceled", () => {
    const task = started();
    requestCancel();
    expect(pending()?.state).toBe(PendingActivityState.CANCEL_REQUESTED);
    expect(heartbeat(by(task))).toMatchObject({ cancelRequested: true });
    cancel(by(task));
    expect(world.types().slice(-3)).toEqual(["ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_CANCELED", "WORKFLOW_TASK_SCHEDULED"]);
    const { details, ...rest } = world.last("activityTaskCanceledEventAttributes");
    expect(c.jsonOf(details)).toBe("bye");
    expect(rest).toMatchObject({ scheduledEventId: 5, latestCancelRequestedEventId: 10, identity: "worker" });
  });

  it("may complete nevertheless", () => {
    const task = started();
    requestCancel();
    complete(by(task));
    expect(world.types()).toContain("ACTIVITY_TASK_COMPLETED");
  });

  it("is not tried again when it fails", () => {
    const task = started({ retryPolicy: RETRY });
    requestCancel();
    fail(by(task));
    expect(world.last("activityTaskFailedEventAttributes").retryState).toBe(RetryState.CANCEL_REQUESTED);
  });

  it("cannot be asked twice", () => {
    started();
    requestCancel();
    world.signal("again");
    expect(world.answer([c.cancelActivity(5)]).refused?.message).toBe(
      "BadRequestCancelActivityAttributes: invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: 5",
    );
  });

  it("may have ended while its workflow was busy: the request is written, and changes nothing", () => {
    const task = started();
    world.signal("s");
    const busy = world.task();
    complete(by(task));
    expect(world.complete(busy, [c.cancelActivity(5)]).refused).toBeUndefined();
    expect(world.types().slice(-4)).toEqual([
      "ACTIVITY_TASK_CANCEL_REQUESTED",
      "ACTIVITY_TASK_STARTED",
      "ACTIVITY_TASK_COMPLETED",
      "WORKFLOW_TASK_SCHEDULED",
    ]);
  });

  it("is not canceled by a worker whom nobody asked", () => {
    const task = started();
    expect(refusal(() => cancel(by(task)))).toEqual({
      code: Code.INVALID_ARGUMENT,
      message: "unable to mark activity as canceled without activity being request canceled first",
    });
  });
});

describe("an activity task that could not be delivered", () => {
  it("is offered again as the same attempt", () => {
    const lost = started();
    world.submit(w(), { kind: "undelivered", task: "activity", scheduledEventId: 5, nonce: lost.nonce });
    const again = world.activityTask();
    expect(again.response.attempt).toBe(1);
    expect(refusal(() => complete(by(lost)))).toMatchObject({ code: Code.NOT_FOUND });
    complete(by(again));
    expect(world.types()).toContain("ACTIVITY_TASK_COMPLETED");
  });

  it("keeps its schedule-to-start timeout", () => {
    const lost = started({ scheduleToStartTimeout: c.seconds(5) });
    world.advance(4 * c.MICROS);
    world.submit(w(), { kind: "undelivered", task: "activity", scheduledEventId: 5, nonce: lost.nonce });
    world.advance(2 * c.MICROS);
    expect(world.types()).toContain("ACTIVITY_TASK_TIMED_OUT");
  });
});
