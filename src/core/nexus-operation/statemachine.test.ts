import { beforeEach, describe, expect, it } from "vitest";
import type { OutboundRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import {
  NexusOperationCancellationState as CancelState,
  PendingNexusOperationState as State,
} from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { ResetReapplyExcludeType } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import { TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { ResetWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";
import { Code } from "../../api/service-error.js";
import { OutboundKind } from "../outbound.js";
import type { CancelOutcome, NexusCall, OperationOutcome, StartOutcome } from "./calls.js";

/** The scheduled event of the only operation: started, scheduled, started, completed, this. */
const OPERATION = 5;

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const addressOf = (r: OutboundRecord) => ({ namespaceId: r.namespaceId, workflowId: r.workflowId, runId: r.runId });

/** The only call that waits. */
function waiting(): [id: number, record: OutboundRecord] {
  const calls = [...world.outbound];
  expect(calls).toHaveLength(1);
  return calls[0] as [number, OutboundRecord];
}

function call(): NexusCall {
  const [, r] = waiting();
  const isCancel = r.kind === OutboundKind.CANCEL_OPERATION;
  const said = world.submit<"nexusCall">(addressOf(r), { kind: "nexusCall", scheduledEventId: r.componentId, attempt: r.attempt, isCancel });
  if (said === undefined) throw new Error("the call concerns nothing");
  return said;
}

function startEnds(outcome: StartOutcome): void {
  const [outboundId, r] = waiting();
  expect(r.kind).toBe(OutboundKind.START_OPERATION);
  world.submit(addressOf(r), { kind: "nexusStarted", outboundId, scheduledEventId: r.componentId, attempt: r.attempt, outcome });
}

function cancelEnds(outcome: CancelOutcome): void {
  const [outboundId, r] = waiting();
  expect(r.kind).toBe(OutboundKind.CANCEL_OPERATION);
  world.submit(addressOf(r), { kind: "nexusCancelRequested", outboundId, scheduledEventId: r.componentId, attempt: r.attempt, outcome });
}

const started = () => startEnds({ kind: "started", operationToken: "token", links: [] });

function completes(outcome: OperationOutcome, requestId = world.last("nexusOperationScheduledEventAttributes").requestId, startTime = 0) {
  return world.submit(world.address("w", world.run("w").info.runId), {
    kind: "nexusCompleted",
    scheduledEventId: OPERATION,
    requestId,
    operationToken: "token",
    startTime,
    links: [],
    outcome,
  });
}

const pending = () => {
  const answer = world.submit<"describe">(world.address("w"), { kind: "describe" });
  return answer?.pendingNexusOperations ?? [];
};
const since = () => world.types().slice(OPERATION);
const ok: OperationOutcome = { kind: "completed", result: c.payload("out"), links: [] };
const retry = (message = "busy"): StartOutcome & CancelOutcome => ({ kind: "retry", failure: { message } });

function expectReplayed(): void {
  const [stored, replayed] = world.projections(world.run("w"));
  expect(stored).toEqual(replayed);
}

describe("the start of an operation", () => {
  it("is asked for with what the event says, by a link to the event", () => {
    const runId = world.running([
      c.nexusOperation({ input: c.payload("in"), nexusHeader: { H: "v" }, scheduleToCloseTimeout: c.seconds(60), startToCloseTimeout: c.seconds(9) }),
    ]);
    const { requestId } = world.last("nexusOperationScheduledEventAttributes");
    expect(call()).toMatchObject({
      endpoint: "endpoint",
      endpointId: "endpoint-id",
      service: "svc",
      operation: "op",
      requestId,
      input: c.payload("in"),
      header: { h: "v" },
      link: {
        variant: { case: "workflowEvent", value: { workflowId: "w", runId, reference: { case: "eventRef", value: { eventId: OPERATION } } } },
      },
      tooLate: undefined,
      operationTimeout: 9 * c.MICROS,
    });
  });

  it("ends the operation at once when the handler does", () => {
    world.running([c.nexusOperation()]);
    const { requestId } = world.last("nexusOperationScheduledEventAttributes");
    startEnds(ok);
    expect(world.last("nexusOperationCompletedEventAttributes")).toEqual({ scheduledEventId: OPERATION, result: c.payload("out"), requestId });
    expect(since()).toEqual(["NEXUS_OPERATION_COMPLETED", "WORKFLOW_TASK_SCHEDULED"]);
    expect([pending(), world.outbound.size]).toEqual([[], 0]);
    expectReplayed();
  });

  it("wraps a failure of the operation in one that names it", () => {
    world.running([c.nexusOperation()]);
    startEnds({ kind: "failed", cause: { message: "no" } });
    expect(world.last("nexusOperationFailedEventAttributes").failure).toMatchObject({
      message: "nexus operation completed unsuccessfully",
      cause: { message: "no" },
      failureInfo: {
        case: "nexusOperationExecutionFailureInfo",
        value: { endpoint: "endpoint", service: "svc", operation: "op", scheduledEventId: 5 },
      },
    });
    expectReplayed();
  });

  it("makes a cancelation of whatever an older handler sends as one", () => {
    world.running([c.nexusOperation()]);
    startEnds({ kind: "canceled", cause: { message: "gone", failureInfo: { case: "applicationFailureInfo", value: { type: "T" } } } });
    expect(world.last("nexusOperationCanceledEventAttributes").failure?.cause).toMatchObject({
      message: "gone",
      failureInfo: { case: "canceledFailureInfo" },
    });
  });

  it("waits longer before each further attempt, and counts them", () => {
    world.running([c.nexusOperation()]);
    for (let attempt = 1; attempt <= 4; attempt++) {
      startEnds(retry(`busy ${attempt}`));
      expect(pending()).toMatchObject([{ state: State.BACKING_OFF, attempt, lastAttemptFailure: { message: `busy ${attempt}` } }]);
      expect(world.outbound.size).toBe(0);
      const full = c.MICROS * 2 ** (attempt - 1);
      world.advance(full * 0.79);
      expect(world.outbound.size).toBe(0);
      world.advance(full * 0.22);
      expect(waiting()[1].attempt).toBe(attempt);
      expect(pending()).toMatchObject([{ state: State.SCHEDULED, attempt }]);
    }
    expect(since()).toEqual([]);
    startEnds(ok);
    expect(since()).toEqual(["NEXUS_OPERATION_COMPLETED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it("is heard once: a late outcome of an earlier attempt says nothing", () => {
    world.running([c.nexusOperation()]);
    const [outboundId, r] = waiting();
    startEnds(retry());
    world.advance(2 * c.MICROS);
    const again = world.submit(addressOf(r), { kind: "nexusStarted", outboundId, scheduledEventId: OPERATION, attempt: 0, outcome: ok });
    expect([again, since()]).toEqual([undefined, []]);
    expect(waiting()[1].attempt).toBe(1);
  });

  it("is not made when too little time is left for an answer", () => {
    world.running([c.nexusOperation({ scheduleToCloseTimeout: c.seconds(3) })]);
    expect(call()).toMatchObject({ tooLate: undefined, timeout: 3 * c.MICROS });
    world.now += 2 * c.MICROS;
    expect(call().tooLate).toBe(TimeoutType.SCHEDULE_TO_CLOSE);
    startEnds({ kind: "timedOut", timeoutType: TimeoutType.SCHEDULE_TO_CLOSE });
    expect(since()).toEqual(["NEXUS_OPERATION_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]);
    expectReplayed();
  });
});

describe("a time-out of an operation", () => {
  const timeouts = { scheduleToCloseTimeout: c.seconds(30), scheduleToStartTimeout: c.seconds(10), startToCloseTimeout: c.seconds(12) };
  const type = () => {
    const info = world.last("nexusOperationTimedOutEventAttributes").failure?.cause?.failureInfo;
    return info?.case === "timeoutFailureInfo" ? info.value.timeoutType : undefined;
  };

  it("is schedule-to-start as long as nothing was started", () => {
    world.running([c.nexusOperation(timeouts)]);
    world.advance(9.9 * c.MICROS);
    expect(since()).toEqual([]);
    world.advance(0.2 * c.MICROS);
    expect([since(), type()]).toEqual([["NEXUS_OPERATION_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"], TimeoutType.SCHEDULE_TO_START]);
    expectReplayed();
  });

  it("is start-to-close from the start on", () => {
    world.running([c.nexusOperation(timeouts)]);
    world.advance(5 * c.MICROS);
    started();
    world.advance(11.9 * c.MICROS);
    expect(since()).not.toContain("NEXUS_OPERATION_TIMED_OUT");
    world.advance(0.2 * c.MICROS);
    expect(type()).toBe(TimeoutType.START_TO_CLOSE);
    expect(pending()).toEqual([]);
  });

  it("is schedule-to-close in all, whatever its parts allow", () => {
    world.running([c.nexusOperation({ ...timeouts, startToCloseTimeout: c.seconds(29) })]);
    world.advance(9 * c.MICROS);
    started();
    world.advance(20.9 * c.MICROS);
    expect(since()).not.toContain("NEXUS_OPERATION_TIMED_OUT");
    world.advance(0.2 * c.MICROS);
    expect(type()).toBe(TimeoutType.SCHEDULE_TO_CLOSE);
  });

  it("is no longer than the run's", () => {
    world.running([c.nexusOperation({ scheduleToStartTimeout: c.seconds(50) })], { workflowRunTimeout: c.seconds(20) });
    expect(world.last("nexusOperationScheduledEventAttributes")).toMatchObject({
      scheduleToCloseTimeout: c.seconds(20),
      scheduleToStartTimeout: c.seconds(20),
      startToCloseTimeout: undefined,
    });
  });

  it("does not come for an operation that has ended", () => {
    world.running([c.nexusOperation(timeouts)]);
    startEnds(ok);
    world.answer();
    world.advance(60 * c.MICROS);
    expect(world.types()).not.toContain("NEXUS_OPERATION_TIMED_OUT");
  });
});

describe("the completion of an operation", () => {
  it("ends what has started", () => {
    world.running([c.nexusOperation()]);
    started();
    world.answer();
    completes(ok);
    expect(since().filter((t) => t.startsWith("NEXUS"))).toEqual(["NEXUS_OPERATION_STARTED", "NEXUS_OPERATION_COMPLETED"]);
    expect(pending()).toEqual([]);
    expectReplayed();
  });

  it("may come before the answer to the start, which then says nothing", () => {
    world.running([c.nexusOperation()]);
    const before = world.now - c.MICROS;
    completes(ok, undefined, before);
    expect(since()).toEqual(["NEXUS_OPERATION_STARTED", "NEXUS_OPERATION_COMPLETED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.lastEvent("nexusOperationStartedEventAttributes").eventTime).toEqual({
      seconds: Math.floor(before / c.MICROS),
      nanos: (before % c.MICROS) * 1000,
    });
    started();
    expect(since()).toHaveLength(3);
    expectReplayed();
  });

  it("is refused for another request, and once it has ended", () => {
    world.running([c.nexusOperation()]);
    started();
    expect(() => completes(ok, "another")).toThrow(expect.objectContaining({ code: Code.NOT_FOUND, message: "operation not found" }));
    completes(ok);
    expect(() => completes(ok)).toThrow(expect.objectContaining({ code: Code.NOT_FOUND }));
  });

  it("reaches a workflow whose task is running after that task", () => {
    world.running([c.nexusOperation()]);
    started();
    const task = world.task();
    completes(ok);
    expect(world.types()).not.toContain("NEXUS_OPERATION_COMPLETED");
    world.complete(task);
    expect(since().slice(-3)).toEqual(["WORKFLOW_TASK_COMPLETED", "NEXUS_OPERATION_COMPLETED", "WORKFLOW_TASK_SCHEDULED"]);
    expectReplayed();
  });
});

describe("the cancelation of an operation", () => {
  const requested = () => {
    world.signal("go");
    world.answer([c.cancelNexusOperation(OPERATION)]);
  };

  it("goes to the handler of a started operation with its token, and is recorded", () => {
    world.running([c.nexusOperation()]);
    started();
    world.answer([c.cancelNexusOperation(OPERATION)]);
    expect(call().operationToken).toBe("token");
    cancelEnds({ kind: "done" });
    expect(since().filter((t) => t.startsWith("NEXUS"))).toEqual([
      "NEXUS_OPERATION_STARTED",
      "NEXUS_OPERATION_CANCEL_REQUESTED",
      "NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED",
    ]);
    expect(pending()).toMatchObject([{ state: State.STARTED, cancellationInfo: { state: CancelState.SUCCEEDED, attempt: 1 } }]);
    expectReplayed();
  });

  it("waits for the start, whose token it needs", () => {
    world.running([c.nexusOperation()]);
    requested();
    expect(waiting()[1].kind).toBe(OutboundKind.START_OPERATION);
    started();
    expect(waiting()[1].kind).toBe(OutboundKind.CANCEL_OPERATION);
    expectReplayed();
  });

  it("is tried again with a pause, and may fail for good", () => {
    world.running([c.nexusOperation()]);
    started();
    world.answer([c.cancelNexusOperation(OPERATION)]);
    cancelEnds(retry());
    expect(pending()).toMatchObject([{ cancellationInfo: { state: CancelState.BACKING_OFF, attempt: 1, lastAttemptFailure: { message: "busy" } } }]);
    world.advance(1.01 * c.MICROS);
    cancelEnds({ kind: "failed", failure: { message: "never" } });
    expect(world.last("nexusOperationCancelRequestFailedEventAttributes").failure).toMatchObject({ message: "never" });
    expect(pending()).toMatchObject([{ state: State.STARTED, cancellationInfo: { state: CancelState.FAILED, attempt: 2 } }]);
    expectReplayed();
  });

  it("is asked for once", () => {
    world.running([c.nexusOperation()]);
    requested();
    world.signal("again");
    expect(world.answer([c.cancelNexusOperation(OPERATION)]).refused).toMatchObject({
      message: expect.stringContaining(`cancelation was already requested for an operation with scheduled event ID ${OPERATION}`),
    });
  });

  it("of what ended during the workflow task is recorded and goes nowhere", () => {
    world.running([c.nexusOperation()]);
    started();
    const task = world.task();
    completes(ok);
    world.complete(task, [c.cancelNexusOperation(OPERATION)]);
    expect(world.types()).toContain("NEXUS_OPERATION_CANCEL_REQUESTED");
    expect(world.outbound.size).toBe(0);
    expectReplayed();
  });
});

describe("a workflow with operations", () => {
  it("has no more of them pending than the limit", () => {
    world.limit({ nexusOperationsMax: 2 });
    world.start();
    const { refused } = world.answer([c.nexusOperation(), c.nexusOperation(), c.nexusOperation()]);
    expect(refused?.message).toBe(
      "PendingNexusOperationsLimitExceeded: workflow has reached the pending nexus operation limit of 2 for this namespace",
    );
    expect(world.outbound.size).toBe(0);
  });

  it("leaves nothing to ask for when it has closed", () => {
    world.running([c.nexusOperation()]);
    world.signal("end");
    world.answer([c.complete()]);
    const [, r] = waiting();
    const asked = world.submit(addressOf(r), { kind: "nexusCall", scheduledEventId: OPERATION, attempt: 0, isCancel: false });
    expect(asked).toBeUndefined();
    expect(() => completes(ok)).toThrow(expect.objectContaining({ code: Code.NOT_FOUND }));
  });

  it("asks again after a reset for what was not started, as the same request", () => {
    world.running([c.nexusOperation()]);
    const { requestId } = world.last("nexusOperationScheduledEventAttributes");
    world.signal("go");
    world.answer();
    world.outbound.clear();
    const request = ResetWorkflowExecutionRequest.create({ workflowTaskFinishEventId: 9, requestId: "reset" });
    world.submit(world.address("w"), { kind: "reset", request });
    expect(call()).toMatchObject({ requestId, runId: world.run("w").info.runId });
    startEnds(ok);
    expect(pending()).toEqual([]);
  });

  const resetTo = (workflowTaskFinishEventId: number, more: object = {}) =>
    world.submit(world.address("w"), {
      kind: "reset",
      request: ResetWorkflowExecutionRequest.create({ workflowTaskFinishEventId, requestId: "reset", ...more }),
    });

  it("is given back by a reset how far it had come: its start, and its end", () => {
    world.running([c.nexusOperation({ startToCloseTimeout: { seconds: 30, nanos: 0 } })]);
    world.signal("go");
    world.answer();
    started();
    completes(ok);
    resetTo(9);
    expect(world.types().slice(-3)).toEqual(["NEXUS_OPERATION_STARTED", "NEXUS_OPERATION_COMPLETED", "WORKFLOW_TASK_SCHEDULED"]);
    expect([pending(), world.outbound.size]).toEqual([[], 0]);
    expectReplayed();
  });

  it("goes on after a reset where it had started, with the deadline of its start", () => {
    world.running([c.nexusOperation({ startToCloseTimeout: { seconds: 30, nanos: 0 } })]);
    world.signal("go");
    world.answer();
    started();
    resetTo(9);
    expect(pending()).toMatchObject([{ state: State.STARTED, operationToken: "token" }]);
    world.advance(30 * c.MICROS);
    expect(world.types()).toContain("NEXUS_OPERATION_TIMED_OUT");
    expectReplayed();
  });

  it("is asked for again after a reset that leaves Nexus out", () => {
    world.running([c.nexusOperation()]);
    world.signal("go");
    world.answer();
    startEnds(ok);
    resetTo(9, { resetReapplyExcludeTypes: [ResetReapplyExcludeType.NEXUS] });
    expect(world.types()).not.toContain("NEXUS_OPERATION_COMPLETED");
    expect(pending()).toMatchObject([{ state: State.SCHEDULED }]);
    startEnds(ok);
    expect(pending()).toEqual([]);
  });

  it("names each request by itself", () => {
    world.running([c.nexusOperation(), c.nexusOperation()]);
    world.running([c.nexusOperation()], {}, "other");
    const ids = ["w", "other"].flatMap((w) =>
      world.history(w).flatMap((e) => (e.attributes.case === "nexusOperationScheduledEventAttributes" ? [e.attributes.value.requestId] : [])),
    );
    expect(new Set(ids).size).toBe(3);
  });
});
