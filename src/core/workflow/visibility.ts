/** The visibility row of a run, from its state. */
import { Memo, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { encode } from "../../api/wire.js";
import type { VisibilityRow } from "../visibility/row.js";
import { indexedValues } from "../visibility/search-attributes.js";
import type { Run } from "./context.js";

const NONE = new Uint8Array(0);

export function visibilityRow(run: Run): VisibilityRow {
  const { draft, ctx } = run;
  const info = draft.info;
  const isClosed = !draft.isOpen;
  return {
    key: draft.key,
    namespaceKey: ctx.env.namespace.key,
    workflowId: info.workflowId,
    runId: info.runId,
    workflowType: info.workflowType,
    taskQueue: info.taskQueue,
    status: info.status,
    startTime: info.startTime,
    executionTime: info.executionTime,
    closeTime: info.closeTime,
    historyLength: isClosed ? info.nextEventId - 1 : 0,
    historySizeBytes: isClosed ? info.historySizeBytes : 0,
    stateTransitionCount: isClosed ? info.stateTransitionCount : 0,
    parentWorkflowId: info.parent?.workflowId ?? "",
    parentRunId: info.parent?.runId ?? "",
    rootWorkflowId: info.rootWorkflowId,
    rootRunId: info.rootRunId,
    memo: draft.memo === undefined ? NONE : encode(Memo, draft.memo),
    searchAttributes: draft.searchAttributes === undefined ? NONE : encode(SearchAttributes, draft.searchAttributes),
    attributes: draft.searchAttributes === undefined ? [] : indexedValues(draft.searchAttributes, ctx.env.namespace),
  };
}
