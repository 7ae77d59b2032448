/**
 * An execution as the shell sees it, whatever it is: a run of a workflow, or something that is no workflow and has no history (a
 * schedule, a standalone activity, a standalone Nexus operation). Each archetype has its own space of ids; within it one chain per
 * id, with the same inputs, transitions, group commit, due row, visibility row, cache, transfer tasks and deletion. The shell loads,
 * writes and evicts through these interfaces; the door of the core (engine.ts) hands an input to the handlers of its archetype.
 *
 * A record of table `execution` has the fields of `ExecutionInfo` under the numbers of ExecutionHeader (records.proto).
 */
import type { OutboundRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { VisibilityRow } from "./visibility/row.js";
import type { ComponentWrite, EventBatch } from "./workflow/mutable-state.js";

/** Numbers are stored. */
export enum Archetype {
  WORKFLOW = 0,
  SCHEDULE = 1,
  ACTIVITY = 2,
  NEXUS_OPERATION = 3,
}

export interface ExecutionInfo {
  readonly namespaceId: string;
  /** The id within the archetype: of a schedule its schedule id. */
  readonly workflowId: string;
  readonly runId: string;
  readonly startRequestId: string;
  /** The row of table `due` that the execution owns; 0 is none. */
  readonly due: number;
  readonly dueClock: number;
}

export interface ExecutionState {
  readonly key: number;
  readonly archetype: Archetype;
  readonly info: ExecutionInfo;
  readonly isOpen: boolean;
  /** Whether it must stay in memory: it holds what no row has. */
  readonly isPinned: boolean;
  /** Inputs that wait in memory for the answer of another: queries and updates. */
  readonly waiters: readonly number[];
  /** How often it has changed, of what is waited for without a history; else undefined. */
  readonly changes?: number | undefined;
  /** Rough size in memory, for the cache's bound. */
  readonly sizeBytes: number;
  /** The row of table `execution`. */
  encodeRecord(): Uint8Array;
}

/** A transition's overlay on a state: accepted, its rows go into the batch; dropped, it costs nothing. */
export interface ExecutionDraft {
  readonly base: ExecutionState;
  readonly key: number;
  readonly info: ExecutionInfo;
  readonly isNew: boolean;
  readonly dirty: boolean;
  /** The execution and all its rows go. */
  readonly removed: boolean;
  readonly batches: readonly EventBatch[];
  /** Where its history is; undefined when it has none. */
  readonly history:
    | {
        readonly branch: number;
        readonly lastEventId: number;
        /** Parts of other branches that it shares. */
        readonly segments: readonly { readonly branch: number; readonly endEventId: number }[];
      }
    | undefined;
  /** How often it has changed, of what is waited for without a history; else undefined. */
  readonly changes?: number | undefined;
  /** Keyed rows of requests that were applied. */
  readonly requestIds: readonly { readonly id: string; readonly eventType: number; readonly eventId: number }[];
  readonly transfers: readonly { readonly id: number; readonly record: TransferRecord }[];
  /** Transfer rows that are done. */
  readonly doneTransfers: readonly number[];
  /** Calls that leave the store, to be made; and rows of such calls that are done. */
  readonly outbound?: readonly OutboundRecord[] | undefined;
  readonly doneOutbound?: readonly number[] | undefined;
  /** Set when the visibility row changes. */
  readonly visibility: VisibilityRow | undefined;
  /** Rows of table `component` under its key. */
  componentWrites(): ComponentWrite[];
  /** Makes the draft the state. The draft must not be used afterwards. */
  accept(): ExecutionState;
}

/** The executions of one id that are in memory. The addressed one is loaded before `apply`, or known not to exist. */
export interface ExecutionChain {
  /** The one of greatest run id. */
  current(): ExecutionState | undefined;
  run(runId: string): ExecutionState | undefined;
}
