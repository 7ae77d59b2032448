/** The official HTTP API described: OpenAPI 3 and Swagger 2, made from the bindings and the descriptors. */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/es/google/rpc/status_pb.js";
import type { Binding } from "../http-api/bindings.js";
import { parseTemplate } from "../template.js";
import { type Schema, Schemas } from "./schemas.js";

interface Parameter {
  readonly name: string;
  readonly isInPath: boolean;
  readonly isList: boolean;
  readonly schema: Schema;
}

/** Below this, fields of fields are not told apart in a query. */
const QUERY_DEPTH_MAX = 2;

export function openApi3(bindings: readonly Binding[], version: string): Schema {
  const schemas = new Schemas("#/components/schemas/");
  const json = (schema: Schema) => ({ "application/json": { schema } });
  const failure = { description: "Error", content: json(schemas.of(StatusSchema)) };
  return {
    openapi: "3.0.3",
    info: { title: "Temporal HTTP API", version },
    paths: pathsOf(bindings, (binding) => ({
      ...(binding.hasBody ? { requestBody: { required: true, content: json(schemas.of(binding.rpc.input)) } } : {}),
      parameters: parametersOf(binding, schemas).map((p) => ({
        name: p.name,
        in: p.isInPath ? "path" : "query",
        ...(p.isInPath ? { required: true } : {}),
        schema: p.schema,
      })),
      responses: { 200: { description: "OK", content: json(schemas.of(binding.rpc.output)) }, default: failure },
    })),
    components: { schemas: schemas.byName },
  };
}

export function swagger2(bindings: readonly Binding[], version: string): Schema {
  const schemas = new Schemas("#/definitions/");
  const failure = { description: "Error", schema: schemas.of(StatusSchema) };
  return {
    swagger: "2.0",
    info: { title: "Temporal HTTP API", version },
    consumes: ["application/json"],
    produces: ["application/json"],
    paths: pathsOf(bindings, (binding) => ({
      parameters: [
        ...parametersOf(binding, schemas).map((p) => ({
          name: p.name,
          in: p.isInPath ? "path" : "query",
          required: p.isInPath,
          ...p.schema,
          ...(p.isList ? { collectionFormat: "multi" } : {}),
        })),
        ...(binding.hasBody ? [{ name: "body", in: "body", required: true, schema: schemas.of(binding.rpc.input) }] : []),
      ],
      responses: { 200: { description: "OK", schema: schemas.of(binding.rpc.output) }, default: failure },
    })),
    definitions: schemas.byName,
  };
}

function pathsOf(bindings: readonly Binding[], operation: (binding: Binding) => Schema): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  const ids = new Map<string, number>();
  for (const binding of bindings) {
    const count = (ids.get(binding.rpc.name) ?? 0) + 1;
    ids.set(binding.rpc.name, count);
    const path = (paths[binding.template] ??= {});
    const { name } = binding.service;
    path[binding.method.toLowerCase()] = {
      tags: [name],
      summary: binding.rpc.name,
      operationId: count === 1 ? binding.rpc.name : `${binding.rpc.name}${count}`,
      ...(binding.rpc.deprecated ? { deprecated: true } : {}),
      ...operation(binding),
    };
  }
  return paths;
}

function parametersOf(binding: Binding, schemas: Schemas): Parameter[] {
  const names = parseTemplate(binding.template).captures.map((c) => c.name);
  const inPath = names.map((name): Parameter => ({ name, isInPath: true, isList: false, schema: { type: "string" } }));
  return binding.hasBody ? inPath : [...inPath, ...queryParameters(binding.rpc.input, schemas, new Set(names), "", "", 0)];
}

function queryParameters(
  message: DescMessage,
  schemas: Schemas,
  inPath: ReadonlySet<string>,
  protoPrefix: string,
  jsonPrefix: string,
  depth: number,
): Parameter[] {
  return message.fields.flatMap((field) => {
    const proto = protoPrefix + field.name;
    const json = jsonPrefix + field.jsonName;
    if (inPath.has(proto)) return [];
    const nested = nestedMessage(field);
    if (nested !== undefined) return depth >= QUERY_DEPTH_MAX ? [] : queryParameters(nested, schemas, inPath, `${proto}.`, `${json}.`, depth + 1);
    if (field.fieldKind === "map" || (field.fieldKind === "list" && field.listKind === "message")) return [];
    return [{ name: json, isInPath: false, isList: field.fieldKind === "list", schema: schemas.ofField(field) }];
  });
}

/** Undefined: it is a value, such as a time. */
function nestedMessage(field: DescField): DescMessage | undefined {
  return field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.") ? field.message : undefined;
}
