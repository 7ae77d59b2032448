/**
 * A stream that is not ours to serve goes to Node's http2 by a session within the process, so that what is written for Node's
 * requests and responses (Connect, REST, streaming gRPC) works on a connection that carries calls of the fast path too.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type Http2Session, type IncomingHttpHeaders } from "node:http2";
import { Duplex } from "node:stream";
import type { Connection } from "./connection.js";
import { END_STREAM, ErrorCode } from "./frames.js";
import { encodeHeaders } from "./hpack.js";
import type { Stream, StreamHandler } from "./stream.js";

const MIB = 1024 * 1024;
/** Each costs some dozens of kilobytes, and more time than a call of the fast path. */
const PASSAGES_MAX = 1_000;
/** Node's side ends a session on more; those of a call are a few hundred bytes. */
const HEADERS_BYTES_MAX = 48 * 1024;
const BAD_REQUEST = encodeHeaders({ ":status": 400 });
const HEADERS_TOO_LARGE = encodeHeaders({ ":status": 431 });
const REFUSED: StreamHandler = { data: () => undefined, end: () => undefined, drained: () => undefined, closed: () => undefined };
const CONNECTIONS = new WeakMap<Http2Session, Connection>();

/** The connection that what comes through the tunnel of a session was sent on; undefined when it is none of ours. */
export function tunnelled(session: Http2Session | undefined): Connection | undefined {
  return session === undefined ? undefined : CONNECTIONS.get(session);
}

export class Tunnel {
  private session: ClientHttp2Session | undefined;
  private passages = 0;

  /** `serve` takes the other end as a socket that has just been accepted; the result is Node's session on it. */
  constructor(
    private readonly connection: Connection,
    private readonly serve: (socket: Duplex) => Http2Session | undefined,
  ) {}

  open(stream: Stream): StreamHandler {
    if (this.passages >= PASSAGES_MAX) {
      stream.reset(ErrorCode.REFUSED_STREAM);
      return REFUSED;
    }
    if (bytesOf(stream) > HEADERS_BYTES_MAX) return refuse(stream, HEADERS_TOO_LARGE);
    let request: ClientHttp2Stream;
    try {
      request = this.ready().request(requestHeaders(stream), { endStream: stream.isRemoteEnded });
    } catch {
      // Headers that Node does not take, such as two of what there can be only one.
      return refuse(stream, BAD_REQUEST);
    }
    this.passages++;
    request.once("close", () => this.passages--);
    return new Passage(request, stream);
  }

  private ready(): ClientHttp2Session {
    if (this.session !== undefined && !this.session.destroyed && !this.session.closed) return this.session;
    const [near, far] = pair();
    const served = this.serve(far);
    if (served !== undefined) CONNECTIONS.set(served, this.connection);
    const session = connect("http://tunnel", { createConnection: () => near, maxSessionMemory: 1024, settings: { initialWindowSize: MIB } });
    session.on("error", () => undefined);
    this.connection.onClose(() => session.destroy());
    this.session = session;
    return session;
  }
}

/** One stream's way through. */
class Passage implements StreamHandler {
  private trailers: Buffer | undefined;
  private isClosed = false;

  constructor(
    private readonly request: ClientHttp2Stream,
    private readonly stream: Stream,
  ) {
    request.on("response", (h, flags) => {
      const isEnd = (flags & END_STREAM) !== 0;
      stream.respond(encodeHeaders(withoutSymbols(h)), isEnd);
      // Only now: without a kernel between the two ends the body may be told before the headers.
      request.on("data", (chunk: Buffer) => {
        if (!stream.write(chunk)) request.pause();
      });
    });
    request.on("trailers", (h) => {
      this.trailers = encodeHeaders(withoutSymbols(h));
    });
    request.on("end", () => {
      // That of a request which is cut off comes too; only its code tells.
      if ((request.rstCode ?? ErrorCode.NO_ERROR) === ErrorCode.NO_ERROR) stream.end(this.trailers);
    });
    request.on("drain", () => stream.resume());
    request.on("error", () => undefined);
    request.on("close", () => {
      if (this.isClosed) return;
      const code = request.rstCode ?? ErrorCode.NO_ERROR;
      // The answer is whole, though part of it may wait for the peer's window.
      if (code === ErrorCode.NO_ERROR && stream.ending !== undefined) stream.refuseRest();
      else stream.reset(code === ErrorCode.NO_ERROR ? ErrorCode.INTERNAL_ERROR : (code as ErrorCode));
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

function refuse(stream: Stream, block: Buffer): StreamHandler {
  stream.respond(block, true);
  stream.refuseRest();
  return REFUSED;
}

function bytesOf(stream: Stream): number {
  let bytes = 0;
  for (const { name, value } of stream.headers.list) bytes += name.length + value.length;
  return bytes;
}

function requestHeaders(stream: Stream): Record<string, string | string[]> {
  // A header may be called like something that every object has.
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const { name, value } of stream.headers.list) {
    const old = headers[name];
    headers[name] = old === undefined ? value : [...(Array.isArray(old) ? old : [old]), value];
  }
  return headers;
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
