/** For the tests of HTTP/2: a connection whose peer is the test, frame by frame, without a kernel between them. */
import { Duplex } from "node:stream";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { Connection } from "./connection.js";
import { ACK, END_HEADERS, END_STREAM, ErrorCode, FrameType, PREFACE, type Setting, writeFrameHeader } from "./frames.js";
import { encodeHeaders, HpackDecoder } from "./hpack.js";
import type { Stream, StreamHandler } from "./stream.js";

export interface Frame {
  readonly type: FrameType;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, id: number, payload: Buffer | string = ""): Buffer {
  const body = Buffer.from(payload as string, "latin1");
  const out = Buffer.alloc(9 + body.length);
  writeFrameHeader(out, 0, body.length, type, flags, id);
  body.copy(out, 9);
  return out;
}

export function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value >>> 0);
  return out;
}

export const GET: Readonly<Record<string, string>> = { ":method": "GET", ":scheme": "http", ":path": "/echo" };
export const headers = (id: number, more: Record<string, string | readonly string[]> = {}, flags = END_HEADERS): Buffer =>
  frame(FrameType.HEADERS, flags, id, encodeHeaders({ ...GET, ...more }));
/** A request without a body. */
export const get = (id: number, path: string): Buffer => headers(id, { ":path": path }, END_HEADERS | END_STREAM);
export const data = (id: number, body: Buffer | string, flags = 0): Buffer => frame(FrameType.DATA, flags, id, body);
export const reset = (id: number, code = ErrorCode.CANCEL): Buffer => frame(FrameType.RST_STREAM, 0, id, uint32(code));
export const windowUpdate = (id: number, more: number): Buffer => frame(FrameType.WINDOW_UPDATE, 0, id, uint32(more));
export const ping = (text = "12345678"): Buffer => frame(FrameType.PING, 0, 0, text);
export const settings = (...pairs: (readonly [Setting | number, number])[]): Buffer =>
  frame(FrameType.SETTINGS, 0, 0, Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), uint32(value)]))));

/** The end of the connection that the server holds. */
class Socket extends Duplex {
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort = 4321;
  written: Buffer[] = [];
  writtenBytes = 0;
  private isReading = true;
  private blocked: (() => void) | undefined;

  constructor(private readonly onWritten: (chunk: Buffer) => void) {
    super({ allowHalfOpen: false });
  }
  /** Whether the peer takes what is written. */
  setReading(value: boolean): void {
    this.isReading = value;
    const { blocked } = this;
    if (!value || blocked === undefined) return;
    this.blocked = undefined;
    blocked();
  }
  override _read(): void {
    // The test pushes.
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = (): void => {
      this.onWritten(chunk);
      done();
    };
    if (this.isReading) take();
    else this.blocked = take;
  }
}

/**
 * `/echo` sends the request's body back, `/bytes/<n>` n bytes, `/empty` nothing, `/hold` leaves the stream to the test, `/throw`
 * is a bug. Answers end in trailers, those to requests below `/bare` without.
 */
export class PeerUnderTest {
  readonly runtime = new FakeRuntime("free");
  readonly socket: Socket;
  readonly connection: Connection;
  readonly frames: Frame[] = [];
  readonly held: Stream[] = [];
  /** Of streams, in the order of their closing: id and code. */
  readonly closed: [number, ErrorCode | undefined][] = [];
  readonly bodies = new Map<number, Buffer[]>();
  readonly errors: string[] = [];
  readonly bugs: unknown[] = [];
  /** How often the server has written to its socket. */
  writes = 0;
  isEnded = false;
  streamsClosed = 0;
  private unread: Buffer = Buffer.alloc(0);

  constructor() {
    this.socket = new Socket((chunk) => this.parse(chunk));
    this.socket.on("finish", () => {
      this.isEnded = true;
    });
    this.connection = new Connection(this.socket, {
      runtime: this.runtime,
      onError: (text) => this.errors.push(text),
      onBug: (e) => this.bugs.push(e),
      onStreamClosed: () => this.streamsClosed++,
      onStream: (stream) => this.serve(stream),
    });
  }

  /** Both have said hello. */
  static async open(...pairs: (readonly [Setting | number, number])[]): Promise<PeerUnderTest> {
    const peer = new PeerUnderTest();
    peer.send(PREFACE, settings(...pairs));
    await peer.until((f) => f.type === FrameType.SETTINGS && (f.flags & ACK) !== 0);
    peer.frames.length = 0;
    return peer;
  }

  send(...parts: Buffer[]): void {
    if (!this.socket.destroyed && !this.socket.readableEnded) this.socket.push(Buffer.concat(parts));
  }

