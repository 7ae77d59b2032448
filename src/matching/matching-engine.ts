/**
 * Matching: brings tasks and queries to the workers that poll for them.
 *
 * In: tasks of the history engine, in the turn of the transition that made them (`reserve`, else `store`); polls, queries and
 * their answers from the frontend. Out: a poller held for a task (Reservation), a backlog row in the engine's batch, or the start
 * of a stored task through the TaskStarter. What waits in which order is decided by core/matching; this shell adds the calls, the
 * clock and the store.
 *
 * Invariants: a task is in exactly one place - the window of its queue, taken (being started, moved or dropped), or only in the
 * store. A row goes only after the start that consumed it is durable, or the task was found stale. A poller is answered once, and
 * never given a task when its stream is closed or has less than a second left. A stored task never starts in the batch that stores
 * it. A new task never overtakes a stored one of its priority or a better one.
 */

import { QueryResultType } from "../../gen/wire/temporal/api/enums/v1/query.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type {
  DescribeTaskQueueRequest,
  DescribeTaskQueueResponse,
  PollActivityTaskQueueRequest,
  PollWorkflowTaskQueueRequest,
  QueryWorkflowResponse,
  RespondQueryTaskCompletedRequest,
  ShutdownWorkerRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import {
  Code,
  canceled,
  deadlineExceeded,
  failedPrecondition,
  internal,
  notFound,
  queryFailed,
  ServiceError,
  unavailable,
} from "../api/service-error.js";
import { MICROS_PER_MS } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { DispatchTask, StartedActivity, StartedWorkflowTask } from "../core/transition.js";
import type { Reservation, TaskDispatcher } from "../history/contract.js";
import { assert } from "../lib/assert.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import type { StoredTask } from "./backlog.js";
import type { DirectQuery, MatchingService, TaskStarter } from "./contract.js";
import { describeTaskQueue } from "./describe-task-queue.js";
import { EMPTY_ANSWER_BUDGET_MS, type MatchingLimits, RETRY_MS, SHUTDOWN_WORKER_REMEMBERED_MS } from "./limits.js";
import { PendingQuery, type QueryOutcome } from "./pending-query.js";
import { type PollAnswer, type PollRequest, PollWaiter } from "./poll-waiter.js";
import { type QueueKeys, type QueueName, queueId } from "./queue-keys.js";
import { QueueState } from "./queue-state.js";

export interface MatchingDependencies {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly limits: () => MatchingLimits;
  readonly queueKeys: QueueKeys;
}

const SWEEP_MS = 60_000;

export class MatchingEngine implements MatchingService, TaskDispatcher {
  private readonly queues = new Map<string, QueueState>();
  private readonly queries = new Map<string, PendingQuery>();
  /** Queues with tasks in a batch that has not settled. */
  private readonly storing = new Map<Batch, Set<QueueState>>();
  /** Worker instance keys that have said goodbye, and until when they are remembered (microseconds). */
  private readonly shutDown = new Map<string, number>();
  /** Last poll (microseconds) of queues that are no longer in memory. */
  private readonly lastPolls = new Map<string, number>();
  private starter: TaskStarter | undefined;
  private isDraining = false;
  private stopSweep: (() => void) | undefined;

  constructor(private readonly deps: MatchingDependencies) {
    // Rows that an earlier process left in sticky queues: their tasks time out by themselves; the sweep clears the rows away.
    for (const key of deps.queueKeys) if (key.queue.isSticky) this.open(key.queue);
  }

  /** History and matching need each other: to be called before the first poll. */
  setStarter(starter: TaskStarter): void {
    this.starter = starter;
  }

  // --- TaskDispatcher

