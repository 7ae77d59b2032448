/**
 * HTTP/1.1 on sockets that the listener hands over. Node's own timeouts for slow requests run only on a server that listens
 * itself, so the time in which a request must be whole is kept here.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Runtime } from "../lib/runtime.js";

const BAD_REQUEST = "400 Bad Request";
const BY_ERROR: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
};
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
  const unanswered = new WeakMap<Socket, number>();
  const count = (socket: Socket, by: number): void => void unanswered.set(socket, (unanswered.get(socket) ?? 0) + by);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    const { socket } = request;
    // Nobody changes the protocol here, and Node's parser drops what came with such a request: whoever sends on does so anew.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    request.once("end", () => disarm(socket));
    count(socket, 1);
    response.once("close", () => {
      count(socket, -1);
      if (!socket.destroyed) arm(socket);
    });
    handle(request, response);
  });
  server.on("clientError", (e: NodeJS.ErrnoException, socket) => {
    // Answers come in the order of the requests: a refusal of what came after would be read as the answer to a request that is still at work.
    if (!socket.writable || (unanswered.get(socket as Socket) ?? 0) > 0) socket.destroy();
    else {
      socket.write(`HTTP/1.1 ${BY_ERROR[e.code ?? ""] ?? BAD_REQUEST}\r\nConnection: close\r\n\r\n`);
      socket.destroy();
    }
  });
  return (socket) => {
    arm(socket);
    socket.once("close", () => disarm(socket));
    server.emit("connection", socket);
  };
}
