/**
 * Deadlines of a run. The due row holds a lower bound of the earliest one: it moves earlier at once and later only when it
 * fires. A timer means "not before": whatever is due is checked against the state when it fires.
 */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import {
  ContinueAsNewInitiator,
  RetryState,
  type TimeoutType,
  TimeoutType as TimeoutTypes,
} from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { activityDeadlines, endBackoff, timeOut, timeoutOrder } from "../activity/statemachine.js";
import { earliestCallback, fireCallbacksDue } from "../callback/statemachine.js";
import { deadlines } from "../nexus-operation/deadlines.js";
import { fireNexusDue } from "../nexus-operation/statemachine.js";
import { timeOutRun } from "./close.js";
import type { Run } from "./context.js";
import { aheadOf, dueClockOf, REAL_CLOCK, realNow } from "./execution-clock.js";
import { type RunDraft, TASK_SPECULATIVE } from "./mutable-state.js";
import { beginNextRun, cronDelay, nextRunOf } from "./next-run.js";
import { workflowRetry } from "./retry-and-cron.js";
import { wakeWorkflow } from "./signal.js";
import { endFastForward, pendingFastForward } from "./time-skipping.js";
import { scheduleWorkflowTask, timeOutStickySchedule, timeOutTask } from "./workflow-task.js";

/** The exact earliest deadline; 0 is none. Looks at everything pending: only for a due row that has fired. */
export function earliestDeadline(draft: RunDraft): number {
  const info = draft.info;
  let earliest = Number.POSITIVE_INFINITY;
  const at = (time: number) => {
    if (time > 0 && time < earliest) earliest = time;
  };
  if (!draft.isOpen) {
    at(info.deleteAt);
    if (draft.hasCallbacks) at(earliestCallback(draft));
    return Number.isFinite(earliest) ? earliest : 0;
  }
  at(info.runDeadline);
  at(info.firstTaskBackoffUntil);
  const task = info.workflowTask;
  // A speculative one has a timer in memory.
  if (task !== undefined && task.type !== TASK_SPECULATIVE)
    at(task.startedEventId === 0 ? task.scheduleToStartDeadline : task.startedTime + task.timeout);
  for (const t of draft.timers.values()) at(t.fireTime);
  for (const a of draft.activities.values()) for (const d of activityDeadlines(a)) at(d.time);
  if (draft.hasNexusOperations) for (const op of draft.nexusOperations.values()) for (const d of deadlines(op)) at(d.time);
  if (draft.hasCallbacks) at(earliestCallback(draft));
  at(pendingFastForward(draft.timeSkipping));
  return Number.isFinite(earliest) ? earliest : 0;
}

/** The exact deadline in the clock of the due row; 0 is none. */
export function dueOf(draft: RunDraft): number {
  const earliest = earliestDeadline(draft);
  return earliest === 0 || draft.timeSkipping === undefined || !draft.isOpen ? earliest : earliest - aheadOf(draft.timeSkipping);
}

/** What the earliest deadline is of: for the log. */
export function deadlineName(draft: RunDraft): string {
  const at = earliestDeadline(draft);
  const { info } = draft;
  if (!draft.isOpen) return "retention";
  if (info.firstTaskBackoffUntil === at) return "first workflow task";
  for (const t of draft.timers.values()) if (t.fireTime === at) return "timer";
  for (const a of draft.activities.values())
    for (const d of activityDeadlines(a)) if (d.time === at) return d.type === undefined ? "activity retry" : "activity timeout";
  return info.runDeadline === at ? "run timeout" : "workflow task timeout";
}

