import { beforeEach, describe, expect, it } from "vitest";
import { ExecutionRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import {
  RespondWorkflowTaskCompletedRequest,
  SignalWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../test/harness/core-world.js";
import { Code } from "../api/service-error.js";
import { encode } from "../api/wire.js";
import type { InputKind, InputOf } from "./input.js";
import type { Outcome } from "./transition.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const signalOf = (requestId = "r"): InputOf<"signal"> => ({
  kind: "signal",
  request: SignalWorkflowExecutionRequest.create({ signalName: "s", requestId }),
  external: undefined,
});

/** Every byte that a transition would write. */
function bytesOf(outcome: Outcome<InputKind>): string[] {
  if (outcome.outcome !== "accepted") throw new Error(`not accepted but ${outcome.outcome}`);
  return outcome.runs.flatMap((d) => [
    Buffer.from(encode(ExecutionRecord, d.info)).toString("hex"),
    ...d.batches.map((b) => `${b.branch}/${b.firstEventId}: ${Buffer.from(b.data).toString("hex")}`),
    ...d.componentWrites().map((w) => `${w.op} ${w.kind}/${w.id}: ${Buffer.from(w.value).toString("hex")}`),
    JSON.stringify(outcome.dispatch),
  ]);
}

describe("apply", () => {
  it("answers a transition with the rows, the tasks to dispatch and the reply of a start", () => {
    const request = world.startRequest("w");
    const outcome = world.outcome<"start">(world.address("w"), { kind: "start", request, parent: undefined });
    expect(outcome.outcome).toBe("accepted");
    if (outcome.outcome !== "accepted") return;
    expect(outcome.reply).toMatchObject({ started: true });
    expect(outcome.runs).toHaveLength(1);
    expect(outcome.runs[0]).toMatchObject({ isNew: true, dirty: true, removed: false, requestIds: [{ id: request.requestId, eventId: 1 }] });
    expect(outcome.runs[0]?.batches.flatMap((b) => b.events.map((e) => e.eventId))).toEqual([1, 2]);
    expect(outcome.runs[0]?.visibility).toBeDefined();
    expect(outcome.dispatch).toMatchObject([{ type: "workflow", workflowId: "w", taskQueue: c.QUEUE, scheduledEventId: 2, attempt: 1 }]);
  });

  it("changes nothing before its transition is accepted", () => {
    world.running([c.timer("t", 10), c.activity("a")]);
    const before = world.snapshot();
    expect(world.outcome(world.address("w"), signalOf()).outcome).toBe("accepted");
    expect(world.snapshot()).toEqual(before);
  });

  it("gives the same bytes for the same state and input", () => {
    const play = () => {
      const w = new CoreWorld();
      w.running([c.timer("t", 10), c.activity("a"), c.child("k")]);
      w.signal("one");
      const task = w.task();
      w.signal("two");
      const token = tokenOf(task);
      const request = RespondWorkflowTaskCompletedRequest.create({ commands: [c.marker("m"), c.cancelTimer("t"), c.continueAsNew()] });
      // Two events wait, so that a failed task, a flush and a new task are in it too.
      return w.outcome(w.address("w"), { kind: "completeWorkflowTask", token, request });
    };
    const first = bytesOf(play());
    expect(first.length).toBeGreaterThan(3);
    expect(bytesOf(play())).toEqual(first);
  });

  it("applied twice to a state that did not accept the first, gives the same bytes but for ids and seed", () => {
    world.running();
    // Neither ids nor seed enter the effect of a signal on a run that exists.
    expect(bytesOf(world.outcome(world.address("w"), signalOf()))).toEqual(bytesOf(world.outcome(world.address("w"), signalOf())));
  });

  it("draws chance from the seed alone", () => {
    const nonceOf = (seedsBefore: number) => {
      const w = new CoreWorld();
      for (let i = 0; i < seedsBefore; i++) w.outcome(w.address("none"), signalOf());
      w.start();
      return w.task().nonce;
    };
    expect(nonceOf(0)).toBe(nonceOf(0));
    expect(nonceOf(0)).not.toBe(nonceOf(1));
  });

  it("stamps the time of the input on what it makes and never reads another clock", () => {
    world.running();
    world.now += 5 * c.MICROS + 7;
    world.signal("s");
    const { eventTime } = world.lastEvent("workflowExecutionSignaledEventAttributes");
    expect((eventTime?.seconds ?? 0) * c.MICROS + (eventTime?.nanos ?? 0) / 1000).toBe(world.now);
    expect(world.run("w").info.lastUpdateTime).toBe(world.now);
  });

  it("numbers events without a gap and fires what is overdue at the time of the input", () => {
    world.running([c.timer("t", 1), c.timer("u", 2), c.activity("a", { startToCloseTimeout: c.seconds(3), retryPolicy: { maximumAttempts: 1 } })]);
    world.activityTask();
    // The process was away: all three deadlines have passed when the first is looked at.
    world.now += 60 * c.MICROS;
    world.submit(world.address("w"), { kind: "due" });
    const history = world.history("w");
    expect(history.map((e) => e.eventId)).toEqual(history.map((_, i) => i + 1));
    expect(world.types().slice(7)).toEqual([
      "TIMER_FIRED",
      "TIMER_FIRED",
      "ACTIVITY_TASK_STARTED",
      "ACTIVITY_TASK_TIMED_OUT",
      "WORKFLOW_TASK_SCHEDULED",
    ]);
    expect((history.at(-1)?.eventTime?.seconds ?? 0) * c.MICROS).toBe(world.now);
  });
});

