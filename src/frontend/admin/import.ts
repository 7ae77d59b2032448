/**
 * AdminService: a history from elsewhere becomes a run. It comes in as many calls as it takes, then one without events, which commits.
 * What came before that is in memory only, under the token of the answers: an import that a restart interrupts begins again.
 */
import { EncodingType } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { History, type HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type {
  ImportWorkflowExecutionRequest,
  ImportWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, resourceExhausted } from "../../api/service-error.js";
import { decode, EMPTY_BYTES, WireError } from "../../api/wire.js";
import { isUuid, uuidV4 } from "../../lib/uuid.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";

interface Import {
  readonly of: string;
  readonly batches: HistoryEvent[][];
  bytes: number;
  lastUsed: number;
}

const BYTES_MAX = 64 * 1024 * 1024;
const IDLE_MICROS_MAX = 600_000_000;

export const importWorkflowExecution = (s: Services): Handler<ImportWorkflowExecutionRequest, ImportWorkflowExecutionResponse> => {
  const imports = new Map<string, Import>();
  return async (request) => {
    const { workflowId, runId } = validateExecution(request.execution);
    const namespace = s.namespaces.view(request.namespace);
    if (!isUuid(runId)) throw invalidArgument("RunId is not valid UUID.");
    const now = s.runtime.nowMicros();
    for (const [id, i] of imports) if (i.lastUsed < now - IDLE_MICROS_MAX) imports.delete(id);
    const of = `${namespace.id}/${workflowId}/${runId}`;
    const token = request.token.length === 0 ? uuidV4(s.runtime.randomBytes16()) : Buffer.from(request.token).toString();
    const begun = imports.get(token);
    if (request.token.length > 0 && begun?.of !== of) throw invalidArgument("the import of this token is not known: begin again");
    const all: Import = begun ?? { of, batches: [], bytes: 0, lastUsed: now };
    if (request.historyBatches.length === 0) {
      if (all.batches.length === 0) throw invalidArgument("HistoryImporter::commit cannot create workflow without events");
      await s.history.submit({ namespaceId: namespace.id, workflowId, runId: "" }, { kind: "importRun", runId, batches: all.batches });
      imports.delete(token);
      return { token: EMPTY_BYTES };
    }
    let held = 0;
    for (const i of imports.values()) held += i.bytes;
    for (const blob of request.historyBatches) {
      held += blob.data.length;
      all.bytes += blob.data.length;
    }
    if (held > BYTES_MAX)
      throw resourceExhausted("too much history is being imported at once", ResourceExhaustedCause.SYSTEM_OVERLOADED, ResourceExhaustedScope.SYSTEM);
    for (const { encodingType, data } of request.historyBatches) {
      if (encodingType !== EncodingType.PROTO3) throw invalidArgument("history batches must be encoded as proto3");
      const events = eventsOf(data);
      for (const event of events) {
        const attributes = searchAttributesOf(event);
        if (attributes !== undefined) s.searchAttributes.validate(attributes, namespace);
      }
      if (events.length > 0) all.batches.push(events);
    }
    all.lastUsed = now;
    imports.set(token, all);
    return { token: Buffer.from(token) };
  };
};

function eventsOf(data: Uint8Array): HistoryEvent[] {
  try {
    return decode(History, data).events;
  } catch (e) {
    if (e instanceof WireError) throw invalidArgument(e.message);
    throw e;
  }
}

function searchAttributesOf({ attributes }: HistoryEvent) {
  switch (attributes.case) {
    case "workflowExecutionStartedEventAttributes":
    case "upsertWorkflowSearchAttributesEventAttributes":
      return attributes.value.searchAttributes;
    default:
      return undefined;
  }
}
