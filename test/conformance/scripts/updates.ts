/** Updates: every stage and outcome, what workers say of them, what becomes of them when the workflow moves on. */

import { randomUUID } from "node:crypto";
import { Payload, Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { Message } from "../../../gen/wire/temporal/api/protocol/v1/message.js";
import { Acceptance, Rejection, Request, Response } from "../../../gen/wire/temporal/api/update/v1/message.js";
import type { PollWorkflowTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode, type Init, type MessageType } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds, shown } from "../session.js";

const ADMITTED = 1;
const ACCEPTED = 2;
const COMPLETED = 3;

export const requestOf = (updateId: string, extra: object = {}) => ({
  meta: { updateId, identity: "client" },
  input: { name: "u", args: payloads("arg") },
  ...extra,
});

/** Asks, and in the end records what was answered under the given name. */
export function update(s: Session, id: string, extra: object = {}, timeoutMs = 10_000): Promise<void> {
  return s
    .call(
      "UpdateWorkflowExecution",
      { workflowExecution: { workflowId: s.id }, waitPolicy: { lifecycleStage: COMPLETED }, request: requestOf(id), ...extra } as never,
      timeoutMs,
    )
    .then(
      (r) => {
        results.set(s, [...(results.get(s) ?? []), { id, r }]);
      },
      (e: Error & { code?: number; details?: string[] }) => {
        results.set(s, [...(results.get(s) ?? []), { id, r: { code: e.code, message: e.code === 4 ? "" : e.message, details: e.details } }]);
      },
    );
}
const results = new Map<Session, { id: string; r: unknown }[]>();

/** What all updates of the script were answered, by id: which of several was first depends on the moment. */
export function noteAnswers(s: Session): void {
  const all = results.get(s) ?? [];
  results.delete(s);
  const key = ({ id, r }: { id: string; r: unknown }) => `${id} ${JSON.stringify(r)}`;
  for (const { id, r } of all.sort((a, b) => (key(a) < key(b) ? -1 : 1))) s.note(`update ${id}`, r);
}

/** Until the server knows the updates. */
export async function admitted(s: Session, ...updateIds: string[]): Promise<void> {
  const isKnown = (updateId: string) =>
    s.call("PollWorkflowExecutionUpdate", { updateRef: { workflowExecution: { workflowId: s.id }, updateId } }).then(
      () => true,
      () => false,
    );
  // Whether the server must be asked more than once is chance: what the script covers is not.
  await isKnown("nobody's");
  for (const id of updateIds) await s.until(`${id} is admitted`, () => isKnown(id));
}

const poll = (s: Session, updateId: string, stage = 0, workflowExecution: object = { workflowId: s.id }) =>
  s.call("PollWorkflowExecutionUpdate", { updateRef: { workflowExecution, updateId }, waitPolicy: { lifecycleStage: stage } } as never).then(
    (r) => s.note(`poll ${updateId}`, r),
    (e: Error & { code?: number; details?: string[] }) => s.note(`poll ${updateId}`, { code: e.code, message: e.message, details: e.details }),
  );

export function message<T>(type: MessageType<T>, updateId: string, id: string, body: Init<T>): Init<Message> {
  return {
    id,
    protocolInstanceId: updateId,
    body: { typeUrl: `type.googleapis.com/${type.typeName}`, value: encode(type, body) },
  } as Init<Message>;
}
export const acceptance = (u: string, sequencingId = 3, extra: object = {}) =>
  message(Acceptance, u, `${u}/accept`, { acceptedRequestMessageId: `${u}/request`, acceptedRequestSequencingEventId: sequencingId, ...extra });
export const response = (u: string, extra: object = {}) =>
  message(Response, u, `${u}/complete`, {
    meta: { updateId: u, identity: "client" },
    outcome: { value: { case: "success", value: payloads("done") } },
    ...extra,
  } as never);
const failure = (u: string) => response(u, { outcome: { value: { case: "failure", value: { message: "handler failed" } } } });
export const rejection = (u: string, extra: object = {}) =>
  message(Rejection, u, `${u}/reject`, { rejectedRequestMessageId: `${u}/request`, failure: { message: "no", source: "test" }, ...extra } as never);
