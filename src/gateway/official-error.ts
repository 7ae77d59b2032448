/** The official HTTP API's form of an error, in its simplest: code and message. With details: http-api/. */
import { Code, ServiceError } from "../api/service-error.js";
import { httpStatusOf } from "./http-status.js";
import type { HttpAnswer } from "./route.js";

export function plainError(error: Pick<ServiceError, "code" | "message">): HttpAnswer {
  return {
    status: httpStatusOf(error.code),
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: error.code, message: error.message }),
  };
}

export const NOT_FOUND = new ServiceError(Code.NOT_FOUND, "Not Found");
export const METHOD_NOT_ALLOWED = new ServiceError(Code.UNIMPLEMENTED, "Method Not Allowed");
export const BAD_REQUEST = new ServiceError(Code.INVALID_ARGUMENT, "Bad Request");
