/** TestService on one clock and on several: locks, sleeps, what may be skipped and what may not. */
import { afterEach, describe, expect, it } from "vitest";
import { Code } from "../../src/api/service-error.js";
import { commands as c } from "./commands.js";
import { DAY, EventType, has, HOUR, MINUTE, SECOND, span, timeOf, World, type WorldOptions } from "./world.js";

let world: World;
const open = async (o: WorldOptions = {}): Promise<World> => {
  world = await World.open(o);
  return world;
};
afterEach(() => world.close());

/** Sleeps once, then completes. */
const sleeper = (micros: number) => (events: Parameters<typeof has>[0]) => has(events, EventType.TIMER_FIRED) ? [c.complete()] : has(events, EventType.TIMER_STARTED) ? [] : [c.timer("t", micros)];

describe("TestService", () => {
  it("starts locked: time passes at its own pace until a client unlocks it", async () => {
    const w = await open();
    w.worker(sleeper(10 * MINUTE));
    await w.start("w");
    await w.closed("w");
    expect(w.waited).toBeGreaterThanOrEqual(10 * MINUTE);
    expect(w.skips).toEqual([]);
  });

  it("skips a workflow's sleep while a client waits for its end", async () => {
    const w = await open();
    w.worker(sleeper(30 * DAY));
    const before = await w.time();
    await w.start("w");
    await w.result("w");
    expect(w.waited).toBeLessThan(SECOND);
    expect((await w.time()) - before).toBeGreaterThanOrEqual(30 * DAY);
    expect(w.skips).toEqual([expect.objectContaining({ clock: "server", reason: "timer", workflowId: "w" })]);
    const events = await w.history("w");
    const fired = events.find((e) => e.eventType === EventType.TIMER_FIRED);
    expect(timeOf(fired) - timeOf(events[0])).toBeGreaterThanOrEqual(30 * DAY);
  });
});
