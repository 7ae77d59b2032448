/**
 * The end of a run: its close event and everything that follows from it - the next run of the chain, the parent's result, the
 * parent close policy of its children, queries that will never be answered, the visibility row, retention.
 */

import { InternalCallbackRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { Payload, Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { ParentClosePolicy, type RetryState, WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode, encode, type Init } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { triggerCallbacks } from "../callback/statemachine.js";
import type { Run } from "./context.js";
import type { AttributesCase, AttributesOf, EventExtra } from "./event-factory.js";
import { realNow } from "./execution-clock.js";
import { TransferKind } from "./transfer-kind.js";
import { failTask, isTaskRunning } from "./workflow-task.js";

/** Identity that the official server gives to what it does itself. */
export const HISTORY_SERVICE_IDENTITY = "history-service";

/** How most runs end. One that a reset ends says nothing to its parent: the new run will; nor to children that go with the new run. */
const BY_ITSELF = { byReset: false, keepsChildren: false };

export function closeRun<C extends AttributesCase>(
  run: Run,
  type: EventType,
  attributes: C,
  value: Init<AttributesOf<C>>,
  extra: EventExtra = {},
  end: { byReset: boolean; keepsChildren: boolean } = BY_ITSELF,
): HistoryEvent {
  const { draft, ctx } = run;
  assert(run.isOpen, "only an open run closes");
  const event = run.add(type, attributes, value, extra);
  const info = draft.info;
  info.closeEventBatchFirstId = run.events.batchFirstEventId;
  run.visibilityChanged = true;
  // What waits in rows no longer concerns anyone.
  draft.takeBuffered();
  if (info.parent !== undefined && info.newRunId === "" && !end.byReset)
    run.transfer({
      kind: TransferKind.CHILD_CLOSED,
      initiatedEventId: info.parent.initiatedEventId,
      namespaceId: info.parent.namespaceId,
      namespace: info.parent.namespace,
      workflowId: info.parent.workflowId,
      runId: info.parent.runId,
      event,
      firstRunId: info.firstRunId,
    });
  if (info.completionCallbacks.length > 0 && info.newRunId === "" && !end.byReset) tellCallbacks(run, event);
  for (const child of end.keepsChildren ? [] : [...draft.children.values()]) {
    if (info.newRunId !== "" && info.status === WorkflowExecutionStatus.CONTINUED_AS_NEW && child.parentClosePolicy === ParentClosePolicy.ABANDON)
      continue;
    if (child.startedEventId === 0 || child.parentClosePolicy === ParentClosePolicy.ABANDON) continue;
    run.transfer({
      kind: child.parentClosePolicy === ParentClosePolicy.REQUEST_CANCEL ? TransferKind.PARENT_CLOSE_CANCEL : TransferKind.PARENT_CLOSE_TERMINATE,
      initiatedEventId: child.initiatedEventId,
      namespaceId: child.namespaceId,
      namespace: child.namespace,
      workflowId: child.workflowId,
      firstRunId: child.runId,
      childWorkflowOnly: true,
    });
  }
  // Retention waits for the transfer.
  if (ctx.env.namespace.isArchiving === true)
    run.transfer({ kind: TransferKind.ARCHIVE, namespaceId: info.namespaceId, workflowId: info.workflowId, runId: info.runId });
  if (draft.hasCallbacks) triggerCallbacks(run, event);
  // Time that is skipped keeps nothing from being read afterwards: retention is real.
  info.deleteAt = realNow(ctx.env) + ctx.env.namespace.retention;
  return event;
}

/** Those who asked, within this server, to be told of the end of the chain. */
function tellCallbacks(run: Run, event: HistoryEvent): void {
  for (const { variant } of run.info.completionCallbacks) {
    if (variant.case !== "internal") continue;
    const callback = decode(InternalCallbackRecord, variant.value.data);
    run.transfer({
      kind: TransferKind.INTERNAL_CALLBACK,
      namespaceId: callback.namespaceId,
      workflowId: callback.id,
      runId: callback.runId,
      archetype: callback.archetype,
      requestId: callback.requestId,
      firstRunId: run.info.firstRunId,
      event,
    });
  }
}

/** Ends a run from outside: a running workflow task fails first, and what waited is written, so that the history says so. */
export function terminateRun(
  run: Run,
  attributes: { reason: string; details: Uint8Array | undefined; identity: string },
  links: HistoryEvent["links"] = [],
  end = BY_ITSELF,
): void {
  if (isTaskRunning(run.draft)) {
    failTask(run, WorkflowTaskFailedCause.FORCE_CLOSE_COMMAND, undefined, HISTORY_SERVICE_IDENTITY);
    run.flushBuffered();
  }
  closeRun(run, EventType.WORKFLOW_EXECUTION_TERMINATED, "workflowExecutionTerminatedEventAttributes", attributes, { links }, end);
}

export function timeOutRun(run: Run, retryState: RetryState, newExecutionRunId: string): void {
  if (isTaskRunning(run.draft)) {
    failTask(run, WorkflowTaskFailedCause.FORCE_CLOSE_COMMAND, undefined, HISTORY_SERVICE_IDENTITY);
    run.flushBuffered();
  }
  closeRun(run, EventType.WORKFLOW_EXECUTION_TIMED_OUT, "workflowExecutionTimedOutEventAttributes", { retryState, newExecutionRunId });
}

/** A string as the official server's own payloads carry it (json/plain). */
export function stringPayloads(text: string): Uint8Array {
  return encode(Payloads, {
    payloads: [encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(JSON.stringify(text)) })],
  });
}
