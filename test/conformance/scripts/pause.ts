import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const pause = (s: Session, extra: object = {}) =>
  s.call("PauseWorkflowExecution", { workflowId: s.id, identity: "operator", reason: "to look at it", requestId: "p1", ...extra });
const unpause = (s: Session, extra: object = {}) =>
  s.call("UnpauseWorkflowExecution", { workflowId: s.id, identity: "operator", reason: "looked at", requestId: "u1", ...extra });
const describe = (s: Session) => s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } });

export const scripts: Record<string, Script> = {
  "a workflow that waits for a signal": async (s) => {
    await s.running();
    await pause(s);
    await describe(s);
    const asked = { execution: { workflowId: s.id }, historyEventFilterType: 2 };
    await s.shown("GetWorkflowExecutionHistory", asked, (r) => decode(History, r.history as Uint8Array).events.map((e) => e.eventType));
    await s.signal("while it is paused", { input: payloads("x") });
    await s.history();
    await unpause(s);
    await s.answer([c.complete()]);
    await s.history();
    await describe(s);
  },
  "a workflow task that no worker has taken": async (s) => {
    await s.start();
    await pause(s);
    await s.history();
    await describe(s);
    await unpause(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a workflow task that is with a worker may end": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await pause(s);
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", forceCreateNewWorkflowTask: true });
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      commands: [c.activity(s, "a"), c.timer("t", 3)],
    });
    await s.history();
    await s.sleep(4000);
    await describe(s);
    await unpause(s);
    const a = await s.activityTask();
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a workflow task that closes the workflow": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await pause(s);
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete()] });
    await s.history();
    await unpause(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a workflow task that fails": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await pause(s);
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, identity: "worker", cause: 23, failure: { message: "bug" } });
    await describe(s);
    await unpause(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "activities are held back": async (s) => {
    await s.running([c.activity(s, "a"), c.activity(s, "b", { taskQueue: { name: `${s.queue}-b` } })]);
    const a = await s.activityTask();
    await pause(s);
    await s.call("RecordActivityTaskHeartbeat", { taskToken: a.taskToken, identity: "worker" });
    await describe(s);
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker", result: payloads("of a") });
    await s.history();
    await unpause(s);
    const b = await s.activityTask(`${s.queue}-b`);
    s.note("the one that waited", [b.activityId, b.attempt]);
    await s.call("RespondActivityTaskCompleted", { taskToken: b.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "queries are rejected": async (s) => {
    await s.running();
    await pause(s);
    await s.shown("QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q" } });
    await s.shown("QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q" }, queryRejectCondition: 2 });
  },
  "terminated, and cancelled, while it is paused": async (s) => {
    await s.running();
    await pause(s);
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, identity: "client", requestId: "c" });
    await describe(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id }, reason: "enough", identity: "client" });
    await s.history();
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => [d.workflowExecutionInfo?.status, d.workflowExtendedInfo]);
  },
  "its time runs while it is paused": async (s) => {
    await s.running([c.timer("t", 3)], { workflowRunTimeout: seconds(5) });
    await pause(s);
    await s.sleep(6000);
    await s.history();
  },
  "the same request twice": async (s) => {
    await s.running();
    await pause(s);
    await pause(s);
    await s.refused("PauseWorkflowExecution", { workflowId: s.id, requestId: "p2" });
    await unpause(s);
    await s.refused("UnpauseWorkflowExecution", { workflowId: s.id, requestId: "u1" });
    await pause(s, { requestId: "", reason: "" });
    await s.refused("PauseWorkflowExecution", { workflowId: s.id });
    await s.history();
    await describe(s);
  },
  "paused ones are listed": async (s) => {
    await s.running();
    await pause(s);
    const query = `WorkflowId = '${s.id}' AND ExecutionStatus = 'Paused'`;
    await s.until("it is listed", async () => (await s.call("ListWorkflowExecutions", { query })).executions.length === 1);
    const byInfo = `WorkflowId = '${s.id}' AND TemporalPauseInfo = 'Workflow:${s.id}'`;
    await s.until("it is found by what is paused", async () => (await s.call("ListWorkflowExecutions", { query: byInfo })).executions.length === 1);
    await unpause(s);
    await s.until("it is listed no more", async () => (await s.call("ListWorkflowExecutions", { query })).executions.length === 0);
  },
  "pauses that are refused": async (s) => {
    const long = "x".repeat(1001);
    for (const name of ["PauseWorkflowExecution", "UnpauseWorkflowExecution"] as const) {
      await s.refused(name, { workflowId: s.id });
      await s.refused(name, { workflowId: s.id, runId: "11111111-2222-4333-8444-555555555555" });
      await s.refused(name, {});
      await s.refused(name, { workflowId: s.id, runId: "no run" });
      await s.refused(name, { workflowId: s.id, namespace: "no-such-namespace" });
      await s.refused(name, { workflowId: s.id, reason: long });
      await s.refused(name, { workflowId: s.id, requestId: long });
      await s.refused(name, { workflowId: s.id, identity: long });
    }
    await s.running();
    await s.refused("UnpauseWorkflowExecution", { workflowId: s.id });
    await s.signal("go");
    await s.answer([c.complete()]);
    await s.refused("PauseWorkflowExecution", { workflowId: s.id });
    await s.refused("UnpauseWorkflowExecution", { workflowId: s.id });
  },
};
