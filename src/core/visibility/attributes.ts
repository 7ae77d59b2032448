/** The attributes that every namespace has: names and types of the official server (common/searchattribute/sadefs). */
import { IndexedValueType as Type } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { NamespaceView, SearchAttributeType } from "../namespace-view.js";
import type { VisibilityRow } from "./row.js";

export interface SystemColumn {
  readonly name: string;
  /** temporal.api.enums.v1.IndexedValueType */
  readonly type: number;
  readonly column: keyof VisibilityRow | "executionDuration";
  /** Only closed runs have it. */
  readonly nullWhenOpen?: boolean;
  readonly emptyIsNull?: boolean;
  /** Values that it cannot have are asked for in vain; else they are refused. */
  readonly takesAny?: boolean;
}

const COLUMNS: readonly SystemColumn[] = [
  { name: "WorkflowId", type: Type.KEYWORD, column: "workflowId" },
  { name: "RunId", type: Type.KEYWORD, column: "runId" },
  { name: "WorkflowType", type: Type.KEYWORD, column: "workflowType" },
  { name: "StartTime", type: Type.DATETIME, column: "startTime" },
  { name: "ExecutionTime", type: Type.DATETIME, column: "executionTime" },
  { name: "CloseTime", type: Type.DATETIME, column: "closeTime", nullWhenOpen: true },
  { name: "ExecutionStatus", type: Type.KEYWORD, column: "status" },
  { name: "TaskQueue", type: Type.KEYWORD, column: "taskQueue" },
  { name: "HistoryLength", type: Type.INT, column: "historyLength", nullWhenOpen: true },
  { name: "ExecutionDuration", type: Type.INT, column: "executionDuration", nullWhenOpen: true },
  { name: "StateTransitionCount", type: Type.INT, column: "stateTransitionCount", nullWhenOpen: true },
  { name: "HistorySizeBytes", type: Type.INT, column: "historySizeBytes", nullWhenOpen: true },
  { name: "ParentWorkflowId", type: Type.KEYWORD, column: "parentWorkflowId", emptyIsNull: true },
  { name: "ParentRunId", type: Type.KEYWORD, column: "parentRunId", emptyIsNull: true },
  { name: "RootWorkflowId", type: Type.KEYWORD, column: "rootWorkflowId" },
  { name: "RootRunId", type: Type.KEYWORD, column: "rootRunId" },
];

export const SYSTEM: ReadonlyMap<string, SystemColumn> = new Map(COLUMNS.map((c) => [c.name, c]));

/** Ids are stored: never reuse or change one. `settable`: users and SDKs may set it; the others only the server. */
const PREDEFINED_ROWS: readonly (readonly [name: string, id: number, type: number, settable: boolean])[] = [
  ["TemporalNamespaceDivision", -1, Type.KEYWORD, true],
  ["TemporalChangeVersion", -2, Type.KEYWORD_LIST, true],
  ["BinaryChecksums", -3, Type.KEYWORD_LIST, true],
  ["BuildIds", -4, Type.KEYWORD_LIST, true],
  ["BatcherNamespace", -5, Type.KEYWORD, true],
  ["BatcherUser", -6, Type.KEYWORD, true],
  ["TemporalScheduledStartTime", -7, Type.DATETIME, true],
  ["TemporalScheduledById", -8, Type.KEYWORD, true],
  ["TemporalSchedulePaused", -9, Type.BOOL, true],
  ["TemporalPauseInfo", -10, Type.KEYWORD_LIST, true],
  ["TemporalReportedProblems", -11, Type.KEYWORD_LIST, true],
  ["TemporalWorkerDeploymentVersion", -12, Type.KEYWORD, false],
  ["TemporalWorkflowVersioningBehavior", -13, Type.KEYWORD, false],
  ["TemporalWorkerDeployment", -14, Type.KEYWORD, false],
  ["TemporalUsedWorkerDeploymentVersions", -15, Type.KEYWORD_LIST, false],
  ["TemporalExternalPayloadCount", -16, Type.INT, false],
  ["TemporalExternalPayloadSizeBytes", -17, Type.INT, false],
];

