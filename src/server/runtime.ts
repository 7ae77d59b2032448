/** The real clock, chance and event loop. */
import { randomFillSync } from "node:crypto";
import { nextTick } from "node:process";
import { Deadlines } from "../lib/deadlines.js";
import type { Runtime } from "../lib/runtime.js";

const POOL = Buffer.alloc(16 * 256);
let used = POOL.length;
const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4));
/** A time limit of a second and more may be that late. */
const DEADLINE_STEP_MS = 256;
const COARSE_FROM_MS = 1_024;
const COARSE_TO_MS = 3_600_000;
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

/** Where in the pool that many bytes are that nobody has had. */
function draw(bytes: number): number {
  if (used + bytes > POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  const at = used;
  used += bytes;
  return at;
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
    return delayMs < COARSE_FROM_MS || delayMs > COARSE_TO_MS ? systemRuntime.setTimer(delayMs, f) : deadlines.set(delayMs, f);
  },
  defer(f) {
    setImmediate(f);
  },
  afterTurn(f) {
    // Promises run before ticks: by the first tick the last answer of this turn has asked for the one that writes it.
    queueMicrotask(() => nextTick(() => nextTick(f)));
  },
  rest(ms) {
    Atomics.wait(NEVER_WOKEN, 0, 0, ms);
  },
  randomBytes16() {
    const at = draw(16);
    return Buffer.from(POOL.subarray(at, at + 16));
  },
  randomSeed() {
    return POOL.readUIntLE(draw(6), 6);
  },
};

const deadlines = new Deadlines(
  DEADLINE_STEP_MS,
  () => performance.now(),
  (delayMs, f) => {
    // The event loop counts whole milliseconds and may be a part of one early. What is left of limits keeps no process alive.
    const handle = setTimeout(f, Math.ceil(delayMs) + 1).unref();
    return () => clearTimeout(handle);
  },
);
