/**
 * JSON text as values and back, losing nothing: an integer beyond 2^53 stays the digits that were sent, a key that comes twice is an
 * error. JSON.parse does neither.
 */

/** A number that JavaScript's numbers do not hold. */
export class ExactNumber {
  constructor(readonly digits: string) {}
}

export type Json = null | boolean | number | string | ExactNumber | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export class JsonError extends Error {}

const DEPTH_MAX = 500;

/** @throws JsonError */
export function parseJson(text: string): Json {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/** `indent`: spaces a level; one line without it. */
export function formatJson(value: Json, indent = 0, margin = ""): string {
  if (value instanceof ExactNumber) return value.digits;
  const isList = Array.isArray(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = indent === 0 ? "" : margin + " ".repeat(indent);
  const parts = isList
    ? value.map((v) => formatJson(v, indent, inner))
    : Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}:${indent === 0 ? "" : " "}${formatJson(v, indent, inner)}`);
  const [open, close] = isList ? "[]" : "{}";
  if (parts.length === 0 || indent === 0) return `${open}${parts.join(",")}${close}`;
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${margin}${close}`;
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);

const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class JsonReader {
  private at = 0;

  constructor(private readonly text: string) {}

  end(): void {
    this.space();
    if (this.at < this.text.length) this.fail(`invalid character ${this.here()} after top-level value`);
  }

  private here(): string {
    const c = this.text[this.at];
    return c === undefined ? "end of input" : `'${c}'`;
  }

  private fail(message: string): never {
    if (this.at >= this.text.length) throw new JsonError("unexpected EOF");
    throw new JsonError(message);
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }

  value(depth: number): Json {
    if (depth > DEPTH_MAX) throw new JsonError("exceeded max depth");
    this.space();
    const c = this.text[this.at];
    if (c === "{") return this.object(depth);
    if (c === "[") return this.array(depth);
    if (c === '"') return this.string();
    if (c === "t") return this.word("true", true);
    if (c === "f") return this.word("false", false);
    if (c === "n") return this.word("null", null);
    return this.number();
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail(`invalid character ${this.here()} looking for beginning of value`);
    this.at += word.length;
    return value;
  }

  private number(): number | ExactNumber {
    const pattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    pattern.lastIndex = this.at;
    const digits = pattern.exec(this.text)?.[0];
    if (digits === undefined) this.fail(`invalid character ${this.here()} looking for beginning of value`);
    this.at += digits.length;
    const value = Number(digits);
    return /^-?\d{16,}$/.test(digits) && String(value) !== digits ? new ExactNumber(digits) : value;
  }

  private string(): string {
    const start = ++this.at;
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c === 0x22) return this.text.slice(start, this.at++);
      if (c === 0x5c || Number.isNaN(c) || c < 0x20) break;
      this.at++;
    }
    let out = this.text.slice(start, this.at);
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined || c < " ") this.fail(`invalid character ${this.here()} in string literal`);
      this.at++;
      if (c === '"') return out;
      out += c === "\\" ? this.escape() : c;
    }
  }

  private escape(): string {
    const c = this.text[this.at] ?? "";
    if (c !== "u") {
      const plain = ESCAPES[c];
      if (plain === undefined) this.fail(`invalid character ${this.here()} in string escape code`);
      this.at++;
      return plain;
    }
    const digits = this.text.slice(this.at + 1, this.at + 5);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("invalid character in \\u hexadecimal character escape");
    this.at += 5;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  private array(depth: number): Json[] {
    const out: Json[] = [];
    this.at++;
    this.space();
    if (this.text[this.at] === "]") {
      this.at++;
      return out;
    }
    for (;;) {
      out.push(this.value(depth + 1));
      this.space();
      const c = this.text[this.at];
      if (c !== "," && c !== "]") this.fail(`invalid character ${this.here()} after array element`);
      this.at++;
      if (c === "]") return out;
    }
  }

  private object(depth: number): JsonObject {
    const out: JsonObject = {};
    this.at++;
    this.space();
    if (this.text[this.at] === "}") {
      this.at++;
      return out;
    }
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') this.fail(`invalid character ${this.here()} looking for beginning of object key string`);
      const key = this.string();
      if (Object.hasOwn(out, key)) throw new JsonError(`duplicate field ${JSON.stringify(key)}`);
      this.space();
      if (this.text[this.at] !== ":") this.fail(`invalid character ${this.here()} after object key`);
      this.at++;
      setKey(out, key, this.value(depth + 1));
      this.space();
      const c = this.text[this.at];
      if (c !== "," && c !== "}") this.fail(`invalid character ${this.here()} after object key:value pair`);
      this.at++;
      if (c === "}") return out;
    }
  }
}

/** A key may be called like something that every object has. */
export function setKey(object: JsonObject, key: string, value: Json): void {
  if (key === "__proto__") Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}
