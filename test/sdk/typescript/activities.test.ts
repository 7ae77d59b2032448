/** What activities can do, by workers and clients of the official TypeScript SDK: result and history of each. */
import { ActivityCancelledError, ActivityNotFoundError } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { begun, gate, tokens } from "./activities.js";
import {
  ACTIVITY_COMPLETED,
  ACTIVITY_STARTED,
  COMPLETED,
  eventually,
  failureOf,
  nameOf,
  SCHEDULED,
  SIGNALED,
  STARTED,
  type Suite,
  startSuite,
  TIMER_FIRED,
  TIMER_STARTED,
} from "./suite.js";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("activity-workflows.ts");
});
afterAll(async () => s?.end());

const ONE = [STARTED, SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED];
const FAILED_ONE = [STARTED, SCHEDULED, ACTIVITY_STARTED, "ACTIVITY_TASK_FAILED", COMPLETED];

const tokenOf = async (workflowId: string): Promise<Uint8Array> => {
  await eventually(() => tokens.has(workflowId)).toBe(true);
  return tokens.get(workflowId) as Uint8Array;
};

/** Of a workflow whose activity is asked to end, and ends canceled. */
const CANCELED = [STARTED, SCHEDULED, SIGNALED, "ACTIVITY_TASK_CANCEL_REQUESTED", ACTIVITY_STARTED, "ACTIVITY_TASK_CANCELED", COMPLETED];

describe("completed by somebody else", () => {
  it("by token, once", async () => {
    const h = await s.start("asyncByToken");
    const token = await tokenOf(h.workflowId);
    await s.client.activity.heartbeat(token, "half way");
    await s.client.activity.complete(token, "by token");
    expect(await failureOf(s.client.activity.complete(token, "again"))).toBeInstanceOf(ActivityNotFoundError);
    expect(await h.result()).toBe("by token");
    expect(await s.events(h.workflowId)).toEqual(ONE);
  });

  it("by workflow and activity id, as a failure", async () => {
    const h = await s.start("asyncById");
    await tokenOf(h.workflowId);
    const activity = { workflowId: h.workflowId, activityId: "by-hand" };
    expect(await failureOf(s.client.activity.complete({ ...activity, activityId: "another" }, "x"))).toBeInstanceOf(ActivityNotFoundError);
    await s.client.activity.fail(activity, ApplicationFailure.create({ type: "ByHand", message: "no" }));
    expect(await h.result()).toBe("ByHand: no");
    expect(await s.events(h.workflowId)).toEqual(FAILED_ONE);
  });

  it("told of the cancellation by a heartbeat, and canceled with details", async () => {
    const h = await s.start("asyncCanceled");
    const token = await tokenOf(h.workflowId);
    await s.client.activity.heartbeat(token);
    await h.signal("giveUp");
    await eventually(async () => (await s.events(h.workflowId)).includes("ACTIVITY_TASK_CANCEL_REQUESTED")).toBe(true);
    expect(await failureOf(s.client.activity.heartbeat(token))).toBeInstanceOf(ActivityCancelledError);
    await s.client.activity.reportCancellation(token, "left tidy");
    expect(await h.result()).toBe("left tidy");
    expect(await s.events(h.workflowId)).toEqual(CANCELED);
  });
});

it("one that sends no heartbeats is canceled through its worker's process", async () => {
  const h = await s.start("canceledInSilence");
  await eventually(() => begun.includes(h.workflowId)).toBe(true);
  await h.signal("giveUp");
  expect(await h.result()).toBe("canceled");
  expect(await s.events(h.workflowId)).toEqual(CANCELED);
});

