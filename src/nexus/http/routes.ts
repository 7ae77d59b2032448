/**
 * The Nexus protocol over HTTP, as a server: operations of an endpoint or of a task queue, and completion callbacks. Paths and answers
 * are those of the official server (service/frontend/nexus_operation_http_handler.go, nexus_completion_http_handler.go).
 */
import type { HttpRequest, HttpResponse, HttpRoute } from "../../api/http-route.js";
import type { NamespaceDirectory } from "../../core/namespace-view.js";
import type { Logger } from "../../lib/runtime.js";
import type { CompletionService } from "../completion-service.js";
import { type Content, contentOf, isJson } from "../content.js";
import { parseDuration } from "../durations.js";
import type { NexusEndpointRegistry } from "../endpoint-registry.js";
import { HandlerError, OperationError, STATUS_OF } from "../errors.js";
import { type NexusFailure, parseFailure } from "../failure.js";
import { linkHeader, type NexusLink, parseLinkHeader } from "../links.js";
import { type OperationService, type OperationTarget, WorkerError } from "../operation-service.js";
import { BODY_BYTES_MAX } from "./client.js";

export interface NexusRoutesOptions {
  readonly endpoints: NexusEndpointRegistry;
  readonly operations: OperationService;
  readonly completions: CompletionService;
  readonly namespaces: () => NamespaceDirectory;
  readonly namespaceLengthMax: () => number;
  readonly logger: Logger;
}

/** Of the connection, not of the request. */
const HOP_HEADERS: ReadonlySet<string> = new Set(["host", "connection", "keep-alive", "transfer-encoding", "upgrade", "te"]);

type Header = Record<string, string>;
interface Received {
  readonly header: Header;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
}

export function nexusRoutes(o: NexusRoutesOptions): HttpRoute[] {
  const byEndpoint = /^\/nexus\/endpoints\/([^/]+)\/services\/(.*)$/;
  const byQueue = /^\/namespaces\/([^/]+)\/task-queues\/([^/]+)\/nexus-services\/(.*)$/;
  const callback = /^\/(?:namespaces\/([^/]+)\/)?nexus\/callback$/;
  const route = (
    pattern: RegExp,
    serve: (parts: string[], method: string, received: Received, response: HttpResponse) => Promise<void>,
  ): HttpRoute => ({
    matches: (path) => pattern.test(path),
    handle: (request, response) => {
      const [path = "", query = ""] = (request.url ?? "").split("?", 2);
      const header = headerOf(request);
      receive(request)
        .then(async (body) => {
          if (body === undefined) throw new HandlerError("BAD_REQUEST", "http: request body too large");
          const parts = (pattern.exec(path) ?? []).slice(1).map((p) => p ?? "");
          await serve(parts, request.method ?? "", { header, query: new URLSearchParams(query), body }, response);
        })
        .catch((e: unknown) => writeFailure(response, header, e, o.logger));
    },
  });
  return [
    route(byEndpoint, ([id = "", rest = ""], method, received, response) =>
      operation(o, endpointTarget(o, decoded(id)), rest, method, received, response),
    ),
    route(byQueue, ([namespace = "", queue = "", rest = ""], method, received, response) =>
      operation(o, queueTarget(o, decoded(namespace), decoded(queue)), rest, method, received, response),
    ),
    route(callback, ([namespace = ""], _method, received, response) =>
      complete(o, namespace === "" ? undefined : decoded(namespace), received, response),
    ),
  ];
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HandlerError("BAD_REQUEST", "invalid URL");
  }
}

function endpointTarget(o: NexusRoutesOptions, id: string): OperationTarget {
  const endpoint = o.endpoints.byId(id);
  if (endpoint === undefined) throw new HandlerError("NOT_FOUND", "nexus endpoint not found", { isRetryable: false });
  // A request for another server is not passed on.
  if (endpoint.url !== "") throw new HandlerError("BAD_REQUEST", "invalid endpoint target");
  const namespace = o.namespaces().byId(endpoint.namespaceId);
  if (namespace === undefined) throw new HandlerError("NOT_FOUND", "invalid endpoint target", { isRetryable: true });
  return { namespace, taskQueue: endpoint.taskQueue, endpoint: endpoint.name };
}

