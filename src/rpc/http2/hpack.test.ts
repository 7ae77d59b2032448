/** The decoder against RFC 7541's own examples, against nghttp2's encoder (that of node:http2), and against whatever breaks the rules. */
import { type ClientHttp2Session, connect, sensitiveHeaders } from "node:http2";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { Random } from "../../lib/random.js";
import { Connection } from "./connection.js";
import { encodeHeaders, Headers, HpackDecoder, HpackError } from "./hpack.js";

const MIB = 1024 * 1024;
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const pairs = (d: HpackDecoder, block: Buffer, max = MIB): string[] => d.decode(block, max).list.map((h) => `${h.name}: ${h.value}`);
/** A literal with a new name: `first` says what the table does with it. */
const literal = (first: number, name: string, value: string): Buffer => Buffer.concat([Buffer.from([first]), text(name), text(value)]);
const text = (s: string): Buffer => Buffer.concat([integer(s.length, 7, 0), Buffer.from(s, "latin1")]);
/** Integers below what is asked for. */
function draws(seed: number): (n: number) => number {
  const random = new Random(seed);
  return (n) => random.uint32() % n;
}
const INDEXED = 0x40;
const PLAIN = 0;
const NEVER = 0x10;

function integer(value: number, prefixBits: number, flags: number): Buffer {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return Buffer.from([flags | value]);
  const out = [flags | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push(128 + (rest % 128));
  return Buffer.from([...out, rest]);
}
const index = (i: number): Buffer => integer(i, 7, 0x80);
const tableSize = (n: number): Buffer => integer(n, 5, 0x20);

describe("RFC 7541, appendix C", () => {
  const REQUESTS = [
    [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
    [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
    [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
  ];
  const DATE = "date: Mon, 21 Oct 2013 20:13:21 GMT";
  const LOCATION = "location: https://www.example.com";
  const COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
  const RESPONSES = [
    [":status: 302", "cache-control: private", DATE, LOCATION],
    [":status: 307", "cache-control: private", DATE, LOCATION],
    [":status: 200", "cache-control: private", DATE.replace(":21", ":22"), LOCATION, "content-encoding: gzip", COOKIE],
  ];

  it.each([
    ["C.2.1, a literal for the table", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header"],
    ["C.2.2, a literal without the table", "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path"],
    ["C.2.3, a literal for no table ever", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret"],
    ["C.2.4, an index", "82", ":method: GET"],
  ])("%s", (_, hex, header) => {
    const decoder = new HpackDecoder();
    expect(pairs(decoder, bytes(hex))).toEqual([header]);
    if (hex.startsWith("40")) expect(pairs(decoder, index(62))).toEqual([header]);
    else expect(() => decoder.decode(index(62), MIB)).toThrow(HpackError);
  });

  it.each([
    [
      "C.3, requests",
      REQUESTS,
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
    ],
    [
      "C.4, requests in Huffman's code",
      REQUESTS,
      ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf", "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"],
    ],
    // The table of these is of 256 bytes: 3fe101.
    [
      "C.5, responses, with eviction",
      RESPONSES,
      [
        "3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
      ],
    ],
    [
      "C.6, responses in Huffman's code, with eviction",
      RESPONSES,
      [
        "3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
      ],
    ],
  ])("%s", (_, expected, blocks) => {
    const decoder = new HpackDecoder();
    expect(blocks.map((hex) => pairs(decoder, bytes(hex)))).toEqual(expected);
  });
});

describe("the table", () => {
  /** 10 + 22 + 32 = 64 bytes. */
  const entry = (i: number): Buffer => literal(INDEXED, `name-${String(i).padStart(5, "0")}`, "v".repeat(22));
  const named = (i: number): string => `name-${String(i).padStart(5, "0")}: ${"v".repeat(22)}`;

  it("holds 4,096 bytes, newest first, and drops the oldest for a new one", () => {
    const decoder = new HpackDecoder();
    for (let i = 0; i < 500; i++) {
      decoder.decode(entry(i), MIB);
      const size = Math.min(i + 1, 64);
      expect(pairs(decoder, Buffer.concat([index(62), index(61 + size)]))).toEqual([named(i), named(i - size + 1)]);
      expect(() => decoder.decode(index(62 + size), MIB)).toThrow(HpackError);
    }
  });

  it("is emptied by an entry larger than itself, which it does not take", () => {
    const decoder = new HpackDecoder();
    decoder.decode(entry(1), MIB);
    expect(pairs(decoder, literal(INDEXED, "a", "b".repeat(5000)))).toEqual([`a: ${"b".repeat(5000)}`]);
    expect(() => decoder.decode(index(62), MIB)).toThrow(HpackError);
    decoder.decode(entry(2), MIB);
    expect(pairs(decoder, index(62))).toEqual([named(2)]);
  });

  it("keeps nothing of what it has dropped, however large that was", () => {
    const decoder = new HpackDecoder();
    const huge = literal(INDEXED, "a", "b".repeat(MIB));
    for (let i = 0; i < 50; i++) decoder.decode(huge, MIB);
    expect(JSON.stringify(decoder, (key, value) => (key === "buf" ? undefined : value)).length).toBeLessThan(10_000);
  });

  it("gives the name of an entry to a new one that drops it", () => {
    const decoder = new HpackDecoder();
    decoder.decode(literal(INDEXED, "the-name", "x".repeat(4000)), MIB);
    expect(pairs(decoder, Buffer.concat([integer(62, 6, INDEXED), text("y".repeat(4000)), index(62)]))).toEqual([
      `the-name: ${"y".repeat(4000)}`,
      `the-name: ${"y".repeat(4000)}`,
    ]);
  });

  it("takes new sizes up to 4,096 before the first header of a block, more than one too", () => {
    const decoder = new HpackDecoder();
    decoder.decode(Buffer.concat([entry(1), entry(2)]), MIB);
    expect(pairs(decoder, Buffer.concat([tableSize(64), index(62)]))).toEqual([named(2)]);
    expect(() => decoder.decode(index(63), MIB)).toThrow(HpackError);
    expect(pairs(decoder, Buffer.concat([tableSize(0), tableSize(4096), entry(3), index(62)]))).toEqual([named(3), named(3)]);
    expect(() => decoder.decode(index(63), MIB)).toThrow(HpackError);
    expect(pairs(decoder, tableSize(4096))).toEqual([]);
  });

  it.each([
    ["larger than what was allowed", tableSize(4097)],
    ["behind a header", Buffer.concat([index(2), tableSize(100)])],
    ["behind a header that is too much for the list", Buffer.concat([literal(PLAIN, "a", "b".repeat(MIB)), tableSize(100)])],
  ])("takes no size %s", (_, block) => {
    expect(() => new HpackDecoder().decode(block, MIB)).toThrow(HpackError);
  });
});

describe("a malformed block", () => {
  it.each([
    ["index 0", index(0)],
    ["an index beyond the static table when the other is empty", index(62)],
    ["an index beyond everything", index(2 ** 27)],
    ["the name of an entry that is not there", Buffer.concat([integer(62, 4, PLAIN), text("v")])],
    ["an integer that is cut off", bytes("ff")],
    ["an integer that is cut off later", bytes("ff 80 80")],
    ["an integer of more bytes than any needs", bytes("ff 80 80 80 80 80 80 80 80 80 01")],
    ["an integer beyond 32 bits", bytes("ff ff ff ff ff ff 0f")],
    ["a name's length that is cut off", bytes("40 7f")],
    ["a name that is cut off", bytes("40 05 61 62")],
    ["a name without a value", bytes("40 01 61")],
    ["a value that is cut off", bytes("40 01 61 03 62")],
    ["a value of an absurd length", bytes("40 01 61 7f ff ff ff 7f 62")],
    ["a literal that ends behind its first byte", bytes("40")],
    ["a Huffman code with eight bits of padding", bytes("40 01 61 82 1f ff")],
    ["a Huffman code padded with zeros", bytes("40 01 61 81 18")],
    ["a Huffman code with the end-of-string symbol", bytes("40 01 61 84 ff ff ff ff")],
    ["a table size that is cut off", bytes("3f")],
  ])("with %s is refused", (_, block) => {
    expect(() => new HpackDecoder().decode(block, MIB)).toThrow(HpackError);
  });

  it("is refused wherever it is cut, unless that is between two headers", () => {
    const parts = [
      index(2),
      literal(INDEXED, "name", "value"),
      bytes("4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"),
      literal(NEVER, "n".repeat(200), ""),
    ];
    const whole = Buffer.concat(parts);
    const ends = parts.map((_, i) => Buffer.concat(parts.slice(0, i + 1)).length);
    for (let at = 1; at <= whole.length; at++) {
      const decode = (): number => new HpackDecoder().decode(whole.subarray(0, at), MIB).list.length;
      if (ends.includes(at)) expect(decode()).toBe(ends.indexOf(at) + 1);
      else expect(decode).toThrow(HpackError);
    }
  });

  it("of random bytes is read or refused, and never anything else", () => {
    const below = draws(7);
    const decoder = new HpackDecoder();
    for (let i = 0; i < 20_000; i++) {
      const block = Buffer.from(Array.from({ length: below(30) }, () => below(256)));
      try {
        decoder.decode(block, MIB);
      } catch (e) {
        expect(e).toBeInstanceOf(HpackError);
      }
    }
  });
});

describe("a list of headers", () => {
  it("beyond its bound is left out from there on, and the table learns it all", () => {
    const decoder = new HpackDecoder();
    const block = Buffer.concat([literal(INDEXED, "first", "1"), literal(INDEXED, "second", "2".repeat(100)), literal(INDEXED, "third", "3")]);
    const { list, isTooLarge } = decoder.decode(block, 100);
    expect([list.map((h) => h.name), isTooLarge]).toEqual([["first"], true]);
    expect(pairs(decoder, Buffer.concat([index(62), index(63), index(64)]))).toEqual(["third: 3", `second: ${"2".repeat(100)}`, "first: 1"]);
  });

  it("counts 32 bytes for each besides its text", () => {
    const block = Buffer.concat([literal(PLAIN, "name", "value"), literal(PLAIN, "name", "value")]);
    expect(new HpackDecoder().decode(block, 82).isTooLarge).toBe(false);
    expect(new HpackDecoder().decode(block, 81).isTooLarge).toBe(true);
  });

  it("of one byte each for headers of the table stays within the bound", () => {
    const decoder = new HpackDecoder();
    decoder.decode(literal(INDEXED, "a", "b".repeat(4000)), MIB);
    const { list, isTooLarge } = decoder.decode(Buffer.alloc(100_000, index(62)), MIB);
    expect(isTooLarge).toBe(true);
    expect(list.length).toBe(Math.floor(MIB / 4033));
  });

  it("gives the first of several values", () => {
    const { list } = new HpackDecoder().decode(Buffer.concat([literal(PLAIN, "a", "1"), literal(PLAIN, "a", "2")]), MIB);
    expect([new Headers(list).get("a"), new Headers(list).get("b")]).toEqual(["1", undefined]);
  });
});

describe("a header is well formed", () => {
  const isWellFormed = (name: string, value: string): boolean =>
    (new HpackDecoder().decode(literal(PLAIN, name, value), MIB).list[0] as { isWellFormed: boolean }).isWellFormed;

  it.each(["a", ":path", "x-y_z.1~!#$%&'*+^`|"])("when its name is %j", (name) => {
    expect(isWellFormed(name, "v")).toBe(true);
  });
  it.each(["", ":", "A", "aB", "a b", "a:", "::a", "a\0", "a\x7f", "\xe4", "a\n"])("unless its name is %j", (name) => {
    expect(isWellFormed(name, "v")).toBe(false);
  });
  it.each(["a\0", "\r", "a\nb"])("unless its value is %j", (value) => {
    expect(isWellFormed("a", value)).toBe(false);
    expect(isWellFormed("a", "any other \t\xff")).toBe(true);
  });
  it("when those of the table that it comes from are", () => {
    const decoder = new HpackDecoder();
    const block = Buffer.concat([literal(INDEXED, "Bad", "v"), index(62), integer(62, 4, PLAIN), text("w"), integer(4, 4, PLAIN), text("/x")]);
    expect(decoder.decode(block, MIB).list.map((h) => h.isWellFormed)).toEqual([false, false, false, true]);
  });
});

describe("nghttp2, which knows nothing of this code,", () => {
  let server: Server;
  let client: ClientHttp2Session;
  let seen: string[];
  let answer: Record<string, string | string[]>;

  beforeAll(async () => {
    server = createServer((socket) => {
      const fail = (e: unknown): void => expect.unreachable(String(e));
      const ignore = (): void => undefined;
      new Connection(socket, {
        runtime: new FakeRuntime("free"),
        onError: fail,
        onBug: fail,
        onStreamClosed: ignore,
        onStream: (stream) => {
          seen = stream.headers.list.map((h) => `${h.name}: ${h.value}`);
          return { data: ignore, end: () => stream.respond(encodeHeaders({ ":status": 200, ...answer }), true), drained: ignore, closed: ignore };
        },
      });
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(() => {
    client.destroy();
    server.close();
  });

  async function exchange(headers: Record<string, string | string[] | typeof sensitiveHeaders>): Promise<Record<string, unknown>> {
    const stream = client.request({ ":path": "/", ...headers } as Record<string, string>);
    let answered: Record<string, unknown> = {};
    stream.on("response", (h) => {
      answered = { ...h };
    });
    stream.resume();
    await new Promise((resolve) => stream.on("close", resolve));
    return answered;
  }

  it("is understood in whatever it sends, and understands the answers", async () => {
    const below = draws(41);
    const names = Array.from({ length: 40 }, (_, i) => `x-${"abcdefghij".slice(0, 1 + (i % 10))}-${i}`);
    const value = (): string => {
      const alphabet = below(3);
      const letter = (): number => (alphabet === 0 ? 97 + below(26) : alphabet === 1 ? 33 + below(94) : 128 + below(128));
      return Array.from({ length: below(below(8) === 0 ? 3000 : 40) }, () => String.fromCharCode(letter())).join("");
    };
    const values = Array.from({ length: 60 }, value);
    const draw = (): Record<string, string> => {
      const out: Record<string, string> = {};
      for (let n = below(12); n > 0; n--)
        out[names[below(names.length)] as string] = (below(4) === 0 ? value() : values[below(values.length)]) as string;
      return out;
    };
    for (let i = 0; i < 400; i++) {
      const headers = draw();
      const hidden = Object.keys(headers).filter(() => below(5) === 0);
      answer = draw();
      const answered = await exchange({ ...headers, [sensitiveHeaders]: hidden } as never);
      expect(seen.filter((h) => h.startsWith("x-"))).toEqual(Object.entries(headers).map(([n, v]) => `${n}: ${v}`));
      expect(answered).toMatchObject(answer);
    }
  });

  it("is understood in every byte of a Huffman code that a header may hold", async () => {
    answer = {};
    for (let byte = 32; byte < 256; byte++) {
      if (byte === 127) continue;
      // Long enough to be worth the code whatever that of the byte is.
      const text = `${"e".repeat(40)}${String.fromCharCode(byte)}${"e".repeat(40)}`;
      await exchange({ "x-text": text });
      expect(seen.at(-1)).toBe(`x-text: ${text}`);
    }
  });

  it("reads answers with several values of one name", async () => {
    answer = { "set-cookie": ["a=1", "b=2"], "x-empty": "" };
    expect(await exchange({})).toMatchObject({ "set-cookie": ["a=1", "b=2"], "x-empty": "" });
  });
});
