/**
 * Queries of ListWorkers and CountWorkers: the grammar is that of lists of workflows, the fields are those of a heartbeat. Text that is
 * no query is refused; a comparison that makes no sense for its field matches no worker, as on the official server
 * (service/matching/workers/worker_query_engine.go).
 */
import { WorkerStatus } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { WorkerHeartbeat } from "../../../gen/wire/temporal/api/worker/v1/message.js";
import { invalidArgument, ServiceError } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import { type Literal, type Node, parseQuery } from "../visibility/parser.js";
import { parseTime } from "../visibility/time.js";
import { enumName } from "../workflow/enum-name.js";

export type WorkerPredicate = (heartbeat: WorkerHeartbeat) => boolean;

const TEXTS: Readonly<Record<string, (h: WorkerHeartbeat) => string>> = {
  WorkerInstanceKey: (h) => h.workerInstanceKey,
  WorkerIdentity: (h) => h.workerIdentity,
  HostName: (h) => h.hostInfo?.hostName ?? "",
  TaskQueue: (h) => h.taskQueue,
  DeploymentName: (h) => h.deploymentVersion?.deploymentName ?? "",
  BuildId: (h) => h.deploymentVersion?.buildId ?? "",
  SdkName: (h) => h.sdkName,
  SdkVersion: (h) => h.sdkVersion,
  WorkerStatus: (h) => enumName(WorkerStatus, h.status),
  // A word of the grammar: the official parser does not tell its cases apart.
  status: (h) => enumName(WorkerStatus, h.status),
};

const TIMES: Readonly<Record<string, (h: WorkerHeartbeat) => number | undefined>> = {
  StartTime: (h) => (h.startTime === undefined ? undefined : timestampMicros(h.startTime)),
  HeartbeatTime: (h) => (h.heartbeatTime === undefined ? undefined : timestampMicros(h.heartbeatTime)),
};

/** @throws ServiceError */
export function workerPredicate(query: string): WorkerPredicate {
  if (query === "") return () => true;
  const text = query.trim();
  if (/^(where|select) /i.test(text)) throw invalidArgument(`invalid filter: ${text}`);
  const where = whereOf(text);
  return (heartbeat) => evaluate(where, heartbeat) === true;
}

function whereOf(text: string): Node {
  try {
    const { where } = parseQuery(text);
    if (where === undefined) throw invalidArgument("malformed query: syntax error at position 28");
    return where;
  } catch (e) {
    if (!(e instanceof ServiceError)) throw e;
    if (e.message === "invalid query: operation is not supported: 'LIMIT' clause")
      throw invalidArgument("operation is not supported: 'limit' clause");
    throw invalidArgument(e.message.replace(/^invalid query: (malformed SQL query: )?/, "malformed query: "));
  }
}

/** Undefined: it makes no sense; so then does everything that depends on it. */
function evaluate(node: Node, h: WorkerHeartbeat): boolean | undefined {
  switch (node.op) {
    case "and":
      for (const arg of node.args) {
        const result = evaluate(arg, h);
        if (result !== true) return result;
      }
      return true;
    case "or":
      for (const arg of node.args) {
        const result = evaluate(arg, h);
        if (result !== false) return result;
      }
      return false;
    case "compare":
      return compare(fieldName(node.name), node.comparison, node.value, h);
    case "startsWith": {
      const found = TEXTS[fieldName(node.name)]?.(h);
      const wanted = node.value;
      if (found === undefined || wanted.kind !== "string" || wanted.value === "") return undefined;
      return found.startsWith(wanted.value) !== node.negated;
    }
    case "between": {
      const time = TIMES[node.name];
      const [low, high] = [timeOf(node.low), timeOf(node.high)];
      if (time === undefined || low === undefined || high === undefined) return undefined;
      const found = time(h);
      return found !== undefined && (found >= low && found <= high) !== node.negated;
    }
    case "isNull": {
      const name = fieldName(node.name);
      const text = TEXTS[name];
      if (text !== undefined) return (text(h) === "") !== node.negated;
      const time = TIMES[name];
      return time === undefined ? undefined : (time(h) === undefined) !== node.negated;
    }
    default:
      return undefined;
  }
}

const fieldName = (name: string): string => (name.toLowerCase() === "status" ? "status" : name);

function compare(name: string, comparison: string, value: Literal, h: WorkerHeartbeat): boolean | undefined {
  const text = TEXTS[name];
  if (text !== undefined) {
    if (value.kind !== "string" || value.value === "") return undefined;
    if (comparison === "=") return text(h) === value.value;
    return comparison === "!=" ? text(h) !== value.value : undefined;
  }
  const wanted = timeOf(value);
  if (wanted === undefined || TIMES[name] === undefined) return undefined;
  // Of a worker that told none: the beginning of time.
  const found = TIMES[name](h) ?? 0;
  switch (comparison) {
    case "=":
      return found === wanted;
    case "!=":
      return found !== wanted;
    case ">":
      return found > wanted;
    case ">=":
      return found >= wanted;
    case "<":
      return found < wanted;
    default:
      return found <= wanted;
  }
}

function timeOf(value: Literal): number | undefined {
  if (value.kind === "string") return parseTime(value.value);
  // Nanoseconds.
  return value.kind === "number" && /^-?\d+$/.test(value.text) ? value.value / 1000 : undefined;
}
