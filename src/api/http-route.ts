/** HTTP requests that are not calls of an RPC: answered on the one port, over HTTP/1.1 and HTTP/2 alike. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

export interface HttpRoute {
  /** `path`: without the query, percent-encoded as it came. */
  matches(path: string): boolean;
  handle(request: HttpRequest, response: HttpResponse): void;
}
