/** What workers and handlers answer when it did not go well. */
import { WorkflowTaskFailedCause } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import type { Init } from "../../src/api/wire.js";
import type { MomentSession } from "./moment-session.js";

type Task = { readonly taskToken: Uint8Array } | undefined;

function tokenOf(task: Task): Uint8Array {
  if (task === undefined) throw new Error("no task came");
  return task.taskToken;
}

export const failure = (extra: object = {}): Init<Failure> => ({
  message: "no",
  failureInfo: { case: "applicationFailureInfo", value: { type: "E", ...extra } } as never,
});

export const failTask = (s: MomentSession, task: Task) =>
  s.call("RespondWorkflowTaskFailed", {
    taskToken: tokenOf(task),
    identity: "worker",
    cause: WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE,
    failure: failure(),
  });

export const failActivity = (s: MomentSession, task: Task, extra: object = {}) =>
  s.call("RespondActivityTaskFailed", { taskToken: tokenOf(task), identity: "worker", failure: failure(extra) });

export const completeActivity = (s: MomentSession, task: Task) =>
  s.call("RespondActivityTaskCompleted", { taskToken: tokenOf(task), identity: "worker" });

export const heartbeat = (s: MomentSession, task: Task) => s.call("RecordActivityTaskHeartbeat", { taskToken: tokenOf(task), identity: "worker" });

export const failNexus = (s: MomentSession, task: Task) =>
  s.call("RespondNexusTaskFailed", {
    taskToken: tokenOf(task),
    identity: "handler",
    failure: { message: "no", failureInfo: { case: "nexusHandlerFailureInfo", value: { type: "INTERNAL", retryBehavior: 0 } } as never },
  });

/** The operation goes on, and somebody will say how it ended. */
export const startNexus = (s: MomentSession, task: Task) =>
  s.call("RespondNexusTaskCompleted", {
    taskToken: tokenOf(task),
    identity: "handler",
    response: {
      variant: { case: "startOperation", value: { variant: { case: "asyncSuccess", value: { operationToken: "token" } } as never } },
    },
  });
