/** The visibility row of a run and the queries over it. The row is written in the transaction that changes the state. */
import type { VisibilityFilter, VisibilityOrder } from "../core/visibility/query.js";

/** Value of a search attribute: Text, Keyword: string; Int: number; Double: number; Bool: boolean; Datetime: microseconds; KeywordList: string[]. */
export type AttributeValue = string | number | boolean | readonly string[];

export interface VisibilityRow {
  /** Key of the execution. */
  key: number;
  namespaceKey: number;
  workflowId: string;
  runId: string;
  workflowType: string;
  taskQueue: string;
  /** temporal.api.enums.v1.WorkflowExecutionStatus */
  status: number;
  /** Microseconds. */
  startTime: number;
  executionTime: number;
  /** 0 while open. */
  closeTime: number;
  historyLength: number;
  historySizeBytes: number;
  stateTransitionCount: number;
  parentWorkflowId: string;
  parentRunId: string;
  rootWorkflowId: string;
  rootRunId: string;
  /** Encoded temporal.api.common.v1.Memo; empty when none. */
  memo: Uint8Array;
  /** Encoded temporal.api.common.v1.SearchAttributes as given by the user, served as it is. */
  searchAttributes: Uint8Array;
  /** What the indexes hold: by attribute id (SearchAttributeDefinition.id, or a predefined one's negative id). */
  attributes: readonly { id: number; type: number; value: AttributeValue }[];
}

export interface VisibilityQuery {
  namespaceKey: number;
  /** Undefined matches all. */
  filter: VisibilityFilter | undefined;
  /** Empty: the default order, CloseTime DESC NULLS FIRST, StartTime DESC. */
  orderBy: readonly VisibilityOrder[];
}

export interface VisibilityPage {
  rows: VisibilityRow[];
  /** Opaque position after the last row; undefined when there is no more. */
  next: Uint8Array | undefined;
}

export interface VisibilityReader {
  /** Each page is a snapshot of its own, opened after the call. `after` is the `next` of the page before. */
  list(query: VisibilityQuery, pageSize: number, after: Uint8Array | undefined): Promise<VisibilityPage>;
  count(query: VisibilityQuery): Promise<number>;
  /** Groups by attributes (system column name or attribute id), greatest count first. */
  countGroups(query: VisibilityQuery, groupBy: readonly string[]): Promise<{ values: (AttributeValue | undefined)[]; count: number }[]>;
}
