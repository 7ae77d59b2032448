/**
 * Clients: each step is one call of some kind on one of a few workflow ids, so that they meet. A client may send twice at once,
 * send again after an answer that it lost, send late, or vanish before the answer comes.
 */
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  QueryWorkflowRequest,
  RequestCancelWorkflowExecutionRequest,
  ShutdownWorkerRequest,
  SignalWithStartWorkflowExecutionRequest,
  SignalWorkflowExecutionRequest,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";
import type { InputKind, InputOf } from "../../src/core/input.js";
import type { Replies, StartedWorkflowTask } from "../../src/core/transition.js";
import type { Receivers } from "./callbacks.js";
import { externalInput } from "./external-payloads.js";
import { QUEUE, queueOf } from "./programs.js";
import { NAMESPACE } from "./server.js";
import { newConfig } from "./time.js";
import type { Versions } from "./versions.js";
import { pickWorkflowId, SimCall, type SimWorld } from "./world.js";

const WORKERS = 3;
const REUSE = [WorkflowIdReusePolicy.ALLOW_DUPLICATE, WorkflowIdReusePolicy.REJECT_DUPLICATE, WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY];
const CONFLICT = [WorkflowIdConflictPolicy.FAIL, WorkflowIdConflictPolicy.USE_EXISTING, WorkflowIdConflictPolicy.TERMINATE_EXISTING];

/** A worker's own, whatever queue it takes tasks of: each task goes back to its workflow's. */
export const stickyQueue = (worker: number): string => `sticky-${worker}`;

export class Clients {
  private requests = 0;
  private order = 0;
  /** By workflow id: number of the newest answer that came in order. */
  private readonly answered = new Map<string, number>();
  private lastSignal: { workflowId: string; runId: string; requestId: string } | undefined;

  constructor(
    private readonly w: SimWorld,
    private readonly receivers: Receivers,
    private readonly versions: Versions,
    /** A task that came with the answer to a start. */
    private readonly onEagerTask: (task: StartedWorkflowTask) => void,
  ) {}

  step(): void {
    const { w } = this;
    let workflowId = pickWorkflowId(w);
    const requestId = `r${this.requests++}`;
    const kind = w.pick(100);
    // Children have names that are known. What ends a run is to meet them often: a parent that hears of it is seldom otherwise.
    if (kind >= 55 && w.chance(kind < 58 ? 600 : 200)) workflowId += `/s${w.pick(4)}`;
    if (kind < 28) this.start(workflowId, requestId);
    else if (kind < 48) this.signal(workflowId, requestId);
    else if (kind < 55) this.signalWithStart(workflowId, requestId);
    else if (kind < 58) this.terminate(workflowId);
    else if (kind < 62) this.cancel(workflowId, requestId);
    else if (kind < 64) this.delete(workflowId);
    else if (kind < 74) this.query(workflowId);
    else if (kind < 76) this.send(workflowId, "", { kind: "resetSticky" });
    else if (kind < 77) this.shutDownWorker();
    else if (kind < 87)
      this.send<"describe">(workflowId, "", { kind: "describe" }, ({ workflowExecutionInfo: info, callbacks }) =>
        this.receivers.described(info?.execution?.runId ?? "", callbacks ?? []),
      );
    else if (kind < 88) this.send(workflowId, "", { kind: "timeSkippingState" });
    else this.send(workflowId, "", { kind: "historyPosition" });
  }