function queueTarget(o: NexusRoutesOptions, name: string, taskQueue: string): OperationTarget {
  if (Buffer.byteLength(name) > o.namespaceLengthMax()) throw new HandlerError("BAD_REQUEST", "Namespace length exceeds limit.");
  const namespace = o.namespaces().byName(name);
  if (namespace === undefined) throw new HandlerError("NOT_FOUND", `namespace not found: ${JSON.stringify(name)}`);
  return { namespace, taskQueue, endpoint: "" };
}

async function operation(
  o: NexusRoutesOptions,
  target: OperationTarget,
  rest: string,
  method: string,
  { header, query, body }: Received,
  response: HttpResponse,
): Promise<void> {
  if (method !== "POST") throw new HandlerError("BAD_REQUEST", `invalid request method: expected POST, got ${JSON.stringify(method)}`);
  const parts = rest.split("/");
  if (parts.length < 2) throw new HandlerError("NOT_FOUND", "not found");
  const segment = (i: number): string => {
    try {
      return decodeURIComponent(parts[i] ?? "");
    } catch {
      throw new HandlerError("BAD_REQUEST", "failed to parse URL path");
    }
  };
  const timeoutText = header["request-timeout"];
  const timeout = timeoutText === undefined ? undefined : parseDuration(timeoutText);
  if (timeoutText !== undefined && timeout === undefined) throw new HandlerError("BAD_REQUEST", "invalid request timeout header");
  const common = { service: segment(0), operation: segment(1), timeout, readsFailures: readsFailures(header) };
  if (parts.length === 2) {
    let links: NexusLink[];
    try {
      links = parseLinkHeader(header["nexus-link"]);
    } catch {
      throw new HandlerError("BAD_REQUEST", 'invalid "nexus-link" header');
    }
    const result = await o.operations.start(target, {
      ...common,
      header: without(header, ["content-", "nexus-callback-"]),
      requestId: header["nexus-request-id"] ?? "",
      callbackUrl: query.get("callback") ?? "",
      callbackHeader: stripped(header, "nexus-callback-"),
      links,
      content: { header: stripped(header, "content-"), data: body },
    });
    if (result.links.length > 0) response.setHeader("nexus-link", linkHeader(result.links));
    if (result.kind === "async") writeJson(response, 201, { token: result.token, state: "running" });
    else writeContent(response, contentOf(result.payload));
    return;
  }
  const isOld = parts.length === 4 && parts[3] === "cancel";
  if (!isOld && (parts.length !== 3 || parts[2] !== "cancel")) throw new HandlerError("NOT_FOUND", "not found");
  const token = isOld ? segment(2) : header["nexus-operation-token"] || (query.get("token") ?? "");
  if (token === "") throw new HandlerError("BAD_REQUEST", "missing operation token");
  await o.operations.cancel(target, { ...common, token, header: without(header, isOld ? [] : ["nexus-operation-token"]) });
  response.statusCode = 202;
  response.end();
}

async function complete(o: NexusRoutesOptions, namespace: string | undefined, { header, body }: Received, response: HttpResponse): Promise<void> {
  const startText = header["nexus-operation-start-time"];
  const startTime = startText === undefined || startText === "" ? 0 : Date.parse(startText) * 1000;
  if (Number.isNaN(startTime)) throw new HandlerError("BAD_REQUEST", "failed to parse operation start time header");
  const closeText = header["nexus-operation-close-time"];
  if (closeText && Number.isNaN(Date.parse(closeText))) throw new HandlerError("BAD_REQUEST", "failed to parse operation close time header");
  let links: NexusLink[];
  try {
    links = parseLinkHeader(header["nexus-link"]);
  } catch {
    throw new HandlerError("BAD_REQUEST", "failed to decode links from request headers");
  }
  const state = header["nexus-operation-state"] ?? "";
  if (state !== "succeeded" && state !== "failed" && state !== "canceled")
    throw new HandlerError("BAD_REQUEST", `invalid request operation state: ${JSON.stringify(state)}`);
  const outcome = state === "succeeded" ? { content: { header: stripped(header, "content-"), data: body } } : { error: errorOf(state, header, body) };
  await o.completions.complete({ header, namespace, operationToken: header["nexus-operation-token"] ?? "", startTime, links, outcome });
  response.statusCode = 200;
  response.end();
}

