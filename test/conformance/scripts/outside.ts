import { command as c, payloads, type Script, seconds } from "../session.js";

export const scripts: Record<string, Script> = {
  "a timer fires": async (s) => {
    await s.start();
    await s.answer([c.timer("t", 1)]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a timer of no time": async (s) => {
    await s.start();
    await s.answer([c.timer("t", 0)]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a timer is canceled": async (s) => {
    await s.start();
    await s.answer([c.timer("t", 100), c.cancelTimer("t"), c.complete()]);
    await s.history();
  },
  "a timer that is not there is canceled": async (s) => {
    await s.start();
    await s.badAnswer([c.cancelTimer("none")]);
    await s.history();
  },
  "two timers of one name": async (s) => {
    await s.start();
    await s.badAnswer([c.timer("t", 100), c.timer("t", 100)]);
    await s.history();
  },
  "a timer without a name": async (s) => {
    await s.start();
    await s.badAnswer([c.timer("", 1)]);
    await s.history();
  },
  "terminated with a workflow task running": async (s) => {
    await s.start();
    await s.workflowTask();
    await s.signal("lost or kept");
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id }, reason: "r", identity: "client", details: payloads("d") });
    await s.history();
  },
  "canceled twice": async (s) => {
    await s.start();
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, identity: "client", requestId: "r1", reason: "why" });
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, identity: "client", requestId: "r1" });
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, identity: "client", requestId: "r2" }).then(
      () => s.note("a second request", "is taken"),
      (e: Error) => s.note("a second request", e.message),
    );
    await s.answer([c.cancel()]);
    await s.history();
  },
  "canceled and terminated by the first run of the chain, whatever run is named besides": async (s) => {
    const runId = await s.start();
    await s.sleep(1100);
    await s.answer([c.continueAsNew()]);
    const workflowExecution = { workflowId: s.id, runId };
    const other = "11111111-1111-4111-8111-111111111111";
    await s.refused("TerminateWorkflowExecution", { workflowExecution });
    await s.refused("TerminateWorkflowExecution", { workflowExecution, firstExecutionRunId: other });
    await s.refused("RequestCancelWorkflowExecution", { workflowExecution, firstExecutionRunId: other });
    await s.shown("RequestCancelWorkflowExecution", { workflowExecution });
    await s.shown("RequestCancelWorkflowExecution", { workflowExecution: { ...workflowExecution, runId: other }, firstExecutionRunId: runId });
    await s.history();
    await s.shown("TerminateWorkflowExecution", { workflowExecution, firstExecutionRunId: runId });
    await s.history();
    await s.shown("RequestCancelWorkflowExecution", { workflowExecution, firstExecutionRunId: other });
    await s.refused("TerminateWorkflowExecution", { workflowExecution, firstExecutionRunId: runId });
  },
  "a run that times out": async (s) => {
    await s.start({ workflowRunTimeout: seconds(1) });
    await s.answer([c.timer("t", 100)]);
    await s.sleep(1500);
    await s.history();
  },
  "what is closed is refused": async (s) => {
    await s.start();
    await s.answer([c.complete()]);
    await s.refused("SignalWorkflowExecution", { workflowExecution: { workflowId: s.id }, signalName: "x" });
    await s.refused("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.refused("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "what is not there is refused": async (s) => {
    const runId = "11111111-2222-4333-8444-555555555555";
    for (const execution of [{ workflowId: s.id }, { workflowId: s.id, runId }]) {
      await s.refused("SignalWorkflowExecution", { workflowExecution: execution, signalName: "x" });
      await s.refused("DescribeWorkflowExecution", { execution });
      await s.refused("TerminateWorkflowExecution", { workflowExecution: execution });
      await s.refused("RequestCancelWorkflowExecution", { workflowExecution: execution });
      await s.refused("GetWorkflowExecutionHistory", { execution });
      await s.refused("QueryWorkflow", { execution, query: { queryType: "q" } });
      await s.refused("ResetStickyTaskQueue", { execution });
    }
  },
  "a start that is refused": async (s) => {
    await s.start();
    await s.refused("StartWorkflowExecution", { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, requestId: "other" });
    await s.answer([c.complete()]);
    await s.refused("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "third",
      workflowIdReusePolicy: 3,
    });
    await s.refused("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "fourth",
      workflowIdReusePolicy: 2,
    });
  },
  "the running one is terminated": async (s) => {
    const first = await s.start();
    await s.start({ workflowIdConflictPolicy: 3 });
    await s.history(s.id, first);
  },
  "the running one is used": async (s) => {
    const first = await s.start();
    const r = await s.call("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "other",
      workflowIdConflictPolicy: 2,
    });
    s.note("the same run", [r.runId === first, r.started]);
  },
  "the same request twice": async (s) => {
    const a = await s.call("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "same",
    });
    const b = await s.call("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "same",
    });
    s.note("answers", [a.runId === b.runId, a.started, b.started]);
    await s.signal("once", { requestId: "sig" });
    await s.signal("once", { requestId: "sig" });
    await s.history();
  },
  "signal with start": async (s) => {
    for (const name of ["one", "two"])
      await s.call("SignalWithStartWorkflowExecution", {
        workflowId: s.id,
        workflowType: { name: "T" },
        taskQueue: { name: s.queue },
        signalName: name,
        signalInput: payloads(name),
        requestId: `r-${name}`,
        identity: "client",
        workflowTaskTimeout: seconds(10),
      });
    await s.history();
  },
  "a start delay, and a signal during it": async (s) => {
    await s.start({ workflowStartDelay: seconds(1) });
    await s.signal("early");
    await s.answer([c.complete()]);
    await s.history();
  },
  "a child that completes": async (s) => {
    await s.start();
    await s.answer([c.child(`${s.id}-child`, { input: payloads("in") })]);
    for (let i = 0; i < 2; i++) {
      const t = await s.workflowTask();
      await s.call("RespondWorkflowTaskCompleted", {
        taskToken: t.taskToken,
        identity: "worker",
        commands: t.workflowType?.name === "C" ? [c.complete()] : [],
      });
    }
    await s.answer([c.complete()]);
    await s.history(`${s.id}-child`);
  },
  "a child whose id is taken": async (s) => {
    await s.start({ workflowId: `${s.id}-child`, taskQueue: { name: `${s.queue}-other` } });
    await s.start();
    await s.answer([c.child(`${s.id}-child`)]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a signal to nobody, and a cancel of nobody": async (s) => {
    await s.start();
    await s.answer([c.signalExternal("there-is-none")]);
    await s.answer([c.cancelExternal("there-is-none")]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a start without what it needs": async (s) => {
    await s.refused("StartWorkflowExecution", { workflowType: { name: "T" }, taskQueue: { name: s.queue } });
    await s.refused("StartWorkflowExecution", { workflowId: s.id, taskQueue: { name: s.queue } });
    await s.refused("StartWorkflowExecution", { workflowId: s.id, workflowType: { name: "T" } });
    await s.refused("StartWorkflowExecution", { workflowId: "x".repeat(1001), workflowType: { name: "T" }, taskQueue: { name: s.queue } });
    await s.refused("StartWorkflowExecution", {
      namespace: "there-is-no-such-namespace",
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
    });
    await s.refused("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      cronSchedule: "nonsense",
    });
    await s.refused("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      workflowRunTimeout: { seconds: -1 },
    });
    await s.refused("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      retryPolicy: { backoffCoefficient: 0.5 },
    });
  },
};
