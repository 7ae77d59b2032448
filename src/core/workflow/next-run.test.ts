import { beforeEach, describe, expect, it } from "vitest";
import { ContinueAsNewInitiator, RetryState, WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const RETRY = { initialInterval: c.seconds(10), backoffCoefficient: 2, maximumInterval: c.seconds(30), maximumAttempts: 3 };
/** Attributes of the start event of the newest run. */
const started = () => world.last("workflowExecutionStartedEventAttributes");
/** Long enough for the next run not to wait for the minimal interval between runs. */
const LIFE = 5 * c.MICROS;

describe("continue as new", () => {
  it("closes the run and opens the next one, each naming the other", () => {
    const first = world.running();
    world.signal("s");
    world.advance(LIFE);
    world.answer([c.continueAsNew({ input: c.payloads("next") })]);
    const [, second] = world.runs();
    expect(world.types("w", first).at(-1)).toBe("WORKFLOW_EXECUTION_CONTINUED_AS_NEW");
    expect(world.last("workflowExecutionContinuedAsNewEventAttributes", "w", first)).toMatchObject({
      newExecutionRunId: second,
      input: c.payloads("next"),
    });
    expect(started()).toMatchObject({
      continuedExecutionRunId: first,
      firstExecutionRunId: first,
      originalExecutionRunId: second,
      initiator: ContinueAsNewInitiator.WORKFLOW,
      input: c.payloads("next"),
      attempt: 1,
    });
    expect(world.task().response.workflowExecution?.runId).toBe(second);
  });

  it("keeps the first run's id along the chain", () => {
    const first = world.running();
    for (let i = 0; i < 3; i++) {
      world.signal("s");
      world.advance(LIFE);
      world.answer([c.continueAsNew()]);
      expect(started().firstExecutionRunId).toBe(first);
      world.answer();
    }
    expect(new Set(world.runs()).size).toBe(4);
  });

  it("takes type, queue and timeouts of the run where the command says nothing", () => {
    world.start("w", { workflowRunTimeout: c.seconds(600), workflowTaskTimeout: c.seconds(7) });
    world.answer([c.continueAsNew()]);
    expect(started()).toMatchObject({
      workflowType: { name: "T" },
      taskQueue: { name: c.QUEUE },
      workflowRunTimeout: c.seconds(600),
      workflowTaskTimeout: c.seconds(7),
    });
  });

  it("takes type, queue and timeouts of the command where it says them", () => {
    world.start();
    world.answer([
      c.continueAsNew({
        workflowType: { name: "U" },
        taskQueue: { name: "other" },
        workflowRunTimeout: c.seconds(60),
        workflowTaskTimeout: c.seconds(5),
      }),
    ]);
    expect(started()).toMatchObject({
      workflowType: { name: "U" },
      taskQueue: { name: "other" },
      workflowRunTimeout: c.seconds(60),
      workflowTaskTimeout: c.seconds(5),
    });
  });

  it.each([
    ["two minutes", {}, 600, 120],
    ["the run", { workflowRunTimeout: c.seconds(30) }, 600, 30],
  ])("gives a workflow task no more time than %s", (_, more, asked, given) => {
    world.start();
    world.answer([c.continueAsNew({ workflowTaskTimeout: c.seconds(asked), ...more })]);
    expect(started().workflowTaskTimeout).toMatchObject(c.seconds(given));
  });

  it("has memo and search attributes, retry policy and schedule of the command, not those of the run", () => {
    world.start("w", { memo: { fields: { old: c.payload(1) } }, retryPolicy: RETRY });
    world.answer([c.memo({ later: 2 }), c.continueAsNew({ memo: { fields: { fresh: c.payload(3) } } })]);
    expect(Object.keys(started().memo?.fields ?? {})).toEqual(["fresh"]);
    expect(started().retryPolicy).toBeUndefined();
  });

  it("keeps priority and the deadline of the whole chain", () => {
    world.start("w", { workflowExecutionTimeout: c.seconds(100), priority: { priorityKey: 1 } });
    const deadline = started().workflowExecutionExpirationTime;
    world.advance(LIFE);
    world.answer([c.continueAsNew()]);
    expect(started()).toMatchObject({ workflowExecutionExpirationTime: deadline, priority: { priorityKey: 1 } });
    world.advance(95 * c.MICROS);
    expect(world.types().at(-1)).toBe("WORKFLOW_EXECUTION_TIMED_OUT");
    expect(world.runs()).toHaveLength(2);
  });

  it("waits for the rest of the shortest life of a run, so that a chain cannot spin", () => {
    world.start();
    world.advance(c.MICROS / 4);
    world.answer([c.continueAsNew()]);
    expect(started().firstWorkflowTaskBackoff).toMatchObject({ seconds: 0, nanos: 750_000_000 });
    expect(world.takeWorkflowTask()).toBeUndefined();
    world.advance(0.75 * c.MICROS);
    expect(world.takeWorkflowTask()).toBeDefined();
  });

  it("waits as long as the command asks for", () => {
    world.start();
    world.advance(LIFE);
    world.answer([c.continueAsNew({ backoffStartInterval: c.seconds(20) })]);
    world.advance(20 * c.MICROS - 1);
    expect(world.takeWorkflowTask()).toBeUndefined();
    world.advance(1);
    expect(world.takeWorkflowTask()).toBeDefined();
  });

  it("leaves behind what the old run had pending", () => {
    const first = world.running([c.timer("t", 10), c.activity("a")]);
    const taken = world.activityTask();
    world.signal("s");
    world.answer([c.continueAsNew()]);
    world.advance(60 * c.MICROS);
    expect(world.types("w", first).at(-1)).toBe("WORKFLOW_EXECUTION_CONTINUED_AS_NEW");
    expect(world.run("w").timers.base.size + world.run("w").activities.base.size).toBe(0);
    expect(taken).toBeDefined();
  });
});

describe("a workflow's retry", () => {
  it("starts the same again after 10, 20 seconds, and says at the end that attempts are used up", () => {
    const first = world.start("w", { retryPolicy: RETRY, input: c.payloads("in") }).runId;
    world.advance(LIFE);
    for (const [i, delay] of [10, 20].entries()) {
      const before = world.run("w").info.runId;
      world.answer([c.fail(c.applicationFailure(`no ${i}`))]);
      expect(world.last("workflowExecutionFailedEventAttributes", "w", before)).toMatchObject({
        retryState: RetryState.IN_PROGRESS,
        newExecutionRunId: world.run("w").info.runId,
      });
      expect(started()).toMatchObject({
        initiator: ContinueAsNewInitiator.RETRY,
        attempt: i + 2,
        input: c.payloads("in"),
        continuedFailure: { message: `no ${i}` },
        continuedExecutionRunId: before,
        firstExecutionRunId: first,
        firstWorkflowTaskBackoff: c.seconds(delay),
      });
      world.advance(delay * c.MICROS - 1);
      expect(world.takeWorkflowTask()).toBeUndefined();
      world.advance(1);
    }
    world.answer([c.fail(c.applicationFailure("no"))]);
    expect(world.last("workflowExecutionFailedEventAttributes")).toMatchObject({
      retryState: RetryState.MAXIMUM_ATTEMPTS_REACHED,
      newExecutionRunId: "",
    });
    expect(world.runs()).toHaveLength(3);
  });

  it("forgets what the failed attempt made of memo and search attributes", () => {
    world.start("w", { retryPolicy: RETRY, memo: { fields: { m: c.payload("of the start") } } });
    world.answer([c.memo({ m: "changed", n: "new" }), c.fail({ message: "no" })]);
    expect(started().memo).toEqual({ fields: { m: c.payload("of the start") } });
    expect(world.run("w").memo).toEqual({ fields: { m: c.payload("of the start") } });
  });

  it.each<[string, Parameters<typeof c.applicationFailure>[1], object, RetryState]>([
    ["is not retryable", { nonRetryable: true }, {}, RetryState.NON_RETRYABLE_FAILURE],
    ["has a type that is not retried", { type: "Fatal" }, { nonRetryableErrorTypes: ["Fatal"] }, RetryState.NON_RETRYABLE_FAILURE],
  ])("does not happen when the failure %s", (_, info, policy, retryState) => {
    world.start("w", { retryPolicy: { ...RETRY, ...policy } });
    world.answer([c.fail(c.applicationFailure("no", info))]);
    expect(world.last("workflowExecutionFailedEventAttributes").retryState).toBe(retryState);
    expect(world.runs()).toHaveLength(1);
  });

  it("does not happen without a policy", () => {
    world.start();
    world.answer([c.fail({ message: "no" })]);
    expect(world.last("workflowExecutionFailedEventAttributes").retryState).toBe(RetryState.RETRY_POLICY_NOT_SET);
  });

  it("does not happen when it would come after the end of the chain's time", () => {
    world.start("w", { retryPolicy: RETRY, workflowExecutionTimeout: c.seconds(9) });
    world.answer([c.fail({ message: "no" })]);
    expect(world.last("workflowExecutionFailedEventAttributes").retryState).toBe(RetryState.TIMEOUT);
  });

  it("waits as long as the failure asks for, but not beyond the policy's maximum", () => {
    world.start("w", { retryPolicy: RETRY });
    world.advance(LIFE);
    world.answer([c.fail(c.applicationFailure("no", { nextRetryDelay: c.seconds(3) }))]);
    expect(started().firstWorkflowTaskBackoff).toMatchObject(c.seconds(3));
    world.advance(10 * c.MICROS);
    world.answer([c.fail(c.applicationFailure("no", { nextRetryDelay: c.seconds(3600) }))]);
    expect(started().firstWorkflowTaskBackoff).toMatchObject(c.seconds(30));
  });

  it("follows a run that timed out, too", () => {
    const first = world.start("w", { retryPolicy: RETRY, workflowRunTimeout: c.seconds(60) }).runId;
    world.advance(60 * c.MICROS);
    expect(world.last("workflowExecutionTimedOutEventAttributes", "w", first)).toMatchObject({
      retryState: RetryState.IN_PROGRESS,
      newExecutionRunId: world.run("w").info.runId,
    });
    expect(started()).toMatchObject({ attempt: 2, continuedFailure: { message: "workflow timeout" } });
  });
});

describe("a cron workflow", () => {
  const cron = (more: Parameters<CoreWorld["start"]>[1] = {}) => {
    world.start("w", { cronSchedule: "@every 60s", ...more });
    world.advance(60 * c.MICROS);
  };

  it("runs again at the next time of its schedule, with the result of the run before", () => {
    cron();
    world.advance(10 * c.MICROS);
    world.answer([c.complete("first")]);
    expect(started()).toMatchObject({
      initiator: ContinueAsNewInitiator.CRON_SCHEDULE,
      cronSchedule: "@every 60s",
      firstWorkflowTaskBackoff: c.seconds(50),
      lastCompletionResult: c.payloads("first"),
      attempt: 1,
    });
    world.advance(50 * c.MICROS - 1);
    expect(world.takeWorkflowTask()).toBeUndefined();
    world.advance(1);
    expect(world.takeWorkflowTask()).toBeDefined();
  });

  it("leaves out the times that passed while it ran", () => {
    cron();
    const task = world.task();
    expect(task.response.attempt).toBe(1);
    world.complete(task);
    world.signal("s");
    world.advance(150 * c.MICROS);
    world.answer([c.complete()]);
    expect(started().firstWorkflowTaskBackoff).toMatchObject(c.seconds(30));
  });

  it("goes on after a failure, with the failure and the last result", () => {
    cron();
    world.answer([c.complete("good")]);
    world.advance(60 * c.MICROS);
    world.answer([c.fail({ message: "bad day" })]);
    expect(started()).toMatchObject({ lastCompletionResult: c.payloads("good"), continuedFailure: { message: "bad day" } });
  });

  it("has no last result after a run without one", () => {
    cron();
    world.answer([c.complete("good")]);
    world.advance(60 * c.MICROS);
    world.answer([c.complete()]);
    expect(started().lastCompletionResult).toBeUndefined();
  });

  it("goes on after a run that timed out", () => {
    cron({ workflowRunTimeout: c.seconds(30) });
    world.advance(30 * c.MICROS);
    expect(world.runs()).toHaveLength(2);
    expect(started()).toMatchObject({ firstWorkflowTaskBackoff: c.seconds(30), continuedFailure: { message: "workflow timeout" } });
  });

  it("is tried again by its retry policy before the schedule, without a last result", () => {
    cron({ retryPolicy: RETRY });
    world.answer([c.complete("good")]);
    world.advance(60 * c.MICROS);
    world.answer([c.fail({ message: "no" })]);
    expect(started()).toMatchObject({ initiator: ContinueAsNewInitiator.RETRY, attempt: 2, firstWorkflowTaskBackoff: c.seconds(10) });
    expect(started().lastCompletionResult).toBeUndefined();
  });

  it("ends with its cancellation", () => {
    cron();
    world.answer([c.cancel()]);
    expect(world.run("w").info.status).toBe(Status.CANCELED);
    expect(world.runs()).toHaveLength(1);
  });
});
