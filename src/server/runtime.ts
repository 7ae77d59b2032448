/** The real clock, chance and event loop. */
import { randomFillSync } from "node:crypto";
import type { Runtime } from "../lib/runtime.js";

const POOL = Buffer.alloc(16 * 256);
let used = POOL.length;
/** The event loop keeps a list for each delay that occurs: timers of one delay cost it next to nothing, lists of one timer much. */
const COARSE_MS = 256;
/** Longer delays overflow a timer; they are taken in steps. */
const STEP_MS_MAX = 2 ** 31 - 1;
/** How far the wall clock may run from ours before ours follows it: it was set, or the machine slept. */
const DRIFT_MICROS_MAX = 50_000;
/** The wall clock is asked that seldom: a request reads the time a dozen times. */
const WALL_CLOCK_MS = 5;
/** The wall clock when the monotonic one was 0: microseconds between two ticks of the first come from the second. */
let originMicros = Date.now() * 1000 - performance.now() * 1000;
let askedAtMs = 0;

function nowMicros(): number {
  const ms = performance.now();
  if (ms - askedAtMs > WALL_CLOCK_MS) {
    askedAtMs = ms;
    const ahead = Date.now() * 1000 - (originMicros + ms * 1000);
    if (Math.abs(ahead) > DRIFT_MICROS_MAX) originMicros += ahead;
  }
  return Math.floor(originMicros + ms * 1000);
}

export const systemRuntime: Runtime = {
  nowMicros,
  setTimer(delayMs, f) {
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      handle = setTimeout(() => (left > STEP_MS_MAX ? arm(left - STEP_MS_MAX) : f()), Math.min(left, STEP_MS_MAX));
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(handle);
  },
  setDeadline(delayMs, f) {
    return systemRuntime.setTimer(delayMs < 4 * COARSE_MS ? delayMs : Math.ceil(delayMs / COARSE_MS) * COARSE_MS, f);
  },
  defer(f) {
    setImmediate(f);
  },
  randomBytes16() {
    if (used + 16 > POOL.length) {
      randomFillSync(POOL);
      used = 0;
    }
    const out = Buffer.from(POOL.subarray(used, used + 16));
    used += 16;
    return out;
  },
  randomSeed() {
    const b = systemRuntime.randomBytes16() as Buffer;
    return b.readUIntLE(0, 6);
  },
};
