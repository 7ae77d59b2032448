/** Names to columns and attributes, literals to values of their types. */
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { invalidArgument } from "../../api/service-error.js";
import type { NamespaceView, SearchAttributeType } from "../namespace-view.js";
import { attributeOf, DIVISION, PREDEFINED, SYSTEM, type SystemColumn, TYPE_NAME } from "./attributes.js";
import { type Literal, type Node, parseQuery } from "./parser.js";
import { type Field, type ResolvedQuery, type Scalar, tokens, type VisibilityFilter } from "./query.js";
import { parseDuration, parseTime } from "./time.js";

const OPPOSITE = { "=": "!=", "!=": "=", ">": "<=", ">=": "<", "<": ">=", "<=": ">" } as const;

/** Queries over a division of the server's own: schedules, say. */
export interface QueryScope {
  /** Value of TemporalNamespaceDivision. */
  readonly division: string;
  /** Attributes that only its rows have. */
  readonly attributes: ReadonlyMap<string, SearchAttributeType>;
  /** Names of its own for columns. */
  readonly columns?: ReadonlyMap<string, SystemColumn>;
  /** Why a name may not be asked for, as the official server says it. */
  readonly refusal: (name: string) => string | undefined;
}

/** @throws ServiceError INVALID_ARGUMENT with the official server's texts. */
export function resolveQuery(text: string, namespace: NamespaceView, scope?: QueryScope): ResolvedQuery {
  const q = parseQuery(text);
  let mentionsDivision = false;
  const refusals = new Set<string>();
  const field = (name: string): Field => {
    const own = scope?.attributes.get(name);
    if (own !== undefined && !namespace.searchAttributes.has(name)) return { kind: "attribute", ...own };
    const column = scope?.columns?.get(name);
    if (column !== undefined) return { kind: "system", column };
    const f = fieldOf(name, namespace);
    const refusal = scope?.refusal(name);
    if (refusal !== undefined) refusals.add(refusal);
    if (f.kind === "attribute" && f.id === PREDEFINED.get(DIVISION)?.id) mentionsDivision = true;
    return f;
  };
  const where = q.where === undefined ? undefined : filter(q.where, false, field);
  // Wider than the official server, which groups by ExecutionStatus and refuses ORDER BY.
  if (q.groupBy.length > 1) throw refused("operation is not supported: 'GROUP BY' clause supports only a single field");
  const groupBy = q.groupBy.map((name) => {
    const f = field(name);
    if (!GROUPABLE.has(typeOf(f))) throw refused(`operation is not supported: 'GROUP BY' clause is not supported for search attribute ${name}`);
    return { name, field: f };
  });
  const orderBy = q.orderBy.map((o) => {
    const f = field(o.name);
    if (typeOf(f) === T.TEXT || typeOf(f) === T.KEYWORD_LIST)
      throw refused(`operation is not supported: unable to sort by search attribute type ${TYPE_NAME[typeOf(f)]}`);
    return { field: f, descending: o.descending };
  });
  // What is wrong with the query itself comes first.
  for (const refusal of refusals) throw invalidArgument(refusal);
  // Rows of the server's own divisions are seen by those who ask for them.
  const divisionField: Field = { kind: "attribute", id: PREDEFINED.get(DIVISION)?.id ?? 0, type: T.KEYWORD };
  const division: VisibilityFilter =
    scope === undefined
      ? { op: "isNull", field: divisionField, negated: false }
      : { op: "compare", field: divisionField, comparison: "=", value: scope.division };
  const scoped = mentionsDivision && scope === undefined ? where : where === undefined ? division : ({ op: "and", args: [division, where] } as const);
  return { filter: scoped, orderBy, groupBy };
}

/** No row has it. */
const NO_STATUS = -1;
const GROUPABLE: ReadonlySet<number> = new Set([T.KEYWORD, T.BOOL, T.INT]);
const RANGED: ReadonlySet<number> = new Set([T.DATETIME, T.DOUBLE, T.INT, T.KEYWORD]);

const refused = (why: string) => invalidArgument(`invalid query: ${why}`);

