/**
 * When a schedule acts: the union of its calendars and intervals, less what is excluded, within its start and end, each time put off
 * by a jitter that follows from the schedule and the time. Pure: the same spec, seed and time give the same answer.
 */
import { ScheduleSpec } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import { durationMicros, MICROS_PER_SECOND, timestampMicros } from "../../api/time.js";
import { fingerprint32 } from "../../lib/fingerprint32.js";
import { localTime, UTC, type Zone, zoneByName } from "../../lib/time-zone.js";
import { zoneFromTzif } from "../../lib/tzif.js";
import { Calendar } from "./calendar.js";
import { canonicalSpec, SpecError, YEAR_MAX } from "./parse-spec.js";

/** Thrown by `next` when everything that it has looked at is excluded. */
export class TooManyExclusions extends Error {}

export interface ActionTime {
  /** Microseconds. Time of the spec. */
  readonly nominal: number;
  /** With jitter. */
  readonly actual: number;
}

const HOUR = 3600;
const JITTER_MS_MAX = 0xffff_ffff;
/** Seconds from the year 1 to the epoch: Go counts from there. */
const GO_EPOCH = 62_135_596_800;

export class CompiledSpec {
  private readonly calendars: readonly Calendar[];
  /** Of each calendar the last search: nothing matches between. Whoever asks for one time after the other searches each calendar for its own only. */
  private readonly found: ({ readonly from: number; readonly at: number } | undefined)[] = [];
  private readonly excluded: readonly Calendar[];
  private readonly intervals: readonly { readonly interval: number; readonly phase: number }[];
  private readonly start: number;
  private readonly end: number;
  private readonly jitterMs: number;

  /** The spec in the form that is kept and shown. @throws SpecError */
  constructor(
    readonly canonical: ScheduleSpec,
    private readonly zone: Zone = zoneOf(canonical),
  ) {
    this.calendars = canonical.structuredCalendar.map((c) => new Calendar(c, zone));
    this.excluded = canonical.excludeStructuredCalendar.map((c) => new Calendar(c, zone));
    this.intervals = canonical.interval.map((i) => ({
      interval: Math.max(Math.trunc(durationMicros(i.interval) / MICROS_PER_SECOND), 1),
      phase: Math.max(Math.trunc(durationMicros(i.phase) / MICROS_PER_SECOND), 0),
    }));
    this.start = timestampMicros(canonical.startTime);
    this.end = canonical.endTime === undefined ? Number.POSITIVE_INFINITY : timestampMicros(canonical.endTime);
    this.jitterMs = Math.trunc(durationMicros(canonical.jitter) / 1000);
  }

  /** @throws SpecError */
  static compile(spec: ScheduleSpec): CompiledSpec {
    return new CompiledSpec(canonicalSpec(spec));
  }

  /**
   * The first time after `after`; undefined when there is none. `stepsMax`: of the search past excluded times.
   * @throws TooManyExclusions
   */
  next(seed: string, after: number, stepsMax: number): ActionTime | undefined {
    let from = Math.floor(Math.max(after, this.start - MICROS_PER_SECOND) / MICROS_PER_SECOND);
    let nominal: number | undefined;
    for (let step = 0; ; step++) {
      if (step >= stepsMax) throw new TooManyExclusions();
      nominal = this.rawNext(from);
      if (nominal === undefined || nominal * MICROS_PER_SECOND > this.end || localTime(nominal, UTC).year > YEAR_MAX) return undefined;
      const at = nominal;
      const by = this.excluded.find((c) => c.matches(at));
      if (by === undefined) break;
      from = by.lastOfMatch(nominal);
    }
    const following = this.jitterMs === 0 ? undefined : this.rawNext(nominal);
    const jitterMs = following === undefined ? this.jitterMs : Math.min(this.jitterMs, (following - nominal) * 1000);
    return { nominal: nominal * MICROS_PER_SECOND, actual: nominal * MICROS_PER_SECOND + jitter(seed, nominal, jitterMs) * 1000 };
  }

  private rawNext(after: number): number | undefined {
    let earliest = Number.POSITIVE_INFINITY;
    // From within an hour of a change of the clocks the official walk may find another time than from before.
    const isAmbiguous = this.zone(after - 2 * HOUR) !== this.zone(after + 2 * HOUR);
    for (let i = 0; i < this.calendars.length; i++) {
      let found = this.found[i];
      if (found === undefined || isAmbiguous || after < found.from || after >= found.at) {
        found = { from: after, at: this.calendars[i]?.next(after) ?? Number.POSITIVE_INFINITY };
        this.found[i] = isAmbiguous ? undefined : found;
      }
      if (found.at < earliest) earliest = found.at;
    }
    for (const { interval, phase } of this.intervals) {
      const at = (Math.trunc((after - phase) / interval) + 1) * interval + phase;
      if (at < earliest) earliest = at;
    }
    return Number.isFinite(earliest) ? earliest : undefined;
  }
}

/** Milliseconds in [0, max), by a hash of the time and the schedule. */
function jitter(seed: string, nominal: number, maxMs: number): number {
  const ms = Math.min(Math.max(maxMs, 0), JITTER_MS_MAX);
  if (ms === 0) return 0;
  // Go's binary form of the time in UTC: version, seconds, nanoseconds, no zone.
  const head = Buffer.alloc(15);
  head[0] = 1;
  const seconds = nominal + GO_EPOCH;
  head.writeUInt32BE(Math.floor(seconds / 2 ** 32), 1);
  head.writeUInt32BE(seconds % 2 ** 32, 5);
  head.writeInt16BE(-1, 13);
  const hash = fingerprint32(Buffer.concat([head, Buffer.from(seed)]));
  // hash * ms / 2^32 in whole numbers.
  const high = hash * Math.floor(ms / 65_536);
  const low = Math.floor((hash * (ms % 65_536)) / 65_536);
  return Math.floor((high + low) / 65_536);
}

function zoneOf(spec: ScheduleSpec): Zone {
  if (spec.timezoneData.length > 0) {
    const zone = zoneFromTzif(spec.timezoneData);
    if (zone === undefined) throw new SpecError("malformed time zone information");
    return zone;
  }
  const name = spec.timezoneName;
  if (name.includes("..") || name.startsWith("/") || name.startsWith("\\")) throw new SpecError("time: invalid location name");
  const zone = zoneByName(name);
  if (zone === undefined) throw new SpecError(`unknown time zone ${name}`);
  return zone;
}

/** Ranges with their defaults, as they are shown. */
export function shownSpec(spec: ScheduleSpec): ScheduleSpec {
  const calendars = (list: ScheduleSpec["structuredCalendar"]) =>
    list.map((c) => {
      const clean = (ranges: typeof c.second) => ranges.map((r) => ({ start: r.start, end: Math.max(r.end, r.start), step: r.step || 1 }));
      return {
        ...c,
        second: clean(c.second),
        minute: clean(c.minute),
        hour: clean(c.hour),
        dayOfMonth: clean(c.dayOfMonth),
        month: clean(c.month),
        year: clean(c.year),
        dayOfWeek: clean(c.dayOfWeek),
      };
    });
  return ScheduleSpec.create({
    ...spec,
    structuredCalendar: calendars(spec.structuredCalendar),
    excludeStructuredCalendar: calendars(spec.excludeStructuredCalendar),
  });
}
