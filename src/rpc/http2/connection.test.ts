/** The server's side of a connection against RFC 9113: every fault that a client can commit, flow control, bounds, and the ways to end. */
import { describe, expect, it } from "vitest";
import { Random } from "../../lib/random.js";
import { ACK, END_HEADERS, END_STREAM, ErrorCode, FrameType, PADDED, PREFACE, PRIORITY_FLAG, Setting, WINDOW_DEFAULT, WINDOW_MAX } from "./frames.js";
import { encodeHeaders } from "./hpack.js";
import {
  data,
  expectedBytes,
  type Frame,
  frame,
  GET,
  get,
  headers,
  PeerUnderTest,
  ping,
  reset,
  settings,
  uint32,
  windowUpdate,
} from "./peer-under-test.js";

const MIB = 1024 * 1024;
const { HEADERS, DATA, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType;
const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM, CANCEL, NO_ERROR } = ErrorCode;
const WHOLE = END_HEADERS | END_STREAM;
const BLOCK = encodeHeaders(GET);
const open = (id: number): Buffer => headers(id, { ":path": "/hold" });
const raw = (id: number, flags: number, list: [string, string][]): Buffer =>
  frame(HEADERS, flags, id, Buffer.concat(list.map(([n, v]) => encodeHeaders({ [n]: v }))));
const REQUEST = Object.entries(GET) as [string, string][];
const without = (name: string): [string, string][] => REQUEST.filter(([n]) => n !== name);
const priority = (dependsOn: number): Buffer => Buffer.concat([uint32(dependsOn), Buffer.from([1])]);

/** Draws below what is asked for. */
function draws(seed: number): (n: number) => number {
  const random = new Random(seed);
  return (n) => random.uint32() % n;
}

