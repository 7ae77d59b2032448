/**
 * Operators who repair runs by hand (src/core/admin/repair.ts): tasks are refreshed, states made anew from their history, rows of timers
 * taken away, histories imported. Checked as each is applied (`watched`): none writes an event; a rebuild gives the state that there
 * was, also where it is damaged in memory just before; a row of timers that is taken away is gone, and nothing else. Whoever takes one
 * away refreshes the run later, and then its timers fire. At the end (`check`) a run that was imported begins with the events that it
 * was given.
 */
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { HistoryEvent as EventMessage } from "../../gen/wire/temporal/api/history/v1/message.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { encode } from "../../src/api/wire.js";
import type { ExecutionChain } from "../../src/core/execution.js";
import type { ExecutionAddress, Input } from "../../src/core/input.js";
import type { Outcome } from "../../src/core/transition.js";
import { RunDraft, RunState, TASK_SPECULATIVE } from "../../src/core/workflow/mutable-state.js";
import { fullStateSize } from "../../src/core/workflow/state-size.js";
import { isWorkflow, loadRun, type Run } from "./checks.js";
import { decodeEvents } from "./decode-events.js";
import { importedId } from "./programs.js";
import type { Disk } from "./sim-store.js";
import { pickWorkflowId, type SimWorld } from "./world.js";

const REPAIRS = ["refreshTasks", "rebuild", "dropTimers"] as const;
const REFRESHED_WITHIN_MICROS = 6_000_000;
const AGAIN_MICROS = 400_000;
/** Of an imported history. */
const BATCH_EVENTS_MAX = 4;
/** How many workflows are imported, and under how many ids each: few, so that imports meet. */
const SOURCES = 10;
const PLACES = 2;
/** What a damaged state says. */
const DAMAGED = "damaged";

interface Imported {
  readonly workflowId: string;
  readonly runId: string;
  readonly events: readonly HistoryEvent[];
}

export class Repairs {
  private readonly imported: Imported[] = [];
  private imports = 0;

  constructor(
    private readonly w: SimWorld,
    private readonly disk: Disk,
  ) {}

  step(): void {
    const { w } = this;
    const kind = w.pick(100);
    const done = kind < 55 ? this.repair(kind < 25 ? "refreshTasks" : "rebuild") : kind < 80 ? this.dropTimers() : this.importRun();
    done.catch((e: unknown) => w.expected(e));
  }

  private async repair(kind: "refreshTasks" | "rebuild"): Promise<void> {
    const { w } = this;
    const open = [...this.disk.visibility.values()].filter((row) => row.closeTime === 0 && isWorkflow(row));
    const workflowId = open.length > 0 && w.chance(700) ? (open[w.pick(open.length)]?.workflowId ?? "") : pickWorkflowId(w);
    const { runId } = await w.submit<"historyPosition">(workflowId, "", { kind: "historyPosition" });
    w.acknowledged.offeredAgain.add(runId);
    await w.submit(workflowId, runId, { kind });
  }

  // --- Timers

  /** As an operator finds it: the row that a list shows. */
  private async dropTimers(): Promise<void> {
    const { w } = this;
    const keys = [...this.disk.visibility.keys()];
    const state = await loadRun(this.disk, keys[w.pick(Math.max(1, keys.length))] ?? -1);
    if (state === undefined || state.info.due === 0) return;
    const { workflowId, runId, due } = state.info;
    if (w.acknowledged.withoutTimers.has(runId)) return;
    w.acknowledged.withoutTimers.add(runId);
    w.acknowledged.offeredAgain.add(runId);
    w.acknowledged.heldUp.add(runId);
    w.later(w.pick(REFRESHED_WITHIN_MICROS), () => this.refresh(workflowId, runId));
    await w.submit(workflowId, runId, { kind: "dropTimers", due });
  }

