import { beforeEach, describe, expect, it } from "vitest";
import { QueryRejectCondition, QueryResultType } from "../../../gen/wire/temporal/api/enums/v1/query.js";
import { WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { QueryWorkflowRequest, TerminateWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";
import { Code } from "../../api/service-error.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const query = (waiter: number, queryRejectCondition = QueryRejectCondition.UNSPECIFIED) =>
  world.submit<"query">(world.address("w"), {
    kind: "query",
    request: QueryWorkflowRequest.create({ query: { queryType: "state" }, queryRejectCondition }),
    waiter,
  });
const answered = (id: string, text: string) => ({
  queryResults: { [id]: { resultType: QueryResultType.ANSWERED, answer: c.payloads(text) } },
});

describe("a query", () => {
  it("of a workflow that waits is asked of a worker at once, and changes nothing", () => {
    const runId = world.running();
    const before = world.snapshot();
    expect(query(1)).toMatchObject({
      kind: "direct",
      runId,
      taskQueue: c.QUEUE,
      stickyTaskQueue: "",
      workflowType: "T",
      previousStartedEventId: 3,
      history: { fromEventId: 1, endEventId: 5 },
    });
    expect(world.snapshot()).toEqual(before);
  });

  it("goes to the sticky worker when there is one", () => {
    world.start();
    world.answer([], { stickyAttributes: { workerTaskQueue: { name: "sticky", kind: 2 }, scheduleToStartTimeout: c.seconds(5) } });
    expect(query(1)).toMatchObject({ kind: "direct", stickyTaskQueue: "sticky", stickyScheduleToStartMs: 5000 });
  });

  it("waits for a task that is on its way, travels with it, and is answered by it", () => {
    world.running();
    world.signal("s");
    expect(query(7)).toBeUndefined();
    const task = world.task();
    expect(Object.values(task.response.queries ?? {})).toMatchObject([{ queryType: "state" }]);
    const [id] = Object.keys(task.response.queries ?? {});
    world.complete(task, [], answered(id as string, "fine"));
    expect(world.answers.get(7)).toMatchObject({ kind: "answered", response: { queryResult: c.payloads("fine") } });
  });

  it("that came while the task ran is asked directly once that is done, of the state that it has brought", () => {
    world.running();
    world.signal("s");
    const task = world.task();
    query(7);
    expect(task.response.queries).toEqual({});
    world.complete(task);
    expect(world.answers.get(7)).toMatchObject({ kind: "direct", previousStartedEventId: 7, history: { fromEventId: 1, endEventId: 9 } });
  });

  it("that came while the task ran goes with the next one, if there is news for that", () => {
    world.running();
    world.signal("s");
    const task = world.task();
    query(7);
    world.signal("t");
    world.complete(task);
    expect(world.answers.has(7)).toBe(false);
    const next = world.task();
    const [id] = Object.keys(next.response.queries ?? {});
    world.complete(next, [], answered(id as string, "fine"));
    expect(world.answers.get(7)).toMatchObject({ kind: "answered" });
  });

  it("that the workflow cannot answer is an error for its caller", () => {
    world.running();
    world.signal("s");
    query(7);
    const task = world.task();
    const [id] = Object.keys(task.response.queries ?? {});
    world.complete(task, [], { queryResults: { [id as string]: { resultType: QueryResultType.FAILED, errorMessage: "no such query" } } });
    expect(world.answers.get(7)).toMatchObject({ code: Code.INVALID_ARGUMENT, message: "no such query" });
  });

  it("survives the failure of the task that it went with", () => {
    world.running();
    world.signal("s");
    query(7);
    world.failTask(world.task());
    expect(Object.keys(world.task().response.queries ?? {})).toHaveLength(1);
  });

  it("that waits is asked of a worker when the workflow closes meanwhile", () => {
    world.running();
    world.signal("s");
    const task = world.task();
    query(7);
    world.complete(task, [c.complete()]);
    expect(world.answers.get(7)).toMatchObject({ kind: "direct" });
  });

  it("whose caller has gone is not asked any more", () => {
    world.running();
    world.signal("s");
    query(7);
    world.submit(world.address("w"), { kind: "dropQuery", waiter: 7 });
    expect(world.task().response.queries).toEqual({});
  });

  it("is refused when as many wait as may", () => {
    world.running();
    world.signal("s");
    query(1);
    expect(() => query(2)).toThrow("consistent query buffer is full");
  });
});

describe("a query that cannot be asked", () => {
  it("of a workflow whose first task is not scheduled", () => {
    world.start("w", { workflowStartDelay: c.seconds(60) });
    expect(() => query(1)).toThrow("Workflow task is not scheduled yet.");
  });

  it("of a workflow whose first task fails again and again", () => {
    world.start();
    for (let i = 0; i < 3; i++) world.failTask(world.task());
    expect(() => query(1)).toThrow("Unable to query workflow due to Workflow Task in failed state.");
  });

  it("of a workflow that is unknown", () => {
    expect(() => query(1)).toThrow("workflow not found for ID: w");
  });
});

describe("the reject condition", () => {
  const ends: Record<string, () => unknown> = {
    running: () => undefined,
    completed: () => world.answer([c.complete()]),
    failed: () => world.answer([c.fail({ message: "no" })]),
    terminated: () =>
      world.submit(world.address("w"), {
        kind: "terminate",
        request: TerminateWorkflowExecutionRequest.create({}),
        childWorkflowOnly: false,
        parent: undefined,
      }),
  };
  it.each([
    ["running", Status.RUNNING, false, false],
    ["completed", Status.COMPLETED, true, false],
    ["failed", Status.FAILED, true, true],
    ["terminated", Status.TERMINATED, true, true],
  ] as const)("of a workflow that is %s", (name, status, notOpen, notCompletedCleanly) => {
    world.running();
    if (name !== "running") {
      world.signal("s");
      ends[name]?.();
    }
    const rejected = { kind: "answered", response: { queryRejected: { status } } };
    expect(query(1)).toMatchObject({ kind: "direct" });
    expect(query(1, QueryRejectCondition.NOT_OPEN)).toMatchObject(notOpen ? rejected : { kind: "direct" });
    expect(query(1, QueryRejectCondition.NOT_COMPLETED_CLEANLY)).toMatchObject(notCompletedCleanly ? rejected : { kind: "direct" });
  });
});
