/**
 * Everything that is not a unary gRPC call: streaming gRPC (health watch, reflection), Connect and gRPC-Web by one adapter, all other
 * HTTP by the gateway. The code of each and the descriptors are loaded on its first request.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Call, MethodTable } from "../api/call.js";
import type { CallerChecks, Gateway } from "../gateway/gateway.js";
import type { GatewayServices } from "../gateway/route.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { answerCors } from "./cors.js";
import { HEALTH_SERVICE, type Health } from "./health.js";
import { tunnelled } from "./http2/tunnel.js";
import type { Chain } from "./interceptor/chain.js";
import type { Admit } from "./listener.js";
import type { Origins } from "./origins.js";
import { subjectOf } from "./tls.js";

export interface OtherProtocolsOptions {
  readonly methods: MethodTable;
  readonly chain: Chain;
  readonly health: Health;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly receiveBytesMax: number;
  readonly isDraining: () => boolean;
  readonly admit?: Admit | undefined;
  readonly callers?: CallerChecks | undefined;
  readonly origins?: Origins | undefined;
  /** What stands behind the gateway; without it there is none. */
  readonly gateway?: GatewayServices;
}

const STREAMING: ReadonlySet<string> = new Set([
  `/${HEALTH_SERVICE}/Watch`,
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]);

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;
type Handle = (request: Request, response: Response) => void;

/** "/package.Service/Method" */
const RPC_PATH = /^\/\w+(\.\w+)+\/\w+(\?|$)/;

export class OtherProtocols {
  private adapter: Promise<Handle> | undefined;
  private gateway: Promise<Handle> | undefined;
  private readonly draining = new AbortController();

  constructor(private readonly o: OtherProtocolsOptions) {}

  /** A gRPC stream over HTTP/2: the general adapter speaks that too. */
  isStreaming(path: string): boolean {
    return STREAMING.has(path);
  }

  /** Streams of the gateway end. */
  drain(): void {
    this.draining.abort();
  }

  handle(request: Request, response: Response): void {
    if (this.o.isDraining()) {
      // Every one of these protocols reads it as UNAVAILABLE.
      response.statusCode = 503;
      response.end();
      return;
    }
    if (answerCors(request, response, this.o.origins)) return;
    const { gateway, origins } = this.o;
    const isHttp1 = request.httpVersionMajor < 2;
    // Node takes the first of two hosts; whoever stands before it may have taken the second.
    const refusal = isHttp1 && hosts(request.rawHeaders) > 1 ? TWO_HOSTS : origins?.refusal(request.headers, isHttp1);
    if (refusal !== undefined) {
      response.statusCode = refusal.status;
      response.setHeader("content-type", "text/plain; charset=utf-8");
      if (isHttp1) response.setHeader("connection", "close");
      response.end(`${refusal.text}\n`);
      return;
    }
    const served = gateway === undefined || isRpc(request) ? this.loadAdapter() : this.loadGateway(gateway);
    served.then(
      (handle) => handle(request, response),
      (e: unknown) => {
        this.adapter = undefined;
        this.gateway = undefined;
        this.o.logger.error({ err: e }, "protocol adapter cannot be loaded");
        response.statusCode = 500;
        response.end();
      },
    );
  }

  private loadAdapter(): Promise<Handle> {
    this.adapter ??= import("./connect/adapter.js").then((m) => m.connectAdapter(this.o));
    return this.adapter;
  }

  private loadGateway(services: GatewayServices): Promise<Handle> {
    this.gateway ??= import("../gateway/gateway.js").then(async ({ createGateway }) => {
      const { methods, chain, runtime, logger, receiveBytesMax, callers } = this.o;
      const run = chain.run.bind(chain);
      const draining = this.draining.signal;
      const gateway: Gateway = await createGateway({ methods, services, run, runtime, logger, receiveBytesMax, callers, draining });
      return (request, response) => gateway(request, response, callerOf(request));
    });
    return this.gateway;
  }
}

const TWO_HOSTS = { status: 400, text: "more than one host" };

function hosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === "host") count++;
  return count;
}

function isRpc(request: Request): boolean {
  return RPC_PATH.test(request.url ?? "") || (request.headers["content-type"] ?? "").startsWith("application/grpc");
}

/** Whoever sent a request. */
export type Caller = Pick<Call, "peer" | "clientSubject">;

export function callerOf(request: Request): Caller {
  const connection = tunnelled("stream" in request ? request.stream.session : undefined);
  if (connection !== undefined) return connection;
  const { remoteAddress, remotePort } = request.socket;
  return { peer: `${remoteAddress}:${remotePort}`, clientSubject: subjectOf(request.socket) };
}
