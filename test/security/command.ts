/** `perdure` as a command that ends. */
import { execFile } from "node:child_process";
import { BINARY } from "../harness/server-process.js";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function perdure(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(BINARY, args, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout: stdout.trim(), stderr: stderr.trim() }),
    );
  });
}

/** A key on the file of a server that is not running. */
export async function keyOn(file: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await perdure("key", "create", "-f", file, ...args);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}
