/**
 * Limits on a run as a whole: history length and size, size of the state, size of one transition's events. Past one of the first
 * three the run ends, whatever the input was: what it did is forgotten, the end is committed, and the caller is told why. Ends
 * and reads are never refused: a run must be able to leave, however large it is. Behaviour: service/history/workflow/context.go
 * (UpdateWorkflowExecutionAsActive) and respondworkflowtaskcompleted/api.go of the official server.
 */
import { invalidArgument, type ServiceError } from "../../api/service-error.js";
import type { InputKind } from "../input.js";
import { HISTORY_SERVICE_IDENTITY, stringPayloads, terminateRun } from "./close.js";
import type { Context, Run } from "./context.js";
import { isTaskRunning } from "./workflow-task.js";

const HISTORY_SIZE = "Workflow history size exceeds limit.";
const HISTORY_COUNT = "Workflow history count exceeds limit.";
const STATE_SIZE = "Workflow mutable state size exceeds limit.";
const TRANSACTION_SIZE = "Transaction size exceeds limit.";

/** Inputs of callers, who can be told that they ask for too much. */
const REFUSED_WHEN_LARGE: ReadonlySet<InputKind> = new Set([
  "start",
  "signalWithStart",
  "signal",
  "requestCancel",
  "completeActivity",
  "failActivity",
  "cancelActivity",
]);

function exceeded(run: Run): string | undefined {
  const { limits } = run.ctx.env.config;
  // Bytes of this transition are counted with the next one, events at once: so the official server has it.
  if (run.draft.base.info.historySizeBytes > limits.historySizeBytesMax) return HISTORY_SIZE;
  if (run.info.nextEventId - 1 > limits.historyEventsMax) return HISTORY_COUNT;
  const waiting = isTaskRunning(run.draft) ? run.events.waitingSizeBytes : 0;
  if (run.draft.stateSizeBytes + waiting > limits.mutableStateSizeBytesMax) return STATE_SIZE;
  return undefined;
}

/** Before the transition is finished. Answers what the caller is told, when a run had to end. */
export function endOversized(ctx: Context, kind: InputKind): ServiceError | undefined {
  // A run with a successor has ended; the end of a transfer is bookkeeping.
  if (kind === "transferDone" || ctx.runs.some((r) => r.draft.isNew)) return undefined;
  for (const run of ctx.runs) {
    if (!run.draft.dirty || run.draft.removed || !run.isOpen) continue;
    const reason = exceeded(run);
    if (reason !== undefined) return end(ctx, run, reason, undefined);
  }
  return undefined;
}

/**
 * When the transition is finished: the events of one batch are written as one row. A completion that makes too many ends its run,
 * since the same commands would come again; other callers are refused.
 */
export function refuseLargeTransaction(ctx: Context, kind: InputKind): ServiceError | undefined {
  if (kind !== "completeWorkflowTask" && !REFUSED_WHEN_LARGE.has(kind)) return undefined;
  const max = ctx.env.config.limits.transactionSizeBytesMax;
  for (const run of ctx.runs)
    for (const batch of run.draft.batches) {
      const size = batch.data.length;
      if (size <= max) continue;
      const text = `transaction size of ${size} bytes exceeds limit of ${max} bytes`;
      const error = invalidArgument(text);
      if (kind !== "completeWorkflowTask") throw error;
      const [completing] = ctx.runs;
      if (completing !== undefined) end(ctx, completing, TRANSACTION_SIZE, stringPayloads(text));
      return error;
    }
  return undefined;
}

function end(ctx: Context, oversized: Run, reason: string, details: Uint8Array | undefined): ServiceError {
  const state = oversized.draft.base;
  ctx.reset();
  terminateRun(ctx.open(state), { reason, details, identity: HISTORY_SERVICE_IDENTITY });
  return invalidArgument(reason);
}
