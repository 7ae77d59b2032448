import { describe, expect, it } from "vitest";
import { decodeHuffman } from "./huffman.js";

/** The text of bits, padded with ones to whole bytes. */
function decode(bits: string, padding = "1"): string | undefined {
  const whole = bits.padEnd(Math.ceil(bits.length / 8) * 8, padding);
  const bytes = Buffer.from((whole.match(/.{8}/g) ?? []).map((b) => Number.parseInt(b, 2)));
  return decodeHuffman(bytes, 0, bytes.length);
}

const bitsOf = (code: number, length: number): string => code.toString(2).padStart(length, "0");
const ONES = "1".repeat(30);

describe("a Huffman code", () => {
  // Of RFC 7541, appendix B.
  it.each([
    [0, 0x1ff8, 13],
    [1, 0x7fffd8, 23],
    [10, 0x3ffffffc, 30],
    [22, 0x3ffffffe, 30],
    [32, 0x14, 6],
    [48, 0x0, 5],
    [57, 0x1f, 6],
    [58, 0x5c, 7],
    [65, 0x21, 6],
    [88, 0xfc, 8],
    [92, 0x7fff0, 19],
    [97, 0x3, 5],
    [122, 0x7b, 7],
    [126, 0x1ffd, 13],
    [127, 0xffffffc, 28],
    [128, 0xfffe6, 20],
    [249, 0xffffffe, 28],
    [255, 0x3ffffee, 26],
  ])("of byte %i is that of the RFC, alone and between others", (byte, code, length) => {
    const text = Buffer.from([byte]).toString("latin1");
    expect(decode(bitsOf(code, length))).toBe(text);
    expect(decode(`00011${bitsOf(code, length)}00011`)).toBe(`a${text}a`);
  });

  it("is read from where it begins to where it ends in a larger buffer", () => {
    const buf = Buffer.from("ffa8eb10649cbfff", "hex");
    expect(decodeHuffman(buf, 1, 7)).toBe("no-cache");
    expect(decodeHuffman(buf, 3, 3)).toBe("");
  });

  it("may end in up to seven ones and nothing else", () => {
    // "a", whose code is five bits, n times leaves every possible padding.
    for (let n = 1; n <= 8; n++) {
      expect(decode("00011".repeat(n))).toBe("a".repeat(n));
      const isPadded = (5 * n) % 8 !== 0;
      // Zeros are either no padding, or are read as one more letter: "0".
      expect(decode("00011".repeat(n), "0")).toBe(isPadded ? expectedOfZeros(n) : "a".repeat(n));
      // One byte of ones more than there may be.
      expect(decode(`${"00011".repeat(n)}${"1".repeat(8 + ((8 - ((5 * n) % 8)) % 8))}`)).toBeUndefined();
    }
    expect(decode("11111111")).toBeUndefined();
  });

  it("never holds the end-of-string symbol, nor is cut off in a long code", () => {
    expect(decode(ONES)).toBeUndefined();
    expect(decode(`00011${ONES}`)).toBeUndefined();
    expect(decode(`${ONES}00011`)).toBeUndefined();
    // The first three bytes of the code of a line feed.
    expect(decode(bitsOf(0x3ffffffc, 30).slice(0, 24))).toBeUndefined();
    // A byte of "^", whose code is 14 bits.
    expect(decode(bitsOf(0x3ffc, 14).slice(0, 8))).toBeUndefined();
  });
});

/** "a" n times, behind it as many zeros as fill the byte. */
function expectedOfZeros(n: number): string | undefined {
  const zeros = 8 - ((5 * n) % 8);
  return zeros === 5 ? `${"a".repeat(n)}0` : undefined;
}
