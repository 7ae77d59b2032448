/**
 * Cross-origin calls of pages, for every protocol that a browser speaks: the HTTP doors, Connect and gRPC-Web. Only origins that
 * were named may call; without any, no header of CORS is ever sent.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Origins } from "./origins.js";

type Request = Pick<IncomingMessage | Http2ServerRequest, "method" | "headers">;
type Response = ServerResponse | Http2ServerResponse;

const METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
/** What a page may read of an answer, beside what it always may. */
const EXPOSED = [
  ...["grpc-status", "grpc-message", "grpc-status-details-bin", "connect-content-encoding"],
  ...["temporal-api-version", "deprecation", "sunset", "warning", "retry-after", "last-event-id"],
  ...["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-scope"],
].join(", ");
const PREFLIGHT_SECONDS = 7200;

/** Sets the headers that an origin needs; true when that was all that was asked for. */
export function answerCors(request: Request, response: Response, origins: Origins | undefined): boolean {
  const { origin } = request.headers;
  if (origins?.isCorsOn !== true || origin === undefined) return false;
  const isPreflight = request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
  const allowed = origins.allowed(origin);
  response.setHeader("vary", "Origin");
  if (allowed !== undefined) {
    response.setHeader("access-control-allow-origin", allowed);
    response.setHeader("access-control-expose-headers", EXPOSED);
  }
  if (!isPreflight) return false;
  if (allowed !== undefined) {
    response.setHeader("access-control-allow-methods", METHODS);
    // Any header may be metadata.
    response.setHeader("access-control-allow-headers", request.headers["access-control-request-headers"] ?? "*");
    response.setHeader("access-control-max-age", PREFLIGHT_SECONDS);
  }
  response.statusCode = allowed !== undefined ? 204 : 403;
  response.end();
  return true;
}
