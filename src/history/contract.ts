/** What the rest of the server knows of the history service, and what it needs of matching. */

import type { StatusChangeRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { CallbackCall } from "../core/callback/statemachine.js";
import type { ExecutionAddress, InputKind, InputOf } from "../core/input.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { CancelOutcome, NexusCall, StartOutcome } from "../core/nexus-operation/calls.js";
import type { DispatchTask, EventReference, HistoryRange, Replies, WorkerCommands } from "../core/transition.js";
import type { BacklogKey, Batch } from "../persistence/batch.js";

export interface HistoryService {
  /**
   * Applies an input and resolves with its reply once everything that the reply was computed from is durable; rejects with
   * ServiceError. Inputs of one workflow id apply in the order of the calls.
   * `consumed`: a backlog row that is deleted in the same batch when the input is accepted or stale.
   * `undeliverable`: asked when the reply of a started task is released; true means that its poller has gone.
   */
  submit<K extends InputKind>(
    address: ExecutionAddress,
    input: InputOf<K>,
    options?: { consumed?: BacklogKey; isGone?: () => boolean },
  ): Promise<Replies[K]>;
  /** Number for the `waiter` of a deferred input; its `submit` resolves when another input answers it. */
  newWaiter(): number;
  /** Committed events of the range as temporal.api.history.v1.History bytes, a page at a time. `reverse`: newest first. */
  readHistory(
    range: HistoryRange,
    page: { fromEventId: number; eventCountMax: number; bytesMax: number; reverse: boolean },
  ): Promise<{ data: Uint8Array; nextEventId: number | undefined }>;
  readEvent(reference: EventReference): Promise<HistoryEvent | undefined>;
  /**
   * Of a run that a HistoryPosition has just told of: resolves when it has an event beyond `afterEventId` or is closed, at the time limit,
   * or when cancelled. The caller looks at the run again.
   */
  waitForEvents(runKey: number, afterEventId: number, timeoutMs: number, onCancel: (f: () => void) => () => void): Promise<void>;
  /**
   * Of an execution without a history, by its key: resolves when it has durably changed more often than `after`, is closed or gone, at the
   * time limit, or when cancelled. What came before the call is not seen: the caller looks again after it.
   */
  waitForChange(key: number, after: number, timeoutMs: number, onCancel: (f: () => void) => () => void): ChangeWait;
  /** How the workflows of a namespace change status, in order. */
  readonly statusChanges: StatusChangesService;
  /** Whether calls of an OutboundKind to a destination are held back by its circuit breaker. */
  isBlocked(kind: number, namespaceId: string, destination: string): boolean;
  /** Stops taking inputs, finishes the batch, resolves when all is durable. */
  drain(): Promise<void>;
}

export interface ChangeWait {
  readonly changed: Promise<void>;
  /** Ends the wait. */
  stop(): void;
}

export interface StatusChangePage {
  /** Changes after the place have been deleted meanwhile. */
  readonly isGone: boolean;
  readonly changes: readonly { readonly number: number; readonly change: StatusChangeRecord }[];
}

export interface StatusChangesService {
  /** Has the changes of the namespace kept from now on, if they are not yet; resolves with the number of the newest. */
  follow(namespace: { readonly id: string; readonly key: number }): Promise<number>;
  /** Number of the newest; 0 where none are kept. */
  newest(namespaceKey: number): number;
  /** Durable changes after a number, at most `max`. */
  read(namespaceKey: number, after: number, max: number): Promise<StatusChangePage>;
  /** Resolves when a change after the number is durable, at the time limit, or when cancelled. */
  wait(namespaceKey: number, after: number, timeoutMs: number, onCancel: (f: () => void) => () => void): Promise<void>;
}

/** Makes the calls of outbound rows, as history needs it. Never rejects for what the other side does. `isDown`: the destination is to blame. */
export interface OutboundCaller {
  startOperation(namespaceId: string, call: NexusCall): Promise<{ outcome: StartOutcome; isDown: boolean }>;
  cancelOperation(namespaceId: string, call: NexusCall): Promise<{ outcome: CancelOutcome; isDown: boolean }>;
  deliverCallback(
    namespaceId: string,
    call: CallbackCall,
  ): Promise<{ outcome: { kind: "done" } | { kind: "failed" | "retry"; message: string }; isDown: boolean }>;
  /** False: nobody took them in time, or who did said nothing; trying again may help. */
  sendWorkerCommands(namespaceId: string, controlTaskQueue: string, commands: WorkerCommands): Promise<boolean>;
}

/** Shards, of which one process here owns all: what it has of them in memory. Ids are 1 to `count`. */
export interface ShardService {
  readonly count: number;
  /** Runs in memory, and how often the shard was loaded in this process. */
  describeShard(id: number): { executions: number; loads: number };
  /** Forgets what is in memory of the shard, and reads what is due next from the store again. */
  closeShard(id: number): Promise<void>;
}

/** TestService. A call without a namespace acts on the clock of all namespaces that have none of their own. */
export interface TestClockService {
  lock(namespace: NamespaceView | undefined): Promise<void>;
  /** @throws ServiceError when no lock is held. */
  unlock(namespace: NamespaceView | undefined): Promise<void>;
  /** `unlocked`: a lock is given back for as long. */
  sleep(namespace: NamespaceView | undefined, micros: number, onCancel: (f: () => void) => () => void, options: { unlocked: boolean }): Promise<void>;
  sleepUntil(namespace: NamespaceView | undefined, time: number, onCancel: (f: () => void) => () => void): Promise<void>;
  currentTime(namespace: NamespaceView | undefined): number;
  /** Resolves when a run with a clock of its own has made more than `transitions` state transitions, at the time limit, or when cancelled. */
  waitForExecution(runKey: number, transitions: number, timeoutMs: number, onCancel: (f: () => void) => () => void): Promise<void>;
  /**
   * A caller waits for something that a workflow does in its own time, and its client gives no lock back for it. On a test server
   * one is given back until the result is called.
   */
  awaiting(namespaceId: string): () => void;
  /** Until the result is called, the clock of the namespace does not skip. */
  hold(namespaceId: string): () => void;
}

/** Matching, as history needs it: asked in the turn of the transition that made the task. */
export interface TaskDispatcher {
  /** Takes hold of a waiting poller (and a rate token) for the task, if the rules allow a direct start. */
  reserve(task: DispatchTask): Reservation | undefined;
  /** No poller: the task becomes a backlog row of the batch. */
  store(task: DispatchTask, batch: Batch): void;
  /** No poller for a task that nothing is written for: it waits in memory. */
  keep(task: DispatchTask): void;
  /** The batch that held stored tasks has settled. */
  settled(batch: Batch, durable: boolean): void;
}

/** A poller held for a task between the transition and its durability. Exactly one of confirm and release is called. */
export interface Reservation {
  readonly input: InputOf<"startWorkflowTask"> | InputOf<"startActivity">;
  /** Whether the poller's stream is still open. */
  isGone(): boolean;
  /** Durable: hands the reply to the poller. */
  confirm(reply: Replies["startWorkflowTask"] | Replies["startActivity"]): void;
  /** The start was stale, refused or lost: the poller waits on, and the rate token goes back. */
  release(): void;
}