describe("a connection ends", () => {
  it.each<[string, ErrorCode, Buffer[]]>([
    ["DATA of no stream", PROTOCOL_ERROR, [data(0, "x")]],
    ["DATA of an idle stream", PROTOCOL_ERROR, [data(1, "x")]],
    ["DATA of a stream with a number that is the server's", PROTOCOL_ERROR, [open(3), data(2, "x")]],
    ["DATA with more padding than frame", PROTOCOL_ERROR, [open(1), frame(DATA, PADDED, 1, "\x05abcd")]],
    ["DATA that says it is padded and is empty", PROTOCOL_ERROR, [open(1), frame(DATA, PADDED, 1)]],
    ["HEADERS of no stream", PROTOCOL_ERROR, [headers(0)]],
    ["HEADERS of a stream with a number that is the server's", PROTOCOL_ERROR, [headers(2)]],
    ["HEADERS of a stream that was passed over", PROTOCOL_ERROR, [open(5), headers(3)]],
    ["HEADERS of a stream that has ended", STREAM_CLOSED, [get(1, "/empty"), headers(1)]],
    ["HEADERS of a stream that the client gave up", STREAM_CLOSED, [open(1), reset(1), headers(1)]],
    ["HEADERS with more padding than frame", PROTOCOL_ERROR, [frame(HEADERS, WHOLE | PADDED, 1, "\x05abcd")]],
    ["HEADERS that say they are padded and are empty", FRAME_SIZE_ERROR, [frame(HEADERS, WHOLE | PADDED, 1)]],
    ["HEADERS cut off in their priority", FRAME_SIZE_ERROR, [frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, "\0\0\0\0")]],
    ["HEADERS of a stream that depends on itself", PROTOCOL_ERROR, [frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, Buffer.concat([priority(1), BLOCK]))]],
    ["a block of headers that cannot be read", COMPRESSION_ERROR, [frame(HEADERS, WHOLE, 1, "\x80")]],
    ["trailers that cannot be read", COMPRESSION_ERROR, [open(1), frame(HEADERS, WHOLE, 1, "\xbe")]],
    ["HEADERS within a block of headers", PROTOCOL_ERROR, [frame(HEADERS, 0, 1, BLOCK), headers(3)]],
    ["DATA within a block of headers", PROTOCOL_ERROR, [open(1), frame(HEADERS, 0, 3, BLOCK), data(1, "x")]],
    ["a PING within a block of headers", PROTOCOL_ERROR, [frame(HEADERS, 0, 1, BLOCK), ping()]],
    ["an unknown frame within a block of headers", PROTOCOL_ERROR, [frame(HEADERS, 0, 1, BLOCK), frame(0xfa, 0, 1)]],
    ["CONTINUATION of another stream", PROTOCOL_ERROR, [frame(HEADERS, 0, 1, BLOCK), frame(CONTINUATION, END_HEADERS, 3)]],
    ["CONTINUATION of no stream", PROTOCOL_ERROR, [frame(HEADERS, 0, 1, BLOCK), frame(CONTINUATION, END_HEADERS, 0)]],
    ["CONTINUATION of a block that was whole", PROTOCOL_ERROR, [open(1), frame(CONTINUATION, END_HEADERS, 1)]],
    [
      "CONTINUATION behind a CONTINUATION that was the last",
      PROTOCOL_ERROR,
      [frame(HEADERS, 0, 1, BLOCK), frame(CONTINUATION, END_HEADERS, 1), frame(CONTINUATION, END_HEADERS, 1)],
    ],
    ["CONTINUATION behind DATA", PROTOCOL_ERROR, [open(1), data(1, "x"), frame(CONTINUATION, END_HEADERS, 1)]],
    ["CONTINUATION of an idle stream", PROTOCOL_ERROR, [frame(CONTINUATION, END_HEADERS, 1, BLOCK)]],
    ["an empty CONTINUATION that is not the last", ENHANCE_YOUR_CALM, [frame(HEADERS, 0, 1, BLOCK), frame(CONTINUATION, 0, 1)]],
    ["PRIORITY of no stream", PROTOCOL_ERROR, [frame(PRIORITY, 0, 0, priority(1))]],
    ["PRIORITY of a stream that depends on itself", PROTOCOL_ERROR, [frame(PRIORITY, 0, 3, priority(3))]],
    ["PRIORITY of the wrong size of an idle stream", FRAME_SIZE_ERROR, [frame(PRIORITY, 0, 3, "1234")]],
    ["RST_STREAM of no stream", PROTOCOL_ERROR, [reset(0)]],
    ["RST_STREAM of an idle stream", PROTOCOL_ERROR, [reset(1)]],
    ["RST_STREAM of a stream of the server's, which begins none", PROTOCOL_ERROR, [open(3), reset(2)]],
    ["RST_STREAM of the wrong size", FRAME_SIZE_ERROR, [open(1), frame(RST_STREAM, 0, 1, "123")]],
    ["SETTINGS of a stream", PROTOCOL_ERROR, [frame(SETTINGS, 0, 1)]],
    ["SETTINGS that are cut off", FRAME_SIZE_ERROR, [frame(SETTINGS, 0, 0, "123")]],
    ["SETTINGS that acknowledge and say something", FRAME_SIZE_ERROR, [frame(SETTINGS, ACK, 0, "123456")]],
    ["SETTINGS_ENABLE_PUSH of 2", PROTOCOL_ERROR, [settings([Setting.ENABLE_PUSH, 2])]],
    ["SETTINGS_INITIAL_WINDOW_SIZE of 2^31", FLOW_CONTROL_ERROR, [settings([Setting.INITIAL_WINDOW_SIZE, 2 ** 31])]],
    ["SETTINGS_MAX_FRAME_SIZE of 16,383", PROTOCOL_ERROR, [settings([Setting.MAX_FRAME_SIZE, 16_383])]],
    ["SETTINGS_MAX_FRAME_SIZE of 2^24", PROTOCOL_ERROR, [settings([Setting.MAX_FRAME_SIZE, 2 ** 24])]],
    [
      "SETTINGS that push a stream's window beyond 2^31-1",
      FLOW_CONTROL_ERROR,
      [open(1), windowUpdate(1, 1), settings([Setting.INITIAL_WINDOW_SIZE, WINDOW_MAX])],
    ],
    ["PUSH_PROMISE", PROTOCOL_ERROR, [open(1), frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([uint32(2), BLOCK]))]],
    ["PING of a stream", PROTOCOL_ERROR, [frame(PING, 0, 1, "12345678")]],
    ["PING of the wrong size", FRAME_SIZE_ERROR, [frame(PING, 0, 0, "1234567")]],
    ["GOAWAY of a stream", PROTOCOL_ERROR, [frame(GOAWAY, 0, 1, "12345678")]],
    ["GOAWAY that is cut off", FRAME_SIZE_ERROR, [frame(GOAWAY, 0, 0, "1234567")]],
    ["WINDOW_UPDATE of nothing", PROTOCOL_ERROR, [windowUpdate(0, 0)]],
    ["WINDOW_UPDATE of nothing, but for the reserved bit", PROTOCOL_ERROR, [windowUpdate(0, 2 ** 31)]],
    ["WINDOW_UPDATE of an idle stream", PROTOCOL_ERROR, [windowUpdate(1, 1)]],
    ["WINDOW_UPDATE of the wrong size", FRAME_SIZE_ERROR, [frame(WINDOW_UPDATE, 0, 0, "123")]],
    ["WINDOW_UPDATE beyond 2^31-1", FLOW_CONTROL_ERROR, [windowUpdate(0, WINDOW_MAX - WINDOW_DEFAULT), windowUpdate(0, 1)]],
    ["a frame larger than 16,384 bytes", FRAME_SIZE_ERROR, [open(1), data(1, Buffer.alloc(16_385))]],
    ["an unknown frame that is larger", FRAME_SIZE_ERROR, [frame(0xfa, 0, 0, Buffer.alloc(16_385))]],
  ])("with GOAWAY on %s", async (_, code, frames) => {
    const peer = await PeerUnderTest.open();
    // The answers that come before may have to be on their way: one frame a turn, as a client would.
    for (const f of frames) {
      peer.send(f);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.when(() => peer.isEnded);
    expect(ErrorCode[peer.goAway() as number]).toBe(ErrorCode[code]);
    expect([peer.errors.length, peer.bugs, peer.connection.isClosed]).toEqual([1, [], true]);
    // Those that were open have been told, and nothing of the connection is left when the time to linger is over.
    expect(peer.streamsClosed).toBe(peer.bodies.size);
    peer.send(get(101, "/empty"));
    peer.runtime.elapse(1_000);
    await peer.when(() => peer.socket.destroyed);
    expect(peer.runtime.timers.size).toBe(0);
    expect(peer.of(101)).toEqual([]);
  });

  it.each<[string, Buffer]>([
    ["no preface", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX")],
    ["another frame than SETTINGS first", Buffer.concat([PREFACE, ping()])],
  ])("with GOAWAY on %s", async (_, bytes) => {
    const peer = new PeerUnderTest();
    peer.send(bytes);
    await peer.when(() => peer.isEnded);
    expect(peer.goAway()).toBe(PROTOCOL_ERROR);
  });

  it("with GOAWAY, not the process, when a handler throws", async () => {
    for (const path of ["/throw", "/throw-later"]) {
      const peer = await PeerUnderTest.open();
      peer.send(get(1, path));
      await peer.when(() => peer.isEnded);
      expect([peer.goAway(), peer.bugs]).toEqual([ErrorCode.INTERNAL_ERROR, [new Error("a bug")]]);
    }
  });
});

