/**
 * Effective settings: the table of limits.ts with what the user set, as one immutable snapshot. Pure. A value may hold for a namespace, a
 * task queue or a destination only (constraints.ts): `ofNamespace` and its like pick the limits that hold there. Where nothing is
 * constrained they answer with the one set of limits that there is.
 */
import { type Constraints, constraintsKey, isConstrained, isLookedUp, NO_CONSTRAINTS } from "./constraints.js";
import { ACCEPTED_KEYS, type Limits, type RetryDefaults, SETTINGS, type Setting, type SettingName } from "./limits.js";

export interface Config {
  /** Counts up with every change: reproducers name it. */
  readonly version: number;
  readonly limits: Limits;
  /** Undefined where every setting has one value. */
  readonly constrained?: ConstrainedLimits | undefined;
}

/** A value as the user gave it. */
export interface GivenValue {
  readonly key: string;
  readonly value: unknown;
  readonly constraints: Constraints;
  /** Where it was given, for texts to the user; empty on the command line. */
  readonly where: string;
}

/** The config of a namespace: that of its inputs. */
export const ofNamespace = (config: Config, namespace: string): Config => config.constrained?.ofNamespace(namespace) ?? config;

/** `type`: the number of the API's TaskQueueType. */
export const ofTaskQueue = (config: Config, namespace: string, taskQueue: string, type: number): Limits =>
  config.constrained === undefined ? config.limits : config.constrained.ofTaskQueue(namespace, taskQueue, type);

export const ofDestination = (config: Config, namespace: string, destination: string): Limits =>
  config.constrained === undefined ? config.limits : config.constrained.ofDestination(namespace, destination);

/** What a part of the server makes of limits, made once for each set of them that there is. */
export function madeOnce<T>(config: () => Config, make: (limits: Limits) => T): (limits: Limits) => T {
  let version: number | undefined;
  const made = new Map<Limits, T>();
  let last: { readonly limits: Limits; readonly made: T } | undefined;
  return (limits) => {
    if (last?.limits === limits) return last.made;
    const now = config();
    if (now.version !== version) {
      version = now.version;
      made.clear();
    }
    let found = made.get(limits);
    if (found === undefined) made.set(limits, (found = make(limits)));
    last = { limits, made: found };
    return found;
  };
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

const DAYS = /(\d+(?:\.\d*)?|\.\d+)d/g;

/** Milliseconds; a bare number is seconds, and there are days, as in the official server. */
function milliseconds(value: unknown): number | undefined {
  if (typeof value === "string")
    return /^(\d+(\.\d*)?|\.\d+)$/.test(value)
      ? Number(value) * 1000
      : parseDurationMs(value.replace(DAYS, (_, days: string) => `${Number(days) * 24}h`));
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

/** The texts that Go takes for a boolean. */
const BOOLEANS: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true]),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false]),
]);

function convert(setting: Setting, value: unknown): Setting["value"] | undefined {
  if (setting.kind === "bool") return typeof value === "string" ? BOOLEANS[value] : typeof value === "boolean" ? value : undefined;
  if (setting.kind === "text") return typeof value === "string" ? value : undefined;
  if (setting.kind === "json") return typeof value === "string" ? value : value === null ? undefined : JSON.stringify(value);
  if (setting.kind === "list") return Array.isArray(value) && value.every((v) => typeof v === "string") ? value : undefined;
  if (setting.kind === "ms") return milliseconds(value);
  if (setting.kind === "retry") return retryDefaults(setting.value as RetryDefaults, value);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Whether the two keys are one. */
export const isSameKey = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/**
 * "key=value", the value JSON as in the official CLI (a bare word is a string).
 * @throws Error with a text for the user.
 */
export function givenByPair(pair: string): GivenValue {
  const at = pair.indexOf("=");
  if (at < 1) throw new Error(`dynamic config value ${JSON.stringify(pair)} is not of the form KEY=VALUE`);
  const text = pair.slice(at + 1);
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // A bare word, such as 20s.
  }
  return { key: pair.slice(0, at), value, constraints: NO_CONSTRAINTS, where: "" };
}

/** @throws Error with a text for the user when a value does not fit its key. */
export function withSettings(config: Config, pairs: readonly string[], onUnknown: (key: string) => void): Config {
  return withValues(config, pairs.map(givenByPair), (value, problem) => {
    if (problem === "unknown") onUnknown(value.key);
  });
}

/** Why a value is passed over: nobody knows its key, or nothing of the key is ever looked up by such constraints. */
export type Problem = "unknown" | "constraints";

