/**
 * The Nexus protocol over HTTP, as a server: operations of an endpoint or of a task queue, and completion callbacks. Paths and answers
 * are those of the official server (service/frontend/nexus_operation_http_handler.go, nexus_completion_http_handler.go).
 *   POST /nexus/endpoints/{endpoint}/services/{service}/{operation}                       starts one
 *   POST /namespaces/{namespace}/task-queues/{queue}/nexus-services/{service}/{operation}
 *   POST .../{operation}/cancel                                                          asks to cancel one
 *   POST /namespaces/{namespace}/nexus/callback, /nexus/callback                         an operation has ended
 * Each is a call of a method of the protocol's own service, so that permissions, limits and measurements are those of RPCs; a completion
 * needs its token besides.
 */
import type { Method, Permission } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { parseShallowJson } from "../../api/shallow-json.js";
import { setEntry } from "../../api/wire.js";
import type { NamespaceDirectory } from "../../core/namespace-view.js";
import type { CompletionService } from "../../nexus/completion-service.js";
import { contentOf, isJson } from "../../nexus/content.js";
import { parseDuration } from "../../nexus/durations.js";
import type { NexusEndpointRegistry } from "../../nexus/endpoint-registry.js";
import { fromServiceError, HandlerError, OperationError, STATUS_OF } from "../../nexus/errors.js";
import { type NexusFailure, parseFailure } from "../../nexus/failure.js";
import { BODY_BYTES_MAX } from "../../nexus/http/client.js";
import { linkHeader, type NexusLink, parseLinkHeader } from "../../nexus/links.js";
import { type OperationService, type OperationTarget, WorkerError } from "../../nexus/operation-service.js";
import type { GatewayContext, HttpAnswer, HttpRequest, Route, RouteModule } from "../route.js";

/** What stands behind the routes. */
export interface NexusServices {
  readonly endpoints: NexusEndpointRegistry;
  readonly operations: OperationService;
  readonly completions: CompletionService;
  readonly namespaces: () => NamespaceDirectory;
}

/** Of the connection, not of the request. */
const HOP_HEADERS: ReadonlySet<string> = new Set(["host", "connection", "keep-alive", "transfer-encoding", "upgrade", "te"]);
/** The official server's routes take any, and say themselves what they refuse. */
const HTTP_METHODS = ["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE"] as const;
/** By which callers say who they are: a handler could use it in their name. */
const PROOFS = ["authorization"];
const SERVICE = "temporal.api.nexusservice.v1.NexusService";

type Header = Record<string, string>;
/** What a call of the protocol's is about, as interceptors read it. */
interface Subject {
  readonly namespace: string;
  readonly taskQueue?: { readonly name: string };
}

interface NamedTarget {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly endpoint: string;
}

export const nexusModule: RouteModule = {
  name: "nexus",
  routes: (context) => {
    const { nexus } = context.services;
    return nexus === undefined ? [] : new NexusRoutes(context, nexus).routes();
  },
  fail: (error, request) => failure(headerOf(request), fromInterceptor(error)),
};

class NexusRoutes {
  constructor(
    private readonly context: GatewayContext,
    private readonly o: NexusServices,
  ) {}

  routes(): Route[] {
    const route = (template: string, handler: (request: HttpRequest, path: readonly string[]) => Promise<HttpAnswer>): Route[] =>
      HTTP_METHODS.map((method) => ({
        method,
        template,
        handler: async (request) => {
          try {
            return await handler(request, request.path.slice(1).split("/"));
          } catch (e) {
            if (e instanceof HandlerError || e instanceof OperationError) return failure(headerOf(request), e);
            throw e;
          }
        },
      }));
    return [
      ...route("/nexus/endpoints/{endpoint}/services/{rest=**}", (request, [, , id = "", , ...rest]) =>
        this.dispatch(request, "DispatchByEndpoint", this.endpointTarget(decoded(id)), rest),
      ),
      ...route("/namespaces/{namespace}/task-queues/{queue}/nexus-services/{rest=**}", (request, [, namespace = "", , queue = "", , ...rest]) => {
        const target = { namespace: decoded(namespace), taskQueue: decoded(queue), endpoint: "" };
        return this.dispatch(request, "DispatchByNamespaceAndTaskQueue", target, rest);
      }),
      ...route("/namespaces/{namespace}/nexus/callback", (request, [, namespace = ""]) => this.complete(request, decoded(namespace))),
      ...route("/nexus/callback", (request) => this.complete(request, undefined)),
    ];
  }

