/** Batch operations. The official server runs one at a time in a namespace: each script has a namespace of its own. */
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { StartBatchOperationRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, type Init } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds, shown } from "../session.js";

type Start = Init<StartBatchOperationRequest>;

/** The official server lets few namespaces be made at a time. */
const patiently = async <T>(s: Session, f: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await f();
    } catch (e) {
      if (!(e instanceof Error) || !e.message.includes("rate limit exceeded")) throw e;
      await s.sleep(500);
    }
  }
};

const eventsOf = async (s: Session, namespace: string, workflowId: string, runId = ""): Promise<Record<string, unknown>[]> => {
  const { history } = await s.call("GetWorkflowExecutionHistory", { namespace, execution: { workflowId, runId } });
  return (history === undefined ? [] : decode(History, history).events).map((e) => shown(e) as Record<string, unknown>);
};

const register = async (s: Session): Promise<string> => {
  const namespace = `${s.id}-ns`;
  await patiently(s, () => s.call("RegisterNamespace", { namespace, workflowExecutionRetentionPeriod: seconds(86_400) }));
  await s.until("the namespace is usable", () =>
    s.call("CountWorkflowExecutions", { namespace, query: "" }).then(
      () => true,
      () => false,
    ),
  );
  return namespace;
};

/** Waiting workflows of the namespace. */
const waiting = async (s: Session, namespace: string, count: number, workflowType = "T"): Promise<{ workflowId: string; runId: string }[]> => {
  const out: { workflowId: string; runId: string }[] = [];
  for (let i = 0; i < count; i++) {
    const workflowId = `${s.id}-${workflowType}-${i}`;
    out.push({ workflowId, runId: await s.start({ namespace, workflowId, workflowType: { name: workflowType } }) });
  }
  await s.until(
    "they are listed",
    async () => (await s.call("CountWorkflowExecutions", { namespace, query: `WorkflowType = '${workflowType}'` })).count === count,
  );
  return out;
};

const begin = async (s: Session, namespace: string, jobId: string, rest: Start): Promise<void> => {
  await s.call("StartBatchOperation", { namespace, jobId, reason: "because", ...rest });
};

const DONE = 2;
const ended = async (s: Session, namespace: string, jobId: string): Promise<void> => {
  await s.until("the job has ended", async () => (await s.call("DescribeBatchOperation", { namespace, jobId })).state >= DONE);
  await s.shown("DescribeBatchOperation", { namespace, jobId });
};

const statusOf = async (s: Session, namespace: string, execution: { workflowId: string; runId: string }): Promise<number> =>
  (await s.call("DescribeWorkflowExecution", { namespace, execution })).workflowExecutionInfo?.status ?? 0;

const queueIn = (s: Session) => ({ name: s.queue, kind: 1 as const });

/** Takes a workflow task of the namespace and answers it; the workflow's id. */
async function answerIn(s: Session, namespace: string, commands: object[]): Promise<string> {
  const task = await s.call("PollWorkflowTaskQueue", { namespace, taskQueue: queueIn(s), identity: "worker" }, 20_000);
  await s.call("RespondWorkflowTaskCompleted", { namespace, taskToken: task.taskToken, identity: "worker", commands });
  return task.workflowExecution?.workflowId ?? "";
}

/** Workflows that wait for activities of theirs, each for an "a" of type A and a "b" of type B. */
async function waitingForActivities(s: Session, namespace: string, count: number): Promise<{ workflowId: string; runId: string }[]> {
  const all = await waiting(s, namespace, count);
  const b = { activityType: { name: "B" }, taskQueue: { name: `${s.queue}-b` } };
  const options = { startToCloseTimeout: seconds(600), retryPolicy: { initialInterval: seconds(600) } };
  for (const _ of all) await answerIn(s, namespace, [c.activity(s, "a", options), c.activity(s, "b", { ...options, ...b })]);
  return all;
}

