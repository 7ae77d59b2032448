/**
 * Protobuf wire format for the code that `proto/codegen/protoc-gen-wire.mjs` generates: one writer, one reader, and the type of a
 * generated message. Numbers are JavaScript numbers: a 64-bit integer outside the safe range loses precision, which none of
 * Temporal's fields needs. Input that is not valid wire format throws WireError and nothing else.
 */

export class WireError extends Error {}

export const EMPTY_BYTES: Uint8Array = Buffer.alloc(0);

/** A message of which any part may be left out: what encoders and `create` accept. */
export type Init<T> = T extends Uint8Array | string | number | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly Init<U>[]
    : { [K in keyof T]?: Init<T[K]> };

export interface MessageType<T> {
  readonly typeName: string;
  /** A complete record: scalars at their zero, lists and maps empty, unset messages undefined. */
  create(init?: Init<T>): T;
  write(w: Writer, m: Init<T>): void;
  read(r: Reader, end: number): T;
}

/** A record of the store: kept in memory, replaced as a whole when it changes. */
export interface StoredMessageType<T> extends MessageType<T> {
  /** A shallow copy, with some fields changed. */
  copy(m: T, changes?: Partial<T>): T;
}

const isMap = (key: string): boolean => key === "__proto__";

export function setEntry<V>(map: Record<string, V>, key: string, value: V): void {
  if (isMap(key)) Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

export function copyMap<V>(map: Record<string, V | undefined>): Record<string, V> {
  const out: Record<string, V> = {};
  for (const k of Object.keys(map)) {
    const v = map[k];
    if (v !== undefined) setEntry(out, k, v);
  }
  return out;
}

export function mapValues<A, B>(map: Record<string, A | undefined>, f: (a: A) => B): Record<string, B> {
  const out: Record<string, B> = {};
  for (const k of Object.keys(map)) {
    const v = map[k];
    if (v !== undefined) setEntry(out, k, f(v));
  }
  return out;
}

/** Forward-only writer. Length prefixes are written after their content, which moves only when they need more than one byte. */
export class Writer {
  private buf: Buffer;
  pos = 0;

  constructor(size = 4096) {
    this.buf = Buffer.allocUnsafeSlow(size);
  }

  private grow(n: number): void {
    const next = Buffer.allocUnsafeSlow(Math.max(this.buf.length * 2, this.pos + n));
    this.buf.copy(next, 0, 0, this.pos);
    this.buf = next;
  }

  private need(n: number): void {
    if (this.pos + n > this.buf.length) this.grow(n);
  }

  tag(t: number): void {
    if (t < 128) {
      this.need(1);
      this.buf[this.pos++] = t;
    } else this.uint32(t);
  }

  uint32(v: number): void {
    this.need(5);
    const b = this.buf;
    let n = v >>> 0;
    while (n > 127) {
      b[this.pos++] = (n & 127) | 128;
      n >>>= 7;
    }
    b[this.pos++] = n;
  }

  int32(v: number): void {
    if (v >= 0) this.uint32(v);
    else this.int64(v);
  }

  uint64(v: number): void {
    this.int64(v);
  }

  int64(v: number): void {
    if (v >= 0 && v <= 0xffffffff) {
      this.uint32(v);
      return;
    }
    this.need(10);
    const b = this.buf;
    if (Number.isSafeInteger(v)) {
      let lo = v % 0x100000000;
      let hi = Math.floor(v / 0x100000000);
      if (lo < 0) lo += 0x100000000;
      lo >>>= 0;
      hi >>>= 0;
      while (hi > 0) {
        b[this.pos++] = (lo & 127) | 128;
        lo = ((lo >>> 7) | (hi << 25)) >>> 0;
        hi >>>= 7;
      }
      while (lo > 127) {
        b[this.pos++] = (lo & 127) | 128;
        lo >>>= 7;
      }
      b[this.pos++] = lo;
      return;
    }
    let n = BigInt.asUintN(64, BigInt(Number.isFinite(v) ? Math.trunc(v) : 0));
    while (n > 127n) {
      b[this.pos++] = Number(n & 127n) | 128;
      n >>= 7n;
    }
    b[this.pos++] = Number(n);
  }

  sint32(v: number): void {
    this.uint32(((v << 1) ^ (v >> 31)) >>> 0);
  }

  sint64(v: number): void {
    this.int64(v >= 0 ? v * 2 : -v * 2 - 1);
  }

  bool(v: boolean): void {
    this.need(1);
    this.buf[this.pos++] = v ? 1 : 0;
  }

  fixed32(v: number): void {
    this.need(4);
    this.pos = this.buf.writeUInt32LE(v >>> 0, this.pos);
  }

  sfixed32(v: number): void {
    this.need(4);
    this.pos = this.buf.writeInt32LE(v | 0, this.pos);
  }

  fixed64(v: number): void {
    this.need(8);
    this.pos = this.buf.writeBigUInt64LE(BigInt.asUintN(64, BigInt(v)), this.pos);
  }

  sfixed64(v: number): void {
    this.fixed64(v);
  }

  float(v: number): void {
    this.need(4);
    this.pos = this.buf.writeFloatLE(v, this.pos);
  }

  double(v: number): void {
    this.need(8);
    this.pos = this.buf.writeDoubleLE(v, this.pos);
  }

  string(s: string): void {
    const n = s.length;
    if (n < 40) {
      this.need(1 + n * 3);
      const b = this.buf;
      const start = this.pos;
      let p = start + 1;
      for (let i = 0; i < n; i++) {
        const c = s.charCodeAt(i);
        if (c > 127) {
          p = start + 1 + b.write(s, start + 1, "utf8");
          break;
        }
        b[p++] = c;
      }
      const size = p - start - 1;
      if (size > 127) {
        b.copyWithin(start + 2, start + 1, p);
        b[start] = (size & 127) | 128;
        b[start + 1] = size >>> 7;
        this.pos = p + 1;
      } else {
        b[start] = size;
        this.pos = p;
      }
      return;
    }
    const size = Buffer.byteLength(s);
    this.uint32(size);
    this.need(size);
    this.buf.write(s, this.pos, size, "utf8");
    this.pos += size;
  }

  bytes(v: Uint8Array): void {
    this.uint32(v.length);
    this.raw(v);
  }

  /** Bytes without a length: already encoded fields. */
  raw(v: Uint8Array): void {
    this.need(v.length);
    this.buf.set(v, this.pos);
    this.pos += v.length;
  }

  fork(): number {
    this.need(1);
    return this.pos++;
  }

  join(start: number): void {
    const size = this.pos - start - 1;
    if (size < 128) {
      this.buf[start] = size;
      return;
    }
    const extra = size < 1 << 14 ? 1 : size < 1 << 21 ? 2 : size < 1 << 28 ? 3 : 4;
    this.need(extra);
    this.buf.copyWithin(start + 1 + extra, start + 1, this.pos);
    let n = size;
    let p = start;
    while (n > 127) {
      this.buf[p++] = (n & 127) | 128;
      n >>>= 7;
    }
    this.buf[p] = n;
    this.pos += extra;
  }

  /** A copy of what was written since `from`. */
  take(from = 0): Buffer {
    const out = Buffer.allocUnsafe(this.pos - from);
    this.buf.copy(out, 0, from, this.pos);
    return out;
  }

  reset(): void {
    this.pos = 0;
    if (this.buf.length > 1 << 20) this.buf = Buffer.allocUnsafeSlow(4096);
  }
}

const NESTING_MAX = 1000;

/** What a view may keep alive, whatever its length: the pieces that Node cuts small buffers from are as large. */
const KEPT_BYTES = 8 * 1024;

export class Reader {
  pos: number;
  private depth = 0;

  constructor(
    private readonly buf: Buffer,
    pos = 0,
    private readonly end = buf.length,
  ) {
    this.pos = pos;
  }

  tag(): number {
    const t = this.uint32();
    if (t >>> 3 === 0) throw new WireError("illegal tag");
    return t;
  }

  uint32(): number {
    const b = this.buf;
    let c = this.byte();
    if (c < 128) return c;
    let v = c & 127;
    for (let shift = 7; shift < 28; shift += 7) {
      c = this.byte();
      v |= (c & 127) << shift;
      if (c < 128) return v >>> 0;
    }
    c = b[this.pos++] ?? this.truncated();
    v = (v | (c << 28)) >>> 0;
    for (let i = 0; c > 127; i++) {
      if (i === 5) throw new WireError("varint is too long");
      c = this.byte();
    }
    return v;
  }

  private byte(): number {
    if (this.pos >= this.end) this.truncated();
    return this.buf[this.pos++] as number;
  }

  private truncated(): never {
    throw new WireError("unexpected end of message");
  }

  int32(): number {
    return this.uint32() | 0;
  }

  private varint64(): { lo: number; hi: number } {
    let lo = 0;
    let hi = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const c = this.byte();
      const bits = c & 127;
      if (shift < 28) lo |= bits << shift;
      else if (shift === 28) {
        lo |= bits << 28;
        hi = bits >>> 4;
      } else hi |= bits << (shift - 32);
      if (c < 128) return { lo: lo >>> 0, hi: hi >>> 0 };
    }
    throw new WireError("varint is too long");
  }

  int64(): number {
    if (this.pos < this.end) {
      const c = this.buf[this.pos] as number;
      if (c < 128) {
        this.pos++;
        return c;
      }
    }
    const { lo, hi } = this.varint64();
    return (hi | 0) * 0x100000000 + lo;
  }

  uint64(): number {
    const { lo, hi } = this.varint64();
    return hi * 0x100000000 + lo;
  }

  sint32(): number {
    const v = this.uint32();
    return (v >>> 1) ^ -(v & 1);
  }

  sint64(): number {
    const v = this.uint64();
    return v % 2 === 0 ? v / 2 : -(v + 1) / 2;
  }

  bool(): boolean {
    const { lo, hi } = this.varint64();
    return lo !== 0 || hi !== 0;
  }

  private advance(n: number): number {
    const at = this.pos;
    if (at + n > this.end) this.truncated();
    this.pos = at + n;
    return at;
  }

  fixed32(): number {
    return this.buf.readUInt32LE(this.advance(4));
  }

  sfixed32(): number {
    return this.buf.readInt32LE(this.advance(4));
  }

  fixed64(): number {
    return Number(this.buf.readBigUInt64LE(this.advance(8)));
  }

  sfixed64(): number {
    return Number(this.buf.readBigInt64LE(this.advance(8)));
  }

  float(): number {
    return this.buf.readFloatLE(this.advance(4));
  }

  double(): number {
    return this.buf.readDoubleLE(this.advance(8));
  }

  /** Reads a length and answers where its content ends. */
  length(): number {
    const n = this.uint32();
    if (this.pos + n > this.end) this.truncated();
    return this.pos + n;
  }

  string(): string {
    const stop = this.length();
    const start = this.pos;
    this.pos = stop;
    const b = this.buf;
    if (stop - start < 16) {
      let s = "";
      for (let i = start; i < stop; i++) {
        const c = b[i] as number;
        if (c > 127) return this.utf8(start, stop);
        s += String.fromCharCode(c);
      }
      return s;
    }
    return this.utf8(start, stop);
  }

  private utf8(start: number, stop: number): string {
    const s = this.buf.toString("utf8", start, stop);
    if (s.includes("\ufffd") && Buffer.compare(Buffer.from(s, "utf8"), this.buf.subarray(start, stop)) !== 0)
      throw new WireError("string field contains invalid UTF-8");
    return s;
  }

  /**
   * The bytes: a view where they are a good part of the memory that it keeps alive, else their own. A memo of a few bytes stays with
   * an execution for months, and must not keep the request of a megabyte that brought it.
   */
  bytes(): Uint8Array {
    const stop = this.length();
    let v = this.buf.subarray(this.pos, stop);
    const kept = v.buffer.byteLength;
    if (kept > KEPT_BYTES && v.length < kept / 4) v = Buffer.from(v);
    this.pos = stop;
    return v;
  }

  message<T>(type: MessageType<T>): T {
    const stop = this.length();
    if (++this.depth > NESTING_MAX) throw new WireError("message is nested too deeply");
    const m = type.read(this, stop);
    this.depth--;
    if (this.pos !== stop) throw new WireError("field crosses the end of its message");
    return m;
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint64();
        return;
      case 1:
        this.advance(8);
        return;
      case 2:
        this.pos = this.length();
        return;
      case 5:
        this.advance(4);
        return;
      case 3:
        for (let depth = 1; depth > 0; ) {
          const t = this.tag();
          if ((t & 7) === 4) depth--;
          else if ((t & 7) === 3) depth++;
          else this.skip(t);
        }
        return;
      default:
        throw new WireError(`unexpected wire type ${tag & 7}`);
    }
  }
}

const scratch = new Writer(1 << 16);
let scratchBusy = false;

/** The encoded message, in a buffer of its own. */
export const encode = <T>(type: MessageType<T>, m: Init<T>): Buffer => written(type, m, taken);

/** How long the encoded message is. */
export const encodedLength = <T>(type: MessageType<T>, m: Init<T>): number => written(type, m, length);

const taken = (w: Writer): Buffer => w.take();
const length = (w: Writer): number => w.pos;

function written<T, R>(type: MessageType<T>, m: Init<T>, result: (w: Writer) => R): R {
  if (scratchBusy) {
    const w = new Writer(256);
    type.write(w, m);
    return result(w);
  }
  scratchBusy = true;
  try {
    type.write(scratch, m);
    return result(scratch);
  } finally {
    scratch.reset();
    scratchBusy = false;
  }
}

/** @throws WireError when the bytes are not a message of that type. */
export function decode<T>(type: MessageType<T>, bytes: Uint8Array): T {
  const buf = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const r = new Reader(buf);
  const m = type.read(r, buf.length);
  if (r.pos !== buf.length) throw new WireError("field crosses the end of its message");
  return m;
}
