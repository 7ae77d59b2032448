/**
 * What must hold of a simulated server's disk: at any moment of every run by itself (checkRun), and at the end of all of them
 * together with what callers were told (checkAll).
 */
import { createHash } from "node:crypto";
import { ExecutionHeader } from "../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowExecutionStatus } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../src/api/wire.js";
import { Archetype } from "../../src/core/execution.js";
import { RunDraft, RunState } from "../../src/core/workflow/mutable-state.js";
import { project, replay } from "../../src/core/workflow/replay.js";
import { earliestDeadline } from "../../src/core/workflow/timers.js";
import { DIVISION_ID } from "../../src/persistence/sqlite/visibility.js";
import type { VisibilityRow } from "../../src/persistence/visibility.js";
import { decodeEvents, timeOf } from "./decode-events.js";
import { externalPayloadsOf } from "./external-payloads.js";
import { endOfOperation } from "./nexus.js";
import type { Disk } from "./sim-store.js";
import { aheadBy, checkSkips } from "./time.js";
import { type Acknowledged, isUntroubled, type Swarm } from "./world.js";

type Problem = (text: string) => void;

const NONE: ReadonlySet<string> = new Set();

/** Activities and operations have 300 s in all. */
const WHOLE_MICROS = 290_000_000;

export interface Run {
  readonly where: string;
  readonly state: RunState;
  readonly events: readonly HistoryEvent[];
}

export const isWorkflow = (row: VisibilityRow): boolean => !row.attributes.some((a) => a.id === DIVISION_ID);

/** Undefined for what is no workflow. */
export async function loadRun(disk: Disk, key: number): Promise<RunState | undefined> {
  const rows = await disk.inner.loadExecution(key);
  if (rows === undefined || decode(ExecutionHeader, rows.record).archetype !== Archetype.WORKFLOW) return undefined;
  return RunState.load(rows.key, rows.record, rows.live);
}

/** History, state, visibility row and due row of one run say the same. */
export async function checkRun(
  disk: Disk,
  key: number,
  now: number,
  problem: Problem,
  withoutTimers: ReadonlySet<string> = NONE,
): Promise<Run | undefined> {
  const state = await loadRun(disk, key);
  if (state === undefined) return undefined;
  const { info } = state;
  const where = `${info.workflowId} ${info.runId}`;
  const events: HistoryEvent[] = [];
  for (const s of [...info.segments, { branch: info.branch, endEventId: Number.MAX_SAFE_INTEGER }]) {
    const rows = await disk.inner.readHistory(s.branch, events.length + 1, s.endEventId, false, Number.MAX_SAFE_INTEGER);
    for (const e of rows.flatMap((r) => decodeEvents(r.data))) if (e.eventId > events.length && e.eventId < s.endEventId) events.push(e);
  }
  const gap = events.findIndex((e, i) => e.eventId !== i + 1);
  if (gap >= 0) problem(`${where}: event ${gap + 1} has id ${events[gap]?.eventId}`);
  const ahead = aheadBy(events);
  const future = events.find((e) => timeOf(e) > now + ahead);
  if (future !== undefined) problem(`${where}: event ${future.eventId} is of a time that has not come`);
  if (events.length !== info.nextEventId - 1) problem(`${where}: has ${events.length} events, knows of ${info.nextEventId - 1}`);
  const external = externalPayloadsOf(events);
  if (external.count !== info.externalPayloadCount || external.sizeBytes !== info.externalPayloadSizeBytes)
    problem(
      `${where}: has ${external.count} external payloads of ${external.sizeBytes} bytes, counted ${info.externalPayloadCount} of ${info.externalPayloadSizeBytes}`,
    );
  const buffered = [...state.buffered.base.values()].sort((a, b) => a.rowId - b.rowId).flatMap((b) => b.events);
  const stored = JSON.stringify(project(state));
  const replayed = replayOf(events, buffered, state);
  if (stored !== replayed) problem(`${where}: replay differs\n stored   ${stored}\n replayed ${replayed}`);
  const row = disk.visibility.get(key);
  if (row === undefined) problem(`${where}: not listed`);
  else if (row.status !== info.status || row.closeTime !== info.closeTime) problem(`${where}: listed as ${row.status}, is ${info.status}`);
  // A clock of its own is kept by its due row in real time.
  const earliest = earliestDeadline(new RunDraft(state, false)) - (state.isOpen ? ahead : 0);
  // What was skipped to at the moment of a row that has fired has the row after it.
  const latest = earliest + (ahead > 0 ? 1 : 0);
  if (earliest > 0 && (info.due === 0 || info.due > latest) && !withoutTimers.has(info.runId))
    problem(`${where}: due at ${info.due}, has a deadline at ${earliest}`);
  if (info.due > 0 && !disk.dues.has(`${key}/${info.due}`)) problem(`${where}: no due row at ${info.due}`);
  const found = await disk.inner.findRun({ namespaceKey: row?.namespaceKey ?? 1, workflowId: info.workflowId, runId: info.runId });
  if (found?.key !== key) problem(`${where}: not found by its name`);
  return { where, state, events };
}

