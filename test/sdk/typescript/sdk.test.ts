/** Real workflows of the official TypeScript SDK against the real server: each asserts its result and its history's event types. */
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError, WorkflowNotFoundError } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ACTIVITY_COMPLETED,
  ACTIVITY_STARTED,
  CANCELED,
  CHILD_INITIATED,
  CHILD_STARTED,
  COMPLETED,
  CONTINUED,
  eventually,
  FAILED,
  failureOf,
  nameOf,
  SCHEDULED,
  SIGNALED,
  STARTED,
  type Suite,
  startSuite,
  TIMER_FIRED,
  TIMER_STARTED,
} from "./suite.js";
import type * as workflows from "./workflows.js";

let s: Suite;
let client: Suite["client"];
let taskQueue: string;
let events: Suite["events"];
beforeAll(async () => {
  s = await startSuite("workflows.ts");
  ({ client, taskQueue, events } = s);
});
afterAll(async () => s?.end());

type Name = keyof typeof workflows;
const start = (name: Name, args: unknown[] = [], options: Record<string, unknown> = {}) => s.start(name, args, options);
const TERMINATED = "WORKFLOW_EXECUTION_TERMINATED";
const CANCEL_REQUESTED = "WORKFLOW_EXECUTION_CANCEL_REQUESTED";

describe("activities", () => {
  it("runs one activity", async () => {
    const h = await start("activityOnce", ["hello"]);
    expect(await h.result()).toBe("hello");
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED]);
  });

  it("runs fifty activities at once", async () => {
    const h = await start("activitiesInParallel", [50]);
    expect(await h.result()).toBe(50);
    const types = await events(h.workflowId);
    for (const t of [SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED]) expect(types.filter((x) => x === t)).toHaveLength(50);
    expect(types).toHaveLength(152);
  });

  it("retries without a trace in history", async () => {
    const h = await start("activityRetried");
    expect(await h.result()).toBe(4);
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED]);
  });

  it("does not retry what is not retryable", async () => {
    const h = await start("activityNotRetryable");
    expect(await h.result()).toBe("Hard:true");
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, "ACTIVITY_TASK_FAILED", COMPLETED]);
  });

  it("times out an activity that takes too long", async () => {
    const h = await start("activityStartToClose");
    expect(await h.result()).toBe("START_TO_CLOSE");
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, "ACTIVITY_TASK_TIMED_OUT", COMPLETED]);
  });

  it("times out an activity that nobody takes", async () => {
    const h = await start("activityScheduleToStart");
    expect(await h.result()).toBe("SCHEDULE_TO_START");
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, "ACTIVITY_TASK_TIMED_OUT", COMPLETED]);
  });

  it("goes on from the last heartbeat after one that is missed", async () => {
    const h = await start("activityHeartbeat");
    expect(await h.result()).toBe(42);
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED]);
    const started = (await s.history(h.workflowId)).find((e) => nameOf(e) === ACTIVITY_STARTED)?.activityTaskStartedEventAttributes;
    expect(started).toMatchObject({ attempt: 2, lastFailure: { timeoutFailureInfo: { timeoutType: 4 } } });
  });

  it("tells a heartbeating activity that it is canceled", async () => {
    const h = await start("activityCanceled");
    expect(await h.result()).toBe("canceled");
    expect(await events(h.workflowId)).toEqual([
      STARTED,
      SCHEDULED,
      TIMER_STARTED,
      TIMER_FIRED,
      "ACTIVITY_TASK_CANCEL_REQUESTED",
      ACTIVITY_STARTED,
      "ACTIVITY_TASK_CANCELED",
      COMPLETED,
    ]);
  });

  it("retries after the delay that the activity asked for", async () => {
    const h = await start("activityDelayAsked");
    expect(await h.result()).toBe(2);
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED]);
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
    expect(await events(h.workflowId)).toEqual([STARTED, ...Array(3).fill([TIMER_STARTED, TIMER_FIRED]).flat(), COMPLETED]);
  });

  it("cancels a timer", async () => {
    const h = await start("timerCanceled");
    expect(await h.result()).toBe("canceled");
    expect(await events(h.workflowId)).toEqual([STARTED, TIMER_STARTED, TIMER_STARTED, TIMER_FIRED, "TIMER_CANCELED", COMPLETED]);
  });

  it("waits for the start delay", async () => {
    const h = await start("activityOnce", ["late"], { startDelay: "300ms" });
    const d = await h.describe();
    expect((d.executionTime?.getTime() ?? 0) - d.startTime.getTime()).toBe(300);
    expect(await h.result()).toBe("late");
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED]);
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
    expect(await events(h.workflowId)).toEqual([STARTED, ...Array(4).fill(SIGNALED), COMPLETED]);
  });

  it("starts with a signal, and signals what runs", async () => {
    const workflowId = s.id("collector");
    const first = await client.workflow.signalWithStart("collector", { taskQueue, workflowId, args: [], signal: "add", signalArgs: ["one"] });
    const second = await client.workflow.signalWithStart("collector", { taskQueue, workflowId, args: [], signal: "add", signalArgs: ["two"] });
    expect(second.signaledRunId).toBe(first.signaledRunId);
    await second.signal("end");
    expect(await first.result()).toEqual(["one", "two"]);
    expect(await events(workflowId)).toEqual([STARTED, ...Array(3).fill(SIGNALED), COMPLETED]);
  });

  it("signals another workflow, which sees by whom", async () => {
    const target = await start("collector");
    const h = await start("signalsOther", [target.workflowId]);
    expect(await h.result()).toBe("signaled");
    expect(await target.result()).toEqual(["from another"]);
    const one = ["SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED", "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED"];
    expect(await events(h.workflowId)).toEqual([STARTED, ...one, ...one, COMPLETED]);
    const signal = (await s.history(target.workflowId)).find((e) => nameOf(e) === SIGNALED)?.workflowExecutionSignaledEventAttributes;
    expect(signal?.externalWorkflowExecution?.workflowId).toBe(h.workflowId);
  });
});