/** Custom attributes first, then the server's own, then those with the prefix put on or taken off. */
function fieldOf(name: string, namespace: NamespaceView): Field {
  for (const candidate of [name, `Temporal${name}`, name.startsWith("Temporal") ? name.slice("Temporal".length) : name]) {
    const column = SYSTEM.get(candidate);
    if (column !== undefined) return { kind: "system", column };
    const attribute = candidate === name ? attributeOf(name, namespace) : PREDEFINED.get(candidate);
    if (attribute !== undefined) return { kind: "attribute", ...attribute };
  }
  const workflowId = SYSTEM.get("WorkflowId");
  if (name === "ScheduleId" && workflowId !== undefined) return { kind: "system", column: workflowId };
  throw refused(`invalid search attribute: ${name}`);
}

const typeOf = (f: Field): number => (f.kind === "system" ? f.column.type : f.type);
const isStatus = (f: Field): boolean => f.kind === "system" && f.column.column === "status";

/** `negate`: an odd number of NOTs stands before. */
function filter(n: Node, negate: boolean, field: (name: string) => Field): VisibilityFilter {
  switch (n.op) {
    case "not":
      return filter(n.arg, !negate, field);
    case "and":
    case "or": {
      const op = (n.op === "and") === negate ? "or" : "and";
      const args = n.args.map((a) => filter(a, negate, field)).flatMap((a) => (a.op === op ? (a.args as VisibilityFilter[]) : [a]));
      return op === "or" ? anyOf(args) : { op, args };
    }
    case "refused":
      throw refused(n.why);
    case "unsupported": {
      const f = field(n.name);
      convert(n.name, f, n.value);
      throw unsupported(n.operator, n.name, f);
    }
    case "compare": {
      const f = field(n.name);
      const comparison = negate ? OPPOSITE[n.comparison] : n.comparison;
      const value = convert(n.name, f, n.value);
      const isEquality = n.comparison === "=" || n.comparison === "!=";
      if ((typeOf(f) === T.TEXT || typeOf(f) === T.KEYWORD_LIST) && !isEquality) throw unsupported(n.comparison, n.name, f);
      if (typeOf(f) !== T.TEXT) return { op: "compare", field: f, comparison, value };
      if (!/[^ ]/.test(String(value))) throw refused(`invalid expression: no tokens found filtering on Text type search attribute ${n.name}`);
      return { op: "match", field: f, tokens: tokens(String(value)), negated: comparison === "!=" };
    }
    case "in": {
      const f = field(n.name);
      const values = n.values.map((v) => convert(n.name, f, v));
      if (typeOf(f) === T.TEXT) throw unsupported(n.negated ? "NOT IN" : "IN", n.name, f);
      return { op: "in", field: f, values, negated: n.negated !== negate };
    }
    case "between": {
      const f = field(n.name);
      if (!RANGED.has(typeOf(f)))
        throw refused(`invalid expression: cannot do range condition on search attribute '${n.name}' of type ${TYPE_NAME[typeOf(f)]}`);
      return { op: "between", field: f, low: convert(n.name, f, n.low), high: convert(n.name, f, n.high), negated: n.negated !== negate };
    }
    case "startsWith": {
      const f = field(n.name);
      const value = convert(n.name, f, n.value);
      if (typeOf(f) !== T.KEYWORD) throw unsupported(n.negated ? "NOT STARTS_WITH" : "STARTS_WITH", n.name, f);
      if (typeof value !== "string")
        throw refused(
          `invalid expression: right-hand side of "${n.negated ? "not starts_with" : "starts_with"}" operator must be a literal string (got: ${value})`,
        );
      return { op: "startsWith", field: f, prefix: value, negated: n.negated !== negate };
    }
    case "isNull":
      return { op: "isNull", field: field(n.name), negated: n.negated !== negate };
  }
}

/** Alternatives for one attribute are one set, which stores look up at once. */
function anyOf(args: readonly VisibilityFilter[]): VisibilityFilter {
  const sets = new Map<string, { field: Field; values: Scalar[] }>();
  const rest: VisibilityFilter[] = [];
  for (const a of args) {
    if (a.op !== "compare" || a.comparison !== "=") {
      rest.push(a);
      continue;
    }
    const name = a.field.kind === "system" ? a.field.column.name : String(a.field.id);
    const set = sets.get(name);
    if (set === undefined) sets.set(name, { field: a.field, values: [a.value] });
    else set.values.push(a.value);
  }
  const out = [...[...sets.values()].map(({ field, values }): VisibilityFilter => ({ op: "in", field, values, negated: false })), ...rest];
  return out.length === 1 ? (out[0] as VisibilityFilter) : { op: "or", args: out };
}

