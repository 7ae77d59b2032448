/**
 * The gRPC hot path: unary calls on streams of our own HTTP/2 (../http2). One object per call; a message is assembled only when it comes in parts;
 * the answer is one block of headers, one frame and one block of trailers.
 * - A fault of one call never reaches another: whatever a stream does, it throws nothing and ends with one status at most.
 * - Codes and texts of bad requests are those of the official server's transport (grpc-go).
 * - A call that is cancelled, or whose deadline has passed, tells its handler, and what the handler answers then goes nowhere.
 * - Large replies, and the calls of a session that does not take its replies, wait (outbox.ts).
 */
import { gzip, gzipSync } from "node:zlib";
import type { Call, Method, MethodTable } from "../../api/call.js";
import type { Identity } from "../../api/identity.js";
import type { RateLimit } from "../../api/rate-limit.js";
import { Code, deadlineExceeded, internal, ServiceError } from "../../api/service-error.js";
import { decode, encode, WireError } from "../../api/wire.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import { encodeHeaders } from "../http2/hpack.js";
import type { Stream, StreamHandler } from "../http2/stream.js";
import type { Chain } from "../interceptor/chain.js";
import { gunzip } from "./decompress.js";
import { metadataValue } from "./metadata.js";
import { LARGE_REPLY_BYTES, type Outbox } from "./outbox.js";
import { errorTrailers } from "./status.js";
import { parseTimeoutMs } from "./timeout.js";

export interface GrpcOptions {
  readonly methods: MethodTable;
  readonly chain: Chain;
  readonly runtime: Runtime;
  readonly receiveBytesMax: number;
  readonly logger: Logger;
  readonly isDraining: () => boolean;
}

/** Smaller replies are not worth the time. */
const GZIP_BYTES_MIN = 8 * 1024;
/** Nor is what hardly shrinks, such as encrypted payloads, worth the caller's. */
const GZIP_RATIO_MAX = 0.9;
const GZIP_LEVEL = 1;
const FRAME = 5;
/** Of a request that comes in parts. */
const SMALL_PART_BYTES = 4 * 1024;
const TAIL_BYTES_MIN = 64;
const TAIL_BYTES_MAX = 16 * 1024;
const NO_BYTES: Buffer = Buffer.alloc(0);
const CONTENT_TYPE = "application/grpc";

/** `outbox`: that of the stream's connection. */
export function serveUnary(o: GrpcOptions, outbox: Outbox, stream: Stream): StreamHandler {
  const httpMethod = stream.headers.get(":method");
  if (httpMethod !== "POST") {
    const text = `Received a HEADERS frame with :method "${httpMethod}" which should be POST`;
    return failTrailersOnly(stream, new ServiceError(Code.INTERNAL, text), 405);
  }
  const path = stream.headers.get(":path") ?? "";
  const method = o.methods.get(path);
  if (method === undefined) return failTrailersOnly(stream, unknownMethod(o.methods, path));
  if (o.isDraining()) return failTrailersOnly(stream, new ServiceError(Code.UNAVAILABLE, "server is shutting down"));
  return new UnaryCall(o, outbox, stream, method);
}

/** A content type that begins like gRPC's and is none. */
export function refuseContentType(stream: Stream, type: string): StreamHandler {
  return failTrailersOnly(stream, new ServiceError(Code.INVALID_ARGUMENT, `invalid gRPC request content-type "${type}"`), 415);
}

const ignore = (): void => undefined;
/** Of a request that is answered already: the rest is read and forgotten. */
const FORGET: StreamHandler = { data: ignore, end: ignore, drained: ignore, closed: ignore };

function unknownMethod(methods: MethodTable, path: string): ServiceError {
  const at = path.lastIndexOf("/");
  const service = path.slice(1, at);
  if (at < 1) return new ServiceError(Code.UNIMPLEMENTED, `malformed method name: "${path}"`);
  for (const m of methods.values())
    if (m.service === service) return new ServiceError(Code.UNIMPLEMENTED, `unknown method ${path.slice(at + 1)} for service ${service}`);
  return new ServiceError(Code.UNIMPLEMENTED, `unknown service ${service}`);
}

function failTrailersOnly(stream: Stream, error: ServiceError, httpStatus = 200): StreamHandler {
  const trailers = errorTrailers(error, () => headerBytesMax(stream));
  stream.respond(encodeHeaders({ ":status": httpStatus, "content-type": CONTENT_TYPE, ...trailers }), true);
  stream.refuseRest();
  return FORGET;
}

/** What may be sent in one block of headers: what the peer says that it takes, and no more than is wise. */
function headerBytesMax(stream: Stream): number {
  return Math.min(stream.connection.peerHeaderListBytesMax, HEADER_BYTES_MAX);
}

/** Blocks of headers of good answers, by content type and whether they are packed: there are few. */
const ANSWER_HEADERS = new Map<string, Buffer>();
const ANSWER_HEADERS_MAX = 20;

