/**
 * Bytes of a socket as frames: first the preface, then one frame after the other where it lies in its chunk. Only what a chunk cuts in
 * two is copied.
 */
import { ErrorCode, FRAME_BYTES_DEFAULT, FRAME_HEADER_BYTES, type FrameType, PREFACE } from "./frames.js";

/** Whoever takes the frames. */
export interface FrameSink {
  /** Nothing that comes is looked at any more. */
  readonly isClosed: boolean;
  /** Nothing more is to be taken for now. */
  readonly isFull: boolean;
  /** A frame whose payload is `buf` from `start` to `end`. It lies in a larger buffer, and may be followed by others. */
  take(type: FrameType, flags: number, id: number, buf: Buffer, start: number, end: number): void;
  /** What came is no frame of HTTP/2, or one that is larger than we have allowed. */
  fail(code: ErrorCode, text: string): void;
}

const NO_BYTES: Buffer = Buffer.alloc(0);

export class FrameReader {
  /** What has come and is nothing whole yet: `partialBytes` of it. It is the preface, what a frame begins with, or a frame. */
  private partial: Buffer = Buffer.allocUnsafe(PREFACE.length);
  private partialBytes = 0;
  private hasPreface = false;

  constructor(private readonly sink: FrameSink) {}

  /** Hands the sink the frames that are whole with this chunk. Answers what is left of the chunk when the sink is full: to be read again. */
  read(chunk: Buffer): Buffer | undefined {
    const { sink } = this;
    let at = 0;
    // What comes before this chunk's first whole frame.
    while (this.partialBytes > 0 || !this.hasPreface) {
      const n = Math.min(this.partial.length - this.partialBytes, chunk.length - at);
      chunk.copy(this.partial, this.partialBytes, at, at + n);
      this.partialBytes += n;
      at += n;
      if (this.partialBytes < this.partial.length) return undefined;
      this.partialIsFull();
      if (sink.isClosed) return undefined;
    }
    for (;;) {
      if (sink.isFull) return chunk.subarray(at);
      const left = chunk.length - at;
      if (left === 0) return undefined;
      if (left < FRAME_HEADER_BYTES) return this.keep(chunk, at, FRAME_HEADER_BYTES);
      const length = ((chunk[at] as number) << 16) | ((chunk[at + 1] as number) << 8) | (chunk[at + 2] as number);
      const end = at + FRAME_HEADER_BYTES + length;
      if (length > FRAME_BYTES_DEFAULT) return this.tooLarge();
      if (end > chunk.length) return this.keep(chunk, at, end - at);
      this.give(chunk, at, end);
      if (sink.isClosed) return undefined;
      at = end;
    }
  }

  /** Nothing is read any more. */
  clear(): void {
    this.partial = NO_BYTES;
    this.partialBytes = 0;
  }

  private give(buf: Buffer, at: number, end: number): void {
    const id = buf.readUInt32BE(at + 5) & 0x7fffffff;
    this.sink.take(buf[at + 3] as FrameType, buf[at + 4] as number, id, buf, at + FRAME_HEADER_BYTES, end);
  }

  /** The rest of the chunk is the beginning of something that long. */
  private keep(chunk: Buffer, at: number, bytes: number): undefined {
    this.partial = Buffer.allocUnsafe(bytes);
    this.partialBytes = chunk.copy(this.partial, 0, at);
  }

  private partialIsFull(): void {
    const { partial } = this;
    if (!this.hasPreface) {
      if (!partial.equals(PREFACE)) return this.sink.fail(ErrorCode.PROTOCOL_ERROR, "no preface");
      this.hasPreface = true;
    } else {
      const length = partial.readUIntBE(0, 3);
      if (length > FRAME_BYTES_DEFAULT) return this.tooLarge();
      if (partial.length < FRAME_HEADER_BYTES + length) return this.keep(partial, 0, FRAME_HEADER_BYTES + length);
      this.give(partial, 0, partial.length);
    }
    this.partial = NO_BYTES;
    this.partialBytes = 0;
  }

  private tooLarge(): undefined {
    this.sink.fail(ErrorCode.FRAME_SIZE_ERROR, "frame is too large");
  }
}
