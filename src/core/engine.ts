/**
 * The door of the functional core: one input, applied to the runs of one workflow id, gives one outcome. Total: every input ends
 * in a transition, a service error, "stale" or "need"; whatever else is thrown is a bug that the shell reports. Nothing here
 * reads a clock, a store, chance or the environment: all of that is in `env`.
 */
import { WorkflowTaskFailedCause } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { notFound, ServiceError } from "../api/service-error.js";
import { assert } from "../lib/assert.js";
import * as operator from "./activity/operator.js";
import * as activity from "./activity/statemachine.js";
import { workerCommands } from "./activity/worker-commands.js";
import { applyToActivity } from "./activity-execution/handlers.js";
import { dropTimers, importRun, rebuild, refreshTasks } from "./admin/repair.js";
import { callbackCall, callbackDelivered, fireCallbacksDue } from "./callback/statemachine.js";
import { Archetype, type ExecutionChain } from "./execution.js";
import type { Env, ExecutionAddress, Input, InputKind, InputOf, WorkflowInputKind } from "./input.js";
import { applyToNexusExecution } from "./nexus-operation/execution.js";
import { nexusCall, nexusCancelRequested, nexusCompleted, nexusStarted } from "./nexus-operation/statemachine.js";
import { triggerRule } from "./rules/workflow-rules.js";
import { applyToSchedule } from "./scheduler/handlers.js";
import type { Loaded, Outcome, Replies } from "./transition.js";
import * as child from "./workflow/child.js";
import { HISTORY_SERVICE_IDENTITY } from "./workflow/close.js";
import { completeWorkflowTask, failWorkflowTask } from "./workflow/complete-workflow-task.js";
import { Context, Need, type Run, Stale } from "./workflow/context.js";
import { describe, historyPosition } from "./workflow/describe.js";
import { dueClockOf, dueNow, realNow } from "./workflow/execution-clock.js";
import { endOversized, refuseLargeTransaction } from "./workflow/execution-limits.js";
import { type RunState, TASK_SPECULATIVE } from "./workflow/mutable-state.js";
import { updateOptions } from "./workflow/options.js";
import { pauseWorkflow, unpauseWorkflow } from "./workflow/pause.js";
import { directReply, dropQuery, query } from "./workflow/query.js";
import { reset } from "./workflow/reset.js";
import { addressed, addressedOpen, requestCancel, signal, terminate } from "./workflow/signal.js";
import { scheduleFirstTask, signalWithStart, start } from "./workflow/start.js";
import { skipTime, timeSkippingState } from "./workflow/time-skipping.js";
import { fireDue, settleDue } from "./workflow/timers.js";
import { updateWithStart } from "./workflow/update/multi-operation.js";
import { settleUpdates } from "./workflow/update/registry.js";
import { endUpdateWait, pollUpdate, update } from "./workflow/update/update.js";
import { visibilityRow } from "./workflow/visibility.js";
import {
  clearSticky,
  failTask,
  isTaskRunning,
  offerAgain,
  scheduleWorkflowTask,
  settleSpeculative,
  startWorkflowTask,
  timeOutTask,
} from "./workflow/workflow-task.js";

/** The runs of one workflow id that are in memory. */
export interface Chain extends ExecutionChain {
  current(): RunState | undefined;
  run(runId: string): RunState | undefined;
  /** Whether the run is known not to exist. */
  isMissing(runId: string): boolean;
}

type Handlers = { [K in WorkflowInputKind]: (ctx: Context, address: ExecutionAddress, input: InputOf<K>) => Replies[K] | undefined };

/** A caller that names an activity of a workflow that has ended gets NotFound, like one that names none. */
function activityRun(ctx: Context, address: ExecutionAddress): Run {
  return addressedOpen(ctx, address);
}

/** Inputs without a caller: what they concern may be gone. */
function matchedRun(ctx: Context, address: ExecutionAddress): Run {
  const state = address.runId === "" ? ctx.chain.current() : ctx.chain.run(address.runId);
  if (state === undefined || !state.isOpen) throw new Stale();
  return ctx.open(state);
}

