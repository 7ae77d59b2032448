/**
 * One simulated run: seeded clients and workers drive the real core, engine and matching over a store that delays, refuses and
 * fills up, through a process that dies at any step. Then everything heals, and all that was begun must come to its end. Checked:
 * nothing acknowledged is lost, no effect happens twice, replaying a history gives the stored state, lists agree with states.
 */
import { createHash } from "node:crypto";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import {
  PollActivityTaskQueueRequest,
  PollWorkflowTaskQueueRequest,
  QueryWorkflowRequest,
  RequestCancelWorkflowExecutionRequest,
  RespondWorkflowTaskCompletedRequest,
  RespondWorkflowTaskFailedRequest,
  SignalWithStartWorkflowExecutionRequest,
  SignalWorkflowExecutionRequest,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../../src/api/call.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { decodeTaskToken } from "../../src/api/task-token.js";
import { duration } from "../../src/api/time.js";

import type { apply as realApply } from "../../src/core/engine.js";
import type { InputKind, InputOf } from "../../src/core/input.js";
import type { StartedActivity, StartedWorkflowTask } from "../../src/core/transition.js";
import { RunState } from "../../src/core/workflow/mutable-state.js";
import { project, replay } from "../../src/core/workflow/replay.js";
import { decodeFramed, frameOffsets } from "../../src/history/history-reader.js";
import { Heap } from "../../src/lib/heap.js";
import { Random } from "../../src/lib/random.js";
import type { Logger } from "../../src/lib/runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { nextCommands, QUEUE } from "./programs.js";
import { NAMESPACE, type SimServer, startSimServer } from "./server.js";
import { SimRuntime, settleMicrotasks } from "./sim-runtime.js";

export interface SimulationOptions {
  readonly seed: number;
  readonly steps: number;
  /** A deliberate breakage, to see that it is caught. */
  readonly mutate?: { apply?: typeof realApply; store?: (store: MemoryStore) => MemoryStore };
}

export interface Report {
  readonly seed: number;
  readonly digest: string;
  readonly inputs: number;
  readonly crashes: number;
  readonly commits: number;
  readonly runs: number;
  readonly events: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  readonly problems: readonly string[];
}

/** What this run does at all: swarm testing, some faults and calls off entirely. */
interface Swarm {
  delays: boolean;
  refuses: boolean;
  fills: boolean;
  crashes: boolean;
  workerDeaths: boolean;
  pollDeaths: boolean;
  lostReplies: boolean;
  sameBatch: boolean;
  continues: boolean;
  terminates: boolean;
  cancels: boolean;
}

class Died extends Error {}

class SimCall implements Call {
  readonly path = "sim";
  readonly peer = "sim";
  cancelled = false;
  private readonly listeners = new Set<() => void>();
  constructor(readonly deadlineMs: number) {}
  metadata(): string | undefined {
    return undefined;
  }
  onCancel(f: () => void): () => void {
    if (this.cancelled) f();
    else this.listeners.add(f);
    return () => this.listeners.delete(f);
  }
  cancel(): void {
    this.cancelled = true;
    for (const f of this.listeners) f();
    this.listeners.clear();
  }
}

export class Simulation {
  private readonly random: Random;
  private readonly swarm: Swarm;
  private store: MemoryStore;
  private runtime: SimRuntime;
  private server: SimServer | undefined;
  private readonly world = new Heap<{ at: number; order: number; f: () => void }>((a, b) => a.at - b.at || a.order - b.order);
  private order = 0;
  private pendingCommits: (() => void)[] = [];
  private outstanding = new Set<(e: Error) => void>();
  private readonly problems: string[] = [];
  private readonly faults = new Map<string, number>();
  private inputs = 0;
  private crashes = 0;
  private isHealed = false;
  private polls = 0;
  private calls = new Set<SimCall>();
  /** Acknowledged: run ids of starts, and request ids of signals by run. */
  private readonly startsAcked = new Map<string, string>();
  private readonly signalsAcked: { workflowId: string; runId: string; requestId: string }[] = [];
  private readonly completionsAcked: { runId: string; scheduledEventId: number }[] = [];
  private readonly deleted = new Set<string>();
  private requestIds = 0;

  constructor(private readonly options: SimulationOptions) {
    this.random = new Random(options.seed);
    const coin = (): boolean => this.random.uint32() % 3 !== 0;
    this.swarm = {
      delays: coin(),
      refuses: coin(),
      fills: coin(),
      crashes: coin(),
      workerDeaths: coin(),
      pollDeaths: coin(),
      lostReplies: coin(),
      sameBatch: coin(),
      continues: coin(),
      terminates: coin(),
      cancels: coin(),
    };
    this.runtime = new SimRuntime(options.seed + 1);
    this.store = this.newStore();
  }

  private chance(per: number): boolean {
    return this.random.uint32() % 1000 < per;
  }
  private pick(n: number): number {
    return this.random.uint32() % n;
  }
  private fault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }
  private problem(text: string): void {
    if (this.problems.length < 20) this.problems.push(text);
  }

  private storeFaults() {
    return {
      beforeCommit: () => {
        if (this.isHealed) return "ok" as const;
        if (this.swarm.refuses && this.chance(8)) {
          this.fault("refused");
          return "refused" as const;
        }
        if (this.swarm.fills && this.chance(4)) {
          this.fault("full");
          return "full" as const;
        }
        return "ok" as const;
      },
      settle: (resolve: () => void) => {
        if (!this.isHealed && this.swarm.delays && this.chance(500)) {
          this.fault("delayed");
          this.pendingCommits.push(resolve);
        } else resolve();
      },
    };
  }

  private newStore(): MemoryStore {
    const store = new MemoryStore(this.storeFaults());
    return this.options.mutate?.store?.(store) ?? store;
  }

  private readonly logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (fields, message) => {
      // Refused twice in a row: the store's doing, not the engine's.
      if (this.swarm.refuses && message.startsWith("an input makes rows that the store does not take")) return;
      this.problem(`logged an error: ${message} ${(fields as { err?: Error }).err?.stack ?? JSON.stringify(fields)}`);
    },
  };

  private async boot(): Promise<void> {
    this.server = await startSimServer(this.store, this.runtime, this.logger, {
      sameBatchTransfers: this.swarm.sameBatch,
      ...(this.options.mutate?.apply === undefined ? {} : { apply: this.options.mutate.apply }),
      onBug: (error, input) =>
        this.problem(`the core threw on ${(input as { kind: string }).kind}: ${error instanceof Error ? error.stack : String(error)}`),
      onFatal: () => this.problem("the engine gave the store up"),
    });
  }

  private async crash(): Promise<void> {
    this.crashes++;
    const now = this.runtime.now;
    this.server = undefined;
    this.runtime.clear();
    this.pendingCommits = [];
    this.runtime = new SimRuntime(this.options.seed + this.crashes * 7919 + 1);
    this.runtime.now = now;
    this.store = this.store.crash(this.storeFaults());
    for (const reject of [...this.outstanding]) reject(new Died("the server died"));
    this.outstanding.clear();
    this.calls.clear();
    this.polls = 0;
    await settleMicrotasks();
    await this.boot();
  }

  /** A call that ends with the server's life. */
  private async call<T>(f: (s: SimServer) => Promise<T>): Promise<T> {
    const { server } = this;
    if (server === undefined) throw new Died("no server");
    return new Promise<T>((resolve, reject) => {
      this.outstanding.add(reject);
      f(server).then(
        (v) => {
          this.outstanding.delete(reject);
          resolve(v);
        },
        (e: Error) => {
          this.outstanding.delete(reject);
          reject(e);
        },
      );
    });
  }

  private submit<K extends InputKind>(workflowId: string, runId: string, input: InputOf<K>) {
    this.inputs++;
    return this.call((s) => s.engine.submit<K>({ namespaceId: NAMESPACE.id, workflowId, runId }, input));
  }

  private later(micros: number, f: () => void): void {
    this.world.push({ at: this.runtime.now + micros, order: this.order++, f });
  }

  // --- Clients

  private clientStep(): void {
    const workflowId = `w${this.pick(25)}`;
    const requestId = `r${this.requestIds++}`;
    const ignore = (e: unknown): void => this.expected(e);
    switch (this.pick(10)) {
      case 0:
      case 1:
      case 2: {
        const request = StartWorkflowExecutionRequest.create({
          workflowId,
          workflowType: { name: "sim" },
          taskQueue: { name: QUEUE },
          requestId,
          workflowTaskTimeout: duration(10_000_000),
          workflowIdReusePolicy: [
            WorkflowIdReusePolicy.ALLOW_DUPLICATE,
            WorkflowIdReusePolicy.REJECT_DUPLICATE,
            WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
          ][this.pick(3)] as WorkflowIdReusePolicy,
          workflowIdConflictPolicy: [
            WorkflowIdConflictPolicy.FAIL,
            WorkflowIdConflictPolicy.USE_EXISTING,
            WorkflowIdConflictPolicy.TERMINATE_EXISTING,
          ][this.pick(3)] as WorkflowIdConflictPolicy,
          workflowStartDelay: this.chance(100) ? duration(this.pick(3000) * 1000) : undefined,
        });
        const send = (again: boolean): void => {
          this.submit(workflowId, "", { kind: "start", request, parent: undefined }).then((r) => {
            if (r.started) {
              this.startsAcked.set(requestId, r.runId);
            }
            if (again) send(false);
          }, ignore);
        };
        send(this.swarm.lostReplies && this.chance(100));
        return;
      }
      case 3:
      case 4:
      case 5: {
        const request = SignalWorkflowExecutionRequest.create({ workflowExecution: { workflowId }, signalName: "s", requestId });
        const send = (again: boolean): void => {
          this.submit(workflowId, "", { kind: "signal", request, external: undefined }).then((r) => {
            this.signalsAcked.push({ workflowId, runId: r.runId, requestId });
            if (again) send(false);
          }, ignore);
        };
        send(this.swarm.lostReplies && this.chance(100));
        return;
      }
      case 6: {
        const request = SignalWithStartWorkflowExecutionRequest.create({
          workflowId,
          workflowType: { name: "sim" },
          taskQueue: { name: QUEUE },
          signalName: "s",
          requestId,
          workflowTaskTimeout: duration(10_000_000),
        });
        this.submit(workflowId, "", { kind: "signalWithStart", request }).then(() => undefined, ignore);
        return;
      }
      case 7:
        if (this.swarm.terminates && this.chance(200))
          this.submit(workflowId, "", {
            kind: "terminate",
            request: TerminateWorkflowExecutionRequest.create({ reason: "sim" }),
            childWorkflowOnly: false,
            parent: undefined,
          }).then(() => undefined, ignore);
        else if (this.swarm.cancels && this.chance(300))
          this.submit(workflowId, "", {
            kind: "requestCancel",
            request: RequestCancelWorkflowExecutionRequest.create({ requestId }),
            external: undefined,
          }).then(() => undefined, ignore);
        else this.submit(workflowId, "", { kind: "describe" }).then(() => undefined, ignore);
        return;
      case 8: {
        const { server } = this;
        if (server === undefined) return;
        const waiter = server.engine.newWaiter();
        this.submit(workflowId, "", { kind: "query", request: QueryWorkflowRequest.create({ query: { queryType: "q" } }), waiter }).then(
          () => undefined,
          ignore,
        );
        if (this.chance(300)) this.submit(workflowId, "", { kind: "dropQuery", waiter }).then(() => undefined, ignore);
        return;
      }
      default:
        this.submit(workflowId, "", { kind: "historyPosition" }).then(() => undefined, ignore);
    }
  }

  private expected(e: unknown): void {
    if (e instanceof Died) return;
    if (e instanceof ServiceError && e.code !== Code.UNKNOWN && (e.code !== Code.INTERNAL || this.faults.has("refused"))) return;
    this.problem(`a call failed with ${e instanceof ServiceError ? `${Code[e.code]} ${e.message}` : e instanceof Error ? e.stack : String(e)}`);
  }

  // --- Workers

  private pollStep(): void {
    if (this.polls >= 8) return;
    this.polls++;
    const call = new SimCall(this.runtime.now / 1000 + 60_000);
    this.calls.add(call);
    const ended = (): void => {
      if (this.calls.delete(call)) this.polls--;
    };
    // A worker may die while it waits.
    if (this.swarm.pollDeaths && !this.isHealed && this.chance(200))
      this.later(this.pick(200_000), () => {
        this.fault("poll canceled");
        call.cancel();
      });
    if (this.chance(500)) {
      this.call((s) =>
        s.matching.pollWorkflowTask(NAMESPACE, PollWorkflowTaskQueueRequest.create({ taskQueue: { name: QUEUE, kind: 1 }, identity: "sim" }), call),
      ).then(
        (r) => {
          ended();
          // What reaches a poller that has gone reaches nobody.
          if (r !== undefined && "task" in r && !call.cancelled) this.workflowTask(r.task);
        },
        (e) => {
          ended();
          this.expected(e);
        },
      );
    } else {
      this.call((s) =>
        s.matching.pollActivityTask(NAMESPACE, PollActivityTaskQueueRequest.create({ taskQueue: { name: QUEUE, kind: 1 }, identity: "sim" }), call),
      ).then(
        (r) => {
          ended();
          if (r !== undefined && !call.cancelled) this.activity(r);
        },
        (e) => {
          ended();
          this.expected(e);
        },
      );
    }
  }

  private workflowTask(task: StartedWorkflowTask): void {
    if (!this.isHealed && this.swarm.workerDeaths && this.chance(30)) {
      this.fault("worker died with a workflow task");
      return;
    }
    const token = decodeTaskToken(task.response.taskToken as Uint8Array);
    if (token === undefined) return this.problem("a workflow task has no token");
    const { workflowId } = token;
    this.call((s) =>
      s.engine.readHistory(task.history, { fromEventId: task.history.fromEventId, eventCountMax: 1_000_000, bytesMax: 1e9, reverse: false }),
    ).then(
      (page) => {
        const events = decodeAll(page.data);
        if (task.trailing !== undefined) events.push(...decodeAll(task.trailing));
        events.forEach((e, i) => {
          if (e.eventId !== i + 1) this.problem(`history of ${token.runId} is not in order at ${i + 1}: ${e.eventId}`);
        });
        this.later(this.pick(50_000), () => {
          if (!this.isHealed && this.chance(30)) {
            this.submit(workflowId, token.runId, {
              kind: "failWorkflowTask",
              token,
              request: RespondWorkflowTaskFailedRequest.create({ identity: "sim" }),
            }).then(
              () => undefined,
              (e) => this.expected(e),
            );
            return;
          }
          const queries = Object.keys((task.response.queries ?? {}) as object);
          const request = RespondWorkflowTaskCompletedRequest.create({
            identity: "sim",
            commands: nextCommands(workflowId, events, this.swarm.continues) as never,
            queryResults: Object.fromEntries(queries.map((q) => [q, { resultType: 1 }])),
          });
          const send = (again: boolean): void => {
            this.submit(workflowId, token.runId, { kind: "completeWorkflowTask", token, request }).then(
              () => {
                if (again) send(false);
              },
              (e) => this.expected(e),
            );
          };
          send(this.swarm.lostReplies && !this.isHealed && this.chance(50));
        });
      },
      (e) => this.expected(e),
    );
  }

  private activity(task: StartedActivity): void {
    if (!this.isHealed && this.swarm.workerDeaths && this.chance(50)) {
      this.fault("worker died with an activity");
      return;
    }
    const token = decodeTaskToken(task.response.taskToken as Uint8Array);
    if (token === undefined) return this.problem("an activity task has no token");
    const reference = { by: "token", token } as const;
    const name = task.response.activityType?.name;
    this.later(this.pick(200_000), () => {
      if (this.chance(200))
        this.submit(token.workflowId, token.runId, { kind: "heartbeatActivity", activity: reference, details: undefined, identity: "sim" }).then(
          () => undefined,
          (e) => this.expected(e),
        );
      if (name === "flaky" && (task.response.attempt ?? 1) < 3) {
        this.submit(token.workflowId, token.runId, {
          kind: "failActivity",
          activity: reference,
          failure: { message: "flaky", source: "", stackTrace: "", encodedAttributes: undefined, cause: undefined, failureInfo: { case: undefined } },
          lastHeartbeatDetails: undefined,
          identity: "sim",
        }).then(
          () => undefined,
          (e) => this.expected(e),
        );
        return;
      }
      const send = (again: boolean): void => {
        this.submit(token.workflowId, token.runId, {
          kind: "completeActivity",
          activity: reference,
          result: undefined,
          identity: "sim",
          version: undefined,
        }).then(
          () => {
            this.completionsAcked.push({ runId: token.runId, scheduledEventId: token.scheduledEventId });
            if (again) send(false);
          },
          (e) => this.expected(e),
        );
      };
      send(this.swarm.lostReplies && !this.isHealed && this.chance(50));
    });
  }

  // --- The run

  async run(): Promise<Report> {
    await this.boot();
    for (let step = 0; step < this.options.steps; step++) {
      await this.step(true);
      if (this.problems.length > 0) break;
      if (this.swarm.crashes && this.chance(2)) await this.crash();
    }
    if (this.problems.length === 0) await this.heal();
    if (this.problems.length === 0) await this.check();
    return this.report();
  }

  private async step(withClients: boolean): Promise<void> {
    const what = this.pick(10);
    if (this.swarm.pollDeaths && !this.isHealed && this.pendingCommits.length > 0 && this.chance(100)) {
      const call = [...this.calls][this.pick(Math.max(1, this.calls.size))];
      if (call !== undefined) {
        this.fault("poll canceled during a commit");
        call.cancel();
      }
    }
    if (withClients && what < 2) this.clientStep();
    else if (what < 4) this.pollStep();
    else if (this.pendingCommits.length > 0 && what < 6) this.pendingCommits.shift()?.();
    else if (this.runtime.hasDeferred) this.runtime.turn();
    else if (this.pendingCommits.length > 0) this.pendingCommits.shift()?.();
    else {
      // Nothing to do now: time passes until the next thing.
      const next = this.world.peek();
      const limit = next === undefined ? this.runtime.now + 1_000_000 : next.at;
      if (!this.runtime.tick(limit)) {
        this.runtime.now = Math.max(this.runtime.now, Math.min(limit, this.runtime.now + 1_000_000));
        if (next !== undefined && next.at <= this.runtime.now) {
          this.world.pop();
          next.f();
        }
      }
    }
    await settleMicrotasks();
  }

  /** No more faults and no more clients: whatever is open must end. */
  private async heal(): Promise<void> {
    this.isHealed = true;
    for (const resolve of this.pendingCommits.splice(0)) resolve();
    await settleMicrotasks();
    for (let i = 0; i < 60_000; i++) {
      await this.step(false);
      if (this.problems.length > 0) return;
      if (i % 500 === 499 && !(await this.hasOpen())) return;
    }
    for (const key of this.store.executionKeys()) {
      const state = await this.load(key);
      if (state?.isOpen === true)
        this.problem(
          `${state.info.workflowId} ${state.info.runId} does not end: task ${JSON.stringify(state.info.workflowTask)} activities ${JSON.stringify([...state.activities.base.values()].map((a) => [a.activityId, a.attempt, a.startedTime, a.waitsForRetry]))} timers ${state.timers.base.size} children ${JSON.stringify([...state.children.base.values()])} signals ${state.externalSignals.base.size} cancels ${state.externalCancels.base.size} buffered ${state.buffered.base.size} due ${state.info.due - this.runtime.now} awaits ${state.info.awaitsParent} backoff ${state.info.firstTaskBackoffUntil}`,
        );
    }
  }

  private async hasOpen(): Promise<boolean> {
    for (const key of this.store.executionKeys()) if ((await this.load(key))?.isOpen === true) return true;
    return false;
  }

  private async load(key: number): Promise<RunState | undefined> {
    const rows = await this.store.loadExecution(key);
    return rows === undefined ? undefined : RunState.load(rows.key, rows.record, rows.live);
  }

  private async historyOf(state: RunState): Promise<HistoryEvent[]> {
    const rows = await this.store.readHistory(state.info.branch, 1, Number.MAX_SAFE_INTEGER, false, Number.MAX_SAFE_INTEGER);
    return rows.flatMap((r) => decodeAll(r.data));
  }

  private readonly eventCounts = new Map<string, number>();
  private digest = "";
  private runs = 0;

  private async check(): Promise<void> {
    const hash = createHash("sha256");
    const byRun = new Map<string, HistoryEvent[]>();
    const rows = await this.store.visibility.list({ namespaceKey: NAMESPACE.key, filter: undefined, orderBy: [] }, 1_000_000, undefined);
    const listed = new Map(rows.rows.map((r) => [r.runId, r]));
    const lastStart = new Map<string, { requestId: string; runId: string }>();
    for (const key of this.store.executionKeys()) {
      const state = await this.load(key);
      if (state === undefined) continue;
      this.runs++;
      const events = await this.historyOf(state);
      byRun.set(state.info.runId, events);
      for (const e of events) {
        const name = EventType[e.eventType] ?? "";
        this.eventCounts.set(name, (this.eventCounts.get(name) ?? 0) + 1);
      }
      const where = `${state.info.workflowId} ${state.info.runId}`;
      events.forEach((e, i) => {
        if (e.eventId !== i + 1) this.problem(`${where}: event ${i + 1} has id ${e.eventId}`);
      });
      const buffered = [...state.buffered.base.values()].sort((a, b) => a.rowId - b.rowId).flatMap((b) => (b.event === undefined ? [] : [b.event]));
      const stored = JSON.stringify(project(state));
      const replayed = JSON.stringify(project(replay(events, buffered)));
      if (stored !== replayed) this.problem(`${where}: replay differs\n stored   ${stored}\n replayed ${replayed}`);
      const row = listed.get(state.info.runId);
      if (row === undefined) this.problem(`${where}: not listed`);
      else if (row.status !== state.info.status || row.closeTime !== state.info.closeTime)
        this.problem(`${where}: listed as ${row.status}, is ${state.info.status}`);
      this.checkOnce(where, events);
      this.checkDelivered(where, events);
      const id = state.info.workflowId;
      const last = lastStart.get(id);
      if (last !== undefined && last.requestId === state.info.startRequestId && last.requestId !== "")
        this.problem(`${where}: start ${last.requestId} was applied twice in a row, before as ${last.runId}`);
      lastStart.set(id, { requestId: state.info.startRequestId, runId: state.info.runId });
      hash.update(`${where} ${state.info.status} ${events.map((e) => e.eventType).join(",")}\n`);
    }
    for (const [requestId, runId] of this.startsAcked)
      if (!byRun.has(runId) && !this.deleted.has(runId)) this.problem(`start ${requestId} was acknowledged as ${runId} and is lost`);
    for (const s of this.signalsAcked) {
      const n = (byRun.get(s.runId) ?? []).filter(
        (e) => e.attributes.case === "workflowExecutionSignaledEventAttributes" && e.attributes.value.requestId === s.requestId,
      ).length;
      if (n === 0 && !this.isClosedWithBuffer(byRun.get(s.runId)))
        this.problem(`signal ${s.requestId} of ${s.workflowId} ${s.runId} was acknowledged and is lost`);
      if (n > 1) this.problem(`signal ${s.requestId} of ${s.workflowId} is there ${n} times`);
    }
    this.digest = hash.digest("hex").slice(0, 16);
  }

  /** Events that waited when a run was ended from outside are dropped with it, as on the official server. */
  private isClosedWithBuffer(events: readonly HistoryEvent[] | undefined): boolean {
    const last = events?.at(-1)?.eventType;
    return (
      last === EventType.WORKFLOW_EXECUTION_TERMINATED ||
      last === EventType.WORKFLOW_EXECUTION_TIMED_OUT ||
      last === EventType.WORKFLOW_EXECUTION_CANCELED
    );
  }

  /** With every worker alive and every batch written, no task is ever left to its timeout: those of pollers that went away come back at once. */
  private checkDelivered(where: string, events: readonly HistoryEvent[]): void {
    if (this.swarm.workerDeaths || this.swarm.crashes || this.swarm.refuses || this.swarm.fills) return;
    for (const e of events) {
      const a = e.attributes;
      if (a.case !== "workflowTaskTimedOutEventAttributes" || a.value.startedEventId === 0) continue;
      const started = events[a.value.startedEventId - 1];
      if (started !== undefined && timeOf(e) - timeOf(started) >= 10_000_000)
        this.problem(`${where}: workflow task ${a.value.scheduledEventId} was given to nobody`);
    }
  }

  private checkOnce(where: string, events: readonly HistoryEvent[]): void {
    const ended = new Set<string>();
    for (const e of events) {
      const a = e.attributes;
      let id: string | undefined;
      switch (a.case) {
        case "activityTaskCompletedEventAttributes":
        case "activityTaskFailedEventAttributes":
        case "activityTaskTimedOutEventAttributes":
        case "activityTaskCanceledEventAttributes":
          id = `activity ${a.value.scheduledEventId}`;
          if (a.case === "activityTaskCompletedEventAttributes" && events[a.value.startedEventId - 1]?.eventType !== EventType.ACTIVITY_TASK_STARTED)
            this.problem(`${where}: completion without a started event`);
          break;
        case "timerFiredEventAttributes": {
          id = `timer ${a.value.startedEventId}`;
          const started = events[a.value.startedEventId - 1];
          if (started?.attributes.case === "timerStartedEventAttributes") {
            const due =
              timeOf(started) +
              (started.attributes.value.startToFireTimeout?.seconds ?? 0) * 1e6 +
              Math.floor((started.attributes.value.startToFireTimeout?.nanos ?? 0) / 1000);
            if (timeOf(e) < due) this.problem(`${where}: timer ${a.value.timerId} fired early`);
          }
          break;
        }
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
        case "workflowTaskCompletedEventAttributes":
        case "workflowTaskFailedEventAttributes":
          id = `task ${a.value.scheduledEventId}`;
          break;
        default:
      }
      if (id === undefined) continue;
      if (ended.has(id)) this.problem(`${where}: ${id} ended twice`);
      ended.add(id);
    }
  }

  private report(): Report {
    return {
      seed: this.options.seed,
      digest: this.digest,
      inputs: this.inputs,
      crashes: this.crashes,
      commits: this.store.statistics().commits,
      runs: this.runs,
      events: this.eventCounts,
      faults: this.faults,
      problems: this.problems,
    };
  }
}

const timeOf = (e: HistoryEvent): number => (e.eventTime?.seconds ?? 0) * 1e6 + Math.floor((e.eventTime?.nanos ?? 0) / 1000);

function decodeAll(data: Uint8Array): HistoryEvent[] {
  const offsets = frameOffsets(data);
  return offsets.slice(0, -1).map((at, i) => decodeFramed(data.subarray(at, offsets[i + 1])));
}
