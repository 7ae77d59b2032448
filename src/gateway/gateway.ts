/**
 * The HTTP doors of the server: the official HTTP API and the product APIs, as route modules (modules.ts) behind one router.
 * - In: Node's requests and responses of HTTP/1.1 and HTTP/2, from src/rpc, and the chain of interceptors that every call runs through.
 * - Out: answers. Whatever a handler throws becomes an error in the form of its module; a bug's text stays in the log.
 * - Loaded on the first request that is neither gRPC, gRPC-Web nor Connect: the descriptors that the modules need are heavy.
 */
import type { Call, Method, MethodTable, Permission } from "../api/call.js";
import { canceled, deadlineExceeded, fromUnknown, ServiceError, unimplemented } from "../api/service-error.js";
import type { Init } from "../api/wire.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { rateLimitHeaders } from "../quotas/headers.js";
import { HttpCall } from "./http-call.js";
import { ROUTE_MODULES } from "./modules.js";
import { GatewayRequest, type NodeRequest, type NodeResponse } from "./node-request.js";
import { BAD_REQUEST, METHOD_NOT_ALLOWED, NOT_FOUND, plainError } from "./official-error.js";
import { ownMethod } from "./own-method.js";
import type {
  CallOptions,
  GatewayContext,
  GatewayServices,
  HttpAnswer,
  HttpCaller,
  HttpRequest,
  PathParameters,
  Route,
  RouteModule,
  Rpc,
} from "./route.js";
import { Router } from "./router.js";
import { sendAnswer } from "./send-answer.js";
import { WorkerRegistrations } from "./worker-registrations.js";

export interface GatewayOptions {
  readonly methods: MethodTable;
  readonly services: GatewayServices;
  /** Interceptors, then the handler; rejects with ServiceError only. */
  readonly run: (method: Method, request: unknown, call: Call) => Promise<unknown>;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly receiveBytesMax: number;
  readonly draining: AbortSignal;
  readonly modules?: readonly RouteModule[];
  /** Without it nobody need be known. */
  readonly callers?: CallerChecks | undefined;
}

/** What doors ask about who calls before there is a call. */
export interface CallerChecks {
  /** Or need not be, by what is shown. */
  isKnown(subject: Route["shows"], call: Call): Promise<boolean>;
  mayDo(permission: Permission, namespace: string, call: Call): Promise<boolean>;
}

export type Gateway = (request: NodeRequest, response: NodeResponse, caller: HttpCaller) => void;

type OwnedRoute = Route & { readonly owner: RouteModule };

export async function createGateway(o: GatewayOptions): Promise<Gateway> {
  const context: GatewayContext = {
    methods: o.methods,
    services: o.services,
    registrations: new WorkerRegistrations(),
    runtime: o.runtime,
    logger: o.logger,
    receiveBytesMax: o.receiveBytesMax,
    draining: o.draining,
    demand: (request, permissions, namespace) => demand(o, request, permissions, namespace),
    run: (request, method, message, options = {}) => runCall(o, request, method, message, options),
    async call<I, O>(request: HttpRequest, rpc: Rpc<I, O>, message: Init<I>, options: CallOptions = {}): Promise<O> {
      const method = o.methods.get(rpc.path);
      if (method === undefined) throw unimplemented(`unknown method ${rpc.path}`);
      const reply = await runCall(o, request, method, rpc.input.create(message), options);
      return rpc.output.create(reply as never);
    },
  };
  const routes: OwnedRoute[] = [];
  for (const owner of o.modules ?? ROUTE_MODULES) for (const route of await owner.routes(context)) routes.push({ ...route, owner });
  const router = new Router(routes);
  return (node, response, caller) => {
    const request = new GatewayRequest(node, response, caller, o.receiveBytesMax);
    answerTo(o, router, request)
      .then((answer) => sendAnswer(response, withLimits(answer, request), request.signal))
      .catch((e: unknown) => {
        if (!request.signal.aborted) o.logger.error({ err: e, path: request.path }, "an answer was cut off");
        response.destroy();
      });
  };
}

function withLimits(answer: HttpAnswer, { rateLimit }: HttpRequest): HttpAnswer {
  if (rateLimit === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, ...rateLimitHeaders(rateLimit) } };
}

async function answerTo(o: GatewayOptions, router: Router<OwnedRoute>, request: HttpRequest): Promise<HttpAnswer> {
  const found = router.find(request);
  if (found.kind === "found") return runRoute(o, found.route, request, found.parameters);
  if (found.kind === "malformed") return plainError(BAD_REQUEST);
  if (found.kind === "none") return plainError(NOT_FOUND);
  const answer = plainError(METHOD_NOT_ALLOWED);
  return { ...answer, headers: { ...answer.headers, allow: found.methods.join(", ") } };
}

async function runRoute(o: GatewayOptions, route: OwnedRoute, request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
  try {
    if (o.callers !== undefined) await refuseUnknown(o, o.callers, route, request);
    return await route.handler(request, parameters);
  } catch (e) {
    if (!(e instanceof ServiceError)) o.logger.error({ err: e, route: `${route.method} ${route.template}` }, "route failed");
    const error = fromUnknown(e);
    return route.fail?.(error, request) ?? route.owner.fail(error, request);
  }
}

/** Before anything of the request is looked at. Whoever is refused is counted and put down like the caller of an RPC. @throws ServiceError */
async function refuseUnknown(o: GatewayOptions, callers: CallerChecks, route: OwnedRoute, request: HttpRequest): Promise<void> {
  const call = new HttpCall(`${route.method} ${route.template}`, request, o.runtime, o.services.server.version, {});
  call.end();
  if (await callers.isKnown(route.shows, call)) return;
  const nothing = { service: "perdure.gateway", name: call.path, permission: "authenticated", handler: () => ({}) } as const;
  await runCall(o, request, ownMethod(nothing), {}, {});
}

/** The refusal is that of a call: counted, and put down. @throws ServiceError */
async function demand(o: GatewayOptions, request: HttpRequest, permissions: readonly Permission[], namespace: string): Promise<void> {
  if (o.callers === undefined) return;
  const call = new HttpCall(`${request.method} ${request.path}`, request, o.runtime, o.services.server.version, {});
  call.end();
  for (const permission of permissions) {
    if (await o.callers.mayDo(permission, namespace, call)) continue;
    const nothing = { service: "perdure.gateway", name: call.path, permission, handler: () => ({}) } as const;
    await runCall(o, request, ownMethod(nothing), { namespace }, {});
  }
}

/** A handler may be slow to notice that its caller has gone or its time is up, or not notice at all. */
async function runCall(o: GatewayOptions, request: HttpRequest, method: Method, message: unknown, options: CallOptions): Promise<unknown> {
  const call = new HttpCall(method.path, request, o.runtime, o.services.server.version, options);
  try {
    return await new Promise((resolve, reject) => {
      call.onCancel(() => reject(request.signal.aborted ? canceled("context canceled") : deadlineExceeded("context deadline exceeded")));
      call.refuse = reject;
      o.run(options.first === undefined ? method : beginning(method, options.first), message, call).then(resolve, reject);
    });
  } finally {
    if (call.rateLimit !== undefined) request.rateLimit = call.rateLimit;
    call.end();
  }
}

function beginning(method: Method, first: () => void): Method {
  const { handler } = method;
  if (handler === undefined) return method;
  return {
    ...method,
    handler: (message, call) => {
      first();
      return handler(message, call);
    },
  };
}
