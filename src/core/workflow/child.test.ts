import { beforeEach, describe, expect, it } from "vitest";
import {
  CancelExternalWorkflowExecutionFailedCause as CancelCause,
  SignalExternalWorkflowExecutionFailedCause as SignalCause,
  StartChildWorkflowExecutionFailedCause as StartCause,
} from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import {
  ParentClosePolicy,
  RetryState,
  WorkflowExecutionStatus as Status,
  WorkflowIdReusePolicy,
} from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { TerminateWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";
import { transferInput } from "./transfer.js";
import { TransferKind } from "./transfer-kind.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const POLICIES = { terminate: ParentClosePolicy.TERMINATE, abandon: ParentClosePolicy.ABANDON, cancel: ParentClosePolicy.REQUEST_CANCEL };
const terminate = (workflowId: string) =>
  world.submit<"terminate">(world.address(workflowId), {
    kind: "terminate",
    request: TerminateWorkflowExecutionRequest.create({ reason: "test", identity: "client" }),
    childWorkflowOnly: false,
    parent: undefined,
  });
/** A parent "w" that waits for its child "k", which has started; both have answered their first tasks. */
const family = (more: Parameters<typeof c.child>[1] = {}) => {
  world.running([c.child("k", more)]);
  world.answer();
  world.answer([], {}, "k");
  world.settle();
};
/** The child "k" is begun; its parent is yet to be told, by the transfer that is returned. */
const beginUntold = () => {
  const start = world.transfers.shift();
  expect(start?.record.kind).toBe(TransferKind.START_CHILD);
  const ask = start === undefined ? undefined : transferInput(start.id, start.record, world, true);
  if (start === undefined || ask === undefined || !("input" in ask)) throw new Error("no child is to be started");
  world.submit(ask.address, ask.input);
  return start;
};
const statusOf = (workflowId: string) => world.run(workflowId).info.status;

describe("a child", () => {
  it("starts, is reported to its parent, and only then gets its first task", () => {
    world.start();
    world.answer([c.child("k", { input: c.payloads("in") })]);
    expect(world.states.has("k")).toBe(false);
    world.settle();
    const { runId } = world.run("k").info;
    expect(world.types().slice(4)).toEqual([
      "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
      "CHILD_WORKFLOW_EXECUTION_STARTED",
      "WORKFLOW_TASK_SCHEDULED",
    ]);
    expect(world.last("childWorkflowExecutionStartedEventAttributes")).toMatchObject({
      initiatedEventId: 5,
      workflowExecution: { workflowId: "k", runId },
      workflowType: { name: "C" },
      namespace: "default",
    });
    expect(world.types("k")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
    // Run, event and version of who asked for it; it was given no timeout.
    const shown = world.submit<"describe">(world.address("k"), { kind: "describe" });
    expect(Object.keys(shown?.workflowExtendedInfo?.requestIdInfos ?? {})).toEqual([`${world.run("w").info.runId}:5:0`]);
    expect(shown?.executionConfig?.workflowExecutionTimeout).toBeUndefined();
    expect(world.last("workflowExecutionStartedEventAttributes", "k")).toMatchObject({
      parentWorkflowExecution: { workflowId: "w", runId: world.run("w").info.runId },
      parentInitiatedEventId: 5,
      parentWorkflowNamespace: "default",
      rootWorkflowExecution: { workflowId: "w", runId: world.run("w").info.runId },
      input: c.payloads("in"),
      taskQueue: { name: c.QUEUE },
    });
  });

  it("does not run before its parent knows it", () => {
    world.start();
    world.answer([c.child("k")]);
    beginUntold();
    world.signal("s", "k");
    expect(world.takeWorkflowTask("k")).toBeUndefined();
    world.submit(world.address("k"), { kind: "scheduleFirstTask" });
    expect(world.takeWorkflowTask("k")).toBeDefined();
  });

  it("has the root of the whole family", () => {
    family();
    world.signal("s", "k");
    world.answer([c.child("grandchild")], {}, "k");
    world.settle();
    expect(world.last("workflowExecutionStartedEventAttributes", "grandchild")).toMatchObject({
      parentWorkflowExecution: { workflowId: "k" },
      rootWorkflowExecution: { workflowId: "w", runId: world.run("w").info.runId },
    });
  });

  it.each<[string, string, () => void, string, object]>([
    [
      "completes",
      "childWorkflowExecutionCompletedEventAttributes",
      () => world.answer([c.complete("out")], {}, "k"),
      "CHILD_WORKFLOW_EXECUTION_COMPLETED",
      { result: c.payloads("out") },
    ],
    [
      "fails",
      "childWorkflowExecutionFailedEventAttributes",
      () => world.answer([c.fail({ message: "no" })], {}, "k"),
      "CHILD_WORKFLOW_EXECUTION_FAILED",
      { failure: { message: "no" }, retryState: RetryState.RETRY_POLICY_NOT_SET },
    ],
    [
      "cancels",
      "childWorkflowExecutionCanceledEventAttributes",
      () => world.answer([c.cancel("bye")], {}, "k"),
      "CHILD_WORKFLOW_EXECUTION_CANCELED",
      { details: c.payloads("bye") },
    ],
    ["is terminated", "childWorkflowExecutionTerminatedEventAttributes", () => terminate("k"), "CHILD_WORKFLOW_EXECUTION_TERMINATED", {}],
    [
      "times out",
      "childWorkflowExecutionTimedOutEventAttributes",
      () => world.advance(60 * c.MICROS),
      "CHILD_WORKFLOW_EXECUTION_TIMED_OUT",
      { retryState: RetryState.RETRY_POLICY_NOT_SET },
    ],
  ])("that %s is reported", (_, attributes, end, type, content) => {
    family({ workflowRunTimeout: c.seconds(60) });
    world.signal("s", "k");
    end();
    world.settle();
    expect(world.types().slice(-2)).toEqual([type, "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last(attributes as "childWorkflowExecutionCompletedEventAttributes")).toMatchObject({
      initiatedEventId: 5,
      startedEventId: 6,
      workflowExecution: { workflowId: "k" },
      ...content,
    });
    expect(world.run("w").children.base.size).toBe(0);
    expect(world.transfers).toHaveLength(0);
  });

  it("that continues as new is reported at the end of its chain, with the run that ended", () => {
    family();
    world.advance(5 * c.MICROS);
    world.signal("s", "k");
    world.answer([c.continueAsNew()], {}, "k");
    world.settle();
    expect(world.types().at(-1)).toBe("WORKFLOW_TASK_COMPLETED");
    world.answer([c.complete()], {}, "k");
    world.settle();
    expect(world.last("childWorkflowExecutionCompletedEventAttributes").workflowExecution?.runId).toBe(world.run("k").info.runId);
    expect(world.runs("k")).toHaveLength(2);
  });

  it("that ends while its parent is busy has its start before its end", () => {
    world.start();
    world.answer([c.child("k")]);
    world.signal("s");
    const busy = world.task();
    world.answer([c.complete()], {}, "k");
    world.settle();
    world.complete(busy);
    const types = world.types();
    expect(types.indexOf("CHILD_WORKFLOW_EXECUTION_STARTED")).toBeLessThan(types.indexOf("CHILD_WORKFLOW_EXECUTION_COMPLETED"));
    const started = world.lastEvent("childWorkflowExecutionStartedEventAttributes").eventId;
    expect(world.last("childWorkflowExecutionCompletedEventAttributes").startedEventId).toBe(started);
  });

  it("is started once, however often the start is told", () => {
    world.start();
    world.answer([c.child("k")]);
    const start = world.transfers[0];
    if (start !== undefined) world.transfers.push({ id: start.id, record: start.record });
    world.settle();
    expect(world.runs("k")).toHaveLength(1);
    expect(world.types().filter((t) => t === "CHILD_WORKFLOW_EXECUTION_STARTED")).toHaveLength(1);
  });

  it("is not begun again when its end was reported before its start", () => {
    world.start();
    world.answer([c.child("k")]);
    const start = beginUntold();
    terminate("k");
    world.settle();
    expect(world.types().slice(-3)).toEqual(["CHILD_WORKFLOW_EXECUTION_STARTED", "CHILD_WORKFLOW_EXECUTION_TERMINATED", "WORKFLOW_TASK_SCHEDULED"]);
    // The id is used by somebody else meanwhile.
    world.running([c.complete()], {}, "k");
    const before = world.types();
    world.transfers.push(start);
    world.settle();
    expect(world.runs("k")).toHaveLength(2);
    expect(world.types()).toEqual(before);
    expect(world.run("w").info.pendingTransfers).toBe(0);
  });

  it("is found by its first run when its chain has gone on before its parent was told", () => {
    world.start();
    world.answer([c.child("k")]);
    const start = beginUntold();
    const first = world.run("k").info.runId;
    world.submit(world.address("k"), { kind: "scheduleFirstTask" });
    world.advance(c.MICROS);
    world.answer([c.continueAsNew()], {}, "k");
    world.transfers.push(start);
    world.settle();
    expect(world.last("childWorkflowExecutionStartedEventAttributes").workflowExecution?.runId).toBe(first);
    expect(world.runs("k")).toHaveLength(2);
  });
});

describe("a child that cannot start", () => {
  it("because its id is taken is reported", () => {
    world.start("k");
    world.running([c.child("k", { control: "c" })]);
    expect(world.types().slice(-2)).toEqual(["START_CHILD_WORKFLOW_EXECUTION_FAILED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("startChildWorkflowExecutionFailedEventAttributes")).toMatchObject({
      initiatedEventId: 5,
      workflowId: "k",
      workflowType: { name: "C" },
      cause: StartCause.WORKFLOW_ALREADY_EXISTS,
      control: "c",
    });
    expect(world.run("w").children.base.size).toBe(0);
  });

  it("because its reuse policy forbids it is reported", () => {
    world.running([c.complete()], {}, "k");
    world.running([c.child("k", { workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE })]);
    expect(world.types()).toContain("START_CHILD_WORKFLOW_EXECUTION_FAILED");
  });
});

describe("the end of a parent", () => {
  const ends: [string, () => unknown][] = [
    ["completes", () => world.answer([c.complete()])],
    ["fails", () => world.answer([c.fail({ message: "no" })])],
    ["is terminated", () => terminate("w")],
    ["continues as new", () => world.answer([c.continueAsNew()])],
  ];
  const cases = ends.flatMap(([how, end]) => Object.entries(POLICIES).map(([name, policy]) => [name, how, policy, end] as const));
  it.each(cases)("policy %s, when the parent %s", (name, _, parentClosePolicy, end) => {
    family({ parentClosePolicy });
    world.signal("s");
    end();
    world.settle();
    if (name === "terminate") {
      expect(statusOf("k")).toBe(Status.TERMINATED);
      expect(world.last("workflowExecutionTerminatedEventAttributes", "k")).toMatchObject({
        reason: "by parent close policy",
        identity: "history-service",
      });
    } else if (name === "cancel") {
      expect(world.types("k").slice(-2)).toEqual(["WORKFLOW_EXECUTION_CANCEL_REQUESTED", "WORKFLOW_TASK_SCHEDULED"]);
      expect(world.last("workflowExecutionCancelRequestedEventAttributes", "k")).toMatchObject({ externalWorkflowExecution: { workflowId: "w" } });
    } else expect(world.types("k").at(-1)).toBe("WORKFLOW_TASK_COMPLETED");
  });

  it("is by default the end of its children and theirs", () => {
    family();
    world.signal("s", "k");
    world.answer([c.child("grandchild")], {}, "k");
    world.settle();
    world.answer([], {}, "grandchild");
    terminate("w");
    world.settle();
    expect(["w", "k", "grandchild"].map(statusOf)).toEqual([Status.TERMINATED, Status.TERMINATED, Status.TERMINATED]);
  });

  it.each(Object.entries(POLICIES))("before its child was begun: there is none (%s)", (_, parentClosePolicy) => {
    world.start();
    world.answer([c.child("k", { parentClosePolicy }), c.complete()]);
    world.settle();
    expect(world.states.has("k")).toBe(false);
    expect(world.run("w").info.pendingTransfers).toBe(0);
  });

  it.each(Object.entries(POLICIES))("before it learned of its child's start: %s", (name, parentClosePolicy) => {
    world.start();
    world.answer([c.child("k", { parentClosePolicy })]);
    const start = beginUntold();
    terminate("w");
    world.transfers.push(start);
    world.settle();
    if (name === "terminate") expect(statusOf("k")).toBe(Status.TERMINATED);
    else {
      expect(world.types("k")).toContain("WORKFLOW_TASK_SCHEDULED");
      expect(world.types("k").includes("WORKFLOW_EXECUTION_CANCEL_REQUESTED")).toBe(name === "cancel");
    }
    expect(world.types("w").at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
  });

  it("leaves another run of the child's id alone", () => {
    family({ parentClosePolicy: ParentClosePolicy.TERMINATE });
    world.signal("s");
    world.answer([c.complete()]);
    // Before the policy arrives, the child ends and its id is used by somebody else.
    terminate("k");
    const other = world.start("k").runId;
    world.settle();
    expect(world.run("k").info).toMatchObject({ runId: other, status: Status.RUNNING });
  });

  it("is not told of what its child does later", () => {
    family({ parentClosePolicy: ParentClosePolicy.ABANDON });
    world.signal("s");
    world.answer([c.complete()]);
    const before = world.types();
    world.signal("s", "k");
    world.answer([c.complete()], {}, "k");
    world.settle();
    expect(world.types()).toEqual(before);
    expect(world.transfers).toHaveLength(0);
  });
});

describe("a signal to another workflow", () => {
  it("is not carried for a sender that ends with the same task", () => {
    world.running([], {}, "k");
    world.start();
    world.answer([c.signalExternal("k"), c.cancelExternal("k"), c.complete()]);
    world.settle();
    expect(world.types("k")).not.toContain("WORKFLOW_EXECUTION_SIGNALED");
    expect(world.types("k")).not.toContain("WORKFLOW_EXECUTION_CANCEL_REQUESTED");
    expect(world.run("w").info.pendingTransfers).toBe(0);
  });

  it("arrives as its own, and the sender learns that it did", () => {
    world.running([], {}, "other");
    world.running([c.signalExternal("other", { signalName: "hello", input: c.payloads("in"), control: "c" })]);
    expect(world.last("workflowExecutionSignaledEventAttributes", "other")).toMatchObject({
      signalName: "hello",
      input: c.payloads("in"),
      externalWorkflowExecution: { workflowId: "w", runId: world.run("w").info.runId },
    });
    expect(world.types().slice(-3)).toEqual([
      "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
      "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED",
      "WORKFLOW_TASK_SCHEDULED",
    ]);
    expect(world.last("externalWorkflowExecutionSignaledEventAttributes")).toMatchObject({
      initiatedEventId: 5,
      workflowExecution: { workflowId: "other" },
      control: "c",
    });
  });

  it("arrives once, however often it is told", () => {
    world.running([], {}, "other");
    world.start();
    world.answer([c.signalExternal("other")]);
    const sent = world.transfers[0];
    if (sent !== undefined) world.transfers.push({ id: sent.id, record: sent.record });
    world.settle();
    expect(world.types("other").filter((t) => t === "WORKFLOW_EXECUTION_SIGNALED")).toHaveLength(1);
  });

  it.each<[string, () => void]>([
    ["does not exist", () => undefined],
    ["is closed", () => world.running([c.complete()], {}, "other")],
  ])("that %s fails", (_, prepare) => {
    prepare();
    world.running([c.signalExternal("other", { control: "c" })]);
    expect(world.last("signalExternalWorkflowExecutionFailedEventAttributes")).toMatchObject({
      initiatedEventId: 5,
      workflowTaskCompletedEventId: 0,
      cause: SignalCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND,
      control: "c",
    });
    expect(world.run("w").externalSignals.base.size).toBe(0);
  });

  it("fails when the other has had its fill", () => {
    world.limit({ signalsPerExecutionMax: 1 });
    world.running([], {}, "other");
    world.signal("s", "other");
    world.running([c.signalExternal("other")]);
    expect(world.last("signalExternalWorkflowExecutionFailedEventAttributes").cause).toBe(SignalCause.SIGNAL_COUNT_LIMIT_EXCEEDED);
  });

  it("does not reach oneself", () => {
    world.running([c.signalExternal("w")]);
    expect(world.last("signalExternalWorkflowExecutionFailedEventAttributes").cause).toBe(SignalCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
  });

  it("that is meant for a child does not reach a stranger", () => {
    world.running([], {}, "other");
    world.running([c.signalExternal("other", { childWorkflowOnly: true })]);
    expect(world.types()).toContain("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED");
    expect(world.types("other")).not.toContain("WORKFLOW_EXECUTION_SIGNALED");
  });

  it("reaches a child that the same task started", () => {
    world.running([c.child("k"), c.signalExternal("k", { childWorkflowOnly: true })]);
    expect(world.types("k")).toContain("WORKFLOW_EXECUTION_SIGNALED");
    expect(world.types()).toContain("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED");
  });
});

describe("a cancel request to another workflow", () => {
  it("arrives, and the sender learns that it did", () => {
    world.running([], {}, "other");
    world.running([c.cancelExternal("other", { reason: "enough" })]);
    expect(world.last("workflowExecutionCancelRequestedEventAttributes", "other")).toMatchObject({
      cause: "enough",
      externalInitiatedEventId: 5,
      externalWorkflowExecution: { workflowId: "w" },
      identity: "history-service",
    });
    expect(world.types().slice(-2)).toEqual(["EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it("to a workflow that has closed has reached its aim", () => {
    world.running([c.complete()], {}, "other");
    world.running([c.cancelExternal("other")]);
    expect(world.types()).toContain("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED");
    expect(world.types("other").at(-1)).toBe("WORKFLOW_EXECUTION_COMPLETED");
  });

  it("to a workflow that does not exist fails", () => {
    world.running([c.cancelExternal("other", { control: "c" })]);
    expect(world.last("requestCancelExternalWorkflowExecutionFailedEventAttributes")).toMatchObject({
      initiatedEventId: 5,
      workflowTaskCompletedEventId: 0,
      cause: CancelCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND,
    });
  });

  it("does not reach oneself", () => {
    world.running([c.cancelExternal("w")]);
    expect(world.types()).toContain("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED");
  });

  it("of a child is not accepted in the task that starts it", () => {
    world.start();
    expect(world.answer([c.child("k"), c.cancelExternal("k")]).refused?.message).toBe(
      "BadRequestCancelExternalWorkflowExecutionAttributes: Start and RequestCancel for child workflow is not allowed in same workflow task. WorkflowId=k RunId= Namespace=",
    );
    expect(world.transfers).toHaveLength(0);
  });

  it("of a child cancels it", () => {
    family();
    world.signal("s");
    world.answer([c.cancelExternal("k", { childWorkflowOnly: true })]);
    world.settle();
    world.answer([c.cancel()], {}, "k");
    world.settle();
    expect(world.types().slice(-2)).toEqual(["WORKFLOW_TASK_SCHEDULED", "CHILD_WORKFLOW_EXECUTION_CANCELED"]);
  });
});
