/** What every Nexus operation's request has, whoever asks for it. */
import { uuidV4 } from "../../lib/uuid.js";

/** Headers that the servers on the way set, so that no caller may. */
export const DISALLOWED_HEADERS: ReadonlySet<string> = new Set([
  "request-timeout",
  "xdc-redirection-api",
  "xdc-redirection-source-cell",
  "xdc-redirection",
  "caller-name",
  "caller-type",
  "call-initiation",
  "temporal-principal-type",
  "temporal-principal-name",
]);

/** Run ids are unique and chance is not enough: both together name the request, and prove a callback to be its own. */
export function freshRequestId(chance: Uint8Array, runId: string): string {
  const run = Buffer.from(runId.replaceAll("-", ""), "hex");
  return uuidV4(chance.map((b, i) => b ^ (run[i] ?? 0)));
}
