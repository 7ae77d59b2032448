import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, type Script, seconds } from "../session.js";

const shownAttributes = (a: { indexedFields: Record<string, Uint8Array> } | undefined) =>
  Object.entries(a?.indexedFields ?? {}).map(([name, value]) => [name, Buffer.from(decode(Payload, value).data).toString()]);

export const scripts: Record<string, Script> = {
  "a workflow that completes at once": async (s) => {
    await s.start();
    await s.answer([c.complete()]);
    await s.history();
  },
  "a workflow that fails": async (s) => {
    await s.start();
    await s.answer([c.fail("no")]);
    await s.history();
  },
  "a workflow that cancels itself": async (s) => {
    await s.start();
    await s.answer([c.cancel()]);
    await s.history();
  },
  "a workflow task that fails is tried again": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 6, identity: "worker", failure: { message: "bad" } });
    const again = await s.workflowTask();
    s.note("attempt", again.attempt);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: again.taskToken, identity: "worker", commands: [c.complete()] });
    await s.history();
  },
  "a third attempt": async (s) => {
    await s.start();
    for (let i = 0; i < 2; i++) {
      const t = await s.workflowTask();
      await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 6, identity: "worker" });
    }
    const t = await s.workflowTask();
    s.note("attempt", t.attempt);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete()] });
    await s.history();
  },
  "a workflow task that times out": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(1) });
    await s.workflowTask();
    await s.answer([c.complete()]);
    await s.history();
  },
  "a signal during a workflow task waits for its end": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.signal("during");
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.marker("m")] });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a close that has not seen a signal is refused": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.signal("unseen");
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete()] });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a heartbeat of the workflow task": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    const r = await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      forceCreateNewWorkflowTask: true,
      returnNewWorkflowTask: true,
    });
    s.note("a new task came with the answer", r.workflowTask !== undefined && r.workflowTask.taskToken.length > 0);
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: r.workflowTask?.taskToken ?? new Uint8Array(0),
      identity: "worker",
      commands: [c.complete()],
    });
    await s.history();
  },
  "a token that was used": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.timer("t", 100)] });
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [] });
    await s.refused("RespondWorkflowTaskFailed", { taskToken: t.taskToken, identity: "worker" });
  },
  "a token that is none": async (s) => {
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: new Uint8Array([1, 2, 3]), identity: "worker" });
    await s.refused("RespondWorkflowTaskCompleted", { identity: "worker" });
  },
  "a command after the closing one": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete(), c.marker("m")] });
  },
  "a marker": async (s) => {
    await s.start();
    await s.answer([c.marker("m"), c.complete()]);
    await s.history();
  },
  "a marker without a name": async (s) => {
    await s.start();
    await s.badAnswer([c.marker("")]);
    await s.history();
  },
  "memo and search attributes": async (s) => {
    await s.start();
    await s.answer([c.memo("k"), c.complete()]);
    await s.history();
  },
  "a search attribute that is not defined": async (s) => {
    await s.start();
    await s.badAnswer([c.searchAttributes("Nope")]);
    await s.history();
  },
  "a message that is absent": async (s) => {
    await s.start();
    await s.badAnswer([c.message("none")]);
    await s.history();
  },
  "continue as new": async (s) => {
    const first = await s.start();
    await s.sleep(10);
    await s.answer([c.continueAsNew()]);
    await s.history(s.id, first);
    await s.until("the next run is there", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return d.workflowExecutionInfo?.execution?.runId !== first;
    });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a retried workflow": async (s) => {
    const first = await s.start({ retryPolicy: { initialInterval: seconds(1), backoffCoefficient: 1, maximumAttempts: 2 } });
    await s.answer([c.fail("again", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })]);
    await s.history(s.id, first);
    await s.answer([c.fail("and again", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })]);
    await s.history();
  },
  "workflow tasks that fail again and again are reported, until one succeeds": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(60) });
    const problems = async () =>
      (await s.call("CountWorkflowExecutions", { query: `WorkflowId = '${s.id}' AND TemporalReportedProblems = 'category=WorkflowTaskFailed'` }))
        .count;
    for (let n = 1; n <= 5; n++) {
      const t = await s.workflowTask();
      if (n === 5) s.note("reported before", await problems());
      await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: n === 1 ? 24 : 6, identity: "worker" });
    }
    await s.until("it is reported", async () => (await problems()) === 1);
    const attributes = async () =>
      (await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } })).workflowExecutionInfo?.searchAttributes;
    s.note("attributes", shownAttributes(await attributes()));
    await s.answer([c.timer("t", 60)]);
    await s.until("it is no longer", async () => (await problems()) === 0);
    s.note("attributes after", shownAttributes(await attributes()));
  },
};
