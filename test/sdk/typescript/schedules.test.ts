/** The schedule client of the official TypeScript SDK, with a worker that runs what is scheduled; and a server that dies in between. */
import { Client, Connection, ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer, temporaryDirectory } from "../../harness/server-process.js";
import type { Told } from "./schedule-workflows.js";
import { eventually, failureOf, type Suite, startSuite } from "./suite.js";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("schedule-workflows.ts");
});
afterAll(async () => s?.end());

const action = (workflowType: string, args: unknown[] = [], more: object = {}) =>
  ({ type: "startWorkflow", workflowType, args, taskQueue: s.taskQueue, workflowId: s.id("action"), ...more }) as const;

describe("the schedule client", () => {
  it("creates, describes, updates and deletes", async () => {
    const scheduleId = s.id("schedule");
    const handle = await s.client.schedule.create({
      scheduleId,
      spec: {
        calendars: [{ comment: "at noon", dayOfWeek: { start: "MONDAY", end: "FRIDAY" }, hour: 12 }],
        cronExpressions: ["TZ=Europe/Berlin 30 6 * * SUN"],
        intervals: [{ every: "10d", offset: "2d" }],
        skip: [{ month: "DECEMBER", dayOfMonth: 25, hour: "*", minute: "*", second: "*" }],
        startAt: new Date("2100-01-01T00:00:00Z"),
        jitter: "30s",
      },
      action: action("tellsItsSchedule", ["x"], { memo: { m: "of the action" } }),
      policies: { overlap: ScheduleOverlapPolicy.BUFFER_ONE, catchupWindow: "2h", pauseOnFailure: true },
      state: { paused: true, note: "not yet", remainingActions: 5 },
      memo: { of: "the schedule" },
      searchAttributes: { CustomKeywordField: ["kw"] },
    });
    const d = await handle.describe();
    expect(d.spec.calendars?.map((c) => [c.comment, c.hour[0]?.start])).toEqual([
      ["at noon", 12],
      ["", 6],
    ]);
    expect(d.spec).toMatchObject({ timezone: "Europe/Berlin", intervals: [{ every: 864_000_000, offset: 172_800_000 }], jitter: 30_000 });
    expect(d.policies).toMatchObject({ overlap: "BUFFER_ONE", catchupWindow: 7_200_000, pauseOnFailure: true });
    expect(d.state).toMatchObject({ paused: true, note: "not yet", remainingActions: 5 });
    expect(d.memo).toEqual({ of: "the schedule" });
    expect(d.searchAttributes).toMatchObject({ CustomKeywordField: ["kw"] });
    expect(d.action).toMatchObject({ workflowType: "tellsItsSchedule", memo: { m: "of the action" }, args: ["x"] });
    const again = s.client.schedule.create({ scheduleId, spec: {}, action: action("tellsItsSchedule") });
    expect(await failureOf(again)).toBeInstanceOf(ScheduleAlreadyRunning);
    await handle.update(({ action: _old, ...previous }) => ({
      ...previous,
      action: action("waitsForDone"),
      spec: { intervals: [{ every: "1d" }] },
      state: { ...previous.state, note: "updated" },
    }));
    const updated = await handle.describe();
    expect([updated.action.workflowType, updated.state.note, updated.spec.intervals]).toEqual([
      "waitsForDone",
      "updated",
      [{ every: 86_400_000, offset: undefined }],
    ]);
    expect(updated.info.lastUpdatedAt).toBeInstanceOf(Date);
    await handle.delete();
    expect(await failureOf(handle.describe())).toBeInstanceOf(ScheduleNotFoundError);
    expect(await failureOf(handle.delete())).toBeInstanceOf(ScheduleNotFoundError);
  });

  it("triggers workflows, which are told of their schedule and of the result before", async () => {
    const handle = await s.client.schedule.create({
      scheduleId: s.id("told"),
      spec: {},
      action: action("tellsItsSchedule", ["n"], { memo: { m: "v" } }),
      policies: { overlap: "SKIP" },
    });
    const results: Told[] = [];
    for (let n = 1; n <= 2; n++) {
      await handle.trigger();
      await eventually(async () => (await handle.describe()).info.numActionsTaken).toBe(n);
      const [last] = (await handle.describe()).info.recentActions.slice(-1);
      if (last === undefined) throw new Error("an action was taken");
      const { workflowId, firstExecutionRunId } = last.action.workflow;
      results.push((await s.client.workflow.getHandle(workflowId, firstExecutionRunId).result()) as Told);
      await eventually(async () => (await handle.describe()).info.runningActions).toEqual([]);
    }
    expect(results.map((r) => [r.name, r.by, r.memo, r.before])).toEqual([
      ["n", [handle.scheduleId], "v", undefined],
      ["n", [handle.scheduleId], "v", "n"],
    ]);
    const found = [];
    for await (const w of s.client.workflow.list({ query: `TemporalScheduledById = '${handle.scheduleId}'` })) found.push(w.workflowId);
    expect(found).toHaveLength(2);
    await handle.delete();
  });

  it("acts by itself, and stops when it is paused", async () => {
    const handle = await s.client.schedule.create({
      scheduleId: s.id("ticks"),
      spec: { intervals: [{ every: "1s" }] },
      action: action("tellsItsSchedule", ["t"]),
    });
    await eventually(async () => (await handle.describe()).info.numActionsTaken).toBeGreaterThanOrEqual(2);
    await handle.pause("enough");
    const paused = await handle.describe();
    expect(paused.state).toMatchObject({ paused: true, note: "enough" });
    await handle.unpause();
    await eventually(async () => (await handle.describe()).info.numActionsTaken).toBeGreaterThan(paused.info.numActionsTaken);
    await handle.delete();
  });

  it("backfills", async () => {
    const handle = await s.client.schedule.create({
      scheduleId: s.id("backfilled"),
      spec: { intervals: [{ every: "1h" }] },
      action: action("tellsItsSchedule", ["b"]),
      state: { paused: true },
    });
    await handle.backfill({ start: new Date("2024-01-01T00:30:00Z"), end: new Date("2024-01-01T06:30:00Z"), overlap: "ALLOW_ALL" });
    await eventually(async () => (await handle.describe()).info.numActionsTaken).toBe(6);
    expect((await handle.describe()).info.recentActions.map((a) => a.scheduledAt.toISOString()).sort()[0]).toBe("2024-01-01T01:00:00.000Z");
    await handle.delete();
  });

  it("pauses after a failure", async () => {
    const handle = await s.client.schedule.create({
      scheduleId: s.id("fails"),
      spec: {},
      action: action("fails"),
      policies: { pauseOnFailure: true },
    });
    await handle.trigger();
    await eventually(async () => (await handle.describe()).state.paused).toBe(true);
    expect((await handle.describe()).state.note).toContain("failed");
    await handle.delete();
  });

  it("lists by query", async () => {
    const make = (name: string, paused: boolean) =>
      s.client.schedule.create({
        scheduleId: s.id(name),
        spec: { intervals: [{ every: "1d" }] },
        action: action("waitsForDone"),
        state: { paused, note: name },
        memo: { name },
      });
    const handles = [await make("listed-a", false), await make("listed-b", true)];
    const listed = async (query?: string) => {
      const out = [];
      for await (const x of s.client.schedule.list(query === undefined ? {} : { query }))
        if (handles.some((h) => h.scheduleId === x.scheduleId)) out.push(x);
      return out;
    };
    expect((await listed()).length).toBe(2);
    const [one, ...others] = await listed("TemporalSchedulePaused = true");
    expect(others).toEqual([]);
    expect(one).toMatchObject({ memo: { name: "listed-b" }, state: { note: "listed-b", paused: true } });
    expect(one?.info.nextActionTimes.length).toBeGreaterThan(0);
    for (const h of handles) await h.delete();
    expect(await listed()).toEqual([]);
  });
});

