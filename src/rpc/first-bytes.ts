/**
 * Which protocol a connection speaks, by its first bytes: HTTP/2 begins with its preface, everything else is HTTP/1.1, which
 * answers what it does not understand. A connection that does not tell in time is closed.
 */
import type { Socket } from "node:net";
import type { Runtime } from "../lib/runtime.js";
import { PREFACE } from "./http2/frames.js";

const PRI = PREFACE.subarray(0, 4);
const DECIDE_MS_MAX = 30_000;

export type WireProtocol = "http1" | "http2";

/** Calls `serve` once, with a socket on which nothing has been read yet; never when the connection ends before. */
export function byFirstBytes(socket: Socket, runtime: Runtime, serve: (protocol: WireProtocol) => void): void {
  const stopWaiting = runtime.setTimer(DECIDE_MS_MAX, () => socket.destroy());
  // Bytes are kept here until they tell: what is put back on the socket is at once readable again, for ever.
  let head: Buffer = Buffer.alloc(0);
  const look = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const n = Math.min(head.length, PREFACE.length);
    const isHttp2 = head.subarray(0, n).equals(PREFACE.subarray(0, n));
    if (n === 0 || (isHttp2 && n < PREFACE.length)) return;
    stopWaiting();
    socket.removeListener("readable", look);
    // Node's HTTP/1.1 parser stops at this word and answers nothing.
    if (!isHttp2 && head.subarray(0, PRI.length).equals(PRI)) {
      socket.destroy();
      return;
    }
    socket.unshift(head);
    serve(isHttp2 ? "http2" : "http1");
  };
  socket.on("readable", look);
  socket.once("close", stopWaiting);
}
