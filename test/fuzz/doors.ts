/** Requests as they go over the wire, and what came back, for HTTP/1, HTTP/2 and bare connections. */
import { Agent, request as http1 } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp } from "node:net";

export interface Wire {
  readonly version: 1 | 2;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

export interface Answer {
  /** 0: the connection or the stream ended without one. */
  readonly status: number;
  readonly grpcStatus: string | undefined;
  readonly grpcMessage: string;
  readonly contentType: string;
  readonly body: Buffer;
}

const NOTHING: Answer = { status: 0, grpcStatus: undefined, grpcMessage: "", contentType: "", body: Buffer.alloc(0) };

export class Doors {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  private session: ClientHttp2Session | undefined;

  constructor(
    private readonly host: string,
    private readonly port: number,
  ) {}

  /** The caller of what is not answered leaves. */
  abandon(): void {
    this.agent.destroy();
    this.session?.destroy();
  }

  send(wire: Wire): Promise<Answer> {
    return wire.version === 1 ? this.overHttp1(wire) : this.overHttp2(wire);
  }

  private overHttp1({ method, path, headers, body }: Wire): Promise<Answer> {
    const length: Record<string, string | number> = body === undefined || "transfer-encoding" in headers ? {} : { "content-length": body.length };
    return new Promise((resolve) => {
      const { host, port, agent } = this;
      const request = http1({ host, port, path, method, headers: { ...length, ...headers }, agent }, (response) => {
        const parts: Buffer[] = [];
        const done = (): void => {
          const grpcStatus = (response.trailers["grpc-status"] ?? response.headers["grpc-status"]) as string | undefined;
          resolve({
            status: response.statusCode ?? 0,
            grpcStatus,
            grpcMessage: "",
            contentType: response.headers["content-type"] ?? "",
            body: Buffer.concat(parts),
          });
        };
        response.on("data", (d: Buffer) => {
          parts.push(d);
          // A stream goes on for ever: its first bytes tell.
          if (isStream(response.headers["content-type"])) request.destroy();
        });
        response.once("close", done);
      });
      request.on("error", () => resolve(NOTHING));
      request.end(body);
    });
  }

  private overHttp2({ method, path, headers, body }: Wire): Promise<Answer> {
    if (this.session === undefined || this.session.destroyed || this.session.closed) {
      this.session = connectHttp2(`http://${this.host}:${this.port}`);
      this.session.on("error", () => undefined);
    }
    const { session } = this;
    return new Promise((resolve) => {
      const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined });
      const parts: Buffer[] = [];
      let status = 0;
      let grpcStatus: string | undefined;
      let contentType = "";
      let grpcMessage = "";
      const take = (h: Record<string, unknown>): void => {
        if (h["grpc-status"] !== undefined) grpcStatus = String(h["grpc-status"]);
        if (h["grpc-message"] !== undefined) grpcMessage = String(h["grpc-message"]);
      };
      stream.on("response", (h) => {
        status = Number(h[":status"]);
        contentType = String(h["content-type"] ?? "");
        take(h);
      });
      stream.on("trailers", take);
      stream.on("data", (d: Buffer) => {
        parts.push(d);
        if (isStream(contentType)) stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.on("error", () => undefined);
      stream.once("close", () => resolve({ status, grpcStatus, grpcMessage, contentType, body: Buffer.concat(parts) }));
      if (body !== undefined) stream.end(body);
    });
  }

  /** Bytes on a connection of their own; resolves when it is closed. */
  raw(bytes: Buffer): Promise<Answer> {
    return new Promise((resolve) => {
      const socket = connectTcp({ host: this.host, port: this.port });
      const parts: Buffer[] = [];
      socket.on("data", (d: Buffer) => parts.push(d));
      socket.on("error", () => undefined);
      socket.once("close", () => {
        const body = Buffer.concat(parts);
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(body.subarray(0, 32).toString("latin1"))?.[1] ?? 0);
        resolve({ ...NOTHING, status, body });
      });
      socket.end(bytes);
    });
  }
}

const isStream = (type: string | undefined): boolean => type?.startsWith("text/event-stream") === true;