  reserve(task: DispatchTask): Reservation | undefined {
    if (this.isDraining) return undefined;
    const q = this.queues.get(queueId(this.route(task)));
    if (q === undefined || !q.line.canStartDirectly(task.priority)) return undefined;
    const now = this.now();
    const waiter = q.line.nextPoller(now);
    if (waiter === undefined) return undefined;
    if (!q.limiter.tryTake(now)) {
      q.limited.add(now);
      return undefined;
    }
    this.hold(q, waiter, now);
    q.startingCount++;
    const rates = q.ratesOf(task.priority, now);
    rates.added.add(now);
    const common = { scheduledEventId: task.scheduledEventId, attempt: task.attempt, stamp: task.stamp, poller: waiter.poller };
    const settle = () => {
      assert(waiter.isHeld, "a reservation is confirmed or released once");
      q.startingCount--;
    };
    return {
      input:
        task.type === "workflow"
          ? { kind: "startWorkflowTask", ...common }
          : { kind: "startActivity", ...common, metadata: (waiter.request as PollActivityTaskQueueRequest).taskQueueMetadata },
      isGone: () => waiter.isGone(),
      confirm: (reply) => {
        settle();
        rates.dispatched.add(this.now());
        waiter.give(reply);
      },
      release: () => {
        settle();
        q.limiter.giveBack();
        this.returnWaiter(q, waiter);
        this.pumpSoon(q);
      },
    };
  }

  store(task: DispatchTask, batch: Batch): void {
    const q = this.open(this.route(task));
    const now = this.now();
    q.lastUsed = now;
    if (q.name.isSticky && task.normalTaskQueue !== undefined) q.normalName = task.normalTaskQueue;
    q.ratesOf(task.priority, now).added.add(now);
    q.backlog.add(task, q.normalName, batch);
    let queues = this.storing.get(batch);
    if (queues === undefined) this.storing.set(batch, (queues = new Set()));
    queues.add(q);
    // There may be a poller: it was not allowed to take the task directly. Later, because the engine is in the middle of a batch.
    if (q.line.pollerCount > 0) this.pumpSoon(q);
  }

  settled(batch: Batch, durable: boolean): void {
    this.deps.queueKeys.settled(batch, durable);
    const queues = this.storing.get(batch);
    if (queues === undefined) return;
    this.storing.delete(batch);
    for (const q of queues) {
      q.backlog.settled(batch, durable);
      if (!durable) this.pumpSoon(q);
    }
  }

  // --- MatchingService

  async pollWorkflowTask(
    namespace: NamespaceView,
    request: PollWorkflowTaskQueueRequest,
    call: Call,
  ): Promise<{ task: StartedWorkflowTask } | { query: DirectQuery; queryId: string } | undefined> {
    const answer = await this.poll(namespace, "workflow", request, undefined, call);
    if (answer === undefined || "query" in answer) return answer;
    return { task: answer as StartedWorkflowTask };
  }

  async pollActivityTask(namespace: NamespaceView, request: PollActivityTaskQueueRequest, call: Call): Promise<StartedActivity | undefined> {
    const rate = request.taskQueueMetadata?.maxTasksPerSecond?.value;
    const answer = await this.poll(namespace, "activity", request, rate, call);
    assert(answer === undefined || !("query" in answer), "queries go to pollers of workflow tasks");
    return answer as StartedActivity | undefined;
  }

