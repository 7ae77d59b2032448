import { beforeEach, describe, expect, it } from "vitest";
import type { OutboundRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { CallbackState as State } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { WorkflowIdConflictPolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  RequestCancelWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";
import { Code } from "../../api/service-error.js";
import type { InputOf } from "../input.js";
import { OutboundKind } from "../outbound.js";
import { type CallbackCall, callbackDestination } from "./statemachine.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const callback = (url = "http://there:1/done") => ({ variant: { case: "nexus" as const, value: { url, header: { k: "v" } } } });
const addressOf = (r: OutboundRecord) => ({ namespaceId: r.namespaceId, workflowId: r.workflowId, runId: r.runId });

function waiting(): [id: number, record: OutboundRecord] {
  const calls = [...world.outbound];
  expect(calls).toHaveLength(1);
  return calls[0] as [number, OutboundRecord];
}

function call(): CallbackCall {
  const [, r] = waiting();
  expect(r.kind).toBe(OutboundKind.CALLBACK);
  const said = world.submit<"callbackCall">(addressOf(r), { kind: "callbackCall", callbackId: r.componentId, attempt: r.attempt });
  if (said === undefined) throw new Error("the call concerns nothing");
  return said;
}

function delivered(outcome: InputOf<"callbackDelivered">["outcome"] = { kind: "done" }): void {
  const [outboundId, r] = waiting();
  world.submit(addressOf(r), { kind: "callbackDelivered", outboundId, callbackId: r.componentId, attempt: r.attempt, outcome });
}

const callbacks = (runId = "") => world.submit<"describe">(world.address("w", runId), { kind: "describe" })?.callbacks ?? [];
const states = (runId = "") => callbacks(runId).map((x) => x.state);

describe("a completion callback", () => {
  it("stands by while the workflow runs, and goes out once when it has closed", () => {
    const { runId } = world.start("w", { completionCallbacks: [callback()], requestId: "r" });
    expect([states(), world.outbound.size]).toEqual([[State.STANDBY], 0]);
    world.answer([c.complete("out")]);
    expect(states()).toEqual([State.SCHEDULED]);
    expect(waiting()[1].destination).toBe("http://there:1");
    expect(call()).toMatchObject({
      url: "http://there:1/done",
      header: { k: "v" },
      outcome: { kind: "completed", result: c.payload("out") },
      startTime: world.now,
      closeTime: world.now,
      link: { variant: { value: { workflowId: "w", runId, reference: { case: "eventRef", value: { eventId: 1 } } } } },
    });
    delivered();
    expect([states(), world.outbound.size]).toEqual([[State.SUCCEEDED], 0]);
    world.advance(3600 * c.MICROS);
    expect(world.outbound.size).toBe(0);
  });

  it.each([
    ["fails", () => world.answer([c.fail({ message: "no" })]), { kind: "failed", cause: { message: "no" } }],
    [
      "is canceled",
      () => {
        const request = RequestCancelWorkflowExecutionRequest.create({ requestId: "x" });
        world.submit(world.address("w"), { kind: "requestCancel", request, external: undefined });
        world.answer([c.cancel()]);
      },
      { kind: "canceled", cause: { message: "operation canceled" } },
    ],
    ["times out", () => world.advance(60 * c.MICROS), { kind: "failed", cause: { message: "operation exceeded internal timeout" } }],
    [
      "is terminated",
      () =>
        world.submit(world.address("w"), {
          kind: "terminate",
          request: TerminateWorkflowExecutionRequest.create({ reason: "secret" }),
          childWorkflowOnly: false,
          parent: undefined,
        }),
      { kind: "failed", cause: { message: "operation terminated" } },
    ],
  ])("tells that the workflow %s, and not who was to blame", (_, close, outcome) => {
    world.start("w", { completionCallbacks: [callback()], workflowRunTimeout: c.seconds(60) });
    close();
    expect(call().outcome).toMatchObject(outcome);
    expect(JSON.stringify(call().outcome)).not.toContain("secret");
  });

  it("is tried again with a pause that grows, for as long as its destination may come back", () => {
    world.start("w", { completionCallbacks: [callback()] });
    world.answer([c.complete()]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      delivered({ kind: "retry", message: `busy ${attempt}` });
      expect(callbacks()).toMatchObject([
        {
          state: State.BACKING_OFF,
          attempt,
          lastAttemptFailure: { message: `busy ${attempt}`, failureInfo: { case: "applicationFailureInfo", value: { nonRetryable: false } } },
        },
      ]);
      const full = c.MICROS * 2 ** (attempt - 1);
      world.advance(full * 0.79);
      expect(world.outbound.size).toBe(0);
      world.advance(full * 0.22);
      expect(waiting()[1].attempt).toBe(attempt);
    }
    delivered();
    expect(callbacks()).toMatchObject([{ state: State.SUCCEEDED, attempt: 4, lastAttemptFailure: undefined }]);
  });

  it("is tried again at its time in a run whose own clock had skipped ahead", () => {
    world.start("w", { completionCallbacks: [callback()], timeSkippingConfig: { enabled: true } });
    world.answer([c.timer("t", 86_400)]);
    world.advance(1);
    world.answer([c.complete()]);
    delivered({ kind: "retry", message: "busy" });
    world.advance(1.01 * c.MICROS);
    expect(waiting()[1].attempt).toBe(1);
    delivered();
  });

  it("is not put off by what else happens to its run while it is due", () => {
    world.start("w", { completionCallbacks: [callback("http://a/"), callback("http://b/")] });
    world.answer([c.complete()]);
    const answer = (destination: string, outcome: InputOf<"callbackDelivered">["outcome"]) => {
      const [outboundId, r] = [...world.outbound].find(([, o]) => o.destination === destination) as [number, OutboundRecord];
      world.submit(addressOf(r), { kind: "callbackDelivered", outboundId, callbackId: r.componentId, attempt: r.attempt, outcome });
    };
    answer("http://a", { kind: "retry", message: "busy" });
    // Two seconds pass before the due row is looked at: meanwhile the other's outcome arrives.
    world.now += 2 * c.MICROS;
    answer("http://b", { kind: "retry", message: "busy" });
    world.advance(0);
    expect([...world.outbound.values()].map((r) => r.destination)).toEqual(["http://a"]);
  });

  it("is not put off by the end of a retention that waits for what is under way", () => {
    world.start("w", { completionCallbacks: [callback()] });
    world.answer([c.signalExternal("other"), c.complete()]);
    // Nobody has carried the signal over yet: the harness does so when time advances.
    world.now += world.namespace.retention - 100_000;
    delivered({ kind: "retry", message: "busy" });
    const due = () => world.submit(world.address("w"), { kind: "due" });
    world.now += 100_000;
    due();
    expect(world.outbound.size).toBe(0);
    world.now += c.MICROS;
    expect(world.run("w").info.due).toBeLessThanOrEqual(world.now);
    due();
    expect(waiting()[1].attempt).toBe(1);
  });

  it("fails for good when told so", () => {
    world.start("w", { completionCallbacks: [callback()] });
    world.answer([c.complete()]);
    delivered({ kind: "failed", message: "never" });
    expect(callbacks()).toMatchObject([
      { state: State.FAILED, lastAttemptFailure: { failureInfo: { case: "applicationFailureInfo", value: { nonRetryable: true } } } },
    ]);
    world.advance(3600 * c.MICROS);
    expect(world.outbound.size).toBe(0);
  });

  it("is heard once: a late outcome of an earlier attempt says nothing", () => {
    world.start("w", { completionCallbacks: [callback()] });
    world.answer([c.complete()]);
    const [outboundId, r] = waiting();
    delivered({ kind: "retry", message: "busy" });
    world.submit(addressOf(r), { kind: "callbackDelivered", outboundId, callbackId: r.componentId, attempt: 0, outcome: { kind: "done" } });
    expect(states()).toEqual([State.BACKING_OFF]);
  });

  it("belongs to the last run of a chain", () => {
    const first = world.start("w", { completionCallbacks: [callback()], retryPolicy: { initialInterval: c.seconds(1), maximumAttempts: 2 } }).runId;
    world.answer([c.fail(c.applicationFailure("again"))]);
    world.advance(2 * c.MICROS);
    world.answer([c.continueAsNew()]);
    const [, second = "", third = ""] = world.runs();
    expect([states(first), states(second), states(third)]).toEqual([[State.STANDBY], [State.STANDBY], [State.STANDBY]]);
    expect(world.outbound.size).toBe(0);
    world.answer([c.complete("third")]);
    expect(waiting()[1].runId).toBe(third);
    expect(call().outcome).toMatchObject({ kind: "completed", result: c.payload("third") });
  });

  it("that was attached later names the request that did, and counts towards the limit", () => {
    world.limit({ callbacksPerExecutionMax: 2 });
    world.start("w", { completionCallbacks: [callback("http://a/")] });
    const attach = (requestId: string) =>
      world.start("w", {
        requestId,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        completionCallbacks: [callback("http://b/")],
        onConflictOptions: { attachRequestId: true, attachCompletionCallbacks: true },
      });
    attach("second");
    expect(() => attach("third")).toThrow(
      expect.objectContaining({
        code: Code.FAILED_PRECONDITION,
        message: "cannot attach more than 2 callbacks to a workflow (2 callbacks already attached)",
      }),
    );
    attach("second");
    expect(states()).toHaveLength(2);
    world.answer([c.complete()]);
    expect([...world.outbound.values()].map((r) => r.destination)).toEqual(["http://a", "http://b"]);
    const [, second] = [...world.outbound.values()] as [OutboundRecord, OutboundRecord];
    const said = world.submit<"callbackCall">(addressOf(second), { kind: "callbackCall", callbackId: second.componentId, attempt: 0 });
    expect(said?.link).toMatchObject({ variant: { value: { reference: { case: "requestIdRef", value: { requestId: "second" } } } } });
  });

  it("is part of what a history tells", () => {
    world.running([], { completionCallbacks: [callback(), callback("http://b/")] });
    const [stored, replayed] = world.projections(world.run("w"));
    expect(stored).toEqual(replayed);
  });
});

describe("the destination of a callback", () => {
  it.each([
    ["http://a:1/b/c?d=//e", "http://a:1"],
    ["https://a", "https://a"],
    ["temporal://system", "temporal://system"],
  ])("of %s is %s", (url, destination) => {
    expect(callbackDestination(url)).toBe(destination);
  });
});

describe("a callback of an update", () => {
  const ask = (updateId: string, requestId: string, completionCallbacks = [callback()]) => {
    const { request } = c.update(updateId);
    const update = c.update(updateId, { request: { ...request, requestId, completionCallbacks } as never });
    world.submit<"update">(world.address("w"), { kind: "update", request: update, waiter: ++waiters });
  };
  let waiters = 100;
  const done = (id: string, result = "out") => ({ messages: [c.accepted(id), c.responded(id, result)] });

  it("goes out when the update has ended, while the workflow goes on, with the update's result", () => {
    const runId = world.running();
    ask("u", "r");
    expect(world.outbound.size).toBe(0);
    world.answer([], { messages: [c.accepted("u")] });
    expect(callbacks()).toMatchObject([{ state: State.STANDBY, trigger: { variant: { value: { updateId: "u" } } } }]);
    world.signal("go");
    world.answer([], { messages: [c.responded("u", "out")] });
    expect(call()).toMatchObject({
      outcome: { kind: "completed", result: c.payload("out") },
      link: { variant: { value: { workflowId: "w", runId, reference: { case: "requestIdRef", value: { requestId: "r" } } } } },
    });
    delivered();
    expect(states()).toEqual([State.SUCCEEDED]);
    world.signal("end");
    world.answer([c.complete("other")]);
    expect(world.outbound.size).toBe(0);
  });

  it("is tried again while the workflow is open", () => {
    world.running();
    ask("u", "r");
    world.answer([], done("u"));
    delivered({ kind: "retry", message: "busy" });
    expect([states(), world.outbound.size]).toEqual([[State.BACKING_OFF], 0]);
    world.advance(c.MICROS);
    expect(states()).toEqual([State.SCHEDULED]);
    delivered();
  });

  it("tells of a failure when the workflow ends before the update", () => {
    world.running();
    ask("u", "r");
    world.answer([], { messages: [c.accepted("u")] });
    world.signal("end");
    world.answer([c.complete()]);
    expect(call()).toMatchObject({
      outcome: { kind: "failed", cause: { failureInfo: { value: { type: "AcceptedUpdateCompletedWorkflow" } } } },
    });
  });

  it("is attached by a further request for the update, once a request id", () => {
    world.running();
    ask("u", "r");
    world.answer([], { messages: [c.accepted("u")] });
    ask("u", "s", [callback("http://there:2/done")]);
    ask("u", "s", [callback("http://there:2/done")]);
    world.signal("go");
    world.answer([], { messages: [c.responded("u", "out")] });
    expect([...world.outbound.values()].map((r) => r.destination)).toEqual(["http://there:1", "http://there:2"]);
    const [stored, replayed] = world.projections(world.run("w"));
    expect(stored).toEqual(replayed);
  });

  it("never goes out for an update that is rejected", () => {
    world.running();
    ask("u", "r");
    world.answer([], { messages: [c.rejected("u")] });
    expect([callbacks(), world.outbound.size]).toEqual([[], 0]);
  });

  it.each([
    [{ callbacksPerUpdateMax: 2 }, 'cannot attach more than 2 callbacks to update "u" (2 callbacks already attached)'],
    [{ callbacksPerWorkflowMax: 2 }, "cannot attach more than 2 callbacks to a workflow (2 callbacks already attached)"],
  ])("counts towards the limits of its update and of all updates: %o", (limit, message) => {
    world.limit(limit);
    world.running();
    ask("u", "r");
    world.answer([], { messages: [c.accepted("u")] });
    ask("u", "s");
    expect(() => ask("u", "t")).toThrow(expect.objectContaining({ code: Code.FAILED_PRECONDITION, message }));
    expect(callbacks()).toHaveLength(2);
  });
});
