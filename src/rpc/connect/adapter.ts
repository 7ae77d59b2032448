/**
 * Connect, gRPC-Web and streaming gRPC through Connect's adapter. A request goes to our codec by way of its bytes and back, so
 * that handlers, interceptors, limits and errors are the same as on the fast path. Loaded on the first such request, since the
 * descriptors are heavy.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { type DescMethod, type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  Code as ConnectCode,
  ConnectError,
  type ConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { createAsyncIterable, type UniversalHandler, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Health as HealthDesc } from "../../../gen/es/grpc/health/v1/health_pb.js";
import { ServerReflection as ReflectionV1 } from "../../../gen/es/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ReflectionV1Alpha } from "../../../gen/es/grpc/reflection/v1alpha/reflection_pb.js";
import { KeyService } from "../../../gen/es/perdure/security/v1/service_pb.js";
import { CloudService } from "../../../gen/es/temporal/api/cloud/cloudservice/v1/service_pb.js";
import { OperatorService } from "../../../gen/es/temporal/api/operatorservice/v1/service_pb.js";
import { TestService } from "../../../gen/es/temporal/api/testservice/v1/service_pb.js";
import { WorkflowService } from "../../../gen/es/temporal/api/workflowservice/v1/service_pb.js";
import { AdminService } from "../../../gen/es/temporal/server/api/adminservice/v1/service_pb.js";
import type { Call, Method } from "../../api/call.js";
import type { Identity } from "../../api/identity.js";
import type { RateLimit } from "../../api/rate-limit.js";
import { ServiceError } from "../../api/service-error.js";
import { decode, encode } from "../../api/wire.js";
import { TYPES } from "../../gateway/json/types.js";
import { rateLimitHeaders } from "../../quotas/headers.js";
import { metadataValue } from "../grpc/metadata.js";
import { type Caller, callerOf, type OtherProtocolsOptions } from "../other-protocols.js";
import { Reflection } from "../reflection/reflection.js";

type Handle = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => void;

const SERVICES: readonly DescService[] = [WorkflowService, OperatorService, TestService, KeyService, AdminService, CloudService, HealthDesc];
const INTERNAL_SERVER_ERROR = 500;
const UNREADABLE = '{"code":"internal","message":"parse binary';
const REFLECTION: readonly DescService[] = [ReflectionV1, ReflectionV1Alpha];
/** Who is at the other end: of a request's socket, which Connect does not show. */
const CALLER = createContextKey<Caller>({ peer: "" });

export function connectAdapter(o: OtherProtocolsOptions): Handle {
  const handler = connectNodeAdapter({
    readMaxBytes: o.receiveBytesMax,
    jsonOptions: { registry: TYPES },
    contextValues: (request) => createContextValues().set(CALLER, callerOf(request)),
    routes: (router: ConnectRouter) => {
      for (const service of SERVICES) router.service(service, implementation(o, service));
      const reflection = new Reflection([...SERVICES, ...REFLECTION]);
      for (const service of REFLECTION)
        router.service(service, {
          serverReflectionInfo: (requests: AsyncIterable<Message>, context: HandlerContext) => reflect(o, reflection, requests, context),
        } as never);
      router.handlers.forEach((handler, i) => {
        router.handlers[i] = blamingTheCaller(handler);
      });
    },
  });
  return handler as unknown as Handle;
}

/** Connect answers 500 to a body that is no message; it is the caller's, as in its other implementations and in its own JSON. */
function blamingTheCaller(handler: UniversalHandler): UniversalHandler {
  const answer = async (...request: Parameters<UniversalHandler>): Promise<UniversalServerResponse> => {
    const response = await handler(...request);
    if (response.status !== INTERNAL_SERVER_ERROR || response.body === undefined) return response;
    const parts: Uint8Array[] = [];
    for await (const part of response.body) parts.push(part);
    const bytes = Buffer.concat(parts);
    const text = bytes.toString();
    if (!text.startsWith(UNREADABLE)) return { ...response, body: createAsyncIterable([bytes]) };
    const body = Buffer.from(text.replace('"internal"', '"invalid_argument"'));
    response.header?.delete("content-length");
    return { ...response, status: 400, body: createAsyncIterable([body]) };
  };
  return Object.assign(answer, handler);
}

function implementation(o: OtherProtocolsOptions, service: DescService): never {
  const out: Record<string, unknown> = {};
  for (const m of service.methods) {
    const method = o.methods.get(`/${service.typeName}/${m.name}`);
    if (m.methodKind === "unary" && method !== undefined)
      out[m.localName] = (request: Message, context: HandlerContext) => unary(o, m, method, request, context);
    else if (service === HealthDesc && m.name === "Watch")
      out[m.localName] = (request: { service: string }, context: HandlerContext) => watch(o, request.service, context);
  }
  return out as never;
}