function answerHeaders(requestType: string, isPacked: boolean): Buffer {
  const key = isPacked ? `gzip ${requestType}` : requestType;
  let block = ANSWER_HEADERS.get(key);
  if (block === undefined) {
    const type = requestType.startsWith(`${CONTENT_TYPE}+`) ? requestType : CONTENT_TYPE;
    block = encodeHeaders({ ":status": 200, "content-type": type, ...(isPacked ? { "grpc-encoding": "gzip" } : {}) });
    if (ANSWER_HEADERS.size < ANSWER_HEADERS_MAX) ANSWER_HEADERS.set(key, block);
  }
  return block;
}

class UnaryCall implements Call, StreamHandler {
  cancelled = false;
  identity: Identity | undefined;
  rateLimit: RateLimit | undefined;
  readonly deadlineMs: number | undefined;
  private parts: Buffer[] = [];
  /** The last of them while it grows. */
  private tail: Buffer = NO_BYTES;
  private tailBytes = 0;
  private received = 0;
  /** Of the frame; 0 until its prefix is there. */
  private frameBytes = 0;
  private isAnswered = false;
  /** What the outbox counts for this call. */
  private replyBytes = 0;
  private leaveOutbox: (() => void) | undefined;
  private cancelListeners: Set<() => void> | undefined;
  private stopDeadline: (() => void) | undefined;
  private peerText: string | undefined;

  constructor(
    private readonly o: GrpcOptions,
    private readonly outbox: Outbox,
    private readonly stream: Stream,
    private readonly method: Method,
  ) {
    const timeout = stream.headers.get("grpc-timeout");
    if (timeout === undefined) return;
    const ms = parseTimeoutMs(timeout);
    if (typeof ms === "string") {
      this.isAnswered = true;
      failTrailersOnly(stream, new ServiceError(Code.INTERNAL, `malformed grpc-timeout: ${ms}`), 400);
      return;
    }
    this.deadlineMs = o.runtime.nowMicros() / 1000 + ms;
    this.stopDeadline = o.runtime.setDeadline(ms, () => this.deadline());
  }

  get path(): string {
    return this.method.path;
  }

  get peer(): string {
    this.peerText ??= this.stream.connection.peer;
    return this.peerText;
  }

  get clientSubject(): string | undefined {
    return this.stream.connection.clientSubject;
  }

  abort(error: ServiceError): void {
    if (this.isAnswered) return;
    this.fail(error);
    this.cancel();
  }

  metadata(key: string): string | undefined {
    return metadataValue(this.stream.headers.get(key), key);
  }

  onCancel(f: () => void): () => void {
    if (this.cancelled) {
      f();
      return ignore;
    }
    this.cancelListeners ??= new Set();
    this.cancelListeners.add(f);
    return () => this.cancelListeners?.delete(f);
  }

