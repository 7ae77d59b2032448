/**
 * Cron schedules as the official server reads them (robfig/cron v3, ParseStandard): five fields, `@hourly` and its like,
 * `@every <duration>`, and a `CRON_TZ=` or `TZ=` prefix. Pure: the same spec and time give the same answer, the tables of time
 * zones being those of the JavaScript engine. Times are integer microseconds since the epoch; results fall on whole seconds.
 *
 * The search walks month, day, hour, minute and second in local time as the original does, its treatment of hours that a
 * daylight saving change skips or repeats included: an hour that does not exist is not made up for, one that comes twice runs twice.
 */
import { fromCivil, type LocalTime, localTime, UTC, type Zone, zoneByName } from "./time-zone.js";

const MICROS = 1_000_000;
const SEARCH_YEARS_MAX = 5;
const CACHE_MAX = 512;

export interface CronSchedule {
  /** The first time after `afterMicros`; undefined when there is none within five years. */
  next(afterMicros: number): number | undefined;
  /** The first time of the series of `next` that began at `fromMicros` which is not before `nowMicros`. */
  nextFrom(fromMicros: number, nowMicros: number): number | undefined;
}

/** Undefined when the spec is not valid. */
export function parseCron(spec: string): CronSchedule | undefined {
  const known = cache.get(spec);
  if (known !== undefined) return known ?? undefined;
  let schedule: CronSchedule | null;
  try {
    schedule = parse(spec);
  } catch (e) {
    if (!(e instanceof CronError)) throw e;
    schedule = null;
  }
  if (cache.size >= CACHE_MAX) cache.clear();
  cache.set(spec, schedule);
  return schedule ?? undefined;
}

/**
 * How long a run whose predecessor was scheduled for `scheduledMicros` waits from `nowMicros` on: whole seconds, rounded up.
 * Undefined when the workflow has no (valid) schedule or the schedule has no time left: there is no next run.
 */
export function cronBackoff(spec: string, scheduledMicros: number, nowMicros: number): number | undefined {
  if (spec === "") return undefined;
  const schedule = parseCron(spec);
  if (schedule === undefined) return undefined;
  const at = nowMicros < scheduledMicros ? scheduledMicros : schedule.nextFrom(scheduledMicros, nowMicros);
  return at === undefined ? undefined : Math.ceil((at - nowMicros) / MICROS) * MICROS;
}

class CronError extends Error {}

/** `null` stands for a spec that is not valid. */
const cache = new Map<string, CronSchedule | null>();

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names: Readonly<Record<string, number>>;
}

const NO_NAMES: Readonly<Record<string, number>> = {};
const numbered = (first: number, names: string): Record<string, number> => Object.fromEntries(names.split(" ").map((name, i) => [name, i + first]));
const MINUTES: Bounds = { min: 0, max: 59, names: NO_NAMES };
const HOURS: Bounds = { min: 0, max: 23, names: NO_NAMES };
const DAYS_OF_MONTH: Bounds = { min: 1, max: 31, names: NO_NAMES };
const MONTHS: Bounds = { min: 1, max: 12, names: numbered(1, "jan feb mar apr may jun jul aug sep oct nov dec") };
const DAYS_OF_WEEK: Bounds = { min: 0, max: 6, names: numbered(0, "sun mon tue wed thu fri sat") };

/** Values that a field allows; `star` when it was written as "any", which decides how the two day fields combine. */
interface Field {
  readonly allowed: readonly boolean[];
  readonly star: boolean;
}

const DESCRIPTORS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const EVERY = "@every ";

function parse(spec: string): CronSchedule {
  let rest = spec;
  let zone = UTC;
  if (rest.startsWith("TZ=") || rest.startsWith("CRON_TZ=")) {
    const space = rest.indexOf(" ");
    if (space < 0) throw new CronError("time zone without schedule");
    const name = rest.slice(rest.indexOf("=") + 1, space);
    const known = zoneByName(name);
    if (known === undefined) throw new CronError(`unknown time zone ${name}`);
    zone = known;
    rest = rest.slice(space).trim();
  }
  if (rest.startsWith(EVERY)) return new ConstantDelay(parseGoDuration(rest.slice(EVERY.length)));
  if (rest.startsWith("@")) {
    const fields = Object.hasOwn(DESCRIPTORS, rest) ? DESCRIPTORS[rest] : undefined;
    if (fields === undefined) throw new CronError(`unrecognized descriptor: ${rest}`);
    rest = fields;
  }
  const f = rest.split(/\s+/).filter((s) => s !== "");
  if (f.length !== 5) throw new CronError(`expected exactly 5 fields, found ${f.length}`);
  return new FieldSchedule(
    parseField(f[0] as string, MINUTES),
    parseField(f[1] as string, HOURS),
    parseField(f[2] as string, DAYS_OF_MONTH),
    parseField(f[3] as string, MONTHS),
    parseField(f[4] as string, DAYS_OF_WEEK),
    zone,
  );
}

function parseField(text: string, bounds: Bounds): Field {
  const allowed = new Array<boolean>(bounds.max + 1).fill(false);
  let star = false;
  // Empty parts count for nothing: a field of commas alone allows no value, so that the schedule never fires.
  for (const part of text.split(",")) if (part !== "" && addRange(part, bounds, allowed)) star = true;
  return { allowed, star };
}

