/**
 * The server's side of an HTTP/2 connection (RFC 9113): frames in, streams out. Node's own http2 costs some 30 us of CPU a call,
 * most of it for a stream object with all the habits of Node's streams; a call is a few dozen bytes here and there, so this costs a
 * few.
 *
 * In: the bytes of a socket from the preface on. Out: a `Stream` per request, given to `onStream`.
 * - What one turn of the loop writes goes out in one write; bodies that wait for the peer's window are not copied.
 * - A peer that breaks the protocol loses the stream, or with it the connection, by the codes of the RFC. It never gets the process
 *   to throw, nor to keep more of it than the bounds below.
 * - A peer that does not read gets no more than the socket takes: no body is written while the socket asks to wait, and when headers
 *   alone have piled up the peer is not read from either.
 * - No frame costs more than it brings about: what walks through all streams is rationed, and a stream that cannot send is not asked.
 */
import { nextTick } from "node:process";
import type { Duplex } from "node:stream";
import type { Runtime } from "../../lib/runtime.js";
import { Budget } from "./budget.js";
import { ClosedStreams } from "./closed-streams.js";
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  ErrorCode,
  FRAME_BYTES_DEFAULT,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameType,
  PADDED,
  PREFACE,
  PRIORITY_FLAG,
  Setting,
  STREAM_ID_MAX,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  writeFrameHeader,
} from "./frames.js";
import { encodeHeaders, type Header, Headers, HpackDecoder, HpackError } from "./hpack.js";
import { areTrailers, checkRequest } from "./request-headers.js";
import { Stream, type StreamHandler } from "./stream.js";
import { StreamQueue } from "./stream-queue.js";

export interface ConnectionOptions {
  /** A request has begun. The result is told what comes of it. */
  readonly onStream: (stream: Stream) => StreamHandler;
  /** Of each stream that was given to `onStream`. */
  readonly onStreamClosed: () => void;
  /** Why a peer was thrown off. */
  readonly onError: (text: string) => void;
  /** Something of ours has thrown: the connection ends, the process goes on. */
  readonly onBug: (thrown: unknown) => void;
  readonly runtime: Pick<Runtime, "nowMicros" | "setTimer">;
  /** Subject of the peer's certificate, if it has shown one; asked once. */
  readonly subjectOf?: () => string | undefined;
}

const MIB = 1024 * 1024;
const STREAM_WINDOW = MIB;
const CONNECTION_WINDOW = 8 * MIB;
const STREAMS_MAX = 100_000;
/** Of a block of headers, compressed and not. */
const HEADERS_BYTES_MAX = MIB;
const OUT_BYTES = 16 * 1024;
/** A larger part of a body is handed to the socket as it is; a smaller one is copied next to its neighbours. */
const COPY_BYTES_MAX = 4096;
/** Of what one turn hands to the socket. */
const TURN_BYTES_MAX = MIB;
/** Of one DATA frame, however large the peer takes them: streams take turns. */
const DATA_BYTES_MAX = 64 * 1024;
/** Nothing is read while more than this waits for the peer: what it asks for is answered whether it reads or not. */
const UNREAD_BYTES_MAX = 4 * MIB;
/** A peer that has more to say in one block fills its frames. */
const CONTINUATIONS_MAX = 256;
/** Streams that a peer may give up, or have us give up by its faults, at once and a second: begun in vain they cost us more than it. */
const RESETS_MAX = 10_000;
const RESETS_A_SECOND = 1_000;
/** Each is a walk through all streams. */
const SETTINGS_MAX = 100;
const SETTINGS_A_SECOND = 10;
/** Answers to settings, pings and bad frames that a peer which does not read may have outstanding. */
const CONTROL_FRAMES_MAX = 10_000;
const TOO_LARGE = encodeHeaders({ ":status": 431 });

const LINGER_MS = 1_000;

const NO_BYTES: Buffer = Buffer.alloc(0);
const NO_HANDLER: StreamHandler = { data: () => undefined, end: () => undefined, drained: () => undefined, closed: () => undefined };

export class Connection {
  /** What the peer takes as headers; what it does not say is unbounded. */
  peerHeaderListBytesMax = Number.POSITIVE_INFINITY;
  private readonly streams = new Map<number, Stream>();
  private readonly decoder = new HpackDecoder();