describe("cancellation types", () => {
  it("TRY_CANCEL: asks and does not wait", async () => {
    const h = await s.start("canceledBy", ["TRY_CANCEL"]);
    await eventually(() => gate.waiting(h.workflowId)).toBe(true);
    await h.signal("giveUp");
    expect(await h.result()).toBe("canceled");
    gate.open(h.workflowId);
    // The SDK asks and ends in one and the same task; what is asked of an activity that ends with its workflow is in the history.
    expect(await s.events(h.workflowId)).toEqual([STARTED, SCHEDULED, SIGNALED, "ACTIVITY_TASK_CANCEL_REQUESTED", COMPLETED]);
  });

  it("ABANDON: does not even ask", async () => {
    const h = await s.start("canceledBy", ["ABANDON"]);
    await eventually(() => gate.waiting(h.workflowId)).toBe(true);
    await h.signal("giveUp");
    expect(await h.result()).toBe("canceled");
    gate.open(h.workflowId);
    expect(await s.events(h.workflowId)).toEqual([STARTED, SCHEDULED, SIGNALED, COMPLETED]);
  });

  it("an activity that nobody took is canceled at once", async () => {
    const h = await s.start("canceledInQueue");
    expect(await h.result()).toBe("canceled");
    expect(await s.events(h.workflowId)).toEqual([
      STARTED,
      SCHEDULED,
      TIMER_STARTED,
      TIMER_FIRED,
      "ACTIVITY_TASK_CANCEL_REQUESTED",
      "ACTIVITY_TASK_CANCELED",
      COMPLETED,
    ]);
  });
});

describe("timeouts and retries", () => {
  it("fails at once where the next attempt would start after schedule-to-close", async () => {
    const h = await s.start("scheduleToClose");
    expect(await h.result()).toEqual({ retryState: "TIMEOUT", type: "Passing" });
    expect(await s.events(h.workflowId)).toEqual(FAILED_ONE);
  });

  it("types that the policy calls final are not retried, and the failure arrives whole", async () => {
    const h = await s.start("notRetryableByPolicy");
    expect(await h.result()).toEqual({
      retryState: "NON_RETRYABLE_FAILURE",
      type: "Fatal",
      details: [{ attempt: 1 }, "second"],
      root: "the root of it",
    });
    expect(await s.events(h.workflowId)).toEqual(FAILED_ONE);
  });

  it("stops after the maximum of attempts", async () => {
    const h = await s.start("attemptsUsedUp");
    expect(await h.result()).toEqual({ retryState: "MAXIMUM_ATTEMPTS_REACHED", details: [{ attempt: 3 }, "second"] });
    const events = await s.history(h.workflowId);
    const started = events.find((e) => nameOf(e) === ACTIVITY_STARTED)?.activityTaskStartedEventAttributes;
    expect(started?.attempt).toBe(3);
    expect(started?.lastFailure?.message).toBe("a Passing");
    expect(await s.events(h.workflowId)).toEqual(FAILED_ONE);
  });

  it("a missed heartbeat names the last details", async () => {
    const h = await s.start("heartbeatMissed");
    expect(await h.result()).toEqual({ type: "HEARTBEAT", last: { progress: 1 } });
    expect(await s.events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, "ACTIVITY_TASK_TIMED_OUT", COMPLETED]);
  });

  it("describe shows what a pending activity failed with, and a cancel ends its waiting", async () => {
    const h = await s.start("pendingShown");
    const pending = async () => (await h.describe()).raw.pendingActivities?.[0];
    await eventually(async () => (await pending())?.attempt).toBe(2);
    const p = await pending();
    expect(p).toMatchObject({
      activityId: "shown",
      activityType: { name: "failsAs" },
      maximumAttempts: 7,
      lastFailure: { message: "a Passing", applicationFailureInfo: { type: "Passing" } },
    });
    expect(p?.state).toBe(1);
    expect(Number(p?.nextAttemptScheduleTime?.seconds) - Number(p?.lastAttemptCompleteTime?.seconds)).toBe(3600);
    expect(p?.lastWorkerIdentity).not.toBe("");
    await h.signal("giveUp");
    expect(await h.result()).toBe("canceled");
    expect(await s.events(h.workflowId)).toEqual([STARTED, SCHEDULED, SIGNALED, "ACTIVITY_TASK_CANCEL_REQUESTED", COMPLETED]);
  });
});

