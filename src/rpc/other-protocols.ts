/**
 * Everything that is not a unary gRPC call: streaming gRPC (health watch, reflection), Connect and gRPC-Web by one adapter, all other
 * HTTP by the gateway. The code of each and the descriptors are loaded on its first request.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { MethodTable } from "../api/call.js";
import type { HttpRoute } from "../api/http-route.js";
import type { Gateway } from "../gateway/gateway.js";
import type { GatewayServices } from "../gateway/route.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { HEALTH_SERVICE, type Health } from "./health.js";
import { tunnelPeer } from "./http2/tunnel.js";
import type { Chain } from "./interceptor/chain.js";

export interface OtherProtocolsOptions {
  readonly methods: MethodTable;
  /** Asked before any protocol of RPCs. */
  readonly routes: readonly HttpRoute[];
  readonly chain: Chain;
  readonly health: Health;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly receiveBytesMax: number;
  readonly isDraining: () => boolean;
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
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const route = this.o.routes.find((r) => r.matches(path));
    if (route !== undefined) {
      route.handle(request, response);
      return;
    }
    const { gateway } = this.o;
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
      const { methods, chain, runtime, logger, receiveBytesMax } = this.o;
      const run = chain.run.bind(chain);
      const gateway: Gateway = await createGateway({ methods, services, run, runtime, logger, receiveBytesMax, draining: this.draining.signal });
      return (request, response) => gateway(request, response, peerOf(request));
    });
    return this.gateway;
  }
}

function isRpc(request: Request): boolean {
  return RPC_PATH.test(request.url ?? "") || (request.headers["content-type"] ?? "").startsWith("application/grpc");
}

/** "ip:port" of whoever sent a request. */
export function peerOf(request: Request): string {
  const { remoteAddress, remotePort } = request.socket;
  return tunnelPeer("stream" in request ? request.stream.session : undefined) ?? `${remoteAddress}:${remotePort}`;
}
