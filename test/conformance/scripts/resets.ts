/** What a reset takes along of what came from outside, and what it leaves: updates, Nexus operations, callbacks; and resets of resets. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { PollNexusTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";
import { acceptance, admitted, done, noteAnswers, response, update } from "./updates.js";

const ACCEPTED = 2;
const COMPLETED = 3;
const SIGNALS = 1;
const UPDATES = 2;
const NEXUS = 3;

async function reset(s: Session, eventId: number, extra: object = {}): Promise<string> {
  const request = { workflowExecution: { workflowId: s.id }, workflowTaskFinishEventId: eventId, reason: "again", ...extra };
  return (await s.call("ResetWorkflowExecution", { requestId: `reset-${eventId}-${Math.random()}`, ...request })).runId;
}
const complete = (s: Session, t: { taskToken: Uint8Array }, extra: object = {}) =>
  s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", ...extra });
async function updated(s: Session, id: string, sequencingId: number): Promise<void> {
  const asked = update(s, id);
  await complete(s, await s.workflowTask(), done(id, sequencingId));
  await asked;
}
const pollUpdate = (s: Session, updateId: string) =>
  s.shown("PollWorkflowExecutionUpdate", {
    updateRef: { workflowExecution: { workflowId: s.id }, updateId },
    waitPolicy: { lifecycleStage: COMPLETED },
  });
async function eventIds(s: Session, type: EventType): Promise<number[]> {
  const page = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: s.id } });
  const events = page.history === undefined ? [] : decode(History, page.history).events;
  return events.filter((e) => e.eventType === type).map((e) => e.eventId);
}
const lastTask = async (s: Session) => (await eventIds(s, EventType.WORKFLOW_TASK_COMPLETED)).at(-1) ?? 0;
const terminate = (s: Session) => s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
const describeRun = (s: Session, runId = "") => s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId } });

const handlers = (s: Session) => `${s.queue}-h`;
const operation = (s: Session) => ({
  commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
  attributes: {
    case: "scheduleNexusOperationCommandAttributes",
    value: { endpoint: `e-${s.id}`, service: "svc", operation: "op", scheduleToCloseTimeout: seconds(60) },
  } as never,
});
const cancelOperation = (scheduledEventId: number) => ({
  commandType: CommandType.REQUEST_CANCEL_NEXUS_OPERATION,
  attributes: { case: "requestCancelNexusOperationCommandAttributes", value: { scheduledEventId } } as never,
});
const pollNexus = (s: Session) => s.call("PollNexusTaskQueue", { taskQueue: { name: handlers(s) }, identity: "handler" }, 20_000);
const respond = (s: Session, task: PollNexusTaskQueueResponse, variant: object) =>
  s.call("RespondNexusTaskCompleted", {
    taskToken: task.taskToken,
    identity: "handler",
    response: { variant: { case: "startOperation", value: { variant: variant as never } } },
  });
const startOf = (task: PollNexusTaskQueueResponse) => {
  const v = task.request?.variant;
  if (v?.case !== "startOperation") throw new Error("not a start");
  return v.value;
};
const asynchronously = { case: "asyncSuccess", value: { operationToken: "token" } };
const noOperations = (s: Session) => s.until("no operation is pending", async () => (await describeRun(s)).pendingNexusOperations.length === 0);

/** An operation, then a workflow task that has seen nothing of it, at which the histories part. */
async function scheduled(s: Session): Promise<{ task: PollNexusTaskQueueResponse; fork: number }> {
  const target = { variant: { case: "worker" as const, value: { namespace: "default", taskQueue: handlers(s) } } };
  await s.call("CreateNexusEndpoint", { spec: { name: `e-${s.id}`, target } });
  await s.running([operation(s)]);
  const task = await pollNexus(s);
  await s.signal("go");
  await s.answer([]);
  return { task, fork: await lastTask(s) };
}
async function seen(s: Session): Promise<void> {
  await s.history();
  await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => d.pendingNexusOperations);
}
const behind =
  (answer: object, extra: object = {}): Script =>
  async (s) => {
    const { task, fork } = await scheduled(s);
    await respond(s, task, answer);
    await s.answer([]);
    await reset(s, fork, extra);
    await seen(s);
  };
const synchronously = { case: "syncSuccess", value: { payload: payloads("out").subarray(2) } };
const failed = (failureInfo: object) => ({ case: "failure", value: { message: "no", failureInfo } });

