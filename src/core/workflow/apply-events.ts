/**
 * The effect of each history event on the state: its `history` fields and nothing else. A live transition and a replay go
 * through the same functions, so that replaying a history gives the state's history fields by construction. `side` fields
 * (attempts, heartbeats, sticky queue, nonces ...) are set by the files that own them.
 */
import {
  ActivityRecord,
  ChildRecord,
  ExternalRecord,
  PauseRecord,
  TimerRecord,
  UpdateRecord,
  WorkflowTaskRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Memo, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { durationMicros, timestampMicros } from "../../api/time.js";
import { decode, setEntry } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { applyCallbacks } from "../callback/statemachine.js";
import { applyNexusEvent } from "../nexus-operation/apply.js";
import type { RunDraft } from "./mutable-state.js";
import { configured, hasOwnClock, transitioned } from "./time-skipping.js";
import { applyCompletedVersion, applyStartedVersion, applyVersioningOverride } from "./versioning.js";

/** Workflow task types of WorkflowTaskRecord. */
export const TASK_NORMAL = 1;
export const TASK_TRANSIENT = 2;
/** 3 is speculative: see mutable-state.ts. */

/** `keepsUpdateCallbacks`: whether callbacks of updates become the run's (history.enableUpdateCallbacks); the history has them in any case. */
export function applyEvent(draft: RunDraft, event: HistoryEvent, keepsUpdateCallbacks = true): void {
  const info = draft.info;
  const a = event.attributes;
  const time = timestampMicros(event.eventTime);
  switch (a.case) {
    case "workflowExecutionStartedEventAttributes": {
      const v = a.value;
      info.workflowType = v.workflowType?.name ?? "";
      info.taskQueue = v.taskQueue?.name ?? "";
      info.executionTimeout = durationMicros(v.workflowExecutionTimeout);
      info.runTimeout = durationMicros(v.workflowRunTimeout);
      info.zeroExecutionTimeout = info.executionTimeout === 0 && v.workflowExecutionTimeout !== undefined;
      info.zeroRunTimeout = info.runTimeout === 0 && v.workflowRunTimeout !== undefined;
      info.taskTimeout = durationMicros(v.workflowTaskTimeout);
      info.startTime = time;
      info.firstTaskDelay = durationMicros(v.firstWorkflowTaskBackoff);
      info.executionTime = time + info.firstTaskDelay;
      info.executionDeadline = timestampMicros(v.workflowExecutionExpirationTime);
      info.runDeadline = info.runTimeout > 0 ? time + info.firstTaskDelay + info.runTimeout : 0;
      if (info.executionDeadline > 0 && (info.runDeadline === 0 || info.runDeadline > info.executionDeadline))
        info.runDeadline = info.executionDeadline;
      info.attempt = v.attempt;
      info.retryPolicy = v.retryPolicy;
      info.cronSchedule = v.cronSchedule;
      info.continuedRunId = v.continuedExecutionRunId;
      info.initiator = v.initiator;
      info.firstRunId = v.firstExecutionRunId;
      info.originalRunId = v.originalExecutionRunId;
      info.rootWorkflowId = v.rootWorkflowExecution?.workflowId ?? "";
      info.rootRunId = v.rootWorkflowExecution?.runId ?? "";
      info.priority = v.priority;
      if (v.completionCallbacks.length > 0) applyCallbacks(draft, v.completionCallbacks, "", event);
      info.autoResetPoints = v.prevAutoResetPoints;
      info.userMetadata = event.userMetadata;
      info.links = event.links;
      info.inheritedBuildId = v.inheritedBuildId;
      applyStartedVersion(draft, v);
      info.status = WorkflowExecutionStatus.RUNNING;
      if (v.parentWorkflowExecution !== undefined)
        info.parent = {
          namespace: v.parentWorkflowNamespace,
          namespaceId: v.parentWorkflowNamespaceId,
          workflowId: v.parentWorkflowExecution.workflowId,
          runId: v.parentWorkflowExecution.runId,
          initiatedEventId: v.parentInitiatedEventId,
        };
      if (v.memo !== undefined && Object.keys(v.memo.fields).length > 0) draft.memo = v.memo;
      if (v.searchAttributes !== undefined && Object.keys(v.searchAttributes.indexedFields).length > 0) draft.searchAttributes = v.searchAttributes;
      if (hasOwnClock(v.timeSkippingConfig, v.timeSkippingStatePropagation))
        draft.timeSkipping = configured(draft.timeSkipping, v.timeSkippingConfig, v.timeSkippingStatePropagation, time);
      return;
    }
    case "workflowTaskScheduledEventAttributes":
      info.workflowTask = WorkflowTaskRecord.create({
        type: TASK_NORMAL,
        scheduledEventId: event.eventId,
        attempt: a.value.attempt,
        scheduledTime: time,
        originalScheduledTime: time,
        timeout: durationMicros(a.value.startToCloseTimeout),
      });
      info.firstTaskScheduled = true;
      info.firstTaskBackoffUntil = 0;
      info.awaitsParent = false;
      return;
    case "workflowTaskStartedEventAttributes": {
      const task = info.workflowTask;
      assert(task !== undefined && task.scheduledEventId === a.value.scheduledEventId, "a started workflow task is the scheduled one");
      info.workflowTask = WorkflowTaskRecord.copy(task, {
        startedEventId: event.eventId,
        startedTime: time,
        identity: a.value.identity,
        requestId: a.value.requestId,
        suggestContinueAsNew: a.value.suggestContinueAsNew,
        historySizeAtStart: a.value.historySizeBytes,
      });
      return;
    }
    case "workflowTaskCompletedEventAttributes":
      info.workflowTask = undefined;
      info.lastCompletedTaskStartedEventId = a.value.startedEventId;
      applyCompletedVersion(draft, a.value);
      return;
    case "workflowTaskFailedEventAttributes":
    case "workflowTaskTimedOutEventAttributes":
      info.workflowTask = undefined;
      return;

    case "activityTaskScheduledEventAttributes": {
      const v = a.value;
      const scheduleToClose = durationMicros(v.scheduleToCloseTimeout);
      draft.putActivity(
        ActivityRecord.create({
          activityId: v.activityId,
          scheduledEventId: event.eventId,
          activityType: v.activityType?.name ?? "",
          taskQueue: v.taskQueue?.name ?? "",
          scheduledTime: time,
          firstScheduledTime: time,
          attemptScheduledTime: time,
          scheduleToCloseTimeout: scheduleToClose,
          scheduleToStartTimeout: durationMicros(v.scheduleToStartTimeout),
          startToCloseTimeout: durationMicros(v.startToCloseTimeout),
          heartbeatTimeout: durationMicros(v.heartbeatTimeout),
          retryPolicy: v.retryPolicy,
          attempt: 1,
          scheduleToCloseDeadline: scheduleToClose > 0 ? time + scheduleToClose : 0,
          priority: v.priority,
          workflowTaskCompletedEventId: v.workflowTaskCompletedEventId,
          useWorkflowBuildId: v.useWorkflowBuildId,
          userMetadata: event.userMetadata,
        }),
      );
      return;
    }
    case "activityTaskStartedEventAttributes":
      return;
    case "activityTaskCancelRequestedEventAttributes": {
      const activity = draft.activities.get(a.value.scheduledEventId);
      if (activity !== undefined) draft.putActivity(ActivityRecord.copy(activity, { cancelRequested: true, cancelRequestedEventId: event.eventId }));
      return;
    }
    case "activityTaskCompletedEventAttributes":
    case "activityTaskFailedEventAttributes":
    case "activityTaskTimedOutEventAttributes":
    case "activityTaskCanceledEventAttributes": {
      const activity = draft.activities.get(a.value.scheduledEventId);
      assert(activity !== undefined, "an activity that ends is pending");
      draft.deleteActivity(activity);
      return;
    }

    case "timerStartedEventAttributes":
      draft.putTimer(
        TimerRecord.create({ timerId: a.value.timerId, startedEventId: event.eventId, fireTime: time + durationMicros(a.value.startToFireTimeout) }),
      );
      return;
    case "timerFiredEventAttributes":
    case "timerCanceledEventAttributes": {
      const timer = draft.timers.get(a.value.startedEventId);
      if (timer !== undefined) draft.deleteTimer(timer);
      return;
    }

    case "startChildWorkflowExecutionInitiatedEventAttributes":
      draft.children.set(
        event.eventId,
        ChildRecord.create({
          initiatedEventId: event.eventId,
          namespace: a.value.namespace,
          namespaceId: a.value.namespaceId,
          workflowId: a.value.workflowId,
          workflowType: a.value.workflowType?.name ?? "",
          parentClosePolicy: a.value.parentClosePolicy,
          priority: a.value.priority,
          userMetadata: event.userMetadata,
        }),
      );
      return;
    case "childWorkflowExecutionStartedEventAttributes": {
      const child = draft.children.get(a.value.initiatedEventId);
      assert(child !== undefined, "a child that starts is pending");
      draft.children.set(
        child.initiatedEventId,
        ChildRecord.copy(child, { startedEventId: event.eventId, runId: a.value.workflowExecution?.runId ?? "" }),
      );
      return;
    }
    case "startChildWorkflowExecutionFailedEventAttributes":
    case "childWorkflowExecutionCompletedEventAttributes":
    case "childWorkflowExecutionFailedEventAttributes":
    case "childWorkflowExecutionCanceledEventAttributes":
    case "childWorkflowExecutionTimedOutEventAttributes":
    case "childWorkflowExecutionTerminatedEventAttributes":
      draft.children.delete(a.value.initiatedEventId);
      return;

    case "signalExternalWorkflowExecutionInitiatedEventAttributes":
      draft.externalSignals.set(
        event.eventId,
        ExternalRecord.create({
          initiatedEventId: event.eventId,
          namespace: a.value.namespace,
          namespaceId: a.value.namespaceId,
          workflowId: a.value.workflowExecution?.workflowId ?? "",
          runId: a.value.workflowExecution?.runId ?? "",
          childWorkflowOnly: a.value.childWorkflowOnly,
        }),
      );
      return;
    case "signalExternalWorkflowExecutionFailedEventAttributes":
    case "externalWorkflowExecutionSignaledEventAttributes":
      draft.externalSignals.delete(a.value.initiatedEventId);
      return;
    case "requestCancelExternalWorkflowExecutionInitiatedEventAttributes":
      draft.externalCancels.set(
        event.eventId,
        ExternalRecord.create({
          initiatedEventId: event.eventId,
          namespace: a.value.namespace,
          namespaceId: a.value.namespaceId,
          workflowId: a.value.workflowExecution?.workflowId ?? "",
          runId: a.value.workflowExecution?.runId ?? "",
          childWorkflowOnly: a.value.childWorkflowOnly,
        }),
      );
      return;
    case "requestCancelExternalWorkflowExecutionFailedEventAttributes":
    case "externalWorkflowExecutionCancelRequestedEventAttributes":
      draft.externalCancels.delete(a.value.initiatedEventId);
      return;

    case "workflowExecutionSignaledEventAttributes":
      info.signalCount++;
      return;
    case "workflowExecutionCancelRequestedEventAttributes":
      info.cancelRequested = true;
      return;
    case "upsertWorkflowSearchAttributesEventAttributes":
      draft.searchAttributes = mergeSearchAttributes(draft.searchAttributes, a.value.searchAttributes);
      return;
    case "workflowPropertiesModifiedEventAttributes":
      if (a.value.upsertedMemo !== undefined) draft.memo = mergeMemo(draft.memo, a.value.upsertedMemo);
      return;
    case "workflowExecutionPausedEventAttributes":
      info.status = WorkflowExecutionStatus.PAUSED;
      info.pause = PauseRecord.create({ time, identity: a.value.identity, reason: a.value.reason, requestId: a.value.requestId });
      return;
    case "workflowExecutionUnpausedEventAttributes":
      info.status = WorkflowExecutionStatus.RUNNING;
      info.pause = undefined;
      return;
    case "workflowExecutionOptionsUpdatedEventAttributes":
      applyVersioningOverride(draft, a.value.versioningOverride, a.value.unsetVersioningOverride);
      if (a.value.attachedCompletionCallbacks.length > 0)
        applyCallbacks(draft, a.value.attachedCompletionCallbacks, a.value.attachedRequestId, event);
      for (const u of keepsUpdateCallbacks ? a.value.workflowUpdateOptions : [])
        applyCallbacks(draft, u.attachedCompletionCallbacks, u.attachedRequestId, event, u.updateId);
      if (a.value.priority !== undefined) info.priority = a.value.priority;
      if (a.value.timeSkippingConfigUpdated && (draft.timeSkipping !== undefined || a.value.timeSkippingConfig !== undefined))
        draft.timeSkipping = configured(draft.timeSkipping, a.value.timeSkippingConfig, undefined, time);
      return;
    case "workflowExecutionTimeSkippingTransitionedEventAttributes":
      assert(draft.timeSkipping !== undefined, "only an execution with a clock of its own skips");
      draft.timeSkipping = transitioned(draft.timeSkipping, a.value, time);
      return;

    case "workflowExecutionUpdateAdmittedEventAttributes": {
      // While it waits for its id, the record stands under one that no event has (context.ts: followIds).
      let id = event.eventId;
      while (draft.updateRecords.has(id)) id--;
      const { request } = a.value;
      const updateId = request?.meta?.updateId ?? "";
      draft.updateRecords.set(id, UpdateRecord.create({ updateId, admittedEventId: id }));
      info.totalUpdateCount++;
      if (keepsUpdateCallbacks && request !== undefined && request.completionCallbacks.length > 0)
        applyCallbacks(draft, request.completionCallbacks, request.requestId, event, updateId);
      return;
    }
    case "workflowExecutionUpdateAcceptedEventAttributes": {
      const admitted = draft.updateRecordOf(a.value.protocolInstanceId);
      if (admitted === undefined) info.totalUpdateCount++;
      const record = admitted ?? UpdateRecord.create({ updateId: a.value.protocolInstanceId });
      draft.updateRecords.set(record.admittedEventId || event.eventId, UpdateRecord.copy(record, { acceptedEventId: event.eventId }));
      const request = a.value.acceptedRequest;
      if (keepsUpdateCallbacks && request !== undefined && request.completionCallbacks.length > 0)
        applyCallbacks(draft, request.completionCallbacks, request.requestId, event, a.value.protocolInstanceId);
      return;
    }
    case "workflowExecutionUpdateCompletedEventAttributes":
      draft.completeUpdate(a.value.meta?.updateId ?? "", event.eventId);
      return;

    case "workflowExecutionCompletedEventAttributes":
      close(draft, event, WorkflowExecutionStatus.COMPLETED, a.value.newExecutionRunId);
      return;
    case "workflowExecutionFailedEventAttributes":
      close(draft, event, WorkflowExecutionStatus.FAILED, a.value.newExecutionRunId);
      return;
    case "workflowExecutionTimedOutEventAttributes":
      close(draft, event, WorkflowExecutionStatus.TIMED_OUT, a.value.newExecutionRunId);
      return;
    case "workflowExecutionCanceledEventAttributes":
      close(draft, event, WorkflowExecutionStatus.CANCELED, "");
      return;
    case "workflowExecutionTerminatedEventAttributes":
      close(draft, event, WorkflowExecutionStatus.TERMINATED, "");
      return;
    case "workflowExecutionContinuedAsNewEventAttributes":
      close(draft, event, WorkflowExecutionStatus.CONTINUED_AS_NEW, a.value.newExecutionRunId);
      return;
    case "markerRecordedEventAttributes":
      return;
    case "nexusOperationScheduledEventAttributes":
    case "nexusOperationStartedEventAttributes":
    case "nexusOperationCompletedEventAttributes":
    case "nexusOperationFailedEventAttributes":
    case "nexusOperationCanceledEventAttributes":
    case "nexusOperationTimedOutEventAttributes":
    case "nexusOperationCancelRequestedEventAttributes":
    case "nexusOperationCancelRequestCompletedEventAttributes":
    case "nexusOperationCancelRequestFailedEventAttributes":
      applyNexusEvent(draft, event);
      return;
    default:
      assert(false, `event ${a.case} has no effect defined`);
  }
}

/** Start and deadlines of a run that a reset has made count from then; so do the activities that it goes on with. */
export function beginAgain(draft: RunDraft, time: number): void {
  const { info } = draft;
  info.startTime = time;
  info.executionTime = time + info.firstTaskDelay;
  info.executionDeadline = info.executionTimeout > 0 ? time + info.executionTimeout : 0;
  info.runDeadline = info.runTimeout > 0 ? time + info.runTimeout : 0;
  if (info.executionDeadline > 0 && (info.runDeadline === 0 || info.runDeadline > info.executionDeadline)) info.runDeadline = info.executionDeadline;
  for (const a of [...draft.activities.values()])
    draft.putActivity(
      ActivityRecord.copy(a, {
        scheduledTime: time,
        firstScheduledTime: time,
        attemptScheduledTime: time,
        scheduleToCloseDeadline: a.scheduleToCloseTimeout > 0 ? time + a.scheduleToCloseTimeout : 0,
      }),
    );
}

function close(draft: RunDraft, event: HistoryEvent, status: WorkflowExecutionStatus, newRunId: string): void {
  const info = draft.info;
  info.status = status;
  info.closeTime = timestampMicros(event.eventTime);
  info.newRunId = newRunId;
  info.workflowTask = undefined;
}

/** Whether an encoded payload stands for "remove this key": JSON null, or an empty list of a search attribute. */
export function isNullPayload(bytes: Uint8Array, emptyListIsNull: boolean): boolean {
  if (bytes.length > 256) return false;
  const p = decode(Payload, bytes);
  const encoding = p.metadata["encoding"];
  if (encoding !== undefined && Buffer.from(encoding).toString() === "binary/null") return true;
  const text = Buffer.from(p.data).toString().trim();
  return p.data.length === 0 || text === "null" || (emptyListIsNull && text === "[]");
}

export function mergeMemo(old: Memo | undefined, upsert: Memo): Memo {
  const fields = { ...(old?.fields ?? {}) };
  for (const [k, v] of Object.entries(upsert.fields)) {
    if (isNullPayload(v, false)) delete fields[k];
    else setEntry(fields, k, v);
  }
  return { fields };
}

export function mergeSearchAttributes(old: SearchAttributes | undefined, upsert: SearchAttributes | undefined): SearchAttributes {
  const indexedFields = { ...(old?.indexedFields ?? {}) };
  for (const [k, v] of Object.entries(upsert?.indexedFields ?? {})) {
    if (isNullPayload(v, true)) delete indexedFields[k];
    else setEntry(indexedFields, k, v);
  }
  return { indexedFields };
}
