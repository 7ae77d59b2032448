/** The Nexus protocol over HTTP, as a client: starts and cancels operations elsewhere, delivers completions (common/nexus/nexusrpc). */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { parseShallowJson } from "../../api/shallow-json.js";
import { timestampOf } from "../../api/time.js";
import type { CallbackCall } from "../../core/callback/statemachine.js";
import type { Runtime } from "../../lib/runtime.js";
import { contentOf, isJson, payloadOf } from "../content.js";
import { formatDuration } from "../durations.js";
import { HandlerError, OperationError, TYPE_OF } from "../errors.js";
import { fromTemporal, type Json, type NexusFailure, parseFailure } from "../failure.js";
import { linkHeader, type NexusLink, parseLinkHeader, toNexusLink } from "../links.js";
import type { StartRequest, StartResult } from "../operation-service.js";
import { handlerErrorOf } from "../operation-service.js";

export const BODY_BYTES_MAX = 2 * 1024 * 1024;
export const USER_AGENT = "temporalio/server";

export interface HttpAnswer {
  readonly status: number;
  /** "404 Not Found" */
  readonly statusText: string;
  readonly header: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** Makes one request. Rejects with an Error whose text is for the user; with TimedOut when the time is over. */
export type HttpCaller = (
  url: string,
  header: Readonly<Record<string, string>>,
  body: Uint8Array,
  timeoutMicros: number,
  runtime: Runtime,
) => Promise<HttpAnswer>;

export class TimedOut extends Error {}
/** What came back cannot be used, and would come again. */
export class Unusable extends Error {}

const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };

export const callOverHttp: HttpCaller = (url, header, body, timeoutMicros, runtime) =>
  new Promise((resolve, reject) => {
    const fail = (text: string) => reject(new Error(`Post ${JSON.stringify(url)}: ${text}`));
    const isTls = url.startsWith("https:");
    let stop: () => void = () => undefined;
    let request: ReturnType<typeof httpRequest>;
    try {
      const options = { method: "POST", headers: { ...header, "content-length": body.length }, agent: isTls ? agents.https : agents.http };
      request = (isTls ? httpsRequest : httpRequest)(url, options, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size <= BODY_BYTES_MAX) chunks.push(chunk);
          else {
            stop();
            reject(new Unusable("http: response body too large"));
            request.destroy();
          }
        });
        response.on("end", () => {
          stop();
          const status = response.statusCode ?? 0;
          const answerHeader: Record<string, string | undefined> = {};
          for (const [k, v] of Object.entries(response.headers)) answerHeader[k] = Array.isArray(v) ? v.join(", ") : v;
          resolve({ status, statusText: `${status} ${response.statusMessage ?? ""}`.trim(), header: answerHeader, body: Buffer.concat(chunks) });
        });
        response.on("error", (e) => fail(networkText(e)));
      });
    } catch (e) {
      fail(e instanceof Error ? e.message : String(e));
      return;
    }
    request.on("error", (e) => {
      stop();
      fail(networkText(e));
    });
    stop = runtime.setTimer(timeoutMicros / 1000, () => {
      reject(new TimedOut(`Post ${JSON.stringify(url)}: context deadline exceeded`));
      request.destroy();
    });
    request.end(body);
  });

/** As Go names what Node names by its codes. */
function networkText(e: Error & { code?: string; address?: string; port?: number; hostname?: string }): string {
  switch (e.code) {
    case "ECONNREFUSED":
      return `dial tcp ${e.address}:${e.port}: connect: connection refused`;
    case "ENOTFOUND":
      return `dial tcp: lookup ${e.hostname}: no such host`;
    case "ECONNRESET":
      return "EOF";
    default:
      return e.message;
  }
}

export class NexusClient {
  constructor(
    private readonly call: HttpCaller,
    private readonly runtime: Runtime,
  ) {}

  /** @throws HandlerError, OperationError, TimedOut, Unusable; any other Error may pass. */
  async start(baseUrl: string, request: StartRequest & { readonly timeout: number }): Promise<StartResult> {
    const url = new URL(join(baseUrl, request.service, request.operation));
    if (request.callbackUrl !== "") url.searchParams.set("callback", request.callbackUrl);
    const header: Record<string, string> = {
      "nexus-request-id": request.requestId,
      "user-agent": USER_AGENT,
      "request-timeout": formatDuration(request.timeout),
    };
    for (const [k, v] of Object.entries(request.content.header)) header[`content-${k}`] = v;
    for (const [k, v] of Object.entries(request.callbackHeader)) header[`nexus-callback-${k}`] = v;
    if (request.links.length > 0) header["nexus-link"] = linkHeader(request.links);
    const answer = await this.call(url.href, { ...header, ...request.header }, request.content.data, request.timeout, this.runtime);
    let links: NexusLink[];
    try {
      links = parseLinkHeader(answer.header["nexus-link"]);
    } catch {
      throw unexpected(`invalid links header: ${JSON.stringify([answer.header["nexus-link"]])}`, answer);
    }
    switch (answer.status) {
      case 200:
        return { kind: "sync", payload: payloadOf({ header: contentHeader(answer), data: answer.body }), links };
      case 201: {
        const { token, state } = json(answer, `invalid response content type: ${quoted(answer.header["content-type"])}`) as Record<string, unknown>;
        if (state !== "running") throw unexpected(`invalid operation state in response info: ${quoted(state)}`, answer);
        if (typeof token !== "string" || token === "") throw unexpected("empty operation token in response", answer);
        return { kind: "async", token, links };
      }
      case 424: {
        const failure = parseFailure(json(answer, `invalid response content type: ${quoted(answer.header["content-type"])}`));
        throw operationErrorOf(failure, answer);
      }
      default:
        throw handlerErrorFrom(answer);
    }
  }

