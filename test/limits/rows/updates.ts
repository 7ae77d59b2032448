/** Updates: how many at once, how large, how many in all, and when a worker is told to go on as a new run. */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../../gen/wire/temporal/api/enums/v1/update.js";
import type { Session } from "../../conformance/session.js";
import * as c from "../../harness/core-commands.js";
import { blob, events, type Group, refusal } from "../row.js";

const request = (s: Session, updateId: string, size = 0, lifecycleStage = Stage.COMPLETED) => ({
  workflowExecution: { workflowId: s.id },
  waitPolicy: { lifecycleStage },
  request: { meta: { updateId }, input: { name: "u", args: blob(size) } },
});
const ask = (s: Session, updateId: string, size = 0) => s.call("UpdateWorkflowExecution", request(s, updateId, size) as never);
const refused = (s: Session, updateId: string, size = 0, stage = Stage.COMPLETED) =>
  refusal(s, "UpdateWorkflowExecution", request(s, updateId, size, stage) as never);

const isAdmitted = (s: Session, updateId: string) =>
  s.until("the update is admitted", () =>
    s.call("PollWorkflowExecutionUpdate", { updateRef: { workflowExecution: { workflowId: s.id }, updateId } }).then(
      () => true,
      () => false,
    ),
  );

/** Answers the updates that wait. */
async function done(s: Session, ...updateIds: string[]): Promise<void> {
  const task = await s.workflowTask();
  const messages = updateIds.flatMap((id) => [c.accepted(id), c.responded(id)]);
  await s.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, identity: "worker", messages } as never);
}

/** What the last workflow task said to its worker. */
async function suggestion(s: Session): Promise<unknown> {
  const attributes = (await events(s)).findLast((e) => e.eventType === EventType.WORKFLOW_TASK_STARTED)?.attributes;
  if (attributes?.case !== "workflowTaskStartedEventAttributes") return undefined;
  return [attributes.value.suggestContinueAsNew, attributes.value.suggestContinueAsNewReasons];
}

export const updates: Group = {
  name: "updates",
  settings: [
    "history.maxInFlightUpdates=2",
    "history.maxInFlightUpdatePayloads=1000",
    "history.maxTotalUpdates=3",
    "history.maxTotalUpdates.suggestContinueAsNewThreshold=0.5",
    "frontend.enableUpdateWorkflowExecutionAsyncAccepted=false",
  ],
  rows: [
    {
      keys: ["history.maxInFlightUpdates"],
      breach: "a third update while two wait",
      play: async (s) => {
        await s.running();
        const asked = [ask(s, "a"), ask(s, "b")];
        await isAdmitted(s, "a");
        await isAdmitted(s, "b");
        const answer = await refused(s, "c");
        await done(s, "a", "b");
        await Promise.all(asked);
        return answer;
      },
      answer: ["RESOURCE_EXHAUSTED", "limit on number of concurrent in-flight updates has been reached (2)"],
    },
    {
      keys: ["history.maxInFlightUpdatePayloads"],
      breach: "two updates that are too large together",
      play: async (s) => {
        await s.running();
        const asked = ask(s, "a", 600);
        await isAdmitted(s, "a");
        const answer = await refused(s, "b", 600);
        await done(s, "a");
        await asked;
        return answer;
      },
      answer: ["RESOURCE_EXHAUSTED", "limit on total payload size of in-flight updates has been reached (1000 bytes)"],
    },
    {
      keys: ["history.maxTotalUpdates"],
      breach: "a fourth update",
      play: async (s) => {
        await s.running();
        for (const id of ["a", "b", "c"]) {
          const asked = ask(s, id);
          await done(s, id);
          await asked;
        }
        return refused(s, "d");
      },
      answer: [
        "FAILED_PRECONDITION",
        "The limit on the total number of distinct updates in this workflow has been reached (3). Make sure any duplicate updates share an " +
          "Update ID so the server can deduplicate them, and consider rejecting updates that you aren't going to process. You can also " +
          "Continue-as-New to avoid this; we recommend you check Continue-as-New Suggested in your Workflow.",
      ],
    },
    {
      keys: ["history.maxTotalUpdates.suggestContinueAsNewThreshold"],
      breach: "the second update of three",
      play: async (s) => {
        await s.running();
        const suggested = [];
        for (const id of ["a", "b"]) {
          const asked = ask(s, id);
          await done(s, id);
          await asked;
          suggested.push(await suggestion(s));
        }
        return suggested;
      },
      answer: [
        [false, []],
        [true, [3]],
      ],
    },
    {
      keys: ["frontend.enableUpdateWorkflowExecutionAsyncAccepted"],
      breach: "a caller that waits for acceptance only",
      play: (s) => refused(s, "a", 0, Stage.ACCEPTED),
      answer: ["PERMISSION_DENIED", "UpdateWorkflowExecution issued asynchronously and waiting on update accepted is disabled on this namespace."],
    },
  ],
};

/** A request with two callbacks. */
const withCallbacks = (s: Session, requestId: string, lifecycleStage: Stage) => ({
  ...request(s, "u", 0, lifecycleStage),
  request: {
    ...request(s, "u").request,
    requestId,
    completionCallbacks: [1, 2].map((n) => ({ variant: { case: "nexus", value: { url: `http://127.0.0.1:1/${requestId}/${n}` } } })),
  },
});

export const updateCallbacks: Group = {
  name: "no callbacks of updates",
  settings: [
    "history.enableUpdateCallbacks=false",
    "system.maxCallbacksPerWorkflow=1",
    'callback.allowedAddresses=[{"Pattern":"*","AllowInsecure":true}]',
  ],
  rows: [
    {
      keys: ["history.enableUpdateCallbacks"],
      breach: "callbacks with an update, more of them than may be, and with a second request for it: told in the history, and not kept",
      play: async (s) => {
        await s.running();
        const asked = s.call("UpdateWorkflowExecution", withCallbacks(s, "first", Stage.COMPLETED) as never);
        const task = await s.workflowTask();
        await s.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, identity: "worker", messages: [c.accepted("u")] } as never);
        const second = await refusal(s, "UpdateWorkflowExecution", withCallbacks(s, "second", Stage.ACCEPTED) as never);
        const seen = async () => (await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } })).callbacks.length;
        const whenAccepted = await seen();
        await s.signal("s");
        const next = await s.workflowTask();
        await s.call("RespondWorkflowTaskCompleted", { taskToken: next.taskToken, identity: "worker", messages: [c.responded("u")] } as never);
        await asked;
        const told = (await events(s)).flatMap(({ attributes: a }) => {
          if (a.case === "workflowExecutionUpdateAcceptedEventAttributes") return [a.value.acceptedRequest?.completionCallbacks.length];
          if (a.case === "workflowExecutionOptionsUpdatedEventAttributes")
            return a.value.workflowUpdateOptions.map((o) => o.attachedCompletionCallbacks.length);
          return [];
        });
        await s.call("ResetWorkflowExecution", {
          workflowExecution: { workflowId: s.id },
          workflowTaskFinishEventId: 4,
          requestId: s.id,
          reason: "r",
        } as never);
        const { capabilities } = (await s.call("DescribeNamespace", {})).namespaceInfo ?? {};
        return [second, whenAccepted, told, await seen(), capabilities?.workflowUpdateCallbacks];
      },
      answer: ["OK", 0, [2, 2], 0, false],
    },
  ],
};
