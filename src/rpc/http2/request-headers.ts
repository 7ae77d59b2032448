/** Whether headers are those of a request, by the rules of RFC 9113, 8.2 and 8.3. */
import type { Header } from "./hpack.js";

const FORBIDDEN: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"]);
const COLON = 58;
const DIGITS = /^[0-9]{1,15}$/;

/** What the request says about its body. */
export const NO_CONTENT_LENGTH = -1;

/** The `content-length`, or that there is none; undefined when this is no request. CONNECT is none that we serve. */
export function checkRequest(list: readonly Header[]): number | undefined {
  let method = 0;
  let path = 0;
  let scheme = 0;
  let authority = 0;
  let contentLength = NO_CONTENT_LENGTH;
  let isPseudoOver = false;
  for (const { name, value, isWellFormed } of list) {
    if (!isWellFormed) return undefined;
    if (name.charCodeAt(0) !== COLON) {
      isPseudoOver = true;
      if (FORBIDDEN.has(name) || (name === "te" && value !== "trailers")) return undefined;
      if (name === "content-length") {
        if (!DIGITS.test(value) || (contentLength !== NO_CONTENT_LENGTH && contentLength !== Number(value))) return undefined;
        contentLength = Number(value);
      }
      continue;
    }
    if (isPseudoOver) return undefined;
    if (name === ":method") method += value === "" || value === "CONNECT" ? 2 : 1;
    else if (name === ":path") path += value === "" ? 2 : 1;
    else if (name === ":scheme") scheme++;
    else if (name === ":authority") authority++;
    else return undefined;
  }
  return method === 1 && path === 1 && scheme === 1 && authority <= 1 ? contentLength : undefined;
}

/** Of the headers that end a request. */
export function areTrailers(list: readonly Header[]): boolean {
  return list.every(({ name, isWellFormed }) => isWellFormed && name.charCodeAt(0) !== COLON && !FORBIDDEN.has(name));
}
