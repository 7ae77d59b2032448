/** For the tests of matching: the engine over a store, a history and a clock that the test moves. */
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { PollActivityTaskQueueRequest, PollWorkflowTaskQueueRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import type { Poller } from "../core/input.js";
import { comparePositions } from "../core/matching/backlog-window.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { DispatchTask, StartedActivity, StartedWorkflowTask } from "../core/transition.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import type { Logger } from "../lib/runtime.js";
import { type BacklogKey, Batch } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import type { TaskStarter } from "./contract.js";
import { DEFAULT_MATCHING_LIMITS, type LimitsOf, type MatchingLimits } from "./limits.js";
import { MatchingEngine } from "./matching-engine.js";
import { QUEUE_REGISTRY_KIND, QueueKeys } from "./queue-keys.js";
import { QUEUE_CONFIG_REGISTRY_KIND, TaskQueueConfigs } from "./task-queue-configs.js";

export const START_MICROS = new FakeRuntime().now;
export const namespace: NamespaceView = { id: "ns-id", name: "default", key: 1, retention: 0, state: 1, searchAttributes: new Map() };
const keyText = (at: BacklogKey) => `${at.queue}/${at.priority}/${at.pass}/${at.id}`;

export class FakeStore {
  readonly rows = new Map<string, { at: BacklogKey; value: Uint8Array }>();
  readonly registry = new Map<string, Uint8Array>();
  readonly configs = new Map<string, Uint8Array>();
  reads = 0;
  failReads = 0;
  /** Holds reads back until it resolves. */
  gate: Promise<void> | undefined;

  commit(batch: Batch): void {
    for (const [text, { at, write }] of batch.backlog) {
      if (write.op === "delete") this.rows.delete(text);
      else this.rows.set(text, { at, value: write.value });
    }
    for (const [kind, rows] of [
      [QUEUE_REGISTRY_KIND, this.registry],
      [QUEUE_CONFIG_REGISTRY_KIND, this.configs],
    ] as const)
      for (const [id, { write }] of batch.registry.get(kind) ?? []) {
        if (write.op === "delete") rows.delete(id);
        else rows.set(id, write.value);
      }
  }
  async readBacklog(queue: number, after: BacklogKey | undefined, limit: number) {
    this.reads++;
    if (this.failReads > 0) {
      this.failReads--;
      throw new Error("disk");
    }
    const rows = this.of(queue)
      .filter((r) => after === undefined || comparePositions(r.at, after) > 0)
      .slice(0, limit);
    await this.gate;
    return rows;
  }
  async countBacklog(queue: number): Promise<number> {
    return this.of(queue).length;
  }
  private of(queue: number) {
    return [...this.rows.values()].filter((r) => r.at.queue === queue).sort((a, b) => comparePositions(a.at, b.at));
  }
}

export interface Start {
  task: DispatchTask;
  poller: Poller;
  consumed: BacklogKey | undefined;
  isGone: () => boolean;
  succeed(): void;
  fail(error: unknown): void;
}

export class FakeStarter implements TaskStarter {
  readonly starts: Start[] = [];
  readonly dropped: string[] = [];
  /** What becomes of a start; undefined leaves it open. */
  behaviour: (task: DispatchTask) => "ok" | "hold" | Error = () => "ok";

  constructor(private readonly store: FakeStore) {}

  startWorkflowTask(task: DispatchTask, poller: Poller, consumed: BacklogKey | undefined, isGone: () => boolean): Promise<StartedWorkflowTask> {
    return this.start(task, poller, consumed, isGone) as Promise<StartedWorkflowTask>;
  }
  startActivity(
    task: DispatchTask,
    poller: Poller,
    _request: unknown,
    consumed: BacklogKey | undefined,
    isGone: () => boolean,
  ): Promise<StartedActivity> {
    return this.start(task, poller, consumed, isGone) as Promise<StartedActivity>;
  }
  async drop(task: DispatchTask, consumed: BacklogKey): Promise<void> {
    this.dropped.push(task.workflowId);
    this.store.rows.delete(keyText(consumed));
  }
  private start(task: DispatchTask, poller: Poller, consumed: BacklogKey | undefined, isGone: () => boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const start: Start = {
        task,
        poller,
        consumed,
        isGone,
        succeed: () => {
          if (consumed !== undefined) this.store.rows.delete(keyText(consumed));
          resolve(started(task));
        },
        fail: reject,
      };
      this.starts.push(start);
      const what = this.behaviour(task);
      if (what === "ok") start.succeed();
      else if (what !== "hold") reject(what);
    });
  }
}

export const started = (task: DispatchTask) =>
  ({ response: { workflowId: task.workflowId }, scheduledEventId: task.scheduledEventId, nonce: 1 }) as unknown as StartedActivity;

export class FakeCall implements Call {
  readonly path = "/test";
  readonly peer = "";
  cancelled = false;
  private readonly listeners = new Set<() => void>();
  constructor(readonly deadlineMs: number | undefined = undefined) {}
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
  }
}