describe("a stream ends, and the connection goes on,", () => {
  const MALFORMED: [string, Buffer][] = [
    ["an upper-case name", raw(1, WHOLE, [...REQUEST, ["X-Test", "v"]])],
    ["a name that is no token", raw(1, WHOLE, [...REQUEST, ["a b", "v"]])],
    ["a line feed in a value", raw(1, WHOLE, [...REQUEST, ["a", "b\nc"]])],
    ["an unknown pseudo header", raw(1, WHOLE, [...REQUEST, [":test", "v"]])],
    ["the pseudo header of an answer", raw(1, WHOLE, [...REQUEST, [":status", "200"]])],
    ["a pseudo header behind another header", raw(1, WHOLE, [...without(":path"), ["a", "b"], [":path", "/"]])],
    ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"].map((name): [string, Buffer] => [
      `the header ${name}`,
      raw(1, WHOLE, [...REQUEST, [name, "x"]]),
    ]),
    ["te other than trailers", raw(1, WHOLE, [...REQUEST, ["te", "trailers, deflate"]])],
    ["an empty path", raw(1, WHOLE, [...without(":path"), [":path", ""]])],
    ["an empty method", raw(1, WHOLE, [...without(":method"), [":method", ""]])],
    ["CONNECT", raw(1, WHOLE, [...without(":method"), [":method", "CONNECT"]])],
    ...[":method", ":scheme", ":path"].map((name): [string, Buffer] => [`no ${name}`, raw(1, WHOLE, without(name))]),
    ...REQUEST.map(([name, value]): [string, Buffer] => [`${name} twice`, raw(1, WHOLE, [[name, value], ...REQUEST])]),
    [":authority twice", raw(1, WHOLE, [[":authority", "a"], [":authority", "a"], ...REQUEST])],
    ["a content-length that is no number", raw(1, WHOLE, [...REQUEST, ["content-length", "-1"]])],
    ["two content-lengths", raw(1, END_HEADERS, [...REQUEST, ["content-length", "1"], ["content-length", "2"]])],
    ["a content-length and no body", raw(1, WHOLE, [...REQUEST, ["content-length", "1"]])],
    ["no headers at all", frame(HEADERS, WHOLE, 1)],
  ];
  it.each<[string, ErrorCode, Buffer[]]>([
    ...MALFORMED.map(([what, f]): [string, ErrorCode, Buffer[]] => [`a request with ${what}`, PROTOCOL_ERROR, [f]]),
    ["a body shorter than its content-length", PROTOCOL_ERROR, [headers(1, { "content-length": "3" }), data(1, "ab", END_STREAM)]],
    ["a body longer than its content-length", PROTOCOL_ERROR, [headers(1, { "content-length": "3" }), data(1, "ab"), data(1, "cd")]],
    ["trailers before a body is as long as it should be", PROTOCOL_ERROR, [headers(1, { "content-length": "3" }), raw(1, WHOLE, [["a", "b"]])]],
    ["trailers that do not end the request", PROTOCOL_ERROR, [open(1), raw(1, END_HEADERS, [["a", "b"]])]],
    ["trailers with a pseudo header", PROTOCOL_ERROR, [open(1), raw(1, WHOLE, [[":path", "/"]])]],
    ["DATA behind the end of the request", STREAM_CLOSED, [get(1, "/hold"), data(1, "x")]],
    ["HEADERS behind the end of the request", STREAM_CLOSED, [get(1, "/hold"), headers(1)]],
    ["DATA behind the end of the stream", STREAM_CLOSED, [get(1, "/empty"), data(1, "x")]],
    ["DATA of a stream that the client gave up", STREAM_CLOSED, [open(1), reset(1), data(1, "x")]],
    ["PRIORITY of the wrong size", FRAME_SIZE_ERROR, [open(1), frame(PRIORITY, 0, 1, "1234")]],
    ["WINDOW_UPDATE of nothing", PROTOCOL_ERROR, [open(1), windowUpdate(1, 0)]],
    ["WINDOW_UPDATE beyond 2^31-1", FLOW_CONTROL_ERROR, [open(1), windowUpdate(1, WINDOW_MAX - WINDOW_DEFAULT), windowUpdate(1, 1)]],
    ["DATA beyond the stream's window", FLOW_CONTROL_ERROR, [open(1), Buffer.concat([...new Array(65)].map(() => data(1, Buffer.alloc(16_384))))]],
  ])("on %s", async (what, code, frames) => {
    const peer = await PeerUnderTest.open();
    if (what.startsWith("DATA beyond")) {
      // Otherwise it would be told to go on in time.
      peer.send(frames.shift() as Buffer);
      await peer.when(() => peer.held.length === 1);
      peer.held[0]?.pause();
    }
    for (const f of frames) {
      peer.send(f);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { payload } = await peer.until((f) => f.type === RST_STREAM);
    expect(ErrorCode[payload.readUInt32BE()]).toBe(ErrorCode[code]);
    peer.send(get(3, "/bytes/10"));
    await peer.when(() => peer.isAnswered(3));
    expect(peer.body(3)).toEqual(expectedBytes(10));
    expect([peer.goAway(), peer.bugs, peer.streamsClosed]).toEqual([undefined, [], peer.bodies.size]);
    expect(peer.of(1, RST_STREAM)).toHaveLength(1);
  });
});

describe("a connection takes without a word", () => {
  it.each<[string, Buffer[]]>([
    ["unknown frames, whatever their flags and stream", [frame(0x16, 255, 0, "abc"), frame(0xff, 255, 77, "abc")]],
    [
      "unknown settings, and known ones that do not concern it",
      [settings([0xff, 7], [Setting.HEADER_TABLE_SIZE, 0], [Setting.MAX_CONCURRENT_STREAMS, 0], [Setting.ENABLE_PUSH, 0])],
    ],
    ["PRIORITY of idle, open and closed streams", [frame(PRIORITY, 0, 9, priority(1)), get(1, "/empty"), frame(PRIORITY, 0, 1, priority(3))]],
    ["flags that a frame does not have", [frame(PING, 0xfe, 0, "12345678"), frame(HEADERS, 0xd6 | WHOLE, 1, BLOCK)]],
    ["the reserved bit of a stream's number", [frame(HEADERS, WHOLE, 2 ** 31 + 1, BLOCK)]],
    ["RST_STREAM and WINDOW_UPDATE of closed streams", [get(1, "/empty"), reset(1, 0xfff as ErrorCode), windowUpdate(1, 1), windowUpdate(1, 0)]],
    ["a PING's answer that it has not asked for", [frame(PING, ACK, 0, "12345678")]],
    ["settings acknowledged twice", [frame(SETTINGS, ACK, 0), frame(SETTINGS, ACK, 0)]],
    [
      "an empty CONTINUATION that ends the block, and an empty HEADERS before it",
      [frame(HEADERS, END_STREAM, 1), frame(CONTINUATION, 0, 1, BLOCK), frame(CONTINUATION, END_HEADERS, 1)],
    ],
    ["empty DATA", [open(1), data(1, ""), data(1, "")]],
    ["padding of everything but a byte", [open(1), frame(DATA, PADDED, 1, `\x03\0\0\0`)]],
  ])("%s", async (_, frames) => {
    const peer = await PeerUnderTest.open();
    for (const f of frames) {
      peer.send(f);
      await new Promise((resolve) => setImmediate(resolve));
    }
    peer.send(get(103, "/bytes/10"));
    await peer.when(() => peer.isAnswered(103));
    expect([peer.goAway(), peer.errors, peer.frames.filter((f) => f.type === RST_STREAM)]).toEqual([undefined, [], []]);
  });

  it("what was on its way to a stream that it gave up, trailers too", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(headers(1, { ":path": "/hold" }));
    await peer.when(() => peer.held.length === 1);
    peer.held[0]?.reset(CANCEL);
    peer.send(data(1, "late"), raw(1, WHOLE, [["late", "1"]]));
    await peer.settled();
    expect(peer.of(1).map((f) => f.type)).toEqual([RST_STREAM]);
    expect(peer.goAway()).toBeUndefined();
  });
});

