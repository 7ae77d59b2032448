/**
 * HTTP/1.1 on sockets that the listener hands over. Node's own timeouts for slow requests run only on a server that listens
 * itself, so the time in which a request must be whole is kept here.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Runtime } from "../lib/runtime.js";

const KEEP_ALIVE_MS = 65_000;
/** From the connection, or the answer before, to the last byte of the request. */
const REQUEST_MS_MAX = 120_000;

export type Http1Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The result takes a connection whose first bytes are not read yet. */
export function serveHttp1(runtime: Runtime, handle: Http1Handler): (socket: Socket) => void {
  const waits = new WeakMap<Socket, () => void>();
  const disarm = (socket: Socket): void => waits.get(socket)?.();
  const arm = (socket: Socket): void => {
    disarm(socket);
    waits.set(
      socket,
      runtime.setTimer(REQUEST_MS_MAX, () => socket.destroy()),
    );
  };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const { socket } = request;
    // Nobody changes the protocol here, and Node's parser drops what came with such a request: whoever sends on does so anew.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    request.once("end", () => disarm(socket));
    response.once("close", () => {
      if (!socket.destroyed) arm(socket);
    });
    handle(request, response);
  });
  return (socket) => {
    arm(socket);
    socket.once("close", () => disarm(socket));
    server.emit("connection", socket);
  };
}
