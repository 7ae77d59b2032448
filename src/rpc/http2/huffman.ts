/**
 * The Huffman code of HPACK (RFC 7541, appendix B). The code is canonical: the lengths alone give it, codes of one length following
 * each other in the order of their symbols, so that is all that stands here.
 */

/** Bits of each byte's code, 0 to 255. The end-of-string symbol, which no text holds, has 30 too and is the last of them. */
// biome-ignore format: sixteen a line, as the RFC's table is read
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
   6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
   5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
  13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
   7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
  15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
   6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
const EOS = 256;
const LENGTH_MAX = 30;
const PADDING_BITS_MAX = 7;

/** A binary tree in one array: at 2n and 2n+1 the children of node n; negative: ~symbol; 0: none. */
const TREE = buildTree();

function buildTree(): Int16Array {
  const tree = new Int16Array(2 * 2 * 257);
  let nodes = 1;
  let code = 0;
  const lengths = [...LENGTHS, LENGTH_MAX];
  for (let length = 1; length <= LENGTH_MAX; length++, code *= 2)
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (lengths[symbol] !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const at = 2 * node + ((code >>> bit) & 1);
        if (tree[at] === 0) tree[at] = nodes++;
        node = tree[at] as number;
      }
      tree[2 * node + (code & 1)] = ~symbol;
      code++;
    }
  return tree;
}

/** The text of bytes [start, end), one character a byte; undefined when they are not a Huffman code. */
export function decodeHuffman(buf: Buffer, start: number, end: number): string | undefined {
  const out = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / 5));
  let length = 0;
  let node = 0;
  /** Of the code that is not whole yet. */
  let bits = 0;
  let isOnes = true;
  for (let i = start; i < end; i++) {
    const byte = buf[i] as number;
    for (let bit = 7; bit >= 0; bit--) {
      const value = (byte >> bit) & 1;
      const next = TREE[2 * node + value] as number;
      if (next > 0) {
        node = next;
        bits++;
        if (value === 0) isOnes = false;
        continue;
      }
      if (next === 0 || next === ~EOS) return undefined;
      out[length++] = ~next;
      node = 0;
      bits = 0;
      isOnes = true;
    }
  }
  // What is left of the last byte is the beginning of the end-of-string symbol: ones, less than a byte of them.
  if (bits > PADDING_BITS_MAX || !isOnes) return undefined;
  return out.toString("latin1", 0, length);
}
