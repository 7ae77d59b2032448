/** Search attributes as users set them: what is refused, what the indexes hold of them, and how they are served. */
import { Payload, type SearchAttributes, SearchAttributes as SearchAttributesType } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { IndexedValueType as Type } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { invalidArgument } from "../../api/service-error.js";
import { decode, encode, type Init } from "../../api/wire.js";
import type { Limits } from "../../config/limits.js";
import type { NamespaceView } from "../namespace-view.js";
import { attributeOf, isSettable, isSystemAttribute, typeName } from "./attributes.js";
import type { AttributeValue } from "./row.js";
import { parseTime } from "./time.js";

/** Undefined: the value is null or an empty list, which removes the attribute. */
type Decoded = { readonly value: AttributeValue | undefined } | { readonly invalid: string };

const text = (b: Uint8Array | undefined): string => (b === undefined ? "" : Buffer.from(b.buffer, b.byteOffset, b.byteLength).toString("utf8"));

/** @throws ServiceError for an attribute that does not exist. */
export function checkSearchAttributeNames(attributes: SearchAttributes, namespace: NamespaceView): void {
  for (const name of Object.keys(attributes.indexedFields))
    if (!isSystemAttribute(name) && attributeOf(name, namespace) === undefined)
      throw invalidArgument(`Namespace ${namespace.name} has no mapping defined for search attribute ${name}`);
}

/** @throws ServiceError for an attribute that does not exist, that only the server sets, or whose value has the wrong type. */
export function checkSearchAttributeValues(attributes: SearchAttributes, namespace: NamespaceView, limits: Limits): void {
  checkSearchAttributeNames(attributes, namespace);
  const fields = Object.entries(attributes.indexedFields);
  if (fields.length > limits.searchAttributeKeysMax)
    throw invalidArgument(`number of search attributes ${fields.length} exceeds limit ${limits.searchAttributeKeysMax}`);
  for (const [name, bytes] of fields) {
    if (isSystemAttribute(name) || !isSettable(name)) throw invalidArgument(`${name} attribute can't be set in SearchAttributes`);
    const { type } = attributeOf(name, namespace) as { type: number };
    const decoded = decodeValue(bytes, type);
    if ("invalid" in decoded) throw invalidArgument(`invalid value for search attribute ${name} of type ${typeName(type)}: ${decoded.invalid}`);
  }
}

/** @throws ServiceError when a value or all of them are too large. */
export function checkSearchAttributeSizes(attributes: SearchAttributes, _namespace: NamespaceView, limits: Limits): void {
  for (const [name, bytes] of Object.entries(attributes.indexedFields)) {
    const size = payloadOf(bytes)?.data.length ?? bytes.length;
    if (size > limits.searchAttributeValueBytesMax)
      throw invalidArgument(`search attribute ${name} value size ${size} exceeds size limit ${limits.searchAttributeValueBytesMax}`);
  }
  const total = encode(SearchAttributesType, attributes).length;
  if (total > limits.searchAttributesBytesMax)
    throw invalidArgument(`total size of search attributes ${total} exceeds size limit ${limits.searchAttributesBytesMax}`);
}

/** What the indexes hold. Attributes that are not defined (any more) and values that do not fit their type are left out. */
export function indexedValues(attributes: SearchAttributes, namespace: NamespaceView): { id: number; type: number; value: AttributeValue }[] {
  const out: { id: number; type: number; value: AttributeValue }[] = [];
  for (const [name, bytes] of Object.entries(attributes.indexedFields)) {
    const attribute = attributeOf(name, namespace);
    if (attribute === undefined) continue;
    const decoded = decodeValue(bytes, attribute.type);
    if ("value" in decoded && decoded.value !== undefined) out.push({ id: attribute.id, type: attribute.type, value: decoded.value });
  }
  return out;
}

/** The attributes as events hold them. */
export function typed(attributes: Init<SearchAttributes> | undefined, namespace: NamespaceView): SearchAttributes | undefined {
  return attributes === undefined ? undefined : withTypes(SearchAttributesType.create(attributes), namespace);
}

