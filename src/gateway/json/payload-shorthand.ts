/**
 * Temporal's shorthand for payloads in JSON: the value itself in place of {"metadata": ..., "data": base64}. It stands for a payload of
 * encoding json/plain; null for binary/null; an object with "_protoMessageType" for json/protobuf. What cannot be said so stays long.
 */
import { formatJson, isObject, type Json, JsonError, type JsonObject, parseJson } from "./json-text.js";

const MESSAGE_TYPE = "_protoMessageType";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const JSON_PLAIN = base64("json/plain");
const JSON_PROTOBUF = base64("json/protobuf");
const BINARY_NULL = base64("binary/null");

/** The canonical form of a payload that may be given in short. @throws JsonError */
export function longPayload(value: Json): JsonObject {
  if (value === null) return { metadata: { encoding: BINARY_NULL } };
  if (isObject(value)) {
    if (isLong(value)) return value;
    const type = value[MESSAGE_TYPE];
    if (type !== undefined) {
      if (typeof type !== "string") throw new JsonError(`key ${JSON.stringify(MESSAGE_TYPE)} must be a string`);
      const { [MESSAGE_TYPE]: _, ...rest } = value;
      return { metadata: { encoding: JSON_PROTOBUF, messageType: base64(type) }, data: base64(formatJson(rest)) };
    }
  }
  return jsonPayload(value);
}

export const jsonPayload = (value: Json): JsonObject => ({ metadata: { encoding: JSON_PLAIN }, data: base64(formatJson(value)) });

function isLong(value: JsonObject): boolean {
  const { metadata, data, ...others } = value;
  if (!isObject(metadata) || metadata["encoding"] === undefined || Object.keys(others).length > 0) return false;
  if (!Object.values(metadata).every((v) => typeof v === "string" && isBase64(v))) return false;
  if (data === undefined) return metadata["encoding"] === BINARY_NULL;
  return typeof data === "string" && isBase64(data);
}

export const isBase64 = (text: string): boolean => /^[A-Za-z0-9+/_-]*={0,2}$/.test(text);

/** Undefined: there is no shorter form. `payload` is canonical. `isTyped`: the type of a search attribute is no reason to have it long. */
export function shortPayload(payload: JsonObject, isTyped = false): Json | undefined {
  const metadata = isObject(payload["metadata"]) ? payload["metadata"] : {};
  const keys = Object.keys(metadata).filter((k) => !isTyped || k !== "type").length;
  const { encoding } = metadata;
  if (encoding === BINARY_NULL) return keys === 1 && payload["data"] === undefined ? payload : undefined;
  const isPlain = encoding === JSON_PLAIN && keys === 1;
  const type = metadata["messageType"];
  if (!isPlain && !(encoding === JSON_PROTOBUF && keys === 2 && typeof type === "string")) return undefined;
  const value = jsonOf(typeof payload["data"] === "string" ? payload["data"] : "");
  if (isPlain || value === undefined) return value;
  if (!isObject(value) || value[MESSAGE_TYPE] !== undefined) return undefined;
  return { ...value, [MESSAGE_TYPE]: Buffer.from(type as string, "base64").toString() };
}

function jsonOf(data: string): Json | undefined {
  try {
    return parseJson(Buffer.from(data, "base64").toString());
  } catch (e) {
    if (e instanceof JsonError) return undefined;
    throw e;
  }
}
