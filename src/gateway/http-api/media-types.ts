/** The four forms of the official HTTP API's JSON: indented or not, payloads in short or not, by content type, Accept or the query. */
import type { HttpRequest } from "../route.js";

export interface Media {
  readonly contentType: string;
  readonly indent: number;
  readonly payloadShorthand: boolean;
}

const INDENT = 2;
/** Of the default the official server says "*", which no client understands. */
export const JSON_MEDIA: Media = { contentType: "application/json", indent: 0, payloadShorthand: true };

const OTHERS: ReadonlyMap<string, Media> = new Map(
  [
    { contentType: "application/json+pretty", indent: INDENT, payloadShorthand: true },
    { contentType: "application/json+no-payload-shorthand", indent: 0, payloadShorthand: false },
    { contentType: "application/json+pretty+no-payload-shorthand", indent: INDENT, payloadShorthand: false },
  ].map((m) => [m.contentType, m]),
);

/** Of the request's body. */
export function requestMedia(request: Pick<HttpRequest, "headers">): Media {
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0] as string;
  return OTHERS.get(type.trim().toLowerCase()) ?? JSON_MEDIA;
}

/** Of the answer: what the query asks for, else the Accept header, else that of the request. */
export function answerMedia(request: Pick<HttpRequest, "headers" | "query">): Media {
  const pretty = request.query.has("pretty") ? "+pretty" : "";
  const long = request.query.has("noPayloadShorthand") ? "+no-payload-shorthand" : "";
  const accept = pretty + long === "" ? (request.headers.accept ?? "") : `application/json${pretty}${long}`;
  return OTHERS.get(accept) ?? requestMedia(request);
}
