/** A visibility filter as SQL over table `visibility v`, and the sets of keys that the indexes give for its conditions. */
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { SystemColumn } from "../../core/visibility/attributes.js";
import { isNegatedSearch } from "../../core/visibility/evaluate.js";
import type { Field, Scalar, VisibilityFilter } from "../../core/visibility/query.js";
import type { VisibilityQuery } from "../visibility.js";
import { DIVISION_ID, tableOf } from "./visibility.js";

export type SortColumn = SystemColumn["column"];

export const COLUMN: Readonly<Record<SortColumn, string>> = {
  key: "v.key",
  namespaceKey: "v.namespace",
  workflowId: "v.workflow_id",
  runId: "v.run_id",
  workflowType: "v.workflow_type",
  taskQueue: "v.task_queue",
  status: "v.status",
  startTime: "v.start_time",
  executionTime: "v.execution_time",
  closeTime: "v.close_time",
  historyLength: "v.history_length",
  historySizeBytes: "v.history_size",
  stateTransitionCount: "v.state_transition_count",
  parentWorkflowId: "v.parent_workflow_id",
  parentRunId: "v.parent_run_id",
  rootWorkflowId: "v.root_workflow_id",
  rootRunId: "v.root_run_id",
  executionDuration: "(v.close_time - v.execution_time)",
  memo: "v.memo",
  searchAttributes: "v.search_attributes",
  attributes: "v.attributes",
};

/** SQL of a filter, with its parameters pushed in order. */
export class Compiler {
  readonly params: unknown[] = [];

  /** `perRow`: an attribute's value is looked up for each row, by the whole key of its index, instead of making a set of all that have it. */
  constructor(
    private readonly namespace: number,
    private readonly perRow = false,
  ) {}

  private value(v: Scalar): string {
    this.params.push(typeof v === "boolean" ? Number(v) : v);
    return "?";
  }

  where(query: VisibilityQuery): string {
    this.params.push(query.namespaceKey);
    return query.filter === undefined ? "v.namespace = ?" : `v.namespace = ? AND ${this.filter(query.filter)}`;
  }

  /** The same for a count, which reads an index of its own: by status, then type. */
  whereCounted(query: VisibilityQuery): string {
    const conditions = conjuncts(query.filter);
    const isOn = (column: string): boolean => conditions.some((f) => isPositive(f) && f.field.kind === "system" && f.field.column.column === column);
    return `${isOn("workflowType") && !isOn("status") ? `${ANY_STATUS} AND ` : ""}${this.where(query)}`;
  }

  filter(f: VisibilityFilter): string {
    switch (f.op) {
      case "never":
        return "0";
      case "and":
      case "or":
        return this.combine(f.op.toUpperCase(), f.args);
      case "isNull":
        if (f.field.kind === "system") return `${COLUMN[f.field.column.column]} IS ${f.negated ? "NOT " : ""}NULL`;
        if (f.field.id === DIVISION_ID) return `v.division IS ${f.negated ? "NOT " : ""}NULL`;
        return `v.key ${f.negated ? "" : "NOT "}IN ${this.keys(f.field)}`;
      default:
        return f.field.kind === "system" ? this.onColumn(f, COLUMN[f.field.column.column]) : this.onAttribute(f, f.field);
    }
  }

  /** As a balanced tree: SQLite refuses expressions deeper than 1,000. */
  private combine(operator: string, filters: readonly VisibilityFilter[]): string {
    if (filters.length === 1) return this.filter(filters[0] as VisibilityFilter);
    const half = filters.length >> 1;
    return `(${this.combine(operator, filters.slice(0, half))} ${operator} ${this.combine(operator, filters.slice(half))})`;
  }

  onColumn(f: Condition, column: string): string {
    switch (f.op) {
      case "compare":
        return `${column} ${f.comparison} ${this.value(f.value)}`;
      case "in":
        return `${column} ${f.negated ? "NOT " : ""}IN (${f.values.map((v) => this.value(v)).join(", ")})`;
      case "between":
        return `${column} ${f.negated ? "NOT " : ""}BETWEEN ${this.value(f.low)} AND ${this.value(f.high)}`;
      case "startsWith": {
        const range = this.prefix(column, f.prefix);
        return f.negated ? `(${column} IS NOT NULL AND NOT ${range})` : range;
      }
      case "match":
        return "0";
    }
  }

  /** A range, so that an index serves it. */
  private prefix(column: string, prefix: string): string {
    if (prefix === "") return `${column} IS NOT NULL`;
    return `(${column} >= ${this.value(prefix)} AND ${column} < ${this.value(`${prefix}\u{10ffff}`)})`;
  }