const STATUS_BY_NAME: ReadonlyMap<string, number> = new Map(
  Object.entries(Status)
    .filter((e): e is [string, number] => typeof e[1] === "number")
    .flatMap(([k, v]) => {
      const camel = k
        .split("_")
        .map((w) => w.charAt(0) + w.slice(1).toLowerCase())
        .join("");
      return [
        [camel, v],
        [`WORKFLOW_EXECUTION_STATUS_${k}`, v],
      ] as [string, number][];
    }),
);

function unsupported(operator: string, name: string, f: Field): Error {
  return refused(`operation is not supported: operator '${operator}' not supported for ${TYPE_NAME[typeOf(f)]} type search attribute '${name}'`);
}

/** A literal and its type as Go's %#v and %T print them. */
function goLiteral(literal: Literal): { shown: string; type: string } {
  if (literal.kind === "string") return { shown: JSON.stringify(literal.value), type: "string" };
  if (literal.kind === "number")
    return /^-?\d+$/.test(literal.text) ? { shown: literal.text, type: "int64" } : { shown: goFloat(literal.value), type: "float64" };
  return { shown: String(literal.value), type: "bool" };
}

function goFloat(value: number): string {
  const [digits, exponent] = value.toExponential().split("e").map(Number) as [number, number];
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function convert(name: string, f: Field, literal: Literal): Scalar {
  if (literal.kind === "column")
    throw refused(
      `operation is not supported: column name on the right side of comparison expression (did you forget to quote ${JSON.stringify(literal.value)}?)`,
    );
  if (literal.kind === "other")
    throw refused(
      literal.value === "*sqlparser.FuncExpr"
        ? "operation is not supported: nested func"
        : `invalid expression: unexpected value type ${literal.value}`,
    );
  const { shown, type } = goLiteral(literal);
  const unexpected = (attribute: string) => refused(`invalid expression: unexpected value type ${type} for search attribute ${attribute}`);
  if (isStatus(f)) {
    if (type !== "int64" && type !== "string") throw unexpected("ExecutionStatus");
    const status = literal.kind === "number" ? literal.value : STATUS_BY_NAME.get(String(literal.value));
    if (status === undefined && f.kind === "system" && f.column.takesAny === true) return NO_STATUS;
    if (status === undefined || Status[status] === undefined)
      throw refused(`invalid expression: invalid ExecutionStatus value ${type === "string" ? `'${literal.value}'` : literal.value}`);
    return status;
  }
  if (f.kind === "system" && f.column.column === "executionDuration") {
    // Nanoseconds in queries, microseconds in rows.
    if (type === "int64") return (literal.value as number) / 1000;
    if (type !== "string") throw unexpected("ExecutionDuration");
    const micros = parseDuration(String(literal.value));
    if (micros === undefined) throw refused(`invalid expression: invalid duration value for search attribute ExecutionDuration: ${literal.value}`);
    return micros;
  }
  const wrongType = () =>
    refused(`invalid expression: invalid value type for search attribute ${name} of type ${TYPE_NAME[typeOf(f)]}: ${shown} (type: ${type})`);
  switch (typeOf(f)) {
    case T.INT:
    case T.DOUBLE:
      if (literal.kind !== "number") throw wrongType();
      return literal.value;
    case T.BOOL:
      if (literal.kind !== "bool") throw wrongType();
      return literal.value;
    case T.DATETIME: {
      // An integer is nanoseconds since the epoch; beyond microseconds it is cut before it loses digits as a number.
      if (literal.kind === "number" && type === "int64")
        return Math.floor(literal.text.length > 15 ? Number(literal.text.slice(0, -3)) : literal.value / 1000);
      if (literal.kind !== "string") throw wrongType();
      const micros = parseTime(literal.value);
      if (micros === undefined) throw refused(`invalid expression: unable to parse datetime '${literal.value}'`);
      return micros;
    }
    default:
      if (literal.kind !== "string") throw wrongType();
      return literal.value;
  }
}
