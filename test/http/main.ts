/** `npm run http:record`: plays the exchanges on the official server's HTTP port and writes what it answered. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { buildOfficialServer, startOfficialServer } from "../conformance/official-server.js";
import { REFERENCE_SETTINGS } from "../conformance/reference-settings.js";
import { SEQUENCES } from "./exchanges.js";
import { type Answered, operationsOf, playSequence, recordExchanges } from "./play-exchanges.js";

buildOfficialServer();
const server = await startOfficialServer(Object.entries(REFERENCE_SETTINGS).map(([key, value]) => `${key}=${JSON.stringify(value)}`));
try {
  const base = `http://${server.httpAddress}`;
  const sequences: Record<string, Answered[]> = {};
  for (const [name, sequence] of Object.entries(SEQUENCES)) sequences[name] = await playSequence(base, sequence);
  mkdirSync(join(import.meta.dirname, "expected"), { recursive: true });
  recordExchanges(await operationsOf(base), sequences);
} finally {
  server.stop();
}
