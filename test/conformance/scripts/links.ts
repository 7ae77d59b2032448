/** What calls and commands carry along: links, user metadata, request ids; and activities that start with the completion that schedules them. */

import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { encode } from "../../../src/api/wire.js";
import { command as c, type Script, type Session, seconds } from "../session.js";

const link = (workflowId: string) => ({ variant: { case: "workflowEvent" as const, value: { namespace: "n", workflowId, runId: "r" } } });
const text = (s: string) => encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(JSON.stringify(s)) });
const metadata = (s: string) => ({ userMetadata: { summary: text(`${s} summary`), details: text(`${s} details`) } });
const execution = (s: Session) => ({ workflowId: s.id });
const requests = (s: Session) =>
  s.shown("DescribeWorkflowExecution", { execution: execution(s) }, (d) =>
    Object.entries(d.workflowExtendedInfo?.requestIdInfos ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
const starting = (s: Session) => ({ workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, identity: "client" });

export const scripts: Record<string, Script> = {
  "links of a start, a signal, a cancel request and a termination": async (s) => {
    await s.shown("StartWorkflowExecution", { ...starting(s), requestId: "start", links: [link("a"), link("b")] }, (r) => [r.started, r.link]);
    await s.shown("SignalWorkflowExecution", {
      workflowExecution: execution(s),
      ...{ signalName: "x", requestId: "signal", identity: "client", links: [link("c")] },
    });
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: execution(s), requestId: "cancel", identity: "client", links: [link("d")] });
    await s.answer([]);
    await requests(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: execution(s), identity: "client", reason: "r", links: [link("e")] });
    await s.history();
    await requests(s);
  },
  "links of a signal that starts, and of one that finds it running": async (s) => {
    const signal = (requestId: string, of: string) =>
      s.shown(
        "SignalWithStartWorkflowExecution",
        { ...starting(s), signalName: "x", requestId, links: [link(of)], workflowIdConflictPolicy: 2 },
        (r) => [r.started, r.signalLink],
      );
    await signal("first", "a");
    await signal("second", "b");
    await signal("second", "b");
    await s.answer([]);
    // The official server shows the id of the signal's event with the type of the start's.
    await s.shown("DescribeWorkflowExecution", { execution: execution(s) }, (d) =>
      Object.entries(d.workflowExtendedInfo?.requestIdInfos ?? {}).map(([id, info]) => [id, info?.eventType]),
    );
    await s.history();
  },
  "links of a start that finds it running": async (s) => {
    await s.start({ requestId: "first" });
    const again = { ...starting(s), workflowIdConflictPolicy: 2 as const, onConflictOptions: { attachRequestId: true, attachLinks: true } };
    for (const requestId of ["second", "second", "third"])
      await s.shown("StartWorkflowExecution", { ...again, requestId, links: [link(requestId)] }, (r) => [r.started, r.link]);
    await requests(s);
    await s.history();
  },
  "a signal while a workflow task runs": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    await s.shown("SignalWorkflowExecution", {
      workflowExecution: execution(s),
      ...{ signalName: "x", requestId: "buffered", identity: "client", links: [link("c")] },
    });
    await requests(s);
    await s.call("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [c.timer("t", 60)] });
    await requests(s);
    await s.history();
  },
  "links refused": async (s) => {
    const refused = (links: object[]) => s.refused("StartWorkflowExecution", { ...starting(s), requestId: "r", links } as never);
    await refused([{}]);
    await refused([{ variant: { case: "workflowEvent", value: { namespace: "", workflowId: "w", runId: "r" } } }]);
    await refused([{ variant: { case: "workflowEvent", value: { namespace: "n", workflowId: "", runId: "r" } } }]);
    await refused([{ variant: { case: "workflowEvent", value: { namespace: "n", workflowId: "w", runId: "" } } }]);
    await refused([{ variant: { case: "batchJob", value: { jobId: "" } } }]);
    await refused(Array.from({ length: 11 }, (_, i) => link(`${i}`)));
    await refused([link("x".repeat(4001))]);
    await s.start();
    await s.refused("SignalWorkflowExecution", { workflowExecution: execution(s), signalName: "x", links: [{}] } as never);
    await s.refused("TerminateWorkflowExecution", { workflowExecution: execution(s), links: [{}] } as never);
    await s.refused("RequestCancelWorkflowExecution", { workflowExecution: execution(s), links: [{}] } as never);
  },
  "user metadata of a start and of commands": async (s) => {
    await s.start(metadata("start"));
    await s.answer([
      { ...c.activity(s, "a"), ...metadata("activity") },
      { ...c.timer("t", 60), ...metadata("timer") },
      { ...c.marker("m"), ...metadata("marker") },
      { ...c.child(`${s.id}-child`, { taskQueue: { name: `${s.queue}-c` } }), ...metadata("child") },
      { ...c.cancelTimer("t"), ...metadata("cancel") },
    ] as never);
    await s.until("the child has started", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: execution(s) });
      return d.pendingChildren.every((p) => p.runId !== "");
    });
    await s.shown("DescribeWorkflowExecution", { execution: execution(s) }, (d) => d.executionConfig);
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: `${s.id}-child` } }, (d) => d.executionConfig?.userMetadata);
    await s.answer([{ ...c.complete(), ...metadata("completion") }] as never);
    await s.history();
  },
  "user metadata of commands that end a run": async (s) => {
    await s.start({ retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } });
    const end = async (command: object, label: string, runId: string) => {
      await s.answer([{ ...command, ...metadata(label) }] as never);
      await s.history(s.id, runId);
    };
    const current = async () =>
      (await s.call("DescribeWorkflowExecution", { execution: execution(s) })).workflowExecutionInfo?.execution?.runId ?? "";
    await end(c.fail("again"), "failure", await current());
    await s.sleep(1200);
    await end(c.continueAsNew({ taskQueue: { name: s.queue } }), "continuation", await current());
    await s.sleep(1200);
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: execution(s), requestId: "r", identity: "client" });
    await end(c.cancel(), "cancellation", await current());
  },
  "activities started with the completion that schedules them": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    const eager = { requestEagerExecution: true, startToCloseTimeout: seconds(60), heartbeatTimeout: seconds(30) };
    const { activityTasks } = await s.call("RespondWorkflowTaskCompleted", {
      taskToken,
      identity: "worker",
      commands: [
        c.activity(s, "eager", eager),
        c.activity(s, "plain"),
        c.activity(s, "elsewhere", { ...eager, taskQueue: { name: `${s.queue}-x` } }),
      ],
    });
    const shown = activityTasks.map(({ taskToken: _token, scheduledTime: _s, startedTime: _t, currentAttemptScheduledTime: _c, ...t }) => t);
    s.note("tasks", shown);
    await s.shown("DescribeWorkflowExecution", { execution: execution(s) }, (d) =>
      [...d.pendingActivities]
        .sort((a, b) => (a.activityId < b.activityId ? -1 : 1))
        .map((a) => [a.activityId, a.state, a.attempt, a.lastWorkerIdentity]),
    );
    s.note("by a poll", (await s.activityTask()).activityId);
    for (const t of activityTasks) await s.call("RespondActivityTaskCompleted", { taskToken: t.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
};
