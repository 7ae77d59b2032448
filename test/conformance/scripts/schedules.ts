/**
 * Schedules: specs and the times that they mean, actions by the clock and by hand, overlaps, backfills, updates, lists. The official
 * server runs its newer scheduler for them (history.enableCHASMSchedulerCreation): the older one answers before it has acted.
 */
import { randomUUID } from "node:crypto";
import { Payload, Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { Schedule, ScheduleSpec } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import type { DescribeScheduleResponse, PollWorkflowTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode, type Init } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds, shown } from "../session.js";

const field = (v: string) => payloads(v).subarray(2);

/** Times of workflow ids and attributes, of whichever precision. */
const untimed = (text: string): string => text.replace(/.?"\d{4}-\d\d-\d\dT[\d:.]+Z"/gs, '"<when>"').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<when>");

function plain(value: unknown): unknown {
  if (typeof value === "string") return untimed(value);
  if (value instanceof Uint8Array) return Buffer.from(untimed(Buffer.from(value).toString("latin1")), "latin1");
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  // The older scheduler and this server show attributes with their types, the newer one without.
  if ("indexedFields" in value) {
    const { BuildIds: _versions, ...fields } = value.indexedFields as Record<string, Uint8Array>;
    return Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, plain(decode(Payload, v).data)]));
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
}

const action = (s: Session, extra: object = {}): NonNullable<Init<Schedule>["action"]> => ({
  action: {
    case: "startWorkflow",
    value: { workflowId: `${s.id}-w`, workflowType: { name: "T" }, taskQueue: { name: s.queue }, input: payloads("in"), ...extra },
  } as never,
});

const create = (s: Session, schedule: Init<Schedule> = {}, more: object = {}) =>
  s.call("CreateSchedule", { scheduleId: s.id, requestId: randomUUID(), identity: "client", schedule: { action: action(s), ...schedule }, ...more });

const patch = (s: Session, p: object) => s.call("PatchSchedule", { scheduleId: s.id, requestId: randomUUID(), patch: p });
const trigger = (s: Session, overlapPolicy = 0) => patch(s, { triggerImmediately: { overlapPolicy } });
const describe = (s: Session) => s.call("DescribeSchedule", { scheduleId: s.id });

/** What differs from run to run by nature is left out: the order of actions of one moment, sizes, the time of an update that never was. */
function shownSchedule({ schedule, info, memo, searchAttributes, conflictToken }: DescribeScheduleResponse): unknown {
  const { stateSizeBytes: _size, futureActionTimes, updateTime, recentActions, runningWorkflows, ...rest } = info ?? ({} as never);
  return plain({
    schedule,
    info: {
      ...rest,
      isUpdated: (updateTime?.seconds ?? 0) > 0,
      future: futureActionTimes.length,
      running: runningWorkflows.length,
      recent: recentActions
        .map((r) => ({ id: r.startWorkflowResult?.workflowId, status: r.startWorkflowStatus }))
        .sort((a, b) => a.status - b.status),
    },
    memo,
    searchAttributes,
    token: [...conflictToken],
  });
}

async function showSchedule(s: Session): Promise<DescribeScheduleResponse> {
  return s.shown("DescribeSchedule", { scheduleId: s.id }, shownSchedule);
}

const counts = ({ info }: DescribeScheduleResponse) => ({
  actions: info?.actionCount,
  skipped: info?.overlapSkipped,
  buffered: info?.bufferSize,
  running: info?.runningWorkflows.length,
});

async function until(s: Session, what: string, isSo: (d: DescribeScheduleResponse) => boolean): Promise<DescribeScheduleResponse> {
  let last: DescribeScheduleResponse | undefined;
  await s.until(what, async () => {
    last = await describe(s);
    return isSo(last);
  });
  return last as DescribeScheduleResponse;
}

const started = (s: Session, n: number) => until(s, `${n} actions have started`, (d) => d.info?.actionCount === n);
const ended = (s: Session) => until(s, "no action runs", (d) => d.info?.runningWorkflows.length === 0 && d.info.bufferSize === 0);

/** Answers the next workflow task, of whichever action it is. */
async function answer(s: Session, ...commands: Parameters<Session["answer"]>[0]): Promise<PollWorkflowTaskQueueResponse> {
  const task = await s.workflowTask();
  await s.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, identity: "worker", commands });
  return task;
}

