/**
 * What a server is started with. In: flags, PERDURE_* environment, the parsed JSON file of --config (in this order of precedence) and
 * the command's defaults. Out: one checked ServerOptions, or an OptionsError whose text is one line for the user. Pure: reading the
 * environment and the file is the caller's.
 */
import {
  _default,
  array,
  boolean,
  enum as choice,
  type core,
  int,
  maximum,
  minimum,
  minLength,
  optional,
  safeParse,
  strictObject,
  string,
} from "zod/mini";
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { parseDurationMs } from "./dynamic-config.js";
import { COMMIT_THREADS, type Command, camelCase, DURABILITIES, environmentName, flagsOf, LIMIT_PROFILES, LOG_FORMATS, LOG_LEVELS } from "./flags.js";
import { SETTINGS } from "./limits.js";
import { OptionsError } from "./options-error.js";
import { type AuthOptions, authOptions, type TlsOptions, tlsOptions } from "./security-options.js";
import { type ProductWorkflow, parseWorkflow } from "./workflows.js";

/** The official CLI's short names. */
export const SEARCH_ATTRIBUTE_TYPES = {
  Text: IndexedValueType.TEXT,
  Keyword: IndexedValueType.KEYWORD,
  Int: IndexedValueType.INT,
  Double: IndexedValueType.DOUBLE,
  Bool: IndexedValueType.BOOL,
  Datetime: IndexedValueType.DATETIME,
  KeywordList: IndexedValueType.KEYWORD_LIST,
} as const;

export interface ServerOptions {
  /** Numeric address, or a name that resolves to one. */
  readonly ip: string;
  readonly port: number;
  /** Further listeners on the same server; 0 takes a free port, undefined opens none. */
  readonly extraPorts: { readonly http?: number; readonly metrics?: number; readonly ui?: number; readonly uiIp?: string; readonly api?: number };
  /** Nobody asked for the HTTP port by number: where it is taken, the server does without. */
  readonly httpPortIsDefault: boolean;
  /** Origins whose pages may call; "*" is any. */
  readonly corsOrigins: readonly string[];
  readonly ui: { readonly publicPath: string; readonly assetPath?: string; readonly codecEndpoint?: string };
  readonly product: ProductOptions;
  /** MEMORY_FILE: everything in memory. */
  readonly file: string;
  readonly durability: (typeof DURABILITIES)[number];
  readonly commitThread: (typeof COMMIT_THREADS)[number];
  /** To exist before the port opens, beside `default` and `temporal-system`; no doubles. */
  readonly namespaces: readonly string[];
  /** IndexedValueType by name, to exist in every namespace of the start. */
  readonly searchAttributes: Readonly<Record<string, IndexedValueType>>;
  /** Undefined: plain connections. */
  readonly tls?: TlsOptions;
  /** Undefined: nobody is asked who they are. */
  readonly auth?: AuthOptions;
  /** File of the audit log; without one it goes to the server's log. */
  readonly auditLog?: string;
  /** Names with a dot that the Host header of a request may have; "*" for any. */
  readonly allowedHosts: readonly string[];
  readonly limits: (typeof LIMIT_PROFILES)[number];
  /** JSON object of settings, weaker than `dynamicConfig`. */
  readonly dynamicConfigFile?: string;
  /** "key=json" for withSettings of dynamic-config.ts. */
  readonly dynamicConfig: readonly string[];
  /** "pragma=value". Those that the store sets itself are left alone there. */
  readonly pragmas: readonly string[];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logFormat: (typeof LOG_FORMATS)[number];
  /**
   * What TestService may do. real: time is real; locked: tests may skip it; unlocked: it skips from the start. `anyNamespace`: one
   * that a call names is made, as in the official test server.
   */
  readonly testClocks: { readonly state: "real" | "locked" | "unlocked"; readonly anyNamespace: boolean };
}

/** The product HTTP APIs. */
export interface ProductOptions {
  /** Where a request names none. */
  readonly namespace: string;
  readonly workflows: readonly ProductWorkflow[];
  /** file:///folder or s3://bucket/prefix */
  readonly traceStore?: string;
}

export const MEMORY_FILE = ":memory:";
/** The official development server's for its HTTP API. */
const DEFAULT_HTTP_PORT = 7243;

