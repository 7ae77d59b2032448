/** One request and its answer on an HTTP/2 connection. What waits for the peer's window is kept here, uncopied. */
import type { Connection } from "./connection.js";
import { ErrorCode } from "./frames.js";
import type { Headers } from "./hpack.js";

/** Whoever serves a stream. Nothing is called after `closed`. */
export interface StreamHandler {
  /** A part of the request's body. It lies in a larger buffer: what is kept for long should be copied. */
  data(chunk: Buffer): void;
  /** The request is whole. */
  end(): void;
  /** What `write` found no room for has gone. */
  drained(): void;
  /** Both sides have ended, or one has given up (`resetCode`), or the connection has gone (`resetCode` of that). */
  closed(resetCode: ErrorCode | undefined): void;
}

const NOTHING: StreamHandler = { data: () => undefined, end: () => undefined, drained: () => undefined, closed: () => undefined };

/** Of what is written beyond the peer's windows. */
const WRITE_BYTES_MAX = 256 * 1024;

export class Stream {
  handler: StreamHandler = NOTHING;
  /** The peer has sent all of its request. */
  isRemoteEnded = false;
  /** The last frame of the answer is written. */
  isLocalEnded = false;
  isClosed = false;
  isAnswering = false;
  /** No more of the request is wanted: when the answer has gone the stream ends, whatever the peer has left to say. */
  isRestUnwanted = false;
  /** Bytes that the peer may still send, and those since it was last told. Kept by the connection. */
  receiveWindow: number;
  consumed = 0;
  isPaused = false;
  /** Of the body by its `content-length`; negative when that was not said. */
  readonly contentLength: number;
  bodyBytes = 0;
  /** Bytes that we may send. */
  sendWindow: number;
  /** Not sent yet, from `pendingAt` in the first part on. */
  readonly pending: Buffer[] = [];
  pendingAt = 0;
  pendingBytes = 0;
  /** Nothing will be written any more; the block is that of the trailers. */
  ending: { readonly trailers: Buffer | undefined } | undefined;
  /** Kept by the queue of the connection. */
  isQueued = false;
  before: Stream | undefined;
  behind: Stream | undefined;
  private isFull = false;

  constructor(
    readonly connection: Connection,
    readonly id: number,
    readonly headers: Headers,
    o: { readonly receiveWindow: number; readonly sendWindow: number; readonly contentLength: number },
  ) {
    this.receiveWindow = o.receiveWindow;
    this.sendWindow = o.sendWindow;
    this.contentLength = o.contentLength;
  }

  /** The block of the answer's headers. Once. */
  respond(block: Buffer, isEnd = false): void {
    if (this.isClosed || this.isAnswering) return;
    this.isAnswering = true;
    if (isEnd) this.ending = { trailers: undefined };
    this.connection.sendHeaders(this, block, isEnd);
  }

  /** The whole answer. */
  answer(block: Buffer, body: readonly Buffer[], trailers: Buffer): void {
    if (this.isClosed || this.isAnswering) return;
    this.isAnswering = true;
    this.ending = { trailers };
    this.connection.sendHeaders(this, block, false);
    for (const part of body) this.queue(part);
    this.connection.sendPending(this);
  }

  /** False: wait for `drained` before more is written. */
  write(data: Buffer): boolean {
    if (this.isClosed || this.ending !== undefined) return true;
    this.queue(data);
    this.connection.sendPending(this);
    this.isFull = this.pendingBytes >= WRITE_BYTES_MAX;
    return !this.isFull;
  }

  end(trailers?: Buffer): void {
    if (this.isClosed || this.ending !== undefined) return;
    this.ending = { trailers };
    this.connection.sendPending(this);
  }

  /** Gives the stream up; `handler.closed` is told. */
  reset(code: ErrorCode): void {
    if (!this.isClosed) this.connection.resetStream(this, code);
  }

  /** The answer does not depend on what is still to come of the request: without this the stream is open for as long as the peer likes. */
  refuseRest(): void {
    if (this.isRemoteEnded || this.isClosed) return;
    this.isRestUnwanted = true;
    if (this.isLocalEnded) this.reset(ErrorCode.NO_ERROR);
  }

  /** The peer may send no more than it has been allowed so far. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.connection.allowMore(this);
  }

  /** For the connection: part of what was pending has gone. */
  afterSending(): void {
    if (!this.isFull || this.pendingBytes > 0 || this.isClosed) return;
    this.isFull = false;
    this.handler.drained();
  }

  private queue(data: Buffer): void {
    if (data.length === 0) return;
    this.pending.push(data);
    this.pendingBytes += data.length;
  }
}