describe("a request", () => {
  it("arrives with its headers in order, its body and the end of it", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(
      frame(HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG, 1, Buffer.concat([Buffer.from([3]), priority(77), BLOCK, Buffer.alloc(3)])),
      data(1, "first "),
      frame(DATA, PADDED, 1, "\x04second\0\0\0\0"),
      raw(1, WHOLE, [["trailer", "x"]]),
    );
    await peer.when(() => peer.isAnswered(1));
    expect(peer.body(1).toString()).toBe("first second");
    expect([peer.headersOf(1), peer.headersOf(1, -1)]).toEqual([[":status: 200"], ["x-trailer: end"]]);
    expect(peer.closed).toEqual([[1, undefined]]);
  });

  it("is answered as soon as it can be, with others open", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(open(1), open(3), get(5, "/bytes/3"), data(1, "x"));
    await peer.when(() => peer.isAnswered(5));
    expect(peer.closed).toEqual([[5, undefined]]);
  });

  it("whose answer does not depend on the rest is told so behind the answer, once that has gone", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 3]);
    peer.send(open(1));
    await peer.when(() => peer.held.length === 1);
    const [stream] = peer.held;
    stream?.answer(encodeHeaders({ ":status": 200 }), [Buffer.from("12345")], encodeHeaders({ a: "b" }));
    stream?.refuseRest();
    await peer.settled();
    expect(peer.of(1).map((f) => f.type)).toEqual([HEADERS, DATA]);
    peer.send(windowUpdate(1, 2));
    await peer.until((f) => f.type === RST_STREAM);
    expect(peer.of(1).map((f) => f.type)).toEqual([HEADERS, DATA, DATA, HEADERS, RST_STREAM]);
    expect(peer.of(1).at(-1)?.payload.readUInt32BE()).toBe(NO_ERROR);
    expect(peer.streamsClosed).toBe(1);
  });

  it("with too large headers is answered 431, and the next one is read", async () => {
    const peer = await PeerUnderTest.open();
    const block = Buffer.concat([BLOCK, ...new Array(70).fill(encodeHeaders({ a: "b".repeat(15_000) }))]);
    const parts = [frame(HEADERS, END_STREAM, 1, block.subarray(0, 16_384))];
    for (let at = 16_384; at < block.length; at += 16_384)
      parts.push(frame(CONTINUATION, at + 16_384 >= block.length ? END_HEADERS : 0, 1, block.subarray(at, at + 16_384)));
    // Just below what is read at all: the list counts more than its bytes.
    expect(block.length).toBeGreaterThan(MIB);
    const tooLong = await PeerUnderTest.open();
    tooLong.send(...parts);
    await tooLong.when(() => tooLong.isEnded);
    expect(tooLong.goAway()).toBe(ENHANCE_YOUR_CALM);

    const many = Buffer.concat([BLOCK, ...new Array(32_000).fill(encodeHeaders({ a: "b" }))]);
    const pieces = [frame(HEADERS, END_STREAM, 1, many.subarray(0, 16_384))];
    for (let at = 16_384; at < many.length; at += 16_384)
      pieces.push(frame(CONTINUATION, at + 16_384 >= many.length ? END_HEADERS : 0, 1, many.subarray(at, at + 16_384)));
    peer.send(...pieces, get(3, "/bytes/1"));
    await peer.when(() => peer.isAnswered(3));
    expect(peer.headersOf(1)).toEqual([":status: 431"]);
    expect(peer.bodies.has(1)).toBe(false);
  });
});

