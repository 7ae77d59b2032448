/** Queries that a worker is asked directly, through a task without history: each waits in a queue, then for its worker's answer. */
import { WorkerDeploymentVersionStatus } from "../../gen/wire/temporal/api/enums/v1/deployment.js";
import { QueryResultType } from "../../gen/wire/temporal/api/enums/v1/query.js";
import { VersioningBehavior } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { QueryWorkflowResponse, RespondQueryTaskCompletedRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import {
  canceled,
  deadlineExceeded,
  failedPrecondition,
  internal,
  notFound,
  queryFailed,
  type ServiceError,
  unavailable,
} from "../api/service-error.js";
import { MICROS_PER_MS } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { DispatchTask } from "../core/transition.js";
import { statusOf } from "../core/versioning/routing.js";
import type { Runtime } from "../lib/runtime.js";
import type { DirectQuery } from "./contract.js";
import { EMPTY_ANSWER_BUDGET_MS, type LimitsOf } from "./limits.js";
import { PendingQuery, type QueryOutcome } from "./pending-query.js";
import { type QueueName, queueId } from "./queue-keys.js";
import type { QueueState } from "./queue-state.js";
import type { Queues } from "./queues.js";
import type { VersionRouter } from "./version-router.js";

const QUERY = { type: "workflow" } as const;

interface DirectQueriesDependencies {
  readonly runtime: Runtime;
  readonly limits: LimitsOf;
  readonly queues: Queues;
  /** Brings together what waits in the queue. */
  readonly pump: (q: QueueState) => void;
  readonly versions: VersionRouter | undefined;
}

export class DirectQueries {
  private readonly pending = new Map<string, PendingQuery>();
  private isDraining = false;

  constructor(private readonly deps: DirectQueriesDependencies) {}

  /**
   * Asks the sticky worker if there is one, then the normal queue. The sticky attempt lasts no longer than a task would wait in the
   * sticky queue, answer included, and ends the stickiness when nothing comes of it (official: service/history/api/queryworkflow).
   */
  async query(namespace: NamespaceView, query: DirectQuery, call: Call): Promise<Init<QueryWorkflowResponse>> {
    const { reply } = query;
    const { queues } = this.deps;
    const limits = this.deps.limits(namespace.id);
    const deadline = call.deadlineMs === undefined ? this.now() + limits.queryWithoutDeadlineMs * MICROS_PER_MS : call.deadlineMs * MICROS_PER_MS;
    const { versions } = this.deps;
    const routed = versions?.isActive === true ? { ...QUERY, ...reply, workflowId: reply.workflowId ?? "", namespaceId: namespace.id } : undefined;
    if (reply.stickyTaskQueue !== "" && (routed === undefined || versions?.fitsSticky(routed, reply.taskQueue) === true)) {
      const sticky = queues.find(queueId(workflowQueue(namespace, reply.stickyTaskQueue, true)));
      if (sticky?.isStickyAvailable(this.now())) {
        const until = Math.min(deadline, this.now() + reply.stickyScheduleToStartMs * MICROS_PER_MS);
        const outcome = await this.ask(sticky, namespace, query, call, until, false);
        if (outcome.kind !== "unanswered") return answerOf(outcome);
      }
      if (!call.cancelled) query.onStickyUnanswered();
    }
    if (!call.cancelled && this.now() < deadline) {
      const name = workflowQueue(namespace, reply.taskQueue, false);
      if (routed !== undefined) this.refuseDrained(name, routed);
      const version = routed === undefined ? undefined : versions?.waitsFor(routed, reply.taskQueue);
      const normal = queues.open(version === undefined ? name : { ...name, version });
      const outcome = await this.ask(normal, namespace, query, call, deadline, true);
      if (outcome.kind !== "unanswered") return answerOf(outcome);
    }
    throw call.cancelled && this.now() < deadline
      ? canceled("context canceled")
      : deadlineExceeded("query timed out before a worker could process it");
  }

  /** Of a version that has drained and whose workers are gone nobody will answer. */
  private refuseDrained(name: QueueName, task: Pick<DispatchTask, "version">): void {
    const { version } = task;
    if (version?.behavior !== VersioningBehavior.PINNED || version.version === undefined) return;
    const status = statusOf(this.deps.versions?.versionsOf(name.namespaceId, name.name, "workflow"), version.version);
    if (status !== WorkerDeploymentVersionStatus.DRAINED) return;
    const base = this.deps.queues.find(queueId(name));
    if (base !== undefined && [...base.family()].some((q) => q.pollers.list(this.now()).length > 0)) return;
    const { buildId } = version.version;
    throw failedPrecondition(
      `You are trying to query a closed Workflow that is PINNED to Worker Deployment Version ${buildId}, but ${buildId} is drained and has no pollers to answer the query. Immediately: You can re-deploy Workers in this Deployment Version to take those queries, or you can workflow update-options to change your workflow to AUTO_UPGRADE. For the future: In your infrastructure, consider waiting longer after the last queried timestamp as reported in Describe Deployment before you sunset Workers. Or mark this workflow as AUTO_UPGRADE.`,
    );
  }

  respond(namespace: NamespaceView, id: string, request: RespondQueryTaskCompletedRequest): void {
    const pending = this.pending.get(id);
    if (pending === undefined || !pending.isSent || pending.namespaceId !== namespace.id) {
      throw notFound("query task not found, or already expired");
    }
    switch (request.completedType) {
      case QueryResultType.ANSWERED:
        return pending.settle({ kind: "answered", response: { queryResult: request.queryResult } });
      case QueryResultType.FAILED:
        return pending.settle({ kind: "failed", error: queryFailed(request.errorMessage, { failure: request.failure }) });
      default:
        return pending.settle({ kind: "failed", error: internal("unknown query completed type") });
    }
  }

  /** Those that no worker has got fail; the others may still be answered. */
  drain(): void {
    this.isDraining = true;
    for (const query of [...this.pending.values()]) if (!query.isSent) query.settle({ kind: "failed", error: shuttingDown() });
  }

  /** Waits for the worker's answer; the outcome is `unanswered` at `until` (microseconds) or when the caller goes. */
  private async ask(
    q: QueueState,
    namespace: NamespaceView,
    query: DirectQuery,
    call: Call,
    until: number,
    needsPoller: boolean,
  ): Promise<QueryOutcome> {
    if (this.isDraining) return { kind: "failed", error: shuttingDown() };
    const id = Buffer.from(this.deps.runtime.randomBytes16()).toString("hex");
    const pending = new PendingQuery(id, namespace.id, query, (settled) => {
      this.pending.delete(settled.id);
      q.line.removeQuery(settled);
    });
    this.pending.set(id, pending);
    q.lastUsed = this.now();
    q.line.addQuery(pending);
    this.deps.pump(q);
    const stopTimer = this.at(until, () => pending.settle({ kind: "unanswered" }));
    const stopListening = call.onCancel(() => pending.settle({ kind: "unanswered" }));
    const stopPatience = needsPoller && !pending.isSent ? this.watchForPollers(q, pending, until) : undefined;
    try {
      return await pending.outcome;
    } finally {
      stopTimer();
      stopListening();
      stopPatience?.();
    }
  }

  /**
   * Fails a waiting query when nobody polls: after the window that the official server has, or a second before the caller's
   * deadline, so that the reason still reaches it. A worker that is just starting gets that long to appear.
   */
  private watchForPollers(q: QueueState, pending: PendingQuery, until: number): () => void {
    const windowMicros = this.deps.limits(q.name.namespaceId).queryPollerUnavailableMs * MICROS_PER_MS;
    const latest = until - EMPTY_ANSWER_BUDGET_MS * MICROS_PER_MS;
    let stop: () => void = () => undefined;
    const arm = (time: number) => {
      stop = this.at(Math.min(time, latest), check);
    };
    const check = () => {
      if (pending.isSent || pending.isSettled) return;
      const now = this.now();
      const since = this.deps.queues.sinceLastPoll(q.id);
      if (since === undefined || since * MICROS_PER_MS >= windowMicros)
        return pending.settle({ kind: "failed", error: noPoller(q.name.name, since, now) });
      if (now < latest) arm(now - since * MICROS_PER_MS + windowMicros);
    };
    arm(this.now() + windowMicros);
    return () => stop();
  }

  private now(): number {
    return this.deps.runtime.nowMicros();
  }

  private at(micros: number, f: () => void): () => void {
    return this.deps.runtime.setTimer(Math.max(0, Math.ceil((micros - this.now()) / MICROS_PER_MS)), f);
  }
}

function workflowQueue(namespace: NamespaceView, name: string, isSticky: boolean): QueueName {
  return { namespaceId: namespace.id, namespaceKey: namespace.key, name, type: "workflow", isSticky };
}

function shuttingDown(): ServiceError {
  return unavailable("server is shutting down");
}

function answerOf(outcome: Exclude<QueryOutcome, { kind: "unanswered" }>): Init<QueryWorkflowResponse> {
  if (outcome.kind === "failed") throw outcome.error;
  return outcome.response;
}

function noPoller(taskQueue: string, sinceMs: number | undefined, now: number): ServiceError {
  const since = sinceMs === undefined ? "since the server started" : `since ${new Date(now / MICROS_PER_MS - sinceMs).toISOString()}`;
  return failedPrecondition(
    `no poller seen for task queue recently, worker may be down: nobody has polled workflow task queue "${taskQueue}" ${since}`,
  );
}
