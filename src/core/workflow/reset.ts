/**
 * Reset: a run is ended and its history, up to a workflow task, becomes the beginning of a new run, which goes on from there. The
 * new run shares those events (a list of segments, not a copy), its state is their replay, and what others have sent to the base run
 * and those that continued it since is applied again.
 *
 * In: the request, the histories of the base run and of the runs that continued it. Out: up to three runs of one workflow id: the
 * base, which learns where it went on, the current one, ended, and the new one. What the replay does not give is set here: start and
 * deadlines count from the reset (`beginAgain`), attempts from 1; stickiness, buffers, heartbeats and pauses start empty.
 * Behaviour: service/history/ndc/workflow_resetter.go and api/resetworkflow of the official server.
 */
import { ExecutionRecord, RequestIdRecord, ResetRecord, TimeSkippingRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { ResetReapplyExcludeType as Exclude, ResetReapplyType } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { TimeoutType, WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { ResetWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument } from "../../api/service-error.js";
import { duration, timestampMicros } from "../../api/time.js";
import { assert } from "../../lib/assert.js";
import { dispatchActivity, noteDeadlines } from "../activity/statemachine.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import { resumeOperation } from "../nexus-operation/statemachine.js";
import type { HistoryRange, Replies } from "../transition.js";
import { applyEvent, beginAgain } from "./apply-events.js";
import { HISTORY_SERVICE_IDENTITY, terminateRun } from "./close.js";
import { type Context, Need, type Run, segmentsOf } from "./context.js";
import { noteBinaryChecksums, noteVersioning } from "./derived-attributes.js";
import { beginsTransaction, frame } from "./event-factory.js";
import { addExternalPayloads } from "./external-payloads.js";
import type { RunState } from "./mutable-state.js";
import { applyPostResetOperations, checkPostResetOperations } from "./options.js";
import { reapply } from "./reapply.js";
import { addResetPoint } from "./reset-points.js";
import { addressed } from "./signal.js";
import { TransferKind } from "./transfer-kind.js";
import { failTask, recordStarted, scheduleWorkflowTask } from "./workflow-task.js";

/** Identity of the termination that makes room for the new run. */
const RESETTER_IDENTITY = "history-resetter";
/** Request id that the official server gives to a workflow task that nobody polled. */
const NO_REQUEST_ID = "emptyUuid";

const EXCLUDABLE = Object.values(Exclude).filter((v): v is Exclude => typeof v === "number" && v !== Exclude.UNSPECIFIED);

export function reset(ctx: Context, address: ExecutionAddress, input: InputOf<"reset">): Replies["reset"] {
  const { request } = input;
  const base = addressed(ctx, address);
  const forkEventId = request.workflowTaskFinishEventId;
  if (forkEventId <= 1 || forkEventId >= base.info.nextEventId)
    throw invalidArgument("Workflow task finish ID must be > 1 && <= workflow last event ID.");
  checkPostResetOperations(ctx.env, request.postResetOperations, base.info.taskQueue);
  const current = ctx.chain.current();
  if (current === undefined) throw new Need([], [], { runs: [""], histories: [] });
  if (current.info.startRequestId === request.requestId || current.info.reset?.requestId === request.requestId) return { runId: current.info.runId };

  const excluded = excludedTypes(request);
  const runs = EXCLUDABLE.every((type) => excluded.has(type)) ? [base] : continuedRuns(ctx, base);
  const [events, ...later] = histories(ctx, runs);
  assert(events !== undefined, "the base run has a history");

  const baseRun = ctx.open(base);
  baseRun.info.resetRunId = ctx.env.newRunId;
  baseRun.draft.dirty = true;
  const ended = current.isOpen ? endCurrent(ctx, current, current === base, request.reason) : [];

  const run = fork(ctx, base, request, events);
  failRunningTask(run, base.info.runId, request.reason);
  if (runs.length > 1 || !EXCLUDABLE.every((type) => excluded.has(type)))
    for (const history of [events.slice(forkEventId - 1), ...later]) for (const event of history) reapply(run, event, excluded);
  // What waited in the run that has just ended follows, when the way from the base run led there.
  if (runs.at(-1) === current) for (const event of ended) reapply(run, event, excluded);
  applyPostResetOperations(run, request.postResetOperations);
  scheduleWorkflowTask(run);
  resumePending(run, events);
  run.visibilityChanged = true;
  return { runId: run.info.runId };
}

/** Event types that are not applied again. The older field names what is to be applied. */
function excludedTypes(request: ResetWorkflowExecutionRequest): Set<Exclude> {
  const out = new Set(request.resetReapplyExcludeTypes);
  if (request.resetReapplyType === ResetReapplyType.SIGNAL) out.add(Exclude.UPDATE);
  if (request.resetReapplyType === ResetReapplyType.NONE) out.add(Exclude.SIGNAL).add(Exclude.UPDATE);
  return out;
}

/** The base run and those that it continued as, oldest first, as far as they are still there. */
function continuedRuns(ctx: Context, base: RunState): RunState[] {
  const out = [base];
  for (let last = base; last.info.status === WorkflowExecutionStatus.CONTINUED_AS_NEW && last.info.newRunId !== ""; ) {
    const { newRunId } = last.info;
    const next = ctx.chain.run(newRunId);
    if (next === undefined) {
      if (ctx.chain.isMissing(newRunId)) break;
      throw new Need([], [], { runs: [newRunId], histories: [] });
    }
    out.push(next);
    last = next;
  }
  return out;
}

function histories(ctx: Context, runs: readonly RunState[]): (readonly HistoryEvent[])[] {
  const ranges = runs.map((r): HistoryRange => ({ runKey: r.key, segments: segmentsOf(r), fromEventId: 1, endEventId: r.info.nextEventId }));
  const loaded = ranges.map((range) => ctx.loaded.history?.(range));
  if (loaded.includes(undefined)) throw new Need([], [], { runs: [], histories: ranges });
  return loaded as (readonly HistoryEvent[])[];
}

/** Ends the current run in favour of the new one. Answers its last events. */
function endCurrent(ctx: Context, current: RunState, isBase: boolean, reason: string): readonly HistoryEvent[] {
  const run = ctx.open(current);
  run.info.endedByReset = true;
  terminateRun(run, { reason, details: undefined, identity: RESETTER_IDENTITY }, [], { byReset: true, keepsChildren: isBase });
  run.events.endBatch();
  return run.draft.batches.flatMap((b) => b.events);
}

/** The new run, with the state that its share of the base run's events gives. */
function fork(ctx: Context, base: RunState, request: ResetWorkflowExecutionRequest, events: readonly HistoryEvent[]): Run {
  const { env } = ctx;
  const forkEventId = request.workflowTaskFinishEventId;
  const prefix = events.slice(0, forkEventId - 1);
  const segments = segmentsOf(base)
    .map((s) => ({ branch: s.branch, endEventId: Math.min(s.endEventId, forkEventId) }))
    .filter((s, i, all) => s.endEventId > (all[i - 1]?.endEventId ?? 1));
  const run = ctx.create(
    ExecutionRecord.create({
      recordVersion: 1,
      namespaceId: env.namespace.id,
      workflowId: base.info.workflowId,
      runId: env.newRunId,
      // Who started the workflow finds it by the same request.
      startRequestId: base.info.startRequestId,
      nextEventId: forkEventId,
      historySizeBytes: frame(prefix).length,
      // The replay counts as one.
      stateTransitionCount: 1,
      branch: env.newKey,
      segments,
      nextRowId: 1,
      reusePolicy: base.info.reusePolicy,
      status: WorkflowExecutionStatus.RUNNING,
      reset: ResetRecord.create({
        requestId: request.requestId,
        forkEventId,
        baseRunIds: [base.info.runId, ...(base.info.reset?.baseRunIds ?? [])],
      }),
    }),
  );
  const { draft, info } = run;
  addExternalPayloads(info, prefix);
  draft.predecessor = base;
  /** As the workflow task's attempts went: a task that follows a failed one is not in history until it is completed. */
  let attempt = 1;
  for (const event of prefix) {
    applyEvent(draft, event, env.config.limits.updateCallbacks);
    const a = event.attributes;
    switch (a.case) {
      case "workflowTaskScheduledEventAttributes":
        attempt = a.value.attempt;
        break;
      case "workflowTaskStartedEventAttributes":
        attempt = 1;
        break;
      case "workflowTaskFailedEventAttributes":
        attempt = a.value.cause === WorkflowTaskFailedCause.RESET_WORKFLOW ? 1 : attempt + 1;
        break;
      case "workflowTaskTimedOutEventAttributes":
        if (a.value.timeoutType !== TimeoutType.SCHEDULE_TO_START) attempt++;
        break;
      case "workflowTaskCompletedEventAttributes":
        attempt = 1;
        info.mostRecentWorkerVersionStamp = a.value.workerVersion;
        if (addResetPoint(run, event) && a.value.binaryChecksum !== "") noteBinaryChecksums(run);
        noteVersioning(run, { stamp: a.value.workerVersion, version: a.value.deploymentVersion });
        break;
      case "workflowExecutionOptionsUpdatedEventAttributes":
        noteRequest(run, a.value.attachedRequestId, event);
        break;
      default:
    }
  }
  if (info.rootWorkflowId === "") {
    info.rootWorkflowId = info.workflowId;
    info.rootRunId = info.runId;
  }
  if (info.versioningInfo !== undefined || info.assignedBuildId !== "") noteVersioning(run);
  checkForkPoint(run, events, forkEventId, attempt);
  if (!env.config.limits.resetWithPendingChildren && draft.children.size > 0)
    throw invalidArgument("WorkflowResetter encountered pending child workflows.");
  // It goes on from the same clock, with what its share of the history skipped.
  if (draft.timeSkipping !== undefined)
    draft.timeSkipping = TimeSkippingRecord.copy(draft.timeSkipping, { base: base.timeSkipping?.base ?? env.clock?.offset ?? 0 });
  info.reset = ResetRecord.copy(info.reset as ResetRecord, { time: run.now });
  beginAgain(draft, run.now);
  run.deadline(info.runDeadline);
  return run;
}

/** A request that a start attached to the run. */
export function noteRequest(run: Run, requestId: string, event: HistoryEvent): void {
  if (requestId === "") return;
  const { eventType, eventId } = event;
  const record = RequestIdRecord.create({ requestId, eventType, eventId, time: timestampMicros(event.eventTime) });
  run.info.attachedRequests = [...run.info.attachedRequests, record];
}

/** A run goes on from a workflow task that was pending. */
function checkForkPoint(run: Run, events: readonly HistoryEvent[], forkEventId: number, attempt: number): void {
  const next = events[forkEventId - 1];
  const last = events[forkEventId - 2];
  assert(next !== undefined && last !== undefined, "the fork is within the history");
  if (run.info.workflowTask !== undefined || attempt > 1) return;
  if (!beginsTransaction(last, next))
    throw invalidArgument(
      `StateRebuilder unable to Rebuild mutable state to event ID: ${forkEventId - 1}, version: 0, this event must be at the boundary`,
    );
  throw invalidArgument(`Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: ${forkEventId}`);
}

/** The workflow task at which the histories part fails: its end tells a reader that, and from which run, a reset took place. */
function failRunningTask(run: Run, baseRunId: string, reason: string): void {
  const { info } = run;
  if (info.workflowTask === undefined)
    run.add(EventType.WORKFLOW_TASK_SCHEDULED, "workflowTaskScheduledEventAttributes", {
      taskQueue: { name: info.taskQueue, kind: TaskQueueKind.NORMAL },
      startToCloseTimeout: duration(info.taskTimeout),
      attempt: 1,
    });
  if (info.workflowTask?.startedEventId === 0) recordStarted(run, NO_REQUEST_ID, HISTORY_SERVICE_IDENTITY, undefined);
  const failure = Failure.create({ message: reason, failureInfo: { case: "resetWorkflowFailureInfo", value: {} } });
  failTask(run, WorkflowTaskFailedCause.RESET_WORKFLOW, failure, HISTORY_SERVICE_IDENTITY, { baseRunId, newRunId: info.runId });
}

/** What was pending at the fork goes on: activities from their first attempt, timers as they were set, requests to others once more. */
function resumePending(run: Run, events: readonly HistoryEvent[]): void {
  const { draft } = run;
  for (const activity of draft.activities.values()) {
    noteDeadlines(run, activity);
    dispatchActivity(run, activity);
  }
  for (const timer of draft.timers.values()) run.deadline(timer.fireTime);
  if (draft.hasNexusOperations) for (const op of [...draft.nexusOperations.values()]) resumeOperation(run, op);
  askOthersAgain(run, (eventId) => {
    const event = events[eventId - 1];
    assert(event !== undefined, "what is pending was initiated before the fork");
    return event;
  });
}

/** What was asked of others and not answered is asked once more, under the same request ids. `initiated`: the event that asked. */
export function askOthersAgain(run: Run, initiated: (eventId: number) => HistoryEvent): void {
  const { draft } = run;
  const again = (kind: TransferKind, to: { initiatedEventId: number; namespaceId: string; namespace: string; workflowId: string }) => {
    const event = initiated(to.initiatedEventId);
    return {
      kind,
      initiatedEventId: to.initiatedEventId,
      namespaceId: to.namespaceId,
      namespace: run.ctx.env.namespaces.byId(to.namespaceId)?.name ?? to.namespace,
      workflowId: to.workflowId,
      event,
      requestId: `${run.info.runId}:${to.initiatedEventId}`,
    };
  };
  for (const child of draft.children.values())
    if (child.startedEventId === 0) run.transfer({ ...again(TransferKind.START_CHILD, child), baseRunIds: run.info.reset?.baseRunIds ?? [] });
  for (const [kind, pending] of [
    [TransferKind.SIGNAL_EXTERNAL, draft.externalSignals],
    [TransferKind.CANCEL_EXTERNAL, draft.externalCancels],
  ] as const)
    for (const to of pending.values()) run.transfer({ ...again(kind, to), runId: to.runId, childWorkflowOnly: to.childWorkflowOnly });
}
