/**
 * One port for every protocol. The first bytes of a connection tell HTTP/2 from HTTP/1.1; on HTTP/2, `application/grpc` takes the
 * fast path, everything else and all of HTTP/1.1 goes to the other protocols. Extra ports open the same listener.
 * - In: the methods table, interceptors, limits, health. Out: addresses, and the way to stop.
 * - A connection costs a socket and a timer until it has said what it speaks, and whatever goes wrong on it ends it alone.
 * - Stopping: drain() first (no new connections or calls, those in flight finish and their answers are on the wire), then close().
 */
import { createServer as createHttp2, type Http2Server, type Http2Session } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Call, Interceptor, Method, MethodTable } from "../api/call.js";
import type { CallerChecks } from "../gateway/gateway.js";
import type { GatewayServices } from "../gateway/route.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { byFirstBytes, type WireProtocol } from "./first-bytes.js";
import { Outbox } from "./grpc/outbox.js";
import { refuseContentType, serveUnary } from "./grpc/unary.js";
import type { Health } from "./health.js";
import { serveHttp1 } from "./http1.js";
import { Connection } from "./http2/connection.js";
import type { Stream, StreamHandler } from "./http2/stream.js";
import { Tunnel } from "./http2/tunnel.js";
import { type CallObserver, Chain } from "./interceptor/chain.js";
import { keepAlive } from "./keepalive.js";
import type { Origins } from "./origins.js";
import { OtherProtocols } from "./other-protocols.js";
import { subjectOf, type TlsEndpoint } from "./tls.js";

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  /** `isOptional`: left out where the port is taken. */
  readonly extra: readonly { host: string; port: number; isOptional?: boolean }[];
  readonly methods: MethodTable;
  readonly interceptors: readonly Interceptor[] | (() => readonly Interceptor[]);
  readonly limits: ListenerLimits;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly health: Health;
  /** Every port speaks TLS. */
  readonly tls?: TlsEndpoint | undefined;
  /** Lets a call to what is not in the table of methods in, or throws a ServiceError; without it everybody is. */
  readonly admit?: Admit | undefined;
  /** For the HTTP doors; without it callers need not be known. */
  readonly callers?: CallerChecks | undefined;
  /** Which web pages may send requests; without it all may. */
  readonly origins?: Origins | undefined;
  /** What stands behind the HTTP doors; without it there are none. */
  readonly gateway?: GatewayServices;
  readonly observer?: CallObserver;
}

export type Admit = (subject: "health" | "reflection", call: Call) => Promise<void>;

export interface ListenerLimits {
  readonly receiveBytesMax: number;
  readonly errorMessageLengthMax?: number;
  readonly keepAliveMs?: number;
  readonly keepAliveTimeoutMs?: number;
}

export interface Listener {
  /** The main one, then the extra ones in their order; one that was left out has port 0. */
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
  const { tls } = o;
  let isDraining = false;
  const connections = new Set<Connection>();
  const sockets = new Set<Socket>();
  /** Beneath those of TLS, where the ones above are what is ended and waited for. */
  const rawSockets = new Set<Socket>();
  let calls = 0;
  let onIdle: (() => void) | undefined;
  const methods = new Map<string, Method>(o.methods);
  const check = o.health.method() as unknown as Method;
  methods.set(check.path, check);
  const { interceptors } = o;
  const interceptorsNow = typeof interceptors === "function" ? interceptors : () => interceptors;
  const chain = new Chain(interceptorsNow, o.logger, o.limits.errorMessageLengthMax, o.observer);
  const grpc = { methods, chain, runtime: o.runtime, receiveBytesMax: o.limits.receiveBytesMax, logger: o.logger, isDraining: () => isDraining };
  const { health, admit, callers, gateway, origins } = o;
  const others = new OtherProtocols({ ...grpc, health, admit, callers, gateway, origins });
  const begin = (): void => {
    calls++;
  };
  const end = (): void => {
    calls--;
    if (calls === 0) onIdle?.();
  };

  // What is not a call of the fast path comes here through a tunnel.
  const http2: Http2Server = createHttp2({
    maxSessionMemory: 1024,
    settings: { initialWindowSize: MIB, maxConcurrentStreams: 100_000, enablePush: false },
  });
  http2.on("request", (request, response) => {
    request.stream.on("error", () => undefined);
    others.handle(request, response);
  });
  http2.on("session", (session) => session.on("error", (e) => o.logger.debug({ err: e.message }, "session ended with an error")));
  http2.on("sessionError", (e: Error) => o.logger.debug({ err: e.message }, "session error"));