const HANDLERS: Handlers = {
  start,
  signalWithStart,
  signal,
  requestCancel,
  terminate,
  delete: (ctx, address) => {
    const state = addressed(ctx, address);
    const run = ctx.open(state);
    run.draft.removed = true;
    run.draft.dirty = true;
    return { runId: state.info.runId };
  },
  describe,
  historyPosition,
  query,
  timeSkippingState,
  dropQuery,
  update,
  pollUpdate,
  endUpdateWait,
  updateWithStart,
  resetSticky: (ctx, address) => {
    const state = addressed(ctx, address);
    if (!state.isOpen) throw notFound("workflow execution already completed");
    clearSticky(ctx.open(state).draft);
    return undefined;
  },
  startWorkflowTask: (ctx, address, input) =>
    startWorkflowTask(matchedRun(ctx, address), input.scheduledEventId, input.attempt, input.stamp, input.poller),
  completeWorkflowTask,
  failWorkflowTask,
  startActivity: (ctx, address, input) =>
    activity.startActivity(matchedRun(ctx, address), input.scheduledEventId, input.attempt, input.stamp, input.poller),
  heartbeatActivity: (ctx, address, input) => activity.heartbeat(activityRun(ctx, address), input.activity, input.details),
  completeActivity: (ctx, address, input) => {
    activity.complete(activityRun(ctx, address), input.activity, input.result, input.identity);
    return {};
  },
  failActivity: (ctx, address, input) => {
    activity.fail(activityRun(ctx, address), input.activity, input.failure, input.lastHeartbeatDetails, input.identity);
    return undefined;
  },
  cancelActivity: (ctx, address, input) => {
    activity.cancel(activityRun(ctx, address), input.activity, input.details, input.identity);
    return undefined;
  },
  undelivered: (ctx, address, input) => {
    const run = matchedRun(ctx, address);
    if (input.task === "activity") {
      activity.undelivered(run, input.scheduledEventId, input.nonce);
      return undefined;
    }
    const task = run.info.workflowTask;
    if (task === undefined || task.startedEventId === 0 || task.scheduledEventId !== input.scheduledEventId || task.nonce !== input.nonce)
      throw new Stale();
    if (task.type === TASK_SPECULATIVE) {
      offerAgain(run);
      return undefined;
    }
    timeOutTask(run);
    scheduleWorkflowTask(run);
    return undefined;
  },
  due: (ctx, address) => {
    const state = address.runId === "" ? ctx.chain.current() : ctx.chain.run(address.runId);
    if (state === undefined) throw new Stale();
    const run = ctx.open(state);
    // Of a closed run, callbacks and the end of its retention are left.
    if (!state.isOpen && state.info.deleteAt > 0 && state.info.deleteAt <= realNow(ctx.env) && state.info.pendingTransfers === 0) {
      run.draft.removed = true;
      run.draft.dirty = true;
      return undefined;
    }
    if (!state.isOpen && run.draft.hasCallbacks) fireCallbacksDue(run);
    else fireDue(run);
    return undefined;
  },
  isTransferAwaited: child.isTransferAwaited,
  childStarted: child.childStarted,
  childStartFailed: child.childStartFailed,
  childClosed: child.childClosed,
  externalSignaled: child.externalSignaled,
  externalCancelRequested: child.externalCancelRequested,
  transferDone: (ctx, address, input) => {
    ctx.open(addressed(ctx, address)).transferDone(input.transferId);
    return undefined;
  },
  scheduleFirstTask: (ctx, address) => {
    scheduleFirstTask(ctx, addressed(ctx, address));
    return undefined;
  },
  reset,
  pauseWorkflow,
  unpauseWorkflow,
  updateOptions,
  pauseActivity: (ctx, address, input) => operator.pauseActivity(addressedOpen(ctx, address), input.request),
  unpauseActivity: (ctx, address, input) => operator.unpauseActivity(addressedOpen(ctx, address), input.request),
  resetActivity: (ctx, address, input) => operator.resetActivity(addressedOpen(ctx, address), input.request),
  updateActivityOptions: (ctx, address, input) => operator.updateActivityOptions(addressed(ctx, address), ctx, input.request),
  triggerRule: (ctx, address, input) => triggerRule(addressedOpen(ctx, address), input.spec),
  refreshTasks,
  rebuild,
  dropTimers,
  importRun,
  nexusCall,
  nexusStarted,
  nexusCancelRequested,
  nexusCompleted,
  callbackCall,
  callbackDelivered,
  workerCommands,
};

