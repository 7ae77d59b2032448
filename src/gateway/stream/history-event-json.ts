/**
 * Events of a history as JSON for readers who know no payloads: the official JSON form with `eventTypeName`, and either without any
 * payload or with payloads as the values that they carry.
 */
import { type DescField, type DescMessage, fromBinary, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { EventType } from "../../../gen/es/temporal/api/enums/v1/event_type_pb.js";
import { type HistoryEvent, HistorySchema } from "../../../gen/es/temporal/api/history/v1/message_pb.js";
import { parseShallowJson } from "../../api/shallow-json.js";

export interface EventJson extends JsonObject {
  readonly eventId: string;
  readonly eventType: string;
  /** "WORKFLOW_EXECUTION_STARTED" */
  readonly eventTypeName: string;
  readonly eventTime: string;
}

export interface StreamedEvent {
  readonly id: number;
  /** "WORKFLOW_EXECUTION_COMPLETED" */
  readonly type: string;
  /** Set when the event ends its run and another one goes on. */
  readonly newRunId: string | undefined;
  readonly isEnd: boolean;
  readonly json: EventJson;
}

const PAYLOAD = "temporal.api.common.v1.Payload";
const PAYLOADS = "temporal.api.common.v1.Payloads";
const ENDS: ReadonlySet<EventType> = new Set([
  EventType.WORKFLOW_EXECUTION_COMPLETED,
  EventType.WORKFLOW_EXECUTION_FAILED,
  EventType.WORKFLOW_EXECUTION_TIMED_OUT,
  EventType.WORKFLOW_EXECUTION_CANCELED,
  EventType.WORKFLOW_EXECUTION_TERMINATED,
  EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
]);

/** `history`: encoded temporal.api.history.v1.History. */
export function streamedEvents(history: Uint8Array, includePayloads: boolean): StreamedEvent[] {
  const message = fromBinary(HistorySchema, history);
  const eventsField = HistorySchema.field.events as DescField & { message: DescMessage };
  const { events = [] } = toJson(HistorySchema, message) as { events?: JsonObject[] };
  return message.events.map((event, i) => {
    const type = EventType[event.eventType] ?? `UNKNOWN_${event.eventType}`;
    const { eventId, eventTime, eventType, ...rest } = withPayloads(eventsField.message, events[i] as JsonObject, includePayloads);
    return {
      id: Number(event.eventId),
      type,
      newRunId: newRunIdOf(event),
      isEnd: ENDS.has(event.eventType),
      json: { eventId, eventTime, eventType, eventTypeName: type, ...rest } as EventJson,
    };
  });
}

function newRunIdOf({ attributes }: HistoryEvent): string | undefined {
  const { newExecutionRunId } = (attributes.value ?? {}) as { newExecutionRunId?: string };
  return newExecutionRunId === "" || !ENDS_WITH_RUN.has(attributes.case ?? "") ? undefined : newExecutionRunId;
}
const ENDS_WITH_RUN: ReadonlySet<string> = new Set([
  "workflowExecutionCompletedEventAttributes",
  "workflowExecutionFailedEventAttributes",
  "workflowExecutionTimedOutEventAttributes",
  "workflowExecutionContinuedAsNewEventAttributes",
]);

/** The JSON of a message, its payloads left out or opened, wherever they are in it. */
function withPayloads(desc: DescMessage, json: JsonObject, include: boolean): JsonObject {
  const out: JsonObject = {};
  for (const [name, value] of Object.entries(json)) {
    const field = desc.fields.find((f) => f.jsonName === name);
    const opened = field === undefined ? value : ofField(field, value, include);
    if (opened !== undefined) out[name] = opened;
  }
  return out;
}

function ofField(field: DescField, value: JsonValue, include: boolean): JsonValue | undefined {
  if (field.fieldKind === "message") return ofMessage(field.message, value, include);
  if (field.fieldKind === "list" && field.listKind === "message")
    return (value as JsonValue[]).map((v) => ofMessage(field.message, v, include)).filter((v) => v !== undefined);
  if (field.fieldKind === "map" && field.mapKind === "message") {
    const entries = Object.entries(value as JsonObject).flatMap(([k, v]) => {
      const opened = ofMessage(field.message, v, include);
      return opened === undefined ? [] : [[k, opened] as const];
    });
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }
  return value;
}

function ofMessage(desc: DescMessage, value: JsonValue, include: boolean): JsonValue | undefined {
  if (desc.typeName === PAYLOADS) return include ? ((value as { payloads?: JsonValue[] }).payloads ?? []).map(opened) : undefined;
  if (desc.typeName === PAYLOAD) return include ? opened(value) : undefined;
  // Times and durations are texts.
  return typeof value === "object" && value !== null && !Array.isArray(value) ? withPayloads(desc, value, include) : value;
}

/** What is not JSON stays its encoding and bytes. */
function opened(payload: JsonValue): JsonValue {
  const { metadata = {}, data = "" } = payload as { metadata?: Record<string, string>; data?: string };
  const encoding = Buffer.from(metadata["encoding"] ?? "", "base64").toString();
  if (encoding === "binary/null") return null;
  if (encoding === "json/plain" || encoding === "json/protobuf") {
    try {
      return parseShallowJson(Buffer.from(data, "base64").toString()) as JsonValue;
    } catch {
      // Not what it says it is.
    }
  }
  return { encoding, data };
}
