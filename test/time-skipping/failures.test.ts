/** Skips whose commits fail: the clock stays where it is durable, and goes on when the store does. */
import { afterEach, describe, expect, it } from "vitest";
import type { Batch } from "../../src/persistence/batch.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { StoreFailure } from "../../src/persistence/store.js";
import { commands as c } from "./commands.js";
import { count, DAY, EventType, MINUTE, timeOf, type Workflow, World } from "./world.js";

/** Refuses some of the batches that hold a clock. */
class FailingStore extends MemoryStore {
  skips = 0;
  refused = 0;
  fails: (n: number) => "refused" | "full" | undefined = () => undefined;

  override commit(batch: Batch): Promise<void> {
    if (!batch.registry.has("clock")) return super.commit(batch);
    const kind = this.fails(this.skips++);
    if (kind === undefined) return super.commit(batch);
    this.refused++;
    return Promise.reject(new StoreFailure(kind, "as told"));
  }
}

let world: World;
afterEach(() => world.close());

const sleeper: Workflow = (events) => {
  const fired = count(events, EventType.TIMER_FIRED);
  if (fired === 10) return [c.complete()];
  return count(events, EventType.TIMER_STARTED) === fired ? [c.timer(`t${fired}`, DAY)] : [];
};

describe("a skip", () => {
  it.each(["refused", "full"] as const)("whose batch is not written (%s) is made later, once", async (kind) => {
    const store = new FailingStore();
    world = await World.open({ unlocked: true, store });
    const other: Workflow = (events) =>
      count(events, EventType.TIMER_FIRED) > 0 ? [c.complete()] : events.length < 5 ? [c.timer("t", 3 * DAY)] : [];
    world.worker(sleeper);
    world.worker(other, "other");
    store.fails = (n) => (n % 3 === 0 ? kind : undefined);
    await world.start("w");
    await world.start("other", { taskQueue: { name: "other" } });
    await world.closed("w");
    await world.closed("other");
    expect(store.refused).toBeGreaterThan(2);
    const events = await world.history("w");
    const fired = events.filter((e) => e.eventType === EventType.TIMER_FIRED);
    expect(fired).toHaveLength(10);
    for (const [i, e] of fired.entries()) {
      const gap = timeOf(e) - timeOf(i === 0 ? events[0] : fired[i - 1]);
      expect(gap).toBeGreaterThanOrEqual(DAY);
      expect(gap).toBeLessThan(DAY + MINUTE);
    }
    expect((await world.time()) - timeOf(events[0])).toBeLessThan(10 * DAY + 10 * MINUTE);
  });

  it("of a sleep in a test whose commit fails is made later", async () => {
    const store = new FailingStore();
    world = await World.open({ store });
    await world.call("UnlockTimeSkipping", {});
    await world.call("LockTimeSkipping", {});
    const before = await world.time();
    const skips = store.skips;
    store.fails = (n) => (n === skips ? "refused" : undefined);
    await world.call("UnlockTimeSkippingWithSleep", { duration: { seconds: DAY / 1_000_000 } }, { timeoutMs: 60_000 });
    expect(store.refused).toBe(1);
    expect((await world.time()) - before).toBeGreaterThanOrEqual(DAY);
    expect((await world.time()) - before).toBeLessThan(DAY + MINUTE);
  });
});
