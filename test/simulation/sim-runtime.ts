/** A clock, an event loop and chance that the simulator owns: the same seed gives the same run. */
import { Heap } from "../../src/lib/heap.js";
import { Random } from "../../src/lib/random.js";
import type { Runtime } from "../../src/lib/runtime.js";

interface Timer {
  at: number;
  order: number;
  f: (() => void) | undefined;
}

export class SimRuntime implements Runtime {
  now = 1_700_000_000_000_000;
  readonly random: Random;
  private order = 0;
  private timers = new Heap<Timer>((a, b) => a.at - b.at || a.order - b.order);
  private deferred: (() => void)[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  nowMicros(): number {
    return this.now;
  }

  setDeadline(delayMs: number, f: () => void): () => void {
    return this.setTimer(delayMs, f);
  }

  setTimer(delayMs: number, f: () => void): () => void {
    const timer: Timer = { at: this.now + Math.max(0, Math.round(delayMs * 1000)), order: this.order++, f };
    this.timers.push(timer);
    return () => {
      timer.f = undefined;
    };
  }

  defer(f: () => void): void {
    this.deferred.push(f);
  }

  afterTurn(f: () => void): void {
    this.defer(f);
  }
  rest(ms: number): void {
    this.now += ms * 1000;
  }

  randomBytes16(): Uint8Array {
    const b = Buffer.alloc(16);
    for (let i = 0; i < 16; i += 4) b.writeUInt32LE(this.random.uint32(), i);
    return b;
  }

  randomSeed(): number {
    return this.random.uint32();
  }

  /** Runs one deferred function. Answers whether there was one. */
  turn(): boolean {
    const f = this.deferred.shift();
    f?.();
    return f !== undefined;
  }

  get hasDeferred(): boolean {
    return this.deferred.length > 0;
  }

  /** Moves to the next timer and runs it. Answers false when there is none up to `until`. */
  tick(until = Number.POSITIVE_INFINITY): boolean {
    for (let next = this.timers.peek(); next !== undefined; next = this.timers.peek()) {
      if (next.f === undefined) {
        this.timers.pop();
        continue;
      }
      if (next.at > until) return false;
      this.timers.pop();
      this.now = Math.max(this.now, next.at);
      next.f();
      return true;
    }
    return false;
  }

  /** The process has died: nothing that it wanted to do happens. */
  clear(): void {
    this.timers = new Heap<Timer>((a, b) => a.at - b.at || a.order - b.order);
    this.deferred = [];
  }
}

/** Lets everything that is ready happen, without the clock. */
export function settleMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
