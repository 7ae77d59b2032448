/**
 * The worker of a running activity is told that it is to be canceled, through the control queue of its process: one that sends no
 * heartbeats would not hear of it otherwise. An outbound row stands for what one workflow task has to tell one process
 * (common/workercommands of the official server). What is told is read when it is told.
 */
import type { ActivityRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import { OutboundKind } from "../outbound.js";
import type { WorkerCommands } from "../transition.js";
import { type Context, type Run, Stale } from "../workflow/context.js";
import { activityToken } from "./statemachine.js";

export function tellWorker(run: Run, { workerControlTaskQueue: destination }: ActivityRecord, completedEventId: number): void {
  if (destination === "" || !run.ctx.env.config.limits.activityCancelCommands) return;
  const isRow = (r: { kind: number; componentId: number; destination: string }) =>
    r.kind === OutboundKind.WORKER_COMMANDS && r.componentId === completedEventId && r.destination === destination;
  if (run.draft.outbound?.some(isRow) === true) return;
  run.outbound({ kind: OutboundKind.WORKER_COMMANDS, componentId: completedEventId, attempt: 1, destination });
}

/** Stale when none of them runs any more. */
export function workerCommands(ctx: Context, address: ExecutionAddress, input: InputOf<"workerCommands">): WorkerCommands {
  const state = ctx.chain.run(address.runId);
  if (state === undefined) throw new Stale();
  const run = ctx.open(state);
  if (!run.isOpen) throw new Stale();
  const cancel: Uint8Array[] = [];
  for (const a of run.draft.activities.values())
    if (
      a.workerControlTaskQueue === input.controlTaskQueue &&
      a.startedTime !== 0 &&
      a.cancelRequested &&
      a.cancelRequestedEventId > input.completedEventId
    )
      cancel.push(activityToken(run, a));
  if (cancel.length === 0) throw new Stale();
  return { cancel };
}
