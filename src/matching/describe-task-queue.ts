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
} from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type { DescribeTaskQueueRequest, DescribeTaskQueueResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument } from "../api/service-error.js";
import { duration, timestampOf } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { QueueKeys } from "./queue-keys.js";
import type { QueueState } from "./queue-state.js";

/** Go's zero time, which the official server shows where no version was ever set. */
const NEVER_SECONDS = -62_135_596_800;

interface DescribeContext {
  now(): number;
  readonly queueKeys: QueueKeys;
  config(name: string, type: TaskQueueType): TaskQueueConfig | undefined;
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
    pollers: pollersOf(q, now),
    effectiveRateLimit: { requestsPerSecond: perSecond, rateLimitSource: source },
  };
  if (request.reportConfig && !isSticky) response.config = context.config(taskQueue.name, request.taskQueueType);
  if (!isSticky) response.versioningInfo = { currentVersion: "__unversioned__", updateTime: { seconds: NEVER_SECONDS, nanos: 0 } };
  if (request.includeTaskQueueStatus) response.taskQueueStatus = await statusOf(q, context);
  if (request.reportStats) {
    const byPriority = await statsByPriority(q, now);
    response.statsByPriorityKey = byPriority;
    response.stats = total(Object.values(byPriority));
  }
  return response;
}

async function describeEnhanced(request: DescribeTaskQueueRequest, name: string, context: DescribeContext): Promise<Init<DescribeTaskQueueResponse>> {
  const types = request.taskQueueTypes.length > 0 ? request.taskQueueTypes : [TaskQueueType.WORKFLOW, TaskQueueType.ACTIVITY];
  const { versions } = request;
  const wanted = versions === undefined ? [""] : [...versions.buildIds, ...(versions.unversioned ? [""] : [])];
  const versionsInfo: Record<string, Init<TaskQueueVersionInfo>> = {};
  for (const buildId of wanted) {
    const typesInfo: NonNullable<Init<TaskQueueVersionInfo>["typesInfo"]> = {};
    for (const type of types) typesInfo[String(type)] = buildId === "" ? await typeInfo(request, name, type, context) : emptyTypeInfo(request);
    versionsInfo[buildId] = { typesInfo };
  }
  return { versionsInfo };
}

async function typeInfo(request: DescribeTaskQueueRequest, name: string, type: TaskQueueType, context: DescribeContext) {
  const q = context.open(name, typeName(type), false);
  const now = context.now();
  return {
    pollers: request.reportPollers ? pollersOf(q, now) : [],
    stats: request.reportStats ? total(Object.values(await statsByPriority(q, now))) : undefined,
  };
}

/** Of a build id: its tasks and pollers are not told apart from the others. */
function emptyTypeInfo(request: DescribeTaskQueueRequest) {
  return { pollers: [], stats: request.reportStats ? total([]) : undefined };
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
  const count = await q.backlog.count();
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
  const count = await q.backlog.count();
  const rateLimitingActive = q.limited.perSecond(now) > 0;
  const stats = new Map<number, { count: number; oldest: number | undefined }>();
  for (const priority of [3, ...q.rates.keys()]) stats.set(priority, { count: 0, oldest: undefined });
  let inMemory = 0;
  let last = 3;
  for (const stored of q.line.window.values()) {
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
