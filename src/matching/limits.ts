import { MICROS_PER_MS } from "../api/time.js";
import type { Limits } from "../config/limits.js";
import type { ScalingLimits } from "../core/matching/poller-scaling.js";

/** The limits that matching works with, by the names of src/config; the defaults are the official server's (LIMITS.md). */
export interface MatchingLimits extends ScalingLimits {
  /** matching.longPollExpirationInterval */
  readonly longPollExpirationMs: number;
  /** matching.maxTaskQueueIdleTime */
  readonly taskQueueIdleMsMax: number;
  /** matching.PollerHistoryTTL */
  readonly pollerHistoryMsMax: number;
  /** matching.queryPollerUnavailableWindow */
  readonly queryPollerUnavailableMs: number;
  /** Tasks of one queue in memory. The official server reads 1,000 at a time (matching.getTasksBatchSize). */
  readonly backlogWindowTasksMax: number;
  /** Tasks per second that leave one queue at most: admin.matchingTaskqueueToPartitionDispatchRate times the official four partitions. */
  readonly taskQueueDispatchPerSecondMax: number;
  /** For a query whose caller set no deadline. The official server's callers always set one; 30 s is three times the SDKs' 10 s. */
  readonly queryWithoutDeadlineMs: number;
  /** matching.priorityLevels */
  readonly priorityLevels: number;
  /** frontend.enableCancelWorkerPollsOnShutdown */
  readonly workerPollsEndOnShutdown: boolean;
  /** matching.enableFairness */
  readonly fairness: boolean;
}

export const matchingLimits = (limits: Limits): MatchingLimits => ({
  ...limits,
  longPollExpirationMs: limits.matchingLongPollMs,
  taskQueueDispatchPerSecondMax:
    Math.min(limits.namespaceToPartitionDispatchRate, limits.taskQueueToPartitionDispatchRate) * limits.taskQueueReadPartitions,
});

/** Those of a task queue; of its namespace without one. */
export type LimitsOf = (namespaceId: string, taskQueue?: string, type?: "workflow" | "activity") => MatchingLimits;

export const DEFAULT_MATCHING_LIMITS: MatchingLimits = {
  longPollExpirationMs: 60_000,
  taskQueueIdleMsMax: 300_000,
  pollerHistoryMsMax: 300_000,
  queryPollerUnavailableMs: 20_000,
  backlogWindowTasksMax: 2_000,
  taskQueueDispatchPerSecondMax: 4_000,
  queryWithoutDeadlineMs: 30_000,
  priorityLevels: 5,
  fairness: true,
  workerPollsEndOnShutdown: true,
  pollerScalingWaitMs: 1_000,
  pollerScalingBacklogMs: 200,
  pollerScalingDecisionsPerSecond: 10,
  pollerScalingAddToDispatchRatio: 1.2,
};

/** What is kept back of a poller's time so that its answer reaches it (official: returnEmptyTaskTimeBudget). */
export const EMPTY_ANSWER_BUDGET_MS = 1_000;

/** When a poll that begins `now` is answered empty, in microseconds: the setting's time counts whole, the caller's deadline less the budget. */
export function pollEnd(now: number, longPollMs: number, callersDeadlineMs: number | undefined): number {
  const latest = now + longPollMs * MICROS_PER_MS;
  return callersDeadlineMs === undefined ? latest : Math.min(latest, (callersDeadlineMs - EMPTY_ANSWER_BUDGET_MS) * MICROS_PER_MS);
}

/** A sticky queue whose worker has not polled for this long is passed over (official: stickyPollerUnavailableWindow). */
export const STICKY_POLLER_UNAVAILABLE_MS = 10_000;
/** Before a task whose start failed for a reason that may pass is offered again, and a failed read of the backlog repeated. */
export const RETRY_MS = 1_000;
