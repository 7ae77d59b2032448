/** Names to columns and attributes, literals to values of their types. */
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { invalidArgument } from "../../api/service-error.js";
import { parseDurationMs } from "../../config/dynamic-config.js";
import type { NamespaceView } from "../namespace-view.js";
import { DIVISION, PREDEFINED, SYSTEM, TYPE_NAME, attributeOf } from "./attributes.js";
import { type Literal, type Node, parseQuery } from "./parser.js";
import { type Field, type ResolvedQuery, type Scalar, type VisibilityFilter, tokens } from "./query.js";

const OPPOSITE = { "=": "!=", "!=": "=", ">": "<=", ">=": "<", "<": ">=", "<=": ">" } as const;

/** @throws ServiceError INVALID_ARGUMENT with the official server's texts. */
export function resolveQuery(text: string, namespace: NamespaceView): ResolvedQuery {
  const q = parseQuery(text);
  let mentionsDivision = false;
  const field = (name: string): Field => {
    if (name === DIVISION) mentionsDivision = true;
    return fieldOf(name, namespace);
  };
  const where = q.where === undefined ? undefined : filter(q.where, false, field);
  const orderBy = q.orderBy.map((o) => {
    const f = field(o.name);
    if (f.kind === "attribute" && (f.type === T.TEXT || f.type === T.KEYWORD_LIST))
      throw invalidArgument(`invalid query: unable to sort by field of ${TYPE_NAME[f.type]} type, use field of type Bool, Datetime, Double, Int, Keyword`);
    return { field: f, descending: o.descending };
  });
  const groupBy = q.groupBy.map((name) => {
    const f = field(name);
    const type = f.kind === "system" ? f.column.type : f.type;
    if (type !== T.KEYWORD && type !== T.BOOL) throw invalidArgument(`invalid query: 'GROUP BY' clause is only supported for Keyword and Bool search attributes: ${name}`);
    return { name, field: f };
  });
  // Rows of the server's own divisions are seen by those who ask for them.
  const division: VisibilityFilter = { op: "isNull", field: { kind: "attribute", id: PREDEFINED.get(DIVISION)?.id ?? 0, type: T.KEYWORD }, negated: false };
  const scoped = mentionsDivision ? where : where === undefined ? division : ({ op: "and", args: [division, where] } as const);
  return { filter: scoped, orderBy, groupBy };
}

function fieldOf(name: string, namespace: NamespaceView): Field {
  const column = SYSTEM.get(name);
  if (column !== undefined) return { kind: "system", column };
  const attribute = attributeOf(name, namespace);
  if (attribute === undefined) {
    // The names that users may give without their prefix.
    const prefixed = attributeOf(`Temporal${name}`, namespace);
    if (prefixed !== undefined) return { kind: "attribute", ...prefixed };
    throw invalidArgument(`invalid query: column name '${name}' is not a valid search attribute`);
  }
  return { kind: "attribute", ...attribute };
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
      const args = [filter(n.left, negate, field), filter(n.right, negate, field)].flatMap((a) => (a.op === op ? (a.args as VisibilityFilter[]) : [a]));
      return { op, args };
    }
    case "compare": {
      const f = field(n.name);
      const comparison = negate ? OPPOSITE[n.comparison] : n.comparison;
      if (typeOf(f) === T.TEXT) {
        if (comparison !== "=" && comparison !== "!=") throw invalidArgument(`invalid query: operator '${n.comparison}' not supported for Text type search attribute '${n.name}'`);
        const words = tokens(String(n.value.value));
        return words.length === 0 ? { op: "never" } : { op: "match", field: f, tokens: words, negated: comparison === "!=" };
      }
      if ((typeOf(f) === T.KEYWORD_LIST || typeOf(f) === T.BOOL) && comparison !== "=" && comparison !== "!=")
        throw invalidArgument(`invalid query: operator '${n.comparison}' not supported for ${TYPE_NAME[typeOf(f)]} type search attribute '${n.name}'`);
      return { op: "compare", field: f, comparison, value: convert(n.name, f, n.value) };
    }
    case "in": {
      const f = field(n.name);
      if (typeOf(f) === T.TEXT) throw invalidArgument(`invalid query: operator 'in' not supported for Text type search attribute '${n.name}'`);
      return { op: "in", field: f, values: n.values.map((v) => convert(n.name, f, v)), negated: n.negated !== negate };
    }
    case "between": {
      const f = field(n.name);
      if (typeOf(f) === T.TEXT || typeOf(f) === T.KEYWORD_LIST || typeOf(f) === T.BOOL)
        throw invalidArgument(`invalid query: operator 'between' not supported for ${TYPE_NAME[typeOf(f)]} type search attribute '${n.name}'`);
      return { op: "between", field: f, low: convert(n.name, f, n.low), high: convert(n.name, f, n.high), negated: n.negated !== negate };
    }
    case "startsWith": {
      const f = field(n.name);
      if (typeOf(f) !== T.KEYWORD && typeOf(f) !== T.KEYWORD_LIST)
        throw invalidArgument(`invalid query: operator 'starts_with' not supported for ${TYPE_NAME[typeOf(f)]} type search attribute '${n.name}'`);
      if (n.value.kind !== "string") throw invalidArgument(`invalid query: right-hand side of 'STARTS_WITH' must be a literal string (got: ${n.value.value})`);
      return { op: "startsWith", field: f, prefix: n.value.value, negated: n.negated !== negate };
    }
    case "isNull":
      return { op: "isNull", field: field(n.name), negated: n.negated !== negate };
  }
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
        [camel.toLowerCase(), v],
        [`workflow_execution_status_${k.toLowerCase()}`, v],
      ] as [string, number][];
    }),
);

