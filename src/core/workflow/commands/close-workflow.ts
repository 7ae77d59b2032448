/** COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION and COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { ContinueAsNewInitiator, RetryState } from "../../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { encode } from "../../../api/wire.js";
import { closeRun } from "../close.js";
import { cronDelay, nextRunOf } from "../next-run.js";
import { workflowRetry } from "../retry-and-cron.js";
import { type Completion, TaskFailure } from "./command.js";
import { checkBlob } from "./limits-check.js";

function refuseUnseen(c: Completion): void {
  if (c.hasBuffered) throw new TaskFailure(Cause.UNHANDLED_COMMAND, undefined);
}

export function completeWorkflow(c: Completion, command: Command): HistoryEvent | undefined {
  refuseUnseen(c);
  if (command.attributes.case !== "completeWorkflowExecutionCommandAttributes")
    throw new TaskFailure(
      Cause.BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
      invalidArgument("CompleteWorkflowExecutionCommandAttributes is not set on CompleteWorkflowExecutionCommand."),
    );
  const { result } = command.attributes.value;
  const { run } = c;
  // The official server's cause for this, of all.
  checkBlob(c, result?.length ?? 0, Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES, "CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.");
  const delay = cronDelay(run);
  if (delay !== undefined)
    c.nextRun = nextRunOf(run, { initiator: ContinueAsNewInitiator.CRON_SCHEDULE, delay, lastCompletionResult: result, failure: undefined });
  const attributes = {
    result,
    workflowTaskCompletedEventId: c.completedEventId,
    newExecutionRunId: c.nextRun === undefined ? "" : run.ctx.env.newRunId,
  };
  return closeRun(run, EventType.WORKFLOW_EXECUTION_COMPLETED, "workflowExecutionCompletedEventAttributes", attributes, c.extra(command));
}

export function failWorkflow(c: Completion, command: Command): HistoryEvent | undefined {
  refuseUnseen(c);
  const cause = Cause.BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES;
  if (command.attributes.case !== "failWorkflowExecutionCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("FailWorkflowExecutionCommandAttributes is not set on FailWorkflowExecutionCommand."));
  const { failure } = command.attributes.value;
  if (failure === undefined) throw new TaskFailure(cause, invalidArgument("Failure is not set on FailWorkflowExecutionCommand."));
  const { run } = c;
  checkBlob(c, encode(Failure, failure).length, cause, "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.");
  const retry = workflowRetry(run.draft, run.now, failure);
  if (retry.state === RetryState.IN_PROGRESS)
    c.nextRun = nextRunOf(run, { initiator: ContinueAsNewInitiator.RETRY, delay: retry.delay ?? 0, lastCompletionResult: undefined, failure });
  else {
    const delay = cronDelay(run);
    if (delay !== undefined)
      // What the last successful run of the schedule had goes on; a retry does without.
      c.nextRun = nextRunOf(run, { initiator: ContinueAsNewInitiator.CRON_SCHEDULE, delay, lastCompletionResult: "kept", failure });
  }
  const attributes = {
    failure,
    retryState: retry.state,
    workflowTaskCompletedEventId: c.completedEventId,
    newExecutionRunId: c.nextRun === undefined ? "" : run.ctx.env.newRunId,
  };
  return closeRun(run, EventType.WORKFLOW_EXECUTION_FAILED, "workflowExecutionFailedEventAttributes", attributes, c.extra(command));
}

export function cancelWorkflow(c: Completion, command: Command): HistoryEvent | undefined {
  refuseUnseen(c);
  if (command.attributes.case !== "cancelWorkflowExecutionCommandAttributes")
    throw new TaskFailure(
      Cause.BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES,
      invalidArgument("CancelWorkflowExecutionCommandAttributes is not set on CancelWorkflowExecutionCommand."),
    );
  const attributes = { workflowTaskCompletedEventId: c.completedEventId, details: command.attributes.value.details };
  return closeRun(c.run, EventType.WORKFLOW_EXECUTION_CANCELED, "workflowExecutionCanceledEventAttributes", attributes, c.extra(command));
}

export { refuseUnseen };
