/**
 * Schedule specs as users write them - calendars of strings, cron strings - to the structured calendars and intervals that are
 * kept, shown and computed with. The texts of errors are the official server's (service/worker/scheduler/calendar.go, spec.go).
 */
import type { CalendarSpec, IntervalSpec, Range, ScheduleSpec, StructuredCalendarSpec } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import { StructuredCalendarSpec as Structured } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import { duration, MICROS_PER_SECOND } from "../../api/time.js";
import { DurationError, parseGoDuration } from "../../lib/go-duration.js";

export const YEAR_MIN = 2000;
export const YEAR_MAX = 2100;
const COMMENT_LENGTH_MAX = 200;
const DURATION_SECONDS_MAX = 315_576_000_000;

export class SpecError extends Error {}

const MONTHS = "january february march april may june july august september october november december".split(" ");
const WEEKDAYS = "sunday monday tuesday wednesday thursday friday saturday".split(" ");

/** How the values of a field may be written. */
type Style = "number" | "year" | "month" | "weekday";

const CONFLICTING_ZONES = "conflicting timezone names";

/** Everything as structured calendars and intervals, checked. The spec that is given stays as it is. @throws SpecError */
export function canonicalSpec(spec: ScheduleSpec): ScheduleSpec {
  const structuredCalendar = [...spec.structuredCalendar, ...spec.calendar.map(structuredOf)];
  const excludeStructuredCalendar = [...spec.excludeStructuredCalendar, ...spec.excludeCalendar.map(structuredOf)];
  const interval = [...spec.interval];
  let zone: string | undefined;
  for (const text of spec.cronString) {
    const cron = parseCronString(text);
    if (zone !== undefined && cron.zone !== zone) throw new SpecError(CONFLICTING_ZONES);
    zone = cron.zone;
    if (cron.calendar !== undefined) structuredCalendar.push(cron.calendar);
    if (cron.interval !== undefined) interval.push(cron.interval);
  }
  let timezoneName = spec.timezoneName;
  if (zone !== undefined && zone !== "") {
    if ((timezoneName !== "" && timezoneName !== zone) || spec.timezoneData.length > 0) throw new SpecError(CONFLICTING_ZONES);
    timezoneName = zone;
  }
  for (const calendar of structuredCalendar) validateCalendar(calendar);
  for (const i of interval) validateInterval(i);
  return {
    ...spec,
    calendar: [],
    excludeCalendar: [],
    cronString: [],
    structuredCalendar,
    excludeStructuredCalendar,
    interval,
    timezoneName,
  };
}

/** Durations that are none, which are found before anything else. @throws SpecError */
export function checkIntervalDurations(spec: ScheduleSpec): void {
  for (const { interval, phase } of spec.interval)
    for (const [name, d] of [
      ["interval", interval],
      ["phase", phase],
    ] as const) {
      if (d === undefined) continue;
      const shown = [d.seconds === 0 ? "" : `seconds:${d.seconds}`, d.nanos === 0 ? "" : `nanos:${d.nanos}`].filter((s) => s !== "").join(" ");
      const problem =
        d.seconds < -DURATION_SECONDS_MAX
          ? "exceeds -10000 years"
          : d.seconds > DURATION_SECONDS_MAX
            ? "exceeds +10000 years"
            : Math.abs(d.nanos) > 999_999_999
              ? "has out-of-range nanos"
              : (d.seconds > 0 && d.nanos < 0) || (d.seconds < 0 && d.nanos > 0)
                ? "has seconds and nanos with different signs"
                : undefined;
      if (problem !== undefined) throw new SpecError(`${name} is not a valid duration: proto: duration (${shown}) ${problem}`);
    }
}

