/** Predicates of workflow rules: the grammar of visibility queries, over a few fields that are at hand. */
import { invalidArgument } from "../../api/service-error.js";
import { type Literal, type Node, parseQuery } from "../visibility/parser.js";
import { parseTime } from "../visibility/time.js";

/** `text`: compared as a whole or by its beginning; `word`: as a whole; `none`: nothing is true of it. */
export type Field =
  | { readonly kind: "text" | "word"; readonly value: string }
  | { readonly kind: "number" | "time"; readonly value: number }
  | { readonly kind: "none" };
export type Fields = Readonly<Record<string, Field>>;

/** @throws ServiceError INVALID_ARGUMENT when the predicate cannot be evaluated. */
export function matches(predicate: string, fields: Fields): boolean {
  const { where, orderBy, groupBy } = parseQuery(predicate);
  if (where === undefined || orderBy.length > 0 || groupBy.length > 0) throw invalidArgument("operation is not supported: 'where' clause is missing");
  return evaluate(where, fields);
}

function evaluate(node: Node, fields: Fields): boolean {
  switch (node.op) {
    case "and":
      return node.args.every((arg) => evaluate(arg, fields));
    case "or":
      return node.args.some((arg) => evaluate(arg, fields));
    case "compare":
      return compare(fieldOf(fields, node.name), node.name, node.comparison, node.value);
    case "startsWith": {
      const field = fieldOf(fields, node.name);
      if (field.kind !== "text") throw invalidArgument(`invalid expression: operation starts_with is not supported for ${node.name} filter`);
      return field.value.startsWith(textOf(node.value, node.name)) !== node.negated;
    }
    case "between": {
      const field = fieldOf(fields, node.name);
      if (field.kind !== "time") throw invalidArgument(`unknown or unsupported search field: ${node.name}`);
      if (field.value === 0) return node.negated;
      return (field.value >= timeOf(node.low) && field.value <= timeOf(node.high)) !== node.negated;
    }
    case "refused":
      throw invalidArgument(node.why);
    default:
      throw invalidArgument(`operation is not supported: '${node.op}' expression`);
  }
}

function fieldOf(fields: Fields, name: string): Field {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined) throw invalidArgument(`unknown or unsupported search field: ${name}`);
  return field;
}

function compare(field: Field, name: string, comparison: string, value: Literal): boolean {
  switch (field.kind) {
    case "none":
      return false;
    case "number":
      if (value.kind !== "number" || !Number.isInteger(value.value)) throw invalidArgument(`invalid value for ${name}: an integer is needed`);
      return ordered(field.value, value.value, comparison);
    case "time":
      return ordered(field.value, timeOf(value), comparison);
    default: {
      const text = textOf(value, name);
      if (comparison === "=") return field.value === text;
      if (comparison === "!=") return field.value !== text;
      throw invalidArgument(`invalid expression: operation ${comparison} is not supported for ${name} filter`);
    }
  }
}

function ordered(a: number, b: number, comparison: string): boolean {
  switch (comparison) {
    case "=":
      return a === b;
    case "!=":
      return a !== b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "<":
      return a < b;
    default:
      return a <= b;
  }
}

function textOf(value: Literal, name: string): string {
  if (value.kind !== "string") throw invalidArgument(`value of ${name} is not a string value`);
  if (value.value === "") throw invalidArgument(`${name} cannot be empty`);
  return value.value;
}

/** Nanoseconds since the epoch, or a text. */
function timeOf(value: Literal): number {
  if (value.kind === "number") return Math.floor(value.value / 1000);
  const time = value.kind === "string" ? parseTime(value.value) : undefined;
  if (time === undefined) throw invalidArgument("a time is needed");
  return time;
}
