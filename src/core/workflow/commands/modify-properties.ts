/** COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { mergeMemo } from "../apply-events.js";
import { type Completion, TaskFailure } from "./command.js";
import { checkBlob, checkMemo, payloadDataSize } from "./limits-check.js";

export function modifyProperties(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES;
  const on = "on ModifyWorkflowPropertiesCommand";
  if (command.attributes.case !== "modifyWorkflowPropertiesCommandAttributes")
    throw new TaskFailure(cause, invalidArgument(`ModifyWorkflowPropertiesCommandAttributes is not set ${on}.`));
  const { upsertedMemo } = command.attributes.value;
  if (upsertedMemo === undefined) throw new TaskFailure(cause, invalidArgument(`UpsertedMemo is not set ${on}.`));
  if (Object.keys(upsertedMemo.fields).length === 0) throw new TaskFailure(cause, invalidArgument(`UpsertedMemo.Fields is not set ${on}.`));
  checkBlob(c, payloadDataSize(upsertedMemo.fields), cause, "ModifyWorkflowPropertiesCommandAttributes exceeds size limit.");
  checkMemo(c, mergeMemo(c.run.draft.memo, upsertedMemo), cause, "ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit.");
  c.run.visibilityChanged = true;
  return c.run.add(
    EventType.WORKFLOW_PROPERTIES_MODIFIED,
    "workflowPropertiesModifiedEventAttributes",
    { workflowTaskCompletedEventId: c.completedEventId, upsertedMemo },
    c.extra(command),
  );
}
