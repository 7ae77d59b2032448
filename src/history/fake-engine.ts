/**
 * For tests: the engine over the real core and the memory store, with time, turns and commits in the test's hand. `hook` stands
 * before the core: it may answer an input itself, or throw.
 */
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import {
  RespondWorkflowTaskCompletedRequest,
  SignalWorkflowExecutionRequest,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { ServiceError } from "../api/service-error.js";
import { decodeTaskToken } from "../api/task-token.js";
import type { Init } from "../api/wire.js";
import { defaultConfig } from "../config/dynamic-config.js";
import { apply, type Chain } from "../core/engine.js";
import type { Env, ExecutionAddress, Input, Poller } from "../core/input.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { DispatchTask, Loaded, Outcome, Replies, StartedWorkflowTask } from "../core/transition.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import type { Logger } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";
import { MemoryStore } from "../persistence/memory/store.js";
import type { Reservation, TaskDispatcher } from "./contract.js";
import { HistoryEngine } from "./history-engine.js";
import { decodeFramed, frameOffsets } from "./history-reader.js";
import { KEYS_REGISTRY_KIND } from "./ids.js";

export const NAMESPACE: NamespaceView = { id: "ns-id", name: "default", key: 1, retention: 86_400_000_000, state: 1, searchAttributes: new Map() };
export const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export const POLLER: Poller = {
  requestId: "poll-1",
  identity: "worker",
  versionStamp: undefined,
  taskQueue: "q",
  taskQueueKind: 1,
  workerInstanceKey: "",
};

/** A poller or none: what matching would say. */
export class FakeDispatcher implements TaskDispatcher {
  readonly kept: DispatchTask[] = [];
  isPolled = false;
  isGone = false;
  readonly stored: DispatchTask[] = [];
  readonly settledBatches: boolean[] = [];
  readonly confirmed: (Replies["startWorkflowTask"] | Replies["startActivity"])[] = [];
  released = 0;
  private polls = 0;

  reserve(task: DispatchTask): Reservation | undefined {
    if (!this.isPolled) return undefined;
    const common = {
      scheduledEventId: task.scheduledEventId,
      attempt: task.attempt,
      stamp: task.stamp,
      poller: { ...POLLER, requestId: `direct-${++this.polls}` },
    };
    return {
      input: task.type === "workflow" ? { kind: "startWorkflowTask", ...common } : { kind: "startActivity", ...common, metadata: undefined },
      isGone: () => this.isGone,
      confirm: (reply) => this.confirmed.push(reply),
      release: () => {
        this.released++;
      },
    };
  }
  store(task: DispatchTask, batch: Batch): void {
    this.stored.push(task);
    batch.writeBacklog({ queue: 1, priority: task.priority, pass: 0, id: this.stored.length }, { op: "insert", value: new Uint8Array(1) });
  }
  keep(task: DispatchTask): void {
    this.kept.push(task);
  }
  settled(_batch: Batch, durable: boolean): void {
    this.settledBatches.push(durable);
  }
}

export type Hook = (input: Input, address: ExecutionAddress, env: Env, loaded: Loaded) => Outcome | undefined;
type Verdict = "ok" | "refused" | "full" | "doneButFailed";

/** One process after another over one store. */
export class FakeEngine {
  readonly runtime = new FakeRuntime();
  dispatcher = new FakeDispatcher();
  store: MemoryStore;
  engine: HistoryEngine;
  hook: Hook | undefined;
  verdict: (batch: Batch) => Verdict = () => "ok";
  /** Commits that wait for `letGo`, oldest first. */
  readonly held: (() => void)[] = [];
  isHolding = false;
  readonly committed: Batch[] = [];
  readonly bugs: Input[] = [];
  readonly fatal: Error[] = [];

  constructor(private readonly sameBatchTransfers = true) {
    this.store = new MemoryStore(this.faults());
    this.engine = this.make(undefined);
  }

  private faults() {
    return {
      beforeCommit: (batch: Batch): Verdict => {
        this.committed.push(batch);
        return this.verdict(batch);
      },
      settle: (resolve: () => void): void => {
        if (this.isHolding) this.held.push(resolve);
        else resolve();
      },
    };
  }

  private make(keysRecord: Uint8Array | undefined): HistoryEngine {
    const config = defaultConfig();
    return new HistoryEngine({
      store: this.store,
      runtime: this.runtime,
      logger: silent,
      config: () => config,
      namespaces: () => ({
        byName: (n) => (n === NAMESPACE.name ? NAMESPACE : undefined),
        byId: (id) => (id === NAMESPACE.id ? NAMESPACE : undefined),
      }),
      dispatcher: this.dispatcher,
      apply: ((chain: Chain, address: ExecutionAddress, input: Input, env: Env, loaded: Loaded) =>
        this.hook?.(input, address, env, loaded) ?? apply(chain, address, input, env, loaded)) as typeof apply,
      keysRecord,
      sameBatchTransfers: this.sameBatchTransfers,
      onBug: (report) => {
        this.bugs.push(report.input);
        return "reproducer";
      },
      onFatal: (e) => this.fatal.push(e),
    });
  }

  /** The process dies; another one starts on what is durable. */
  async restart(): Promise<void> {
    this.store = this.store.crash(this.faults());
    this.held.length = 0;
    this.dispatcher = new FakeDispatcher();
    const registry = await this.store.loadRegistry();
    this.engine = this.make(registry.find((r) => r.kind === KEYS_REGISTRY_KIND)?.value);
    await this.engine.start(registry);
    await this.settle();
  }

  settle(): Promise<void> {
    return this.runtime.settle();
  }

  /** Lets one held commit go on. */
  async letGo(): Promise<void> {
    this.held.shift()?.();
    await this.settle();
  }

  start(workflowId: string, request: Init<StartWorkflowExecutionRequest> = {}): Watched<Replies["start"]> {
    const full = StartWorkflowExecutionRequest.create({
      namespace: NAMESPACE.name,
      workflowId,
      workflowType: { name: "t" },
      taskQueue: { name: "q" },
      requestId: `start-${workflowId}`,
      workflowTaskTimeout: { seconds: 10 },
      workflowIdReusePolicy: 1,
      workflowIdConflictPolicy: 1,
      ...request,
    } as Init<StartWorkflowExecutionRequest>);
    return watch(this.engine.submit(at(workflowId), { kind: "start", request: full, parent: undefined }));
  }

  signal(workflowId: string, signalName: string, requestId = ""): Watched<Replies["signal"]> {
    const request = SignalWorkflowExecutionRequest.create({ workflowExecution: { workflowId }, signalName, requestId });
    return watch(this.engine.submit(at(workflowId), { kind: "signal", request, external: undefined }));
  }

  terminate(workflowId: string): Watched<Replies["terminate"]> {
    const request = TerminateWorkflowExecutionRequest.create({ workflowExecution: { workflowId } });
    return watch(this.engine.submit(at(workflowId), { kind: "terminate", request, childWorkflowOnly: false, parent: undefined }));
  }

  /** Committed events of the newest run. */
  async events(workflowId: string): Promise<HistoryEvent[]> {
    const position = this.position(workflowId);
    await this.settle();
    if (position.value === undefined) throw position.error ?? new Error("no position");
    const { data } = await this.engine.readHistory(position.value.range, {
      fromEventId: 1,
      eventCountMax: 10_000,
      bytesMax: 1 << 24,
      reverse: false,
    });
    const offsets = frameOffsets(data);
    return offsets.slice(0, -1).map((o, i) => decodeFramed(data.subarray(o, offsets[i + 1])));
  }

  async eventTypes(workflowId: string): Promise<(string | undefined)[]> {
    return (await this.events(workflowId)).map((e) => EventType[e.eventType]);
  }

  async signalNames(workflowId: string): Promise<string[]> {
    const events = await this.events(workflowId);
    return events.flatMap(({ attributes }) => (attributes.case === "workflowExecutionSignaledEventAttributes" ? [attributes.value.signalName] : []));
  }

  /** Starts the workflow for a poller that waits. */
  async startTask(workflowId: string): Promise<StartedWorkflowTask> {
    this.dispatcher.isPolled = true;
    this.start(workflowId);
    await this.settle();
    this.dispatcher.isPolled = false;
    return this.dispatcher.confirmed.at(-1) as StartedWorkflowTask;
  }

  describe(workflowId: string): Watched<Replies["describe"]> {
    return watch(this.engine.submit(at(workflowId), { kind: "describe" }));
  }

  position(workflowId: string): Watched<Replies["historyPosition"]> {
    return watch(this.engine.submit(at(workflowId), { kind: "historyPosition" }));
  }

  complete(
    task: StartedWorkflowTask,
    request: Init<RespondWorkflowTaskCompletedRequest>,
    isGone: () => boolean = () => false,
  ): Watched<Replies["completeWorkflowTask"]> {
    const token = decodeTaskToken(task.response.taskToken ?? new Uint8Array());
    if (token === undefined) throw new Error("a started task has a token");
    const address = { namespaceId: token.namespaceId, workflowId: token.workflowId, runId: token.runId };
    const full = RespondWorkflowTaskCompletedRequest.create(request);
    return watch(this.engine.submit(address, { kind: "completeWorkflowTask", token, request: full }, { isGone }));
  }
}

export const at = (workflowId: string, runId = ""): ExecutionAddress => ({ namespaceId: NAMESPACE.id, workflowId, runId });

/** A promise whose outcome can be seen without waiting. */
export interface Watched<T> {
  readonly promise: Promise<T>;
  value: T | undefined;
  error: ServiceError | undefined;
  isSettled: boolean;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
  const w: Watched<T> = { promise, value: undefined, error: undefined, isSettled: false };
  promise.then(
    (value) => {
      w.value = value;
      w.isSettled = true;
    },
    (error: ServiceError) => {
      w.error = error;
      w.isSettled = true;
    },
  );
  return w;
}
