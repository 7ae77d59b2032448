/** Workflows of activities.test.ts: each uses one thing that an activity can do. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";
import type * as activities from "./activities.js";

type Activities = typeof activities;
const once = wf.proxyActivities<Activities>({ startToCloseTimeout: "20s", retry: { maximumAttempts: 1 } });

const causeOf = (e: unknown) => (e as wf.ActivityFailure).cause as wf.ApplicationFailure & wf.TimeoutFailure;

export async function asyncByToken(): Promise<string> {
  return once.completedElsewhere();
}

export async function asyncById(): Promise<string> {
  const named = wf.proxyActivities<Activities>({ startToCloseTimeout: "20s", activityId: "by-hand", retry: { maximumAttempts: 1 } });
  try {
    return await named.completedElsewhere();
  } catch (e) {
    return `${causeOf(e).type}: ${causeOf(e).message}`;
  }
}

export const giveUp = wf.defineSignal("giveUp");

export async function asyncCanceled(): Promise<unknown> {
  const waits = wf.proxyActivities<Activities>({
    startToCloseTimeout: "20s",
    heartbeatTimeout: "10s",
    cancellationType: "WAIT_CANCELLATION_COMPLETED",
  });
  const scope = new wf.CancellationScope();
  wf.setHandler(giveUp, () => scope.cancel());
  try {
    return await scope.run(() => waits.completedElsewhere());
  } catch (e) {
    return ((e as wf.ActivityFailure).cause as wf.CancelledFailure).details[0];
  }
}

/** The signal comes while the activity runs; how the workflow sees the end is the cancellation type's. */
export async function canceledBy(type: "TRY_CANCEL" | "ABANDON"): Promise<string> {
  const slow = wf.proxyActivities<Activities>({ startToCloseTimeout: "20s", heartbeatTimeout: "10s", cancellationType: type });
  const scope = new wf.CancellationScope();
  wf.setHandler(giveUp, () => scope.cancel());
  try {
    return await scope.run(() => slow.waitsAtGate(wf.workflowInfo().workflowId));
  } catch (e) {
    return wf.isCancellation(e) ? "canceled" : "other";
  }
}

/** An activity that sends no heartbeats, and is waited for until it has ended. */
export async function canceledInSilence(): Promise<string> {
  const silent = wf.proxyActivities<Activities>({
    startToCloseTimeout: "20s",
    cancellationType: "WAIT_CANCELLATION_COMPLETED",
    retry: { maximumAttempts: 1 },
  });
  const scope = new wf.CancellationScope();
  wf.setHandler(giveUp, () => scope.cancel());
  return scope
    .run(() => silent.waitsInSilence())
    .then(
      () => "ended by itself",
      (e) => (e instanceof wf.ActivityFailure && e.cause instanceof wf.CancelledFailure ? "canceled" : "other"),
    );
}

/** An activity that was canceled before anybody took it. */
export async function canceledInQueue(): Promise<string> {
  const unwanted = wf.proxyActivities<Activities>({
    taskQueue: "nobody-polls-this-one",
    startToCloseTimeout: "20s",
    cancellationType: "WAIT_CANCELLATION_COMPLETED",
  });
  const scope = new wf.CancellationScope();
  const asked = scope.run(() => unwanted.slow()).catch((e) => (wf.isCancellation(e) ? "canceled" : "other"));
  await wf.sleep(1);
  scope.cancel();
  return asked;
}

export async function scheduleToClose(): Promise<unknown> {
  const short = wf.proxyActivities<Activities>({ scheduleToCloseTimeout: "4s", retry: { initialInterval: "10s" } });
  try {
    await short.failsAs("Passing");
    return "done";
  } catch (e) {
    return { retryState: (e as wf.ActivityFailure).retryState, type: causeOf(e).type };
  }
}

export async function notRetryableByPolicy(): Promise<unknown> {
  const policy = wf.proxyActivities<Activities>({ startToCloseTimeout: "20s", retry: { initialInterval: "1ms", nonRetryableErrorTypes: ["Fatal"] } });
  try {
    await policy.failsAs("Fatal");
    return "done";
  } catch (e) {
    const cause = causeOf(e);
    return {
      retryState: (e as wf.ActivityFailure).retryState,
      type: cause.type,
      details: cause.details,
      root: (cause.cause as wf.ApplicationFailure).message,
    };
  }
}

