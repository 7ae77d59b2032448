/** Real workflows of the official TypeScript SDK against the real server: each asserts its result and its history's event types. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Client, Connection, WorkflowExecutionAlreadyStartedError, WorkflowFailedError, WorkflowNotFoundError } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import { NativeConnection, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../harness/server-process.js";
import * as activities from "./activities.js";
import type * as workflows from "./workflows.js";

const { EventType } = temporal.api.enums.v1;

let server: ServerProcess;
let connection: Connection;
let native: NativeConnection;
let client: Client;
let worker: Worker;
let running: Promise<void>;
const taskQueue = "sdk-suite";

beforeAll(async () => {
  server = await startServer(["--search-attribute", "CustomKeywordField=Keyword", "--search-attribute", "CustomIntField=Int"]);
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection });
  native = await NativeConnection.connect({ address: server.address });
  worker = await Worker.create({ connection: native, taskQueue, workflowsPath: join(import.meta.dirname, "workflows.ts"), activities });
  running = worker.run();
}, 120_000);

afterAll(async () => {
  worker?.shutdown();
  await running?.catch(() => undefined);
  await native?.close();
  await connection?.close();
  const log = server?.log() ?? "";
  const code = await server?.stop();
  expect(code).toBe(0);
  expect(log.split("\n").filter((l) => /ERROR|error/.test(l))).toEqual([]);
}, 30_000);

type Name = keyof typeof workflows;
const id = (name: string) => `${name}-${randomUUID().slice(0, 8)}`;

async function start(name: Name, args: unknown[] = [], options: Record<string, unknown> = {}) {
  return client.workflow.start(name as string, { taskQueue, workflowId: id(name), args, ...options } as never);
}

/** Event types of a run, without the workflow tasks. */
async function events(workflowId: string, runId?: string): Promise<string[]> {
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return (history.events ?? [])
    .map((e) => EventType[e.eventType as number]?.replace("EVENT_TYPE_", "") ?? "")
    .filter((t) => !t.startsWith("WORKFLOW_TASK_"));
}

const STARTED = "WORKFLOW_EXECUTION_STARTED";
const COMPLETED = "WORKFLOW_EXECUTION_COMPLETED";

describe("activities", () => {
  it("runs one activity", async () => {
    const h = await start("activityOnce", ["hello"]);
    expect(await h.result()).toBe("hello");
    expect(await events(h.workflowId)).toEqual([STARTED, "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED", COMPLETED]);
  });

  it("runs fifty activities at once", async () => {
    const h = await start("activitiesInParallel", [50]);
    expect(await h.result()).toBe(50);
    const types = await events(h.workflowId);
    for (const t of ["SCHEDULED", "STARTED", "COMPLETED"]) expect(types.filter((x) => x === `ACTIVITY_TASK_${t}`)).toHaveLength(50);
  });

  it("retries without a trace in history", async () => {
    const h = await start("activityRetried");
    expect(await h.result()).toBe(4);
    expect(await events(h.workflowId)).toEqual([STARTED, "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED", COMPLETED]);
  });

  it("does not retry what is not retryable", async () => {
    const h = await start("activityNotRetryable");
    expect(await h.result()).toBe("Hard:true");
    expect(await events(h.workflowId)).toContain("ACTIVITY_TASK_FAILED");
  });

  it("times out an activity that takes too long", async () => {
    const h = await start("activityStartToClose");
    expect(await h.result()).toBe("START_TO_CLOSE");
    expect(await events(h.workflowId)).toEqual([STARTED, "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_TIMED_OUT", COMPLETED]);
  });

  it("times out an activity that nobody takes", async () => {
    const h = await start("activityScheduleToStart");
    expect(await h.result()).toBe("SCHEDULE_TO_START");
    expect(await events(h.workflowId)).toEqual([STARTED, "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_TIMED_OUT", COMPLETED]);
  });

  it("goes on from the last heartbeat after one that is missed", async () => {
    const h = await start("activityHeartbeat");
    expect(await h.result()).toBe(42);
  });

  it("tells a heartbeating activity that it is canceled", async () => {
    const h = await start("activityCanceled");
    expect(await h.result()).toBe("canceled");
    const types = await events(h.workflowId);
    expect(types).toContain("ACTIVITY_TASK_CANCEL_REQUESTED");
    expect(types).toContain("ACTIVITY_TASK_CANCELED");
  });

  it("retries after the delay that the activity asked for", async () => {
    const h = await start("activityDelayAsked");
    expect(await h.result()).toBe(2);
  });

  it("records a local activity as a marker", async () => {
    const h = await start("localActivity", ["local"]);
    expect(await h.result()).toBe("local");
    expect(await events(h.workflowId)).toEqual([STARTED, "MARKER_RECORDED", COMPLETED]);
  });
});

