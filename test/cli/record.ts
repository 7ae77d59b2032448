/**
 * `node scripts/run-ts.mjs test/cli/record.ts [story ...]`: gives the commands (of those stories) to the official CLI against the official
 * server (built with Go from bench/reference), and writes what it said. Which CLI: official-cli.ts.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { REFERENCE } from "../conformance/records.js";
import { REFERENCE_SETTINGS } from "../conformance/reference-settings.js";
import { findCli, hashOfCommands, recordCommands, versionOf } from "./official-cli.js";
import { playCommands } from "./play-commands.js";

const cli = findCli();
if (cli === undefined) throw new Error("no `temporal` is here");
const root = join(import.meta.dirname, "../..");
const binary = join(root, ".setup/bench/reference");
mkdirSync(join(root, ".setup/bench"), { recursive: true });
execFileSync("go", ["build", "-o", binary, "."], { cwd: join(root, "bench/reference"), stdio: "inherit" });

const SETTINGS = {
  ...REFERENCE_SETTINGS,
  "matching.numTaskqueueReadPartitions": 1,
  "matching.numTaskqueueWritePartitions": 1,
  "history.enableUpdateCallbacks": true,
  "frontend.namespaceRPS.visibility": 100000,
  "frontend.namespaceBurstRatio.visibility": 100,
  "frontend.enableCancelWorkerPollsOnShutdown": true,
  "system.forceSearchAttributesCacheRefreshOnRead": true,
  "frontend.workerVersioningDataAPIs": true,
  "frontend.workerVersioningRuleAPIs": true,
  "frontend.rps.namespaceReplicationInducingAPIs": 10000,
  "frontend.namespaceRPS.namespaceReplicationInducingAPIs": 10000,
};

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

const port = await freePort();
const settings = Object.entries(SETTINGS).flatMap(([key, value]) => ["-set", `${key}=${JSON.stringify(value)}`]);
const server = spawn(binary, ["-port", String(port), "-http-port", String(await freePort()), ...settings], { stdio: ["ignore", "pipe", "ignore"] });
try {
  await new Promise<void>((resolve) => server.stdout.once("data", () => resolve()));
  const stories = await playCommands(cli, `127.0.0.1:${port}`);
  recordCommands({ reference: REFERENCE, cli: versionOf(cli), hash: hashOfCommands(), stories });
  process.stdout.write(`${Object.values(stories).flat().length} commands recorded\n`);
} finally {
  server.kill("SIGINT");
}
