/** ExecuteMultiOperation: a workflow is started, or found, and given an update, as one. */
import { randomUUID } from "node:crypto";
import { MultiOperationExecutionFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, NAMESPACE, payloads, type Script, type Session, seconds } from "../session.js";
import type { CallError } from "../subject.js";
import { acceptance, admitted, done, noteAnswers, rejection, requestOf, response, update } from "./updates.js";

const FAIL = 1;
const USE_EXISTING = 2;
const TERMINATE_EXISTING = 3;
const REJECT_DUPLICATE = 3;
const ACCEPTED = 2;
const COMPLETED = 3;

const start = (s: Session, extra: object = {}) => ({
  namespace: NAMESPACE,
  workflowId: s.id,
  workflowType: { name: "T" },
  taskQueue: { name: s.queue, kind: 1 },
  requestId: randomUUID(),
  identity: "client",
  workflowTaskTimeout: seconds(10),
  workflowIdConflictPolicy: FAIL,
  ...extra,
});

const updating = (s: Session, id: string, extra: object = {}) => ({
  workflowExecution: { workflowId: s.id },
  waitPolicy: { lifecycleStage: COMPLETED },
  request: requestOf(id),
  ...extra,
});

const operations = (startWorkflow: object, updateWorkflow: object) => [
  { operation: { case: "startWorkflow", value: startWorkflow } },
  { operation: { case: "updateWorkflow", value: updateWorkflow } },
];

/** Calls, and records what each operation came to. */
async function both(s: Session, what: string, startWorkflow: object, updateWorkflow: object, extra: object = {}): Promise<void> {
  await raw(s, what, { operations: operations(startWorkflow, updateWorkflow), ...extra });
}

async function raw(s: Session, what: string, request: object): Promise<void> {
  try {
    const { responses } = await s.call("ExecuteMultiOperation", request as never);
    s.note(what, responses);
  } catch (e) {
    const { code, message, details, values } = e as CallError;
    const failure = values
      .filter((_, i) => details[i] === MultiOperationExecutionFailure.typeName)
      .map((v) => decode(MultiOperationExecutionFailure, v).statuses);
    s.note(what, {
      code,
      message,
      details,
      statuses: failure.map((statuses) => statuses.map((x) => ({ ...x, details: x.details.map((d) => d.typeUrl) }))),
    });
  }
}

const complete = (s: Session, t: { taskToken: Uint8Array }, extra: object = {}) =>
  s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", ...extra } as never);

