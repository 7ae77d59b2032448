/** For the tests of the wire: gRPC by hand over node:http2, able to send what no client library would. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { decode, encode } from "../api/wire.js";
import { type Message, MessageType, path } from "./listener-under-test.js";

export function frame(body: Buffer, flag = 0): Buffer {
  const out = Buffer.alloc(5 + body.length);
  out[0] = flag;
  out.writeUInt32BE(body.length, 1);
  body.copy(out, 5);
  return out;
}

export const message = (workflowId: string, runId = ""): Buffer => encode(MessageType, { workflowId, runId });

export interface Request {
  readonly path?: string;
  readonly headers?: Record<string, string | number | string[]>;
  /** Each in a DATA frame of its own at least. */
  readonly chunks?: readonly Buffer[];
  /** False: the request is left open. */
  readonly end?: boolean;
}

export interface Answer {
  readonly httpStatus: number | undefined;
  /** Of the trailers, which may have come as headers. */
  readonly status: number | undefined;
  readonly text: string;
  readonly details: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Code of the RST_STREAM that ended it. */
  readonly reset: number | undefined;
}

export interface Sent {
  readonly stream: ClientHttp2Stream;
  readonly answer: Promise<Answer>;
}

export class WireClient {
  private constructor(readonly session: ClientHttp2Session) {}

  /** Resolves when the server's settings are here. */
  static async connect(port: number, options: { maxHeaderListSize?: number } = {}): Promise<WireClient> {
    const session = connect(`http://127.0.0.1:${port}`, { settings: options });
    session.on("error", () => undefined);
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    return new WireClient(session);
  }

  send(o: Request): Sent {
    const headers = { ":method": "POST", ":path": o.path ?? path("Echo"), "content-type": "application/grpc", te: "trailers", ...o.headers };
    const stream = this.session.request(headers, { endStream: o.chunks?.length === 0 && o.end !== false });
    const answer = answerOf(stream);
    for (const chunk of o.chunks ?? [frame(message("hello"))]) stream.write(chunk);
    if (o.end !== false && o.chunks?.length !== 0) stream.end();
    return { stream, answer };
  }

  call(o: Request = {}): Promise<Answer> {
    return this.send(o).answer;
  }

  /** A good call: its reply, or its status and text. */
  async echo(text: string): Promise<string> {
    const answer = await this.call({ chunks: [frame(message(text))] });
    return answer.status === 0 ? reply(answer).workflowId : `${answer.status} ${answer.text}`;
  }

  close(): void {
    this.session.destroy();
  }
}

function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve) => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const parts: Buffer[] = [];
    stream.on("response", (h) => {
      headers = h;
    });
    stream.on("trailers", (t) => {
      trailers = t;
    });
    stream.on("data", (d: Buffer) => parts.push(d));
    stream.on("error", () => undefined);
    stream.on("close", () => {
      const all = { ...headers, ...trailers };
      const status = all["grpc-status"];
      resolve({
        httpStatus: headers[":status"] as number | undefined,
        status: status === undefined ? undefined : Number(status),
        text: decodeURIComponent(`${all["grpc-message"] ?? ""}`),
        details: all["grpc-status-details-bin"] as string | undefined,
        headers,
        body: Buffer.concat(parts),
        reset: stream.rstCode,
      });
    });
  });
}

/** The message of an answer that is not compressed. */
export function reply(answer: Answer): Message {
  if (answer.body[0] !== 0 || answer.body.readUInt32BE(1) !== answer.body.length - 5) throw new Error("not one plain frame");
  return decode(MessageType, answer.body.subarray(5));
}
