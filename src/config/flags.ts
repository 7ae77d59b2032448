/**
 * Every flag of `perdure server start-dev`, `perdure serve` and `perdure test-server`, in one table: the CLI, the PERDURE_* environment, the JSON file of
 * --config and the README's table are all read off it (a test compares the README). Names and short forms of the flags that the
 * official `temporal server start-dev` has are its own.
 */

export type FlagKind = "text" | "port" | "switch" | "list";
export type Command = "start-dev" | "serve" | "test-server";

export interface Flag {
  readonly name: string;
  readonly short?: string;
  readonly kind: FlagKind;
  /** What stands for the value in help texts. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly commands: readonly Command[];
  /** As the user would type it; a text for a default that is worked out. */
  readonly default?: { readonly [C in Command]?: string };
  readonly about: string;
  /** A variable by which the documents of the product APIs call it; PERDURE_* is stronger. */
  readonly variable?: string;
}

const ALL = ["start-dev", "serve", "test-server"] as const;
const UI = ["start-dev", "serve"] as const;
const DEV = ["start-dev"] as const;

export const LOG_LEVELS = ["debug", "info", "warn", "error", "never"] as const;
export const LOG_FORMATS = ["text", "json", "pretty"] as const;
export const DURABILITIES = ["full", "normal", "memory"] as const;
/** `documented`: the rate limits of the API reference. */
export const LIMIT_PROFILES = ["none", "documented"] as const;
export const COMMIT_THREADS = ["auto", "engine", "writer"] as const;