const startOf = (task: PollWorkflowTaskQueueResponse) => {
  const [first] = decode(History, task.history ?? new Uint8Array(0)).events;
  if (first === undefined) throw new Error("a task begins with the start event");
  // How this server and the official one hear of the end is their own.
  const { completionCallbacks: _own, ...event } = shown(first) as Record<string, unknown>;
  return plain(event) as Record<string, unknown>;
};

/** Times in seconds, as they are. */
async function times(s: Session, name: string, spec: Init<ScheduleSpec>, from: string, to: string): Promise<void> {
  const scheduleId = `${s.id}-${name}`;
  await s.call("CreateSchedule", { scheduleId, requestId: randomUUID(), schedule: { spec, action: action(s), state: { paused: true } } });
  const at = (t: string) => ({ seconds: Date.parse(t) / 1000, nanos: 0 });
  const r = await s.call("ListScheduleMatchingTimes", { scheduleId, startTime: at(from), endTime: at(to) });
  s.note(
    name,
    r.startTime.map((t) => new Date(t.seconds * 1000).toISOString()),
  );
  await s.call("DeleteSchedule", { scheduleId });
}

const range = (start: number, end = 0, step = 0) => [{ start, end, step }];
const everyDay = { dayOfMonth: range(1, 31), month: range(1, 12), dayOfWeek: range(0, 6) };
const noon = { second: range(0), minute: range(0), hour: range(12), ...everyDay };

