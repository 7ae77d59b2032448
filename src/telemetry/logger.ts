/**
 * The log: pino, to stderr, so that stdout has the banner and the ready line only. `json` is a line of JSON each; `text` and `pretty` (the official
 * CLI's names for its two readable forms) are one readable line each, `pretty` with colour on a terminal.
 */
import pino from "pino";
import type { ServerOptions } from "../config/options.js";
import type { Logger } from "../lib/runtime.js";

export type LogLevel = ServerOptions["logLevel"];
export type LogFormat = ServerOptions["logFormat"];

interface LogStream {
  write(line: string): void;
}

const COLORS: Readonly<Record<string, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

function fieldText(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value) ?? "";
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

/** One record of pino as one readable line. */
export function readableLine(record: string, colored: boolean): string {
  const { level, time, msg, err, ...fields } = JSON.parse(record) as Record<string, unknown>;
  const name = String(level);
  const label = colored ? `\x1b[${COLORS[name] ?? 0}m${name.toUpperCase().padEnd(5)}\x1b[0m` : name.toUpperCase().padEnd(5);
  const parts = [String(time), label, String(msg ?? "")];
  for (const [key, value] of Object.entries(fields)) parts.push(`${key}=${fieldText(value)}`);
  const error = err as { stack?: string; message?: string } | undefined;
  if (error !== undefined) parts.push(`error=${fieldText(error.message ?? "")}${error.stack === undefined ? "" : `\n${error.stack}`}`);
  return `${parts.join(" ")}\n`;
}

const stderrStream = (): LogStream => pino.destination({ fd: 2, sync: true });

export function createLogger(level: LogLevel, format: LogFormat, stream: LogStream = stderrStream()): Logger {
  const colored = format === "pretty" && process.stderr.isTTY === true;
  const target: LogStream = format === "json" ? stream : { write: (record) => stream.write(readableLine(record, colored)) };
  return pino(
    {
      level: level === "never" ? "silent" : level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    target,
  );
}
