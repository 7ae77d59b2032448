/** Standalone activities, as clients and workers of the official TypeScript SDK see them. */
import { ActivityExecutionAlreadyStartedError, type ActivityOptions } from "@temporalio/client";
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from "@temporalio/common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, failureOf, type Suite, startSuite } from "./suite.js";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("workflows.ts", false);
  await s.worker({ workflows: null });
});
afterAll(async () => s?.end());

const options = (name: string, more: Partial<ActivityOptions> = {}): ActivityOptions => ({
  id: s.id(name),
  taskQueue: s.taskQueue,
  startToCloseTimeout: "20s",
  ...more,
});
/** On a queue that nobody polls. */
const waiting = (name: string, more: Partial<ActivityOptions> = {}) => options(name, { taskQueue: `${s.taskQueue}-nobody`, ...more });
const causeOf = async (result: Promise<unknown>) => (await failureOf<Error & { cause?: Error }>(result)).cause;

describe("a standalone activity", () => {
  it("gives its result to who started it and to who asks later", async () => {
    const o = options("echo", { args: ["hello"] });
    expect(await s.client.activity.execute("echo", o)).toBe("hello");
    expect(await s.client.activity.getHandle(o.id).result()).toBe("hello");
  });

  it("is tried again until it succeeds", async () => {
    const o = options("fails", { args: [s.id("key"), 2], retry: { initialInterval: "20ms" } });
    expect(await s.client.activity.execute("failTimes", o)).toBe(3);
    expect(await s.client.activity.getHandle(o.id).describe()).toMatchObject({ attempt: 3, status: "COMPLETED" });
  });

  it("fails with what its worker said", async () => {
    const cause = await causeOf(s.client.activity.execute("failHard", options("hard")));
    expect(cause).toBeInstanceOf(ApplicationFailure);
    expect(cause).toMatchObject({ message: "hard", type: "Hard" });
  });

  it("goes on from its last heartbeat when the worker was silent too long", async () => {
    const o = options("beats", { heartbeatTimeout: "500ms", retry: { initialInterval: "20ms" } });
    expect(await s.client.activity.execute("beats", o)).toBe(42);
  });

  it("times out when nobody takes it", async () => {
    const cause = await causeOf(s.client.activity.execute("echo", waiting("nobody", { scheduleToStartTimeout: "200ms" })));
    expect(cause).toBeInstanceOf(TimeoutFailure);
    expect(cause).toMatchObject({ timeoutType: "SCHEDULE_TO_START" });
  });

  it("is canceled and terminated while it waits", async () => {
    const canceled = await s.client.activity.start("echo", waiting("canceled"));
    await canceled.cancel("no more");
    expect(await causeOf(canceled.result())).toBeInstanceOf(CancelledFailure);
    const terminated = await s.client.activity.start("echo", waiting("terminated"));
    await terminated.terminate("enough");
    expect(await causeOf(terminated.result())).toBeInstanceOf(TerminatedFailure);
  });

  it("hears of its cancellation with a heartbeat", async () => {
    const h = await s.client.activity.start("waitsForCancel", options("cancel", { heartbeatTimeout: "10s" }));
    await eventually(async () => (await h.describe()).runState).toBe("STARTED");
    await h.cancel("stop");
    const ended = await h.result().then(
      () => "COMPLETED",
      () => "CANCELED",
    );
    expect((await h.describe()).status).toBe(ended);
  });

  it("has an id of its own while it runs", async () => {
    const o = waiting("once");
    const h = await s.client.activity.start("echo", o);
    const error = await failureOf(s.client.activity.start("echo", o));
    expect(error).toBeInstanceOf(ActivityExecutionAlreadyStartedError);
    const same = await s.client.activity.start("echo", { ...o, idConflictPolicy: "USE_EXISTING" });
    expect(same.runId).toBe(h.runId);
    await h.terminate("done");
  });

  it("stays where it is while it is paused, and takes other options", async () => {
    const h = await s.client.activity.start("echo", waiting("paused", { args: ["late"] }));
    await h.pause({ reason: "wait" });
    expect((await h.describe()).status).toBe("PAUSED");
    await h.updateOptions({ taskQueue: s.taskQueue });
    expect((await h.describe()).status).toBe("PAUSED");
    await h.unpause();
    expect(await h.result()).toBe("late");
  });

  it("is listed and counted", async () => {
    const queue = `${s.taskQueue}-listed`;
    const ids = ["one", "two"].map((name) => s.id(name));
    for (const id of ids) await s.client.activity.start("echo", options("listed", { id, taskQueue: queue, args: ["x"] }));
    const query = `TaskQueue = '${queue}' AND ActivityType = 'echo' AND ExecutionStatus = 'Running'`;
    const found: string[] = [];
    for await (const a of s.client.activity.list(query)) found.push(a.activityId);
    expect(found.sort()).toEqual([...ids].sort());
    expect((await s.client.activity.count(query)).count).toBe(2);
    for (const id of ids) await s.client.activity.getHandle(id).terminate("done");
  });
});
