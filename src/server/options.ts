/** What `startServer` (server.ts) takes and gives: all that the CLI and in-process tests know of a server. */
import type { ServerOptions } from "../config/options.js";
import type { Logger } from "../lib/runtime.js";

export type { ServerOptions } from "../config/options.js";

/** "host:port", IPv6 hosts in brackets, ports as bound. */
export interface Addresses {
  /** Serves every protocol. */
  grpc: string;
  /** Undefined where no port of its own was asked for. */
  http?: string;
  metrics?: string;
  ui?: string;
  /** Every address speaks TLS; `ca`: what clients are to trust, where the server has made it. */
  tls?: { readonly ca: string | undefined };
  api?: string;
}

export interface RunningServer {
  readonly addresses: Addresses;
  /** Ends polls, finishes what is in flight, checkpoints, closes; safe to call twice. */
  stop(): Promise<void>;
}

/** Resolves when every address answers and health says SERVING. Rejects with an error whose message is one line for the user. */
export type StartServer = (options: ServerOptions, logger: Logger) => Promise<RunningServer>;
