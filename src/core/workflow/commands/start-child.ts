/** COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import type { Priority } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { TaskQueueKind } from "../../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { ParentClosePolicy, WorkflowIdReusePolicy } from "../../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument, namespaceNotFound } from "../../../api/service-error.js";
import { cappedMicros, duration, durationProblem } from "../../../api/time.js";
import { parseCron } from "../../../lib/cron.js";
import { priorityProblem } from "../../activity/validator.js";
import { typed } from "../../visibility/search-attributes.js";
import { newForm } from "../effective-version.js";
import { inheritedPriority } from "../priority.js";
import { retryPolicyProblem, withRetryDefaults } from "../retry-and-cron.js";
import { clockOfChild } from "../time-skipping.js";
import { TransferKind } from "../transfer-kind.js";
import { inheritedByChild } from "../versioning.js";
import { type Completion, TaskFailure, taskQueueText } from "./command.js";
import { boundedTaskTimeout, checkBlob, checkMemo } from "./limits-check.js";
import { checkSearchAttributes } from "./upsert-search-attributes.js";

export function startChild(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES;
  if (command.attributes.case !== "startChildWorkflowExecutionCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("StartChildWorkflowExecutionCommandAttributes is not set on StartChildWorkflowExecutionCommand."));
  const a = command.attributes.value;
  const { run } = c;
  const max = c.limits.idLengthMax;
  const target = c.target(a.namespace);
  if (target === undefined) throw namespaceNotFound(a.namespace);
  const type = a.workflowType?.name ?? "";
  const id = a.workflowId;
  const ns = target.name;
  const refuse = (text: string) => new TaskFailure(cause, invalidArgument(text));
  const on = "on StartChildWorkflowExecutionCommand";
  if (id === "") throw refuse(`Required field WorkflowId is not set ${on}. WorkflowType=${type} Namespace=${ns}`);
  if (type === "") throw refuse(`Required field WorkflowType is not set ${on}. WorkflowId=${id} Namespace=${ns}`);
  if (Buffer.byteLength(a.namespace) > max)
    throw refuse(
      `Namespace ${on} exceeds length limit. WorkflowId=${id} WorkflowType=${type} Namespace=${ns} Length=${Buffer.byteLength(a.namespace)} Limit=${max}`,
    );
  if (Buffer.byteLength(id) > max)
    throw refuse(
      `WorkflowId ${on} exceeds length limit. WorkflowId=${id} Length=${Buffer.byteLength(id)} Limit=${max} WorkflowType=${type} Namespace=${ns}`,
    );
  if (Buffer.byteLength(type) > max)
    throw refuse(
      `WorkflowType ${on} exceeds length limit. WorkflowId=${id} WorkflowType=${type} Length=${Buffer.byteLength(type)} Limit=${max} Namespace=${ns}`,
    );
  const tail = `WorkflowId=${id} WorkflowType=${type} Namespace=${ns}`;
  for (const [name, value] of [
    ["WorkflowExecutionTimeout", a.workflowExecutionTimeout],
    ["WorkflowRunTimeout", a.workflowRunTimeout],
    ["WorkflowTaskTimeout", a.workflowTaskTimeout],
  ] as const) {
    const problem = durationProblem(value);
    if (problem !== undefined) throw refuse(`Invalid ${name} ${on}: ${problem}. ${tail}`);
  }
  const retryPolicy = a.retryPolicy === undefined ? undefined : withRetryDefaults(a.retryPolicy, c.limits.workflowRetry);
  const retryProblem = retryPolicyProblem(retryPolicy);
  if (retryProblem !== undefined) throw refuse(`invalid WorkflowRetryPolicy ${on}: ${retryProblem.message}. ${tail}`);
  if (a.cronSchedule !== "" && parseCron(a.cronSchedule) === undefined) throw refuse(`invalid CronSchedule ${on}: invalid CronSchedule.. ${tail}`);
  checkSearchAttributes(c, a.searchAttributes, target, "invalid SearchAttributes on StartChildWorkflowCommand: ", `. ${tail}`);
  const badPriority = priorityProblem(a.priority);
  if (badPriority !== undefined) throw refuse(badPriority);
  const queue = a.taskQueue?.name || run.info.taskQueue;
  if (Buffer.byteLength(queue) > max)
    throw refuse(`invalid TaskQueue ${on}: taskQueue length exceeds limit. ${tail} TaskQueue=${taskQueueText(queue)}`);
  const executionTimeout = cappedMicros(a.workflowExecutionTimeout);
  let runTimeout = cappedMicros(a.workflowRunTimeout);
  if (executionTimeout > 0 && (runTimeout === 0 || runTimeout > executionTimeout)) runTimeout = executionTimeout;
  const taskTimeout = boundedTaskTimeout(cappedMicros(a.workflowTaskTimeout) || c.limits.workflowTaskTimeoutMsDefault * 1000, runTimeout);
  if (a.inheritBuildId && a.taskQueue !== undefined && a.taskQueue.name !== "" && a.taskQueue.name !== run.info.taskQueue)
    throw refuse("StartChildWorkflowExecution with UseCompatibleVersion cannot run on different task queue.");
  checkBlob(c, a.input?.length ?? 0, cause, "StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.");
  checkMemo(c, a.memo, cause, "StartChildWorkflowExecutionCommandAttributes.Memo exceeds size limit.");
  const pendingMax = c.limits.pendingChildExecutionsMax;
  if (pendingMax > 0 && run.draft.children.size >= pendingMax)
    throw new TaskFailure(
      Cause.PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED,
      invalidArgument(
        `the number of pending child workflow executions, ${run.draft.children.size}, has reached the per-workflow limit of ${pendingMax}`,
      ),
    );
  const event = run.add(
    EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED,
    "startChildWorkflowExecutionInitiatedEventAttributes",
    {
      namespace: target.name,
      namespaceId: target.id,
      workflowId: id,
      workflowType: { name: type },
      taskQueue: { name: queue, kind: TaskQueueKind.NORMAL },
      input: a.input,
      workflowExecutionTimeout: a.workflowExecutionTimeout === undefined ? undefined : duration(executionTimeout),
      workflowRunTimeout: duration(runTimeout),
      workflowTaskTimeout: duration(taskTimeout),
      parentClosePolicy: a.parentClosePolicy === ParentClosePolicy.UNSPECIFIED ? ParentClosePolicy.TERMINATE : a.parentClosePolicy,
      control: a.control,
      workflowTaskCompletedEventId: c.completedEventId,
      workflowIdReusePolicy:
        a.workflowIdReusePolicy === WorkflowIdReusePolicy.UNSPECIFIED ? WorkflowIdReusePolicy.ALLOW_DUPLICATE : a.workflowIdReusePolicy,
      retryPolicy,
      cronSchedule: a.cronSchedule,
      header: a.header,
      memo: a.memo,
      searchAttributes: typed(a.searchAttributes, target),
      inheritBuildId: a.inheritBuildId,
      priority: a.priority,
      versioningOverride: a.versioningOverride === undefined ? undefined : newForm(a.versioningOverride),
      ...clockOfChild(run),
    },
    c.extra(command),
  );
  c.childrenInitiated.add(id);
  run.transfer({
    kind: TransferKind.START_CHILD,
    initiatedEventId: event.eventId,
    namespaceId: target.id,
    namespace: target.name,
    workflowId: id,
    event: inheriting(event, run.info.priority),
    // The last part is the version of the event.
    requestId: `${run.info.runId}:${event.eventId}:0`,
    inheritedVersion: inheritedByChild(run, {
      namespaceId: target.id,
      taskQueue: queue,
      inheritBuildId: a.inheritBuildId,
      override: a.versioningOverride,
    }),
  });
  return event;
}

/** The child starts with the priority of its parent where it has none of its own; the parent's event names only its own. */
function inheriting(event: HistoryEvent, from: Priority | undefined): HistoryEvent {
  const { attributes } = event;
  if (from === undefined || attributes.case !== "startChildWorkflowExecutionInitiatedEventAttributes") return event;
  const value = { ...attributes.value, priority: inheritedPriority(from, attributes.value.priority) };
  return { ...event, attributes: { case: attributes.case, value } };
}
