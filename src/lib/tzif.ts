/**
 * A time zone from the bytes of a TZif file (RFC 9636), as Go's time.LoadLocationFromTZData reads them: the transitions of the file,
 * then the rule of its footer.
 */
import { daysFromCivil, localTime, UTC, type Zone } from "./time-zone.js";

const HEADER = 44;
const DAY = 86_400;

interface LocalType {
  readonly offset: number;
  readonly isDst: boolean;
}

/** Undefined when the bytes are not a TZif file. */
export function zoneFromTzif(bytes: Uint8Array): Zone | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = (at: number) => {
    if (at + HEADER > bytes.length || view.getUint32(at) !== 0x545a6966) return undefined;
    const n = (i: number) => view.getUint32(at + 20 + 4 * i);
    return { version: bytes[at + 4] as number, isUt: n(0), isStd: n(1), leaps: n(2), times: n(3), types: n(4), chars: n(5) };
  };
  const size = (h: NonNullable<ReturnType<typeof header>>, width: number) =>
    h.times * (width + 1) + h.types * 6 + h.chars + h.leaps * (width + 4) + h.isStd + h.isUt;
  let h = header(0);
  if (h === undefined || (h.version !== 0 && h.version !== 0x32 && h.version !== 0x33 && h.version !== 0x34)) return undefined;
  let at = HEADER;
  let width = 4;
  if (h.version !== 0) {
    at += size(h, 4);
    h = header(at);
    if (h === undefined) return undefined;
    at += HEADER;
    width = 8;
  }
  if (h.types === 0 || at + size(h, width) > bytes.length) return undefined;
  const times: number[] = [];
  for (let i = 0; i < h.times; i++) times.push(width === 8 ? Number(view.getBigInt64(at + 8 * i)) : view.getInt32(at + 4 * i));
  const indexAt = at + h.times * width;
  const typeAt = indexAt + h.times;
  const types: LocalType[] = [];
  for (let i = 0; i < h.types; i++) types.push({ offset: view.getInt32(typeAt + 6 * i), isDst: bytes[typeAt + 6 * i + 4] !== 0 });
  const used: LocalType[] = [];
  for (let i = 0; i < h.times; i++) {
    const type = types[bytes[indexAt + i] as number];
    if (type === undefined) return undefined;
    used.push(type);
  }
  const footer = width === 8 ? Buffer.from(bytes.subarray(at + size(h, width))).toString("latin1") : "";
  const rule = /^\n(.*)\n/.exec(footer)?.[1];
  const extend = rule === undefined || rule === "" ? undefined : parseRule(rule);
  const first = firstType(types, used);
  return (seconds) => {
    if (times.length === 0 || seconds < (times[0] as number)) return extend !== undefined && times.length === 0 ? extend(seconds) : first.offset;
    let low = 0;
    let high = times.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (seconds < (times[middle] as number)) high = middle;
      else low = middle;
    }
    if (low === times.length - 1 && extend !== undefined) return extend(seconds);
    return (used[low] as LocalType).offset;
  };
}

/** What held before the first transition: a type that no transition names, else the last standard time before the first one's. */
function firstType(types: readonly LocalType[], used: readonly LocalType[]): LocalType {
  const [zero] = types as [LocalType];
  const [first] = used;
  if (!used.includes(zero)) return zero;
  if (first?.isDst === true) for (let i = types.indexOf(first) - 1; i >= 0; i--) if (types[i]?.isDst === false) return types[i] as LocalType;
  return types.find((t) => !t.isDst) ?? zero;
}

/** A rule of POSIX TZ: "CET-1CEST,M3.5.0,M10.5.0/3". Undefined when it is none. */
function parseRule(text: string): Zone | undefined {
  const m = /^(?:[A-Za-z]{3,}|<[^>]+>)([+-]?[\d:]+)(?:(?:[A-Za-z]{3,}|<[^>]+>)([+-]?[\d:]+)?(?:,([^,]+),([^,]+))?)?$/.exec(text);
  if (m === null) return undefined;
  const standard = 0 - parseTime(m[1] as string);
  if (/^(?:[A-Za-z]{3,}|<[^>]+>)[+-]?[\d:]+$/.test(text)) return standard === 0 ? UTC : () => standard;
  const daylight = m[2] === undefined ? standard + 3600 : 0 - parseTime(m[2]);
  const begin = parseDate(m[3] ?? "M3.2.0");
  const end = parseDate(m[4] ?? "M11.1.0");
  if (begin === undefined || end === undefined) return undefined;
  return (seconds) => {
    const { year } = localTime(seconds, UTC);
    const within = seconds - daysFromCivil(year, 1, 1) * DAY;
    const from = begin(year) - standard;
    const to = end(year) - daylight;
    const isDaylight = from < to ? within >= from && within < to : within >= from || within < to;
    return isDaylight ? daylight : standard;
  };
}

function parseTime(text: string): number {
  const [h = "0", m = "0", s = "0"] = text.replace(/^[+-]/, "").split(":");
  const seconds = Number(h) * 3600 + Number(m) * 60 + Number(s);
  return text.startsWith("-") ? -seconds : seconds;
}

/** Seconds of local time since the year began. */
function parseDate(text: string): ((year: number) => number) | undefined {
  const [date = "", clock] = text.split("/");
  const time = clock === undefined ? 7200 : parseTime(clock);
  const month = /^M(\d+)\.(\d+)\.(\d+)$/.exec(date);
  if (month !== null) {
    const [, mm, ww, dd] = month.map(Number) as [number, number, number, number];
    return (year) => {
      const start = daysFromCivil(year, mm, 1);
      const weekday = (((start + 4) % 7) + 7) % 7;
      let day = (dd - weekday + 7) % 7;
      const days = daysFromCivil(year, mm + 1, 1) - start;
      for (let week = 1; week < ww && day + 7 < days; week++) day += 7;
      return (start + day - daysFromCivil(year, 1, 1)) * DAY + time;
    };
  }
  const julian = /^J(\d+)$/.exec(date);
  if (julian !== null) {
    const n = Number(julian[1]);
    return (year) => (n - 1 + (n >= 60 && daysFromCivil(year, 3, 1) - daysFromCivil(year, 2, 1) === 29 ? 1 : 0)) * DAY + time;
  }
  return /^\d+$/.test(date) ? () => Number(date) * DAY + time : undefined;
}