/** What concerns the program around the server. */
export interface StartOptions {
  readonly server: ServerOptions;
  readonly portFile?: string;
  /** Nobody asked for the UI's port by number: where it is taken, the server does without. */
  readonly uiPortIsDefault: boolean;
  readonly logConfig: boolean;
}

export { OptionsError };

const port = int().check(minimum(0), maximum(65_535));
const text = string().check(minLength(1));
const list = _default(array(text), []);

/** The flags by their camelCase names, defaults of start-dev and serve already filled in. */
const RAW = strictObject({
  dbFilename: optional(text),
  ip: text,
  port,
  httpPort: optional(port),
  corsOrigin: list,
  apiPort: optional(port),
  apiNamespace: text,
  workflow: list,
  traceStore: optional(text),
  metricsPort: optional(port),
  uiPort: optional(port),
  uiIp: optional(text),
  headless: _default(boolean(), false),
  namespace: list,
  searchAttribute: list,
  dynamicConfigValue: list,
  sqlitePragma: list,
  durability: choice(DURABILITIES),
  commitThread: choice(COMMIT_THREADS),
  scheduleMaxCatchup: optional(text),
  tlsCert: optional(text),
  tlsKey: optional(text),
  tlsClientCa: optional(text),
  tlsDev: _default(boolean(), false),
  auth: _default(boolean(), false),
  authPublic: list,
  authCertificate: list,
  authJwks: optional(text),
  authHmacSecretFile: optional(text),
  authAlgorithms: list,
  authIssuer: optional(text),
  authAudience: optional(text),
  authClockSkew: text,
  authPermissionsClaim: text,
  authNamespaceClaim: text,
  authSubjectClaim: text,
  authPermissionPattern: optional(text),
  auditLog: optional(text),
  allowedHost: list,
  limits: choice(LIMIT_PROFILES),
  dynamicConfigFile: optional(text),
  portFile: optional(text),
  logLevel: choice(LOG_LEVELS),
  logFormat: choice(LOG_FORMATS),
  logConfig: _default(boolean(), false),
  uiPublicPath: optional(text),
  uiAssetPath: optional(text),
  uiCodecEndpoint: optional(text),
  uiDisableNewsFetch: _default(boolean(), false),
  enableTimeSkipping: _default(boolean(), false),
});

/** Defaults that are worked out below and not texts for the table. */
const WORKED_OUT: ReadonlySet<string> = new Set(["http-port", "ui-port", "ui-ip"]);

/** Lists of NAME=JSON, which a file may have as an object. */
const JSON_MAPS: ReadonlySet<string> = new Set(["dynamicConfigValue", "workflow"]);

const dashed = (key: string): string => key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** Splits at commas and line ends that are not inside quotes, brackets or braces: values may be JSON. */
export function splitList(value: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let part = "";
  for (let i = 0; i < value.length; i++) {
    const c = value[i] as string;
    if (quoted && c === "\\") {
      part += c + (value[++i] ?? "");
      continue;
    }
    if (c === '"') quoted = !quoted;
    else if (!quoted && (c === "[" || c === "{")) depth++;
    else if (!quoted && (c === "]" || c === "}")) depth--;
    if (!quoted && depth === 0 && (c === "," || c === "\n")) {
      parts.push(part.trim());
      part = "";
    } else part += c;
  }
  parts.push(part.trim());
  return parts.filter((p) => p !== "");
}

type Raw = Record<string, unknown>;

function fromText(kind: string, value: string, source: string): unknown {
  if (kind === "list") return splitList(value);
  if (kind === "switch") {
    if (/^(1|true|yes|on)$/i.test(value)) return true;
    if (/^(0|false|no|off)$/i.test(value)) return false;
    throw new OptionsError(`${source}: ${JSON.stringify(value)} is neither true nor false`);
  }
  if (kind === "port") {
    if (/^\d+$/.test(value)) return Number(value);
    throw new OptionsError(`${source}: ${JSON.stringify(value)} is not a port`);
  }
  return value;
}

