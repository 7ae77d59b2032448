/**
 * Transfer tasks as inputs: what each asks of its target, and what its source learns from the answer. Pure; the shell's transfer
 * queue carries them at least once, and the request id (source run and initiated event) makes the effect happen once.
 */
import type { TransferRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import {
  CancelExternalWorkflowExecutionFailedCause as CancelCause,
  SignalExternalWorkflowExecutionFailedCause as SignalCause,
  StartChildWorkflowExecutionFailedCause as StartCause,
} from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { ParentClosePolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  RequestCancelWorkflowExecutionRequest,
  SignalWorkflowExecutionRequest,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, type ServiceError } from "../../api/service-error.js";
import { decode } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import type { ExecutionAddress, Input, InputOf } from "../input.js";
import type { NamespaceDirectory } from "../namespace-view.js";
import type { Replies } from "../transition.js";
import { TransferKind } from "./transfer-kind.js";

/** Identity that the official server gives to effects of one workflow on another. */
const IDENTITY = "history-service";

export type TransferInput = { address: ExecutionAddress; input: Input } | { result: Input };

const AWAITED: ReadonlySet<TransferKind> = new Set([TransferKind.START_CHILD, TransferKind.SIGNAL_EXTERNAL, TransferKind.CANCEL_EXTERNAL]);

/** What its source is asked before it is carried; undefined when it is carried in any case. */
export function awaitedQuestion({ kind, initiatedEventId }: TransferRecord): InputOf<"isTransferAwaited"> | undefined {
  return AWAITED.has(kind) ? { kind: "isTransferAwaited", transferKind: kind, initiatedEventId } : undefined;
}

/**
 * What to ask of the target; or at once what the source learns, when there is no target to ask. `isAwaited`: whether the source
 * still waits. If not, a child that was begun before is looked for, as nobody has told it to run.
 */
export function transferInput(id: number, record: TransferRecord, directory: NamespaceDirectory, isAwaited: boolean): TransferInput {
  if (record.kind === TransferKind.ARCHIVE || (!isAwaited && record.kind !== TransferKind.START_CHILD))
    return { result: { kind: "transferDone", transferId: id } };
  const namespace = directory.byId(record.namespaceId);
  if (namespace === undefined) return { result: withoutTarget(id, record) };
  // A workflow does not reach itself from outside.
  if (record.namespaceId === record.sourceNamespaceId && record.workflowId === record.sourceWorkflowId) {
    const { initiatedEventId } = record;
    if (record.kind === TransferKind.SIGNAL_EXTERNAL)
      return {
        result: { kind: "externalSignaled", transferId: id, initiatedEventId, failure: SignalCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND },
      };
    if (record.kind === TransferKind.CANCEL_EXTERNAL)
      return {
        result: { kind: "externalCancelRequested", transferId: id, initiatedEventId, failure: CancelCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND },
      };
  }
  const address: ExecutionAddress = { namespaceId: record.namespaceId, workflowId: record.workflowId, runId: record.runId };
  const source = { workflowId: record.sourceWorkflowId, runId: record.sourceRunId, namespace: record.sourceNamespace };
  const execution = { workflowId: record.workflowId, runId: record.runId };
  const a = record.event?.attributes;
  switch (record.kind as TransferKind) {
    case TransferKind.START_CHILD: {
      assert(a?.case === "startChildWorkflowExecutionInitiatedEventAttributes", "a child start carries its initiated event");
      const v = a.value;
      return {
        address: { ...address, runId: "" },
        input: {
          kind: "start",
          request: StartWorkflowExecutionRequest.create({
            namespace: v.namespace,
            workflowId: v.workflowId,
            workflowType: v.workflowType,
            taskQueue: v.taskQueue,
            input: v.input,
            header: v.header,
            workflowExecutionTimeout: v.workflowExecutionTimeout,
            workflowRunTimeout: v.workflowRunTimeout,
            workflowTaskTimeout: v.workflowTaskTimeout,
            requestId: record.requestId,
            workflowIdReusePolicy: v.workflowIdReusePolicy,
            retryPolicy: v.retryPolicy,
            cronSchedule: v.cronSchedule,
            memo: v.memo,
            searchAttributes: v.searchAttributes,
            priority: v.priority,
            userMetadata: record.event?.userMetadata,
            versioningOverride: v.versioningOverride,
            timeSkippingConfig: v.timeSkippingConfig,
          }),
          parent: {
            namespace: record.sourceNamespace,
            namespaceId: record.sourceNamespaceId,
            workflowId: record.sourceWorkflowId,
            runId: record.sourceRunId,
            initiatedEventId: record.initiatedEventId,
            rootWorkflowId: record.rootWorkflowId,
            rootRunId: record.rootRunId,
            baseRunIds: record.baseRunIds,
            inheritedVersion: record.inheritedVersion,
            timeSkipping: v.timeSkippingStatePropagation,
            isAwaiting: isAwaited,
          },
        },
      };
    }
    case TransferKind.SIGNAL_EXTERNAL: {
      assert(a?.case === "signalExternalWorkflowExecutionInitiatedEventAttributes", "an external signal carries its initiated event");
      const v = a.value;
      return {
        address,
        input: {
          kind: "signal",
          request: SignalWorkflowExecutionRequest.create({
            workflowExecution: execution,
            signalName: v.signalName,
            input: v.input,
            identity: IDENTITY,
            requestId: record.requestId,
            header: v.header,
          }),
          external: { ...source, childWorkflowOnly: v.childWorkflowOnly },
        },
      };
    }
    case TransferKind.CANCEL_EXTERNAL: {
      assert(a?.case === "requestCancelExternalWorkflowExecutionInitiatedEventAttributes", "an external cancel carries its initiated event");
      return {
        address,
        input: {
          kind: "requestCancel",
          request: RequestCancelWorkflowExecutionRequest.create({
            workflowExecution: execution,
            identity: IDENTITY,
            requestId: record.requestId,
            reason: a.value.reason,
          }),
          external: { ...source, initiatedEventId: record.initiatedEventId, childWorkflowOnly: a.value.childWorkflowOnly },
        },
      };
    }
    case TransferKind.CHILD_CLOSED:
      assert(record.event !== undefined, "a child's end carries its close event");
      return {
        address,
        input: {
          kind: "childClosed",
          initiatedEventId: record.initiatedEventId,
          childWorkflowId: record.sourceWorkflowId,
          childRunId: record.sourceRunId,
          childFirstRunId: record.firstRunId,
          event: record.event,
        },
      };
    case TransferKind.PARENT_CLOSE_TERMINATE:
      return {
        address: { ...address, runId: "" },
        input: {
          kind: "terminate",
          request: TerminateWorkflowExecutionRequest.create({
            workflowExecution: execution,
            reason: "by parent close policy",
            identity: IDENTITY,
            firstExecutionRunId: record.firstRunId,
          }),
          childWorkflowOnly: record.childWorkflowOnly,
          parent: { workflowId: record.sourceWorkflowId, runId: record.sourceRunId },
        },
      };
    case TransferKind.PARENT_CLOSE_CANCEL:
      return {
        address: { ...address, runId: "" },
        input: {
          kind: "requestCancel",
          request: RequestCancelWorkflowExecutionRequest.create({
            workflowExecution: execution,
            identity: IDENTITY,
            requestId: `${record.sourceRunId}:${record.initiatedEventId}:close`,
            firstExecutionRunId: record.firstRunId,
          }),
          // No command asked for it: there is no initiated event.
          external: { ...source, initiatedEventId: 0, childWorkflowOnly: record.childWorkflowOnly },
        },
      };
    case TransferKind.FIRST_TASK:
      return { address, input: { kind: "scheduleFirstTask" } };
    case TransferKind.START_SCHEDULED:
      return { address, input: { kind: "start", request: decode(StartWorkflowExecutionRequest, record.startRequest), parent: undefined } };
    case TransferKind.CANCEL_SCHEDULED:
      return {
        address,
        input: {
          kind: "requestCancel",
          request: RequestCancelWorkflowExecutionRequest.create({
            workflowExecution: execution,
            identity: record.identity,
            requestId: record.requestId,
            reason: record.reason,
            firstExecutionRunId: record.firstRunId,
          }),
          external: undefined,
        },
      };
    case TransferKind.TERMINATE_SCHEDULED:
      return {
        address,
        input: {
          kind: "terminate",
          request: TerminateWorkflowExecutionRequest.create({
            workflowExecution: execution,
            identity: record.identity,
            reason: record.reason,
            firstExecutionRunId: record.firstRunId,
          }),
          childWorkflowOnly: false,
          parent: undefined,
        },
      };
    case TransferKind.INTERNAL_CALLBACK:
      assert(record.event !== undefined, "a completion callback carries the close event");
      return {
        address: { ...address, archetype: record.archetype },
        input: { kind: "actionClosed", requestId: record.requestId, firstRunId: record.firstRunId, event: record.event },
      };
    default:
      assert(false, `transfer kind ${record.kind} is not known`);
  }
}

function withoutTarget(transferId: number, record: TransferRecord): Input {
  switch (record.kind as TransferKind) {
    case TransferKind.START_CHILD:
      return { kind: "childStartFailed", transferId, initiatedEventId: record.initiatedEventId, cause: StartCause.NAMESPACE_NOT_FOUND };
    case TransferKind.SIGNAL_EXTERNAL:
      return { kind: "externalSignaled", transferId, initiatedEventId: record.initiatedEventId, failure: SignalCause.NAMESPACE_NOT_FOUND };
    case TransferKind.CANCEL_EXTERNAL:
      return { kind: "externalCancelRequested", transferId, initiatedEventId: record.initiatedEventId, failure: CancelCause.NAMESPACE_NOT_FOUND };
    case TransferKind.START_SCHEDULED:
      return { kind: "actionStartFailed", transferId, requestId: record.requestId, reason: "the namespace is gone" };
    default:
      return { kind: "transferDone", transferId };
  }
}

/** What its policy asks to be done to a child whose parent has ended before it learned of the start. */
export function closePolicyEffects(policy: ParentClosePolicy, childRunId: string): Pick<TransferRecord, "kind" | "runId" | "childWorkflowOnly">[] {
  const firstTask = { kind: TransferKind.FIRST_TASK, runId: childRunId, childWorkflowOnly: false };
  if (policy === ParentClosePolicy.ABANDON) return [firstTask];
  if (policy === ParentClosePolicy.REQUEST_CANCEL) return [firstTask, { kind: TransferKind.PARENT_CLOSE_CANCEL, runId: "", childWorkflowOnly: true }];
  return [{ kind: TransferKind.PARENT_CLOSE_TERMINATE, runId: "", childWorkflowOnly: true }];
}

/**
 * Nobody is left to learn the result. A child that was started waits for its parent to know of it: that it has none any more it is
 * told as if that had ended.
 */
export function orphanEffects(record: TransferRecord, result: Input): TransferRecord[] {
  const a = record.event?.attributes;
  if (result.kind !== "childStarted" || a?.case !== "startChildWorkflowExecutionInitiatedEventAttributes") return [];
  return closePolicyEffects(a.value.parentClosePolicy, result.runId).map((effect) => ({ ...record, ...effect, firstRunId: result.runId }));
}

const PASSING: ReadonlySet<Code> = new Set([
  Code.UNAVAILABLE,
  Code.RESOURCE_EXHAUSTED,
  Code.INTERNAL,
  Code.DEADLINE_EXCEEDED,
  Code.CANCELLED,
  Code.UNKNOWN,
]);

/** The child was to run on a version that does not serve its queue, or that nobody can follow. */
function isBadOverride({ event }: TransferRecord, error: ServiceError): boolean {
  const a = event?.attributes;
  if (a?.case !== "startChildWorkflowExecutionInitiatedEventAttributes" || a.value.versioningOverride === undefined) return false;
  return error.code === Code.FAILED_PRECONDITION || error.code === Code.INVALID_ARGUMENT;
}

/** What the source learns from the target's answer; "retry" when the answer says nothing for good. */
export function transferResult(transferId: number, record: TransferRecord, answer: { reply: unknown } | { error: ServiceError }): Input | "retry" {
  const { initiatedEventId } = record;
  const error = "error" in answer ? answer.error : undefined;
  if (error !== undefined && PASSING.has(error.code)) return "retry";
  switch (record.kind as TransferKind) {
    case TransferKind.START_CHILD:
      if (error === undefined)
        return {
          kind: "childStarted",
          transferId,
          initiatedEventId,
          runId: ("reply" in answer ? (answer.reply as Replies["start"]) : undefined)?.runId ?? "",
          clock: undefined,
        };
      return {
        kind: "childStartFailed",
        transferId,
        initiatedEventId,
        cause: isBadOverride(record, error)
          ? StartCause.INVALID_VERSIONING_OVERRIDE
          : error.code === Code.NOT_FOUND
            ? StartCause.NAMESPACE_NOT_FOUND
            : StartCause.WORKFLOW_ALREADY_EXISTS,
      };
    case TransferKind.SIGNAL_EXTERNAL:
      return {
        kind: "externalSignaled",
        transferId,
        initiatedEventId,
        failure:
          error === undefined
            ? undefined
            : error.code === Code.INVALID_ARGUMENT
              ? SignalCause.SIGNAL_COUNT_LIMIT_EXCEEDED
              : SignalCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND,
      };
    case TransferKind.CANCEL_EXTERNAL:
      return {
        kind: "externalCancelRequested",
        transferId,
        initiatedEventId,
        failure: error === undefined ? undefined : CancelCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND,
      };
    case TransferKind.START_SCHEDULED:
      return error === undefined
        ? {
            kind: "actionStarted",
            transferId,
            requestId: record.requestId,
            runId: ("reply" in answer ? (answer.reply as Replies["start"]) : undefined)?.firstRunId ?? "",
          }
        : { kind: "actionStartFailed", transferId, requestId: record.requestId, reason: error.message };
    default:
      return { kind: "transferDone", transferId };
  }
}
