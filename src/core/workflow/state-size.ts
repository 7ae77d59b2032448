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
import { encode } from "../../api/wire.js";
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

/** Events and failures are values: what was measured once stays true. */
const sizes = new WeakMap<object, number>();

function measured<T extends object>(value: T, measure: (value: T) => number): number {
  let size = sizes.get(value);
  if (size === undefined) {
    size = measure(value);
    sizes.set(value, size);
  }
  return size;
}

export const eventSizeBytes = (event: HistoryEvent): number => measured(event, (e) => encode(HistoryEvent, e).length);

const activitySize = (a: ActivityRecord): number =>
  ACTIVITY_BYTES +
  a.activityId.length +
  a.activityType.length +
  a.taskQueue.length +
  a.startedIdentity.length +
  (a.lastHeartbeatDetails?.length ?? 0) +
  (a.lastFailure === undefined ? 0 : measured(a.lastFailure, (f) => encode(Failure, f).length));
const timerSize = (t: TimerRecord): number => TIMER_BYTES + t.timerId.length;
const childSize = (c: ChildRecord): number => CHILD_BYTES + c.workflowId.length + c.workflowType.length;
const externalSize = (e: ExternalRecord): number => EXTERNAL_BYTES + e.workflowId.length;
const NEXUS_BYTES = 250;
const CALLBACK_BYTES = 120;
const failureSize = (f: Failure | undefined): number => (f === undefined ? 0 : measured(f, (x) => encode(Failure, x).length));
const nexusSize = (op: NexusOperationRecord): number =>
  NEXUS_BYTES +
  op.service.length +
  op.operation.length +
  op.operationToken.length +
  failureSize(op.lastAttemptFailure) +
  failureSize(op.cancellation?.lastAttemptFailure);
const callbackSize = (c: CallbackRecord): number =>
  CALLBACK_BYTES + (c.callback === undefined ? 0 : measured(c.callback, (x) => encode(Callback, x).length)) + failureSize(c.lastAttemptFailure);
const bufferedSize = (b: BufferedEventRecord): number => (b.event === undefined ? 0 : eventSizeBytes(b.event));

function fieldsSize(fields: Readonly<Record<string, Uint8Array>> | undefined): number {
  let total = 0;
  if (fields !== undefined) for (const [key, value] of Object.entries(fields)) total += key.length + value.length + 8;
  return total;
}
const memoSize = (memo: Memo | undefined): number => fieldsSize(memo?.fields);
const searchAttributesSize = (attributes: SearchAttributes | undefined): number => fieldsSize(attributes?.indexedFields);

/** Of everything in the state: for a run that is loaded. */
export function fullStateSize(state: RunState): number {
  const sum = <V>(rows: Rows<V>, size: (v: V) => number): number => {
    let total = 0;
    for (const v of rows.base.values()) total += size(v);
    return total;
  };
  return (
    EMPTY_STATE_BYTES +
    REQUEST_BYTES * state.info.attachedRequests.length +
    sum(state.activities, activitySize) +
    sum(state.timers, timerSize) +
    sum(state.children, childSize) +
    sum(state.externalSignals, externalSize) +
    sum(state.externalCancels, externalSize) +
    sum(state.buffered, bufferedSize) +
    UPDATE_BYTES * state.info.totalUpdateCount +
    (state.hasNexusOperations ? sum(state.nexusOperations, nexusSize) : 0) +
    (state.hasCallbacks ? sum(state.callbacks, callbackSize) : 0) +
    memoSize(state.memo) +
    searchAttributesSize(state.searchAttributes)
  );
}

/** Of the draft: the state's, and what the draft changes. */
export function draftStateSize(draft: RunDraft): number {
  const { base } = draft;
  let total = base.stateSizeBytes;
  const add = <V>(rows: DraftRows<V>, before: Rows<V>, size: (v: V) => number): void => {
    if (!rows.isDirty) return;
    for (const { id, value } of rows.changes()) {
      const old = before.base.get(id);
      total += (value === undefined ? 0 : size(value)) - (old === undefined ? 0 : size(old));
    }
  };
  add(draft.activities, base.activities, activitySize);
  add(draft.timers, base.timers, timerSize);
  add(draft.children, base.children, childSize);
  add(draft.externalSignals, base.externalSignals, externalSize);
  add(draft.externalCancels, base.externalCancels, externalSize);
  add(draft.buffered, base.buffered, bufferedSize);
  total += UPDATE_BYTES * (draft.info.totalUpdateCount - base.info.totalUpdateCount);
  if (draft.hasNexusOperations) add(draft.nexusOperations, base.nexusOperations, nexusSize);
  if (draft.hasCallbacks) add(draft.callbacks, base.callbacks, callbackSize);
  total += REQUEST_BYTES * (draft.info.attachedRequests.length - base.info.attachedRequests.length);
  if (draft.memo !== base.memo) total += memoSize(draft.memo) - memoSize(base.memo);
  if (draft.searchAttributes !== base.searchAttributes)
    total += searchAttributesSize(draft.searchAttributes) - searchAttributesSize(base.searchAttributes);
  return total;
}
