/**
 * Time limits that are nearly always cancelled: of calls and polls. They are rounded up to steps of the clock, and those of a step share
 * one timer, so that to set and to cancel one costs an entry in a list. A limit fires at most one step late, never early. The timers of a
 * few steps that have no limit any more stay: calls that come one at a time have limits in the same step.
 */

interface Limit {
  readonly f: () => void;
  /** Place in the list of its step; below 0: it has fired or was cancelled. */
  at: number;
}

interface Step {
  readonly limits: Limit[];
  stopTimer: () => void;
}

const GONE = -1;
const EMPTY_STEPS_MAX = 4;

export class Deadlines {
  private readonly steps = new Map<number, Step>();
  /** Steps that became empty last; they may hold limits again. */
  private readonly emptied: number[] = [];

  constructor(
    private readonly stepMs: number,
    /** A clock that does not go back: milliseconds. */
    private readonly nowMs: () => number,
    private readonly setTimer: (delayMs: number, f: () => void) => () => void,
  ) {}

  /** Runs `f` when the time is up, unless the function that is returned is called before. */
  set(delayMs: number, f: () => void): () => void {
    const now = this.nowMs();
    const n = Math.ceil((now + delayMs) / this.stepMs);
    let step = this.steps.get(n);
    if (step === undefined) {
      step = { limits: [], stopTimer: this.setTimer(n * this.stepMs - now, () => this.due(n)) };
      this.steps.set(n, step);
    }
    const { limits } = step;
    const limit = { f, at: limits.length };
    limits.push(limit);
    return () => this.cancel(n, limits, limit);
  }

  private cancel(n: number, limits: Limit[], limit: Limit): void {
    if (limit.at === GONE) return;
    const last = limits.pop() as Limit;
    if (last !== limit) {
      limits[limit.at] = last;
      last.at = limit.at;
    }
    limit.at = GONE;
    if (limits.length === 0 && !this.emptied.includes(n)) this.keepEmpty(n);
  }

  private keepEmpty(n: number): void {
    if (this.emptied.push(n) <= EMPTY_STEPS_MAX) return;
    const oldest = this.emptied.shift() as number;
    const step = this.steps.get(oldest);
    if (step === undefined || step.limits.length > 0) return;
    step.stopTimer();
    this.steps.delete(oldest);
  }

  private due(n: number): void {
    const step = this.steps.get(n);
    if (step === undefined) return;
    // What one of them sets or cancels finds the step as it is then.
    for (let limit = step.limits.pop(); limit !== undefined; limit = step.limits.pop()) {
      limit.at = GONE;
      limit.f();
    }
    this.steps.delete(n);
  }
}
