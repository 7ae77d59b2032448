/** GetWorkflowExecutionHistory, with its long poll, and the reverse read. */
import { HistoryToken } from "../../../gen/wire/perdure/persistence/v1/token.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { HistoryEventFilterType, TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  History,
  type HistoryEvent,
  type WorkflowExecutionContinuedAsNewEventAttributes,
} from "../../../gen/wire/temporal/api/history/v1/message.js";
import type {
  GetWorkflowExecutionHistoryRequest,
  GetWorkflowExecutionHistoryResponse,
  GetWorkflowExecutionHistoryReverseRequest,
  GetWorkflowExecutionHistoryReverseResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { decode, EMPTY_BYTES, encode, type Init } from "../../api/wire.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { HistoryPosition } from "../../core/transition.js";
import { remainingMs, type Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";
import { append, decodeHistoryToken, encodeHistoryToken, HISTORY_PAGE_BYTES_MAX, lastEvent, readPage } from "./history-page.js";

/** A long poll answers this long before the caller's deadline. */
const LONG_POLL_TAIL_MS = 1000;
const FIRST_EVENT_ID = 1;
const OPENING_BRACE = 0x7b;
/** Whatever the settings say (common/primitives). */
const PAGE_EVENTS_MAX = 256;
/** Waiting for an event after this one is waiting for the end of the run. */
const LAST_EVENT_ID = Number.MAX_SAFE_INTEGER;

export const getWorkflowExecutionHistory =
  (s: Services): Handler<GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse> =>
  async (request, call) => {
    const execution = validateExecution(request.execution);
    const pageSize = eventCount(s, request.namespace, request.maximumPageSize);
    const mayBeArchived = s.archival.history.isReadEnabled && !request.skipArchival && execution.runId !== "";
    if (!mayBeArchived) return served(s, request, execution, pageSize, call);
    // A token of an archive is JSON, which one of ours never is.
    if (request.nextPageToken[0] === OPENING_BRACE) return archived(s, request, execution, pageSize);
    try {
      return await served(s, request, execution, pageSize, call);
    } catch (e) {
      if (!(e instanceof ServiceError) || e.code !== Code.NOT_FOUND) throw e;
      return archived(s, request, execution, pageSize);
    }
  };

async function archived(
  s: Services,
  request: GetWorkflowExecutionHistoryRequest,
  execution: { workflowId: string; runId: string },
  pageSize: number,
): Promise<Init<GetWorkflowExecutionHistoryResponse>> {
  const entry = s.namespaces.entry(request.namespace);
  return { ...(await s.archival.readHistory(entry, execution, pageSize, request.nextPageToken)), archived: true };
}

function served(
  s: Services,
  request: GetWorkflowExecutionHistoryRequest,
  execution: { workflowId: string; runId: string },
  pageSize: number,
  call: Call,
): Promise<Init<GetWorkflowExecutionHistoryResponse>> {
  const token = request.nextPageToken.length === 0 ? undefined : decodeHistoryToken(request.nextPageToken, execution.runId);
  const namespaceId = s.namespaces.view(request.namespace).id;
  const address = { namespaceId, workflowId: execution.workflowId, runId: token?.runId ?? execution.runId };
  return request.historyEventFilterType === HistoryEventFilterType.CLOSE_EVENT
    ? closeEvent(s, request, address, call)
    : allEvents(s, request, address, token, pageSize, call);
}

async function allEvents(
  s: Services,
  request: GetWorkflowExecutionHistoryRequest,
  address: ExecutionAddress,
  token: HistoryToken | undefined,
  pageSize: number,
  call: Call,
): Promise<Init<GetWorkflowExecutionHistoryResponse>> {
  let position = await positionOf(s, address);
  let from = token?.firstEventId ?? FIRST_EVENT_ID;
  let end = token?.nextEventId ?? position.range.endEventId;
  let isRunning = token?.isRunning ?? position.isOpen;
  let trailing = token === undefined ? position.trailing : token.trailing;
  // A token whose pages are all read asks for what came after them.
  if (token !== undefined && from >= end && request.waitNewEvent && isRunning) {
    if (position.isOpen && position.range.endEventId <= end) {
      await s.history.waitForEvents(position.range.runKey, end - 1, waitMs(s, request.namespace, call), (f) => call.onCancel(f));
      position = await positionOf(s, address);
    }
    from = end;
    end = position.range.endEventId;
    isRunning = position.isOpen;
    trailing = end > from ? position.trailing : undefined;
  }
  const range = { ...position.range, fromEventId: from, endEventId: Math.min(end, position.range.endEventId) };
  const { data, next } = await readPage(s.history, range, from, pageSize);
  const { runId } = position;
  if (next !== undefined) {
    const rest = HistoryToken.create({ runId, firstEventId: next, nextEventId: end, isRunning, trailing: trailing ?? EMPTY_BYTES });
    return { history: data, nextPageToken: encodeHistoryToken(rest) };
  }
  const history = append(data, s.limits(request.namespace).areTransientEventsShown && showsTransientEvents(call) ? trailing : undefined);
  if (!request.waitNewEvent || !isRunning) return { history };
  return { history, nextPageToken: encodeHistoryToken(HistoryToken.create({ runId, firstEventId: end, nextEventId: end, isRunning })) };
}

/** Waits for the end of the run, whether or not the request asks to: so does the official server. */
async function closeEvent(
  s: Services,
  request: GetWorkflowExecutionHistoryRequest,
  address: ExecutionAddress,
  call: Call,
): Promise<Init<GetWorkflowExecutionHistoryResponse>> {
  let position = await positionOf(s, address);
  // As on the official server: whoever sees a status other than "running" asks without waiting, and cannot do without an event.
  if (position.isPaused && !request.waitNewEvent) {
    const last = position.range.endEventId - 1;
    return { history: lastEvent((await readPage(s.history, position.range, last, PAGE_EVENTS_MAX)).data) };
  }
  const until = waitMs(s, request.namespace, call) + s.runtime.nowMicros() / 1000;
  while (position.isOpen && !call.cancelled) {
    const left = until - s.runtime.nowMicros() / 1000;
    if (left <= 0) break;
    await s.history.waitForEvents(position.range.runKey, LAST_EVENT_ID, left, (f) => call.onCancel(f));
    position = await positionOf(s, { ...address, runId: position.runId });
  }
  const { runId, range } = position;
  if (position.isOpen) {
    if (!request.waitNewEvent) return { history: EMPTY_BYTES };
    const token = HistoryToken.create({ runId, firstEventId: FIRST_EVENT_ID, nextEventId: range.endEventId, isRunning: true });
    return { history: EMPTY_BYTES, nextPageToken: encodeHistoryToken(token) };
  }
  const { data } = await readPage(s.history, range, position.closeEventId, PAGE_EVENTS_MAX);
  const event = lastEvent(data);
  return { history: call.metadata("supported-features")?.includes("follows-next-run-id") ? event : followable(event) };
}

export const getWorkflowExecutionHistoryReverse =
  (s: Services): Handler<GetWorkflowExecutionHistoryReverseRequest, GetWorkflowExecutionHistoryReverseResponse> =>
  async (request) => {
    const execution = validateExecution(request.execution);
    const token = request.nextPageToken.length === 0 ? undefined : decodeHistoryToken(request.nextPageToken, execution.runId);
    const namespaceId = s.namespaces.view(request.namespace).id;
    const address = { namespaceId, workflowId: execution.workflowId, runId: token?.runId ?? execution.runId };
    const { range, runId } = await positionOf(s, address);
    const fromEventId = Math.min(token?.nextEventId ?? range.endEventId - 1, range.endEventId - 1);
    const { data, nextEventId } = await s.history.readHistory(range, {
      fromEventId,
      eventCountMax: eventCount(s, request.namespace, request.maximumPageSize),
      bytesMax: HISTORY_PAGE_BYTES_MAX,
      reverse: true,
    });
    if (nextEventId === undefined || nextEventId < FIRST_EVENT_ID) return { history: data };
    return { history: data, nextPageToken: encodeHistoryToken(HistoryToken.create({ runId, firstEventId: FIRST_EVENT_ID, nextEventId })) };
  };

function positionOf(s: Services, address: ExecutionAddress): Promise<HistoryPosition> {
  return s.history.submit(address, { kind: "historyPosition" });
}

function eventCount(s: Services, namespace: string, asked: number): number {
  return Math.min(asked <= 0 ? s.limits(namespace).historyPageSize : asked, PAGE_EVENTS_MAX);
}

function waitMs(s: Services, namespace: string, call: Call): number {
  const max = s.limits(namespace).longPollExpirationMs;
  const left = remainingMs(call.deadlineMs, s.runtime);
  return left === undefined ? max : Math.max(0, Math.min(max, left - LONG_POLL_TAIL_MS));
}

/** The CLI and the UI show what is durable. */
function showsTransientEvents(call: Call): boolean {
  const client = call.metadata("client-name");
  return client !== "temporal-cli" && client !== "temporal-ui";
}

/**
 * A client that does not know that a closed run may name its successor (retry, cron) is told that the run continued as new, which
 * it does follow.
 */
function followable(data: Uint8Array): Uint8Array {
  const event = decode(History, data).events.at(-1);
  const attributes = event === undefined ? undefined : continuedAsNew(event);
  if (event === undefined || attributes === undefined) return data;
  const { eventId, eventTime, version, taskId } = event;
  const eventType = EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW;
  const value = { case: "workflowExecutionContinuedAsNewEventAttributes" as const, value: attributes };
  return encode(History, { events: [{ eventId, eventTime, eventType, version, taskId, attributes: value }] });
}

/** Only the fields that such a client reads, and what the run ended with. */
function continuedAsNew(event: HistoryEvent): Init<WorkflowExecutionContinuedAsNewEventAttributes> | undefined {
  const attributes = event.attributes;
  switch (attributes.case) {
    case "workflowExecutionCompletedEventAttributes": {
      const { newExecutionRunId, result } = attributes.value;
      return newExecutionRunId === "" ? undefined : { newExecutionRunId, lastCompletionResult: result };
    }
    case "workflowExecutionFailedEventAttributes": {
      const { newExecutionRunId, failure } = attributes.value;
      return newExecutionRunId === "" ? undefined : { newExecutionRunId, failure };
    }
    case "workflowExecutionTimedOutEventAttributes": {
      const { newExecutionRunId } = attributes.value;
      const failureInfo = { case: "timeoutFailureInfo" as const, value: { timeoutType: TimeoutType.START_TO_CLOSE } };
      return newExecutionRunId === "" ? undefined : { newExecutionRunId, failure: { message: "workflow timeout", source: "Server", failureInfo } };
    }
    default:
      return undefined;
  }
}
