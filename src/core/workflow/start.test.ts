import { beforeEach, describe, expect, it } from "vitest";
import { InternalCallbackRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import {
  WorkflowIdConflictPolicy as Conflict,
  ContinueAsNewInitiator,
  WorkflowIdReusePolicy as Reuse,
  WorkflowExecutionStatus as Status,
} from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { WorkflowExecutionAlreadyStartedFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import {
  SignalWithStartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { decode, encode, type Init } from "../../api/wire.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const HOUR = 3600 * c.MICROS;
const w = () => world.address("w");
const terminate = () =>
  world.submit<"terminate">(w(), {
    kind: "terminate",
    request: TerminateWorkflowExecutionRequest.create({ reason: "test" }),
    childWorkflowOnly: false,
    parent: undefined,
  });
const signalWithStart = (more: Init<SignalWithStartWorkflowExecutionRequest> = {}) => {
  const request = SignalWithStartWorkflowExecutionRequest.create({
    namespace: "default",
    workflowId: "w",
    workflowType: { name: "T" },
    taskQueue: { name: c.QUEUE, kind: 1 },
    workflowTaskTimeout: c.seconds(10),
    signalName: "s",
    signalInput: c.payloads("in"),
    requestId: "sws",
    ...more,
  } as Init<SignalWithStartWorkflowExecutionRequest>);
  return world.submit<"signalWithStart">(w(), { kind: "signalWithStart", request });
};

/** How a run may have ended, and by what. */
const ENDS: Record<string, { status: Status; end: () => unknown; failed: boolean }> = {
  completed: { status: Status.COMPLETED, end: () => world.answer([c.complete()]), failed: false },
  failed: { status: Status.FAILED, end: () => world.answer([c.fail({ message: "no" })]), failed: true },
  canceled: { status: Status.CANCELED, end: () => world.answer([c.cancel()]), failed: true },
  terminated: { status: Status.TERMINATED, end: terminate, failed: true },
  "timed out": { status: Status.TIMED_OUT, end: () => world.advance(2 * HOUR), failed: true },
};

function refusal(act: () => unknown): ServiceError {
  try {
    act();
  } catch (e) {
    if (e instanceof ServiceError) return e;
    throw e;
  }
  throw new Error("it was accepted");
}

describe("a start", () => {
  it("writes what the request says", () => {
    const { runId, started } = world.start("w", {
      input: c.payloads("in"),
      workflowRunTimeout: c.seconds(60),
      memo: { fields: { m: c.payload(1) } },
      priority: { priorityKey: 2 },
      retryPolicy: { maximumAttempts: 3 },
      userMetadata: { summary: c.payload("why") },
    });
    expect(started).toBe(true);
    const event = world.lastEvent("workflowExecutionStartedEventAttributes");
    expect(event.userMetadata?.summary).toEqual(c.payload("why"));
    expect(event.attributes.value).toMatchObject({
      workflowType: { name: "T" },
      taskQueue: { name: c.QUEUE },
      input: c.payloads("in"),
      identity: "client",
      attempt: 1,
      originalExecutionRunId: runId,
      firstExecutionRunId: runId,
      workflowId: "w",
      workflowRunTimeout: c.seconds(60),
      workflowTaskTimeout: c.seconds(10),
      memo: { fields: { m: c.payload(1) } },
      priority: { priorityKey: 2 },
      retryPolicy: { maximumAttempts: 3 },
    });
    expect(world.tasks).toMatchObject([{ type: "workflow", priority: 2 }]);
  });

  it.each<[string, Parameters<CoreWorld["start"]>[1], number]>([
    ["the run timeout", { workflowRunTimeout: c.seconds(60) }, 60],
    ["the execution timeout, which bounds the run", { workflowRunTimeout: c.seconds(60), workflowExecutionTimeout: c.seconds(40) }, 40],
    ["the execution timeout alone", { workflowExecutionTimeout: c.seconds(40) }, 40],
    ["the run timeout, counted from the end of the start delay", { workflowRunTimeout: c.seconds(60), workflowStartDelay: c.seconds(30) }, 90],
  ])("ends with %s", (_, request, after) => {
    world.start("w", request);
    world.advance(after * c.MICROS - 1);
    expect(world.run("w").isOpen).toBe(true);
    world.advance(1);
    expect(world.types().at(-1)).toBe("WORKFLOW_EXECUTION_TIMED_OUT");
  });

  it("with eager execution brings its first task with it", () => {
    const { eagerTask } = world.start("w", { requestEagerExecution: true });
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
    expect(world.tasks).toHaveLength(0);
    expect(eagerTask?.response).toMatchObject({ startedEventId: 3, attempt: 1, workflowExecution: { workflowId: "w" } });
    expect(eagerTask?.history).toMatchObject({ fromEventId: 1, endEventId: 4 });
    expect(world.complete(eagerTask as never, [c.complete()]).refused).toBeUndefined();
  });

  it.each([
    ["a start delay", { workflowStartDelay: c.seconds(1) }],
    ["a cron schedule", { cronSchedule: "@every 1m" }],
  ])("with eager execution and %s has nothing to bring", (_, request) => {
    expect(world.start("w", { requestEagerExecution: true, ...request }).eagerTask).toBeUndefined();
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED"]);
    expect(world.last("workflowExecutionStartedEventAttributes").eagerExecutionAccepted).toBe(false);
  });
});

describe("the same start again", () => {
  it("by request id gets the same answer and does nothing, whatever the policies say", () => {
    const first = world.start("w", { requestId: "r" });
    const before = world.snapshot();
    expect(world.start("w", { requestId: "r", workflowIdReusePolicy: Reuse.REJECT_DUPLICATE })).toMatchObject({ runId: first.runId, started: true });
    world.start("w", { requestId: "r", workflowIdConflictPolicy: Conflict.TERMINATE_EXISTING });
    expect(world.snapshot()).toEqual(before);
  });

  it("for an action of a schedule gets it when the workflow has continued as new too, and when that has ended", () => {
    const data = encode(InternalCallbackRecord, { archetype: 1, namespaceId: "n", id: "schedule", runId: "r", requestId: "action" });
    const variant = { case: "internal" as const, value: { data } };
    const act = () => world.start("w", { requestId: "action", workflowIdReusePolicy: Reuse.REJECT_DUPLICATE, completionCallbacks: [{ variant }] });
    const { runId, firstRunId } = act();
    world.answer([c.continueAsNew()]);
    world.advance(2 * c.MICROS);
    expect(act()).toMatchObject({ firstRunId });
    expect(act().runId).not.toBe(runId);
    const other = { case: "internal" as const, value: { data: encode(InternalCallbackRecord, { id: "schedule", requestId: "other" }) } };
    const refused = refusal(() => world.start("w", { requestId: "other", completionCallbacks: [{ variant: other }] }));
    expect(refused.code).toBe(Code.ALREADY_EXISTS);
    world.answer([c.complete()]);
    expect(act()).toMatchObject({ firstRunId, status: Status.COMPLETED });
  });

  it("is told the first run of the chain, by signal with start too", () => {
    const runId = signalWithStart()?.runId;
    expect(signalWithStart()).toMatchObject({ runId, firstRunId: runId, started: false });
    world.answer([c.continueAsNew()]);
    world.advance(2 * c.MICROS);
    const newest = world.run("w").info.runId;
    expect(newest).not.toBe(runId);
    expect(signalWithStart({ requestId: "other" })).toMatchObject({ runId: newest, firstRunId: runId, started: false });
  });

  it("gets it after the end of the run too", () => {
    const first = world.start("w", { requestId: "r" });
    world.answer([c.complete()]);
    expect(world.start("w", { requestId: "r" })).toMatchObject({ runId: first.runId, started: true, status: Status.COMPLETED });
  });

  it("gets the eager task again while nothing came after it", () => {
    const first = world.start("w", { requestId: "r", requestEagerExecution: true });
    expect(world.start("w", { requestId: "r", requestEagerExecution: true }).eagerTask).toEqual(first.eagerTask);
    world.complete(first.eagerTask as never);
    expect(world.start("w", { requestId: "r", requestEagerExecution: true }).eagerTask).toBeUndefined();
  });
});

describe("a workflow id whose run is open", () => {
  it.each([
    ["by default", {}],
    ["by policy", { workflowIdConflictPolicy: Conflict.FAIL }],
    ["whatever may be done with a closed one", { workflowIdReusePolicy: Reuse.ALLOW_DUPLICATE_FAILED_ONLY }],
  ])("is taken %s: the error says by whom", (_, request) => {
    const first = world.start("w", { requestId: "first" });
    const error = refusal(() => world.start("w", request));
    expect(error).toMatchObject({
      code: Code.ALREADY_EXISTS,
      message: `Workflow execution is already running. WorkflowId: w, RunId: ${first.runId}.`,
    });
    expect(decode(WorkflowExecutionAlreadyStartedFailure, error.details[0]?.value as Uint8Array)).toMatchObject({
      startRequestId: "first",
      runId: first.runId,
    });
  });

  it("is answered as it is by USE_EXISTING", () => {
    const first = world.start();
    const before = world.snapshot();
    expect(world.start("w", { workflowIdConflictPolicy: Conflict.USE_EXISTING })).toMatchObject({
      runId: first.runId,
      started: false,
      status: Status.RUNNING,
    });
    expect(world.snapshot()).toEqual(before);
  });

  it("gets what USE_EXISTING attaches, once per request id", () => {
    world.running();
    const attach = {
      requestId: "attached",
      workflowIdConflictPolicy: Conflict.USE_EXISTING,
      onConflictOptions: { attachRequestId: true },
    };
    world.start("w", attach);
    world.start("w", attach);
    expect(world.types().filter((t) => t === "WORKFLOW_EXECUTION_OPTIONS_UPDATED")).toHaveLength(1);
    expect(world.last("workflowExecutionOptionsUpdatedEventAttributes").attachedRequestId).toBe("attached");
    expect(world.submit<"describe">(w(), { kind: "describe" })?.workflowExtendedInfo?.requestIdInfos?.["attached"]).toMatchObject({
      eventType: EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED,
      eventId: 5,
    });
    // The workflow has nothing to do with it.
    expect(world.takeWorkflowTask()).toBeUndefined();
  });

  it("says of an attached request id that it waits, and then where it is", () => {
    world.start();
    const task = world.task();
    world.start("w", { requestId: "attached", workflowIdConflictPolicy: Conflict.USE_EXISTING, onConflictOptions: { attachRequestId: true } });
    const info = () => world.submit<"describe">(w(), { kind: "describe" })?.workflowExtendedInfo?.requestIdInfos?.["attached"];
    expect(info()).toMatchObject({ buffered: true });
    world.complete(task);
    expect(info()).toMatchObject({ eventId: 5 });
  });

  it.each([
    ["the conflict policy", { workflowIdConflictPolicy: Conflict.TERMINATE_EXISTING }],
    ["the deprecated reuse policy", { workflowIdReusePolicy: Reuse.TERMINATE_IF_RUNNING }],
  ])("is freed by %s: the open run ends, the new one starts", (_, request) => {
    const first = world.start();
    const second = world.start("w", request);
    expect(second).toMatchObject({ started: true });
    expect(second.runId).not.toBe(first.runId);
    const { details, ...rest } = world.last("workflowExecutionTerminatedEventAttributes", "w", first.runId);
    expect(rest).toMatchObject({ reason: "TerminateIfRunning WorkflowIdReusePolicy", identity: "history-service" });
    expect(c.jsonOf(details)).toBe(`terminated by new runID: ${second.runId}`);
    expect(world.types("w", second.runId)).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.task().response.workflowExecution?.runId).toBe(second.runId);
  });
});

describe("a workflow id whose run has ended", () => {
  it.each(Object.entries(ENDS))("%s may be used again, unless the policy is to reject", (_, { status, end, failed }) => {
    const first = world.start("w", { workflowRunTimeout: c.seconds(3600) });
    end();
    expect(world.run("w").info.status).toBe(status);
    const rejected = refusal(() => world.start("w", { workflowIdReusePolicy: Reuse.REJECT_DUPLICATE }));
    expect(rejected).toMatchObject({
      code: Code.ALREADY_EXISTS,
      message: `Workflow execution already finished. WorkflowId: w, RunId: ${first.runId}. Workflow Id reuse policy: reject duplicate workflow Id.`,
    });
    const again = () => world.start("w", { workflowIdReusePolicy: Reuse.ALLOW_DUPLICATE_FAILED_ONLY });
    if (failed) expect(again().started).toBe(true);
    else
      expect(refusal(again)).toMatchObject({
        code: Code.ALREADY_EXISTS,
        message: `Workflow execution already finished successfully. WorkflowId: w, RunId: ${first.runId}. Workflow Id reuse policy: allow duplicate workflow Id if last run failed.`,
      });
    if (!failed) expect(world.start("w").started).toBe(true);
    expect(world.runs()).toHaveLength(2);
  });
});

describe("a start delay", () => {
  it("puts off the first workflow task", () => {
    world.start("w", { workflowStartDelay: c.seconds(60) });
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED"]);
    expect(world.last("workflowExecutionStartedEventAttributes").firstWorkflowTaskBackoff).toMatchObject(c.seconds(60));
    world.advance(60 * c.MICROS - 1);
    expect(world.takeWorkflowTask()).toBeUndefined();
    world.advance(1);
    expect(world.task().response.attempt).toBe(1);
  });

  it("is not cut short by a signal, which waits with the workflow", () => {
    world.start("w", { workflowStartDelay: c.seconds(60) });
    world.signal("s");
    expect(world.takeWorkflowTask()).toBeUndefined();
    world.advance(60 * c.MICROS);
    world.task();
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
  });

  it("is ended by a signal with start", () => {
    world.start("w", { workflowStartDelay: c.seconds(60) });
    signalWithStart();
    expect(world.task().response.attempt).toBe(1);
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
  });

  it("does not outlive its run", () => {
    world.start("w", { workflowStartDelay: c.seconds(60) });
    terminate();
    world.advance(120 * c.MICROS);
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_TERMINATED"]);
  });
});

describe("a cron schedule", () => {
  it("puts off the first run to its first time", () => {
    // 22:13:20 UTC.
    world.start("w", { cronSchedule: "15 * * * *" });
    expect(world.last("workflowExecutionStartedEventAttributes")).toMatchObject({
      cronSchedule: "15 * * * *",
      initiator: ContinueAsNewInitiator.CRON_SCHEDULE,
      firstWorkflowTaskBackoff: c.seconds(100),
    });
    world.advance(100 * c.MICROS);
    expect(world.task().response.attempt).toBe(1);
  });
});

describe("timeouts that are none", () => {
  const described = () => world.submit<"describe">(w(), { kind: "describe" })?.executionConfig;

  it("are missing where the start leaves them out, in every run of the chain", () => {
    world.start("w", { workflowExecutionTimeout: undefined, workflowRunTimeout: undefined });
    const none = { workflowExecutionTimeout: undefined };
    expect(world.last("workflowExecutionStartedEventAttributes")).toMatchObject({ ...none, workflowRunTimeout: undefined });
    expect(described()).toMatchObject({ ...none, workflowRunTimeout: undefined });
    world.advance(2 * c.MICROS);
    world.answer([c.continueAsNew()]);
    // A run that continues is always told of one.
    expect(world.last("workflowExecutionStartedEventAttributes")).toMatchObject({ ...none, workflowRunTimeout: c.seconds(0) });
    expect(world.last("workflowExecutionStartedEventAttributes")?.firstWorkflowTaskBackoff).toBeUndefined();
    expect(described()).toMatchObject({ ...none, workflowRunTimeout: c.seconds(0) });
  });

  it("are zero where the start says zero, in every run of the chain", () => {
    const zero = { workflowExecutionTimeout: c.seconds(0), workflowRunTimeout: c.seconds(0) };
    world.start("w", zero);
    expect(world.last("workflowExecutionStartedEventAttributes")).toMatchObject(zero);
    world.advance(2 * c.MICROS);
    world.answer([c.continueAsNew()]);
    expect(world.last("workflowExecutionStartedEventAttributes")).toMatchObject(zero);
    expect(described()).toMatchObject(zero);
  });
});

describe("signal with start", () => {
  it("starts a workflow that has its signal before its first task", () => {
    expect(signalWithStart()).toMatchObject({ started: true, eventId: 2 });
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("workflowExecutionSignaledEventAttributes")).toMatchObject({ signalName: "s", input: c.payloads("in") });
  });

  it("signals the run that is open", () => {
    const runId = world.running();
    expect(signalWithStart()).toMatchObject({ runId, started: false });
    expect(world.types().slice(4)).toEqual(["WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it("again by request id signals once", () => {
    world.running();
    signalWithStart();
    signalWithStart();
    expect(world.types().filter((t) => t === "WORKFLOW_EXECUTION_SIGNALED")).toHaveLength(1);
  });

  it("again by the request id of the start gets the run that it started", () => {
    const first = signalWithStart();
    world.answer([c.complete()]);
    expect(signalWithStart()).toMatchObject({ runId: first?.runId, started: false });
    expect(world.runs()).toHaveLength(1);
  });

  it("ends an open run first when its policy is so", () => {
    const runId = world.running();
    expect(signalWithStart({ workflowIdConflictPolicy: Conflict.TERMINATE_EXISTING })).toMatchObject({ started: true });
    expect(world.types("w", runId).at(-1)).toBe("WORKFLOW_EXECUTION_TERMINATED");
    expect(world.types()).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it("respects the reuse policy of a closed one", () => {
    world.running();
    terminate();
    expect(refusal(() => signalWithStart({ workflowIdReusePolicy: Reuse.REJECT_DUPLICATE })).code).toBe(Code.ALREADY_EXISTS);
    expect(signalWithStart({ workflowIdReusePolicy: Reuse.ALLOW_DUPLICATE_FAILED_ONLY })).toMatchObject({ started: true });
  });

  it("with a start delay waits with its signal", () => {
    signalWithStart({ workflowStartDelay: c.seconds(60) });
    expect(world.takeWorkflowTask()).toBeUndefined();
    world.advance(60 * c.MICROS);
    expect(world.takeWorkflowTask()).toBeDefined();
  });
});