/** Runs what is due. Answers false when nothing was. */
export function fireDue(run: Run): boolean {
  const { draft, now } = run;
  const info = draft.info;
  if (!run.isOpen) return false;
  if (info.runDeadline > 0 && info.runDeadline <= now) {
    timeOutWorkflow(run);
    return true;
  }
  let fired = false;
  if (info.firstTaskBackoffUntil > 0 && info.firstTaskBackoffUntil <= now) {
    info.firstTaskBackoffUntil = 0;
    draft.dirty = true;
    scheduleWorkflowTask(run);
    fired = true;
  }
  const task = info.workflowTask;
  if (task !== undefined) {
    if (task.startedEventId !== 0 && task.startedTime + task.timeout <= now) {
      timeOutTask(run);
      scheduleWorkflowTask(run);
      fired = true;
    } else if (task.startedEventId === 0 && task.scheduleToStartDeadline > 0 && task.scheduleToStartDeadline <= now) {
      timeOutStickySchedule(run);
      scheduleWorkflowTask(run);
      fired = true;
    }
  }
  const timers = [...draft.timers.values()]
    .filter((t) => t.fireTime <= now)
    .sort((a, b) => a.fireTime - b.fireTime || a.startedEventId - b.startedEventId);
  for (const t of timers) {
    run.add(EventType.TIMER_FIRED, "timerFiredEventAttributes", { timerId: t.timerId, startedEventId: t.startedEventId });
    fired = true;
  }
  const activities: { time: number; type: TimeoutType | undefined; id: number; attempt: number }[] = [];
  for (const a of draft.activities.values())
    for (const d of activityDeadlines(a)) if (d.time > 0 && d.time <= now) activities.push({ ...d, id: a.scheduledEventId, attempt: a.attempt });
  activities.sort((a, b) => a.time - b.time || a.id - b.id || timeoutOrder(a.type) - timeoutOrder(b.type));
  for (const due of activities) {
    const a = draft.activities.get(due.id);
    if (a === undefined || a.attempt !== due.attempt) continue;
    if (due.type === undefined) endBackoff(run, a);
    else timeOut(run, a, due.type);
    fired = true;
  }
  if (draft.hasNexusOperations && fireNexusDue(run)) fired = true;
  if (draft.hasCallbacks && fireCallbacksDue(run)) fired = true;
  if (timers.length > 0) wakeWorkflow(run);
  if (draft.timeSkipping !== undefined && endFastForward(run)) fired = true;
  return fired;
}

/** The run's time is over: like a failure, its policy may try again. The time of the chain is the end. */
function timeOutWorkflow(run: Run): void {
  const info = run.info;
  const failure = Failure.create({
    message: "workflow timeout",
    source: "Server",
    failureInfo: { case: "timeoutFailureInfo", value: { timeoutType: TimeoutTypes.START_TO_CLOSE } },
  });
  if (info.executionDeadline > 0 && info.executionDeadline <= run.now) {
    timeOutRun(run, RetryState.TIMEOUT, "");
    return;
  }
  const retry = workflowRetry(run.draft, run.now, failure);
  let next: Parameters<typeof nextRunOf>[1] | undefined;
  if (retry.state === RetryState.IN_PROGRESS)
    next = { initiator: ContinueAsNewInitiator.RETRY, delay: retry.delay ?? 0, lastCompletionResult: "kept", failure };
  else {
    const delay = cronDelay(run);
    if (delay !== undefined) next = { initiator: ContinueAsNewInitiator.CRON_SCHEDULE, delay, lastCompletionResult: "kept", failure };
  }
  if (next === undefined) {
    timeOutRun(run, retry.state, "");
    return;
  }
  const newRun = nextRunOf(run, next);
  timeOutRun(run, retry.state, run.ctx.env.newRunId);
  beginNextRun(run, newRun);
}

const RETENTION_RETRY_MICROS = 10_000_000;

/** When a closed run that is still there is to be looked at: if its retention is over, it waits for a transfer, and asks seldom. */
function dueOfWaiting(run: Run): number {
  const { draft } = run;
  const real = realNow(run.ctx.env);
  const { deleteAt } = draft.info;
  const retention = deleteAt > 0 && deleteAt <= real ? real + RETENTION_RETRY_MICROS : deleteAt;
  const callback = draft.hasCallbacks ? earliestCallback(draft) : 0;
  return callback > 0 && (retention === 0 || callback < retention) ? callback : retention;
}

/** Sets the due row at the end of a transition. `fired`: the old row has fired, so the bound is computed anew. */
export function settleDue(run: Run, fired: boolean): void {
  const info = run.info;
  // At its end a run has one deadline left. Moving the row now spares a later visit, which would load the run for nothing.
  const hasClosed = !run.draft.isOpen && (run.draft.isNew || run.draft.base.isOpen);
  // A closed run has real deadlines only.
  const own = run.draft.isOpen ? run.draft.timeSkipping : undefined;
  // An own clock that has moved has moved the deadline in the row's clock.
  const isShifted = own !== undefined && own !== run.draft.base.timeSkipping;
  if (fired && !run.draft.isOpen) info.due = dueOfWaiting(run);
  else if (fired || hasClosed || isShifted) {
    info.due = dueOf(run.draft);
    // The row that has fired is not waited for again: what comes next may be due at the same moment, now that time was skipped to it.
    if (fired && isShifted && info.due > 0 && info.due === run.draft.base.info.due) info.due++;
  } else {
    const earliest = run.earliestDeadline - (own === undefined || run.earliestDeadline === 0 ? 0 : aheadOf(own));
    if (earliest > 0 && (info.due === 0 || earliest < info.due)) info.due = earliest;
  }
  info.dueClock = info.due === 0 ? REAL_CLOCK : dueClockOf(run.ctx.env, run.draft);
}
