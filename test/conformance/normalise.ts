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

/** Ids that differ from run to run become their order of appearance; empty fields are left out. */
export function normalise(value: unknown, names: readonly string[]): unknown {
  const ids = new Map<string, string>();
  const text = (s: string): string => {
    // The official server's text format puts spaces of one kind or another, and one or two of them, between fields: by the build.
    let out = s.replaceAll("\u00a0", " ").replaceAll("  ", " ");
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
        const y = walk(x, k);
        if (y === undefined || y === "" || y === 0 || y === false) continue;
        // A map without entries. A message of which nothing is set is there, or is not.
        if (x !== null && typeof x === "object" && Object.keys(x).length === 0) continue;
        out[text(k)] = y;
      }
      return out;
    }
    return v;
  };
  return walk(value, "");
}
