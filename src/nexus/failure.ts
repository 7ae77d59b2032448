/**
 * Failures of the Nexus protocol (JSON) and Temporal's. One that came from Temporal goes back unchanged: its JSON form travels as the
 * details. Rules: common/nexus/failure.go of the official server.
 */
import { Payload, Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import { NexusHandlerErrorRetryBehavior as Retry } from "../../gen/wire/temporal/api/enums/v1/nexus.js";
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import type { Failure as ProtoFailure } from "../../gen/wire/temporal/api/nexus/v1/message.js";
import { encode, type Init } from "../api/wire.js";
import { failureFromJson, failureToJson, payloadFromJson, payloadToJson } from "./failure-json.js";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface NexusFailure {
  readonly message?: string;
  readonly stackTrace?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly details?: Json;
  readonly cause?: NexusFailure;
}

const TEMPORAL_TYPE = "temporal.api.failure.v1.Failure";
const HANDLER_TYPE = "nexus.HandlerError";
const OPERATION_TYPE = "nexus.OperationError";

/** @throws Error when the failure is not of the form that its type says. */
export function toTemporal(f: NexusFailure): Init<Failure> {
  let failure: Init<Failure> = {};
  const details = f.details;
  if (f.metadata !== undefined) {
    switch (f.metadata["type"]) {
      case TEMPORAL_TYPE:
        failure = failureFromJson(details ?? {});
        break;
      case OPERATION_TYPE:
        failure =
          object(details)["state"] === "canceled"
            ? { failureInfo: { case: "canceledFailureInfo", value: {} } }
            : { failureInfo: { case: "applicationFailureInfo", value: { nonRetryable: true, type: "OperationError" } } };
        break;
      case HANDLER_TYPE: {
        const { type, retryableOverride, encodedAttributes } = object(details);
        const retryBehavior = typeof retryableOverride !== "boolean" ? Retry.UNSPECIFIED : retryableOverride ? Retry.RETRYABLE : Retry.NON_RETRYABLE;
        failure = {
          failureInfo: { case: "nexusHandlerFailureInfo", value: { type: typeof type === "string" ? type : "", retryBehavior } },
          ...(typeof encodedAttributes === "string" && encodedAttributes !== ""
            ? { encodedAttributes: payloadFromJson(JSON.parse(Buffer.from(encodedAttributes, "base64url").toString()) as Json) }
            : {}),
        };
        break;
      }
      default:
        failure = { failureInfo: unknownInfo(f) };
    }
  } else if (details !== undefined) failure = { failureInfo: unknownInfo(f) };
  return {
    ...failure,
    message: f.message ?? "",
    stackTrace: f.stackTrace ?? "",
    ...(f.cause === undefined ? {} : { cause: toTemporal(f.cause) }),
  } as Init<Failure>;
}

/** A failure of a kind that nobody here knows is kept as it is, in the details of an application failure. */
function unknownInfo({ metadata, details, cause }: NexusFailure): Init<Failure["failureInfo"]> {
  const kept = {
    ...(metadata === undefined ? {} : { metadata }),
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause }),
  };
  const data = Buffer.from(JSON.stringify(kept));
  const payload = encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data });
  const hasDetails = (metadata !== undefined && Object.keys(metadata).length > 0) || details !== undefined;
  return {
    case: "applicationFailureInfo",
    value: { type: "NexusFailure", details: hasDetails ? encode(Payloads, { payloads: [payload] }) : undefined },
  } as Init<Failure["failureInfo"]>;
}

export function fromTemporal(f: Init<Failure>): NexusFailure {
  const { message = "", stackTrace = "" } = f;
  const cause = f.cause === undefined ? undefined : fromTemporal(f.cause as Init<Failure>);
  const common = { ...(message === "" ? {} : { message }), ...(stackTrace === "" ? {} : { stackTrace }) };
  const after = cause === undefined ? {} : { cause };
  const info = f.failureInfo;
  if (info?.case === "nexusHandlerFailureInfo") {
    const { type = "", retryBehavior } = info.value ?? {};
    const details: { [key: string]: Json } = type === "" ? {} : { type };
    if (retryBehavior === Retry.RETRYABLE) details["retryableOverride"] = true;
    if (retryBehavior === Retry.NON_RETRYABLE) details["retryableOverride"] = false;
    if (f.encodedAttributes !== undefined)
      details["encodedAttributes"] = Buffer.from(JSON.stringify(payloadToJson(f.encodedAttributes as Uint8Array))).toString("base64url");
    return { ...common, metadata: { type: HANDLER_TYPE }, details, ...after };
  }
  const details = failureToJson({ ...f, message: "", stackTrace: "" } as Init<Failure>);
  return { ...common, metadata: { type: TEMPORAL_TYPE }, details, ...after };
}

/** The older form, in which workers answer with the protocol's failures. */
export function fromProto(f: Init<ProtoFailure> | undefined): NexusFailure {
  if (f === undefined) return {};
  const { message = "", stackTrace = "", metadata = {}, details, cause } = f;
  return {
    ...(message === "" ? {} : { message }),
    ...(stackTrace === "" ? {} : { stackTrace }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: metadata as Record<string, string> }),
    ...(details === undefined || details.length === 0 ? {} : { details: JSON.parse(Buffer.from(details).toString()) as Json }),
    ...(cause === undefined ? {} : { cause: fromProto(cause as Init<ProtoFailure>) }),
  };
}

/** What the workflow sees of an operation that did not succeed. */
export function causeOf(failure: NexusFailure): Init<Failure> {
  const isWrapper = failure.metadata?.["unwrap-error"] === "true";
  return toTemporal(isWrapper && failure.cause !== undefined ? failure.cause : failure);
}

function object(json: Json | undefined): { [key: string]: Json } {
  if (json === undefined || json === null || typeof json !== "object" || Array.isArray(json)) throw new Error("failure details are not an object");
  return json;
}

/** @throws Error when the value is not a failure. */
export function parseFailure(json: unknown): NexusFailure {
  if (json === null || typeof json !== "object" || Array.isArray(json)) throw new Error("not a failure");
  const { message, stackTrace, metadata, details, cause } = json as Record<string, unknown>;
  const text = (v: unknown): boolean => v === undefined || v === null || typeof v === "string";
  if (!text(message) || !text(stackTrace)) throw new Error("not a failure");
  if (metadata !== undefined && metadata !== null && (typeof metadata !== "object" || !Object.values(metadata).every((v) => typeof v === "string")))
    throw new Error("not a failure");
  return {
    ...(message ? { message: message as string } : {}),
    ...(stackTrace ? { stackTrace: stackTrace as string } : {}),
    ...(metadata ? { metadata: metadata as Record<string, string> } : {}),
    ...(details === undefined ? {} : { details: details as Json }),
    ...(cause === undefined || cause === null ? {} : { cause: parseFailure(cause) }),
  };
}
