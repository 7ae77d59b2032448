/** What the server tells of itself at /metrics, besides its requests: work done, caches, task queues. */

import type { HistoryEngine } from "../history/history-engine.js";
import type { MatchingEngine } from "../matching/matching-engine.js";
import type { TaskQueueLoad } from "../matching/queue-reports.js";
import type { Metric, Sample } from "../telemetry/metrics/metric.js";

const MICROS_PER_SECOND = 1_000_000;
/** The official server's word. */
const UNVERSIONED = "__unversioned__";
const TASK_TYPES: Readonly<Record<TaskQueueLoad["type"], string>> = { workflow: "Workflow", activity: "Activity" };

function one(name: string, type: Metric["type"], help: string, value: () => number): Metric {
  return { name, type, help, samples: () => [{ labels: {}, value: value() }] };
}

export interface Measured {
  readonly history: HistoryEngine;
  readonly matching: MatchingEngine;
  /** A namespace's name; its id when it has gone. */
  readonly nameOf: (namespaceId: string) => string;
  readonly nowMicros: () => number;
}

export function serverMetrics({ history, matching, nameOf, nowMicros }: Measured): readonly Metric[] {
  const queues = async (value: (q: TaskQueueLoad) => number): Promise<Sample[]> =>
    (await matching.loads()).map((q) => {
      const task_type = TASK_TYPES[q.type];
      return {
        labels: { namespace: nameOf(q.namespaceId), taskqueue: q.name, task_type, worker_version: q.version || UNVERSIONED },
        value: value(q),
      };
    });
  return [
    one("perdure_inputs_total", "counter", "Inputs applied to executions.", () => history.counters.inputs),
    one("perdure_commits_total", "counter", "Transactions of the engine, each with one fsync.", () => history.counters.commits),
    one("perdure_rows_total", "counter", "Rows written by them.", () => history.counters.rows),
    one("perdure_executions_cached", "gauge", "Workflow ids with an execution in memory.", () => history.cached.executions),
    one("perdure_executions_cached_bytes", "gauge", "Estimate of what they take.", () => history.cached.executionBytes),
    one("perdure_events_cached_bytes", "gauge", "History in memory.", () => history.cached.eventBytes),
    {
      name: "approximate_backlog_count",
      type: "gauge",
      help: "Tasks that wait for a poller, of task queues in memory.",
      samples: () => queues((q) => q.backlog),
    },
    {
      name: "approximate_backlog_age_seconds",
      type: "gauge",
      help: "How long the oldest of them waits.",
      samples: () => queues((q) => (q.oldest === undefined ? 0 : Math.max(0, nowMicros() - q.oldest) / MICROS_PER_SECOND)),
    },
    { name: "perdure_pollers", type: "gauge", help: "Polls that wait for a task.", samples: () => queues((q) => q.pollers) },
    ...history.completions.metrics(nameOf),
  ];
}
