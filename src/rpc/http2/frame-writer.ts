/**
 * Frames on their way out, side by side in one buffer, until they are taken to be handed to the socket in one write. Large parts of
 * bodies are not copied: they go between two pieces of the buffer.
 */
import { END_HEADERS, END_STREAM, type ErrorCode, FRAME_HEADER_BYTES, FrameType, writeFrameHeader } from "./frames.js";

const OUT_BYTES = 16 * 1024;
/** A larger part of a body is handed over as it is; a smaller one is copied next to its neighbours. */
const COPY_BYTES_MAX = 4096;

export class FrameWriter {
  private out: Buffer = Buffer.allocUnsafe(OUT_BYTES);
  private start = 0;
  private end = 0;
  private parts: Buffer[] = [];
  /** Of all that waits here. */
  bytes = 0;

  /** `onWrite`: something is about to be written. */
  constructor(private readonly onWrite: () => void) {}

  frame(type: FrameType, flags: number, id: number, payload: Buffer): void {
    const at = this.reserve(FRAME_HEADER_BYTES + payload.length);
    writeFrameHeader(this.out, at, payload.length, type, flags, id);
    payload.copy(this.out, at + FRAME_HEADER_BYTES);
  }

  reset(id: number, code: ErrorCode): void {
    this.numberFrame(FrameType.RST_STREAM, id, code);
  }

  windowUpdate(id: number, more: number): void {
    this.numberFrame(FrameType.WINDOW_UPDATE, id, more);
  }

  private numberFrame(type: FrameType, id: number, value: number): void {
    const at = this.reserve(FRAME_HEADER_BYTES + 4);
    writeFrameHeader(this.out, at, 4, type, 0, id);
    this.out.writeUInt32BE(value, at + FRAME_HEADER_BYTES);
  }

  /** A block of headers, in frames of at most `frameBytesMax`. */
  headers(id: number, block: Buffer, isEnd: boolean, frameBytesMax: number): void {
    let type = FrameType.HEADERS;
    let flags = isEnd ? END_STREAM : 0;
    for (let at = 0; ; ) {
      const part = block.length - at > frameBytesMax ? block.subarray(at, at + frameBytesMax) : block.subarray(at);
      at += part.length;
      if (at === block.length) flags |= END_HEADERS;
      this.frame(type, flags, id, part);
      if (at === block.length) return;
      type = FrameType.CONTINUATION;
      flags = 0;
    }
  }

  /** The beginning of a DATA frame, that of an empty one included. Its `bytes` follow by `body`. */
  data(id: number, bytes: number, flags: number): void {
    const at = this.reserve(FRAME_HEADER_BYTES);
    writeFrameHeader(this.out, at, bytes, FrameType.DATA, flags, id);
  }

  /** Part of a body, from `from` on. */
  body(part: Buffer, from: number, bytes: number): void {
    if (bytes <= COPY_BYTES_MAX) {
      const to = this.reserve(bytes);
      part.copy(this.out, to, from, from + bytes);
      return;
    }
    this.seal();
    this.parts.push(part.subarray(from, from + bytes));
    this.bytes += bytes;
  }

  /** All that waits, in order; from now on nothing does. */
  take(): Buffer[] {
    this.seal();
    const { parts } = this;
    this.clear();
    return parts;
  }

  clear(): void {
    this.parts = [];
    this.bytes = 0;
  }

  /** Room for `bytes`; the result is where. */
  private reserve(bytes: number): number {
    this.onWrite();
    this.bytes += bytes;
    if (this.end + bytes > this.out.length) {
      this.seal();
      this.out = Buffer.allocUnsafe(Math.max(OUT_BYTES, bytes));
      this.start = 0;
      this.end = 0;
    }
    const at = this.end;
    this.end += bytes;
    return at;
  }

  private seal(): void {
    if (this.end > this.start) this.parts.push(this.out.subarray(this.start, this.end));
    this.start = this.end;
  }
}
