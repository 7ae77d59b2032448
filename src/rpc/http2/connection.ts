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
import type { Duplex } from "node:stream";
import type { Runtime } from "../../lib/runtime.js";
import { Budget } from "./budget.js";
import { ClosedStreams } from "./closed-streams.js";
import { FrameReader, type FrameSink } from "./frame-reader.js";
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  ErrorCode,
  FRAME_BYTES_DEFAULT,
  FRAME_BYTES_MAX,
  FrameType,
  PADDED,
  PRIORITY_FLAG,
  Setting,
  STREAM_ID_MAX,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from "./frames.js";
import { encodeHeaders, type Header, Headers, HpackDecoder, HpackError } from "./hpack.js";
import { areTrailers, checkRequest } from "./request-headers.js";
import { Sending, type SendingHost, UNREAD_BYTES_MAX } from "./sending.js";
import { Stream, type StreamHandler } from "./stream.js";

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

export class Connection implements FrameSink, SendingHost {
  /** What the peer takes as headers; what it does not say is unbounded. */
  peerHeaderListBytesMax = Number.POSITIVE_INFINITY;
  private readonly streams = new Map<number, Stream>();
  private readonly decoder = new HpackDecoder();

  private readonly reader = new FrameReader(this);
  /** Not read any further, from `held` on, until the peer takes what it has asked for. */
  isHeld = false;
  private held: Buffer | undefined;
  private hasSettings = false;
  /** A block of headers that goes on in CONTINUATION frames. */
  private block: { readonly streamId: number; readonly isEnd: boolean; readonly parts: Buffer[]; bytes: number } | undefined;
  private lastStreamId = 0;
  private readonly closedStreams = new ClosedStreams();

  private receiveWindow = CONNECTION_WINDOW;
  private consumed = 0;
  private peerStreamWindow = WINDOW_DEFAULT;
  private readonly resets: Budget;
  private readonly settingsFrames: Budget;

