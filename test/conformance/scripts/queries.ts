/** Queries: direct, with a workflow task, rejected, failed, unanswered; and what a worker may say of them. */
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const query = (s: Session, extra: object = {}) =>
  s.call("QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q", queryArgs: payloads("arg") }, ...extra }).then(
    (r) => s.note("answer", r),
    async (e: Error & { code?: number; details?: string[] }) =>
      s.note("no answer", { code: e.code, message: e.code === 4 ? "" : e.message, details: e.details }),
  );

export const scripts: Record<string, Script> = {
  "asked directly of a closed workflow": async (s) => {
    await s.running([c.complete()]);
    const asked = query(s);
    const t = await s.workflowTask();
    s.note("task", { query: t.query, queries: Object.keys(t.queries).length, attempt: t.attempt, startedEventId: t.startedEventId });
    await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("result") });
    await asked;
  },
  "a worker that says no": async (s) => {
    await s.running([c.complete()]);
    const asked = query(s);
    const t = await s.workflowTask();
    await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 2, errorMessage: "cannot" });
    await asked;
  },
  "answered twice": async (s) => {
    await s.running([c.complete()]);
    const asked = query(s);
    const t = await s.workflowTask();
    await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("result") });
    await asked;
    await s.refused("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("again") });
    await s.refused("RespondQueryTaskCompleted", { completedType: 1 });
    await s.refused("RespondQueryTaskCompleted", { taskToken: new Uint8Array([1, 2, 3]), completedType: 1 });
  },
  "with the workflow task": async (s) => {
    await s.running();
    await s.signal("first");
    const asked = query(s);
    await s.until("the query waits", async () => true);
    await s.sleep(300);
    const t = await s.workflowTask();
    const ids = Object.keys(t.queries);
    s.note("queries of the task", Object.values(t.queries));
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      commands: [c.marker("m")],
      queryResults: Object.fromEntries(ids.map((id) => [id, { resultType: 1, answer: payloads("with the task") }])),
    });
    await asked;
    await s.history();
  },
  "asked while a task runs, which brings nothing new": async (s) => {
    await s.running();
    await s.signal("first");
    const running = await s.workflowTask();
    const asked = query(s);
    await s.sleep(300);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: running.taskToken, identity: "worker" });
    const t = await s.workflowTask();
    s.note("task", { query: t.query, queries: Object.keys(t.queries).length, attempt: t.attempt, startedEventId: t.startedEventId });
    await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("after the task") });
    await asked;
    await s.history();
  },
  "asked while a task runs, during which a signal comes": async (s) => {
    await s.running();
    await s.signal("first");
    const running = await s.workflowTask();
    const asked = query(s);
    await s.sleep(300);
    await s.signal("second");
    await s.call("RespondWorkflowTaskCompleted", { taskToken: running.taskToken, identity: "worker" });
    const t = await s.workflowTask();
    s.note("queries of the task", Object.values(t.queries));
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      queryResults: Object.fromEntries(Object.keys(t.queries).map((id) => [id, { resultType: 1, answer: payloads("with the second") }])),
    });
    await asked;
    await s.history();
  },
  "a failed one with the workflow task": async (s) => {
    await s.running();
    await s.signal("first");
    const asked = query(s);
    await s.sleep(300);
    const t = await s.workflowTask();
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      queryResults: Object.fromEntries(Object.keys(t.queries).map((id) => [id, { resultType: 2, errorMessage: "cannot" }])),
    });
    await asked;
  },
  "rejected by what the workflow is": async (s) => {
    await s.running([c.fail("no")]);
    await query(s, { queryRejectCondition: 2 });
    await query(s, { queryRejectCondition: 3 });
  },
  "rejected only when not completed cleanly": async (s) => {
    await s.running([c.complete()]);
    await query(s, { queryRejectCondition: 2 });
    const asked = query(s, { queryRejectCondition: 3 });
    const t = await s.workflowTask();
    await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("clean") });
    await asked;
  },
  "before the first workflow task": async (s) => {
    await s.start({ workflowStartDelay: seconds(100) });
    await query(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "of a closed workflow that never had a task completed": async (s) => {
    await s.start();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await query(s);
  },
  "after a failed workflow task": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 6, identity: "worker" });
    await query(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "asked of a worker that has the workflow, which gets no history, and of another one": async (s) => {
    const workerTaskQueue = { name: `${s.queue}-sticky`, kind: 2, normalName: s.queue };
    await s.start();
    await s.answer([c.timer("t", 100)], { stickyAttributes: { workerTaskQueue, scheduleToStartTimeout: seconds(5) } });
    for (const taskQueue of [workerTaskQueue, { name: s.queue }]) {
      const poll = s.call("PollWorkflowTaskQueue", { taskQueue, identity: "worker" }, 30_000);
      if (taskQueue !== workerTaskQueue) await s.call("ResetStickyTaskQueue", { execution: { workflowId: s.id } });
      // A sticky queue is asked once its worker has been seen.
      await s.sleep(500);
      const answer = query(s);
      const t = await poll;
      s.note("task", {
        ...t,
        taskToken: undefined,
        // How busy the queue is.
        pollerScalingDecision: undefined,
        history: t.history === undefined ? undefined : decode(History, t.history).events.map((e) => e.eventId),
      });
      await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("state") });
      await answer;
    }
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "asked of a worker that has the workflow and does not answer": async (s) => {
    const workerTaskQueue = { name: `${s.queue}-sticky`, kind: 2, normalName: s.queue };
    await s.start();
    await s.answer([c.timer("t", 100)], { stickyAttributes: { workerTaskQueue, scheduleToStartTimeout: seconds(2) } });
    // It is seen, and takes nothing more.
    await s.call("PollWorkflowTaskQueue", { taskQueue: workerTaskQueue, identity: "worker" }, 1500).catch(() => undefined);
    const answer = query(s);
    const t = await s.workflowTask();
    const events = t.history === undefined ? undefined : decode(History, t.history).events.map((e) => e.eventId);
    s.note("task", { query: t.query, events, attempt: t.attempt });
    await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("state") });
    await answer;
    await s.signal("more");
    await s.answer([c.complete()]);
    await s.history();
  },
  "without what it needs": async (s) => {
    await s.refused("QueryWorkflow", { execution: { workflowId: s.id } });
    await s.refused("QueryWorkflow", { query: { queryType: "q" } });
    await s.refused("QueryWorkflow", { execution: { workflowId: s.id, runId: "no uuid" }, query: { queryType: "q" } });
    await s.refused("QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q" }, namespace: "there-is-no-such-namespace" });
  },
};