describe("what an activity is told", () => {
  it("gets its timeouts, ids, priority and type; the summary is in the event", async () => {
    const h = await s.start("everythingKnown");
    expect(await h.result()).toEqual({
      activityId: "known",
      activityType: "whoAmI",
      attempt: 1,
      workflowType: "everythingKnown",
      namespace: "default",
      queue: s.taskQueue,
      startToCloseMs: 11_000,
      scheduleToCloseMs: 12_000,
      heartbeatMs: 9_000,
      priorityKey: 2,
      fairnessKey: "tenant",
    });
    const scheduled = (await s.history(h.workflowId)).find((e) => nameOf(e) === SCHEDULED);
    expect(Buffer.from(scheduled?.userMetadata?.summary?.data ?? []).toString()).toBe('"what it is for"');
    expect(scheduled?.activityTaskScheduledEventAttributes?.priority).toMatchObject({ priorityKey: 2, fairnessKey: "tenant" });
    expect(await s.events(h.workflowId)).toEqual(ONE);
  });

  it("runs where its own task queue is polled", async () => {
    const queue = s.id("queue");
    const h = await s.start("otherQueue", [queue]);
    const elsewhere = await s.worker({ taskQueue: queue, workflows: null });
    expect(await h.result()).toBe(queue);
    await elsewhere.stop();
    expect(await s.events(h.workflowId)).toEqual(ONE);
  });

  it("gets an argument of a megabyte", async () => {
    const h = await s.start("megabyte");
    expect(await h.result()).toBe(1 << 20);
    expect(await s.events(h.workflowId)).toEqual(ONE);
  });

  it("is one of two that race, and the loser is canceled", async () => {
    const h = await s.start("firstOfTwo");
    expect(await h.result()).toBe("won and lost");
    const types = await s.events(h.workflowId);
    expect(types.slice(0, 3)).toEqual([STARTED, SCHEDULED, SCHEDULED]);
    expect(types.filter((t) => t === "ACTIVITY_TASK_CANCEL_REQUESTED")).toHaveLength(1);
    expect(types.filter((t) => t === ACTIVITY_COMPLETED)).toHaveLength(2);
  });
});

describe("local activities", () => {
  it("wait for a late next attempt with a timer", async () => {
    const h = await s.start("localRetriedByTimer");
    expect(await h.result()).toBe(2);
    expect(await s.events(h.workflowId)).toEqual([STARTED, "MARKER_RECORDED", TIMER_STARTED, TIMER_FIRED, "MARKER_RECORDED", COMPLETED]);
  });

  it("leave their failure in the marker", async () => {
    const h = await s.start("localFails");
    expect(await h.result()).toBe("Local");
    const marker = (await s.history(h.workflowId)).find((e) => nameOf(e) === "MARKER_RECORDED")?.markerRecordedEventAttributes;
    expect(marker?.markerName).toBe("core_local_activity");
    expect(marker?.failure?.applicationFailureInfo?.type).toBe("Local");
    expect(await s.events(h.workflowId)).toEqual([STARTED, "MARKER_RECORDED", COMPLETED]);
  });

  it("outlive a workflow task that is renewed for them", async () => {
    const h = await s.start("localOutlivesTask", [], { workflowTaskTimeout: "2s" });
    const tasks = async () => (await s.history(h.workflowId)).filter((e) => nameOf(e) === "WORKFLOW_TASK_COMPLETED").length;
    await eventually(tasks).toBeGreaterThan(1);
    gate.open(h.workflowId);
    expect(await h.result()).toBe(`${h.workflowId} passed`);
    expect((await s.history(h.workflowId)).filter((e) => nameOf(e) === "WORKFLOW_TASK_TIMED_OUT")).toEqual([]);
    expect(await s.events(h.workflowId)).toEqual([STARTED, "MARKER_RECORDED", COMPLETED]);
  });
});

it("every history of this suite replays", async () => {
  expect(await s.replayAll()).toBeGreaterThanOrEqual(18);
});
