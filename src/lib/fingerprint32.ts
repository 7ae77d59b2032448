/**
 * Fingerprint32 of FarmHash (the "mk" 32-bit hash): a fixed function of bytes, the same on every machine and in every version. The
 * official server gives workflows to shards by it (common.WorkflowIDToHistoryShard).
 */
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const MIX = 0xe6546b64;

const rotate = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

function finish(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const stir = (h: number): number => (Math.imul(rotate(h, 19), 5) + MIX) | 0;
const scramble = (a: number): number => Math.imul(rotate(Math.imul(a, C1), 17), C2);
const mur = (a: number, h: number): number => stir(h ^ scramble(a));

function upTo4(s: Buffer): number {
  let b = 0;
  let c = 9;
  for (const byte of s) {
    b = (Math.imul(b, C1) + ((byte << 24) >> 24)) | 0;
    c ^= b;
  }
  return finish(mur(b, mur(s.length, c)));
}

function upTo12(s: Buffer): number {
  const n = s.length;
  const a = (n + s.readInt32LE(0)) | 0;
  const b = (n * 5 + s.readInt32LE(n - 4)) | 0;
  const c = (9 + s.readInt32LE((n >>> 1) & 4)) | 0;
  return finish(mur(c, mur(b, mur(a, n * 5))));
}

function upTo24(s: Buffer): number {
  const n = s.length;
  let a = s.readInt32LE((n >>> 1) - 4);
  const b = s.readInt32LE(4);
  const c = s.readInt32LE(n - 8);
  const d = s.readInt32LE(n >>> 1);
  const e = s.readInt32LE(0);
  const f = s.readInt32LE(n - 4);
  let h = (Math.imul(d, C1) + n) | 0;
  a = (rotate(a, 12) + f) | 0;
  h = (mur(c, h) + a) | 0;
  a = (rotate(a, 3) + c) | 0;
  h = (mur(e, h) + a) | 0;
  a = (rotate((a + f) | 0, 12) + d) | 0;
  return finish((mur(b, h) + a) | 0);
}

export function fingerprint32(s: Buffer): number {
  const n = s.length;
  if (n <= 4) return upTo4(s);
  if (n <= 12) return upTo12(s);
  if (n <= 24) return upTo24(s);
  let h = stir(n ^ scramble(s.readInt32LE(n - 4)));
  h = stir(h ^ scramble(s.readInt32LE(n - 16)));
  let g = stir(Math.imul(C1, n) ^ scramble(s.readInt32LE(n - 8)));
  g = stir(g ^ scramble(s.readInt32LE(n - 12)));
  let f = (Math.imul(C1, n) + scramble(s.readInt32LE(n - 20))) | 0;
  f = (rotate(f, 19) + 113) | 0;
  for (let i = 0, p = 0; i < Math.floor((n - 1) / 20); i++, p += 20) {
    const a = s.readInt32LE(p);
    const b = s.readInt32LE(p + 4);
    const c = s.readInt32LE(p + 8);
    const d = s.readInt32LE(p + 12);
    const e = s.readInt32LE(p + 16);
    h = (h + a) | 0;
    g = (g + b) | 0;
    f = (f + c) | 0;
    h = (mur(d, h) + e) | 0;
    g = (mur(c, g) + a) | 0;
    f = (mur((b + Math.imul(e, C1)) | 0, f) + d) | 0;
    f = (f + g) | 0;
    g = (g + f) | 0;
  }
  g = Math.imul(rotate(Math.imul(rotate(g, 11), C1), 17), C1);
  f = Math.imul(rotate(Math.imul(rotate(f, 11), C1), 17), C1);
  h = stir((h + g) | 0);
  h = Math.imul(rotate(h, 17), C1);
  h = stir((h + f) | 0);
  return Math.imul(rotate(h, 17), C1) >>> 0;
}
