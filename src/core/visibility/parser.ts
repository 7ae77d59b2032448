/** Text of a visibility query to its syntax tree. The grammar is the official server's SQL subset, with our wider GROUP BY and ORDER BY. */
import { invalidArgument } from "../../api/service-error.js";

export type Literal = { kind: "string"; value: string } | { kind: "number"; value: number; text: string } | { kind: "bool"; value: boolean };

export type Node =
  | { op: "and" | "or"; left: Node; right: Node }
  | { op: "not"; arg: Node }
  | { op: "compare"; name: string; comparison: "=" | "!=" | ">" | ">=" | "<" | "<="; value: Literal }
  | { op: "in"; name: string; values: Literal[]; negated: boolean }
  | { op: "between"; name: string; low: Literal; high: Literal; negated: boolean }
  | { op: "startsWith"; name: string; value: Literal; negated: boolean }
  | { op: "isNull"; name: string; negated: boolean };

export interface Query {
  where: Node | undefined;
  orderBy: { name: string; descending: boolean }[];
  groupBy: string[];
}

type Token = { kind: "word" | "name" | "string" | "number" | "symbol" | "end"; text: string; at: number };

const NESTING_MAX = 200;

function lex(text: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  const fail = (why: string): never => {
    throw invalidArgument(`invalid query: ${why} at position ${at + 1}`);
  };
  while (at < text.length) {
    const c = text[at] as string;
    if (/\s/.test(c)) {
      at++;
      continue;
    }
    if (c === "'" || c === '"' || c === "`") {
      const begin = at++;
      let value = "";
      for (;;) {
        const d = text[at];
        if (d === undefined) fail("a quote is not closed");
        if (d === "\\" && c !== "`" && at + 1 < text.length) {
          value += text[at + 1];
          at += 2;
          continue;
        }
        if (d === c) {
          if (text[at + 1] === c) {
            value += c;
            at += 2;
            continue;
          }
          at++;
          break;
        }
        value += d;
        at++;
      }
      out.push({ kind: c === "`" ? "name" : "string", text: value, at: begin });
      continue;
    }
    const number = /^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/.exec(text.slice(at));
    if (number !== null && /[\d.-]/.test(c)) {
      out.push({ kind: "number", text: number[0], at });
      at += number[0].length;
      continue;
    }
    const word = /^[\p{L}_][\p{L}\p{N}_.-]*/u.exec(text.slice(at));
    if (word !== null) {
      out.push({ kind: "word", text: word[0], at });
      at += word[0].length;
      continue;
    }
    const symbol = /^(>=|<=|!=|<>|[=<>(),*])/.exec(text.slice(at));
    if (symbol === null) return fail(`unexpected ${JSON.stringify(c)}`);
    out.push({ kind: "symbol", text: symbol[0] === "<>" ? "!=" : symbol[0], at });
    at += symbol[0].length;
  }
  out.push({ kind: "end", text: "", at });
  return out;
}

class Parser {
  private i = 0;
  private depth = 0;

  constructor(private readonly tokens: Token[]) {}

  private get token(): Token {
    return this.tokens[this.i] as Token;
  }

  private isWord(...words: string[]): boolean {
    return words.every((w, n) => {
      const t = this.tokens[this.i + n];
      return t?.kind === "word" && t.text.toUpperCase() === w;
    });
  }

  private takeWord(...words: string[]): boolean {
    if (!this.isWord(...words)) return false;
    this.i += words.length;
    return true;
  }

  private takeSymbol(text: string): boolean {
    if (this.token.kind !== "symbol" || this.token.text !== text) return false;
    this.i++;
    return true;
  }

  private fail(expected: string): never {
    const t = this.token;
    throw invalidArgument(`invalid query: syntax error at position ${t.at + 1}${t.kind === "end" ? "" : ` near '${t.text}'`}: expected ${expected}`);
  }

  query(): Query {
    const q: Query = { where: undefined, orderBy: [], groupBy: [] };
    if (this.token.kind !== "end" && !this.isWord("ORDER", "BY") && !this.isWord("GROUP", "BY")) q.where = this.or();
    if (this.takeWord("GROUP", "BY")) {
      do q.groupBy.push(this.name());
      while (this.takeSymbol(","));
    }
    if (this.takeWord("ORDER", "BY")) {
      do {
        const name = this.name();
        const descending = this.takeWord("DESC");
        if (!descending) this.takeWord("ASC");
        q.orderBy.push({ name, descending });
      } while (this.takeSymbol(","));
    }
    if (this.token.kind !== "end") this.fail("the end of the query");
    return q;
  }

  private or(): Node {
    if (++this.depth > NESTING_MAX) throw invalidArgument("invalid query: nested too deeply");
    let left = this.and();
    while (this.takeWord("OR")) left = { op: "or", left, right: this.and() };
    this.depth--;
    return left;
  }

  private and(): Node {
    let left = this.not();
    while (this.takeWord("AND")) left = { op: "and", left, right: this.not() };
    return left;
  }

  private not(): Node {
    if (this.takeWord("NOT")) {
      if (++this.depth > NESTING_MAX) throw invalidArgument("invalid query: nested too deeply");
      const arg = this.not();
      this.depth--;
      return { op: "not", arg };
    }
    if (this.takeSymbol("(")) {
      const inner = this.or();
      if (!this.takeSymbol(")")) this.fail(")");
      return inner;
    }
    return this.comparison();
  }

  private name(): string {
    const t = this.token;
    if (t.kind !== "word" && t.kind !== "name") this.fail("a search attribute");
    this.i++;
    return t.text;
  }

  private comparison(): Node {
    const name = this.name();
    if (this.takeWord("IS")) {
      const negated = this.takeWord("NOT");
      if (!this.takeWord("NULL")) this.fail("NULL");
      return { op: "isNull", name, negated };
    }
    const negated = this.takeWord("NOT");
    if (this.takeWord("IN")) {
      if (!this.takeSymbol("(")) this.fail("(");
      const values: Literal[] = [];
      do values.push(this.literal());
      while (this.takeSymbol(","));
      if (!this.takeSymbol(")")) this.fail(")");
      return { op: "in", name, values, negated };
    }
    if (this.takeWord("BETWEEN")) {
      const low = this.literal();
      if (!this.takeWord("AND")) this.fail("AND");
      return { op: "between", name, low, high: this.literal(), negated };
    }
    if (this.takeWord("STARTS_WITH")) return { op: "startsWith", name, value: this.literal(), negated };
    if (negated) this.fail("IN, BETWEEN or STARTS_WITH");
    const t = this.token;
    if (t.kind !== "symbol" || !["=", "!=", ">", ">=", "<", "<="].includes(t.text)) this.fail("an operator");
    this.i++;
    return { op: "compare", name, comparison: t.text as "=", value: this.literal() };
  }

  private literal(): Literal {
    const t = this.token;
    this.i++;
    if (t.kind === "string") return { kind: "string", value: t.text };
    if (t.kind === "number") return { kind: "number", value: Number(t.text), text: t.text };
    if (t.kind === "word" && /^(true|false)$/i.test(t.text)) return { kind: "bool", value: t.text.toLowerCase() === "true" };
    this.i--;
    return this.fail("a value");
  }
}

/** @throws ServiceError INVALID_ARGUMENT */
export function parseQuery(text: string): Query {
  return new Parser(lex(text)).query();
}