  /**
   * Asks the sticky worker if there is one, then the normal queue. The sticky attempt lasts no longer than a task would wait in the
   * sticky queue, answer included (official: service/history/api/queryworkflow).
   */
  async query(namespace: NamespaceView, query: DirectQuery, call: Call): Promise<Init<QueryWorkflowResponse>> {
    const { reply } = query;
    const limits = this.deps.limits();
    const deadline = call.deadlineMs === undefined ? this.now() + limits.queryWithoutDeadlineMs * MICROS_PER_MS : call.deadlineMs * MICROS_PER_MS;
    if (reply.stickyTaskQueue !== "") {
      const sticky = this.queues.get(queueId(workflowQueue(namespace, reply.stickyTaskQueue, true)));
      if (sticky?.isStickyAvailable(this.now())) {
        const until = Math.min(deadline, this.now() + reply.stickyScheduleToStartMs * MICROS_PER_MS);
        const outcome = await this.ask(sticky, namespace, query, call, until, false);
        if (outcome.kind !== "unanswered") return answerOf(outcome);
      }
    }
    if (!call.cancelled && this.now() < deadline) {
      const normal = this.open(workflowQueue(namespace, reply.taskQueue, false));
      const outcome = await this.ask(normal, namespace, query, call, deadline, true);
      if (outcome.kind !== "unanswered") return answerOf(outcome);
    }
    throw call.cancelled && this.now() < deadline
      ? canceled("context canceled")
      : deadlineExceeded("query timed out before a worker could process it");
  }

