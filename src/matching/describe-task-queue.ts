/**
 * DescribeTaskQueue: who polls a queue, what waits in it and how fast it moves. The default form tells of one type; the enhanced
 * form, deprecated upstream, of several, by build id: here of the unversioned queue.
 */
import { DescribeTaskQueueMode, TaskQueueKind, TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type {
  PollerInfo,
  TaskQueueConfig,
  TaskQueueStats,
  TaskQueueStatus,
  TaskQueueVersionInfo,
  TaskQueueVersioningInfo,
} from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type { DescribeTaskQueueRequest, DescribeTaskQueueResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument } from "../api/service-error.js";
import { duration, timestampOf } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { QueueVersions } from "../core/versioning/routing.js";
import { oldVersionText, parseVersion, sameVersion, UNVERSIONED, type Version } from "../core/versioning/version.js";
import type { StoredTask } from "./backlog.js";
import type { QueueKeys } from "./queue-keys.js";
import type { QueueState } from "./queue-state.js";
import { deploymentKey } from "./version-router.js";

/** Go's zero time, which the official server shows where no version was ever set. */
const NEVER_SECONDS = -62_135_596_800;

interface DescribeContext {
  now(): number;
  readonly queueKeys: QueueKeys;
  config(name: string, type: TaskQueueType): TaskQueueConfig | undefined;
  versions(name: string, type: TaskQueueType): QueueVersions | undefined;
  open(name: string, type: "workflow" | "activity", isSticky: boolean): QueueState;
}

export async function describeTaskQueue(request: DescribeTaskQueueRequest, context: DescribeContext): Promise<Init<DescribeTaskQueueResponse>> {
  const taskQueue = request.taskQueue;
  if (taskQueue === undefined) throw invalidArgument("taskQueue is not set");
  if (taskQueue.name === "") throw invalidArgument("missing task queue name");
  const isSticky = taskQueue.kind === TaskQueueKind.STICKY;
  if (request.apiMode === DescribeTaskQueueMode.ENHANCED) {
    if (isSticky) throw invalidArgument("Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.");
    return describeEnhanced(request, taskQueue.name, context);
  }
  if (isSticky && request.reportStats) throw invalidArgument("DescribeTaskQueue stats are only supported for the root partition");
  const q = context.open(taskQueue.name, typeName(request.taskQueueType), isSticky);
  const now = context.now();
  const { perSecond, source } = q.limits.effective;
  const response: Init<DescribeTaskQueueResponse> = {
    pollers: [...q.family()].flatMap((each) => pollersOf(each, now)),
    effectiveRateLimit: { requestsPerSecond: perSecond, rateLimitSource: source },
  };
  if (request.reportConfig && !isSticky) response.config = context.config(taskQueue.name, request.taskQueueType);
  if (!isSticky) response.versioningInfo = versioningInfo(context.versions(taskQueue.name, request.taskQueueType));
  if (request.includeTaskQueueStatus) response.taskQueueStatus = await statusOf(q, context);
  if (request.reportStats) {
    const byPriority = await familyStats(q, now);
    response.statsByPriorityKey = byPriority;
    response.stats = total(Object.values(byPriority));
  }
  return response;
}

function versioningInfo(versions: QueueVersions | undefined): Init<TaskQueueVersioningInfo> {
  if (versions === undefined) return { currentVersion: UNVERSIONED, updateTime: { seconds: NEVER_SECONDS, nanos: 0 } };
  const info: Init<TaskQueueVersioningInfo> = {
    currentVersion: oldVersionText(versions.current),
    currentDeploymentVersion: versions.current,
    updateTime: timestampOf(versions.currentTime),
  };
  if (!versions.isRamping) return info;
  return {
    ...info,
    rampingVersion: oldVersionText(versions.ramping),
    rampingDeploymentVersion: versions.ramping,
    rampingVersionPercentage: versions.rampPercentage,
    updateTime: timestampOf(Math.max(versions.currentTime, versions.rampingTime)),
  };
}

/** Of a queue whose tasks are never stored. */
export const NO_TASKS: { readonly stats: Init<TaskQueueStats>; readonly statsByPriorityKey: Record<string, Init<TaskQueueStats>> } = {
  stats: total([]),
  statsByPriorityKey: { "3": total([]) },
};

/** Of the queue and of every version's part of it. */
async function familyStats(q: QueueState, now: number): Promise<Record<string, Init<TaskQueueStats>>> {
  let sum: Record<string, Init<TaskQueueStats>> = {};
  for (const each of q.family()) sum = merged(sum, await statsByPriority(each, now));
  return sum;
}

function merged(a: Record<string, Init<TaskQueueStats>>, b: Record<string, Init<TaskQueueStats>>): Record<string, Init<TaskQueueStats>> {
  const out = { ...a };
  for (const [key, stats] of Object.entries(b)) out[key] = out[key] === undefined ? stats : total([out[key], stats]);
  return out;
}

/** The part of what waits without a version that goes to the current or to the ramping one. */
function share(stats: Record<string, Init<TaskQueueStats>>, of: number): Record<string, Init<TaskQueueStats>> {
  if (of >= 1) return stats;
  return Object.fromEntries(
    Object.entries(stats).map(([key, s]) => [
      key,
      {
        ...s,
        approximateBacklogCount: Math.ceil((s.approximateBacklogCount ?? 0) * of),
        tasksAddRate: (s.tasksAddRate ?? 0) * of,
        tasksDispatchRate: (s.tasksDispatchRate ?? 0) * of,
      },
    ]),
  );
}

/** What waits for a version, with its part of the queue that has none. */
export async function versionStats(
  q: QueueState,
  version: Version,
  versions: QueueVersions | undefined,
  now: number,
): Promise<{ stats: Init<TaskQueueStats>; statsByPriorityKey: Record<string, Init<TaskQueueStats>> }> {
  const own = q.versions?.get(deploymentKey(version));
  let stats = own === undefined ? {} : await statsByPriority(own, now);
  const ramp = versions?.isRamping === true ? versions.rampPercentage / 100 : 0;
  if (sameVersion(versions?.current, version)) stats = merged(stats, share(await statsByPriority(q, now), 1 - ramp));
  else if (ramp > 0 && sameVersion(versions?.ramping, version)) stats = merged(stats, share(await statsByPriority(q, now), ramp));
  if (Object.keys(stats).length === 0) stats = { "3": total([]) };
  return { stats: total(Object.values(stats)), statsByPriorityKey: stats };
}

async function describeEnhanced(request: DescribeTaskQueueRequest, name: string, context: DescribeContext): Promise<Init<DescribeTaskQueueResponse>> {
  const types = request.taskQueueTypes.length > 0 ? request.taskQueueTypes : [TaskQueueType.WORKFLOW, TaskQueueType.ACTIVITY];
  const { versions } = request;
  const wanted = versions === undefined ? [""] : [...versions.buildIds, ...(versions.unversioned ? [""] : [])];
  const versionsInfo: Record<string, Init<TaskQueueVersionInfo>> = {};
  for (const buildId of wanted) {
    const typesInfo: NonNullable<Init<TaskQueueVersionInfo>["typesInfo"]> = {};
    for (const type of types) typesInfo[String(type)] = await typeInfo(request, name, buildId, type, context);
    versionsInfo[buildId] = { typesInfo };
  }
  if (versions?.allActive !== true) return { versionsInfo };
  for (const type of types.filter((t) => t !== TaskQueueType.NEXUS))
    for (const active of activeVersions(context.open(name, typeName(type), false))) {
      if (wanted.includes(active)) continue;
      versionsInfo[active] ??= { typesInfo: {} };
      Object.assign(versionsInfo[active].typesInfo ?? {}, { [String(type)]: await typeInfo(request, name, active, type, context) });
    }
  return { versionsInfo };
}

/** Build ids and versions of which the queue has a part of its own in memory. */
function activeVersions(q: QueueState): string[] {
  return [...(q.versions?.keys() ?? [])].filter((key) => key.startsWith("b:") || key.startsWith("d:")).map((key) => key.slice(2));
}

async function typeInfo(request: DescribeTaskQueueRequest, name: string, buildId: string, type: TaskQueueType, context: DescribeContext) {
  const base = context.open(name, typeName(type), false);
  const now = context.now();
  const versions = context.versions(name, type);
  const key = buildId === "" ? undefined : [...(base.versions?.keys() ?? [])].find((k) => isKeyOf(k, buildId));
  const q = buildId === "" ? base : base.versions?.get(key ?? "");
  const deployment = key?.startsWith("d:") ? parseVersion(key.slice(2)) : undefined;
  return {
    pollers: request.reportPollers && q !== undefined ? pollersOf(q, now) : [],
    stats: request.reportStats ? await statsOf(base, q, deployment, versions, now) : undefined,
  };
}

async function statsOf(base: QueueState, q: QueueState | undefined, version: Version | undefined, versions: QueueVersions | undefined, now: number) {
  if (version !== undefined) return (await versionStats(base, version, versions, now)).stats;
  if (q === undefined) return total([]);
  const stats = await statsByPriority(q, now);
  if (q !== base || versions === undefined) return total(Object.values(stats));
  // What goes to a version counts as that one's.
  const ramp = versions.isRamping ? versions.rampPercentage / 100 : 0;
  const rest = (versions.current === undefined ? 1 - ramp : 0) + (versions.isRamping && versions.ramping === undefined ? ramp : 0);
  return total(Object.values(rest <= 0 ? {} : share(stats, rest)));
}

/** A build id, or a version in either of its forms. */
function isKeyOf(key: string, buildId: string): boolean {
  const name = key.slice(2);
  if (key.startsWith("d:")) return name === buildId || name.replace(":", ".") === buildId || name.slice(name.indexOf(":") + 1) === buildId;
  return name === buildId;
}

function typeName(type: TaskQueueType): "workflow" | "activity" {
  return type === TaskQueueType.ACTIVITY ? "activity" : "workflow";
}

export function pollersOf(q: QueueState, now: number): Init<PollerInfo>[] {
  return q.pollers.list(now).map((p) => ({
    identity: p.identity,
    lastAccessTime: timestampOf(p.lastAccess),
    // Without a limit of its own a poller shows the highest that the official server knows (service/matching: defaultTaskDispatchRPS).
    ratePerSecond: p.ratePerSecond ?? 100_000,
    workerVersionCapabilities: p.version.capabilities,
    deploymentOptions: p.version.deploymentOptions,
  }));
}

export async function statusOf(q: QueueState, context: Pick<DescribeContext, "queueKeys">): Promise<Init<TaskQueueStatus>> {
  await q.backlog.refill();
  const count = (await q.backlog.count()) + spreadCount(q);
  const key = q.backlog.key;
  const first = q.line.window.first();
  return {
    backlogCountHint: count,
    readLevel: key === undefined ? 0 : (q.line.window.readAfter?.id ?? context.queueKeys.lastId(key)),
    ackLevel: first === undefined ? (key === undefined ? 0 : context.queueKeys.lastId(key)) : first.order.id - 1,
    ratePerSecond: q.limits.effective.perSecond,
    taskIdBlock: key === undefined ? { startId: 1, endId: 1 } : context.queueKeys.idBlock(key),
  };
}

export async function statsByPriority(q: QueueState, now: number): Promise<Record<string, Init<TaskQueueStats>>> {
  await q.backlog.refill();
  const count = (await q.backlog.count()) + spreadCount(q);
  const rateLimitingActive = q.limited.perSecond(now) > 0;
  const stats = new Map<number, { count: number; oldest: number | undefined }>();
  for (const priority of [3, ...q.rates.keys()]) stats.set(priority, { count: 0, oldest: undefined });
  let inMemory = 0;
  let last = 3;
  for (const stored of [...q.line.window.values(), ...q.line.movedTasks(), ...spreadFrom(q)]) {
    if (q.line.isSpread && stored.home !== q.backlog) continue;
    const { createTime } = stored.task;
    const { priority } = stored.order;
    const s = stats.get(priority) ?? { count: 0, oldest: undefined };
    s.count++;
    s.oldest = s.oldest === undefined ? createTime : Math.min(s.oldest, createTime);
    stats.set(priority, s);
    inMemory++;
    last = priority;
  }
  // Rows that are not in memory come behind those that are: they are counted with the last priority that is.
  const rest = stats.get(last);
  if (rest !== undefined) rest.count += Math.max(0, count - inMemory);
  const result: Record<string, Init<TaskQueueStats>> = {};
  for (const [priority, s] of stats) {
    const rates = q.rates.get(priority);
    result[String(priority)] = {
      approximateBacklogCount: s.count,
      approximateBacklogAge: duration(s.oldest === undefined ? 0 : Math.max(0, now - s.oldest)),
      tasksAddRate: rates?.added.perSecond(now) ?? 0,
      tasksDispatchRate: rates?.dispatched.perSecond(now) ?? 0,
      rateLimitingActive,
    };
  }
  return result;
}

/** Taken out of the window, and still waiting. */
function spreadCount(q: QueueState): number {
  if (!q.line.isSpread) return 0;
  let count = 0;
  for (const stored of [...q.line.movedTasks(), ...spreadFrom(q)]) if (stored.home === q.backlog) count++;
  return count;
}

/** Tasks of the queue that wait in the lines of its versions. */
function* spreadFrom(q: QueueState): Generator<StoredTask> {
  for (const version of q.versions?.values() ?? []) yield* version.line.movedTasks();
}

export function total(stats: Init<TaskQueueStats>[]): Init<TaskQueueStats> {
  const sum = { approximateBacklogCount: 0, tasksAddRate: 0, tasksDispatchRate: 0, rateLimitingActive: false };
  let age = duration(0);
  for (const s of stats) {
    sum.approximateBacklogCount += s.approximateBacklogCount ?? 0;
    sum.tasksAddRate += s.tasksAddRate ?? 0;
    sum.tasksDispatchRate += s.tasksDispatchRate ?? 0;
    sum.rateLimitingActive ||= s.rateLimitingActive ?? false;
    const other = s.approximateBacklogAge;
    if (other !== undefined && (other.seconds ?? 0) + (other.nanos ?? 0) / 1e9 > age.seconds + age.nanos / 1e9)
      age = { seconds: other.seconds ?? 0, nanos: other.nanos ?? 0 };
  }
  return { ...sum, approximateBacklogAge: age };
}