  private readonly sending: Sending;
  /** Frames are being taken: what they bring about follows at once. */
  isReading = false;
  private controlFrames = 0;

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
    this.sending = new Sending(socket, this);
    this.resets = new Budget(o.runtime, RESETS_MAX, RESETS_A_SECOND);
    this.settingsFrames = new Budget(o.runtime, SETTINGS_MAX, SETTINGS_A_SECOND);
    this.sendSettings();
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("drain", () => {
      this.sending.pump();
      this.readOn();
    });
    socket.on("error", () => this.gone());
    socket.on("close", () => this.gone());
  }

  get isClosed(): boolean {
    return this.isDead;
  }

  /** What waits for the peer is enough. */
  get isFull(): boolean {
    return this.sending.frames.bytes > UNREAD_BYTES_MAX;
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
    this.sending.frames.frame(FrameType.PING, 0, 0, Buffer.alloc(8));
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
    this.sending.flush();
    this.socket.destroy();
    this.gone();
  }

  // --- For streams

  sendHeaders(stream: Stream, block: Buffer, isEnd: boolean): void {
    this.sending.headers(stream.id, block, isEnd);
    if (isEnd) this.localEnded(stream);
  }

  sendPending(stream: Stream): void {
    this.sending.send(stream);
  }

  resetStream(stream: Stream, code: ErrorCode): void {
    this.sending.frames.reset(stream.id, code);
    this.closedStreams.addReset(stream.id);
    this.closed(stream, code);
  }

  /** The peer may send as much as we have taken. */
  allowMore(stream: Stream): void {
    if (stream.isPaused || stream.isRemoteEnded || stream.isClosed || stream.consumed < STREAM_WINDOW / 2) return;
    this.sending.frames.windowUpdate(stream.id, stream.consumed);
    stream.receiveWindow += stream.consumed;
    stream.consumed = 0;
  }

  // --- Frames in

  private receive(chunk: Buffer): void {
    if (this.isDead) return;
    this.isReading = true;
    try {
      const rest = this.reader.read(chunk);
      if (rest !== undefined) this.hold(rest);
    } catch (e) {
      this.o.onBug(e);
      this.fail(ErrorCode.INTERNAL_ERROR, "internal error");
    } finally {
      this.isReading = false;
    }
  }

  /** Nothing is read from `rest` on until the peer takes what waits for it. */
  hold(rest?: Buffer): void {
    this.held = rest;
    if (this.isHeld) return;
    this.isHeld = true;
    this.socket.pause();
  }

  readOn(): void {
    if (!this.isHeld || this.isDead || this.sending.frames.bytes + this.socket.writableLength > UNREAD_BYTES_MAX) return;
    this.isHeld = false;
    const { held } = this;
    this.held = undefined;
    if (held !== undefined) this.receive(held);
    if (!this.isHeld) this.socket.resume();
  }

  take(type: FrameType, flags: number, id: number, buf: Buffer, start: number, end: number): void {
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
      this.sending.frames.windowUpdate(0, this.consumed);
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
      this.sending.headers(id, TOO_LARGE, true);
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

  localEnded(stream: Stream): void {
    stream.isLocalEnded = true;
    if (stream.isRemoteEnded) this.closed(stream, undefined);
    else if (stream.isRestUnwanted) this.resetStream(stream, ErrorCode.NO_ERROR);
  }

  private closed(stream: Stream, code: ErrorCode | undefined): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    stream.pending.length = 0;
    stream.pendingBytes = 0;
    this.sending.remove(stream);
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
          this.sending.frameBytesMax = value;
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
      this.sending.windowMoved(stream);
    }
    this.sending.pump();
  }

  private windowUpdate(buf: Buffer, id: number, start: number, end: number): void {
    if (end - start !== 4) return this.fail(ErrorCode.FRAME_SIZE_ERROR, "window update is not four bytes");
    const more = buf.readUInt32BE(start) & 0x7fffffff;
    if (id === 0) {
      if (more === 0) return this.fail(ErrorCode.PROTOCOL_ERROR, "window update of nothing");
      if (!this.sending.allow(more)) return this.fail(ErrorCode.FLOW_CONTROL_ERROR, "window is too large");
      this.sending.pump();
      return;
    }
    if (this.isIdle(id)) return this.fail(ErrorCode.PROTOCOL_ERROR, "window of a stream that never began");
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    if (more === 0) return this.streamError(id, ErrorCode.PROTOCOL_ERROR);
    stream.sendWindow += more;
    if (stream.sendWindow > WINDOW_MAX) return this.streamError(id, ErrorCode.FLOW_CONTROL_ERROR);
    this.sending.windowMoved(stream);
    this.sending.pump();
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
  fail(code: ErrorCode, text: string): void {
    if (this.isDead) return;
    this.o.onError(text);
    this.goAway(code, this.lastStreamId, text);
    this.sending.flush();
    this.gone(code);
    this.socket.end();
    this.linger();
  }

  private goAway(code: ErrorCode, lastStreamId: number, text: string): void {
    const payload = Buffer.alloc(8 + text.length);
    payload.writeUInt32BE(lastStreamId, 0);
    payload.writeUInt32BE(code, 4);
    payload.write(text, 8, "latin1");
    this.sending.frames.frame(FrameType.GOAWAY, 0, 0, payload);
  }

  private endWhenIdle(): void {
    if (this.streams.size > 0 || this.isDead || this.isEnded) return;
    this.isEnded = true;
    // Whatever it has begun meanwhile has not been looked at, so it may try that elsewhere.
    this.goAway(ErrorCode.NO_ERROR, this.lastStreamId, "");
    this.sending.flush();
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
    this.reader.clear();
    this.sending.frames.clear();
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
    this.sending.frames.frame(FrameType.SETTINGS, 0, 0, payload);
    this.sending.frames.windowUpdate(0, CONNECTION_WINDOW - WINDOW_DEFAULT);
  }

  /** One that a peer can have us send as often as it likes. */
  private controlFrame(type: FrameType, flags: number, id: number, payload: Buffer): void {
    if (++this.controlFrames > CONTROL_FRAMES_MAX) {
      if (this.socket.writableNeedDrain) return this.fail(ErrorCode.ENHANCE_YOUR_CALM, "the peer asks and does not read");
      this.controlFrames = 0;
    }
    this.sending.frames.frame(type, flags, id, payload);
  }
}
