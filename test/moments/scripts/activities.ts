/** Activities of a workflow: when each attempt comes, when each timeout fires, what is described in between. */
import { command as c, seconds } from "../../conformance/session.js";
import type { MomentScript, MomentSession } from "../moment-session.js";
import { completeActivity, failActivity, heartbeat } from "../outcomes.js";

const once = { maximumAttempts: 1 };
const of = (s: MomentSession) => ({ execution: { workflowId: s.id }, identity: "operator" });
const activity = { case: "id" as const, value: "a" };
/** The workflow hears how it ended, and ends. */
const told = async (s: MomentSession, until: number): Promise<void> => {
  for await (const t of s.workflowTasks(until)) await s.complete(t, c.complete());
  await s.events("history");
};
const scheduled = (s: MomentSession, extra: object) => s.running([c.activity(s, "a", extra)]);

export const scripts: Record<string, MomentScript> = {
  "retries whose interval grows to its maximum": async (s) => {
    const retryPolicy = { initialInterval: seconds(1), backoffCoefficient: 2, maximumInterval: seconds(3), maximumAttempts: 5 };
    await scheduled(s, { retryPolicy });
    for await (const t of s.activityTasks(12)) await failActivity(s, t);
    await told(s, 14);
  },
  "retries without a policy": async (s) => {
    await scheduled(s, {});
    for await (const t of s.activityTasks(10)) await failActivity(s, t);
  },
  "a failure that says when to retry": async (s) => {
    await scheduled(s, { retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } });
    for await (const t of s.activityTasks(6)) await failActivity(s, t, { nextRetryDelay: seconds(3) });
    await told(s, 8);
  },
  "start-to-close, retried": async (s) => {
    await scheduled(s, { startToCloseTimeout: seconds(1.5), retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } });
    for await (const _ of s.activityTasks(6));
    await told(s, 8);
  },
  "schedule-to-start": async (s) => {
    await scheduled(s, { scheduleToStartTimeout: seconds(2) });
    await told(s, 4);
  },
  "schedule-to-close, of an attempt that runs": async (s) => {
    await scheduled(s, { startToCloseTimeout: seconds(10), scheduleToCloseTimeout: seconds(3) });
    await s.activityTaskBy(2);
    await told(s, 5);
  },
  "schedule-to-close, with no time for another attempt": async (s) => {
    await scheduled(s, { scheduleToCloseTimeout: seconds(4), retryPolicy: { initialInterval: seconds(3), backoffCoefficient: 1 } });
    for await (const t of s.activityTasks(5)) await failActivity(s, t);
    await told(s, 7);
  },
  "schedule-to-close, while nobody takes it": async (s) => {
    await scheduled(s, { scheduleToCloseTimeout: seconds(2) });
    await told(s, 4);
  },
  "heartbeats that stop": async (s) => {
    await scheduled(s, { startToCloseTimeout: seconds(20), heartbeatTimeout: seconds(2), retryPolicy: once });
    const t = await s.activityTaskBy(2);
    for (const at of [1, 2, 3]) {
      await s.goTo(at);
      await heartbeat(s, t);
      s.happens("heartbeat");
    }
    await told(s, 7);
  },
  "heartbeats that never come, retried": async (s) => {
    await scheduled(s, { heartbeatTimeout: seconds(1), retryPolicy: { initialInterval: seconds(2), maximumAttempts: 2 } });
    for await (const _ of s.activityTasks(6));
    await told(s, 8);
  },
  "described in each state": async (s) => {
    await s.running([
      c.activity(s, "a", {
        startToCloseTimeout: seconds(5),
        scheduleToCloseTimeout: seconds(60),
        heartbeatTimeout: seconds(3),
        retryPolicy: { initialInterval: seconds(4) },
      }),
      c.activity(s, "b", {
        taskQueue: { name: `${s.queue}-other` },
        scheduleToStartTimeout: seconds(20),
        scheduleToCloseTimeout: seconds(30),
      }),
    ]);
    await s.describes("scheduled");
    const t = await s.activityTaskBy(3);
    s.leaves("task", t);
    await heartbeat(s, t);
    await s.describes("started");
    await s.goTo(1.5);
    await failActivity(s, t);
    await s.describes("backing off");
    const u = await s.activityTaskBy(8);
    s.leaves("second task", u);
    await s.describes("started again");
    await s.goTo(10);
    await s.describes("timed out");
  },
  "paused while it backs off, and let go on": async (s) => {
    await scheduled(s, { retryPolicy: { initialInterval: seconds(2), backoffCoefficient: 1 } });
    await failActivity(s, await s.activityTaskBy(2));
    await s.call("PauseActivity", { ...of(s), activity, reason: "r", requestId: "p" });
    await s.goTo(1);
    await s.describes("paused");
    await s.goTo(4);
    await s.call("UnpauseActivity", { ...of(s), activity });
    await s.describes("goes on");
    for await (const t of s.activityTasks(6)) await completeActivity(s, t);
  },
  "let go on before its backoff is over": async (s) => {
    await scheduled(s, { retryPolicy: { initialInterval: seconds(4), backoffCoefficient: 1 } });
    await failActivity(s, await s.activityTaskBy(2));
    await s.call("PauseActivity", { ...of(s), activity, reason: "r", requestId: "p" });
    await s.goTo(1);
    await s.call("UnpauseActivity", { ...of(s), activity });
    await s.describes("goes on");
    for await (const t of s.activityTasks(7)) await completeActivity(s, t);
  },
  "reset while it backs off": async (s) => {
    await scheduled(s, { retryPolicy: { initialInterval: seconds(10) } });
    await failActivity(s, await s.activityTaskBy(2));
    await s.goTo(1);
    await s.call("ResetActivity", { ...of(s), activity });
    await s.describes("reset");
    for await (const t of s.activityTasks(4)) await completeActivity(s, t);
  },
  "another interval while it backs off": async (s) => {
    await scheduled(s, { retryPolicy: { initialInterval: seconds(10) } });
    await failActivity(s, await s.activityTaskBy(2));
    await s.goTo(1);
    await s.call("UpdateActivityOptions", {
      ...of(s),
      activity,
      activityOptions: { retryPolicy: { initialInterval: seconds(3) } },
      updateMask: { paths: ["retry_policy.initial_interval"] },
    });
    await s.describes("updated");
    for await (const t of s.activityTasks(6)) await completeActivity(s, t);
  },
  "another start-to-close while an attempt runs": async (s) => {
    await scheduled(s, { startToCloseTimeout: seconds(20), retryPolicy: once });
    await s.activityTaskBy(2);
    await s.goTo(1);
    await s.call("UpdateActivityOptions", {
      ...of(s),
      activity,
      activityOptions: { startToCloseTimeout: seconds(3) },
      updateMask: { paths: ["start_to_close_timeout"] },
    });
    await told(s, 6);
  },
  "an attempt that comes due while its workflow is paused": async (s) => {
    await scheduled(s, { retryPolicy: { initialInterval: seconds(2), backoffCoefficient: 1 } });
    await failActivity(s, await s.activityTaskBy(2));
    await s.call("PauseWorkflowExecution", { workflowId: s.id, identity: "operator", reason: "r", requestId: "p" });
    await s.goTo(4);
    await s.describes("paused");
    await s.call("UnpauseWorkflowExecution", { workflowId: s.id, identity: "operator", reason: "r", requestId: "u" });
    for await (const t of s.activityTasks(6)) await completeActivity(s, t);
  },
};
