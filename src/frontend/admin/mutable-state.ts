/**
 * The state of a run in the official server's terms (WorkflowMutableState). What only that server's storage needs is left out: ids of
 * transfer and shard clocks, versions of transitions of each record, counts of what has ended.
 */
import type { ActivityRecord, ChildRecord, ExternalRecord, TimerRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { WorkflowExecution } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowExecutionState } from "../../../gen/wire/temporal/server/api/enums/v1/workflow.js";
import { WorkflowTaskType } from "../../../gen/wire/temporal/server/api/enums/v1/workflow_task_type.js";
import type {
  ActivityInfo,
  ChildExecutionInfo,
  RequestCancelInfo,
  TimerInfo,
  WorkflowExecutionInfo,
} from "../../../gen/wire/temporal/server/api/persistence/v1/executions.js";
import type { WorkflowMutableState } from "../../../gen/wire/temporal/server/api/persistence/v1/workflow_mutable_state.js";
import { duration, timestamp } from "../../api/time.js";
import { encode, type Init } from "../../api/wire.js";
import type { RunState } from "../../core/workflow/mutable-state.js";
import { chasmNodes, subStateMachines } from "./state-machines.js";

/** Of a run without a deadline the official server shows Go's zero time. */
const EPOCH = { seconds: 0, nanos: 0 };
const NEVER = { seconds: -62_135_596_800, nanos: 0 };
/** The request id that it gives to a workflow task which nobody has taken. */
const NO_REQUEST_ID = "emptyUuid";

const optional = (micros: number) => (micros === 0 ? undefined : duration(micros));
const byId = <V, T>(rows: ReadonlyMap<number, V>, of: (row: V) => T): Record<string, T> =>
  Object.fromEntries([...rows].sort(([a], [b]) => a - b).map(([id, row]) => [String(id), of(row)]));

/** `requestIds`: of signals that the run has taken. */
export function mutableState(state: RunState, requestIds: readonly string[]): Init<WorkflowMutableState> {
  const { info } = state;
  const startedRequests = [{ requestId: info.startRequestId, eventType: EventType.WORKFLOW_EXECUTION_STARTED, eventId: 1, time: 0 }];
  return {
    activityInfos: byId(state.activities.base, activityInfo),
    timerInfos: Object.fromEntries([...state.timers.base.values()].map((t) => [t.timerId, timerInfo(t)])),
    childExecutionInfos: byId(state.children.base, childInfo),
    requestCancelInfos: byId(state.externalCancels.base, cancelInfo),
    signalInfos: byId(state.externalSignals.base, ({ initiatedEventId, requestId }) => ({ initiatedEventId, requestId })),
    signalRequestedIds: [...requestIds],
    executionInfo: executionInfo(state),
    chasmNodes: chasmNodes(state),
    executionState: {
      createRequestId: info.startRequestId,
      runId: info.runId,
      state: !state.isOpen
        ? WorkflowExecutionState.COMPLETED
        : info.firstTaskScheduled
          ? WorkflowExecutionState.RUNNING
          : WorkflowExecutionState.CREATED,
      status: info.status,
      startTime: timestamp(info.startTime),
      requestIds: Object.fromEntries(
        [...startedRequests, ...info.attachedRequests].map(({ requestId, eventType, eventId, time }) => [
          requestId,
          { eventType, eventId, attachTime: timestamp(time) },
        ]),
      ),
      firstExecutionRunId: info.firstRunId,
    },
    nextEventId: info.nextEventId,
    bufferedEvents: [...state.buffered.base.values()].flatMap((b) => b.events),
  };
}

