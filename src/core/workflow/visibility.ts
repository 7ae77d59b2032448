/** The visibility row of a run, from its state. */
import { Memo, Payload, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { encode } from "../../api/wire.js";
import type { VisibilityRow } from "../visibility/row.js";
import { indexedValues } from "../visibility/search-attributes.js";
import type { Run } from "./context.js";
import type { RunDraft } from "./mutable-state.js";

const NONE = new Uint8Array(0);
const INT = { encoding: Buffer.from("json/plain"), type: Buffer.from("Int") };

export function visibilityRow(run: Run): VisibilityRow {
  const { draft, ctx } = run;
  const info = draft.info;
  const isClosed = !draft.isOpen;
  const searchAttributes = isClosed && ctx.env.config.limits.externalPayloads ? withExternalPayloads(draft) : draft.searchAttributes;
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
    searchAttributes: searchAttributes === undefined ? NONE : encode(SearchAttributes, searchAttributes),
    attributes: searchAttributes === undefined ? [] : indexedValues(searchAttributes, ctx.env.namespace),
  };
}

/** Only lists show them as attributes, and only of closed runs that have some, as on the official server. */
function withExternalPayloads({ info, searchAttributes }: RunDraft): SearchAttributes | undefined {
  if (info.externalPayloadCount === 0) return searchAttributes;
  const int = (value: number): Uint8Array => encode(Payload, { metadata: INT, data: Buffer.from(String(value)) });
  return {
    indexedFields: {
      ...searchAttributes?.indexedFields,
      TemporalExternalPayloadCount: int(info.externalPayloadCount),
      TemporalExternalPayloadSizeBytes: int(info.externalPayloadSizeBytes),
    },
  };
}
