/**
 * `node scripts/run-ts.mjs test/cli/record.ts [story ...]`: gives the commands (of those stories) to the official CLI against the official
 * server (built with Go from bench/reference), and writes what it said. Which CLI: official-cli.ts.
 */
import { buildOfficialServer, startOfficialServer } from "../conformance/official-server.js";
import { REFERENCE } from "../conformance/records.js";
import { REFERENCE_SETTINGS } from "../conformance/reference-settings.js";
import { findCli, hashOfCommands, recordCommands, versionOf } from "./official-cli.js";
import { playCommands } from "./play-commands.js";

const cli = findCli();
if (cli === undefined) throw new Error("no `temporal` is here");
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

buildOfficialServer();
const server = await startOfficialServer(Object.entries(SETTINGS).map(([key, value]) => `${key}=${JSON.stringify(value)}`));
try {
  const stories = await playCommands(cli, server.address);
  recordCommands({ reference: REFERENCE, cli: versionOf(cli), hash: hashOfCommands(), stories });
  process.stdout.write(`${Object.values(stories).flat().length} commands recorded\n`);
} finally {
  server.stop();
}