function errorOf(state: "failed" | "canceled", header: Header, body: Uint8Array): OperationError {
  const type = header["content-type"];
  if (!isJson(type)) throw new HandlerError("BAD_REQUEST", `invalid request content type: ${JSON.stringify(type ?? "")}`);
  let failure: NexusFailure;
  try {
    failure = parseFailure(JSON.parse(Buffer.from(body).toString()));
  } catch {
    throw new HandlerError("BAD_REQUEST", "failed to decode Failure from request body");
  }
  if (failure.metadata?.["type"] !== "nexus.OperationError")
    return OperationError.wrapping(state, "nexus operation completed unsuccessfully", failure);
  const own = (failure.details as { state?: unknown } | undefined)?.state;
  return new OperationError(own === "canceled" ? "canceled" : "failed", failure);
}

/** Undefined: it is too large. */
function receive(request: HttpRequest): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_BYTES_MAX) chunks.push(chunk);
    });
    request.on("end", () => resolve(size <= BODY_BYTES_MAX ? Buffer.concat(chunks) : undefined));
    request.on("error", reject);
  });
}

function headerOf(request: HttpRequest): Header {
  const out: Header = {};
  for (const [k, v] of Object.entries(request.headers))
    if (v !== undefined && !k.startsWith(":") && !HOP_HEADERS.has(k)) out[k] = Array.isArray(v) ? v.join(", ") : v;
  return out;
}

function stripped(header: Header, prefix: string): Header {
  return Object.fromEntries(Object.entries(header).flatMap(([k, v]) => (k.startsWith(prefix) ? [[k.slice(prefix.length), v]] : [])));
}

function without(header: Header, prefixes: readonly string[]): Header {
  return Object.fromEntries(Object.entries(header).filter(([k]) => !prefixes.some((p) => k.startsWith(p))));
}

const readsFailures = (header: Header): boolean => header["temporal-nexus-failure-support"] === "true";

function writeContent(response: HttpResponse, { header, data }: Content): void {
  response.statusCode = 200;
  for (const [k, v] of Object.entries(header)) response.setHeader(`content-${k}`, v);
  response.setHeader("content-length", data.length);
  response.end(data);
}

function writeJson(response: HttpResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.setHeader("content-length", body.length);
  response.end(body);
}

function writeFailure(response: HttpResponse, header: Header, e: unknown, logger: Logger): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  let failure: NexusFailure = { message: "internal server error" };
  let status = 500;
  if (e instanceof OperationError) {
    ({ failure } = e);
    status = 424;
    response.setHeader("nexus-operation-state", e.state);
    response.setHeader("temporal-nexus-failure-source", "worker");
  } else if (e instanceof HandlerError) {
    ({ failure } = e);
    status = STATUS_OF[e.type as keyof typeof STATUS_OF] ?? 500;
    if (e.options.isRetryable !== undefined) response.setHeader("nexus-request-retryable", String(e.options.isRetryable));
    if (e instanceof WorkerError) response.setHeader("temporal-nexus-failure-source", "worker");
  } else logger.error({ err: e }, "a Nexus request could not be served");
  // Callers that do not say that they read it get the cause alone.
  if (!readsFailures(header) && failure.cause !== undefined) failure = failure.cause;
  writeJson(response, status, failure);
}
