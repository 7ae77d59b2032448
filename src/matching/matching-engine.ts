/**
 * Matching: brings tasks and queries to the workers that poll for them.
 *
 * In: tasks of the history engine, in the turn of the transition that made them (`reserve`, else `store`); polls, queries and
 * their answers from the frontend. Out: a poller held for a task (Reservation), a backlog row in the engine's batch, or the start
 * of a stored task through the TaskStarter. What waits in which order is decided by core/matching, in which line by task-routes.ts;
 * this shell adds the calls, the clock and the store.
 *
 * Invariants: a task is in exactly one place - the window of its queue, taken (being started, moved or dropped), or only in the
 * store. A row goes only after the start that consumed it is durable, or the task was found stale. A poller is answered once, and
 * never given a task when its stream is closed or has less than a second left. A stored task never starts in the batch that stores
 * it. A new task never overtakes a stored one of its priority or a better one.
 */

import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { TaskQueueConfig } from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  DescribeTaskQueueRequest,
  DescribeTaskQueueResponse,
  PollActivityTaskQueueRequest,
  PollWorkflowTaskQueueRequest,
  QueryWorkflowResponse,
  RespondQueryTaskCompletedRequest,
  ShutdownWorkerRequest,
  UpdateTaskQueueConfigRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import { Code, ServiceError } from "../api/service-error.js";
import { MICROS_PER_MS } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { DispatchTask, StartedActivity, StartedWorkflowTask } from "../core/transition.js";
import type { QueueFacts, VersionTaskQueue } from "../core/versioning/deployment.js";
import { type Version, versionOfWorker } from "../core/versioning/version.js";
import type { Reservation, TaskDispatcher } from "../history/contract.js";
import { assert } from "../lib/assert.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import { type MatchingAdmin, TaskQueueAdmin } from "./admin.js";
import type { StoredTask } from "./backlog.js";
import type { DirectQuery, MatchingService, PolledActivityTask, PolledWorkflowTask, TaskStarter, VersionStats } from "./contract.js";
import { QUEUE_TYPES } from "./deployments.js";
import { DirectQueries } from "./direct-queries.js";
import { type LimitsOf, RETRY_MS } from "./limits.js";
import { type PollAnswer, type PollRequest, PollWaiter } from "./poll-waiter.js";
import { type QueueKeys, type QueueName, queueId } from "./queue-keys.js";
import { QueueReports, type TaskQueueLoad } from "./queue-reports.js";
import type { QueueState } from "./queue-state.js";
import { Queues } from "./queues.js";
import { ShutDownWorkers } from "./shut-down-workers.js";
import type { TaskQueueConfigs } from "./task-queue-configs.js";
import { TaskRoutes } from "./task-routes.js";
import type { VersionRouter } from "./version-router.js";

export interface MatchingDependencies {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly limits: LimitsOf;
  readonly queueKeys: QueueKeys;
  readonly configs: TaskQueueConfigs;
  /** Unset: no worker names a version. */
  readonly versions?: VersionRouter;
  /** Whether workers of the version poll for Nexus tasks. */
  readonly nexusPollers?: (namespaceId: string, taskQueue: string, version: Version) => boolean;
}

export class MatchingEngine implements MatchingService, TaskDispatcher {
  private readonly queues: Queues;
  private readonly queries: DirectQueries;
  private readonly routes: TaskRoutes;
  private readonly reports: QueueReports;
  /** Queues with tasks in a batch that has not settled. */
  private readonly storing = new Map<Batch, Set<QueueState>>();
  private readonly shutDown: ShutDownWorkers;
  private starter: TaskStarter | undefined;
  private isDraining = false;

  /** For operators. */
  readonly admin: MatchingAdmin;

  constructor(private readonly deps: MatchingDependencies) {
    const { runtime, limits } = deps;
    this.queues = new Queues(
      deps,
      (q) => this.pump(q),
      (q) => this.abandon(q),
    );
    const { queueKeys, versions } = deps;
    const now = (): number => this.now();
    this.routes = new TaskRoutes({ queues: this.queues, queueKeys, versions, now, pumpSoon: (q) => this.pumpSoon(q) });
    this.reports = new QueueReports({ ...deps, versions, queues: this.queues, now });
    this.admin = new TaskQueueAdmin(deps.store, deps.queueKeys, this.queues, now);
    this.shutDown = new ShutDownWorkers(runtime);
    this.queries = new DirectQueries({ runtime, limits, queues: this.queues, pump: (q) => this.pump(q), versions: deps.versions });
    deps.versions?.onChange((namespaceId, name, type) => this.routes.reroute(namespaceId, name, type));
    // Rows that an earlier process left in sticky queues: their tasks time out by themselves; the sweep clears the rows away.
    for (const key of deps.queueKeys) if (key.queue.isSticky) this.queues.open(key.queue);
  }

