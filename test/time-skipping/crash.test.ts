/** The real server as the test server is run, killed while it skips: no clock goes back, no timer is early or skipped over twice. */
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { type ServerProcess, startTestServer, temporaryDirectory } from "../harness/server-process.js";
import { sleeper } from "./open-world.js";
import { DAY, EventType, MINUTE, SECOND, span, timeOf, World } from "./world.js";

const folder = temporaryDirectory();
let server: ServerProcess | undefined;
afterEach(() => server?.child.kill("SIGKILL"));

/** Enough for the workflows to outlive every kill, on a fast machine too. */
const SLEEPS = 400;
const ROUNDS = 5;

describe("kill -9 in the middle of skipping", () => {
  it("leaves a clock, an execution's own clock and their timers as they were acknowledged", async () => {
    const file = join(folder, "test.db");
    const ids = ["shared", "own"];
    let clock = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const isLast = round === ROUNDS - 1;
      server = await startTestServer(["0", "--enable-time-skipping", "--db-filename", file]);
      const world = new World(new GrpcSubject(server.address));
      const begins = await world.time();
      expect(begins).toBeGreaterThanOrEqual(clock);
      if (round === 0) {
        // A task that died with its answer is soon given again.
        const workflowTaskTimeout = span(SECOND);
        await world.start("shared", { workflowTaskTimeout });
        await world.start("own", { workflowTaskTimeout, timeSkippingConfig: { enabled: true, maxSessionSkipCount: 10_000 } });
      }
      const runs = () =>
        Promise.all(
          ids.map(async (id) => {
            const info = (await world.describe(id)).workflowExecutionInfo;
            return { length: Number(info?.historyLength), isOpen: info?.closeTime === null || info?.closeTime === undefined };
          }),
        );
      const before = await runs();
      world.worker(sleeper(DAY, SLEEPS));
      if (isLast) {
        for (const id of ids) await world.closed(id);
        for (const id of ids) {
          const events = await world.history(id);
          const fired = events.filter((e) => e.eventType === EventType.TIMER_FIRED);
          expect(fired).toHaveLength(SLEEPS);
          for (const [i, e] of events.entries()) if (i > 0) expect(timeOf(e)).toBeGreaterThanOrEqual(timeOf(events[i - 1]));
          for (const [i, e] of fired.entries()) {
            if (i === 0) continue;
            const gap = timeOf(e) - timeOf(fired[i - 1]);
            expect(gap).toBeGreaterThanOrEqual(DAY);
            expect(gap).toBeLessThan(DAY + MINUTE);
          }
        }
        world.close();
        expect(await server.stop()).toBe(0);
      } else {
        // Both have to have gone on, and what was read then was acknowledged.
        for (;;) {
          const now = await runs();
          expect(now.map((r) => r.isOpen)).toEqual([true, true]);
          if (now.every((r, i) => r.length > (before[i]?.length ?? 0) + 30 + 7 * round)) break;
        }
        clock = await world.time();
        server.child.kill("SIGKILL");
        world.close();
        await server.exited;
      }
    }
  });
});
