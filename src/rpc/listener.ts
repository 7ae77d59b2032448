/**
 * One port for every protocol. The first bytes of a connection tell HTTP/2 from HTTP/1.1; on HTTP/2, `application/grpc` takes the
 * fast path, everything else and all of HTTP/1.1 goes to the other protocols. Extra ports open the same listener.
 */
import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2,
  type Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Interceptor, Method, MethodTable } from "../api/call.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { serveUnary } from "./grpc/unary.js";
import type { Health } from "./health.js";
import { Chain } from "./interceptor/chain.js";
import { OtherProtocols } from "./other-protocols.js";

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly extra: readonly { host: string; port: number }[];
  readonly methods: MethodTable;
  readonly interceptors: readonly Interceptor[];
  readonly limits: { receiveBytesMax: number; errorMessageLengthMax?: number };
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly health: Health;
}

export interface Listener {
  /** The main one, then the extra ones in their order. */
  readonly addresses: { host: string; port: number }[];
  /** Refuses new calls, lets those in flight finish, at most `graceMs`. */
  drain(graceMs: number): Promise<void>;
  close(): Promise<void>;
}

const PREFACE = Buffer.from("PRI * HTTP/2.0");
const MIB = 1024 * 1024;
const KEEPALIVE_MS = 60_000;
const PING_TIMEOUT_MS = 10_000;

/** Rejects when an address cannot be bound; nothing stays open then. */
export async function openListener(o: ListenerOptions): Promise<Listener> {
  let isDraining = false;
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  let calls = 0;
  let onIdle: (() => void) | undefined;
  const methods = new Map<string, Method>(o.methods);
  const check = o.health.method() as unknown as Method;
  methods.set(check.path, check);
  const chain = new Chain(o.interceptors, o.logger, o.limits.errorMessageLengthMax);
  const grpc = { methods, chain, runtime: o.runtime, receiveBytesMax: o.limits.receiveBytesMax, isDraining: () => isDraining };
  const others = new OtherProtocols({
    methods,
    chain,
    health: o.health,
    logger: o.logger,
    runtime: o.runtime,
    receiveBytesMax: o.limits.receiveBytesMax,
  });

  const http2: Http2Server = createHttp2({
    maxSessionMemory: 1024,
    settings: { initialWindowSize: MIB, maxConcurrentStreams: 100_000, maxFrameSize: 16_384, enablePush: false },
    unknownProtocolTimeout: 10_000,
  });
  http2.on("session", (session) => {
    sessions.add(session);
    session.setLocalWindowSize(8 * MIB);
    session.on("error", (e) => o.logger.debug({ err: e.message }, "session ended with an error"));
    session.on("close", () => {
      sessions.delete(session);
      stopPing();
    });
    let stopPing = (): void => undefined;
    const ping = (): void => {
      stopPing = o.runtime.setTimer(KEEPALIVE_MS, () => {
        if (session.destroyed) return;
        const stopWaiting = o.runtime.setTimer(PING_TIMEOUT_MS, () => session.destroy());
        try {
          session.ping(() => {
            stopWaiting();
            if (!session.destroyed) ping();
          });
        } catch {
          stopWaiting();
        }
      });
    };
    ping();
  });
  http2.on("sessionError", (e: Error) => o.logger.debug({ err: e.message }, "session error"));
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    calls++;
    stream.on("close", () => {
      calls--;
      if (calls === 0) onIdle?.();
    });
    const type = headers["content-type"];
    if (type?.startsWith("application/grpc") && !type.startsWith("application/grpc-web")) {
      if (headers[":method"] !== "POST") {
        stream.respond({ ":status": 405 }, { endStream: true });
        return;
      }
      if (others.isStreaming(headers[":path"] ?? "")) {
        others.grpcStream(stream, headers);
        return;
      }
      serveUnary(grpc, stream, headers);
      return;
    }
    stream.on("error", () => undefined);
    const request = new Http2ServerRequest(stream, headers, { highWaterMark: 64 * 1024 }, Object.entries(headers).flat() as string[]);
    const response = new Http2ServerResponse(stream);
    others.handle(request, response);
  });
  const http1 = createHttp1({ keepAliveTimeout: 65_000, requestTimeout: 120_000 }, (request: IncomingMessage, response: ServerResponse) => {
    calls++;
    response.on("close", () => {
      calls--;
      if (calls === 0) onIdle?.();
    });
    others.handle(request, response);
  });

  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    const stopWaiting = o.runtime.setTimer(30_000, () => socket.destroy());
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      const n = Math.min(chunk.length, PREFACE.length);
      const isHttp2 = chunk.subarray(0, n).equals(PREFACE.subarray(0, n));
      if (isHttp2 && chunk.length < PREFACE.length) {
        socket.unshift(chunk);
        socket.once("readable", look);
        return;
      }
      stopWaiting();
      socket.removeListener("readable", look);
      socket.unshift(chunk);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    };
    socket.once("readable", look);
    socket.once("close", stopWaiting);
  };

  const servers: Server[] = [];
  const addresses: { host: string; port: number }[] = [];
  try {
    for (const { host, port } of [{ host: o.host, port: o.port }, ...o.extra]) {
      const server = createServer(accept);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host, port, backlog: 1024 }, () => {
          server.removeListener("error", reject);
          resolve();
        });
      });
      servers.push(server);
      addresses.push({ host, port: (server.address() as AddressInfo).port });
    }
  } catch (e) {
    for (const s of servers) s.close();
    throw e;
  }

  return {
    addresses,
    async drain(graceMs) {
      isDraining = true;
      for (const s of servers) s.close();
      for (const s of sessions) s.close();
      if (calls === 0) return;
      await new Promise<void>((resolve) => {
        const stop = o.runtime.setTimer(graceMs, resolve);
        onIdle = () => {
          stop();
          resolve();
        };
      });
    },
    async close() {
      for (const s of sessions) s.destroy();
      for (const s of sockets) s.destroy();
      http1.close();
    },
  };
}
