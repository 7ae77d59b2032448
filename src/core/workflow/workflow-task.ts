/**
 * The workflow task: scheduled, started, completed, failed, timed out; sticky queue and attempts. A task of attempt 1 is in
 * history; later attempts are transient: their scheduled and started events enter history only with the completion. A speculative
 * task delivers updates: it is in memory only, and gone without a trace when every update is rejected; whatever is written while it
 * is pending makes it a normal one (docs/internals/updates.md).
 * Behaviour: service/history/workflow/workflow_task_state_machine.go of the official server.
 */
import { WorkflowTaskRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { SuggestContinueAsNewReason, TimeoutType, WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { WorkflowQuery } from "../../../gen/wire/temporal/api/query/v1/message.js";
import { WorkflowQuery as WorkflowQueryType } from "../../../gen/wire/temporal/api/query/v1/message.js";
import { notFound } from "../../api/service-error.js";
import { encodeTaskToken, type TaskToken } from "../../api/task-token.js";
import { duration, MICROS_PER_SECOND, timestamp, timestampOf } from "../../api/time.js";
import { decode } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import type { Poller } from "../input.js";
import type { StartedWorkflowTask } from "../transition.js";
import { applyEvent, TASK_NORMAL, TASK_TRANSIENT } from "./apply-events.js";
import { concernsBuildId, followBuildId, noteTaskBuildId, redirectCounter } from "./build-id.js";
import { type Run, Stale, segmentsOf } from "./context.js";
import { enumName } from "./enum-name.js";
import { BUFFERED_EVENT_ID, frame } from "./event-factory.js";
import { type PendingQuery, type RunDraft, TASK_SPECULATIVE } from "./mutable-state.js";
import { countProblem, forgetProblems, noteProblem } from "./task-problems.js";
import { hasManyUpdates, send } from "./update/registry.js";
import { concernsVersions, isTargetChanged, noteTarget, noteWorkflowTaskPoller, offerActivitiesAgain, workflowTaskVersion } from "./versioning.js";

/** Attempts up to this one use the plain timeout; later ones add a growing delay, which slows a failing worker down. */
const PLAIN_ATTEMPTS_MAX = 3;
const RETRY_INITIAL_MICROS = 5 * MICROS_PER_SECOND;
/** How long a speculative task waits in a normal queue before it becomes a normal task. */
const SPECULATIVE_WAIT_MICROS = 5 * MICROS_PER_SECOND;

export function isTaskRunning(draft: RunDraft): boolean {
  return draft.task !== undefined && draft.task.startedEventId !== 0;
}

/** The queue of the next workflow task. */
function taskQueueOf(draft: RunDraft): { name: string; kind: TaskQueueKind; normalName: string } {
  const info = draft.info;
  if (info.stickyTaskQueue !== "") return { name: info.stickyTaskQueue, kind: TaskQueueKind.STICKY, normalName: info.taskQueue };
  return { name: info.taskQueue, kind: TaskQueueKind.NORMAL, normalName: "" };
}

export function clearSticky(draft: RunDraft): void {
  if (forgetSticky(draft)) draft.dirty = true;
}

/** In memory: with the next write it is so in the store. */
export function forgetSticky({ info }: RunDraft): boolean {
  if (info.stickyTaskQueue === "" && info.clientLibraryName === "") return false;
  info.stickyTaskQueue = "";
  info.stickyScheduleToStartTimeout = 0;
  info.clientLibraryName = "";
  info.clientLibraryVersion = "";
  return true;
}

function timeoutOf(run: Run, attempt: number): number {
  const base = run.info.taskTimeout;
  if (attempt <= PLAIN_ATTEMPTS_MAX) return base;
  const max = run.ctx.env.config.limits.workflowTaskRetryIntervalMsMax * 1000;
  const delay = Math.min(RETRY_INITIAL_MICROS * 2 ** (attempt - PLAIN_ATTEMPTS_MAX - 1), max);
  return base + Math.round(delay * (0.8 + 0.2 * run.ctx.random.float()));
}

export interface ScheduleOptions {
  /** The task is started in the same transition: no poller is asked. */
  bypassDispatch?: boolean;
  /** When the first of a row of heartbeats was scheduled. */
  originalScheduledTime?: number;
}

/** Schedules a workflow task unless one is pending, or the workflow is paused. */
export function scheduleWorkflowTask(run: Run, options: ScheduleOptions = {}): void {
  const { draft, now } = run;
  const info = draft.info;
  if (info.workflowTask !== undefined || info.status === WorkflowExecutionStatus.PAUSED) return;
  if (run.events.hasBuffered) {
    info.nextTaskAttempt = 0;
    run.flushBuffered();
  }
  const attempt = Math.max(1, info.nextTaskAttempt);
  const queue = taskQueueOf(draft);
  const timeout = timeoutOf(run, attempt);
  if (attempt === 1) {
    run.add(EventType.WORKFLOW_TASK_SCHEDULED, "workflowTaskScheduledEventAttributes", {
      taskQueue: queue,
      startToCloseTimeout: duration(timeout),
      attempt,
    });
  } else {
    info.workflowTask = WorkflowTaskRecord.create({
      type: TASK_TRANSIENT,
      scheduledEventId: info.nextEventId,
      attempt,
      scheduledTime: now,
      timeout,
    });
    draft.dirty = true;
  }
  const isSticky = queue.kind === TaskQueueKind.STICKY;
  const scheduleToStart = isSticky ? info.stickyScheduleToStartTimeout : 0;
  const task = info.workflowTask as WorkflowTaskRecord | undefined;
  assert(task !== undefined, "a scheduled workflow task is in the state");
  info.workflowTask = WorkflowTaskRecord.copy(task, {
    originalScheduledTime: options.originalScheduledTime ?? now,
    stickyTaskQueue: isSticky ? queue.name : "",
    scheduleToStartDeadline: scheduleToStart > 0 && options.bypassDispatch !== true ? now + scheduleToStart : 0,
    stamp: info.taskStamp,
  });
  if (options.bypassDispatch === true) return;
  dispatchWorkflowTask(run);
}

/**
 * Schedules a task that nothing is written for. It has a time limit in any queue: what it is offered to is memory, which may be lost.
 */
export function scheduleSpeculativeTask(run: Run, options: { bypassDispatch?: boolean } = {}): void {
  const { draft, now } = run;
  const info = draft.info;
  assert(info.workflowTask === undefined, "a speculative task is scheduled when nothing is pending");
  // Of no interest to the workflow, or there would be a normal task.
  if (run.events.hasBuffered) run.flushBuffered();
  const attempt = Math.max(1, info.nextTaskAttempt);
  const wait = info.stickyTaskQueue === "" ? SPECULATIVE_WAIT_MICROS : info.stickyScheduleToStartTimeout || SPECULATIVE_WAIT_MICROS;
  info.workflowTask = WorkflowTaskRecord.create({
    type: TASK_SPECULATIVE,
    scheduledEventId: info.nextEventId,
    attempt,
    scheduledTime: now,
    originalScheduledTime: now,
    timeout: timeoutOf(run, attempt),
    stickyTaskQueue: info.stickyTaskQueue,
    scheduleToStartDeadline: options.bypassDispatch === true ? 0 : now + wait,
    stamp: info.taskStamp,
  });
  run.hasNewSpeculative = true;
  if (options.bypassDispatch !== true) dispatchWorkflowTask(run);
}

/** When the speculative task's time is up; 0 when there is none. */
export function speculativeDeadline(task: WorkflowTaskRecord | undefined): number {
  if (task?.type !== TASK_SPECULATIVE) return 0;
  return task.startedEventId === 0 ? task.scheduleToStartDeadline : task.startedTime + task.timeout;
}

/** Something is written: the speculative task that was pending enters history as the normal one that it has become. */
export function settleSpeculative(run: Run): void {
  const { draft } = run;
  const task = draft.info.workflowTask;
  if (task?.type !== TASK_SPECULATIVE || run.hasNewSpeculative || !draft.isOpen) return;
  const { scheduledEventId, startedEventId } = materialize(run, "", task.startedEventId !== 0);
  assert(scheduledEventId === task.scheduledEventId && startedEventId === task.startedEventId, "a speculative task keeps its event ids");
  draft.info.workflowTask = WorkflowTaskRecord.copy(task, { type: TASK_NORMAL });
  draft.dirty = true;
  run.deadline(task.startedEventId === 0 ? task.scheduleToStartDeadline : task.startedTime + task.timeout);
}

/** The poller had gone: the task is offered again, as if it had not been started. */
export function offerAgain(run: Run): void {
  const { draft, now } = run;
  const task = draft.info.workflowTask;
  assert(task?.type === TASK_SPECULATIVE, "only what history does not hold can be taken back");
  draft.info.workflowTask = WorkflowTaskRecord.copy(task, {
    startedEventId: 0,
    startedTime: 0,
    requestId: "",
    identity: "",
    nonce: 0,
    scheduleToStartDeadline: now + SPECULATIVE_WAIT_MICROS,
  });
  dispatchWorkflowTask(run);
}

/** Offers the pending workflow task to the pollers of its queue. */
export function dispatchWorkflowTask(run: Run): void {
  const { draft } = run;
  const task = draft.info.workflowTask;
  assert(task !== undefined && task.startedEventId === 0, "only a pending workflow task is dispatched");
  if (task.type !== TASK_SPECULATIVE) run.deadline(task.scheduleToStartDeadline);
  const isSticky = task.stickyTaskQueue !== "";
  run.ctx.dispatch.push({
    type: "workflow",
    namespaceId: draft.info.namespaceId,
    namespaceKey: run.ctx.env.namespace.key,
    taskQueue: isSticky ? task.stickyTaskQueue : draft.info.taskQueue,
    normalTaskQueue: isSticky ? draft.info.taskQueue : undefined,
    workflowId: draft.info.workflowId,
    runId: draft.info.runId,
    executionKey: draft.key,
    scheduledEventId: task.scheduledEventId,
    attempt: task.attempt,
    stamp: task.stamp,
    priority: draft.info.priority?.priorityKey || 3,
    fairnessKey: draft.info.priority?.fairnessKey ?? "",
    fairnessWeight: draft.info.priority?.fairnessWeight ?? 0,
    createTime: run.real(task.scheduledTime),
    expireTime: task.scheduleToStartDeadline > 0 ? run.real(task.scheduleToStartDeadline) : 0,
    isSpeculative: task.type === TASK_SPECULATIVE,
    version: workflowTaskVersion(draft.info),
  });
}

/** A workflow task that waits for a poller is in the wrong place. */
export function offerTaskAgain(run: Run): void {
  const { info, draft } = run;
  const task = info.workflowTask;
  if (task === undefined || isTaskRunning(draft)) return;
  info.taskStamp++;
  const isSticky = info.stickyTaskQueue !== "";
  info.workflowTask = WorkflowTaskRecord.copy(task, {
    stamp: info.taskStamp,
    stickyTaskQueue: isSticky ? task.stickyTaskQueue : "",
    // What is offered speculatively is memory in any queue: without a limit it could be lost for ever.
    scheduleToStartDeadline: isSticky || task.type === TASK_SPECULATIVE ? task.scheduleToStartDeadline : 0,
  });
  dispatchWorkflowTask(run);
}

/** A poller takes the pending task. The same poll request again gets the same answer. */
export function startWorkflowTask(run: Run, scheduledEventId: number, attempt: number, stamp: number, poller: Poller): StartedWorkflowTask {
  const { draft } = run;
  const info = draft.info;
  const task = info.workflowTask;
  if (!run.isOpen || task === undefined || task.scheduledEventId !== scheduledEventId || task.attempt !== attempt || task.stamp !== stamp)
    throw new Stale();
  if (task.startedEventId !== 0) {
    if (task.requestId !== poller.requestId) throw new Stale();
    return startedWorkflowTask(run);
  }
  const polledSticky = poller.taskQueueKind === TaskQueueKind.STICKY;
  const isVersioned = concernsVersions(info, poller);
  if (info.stickyTaskQueue !== "" && info.stickyTaskQueue !== poller.taskQueue) {
    // What moves between versions goes by the normal queue.
    if (polledSticky && (isVersioned || info.assignedBuildId !== "")) throw new Stale();
    if (forgetSticky(draft) && task.type !== TASK_SPECULATIVE) draft.dirty = true;
  } else if (info.stickyTaskQueue === "" && polledSticky) throw new Stale();
  if (isVersioned) noteTarget(run);
  const byBuildId = concernsBuildId(run, poller.versionStamp, polledSticky && info.stickyTaskQueue === poller.taskQueue);
  const counter = byBuildId ? redirectCounter(run, poller.versionStamp) : 0;
  // Another build tries again: its attempts are its own.
  if (byBuildId && task.type === TASK_TRANSIENT && (info.versioning?.taskBuildId ?? "") !== poller.versionStamp?.buildId) beginAfresh(run);
  recordStarted(run, poller.requestId, poller.identity, poller.versionStamp, counter);
  if (byBuildId) {
    noteTaskBuildId(run, poller.versionStamp);
    if (followBuildId(run, poller.versionStamp, counter)) offerActivitiesAgain(run, 0, (a) => a.useWorkflowBuildId);
  }
  // Of a speculative task nothing stays: what its completion says of the version does.
  if (isVersioned && info.workflowTask?.type !== TASK_SPECULATIVE) noteWorkflowTaskPoller(run, poller);
  return startedWorkflowTask(run);
}

/** The pending transient task becomes a normal one, whose event counts the attempts that there were. */
function beginAfresh(run: Run): void {
  const { draft, info } = run;
  const task = info.workflowTask as WorkflowTaskRecord;
  const { stamp, originalScheduledTime, timeout, attempt } = task;
  run.add(EventType.WORKFLOW_TASK_SCHEDULED, "workflowTaskScheduledEventAttributes", {
    taskQueue: taskQueueOf(draft),
    startToCloseTimeout: duration(timeout),
    attempt,
  });
  info.workflowTask = WorkflowTaskRecord.copy(info.workflowTask as WorkflowTaskRecord, { stamp, originalScheduledTime, attempt: 1 });
}

/** Why the workflow should continue as new, as a task that starts says it. */
function continueAsNewReasons(run: Run, historySizeBytes: number, nextEventId: number, tooManyUpdates: boolean): SuggestContinueAsNewReason[] {
  const limits = run.ctx.env.config.limits;
  const reasons: SuggestContinueAsNewReason[] = [];
  if (historySizeBytes >= limits.historySizeBytesSuggestContinueAsNew) reasons.push(SuggestContinueAsNewReason.HISTORY_SIZE_TOO_LARGE);
  if (nextEventId >= limits.historyEventsSuggestContinueAsNew) reasons.push(SuggestContinueAsNewReason.TOO_MANY_HISTORY_EVENTS);
  if (tooManyUpdates) reasons.push(SuggestContinueAsNewReason.TOO_MANY_UPDATES);
  return reasons;
}

/** The same of a transient task, which was started when nothing but itself was to come. */
function transientReasons(run: Run, task: WorkflowTaskRecord): SuggestContinueAsNewReason[] {
  return task.suggestContinueAsNew ? continueAsNewReasons(run, task.historySizeAtStart, task.scheduledEventId, task.tooManyUpdates) : [];
}

/** The pending task is started: for a poller, or within the completion of the one before. */
export function recordStarted(run: Run, requestId: string, identity: string, versionStamp: Poller["versionStamp"], redirects = 0): void {
  const { draft, now } = run;
  const info = draft.info;
  let task = info.workflowTask;
  assert(task !== undefined && task.startedEventId === 0, "only a pending workflow task is started");
  const tooManyUpdates = hasManyUpdates(run);
  const reasons = continueAsNewReasons(run, info.historySizeBytes, info.nextEventId, tooManyUpdates);
  const historySizeBytes = info.historySizeBytes;
  const nonce = run.ctx.random.nonce();
  if (task.type === TASK_TRANSIENT && task.scheduledEventId !== info.nextEventId) {
    // Events came since it was scheduled: it becomes a normal task.
    const { stamp, originalScheduledTime, timeout } = task;
    run.add(EventType.WORKFLOW_TASK_SCHEDULED, "workflowTaskScheduledEventAttributes", {
      taskQueue: taskQueueOf(draft),
      startToCloseTimeout: duration(timeout),
      attempt: 1,
    });
    task = WorkflowTaskRecord.copy(info.workflowTask as WorkflowTaskRecord, { stamp, originalScheduledTime });
    info.workflowTask = task;
  }
  if (task.type === TASK_NORMAL) {
    run.add(EventType.WORKFLOW_TASK_STARTED, "workflowTaskStartedEventAttributes", {
      scheduledEventId: task.scheduledEventId,
      identity,
      requestId,
      suggestContinueAsNew: reasons.length > 0,
      suggestContinueAsNewReasons: reasons,
      historySizeBytes,
      workerVersion: versionStamp,
      buildIdRedirectCounter: redirects,
      targetWorkerDeploymentVersionChanged: isTargetChanged(info),
    });
    run.events.endBatch();
    info.workflowTask = WorkflowTaskRecord.copy(info.workflowTask as WorkflowTaskRecord, { nonce, scheduleToStartDeadline: 0 });
  } else {
    info.workflowTask = WorkflowTaskRecord.copy(task, {
      startedEventId: task.scheduledEventId + 1,
      startedTime: now,
      requestId,
      identity,
      suggestContinueAsNew: reasons.length > 0,
      tooManyUpdates,
      historySizeAtStart: historySizeBytes,
      nonce,
      scheduleToStartDeadline: 0,
    });
    if (task.type === TASK_SPECULATIVE) return;
    draft.dirty = true;
  }
  run.deadline(now + (info.workflowTask as WorkflowTaskRecord).timeout);
}

export function taskTokenOf(draft: RunDraft): Uint8Array {
  const task = draft.info.workflowTask;
  assert(task !== undefined && task.startedEventId !== 0, "only a started workflow task has a token");
  return encodeTaskToken({
    namespaceId: draft.info.namespaceId,
    workflowId: draft.info.workflowId,
    runId: draft.info.runId,
    scheduledEventId: task.scheduledEventId,
    startedEventId: task.startedEventId,
    attempt: task.attempt,
    nonce: task.nonce,
    workflowType: draft.info.workflowType,
  });
}

/**
 * The started task as a poll answers it. A worker that still holds the workflow gets only what it has not seen: the one of the
 * sticky queue, and the one that has just completed the task before.
 */
export function startedWorkflowTask(run: Run, options: { holdsWorkflow?: boolean; isHeartbeat?: boolean } = {}): StartedWorkflowTask {
  const { draft } = run;
  const info = draft.info;
  const task = info.workflowTask;
  assert(task !== undefined && task.startedEventId !== 0, "only a started workflow task is answered");
  const isSticky = info.stickyTaskQueue !== "" || options.holdsWorkflow === true;
  const messages = send(draft, options.isHeartbeat !== true, task.startedEventId);
  // Without an update to deliver there is no reason for it.
  if (task.type === TASK_SPECULATIVE && messages.length === 0) throw new Stale();
  const queries: Record<string, WorkflowQuery> = {};
  if (draft.queries.length > 0) {
    draft.queries = draft.queries.map((q): PendingQuery => ({ ...q, sent: true }));
    for (const q of draft.queries) queries[q.id] = decode(WorkflowQueryType, q.query);
  }
  return {
    response: {
      taskToken: taskTokenOf(draft),
      workflowExecution: { workflowId: info.workflowId, runId: info.runId },
      workflowType: { name: info.workflowType },
      previousStartedEventId: info.lastCompletedTaskStartedEventId,
      startedEventId: task.startedEventId,
      attempt: task.attempt,
      workflowExecutionTaskQueue: { name: info.taskQueue, kind: TaskQueueKind.NORMAL },
      scheduledTime: timestamp(task.scheduledTime),
      startedTime: timestamp(task.startedTime),
      queries,
      messages,
    },
    history: {
      runKey: draft.key,
      segments: segmentsOf(draft),
      fromEventId: isSticky ? info.lastCompletedTaskStartedEventId + 1 : 1,
      endEventId: info.nextEventId,
    },
    trailing: transientEvents(run, task.identity),
    scheduledEventId: task.scheduledEventId,
    nonce: task.nonce,
  };
}

/** Framed events of a transient or speculative task, which history does not hold yet. `identity`: of the worker, which only the worker is shown. */
export function transientEvents(run: Run, identity: string): Uint8Array | undefined {
  const { draft } = run;
  const task = draft.info.workflowTask;
  if (task === undefined || task.type === TASK_NORMAL) return undefined;
  const events = [
    HistoryEvent.create({
      eventId: task.scheduledEventId,
      eventTime: timestampOf(task.scheduledTime),
      eventType: EventType.WORKFLOW_TASK_SCHEDULED,
      attributes: {
        case: "workflowTaskScheduledEventAttributes",
        value: { taskQueue: taskQueueOf(draft), startToCloseTimeout: duration(task.timeout), attempt: task.attempt },
      },
    }),
  ];
  if (task.startedEventId !== 0)
    events.push(
      HistoryEvent.create({
        eventId: task.startedEventId,
        eventTime: timestampOf(task.startedTime),
        eventType: EventType.WORKFLOW_TASK_STARTED,
        attributes: {
          case: "workflowTaskStartedEventAttributes",
          value: {
            scheduledEventId: task.scheduledEventId,
            identity,
            requestId: task.requestId,
            suggestContinueAsNew: task.suggestContinueAsNew,
            suggestContinueAsNewReasons: transientReasons(run, task),
            historySizeBytes: task.historySizeAtStart,
            targetWorkerDeploymentVersionChanged: isTargetChanged(draft.info),
          },
        },
      }),
    );
  return frame(events);
}

/** The running task that the token names, or NotFound. */
export function taskByToken(run: Run, token: TaskToken): WorkflowTaskRecord {
  const task = run.info.workflowTask;
  if (
    !run.isOpen ||
    task === undefined ||
    task.startedEventId === 0 ||
    task.scheduledEventId !== token.scheduledEventId ||
    task.startedEventId !== token.startedEventId ||
    task.attempt !== token.attempt ||
    task.nonce !== token.nonce
  )
    throw notFound("Workflow task not found.");
  return task;
}

/** Scheduled and started events of a transient or speculative task enter history. */
function materialize(run: Run, identity: string, started = true): WorkflowTaskRecord {
  const task = run.info.workflowTask as WorkflowTaskRecord;
  if (task.type === TASK_NORMAL) return task;
  run.info.workflowTask = undefined;
  const scheduled = run.events.add(
    EventType.WORKFLOW_TASK_SCHEDULED,
    "workflowTaskScheduledEventAttributes",
    { taskQueue: taskQueueOf(run.draft), startToCloseTimeout: duration(task.timeout), attempt: task.attempt },
    task.scheduledTime,
  );
  // What follows from the first task of a run; the task itself is the caller's.
  if (!run.info.firstTaskScheduled) applyEvent(run.draft, scheduled);
  run.info.workflowTask = undefined;
  if (!started) return WorkflowTaskRecord.copy(task, { scheduledEventId: scheduled.eventId });
  const startedEvent = run.events.add(
    EventType.WORKFLOW_TASK_STARTED,
    "workflowTaskStartedEventAttributes",
    {
      scheduledEventId: scheduled.eventId,
      identity,
      requestId: task.requestId,
      suggestContinueAsNew: task.suggestContinueAsNew,
      suggestContinueAsNewReasons: transientReasons(run, task),
      historySizeBytes: task.historySizeAtStart,
      targetWorkerDeploymentVersionChanged: isTargetChanged(run.info),
    },
    task.startedTime,
  );
  run.events.endBatch();
  return WorkflowTaskRecord.copy(task, { scheduledEventId: scheduled.eventId, startedEventId: startedEvent.eventId });
}

/** A speculative task that has brought nothing to keep: it has never been. */
export function discardTask(run: Run): void {
  const { info } = run;
  assert(info.workflowTask?.type === TASK_SPECULATIVE, "only a speculative task is discarded");
  info.workflowTask = undefined;
  info.nextTaskAttempt = 0;
  info.closeAttempted = false;
}

/** The running task is completed. Answers the completed event. */
export function completeTask(run: Run, attributes: Parameters<typeof addCompleted>[2]): HistoryEvent {
  const task = materialize(run, attributes.identity ?? "");
  run.info.nextTaskAttempt = 0;
  run.info.closeAttempted = false;
  forgetProblems(run);
  return addCompleted(run, task, attributes);
}

function addCompleted(
  run: Run,
  task: WorkflowTaskRecord,
  attributes: Pick<
    Extract<HistoryEvent["attributes"], { case: "workflowTaskCompletedEventAttributes" }>["value"],
    | "identity"
    | "binaryChecksum"
    | "workerVersion"
    | "sdkMetadata"
    | "meteringMetadata"
    | "versioningBehavior"
    | "workerDeploymentName"
    | "deploymentVersion"
    | "deployment"
  >,
): HistoryEvent {
  return run.add(EventType.WORKFLOW_TASK_COMPLETED, "workflowTaskCompletedEventAttributes", {
    scheduledEventId: task.scheduledEventId,
    startedEventId: task.startedEventId,
    identity: attributes.identity,
    binaryChecksum: attributes.binaryChecksum,
    workerVersion: attributes.workerVersion,
    sdkMetadata: attributes.sdkMetadata,
    meteringMetadata: attributes.meteringMetadata,
    versioningBehavior: attributes.versioningBehavior,
    workerDeploymentName: attributes.workerDeploymentName,
    deploymentVersion: attributes.deploymentVersion,
    deployment: attributes.deployment,
  });
}

/** The next task has one attempt more, and no sticky queue. After a sticky task the attempt stays: the next one goes to any worker. */
function endAttempt(run: Run, task: WorkflowTaskRecord, countsAsAttempt: boolean): void {
  const info = run.info;
  const wasSticky = info.stickyTaskQueue !== "";
  clearSticky(run.draft);
  info.workflowTask = undefined;
  info.nextTaskAttempt = countsAsAttempt && !wasSticky ? task.attempt + 1 : 0;
  if (countsAsAttempt && !wasSticky) countProblem(run);
  info.closeAttempted = false;
  run.draft.dirty = true;
}

/** The task that ends without a completion: of a speculative one history then has everything. */
function settled(run: Run, identity: string): WorkflowTaskRecord {
  const task = run.info.workflowTask as WorkflowTaskRecord;
  return task.type === TASK_SPECULATIVE ? materialize(run, identity, task.startedEventId !== 0) : task;
}

export function failTask(
  run: Run,
  cause: WorkflowTaskFailedCause,
  failure: Failure | undefined,
  identity: string,
  extra: { binaryChecksum?: string; baseRunId?: string; newRunId?: string } = {},
): void {
  assert(isTaskRunning(run.draft), "only a running workflow task fails");
  const task = settled(run, identity);
  if (task.type !== TASK_TRANSIENT)
    run.add(EventType.WORKFLOW_TASK_FAILED, "workflowTaskFailedEventAttributes", {
      scheduledEventId: task.scheduledEventId,
      startedEventId: task.startedEventId,
      cause,
      failure,
      identity,
      ...extra,
    });
  if (task.type !== TASK_TRANSIENT) noteProblem(run, "WorkflowTaskFailed", enumName(WorkflowTaskFailedCause, cause));
  endAttempt(run, task, true);
  if (cause === WorkflowTaskFailedCause.RESET_WORKFLOW) run.info.nextTaskAttempt = 0;
  if (cause === WorkflowTaskFailedCause.UNHANDLED_COMMAND) run.info.closeAttempted = true;
}

/** A task that no worker has taken comes to nothing; the next one is a first attempt. */
export function failPendingTask(run: Run, cause: WorkflowTaskFailedCause, identity: string): void {
  const task = run.info.workflowTask;
  assert(task !== undefined && task.startedEventId === 0, "only a task that waits for a worker can be given up");
  if (task.type === TASK_NORMAL)
    run.add(EventType.WORKFLOW_TASK_FAILED, "workflowTaskFailedEventAttributes", {
      scheduledEventId: task.scheduledEventId,
      startedEventId: 0,
      cause,
      identity,
    });
  endAttempt(run, task, true);
  run.info.nextTaskAttempt = 0;
}

/** The worker did not answer in time. */
export function timeOutTask(run: Run): void {
  assert(isTaskRunning(run.draft), "only a running workflow task times out");
  const task = settled(run, "");
  if (task.type !== TASK_TRANSIENT)
    run.add(EventType.WORKFLOW_TASK_TIMED_OUT, "workflowTaskTimedOutEventAttributes", {
      scheduledEventId: task.scheduledEventId,
      startedEventId: task.startedEventId,
      timeoutType: TimeoutType.START_TO_CLOSE,
    });
  if (task.type !== TASK_TRANSIENT) noteProblem(run, "WorkflowTaskTimedOut", enumName(TimeoutType, TimeoutType.START_TO_CLOSE));
  endAttempt(run, task, true);
}

/** No sticky worker took the task: the next one goes to the normal queue. */
export function timeOutStickySchedule(run: Run): void {
  assert(run.info.workflowTask !== undefined && !isTaskRunning(run.draft), "only a pending workflow task waits for a start");
  const task = settled(run, "");
  if (task.type !== TASK_TRANSIENT)
    run.add(EventType.WORKFLOW_TASK_TIMED_OUT, "workflowTaskTimedOutEventAttributes", {
      scheduledEventId: task.scheduledEventId,
      startedEventId: 0,
      timeoutType: TimeoutType.SCHEDULE_TO_START,
    });
  endAttempt(run, task, false);
}

export { BUFFERED_EVENT_ID };