export function setup(
  limits: Partial<MatchingLimits> | ((...of: Parameters<LimitsOf>) => Partial<MatchingLimits>) = {},
  store = new FakeStore(),
  runtime = new FakeRuntime(),
) {
  const warnings: string[] = [];
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: (_f, m) => warnings.push(m), error: (_f, m) => warnings.push(m) };
  const starter = new FakeStarter(store);
  const rows = [...store.registry].map(([id, value]) => ({ kind: QUEUE_REGISTRY_KIND, id, version: 1, value }));
  const configRows = [...store.configs].map(([id, value]) => ({ kind: QUEUE_CONFIG_REGISTRY_KIND, id, version: 1, value }));
  const allLimits: LimitsOf = (...of) => ({ ...DEFAULT_MATCHING_LIMITS, ...(typeof limits === "function" ? limits(...of) : limits) });
  const engine = new MatchingEngine({
    store: store as unknown as Store,
    runtime,
    logger,
    limits: allLimits,
    queueKeys: new QueueKeys(rows),
    configs: new TaskQueueConfigs({
      rows: configRows,
      commit: async (batch) => store.commit(batch),
      now: () => runtime.now,
      weightOverridesMax: () => 3,
    }),
  });
  engine.setStarter(starter);
  const nowMs = () => runtime.now / 1000;

  /** A poll, with what became of it. */
  function poll(
    options: {
      type?: "workflow" | "activity";
      queue?: string;
      sticky?: string;
      rate?: number;
      identity?: string;
      instance?: string;
      call?: FakeCall;
    } = {},
  ) {
    const call = options.call ?? new FakeCall(nowMs() + 70_000);
    const kind = options.sticky === undefined ? TaskQueueKind.NORMAL : TaskQueueKind.STICKY;
    const common = {
      namespace: "default",
      taskQueue: { name: options.sticky ?? options.queue ?? "q", kind, normalName: options.sticky === undefined ? "" : (options.queue ?? "q") },
      identity: options.identity ?? "worker",
      workerInstanceKey: options.instance ?? "",
    };
    const promise: Promise<unknown> =
      (options.type ?? "activity") === "workflow"
        ? engine.pollWorkflowTask(namespace, PollWorkflowTaskQueueRequest.create(common), call)
        : engine.pollActivityTask(
            namespace,
            PollActivityTaskQueueRequest.create({
              ...common,
              taskQueueMetadata: options.rate === undefined ? undefined : { maxTasksPerSecond: { value: options.rate } },
            }),
            call,
          );
    const result: {
      state: "open" | "empty" | "error" | "task" | "query";
      workflowId: string;
      queryId: string;
      isSticky: boolean;
      scaling: number;
      waiting: number | undefined;
      call: FakeCall;
      error: unknown;
    } = {
      state: "open",
      workflowId: "",
      queryId: "",
      isSticky: false,
      scaling: 0,
      waiting: undefined,
      call,
      error: undefined,
    };
    promise.then(
      (answer) => {
        const a = answer as
          | { queryId?: string; isSticky?: boolean; task?: { response: { workflowId: string } }; scaling: number; waiting?: number }
          | undefined;
        result.state = a === undefined ? "empty" : a.queryId !== undefined ? "query" : "task";
        result.queryId = a?.queryId ?? "";
        result.isSticky = a?.isSticky ?? false;
        result.workflowId = a?.task?.response.workflowId ?? "";
        result.scaling = a?.scaling ?? 0;
        result.waiting = a?.waiting;
      },
      (error: unknown) => {
        result.state = "error";
        result.error = error;
      },
    );
    return result;
  }

  /** Stores tasks in one batch, durable at once. */
  function storeDurably(...tasks: DispatchTask[]): void {
    const batch = new Batch();
    for (const t of tasks) engine.store(t, batch);
    store.commit(batch);
    engine.settled(batch, true);
  }

  /** What the history engine does with a new task. */
  function offer(t: DispatchTask): "reserved" | "stored" {
    const reservation = engine.reserve(t);
    if (reservation === undefined) {
      storeDurably(t);
      return "stored";
    }
    reservation.confirm(started(t));
    return "reserved";
  }
  return { engine, runtime, store, starter, warnings, poll, storeDurably, offer, nowMs };
}

let serial = 0;
export function task(options: Partial<DispatchTask> & { sticky?: string } = {}): DispatchTask {
  serial++;
  const { sticky, ...rest } = options;
  return {
    type: "activity",
    namespaceId: namespace.id,
    namespaceKey: namespace.key,
    taskQueue: sticky ?? "q",
    normalTaskQueue: sticky === undefined ? undefined : "q",
    workflowId: `w${serial}`,
    runId: "r",
    executionKey: serial,
    scheduledEventId: 5,
    attempt: 1,
    stamp: 0,
    priority: 3,
    fairnessKey: "",
    fairnessWeight: 0,
    createTime: START_MICROS,
    expireTime: 0,
    ...rest,
  };
}
