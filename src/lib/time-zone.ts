/**
 * Local time in a zone, as Go's time package has it: times that a change of the clocks skips or repeats resolve as its time.Date
 * does. Zones come by name, from the tables of the JavaScript engine (Intl), or are functions of any other source (tzif.ts).
 * Times are whole seconds since the epoch.
 */
export interface LocalTime {
  /** Since the epoch. */
  readonly seconds: number;
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

/** Seconds east of UTC at a moment. */
export type Zone = (seconds: number) => number;

export const UTC: Zone = () => 0;
const zones = new Map<string, Zone>();

/** Undefined when there is none of that name. */
export function zoneByName(name: string): Zone | undefined {
  if (name === "" || name === "UTC" || name === "Local") return UTC;
  const known = zones.get(name);
  if (known !== undefined) return known;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      era: "short",
    });
  } catch {
    return undefined;
  }
  // Offsets change on quarter hours of UTC at the finest: one look-up serves the searches around it.
  const offsets = new Map<number, number>();
  const zone: Zone = (seconds) => {
    const quarter = Math.floor(seconds / 900);
    let offset = offsets.get(quarter);
    if (offset === undefined) {
      const at = quarter * 900;
      const part: Record<string, number> = {};
      for (const p of format.formatToParts(at * 1000)) part[p.type] = Number(p.value);
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
      offset = civilSeconds(year, month, day, hour, minute, second) - at;
      if (offsets.size > 4096) offsets.clear();
      offsets.set(quarter, offset);
    }
    return offset;
  };
  zones.set(name, zone);
  return zone;
}

/** Days since the epoch of a date in the proleptic Gregorian calendar; month and day may be out of range. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y0 = year + Math.floor((month - 1) / 12);
  const m = ((((month - 1) % 12) + 12) % 12) + 1;
  const y = m <= 2 ? y0 - 1 : y0;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (m > 2 ? m - 3 : m + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

export function civilSeconds(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  return daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
}

/** Moment of a local time; one that is skipped or repeated resolves as Go's time.Date does. */
export function fromCivil(year: number, month: number, day: number, hour: number, minute: number, second: number, zone: Zone): number {
  const local = civilSeconds(year, month, day, hour, minute, second);
  const offset = zone(local);
  return offset === 0 ? local : local - zone(local - offset);
}

export function localTime(seconds: number, zone: Zone): LocalTime {
  const local = seconds + zone(seconds);
  const days = Math.floor(local / 86_400);
  const time = local - days * 86_400;
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const mp = Math.floor((5 * dayOfYear + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  return {
    seconds,
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * mp + 2) / 5) + 1,
    hour: Math.floor(time / 3600),
    minute: Math.floor((time % 3600) / 60),
    second: time % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}
