/**
 * The official SDK's time-skipping environment, given bin/perdure in place of the official test server: it runs it with a port
 * alone, unlocks time while it waits for a result, and sleeps with a lock given back.
 */
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { TestWorkflowEnvironment } from "@temporalio/testing";
import { Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BINARY, startTestServer } from "../../harness/server-process.js";

const DAY_MS = 86_400_000;
const taskQueue = "skipping";
let env: TestWorkflowEnvironment;
let worker: Worker;
let running: Promise<void>;
/** Real time may pass while a workflow sleeps for days, but not much. */
const REAL_MS_MAX = 20_000;

const activities = () => ({
  failUntil(attempt: number): Promise<number> {
    const { attempt: now } = currentInfo();
    if (now < attempt) throw new Error("again");
    return Promise.resolve(now);
  },
  async sleepsInTest(): Promise<string> {
    const before = await env.currentTimeMs();
    await env.sleep("3 hours");
    return (await env.currentTimeMs()) - before >= 3 * 3_600_000 ? "slept" : "did not sleep";
  },
});
let currentInfo: () => { attempt: number };

beforeAll(async () => {
  const { Context } = await import("@temporalio/activity");
  currentInfo = () => Context.current().info;
  env = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: "existing-path", path: BINARY } } });
  worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue,
    workflowsPath: join(import.meta.dirname, "time-skipping-workflows.ts"),
    activities: activities(),
  });
  running = worker.run();
});
afterAll(async () => {
  worker.shutdown();
  await running;
  await env.teardown();
});

const execute = <T>(type: string, workflowId: string, args: unknown[] = []): Promise<T> =>
  env.client.workflow.execute(type, { taskQueue, workflowId, args }) as Promise<T>;

describe("TestWorkflowEnvironment.createTimeSkipping", () => {
  it("skips sleeps, activity retries, children and chains while a result is awaited", async () => {
    const real = performance.now();
    const before = await env.currentTimeMs();
    expect(await execute<number>("sleeps", "sleeps", [30])).toBeGreaterThanOrEqual(30 * DAY_MS);
    expect(await execute<number>("retries", "retries")).toBeGreaterThanOrEqual(15 * 3_600_000);
    expect(await execute<number>("parent", "parent")).toBeGreaterThanOrEqual(3 * DAY_MS);
    expect(await execute<string>("chain", "chain", [5])).toBe("done");
    expect((await env.currentTimeMs()) - before).toBeGreaterThanOrEqual((30 + 3 + 6) * DAY_MS);
    expect(performance.now() - real).toBeLessThan(REAL_MS_MAX);
  });

  it("sdk-typescript 1101: sleeps in the test beside an abandoned child", async () => {
    const real = performance.now();
    await env.sleep("10 days");
    expect(await env.client.workflow.getHandle("abandoned").result()).toBeGreaterThanOrEqual(2 * DAY_MS);
    expect(performance.now() - real).toBeLessThan(REAL_MS_MAX);
  });

  it("sleeps inside an activity", async () => {
    expect(await execute<string>("asksTheTest", "asks")).toBe("slept");
  });

  it("leaves a workflow alone until the test sleeps, so that a signal can come first", async () => {
    const handle = await env.client.workflow.start("waitsForTimeout", { taskQueue, workflowId: "signalled" });
    await env.sleep("1 day");
    await handle.signal("go");
    expect(await handle.result()).toBe("signalled");
    expect(await execute<string>("waitsForTimeout", "alone")).toBe("timed out");
  });

  it("sdk-java 2283: skips while the result of an update is awaited", async () => {
    const handle = await env.client.workflow.start("updated", { taskQueue, workflowId: "updated" });
    const before = await env.currentTimeMs();
    expect(await handle.executeUpdate("sleep", { args: [3] })).toBe("slept 3 days");
    expect((await env.currentTimeMs()) - before).toBeGreaterThanOrEqual(3 * DAY_MS);
    await handle.terminate();
  });

  it("sdk-java 1954: sleeping for 30 days in the test fires 30 daily actions of a schedule", async () => {
    const handle = await env.client.schedule.create({
      scheduleId: "daily",
      spec: { intervals: [{ every: "1 day" }] },
      action: { type: "startWorkflow", workflowType: "chain", workflowId: "scheduled", args: [-1], taskQueue },
      policies: { overlap: "ALLOW_ALL" },
    });
    await env.sleep("30 days");
    expect((await handle.describe()).info.numActionsTaken).toBe(30);
    await handle.delete();
  });

  it("has the rest of the API: a list by time, and a description", async () => {
    const later = new Date((await env.currentTimeMs()) - DAY_MS / 2).toISOString();
    await execute("sleeps", "late", [1]);
    const found: string[] = [];
    for await (const e of env.client.workflow.list({ query: `CloseTime > '${later}' AND WorkflowId = 'late'` })) found.push(e.workflowId);
    expect(found).toEqual(["late"]);
  });
});

describe("perdure test-server", () => {
  it.each(["test-server 0", "0"])("effect-temporal 62: `perdure %s --enable-time-skipping` skips for a client that does not unlock", async (args) => {
    const server = await startTestServer([...args.split(" "), "--enable-time-skipping"]);
    const connection = await Connection.connect({ address: server.address });
    const client = new Client({ connection });
    const { NativeConnection } = await import("@temporalio/worker");
    const native = await NativeConnection.connect({ address: server.address });
    const own = await Worker.create({ connection: native, taskQueue, workflowsPath: join(import.meta.dirname, "time-skipping-workflows.ts") });
    const real = performance.now();
    const slept = await own.runUntil(client.workflow.execute("sleeps", { taskQueue, workflowId: "plain", args: [10] }));
    expect(slept).toBeGreaterThanOrEqual(10 * DAY_MS);
    expect(performance.now() - real).toBeLessThan(REAL_MS_MAX);
    await native.close();
    await connection.close();
    expect(await server.stop()).toBe(0);
  });
});
