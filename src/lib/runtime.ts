/**
 * Time, chance and the event loop, as the shell sees them. The server has the real ones (server/runtime.ts), the simulator its
 * own: nothing below `server` may take them from anywhere else.
 */
export interface Runtime {
  /** Microseconds since the epoch. May go back; whoever needs order keeps its own last value. */
  nowMicros(): number;
  /** Runs `f` once after at least `delayMs`; the result cancels it. */
  setTimer(delayMs: number, f: () => void): () => void;
  /** Like setTimer, for what is nearly always cancelled before its time, such as the deadline of a call: it may come a quarter of a second late. */
  setDeadline(delayMs: number, f: () => void): () => void;
  /** Runs `f` in a later turn of the loop, after the I/O that is ready now. */
  defer(f: () => void): void;
  /** Runs `f` when all that follows from this turn of the loop has run and its answers are written, before anything is read. */
  afterTurn(f: () => void): void;
  /** Holds the whole process for `ms`: what comes meanwhile is there afterwards. */
  rest(ms: number): void;
  /** 16 random bytes. */
  randomBytes16(): Uint8Array;
  /** A random integer below 2^48. */
  randomSeed(): number;
}

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
