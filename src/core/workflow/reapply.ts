/**
 * One event of a run that was reset, applied to the run in its place, when it came from outside: signals, updates, options, and what
 * became of children and Nexus operations that were begun before the fork. A cancel request and a termination were meant for the run that got them.
 * Behaviour: reapplyEvents in service/history/ndc/workflow_resetter.go of the official server.
 */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { ResetReapplyExcludeType as Exclude } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import { UpdateAdmittedEventOrigin } from "../../../gen/wire/temporal/api/enums/v1/update.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { internal } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import type { Run } from "./context.js";
import type { AttributesOf } from "./event-factory.js";
import { noteRequest } from "./reset.js";
import { addOptionsEvent } from "./time-skipping.js";

export function reapply(run: Run, event: HistoryEvent, excluded: ReadonlySet<Exclude>): void {
  const a = event.attributes;
  switch (a.case) {
    case "workflowExecutionSignaledEventAttributes": {
      if (excluded.has(Exclude.SIGNAL)) return;
      const { signalName, input, identity, header, requestId } = a.value;
      run.add(
        EventType.WORKFLOW_EXECUTION_SIGNALED,
        "workflowExecutionSignaledEventAttributes",
        { signalName, input, identity, header, requestId },
        { links: event.links },
      );
      if (requestId !== "") run.draft.requestIds.push({ id: requestId, eventType: EventType.WORKFLOW_EXECUTION_SIGNALED, eventId: 0 });
      return;
    }
    case "workflowExecutionUpdateAdmittedEventAttributes": {
      if (excluded.has(Exclude.UPDATE)) return;
      const { request, origin } = a.value;
      run.add(EventType.WORKFLOW_EXECUTION_UPDATE_ADMITTED, "workflowExecutionUpdateAdmittedEventAttributes", { request, origin });
      return;
    }
    case "workflowExecutionUpdateAcceptedEventAttributes": {
      // Without its request it follows an event of its admission, which has it.
      const request = a.value.acceptedRequest;
      if (excluded.has(Exclude.UPDATE) || request === undefined) return;
      const origin = UpdateAdmittedEventOrigin.REAPPLY;
      run.add(EventType.WORKFLOW_EXECUTION_UPDATE_ADMITTED, "workflowExecutionUpdateAdmittedEventAttributes", { request, origin });
      return;
    }
    case "workflowExecutionOptionsUpdatedEventAttributes": {
      const v = a.value;
      const callbacks = v.attachedCompletionCallbacks;
      if (callbacks.length > 0 && v.attachedRequestId !== "" && run.info.attachedRequests.some((r) => r.requestId === v.attachedRequestId)) {
        if (v.versioningOverride === undefined && !v.unsetVersioningOverride) return;
        throw internal(
          `unable to reapply WorkflowExecutionOptionsUpdated event: ${callbacks.length} completion callbacks are already attached but the event contains additional workflow option updates`,
        );
      }
      const again = addOptionsEvent(run, v, { links: event.links });
      noteRequest(run, v.attachedRequestId, again);
      return;
    }
    case "startChildWorkflowExecutionFailedEventAttributes": {
      const { namespace, namespaceId, workflowId, workflowType, cause, control, initiatedEventId } = a.value;
      if (!run.draft.children.has(initiatedEventId)) return;
      run.add(EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED, "startChildWorkflowExecutionFailedEventAttributes", {
        namespace,
        namespaceId,
        workflowId,
        workflowType,
        cause,
        control,
        initiatedEventId,
      });
      return;
    }
    case "childWorkflowExecutionStartedEventAttributes": {
      const child = run.draft.children.get(a.value.initiatedEventId);
      if (child === undefined || child.startedEventId !== 0) return;
      const { namespace, namespaceId, initiatedEventId, workflowExecution, workflowType, header } = a.value;
      run.add(EventType.CHILD_WORKFLOW_EXECUTION_STARTED, "childWorkflowExecutionStartedEventAttributes", {
        namespace,
        namespaceId,
        initiatedEventId,
        workflowExecution,
        workflowType,
        header,
      });
      return;
    }
    case "childWorkflowExecutionCompletedEventAttributes":
      childEnd(run, EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED, a.case, a.value);
      return;
    case "childWorkflowExecutionFailedEventAttributes":
      childEnd(run, EventType.CHILD_WORKFLOW_EXECUTION_FAILED, a.case, a.value);
      return;
    case "childWorkflowExecutionCanceledEventAttributes":
      childEnd(run, EventType.CHILD_WORKFLOW_EXECUTION_CANCELED, a.case, a.value);
      return;
    case "childWorkflowExecutionTimedOutEventAttributes":
      childEnd(run, EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT, a.case, a.value);
      return;
    case "childWorkflowExecutionTerminatedEventAttributes":
      childEnd(run, EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED, a.case, a.value);
      return;
    case "nexusOperationStartedEventAttributes":
      nexusEvent(run, EventType.NEXUS_OPERATION_STARTED, a.case, a.value, excluded);
      return;
    case "nexusOperationCompletedEventAttributes":
      nexusEvent(run, EventType.NEXUS_OPERATION_COMPLETED, a.case, a.value, excluded);
      return;
    case "nexusOperationFailedEventAttributes":
      nexusEvent(run, EventType.NEXUS_OPERATION_FAILED, a.case, a.value, excluded);
      return;
    case "nexusOperationCanceledEventAttributes":
      nexusEvent(run, EventType.NEXUS_OPERATION_CANCELED, a.case, a.value, excluded);
      return;
    case "nexusOperationTimedOutEventAttributes":
      nexusEvent(run, EventType.NEXUS_OPERATION_TIMED_OUT, a.case, a.value, excluded);
      return;
    default:
  }
}

type NexusOutcome =
  | "nexusOperationStartedEventAttributes"
  | "nexusOperationCompletedEventAttributes"
  | "nexusOperationFailedEventAttributes"
  | "nexusOperationCanceledEventAttributes"
  | "nexusOperationTimedOutEventAttributes";

/** Only of an operation that the fork has left pending. Another one may have been scheduled under the same id since. */
function nexusEvent<C extends NexusOutcome>(run: Run, type: EventType, attributes: C, value: AttributesOf<C>, excluded: ReadonlySet<Exclude>): void {
  if (excluded.has(Exclude.NEXUS) || !run.draft.hasNexusOperations) return;
  const { scheduledEventId, requestId } = value as { scheduledEventId: number; requestId: string };
  const op = run.draft.nexusOperations.get(scheduledEventId);
  if (op === undefined || (requestId !== "" && requestId !== op.requestId)) return;
  run.add(type, attributes, value as Init<AttributesOf<C>>);
}

type ChildEnd =
  | "childWorkflowExecutionCompletedEventAttributes"
  | "childWorkflowExecutionFailedEventAttributes"
  | "childWorkflowExecutionCanceledEventAttributes"
  | "childWorkflowExecutionTimedOutEventAttributes"
  | "childWorkflowExecutionTerminatedEventAttributes";

/** Only of a child that the fork has left pending; its started event may have got another id. */
function childEnd<C extends ChildEnd>(run: Run, type: EventType, attributes: C, value: AttributesOf<C>): void {
  const child = run.draft.children.get(value.initiatedEventId);
  if (child === undefined) return;
  run.add(type, attributes, { ...value, startedEventId: child.startedEventId } as Init<AttributesOf<C>>);
}