  private cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    const listeners = this.cancelListeners;
    this.cancelListeners = undefined;
    if (listeners !== undefined) for (const f of listeners) f();
  }

  private deadline(): void {
    this.stopDeadline = undefined;
    if (!this.isAnswered) this.fail(deadlineExceeded("context deadline exceeded"));
    this.cancel();
  }

  closed(): void {
    this.stopDeadline?.();
    this.stopDeadline = undefined;
    this.leaveOutbox?.();
    if (this.replyBytes > 0) this.outbox.closed(this.replyBytes);
    if (!this.isAnswered) {
      this.isAnswered = true;
      this.cancel();
    }
  }

  data(chunk: Buffer): void {
    // What follows the message is read and forgotten, as by the official server.
    if (this.isAnswered || (this.frameBytes > 0 && this.received >= this.frameBytes)) return;
    const isWhole = this.received === 0 && chunk.length >= FRAME && chunk.length >= FRAME + chunk.readUInt32BE(1);
    this.received += chunk.length;
    if (isWhole) this.parts.push(chunk);
    else this.keep(chunk);
    if (this.frameBytes > 0 || this.received < FRAME) return;
    const size = this.assembled().readUInt32BE(1);
    if (size > this.o.receiveBytesMax) {
      const text = `grpc: received message larger than max (${size} vs. ${this.o.receiveBytesMax})`;
      this.fail(new ServiceError(Code.RESOURCE_EXHAUSTED, text));
    } else this.frameBytes = FRAME + size;
  }

  /** Small parts are copied together: alone each costs a hundred bytes, and keeps in memory all that it came with. */
  private keep(chunk: Buffer): void {
    if (chunk.length > SMALL_PART_BYTES) {
      this.sealTail();
      this.parts.push(chunk);
      return;
    }
    if (this.tail.length - this.tailBytes < chunk.length) {
      this.sealTail();
      this.tail = Buffer.allocUnsafe(Math.max(chunk.length, Math.min(TAIL_BYTES_MAX, Math.max(TAIL_BYTES_MIN, this.received))));
    }
    this.tailBytes += chunk.copy(this.tail, this.tailBytes);
  }

  private sealTail(): void {
    if (this.tailBytes > 0) this.parts.push(this.tail.subarray(0, this.tailBytes));
    this.tail = NO_BYTES;
    this.tailBytes = 0;
  }

  drained(): void {
    // The whole answer is handed over at once.
  }

  end(): void {
    if (this.isAnswered) return;
    if (this.frameBytes === 0 || this.received < this.frameBytes) {
      this.fail(new ServiceError(Code.UNKNOWN, this.frameBytes === 0 ? "EOF" : "unexpected EOF"));
      return;
    }
    if (this.deadlineMs !== undefined && this.deadlineMs * 1000 <= this.o.runtime.nowMicros()) {
      this.deadline();
      return;
    }
    let request: unknown;
    try {
      request = decode(this.method.input, this.message());
    } catch (e) {
      this.fail(e instanceof WireError ? internal(`grpc: error unmarshalling request: ${e.message}`) : this.bug(e));
      return;
    }
    if (this.outbox.hasRoom(this.method.longPoll)) this.run(request);
    else this.leaveOutbox = this.outbox.whenRoom(this.method.longPoll, () => this.run(request));
  }

  /** All that has come, in one piece. */
  private assembled(): Buffer {
    this.sealTail();
    if (this.parts.length > 1) this.parts = [Buffer.concat(this.parts)];
    return this.parts[0] as Buffer;
  }

  /** @throws ServiceError */
  private message(): Buffer {
    const frame = this.assembled();
    this.parts = [];
    const body = frame.subarray(FRAME, this.frameBytes);
    const flag = frame[0] as number;
    const encoding = this.stream.headers.get("grpc-encoding") ?? "identity";
    if (encoding !== "identity" && encoding !== "gzip")
      throw new ServiceError(Code.UNIMPLEMENTED, `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`);
    if (flag === 0) return body;
    if (flag !== 1) throw internal(`grpc: received unexpected payload format ${flag}`);
    if (encoding === "identity") throw internal("grpc: compressed flag set with identity or empty encoding");
    return gunzip(body, this.o.receiveBytesMax);
  }

  private run(request: unknown): void {
    this.leaveOutbox = undefined;
    if (this.isAnswered) return;
    this.o.chain.run(this.method, request, this).then(
      (reply) => this.answer(reply),
      (e: ServiceError) => this.fail(e),
    );
  }

  private answer(reply: unknown): void {
    if (this.isAnswered) return;
    let body: Buffer;
    try {
      body = encode(this.method.output, reply as never);
    } catch (e) {
      this.fail(this.bug(e));
      return;
    }
    this.isAnswered = true;
    this.stopDeadline?.();
    if (body.length > LARGE_REPLY_BYTES) {
      this.leaveOutbox = this.outbox.enqueue(body.length, () => this.startLarge(body));
      return;
    }
    if (this.stream.isClosed) return;
    this.replyBytes = body.length;
    this.outbox.started(body.length);
    this.send(body, this.isWorthPacking(body) ? gzipSync(body, { level: GZIP_LEVEL }) : body);
  }

  private startLarge(body: Buffer): void {
    this.leaveOutbox = undefined;
    this.replyBytes = body.length;
    // Off the loop: it takes tens of milliseconds.
    if (this.isWorthPacking(body)) gzip(body, { level: GZIP_LEVEL }, (e, packed) => this.send(body, e === null ? packed : body));
    else this.send(body, body);
  }

  private isWorthPacking(body: Buffer): boolean {
    return body.length >= GZIP_BYTES_MIN && (this.metadata("grpc-accept-encoding") ?? "").includes("gzip");
  }

  private send(body: Buffer, packed: Buffer): void {
    const isPacked = packed !== body && packed.length <= body.length * GZIP_RATIO_MAX;
    const content = isPacked ? packed : body;
    const prefix = Buffer.allocUnsafe(FRAME);
    prefix[0] = isPacked ? 1 : 0;
    prefix.writeUInt32BE(content.length, 1);
    this.stream.answer(answerHeaders(this.stream.headers.get("content-type") as string, isPacked), [prefix, content], OK);
  }

  private fail(error: ServiceError): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.stopDeadline?.();
    this.parts = [];
    this.tail = NO_BYTES;
    this.tailBytes = 0;
    failTrailersOnly(this.stream, error);
  }

  /** The message codec threw something of its own: the process goes on, this call does not. */
  private bug(thrown: unknown): ServiceError {
    if (thrown instanceof ServiceError) return thrown;
    this.o.logger.error({ err: thrown, method: this.path }, "message cannot be decoded or encoded");
    return internal("internal error");
  }
}

/** What peers are known to take when they do not say. */
const HEADER_BYTES_MAX = 63 * 1024;
const OK = encodeHeaders({ "grpc-status": "0", "grpc-message": "" });
