/**
 * Advice to a worker that lets the server say how many polls it should keep open: one less when a poll had to wait for its task, one
 * more when tasks wait or arrive faster than they leave (official: makePollerScalingDecision of
 * service/matching/physical_task_queue_manager.go). Times are microseconds.
 */
import { MICROS_PER_MS, MICROS_PER_SECOND } from "../../api/time.js";

export interface ScalingLimits {
  /** matching.pollerScalingWaitTime */
  readonly pollerScalingWaitMs: number;
  /** matching.pollerScalingMinimumBacklog: age of the oldest waiting task */
  readonly pollerScalingBacklogMs: number;
  /** matching.pollerScalingDecisionsPerSecond: of each poller */
  readonly pollerScalingDecisionsPerSecond: number;
  /** matching.pollerScalingTaskAddToDispatchRatio */
  readonly pollerScalingAddToDispatchRatio: number;
}

export interface QueueLoad {
  /** When the oldest waiting task came; undefined when none waits. */
  oldest(): number | undefined;
  /** Tasks a second. */
  addRate(now: number): number;
  dispatchRate(now: number): number;
}

export class PollerScaling {
  private tokens: number | undefined;
  private filledAt = 0;

  /** Polls to open in addition; 0 is no advice. */
  decide(pollSince: number, pollerCount: number, load: QueueLoad, limits: ScalingLimits, now: number): number {
    if (now - pollSince >= limits.pollerScalingWaitMs * MICROS_PER_MS) return -1;
    if (!this.mayAdvise(Math.max(1, pollerCount), limits.pollerScalingDecisionsPerSecond, now)) return 0;
    const oldest = load.oldest();
    if (oldest !== undefined && now - oldest > limits.pollerScalingBacklogMs * MICROS_PER_MS) return 1;
    const added = load.addRate(now);
    return added > 0 && added > load.dispatchRate(now) * limits.pollerScalingAddToDispatchRatio ? 1 : 0;
  }

  /** Each piece of advice costs a share of the queue's allowance, so that many pollers get advice more often. */
  private mayAdvise(pollerCount: number, perSecond: number, now: number): boolean {
    const tokens = Math.min(perSecond, (this.tokens ?? perSecond) + (Math.max(0, now - this.filledAt) * perSecond) / MICROS_PER_SECOND);
    this.filledAt = now;
    this.tokens = tokens;
    if (tokens * pollerCount < 1) return false;
    this.tokens = tokens - 1 / pollerCount;
    return true;
  }
}
