/** The visibility row of a run: what lists, counts and scans see. */

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