const pendingOf = (s: Session, namespace: string, all: readonly { workflowId: string; runId: string }[]) =>
  Promise.all(
    all.map(async (execution) => {
      const { pendingActivities } = await s.call("DescribeWorkflowExecution", { namespace, execution });
      return [...pendingActivities]
        .sort((x, y) => (x.activityId < y.activityId ? -1 : 1))
        .map((a) => [a.activityId, a.state, a.attempt, a.paused, a.activityOptions?.startToCloseTimeout, a.activityOptions?.heartbeatTimeout]);
    }),
  );

/** Both of each workflow fail once, so that they wait for their next attempts. */
async function failing(s: Session, namespace: string, count: number): Promise<void> {
  const failure = { message: "bad", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } } as never;
  for (let i = 0; i < count * 2; i++) {
    const name = i < count ? s.queue : `${s.queue}-b`;
    const task = await s.call("PollActivityTaskQueue", { namespace, taskQueue: { name, kind: 1 }, identity: "worker" }, 20_000);
    await s.call("RespondActivityTaskFailed", { namespace, taskToken: task.taskToken, identity: "worker", failure });
  }
}

const types = async (s: Session, namespace: string, workflowId: string, runId = "") =>
  (await eventsOf(s, namespace, workflowId, runId)).map((e) => e.type);