describe("children", () => {
  it("gets a child's result", async () => {
    const h = await start("childParent", ["completes"]);
    expect(await h.result()).toBe(`child of ${h.workflowId}`);
    expect(await events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, "CHILD_WORKFLOW_EXECUTION_COMPLETED", COMPLETED]);
  });

  it("gets a child's failure", async () => {
    const h = await start("childParent", ["fails"]);
    expect(await h.result()).toBe("child failed");
    expect(await events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, "CHILD_WORKFLOW_EXECUTION_FAILED", COMPLETED]);
    expect(await events(`${h.workflowId}-child`)).toEqual([STARTED, FAILED]);
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
    expect(await events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, COMPLETED]);
    expect(await events(child.workflowId)).toEqual([STARTED, SIGNALED, COMPLETED]);
  });

  it("terminates a child with its parent", async () => {
    const h = await start("childTerminatedWithParent");
    await h.result();
    const child = client.workflow.getHandle(`${h.workflowId}-child`);
    await expect(child.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect((await child.describe()).status.name).toBe("TERMINATED");
    expect(await events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, COMPLETED]);
    expect(await events(child.workflowId)).toEqual([STARTED, TERMINATED]);
  });

  it("learns that a child's id is taken", async () => {
    const other = await start("collector");
    const h = await start("childAlreadyStarted", [other.workflowId]);
    expect(await h.result()).toBe("WorkflowExecutionAlreadyStartedError");
    expect(await events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, "START_CHILD_WORKFLOW_EXECUTION_FAILED", COMPLETED]);
    await other.terminate();
  });
});

