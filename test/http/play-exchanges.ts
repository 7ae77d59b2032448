/** Plays sequences of exchanges against an address, and brings the answers into a form in which two servers' can be equal. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REFERENCE } from "../conformance/records.js";
import type { Exchange } from "./exchanges.js";

export interface Answered {
  readonly ask: string;
  readonly status: number;
  readonly contentType: string;
  readonly body: unknown;
}

export interface Recorded {
  readonly reference: string;
  readonly hash: string;
  /** "GET /path" of every operation in the official server's /swagger.json. */
  readonly operations: readonly string[];
  readonly sequences: Readonly<Record<string, readonly Answered[]>>;
}

const FILE = join(import.meta.dirname, "expected/official.json");

export const hashOfExchanges = (): string =>
  createHash("sha256")
    .update(readFileSync(join(import.meta.dirname, "exchanges.ts")))
    .digest("hex");

export function recordedExchanges(): Recorded | undefined {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Recorded) : undefined;
}

export async function operationsOf(base: string): Promise<string[]> {
  const { paths } = (await (await fetch(`${base}/swagger.json`)).json()) as { paths: Record<string, object> };
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((m) => `${m.toUpperCase()} ${path.replace(/\{([^}]*)\}/g, (_, name: string) => `{${camel(name)}}`)}`),
    )
    .sort();
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

export function recordExchanges(operations: readonly string[], sequences: Recorded["sequences"]): void {
  writeFileSync(FILE, `${JSON.stringify({ reference: REFERENCE, hash: hashOfExchanges(), operations, sequences } satisfies Recorded, null, 1)}\n`);
}

let counter = 0;

export async function playSequence(base: string, sequence: readonly Exchange[]): Promise<Answered[]> {
  const kept: Record<string, string> = { id: `e${Date.now().toString(36)}x${++counter}` };
  const fill = (text: string): string => text.replace(/\$([a-z]+)/g, (all, name: string) => kept[name] ?? all);
  const out: Answered[] = [];
  for (const { ask, body, text, headers, keep } of sequence) {
    const [method, path] = fill(ask).split(" ", 2) as [string, string];
    const sent = text ?? (body === undefined ? undefined : fill(JSON.stringify(body)));
    const answer = await fetch(base + path, { method, headers: { ...headers }, ...(sent === undefined ? {} : { body: sent }) });
    const received = await answer.text();
    let json: unknown;
    try {
      json = JSON.parse(received);
    } catch {
      json = received;
    }
    for (const [name, field] of Object.entries(keep ?? {})) kept[name] = String(at(json, field));
    out.push({ ask, status: answer.status, contentType: contentTypeOf(answer), body: normalise(json, kept["id"] as string) });
  }
  return out;
}

const at = (json: unknown, path: string): unknown => path.split(".").reduce((v, key) => (v as Record<string, unknown> | undefined)?.[key], json);

/** Of its default form the official server says "*". */
const contentTypeOf = (answer: Response): string => (answer.headers.get("content-type") ?? "").replace(/^\*$/, "application/json");

/** Of the official server's own: numbers of events that are its choice, sizes, and what only it has. */
const HIDDEN: ReadonlySet<string> = new Set([
  ...["taskId", "historySizeBytes", "stateTransitionCount", "capabilities", "effectiveRateLimit", "versioningInfo", "conflictToken"],
  ...["startRequestId", "id", "nextPageToken", "executionDuration", "runExpirationTime", "systemAttributes", "storageSchema"],
  ...["updateTime", "identity", "searchAttributes", "customAttributes", "replicationConfig"],
]);

function normalise(value: unknown, id: string): unknown {
  if (typeof value === "string") return normaliseText(value, id);
  if (Array.isArray(value)) return value.map((v) => normalise(v, id));
  if (typeof value !== "object" || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, v] of Object.entries(value)) {
    const inner = HIDDEN.has(key) ? undefined : normalise(v, id);
    // Whether a message without fields is there or not nobody can use.
    if (inner === undefined || inner === "0s" || (typeof inner === "object" && inner !== null && Object.keys(inner).length === 0)) continue;
    out[normaliseText(key, id)] = inner;
  }
  return out;
}

function normaliseText(text: string, id: string): string {
  return (
    text
      .replaceAll(id, "<id>")
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uuid>")
      .replace(/^20(?!30)\d\d-\d\d-\d\dT[\d:.]+Z$/, "<time>")
      // Where and how a body is wrong each tells in its own words.
      .replace(/^(temporalproto|proto|invalid character|unexpected (EOF|list|null)|duplicate field).*$/s, "<not a request>")
      // Whoever sees first that the time is up.
      .replace(/^(query timed out before a worker could process it|context deadline exceeded)$/, "<time is up>")
      .replace(/illegal base64 data.*$/, "illegal base64 data")
      .replace(/(parsing time "[^"]*").*$/, "$1")
  );
}
