/**
 * Time skipping of one execution (TimeSkippingConfig). When a transition leaves nothing in flight, the execution's clock goes to
 * its next deadline at once, by an event of the same transition; what is due then fires as any timer does. A fast-forward is a
 * target beyond which nothing is skipped; a session counts its skips and ends at the cap.
 * Behaviour: service/history/workflow/timeskipping.go of the official server.
 */
import { TimeSkippingRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { TimeSkippingConfig, TimeSkippingStatePropagation } from "../../../gen/wire/temporal/api/common/v1/message.js";
import {
  NexusOperationCancellationState as CancelState,
  PendingNexusOperationState as NexusState,
} from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type {
  HistoryEvent,
  WorkflowExecutionOptionsUpdatedEventAttributes,
  WorkflowExecutionTimeSkippingTransitionedEventAttributes,
} from "../../../gen/wire/temporal/api/history/v1/message.js";
import { duration, durationMicros, timestamp, timestampMicros, timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { callbacksInFlight } from "../callback/statemachine.js";
import type { ExecutionAddress } from "../input.js";
import type { Replies } from "../transition.js";
import type { Context, Run } from "./context.js";
import type { EventExtra } from "./event-factory.js";
import { clockIdOf, REAL_CLOCK, realNow } from "./execution-clock.js";
import type { RunDraft } from "./mutable-state.js";
import { addressed } from "./signal.js";

/** What a start event or an update of the options makes of the clock. `before`: the clock as it is; its base stays. */
export function configured(
  before: TimeSkippingRecord | undefined,
  config: TimeSkippingConfig | undefined,
  inherited: TimeSkippingStatePropagation | undefined,
  now: number,
): TimeSkippingRecord {
  const forward = durationMicros(config?.fastForwardConfig?.duration);
  const isForwarding = config?.enabled === true && forward > 0;
  return TimeSkippingRecord.create({
    config,
    skipped: inherited === undefined ? (before?.skipped ?? 0) : durationMicros(inherited.initialSkippedDuration),
    base: before?.base ?? 0,
    skipCount: inherited?.initialSkipCount ?? 0,
    fastForwardTarget: isForwarding ? timestampMicros(inherited?.fastForwardTargetTime) || now + forward : 0,
  });
}

/** Whether a run that starts with these has a clock of its own. */
export function hasOwnClock(config: TimeSkippingConfig | undefined, inherited: TimeSkippingStatePropagation | undefined): boolean {
  return config !== undefined || durationMicros(inherited?.initialSkippedDuration) > 0;
}

/** The effect of WorkflowExecutionTimeSkippingTransitioned. */
export function transitioned(
  own: TimeSkippingRecord,
  event: WorkflowExecutionTimeSkippingTransitionedEventAttributes,
  eventTime: number,
): TimeSkippingRecord {
  const target = timestampMicros(event.targetTime);
  const skipCount = own.skipCount + 1;
  const isReached = event.disabledAfterFastForward && own.fastForwardTarget > 0;
  const ends = isReached || skipCount >= (own.config?.maxSessionSkipCount ?? 0);
  return TimeSkippingRecord.copy(own, {
    config: ends && own.config !== undefined ? { ...own.config, enabled: false } : own.config,
    skipped: target === 0 ? own.skipped : own.skipped + target - eventTime,
    skipCount,
    fastForwardReached: own.fastForwardReached || isReached,
  });
}

export function isEnabled(own: TimeSkippingRecord | undefined): boolean {
  return own?.config?.enabled === true;
}

/** End of the fast-forward that is still to come; 0 is none. */
export function pendingFastForward(own: TimeSkippingRecord | undefined): number {
  return own !== undefined && isEnabled(own) && !own.fastForwardReached ? own.fastForwardTarget : 0;
}

/** Pieces of work whose end is not a matter of time: while there is any, a clock may not skip. An activity in backoff waits for time only. */
export function workInFlight(draft: RunDraft, now: number): number {
  let n = draft.externalSignals.size + draft.externalCancels.size;
  if (draft.info.workflowTask !== undefined) n++;
  for (const a of draft.activities.values()) if (a.paused || !a.waitsForRetry || a.attemptScheduledTime <= now) n++;
  for (const u of draft.updates) if (u.state !== "accepted") n++;
  // One that has started waits for time as its handler does.
  if (draft.hasNexusOperations)
    for (const op of draft.nexusOperations.values()) {
      if (op.state === NexusState.SCHEDULED) n++;
      if (op.cancellation?.state === CancelState.SCHEDULED) n++;
    }
  return n;
}

/** For how much of it the clock that the execution follows with others has to wait. */
export function blocksClock(draft: RunDraft, now: number, sharesClock: (namespaceId: string) => boolean): number {
  const transfers = draft.info.pendingTransfers + (draft.hasCallbacks ? callbacksInFlight(draft) : 0);
  if (!draft.isOpen || draft.timeSkipping !== undefined) return transfers;
  let n = transfers + draft.queries.length + workInFlight(draft, now);
  if (draft.info.status === WorkflowExecutionStatus.PAUSED) n++;
  // A child on the same clock waits for time as its parent does.
  for (const c of draft.children.values()) if (c.startedEventId === 0 || !sharesClock(c.namespaceId)) n++;
  return n;
}

/** Where the execution's clock may go now; undefined when it has to stay. */
function nextSkip(run: Run): { target: number; endsFastForward: boolean; reason: string } | undefined {
  const { draft, now } = run;
  const { info } = draft;
  if (!isEnabled(draft.timeSkipping) || info.status !== WorkflowExecutionStatus.RUNNING) return undefined;
  if (workInFlight(draft, now) > 0 || draft.children.size > 0 || (draft.hasNexusOperations && draft.nexusOperations.size > 0)) return undefined;
  let target = Number.POSITIVE_INFINITY;
  let reason = "";
  const at = (time: number, what: string): void => {
    if (time >= target || time === 0) return;
    target = time;
    reason = what;
  };
  for (const t of draft.timers.values()) at(t.fireTime, "timer");
  for (const a of draft.activities.values()) at(a.attemptScheduledTime, "activity retry");
  if (!info.firstTaskScheduled) at(info.firstTaskBackoffUntil, "first workflow task");
  else {
    // Before its first workflow task a run may only look idle.
    at(info.runDeadline, "run timeout");
    at(info.executionDeadline, "execution timeout");
  }
  // It fires before anything else: what is behind it must not come first, and there is nothing to skip to it.
  if (target <= now) return undefined;
  const forward = pendingFastForward(draft.timeSkipping);
  const endsFastForward = forward > 0 && target >= forward;
  if (endsFastForward) return { target: forward > now ? forward : 0, endsFastForward, reason: "fast-forward" };
  return Number.isFinite(target) ? { target, endsFastForward, reason } : undefined;
}

/** An event of its options that gives the run a clock of its own: it goes on from the one that it has followed. */
export function addOptionsEvent(run: Run, attributes: Init<WorkflowExecutionOptionsUpdatedEventAttributes>, extra: EventExtra = {}): HistoryEvent {
  const { draft } = run;
  const hadOwn = draft.timeSkipping !== undefined;
  const event = run.add(EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED, "workflowExecutionOptionsUpdatedEventAttributes", attributes, {
    ...extra,
    workerMayIgnore: true,
  });
  if (!hadOwn && draft.timeSkipping !== undefined)
    draft.timeSkipping = TimeSkippingRecord.copy(draft.timeSkipping, { base: run.ctx.env.clock?.offset ?? 0 });
  return event;
}

/** At the end of a transition: lets the clock go on when nothing else can. */
export function skipTime(run: Run): void {
  const { draft } = run;
  const skip = nextSkip(run);
  if (skip === undefined) return;
  const from = run.now;
  addTransition(run, skip.target, skip.endsFastForward);
  draft.skip = { from, to: run.now, reason: skip.reason };
}

/** The fast-forward's time has come, whatever is in flight. */
export function endFastForward(run: Run): boolean {
  const target = pendingFastForward(run.draft.timeSkipping);
  if (target === 0 || target > run.now) return false;
  addTransition(run, 0, true);
  return true;
}

function addTransition(run: Run, target: number, disabledAfterFastForward: boolean): void {
  run.add(
    EventType.WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
    "workflowExecutionTimeSkippingTransitionedEventAttributes",
    { targetTime: timestamp(target), disabledAfterFastForward, wallClockTime: timestampOf(realNow(run.ctx.env)) },
    { workerMayIgnore: true },
  );
}

export interface InheritedClock {
  readonly timeSkippingConfig: TimeSkippingConfig | undefined;
  readonly timeSkippingStatePropagation: TimeSkippingStatePropagation | undefined;
}

const NOTHING_INHERITED: InheritedClock = { timeSkippingConfig: undefined, timeSkippingStatePropagation: undefined };

/** An execution that is not to skip stays so with what follows from it, where its namespace's clock would skip. */
function keptOff(run: Run, own: TimeSkippingRecord): TimeSkippingConfig | undefined {
  return clockIdOf(run.ctx.env) === REAL_CLOCK || own.config?.enabled !== false ? undefined : own.config;
}

/** The next run of a chain goes on with the same time, fast-forward and session. */
export function clockOfNextRun(run: Run): InheritedClock {
  const own = run.draft.timeSkipping;
  if (own === undefined) return NOTHING_INHERITED;
  const enabled = isEnabled(own);
  const forward = pendingFastForward(own);
  const skipCount = enabled ? own.skipCount : 0;
  return {
    timeSkippingConfig: enabled ? own.config : keptOff(run, own),
    timeSkippingStatePropagation:
      own.skipped > 0 || forward > 0 || skipCount > 0
        ? TimeSkippingStatePropagation.create({
            initialSkippedDuration: own.skipped > 0 ? duration(own.skipped) : undefined,
            fastForwardTargetTime: timestamp(forward),
            initialSkipCount: skipCount,
          })
        : undefined,
  };
}

/** A child begins at its parent's time, with a session of its own and no fast-forward. */
export function clockOfChild(run: Run): InheritedClock {
  const own = run.draft.timeSkipping;
  if (own === undefined) return NOTHING_INHERITED;
  const passesOn = isEnabled(own) && own.config?.disablePropagation !== true;
  return {
    timeSkippingConfig: passesOn
      ? TimeSkippingConfig.create({ enabled: true, maxSessionSkipCount: own.config?.maxSessionSkipCount ?? 0 })
      : keptOff(run, own),
    timeSkippingStatePropagation:
      own.skipped > 0 ? TimeSkippingStatePropagation.create({ initialSkippedDuration: duration(own.skipped) }) : undefined,
  };
}

/** For PollWorkflowExecutionTimeSkipping. */
export function timeSkippingState(ctx: Context, address: ExecutionAddress): Replies["timeSkippingState"] {
  const state = addressed(ctx, address);
  const own = state.timeSkipping;
  const forward = own?.config?.fastForwardConfig;
  return {
    runId: state.info.runId,
    newRunId: state.info.newRunId,
    isOpen: state.isOpen,
    runKey: state.key,
    transitions: state.info.stateTransitionCount,
    isEnabled: isEnabled(own),
    fastForward:
      own === undefined || own.fastForwardTarget === 0
        ? undefined
        : {
            fastForwardDuration: forward?.duration,
            fastForwardId: forward?.id ?? "",
            targetTime: timestamp(own.fastForwardTarget),
            hasCompleted: own.fastForwardReached,
          },
  };
}