export async function attemptsUsedUp(): Promise<unknown> {
  const twice = wf.proxyActivities<Activities>({ startToCloseTimeout: "20s", retry: { initialInterval: "10ms", maximumAttempts: 3 } });
  try {
    await twice.failsAs("Passing");
    return "done";
  } catch (e) {
    return { retryState: (e as wf.ActivityFailure).retryState, details: causeOf(e).details };
  }
}

export async function heartbeatMissed(): Promise<unknown> {
  const beating = wf.proxyActivities<Activities>({ startToCloseTimeout: "20s", heartbeatTimeout: "800ms", retry: { maximumAttempts: 1 } });
  try {
    await beating.reportsOnce();
    return "done";
  } catch (e) {
    return { type: causeOf(e).timeoutType, last: causeOf(e).lastHeartbeatDetails };
  }
}

export async function pendingShown(): Promise<string> {
  const patient = wf.proxyActivities<Activities>({
    activityId: "shown",
    startToCloseTimeout: "20s",
    retry: { initialInterval: "1h", backoffCoefficient: 1, maximumAttempts: 7 },
  });
  const scope = new wf.CancellationScope();
  wf.setHandler(giveUp, () => scope.cancel());
  try {
    await scope.run(() => patient.failsAs("Passing"));
    return "done";
  } catch (e) {
    return wf.isCancellation(e) ? "canceled" : "other";
  }
}

export async function everythingKnown(): Promise<Record<string, unknown>> {
  const known = wf.proxyActivities<Activities>({
    activityId: "known",
    startToCloseTimeout: "11s",
    scheduleToCloseTimeout: "12s",
    heartbeatTimeout: "9s",
    priority: { priorityKey: 2, fairnessKey: "tenant" },
    summary: "what it is for",
  });
  return known.whoAmI();
}

export async function otherQueue(queue: string): Promise<unknown> {
  const there = wf.proxyActivities<Activities>({ taskQueue: queue, startToCloseTimeout: "20s" });
  return (await there.whoAmI())["queue"];
}

export async function megabyte(): Promise<number> {
  return once.sizeOf("x".repeat(1 << 20));
}

/** Beyond the threshold the SDK waits for the next attempt with a timer of the server. */
export async function localRetriedByTimer(): Promise<number> {
  const local = wf.proxyLocalActivities<Activities>({
    startToCloseTimeout: "5s",
    localRetryThreshold: "1ms",
    retry: { initialInterval: "50ms", backoffCoefficient: 1 },
  });
  return local.failTimes(`local-${wf.workflowInfo().workflowId}`, 1);
}

export async function localFails(): Promise<string> {
  const local = wf.proxyLocalActivities<Activities>({ startToCloseTimeout: "5s", retry: { maximumAttempts: 1 } });
  try {
    await local.failsAs("Local");
    return "done";
  } catch (e) {
    // The SDK throws what a local activity failed with as it is, without a wrapper.
    return (e as wf.ApplicationFailure).type ?? "";
  }
}

/** Takes longer than a workflow task may: the SDK asks for a new task again and again. */
export async function localOutlivesTask(): Promise<string> {
  const local = wf.proxyLocalActivities<Activities>({ startToCloseTimeout: "20s" });
  return local.waitsAtGate(wf.workflowInfo().workflowId);
}

/** The next activity depends on which of two came first. */
export async function firstOfTwo(): Promise<string> {
  const scope = new wf.CancellationScope();
  const slow = wf.proxyActivities<Activities>({ taskQueue: "nobody-polls-this-one", startToCloseTimeout: "20s", cancellationType: "TRY_CANCEL" });
  const never = scope.run(() => slow.slow()).catch(() => "lost");
  const winner = await Promise.race([once.echo("won"), never]);
  scope.cancel();
  return once.echo(`${winner} and ${await never}`);
}