  /** Sends now or late, once or twice, and again when the answer is lost; `then` gets each answer. */
  private send<K extends InputKind>(workflowId: string, runId: string, input: InputOf<K>, then: (reply: Replies[K]) => void = () => undefined): void {
    const { w } = this;
    const once = (again: boolean): void => {
      const order = ++this.order;
      w.submit<K>(workflowId, runId, input).then(
        (reply) => {
          this.checkOrder(workflowId, input.kind, order);
          then(reply);
          if (again) {
            w.count("client lost a reply");
            once(false);
          }
        },
        (e) => w.expected(e),
      );
    };
    const isDelayed = w.chance(50);
    const isDuplicate = w.swarm.duplicates && w.chance(50);
    if (w.chance(20)) {
      // It does not live to see the answer.
      w.count("client died");
      w.submit<K>(workflowId, runId, input).catch((e: unknown) => w.expected(e));
      return;
    }
    if (isDelayed) {
      w.count("client delayed");
      w.later(w.pick(2_000_000), () => once(false));
    } else once(w.swarm.lostReplies && w.chance(100));
    if (isDuplicate) {
      // At once, or when the workflow has gone on, perhaps as another run.
      w.count("client sent twice");
      if (w.chance(500)) once(false);
      else w.later(w.pick(3_000_000), () => once(false));
    }
  }

  /** Answers of one workflow id leave in the order of its inputs. Queries wait for workers, so they have none. */
  private checkOrder(workflowId: string, kind: InputKind, order: number): void {
    if (kind === "query") return;
    const last = this.answered.get(workflowId) ?? 0;
    if (order < last) this.w.problem(`${workflowId}: the answer to ${kind} came after that to a later call`);
    this.answered.set(workflowId, Math.max(order, last));
  }

  private start(workflowId: string, requestId: string): void {
    const { w } = this;
    const isVersioned = workflowId.startsWith("v");
    const versioningOverride = isVersioned && w.chance(150) ? this.versions.newOverride() : undefined;
    const isCron = w.chance(15);
    const attaches = w.chance(300);
    const completionCallbacks = w.swarm.callbacks && w.chance(300) ? [this.receivers.newCallback()] : [];
    const init: Init<StartWorkflowExecutionRequest> = {
      workflowId,
      workflowType: { name: "sim" },
      taskQueue: { name: queueOf(workflowId) },
      requestId,
      workflowTaskTimeout: duration(10_000_000),
      workflowIdReusePolicy: REUSE[w.pick(3)] as WorkflowIdReusePolicy,
      workflowIdConflictPolicy: CONFLICT[w.pick(3)] as WorkflowIdConflictPolicy,
      workflowStartDelay: !isCron && w.chance(100) ? duration(w.pick(3000) * 1000) : undefined,
      onConflictOptions: attaches ? { attachRequestId: true, attachLinks: true, attachCompletionCallbacks: true } : undefined,
      completionCallbacks,
      requestEagerExecution: w.chance(200) && !isVersioned,
      versioningOverride,
      timeSkippingConfig: workflowId.startsWith("t") && w.chance(900) ? newConfig(w) : undefined,
      workflowRunTimeout: w.chance(100) ? duration(1_000_000 + w.pick(20_000_000)) : undefined,
      retryPolicy: w.chance(200)
        ? { initialInterval: duration(200_000), backoffCoefficient: 2, maximumInterval: duration(2_000_000), maximumAttempts: 3 }
        : undefined,
      // Cron chains end with their time.
      cronSchedule: isCron ? "@every 3s" : "",
      workflowExecutionTimeout: isCron ? duration(20_000_000) : undefined,
    };
    const request = StartWorkflowExecutionRequest.create(init);
    this.send(workflowId, "", { kind: "start", request, parent: undefined }, (r) => {
      if (r.started) w.acknowledged.starts.set(requestId, r.runId);
      if (r.started) this.versions.overridden(r.runId, request.versioningOverride);
      if (r.started || attaches) this.receivers.attached(completionCallbacks, r.runId);
      if (r.eagerTask !== undefined) this.onEagerTask(r.eagerTask);
    });
  }

  private signal(workflowId: string, requestId: string): void {
    const { w } = this;
    const before = this.lastSignal;
    // Half of them go where the one before went, which has been acknowledged.
    const follows = before !== undefined && w.chance(500);
    const id = follows ? before.workflowId : workflowId;
    const request = SignalWorkflowExecutionRequest.create({
      workflowExecution: { workflowId: id },
      signalName: "s",
      requestId,
      input: externalInput(requestId),
    });
    this.send(id, "", { kind: "signal", request, external: undefined }, ({ runId }) => {
      w.acknowledged.signals.push({ workflowId: id, runId, requestId });
      if (follows && before.runId === runId) w.acknowledged.signalOrder.push({ runId, first: before.requestId, second: requestId });
      this.lastSignal = { workflowId: id, runId, requestId };
    });
  }