describe("an answer", () => {
  it("is written with those that are ready with it, before the loop goes on", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(get(1, "/hold"), get(3, "/hold"), get(5, "/hold"));
    await peer.settled();
    const before = peer.writes;
    const seen = await new Promise<number>((resolve) =>
      setImmediate(async () => {
        setImmediate(() => resolve(peer.writes - before));
        for (const stream of peer.held) {
          await undefined;
          stream.answer(encodeHeaders({ ":status": 200 }), [Buffer.from("x")], encodeHeaders({ a: "b" }));
        }
      }),
    );
    expect(seen).toBe(1);
    expect([1, 3, 5].map((id) => peer.isAnswered(id))).toEqual([true, true, true]);
  });

  it("is written with the acknowledgements of what was read with its request", async () => {
    const peer = await PeerUnderTest.open();
    const before = peer.writes;
    peer.send(ping(), settings([Setting.MAX_FRAME_SIZE, 20_000]), get(1, "/empty"), ping());
    await peer.when(() => peer.isAnswered(1));
    expect(peer.writes - before).toBe(1);
    expect(peer.frames.map((f) => FrameType[f.type])).toEqual(["PING", "SETTINGS", "HEADERS", "HEADERS", "PING"]);
  });

  it.each([0, 1, 2, 100, 65_535, 65_536, 300_000])("of %i bytes comes whole through any window, and never more than it", async (size) => {
    for (const window of [1, 7, 1000, 16_384, 65_535, 1_000_000]) {
      if (size / window > 3_000) continue;
      for (const path of ["/bytes", "/bare/bytes"]) {
        const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, window]);
        let left = window;
        let leftOfAll = WINDOW_DEFAULT;
        let turnOf = 0;
        peer.onFrame = (f) => {
          if (f.type !== DATA) return;
          left -= f.payload.length;
          leftOfAll -= f.payload.length;
          expect(Math.min(left, leftOfAll)).toBeGreaterThanOrEqual(0);
          expect(f.payload.length).toBeLessThanOrEqual(16_384);
          if (f.payload.length === 0) return;
          // The two in either order.
          const more = [windowUpdate(1, f.payload.length), windowUpdate(0, f.payload.length)];
          left += f.payload.length;
          leftOfAll += f.payload.length;
          peer.send(...(turnOf++ % 2 === 0 ? more : more.reverse()));
        };
        peer.send(get(1, `${path}/${size}`));
        await peer.when(() => peer.isAnswered(1));
        expect(peer.body(1).equals(expectedBytes(size))).toBe(true);
        expect(peer.closed).toEqual([[1, undefined]]);
      }
    }
  });

  it("waits for a window of nothing, and its headers do not", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 0]);
    peer.send(get(1, "/bytes/5"), get(3, "/empty"));
    await peer.settled();
    expect([peer.of(1).length, peer.isAnswered(3)]).toEqual([1, true]);
    peer.send(windowUpdate(1, 1));
    await peer.settled();
    expect(peer.body(1)).toEqual(expectedBytes(5).subarray(0, 1));
    peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 100]));
    await peer.when(() => peer.isAnswered(1));
    expect(peer.body(1)).toEqual(expectedBytes(5));
  });

  it("waits when the window shrinks below what is on its way, until that is made good", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 100]);
    peer.send(get(1, "/bytes/200"));
    await peer.settled();
    expect(peer.body(1)).toHaveLength(100);
    // 100 in flight of 10: 90 less than nothing.
    peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 10]), windowUpdate(1, 90));
    await peer.settled();
    expect(peer.body(1)).toHaveLength(100);
    peer.send(windowUpdate(1, 1));
    await peer.settled();
    expect(peer.body(1)).toHaveLength(101);
    peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 60]));
    await peer.settled();
    expect(peer.body(1)).toHaveLength(151);
    // One frame may say it twice: the last is what counts.
    peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 60_000], [Setting.INITIAL_WINDOW_SIZE, 61]));
    await peer.settled();
    expect(peer.body(1)).toHaveLength(152);
  });

  it("comes in frames as large as the peer takes them, within reason", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 500_000], [Setting.MAX_FRAME_SIZE, 2 ** 24 - 1]);
    peer.send(windowUpdate(0, 500_000), get(1, "/bytes/300000"));
    await peer.when(() => peer.isAnswered(1));
    expect(Math.max(...peer.of(1, DATA).map((f) => f.payload.length))).toBe(65_536);
    expect(peer.body(1).equals(expectedBytes(300_000))).toBe(true);
  });

  it("with large headers and trailers goes on in CONTINUATION frames that nothing interrupts", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(open(1), open(3));
    await peer.when(() => peer.held.length === 2);
    for (const stream of peer.held)
      stream.answer(encodeHeaders({ ":status": 200, a: "x".repeat(40_000) }), [Buffer.from("b")], encodeHeaders({ c: "y".repeat(32_764) }));
    await peer.when(() => peer.isAnswered(3));
    expect(peer.headersOf(1)).toEqual([":status: 200", `a: ${"x".repeat(40_000)}`]);
    expect(peer.headersOf(3, -1)).toEqual([`c: ${"y".repeat(32_764)}`]);
    const kinds = peer.frames.filter((f) => f.id === 1 || f.id === 3).map((f) => `${f.id} ${FrameType[f.type]} ${f.flags & WHOLE}`);
    const one = (id: number): string[] => [`${id} HEADERS 0`, `${id} CONTINUATION 0`, `${id} CONTINUATION 4`, `${id} DATA 0`, `${id} HEADERS 1`];
    expect(kinds.filter((k) => k.startsWith("1"))).toEqual([...one(1), "1 CONTINUATION 0", "1 CONTINUATION 4"].slice(0, kinds.length / 2));
    expect(kinds.slice(0, kinds.length / 2)).toEqual(kinds.filter((k) => k.startsWith("1")));
  });

  it("shares the connection's window with the others, a frame each in turn", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 1_000_000]);
    // The window of the connection goes to the first.
    peer.send(get(1, "/bytes/500000"));
    await peer.settled();
    for (const id of [3, 5, 7]) peer.send(get(id, "/bytes/200000"));
    await peer.settled();
    peer.frames.length = 0;
    for (let i = 0; i < 12; i++) {
      peer.send(windowUpdate(0, 16_384));
      await peer.settled();
    }
    const order = peer.frames.filter((f) => f.type === DATA).map((f) => f.id);
    expect(order).toEqual([1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7]);
  });

  it("does not wait for one that waits for its own window", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 10]);
    for (let id = 1; id < 2000; id += 2) peer.send(get(id, "/bytes/11"));
    await peer.settled();
    peer.send(windowUpdate(1999, 1));
    await peer.settled();
    expect(peer.frames.filter((f) => f.type === HEADERS && (f.flags & END_STREAM) !== 0).map((f) => f.id)).toEqual([1999]);
    for (let id = 1; id < 1999; id += 2) peer.send(windowUpdate(id, 1));
    await peer.when(() => peer.streamsClosed === 1000);
  });

  it("costs no walk through all streams for every window update", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 0]);
    const streams = 20_000;
    for (let i = 0; i < streams; i++) peer.send(get(2 * i + 1, "/bytes/1"));
    await peer.settled();
    let visits = 0;
    // What looks at a window is counted.
    const windows = new WeakMap<object, number>();
    for (const stream of (peer.connection as unknown as { streams: Map<number, object> }).streams.values()) {
      windows.set(stream, 0);
      Object.defineProperty(stream, "sendWindow", {
        get() {
          visits++;
          return windows.get(this) as number;
        },
        set(value: number) {
          windows.set(this, value);
        },
      });
    }
    for (let i = 0; i < 5_000; i++) peer.send(windowUpdate(0, 1));
    await peer.settled();
    expect(visits).toBeLessThan(streams);
  });

  it("of random sizes through random windows, with settings that change, all come whole", async () => {
    for (let seed = 1; seed <= 15; seed++) {
      const below = draws(seed);
      let initial = below(3) === 0 ? 0 : below(20_000);
      const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, initial]);
      const left = new Map<number, number>();
      const sizes = new Map<number, number>();
      let leftOfAll = WINDOW_DEFAULT;
      let settingsSent = 0;
      /** Until the server has acknowledged new settings, it may go by the old ones. */
      let slack = 0;
      peer.onFrame = (f) => {
        if (f.type === SETTINGS && (f.flags & ACK) !== 0) slack = 0;
        if (f.type !== DATA) return;
        leftOfAll -= f.payload.length;
        left.set(f.id, (left.get(f.id) as number) - f.payload.length);
        if (f.payload.length > 0) expect(left.get(f.id)).toBeGreaterThanOrEqual(-slack);
        expect(leftOfAll).toBeGreaterThanOrEqual(0);
      };
      const update = (id: number, n: number): void => {
        if (id === 0) leftOfAll += n;
        else left.set(id, (left.get(id) as number) + n);
        peer.send(windowUpdate(id, n));
      };
      let id = -1;
      for (let step = 0; step < 150; step++) {
        const pick = below(10);
        const known = [...left.keys()].filter((k) => !peer.isAnswered(k));
        const some = known[below(Math.max(1, known.length))];
        if (pick < 3) {
          id += 2;
          const size = below(4) === 0 ? below(100_000) : below(300);
          left.set(id, initial);
          sizes.set(id, size);
          peer.send(get(id, `${below(2) === 0 ? "/bare" : ""}/bytes/${size}`));
        } else if (pick < 6) {
          if (some !== undefined) update(some, 1 + below(20_000));
        } else if (pick < 8) update(0, 1 + below(30_000));
        else if (pick < 9) {
          if (settingsSent++ < 50) {
            const next = below(30_000);
            slack = Math.max(slack, initial - next);
            for (const k of left.keys()) left.set(k, (left.get(k) as number) + next - initial);
            initial = next;
            peer.send(settings([Setting.INITIAL_WINDOW_SIZE, next]));
            await peer.settled();
          }
        } else await peer.settled();
      }
      for (const k of left.keys()) {
        if (peer.isAnswered(k)) continue;
        update(k, 200_000);
      }
      update(0, 10_000_000);
      await peer.when(() => [...sizes.keys()].every((k) => peer.isAnswered(k)));
      for (const [k, size] of sizes) expect(peer.body(k).equals(expectedBytes(size))).toBe(true);
      expect([peer.errors, peer.bugs]).toEqual([[], []]);
    }
  }, 60_000);
});

