/**
 * AdminService: shards and the tasks of history that are on their way in them. Of the official server's categories there are transfer
 * tasks (effects on other executions), outbound ones (requests of Nexus operations, completion callbacks), timers (one row for the
 * earliest deadline of an execution) and archival; lists are written with the state, and nothing is replicated.
 */
import type {
  CloseShardRequest,
  CloseShardResponse,
  GetShardRequest,
  GetShardResponse,
  ListHistoryTasksRequest,
  ListHistoryTasksResponse,
  RemoveTaskRequest,
  RemoveTaskResponse,
  Task,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import { TaskType } from "../../../gen/wire/temporal/server/api/enums/v1/task.js";
import type { TaskKey } from "../../../gen/wire/temporal/server/api/history/v1/message.js";
import type { Handler } from "../../api/call.js";
import { failedPrecondition, invalidArgument } from "../../api/service-error.js";
import { timestampMicros, timestampOf } from "../../api/time.js";
import { EMPTY_BYTES, type Init } from "../../api/wire.js";
import { activityDeadlines } from "../../core/activity/statemachine.js";
import { Archetype, type ExecutionState } from "../../core/execution.js";
import { deadlines } from "../../core/nexus-operation/deadlines.js";
import { OutboundKind } from "../../core/outbound.js";
import { RunState } from "../../core/workflow/mutable-state.js";
import { TransferKind } from "../../core/workflow/transfer-kind.js";
import type { TimerPosition } from "../../history/admin.js";
import type { Services } from "../services.js";
import { checkShardId } from "./address.js";

enum Category {
  TRANSFER = 1,
  TIMER = 2,
  REPLICATION = 3,
  VISIBILITY = 4,
  ARCHIVAL = 5,
  OUTBOUND = 7,
}
const isCategory = (n: number): n is Category => Category[n] !== undefined;

const PAGE_MAX = 1_000;
/** The time of tasks that have none. */
const IMMEDIATE = { seconds: 0, nanos: 0 };
/** Nanoseconds of Go's zero time, as they overflow there: of a time that is not set. */
const ZERO_TIME_NANOS = "-6795364578871345152";

export const getShard =
  (s: Services): Handler<GetShardRequest, GetShardResponse> =>
  ({ shardId }) => {
    checkShardId(s, shardId);
    const { rangeId, openedAt } = s.admin.history.shard(shardId);
    return {
      shardInfo: {
        shardId,
        rangeId,
        owner: `${s.server.address}-${shardId}-${s.server.clusterId}`,
        updateTime: timestampOf(openedAt),
      },
    };
  };

export const closeShard =
  (s: Services): Handler<CloseShardRequest, CloseShardResponse> =>
  async ({ shardId }) => {
    checkShardId(s, shardId);
    await s.admin.history.closeShard(shardId);
    s.logger.warn({ shardId }, "shard closed by an operator");
    return {};
  };

export const listHistoryTasks =
  (s: Services): Handler<ListHistoryTasksRequest, ListHistoryTasksResponse> =>
  async ({ shardId, category, taskRange, batchSize, nextPageToken }) => {
    if (taskRange === undefined) throw invalidArgument("Task range is not set");
    checkShardId(s, shardId);
    if (!isCategory(category)) throw invalidArgument(`unknown task category: ${category}`);
    const { inclusiveMinTaskKey: min, exclusiveMaxTaskKey: max } = taskRange;
    checkKey("invalid minTaskKey", min);
    checkKey("invalid maxTaskKey", max);
    const minTime = timestampMicros(min?.fireTime);
    const maxTime = timestampMicros(max?.fireTime);
    const limit = batchSize > 0 ? Math.min(batchSize, PAGE_MAX) : PAGE_MAX;
    const after = parseToken(nextPageToken);
    if (category !== Category.TIMER) {
      if (!max?.taskId) throw invalidArgument("invalid task range, max taskID must be specified for immediate task category");
      if (minTime > 0 || maxTime > 0) throw invalidArgument("invalid task range, fireTime must be empty for immediate task category");
      if (category === Category.OUTBOUND) {
        const { tasks, next } = await s.admin.history.outbound(shardId, after?.key ?? min?.taskId ?? 0, max.taskId, limit);
        return {
          tasks: tasks.map(({ id, record }): Init<Task> => {
            const { namespaceId, workflowId, runId } = record;
            const isOfWorkflow = record.archetype === Archetype.WORKFLOW && record.kind !== OutboundKind.CALLBACK;
            const taskType = isOfWorkflow ? TaskType.STATE_MACHINE_OUTBOUND : TaskType.CHASM;
            return { namespaceId, workflowId, runId, taskId: id, taskType, fireTime: IMMEDIATE };
          }),
          nextPageToken: next === undefined ? EMPTY_BYTES : token({ clock: 0, due: 0, key: next }),
        };
      }
      if (category !== Category.TRANSFER && category !== Category.ARCHIVAL) return {};
      const kind = category === Category.TRANSFER ? "transfer" : "archival";
      const { tasks, next } = await s.admin.history.effects(shardId, kind, after?.key ?? min?.taskId ?? 0, max.taskId, limit);
      return {
        tasks: tasks.map(({ id, record }): Init<Task> => {
          const { sourceNamespaceId: namespaceId, sourceWorkflowId: workflowId, sourceRunId: runId } = record;
          return { namespaceId, workflowId, runId, taskId: id, taskType: EFFECT_TYPES[record.kind] ?? TaskType.CHASM, fireTime: IMMEDIATE };
        }),
        nextPageToken: next === undefined ? EMPTY_BYTES : token({ clock: 0, due: 0, key: next }),
      };
    }
    if (maxTime <= 0) throw invalidArgument("invalid task range, max fire time must be specified for scheduled task category");
    if (min?.taskId || max?.taskId) throw invalidArgument("invalid task range, taskID must be empty for scheduled task category");
    const from = after ?? (minTime > 0 ? { clock: 0, due: minTime - 1, key: Number.MAX_SAFE_INTEGER } : undefined);
    const { tasks, next } = await s.admin.history.timers(shardId, from, maxTime, limit);
    return {
      tasks: tasks
        .filter((t) => t.due >= minTime)
        .map(({ due, state }): Init<Task> => {
          const { namespaceId, workflowId, runId } = state.info;
          return { namespaceId, workflowId, runId, taskId: state.key, taskType: timerType(state, due), fireTime: timestampOf(due) };
        }),
      nextPageToken: next === undefined ? EMPTY_BYTES : token(next),
    };
  };

export const removeTask =
  (s: Services): Handler<RemoveTaskRequest, RemoveTaskResponse> =>
  async ({ shardId, category, taskId, visibilityTime }) => {
    if (!isCategory(category)) throw invalidArgument(`Invalid task category ID: ${category}`);
    checkKey("Invalid task key", { taskId, fireTime: visibilityTime });
    checkShardId(s, shardId);
    const { history } = s.admin;
    if (category === Category.TRANSFER || category === Category.ARCHIVAL) await history.removeEffect(taskId);
    if (category === Category.OUTBOUND) await history.removeOutbound(taskId);
    if (category === Category.TIMER) {
      const due = timestampMicros(visibilityTime);
      const state = await history.timer({ due, key: taskId });
      if (state === undefined) return {};
      if (state.archetype !== Archetype.WORKFLOW) throw failedPrecondition("only timers of workflows can be removed");
      const { namespaceId, workflowId, runId } = state.info;
      await s.history.submit({ namespaceId, workflowId, runId }, { kind: "dropTimers", due });
    }
    return {};
  };

function checkKey(what: string, key: TaskKey | undefined): void {
  if (key === undefined) return;
  const { fireTime, taskId } = key;
  if (fireTime === undefined || fireTime.seconds < 0)
    throw invalidArgument(
      `${what}: task key fire time must have unix nano value >= 0, got ${fireTime === undefined ? ZERO_TIME_NANOS : fireTime.seconds * 1e9}`,
    );
  if (taskId < 0) throw invalidArgument(`${what}: task key ID must >= 0, got ${taskId}`);
}

const EFFECT_TYPES: Readonly<Partial<Record<number, TaskType>>> = {
  [TransferKind.START_CHILD]: TaskType.TRANSFER_START_CHILD_EXECUTION,
  [TransferKind.SIGNAL_EXTERNAL]: TaskType.TRANSFER_SIGNAL_EXECUTION,
  [TransferKind.CANCEL_EXTERNAL]: TaskType.TRANSFER_CANCEL_EXECUTION,
  [TransferKind.CHILD_CLOSED]: TaskType.TRANSFER_CLOSE_EXECUTION,
  [TransferKind.PARENT_CLOSE_TERMINATE]: TaskType.TRANSFER_CLOSE_EXECUTION,
  [TransferKind.PARENT_CLOSE_CANCEL]: TaskType.TRANSFER_CLOSE_EXECUTION,
  [TransferKind.FIRST_TASK]: TaskType.TRANSFER_WORKFLOW_TASK,
  [TransferKind.ARCHIVE]: TaskType.ARCHIVAL_ARCHIVE_EXECUTION,
};

/** What the execution's earliest deadline is. The row may be older than the state: then nothing is due at that time. */
function timerType(state: ExecutionState, due: number): TaskType {
  if (!(state instanceof RunState)) return TaskType.CHASM_PURE;
  const { info } = state;
  if (!state.isOpen) return TaskType.DELETE_HISTORY_EVENT;
  for (const t of state.timers.base.values()) if (t.fireTime === due) return TaskType.USER_TIMER;
  for (const a of state.activities.base.values())
    for (const d of activityDeadlines(a)) if (d.time === due) return d.type === undefined ? TaskType.ACTIVITY_RETRY_TIMER : TaskType.ACTIVITY_TIMEOUT;
  if (state.hasNexusOperations)
    for (const op of state.nexusOperations.base.values()) if (deadlines(op).some((d) => d.time === due)) return TaskType.STATE_MACHINE_TIMER;
  if (state.hasCallbacks) for (const callback of state.callbacks.base.values()) if (callback.nextAttemptTime === due) return TaskType.CHASM_PURE;
  if (info.firstTaskBackoffUntil === due) return TaskType.WORKFLOW_BACKOFF_TIMER;
  if (info.executionDeadline === due) return TaskType.WORKFLOW_EXECUTION_TIMEOUT;
  if (info.runDeadline === due) return TaskType.WORKFLOW_RUN_TIMEOUT;
  return TaskType.WORKFLOW_TASK_TIMEOUT;
}

const token = (position: TimerPosition): Uint8Array => Buffer.from(JSON.stringify([position.clock, position.due, position.key]));

function parseToken(bytes: Uint8Array): TimerPosition | undefined {
  if (bytes.length === 0) return undefined;
  try {
    const [clock, due, key] = JSON.parse(Buffer.from(bytes).toString()) as unknown[];
    if (typeof clock === "number" && typeof due === "number" && typeof key === "number") return { clock, due, key };
  } catch {
    // Not a token of ours.
  }
  throw invalidArgument("invalid next page token");
}
