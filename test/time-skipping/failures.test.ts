/** Skips whose commits fail: the clock stays where it is durable, and goes on when the store does. */
import { afterEach, describe, expect, it } from "vitest";
import type { Batch } from "../../src/persistence/batch.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { StoreFailure } from "../../src/persistence/store.js";
import { commands as c } from "./commands.js";
import { sleeper } from "./open-world.js";
import { count, DAY, EventType, MINUTE, timeOf, type Workflow, World } from "./world.js";

/** Refuses some of the batches that hold a clock. */
class FailingStore extends MemoryStore {
  skips = 0;
  refused = 0;
  fails: (n: number) => "refused" | "full" | undefined = () => undefined;

  dies: (n: number) => "before" | "after" | undefined = () => undefined;
  /** A clock's batch is decided when this resolves. */
  gate: Promise<void> | undefined;
  private isDead = false;

  /** For the next process. */
  revive(): void {
    this.isDead = false;
    this.dies = () => undefined;
    this.fails = () => undefined;
  }

  override async commit(batch: Batch): Promise<void> {
    if (this.isDead) return new Promise(() => undefined);
    if (!batch.registry.has("clock")) return super.commit(batch);
    const death = this.dies(this.skips);
    if (death !== undefined) {
      this.isDead = true;
      if (death === "after") await super.commit(batch);
      return new Promise(() => undefined);
    }
    const kind = this.fails(this.skips++);
    await this.gate;
    if (kind === undefined) return super.commit(batch);
    this.refused++;
    return Promise.reject(new StoreFailure(kind, "as told"));
  }
}

let world: World;
afterEach(() => world.close());

const tenDays = sleeper(DAY, 10);

describe("a skip", () => {
  it.each(["refused", "full"] as const)("whose batch is not written (%s) is made later, once", async (kind) => {
    const store = new FailingStore();
    world = await World.open({ unlocked: true, store });
    const other: Workflow = (events) =>
      count(events, EventType.TIMER_FIRED) > 0 ? [c.complete()] : events.length < 5 ? [c.timer("t", 3 * DAY)] : [];
    world.worker(tenDays);
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

  it.each([
    ["before the write", false],
    ["after the write, before anybody knew", true],
  ] as const)("is made once, or made later, when the process dies %s, at whichever skip", async (_, isWritten) => {
    const store = new FailingStore();
    let now: number | undefined;
    for (let death = 0; ; death++) {
      store.revive();
      world = await World.open({ unlocked: true, store, ...(now === undefined ? {} : { now }) });
      store.skips = 0;
      // The first skip of each process is refused before it is made.
      store.fails = (n) => (n === 0 ? "refused" : undefined);
      const died = new Promise<void>((resolve) => {
        store.dies = (n) => {
          if (n < 1 + (death % 3)) return undefined;
          resolve();
          return isWritten ? "after" : "before";
        };
      });
      const w = world;
      if (death === 0) await w.start("w", { workflowTaskTimeout: { seconds: 1 } });
      // No clock is behind what has happened by it.
      expect(await w.time()).toBeGreaterThanOrEqual(timeOf((await w.history("w")).at(-1)));
      w.worker(tenDays);
      const isDone = await Promise.race([
        died.then(() => false),
        w.closed("w").then(
          () => true,
          () => false,
        ),
      ]);
      if (isDone) {
        expect(death).toBeGreaterThan(2);
        break;
      }
      now = w.subject.now;
      w.close();
      expect(death).toBeLessThan(30);
    }
    const events = await world.history("w");
    const fired = events.filter((e) => e.eventType === EventType.TIMER_FIRED);
    expect(fired).toHaveLength(10);
    for (const [i, e] of events.entries()) if (i > 0) expect(timeOf(e)).toBeGreaterThanOrEqual(timeOf(events[i - 1]));
    for (const [i, e] of fired.entries()) {
      const gap = timeOf(e) - timeOf(i === 0 ? events[0] : fired[i - 1]);
      expect(gap).toBeGreaterThanOrEqual(DAY);
      expect(gap).toBeLessThan(DAY + MINUTE);
    }
  });

  it("that is lost takes with it what others did in its time meanwhile", async () => {
    const store = new FailingStore();
    world = await World.open({ unlocked: true, store });
    const first = world;
    let open: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => {
      store.fails = () => {
        resolve();
        store.fails = () => undefined;
        store.dies = () => "before";
        return "refused";
      };
    });
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    first.worker(tenDays);
    await first.start("w");
    await reached;
    // The skip is applied and not durable.
    const started = first.start("other", { taskQueue: { name: "nobody" } }).catch(() => undefined);
    await first.subject.sleep(5);
    open();
    await Promise.race([started, first.subject.sleep(50)]);
    first.close();
    store.revive();
    store.gate = undefined;
    world = await World.open({ store, now: first.subject.now });
    const { count: runs } = await world.call("CountWorkflowExecutions", { query: "WorkflowId = 'other'" });
    if (runs > 0) expect(await world.time()).toBeGreaterThanOrEqual(timeOf((await world.history("other"))[0]));
    expect(await world.time()).toBeGreaterThanOrEqual(timeOf((await world.history("w")).at(-1)));
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