describe("an upload", () => {
  it("larger than the windows is told to go on before they are used up", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(open(1));
    let left = MIB;
    let leftOfAll = 8 * MIB;
    peer.onFrame = (f) => {
      if (f.type !== WINDOW_UPDATE) return;
      if (f.id === 0) leftOfAll += f.payload.readUInt32BE();
      else left += f.payload.readUInt32BE();
    };
    const part = Buffer.alloc(16_000, "x");
    for (let i = 0; i < 1500; i++) {
      peer.send(frame(DATA, PADDED, 1, Buffer.concat([Buffer.from([99]), part, Buffer.alloc(99)])));
      // Padding counts.
      left -= 16_100;
      leftOfAll -= 16_100;
      if (i % 20 === 0) await peer.settled();
      expect(Math.min(left, leftOfAll)).toBeGreaterThan(0);
    }
    await peer.settled();
    expect(Buffer.concat(peer.bodies.get(1) as Buffer[]).length).toBe(1500 * 16_000);
  });

  it("that is paused stops at its window, does not stop the others, and goes on when resumed", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(open(1));
    await peer.when(() => peer.held.length === 1);
    peer.held[0]?.pause();
    for (let i = 0; i < 64; i++) peer.send(data(1, Buffer.alloc(16_384)));
    await peer.settled();
    expect(peer.of(1, WINDOW_UPDATE)).toEqual([]);
    peer.send(headers(3), data(3, Buffer.alloc(16_000, "y")), data(3, "", END_STREAM));
    await peer.when(() => peer.isAnswered(3));
    peer.held[0]?.resume();
    await peer.until((f) => f.type === WINDOW_UPDATE && f.id === 1);
    expect(peer.of(1, WINDOW_UPDATE)[0]?.payload.readUInt32BE()).toBe(MIB);
  });

  it("returns the connection's window for what came to streams that have gone", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(open(1));
    await peer.when(() => peer.held.length === 1);
    peer.held[0]?.reset(CANCEL);
    for (let i = 0; i < 600; i++) {
      peer.send(data(1, Buffer.alloc(16_384)));
      if (i % 50 === 0) await peer.settled();
    }
    await peer.settled();
    expect(peer.of(0, WINDOW_UPDATE).length).toBeGreaterThan(1);
    expect(peer.errors).toEqual([]);
  });

  it("beyond the connection's window ends the connection", async () => {
    const peer = await PeerUnderTest.open();
    const connection = peer.connection as unknown as { receiveWindow: number };
    // It cannot be reached by a client that the server keeps up with: the server always returns it in time.
    connection.receiveWindow = 10;
    peer.send(open(1), data(1, "12345678901"));
    await peer.when(() => peer.isEnded);
    expect(peer.goAway()).toBe(FLOW_CONTROL_ERROR);
  });
});

describe("a peer that does not read", () => {
  it("is sent no bodies beyond what the socket takes, and all of them when it reads again", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, WINDOW_MAX]);
    peer.send(windowUpdate(0, WINDOW_MAX - WINDOW_DEFAULT));
    await peer.settled();
    peer.socket.setReading(false);
    for (let id = 1; id < 101; id += 2) peer.send(get(id, "/bytes/300000"));
    await peer.when(() => peer.bodies.size === 50);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(peer.socket.writableLength).toBeLessThan(2 * MIB);
    peer.socket.setReading(true);
    for (let id = 1; id < 101; id += 2) await peer.when(() => peer.isAnswered(id));
    for (let id = 1; id < 101; id += 2) expect(peer.body(id).equals(expectedBytes(300_000))).toBe(true);
  });

  it("is not read from either, whatever it asks for, until it reads", async () => {
    const peer = await PeerUnderTest.open();
    peer.socket.setReading(false);
    // Each answer is all headers: no window holds it back.
    const block = encodeHeaders({ ":status": 200, a: "x".repeat(10_000) });
    let answered = 0;
    const answer = (): void => {
      for (; answered < peer.held.length; answered++) peer.held[answered]?.respond(block, true);
    };
    const asked = 3_000;
    for (let i = 0; i < asked; i++) {
      peer.send(get(2 * i + 1, "/hold"));
      await new Promise((resolve) => setImmediate(resolve));
      answer();
    }
    expect(answered).toBeLessThan(500);
    expect(peer.socket.writableLength).toBeLessThan(5 * MIB);
    peer.socket.setReading(true);
    await peer.when(() => {
      answer();
      return peer.frames.filter((f) => f.type === HEADERS).length === asked;
    });
    expect(peer.errors).toEqual([]);
  });
});

