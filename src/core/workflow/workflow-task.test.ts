import { beforeEach, describe, expect, it } from "vitest";
import { WorkflowTaskFailedCause as Cause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { SuggestContinueAsNewReason, TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { UpdateWorkflowExecutionOptionsRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf, trailingEvents } from "../../../test/harness/core-world.js";
import { Code } from "../../api/service-error.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const STARTED = ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"];
const sticky = (name = "sticky", after = 5) => ({
  stickyAttributes: { workerTaskQueue: { name, kind: TaskQueueKind.STICKY }, scheduleToStartTimeout: c.seconds(after) },
});
const taskOf = (w: CoreWorld) => w.run("w").info.workflowTask;

describe("a started workflow task", () => {
  it("is offered once: another poller gets nothing", () => {
    world.start();
    const dispatched = world.tasks[0];
    world.task();
    world.tasks.push(dispatched as never);
    expect(world.takeWorkflowTask()).toBeUndefined();
  });

  it("gives the same poll the same answer", () => {
    world.start();
    const poller = { ...world.poller(c.QUEUE), requestId: "one poll" };
    const input = { kind: "startWorkflowTask", scheduledEventId: 2, attempt: 1, stamp: 0, poller } as const;
    const first = world.submit(world.address("w"), input);
    expect(world.submit(world.address("w"), input)).toEqual(first);
    expect(world.types()).toEqual(STARTED);
  });

  it("tells the worker what it has to know", () => {
    world.running();
    world.signal("s");
    const { response, history } = world.task();
    expect(response).toMatchObject({
      workflowExecution: { workflowId: "w", runId: world.run("w").info.runId },
      workflowType: { name: "T" },
      previousStartedEventId: 3,
      startedEventId: 7,
      attempt: 1,
      workflowExecutionTaskQueue: { name: c.QUEUE, kind: TaskQueueKind.NORMAL },
    });
    expect(history).toMatchObject({ fromEventId: 1, endEventId: 8 });
  });

  it.each([
    ["few events of a small history", {}, false, []],
    ["too many events", { historyEventsSuggestContinueAsNew: 3 }, true, [SuggestContinueAsNewReason.TOO_MANY_HISTORY_EVENTS]],
    ["a large history", { historySizeBytesSuggestContinueAsNew: 10 }, true, [SuggestContinueAsNewReason.HISTORY_SIZE_TOO_LARGE]],
    [
      "both",
      { historySizeBytesSuggestContinueAsNew: 10, historyEventsSuggestContinueAsNew: 3 },
      true,
      [SuggestContinueAsNewReason.HISTORY_SIZE_TOO_LARGE, SuggestContinueAsNewReason.TOO_MANY_HISTORY_EVENTS],
    ],
  ])("says whether to continue as new: %s", (_, limits, suggestContinueAsNew, suggestContinueAsNewReasons) => {
    world.limit(limits);
    world.start();
    world.task();
    expect(world.last("workflowTaskStartedEventAttributes")).toMatchObject({ suggestContinueAsNew, suggestContinueAsNewReasons });
  });

  it("is scheduled once, however many events ask for it", () => {
    world.running();
    for (const name of ["a", "b", "c"]) world.signal(name);
    expect(world.types().slice(4)).toEqual([
      "WORKFLOW_EXECUTION_SIGNALED",
      "WORKFLOW_TASK_SCHEDULED",
      "WORKFLOW_EXECUTION_SIGNALED",
      "WORKFLOW_EXECUTION_SIGNALED",
    ]);
    world.answer();
    expect(world.takeWorkflowTask()).toBeUndefined();
  });
});

describe("the answer to a workflow task", () => {
  it.each<[string, (w: CoreWorld) => void]>([
    ["that was completed", (w) => w.answer()],
    ["that failed", (w) => w.failTask(w.task())],
    [
      "that timed out",
      (w) => {
        w.task();
        w.advance(10 * c.MICROS);
      },
    ],
    ["of a workflow that has been closed", (w) => w.answer([c.complete()])],
  ])("%s before is not found", (_, end) => {
    world.start();
    const seen: ReturnType<CoreWorld["task"]>[] = [];
    const spied = Object.create(world) as CoreWorld;
    spied.task = () => {
      const task = world.task();
      seen.push(task);
      return task;
    };
    end(spied);
    const before = world.snapshot();
    expect(() => world.complete(seen[0] as never)).toThrow("Workflow task not found.");
    expect(world.snapshot()).toEqual(before);
  });

  it("needs the nonce of its own start: one that was handed to a poller that had gone is not accepted", () => {
    world.start();
    const lost = world.task();
    world.submit(world.address("w"), { kind: "undelivered", task: "workflow", scheduledEventId: 2, nonce: lost.nonce });
    const again = world.task();
    expect(again.nonce).not.toBe(lost.nonce);
    expect(() => world.complete(lost)).toThrow("Workflow task not found.");
    expect(world.complete(again, [c.complete()]).refused).toBeUndefined();
  });
});

describe("a workflow task that fails", () => {
  it("is written once; the attempts that follow leave no events until one is completed", () => {
    world.start();
    world.failTask(world.task());
    for (let attempt = 2; attempt <= 4; attempt++) {
      const task = world.task();
      expect(task.response.attempt).toBe(attempt);
      expect(world.types()).toEqual([...STARTED, "WORKFLOW_TASK_FAILED"]);
      world.failTask(task);
    }
    world.answer([c.complete()]);
    expect(world.types().slice(4)).toEqual([
      "WORKFLOW_TASK_SCHEDULED",
      "WORKFLOW_TASK_STARTED",
      "WORKFLOW_TASK_COMPLETED",
      "WORKFLOW_EXECUTION_COMPLETED",
    ]);
    expect(world.last("workflowTaskScheduledEventAttributes").attempt).toBe(5);
    expect(world.last("workflowTaskCompletedEventAttributes")).toMatchObject({ scheduledEventId: 5, startedEventId: 6 });
  });

  it("writes cause and failure as the worker gave them", () => {
    world.start();
    world.failTask(world.task(), Cause.NON_DETERMINISTIC_ERROR, "history does not match");
    expect(world.last("workflowTaskFailedEventAttributes")).toMatchObject({
      scheduledEventId: 2,
      startedEventId: 3,
      cause: Cause.NON_DETERMINISTIC_ERROR,
      failure: { message: "history does not match" },
      identity: "worker",
    });
  });

  it("shows its next attempt to the worker as if it were in history", () => {
    world.start();
    world.failTask(world.task());
    const task = world.task();
    expect(task.history.endEventId).toBe(5);
    expect(trailingEvents(task)).toMatchObject([
      { eventId: 5, attributes: { case: "workflowTaskScheduledEventAttributes", value: { attempt: 2, taskQueue: { name: c.QUEUE } } } },
      { eventId: 6, attributes: { case: "workflowTaskStartedEventAttributes", value: { scheduledEventId: 5, identity: "worker" } } },
    ]);
    expect(task.response).toMatchObject({ startedEventId: 6, attempt: 2, previousStartedEventId: 0 });
  });

  it("says in every attempt, shown or written, why the workflow should continue as new", () => {
    world.limit({ historyEventsSuggestContinueAsNew: 5 });
    world.start();
    world.failTask(world.task());
    const suggestion = { suggestContinueAsNew: true, suggestContinueAsNewReasons: [SuggestContinueAsNewReason.TOO_MANY_HISTORY_EVENTS] };
    const task = world.task();
    expect(trailingEvents(task)[1]?.attributes.value).toMatchObject(suggestion);
    world.complete(task);
    expect(world.last("workflowTaskStartedEventAttributes")).toMatchObject(suggestion);
  });

  it("starts anew with attempt 1 when something happened since", () => {
    world.start();
    world.failTask(world.task());
    world.signal("s");
    const task = world.task();
    expect(task.response.attempt).toBe(1);
    expect(task.trailing).toBeUndefined();
    expect(world.types().slice(4)).toEqual(["WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
    // It is in history now, so its failure is too.
    world.failTask(task);
    expect(world.types().at(-1)).toBe("WORKFLOW_TASK_FAILED");
  });

  it("starts anew with attempt 1 when something happened while it ran", () => {
    world.start();
    world.failTask(world.task());
    const second = world.task();
    world.signal("s");
    expect(world.types()).not.toContain("WORKFLOW_EXECUTION_SIGNALED");
    world.failTask(second);
    expect(world.types().slice(4)).toEqual(["WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.task().response.attempt).toBe(1);
  });

  it("counts attempts from 1 again after one that was completed", () => {
    world.start();
    world.failTask(world.task());
    world.answer();
    world.signal("s");
    expect(world.task().response.attempt).toBe(1);
  });

  it("ends the workflow when the worker says that its answer is too large to be sent", () => {
    world.start();
    world.failTask(world.task(), Cause.GRPC_MESSAGE_TOO_LARGE);
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"]);
    expect(world.last("workflowExecutionTerminatedEventAttributes")).toMatchObject({ reason: "GrpcMessageTooLarge", identity: "history-service" });
    expect(world.takeWorkflowTask()).toBeUndefined();
  });
});

describe("a workflow task that is not answered", () => {
  it("times out after its timeout and not before", () => {
    world.start();
    world.task();
    world.advance(10 * c.MICROS - 1);
    expect(world.types()).toEqual(STARTED);
    world.advance(1);
    expect(world.types()).toEqual([...STARTED, "WORKFLOW_TASK_TIMED_OUT"]);
    expect(world.last("workflowTaskTimedOutEventAttributes")).toMatchObject({
      scheduledEventId: 2,
      startedEventId: 3,
      timeoutType: TimeoutType.START_TO_CLOSE,
    });
    expect(world.task().response.attempt).toBe(2);
  });

  it("waits for a poller without a deadline on a normal queue", () => {
    world.start();
    world.advance(30 * 86_400 * c.MICROS);
    expect(world.types()).toEqual(STARTED.slice(0, 2));
    expect(world.task().response.attempt).toBe(1);
  });

  it("gets more time from the fourth attempt on: 5 s doubled each time and a fifth less by chance, at most ten minutes", () => {
    world.start();
    const timeouts: number[] = [];
    for (let attempt = 1; attempt <= 14; attempt++) {
      world.failTask(world.task());
      timeouts.push(((taskOf(world)?.timeout ?? 0) - 10 * c.MICROS) / c.MICROS);
    }
    // Attempts 2 and 3 have the plain timeout.
    expect(timeouts.slice(0, 2)).toEqual([0, 0]);
    for (const [i, added] of timeouts.slice(2).entries()) {
      const full = Math.min(5 * 2 ** i, 600);
      expect(added).toBeGreaterThanOrEqual(full * 0.8);
      expect(added).toBeLessThanOrEqual(full);
    }
    expect(new Set(timeouts.slice(-3)).size).toBe(3);
  });
});

describe("a sticky queue", () => {
  it("gets the next task, with only the events that its worker has not seen", () => {
    world.start();
    world.answer([], sticky());
    world.signal("s");
    expect(world.tasks).toMatchObject([{ taskQueue: "sticky", normalTaskQueue: c.QUEUE }]);
    expect(world.last("workflowTaskScheduledEventAttributes").taskQueue).toMatchObject({
      name: "sticky",
      kind: TaskQueueKind.STICKY,
      normalName: c.QUEUE,
    });
    expect(world.task().history).toMatchObject({ fromEventId: 4, endEventId: 8 });
  });

  it("is given up when its worker does not come in time: the task goes to any worker, with the whole history and the same attempt", () => {
    world.start();
    world.answer([], sticky("sticky", 5));
    world.signal("s");
    world.advance(5 * c.MICROS - 1);
    expect(world.types().at(-1)).toBe("WORKFLOW_TASK_SCHEDULED");
    world.advance(1);
    expect(world.types().slice(6)).toEqual(["WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("workflowTaskTimedOutEventAttributes")).toMatchObject({
      scheduledEventId: 6,
      startedEventId: 0,
      timeoutType: TimeoutType.SCHEDULE_TO_START,
    });
    const task = world.task();
    expect(task.response.attempt).toBe(1);
    expect(task.history.fromEventId).toBe(1);
    expect(world.last("workflowTaskScheduledEventAttributes")).toMatchObject({ attempt: 1, taskQueue: { name: c.QUEUE } });
  });

  it("is given up when its worker fails the task; that failure does not count as an attempt", () => {
    world.start();
    world.answer([], sticky());
    world.signal("s");
    world.failTask(world.task());
    expect(world.types().slice(-2)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_TASK_SCHEDULED"]);
    const task = world.task();
    expect(task.response.attempt).toBe(1);
    expect(task.history.fromEventId).toBe(1);
    expect(task.trailing).toBeUndefined();
  });

  it("is given up when its worker does not answer the task", () => {
    world.start();
    world.answer([], sticky());
    world.signal("s");
    world.task();
    world.advance(10 * c.MICROS);
    expect(world.types().slice(-2)).toEqual(["WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("workflowTaskScheduledEventAttributes")).toMatchObject({ attempt: 1, taskQueue: { kind: TaskQueueKind.NORMAL } });
  });

  it("is forgotten by a completion that names none", () => {
    world.start();
    world.answer([], sticky());
    world.signal("s");
    world.answer();
    world.signal("s");
    expect(world.tasks).toMatchObject([{ taskQueue: c.QUEUE, normalTaskQueue: undefined }]);
  });

  it("is forgotten on request of a client", () => {
    world.start();
    world.answer([], sticky());
    world.submit(world.address("w"), { kind: "resetSticky" });
    world.signal("s");
    expect(world.tasks).toMatchObject([{ taskQueue: c.QUEUE }]);
    expect(world.task().history.fromEventId).toBe(1);
  });

  it("that was reset in between does not get the task that waits there", () => {
    world.start();
    world.answer([], sticky());
    world.signal("s");
    world.submit(world.address("w"), { kind: "resetSticky" });
    const before = world.snapshot();
    expect(world.takeWorkflowTask()).toBeUndefined();
    expect(world.snapshot()).toEqual(before);
  });
});

describe("force_create_new_workflow_task", () => {
  it("brings another task at once, for any poller", () => {
    world.start();
    const { newTask } = world.answer([], { forceCreateNewWorkflowTask: true });
    expect(newTask).toBeUndefined();
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_COMPLETED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.tasks).toHaveLength(1);
  });

  it("with return_new_workflow_task brings it in the answer, started", () => {
    world.start();
    const { newTask } = world.answer([], { forceCreateNewWorkflowTask: true, returnNewWorkflowTask: true });
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_COMPLETED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
    expect(world.last("workflowTaskStartedEventAttributes")).toMatchObject({
      requestId: "request-from-RespondWorkflowTaskCompleted",
      identity: "worker",
    });
    expect(world.tasks).toHaveLength(0);
    expect(newTask?.response).toMatchObject({ startedEventId: 6, previousStartedEventId: 3 });
    expect(world.complete(newTask as never, [c.complete()]).refused).toBeUndefined();
  });

  it("keeps a local activity's task alive, but not beyond the heartbeat timeout of all of them", () => {
    world.limit({ workflowTaskHeartbeatTimeoutMs: 12_000 });
    world.start();
    let task = world.task();
    for (const at of [4, 8, 12]) {
      world.advance(4 * c.MICROS);
      task = world.complete(task, [], { forceCreateNewWorkflowTask: true, returnNewWorkflowTask: true }).newTask as never;
      expect(world.types().filter((t) => t === "WORKFLOW_TASK_COMPLETED")).toHaveLength(at / 4);
    }
    world.advance(1);
    const { refused } = world.complete(task, [], { forceCreateNewWorkflowTask: true });
    // The worker is told to give the workflow up; the timeout stands.
    expect(refused).toMatchObject({ code: Code.NOT_FOUND, message: "workflow task heartbeat timeout" });
    expect(world.types().slice(-1)).toEqual(["WORKFLOW_TASK_TIMED_OUT"]);
    expect(taskOf(world)).toMatchObject({ attempt: 2, startedEventId: 0 });
  });

  it("goes on at the sticky queue that the late heartbeat names", () => {
    world.limit({ workflowTaskHeartbeatTimeoutMs: 1000 });
    world.start();
    const again = { forceCreateNewWorkflowTask: true, ...sticky() };
    const { newTask } = world.answer([], { ...again, returnNewWorkflowTask: true });
    world.advance(2 * c.MICROS);
    world.complete(newTask as never, [], again);
    expect(world.types().slice(-2)).toEqual(["WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("workflowTaskScheduledEventAttributes")).toMatchObject({ attempt: 1, taskQueue: { name: "sticky" } });
  });

  it("gives the returned task without the events that the worker has, with or without a sticky queue", () => {
    world.start();
    const { newTask } = world.answer([], { forceCreateNewWorkflowTask: true, returnNewWorkflowTask: true });
    expect(newTask?.history).toMatchObject({ fromEventId: 4, endEventId: 7 });
  });

  it("starts the heartbeat timeout anew with a completion that brings commands", () => {
    world.limit({ workflowTaskHeartbeatTimeoutMs: 12_000 });
    world.start();
    let task = world.task();
    for (const name of ["a", "b", "c", "d"]) {
      world.advance(8 * c.MICROS);
      task = world.complete(task, [c.marker(name)], { forceCreateNewWorkflowTask: true, returnNewWorkflowTask: true }).newTask as never;
    }
    expect(world.types()).not.toContain("WORKFLOW_TASK_TIMED_OUT");
    expect(world.types().filter((t) => t === "MARKER_RECORDED")).toHaveLength(4);
  });

  it("does nothing for a workflow that the same completion closes", () => {
    world.start();
    world.answer([c.complete()], { forceCreateNewWorkflowTask: true });
    expect(world.types().at(-1)).toBe("WORKFLOW_EXECUTION_COMPLETED");
    expect(world.tasks).toHaveLength(0);
  });
});

describe("what happens while a workflow task runs", () => {
  it("waits until the task ends, and brings another task", () => {
    world.start();
    const task = world.task();
    expect(world.signal("s").eventId).toBe(0);
    expect(world.types()).toEqual(STARTED);
    world.complete(task, [c.timer("t", 1)]);
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_COMPLETED", "TIMER_STARTED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it("is written with the end of the task, in the order in which it came, results of activities and children last", () => {
    world.running([c.activity("a"), c.activity("b"), c.timer("t", 1), c.child("k")]);
    const [a, b] = [world.activityTask(), world.activityTask()];
    world.answer();
    world.signal("wake");
    const task = world.task();
    const respond = (activity: typeof a) =>
      world.submit<"completeActivity">(world.address("w"), {
        kind: "completeActivity",
        activity: { by: "token", token: tokenOf(activity) },
        result: undefined,
        identity: "worker",
      });
    respond(b);
    world.signal("first");
    world.advance(c.MICROS);
    respond(a);
    world.signal("second");
    const before = world.types().length;
    world.complete(task);
    expect(world.types().slice(before)).toEqual([
      "WORKFLOW_TASK_COMPLETED",
      "ACTIVITY_TASK_STARTED",
      "WORKFLOW_EXECUTION_SIGNALED",
      "TIMER_FIRED",
      "ACTIVITY_TASK_STARTED",
      "WORKFLOW_EXECUTION_SIGNALED",
      "ACTIVITY_TASK_COMPLETED",
      "ACTIVITY_TASK_COMPLETED",
      "WORKFLOW_TASK_SCHEDULED",
    ]);
    // Each result names its own started event.
    const history = world.history("w");
    const started = new Map(
      history.flatMap((e) => (e.attributes.case === "activityTaskStartedEventAttributes" ? [[e.attributes.value.scheduledEventId, e.eventId]] : [])),
    );
    for (const e of history)
      if (e.attributes.case === "activityTaskCompletedEventAttributes")
        expect(e.attributes.value.startedEventId).toBe(started.get(e.attributes.value.scheduledEventId));
  });

  it("survives the failure of the task", () => {
    world.start();
    const task = world.task();
    world.signal("s");
    world.failTask(task);
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it("fails the task when it is too much", () => {
    world.limit({ bufferedEventsMax: 3 });
    world.start();
    const task = world.task();
    for (let i = 0; i < 3; i++) world.signal("s");
    expect(world.types()).toEqual(STARTED);
    world.signal("one too many");
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", ...Array.from({ length: 4 }, () => "WORKFLOW_EXECUTION_SIGNALED")]);
    // What waited is written before the next task is made, which makes that a second attempt.
    expect(taskOf(world)).toMatchObject({ attempt: 2 });
    expect(world.last("workflowTaskFailedEventAttributes").cause).toBe(Cause.FORCE_CLOSE_COMMAND);
    expect(() => world.complete(task)).toThrow("Workflow task not found.");
  });

  it.each([
    ["completes", c.complete()],
    ["fails", c.fail({ message: "no" })],
    ["cancels", c.cancel()],
    ["continues as new", c.continueAsNew()],
  ])("is not lost to a workflow that %s: the task fails with UnhandledCommand and the workflow goes on", (_, close) => {
    world.start();
    const task = world.task();
    world.signal("s");
    const { refused } = world.complete(task, [c.marker("m"), close]);
    expect(refused).toMatchObject({ code: Code.INVALID_ARGUMENT, message: "UnhandledCommand" });
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.last("workflowTaskFailedEventAttributes")).toMatchObject({
      cause: Cause.UNHANDLED_COMMAND,
      failure: { message: "UnhandledCommand" },
    });
    world.answer([close]);
    expect(world.run("w").isOpen && world.runs().length === 1).toBe(false);
  });
});

describe("a completion with a command that is refused", () => {
  it("fails the task and leaves nothing of the commands before it", () => {
    world.start();
    const { refused } = world.answer([c.timer("t", 1), c.activity("a"), c.timer("", 1)]);
    expect(refused).toMatchObject({ code: Code.INVALID_ARGUMENT, message: "BadStartTimerAttributes: TimerId is not set on StartTimerCommand." });
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED"]);
    expect(world.run("w").timers.base.size + world.run("w").activities.base.size).toBe(0);
    expect(world.tasks.map((t) => t.type)).toEqual(["workflow"]);
    expect(taskOf(world)).toMatchObject({ attempt: 2 });
  });

  it("of a later attempt changes nothing: the task is left to time out", () => {
    world.start();
    world.answer([c.timer("", 1)]);
    const second = world.task();
    const before = world.snapshot();
    expect(() => world.complete(second, [c.timer("", 1)])).toThrow("BadStartTimerAttributes: TimerId is not set on StartTimerCommand.");
    expect(world.snapshot()).toEqual(before);
    world.advance(10 * c.MICROS);
    expect(world.task().response.attempt).toBe(3);
  });
});

describe("a task that could not be delivered", () => {
  it("counts as timed out, so that its next start is another attempt", () => {
    world.start();
    const { nonce } = world.task();
    world.submit(world.address("w"), { kind: "undelivered", task: "workflow", scheduledEventId: 2, nonce });
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_TIMED_OUT"]);
    expect(world.task().response.attempt).toBe(2);
  });
});

describe("a speculative task whose run gets other options", () => {
  it("keeps its time limit: where it is offered is memory, which may be lost", () => {
    world.running();
    world.submit(world.address("w"), { kind: "update", request: c.update("u"), waiter: 1 });
    const request = UpdateWorkflowExecutionOptionsRequest.create({
      workflowExecutionOptions: { priority: { priorityKey: 1 } },
      updateMask: { paths: ["priority.priority_key"] },
    });
    world.submit(world.address("w"), { kind: "updateOptions", request });
    world.tasks.length = 0;
    world.advance(10 * c.MICROS);
    expect(world.types().slice(-3)).toEqual(["WORKFLOW_EXECUTION_OPTIONS_UPDATED", "WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]);
    expect(world.task().response.attempt).toBe(1);
  });
});