describe("an error", () => {
  const cases: [string, (w: CoreWorld) => Outcome<InputKind>, Code, string][] = [
    ["for a workflow id that is unknown", (w) => w.outcome(w.address("nobody"), signalOf()), Code.NOT_FOUND, "workflow not found for ID: nobody"],
    [
      "for a run id that is unknown",
      (w) => w.outcome(w.address("w", "11111111-1111-4111-8111-111111111111"), signalOf()),
      Code.NOT_FOUND,
      'workflow execution not found for workflow ID "w" and run ID "11111111-1111-4111-8111-111111111111"',
    ],
    [
      "for a workflow that is running already",
      (w) => w.outcome<"start">(w.address("w"), { kind: "start", request: w.startRequest("w"), parent: undefined }),
      Code.ALREADY_EXISTS,
      "Workflow execution is already running. WorkflowId: w, RunId: 018bcfe5-6800-7000-8000-000000000002.",
    ],
    [
      "for a completion with a token of another attempt",
      (w) => {
        w.signal("s");
        const token = { ...tokenOf(w.task()), attempt: 2 };
        return w.outcome(w.address("w"), { kind: "completeWorkflowTask", token, request: RespondWorkflowTaskCompletedRequest.create({}) });
      },
      Code.NOT_FOUND,
      "Workflow task not found.",
    ],
    [
      "for a completion whose close command is not the last one",
      (w) => {
        w.signal("s");
        const token = tokenOf(w.task());
        const request = RespondWorkflowTaskCompletedRequest.create({ commands: [c.complete(), c.marker("m")] });
        return w.outcome(w.address("w"), { kind: "completeWorkflowTask", token, request });
      },
      Code.INVALID_ARGUMENT,
      "invalid command sequence: [CompleteWorkflowExecution, RecordMarker], command CompleteWorkflowExecution must be the last command.",
    ],
  ];
  it.each(cases)("%s leaves the state untouched", (_, act, code, message) => {
    world.running([c.timer("t", 10)]);
    let before: unknown;
    const spied = Object.create(world) as CoreWorld;
    spied.outcome = ((...args: Parameters<CoreWorld["outcome"]>) => {
      before = world.snapshot();
      return world.outcome(...args);
    }) as CoreWorld["outcome"];
    const outcome = act(spied);
    expect(outcome).toMatchObject({ outcome: "error", error: { code, message } });
    expect(world.snapshot()).toEqual(before);
  });

  it("that comes after half of the commands were applied leaves none of them", () => {
    world.running();
    world.signal("s");
    const task = world.task();
    // A second failure of the same task is an error; its first commands had been applied to the draft.
    world.failTask(task);
    const again = world.task();
    const before = world.snapshot();
    const request = RespondWorkflowTaskCompletedRequest.create({ commands: [c.timer("t", 1), c.activity("a"), c.timer("", 1)] });
    const outcome = world.outcome(world.address("w"), { kind: "completeWorkflowTask", token: tokenOf(again), request });
    expect(outcome).toMatchObject({ outcome: "error", error: { code: Code.INVALID_ARGUMENT } });
    expect(world.snapshot()).toEqual(before);
  });
});

