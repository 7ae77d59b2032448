/**
 * What a disk image holds: whether SQLite finds it sound, whether each run is whole (its history without gaps gives its state, its
 * visibility, run and due rows agree with it), and whether everything that was acknowledged by then is there.
 */
import Database from "better-sqlite3";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { RunDraft, RunState } from "../../src/core/workflow/mutable-state.js";
import { project, replay } from "../../src/core/workflow/replay.js";
import { earliestDeadline } from "../../src/core/workflow/timers.js";
import { decodeFramed, frameOffsets } from "../../src/history/history-reader.js";
import type { Logger } from "../../src/lib/runtime.js";
import { SqliteStore } from "../../src/persistence/sqlite/store.js";
import type { Acknowledged, Fact } from "./load.js";

interface Run {
  readonly state: RunState;
  readonly events: readonly HistoryEvent[];
  /** Events that wait for the end of a workflow task. */
  readonly buffered: readonly HistoryEvent[];
}

const SILENT: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Opens the file as a server that starts on it does. */
export function openImage(file: string, onFatal: (e: Error) => void): Promise<SqliteStore> {
  return SqliteStore.open({ file, durability: "memory", commitThread: "engine", pragmas: [], logger: SILENT, onFatal });
}

/** @param refused request ids of which nothing may be there */
export async function checkImage(file: string, acknowledged: readonly Acknowledged[], refused: ReadonlySet<string> = new Set()): Promise<string[]> {
  const problems: string[] = [];
  const problem = (text: string): void => {
    if (problems.length < 20) problems.push(text);
  };
  const store = await openImage(file, (e) => problem(`the store gives up: ${e.message}`));
  const db = new Database(file, { readonly: true });
  try {
    for (const row of db.pragma("integrity_check") as { integrity_check: string }[])
      if (row.integrity_check !== "ok") problem(`SQLite: ${row.integrity_check}`);
    const runs = await loadRuns(store, db, problem);
    for (const a of acknowledged) {
      const lost = lostFact(runs.get(a.runId), a.fact);
      if (lost !== undefined) problem(`${a.workflowId} ${a.runId}: ${lost} was acknowledged before sync ${a.counter + 1} and is lost`);
    }
    for (const run of runs.values()) for (const id of requestIds(run)) if (refused.has(id)) problem(`${id} was refused and is there`);
  } finally {
    db.close();
    await store.close();
  }
  return problems;
}

async function loadRuns(store: SqliteStore, db: Database.Database, problem: (text: string) => void): Promise<Map<string, Run>> {
  const runs = new Map<string, Run>();
  const listed = new Map((db.prepare("SELECT key, status FROM visibility").all() as { key: number; status: number }[]).map((r) => [r.key, r.status]));
  const named = new Map((db.prepare("SELECT key, run_id AS runId FROM run").all() as { key: number; runId: string }[]).map((r) => [r.key, r.runId]));
  const dues = new Set((db.prepare("SELECT due, key FROM due").all() as { due: number; key: number }[]).map((r) => `${r.key}/${r.due}`));
  for (const { key } of db.prepare("SELECT key FROM execution").all() as { key: number }[]) {
    const rows = await store.loadExecution(key);
    if (rows === undefined) continue;
    const state = RunState.load(rows.key, rows.record, rows.live);
    const { info } = state;
    const where = `${info.workflowId} ${info.runId}`;
    const events: HistoryEvent[] = [];
    for (const row of await store.readHistory(info.branch, 1, Number.MAX_SAFE_INTEGER, false, Number.MAX_SAFE_INTEGER)) {
      const offsets = frameOffsets(row.data);
      for (let i = 0; i + 1 < offsets.length; i++) events.push(decodeFramed(row.data.subarray(offsets[i], offsets[i + 1])));
    }
    const gap = events.findIndex((e, i) => e.eventId !== i + 1);
    if (gap >= 0) problem(`${where}: event ${gap + 1} has id ${events[gap]?.eventId}`);
    if (events.length !== info.nextEventId - 1) problem(`${where}: ${events.length} events, the state knows ${info.nextEventId - 1}`);
    const buffered = [...state.buffered.base.values()].sort((a, b) => a.rowId - b.rowId).flatMap((b) => b.events);
    const stored = JSON.stringify(project(state));
    const replayed = JSON.stringify(project(replay(events, buffered)));
    if (stored !== replayed) problem(`${where}: replay differs\n stored   ${stored}\n replayed ${replayed}`);
    if (listed.get(key) !== info.status) problem(`${where}: listed as ${listed.get(key)}, is ${info.status}`);
    if (named.get(key) !== info.runId) problem(`${where}: cannot be found by its name`);
    const earliest = earliestDeadline(new RunDraft(state, false));
    if (earliest > 0 && (info.due === 0 || info.due > earliest)) problem(`${where}: due at ${info.due}, has a deadline at ${earliest}`);
    if (info.due > 0 && !dues.delete(`${key}/${info.due}`)) problem(`${where}: has no due row`);
    runs.set(info.runId, { state, events, buffered });
    listed.delete(key);
    named.delete(key);
  }
  for (const key of listed.keys()) problem(`execution ${key} is listed and does not exist`);
  for (const key of named.keys()) problem(`execution ${key} has a name and does not exist`);
  for (const due of dues) problem(`due row ${due} belongs to nobody`);
  return runs;
}

function requestIds({ state, events, buffered }: Run): string[] {
  const signals = [...events, ...buffered].flatMap(({ attributes: a }) =>
    a.case === "workflowExecutionSignaledEventAttributes" ? [a.value.requestId] : [],
  );
  return [state.info.startRequestId, ...signals];
}

function lostFact(run: Run | undefined, fact: Fact): string | undefined {
  if (run === undefined) return `its run (${fact.kind})`;
  const all = [...run.events, ...run.buffered];
  switch (fact.kind) {
    case "started":
      return run.state.info.startRequestId === fact.requestId ? undefined : `start ${fact.requestId}`;
    case "signaled": {
      const n = all.filter(
        (e) => e.attributes.case === "workflowExecutionSignaledEventAttributes" && e.attributes.value.requestId === fact.requestId,
      ).length;
      if (n > 1) return `the oneness of ${fact.requestId} (it is there ${n} times)`;
      // What waited when a run was ended from outside went with it.
      return n === 1 || run.events.at(-1)?.eventType === EventType.WORKFLOW_EXECUTION_TERMINATED ? undefined : `signal ${fact.requestId}`;
    }
    case "event":
      return run.events[fact.eventId - 1]?.eventType === fact.type ? undefined : `event ${fact.eventId} ${EventType[fact.type]}`;
    case "task completed":
      return all.some(
        (e) => e.attributes.case === "workflowTaskCompletedEventAttributes" && e.attributes.value.scheduledEventId === fact.scheduledEventId,
      )
        ? undefined
        : `the completion of workflow task ${fact.scheduledEventId}`;
    case "activity started": {
      const pending = run.state.activities.base.get(fact.scheduledEventId);
      // An attempt that timed out meanwhile has left its number.
      return pending === undefined || pending.startedTime > 0 || pending.attempt > 1 ? undefined : `the start of activity ${fact.scheduledEventId}`;
    }
    case "activity completed":
      return all.some(
        (e) => e.attributes.case === "activityTaskCompletedEventAttributes" && e.attributes.value.scheduledEventId === fact.scheduledEventId,
      ) || run.events.at(-1)?.eventType === EventType.WORKFLOW_EXECUTION_TERMINATED
        ? undefined
        : `the completion of activity ${fact.scheduledEventId}`;
    case "closed":
      return run.state.isOpen ? "its end" : undefined;
  }
}
