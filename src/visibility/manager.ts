/** Lists and counts for the frontend: query text in, wire messages out. */
import { Memo, Payload, SearchAttributes } from "../../gen/wire/temporal/api/common/v1/message.js";
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { WorkflowExecutionStatus } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { WorkflowExecutionInfo } from "../../gen/wire/temporal/api/workflow/v1/message.js";
import type { CountWorkflowExecutionsResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration, timestamp } from "../api/time.js";
import { decode, encode, type Init } from "../api/wire.js";
import type { Limits } from "../config/limits.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { isReservedAttribute, PREDEFINED, SYSTEM, TYPE_NAME } from "../core/visibility/attributes.js";
import type { Field } from "../core/visibility/query.js";
import { type QueryScope, resolveQuery } from "../core/visibility/resolve.js";
import type { AttributeValue, VisibilityRow } from "../core/visibility/row.js";
import { checkSearchAttributeSizes, checkSearchAttributeValues, withRegisteredTypes } from "../core/visibility/search-attributes.js";
import type { VisibilityReader } from "../persistence/visibility.js";

export class VisibilityManager {
  constructor(
    private readonly reader: VisibilityReader,
    private readonly limits: (namespace: string) => Limits,
  ) {}

  /** @throws ServiceError when the query or the token is not valid. */
  async list(
    namespace: NamespaceView,
    query: string,
    pageSize: number,
    pageToken: Uint8Array,
  ): Promise<{ executions: Init<WorkflowExecutionInfo>[]; nextPageToken: Uint8Array }> {
    const q = resolveQuery(query, namespace);
    const max = this.limits(namespace.name).visibilityPageRowsMax;
    const size = pageSize <= 0 || pageSize > max ? max : pageSize;
    const page = await this.reader.list(
      { namespaceKey: namespace.key, filter: q.filter, orderBy: q.orderBy },
      size,
      pageToken.length === 0 ? undefined : pageToken,
    );
    return { executions: page.rows.map((r) => executionInfo(r, namespace)), nextPageToken: page.next ?? new Uint8Array(0) };
  }

  /** Rows of a division of the server's own. */
  async listDivision(
    namespace: NamespaceView,
    query: string,
    scope: QueryScope,
    pageSize: number,
    pageToken: Uint8Array,
  ): Promise<{ rows: VisibilityRow[]; nextPageToken: Uint8Array }> {
    const q = resolveQuery(query, namespace, scope);
    const max = this.limits(namespace.name).visibilityPageRowsMax;
    const size = pageSize <= 0 || pageSize > max ? max : pageSize;
    const of = { namespaceKey: namespace.key, filter: q.filter, orderBy: q.orderBy };
    const page = await this.reader.list(of, size, pageToken.length === 0 ? undefined : pageToken);
    return { rows: page.rows, nextPageToken: page.next ?? new Uint8Array(0) };
  }

  async count(namespace: NamespaceView, query: string, scope?: QueryScope): Promise<Init<CountWorkflowExecutionsResponse>> {
    const q = resolveQuery(query, namespace, scope);
    const of = { namespaceKey: namespace.key, filter: q.filter, orderBy: [] };
    if (q.groupBy.length === 0) return { count: await this.reader.count(of) };
    const groups = await this.reader.countGroups(
      of,
      q.groupBy.map((g) => g.field),
    );
    return {
      count: groups.reduce((n, g) => n + g.count, 0),
      groups: groups.map((g) => ({ groupValues: g.values.map((v, i) => groupValue(q.groupBy[i]?.field as Field, v)), count: g.count })),
    };
  }
}

function groupValue(field: Field, value: AttributeValue | undefined): Uint8Array {
  const isStatus = field.kind === "system" && field.column.column === "status";
  const type = field.kind === "system" ? field.column.type : field.type;
  // A missing Keyword is shown as the official server shows it.
  const shown = value === undefined ? (type === IndexedValueType.KEYWORD ? "" : null) : isStatus ? statusName(value as number) : value;
  return encode(Payload, {
    metadata: { encoding: Buffer.from("json/plain"), type: Buffer.from(TYPE_NAME[type] ?? "") },
    data: Buffer.from(JSON.stringify(shown)),
  });
}

function statusName(status: number): string {
  return (WorkflowExecutionStatus[status] ?? "")
    .split("_")
    .map((w) => w.charAt(0) + w.slice(1).toLowerCase())
    .join("");
}

/** What a list shows of a run. */
export function executionInfo(r: VisibilityRow, namespace: NamespaceView): Init<WorkflowExecutionInfo> {
  const isClosed = r.closeTime !== 0;
  return {
    execution: { workflowId: r.workflowId, runId: r.runId },
    type: { name: r.workflowType },
    startTime: timestamp(r.startTime),
    closeTime: timestamp(r.closeTime),
    status: r.status,
    historyLength: r.historyLength,
    executionTime: timestamp(r.executionTime),
    memo: r.memo.length === 0 ? {} : decode(Memo, r.memo),
    searchAttributes: r.searchAttributes.length === 0 ? {} : withRegisteredTypes(decode(SearchAttributes, r.searchAttributes), namespace),
    taskQueue: r.taskQueue,
    stateTransitionCount: r.stateTransitionCount,
    historySizeBytes: r.historySizeBytes,
    executionDuration: isClosed ? duration(r.closeTime - r.executionTime) : undefined,
    parentExecution: r.parentWorkflowId === "" ? undefined : { workflowId: r.parentWorkflowId, runId: r.parentRunId },
    rootExecution: { workflowId: r.rootWorkflowId, runId: r.rootRunId },
  };
}

/** The rules for search attributes on requests, in the frontend's terms. */
export function searchAttributeRules(limits: (namespace: string) => Limits): {
  validate(attributes: SearchAttributes, namespace: NamespaceView): void;
  isReserved(name: string): boolean;
  readonly predefined: ReadonlyMap<string, number>;
} {
  return {
    validate(attributes, namespace) {
      checkSearchAttributeValues(attributes, namespace, limits(namespace.name));
      checkSearchAttributeSizes(attributes, namespace, limits(namespace.name));
    },
    isReserved: isReservedAttribute,
    predefined: new Map<string, number>([
      ...[...SYSTEM.values()].map((c) => [c.name, c.type] as const),
      ...[...PREDEFINED].map(([name, a]) => [name, a.type] as const),
    ]),
  };
}