describe("timers", () => {
  it("fires timers one after the other", async () => {
    const h = await start("timers");
    expect(await h.result()).toBe(3);
    const types = await events(h.workflowId);
    expect(types.filter((t) => t === "TIMER_FIRED")).toHaveLength(3);
  });

  it("cancels a timer", async () => {
    const h = await start("timerCanceled");
    expect(await h.result()).toBe("canceled");
    expect(await events(h.workflowId)).toContain("TIMER_CANCELED");
  });

  it("waits for the start delay", async () => {
    const h = await start("activityOnce", ["late"], { startDelay: "300ms" });
    const d = await h.describe();
    expect((d.executionTime?.getTime() ?? 0) - d.startTime.getTime()).toBe(300);
    expect(await h.result()).toBe("late");
  });
});

describe("signals and queries", () => {
  it("delivers signals in order and answers queries", async () => {
    const h = await start("collector");
    for (const s of ["a", "b", "c"]) await h.signal("add", s);
    expect(await h.query("soFar")).toEqual(["a", "b", "c"]);
    await h.signal("end");
    expect(await h.result()).toEqual(["a", "b", "c"]);
    expect(await h.query("soFar")).toEqual(["a", "b", "c"]);
  });

  it("starts with a signal, and signals what runs", async () => {
    const workflowId = id("collector");
    const first = await client.workflow.signalWithStart("collector", { taskQueue, workflowId, args: [], signal: "add", signalArgs: ["one"] });
    const second = await client.workflow.signalWithStart("collector", { taskQueue, workflowId, args: [], signal: "add", signalArgs: ["two"] });
    expect(second.signaledRunId).toBe(first.signaledRunId);
    await second.signal("end");
    expect(await first.result()).toEqual(["one", "two"]);
    expect(await events(workflowId)).toEqual([STARTED, ...Array(3).fill("WORKFLOW_EXECUTION_SIGNALED"), COMPLETED]);
  });

  it("signals another workflow, and learns that one is not there", async () => {
    const target = await start("collector");
    const h = await start("signalsOther", [target.workflowId]);
    expect(await h.result()).toBe("signaled");
    expect(await target.result()).toEqual(["from another"]);
    expect(await events(h.workflowId)).toContain("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED");
    const none = await start("signalsOther", ["there-is-no-such-workflow"]);
    expect(await none.result()).not.toBe("signaled");
    expect(await events(none.workflowId)).toContain("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED");
  });
});

