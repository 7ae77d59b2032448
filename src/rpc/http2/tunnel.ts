/**
 * A stream that is not ours to serve goes to Node's http2 by a session within the process, so that what is written for Node's
 * requests and responses (Connect, REST, streaming gRPC) works on a connection that carries calls of the fast path too.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type Http2Session, type IncomingHttpHeaders } from "node:http2";
import { Duplex } from "node:stream";
import type { Connection } from "./connection.js";
import type { ErrorCode } from "./frames.js";
import { encodeHeaders } from "./hpack.js";
import type { Stream, StreamHandler } from "./stream.js";

const MIB = 1024 * 1024;
const PEERS = new WeakMap<Http2Session, string>();

/** "ip:port" of whoever sent what comes through the tunnel of a session; undefined when it is none of ours. */
export function tunnelPeer(session: Http2Session | undefined): string | undefined {
  return session === undefined ? undefined : PEERS.get(session);
}

export class Tunnel {
  private session: ClientHttp2Session | undefined;

  /** `serve` takes the other end as a socket that has just been accepted; the result is Node's session on it. */
  constructor(
    private readonly connection: Connection,
    private readonly serve: (socket: Duplex) => Http2Session | undefined,
  ) {}

  open(stream: Stream): StreamHandler {
    return new Passage(this.ready(), stream);
  }

  private ready(): ClientHttp2Session {
    if (this.session !== undefined && !this.session.destroyed && !this.session.closed) return this.session;
    const [near, far] = pair();
    const served = this.serve(far);
    if (served !== undefined) PEERS.set(served, this.connection.peer);
    const session = connect("http://tunnel", { createConnection: () => near, maxSessionMemory: 1024, settings: { initialWindowSize: MIB } });
    session.on("error", () => undefined);
    this.connection.onClose(() => session.destroy());
    this.session = session;
    return session;
  }
}

/** One stream's way through. */
class Passage implements StreamHandler {
  private readonly request: ClientHttp2Stream;
  private trailers: Buffer | undefined;
  private isClosed = false;

  constructor(
    session: ClientHttp2Session,
    private readonly stream: Stream,
  ) {
    const headers: Record<string, string | string[]> = {};
    for (const { name, value } of stream.headers.list) {
      const old = headers[name];
      headers[name] = old === undefined ? value : [...(Array.isArray(old) ? old : [old]), value];
    }
    this.request = session.request(headers, { endStream: stream.isRemoteEnded });
    this.request.on("response", (h) => {
      stream.respond(encodeHeaders(withoutSymbols(h)));
      // Only now: without a kernel between the two ends the body may be told before the headers.
      this.request.on("data", (chunk: Buffer) => {
        if (!stream.write(chunk)) this.request.pause();
      });
    });
    this.request.on("trailers", (h) => {
      this.trailers = encodeHeaders(withoutSymbols(h));
    });
    this.request.on("end", () => stream.end(this.trailers));
    this.request.on("drain", () => stream.resume());
    this.request.on("error", () => undefined);
    this.request.on("close", () => {
      const code = this.request.rstCode ?? constants.NGHTTP2_NO_ERROR;
      if (!this.isClosed && (code !== constants.NGHTTP2_NO_ERROR || !stream.isLocalEnded)) stream.reset(code as ErrorCode);
    });
  }

  data(chunk: Buffer): void {
    if (!this.request.write(chunk)) this.stream.pause();
  }

  end(): void {
    if (!this.request.writableEnded) this.request.end();
  }

  drained(): void {
    this.request.resume();
  }

  closed(resetCode: ErrorCode | undefined): void {
    this.isClosed = true;
    if (!this.request.closed && !this.request.destroyed && resetCode !== undefined) this.request.close(resetCode);
  }
}

function withoutSymbols(headers: IncomingHttpHeaders): Record<string, string | number | readonly string[]> {
  const out: Record<string, string | number | readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) out[name] = value;
  return out;
}

/** Two ends: what is written to one is read from the other. */
function pair(): [Duplex, Duplex] {
  const near = new End();
  const far = new End();
  near.other = far;
  far.other = near;
  return [near, far];
}

class End extends Duplex {
  other: End | undefined;
  private taken: (() => void) | undefined;

  override _read(): void {
    const taken = this.taken;
    this.taken = undefined;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const other = this.other as End;
    if (other.destroyed || other.push(chunk)) done();
    else other.taken = done;
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    if (other !== undefined && !other.destroyed) setImmediate(() => other.destroy());
    done(error);
  }
}
