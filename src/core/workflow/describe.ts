/** DescribeWorkflowExecution and the position that history readers start from. */

import type { Timestamp } from "../../../gen/wire/google/protobuf/timestamp.js";
import type { ActivityRecord, ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { PendingActivityState, PendingWorkflowTaskState, WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { PendingActivityInfo_PauseInfo, RequestIdInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { duration, NO_TIME, timestamp, timestampOf } from "../../api/time.js";
import { type Init, setEntry } from "../../api/wire.js";
import { callbackInfo } from "../callback/statemachine.js";
import type { ExecutionAddress } from "../input.js";
import { pendingNexusOperation } from "../nexus-operation/describe.js";
import type { HistoryPosition, Replies } from "../transition.js";
import { oldVersionText } from "../versioning/version.js";
import { type Context, segmentsOf } from "./context.js";
import { shownVersioning } from "./effective-version.js";
import { BUFFERED_EVENT_ID } from "./event-factory.js";
import { executionNow } from "./execution-clock.js";
import type { RunState } from "./mutable-state.js";
import { addressed } from "./signal.js";
import { executionTimeoutOf } from "./start.js";
import { transientEvents } from "./workflow-task.js";

export function describe(ctx: Context, address: ExecutionAddress): Replies["describe"] {
  const state = addressed(ctx, address);
  const { info } = state;
  const isOpen = state.isOpen;
  const task = info.workflowTask;
  const own = state.timeSkipping;
  const now = executionNow(ctx.env, own);
  return {
    executionConfig: {
      taskQueue: { name: info.taskQueue, kind: TaskQueueKind.NORMAL },
      workflowExecutionTimeout: executionTimeoutOf(info),
      workflowRunTimeout: info.runTimeout > 0 || info.zeroRunTimeout ? duration(info.runTimeout) : undefined,
      defaultWorkflowTaskTimeout: duration(info.taskTimeout),
      userMetadata: info.userMetadata,
    },
    workflowExecutionInfo: {
      execution: { workflowId: info.workflowId, runId: info.runId },
      type: { name: info.workflowType },
      startTime: timestamp(info.startTime),
      closeTime: timestamp(info.closeTime),
      status: info.status,
      historyLength: info.nextEventId - 1,
      parentNamespaceId: info.parent?.namespaceId,
      parentExecution: info.parent === undefined ? undefined : { workflowId: info.parent.workflowId, runId: info.parent.runId },
      executionTime: timestamp(info.executionTime),
      memo: state.memo ?? {},
      searchAttributes: state.searchAttributes ?? {},
      autoResetPoints: info.autoResetPoints ?? {},
      taskQueue: info.taskQueue,
      stateTransitionCount: info.stateTransitionCount,
      historySizeBytes: info.historySizeBytes,
      mostRecentWorkerVersionStamp: info.mostRecentWorkerVersionStamp,
      executionDuration: isOpen ? undefined : duration(Math.max(0, info.closeTime - info.executionTime)),
      rootExecution: { workflowId: info.rootWorkflowId, runId: info.rootRunId },
      firstRunId: info.firstRunId,
      versioningInfo: shownVersioning(info.versioningInfo),
      workerDeploymentName: info.versioning?.workerDeploymentName ?? "",
      assignedBuildId: info.assignedBuildId,
      inheritedBuildId: info.inheritedBuildId,
      priority: info.priority,
      ...(ctx.env.config.limits.externalPayloads
        ? { externalPayloadCount: info.externalPayloadCount, externalPayloadSizeBytes: info.externalPayloadSizeBytes }
        : {}),
    },
    workflowExtendedInfo: {
      executionExpirationTime: timestamp(info.executionDeadline),
      runExpirationTime: info.runDeadline === 0 ? NO_TIME : timestamp(info.runDeadline),
      cancelRequested: info.cancelRequested,
      lastResetTime: timestamp(info.reset?.time ?? 0),
      originalStartTime: originalStartTime(ctx, state),
      resetRunId: info.resetRunId,
      pauseInfo:
        info.pause === undefined ? undefined : { identity: info.pause.identity, pausedTime: timestamp(info.pause.time), reason: info.pause.reason },
      requestIdInfos: requestIdInfos(info),
      timeSkippingInfo: own === undefined ? undefined : { currentTime: timestampOf(now), effectiveConfig: own.config },
    },
    pendingActivities: [...state.activities.base.values()].map((a) => pendingActivity(ctx, now, a, info.assignedBuildId)),
    pendingChildren: [...state.children.base.values()].map((c) => ({
      workflowId: c.workflowId,
      runId: c.runId,
      workflowTypeName: c.workflowType,
      initiatedId: c.initiatedEventId,
      parentClosePolicy: c.parentClosePolicy,
    })),
    pendingWorkflowTask:
      !isOpen || task === undefined
        ? undefined
        : {
            state: task.startedEventId === 0 ? PendingWorkflowTaskState.SCHEDULED : PendingWorkflowTaskState.STARTED,
            scheduledTime: timestamp(task.scheduledTime),
            originalScheduledTime: timestamp(task.originalScheduledTime),
            startedTime: timestamp(task.startedTime),
            attempt: task.attempt,
          },
    callbacks: state.hasCallbacks ? [...state.callbacks.base.values()].map(callbackInfo) : [],
    pendingNexusOperations: state.hasNexusOperations ? [...state.nexusOperations.base.values()].map(pendingNexusOperation) : [],
  };
}

function requestIdInfos(info: ExecutionRecord): Record<string, Init<RequestIdInfo>> {
  const out: Record<string, Init<RequestIdInfo>> = {};
  if (info.startRequestId !== "") setEntry(out, info.startRequestId, { eventType: EventType.WORKFLOW_EXECUTION_STARTED, eventId: 1 });
  for (const { requestId, eventType, eventId } of info.attachedRequests)
    setEntry(out, requestId, eventId === BUFFERED_EVENT_ID ? { eventType, buffered: true } : { eventType, eventId });
  return out;
}

/** A run that a reset has made keeps the start event of the first one. */
function originalStartTime(ctx: Context, state: RunState): Timestamp | undefined {
  if (state.info.reset === undefined) return timestamp(state.info.startTime);
  return ctx.event(ctx.open(state), 1).eventTime;
}

function stateOf(a: ActivityRecord): PendingActivityState {
  if (a.cancelRequested) return PendingActivityState.CANCEL_REQUESTED;
  if (a.startedTime !== 0) return a.paused ? PendingActivityState.PAUSE_REQUESTED : PendingActivityState.STARTED;
  return a.paused ? PendingActivityState.PAUSED : PendingActivityState.SCHEDULED;
}

function pauseInfo(ctx: Context, a: ActivityRecord): Init<PendingActivityInfo_PauseInfo> | undefined {
  const c = a.control;
  if (!a.paused || c === undefined) return undefined;
  const pauseTime = timestamp(c.pauseTime);
  if (c.ruleId === "")
    return {
      pauseTime,
      pausedBy: { case: "manual", value: { identity: c.pauseIdentity, reason: c.pauseReason } },
    } as Init<PendingActivityInfo_PauseInfo>;
  const rule = ctx.env.namespace.workflowRules?.find((r) => r.spec?.id === c.ruleId);
  return {
    pauseTime,
    pausedBy: { case: "rule", value: { ruleId: c.ruleId, identity: rule?.createdByIdentity ?? "", reason: rule?.description ?? "" } },
  } as Init<PendingActivityInfo_PauseInfo>;
}

/** Which build runs it: its workflow's, if it has one by rules, or one of its own. */
function assignedBuild(a: ActivityRecord, workflowBuildId: string): object {
  if (a.useWorkflowBuildId && workflowBuildId !== "") return { assignedBuildId: { case: "useWorkflowBuildId", value: {} } };
  return a.buildId === "" ? {} : { assignedBuildId: { case: "lastIndependentlyAssignedBuildId", value: a.buildId } };
}

function pendingActivity(
  ctx: Context,
  now: number,
  a: ActivityRecord,
  workflowBuildId: string,
): NonNullable<Replies["describe"]["pendingActivities"]>[number] {
  const state = stateOf(a);
  const lastVersion = a.workerBuildId === "" ? undefined : { deploymentName: a.workerDeploymentName, buildId: a.workerBuildId };
  return {
    activityId: a.activityId,
    activityType: { name: a.activityType },
    state,
    heartbeatDetails: a.lastHeartbeatDetails,
    lastHeartbeatTime: timestamp(a.lastHeartbeatTime),
    lastStartedTime: timestamp(a.startedTime),
    attempt: a.attempt,
    maximumAttempts: a.retryPolicy?.maximumAttempts ?? 0,
    scheduledTime: timestamp(a.attemptScheduledTime),
    expirationTime: timestamp(a.scheduleToCloseDeadline),
    lastFailure: a.lastFailure,
    lastWorkerIdentity: a.startedIdentity || a.lastWorkerIdentity,
    currentRetryInterval:
      a.waitsForRetry && !a.paused && a.lastAttemptCompleteTime > 0 ? duration(a.attemptScheduledTime - a.lastAttemptCompleteTime) : undefined,
    lastAttemptCompleteTime: timestamp(a.lastAttemptCompleteTime),
    nextAttemptScheduleTime: a.waitsForRetry && !a.paused && a.attemptScheduledTime > now ? timestamp(a.attemptScheduledTime) : undefined,
    paused: a.paused,
    pauseInfo: pauseInfo(ctx, a),
    priority: a.priority,
    ...assignedBuild(a, workflowBuildId),
    lastDeploymentVersion: lastVersion,
    lastWorkerDeploymentVersion: lastVersion === undefined ? "" : oldVersionText(lastVersion),
    activityOptions: {
      taskQueue: { name: a.taskQueue, normalName: a.taskQueue },
      scheduleToCloseTimeout: duration(a.scheduleToCloseTimeout),
      scheduleToStartTimeout: duration(a.scheduleToStartTimeout),
      startToCloseTimeout: duration(a.startToCloseTimeout),
      heartbeatTimeout: duration(a.heartbeatTimeout),
      // The official server leaves the types out here.
      retryPolicy: a.retryPolicy === undefined ? undefined : { ...a.retryPolicy, nonRetryableErrorTypes: [] },
      priority: a.priority,
    },
  };
}

export function historyPosition(ctx: Context, address: ExecutionAddress): HistoryPosition {
  const state = addressed(ctx, address);
  const run = ctx.open(state);
  const info = state.info;
  return {
    runId: info.runId,
    range: { runKey: state.key, segments: segmentsOf(run.draft), fromEventId: 1, endEventId: info.nextEventId },
    isOpen: info.status === WorkflowExecutionStatus.RUNNING || info.status === WorkflowExecutionStatus.PAUSED,
    isPaused: info.status === WorkflowExecutionStatus.PAUSED,
    closeEventId: info.closeEventBatchFirstId,
    trailing: transientEvents(run, ""),
  };
}