function bad(name: string, f: Field, literal: Literal): never {
  const shown = literal.kind === "string" ? `'${literal.value}'` : literal.kind === "number" ? literal.text : String(literal.value);
  throw invalidArgument(`invalid query: invalid value for search attribute ${name} of type ${TYPE_NAME[typeOf(f)]}: ${shown}`);
}

function convert(name: string, f: Field, literal: Literal): Scalar {
  if (isStatus(f)) {
    if (literal.kind === "number") return literal.value;
    const status = literal.kind === "string" ? STATUS_BY_NAME.get(literal.value.toLowerCase()) : undefined;
    if (status === undefined) throw invalidArgument(`invalid query: invalid ExecutionStatus value '${literal.value}'`);
    return status;
  }
  if (f.kind === "system" && f.column.column === "executionDuration") {
    // Nanoseconds in queries, microseconds in rows.
    if (literal.kind === "number") return literal.value / 1000;
    if (literal.kind !== "string") return bad(name, f, literal);
    const clock = /^(\d+):(\d{1,2}):(\d{1,2})$/.exec(literal.value);
    if (clock !== null) return (Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3])) * 1_000_000;
    if (/^\d+$/.test(literal.value)) return Number(literal.value) / 1000;
    const days = /^(\d+)d(.*)$/.exec(literal.value);
    const rest = days === null ? literal.value : days[2] === "" ? "0" : (days[2] as string);
    const ms = parseDurationMs(rest);
    if (ms === undefined) throw invalidArgument(`invalid query: invalid value for search attribute ${name}: '${literal.value}' is not a duration`);
    return (ms + Number(days?.[1] ?? 0) * 86_400_000) * 1000;
  }
  switch (typeOf(f)) {
    case T.KEYWORD:
    case T.KEYWORD_LIST:
    case T.TEXT:
      return literal.kind === "string" ? literal.value : bad(name, f, literal);
    case T.INT:
      if (literal.kind === "number" && Number.isInteger(literal.value)) return literal.value;
      if (literal.kind === "string" && /^-?\d+$/.test(literal.value)) return Number(literal.value);
      return bad(name, f, literal);
    case T.DOUBLE:
      if (literal.kind === "number") return literal.value;
      if (literal.kind === "string" && literal.value !== "" && Number.isFinite(Number(literal.value))) return Number(literal.value);
      return bad(name, f, literal);
    case T.BOOL:
      if (literal.kind === "bool") return literal.value;
      if (literal.kind === "string" && /^(true|false)$/i.test(literal.value)) return literal.value.toLowerCase() === "true";
      return bad(name, f, literal);
    case T.DATETIME: {
      // An integer is nanoseconds since the epoch.
      if (literal.kind === "number") return Math.floor(literal.value / 1000);
      const micros = literal.kind === "string" ? parseTime(literal.value) : undefined;
      return micros ?? bad(name, f, literal);
    }
    default:
      return bad(name, f, literal);
  }
}

/** Microseconds of an RFC 3339 time; undefined when it is none. */
export function parseTime(text: string): number | undefined {
  const m = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)?(Z|z|[+-]\d\d:\d\d)$/.exec(text);
  if (m === null) return undefined;
  const [, y, mo, d, h, mi, s, fraction, zone] = m as unknown as string[];
  const days = daysFromCivil(Number(y), Number(mo), Number(d));
  if (Number(mo) < 1 || Number(mo) > 12 || Number(d) < 1 || Number(d) > 31 || Number(h) > 23 || Number(mi) > 59 || Number(s) > 60) return undefined;
  let seconds = days * 86_400 + Number(h) * 3600 + Number(mi) * 60 + Number(s);
  if (zone !== undefined && zone.length === 6) seconds -= (zone[0] === "-" ? -1 : 1) * (Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4)) * 60);
  return seconds * 1_000_000 + Math.floor(Number(`0${fraction ?? ""}`) * 1_000_000);
}

/** Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yoe = y - era * 400;
  const doy = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yoe * 365 + Math.floor(yoe / 4) - Math.floor(yoe / 100) + doy - 719_468;
}
