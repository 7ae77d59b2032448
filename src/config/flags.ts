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
}

const ALL = ["start-dev", "serve", "test-server"] as const;
const UI = ["start-dev", "serve"] as const;
const DEV = ["start-dev"] as const;

export const LOG_LEVELS = ["debug", "info", "warn", "error", "never"] as const;
export const LOG_FORMATS = ["text", "json", "pretty"] as const;
export const DURABILITIES = ["full", "normal", "memory"] as const;
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
  { name: "http-port", kind: "port", commands: ALL, about: "one more port for the HTTP API; 0 takes a free one" },
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
    about: "SQLite pragma; repeatable; those that durability rests on are refused",
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