  const serve = (outbox: Outbox, tunnel: Tunnel, stream: Stream): StreamHandler => {
    const type = stream.headers.get("content-type");
    if (type?.startsWith("application/grpc") && !type.startsWith("application/grpc-web")) {
      const isGrpc = type.length === "application/grpc".length || type[16] === "+" || type[16] === ";";
      if (!isGrpc) return refuseContentType(stream, type);
      if (!others.isStreaming(stream.headers.get(":path") ?? "")) return serveUnary(grpc, outbox, stream);
    }
    return tunnel.open(stream);
  };
  const serveHttp2 = (socket: Socket): void => {
    const outbox = new Outbox();
    const connection: Connection = new Connection(socket, {
      runtime: o.runtime,
      ...(tls === undefined ? {} : { subjectOf: () => subjectOf(socket) }),
      onError: (text) => o.logger.debug({ peer: connection.peer }, `connection ended: ${text}`),
      onBug: (err) => o.logger.error({ err, peer: connection.peer }, "connection ended by a bug"),
      onStream: (stream) => {
        begin();
        return serve(outbox, tunnel, stream);
      },
      onStreamClosed: end,
    });
    const tunnel = new Tunnel(connection, (far) => {
      let served: Http2Session | undefined;
      http2.once("session", (session) => {
        served = session;
      });
      http2.emit("connection", far);
      return served;
    });
    connections.add(connection);
    connection.onClose(() => connections.delete(connection));
    keepAlive(connection, o.runtime, keepalive);
    if (isDraining) connection.close();
  };
  const keepalive = { everyMs: o.limits.keepAliveMs ?? KEEPALIVE_MS, answerMsMax: o.limits.keepAliveTimeoutMs ?? KEEPALIVE_TIMEOUT_MS };
  const http1 = serveHttp1(o.runtime, (request, response) => {
    begin();
    response.on("close", end);
    others.handle(request, response);
  });

  const watch = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };
  const acceptSecure = (socket: Socket, endpoint: TlsEndpoint): void => {
    rawSockets.add(socket);
    socket.on("close", () => rawSockets.delete(socket));
    endpoint.accept(socket);
  };
  const accept = (socket: Socket): void => {
    socket.setNoDelay(true);
    if (tls !== undefined) {
      acceptSecure(socket, tls);
      return;
    }
    watch(socket);
    serveProtocol(socket, undefined);
  };
  const serveProtocol = (socket: Socket, agreed: WireProtocol | undefined): void =>
    byFirstBytes(socket, o.runtime, (protocol) => {
      // What was agreed on in the handshake is what a proxy on the way goes by: bytes of another protocol are an attempt to get past it.
      if (agreed !== undefined && agreed !== protocol) socket.destroy();
      else if (protocol === "http2") serveHttp2(socket);
      else http1(socket);
    });
  tls?.serve((secure, agreed) => {
    watch(secure);
    serveProtocol(secure, agreed);
  });

  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      if (calls === 0) resolve();
      else onIdle = resolve;
    });

  const servers: Server[] = [];
  const addresses: { host: string; port: number }[] = [];
  try {
    for (const { host, port, isOptional = false } of [{ host: o.host, port: o.port }, ...o.extra] as ListenerOptions["extra"]) {
      const server = createServer(accept);
      const isOpen = await new Promise<boolean>((resolve, reject) => {
        const fail = (e: NodeJS.ErrnoException): void => {
          if (isOptional && e.code === "EADDRINUSE") resolve(false);
          else reject(e);
        };
        server.once("error", fail);
        server.listen({ host, port, backlog: 1024 }, () => {
          server.removeListener("error", fail);
          resolve(true);
        });
      });
      if (!isOpen) {
        addresses.push({ host, port: 0 });
        continue;
      }
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
      // GOAWAY; a connection ends by itself when its last call has.
      for (const c of connections) c.close();
      o.health.endWatches();
      others.drain();
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
      for (const s of servers) s.close();
      for (const c of [...connections]) c.destroy();
      for (const s of [...sockets, ...rawSockets]) s.destroy();
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