function executionInfo(state: RunState): Init<WorkflowExecutionInfo> {
  const { info } = state;
  const { parent, retryPolicy, pause, reset } = info;
  return {
    namespaceId: info.namespaceId,
    workflowId: info.workflowId,
    parentNamespaceId: parent?.namespaceId ?? "",
    parentWorkflowId: parent?.workflowId ?? "",
    parentRunId: parent?.runId ?? "",
    parentInitiatedId: parent?.initiatedEventId ?? 0,
    completionEventBatchId: info.closeEventBatchFirstId,
    taskQueue: info.taskQueue,
    workflowTypeName: info.workflowType,
    workflowExecutionTimeout: optional(info.executionTimeout),
    workflowRunTimeout: optional(info.runTimeout),
    defaultWorkflowTaskTimeout: duration(info.taskTimeout),
    lastCompletedWorkflowTaskStartedEventId: info.lastCompletedTaskStartedEventId,
    startTime: timestamp(info.startTime),
    lastUpdateTime: timestamp(info.lastUpdateTime),
    ...taskInfo(state),
    cancelRequested: info.cancelRequested,
    cancelRequestId: info.cancelRequestId,
    stickyTaskQueue: info.stickyTaskQueue,
    stickyScheduleToStartTimeout: optional(info.stickyScheduleToStartTimeout),
    attempt: info.attempt,
    retryInitialInterval: retryPolicy?.initialInterval,
    retryMaximumInterval: retryPolicy?.maximumInterval,
    retryMaximumAttempts: retryPolicy?.maximumAttempts ?? 0,
    retryBackoffCoefficient: retryPolicy?.backoffCoefficient ?? 0,
    retryNonRetryableErrorTypes: retryPolicy?.nonRetryableErrorTypes ?? [],
    hasRetryPolicy: retryPolicy !== undefined,
    workflowExecutionExpirationTime: timestamp(info.executionDeadline),
    cronSchedule: info.cronSchedule,
    signalCount: info.signalCount,
    updateCount: info.totalUpdateCount,
    autoResetPoints: info.autoResetPoints ?? {},
    searchAttributes: state.searchAttributes?.indexedFields ?? {},
    memo: state.memo?.fields ?? {},
    subStateMachinesByType: subStateMachines(state),
    versionHistories: { histories: [versionHistory(state)] },
    firstExecutionRunId: info.firstRunId,
    executionStats: { historySize: info.historySizeBytes },
    workflowRunExpirationTime: timestamp(info.runDeadline) ?? NEVER,
    stateTransitionCount: info.stateTransitionCount,
    executionTime: timestamp(info.executionTime),
    newExecutionRunId: info.newRunId,
    closeTime: timestamp(info.closeTime),
    baseExecutionInfo: reset === undefined ? undefined : { runId: reset.baseRunIds[0] ?? "", lowestCommonAncestorEventId: reset.forkEventId - 1 },
    mostRecentWorkerVersionStamp: info.mostRecentWorkerVersionStamp,
    assignedBuildId: info.assignedBuildId,
    inheritedBuildId: info.inheritedBuildId,
    transitionHistory: [{ transitionCount: info.stateTransitionCount }],
    rootWorkflowId: info.rootWorkflowId,
    rootRunId: info.rootRunId,
    workflowWasReset: info.resetRunId !== "",
    resetRunId: info.resetRunId,
    versioningInfo: info.versioningInfo,
    originalExecutionRunId: info.originalRunId,
    priority: info.priority,
    pauseInfo:
      pause === undefined
        ? undefined
        : { pauseTime: timestamp(pause.time), identity: pause.identity, reason: pause.reason, requestId: pause.requestId },
  };
}

function taskInfo(state: RunState): Init<WorkflowExecutionInfo> {
  const { info } = state;
  const task = info.workflowTask;
  // Without one the official server shows what a run without a task has.
  if (task === undefined)
    return {
      workflowTaskTimeout: duration(0),
      workflowTaskAttempt: 1,
      workflowTaskStartedTime: EPOCH,
      workflowTaskScheduledTime: EPOCH,
      workflowTaskRequestId: NO_REQUEST_ID,
      workflowTaskStamp: info.taskStamp,
    };
  return {
    workflowTaskScheduledEventId: task.scheduledEventId,
    workflowTaskStartedEventId: task.startedEventId,
    workflowTaskTimeout: duration(task.timeout || info.taskTimeout),
    workflowTaskAttempt: task.attempt,
    workflowTaskStartedTime: timestamp(task.startedTime),
    workflowTaskScheduledTime: timestamp(task.scheduledTime),
    workflowTaskOriginalScheduledTime: timestamp(task.originalScheduledTime),
    workflowTaskRequestId: task.requestId === "" ? NO_REQUEST_ID : task.requestId,
    workflowTaskType: TASK_TYPES[task.type] ?? WorkflowTaskType.UNSPECIFIED,
    workflowTaskSuggestContinueAsNew: task.suggestContinueAsNew,
    workflowTaskHistorySizeBytes: task.historySizeAtStart,
    workflowTaskBuildId: task.buildId,
    workflowTaskStamp: task.stamp,
  };
}