/** Ends the transition of one run: what waits gets its ids or its rows, due row, visibility row. */
function finish(run: Run, input: Input): void {
  const { draft } = run;
  if (draft.removed) return;
  if (draft.updates.length > 0) settleUpdates(run);
  const { due, dueClock } = draft.base.info;
  const { env } = run.ctx;
  // A row of another clock, or one that is asked to be exact, moves even if nothing is due.
  const fired = input.kind === "due" && due > 0 && (due <= dueNow(env, dueClock) || dueClock !== dueClockOf(env, draft) || input.settle === true);
  if (!draft.dirty && !fired) return;
  if (draft.info.workflowTask?.type === TASK_SPECULATIVE) settleSpeculative(run);
  const wasRunning = isTaskRunning(draft);
  if (!wasRunning) run.flushBuffered();
  enforceBufferLimits(run);
  if (draft.timeSkipping !== undefined) skipTime(run);
  run.events.finish(isTaskRunning(draft));
  const info = draft.info;
  // The end of a transfer is bookkeeping: nobody outside sees it.
  if (draft.dirty && input.kind !== "transferDone") {
    info.stateTransitionCount++;
    info.lastUpdateTime = run.now;
  }
  if (draft.queries.length > 0 && (!draft.isOpen || info.workflowTask === undefined)) {
    // Nothing is on its way to the worker any more: they are asked of it directly.
    for (const q of draft.queries) run.ctx.answers.push({ waiter: q.waiter, result: directReply(run) });
    draft.queries = [];
  }
  settleDue(run, fired);
  // What retention waited for is done.
  const real = realNow(env);
  if (input.kind === "transferDone" && !draft.isOpen && info.pendingTransfers === 0 && info.deleteAt > 0 && info.deleteAt <= real) info.due = real;
  if (info.due !== due || info.dueClock !== dueClock) draft.dirty = true;
  if (run.visibilityChanged) draft.visibility = visibilityRow(run);
  assert(info.workflowTask === undefined || draft.isOpen, "a closed run has no workflow task");
  assert(info.nextEventId > 1, "a run has its start event");
}

/** Too much waits for the running workflow task: it fails, and what waits is written (history.maximumBufferedEvents...). */
function enforceBufferLimits(run: Run): void {
  if (!isTaskRunning(run.draft) || !run.events.hasBuffered) return;
  const { limits } = run.ctx.env.config;
  if (run.events.bufferedCount <= limits.bufferedEventsMax && run.events.bufferedSizeBytes <= limits.bufferedEventsSizeBytesMax) return;
  failTask(run, WorkflowTaskFailedCause.FORCE_CLOSE_COMMAND, undefined, HISTORY_SERVICE_IDENTITY);
  run.flushBuffered();
  scheduleWorkflowTask(run);
}

export function apply<K extends InputKind>(
  chain: ExecutionChain,
  address: ExecutionAddress,
  input: InputOf<K>,
  env: Env,
  loaded: Loaded,
): Outcome<K> {
  if (address.archetype === Archetype.SCHEDULE) return applyToSchedule(chain, address, input, env);
  if (address.archetype === Archetype.ACTIVITY) return applyToActivity(chain, address, input, env);
  if (address.archetype === Archetype.NEXUS_OPERATION) return applyToNexusExecution(chain, address, input, env);
  const ctx = new Context(chain as Chain, env, loaded);
  try {
    const handler = HANDLERS[input.kind as WorkflowInputKind] as (
      ctx: Context,
      address: ExecutionAddress,
      input: InputOf<K>,
    ) => Replies[K] | undefined;
    const reply = handler(ctx, address, input);
    let refused = endOversized(ctx, input.kind) ?? ctx.refused;
    for (const run of ctx.runs) finish(run, input);
    if (refused === undefined) {
      refused = refuseLargeTransaction(ctx, input.kind);
      if (refused !== undefined) for (const run of ctx.runs) finish(run, input);
    }
    return {
      outcome: "accepted",
      runs: ctx.runs.map((r) => r.draft),
      reply: refused === undefined ? reply : undefined,
      refused,
      deferred: ctx.deferred,
      answers: ctx.answers,
      dispatch: ctx.dispatch,
      transfers: ctx.runs.flatMap((r) => r.draft.transfers),
    };
  } catch (e) {
    if (e instanceof ServiceError) return { outcome: "error", error: e };
    if (e instanceof Stale) return { outcome: "stale" };
    if (e instanceof Need) return e.need;
    throw e;
  }
}