describe("a flood", () => {
  it.each<[string, (i: number) => Buffer, number]>([
    ["pings", () => ping(), 20_000],
    ["settings", () => settings(), 200],
    ["resets", (i) => Buffer.concat([open(2 * i + 1), reset(2 * i + 1)]), 11_000],
    ["streams that the server has to reset", (i) => Buffer.concat([open(2 * i + 1), windowUpdate(2 * i + 1, 0)]), 11_000],
    ["bad requests", (i) => raw(2 * i + 1, WHOLE, [["a", "b"]]), 11_000],
  ])("of %s from a peer that does not read ends its connection", async (_, next, n) => {
    const peer = await PeerUnderTest.open();
    peer.socket.setReading(false);
    for (let i = 0; i < n && !peer.connection.isClosed; i++) {
      peer.send(next(i));
      if (i % 500 === 0) for (let t = 0; t < 3; t++) await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.when(() => peer.connection.isClosed);
    peer.socket.setReading(true);
    await peer.when(() => peer.isEnded);
    expect(peer.goAway()).toBe(ENHANCE_YOUR_CALM);
    expect(peer.streamsClosed).toBe(peer.bodies.size);
  });

  it.each<[string, (i: number) => Buffer, number]>([
    ["pings", () => ping(), 15_000],
    ["settings", () => settings([Setting.INITIAL_WINDOW_SIZE, 5]), 90],
    ["resets", (i) => Buffer.concat([open(2 * i + 1), reset(2 * i + 1)]), 9_000],
  ])("of %s that is none is borne when the peer reads", async (_, next, n) => {
    const peer = await PeerUnderTest.open();
    for (let i = 0; i < n; i++) {
      peer.send(next(i));
      if (i % 500 === 0) await peer.settled();
    }
    await peer.settled();
    expect(peer.errors).toEqual([]);
  });

  it("of tiny CONTINUATION frames ends its connection long before the headers are too large", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(frame(HEADERS, 0, 1), ...new Array(300).fill(frame(CONTINUATION, 0, 1, "\x82")));
    await peer.when(() => peer.isEnded);
    expect(peer.goAway()).toBe(ENHANCE_YOUR_CALM);
  });

  it("of streams beyond 100,000 is refused, and those that are open go on", async () => {
    const peer = await PeerUnderTest.open();
    for (let i = 0; i < 100; i++) {
      peer.send(Buffer.concat(Array.from({ length: 1000 }, (_, k) => open(2 * (1000 * i + k) + 1))));
      await peer.settled();
      peer.frames.length = 0;
    }
    peer.send(open(200_001));
    expect((await peer.until((f) => f.id === 200_001)).payload.readUInt32BE()).toBe(ErrorCode.REFUSED_STREAM);
    peer.held[0]?.respond(encodeHeaders({ ":status": 200 }), true);
    peer.send(data(1, "", END_STREAM), get(200_003, "/bytes/1"));
    await peer.when(() => peer.isAnswered(200_003));
    expect(peer.held).toHaveLength(100_000);
  });
});

