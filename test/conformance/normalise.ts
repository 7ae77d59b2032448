import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { decode } from "../../src/api/wire.js";

/** What a comparison does not see: the one list. Everything else must be equal. */
export const HIDDEN: ReadonlySet<string> = new Set([
  // Sizes follow from encodings.
  "historySizeBytes",
  // Backoffs, to the nanosecond.
  "currentRetryInterval.nanos",
  // How long a run lived.
  "executionDuration",
  // How long the run before had lived, taken from a second.
  "firstWorkflowTaskBackoff.nanos",
  // Internal ids.
  "namespaceId",
  "parentWorkflowNamespaceId",
  "parentInitiatedEventVersion",
]);
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?::\d+(?::\w+)?)?/g;

/** A moment, by its size: shown as being there. Durations are shown as they are. */
function isTime(v: object): boolean {
  return "seconds" in v && "nanos" in v && Object.keys(v).length === 2 && Number(v.seconds) > 1_000_000_000;
}

/** Encoded payloads as text. Metadata is a map: its entries have no order. */
function printable(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes)
    .toString("latin1")
    .replace(/[^ -~]/g, ".");
  return shown.includes("..type..") ? shown.split(/\.+/).sort().join(" ") : shown;
}

/** Of a workflow that no worker version concerns, BuildIds is the official server's alone (COMPAT.md). */
function isVersioned(buildIds: Uint8Array): boolean {
  const ids = JSON.parse(Buffer.from(decode(Payload, buildIds).data).toString()) as string[];
  return ids.some((id) => id !== "unversioned" && !id.startsWith("unversioned:"));
}

/** Ids that differ from run to run become their order of appearance; empty fields are left out. */
export function normalise(value: unknown, names: readonly string[]): unknown {
  const ids = new Map<string, string>();
  const text = (s: string): string => {
    // The official server's text format puts one or two spaces between fields, by the build.
    let out = s.replaceAll("  ", " ");
    names.forEach((n, i) => {
      out = out.replaceAll(n, `<name ${i}>`);
    });
    return out.replace(UUID, (u) => {
      if (!ids.has(u)) ids.set(u, `<id ${ids.size + 1}>`);
      return ids.get(u) ?? u;
    });
  };
  const walk = (v: unknown, parent: string): unknown => {
    if (typeof v === "string") return text(v);
    if (v instanceof Uint8Array) return v.length === 0 ? undefined : text(printable(v));
    if (Array.isArray(v)) return v.length === 0 ? undefined : v.map((x) => walk(x, parent));
    if (v !== null && typeof v === "object") {
      if (isTime(v)) return "<time>";
      const out: Record<string, unknown> = {};
      for (const [k, x] of Object.entries(v)) {
        if (HIDDEN.has(k) || HIDDEN.has(`${parent}.${k}`)) continue;
        if (parent === "indexedFields" && k === "BuildIds" && x instanceof Uint8Array && !isVersioned(x)) continue;
        const y = walk(x, k);
        if (y === undefined || y === "" || y === 0 || y === false) continue;
        if (typeof y === "object" && y !== null && !Array.isArray(y) && Object.keys(y).length === 0) continue;
        out[text(k)] = y;
      }
      return out;
    }
    return v;
  };
  return walk(value, "");
}