describe("the end of a workflow", () => {
  it("cleans up when canceled", async () => {
    const h = await start("untilCanceled");
    await eventually(async () => (await events(h.workflowId)).includes(TIMER_STARTED)).toBe(true);
    await h.cancel();
    expect(await h.result()).toBe("cleaned up");
    expect(await events(h.workflowId)).toEqual([
      STARTED,
      TIMER_STARTED,
      CANCEL_REQUESTED,
      "TIMER_CANCELED",
      SCHEDULED,
      ACTIVITY_STARTED,
      ACTIVITY_COMPLETED,
      COMPLETED,
    ]);
  });

  it("ends as canceled when the cancellation is not handled", async () => {
    const h = await start("cancelPropagates");
    await eventually(async () => (await events(h.workflowId)).includes(TIMER_STARTED)).toBe(true);
    await h.cancel();
    expect((await failureOf<WorkflowFailedError>(h.result())).cause).toMatchObject({ name: "CancelledFailure" });
    expect((await h.describe()).status.name).toBe("CANCELLED");
    // The SDK takes back what the cancellation reached before it ends.
    const types = await events(h.workflowId);
    expect(types.filter((t) => t !== "TIMER_CANCELED")).toEqual([STARTED, TIMER_STARTED, CANCEL_REQUESTED, CANCELED]);
  });

  it("is asked to cancel by another workflow", async () => {
    const target = await start("cancelPropagates");
    const h = await start("cancelsOther", [target.workflowId]);
    expect(await h.result()).toBe("asked");
    await expect(target.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(await events(h.workflowId)).toEqual([
      STARTED,
      "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
      "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
      COMPLETED,
    ]);
    const request = (await s.history(target.workflowId)).find((e) => nameOf(e) === CANCEL_REQUESTED);
    expect(request?.workflowExecutionCancelRequestedEventAttributes?.externalWorkflowExecution?.workflowId).toBe(h.workflowId);
  });

  it("is terminated", async () => {
    const h = await start("blocked");
    await h.terminate("enough");
    expect((await failureOf<WorkflowFailedError>(h.result())).cause).toMatchObject({ name: "TerminatedFailure", message: "enough" });
    expect(await events(h.workflowId)).toEqual([STARTED, TERMINATED]);
    await expect(h.signal("add", "x")).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  it("fails with what the workflow threw", async () => {
    const h = await start("alwaysFails");
    const failure = await failureOf<WorkflowFailedError>(h.result());
    expect(failure.cause).toMatchObject({ type: "Intended", message: "as intended", nonRetryable: true, details: [{ detail: 1 }] });
    expect(await events(h.workflowId)).toEqual([STARTED, FAILED]);
  });

  it("continues as new", async () => {
    const h = await start("continues", [2]);
    expect(await h.result()).toBe(0);
    expect(await events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, CONTINUED]);
    expect(await events(h.workflowId)).toEqual([STARTED, COMPLETED]);
  });

  it("is retried by its policy", async () => {
    const h = await start("workflowRetried", [], { retry: { initialInterval: "10ms", maximumAttempts: 5 } });
    expect(await h.result()).toBe(3);
    expect(await events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, FAILED]);
    expect(await events(h.workflowId)).toEqual([STARTED, COMPLETED]);
  });

  it("times out by its run timeout", async () => {
    const h = await start("blocked", [], { workflowRunTimeout: "300ms" });
    expect((await failureOf<WorkflowFailedError>(h.result())).cause).toMatchObject({ name: "TimeoutFailure", timeoutType: "START_TO_CLOSE" });
    expect(await events(h.workflowId)).toEqual([STARTED, "WORKFLOW_EXECUTION_TIMED_OUT"]);
  });

  it("is deleted", async () => {
    const h = await start("activityOnce", ["x"]);
    await h.result();
    await client.workflowService.deleteWorkflowExecution({
      namespace: "default",
      workflowExecution: { workflowId: h.workflowId, runId: h.firstExecutionRunId },
    });
    await eventually(() =>
      h.describe().then(
        () => "there",
        (e: Error) => e.name,
      ),
    ).toBe("WorkflowNotFoundError");
    expect(await failureOf(events(h.workflowId))).toBeInstanceOf(Error);
    await eventually(async () => (await client.workflow.count(`WorkflowId = '${h.workflowId}'`)).count).toBe(0);
  });
});

describe("workflow ids", () => {
  it("refuses a second start while one runs", async () => {
    const h = await start("blocked");
    await expect(client.workflow.start("blocked", { taskQueue, workflowId: h.workflowId })).rejects.toBeInstanceOf(
      WorkflowExecutionAlreadyStartedError,
    );
    await h.terminate();
    expect(await events(h.workflowId)).toEqual([STARTED, TERMINATED]);
  });

  it("uses the running one when asked to", async () => {
    const h = await start("blocked");
    const again = await client.workflow.start("blocked", { taskQueue, workflowId: h.workflowId, workflowIdConflictPolicy: "USE_EXISTING" });
    expect(again.firstExecutionRunId).toBe(h.firstExecutionRunId);
    await h.terminate();
    expect(await events(h.workflowId)).toEqual([STARTED, TERMINATED]);
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
    expect(await events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, TERMINATED]);
    expect(await events(h.workflowId)).toEqual([STARTED, SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED]);
  });
});

