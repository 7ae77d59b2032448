import { describe, expect, test } from "vitest";
import { cronBackoff, parseCron } from "./cron.js";

const micros = (iso: string) => Date.parse(iso) * 1000;
const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at / 1000).toISOString().replace(".000Z", "Z"));
const chain = (spec: string, from: string, count: number) => {
  const out: (string | undefined)[] = [];
  let at: number | undefined = micros(from);
  for (let i = 0; i < count && at !== undefined; i++) {
    at = parseCron(spec)?.next(at);
    out.push(iso(at));
  }
  return out;
};

describe("valid and invalid specs, as robfig/cron v3 has them", () => {
  for (const spec of [
    "* * * * *",
    "5/15 3 * JAN,jul ?",
    "*/1 * * * *",
    "0 0 1,15 * 3",
    "+5 * * * *",
    "@hourly",
    "@every 1h30m10.5s",
    "@every -5s",
    "CRON_TZ=Asia/Tokyo @daily",
    "TZ=UTC 0 0 * * *",
    "*-5 * * * *",
    " 5 * * * *",
    "* * * * ,",
  ])
    test(`takes "${spec}"`, () => expect(parseCron(spec)).toBeDefined());
  for (const spec of [
    "",
    "* * * *",
    "* * * * * *",
    "61 * * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 7",
    "*/0 * * * *",
    "1-2-3 * * * *",
    "1/2/3 * * * *",
    "5-1 * * * *",
    "a * * * *",
    "@Hourly",
    "@every",
    "@every 5",
    "@every 1h ",
    "CRON_TZ=Nope/Zone * * * * *",
    "TZ=UTC",
    "-1 * * * *",
  ])
    test(`refuses "${spec}"`, () => expect(parseCron(spec)).toBeUndefined());
});

describe("next", () => {
  // Expected times are those of robfig/cron v3.0.1.
  test("is after the given time, on a whole second", () => {
    expect(chain("*/5 * * * *", "2024-03-01T10:05:00Z", 2)).toEqual(["2024-03-01T10:10:00Z", "2024-03-01T10:15:00Z"]);
    expect(chain("@every 90s", "2024-03-01T10:00:00.750Z", 2)).toEqual(["2024-03-01T10:01:30Z", "2024-03-01T10:03:00Z"]);
    expect(chain("@every 100ms", "2024-03-01T10:00:00Z", 1)).toEqual(["2024-03-01T10:00:01Z"]);
  });
  test("joins the two day fields by OR when both are restricted, by AND when one is any", () => {
    expect(chain("0 0 13 * 5", "2024-09-01T00:00:00Z", 3)).toEqual(["2024-09-06T00:00:00Z", "2024-09-13T00:00:00Z", "2024-09-20T00:00:00Z"]);
    expect(chain("0 0 13 * *", "2024-09-01T00:00:00Z", 1)).toEqual(["2024-09-13T00:00:00Z"]);
  });
  test("finds a leap day", () => expect(chain("0 0 29 2 *", "2024-03-01T00:00:00Z", 1)).toEqual(["2028-02-29T00:00:00Z"]));
  test("is undefined when no time comes within five years", () => expect(parseCron("0 0 31 2 *")?.next(0)).toBeUndefined());
  test("leaves out an hour that daylight saving skips", () => {
    expect(chain("CRON_TZ=America/New_York 30 2 * * *", "2024-03-09T12:00:00Z", 2)).toEqual(["2024-03-11T06:30:00Z", "2024-03-12T06:30:00Z"]);
  });
  test("runs in both of an hour that daylight saving repeats", () => {
    expect(chain("CRON_TZ=America/New_York 30 1 * * *", "2024-11-03T04:00:00Z", 2)).toEqual(["2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z"]);
  });
});

describe("cronBackoff", () => {
  test("is undefined without a schedule", () => expect(cronBackoff("", 0, 0)).toBeUndefined());
  test("rounds up to whole seconds", () => {
    expect(cronBackoff("* * * * *", micros("2024-03-01T10:00:00Z"), micros("2024-03-01T10:00:20.500Z"))).toBe(40_000_000);
  });
  test("waits for a scheduled time that lies ahead", () => {
    expect(cronBackoff("* * * * *", micros("2024-03-01T10:05:00Z"), micros("2024-03-01T10:00:00Z"))).toBe(300_000_000);
  });
  test("passes over the times that a long run has missed", () => {
    expect(cronBackoff("@every 7s", micros("2020-01-01T00:00:00Z"), micros("2020-01-01T01:00:00Z"))).toBe(5_000_000);
    expect(cronBackoff("0 * * * *", micros("2020-01-01T00:00:00Z"), micros("2024-01-01T00:59:59Z"))).toBe(1_000_000);
    expect(cronBackoff("0 * * * *", micros("2020-01-01T00:00:00Z"), micros("2024-01-01T01:00:00Z"))).toBe(0);
  });
});
