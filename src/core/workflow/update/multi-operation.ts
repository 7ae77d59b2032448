/**
 * Update with start: one input that finds or starts the run and gives it the update, both or neither. Its errors say what became of
 * each of the two operations. Behaviour: service/history/api/multioperation of the official server.
 */

import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../../../gen/wire/temporal/api/enums/v1/update.js";
import { WorkflowExecutionStatus, WorkflowIdConflictPolicy } from "../../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { ServiceError, unavailable } from "../../../api/service-error.js";
import type { ExecutionAddress, InputOf } from "../../input.js";
import type { UpdateReply } from "../../transition.js";
import type { Context, Run } from "../context.js";
import { start as startRun } from "../start.js";
import { startFailed, updateFailed } from "./multi-operation-error.js";
import { findUpdate, outcomeOf, reply } from "./registry.js";
import { requestUpdate } from "./update.js";

export function updateWithStart(ctx: Context, address: ExecutionAddress, input: InputOf<"updateWithStart">): UpdateReply | undefined {
  const { start, update } = input;
  const updateId = update.request?.meta?.updateId ?? "";
  const current = ctx.chain.current();
  if (current !== undefined) {
    const run = ctx.open(current);
    const { runId, firstRunId, status, startRequestId } = current.info;
    const found = findUpdate(run, updateId);
    if (found !== undefined && "completedEventId" in found) {
      const outcome = outcomeOf(run, found.completedEventId);
      return reply(run, updateId, Stage.COMPLETED, outcome, { runId, firstRunId, started: false, status, isRepeated: true });
    }
    const takesUpdate =
      startRequestId === start.requestId || found !== undefined || start.workflowIdConflictPolicy === WorkflowIdConflictPolicy.USE_EXISTING;
    if (current.isOpen && takesUpdate)
      return updated(run, input, { runId, firstRunId, started: false, status: WorkflowExecutionStatus.RUNNING, isRepeated: false });
  }
  const run = startedRun(ctx, address, input);
  const { runId, firstRunId, status } = run.info;
  return updated(run, input, { runId, firstRunId, started: true, status, isRepeated: false });
}

function startedRun(ctx: Context, address: ExecutionAddress, input: InputOf<"updateWithStart">): Run {
  try {
    startRun(ctx, address, { kind: "start", request: input.start, parent: undefined });
  } catch (e) {
    throw e instanceof ServiceError ? startFailed(e) : e;
  }
  const run = ctx.runs.find((r) => r.draft.isNew);
  // The run that the same request started before has ended.
  if (run === undefined) throw startFailed(unavailable("Workflow was not started: 3"));
  return run;
}

function updated(run: Run, input: InputOf<"updateWithStart">, start: NonNullable<UpdateReply["start"]>): UpdateReply | undefined {
  try {
    return requestUpdate(run, input.update, input.waiter, start);
  } catch (e) {
    // Whatever was started is forgotten with the draft.
    throw e instanceof ServiceError ? updateFailed(false, e) : e;
  }
}
