/**
 * What a clock asks of an execution that follows it with others (history/clocks.ts), by what the execution is: how much it has in
 * flight whose end is not a matter of time, and when exactly it waits for time.
 */
import { NexusOperationCancellationState as CancelState, PendingNexusOperationState as State } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { ActivityDraft, type ActivityState, isAttemptOut } from "./activity-execution/activity-state.js";
import { earliestDeadline } from "./activity-execution/lifecycle.js";
import { Archetype, type ExecutionState } from "./execution.js";
import type { NexusExecutionState } from "./nexus-operation/execution-state.js";
import type { ScheduleState } from "./scheduler/schedule-state.js";
import { RunDraft, type RunState } from "./workflow/mutable-state.js";
import { blocksClock } from "./workflow/time-skipping.js";
import { deadlineName, dueOf } from "./workflow/timers.js";

/** Pieces of work for which the clock has to wait. */
export function workOf(state: ExecutionState, now: number, sharesClock: (namespaceId: string) => boolean): number {
  switch (state.archetype) {
    case Archetype.WORKFLOW:
      return blocksClock(new RunDraft(state as RunState, false), now, sharesClock);
    case Archetype.SCHEDULE:
      // Its actions are workflows, which wait for themselves.
      return (state as ScheduleState).info.pendingTransfers;
    case Archetype.ACTIVITY:
      return (isAttemptOut(state as ActivityState) ? 1 : 0) + (state as ActivityState).deliveries;
    case Archetype.NEXUS_OPERATION: {
      const { info, isOpen } = state as NexusExecutionState;
      const isCanceling = info.cancellation?.state === CancelState.SCHEDULED;
      return isOpen && (info.state === State.SCHEDULED || isCanceling) ? 1 : 0;
    }
  }
}

/** In the clock of its due row; at 0: it waits for no time. */
export function nextDeadline(state: ExecutionState): { readonly at: number; readonly reason: string } {
  switch (state.archetype) {
    case Archetype.WORKFLOW: {
      const draft = new RunDraft(state as RunState, false);
      return { at: dueOf(draft), reason: deadlineName(draft) };
    }
    case Archetype.SCHEDULE:
      return { at: state.info.due, reason: "schedule" };
    case Archetype.ACTIVITY:
      return { at: earliestDeadline(new ActivityDraft(state as ActivityState, false)), reason: "activity" };
    case Archetype.NEXUS_OPERATION:
      return { at: state.info.due, reason: "Nexus operation" };
  }
}
