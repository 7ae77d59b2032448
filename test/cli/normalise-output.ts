/** Brings what a command said into a form in which two servers' can be equal: the one list of what is hidden. */
import { hostname, userInfo } from "node:os";

/** In JSON, by name. */
const HIDDEN: ReadonlySet<string> = new Set([
  // Internal ids and sizes of what is stored.
  "taskId",
  "historySizeBytes",
  "stateSizeBytes",
  "longPollToken",
  // How long it took, and how long a retry waits, to the nanosecond.
  "durationMillis",
  "currentRetryInterval",
  "executionDuration",
  // Of the worker's process and its source files.
  "stackTrace",
  "processId",
  "currentHostCpuUsage",
  "currentHostMemUsage",
  // Of the official server's matching service, which has a port of its own.
  "ownerHostName",
  // COMPAT.md: off on the official server; the capability is shown where it is on.
  "workerPollCompleteOnShutdown",
  "standaloneActivityBatchOperations",
]);

/** In text, in this order. Widths of tables follow from what is in them, so blanks count as one. */
const REPLACED: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "<time>"],
  // An error, as older versions say it.
  [/^time=\S+ (?=level=)/gm, "time=<time> "],
  // How long something took: to the fraction of a second. What was asked for is in whole seconds.
  [/\b(\d+m)?\d*\.\d+(µs|ms|s)\b|\b\d+(µs|ms)\b/g, "<duration>"],
  [/((?:RunTime|ExecutionDuration|ElapsedSinceLastHeartbeat)\s+)\d+m?s/g, "$1<duration>"],
  [/( ✓ \S+ \()\d+s(?=\))/g, "$1<duration>"],
  [/(HistorySize:?\s+)\d+/g, "$1<size>"],
  [/(taskId|historySizeBytes): \d+/g, "$1: <n>"],
  [/("stateSizeBytes":)"\d+"/g, "$1<size>"],
  [/(LongPollToken\s+)bytes\(\S*\)/g, "$1<token>"],
  [/(@temporalio\/worker@[\d.]+\+)[0-9a-f]+/g, "$1<hash>"],
  [/"(ProcessId|CurrentHostCPUUsage|CurrentHostMemUsage)":"?[\d.e-]+"?/g, '"$1":<n>'],
  [/"stackTrace":"(?:[^"\\]|\\.)*"/g, '"stackTrace":<trace>'],
  [/at \S[^\n(]*\([^)\n]*:\d+:\d+\)/g, "at <source>"],
  // Who an older version says that it is.
  [/\b\d+@<host>@/g, "<client>"],
  [/127\.0\.0\.1:\d+/g, "<address>"],
  // A set, in no order.
  [/(coreUsedFlags\[)\d+(\]: )\d+/g, "$1n$2n"],
  // COMPAT.md: GetClusterInfo's visibilityStore, ListClusters' shards.
  // COMPAT.md: search attributes of a described schedule that has none.
  [/\n *SearchAttributes +\{\}/g, ""],
  [/sqlite \(sorts like elasticsearch\)/g, "sqlite"],
  [/(active\s+\S+\s+<address>\s+)\d+/g, "$1<shards>"],
];
/** COMPAT.md: search attributes of a described schedule that has none. */
const NO_ATTRIBUTES = "{}";
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

function walk(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(walk);
  if (value === null || typeof value !== "object") return value;
  const out: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    if (HIDDEN.has(key) || (key === "searchAttributes" && JSON.stringify(part) === NO_ATTRIBUTES)) continue;
    out[key] = key === "data" && typeof part === "string" ? buildsAsText(part) : walk(part);
  }
  return out;
}

/** The name of a worker's build has a hash in it, of where it was built too. */
function buildsAsText(base64: string): string {
  const text = Buffer.from(base64, "base64").toString();
  return text.includes("@temporalio/worker@") ? text : base64;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param ids those of the story so far, each with its number */
export function normaliseOutput(text: string, address: string, ids: Map<string, number>): string[] {
  const json = parsed(text);
  let out = (typeof json === "object" && json !== null ? JSON.stringify(walk(json), null, 1) : text)
    .replaceAll(address, "<address>")
    .replaceAll(`${userInfo().username}@${hostname()}`, "<user>")
    .replaceAll(`${process.pid}@${hostname()}`, "<worker>")
    .replaceAll(hostname(), "<host>");
  for (const [pattern, shown] of REPLACED) out = out.replace(pattern, shown);
  out = out.replace(UUID, (id) => {
    const n = ids.get(id) ?? ids.size + 1;
    ids.set(id, n);
    return `<id ${n}>`;
  });
  const lines = out
    .split("\n")
    .map((line) => line.replace(/[ \t]+/g, " ").trimEnd())
    .filter((line) => line !== "");
  // Search attributes, which older versions show in no order.
  return lines[0] === " Name Type" ? [lines[0], ...lines.slice(1).sort()] : lines;
}
