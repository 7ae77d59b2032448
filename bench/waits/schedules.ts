/** Schedules and cron: times that are hard to find, and very many of them. */
import { ScheduleOverlapPolicy } from "../../gen/wire/temporal/api/enums/v1/schedule.js";
import type { Range, ScheduleSpec, StructuredCalendarSpec } from "../../gen/wire/temporal/api/schedule/v1/message.js";
import { duration } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";
import { Random } from "../../src/lib/random.js";
import type { Rpc } from "../rpc.js";
import { nobody } from "./commands.js";
import { type Loads, times } from "./loads.js";

const CENTURY = { startTime: { seconds: 0, nanos: 0 }, endTime: { seconds: 4_100_000_000, nanos: 0 } };
const CATCHUP_MICROS = 3_000_000_000 * 1_000_000;
const ALL_OVERLAP = ScheduleOverlapPolicy.ALLOW_ALL;

const range = (start: number, end = start, step = 1): Init<Range> => ({ start, end, step });
const ALWAYS: Init<StructuredCalendarSpec> = {
  second: [range(0, 59)],
  minute: [range(0, 59)],
  hour: [range(0, 23)],
  dayOfMonth: [range(1, 31)],
  month: [range(1, 12)],
  dayOfWeek: [range(0, 6)],
};
const everySecond = { interval: [{ interval: duration(1_000_000) }] };

const SPECS: Readonly<Record<string, Init<ScheduleSpec>>> = {
  "every second": everySecond,
  "2,000 cron strings": { cronString: times(2_000, (i) => `${i % 60} ${i % 24} * * *`) },
  "3,000 leap days": {
    structuredCalendar: times(3_000, (i) => ({
      second: [range(i % 60)],
      minute: [range(i % 60)],
      hour: [range(i % 24)],
      dayOfMonth: [range(29)],
      month: [range(2)],
      dayOfWeek: [range(i % 7)],
    })),
  },
  "a leap day in every third year": {
    structuredCalendar: [{ ...ALWAYS, dayOfMonth: [range(29)], month: [range(2)], dayOfWeek: [range(1)], year: [range(2000, 2100, 3)] }],
    timezoneName: "Pacific/Apia",
  },
  "a calendar that never matches": { cronString: ["0 0 31 2 *"] },
  "2,000 that never match": { cronString: times(2_000, (i) => `${i % 60} ${i % 24} 31 2 *`) },
  "everything excluded": { ...everySecond, excludeStructuredCalendar: [ALWAYS] },
  "all but one second of a minute excluded": { ...everySecond, excludeStructuredCalendar: [{ ...ALWAYS, second: [range(0, 58)] }] },
  "3,000 exclusions": { ...everySecond, excludeStructuredCalendar: times(3_000, (i) => ({ ...ALWAYS, year: [range(2000 + (i % 100))] })) },
  "a short interval and a far one": { interval: [{ interval: duration(1_000_000) }, { interval: duration(999_999 * 3_600_000_000) }] },
  "20,000 intervals": { interval: times(20_000, (i) => ({ interval: duration((i + 1) * 1_000_000) })) },
};

const CRONS = ["0 0 31 2 *", "0 0 30 2 0", "@every 1ns", "@every 999999h", "CRON_TZ=Pacific/Apia 0 0 29 2 *", "0 0 31 4,6,9,11 *", "*/7 */5 29 2 1"];

const create = (rpc: Rpc, scheduleId: string, spec: Init<ScheduleSpec>) =>
  rpc.call("CreateSchedule", {
    scheduleId,
    requestId: scheduleId,
    schedule: {
      spec,
      policies: { overlapPolicy: ALL_OVERLAP, catchupWindow: duration(CATCHUP_MICROS) },
      state: { paused: true },
      action: { action: { case: "startWorkflow", value: { workflowId: `${scheduleId}-w`, workflowType: { name: "w" }, taskQueue: nobody } } },
    },
  });

const ZONES = ["", "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns"];

function randomSpec(random: Random): Init<ScheduleSpec> {
  const below = (n: number): number => random.uint32() % n;
  const ranges = (min: number, max: number): Init<Range>[] =>
    times(1 + below(3), () => {
      const from = min + below(max - min + 1);
      return range(from, from + below(max - from + 1), 1 + below(3));
    });
  const calendar = (): Init<StructuredCalendarSpec> => ({
    second: ranges(0, 59),
    minute: ranges(0, 59),
    hour: ranges(0, 23),
    dayOfMonth: ranges(1, 31),
    month: ranges(1, 12),
    dayOfWeek: ranges(0, 6),
    ...(below(3) === 0 ? { year: ranges(2000, 2100) } : {}),
  });
  return {
    structuredCalendar: times(below(40), calendar),
    excludeStructuredCalendar: times(below(10), calendar),
    interval: times(below(4), () => ({ interval: duration((1 + below(1_000_000)) * 1_000_000) })),
    timezoneName: ZONES[below(ZONES.length)] as string,
  };
}

export async function schedules(loads: Loads): Promise<void> {
  const { rpc } = loads;
  await loads.play("cron strings that are hard to find the next time of", async () => {
    for (const cronSchedule of CRONS)
      await rpc
        .call("StartWorkflowExecution", {
          workflowId: cronSchedule,
          requestId: cronSchedule,
          workflowType: { name: "w" },
          taskQueue: nobody,
          cronSchedule,
        })
        .catch(() => undefined);
  });
  for (const [name, spec] of Object.entries(SPECS)) {
    const scheduleId = `schedule ${name}`;
    await loads.play(`a schedule of ${name}`, async () => {
      await create(rpc, scheduleId, spec);
      await rpc.call("DescribeSchedule", { scheduleId });
    });
    await loads.play("  its times of a century", () => rpc.call("ListScheduleMatchingTimes", { scheduleId, ...CENTURY }).catch(() => undefined));
    await loads.play("  a backfill of a century, and its end", async () => {
      const backfillRequest = [{ ...CENTURY, overlapPolicy: ALL_OVERLAP }];
      await rpc.call("PatchSchedule", { scheduleId, requestId: "backfill", patch: { backfillRequest } });
      await rpc.call("DescribeSchedule", { scheduleId });
      await rpc.call("PatchSchedule", { scheduleId, requestId: "unpause", patch: { unpause: "go on" } });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await rpc.call("DeleteSchedule", { scheduleId });
    });
  }
  await loads.play("10,000 backfills in one patch", async () => {
    const scheduleId = "backfilled";
    await create(rpc, scheduleId, everySecond);
    const backfillRequest = times(10_000, (i) => ({
      startTime: { seconds: i * 100_000, nanos: 0 },
      endTime: { seconds: i * 100_000 + 1_000_000, nanos: 0 },
      overlapPolicy: ALL_OVERLAP,
    }));
    await rpc.call("PatchSchedule", { scheduleId, requestId: "backfills", patch: { backfillRequest } }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await rpc.call("DescribeSchedule", { scheduleId });
    await rpc.call("DeleteSchedule", { scheduleId });
  });
  await loads.play("300 random specs of up to 40 calendars, listed", async () => {
    const random = new Random(1);
    for (let i = 0; i < 300; i++) {
      const scheduleId = `random-${i}`;
      await create(rpc, scheduleId, randomSpec(random));
      await rpc.call("ListScheduleMatchingTimes", { scheduleId, ...CENTURY }).catch(() => undefined);
      await rpc.call("DeleteSchedule", { scheduleId });
    }
  });
}