export const scripts: Record<string, Script> = {
  "signals by query": async (s) => {
    const namespace = await register(s);
    const [first] = await waiting(s, namespace, 3);
    await waiting(s, namespace, 1, "Other");
    await begin(s, namespace, "job", {
      visibilityQuery: "WorkflowType = 'T'",
      operation: { case: "signalOperation", value: { signal: "go", input: payloads("x"), identity: "operator" } },
    });
    await ended(s, namespace, "job");
    const history = await eventsOf(s, namespace, first?.workflowId ?? "", first?.runId);
    s.note("signaled", history.slice(2));
    s.note("the others", (await eventsOf(s, namespace, `${s.id}-Other-0`, "")).length);
  },
  "termination by a list": async (s) => {
    const namespace = await register(s);
    const all = await waiting(s, namespace, 3);
    await begin(s, namespace, "job", {
      executions: [...all.slice(0, 2), { workflowId: "there is none" }],
      operation: { case: "terminationOperation", value: { identity: "operator" } },
    });
    await ended(s, namespace, "job");
    const [, last] = await eventsOf(s, namespace, all[0]?.workflowId ?? "", "");
    s.note("status", await Promise.all(all.map((e) => statusOf(s, namespace, e))));
    s.note("terminated", last === undefined);
  },
  "cancellation of targets": async (s) => {
    const namespace = await register(s);
    const all = await waiting(s, namespace, 2);
    await begin(s, namespace, "job", {
      targetExecutions: all.map((e) => ({ type: 1, businessId: e.workflowId, runId: e.runId })),
      operation: { case: "cancellationOperation", value: { identity: "operator" } },
    });
    await ended(s, namespace, "job");
    s.note(
      "asked to cancel",
      await Promise.all(
        all.map(async (e) =>
          (await eventsOf(s, namespace, e.workflowId, e.runId)).some(
            (v) => "externalInitiatedEventId" in v || v.type === "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
          ),
        ),
      ),
    );
  },
  "deletion by query": async (s) => {
    const namespace = await register(s);
    const all = await waiting(s, namespace, 3);
    await s.call("TerminateWorkflowExecution", { namespace, workflowExecution: all[0], reason: "first" });
    await begin(s, namespace, "job", {
      visibilityQuery: "WorkflowType = 'T'",
      operation: { case: "deletionOperation", value: { identity: "operator" } },
    });
    await ended(s, namespace, "job");
    await s.until("all are gone", async () => (await s.call("CountWorkflowExecutions", { namespace, query: "WorkflowType = 'T'" })).count === 0);
    await s.until("and cannot be described", () =>
      s.call("DescribeWorkflowExecution", { namespace, execution: all[1] }).then(
        () => false,
        () => true,
      ),
    );
    await s.refused("DescribeWorkflowExecution", { namespace, execution: { workflowId: all[2]?.workflowId ?? "" } });
  },
  "a query that nothing answers": async (s) => {
    const namespace = await register(s);
    await begin(s, namespace, "job", {
      visibilityQuery: "WorkflowId = 'nobody'",
      operation: { case: "terminationOperation", value: {} },
    });
    await ended(s, namespace, "job");
  },
  "a query of an attribute that is not there": async (s) => {
    const namespace = await register(s);
    await begin(s, namespace, "job", {
      visibilityQuery: "Nonsense = 'x'",
      operation: { case: "terminationOperation", value: {} },
    });
    await ended(s, namespace, "job");
  },
  "one at a time, until it is stopped": async (s) => {
    const namespace = await register(s);
    // Who is not there is passed over, at the rate that is set.
    const executions = Array.from({ length: 400 }, (_, i) => ({ workflowId: `nobody-${i}` }));
    const operation = { case: "terminationOperation" as const, value: { identity: "operator" } };
    await begin(s, namespace, "long", { executions, operation, maxOperationsPerSecond: 5 });
    await s.until("it is under way", async () => (await s.call("ListBatchOperations", { namespace })).operationInfo.length === 1);
    await s.refused("StartBatchOperation", { namespace, jobId: "next", reason: "r", visibilityQuery: "WorkflowType = 'T'", operation });
    await s.shown("DescribeBatchOperation", { namespace, jobId: "long" }, (d) => [
      d.state,
      d.operationType,
      d.identity,
      d.reason,
      d.executions.length,
    ]);
    await s.shown("StopBatchOperation", { namespace, jobId: "long", reason: "enough", identity: "operator" });
    await s.until("it is over", async () => (await s.call("ListBatchOperations", { namespace })).operationInfo[0]?.state === 3);
    await s.shown("DescribeBatchOperation", { namespace, jobId: "long" }, (d) => [d.state, d.operationType, d.closeTime]);
    await s.refused("StopBatchOperation", { namespace, jobId: "long", reason: "again" });
    await begin(s, namespace, "next", { visibilityQuery: "WorkflowType = 'T'", operation });
    await ended(s, namespace, "next");
  },
  "an id is used once": async (s) => {
    const namespace = await register(s);
    const job = { visibilityQuery: "WorkflowType = 'T'", operation: { case: "terminationOperation" as const, value: {} } };
    await begin(s, namespace, "job", job);
    await ended(s, namespace, "job");
    await s.until("nothing runs", async () => (await s.call("ListBatchOperations", { namespace })).operationInfo[0]?.state === DONE);
    await s.refused("StartBatchOperation", { namespace, jobId: "job", reason: "r", ...job });
  },
  "a job is a workflow": async (s) => {
    const namespace = await register(s);
    await waiting(s, namespace, 2);
    await begin(s, namespace, "job", {
      visibilityQuery: "WorkflowType = 'T'",
      operation: { case: "signalOperation", value: { signal: "go", identity: "operator" } },
    });
    await ended(s, namespace, "job");
    await s.shown("DescribeWorkflowExecution", { namespace, execution: { workflowId: "job" } }, (d) => [
      d.workflowExecutionInfo?.type,
      d.workflowExecutionInfo?.status,
      d.workflowExecutionInfo?.memo,
      d.workflowExecutionInfo?.searchAttributes?.indexedFields.BatcherUser,
      d.workflowExecutionInfo?.searchAttributes?.indexedFields.TemporalNamespaceDivision,
      d.workflowExecutionInfo?.taskQueue,
    ]);
    s.note(
      "its history",
      (await eventsOf(s, namespace, "job", "")).map((e) => e.type),
    );
    const listed = async (query: string) => (await s.call("ListWorkflowExecutions", { namespace, query })).executions.length;
    await s.until(
      "it is listed where it is asked for",
      async () => (await listed("TemporalNamespaceDivision = 'TemporalBatcher' AND ExecutionStatus = 'Completed'")) === 1,
    );
    s.note("and nowhere else", await listed("WorkflowId = 'job'"));
  },
  "jobs listed": async (s) => {
    const namespace = await register(s);
    await s.shown("ListBatchOperations", { namespace });
    for (const jobId of ["one", "two"]) {
      await begin(s, namespace, jobId, { visibilityQuery: "WorkflowType = 'T'", operation: { case: "deletionOperation", value: {} } });
      await ended(s, namespace, jobId);
      await s.until("nothing runs", async () => (await s.call("ListBatchOperations", { namespace })).operationInfo.every((o) => o.state === DONE));
    }
    const first = await s.shown("ListBatchOperations", { namespace, pageSize: 1 }, (l) => [l.operationInfo, l.nextPageToken.length > 0]);
    await s.shown("ListBatchOperations", { namespace, pageSize: 1, nextPageToken: first.nextPageToken }, (l) => l.operationInfo);
  },
  "jobs that are not there": async (s) => {
    await s.refused("DescribeBatchOperation", { jobId: s.id });
    await s.refused("DescribeBatchOperation", { jobId: "" });
    await s.refused("StopBatchOperation", { jobId: s.id, reason: "r" });
    await s.refused("StopBatchOperation", { jobId: s.id });
    await s.refused("StopBatchOperation", { reason: "r" });
    const namespace = "there-is-no-such-namespace";
    await s.refused("StartBatchOperation", { namespace, jobId: s.id, reason: "r", visibilityQuery: "WorkflowType = 'T'" });
    await s.refused("DescribeBatchOperation", { namespace, jobId: s.id });
    await s.refused("StopBatchOperation", { namespace, jobId: s.id, reason: "r" });
    await s.refused("ListBatchOperations", { namespace });
  },
  "starts refused": async (s) => {
    const job = { jobId: s.id, reason: "r", visibilityQuery: "WorkflowType = 'T'" };
    const refused = (request: Start) => s.refused("StartBatchOperation", { ...job, ...request });
    const terminate = { case: "terminationOperation" as const, value: {} };
    await refused({});
    await refused({ operation: terminate, reason: "" });
    await refused({ operation: terminate, visibilityQuery: "" });
    await refused({ operation: terminate, jobId: "" });
    await refused({ operation: terminate, executions: [{ workflowId: "w" }] });
    await refused({
      operation: terminate,
      visibilityQuery: "",
      targetExecutions: [
        { type: 1, businessId: "w" },
        { type: 2, businessId: "a" },
      ],
    });
    await refused({ operation: terminate, visibilityQuery: "", targetExecutions: [{ businessId: "w" }] });
    await refused({ operation: terminate, visibilityQuery: "()" });
    await refused({ operation: terminate, visibilityQuery: "WorkflowType = 'T" });
    await refused({ operation: { case: "signalOperation", value: {} } });
    await refused({ operation: { case: "resetOperation", value: {} } });
    await refused({ operation: { case: "resetOperation", value: { options: {} } } });
    await refused({ operation: { case: "updateWorkflowOptionsOperation", value: {} } });
    await refused({ operation: { case: "updateWorkflowOptionsOperation", value: { workflowExecutionOptions: {} } } });
    await refused({ operation: { case: "unpauseActivitiesOperation", value: {} } });
    await refused({ operation: { case: "unpauseActivitiesOperation", value: { activity: { case: "type", value: "" } } } });
    await refused({ operation: { case: "unpauseActivitiesOperation", value: { activity: { case: "matchAll", value: false } } } });
    await refused({ operation: { case: "resetActivitiesOperation", value: {} } });
    await refused({ operation: { case: "resetActivitiesOperation", value: { activity: { case: "type", value: "" } } } });
    await refused({ operation: { case: "updateActivityOptionsOperation", value: {} } });
    await refused({ operation: { case: "updateActivityOptionsOperation", value: { activityOptions: {}, restoreOriginal: true } } });
    await refused({ operation: { case: "updateActivityOptionsOperation", value: { restoreOriginal: true, activity: { case: "type", value: "" } } } });
  },
  "resets by query, to the first and to the last workflow task": async (s) => {
    const namespace = await register(s);
    const all = await waiting(s, namespace, 2);
    for (const _ of all) await answerIn(s, namespace, []);
    for (const workflowExecution of all)
      await s.call("SignalWorkflowExecution", { namespace, workflowExecution, signalName: "kept", identity: "client", requestId: "r" });
    for (const _ of all) await answerIn(s, namespace, []);
    const reset = (target: object) => ({ case: "resetOperation" as const, value: { identity: "operator", options: { target } as never } });
    const query = { visibilityQuery: "WorkflowType = 'T' AND ExecutionStatus = 'Running'" };
    await begin(s, namespace, "first", { ...query, operation: reset({ case: "firstWorkflowTask", value: {} }) });
    await ended(s, namespace, "first");
    for (const { workflowId, runId } of all) {
      s.note("the run before", await types(s, namespace, workflowId, runId));
      const now = await eventsOf(s, namespace, workflowId, "");
      s.note("the run now", [now.slice(2, -2), now.map((e) => e.type)]);
    }
    await s.until("they are listed", async () => (await s.call("CountWorkflowExecutions", { namespace, query: query.visibilityQuery })).count === 2);
    for (const _ of all) await answerIn(s, namespace, []);
    await begin(s, namespace, "last", { ...query, operation: reset({ case: "lastWorkflowTask", value: {} }) });
    await ended(s, namespace, "last");
    for (const { workflowId } of all) s.note("the run after that", await types(s, namespace, workflowId));
  },
  "a reset to a workflow task by its event, of what is not there too": async (s) => {
    const namespace = await register(s);
    const [one] = await waiting(s, namespace, 1);
    await answerIn(s, namespace, []);
    const options = { target: { case: "workflowTaskId" as const, value: 4 }, resetReapplyExcludeTypes: [1 as const] };
    const workflowExecution = { workflowId: one?.workflowId ?? "" };
    await s.call("SignalWorkflowExecution", { namespace, workflowExecution, signalName: "left out", identity: "client", requestId: "r" });
    await begin(s, namespace, "job", {
      executions: [workflowExecution, { workflowId: "there is none" }],
      operation: { case: "resetOperation", value: { identity: "operator", options } },
    });
    await ended(s, namespace, "job");
    s.note("the run now", await types(s, namespace, one?.workflowId ?? ""));
  },
  "options of workflows": async (s) => {
    const namespace = await register(s);
    const all = await waiting(s, namespace, 2);
    await begin(s, namespace, "job", {
      visibilityQuery: "WorkflowType = 'T'",
      operation: {
        case: "updateWorkflowOptionsOperation",
        value: {
          identity: "operator",
          workflowExecutionOptions: { priority: { priorityKey: 2, fairnessKey: "k" } },
          updateMask: { paths: ["priority"] },
        },
      },
    });
    await ended(s, namespace, "job");
    for (const execution of all) {
      const { workflowExecutionInfo } = await s.call("DescribeWorkflowExecution", { namespace, execution });
      s.note("priority", workflowExecutionInfo?.priority);
      s.note("the event", (await eventsOf(s, namespace, execution.workflowId)).at(-1));
    }
  },
  "activities that were paused go on, by type and all": async (s) => {
    const namespace = await register(s);
    const all = await waitingForActivities(s, namespace, 2);
    for (const execution of all)
      for (const id of ["a", "b"])
        await s.call("PauseActivity", { namespace, execution, identity: "operator", reason: "why", activity: { case: "id", value: id } });
    s.note("paused", await pendingOf(s, namespace, all));
    const isListed = (type: string) => `TemporalPauseInfo = 'property:activityType=${type}'`;
    for (const type of ["A", "B"])
      await s.until("they are listed", async () => (await s.call("CountWorkflowExecutions", { namespace, query: isListed(type) })).count === 2);
    const unpause = (jobId: string, activity: { case: "type"; value: string } | { case: "matchAll"; value: boolean }) =>
      begin(s, namespace, jobId, {
        visibilityQuery: "WorkflowType = 'T'",
        operation: { case: "unpauseActivitiesOperation", value: { identity: "operator", activity } },
      });
    await unpause("by type", { case: "type", value: "A" });
    await ended(s, namespace, "by type");
    s.note("those of the type", await pendingOf(s, namespace, all));
    await unpause("all", { case: "matchAll", value: true });
    await ended(s, namespace, "all");
    s.note("all", await pendingOf(s, namespace, all));
  },
  "activities are reset, by type and all": async (s) => {
    const namespace = await register(s);
    const all = await waitingForActivities(s, namespace, 2);
    await failing(s, namespace, 2);
    s.note("before", await pendingOf(s, namespace, all));
    const reset = (jobId: string, activity: { case: "type"; value: string } | { case: "matchAll"; value: boolean }) =>
      begin(s, namespace, jobId, {
        visibilityQuery: "WorkflowType = 'T'",
        operation: { case: "resetActivitiesOperation", value: { identity: "operator", activity } },
      });
    await reset("by type", { case: "type", value: "A" });
    await ended(s, namespace, "by type");
    s.note("those of the type", await pendingOf(s, namespace, all));
    await reset("all", { case: "matchAll", value: true });
    await ended(s, namespace, "all");
    s.note("all", await pendingOf(s, namespace, all));
  },
  "options of activities": async (s) => {
    const namespace = await register(s);
    const all = await waitingForActivities(s, namespace, 2);
    const update = (jobId: string, value: object) =>
      begin(s, namespace, jobId, {
        visibilityQuery: "WorkflowType = 'T'",
        operation: { case: "updateActivityOptionsOperation", value: { identity: "operator", activity: { case: "type", value: "A" }, ...value } },
      });
    await update("other", {
      activityOptions: { startToCloseTimeout: seconds(77), heartbeatTimeout: seconds(7) },
      updateMask: { paths: ["start_to_close_timeout", "heartbeat_timeout"] },
    });
    await ended(s, namespace, "other");
    s.note("other ones", await pendingOf(s, namespace, all));
  },
  "standalone activities are canceled, terminated and deleted": async (s) => {
    const namespace = await register(s);
    const ids = ["one", "two", "three"].map((n) => `${s.id}-${n}`);
    const targets: { type: 2; businessId: string; runId: string }[] = [];
    for (const activityId of ids) {
      const { runId } = await s.call("StartActivityExecution", {
        ...{ namespace, activityId, activityType: { name: "A" }, taskQueue: queueIn(s), requestId: activityId },
        ...{ startToCloseTimeout: seconds(600), identity: "client" },
      });
      targets.push({ type: 2, businessId: activityId, runId });
    }
    const job = async (jobId: string, targetExecutions: typeof targets, operation: Start["operation"]) => {
      await begin(s, namespace, jobId, { targetExecutions: [...targetExecutions, { type: 2, businessId: "there is none", runId: "" }], operation });
      await ended(s, namespace, jobId);
    };
    const status = async (activityId: string) => (await s.call("DescribeActivityExecution", { namespace, activityId })).info?.status;
    await job("cancel", targets.slice(0, 1), { case: "cancelActivitiesOperation", value: { identity: "operator", reason: "c" } });
    await job("terminate", targets.slice(1, 2), { case: "terminateActivitiesOperation", value: { identity: "operator", reason: "t" } });
    s.note("status", await Promise.all(ids.map(status)));
    await job("delete", targets.slice(0, 2), { case: "deleteActivitiesOperation", value: { identity: "operator" } });
    for (const activityId of ids.slice(0, 2))
      await s.until("it is gone", () =>
        s.call("DescribeActivityExecution", { namespace, activityId }).then(
          () => false,
          () => true,
        ),
      );
    s.note("the third", await status(ids[2] as string));
  },
};
