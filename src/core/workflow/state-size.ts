/**
 * How large the state of a run is, kept up to date at the cost of what a transition changes. An estimate, as the official server's
 * is: what can grow large (details, failures, memo, search attributes, waiting events) is counted, the rest has a fixed price.
 */
import type {
  ActivityRecord,
  BufferedEventRecord,
  CallbackRecord,
  ChildRecord,
  ExternalRecord,
  NexusOperationRecord,
  TimerRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import { Callback, type Memo, type SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { encodedLength } from "../../api/wire.js";
import type { DraftRows, Rows } from "../../lib/rows.js";
import type { RunDraft, RunState } from "./mutable-state.js";

/** The execution record itself: all there is at first. */
export const EMPTY_STATE_BYTES = 700;
const ACTIVITY_BYTES = 200;
const TIMER_BYTES = 40;
const CHILD_BYTES = 200;
const EXTERNAL_BYTES = 120;
const UPDATE_BYTES = 40;
/** A request id that was attached to the run: part of the record. */
const REQUEST_BYTES = 60;

/** Failures and callbacks are values: what was measured once stays true. */
const sizes = new WeakMap<object, number>();

function measured<T extends object>(value: T, measure: (value: T) => number): number {
  let size = sizes.get(value);
  if (size === undefined) {
    size = measure(value);
    sizes.set(value, size);
  }
  return size;
}

export const eventSizeBytes = (event: HistoryEvent): number => encodedLength(HistoryEvent, event);

function eventsSizeBytes(events: readonly HistoryEvent[]): number {
  let total = 0;
  for (const event of events) total += eventSizeBytes(event);
  return total;
}

const activitySize = (a: ActivityRecord): number =>
  ACTIVITY_BYTES +
  a.activityId.length +
  a.activityType.length +
  a.taskQueue.length +
  a.startedIdentity.length +
  (a.lastHeartbeatDetails?.length ?? 0) +
  failureSize(a.lastFailure);
const timerSize = (t: TimerRecord): number => TIMER_BYTES + t.timerId.length;
const childSize = (c: ChildRecord): number => CHILD_BYTES + c.workflowId.length + c.workflowType.length;
const externalSize = (e: ExternalRecord): number => EXTERNAL_BYTES + e.workflowId.length;
const NEXUS_BYTES = 250;
const CALLBACK_BYTES = 120;
const failureSize = (f: Failure | undefined): number => (f === undefined ? 0 : measured(f, (x) => encodedLength(Failure, x)));
const nexusSize = (op: NexusOperationRecord): number =>
  NEXUS_BYTES +
  op.service.length +
  op.operation.length +
  op.operationToken.length +
  failureSize(op.lastAttemptFailure) +
  failureSize(op.cancellation?.lastAttemptFailure);
const callbackSize = (c: CallbackRecord): number =>
  CALLBACK_BYTES + (c.callback === undefined ? 0 : measured(c.callback, (x) => encodedLength(Callback, x))) + failureSize(c.lastAttemptFailure);

function fieldsSize(fields: Readonly<Record<string, Uint8Array>> | undefined): number {
  let total = 0;
  if (fields !== undefined) for (const [key, value] of Object.entries(fields)) total += key.length + value.length + 8;
  return total;
}
const memoSize = (memo: Memo | undefined): number => fieldsSize(memo?.fields);
const searchAttributesSize = (attributes: SearchAttributes | undefined): number => fieldsSize(attributes?.indexedFields);

function sum<V>(rows: Rows<V>, size: (v: V) => number): number {
  let total = 0;
  for (const v of rows.base.values()) total += size(v);
  return total;
}

/** Of all events that wait in rows: for a run that is loaded. */
export const fullBufferedSize = (rows: Rows<BufferedEventRecord>): number => sum(rows, (b) => eventsSizeBytes(b.events));

/** Of everything in the state: for a run that is loaded. */
export function fullStateSize(state: RunState): number {
  return (
    EMPTY_STATE_BYTES +
    REQUEST_BYTES * state.info.attachedRequests.length +
    sum(state.activities, activitySize) +
    sum(state.timers, timerSize) +
    sum(state.children, childSize) +
    sum(state.externalSignals, externalSize) +
    sum(state.externalCancels, externalSize) +
    state.bufferedSizeBytes +
    UPDATE_BYTES * state.info.totalUpdateCount +
    (state.hasNexusOperations ? sum(state.nexusOperations, nexusSize) : 0) +
    (state.hasCallbacks ? sum(state.callbacks, callbackSize) : 0) +
    memoSize(state.memo) +
    searchAttributesSize(state.searchAttributes)
  );
}

function grown<V>(rows: DraftRows<V>, size: (v: V) => number): number {
  if (!rows.isDirty) return 0;
  let total = 0;
  rows.eachChange((_id, value, old) => {
    total += (value === undefined ? 0 : size(value)) - (old === undefined ? 0 : size(old));
  });
  return total;
}

/** Of the draft: the state's, and what the draft changes. */
export function draftStateSize(draft: RunDraft): number {
  const { base } = draft;
  let total =
    base.stateSizeBytes +
    grown(draft.activities, activitySize) +
    grown(draft.timers, timerSize) +
    grown(draft.children, childSize) +
    grown(draft.externalSignals, externalSize) +
    grown(draft.externalCancels, externalSize) +
    (draft.bufferedSizeBytes - base.bufferedSizeBytes) +
    UPDATE_BYTES * (draft.info.totalUpdateCount - base.info.totalUpdateCount);
  if (draft.hasNexusOperations) total += grown(draft.nexusOperations, nexusSize);
  if (draft.hasCallbacks) total += grown(draft.callbacks, callbackSize);
  total += REQUEST_BYTES * (draft.info.attachedRequests.length - base.info.attachedRequests.length);
  if (draft.memo !== base.memo) total += memoSize(draft.memo) - memoSize(base.memo);
  if (draft.searchAttributes !== base.searchAttributes)
    total += searchAttributesSize(draft.searchAttributes) - searchAttributesSize(base.searchAttributes);
  return total;
}