function validateCalendar(c: StructuredCalendarSpec): void {
  const errors: string[] = [];
  const check = (ranges: readonly Range[], field: string, min: number, max: number): void => {
    for (const r of ranges) {
      if (r.start < min || r.start > max) errors.push(`${field} Start is not in range [${min}-${max}]`);
      if (r.end !== 0 && (r.end < r.start || r.end > max)) errors.push(`${field} End is before Start or not in range [${min}-${max}]`);
      if (r.step < 0) errors.push(`${field} has invalid Step`);
    }
  };
  check(c.second, "Second", 0, 59);
  check(c.minute, "Minute", 0, 59);
  check(c.hour, "Hour", 0, 23);
  check(c.dayOfMonth, "DayOfMonth", 1, 31);
  check(c.month, "Month", 1, 12);
  check(c.year, "Year", YEAR_MIN, YEAR_MAX);
  check(c.dayOfWeek, "DayOfWeek", 0, 6);
  if (Buffer.byteLength(c.comment) > COMMENT_LENGTH_MAX) errors.push("comment is too long");
  if (errors.length > 0) throw new SpecError(`invalid calendar spec: ${errors.join(", ")}`);
}

function validateInterval(i: IntervalSpec): void {
  const interval = flooredMicros(i.interval);
  const phase = flooredMicros(i.phase);
  if (interval < MICROS_PER_SECOND) throw new SpecError("interval is too small");
  if (phase < 0) throw new SpecError("phase is negative");
  if (phase >= interval) throw new SpecError("phase cannot be greater than Interval");
}

/** A duration that a fraction of a microsecond takes to a second is none of a second. */
function flooredMicros(d: { seconds: number; nanos: number } | undefined): number {
  return d === undefined ? 0 : d.seconds * MICROS_PER_SECOND + Math.floor(d.nanos / 1000);
}

function structuredOf(c: CalendarSpec): StructuredCalendarSpec {
  const errors: string[] = [];
  const ranges = (text: string, field: string, fallback: string, min: number, max: number, style: Style): Range[] => {
    try {
      return parseRanges(text, field, fallback, min, max, style);
    } catch (e) {
      if (!(e instanceof SpecError)) throw e;
      errors.push(e.message);
      return [];
    }
  };
  const structured = Structured.create({
    second: ranges(c.second, "Second", "0", 0, 59, "number"),
    minute: ranges(c.minute, "Minute", "0", 0, 59, "number"),
    hour: ranges(c.hour, "Hour", "0", 0, 23, "number"),
    dayOfWeek: ranges(c.dayOfWeek, "DayOfWeek", "*", 0, 7, "weekday"),
    dayOfMonth: ranges(c.dayOfMonth, "DayOfMonth", "*", 1, 31, "number"),
    month: ranges(c.month, "Month", "*", 1, 12, "month"),
    year: ranges(c.year, "Year", "*", YEAR_MIN, YEAR_MAX, "year"),
    comment: c.comment,
  });
  if (errors.length > 0) throw new SpecError(errors.join(", "));
  return structured;
}

const PREDEFINED: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const FIELD_COUNT = "CronString does not have 5-7 fields";

interface Cron {
  readonly calendar?: StructuredCalendarSpec;
  readonly interval?: IntervalSpec;
  readonly zone: string;
}

function parseCronString(text: string): Cron {
  let rest = text.trim();
  let zone = "";
  if (rest.startsWith("TZ=") || rest.startsWith("CRON_TZ=")) {
    const space = rest.indexOf(" ");
    if (space < 0) throw new SpecError("CronString has time zone but missing fields");
    zone = rest.slice(rest.indexOf("=") + 1, space);
    rest = rest.slice(space + 1);
  }
  const hash = rest.indexOf("#");
  const comment = hash < 0 ? "" : rest.slice(hash + 1).trim();
  rest = (hash < 0 ? rest : rest.slice(0, hash)).trim();
  if (rest.startsWith("@every")) return { interval: parseEvery(rest), zone: "" };
  if (Object.hasOwn(PREDEFINED, rest)) rest = PREDEFINED[rest] as string;
  const f = rest.split(/\s+/).filter((s) => s !== "");
  if (f.length < 5 || f.length > 7) throw new SpecError(FIELD_COUNT);
  const second = f.length === 7 ? (f.shift() as string) : "";
  const [minute = "", hour = "", dayOfMonth = "", month = "", dayOfWeek = "", year = ""] = f;
  return { calendar: structuredOf({ second, minute, hour, dayOfMonth, month, dayOfWeek, year, comment }), zone };
}

