/** `npm run http:record`: plays the exchanges on the official server's HTTP port and writes what it answered. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { REFERENCE_SETTINGS } from "../conformance/reference-settings.js";
import { SEQUENCES } from "./exchanges.js";
import { type Answered, playSequence, recordExchanges } from "./play-exchanges.js";

const root = join(import.meta.dirname, "../..");
const binary = join(root, ".setup/bench/reference");

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

mkdirSync(join(root, ".setup/bench"), { recursive: true });
execFileSync("go", ["build", "-o", binary, "."], { cwd: join(root, "bench/reference"), stdio: "inherit" });
const [port, httpPort] = [await freePort(), await freePort()];
const settings = Object.entries(REFERENCE_SETTINGS).flatMap(([key, value]) => ["-set", `${key}=${JSON.stringify(value)}`]);
const server = spawn(binary, ["-port", String(port), "-http-port", String(httpPort), ...settings], { stdio: ["ignore", "pipe", "ignore"] });
try {
  await new Promise<void>((resolve) => server.stdout.once("data", () => resolve()));
  const base = `http://127.0.0.1:${httpPort}`;
  const sequences: Record<string, Answered[]> = {};
  for (const [name, sequence] of Object.entries(SEQUENCES)) sequences[name] = await playSequence(base, sequence);
  mkdirSync(join(import.meta.dirname, "expected"), { recursive: true });
  recordExchanges(sequences);
} finally {
  server.kill("SIGINT");
}