  /** What has come and is no whole frame yet: `partialBytes` of it. */
  private partial: Buffer = Buffer.allocUnsafe(PREFACE.length);
  private partialBytes = 0;
  private hasPreface = false;
  /** Not read any further, from `held` on, until the peer takes what it has asked for. */
  private isHeld = false;
  private held: Buffer | undefined;
  private hasSettings = false;
  /** A block of headers that goes on in CONTINUATION frames. */
  private block: { readonly streamId: number; readonly isEnd: boolean; readonly parts: Buffer[]; bytes: number } | undefined;
  private lastStreamId = 0;
  private readonly closedStreams = new ClosedStreams();

  private receiveWindow = CONNECTION_WINDOW;
  private consumed = 0;
  private sendWindow = WINDOW_DEFAULT;
  private peerStreamWindow = WINDOW_DEFAULT;
  private peerFrameBytesMax = FRAME_BYTES_DEFAULT;
  private readonly resets: Budget;
  private readonly settingsFrames: Budget;

  // What goes out at the end of the turn.
  private out: Buffer = Buffer.allocUnsafe(OUT_BYTES);
  private outStart = 0;
  private outEnd = 0;
  private outParts: Buffer[] = [];
  private outBytes = 0;
  private isFlushScheduled = false;
  private isGoOnScheduled = false;
  /** Frames are being taken: what they bring about follows at once. */
  private isReading = false;
  private controlFrames = 0;
  /** What keeps these from sending is the connection: its window, or the socket. */
  private readonly queue = new StreamQueue();

  private subject: string | undefined;
  private isSubjectKnown = false;
  private readonly pings: ((isAnswered: boolean) => void)[] = [];
  private readonly closeListeners: (() => void)[] = [];
  private isClosing = false;
  /** All that there was to say has been said. */
  private isEnded = false;
  /** Nothing that comes is looked at any more. */
  private isDead = false;

  constructor(
    private readonly socket: Duplex,
    private readonly o: ConnectionOptions,
  ) {
    this.resets = new Budget(o.runtime, RESETS_MAX, RESETS_A_SECOND);
    this.settingsFrames = new Budget(o.runtime, SETTINGS_MAX, SETTINGS_A_SECOND);
    this.sendSettings();
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("drain", () => {
      this.pump();
      this.readOn();
    });
    socket.on("error", () => this.gone());
    socket.on("close", () => this.gone());
  }

  get isClosed(): boolean {
    return this.isDead;
  }

  /** "ip:port" of the peer. */
  get peer(): string {
    const { remoteAddress, remotePort } = this.socket as { remoteAddress?: string; remotePort?: number };
    return remoteAddress === undefined ? "" : `${remoteAddress}:${remotePort}`;
  }

  /** See Call. */
  get clientSubject(): string | undefined {
    if (!this.isSubjectKnown) {
      this.subject = this.o.subjectOf?.();
      this.isSubjectKnown = true;
    }
    return this.subject;
  }

  onClose(f: () => void): void {
    if (this.isDead) f();
    else this.closeListeners.push(f);
  }

  /** Asks the peer for a sign of life; never answered when the connection goes before. */
  ping(f: () => void): void {
    this.pings.push(f);
    this.frame(FrameType.PING, 0, 0, Buffer.alloc(8));
  }

  /** No new requests, please; the connection ends when those that are here have been answered. */
  close(): void {
    if (this.isClosing || this.isDead) return;
    this.isClosing = true;
    this.goAway(ErrorCode.NO_ERROR, STREAM_ID_MAX, "");
    this.endWhenIdle();
  }

  /** Ends the connection and all its streams now. */
  destroy(): void {
    this.flush();
    this.socket.destroy();
    this.gone();
  }

  // --- For streams

  sendHeaders(stream: Stream, block: Buffer, isEnd: boolean): void {
    this.headerFrames(stream.id, block, isEnd);
    if (isEnd) this.localEnded(stream);
  }

  sendPending(stream: Stream): void {
    if (stream.isQueued) return;
    if (this.queue.first === undefined) while (this.sendFrame(stream));
    else if (stream.pendingBytes === 0) this.sendFrame(stream);
    this.wait(stream);
  }

  resetStream(stream: Stream, code: ErrorCode): void {
    this.resetFrame(stream.id, code);
    this.closedStreams.addReset(stream.id);
    this.closed(stream, code);
  }

  /** The peer may send as much as we have taken. */
  allowMore(stream: Stream): void {
    if (stream.isPaused || stream.isRemoteEnded || stream.isClosed || stream.consumed < STREAM_WINDOW / 2) return;
    this.windowFrame(stream.id, stream.consumed);
    stream.receiveWindow += stream.consumed;
    stream.consumed = 0;
  }

