/**
 * One server from its options to its end: config, log, start, ready line, signals. The first SIGTERM or SIGINT drains and exits with
 * 0 within two seconds; a second one exits at once. Whatever the user can mend is one line on stderr and exit code 1.
 */
import { createServer } from "node:net";
import type { Command } from "../config/flags.js";
import type { ServerOptions, StartOptions } from "../config/options.js";
import type { RunningServer, StartServer } from "../server/options.js";
import { createLogger } from "../telemetry/logger.js";
import { writePortFile } from "./port-file.js";
import { banner, readyLine } from "./ready-line.js";

/** What the process may wait for the drain; a little below the two seconds that are promised. */
const DRAIN_MS_MAX = 1_800;
/** One Ctrl-C under npm may arrive twice: from the terminal and from npm. */
const SAME_SIGNAL_MS = 300;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

export interface ProgramContext {
  readonly version: string;
  /** Loaded late: a wrong flag is answered without loading the server. */
  readonly loadServer: () => Promise<{ startServer: StartServer }>;
}

/** One line for the user, if the error is one that the user can mend. */
export function explainStartError(error: unknown): string | undefined {
  const e = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const at = e.port === undefined ? e.address : `${e.address?.includes(":") ? `[${e.address}]` : e.address}:${e.port}`;
  if (e.code === "EADDRINUSE") return `cannot listen on ${at}: the port is in use`;
  if (e.code === "EADDRNOTAVAIL") return `cannot listen on ${at}: not an address of this machine`;
  if (e.code === "EACCES" && e.syscall === "listen") return `cannot listen on ${at}: not allowed`;
  if (e.code === "ENOTFOUND") return `cannot listen: ${e.message}`;
  return error instanceof Error && !(error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
    ? error.message.split("\n", 1)[0]
    : undefined;
}

function isPortTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRINUSE"));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(false)));
  });
}

/** A second server for development on one machine is common; that the first has the default UI port must not stop it. */
async function withoutTakenUiPort({ server, uiPortIsDefault }: StartOptions): Promise<ServerOptions> {
  const { ui, ...others } = server.extraPorts;
  if (!uiPortIsDefault || ui === undefined || !(await isPortTaken(others.uiIp ?? server.ip, ui))) return server;
  return { ...server, extraPorts: others };
}

function fail(message: string): never {
  process.stderr.write(`perdure: ${message}\n`);
  process.exit(1);
}

export async function runServer(command: Command, options: StartOptions, context: ProgramContext): Promise<void> {
  const { server, portFile } = options;
  const logger = createLogger(server.logLevel, server.logFormat);

  if (options.logConfig) process.stderr.write(`${JSON.stringify({ command, ...server }, null, 2)}\n`);
  // A reader of the ready line may go away after it.
  process.stdout.on("error", () => {});

  let running: RunningServer | undefined;
  let first: { signal: string; at: number } | undefined;
  const onSignal = (signal: keyof typeof SIGNALS) => {
    if (first?.signal === signal && performance.now() - first.at < SAME_SIGNAL_MS) return;
    // During the start there is nothing to drain, and a second signal means now.
    if (running === undefined || first !== undefined) process.exit(128 + SIGNALS[signal]);
    first = { signal, at: performance.now() };
    setTimeout(() => {
      logger.warn({}, "the drain took too long; what was acknowledged is on disk");
      process.exit(0);
    }, DRAIN_MS_MAX).unref();
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, "stop failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);

  try {
    const { startServer } = await context.loadServer();
    running = await startServer(await withoutTakenUiPort(options), logger);
  } catch (error) {
    const line = explainStartError(error);
    if (line === undefined) logger.error({ err: error }, "start failed");
    fail(line ?? "start failed");
  }

  const ready = { addresses: running.addresses, pid: process.pid, version: context.version, file: server.file };
  const line = readyLine(ready);
  try {
    if (portFile !== undefined) writePortFile(portFile, line);
  } catch (error) {
    await running.stop();
    fail(`cannot write the port file: ${(error as Error).message}`);
  }
  // One write, so that whoever has seen the ready line has all of it.
  process.stdout.write(`${banner(ready)}\n${line}\n`);
}