export const scripts: Record<string, Script> = {
  "updates left out, and updates alone": async (s) => {
    const first = await s.running();
    await updated(s, "u", 4);
    await s.signal("go");
    await s.answer([]);
    for (const type of [UPDATES, SIGNALS]) {
      await reset(s, 4, { workflowExecution: { workflowId: s.id, runId: first }, resetReapplyExcludeTypes: [type] });
      await s.history();
    }
    noteAnswers(s);
  },
  "what the older field leaves out": async (s) => {
    const first = await s.running();
    await updated(s, "u", 4);
    await s.signal("go");
    await s.answer([]);
    for (const resetReapplyType of [1, 2, 3]) {
      await reset(s, 4, { workflowExecution: { workflowId: s.id, runId: first }, resetReapplyType });
      await s.history();
    }
    noteAnswers(s);
  },
  "an update that was accepted before the fork goes on": async (s) => {
    await s.running();
    const asked = update(s, "u", { waitPolicy: { lifecycleStage: ACCEPTED } });
    await complete(s, await s.workflowTask(), { messages: [acceptance("u", 4)] });
    await asked;
    await s.signal("go");
    await s.answer([]);
    await reset(s, await lastTask(s));
    await s.history();
    const polled = pollUpdate(s, "u");
    const t = await s.workflowTask();
    s.note("messages", t.messages);
    await complete(s, t, { messages: [response("u")] });
    await polled;
    noteAnswers(s);
    await s.history();
  },
  "an update whose task runs": async (s) => {
    await s.running();
    const asked = update(s, "u");
    await s.workflowTask();
    await reset(s, 4);
    await s.history();
    await terminate(s);
    await asked;
    noteAnswers(s);
  },
  "an update that waits for the task that runs": async (s) => {
    await s.running();
    await s.signal("go");
    await s.workflowTask();
    const asked = update(s, "u");
    await admitted(s, "u");
    await reset(s, 4);
    await s.history();
    const t = await s.workflowTask();
    s.note("messages", t.messages);
    await complete(s, t, t.messages.length === 0 ? {} : done("u", 7));
    await terminate(s);
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "an update that is accepted and not completed": async (s) => {
    await s.running();
    const asked = update(s, "u");
    await complete(s, await s.workflowTask(), { messages: [acceptance("u", 4)] });
    await reset(s, 4);
    await s.history();
    const t = await s.workflowTask();
    s.note("messages", t.messages);
    await complete(s, t, done("u", t.startedEventId - 1));
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "an operation that has started": behind(asynchronously),
  "an operation that has completed": behind(synchronously),
  "an operation that has failed": behind(failed({ case: "applicationFailureInfo", value: { type: "T", nonRetryable: true } })),
  "an operation that was canceled": behind(failed({ case: "canceledFailureInfo", value: {} })),
  "an operation that has completed, and the older field": behind(synchronously, { resetReapplyType: 2 }),
  "an operation left out is asked for again": async (s) => {
    const { task, fork } = await scheduled(s);
    await respond(s, task, synchronously);
    await s.answer([]);
    await reset(s, fork, { resetReapplyExcludeTypes: [NEXUS] });
    await seen(s);
    const again = await pollNexus(s);
    s.note("the same request", startOf(again).requestId === startOf(task).requestId);
    await respond(s, again, { case: "syncSuccess", value: {} });
    await noOperations(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a request to cancel an operation is left to the workflow": async (s) => {
    const { task, fork } = await scheduled(s);
    await respond(s, task, asynchronously);
    await s.answer([cancelOperation(5)]);
    const response = { variant: { case: "cancelOperation" as const, value: {} } };
    await s.call("RespondNexusTaskCompleted", { taskToken: (await pollNexus(s)).taskToken, response });
    await s.until("the answer is known", async () => (await eventIds(s, EventType.NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED)).length === 1);
    await reset(s, fork);
    await seen(s);
  },
  "who serves an operation for the run before ends it in the new one": async (s) => {
    const { task, fork } = await scheduled(s);
    await respond(s, task, asynchronously);
    await s.answer([]);
    await reset(s, fork);
    const { callback: url, callbackHeader } = startOf(task);
    await s.call("StartWorkflowExecution", {
      workflowId: `${s.id}-handler`,
      workflowType: { name: "H" },
      taskQueue: { name: `${s.queue}-w` },
      requestId: "handler",
      completionCallbacks: [{ variant: { case: "nexus", value: { url, header: { ...callbackHeader, "Nexus-Operation-Token": "token" } } } }],
    });
    await complete(s, await s.workflowTask(`${s.queue}-w`), { commands: [c.complete(payloads("served"))] });
    await noOperations(s);
    await s.answer([c.complete()]);
    await s.history();
  },
  "callbacks of the start and those attached later": async (s) => {
    // An address of its own: where many calls fail, others are held back.
    const nexus = (name: string) => ({ variant: { case: "nexus" as const, value: { url: `http://127.0.0.1:2/${name}`, header: {} } } });
    const first = await s.start({ completionCallbacks: [nexus("first")] });
    await s.answer([]);
    const attached = { attachRequestId: true, attachCompletionCallbacks: true, attachLinks: true };
    await s.start({ workflowIdConflictPolicy: 2, onConflictOptions: attached, completionCallbacks: [nexus("second")] });
    await reset(s, 4);
    await s.history();
    const urlOf = (callback: unknown) => (callback as { variant: { value: { url: string } } }).variant.value.url;
    const states = async (runId: string) => (await describeRun(s, runId)).callbacks.map((x) => `${urlOf(x.callback)} ${x.state}`).sort();
    s.note("callbacks", [await states(first), await states("")]);
    await terminate(s);
  },
  "an older run after resets of it": async (s) => {
    const first = await s.running();
    await s.signal("one");
    await s.answer([]);
    const second = await reset(s, 4);
    await s.signal("two");
    await s.answer([]);
    await reset(s, 4);
    await s.signal("three");
    await s.answer([]);
    for (const extra of [{ runId: first }, { runId: second }]) {
      await reset(s, 4, { workflowExecution: { workflowId: s.id, ...extra } });
      await s.history();
    }
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId: first } }, (d) => d.workflowExtendedInfo);
    await terminate(s);
  },
  "runs that ended in other ways": async (s) => {
    for (const last of [c.cancel(), c.fail("no"), undefined]) {
      await s.running();
      await s.signal("go");
      if (last === undefined) await terminate(s);
      else await s.answer([last]);
      await reset(s, 4);
      await s.history();
      await terminate(s);
    }
  },
  "a run that was tried again": async (s) => {
    await s.start({ retryPolicy: { initialInterval: seconds(1), maximumAttempts: 3 } });
    await s.answer([c.fail("once")]);
    await s.answer([]);
    await reset(s, await lastTask(s));
    await s.history();
    await s.answer([c.fail("twice")]);
    await s.until("the last attempt has begun", async () => (await describeRun(s)).workflowExecutionInfo?.status === 1);
    await s.history();
    await terminate(s);
  },
};
