/**
 * The gRPC hot path: unary calls on bare http2 streams. One object per call; a message is assembled only when it comes in parts;
 * the answer is one block of headers, one frame and one block of trailers. A fault of one call never reaches another.
 */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants, gunzipSync, gzipSync } from "node:zlib";
import type { Call, Method, MethodTable } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { decode, encode, WireError } from "../../api/wire.js";
import type { Runtime } from "../../lib/runtime.js";
import type { Chain } from "../interceptor/chain.js";
import { errorTrailers } from "./status.js";
import { parseTimeoutMs } from "./timeout.js";

export interface GrpcOptions {
  readonly methods: MethodTable;
  readonly chain: Chain;
  readonly runtime: Runtime;
  readonly receiveBytesMax: number;
  /** Replies of a session that the peer has not taken yet. */
  readonly isDraining: () => boolean;
}

/** Smaller replies are not worth the time. */
const GZIP_BYTES_MIN = 8 * 1024;
const FRAME = 5;

export function serveUnary(o: GrpcOptions, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const path = headers[":path"] ?? "";
  const method = o.methods.get(path);
  // Errors of one stream are its own: without a listener they would end the process.
  stream.on("error", ignore);
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
  new UnaryCall(o, stream, headers, method);
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

function failTrailersOnly(stream: ServerHttp2Stream, error: ServiceError): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...errorTrailers(error) }, { endStream: true });
}

class UnaryCall implements Call {
  cancelled = false;
  readonly deadlineMs: number | undefined;
  private readonly parts: Buffer[] = [];
  private received = 0;
  private isAnswered = false;
  private cancelListeners: Set<() => void> | undefined;
  private stopDeadline: (() => void) | undefined;
  private peerText: string | undefined;

  constructor(
    private readonly o: GrpcOptions,
    private readonly stream: ServerHttp2Stream,
    private readonly headers: IncomingHttpHeaders,
    private readonly method: Method,
  ) {
    const timeout = headers["grpc-timeout"];
    if (typeof timeout === "string") {
      const ms = parseTimeoutMs(timeout);
      if (ms === undefined) {
        stream.resume();
        this.fail(new ServiceError(Code.INTERNAL, `malformed grpc-timeout: ${timeout}`));
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
    const v = this.headers[key];
    return Array.isArray(v) ? v[0] : v;
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
    if (!this.isAnswered) this.fail(new ServiceError(Code.DEADLINE_EXCEEDED, "context deadline exceeded"));
    this.cancel();
  }

  private closed(): void {
    this.stopDeadline?.();
    this.stopDeadline = undefined;
    if (!this.isAnswered) {
      this.isAnswered = true;
      this.cancel();
    }
  }

  private data(chunk: Buffer): void {
    if (this.isAnswered) return;
    this.received += chunk.length;
    this.parts.push(chunk);
    const first = this.parts[0] as Buffer;
    if (first.length >= FRAME) {
      const size = first.readUInt32BE(1);
      if (size > this.o.receiveBytesMax) this.tooLarge(size);
      else if (this.received > size + FRAME) this.fail(new ServiceError(Code.INTERNAL, "a unary call has one message"));
    } else if (this.received > this.o.receiveBytesMax + FRAME) this.tooLarge(this.received);
  }

  private tooLarge(size: number): void {
    this.fail(new ServiceError(Code.RESOURCE_EXHAUSTED, `grpc: received message larger than max (${size} vs. ${this.o.receiveBytesMax})`));
  }

  private end(): void {
    if (this.isAnswered) return;
    const frame = this.parts.length === 1 ? (this.parts[0] as Buffer) : Buffer.concat(this.parts);
    if (frame.length < FRAME) {
      this.fail(new ServiceError(Code.INTERNAL, frame.length === 0 ? "the call has no message" : "unexpected end of the message's frame"));
      return;
    }
    const flag = frame[0] as number;
    const size = frame.readUInt32BE(1);
    if (size > this.o.receiveBytesMax) {
      this.tooLarge(size);
      return;
    }
    if (frame.length !== FRAME + size) {
      this.fail(new ServiceError(Code.INTERNAL, "unexpected EOF"));
      return;
    }
    let body = frame.subarray(FRAME);
    if (flag === 1) {
      const encoding = this.metadata("grpc-encoding") ?? "identity";
      if (encoding !== "gzip") {
        this.fail(
          encoding === "identity"
            ? new ServiceError(Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding")
            : new ServiceError(Code.UNIMPLEMENTED, `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`),
        );
        return;
      }
      try {
        body = gunzipSync(body, {
          maxOutputLength: this.o.receiveBytesMax,
          finishFlush: constants.Z_SYNC_FLUSH,
          // The default chunk of 16 KiB is allocated for each call, however small: most of its cost, and work for the collector.
          chunkSize: body.length < SMALL_BODY_BYTES ? SMALL_CHUNK_BYTES : constants.Z_DEFAULT_CHUNK,
        });
      } catch (e) {
        if ((e as { code?: string }).code === "ERR_BUFFER_TOO_LARGE")
          this.fail(
            new ServiceError(Code.RESOURCE_EXHAUSTED, `grpc: received message after decompression larger than max ${this.o.receiveBytesMax}`),
          );
        else this.fail(new ServiceError(Code.INTERNAL, `grpc: failed to decompress the received message: ${(e as Error).message}`));
        return;
      }
    } else if (flag !== 0) {
      this.fail(new ServiceError(Code.INTERNAL, `grpc: received unexpected payload format ${flag}`));
      return;
    }
    let request: unknown;
    try {
      request = decode(this.method.input, body);
    } catch (e) {
      if (!(e instanceof WireError)) throw e;
      this.fail(new ServiceError(Code.INTERNAL, `grpc: error unmarshalling request: ${e.message}`));
      return;
    }
    this.o.chain.run(this.method, request, this).then(
      (reply) => this.answer(reply),
      (e: ServiceError) => this.fail(e),
    );
  }

  private answer(reply: unknown): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.stopDeadline?.();
    const { stream } = this;
    if (stream.destroyed) return;
    let body = encode(this.method.output, reply as never);
    const headers: Record<string, string | number> = { ":status": 200, "content-type": "application/grpc" };
    let flag = 0;
    if (body.length >= GZIP_BYTES_MIN && (this.metadata("grpc-accept-encoding") ?? "").includes("gzip")) {
      body = gzipSync(body, { level: 1 });
      headers["grpc-encoding"] = "gzip";
      flag = 1;
    }
    const frame = Buffer.allocUnsafe(FRAME + body.length);
    frame[0] = flag;
    frame.writeUInt32BE(body.length, 1);
    body.copy(frame, FRAME);
    stream.respond(headers, { waitForTrailers: true });
    stream.once("wantTrailers", () => {
      if (!stream.destroyed) stream.sendTrailers(OK);
    });
    stream.end(frame);
  }

  private fail(error: ServiceError): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.stopDeadline?.();
    this.parts.length = 0;
    failTrailersOnly(this.stream, error);
  }
}

const SMALL_BODY_BYTES = 1024;
const SMALL_CHUNK_BYTES = 2048;
const OK = { "grpc-status": "0", "grpc-message": "" };