describe("what else a workflow records", () => {
  it("upserts search attributes and memo", async () => {
    const h = await start("upserts", [], { memo: { first: 1 }, searchAttributes: { CustomKeywordField: ["early"] } });
    await h.result();
    const d = await h.describe();
    expect(d.memo).toEqual({ note: "later" });
    expect(d.searchAttributes["CustomKeywordField"]).toEqual(["later"]);
    const found: string[] = [];
    // The official server's lists lag behind.
    await eventually(async () => (await client.workflow.count(`CustomKeywordField = 'later' AND WorkflowId = '${h.workflowId}'`)).count).toBe(1);
    for await (const w of client.workflow.list({ query: `CustomKeywordField = 'later' AND WorkflowId = '${h.workflowId}'` })) found.push(w.runId);
    expect(found).toEqual([h.firstExecutionRunId]);
    expect(await events(h.workflowId)).toEqual([STARTED, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_PROPERTIES_MODIFIED", COMPLETED]);
  });

  it("records a patch", async () => {
    const h = await start("patched");
    expect(await h.result()).toBe(true);
    expect(await events(h.workflowId)).toEqual([STARTED, "MARKER_RECORDED", "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", COMPLETED]);
    expect((await h.describe()).searchAttributes["TemporalChangeVersion"]).toEqual(["a-change"]);
  });

  it("tries a failing workflow task again", async () => {
    const h = await start("taskFailsFirst", [], { workflowTaskTimeout: "2s" });
    expect(await h.result()).toBe("at last");
    const all = (await s.history(h.workflowId)).map(nameOf);
    // Attempts beyond the first leave one failure in the history, and the one that succeeds leaves its own three events.
    const task = ["WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"];
    expect(all).toEqual([STARTED, ...task, "WORKFLOW_TASK_FAILED", ...task, "WORKFLOW_TASK_COMPLETED", COMPLETED]);
  });

  it("runs by a cron schedule", async () => {
    const h = await start("cronOnce", [], { cronSchedule: "@every 1s" });
    await eventually(async () => (await client.workflow.getHandle(h.workflowId).describe()).runId !== h.firstExecutionRunId).toBe(true);
    await client.workflow.getHandle(h.workflowId).terminate();
    expect(await events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, COMPLETED]);
    expect((await events(h.workflowId)).at(-1)).toBe(TERMINATED);
  });

  it("lists and counts what was acknowledged a moment ago", async () => {
    const type = "blocked";
    const h = await start(type);
    const listed: string[] = [];
    for await (const w of client.workflow.list({ query: `WorkflowType = '${type}' AND ExecutionStatus = 'Running'` })) listed.push(w.workflowId);
    expect(listed).toContain(h.workflowId);
    expect((await client.workflow.count(`WorkflowId = '${h.workflowId}'`)).count).toBe(1);
    await h.terminate();
    expect((await client.workflow.count(`WorkflowId = '${h.workflowId}' AND ExecutionStatus = 'Terminated'`)).count).toBe(1);
    expect(await events(h.workflowId)).toEqual([STARTED, TERMINATED]);
  });
});

it("every history of this suite replays", async () => {
  expect(await s.replayAll()).toBeGreaterThanOrEqual(40);
});