  private refresh(workflowId: string, runId: string): void {
    const { w } = this;
    w.submit(workflowId, runId, { kind: "refreshTasks" }).then(
      () => {
        w.acknowledged.withoutTimers.delete(runId);
        w.count("timers refreshed");
      },
      (e) => {
        w.expected(e);
        if (e instanceof ServiceError && e.code === Code.NOT_FOUND) w.acknowledged.withoutTimers.delete(runId);
        else w.later(AGAIN_MICROS, () => this.refresh(workflowId, runId));
      },
    );
  }

  // --- Histories from elsewhere

  private async importRun(): Promise<void> {
    const { w } = this;
    const from = `w${w.pick(SOURCES)}`;
    const { runId: original, range, isOpen } = await w.submit<"historyPosition">(from, "", { kind: "historyPosition" });
    const page = await w.call((s) => s.engine.readHistory(range, { fromEventId: 1, eventCountMax: 1_000_000, bytesMax: 1e9, reverse: false }));
    const whole = decodeEvents(page.data);
    const cut = isOpen || w.chance(500) ? this.cut(whole) : whole.length;
    const started = whole[0]?.attributes;
    if (cut === 0 || started?.case !== "workflowExecutionStartedEventAttributes" || started.value.parentInitiatedEventId > 0) return;
    const runId = `${original.slice(0, 24)}${(++this.imports).toString(16).padStart(12, "0")}`;
    const events = whole.slice(0, cut).map((e) => ofItsOwn(e, runId));
    const workflowId = importedId(w.pick(PLACES), from);
    w.acknowledged.imports.set(runId, events.length);
    w.acknowledged.heldUp.add(runId);
    w.acknowledged.offeredAgain.add(runId);
    const batches = this.batchesOf(events);
    const send = () => w.submit<"importRun">(workflowId, "", { kind: "importRun", runId, batches });
    const told = (reply: { runId: string }): void => {
      if (reply.runId !== runId) w.problem(`${workflowId}: what was imported as ${runId} is ${reply.runId}`);
      this.imported.push({ workflowId, runId, events });
    };
    const isClosed = !isOpen && cut === whole.length;
    if (w.chance(400))
      w.later(w.pick(5_000_000), () => {
        send().then(told, (e) => {
          // One that has gone on since is another one.
          const isKnown = this.imported.some((i) => i.runId === runId) && isClosed;
          if (isKnown && e instanceof ServiceError && e.code === Code.ALREADY_EXISTS) w.problem(`${workflowId} ${runId}: is not known as imported`);
          w.expected(e);
        });
      });
    try {
      told(await send());
      w.count(isClosed ? "import of a run that has ended" : "import of a run that goes on");
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.FAILED_PRECONDITION) w.count("import refused");
      throw e;
    }
  }

  private batchesOf(events: readonly HistoryEvent[]): HistoryEvent[][] {
    const out: HistoryEvent[][] = [];
    for (let at = 0; at < events.length; ) {
      const to = at + 1 + this.w.pick(BATCH_EVENTS_MAX);
      out.push(events.slice(at, to));
      at = to;
    }
    return out;
  }

  /** Behind the scheduling of a task, or its start, while nobody else is asked for anything: the others know the original only. 0: nowhere. */
  private cut(events: readonly HistoryEvent[]): number {
    const pending = new Set<number>();
    const places: number[] = [];
    for (const [i, { eventId, attributes: a }] of events.entries()) {
      if (ASKING.has(a.case ?? "")) pending.add(eventId);
      const v = (a.value ?? {}) as { initiatedEventId?: number; scheduledEventId?: number };
      if (ANSWERED.has(a.case ?? "")) pending.delete(v.initiatedEventId ?? v.scheduledEventId ?? 0);
      const isTask = a.case === "workflowTaskScheduledEventAttributes" || a.case === "workflowTaskStartedEventAttributes";
      if (isTask && pending.size === 0) places.push(i + 1);
    }
    return places[this.w.pick(Math.max(1, places.length))] ?? 0;
  }

  // --- What must hold

  /** One of these inputs is applied. */
  watched(chain: ExecutionChain, address: ExecutionAddress, input: Input, apply: () => Outcome): Outcome {
    const kind = REPAIRS.find((k) => k === input.kind);
    const state = chain.run(address.runId);
    if (kind === undefined || !(state instanceof RunState)) return apply();
    const { w } = this;
    const where = `${kind} of ${state.info.workflowId} ${state.info.runId}`;
    const before = shown(new RunDraft(state, false));
    const isSpeculative = state.info.workflowTask?.type === TASK_SPECULATIVE;
    const repair = kind === "rebuild" && w.chance(500) ? damage(state) : undefined;
    const outcome = apply();
    if (outcome.outcome !== "accepted") {
      repair?.();
      if (outcome.outcome === "stale") w.problem(`${where}: nothing was done`);
      return outcome;
    }
    if (repair !== undefined) w.count("damaged state rebuilt");
    // A task that is in memory only becomes one of the history with whatever is written.
    if (isSpeculative) return outcome;
    const draft = outcome.runs.find((r): r is RunDraft => r instanceof RunDraft && r.key === state.key);
    // An update in memory kept its clock and has gone with its process: it skips with whatever is written next.
    if (draft?.skip !== undefined) return outcome;
    const after = draft === undefined ? before : shown(draft);
    for (const name of new Set([...before.keys(), ...after.keys()]))
      if (before.get(name) !== after.get(name)) w.problem(`${where}: ${name} was ${before.get(name)} and is ${after.get(name)}`);
    if (draft !== undefined && draft.batches.length > 0) w.problem(`${where}: has written events`);
    if (input.kind === "dropTimers") {
      const isMet = state.info.due === input.due;
      if (isMet && draft?.info.due !== 0) w.problem(`${where}: the row of its timers is left`);
      if (!isMet && draft !== undefined && draft.info.due !== state.info.due) w.problem(`${where}: another row of timers was meant`);
      if (outcome.dispatch.length + outcome.transfers.length > 0) w.problem(`${where}: something else was done`);
      if (isMet) w.count("timers taken away");
    }
    return outcome;
  }

  check(runs: ReadonlyMap<string, Run>): void {
    const { w } = this;
    for (const runId of w.acknowledged.withoutTimers) if (runs.has(runId)) w.problem(`run ${runId} was left without its timers`);
    for (const { workflowId, runId, events } of this.imported) {
      const run = runs.get(runId);
      if (run === undefined) w.problem(`${workflowId} ${runId}: its import was acknowledged, and it is lost`);
      else
        events.forEach((e, i) => {
          const has = run.events[i];
          if (has === undefined || Buffer.compare(encode(EventMessage, e), encode(EventMessage, has)) !== 0)
            w.problem(`${run.where}: event ${i + 1} is not the one that was imported`);
        });
    }
  }
}

