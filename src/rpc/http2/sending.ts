/**
 * What a connection sends, and when: bodies as far as the windows of the peer and the socket let them go, each stream in turn; and all
 * that one turn of the loop writes in one write of the socket.
 */
import { nextTick } from "node:process";
import type { Duplex } from "node:stream";
import { FrameWriter } from "./frame-writer.js";
import { END_STREAM, FRAME_BYTES_DEFAULT, WINDOW_DEFAULT, WINDOW_MAX } from "./frames.js";
import type { Stream } from "./stream.js";
import { StreamQueue } from "./stream-queue.js";

/** The connection. */
export interface SendingHost {
  /** Nothing is sent any more. */
  readonly isClosed: boolean;
  /** Frames are being taken: what they bring about follows at once. */
  readonly isReading: boolean;
  /** Nothing is read until the peer takes what waits for it. */
  readonly isHeld: boolean;
  /** The last frame of the stream's answer is written. */
  localEnded(stream: Stream): void;
  /** The peer leaves too much with the socket. */
  hold(): void;
  /** Something has gone: what was held may be read. */
  readOn(): void;
}

const MIB = 1024 * 1024;
/** Of what one turn hands to the socket. */
const TURN_BYTES_MAX = MIB;
/** Of one DATA frame, however large the peer takes them: streams take turns. */
const DATA_BYTES_MAX = 64 * 1024;
/** Nothing is read while more than this waits for the peer: what it asks for is answered whether it reads or not. */
export const UNREAD_BYTES_MAX = 4 * MIB;

export class Sending {
  /** What goes out at the end of the turn. */
  readonly frames = new FrameWriter(() => this.scheduleFlush());
  /** Of one frame, as the peer takes it. */
  frameBytesMax = FRAME_BYTES_DEFAULT;
  private window = WINDOW_DEFAULT;
  /** What keeps these from sending is the connection: its window, or the socket. */
  private readonly queue = new StreamQueue();
  private isFlushScheduled = false;
  private isGoOnScheduled = false;

  constructor(
    private readonly socket: Duplex,
    private readonly host: SendingHost,
  ) {}

  headers(id: number, block: Buffer, isEnd: boolean): void {
    this.frames.headers(id, block, isEnd, this.frameBytesMax);
  }

  /** The stream has something to send. */
  send(stream: Stream): void {
    if (stream.isQueued) return;
    if (this.queue.first === undefined) while (this.sendFrame(stream));
    else if (stream.pendingBytes === 0) this.sendFrame(stream);
    this.wait(stream);
  }

  /** The window of the stream has moved. */
  windowMoved(stream: Stream): void {
    if (stream.sendWindow > 0) this.wait(stream);
    else this.queue.remove(stream);
  }

  /** The stream sends nothing any more. */
  remove(stream: Stream): void {
    this.queue.remove(stream);
  }

  /** The peer takes so much more of all streams together. False: that is more than there is. */
  allow(bytes: number): boolean {
    this.window += bytes;
    return this.window <= WINDOW_MAX;
  }

  /** Each stream in turn, a frame at a time, as long as there is room. */
  pump(): void {
    const { queue } = this;
    for (let stream = queue.first; stream !== undefined && this.hasRoom() && !this.host.isClosed; stream = queue.first) {
      queue.remove(stream);
      this.sendFrame(stream);
      this.wait(stream);
      stream.afterSending();
    }
  }

  /** Hands all that is written to the socket. */
  flush(): void {
    if (this.frames.bytes === 0) return;
    const parts = this.frames.take();
    const { socket, host } = this;
    if (socket.destroyed || socket.writableEnded) return;
    if (parts.length === 1) socket.write(parts[0] as Buffer);
    else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
    if (socket.writableLength > UNREAD_BYTES_MAX && !host.isHeld && !host.isClosed) host.hold();
  }

  private hasRoom(): boolean {
    return this.window > 0 && this.frames.bytes < TURN_BYTES_MAX && !this.socket.writableNeedDrain;
  }

  /** Sends one frame of what the stream has, and the end when that was all; false when there is nothing more, or no room. */
  private sendFrame(stream: Stream): boolean {
    if (stream.isLocalEnded || stream.isClosed) return false;
    if (stream.pendingBytes > 0 && !this.sendData(stream)) return false;
    if (stream.pendingBytes > 0) return true;
    const { ending } = stream;
    if (ending === undefined) return false;
    if (ending.trailers !== undefined) this.headers(stream.id, ending.trailers, true);
    else this.frames.data(stream.id, 0, END_STREAM);
    this.host.localEnded(stream);
    return false;
  }

  private sendData(stream: Stream): boolean {
    if (stream.sendWindow <= 0 || !this.hasRoom()) return false;
    const bytes = Math.min(stream.pendingBytes, stream.sendWindow, this.window, this.frameBytesMax, DATA_BYTES_MAX);
    stream.sendWindow -= bytes;
    this.window -= bytes;
    stream.pendingBytes -= bytes;
    this.frames.data(stream.id, bytes, 0);
    for (let left = bytes; left > 0; ) {
      const part = stream.pending[0] as Buffer;
      const from = stream.pendingAt;
      const n = Math.min(left, part.length - from);
      this.frames.body(part, from, n);
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

  /**
   * What is written while frames are read goes out in the next turn of the loop, with the answers that they bring. An answer goes out
   * as soon as all that are ready with it are written, before the loop may rest.
   */
  private scheduleFlush(): void {
    if (this.host.isReading) this.goOnSoon();
    else if (!this.isFlushScheduled) {
      this.isFlushScheduled = true;
      nextTick(() => {
        this.isFlushScheduled = false;
        this.flush();
        if (this.queue.first !== undefined || this.host.isHeld) this.goOnSoon();
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
      this.host.readOn();
    });
  }
}
