/** Conversions between the core's integer microseconds and protobuf's Timestamp and Duration. */
import type { Duration } from "../../gen/wire/google/protobuf/duration.js";
import type { Timestamp } from "../../gen/wire/google/protobuf/timestamp.js";

export const MICROS_PER_MS = 1_000;
export const MICROS_PER_SECOND = 1_000_000;

/** Longest duration that the official server keeps (100 years); longer ones are cut to it. */
export const DURATION_MICROS_MAX = 100 * 365 * 86_400 * MICROS_PER_SECOND;

/** What the official server shows in some places for a time that there is not: the first moment of its clock's type. */
export const NO_TIME: Timestamp = { seconds: -62_135_596_800, nanos: 0 };

/** Undefined for 0, which stands for "none". */
export function timestamp(micros: number): Timestamp | undefined {
  return micros === 0 ? undefined : timestampOf(micros);
}

export function timestampOf(micros: number): Timestamp {
  const seconds = Math.floor(micros / MICROS_PER_SECOND);
  return { seconds, nanos: (micros - seconds * MICROS_PER_SECOND) * 1000 };
}

export function timestampMicros(t: { seconds?: number; nanos?: number } | undefined): number {
  return t === undefined ? 0 : (t.seconds ?? 0) * MICROS_PER_SECOND + Math.floor((t.nanos ?? 0) / 1000);
}

export function duration(micros: number): Duration {
  const seconds = Math.trunc(micros / MICROS_PER_SECOND);
  return { seconds, nanos: (micros - seconds * MICROS_PER_SECOND) * 1000 };
}

/** Microseconds; 0 when unset. Below a microsecond is rounded up, so that a timer is never early. */
export function durationMicros(d: { seconds?: number; nanos?: number } | undefined): number {
  return d === undefined ? 0 : (d.seconds ?? 0) * MICROS_PER_SECOND + Math.ceil((d.nanos ?? 0) / 1000);
}

/** The official server's text for a duration it refuses; undefined when it is fine. */
export function durationProblem(d: { seconds?: number; nanos?: number } | undefined): string | undefined {
  if (d === undefined) return undefined;
  const seconds = d.seconds ?? 0;
  const nanos = d.nanos ?? 0;
  if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) return "duration has seconds and nanos with different signs";
  if (seconds < 0 || nanos < 0) return "negative duration";
  return undefined;
}

export function cappedMicros(d: { seconds?: number; nanos?: number } | undefined): number {
  return Math.min(durationMicros(d), DURATION_MICROS_MAX);
}
