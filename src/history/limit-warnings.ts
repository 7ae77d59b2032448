/**
 * What the log says of runs that grow large: once when a transition takes a run past a warn value, and with each attempt of a
 * workflow task from the critical one on. The official server says it with every transition past the value; its texts are kept.
 */
import type { ExecutionRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { Limits } from "../config/limits.js";
import type { RunState } from "../core/workflow/mutable-state.js";
import type { Logger } from "../lib/runtime.js";

/** `old`: of the run before the transition that has just been accepted. */
export function warnOfSizes(logger: Logger, limits: Limits, namespace: string, old: ExecutionRecord, oldStateBytes: number, state: RunState): void {
  const { info } = state;
  const passes = (was: number, is: number, limit: number) => is > limit && was <= limit;
  const warn = (fields: object, text: string) => logger.warn({ namespace, workflowId: info.workflowId, runId: info.runId, ...fields }, text);
  if (passes(old.historySizeBytes, info.historySizeBytes, limits.historySizeBytesWarn))
    warn({ key: "limit.historySize.warn", sizeBytes: info.historySizeBytes }, "history size exceeds warn limit.");
  if (passes(old.nextEventId - 1, info.nextEventId - 1, limits.historyEventsWarn))
    warn({ key: "limit.historyCount.warn", eventCount: info.nextEventId - 1 }, "history count exceeds warn limit.");
  if (passes(oldStateBytes, state.stateSizeBytes, limits.mutableStateSizeBytesWarn))
    warn({ key: "limit.mutableStateSize.warn", sizeBytes: state.stateSizeBytes }, "mutable state size exceeds warn limit.");
  const attempt = info.workflowTask?.attempt ?? 0;
  if (attempt >= limits.workflowTaskCriticalAttempts && attempt !== old.workflowTask?.attempt)
    warn({ key: "history.workflowTaskCriticalAttempt", attempt }, "Critical attempts processing workflow task");
}