  /** Keys of the rows that have the attribute, with a value that meets the condition. A set is made once; a lookup by key has no index. */
  private keys(field: Attribute, condition?: () => string): string {
    this.params.push(this.namespace, field.id);
    const where = condition === undefined ? "" : ` AND ${condition()}`;
    return `(SELECT a.key FROM ${tableOf(field.type)} a WHERE a.namespace = ? AND a.attribute = ?${where})`;
  }

  /** Keys of the rows that meet a condition on an attribute which is not negated. */
  keysOf(f: Condition, field: Attribute): string {
    return `SELECT DISTINCT a.key FROM ${tableOf(field.type)} a WHERE a.namespace = ${this.value(this.namespace)} AND a.attribute = ${this.value(field.id)} AND ${this.onValue(f)}`;
  }

  private onValue(f: Condition): string {
    switch (f.op) {
      case "compare":
        return `a.value ${f.comparison} ${this.value(f.value)}`;
      case "in":
        return `a.value IN (${f.values.map((v) => this.value(v)).join(", ")})`;
      case "between":
        return `a.value BETWEEN ${this.value(f.low)} AND ${this.value(f.high)}`;
      case "startsWith":
        return this.prefix("a.value", f.prefix);
      case "match":
        return `a.value IN (${f.tokens.map((t) => this.value(t)).join(", ")})`;
    }
  }

  private onAttribute(f: Condition, field: Attribute): string {
    const keys = (condition: () => string): string => this.keys(field, condition);
    const negated = (inside: () => string): string => {
      if (isNegatedSearch(f, field.type)) return `v.key NOT IN ${this.keys(field, inside)}`;
      return `v.key IN ${this.keys(field, () => `NOT (${inside()})`)}`;
    };
    if (f.op === "compare" && f.comparison === "!=") return negated(() => `a.value = ${this.value(f.value)}`);
    if (f.op !== "compare" && f.negated) return negated(() => this.onValue(f));
    if (this.perRow && ((f.op === "compare" && f.comparison === "=") || f.op === "in")) {
      this.params.push(this.namespace, field.id);
      return `EXISTS (SELECT 1 FROM ${tableOf(field.type)} a WHERE a.namespace = ? AND a.attribute = ? AND ${this.onValue(f)} AND a.close_time = ifnull(v.close_time, 0) AND a.start_time = v.start_time AND a.key = v.key)`;
    }
    return `v.key IN ${keys(() => this.onValue(f))}`;
  }
}

/** A condition on one field. */
export type Condition = Exclude<VisibilityFilter, { op: "and" | "or" | "never" | "isNull" }>;
export type Attribute = Extract<Field, { kind: "attribute" }>;

/** What all must hold. */
export function conjuncts(filter: VisibilityFilter | undefined): readonly VisibilityFilter[] {
  if (filter === undefined) return [];
  return filter.op === "and" ? filter.args.flatMap(conjuncts) : [filter];
}

/** Whether an index can give the rows that meet it: a value or a range. */
export function isPositive(f: VisibilityFilter): f is Condition {
  if (f.op === "compare") return f.comparison !== "!=";
  if (f.op === "startsWith") return !f.negated && f.prefix !== "";
  return (f.op === "in" || f.op === "between" || f.op === "match") && !f.negated;
}

const STATUSES = Object.values(WorkflowExecutionStatus).filter((s): s is WorkflowExecutionStatus => typeof s === "number");
/** Says nothing, but leads to the index whose first column is the status. */
export const ANY_STATUS = `v.status IN (${STATUSES.join(", ")})`;

const OPEN_STATUSES: ReadonlySet<Scalar> = new Set([WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.PAUSED]);

/** Whether only open runs can match: then the closed ones, which are many, need not be read. */
export function onlyOpen(filter: VisibilityFilter | undefined): boolean {
  if (filter?.op === "and") return filter.args.some(onlyOpen);
  if (filter?.op !== "compare" && filter?.op !== "in") return false;
  if (filter.field.kind !== "system" || filter.field.column.column !== "status") return false;
  return filter.op === "compare"
    ? filter.comparison === "=" && OPEN_STATUSES.has(filter.value)
    : !filter.negated && filter.values.every((v) => OPEN_STATUSES.has(v));
}

/** Whether only closed runs can match: then the open ones need not be passed over. */
export function onlyClosed(filter: VisibilityFilter | undefined): boolean {
  return conjuncts(filter).some((f) => {
    if (!isPositive(f) || f.field.kind !== "system") return false;
    const { column } = f.field.column;
    // Open runs have no such value, and no comparison holds for what is not there.
    if (column === "closeTime" || column === "historyLength" || column === "executionDuration") return true;
    if (column !== "status") return false;
    if (f.op === "compare") return f.comparison === "=" && !OPEN_STATUSES.has(f.value);
    return f.op === "in" && !f.values.some((v) => OPEN_STATUSES.has(v));
  });
}
