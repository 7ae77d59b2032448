/** A request of Node's, HTTP/1.1 or HTTP/2, as the gateway's. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { RateLimit } from "../api/rate-limit.js";
import { canceled, invalidArgument } from "../api/service-error.js";
import type { HttpCaller, HttpRequest } from "./route.js";

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

export class GatewayRequest implements HttpRequest {
  readonly peer: string;
  readonly clientSubject: string | undefined;
  rateLimit: RateLimit | undefined;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly signal: AbortSignal;
  private readonly search: string;
  private parsedQuery: URLSearchParams | undefined;
  private whole: Promise<Buffer> | undefined;

  constructor(
    private readonly node: NodeRequest,
    response: NodeResponse,
    caller: HttpCaller,
    private readonly bodyBytesMax: number,
  ) {
    this.peer = caller.peer;
    this.clientSubject = caller.clientSubject;
    this.method = node.method ?? "GET";
    const url = node.url ?? "/";
    // HTTP/1.1 may send the whole address.
    const target = url.startsWith("/") ? url : url.replace(/^[a-z]+:\/\/[^/?]*/i, "");
    const at = target.indexOf("?");
    this.path = at < 0 ? target : target.slice(0, at);
    this.search = at < 0 ? "" : target.slice(at + 1);
    this.headers = node.headers;
    const gone = new AbortController();
    this.signal = gone.signal;
    response.once("close", () => gone.abort());
    // It may have left while the gateway was being loaded.
    if ("stream" in node ? node.stream.destroyed : node.destroyed) gone.abort();
  }

  get query(): URLSearchParams {
    this.parsedQuery ??= new URLSearchParams(this.search);
    return this.parsedQuery;
  }

  body(bytesMax = this.bodyBytesMax): Promise<Buffer> {
    this.whole ??= this.readBody(Math.min(bytesMax, this.bodyBytesMax));
    return this.whole;
  }

  private readBody(bodyBytesMax: number): Promise<Buffer> {
    const { node } = this;
    const tooLarge = () => invalidArgument("http: request body too large");
    if (Number(node.headers["content-length"]) > bodyBytesMax) return Promise.reject(tooLarge());
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let size = 0;
      node.on("data", (part: Buffer) => {
        size += part.length;
        if (size > bodyBytesMax) {
          reject(tooLarge());
          parts.length = 0;
        } else parts.push(part);
      });
      node.once("end", () => resolve(Buffer.concat(parts)));
      node.once("error", () => reject(canceled("the request was cut off")));
      node.once("close", () => reject(canceled("the request was cut off")));
    });
  }
}
