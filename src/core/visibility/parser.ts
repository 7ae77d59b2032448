/** Text of a visibility query to its syntax tree. The grammar is the official server's SQL subset, with our wider GROUP BY and ORDER BY. */
import { invalidArgument } from "../../api/service-error.js";

/** `other`: an expression that can be written but not compared with; the official server names it by its Go type. */
export type Literal =
  | { kind: "column"; value: string }
  | { kind: "other"; value: string }
  | { kind: "string"; value: string }
  | { kind: "number"; value: number; text: string }
  | { kind: "bool"; value: boolean };

export type Node =
  | { op: "and" | "or"; args: Node[] }
  | { op: "not"; arg: Node }
  | { op: "compare"; name: string; comparison: "=" | "!=" | ">" | ">=" | "<" | "<="; value: Literal }
  /** An operator that no attribute has. */
  | { op: "unsupported"; name: string; operator: string; value: Literal }
  /** Something that is no comparison at all: the text of its error. */
  | { op: "refused"; why: string }
  | { op: "in"; name: string; values: Literal[]; negated: boolean }
  | { op: "between"; name: string; low: Literal; high: Literal; negated: boolean }
  | { op: "startsWith"; name: string; value: Literal; negated: boolean }
  | { op: "isNull"; name: string; negated: boolean };

export interface Query {
  where: Node | undefined;
  orderBy: { name: string; descending: boolean }[];
  groupBy: string[];
}

type Token = { kind: "word" | "name" | "string" | "number" | "symbol" | "end"; text: string; end: number };

const NESTING_MAX = 200;

/** Every value is a variable of the store's statement. */
const VALUES_MAX = 10_000;

/** The official server parses this before the query, and counts it in the positions of its errors. */
const SELECT = "select * from table1 ";

const KEYWORDS = new Set(
  "and or not in between is null true false like regexp select from where starts_with order group by asc desc limit".split(" "),
);

export const MALFORMED_QUERY = "invalid query: malformed SQL query: ";

/** What is wrong, as the official server says it where it does not list: it counts a text before the query that is a byte shorter. */
export function syntaxProblem(e: Error): string {
  return e.message.slice(MALFORMED_QUERY.length).replace(/position (\d+)/, (_m, n: string) => `position ${Number(n) - 1}`);
}

function syntaxError(offset: number, near: string): never {
  throw invalidArgument(`${MALFORMED_QUERY}syntax error at position ${offset}${near === "" ? "" : ` near '${near}'`}`);
}

/** Where the official server stands after the token that ends there: one behind it, in bytes. */
const positionOf = (text: string, offset: number, end: number): number => offset + Buffer.byteLength(text.slice(0, end)) + 1;

/** Reads a token when it is looked at: of a text that is refused, nothing behind the place where it goes wrong. */
class Tokens {
  private readonly read: Token[] = [];
  private next = 0;

  /** `offset`: how many bytes the official server reads before the text. */
  constructor(
    private readonly text: string,
    private readonly offset: number,
  ) {}

  /** Undefined behind the end. */
  at(i: number): Token | undefined {
    while (this.read.length <= i && this.read.at(-1)?.kind !== "end") this.read.push(this.lex());
    return this.read[i];
  }

  private lex(): Token {
    const { text } = this;
    for (;;) {
      const c = text[this.next];
      if (c === undefined || c === ";") return { kind: "end", text: "", end: text.length };
      if (/\s/.test(c)) this.next++;
      else if (c === "#" || text.startsWith("--", this.next) || text.startsWith("//", this.next)) {
        const line = text.indexOf("\n", this.next);
        this.next = line < 0 ? text.length : line;
      } else if (text.startsWith("/*", this.next)) {
        const close = text.indexOf("*/", this.next + 2);
        if (close < 0) return this.fail(text.length, text.slice(this.next));
        this.next = close + 2;
      } else {
        const token = c === "'" || c === '"' || c === "`" ? this.quoted(c) : this.bare(c);
        this.next = token.end;
        return token;
      }
    }
  }

  private quoted(quote: string): Token {
    const { text } = this;
    let value = "";
    let i = this.next + 1;
    for (; ; i++) {
      const d = text[i];
      if (d === undefined) return this.fail(i, value);
      if (d === "\\" && quote !== "`" && i + 1 < text.length) value += ESCAPES[text[++i] as string] ?? (text[i] as string);
      else if (d !== quote) value += d;
      else if (text[i + 1] === quote) value += text[++i];
      else break;
    }
    return { kind: quote === "`" ? "name" : "string", text: value, end: i + 1 };
  }