  private signalWithStart(workflowId: string, requestId: string): void {
    const request = SignalWithStartWorkflowExecutionRequest.create({
      workflowId,
      workflowType: { name: "sim" },
      taskQueue: { name: queueOf(workflowId) },
      signalName: "s",
      requestId,
      workflowTaskTimeout: duration(10_000_000),
    });
    this.send(workflowId, "", { kind: "signalWithStart", request }, ({ runId }) =>
      this.w.acknowledged.signals.push({ workflowId, runId, requestId }),
    );
  }

  private terminate(workflowId: string): void {
    if (!this.w.swarm.terminates) return;
    const request = TerminateWorkflowExecutionRequest.create({ reason: "sim" });
    this.send(workflowId, "", { kind: "terminate", request, childWorkflowOnly: false, parent: undefined }, ({ runId }) =>
      this.w.acknowledged.terminated.push(runId),
    );
  }

  private cancel(workflowId: string, requestId: string): void {
    const { w } = this;
    if (!w.swarm.cancels) return;
    const request = RequestCancelWorkflowExecutionRequest.create({ requestId });
    this.send(workflowId, "", { kind: "requestCancel", request, external: undefined }, ({ runId }) =>
      w.acknowledged.cancels.push({ runId, at: w.time }),
    );
  }

  /** As the frontend does it: an open run is terminated first. */
  private delete(workflowId: string): void {
    const { w } = this;
    if (!w.swarm.deletes) return;
    const request = TerminateWorkflowExecutionRequest.create({ reason: "delete" });
    const remove = async (): Promise<void> => {
      const position = await w.submit<"historyPosition">(workflowId, "", { kind: "historyPosition" });
      const { runId } = position;
      // Asked for is enough: whether the answer arrives or not, it may be gone.
      w.acknowledged.deleted.add(runId);
      if (position.isOpen)
        await w.submit(workflowId, runId, { kind: "terminate", request, childWorkflowOnly: false, parent: undefined }).catch((e) => w.expected(e));
      await w.submit(workflowId, runId, { kind: "delete" });
    };
    remove().catch((e: unknown) => w.expected(e));
  }

  private query(workflowId: string): void {
    const { w } = this;
    const { server } = w;
    if (server === undefined) return;
    const waiter = server.engine.newWaiter();
    const request = QueryWorkflowRequest.create({ execution: { workflowId }, query: { queryType: "q" } });
    w.submit(workflowId, "", { kind: "query", request, waiter }).then(
      (reply) => {
        if (reply.kind === "answered") return;
        // Asked of a worker directly: nothing of it is durable.
        const call = new SimCall(w.now / 1000 + 10_000);
        const onStickyUnanswered = () => void w.submit(workflowId, reply.runId, { kind: "resetSticky" }).catch((e) => w.expected(e));
        w.call((s) => s.matching.query(NAMESPACE, { reply, request, onStickyUnanswered }, call)).then(
          () => undefined,
          (e) => w.expected(e),
        );
      },
      (e) => w.expected(e),
    );
    if (w.chance(300))
      w.submit(workflowId, "", { kind: "dropQuery", waiter }).then(
        () => undefined,
        (e) => w.expected(e),
      );
  }

  private shutDownWorker(): void {
    const { w } = this;
    if (!w.swarm.sticky || w.server === undefined) return;
    w.count("worker shut down");
    w.server.matching.shutdownWorker(NAMESPACE, ShutdownWorkerRequest.create({ stickyTaskQueue: stickyQueue(w.pick(WORKERS)), taskQueue: QUEUE }));
  }
}