export const isRepair = (input: Input): boolean => (REPAIRS as readonly string[]).includes(input.kind);

/** Events that ask somebody else, and those that say how it ended. */
const ASKING: ReadonlySet<string> = new Set([
  "startChildWorkflowExecutionInitiatedEventAttributes",
  "signalExternalWorkflowExecutionInitiatedEventAttributes",
  "requestCancelExternalWorkflowExecutionInitiatedEventAttributes",
  "nexusOperationScheduledEventAttributes",
]);
const ANSWERED: ReadonlySet<string> = new Set([
  "startChildWorkflowExecutionFailedEventAttributes",
  "childWorkflowExecutionCompletedEventAttributes",
  "childWorkflowExecutionFailedEventAttributes",
  "childWorkflowExecutionCanceledEventAttributes",
  "childWorkflowExecutionTimedOutEventAttributes",
  "childWorkflowExecutionTerminatedEventAttributes",
  "signalExternalWorkflowExecutionFailedEventAttributes",
  "externalWorkflowExecutionSignaledEventAttributes",
  "requestCancelExternalWorkflowExecutionFailedEventAttributes",
  "externalWorkflowExecutionCancelRequestedEventAttributes",
  "nexusOperationCompletedEventAttributes",
  "nexusOperationFailedEventAttributes",
  "nexusOperationCanceledEventAttributes",
  "nexusOperationTimedOutEventAttributes",
]);

