/** A task queue in memory: its line of pollers and tasks, its stored backlog, its rate and what it has seen. */
import type { WorkerVersionCapabilities } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { WorkerDeploymentOptions } from "../../gen/wire/temporal/api/deployment/v1/message.js";
import type { TaskQueueConfig } from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import { MICROS_PER_MS } from "../api/time.js";
import { DispatchLimits } from "../core/matching/dispatch-limits.js";
import { effectiveWeight, Fairness, type WeightOverrides } from "../core/matching/fairness.js";
import { PollerHistory } from "../core/matching/poller-history.js";
import { PollerScaling, type QueueLoad } from "../core/matching/poller-scaling.js";
import { TaskQueue } from "../core/matching/task-queue.js";
import { TaskRate } from "../core/matching/task-rate.js";
import type { DispatchTask } from "../core/transition.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Store } from "../persistence/store.js";
import { Backlog, type StoredTask } from "./backlog.js";
import { KeptTasks } from "./kept-tasks.js";
import { type MatchingLimits, STICKY_POLLER_UNAVAILABLE_MS } from "./limits.js";
import type { PendingQuery } from "./pending-query.js";
import type { PollWaiter } from "./poll-waiter.js";
import type { QueueKeys, QueueName } from "./queue-keys.js";

export interface PollerVersion {
  readonly capabilities: WorkerVersionCapabilities | undefined;
  readonly deploymentOptions: WorkerDeploymentOptions | undefined;
}

/** Tasks that came and went, of one priority. */
export interface PriorityRates {
  readonly added: TaskRate;
  readonly dispatched: TaskRate;
}

export class QueueState implements QueueLoad {
  readonly line: TaskQueue<PollWaiter, PendingQuery, StoredTask>;
  readonly backlog: Backlog;
  readonly limits: DispatchLimits;
  readonly scaling = new PollerScaling();
  readonly pollers: PollerHistory<PollerVersion>;
  readonly kept = new KeptTasks();
  readonly rates = new Map<number, PriorityRates>();
  /** Tasks that had to wait for the rate limit. */
  readonly limited: TaskRate;
  /** A sticky queue whose worker has said goodbye. */
  isAbandoned = false;
  /** Workflow tasks a second that a poller asked for whose polls cannot say so themselves. */
  askedRate: number | undefined;
  lastUsed: number;
  isPumpDue = false;
  stopWake: (() => void) | undefined;
  /** Tasks whose start failed and that wait a moment before they are offered again. */
  readonly resting = new Set<() => void>();
  /** Tasks being started. */
  startingCount = 0;
  /** Of a queue without a version: those of the versions, by key. */
  versions: Map<string, QueueState> | undefined;
  private readonly priorityLevels: number;
  private weights: WeightOverrides | undefined;

  constructor(
    readonly id: string,
    readonly name: QueueName,
    /** What the server is set to for this queue, as long as it is in memory. */
    readonly settings: MatchingLimits,
    now: number,
    keys: QueueKeys,
    store: Store,
    runtime: Runtime,
    logger: Logger,
    onRead: (q: QueueState) => void,
    /** The queue of the same name and type that is of no version. */
    readonly base?: QueueState,
  ) {
    const key = keys.find(id);
    this.pollers = new PollerHistory(settings.pollerHistoryMsMax * MICROS_PER_MS);
    this.line = new TaskQueue(settings.backlogWindowTasksMax, key === undefined);
    // A sticky queue is one worker's own: its tasks are few and soon gone.
    const fairness = settings.fairness && !name.isSticky ? new Fairness(key?.fairness) : undefined;
    this.backlog = new Backlog(id, name, keys, this.line.window, store, runtime, logger, fairness, () => onRead(this));
    this.limits = base === undefined ? new DispatchLimits(settings.taskQueueDispatchPerSecondMax, now) : base.limits;
    this.priorityLevels = settings.priorityLevels;
    this.limited = new TaskRate(now);
    this.lastUsed = now;
  }

  applyConfig(config: TaskQueueConfig | undefined, now: number): void {
    const { queueRateLimit, fairnessKeysRateLimitDefault, fairnessWeightOverrides } = config ?? {};
    this.weights = fairnessWeightOverrides;
    const queueRate = queueRateLimit?.rateLimit?.requestsPerSecond;
    if (this.limits.setConfig(queueRate, fairnessKeysRateLimitDefault?.rateLimit?.requestsPerSecond, now)) this.forgetWake();
  }

  /** The next token comes at another time than the one that is waited for. */
  forgetWake(): void {
    this.stopWake?.();
    this.stopWake = undefined;
  }

  /** Of the levels that the queue has. */
  priorityOf(task: DispatchTask): number {
    return Math.min(task.priority, this.priorityLevels);
  }

  weightOf(task: DispatchTask): number {
    return effectiveWeight(this.weights, task.fairnessKey, task.fairnessWeight);
  }

  /** Tasks in memory. */
  get waitingCount(): number {
    return this.line.window.size + this.line.movedCount + this.kept.size;
  }

  /** An approximation: the first and the last of the line are looked at. */
  oldest(): number | undefined {
    const { window } = this.line;
    const first = window.first();
    const last = window.last();
    return first === undefined || last === undefined ? undefined : Math.min(first.task.createTime, last.task.createTime);
  }

  addRate(now: number): number {
    let sum = 0;
    for (const { added } of this.rates.values()) sum += added.perSecond(now);
    return sum;
  }

  dispatchRate(now: number): number {
    let sum = 0;
    for (const { dispatched } of this.rates.values()) sum += dispatched.perSecond(now);
    return sum;
  }

  ratesOf(priority: number, now: number): PriorityRates {
    let rates = this.rates.get(priority);
    if (rates === undefined) this.rates.set(priority, (rates = { added: new TaskRate(now), dispatched: new TaskRate(now) }));
    return rates;
  }

  /** Whether a worker polls this sticky queue now, or did so a moment ago. */
  isStickyAvailable(now: number): boolean {
    if (this.isAbandoned) return false;
    if (this.line.nextPoller(now) !== undefined) return true;
    const last = this.pollers.lastPoll;
    return last !== undefined && last >= now - STICKY_POLLER_UNAVAILABLE_MS * MICROS_PER_MS;
  }

  /** Whether nothing of it would be missed in memory. Its rows stay in the store. */
  isIdle(): boolean {
    const { line } = this;
    return (
      line.pollerCount === 0 &&
      line.queryCount === 0 &&
      line.movedCount === 0 &&
      this.startingCount === 0 &&
      this.resting.size === 0 &&
      this.kept.size === 0 &&
      !this.backlog.isBusy
    );
  }

  /** It, and the queues of its name and type that are of a version. */
  *family(): Generator<QueueState> {
    yield this;
    if (this.versions !== undefined) yield* this.versions.values();
  }

  stop(): void {
    this.forgetWake();
    for (const stop of this.resting) stop();
    this.resting.clear();
    this.backlog.stop();
  }
}