export const FLAGS: readonly Flag[] = [
  {
    name: "db-filename",
    short: "f",
    kind: "text",
    value: "path",
    commands: ALL,
    default: { serve: "./data/perdure.db" },
    about: "database file; without one, start-dev and test-server keep everything in memory",
  },
  {
    name: "ip",
    kind: "text",
    value: "address",
    commands: ALL,
    default: { "start-dev": "localhost", serve: "127.0.0.1", "test-server": "0.0.0.0" },
    about: "address to listen on",
  },
  {
    name: "port",
    short: "p",
    kind: "port",
    commands: ALL,
    default: { "start-dev": "7233", serve: "7233", "test-server": "7233" },
    about: "port of every protocol: gRPC, Connect, gRPC-Web, HTTP; 0 takes a free one",
  },
  {
    name: "http-port",
    kind: "port",
    commands: ALL,
    default: { "start-dev": "7243" },
    about: "one more port for the HTTP API; 0 takes a free one; the default is skipped where it is taken, and beside --port 0",
  },
  {
    name: "cors-origin",
    kind: "list",
    value: "origin",
    commands: ALL,
    about: "origin whose pages may call by HTTP, Connect and gRPC-Web, such as http://localhost:3000, or * for any; repeatable",
  },
  {
    name: "api-port",
    kind: "port",
    commands: ALL,
    variable: "API_PORT",
    about: "one more port for the trigger API, 8000 in its documents (also API_PORT); 0 takes a free one",
  },
  {
    name: "api-namespace",
    kind: "text",
    value: "name",
    commands: ALL,
    variable: "TEMPORAL_NAMESPACE",
    default: { "start-dev": "default", serve: "default", "test-server": "default" },
    about: "namespace of the trigger and workflow APIs where a request names none (also TEMPORAL_NAMESPACE)",
  },
  {
    name: "workflow",
    kind: "list",
    value: "name=json",
    commands: ALL,
    about: "workflow that the trigger API serves at /workflows/name (docs/TRIGGER.md); repeatable; in a file an object by name",
  },
  {
    name: "trace-store",
    kind: "text",
    value: "uri",
    commands: ALL,
    about: "where traces of finished workflows are kept and read: file:///folder or s3://bucket/prefix",
  },
  { name: "metrics-port", kind: "port", commands: ALL, about: "one more port for /metrics; 0 takes a free one" },
  {
    name: "ui-port",
    kind: "port",
    commands: UI,
    default: { "start-dev": "port + 1000" },
    about: "one more port for the web UI; 0 takes a free one; the default is skipped where it is taken, and beside --port 0",
  },
  {
    name: "ui-ip",
    kind: "text",
    value: "address",
    commands: UI,
    default: { "start-dev": "that of --ip", serve: "that of --ip" },
    about: "address of the web UI's port",
  },
  { name: "headless", kind: "switch", commands: DEV, about: "no port for the web UI" },
  {
    name: "namespace",
    short: "n",
    kind: "list",
    value: "name",
    commands: ALL,
    about: "namespace to create at start; repeatable; `default` is always there",
  },
  {
    name: "search-attribute",
    kind: "list",
    value: "name=type",
    commands: ALL,
    about: "custom search attribute to register at start (Text, Keyword, Int, Double, Bool, Datetime, KeywordList); repeatable",
  },
  {
    name: "dynamic-config-value",
    kind: "list",
    value: "key=json",
    commands: ALL,
    about: "setting under Temporal's dynamic-config key; repeatable",
  },
  {
    name: "sqlite-pragma",
    kind: "list",
    value: "pragma=value",
    commands: ALL,
    about: "SQLite pragma; repeatable; those that durability rests on stay as they are",
  },
  {
    name: "durability",
    kind: "text",
    value: "level",
    choices: DURABILITIES,
    commands: ALL,
    default: { "start-dev": "full", serve: "full", "test-server": "full" },
    about:
      "full: an answer waits for fsync; normal: a power cut may lose what is newer than the last checkpoint; memory: no fsync at all, a power cut may ruin the file",
  },
  {
    name: "commit-thread",
    kind: "text",
    value: "thread",
    choices: COMMIT_THREADS,
    commands: ALL,
    default: { "start-dev": "auto", serve: "auto", "test-server": "auto" },
    about: "thread that commits: auto measures the disk at start",
  },
  {
    name: "schedule-max-catchup",
    kind: "text",
    value: "duration",
    commands: ALL,
    about: "longest time that a schedule makes up for after the server was off or asleep, whatever its catch-up window, such as 1h",
  },
  {
    name: "tls-cert",
    kind: "text",
    value: "path",
    commands: ALL,
    about: "certificate (PEM, with its chain): every port speaks TLS; read again when it changes",
  },
  { name: "tls-key", kind: "text", value: "path", commands: ALL, about: "its private key" },
  {
    name: "tls-client-ca",
    kind: "text",
    value: "path",
    commands: ALL,
    about: "authorities (PEM) of client certificates: connections without one are refused",
  },
  {
    name: "tls-dev",
    kind: "switch",
    commands: ALL,
    about: "TLS with a certificate that the server makes for this machine; the ready line says where it is",
  },
  { name: "auth", kind: "switch", commands: ALL, about: "every call needs an API key, a JWT or a client certificate, and its permission" },
  {
    name: "auth-public",
    kind: "list",
    value: "subject",
    commands: ALL,
    default: { "start-dev": "health,system-info", serve: "health,system-info", "test-server": "health,system-info" },
    about: "what needs none: health, system-info, reflection; or none",
  },
  {
    name: "auth-certificate",
    kind: "list",
    value: "subject=namespace:role",
    commands: ALL,
    about: "what the holder of a client certificate may do, such as CN=worker=default:write; repeatable",
  },
  {
    name: "auth-jwks",
    kind: "text",
    value: "url or path",
    commands: ALL,
    about: "public keys that JWTs are signed with; a file is read again when it changes",
  },
  { name: "auth-hmac-secret-file", kind: "text", value: "path", commands: ALL, about: "secret of JWTs with an HS algorithm" },
  {
    name: "auth-algorithms",
    kind: "list",
    value: "name",
    commands: ALL,
    default: { "start-dev": "RS256,ES256", serve: "RS256,ES256", "test-server": "RS256,ES256" },
    about: "signature algorithms of JWTs that are taken",
  },
  { name: "auth-issuer", kind: "text", value: "text", commands: ALL, about: "issuer that JWTs must have" },
  { name: "auth-audience", kind: "text", value: "text", commands: ALL, about: "audience that JWTs must have" },
  {
    name: "auth-clock-skew",
    kind: "text",
    value: "duration",
    commands: ALL,
    default: { "start-dev": "30s", serve: "30s", "test-server": "30s" },
    about: "how far the issuer's clock may be off",
  },
  {
    name: "auth-permissions-claim",
    kind: "text",
    value: "name",
    commands: ALL,
    default: { "start-dev": "permissions", serve: "permissions", "test-server": "permissions" },
    about: "claim with the permissions",
  },
  {
    name: "auth-namespace-claim",
    kind: "text",
    value: "name",
    commands: ALL,
    default: { "start-dev": "namespace", serve: "namespace", "test-server": "namespace" },
    about: "claim with the namespaces that temporal:... permissions hold in",
  },
  {
    name: "auth-subject-claim",
    kind: "text",
    value: "name",
    commands: ALL,
    default: { "start-dev": "sub", serve: "sub", "test-server": "sub" },
    about: "claim that says who it is",
  },
  {
    name: "auth-permission-pattern",
    kind: "text",
    value: "regex",
    commands: ALL,
    about: "form of permissions in place of namespace:role, with the groups (?<namespace>...) and (?<role>...)",
  },
  {
    name: "audit-log",
    kind: "text",
    value: "path",
    commands: ALL,
    about: "file for a line of JSON about each administrative and each refused call",
  },
  {
    name: "allowed-host",
    kind: "list",
    value: "name",
    commands: ALL,
    about:
      "domain name that HTTP requests may be addressed to, beside addresses, localhost, names without a dot and those of the certificate; * for any",
  },
  {
    name: "limits",
    kind: "text",
    value: "profile",
    choices: LIMIT_PROFILES,
    commands: ALL,
    default: { "start-dev": "none", serve: "none", "test-server": "none" },
    about: "rate limits: none, or those of the API reference; settings of one's own count beside them",
  },
  {
    name: "dynamic-config-file",
    kind: "text",
    value: "path",
    commands: ALL,
    about:
      "settings under Temporal's dynamic-config keys: the official server's YAML with its constraints, or a JSON object; read again when it changes",
  },
  { name: "port-file", kind: "text", value: "path", commands: ALL, about: "file that gets the ready line once the server listens" },
  {
    name: "log-level",
    kind: "text",
    value: "level",
    choices: LOG_LEVELS,
    commands: ALL,
    default: { "start-dev": "warn", serve: "info", "test-server": "warn" },
    about: "least level that is logged, to stderr",
  },
  {
    name: "log-format",
    kind: "text",
    value: "format",
    choices: LOG_FORMATS,
    commands: ALL,
    default: { "start-dev": "text", serve: "json", "test-server": "text" },
    about: "form of the log",
  },
  { name: "log-config", kind: "switch", commands: ALL, about: "print the effective options to stderr at start" },
  { name: "ui-public-path", kind: "text", value: "path", commands: DEV, default: { "start-dev": "/" }, about: "base path of the web UI" },
  { name: "ui-asset-path", kind: "text", value: "path", commands: DEV, about: "folder of a web UI to serve in place of ours" },
  { name: "ui-codec-endpoint", kind: "text", value: "url", commands: DEV, about: "codec server that the web UI asks" },
  { name: "ui-disable-news-fetch", kind: "switch", commands: DEV, about: "accepted: our web UI fetches no news" },
  {
    name: "enable-time-skipping",
    kind: "switch",
    commands: ["test-server"],
    about: "time skips from the start; without it, it is locked until a client unlocks it",
  },
  { name: "config", kind: "text", value: "path", commands: ALL, about: "JSON file of options; keys are flag names in camelCase" },
] as const;

export const camelCase = (name: string): string => name.replace(/-(.)/g, (_, c: string) => c.toUpperCase());
export const environmentName = (flag: Flag): string => `PERDURE_${flag.name.replaceAll("-", "_").toUpperCase()}`;
export const flagsOf = (command: Command): readonly Flag[] => FLAGS.filter((f) => f.commands.includes(command));
