/** For tests: time, chance and turns of the loop in the test's hand. */
import type { Runtime } from "./runtime.js";

interface Timer {
  readonly at: number;
  readonly f: () => void;
}

export class FakeRuntime implements Runtime {
  now = 1_800_000_000_000_000;
  restedMs = 0;
  readonly timers = new Set<Timer>();
  private deferred: (() => void)[] = [];
  private counter = 0;

  /** `turns`: "held" runs what is deferred in `settle` and `advance` only, "free" by itself. */
  constructor(private readonly turns: "held" | "free" = "held") {}

  nowMicros(): number {
    return this.now;
  }
  setDeadline(delayMs: number, f: () => void): () => void {
    return this.setTimer(delayMs, f);
  }

  setTimer(delayMs: number, f: () => void): () => void {
    const timer = { at: this.now + delayMs * 1000, f };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }
  defer(f: () => void): void {
    if (this.turns === "free") queueMicrotask(f);
    else this.deferred.push(f);
  }
  afterTurn(f: () => void): void {
    this.defer(f);
  }
  rest(ms: number): void {
    this.restedMs += ms;
    this.now += ms * 1000;
  }
  randomBytes16(): Uint8Array {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint32(0, ++this.counter);
    return bytes;
  }
  randomSeed(): number {
    return ++this.counter;
  }

  /** Runs what is deferred and what follows from it, until nothing is left to run now. */
  async settle(): Promise<void> {
    let idle = 0;
    while (idle < 3) {
      await new Promise((resolve) => setImmediate(resolve));
      const due = this.deferred.splice(0);
      for (const f of due) f();
      idle = due.length === 0 ? idle + 1 : 0;
    }
  }
  /** Time passes; timers fire in order, each at its time and with all that follows from it. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms * 1000;
    await this.settle();
    while (this.fireNext(end)) await this.settle();
    this.now = end;
  }
  /** Time passes in one step: the timers that are due by then fire late, within this turn. */
  elapse(ms: number): void {
    this.now += ms * 1000;
    for (const t of [...this.timers]) if (t.at <= this.now && this.timers.delete(t)) t.f();
  }

  private fireNext(end: number): boolean {
    let next: Timer | undefined;
    for (const t of this.timers) if (t.at <= end && (next === undefined || t.at < next.at)) next = t;
    if (next === undefined) return false;
    this.timers.delete(next);
    this.now = Math.max(this.now, next.at);
    next.f();
    return true;
  }
}
