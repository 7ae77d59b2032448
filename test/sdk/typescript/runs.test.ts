/** How runs start, follow each other, are asked and end, by clients and workers of the official TypeScript SDK. */
import {
  QueryNotRegisteredError,
  QueryRejectedError,
  WorkflowClient,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowFailedError,
  WorkflowNotFoundError,
} from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
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

const { QueryRejectCondition } = temporal.api.enums.v1;

let s: Suite;
beforeAll(async () => {
  s = await startSuite("run-workflows.ts");
});
afterAll(async () => s?.end());

const attributesOf = async (workflowId: string, runId: string | undefined, name: string) =>
  (await s.history(workflowId, runId)).find((e) => nameOf(e) === name);

describe("continuing as new", () => {
  it("carries memo, search attributes, retry policy and timeouts over", async () => {
    const h = await s.start("carries", [1], {
      memo: { m: "kept" },
      searchAttributes: { CustomKeywordField: ["kept too"] },
      retry: { maximumAttempts: 4 },
      workflowTaskTimeout: "7s",
    });
    expect(await h.result()).toEqual({ memo: { m: "kept" }, word: "kept too", attempt: 1, first: true, attempts: 4, taskTimeoutMs: 7000 });
    expect(await s.events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, CONTINUED]);
    expect(await s.events(h.workflowId)).toEqual([STARTED, COMPLETED]);
    const last = (await attributesOf(h.workflowId, undefined, STARTED))?.workflowExecutionStartedEventAttributes;
    expect(last).toMatchObject({ continuedExecutionRunId: h.firstExecutionRunId, firstExecutionRunId: h.firstExecutionRunId, initiator: 1 });
  });

  it("with another type, memo, attributes and timeout", async () => {
    const h = await s.start("changesCourse", [], { memo: { kept: "at first" }, searchAttributes: { CustomKeywordField: ["first leg"] } });
    expect(await h.result()).toEqual({
      argument: "argument",
      memo: { replaced: true },
      word: "second leg",
      runTimeoutMs: 50_000,
      workflowType: "arrives",
    });
    const continued = (await attributesOf(h.workflowId, h.firstExecutionRunId, CONTINUED))?.workflowExecutionContinuedAsNewEventAttributes;
    expect(continued?.workflowType?.name).toBe("arrives");
    expect(await s.events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, "WORKFLOW_PROPERTIES_MODIFIED", CONTINUED]);
    expect((await s.client.workflow.getHandle(h.workflowId).describe()).memo).toEqual({ replaced: true });
  });

  it("ends with the execution timeout, however many runs there were", async () => {
    const h = await s.start("roundAndRound", [], { workflowExecutionTimeout: "2500ms" });
    expect((await failureOf<WorkflowFailedError>(h.result())).cause).toMatchObject({ name: "TimeoutFailure" });
    expect((await s.events(h.workflowId)).at(-1)).toBe("WORKFLOW_EXECUTION_TIMED_OUT");
    expect((await s.events(h.workflowId, h.firstExecutionRunId)).at(-1)).toBe(CONTINUED);
  });
});

describe("retried runs", () => {
  it("stop at a type that the policy calls final", async () => {
    const h = await s.start("failsOn", [2], { retry: { initialInterval: "1ms", nonRetryableErrorTypes: ["Fatal"] } });
    expect((await failureOf<WorkflowFailedError>(h.result())).cause).toMatchObject({ type: "Fatal", message: "attempt 2" });
    const failed = (await attributesOf(h.workflowId, undefined, FAILED))?.workflowExecutionFailedEventAttributes;
    expect(failed).toMatchObject({ retryState: 2, newExecutionRunId: "" });
    const started = (await attributesOf(h.workflowId, undefined, STARTED))?.workflowExecutionStartedEventAttributes;
    expect(started).toMatchObject({ attempt: 2, initiator: 2, continuedFailure: { message: "attempt 1" } });
    expect(await s.events(h.workflowId)).toEqual([STARTED, FAILED]);
  });

  it("stop at the maximum of attempts", async () => {
    const h = await s.start("failsOn", [99], { retry: { initialInterval: "1ms", maximumAttempts: 2 } });
    expect(await failureOf<WorkflowFailedError>(h.result())).toMatchObject({
      retryState: "MAXIMUM_ATTEMPTS_REACHED",
      cause: { message: "attempt 2" },
    });
    expect((await s.client.workflow.count(`WorkflowId = '${h.workflowId}' AND ExecutionStatus = 'Failed'`)).count).toBe(2);
    expect(await s.events(h.workflowId, h.firstExecutionRunId)).toEqual([STARTED, FAILED]);
  });
});

