/** A completion whose timer is about to fire is answered with the task that the timer brings. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WorkerVersioningMode } from "../../gen/wire/temporal/api/enums/v1/deployment.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { RespondWorkflowTaskCompletedRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../test/harness/core-commands.js";
import type { Init } from "../api/wire.js";
import type { Replies, StartedWorkflowTask } from "../core/transition.js";
import { at, FakeEngine, POLLER, type Watched, watch } from "./fake-engine.js";

type Completed = Watched<Replies["completeWorkflowTask"]>;

let f: FakeEngine;
beforeEach(async () => {
  f = new FakeEngine();
  await f.engine.start([]);
});
afterEach(() => {
  expect(f.bugs).toEqual([]);
});

const STICKY = { workerTaskQueue: { name: "sticky", kind: TaskQueueKind.STICKY }, scheduleToStartTimeout: c.seconds(5) };
const takesNext = (afterSeconds: number): Init<RespondWorkflowTaskCompletedRequest> => ({
  identity: "worker",
  commands: [c.timer("t", afterSeconds)],
  stickyAttributes: STICKY,
  returnNewWorkflowTask: true,
});

async function take(scheduledEventId: number): Promise<StartedWorkflowTask> {
  const input = {
    kind: "startWorkflowTask",
    scheduledEventId,
    attempt: 1,
    stamp: 0,
    poller: { ...POLLER, requestId: `take-${scheduledEventId}` },
  } as const;
  const started = watch(f.engine.submit(at("w"), input));
  await f.settle();
  return started.value as StartedWorkflowTask;
}

async function begin(request: Init<RespondWorkflowTaskCompletedRequest>, isGone?: () => boolean): Promise<Completed> {
  f.start("w");
  await f.settle();
  const completed = f.complete(await take(2), request, isGone);
  await f.settle();
  return completed;
}

const nextTask = (completed: Completed) => completed.value?.newTask;
/** Workflow tasks that went to matching after the first. */
const offered = () => f.dispatcher.stored.slice(1);

describe("an answer that is held", () => {
  it("brings the task of a timer that fires within milliseconds, when that is durable", async () => {
    const completed = await begin(takesNext(0.002));
    expect(completed.isSettled).toBe(false);
    f.isHolding = true;
    await f.runtime.advance(3);
    expect(completed.isSettled).toBe(false);
    await f.letGo();
    // Of completed, started timer, fired timer, scheduled and started: what the worker has not seen.
    expect(nextTask(completed)).toMatchObject({
      response: { previousStartedEventId: 3, startedEventId: 8 },
      history: { fromEventId: 4, endEventId: 9 },
    });
    expect(offered()).toEqual([]);
  });

  it("brings its task however long that takes to be durable", async () => {
    const completed = await begin(takesNext(0.002));
    f.isHolding = true;
    await f.runtime.advance(100);
    expect(completed.isSettled).toBe(false);
    await f.letGo();
    expect(nextTask(completed)?.response.startedEventId).toBe(8);
  });

  it("brings the task of whatever comes before the timer", async () => {
    const completed = await begin(takesNext(0.004));
    f.signal("w", "s");
    await f.settle();
    expect(nextTask(completed)?.response.startedEventId).toBe(8);
    expect(offered()).toEqual([]);
  });

  it("gives a task whose completion is accepted", async () => {
    const completed = await begin(takesNext(0.002));
    await f.runtime.advance(3);
    const last = f.complete(nextTask(completed) as StartedWorkflowTask, { commands: [c.complete()] });
    await f.settle();
    expect(last.error).toBeUndefined();
    expect(last.value?.newTask).toBeUndefined();
  });

  it("names the version of its worker as a poll would", async () => {
    const deploymentOptions = { deploymentName: "d", buildId: "b", workerVersioningMode: WorkerVersioningMode.VERSIONED };
    let poller: unknown;
    f.hook = (input) => {
      if (input.kind === "startWorkflowTask" && input.poller.taskQueue === "sticky") poller = input.poller;
      return undefined;
    };
    await begin({ ...takesNext(0.002), workerVersionStamp: { buildId: "b", useVersioning: false }, workerInstanceKey: "i" });
    await f.runtime.advance(3);
    expect(poller).toMatchObject({ identity: "worker", taskQueueKind: TaskQueueKind.STICKY, versionStamp: { buildId: "b" }, workerInstanceKey: "i" });
    await f.restart();
    f.start("v");
    await f.settle();
    const input = { kind: "startWorkflowTask", scheduledEventId: 2, attempt: 1, stamp: 0, poller: POLLER } as const;
    const started = watch(f.engine.submit(at("v"), input));
    await f.settle();
    f.complete(started.value as StartedWorkflowTask, {
      ...takesNext(0.002),
      deploymentOptions,
      workerVersionStamp: { buildId: "b", useVersioning: false },
    });
    await f.settle();
    await f.runtime.advance(3);
    expect(poller).toMatchObject({ versionStamp: undefined, deployment: { deploymentName: "d", buildId: "b" } });
  });
});

