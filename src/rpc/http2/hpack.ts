/**
 * HPACK (RFC 7541): the decoder of a connection with its dynamic table, and an encoder that needs no table, since what a server
 * says is short and the same for every call.
 */
import { decodeHuffman } from "./huffman.js";

export interface Header {
  /** Lower case. */
  readonly name: string;
  /** One character a byte. */
  readonly value: string;
  /** Neither holds what HTTP does not allow there. Known from when the header was read: most come again and again from the table. */
  readonly isWellFormed: boolean;
}

/** A request's headers in the order of their coming. There are few, and a call asks for fewer: a list is faster than a map. */
export class Headers {
  constructor(readonly list: readonly Header[]) {}

  /** The first value. */
  get(name: string): string | undefined {
    const { list } = this;
    for (let i = 0; i < list.length; i++) {
      const header = list[i] as Header;
      if (header.name === name) return header.value;
    }
    return undefined;
  }
}

/** The block breaks the compression's rules: nothing of the connection can be read any more. */
export class HpackError extends Error {}

const STATIC: readonly Header[] = [
  [":authority"],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset"],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language"],
  ["accept-ranges"],
  ["accept"],
  ["access-control-allow-origin"],
  ["age"],
  ["allow"],
  ["authorization"],
  ["cache-control"],
  ["content-disposition"],
  ["content-encoding"],
  ["content-language"],
  ["content-length"],
  ["content-location"],
  ["content-range"],
  ["content-type"],
  ["cookie"],
  ["date"],
  ["etag"],
  ["expect"],
  ["expires"],
  ["from"],
  ["host"],
  ["if-match"],
  ["if-modified-since"],
  ["if-none-match"],
  ["if-range"],
  ["if-unmodified-since"],
  ["last-modified"],
  ["link"],
  ["location"],
  ["max-forwards"],
  ["proxy-authenticate"],
  ["proxy-authorization"],
  ["range"],
  ["referer"],
  ["refresh"],
  ["retry-after"],
  ["server"],
  ["set-cookie"],
  ["strict-transport-security"],
  ["transfer-encoding"],
  ["user-agent"],
  ["vary"],
  ["via"],
  ["www-authenticate"],
].map(([name = "", value = ""]) => ({ name, value, isWellFormed: true }));

const STATIC_STATUS_200 = 8;
const DEAD: Header = { name: "", value: "", isWellFormed: false };
/** What an entry costs besides its text (RFC 7541, 4.1). */
const ENTRY_BYTES = 32;
/** What a peer's encoder may use: the protocol's default, never raised by us. */
const TABLE_BYTES_MAX = 4096;
const INTEGER_BYTES_MAX = 4;
/** A token, lower case, which may be a pseudo header's. */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const FORBIDDEN_IN_VALUE = /[\0\r\n]/;

const sizeOf = (h: Header): number => h.name.length + h.value.length + ENTRY_BYTES;

export class HpackDecoder {
  /** Oldest first, from `first`; what is before has been evicted. */
  private entries: Header[] = [];
  private first = 0;
  private bytes = 0;
  private bytesMax = TABLE_BYTES_MAX;
  private buf: Buffer = Buffer.alloc(0);
  private at = 0;

  /**
   * The headers of a whole block. Those beyond `listBytesMax` are read, since the table follows, and left out: `isTooLarge`.
   * @throws HpackError
   */
  decode(block: Buffer, listBytesMax: number): { list: Header[]; isTooLarge: boolean } {
    this.buf = block;
    this.at = 0;
    const list: Header[] = [];
    let left = listBytesMax;
    while (this.at < block.length) {
      const byte = block[this.at] as number;
      let header: Header;
      if (byte >= 0x80) header = this.entry(this.integer(7));
      else if (byte >= 0x40) {
        header = this.literal(6);
        this.add(header);
      } else if (byte >= 0x20) {
        if (list.length > 0 || left < listBytesMax) throw new HpackError("table size update behind a header");
        this.resize(this.integer(5));
        continue;
      } else header = this.literal(4);
      left -= sizeOf(header);
      if (left >= 0) list.push(header);
    }
    return { list, isTooLarge: left < 0 };
  }

  private integer(prefixBits: number): number {
    const { buf } = this;
    const mask = (1 << prefixBits) - 1;
    let value = (buf[this.at++] as number) & mask;
    if (value < mask) return value;
    for (let i = 0; i < INTEGER_BYTES_MAX; i++) {
      const byte = buf[this.at++];
      if (byte === undefined) throw new HpackError("integer is cut off");
      value += (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return value;
    }
    throw new HpackError("integer is too large");
  }

  private text(): string {
    if (this.at >= this.buf.length) throw new HpackError("text is cut off");
    const isHuffman = (this.buf[this.at] as number) >= 0x80;
    const length = this.integer(7);
    const start = this.at;
    const end = start + length;
    if (end > this.buf.length) throw new HpackError("text is cut off");
    this.at = end;
    if (!isHuffman) return this.buf.toString("latin1", start, end);
    const text = decodeHuffman(this.buf, start, end);
    if (text === undefined) throw new HpackError("not a Huffman code");
    return text;
  }

  private literal(prefixBits: number): Header {
    const index = this.integer(prefixBits);
    const isStatic = index > 0 && index <= STATIC.length;
    const name = index === 0 ? this.text() : this.entry(index).name;
    const value = this.text();
    return { name, value, isWellFormed: (isStatic || NAME.test(name)) && !FORBIDDEN_IN_VALUE.test(value) };
  }

  private entry(index: number): Header {
    const header = index <= STATIC.length ? STATIC[index - 1] : this.entries[this.entries.length - (index - STATIC.length)];
    if (header === undefined || index - STATIC.length > this.entries.length - this.first) throw new HpackError(`no header has index ${index}`);
    return header;
  }

  private add(header: Header): void {
    this.bytes += sizeOf(header);
    this.entries.push(header);
    this.evict();
  }

  private resize(bytes: number): void {
    if (bytes > TABLE_BYTES_MAX) throw new HpackError("table is larger than what was allowed");
    this.bytesMax = bytes;
    this.evict();
  }

  private evict(): void {
    while (this.bytes > this.bytesMax) {
      this.bytes -= sizeOf(this.entries[this.first] as Header);
      // What is dead may be as large as a block of headers.
      this.entries[this.first++] = DEAD;
    }
    // Moving the rest down for every eviction would cost more than keeping some dead entries for a while.
    if (this.first > 64 && this.first * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.first);
      this.first = 0;
    }
  }
}

function integerBytes(value: number, prefixBits: number, flags: number): number[] {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return [flags | value];
  const out = [flags | mask];
  let rest = value - mask;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
  return out;
}

/** A block of headers, each a literal that no table takes. Names are lower case; one character of a value is one byte. */
export function encodeHeaders(headers: Readonly<Record<string, string | number | readonly string[]>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, values] of Object.entries(headers)) {
    for (const value of Array.isArray(values) ? values : [String(values)]) {
      if (name === ":status" && value === "200") {
        parts.push(Buffer.from([0x80 | STATIC_STATUS_200]));
        continue;
      }
      const index = STATIC.findIndex((h) => h.name === name) + 1;
      parts.push(Buffer.from(integerBytes(index, 4, 0)));
      if (index === 0) parts.push(literalBytes(name));
      parts.push(literalBytes(value));
    }
  }
  return Buffer.concat(parts);
}

function literalBytes(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([Buffer.from(integerBytes(bytes.length, 7, 0)), bytes]);
}
