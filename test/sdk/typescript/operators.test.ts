/** Resets, pauses and operations on activities, as workers and clients of the official TypeScript SDK see them. */
import { randomUUID } from "node:crypto";
import { temporal } from "@temporalio/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { add, finish, soFar } from "./operator-workflows.js";
import { eventually, failureOf, nameOf, type Suite, startSuite } from "./suite.js";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("operator-workflows.ts");
});
afterAll(async () => s?.end());

const namespace = "default";
const { WORKFLOW_EXECUTION_STATUS_PAUSED: PAUSED } = temporal.api.enums.v1.WorkflowExecutionStatus;

/** Back to the n-th completed workflow task. */
async function reset(workflowId: string, n: number, runId = ""): Promise<string> {
  const events = await s.history(workflowId, runId === "" ? undefined : runId);
  const completed = events.filter((e) => nameOf(e) === "WORKFLOW_TASK_COMPLETED").map((e) => Number(e.eventId));
  const answer = await s.client.workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId, runId },
    workflowTaskFinishEventId: completed[n] as never,
    requestId: randomUUID(),
    reason: "once more",
  });
  return answer.runId;
}

const pendingOf = async (workflowId: string) => (await s.client.workflow.getHandle(workflowId).describe()).raw.pendingActivities ?? [];

describe("a reset", () => {
  it("replays what was before, and does again what came after with the signals that came", async () => {
    const h = await s.start("collects");
    await h.signal(add, "one");
    await eventually(() => h.query(soFar)).toEqual(["one"]);
    await h.signal(add, "two");
    await eventually(() => h.query(soFar)).toEqual(["one", "two"]);
    const second = await reset(h.workflowId, 0);
    const now = s.client.workflow.getHandle(h.workflowId);
    await eventually(() => now.query(soFar)).toEqual(["one", "two"]);
    await now.signal(finish);
    expect(await now.result()).toEqual(["one", "two"]);
    expect((await now.describe()).runId).toBe(second);
    expect((await s.client.workflow.getHandle(h.workflowId, h.firstExecutionRunId).describe()).status.name).toBe("TERMINATED");
  });

  it("of a workflow that has completed lets it complete once more", async () => {
    const h = await s.start("collects");
    await h.signal(add, "one");
    await eventually(() => h.query(soFar)).toEqual(["one"]);
    await h.signal(finish);
    expect(await h.result()).toEqual(["one"]);
    const runId = await reset(h.workflowId, 0);
    expect(await s.client.workflow.getHandle(h.workflowId, runId).result()).toEqual(["one"]);
  });

  it("of a parent leaves it its child", async () => {
    const childId = s.id("child");
    const h = await s.start("parentOf", [childId]);
    await eventually(async () => (await s.events(h.workflowId)).includes("TIMER_FIRED")).toBe(true);
    const events = await s.history(h.workflowId);
    const started = events.findIndex((e) => nameOf(e) === "CHILD_WORKFLOW_EXECUTION_STARTED");
    const before = events.slice(0, started).filter((e) => nameOf(e) === "WORKFLOW_TASK_COMPLETED").length;
    await reset(h.workflowId, before);
    await s.client.workflow.getHandle(childId).signal(add, "kept");
    await s.client.workflow.getHandle(childId).signal(finish);
    expect(await s.client.workflow.getHandle(h.workflowId).result()).toBe("child: kept");
  });
});

describe("a paused workflow", () => {
  it("answers no query and does nothing until it goes on", async () => {
    const h = await s.start("collects");
    await eventually(() => h.query(soFar)).toEqual([]);
    await s.client.workflowService.pauseWorkflowExecution({ namespace, workflowId: h.workflowId, reason: "to look", requestId: randomUUID() });
    await h.signal(add, "waits");
    expect((await h.describe()).raw.workflowExecutionInfo?.status).toBe(PAUSED);
    expect((await failureOf(h.query(soFar))).name).toBe("QueryRejectedError");
    expect(await s.events(h.workflowId)).not.toContain("ACTIVITY_TASK_SCHEDULED");
    await s.client.workflowService.unpauseWorkflowExecution({ namespace, workflowId: h.workflowId, requestId: randomUUID() });
    await eventually(() => h.query(soFar)).toEqual(["waits"]);
    await h.signal(finish);
    expect(await h.result()).toEqual(["waits"]);
  });
});

describe("an activity", () => {
  it("that is paused is given up by its worker, and comes again when it goes on", async () => {
    const h = await s.start("held");
    const execution = { workflowId: h.workflowId };
    await eventually(async () => (await pendingOf(h.workflowId))[0]?.heartbeatDetails != null).toBe(true);
    await s.client.workflowService.pauseActivity({ namespace, execution, id: "held", reason: "why", identity: "operator" });
    await eventually(async () => (await pendingOf(h.workflowId))[0]).toMatchObject({
      paused: true,
      attempt: 2,
      pauseInfo: { manual: { identity: "operator", reason: "why" } },
    });
    await s.client.workflowService.unpauseActivity({ namespace, execution, id: "held" });
    expect(await h.result()).toBe("attempt 2 after a pause");
  });

  it("that is reset while it runs is given up by its worker, and comes again", async () => {
    const h = await s.start("held");
    await eventually(async () => (await pendingOf(h.workflowId))[0]?.heartbeatDetails != null).toBe(true);
    await s.client.workflowService.resetActivity({ namespace, execution: { workflowId: h.workflowId }, id: "held" });
    expect(await h.result()).toBe("attempt 2 after a reset");
  });
});

it("every history replays", async () => {
  expect(await s.replayAll()).toBeGreaterThan(8);
});
