/** Starts: what the first event holds, policies for an id that is taken, deduplication, describe at each stage. */
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const field = (v: string) => payloads(v).subarray(2);
/** Pending activities come in no order. */
const describe = (s: Session, workflowId = s.id, runId = "") =>
  s.shown("DescribeWorkflowExecution", { execution: { workflowId, runId } }, (d) => ({
    ...d,
    pendingActivities: d.pendingActivities.sort((a, b) => (a.activityId < b.activityId ? -1 : 1)),
  }));

export const scripts: Record<string, Script> = {
  "a start with everything": async (s) => {
    await s.start({
      input: payloads("in"),
      header: undefined,
      workflowExecutionTimeout: seconds(3600),
      workflowRunTimeout: seconds(600),
      retryPolicy: { initialInterval: seconds(2), maximumAttempts: 3, nonRetryableErrorTypes: ["X"] },
      memo: { fields: { m: field("memo") } },
      searchAttributes: { indexedFields: { ConformanceKeyword: field("kw") } },
      userMetadata: { summary: field("summary"), details: field("details") },
      priority: { priorityKey: 2, fairnessKey: "f", fairnessWeight: 1.5 },
    });
    await s.history();
    await describe(s);
  },
  "timeouts that exceed one another": async (s) => {
    await s.start({ workflowExecutionTimeout: seconds(10), workflowRunTimeout: seconds(100), workflowTaskTimeout: seconds(1000) });
    await s.history();
    await s.start({ workflowId: `${s.id}-2`, workflowTaskTimeout: undefined });
    await s.history(`${s.id}-2`);
    await s.start({ workflowId: `${s.id}-3`, workflowRunTimeout: seconds(5), workflowTaskTimeout: seconds(60) });
    await s.history(`${s.id}-3`);
  },
  "described at each stage": async (s) => {
    await s.start();
    await describe(s);
    const t = await s.workflowTask();
    await describe(s);
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      commands: [
        c.activity(s, "a", { heartbeatTimeout: seconds(60), retryPolicy: { initialInterval: seconds(100) } }),
        c.activity(s, "b", { retryPolicy: { initialInterval: seconds(100) }, scheduleToCloseTimeout: seconds(1000) }),
        c.child(`${s.id}-child`, { parentClosePolicy: 2, taskQueue: { name: `${s.queue}-c` } }),
        c.timer("t", 100),
      ],
    });
    await s.until("the child has started", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return (d.pendingChildren[0]?.runId ?? "") !== "" && d.pendingWorkflowTask !== undefined;
    });
    await s.answer([]);
    await describe(s);
    const tasks = [await s.activityTask(), await s.activityTask()];
    const token = (id: string) => tasks.find((t) => t.activityId === id)?.taskToken ?? new Uint8Array(0);
    await s.call("RecordActivityTaskHeartbeat", { taskToken: token("a"), identity: "worker", details: payloads("beat") });
    await s.call("RespondActivityTaskFailed", {
      taskToken: token("b"),
      identity: "worker",
      failure: { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never },
    });
    await describe(s);
    await s.signal("end");
    await s.answer([c.complete()]);
    await describe(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: `${s.id}-child` } });
  },
  "the same request twice, and the same id by another": async (s) => {
    const base = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, identity: "client" };
    const a = await s.call("StartWorkflowExecution", { ...base, requestId: "same" });
    const b = await s.call("StartWorkflowExecution", { ...base, requestId: "same" });
    s.note("one run", a.runId === b.runId);
    await s.refused("StartWorkflowExecution", { ...base, requestId: "other" });
    await s.refused("StartWorkflowExecution", { ...base, requestId: "other", workflowIdConflictPolicy: 1 });
    await s.answer([c.complete()]);
    await s.shown("StartWorkflowExecution", { ...base, requestId: "same" }, (r) => [r.runId === a.runId, r.started, r.status]);
    await s.shown("StartWorkflowExecution", { ...base, requestId: "again" }, (r) => [r.runId === a.runId, r.started, r.status]);
  },
  "reuse policies": async (s) => {
    const base = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, identity: "client" };
    await s.running([c.fail("no")]);
    await s.shown("StartWorkflowExecution", { ...base, requestId: "1", workflowIdReusePolicy: 2 }, (r) => [r.started, r.status]);
    await s.answer([c.complete()]);
    await s.refused("StartWorkflowExecution", { ...base, requestId: "2", workflowIdReusePolicy: 2 });
    await s.refused("StartWorkflowExecution", { ...base, requestId: "3", workflowIdReusePolicy: 3 });
    await s.shown("StartWorkflowExecution", { ...base, requestId: "4", workflowIdReusePolicy: 1 }, (r) => [r.started, r.status]);
    await s.sleep(1100);
    const first = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
    await s.shown("StartWorkflowExecution", { ...base, requestId: "5", workflowIdReusePolicy: 4 }, (r) => [r.started, r.status]);
    await s.history(s.id, first.workflowExecutionInfo?.execution?.runId ?? "");
  },
  "policies that exclude one another": async (s) => {
    const base = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue } };
    await s.refused("StartWorkflowExecution", { ...base, workflowIdReusePolicy: 4, workflowIdConflictPolicy: 2 });
    await s.refused("StartWorkflowExecution", { ...base, workflowIdReusePolicy: 3, workflowIdConflictPolicy: 3 });
    await s.refused("StartWorkflowExecution", { ...base, cronSchedule: "* * * * *", workflowStartDelay: seconds(10) });
    await s.refused("StartWorkflowExecution", { ...base, workflowStartDelay: seconds(-1) });
    await s.refused("StartWorkflowExecution", { ...base, requestId: "x".repeat(1001) });
    await s.refused("StartWorkflowExecution", { ...base, workflowType: { name: "x".repeat(1001) } });
    await s.refused("StartWorkflowExecution", { ...base, taskQueue: { name: "x".repeat(1001) } });
    await s.refused("StartWorkflowExecution", { ...base, taskQueue: { name: "/_sys/x" } });
    await s.refused("StartWorkflowExecution", { ...base, identity: "x".repeat(1001) });
    await s.refused("StartWorkflowExecution", { ...base, searchAttributes: { indexedFields: { Nope: field("v") } } });
    await s.refused("StartWorkflowExecution", { ...base, priority: { priorityKey: -1 } });
    await s.refused("StartWorkflowExecution", { ...base, workflowTaskTimeout: seconds(-1) });
    await s.refused("StartWorkflowExecution", { ...base, workflowExecutionTimeout: seconds(-1) });
    await s.refused("StartWorkflowExecution", { ...base, retryPolicy: { maximumInterval: seconds(-1) } });
    await s.refused("StartWorkflowExecution", { ...base, userMetadata: { summary: field("x".repeat(120)).subarray(0, 0) }, namespace: "" });
  },
  "an existing run is used, and told": async (s) => {
    await s.running();
    const base = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, identity: "other" };
    await s.call("StartWorkflowExecution", {
      ...base,
      requestId: "attached",
      workflowIdConflictPolicy: 2,
      onConflictOptions: { attachRequestId: true },
    });
    await s.call("StartWorkflowExecution", {
      ...base,
      requestId: "attached",
      workflowIdConflictPolicy: 2,
      onConflictOptions: { attachRequestId: true },
    });
    await s.refused("StartWorkflowExecution", {
      ...base,
      requestId: "callbacks",
      workflowIdConflictPolicy: 2,
      onConflictOptions: { attachCompletionCallbacks: true },
    });
    await s.history();
    await describe(s);
  },
  "an eager start": async (s) => {
    const r = await s.call("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "eager",
      identity: "client",
      requestEagerExecution: true,
    });
    s.note("a task came with it", [r.eagerWorkflowTask?.attempt, r.eagerWorkflowTask?.startedEventId]);
    if (r.eagerWorkflowTask !== undefined)
      await s.call("RespondWorkflowTaskCompleted", { taskToken: r.eagerWorkflowTask.taskToken, identity: "client", commands: [c.complete()] });
    await s.history();
  },
  "a start delay, described": async (s) => {
    await s.start({ workflowStartDelay: seconds(100) });
    await s.history();
    await describe(s);
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, identity: "client" });
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.history();
  },
  "a cron workflow waits for its time": async (s) => {
    await s.start({ cronSchedule: "@every 1000s" });
    await s.history();
  },
  "a cron workflow runs again": async (s) => {
    const first = await s.start({ cronSchedule: "@every 1s", memo: { fields: { m: field("memo") } } });
    await s.answer([c.complete(payloads("one"))]);
    await s.history(s.id, first);
    const t = await s.workflowTask();
    await s.history();
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.fail("two")] });
    await s.workflowTask();
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "a signal with start, in each case": async (s) => {
    const base = {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      signalName: "go",
      signalInput: payloads("x"),
      identity: "client",
    };
    await s.shown("SignalWithStartWorkflowExecution", { ...base, requestId: "1" });
    await s.shown("SignalWithStartWorkflowExecution", { ...base, requestId: "1" });
    await s.shown("SignalWithStartWorkflowExecution", { ...base, requestId: "2" });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, requestId: "3", workflowIdConflictPolicy: 1 });
    await s.history();
    await s.answer([c.complete()]);
    await s.refused("SignalWithStartWorkflowExecution", { ...base, requestId: "4", workflowIdReusePolicy: 3 });
    await s.shown("SignalWithStartWorkflowExecution", { ...base, requestId: "5" });
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "a signal with start, refused": async (s) => {
    const base = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, signalName: "go" };
    await s.refused("SignalWithStartWorkflowExecution", { ...base, workflowId: "" });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, signalName: "" });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, signalName: "x".repeat(1001) });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, workflowType: undefined });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, taskQueue: undefined });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, requestId: "x".repeat(1001) });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, retryPolicy: { backoffCoefficient: 0.5 } });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, namespace: "there-is-no-such-namespace" });
  },
  "a chain that continues as new keeps what it should": async (s) => {
    const first = await s.start({
      input: payloads("in"),
      workflowExecutionTimeout: seconds(3600),
      memo: { fields: { m: field("memo") } },
      searchAttributes: { indexedFields: { ConformanceKeyword: field("kw") } },
      retryPolicy: { maximumAttempts: 5 },
      priority: { priorityKey: 2 },
      userMetadata: { summary: field("summary") },
    });
    await s.sleep(1100);
    await s.answer([
      c.continueAsNew({
        input: payloads("next"),
        memo: { fields: { n: field("new memo") } },
        workflowRunTimeout: seconds(60),
        taskQueue: { name: `${s.queue}-2` },
        workflowType: { name: "T2" },
        lastCompletionResult: payloads("last"),
      }),
    ]);
    await s.history(s.id, first);
    await s.workflowTask(`${s.queue}-2`);
    await s.history();
    await describe(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "a workflow that is retried until it may not": async (s) => {
    const first = await s.start({ retryPolicy: { initialInterval: seconds(1), maximumAttempts: 5, nonRetryableErrorTypes: ["Final"] } });
    await s.answer([c.fail("one", { failureInfo: { case: "applicationFailureInfo", value: { type: "X", nextRetryDelay: seconds(1) } } })]);
    await s.history(s.id, first);
    await s.answer([c.fail("two", { failureInfo: { case: "applicationFailureInfo", value: { type: "Final" } } })]);
    await s.history();
    await describe(s);
  },
  "a run that times out is retried": async (s) => {
    const first = await s.start({ workflowRunTimeout: seconds(1), retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } });
    await s.until("the first run has closed", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId: first } });
      return d.workflowExecutionInfo?.status !== 1;
    });
    await s.history(s.id, first);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.history();
  },
};
