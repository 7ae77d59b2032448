/** How many workflows have ended, and how, by namespace and type: `workflow_success` and its kin, as the official server names them. */
import { WorkflowExecutionStatus as Status } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Metric, Sample } from "../telemetry/metrics/metric.js";

const NAMES: Readonly<Partial<Record<Status, string>>> = {
  [Status.COMPLETED]: "workflow_success",
  [Status.FAILED]: "workflow_failed",
  [Status.CANCELED]: "workflow_cancel",
  [Status.TERMINATED]: "workflow_terminate",
  [Status.TIMED_OUT]: "workflow_timeout",
  [Status.CONTINUED_AS_NEW]: "workflow_continued_as_new",
};
/** Types of workflows come from callers: what is beyond this many is counted under one name. */
const SERIES_MAX = 2_000;
const OTHERS = "_other_";

interface Count {
  readonly namespaceId: string;
  readonly workflowType: string;
  readonly byStatus: Map<Status, number>;
}

export class CompletionTally {
  private readonly counts = new Map<string, Count>();

  note(ended: { readonly namespaceId: string; readonly workflowType: string; readonly status: Status }): void {
    const { byStatus } = this.of(ended.namespaceId, ended.workflowType);
    byStatus.set(ended.status, (byStatus.get(ended.status) ?? 0) + 1);
  }

  private of(namespaceId: string, workflowType: string): Count {
    const key = `${namespaceId}/${workflowType}`;
    const known = this.counts.get(key);
    if (known !== undefined) return known;
    if (this.counts.size >= SERIES_MAX && workflowType !== OTHERS) return this.of(namespaceId, OTHERS);
    const count: Count = { namespaceId, workflowType, byStatus: new Map() };
    this.counts.set(key, count);
    return count;
  }

  metrics(nameOf: (namespaceId: string) => string): readonly Metric[] {
    return Object.entries(NAMES).map(([status, name]) => ({
      name,
      help: `Workflows that ended as ${Status[Number(status)]}.`,
      type: "counter",
      samples: () => this.samples(Number(status), nameOf),
    }));
  }

  private *samples(status: Status, nameOf: (namespaceId: string) => string): Generator<Sample> {
    for (const { namespaceId, workflowType, byStatus } of this.counts.values()) {
      const value = byStatus.get(status);
      if (value !== undefined) yield { labels: { namespace: nameOf(namespaceId), workflowType }, value };
    }
  }
}
