/** JSON Schemas of messages, as the HTTP API reads and writes them, read from their descriptors. */
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

export type Schema = { readonly [key: string]: unknown };

const INTEGER64 = { type: "string", format: "int64" };
const SCALARS: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.DOUBLE]: { type: "number", format: "double" },
  [ScalarType.FLOAT]: { type: "number", format: "float" },
  [ScalarType.INT64]: INTEGER64,
  [ScalarType.SINT64]: INTEGER64,
  [ScalarType.SFIXED64]: INTEGER64,
  [ScalarType.UINT64]: { type: "string", format: "uint64" },
  [ScalarType.FIXED64]: { type: "string", format: "uint64" },
  [ScalarType.INT32]: { type: "integer", format: "int32" },
  [ScalarType.SINT32]: { type: "integer", format: "int32" },
  [ScalarType.SFIXED32]: { type: "integer", format: "int32" },
  [ScalarType.UINT32]: { type: "integer", format: "int64" },
  [ScalarType.FIXED32]: { type: "integer", format: "int64" },
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", format: "byte" },
};

/** Messages whose JSON is not an object of their fields. */
const OTHERS: Readonly<Record<string, Schema>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": { type: "string", pattern: "^-?[0-9]+(\\.[0-9]{1,9})?s$" },
  "google.protobuf.FieldMask": { type: "string", format: "field-mask" },
  "google.protobuf.Any": { type: "object", properties: { "@type": { type: "string" } }, additionalProperties: true },
  "google.protobuf.Struct": { type: "object", additionalProperties: true },
  "google.protobuf.Value": {},
  "google.protobuf.Empty": { type: "object" },
  "google.protobuf.DoubleValue": { type: "number", format: "double" },
  "google.protobuf.BoolValue": { type: "boolean" },
  "google.protobuf.StringValue": { type: "string" },
  "temporal.api.common.v1.Payload": { description: "Any JSON value, or an object of metadata and data in base64." },
  "temporal.api.common.v1.Payloads": { type: "array", items: {}, description: "Any JSON values, or an object with a list of payloads." },
};

/** Schemas by name of everything that was asked for, and of what that is made of. */
export class Schemas {
  readonly byName: Record<string, Schema> = {};
  private readonly names = new Map<string, string>();

  /** `prefix`: where the document keeps its schemas. */
  constructor(private readonly prefix: string) {}

  of(message: DescMessage): Schema {
    const other = OTHERS[message.typeName];
    if (other !== undefined) return other;
    return { $ref: this.prefix + this.nameOf(message.typeName, () => this.object(message)) };
  }

  ofField(field: DescField): Schema {
    if (field.fieldKind === "list") return { type: "array", items: this.ofValue(field) };
    if (field.fieldKind === "map") return { type: "object", additionalProperties: this.ofValue(field) };
    return this.ofValue(field);
  }

  private ofValue(field: DescField): Schema {
    if (field.message !== undefined) return this.of(field.message);
    if (field.enum !== undefined) return enumSchema(field.enum);
    return SCALARS[field.scalar as ScalarType];
  }

  private object(message: DescMessage): Schema {
    return { type: "object", properties: Object.fromEntries(message.fields.map((f) => [f.jsonName, this.ofField(f)])) };
  }

  /** The last part of its name, unless another message has that. */
  private nameOf(typeName: string, make: () => Schema): string {
    const known = this.names.get(typeName);
    if (known !== undefined) return known;
    const short = typeName.slice(typeName.lastIndexOf(".") + 1);
    const name = Object.hasOwn(this.byName, short) ? typeName : short;
    this.names.set(typeName, name);
    // Before its fields: a message may hold itself.
    this.byName[name] = {};
    this.byName[name] = make();
    return name;
  }
}

export const enumSchema = (type: DescEnum): Schema => ({ type: "string", enum: type.values.map((v) => v.name) });
