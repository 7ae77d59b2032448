/** One request of the REST API, as its handlers see it: fields by their snake_case names, whichever way they were sent. */
import type { ServiceError } from "../../api/service-error.js";
import { invalidArgument } from "../../api/service-error.js";
import { jsonBody } from "../http-api/http-api.js";
import { formatJson, isObject, type Json, type JsonObject } from "../json/json-text.js";
import type { CallOptions, GatewayContext, HttpAnswer, HttpRequest, PathParameters, Route } from "../route.js";
import { asksForVersion, checkVersion, withVersion } from "./api-version.js";
import { restErrorAnswer, type Subject } from "./rest-error.js";
import { rpcJson } from "./rpc-json.js";

export class RestCall {
  constructor(
    readonly context: GatewayContext,
    readonly request: HttpRequest,
    readonly parameters: PathParameters,
    /** Of the body, or of the query when there is none. */
    readonly fields: JsonObject,
  ) {}

  get namespace(): string {
    return this.parameters["namespace"] ?? "";
  }

  /** Of the path. */
  get execution(): JsonObject {
    return { workflow_id: this.parameters["workflow_id"] ?? "", run_id: this.parameters["run_id"] ?? "" };
  }

  rpc(name: string, fields: JsonObject, options?: CallOptions): Promise<JsonObject> {
    return rpcJson(this.context, this.request, name, fields, options);
  }
}

export interface RestRoute {
  readonly method: "GET" | "POST";
  /** Without the prefix. */
  readonly template: string;
  readonly subject?: Subject;
  /** It is a route of the official HTTP API too: that one answers unless the request asks for a version of this API. */
  readonly isShared?: boolean;
  readonly handler: (call: RestCall) => Promise<JsonObject>;
}

export const PREFIX = "/api/v1";

export function toRoute(context: GatewayContext, { method, template, subject = "other", isShared = false, handler }: RestRoute): Route {
  return {
    method,
    template: PREFIX + template,
    ...(isShared ? { accepts: asksForVersion } : {}),
    handler: async (request, parameters) => {
      checkVersion(request);
      const fields = method === "GET" ? queryFields(request.query) : snakeFields(await jsonBody(request));
      const answer = await handler(new RestCall(context, request, parameters, fields));
      return withVersion(request, jsonAnswer(answer));
    },
    fail: (error: ServiceError, request: HttpRequest) => withVersion(request, restErrorAnswer(error, subject, request.rateLimit)),
  };
}

const jsonAnswer = (json: Json): HttpAnswer => ({ headers: { "content-type": "application/json" }, body: formatJson(json) });

/** @throws ServiceError for a field that is there twice. */
function snakeFields(body: Json): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(isObject(body) ? body : {})) {
    const name = snake(key);
    if (Object.hasOwn(out, name)) throw invalidArgument(`duplicate field ${JSON.stringify(key)}`);
    out[name] = value;
  }
  return out;
}

function queryFields(query: URLSearchParams): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of query) out[snake(key)] = value;
  return out;
}

const snake = (key: string): string => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

export const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
export const listOf = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
export const objectOf = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

/** Some of the fields of a query, as JSON of a request: a page token may have lost its pluses. */
export function pageFields(fields: JsonObject, sizeName: string): JsonObject {
  const out: JsonObject = {};
  const { next_page_token: token, [sizeName]: size } = fields;
  if (token !== undefined) out["next_page_token"] = typeof token === "string" ? token.replaceAll(" ", "+") : token;
  if (size !== undefined) out[sizeName] = size;
  return out;
}

/** @throws ServiceError */
export function booleanOf(name: string, value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === "false" || value === "0") return false;
  if (value === true || value === "true" || value === "1" || value === "") return true;
  throw invalidArgument(`parsing field "${name}": ${JSON.stringify(value)} is not a boolean`);
}