describe("cron", () => {
  it("hands the last result and the last failure on", async () => {
    const h = await s.start("cronRun", [], { cronSchedule: "@every 1s" });
    const runs = async () => {
      const all: { runId: string; start: number }[] = [];
      for await (const w of s.client.workflow.list({ query: `WorkflowId = '${h.workflowId}' AND ExecutionStatus != 'Running'` }))
        all.push({ runId: w.runId, start: w.startTime.getTime() });
      return all.sort((a, b) => a.start - b.start).map((r) => r.runId);
    };
    await eventually(async () => (await runs()).length).toBeGreaterThanOrEqual(3);
    await s.client.workflow.getHandle(h.workflowId).terminate();
    const [first, second, third] = await runs();
    expect(first).toBe(h.firstExecutionRunId);
    expect((await s.events(h.workflowId, first)).at(-1)).toBe(COMPLETED);
    expect((await s.events(h.workflowId, second)).at(-1)).toBe(FAILED);
    const completed = (await attributesOf(h.workflowId, third, COMPLETED))?.workflowExecutionCompletedEventAttributes;
    expect(Buffer.from(completed?.result?.payloads?.[0]?.data ?? []).toString()).toBe('"first after the second one"');
    const started = (await attributesOf(h.workflowId, third, STARTED))?.workflowExecutionStartedEventAttributes;
    expect(started).toMatchObject({ initiator: 3, cronSchedule: "@every 1s", firstExecutionRunId: h.firstExecutionRunId });
  });
});

describe("a delayed start", () => {
  it("holds what it is signaled until it is over", async () => {
    const h = await s.start("told", [], { startDelay: "2s" });
    await h.signal("add", "in the meantime");
    await h.signal("end");
    expect((await s.history(h.workflowId)).map(nameOf)).toEqual([STARTED, SIGNALED, SIGNALED]);
    expect(await h.result()).toEqual(["in the meantime"]);
    expect((await s.history(h.workflowId)).map(nameOf)).toEqual([
      STARTED,
      SIGNALED,
      SIGNALED,
      "WORKFLOW_TASK_SCHEDULED",
      "WORKFLOW_TASK_STARTED",
      "WORKFLOW_TASK_COMPLETED",
      COMPLETED,
    ]);
    const started = (await attributesOf(h.workflowId, undefined, STARTED))?.workflowExecutionStartedEventAttributes;
    expect(started?.firstWorkflowTaskBackoff).toMatchObject({ seconds: expect.objectContaining({ low: 2 }) });
  });

  it("is ended by a termination before anything ran", async () => {
    const h = await s.start("told", [], { startDelay: "1h" });
    await h.terminate("not needed");
    const failure = await failureOf<WorkflowFailedError>(h.result());
    expect(failure.cause).toMatchObject({ name: "TerminatedFailure", message: "not needed" });
    expect((await s.history(h.workflowId)).map(nameOf)).toEqual([STARTED, "WORKFLOW_EXECUTION_TERMINATED"]);
  });
});

describe("ids", () => {
  it("REJECT_DUPLICATE refuses a second run for good", async () => {
    const h = await s.start("returnsNothing");
    expect(await h.result()).toBeUndefined();
    const again = { taskQueue: s.taskQueue, workflowId: h.workflowId };
    const refused = await failureOf(s.client.workflow.start("returnsNothing", { ...again, workflowIdReusePolicy: "REJECT_DUPLICATE" }));
    expect(refused).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
    expect(await s.events(h.workflowId)).toEqual([STARTED, COMPLETED]);
  });

  it("ALLOW_DUPLICATE_FAILED_ONLY asks how the last one ended", async () => {
    const workflowId = s.id("reused");
    const options = { taskQueue: s.taskQueue, workflowId, workflowIdReusePolicy: "ALLOW_DUPLICATE_FAILED_ONLY" as const };
    const failed = await s.client.workflow.start("failsOn", { ...options, args: [1] });
    await failureOf(failed.result());
    const completed = await s.client.workflow.start("returnsNothing", options);
    await completed.result();
    expect(completed.firstExecutionRunId).not.toBe(failed.firstExecutionRunId);
    expect(await failureOf(s.client.workflow.start("returnsNothing", options))).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
    expect(await s.events(workflowId, failed.firstExecutionRunId)).toEqual([STARTED, FAILED]);
  });

  it("a signal with start begins a new run after the old one closed", async () => {
    const workflowId = s.id("told");
    const options = { taskQueue: s.taskQueue, workflowId, signal: "end" };
    const one = await s.client.workflow.signalWithStart("told", options);
    await one.result();
    const two = await s.client.workflow.signalWithStart("told", options);
    expect(two.signaledRunId).not.toBe(one.signaledRunId);
    await two.result();
    for (const runId of [one.signaledRunId, two.signaledRunId]) expect(await s.events(workflowId, runId)).toEqual([STARTED, SIGNALED, COMPLETED]);
  });

  it("a handle that is bound to its chain does not touch a later one", async () => {
    const workflowId = s.id("told");
    const one = await s.client.workflow.start("told", { taskQueue: s.taskQueue, workflowId });
    await one.terminate();
    const two = await s.client.workflow.start("told", { taskQueue: s.taskQueue, workflowId });
    expect(await failureOf(one.cancel())).toBeInstanceOf(WorkflowNotFoundError);
    expect(await failureOf(one.terminate())).toBeInstanceOf(WorkflowNotFoundError);
    await two.signal("end");
    expect(await two.result()).toEqual([]);
    expect(await s.events(workflowId, two.firstExecutionRunId)).toEqual([STARTED, SIGNALED, COMPLETED]);
  });
});