export const scripts: Record<string, Script> = {
  "requests that are refused": async (s) => {
    const ok = { scheduleId: s.id, requestId: "r", schedule: { action: action(s) } };
    await s.refused("CreateSchedule", { ...ok, requestId: "" });
    await s.refused("CreateSchedule", { ...ok, requestId: "x".repeat(1001) });
    await s.refused("CreateSchedule", { ...ok, scheduleId: "" });
    await s.refused("CreateSchedule", { ...ok, scheduleId: "x".repeat(1000) });
    await s.refused("CreateSchedule", { ...ok, schedule: {} });
    await s.refused("CreateSchedule", { ...ok, schedule: undefined });
    for (const bad of [
      { workflowId: "x".repeat(990) },
      { workflowType: undefined },
      { workflowType: { name: "x".repeat(1001) } },
      { taskQueue: undefined },
      { taskQueue: { name: "" } },
      { taskQueue: { name: "temporal-sys-per-ns-tq" } },
      { workflowExecutionTimeout: seconds(-1) },
      { workflowTaskTimeout: seconds(-1) },
      { cronSchedule: "* * * * *" },
      { workflowIdReusePolicy: 3 },
      { searchAttributes: { indexedFields: { Nope: field("v") } } },
    ]) {
      await s.refused("CreateSchedule", { ...ok, schedule: { action: action(s, bad) } });
      await s.refused("UpdateSchedule", { scheduleId: s.id, schedule: { action: action(s, bad) } });
    }
    await s.refused("CreateSchedule", { ...ok, searchAttributes: { indexedFields: { Nope: field("v") } } });
    await s.refused("UpdateSchedule", { scheduleId: s.id, schedule: {} });
    await s.refused("UpdateSchedule", { scheduleId: s.id, requestId: "x".repeat(1001), schedule: { action: action(s) } });
    await s.refused("PatchSchedule", { scheduleId: s.id });
    await s.refused("PatchSchedule", { scheduleId: s.id, patch: {}, requestId: "x".repeat(1001) });
    await s.refused("PatchSchedule", { scheduleId: s.id, patch: { pause: "x".repeat(1001) } });
    await s.refused("PatchSchedule", { scheduleId: s.id, patch: { unpause: "x".repeat(1001) } });
    const big = encode(Payloads, { payloads: [encode(Payload, { data: new Uint8Array(2 * 1024 * 1024) })] });
    await s.refused("CreateSchedule", { ...ok, schedule: { action: action(s, { input: big }) } });
  },
  "schedules that do not exist": async (s) => {
    await s.refused("DescribeSchedule", { scheduleId: s.id });
    await s.refused("UpdateSchedule", { scheduleId: s.id, schedule: { action: action(s) } });
    await s.refused("PatchSchedule", { scheduleId: s.id, patch: { pause: "p" } });
    await s.refused("DeleteSchedule", { scheduleId: s.id });
    await s.refused("ListScheduleMatchingTimes", { scheduleId: s.id, startTime: seconds(1), endTime: seconds(2) });
    for (const method of ["DescribeSchedule", "DeleteSchedule", "ListScheduleMatchingTimes", "ListSchedules", "CountSchedules"] as const)
      await s.refused(method, { namespace: "nobody", scheduleId: s.id } as never);
    await s.refused("CreateSchedule", { namespace: "nobody", scheduleId: s.id, requestId: "r", schedule: { action: action(s) } });
    for (const method of ["DescribeSchedule", "ListScheduleMatchingTimes"] as const) await s.refused(method, { scheduleId: "" });
    await s.refused("UpdateSchedule", { scheduleId: "", schedule: { action: action(s) } });
    await s.refused("PatchSchedule", { scheduleId: "", patch: {} });
    await s.refused("PatchSchedule", { namespace: "nobody", scheduleId: s.id, patch: { pause: "p" } });
  },
  "specs that are refused": async (s) => {
    const specs: Init<ScheduleSpec>[] = [
      ...["", "* * * *", "* * * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a * * * *", "5-1 * * * *"].map(
        (cron) => ({ cronString: [cron] }),
      ),
      ...["1-2-3 * * * *", "1/2/3 * * * *", "1/ * * * *", "1/0 * * * *", "1/x * * * *", "1/-1 * * * *", "* * * Ja *", "* * * * S"].map((cron) => ({
        cronString: [cron],
      })),
      ...[
        "@every",
        "@every x",
        "@every 5",
        "@every 0.5s",
        "@every 1h/1h",
        "@every 1h/-1m",
        "@every 3x",
        "@never",
        "TZ=UTC",
        "TZ=Nowhere/Land * * * * *",
      ].map((cron) => ({ cronString: [cron] })),
      { cronString: ["* * * * * 1999"] },
      { cronString: ["TZ=UTC * * * * *", "* * * * *"] },
      { cronString: ["TZ=UTC * * * * *"], timezoneName: "Europe/Berlin" },
      { timezoneName: "Nowhere/Land" },
      { timezoneName: "../etc" },
      { timezoneName: "/UTC" },
      { timezoneData: new Uint8Array([1, 2, 3]) },
      { calendar: [{ hour: "25", minute: "61", month: "Foo" }] },
      { calendar: [{ comment: "x".repeat(201) }] },
      { excludeCalendar: [{ dayOfWeek: "9" }] },
      { structuredCalendar: [{ second: range(60), minute: range(5, 3), hour: range(1, 2, -1), dayOfMonth: range(0), year: range(1999) }] },
      { structuredCalendar: [{ comment: "x".repeat(201) }] },
      { interval: [{}] },
      { interval: [{ interval: { seconds: 0, nanos: 999_999_999 } }] },
      { interval: [{ interval: seconds(10), phase: seconds(10) }] },
      { interval: [{ interval: seconds(10), phase: seconds(-1) }] },
      { interval: [{ interval: { seconds: 5, nanos: -1 } }] },
    ];
    for (const spec of specs) await s.refused("CreateSchedule", { scheduleId: s.id, requestId: "r", schedule: { spec, action: action(s) } });
    await create(s);
    await s.refused("UpdateSchedule", { scheduleId: s.id, schedule: { spec: { cronString: ["x"] }, action: action(s) } });
    await s.refused("ListScheduleMatchingTimes", { scheduleId: s.id });
  },
  "a spec in the form that is kept": async (s) => {
    await create(
      s,
      {
        spec: {
          cronString: [
            "TZ=Europe/Berlin 0,30 8-17/3 * JAN-mar,dec mon-FRI # working hours",
            "CRON_TZ=Europe/Berlin 15 5 12 1 2 sun 2030",
            "TZ=Europe/Berlin @weekly",
          ],
          calendar: [
            { second: "5/20", hour: "*", dayOfWeek: "3-7/2", month: "2", year: "2030-2032", comment: "odd" },
            { dayOfWeek: "7" },
            { dayOfWeek: "1-7" },
          ],
          structuredCalendar: [{ ...noon, year: range(2031, 2040, 2) }],
          interval: [{ interval: seconds(3600), phase: seconds(60) }],
          excludeCalendar: [{ month: "12", dayOfMonth: "24-26" }],
          startTime: seconds(1_900_000_000),
          endTime: seconds(2_500_000_000),
          jitter: seconds(7),
        },
        policies: { overlapPolicy: 3, catchupWindow: seconds(3), pauseOnFailure: true },
        state: { paused: true, notes: "not yet", limitedActions: true, remainingActions: 3 },
        action: action(s, { memo: { fields: { m: field("v") } }, searchAttributes: { indexedFields: { ConformanceKeyword: field("kw") } } }),
      },
      { memo: { fields: { a: field("b") } }, searchAttributes: { indexedFields: { ConformanceKeyword: field("k2") } } },
    );
    await showSchedule(s);
  },
  "an interval in days, and what is not asked for": async (s) => {
    await create(s, { spec: { cronString: ["@every 1.5d/90m"] }, state: { paused: true }, policies: { catchupWindow: seconds(3600) } });
    await showSchedule(s);
  },
  "times of calendars": async (s) => {
    await times(s, "noon", { structuredCalendar: [noon] }, "2030-01-01T00:00:00Z", "2030-01-04T00:00:00Z");
    await times(s, "inclusive-end", { structuredCalendar: [noon] }, "2030-01-01T12:00:00Z", "2030-01-02T12:00:00Z");
    await times(s, "leap-day", { cronString: ["0 0 29 2 *"] }, "2027-01-01T00:00:00Z", "2041-01-01T00:00:00Z");
    await times(s, "both-days", { cronString: ["0 0 13 * FRI"] }, "2030-01-01T00:00:00Z", "2032-01-01T00:00:00Z");
    await times(s, "seconds", { cronString: ["10,40 59 23 31 12 * 2030"] }, "2029-01-01T00:00:00Z", "2032-01-01T00:00:00Z");
    await times(s, "sunday-is-seven", { cronString: ["0 6 * * 5-7"] }, "2030-03-01T00:00:00Z", "2030-03-12T00:00:00Z");
    await times(s, "never", { cronString: ["0 0 30 2 *"] }, "2030-01-01T00:00:00Z", "2040-01-01T00:00:00Z");
    await times(s, "nothing", {}, "2030-01-01T00:00:00Z", "2040-01-01T00:00:00Z");
    await times(s, "last-year", { cronString: ["0 0 1 1 * 2099-2100"] }, "2030-01-01T00:00:00Z", "2150-01-01T00:00:00Z");
  },
  "times where the clocks change": async (s) => {
    const zones = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"];
    for (const timezoneName of zones) {
      const name = timezoneName.replace("/", "-");
      await times(s, `${name}-spring`, { cronString: ["30 1,2,3 * * *"], timezoneName }, "2030-03-08T00:00:00Z", "2030-03-12T12:00:00Z");
      await times(s, `${name}-end-of-march`, { cronString: ["*/20 2 * * *"], timezoneName }, "2030-03-30T12:00:00Z", "2030-04-01T12:00:00Z");
      await times(s, `${name}-autumn`, { cronString: ["0,30 0-3 * * *"], timezoneName }, "2030-10-05T12:00:00Z", "2030-10-07T12:00:00Z");
      await times(s, `${name}-november`, { cronString: ["0,30 1,2 * * *"], timezoneName }, "2030-11-02T12:00:00Z", "2030-11-04T12:00:00Z");
    }
    await times(
      s,
      "midnight-that-is-not",
      { cronString: ["0 0 * * *"], timezoneName: "America/Sao_Paulo" },
      "2018-11-03T00:00:00Z",
      "2018-11-06T00:00:00Z",
    );
    await times(s, "day-that-is-not", { cronString: ["0 12 * * *"], timezoneName: "Pacific/Apia" }, "2011-12-28T00:00:00Z", "2012-01-02T00:00:00Z");
    await times(
      s,
      "sunday-at-midnight",
      { cronString: ["0 0 * * SUN"], timezoneName: "America/Sao_Paulo" },
      "2018-10-20T00:00:00Z",
      "2018-11-20T00:00:00Z",
    );
  },
  "times of intervals, limits and exclusions": async (s) => {
    const hourly = [{ interval: seconds(3600), phase: seconds(900) }];
    await times(s, "interval", { interval: hourly }, "2030-01-01T00:00:00Z", "2030-01-01T04:00:00Z");
    await times(s, "two", { interval: [...hourly, { interval: seconds(5400) }] }, "2030-01-01T00:00:00Z", "2030-01-01T06:00:00Z");
    const at = (t: string) => seconds(Date.parse(t) / 1000);
    await times(s, "start", { interval: hourly, startTime: at("2030-01-01T02:15:00Z") }, "2030-01-01T00:00:00Z", "2030-01-01T05:00:00Z");
    await times(s, "end", { interval: hourly, endTime: at("2030-01-01T02:15:00Z") }, "2030-01-01T00:00:00Z", "2030-01-01T05:00:00Z");
    const nights = { second: range(0, 59), minute: range(0, 59), hour: [...range(0, 7), ...range(18, 23)], ...everyDay };
    const weekends = { second: range(0, 59), minute: range(0, 59), hour: range(0, 23), ...everyDay, dayOfWeek: [...range(0), ...range(6)] };
    const halfHours = [{ interval: seconds(1800) }];
    await times(s, "nights", { interval: halfHours, excludeStructuredCalendar: [nights] }, "2030-01-01T16:00:00Z", "2030-01-02T09:00:00Z");
    await times(
      s,
      "weekends",
      { interval: [{ interval: seconds(21_600) }], excludeStructuredCalendar: [weekends, nights], timezoneName: "Europe/Berlin" },
      "2030-01-03T16:00:00Z",
      "2030-01-08T00:00:00Z",
    );
    await times(s, "single", { interval: halfHours, excludeCalendar: [{ hour: "1", minute: "30" }] }, "2030-01-01T00:30:00Z", "2030-01-01T02:30:00Z");
    await times(
      s,
      "many",
      { interval: [{ interval: seconds(1) }], excludeStructuredCalendar: [nights] },
      "2030-01-01T17:59:58Z",
      "2030-01-02T08:00:01Z",
    );
  },
  "times that are all excluded": async (s) => {
    const always = { second: range(0, 59), minute: range(0, 59), hour: range(0, 23), ...everyDay };
    await create(s, { spec: { interval: [{ interval: seconds(1) }], excludeStructuredCalendar: [always] } });
    await s.refused("ListScheduleMatchingTimes", { scheduleId: s.id, startTime: seconds(1_700_000_000), endTime: seconds(1_800_000_000) });
    s.note("none are shown", (await describe(s)).info?.futureActionTimes.length);
  },
  "an action by the clock": async (s) => {
    await create(s, {
      spec: { interval: [{ interval: seconds(3) }] },
      state: { limitedActions: true, remainingActions: 1 },
      action: action(s, {
        memo: { fields: { m: field("v") } },
        header: undefined,
        workflowExecutionTimeout: seconds(100),
        workflowTaskTimeout: seconds(5),
        retryPolicy: { maximumAttempts: 2 },
        searchAttributes: { indexedFields: { ConformanceKeyword: field("kw") } },
        userMetadata: { summary: field("s") },
        priority: { priorityKey: 2 },
      }),
    });
    s.note("counts", counts(await started(s, 1)));
    const task = await answer(s, c.complete(payloads("out")));
    s.note("the start", startOf(task));
    await ended(s);
    await showSchedule(s);
    await s.shown("DescribeWorkflowExecution", { execution: task.workflowExecution }, (d) =>
      plain({ memo: d.workflowExecutionInfo?.memo, attributes: d.workflowExecutionInfo?.searchAttributes, status: d.workflowExecutionInfo?.status }),
    );
  },
  "each action gets what the one before left": async (s) => {
    await create(s);
    const next = async (n: number, ...commands: Parameters<Session["answer"]>[0]) => {
      await trigger(s);
      await started(s, n);
      const task = await answer(s, ...commands);
      const { lastCompletionResult, continuedFailure } = startOf(task) as { lastCompletionResult?: string; continuedFailure?: { message?: string } };
      s.note(`what action ${n} is given`, { lastCompletionResult, failure: continuedFailure?.message });
      s.note("counts", counts(await ended(s)));
      // Two actions of one second would have one id.
      await s.sleep(1100);
    };
    await next(1, c.complete(payloads("first")));
    await next(2, c.fail("bad"));
    await next(3, c.complete(payloads("third")));
    await next(4, c.complete());
    await showSchedule(s);
  },
  "an action that goes on as new is one action": async (s) => {
    await create(s);
    await trigger(s);
    const d = await started(s, 1);
    await answer(s, c.continueAsNew());
    s.note("still running", counts(await describe(s)));
    const task = await answer(s);
    s.note("another run", task.workflowExecution?.runId !== d.info?.recentActions[0]?.startWorkflowResult?.runId);
    s.note("the first run is shown", (await describe(s)).info?.runningWorkflows[0]?.runId === d.info?.runningWorkflows[0]?.runId);
    await showSchedule(s);
  },
  "overlaps are skipped": async (s) => {
    await create(s);
    await trigger(s);
    await started(s, 1);
    await s.sleep(1100);
    await trigger(s);
    s.note("counts", counts(await until(s, "one is skipped", (d) => d.info?.overlapSkipped === 1)));
    await answer(s, c.complete());
    s.note("counts", counts(await ended(s)));
    await s.sleep(1100);
    await trigger(s);
    s.note("counts", counts(await started(s, 2)));
  },
  "one overlap waits": async (s) => {
    await create(s, { policies: { overlapPolicy: 2 } });
    await trigger(s);
    await started(s, 1);
    await s.sleep(1100);
    await trigger(s);
    s.note("counts", counts(await until(s, "one waits", (d) => d.info?.bufferSize === 1)));
    await answer(s, c.complete(payloads("one")));
    s.note("counts", counts(await started(s, 2)));
    s.note("what it is given", (startOf(await answer(s, c.complete())) as { lastCompletionResult?: string }).lastCompletionResult);
    s.note("counts", counts(await ended(s)));
  },
  "all overlaps wait": async (s) => {
    await create(s, { policies: { overlapPolicy: 3 } });
    for (let n = 0; n < 3; n++) {
      await trigger(s);
      await until(s, "one runs and the others wait", (d) => d.info?.actionCount === 1 && d.info.bufferSize === n);
      await s.sleep(1100);
    }
    s.note("counts", counts(await describe(s)));
    for (let n = 1; n <= 3; n++) {
      await started(s, n);
      await answer(s, c.complete());
    }
    s.note("counts", counts(await ended(s)));
  },
  "an overlap cancels": async (s) => {
    await create(s, { policies: { overlapPolicy: 4 } });
    await trigger(s);
    await started(s, 1);
    const first = await answer(s);
    await s.sleep(1100);
    await trigger(s);
    const task = await s.workflowTask();
    s.note("counts", counts(await describe(s)));
    await s.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, identity: "worker", commands: [c.cancel()] });
    s.note("counts", counts(await started(s, 2)));
    await answer(s, c.complete());
    await ended(s);
    await showSchedule(s);
    const history = await s.call("GetWorkflowExecutionHistory", { execution: first.workflowExecution });
    const events = decode(History, history.history ?? new Uint8Array(0)).events.map(shown) as { type: string; cause?: string; identity?: string }[];
    const asked = events.find((e) => e.type === "WORKFLOW_EXECUTION_CANCEL_REQUESTED");
    s.note("the request to cancel", asked);
  },
  "an overlap terminates": async (s) => {
    await create(s, { policies: { overlapPolicy: 5 } });
    await trigger(s);
    await started(s, 1);
    const first = await answer(s);
    await s.sleep(1100);
    await trigger(s);
    s.note("counts", counts(await started(s, 2)));
    const task = await answer(s, c.complete());
    s.note("what it is given", (startOf(task) as { continuedFailure?: { message?: string } }).continuedFailure?.message);
    await ended(s);
    await showSchedule(s);
    const history = await s.call("GetWorkflowExecutionHistory", { execution: first.workflowExecution });
    s.note(
      "the end",
      decode(History, history.history ?? new Uint8Array(0))
        .events.map(shown)
        .at(-1),
    );
  },
  "all may overlap": async (s) => {
    await create(s, { policies: { overlapPolicy: 1 } });
    for (let n = 1; n <= 3; n++) {
      await trigger(s, 6);
      await started(s, n);
      await s.sleep(1100);
    }
    s.note("counts", counts(await describe(s)));
    for (let n = 0; n < 3; n++) await answer(s, c.complete());
    s.note("counts", counts(await ended(s)));
  },
  "a failure pauses": async (s) => {
    await create(s, { policies: { pauseOnFailure: true } });
    await trigger(s);
    await started(s, 1);
    await answer(s, c.fail("bad"));
    await ended(s);
    await showSchedule(s);
    // By hand it still acts.
    await s.sleep(1100);
    await trigger(s);
    s.note("counts", counts(await started(s, 2)));
    await answer(s, c.complete());
    await ended(s);
    await patch(s, { unpause: "looked into" });
    await showSchedule(s);
  },
  "paused and unpaused": async (s) => {
    await create(s, { spec: { interval: [{ interval: seconds(1) }] }, state: { paused: true, notes: "at first" } });
    await s.sleep(2100);
    await showSchedule(s);
    await patch(s, { unpause: "now" });
    const d = await until(s, "it acts", (x) => (x.info?.actionCount ?? 0) > 0);
    s.note("nothing is made up for", d.info?.missedCatchupWindow);
    await patch(s, { pause: "enough" });
    await s.shown("DescribeSchedule", { scheduleId: s.id }, (x) => plain(x.schedule?.state));
    await patch(s, {});
    await s.shown("DescribeSchedule", { scheduleId: s.id }, (x) => [...x.conflictToken]);
  },
  "a range is backfilled": async (s) => {
    const spec = { interval: [{ interval: seconds(3600) }] };
    await create(s, { spec, state: { paused: true } });
    const at = (t: string) => seconds(Date.parse(t) / 1000);
    await patch(s, { backfillRequest: [{ startTime: at("2020-01-01T00:00:00Z"), endTime: at("2020-01-01T03:00:00Z"), overlapPolicy: 6 }] });
    const d = await started(s, 4);
    s.note(
      "workflows",
      d.info?.recentActions.map((r) => [r.startWorkflowResult?.workflowId, new Date((r.scheduleTime?.seconds ?? 0) * 1000).toISOString()]).sort(),
    );
    for (let n = 0; n < 4; n++) await answer(s, c.complete());
    await ended(s);
    await patch(s, { backfillRequest: [{ startTime: at("2020-02-01T00:00:00Z"), endTime: at("2020-02-01T05:00:00Z") }] });
    s.note("counts", counts(await until(s, "the rest is skipped", (x) => x.info?.overlapSkipped === 5 && x.info.runningWorkflows.length === 1)));
    await answer(s, c.complete());
    s.note("counts", counts(await ended(s)));
  },
  "an initial patch": async (s) => {
    const at = (t: string) => seconds(Date.parse(t) / 1000);
    const initialPatch = {
      triggerImmediately: { overlapPolicy: 6 },
      backfillRequest: [{ startTime: at("2020-01-01T00:30:00Z"), endTime: at("2020-01-01T02:30:00Z"), overlapPolicy: 6 }],
    };
    await create(s, { spec: { interval: [{ interval: seconds(3600) }] }, state: { paused: true } }, { initialPatch });
    s.note("counts", counts(await started(s, 3)));
  },
  "an update replaces": async (s) => {
    const attributes = (name: string) => ({ indexedFields: { [name]: field("v") } });
    await create(
      s,
      { spec: { cronString: ["0 0 1 1 *"] } },
      { memo: { fields: { a: field("a") } }, searchAttributes: attributes("ConformanceKeyword") },
    );
    const { conflictToken } = await describe(s);
    await s.refused("UpdateSchedule", { scheduleId: s.id, schedule: { action: action(s) }, conflictToken: new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0]) });
    await s.refused("UpdateSchedule", { scheduleId: s.id, schedule: { action: action(s) }, conflictToken: new Uint8Array([1]) });
    const schedule = {
      spec: { interval: [{ interval: seconds(86_400) }] },
      action: action(s, { workflowId: `${s.id}-other` }),
      state: { notes: "new" },
    };
    await s.call("UpdateSchedule", { scheduleId: s.id, requestId: "1", schedule, conflictToken });
    await showSchedule(s);
    await s.refused("UpdateSchedule", { scheduleId: s.id, requestId: "2", schedule, conflictToken });
    await s.call("UpdateSchedule", {
      scheduleId: s.id,
      requestId: "3",
      schedule,
      memo: { fields: { b: field("b") } },
      searchAttributes: attributes("ConformanceText"),
    });
    await showSchedule(s);
    await s.call("UpdateSchedule", { scheduleId: s.id, requestId: "4", schedule: { action: action(s) }, searchAttributes: { indexedFields: {} } });
    await showSchedule(s);
  },
  "the same request twice, and the same id by another": async (s) => {
    const request = { scheduleId: s.id, requestId: "same", schedule: { action: action(s), spec: { cronString: ["0 0 1 1 *"] } } };
    const a = await s.call("CreateSchedule", request);
    const b = await s.call("CreateSchedule", request);
    s.note("tokens", [[...a.conflictToken], [...b.conflictToken]]);
    await s.refused("CreateSchedule", { ...request, requestId: "other" });
    await s.call("DeleteSchedule", { scheduleId: s.id });
    await s.call("CreateSchedule", { ...request, requestId: "again" });
    await showSchedule(s);
  },
  "actions that remain": async (s) => {
    await create(s, {
      spec: { interval: [{ interval: seconds(1) }] },
      policies: { overlapPolicy: 6 },
      state: { limitedActions: true, remainingActions: 2 },
    });
    await started(s, 2);
    await s.sleep(1500);
    await showSchedule(s);
    // By hand there is no limit.
    await trigger(s);
    s.note("counts", counts(await started(s, 3)));
  },
  "lists and counts": async (s) => {
    const make = (name: string, paused: boolean, value: string) =>
      s.call("CreateSchedule", {
        scheduleId: `${s.id}-${name}`,
        requestId: name,
        schedule: { spec: { cronString: ["0 0 1 1 *"] }, action: action(s), state: { paused, notes: name } },
        memo: { fields: { m: field(name) } },
        searchAttributes: { indexedFields: { ConformanceKeyword: field(value) } },
      });
    await make("a", false, s.id);
    await make("b", true, s.id);
    await make("c", true, `${s.id}-other`);
    const list = async (query: string) => {
      const r = await s.call("ListSchedules", { query });
      return r.schedules.map((x) => x.scheduleId).sort();
    };
    await s.until("all are listed", async () => (await list(`ScheduleId STARTS_WITH '${s.id}'`)).length === 3);
    for (const query of [
      `ConformanceKeyword = '${s.id}'`,
      `ConformanceKeyword = '${s.id}' AND TemporalSchedulePaused = true`,
      `ScheduleId STARTS_WITH '${s.id}' AND TemporalSchedulePaused = false`,
      `ScheduleId = '${s.id}-b' OR ScheduleId = '${s.id}-c'`,
      `ScheduleId IN ('${s.id}-a', '${s.id}-c')`,
      `ScheduleId STARTS_WITH '${s.id}' AND ScheduleId != '${s.id}-a'`,
      `ScheduleId STARTS_WITH '${s.id}' AND ScheduleNextActionTime > '2020-01-01T00:00:00Z'`,
      `ScheduleId STARTS_WITH '${s.id}' AND ScheduleRunningWorkflowCount = 0 AND ScheduleBufferedStartsCount < 1`,
      `ScheduleId STARTS_WITH '${s.id}' AND NOT TemporalSchedulePaused = true`,
    ]) {
      s.note(query, await list(query));
      await s.shown("CountSchedules", { query });
    }
    await s.shown("ListSchedules", { query: `ScheduleId = '${s.id}-b'` }, (r) =>
      plain(r.schedules.map((x) => ({ ...x, info: { ...x.info, futureActionTimes: x.info?.futureActionTimes.length } }))),
    );
    const pages: string[][] = [];
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do {
      const page = await s.call("ListSchedules", { query: `ScheduleId STARTS_WITH '${s.id}'`, maximumPageSize: 2, nextPageToken });
      pages.push(page.schedules.map((x) => x.scheduleId));
      nextPageToken = page.nextPageToken;
    } while (nextPageToken.length > 0);
    s.note(
      "pages",
      pages.filter((p) => p.length > 0).map((p) => p.length),
    );
    s.note("all of them", pages.flat().sort());
    for (const query of [
      "WorkflowId = 'x'",
      "ExecutionStatus = 'Running'",
      "TemporalScheduledById = 'x'",
      "Nope = 1",
      "ScheduleId = 5",
      "ScheduleId =",
    ]) {
      await s.refused("ListSchedules", { query });
      await s.refused("CountSchedules", { query });
    }
    const workflows = await s.call("CountWorkflowExecutions", { query: `WorkflowId STARTS_WITH '${s.id}'` });
    s.note("workflows that are listed", workflows.count);
    await s.call("DeleteSchedule", { scheduleId: `${s.id}-a` });
    await s.until("it is gone from lists", async () => (await list(`ScheduleId STARTS_WITH '${s.id}'`)).length === 2);
  },
};
