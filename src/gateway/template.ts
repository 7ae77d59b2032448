/**
 * Path templates of google.api.http: segments that are literals, `{name}` (one segment), `{name=pattern}` where the pattern is
 * literals, `*` (one segment) and a last `**` (all that is left, also nothing). Verbs after a colon are not among the routes here
 * and are refused.
 */

export type Segment = { readonly literal: string } | "one" | "rest";

export interface Capture {
  readonly name: string;
  /** Index of its first segment, and of the one after its last; undefined: to the end of the path. */
  readonly from: number;
  readonly to: number | undefined;
}

export interface Template {
  readonly segments: readonly Segment[];
  readonly captures: readonly Capture[];
}

/** @throws Error: a template is written by us or by a published proto. */
export function parseTemplate(text: string): Template {
  if (!text.startsWith("/")) throw new Error(`template ${text}: does not begin with a slash`);
  const segments: Segment[] = [];
  const captures: Capture[] = [];
  const add = (pattern: string): void => {
    if (segments.at(-1) === "rest") throw new Error(`template ${text}: ** is not its end`);
    if (/[{}=]/.test(pattern)) throw new Error(`template ${text}: ${pattern} is not a segment`);
    segments.push(pattern === "*" ? "one" : pattern === "**" ? "rest" : { literal: pattern });
  };
  let at = 1;
  while (at < text.length) {
    if (text[at] !== "{") {
      const end = text.indexOf("/", at) < 0 ? text.length : text.indexOf("/", at);
      const literal = text.slice(at, end);
      if (literal.includes(":")) throw new Error(`template ${text}: verbs are not supported`);
      add(literal);
      at = end + 1;
      continue;
    }
    const end = text.indexOf("}", at);
    if (end < 0 || (end + 1 < text.length && text[end + 1] !== "/")) throw new Error(`template ${text}: a variable is not a whole segment`);
    const [name, pattern = "*"] = text.slice(at + 1, end).split("=", 2) as [string, string?];
    const from = segments.length;
    for (const part of pattern.split("/")) add(part);
    captures.push({ name, from, to: segments.at(-1) === "rest" ? undefined : segments.length });
    at = end + 2;
  }
  if (text === "/") segments.length = 0;
  return { segments, captures };
}