describe("queries", () => {
  it("are rejected where the condition says so", async () => {
    const h = await s.start("told");
    await h.signal("add", "x");
    const asking = (queryRejectCondition: number) =>
      new WorkflowClient({ connection: s.client.connection, queryRejectCondition: queryRejectCondition as never });
    const open = asking(QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_OPEN).getHandle(h.workflowId);
    const clean = asking(QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY).getHandle(h.workflowId);
    expect(await open.query("seen")).toEqual(["x"]);
    await h.signal("end");
    await h.result();
    expect(await failureOf(open.query("seen"))).toBeInstanceOf(QueryRejectedError);
    expect(await clean.query("seen")).toEqual(["x"]);
    const killed = await s.start("told");
    await killed.terminate();
    const ofKilled = asking(QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY).getHandle(killed.workflowId);
    expect(await failureOf<QueryRejectedError>(ofKilled.query("seen"))).toMatchObject({ status: 5 });
    expect(await s.events(h.workflowId)).toEqual([STARTED, SIGNALED, SIGNALED, COMPLETED]);
  });

  it("that fail or are not known are answered so, and leave no trace", async () => {
    const h = await s.start("told");
    await h.signal("add", "x");
    expect(await failureOf(h.query("nothing-like-it"))).toBeInstanceOf(QueryNotRegisteredError);
    expect((await failureOf(h.query("fails", "on purpose"))).message).toContain("on purpose");
    expect(await h.query("seen")).toEqual(["x"]);
    await h.signal("end");
    expect(await h.result()).toEqual(["x"]);
    expect(await s.events(h.workflowId)).toEqual([STARTED, SIGNALED, SIGNALED, COMPLETED]);
  });

  it("see every signal that was acknowledged before them", async () => {
    const h = await s.start("told");
    for (let i = 0; i < 20; i++) {
      await h.signal("add", `${i}`);
      expect(await h.query("seen")).toHaveLength(i + 1);
    }
    await h.signal("end");
    expect(await h.result()).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    expect((await s.events(h.workflowId)).filter((t) => t === SIGNALED)).toHaveLength(21);
  });
});