  private bare(first: string): Token {
    const at = this.next;
    const rest = this.text.slice(at);
    const number = /^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/.exec(rest);
    if (number !== null) return { kind: "number", text: number[0], end: at + number[0].length };
    const word = /^[\p{L}_@][\p{L}\p{N}_.@$]*/u.exec(rest);
    if (word !== null) return { kind: "word", text: word[0], end: at + word[0].length };
    const symbol = /^(<=>|>=|<=|!=|<>|\|\||&&|[=<>(),*+\-/!%^~&|])/.exec(rest);
    if (symbol === null) return this.fail(at + first.length, first);
    if (symbol[0] === "||") return { kind: "word", text: "OR", end: at + 2 };
    if (symbol[0] === "&&") return { kind: "word", text: "AND", end: at + 2 };
    return { kind: "symbol", text: symbol[0] === "<>" ? "!=" : symbol[0], end: at + symbol[0].length };
  }

  private fail(end: number, near: string): never {
    return syntaxError(positionOf(this.text, this.offset, end), near);
  }
}

const negated = (number: string): string => (number.startsWith("-") ? number.slice(1) : `-${number}`);

const ESCAPES: Readonly<Record<string, string>> = { "0": "\0", n: "\n", r: "\r", t: "\t", b: "\b", Z: "\x1a" };

class Parser {
  private i = 0;
  private depth = 0;
  private values = 0;

  constructor(
    private readonly text: string,
    private readonly offset: number,
    private readonly tokens = new Tokens(text, offset),
  ) {}

  private get token(): Token {
    return this.tokens.at(this.i) as Token;
  }

