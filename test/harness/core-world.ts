/**
 * The functional core without a shell: executions in maps, a clock that the test moves, transfer tasks run at once, tasks handed
 * out in order. What a unit test of the core needs, and the first subject of the conformance scripts.
 */

import type { TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { ServiceError } from "../../src/api/service-error.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import { apply, type Chain } from "../../src/core/engine.js";
import type { Env, ExecutionAddress, Input, InputKind, InputOf, Poller } from "../../src/core/input.js";
import type { NamespaceDirectory, NamespaceView } from "../../src/core/namespace-view.js";
import type { DispatchTask, EventReference, Replies, Transition } from "../../src/core/transition.js";
import type { RunState } from "../../src/core/workflow/mutable-state.js";
import { project, replay } from "../../src/core/workflow/replay.js";
import { transferInput, transferResult } from "../../src/core/workflow/transfer.js";

export class CoreWorld implements NamespaceDirectory {
  now = 1_700_000_000_000_000;
  private ids = 0;
  readonly namespace: NamespaceView = {
    id: "00000000-0000-4000-8000-000000000001",
    name: "default",
    key: 1,
    retention: 86_400_000_000,
    state: 1,
    searchAttributes: new Map(),
  };
  config = defaultConfig();
  readonly states = new Map<string, Map<string, RunState>>();
  readonly histories = new Map<string, HistoryEvent[]>();
  readonly tasks: DispatchTask[] = [];
  readonly transfers: { id: number; record: TransferRecord }[] = [];
  readonly answers = new Map<number, Transition["answers"][number]["result"]>();
  private transferIds = 0;

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
    };
  }

  /** Applies one input; a service error is thrown. `undefined`: stale. */
  submit<K extends InputKind>(address: ExecutionAddress, input: InputOf<K>): Replies[K] | undefined {
    const n = ++this.ids;
    const env: Env = {
      now: this.now,
      newRunId: `018bcfe5-6800-7000-8000-${n.toString(16).padStart(12, "0")}`,
      seed: n * 7919,
      newKey: n,
      config: this.config,
      namespace: this.namespace,
      namespaces: this,
    };
    const chain = this.chain(address.workflowId);
    const outcome = apply<K>(chain, address, input, env, {
      event: (r: EventReference) => this.findEvent(address.workflowId, r),
      requestId: () => null,
    });
    if (outcome.outcome === "error") throw outcome.error;
    if (outcome.outcome === "stale") return undefined;
    if (outcome.outcome === "need") throw new Error("rows needed that do not exist");
    for (const draft of outcome.runs) {
      const events = draft.batches.flatMap((b) => [...b.events]);
      for (const t of draft.transfers) this.transfers.push({ id: ++this.transferIds, record: t.record });
      const state = draft.accept();
      const runs = this.states.get(address.workflowId) ?? new Map<string, RunState>();
      runs.set(state.info.runId, state);
      this.states.set(address.workflowId, runs);
      const history = this.histories.get(state.info.runId) ?? [];
      history.push(...events);
      this.histories.set(state.info.runId, history);
      if (draft.removed) runs.delete(state.info.runId);
    }
    this.tasks.push(...outcome.dispatch);
    for (const a of outcome.answers) this.answers.set(a.waiter, a.result);
    return outcome.reply;
  }

  private findEvent(workflowId: string, r: EventReference): HistoryEvent | undefined {
    const branch = r.segments.find((s) => r.eventId < s.endEventId)?.branch;
    for (const run of this.states.get(workflowId)?.values() ?? [])
      if (run.info.branch === branch) return this.histories.get(run.info.runId)?.find((e) => e.eventId === r.eventId);
    return undefined;
  }

  /** Runs transfer tasks until none is left. */
  settle(): void {
    for (let t = this.transfers.shift(); t !== undefined; t = this.transfers.shift()) {
      const source = this.address(t.record.sourceWorkflowId, t.record.sourceRunId);
      const ask = transferInput(t.id, t.record, this);
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
    for (;;) {
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

  /** Hands out the oldest workflow task that is still wanted. */
  takeWorkflowTask(): Replies["startWorkflowTask"] | undefined {
    this.settle();
    for (let i = this.tasks.findIndex((t) => t.type === "workflow"); i >= 0; i = this.tasks.findIndex((t) => t.type === "workflow")) {
      const [task] = this.tasks.splice(i, 1);
      if (task === undefined) return undefined;
      const started = this.submit(this.address(task.workflowId, task.runId), {
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

  takeActivity(): Replies["startActivity"] | undefined {
    this.settle();
    for (let i = this.tasks.findIndex((t) => t.type === "activity"); i >= 0; i = this.tasks.findIndex((t) => t.type === "activity")) {
      const [task] = this.tasks.splice(i, 1);
      if (task === undefined) return undefined;
      const started = this.submit(this.address(task.workflowId, task.runId), {
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
    const buffered = [...state.buffered.base.values()].sort((a, b) => a.rowId - b.rowId).flatMap((b) => (b.event === undefined ? [] : [b.event]));
    return [project(state), project(replay(this.histories.get(state.info.runId) ?? [], buffered))];
  }
}