describe("signals", () => {
  it("a hundred at once all arrive, in the order of the history", async () => {
    const h = await s.start("told");
    await Promise.all(Array.from({ length: 100 }, (_, i) => h.signal("add", `${i}`)));
    await h.signal("end");
    const result = (await h.result()) as string[];
    const recorded = (await s.history(h.workflowId))
      .map((e) => e.workflowExecutionSignaledEventAttributes)
      .filter((a) => a?.signalName === "add")
      .map((a) => JSON.parse(Buffer.from(a?.input?.payloads?.[0]?.data ?? []).toString()));
    expect(result).toEqual(recorded);
    expect([...result].sort()).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`).sort());
  });
});

describe("what is told of a run", () => {
  it("summary and details of the run and of its timer", async () => {
    const h = await s.start("summarized", [], { staticSummary: "short", staticDetails: "*long*", priority: { priorityKey: 1 } });
    expect(await h.result()).toBe("rested");
    const d = await h.describe();
    expect([await d.staticSummary(), await d.staticDetails()]).toEqual(["short", "*long*"]);
    expect(d.raw.workflowExecutionInfo?.priority?.priorityKey).toBe(1);
    const timer = await attributesOf(h.workflowId, undefined, TIMER_STARTED);
    expect(Buffer.from(timer?.userMetadata?.summary?.data ?? []).toString()).toBe('"a nap"');
    expect(await s.events(h.workflowId)).toEqual([STARTED, TIMER_STARTED, TIMER_FIRED, COMPLETED]);
  });

  it("lists by a number, and counts by status", async () => {
    const prefix = s.id("counted");
    const all = await Promise.all([5, 6, 7, 8].map((n) => s.start("counted", [n], { workflowId: `${prefix}-${n}` })));
    expect(await Promise.all(all.map((h) => h.result()))).toEqual([5, 6, 7, 8]);
    const mine = `WorkflowId STARTS_WITH '${prefix}'`;
    const listed: string[] = [];
    const query = `${mine} AND CustomIntField BETWEEN 6 AND 8 AND CustomIntField != 7 AND CloseTime IS NOT NULL`;
    await eventually(async () => (await s.client.workflow.count(query)).count).toBe(2);
    for await (const w of s.client.workflow.list({ query, pageSize: 1 })) listed.push(w.workflowId);
    expect(listed.sort()).toEqual([`${prefix}-6`, `${prefix}-8`]);
    const grouped = await s.client.workflow.count(`${mine} GROUP BY ExecutionStatus`);
    expect(grouped).toEqual({ count: 4, groups: [{ count: 4, groupValues: [["Completed"]] }] });
    expect(await s.events(`${prefix}-6`)).toEqual([STARTED, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", COMPLETED]);
  });

  it("attributes and memo keys can be taken away again", async () => {
    const h = await s.start("emptied", [], { memo: { gone: 1 }, searchAttributes: { CustomKeywordField: ["early"], CustomIntField: [3] } });
    expect(await h.result()).toMatchObject({ memo: { stays: 2 } });
    const d = await h.describe();
    expect(d.memo).toEqual({ stays: 2 });
    expect(d.searchAttributes["CustomKeywordField"]).toEqual(["later"]);
    expect(d.searchAttributes["CustomIntField"]).toBeUndefined();
    expect((await s.client.workflow.count(`WorkflowId = '${h.workflowId}' AND CustomIntField IS NULL`)).count).toBe(1);
    expect(await s.events(h.workflowId)).toEqual([STARTED, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_PROPERTIES_MODIFIED", COMPLETED]);
  });
});

describe("inside a run", () => {
  it("what is shielded outlives the cancellation", async () => {
    const h = await s.start("shielded");
    await eventually(async () => (await s.events(h.workflowId)).includes(TIMER_STARTED)).toBe(true);
    await h.cancel();
    await h.cancel();
    expect(await h.result()).toBe("whole");
    const types = await s.events(h.workflowId);
    expect(types.filter((t) => t === "WORKFLOW_EXECUTION_CANCEL_REQUESTED")).toHaveLength(1);
    expect(types.filter((t) => t !== "WORKFLOW_EXECUTION_CANCEL_REQUESTED")).toEqual([STARTED, TIMER_STARTED, TIMER_FIRED, COMPLETED]);
  });

  it("a condition gives up in time, and its timer is canceled where it does not", async () => {
    const h = await s.start("deadline");
    await eventually(async () => (await s.events(h.workflowId)).filter((t) => t === TIMER_STARTED).length).toBe(2);
    await h.signal("end");
    expect(await h.result()).toBe("false true");
    expect(await s.events(h.workflowId)).toEqual([STARTED, TIMER_STARTED, TIMER_FIRED, TIMER_STARTED, SIGNALED, "TIMER_CANCELED", COMPLETED]);
  });

  it("chance and time are the same in every replay", async () => {
    const h = await s.start("random");
    const result = (await h.result()) as { uuids: string[]; sum: number; now: number };
    expect(new Set(result.uuids).size).toBe(2);
    const task = (await s.history(h.workflowId)).filter((e) => nameOf(e) === "WORKFLOW_TASK_STARTED").at(-1);
    expect(result.now).toBe(Number(task?.eventTime?.seconds) * 1000 + Math.floor(Number(task?.eventTime?.nanos) / 1e6));
    expect(await s.events(h.workflowId)).toEqual([STARTED, TIMER_STARTED, TIMER_FIRED, COMPLETED]);
  });
});

it("every history of this suite replays", async () => {
  expect(await s.replayAll()).toBeGreaterThanOrEqual(30);
});