  private isWord(...words: string[]): boolean {
    return words.every((w, n) => {
      const t = this.tokens.at(this.i + n);
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

  private fail(): never {
    const t = this.token;
    const isKeyword = t.kind === "word" && KEYWORDS.has(t.text.toLowerCase());
    return syntaxError(
      positionOf(this.text, this.offset, t.end),
      t.kind === "end" || t.kind === "symbol" ? "" : isKeyword ? t.text.toLowerCase() : t.text,
    );
  }

  query(): Query {
    const q: Query = { where: undefined, orderBy: [], groupBy: [] };
    if (this.token.kind !== "end" && !this.isWord("ORDER", "BY") && !this.isWord("GROUP", "BY")) q.where = this.or();
    this.groupBy(q);
    if (this.takeWord("ORDER", "BY")) {
      do {
        const name = this.name();
        const descending = this.takeWord("DESC");
        if (!descending) this.takeWord("ASC");
        q.orderBy.push({ name, descending });
      } while (this.takeSymbol(","));
      // The official UI puts its grouping behind whatever it lists by, to count it; the official grammar knows no such order.
      if (q.groupBy.length === 0) this.groupBy(q);
    }
    if (this.isWord("LIMIT")) throw invalidArgument("invalid query: operation is not supported: 'LIMIT' clause");
    if (this.token.kind !== "end") this.fail();
    return q;
  }

  private groupBy(q: Query): void {
    if (!this.takeWord("GROUP", "BY")) return;
    do q.groupBy.push(this.name());
    while (this.takeSymbol(","));
  }

  private or(): Node {
    if (++this.depth > NESTING_MAX) throw invalidArgument("invalid query: nested too deeply");
    const first = this.and();
    const args = [first];
    while (this.takeWord("OR")) args.push(this.and());
    this.depth--;
    return args.length === 1 ? first : { op: "or", args };
  }

  private and(): Node {
    const first = this.not();
    const args = [first];
    while (this.takeWord("AND")) args.push(this.not());
    return args.length === 1 ? first : { op: "and", args };
  }

  private nested<R>(parse: () => R): R {
    if (++this.depth > NESTING_MAX) throw invalidArgument("invalid query: nested too deeply");
    const result = parse();
    this.depth--;
    return result;
  }

  private not(): Node {
    if (this.takeWord("NOT")) {
      return { op: "not", arg: this.nested(() => this.not()) };
    }
    if (this.takeSymbol("!")) {
      this.nested(() => this.not());
      return { op: "refused", why: "operation is not supported: expression of type *sqlparser.UnaryExpr" };
    }
    if (this.takeSymbol("(")) {
      const inner = this.or();
      if (!this.takeSymbol(")")) this.fail();
      return inner;
    }
    return this.comparison();
  }

  private name(): string {
    const t = this.token;
    if (t.kind !== "name" && (t.kind !== "word" || KEYWORDS.has(t.text.toLowerCase()))) this.fail();
    this.i++;
    return t.text;
  }

  private comparison(): Node {
    const left = this.value();
    const mustBeColumn = (): Node => ({
      op: "refused",
      why: `invalid expression: must be a column name but was ${GO_TYPES[left.kind] ?? left.value}`,
    });
    const named = (node: (name: string) => Node): Node => (left.kind === "column" ? node(left.value) : mustBeColumn());
    if (this.takeWord("IS")) {
      const negated = this.takeWord("NOT");
      if (this.takeWord("TRUE") || this.takeWord("FALSE"))
        return { op: "refused", why: "invalid expression: 'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'" };
      if (!this.takeWord("NULL")) this.fail();
      return named((name) => ({ op: "isNull", name, negated }));
    }
    const negated = this.takeWord("NOT");
    if (this.takeWord("IN")) {
      if (!this.takeSymbol("(")) this.fail();
      const values: Literal[] = [];
      do values.push(this.value());
      while (this.takeSymbol(","));
      if (!this.takeSymbol(")")) this.fail();
      return named((name) => ({ op: "in", name, values, negated }));
    }
    if (this.takeWord("BETWEEN")) {
      const low = this.value();
      if (!this.takeWord("AND")) this.fail();
      const high = this.value();
      return named((name) => ({ op: "between", name, low, high, negated }));
    }
    if (this.takeWord("STARTS_WITH")) {
      const value = this.value();
      return named((name) => ({ op: "startsWith", name, value, negated }));
    }
    for (const word of ["LIKE", "REGEXP"])
      if (this.takeWord(word)) {
        const value = this.value();
        return named((name) => ({ op: "unsupported", name, operator: negated ? `NOT ${word}` : word, value }));
      }
    if (negated) this.fail();
    const t = this.token;
    if (t.kind === "symbol" && t.text === "<=>") {
      this.i++;
      const value = this.value();
      return named((name) => ({ op: "unsupported", name, operator: t.text, value }));
    }
    if (t.kind === "symbol" && ["=", "!=", ">", ">=", "<", "<="].includes(t.text)) {
      this.i++;
      const value = this.value();
      return named((name) => ({ op: "compare", name, comparison: t.text as "=", value }));
    }
    // An expression on its own.
    if (left.kind === "column") return { op: "refused", why: "invalid expression: incomplete expression" };
    if (left.kind === "other" && left.value === "*sqlparser.FuncExpr")
      return { op: "refused", why: "operation is not supported: function expression" };
    return { op: "refused", why: `operation is not supported: expression of type ${GO_TYPES[left.kind] ?? left.value}` };
  }

  private value(): Literal {
    if (++this.values > VALUES_MAX) throw invalidArgument(`invalid query: more than ${VALUES_MAX} values`);
    const value = this.operand();
    let isBinary = false;
    while (this.token.kind === "symbol" && ["+", "-", "*", "/", "%"].includes(this.token.text)) {
      this.i++;
      this.operand();
      isBinary = true;
    }
    return isBinary ? { kind: "other", value: "*sqlparser.BinaryExpr" } : value;
  }

  private operand(): Literal {
    const isNegative = this.takeSymbol("-");
    if (isNegative || this.takeSymbol("+")) {
      const inner = this.nested(() => this.operand());
      if (inner.kind !== "number") return { kind: "other", value: "*sqlparser.UnaryExpr" };
      return isNegative ? { kind: "number", value: -inner.value, text: negated(inner.text) } : inner;
    }
    if (this.takeSymbol("(")) {
      if (++this.depth > NESTING_MAX) throw invalidArgument("invalid query: nested too deeply");
      let n = 0;
      do {
        this.value();
        n++;
      } while (this.takeSymbol(","));
      if (!this.takeSymbol(")")) this.fail();
      this.depth--;
      return { kind: "other", value: n > 1 ? "sqlparser.ValTuple" : "*sqlparser.ParenExpr" };
    }
    const t = this.token;
    if (t.kind === "string") {
      this.i++;
      return { kind: "string", value: t.text };
    }
    if (t.kind === "number") {
      this.i++;
      return { kind: "number", value: Number(t.text), text: t.text };
    }
    for (const word of ["true", "false"]) if (this.takeWord(word.toUpperCase())) return { kind: "bool", value: word === "true" };
    if (this.takeWord("NULL")) return { kind: "other", value: "*sqlparser.NullVal" };
    const name = this.name();
    if (!this.takeSymbol("(")) return { kind: "column", value: name };
    if (!this.takeSymbol(")")) {
      do this.value();
      while (this.takeSymbol(","));
      if (!this.takeSymbol(")")) this.fail();
    }
    return { kind: "other", value: "*sqlparser.FuncExpr" };
  }
}

const GO_TYPES: Readonly<Partial<Record<Literal["kind"], string>>> = {
  string: "*sqlparser.SQLVal",
  number: "*sqlparser.SQLVal",
  bool: "sqlparser.BoolVal",
  column: "*sqlparser.ColName",
};

/** @throws ServiceError INVALID_ARGUMENT */
export function parseQuery(query: string): Query {
  const text = query.trim();
  const hasWhere = text !== "" && !/^(order|group) by/i.test(text);
  return new Parser(text, SELECT.length + (hasWhere ? "where ".length : 0)).query();
}
