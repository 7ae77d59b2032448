/**
 * Messages as JSON and back, by protobuf-es' JSON with what Temporal adds: payloads in short, enum values by their older names, and,
 * for the product APIs, relaxed forms (relaxed-forms.ts). The walk here brings what was sent into canonical form and names what is
 * unknown; the types are checked by protobuf-es.
 */
import { type DescField, type DescMessage, fromJson, type JsonValue, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import { invalidArgument } from "../../api/service-error.js";
import { enumValueName, fieldByName } from "./field-names.js";
import { ExactNumber, isObject, type Json, JsonError, type JsonObject, setKey } from "./json-text.js";
import { longPayload, shortPayload } from "./payload-shorthand.js";

const PAYLOAD = "temporal.api.common.v1.Payload";
const PAYLOADS = "temporal.api.common.v1.Payloads";
const NESTING_MAX = 100;
/** Of one list: more are larger than any request, at 27 bytes each, and take seconds to find out. */
const PAYLOADS_MAX = 150_000;

/** Canonical forms of what a dialect of JSON allows beyond the official one; undefined: it says nothing of this message. */
export type Relax = (message: DescMessage, value: Json) => Json | undefined;

export interface ReadOptions {
  readonly payloadShorthand: boolean;
  readonly registry: Registry;
  readonly relax?: Relax;
}

/** @throws ServiceError INVALID_ARGUMENT */
export function readMessage(schema: DescMessage, json: Json, o: ReadOptions): Message {
  return fromCanonical(schema, canonicalMessage(schema, json, o), o.registry);
}

/** @throws ServiceError INVALID_ARGUMENT */
export function fromCanonical(schema: DescMessage, json: Json, registry: Registry): Message {
  try {
    return fromJson(schema, json as JsonValue, { registry });
  } catch (e) {
    throw invalidArgument(`proto: ${e instanceof RangeError ? "nested too deeply" : (e as Error).message}`);
  }
}

/** @throws ServiceError INVALID_ARGUMENT */
export function canonicalMessage(schema: DescMessage, json: Json, o: ReadOptions): JsonObject {
  try {
    const out = message(schema, json, o, 0);
    if (!isObject(out)) throw new JsonError(`${schema.typeName} must be an object`);
    return out;
  } catch (e) {
    throw e instanceof JsonError ? invalidArgument(`proto: ${e.message}`) : e;
  }
}

function message(schema: DescMessage, json: Json, o: ReadOptions, depth: number): Json {
  if (depth > NESTING_MAX) throw new JsonError("exceeded max depth");
  const relaxed = o.relax?.(schema, json);
  if (relaxed !== undefined) json = relaxed;
  if (schema.typeName === PAYLOADS && countOf(json) > PAYLOADS_MAX) throw new JsonError(`more than ${PAYLOADS_MAX} payloads`);
  if (o.payloadShorthand && schema.typeName === PAYLOAD) return longPayload(json);
  if (o.payloadShorthand && schema.typeName === PAYLOADS && (json === null || Array.isArray(json)))
    return { payloads: (json ?? []).map(longPayload) };
  // Their JSON is not that of their fields.
  if (schema.typeName.startsWith("google.protobuf.") && schema.typeName !== "google.protobuf.Empty") return plain(json);
  if (!isObject(json)) throw new JsonError(`unexpected ${describe(json)}: ${schema.typeName} is an object`);
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(json)) {
    const field = fieldByName(schema, key);
    if (field === undefined) throw new JsonError(`unknown field ${JSON.stringify(key)}`);
    if (Object.hasOwn(out, field.jsonName)) throw new JsonError(`duplicate field ${JSON.stringify(key)}`);
    out[field.jsonName] = fieldValue(field, value, o, depth + 1);
  }
  return out;
}

function countOf(payloads: Json): number {
  const list = isObject(payloads) ? payloads["payloads"] : payloads;
  return Array.isArray(list) ? list.length : 0;
}

function fieldValue(field: DescField, value: Json, o: ReadOptions, depth: number): Json {
  if (field.fieldKind === "list") {
    const relaxed = o.relax !== undefined && value !== null && !Array.isArray(value) ? [value] : value;
    if (!Array.isArray(relaxed)) return plain(value);
    return relaxed.map((v) => element(field, v, o, depth));
  }
  if (field.fieldKind === "map") {
    if (!isObject(value)) return plain(value);
    const out: JsonObject = {};
    for (const [k, v] of Object.entries(value)) setKey(out, k, element(field, v, o, depth));
    return out;
  }
  // A payload of null is a value; any other null is a field that is not set.
  if (value === null && !(field.message?.typeName === PAYLOAD && o.payloadShorthand)) return null;
  return element(field, value, o, depth);
}

function element(field: DescField, value: Json, o: ReadOptions, depth: number): Json {
  if (field.message !== undefined) return message(field.message, value, o, depth);
  if (field.enum !== undefined && typeof value === "string") {
    if (field.enum.typeName === "google.protobuf.NullValue") return value;
    const name = enumValueName(field.enum, value);
    if (name === undefined) throw new JsonError(`invalid value for enum field ${field.name}: ${JSON.stringify(value)}`);
    return name;
  }
  return plain(value);
}

/** For protobuf-es, which reads 64-bit integers from strings. */
function plain(value: Json): Json {
  if (value instanceof ExactNumber) return value.digits;
  return value;
}

function describe(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  return value instanceof ExactNumber ? value.digits : JSON.stringify(value);
}

export interface WriteOptions {
  readonly payloadShorthand: boolean;
  readonly registry: Registry;
  /** snake_case. */
  readonly protoNames?: boolean;
  /** Search attributes are their values, without their types. */
  readonly plainAttributes?: boolean;
}

export function writeMessage(schema: DescMessage, value: Message, o: WriteOptions): Json {
  const json = toJson(schema, value, { registry: o.registry, useProtoFieldName: o.protoNames ?? false }) as Json;
  return o.payloadShorthand ? shorten(schema, json, o.plainAttributes ?? false) : json;
}

/** `json` is what protobuf-es wrote and nobody else has: it is changed in place. */
function shorten(schema: DescMessage, json: Json, isTyped: boolean): Json {
  if (!isObject(json)) return json;
  if (schema.typeName === PAYLOAD) return shortPayload(json, isTyped) ?? json;
  if (schema.typeName === PAYLOADS) return shortPayloads(json);
  for (const [key, value] of Object.entries(json)) {
    const field = fieldByName(schema, key);
    const inner = field?.message;
    if (inner === undefined) continue;
    if (Array.isArray(value)) json[key] = value.map((v) => shorten(inner, v, isTyped));
    else if (field?.fieldKind === "map" && isObject(value)) for (const [k, v] of Object.entries(value)) setKey(value, k, shorten(inner, v, isTyped));
    else json[key] = shorten(inner, value, isTyped);
  }
  return json;
}

/** A list of values if each has a short form, else a list of payloads. */
function shortPayloads(json: JsonObject): Json {
  const { payloads = [] } = json;
  if (!Array.isArray(payloads)) return json;
  const short = payloads.map((p) => (isObject(p) ? shortPayload(p) : undefined));
  if (short.every((s) => s !== undefined)) return short as Json[];
  return { payloads: payloads.map((p, i) => short[i] ?? p) };
}
