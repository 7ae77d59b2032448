/** Parents, children and other workflows, by workers of the official TypeScript SDK: result and history of each. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CANCELED,
  CHILD_INITIATED,
  CHILD_STARTED,
  COMPLETED,
  CONTINUED,
  eventually,
  FAILED,
  failureOf,
  nameOf,
  SIGNALED,
  STARTED,
  type Suite,
  startSuite,
  TIMER_FIRED,
  TIMER_STARTED,
} from "./suite.js";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("children-workflows.ts");
});
afterAll(async () => s?.end());

const CHILD_COMPLETED = "CHILD_WORKFLOW_EXECUTION_COMPLETED";
const child = (parent: { readonly workflowId: string }) => s.client.workflow.getHandle(`${parent.workflowId}-child`);
const statusOf = async (workflowId: string) => (await s.client.workflow.getHandle(workflowId).describe()).status.name;

describe("a child", () => {
  it("hears its parent's signals in order", async () => {
    const h = await s.start("tellsChild");
    expect(await h.result()).toEqual(["one", "two"]);
    expect(await s.events(`${h.workflowId}-child`)).toEqual([STARTED, SIGNALED, SIGNALED, SIGNALED, COMPLETED]);
    const types = await s.events(h.workflowId);
    expect(types.filter((t) => t.includes("SIGNAL"))).toEqual(
      Array(3).fill(["SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED", "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED"]).flat(),
    );
    expect(types.slice(-2)).toEqual([CHILD_COMPLETED, COMPLETED]);
  });

  it("canceled and waited for: its own end is what the parent sees", async () => {
    const h = await s.start("cancelsChild", ["WAIT_CANCELLATION_COMPLETED"]);
    expect(await h.result()).toBe("ChildWorkflowFailure: CancelledFailure");
    expect(await s.events(h.workflowId)).toEqual([
      STARTED,
      CHILD_INITIATED,
      CHILD_STARTED,
      "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
      "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
      "CHILD_WORKFLOW_EXECUTION_CANCELED",
      COMPLETED,
    ]);
    const ofChild = await s.events(`${h.workflowId}-child`);
    expect(ofChild.filter((t) => t !== TIMER_STARTED && t !== TIMER_FIRED)).toEqual([
      STARTED,
      "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
      ...ofChild.filter((t) => t === "TIMER_CANCELED"),
      CANCELED,
    ]);
  });

  it("canceled and waited for until it knows", async () => {
    const h = await s.start("cancelsChild", ["WAIT_CANCELLATION_REQUESTED"]);
    expect(await h.result()).toBe("ChildWorkflowFailure: CancelledFailure");
    const types = await s.events(h.workflowId);
    expect(types).toContain("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED");
    expect(types.at(-1)).toBe(COMPLETED);
  });

  it("canceled and not waited for", async () => {
    const h = await s.start("cancelsChild", ["TRY_CANCEL"]);
    expect(await h.result()).toBe("ChildWorkflowFailure: CancelledFailure");
    expect(await s.events(h.workflowId)).toEqual([
      STARTED,
      CHILD_INITIATED,
      CHILD_STARTED,
      "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
      COMPLETED,
    ]);
  });

  it("abandoned by its scope: nobody asks it to stop", async () => {
    const h = await s.start("cancelsChildOfAbandon");
    expect(await h.result()).toBe("ChildWorkflowFailure");
    expect(await s.events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, COMPLETED]);
    expect(await statusOf(`${h.workflowId}-child`)).toBe("RUNNING");
    await child(h).signal("stop");
    expect(await child(h).result()).toEqual([]);
  });

  it("is asked to cancel when its parent closes", async () => {
    const h = await s.start("closesWith", ["REQUEST_CANCEL"]);
    await h.result();
    expect((await failureOf(child(h).result())).cause).toMatchObject({ name: "CancelledFailure" });
    expect(await s.events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, COMPLETED]);
    const requested = (await s.history(`${h.workflowId}-child`)).find((e) => nameOf(e) === "WORKFLOW_EXECUTION_CANCEL_REQUESTED");
    expect(requested?.workflowExecutionCancelRequestedEventAttributes?.identity).toBe("history-service");
  });

  it("ends with its grandparent, down the line", async () => {
    const h = await s.start("startsChildThatStarts");
    const grandchild = `${h.workflowId}-child-child`;
    await eventually(() => statusOf(grandchild).catch(() => "none")).toBe("RUNNING");
    const query = `RootWorkflowId = '${h.workflowId}'`;
    expect((await s.client.workflow.count(query)).count).toBe(3);
    expect((await s.client.workflow.count(`ParentWorkflowId = '${h.workflowId}-child'`)).count).toBe(1);
    await h.terminate("from above");
    await eventually(() => statusOf(grandchild)).toBe("TERMINATED");
    expect((await s.events(grandchild)).at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
    expect((await s.events(h.workflowId)).at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
    expect((await s.client.workflow.count(`${query} AND ExecutionStatus = 'Terminated'`)).count).toBe(3);
  });

  it("is retried by its own policy, and its parent sees the last attempt only", async () => {
    const h = await s.start("childRetried");
    expect(await h.result()).toBe(3);
    expect(await s.events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, CHILD_COMPLETED, COMPLETED]);
    expect((await s.client.workflow.count(`WorkflowId = '${h.workflowId}-child' AND ExecutionStatus = 'Failed'`)).count).toBe(2);
  });

  it("times out", async () => {
    const h = await s.start("childTimesOut");
    expect(await h.result()).toBe("TimeoutFailure START_TO_CLOSE");
    expect(await s.events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, "CHILD_WORKFLOW_EXECUTION_TIMED_OUT", COMPLETED]);
  });

  it("is terminated by somebody else", async () => {
    const h = await s.start("childTerminated");
    await eventually(() => statusOf(`${h.workflowId}-child`).catch(() => "none")).toBe("RUNNING");
    await child(h).terminate("not by the parent");
    expect(await h.result()).toBe("TerminatedFailure");
    expect(await s.events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, "CHILD_WORKFLOW_EXECUTION_TERMINATED", COMPLETED]);
  });

  it("continues as new, and still is the parent's", async () => {
    const h = await s.start("childContinues");
    expect(await h.result()).toBe(`counted by ${h.workflowId}`);
    expect(await s.events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, CHILD_COMPLETED, COMPLETED]);
    const first = (await s.history(h.workflowId)).find((e) => nameOf(e) === CHILD_STARTED)?.childWorkflowExecutionStartedEventAttributes;
    expect(await s.events(`${h.workflowId}-child`, first?.workflowExecution?.runId as string)).toEqual([STARTED, CONTINUED]);
  });

  it("is one of thirty", async () => {
    const h = await s.start("manyChildren", [30]);
    expect(await h.result()).toBe(8555);
    const types = await s.events(h.workflowId);
    for (const t of [CHILD_INITIATED, CHILD_STARTED, CHILD_COMPLETED]) expect(types.filter((x) => x === t)).toHaveLength(30);
  });

  it("may not use an id again that is used up", async () => {
    const h = await s.start("childIdUsedUp");
    expect(await h.result()).toBe("WorkflowExecutionAlreadyStartedError");
    expect(await s.events(h.workflowId)).toEqual([
      STARTED,
      CHILD_INITIATED,
      CHILD_STARTED,
      CHILD_COMPLETED,
      CHILD_INITIATED,
      "START_CHILD_WORKFLOW_EXECUTION_FAILED",
      COMPLETED,
    ]);
  });

  it("has the memo, attributes, priority and summary that the parent gave it", async () => {
    const h = await s.start("childWithEverything");
    expect(await h.result()).toEqual({
      parent: h.workflowId,
      root: h.workflowId,
      memo: { a: [1, 2] },
      word: "of a child",
      queue: true,
      priority: 4,
    });
    const d = await child(h).describe();
    expect(d.memo).toEqual({ a: [1, 2] });
    expect(await d.staticSummary()).toBe("a summary");
    expect(d.raw.workflowExecutionInfo?.priority?.priorityKey).toBe(4);
    expect(await s.events(h.workflowId)).toEqual([STARTED, CHILD_INITIATED, CHILD_STARTED, CHILD_COMPLETED, COMPLETED]);
  });
});

describe("another workflow", () => {
  it("that is not there cannot be signaled", async () => {
    const h = await s.start("signalsNobody");
    expect(await h.result()).toMatch(/not found/i);
    expect(await s.events(h.workflowId)).toEqual([
      STARTED,
      "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
      "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
      COMPLETED,
    ]);
  });

  it("that is not there cannot be canceled", async () => {
    const h = await s.start("cancelsNobody");
    expect(await h.result()).toMatch(/not found/i);
    const failed = (await s.history(h.workflowId)).find((e) => nameOf(e) === "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED");
    expect(failed?.requestCancelExternalWorkflowExecutionFailedEventAttributes?.cause).toBe(1);
    expect(await s.events(h.workflowId)).toEqual([
      STARTED,
      "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
      "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
      COMPLETED,
    ]);
  });

  it("is not signaled under a run id that is not its own", async () => {
    const target = await s.start("listens");
    const h = await s.start("signalsWrongRun", [target.workflowId]);
    expect(await h.result()).toMatch(/not found/i);
    await target.signal("stop");
    expect(await target.result()).toEqual([]);
    expect((await s.events(h.workflowId)).at(-2)).toBe("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED");
  });

  it("answers, to and fro", async () => {
    const [one, two] = [s.id("ping"), s.id("pong")];
    const pong = await s.start("pingPong", [one, false, 10], { workflowId: two });
    const ping = await s.start("pingPong", [two, true, 10], { workflowId: one });
    expect([await ping.result(), await pong.result()]).toEqual([10, 10]);
    for (const id of [one, two]) {
      const types = await s.events(id);
      expect(types.filter((t) => t === SIGNALED)).toHaveLength(10);
      expect(types.filter((t) => t === "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")).toHaveLength(10);
      expect(types.filter((t) => t === FAILED)).toEqual([]);
    }
  });
});

it("every history of this suite replays", async () => {
  expect(await s.replayAll()).toBeGreaterThanOrEqual(60);
});
