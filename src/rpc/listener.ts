/**
 * One port for every protocol. The first bytes of a connection tell HTTP/2 from HTTP/1.1; on HTTP/2, `application/grpc` takes the
 * fast path, everything else and all of HTTP/1.1 goes to the other protocols. Extra ports open the same listener.
 * - In: the methods table, interceptors, limits, health. Out: addresses, and the way to stop.
 * - A connection costs a socket and a timer until it has said what it speaks, and whatever goes wrong on it ends it alone.
 * - Stopping: drain() first (no new connections or calls, those in flight finish and their answers are on the wire), then close().
 */
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
import { byFirstBytes } from "./first-bytes.js";
import { Outbox } from "./grpc/outbox.js";
import { refuseContentType, serveUnary } from "./grpc/unary.js";
import type { Health } from "./health.js";
import { serveHttp1 } from "./http1.js";
import { Chain } from "./interceptor/chain.js";
import { keepAlive } from "./keepalive.js";
import { OtherProtocols } from "./other-protocols.js";

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly extra: readonly { host: string; port: number }[];
  readonly methods: MethodTable;
  readonly interceptors: readonly Interceptor[];
  readonly limits: ListenerLimits;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly health: Health;
}

export interface ListenerLimits {
  readonly receiveBytesMax: number;
  readonly errorMessageLengthMax?: number;
  readonly keepAliveMs?: number;
  readonly keepAliveTimeoutMs?: number;
}

export interface Listener {
  /** The main one, then the extra ones in their order. */
  readonly addresses: { host: string; port: number }[];
  /** Refuses new connections and calls, lets those in flight finish and be sent, at most `graceMs`. */
  drain(graceMs: number): Promise<void>;
  close(): Promise<void>;
}

const MIB = 1024 * 1024;
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

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
  const grpc = { methods, chain, runtime: o.runtime, receiveBytesMax: o.limits.receiveBytesMax, logger: o.logger, isDraining: () => isDraining };
  const others = new OtherProtocols({ ...grpc, health: o.health });
  const begin = (): void => {
    calls++;
  };
  const end = (): void => {
    calls--;
    if (calls === 0) onIdle?.();
  };

  const http2: Http2Server = createHttp2({
    maxSessionMemory: 1024,
    settings: { initialWindowSize: MIB, maxConcurrentStreams: 100_000, maxFrameSize: 16_384, enablePush: false },
    unknownProtocolTimeout: 10_000,
  });
  const keepalive = { everyMs: o.limits.keepAliveMs ?? KEEPALIVE_MS, answerMsMax: o.limits.keepAliveTimeoutMs ?? KEEPALIVE_TIMEOUT_MS };
  const serveStream = (outbox: Outbox, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    begin();
    stream.on("close", end);
    const type = headers["content-type"];
    if (type === "application/grpc" || type?.startsWith("application/grpc+") || type?.startsWith("application/grpc;")) {
      if (others.isStreaming(headers[":path"] ?? "")) others.grpcStream(stream, headers);
      else serveUnary(grpc, outbox, stream, headers);
      return;
    }
    if (type?.startsWith("application/grpc") && !type.startsWith("application/grpc-web")) {
      refuseContentType(stream, type);
      return;
    }
    stream.on("error", () => undefined);
    const request = new Http2ServerRequest(stream, headers, { highWaterMark: 64 * 1024 }, Object.entries(headers).flat() as string[]);
    others.handle(request, new Http2ServerResponse(stream));
  };
  http2.on("session", (session) => {
    const outbox = new Outbox();
    sessions.add(session);
    session.setLocalWindowSize(8 * MIB);
    session.on("error", (e) => o.logger.debug({ err: e.message }, "session ended with an error"));
    session.on("close", () => sessions.delete(session));
    session.on("stream", (stream, headers) => serveStream(outbox, stream, headers));
    keepAlive(session, o.runtime, keepalive);
  });
  http2.on("sessionError", (e: Error) => o.logger.debug({ err: e.message }, "session error"));
  const http1 = serveHttp1(o.runtime, (request, response) => {
    begin();
    response.on("close", end);
    others.handle(request, response);
  });

  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    byFirstBytes(socket, o.runtime, (protocol) => {
      if (protocol === "http2") http2.emit("connection", socket);
      else http1(socket);
    });
  };

  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      if (calls === 0) resolve();
      else onIdle = resolve;
    });

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
      // GOAWAY; a session ends by itself when its last call has.
      for (const s of sessions) s.close();
      o.health.endWatches();
      let giveUp = (): void => undefined;
      const graceIsOver = new Promise<void>((resolve) => {
        giveUp = o.runtime.setTimer(graceMs, resolve);
      });
      const allAreSent = idle()
        // HTTP/2 writes what the turn before left, the GOAWAY at least.
        .then(() => new Promise<void>((resolve) => setImmediate(resolve)))
        .then(() => Promise.all([...sockets].map(flushed)));
      await Promise.race([allAreSent, graceIsOver]);
      giveUp();
    },
    async close() {
      for (const s of sessions) s.destroy();
      for (const s of sockets) s.destroy();
    },
  };
}

/** Resolves when what was written to the connection is on its way, or cannot be any more; nothing is written after it. */
function flushed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed || socket.writableFinished) {
      resolve();
      return;
    }
    socket.once("finish", resolve);
    socket.once("close", () => resolve());
    socket.end();
  });
}
