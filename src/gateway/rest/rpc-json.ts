/** RPCs for the REST API: relaxed JSON in, snake_case JSON out. */
import { type DescMessage, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WorkflowService } from "../../../gen/es/temporal/api/workflowservice/v1/service_pb.js";
import { decode, encode } from "../../api/wire.js";
import { isObject, type Json, type JsonObject } from "../json/json-text.js";
import { canonicalMessage, fromCanonical, writeMessage } from "../json/message-json.js";
import { TYPES } from "../json/types.js";
import type { CallOptions, GatewayContext, HttpRequest } from "../route.js";
import { relaxedForm } from "./relaxed-forms.js";

const READ = { payloadShorthand: true, registry: TYPES, relax: relaxedForm } as const;
const WRITE = { payloadShorthand: true, registry: TYPES, protoNames: true, plainAttributes: true } as const;

/** Fields in canonical form, by camelCase names. @throws ServiceError INVALID_ARGUMENT */
export const canonical = (schema: DescMessage, json: Json): JsonObject => canonicalMessage(schema, json, READ);

/** @throws Error when there is no such method. */
export function methodOf(name: string, service: DescService = WorkflowService): { path: string; input: DescMessage; output: DescMessage } {
  const rpc = service.methods.find((m) => m.name === name);
  if (rpc === undefined) throw new Error(`${service.typeName} has no ${name}`);
  return { path: `/${service.typeName}/${name}`, input: rpc.input, output: rpc.output };
}

/** `fields`: of the request, in either naming and any relaxed form. @throws ServiceError */
export async function rpcJson(
  context: GatewayContext,
  request: HttpRequest,
  name: string,
  fields: JsonObject,
  options?: CallOptions,
): Promise<JsonObject> {
  const { path, input, output } = methodOf(name);
  const method = context.methods.get(path);
  if (method === undefined) throw new Error(`${path} is not in the table of methods`);
  const message = decode(method.input, toBinary(input, fromCanonical(input, canonical(input, fields), TYPES)));
  const reply = encode(method.output, (await context.run(request, method, message, options)) as never);
  const json = writeMessage(output, fromBinary(output, reply), WRITE);
  return isObject(json) ? json : {};
}
