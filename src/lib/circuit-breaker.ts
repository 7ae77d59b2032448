/**
 * Keeps calls from a destination that is down. Closed until more than five calls in a row have failed; open for a minute, without any
 * call; then half open: one call at a time, whose success closes it and whose failure opens it again. The numbers are those of the
 * official server's outbound queue (gobreaker's defaults). Pure: microseconds come in.
 */
export const BREAKER_FAILURES_MAX = 5;
export const BREAKER_OPEN_MICROS = 60_000_000;

export class CircuitBreaker {
  private state: "closed" | "open" | "halfOpen" = "closed";
  private failures = 0;
  private openUntil = 0;
  private isTrying = false;
  /** Calls that began before the last change of state say nothing of what is now. */
  private generation = 0;

  private current(now: number): "closed" | "open" | "halfOpen" {
    if (this.state === "open" && this.openUntil < now) this.become("halfOpen");
    return this.state;
  }

  private become(state: "closed" | "open" | "halfOpen"): void {
    this.state = state;
    this.generation++;
    this.failures = 0;
    this.isTrying = false;
  }

  isClosed(now: number): boolean {
    return this.current(now) === "closed";
  }

  /** Whether anything is remembered. */
  get isFresh(): boolean {
    return this.state === "closed" && this.failures === 0;
  }

  /** When an open one lets the next call through; undefined when time alone changes nothing. */
  opensAt(now: number): number | undefined {
    return this.current(now) === "open" ? this.openUntil + 1 : undefined;
  }

  /** Takes leave for one call; the result is to be told how it went. Undefined: not now. */
  tryBegin(now: number): ((success: boolean, now: number) => void) | undefined {
    const state = this.current(now);
    if (state === "open" || (state === "halfOpen" && this.isTrying)) return undefined;
    this.isTrying = true;
    const { generation } = this;
    return (success, end) => {
      const before = this.current(end);
      if (this.generation !== generation) return;
      if (success) {
        this.failures = 0;
        if (before === "halfOpen") this.become("closed");
        return;
      }
      this.failures++;
      if (before === "closed" && this.failures <= BREAKER_FAILURES_MAX) return;
      this.become("open");
      this.openUntil = end + BREAKER_OPEN_MICROS;
    };
  }
}
