/** Durations in headers of the Nexus protocol: "1500ms". */
import { MICROS_PER_MS } from "../api/time.js";

export function formatDuration(micros: number): string {
  return `${Math.trunc(micros / MICROS_PER_MS)}ms`;
}

/** Microseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  if (m === null) return undefined;
  const ms = Number(m[1]) * (m[2] === "ms" ? 1 : m[2] === "s" ? 1_000 : 60_000);
  return Math.trunc(ms) * MICROS_PER_MS;
}