/**
 * The attributes as events and descriptions show them: the metadata name the type that the caller gave, and otherwise that of the
 * attribute (ApplyTypeMap of the official server). Those that are gone from the namespace are left out.
 */
export function withTypes(attributes: SearchAttributes, namespace: NamespaceView): SearchAttributes {
  return annotated(attributes, namespace, (given) => given !== undefined);
}

/** The attributes as lists show them: the metadata name the type of the attribute, whatever the caller gave. */
export function withRegisteredTypes(attributes: SearchAttributes, namespace: NamespaceView): SearchAttributes {
  return annotated(attributes, namespace, () => false);
}

function annotated(attributes: SearchAttributes, namespace: NamespaceView, stays: (given: Uint8Array | undefined) => boolean): SearchAttributes {
  const indexedFields: Record<string, Uint8Array> = {};
  for (const [name, bytes] of Object.entries(attributes.indexedFields)) {
    const type = attributeOf(name, namespace)?.type;
    const payload = type === undefined ? undefined : payloadOf(bytes);
    if (type === undefined || payload === undefined) continue;
    indexedFields[name] = stays(payload.metadata["type"])
      ? bytes
      : encode(Payload, { ...payload, metadata: { ...payload.metadata, type: Buffer.from(typeName(type)) } });
  }
  return { indexedFields };
}

function payloadOf(bytes: Uint8Array): Payload | undefined {
  try {
    return decode(Payload, bytes);
  } catch {
    return undefined;
  }
}

function decodeValue(bytes: Uint8Array, type: number): Decoded {
  const payload = payloadOf(bytes);
  if (payload === undefined) return { invalid: "value from <>" };
  const encoding = text(payload.metadata["encoding"]);
  if (encoding === "binary/null") return { value: undefined };
  const unreadable = () => `value from <metadata:{key:"encoding"  value:${JSON.stringify(encoding)}}  data:${JSON.stringify(text(payload.data))}>`;
  if (encoding === "binary/plain") return { invalid: `[${payload.data.join(" ")}]` };
  if (encoding !== "json/plain") return { invalid: unreadable() };
  let json: unknown;
  try {
    json = JSON.parse(text(payload.data));
  } catch {
    return { invalid: unreadable() };
  }
  if (json === null) return { value: undefined };
  // The official server takes a list of one for a single value, and an empty one for none.
  const invalid = { invalid: goValue(json) };
  if (type === Type.KEYWORD_LIST) {
    if (!Array.isArray(json)) return invalid;
    if (json.length === 0) return { value: undefined };
    const items = json.map((item: unknown) => item ?? "");
    return items.every((item) => typeof item === "string") ? { value: items as string[] } : invalid;
  }
  if (Array.isArray(json)) {
    if (json.length === 0) return { value: undefined };
    if (json.length > 1) return invalid;
    json = json[0];
  }
  const value = scalar(json, type);
  return value === undefined ? invalid : { value };
}

function scalar(json: unknown, type: number): AttributeValue | undefined {
  switch (type) {
    case Type.TEXT:
    case Type.KEYWORD:
      return typeof json === "string" ? json : undefined;
    case Type.INT:
      return typeof json === "number" && Number.isInteger(json) && Math.abs(json) <= 2 ** 63 ? json : undefined;
    case Type.DOUBLE:
      return typeof json === "number" && Number.isFinite(json) ? json : undefined;
    case Type.BOOL:
      return typeof json === "boolean" ? json : undefined;
    case Type.DATETIME:
      return typeof json === "string" ? parseTime(json) : undefined;
    default:
      return undefined;
  }
}

/** A decoded JSON value as Go prints it. */
function goValue(json: unknown): string {
  if (json === null) return "<nil>";
  if (Array.isArray(json)) return `[${json.map(goValue).join(" ")}]`;
  if (typeof json === "object") {
    const fields = Object.entries(json as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${fields.map(([k, v]) => `${k}:${goValue(v)}`).join(" ")}]`;
  }
  if (typeof json === "number" && (Math.abs(json) >= 1e21 || (json !== 0 && Math.abs(json) < 1e-4)))
    return json.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return String(json);
}
