/** COMMAND_TYPE_RECORD_MARKER */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { type Completion, TaskFailure } from "./command.js";
import { checkBlob, payloadMapSize } from "./limits-check.js";

export function recordMarker(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_RECORD_MARKER_ATTRIBUTES;
  if (command.attributes.case !== "recordMarkerCommandAttributes")
    throw new TaskFailure(cause, invalidArgument("RecordMarkerCommandAttributes is not set on RecordMarkerCommand."));
  const a = command.attributes.value;
  const max = c.limits.idLengthMax;
  if (a.markerName === "") throw new TaskFailure(cause, invalidArgument("MarkerName is not set on RecordMarkerCommand."));
  if (Buffer.byteLength(a.markerName) > max)
    throw new TaskFailure(
      cause,
      invalidArgument(
        `MarkerName on RecordMarkerCommand exceeds length limit. MarkerName=${a.markerName} Length=${Buffer.byteLength(a.markerName)} Limit=${max}`,
      ),
    );
  checkBlob(c, payloadMapSize(a.details), cause, "RecordMarkerCommandAttributes.Details exceeds size limit.");
  return c.run.add(
    EventType.MARKER_RECORDED,
    "markerRecordedEventAttributes",
    { markerName: a.markerName, details: a.details, workflowTaskCompletedEventId: c.completedEventId, header: a.header, failure: a.failure },
    c.extra(command),
  );
}
