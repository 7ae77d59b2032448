/**
 * The gRPC hot path: unary calls on bare http2 streams. One object per call; a message is assembled only when it comes in parts;
 * the answer is one block of headers, one frame and one block of trailers.
 * - A fault of one call never reaches another: whatever a stream does, it throws nothing and ends with one status at most.
 * - Codes and texts of bad requests are those of the official server's transport (grpc-go).
 * - A call that is cancelled, or whose deadline has passed, tells its handler, and what the handler answers then goes nowhere.
 * - Large replies, and the calls of a session that does not take its replies, wait (outbox.ts).
 */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { gzip, gzipSync } from "node:zlib";
import type { Call, Method, MethodTable } from "../../api/call.js";
import { Code, deadlineExceeded, internal, ServiceError } from "../../api/service-error.js";
import { decode, encode, WireError } from "../../api/wire.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Chain } from "../interceptor/chain.js";
import { gunzip } from "./decompress.js";
import { metadataValue } from "./metadata.js";
import { endInSlices, LARGE_REPLY_BYTES, type Outbox } from "./outbox.js";
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
const CONTENT_TYPE = "application/grpc";

/** `outbox`: that of the stream's session. */
export function serveUnary(o: GrpcOptions, outbox: Outbox, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  // Errors of one stream are its own: without a listener they would end the process.
  stream.on("error", ignore);
  const httpMethod = headers[":method"];
  if (httpMethod !== "POST") {
    stream.resume();
    const text = `Received a HEADERS frame with :method "${httpMethod}" which should be POST`;
    failTrailersOnly(stream, new ServiceError(Code.INTERNAL, text), 405);
    return;
  }
  const path = headers[":path"] ?? "";
  const method = o.methods.get(path);
  if (method === undefined) {
    stream.resume();
    failTrailersOnly(stream, unknownMethod(o.methods, path));
    return;
  }
  if (o.isDraining()) {
    stream.resume();
    failTrailersOnly(stream, new ServiceError(Code.UNAVAILABLE, "server is shutting down"));
    return;
  }
  new UnaryCall(o, outbox, stream, headers, method);
}

/** A content type that begins like gRPC's and is none. */
export function refuseContentType(stream: ServerHttp2Stream, type: string): void {
  stream.on("error", ignore);
  stream.resume();
  failTrailersOnly(stream, new ServiceError(Code.INVALID_ARGUMENT, `invalid gRPC request content-type "${type}"`), 415);
}

const ignore = (): void => undefined;

function unknownMethod(methods: MethodTable, path: string): ServiceError {
  const at = path.lastIndexOf("/");
  const service = path.slice(1, at);
  if (at < 1) return new ServiceError(Code.UNIMPLEMENTED, `malformed method name: "${path}"`);
  for (const m of methods.values())
    if (m.service === service) return new ServiceError(Code.UNIMPLEMENTED, `unknown method ${path.slice(at + 1)} for service ${service}`);
  return new ServiceError(Code.UNIMPLEMENTED, `unknown service ${service}`);
}

function failTrailersOnly(stream: ServerHttp2Stream, error: ServiceError, httpStatus = 200): void {
  // Both: a stream that its peer has reset is closed before it is destroyed, and either makes respond() throw.
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const trailers = errorTrailers(error, () => headerBytesMax(stream));
  stream.respond({ ":status": httpStatus, "content-type": CONTENT_TYPE, ...trailers }, { endStream: true });
}

/** What may be sent in one block of headers: what the peer says that it takes, and no more than nghttp2 sends. */
function headerBytesMax(stream: ServerHttp2Stream): number {
  return Math.min(stream.session?.remoteSettings.maxHeaderListSize ?? HEADER_BYTES_MAX, HEADER_BYTES_MAX);
}

