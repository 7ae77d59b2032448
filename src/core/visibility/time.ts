/** RFC 3339 times and Go durations, as queries and attribute values write them. */

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})$/;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const isLeap = (y: number): boolean => (y % 4 === 0 && y % 100 !== 0) || y % 400 === 0;

function daysSinceEpoch(y: number, m: number, d: number): number {
  const year = m <= 2 ? y - 1 : y;
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * (m + (m > 2 ? -3 : 9)) + 2) / 5) + d - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

/** Microseconds since 1970, what is finer is cut; undefined when it is no time. */
export function parseTime(s: string): number | undefined {
  const p = RFC3339.exec(s);
  if (p === null) return undefined;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(p[i])) as [number, number, number, number, number, number];
  const monthDays = month === 2 && isLeap(year) ? 29 : MONTH_DAYS[month - 1];
  if (monthDays === undefined || day < 1 || day > monthDays || hour > 23 || minute > 59 || second > 59) return undefined;
  const micros = Number((p[7] ?? "").slice(0, 6).padEnd(6, "0"));
  const zone = p[8] as string;
  let offset = 0;
  if (zone !== "Z") {
    const [h, m] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
    if (h > 23 || m > 59) return undefined;
    offset = (zone.startsWith("-") ? -1 : 1) * (h * 3600 + m * 60);
  }
  return (daysSinceEpoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000 + micros;
}

const UNIT_MICROS: Readonly<Record<string, number>> = {
  ns: 0.001,
  us: 1,
  µs: 1,
  μs: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
};

/** Microseconds of "1h30m", "2d", "hh:mm:ss" or a number of nanoseconds; undefined when it is none. */
export function parseDuration(s: string): number | undefined {
  if (/^[+-]?\d+$/.test(s)) return Number(s) / 1000;
  const clock = /^(\d+):(\d+):(\d+)/.exec(s);
  if (clock !== null) {
    const [h, m, sec] = [Number(clock[1]), Number(clock[2]), Number(clock[3])];
    return m > 59 || sec > 59 ? undefined : (h * 3600 + m * 60 + sec) * 1_000_000;
  }
  const sign = s.startsWith("-") ? -1 : 1;
  const body = /^[+-]/.test(s) ? s.slice(1) : s;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d))+$/.test(body)) return undefined;
  let total = 0;
  for (const part of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)/g))
    total += Number(part[1]) * (UNIT_MICROS[part[2] as string] as number);
  return sign * total;
}