/** What the events give; or why they give nothing. */
function replayOf(events: readonly HistoryEvent[], buffered: readonly HistoryEvent[], state: RunState): string {
  try {
    return JSON.stringify(project(replay(events, buffered, state)));
  } catch (e) {
    return String(e);
  }
}

export interface Summary {
  readonly digest: string;
  readonly runs: number;
  readonly runsById: ReadonlyMap<string, Run>;
  /** Runs of each chain, by workflow id and first run. */
  readonly chains: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly events: ReadonlyMap<string, number>;
}

/** Everything at the end of a run, when all that was open has ended. */
export async function checkAll(
  disk: Disk,
  acknowledged: Acknowledged,
  swarm: Swarm,
  now: number,
  /** How other executions than workflows have ended: part of the digest. */
  endings: readonly string[],
  problem: Problem,
  count: (what: string) => void,
): Promise<Summary> {
  const hash = createHash("sha256").update(endings.join("\n"));
  const runs = new Map<string, Run>();
  const counts = new Map<string, number>();
  for (const key of await disk.executionKeys()) {
    const run = await checkRun(disk, key, now, problem);
    if (run === undefined) {
      problem(`execution ${key} is left, and no workflow`);
      continue;
    }
    runs.set(run.state.info.runId, run);
    for (const e of run.events) {
      const name = EventType[e.eventType] ?? "";
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    checkOnce(run, problem);
    const isHeldUp = acknowledged.heldUp.has(run.state.info.runId);
    checkTimers(run, swarm, isHeldUp, problem);
    // A task that came with an imported history is nobody's.
    if (!isHeldUp) checkDelivered(run, swarm, problem);
    // What waits for somebody outside may be skipped over.
    if (!swarm.testClock && !isHeldUp) checkHeldBack(run, problem);
    checkSkips(run, now, problem, count);
    hash.update(`${run.where} ${run.state.info.status} ${run.events.map((e) => e.eventType).join(",")}\n`);
  }
  const { rows } = await disk.inner.visibility.list({ namespaceKey: 1, filter: undefined, orderBy: [] }, 1_000_000, undefined);
  for (const r of rows) if (!runs.has(r.runId)) problem(`${r.workflowId} ${r.runId} is listed and does not exist`);
  if (rows.length !== runs.size) problem(`${rows.length} runs are listed, ${runs.size} exist`);
  checkAcknowledged(runs, acknowledged, problem);
  checkRequestsOnce(runs, problem);
  checkAcross(runs, acknowledged, problem);
  checkUpdates(runs, acknowledged, problem);
  checkOperations(runs, acknowledged, problem);
  checkResets(runs, acknowledged, problem);
  const chains = new Map<string, Map<string, number>>();
  for (const { state } of runs.values()) {
    const { workflowId, firstRunId } = state.info;
    const chain = chains.get(workflowId) ?? new Map<string, number>();
    chains.set(workflowId, chain.set(firstRunId, (chain.get(firstRunId) ?? 0) + 1));
  }
  return { digest: hash.digest("hex").slice(0, 16), runs: runs.size, runsById: runs, chains, events: counts };
}

/** Events that waited when a run was ended from outside are dropped with it, as on the official server. */
function lostItsBuffer(run: Run): boolean {
  const last = run.events.at(-1)?.eventType;
  return (
    last === EventType.WORKFLOW_EXECUTION_TERMINATED ||
    last === EventType.WORKFLOW_EXECUTION_TIMED_OUT ||
    last === EventType.WORKFLOW_EXECUTION_CANCELED
  );
}

/** Nothing that a caller was told is lost. */
function checkAcknowledged(runs: ReadonlyMap<string, Run>, a: Acknowledged, problem: Problem): void {
  /** Undefined when the run was deleted, which is no loss. */
  const of = (runId: string, what: string): Run | undefined => {
    const run = runs.get(runId);
    if (run === undefined && !a.deleted.has(runId)) problem(`${what} was acknowledged by ${runId}, which is lost`);
    return run;
  };
  for (const [requestId, runId] of a.starts) of(runId, `start ${requestId}`);
  const signalsOf = (run: Run, requestId: string): HistoryEvent[] =>
    run.events.filter((e) => e.attributes.case === "workflowExecutionSignaledEventAttributes" && e.attributes.value.requestId === requestId);
  for (const { runId, requestId } of a.signals) {
    const run = of(runId, `signal ${requestId}`);
    // One that came again is answered by the run of the day, while its signal went to one before.
    const isThere = (r: Run): boolean =>
      (r.state.info.firstRunId === run?.state.info.firstRunId && signalsOf(r, requestId).length > 0) || a.deleted.has(r.state.info.firstRunId);
    if (run !== undefined && signalsOf(run, requestId).length === 0 && !lostItsBuffer(run) && ![...runs.values()].some(isThere))
      problem(`${run.where}: signal ${requestId} was acknowledged and is lost`);
  }
  for (const { runId, first, second } of a.signalOrder) {
    const run = runs.get(runId);
    if (run === undefined) continue;
    const [one, two] = [signalsOf(run, first)[0], signalsOf(run, second)[0]];
    if (one !== undefined && two !== undefined && one.eventId > two.eventId)
      problem(`${run.where}: signal ${second} was sent after the answer to ${first} and stands before it`);
  }
  for (const { runId, scheduledEventId, attempt } of a.activities) {
    const run = of(runId, `completion of activity ${scheduledEventId}`);
    if (run === undefined) continue;
    const done = run.events.find(
      (e) => e.attributes.case === "activityTaskCompletedEventAttributes" && e.attributes.value.scheduledEventId === scheduledEventId,
    );
    if (done === undefined) {
      if (!lostItsBuffer(run)) problem(`${run.where}: completion of activity ${scheduledEventId} was acknowledged and is lost`);
      continue;
    }
    const startedId = done.attributes.case === "activityTaskCompletedEventAttributes" ? done.attributes.value.startedEventId : 0;
    const started = run.events[startedId - 1]?.attributes;
    if (attempt > 0 && started?.case === "activityTaskStartedEventAttributes" && started.value.attempt !== attempt)
      problem(`${run.where}: activity ${scheduledEventId} was completed by attempt ${attempt}, while attempt ${started.value.attempt} ran`);
  }
  for (const { runId, scheduledEventId, identity } of a.workflowTasks) {
    const run = of(runId, `completion of workflow task ${scheduledEventId}`);
    if (run === undefined) continue;
    const done = run.events.some(
      (e) =>
        e.attributes.case === "workflowTaskCompletedEventAttributes" &&
        e.attributes.value.scheduledEventId === scheduledEventId &&
        e.attributes.value.identity === identity,
    );
    if (!done) problem(`${run.where}: completion of workflow task ${scheduledEventId} by ${identity} was acknowledged and is lost`);
  }
  for (const { runId, at } of a.cancels) {
    const run = of(runId, "a cancel request");
    if (run === undefined || run.events.some((e) => e.eventType === EventType.WORKFLOW_EXECUTION_CANCEL_REQUESTED)) continue;
    const end = run.events.at(-1);
    // One that finds the run closed has nothing to ask.
    if (!lostItsBuffer(run) && (run.state.isOpen || end === undefined || timeOf(end) - aheadBy(run.events) > at))
      problem(`${run.where}: a cancel request was acknowledged and is lost`);
  }
  for (const runId of a.terminated) {
    const run = of(runId, "a termination");
    if (run !== undefined && run.state.info.status !== WorkflowExecutionStatus.TERMINATED)
      problem(`${run.where}: was terminated and is ${run.state.info.status}`);
  }
}

/** The first run of the chain, or that which a reset has made since: it repeats what the run before it has. */
function beginningOf(runs: ReadonlyMap<string, Run>, run: Run): string {
  const { reset, runId, continuedRunId, firstRunId } = run.state.info;
  if (reset !== undefined) return runId;
  const before = runs.get(continuedRunId);
  return before === undefined ? firstRunId : beginningOf(runs, before);
}

/** A request that came several times has one effect: a start one run, a signal one event of its chain of runs. */
function checkRequestsOnce(runs: ReadonlyMap<string, Run>, problem: Problem): void {
  const last = new Map<string, { requestId: string; runId: string }>();
  /** By the run that the chain begins with. */
  const signals = new Map<string, Map<string, string>>();
  for (const run of runs.values()) {
    const { workflowId, runId, startRequestId } = run.state.info;
    const before = last.get(workflowId);
    if (before !== undefined && run.state.info.reset === undefined && startRequestId !== "" && before.requestId === startRequestId)
      problem(`${run.where}: start ${startRequestId} was applied twice in a row, before as ${before.runId}`);
    last.set(workflowId, { requestId: startRequestId, runId });
    const beginning = beginningOf(runs, run);
    const seen = signals.get(beginning) ?? new Map<string, string>();
    signals.set(beginning, seen);
    for (const { attributes: a } of run.events) {
      if (a.case !== "workflowExecutionSignaledEventAttributes" || a.value.requestId === "") continue;
      const other = seen.get(a.value.requestId);
      if (other !== undefined) problem(`${run.where}: signal ${a.value.requestId} is there twice, also in ${other}`);
      seen.set(a.value.requestId, runId);
    }
  }
}

/** What a workflow was told of another one is so. */
function checkAcross(runs: ReadonlyMap<string, Run>, acknowledged: Acknowledged, problem: Problem): void {
  const childStarts = new Map<string, string>();
  for (const run of runs.values()) {
    const first = run.events[0]?.attributes;
    if (first?.case !== "workflowExecutionStartedEventAttributes" || first.value.parentInitiatedEventId === 0) continue;
    if (first.value.continuedExecutionRunId !== "" || first.value.attempt > 1 || first.value.firstExecutionRunId !== run.state.info.runId) continue;
    const id = `${first.value.parentWorkflowExecution?.runId} ${first.value.parentInitiatedEventId}`;
    if (childStarts.has(id)) problem(`${run.where}: the parent's event ${id} has started ${childStarts.get(id)} too`);
    childStarts.set(id, run.where);
  }
  // What came with an imported history was done for another run.
  for (const run of runs.values())
    for (const { attributes: a } of run.events.slice(acknowledged.imports.get(run.state.info.runId) ?? 0)) {
      if (a.case === "childWorkflowExecutionStartedEventAttributes") {
        const childRunId = a.value.workflowExecution?.runId ?? "";
        if (!runs.has(childRunId) && !acknowledged.deleted.has(childRunId))
          problem(`${run.where}: was told of child ${childRunId}, which is not there`);
      }
      if (a.case === "externalWorkflowExecutionSignaledEventAttributes") {
        const target = a.value.workflowExecution?.workflowId;
        // What a reset has begun again has the event of the run before it, which it was that sent the signal.
        const senders = new Set(
          [...runs.values()]
            .filter((r) => r === run || (run.state.info.reset !== undefined && r.state.info.workflowId === run.state.info.workflowId))
            .map((r) => r.state.info.runId),
        );
        const there = [...runs.values()].filter((r) => r.state.info.workflowId === target);
        const isThere = there.some(
          (r) =>
            lostItsBuffer(r) ||
            r.events.some(
              (e) =>
                e.attributes.case === "workflowExecutionSignaledEventAttributes" &&
                senders.has(e.attributes.value.externalWorkflowExecution?.runId ?? ""),
            ),
        );
        if (!isThere && acknowledged.deleted.size === 0) problem(`${run.where}: was told that ${target} has its signal, which is not there`);
      }
    }
}

/** An update that somebody was told of as accepted or completed is so in the history of that run. */
function checkUpdates(runs: ReadonlyMap<string, Run>, a: Acknowledged, problem: Problem): void {
  for (const { runId, updateId, isCompleted } of a.updates) {
    const run = runs.get(runId);
    if (run === undefined) {
      if (!a.deleted.has(runId)) problem(`update ${updateId} was acknowledged by ${runId}, which is lost`);
      continue;
    }
    const has = (test: (attributes: HistoryEvent["attributes"]) => boolean): boolean => run.events.some((e) => test(e.attributes));
    if (!has((e) => e.case === "workflowExecutionUpdateAcceptedEventAttributes" && e.value.protocolInstanceId === updateId))
      problem(`${run.where}: update ${updateId} was told to be accepted and is not`);
    if (isCompleted && !has((e) => e.case === "workflowExecutionUpdateCompletedEventAttributes" && e.value.meta?.updateId === updateId))
      problem(`${run.where}: the result of update ${updateId} was told and is lost`);
  }
}

/** An operation's end that its handler was told to have arrived is the one in history. */
function checkOperations(runs: ReadonlyMap<string, Run>, a: Acknowledged, problem: Problem): void {
  for (const { workflowId, runId, requestId, outcome } of a.operationEnds) {
    const of = [...runs.values()].filter((r) => r.state.info.workflowId === workflowId && (runId === "" || r.state.info.runId === runId));
    if (of.length === 0 && !a.deleted.has(runId) && a.deleted.size === 0)
      problem(`the end of operation ${requestId} was acknowledged by ${runId}, which is lost`);
    const ends = of.flatMap((r) => r.events.flatMap((e) => endOfOperation(e) ?? [])).filter((e) => e.requestId === requestId);
    const mayBeLost = runId === "" ? a.deleted.size > 0 || of.some(lostItsBuffer) : a.deleted.has(runId) || of.some(lostItsBuffer);
    if (!ends.some((e) => e.outcome === outcome) && !mayBeLost)
      problem(`${workflowId} ${runId}: the end of operation ${requestId} (${outcome}) was acknowledged, and it is ${ends[0]?.outcome ?? "lost"}`);
  }
}

/** The new run begins as its base did, and has what was sent to the base after that point. */
function checkResets(runs: ReadonlyMap<string, Run>, a: Acknowledged, problem: Problem): void {
  for (const { base, runId, forkEventId, keepsSignals } of a.resets) {
    const [from, to] = [runs.get(base), runs.get(runId)];
    if (to === undefined) {
      if (!a.deleted.has(runId)) problem(`a reset of ${base} was acknowledged by ${runId}, which is lost`);
      continue;
    }
    if (from === undefined) continue;
    for (let i = 0; i < forkEventId - 1; i++)
      if (from.events[i]?.eventType !== to.events[i]?.eventType) problem(`${to.where}: event ${i + 1} is not that of its base`);
    if (!keepsSignals || lostItsBuffer(to)) continue;
    const signals = (events: readonly HistoryEvent[]): string[] =>
      events.flatMap((e) => (e.attributes.case === "workflowExecutionSignaledEventAttributes" ? [e.attributes.value.requestId] : []));
    const taken = new Set(signals(to.events));
    for (const id of signals(from.events.slice(forkEventId - 1))) if (!taken.has(id)) problem(`${to.where}: signal ${id} of its base is lost`);
  }
}

/** A worker that asks for one more task with its completion is refused then, and leaves it at that. */
const wasPaused = (events: readonly HistoryEvent[], from: number, to: number): boolean =>
  events.some((e) => e.eventType === EventType.WORKFLOW_EXECUTION_PAUSED && timeOf(e) >= from && timeOf(e) <= to);

/** With every worker alive and every batch written, no task is left to its timeout: those of pollers that went away come back at once. */
function checkDelivered(run: Run, s: Swarm, problem: Problem): void {
  if (!isUntroubled(s)) return;
  for (const e of run.events) {
    const a = e.attributes;
    if (a.case === "workflowTaskTimedOutEventAttributes" && a.value.startedEventId !== 0) {
      const started = run.events[a.value.startedEventId - 1];
      // An eager task goes with the answer to the start, whose client may be gone.
      const isEager = started?.attributes.case === "workflowTaskStartedEventAttributes" && started.attributes.value.identity === "";
      if (started === undefined || isEager || wasPaused(run.events, timeOf(started), timeOf(e))) continue;
      if (timeOf(e) - timeOf(started) >= 10_000_000) problem(`${run.where}: workflow task ${a.value.scheduledEventId} was given to nobody`);
    }
    if (a.case === "activityTaskTimedOutEventAttributes" && a.value.startedEventId !== 0)
      problem(`${run.where}: activity ${a.value.scheduledEventId} was given to nobody`);
  }
}

/** What is only held back, by a pause, a closed door or a process that died, goes on when it may: nothing runs out of its whole time. */
function checkHeldBack(run: Run, problem: Problem): void {
  for (const e of run.events) {
    const a = e.attributes;
    if (a.case !== "activityTaskTimedOutEventAttributes" && a.case !== "nexusOperationTimedOutEventAttributes") continue;
    const scheduled = run.events[a.value.scheduledEventId - 1];
    // What a reset has taken over may have ended in its base.
    const isTakenOver = a.value.scheduledEventId < (run.state.info.reset?.forkEventId ?? 0);
    if (scheduled !== undefined && !isTakenOver && timeOf(e) - timeOf(scheduled) >= WHOLE_MICROS)
      problem(`${run.where}: what event ${a.value.scheduledEventId} asks for was held back until its time was over`);
  }
}

/** A timer never fires before its time; nor, while nothing is refused and nobody dies, long after. */
function checkTimers(run: Run, s: Swarm, isHeldUp: boolean, problem: Problem): void {
  const isPunctual = !isHeldUp && !s.crashes && !s.loses && !s.refuses && !s.fills;
  for (const e of run.events) {
    const a = e.attributes;
    if (a.case !== "timerFiredEventAttributes") continue;
    const started = run.events[a.value.startedEventId - 1];
    if (started?.attributes.case !== "timerStartedEventAttributes") {
      problem(`${run.where}: timer ${a.value.timerId} fired and was never started`);
      continue;
    }
    const timeout = started.attributes.value.startToFireTimeout;
    const late = timeOf(e) - timeOf(started) - (timeout?.seconds ?? 0) * 1e6 - Math.floor((timeout?.nanos ?? 0) / 1000);
    if (late < 0) problem(`${run.where}: timer ${a.value.timerId} fired ${-late} us early`);
    // A reset may take up a timer whose time is over.
    const isTakenUp = a.value.startedEventId < (run.state.info.reset?.forkEventId ?? 0);
    if (late > 5_000_000 && isPunctual && !isTakenUp) problem(`${run.where}: timer ${a.value.timerId} fired ${late} us late`);
  }
}

/** Nothing ends twice. */
function checkOnce(run: Run, problem: Problem): void {
  const ended = new Set<string>();
  for (const e of run.events) {
    const a = e.attributes;
    let id: string | undefined;
    switch (a.case) {
      case "activityTaskCompletedEventAttributes":
      case "activityTaskFailedEventAttributes":
      case "activityTaskTimedOutEventAttributes":
      case "activityTaskCanceledEventAttributes":
        id = `activity ${a.value.scheduledEventId}`;
        if (
          a.case === "activityTaskCompletedEventAttributes" &&
          run.events[a.value.startedEventId - 1]?.eventType !== EventType.ACTIVITY_TASK_STARTED
        )
          problem(`${run.where}: completion without a started event`);
        break;
      case "nexusOperationStartedEventAttributes":
        id = `start of operation ${a.value.scheduledEventId}`;
        break;
      case "nexusOperationCompletedEventAttributes":
      case "nexusOperationFailedEventAttributes":
      case "nexusOperationCanceledEventAttributes":
      case "nexusOperationTimedOutEventAttributes":
        id = `operation ${a.value.scheduledEventId}`;
        break;
      case "nexusOperationCancelRequestCompletedEventAttributes":
      case "nexusOperationCancelRequestFailedEventAttributes":
        id = `canceling operation ${a.value.scheduledEventId}`;
        break;
      case "timerFiredEventAttributes":
      case "timerCanceledEventAttributes":
        id = `timer ${a.value.startedEventId}`;
        break;
      case "childWorkflowExecutionCompletedEventAttributes":
      case "childWorkflowExecutionFailedEventAttributes":
      case "childWorkflowExecutionCanceledEventAttributes":
      case "childWorkflowExecutionTerminatedEventAttributes":
      case "childWorkflowExecutionTimedOutEventAttributes":
        id = `child ${a.value.initiatedEventId}`;
        break;
      case "childWorkflowExecutionStartedEventAttributes":
        id = `child start ${a.value.initiatedEventId}`;
        break;
      case "externalWorkflowExecutionSignaledEventAttributes":
      case "signalExternalWorkflowExecutionFailedEventAttributes":
      case "externalWorkflowExecutionCancelRequestedEventAttributes":
      case "requestCancelExternalWorkflowExecutionFailedEventAttributes":
        id = `external ${a.value.initiatedEventId}`;
        break;
      case "workflowTaskCompletedEventAttributes":
      case "workflowTaskFailedEventAttributes":
        id = `task ${a.value.scheduledEventId}`;
        break;
      case "workflowExecutionUpdateAcceptedEventAttributes":
        id = `accepting ${a.value.protocolInstanceId}`;
        break;
      case "workflowExecutionUpdateCompletedEventAttributes":
        id = `update ${a.value.meta?.updateId}`;
        break;
      default:
    }
    if (id === undefined) continue;
    if (ended.has(id)) problem(`${run.where}: ${id} ended twice`);
    ended.add(id);
  }
}
