/**
 * A structured calendar as predicates over local time: the next matching second, and whether a second matches. The walk is the
 * official server's, its treatment of hours that a change of the clocks skips (no action) or repeats (two actions) included.
 */
import type { Range, StructuredCalendarSpec } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import { daysFromCivil, fromCivil, localTime, type Zone } from "../../lib/time-zone.js";
import { YEAR_MAX } from "./parse-spec.js";

const HOUR = 3600;
const QUARTER = 900;

export class Calendar {
  private readonly second: readonly boolean[];
  private readonly minute: readonly boolean[];
  private readonly hour: readonly boolean[];
  private readonly dayOfMonth: readonly boolean[];
  private readonly month: readonly boolean[];
  private readonly dayOfWeek: readonly boolean[];
  /** Undefined: every year. */
  private readonly years: ReadonlySet<number> | undefined;
  private readonly anyDayOfWeek: boolean;
  /** A field is empty: to find that out by walking to the last year takes minutes. */
  private readonly neverMatches: boolean;
  /** What a match says of the seconds that follow: all of the minute, the hour, the day match too. */
  private readonly wholeMinutes: boolean;
  private readonly wholeHours: boolean;
  private readonly wholeDays: boolean;

  constructor(
    c: StructuredCalendarSpec,
    private readonly zone: Zone,
  ) {
    this.second = allowed(c.second, 60);
    this.minute = allowed(c.minute, 60);
    this.hour = allowed(c.hour, 24);
    this.dayOfMonth = allowed(c.dayOfMonth, 32);
    this.month = allowed(c.month, 13);
    this.dayOfWeek = allowed(c.dayOfWeek, 7);
    this.years = c.year.length === 0 ? undefined : new Set(c.year.flatMap(values));
    this.neverMatches = [c.second, c.minute, c.hour, c.dayOfMonth, c.month, c.dayOfWeek].some((ranges) => ranges.length === 0);
    const all = (a: readonly boolean[], from: number) => a.slice(from).every((x) => x);
    this.anyDayOfWeek = all(this.dayOfWeek, 0);
    this.wholeMinutes = all(this.second, 0);
    this.wholeHours = this.wholeMinutes && all(this.minute, 0);
    this.wholeDays = this.wholeHours && all(this.hour, 0);
  }

  matches(seconds: number): boolean {
    const t = localTime(seconds, this.zone);
    return (
      this.matchesYear(t.year) &&
      this.month[t.month] === true &&
      this.dayOfMonth[t.day] === true &&
      this.dayOfWeek[t.weekday] === true &&
      this.hour[t.hour] === true &&
      this.minute[t.minute] === true &&
      this.second[t.second] === true
    );
  }

  /**
   * A second that matches: the last one up to which every second matches for sure. Where the clocks change before that, which they do
   * on a quarter of an hour, nothing is said beyond the present quarter.
   */
  lastOfMatch(seconds: number): number {
    const t = localTime(seconds, this.zone);
    if (!this.wholeMinutes) return seconds;
    const minute = seconds + 59 - t.second;
    if (!this.wholeHours) return minute;
    const hour = minute + (59 - t.minute) * 60;
    const day = hour + (23 - t.hour) * HOUR;
    const last = this.wholeDays ? day : hour;
    if (this.zone(last) === this.zone(seconds)) return last;
    return Math.max(minute, Math.min(last, (Math.floor(seconds / QUARTER) + 1) * QUARTER - 1));
  }

  /** The first match after the second; undefined when there is none before the last year. */
  next(after: number): number | undefined {
    if (this.neverMatches) return undefined;
    const { zone } = this;
    const t = localTime(after, zone);
    let { year: y, month: mo, day: d, hour: h, minute: m } = t;
    // In the second of two hours of the same name.
    let repeated = localTime(after - HOUR, zone).hour === h ? HOUR : 0;
    let s = t.second + 1;
    outer: for (;;) {
      if (s >= 60) {
        m++;
        s = 0;
      }
      if (m >= 60) {
        const previous = fromCivil(y, mo, d, h, 0, 0, zone);
        h++;
        m = 0;
        const following = fromCivil(y, mo, d, h, 0, 0, zone);
        // The next hour is two hours away: this one comes twice.
        if (repeated === 0 && following - previous > HOUR) {
          h--;
          repeated = HOUR;
        } else repeated = 0;
      }
      if (h >= 24) {
        d++;
        h = 0;
      }
      if (d > daysInMonth(y, mo)) {
        mo++;
        d = 1;
      }
      if (mo > 12) {
        y++;
        mo = 1;
      }
      if (y > YEAR_MAX) return undefined;
      if (!this.matchesYear(y)) {
        y++;
        mo = 1;
        d = 1;
        h = m = s = 0;
        repeated = 0;
        continue;
      }
      while (this.month[mo] !== true) {
        mo++;
        d = 1;
        h = m = s = 0;
        repeated = 0;
        if (mo > 12) continue outer;
      }
      while (this.dayOfMonth[d] !== true || !this.matchesWeekday(y, mo, d, h, m, s)) {
        d++;
        h = m = s = 0;
        repeated = 0;
        if (d > daysInMonth(y, mo)) continue outer;
      }
      while (this.hour[h] !== true) {
        h++;
        m = s = 0;
        repeated = 0;
        if (h >= 24) continue outer;
      }
      while (this.minute[m] !== true) {
        m++;
        s = 0;
        if (m >= 60) continue outer;
      }
      while (this.second[s] !== true) {
        s++;
        if (s >= 60) continue outer;
      }
      const found = fromCivil(y, mo, d, h, m, s, zone);
      // A time that the clocks jump over.
      if (localTime(found, zone).hour !== h) {
        h++;
        m = s = 0;
        continue;
      }
      return found + repeated;
    }
  }

  private matchesYear(y: number): boolean {
    return this.years === undefined || this.years.has(y);
  }

  private matchesWeekday(y: number, mo: number, d: number, h: number, m: number, s: number): boolean {
    return this.anyDayOfWeek || this.dayOfWeek[localTime(fromCivil(y, mo, d, h, m, s, this.zone), this.zone).weekday] === true;
  }
}

function daysInMonth(y: number, mo: number): number {
  return daysFromCivil(y, mo + 1, 1) - daysFromCivil(y, mo, 1);
}

function values(r: Range): number[] {
  const out: number[] = [];
  for (let v = r.start; v <= Math.max(r.end, r.start); v += r.step === 0 ? 1 : r.step) out.push(v);
  return out;
}

function allowed(ranges: readonly Range[], size: number): boolean[] {
  const out = new Array<boolean>(size).fill(false);
  for (const r of ranges) for (const v of values(r)) out[v] = true;
  return out;
}
