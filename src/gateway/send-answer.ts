/** Writes an answer. A stream is read as fast as the caller takes it, and ended when the caller goes. */
import type { NodeResponse } from "./node-request.js";
import type { HttpAnswer, HttpBody } from "./route.js";

type Stream = Exclude<HttpBody, string | Uint8Array>;

/** Resolves when all is handed over, or the caller has gone. Rejects with what the stream threw; the answer is cut off then. */
export async function sendAnswer(response: NodeResponse, answer: HttpAnswer, signal: AbortSignal): Promise<void> {
  const { body = "" } = answer;
  if (signal.aborted) {
    if (isStream(body)) await body[Symbol.asyncIterator]().return?.();
    return;
  }
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value as string | string[]);
  response.statusCode = answer.status ?? 200;
  if (!isStream(body)) {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    if (response.statusCode !== 204 && response.statusCode !== 304) response.setHeader("content-length", bytes.length);
    end(response, bytes);
    return;
  }
  await sendStream(response, body, signal);
}

async function sendStream(response: NodeResponse, body: Stream, signal: AbortSignal): Promise<void> {
  // The headers tell the caller that it is served, before there is anything to send.
  (response as { flushHeaders(): void }).flushHeaders();
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await chunks.next();
      if (signal.aborted) {
        await chunks.return?.();
        return;
      }
      if (done === true) break;
      if (!write(response, value)) await drained(response, signal);
    }
    end(response, undefined);
  } catch (e) {
    response.destroy(e instanceof Error ? e : undefined);
    throw e;
  }
}

const isStream = (body: HttpBody): body is Stream => typeof body === "object" && Symbol.asyncIterator in body;

// The two kinds of response have no callable type in common.
const write = (response: NodeResponse, chunk: string | Uint8Array): boolean =>
  (response.write as (c: string | Uint8Array) => boolean).call(response, chunk);
const end = (response: NodeResponse, chunk: Uint8Array | undefined): void => {
  (response.end as (c?: Uint8Array) => void).call(response, chunk);
};

function drained(response: NodeResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.removeListener("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