/**
 * Of values with the same key and constraints the last one counts.
 * @throws Error with a text for the user when a value does not fit its key.
 */
export function withValues(config: Config, values: readonly GivenValue[], onProblem: (value: GivenValue, problem: Problem) => void): Config {
  const limits: Record<string, Setting["value"]> = { ...config.limits };
  const constrained: Constrained[] = [];
  for (const given of values) {
    const { key, value, constraints } = given;
    const name = BY_KEY.get(key.toLowerCase());
    if (name === undefined) {
      if (keyState(key) === "unknown") onProblem(given, "unknown");
      continue;
    }
    const converted = convert(SETTINGS[name], value);
    if (converted === undefined) throw new Error(`${placed(given)}dynamic config value ${shown(value)} does not fit ${key} (${SETTINGS[name].kind})`);
    if (!isLookedUp(SETTINGS[name].scope, constraints)) onProblem(given, "constraints");
    else if (isConstrained(constraints)) constrained.push({ name, value: converted, constraints });
    else limits[name] = converted;
  }
  const all = limits as unknown as Limits;
  const version = config.version + 1;
  return { version, limits: all, constrained: constrained.length === 0 ? undefined : new ConstrainedLimits(version, all, constrained) };
}

const placed = ({ where }: GivenValue): string => (where === "" ? "" : `${where}: `);
const shown = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? "null"));

interface Constrained {
  readonly name: SettingName;
  readonly value: Setting["value"];
  readonly constraints: Constraints;
}

/** Values of settings under the same constraints. */
type Layer = Partial<Record<SettingName, Setting["value"]>>;

/**
 * The limits under each set of constraints: those without any, with the values of narrower and narrower constraints laid over them.
 * Immutable for whoever asks; what holds for a queue or a destination that some value names is put together when it is first asked for.
 */
export class ConstrainedLimits {
  private readonly layers = new Map<string, Layer>();
  private readonly configs = new Map<string, Config>();
  /** Named in any constraint: the others are all alike. */
  private readonly named = new Set<string>();
  private readonly taskQueues = new Set<string>();
  private readonly destinations = new Set<string>();
  private readonly made = new Map<string, Limits>();

  constructor(
    version: number,
    private readonly limits: Limits,
    values: readonly Constrained[],
  ) {
    const namespaces = new Set<string>();
    for (const { name, value, constraints } of values) {
      const key = constraintsKey(constraints);
      this.layers.set(key, { ...this.layers.get(key), [name]: value });
      const { namespace, taskQueue, destination } = constraints;
      this.named.add(namespace);
      if (taskQueue !== "") this.taskQueues.add(taskQueue);
      else if (destination !== "") this.destinations.add(destination);
      else namespaces.add(namespace);
    }
    for (const namespace of namespaces)
      this.configs.set(namespace, { version, limits: this.over(limits, { ...NO_CONSTRAINTS, namespace }), constrained: this });
  }

  /** Those that have limits of their own. */
  get namespaces(): readonly string[] {
    return [...this.configs.keys()];
  }

  ofNamespace(namespace: string): Config | undefined {
    return this.configs.get(namespace);
  }

  ofTaskQueue(namespaceAsked: string, taskQueue: string, taskType: number): Limits {
    const namespace = this.named.has(namespaceAsked) ? namespaceAsked : "";
    const widest = this.configs.get(namespace)?.limits ?? this.limits;
    if (!this.taskQueues.has(taskQueue)) return widest;
    const queue = { ...NO_CONSTRAINTS, taskQueue };
    return this.madeOf(widest, queue, { ...queue, namespace }, { ...queue, namespace, taskType });
  }

  ofDestination(namespaceAsked: string, destination: string): Limits {
    const namespace = this.named.has(namespaceAsked) ? namespaceAsked : "";
    const widest = this.configs.get(namespace)?.limits ?? this.limits;
    if (!this.destinations.has(destination)) return widest;
    const all = { ...NO_CONSTRAINTS, destination };
    return this.madeOf(widest, all, { ...all, namespace });
  }

  /** `constraints`: the widest first. */
  private madeOf(widest: Limits, ...constraints: [Constraints, ...Constraints[]]): Limits {
    const key = constraintsKey(constraints[constraints.length - 1] as Constraints);
    let limits = this.made.get(key);
    if (limits === undefined) this.made.set(key, (limits = this.over(widest, ...constraints)));
    return limits;
  }

  private over(widest: Limits, ...constraints: Constraints[]): Limits {
    return Object.assign({}, widest, ...constraints.map((c) => this.layers.get(constraintsKey(c)))) as Limits;
  }
}
