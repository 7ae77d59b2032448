/**
 * The live history of a run as server-sent events: `workflow` once, `history` for each batch of new events, `done` at the end.
 *
 * The stream is a long poll after the other for what follows the last event that was sent (GetWorkflowExecutionHistory through the
 * interceptors, so that a key that is revoked ends it): such a poll waits in the process and is woken by the commit that brings an
 * event, with nothing in between. It asks again only when the caller has taken what there was, so a slow reader costs one page.
 * An event's id names its run too, unless the address does: whoever comes back goes on in the run that he was in. Only what is durable is
 * sent, so ids outlive the process: each event comes exactly once, over any number of connections and restarts.
 */
import { HistoryToken } from "../../../gen/wire/perdure/persistence/v1/token.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { fromUnknown } from "../../api/service-error.js";
import { decode, EMPTY_BYTES, encode } from "../../api/wire.js";
import type { GatewayContext, HttpRequest } from "../route.js";
import { badRequest, productError } from "../trigger/product-error.js";
import { type Description, type Execution, statusName } from "../trigger/workflow-calls.js";
import { type StreamedEvent, streamedEvents } from "./history-event-json.js";
import { encodeEvent, HEARTBEAT, RETRY } from "./server-sent-events.js";

const { GetWorkflowExecutionHistory } = WorkflowService.methods;
/** Events of a batch. */
const PAGE_EVENTS = 50;
/** A poll ends a second before its deadline; then a heartbeat is sent. */
const POLL_MS = 16_000;

export interface Resumption {
  readonly eventId: number;
  /** Empty when the id does not say. */
  readonly runId: string;
}

const RESUMPTION = /^(\d{1,15})(?::([0-9A-Za-z-]{1,64}))?$/;

/** Of the Last-Event-ID header or the query: "7" or "7:run id". */
export function resumptionOf(request: HttpRequest): Resumption | undefined {
  const header = request.headers["last-event-id"];
  const text = request.query.get("lastEventId") ?? (Array.isArray(header) ? header[0] : header) ?? "";
  if (text === "") return undefined;
  const [, eventId, runId = ""] = RESUMPTION.exec(text) ?? [];
  if (eventId === undefined) throw badRequest(`Last-Event-ID ${JSON.stringify(text)} is none of this stream's`, "/lastEventId");
  return { eventId: Number(eventId), runId };
}

export interface HistoryStream {
  /** With its run. */
  readonly execution: Execution;
  readonly description: Description;
  /** The newest that the caller has; 0 at first. */
  readonly afterEventId: number;
  /** Whether the address names the run. */
  readonly isPinned: boolean;
  readonly includePayloads: boolean;
}

export async function* historyStream(context: GatewayContext, request: HttpRequest, s: HistoryStream): AsyncGenerator<string> {
  const { workflowId, runId } = s.execution;
  yield RETRY + encodeEvent({ event: "workflow", data: workflowOf(workflowId, s.description) });
  const poll = new Poll(context, request, s);
  const idOf = (e: StreamedEvent): string => (s.isPinned ? String(e.id) : `${e.id}:${runId}`);
  try {
    while (!request.signal.aborted && !context.draining.aborted) {
      const { events, isAll } = await poll.next();
      const last = events.at(-1);
      if (last !== undefined) yield encodeEvent({ id: idOf(last), event: "history", data: events.map((e) => e.json) });
      const end = last ?? (isAll ? await poll.lastEvent() : undefined);
      if (end?.isEnd === true) {
        yield encodeEvent({ event: "done", data: { reason: end.type, ...(end.newRunId === undefined ? {} : { newRunId: end.newRunId }) } });
        return;
      }
      if (last === undefined) yield HEARTBEAT;
    }
  } catch (e) {
    if (request.signal.aborted || context.draining.aborted) return;
    yield serverError(context, e, { workflowId, runId });
  }
}

/** What goes wrong behind an open stream. */
export function serverError(context: GatewayContext, e: unknown, fields: object): string {
  const error = productError(e);
  if (error === undefined) context.logger.error({ err: e, ...fields }, "stream failed");
  return encodeEvent({
    event: "server_error",
    data: { error: error?.name ?? "InternalServerError", message: error?.message ?? fromUnknown(e).message, ...fields },
  });
}

const time = (micros: number): string | null => (micros === 0 ? null : new Date(micros / 1000).toISOString());

export function workflowOf(workflowId: string, d: Omit<Description, "workflowType">): object {
  const { runId, status, startTime, closeTime, historyLength, taskQueue } = d;
  return { workflowId, runId, status: statusName(status), startTime: time(startTime), closeTime: time(closeTime), historyLength, taskQueue };
}

/** Long polls for the events after the last one. */
class Poll {
  private token: Uint8Array;
  private after: number;

  constructor(
    private readonly context: GatewayContext,
    private readonly request: HttpRequest,
    private readonly s: HistoryStream,
  ) {
    this.after = s.afterEventId;
    this.token = this.after === 0 ? EMPTY_BYTES : this.tokenOf(this.after + 1, this.after + 1);
  }

  /** As if a page of events before `end` were read up to `from`. */
  private tokenOf(from: number, end: number): Uint8Array {
    return encode(HistoryToken, { runId: this.s.execution.runId, firstEventId: from, nextEventId: end, isRunning: true });
  }

  /** Waits for the next events; none after a while without any, or when the run has ended and all was read (`isAll`). */
  async next(): Promise<{ events: StreamedEvent[]; isAll: boolean }> {
    const reply = await this.read(this.token, true);
    const token = reply.nextPageToken;
    const isAll = token.length === 0;
    // Events of a workflow task that is not part of the history yet come behind it: another attempt would have them again.
    const end = isAll ? Number.POSITIVE_INFINITY : decode(HistoryToken, token).nextEventId;
    const events = this.decoded(reply.history).filter((e) => e.id > this.after && e.id < end);
    this.after = events.at(-1)?.id ?? this.after;
    this.token = token;
    return { events, isAll };
  }

  /** The event that the caller has already, of a run that has ended. */
  async lastEvent(): Promise<StreamedEvent | undefined> {
    const { history } = await this.read(this.tokenOf(this.after, this.after + 1), false);
    return this.decoded(history).at(-1);
  }

  private decoded(history: Uint8Array | undefined): StreamedEvent[] {
    return streamedEvents(history ?? EMPTY_BYTES, this.s.includePayloads);
  }

  private read(nextPageToken: Uint8Array, waitNewEvent: boolean) {
    const { namespace, workflowId, runId } = this.s.execution;
    const message = { namespace, execution: { workflowId, runId }, maximumPageSize: PAGE_EVENTS, nextPageToken, waitNewEvent };
    return this.context.call(this.request, GetWorkflowExecutionHistory, message, { timeoutMs: POLL_MS });
  }
}