const TASK_TYPES: Readonly<Record<number, WorkflowTaskType>> = {
  1: WorkflowTaskType.NORMAL,
  2: WorkflowTaskType.TRANSIENT,
  3: WorkflowTaskType.SPECULATIVE,
};

/** One branch, of version 0: there is one cluster. */
export function versionHistory({ info }: Pick<RunState, "info">) {
  // Field numbers of HistoryBranch: tree and branch.
  const branchToken = encode(WorkflowExecution, { workflowId: info.firstRunId || info.runId, runId: String(info.branch) });
  return { branchToken, items: [{ eventId: info.nextEventId - 1, version: 0 }] };
}

function activityInfo(a: ActivityRecord): Init<ActivityInfo> {
  const { retryPolicy, control } = a;
  return {
    scheduledEventBatchId: a.workflowTaskCompletedEventId,
    scheduledTime: timestamp(a.attemptScheduledTime),
    startedTime: timestamp(a.startedTime),
    activityId: a.activityId,
    requestId: a.requestId,
    scheduleToStartTimeout: duration(a.scheduleToStartTimeout),
    scheduleToCloseTimeout: duration(a.scheduleToCloseTimeout),
    startToCloseTimeout: duration(a.startToCloseTimeout),
    heartbeatTimeout: duration(a.heartbeatTimeout),
    cancelRequested: a.cancelRequested,
    cancelRequestId: a.cancelRequestedEventId,
    attempt: a.attempt,
    taskQueue: a.taskQueue,
    startedIdentity: a.startedIdentity,
    hasRetryPolicy: retryPolicy !== undefined,
    retryInitialInterval: retryPolicy?.initialInterval,
    retryMaximumInterval: retryPolicy?.maximumInterval,
    retryMaximumAttempts: retryPolicy?.maximumAttempts ?? 0,
    retryExpirationTime: timestamp(a.scheduleToCloseDeadline),
    retryBackoffCoefficient: retryPolicy?.backoffCoefficient ?? 0,
    retryNonRetryableErrorTypes: retryPolicy?.nonRetryableErrorTypes ?? [],
    retryLastFailure: a.lastFailure,
    retryLastWorkerIdentity: a.lastWorkerIdentity,
    scheduledEventId: a.scheduledEventId,
    lastHeartbeatDetails: a.lastHeartbeatDetails,
    lastHeartbeatUpdateTime: timestamp(a.lastHeartbeatTime),
    activityType: { name: a.activityType },
    lastWorkerVersionStamp: a.versionStamp,
    firstScheduledTime: timestamp(a.firstScheduledTime),
    lastAttemptCompleteTime: timestamp(a.lastAttemptCompleteTime),
    stamp: a.stamp,
    paused: a.paused,
    priority: a.priority,
    pauseInfo:
      control === undefined || control.pauseTime === 0
        ? undefined
        : {
            pauseTime: timestamp(control.pauseTime),
            pausedBy:
              control.ruleId === ""
                ? { case: "manual", value: { identity: control.pauseIdentity, reason: control.pauseReason } }
                : { case: "ruleId", value: control.ruleId },
            requestId: control.pauseRequestId,
          },
    activityReset: control?.reset ?? false,
    resetHeartbeats: control?.resetHeartbeats ?? false,
  };
}

const timerInfo = (t: TimerRecord): Init<TimerInfo> => ({
  startedEventId: t.startedEventId,
  expiryTime: timestamp(t.fireTime),
  timerId: t.timerId,
});

const childInfo = (c: ChildRecord): Init<ChildExecutionInfo> => ({
  initiatedEventId: c.initiatedEventId,
  startedEventId: Math.max(0, c.startedEventId),
  startedWorkflowId: c.workflowId,
  startedRunId: c.runId,
  createRequestId: c.createRequestId,
  namespace: c.namespace,
  namespaceId: c.namespaceId,
  workflowTypeName: c.workflowType,
  parentClosePolicy: c.parentClosePolicy,
  priority: c.priority,
});

const cancelInfo = (e: ExternalRecord): Init<RequestCancelInfo> => ({ initiatedEventId: e.initiatedEventId, cancelRequestId: e.requestId });