/** Options of the environment; empty variables are as good as unset. */
export function fromEnvironment(command: Command, environment: Readonly<Record<string, string | undefined>>): Raw {
  const raw: Raw = {};
  for (const flag of flagsOf(command)) {
    const own = environmentName(flag);
    const name = flag.variable !== undefined && !environment[own] ? flag.variable : own;
    const value = environment[name];
    if (value !== undefined && value !== "") raw[camelCase(flag.name)] = fromText(flag.kind, value, name);
  }
  return raw;
}

/** Checks the keys of a --config file; its values are checked with all others. */
export function fromFile(command: Command, path: string, contents: string): Raw {
  let parsed: unknown;
  try {
    parsed = JSON.parse(contents);
  } catch (error) {
    throw new OptionsError(`--config ${path}: ${(error as Error).message}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new OptionsError(`--config ${path}: not a JSON object`);
  const raw: Raw = {};
  const known = new Set(flagsOf(command).map((f) => camelCase(f.name)));
  for (const [key, value] of Object.entries(parsed)) {
    if (!known.has(key) || key === "config") throw new OptionsError(`--config ${path}: unknown key ${JSON.stringify(key)}`);
    // Settings and attributes read better as an object in a file.
    const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
    raw[key] = isMap ? Object.entries(value).map(([k, v]) => `${k}=${JSON_MAPS.has(key) ? JSON.stringify(v) : String(v)}`) : value;
  }
  return raw;
}

function defaultsOf(command: Command): Raw {
  const raw: Raw = {};
  for (const flag of flagsOf(command)) {
    const value = flag.default?.[command];
    if (value !== undefined && !WORKED_OUT.has(flag.name)) raw[camelCase(flag.name)] = fromText(flag.kind, value, flag.name);
  }
  return raw;
}

function pairs(flag: string, values: readonly string[]): [string, string][] {
  return values.map((value) => {
    const at = value.indexOf("=");
    if (at < 1) throw new OptionsError(`--${flag} ${JSON.stringify(value)}: must have the form NAME=VALUE`);
    return [value.slice(0, at), value.slice(at + 1)];
  });
}

function searchAttributes(values: readonly string[]): Record<string, IndexedValueType> {
  const result: Record<string, IndexedValueType> = {};
  for (const [name, given] of pairs("search-attribute", values)) {
    const type = Object.entries(SEARCH_ATTRIBUTE_TYPES).find(([t]) => t.toLowerCase() === given.toLowerCase())?.[1];
    if (type === undefined)
      throw new OptionsError(`--search-attribute ${name}=${given}: the type must be one of ${Object.keys(SEARCH_ATTRIBUTE_TYPES).join(", ")}`);
    if (result[name] !== undefined && result[name] !== type) throw new OptionsError(`--search-attribute ${name}: given twice, with two types`);
    result[name] = type;
  }
  return result;
}

function sqlitePragmas(values: readonly string[]): string[] {
  return pairs("sqlite-pragma", values).map(([given, value]) => {
    const name = given.toLowerCase();
    if (!/^[a-z_]+$/.test(name) || !/^[A-Za-z0-9_.+-]+$/.test(value))
      throw new OptionsError(`--sqlite-pragma ${given}=${value}: not a pragma and its value`);
    return `${name}=${value}`;
  });
}

function workflows(values: readonly string[]): ProductWorkflow[] {
  const found = new Map<string, ProductWorkflow>();
  for (const [name, json] of pairs("workflow", values)) {
    try {
      const workflow = parseWorkflow(name, json);
      for (const n of [name, ...workflow.aliases]) {
        if (found.has(n)) throw new Error(`${n}: given twice`);
        found.set(n, workflow);
      }
    } catch (e) {
      throw new OptionsError(`--workflow ${(e as Error).message}`);
    }
  }
  return [...new Set(found.values())];
}

function traceStore(value: string | undefined): string | undefined {
  if (value === undefined || /^(file:\/\/\/.|s3:\/\/[^/])/.test(value)) return value;
  throw new OptionsError(`--trace-store ${JSON.stringify(value)}: must be file:///folder or s3://bucket/prefix`);
}

/** The flag is a setting under a name of its own. */
function maxCatchup(value: string | undefined): string[] {
  if (value === undefined) return [];
  const ms = parseDurationMs(value);
  if (ms === undefined || ms <= 0) throw new OptionsError(`--schedule-max-catchup ${JSON.stringify(value)}: must be a duration such as 1h or 90s`);
  return [`${SETTINGS.scheduleCatchupMsMax.key}=${JSON.stringify(value)}`];
}

/** The official CLI's own words for an address. */
const numeric = (ip: string): string => (ip === "localhost" ? "127.0.0.1" : ip);

function explain(issue: core.$ZodIssue): string {
  const flag = `--${dashed(String(issue.path[0] ?? "?"))}`;
  if (issue.code === "invalid_value") return `${flag}: must be one of ${issue.values.join(", ")}`;
  if (issue.code === "unrecognized_keys") return `unknown option ${issue.keys.map((k) => `--${dashed(k)}`).join(", ")}`;
  if (issue.code === "too_small" || issue.code === "too_big")
    return issue.origin === "string" ? `${flag}: must not be empty` : `${flag}: must be a port between 0 and 65535`;
  if (issue.code === "invalid_type") return `${flag}: must be ${/^[aeiou]/.test(issue.expected) ? "an" : "a"} ${issue.expected}`;
  return `${flag}: ${issue.message}`;
}

/** @param sources the strongest first: flags, environment, file. A list of a stronger source replaces that of a weaker one. */
export function resolveOptions(command: Command, ...sources: readonly Raw[]): StartOptions {
  const merged: Raw = defaultsOf(command);
  for (const source of sources.toReversed()) Object.assign(merged, source);
  delete merged.config;
  const parsed = safeParse(RAW, merged);
  if (!parsed.success) throw new OptionsError(explain(parsed.error.issues[0] as core.$ZodIssue));
  const raw = parsed.data;
  const ip = numeric(raw.ip);
  // As the official CLI works it out; beside a free main port nobody could guess the UI's, so there is none unless it is asked for.
  const uiPortIsDefault = !raw.headless && raw.uiPort === undefined && command === "start-dev" && raw.port !== 0;
  const uiPort = raw.headless ? undefined : uiPortIsDefault ? Math.min(raw.port + 1000, 65_535) : raw.uiPort;
  const httpPortIsDefault = raw.httpPort === undefined && command === "start-dev" && raw.port !== 0 && raw.port !== DEFAULT_HTTP_PORT;
  pairs("dynamic-config-value", raw.dynamicConfigValue);
  const optionals = <T extends object>(o: T): T => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T;
  return optionals({
    server: optionals({
      ip,
      port: raw.port,
      extraPorts: optionals({
        http: httpPortIsDefault ? DEFAULT_HTTP_PORT : raw.httpPort,
        metrics: raw.metricsPort,
        api: raw.apiPort,
        ui: uiPort,
        uiIp: raw.uiIp === undefined ? undefined : numeric(raw.uiIp),
      }),
      httpPortIsDefault,
      corsOrigins: raw.corsOrigin,
      ui: optionals({ publicPath: raw.uiPublicPath ?? "/", assetPath: raw.uiAssetPath, codecEndpoint: raw.uiCodecEndpoint }),
      product: optionals({ namespace: raw.apiNamespace, workflows: workflows(raw.workflow), traceStore: traceStore(raw.traceStore) }),
      file: raw.dbFilename ?? MEMORY_FILE,
      durability: raw.durability,
      commitThread: raw.commitThread,
      namespaces: [...new Set(raw.namespace)],
      searchAttributes: searchAttributes(raw.searchAttribute),
      tls: tlsOptions(raw),
      auth: authOptions(raw),
      auditLog: raw.auditLog,
      allowedHosts: raw.allowedHost.map((h) => h.toLowerCase()),
      limits: raw.limits,
      dynamicConfigFile: raw.dynamicConfigFile,
      dynamicConfig: [...raw.dynamicConfigValue, ...maxCatchup(raw.scheduleMaxCatchup)],
      pragmas: sqlitePragmas(raw.sqlitePragma),
      logLevel: raw.logLevel,
      logFormat: raw.logFormat,
      testClocks: {
        state: command === "serve" ? "real" : raw.enableTimeSkipping ? "unlocked" : "locked",
        anyNamespace: command === "test-server",
      },
    }),
    portFile: raw.portFile,
    uiPortIsDefault,
    logConfig: raw.logConfig,
  });
}
