/** COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { TaskQueueKind } from "../../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { ContinueAsNewInitiator } from "../../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { cappedMicros, duration, durationProblem } from "../../../api/time.js";
import { typed } from "../../visibility/search-attributes.js";
import { closeRun } from "../close.js";
import { continueAsNewRun } from "../next-run.js";
import { retryPolicyProblem, withRetryDefaults } from "../retry-and-cron.js";
import { refuseUnseen } from "./close-workflow.js";
import { type Completion, TaskFailure, taskQueueText } from "./command.js";
import { boundedTaskTimeout, checkBlob, checkMemo } from "./limits-check.js";
import { checkSearchAttributes } from "./upsert-search-attributes.js";

export function continueAsNew(c: Completion, command: Command): HistoryEvent | undefined {
  refuseUnseen(c);
  const cause = Cause.BAD_CONTINUE_AS_NEW_ATTRIBUTES;
  if (command.attributes.case !== "continueAsNewWorkflowExecutionCommandAttributes")
    throw new TaskFailure(
      cause,
      invalidArgument("ContinueAsNewWorkflowExecutionCommandAttributes is not set on ContinueAsNewWorkflowExecutionCommand."),
    );
  const a = command.attributes.value;
  const { run } = c;
  const { info } = run;
  const max = c.limits.idLengthMax;
  const type = a.workflowType?.name || info.workflowType;
  const queue = a.taskQueue?.name || info.taskQueue;
  const where = `WorkflowType=${type} TaskQueue=${taskQueueText(queue)}`;
  if (Buffer.byteLength(type) > max)
    throw new TaskFailure(
      cause,
      invalidArgument(
        `WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length limit. WorkflowType=${type} Length=${Buffer.byteLength(type)} Limit=${max}`,
      ),
    );
  if (Buffer.byteLength(queue) > max)
    throw new TaskFailure(
      cause,
      invalidArgument(`error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: taskQueue length exceeds limit. ${where}`),
    );
  for (const [name, value] of [
    ["WorkflowRunTimeout", a.workflowRunTimeout],
    ["WorkflowTaskTimeout", a.workflowTaskTimeout],
    ["BackoffStartInterval", a.backoffStartInterval],
  ] as const) {
    const problem = durationProblem(value);
    if (problem !== undefined)
      throw new TaskFailure(cause, invalidArgument(`Invalid ${name} on ContinueAsNewWorkflowExecutionCommand: ${problem}. ${where}`));
  }
  let runTimeout = cappedMicros(a.workflowRunTimeout) || info.runTimeout;
  if (info.executionTimeout > 0 && (runTimeout === 0 || runTimeout > info.executionTimeout)) runTimeout = info.executionTimeout;
  const taskTimeout = boundedTaskTimeout(cappedMicros(a.workflowTaskTimeout) || info.taskTimeout, runTimeout);
  const retryPolicy = a.retryPolicy === undefined ? undefined : withRetryDefaults(a.retryPolicy, c.limits.workflowRetry);
  const problem = retryPolicyProblem(retryPolicy);
  if (problem !== undefined)
    throw new TaskFailure(
      cause,
      invalidArgument(`invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: ${problem.message}. ${where}`),
    );
  checkSearchAttributes(c, a.searchAttributes, c.namespace, `invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: `, `. ${where}`);
  if (a.inheritBuildId && a.taskQueue !== undefined && a.taskQueue.name !== "" && a.taskQueue.name !== info.taskQueue)
    throw new TaskFailure(cause, invalidArgument("ContinueAsNew with UseCompatibleVersion cannot run on different task queue."));
  checkBlob(c, a.input?.length ?? 0, cause, "ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.");
  checkMemo(c, a.memo, cause, "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.");
  const initiator = a.initiator === ContinueAsNewInitiator.UNSPECIFIED ? ContinueAsNewInitiator.WORKFLOW : a.initiator;
  c.nextRun = continueAsNewRun(run, { ...a, retryPolicy, initiator }, { type, queue, runTimeout, taskTimeout });
  const attributes = {
    newExecutionRunId: run.ctx.env.newRunId,
    workflowType: { name: type },
    taskQueue: { name: queue, kind: TaskQueueKind.NORMAL },
    input: a.input,
    workflowRunTimeout: duration(runTimeout),
    workflowTaskTimeout: duration(taskTimeout),
    workflowTaskCompletedEventId: c.completedEventId,
    backoffStartInterval: a.backoffStartInterval,
    initiator: a.initiator,
    failure: a.failure,
    lastCompletionResult: a.lastCompletionResult,
    header: a.header,
    memo: a.memo,
    searchAttributes: typed(a.searchAttributes, c.namespace),
    inheritBuildId: a.inheritBuildId,
  };
  return closeRun(run, EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW, "workflowExecutionContinuedAsNewEventAttributes", attributes, c.extra(command));
}
