/**
 * Whether a build id may still get tasks of a queue: by the queue's sets (GetWorkerTaskReachability) or rules (DescribeTaskQueue). What
 * workflows there are is the caller's to count, by their attribute BuildIds; those without it are nobody's yet, or the unversioned
 * workers'.
 */
import type { BuildIdsRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { BuildIdTaskReachability, TaskReachability } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { invalidArgument } from "../../api/service-error.js";
import { isFullyRamped, upstreamBuildIds } from "./rules.js";
import { findBuildId } from "./version-sets.js";

export type WorkflowStatus = "open" | "closed" | "any";

type BuildIds = Pick<BuildIdsRecord, "sets" | "assignmentRules" | "redirectRules">;

const STATUSES: Readonly<Partial<Record<TaskReachability, WorkflowStatus>>> = {
  [TaskReachability.UNSPECIFIED]: "any",
  [TaskReachability.EXISTING_WORKFLOWS]: "any",
  [TaskReachability.OPEN_WORKFLOWS]: "open",
  [TaskReachability.CLOSED_WORKFLOWS]: "closed",
};

/** Workflows to look for. */
export interface Wanted {
  readonly status: WorkflowStatus;
  /** Values of BuildIds, of which one is enough. */
  readonly buildIds: readonly string[];
  /** Also those that have none. */
  readonly orNone: boolean;
}

/** `defaultAge`: microseconds for which what was the default until lately counts as reachable. */
export function setReachability(
  { sets }: BuildIds,
  buildId: string,
  type: TaskReachability,
  now: number,
  defaultAge: number,
): { isNew: boolean; existing: (Wanted & { type: TaskReachability }) | undefined } {
  let isDefault = sets.length === 0;
  let isNew = isDefault;
  let buildIds: readonly string[] = ["unversioned"];
  if (buildId === "") {
    isNew ||= now - Math.min(...sets.map((s) => s.defaultSince)) < defaultAge;
  } else {
    const found = findBuildId(sets, buildId);
    const set = found === undefined ? undefined : sets[found.set];
    // Only the default of a set gets tasks of the set.
    if (found === undefined || set === undefined || found.index < set.buildIds.length - 1) return { isNew: false, existing: undefined };
    isDefault = found.set === sets.length - 1;
    isNew = isDefault || now - set.defaultSince < defaultAge;
    buildIds = set.buildIds.map((b) => `versioned:${b.id}`);
  }
  if (type === TaskReachability.NEW_WORKFLOWS) return { isNew, existing: undefined };
  const status = STATUSES[type];
  if (status === undefined) throw invalidArgument(`Unsupported reachability type: ${type}`);
  // Workflows that no worker has seen yet are the default's.
  const orNone = buildId === "" || (isDefault && type !== TaskReachability.CLOSED_WORKFLOWS);
  const told = type === TaskReachability.UNSPECIFIED ? TaskReachability.EXISTING_WORKFLOWS : type;
  return { isNew, existing: { status, buildIds, orNone, type: told } };
}

/** Either what the rules alone say, or which workflows decide: open ones make it reachable, closed ones alone for queries. */
export function ruleReachability(
  { assignmentRules, redirectRules }: BuildIds,
  buildId: string,
): { known: BuildIdTaskReachability } | { open: Wanted; closed: Wanted } {
  if (redirectRules.some((r) => r.rule?.sourceBuildId === buildId)) return { known: BuildIdTaskReachability.UNREACHABLE };
  const interest = new Set([...upstreamBuildIds(redirectRules, buildId), buildId]);
  const last = assignmentRules.findIndex(isFullyRamped);
  const reached = assignmentRules.slice(0, last < 0 ? undefined : last + 1).map((r) => r.rule?.targetBuildId ?? "");
  if (last < 0) reached.push("");
  if (reached.some((id) => interest.has(id))) return { known: BuildIdTaskReachability.REACHABLE };
  const values = (prefix: string) => [...interest].sort().map((id) => (id === "" ? "unversioned" : `${prefix}:${id}`));
  const orNone = interest.has("");
  return { open: { status: "open", buildIds: values("assigned"), orNone }, closed: { status: "closed", buildIds: values("versioned"), orNone } };
}
