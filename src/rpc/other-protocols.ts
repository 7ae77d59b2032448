/**
 * Everything that is not a unary gRPC call: streaming gRPC (health watch, reflection), Connect, gRPC-Web. Their code and the
 * descriptors are loaded on the first such request.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { MethodTable } from "../api/call.js";
import type { HttpRoute } from "../api/http-route.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { HEALTH_SERVICE, type Health } from "./health.js";
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
}

const STREAMING: ReadonlySet<string> = new Set([
  `/${HEALTH_SERVICE}/Watch`,
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]);

type Handle = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => void;

export class OtherProtocols {
  private adapter: Promise<Handle> | undefined;

  constructor(private readonly o: OtherProtocolsOptions) {}

  /** A gRPC stream over HTTP/2: the general adapter speaks that too. */
  isStreaming(path: string): boolean {
    return STREAMING.has(path);
  }

  handle(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
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
    this.adapter ??= import("./connect/adapter.js").then((m) => m.connectAdapter(this.o));
    this.adapter.then(
      (handle) => handle(request, response),
      (e: unknown) => {
        this.adapter = undefined;
        this.o.logger.error({ err: e }, "protocol adapter cannot be loaded");
        response.statusCode = 500;
        response.end();
      },
    );
  }
}