  /** History and matching need each other: to be called before the first poll. */
  setStarter(starter: TaskStarter): void {
    this.starter = starter;
  }

  // --- TaskDispatcher

  reserve(task: DispatchTask): Reservation | undefined {
    if (this.isDraining) return undefined;
    const q = this.queues.find(queueId(this.routes.route(task)));
    if (q === undefined || q.kept.size > 0) return undefined;
    const priority = q.priorityOf(task);
    if (!q.line.canStartDirectly(priority)) return undefined;
    const now = this.now();
    const waiter = q.line.nextPoller(now);
    if (waiter === undefined) return undefined;
    if (q.name.version !== undefined && !this.routes.isFirstOfStored(task, q)) return undefined;
    if (!q.limits.tryTake(task.fairnessKey, q.weightOf(task), now)) {
      q.limited.add(now);
      return undefined;
    }
    waiter.hold();
    q.startingCount++;
    const rates = q.ratesOf(priority, now);
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
        this.give(q, waiter, reply);
      },
      release: () => {
        settle();
        q.limits.giveBack(task.fairnessKey);
        this.returnWaiter(q, waiter);
        this.pumpSoon(q);
      },
    };
  }

  store(task: DispatchTask, batch: Batch): void {
    const q = this.queues.open(this.routes.storedBy(task));
    const now = this.now();
    q.lastUsed = now;
    const priority = q.priorityOf(task);
    q.ratesOf(priority, now).added.add(now);
    q.backlog.add(task, priority, q.weightOf(task), batch);
    let queues = this.storing.get(batch);
    if (queues === undefined) this.storing.set(batch, (queues = new Set()));
    queues.add(q);
    // There may be a poller: it was not allowed to take the task directly. Later, because the engine is in the middle of a batch.
    if (q.line.pollerCount > 0 || this.routes.isRouted(q)) this.pumpSoon(q);
  }

  keep(task: DispatchTask): void {
    const q = this.queues.open(this.routes.route(task));
    const now = this.now();
    q.lastUsed = now;
    q.ratesOf(q.priorityOf(task), now).added.add(now);
    q.kept.add(task);
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

  async pollWorkflowTask(namespace: NamespaceView, request: PollWorkflowTaskQueueRequest, call: Call): Promise<PolledWorkflowTask | undefined> {
    const polling = this.poll(namespace, "workflow", request, undefined, call);
    const waiter = polling instanceof Promise ? await polling : polling;
    const answer = await waiter?.answer;
    if (waiter === undefined || answer === undefined) return undefined;
    const { scaling, waiting } = waiter;
    return "query" in answer ? { ...answer, scaling, waiting } : { task: answer as StartedWorkflowTask, scaling, waiting };
  }

  async pollActivityTask(namespace: NamespaceView, request: PollActivityTaskQueueRequest, call: Call): Promise<PolledActivityTask | undefined> {
    const rate = request.taskQueueMetadata?.maxTasksPerSecond?.value;
    const polling = this.poll(namespace, "activity", request, rate, call);
    const waiter = polling instanceof Promise ? await polling : polling;
    const answer = await waiter?.answer;
    if (waiter === undefined || answer === undefined) return undefined;
    assert(!("query" in answer), "queries go to pollers of workflow tasks");
    return { task: answer as StartedActivity, scaling: waiter.scaling };
  }

  query(namespace: NamespaceView, query: DirectQuery, call: Call): Promise<Init<QueryWorkflowResponse>> {
    return this.queries.query(namespace, query, call);
  }

  respondQuery(namespace: NamespaceView, id: string, request: RespondQueryTaskCompletedRequest): void {
    this.queries.respond(namespace, id, request);
  }

  updateTaskQueueConfig(namespace: NamespaceView, request: UpdateTaskQueueConfigRequest): Promise<TaskQueueConfig> {
    return this.deps.configs.update(namespace.id, request);
  }

  describeTaskQueue(namespace: NamespaceView, request: DescribeTaskQueueRequest): Promise<Init<DescribeTaskQueueResponse>> {
    return this.reports.describeTaskQueue(namespace, request);
  }

  hasPollerOf(namespace: NamespaceView, taskQueue: string, buildId: string, withinMs: number): boolean {
    return this.reports.hasPollerOf(namespace, taskQueue, buildId, withinMs);
  }

  queueFacts(namespace: NamespaceView): QueueFacts {
    return this.reports.queueFacts(namespace);
  }

  versionStats(namespace: NamespaceView, version: Version, queues: readonly VersionTaskQueue[]): Promise<VersionStats[]> {
    return this.reports.versionStats(namespace, version, queues);
  }

  sinceLastPoll(namespace: NamespaceView, taskQueue: string, type: "workflow" | "activity"): number | undefined {
    return this.reports.sinceLastPoll(namespace, taskQueue, type);
  }

  isKnown(namespace: NamespaceView, taskQueue: string): boolean {
    return this.reports.isKnown(namespace, taskQueue);
  }

  loads(): Promise<TaskQueueLoad[]> {
    return this.reports.loads();
  }

  shutdownWorker(namespace: NamespaceView, request: ShutdownWorkerRequest): void {
    const instance = this.deps.limits(namespace.id).workerPollsEndOnShutdown ? request.workerInstanceKey : "";
    if (instance !== "") this.shutDown.add(instance);
    for (const q of this.queues) {
      if (q.name.namespaceId !== namespace.id) continue;
      if (q.name.isSticky && q.name.type === "workflow" && q.name.name === request.stickyTaskQueue) {
        this.abandon(q);
        continue;
      }
      // One of very many queues, most of which have nothing of the worker.
      if (instance === "" || (q.line.pollerCount === 0 && q.name.name !== request.taskQueue)) continue;
      const polls = [...q.line.pollers()].filter((w) => w.poller.workerInstanceKey === instance);
      for (const waiter of polls) waiter.end();
      if (request.identity !== "" && (polls.length > 0 || q.name.name === request.taskQueue)) q.pollers.remove(request.identity);
    }
  }

  limitWorkflowTasks(namespace: NamespaceView, taskQueue: string, perSecond: number | undefined): void {
    const name = { namespaceId: namespace.id, namespaceKey: namespace.key, name: taskQueue, type: "workflow", isSticky: false } as const;
    const q = perSecond === undefined ? this.queues.find(queueId(name)) : this.queues.open(name);
    if (q !== undefined) q.askedRate = perSecond;
  }

  forgetNamespace(namespaceId: string): { registryId: string; key: number }[] {
    for (const q of this.queues.forget(namespaceId))
      for (let query = q.line.nextQuery(); query !== undefined; query = q.line.nextQuery()) query.settle({ kind: "unanswered" });
    this.deps.versions?.deployments.forgetNamespace(namespaceId);
    return this.deps.queueKeys.ofNamespace(namespaceId);
  }

  storedQueues(): number[] {
    return [...this.deps.queueKeys].map((k) => k.key);
  }

  backlogChanged(queue: number): void {
    for (const q of this.queues) if (q.backlog.key?.key === queue) q.backlog.recount();
  }

  drain(): void {
    this.isDraining = true;
    this.queues.drain();
    this.queries.drain();
  }

  // --- polls

  /** Puts a poller in its line, at once unless its worker's version has to be made known first. Undefined: it gets nothing. */
  private poll(
    namespace: NamespaceView,
    type: "workflow" | "activity",
    request: PollRequest,
    rate: number | undefined,
    call: Call,
  ): PollWaiter | undefined | Promise<PollWaiter | undefined> {
    const now = this.now();
    if (this.isDraining || this.shutDown.turnsAway(request.workerInstanceKey)) return undefined;
    const registered = this.register(namespace, type, request);
    if (registered !== undefined) return registered.then(() => this.poll(namespace, type, request, rate, call));
    const kind = request.taskQueue?.kind === TaskQueueKind.STICKY ? TaskQueueKind.STICKY : TaskQueueKind.NORMAL;
    const isSticky = kind === TaskQueueKind.STICKY;
    const base: QueueName = { namespaceId: namespace.id, namespaceKey: namespace.key, name: request.taskQueue?.name ?? "", type, isSticky };
    // Workers of a version stand in a line of their own, but for the sticky queues, which are one worker's anyway.
    const version = isSticky ? undefined : this.deps.versions?.polls(request, namespace.id, base.name);
    const q = this.queues.open(version === undefined ? base : { ...base, version });
    q.lastUsed = now;
    if (isSticky) q.isAbandoned = false;
    q.pollers.record(request.identity, rate, { capabilities: request.workerVersionCapabilities, deploymentOptions: request.deploymentOptions }, now);
    // The latest poll decides, also when it asks for no limit (official: InjectWorkerRPS).
    if (q.limits.setWorkerRate(rate ?? q.askedRate, now)) q.forgetWake();
    const waiter = new PollWaiter(
      request,
      call,
      kind,
      q.settings.longPollExpirationMs,
      this.deps.runtime,
      (w) => {
        q.line.removePoller(w);
        // The poll was open until now, which may be long after it came.
        const left = this.now();
        q.pollers.touch(left);
        q.lastUsed = left;
      },
      isSticky || version?.startsWith("s:") === true,
    );
    q.line.addPoller(waiter);
    if (q.base !== undefined) this.routes.feed(q, q.base, now);
    this.pump(q);
    waiter.watch();
    return waiter;
  }

  /** The first poll of a worker version in a queue makes it known. Undefined: it is. */
  private register(namespace: NamespaceView, type: "workflow" | "activity", request: PollRequest): Promise<void> | undefined {
    if (this.deps.versions === undefined || (request.deploymentOptions === undefined && request.workerVersionCapabilities === undefined))
      return undefined;
    const version = versionOfWorker(request);
    if (version === undefined || request.taskQueue?.kind === TaskQueueKind.STICKY) return undefined;
    const { deployments } = this.deps.versions;
    return deployments.register(namespace.id, version, request.taskQueue?.name ?? "", QUEUE_TYPES[type], this.queueFacts(namespace));
  }

  private give(q: QueueState, waiter: PollWaiter, answer: NonNullable<PollAnswer>): void {
    waiter.scaling = q.scaling.decide(waiter.since, q.pollers.count, q, q.settings, this.now());
    // Workers poll only their sticky queue while the last answer that they read from there says that others wait (Go's and Java's SDK).
    // Answers overtake each other: one that was older would keep them from the normal queue until their polls end.
    waiter.waiting = q.name.isSticky ? 0 : q.waitingCount;
    waiter.give(answer);
  }

  private returnWaiter(q: QueueState, waiter: PollWaiter): void {
    if (this.isDraining || this.shutDown.has(waiter.poller.workerInstanceKey)) waiter.end();
    if (waiter.unhold()) q.line.returnPoller(waiter);
  }

  // --- matching

  /** Brings together what waits in the queue. */
  private pump(q: QueueState): void {
    if (this.isDraining) return;
    if (q.isAbandoned) return this.routes.moveToNormal(q);
    if (this.routes.isRouted(q)) this.routes.spread(q);
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
        this.give(q, waiter, { query: query.query, queryId: query.id, isSticky: q.name.isSticky });
        continue;
      }
      const next = q.line.nextTask();
      const kept = q.kept.size === 0 ? undefined : q.kept.takeBefore(next?.task, now);
      if (kept !== undefined) {
        waiter.hold();
        void this.startKept(q, kept, waiter);
        continue;
      }
      if (next === undefined) break;
      if (next.isVoid || hasExpired(next, now)) {
        q.line.takeTask();
        next.home.take(next);
        void this.drop(next);
        continue;
      }
      const { fairnessKey } = next.task;
      const weight = q.weightOf(next.task);
      if (!q.limits.tryTake(fairnessKey, weight, now)) {
        q.limited.add(now);
        const at = q.limits.nextAt(fairnessKey, weight, now);
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
      waiter.hold();
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
      q.ratesOf(q.priorityOf(task), this.now()).dispatched.add(this.now());
      this.give(q, waiter, started);
    } catch (error) {
      q.limits.giveBack(task.fairnessKey);
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
    // There may be more for this line where the task was stored.
    if (q.base !== undefined && q.base.line.window.size > 0) this.pumpSoon(q.base);
    this.pump(q);
  }

  /** A task without a row. It is not tried again: history schedules another when its time is up. */
  private async startKept(q: QueueState, task: DispatchTask, waiter: PollWaiter): Promise<void> {
    const { starter } = this;
    assert(starter !== undefined, "matching has its task starter before the first poll");
    q.startingCount++;
    try {
      this.give(q, waiter, await starter.startWorkflowTask(task, waiter.poller, undefined, () => waiter.isGone()));
      q.ratesOf(q.priorityOf(task), this.now()).dispatched.add(this.now());
    } catch {
      this.returnWaiter(q, waiter);
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
      else {
        const { queue } = stored.home;
        const to = this.queues.open(this.routes.waitsFor(queue.isSticky ? { ...q.name, version: undefined } : queue, stored.task));
        to.line.addMoved(stored);
        if (to !== q) this.pump(to);
      }
      this.pump(q);
    });
    q.resting.add(stop);
  }

  /** The worker of a sticky queue has gone: nobody will poll it again. */
  private abandon(q: QueueState): void {
    q.isAbandoned = true;
    for (const waiter of [...q.line.pollers()]) waiter.end();
    for (let query = q.line.nextQuery(); query !== undefined; query = q.line.nextQuery()) query.settle({ kind: "unanswered" });
    this.routes.moveToNormal(q);
  }

  private now(): number {
    return this.deps.runtime.nowMicros();
  }

  private at(micros: number, f: () => void): () => void {
    return this.deps.runtime.setTimer(Math.max(0, Math.ceil((micros - this.now()) / MICROS_PER_MS)), f);
  }
}

function hasExpired(stored: StoredTask, now: number): boolean {
  return stored.task.expireTime !== 0 && stored.task.expireTime <= now;
}

/** The task is done, gone or somebody else's (official: NotFound and TaskAlreadyStarted). */
function isStale(error: unknown): boolean {
  return error instanceof ServiceError && (error.code === Code.NOT_FOUND || error.code === Code.ALREADY_EXISTS);
}