/** Adds a part of a field; answers whether it means "any". */
function addRange(part: string, bounds: Bounds, allowed: boolean[]): boolean {
  const [range = "", stepText, ...manySlashes] = part.split("/");
  const [low = "", high, ...manyHyphens] = range.split("-");
  const any = low === "*" || low === "?";
  let start: number;
  let end: number;
  if (any) {
    start = bounds.min;
    end = bounds.max;
  } else {
    start = numberOrName(low, bounds);
    if (manyHyphens.length > 0) throw new CronError(`too many hyphens: ${part}`);
    end = high === undefined ? start : numberOrName(high, bounds);
  }
  if (manySlashes.length > 0) throw new CronError(`too many slashes: ${part}`);
  let step = 1;
  if (stepText !== undefined) {
    step = wholeNumber(stepText);
    // "N/step" is "N-max/step".
    if (high === undefined) end = bounds.max;
  }
  if (start < bounds.min || end > bounds.max || start > end || step === 0) throw new CronError(`range out of bounds: ${part}`);
  for (let i = start; i <= end; i += step) allowed[i] = true;
  return any && step <= 1;
}

function numberOrName(text: string, bounds: Bounds): number {
  const name = text.toLowerCase();
  return Object.hasOwn(bounds.names, name) ? (bounds.names[name] as number) : wholeNumber(text);
}

function wholeNumber(text: string): number {
  if (!/^[+-]?\d{1,18}$/.test(text)) throw new CronError(`not a number: ${text}`);
  const n = Number(text);
  if (n < 0) throw new CronError(`negative number: ${text}`);
  return n;
}

const UNIT_NANOS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, "\u00b5s": 1e3, "\u03bcs": 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's time.ParseDuration, in whole seconds: what `@every` uses of it. */
function parseGoDuration(text: string): number {
  const body = /^[+-]/.test(text) ? text.slice(1) : text;
  if (body === "0") return 0;
  if (body === "") throw new CronError("empty duration");
  let nanos = 0;
  const part = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
  while (part.lastIndex < body.length) {
    const m = part.exec(body);
    if (m === null) throw new CronError(`invalid duration: ${text}`);
    nanos += Number(m[1]) * (UNIT_NANOS[m[2] as string] as number);
  }
  if (nanos >= 2 ** 63) throw new CronError(`invalid duration: ${text}`);
  return text.startsWith("-") ? 0 : Math.floor(nanos / 1e9);
}

/** `@every`: a fixed number of seconds, at least one, from whole second to whole second. */
class ConstantDelay implements CronSchedule {
  private readonly delay: number;

  constructor(seconds: number) {
    this.delay = Math.max(seconds, 1) * MICROS;
  }

  next(afterMicros: number): number {
    return Math.floor(afterMicros / MICROS) * MICROS + this.delay;
  }

  nextFrom(fromMicros: number, nowMicros: number): number {
    const first = this.next(fromMicros);
    return first >= nowMicros ? first : first + Math.ceil((nowMicros - first) / this.delay) * this.delay;
  }
}

class FieldSchedule implements CronSchedule {
  constructor(
    private readonly minute: Field,
    private readonly hour: Field,
    private readonly dayOfMonth: Field,
    private readonly month: Field,
    private readonly dayOfWeek: Field,
    private readonly zone: Zone,
  ) {}

  nextFrom(fromMicros: number, nowMicros: number): number | undefined {
    const first = this.next(fromMicros);
    if (first === undefined || first >= nowMicros) return first;
    return this.next(nowMicros - 1);
  }

  private dayMatches(t: LocalTime): boolean {
    const byMonth = this.dayOfMonth.allowed[t.day] === true;
    const byWeek = this.dayOfWeek.allowed[t.weekday] === true;
    return this.dayOfMonth.star || this.dayOfWeek.star ? byMonth && byWeek : byMonth || byWeek;
  }

  next(afterMicros: number): number | undefined {
    const zone = this.zone;
    let t = localTime(Math.floor(afterMicros / MICROS) + 1, zone);
    const yearMax = t.year + SEARCH_YEARS_MAX;
    // Set once a field has moved: the smaller ones then start from their lowest value.
    let moved = false;
    wrap: while (t.year <= yearMax) {
      while (this.month.allowed[t.month] !== true) {
        if (!moved) {
          moved = true;
          t = localTime(fromCivil(t.year, t.month, 1, 0, 0, 0, zone), zone);
        }
        t = localTime(fromCivil(t.year, t.month + 1, t.day, t.hour, t.minute, t.second, zone), zone);
        if (t.month === 1) continue wrap;
      }
      while (!this.dayMatches(t)) {
        if (!moved) {
          moved = true;
          t = localTime(fromCivil(t.year, t.month, t.day, 0, 0, 0, zone), zone);
        }
        t = localTime(fromCivil(t.year, t.month, t.day + 1, t.hour, t.minute, t.second, zone), zone);
        // A day without midnight.
        if (t.hour !== 0) t = localTime(t.seconds + (t.hour > 12 ? 24 - t.hour : -t.hour) * 3600, zone);
        if (t.day === 1) continue wrap;
      }
      while (this.hour.allowed[t.hour] !== true) {
        if (!moved) {
          moved = true;
          t = localTime(fromCivil(t.year, t.month, t.day, t.hour, 0, 0, zone), zone);
        }
        t = localTime(t.seconds + 3600, zone);
        if (t.hour === 0) continue wrap;
      }
      while (this.minute.allowed[t.minute] !== true) {
        if (!moved) {
          moved = true;
          t = localTime(Math.floor(t.seconds / 60) * 60, zone);
        }
        t = localTime(t.seconds + 60, zone);
        if (t.minute === 0) continue wrap;
      }
      // Only second 0 is allowed.
      while (t.second !== 0) {
        t = localTime(t.seconds + (60 - t.second), zone);
        moved = true;
        if (t.second === 0) continue wrap;
      }
      return t.seconds * MICROS;
    }
    return undefined;
  }
}
