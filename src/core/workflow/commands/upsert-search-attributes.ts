/** COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, and the check of search attributes that other commands carry. */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import type { SearchAttributes } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument, ServiceError } from "../../../api/service-error.js";
import type { NamespaceView } from "../../namespace-view.js";
import { checkSearchAttributeNames, checkSearchAttributeSizes, checkSearchAttributeValues, typed } from "../../visibility/search-attributes.js";
import { mergeSearchAttributes } from "../apply-events.js";
import { type Completion, TaskFailure } from "./command.js";
import { checkBlob, payloadDataSize } from "./limits-check.js";

export function checkSearchAttributes(
  c: Completion,
  attributes: SearchAttributes | undefined,
  namespace: NamespaceView,
  before: string,
  after: string,
  isSizeChecked = true,
): void {
  if (attributes === undefined) return;
  const cause = Cause.BAD_SEARCH_ATTRIBUTES;
  const refused = (check: () => void, text: (message: string) => string) => {
    try {
      check();
    } catch (e) {
      if (e instanceof ServiceError) throw new TaskFailure(cause, invalidArgument(text(e.message)));
      throw e;
    }
  };
  refused(
    () => checkSearchAttributeNames(attributes, namespace),
    (m) => m,
  );
  refused(
    () => checkSearchAttributeValues(attributes, namespace, c.limits),
    (m) => `${before}${m}${after}`,
  );
  if (isSizeChecked) checkSizes(c, attributes, namespace);
}

function checkSizes(c: Completion, attributes: SearchAttributes, namespace: NamespaceView): void {
  try {
    checkSearchAttributeSizes(attributes, namespace, c.limits);
  } catch (e) {
    if (e instanceof ServiceError) throw new TaskFailure(Cause.BAD_SEARCH_ATTRIBUTES, e, true);
    throw e;
  }
}

export function upsertSearchAttributes(c: Completion, command: Command): HistoryEvent | undefined {
  const cause = Cause.BAD_SEARCH_ATTRIBUTES;
  const on = "on UpsertWorkflowSearchAttributesCommand";
  if (command.attributes.case !== "upsertWorkflowSearchAttributesCommandAttributes")
    throw new TaskFailure(cause, invalidArgument(`UpsertWorkflowSearchAttributesCommandAttributes is not set ${on}.`));
  const { searchAttributes } = command.attributes.value;
  if (searchAttributes === undefined) throw new TaskFailure(cause, invalidArgument(`SearchAttributes is not set ${on}.`));
  if (Object.keys(searchAttributes.indexedFields).length === 0) throw new TaskFailure(cause, invalidArgument(`IndexedFields is not set ${on}.`));
  checkSearchAttributes(c, searchAttributes, c.namespace, "", "", false);
  checkBlob(c, payloadDataSize(searchAttributes.indexedFields), cause, "UpsertWorkflowSearchAttributesCommandAttributes exceeds size limit.");
  checkSizes(c, mergeSearchAttributes(c.run.draft.searchAttributes, searchAttributes), c.namespace);
  c.run.visibilityChanged = true;
  return c.run.add(
    EventType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    "upsertWorkflowSearchAttributesEventAttributes",
    { workflowTaskCompletedEventId: c.completedEventId, searchAttributes: typed(searchAttributes, c.namespace) },
    c.extra(command),
  );
}
