/** JSON of strangers. The parser takes any depth, and whatever walks the value afterwards, or writes it, runs out of stack. */
const DEPTH_MAX = 500;

/** @throws SyntaxError when it is no JSON, or is nested deeper than anything that means something. */
export function parseShallowJson(text: string): unknown {
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) isQuoted = !isQuoted;
    else if (isQuoted) i += c === 0x5c ? 1 : 0;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > DEPTH_MAX) throw new SyntaxError("nested too deeply");
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return JSON.parse(text);
}