/** Accepts and completes, each where its command stands. */
export const done = (u: string, sequencingId = 3) => ({
  messages: [acceptance(u, sequencingId), response(u)],
  commands: [c.message(`${u}/accept`), c.message(`${u}/complete`)],
});

/** What a worker is given of updates and of the events that belong to its task. */
function noteTask(s: Session, what: string, t: PollWorkflowTaskQueueResponse): void {
  const events = t.history === undefined ? [] : decode(History, t.history).events;
  s.note(what, {
    attempt: t.attempt,
    previousStartedEventId: t.previousStartedEventId,
    startedEventId: t.startedEventId,
    messages: t.messages,
    events: events.slice(-3).map(shown),
  });
}

const complete = (s: Session, t: { taskToken: Uint8Array }, extra: object = {}) =>
  s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", ...extra } as never);

export const scripts: Record<string, Script> = {
  "accepted and completed with one task": async (s) => {
    await s.running();
    const asked = update(s, "u");
    const t = await s.workflowTask();
    noteTask(s, "task", t);
    await complete(s, t, done("u", 4));
    await asked;
    noteAnswers(s);
    await s.history();
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => d.workflowExecutionInfo?.historyLength);
  },
  "a handler that fails": async (s) => {
    await s.running();
    const asked = update(s, "u");
    await complete(s, await s.workflowTask(), { messages: [acceptance("u", 4), failure("u")] });
    await asked;
    noteAnswers(s);
    await poll(s, "u", COMPLETED);
    await s.history();
  },
  "rejected without a trace": async (s) => {
    await s.running();
    const asked = update(s, "u");
    const t = await s.workflowTask();
    s.note("task", { messages: t.messages, startedEventId: t.startedEventId });
    const answer = await complete(s, t, { messages: [rejection("u")] });
    s.note("reset to", answer.resetHistoryEventId);
    await asked;
    noteAnswers(s);
    await poll(s, "u");
    await s.history();
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker" });
  },
  "accepted first, completed with a later task": async (s) => {
    await s.running();
    const asked = update(s, "u", { waitPolicy: { lifecycleStage: ACCEPTED } });
    await complete(s, await s.workflowTask(), { messages: [acceptance("u", 4)], commands: [c.message("u/accept"), c.timer("t", 2)] });
    await asked;
    noteAnswers(s);
    await poll(s, "u");
    await poll(s, "u", ACCEPTED);
    const polled = poll(s, "u", COMPLETED);
    await complete(s, await s.workflowTask(), { messages: [response("u")], commands: [c.message("u/complete"), c.complete()] });
    await polled;
    await poll(s, "u");
    await update(s, "u");
    noteAnswers(s);
    await s.history();
  },
  "with the first workflow task": async (s) => {
    await s.start();
    const asked = update(s, "u");
    await admitted(s, "u");
    const t = await s.workflowTask();
    noteTask(s, "task", t);
    await complete(s, t, { ...done("u", 2) });
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "a signal while its task waits": async (s) => {
    await s.running();
    const asked = update(s, "u");
    await admitted(s, "u");
    await s.signal("s");
    await s.history();
    const t = await s.workflowTask();
    s.note("task", { messages: t.messages, startedEventId: t.startedEventId });
    await complete(s, t, { messages: [rejection("u")] });
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "a signal while its task runs": async (s) => {
    await s.running();
    const asked = update(s, "u");
    const t = await s.workflowTask();
    await s.signal("s");
    const answer = await complete(s, t, { messages: [rejection("u")] });
    s.note("reset to", answer.resetHistoryEventId);
    await asked;
    noteAnswers(s);
    await complete(s, await s.workflowTask());
    await s.history();
  },
  "rejected by a task that brought events, to a worker that cannot forget them": async (s) => {
    await s.running([c.timer("t", 60)]);
    const asked = update(s, "u");
    const t = await s.workflowTask();
    const answer = await complete(s, t, { messages: [rejection("u")] });
    s.note("reset to", answer.resetHistoryEventId);
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "rejected by a task that brought events, to a worker that can forget them": async (s) => {
    await s.running([c.timer("t", 60)]);
    const capabilities = { discardSpeculativeWorkflowTaskWithEvents: true };
    for (const id of ["u", "v"]) {
      const asked = update(s, id);
      const t = await s.workflowTask();
      s.note("task", { previousStartedEventId: t.previousStartedEventId, startedEventId: t.startedEventId });
      const answer = await complete(s, t, { messages: [rejection(id)], capabilities });
      s.note("reset to", answer.resetHistoryEventId);
      await asked;
    }
    noteAnswers(s);
    await s.history();
  },
  "rejected with more events than may be forgotten": async (s) => {
    await s.running(Array.from({ length: 11 }, (_, i) => c.timer(`t${i}`, 60)));
    const asked = update(s, "u");
    const answer = await complete(s, await s.workflowTask(), {
      messages: [rejection("u")],
      capabilities: { discardSpeculativeWorkflowTaskWithEvents: true },
    });
    s.note("reset to", answer.resetHistoryEventId);
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "one accepted, one rejected, one ignored": async (s) => {
    await s.running();
    const asked = update(s, "a");
    await admitted(s, "a");
    const others = [update(s, "b")];
    await admitted(s, "b");
    others.push(update(s, "c"));
    await admitted(s, "c");
    const t = await s.workflowTask();
    s.note("messages", t.messages);
    await complete(s, t, { messages: [rejection("b"), acceptance("a", 4), response("a")] });
    await Promise.all([asked, ...others]);
    noteAnswers(s);
    await s.history();
  },
  "asked while a task runs, delivered with the next one": async (s) => {
    await s.running();
    await s.signal("s");
    const t = await s.workflowTask();
    const asked = update(s, "u");
    await admitted(s, "u");
    const answer = await complete(s, t, { returnNewWorkflowTask: true });
    const next = answer.workflowTask;
    if (next === undefined) throw new Error("no task was returned");
    noteTask(s, "returned task", next);
    await complete(s, next, done("u", 7));
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "asked while a task runs whose worker takes no next one": async (s) => {
    await s.running();
    await s.signal("s");
    const t = await s.workflowTask();
    const asked = update(s, "u");
    await admitted(s, "u");
    await complete(s, t);
    await s.history();
    await complete(s, await s.workflowTask(), { messages: [rejection("u")] });
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "a task that the worker fails, and the update comes again": async (s) => {
    await s.running();
    const asked = update(s, "u");
    const t = await s.workflowTask();
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 6, identity: "worker", failure: { message: "no" } as never });
    const again = await s.workflowTask();
    noteTask(s, "task", again);
    await complete(s, again, done("u", 7));
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "a task that is not answered in time": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(3) });
    await s.answer([]);
    const asked = update(s, "u");
    await s.workflowTask();
    const again = await s.workflowTask();
    s.note("task", { attempt: again.attempt, messages: again.messages });
    await complete(s, again, done("u", 7));
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "nobody takes the task for a while": async (s) => {
    await s.running();
    const asked = update(s, "u", {}, 30_000);
    await s.sleep(6_000);
    await s.history();
    await complete(s, await s.workflowTask(), done("u", 6));
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "a worker that does not know updates": async (s) => {
    await s.running();
    const asked = update(s, "u");
    await complete(s, await s.workflowTask());
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "a heartbeat, then the answer": async (s) => {
    await s.running();
    const asked = update(s, "u");
    const t = await s.workflowTask();
    const answer = await complete(s, t, { forceCreateNewWorkflowTask: true, returnNewWorkflowTask: true });
    const next = answer.workflowTask;
    if (next === undefined) throw new Error("no task was returned");
    s.note("messages with the heartbeat", next.messages);
    await complete(s, next, done("u", 4));
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "the same id again": async (s) => {
    await s.running();
    const asked = [update(s, "u"), update(s, "u", { waitPolicy: { lifecycleStage: ACCEPTED } })];
    await s.sleep(1500);
    const t = await s.workflowTask();
    s.note("messages", t.messages);
    await complete(s, t, done("u", 4));
    await Promise.all(asked);
    await update(s, "u", { request: requestOf("u", { input: { name: "another" } }) });
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await update(s, "u");
    noteAnswers(s);
    await poll(s, "u", COMPLETED);
    await s.history();
  },
  "the workflow completes before": async (s) => {
    await s.running();
    const accepted = update(s, "accepted");
    await complete(s, await s.workflowTask(), { messages: [acceptance("accepted", 4)] });
    await s.signal("s");
    const t = await s.workflowTask();
    const unsent = update(s, "unsent");
    await admitted(s, "unsent");
    await complete(s, t, { commands: [c.complete()] });
    await Promise.all([accepted, unsent]);
    await update(s, "late");
    await update(s, "accepted");
    noteAnswers(s);
    await poll(s, "accepted");
    await poll(s, "unsent");
    await s.history();
  },
  "accepted by the task that completes the workflow": async (s) => {
    await s.running();
    const asked = [update(s, "a", { waitPolicy: { lifecycleStage: ACCEPTED } }), update(s, "b"), update(s, "c")];
    await admitted(s, "a", "b", "c");
    await complete(s, await s.workflowTask(), {
      messages: [acceptance("a", 4), acceptance("b", 4), response("b"), acceptance("c", 4)],
      commands: [c.message("a/accept"), c.message("b/accept"), c.message("b/complete"), c.complete()],
    });
    await Promise.all(asked);
    noteAnswers(s);
    await s.history();
  },
  "the workflow continues as new": async (s) => {
    await s.running();
    const accepted = update(s, "accepted");
    await complete(s, await s.workflowTask(), { messages: [acceptance("accepted", 4)] });
    await s.signal("s");
    const t = await s.workflowTask();
    const unsent = update(s, "unsent");
    await admitted(s, "unsent");
    // A run that lived shorter than a second would make the next one wait.
    await s.sleep(1100);
    await complete(s, t, { commands: [c.continueAsNew()] });
    await Promise.all([accepted, unsent]);
    noteAnswers(s);
    // The new run knows neither.
    const again = update(s, "accepted");
    await complete(s, await s.workflowTask(), done("accepted", 2));
    await again;
    noteAnswers(s);
    await s.history();
  },
  "the workflow is terminated": async (s) => {
    await s.running();
    const accepted = update(s, "accepted");
    await complete(s, await s.workflowTask(), { messages: [acceptance("accepted", 4)] });
    const sent = update(s, "sent");
    await s.workflowTask();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id }, reason: "enough" });
    await Promise.all([accepted, sent]);
    noteAnswers(s);
    await s.history();
  },
  "terminated while its task waits": async (s) => {
    await s.running();
    const asked = update(s, "u");
    await admitted(s, "u");
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id }, reason: "enough" });
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "the run's time is over": async (s) => {
    await s.running([], { workflowRunTimeout: seconds(5) });
    const accepted = update(s, "accepted");
    await complete(s, await s.workflowTask(), { messages: [acceptance("accepted", 4)] });
    const sent = update(s, "sent");
    await s.workflowTask();
    await Promise.all([accepted, sent]);
    noteAnswers(s);
    await s.history();
  },
  "the completion that accepts is refused": async (s) => {
    await s.running();
    const sent = update(s, "sent");
    const t = await s.workflowTask();
    await s.refused("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      messages: [acceptance("sent", 4)],
      commands: [c.message("sent/accept"), c.timer("", 1)],
    });
    await sent;
    noteAnswers(s);
    const again = await s.workflowTask();
    s.note("messages", again.messages);
    await complete(s, again);
    await s.history();
  },
  "a workflow whose tasks keep failing": async (s) => {
    await s.start();
    for (let attempt = 1; attempt <= 2; attempt++) {
      const t = await s.workflowTask();
      await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 6, identity: "worker" });
    }
    await update(s, "u");
    noteAnswers(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "a workflow that tries to close": async (s) => {
    await s.running();
    await s.signal("one");
    const t = await s.workflowTask();
    await s.signal("two");
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete()] });
    await s.workflowTask();
    await update(s, "u");
    noteAnswers(s);
  },
  "more at once than are allowed": async (s) => {
    await s.running();
    const asked = Array.from({ length: 10 }, (_, i) => update(s, `u${i}`, {}, 30_000));
    await admitted(s, ...Array.from({ length: 10 }, (_, i) => `u${i}`));
    await s.refused("UpdateWorkflowExecution", { workflowExecution: { workflowId: s.id }, request: requestOf("one too many") } as never);
    const t = await s.workflowTask();
    await complete(s, t, { messages: t.messages.map((m) => rejection(m.protocolInstanceId)) });
    await Promise.all(asked);
    s.note("answers", (results.get(s) ?? []).length);
    results.delete(s);
  },
  "a result that is too large": async (s) => {
    await s.running();
    const asked = update(s, "u");
    const success = encode(Payloads, { payloads: [encode(Payload, { data: new Uint8Array(2 << 20) })] });
    await s.refused("RespondWorkflowTaskCompleted", {
      taskToken: (await s.workflowTask()).taskToken,
      identity: "worker",
      messages: [acceptance("u", 4), response("u", { outcome: { value: { case: "success", value: success } } })],
    });
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "messages that are not valid": async (s) => {
    await s.running();
    const bad = async (what: string, messages: Init<Message>[], commands: unknown[] = []): Promise<void> => {
      const asked = update(s, what);
      const t = await s.workflowTask();
      await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", messages, commands } as never);
      await asked;
      // The task that follows has nothing to do.
      await complete(s, await s.workflowTask());
    };
    await bad("absent", [], [c.message("nothing")]);
    await bad("unnamed", [], [c.message("")]);
    await bad("unknown update", [acceptance("who is that", 4)]);
    await bad("no sequence", [message(Acceptance, "no sequence", "m", { acceptedRequestMessageId: "no sequence/request" })]);
    await bad("no message id", [message(Acceptance, "no message id", "m", { acceptedRequestSequencingEventId: 4 })]);
    await bad("completed at once", [response("completed at once")]);
    await bad("accepted twice", [acceptance("accepted twice", 4), acceptance("accepted twice", 4)]);
    await bad("rejected and accepted", [rejection("rejected and accepted"), acceptance("rejected and accepted", 4)]);
    await bad("no meta", [
      acceptance("no meta", 4),
      message(Response, "no meta", "m", { outcome: { value: { case: "success", value: payloads("x") } } } as never),
    ]);
    await bad("no update id", [acceptance("no update id", 4), response("no update id", { meta: { identity: "x" } })]);
    await bad("another id", [acceptance("another id", 4), response("another id", { meta: { updateId: "x" } })]);
    await bad("no outcome", [acceptance("no outcome", 4), response("no outcome", { outcome: undefined })]);
    await bad("a request", [message(Request, "a request", "m", { meta: { updateId: "a request" } })]);
    await bad("another protocol", [
      { id: "m", protocolInstanceId: "another protocol", body: { typeUrl: "type.googleapis.com/google.protobuf.Empty" } } as never,
    ]);
    await bad("taken twice", [acceptance("taken twice", 4)], [c.message("taken twice/accept"), c.message("taken twice/accept")]);
    await s.history();
  },
  "a worker that brings back what the server has lost": async (s) => {
    await s.running();
    await s.signal("s");
    const t = await s.workflowTask();
    const request = requestOf("lost");
    await complete(s, t, {
      messages: [
        acceptance("lost", 5, { acceptedRequest: request }),
        response("lost"),
        rejection("also lost", { rejectedRequest: requestOf("also lost") }),
      ],
    });
    await poll(s, "lost", COMPLETED);
    await poll(s, "also lost", COMPLETED);
    await s.history();
  },
  "seen from outside while it is under way": async (s) => {
    await s.running();
    const asked = update(s, "u", { request: requestOf("u", { requestId: "request-of-u" }) });
    await admitted(s, "u");
    const describe = () =>
      s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => ({
        task: d.pendingWorkflowTask,
        requests: Object.entries(d.workflowExtendedInfo?.requestIdInfos ?? {}).filter(([id]) => id === "request-of-u"),
      }));
    await describe();
    await s.history();
    const t = await s.workflowTask();
    await describe();
    await s.history();
    await complete(s, t, done("u", 4));
    await asked;
    noteAnswers(s);
    await describe();
  },
  "a query on the way of an update": async (s) => {
    await s.running();
    const asked = update(s, "u");
    await admitted(s, "u");
    const answered = s.call("QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q" } });
    await s.sleep(1500);
    const t = await s.workflowTask();
    s.note("task", { queries: Object.keys(t.queries).length, messages: t.messages.length });
    const queryResults = Object.fromEntries(Object.keys(t.queries).map((id) => [id, { resultType: 1, answer: payloads("42") }]));
    await complete(s, t, { messages: [rejection("u")], queryResults });
    s.note("query", (await answered).queryResult);
    await asked;
    noteAnswers(s);
    await s.history();
  },
  "attached callbacks": async (s) => {
    await s.running();
    const completionCallbacks = [{ variant: { case: "nexus", value: { url: "http://localhost:1/callback" } } }];
    await s.refused("UpdateWorkflowExecution", {
      workflowExecution: { workflowId: s.id },
      request: requestOf("u", { completionCallbacks }),
    } as never);
    const asked = update(s, "u", { waitPolicy: { lifecycleStage: ACCEPTED } });
    const t = await s.workflowTask();
    const attached = update(s, "u", {
      waitPolicy: { lifecycleStage: ACCEPTED },
      request: requestOf("u", { requestId: "while it is sent", completionCallbacks }),
    });
    await s.sleep(1500);
    await complete(s, t, { messages: [acceptance("u", 4)] });
    await Promise.all([asked, attached]);
    for (let i = 0; i < 2; i++)
      await update(s, "u", {
        waitPolicy: { lifecycleStage: ACCEPTED },
        request: requestOf("u", { requestId: "when it is accepted", completionCallbacks }),
      });
    noteAnswers(s);
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "callbacks are called when their update has ended": async (s) => {
    await s.running();
    const callback = (path: string) => [{ variant: { case: "nexus", value: { url: `http://127.0.0.1:3/${path}`, header: { k: "v" } } } }];
    const waitPolicy = { lifecycleStage: ACCEPTED };
    const asked = update(s, "u", { waitPolicy, request: requestOf("u", { requestId: "first", completionCallbacks: callback("first") }) });
    await complete(s, await s.workflowTask(), { messages: [acceptance("u", 4)], commands: [c.message("u/accept")] });
    await asked;
    await update(s, "u", { waitPolicy, request: requestOf("u", { requestId: "second", completionCallbacks: callback("second") }) });
    const callbacks = async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return [...d.callbacks].sort((a, b) => (JSON.stringify(a.callback) < JSON.stringify(b.callback) ? -1 : 1));
    };
    s.note(
      "before",
      (await callbacks()).map(({ callback, trigger, state }) => ({ callback, trigger, state })),
    );
    await s.signal("go");
    await complete(s, await s.workflowTask(), { messages: [response("u")], commands: [c.message("u/complete")] });
    await s.until("they were tried", async () => (await callbacks()).every((x) => x.attempt >= 1));
    s.note(
      "after",
      (await callbacks()).map(({ callback, trigger }) => ({ callback, trigger })),
    );
    noteAnswers(s);
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "before the first task's time, accepted and rejected": async (s) => {
    await s.start({ workflowStartDelay: seconds(60) });
    const rejected = update(s, "r");
    await complete(s, await s.workflowTask(), { messages: [rejection("r")] });
    await rejected;
    await s.history();
    const asked = update(s, "u");
    await complete(s, await s.workflowTask(), done("u", 2));
    await asked;
    noteAnswers(s);
    await s.history();
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => [
      d.pendingWorkflowTask,
      d.workflowExecutionInfo?.historyLength,
    ]);
  },
  "answered by the task that continues the workflow as new": async (s) => {
    await s.running();
    const asked = [update(s, "done"), update(s, "accepted"), update(s, "ignored"), update(s, "rejected")];
    await admitted(s, "done", "accepted", "ignored", "rejected");
    await s.sleep(1100);
    await complete(s, await s.workflowTask(), {
      messages: [acceptance("done", 4), response("done"), acceptance("accepted", 4), rejection("rejected")],
      commands: [c.message("done/accept"), c.message("done/complete"), c.message("accepted/accept"), c.continueAsNew()],
    });
    await Promise.all(asked);
    noteAnswers(s);
    await s.history();
  },
  "a failed task, and those that came while it ran": async (s) => {
    await s.running();
    const sent = update(s, "sent");
    const t = await s.workflowTask();
    const late = update(s, "admitted");
    await admitted(s, "admitted");
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.timer("", 1)] });
    await sent;
    await s.sleep(1000);
    const again = await s.workflowTask();
    s.note("messages", again.messages);
    await complete(s, again, done("admitted", 7));
    await late;
    noteAnswers(s);
    await s.history();
  },
  "a run that times out and is tried again": async (s) => {
    await s.running([], { workflowRunTimeout: seconds(4), retryPolicy: { maximumAttempts: 2, initialInterval: seconds(1) } });
    const accepted = update(s, "accepted");
    await complete(s, await s.workflowTask(), { messages: [acceptance("accepted", 4)] });
    const sent = update(s, "sent");
    await s.workflowTask();
    await Promise.all([accepted, sent]);
    noteAnswers(s);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "asked again by a reset": async (s) => {
    const runId = await s.running();
    for (const id of ["done", "open"]) {
      const asked = update(s, id, { waitPolicy: { lifecycleStage: ACCEPTED } });
      const t = await s.workflowTask();
      await complete(s, t, id === "done" ? done(id, 4) : { messages: [acceptance(id, 9)] });
      await asked;
    }
    noteAnswers(s);
    await s.call("ResetWorkflowExecution", {
      workflowExecution: { workflowId: s.id, runId },
      workflowTaskFinishEventId: 4,
      requestId: randomUUID(),
      reason: "again",
    });
    await poll(s, "done");
    const again = update(s, "done");
    const t = await s.workflowTask();
    noteTask(s, "task", t);
    await complete(s, t, done("done", 5));
    await again;
    noteAnswers(s);
    await s.history();
  },
  "of a run that is not the one meant": async (s) => {
    const runId = await s.running();
    const other = "00000000-0000-4000-8000-00000000dead";
    await update(s, "u", { firstExecutionRunId: other });
    await update(s, "v", { workflowExecution: { workflowId: s.id, runId: other } });
    await update(s, "w", { workflowExecution: { workflowId: "nobody" } });
    noteAnswers(s);
    await poll(s, "u", COMPLETED, { workflowId: s.id, runId: other });
    await poll(s, "u", COMPLETED, { workflowId: "nobody" });
    const asked = update(s, "x", { workflowExecution: { workflowId: s.id, runId }, firstExecutionRunId: runId });
    await complete(s, await s.workflowTask(), done("x", 4));
    await asked;
    noteAnswers(s);
  },
  "without what it needs": async (s) => {
    await s.running();
    const workflowExecution = { workflowId: s.id };
    const request = requestOf("u");
    await s.refused("UpdateWorkflowExecution", { request } as never);
    await s.refused("UpdateWorkflowExecution", { workflowExecution: { workflowId: s.id, runId: "no uuid" }, request } as never);
    await s.refused("UpdateWorkflowExecution", { workflowExecution });
    await s.refused("UpdateWorkflowExecution", { workflowExecution, request: { meta: { updateId: "u" } } });
    await s.refused("UpdateWorkflowExecution", { workflowExecution, request: { meta: { updateId: "u" }, input: {} } });
    await s.refused("UpdateWorkflowExecution", { workflowExecution, request: requestOf("x".repeat(1001)) } as never);
    await s.refused("UpdateWorkflowExecution", { workflowExecution, request, waitPolicy: { lifecycleStage: ADMITTED } } as never);
    await s.refused("UpdateWorkflowExecution", { workflowExecution, request, namespace: "there-is-no-such-namespace" } as never);
    await s.refused("PollWorkflowExecutionUpdate", {});
    await s.refused("PollWorkflowExecutionUpdate", { updateRef: { updateId: "u" } });
    await s.refused("PollWorkflowExecutionUpdate", { updateRef: { workflowExecution } });
    await s.refused("PollWorkflowExecutionUpdate", { updateRef: { workflowExecution: { workflowId: s.id, runId: "no uuid" }, updateId: "u" } });
  },
};
