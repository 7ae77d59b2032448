import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

type Extra = Parameters<Session["call"]>[1];

/** Resets and answers the new run's id. */
async function reset(s: Session, eventId: number, extra: Extra = {}): Promise<string> {
  const r = await s.call("ResetWorkflowExecution", {
    workflowExecution: { workflowId: s.id },
    workflowTaskFinishEventId: eventId,
    requestId: `reset-${eventId}-${Math.random()}`,
    reason: "try again",
    ...extra,
  });
  return r.runId;
}

async function eventIds(s: Session, type: EventType, runId = ""): Promise<number[]> {
  const page = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: s.id, runId } });
  const events = page.history === undefined ? [] : decode(History, page.history).events;
  return events.filter((e) => e.eventType === type).map((e) => e.eventId);
}

const describe = (s: Session, runId = "", workflowId = s.id) => s.shown("DescribeWorkflowExecution", { execution: { workflowId, runId } });

const refused = (s: Session, eventId: number, extra: Extra = {}) =>
  s.refused("ResetWorkflowExecution", {
    workflowExecution: { workflowId: s.id },
    workflowTaskFinishEventId: eventId,
    requestId: "r",
    reason: "try again",
    ...extra,
  });

export const scripts: Record<string, Script> = {
  "a running workflow goes back to its first task": async (s) => {
    const first = await s.running([c.activity(s, "a"), c.marker("m")]);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker", result: payloads("out") });
    await s.workflowTask();
    const second = await reset(s, 4);
    await s.history(s.id, first);
    await describe(s, first);
    await describe(s, second);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a closed workflow goes on from its last task": async (s) => {
    const first = await s.running([c.timer("t", 100)]);
    await s.signal("go");
    await s.answer([c.complete(payloads("done"))]);
    const [, last = 0] = await eventIds(s, EventType.WORKFLOW_TASK_COMPLETED);
    const second = await reset(s, last);
    s.note("another run", second !== first);
    await s.history(s.id, first);
    await describe(s, first);
    await s.answer([c.fail("differently")]);
    await s.history();
    await describe(s);
  },
  "signals after the fork are sent again": async (s) => {
    await s.running();
    await s.signal("one", { input: payloads("1"), header: undefined });
    await s.answer([]);
    await s.signal("two");
    await reset(s, 4);
    await s.history();
  },
  "signals that are excluded, and cancel requests, are not": async (s) => {
    await s.running();
    await s.signal("one");
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, identity: "client", requestId: "c" });
    await s.answer([]);
    await reset(s, 4, { resetReapplyExcludeTypes: [1] });
    await s.history();
    await reset(s, 4, { resetReapplyType: 2 });
    await s.history();
  },
  "every type is excluded": async (s) => {
    await s.running();
    await s.signal("one");
    await s.answer([]);
    await reset(s, 4, { resetReapplyExcludeTypes: [1, 2, 3, 4] });
    await s.history();
  },
  "signals that wait for the running task are sent again": async (s) => {
    const first = await s.running();
    await s.signal("wakes");
    await s.workflowTask();
    await s.signal("waits one");
    await s.signal("waits two");
    await reset(s, 4);
    await s.history(s.id, first);
    await s.history();
  },
  "a run that continued as new, with signals to every run": async (s) => {
    const first = await s.running();
    await s.signal("to the first");
    await s.answer([c.continueAsNew()]);
    await s.signal("to the second");
    await s.answer([c.continueAsNew()]);
    await s.signal("to the third");
    const run = await reset(s, 4, { workflowExecution: { workflowId: s.id, runId: first } });
    await s.history(s.id, run);
    await s.history(s.id, first);
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId: first } }, (d) => d.workflowExtendedInfo);
  },
  "a reset of a run that was reset": async (s) => {
    const first = await s.running([c.marker("a")]);
    await s.signal("one");
    await s.answer([c.marker("b")]);
    const second = await reset(s, 4);
    await s.answer([c.marker("c")]);
    await s.signal("two");
    await s.answer([c.marker("d")]);
    const completed = await eventIds(s, EventType.WORKFLOW_TASK_COMPLETED, second);
    const third = await reset(s, completed.at(-1) ?? 0);
    await s.history(s.id, third);
    await describe(s, third);
    await reset(s, 4, { workflowExecution: { workflowId: s.id, runId: third } });
    await s.history();
    await describe(s, first);
    await s.answer([c.complete()]);
    await describe(s);
  },
  "what was pending at the fork goes on": async (s) => {
    await s.running([c.activity(s, "a", { heartbeatTimeout: seconds(30) }), c.timer("t", 5)]);
    const taken = await s.activityTask();
    await s.call("RecordActivityTaskHeartbeat", { taskToken: taken.taskToken, identity: "worker", details: payloads("beat") });
    await s.signal("go");
    await s.workflowTask();
    const [, scheduled = 0] = await eventIds(s, EventType.WORKFLOW_TASK_SCHEDULED);
    const run = await reset(s, scheduled + 1);
    await s.refused("RecordActivityTaskHeartbeat", { taskToken: taken.taskToken, identity: "worker" });
    await describe(s, run);
    const again = await s.activityTask();
    s.note("the activity comes again", [again.activityId, again.attempt, again.heartbeatDetails]);
    await s.call("RespondActivityTaskCompleted", { taskToken: again.taskToken, identity: "worker" });
    await s.until("the timer fires", async () => (await eventIds(s, EventType.TIMER_FIRED)).length === 1);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a task that no worker has taken": async (s) => {
    await s.start();
    await s.signal("while it waits");
    await reset(s, 3);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a task that is running": async (s) => {
    const first = await s.start();
    await s.workflowTask();
    await s.until("the task has started", async () => (await eventIds(s, EventType.WORKFLOW_TASK_STARTED)).length === 1);
    await reset(s, 3);
    await s.history(s.id, first);
    await s.answer([c.complete()]);
    await s.history();
  },
  "behind a task that failed": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, identity: "worker", cause: 23, failure: { message: "bug" } });
    await s.answer([c.marker("m")]);
    await reset(s, 5);
    await s.answer([c.complete()]);
    await s.history();
  },
  "at the failure of a task": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, identity: "worker", cause: 23, failure: { message: "bug" } });
    await s.answer([c.marker("m")]);
    await reset(s, 4);
    await s.history();
  },
  "memo and attributes are those of the fork": async (s) => {
    await s.running([c.memo("k", "before"), c.searchAttributes("ConformanceKeyword")], { memo: { fields: { s: payloads("start").subarray(2) } } });
    await s.signal("go");
    await s.answer([c.memo("k", "after"), c.memo("other")]);
    const [, last = 0] = await eventIds(s, EventType.WORKFLOW_TASK_COMPLETED);
    await reset(s, last);
    await describe(s);
  },
  "time-outs count from the reset": async (s) => {
    await s.running([], { workflowRunTimeout: seconds(6), workflowExecutionTimeout: seconds(9) });
    await s.sleep(3000);
    await reset(s, 4);
    await s.sleep(4000);
    await s.answer([]);
    await describe(s);
    await s.sleep(4000);
    await s.history();
  },
  "a child goes with the new run": async (s) => {
    const first = await s.running([c.child(`${s.id}-child`, { taskQueue: { name: `${s.queue}-child` } })]);
    await s.answer([c.timer("t", 100)]);
    await s.signal("go");
    await s.answer([]);
    const completed = await eventIds(s, EventType.WORKFLOW_TASK_COMPLETED);
    const run = await reset(s, completed.at(-1) ?? 0);
    await s.history(s.id, first);
    await describe(s, run);
    const t = await s.workflowTask(`${s.queue}-child`);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete(payloads("of the child"))] });
    await s.until("the parent knows", async () => (await eventIds(s, EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED)).length === 1);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a child that was started behind the fork": async (s) => {
    const first = await s.running([]);
    await s.signal("go");
    await s.answer([c.child(`${s.id}-child`, { taskQueue: { name: `${s.queue}-child` } })]);
    await s.answer([]);
    await reset(s, 4);
    await s.history(s.id, first);
    await s.answer([c.child(`${s.id}-child`, { taskQueue: { name: `${s.queue}-child` } })]);
    await s.until("the start is refused", async () => (await eventIds(s, EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED)).length === 1);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a child that ends before the reset": async (s) => {
    await s.running([c.child(`${s.id}-child`, { taskQueue: { name: `${s.queue}-child` } })]);
    await s.answer([]);
    const t = await s.workflowTask(`${s.queue}-child`);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.fail("the child's way")] });
    await s.answer([c.marker("seen")]);
    const [, second = 0] = await eventIds(s, EventType.WORKFLOW_TASK_COMPLETED);
    await reset(s, second);
    await s.history();
    await describe(s);
  },
  "a child that is reset": async (s) => {
    await s.start({ workflowId: `${s.id}-parent`, taskQueue: { name: `${s.queue}-parent` } });
    const p = await s.workflowTask(`${s.queue}-parent`);
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: p.taskToken,
      identity: "worker",
      commands: [c.child(s.id, { taskQueue: { name: s.queue } })],
    });
    await s.answer([c.timer("t", 100)]);
    const run = await reset(s, 4);
    await s.answer([c.complete(payloads("second try"))]);
    await s.until("the parent knows", async () => {
      const page = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: `${s.id}-parent` } });
      const events = page.history === undefined ? [] : decode(History, page.history).events;
      return events.some((e) => e.eventType === EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED);
    });
    await s.history(`${s.id}-parent`);
    await s.history(s.id, run);
    await describe(s, "", `${s.id}-parent`);
  },
  "options that follow the reset": async (s) => {
    const first = await s.running([], { priority: { priorityKey: 2 } });
    await reset(s, 4, {
      postResetOperations: [
        {
          variant: {
            case: "updateWorkflowOptions",
            value: { workflowExecutionOptions: { priority: { priorityKey: 5 } }, updateMask: { paths: ["priority"] } },
          },
        },
        {
          variant: {
            case: "updateWorkflowOptions",
            value: {
              workflowExecutionOptions: { versioningOverride: { override: { case: "autoUpgrade", value: true } } },
              updateMask: { paths: ["versioning_override"] },
            },
          },
        },
      ],
    } as never);
    await s.history();
    await describe(s);
    await describe(s, first);
  },
  "options and requests that came behind the fork": async (s) => {
    await s.running();
    await s.call("UpdateWorkflowExecutionOptions", {
      workflowExecution: { workflowId: s.id },
      workflowExecutionOptions: { priority: { priorityKey: 1 } },
      updateMask: { paths: ["priority"] },
      identity: "client",
    });
    await s.call("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "another start",
      workflowIdConflictPolicy: 2,
      onConflictOptions: { attachRequestId: true },
    });
    await reset(s, 4);
    await s.history();
    await describe(s);
  },
  "the start's request finds the new run": async (s) => {
    await s.running([], { requestId: "the start" });
    const second = await reset(s, 4);
    const r = await s.call("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "the start",
    });
    s.note("the same", [r.runId === second, r.started]);
  },
  "a workflow that is paused": async (s) => {
    const first = await s.running();
    await s.call("PauseWorkflowExecution", { workflowId: s.id, reason: "wait", requestId: "p" });
    await reset(s, 4);
    await s.history(s.id, first);
    await describe(s);
    await s.answer([c.complete()]);
  },
  "reset points name the run": async (s) => {
    const first = await s.start();
    await s.answer([c.timer("t", 100)], { binaryChecksum: "one" });
    await s.signal("go");
    await s.answer([], { binaryChecksum: "two" });
    const completed = await eventIds(s, EventType.WORKFLOW_TASK_COMPLETED);
    await reset(s, completed.at(-1) ?? 0);
    for (const runId of ["", first])
      await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId } }, (d) => d.workflowExecutionInfo?.autoResetPoints);
  },
  "resets that are refused": async (s) => {
    await refused(s, 4);
    await s.running([c.timer("one", 100), c.timer("two", 100)]);
    await s.refused("ResetWorkflowExecution", { workflowTaskFinishEventId: 4, requestId: "r" });
    await refused(s, 4, { requestId: "" });
    await refused(s, 4, { requestId: "x".repeat(1001) });
    await refused(s, 4, { workflowExecution: {} });
    await refused(s, 4, { workflowExecution: { workflowId: s.id, runId: "no run" } });
    await refused(s, 4, { workflowExecution: { workflowId: s.id, runId: "11111111-2222-4333-8444-555555555555" } });
    await refused(s, 4, { namespace: "no-such-namespace" });
    await refused(s, 0);
    await refused(s, 1);
    await refused(s, 2);
    await refused(s, 5);
    await refused(s, 6);
    await refused(s, 7);
    await refused(s, 8);
    await refused(s, 4, { postResetOperations: [{ variant: { case: "signalWorkflow", value: { signalName: "x" } } }] } as never);
    await refused(s, 4, { postResetOperations: [{}] } as never);
    const option = (value: object) => ({ postResetOperations: [{ variant: { case: "updateWorkflowOptions", value } }] }) as never;
    await refused(
      s,
      4,
      option({
        workflowExecutionOptions: {
          versioningOverride: { override: { case: "pinned", value: { behavior: 1, version: { deploymentName: "d", buildId: "b" } } } },
        },
        updateMask: { paths: ["versioning_override"] },
      }),
    );
    await refused(s, 4, option({ workflowExecutionOptions: {}, updateMask: { paths: ["versioning_override.behavior"] } }));
    await s.history();
  },
};