  respondQuery(namespace: NamespaceView, id: string, request: RespondQueryTaskCompletedRequest): void {
    const pending = this.queries.get(id);
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

  describeTaskQueue(namespace: NamespaceView, request: DescribeTaskQueueRequest): Promise<Init<DescribeTaskQueueResponse>> {
    return describeTaskQueue(request, {
      now: () => this.now(),
      queueKeys: this.deps.queueKeys,
      open: (name, type, isSticky) => {
        const q = this.open({ namespaceId: namespace.id, namespaceKey: namespace.key, name, type, isSticky });
        q.lastUsed = this.now();
        return q;
      },
    });
  }

  shutdownWorker(namespace: NamespaceView, request: ShutdownWorkerRequest): void {
    const now = this.now();
    const instance = request.workerInstanceKey;
    for (const [key, until] of this.shutDown) if (until <= now) this.shutDown.delete(key);
    if (instance !== "") this.shutDown.set(instance, now + SHUTDOWN_WORKER_REMEMBERED_MS * MICROS_PER_MS);
    for (const q of this.queues.values()) {
      if (q.name.namespaceId !== namespace.id) continue;
      if (q.name.isSticky && q.name.type === "workflow" && q.name.name === request.stickyTaskQueue) {
        this.abandon(q);
        continue;
      }
      if (instance === "") continue;
      const polls = [...q.line.pollers()].filter((w) => w.poller.workerInstanceKey === instance);
      for (const waiter of polls) waiter.end();
      if (request.identity !== "" && (polls.length > 0 || q.name.name === request.taskQueue)) q.pollers.remove(request.identity);
    }
  }

  sinceLastPoll(namespace: NamespaceView, taskQueue: string, type: "workflow" | "activity"): number | undefined {
    const id = queueId({ namespaceId: namespace.id, namespaceKey: namespace.key, name: taskQueue, type, isSticky: false });
    return this.sinceLastPollOf(id);
  }

  forgetNamespace(namespaceId: string): { registryId: string; key: number }[] {
    for (const q of [...this.queues.values()]) {
      if (q.name.namespaceId !== namespaceId) continue;
      for (const waiter of [...q.line.pollers()]) waiter.end();
      for (let query = q.line.nextQuery(); query !== undefined; query = q.line.nextQuery()) query.settle({ kind: "unanswered" });
      q.stop();
      this.queues.delete(q.id);
    }
    for (const id of [...this.lastPolls.keys()]) if (id.startsWith(`${namespaceId}/`)) this.lastPolls.delete(id);
    return this.deps.queueKeys.ofNamespace(namespaceId);
  }

  storedQueues(): number[] {
    return [...this.deps.queueKeys].map((k) => k.key);
  }

  backlogChanged(queue: number): void {
    for (const q of this.queues.values()) if (q.backlog.key?.key === queue) q.backlog.recount();
  }

  drain(): void {
    this.isDraining = true;
    this.stopSweep?.();
    this.stopSweep = undefined;
    for (const q of this.queues.values()) {
      q.stop();
      for (const waiter of [...q.line.pollers()]) waiter.end();
    }
    for (const query of [...this.queries.values()]) if (!query.isSent) query.settle({ kind: "failed", error: shuttingDown() });
  }

  // --- polls

  private poll(
    namespace: NamespaceView,
    type: "workflow" | "activity",
    request: PollRequest,
    rate: number | undefined,
    call: Call,
  ): Promise<PollAnswer> {
    const now = this.now();
    const instance = request.workerInstanceKey;
    if (this.isDraining || (instance !== "" && (this.shutDown.get(instance) ?? 0) > now)) return Promise.resolve(undefined);
    const kind = request.taskQueue?.kind === TaskQueueKind.STICKY ? TaskQueueKind.STICKY : TaskQueueKind.NORMAL;
    const isSticky = kind === TaskQueueKind.STICKY;
    const q = this.open({ namespaceId: namespace.id, namespaceKey: namespace.key, name: request.taskQueue?.name ?? "", type, isSticky });
    const limits = this.deps.limits();
    q.lastUsed = now;
    if (isSticky) {
      q.isAbandoned = false;
      if (request.taskQueue?.normalName) q.normalName = request.taskQueue.normalName;
    }
    q.pollers.record(request.identity, rate, { capabilities: request.workerVersionCapabilities, deploymentOptions: request.deploymentOptions }, now);
    // The latest poll decides, also when it asks for no limit (official: InjectWorkerRPS).
    q.workerRate = rate;
    if (q.limiter.setRate(Math.min(rate ?? Number.POSITIVE_INFINITY, limits.taskQueueDispatchPerSecondMax), now)) {
      // The next token comes at another time than the one that is waited for.
      q.stopWake?.();
      q.stopWake = undefined;
    }
    const waiter = new PollWaiter(request, call, kind, limits.longPollExpirationMs, this.deps.runtime, (w) => q.line.removePoller(w));
    q.line.addPoller(waiter);
    this.pump(q);
    waiter.watch();
    return waiter.answer.finally(() => {
      const end = this.now();
      q.pollers.touch(end);
      q.lastUsed = end;
    });
  }

  private hold(q: QueueState, waiter: PollWaiter, now: number): void {
    waiter.hold();
    // Its poll was open until now, which may be long after it came.
    q.pollers.touch(now);
    q.lastUsed = now;
  }

  private returnWaiter(q: QueueState, waiter: PollWaiter): void {
    if (this.isDraining) waiter.end();
    if (waiter.unhold()) q.line.returnPoller(waiter);
  }

  // --- queries

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
      this.queries.delete(settled.id);
      q.line.removeQuery(settled);
    });
    this.queries.set(id, pending);
    q.lastUsed = this.now();
    q.line.addQuery(pending);
    this.pump(q);
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
    const windowMicros = this.deps.limits().queryPollerUnavailableMs * MICROS_PER_MS;
    const latest = until - EMPTY_ANSWER_BUDGET_MS * MICROS_PER_MS;
    let stop: () => void = () => undefined;
    const arm = (time: number) => {
      stop = this.at(Math.min(time, latest), check);
    };
    const check = () => {
      if (pending.isSent || pending.isSettled) return;
      const now = this.now();
      const since = this.sinceLastPollOf(q.id);
      if (since === undefined || since * MICROS_PER_MS >= windowMicros)
        return pending.settle({ kind: "failed", error: noPoller(q.name.name, since, now) });
      if (now < latest) arm(now - since * MICROS_PER_MS + windowMicros);
    };
    arm(this.now() + windowMicros);
    return () => stop();
  }

  // --- matching

  /** Brings together what waits in the queue. */
  private pump(q: QueueState): void {
    if (this.isDraining) return;
    if (q.isAbandoned) return this.moveToNormal(q);
    for (;;) {
      const now = this.now();
      const waiter = q.line.nextPoller(now);
      if (waiter === undefined) {
        // Read on before the next poller comes; but a queue that nobody polls is not read at all.
        if (!q.line.window.isUnread) void q.backlog.refill();
        return;
      }
      const query = q.line.nextQuery();
      if (query !== undefined) {
        q.line.removeQuery(query);
        query.isSent = true;
        waiter.give({ query: query.query, queryId: query.id });
        continue;
      }
      const next = q.line.nextTask();
      if (next === undefined) break;
      if (next.isVoid || hasExpired(next, now)) {
        q.line.takeTask();
        next.home.take(next);
        void this.drop(next);
        continue;
      }
      if (!q.limiter.tryTake(now)) {
        q.limited.add(now);
        const at = q.limiter.nextAt(now);
        if (at !== undefined && q.stopWake === undefined) {
          q.stopWake = this.at(at, () => {
            q.stopWake = undefined;
            this.pump(q);
          });
        }
        break;
      }
      q.line.takeTask();
      next.home.take(next);
      this.hold(q, waiter, now);
      void this.start(q, next, waiter);
    }
    void q.backlog.refill();
  }

  private pumpSoon(q: QueueState): void {
    if (q.isPumpDue) return;
    q.isPumpDue = true;
    this.deps.runtime.defer(() => {
      q.isPumpDue = false;
      this.pump(q);
    });
  }

  private async start(q: QueueState, stored: StoredTask, waiter: PollWaiter): Promise<void> {
    const { starter } = this;
    assert(starter !== undefined, "matching has its task starter before the first poll");
    const { task, at } = stored;
    const isGone = () => waiter.isGone();
    q.startingCount++;
    try {
      const started =
        task.type === "workflow"
          ? await starter.startWorkflowTask(task, waiter.poller, at, isGone)
          : await starter.startActivity(task, waiter.poller, waiter.request as PollActivityTaskQueueRequest, at, isGone);
      stored.home.finish(stored);
      q.ratesOf(task.priority, this.now()).dispatched.add(this.now());
      waiter.give(started);
    } catch (error) {
      q.limiter.giveBack();
      if (isStale(error)) {
        this.returnWaiter(q, waiter);
        void this.drop(stored);
      } else {
        this.rest(q, stored);
        // Overload is the poller's to know. Anything else is the task's trouble: the poller waits on for another one.
        if (error instanceof ServiceError && error.code === Code.RESOURCE_EXHAUSTED) waiter.fail(error);
        else this.returnWaiter(q, waiter);
        this.deps.logger.warn({ queue: q.id, workflowId: task.workflowId, runId: task.runId, error: String(error) }, "starting a task failed");
      }
    }
    q.startingCount--;
    q.lastUsed = this.now();
    this.pump(q);
  }

  /** Deletes the row of a task that no longer concerns anything. */
  private async drop(stored: StoredTask): Promise<void> {
    try {
      // The row of a batch that failed was never there.
      if (!stored.isVoid) await this.starter?.drop(stored.task, stored.at);
    } catch (error) {
      // The row stays and is found again when the queue is next read from the store.
      this.deps.logger.warn({ workflowId: stored.task.workflowId, runId: stored.task.runId, error: String(error) }, "dropping a stale task failed");
    }
    stored.home.finish(stored);
  }

  /** A task whose start failed waits a moment, so that it neither spins nor stands in the way of others. */
  private rest(q: QueueState, stored: StoredTask): void {
    const stop = this.deps.runtime.setTimer(RETRY_MS, () => {
      q.resting.delete(stop);
      if (stored.home === q.backlog) stored.home.putBack(stored);
      else q.line.addMoved(stored);
      this.pump(q);
    });
    q.resting.add(stop);
  }

  // --- sticky queues

  /** Queue that a task is offered to: a sticky one only while its worker polls. */
  private route(task: DispatchTask): QueueName {
    const { namespaceId, namespaceKey, type } = task;
    if (task.normalTaskQueue === undefined) return { namespaceId, namespaceKey, type, name: task.taskQueue, isSticky: false };
    const sticky: QueueName = { namespaceId, namespaceKey, type, name: task.taskQueue, isSticky: true };
    if (this.queues.get(queueId(sticky))?.isStickyAvailable(this.now())) return sticky;
    return { namespaceId, namespaceKey, type, name: task.normalTaskQueue, isSticky: false };
  }

  /** The worker of a sticky queue has gone: nobody will poll it again. */
  private abandon(q: QueueState): void {
    q.isAbandoned = true;
    for (const waiter of [...q.line.pollers()]) waiter.end();
    for (let query = q.line.nextQuery(); query !== undefined; query = q.line.nextQuery()) query.settle({ kind: "unanswered" });
    this.moveToNormal(q);
  }

  /** Tasks of an abandoned sticky queue go to the front of the normal one. Their rows stay where they are. */
  private moveToNormal(q: QueueState): void {
    if (q.normalName !== "") {
      const normal = this.open({ ...q.name, name: q.normalName, isSticky: false });
      let moved = 0;
      for (let stored = q.line.takeTask(); stored !== undefined; stored = q.line.takeTask()) {
        stored.home.take(stored);
        normal.line.addMoved(stored);
        moved++;
      }
      if (moved > 0) this.pumpSoon(normal);
    }
    void q.backlog.refill();
  }

  // --- queues in memory

  private open(name: QueueName): QueueState {
    const id = queueId(name);
    let q = this.queues.get(id);
    if (q !== undefined) return q;
    const { store, runtime, logger, queueKeys } = this.deps;
    q = new QueueState(id, name, this.deps.limits(), this.now(), queueKeys, store, runtime, logger, (read) => this.pump(read));
    const lastPoll = this.lastPolls.get(id);
    if (lastPoll !== undefined) q.pollers.touch(lastPoll);
    this.lastPolls.delete(id);
    this.queues.set(id, q);
    if (this.stopSweep === undefined && !this.isDraining) this.armSweep();
    return q;
  }

  private armSweep(): void {
    this.stopSweep = this.deps.runtime.setTimer(SWEEP_MS, () => {
      this.stopSweep = undefined;
      this.sweep();
      if (this.queues.size > 0) this.armSweep();
    });
  }

  /** Unloads queues that nothing has touched for a while. */
  private sweep(): void {
    const oldest = this.now() - this.deps.limits().taskQueueIdleMsMax * MICROS_PER_MS;
    for (const q of this.queues.values()) {
      if (q.lastUsed > oldest || !q.isIdle()) continue;
      if (q.name.isSticky) {
        // Whatever is left in it has timed out long ago; its normal queue finds the tasks stale and drops the rows.
        const isEmpty = q.line.window.isComplete && q.line.window.size === 0;
        if (!isEmpty && q.normalName !== "") {
          this.abandon(q);
          continue;
        }
        if (isEmpty) this.deps.queueKeys.forget(q.id);
      } else if (q.pollers.lastPoll !== undefined) {
        this.lastPolls.set(q.id, q.pollers.lastPoll);
      }
      q.stop();
      this.queues.delete(q.id);
    }
  }

  private sinceLastPollOf(id: string): number | undefined {
    const q = this.queues.get(id);
    const now = this.now();
    if (q?.line.nextPoller(now) !== undefined) return 0;
    const last = q?.pollers.lastPoll ?? this.lastPolls.get(id);
    return last === undefined ? undefined : Math.max(0, Math.floor((now - last) / MICROS_PER_MS));
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

function hasExpired(stored: StoredTask, now: number): boolean {
  return stored.task.expireTime !== 0 && stored.task.expireTime <= now;
}

/** The task is done, gone or somebody else's (official: NotFound and TaskAlreadyStarted). */
function isStale(error: unknown): boolean {
  return error instanceof ServiceError && (error.code === Code.NOT_FOUND || error.code === Code.ALREADY_EXISTS);
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
