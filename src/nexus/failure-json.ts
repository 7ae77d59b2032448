/**
 * temporal.api.failure.v1.Failure in proto3 JSON, which is how Temporal's failures travel in Nexus requests. One table of the
 * message's fields; what it does not know is passed over.
 */
import { Payload, Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import { ApplicationErrorCategory } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { NexusHandlerErrorRetryBehavior } from "../../gen/wire/temporal/api/enums/v1/nexus.js";
import { RetryState, TimeoutType } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import { decode, encode, type Init } from "../api/wire.js";
import type { Json } from "./failure.js";

/** A field's two directions. `undefined` out: at its default, left out. */
interface Field {
  readonly to: (v: unknown) => Json | undefined;
  readonly from: (j: Json) => unknown;
}
type Fields = Readonly<Record<string, Field>>;

const text: Field = { to: (v) => (v === "" ? undefined : (v as string)), from: String };
const flag: Field = { to: (v) => (v === true ? true : undefined), from: (j) => j === true };
const int64: Field = { to: (v) => (v === 0 ? undefined : String(v)), from: Number };
const payloads: Field = {
  to: (v) => ({ payloads: decode(Payloads, v as Uint8Array).payloads.map(payloadToJson) }),
  from: (j) => encode(Payloads, { payloads: list(record(j)["payloads"]).map(payloadFromJson) }),
};
const duration: Field = {
  to: (v) => {
    const { seconds = 0, nanos = 0 } = v as { seconds?: number; nanos?: number };
    return `${seconds}${
      nanos === 0
        ? ""
        : `.${String(Math.abs(nanos))
            .padStart(9, "0")
            .replace(/(000){1,2}$/, "")}`
    }s`;
  },
  from: (j) => {
    const m = /^(-?\d+)(?:\.(\d{1,9}))?s$/.exec(String(j));
    if (m === null) throw new Error("not a duration");
    const nanos = Number((m[2] ?? "").padEnd(9, "0"));
    return { seconds: Number(m[1]), nanos: String(j).startsWith("-") ? -nanos : nanos };
  },
};

function named(names: Readonly<Record<number, string>>, prefix: string): Field {
  const values = new Map(Object.entries(names).map(([k, v]) => [`${prefix}${v}`, Number(k)]));
  return {
    to: (v) => (v === 0 ? undefined : names[v as number] === undefined ? (v as number) : `${prefix}${names[v as number]}`),
    from: (j) => (typeof j === "number" ? j : (values.get(String(j)) ?? 0)),
  };
}

function message(fields: Fields): Field {
  return { to: (v) => toJson(v as object, fields), from: (j) => fromJson(record(j), fields) };
}

const retryState = named(RetryState as never, "RETRY_STATE_");
const name = message({ name: text });
const execution = message({ workflowId: text, runId: text });

const INFOS: Readonly<Record<string, Fields>> = {
  applicationFailureInfo: {
    type: text,
    nonRetryable: flag,
    details: payloads,
    nextRetryDelay: duration,
    category: named(ApplicationErrorCategory as never, "APPLICATION_ERROR_CATEGORY_"),
  },
  timeoutFailureInfo: { timeoutType: named(TimeoutType as never, "TIMEOUT_TYPE_"), lastHeartbeatDetails: payloads },
  canceledFailureInfo: { details: payloads, identity: text },
  terminatedFailureInfo: { identity: text },
  serverFailureInfo: { nonRetryable: flag },
  resetWorkflowFailureInfo: { lastHeartbeatDetails: payloads },
  activityFailureInfo: { scheduledEventId: int64, startedEventId: int64, identity: text, activityType: name, activityId: text, retryState },
  childWorkflowExecutionFailureInfo: {
    namespace: text,
    workflowExecution: execution,
    workflowType: name,
    initiatedEventId: int64,
    startedEventId: int64,
    retryState,
  },
  nexusOperationExecutionFailureInfo: {
    scheduledEventId: int64,
    endpoint: text,
    service: text,
    operation: text,
    operationId: text,
    operationToken: text,
  },
  nexusHandlerFailureInfo: { type: text, retryBehavior: named(NexusHandlerErrorRetryBehavior as never, "NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_") },
};

const FAILURE: Fields = {
  message: text,
  source: text,
  stackTrace: text,
  encodedAttributes: { to: (v) => payloadToJson(v as Uint8Array), from: payloadFromJson },
  cause: { to: (v) => failureToJson(v as Init<Failure>), from: failureFromJson },
};

export function failureToJson(f: Init<Failure>): Json {
  const out = toJson(f, FAILURE) as { [key: string]: Json };
  const info = f.failureInfo;
  const fields = info?.case === undefined ? undefined : INFOS[info.case];
  if (info?.case !== undefined && fields !== undefined) out[info.case] = toJson(info.value ?? {}, fields);
  return out;
}

/** @throws Error when the value is not of that form. */
export function failureFromJson(json: Json): Init<Failure> {
  const from = record(json);
  const out = fromJson(from, FAILURE);
  for (const [key, fields] of Object.entries(INFOS)) {
    const value = from[key] ?? from[snake(key)];
    if (value !== undefined && value !== null) out["failureInfo"] = { case: key, value: fromJson(record(value), fields) };
  }
  return out as Init<Failure>;
}

export function payloadToJson(bytes: Uint8Array): Json {
  const { metadata, data } = decode(Payload, bytes);
  const entries = Object.entries(metadata).map(([k, v]) => [k, Buffer.from(v).toString("base64")]);
  return {
    ...(entries.length === 0 ? {} : { metadata: Object.fromEntries(entries) as { [key: string]: Json } }),
    ...(data.length === 0 ? {} : { data: Buffer.from(data).toString("base64") }),
  };
}

export function payloadFromJson(json: Json): Uint8Array {
  const { metadata, data } = record(json);
  const entries = metadata === undefined || metadata === null ? [] : Object.entries(record(metadata)).map(([k, v]) => [k, bytes(v)]);
  return encode(Payload, { metadata: Object.fromEntries(entries), data: data === undefined ? Buffer.alloc(0) : bytes(data) });
}

function toJson(value: object, fields: Fields): Json {
  const out: { [key: string]: Json } = {};
  for (const [key, field] of Object.entries(fields)) {
    const v = (value as Record<string, unknown>)[key];
    const json = v === undefined ? undefined : field.to(v);
    if (json !== undefined) out[key] = json;
  }
  return out;
}

/** Both the names of JSON and those of the .proto file are taken. */
function fromJson(from: { [key: string]: Json }, fields: Fields): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    const v = from[key] ?? from[snake(key)];
    if (v !== undefined && v !== null) out[key] = field.from(v);
  }
  return out;
}

const snake = (key: string): string => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

function record(j: Json | undefined): { [key: string]: Json } {
  if (j === undefined || j === null || typeof j !== "object" || Array.isArray(j)) throw new Error("not an object");
  return j;
}

const list = (j: Json | undefined): Json[] => (Array.isArray(j) ? j : []);
/** Standard and URL-safe base64 are both taken. */
const bytes = (j: Json | undefined): Buffer => Buffer.from(String(j), "base64");