  /** @throws HandlerError, TimedOut; any other Error may pass. */
  async cancel(
    baseUrl: string,
    request: { service: string; operation: string; token: string; header: Readonly<Record<string, string>>; timeout: number },
  ): Promise<void> {
    const header = {
      "nexus-operation-token": request.token,
      "request-timeout": formatDuration(request.timeout),
      "user-agent": USER_AGENT,
      ...request.header,
    };
    const url = join(baseUrl, request.service, request.operation, "cancel");
    const answer = await this.call(url, header, Buffer.alloc(0), request.timeout, this.runtime);
    if (answer.status !== 202) throw handlerErrorFrom(answer);
  }

  /** @throws HandlerError; any other Error may pass. */
  async complete(call: CallbackCall, timeout: number): Promise<void> {
    const { outcome, startTime, closeTime } = call;
    const header: Record<string, string> = {};
    let body: Uint8Array;
    if (outcome.kind === "completed") {
      const content = contentOf(outcome.result);
      for (const [k, v] of Object.entries(content.header)) header[`content-${k}`] = v;
      header["nexus-operation-state"] = "succeeded";
      body = content.data;
    } else {
      header["nexus-operation-state"] = outcome.kind;
      header["content-type"] = "application/json";
      body = Buffer.from(JSON.stringify(fromTemporal(outcome.cause)));
    }
    const link = toNexusLink(call.link);
    const own: Record<string, string> = {
      "user-agent": USER_AGENT,
      "nexus-operation-start-time": new Date(startTime / 1000).toUTCString(),
      "nexus-operation-close-time": isoTime(closeTime),
      ...(link === undefined ? {} : { "nexus-link": linkHeader([link]) }),
    };
    const answer = await this.call(call.url, { ...own, ...header, ...call.header }, body, timeout, this.runtime);
    if (answer.status < 200 || answer.status >= 300) throw handlerErrorFrom(answer);
  }
}

function isoTime(micros: number): string {
  const { seconds, nanos } = timestampOf(micros);
  const fraction = String(nanos)
    .padStart(9, "0")
    .replace(/(000){1,3}$/, "");
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction === "" ? "" : `.${fraction}`}Z`;
}

function join(base: string, ...parts: string[]): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${parts.map(encodeURIComponent).join("/")}`;
  return url.href;
}

function contentHeader(answer: HttpAnswer): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [k, v] of Object.entries(answer.header)) if (k.startsWith("content-") && v !== undefined) out[k.slice("content-".length)] = v;
  return out;
}

const quoted = (v: unknown): string => JSON.stringify(v ?? "");

function json(answer: HttpAnswer, problem: string): unknown {
  if (!isJson(answer.header["content-type"])) throw unexpected(problem, answer);
  return parseShallowJson(Buffer.from(answer.body).toString()) as Json;
}

function unexpected(text: string, answer: HttpAnswer): Error {
  const message = tryFailure(answer)?.message;
  return new Error(message === undefined ? text : `${text}: ${message}`);
}

function tryFailure(answer: HttpAnswer): NexusFailure | undefined {
  if (!isJson(answer.header["content-type"])) return undefined;
  try {
    return parseFailure(parseShallowJson(Buffer.from(answer.body).toString()));
  } catch {
    return undefined;
  }
}

function handlerErrorFrom(answer: HttpAnswer): Error {
  const failure = tryFailure(answer);
  if (failure?.metadata?.["type"] === "nexus.HandlerError") return handlerErrorOf(failure);
  return handlerErrorByStatus(answer, failure);
}

/** Servers that send the failure alone say the rest by status and header. */
function handlerErrorByStatus(answer: HttpAnswer, cause: NexusFailure | undefined): Error {
  const type = TYPE_OF.get(answer.status);
  if (type === undefined) return unexpected(`unexpected response status: ${quoted(answer.statusText)}`, answer);
  const retryable = answer.header["nexus-request-retryable"]?.toLowerCase();
  return new HandlerError(type, "", { isRetryable: retryable === "true" ? true : retryable === "false" ? false : undefined, cause });
}

function operationErrorOf(failure: NexusFailure, answer: HttpAnswer): Error {
  if (failure.metadata?.["type"] === "nexus.OperationError") {
    const state = (failure.details as { state?: unknown } | undefined)?.state;
    return new OperationError(state === "canceled" ? "canceled" : "failed", failure);
  }
  const state = answer.header["nexus-operation-state"];
  if (state !== "failed" && state !== "canceled") return unexpected(`invalid operation state header: ${quoted(state)}`, answer);
  return OperationError.wrapping(state, "nexus operation completed unsuccessfully", failure);
}
