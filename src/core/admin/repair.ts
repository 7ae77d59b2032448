/**
 * What an operator does to a run by hand, outside of what its workflow and its callers can: its tasks are offered again, its state is
 * made anew from its history, the row of its timers is taken away, a history from elsewhere becomes a run. None of it writes events
 * of its own. Behaviour: service/history/api/refreshworkflow, workflow_rebuilder.go and ndc/history_importer.go of the official server.
 *
 * Rebuilding keeps what no event tells (attempts, heartbeats, stickiness, request ids) of whatever the history also knows.
 */
import { type ActivityRecord, ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { alreadyExists, failedPrecondition, invalidArgument, unimplemented } from "../../api/service-error.js";
import { assert } from "../../lib/assert.js";
import type { DraftRows } from "../../lib/rows.js";
import { dispatchActivity } from "../activity/statemachine.js";
import { deliverAgain } from "../callback/statemachine.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import { askAgain } from "../nexus-operation/statemachine.js";
import type { HistoryRange, Replies } from "../transition.js";
import { applyEvent, TASK_NORMAL } from "../workflow/apply-events.js";
import { type Context, Need, type Run, segmentsOf } from "../workflow/context.js";
import { frame } from "../workflow/event-factory.js";
import { addExternalPayloads } from "../workflow/external-payloads.js";
import { type RunState, TASK_SPECULATIVE } from "../workflow/mutable-state.js";
import { historyFieldsOf, isHistoryField, replay, withDerived } from "../workflow/replay.js";
import { askOthersAgain } from "../workflow/reset.js";
import { addressed } from "../workflow/signal.js";
import { earliestDeadline } from "../workflow/timers.js";
import { dispatchWorkflowTask } from "../workflow/workflow-task.js";

export function refreshTasks(ctx: Context, address: ExecutionAddress): undefined {
  offerAll(ctx.open(addressed(ctx, address)));
}

/** Everything that waits for somebody else is offered again; timers and lists follow the state. */
function offerAll(run: Run): void {
  const { draft, info } = run;
  draft.dirty = true;
  run.visibilityChanged = true;
  info.due = 0;
  run.deadline(earliestDeadline(draft));
  if (draft.hasCallbacks) deliverAgain(run);
  if (!run.isOpen) return;
  if (draft.hasNexusOperations) for (const op of draft.nexusOperations.values()) askAgain(run, op);
  if (info.status === WorkflowExecutionStatus.PAUSED) return;
  const task = info.workflowTask;
  if (task !== undefined && task.startedEventId === 0 && task.type !== TASK_SPECULATIVE) dispatchWorkflowTask(run);
  for (const a of draft.activities.values()) if (a.startedTime === 0 && !a.waitsForRetry) dispatchActivity(run, a);
  // As long as an effect on somebody else is on its way, asking twice would only count it twice.
  if (info.pendingTransfers === 0) askOthersAgain(run, (eventId) => run.ctx.event(run, eventId));
}

export function rebuild(context: Context, address: ExecutionAddress): undefined {
  const state = addressed(context, address);
  const range: HistoryRange = { runKey: state.key, segments: segmentsOf(state), fromEventId: 1, endEventId: state.info.nextEventId };
  const events = context.loaded.history?.(range);
  if (events === undefined) throw new Need([], [], { histories: [range] });
  const buffered = [...state.buffered.base.values()].flatMap((b) => b.events);
  const fresh = replay(events, buffered, state);
  const run = context.open(state);
  const { draft, info } = run;
  for (const field of Object.keys(fresh.info) as (keyof ExecutionRecord)[])
    if (isHistoryField(field)) Object.assign(info, { [field]: fresh.info[field] });
  rebuildTask(run, fresh);
  const activities = new Map<number, ActivityRecord>();
  for (const [id, a] of fresh.activities.base) {
    const stored = state.activities.base.get(id);
    activities.set(id, stored === undefined ? a : { ...stored, ...Object.fromEntries(historyFieldsOf(stored).map((k) => [k, a[k]])) });
  }
  for (const a of [...draft.activities.values()]) if (!activities.has(a.scheduledEventId)) draft.deleteActivity(a);
  for (const a of activities.values()) draft.putActivity(a);
  for (const t of [...draft.timers.values()]) draft.deleteTimer(t);
  for (const t of fresh.timers.base.values()) draft.putTimer(t);
  replace(draft.children, state.children.base, fresh.children.base);
  replace(draft.externalSignals, state.externalSignals.base, fresh.externalSignals.base);
  replace(draft.externalCancels, state.externalCancels.base, fresh.externalCancels.base);
  if (state.hasNexusOperations || fresh.hasNexusOperations) rebuildOperations(run, state, fresh);
  if (state.hasCallbacks || fresh.hasCallbacks) rebuildCallbacks(run, state, fresh);
  draft.memo = fresh.memo;
  draft.searchAttributes = withDerived(fresh.searchAttributes, state.searchAttributes);
  offerAll(run);
}

/** A task that history does not hold stays; one that it does is what it says. */
function rebuildTask(run: Run, fresh: RunState): void {
  const { info } = run;
  const told = fresh.info.workflowTask;
  const has = info.workflowTask;
  if (told === undefined) {
    if (has?.type === TASK_NORMAL || !run.isOpen) info.workflowTask = undefined;
  } else if (has === undefined || has.scheduledEventId !== told.scheduledEventId || has.startedEventId !== told.startedEventId)
    info.workflowTask = told;
}

/** One that is where history has it keeps its attempts. */
function rebuildOperations({ draft }: Run, state: RunState, fresh: RunState): void {
  for (const id of state.nexusOperations.base.keys()) if (!fresh.nexusOperations.base.has(id)) draft.deleteNexusOperation(id);
  for (const [id, told] of fresh.nexusOperations.base) {
    const has = state.nexusOperations.base.get(id);
    const isThere =
      has !== undefined &&
      has.requestId === told.requestId &&
      has.startedTime === told.startedTime &&
      has.cancellation?.requestedEventId === told.cancellation?.requestedEventId;
    if (!isThere) draft.putNexusOperation(told);
  }
}

/** Whether one has been delivered no event tells. */
function rebuildCallbacks({ draft }: Run, state: RunState, fresh: RunState): void {
  for (const id of state.callbacks.base.keys()) if (!fresh.callbacks.base.has(id)) draft.callbacks.delete(id);
  for (const [id, told] of fresh.callbacks.base) if (!state.callbacks.base.has(id)) draft.putCallback(told);
}

function replace<V>(rows: DraftRows<V>, stored: ReadonlyMap<number, V>, fresh: ReadonlyMap<number, V>): void {
  for (const id of stored.keys()) if (!fresh.has(id)) rows.delete(id);
  for (const [id, value] of fresh) rows.set(id, value);
}

/** The run forgets the row of its timers, which goes with it: none fires until something sets one, or all are refreshed. */
export function dropTimers(context: Context, address: ExecutionAddress, input: InputOf<"dropTimers">): undefined {
  const run = context.open(addressed(context, address));
  if (run.info.due !== input.due) return;
  run.info.due = 0;
  run.draft.dirty = true;
}

/** No server writes them, and nobody has said what they do. */
const WITHOUT_EFFECT: ReadonlySet<EventType> = new Set([
  EventType.WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY,
  EventType.ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY,
]);

/** The address names no run, so that the current one is in memory. */
export function importRun(context: Context, address: ExecutionAddress, input: InputOf<"importRun">): Replies["importRun"] {
  const { env, chain } = context;
  const { runId, batches } = input;
  const events = batches.flat();
  const known = chain.run(runId);
  if (known !== undefined) {
    if (known.info.nextEventId === events.length + 1) return { runId };
    throw alreadyExists("a run of this id exists already");
  }
  if (!chain.isMissing(runId)) throw new Need([], [], { runs: [runId], histories: [] });
  const run = context.create(
    ExecutionRecord.create({
      recordVersion: 1,
      namespaceId: env.namespace.id,
      workflowId: address.workflowId,
      runId,
      startRequestId: `import-${runId}`,
      nextEventId: 1,
      branch: env.newKey,
      nextRowId: 1,
      status: WorkflowExecutionStatus.RUNNING,
    }),
  );
  const { draft, info } = run;
  for (const batch of batches) {
    const first = batch[0];
    assert(first !== undefined, "an imported batch has events");
    for (const event of batch) {
      if (event.eventId !== info.nextEventId) throw invalidArgument(`event ${info.nextEventId} of the imported history is missing`);
      if (WITHOUT_EFFECT.has(event.eventType)) throw unimplemented("Workflow/activity property modification not implemented");
      applyEvent(draft, event, env.config.limits.updateCallbacks);
      info.nextEventId = event.eventId + 1;
    }
    const data = frame(batch);
    info.historySizeBytes += data.length;
    addExternalPayloads(info, batch);
    draft.batches.push({ branch: info.branch, firstEventId: first.eventId, events: batch, data });
  }
  if (info.rootWorkflowId === "") {
    info.rootWorkflowId = info.workflowId;
    info.rootRunId = runId;
  }
  const current = chain.current();
  // The greatest run id is the current run.
  if (current?.isOpen === true && (run.isOpen || runId > current.info.runId))
    throw failedPrecondition("the workflow has an open run, which has to end before this one can be imported");
  if (run.isOpen && current !== undefined && runId < current.info.runId)
    throw failedPrecondition("the workflow has a later run: only a run that has ended can be imported before it");
  if (!run.isOpen) info.deleteAt = env.now + env.namespace.retention;
  offerAll(run);
  return { runId };
}