  /**
   * Runs `serve` as a call. Errors of the protocol are answers of it, not failures of the server. `secrets`: headers that were for the
   * server's eyes.
   */
  private async call(
    request: HttpRequest,
    name: string,
    permission: Permission,
    priority: Method["priority"],
    subject: Subject,
    serve: (body: Uint8Array, secrets: readonly string[]) => Promise<HttpAnswer>,
  ): Promise<HttpAnswer> {
    const method: Method = {
      ...{ service: SERVICE, name, path: `/${SERVICE}/${name}`, permission, priority, longPoll: false },
      // Neither is read: there is no message.
      input: undefined as never,
      output: undefined as never,
      handler: async (_request, call) => {
        try {
          const body = await request.body(BODY_BYTES_MAX);
          return await serve(body, call.identity === undefined ? [] : PROOFS);
        } catch (e) {
          if (e instanceof HandlerError || e instanceof OperationError) return e;
          throw e;
        }
      },
    };
    const outcome = (await this.context.run(request, method, subject).catch((e: unknown) => {
      const { namespace } = subject;
      if (!(e instanceof ServiceError) || e.code !== Code.NOT_FOUND || this.o.namespaces().byName(namespace) !== undefined) throw e;
      throw new HandlerError("NOT_FOUND", `namespace not found: ${JSON.stringify(namespace)}`);
    })) as HttpAnswer | Error;
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  private endpointTarget(id: string): NamedTarget {
    const endpoint = this.o.endpoints.byId(id);
    if (endpoint === undefined) throw new HandlerError("NOT_FOUND", "nexus endpoint not found", { isRetryable: false });
    // A request for another server is not passed on.
    if (endpoint.url !== "") throw new HandlerError("BAD_REQUEST", "invalid endpoint target");
    const namespace = this.o.namespaces().byId(endpoint.namespaceId);
    if (namespace === undefined) throw new HandlerError("NOT_FOUND", "invalid endpoint target", { isRetryable: true });
    return { namespace: namespace.name, taskQueue: endpoint.taskQueue, endpoint: endpoint.name };
  }

  private async dispatch(request: HttpRequest, name: string, target: NamedTarget, parts: readonly string[]): Promise<HttpAnswer> {
    const { method } = request;
    if (method !== "POST") throw new HandlerError("BAD_REQUEST", `invalid request method: expected POST, got ${JSON.stringify(method)}`);
    const [service = "", operation = "", third = "", fourth = ""] = parts;
    if (parts.length < 2) throw new HandlerError("NOT_FOUND", "not found");
    const header = headerOf(request);
    const timeoutText = header["request-timeout"];
    const timeout = timeoutText === undefined ? undefined : parseDuration(timeoutText);
    if (timeoutText !== undefined && timeout === undefined) throw new HandlerError("BAD_REQUEST", "invalid request timeout header");
    const common = { service: segment(service), operation: segment(operation), timeout, readsFailures: readsFailures(header) };
    const subject: Subject = { namespace: target.namespace, taskQueue: { name: target.taskQueue } };
    const { operations } = this.o;
    if (parts.length === 2)
      return this.call(request, name, "workflow.start", 1, subject, async (body, secrets) => {
        const result = await operations.start(this.resolved(target), {
          ...common,
          header: without(header, ["content-", "nexus-callback-", ...secrets]),
          requestId: header["nexus-request-id"] ?? "",
          callbackUrl: request.query.get("callback") ?? "",
          callbackHeader: stripped(header, "nexus-callback-"),
          links: linksOf(header, 'invalid "nexus-link" header'),
          content: { header: stripped(header, "content-"), data: body },
        });
        const headers: Header = result.links.length > 0 ? { "nexus-link": linkHeader(result.links) } : {};
        if (result.kind === "async") return json(201, { token: result.token, state: "running" }, headers);
        const { header: contentHeader, data } = contentOf(result.payload);
        for (const [k, v] of Object.entries(contentHeader)) setEntry(headers, `content-${k}`, v);
        return { headers, body: data };
      });
    const isOld = parts.length === 4 && fourth === "cancel";
    if (!isOld && (parts.length !== 3 || third !== "cancel")) throw new HandlerError("NOT_FOUND", "not found");
    const token = isOld ? segment(third) : header["nexus-operation-token"] || (request.query.get("token") ?? "");
    if (token === "") throw new HandlerError("BAD_REQUEST", "missing operation token");
    return this.call(request, name, "workflow.cancel", 1, subject, async (_body, secrets) => {
      const own = without(header, isOld ? secrets : ["nexus-operation-token", ...secrets]);
      await operations.cancel(this.resolved(target), { ...common, token, header: own });
      return { status: 202 };
    });
  }

  /** Interceptors have seen that the namespace is there. */
  private resolved({ namespace: name, taskQueue, endpoint }: NamedTarget): OperationTarget {
    const namespace = this.o.namespaces().byName(name);
    if (namespace === undefined) throw new HandlerError("NOT_FOUND", `namespace not found: ${JSON.stringify(name)}`);
    return { namespace, taskQueue, endpoint };
  }

  private async complete(request: HttpRequest, namespace: string | undefined): Promise<HttpAnswer> {
    const header = headerOf(request);
    const startText = header["nexus-operation-start-time"];
    const startTime = startText === undefined || startText === "" ? 0 : Date.parse(startText) * 1000;
    if (Number.isNaN(startTime)) throw new HandlerError("BAD_REQUEST", "failed to parse operation start time header");
    const closeText = header["nexus-operation-close-time"];
    if (closeText && Number.isNaN(Date.parse(closeText))) throw new HandlerError("BAD_REQUEST", "failed to parse operation close time header");
    const links = linksOf(header, "failed to decode links from request headers");
    const state = header["nexus-operation-state"] ?? "";
    if (state !== "succeeded" && state !== "failed" && state !== "canceled")
      throw new HandlerError("BAD_REQUEST", `invalid request operation state: ${JSON.stringify(state)}`);
    const { completions } = this.o;
    const subject: Subject = { namespace: completions.namespaceOf(header, namespace).name };
    return this.call(request, "CompleteNexusOperation", "worker.respond", 1, subject, async (body) => {
      const outcome =
        state === "succeeded" ? { content: { header: stripped(header, "content-"), data: body } } : { error: errorOf(state, header, body) };
      await completions.complete({ header, namespace, operationToken: header["nexus-operation-token"] ?? "", startTime, links, outcome });
      return {};
    });
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HandlerError("BAD_REQUEST", "invalid URL");
  }
}

function segment(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HandlerError("BAD_REQUEST", "failed to parse URL path");
  }
}

