/**
 * Time limits of speculative workflow tasks: in memory, as the tasks are. A run has at most one timer armed, however many such tasks
 * it gets: one that fires too early, because there is a newer task, is armed again.
 */
import type { RunState } from "../core/workflow/mutable-state.js";
import { speculativeDeadline } from "../core/workflow/workflow-task.js";
import type { Runtime } from "../lib/runtime.js";

export class SpeculativeTimers {
  /** By execution key. */
  private readonly armed = new Map<number, { at: number; stop: () => void }>();

  constructor(
    private readonly runtime: Runtime,
    /** The run as it is now; undefined when it is not in memory, and its speculative task is gone. */
    private readonly stateOf: (key: number) => RunState | undefined,
    /** Microseconds that the run's clock is ahead of real time. */
    private readonly aheadOf: (state: RunState) => number,
    private readonly fire: (state: RunState) => void,
  ) {}

  watch(state: RunState): void {
    const at = speculativeDeadline(state.info.workflowTask);
    if (at === 0) return;
    const armed = this.armed.get(state.key);
    if (armed !== undefined && armed.at <= at) return;
    armed?.stop();
    const { key } = state;
    const delayMs = Math.max(0, Math.ceil((at - this.now(state)) / 1000));
    this.armed.set(key, { at, stop: this.runtime.setTimer(delayMs, () => this.fired(key)) });
  }

  private now(state: RunState): number {
    return this.runtime.nowMicros() + this.aheadOf(state);
  }

  private fired(key: number): void {
    this.armed.delete(key);
    const state = this.stateOf(key);
    if (state === undefined) return;
    const at = speculativeDeadline(state.info.workflowTask);
    if (at === 0) return;
    if (at <= this.now(state)) this.fire(state);
    else this.watch(state);
  }

  stop(): void {
    for (const { stop } of this.armed.values()) stop();
    this.armed.clear();
  }
}
