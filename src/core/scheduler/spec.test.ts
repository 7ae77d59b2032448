import { describe, expect, it } from "vitest";
import { ScheduleSpec, StructuredCalendarSpec } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import type { Init } from "../../api/wire.js";
import { Calendar } from "./calendar.js";
import { CompiledSpec, TooManyExclusions } from "./spec.js";

const SEED = "01a1fd73-7ea9-741b-ae78-281c0eaef8ce-sched-0.9320156289958292";
const compile = (spec: Init<ScheduleSpec>) => CompiledSpec.compile(ScheduleSpec.create(spec));
const range = (start: number, end = 0) => [{ start, end }];
const everyDay = { dayOfMonth: range(1, 31), month: range(1, 12), dayOfWeek: range(0, 6) };

function times(spec: CompiledSpec, after: number, count: number, seed = SEED): number[] {
  const out: number[] = [];
  for (let t = spec.next(seed, after * 1e6, 1_000); t !== undefined && out.length < count; t = spec.next(seed, t.actual, 1_000))
    out.push(t.actual / 1e6);
  return out;
}

describe("jitter", () => {
  const noon = { cronString: ["0 12 * * MON-FRI"], timezoneName: "America/New_York" };

  it("is the official server's, for the same namespace, schedule and time", () => {
    // What the official server answered for this schedule of that namespace.
    expect(times(compile({ ...noon, jitter: { seconds: 30 } }), 1_795_253_576, 10)).toEqual([
      1_795_453_220.377, 1_795_539_620.395, 1_795_626_016.676, 1_795_712_426.648, 1_795_798_827.146, 1_796_058_015.692, 1_796_144_423.995,
      1_796_230_818.739, 1_796_317_211.1, 1_796_403_618.602,
    ]);
    expect(times(compile({ ...noon, jitter: { seconds: 30 } }), 1_700_000_000, 4)).toEqual([
      1_700_067_625.053, 1_700_154_016.609, 1_700_240_428.871, 1_700_499_607.529,
    ]);
  });

  it("does not reach beyond the next time", () => {
    const spec = compile({ interval: [{ interval: { seconds: 10 } }], jitter: { seconds: 86_400 } });
    const nominal: number[] = [];
    let t = 1_700_000_000_000_000;
    for (let i = 0; i < 200; i++) {
      const next = spec.next(SEED, t, 1_000);
      if (next === undefined) throw new Error("an interval has no end");
      expect(next.actual).toBeGreaterThanOrEqual(next.nominal);
      expect(next.actual).toBeLessThan(next.nominal + 10_000_000);
      nominal.push(next.nominal);
      t = next.actual;
    }
    expect(new Set(nominal).size).toBe(200);
  });

  it("spreads schedules of one time", () => {
    const spec = compile({ ...noon, jitter: { seconds: 3600 } });
    const at = Array.from({ length: 50 }, (_, i) => times(spec, 1_795_253_576, 1, `n-${i}`)[0]);
    expect(new Set(at).size).toBeGreaterThan(45);
  });
});

describe("many calendars", () => {
  const START = 1_795_253_576;

  it("are searched each for its own times only", () => {
    let looks = 0;
    const zone = () => {
      looks++;
      return 3600;
    };
    const spec = new CompiledSpec(compile({ cronString: Array.from({ length: 500 }, (_, i) => `${i % 60} ${i % 24} * * *`) }).canonical, zone);
    expect(times(spec, START, 300)).toHaveLength(300);
    // Some six a search: of all of them once, and of whichever has come again. To search all of them for each time makes 900,000.
    expect(looks).toBeLessThan(30_000);
  });

  it("say what they say alone, over changes of the clocks", () => {
    const at = (minute: number, hour: number) => ({ second: range(minute), minute: range(minute), hour: range(hour), ...everyDay });
    const hourly = { second: range(7), minute: range(0, 59), hour: range(0, 23), ...everyDay };
    for (const [timezoneName, change] of [
      ["Europe/Berlin", 1_792_890_000],
      ["Europe/Berlin", 1_774_746_000],
      ["America/New_York", 1_793_512_800],
      ["Australia/Lord_Howe", 1_775_314_800],
    ] as const) {
      const init = { structuredCalendar: [at(30, 2), at(59, 1), at(0, 3), hourly], timezoneName };
      const spec = compile(init);
      for (let t = change - 4 * 3600; t < change + 4 * 3600; t += 613)
        expect(spec.next(SEED, t * 1e6, 1_000), `${timezoneName} ${t}`).toEqual(compile(init).next(SEED, t * 1e6, 1_000));
    }
  });
});

