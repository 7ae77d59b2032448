/**
 * Replay: the state that a history alone gives. A stored state equals it in every `history` field; `side` fields are listed
 * here. Reset starts from the projection, and the simulator checks the equality after every commit.
 */

import type {
  ActivityRecord,
  CallbackRecord,
  ChildRecord,
  ExternalRecord,
  NexusOperationRecord,
  TimerRecord,
  TimeSkippingRecord,
  UpdateRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import { ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { applyEvent, beginAgain, TASK_NORMAL } from "./apply-events.js";
import { DERIVED_ATTRIBUTES } from "./derived-attributes.js";
import { RunDraft, RunState } from "./mutable-state.js";

/** Fields of ExecutionRecord that events do not give. */
const SIDE_FIELDS: ReadonlySet<keyof ExecutionRecord> = new Set([
  "recordVersion",
  "namespaceId",
  "workflowId",
  "runId",
  "startRequestId",
  "historySizeBytes",
  "externalPayloadCount",
  "externalPayloadSizeBytes",
  "stateTransitionCount",
  "cancelRequestId",
  "lastUpdateTime",
  "firstTaskBackoffUntil",
  "awaitsParent",
  "closeEventBatchFirstId",
  "deleteAt",
  "nextTaskAttempt",
  "taskProblem",
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
  "versioning",
  "assignedBuildId",
  "inheritedBuildId",
  "segments",
  "branch",
  "due",
  "dueClock",
  "nextRowId",
  "attachedRequests",
  "resetRunId",
  "reset",
  "endedByReset",
  "totalUpdateCount",
  "memoPresent",
  "searchAttributesPresent",
  "pendingTransfers",
  "reusePolicy",
  "rootWorkflowId",
  "rootRunId",
  "nextEventId",
] as (keyof ExecutionRecord)[]);

export const isHistoryField = (field: keyof ExecutionRecord): boolean => !SIDE_FIELDS.has(field) && field !== "workflowTask";

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
  updates: UpdateRecord[];
  nexusOperations: Partial<NexusOperationRecord>[];
  callbacks: Partial<CallbackRecord>[];
  memo: unknown;
  searchAttributes: unknown;
  timeSkipping: Partial<TimeSkippingRecord> | undefined;
}

/** The history fields of a state. */
export function project(state: RunState): Projection {
  const info: Partial<ExecutionRecord> = {};
  for (const key of Object.keys(state.info) as (keyof ExecutionRecord)[])
    if (isHistoryField(key)) (info as Record<string, unknown>)[key] = state.info[key];
  const task = state.info.workflowTask;
  const byId = <T extends { initiatedEventId: number }>(rows: ReadonlyMap<number, T>) =>
    [...rows.values()].sort((a, b) => a.initiatedEventId - b.initiatedEventId);
  return {
    info,
    task:
      task === undefined || task.type !== TASK_NORMAL ? undefined : { scheduledEventId: task.scheduledEventId, startedEventId: task.startedEventId },
    activities: [...state.activities.base.values()]
      .sort((a, b) => a.scheduledEventId - b.scheduledEventId)
      .map((a) => Object.fromEntries(historyFieldsOf(a).map((k) => [k, a[k]])) as Partial<ActivityRecord>),
    timers: [...state.timers.base.values()].sort((a, b) => a.startedEventId - b.startedEventId),
    children: byId(state.children.base).map(({ startedEventId, ...rest }) => ({
      ...rest,
      startedEventId: Math.max(0, startedEventId) > 0 || startedEventId < 0 ? 1 : 0,
    })),
    externalSignals: byId(state.externalSignals.base),
    externalCancels: byId(state.externalCancels.base),
    // One that is only admitted goes without an event when it is rejected.
    updates: [...(state.updateRecords?.base.values() ?? [])]
      .filter((u) => u.acceptedEventId !== 0)
      .sort((a, b) => a.acceptedEventId - b.acceptedEventId),
    nexusOperations: [...state.nexusOperations.base.values()]
      .sort((a, b) => a.scheduledEventId - b.scheduledEventId)
      .map(({ scheduledEventId, endpointId, service, operation, requestId, operationToken, startedTime, cancellation }) => ({
        ...{ scheduledEventId, endpointId, service, operation, requestId, operationToken, startedTime },
        cancellation: cancellation === undefined ? undefined : ({ requestedEventId: cancellation.requestedEventId } as never),
      })),
    // Numbered as they are attached: the event of one that is attached during a workflow task comes after those of the task.
    callbacks: [...state.callbacks.base.values()]
      .sort((a, b) => a.registrationTime - b.registrationTime)
      .map(({ callback, requestId, registrationTime, updateId }) => ({ callback, requestId, registrationTime, updateId })),
    memo: state.memo,
    searchAttributes: withoutDerived(state.searchAttributes),
    // What the namespace's clock was ahead is in no event.
    timeSkipping: state.timeSkipping === undefined ? undefined : { ...state.timeSkipping, base: 0 },
  };
}

/** Options that an operator has changed are side. */
export const historyFieldsOf = (a: ActivityRecord): readonly (keyof ActivityRecord)[] =>
  a.control?.optionsChanged === true ? ["activityId", "scheduledEventId"] : ACTIVITY_HISTORY_FIELDS;

/** Those that the server keeps by itself come from `stored`. */
export function withDerived(fresh: SearchAttributes | undefined, stored: SearchAttributes | undefined): SearchAttributes | undefined {
  const derived = Object.entries(stored?.indexedFields ?? {}).filter(([name]) => DERIVED_ATTRIBUTES.includes(name));
  return derived.length === 0 ? fresh : { indexedFields: { ...fresh?.indexedFields, ...Object.fromEntries(derived) } };
}

/** Undefined when nothing is left: one that came and went leaves none. */
function withoutDerived(attributes: SearchAttributes | undefined): SearchAttributes | undefined {
  const left = Object.entries(attributes?.indexedFields ?? {}).filter(([name]) => !DERIVED_ATTRIBUTES.includes(name));
  return left.length === 0 ? undefined : { indexedFields: Object.fromEntries(left) };
}

/**
 * The state that the events (and those that wait in the buffer, which have taken effect) give. `stored` says what no event does:
 * where and when the run was reset, and of which activities the options were changed.
 */
export function replay(events: readonly HistoryEvent[], buffered: readonly HistoryEvent[], stored?: RunState): RunState {
  const draft = new RunDraft(new RunState(0, ExecutionRecord.create()), true);
  const reset = stored?.info.reset;
  for (const event of events) {
    if (reset !== undefined && event.eventId === reset.forkEventId) beginAgain(draft, reset.time);
    applyEvent(draft, event);
  }
  for (const event of buffered) applyEvent(draft, event);
  for (const { scheduledEventId, control } of stored?.activities.base.values() ?? []) {
    const activity = draft.activities.get(scheduledEventId);
    if (control?.optionsChanged === true && activity !== undefined) draft.putActivity({ ...activity, control });
  }
  return draft.accept();
}
