/**
 * One row of the table: a setting at a low value, what passes it, and what the official server 1.32.1 answers and does then. A row
 * is played with a session of its own on a server that was started with the settings of its group; `main.ts` plays the same rows on
 * the official server.
 */
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { WorkflowExecutionStatus } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { History, type HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { Code } from "../../src/api/service-error.js";
import { decode } from "../../src/api/wire.js";
import type { Session } from "../conformance/session.js";
import { CallError } from "../conformance/subject.js";

export interface Row {
  /** Dynamic-config keys that the row breaches. */
  readonly keys: readonly string[];
  readonly breach: string;
  /** What was answered and done, in plain values. */
  readonly play: (s: Session) => Promise<unknown>;
  readonly answer: unknown;
  /** Where ours is not the official answer. */
  readonly ours?: unknown;
  /** Why. */
  readonly differs?: string;
  /** Lines that our log must have: fields that a record of level warn holds. */
  readonly warnings?: (s: Session) => readonly object[];
}

export interface Group {
  readonly name: string;
  /** key=value, JSON values, as `--dynamic-config-value` takes them. */
  readonly settings: readonly string[];
  readonly rows: readonly Row[];
}

type Rpc = Parameters<Session["call"]>[0];
type Request<M extends Rpc> = Parameters<Session["call"]>[1] & Parameters<typeof call<M>>[2];
const call = <M extends Rpc>(s: Session, name: M, request: Parameters<Session["refused"]>[1]) => s.call(name, request as never);

/** What a call is refused with: the name of the code and the text; or "OK". */
export async function refusal<M extends Rpc>(s: Session, name: M, request: Request<M>, timeoutMs?: number): Promise<unknown> {
  try {
    await s.call(name, request as never, timeoutMs);
    return "OK";
  } catch (e) {
    if (!(e instanceof CallError)) throw e;
    // Go's text of a message has one blank or two, as its build will have it.
    return [Code[e.code], e.message.replaceAll(s.id, "<id>").replaceAll("  ", " ")];
  }
}

export async function events(s: Session, workflowId = s.id): Promise<HistoryEvent[]> {
  const out: HistoryEvent[] = [];
  let nextPageToken: Uint8Array = new Uint8Array(0);
  do {
    const page = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId }, nextPageToken });
    if (page.history !== undefined) out.push(...decode(History, page.history).events);
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  return out;
}

export const typesOf = (list: readonly HistoryEvent[]): string[] => list.map((e) => EventType[e.eventType] ?? "");

/** How the run stands: status, its last event, and why that came. */
export async function effect(s: Session, workflowId = s.id): Promise<unknown> {
  const list = await events(s, workflowId);
  const last = list.at(-1);
  const { workflowExecutionInfo } = await s.call("DescribeWorkflowExecution", { execution: { workflowId } });
  const a = last?.attributes;
  const why =
    a?.case === "workflowExecutionTerminatedEventAttributes"
      ? `${a.value.reason} (${a.value.identity})`
      : a?.case === "workflowTaskFailedEventAttributes"
        ? `${WorkflowTaskFailedCause[a.value.cause]}: ${a.value.failure?.message ?? ""}`
        : undefined;
  return [WorkflowExecutionStatus[workflowExecutionInfo?.status ?? 0], typesOf(list).at(-1), ...(why === undefined ? [] : [why])];
}

/** Encoded Payloads of one payload with that many bytes of data. */
export function blob(size: number): Uint8Array {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
  const payload = Buffer.concat([Buffer.from([18, ...varint(size)]), Buffer.alloc(size, 120)]);
  return Buffer.concat([Buffer.from([10, ...varint(payload.length)]), payload]);
}

/** One such payload, as a map holds it. */
export function value(size: number): Uint8Array {
  const whole = blob(size);
  let at = 1;
  while (((whole[at] ?? 0) & 128) !== 0) at++;
  return whole.subarray(at + 1);
}
