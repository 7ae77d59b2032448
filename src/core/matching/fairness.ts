/**
 * Fairness of one task queue: in which pass a stored task is given out. The pass of a key's next task lies behind its last one by
 * a stride that is the smaller the heavier the key weighs, so that keys share the queue by their weights and a deep backlog of one
 * key stands in the way of nobody. A key that is new, or has nothing waiting, begins at the front: what it did not use is not saved up.
 *
 * Passes must not fall back when a process ends: the tasks of a key would overtake each other. So the level of a key is promised
 * some way ahead (`ceiling`) and the promise is stored; the next process goes on from there. Only keys with several waiting tasks
 * are worth a promise: a restart may bring a task of another key forward by those few.
 *
 * The official server does it alike (service/matching/fair_task_writer.go), with levels written once a minute.
 */
import { fingerprint32 } from "../../lib/fingerprint32.js";

/** Pass by which a key of weight 1 moves on with each task. */
export const STRIDE = 1000;
const WEIGHT_MIN = 0.001;
/** Keys that have a level in memory. Those at the front go first: they lose nothing. */
export const FAIRNESS_KEYS_MAX = 10_000;
/** Keys that have a promise in the store. */
const PROMISES_MAX = 200;
/** Tasks that a key may store ahead of its promise when there are many keys. */
const UNPROMISED_TASKS_MAX = 32;
/** Keys of a queue that get their promise with their first task. */
const PROMISED_AT_ONCE = 16;
const PROMISE_TASKS = 64;

/** A stored task, as far as fairness is concerned. */
export interface FairnessTask {
  readonly priority: number;
  readonly pass: number;
  readonly key: string;
}

export interface FairnessPromise {
  readonly priority: number;
  readonly front: number;
  readonly keys: readonly { readonly key: string; readonly ceiling: number }[];
}

export type WeightOverrides = Readonly<Record<string, number>>;

/** Weight that counts for a key: the queue's own, else the task's, else 1. */
export function effectiveWeight(overrides: WeightOverrides | undefined, key: string, weight: number): number {
  const w = overrides !== undefined && Object.hasOwn(overrides, key) ? (overrides[key] ?? 0) : weight;
  return w <= 0 ? 1 : Math.max(w, WEIGHT_MIN);
}

interface Level {
  pass: number;
  ceiling: number;
}

/** The keys of one priority. */
class Levels {
  readonly keys = new Map<string, Level>();
  front = 0;
  promised = 0;

  pick(key: string, weight: number): { pass: number; needsPromise: boolean } {
    const stride = Math.max(1, Math.trunc(STRIDE / weight));
    let level = this.keys.get(key);
    const pass = level !== undefined && level.pass >= this.front ? level.pass + stride : this.first(key, stride);
    if (level === undefined) {
      if (this.keys.size >= FAIRNESS_KEYS_MAX) this.forget();
      level = { pass, ceiling: 0 };
      this.keys.set(key, level);
    } else level.pass = pass;
    if (pass <= level.ceiling) return { pass, needsPromise: false };
    const isWorthIt = level.ceiling > 0 || this.promised < PROMISED_AT_ONCE || pass - this.front > UNPROMISED_TASKS_MAX * stride;
    if (!isWorthIt || (level.ceiling === 0 && this.promised >= PROMISES_MAX)) return { pass, needsPromise: false };
    if (level.ceiling === 0) this.promised++;
    level.ceiling = pass + Math.max(PROMISE_TASKS * stride, Math.trunc((pass - this.front) / 4));
    return { pass, needsPromise: true };
  }

  /** Spread over a stride: many new keys would stand at the very front otherwise, before heavier ones that are underway. */
  private first(key: string, stride: number): number {
    return this.front + (fingerprint32(Buffer.from(key)) % stride);
  }

  /** Keys that have nothing waiting behind the front are as good as new; then those that are the least ahead. */
  private forget(): void {
    for (const [key, level] of this.keys) if (level.pass <= this.front) this.drop(key, level);
    if (this.keys.size < FAIRNESS_KEYS_MAX) return;
    const [least] = [...this.keys].sort(([, a], [, b]) => a.pass - b.pass);
    if (least !== undefined) this.drop(...least);
  }

  private drop(key: string, level: Level): void {
    if (level.ceiling > 0) this.promised--;
    this.keys.delete(key);
  }

  /** Keys that have a task of this pass, and perhaps later ones. */
  raise(last: ReadonlyMap<string, number>): void {
    for (const [key, pass] of last) {
      const level = this.keys.get(key);
      if (level === undefined) this.keys.set(key, { pass, ceiling: 0 });
      else level.pass = Math.max(level.pass, pass);
    }
  }

  /** The keys that have tasks, with the pass of their last one. */
  restart(last: ReadonlyMap<string, number>): void {
    for (const [key, level] of this.keys) {
      const pass = last.get(key);
      if (pass === undefined) this.drop(key, level);
      else level.pass = pass;
    }
  }

  /** What the store should hold: promises that still mean something. */
  promises(priority: number): FairnessPromise {
    const keys: { key: string; ceiling: number }[] = [];
    for (const [key, level] of this.keys) {
      if (level.ceiling === 0) continue;
      if (level.ceiling > this.front) keys.push({ key, ceiling: level.ceiling });
      else {
        level.ceiling = 0;
        this.promised--;
      }
    }
    return { priority, front: this.front, keys };
  }
}

export class Fairness {
  private readonly levels = new Map<number, Levels>();

  constructor(promises: Iterable<FairnessPromise> = []) {
    for (const { priority, front, keys } of promises) {
      const levels = this.of(priority);
      // Until the first tasks have been read nobody knows how far the queue has come since: at most as far as the least promise.
      levels.front = keys.reduce((least, { ceiling }) => Math.min(least, ceiling), Number.MAX_SAFE_INTEGER);
      if (keys.length === 0) levels.front = front;
      for (const { key, ceiling } of keys) levels.keys.set(key, { pass: ceiling, ceiling });
      levels.promised = keys.length;
    }
  }

  /** The queue has been read from its beginning. `isWhole`: these are all of its tasks. */
  learn(tasks: Iterable<FairnessTask>, isWhole: boolean): void {
    const fronts = new Map<number, number>();
    const last = new Map<number, Map<string, number>>();
    for (const { priority, pass, key } of tasks) {
      fronts.set(priority, Math.min(fronts.get(priority) ?? pass, pass));
      let keys = last.get(priority);
      if (keys === undefined) last.set(priority, (keys = new Map()));
      keys.set(key, Math.max(keys.get(key) ?? 0, pass));
    }
    for (const [priority, front] of fronts) this.of(priority).front = front;
    for (const [priority, keys] of last) this.of(priority).raise(keys);
    if (isWhole) for (const [priority, levels] of this.levels) levels.restart(last.get(priority) ?? new Map());
  }

  /** The pass of a task that is stored now; `needsPromise`: `promises` must be stored with it. */
  pick(priority: number, key: string, weight: number): { pass: number; needsPromise: boolean } {
    return this.of(priority).pick(key, weight);
  }

  /** A task of this pass has been taken, or is the first of those that wait. */
  reached(priority: number, pass: number): void {
    const levels = this.of(priority);
    if (pass > levels.front) levels.front = pass;
  }

  promises(): FairnessPromise[] {
    return [...this.levels].map(([priority, levels]) => levels.promises(priority)).filter((p) => p.keys.length > 0);
  }

  private of(priority: number): Levels {
    let levels = this.levels.get(priority);
    if (levels === undefined) this.levels.set(priority, (levels = new Levels()));
    return levels;
  }
}