describe("children", () => {
  it("gets a child's result", async () => {
    const h = await start("childParent", ["completes"]);
    expect(await h.result()).toBe(`child of ${h.workflowId}`);
    expect(await events(h.workflowId)).toEqual([
      STARTED,
      "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
      "CHILD_WORKFLOW_EXECUTION_STARTED",
      "CHILD_WORKFLOW_EXECUTION_COMPLETED",
      COMPLETED,
    ]);
  });

  it("gets a child's failure", async () => {
    const h = await start("childParent", ["fails"]);
    expect(await h.result()).toBe("child failed");
    expect(await events(h.workflowId)).toContain("CHILD_WORKFLOW_EXECUTION_FAILED");
  });

  it("leaves an abandoned child running", async () => {
    const h = await start("childParent", ["abandoned"]);
    const runId = await h.result();
    const child = client.workflow.getHandle(`${h.workflowId}-child`);
    const d = await child.describe();
    expect(d.runId).toBe(runId);
    expect(d.status.name).toBe("RUNNING");
    await child.signal("end");
    expect(await child.result()).toEqual([]);
  });

  it("terminates a child with its parent", async () => {
    const h = await start("childTerminatedWithParent");
    await h.result();
    const child = client.workflow.getHandle(`${h.workflowId}-child`);
    await expect(child.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect((await child.describe()).status.name).toBe("TERMINATED");
  });

  it("learns that a child's id is taken", async () => {
    const other = await start("collector");
    const h = await start("childAlreadyStarted", [other.workflowId]);
    expect(await h.result()).toBe("WorkflowExecutionAlreadyStartedError");
    expect(await events(h.workflowId)).toContain("START_CHILD_WORKFLOW_EXECUTION_FAILED");
    await other.terminate();
  });
});

describe("the end of a workflow", () => {
  it("cleans up when canceled", async () => {
    const h = await start("untilCanceled");
    await expect.poll(async () => (await events(h.workflowId)).includes("TIMER_STARTED")).toBe(true);
    await h.cancel();
    expect(await h.result()).toBe("cleaned up");
    expect(await events(h.workflowId)).toContain("WORKFLOW_EXECUTION_CANCEL_REQUESTED");
  });

  it("ends as canceled when the cancellation is not handled", async () => {
    const h = await start("cancelPropagates");
    await h.cancel();
    await expect(h.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect((await h.describe()).status.name).toBe("CANCELLED");
  });

  it("is asked to cancel by another workflow", async () => {
    const target = await start("cancelPropagates");
    const h = await start("cancelsOther", [target.workflowId]);
    expect(await h.result()).toBe("asked");
    await expect(target.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(await events(h.workflowId)).toContain("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED");
  });

  it("is terminated", async () => {
    const h = await start("blocked");
    await h.terminate("enough");
    await expect(h.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect((await events(h.workflowId)).at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
    await expect(h.signal("add", "x")).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  it("fails with what the workflow threw", async () => {
    const h = await start("alwaysFails");
    const e = await h.result().catch((x: unknown) => x as WorkflowFailedError);
    expect((e as WorkflowFailedError).cause).toMatchObject({ type: "Intended", message: "as intended" });
    expect((await events(h.workflowId)).at(-1)).toBe("WORKFLOW_EXECUTION_FAILED");
  });

  it("continues as new", async () => {
    const h = await start("continues", [2]);
    expect(await h.result()).toBe(0);
    expect(await events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"]);
  });

  it("is retried by its policy", async () => {
    const h = await start("workflowRetried", [], { retry: { initialInterval: "10ms", maximumAttempts: 5 } });
    expect(await h.result()).toBe(3);
    expect((await events(h.workflowId, h.firstExecutionRunId)).at(-1)).toBe("WORKFLOW_EXECUTION_FAILED");
  });

  it("times out by its run timeout", async () => {
    const h = await start("blocked", [], { workflowRunTimeout: "300ms" });
    await expect(h.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect((await events(h.workflowId)).at(-1)).toBe("WORKFLOW_EXECUTION_TIMED_OUT");
  });

  it("is deleted", async () => {
    const h = await start("activityOnce", ["x"]);
    await h.result();
    await client.workflowService.deleteWorkflowExecution({
      namespace: "default",
      workflowExecution: { workflowId: h.workflowId, runId: h.firstExecutionRunId },
    });
    await expect
      .poll(() =>
        h.describe().then(
          () => "there",
          (e: Error) => e.name,
        ),
      )
      .toBe("WorkflowNotFoundError");
  });
});

describe("workflow ids", () => {
  it("refuses a second start while one runs", async () => {
    const h = await start("blocked");
    await expect(client.workflow.start("blocked", { taskQueue, workflowId: h.workflowId })).rejects.toBeInstanceOf(
      WorkflowExecutionAlreadyStartedError,
    );
    await h.terminate();
  });

  it("uses the running one when asked to", async () => {
    const h = await start("blocked");
    const again = await client.workflow.start("blocked", { taskQueue, workflowId: h.workflowId, workflowIdConflictPolicy: "USE_EXISTING" });
    expect(again.firstExecutionRunId).toBe(h.firstExecutionRunId);
    await h.terminate();
  });

  it("terminates the running one when asked to", async () => {
    const h = await start("blocked");
    const again = await client.workflow.start("activityOnce", {
      taskQueue,
      workflowId: h.workflowId,
      args: ["new"],
      workflowIdConflictPolicy: "TERMINATE_EXISTING",
    });
    expect(await again.result()).toBe("new");
    expect((await client.workflow.getHandle(h.workflowId, h.firstExecutionRunId).describe()).status.name).toBe("TERMINATED");
  });
});

describe("what else a workflow records", () => {
  it("upserts search attributes and memo", async () => {
    const h = await start("upserts", [], { memo: { first: 1 }, searchAttributes: { CustomKeywordField: ["early"] } });
    await h.result();
    const d = await h.describe();
    expect(d.memo).toEqual({ note: "later" });
    expect(d.searchAttributes["CustomKeywordField"]).toEqual(["later"]);
    const found = [];
    for await (const w of client.workflow.list({ query: `CustomKeywordField = 'later' AND WorkflowId = '${h.workflowId}'` })) found.push(w.runId);
    expect(found).toEqual([h.firstExecutionRunId]);
    expect(await events(h.workflowId)).toEqual([STARTED, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_PROPERTIES_MODIFIED", COMPLETED]);
  });

  it("records a patch", async () => {
    const h = await start("patched");
    expect(await h.result()).toBe(true);
    const types = await events(h.workflowId);
    expect(types).toContain("MARKER_RECORDED");
    expect(types).toContain("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES");
  });

  it("tries a failing workflow task again", async () => {
    const h = await start("taskFailsFirst", [], { workflowTaskTimeout: "1s" });
    expect(await h.result()).toBe("at last");
    const all = await h.fetchHistory();
    expect(all.events?.some((e) => e.eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)).toBe(true);
  });

  it("runs by a cron schedule", async () => {
    const h = await start("cronOnce", [], { cronSchedule: "@every 1s" });
    await expect
      .poll(async () => (await client.workflow.getHandle(h.workflowId).describe()).runId !== h.firstExecutionRunId, { timeout: 10_000 })
      .toBe(true);
    await client.workflow.getHandle(h.workflowId).terminate();
    expect((await events(h.workflowId, h.firstExecutionRunId)).at(-1)).toBe(COMPLETED);
  });

  it("lists and counts what was acknowledged a moment ago", async () => {
    const type = "blocked";
    const h = await start(type);
    const listed = [];
    for await (const w of client.workflow.list({ query: `WorkflowType = '${type}' AND ExecutionStatus = 'Running'` })) listed.push(w.workflowId);
    expect(listed).toContain(h.workflowId);
    expect((await client.workflow.count(`WorkflowId = '${h.workflowId}'`)).count).toBe(1);
    await h.terminate();
    expect((await client.workflow.count(`WorkflowId = '${h.workflowId}' AND ExecutionStatus = 'Terminated'`)).count).toBe(1);
  });
});