describe("an answer is given at once", () => {
  it.each([
    ["the timer is one of the later ones", takesNext(0.006)],
    ["the worker does not take tasks with answers", { ...takesNext(0.002), returnNewWorkflowTask: false }],
    ["the worker does not hold the workflow", { ...takesNext(0.002), stickyAttributes: undefined }],
    ["no timer was started", { ...takesNext(0.002), commands: [] }],
    ["the timer was cancelled at once", { ...takesNext(0.002), commands: [c.timer("t", 0.002), c.cancelTimer("t")] }],
    ["the workflow has ended", { ...takesNext(0.002), commands: [c.timer("t", 0.002), c.complete()] }],
    ["the queue decides which build takes the task", { ...takesNext(0.002), workerVersionStamp: { buildId: "b", useVersioning: true } }],
  ])("when %s", async (_, request) => {
    const completed = await begin(request);
    expect(completed).toMatchObject({ isSettled: true, error: undefined });
    expect(nextTask(completed)).toBeUndefined();
  });

  it("when another task has come before it was durable", async () => {
    f.start("w");
    await f.settle();
    const first = await take(2);
    f.isHolding = true;
    const completed = f.complete(first, takesNext(0.002));
    f.signal("w", "s");
    await f.settle();
    expect(completed.isSettled).toBe(false);
    f.isHolding = false;
    await f.letGo();
    expect(completed.isSettled).toBe(true);
    expect(nextTask(completed)).toBeUndefined();
    expect(offered()).toHaveLength(1);
  });
});

describe("an answer that is held comes without a task", () => {
  it("when nothing is to come any more, soon after the timer's time", async () => {
    const completed = await begin(takesNext(0.002));
    f.terminate("w");
    await f.runtime.advance(11);
    expect(completed.isSettled).toBe(false);
    await f.runtime.advance(1);
    expect(completed.isSettled).toBe(true);
    expect(nextTask(completed)).toBeUndefined();
  });

  it("when the server goes", async () => {
    const completed = await begin(takesNext(0.005));
    void f.engine.drain();
    await f.settle();
    expect(completed.isSettled).toBe(true);
    expect(nextTask(completed)).toBeUndefined();
  });

  it("when the start of its task is lost; the task is offered again", async () => {
    const completed = await begin(takesNext(0.002));
    f.verdict = () => "refused";
    await f.runtime.advance(3);
    f.verdict = () => "ok";
    await f.settle();
    expect(completed.isSettled).toBe(true);
    expect(nextTask(completed)).toBeUndefined();
    expect(offered().length).toBeGreaterThan(0);
  });
});

describe("the worker of an answer that is held has gone", () => {
  it("before the task came: the task goes to matching", async () => {
    let isGone = false;
    const completed = await begin(takesNext(0.002), () => isGone);
    isGone = true;
    await f.runtime.advance(3);
    expect(nextTask(completed)).toBeUndefined();
    expect(offered()).toHaveLength(1);
  });

  it("before the task's start was durable: the task goes back", async () => {
    let isGone = false;
    const completed = await begin(takesNext(0.002), () => isGone);
    f.isHolding = true;
    await f.runtime.advance(3);
    isGone = true;
    f.isHolding = false;
    await f.letGo();
    await f.runtime.advance(1);
    expect(nextTask(completed)).toBeUndefined();
    expect(offered()).toHaveLength(1);
  });
});
