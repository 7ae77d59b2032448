/**
 * A run's entry in the archive of lists: temporal.server.api.archiver.v1.VisibilityRecord in its JSON form, written and read by
 * hand, so that no descriptors are needed for it.
 */
import { Memo, Payload, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { IndexedValueType } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { WorkflowExecutionInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { duration, MICROS_PER_SECOND, timestamp } from "../../api/time.js";
import { decode, encode, type Init } from "../../api/wire.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import { attributeOf, TYPE_NAME } from "../../core/visibility/attributes.js";
import { parseTime } from "../../core/visibility/time.js";

/** Times and durations are microseconds. */
export interface VisibilityRecord {
  readonly namespaceId: string;
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowTypeName: string;
  readonly startTime: number;
  readonly executionTime: number;
  readonly closeTime: number;
  readonly executionDuration: number;
  readonly status: number;
  readonly historyLength: number;
  readonly memo: Readonly<Record<string, Uint8Array>>;
  /** Values as text. */
  readonly searchAttributes: Readonly<Record<string, string>>;
  readonly historyArchivalUri: string;
}

const STATUS_PREFIX = "WORKFLOW_EXECUTION_STATUS_";

/** RFC 3339 with as many digits as the time has: none, three or six. */
function rfc3339(micros: number): string {
  const seconds = Math.floor(micros / MICROS_PER_SECOND);
  const rest = micros - seconds * MICROS_PER_SECOND;
  const digits = rest === 0 ? "" : rest % 1000 === 0 ? `.${String(rest / 1000).padStart(3, "0")}` : `.${String(rest).padStart(6, "0")}`;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${digits}Z`;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

export function recordToJson(r: VisibilityRecord): string {
  const memo = Object.entries(r.memo).map(([name, payload]) => {
    const { metadata, data } = decode(Payload, payload);
    return [name, { metadata: Object.fromEntries(Object.entries(metadata).map(([k, v]) => [k, base64(v)])), data: base64(data) }] as const;
  });
  const all: Record<string, unknown> = {
    namespaceId: r.namespaceId,
    namespace: r.namespace,
    workflowId: r.workflowId,
    runId: r.runId,
    workflowTypeName: r.workflowTypeName,
    startTime: rfc3339(r.startTime),
    executionTime: rfc3339(r.executionTime),
    closeTime: rfc3339(r.closeTime),
    status: `${STATUS_PREFIX}${WorkflowExecutionStatus[r.status] ?? "UNSPECIFIED"}`,
    historyLength: String(r.historyLength),
    ...(memo.length === 0 ? {} : { memo: { fields: Object.fromEntries(memo) } }),
    ...(Object.keys(r.searchAttributes).length === 0 ? {} : { searchAttributes: r.searchAttributes }),
    ...(r.historyArchivalUri === "" ? {} : { historyArchivalUri: r.historyArchivalUri }),
    executionDuration: `${r.executionDuration / MICROS_PER_SECOND}s`,
  };
  return JSON.stringify(all);
}

interface JsonPayload {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

interface JsonRecord {
  readonly namespaceId?: string;
  readonly namespace?: string;
  readonly workflowId?: string;
  readonly runId?: string;
  readonly workflowTypeName?: string;
  readonly startTime?: string;
  readonly executionTime?: string;
  readonly closeTime?: string;
  readonly executionDuration?: string;
  readonly status?: string | number;
  readonly historyLength?: string | number;
  readonly memo?: { readonly fields?: Readonly<Record<string, JsonPayload>> };
  readonly searchAttributes?: Readonly<Record<string, string>>;
  readonly historyArchivalUri?: string;
}

/** @throws SyntaxError when it is no JSON. */
export function recordFromJson(text: string): VisibilityRecord {
  const j = JSON.parse(text) as JsonRecord;
  const memo = Object.entries(j.memo?.fields ?? {}).map(([name, p]) => {
    const metadata = Object.fromEntries(Object.entries(p.metadata ?? {}).map(([k, v]) => [k, Buffer.from(v, "base64")]));
    return [name, encode(Payload, { metadata, data: Buffer.from(p.data ?? "", "base64") })] as const;
  });
  const seconds = Number(/^(-?[\d.]+)s$/.exec(j.executionDuration ?? "")?.[1] ?? 0);
  return {
    namespaceId: j.namespaceId ?? "",
    namespace: j.namespace ?? "",
    workflowId: j.workflowId ?? "",
    runId: j.runId ?? "",
    workflowTypeName: j.workflowTypeName ?? "",
    startTime: parseTime(j.startTime ?? "") ?? 0,
    executionTime: parseTime(j.executionTime ?? "") ?? 0,
    closeTime: parseTime(j.closeTime ?? "") ?? 0,
    executionDuration: Math.round(seconds * MICROS_PER_SECOND),
    status: statusOf(j.status ?? 0),
    historyLength: Number(j.historyLength ?? 0),
    memo: Object.fromEntries(memo),
    searchAttributes: j.searchAttributes ?? {},
    historyArchivalUri: j.historyArchivalUri ?? "",
  };
}

/** Of its name, in today's form or the one that older servers wrote ("ContinuedAsNew"); 0 for none. */
export function statusOf(name: string | number): number {
  if (typeof name === "number") return name;
  const plain = name.replace(STATUS_PREFIX, "").replaceAll("_", "").toLowerCase();
  for (const [known, value] of Object.entries(WorkflowExecutionStatus))
    if (typeof value === "number" && known.replaceAll("_", "").toLowerCase() === plain) return value;
  return 0;
}

/** What a list shows of an archived run. */
export function archivedInfo(r: VisibilityRecord, namespace: NamespaceView): Init<WorkflowExecutionInfo> {
  const fields = Object.entries(r.searchAttributes).map(([name, text]) => [name, payloadOf(text, attributeOf(name, namespace)?.type)] as const);
  return {
    execution: { workflowId: r.workflowId, runId: r.runId },
    type: { name: r.workflowTypeName },
    startTime: timestamp(r.startTime),
    executionTime: timestamp(r.executionTime === 0 ? r.startTime : r.executionTime),
    closeTime: timestamp(r.closeTime),
    executionDuration: duration(r.executionDuration),
    status: r.status,
    historyLength: r.historyLength,
    ...(Object.keys(r.memo).length === 0 ? {} : { memo: { fields: r.memo } }),
    ...(fields.length === 0 ? {} : { searchAttributes: { indexedFields: Object.fromEntries(fields) } }),
  };
}

const AS_IT_IS: ReadonlySet<number | undefined> = new Set([IndexedValueType.INT, IndexedValueType.DOUBLE, IndexedValueType.BOOL]);

function payloadOf(text: string, type: number | undefined): Buffer {
  const isList = text.startsWith("[") && text.endsWith("]");
  const isBare = type === undefined && /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false)$/.test(text);
  const data = isList || isBare || AS_IT_IS.has(type) ? text : JSON.stringify(text);
  const metadata: Record<string, Uint8Array> = { encoding: Buffer.from("json/plain") };
  const name = type === undefined ? undefined : TYPE_NAME[type];
  if (name !== undefined) metadata.type = Buffer.from(name);
  return encode(Payload, { metadata, data: Buffer.from(data) });
}

/** Search attributes as the archive keeps them. */
export function attributesAsText(attributes: Init<SearchAttributes> | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  const whole = decode(SearchAttributes, encode(SearchAttributes, attributes ?? {}));
  for (const [name, payload] of Object.entries(whole.indexedFields)) {
    const text = Buffer.from(decode(Payload, payload).data).toString();
    let value: unknown = text;
    try {
      value = JSON.parse(text);
    } catch {
      // Kept as it is.
    }
    if (value === null) continue;
    // A number is taken from its digits, which may be more than a JavaScript number has.
    out[name] = typeof value === "string" ? value : text.trim();
  }
  return out;
}

export function memoFields(memo: Init<Memo> | undefined): Record<string, Uint8Array> {
  return decode(Memo, encode(Memo, memo ?? {})).fields;
}
