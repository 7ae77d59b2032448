/** UUIDs as text, made from bytes that the caller draws. */
const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** A version 4 UUID of 16 random bytes. */
export function uuidV4(random: Uint8Array): string {
  let s = "";
  for (let i = 0; i < 16; i++) {
    let b = random[i] as number;
    if (i === 6) b = (b & 0x0f) | 0x40;
    if (i === 8) b = (b & 0x3f) | 0x80;
    if (i === 4 || i === 6 || i === 8 || i === 10) s += "-";
    s += HEX[b];
  }
  return s;
}

/** The forms that the official server's parser takes: plain, in braces, with urn:uuid:, and without hyphens. */
export function isUuid(text: string): boolean {
  switch (text.length) {
    case 36:
      return PLAIN.test(text);
    case 45:
      return text.slice(0, 9).toLowerCase() === "urn:uuid:" && PLAIN.test(text.slice(9));
    case 38:
      return text.startsWith("{") && text.endsWith("}") && PLAIN.test(text.slice(1, -1));
    case 32:
      return /^[0-9a-fA-F]{32}$/.test(text);
    default:
      return false;
  }
}

const PLAIN = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
