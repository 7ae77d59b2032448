/** An error as the official HTTP API answers it: google.rpc.Status in JSON, with its details. */
import { fromBinary } from "@bufbuild/protobuf";
import type { ServiceError } from "../../api/service-error.js";
import { httpStatusOf } from "../http-status.js";
import { formatJson, isObject, type Json } from "../json/json-text.js";
import { writeMessage } from "../json/message-json.js";
import { TYPES } from "../json/types.js";
import type { HttpAnswer, HttpRequest } from "../route.js";
import { answerMedia } from "./media-types.js";

export function statusAnswer(error: ServiceError, request: Pick<HttpRequest, "headers" | "query">): HttpAnswer {
  const media = answerMedia(request);
  const details = error.details.map((d) => detailJson(d.typeName, d.value, media.payloadShorthand)).filter((d) => d !== undefined);
  const body = { code: error.code, message: error.message, ...(details.length === 0 ? {} : { details }) };
  return {
    status: httpStatusOf(error.code),
    headers: {
      "content-type": media.contentType,
      ...(httpStatusOf(error.code) === 401 ? { "www-authenticate": 'Bearer realm="temporal"' } : {}),
    },
    body: formatJson(body, media.indent),
  };
}

/** Undefined: of a type that is not known here. */
export function detailJson(typeName: string, value: Uint8Array, payloadShorthand: boolean): Json | undefined {
  const schema = TYPES.getMessage(typeName);
  if (schema === undefined) return undefined;
  const json = writeMessage(schema, fromBinary(schema, value), { payloadShorthand, registry: TYPES });
  return { "@type": `type.googleapis.com/${typeName}`, ...(isObject(json) ? json : { value: json }) };
}
