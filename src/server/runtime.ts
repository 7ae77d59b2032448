/** The real clock, chance and event loop. */
import { randomFillSync } from "node:crypto";
import type { Runtime } from "../lib/runtime.js";

const POOL = Buffer.alloc(16 * 256);
let used = POOL.length;
/** Longer delays overflow a timer; they are taken in steps. */
const STEP_MS_MAX = 2 ** 31 - 1;
/** Wall clock and monotonic clock, read together: microseconds between two ticks of the wall clock come from the other. */
const originMicros = Date.now() * 1000;
const originHr = process.hrtime.bigint();
let offset = 0;

function nowMicros(): number {
  const micros = originMicros + offset + Number((process.hrtime.bigint() - originHr) / 1000n);
  const wall = Date.now() * 1000;
  // The wall clock was set, or the machine slept.
  if (Math.abs(wall - micros) > 50_000) offset += wall - micros;
  return originMicros + offset + Number((process.hrtime.bigint() - originHr) / 1000n);
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