export const scripts: Record<string, Script> = {
  "starts, and the update comes with the first task": async (s) => {
    const asked = both(s, "both", start(s), updating(s, "u"));
    const t = await s.workflowTask();
    s.note("task", { startedEventId: t.startedEventId, messages: t.messages });
    await complete(s, t, done("u", 2));
    await asked;
    await s.history();
  },
  "starts, and only waits for acceptance": async (s) => {
    const asked = both(s, "both", start(s), updating(s, "u", { waitPolicy: { lifecycleStage: ACCEPTED } }));
    await complete(s, await s.workflowTask(), { messages: [acceptance("u", 2)], commands: [c.message("u/accept"), c.timer("t", 0.2)] });
    await asked;
    await complete(s, await s.workflowTask(), { messages: [response("u")], commands: [c.message("u/complete"), c.complete()] });
    await s.history();
  },
  "starts, and the update is rejected": async (s) => {
    const asked = both(s, "both", start(s), updating(s, "u"));
    await complete(s, await s.workflowTask(), { messages: [rejection("u")] });
    await asked;
    await s.history();
  },
  "finds a running workflow that may be used": async (s) => {
    await s.running();
    const asked = both(s, "both", start(s, { workflowIdConflictPolicy: USE_EXISTING }), updating(s, "u"));
    await complete(s, await s.workflowTask(), done("u", 4));
    await asked;
    await s.history();
  },
  "finds a running workflow that may not be used": async (s) => {
    await s.running();
    await both(s, "both", start(s), updating(s, "u"));
    await s.history();
  },
  "finds a running workflow that is to make way": async (s) => {
    await s.running();
    const asked = both(s, "both", start(s, { workflowIdConflictPolicy: TERMINATE_EXISTING }), updating(s, "u"));
    await complete(s, await s.workflowTask(), done("u", 2));
    await asked;
    await s.history();
  },
  "finds a closed workflow whose id may be used again, and one whose may not": async (s) => {
    await s.running([c.complete()]);
    await both(s, "refused", start(s, { workflowIdReusePolicy: REJECT_DUPLICATE }), updating(s, "u"));
    const asked = both(s, "both", start(s), updating(s, "u"));
    await complete(s, await s.workflowTask(), done("u", 2));
    await asked;
    await s.history();
  },
  "finds the update under way, whatever the policy": async (s) => {
    await s.running();
    const first = update(s, "u");
    const t = await s.workflowTask();
    const asked = both(s, "both", start(s), updating(s, "u"));
    await s.sleep(1500);
    await complete(s, t, done("u", 4));
    await Promise.all([first, asked]);
    noteAnswers(s);
    await s.history();
  },
  "finds the update done, in a workflow that is open or closed": async (s) => {
    await s.running();
    const first = update(s, "u");
    await complete(s, await s.workflowTask(), done("u", 4));
    await first;
    await both(s, "open", start(s), updating(s, "u"));
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await both(s, "closed", start(s), updating(s, "u"));
    await s.history();
  },
  "asked again with the same request": async (s) => {
    const request = start(s);
    const asked = both(s, "first", request, updating(s, "u"));
    await complete(s, await s.workflowTask(), done("u", 2));
    await asked;
    await both(s, "same update", request, updating(s, "u"));
    const another = both(s, "another update", request, updating(s, "v"));
    await complete(s, await s.workflowTask(), done("v", 8));
    await another;
    await s.history();
  },
  "the workflow that takes the update closes before it is seen": async (s) => {
    await s.running();
    await s.signal("s");
    const t = await s.workflowTask();
    const asked = both(s, "both", start(s, { workflowIdConflictPolicy: USE_EXISTING }), updating(s, "u"));
    await admitted(s, "u");
    await complete(s, t, { commands: [c.complete()] });
    // The second attempt starts a workflow.
    await complete(s, await s.workflowTask(), done("u", 2));
    await asked;
    await s.history();
  },
  "the workflow that takes the update closes having accepted it": async (s) => {
    await s.running();
    const asked = both(s, "both", start(s, { workflowIdConflictPolicy: USE_EXISTING }), updating(s, "u"));
    await complete(s, await s.workflowTask(), { messages: [acceptance("u", 4)], commands: [c.message("u/accept"), c.complete()] });
    await asked;
  },
  "the workflow that was started ends before the update is accepted": async (s) => {
    const asked = both(s, "both", start(s), updating(s, "u"));
    await s.workflowTask();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await asked;
  },
  "the update cannot be taken": async (s) => {
    await s.start();
    for (let attempt = 1; attempt <= 2; attempt++) {
      const t = await s.workflowTask();
      await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 6, identity: "worker" });
    }
    await both(s, "both", start(s, { workflowIdConflictPolicy: USE_EXISTING }), updating(s, "u"));
  },
  "operations that are not a start and an update": async (s) => {
    const [a, b] = operations(start(s), updating(s, "u"));
    await raw(s, "none", {});
    await raw(s, "one", { operations: [a] });
    await raw(s, "two starts", { operations: [a, a] });
    await raw(s, "in the wrong order", { operations: [b, a] });
    await raw(s, "three", { operations: [a, b, b] });
    await raw(s, "nowhere", { operations: [a, b], namespace: "there-is-no-such-namespace" });
  },
  "operations with something wrong": async (s) => {
    await both(s, "other workflows", start(s), updating(s, "u", { workflowExecution: { workflowId: "another" } }));
    await both(s, "no type", start(s, { workflowType: { name: "" } }), updating(s, "u"));
    await both(s, "no update", start(s), { workflowExecution: { workflowId: s.id } });
    await both(s, "neither", start(s, { workflowType: { name: "" } }), { workflowExecution: { workflowId: s.id } });
    await both(s, "cron", start(s, { cronSchedule: "0 0 * * *" }), updating(s, "u"));
    await both(s, "delayed", start(s, { workflowStartDelay: seconds(5) }), updating(s, "u"));
    await both(s, "eager", start(s, { requestEagerExecution: true }), updating(s, "u"));
    await both(s, "a run", start(s), updating(s, "u", { workflowExecution: { workflowId: s.id, runId: randomUUID() } }));
    await both(s, "a first run", start(s), updating(s, "u", { firstExecutionRunId: randomUUID() }));
    await both(s, "another namespace", start(s, { namespace: "x" }), updating(s, "u", { namespace: "y" }));
    await both(s, "no namespace", start(s, { namespace: "" }), updating(s, "u"));
    await both(s, "no namespace and no type", start(s, { namespace: "", workflowType: undefined }), updating(s, "u"));
    await both(s, "only admitted", start(s), updating(s, "u", { waitPolicy: { lifecycleStage: 1 } }));
    await both(s, "input", start(s, { input: payloads("i") }), updating(s, "u", { request: { meta: { updateId: "u" } } }));
  },
};
