/** Lists and counts. ListOpen and ListClosed are queries too: they are written as one, as the official server does. */

import type { Timestamp } from "../../../gen/wire/google/protobuf/timestamp.js";
import { ArchivalState } from "../../../gen/wire/temporal/api/enums/v1/namespace.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { StartTimeFilter } from "../../../gen/wire/temporal/api/filter/v1/message.js";
import type {
  CountWorkflowExecutionsRequest,
  CountWorkflowExecutionsResponse,
  GetSearchAttributesRequest,
  GetSearchAttributesResponse,
  ListArchivedWorkflowExecutionsRequest,
  ListArchivedWorkflowExecutionsResponse,
  ListClosedWorkflowExecutionsRequest,
  ListClosedWorkflowExecutionsResponse,
  ListOpenWorkflowExecutionsRequest,
  ListOpenWorkflowExecutionsResponse,
  ListWorkflowExecutionsRequest,
  ListWorkflowExecutionsResponse,
  ScanWorkflowExecutionsRequest,
  ScanWorkflowExecutionsResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Services, VisibilityPage } from "../services.js";

/** Names of the closed states in a query. */
const STATUS_NAMES: Readonly<Record<number, string>> = {
  [WorkflowExecutionStatus.COMPLETED]: "Completed",
  [WorkflowExecutionStatus.FAILED]: "Failed",
  [WorkflowExecutionStatus.CANCELED]: "Canceled",
  [WorkflowExecutionStatus.TERMINATED]: "Terminated",
  [WorkflowExecutionStatus.CONTINUED_AS_NEW]: "ContinuedAsNew",
  [WorkflowExecutionStatus.TIMED_OUT]: "TimedOut",
  [WorkflowExecutionStatus.PAUSED]: "Paused",
};

function list(s: Services, namespace: string, query: string, pageSize: number, pageToken: Uint8Array): Promise<VisibilityPage> {
  const max = s.limits(namespace).visibilityPageSizeMax;
  const size = pageSize <= 0 || pageSize > max ? max : pageSize;
  return s.visibility.list(s.namespaces.view(namespace), query, size, pageToken);
}

export const listWorkflowExecutions =
  (s: Services): Handler<ListWorkflowExecutionsRequest, ListWorkflowExecutionsResponse> =>
  (r) =>
    list(s, r.namespace, r.query, r.pageSize, r.nextPageToken);

export const scanWorkflowExecutions =
  (s: Services): Handler<ScanWorkflowExecutionsRequest, ScanWorkflowExecutionsResponse> =>
  (r) =>
    list(s, r.namespace, r.query, r.pageSize, r.nextPageToken);

export const countWorkflowExecutions =
  (s: Services): Handler<CountWorkflowExecutionsRequest, CountWorkflowExecutionsResponse> =>
  (r) =>
    s.visibility.count(s.namespaces.view(r.namespace), r.query);

export const listOpenWorkflowExecutions =
  (s: Services): Handler<ListOpenWorkflowExecutionsRequest, ListOpenWorkflowExecutionsResponse> =>
  (r) => {
    s.namespaces.view(r.namespace);
    const clauses = ["ExecutionStatus = 'Running'", ...timeClause("StartTime", r.startTimeFilter), ...filterClause(r.filters)];
    return list(s, r.namespace, clauses.join(" AND "), r.maximumPageSize, r.nextPageToken);
  };

export const listClosedWorkflowExecutions =
  (s: Services): Handler<ListClosedWorkflowExecutionsRequest, ListClosedWorkflowExecutionsResponse> =>
  (r) => {
    s.namespaces.view(r.namespace);
    const clauses = ["ExecutionStatus != 'Running'", ...timeClause("CloseTime", r.startTimeFilter), ...filterClause(r.filters)];
    return list(s, r.namespace, clauses.join(" AND "), r.maximumPageSize, r.nextPageToken);
  };

export const listArchivedWorkflowExecutions =
  (s: Services): Handler<ListArchivedWorkflowExecutionsRequest, ListArchivedWorkflowExecutionsResponse> =>
  (r) => {
    const max = s.limits(r.namespace).archivedPageSizeMax;
    if (r.pageSize > max) throw invalidArgument(`PageSize is larger than allowed ${max}.`);
    const { isConfigured, isReadEnabled } = s.archival.visibility;
    if (!isConfigured) throw invalidArgument("Cluster is not configured for visibility archival.");
    if (!isReadEnabled) throw invalidArgument("Cluster is not configured for reading archived visibility records.");
    const entry = s.namespaces.entry(r.namespace);
    if (entry.record.config?.visibilityArchivalState !== ArchivalState.ENABLED)
      throw invalidArgument("Namespace is not configured for visibility archival.");
    return s.archival.list(entry, r.query, r.pageSize <= 0 ? max : r.pageSize, r.nextPageToken);
  };

/** Every attribute that some query may name: the predefined ones and the custom ones of all namespaces. */
export const getSearchAttributes =
  (s: Services): Handler<GetSearchAttributesRequest, GetSearchAttributesResponse> =>
  () => {
    const keys: Record<string, number> = Object.fromEntries(s.searchAttributes.predefined);
    for (const { view } of s.namespaces.directory.entries()) for (const [name, { type }] of view.searchAttributes) keys[name] = type;
    return { keys };
  };

/** Seconds of the years 1 and 9999: what a query can say, and what Go takes for "no time". */
const SECONDS_MIN = -62_135_596_800;
const SECONDS_MAX = 253_402_300_799;

const isSet = (t: Timestamp | undefined): t is Timestamp => t !== undefined && (t.seconds !== SECONDS_MIN || t.nanos !== 0);

function timeClause(attribute: string, filter: StartTimeFilter | undefined): string[] {
  const from = filter?.earliestTime;
  const to = filter?.latestTime;
  if (isSet(from) && isSet(to)) {
    if (from.seconds > to.seconds || (from.seconds === to.seconds && from.nanos > to.nanos))
      throw invalidArgument("EarliestTime in StartTimeFilter should not be larger than LatestTime.");
    return [`${attribute} BETWEEN '${rfc3339(from)}' AND '${rfc3339(to)}'`];
  }
  if (isSet(from)) return [`${attribute} >= '${rfc3339(from)}'`];
  return isSet(to) ? [`${attribute} <= '${rfc3339(to)}'`] : [];
}

function filterClause(filters: ListClosedWorkflowExecutionsRequest["filters"]): string[] {
  switch (filters.case) {
    case "executionFilter":
      return [`WorkflowId = ${quoted(filters.value.workflowId)}`];
    case "typeFilter":
      return [`WorkflowType = ${quoted(filters.value.name)}`];
    case "statusFilter": {
      const status = STATUS_NAMES[filters.value.status];
      if (status === undefined) throw invalidArgument("StatusFilter must be specified and must be not Running.");
      return [`ExecutionStatus = '${status}'`];
    }
    default:
      return [];
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** With nanoseconds, as far as there are any. */
function rfc3339({ seconds, nanos }: Timestamp): string {
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  const within = Math.min(Math.max(seconds, SECONDS_MIN), SECONDS_MAX);
  return `${new Date(within * 1000).toISOString().slice(0, 19)}${fraction}Z`;
}
