import { describe, expect, it } from "vitest";
import { effectiveWeight, FAIRNESS_KEYS_MAX, Fairness, type FairnessPromise, STRIDE } from "./fairness.js";

interface Stored {
  key: string;
  n: number;
  pass: number;
}

/** Stores tasks of keys with these weights, in this order, and gives them out in the order of their passes. */
function queue(fairness = new Fairness()) {
  let waiting: Stored[] = [];
  let n = 0;
  let promises: FairnessPromise[] = [];
  return {
    fairness,
    get promises() {
      return promises;
    },
    get waiting() {
      return waiting;
    },
    store(key: string, weight: number, count = 1): void {
      for (let i = 0; i < count; i++) {
        const { pass, needsPromise } = fairness.pick(3, key, weight);
        if (needsPromise) promises = fairness.promises();
        waiting.push({ key, n: n++, pass });
      }
    },
    take(count: number): Stored[] {
      waiting = waiting.sort((a, b) => a.pass - b.pass || a.n - b.n);
      const taken = waiting.splice(0, count);
      for (const t of taken) fairness.reached(3, t.pass);
      return taken;
    },
    /** The same rows in the next process. */
    restarted(isRead: "read" | "unread") {
      const next = queue(new Fairness(promises));
      for (const t of waiting) next.waiting.push(t);
      if (isRead === "read")
        next.fairness.learn(
          waiting.map((t) => ({ priority: 3, pass: t.pass, key: t.key })),
          true,
        );
      return next;
    },
  };
}

const countOf = (taken: Stored[], key: string) => taken.filter((t) => t.key === key).length;

describe("fairness", () => {
  it("shares a deep backlog by the weights of its keys, whatever the order in which the tasks came", () => {
    const q = queue();
    q.store("one", 1, 4000);
    q.store("two", 2, 4000);
    q.store("four", 4, 4000);
    const taken = q.take(3500);
    expect(countOf(taken, "one") / 500).toBeCloseTo(1, 1);
    expect(countOf(taken, "two") / 1000).toBeCloseTo(1, 1);
    expect(countOf(taken, "four") / 2000).toBeCloseTo(1, 1);
  });

  it("lets one greedy key starve nobody, not even those that come later", () => {
    const q = queue();
    q.store("greedy", 1, 100_000);
    q.take(20_000);
    for (let i = 0; i < 50; i++) q.store(`modest ${i}`, 1);
    expect(new Set(q.take(102).map((t) => t.key)).size).toBe(51);
  });

  it("keeps the order of a key's tasks, and plain order when there is one key", () => {
    const q = queue();
    q.store("", 1, 10);
    q.take(4);
    q.store("", 1, 10);
    expect(q.take(16).map((t) => t.n)).toEqual(Array.from({ length: 16 }, (_, i) => i + 4));
  });

  it("saves nothing up for a key that was idle", () => {
    const q = queue();
    q.store("idle", 1);
    q.store("busy", 1, 1000);
    q.take(900);
    q.store("idle", 1, 100);
    const taken = q.take(100);
    expect(countOf(taken, "idle")).toBeGreaterThan(40);
    expect(countOf(taken, "idle")).toBeLessThan(60);
  });

  it("spreads light keys over their first stride, so that they do not stand before heavier ones together", () => {
    const q = queue();
    for (let i = 0; i < 200; i++) q.store(`light ${i}`, 0.01);
    q.store("heavy", 1, 200);
    expect(countOf(q.take(200), "heavy")).toBeGreaterThan(50);
  });

  it("weighs by the queue's overrides before the task's own weight", () => {
    expect(effectiveWeight({ a: 5 }, "a", 2)).toBe(5);
    expect(effectiveWeight({ a: 5 }, "b", 2)).toBe(2);
    expect(effectiveWeight(undefined, "b", 0)).toBe(1);
    expect(effectiveWeight({ a: 0.00001 }, "a", 2)).toBe(0.001);
    expect(effectiveWeight({}, "constructor", 3)).toBe(3);
  });

  it("lets no task of a key overtake an older one after a restart, read or not", () => {
    for (const isRead of ["read", "unread"] as const) {
      const q = queue();
      q.store("a", 1, 700);
      q.store("b", 3, 50);
      q.take(100);
      const next = q.restarted(isRead);
      const last = { a: 0, b: 0 };
      for (const t of next.waiting) last[t.key as "a"] = Math.max(last[t.key as "a"], t.pass);
      next.store("a", 1);
      next.store("b", 3);
      expect(next.waiting.at(-2)?.pass).toBeGreaterThan(last.a);
      expect(next.waiting.at(-1)?.pass).toBeGreaterThan(last.b);
    }
  });

  it("lets no task overtake one of its key that it has read, when it has read a part", () => {
    const fairness = new Fairness();
    fairness.learn([{ priority: 3, pass: 5000, key: "a" }], false);
    expect(fairness.pick(3, "a", 1).pass).toBeGreaterThan(5000);
    expect(fairness.pick(3, "b", 1).pass).toBeGreaterThanOrEqual(5000);
  });

  it("goes on fairly after a restart once the tasks have been read", () => {
    const q = queue();
    q.store("greedy", 1, 2000);
    q.take(1000);
    const next = q.restarted("read");
    next.store("modest", 1, 10);
    expect(countOf(next.take(22), "modest")).toBeGreaterThanOrEqual(9);
  });

  it("writes promises seldom: a logarithm of the backlog's depth", () => {
    const fairness = new Fairness();
    let writes = 0;
    for (let i = 0; i < 100_000; i++) if (fairness.pick(3, "", 1).needsPromise) writes++;
    expect(writes).toBeLessThan(60);
  });

  it("promises the keys that have a backlog, when there are very many", () => {
    const fairness = new Fairness();
    let writes = 0;
    for (let i = 0; i < 5000; i++) if (fairness.pick(3, `k${i}`, 1).needsPromise) writes++;
    expect(writes).toBeLessThanOrEqual(16);
    for (let i = 0; i < 100; i++) fairness.pick(3, "k4999", 1);
    expect(fairness.promises()[0]?.keys.find((k) => k.key === "k4999")?.ceiling).toBeGreaterThan(60 * STRIDE);
  });

  it("remembers a bounded number of keys", () => {
    const fairness = new Fairness();
    for (let i = 0; i < FAIRNESS_KEYS_MAX + 100; i++) fairness.reached(3, fairness.pick(3, `k${i}`, 1).pass);
    expect((fairness as unknown as { levels: Map<number, { keys: Map<string, unknown> }> }).levels.get(3)?.keys.size).toBeLessThanOrEqual(
      FAIRNESS_KEYS_MAX,
    );
  });
});
