import { beforeEach, describe, expect, it } from "vitest";
import { WorkflowTaskFailedCause as Cause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  RequestCancelWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const cancel = (more: Parameters<typeof RequestCancelWorkflowExecutionRequest.create>[0] = {}, runId = "") =>
  world.submit<"requestCancel">(world.address("w", runId), {
    kind: "requestCancel",
    request: RequestCancelWorkflowExecutionRequest.create({ identity: "client", requestId: "c", ...more }),
    external: undefined,
  });
const terminate = (more: Parameters<typeof TerminateWorkflowExecutionRequest.create>[0] = {}, runId = "") =>
  world.submit<"terminate">(world.address("w", runId), {
    kind: "terminate",
    request: TerminateWorkflowExecutionRequest.create({ identity: "client", ...more }),
    childWorkflowOnly: false,
    parent: undefined,
  });

describe("a signal", () => {
  it("is written as it came and wakes the workflow", () => {
    world.running();
    const { eventId } = world.signal("s", "w", { input: c.payloads("in"), requestId: "r" });
    expect(eventId).toBe(5);
    expect(world.types().slice(4)).toEqual(["WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("workflowExecutionSignaledEventAttributes")).toMatchObject({
      signalName: "s",
      input: c.payloads("in"),
      identity: "client",
      requestId: "r",
    });
  });

  it("again by request id is the same signal, also while the first one waits", () => {
    world.start();
    const task = world.task();
    world.signal("s", "w", { requestId: "r" });
    world.signal("s", "w", { requestId: "r" });
    world.complete(task);
    world.signal("s", "w", { requestId: "r" });
    expect(world.types().filter((t) => t === "WORKFLOW_EXECUTION_SIGNALED")).toHaveLength(1);
  });

  it("without a request id is another one each time", () => {
    world.running();
    world.signal("s", "w", { requestId: "" });
    world.signal("s", "w", { requestId: "" });
    expect(world.types().filter((t) => t === "WORKFLOW_EXECUTION_SIGNALED")).toHaveLength(2);
  });

  it("beyond the limit of a run is refused", () => {
    world.limit({ signalsPerExecutionMax: 2 });
    world.running();
    world.signal("1");
    world.signal("2");
    expect(() => world.signal("3")).toThrow("exceeded workflow execution limit for signal events");
  });

  it("is put off while a workflow that could not close, because of another one, has its next task", () => {
    world.start();
    const task = world.task();
    world.signal("1");
    expect(world.complete(task, [c.complete()]).refused?.message).toBe("UnhandledCommand");
    world.signal("before it starts");
    const again = world.task();
    expect(() => world.signal("2")).toThrow("workflow operation can not be applied because workflow is closing");
    world.complete(again, [c.complete()]);
    expect(world.types().at(-1)).toBe("WORKFLOW_EXECUTION_COMPLETED");
  });

  it("is not accepted by a closed workflow", () => {
    world.running();
    terminate();
    expect(() => world.signal("s")).toThrow("workflow execution already completed");
  });
});

describe("a cancel request", () => {
  it("is written and wakes the workflow", () => {
    world.running();
    cancel({ reason: "enough" });
    expect(world.types().slice(4)).toEqual(["WORKFLOW_EXECUTION_CANCEL_REQUESTED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("workflowExecutionCancelRequestedEventAttributes")).toMatchObject({ cause: "enough", identity: "client" });
    expect(world.run("w").info.cancelRequested).toBe(true);
  });

  it.each(["c", "another"])("is made once: request id %s", (requestId) => {
    world.running();
    cancel();
    cancel({ requestId });
    expect(world.types().filter((t) => t === "WORKFLOW_EXECUTION_CANCEL_REQUESTED")).toHaveLength(1);
  });

  it("to a closed workflow has reached its aim", () => {
    const runId = world.running();
    terminate();
    const before = world.snapshot();
    expect(cancel()).toEqual({ runId });
    expect(world.snapshot()).toEqual(before);
  });

  it("of another chain of runs is not found", () => {
    world.running();
    expect(() => cancel({ firstExecutionRunId: "11111111-1111-4111-8111-111111111111" })).toThrow("workflow execution not found");
  });

  it("reaches the newest run of its chain", () => {
    const first = world.running();
    world.advance(5 * c.MICROS);
    world.signal("s");
    world.answer([c.continueAsNew()]);
    expect(cancel({ firstExecutionRunId: first })?.runId).toBe(world.run("w").info.runId);
    expect(world.types()).toContain("WORKFLOW_EXECUTION_CANCEL_REQUESTED");
  });

  it("of a chain does so whatever run it names", () => {
    const first = world.running();
    world.advance(5 * c.MICROS);
    world.signal("s");
    world.answer([c.continueAsNew()]);
    const newest = world.run("w").info.runId;
    expect(newest).not.toBe(first);
    expect(cancel({ firstExecutionRunId: first }, first)?.runId).toBe(newest);
    expect(terminate({ firstExecutionRunId: first }, first)?.runId).toBe(newest);
    expect(world.run("w").info.status).toBe(Status.TERMINATED);
  });

  it("does not wait for the end of a start delay", () => {
    world.start("w", { workflowStartDelay: c.seconds(60) });
    cancel();
    expect(world.takeWorkflowTask()).toBeDefined();
  });
});

describe("a termination", () => {
  it("ends the workflow at once", () => {
    world.running([c.timer("t", 1), c.activity("a")]);
    terminate({ reason: "why", details: c.payloads("d") });
    expect(world.types().at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
    expect(world.last("workflowExecutionTerminatedEventAttributes")).toMatchObject({ reason: "why", details: c.payloads("d"), identity: "client" });
    expect(world.run("w").info).toMatchObject({ status: Status.TERMINATED, closeTime: world.now });
    world.advance(60 * c.MICROS);
    expect(world.types().at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
    expect(world.takeActivity()).toBeUndefined();
  });

  it("fails the task in progress first, and writes what waited for it", () => {
    world.start();
    const task = world.task();
    world.signal("s");
    terminate();
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_TERMINATED"]);
    expect(world.last("workflowTaskFailedEventAttributes").cause).toBe(Cause.FORCE_CLOSE_COMMAND);
    expect(() => world.complete(task)).toThrow("Workflow task not found.");
  });

  it("leaves no task that was scheduled to its pollers", () => {
    world.start();
    terminate();
    expect(world.takeWorkflowTask()).toBeUndefined();
  });

  it("of a closed workflow is an error", () => {
    world.running();
    terminate();
    expect(() => terminate()).toThrow("workflow execution already completed");
  });

  it("by run id reaches that run alone", () => {
    const first = world.running();
    world.advance(5 * c.MICROS);
    world.signal("s");
    world.answer([c.continueAsNew()]);
    expect(() => terminate({}, first)).toThrow("workflow execution already completed");
    expect(world.run("w").isOpen).toBe(true);
  });
});