class UnaryCall implements Call {
  cancelled = false;
  readonly deadlineMs: number | undefined;
  private parts: Buffer[] = [];
  private received = 0;
  /** Of the frame; 0 until its prefix is there. */
  private frameBytes = 0;
  private isRequestEnded = false;
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
    private readonly stream: ServerHttp2Stream,
    private readonly headers: IncomingHttpHeaders,
    private readonly method: Method,
  ) {
    const timeout = headers["grpc-timeout"];
    if (typeof timeout === "string") {
      const ms = parseTimeoutMs(timeout);
      if (typeof ms === "string") {
        stream.resume();
        failTrailersOnly(stream, new ServiceError(Code.INTERNAL, `malformed grpc-timeout: ${ms}`), 400);
        return;
      }
      this.deadlineMs = o.runtime.nowMicros() / 1000 + ms;
      this.stopDeadline = o.runtime.setTimer(ms, () => this.deadline());
    }
    stream.on("data", (chunk: Buffer) => this.data(chunk));
    stream.on("end", () => this.end());
    stream.on("close", () => this.closed());
  }

  get path(): string {
    return this.method.path;
  }

  get peer(): string {
    if (this.peerText === undefined) {
      const socket = this.stream.session?.socket;
      this.peerText = socket === undefined ? "" : `${socket.remoteAddress}:${socket.remotePort}`;
    }
    return this.peerText;
  }

  metadata(key: string): string | undefined {
    return metadataValue(this.headers, key);
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

  private closed(): void {
    this.stopDeadline?.();
    this.stopDeadline = undefined;
    this.leaveOutbox?.();
    if (this.replyBytes > 0) this.outbox.closed(this.replyBytes);
    if (!this.isAnswered) {
      this.isAnswered = true;
      this.cancel();
    }
  }

  private data(chunk: Buffer): void {
    // What follows the message is read and forgotten, as by the official server.
    if (this.isAnswered || (this.frameBytes > 0 && this.received >= this.frameBytes)) return;
    this.received += chunk.length;
    this.parts.push(chunk);
    if (this.frameBytes > 0 || this.received < FRAME) return;
    const head = this.parts.length === 1 ? chunk : Buffer.concat(this.parts);
    this.parts = [head];
    const size = head.readUInt32BE(1);
    if (size > this.o.receiveBytesMax) {
      const text = `grpc: received message larger than max (${size} vs. ${this.o.receiveBytesMax})`;
      this.fail(new ServiceError(Code.RESOURCE_EXHAUSTED, text));
    } else this.frameBytes = FRAME + size;
  }

  private end(): void {
    this.isRequestEnded = true;
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

  /** @throws ServiceError */
  private message(): Buffer {
    const frame = this.parts.length === 1 ? (this.parts[0] as Buffer) : Buffer.concat(this.parts);
    this.parts = [];
    const body = frame.subarray(FRAME, this.frameBytes);
    const flag = frame[0] as number;
    const encoding = this.headers["grpc-encoding"] ?? "identity";
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
    const { stream } = this;
    if (stream.destroyed || stream.closed) return;
    this.replyBytes = body.length;
    this.outbox.started(body.length);
    const packed = this.isWorthPacking(body) ? gzipSync(body, { level: GZIP_LEVEL }) : body;
    stream.end(this.respond(body, packed));
  }

  private startLarge(body: Buffer): void {
    this.leaveOutbox = undefined;
    this.replyBytes = body.length;
    const send = (packed: Buffer): void => {
      if (!this.stream.destroyed && !this.stream.closed) endInSlices(this.stream, this.respond(body, packed));
    };
    // Off the loop: it takes tens of milliseconds.
    if (this.isWorthPacking(body)) gzip(body, { level: GZIP_LEVEL }, (e, packed) => send(e === null ? packed : body));
    else send(body);
  }

  private isWorthPacking(body: Buffer): boolean {
    return body.length >= GZIP_BYTES_MIN && (this.metadata("grpc-accept-encoding") ?? "").includes("gzip");
  }

  /** Sends the headers and arms the trailers; the frame is left to the caller. */
  private respond(body: Buffer, packed: Buffer): Buffer {
    const { stream } = this;
    const type = this.headers["content-type"] as string;
    const headers: Record<string, string | number> = { ":status": 200, "content-type": type.startsWith(`${CONTENT_TYPE}+`) ? type : CONTENT_TYPE };
    const isPacked = packed !== body && packed.length <= body.length * GZIP_RATIO_MAX;
    if (isPacked) headers["grpc-encoding"] = "gzip";
    const content = isPacked ? packed : body;
    const frame = Buffer.allocUnsafe(FRAME + content.length);
    frame[0] = isPacked ? 1 : 0;
    frame.writeUInt32BE(content.length, 1);
    content.copy(frame, FRAME);
    stream.respond(headers, { waitForTrailers: true });
    stream.once("wantTrailers", () => {
      if (!stream.destroyed && !stream.closed) stream.sendTrailers(OK);
    });
    return frame;
  }

  private fail(error: ServiceError): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.stopDeadline?.();
    this.parts = [];
    failTrailersOnly(this.stream, error);
    // The rest of the request is not wanted: without this the stream stays open for as long as the peer likes.
    if (!this.isRequestEnded && !this.stream.destroyed && !this.stream.closed) this.stream.close();
  }

  /** The message codec threw something of its own: the process goes on, this call does not. */
  private bug(thrown: unknown): ServiceError {
    if (thrown instanceof ServiceError) return thrown;
    this.o.logger.error({ err: thrown, method: this.path }, "message cannot be decoded or encoded");
    return internal("internal error");
  }
}

/** nghttp2's own bound is 64 KiB, names and lengths included. */
const HEADER_BYTES_MAX = 63 * 1024;
const OK = { "grpc-status": "0", "grpc-message": "" };