/** The history begins a chain of its own, and tells nobody of its end. */
function ofItsOwn(e: HistoryEvent, runId: string): HistoryEvent {
  const { attributes: a } = e;
  switch (a.case) {
    case "workflowExecutionStartedEventAttributes": {
      const ids = { originalExecutionRunId: runId, firstExecutionRunId: runId, continuedExecutionRunId: "" };
      return { ...e, attributes: { case: a.case, value: { ...a.value, ...ids, completionCallbacks: [] } } };
    }
    case "workflowExecutionOptionsUpdatedEventAttributes":
      return { ...e, attributes: { case: a.case, value: { ...a.value, attachedCompletionCallbacks: [] } } };
    case "workflowExecutionUpdateAcceptedEventAttributes": {
      const acceptedRequest = a.value.acceptedRequest && { ...a.value.acceptedRequest, completionCallbacks: [] };
      return { ...e, attributes: { case: a.case, value: { ...a.value, acceptedRequest } } };
    }
    case "workflowExecutionUpdateAdmittedEventAttributes": {
      const request = a.value.request && { ...a.value.request, completionCallbacks: [] };
      return { ...e, attributes: { case: a.case, value: { ...a.value, request } } };
    }
    default:
      return e;
  }
}

/** What changes with every transition, or says what is on its way. */
const PASSING: ReadonlySet<string> = new Set(["due", "dueClock", "stateTransitionCount", "lastUpdateTime", "nextRowId", "pendingTransfers"]);

/** All that a run is, as far as a repair leaves it alone. */
function shown(draft: RunDraft): ReadonlyMap<string, string> {
  const tables: Record<string, Iterable<object>> = {
    activities: draft.activities.values(),
    timers: draft.timers.values(),
    // Where the start of one waits in the buffer it has an event of a number that is not known yet.
    children: [...draft.children.values()].map((c) => ({ ...c, startedEventId: c.startedEventId === 0 ? 0 : 1 })),
    externalSignals: draft.externalSignals.values(),
    externalCancels: draft.externalCancels.values(),
    buffered: draft.buffered.values(),
    operations: draft.hasNexusOperations ? draft.nexusOperations.values() : [],
    callbacks: draft.hasCallbacks ? draft.callbacks.values() : [],
  };
  // In the order of their names, which no one promises otherwise.
  const fields = (of: object | undefined): string => JSON.stringify(Object.entries(of ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
  const out = new Map([
    ["memo", fields(draft.memo?.fields)],
    ["searchAttributes", fields(draft.searchAttributes?.indexedFields)],
  ]);
  for (const [name, values] of Object.entries(tables)) out.set(name, String([...values].map((v) => JSON.stringify(v)).sort()));
  for (const [name, value] of Object.entries(draft.info)) if (!PASSING.has(name)) out.set(name, JSON.stringify(value));
  return out;
}

/** What history tells of the run is wrong in memory. Answers how to put it right again. */
function damage(state: RunState): () => void {
  const { info, stateSizeBytes } = state;
  const timers = [...state.timers.base];
  const activities = [...state.activities.base];
  state.info = { ...info, workflowType: DAMAGED, taskQueue: DAMAGED, signalCount: info.signalCount + 7 };
  for (const [id, t] of timers) state.timers.put(id, { ...t, fireTime: t.fireTime + 1_000_000_000 });
  for (const [id, a] of activities) if (a.control?.optionsChanged !== true) state.activities.put(id, { ...a, activityType: DAMAGED });
  state.stateSizeBytes = fullStateSize(state);
  return () => {
    state.info = info;
    state.stateSizeBytes = stateSizeBytes;
    for (const [id, t] of timers) state.timers.put(id, t);
    for (const [id, a] of activities) state.activities.put(id, a);
  };
}