describe("frames", () => {
  /** A bit of everything. */
  const conversation = Buffer.concat([
    PREFACE,
    settings([Setting.INITIAL_WINDOW_SIZE, 20]),
    frame(SETTINGS, ACK, 0),
    frame(HEADERS, END_HEADERS | PADDED, 1, Buffer.concat([Buffer.from([2]), BLOCK, Buffer.alloc(2)])),
    data(1, "one"),
    frame(0xfa, 3, 5, "unknown"),
    ping(),
    frame(HEADERS, 0, 3, BLOCK.subarray(0, 4)),
    frame(CONTINUATION, 0, 3, BLOCK.subarray(4, 7)),
    frame(CONTINUATION, END_HEADERS, 3, BLOCK.subarray(7)),
    frame(DATA, PADDED, 1, "\x02two\0\0"),
    data(3, "three", END_STREAM),
    data(1, "", END_STREAM),
    get(5, "/bytes/30"),
    open(7),
    reset(7),
    windowUpdate(5, 100),
    windowUpdate(0, 100),
    frame(PRIORITY, 0, 9, priority(1)),
    raw(9, WHOLE, [["a", "b"]]),
  ]);

  async function play(pieces: Buffer[]): Promise<string[]> {
    const peer = new PeerUnderTest();
    for (const piece of pieces) {
      peer.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.settled();
    const ids = [...new Set(peer.frames.map((f) => f.id))].sort((a, b) => a - b);
    // Bodies may be cut otherwise, and streams may change places.
    const seen = (id: number): string[] => [
      ...peer
        .of(id)
        .filter((f) => f.type !== DATA && f.payload.toString() !== "00000000")
        .map((f) => `${f.type} ${f.flags} ${f.payload.toString("hex")}`),
      peer.body(id).toString("hex"),
    ];
    return [...ids.map((id) => `${id}: ${seen(id)}`), JSON.stringify(peer.closed.sort()), ...peer.errors];
  }

  it("say the same wherever they are cut", async () => {
    const whole = await play([conversation]);
    expect(whole.join("\n")).toContain(Buffer.from("onetwo").toString("hex"));
    for (let at = 1; at < conversation.length; at++) expect(await play([conversation.subarray(0, at), conversation.subarray(at)])).toEqual(whole);
    expect(await play([...conversation].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it("say the same when what is cut is the largest there are", async () => {
    const large = data(1, Buffer.alloc(16_384, "z"));
    for (const at of [1, 8, 9, 10, 16_392]) {
      const peer = await PeerUnderTest.open();
      peer.send(headers(1), large.subarray(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      peer.send(large.subarray(at), large.subarray(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      peer.send(large.subarray(at), data(1, "", END_STREAM));
      await peer.when(() => peer.of(1, DATA).length > 0);
      expect(Buffer.concat(peer.bodies.get(1) as Buffer[])).toEqual(Buffer.alloc(32_768, "z"));
    }
  });

  it("that are random or mutated end in GOAWAY or are borne, never in a throw, and leave no stream", async () => {
    const parts: Buffer[] = [
      open(1),
      open(3),
      headers(5),
      data(1, "abc"),
      data(5, "x", END_STREAM),
      get(7, "/bytes/70000"),
      reset(3),
      ping(),
      settings([Setting.INITIAL_WINDOW_SIZE, 9]),
      windowUpdate(7, 1000),
      windowUpdate(0, 70_000),
      frame(PRIORITY, 0, 1, priority(3)),
      frame(HEADERS, 0, 9, BLOCK.subarray(0, 5)),
      frame(CONTINUATION, END_HEADERS, 9, BLOCK.subarray(5)),
      raw(11, WHOLE, [...REQUEST, ["x", "y".repeat(300)]]),
      frame(DATA, PADDED, 1, "\x01a\0"),
      frame(GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0"),
    ];
    const outcomes = new Map<string, number>();
    for (let seed = 1; seed <= 1500; seed++) {
      const below = draws(seed);
      const peer = await PeerUnderTest.open();
      const n = 1 + below(25);
      for (let i = 0; i < n && !peer.connection.isClosed; i++) {
        let piece: Buffer = Buffer.from(parts[below(parts.length)] as Buffer);
        if (below(12) === 0) piece = frame(below(12), below(256), below(14), Buffer.from(Array.from({ length: below(40) }, () => below(256))));
        // Not the length too often: what follows would be swallowed.
        for (let m = below(8) === 0 ? 1 + below(2) : 0; m > 0; m--)
          piece[(below(6) === 0 ? 0 : 3) + below(Math.max(1, piece.length - 3))] = below(256);
        if (below(30) === 0) piece = piece.subarray(0, below(piece.length));
        peer.send(piece);
        if (below(3) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      expect(peer.bugs).toEqual([]);
      const code = peer.errors.length === 0 ? "borne" : (ErrorCode[peer.goAway() as number] as string);
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
      expect(code).not.toBe("INTERNAL_ERROR");
      peer.connection.destroy();
      await peer.when(() => peer.socket.closed);
      expect(peer.streamsClosed).toBe(peer.bodies.size);
    }
    // The fuzz is worth something only when both happen, for many reasons.
    expect(outcomes.get("borne")).toBeGreaterThan(100);
    expect(outcomes.size).toBeGreaterThan(4);
  }, 60_000);
});

describe("a connection that is closed", () => {
  it("ends at once when it is idle, and says which was the last stream", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(get(1, "/empty"));
    await peer.when(() => peer.isAnswered(1));
    peer.connection.close();
    peer.connection.close();
    await peer.when(() => peer.isEnded);
    expect(peer.frames.filter((f) => f.type === GOAWAY).map((f) => [f.payload.readUInt32BE(0), f.payload.readUInt32BE(4)])).toEqual([
      [2 ** 31 - 1, NO_ERROR],
      [1, NO_ERROR],
    ]);
  });

  it("serves what has begun and what was on its way, ends behind the last answer, and looks at nothing that comes then", async () => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 10]);
    peer.send(get(1, "/bytes/20"), open(3));
    await peer.settled();
    peer.connection.close();
    peer.send(get(5, "/bytes/5"));
    await peer.when(() => peer.isAnswered(5));
    peer.send(windowUpdate(1, 10), reset(3));
    await peer.when(() => peer.isEnded);
    expect(peer.body(1)).toEqual(expectedBytes(20));
    expect(peer.frames.at(-1)?.type).toBe(GOAWAY);
    expect(peer.frames.at(-1)?.payload.readUInt32BE()).toBe(5);
    peer.send(get(7, "/bytes/5"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(peer.bodies.has(7)).toBe(false);
    // A peer that does not go is not waited for.
    peer.runtime.elapse(1_000);
    await peer.when(() => peer.socket.closed);
    expect([peer.errors, peer.runtime.timers.size]).toEqual([[], 0]);
  });

  it("by its peer's GOAWAY ends behind the last answer", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(open(1), frame(GOAWAY, 0, 0, Buffer.concat([uint32(0), uint32(0xffff), Buffer.from("bye")])));
    await peer.settled();
    expect(peer.isEnded).toBe(false);
    peer.held[0]?.answer(encodeHeaders({ ":status": 200 }), [], encodeHeaders({ a: "b" }));
    peer.send(data(1, "", END_STREAM));
    await peer.when(() => peer.isEnded);
    expect(peer.isAnswered(1)).toBe(true);
  });

  it.each<[string, (p: PeerUnderTest) => void]>([
    ["destroyed", (p) => p.connection.destroy()],
    ["cut off", (p) => p.socket.destroy(new Error("ECONNRESET"))],
    ["ended by its peer", (p) => p.socket.push(null)],
  ])("because it is %s tells all its streams once, and whoever asked", async (_, end) => {
    const peer = await PeerUnderTest.open([Setting.INITIAL_WINDOW_SIZE, 0]);
    let told = 0;
    peer.connection.onClose(() => told++);
    peer.send(open(1), get(3, "/bytes/10"), frame(HEADERS, 0, 5, BLOCK));
    await peer.when(() => peer.bodies.size === 2);
    end(peer);
    await peer.when(() => peer.connection.isClosed);
    expect(peer.closed).toEqual([
      [1, CANCEL],
      [3, CANCEL],
    ]);
    expect([told, peer.streamsClosed, peer.connection.isClosed]).toEqual([1, 2, true]);
    peer.connection.onClose(() => told++);
    expect(told).toBe(2);
    // Whoever has not heard yet does no harm.
    peer.held[0]?.respond(encodeHeaders({ ":status": 200 }));
    peer.held[0]?.write(Buffer.from("x"));
    peer.held[0]?.end();
    peer.held[0]?.reset(CANCEL);
    peer.connection.close();
    peer.connection.destroy();
  });
});

describe("a ping of the server", () => {
  it("is answered by the peer's acknowledgement", async () => {
    const peer = await PeerUnderTest.open();
    let answers = 0;
    peer.connection.ping(() => answers++);
    const { payload, flags } = await peer.until((f: Frame) => f.type === PING);
    expect([payload.length, flags]).toEqual([8, 0]);
    expect(answers).toBe(0);
    peer.send(frame(PING, ACK, 0, payload));
    await peer.when(() => answers === 1);
  });

  it("of the peer comes back with its bytes", async () => {
    const peer = await PeerUnderTest.open();
    peer.send(ping("abcdefgh"));
    expect((await peer.until((f) => f.type === PING)).payload.toString()).toBe("abcdefgh");
  });
});
