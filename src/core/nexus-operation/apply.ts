/** The effect of Nexus events on the state: its history fields. */
import { NexusCancellationRecord, NexusOperationRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import {
  NexusOperationCancellationState as CancelState,
  PendingNexusOperationState as State,
} from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { durationMicros, timestampMicros } from "../../api/time.js";
import type { RunDraft } from "../workflow/mutable-state.js";

export function applyNexusEvent(draft: RunDraft, event: HistoryEvent): void {
  const a = event.attributes;
  switch (a.case) {
    case "nexusOperationScheduledEventAttributes": {
      const v = a.value;
      draft.putNexusOperation(
        NexusOperationRecord.create({
          scheduledEventId: event.eventId,
          endpoint: v.endpoint,
          endpointId: v.endpointId,
          service: v.service,
          operation: v.operation,
          scheduledTime: timestampMicros(event.eventTime),
          scheduleToCloseTimeout: durationMicros(v.scheduleToCloseTimeout),
          scheduleToStartTimeout: durationMicros(v.scheduleToStartTimeout),
          startToCloseTimeout: durationMicros(v.startToCloseTimeout),
          requestId: v.requestId,
          state: State.SCHEDULED,
        }),
      );
      return;
    }
    case "nexusOperationStartedEventAttributes":
      change(draft, a.value.scheduledEventId, () => ({
        state: State.STARTED,
        operationToken: a.value.operationToken || a.value.operationId,
        startedTime: timestampMicros(event.eventTime),
      }));
      return;
    case "nexusOperationCompletedEventAttributes":
    case "nexusOperationFailedEventAttributes":
    case "nexusOperationCanceledEventAttributes":
    case "nexusOperationTimedOutEventAttributes":
      draft.deleteNexusOperation(a.value.scheduledEventId);
      return;
    case "nexusOperationCancelRequestedEventAttributes":
      change(draft, a.value.scheduledEventId, () => ({ cancellation: NexusCancellationRecord.create({ requestedEventId: event.eventId }) }));
      return;
    case "nexusOperationCancelRequestCompletedEventAttributes":
      setCancellation(draft, a.value.scheduledEventId, CancelState.SUCCEEDED);
      return;
    case "nexusOperationCancelRequestFailedEventAttributes":
      setCancellation(draft, a.value.scheduledEventId, CancelState.FAILED);
      return;
    default:
  }
}

/** An operation that has ended is left alone: its end may have waited when the event was made. */
function change(draft: RunDraft, id: number, changes: (op: NexusOperationRecord) => Partial<NexusOperationRecord>): void {
  const op = draft.nexusOperations.get(id);
  if (op !== undefined) draft.putNexusOperation(NexusOperationRecord.copy(op, changes(op)));
}

function setCancellation(draft: RunDraft, id: number, state: CancelState): void {
  change(draft, id, (op) => ({
    cancellation: op.cancellation === undefined ? undefined : NexusCancellationRecord.create({ ...op.cancellation, state }),
  }));
}
