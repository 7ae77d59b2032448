/** Fields of a request in the query of its address, as grpc-gateway reads them: "a.b=1", lists by repetition, maps as "m[key]=value". */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { invalidArgument } from "../../api/service-error.js";
import { goDurationJson } from "../json/duration-text.js";
import { fieldByName } from "../json/field-names.js";
import { isObject, type Json, type JsonObject, parseJson, setKey } from "../json/json-text.js";

/** Puts them into `target`, which has canonical JSON. What is in the path is not taken from the query. @throws ServiceError */
export function addQueryFields(schema: DescMessage, target: JsonObject, query: URLSearchParams, inPath: ReadonlySet<string>): void {
  for (const key of new Set(query.keys())) {
    const all = query.getAll(key);
    const entry = /^(.*)\[(.*)\]$/.exec(key);
    const names = ((entry?.[1] as string | undefined) ?? key).split(".");
    addField(schema, target, names, entry === null ? all : [entry[2] as string, ...all], inPath);
  }
}

/** Sets one field by its path, whatever was there before. @throws ServiceError */
export function setPathField(schema: DescMessage, target: JsonObject, path: string, value: string): void {
  const names = path.split(".");
  let message = schema;
  let at = target;
  for (const [i, name] of names.entries()) {
    const field = fieldByName(message, name);
    if (field === undefined) throw new Error(`${schema.typeName} has no field ${path}`);
    if (i === names.length - 1) {
      at[field.jsonName] = parseScalar(field, value, (e) => invalidArgument(`type mismatch, parameter: ${path}, error: ${e}`));
      return;
    }
    const next = at[field.jsonName];
    at = isObject(next) ? next : (at[field.jsonName] = {});
    message = field.message as DescMessage;
  }
}

function addField(schema: DescMessage, target: JsonObject, names: readonly string[], values: readonly string[], inPath: ReadonlySet<string>): void {
  let message = schema;
  let at = target;
  const canonical: string[] = [];
  for (const [i, name] of names.entries()) {
    const field = fieldByName(message, name);
    // It may be meant for others, such as "pretty".
    if (field === undefined) return;
    canonical.push(field.name);
    if (inPath.has(canonical.join("."))) return;
    if (field.oneof?.fields.some((f) => f !== field && Object.hasOwn(at, f.jsonName)))
      throw invalidArgument(`field already set for oneof ${JSON.stringify(field.oneof.name)}`);
    if (i === names.length - 1) {
      at[field.jsonName] = parseField(field, at[field.jsonName], values);
      return;
    }
    if (field.fieldKind !== "message") throw invalidArgument(`invalid path: ${JSON.stringify(name)} is not a message`);
    const next = at[field.jsonName];
    at = isObject(next) ? next : (at[field.jsonName] = {});
    message = field.message;
  }
}

function parseField(field: DescField, before: Json | undefined, values: readonly string[]): Json {
  const failed = (kind: string) => (e: string) => invalidArgument(`parsing ${kind} ${JSON.stringify(field.name)}: ${e}`);
  if (field.fieldKind === "list") return [...(Array.isArray(before) ? before : []), ...values.map((v) => parseScalar(field, v, failed("list")))];
  if (field.fieldKind === "map") {
    const [key, value] = values;
    if (key === undefined || value === undefined || values.length !== 2)
      throw invalidArgument(`more than one value provided for key ${JSON.stringify(key ?? "")} in map ${JSON.stringify(field.toString())}`);
    const map: JsonObject = isObject(before) ? before : {};
    setKey(map, key, parseScalar(field, value, failed("map value")));
    return map;
  }
  if (values.length > 1) throw invalidArgument(`too many values for field ${JSON.stringify(field.name)}: ${values.join(", ")}`);
  return parseScalar(field, values[0] ?? "", failed("field"));
}

type Failed = (text: string) => Error;

const BOOLEANS: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true]),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false]),
]);
const INTEGERS: Partial<Record<ScalarType, { go: string; min: bigint; max: bigint }>> = {};
for (const [bits, kinds] of [
  [32n, [ScalarType.INT32, ScalarType.SINT32, ScalarType.SFIXED32]],
  [64n, [ScalarType.INT64, ScalarType.SINT64, ScalarType.SFIXED64]],
] as const)
  for (const k of kinds) INTEGERS[k] = { go: "strconv.ParseInt", min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n };
for (const [bits, kinds] of [
  [32n, [ScalarType.UINT32, ScalarType.FIXED32]],
  [64n, [ScalarType.UINT64, ScalarType.FIXED64]],
] as const)
  for (const k of kinds) INTEGERS[k] = { go: "strconv.ParseUint", min: 0n, max: (1n << bits) - 1n };

function parseScalar(field: DescField, text: string, failed: Failed): Json {
  if (field.message !== undefined) return parseWellKnown(field.message, text, failed);
  if (field.enum !== undefined) {
    const { values } = field.enum;
    const found = values.find((v) => v.name === text) ?? (/^-?\d+$/.test(text) ? values.find((v) => v.number === Number(text)) : undefined);
    if (found === undefined) throw failed(`${JSON.stringify(text)} is not a valid value`);
    return found.name;
  }
  const kind = field.fieldKind === "map" ? (field.mapKind === "scalar" ? field.scalar : ScalarType.STRING) : (field.scalar ?? ScalarType.STRING);
  const syntax = (go: string) => failed(`${go}: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (kind === ScalarType.STRING) return text;
  if (kind === ScalarType.BOOL) {
    const value = BOOLEANS[text];
    if (value === undefined) throw syntax("strconv.ParseBool");
    return value;
  }
  if (kind === ScalarType.BYTES) {
    // A plus that was not escaped has become a space.
    const base64 = text.replaceAll(" ", "+");
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw failed(`illegal base64 data in ${JSON.stringify(text)}`);
    return base64;
  }
  const integer = INTEGERS[kind];
  if (integer !== undefined) {
    if (!/^[+-]?\d+$/.test(text)) throw syntax(integer.go);
    const value = BigInt(text.replace(/^\+/, ""));
    if (value < integer.min || value > integer.max) throw failed(`${integer.go}: parsing ${JSON.stringify(text)}: value out of range`);
    return value.toString();
  }
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw syntax("strconv.ParseFloat");
  return value;
}

function parseWellKnown(type: DescMessage, text: string, failed: Failed): Json {
  switch (type.typeName) {
    case "google.protobuf.Timestamp":
      if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(Date.parse(text)))
        throw failed(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05.999999999Z07:00": cannot parse`);
      return text;
    case "google.protobuf.Duration":
      try {
        return goDurationJson(text);
      } catch (e) {
        throw failed((e as Error).message);
      }
    case "google.protobuf.FieldMask":
      return text.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
    case "google.protobuf.Value":
    case "google.protobuf.Struct":
      try {
        return parseJson(text);
      } catch (e) {
        throw failed((e as Error).message);
      }
    default: {
      const wrapped = type.fields[0];
      if (type.typeName.startsWith("google.protobuf.") && type.typeName.endsWith("Value") && wrapped !== undefined)
        return parseScalar(wrapped, text, failed);
      throw failed(`unsupported message type: ${JSON.stringify(type.typeName)}`);
    }
  }
}