describe("a server that is killed", () => {
  const dbFilename = `${temporaryDirectory()}/schedules.db`;

  async function on<T>(args: string[], f: (client: Client, server: ServerProcess) => Promise<T>, end: "SIGKILL" | "SIGTERM"): Promise<T> {
    const server = await startServer(["--db-filename", dbFilename, "--log-level", "info", ...args]);
    const connection = await Connection.connect({ address: server.address });
    try {
      return await f(new Client({ connection }), server);
    } finally {
      await connection.close();
      await server.stop(end);
    }
  }

  it("has its schedules when it is back, and catches up as far as it is let", async () => {
    const ids = ["all", "capped"] as const;
    const began = await on(
      [],
      async (client) => {
        for (const scheduleId of ids)
          await client.schedule.create({
            scheduleId,
            spec: { intervals: [{ every: "1s" }] },
            action: { type: "startWorkflow", workflowType: "nobody", taskQueue: "nobody", workflowId: scheduleId },
            policies: { overlap: "ALLOW_ALL" },
          });
        const taken = async () => (await client.schedule.getHandle("all").describe()).info.numActionsTaken;
        await eventually(taken).toBeGreaterThanOrEqual(1);
        return { taken: await taken(), at: Date.now() };
      },
      "SIGKILL",
    );
    // The second process lets the missed times of a second pass, however short its absence was.
    await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(began.at + 3_000);
    await on(
      [],
      async (client, server) => {
        const { info } = await client.schedule.getHandle("all").describe();
        expect(info.numActionsTaken).toBeGreaterThanOrEqual(began.taken);
        await eventually(async () => (await client.schedule.getHandle("all").describe()).info.numActionsTaken).toBeGreaterThanOrEqual(
          began.taken + 3,
        );
        expect((await client.schedule.getHandle("all").describe()).info.numActionsMissedCatchupWindow).toBe(0);
        await eventually(() => server.log()).toContain("a schedule catches up on actions that it missed");
      },
      "SIGTERM",
    );
    const at = Date.now();
    await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(at + 3_000);
    await on(
      ["--schedule-max-catchup", "1s"],
      async (client) => {
        await eventually(
          async () => (await client.schedule.getHandle("capped").describe()).info.numActionsMissedCatchupWindow,
        ).toBeGreaterThanOrEqual(1);
      },
      "SIGTERM",
    );
  });
});
