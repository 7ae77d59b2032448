import { beforeEach, describe, expect, it } from "vitest";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../../../gen/wire/temporal/api/enums/v1/update.js";
import { SuggestContinueAsNewReason } from "../../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Request } from "../../../../gen/wire/temporal/api/update/v1/message.js";
import {
  RespondWorkflowTaskCompletedRequest,
  type StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../../test/harness/core-world.js";
import { Code } from "../../../api/service-error.js";
import type { Init } from "../../../api/wire.js";
import { NO_ENDPOINTS } from "../../nexus-operation/endpoints.js";
import type { UpdateReply } from "../../transition.js";
import { Context } from "../context.js";
import { TASK_SPECULATIVE } from "../mutable-state.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const waiters = new Map<string, number>();
let lastWaiter = 0;
/** Asks for the update; the answer is under its id. */
function ask(updateId: string, more: Parameters<typeof c.update>[1] = {}): UpdateReply | undefined {
  const waiter = ++lastWaiter;
  waiters.set(updateId, waiter);
  return world.submit<"update">(world.address("w"), { kind: "update", request: c.update(updateId, more), waiter });
}
const answerTo = (updateId: string) => world.answers.get(waiters.get(updateId) ?? 0);
const poll = (updateId: string) =>
  world.submit<"pollUpdate">(world.address("w"), { kind: "pollUpdate", updateId, stage: Stage.UNSPECIFIED, waiter: ++lastWaiter });
const done = (...ids: string[]) => ({ messages: ids.flatMap((id) => [c.accepted(id), c.responded(id)]) });
const task = () => world.run("w").info.workflowTask;
const expectReplay = () => {
  const [stored, replayed] = world.projections(world.run("w"));
  expect(stored).toEqual(replayed);
};

describe("a rejected update", () => {
  it("leaves neither an event nor a row nor anything in memory", () => {
    world.running();
    const before = world.snapshot();
    ask("u");
    world.answer([], { messages: [c.rejected("u")] });
    expect(answerTo("u")).toMatchObject({ stage: Stage.COMPLETED, outcome: { value: { case: "failure", value: { message: "no" } } } });
    expect(world.snapshot()).toEqual(before);
    expect(world.run("w").isPinned).toBe(false);
  });

  it("is not delivered again with the task that its worker gets in answer", () => {
    world.running();
    ask("u");
    const started = world.task();
    world.signal("s");
    const { newTask } = world.complete(started, [], { messages: [c.rejected("u")], returnNewWorkflowTask: true });
    expect(newTask?.response.messages).toEqual([]);
    expect(answerTo("u")).toMatchObject({ stage: Stage.COMPLETED, outcome: { value: { case: "failure", value: { message: "no" } } } });
  });

  it("asks for no write at any step", () => {
    world.running();
    const writes = (kind: "update") => {
      const outcome = world.outcome<"update">(world.address("w"), { kind, request: c.update("u"), waiter: 99 });
      return outcome.outcome === "accepted" ? outcome.runs.map((r) => r.dirty) : outcome;
    };
    expect(writes("update")).toEqual([false]);
    ask("u");
    const started = world.task();
    const outcome = world.outcome<"completeWorkflowTask">(world.address("w"), {
      kind: "completeWorkflowTask",
      token: tokenOf(started),
      request: RespondWorkflowTaskCompletedRequest.create({}),
    });
    expect(outcome.outcome === "accepted" && outcome.runs.map((r) => r.dirty)).toEqual([false]);
  });
});

describe("a speculative task", () => {
  it("is not in the record that is stored", () => {
    world.running();
    ask("u");
    expect(task()?.type).toBe(TASK_SPECULATIVE);
    expect(world.run("w").stored.workflowTask).toBeUndefined();
    expect(world.run("w").isPinned).toBe(true);
    expectReplay();
  });

  it("becomes a normal one, with the events it was promised, when something is written", () => {
    world.running();
    ask("u");
    const started = world.task();
    world.signal("s");
    expect(world.types()).toEqual([
      "WORKFLOW_EXECUTION_STARTED",
      "WORKFLOW_TASK_SCHEDULED",
      "WORKFLOW_TASK_STARTED",
      "WORKFLOW_TASK_COMPLETED",
      "WORKFLOW_TASK_SCHEDULED",
      "WORKFLOW_TASK_STARTED",
    ]);
    expectReplay();
    world.complete(started, [], done("u"));
    expect(answerTo("u")).toMatchObject({ stage: Stage.COMPLETED });
    expect(world.types().slice(6)).toEqual([
      "WORKFLOW_TASK_COMPLETED",
      "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
      "WORKFLOW_EXECUTION_UPDATE_COMPLETED",
      "WORKFLOW_EXECUTION_SIGNALED",
      "WORKFLOW_TASK_SCHEDULED",
    ]);
    expectReplay();
  });

  it("that nobody takes in five seconds is written and tried again as a normal one", () => {
    world.running();
    ask("u");
    world.now += 5 * c.MICROS - 1;
    world.submit(world.address("w"), { kind: "due" });
    expect(world.types()).toHaveLength(4);
    world.now += 1;
    world.submit(world.address("w"), { kind: "due" });
    expect(world.types().slice(4)).toEqual(["WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]);
    world.answer([], done("u"));
    expect(answerTo("u")).toMatchObject({ stage: Stage.COMPLETED });
    expectReplay();
  });

  it("whose worker does not answer times out as if it had been written", () => {
    world.running();
    ask("u");
    world.task();
    world.now += 10 * c.MICROS;
    world.submit(world.address("w"), { kind: "due" });
    expect(world.types().slice(4)).toEqual(["WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_TIMED_OUT"]);
    expect(world.task().response).toMatchObject({ attempt: 2, messages: [{ protocolInstanceId: "u" }] });
  });

  it("is offered again when its poller had gone, and nothing is written", () => {
    world.running();
    ask("u");
    const { scheduledEventId, nonce } = world.task();
    world.submit(world.address("w"), { kind: "undelivered", task: "workflow", scheduledEventId, nonce });
    expect(world.types()).toHaveLength(4);
    const again = world.task();
    expect(again.nonce).not.toBe(nonce);
    expect(again.response.messages).toMatchObject([{ protocolInstanceId: "u" }]);
    world.complete(again, [], done("u"));
    expect(answerTo("u")).toMatchObject({ stage: Stage.COMPLETED });
  });

  it("comes with the answer to a completion that has written what is no news to the workflow", () => {
    world.running();
    ask("a");
    const first = world.task();
    const variant = { case: "nexus" as const, value: { url: "http://there:1/done" } };
    const { request } = c.update("a");
    ask("a", { request: { ...request, requestId: "attached", completionCallbacks: [{ variant }] } });
    ask("u");
    const { newTask } = world.complete(first, [], { messages: [c.accepted("a")], returnNewWorkflowTask: true });
    const written = ["WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_OPTIONS_UPDATED"];
    expect(world.types().slice(7)).toEqual(written);
    expect(newTask?.response.messages).toMatchObject([{ protocolInstanceId: "u" }]);
    world.complete(newTask as never, [], done("u"));
    expect(answerTo("u")).toMatchObject({ stage: Stage.COMPLETED });
    expect(world.types().slice(7, 11)).toEqual([...written, "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
    expectReplay();
  });

  it("keeps what a sticky worker holds when another worker takes it", () => {
    world.start();
    world.answer([], { stickyAttributes: { workerTaskQueue: { name: "sticky", kind: 2 }, scheduleToStartTimeout: c.seconds(3) } });
    ask("u");
    const [offered] = world.tasks;
    expect(offered).toMatchObject({ taskQueue: "sticky", normalTaskQueue: c.QUEUE, isSpeculative: true });
    const started = world.submit<"startWorkflowTask">(world.address("w"), {
      kind: "startWorkflowTask",
      scheduledEventId: 5,
      attempt: 1,
      stamp: 0,
      poller: world.poller(c.QUEUE),
    });
    // The whole history, for a worker that has none of it.
    expect(started?.history.fromEventId).toBe(1);
    expect(world.types()).toHaveLength(4);
  });
});

describe("who waits", () => {
  it("for acceptance is answered with it, for the result with the result", () => {
    world.running();
    ask("first", { waitPolicy: { lifecycleStage: Stage.ACCEPTED } });
    const [early] = [waiters.get("first") as number];
    ask("first");
    world.answer([], { messages: [c.accepted("first")] });
    expect(world.answers.get(early)).toMatchObject({ stage: Stage.ACCEPTED, outcome: undefined });
    expect(answerTo("first")).toBeUndefined();
    expectReplay();
    world.signal("s");
    world.answer([], { messages: [c.responded("first", 42)] });
    expect(answerTo("first")).toMatchObject({ stage: Stage.COMPLETED, outcome: { value: { case: "success", value: c.payloads(42) } } });
    expectReplay();
  });

  it("no longer is told how far it came, and the update goes on", () => {
    world.running();
    ask("u");
    const end = () => world.submit<"endUpdateWait">(world.address("w"), { kind: "endUpdateWait", updateId: "u", waiter: waiters.get("u") as number });
    expect(end()).toMatchObject({ stage: Stage.ADMITTED });
    expect(end()).toBeUndefined();
    world.answer([], done("u"));
    expect(world.answers.size).toBe(0);
    expect(poll("u")).toMatchObject({ stage: Stage.COMPLETED });
  });

  it("learns of the result when only the store knows that it exists", () => {
    world.running();
    ask("u");
    world.answer([], done("u"));
    const completedEventId = world.lastEvent("workflowExecutionUpdateCompletedEventAttributes").eventId;
    // As after a restart.
    world.run("w").completedUpdates = undefined;
    const input = { kind: "update" as const, request: c.update("u"), waiter: 77 };
    expect(world.outcome<"update">(world.address("w"), input)).toMatchObject({ outcome: "need", updateIds: ["u"] });
    const loaded = { ...world.stored, update: () => completedEventId };
    expect(world.outcome<"update">(world.address("w"), input, loaded)).toMatchObject({
      outcome: "accepted",
      reply: { stage: Stage.COMPLETED, outcome: { value: { case: "success" } } },
    });
    expect(world.outcome<"update">(world.address("w"), input, { ...world.stored, update: () => null })).toMatchObject({ deferred: true });
  });

  it("is answered once when the workflow ends, whatever its update had come to", () => {
    world.running();
    ask("accepted");
    world.answer([], { messages: [c.accepted("accepted")] });
    ask("sent");
    world.task();
    ask("admitted");
    world.submit(world.address("w"), {
      kind: "terminate",
      request: TerminateWorkflowExecutionRequest.create(),
      childWorkflowOnly: false,
      parent: undefined,
    });
    expect(answerTo("accepted")).toMatchObject({
      stage: Stage.COMPLETED,
      outcome: { value: { value: { failureInfo: { value: { type: "AcceptedUpdateCompletedWorkflow" } } } } },
    });
    for (const id of ["sent", "admitted"])
      expect(answerTo(id)).toMatchObject({ code: Code.NOT_FOUND, message: "workflow update was aborted by closing workflow" });
    expect(world.run("w").updates).toEqual([]);
  });
});

describe("a completion that is refused", () => {
  it("ends the updates that its task carried, at a later attempt too, and leaves those that it did not", () => {
    world.start();
    world.failTask(world.task());
    ask("sent");
    const second = world.task();
    expect(second.response).toMatchObject({ attempt: 2, messages: [{ protocolInstanceId: "sent" }] });
    ask("admitted");
    expect(world.complete(second, [c.timer("", 1)], done("sent")).refused?.message).toContain("BadStartTimerAttributes");
    expect(answerTo("sent")).toMatchObject({ code: Code.FAILED_PRECONDITION, message: expect.stringContaining("unexpected workflow task failure") });
    expect(answerTo("admitted")).toBeUndefined();
    expect(world.run("w").updates.map((u) => u.id)).toEqual(["admitted"]);
    // The task itself goes on until its time is up.
    expect(task()?.startedEventId).not.toBe(0);
  });
});

describe("the limits", () => {
  it("on what is under way count bytes, and what is accepted counts no more", () => {
    world.limit({ inFlightUpdateBytesMax: 300 });
    const large = (id: string) => ({ request: { meta: { updateId: id }, input: { name: "u", args: c.payloads("x".repeat(150)) } } });
    world.running();
    ask("a", large("a"));
    expect(() => ask("b", large("b"))).toThrow("limit on total payload size of in-flight updates has been reached (300 bytes)");
    world.answer([], { messages: [c.accepted("a")] });
    expect(ask("b", large("b"))).toBeUndefined();
  });

  it("on all updates of a run count neither rejected ones nor the same one again", () => {
    world.limit({ totalUpdatesMax: 2, totalUpdatesSuggestContinueAsNewRatio: 0 });
    world.running();
    for (const id of ["r1", "r2", "r3"]) {
      ask(id);
      world.answer([], { messages: [c.rejected(id)] });
    }
    for (const id of ["a", "b"]) {
      ask(id);
      world.answer([], done(id));
    }
    expect(ask("a")).toMatchObject({ stage: Stage.COMPLETED });
    expect(() => ask("c")).toThrow("The limit on the total number of distinct updates in this workflow has been reached (2).");
    // A worker that brings one back is refused without a failed task.
    world.signal("s");
    const started = world.task();
    const request = Request.create({ meta: { updateId: "lost" }, input: { name: "u" } } as Init<Request>);
    expect(() => world.complete(started, [], { messages: [c.accepted("lost", { acceptedRequest: request })] })).toThrow(
      "The limit on the total number",
    );
    expect(world.types()).not.toContain("WORKFLOW_TASK_FAILED");
  });

  it("suggest a new run near the end, in history and to the worker alike", () => {
    world.limit({ totalUpdatesMax: 3, totalUpdatesSuggestContinueAsNewRatio: 0.6 });
    world.running();
    ask("a");
    world.answer([], done("a"));
    expect(world.last("workflowTaskStartedEventAttributes").suggestContinueAsNew).toBe(false);
    ask("b");
    world.answer([], done("b"));
    expect(world.last("workflowTaskStartedEventAttributes")).toMatchObject({
      suggestContinueAsNew: true,
      suggestContinueAsNewReasons: [SuggestContinueAsNewReason.TOO_MANY_UPDATES],
    });
  });
});

describe("an update that a reset has written into history", () => {
  const reapplied = (...ids: string[]) => {
    world.running();
    const state = world.run("w");
    const ctx = new Context({ current: () => state, run: () => state, isMissing: () => false }, env(), world.stored);
    const run = ctx.open(state);
    for (const id of ids)
      run.add(EventType.WORKFLOW_EXECUTION_UPDATE_ADMITTED, "workflowExecutionUpdateAdmittedEventAttributes", { request: c.update(id).request });
    run.flushBuffered();
    run.events.finish(false);
    const events = run.draft.batches.flatMap((b) => [...b.events]);
    world.histories.get(state.info.runId)?.push(...events);
    run.draft.accept();
  };
  const env = () => ({
    ...{ now: world.now, seed: 1, newRunId: "", newKey: 0, config: world.config },
    ...{ namespace: world.namespace, namespaces: world, nexusEndpoints: NO_ENDPOINTS },
  });

  it("is delivered by its event, and accepted without its request", () => {
    reapplied("a", "b");
    expectReplay();
    expect(poll("a")).toMatchObject({ stage: Stage.ADMITTED });
    world.signal("s");
    const started = world.task();
    expect(started.response.messages).toEqual([]);
    world.complete(started, [], { messages: [c.accepted("a"), c.responded("a"), c.accepted("b")] });
    expect(world.last("workflowExecutionUpdateAcceptedEventAttributes")).toMatchObject({ protocolInstanceId: "b", acceptedRequest: undefined });
    expect(poll("a")).toMatchObject({ stage: Stage.COMPLETED });
    expect(poll("b")).toMatchObject({ stage: Stage.ACCEPTED });
    expect(world.run("w").info.totalUpdateCount).toBe(2);
    expectReplay();
  });

  it("is not delivered again when it was rejected", () => {
    reapplied("a");
    world.signal("s");
    world.answer([], { messages: [c.rejected("a")] });
    expect(() => poll("a")).toThrow('update "a" not found');
    expect(world.run("w").updateRecords?.base.size).toBe(0);
  });
});

describe("an update with start", () => {
  const both = (updateId: string, more: Init<StartWorkflowExecutionRequest> = {}) =>
    world.submit<"updateWithStart">(world.address("w"), {
      kind: "updateWithStart",
      start: world.startRequest("w", { workflowIdConflictPolicy: 1, ...more }),
      update: c.update(updateId),
      waiter: ++lastWaiter,
    });

  it("starts nothing when the update cannot be taken", () => {
    world.limit({ inFlightUpdateBytesMax: 1 });
    expect(() => both("u")).toThrow("Update-with-Start could not be executed.");
    expect(world.runs()).toEqual([]);
  });

  it("tells with the answer that the workflow was started by it", () => {
    both("u");
    const waiter = lastWaiter;
    world.answer([], done("u"));
    expect(world.answers.get(waiter)).toMatchObject({ stage: Stage.COMPLETED, start: { started: true, runId: world.runs()[0] } });
  });

  it("says with the error which of both failed", () => {
    both("u");
    const waiter = lastWaiter;
    world.answer([c.complete()]);
    expect(world.answers.get(waiter)).toMatchObject({ code: Code.NOT_FOUND, message: "Update-with-Start could not be executed." });
  });
});