  /** The first frame that is such a one, once it is there. */
  async until(isIt: (f: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(isIt);
      if (found !== undefined) return found;
      if (this.socket.destroyed) throw new Error(`closed before: ${this.errors}`);
      await turn();
    }
  }

  /** All that was sent has been looked at and answered. */
  async settled(): Promise<void> {
    const text = String(this.pings++).padStart(8, "0");
    this.send(ping(text));
    while (!this.socket.destroyed && !this.isEnded && !this.frames.some((f) => f.type === FrameType.PING && f.payload.toString() === text))
      await turn();
    await turn();
  }
  private pings = 0;

  async when(condition: () => boolean): Promise<void> {
    while (!condition()) await turn();
  }

  of(id: number, type?: FrameType): Frame[] {
    return this.frames.filter((f) => f.id === id && (type === undefined || f.type === type));
  }

  body(id: number): Buffer {
    return Buffer.concat(this.of(id, FrameType.DATA).map((f) => f.payload));
  }

  /** Whether the answer is whole, which is when END_STREAM has come. */
  isAnswered(id: number): boolean {
    return this.of(id).some((f) => (f.type === FrameType.DATA || f.type === FrameType.HEADERS) && (f.flags & END_STREAM) !== 0);
  }

  /** Of the first block of headers, or of the last. */
  headersOf(id: number, which = 0): string[] {
    const first = this.frames.indexOf(this.of(id, FrameType.HEADERS).at(which) as Frame);
    const parts = [(this.frames[first] as Frame).payload];
    for (let i = first; ((this.frames[i] as Frame).flags & END_HEADERS) === 0; i++) parts.push((this.frames[i + 1] as Frame).payload);
    return new HpackDecoder().decode(Buffer.concat(parts), Number.MAX_SAFE_INTEGER).list.map((h) => `${h.name}: ${h.value}`);
  }

  goAway(): ErrorCode | undefined {
    return this.frames.find((f) => f.type === FrameType.GOAWAY)?.payload.readUInt32BE(4);
  }

  private parse(chunk: Buffer): void {
    this.writes++;
    this.unread = Buffer.concat([this.unread, chunk]);
    let at = 0;
    for (; this.unread.length - at >= 9; ) {
      const end = at + 9 + this.unread.readUIntBE(at, 3);
      if (end > this.unread.length) break;
      const [type, flags] = [this.unread[at + 3] as number, this.unread[at + 4] as number];
      const f = { type, flags, id: this.unread.readUInt32BE(at + 5), payload: this.unread.subarray(at + 9, end) };
      this.frames.push(f);
      this.onFrame?.(f);
      at = end;
    }
    this.unread = this.unread.subarray(at);
  }
  onFrame: ((f: Frame) => void) | undefined;

  private serve(stream: Stream): StreamHandler {
    const path = stream.headers.get(":path") as string;
    const body: Buffer[] = [];
    this.bodies.set(stream.id, body);
    const answer = (out: Buffer[]): void => {
      if (!path.startsWith("/bare")) return stream.answer(OK, out, TRAILERS);
      stream.respond(OK);
      for (const part of out) stream.write(part);
      stream.end();
    };
    if (path === "/throw") throw new Error("a bug");
    if (path.startsWith("/hold")) this.held.push(stream);
    return {
      data: (chunk) => body.push(Buffer.from(chunk)),
      end: () => {
        if (path === "/throw-later") throw new Error("a bug");
        const bytes = /\/bytes\/(\d+)$/.exec(path)?.[1];
        if (bytes !== undefined) answer(pieces(Number(bytes)));
        else if (path.endsWith("/empty")) answer([]);
        else if (path === "/echo") answer([Buffer.concat(body)]);
      },
      drained: () => undefined,
      closed: (code) => this.closed.push([stream.id, code]),
    };
  }
}

/** What `/bytes/<n>` answers: its bytes tell where they are. */
export function expectedBytes(n: number): Buffer {
  const out = Buffer.alloc(n);
  for (let i = 0; i < n; i++) out[i] = (i * 7 + (i >> 8)) & 255;
  return out;
}

/** Of all sizes: empty, small ones that are copied, large ones that are not. */
function pieces(n: number): Buffer[] {
  const all = expectedBytes(n);
  const out: Buffer[] = [];
  for (let at = 0, size = 1; at < n; at += size, size = (size * 5) % 30_011) out.push(all.subarray(at, at + size));
  out.push(Buffer.alloc(0));
  return out;
}

const OK = encodeHeaders({ ":status": 200 });
const TRAILERS = encodeHeaders({ "x-trailer": "end" });

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
