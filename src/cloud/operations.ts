/**
 * Every change that was made through CloudService, by the id of its operation: what GetAsyncOperation and GetAuditLogs tell. Each is
 * written in the transaction of its change. The newest are kept.
 */
import { CloudOperationRecord } from "../../gen/wire/perdure/persistence/v1/cloud.js";
import type { LogRecord } from "../../gen/wire/temporal/api/cloud/auditlog/v1/message.js";
import { type AsyncOperation, AsyncOperation_State } from "../../gen/wire/temporal/api/cloud/operation/v1/message.js";
import { duration, MICROS_PER_SECOND, timestamp, timestampOf } from "../api/time.js";
import { decode, type Init } from "../api/wire.js";
import { OPERATION_REGISTRY_KIND } from "./draft.js";
import type { RegistryRow } from "./resource-table.js";

export const OPERATIONS_MAX = 10_000;
const CHECK_MICROS = MICROS_PER_SECOND;

export interface Operation {
  readonly id: string;
  readonly record: CloudOperationRecord;
}

export class Operations {
  /** Oldest first. */
  private readonly entries = new Map<string, Operation>();

  constructor(rows: Iterable<RegistryRow>) {
    const all: Operation[] = [];
    for (const { kind, id, value } of rows) if (kind === OPERATION_REGISTRY_KIND) all.push({ id, record: decode(CloudOperationRecord, value) });
    for (const o of all.sort(inOrder)) this.entries.set(o.id, o);
  }

  find(id: string): Operation | undefined {
    return this.entries.get(id);
  }

  /** Oldest first. */
  all(): Operation[] {
    return [...this.entries.values()];
  }

  set(operation: Operation): void {
    this.entries.set(operation.id, operation);
  }

  remove(ids: readonly string[]): void {
    for (const id of ids) this.entries.delete(id);
  }

  /** Those that one more makes too many. One that is not finished stays. */
  tooMany(): string[] {
    const out: string[] = [];
    let count = this.entries.size + 1;
    for (const { id, record } of this.entries.values()) {
      if (count <= OPERATIONS_MAX) break;
      if (record.finishedTime === 0) continue;
      out.push(id);
      count--;
    }
    return out;
  }
}

const inOrder = (a: Operation, b: Operation): number => a.record.startedTime - b.record.startedTime || (a.id < b.id ? -1 : 1);

export function asyncOperation({ id, record }: Operation): Init<AsyncOperation> {
  const isDone = record.finishedTime !== 0;
  return {
    id,
    state: isDone ? AsyncOperation_State.FULFILLED : AsyncOperation_State.IN_PROGRESS,
    checkDuration: isDone ? undefined : duration(CHECK_MICROS),
    operationType: record.type,
    operationInput: record.input,
    startedTime: timestampOf(record.startedTime),
    finishedTime: timestamp(record.finishedTime),
  };
}

/** The published names of principals have no hyphen. */
const principalType = (kind: string): string => (kind === "service-account" ? "serviceaccount" : kind);

export function logRecord({ id, record: r }: Operation): Init<LogRecord> {
  const fields = { resourceId: r.resourceId, namespace: r.namespace };
  const details = Object.entries(fields).filter(([, value]) => value !== "");
  return {
    emitTime: timestampOf(r.startedTime),
    operation: r.type,
    status: "OK",
    version: 1,
    logId: id,
    principal:
      r.principalKind === "" ? undefined : { type: principalType(r.principalKind), id: r.principalId, name: r.principalName, apiKeyId: r.apiKeyId },
    rawDetails: { fields: Object.fromEntries(details.map(([name, value]) => [name, { kind: { case: "stringValue", value } as const }])) },
    xForwardedFor: r.address,
    asyncOperationId: id,
  };
}
