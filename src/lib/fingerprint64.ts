/**
 * Fingerprint64 of FarmHash (the "na" 64-bit hash): a fixed function of bytes. The official server names archive files by it. Slow:
 * its 64-bit arithmetic is done with bigints, which is fine for a name now and then.
 */
const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;

const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const times = (a: bigint, b: bigint): bigint => u64(a * b);
const rotate = (x: bigint, by: bigint): bigint => u64((x >> by) | (x << (64n - by)));
const mix = (x: bigint): bigint => x ^ (x >> 47n);

function fold(u: bigint, v: bigint, mul: bigint): bigint {
  const a = mix(times(u ^ v, mul));
  return times(mix(times(v ^ a, mul)), mul);
}

class Words {
  constructor(readonly bytes: Buffer) {}
  at(i: number): bigint {
    return this.bytes.readBigUInt64LE(i);
  }
  /** The word that begins `i` bytes before the end. */
  last(i: number): bigint {
    return this.at(this.bytes.length - i);
  }
}

function short(w: Words): bigint {
  const s = w.bytes;
  const length = BigInt(s.length);
  const mul = u64(K2 + length * 2n);
  if (s.length >= 8) {
    const a = u64(w.at(0) + K2);
    const b = w.last(8);
    return fold(u64(times(rotate(b, 37n), mul) + a), times(u64(rotate(a, 25n) + b), mul), mul);
  }
  if (s.length >= 4) return fold(u64(length + (BigInt(s.readUInt32LE(0)) << 3n)), BigInt(s.readUInt32LE(s.length - 4)), mul);
  if (s.length === 0) return K2;
  const y = BigInt((s[0] as number) + ((s[s.length >> 1] as number) << 8));
  const z = length + (BigInt(s[s.length - 1] as number) << 2n);
  return times(mix(times(y, K2) ^ times(z, K0)), K2);
}

function upTo32(w: Words): bigint {
  const mul = u64(K2 + BigInt(w.bytes.length) * 2n);
  const a = times(w.at(0), K1);
  const b = w.at(8);
  const c = times(w.last(8), mul);
  const d = times(w.last(16), K2);
  return fold(u64(rotate(u64(a + b), 43n) + rotate(c, 30n) + d), u64(a + rotate(u64(b + K2), 18n) + c), mul);
}

function upTo64(w: Words): bigint {
  const mul = u64(K2 + BigInt(w.bytes.length) * 2n);
  const a = times(w.at(0), K2);
  const b = w.at(8);
  const c = times(w.last(8), mul);
  const d = times(w.last(16), K2);
  const y = u64(rotate(u64(a + b), 43n) + rotate(c, 30n) + d);
  const z = fold(y, u64(a + rotate(u64(b + K2), 18n) + c), mul);
  const e = times(w.at(16), mul);
  const f = w.at(24);
  const g = times(u64(y + w.last(32)), mul);
  const h = times(u64(z + w.last(24)), mul);
  return fold(u64(rotate(u64(e + f), 43n) + rotate(g, 30n) + h), u64(e + rotate(u64(f + a), 18n) + g), mul);
}

/** Four words from `i` on, stirred into a pair of seeds. */
function weak(w: Words, i: number, a: bigint, b: bigint): [bigint, bigint] {
  const first = u64(a + w.at(i));
  const last = w.at(i + 24);
  const seed = rotate(u64(b + first + last), 21n);
  const sum = u64(first + w.at(i + 8) + w.at(i + 16));
  return [u64(sum + last), u64(seed + rotate(sum, 44n) + first)];
}

export function fingerprint64(bytes: Buffer): bigint {
  const words = new Words(bytes);
  const { length } = bytes;
  if (length <= 16) return short(words);
  if (length <= 32) return upTo32(words);
  if (length <= 64) return upTo64(words);
  let x = u64(81n * K2 + words.at(0));
  let y = u64(81n * K1 + 113n);
  let z = times(mix(u64(y * K2 + 113n)), K2);
  let v: [bigint, bigint] = [0n, 0n];
  let w: [bigint, bigint] = [0n, 0n];
  const end = Math.floor((length - 1) / 64) * 64;
  for (let i = 0; i < end; i += 64) {
    x = times(rotate(u64(x + y + v[0] + words.at(i + 8)), 37n), K1);
    y = times(rotate(u64(y + v[1] + words.at(i + 48)), 42n), K1);
    x ^= w[1];
    y = u64(y + v[0] + words.at(i + 40));
    z = times(rotate(u64(z + w[0]), 33n), K1);
    v = weak(words, i, times(v[1], K1), u64(x + w[0]));
    w = weak(words, i + 32, u64(z + w[1]), u64(y + words.at(i + 16)));
    [x, z] = [z, x];
  }
  // The last 64 bytes, whether or not some of them were read before.
  const mul = u64(K1 + ((z & 0xffn) << 1n));
  const tail = new Words(bytes.subarray(length - 64));
  w[0] = u64(w[0] + BigInt((length - 1) & 63));
  v[0] = u64(v[0] + w[0]);
  w[0] = u64(w[0] + v[0]);
  x = times(rotate(u64(x + y + v[0] + tail.at(8)), 37n), mul);
  y = times(rotate(u64(y + v[1] + tail.at(48)), 42n), mul);
  x ^= times(w[1], 9n);
  y = u64(y + times(v[0], 9n) + tail.at(40));
  z = times(rotate(u64(z + w[0]), 33n), mul);
  v = weak(tail, 0, times(v[1], mul), u64(x + w[0]));
  w = weak(tail, 32, u64(z + w[1]), u64(y + tail.at(16)));
  [x, z] = [z, x];
  return fold(u64(fold(v[0], w[0], mul) + times(mix(y), K0) + z), u64(fold(v[1], w[1], mul) + x), mul);
}