function parseEvery(text: string): IntervalSpec {
  const space = text.indexOf(" ");
  if (space < 0) throw new SpecError("CronString does not have interval after @every");
  const [interval = "", ...phase] = text.slice(space + 1).split("/");
  const parsed = (t: string) => {
    try {
      return duration(parseGoDuration(t));
    } catch (e) {
      throw e instanceof DurationError ? new SpecError(e.message) : e;
    }
  };
  return { interval: parsed(interval), phase: phase.length === 0 || phase.join("/") === "" ? undefined : parsed(phase.join("/")) };
}

/** "*", "x", "x-z", "x-z/y", "x/y" and lists of them. */
function parseRanges(given: string, field: string, fallback: string, min: number, max: number, style: Style): Range[] {
  const text = given.trim() === "" ? fallback : given.trim();
  // Every year is written as none.
  if (text === "*" && style === "year") return [];
  const out: Range[] = [];
  for (const item of text.split(",")) {
    const [part = "", stepText, ...more] = item.split("/");
    if (more.length > 0) throw new SpecError(`${field} has too many slashes`);
    let step = 1;
    if (stepText !== undefined) {
      if (stepText === "") throw new SpecError(`${field} missing step value`);
      if (!/^[+-]?\d{1,18}$/.test(stepText))
        throw new SpecError(
          `strconv.Atoi: parsing ${JSON.stringify(stepText)}: ${/^[+-]?\d+$/.test(stepText) ? "value out of range" : "invalid syntax"}`,
        );
      step = Number(stepText);
      if (step < 1) throw new SpecError(`${field} has invalid Step`);
    }
    let start = min;
    let end = max;
    if (part !== "*") {
      const [low = "", high, ...dashes] = part.split("-");
      if (dashes.length > 0) throw new SpecError(`${field} has too many dashes`);
      if (high !== undefined) {
        start = parseValue(low, min, max, style) ?? refuse(`${field} Start is not in range [${min}-${max}]`);
        end = parseValue(high, start, max, style) ?? refuse(`${field} End is before Start or not in range [${min}-${max}]`);
      } else {
        start = parseValue(part, min, max, style) ?? refuse(`${field} is not in range [${min}-${max}]`);
        if (stepText === undefined) end = start;
      }
    }
    // Sunday may be written as 7 and is kept as 0: a range that ends with it may need one more.
    if (style === "weekday" && end === 7) {
      if ((7 - start) % step === 0 && (step > 1 || start > 1)) {
        out.push({ start: 0, end: 0, step: 0 });
        if (start === 7) continue;
      }
      end = 6;
    }
    out.push({ start, end: start === end ? 0 : end, step: step === 1 ? 0 : step });
  }
  return out;
}

function refuse(text: string): never {
  throw new SpecError(text);
}

/** Undefined: not a value, or out of range. */
function parseValue(text: string, min: number, max: number, style: Style): number | undefined {
  const within = (n: number) => (n < min || n > max ? undefined : n);
  const name = text.toLowerCase();
  if (style === "month" && text.length >= 3) {
    const i = MONTHS.findIndex((m) => m.startsWith(name));
    if (i >= 0) return within(i + 1);
  }
  if (style === "weekday" && text.length >= 2) {
    const i = WEEKDAYS.findIndex((d) => d.startsWith(name));
    if (i >= 0) return within(i);
  }
  return /^[+-]?\d{1,18}$/.test(text) ? within(Number(text)) : undefined;
}
