/** Versions of workers as they were before deployments: sets of build ids, rules, and which build ids may still get tasks. */
import type { BuildIdsRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { BuildIdTaskReachability, TaskReachability } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { TaskQueueReachability } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  GetWorkerBuildIdCompatibilityRequest,
  GetWorkerBuildIdCompatibilityResponse,
  GetWorkerTaskReachabilityRequest,
  GetWorkerTaskReachabilityResponse,
  GetWorkerVersioningRulesRequest,
  GetWorkerVersioningRulesResponse,
  UpdateWorkerBuildIdCompatibilityRequest,
  UpdateWorkerBuildIdCompatibilityResponse,
  UpdateWorkerVersioningRulesRequest,
  UpdateWorkerVersioningRulesResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, permissionDenied } from "../../api/service-error.js";
import { timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import { ruleReachability, setReachability, type Wanted, type WorkflowStatus } from "../../core/versioning/reachability.js";
import type { Services } from "../services.js";
import { isLongerThan } from "../validation/execution.js";
import { validateTaskQueueName } from "../validation/task-queue.js";
import { validateBuildIdOperation, validateRuleBuildIds } from "../validation/versioning.js";

/** A worker that polled this long ago still counts when its build id is committed. */
const POLLER_SEEN_MS = 70_000;

function requireSets(s: Services, namespace: string): void {
  if (!s.limits(namespace).areVersionSetsServed)
    throw permissionDenied("Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace.", "");
}

function requireRules(isServed: boolean): void {
  if (!isServed) throw permissionDenied("Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace.", "");
}

export const updateWorkerBuildIdCompatibility =
  (s: Services): Handler<UpdateWorkerBuildIdCompatibilityRequest, UpdateWorkerBuildIdCompatibilityResponse> =>
  async (request) => {
    requireSets(s, request.namespace);
    const limits = s.limits(request.namespace);
    validateBuildIdOperation(request, limits.buildIdSizeMax);
    validateTaskQueueName(request.taskQueue, limits.idLengthMax);
    await s.buildIds.updateSets(s.namespaces.view(request.namespace).id, request.taskQueue, request.operation);
    return {};
  };

export const getWorkerBuildIdCompatibility =
  (s: Services): Handler<GetWorkerBuildIdCompatibilityRequest, GetWorkerBuildIdCompatibilityResponse> =>
  (request) => {
    requireSets(s, request.namespace);
    validateTaskQueueName(request.taskQueue, s.limits(request.namespace).idLengthMax);
    const { sets } = s.buildIds.get(s.namespaces.view(request.namespace).id, request.taskQueue);
    const shown = request.maxSets > 0 ? sets.slice(-request.maxSets) : sets;
    return { majorVersionSets: shown.map(({ buildIds }) => ({ buildIds: buildIds.map((b) => b.id) })) };
  };

export const updateWorkerVersioningRules =
  (s: Services): Handler<UpdateWorkerVersioningRulesRequest, UpdateWorkerVersioningRulesResponse> =>
  async (request) => {
    requireRules(s.limits(request.namespace).areVersioningRulesServed);
    validateRuleBuildIds(request);
    validateTaskQueueName(request.taskQueue, s.limits(request.namespace).idLengthMax);
    const namespace = s.namespaces.view(request.namespace);
    const hasPoller = (buildId: string) => s.matching.hasPollerOf(namespace, request.taskQueue, buildId, POLLER_SEEN_MS);
    const record = await s.buildIds.updateRules(namespace.id, request, hasPoller);
    return rulesOf(s, namespace, request.taskQueue, record);
  };

export const getWorkerVersioningRules =
  (s: Services): Handler<GetWorkerVersioningRulesRequest, GetWorkerVersioningRulesResponse> =>
  (request) => {
    requireRules(s.limits(request.namespace).areVersioningRulesServed);
    validateTaskQueueName(request.taskQueue, s.limits(request.namespace).idLengthMax);
    const namespace = s.namespaces.view(request.namespace);
    return rulesOf(s, namespace, request.taskQueue, s.buildIds.get(namespace.id, request.taskQueue));
  };

function rulesOf(s: Services, namespace: NamespaceView, taskQueue: string, record: BuildIdsRecord): Init<GetWorkerVersioningRulesResponse> {
  return {
    assignmentRules: record.assignmentRules.map(({ rule, createTime }) => ({ rule, createTime: timestampOf(createTime) })),
    compatibleRedirectRules: record.redirectRules.map(({ rule, createTime }) => ({ rule, createTime: timestampOf(createTime) })),
    conflictToken: s.buildIds.token(namespace.id, taskQueue),
  };
}

export const getWorkerTaskReachability =
  (s: Services): Handler<GetWorkerTaskReachabilityRequest, GetWorkerTaskReachabilityResponse> =>
  async (request) => {
    const limits = s.limits(request.namespace);
    requireRules(limits.areVersionSetsServed);
    const { buildIds, taskQueues, reachability } = request;
    if (buildIds.length === 0) throw invalidArgument("Must query at least one build ID (or empty string for unversioned worker)");
    if (buildIds.length > limits.reachabilityBuildIdsMax)
      throw invalidArgument(`Too many build ids queried at once, limit: ${limits.reachabilityBuildIdsMax}`);
    for (const id of buildIds)
      if (isLongerThan(id, limits.buildIdSizeMax))
        throw invalidArgument("Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.");
    if (buildIds.includes("") && taskQueues.length === 0)
      throw invalidArgument(
        "Cannot get reachability of an unversioned worker without specifying at least one task queue (empty build ID is interpereted as unversioned)",
      );
    for (const name of taskQueues) validateTaskQueueName(name, limits.idLengthMax);
    const namespace = s.namespaces.view(request.namespace);
    const buildIdReachability = [];
    for (const buildId of buildIds) {
      const queues = taskQueues.length > 0 ? taskQueues : s.buildIds.taskQueuesOf(namespace.id, buildId);
      const told: Init<TaskQueueReachability>[] = [];
      for (const [i, taskQueue] of queues.entries())
        told.push(
          i < limits.reachabilityTaskQueuesMax
            ? { taskQueue, reachability: await reachabilityOf(s, namespace, buildId, taskQueue, reachability) }
            : { taskQueue, reachability: [TaskReachability.UNSPECIFIED] },
        );
      buildIdReachability.push({ buildId, taskQueueReachability: told });
    }
    return { buildIdReachability };
  };

async function reachabilityOf(
  s: Services,
  namespace: NamespaceView,
  buildId: string,
  taskQueue: string,
  type: TaskReachability,
): Promise<TaskReachability[]> {
  const defaultAge = s.limits(namespace.name).reachabilityDefaultAge;
  const { isNew, existing } = setReachability(s.buildIds.get(namespace.id, taskQueue), buildId, type, s.runtime.nowMicros(), defaultAge);
  const told = isNew ? [TaskReachability.NEW_WORKFLOWS] : [];
  if (existing !== undefined && (await hasWorkflows(s, namespace, taskQueue, existing))) told.push(existing.type);
  return told;
}

/** As DescribeTaskQueue tells it, by rules. */
export async function taskReachability(s: Services, namespace: NamespaceView, taskQueue: string, buildId: string): Promise<BuildIdTaskReachability> {
  const by = ruleReachability(s.buildIds.get(namespace.id, taskQueue), buildId);
  if ("known" in by) return by.known;
  if (await hasWorkflows(s, namespace, taskQueue, by.open)) return BuildIdTaskReachability.REACHABLE;
  const hasClosed = await hasWorkflows(s, namespace, taskQueue, by.closed);
  return hasClosed ? BuildIdTaskReachability.CLOSED_WORKFLOWS_ONLY : BuildIdTaskReachability.UNREACHABLE;
}

const STATUS_FILTERS: Readonly<Record<WorkflowStatus, string>> = {
  any: "",
  open: " AND ExecutionStatus = 'Running'",
  closed: " AND ExecutionStatus != 'Running'",
};

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

async function hasWorkflows(s: Services, namespace: NamespaceView, taskQueue: string, { status, buildIds, orNone }: Wanted): Promise<boolean> {
  const named = `BuildIds IN (${buildIds.map(quoted).join(", ")})`;
  const filter = orNone ? `(BuildIds IS NULL OR ${named})` : named;
  const { count } = await s.visibility.count(namespace, `TaskQueue = ${quoted(taskQueue)} AND ${filter}${STATUS_FILTERS[status]}`);
  return (count ?? 0) > 0;
}
