/** What a page of a list is made of in SQL: its columns, its parts, and the position behind its last row. */
import { invalidArgument } from "../../api/service-error.js";
import type { VisibilityRow } from "../../core/visibility/row.js";
import type { VisibilityQuery } from "../visibility.js";
import type { Statement } from "./choice.js";
import { parse } from "./visibility.js";
import type { Way } from "./visibility-plan.js";

export const FIELD_COUNT = 20;
export const FIELDS = `v.key, v.namespace, v.workflow_id, v.run_id, v.workflow_type, v.task_queue, v.status, v.start_time, v.execution_time, v.close_time,
  v.history_length, v.history_size, v.state_transition_count, v.parent_workflow_id, v.parent_run_id, v.root_workflow_id, v.root_run_id, v.memo, v.search_attributes, v.attributes`;

export interface Position {
  hash: string;
  /** Index of the part of the list that the last row came from. */
  part: number;
  values: (string | number | null)[];
  key: number;
}

/** A list is its parts, one after the other: rows of one order each. */
export type Part = (
  query: VisibilityQuery,
  index: number,
  position: Position | undefined,
  limit: number,
  by: { readonly way: Way | undefined; readonly table: string | undefined },
) => Statement;

export function token(p: Position): Uint8Array {
  return Buffer.from(JSON.stringify(p));
}

/** A position's values: close and start time, then those of the sort keys. */
export function parsePosition(bytes: Uint8Array, hash: string, keys: number, parts: number): Position {
  let p: Position | undefined;
  try {
    p = JSON.parse(Buffer.from(bytes).toString()) as Position;
  } catch {
    // Not a token of ours.
  }
  const isValue = (v: unknown): boolean => v === null || typeof v === "string" || typeof v === "number";
  if (
    p === undefined ||
    p === null ||
    typeof p.key !== "number" ||
    !Array.isArray(p.values) ||
    p.values.length !== keys + 2 ||
    !p.values.every(isValue) ||
    !(p.part >= 0 && p.part < parts)
  )
    throw invalidArgument("invalid page token");
  if (p.hash !== hash) throw invalidArgument("page token is of another query");
  return p;
}

export function toRow(r: unknown[]): VisibilityRow {
  const [
    key,
    namespaceKey,
    workflowId,
    runId,
    workflowType,
    taskQueue,
    status,
    startTime,
    executionTime,
    closeTime,
    historyLength,
    historySizeBytes,
    stateTransitionCount,
    parentWorkflowId,
    parentRunId,
    rootWorkflowId,
    rootRunId,
    memo,
    searchAttributes,
    attributes,
  ] = r as [
    number,
    number,
    string,
    string,
    string,
    string,
    number,
    number,
    number,
    number | null,
    number | null,
    number | null,
    number | null,
    string | null,
    string | null,
    string,
    string,
    Uint8Array | null,
    Uint8Array | null,
    string | null,
  ];
  return {
    key,
    namespaceKey,
    workflowId,
    runId,
    workflowType,
    taskQueue,
    status,
    startTime,
    executionTime,
    closeTime: closeTime ?? 0,
    historyLength: historyLength ?? 0,
    historySizeBytes: historySizeBytes ?? 0,
    stateTransitionCount: stateTransitionCount ?? 0,
    parentWorkflowId: parentWorkflowId ?? "",
    parentRunId: parentRunId ?? "",
    rootWorkflowId,
    rootRunId,
    memo: memo ?? new Uint8Array(0),
    searchAttributes: searchAttributes ?? new Uint8Array(0),
    attributes: parse(attributes),
  };
}
