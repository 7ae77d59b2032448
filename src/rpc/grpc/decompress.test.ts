import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ServiceError } from "../../api/service-error.js";
import { gunzip } from "./decompress.js";

const MAX = 4 * 1024 * 1024;
const bodyOf = (bytes: number, seed: number): Buffer => Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * seed) % 251));
const says = (body: Buffer, max = MAX): string => {
  try {
    gunzip(body, max);
    return "";
  } catch (e) {
    return (e as ServiceError).message;
  }
};

/** One message after the other goes through the same inflater: none may leave a trace in the next. */
describe("gunzip", () => {
  it("gives what was packed, of every size, and keeps it when more follow", () => {
    const sizes = [0, 1, 100, 1_000, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 300_000];
    const packed = sizes.map((n, i) => ({ want: bodyOf(n, i + 1), body: gzipSync(bodyOf(n, i + 1)) }));
    const unpacked = [...packed, ...packed.toReversed()].map((p) => ({ want: p.want, got: gunzip(p.body, MAX) }));
    for (const { want, got } of unpacked) expect(Buffer.compare(got, want)).toBe(0);
  });

  it("members one behind the other are one message", () => {
    expect(gunzip(Buffer.concat([gzipSync("one, "), gzipSync("two")]), MAX).toString()).toBe("one, two");
  });

  it("a bad message is refused, and the next is read", () => {
    const good = gzipSync("good");
    const flipped = Buffer.from(good);
    flipped[good.length - 6] = (flipped[good.length - 6] as number) ^ 1;
    const bad: readonly [body: Buffer, text: string][] = [
      [Buffer.alloc(0), "grpc: failed to decompress the message: EOF"],
      [Buffer.from("not packed"), "grpc: failed to decompress the message: gzip: invalid header"],
      [deflateSync("zlib, not gzip"), "grpc: failed to decompress the message: gzip: invalid header"],
      [good.subarray(0, good.length - 9), "grpc: failed to read decompressed data: unexpected EOF"],
      [good.subarray(0, 5), "grpc: failed to read decompressed data: unexpected EOF"],
      [flipped, "grpc: failed to read decompressed data: gzip: invalid checksum"],
    ];
    for (const [body, text] of [...bad, ...bad.toReversed()]) {
      expect(says(body)).toBe(text);
      expect(gunzip(good, MAX).toString()).toBe("good");
    }
  });

  it("a message that unpacks to more than the limit is refused, however small it is packed", () => {
    const bomb = gzipSync(Buffer.alloc(500_000));
    expect(bomb.length).toBeLessThan(1_024);
    expect(says(bomb, 100_000)).toBe("grpc: received message after decompression larger than max 100000");
    expect(says(gzipSync(Buffer.alloc(2_000)), 1_000)).toBe("grpc: received message after decompression larger than max 1000");
    expect(gunzip(bomb, MAX).length).toBe(500_000);
  });
});
