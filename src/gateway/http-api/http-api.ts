/**
 * The official HTTP API: every google.api.http binding of the bound services, with grpc-gateway's rules for path, query and body and
 * Temporal's JSON. A request becomes the bytes of the RPC's message and goes the way of every other call.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { invalidArgument } from "../../api/service-error.js";
import { decode, encode } from "../../api/wire.js";
import { formatJson, isObject, type Json, JsonError, type JsonObject, parseJson } from "../json/json-text.js";
import { canonicalMessage, fromCanonical, writeMessage } from "../json/message-json.js";
import { TYPES } from "../json/types.js";
import { asksForVersion, checkVersion, withVersion } from "../rest/api-version.js";
import type { GatewayContext, HttpAnswer, HttpRequest, PathParameters, Route, RouteModule } from "../route.js";
import { parseTemplate } from "../template.js";
import { type Binding, BOUND_SERVICES, bindingsOf } from "./bindings.js";
import { answerMedia, requestMedia } from "./media-types.js";
import { addQueryFields, setPathField } from "./query-fields.js";
import { statusAnswer } from "./status-json.js";

export const httpApi: RouteModule = {
  name: "http-api",
  routes: (context) => bindingsOf(BOUND_SERVICES).map((binding) => boundRoute(context, binding)),
  fail: (error, request) => versioned(request, statusAnswer(error, request)),
};

/** The header is of the REST API beside this one (rest/), and its form is not; who sends it is told all the same. */
const versioned = (request: HttpRequest, answer: HttpAnswer): HttpAnswer => (asksForVersion(request) ? withVersion(request, answer) : answer);

function boundRoute(context: GatewayContext, binding: Binding): Route {
  const isPublic = context.methods.get(binding.path)?.permission === "none";
  const inPath = new Set(parseTemplate(binding.template).captures.map((c) => c.name));
  return {
    method: binding.method,
    template: binding.template,
    ...(isPublic ? { shows: "system-info" } : {}),
    handler: async (request, parameters) => {
      checkVersion(request);
      const method = context.methods.get(binding.path);
      if (method === undefined) throw new Error(`${binding.path} is bound and not in the table of methods`);
      const schema = binding.rpc.input;
      const json = await requestJson(binding, inPath, request, parameters);
      const message = decode(method.input, toBinary(schema, fromCanonical(schema, json, TYPES)));
      const reply = encode(method.output, (await context.run(request, method, message)) as never);
      const media = answerMedia(request);
      const { payloadShorthand } = media;
      const answer = writeMessage(binding.rpc.output, fromBinary(binding.rpc.output, reply), { payloadShorthand, registry: TYPES });
      return versioned(request, { headers: { "content-type": media.contentType }, body: formatJson(answer, media.indent) });
    },
  };
}

/** @throws ServiceError */
async function requestJson(binding: Binding, inPath: ReadonlySet<string>, request: HttpRequest, parameters: PathParameters): Promise<JsonObject> {
  const schema = binding.rpc.input;
  const { payloadShorthand } = requestMedia(request);
  const body = binding.hasBody ? await jsonBody(request) : {};
  const json = canonicalMessage(schema, body, { payloadShorthand, registry: TYPES });
  if (!binding.hasBody) addQueryFields(schema, json, request.query, inPath);
  // What the address names wins over what the body says.
  for (const [path, value] of Object.entries(parameters)) setPathField(schema, json, path, value);
  return json;
}

/** An empty body is an empty object. @throws ServiceError */
export async function jsonBody(request: HttpRequest): Promise<Json> {
  const text = (await request.body()).toString();
  if (text.trim() === "") return {};
  try {
    const json = parseJson(text);
    if (!isObject(json)) throw new JsonError(`unexpected ${Array.isArray(json) ? "list" : formatJson(json)}: a request is an object`);
    return json;
  } catch (e) {
    throw e instanceof JsonError ? invalidArgument(e.message) : e;
  }
}
