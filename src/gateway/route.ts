/**
 * What the HTTP doors of the server are made of. A route module is a list of routes and the form of its errors; a handler takes a
 * request and answers, at once or as a stream. It knows nothing of sockets and of HTTP versions, and reaches the server only
 * through `GatewayContext`: RPCs by `call`, so that limits, permissions and errors are those of every other protocol.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Call, Method, MethodTable, Permission } from "../api/call.js";
import type { RateLimit } from "../api/rate-limit.js";
import type { ServiceError } from "../api/service-error.js";
import type { Init, MessageType } from "../api/wire.js";
import type { HistoryService, ShardService } from "../history/contract.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { MatchingService } from "../matching/contract.js";
import type { Workers } from "../matching/workers.js";
import type { NamespaceRegistry } from "../namespace/registry.js";
import type { Metric } from "../telemetry/metrics/metric.js";
import type { NexusServices } from "./nexus/nexus-routes.js";
import type { Products } from "./products.js";
import type { WorkerRegistrations } from "./worker-registrations.js";

/** Whoever sent a request: see Call. */
export type HttpCaller = Pick<Call, "peer" | "clientSubject">;

export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  /** Without the query, as sent. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** "ip:port" of the caller. */
  readonly peer: string;
  /** See Call. */
  readonly clientSubject: string | undefined;
  /** How the last call of the request stands with the limits. */
  rateLimit?: RateLimit | undefined;
  /** Aborted once the caller has gone, or has its whole answer. */
  readonly signal: AbortSignal;
  /**
   * All of the body, of `bytesMax` at most; empty when there is none. The same bytes again when called again.
   * @throws ServiceError when it is larger than a request may be, or is cut off.
   */
  body(bytesMax?: number): Promise<Buffer>;
}

/** Segments of the path by the names of the template, decoded. */
export type PathParameters = Readonly<Record<string, string>>;

/**
 * A body that is an iterable is a stream: its next chunk is asked for when the caller has taken the last one, and it is told
 * (`return`) when the caller goes. What waits for an event must also watch the request's `signal` and the context's `draining`.
 */
export type HttpBody = string | Uint8Array | AsyncIterable<string | Uint8Array>;

export interface HttpAnswer {
  /** 200 when not given. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: HttpBody;
}

export interface Route {
  readonly method: string;
  /** As in google.api.http: literals, {name}, {name=literal/*}, {name=**}. See template.ts. */
  readonly template: string;
  readonly handler: (request: HttpRequest, parameters: PathParameters) => Promise<HttpAnswer> | HttpAnswer;
  /** Of several routes of one method and path, the first that accepts the request serves it; one without this accepts any. */
  readonly accepts?: (request: HttpRequest) => boolean;
  /** What it shows, where that may be open to everybody; every other route is for callers who are known. */
  readonly shows?: "health" | "system-info" | "reflection" | undefined;
  /** Form of this route's errors, when it is not its module's. */
  readonly fail?: (error: ServiceError, request: HttpRequest) => HttpAnswer;
}

export interface RouteModule {
  readonly name: string;
  /** Called once, on the first request that is for the gateway. */
  routes(context: GatewayContext): Promise<readonly Route[]> | readonly Route[];
  /** The form of its errors. */
  fail(error: ServiceError, request: HttpRequest): HttpAnswer;
}

/** A method of gen/wire's services, such as WorkflowService.methods.StartWorkflowExecution. */
export interface Rpc<I, O> {
  readonly path: string;
  readonly input: MessageType<I>;
  readonly output: MessageType<O>;
}

export interface CallOptions {
  /** Limit of its own, for callers who set none. */
  readonly timeoutMs?: number;
  /** Done once the call has been let in, before its handler. */
  readonly first?: () => void;
}

/** What there is behind the RPCs, for what no RPC gives. */
export interface GatewayServices {
  readonly history: HistoryService;
  readonly shards: ShardService;
  readonly matching: MatchingService;
  readonly workers: Workers;
  readonly namespaces: NamespaceRegistry;
  /** What /metrics tells. */
  readonly metrics: readonly Metric[];
  /** Of the Nexus protocol over HTTP; without it it is not there. */
  readonly nexus?: NexusServices;
  /** Of the product APIs; without it they are not there. */
  readonly products?: Products;
  /** What the server says of itself. */
  readonly server: { readonly version: string; readonly clusterId: string; readonly address: string; readonly historyShardCount: number };
}

export interface GatewayContext {
  readonly methods: MethodTable;
  readonly services: GatewayServices;
  /** What workers say that they can run. */
  readonly registrations: WorkerRegistrations;
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** Of a request's body. */
  readonly receiveBytesMax: number;
  /** Aborted when the server begins to stop: streams end then. */
  readonly draining: AbortSignal;
  /**
   * Makes a call of a request and runs it through the interceptors. The caller's headers, deadline and leaving are the call's.
   * @throws ServiceError
   */
  call<I, O>(request: HttpRequest, rpc: Rpc<I, O>, message: Init<I>, options?: CallOptions): Promise<O>;
  /**
   * That the caller has the permissions in the namespace, before a request is looked at for what no call would show, or a call is made
   * whose answer takes another one. @throws ServiceError
   */
  demand(request: HttpRequest, permissions: readonly Permission[], namespace: string): Promise<void>;
  /** The same for what is no RPC of a service: a method of the module's own, with its permission and priority. */
  run(request: HttpRequest, method: Method, message: unknown, options?: CallOptions): Promise<unknown>;
}
