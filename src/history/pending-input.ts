/** An input on its way: who waits for it, and what hangs on it. */

import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { ServiceError } from "../api/service-error.js";
import type { ExecutionAddress, Input } from "../core/input.js";
import type { EventReference, HistoryRange } from "../core/transition.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { NamespaceClock } from "./clocks.js";

/** Served in this order, each with a minimum share. */
export enum InputClass {
  CALL = 0,
  TIMER = 1,
  TRANSFER = 2,
}

export interface PendingInput {
  readonly address: ExecutionAddress;
  readonly input: Input;
  readonly class: InputClass;
  readonly consumed: BacklogKey | undefined;
  readonly isGone: (() => boolean) | undefined;
  readonly resolve: (reply: never) => void;
  readonly reject: (error: ServiceError) => void;
  /** Row of table `due` that caused it: it goes when the input is stale. */
  readonly dueRow: { clock: number; due: number; key: number } | undefined;
  /** Transfer row that goes when the input is stale. */
  readonly transferRow: number | undefined;
  /** The clock goes on to this row's time with the input, if both still stand. */
  readonly skip?: { readonly clock: NamespaceClock; readonly row: { clock: number; due: number; key: number } } | undefined;
  /** Rows that an earlier attempt asked for. */
  loadedEvents: Map<string, HistoryEvent | undefined> | undefined;
  loadedRequestIds: Map<string, { eventType: number; eventId: number } | null> | undefined;
  loadedHistories?: Map<string, readonly HistoryEvent[]> | undefined;
  loadedUpdates: Map<string, number | null> | undefined;
  /** Its batch was refused: it runs alone now, to find the one that cannot be written. */
  isAlone: boolean;
}

export const eventKey = (r: EventReference): string => `${r.segments.find((s) => r.eventId < s.endEventId)?.branch}/${r.eventId}`;
export const historyKey = (r: HistoryRange): string => `${r.runKey}/${r.endEventId}`;
