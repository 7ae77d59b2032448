/**
 * Where a value of a setting holds. A value counts only for those whose constraints are exactly its own: what a call is looked up by is
 * a fixed list for each scope, the strongest first, as on the official server (Constraints in its common/dynamicconfig/client.go).
 */
import type { Setting } from "./limits.js";

export interface Constraints {
  /** Empty texts and 0 are no constraint. */
  readonly namespace: string;
  readonly taskQueue: string;
  /** The number of the API's TaskQueueType. */
  readonly taskType: number;
  /** A Nexus endpoint; of callbacks scheme and host. */
  readonly destination: string;
  /** Constraints of settings that this server has none of: shards, kinds of tasks, namespace ids. */
  readonly foreign: string;
}

export const NO_CONSTRAINTS: Constraints = { namespace: "", taskQueue: "", taskType: 0, destination: "", foreign: "" };

const TASK_TYPES: Readonly<Record<string, number>> = { Workflow: 1, Activity: 2, Nexus: 3 };

/** What each scope is looked up by beside no constraint at all; a call has the strongest first. */
const LOOKED_UP: Readonly<Record<Setting["scope"], readonly string[]>> = {
  G: [],
  N: ["namespace"],
  T: ["namespace taskQueue taskType", "namespace taskQueue", "taskQueue", "namespace"],
  D: ["namespace destination", "destination", "namespace"],
};

/** @throws Error with a text for the user. Names in any case, as on the official server. */
export function parseConstraints(given: unknown): Constraints {
  if (given === undefined || given === null) return NO_CONSTRAINTS;
  if (typeof given !== "object" || Array.isArray(given)) throw new Error("constraints must be names with values");
  const found = { ...NO_CONSTRAINTS };
  for (const [name, value] of Object.entries(given)) {
    switch (name.toLowerCase()) {
      case "namespace":
        found.namespace = textOf(name, value);
        break;
      case "taskqueuename":
        found.taskQueue = textOf(name, value);
        break;
      case "tasktype":
        found.taskType = taskTypeOf(value);
        break;
      case "destination":
        found.destination = textOf(name, value);
        break;
      case "namespaceid":
      case "chasmtasktype":
        if (textOf(name, value) !== "") found.foreign = name;
        break;
      case "shardid":
        if (!Number.isInteger(value)) throw new Error(`constraint ${name} must be a whole number`);
        if (value !== 0) found.foreign = name;
        break;
      case "historytasktype":
        if (typeof value !== "string" && !Number.isInteger(value)) throw new Error(`constraint ${name} must be a type of task`);
        found.foreign = name;
        break;
      default:
        throw new Error(`unknown constraint ${JSON.stringify(name)}`);
    }
  }
  return found;
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== "string") throw new Error(`constraint ${name} must be a text`);
  return value;
}

function taskTypeOf(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
  const type = typeof value === "string" ? TASK_TYPES[value] : undefined;
  const byNumber = Object.entries(TASK_TYPES).find(([name]) => value === `TASK_QUEUE_TYPE_${name.toUpperCase()}`)?.[1];
  if ((type ?? byNumber) === undefined) throw new Error(`constraint taskType must be one of ${Object.keys(TASK_TYPES).join(", ")}`);
  return (type ?? byNumber) as number;
}

/** The names of what is constrained, in the order of LOOKED_UP. */
function shapeOf(c: Constraints): string {
  const names = (["namespace", "taskQueue", "taskType", "destination", "foreign"] as const).filter((n) => c[n] !== "" && c[n] !== 0);
  return names.join(" ");
}

export const isConstrained = (c: Constraints): boolean => shapeOf(c) !== "";

/** Whether anything of the scope is ever looked up by these constraints. */
export const isLookedUp = (scope: Setting["scope"], c: Constraints): boolean => !isConstrained(c) || LOOKED_UP[scope].includes(shapeOf(c));

/** Equal for equal constraints. */
export const constraintsKey = (c: Constraints): string => JSON.stringify([c.namespace, c.taskQueue, c.taskType, c.destination, c.foreign]);
