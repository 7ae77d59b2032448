import { beforeEach, describe, expect, it } from "vitest";
import {
  PauseActivityRequest,
  ResetActivityRequest,
  UnpauseActivityRequest,
  UpdateActivityOptionsRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";
import type { StartedActivity } from "../transition.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const A = { case: "id", value: "a" } as const;
const address = () => world.address("w");
const pause = (more: Parameters<typeof PauseActivityRequest.create>[0] = {}) =>
  world.submit(address(), { kind: "pauseActivity", request: PauseActivityRequest.create({ activity: A, ...more }) });
const unpause = (more: Parameters<typeof UnpauseActivityRequest.create>[0] = {}) =>
  world.submit(address(), { kind: "unpauseActivity", request: UnpauseActivityRequest.create({ activity: A, ...more }) });
const reset = (more: Parameters<typeof ResetActivityRequest.create>[0] = {}) =>
  world.submit(address(), { kind: "resetActivity", request: ResetActivityRequest.create({ activity: A, ...more }) });
const update = (more: Parameters<typeof UpdateActivityOptionsRequest.create>[0]) =>
  world.submit<"updateActivityOptions">(address(), {
    kind: "updateActivityOptions",
    request: UpdateActivityOptionsRequest.create({ activity: A, ...more }),
  });
const by = (task: StartedActivity) => ({ by: "token", token: tokenOf(task) }) as const;
const fail = (task: StartedActivity) =>
  world.submit(address(), {
    kind: "failActivity",
    activity: by(task),
    failure: c.applicationFailure("no"),
    lastHeartbeatDetails: undefined,
    identity: "worker",
  });
const heartbeat = (task: StartedActivity) =>
  world.submit<"heartbeatActivity">(address(), { kind: "heartbeatActivity", activity: by(task), details: c.payloads("beat"), identity: "worker" });
const record = () => [...world.run("w").activities.base.values()][0];
const pauseInfo = () => Buffer.from(world.run("w").searchAttributes?.indexedFields["TemporalPauseInfo"] ?? []).toString();
const expectReplay = () => {
  const [stored, replayed] = world.projections(world.run("w"));
  expect(replayed).toEqual(stored);
};

describe("a paused activity", () => {
  it("is not given out, and then is", () => {
    world.running([c.activity("a")]);
    pause();
    expect(world.takeActivity("w")).toBeUndefined();
    unpause();
    expect(world.activityTask().response.attempt).toBe(1);
    expectReplay();
  });

  it("may end its running attempt, whose worker hears of the pause", () => {
    world.running([c.activity("a", { heartbeatTimeout: c.seconds(30) })]);
    const task = world.activityTask();
    expect(heartbeat(task)).toMatchObject({ activityPaused: false });
    pause();
    expect(heartbeat(task)).toEqual({ cancelRequested: false, activityPaused: true, activityReset: false });
    world.submit(address(), { kind: "completeActivity", activity: by(task), result: undefined, identity: "worker" });
    expect(world.types()).toContain("ACTIVITY_TASK_COMPLETED");
    // What is paused no more is not listed as paused.
    expect(pauseInfo()).toBe("");
    expectReplay();
  });

  it("waits for the operator, not for its backoff, once its attempt has failed", () => {
    world.running([c.activity("a", { retryPolicy: { initialInterval: c.seconds(1) } })]);
    const task = world.activityTask();
    pause();
    fail(task);
    world.advance(100 * c.MICROS);
    expect(world.takeActivity("w")).toBeUndefined();
    expect(record()).toMatchObject({ attempt: 2, paused: true, waitsForRetry: false });
    unpause();
    expect(world.activityTask().response.attempt).toBe(2);
  });

  it("has no time-outs until it goes on", () => {
    world.running([c.activity("a", { scheduleToCloseTimeout: c.seconds(5), retryPolicy: { maximumAttempts: 1 } })]);
    pause();
    world.advance(60 * c.MICROS);
    expect(world.run("w").activities.base.size).toBe(1);
    unpause();
    world.advance(1);
    expect(world.types()).toContain("ACTIVITY_TASK_TIMED_OUT");
  });

  it("is found by its type in lists", () => {
    world.running([c.activity("a"), c.activity("b", { activityType: { name: "B" } })]);
    pause();
    expect(pauseInfo()).toContain('["property:activityType=A"]');
    expect(world.visibilityRows.at(-1)?.attributes).toMatchObject([{ value: ["unversioned"] }, { value: ["property:activityType=A"] }]);
    pause({ activity: { case: "id", value: "b" } });
    expect(pauseInfo()).toContain('["property:activityType=A","property:activityType=B"]');
    unpause({ activity: { case: "unpauseAll", value: true } });
    expect(pauseInfo()).toBe("");
  });

  it("goes on with a first attempt and without its heartbeats when that is asked for, within the jitter", () => {
    world.running([c.activity("a", { heartbeatTimeout: c.seconds(30), retryPolicy: { initialInterval: c.seconds(1) } })]);
    const first = world.activityTask();
    heartbeat(first);
    pause();
    fail(first);
    unpause({ resetAttempts: true, resetHeartbeat: true, jitter: c.seconds(10) });
    const at = record()?.attemptScheduledTime ?? 0;
    expect(at).toBeGreaterThan(world.now);
    expect(at).toBeLessThanOrEqual(world.now + 10 * c.MICROS);
    expect(world.takeActivity("w")).toBeUndefined();
    world.advance(10 * c.MICROS);
    expect(world.activityTask().response).toMatchObject({ attempt: 1, heartbeatDetails: undefined });
  });

  it("cannot be paused by another request, nor can one that is not there", () => {
    world.running([c.activity("a")]);
    pause({ requestId: "one" });
    expect(pause({ requestId: "one" })).toBeUndefined();
    expect(() => pause({ requestId: "two" })).toThrow("activity is already paused");
    const missing = "Can't find pending activity with such ID. Invalid activityID or activity already completed";
    expect(() => pause({ activity: { case: "id", value: "none" } })).toThrow(missing);
    expect(() => pause({ activity: { case: "type", value: "none" } })).toThrow(missing);
  });

  it("of several by type, all or none", () => {
    world.running([c.activity("a"), c.activity("b")]);
    pause({ activity: { case: "id", value: "b" }, requestId: "one" });
    const before = world.snapshot();
    expect(() => pause({ activity: { case: "type", value: "A" }, requestId: "two" })).toThrow("activity is already paused");
    expect(world.snapshot()).toEqual(before);
  });
});

describe("an activity that is reset", () => {
  it("comes at once, as a first attempt, when it waits for a retry", () => {
    world.running([c.activity("a", { retryPolicy: { initialInterval: c.seconds(60) } })]);
    fail(world.activityTask());
    reset();
    expect(world.activityTask().response.attempt).toBe(1);
    expect(record()?.lastFailure).toBeUndefined();
  });

  it("tells the worker of the running attempt, and drops the heartbeat with the next one", () => {
    world.running([c.activity("a", { heartbeatTimeout: c.seconds(30), retryPolicy: { initialInterval: c.seconds(1) } })]);
    const task = world.activityTask();
    reset({ resetHeartbeat: true });
    expect(heartbeat(task)).toMatchObject({ activityReset: true });
    fail(task);
    world.advance(2 * c.MICROS);
    const next = world.activityTask();
    expect(next.response).toMatchObject({ attempt: 2, heartbeatDetails: undefined });
    expect(heartbeat(next)).toMatchObject({ activityReset: false });
  });

  it("stays paused when asked to", () => {
    world.running([c.activity("a")]);
    pause();
    reset({ keepPaused: true });
    expect(world.takeActivity("w")).toBeUndefined();
    reset();
    expect(world.activityTask()).toBeDefined();
  });

  it("gets its options back when asked to", () => {
    world.running([c.activity("a", { startToCloseTimeout: c.seconds(11) })]);
    update({ activityOptions: { startToCloseTimeout: c.seconds(99) }, updateMask: { paths: ["start_to_close_timeout"] } });
    expect(record()?.startToCloseTimeout).toBe(99 * c.MICROS);
    expectReplay();
    reset({ restoreOriginalOptions: true });
    expect(record()?.startToCloseTimeout).toBe(11 * c.MICROS);
  });
});

describe("other options", () => {
  it("move a task that waits to another queue; the old one is worth nothing", () => {
    world.running([c.activity("a")]);
    expect(update({ activityOptions: { taskQueue: { name: "other" } }, updateMask: { paths: ["task_queue.name"] } })).toMatchObject({
      activityOptions: { taskQueue: { name: "other" } },
    });
    expect(world.tasks.filter((t) => t.type === "activity").map((t) => t.taskQueue)).toEqual(["q", "other"]);
    expect(world.activityTask().response.activityId).toBe("a");
    expect(world.takeActivity("w")).toBeUndefined();
  });

  it("count for the wait that has begun", () => {
    world.running([c.activity("a", { retryPolicy: { initialInterval: c.seconds(1000) } })]);
    fail(world.activityTask());
    update({ activityOptions: { retryPolicy: { initialInterval: c.seconds(2) } }, updateMask: { paths: ["retry_policy.initial_interval"] } });
    world.advance(3 * c.MICROS);
    expect(world.takeActivity("w")).toBeUndefined();
    world.advance(2 * c.MICROS);
    expect(world.activityTask().response.attempt).toBe(2);
  });

  it("leave the running attempt alone and bound it by the new time", () => {
    world.running([c.activity("a", { startToCloseTimeout: c.seconds(1000), retryPolicy: { maximumAttempts: 1 } })]);
    const task = world.activityTask();
    update({ activityOptions: { startToCloseTimeout: c.seconds(5) }, updateMask: { paths: ["startToCloseTimeout"] } });
    expect(heartbeat(task)).toBeDefined();
    world.advance(6 * c.MICROS);
    expect(world.types()).toContain("ACTIVITY_TASK_TIMED_OUT");
  });

  it("keep the types of errors that are not retried", () => {
    world.running([c.activity("a", { retryPolicy: { nonRetryableErrorTypes: ["Fatal"] } })]);
    update({ activityOptions: { retryPolicy: { initialInterval: c.seconds(5), backoffCoefficient: 2 } }, updateMask: { paths: ["retry_policy"] } });
    expect(record()?.retryPolicy).toMatchObject({ initialInterval: c.seconds(5), nonRetryableErrorTypes: ["Fatal"] });
  });
});
