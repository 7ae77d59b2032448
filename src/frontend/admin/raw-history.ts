/** AdminService: a history as batches of bytes, one for each transaction that wrote it. Versions of events are all 0 and are not looked at. */
import { EncodingType } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type {
  GetWorkflowExecutionRawHistoryRequest,
  GetWorkflowExecutionRawHistoryResponse,
  GetWorkflowExecutionRawHistoryV2Request,
  GetWorkflowExecutionRawHistoryV2Response,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, notFound } from "../../api/service-error.js";
import { decode, EMPTY_BYTES, type Init } from "../../api/wire.js";
import { segmentsOf } from "../../core/workflow/context.js";
import { beginsTransaction } from "../../core/workflow/event-factory.js";
import { RunState } from "../../core/workflow/mutable-state.js";
import { frameOffsets } from "../../history/history-reader.js";
import { isUuid } from "../../lib/uuid.js";
import type { Services } from "../services.js";
import { HISTORY_PAGE_BYTES_MAX } from "../workflow/history-page.js";
import { versionHistory } from "./mutable-state.js";

/** Events that are read for one batch of a page at most: what is too many is read again with the next page. */
const EVENTS_PER_BATCH = 20;

type Request = GetWorkflowExecutionRawHistoryV2Request;
type Response = Init<GetWorkflowExecutionRawHistoryV2Response>;

/** From the start event on, the end event included. */
export const getWorkflowExecutionRawHistory =
  (s: Services): Handler<GetWorkflowExecutionRawHistoryRequest, GetWorkflowExecutionRawHistoryResponse> =>
  (request) =>
    rawHistory(s, request, Math.max(1, request.startEventId), request.endEventId === 0 ? undefined : request.endEventId + 1);

/** Neither the start nor the end event is part of it. */
export const getWorkflowExecutionRawHistoryV2 =
  (s: Services): Handler<GetWorkflowExecutionRawHistoryV2Request, GetWorkflowExecutionRawHistoryV2Response> =>
  (request) =>
    rawHistory(s, request, request.startEventId + 1, request.endEventId === 0 ? undefined : request.endEventId);

async function rawHistory(s: Services, request: Request, from: number, endEventId: number | undefined): Promise<Response> {
  const { execution, namespaceId, maximumPageSize, nextPageToken } = request;
  const workflowId = execution?.workflowId ?? "";
  const runId = execution?.runId ?? "";
  if (workflowId === "") throw invalidArgument("WorkflowId is not set on request.");
  if (runId === "" || !isUuid(runId)) throw invalidArgument("Invalid RunId.");
  if (maximumPageSize <= 0) throw invalidArgument("Invalid PageSize.");
  if (request.startEventId === 0 && request.startEventVersion === 0 && request.endEventId === 0 && request.endEventVersion === 0)
    throw invalidArgument("Invalid event query range.");
  if (request.startEventId < 0) throw invalidArgument("Invalid FirstEventId and NextEventId combination.");
  const address = { namespaceId: s.namespaces.viewById(namespaceId).id, workflowId, runId };
  const found = await s.admin.history.state(address);
  if (found === undefined || !(found.stored instanceof RunState)) throw notFound(`workflow not found for ID: ${workflowId}`);
  const run = found.stored;
  const begin = nextPageToken.length === 0 ? from : positionOf(nextPageToken, runId);
  const end = Math.min(endEventId ?? run.info.nextEventId, run.info.nextEventId);
  const history = versionHistory(run);
  if (begin >= end) return { versionHistory: history };
  const range = { runKey: run.key, segments: segmentsOf(run), fromEventId: begin, endEventId: end };
  const page = { fromEventId: begin, eventCountMax: maximumPageSize * EVENTS_PER_BATCH, bytesMax: HISTORY_PAGE_BYTES_MAX, reverse: false };
  const { data, nextEventId } = await s.history.readHistory(range, page);
  const { events } = decode(History, data);
  const offsets = frameOffsets(data);
  const starts = events.flatMap((event, i) => (i === 0 || beginsTransaction(events[i - 1] as typeof event, event) ? [i] : []));
  const shown = starts.slice(0, maximumPageSize);
  const next = starts.length > shown.length ? begin + (starts[shown.length] as number) : nextEventId;
  return {
    historyBatches: shown.map((first, i) => ({
      encodingType: EncodingType.PROTO3,
      data: data.subarray(offsets[first], offsets[starts[i + 1] ?? events.length]),
    })),
    historyNodeIds: shown.map((first) => begin + first),
    versionHistory: history,
    nextPageToken: next === undefined || next >= end ? EMPTY_BYTES : Buffer.from(JSON.stringify([runId, next])),
  };
}

function positionOf(token: Uint8Array, runId: string): number {
  try {
    const [of, next] = JSON.parse(Buffer.from(token).toString()) as unknown[];
    if (of === runId && typeof next === "number") return next;
  } catch {
    // Not a token of ours.
  }
  throw invalidArgument("Invalid pagination token.");
}
