/** A command line client as a process: what it wrote and how it ended. */
import { execFile } from "node:child_process";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const TIME_MS_MAX = 60_000;

export function run(command: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: TIME_MS_MAX }, (e, stdout, stderr) =>
      resolve({ code: e === null ? 0 : Number(e.code ?? -1), stdout, stderr }),
    );
  });
}
