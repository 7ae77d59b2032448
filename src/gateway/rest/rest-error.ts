/**
 * Errors of the REST API: `{"error": {code, message, details}}`. The code is the specific one where there is one, and a detail of
 * type Status then has the standard one; the HTTP status is that of the standard code.
 */
import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { RateLimit } from "../../api/rate-limit.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { isRefusal, rateLimitDetail } from "../../quotas/headers.js";
import { httpStatusOf } from "../http-status.js";
import type { Json, JsonObject } from "../json/json-text.js";
import { formatJson, isObject } from "../json/json-text.js";
import { TYPES } from "../json/types.js";
import type { HttpAnswer } from "../route.js";

export type SpecificCode =
  | "WORKFLOW_EXECUTION_ALREADY_STARTED"
  | "WORKFLOW_EXECUTION_NOT_FOUND"
  | "WORKFLOW_EXECUTION_COMPLETED"
  | "WORKFLOW_TASK_TIMEOUT"
  | "ACTIVITY_TASK_TIMEOUT"
  | "NAMESPACE_NOT_FOUND"
  | "TASK_QUEUE_NOT_FOUND";

/** What a request concerns, as far as it decides the code of a NOT_FOUND. */
export type Subject = "workflow" | "other";

/** An error that already knows its specific code or its detail. */
export class RestError extends ServiceError {
  constructor(
    error: Pick<ServiceError, "code" | "message" | "details">,
    readonly specific: SpecificCode | undefined,
    readonly detail?: JsonObject,
  ) {
    super(error.code, error.message, error.details);
  }
}

const ERROR_DETAILS = "temporal.api.errordetails.v1.";
const COMPLETED = /already completed|is already closed|execution is closed/;

export function specificCode(error: ServiceError, subject: Subject): SpecificCode | undefined {
  if (error instanceof RestError && error.specific !== undefined) return error.specific;
  const has = (type: string) => error.details.some((d) => d.typeName === ERROR_DETAILS + type);
  if (has("WorkflowExecutionAlreadyStartedFailure")) return "WORKFLOW_EXECUTION_ALREADY_STARTED";
  if (has("NamespaceNotFoundFailure")) return "NAMESPACE_NOT_FOUND";
  if (error.code !== Code.NOT_FOUND || subject !== "workflow") return undefined;
  return COMPLETED.test(error.message) ? "WORKFLOW_EXECUTION_COMPLETED" : "WORKFLOW_EXECUTION_NOT_FOUND";
}

export function restErrorAnswer(error: ServiceError, subject: Subject, rateLimit?: RateLimit): HttpAnswer {
  const standard = Code[error.code] ?? "INTERNAL";
  const specific = specificCode(error, subject);
  const details: Json[] = [];
  if (error instanceof RestError && error.detail !== undefined) details.push(error.detail);
  else if (error.code === Code.INVALID_ARGUMENT) details.push(badRequest(error.message));
  if (error.code === Code.RESOURCE_EXHAUSTED && rateLimit !== undefined && isRefusal(rateLimit)) details.push(rateLimitDetail(rateLimit));
  else for (const d of error.details) details.push(typedDetail(d.typeName, d.value));
  if (specific !== undefined) details.push({ type: "Status", code: standard });
  return {
    status: httpStatusOf(error.code),
    headers: { "content-type": "application/json" },
    body: formatJson({ error: { code: specific ?? standard, message: error.message, details } }),
  };
}

function typedDetail(typeName: string, value: Uint8Array): JsonObject {
  const type = typeName.slice(typeName.lastIndexOf(".") + 1);
  const schema = TYPES.getMessage(typeName);
  if (schema === undefined) return { type };
  const json = toJson(schema, fromBinary(schema, value), { registry: TYPES, useProtoFieldName: true }) as Json;
  return { type, ...(isObject(json) ? json : {}) };
}

/** The field that a text of the official server names. */
const NAMED_FIELD: readonly RegExp[] = [
  /(?:unknown|duplicate) field "([^"]+)"/,
  /(?:for enum field|parsing field|parsing list|parsing map value) "?([\w.]+)"?/,
  /cannot decode field [\w.]+\.(\w+) from JSON/,
  /type mismatch, parameter: ([\w.]+)/,
  /^(?:missing |required field )?"?([A-Z][A-Za-z]+|[a-z][a-z_]+)"? (?:is|are) not (?:set|specified)/,
  /^([A-Z]\w+) (?:length )?(?:exceeds|exceeded|is not|cannot|must|not set)/,
  /^Invalid ([A-Z]\w+)\b/,
];

function badRequest(message: string): JsonObject {
  for (const pattern of NAMED_FIELD) {
    const name = pattern.exec(message)?.[1];
    if (name !== undefined) return { type: "BadRequest", field: snake(name), description: message };
  }
  return { type: "BadRequest", description: message };
}

const snake = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/ID$/, "Id")
    .toLowerCase();

/** A field of a request that must not be empty, in the words of the API's own documentation. */
export function missingField(name: string, field: string): RestError {
  return new RestError({ code: Code.INVALID_ARGUMENT, message: `${name} cannot be empty`, details: [] }, undefined, {
    type: "BadRequest",
    field,
    description: `${field} is required and cannot be empty`,
  });
}