describe("stale", () => {
  const poller = { requestId: "p", identity: "worker", versionStamp: undefined, taskQueue: c.QUEUE, taskQueueKind: 1, workerInstanceKey: "" };

  it.each<[string, (w: CoreWorld) => { kind: InputKind }]>([
    ["a workflow task that was started by another poll", () => ({ kind: "startWorkflowTask", scheduledEventId: 5, attempt: 1, stamp: 0, poller })],
    ["a workflow task of another attempt", () => ({ kind: "startWorkflowTask", scheduledEventId: 5, attempt: 2, stamp: 0, poller })],
    ["a workflow task that is over", () => ({ kind: "startWorkflowTask", scheduledEventId: 2, attempt: 1, stamp: 0, poller })],
    ["an activity that does not exist", () => ({ kind: "startActivity", scheduledEventId: 99, attempt: 1, stamp: 0, poller, metadata: undefined })],
    ["the return of a task under another nonce", () => ({ kind: "undelivered", task: "workflow", scheduledEventId: 5, nonce: 1 })],
    ["the return of an activity that is not started", () => ({ kind: "undelivered", task: "activity", scheduledEventId: 99, nonce: 1 })],
    ["a query that nobody waits for", () => ({ kind: "dropQuery", waiter: 7 })],
  ])("is what %s is", (_, input) => {
    world.running();
    world.signal("s");
    world.task();
    const before = world.snapshot();
    expect(world.outcome(world.address("w"), input(world) as never)).toEqual({ outcome: "stale" });
    expect(world.snapshot()).toEqual(before);
  });

  it("is what every task and timer of a closed or unknown workflow is", () => {
    world.running();
    world.submit(world.address("w"), {
      kind: "terminate",
      request: TerminateWorkflowExecutionRequest.create({}),
      childWorkflowOnly: false,
      parent: undefined,
    });
    const input = { kind: "startWorkflowTask", scheduledEventId: 2, attempt: 1, stamp: 0, poller } as const;
    expect(world.outcome(world.address("w"), input)).toEqual({ outcome: "stale" });
    expect(world.outcome(world.address("nobody"), input)).toEqual({ outcome: "stale" });
    expect(world.outcome(world.address("nobody"), { kind: "due" })).toEqual({ outcome: "stale" });
  });
});

describe("need", () => {
  const NOTHING_LOADED = { event: () => undefined, requestId: () => undefined };

  it("names the event that the decision rests on, and the same input is accepted once it is loaded", () => {
    world.start("w", { retryPolicy: { initialInterval: c.seconds(1), backoffCoefficient: 2, maximumInterval: c.seconds(100) } });
    const token = tokenOf(world.task());
    const request = RespondWorkflowTaskCompletedRequest.create({ commands: [c.fail(c.applicationFailure("no"))] });
    const input = { kind: "completeWorkflowTask", token, request } as const;
    const before = world.snapshot();
    const outcome = world.outcome(world.address("w"), input, NOTHING_LOADED);
    expect(outcome).toMatchObject({ outcome: "need", events: [{ eventId: 1 }], requestIds: [] });
    expect(world.snapshot()).toEqual(before);
    expect(world.outcome(world.address("w"), input).outcome).toBe("accepted");
  });

  it("asks for a request id only when the process does not know all ids of the run", () => {
    world.running();
    expect(world.outcome(world.address("w"), signalOf("r"), NOTHING_LOADED).outcome).toBe("accepted");
    // As after a restart.
    world.run("w").knownRequestIds = undefined;
    expect(world.outcome(world.address("w"), signalOf("r"), NOTHING_LOADED)).toEqual({ outcome: "need", events: [], requestIds: ["r"] });
    expect(world.outcome(world.address("w"), signalOf(""), NOTHING_LOADED).outcome).toBe("accepted");
  });
});

describe("the end of a run's time in the store", () => {
  it("comes with the retention of its namespace", () => {
    world.running();
    world.signal("s");
    world.answer([c.complete()]);
    world.advance(world.namespace.retention - 1);
    expect(world.states.get("w")?.size).toBe(1);
    world.advance(1);
    expect(world.states.get("w")?.size).toBe(0);
  });

  it("waits while the run has something to tell another execution", () => {
    world.running([c.child("k", { parentClosePolicy: 1 })]);
    world.signal("s");
    world.answer([c.complete()]);
    // The transfer task to the child is not run.
    world.now += world.namespace.retention * 2;
    world.submit(world.address("w"), { kind: "due" });
    expect(world.states.get("w")?.size).toBe(1);
    expect(world.run("w").info.due).toBeGreaterThan(world.now);
    world.settle();
    world.now += c.MICROS * 60;
    world.submit(world.address("w"), { kind: "due" });
    expect(world.states.get("w")?.size).toBe(0);
  });
});
