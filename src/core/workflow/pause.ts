/**
 * A paused workflow: nothing of it goes to a worker. What is with a worker already may end, signals, timers and results are written,
 * and all of it is seen when the workflow goes on. Behaviour: service/history/api/pauseworkflow, unpauseworkflow and
 * mutable_state_impl.go (ApplyWorkflowExecutionPausedEvent) of the official server.
 */
import { ActivityRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { failedPrecondition } from "../../api/service-error.js";
import { dispatchActivity, noteDeadlines } from "../activity/statemachine.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import { HISTORY_SERVICE_IDENTITY } from "./close.js";
import type { Context, Run } from "./context.js";
import { notePauses } from "./derived-attributes.js";
import { addressedOpen } from "./signal.js";
import { failPendingTask, isTaskRunning, scheduleWorkflowTask } from "./workflow-task.js";

export function pauseWorkflow(ctx: Context, address: ExecutionAddress, input: InputOf<"pauseWorkflow">): undefined {
  const run = addressedOpen(ctx, address);
  const { identity, reason, requestId } = input.request;
  const { pause } = run.info;
  if (pause !== undefined) {
    if (pause.requestId !== "" && pause.requestId === requestId) return undefined;
    throw failedPrecondition("workflow is already paused.");
  }
  run.add(EventType.WORKFLOW_EXECUTION_PAUSED, "workflowExecutionPausedEventAttributes", { identity, reason, requestId }, { workerMayIgnore: true });
  // Tasks on their way to a worker do not find their activity any more.
  for (const a of [...run.draft.activities.values()]) run.draft.putActivity(ActivityRecord.copy(a, { stamp: a.stamp + 1 }));
  if (run.info.workflowTask !== undefined && !isTaskRunning(run.draft)) {
    failPendingTask(run, WorkflowTaskFailedCause.WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED, HISTORY_SERVICE_IDENTITY);
    run.flushBuffered();
  }
  rejectQueries(run);
  notePauses(run);
  run.visibilityChanged = true;
  return undefined;
}

/** Queries that waited for a task which will not come. */
function rejectQueries(run: Run): void {
  const { draft } = run;
  if (draft.queries.length === 0 || isTaskRunning(draft)) return;
  const response = { queryRejected: { status: WorkflowExecutionStatus.PAUSED } };
  for (const q of draft.queries) run.ctx.answers.push({ waiter: q.waiter, result: { kind: "answered", response } });
  draft.queries = [];
}

export function unpauseWorkflow(ctx: Context, address: ExecutionAddress, input: InputOf<"unpauseWorkflow">): undefined {
  const run = addressedOpen(ctx, address);
  if (run.info.pause === undefined) throw failedPrecondition("workflow is not paused.");
  const { identity, reason, requestId } = input.request;
  run.add(
    EventType.WORKFLOW_EXECUTION_UNPAUSED,
    "workflowExecutionUnpausedEventAttributes",
    { identity, reason, requestId },
    { workerMayIgnore: true },
  );
  for (const old of [...run.draft.activities.values()]) {
    const a = ActivityRecord.copy(old, { stamp: old.stamp + 1 });
    run.draft.putActivity(a);
    noteDeadlines(run, a);
    if (a.startedTime === 0 && !a.waitsForRetry) dispatchActivity(run, a);
  }
  notePauses(run);
  run.visibilityChanged = true;
  // Like a cancel request, this does not wait for the end of a start delay.
  if (!run.info.awaitsParent) scheduleWorkflowTask(run);
  return undefined;
}
