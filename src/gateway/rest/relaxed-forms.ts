/**
 * What the REST API's JSON allows beyond the official one: a task queue or a type by its name alone, any value for arguments, results
 * and details, `{"data": value}` for a payload, durations such as "1m30s".
 */
import { goDurationJson } from "../json/duration-text.js";
import { isObject, type Json, JsonError, type JsonObject } from "../json/json-text.js";
import type { Relax } from "../json/message-json.js";
import { jsonPayload } from "../json/payload-shorthand.js";

const BY_NAME: ReadonlySet<string> = new Set([
  "temporal.api.taskqueue.v1.TaskQueue",
  "temporal.api.common.v1.WorkflowType",
  "temporal.api.common.v1.ActivityType",
]);
/** Messages that are a map and nothing else, by the name of their field. */
const MAPS: Readonly<Record<string, readonly [string, string]>> = {
  "temporal.api.common.v1.Memo": ["fields", "fields"],
  "temporal.api.common.v1.Header": ["fields", "fields"],
  "temporal.api.common.v1.SearchAttributes": ["indexed_fields", "indexedFields"],
};

export const relaxedForm: Relax = (message, value) => {
  const { typeName } = message;
  if (typeName === "temporal.api.common.v1.Payloads") return payloads(value);
  if (typeName === "temporal.api.common.v1.Payload") return payload(value);
  if (typeName === "google.protobuf.Duration") return duration(value);
  if (BY_NAME.has(typeName)) return typeof value === "string" ? { name: value } : undefined;
  const names = MAPS[typeName];
  if (names === undefined || !isObject(value) || names.some((n) => Object.hasOwn(value, n))) return undefined;
  return { [names[0]]: value };
};

/** A list is the arguments, anything else is one. */
function payloads(value: Json): Json | undefined {
  if (value === null) return { payloads: [] };
  if (isObject(value) && Array.isArray(value["payloads"]) && Object.keys(value).length === 1) return undefined;
  return { payloads: Array.isArray(value) ? value : [value] };
}

function payload(value: Json): JsonObject | undefined {
  return isObject(value) && Object.hasOwn(value, "data") && Object.keys(value).length === 1 ? jsonPayload(value["data"] ?? null) : undefined;
}

function duration(value: Json): Json | undefined {
  if (typeof value === "number") return `${value}s`;
  if (typeof value !== "string" || /^-?\d+(\.\d{1,9})?s$/.test(value)) return undefined;
  try {
    return goDurationJson(value);
  } catch (e) {
    throw new JsonError((e as Error).message);
  }
}
