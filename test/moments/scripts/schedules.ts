/**
 * Schedules: when actions start, what is described of past and future ones. Intervals are met in the middle, so that a call that takes
 * its time is still before the next action.
 */
import { randomUUID } from "node:crypto";
import { ScheduleOverlapPolicy } from "../../../gen/wire/temporal/api/enums/v1/schedule.js";
import type { Schedule, ScheduleSpec } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import type { Init } from "../../../src/api/wire.js";
import { command as c, seconds } from "../../conformance/session.js";
import type { MomentScript, MomentSession } from "../moment-session.js";

const workflow = (s: MomentSession, extra: object = {}): NonNullable<Init<Schedule>["action"]> => ({
  action: {
    case: "startWorkflow",
    value: { workflowId: `${s.id}-w`, workflowType: { name: "T" }, taskQueue: { name: s.queue }, ...extra },
  } as never,
});
const every = (s: number): Init<ScheduleSpec> => ({ interval: [{ interval: seconds(s) }] });
const create = (s: MomentSession, schedule: Init<Schedule>) =>
  s.call("CreateSchedule", { scheduleId: s.id, requestId: randomUUID(), identity: "client", schedule: { action: workflow(s), ...schedule } });
const patch = (s: MomentSession, change: object) => s.call("PatchSchedule", { scheduleId: s.id, requestId: randomUUID(), patch: change });
const remove = (s: MomentSession) => s.call("DeleteSchedule", { scheduleId: s.id });
/** The workflow ids hold the time of the action; the moments of the action say the same. */
const describes = async (s: MomentSession, what: string) => {
  const { schedule, info } = await s.call("DescribeSchedule", { scheduleId: s.id });
  // Those of one moment have no order.
  const recentActions = info?.recentActions
    .map(({ scheduleTime, actualTime, startWorkflowStatus }) => ({ scheduleTime, actualTime, startWorkflowStatus }))
    .sort((a, b) => (a.scheduleTime?.seconds ?? 0) - (b.scheduleTime?.seconds ?? 0));
  s.leaves(what, {
    state: schedule?.state,
    policies: schedule?.policies,
    info: { ...info, runningWorkflows: info?.runningWorkflows.length, recentActions },
  });
};
/** Whether a workflow that was started still runs does not matter. */
const OFTEN = { overlapPolicy: ScheduleOverlapPolicy.ALLOW_ALL };
const middleOf = (s: MomentSession, interval: number) => s.phase(interval, 0.5);
/** The workflows that start by then, each done at once. */
const started = async (s: MomentSession, until: number) => {
  for await (const t of s.workflowTasks(until)) await s.complete(t, c.complete());
  // The official server's schedule hears of the end a little later.
  await s.sleep(300);
};
const range = (start: number, end = start) => [{ start, end, step: 0 }];
const MINUTELY = {
  second: range(0),
  minute: range(0, 59),
  hour: range(0, 23),
  dayOfMonth: range(1, 31),
  month: range(1, 12),
  dayOfWeek: range(0, 6),
};

