/** Calls that wait: how long for nothing, by the settings of `play-moments.ts` and by the caller's deadline, and what ends them before. */

import { acceptance, requestOf } from "../../conformance/scripts/updates.js";
import { command as c, seconds } from "../../conformance/session.js";
import { CallError } from "../../conformance/subject.js";
import type { MomentScript, MomentSession } from "../moment-session.js";
import { failTask, failure } from "../outcomes.js";

/** Before the shortest setting, and after the longest. */
const DEADLINES_MS = [2500, 20_000];
const ACCEPTED = 2;
const COMPLETED = 3;
const ofWorkflow = (s: MomentSession) => ({ execution: { workflowId: s.id } });
const each = (f: (name: string, timeoutMs: number) => Promise<unknown>) => Promise.all(DEADLINES_MS.map((ms) => f(`with ${ms / 1000} s`, ms)));

const update = (s: MomentSession, updateId: string, lifecycleStage: number, timeoutMs: number) =>
  s.call(
    "UpdateWorkflowExecution",
    { workflowExecution: { workflowId: s.id }, waitPolicy: { lifecycleStage }, request: requestOf(updateId) } as never,
    timeoutMs,
  );
const startActivity = (s: MomentSession) =>
  s.call("StartActivityExecution", {
    activityId: s.id,
    requestId: s.id,
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(100),
  });

export const scripts: Record<string, MomentScript> = {
  "polls of empty task queues": async (s) => {
    const taskQueue = { name: s.queue };
    await each(async (name, ms) =>
      Promise.all([
        s.ends(`workflow tasks ${name}`, s.call("PollWorkflowTaskQueue", { taskQueue, identity: "w" }, ms)),
        s.ends(`activity tasks ${name}`, s.call("PollActivityTaskQueue", { taskQueue, identity: "w" }, ms)),
        s.ends(`Nexus tasks ${name}`, s.call("PollNexusTaskQueue", { taskQueue, identity: "w" }, ms)),
      ]),
    );
  },
  "a poll that a task ends": async (s) => {
    const asked = s.ends("poll", s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue }, identity: "w" }));
    await s.goTo(1.5);
    await s.start();
    await asked;
  },
  "a history that does not grow": async (s) => {
    await s.start();
    await each(async (name, ms) => {
      const { nextPageToken } = await s.call("GetWorkflowExecutionHistory", { ...ofWorkflow(s), waitNewEvent: true });
      await s.ends(`new events ${name}`, s.call("GetWorkflowExecutionHistory", { ...ofWorkflow(s), waitNewEvent: true, nextPageToken }, ms));
    });
  },
  "a workflow that does not end": async (s) => {
    await s.start();
    await each((name, ms) =>
      s.ends(`its end ${name}`, s.call("GetWorkflowExecutionHistory", { ...ofWorkflow(s), waitNewEvent: true, historyEventFilterType: 2 }, ms)),
    );
  },
  "a workflow that ends": async (s) => {
    await s.running();
    const request = { ...ofWorkflow(s), waitNewEvent: true, historyEventFilterType: 2 };
    const asked = s.ends("its end", s.call("GetWorkflowExecutionHistory", request));
    await s.goTo(1.5);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await asked;
  },
  "updates that nobody takes": async (s) => {
    await s.start();
    await each(async (name, ms) =>
      Promise.all([
        s.ends(`acceptance ${name}`, update(s, `a-${ms}`, ACCEPTED, ms)),
        s.ends(`completion ${name}`, update(s, `c-${ms}`, COMPLETED, ms)),
      ]),
    );
  },
  "the outcome of an update that is accepted": async (s) => {
    await s.running();
    const asked = update(s, "u", COMPLETED, 1500).catch((e: unknown) => {
      if (!(e instanceof CallError)) throw e;
    });
    const t = await s.workflowTaskBy(3);
    await s.completeWith(t, { messages: [acceptance("u", 4)], commands: [c.message("u/accept")] });
    await asked;
    const updateRef = { workflowExecution: { workflowId: s.id }, updateId: "u" };
    await each((name, ms) =>
      s.ends(`outcome ${name}`, s.call("PollWorkflowExecutionUpdate", { updateRef, waitPolicy: { lifecycleStage: COMPLETED } } as never, ms)),
    );
  },
  "a standalone activity that does not end": async (s) => {
    await startActivity(s);
    await each((name, ms) => s.ends(`outcome ${name}`, s.call("PollActivityExecution", { activityId: s.id }, ms)));
  },
  "a standalone activity that does not change": async (s) => {
    await startActivity(s);
    await each(async (name, ms) => {
      const { longPollToken } = await s.call("DescribeActivityExecution", { activityId: s.id });
      await s.ends(`change ${name}`, s.call("DescribeActivityExecution", { activityId: s.id, longPollToken }, ms));
    });
  },
  "a standalone Nexus operation that does not end or change": async (s) => {
    await s.call("CreateNexusEndpoint", {
      spec: { name: `e-${s.queue}`, target: { variant: { case: "worker", value: { namespace: "default", taskQueue: s.queue } } } },
    });
    const operation = { operationId: s.id, requestId: s.id, endpoint: `e-${s.queue}`, service: "S", operation: "O" };
    await s.call("StartNexusOperationExecution", operation);
    await s.goTo(1);
    await each(async (name, ms) => {
      const { longPollToken } = await s.call("DescribeNexusOperationExecution", { operationId: s.id });
      await Promise.all([
        s.ends(`outcome ${name}`, s.call("PollNexusOperationExecution", { operationId: s.id, waitStage: 2 }, ms)),
        s.ends(`change ${name}`, s.call("DescribeNexusOperationExecution", { operationId: s.id, longPollToken }, ms)),
      ]);
    });
  },
  "queries that nobody answers": async (s) => {
    await s.running();
    await Promise.all(
      [2500, 6000].map((ms) => s.ends(`query with ${ms / 1000} s`, s.call("QueryWorkflow", { ...ofWorkflow(s), query: { queryType: "q" } }, ms))),
    );
  },
  "a query that waits for a task, which fails": async (s) => {
    await s.start();
    const t = await s.workflowTaskBy(3);
    const asked = s.ends("query", s.call("QueryWorkflow", { ...ofWorkflow(s), query: { queryType: "q" } }, 6000));
    await s.goTo(1);
    await failTask(s, t);
    s.happens("failed");
    const u = await s.workflowTaskBy(4);
    s.happens(`next, attempt ${u?.attempt}, with ${Object.keys(u?.queries ?? {}).length} queries`);
    await failTask(s, u);
    await asked;
  },
  "a query that goes straight to a worker": async (s) => {
    await s.running();
    const asked = s.ends("query", s.call("QueryWorkflow", { ...ofWorkflow(s), query: { queryType: "q" } }, 6000));
    await s.goTo(2);
    const t = await s.workflowTaskBy(4);
    s.happens("taken");
    await s.goTo(3);
    await s.call("RespondQueryTaskCompleted", {
      taskToken: t?.taskToken ?? new Uint8Array(0),
      completedType: 2,
      failure: failure(),
      errorMessage: "no",
    });
    await asked;
  },
  "an update of a paused workflow": async (s) => {
    await s.running();
    await s.call("PauseWorkflowExecution", { workflowId: s.id, reason: "r", requestId: "p", identity: "operator" });
    await s.ends("update", update(s, "u", ACCEPTED, 4000));
    await s.call("UnpauseWorkflowExecution", { workflowId: s.id, reason: "r", requestId: "u", identity: "operator" });
    const t = await s.workflowTaskBy(s.elapsed + 1.5);
    s.happens(`task: ${t !== undefined}`);
  },
};
