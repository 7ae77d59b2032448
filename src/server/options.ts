/** What `startServer` (server.ts) takes and gives: all that the CLI and in-process tests know of a server. */
import type { Config } from "../config/dynamic-config.js";
import type { ServerOptions } from "../config/options.js";
import type { Logger } from "../lib/runtime.js";

export type { ServerOptions } from "../config/options.js";

export interface ServerParts {
  /** Limits and settings, from options.dynamicConfigValues. */
  readonly config: Config;
  readonly logger: Logger;
}

export interface Addresses {
  /** "host:port", IPv6 hosts in brackets, ports as bound. The first one serves every protocol. */
  readonly grpc: string;
  /** The same as `grpc` where no port of its own was asked for. */
  readonly http: string;
  readonly metrics: string;
  /** Undefined when headless. */
  readonly ui?: string;
}

export interface RunningServer {
  readonly addresses: Addresses;
  /** Ends polls, finishes what is in flight, checkpoints, closes; safe to call twice. */
  stop(): Promise<void>;
}

/** Resolves when every address answers and health says SERVING. Rejects with an error whose message is one line for the user. */
export type StartServer = (options: ServerOptions, parts: ServerParts) => Promise<RunningServer>;
