/** Effective settings: the table of limits.ts with what the user set, as one immutable snapshot. Pure. */
import { ACCEPTED_KEYS, type Limits, type RetryDefaults, SETTINGS, type Setting, type SettingName } from "./limits.js";

export interface Config {
  /** Counts up with every change: reproducers name it. */
  readonly version: number;
  readonly limits: Limits;
}

const BY_KEY = new Map<string, SettingName>(Object.entries(SETTINGS).map(([name, s]) => [s.key.toLowerCase(), name as SettingName]));
const ACCEPTED = new Set(Object.keys(ACCEPTED_KEYS).map((k) => k.toLowerCase()));

export function defaultConfig(): Config {
  return { version: 1, limits: Object.fromEntries(Object.entries(SETTINGS).map(([name, s]) => [name, s.value])) as unknown as Limits };
}

export type KeyState = "known" | "accepted" | "unknown";

/** Keys are compared without case, as the official server does. */
export function keyState(key: string): KeyState {
  const k = key.toLowerCase();
  return BY_KEY.has(k) ? "known" : ACCEPTED.has(k) ? "accepted" : "unknown";
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000001 };

/** Milliseconds of a Go duration ("1m30s"); undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  const body = text.startsWith("-") ? text.slice(1) : text;
  if (body === "0") return 0;
  let total = 0;
  let at = 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/y;
  while (at < body.length) {
    part.lastIndex = at;
    const m = part.exec(body);
    if (m === null) return undefined;
    total += Number(m[1]) * (UNIT_MS[m[2] ?? ""] ?? 0);
    at = part.lastIndex;
  }
  return body === "" ? undefined : text.startsWith("-") ? -total : total;
}

/** Milliseconds; a bare number is seconds, as in the official server. */
function milliseconds(value: unknown): number | undefined {
  if (typeof value === "string") return parseDurationMs(value);
  return typeof value === "number" ? value * 1000 : undefined;
}

/** Parts that the value does not name keep their official default. Names in any case; what is no part is passed over. */
function retryDefaults(defaults: RetryDefaults, value: unknown): RetryDefaults | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const out = { ...defaults };
  for (const [name, part] of Object.entries(value)) {
    const own = (Object.keys(defaults) as (keyof RetryDefaults)[]).find((k) => k.toLowerCase() === name.toLowerCase());
    if (own === undefined || part === null) continue;
    const number = own === "InitialIntervalInSeconds" ? milliseconds(part) : part;
    if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
    out[own] = own === "MaximumAttempts" ? Math.trunc(number) : number;
  }
  return out;
}

function convert(setting: Setting, value: unknown): Setting["value"] | undefined {
  if (setting.kind === "bool") return typeof value === "boolean" ? value : undefined;
  if (setting.kind === "text") return typeof value === "string" ? value : undefined;
  if (setting.kind === "json") return typeof value === "string" ? value : value === null ? undefined : JSON.stringify(value);
  if (setting.kind === "list") return Array.isArray(value) && value.every((v) => typeof v === "string") ? value : undefined;
  if (setting.kind === "ms") return milliseconds(value);
  if (setting.kind === "retry") return retryDefaults(setting.value as RetryDefaults, value);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/**
 * `pairs`: "key=value", the value JSON as in the official CLI (a bare word is a string).
 * @throws Error with a text for the user when a value does not fit its key.
 */
export function withSettings(config: Config, pairs: readonly string[], onUnknown: (key: string) => void): Config {
  const limits: Record<string, Setting["value"]> = { ...config.limits };
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new Error(`dynamic config value ${JSON.stringify(pair)} is not of the form KEY=VALUE`);
    const key = pair.slice(0, at);
    const text = pair.slice(at + 1);
    let value: unknown = text;
    try {
      value = JSON.parse(text);
    } catch {
      // A bare word, such as 20s.
    }
    const name = BY_KEY.get(key.toLowerCase());
    if (name === undefined) {
      if (keyState(key) === "unknown") onUnknown(key);
      continue;
    }
    const converted = convert(SETTINGS[name], value);
    if (converted === undefined) throw new Error(`dynamic config value ${text} does not fit ${key} (${SETTINGS[name].kind})`);
    limits[name] = converted;
  }
  return { version: config.version + 1, limits: limits as unknown as Limits };
}
