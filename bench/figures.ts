/** The table that a bench prints: each figure with its bound. */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";

let missed = 0;

/** The command with date, commit and machine: what a figure in the docs has to say. */
export function circumstances(command: string): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  return `${command}, ${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}`;
}

export function heading(command: string): void {
  process.stdout.write(`${circumstances(command)}\n\n`);
  process.stdout.write("| what | measured | bound | holds |\n| --- | --- | --- | --- |\n");
}

export function figure(what: string, value: number, unit: string, max: number): void {
  const holds = value <= max;
  if (!holds) missed++;
  process.stdout.write(`| ${what} | ${value.toFixed(value < 10 ? 2 : 0)} ${unit} | ${max} ${unit} | ${holds ? "yes" : "NO"} |\n`);
}

export function note(text: string): void {
  process.stdout.write(`| ${text} | | | |\n`);
}

/** The exit code says whether every figure holds. */
export function done(): void {
  process.exitCode = missed === 0 ? 0 : 1;
}
