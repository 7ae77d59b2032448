/** Standalone activities: when attempts come and timeouts fire, and what is described in each state. */
import { seconds } from "../../conformance/session.js";
import type { MomentScript, MomentSession } from "../moment-session.js";
import { completeActivity, failActivity, heartbeat } from "../outcomes.js";

const start = (s: MomentSession, extra: object = {}) =>
  s.call("StartActivityExecution", {
    activityId: s.id,
    requestId: s.id,
    identity: "client",
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(20),
    ...extra,
  } as never);
const of = (s: MomentSession) => ({ activityId: s.id, identity: "operator" });
const describes = async (s: MomentSession, what: string) => s.leaves(what, await s.call("DescribeActivityExecution", { activityId: s.id }));

export const scripts: Record<string, MomentScript> = {
  "described in each state": async (s) => {
    await start(s, {
      scheduleToCloseTimeout: seconds(60),
      heartbeatTimeout: seconds(4),
      retryPolicy: { initialInterval: seconds(3) },
    });
    await describes(s, "scheduled");
    const t = await s.activityTaskBy(3);
    s.leaves("task", t);
    await heartbeat(s, t);
    await describes(s, "started");
    await s.goTo(1.5);
    await failActivity(s, t);
    await describes(s, "backing off");
    const u = await s.activityTaskBy(7);
    s.leaves("second task", u);
    await describes(s, "started again");
    await s.goTo(6.5);
    await completeActivity(s, u);
    await describes(s, "completed");
  },
  "retries whose interval grows to its maximum": async (s) => {
    await start(s, {
      retryPolicy: { initialInterval: seconds(1), backoffCoefficient: 2, maximumInterval: seconds(3), maximumAttempts: 5 },
    });
    for await (const t of s.activityTasks(12)) await failActivity(s, t);
    await describes(s, "failed");
  },
  "schedule-to-close ends its retries": async (s) => {
    await start(s, { scheduleToCloseTimeout: seconds(4), retryPolicy: { initialInterval: seconds(3), backoffCoefficient: 1 } });
    for await (const t of s.activityTasks(6)) await failActivity(s, t);
    await describes(s, "ended");
  },
  "schedule-to-start": async (s) => {
    await start(s, { scheduleToStartTimeout: seconds(2) });
    await s.goTo(4);
    await describes(s, "timed out");
  },
  "heartbeats that stop": async (s) => {
    await start(s, { heartbeatTimeout: seconds(2), retryPolicy: { maximumAttempts: 1 } });
    const t = await s.activityTaskBy(2);
    for (const at of [1, 2]) {
      await s.goTo(at);
      await heartbeat(s, t);
    }
    await s.goTo(6);
    await describes(s, "timed out");
  },
  "a delay of the start": async (s) => {
    await start(s, { startDelay: seconds(3), scheduleToCloseTimeout: seconds(10) });
    await describes(s, "waits");
    for await (const t of s.activityTasks(5)) await completeActivity(s, t);
    await describes(s, "completed");
  },
  "paused, and let go on": async (s) => {
    await start(s, { retryPolicy: { initialInterval: seconds(2), backoffCoefficient: 1 } });
    await failActivity(s, await s.activityTaskBy(2));
    await s.call("PauseActivityExecution", { ...of(s), reason: "r", requestId: "p" });
    await s.goTo(4);
    await describes(s, "paused");
    await s.call("UnpauseActivityExecution", { ...of(s), requestId: "u" });
    await describes(s, "goes on");
    for await (const t of s.activityTasks(6)) await completeActivity(s, t);
  },
  "asked to cancel, and terminated": async (s) => {
    await start(s);
    await s.activityTaskBy(2);
    await s.goTo(1);
    await s.call("RequestCancelActivityExecution", { ...of(s), requestId: "c", reason: "enough" });
    await describes(s, "asked");
    await s.goTo(2.5);
    await s.call("TerminateActivityExecution", { ...of(s), requestId: "t", reason: "end" });
    await describes(s, "terminated");
  },
  "listed while it runs, and when it has ended": async (s) => {
    await start(s);
    const list = () => s.call("ListActivityExecutions", { query: `ActivityId = '${s.id}'` });
    await s.goTo(2);
    s.leaves("running", await list());
    await completeActivity(s, await s.activityTaskBy(4));
    await s.goTo(5);
    s.leaves("completed", await list());
  },
};