  // --- Frames in

  private receive(chunk: Buffer): void {
    if (this.isDead) return;
    this.isReading = true;
    try {
      this.frames(chunk);
    } catch (e) {
      this.o.onBug(e);
      this.fail(ErrorCode.INTERNAL_ERROR, "internal error");
    } finally {
      this.isReading = false;
    }
  }

  private frames(chunk: Buffer): void {
    let at = 0;
    // What comes before this chunk's first whole frame.
    while (this.partialBytes > 0 || !this.hasPreface) {
      const n = Math.min(this.partial.length - this.partialBytes, chunk.length - at);
      chunk.copy(this.partial, this.partialBytes, at, at + n);
      this.partialBytes += n;
      at += n;
      if (this.partialBytes < this.partial.length) return;
      this.partialIsFull();
      if (this.isDead) return;
    }
    for (;;) {
      if (this.outBytes > UNREAD_BYTES_MAX) return this.hold(chunk.subarray(at));
      const left = chunk.length - at;
      if (left === 0) return;
      if (left < FRAME_HEADER_BYTES) return this.keep(chunk, at, FRAME_HEADER_BYTES);
      const length = ((chunk[at] as number) << 16) | ((chunk[at + 1] as number) << 8) | (chunk[at + 2] as number);
      const end = at + FRAME_HEADER_BYTES + length;
      if (length > FRAME_BYTES_DEFAULT) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "frame is too large");
      if (end > chunk.length) return this.keep(chunk, at, end - at);
      this.take(chunk, at, end);
      if (this.isDead) return;
      at = end;
    }
  }

  /** The rest of the chunk is the beginning of something that long. */
  private keep(chunk: Buffer, at: number, bytes: number): void {
    this.partial = Buffer.allocUnsafe(bytes);
    this.partialBytes = chunk.copy(this.partial, 0, at);
  }

  /** It is the preface, the nine bytes that a frame begins with, or a whole frame. */
  private partialIsFull(): void {
    const { partial } = this;
    if (!this.hasPreface) {
      if (!partial.equals(PREFACE)) return this.fail(ErrorCode.PROTOCOL_ERROR, "no preface");
      this.hasPreface = true;
    } else {
      const length = partial.readUIntBE(0, 3);
      if (length > FRAME_BYTES_DEFAULT) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "frame is too large");
      if (partial.length < FRAME_HEADER_BYTES + length) return this.keep(partial, 0, FRAME_HEADER_BYTES + length);
      this.take(partial, 0, partial.length);
    }
    this.partial = NO_BYTES;
    this.partialBytes = 0;
  }

  private hold(rest: Buffer | undefined): void {
    this.held = rest;
    if (this.isHeld) return;
    this.isHeld = true;
    this.socket.pause();
  }

  private readOn(): void {
    if (!this.isHeld || this.isDead || this.outBytes + this.socket.writableLength > UNREAD_BYTES_MAX) return;
    this.isHeld = false;
    const { held } = this;
    this.held = undefined;
    if (held !== undefined) this.receive(held);
    if (!this.isHeld) this.socket.resume();
  }

  private take(buf: Buffer, at: number, end: number): void {
    const type = buf[at + 3] as FrameType;
    const flags = buf[at + 4] as number;
    const id = buf.readUInt32BE(at + 5) & 0x7fffffff;
    const start = at + FRAME_HEADER_BYTES;
    if (!this.hasSettings && type !== FrameType.SETTINGS) return this.fail(ErrorCode.PROTOCOL_ERROR, "settings do not come first");
    if (this.block !== undefined && (type !== FrameType.CONTINUATION || id !== this.block.streamId))
      return this.fail(ErrorCode.PROTOCOL_ERROR, "a block of headers is interrupted");
    switch (type) {
      case FrameType.DATA:
        return this.data(buf, flags, id, start, end);
      case FrameType.HEADERS:
        return this.headers(buf, flags, id, start, end);
      case FrameType.PRIORITY:
        return this.priority(buf, id, start, end);
      case FrameType.RST_STREAM:
        return this.reset(buf, id, start, end);
      case FrameType.SETTINGS:
        return this.settings(buf, flags, id, start, end);
      case FrameType.PUSH_PROMISE:
        return this.fail(ErrorCode.PROTOCOL_ERROR, "a client promises nothing");
      case FrameType.PING:
        if (id !== 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "ping of a stream");
        if (end - start !== 8) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "ping is not eight bytes");
        if ((flags & ACK) !== 0) this.pings.shift()?.(true);
        else this.controlFrame(FrameType.PING, ACK, 0, buf.subarray(start, end));
        return;
      case FrameType.GOAWAY:
        if (id !== 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "goaway of a stream");
        if (end - start < 8) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "goaway is cut off");
        // It will begin nothing any more, and closes when it has its answers.
        this.isClosing = true;
        return this.endWhenIdle();
      case FrameType.WINDOW_UPDATE:
        return this.windowUpdate(buf, id, start, end);
      case FrameType.CONTINUATION:
        return this.continuation(buf, flags, id, start, end);
      default: // Extensions that we do not know are none of our business.
    }
  }

  /** Order is ours to choose, so this is only looked at for faults. */
  private priority(buf: Buffer, id: number, start: number, end: number): void {
    if (id === 0) this.fail(ErrorCode.PROTOCOL_ERROR, "priority of no stream");
    else if (end - start !== 5) {
      if (this.streams.has(id)) this.streamError(id, ErrorCode.FRAME_SIZE_ERROR);
      else this.fail(ErrorCode.FRAME_SIZE_ERROR, "priority is not five bytes");
    } else if ((buf.readUInt32BE(start) & 0x7fffffff) === id) this.fail(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself");
  }

  private data(buf: Buffer, flags: number, id: number, start: number, end: number): void {
    if (id === 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "data of no stream");
    const bytes = end - start;
    this.receiveWindow -= bytes;
    if (this.receiveWindow < 0) return this.fail(ErrorCode.FLOW_CONTROL_ERROR, "data beyond the connection's window");
    this.consumed += bytes;
    if (this.consumed >= CONNECTION_WINDOW / 2) {
      this.windowFrame(0, this.consumed);
      this.receiveWindow += this.consumed;
      this.consumed = 0;
    }
    let from = start;
    let to = end;
    if ((flags & PADDED) !== 0) {
      to = end - (buf[start] as number);
      from = start + 1;
      if (bytes === 0 || to < from) return this.fail(ErrorCode.PROTOCOL_ERROR, "more padding than frame");
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) this.fail(ErrorCode.PROTOCOL_ERROR, "data of a stream that never began");
      else if (this.closedStreams.wasEnded(id)) this.streamError(id, ErrorCode.STREAM_CLOSED);
      // That of a stream which we gave up was on its way.
      return;
    }
    if (stream.isRemoteEnded) return this.streamError(id, ErrorCode.STREAM_CLOSED);
    stream.receiveWindow -= bytes;
    if (stream.receiveWindow < 0) return this.streamError(id, ErrorCode.FLOW_CONTROL_ERROR);
    stream.consumed += bytes;
    stream.bodyBytes += to - from;
    const isEnd = (flags & END_STREAM) !== 0;
    if (stream.contentLength >= 0 && (isEnd ? stream.bodyBytes !== stream.contentLength : stream.bodyBytes > stream.contentLength))
      return this.streamError(id, ErrorCode.PROTOCOL_ERROR);
    if (!isEnd) this.allowMore(stream);
    if (to > from) stream.handler.data(buf.subarray(from, to));
    if (isEnd && !stream.isClosed) this.remoteEnded(stream);
  }

  private headers(buf: Buffer, flags: number, id: number, start: number, end: number): void {
    if (id % 2 === 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "headers of no client's stream");
    let from = start;
    let to = end;
    if ((flags & PADDED) !== 0) {
      to -= buf[from] as number;
      from++;
    }
    if ((flags & PRIORITY_FLAG) !== 0) from += 5;
    if (from > end) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "headers are cut off");
    if (to < from) return this.fail(ErrorCode.PROTOCOL_ERROR, "more padding than frame");
    if ((flags & PRIORITY_FLAG) !== 0 && (buf.readUInt32BE(from - 5) & 0x7fffffff) === id)
      return this.fail(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself");
    const isEnd = (flags & END_STREAM) !== 0;
    if ((flags & END_HEADERS) !== 0) return this.headersWhole(id, isEnd, buf.subarray(from, to));
    this.block = { streamId: id, isEnd, parts: [buf.subarray(from, to)], bytes: to - from };
  }

  private continuation(buf: Buffer, flags: number, id: number, start: number, end: number): void {
    const { block } = this;
    if (block === undefined || id !== block.streamId) return this.fail(ErrorCode.PROTOCOL_ERROR, "a continuation of nothing");
    // An empty one that does not end the block does nothing but cost.
    if (end === start && (flags & END_HEADERS) === 0) return this.fail(ErrorCode.ENHANCE_YOUR_CALM, "an empty continuation");
    block.parts.push(buf.subarray(start, end));
    block.bytes += end - start;
    if (block.bytes > HEADERS_BYTES_MAX || block.parts.length > CONTINUATIONS_MAX)
      return this.fail(ErrorCode.ENHANCE_YOUR_CALM, "headers are too large");
    if ((flags & END_HEADERS) === 0) return;
    this.block = undefined;
    this.headersWhole(id, block.isEnd, Buffer.concat(block.parts, block.bytes));
  }

  private headersWhole(id: number, isEnd: boolean, block: Buffer): void {
    let decoded: { list: Header[]; isTooLarge: boolean };
    try {
      decoded = this.decoder.decode(block, HEADERS_BYTES_MAX);
    } catch (e) {
      if (!(e instanceof HpackError)) throw e;
      return this.fail(ErrorCode.COMPRESSION_ERROR, e.message);
    }
    const open = this.streams.get(id);
    if (open !== undefined) {
      // Trailers, which mean nothing to us, end the request.
      if (open.isRemoteEnded) return this.streamError(id, ErrorCode.STREAM_CLOSED);
      if (!isEnd || !areTrailers(decoded.list)) return this.streamError(id, ErrorCode.PROTOCOL_ERROR);
      if (open.contentLength >= 0 && open.bodyBytes !== open.contentLength) return this.streamError(id, ErrorCode.PROTOCOL_ERROR);
      return this.remoteEnded(open);
    }
    if (id <= this.lastStreamId) {
      if (this.closedStreams.wasReset(id)) return;
      const wasOpen = this.closedStreams.wasEnded(id);
      return this.fail(wasOpen ? ErrorCode.STREAM_CLOSED : ErrorCode.PROTOCOL_ERROR, "headers of a stream that has gone");
    }
    // It has been told that nothing is served any more.
    if (this.isEnded) return;
    this.lastStreamId = id;
    if (this.streams.size >= STREAMS_MAX) return this.resetControl(id, ErrorCode.REFUSED_STREAM);
    if (decoded.isTooLarge) {
      this.headerFrames(id, TOO_LARGE, true);
      return this.resetControl(id, ErrorCode.NO_ERROR);
    }
    const contentLength = checkRequest(decoded.list);
    if (contentLength === undefined || (isEnd && contentLength > 0)) return this.resetControl(id, ErrorCode.PROTOCOL_ERROR);
    const begin = { receiveWindow: STREAM_WINDOW, sendWindow: this.peerStreamWindow, contentLength };
    const stream = new Stream(this, id, new Headers(decoded.list), begin);
    this.streams.set(id, stream);
    if (isEnd) stream.isRemoteEnded = true;
    const handler = this.o.onStream(stream);
    if (stream.isClosed) return;
    stream.handler = handler;
    if (isEnd) handler.end();
  }

  private remoteEnded(stream: Stream): void {
    stream.isRemoteEnded = true;
    if (stream.isLocalEnded) this.closed(stream, undefined);
    else stream.handler.end();
  }

  private localEnded(stream: Stream): void {
    stream.isLocalEnded = true;
    if (stream.isRemoteEnded) this.closed(stream, undefined);
    else if (stream.isRestUnwanted) this.resetStream(stream, ErrorCode.NO_ERROR);
  }

  private closed(stream: Stream, code: ErrorCode | undefined): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    stream.pending.length = 0;
    stream.pendingBytes = 0;
    this.queue.remove(stream);
    if (code === undefined) this.closedStreams.addEnded(stream.id);
    this.streams.delete(stream.id);
    const { handler } = stream;
    stream.handler = NO_HANDLER;
    handler.closed(code);
    this.o.onStreamClosed();
    if (this.isClosing) this.endWhenIdle();
  }

  private reset(buf: Buffer, id: number, start: number, end: number): void {
    if (id === 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "reset of no stream");
    if (end - start !== 4) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "reset is not four bytes");
    if (this.isIdle(id)) return this.fail(ErrorCode.PROTOCOL_ERROR, "reset of a stream that never began");
    if (!this.resets.take()) return this.fail(ErrorCode.ENHANCE_YOUR_CALM, "too many resets");
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    this.closedStreams.addEnded(id);
    this.closed(stream, buf.readUInt32BE(start) as ErrorCode);
  }

  private settings(buf: Buffer, flags: number, id: number, start: number, end: number): void {
    if (id !== 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "settings of a stream");
    if ((flags & ACK) !== 0) {
      if (end !== start) this.fail(ErrorCode.FRAME_SIZE_ERROR, "settings that acknowledge say nothing");
      return;
    }
    if ((end - start) % 6 !== 0) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "settings are cut off");
    if (!this.settingsFrames.take()) return this.fail(ErrorCode.ENHANCE_YOUR_CALM, "too many settings");
    this.hasSettings = true;
    let streamWindow = this.peerStreamWindow;
    for (let at = start; at < end; at += 6) {
      const value = buf.readUInt32BE(at + 2);
      switch (buf.readUInt16BE(at) as Setting) {
        case Setting.ENABLE_PUSH:
          if (value > 1) return this.fail(ErrorCode.PROTOCOL_ERROR, "push is on or off");
          break;
        case Setting.INITIAL_WINDOW_SIZE:
          if (value > WINDOW_MAX) return this.fail(ErrorCode.FLOW_CONTROL_ERROR, "window is too large");
          streamWindow = value;
          break;
        case Setting.MAX_FRAME_SIZE:
          if (value < FRAME_BYTES_DEFAULT || value > FRAME_BYTES_MAX) return this.fail(ErrorCode.PROTOCOL_ERROR, "frame size is out of bounds");
          this.peerFrameBytesMax = value;
          break;
        case Setting.MAX_HEADER_LIST_SIZE:
          this.peerHeaderListBytesMax = value;
          break;
        default: // Our encoder needs no table; we push nothing and begin no streams.
      }
    }
    this.controlFrame(FrameType.SETTINGS, ACK, 0, NO_BYTES);
    if (streamWindow !== this.peerStreamWindow) this.moveWindows(streamWindow);
  }

  /** Those of all streams, which may leave one with less than nothing. */
  private moveWindows(streamWindow: number): void {
    const change = streamWindow - this.peerStreamWindow;
    this.peerStreamWindow = streamWindow;
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > WINDOW_MAX) return this.fail(ErrorCode.FLOW_CONTROL_ERROR, "window is too large");
      if (stream.sendWindow > 0) this.wait(stream);
      else this.queue.remove(stream);
    }
    this.pump();
  }

  private windowUpdate(buf: Buffer, id: number, start: number, end: number): void {
    if (end - start !== 4) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "window update is not four bytes");
    const more = buf.readUInt32BE(start) & 0x7fffffff;
    if (id === 0) {
      if (more === 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "window update of nothing");
      this.sendWindow += more;
      if (this.sendWindow > WINDOW_MAX) return this.fail(ErrorCode.FLOW_CONTROL_ERROR, "window is too large");
      this.pump();
      return;
    }
    if (this.isIdle(id)) return this.fail(ErrorCode.PROTOCOL_ERROR, "window of a stream that never began");
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    if (more === 0) return this.streamError(id, ErrorCode.PROTOCOL_ERROR);
    stream.sendWindow += more;
    if (stream.sendWindow > WINDOW_MAX) return this.streamError(id, ErrorCode.FLOW_CONTROL_ERROR);
    this.wait(stream);
    this.pump();
  }

  /** No stream of that name has ever been. */
  private isIdle(id: number): boolean {
    return id > this.lastStreamId || id % 2 === 0;
  }

  // --- Errors and the end

  private streamError(id: number, code: ErrorCode): void {
    const stream = this.streams.get(id);
    this.resetControl(id, code);
    if (stream !== undefined) this.closed(stream, code);
  }

  /** A stream that is given up for the peer's fault. */
  private resetControl(id: number, code: ErrorCode): void {
    if (!this.resets.take()) return this.fail(ErrorCode.ENHANCE_YOUR_CALM, "too many bad streams");
    this.closedStreams.addReset(id);
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(code);
    this.controlFrame(FrameType.RST_STREAM, 0, id, payload);
  }

  /** The peer has broken the rules: it is told which, and the connection ends. */
  private fail(code: ErrorCode, text: string): void {
    if (this.isDead) return;
    this.o.onError(text);
    this.goAway(code, this.lastStreamId, text);
    this.flush();
    this.gone(code);
    this.socket.end();
    this.linger();
  }

  private goAway(code: ErrorCode, lastStreamId: number, text: string): void {
    const payload = Buffer.alloc(8 + text.length);
    payload.writeUInt32BE(lastStreamId, 0);
    payload.writeUInt32BE(code, 4);
    payload.write(text, 8, "latin1");
    this.frame(FrameType.GOAWAY, 0, 0, payload);
  }

  private endWhenIdle(): void {
    if (this.streams.size > 0 || this.isDead || this.isEnded) return;
    this.isEnded = true;
    // Whatever it has begun meanwhile has not been looked at, so it may try that elsewhere.
    this.goAway(ErrorCode.NO_ERROR, this.lastStreamId, "");
    this.flush();
    this.socket.once("finish", () => this.linger());
    this.socket.end();
  }

  /** What still comes is read and dropped for a while: closing on unread bytes would take with it what the peer has not read. */
  private linger(): void {
    if (this.socket.destroyed) return;
    const stop = this.o.runtime.setTimer(LINGER_MS, () => this.socket.destroy());
    this.socket.once("close", stop);
  }

  private gone(code: ErrorCode = ErrorCode.CANCEL): void {
    if (this.isDead) return;
    this.isDead = true;
    for (const stream of [...this.streams.values()]) this.closed(stream, code);
    for (const f of this.closeListeners) f();
    this.partial = NO_BYTES;
    this.outParts = [];
    this.outBytes = 0;
    this.block = undefined;
    this.held = undefined;
    if (this.isHeld) this.socket.resume();
  }

  // --- Frames out

  private sendSettings(): void {
    const settings: readonly (readonly [Setting, number])[] = [
      [Setting.ENABLE_PUSH, 0],
      [Setting.MAX_CONCURRENT_STREAMS, STREAMS_MAX],
      [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
      [Setting.MAX_HEADER_LIST_SIZE, HEADERS_BYTES_MAX],
    ];
    const payload = Buffer.alloc(6 * settings.length);
    settings.forEach(([id, value], i) => {
      payload.writeUInt16BE(id, 6 * i);
      payload.writeUInt32BE(value, 6 * i + 2);
    });
    this.frame(FrameType.SETTINGS, 0, 0, payload);
    this.windowFrame(0, CONNECTION_WINDOW - WINDOW_DEFAULT);
  }

  /** One that a peer can have us send as often as it likes. */
  private controlFrame(type: FrameType, flags: number, id: number, payload: Buffer): void {
    if (++this.controlFrames > CONTROL_FRAMES_MAX) {
      if (this.socket.writableNeedDrain) return this.fail(ErrorCode.ENHANCE_YOUR_CALM, "the peer asks and does not read");
      this.controlFrames = 0;
    }
    this.frame(type, flags, id, payload);
  }

  private resetFrame(id: number, code: ErrorCode): void {
    const at = this.reserve(FRAME_HEADER_BYTES + 4);
    writeFrameHeader(this.out, at, 4, FrameType.RST_STREAM, 0, id);
    this.out.writeUInt32BE(code, at + FRAME_HEADER_BYTES);
  }

  private windowFrame(id: number, more: number): void {
    const at = this.reserve(FRAME_HEADER_BYTES + 4);
    writeFrameHeader(this.out, at, 4, FrameType.WINDOW_UPDATE, 0, id);
    this.out.writeUInt32BE(more, at + FRAME_HEADER_BYTES);
  }

  private frame(type: FrameType, flags: number, id: number, payload: Buffer): void {
    const at = this.reserve(FRAME_HEADER_BYTES + payload.length);
    writeFrameHeader(this.out, at, payload.length, type, flags, id);
    payload.copy(this.out, at + FRAME_HEADER_BYTES);
  }

  private headerFrames(id: number, block: Buffer, isEnd: boolean): void {
    const max = this.peerFrameBytesMax;
    let type = FrameType.HEADERS;
    let flags = isEnd ? END_STREAM : 0;
    for (let at = 0; ; ) {
      const part = block.length - at > max ? block.subarray(at, at + max) : block.subarray(at);
      at += part.length;
      if (at === block.length) flags |= END_HEADERS;
      this.frame(type, flags, id, part);
      if (at === block.length) return;
      type = FrameType.CONTINUATION;
      flags = 0;
    }
  }

  private hasRoom(): boolean {
    return this.sendWindow > 0 && this.outBytes < TURN_BYTES_MAX && !this.socket.writableNeedDrain;
  }

  /** Sends one frame of what the stream has, and the end when that was all; false when there is nothing more, or no room. */
  private sendFrame(stream: Stream): boolean {
    if (stream.isLocalEnded || stream.isClosed) return false;
    if (stream.pendingBytes > 0 && !this.sendData(stream)) return false;
    if (stream.pendingBytes > 0) return true;
    const { ending } = stream;
    if (ending === undefined) return false;
    if (ending.trailers !== undefined) this.headerFrames(stream.id, ending.trailers, true);
    else {
      const at = this.reserve(FRAME_HEADER_BYTES);
      writeFrameHeader(this.out, at, 0, FrameType.DATA, END_STREAM, stream.id);
    }
    this.localEnded(stream);
    return false;
  }

  private sendData(stream: Stream): boolean {
    if (stream.sendWindow <= 0 || !this.hasRoom()) return false;
    const bytes = Math.min(stream.pendingBytes, stream.sendWindow, this.sendWindow, this.peerFrameBytesMax, DATA_BYTES_MAX);
    stream.sendWindow -= bytes;
    this.sendWindow -= bytes;
    stream.pendingBytes -= bytes;
    const at = this.reserve(FRAME_HEADER_BYTES);
    writeFrameHeader(this.out, at, bytes, FrameType.DATA, 0, stream.id);
    for (let left = bytes; left > 0; ) {
      const part = stream.pending[0] as Buffer;
      const from = stream.pendingAt;
      const n = Math.min(left, part.length - from);
      if (n <= COPY_BYTES_MAX) {
        const to = this.reserve(n);
        part.copy(this.out, to, from, from + n);
      } else this.append(part.subarray(from, from + n));
      left -= n;
      if (from + n === part.length) {
        stream.pending.shift();
        stream.pendingAt = 0;
      } else stream.pendingAt = from + n;
    }
    return true;
  }

  /** When there is more to send, and the stream's own window would let it. */
  private wait(stream: Stream): void {
    if (stream.pendingBytes > 0 && stream.sendWindow > 0) this.queue.add(stream);
  }

  /** Each stream in turn, a frame at a time, as long as there is room. */
  private pump(): void {
    const { queue } = this;
    for (let stream = queue.first; stream !== undefined && this.hasRoom() && !this.isDead; stream = queue.first) {
      queue.remove(stream);
      this.sendFrame(stream);
      this.wait(stream);
      stream.afterSending();
    }
  }

  /** Room for `bytes` in the buffer that goes out; the result is where. */
  private reserve(bytes: number): number {
    this.scheduleFlush();
    this.outBytes += bytes;
    if (this.outEnd + bytes > this.out.length) {
      this.seal();
      this.out = Buffer.allocUnsafe(Math.max(OUT_BYTES, bytes));
      this.outStart = 0;
      this.outEnd = 0;
    }
    const at = this.outEnd;
    this.outEnd += bytes;
    return at;
  }

  private append(part: Buffer): void {
    this.seal();
    this.outParts.push(part);
    this.outBytes += part.length;
  }

  private seal(): void {
    if (this.outEnd > this.outStart) this.outParts.push(this.out.subarray(this.outStart, this.outEnd));
    this.outStart = this.outEnd;
  }

  /**
   * What is written while frames are read goes out in the next turn of the loop, with the answers that they bring. An answer goes out
   * as soon as all that are ready with it are written, before the loop may rest.
   */
  private scheduleFlush(): void {
    if (this.isReading) this.goOnSoon();
    else if (!this.isFlushScheduled) {
      this.isFlushScheduled = true;
      nextTick(() => {
        this.isFlushScheduled = false;
        this.flush();
        if (this.queue.first !== undefined || this.isHeld) this.goOnSoon();
      });
    }
  }

  private goOnSoon(): void {
    if (this.isGoOnScheduled) return;
    this.isGoOnScheduled = true;
    setImmediate(() => {
      this.isGoOnScheduled = false;
      this.flush();
      // What the turn's bound held back.
      this.pump();
      this.readOn();
    });
  }

  private flush(): void {
    if (this.outBytes === 0) return;
    this.seal();
    const parts = this.outParts;
    this.outParts = [];
    this.outBytes = 0;
    if (this.socket.destroyed || this.socket.writableEnded) return;
    if (parts.length === 1) this.socket.write(parts[0] as Buffer);
    else {
      this.socket.cork();
      for (const part of parts) this.socket.write(part);
      this.socket.uncork();
    }
    if (this.socket.writableLength > UNREAD_BYTES_MAX && !this.isHeld && !this.isDead) this.hold(undefined);
  }
}
