/**
 * The functional core without a shell: executions in maps, a clock that the test moves, transfer tasks run at once, tasks handed
 * out in order. What a unit test of the core needs, and the first subject of the conformance scripts.
 */

import type { OutboundRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { History, type HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import {
  RespondWorkflowTaskCompletedRequest,
  RespondWorkflowTaskFailedRequest,
  SignalWorkflowExecutionRequest,
  StartWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { ServiceError } from "../../src/api/service-error.js";
import { decodeTaskToken, type TaskToken } from "../../src/api/task-token.js";
import { decode, type Init } from "../../src/api/wire.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import type { SettingName } from "../../src/config/limits.js";
import { apply, type Chain } from "../../src/core/engine.js";
import type { Env, ExecutionAddress, Input, InputKind, InputOf, Poller } from "../../src/core/input.js";
import type { NamespaceDirectory, NamespaceView, SearchAttributeType } from "../../src/core/namespace-view.js";
import type {
  DispatchTask,
  EventReference,
  Loaded,
  Outcome,
  Replies,
  StartedActivity,
  StartedWorkflowTask,
  Transition,
} from "../../src/core/transition.js";
import type { VisibilityRow } from "../../src/core/visibility/row.js";
import type { AttributesCase, AttributesOf } from "../../src/core/workflow/event-factory.js";
import type { RunState } from "../../src/core/workflow/mutable-state.js";
import { project, replay } from "../../src/core/workflow/replay.js";
import { awaitedQuestion, transferInput, transferResult } from "../../src/core/workflow/transfer.js";
import { QUEUE, seconds } from "./core-commands.js";
import { isSizeTrue } from "./state-size.js";

/** More dues than any example needs: a deadline that does not move on would fire for ever. */
const DUES_MAX = 10_000;

export class CoreWorld implements NamespaceDirectory {
  now = 1_700_000_000_000_000;
  private ids = 0;
  /** Custom search attributes of the namespace. */
  readonly searchAttributes = new Map<string, SearchAttributeType>();
  readonly namespace: NamespaceView = {
    id: "00000000-0000-4000-8000-000000000001",
    name: "default",
    key: 1,
    retention: 86_400_000_000,
    state: 1,
    searchAttributes: this.searchAttributes,
  };
  config = defaultConfig();
  readonly states = new Map<string, Map<string, RunState>>();
  readonly histories = new Map<string, HistoryEvent[]>();
  readonly tasks: DispatchTask[] = [];
  /** Visibility rows in the order in which they were written. */
  readonly visibilityRows: VisibilityRow[] = [];
  readonly transfers: { id: number; record: TransferRecord }[] = [];
  /** Calls that leave the store, for the test to make. Those that are done leave it. */
  readonly outbound = new Map<number, OutboundRecord>();
  readonly answers = new Map<number, Transition["answers"][number]["result"]>();
  private transferIds = 0;
  private outboundIds = 0;
  private readonly requestIds = new Map<string, { eventType: number; eventId: number }>();

  byName(name: string): NamespaceView | undefined {
    return name === this.namespace.name ? this.namespace : undefined;
  }
  byId(id: string): NamespaceView | undefined {
    return id === this.namespace.id ? this.namespace : undefined;
  }

  address(workflowId: string, runId = ""): ExecutionAddress {
    return { namespaceId: this.namespace.id, workflowId, runId };
  }

  private chain(workflowId: string): Chain {
    const runs = this.states.get(workflowId) ?? new Map<string, RunState>();
    return {
      current: () => {
        let last: RunState | undefined;
        for (const r of runs.values()) if (last === undefined || r.info.runId > last.info.runId) last = r;
        return last;
      },
      run: (id) => runs.get(id),
      isMissing: (id) => !runs.has(id),
    };
  }

  /** Rows of what was accepted, as the store would give them. */
  readonly stored: Loaded = {
    event: (r) => this.findEvent(r),
    requestId: (id) => this.requestIds.get(id) ?? null,
    history: (r) =>
      [...this.states.values()]
        .flatMap((runs) => [...runs.values()])
        .flatMap((s) => (s.key === r.runKey ? (this.histories.get(s.info.runId) ?? []) : [])),
  };

  /** What the core answers, which is not accepted yet. */
  outcome<K extends InputKind>(address: ExecutionAddress, input: InputOf<K>, loaded: Loaded = this.stored): Outcome<K> {
    const n = ++this.ids;
    const env: Env = {
      now: this.now,
      newRunId: `018bcfe5-6800-7000-8000-${n.toString(16).padStart(12, "0")}`,
      seed: n * 7919,
      newKey: n,
      config: this.config,
      namespace: this.namespace,
      namespaces: this,
      nexusEndpoints: { idOf: (name) => (name === "endpoint" ? "endpoint-id" : undefined) },
    };
    return apply<K>(this.chain(address.workflowId), address, input, env, loaded);
  }

  /** Applies one input; a service error is thrown. `undefined`: stale, or answered later. */
  submit<K extends InputKind>(address: ExecutionAddress, input: InputOf<K>): Replies[K] | undefined {
    const outcome = this.outcome<K>(address, input);
    if (outcome.outcome === "error") throw outcome.error;
    if (outcome.outcome === "stale") return undefined;
    if (outcome.outcome === "need") throw new Error("rows needed that do not exist");
    for (const draft of outcome.runs) {
      const events = draft.batches.flatMap((b) => [...b.events]);
      // As in the store: the request that started the run has no row.
      if (draft.visibility !== undefined) this.visibilityRows.push(draft.visibility);
      for (const { id, ...row } of draft.requestIds) if (id !== draft.info.startRequestId) this.requestIds.set(id, row);
      for (const t of draft.transfers) this.transfers.push({ id: ++this.transferIds, record: t.record });
      for (const record of draft.outbound ?? []) this.outbound.set(++this.outboundIds, record);
      for (const id of draft.doneOutbound ?? []) this.outbound.delete(id);
      const state = draft.accept() as RunState;
      if (!isSizeTrue(state)) throw new Error(`${input.kind}: the state's size is not what its rows add up to`);
      const runs = this.states.get(address.workflowId) ?? new Map<string, RunState>();
      runs.set(state.info.runId, state);
      this.states.set(address.workflowId, runs);
      const history = this.histories.get(state.info.runId) ?? this.sharedHistory(state);
      history.push(...events);
      this.histories.set(state.info.runId, history);
      if (draft.removed) runs.delete(state.info.runId);
    }
    this.tasks.push(...outcome.dispatch);
    for (const a of outcome.answers) {
      if (this.answers.has(a.waiter)) throw new Error(`waiter ${a.waiter} is answered twice`);
      this.answers.set(a.waiter, a.result);
    }
    if (outcome.refused !== undefined) throw outcome.refused;
    return outcome.reply;
  }

  /** What a run that a reset has made begins with. */
  private sharedHistory(state: RunState): HistoryEvent[] {
    const { reset } = state.info;
    return reset === undefined ? [] : (this.histories.get(reset.baseRunIds[0] ?? "") ?? []).slice(0, reset.forkEventId - 1);
  }

  private findEvent(r: EventReference): HistoryEvent | undefined {
    const branch = r.segments.find((s) => r.eventId < s.endEventId)?.branch;
    for (const runs of this.states.values())
      for (const run of runs.values())
        if (run.info.branch === branch) return this.histories.get(run.info.runId)?.find((e) => e.eventId === r.eventId);
    return undefined;
  }

  /** Runs transfer tasks until none is left. */
  settle(): void {
    for (let t = this.transfers.shift(); t !== undefined; t = this.transfers.shift()) {
      const source = this.address(t.record.sourceWorkflowId, t.record.sourceRunId);
      const question = awaitedQuestion(t.record);
      const ask = transferInput(t.id, t.record, this, question === undefined || this.submit<"isTransferAwaited">(source, question) === true);
      let result: Input | "retry";
      if ("result" in ask) result = ask.result;
      else {
        try {
          result = transferResult(t.id, t.record, { reply: this.submit(ask.address, ask.input as never) });
        } catch (e) {
          if (!(e instanceof ServiceError)) throw e;
          result = transferResult(t.id, t.record, { error: e });
        }
      }
      if (result === "retry") throw new Error("a transfer task wants to be tried again");
      this.submit(source, result as never);
    }
  }

  /** Moves the clock and fires what is due, in order. */
  advance(micros: number): void {
    const until = this.now + micros;
    this.settle();
    for (let dues = 0; ; dues++) {
      if (dues === DUES_MAX) throw new Error("a deadline fires without end");
      let next: RunState | undefined;
      for (const runs of this.states.values())
        for (const r of runs.values()) if (r.info.due > 0 && r.info.due <= until && (next === undefined || r.info.due < next.info.due)) next = r;
      if (next === undefined) break;
      this.now = Math.max(this.now, next.info.due);
      this.submit(this.address(next.info.workflowId, next.info.runId), { kind: "due" });
      this.settle();
    }
    this.now = until;
  }

  poller(taskQueue: string): Poller {
    return { requestId: `poll-${++this.ids}`, identity: "worker", versionStamp: undefined, taskQueue, taskQueueKind: 1, workerInstanceKey: "" };
  }

  /** Hands out the oldest workflow task that is still wanted, of one workflow id or of any. */
  takeWorkflowTask(workflowId?: string): StartedWorkflowTask | undefined {
    this.settle();
    for (let task = this.nextTask("workflow", workflowId); task !== undefined; task = this.nextTask("workflow", workflowId)) {
      const started = this.submit<"startWorkflowTask">(this.address(task.workflowId, task.runId), {
        kind: "startWorkflowTask",
        scheduledEventId: task.scheduledEventId,
        attempt: task.attempt,
        stamp: task.stamp,
        poller: { ...this.poller(task.taskQueue), taskQueueKind: task.normalTaskQueue === undefined ? 1 : 2 },
      });
      if (started !== undefined) return started;
    }
    return undefined;
  }

  takeActivity(workflowId?: string): StartedActivity | undefined {
    this.settle();
    for (let task = this.nextTask("activity", workflowId); task !== undefined; task = this.nextTask("activity", workflowId)) {
      const started = this.unlessRefused<"startActivity">(this.address(task.workflowId, task.runId), {
        kind: "startActivity",
        scheduledEventId: task.scheduledEventId,
        attempt: task.attempt,
        stamp: task.stamp,
        poller: this.poller(task.taskQueue),
        metadata: undefined,
      });
      if (started !== undefined) return started;
    }
    return undefined;
  }

  /** As matching sees it: a task that is refused is gone. */
  private unlessRefused<K extends InputKind>(address: ExecutionAddress, input: InputOf<K>): Replies[K] | undefined {
    try {
      return this.submit<K>(address, input);
    } catch (e) {
      if (e instanceof ServiceError) return undefined;
      throw e;
    }
  }

  private nextTask(type: DispatchTask["type"], workflowId: string | undefined): DispatchTask | undefined {
    const i = this.tasks.findIndex((t) => t.type === type && (workflowId === undefined || t.workflowId === workflowId));
    return i < 0 ? undefined : this.tasks.splice(i, 1)[0];
  }

  run(workflowId: string): RunState {
    const state = this.chain(workflowId).current();
    if (state === undefined) throw new Error(`no run of ${workflowId}`);
    return state;
  }

  history(workflowId: string, runId?: string): HistoryEvent[] {
    return this.histories.get(runId ?? this.run(workflowId).info.runId) ?? [];
  }

  /** The stored state and its replay: equal in every history field. */
  projections(state: RunState): [unknown, unknown] {
    const buffered = [...state.buffered.base.values()].sort((a, b) => a.rowId - b.rowId).flatMap((b) => b.events);
    return [project(state), project(replay(this.histories.get(state.info.runId) ?? [], buffered, state))];
  }

  /** Sets limits for this world. */
  limit(limits: Partial<Record<SettingName, number | boolean>>): void {
    this.config = { ...this.config, limits: { ...this.config.limits, ...limits } as typeof this.config.limits };
  }

  // What clients and workers do, in the fewest words.

  startRequest(workflowId: string, more: Init<StartWorkflowExecutionRequest> = {}): StartWorkflowExecutionRequest {
    return StartWorkflowExecutionRequest.create({
      namespace: this.namespace.name,
      workflowId,
      workflowType: { name: "T" },
      taskQueue: { name: QUEUE, kind: 1 },
      workflowTaskTimeout: seconds(10),
      requestId: `start-${++this.ids}`,
      identity: "client",
      ...more,
    });
  }

  start(workflowId = "w", more: Init<StartWorkflowExecutionRequest> = {}): Replies["start"] {
    const request = this.startRequest(workflowId, more);
    return answered(this.submit<"start">(this.address(workflowId), { kind: "start", request, parent: undefined }));
  }

  signal(signalName: string, workflowId = "w", more: Init<SignalWorkflowExecutionRequest> = {}): Replies["signal"] {
    const request = SignalWorkflowExecutionRequest.create({ signalName, identity: "client", requestId: `signal-${++this.ids}`, ...more });
    return answered(this.submit<"signal">(this.address(workflowId), { kind: "signal", request, external: undefined }));
  }

  /** The next workflow task, which must be there. */
  task(workflowId = "w"): StartedWorkflowTask {
    const task = this.takeWorkflowTask(workflowId);
    if (task === undefined) throw new Error(`no workflow task of ${workflowId} waits`);
    return task;
  }

  activityTask(workflowId = "w"): StartedActivity {
    const task = this.takeActivity(workflowId);
    if (task === undefined) throw new Error(`no activity of ${workflowId} waits`);
    return task;
  }

  /** Completes a started workflow task. */
  complete(
    task: StartedWorkflowTask,
    commands: readonly Command[] = [],
    more: Init<RespondWorkflowTaskCompletedRequest> = {},
  ): Replies["completeWorkflowTask"] {
    const token = tokenOf(task);
    const request = RespondWorkflowTaskCompletedRequest.create({
      commands,
      identity: "worker",
      ...more,
    } as Init<RespondWorkflowTaskCompletedRequest>);
    return answered(
      this.submit<"completeWorkflowTask">(this.address(token.workflowId, token.runId), { kind: "completeWorkflowTask", token, request }),
    );
  }

  /** Takes the next workflow task and answers it. */
  answer(commands: readonly Command[] = [], more: Init<RespondWorkflowTaskCompletedRequest> = {}, workflowId = "w"): Replies["completeWorkflowTask"] {
    return this.complete(this.task(workflowId), commands, more);
  }

  failTask(task: StartedWorkflowTask, cause = WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, message = "bad code"): void {
    const token = tokenOf(task);
    const request = RespondWorkflowTaskFailedRequest.create({
      cause,
      failure: { message },
      identity: "worker",
    } as Init<RespondWorkflowTaskFailedRequest>);
    this.submit<"failWorkflowTask">(this.address(token.workflowId, token.runId), { kind: "failWorkflowTask", token, request });
  }

  /** Starts a workflow and answers its first task: from here on it waits. */
  running(commands: readonly Command[] = [], more: Init<StartWorkflowExecutionRequest> = {}, workflowId = "w"): string {
    const { runId } = this.start(workflowId, more);
    this.answer(commands, {}, workflowId);
    this.settle();
    return runId;
  }

  /** Names of a run's events, without the prefix that all of them share. */
  types(workflowId = "w", runId?: string): string[] {
    return this.history(workflowId, runId).map((e) => EventType[e.eventType] as string);
  }

  /** Attributes of the last event of a kind. */
  last<C extends AttributesCase>(attributes: C, workflowId = "w", runId?: string): AttributesOf<C> {
    return this.lastEvent(attributes, workflowId, runId).attributes.value as AttributesOf<C>;
  }

  lastEvent(attributes: AttributesCase, workflowId = "w", runId?: string): HistoryEvent {
    const event = this.history(workflowId, runId).findLast((e) => e.attributes.case === attributes);
    if (event === undefined) throw new Error(`no ${attributes} in ${this.types(workflowId, runId).join(" ")}`);
    return event;
  }

  /** Run ids of a workflow id, oldest first. */
  runs(workflowId = "w"): string[] {
    return [...(this.states.get(workflowId)?.keys() ?? [])].sort();
  }

  /** A copy of everything that is stored: equal before and after what must change nothing. */
  snapshot(): unknown {
    const rows = (state: RunState) => ({
      info: state.info,
      activities: [...state.activities.base],
      timers: [...state.timers.base],
      children: [...state.children.base],
      externalSignals: [...state.externalSignals.base],
      externalCancels: [...state.externalCancels.base],
      nexusOperations: state.hasNexusOperations ? [...state.nexusOperations.base] : [],
      callbacks: state.hasCallbacks ? [...state.callbacks.base] : [],
      buffered: [...state.buffered.base],
      activityIds: [...state.activityIds.base],
      timerIds: [...state.timerIds.base],
      memo: state.memo,
      searchAttributes: state.searchAttributes,
      queries: state.queries,
      updates: state.updates,
      updateRecords: [...(state.updateRecords?.base ?? [])],
      completedUpdates: [...(state.completedUpdates ?? [])],
    });
    return structuredClone({
      states: [...this.states].map(([id, runs]) => [id, [...runs.values()].map(rows)]),
      histories: [...this.histories],
    });
  }
}

function answered<T>(reply: T | undefined): T {
  if (reply === undefined) throw new Error("the input is stale or answered later");
  return reply;
}

export function tokenOf(task: { response: { taskToken?: Uint8Array } }): TaskToken {
  const token = decodeTaskToken(task.response.taskToken ?? new Uint8Array(0));
  if (token === undefined) throw new Error("no task token");
  return token;
}

/** What a poller gets behind the stored history: the events of a transient workflow task. */
export function trailingEvents(task: { trailing: Uint8Array | undefined }): HistoryEvent[] {
  return task.trailing === undefined ? [] : decode(History, task.trailing).events;
}