describe("a calendar that leaves a field empty", () => {
  const whole = StructuredCalendarSpec.create({ second: range(0), minute: range(0, 59), hour: range(0, 23), ...everyDay });

  it.each(["second", "minute", "hour", "dayOfMonth", "month", "dayOfWeek"] as const)(
    "never occurs without a %s, and nobody looks for when",
    (field) => {
      let looks = 0;
      const zone = () => {
        // To look at every hour until the last year would take minutes.
        if (++looks > 100) throw new Error("looks through the years");
        return 3600;
      };
      const calendar = new Calendar({ ...whole, [field]: [] }, zone);
      expect(calendar.next(1_795_253_576)).toBeUndefined();
      expect(calendar.matches(1_795_253_580)).toBe(false);
      expect(new Calendar(whole, zone).next(1_795_253_576)).toBe(1_795_253_580);
    },
  );
});

describe("exclusions", () => {
  const all = { second: range(0, 59), minute: range(0, 59), hour: range(0, 23), ...everyDay };

  it("give up when nothing is left", () => {
    const spec = compile({ interval: [{ interval: { seconds: 1 } }], excludeStructuredCalendar: [all] });
    expect(() => spec.next(SEED, 1_700_000_000_000_000, 500)).toThrow(TooManyExclusions);
  });

  it("are passed a day at a time, so that a year without weekends of seconds is no search", () => {
    const weekend = { ...all, dayOfWeek: [...range(0), ...range(6)] };
    const spec = compile({ interval: [{ interval: { seconds: 1 } }], excludeStructuredCalendar: [weekend] });
    // Friday, one second before midnight.
    expect(spec.next(SEED, Date.parse("2030-01-04T23:59:59Z") * 1000, 3)?.nominal).toBe(Date.parse("2030-01-07T00:00:00Z") * 1000);
  });

  it("are passed carefully where the clocks change", () => {
    const sundays = { ...all, dayOfWeek: range(0) };
    const spec = compile({ interval: [{ interval: { seconds: 60 } }], excludeStructuredCalendar: [sundays], timezoneName: "Europe/Berlin" });
    // The last Sunday of March has 23 hours, the last of October 25.
    expect(spec.next(SEED, Date.parse("2030-03-30T22:59:00Z") * 1000, 200)?.nominal).toBe(Date.parse("2030-03-31T22:00:00Z") * 1000);
    expect(spec.next(SEED, Date.parse("2030-10-26T21:59:00Z") * 1000, 200)?.nominal).toBe(Date.parse("2030-10-27T23:00:00Z") * 1000);
  });

  it("leave what stands between two of them", () => {
    const halves = [
      { ...all, minute: range(0, 29) },
      { ...all, minute: range(31, 59) },
    ];
    const spec = compile({ interval: [{ interval: { seconds: 20 } }], excludeStructuredCalendar: halves, timezoneName: "Asia/Kathmandu" });
    // Nepal is 5:45 ahead: its half hours are quarter hours here.
    expect(times(spec, Date.parse("2030-01-01T00:00:00Z") / 1000, 4).map((t) => new Date(t * 1000).toISOString())).toEqual([
      "2030-01-01T00:45:00.000Z",
      "2030-01-01T00:45:20.000Z",
      "2030-01-01T00:45:40.000Z",
      "2030-01-01T01:45:00.000Z",
    ]);
  });
});

it("takes a zone from the data of the spec, under whatever name", () => {
  const footer = Buffer.from("\nCET-1CEST,M3.5.0,M10.5.0/3\n");
  const header = (version: number, types: number, chars: number) => {
    const h = Buffer.alloc(44);
    h.write("TZif");
    h[4] = version;
    h.writeUInt32BE(types, 36);
    h.writeUInt32BE(chars, 40);
    return h;
  };
  const type = Buffer.from([0, 0, 0x0e, 0x10, 0, 0]);
  const name = Buffer.from("CET\0");
  const timezoneData = Buffer.concat([header(0x32, 1, 4), type, name, header(0x32, 1, 4), type, name, footer]);
  const cronString = ["0 12 * * *"];
  const from = Date.parse("2030-03-28T00:00:00Z") / 1000;
  const own = times(compile({ cronString, timezoneName: "Our/Own", timezoneData }), from, 10);
  expect(own).toEqual(times(compile({ cronString, timezoneName: "Europe/Berlin" }), from, 10));
  expect(new Set(own.map((t) => t % 86_400)).size).toBe(2);
});
