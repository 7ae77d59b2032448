/** The real server as a process of its own, on a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export { temporaryDirectory } from "./temporary-directory.js";

export const BINARY = join(import.meta.dirname, "../../bin/perdure");

export interface ServerProcess {
  readonly address: string;
  /** The JSON that it printed when it was ready. */
  readonly readyLine: Readonly<Record<string, unknown>>;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  /** What it wrote to stderr so far: its log. */
  log(): string;
  /** SIGTERM, if nothing else, and the exit code; null of a process that was killed. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `perdure server start-dev` with a free port and waits for its ready line. */
export function startServer(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  return launch(["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", "0", ...args], env);
}

/** Starts the server for tests as `args` say. */
export function startTestServer(args: readonly string[]): Promise<ServerProcess> {
  return launch([...args, "--ip", "127.0.0.1"], {});
}

async function launch(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  if (!existsSync(join(import.meta.dirname, "../../dist/main.js"))) throw new Error("dist/main.js is missing: run npm run setup");
  const child = spawn(BINARY, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let out = "";
  let log = "";
  child.stderr?.on("data", (d: Buffer) => {
    log += d.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const readyLine = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.stdout?.on("data", (d: Buffer) => {
      out += d.toString();
      for (const line of out.split("\n")) {
        if (!line.startsWith("{")) continue;
        try {
          resolve(JSON.parse(line) as Record<string, unknown>);
        } catch {
          // The line is not whole yet.
        }
      }
    });
    void exited.then((code) => reject(new Error(`the server ended with ${code}: ${log}`)));
  });
  return {
    address: readyLine.grpc as string,
    readyLine,
    pid: child.pid ?? 0,
    child,
    exited,
    log: () => log,
    stop: (signal = "SIGTERM") => {
      child.kill(signal);
      return exited;
    },
  };
}