function errorOf(state: "failed" | "canceled", header: Header, body: Uint8Array): OperationError {
  const type = header["content-type"];
  if (!isJson(type)) throw new HandlerError("BAD_REQUEST", `invalid request content type: ${JSON.stringify(type ?? "")}`);
  let failure: NexusFailure;
  try {
    failure = parseFailure(parseShallowJson(Buffer.from(body).toString()));
  } catch {
    throw new HandlerError("BAD_REQUEST", "failed to decode Failure from request body");
  }
  if (failure.metadata?.["type"] !== "nexus.OperationError")
    return OperationError.wrapping(state, "nexus operation completed unsuccessfully", failure);
  const own = (failure.details as { state?: unknown } | undefined)?.state;
  return new OperationError(own === "canceled" ? "canceled" : "failed", failure);
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

function linksOf(header: Header, problem: string): NexusLink[] {
  try {
    return parseLinkHeader(header["nexus-link"]);
  } catch {
    throw new HandlerError("BAD_REQUEST", problem);
  }
}

function json(status: number, value: unknown, headers: Header = {}): HttpAnswer {
  return { status, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(value) };
}

/** What interceptors refuse, in the protocol's terms: texts are told where they say nothing of the server's inside. */
function fromInterceptor(error: ServiceError): Error {
  if (error.code === Code.UNAUTHENTICATED) return new HandlerError("UNAUTHENTICATED", "unauthorized");
  return fromServiceError(error, error.code === Code.INVALID_ARGUMENT || error.code === Code.RESOURCE_EXHAUSTED);
}

function failure(header: Header, e: Error): HttpAnswer {
  const headers: Header = {};
  let shown: NexusFailure = { message: "internal server error" };
  let status = 500;
  if (e instanceof OperationError) {
    ({ failure: shown } = e);
    status = 424;
    headers["nexus-operation-state"] = e.state;
    headers["temporal-nexus-failure-source"] = "worker";
  } else if (e instanceof HandlerError) {
    ({ failure: shown } = e);
    status = STATUS_OF[e.type as keyof typeof STATUS_OF] ?? 500;
    if (e.options.isRetryable !== undefined) headers["nexus-request-retryable"] = String(e.options.isRetryable);
    if (e instanceof WorkerError) headers["temporal-nexus-failure-source"] = "worker";
  }
  // Callers that do not say that they read it get the cause alone.
  if (!readsFailures(header) && shown.cause !== undefined) shown = shown.cause;
  return json(status, shown, headers);
}
