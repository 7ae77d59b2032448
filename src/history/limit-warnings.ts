/**
 * What the log says of runs that grow large: once when a transition takes a run past a warn value, and when a run has to end
 * because it passed an error value. The official server says it with every transition past the value; its texts are kept.
 */
import type { Limits } from "../config/limits.js";
import type { RunDraft } from "../core/workflow/mutable-state.js";
import type { Logger } from "../lib/runtime.js";

export interface RunSizes {
  readonly events: number;
  readonly historyBytes: number;
  readonly stateBytes: number;
  /** Attempt of the workflow task that is scheduled or running; 0 without one. */
  readonly taskAttempt: number;
}

const NOTHING: RunSizes = { events: 0, historyBytes: 0, stateBytes: 0, taskAttempt: 0 };

/** Before the draft, and with it. */
export function sizesOf(draft: RunDraft): { before: RunSizes; after: RunSizes } {
  const { base, info } = draft;
  const sizes = (i: typeof info, stateBytes: number): RunSizes => ({
    events: i.nextEventId - 1,
    historyBytes: i.historySizeBytes,
    stateBytes,
    taskAttempt: i.workflowTask?.attempt ?? 0,
  });
  return { before: draft.isNew ? NOTHING : sizes(base.info, base.stateSizeBytes), after: sizes(info, draft.stateSizeBytes) };
}

export function warnOfSizes(logger: Logger, limits: Limits, namespace: string, draft: RunDraft): void {
  const { before, after } = sizesOf(draft);
  const warn = (fields: object, text: string) =>
    logger.warn({ namespace, workflowId: draft.info.workflowId, runId: draft.info.runId, ...fields }, text);
  const passes = (was: number, is: number, limit: number) => was <= limit && is > limit;
  if (passes(before.historyBytes, after.historyBytes, limits.historySizeBytesWarn))
    warn({ key: "limit.historySize.warn", sizeBytes: after.historyBytes }, "history size exceeds warn limit.");
  if (passes(before.events, after.events, limits.historyEventsWarn))
    warn({ key: "limit.historyCount.warn", eventCount: after.events }, "history count exceeds warn limit.");
  if (passes(before.stateBytes, after.stateBytes, limits.mutableStateSizeBytesWarn))
    warn({ key: "limit.mutableStateSize.warn", sizeBytes: after.stateBytes }, "mutable state size exceeds warn limit.");
  if (after.taskAttempt !== before.taskAttempt && after.taskAttempt >= limits.workflowTaskCriticalAttempts)
    warn({ key: "history.workflowTaskCriticalAttempt", attempt: after.taskAttempt }, "Critical attempts processing workflow task");
}
