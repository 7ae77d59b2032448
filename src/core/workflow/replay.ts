/**
 * Replay: the state that a history alone gives. A stored state equals it in every `history` field; `side` fields are listed
 * here. Reset starts from the projection, and the simulator checks the equality after every commit.
 */

import type { ActivityRecord, ChildRecord, ExternalRecord, TimerRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { applyEvent, TASK_TRANSIENT } from "./apply-events.js";
import { RunDraft, RunState } from "./mutable-state.js";

/** Fields of ExecutionRecord that events do not give. */
const SIDE_FIELDS: ReadonlySet<keyof ExecutionRecord> = new Set([
  "recordVersion",
  "namespaceId",
  "workflowId",
  "runId",
  "startRequestId",
  "historySizeBytes",
  "stateTransitionCount",
  "cancelRequestId",
  "lastUpdateTime",
  "firstTaskBackoffUntil",
  "awaitsParent",
  "closeEventBatchFirstId",
  "deleteAt",
  "nextTaskAttempt",
  "taskOriginalScheduledTime",
  "taskStamp",
  "closeAttempted",
  "stickyTaskQueue",
  "stickyScheduleToStartTimeout",
  "clientLibraryName",
  "clientLibraryVersion",
  "mostRecentWorkerVersionStamp",
  "autoResetPoints",
  "versioningInfo",
  "assignedBuildId",
  "inheritedBuildId",
  "segments",
  "branch",
  "due",
  "dueClock",
  "nextRowId",
  "attachedRequests",
  "resetRunId",
  "totalUpdateCount",
  "memoPresent",
  "searchAttributesPresent",
  "pendingTransfers",
  "reusePolicy",
  "rootWorkflowId",
  "rootRunId",
  "nextEventId",
] as (keyof ExecutionRecord)[]);

/** Of an activity, the attempt and all that belongs to it are side. */
const ACTIVITY_HISTORY_FIELDS: readonly (keyof ActivityRecord)[] = [
  "activityId",
  "scheduledEventId",
  "activityType",
  "taskQueue",
  "scheduledTime",
  "scheduleToCloseTimeout",
  "scheduleToStartTimeout",
  "startToCloseTimeout",
  "heartbeatTimeout",
  "retryPolicy",
  "cancelRequested",
  "cancelRequestedEventId",
  "scheduleToCloseDeadline",
  "priority",
];

export interface Projection {
  info: Partial<ExecutionRecord>;
  task: { scheduledEventId: number; startedEventId: number } | undefined;
  activities: Partial<ActivityRecord>[];
  timers: TimerRecord[];
  children: Partial<ChildRecord>[];
  externalSignals: Partial<ExternalRecord>[];
  externalCancels: Partial<ExternalRecord>[];
  memo: unknown;
  searchAttributes: unknown;
}

/** The history fields of a state. */
export function project(state: RunState): Projection {
  const info: Partial<ExecutionRecord> = {};
  for (const key of Object.keys(state.info) as (keyof ExecutionRecord)[])
    if (!SIDE_FIELDS.has(key) && key !== "workflowTask") (info as Record<string, unknown>)[key] = state.info[key];
  const task = state.info.workflowTask;
  const byId = <T extends { initiatedEventId: number }>(rows: Map<number, T>) =>
    [...rows.values()].sort((a, b) => a.initiatedEventId - b.initiatedEventId);
  return {
    info,
    task:
      task === undefined || task.type === TASK_TRANSIENT
        ? undefined
        : { scheduledEventId: task.scheduledEventId, startedEventId: task.startedEventId },
    activities: [...state.activities.base.values()]
      .sort((a, b) => a.scheduledEventId - b.scheduledEventId)
      .map((a) => Object.fromEntries(ACTIVITY_HISTORY_FIELDS.map((k) => [k, a[k]])) as Partial<ActivityRecord>),
    timers: [...state.timers.base.values()].sort((a, b) => a.startedEventId - b.startedEventId),
    children: byId(state.children.base).map(({ startedEventId, ...rest }) => ({
      ...rest,
      startedEventId: Math.max(0, startedEventId) > 0 || startedEventId < 0 ? 1 : 0,
    })),
    externalSignals: byId(state.externalSignals.base),
    externalCancels: byId(state.externalCancels.base),
    memo: state.memo,
    searchAttributes: state.searchAttributes,
  };
}

/** The state that the events (and those that wait in the buffer, which have taken effect) give. */
export function replay(events: readonly HistoryEvent[], buffered: readonly HistoryEvent[]): RunState {
  const draft = new RunDraft(new RunState(0, ExecutionRecord.create()), true);
  for (const event of events) applyEvent(draft, event);
  for (const event of buffered) applyEvent(draft, event);
  return draft.accept();
}
