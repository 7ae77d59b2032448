/** The few queries that archives can answer, with the official server's texts (common/archiver/{filestore,s3store}/query_parser.go). */
import { invalidArgument, ServiceError } from "../../api/service-error.js";
import { type Literal, MALFORMED_QUERY, type Node, parseQuery, syntaxProblem } from "../../core/visibility/parser.js";
import { parseTime } from "../../core/visibility/time.js";
import { statusOf, type VisibilityRecord } from "./visibility-record.js";

type Comparison = Extract<Node, { op: "compare" }>;

/** The comparisons of a query that is nothing but comparisons that must all hold. */
function comparisons(query: string): Comparison[] {
  const out: Comparison[] = [];
  const walk = (node: Node | undefined): void => {
    if (node?.op === "and") for (const arg of node.args) walk(arg);
    else if (node?.op === "compare") out.push(node);
    else if (node?.op === "in" && !node.negated) throw invalidArgument(`invalid value: (${node.values.map(sqlOf).join(", ")})`);
    else throw invalidArgument('only comparison and "and" expression is supported');
  };
  try {
    walk(parseQuery(query).where);
  } catch (e) {
    throw e instanceof ServiceError && e.message.startsWith(MALFORMED_QUERY) ? invalidArgument(syntaxProblem(e)) : e;
  }
  return out;
}

const sqlOf = (value: Literal): string => (value.kind === "string" ? `'${value.value}'` : textOf(value));
const textOf = (value: Literal): string => (value.kind === "number" ? value.text : String(value.value));

function stringOf(value: Literal): string {
  if (value.kind !== "string") throw invalidArgument(`value ${textOf(value)} is not a string value`);
  return value.value;
}

function onlyEquals({ name, comparison }: Comparison): void {
  if (comparison !== "=") throw invalidArgument(`only operation = is support for ${name}`);
}

/** Microseconds of nanoseconds, or of a time. */
function timeOf(value: Literal): number {
  if (value.kind === "number") return Math.floor(value.value / 1000);
  const text = stringOf(value);
  const time = parseTime(text);
  if (time === undefined)
    throw invalidArgument(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`);
  return time;
}

export interface FileQuery {
  readonly earliestClose: number;
  readonly matches: (record: VisibilityRecord) => boolean;
}

/** Undefined: nothing can match. */
export function parseFileQuery(query: string): FileQuery | undefined {
  let earliestClose = Number.NEGATIVE_INFINITY;
  let latestClose = Number.POSITIVE_INFINITY;
  const wanted = new Map<string, string | number>();
  let isEmpty = false;
  const want = (name: string, value: string | number): void => {
    if (wanted.has(name) && wanted.get(name) !== value) isEmpty = true;
    wanted.set(name, value);
  };
  for (const c of query.trim() === "" ? [] : comparisons(query)) {
    switch (c.name) {
      case "WorkflowId":
      case "RunId":
      case "WorkflowType": {
        const value = stringOf(c.value);
        onlyEquals(c);
        want(c.name, value);
        break;
      }
      case "ExecutionStatus": {
        const text = textOf(c.value);
        onlyEquals(c);
        const status = /^\d+$/.test(text) ? Number(text) : statusOf(text);
        // Closed runs only.
        if (status < 2 || status > 7) throw invalidArgument(`unknown workflow close status: ${text.trim().toLowerCase()}`);
        want(c.name, status);
        break;
      }
      case "CloseTime": {
        const time = timeOf(c.value);
        if (c.comparison === "!=") throw invalidArgument("operator != is not supported for close time");
        if (c.comparison === "=" || c.comparison === ">=") earliestClose = Math.max(earliestClose, time);
        if (c.comparison === "=" || c.comparison === "<=") latestClose = Math.min(latestClose, time);
        if (c.comparison === ">") earliestClose = Math.max(earliestClose, time + 1);
        if (c.comparison === "<") latestClose = Math.min(latestClose, time - 1);
        break;
      }
      default:
        throw invalidArgument(`unknown filter name: ${c.name}`);
    }
  }
  if (isEmpty) return undefined;
  const is = (name: string, value: string | number): boolean => !wanted.has(name) || wanted.get(name) === value;
  return {
    earliestClose,
    matches: (r) =>
      r.closeTime >= earliestClose &&
      r.closeTime <= latestClose &&
      is("WorkflowId", r.workflowId) &&
      is("RunId", r.runId) &&
      is("WorkflowType", r.workflowTypeName) &&
      is("ExecutionStatus", r.status),
  };
}

/** What an index of the archive in S3 is asked for. */
export interface S3Query {
  readonly index: "workflowTypeName" | "workflowID";
  readonly value: string;
  readonly time: { readonly of: "closeTimeout" | "startTimeout"; readonly micros: number; readonly precision: Precision } | undefined;
}

export type Precision = "Day" | "Hour" | "Minute" | "Second";
const PRECISIONS: ReadonlySet<string> = new Set(["Day", "Hour", "Minute", "Second"]);

export function parseS3Query(query: string): S3Query {
  const found = new Map<string, string | number>();
  for (const c of comparisons(query)) {
    switch (c.name) {
      case "WorkflowTypeName":
      case "WorkflowType":
      case "WorkflowId": {
        const value = stringOf(c.value);
        onlyEquals(c);
        const name = c.name === "WorkflowId" ? c.name : "WorkflowType";
        if (found.has(name)) throw invalidArgument(`can not query ${c.name} multiple times`);
        found.set(name, value);
        break;
      }
      case "CloseTime":
      case "StartTime": {
        const time = timeOf(c.value);
        onlyEquals(c);
        found.set(c.name, time);
        break;
      }
      case "SearchPrecision": {
        const value = stringOf(c.value);
        onlyEquals(c);
        if (found.has(c.name) && found.get(c.name) !== value) throw invalidArgument("only one expression is allowed for SearchPrecision");
        if (!PRECISIONS.has(value)) throw invalidArgument(`invalid value for SearchPrecision: ${value}`);
        found.set(c.name, value);
        break;
      }
      default:
        throw invalidArgument(`unknown filter name: ${c.name}`);
    }
  }
  const [type, id, close, start, precision] = ["WorkflowType", "WorkflowId", "CloseTime", "StartTime", "SearchPrecision"].map((n) => found.get(n));
  if (id === undefined && type === undefined) throw invalidArgument("WorkflowId or WorkflowType is required in query");
  if (id !== undefined && type !== undefined) throw invalidArgument("only one of WorkflowId or WorkflowType can be specified in a query");
  if (close !== undefined && start !== undefined) throw invalidArgument("only one of StartTime or CloseTime can be specified in a query");
  const time = close ?? start;
  if (time !== undefined && precision === undefined) throw invalidArgument("SearchPrecision is required when searching for a StartTime or CloseTime");
  if (time === undefined && precision !== undefined) throw invalidArgument("SearchPrecision requires a StartTime or CloseTime");
  return {
    index: id === undefined ? "workflowTypeName" : "workflowID",
    value: String(id ?? type),
    time:
      time === undefined
        ? undefined
        : { of: close === undefined ? "startTimeout" : "closeTimeout", micros: Number(time), precision: String(precision) as Precision },
  };
}
