/**
 * The one place where an HTTP request becomes a call: which of its headers are metadata, what its deadline is, and when it is
 * cancelled. The mapping of headers is grpc-gateway's with the official server's additions.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Call } from "../api/call.js";
import type { Identity } from "../api/identity.js";
import type { RateLimit } from "../api/rate-limit.js";
import { invalidArgument, type ServiceError } from "../api/service-error.js";
import type { Runtime } from "../lib/runtime.js";
import type { CallOptions, HttpRequest } from "./route.js";

/** Taken over under their own names. */
const FORWARDED: ReadonlySet<string> = new Set([
  "authorization",
  "authorization-extras",
  "client-name",
  "client-version",
  "temporal-namespace",
  "temporal-api-version",
  "temporal-cloud-api-version",
  "x-forwarded-for",
]);
/** IANA's permanent headers come with a prefix. */
const PERMANENT: ReadonlySet<string> = new Set([
  ...["accept", "accept-charset", "accept-language", "accept-ranges", "authorization", "cache-control", "content-type", "cookie", "date"],
  ...["expect", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-schedule-tag-match", "if-unmodified-since"],
  ...["max-forwards", "origin", "pragma", "referer", "user-agent", "via", "warning"],
]);
const PERMANENT_PREFIX = "grpcgateway-";
const METADATA_PREFIX = "grpc-metadata-";
const CLIENT_NAME = "temporal-server-http";
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000001 };

export class HttpCall implements Call {
  readonly deadlineMs: number | undefined;
  private listeners: Set<() => void> | undefined;
  private isCancelled = false;
  identity: Identity | undefined;
  rateLimit: RateLimit | undefined;
  /** Answers in the handler's stead; set by whoever waits for it. */
  refuse: (error: ServiceError) => void = () => undefined;
  private readonly stop: () => void;

  /** @throws ServiceError when a header is not what it must be. */
  constructor(
    readonly path: string,
    private readonly request: HttpRequest,
    runtime: Runtime,
    private readonly serverVersion: string,
    options: CallOptions,
  ) {
    const ms = timeoutMs(request.headers) ?? options.timeoutMs;
    this.deadlineMs = ms === undefined ? undefined : runtime.nowMicros() / 1000 + ms;
    const stopTimer = ms === undefined ? undefined : runtime.setTimer(ms, () => this.cancel());
    const onAbort = (): void => this.cancel();
    if (request.signal.aborted) this.isCancelled = true;
    else request.signal.addEventListener("abort", onAbort, { once: true });
    this.stop = () => {
      stopTimer?.();
      request.signal.removeEventListener("abort", onAbort);
    };
  }

  get peer(): string {
    return this.request.peer;
  }

  get clientSubject(): string | undefined {
    return this.request.clientSubject;
  }

  abort(error: ServiceError): void {
    this.refuse(error);
    this.cancel();
  }

  get cancelled(): boolean {
    return this.isCancelled;
  }

  metadata(key: string): string | undefined {
    const { headers, peer } = this.request;
    if (key === "x-forwarded-for") return [first(headers[key]), addressOf(peer)].filter((v) => v !== undefined && v !== "").join(", ");
    if (key === "x-forwarded-host") return first(headers[key]) ?? headers.host;
    const value = FORWARDED.has(key)
      ? first(headers[key])
      : key.startsWith(PERMANENT_PREFIX) && PERMANENT.has(key.slice(PERMANENT_PREFIX.length))
        ? first(headers[key.slice(PERMANENT_PREFIX.length)])
        : undefined;
    const found = value ?? first(headers[METADATA_PREFIX + key]);
    if (found !== undefined) return key.endsWith("-bin") ? Buffer.from(found, "base64").toString("latin1") : found;
    if (key === "client-name") return CLIENT_NAME;
    return key === "client-version" ? this.serverVersion : undefined;
  }

  onCancel(f: () => void): () => void {
    if (this.isCancelled) {
      f();
      return () => undefined;
    }
    this.listeners ??= new Set();
    this.listeners.add(f);
    return () => this.listeners?.delete(f);
  }

  private cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.stop();
    for (const f of this.listeners ?? []) f();
    this.listeners = undefined;
  }

  /** The answer is there: nobody is told any more. */
  end(): void {
    this.stop();
    this.listeners = undefined;
  }
}

const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

const addressOf = (peer: string): string => peer.slice(0, peer.lastIndexOf(":")).replace(/^\[|\]$/g, "");

/** @throws ServiceError */
function timeoutMs(headers: IncomingHttpHeaders): number | undefined {
  const text = first(headers["grpc-timeout"]);
  if (text === undefined || text === "") return undefined;
  const unit = UNIT_MS[text.slice(-1)];
  const digits = text.slice(0, -1);
  if (unit === undefined || !/^\d{1,15}$/.test(digits)) throw invalidArgument(`invalid grpc-timeout: ${text}`);
  return Number(digits) * unit;
}
