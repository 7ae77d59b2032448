/** Updates, by clients and workers of the official TypeScript SDK: answers, and what is in the history. */
import {
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateStage,
} from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMPLETED, eventually, failureOf, SIGNALED, STARTED, type Suite, startSuite } from "./suite.js";
import { add, end, failing, release, slowly } from "./update-workflows.js";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("update-workflows.ts");
});
afterAll(async () => s?.end());

const ACCEPTED = "WORKFLOW_EXECUTION_UPDATE_ACCEPTED";
const UPDATED = "WORKFLOW_EXECUTION_UPDATE_COMPLETED";
const { ACCEPTED: waitForStage } = WorkflowUpdateStage;

describe("a running workflow", () => {
  it("answers one update after the other", async () => {
    const h = await s.start("counter");
    expect(await h.executeUpdate(add, { args: [2] })).toBe(2);
    expect(await h.executeUpdate(add, { args: [3] })).toBe(5);
    expect(await Promise.all([h.executeUpdate(add, { args: [1] }), h.executeUpdate(add, { args: [1] })]).then((r) => r.sort())).toEqual([6, 7]);
    await h.signal(end);
    expect(await h.result()).toBe(7);
    expect((await s.events(h.workflowId)).filter((t) => t === ACCEPTED)).toHaveLength(4);
  });

  it("rejects what its validator refuses, and its history knows nothing of it", async () => {
    const h = await s.start("counter");
    await h.executeUpdate(add, { args: [2] });
    const before = await s.history(h.workflowId);
    const error = await failureOf<WorkflowUpdateFailedError>(h.executeUpdate(add, { args: [-1] }));
    expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(error.cause).toMatchObject({ message: "only up", type: "OnlyUp" });
    expect(await failureOf(h.executeUpdate("nobody knows this", {}))).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(await s.history(h.workflowId)).toEqual(before);
    expect(await h.executeUpdate(add, { args: [2] })).toBe(4);
    await h.signal(end);
    expect(await h.result()).toBe(4);
  });

  it("says when it has accepted, and later what came out", async () => {
    const h = await s.start("counter");
    const u = await h.startUpdate(slowly, { args: ["text"], waitForStage, updateId: "mine" });
    expect(u.updateId).toBe("mine");
    await h.signal(release);
    expect(await u.result()).toBe("text");
    expect(await h.getUpdateHandle<string>("mine").result()).toBe("text");
    await h.signal(end);
    await h.result();
    // The result outlives the workflow.
    expect(await h.getUpdateHandle<string>("mine").result()).toBe("text");
    expect(await s.events(h.workflowId)).toEqual([
      STARTED,
      ACCEPTED,
      SIGNALED,
      "ACTIVITY_TASK_SCHEDULED",
      "ACTIVITY_TASK_STARTED",
      "ACTIVITY_TASK_COMPLETED",
      UPDATED,
      SIGNALED,
      COMPLETED,
    ]);
  });

  it("does an update once, however often it is asked for", async () => {
    const h = await s.start("counter");
    const answers = await Promise.all([1, 2, 3].map(() => h.executeUpdate(add, { args: [5], updateId: "once" })));
    expect(answers).toEqual([5, 5, 5]);
    expect(await h.executeUpdate(add, { args: [99], updateId: "once" })).toBe(5);
    await h.signal(end);
    expect(await h.result()).toBe(5);
  });

  it("whose handler fails goes on", async () => {
    const h = await s.start("counter");
    const error = await failureOf<WorkflowUpdateFailedError>(h.executeUpdate(failing, { args: ["for a reason"] }));
    expect(error.cause).toBeInstanceOf(ApplicationFailure);
    expect(error.cause).toMatchObject({ message: "for a reason", type: "Asked" });
    expect(await h.executeUpdate(add, { args: [1] })).toBe(1);
    await h.signal(end);
    expect(await h.result()).toBe(1);
  });
});

describe("a workflow that ends", () => {
  it("fails the updates that it has accepted, and knows no others", async () => {
    const h = await s.start("endsBefore");
    const error = await failureOf<WorkflowUpdateFailedError>(h.executeUpdate(slowly, { args: ["x"] }));
    expect(error.cause).toMatchObject({ type: "AcceptedUpdateCompletedWorkflow", nonRetryable: true });
    await h.result();
    expect(await failureOf(h.executeUpdate(slowly, { args: ["y"] }))).toBeInstanceOf(WorkflowNotFoundError);
    expect(await failureOf(h.getUpdateHandle("never asked").result())).toBeInstanceOf(WorkflowNotFoundError);
  });

  it("and goes on as a new run takes its updates there", async () => {
    const h = await s.start("movesOn");
    await h.signal(release);
    const current = s.client.workflow.getHandle(h.workflowId);
    await eventually(async () => (await current.describe()).runId).not.toBe(h.firstExecutionRunId);
    expect(await current.executeUpdate(add, { args: [1] })).toBe(101);
    await current.signal(end);
    expect(await h.result()).toBe(101);
  });
});

describe("an update with start", () => {
  const operation = (workflowId: string, workflowIdConflictPolicy: "FAIL" | "USE_EXISTING") =>
    new WithStartWorkflowOperation("counter", { workflowId, taskQueue: s.taskQueue, args: [10], workflowIdConflictPolicy });

  it("starts the workflow once, and updates it each time", async () => {
    const workflowId = s.id("with-start");
    const first = operation(workflowId, "USE_EXISTING");
    expect(await s.client.workflow.executeUpdateWithStart(add, { args: [1], startWorkflowOperation: first })).toBe(11);
    const second = operation(workflowId, "USE_EXISTING");
    expect(await s.client.workflow.executeUpdateWithStart(add, { args: [1], startWorkflowOperation: second })).toBe(12);
    const h = await first.workflowHandle();
    expect((await second.workflowHandle()).workflowId).toBe(h.workflowId);
    await h.signal(end);
    expect(await h.result()).toBe(12);
    expect((await s.events(workflowId)).slice(0, 3)).toEqual([STARTED, ACCEPTED, UPDATED]);
  });

  it("is refused by a running workflow that may not be used, with the error of the start", async () => {
    const h = await s.start("counter");
    const refused = operation(h.workflowId, "FAIL");
    const asked = s.client.workflow.executeUpdateWithStart(add, { args: [1], startWorkflowOperation: refused });
    expect(await failureOf(asked)).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
    expect(await failureOf(refused.workflowHandle())).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
    await h.terminate();
  });

  it("starts the workflow although the update is rejected", async () => {
    const o = operation(s.id("with-start"), "FAIL");
    const asked = s.client.workflow.executeUpdateWithStart(add, { args: [-1], startWorkflowOperation: o });
    expect(await failureOf(asked)).toBeInstanceOf(WorkflowUpdateFailedError);
    const h = await o.workflowHandle();
    expect(await s.events(h.workflowId)).toEqual([STARTED]);
    await h.signal(end);
    expect(await h.result()).toBe(10);
  });
});

it("histories with updates fit the code that made them", async () => {
  expect(await s.replayAll()).toBeGreaterThanOrEqual(10);
});
