/** The real server as a process of its own, on a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const BINARY = join(import.meta.dirname, "../../bin/perdure");

export interface ServerProcess {
  readonly address: string;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  /** What it wrote to stderr so far: its log. */
  log(): string;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "perdure-test-"));
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
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (d: Buffer) => {
      out += d.toString();
      for (const line of out.split("\n")) {
        if (!line.startsWith("{")) continue;
        try {
          resolve((JSON.parse(line) as { grpc: string }).grpc);
        } catch {
          // The line is not whole yet.
        }
      }
    });
    void exited.then((code) => reject(new Error(`the server ended with ${code}: ${log}`)));
  });
  return {
    address,
    pid: child.pid ?? 0,
    child,
    exited,
    log: () => log,
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
}
