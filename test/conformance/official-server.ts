/** The official server as a process of its own, built with Go from bench/reference. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../harness/free-port.js";

const root = join(import.meta.dirname, "../..");
const binary = join(root, ".setup/bench/reference");

export interface OfficialServer {
  /** Of gRPC. */
  readonly address: string;
  readonly httpAddress: string;
  stop(): void;
}

export function buildOfficialServer(): void {
  mkdirSync(join(root, ".setup/bench"), { recursive: true });
  execFileSync("go", ["build", "-o", binary, "."], { cwd: join(root, "bench/reference"), stdio: "inherit" });
}

/** With these settings of its dynamic configuration, key=jsonvalue. Nexus requests, its own among them, go over HTTP. */
export async function startOfficialServer(settings: readonly string[]): Promise<OfficialServer> {
  const [port, httpPort] = [await freePort(), await freePort()];
  const server = spawn(binary, ["-port", String(port), "-http-port", String(httpPort), ...settings.flatMap((s) => ["-set", s])], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await new Promise<void>((resolve) => server.stdout.once("data", () => resolve()));
  return {
    address: `127.0.0.1:${port}`,
    httpAddress: `127.0.0.1:${httpPort}`,
    stop: () => {
      server.kill("SIGINT");
    },
  };
}
