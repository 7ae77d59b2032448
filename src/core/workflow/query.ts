/**
 * Queries. One that comes while a workflow task is pending or running waits for it, so that its answer is consistent with what
 * was acknowledged before; any other goes straight to a worker. Behaviour: service/history/api/queryworkflow of the official server.
 */

import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { QueryRejectCondition } from "../../../gen/wire/temporal/api/enums/v1/query.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { WorkflowQuery } from "../../../gen/wire/temporal/api/query/v1/message.js";
import { invalidArgument, resourceExhausted, workflowNotReady } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import type { Replies } from "../transition.js";
import { type Context, type Run, Stale, segmentsOf } from "./context.js";
import { addressed } from "./signal.js";
import { workflowTaskVersion } from "./versioning.js";

export function query(ctx: Context, address: ExecutionAddress, input: InputOf<"query">): Replies["query"] | undefined {
  const { request } = input;
  const state = addressed(ctx, address);
  const info = state.info;
  const reject = request.queryRejectCondition;
  const isRejected =
    (reject === QueryRejectCondition.NOT_OPEN && info.status !== WorkflowExecutionStatus.RUNNING) ||
    (reject === QueryRejectCondition.NOT_COMPLETED_CLEANLY &&
      info.status !== WorkflowExecutionStatus.RUNNING &&
      info.status !== WorkflowExecutionStatus.COMPLETED);
  if (isRejected) return { kind: "answered", response: { queryRejected: { status: info.status } } };
  if (info.status === WorkflowExecutionStatus.PAUSED) return { kind: "answered", response: { queryRejected: { status: info.status } } };
  if (request.query === undefined) throw invalidArgument("QueryArgs is not set on request.");
  const run = ctx.open(state);
  if (info.lastCompletedTaskStartedEventId === 0 && info.workflowTask === undefined && !state.isOpen)
    throw workflowNotReady("Workflow execution closed before WorkflowTaskStarted event");
  if (!info.firstTaskScheduled) throw workflowNotReady("Workflow task is not scheduled yet.");
  const task = info.workflowTask;
  if (task !== undefined && task.attempt >= ctx.env.config.limits.workflowTaskAttemptsQueryMax && info.lastCompletedTaskStartedEventId === 0)
    throw workflowNotReady("Unable to query workflow due to Workflow Task in failed state.");
  // With nothing on its way to the worker, the worker's state is up to date.
  if (!state.isOpen || task === undefined) return directReply(run);
  if (state.queries.length >= ctx.env.config.limits.bufferedQueriesMax)
    throw resourceExhausted(
      "consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough",
      ResourceExhaustedCause.BUSY_WORKFLOW,
      ResourceExhaustedScope.NAMESPACE,
    );
  run.draft.queries = [
    ...run.draft.queries,
    { waiter: input.waiter, id: `query-${input.waiter}`, query: encode(WorkflowQuery, request.query), sent: false },
  ];
  ctx.deferred = true;
  return undefined;
}

/** To be asked of a worker of the run's queue now. */
export function directReply(run: Run): Replies["query"] {
  const info = run.info;
  return {
    kind: "direct",
    runId: info.runId,
    stickyTaskQueue: info.stickyTaskQueue,
    stickyScheduleToStartMs: info.stickyScheduleToStartTimeout / 1000,
    taskQueue: info.taskQueue,
    workflowType: info.workflowType,
    priority: info.priority?.priorityKey || 3,
    previousStartedEventId: info.lastCompletedTaskStartedEventId,
    workflowId: info.workflowId,
    version: workflowTaskVersion(info),
    history: { runKey: run.draft.key, segments: segmentsOf(run.draft), fromEventId: 1, endEventId: info.nextEventId },
  };
}

export function dropQuery(ctx: Context, address: ExecutionAddress, input: InputOf<"dropQuery">): undefined {
  const state = address.runId === "" ? ctx.chain.current() : ctx.chain.run(address.runId);
  if (state === undefined || !state.queries.some((q) => q.waiter === input.waiter)) throw new Stale();
  const run = ctx.open(state);
  run.draft.queries = run.draft.queries.filter((q) => q.waiter !== input.waiter);
  return undefined;
}