/** Rows that have it (schedules, batch jobs) are hidden from queries that do not name it. */
export const DIVISION = "TemporalNamespaceDivision";

export const PREDEFINED: ReadonlyMap<string, SearchAttributeType> = new Map(PREDEFINED_ROWS.map(([name, id, type]) => [name, { id, type }]));
const SETTABLE: ReadonlySet<string> = new Set(PREDEFINED_ROWS.filter((p) => p[3]).map((p) => p[0]));

/** The division of visibility that standalone activities are in: the official server's number of the archetype. */
export const ACTIVITY_DIVISION = "3332429922";
/** Their names for columns. */
export const ACTIVITY_COLUMNS: ReadonlyMap<string, SystemColumn> = new Map(
  COLUMNS.flatMap((c): [string, SystemColumn][] =>
    c.name === "WorkflowId"
      ? [["ActivityId", c]]
      : c.name === "WorkflowType"
        ? [["ActivityType", c]]
        : c.name === "ExecutionStatus"
          ? [[c.name, { ...c, takesAny: true }]]
          : [],
  ),
);

/** What schedules are listed by besides, in queries of their own only. */
export const SCHEDULE_ATTRIBUTES: ReadonlyMap<string, SearchAttributeType> = new Map([
  ["ScheduleNextActionTime", { id: -40, type: Type.DATETIME }],
  ["ScheduleIdleCloseTime", { id: -41, type: Type.DATETIME }],
  ["ScheduleRunningWorkflowCount", { id: -42, type: Type.INT }],
  ["ScheduleBufferedStartsCount", { id: -43, type: Type.INT }],
]);

/** What standalone Nexus operations are listed by besides, in queries of their own only. */
export const NEXUS_OPERATION_ATTRIBUTES: ReadonlyMap<string, SearchAttributeType> = new Map([
  ["Endpoint", { id: -50, type: Type.KEYWORD }],
  ["Service", { id: -51, type: Type.KEYWORD }],
  ["Operation", { id: -52, type: Type.KEYWORD }],
  ["RequestId", { id: -53, type: Type.KEYWORD }],
]);

/** Their name for a column. */
export const NEXUS_OPERATION_COLUMNS: ReadonlyMap<string, SystemColumn> = new Map(
  COLUMNS.flatMap((c): [string, SystemColumn][] => (c.name === "WorkflowId" ? [["OperationId", c]] : [])),
);

/** Names of fields of the official stores, which no attribute may take. */
const RESERVED: ReadonlySet<string> = new Set(["NamespaceId", "MemoEncoding", "Memo", "VisibilityTaskKey"]);

export const RESERVED_PREFIX = "Temporal";

export const isSystemAttribute = (name: string): boolean => SYSTEM.has(name);
export const isSettable = (name: string): boolean => !PREDEFINED.has(name) || SETTABLE.has(name);

export function isReservedAttribute(name: string): boolean {
  return SYSTEM.has(name) || PREDEFINED.has(name) || RESERVED.has(name) || name.startsWith(RESERVED_PREFIX);
}

/** What an attribute that is set on a workflow refers to: never a system attribute. */
export function attributeOf(name: string, namespace: NamespaceView): SearchAttributeType | undefined {
  return PREDEFINED.get(name) ?? (SYSTEM.has(name) ? undefined : namespace.searchAttributes.get(name));
}

export const TYPE_NAME: Readonly<Record<number, string>> = {
  [Type.TEXT]: "Text",
  [Type.KEYWORD]: "Keyword",
  [Type.INT]: "Int",
  [Type.DOUBLE]: "Double",
  [Type.BOOL]: "Bool",
  [Type.DATETIME]: "Datetime",
  [Type.KEYWORD_LIST]: "KeywordList",
};

export const typeName = (type: number): string => TYPE_NAME[type] ?? "Unspecified";