async function* reflect(o: OtherProtocolsOptions, reflection: Reflection, requests: AsyncIterable<Message>, context: HandlerContext) {
  await admitted(o, "reflection", context);
  yield* reflection.answers(requests as never);
}

async function admitted(o: OtherProtocolsOptions, subject: "health" | "reflection", context: HandlerContext): Promise<void> {
  const path = `/${context.service.typeName}/${context.method.name}`;
  try {
    await o.admit?.(subject, new ConnectCall(o, path, context));
  } catch (e) {
    throw toConnectError(e);
  }
}

async function unary(o: OtherProtocolsOptions, desc: DescMethod, method: Method, request: Message, context: HandlerContext): Promise<Message> {
  const call = new ConnectCall(o, method.path, context);
  try {
    const running = o.chain.run(method, decode(method.input, toBinary(desc.input, request)), call);
    const reply = await Promise.race([running, gone(context.signal), call.aborted]);
    return fromBinary(desc.output, encode(method.output, reply as never));
  } catch (e) {
    if (!(e instanceof ServiceError || e instanceof ConnectError)) o.logger.error({ err: e, method: method.path }, "reply cannot be converted");
    throw toConnectError(e);
  } finally {
    for (const [name, value] of Object.entries(rateLimitHeaders(call.rateLimit))) context.responseHeader.set(name, value);
  }
}

/** Rejects when the caller has gone or its deadline has passed: a handler may be slow to notice, or not notice at all. */
function gone(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(ConnectError.from(signal.reason));
    else signal.addEventListener("abort", () => reject(ConnectError.from(signal.reason)), { once: true });
  });
}

function toConnectError(e: unknown): ConnectError {
  if (e instanceof ConnectError) return e;
  if (!(e instanceof ServiceError)) return new ConnectError("internal error", ConnectCode.Internal);
  const error = new ConnectError(e.message, e.code as number as ConnectCode);
  error.details = e.details.map((d) => ({ type: d.typeName, value: d.value }));
  return error;
}

class ConnectCall implements Call {
  readonly deadlineMs: number | undefined;
  identity: Identity | undefined;
  rateLimit: RateLimit | undefined;
  /** Rejects when the server gives up on the call. */
  readonly aborted: Promise<never>;
  private refuse!: (error: ServiceError) => void;
  private readonly ended = new AbortController();
  private readonly signal: AbortSignal;

  constructor(
    o: OtherProtocolsOptions,
    readonly path: string,
    private readonly context: HandlerContext,
  ) {
    const left = context.timeoutMs();
    this.deadlineMs = left === undefined ? undefined : o.runtime.nowMicros() / 1000 + left;
    this.signal = AbortSignal.any([context.signal, this.ended.signal]);
    this.aborted = new Promise((_, reject) => {
      this.refuse = reject;
    });
    this.aborted.catch(() => undefined);
  }

  get peer(): string {
    return this.context.values.get(CALLER).peer;
  }

  get clientSubject(): string | undefined {
    return this.context.values.get(CALLER).clientSubject;
  }

  get cancelled(): boolean {
    return this.signal.aborted;
  }

  abort(error: ServiceError): void {
    this.refuse(error);
    this.ended.abort();
  }

  metadata(key: string): string | undefined {
    return metadataValue(this.context.requestHeader.get(key) ?? undefined, key);
  }

  onCancel(f: () => void): () => void {
    const { signal } = this;
    if (signal.aborted) {
      f();
      return () => undefined;
    }
    signal.addEventListener("abort", f, { once: true });
    return () => signal.removeEventListener("abort", f);
  }
}

/** The status now, and again whenever it changes. A service that is not known is told as such, not refused. */
async function* watch(o: OtherProtocolsOptions, service: string, context: HandlerContext): AsyncGenerator<{ status: number }> {
  const SERVICE_UNKNOWN = 3;
  await admitted(o, "health", context);
  let wake = (): void => undefined;
  const stop = o.health.onChange(() => wake());
  context.signal.addEventListener("abort", () => wake(), { once: true });
  let told: number | undefined;
  try {
    while (!context.signal.aborted) {
      // Before the status is read: a change while the caller takes it is not missed.
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const { isEnding } = o.health;
      const status = o.health.status(service) ?? SERVICE_UNKNOWN;
      if (status !== told) yield { status };
      told = status;
      if (isEnding) throw new ConnectError("server is shutting down", ConnectCode.Unavailable);
      await changed;
    }
  } finally {
    stop();
  }
}
