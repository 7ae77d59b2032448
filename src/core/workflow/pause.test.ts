import { beforeEach, describe, expect, it } from "vitest";
import { WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  PauseWorkflowExecutionRequest,
  UnpauseWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const pause = (more: Parameters<typeof PauseWorkflowExecutionRequest.create>[0] = {}) =>
  world.submit(world.address("w"), {
    kind: "pauseWorkflow",
    request: PauseWorkflowExecutionRequest.create({ identity: "operator", reason: "why", requestId: "p", ...more }),
  });
const unpause = () =>
  world.submit(world.address("w"), { kind: "unpauseWorkflow", request: UnpauseWorkflowExecutionRequest.create({ identity: "operator" }) });
const pauseInfo = () => {
  const bytes = world.run("w").searchAttributes?.indexedFields["TemporalPauseInfo"];
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
};

describe("a paused workflow", () => {
  it("takes signals and fires timers, and sees them when it goes on", () => {
    world.running([c.timer("t", 1)]);
    pause();
    world.signal("s");
    world.advance(2 * c.MICROS);
    expect(world.types().slice(-3)).toEqual(["WORKFLOW_EXECUTION_PAUSED", "WORKFLOW_EXECUTION_SIGNALED", "TIMER_FIRED"]);
    expect(world.takeWorkflowTask("w")).toBeUndefined();
    unpause();
    expect(world.types().slice(-2)).toEqual(["WORKFLOW_EXECUTION_UNPAUSED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.answer([c.complete()]).refused).toBeUndefined();
  });

  it("is listed as paused, with what and why, and then no more", () => {
    world.running();
    pause();
    expect(world.run("w").info.status).toBe(Status.PAUSED);
    expect(pauseInfo()).toContain('["Workflow:w","Reason:why"]');
    expect(world.visibilityRows.at(-1)).toMatchObject({ status: Status.PAUSED });
    unpause();
    expect(pauseInfo()).toBeUndefined();
    expect(world.visibilityRows.at(-1)).toMatchObject({ status: Status.RUNNING });
  });

  it("takes back a workflow task that no worker has taken", () => {
    world.start();
    pause();
    expect(world.types().slice(2)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_PAUSED"]);
    expect(world.takeWorkflowTask("w")).toBeUndefined();
    unpause();
    expect(world.task().response.attempt).toBe(1);
  });

  it("lets a running workflow task end, and schedules no other", () => {
    world.start();
    const task = world.task();
    pause();
    expect(() => world.complete(task, [], { forceCreateNewWorkflowTask: true })).toThrow(
      "Workflow is paused and force create new workflow task is not allowed.",
    );
    world.complete(task, [c.activity("a", { requestEagerExecution: true }), c.timer("t", 5)]);
    expect(world.takeWorkflowTask("w")).toBeUndefined();
    expect(world.takeActivity("w")).toBeUndefined();
    unpause();
    expect(world.activityTask().response.activityId).toBe("a");
  });

  it("does not give out activities, new ones and next attempts, until it goes on", () => {
    world.running([c.activity("a", { retryPolicy: { initialInterval: c.seconds(1) } }), c.activity("b")]);
    const running = world.activityTask();
    pause();
    expect(world.takeActivity("w")).toBeUndefined();
    const token = tokenOf(running);
    world.submit(world.address("w"), {
      kind: "failActivity",
      activity: { by: "token", token },
      failure: c.applicationFailure("no"),
      lastHeartbeatDetails: undefined,
      identity: "",
    });
    world.advance(3 * c.MICROS);
    expect(world.takeActivity("w")).toBeUndefined();
    unpause();
    expect([world.activityTask().response, world.activityTask().response]).toMatchObject([
      { activityId: "a", attempt: 2 },
      { activityId: "b", attempt: 1 },
    ]);
  });

  it("goes on waiting for a retry whose time has not come when it goes on", () => {
    world.running([c.activity("a", { retryPolicy: { initialInterval: c.seconds(60) } })]);
    const token = tokenOf(world.activityTask());
    world.submit(world.address("w"), {
      kind: "failActivity",
      activity: { by: "token", token },
      failure: c.applicationFailure("no"),
      lastHeartbeatDetails: undefined,
      identity: "",
    });
    pause();
    unpause();
    expect(world.takeActivity("w")).toBeUndefined();
    world.advance(61 * c.MICROS);
    expect(world.activityTask().response.attempt).toBe(2);
  });

  it("rejects queries, and those that wait for a workflow task", () => {
    world.start();
    world.answer();
    world.signal("s");
    const query = (waiter: number) =>
      world.submit<"query">(world.address("w"), { kind: "query", request: { query: { queryType: "q" } } as never, waiter });
    query(1);
    pause();
    const rejected = { kind: "answered", response: { queryRejected: { status: Status.PAUSED } } };
    expect(world.answers.get(1)).toMatchObject(rejected);
    expect(query(2)).toMatchObject(rejected);
  });

  it("ends by its time and by termination", () => {
    world.running([], { workflowRunTimeout: c.seconds(5) });
    pause();
    world.advance(6 * c.MICROS);
    expect(world.run("w").info.status).toBe(Status.TIMED_OUT);
  });

  it("is paused once, by one request", () => {
    world.running();
    pause();
    expect(pause()).toBeUndefined();
    expect(() => pause({ requestId: "q" })).toThrow("workflow is already paused.");
    expect(() => pause({ requestId: "" })).toThrow("workflow is already paused.");
    unpause();
    expect(unpause).toThrow("workflow is not paused.");
    expect(world.types().filter((t) => t === "WORKFLOW_EXECUTION_PAUSED")).toHaveLength(1);
  });

  it("that is started with a delay has its first task when it goes on", () => {
    world.start("w", { workflowStartDelay: c.seconds(5) });
    pause();
    world.advance(6 * c.MICROS);
    expect(world.takeWorkflowTask("w")).toBeUndefined();
    unpause();
    expect(world.task().response.attempt).toBe(1);
  });
});
