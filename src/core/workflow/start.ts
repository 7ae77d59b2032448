/**
 * How a run begins: policies for a workflow id that is taken, the start event, the first workflow task (at once, after a
 * backoff, or when the parent has recorded the start), eager start. The same start again, by request id, gets the same answer.
 * Behaviour: service/history/api/startworkflow/api.go and workflow_id_dedup.go of the official server.
 */

import type { Duration } from "../../../gen/wire/google/protobuf/duration.js";
import { ExecutionRecord, RequestIdRecord, TimeSkippingRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import {
  ContinueAsNewInitiator,
  WorkflowExecutionStatus,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { WorkflowExecutionAlreadyStartedFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import type { WorkflowExecutionStartedEventAttributes } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { UserMetadata } from "../../../gen/wire/temporal/api/sdk/v1/user_metadata.js";
import { StartWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, detail, type ErrorDetail, internal, notFound, ServiceError } from "../../api/service-error.js";
import { cappedMicros, duration, durationMicros, timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { cronBackoff } from "../../lib/cron.js";
import { checkCallbackLimit } from "../callback/statemachine.js";
import type { ExecutionAddress, InputOf, ParentStart } from "../input.js";
import type { Replies } from "../transition.js";
import { typed } from "../visibility/search-attributes.js";
import { HISTORY_SERVICE_IDENTITY, stringPayloads, terminateRun } from "./close.js";
import type { Context, Run } from "./context.js";
import { noteVersioning } from "./derived-attributes.js";
import { newForm } from "./effective-version.js";
import type { RunState } from "./mutable-state.js";
import { checkVersioningOverride } from "./options.js";
import { addSignal } from "./signal.js";
import { hasOwnClock, type InheritedClock } from "./time-skipping.js";
import { recordStarted, scheduleWorkflowTask, startedWorkflowTask } from "./workflow-task.js";

/** How the last run must have ended for ALLOW_DUPLICATE_FAILED_ONLY. */
const FAILED: ReadonlySet<WorkflowExecutionStatus> = new Set([
  WorkflowExecutionStatus.FAILED,
  WorkflowExecutionStatus.CANCELED,
  WorkflowExecutionStatus.TERMINATED,
  WorkflowExecutionStatus.TIMED_OUT,
]);

/** The signal that comes with a start follows the start event. */
const FIRST_SIGNAL_EVENT_ID = 2;

export interface NewRun {
  attributes: Init<WorkflowExecutionStartedEventAttributes>;
  workflowId: string;
  requestId: string;
  reusePolicy: WorkflowIdReusePolicy;
  userMetadata: UserMetadata | undefined;
  links: Link[];
  /** The first workflow task waits until the parent has recorded the start. */
  awaitsParent: boolean;
  /** Of a run that goes on with the clock of the one before it: what that was ahead of real time when it began. */
  clockBase?: number | undefined;
}

/** Opens a run and writes its start event. */
export function createRun(ctx: Context, start: NewRun): Run {
  const { env } = ctx;
  const run = ctx.create(
    ExecutionRecord.create({
      recordVersion: 1,
      namespaceId: env.namespace.id,
      workflowId: start.workflowId,
      runId: env.newRunId,
      startRequestId: start.requestId,
      nextEventId: 1,
      branch: env.newKey,
      nextRowId: 1,
      reusePolicy: start.reusePolicy,
      status: WorkflowExecutionStatus.RUNNING,
    }),
  );
  const { timeSkippingConfig, timeSkippingStatePropagation } = start.attributes as InheritedClock;
  if (hasOwnClock(timeSkippingConfig, timeSkippingStatePropagation))
    run.draft.timeSkipping = TimeSkippingRecord.create({
      base: start.clockBase ?? env.clock?.offset ?? 0,
      skipped: durationMicros(timeSkippingStatePropagation?.initialSkippedDuration),
    });
  // They were made for this run: so many fields are not copied again.
  const { attributes } = start;
  attributes.searchAttributes = typed(attributes.searchAttributes, env.namespace);
  attributes.workflowId = start.workflowId;
  attributes.originalExecutionRunId = env.newRunId;
  attributes.firstExecutionRunId ||= env.newRunId;
  run.add(EventType.WORKFLOW_EXECUTION_STARTED, "workflowExecutionStartedEventAttributes", attributes, {
    userMetadata: start.userMetadata,
    links: start.links,
  });
  const info = run.info;
  if (info.rootWorkflowId === "") {
    info.rootWorkflowId = info.workflowId;
    info.rootRunId = info.runId;
  }
  if (info.versioningInfo !== undefined) noteVersioning(run);
  else if (info.assignedBuildId !== "") noteVersioning(run, { stamp: { buildId: info.assignedBuildId, useVersioning: true }, version: undefined });
  else if (info.mostRecentWorkerVersionStamp !== undefined) noteVersioning(run, { stamp: info.mostRecentWorkerVersionStamp, version: undefined });
  if (start.requestId !== "") run.draft.requestIds.push({ id: start.requestId, eventType: EventType.WORKFLOW_EXECUTION_STARTED, eventId: 1 });
  run.visibilityChanged = true;
  run.deadline(info.runDeadline);
  info.awaitsParent = start.awaitsParent;
  return run;
}

/** Schedules the first workflow task, or sets the time when it will be. */
export function beginFirstTask(run: Run, options: { bypassDispatch?: boolean } = {}): void {
  const info = run.info;
  if (info.awaitsParent) return;
  if (info.firstTaskDelay > 0) {
    info.firstTaskBackoffUntil = info.startTime + info.firstTaskDelay;
    run.deadline(info.firstTaskBackoffUntil);
    run.draft.dirty = true;
    return;
  }
  scheduleWorkflowTask(run, options);
}

/** Of the whole chain, as its start gave it: it may be missing, or be said to be none. */
export function executionTimeoutOf(info: ExecutionRecord): Duration | undefined {
  return info.executionTimeout > 0 || info.zeroExecutionTimeout ? duration(info.executionTimeout) : undefined;
}

/** What a start request makes of the first event. */
export function startAttributes(
  ctx: Context,
  request: StartWorkflowExecutionRequest,
  parent: ParentStart | undefined,
  eager: boolean,
): Init<WorkflowExecutionStartedEventAttributes> {
  // A child goes on from its parent's time.
  const now = ctx.env.now + durationMicros(parent?.timeSkipping?.initialSkippedDuration);
  const executionTimeout = cappedMicros(request.workflowExecutionTimeout);
  const startDelay = cappedMicros(request.workflowStartDelay);
  const cronDelay = request.cronSchedule === "" ? 0 : (cronBackoff(request.cronSchedule, now, now) ?? 0);
  const inherited = parent?.inheritedVersion;
  const override = request.versioningOverride ?? inherited?.versioningOverride;
  return {
    workflowType: request.workflowType,
    parentWorkflowNamespace: parent?.namespace,
    parentWorkflowNamespaceId: parent?.namespaceId,
    parentWorkflowExecution: parent === undefined ? undefined : { workflowId: parent.workflowId, runId: parent.runId },
    parentInitiatedEventId: parent?.initiatedEventId,
    rootWorkflowExecution: parent === undefined ? undefined : { workflowId: parent.rootWorkflowId, runId: parent.rootRunId },
    taskQueue: request.taskQueue,
    input: request.input,
    header: request.header,
    // As they came: to an SDK no timeout is not a timeout of nothing.
    workflowExecutionTimeout: request.workflowExecutionTimeout === undefined ? undefined : duration(executionTimeout),
    workflowRunTimeout: request.workflowRunTimeout === undefined ? undefined : duration(cappedMicros(request.workflowRunTimeout)),
    workflowTaskTimeout: duration(cappedMicros(request.workflowTaskTimeout)),
    workflowExecutionExpirationTime: executionTimeout > 0 ? timestampOf(Math.round((now + executionTimeout) / 1000) * 1000) : undefined,
    identity: request.identity,
    retryPolicy: request.retryPolicy,
    attempt: 1,
    cronSchedule: request.cronSchedule,
    initiator: request.cronSchedule === "" ? ContinueAsNewInitiator.UNSPECIFIED : ContinueAsNewInitiator.CRON_SCHEDULE,
    continuedFailure: request.continuedFailure,
    lastCompletionResult: request.lastCompletionResult,
    firstWorkflowTaskBackoff: duration(startDelay > 0 ? startDelay : cronDelay),
    memo: request.memo,
    searchAttributes: request.searchAttributes,
    completionCallbacks: request.completionCallbacks,
    versioningOverride: override === undefined ? undefined : newForm(override),
    inheritedPinnedVersion: inherited?.pinnedVersion,
    inheritedAutoUpgradeInfo: inherited?.autoUpgrade,
    inheritedBuildId: inherited?.buildId,
    sourceVersionStamp: inherited?.sourceStamp,
    priority: request.priority,
    eagerExecutionAccepted: eager,
    timeSkippingConfig: request.timeSkippingConfig,
    timeSkippingStatePropagation: parent?.timeSkipping,
  } as Init<WorkflowExecutionStartedEventAttributes>;
}

export function alreadyStarted(
  message: string,
  state: { startRequestId: string; runId: string; firstRunId: string; workflowId: string },
): ServiceError {
  const details: ErrorDetail[] = [
    detail(WorkflowExecutionAlreadyStartedFailure, {
      startRequestId: state.startRequestId,
      runId: state.runId,
      firstExecutionRunId: state.firstRunId,
    } as Init<WorkflowExecutionAlreadyStartedFailure>),
  ];
  return new ServiceError(Code.ALREADY_EXISTS, message, details);
}

/** Whether a closed run's id may be used again. */
function checkReuse(current: RunState["info"], policy: WorkflowIdReusePolicy): void {
  const ids = `WorkflowId: ${current.workflowId}, RunId: ${current.runId}.`;
  switch (policy) {
    case WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY:
      if (!FAILED.has(current.status))
        throw alreadyStarted(
          `Workflow execution already finished successfully. ${ids} Workflow Id reuse policy: allow duplicate workflow Id if last run failed.`,
          current,
        );
      return;
    case WorkflowIdReusePolicy.REJECT_DUPLICATE:
      throw alreadyStarted(`Workflow execution already finished. ${ids} Workflow Id reuse policy: reject duplicate workflow Id.`, current);
    default:
  }
}

/** The deprecated reuse policy says what to do with an open run; the conflict policy has taken its place. */
function policies(
  reuse: WorkflowIdReusePolicy,
  conflict: WorkflowIdConflictPolicy,
  fallback: WorkflowIdConflictPolicy,
): { reuse: WorkflowIdReusePolicy; conflict: WorkflowIdConflictPolicy } {
  if (reuse === WorkflowIdReusePolicy.TERMINATE_IF_RUNNING)
    return { reuse: WorkflowIdReusePolicy.ALLOW_DUPLICATE, conflict: WorkflowIdConflictPolicy.TERMINATE_EXISTING };
  return {
    reuse: reuse === WorkflowIdReusePolicy.UNSPECIFIED ? WorkflowIdReusePolicy.ALLOW_DUPLICATE : reuse,
    conflict: conflict === WorkflowIdConflictPolicy.UNSPECIFIED ? fallback : conflict,
  };
}

export function start(ctx: Context, _address: ExecutionAddress, input: InputOf<"start">): Replies["start"] {
  const { request, parent } = input;
  if (request.versioningOverride !== undefined) checkVersioningOverride(ctx.env, request.versioningOverride, request.taskQueue?.name ?? "");
  const current = ctx.chain.current();
  const eager =
    request.requestEagerExecution && request.cronSchedule === "" && cappedMicros(request.workflowStartDelay) === 0 && parent === undefined;
  const policy = policies(request.workflowIdReusePolicy, request.workflowIdConflictPolicy, WorkflowIdConflictPolicy.FAIL);
  if (current !== undefined) {
    const info = current.info;
    if (parent !== undefined && isOwnChild(info, parent)) {
      const { firstRunId, status } = info;
      return { runId: firstRunId, firstRunId, started: false, status, eagerTask: undefined, startedEventLink: undefined };
    }
    if (info.startRequestId === request.requestId || isOfAction(info, request)) return repeatedStart(ctx, current, eager);
  }
  if (parent?.isAwaiting === false) throw notFound(`no workflow was started as child of ${parent.workflowId}, which waits for none`);
  if (current !== undefined) {
    const { info } = current;
    if (current.isOpen) {
      switch (policy.conflict) {
        case WorkflowIdConflictPolicy.USE_EXISTING:
          return useExisting(ctx, current, request);
        case WorkflowIdConflictPolicy.TERMINATE_EXISTING:
          terminateRun(ctx.open(current), {
            reason: "TerminateIfRunning WorkflowIdReusePolicy",
            details: stringPayloads(`terminated by new runID: ${ctx.env.newRunId}`),
            identity: HISTORY_SERVICE_IDENTITY,
          });
          break;
        case WorkflowIdConflictPolicy.FAIL:
          throw alreadyStarted(`Workflow execution is already running. WorkflowId: ${info.workflowId}, RunId: ${info.runId}.`, info);
        default:
          throw internal(`Failed to process start workflow id conflict policy: ${policy.conflict}.`);
      }
    } else checkReuse(info, policy.reuse);
  }
  const run = createRun(ctx, {
    attributes: startAttributes(ctx, request, parent, eager),
    workflowId: request.workflowId,
    requestId: request.requestId,
    reusePolicy: policy.reuse,
    userMetadata: request.userMetadata,
    links: request.links,
    awaitsParent: parent !== undefined,
  });
  beginFirstTask(run, { bypassDispatch: eager });
  if (eager) recordStarted(run, request.requestId, request.identity, undefined);
  return {
    runId: run.info.runId,
    firstRunId: run.info.firstRunId,
    started: true,
    status: WorkflowExecutionStatus.RUNNING,
    eagerTask: eager ? startedWorkflowTask(run) : undefined,
    startedEventLink: { eventId: 1 },
  };
}

/** What the same command has started, or what follows it in its chain; and a parent that was reset finds the child that it started before. */
function isOwnChild({ parent: of }: RunState["info"], parent: ParentStart): boolean {
  if (of === undefined || of.workflowId !== parent.workflowId) return false;
  if (of.runId === parent.runId) return of.initiatedEventId === parent.initiatedEventId;
  return parent.baseRunIds?.includes(of.runId) === true;
}

/** Whether the run continues what the same action of a schedule started: further runs have other request ids, and tell the same of their end. */
function isOfAction(info: RunState["info"], { completionCallbacks }: StartWorkflowExecutionRequest): boolean {
  return completionCallbacks.some(
    ({ variant }) =>
      variant.case === "internal" &&
      info.completionCallbacks.some((c) => c.variant.case === "internal" && Buffer.compare(c.variant.value.data, variant.value.data) === 0),
  );
}

/** The answer to a start that was applied before, with the same eager task as long as nothing came after it. */
function repeatedStart(ctx: Context, current: RunState, eager: boolean): Replies["start"] {
  const info = current.info;
  const task = info.workflowTask;
  const eagerTask =
    eager && current.isOpen && task !== undefined && task.startedEventId === 3 && task.attempt === 1
      ? startedWorkflowTask(ctx.open(current))
      : undefined;
  return { runId: info.runId, firstRunId: info.firstRunId, started: true, status: info.status, eagerTask, startedEventLink: { eventId: 1 } };
}

/** Conflict policy USE_EXISTING: the open run is the answer; what `on_conflict_options` asks for is attached to it. */
function useExisting(ctx: Context, current: RunState, request: StartWorkflowExecutionRequest): Replies["start"] {
  const options = request.onConflictOptions;
  const info = current.info;
  const reply: Replies["start"] = {
    runId: info.runId,
    firstRunId: info.firstRunId,
    started: false,
    status: info.status,
    eagerTask: undefined,
    startedEventLink: undefined,
  };
  if (options === undefined) return reply;
  const run = ctx.open(current);
  if (options.attachRequestId && run.info.attachedRequests.some((r) => r.requestId === request.requestId)) return reply;
  if (options.attachCompletionCallbacks) checkCallbackLimit(run, request.completionCallbacks.length);
  const event = run.add(
    EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    "workflowExecutionOptionsUpdatedEventAttributes",
    {
      attachedRequestId: options.attachRequestId ? request.requestId : "",
      attachedCompletionCallbacks: options.attachCompletionCallbacks ? request.completionCallbacks : [],
    },
    { links: options.attachLinks ? request.links : [], workerMayIgnore: true },
  );
  if (options.attachRequestId) {
    const attached = RequestIdRecord.create({ requestId: request.requestId, eventType: event.eventType, eventId: event.eventId, time: run.now });
    run.info.attachedRequests = [...run.info.attachedRequests, attached];
  }
  return reply;
}

export function signalWithStart(ctx: Context, _address: ExecutionAddress, input: InputOf<"signalWithStart">): Replies["signalWithStart"] {
  const { request } = input;
  if (request.versioningOverride !== undefined) checkVersioningOverride(ctx.env, request.versioningOverride, request.taskQueue?.name ?? "");
  const current = ctx.chain.current();
  const policy = policies(request.workflowIdReusePolicy, request.workflowIdConflictPolicy, WorkflowIdConflictPolicy.USE_EXISTING);
  const signal = {
    signalName: request.signalName,
    input: request.signalInput,
    identity: request.identity,
    header: request.header,
    requestId: request.requestId,
    links: request.links,
  };
  if (current !== undefined) {
    if (current.isOpen && policy.conflict !== WorkflowIdConflictPolicy.TERMINATE_EXISTING) {
      if (policy.conflict === WorkflowIdConflictPolicy.FAIL)
        throw alreadyStarted(
          `Workflow execution is already running. WorkflowId: ${current.info.workflowId}, RunId: ${current.info.runId}.`,
          current.info,
        );
      const run = ctx.open(current);
      // Unlike a signal alone, it does not wait for the end of the first task's backoff.
      const eventId = addSignal(run, signal, undefined, { hurries: true });
      return { runId: current.info.runId, firstRunId: current.info.firstRunId, started: false, eventId };
    }
    const { runId, firstRunId, startRequestId } = current.info;
    if (startRequestId === request.requestId) return { runId, firstRunId, started: false, eventId: FIRST_SIGNAL_EVENT_ID };
    if (current.isOpen)
      terminateRun(ctx.open(current), {
        reason: "TerminateIfRunning WorkflowIdReusePolicy",
        details: stringPayloads(`terminated by new runID: ${ctx.env.newRunId}`),
        identity: HISTORY_SERVICE_IDENTITY,
      });
    else checkReuse(current.info, policy.reuse);
  }
  const startRequest = StartWorkflowExecutionRequest.create({
    namespace: request.namespace,
    workflowId: request.workflowId,
    workflowType: request.workflowType,
    taskQueue: request.taskQueue,
    input: request.input,
    workflowExecutionTimeout: request.workflowExecutionTimeout,
    workflowRunTimeout: request.workflowRunTimeout,
    workflowTaskTimeout: request.workflowTaskTimeout,
    identity: request.identity,
    requestId: request.requestId,
    retryPolicy: request.retryPolicy,
    cronSchedule: request.cronSchedule,
    memo: request.memo,
    searchAttributes: request.searchAttributes,
    header: request.header,
    workflowStartDelay: request.workflowStartDelay,
    userMetadata: request.userMetadata,
    links: request.links,
    versioningOverride: request.versioningOverride,
    priority: request.priority,
    timeSkippingConfig: request.timeSkippingConfig,
  } as Init<StartWorkflowExecutionRequest>);
  const run = createRun(ctx, {
    attributes: startAttributes(ctx, startRequest, undefined, false),
    workflowId: request.workflowId,
    requestId: request.requestId,
    reusePolicy: policy.reuse,
    userMetadata: request.userMetadata,
    links: request.links,
    awaitsParent: false,
  });
  addSignal(run, signal, undefined, { first: true });
  beginFirstTask(run);
  const { runId, firstRunId } = run.info;
  return { runId, firstRunId, started: true, eventId: FIRST_SIGNAL_EVENT_ID };
}

/** The parent has recorded the start of this child. */
export function scheduleFirstTask(ctx: Context, state: RunState): void {
  const run = ctx.open(state);
  if (!run.isOpen || !run.info.awaitsParent) return;
  run.info.awaitsParent = false;
  run.draft.dirty = true;
  beginFirstTask(run);
}
