/** From the rows of the store to a state, by what the execution is. */
import { assert } from "../lib/assert.js";
import { ActivityState } from "./activity-execution/activity-state.js";
import { Archetype, type ExecutionState } from "./execution.js";
import { NexusExecutionState } from "./nexus-operation/execution-state.js";
import { ScheduleState } from "./scheduler/schedule-state.js";
import { RunState } from "./workflow/mutable-state.js";

export interface ExecutionRows {
  readonly key: number;
  readonly record: Uint8Array;
  readonly live: readonly { kind: number; id: number | string; value: Uint8Array }[];
}

export function loadState(archetype: Archetype, { key, record, live }: ExecutionRows): ExecutionState {
  switch (archetype) {
    case Archetype.WORKFLOW:
      return RunState.load(key, record, live);
    case Archetype.SCHEDULE:
      return ScheduleState.load(key, record, live);
    case Archetype.ACTIVITY:
      return ActivityState.load(key, record, live);
    case Archetype.NEXUS_OPERATION:
      return NexusExecutionState.load(key, record, live);
    default:
      assert(false, `archetype ${archetype} is not known`);
  }
}