export const scripts: Record<string, MomentScript> = {
  "an interval": async (s) => {
    await middleOf(s, 4);
    await create(s, { spec: every(4), policies: OFTEN });
    await s.sleep(500);
    await describes(s, "created");
    await started(s, s.elapsed + 10.5);
    await describes(s, "after three");
    await remove(s);
  },
  "an interval with a phase": async (s) => {
    await middleOf(s, 8);
    await create(s, { spec: { interval: [{ interval: seconds(8), phase: seconds(6) }] }, policies: OFTEN });
    await started(s, s.elapsed + 4);
    await describes(s, "after one");
    await remove(s);
  },
  "an action that waits for the one before": async (s) => {
    await middleOf(s, 4);
    await create(s, { spec: every(4), policies: { overlapPolicy: ScheduleOverlapPolicy.BUFFER_ONE } });
    const t = await s.workflowTaskBy(s.elapsed + 4);
    s.happens("first");
    await s.sleep(5500);
    await describes(s, "one waits");
    await s.complete(t, c.complete());
    s.happens("first ends");
    await started(s, s.elapsed + 1.5);
    await describes(s, "it has started");
    await remove(s);
  },
  "an action that is skipped": async (s) => {
    await middleOf(s, 4);
    await create(s, { spec: every(4), policies: { overlapPolicy: ScheduleOverlapPolicy.SKIP } });
    const t = await s.workflowTaskBy(s.elapsed + 4);
    await s.sleep(5500);
    await describes(s, "one is skipped");
    await s.complete(t, c.complete());
    await started(s, s.elapsed + 4);
    await describes(s, "the next has started");
    await remove(s);
  },
  "triggered by hand": async (s) => {
    await create(s, { spec: { structuredCalendar: [{ ...MINUTELY, year: range(2099) }] } });
    await s.goTo(1);
    await patch(s, { triggerImmediately: { overlapPolicy: ScheduleOverlapPolicy.ALLOW_ALL } });
    await started(s, 3);
    await describes(s, "triggered");
    await remove(s);
  },
  "paused over two actions": async (s) => {
    await middleOf(s, 4);
    await create(s, { spec: every(4), policies: { ...OFTEN, catchupWindow: seconds(365 * 86_400) } });
    await patch(s, { pause: "wait" });
    await s.sleep(6500);
    await describes(s, "paused");
    await patch(s, { unpause: "go" });
    await started(s, s.elapsed + 3);
    await describes(s, "goes on");
    await remove(s);
  },
  "a number of actions": async (s) => {
    await middleOf(s, 4);
    await create(s, { spec: every(4), policies: OFTEN, state: { limitedActions: true, remainingActions: 1 } });
    await started(s, s.elapsed + 7.5);
    await describes(s, "none is left");
    await remove(s);
  },
  "a spec that begins and ends": async (s) => {
    await middleOf(s, 4);
    const now = s.elapsed;
    const spec = { ...every(4), startTime: s.moment(now + 4), endTime: s.moment(now + 8) };
    await create(s, { spec, policies: OFTEN });
    await s.sleep(500);
    await describes(s, "created");
    await started(s, now + 10.5);
    await describes(s, "over");
    await remove(s);
  },
  "a calendar in a time zone": async (s) => {
    await s.phase(60, 0.5);
    await create(s, {
      spec: { structuredCalendar: [{ ...MINUTELY, minute: [{ start: 0, end: 59, step: 7 }], hour: range(3, 5) }], timezoneName: "Asia/Kathmandu" },
    });
    await s.sleep(1000);
    await describes(s, "created");
    const times = await s.call("ListScheduleMatchingTimes", { scheduleId: s.id, startTime: s.moment(0), endTime: s.moment(172_800) });
    s.leaves("matching", times.startTime);
    await remove(s);
  },
  "a backfill": async (s) => {
    await create(s, { spec: every(3600), state: { paused: true } });
    const hour = (n: number) => ({ seconds: Math.floor(s.began / 3600 + n) * 3600 + 60 * (n < 0 ? -1 : 1), nanos: 0 });
    await patch(s, { backfillRequest: [{ startTime: hour(-3), endTime: hour(-1), overlapPolicy: ScheduleOverlapPolicy.ALLOW_ALL }] });
    await started(s, 4);
    await describes(s, "backfilled");
    await remove(s);
  },
  "another interval": async (s) => {
    await middleOf(s, 8);
    await create(s, { spec: every(3600), policies: OFTEN });
    await s.sleep(500);
    await s.call("UpdateSchedule", {
      scheduleId: s.id,
      requestId: randomUUID(),
      schedule: { action: workflow(s, { workflowRunTimeout: seconds(9) }), spec: every(4), policies: OFTEN },
    });
    await started(s, s.elapsed + 6);
    await describes(s, "updated");
    await remove(s);
  },
  listed: async (s) => {
    await middleOf(s, 4);
    await create(s, { spec: every(4), policies: OFTEN });
    await s.sleep(4500);
    const { schedules } = await s.call("ListSchedules", { query: `ScheduleId = '${s.id}'` });
    for (const { info } of schedules) {
      const recentActions = info?.recentActions.map(({ scheduleTime, actualTime }) => ({ scheduleTime, actualTime }));
      s.leaves("entry", { ...info, recentActions });
    }
    await remove(s);
  },
};
