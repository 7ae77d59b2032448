/** Worlds that end with the test that opens them, and the workflows that more than one file runs in them. */
import { onTestFinished } from "vitest";
import { commands as c } from "./commands.js";
import { count, EventType, type Workflow, World, type WorldOptions } from "./world.js";

export async function openWorld(o: WorldOptions = {}): Promise<World> {
  const world = await World.open(o);
  onTestFinished(() => world.close());
  return world;
}

/** Of an execution with a clock of its own. */
export const skipping = { timeSkippingConfig: { enabled: true } };

/** Sleeps so long and so often, then completes. */
export const sleeper =
  (micros: number, times = 1): Workflow =>
  (events) => {
    const fired = count(events, EventType.TIMER_FIRED);
    if (fired === times) return [c.complete()];
    return count(events, EventType.TIMER_STARTED) === fired ? [c.timer(`t${fired}`, micros)] : [];
  };
