/**
 * State of one standalone activity, and its draft. The record changes with every attempt; what the activity was asked for (with its
 * input) and how it ended have rows of their own, each written once.
 */
import {
  ActivityExecutionRecord,
  ActivityOutcomeRecord,
  type ActivityRecord,
  ActivityRequestRecord,
  CallbackRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import { CallbackState } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { decode, encode } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { type DraftRows, Rows } from "../../lib/rows.js";
import { ComponentDraft } from "../component.js";
import { Archetype, type ExecutionState } from "../execution.js";
import type { ComponentWrite } from "../workflow/mutable-state.js";

/** Component kinds of the store: 48 to 55 are those of standalone activities. */
enum Kind {
  REQUEST = 48,
  OUTCOME = 49,
  CALLBACK = 50,
}

/** Numbers are stored (ActivityExecutionRecord.status). */
export enum Status {
  SCHEDULED = 1,
  STARTED = 2,
  CANCEL_REQUESTED = 3,
  PAUSE_REQUESTED = 4,
  PAUSED = 5,
  RESET_REQUESTED = 6,
  COMPLETED = 10,
  FAILED = 11,
  CANCELED = 12,
  TERMINATED = 13,
  TIMED_OUT = 14,
}

export const isClosed = (status: Status): boolean => status >= Status.COMPLETED;

/** Whether a worker has the activity. */
export const isWithWorker = (status: Status): boolean =>
  status === Status.STARTED || status === Status.CANCEL_REQUESTED || status === Status.PAUSE_REQUESTED || status === Status.RESET_REQUESTED;

/** Whether an attempt is with a worker, or offered to one. */
export const isAttemptOut = ({ info, activity }: ActivityState): boolean =>
  isWithWorker(info.status) || (info.status === Status.SCHEDULED && !activity.waitsForRetry);

/** Beside its payloads. */
const STATE_BYTES = 2_000;

export class ActivityState implements ExecutionState {
  /** By their ids, 1, 2, ... */
  readonly callbacks = new Rows<CallbackRecord>();
  private requestBytes: number | undefined;
  /** Kept up to date at the cost of what a transition changes. */
  private callbackBytes = 0;

  constructor(
    readonly key: number,
    public info: ActivityExecutionRecord,
    public request: ActivityRequestRecord,
    public outcome: ActivityOutcomeRecord | undefined,
  ) {}

  static load(key: number, record: Uint8Array, live: readonly { kind: number; value: Uint8Array }[]): ActivityState {
    let request: ActivityRequestRecord | undefined;
    let outcome: ActivityOutcomeRecord | undefined;
    const callbacks: { record: CallbackRecord; bytes: number }[] = [];
    for (const row of live) {
      if (row.kind === Kind.REQUEST) request = decode(ActivityRequestRecord, row.value);
      else if (row.kind === Kind.OUTCOME) outcome = decode(ActivityOutcomeRecord, row.value);
      else if (row.kind === Kind.CALLBACK) callbacks.push({ record: decode(CallbackRecord, row.value), bytes: row.value.length });
      else assert(false, `component kind ${row.kind} of an activity is not known`);
    }
    assert(request !== undefined, "an activity has a request");
    const state = new ActivityState(key, decode(ActivityExecutionRecord, record), request, outcome);
    for (const { record: c, bytes } of callbacks.sort((a, b) => a.record.id - b.record.id)) {
      state.callbacks.put(c.id, c);
      state.callbackBytes += bytes;
    }
    return state;
  }

  get archetype(): Archetype {
    return Archetype.ACTIVITY;
  }

  get isOpen(): boolean {
    return !isClosed(this.info.status);
  }

  get isPinned(): boolean {
    return false;
  }

  get waiters(): readonly number[] {
    return [];
  }

  get changes(): number {
    return this.info.stateTransitionCount;
  }

  get activity(): ActivityRecord {
    return this.info.activity as ActivityRecord;
  }

  /** Of its callbacks, those under way: their end is not a matter of time. */
  get deliveries(): number {
    let n = 0;
    for (const c of this.callbacks.base.values()) if (c.state === CallbackState.SCHEDULED) n++;
    return n;
  }

  get sizeBytes(): number {
    this.requestBytes ??= encode(ActivityRequestRecord, this.request).length;
    const { outcome } = this;
    return STATE_BYTES + this.requestBytes + (outcome?.result?.length ?? 0) + (this.activity.lastHeartbeatDetails?.length ?? 0) + this.callbackBytes;
  }

  /** What describes and lists say of its size. */
  get stateSizeBytes(): number {
    this.requestBytes ??= encode(ActivityRequestRecord, this.request).length;
    return (
      this.encodeRecord().length +
      this.requestBytes +
      (this.outcome === undefined ? 0 : encode(ActivityOutcomeRecord, this.outcome).length) +
      this.callbackBytes
    );
  }

  encodeRecord(): Uint8Array {
    return encode(ActivityExecutionRecord, this.info);
  }

  /** Those that a draft changes become the state's. */
  acceptCallbacks(draft: DraftRows<CallbackRecord>): void {
    if (!draft.isDirty) return;
    const bytes = (c: CallbackRecord | undefined): number => (c === undefined ? 0 : encode(CallbackRecord, c).length);
    draft.eachChange((_id, value, old) => {
      this.callbackBytes += bytes(value) - bytes(old);
    });
    draft.accept();
  }

  forgetSizes(): void {
    this.requestBytes = undefined;
  }
}

export class ActivityDraft extends ComponentDraft {
  /** The draft's own copy. Records inside it are replaced, not changed. */
  readonly info: ActivityExecutionRecord;
  request: ActivityRequestRecord;
  outcome: ActivityOutcomeRecord | undefined;
  readonly callbacks: DraftRows<CallbackRecord>;
  /** Whether lists show something else now. */
  isShownChanged = false;
  /** Whether what has happened counts as a change of the activity: bookkeeping does not. */
  isChanged = false;

  constructor(
    readonly base: ActivityState,
    readonly isNew: boolean,
  ) {
    super();
    this.info = ActivityExecutionRecord.copy(base.info);
    this.request = base.request;
    this.outcome = base.outcome;
    this.callbacks = base.callbacks.draft();
  }

  get status(): Status {
    return this.info.status;
  }

  get activity(): ActivityRecord {
    return this.info.activity as ActivityRecord;
  }

  set activity(activity: ActivityRecord) {
    this.info.activity = activity;
    this.dirty = true;
  }

  /** One that is new, or has changed. */
  putCallback(c: CallbackRecord): void {
    this.callbacks.set(c.id, c);
    this.dirty = true;
    this.isChanged = true;
  }

  get isOpen(): boolean {
    return !isClosed(this.status);
  }

  override get changes(): number {
    return this.info.stateTransitionCount;
  }

  componentWrites(): ComponentWrite[] {
    const out: ComponentWrite[] = [];
    const op = this.isNew ? "insert" : "put";
    if (this.isNew || this.request !== this.base.request)
      out.push({ kind: Kind.REQUEST, id: 0, op, value: encode(ActivityRequestRecord, this.request) });
    if (this.outcome !== undefined && this.outcome !== this.base.outcome)
      out.push({ kind: Kind.OUTCOME, id: 0, op: "insert", value: encode(ActivityOutcomeRecord, this.outcome) });
    this.callbacks.eachChange((id, value, old) => {
      if (value !== undefined) out.push({ kind: Kind.CALLBACK, id, op: old === undefined ? "insert" : "put", value: encode(CallbackRecord, value) });
    });
    return out;
  }

  accept(): ActivityState {
    const { base } = this;
    base.info = this.info;
    if (base.request !== this.request) {
      base.request = this.request;
      base.forgetSizes();
    }
    base.outcome = this.outcome;
    base.acceptCallbacks(this.callbacks);
    return base;
  }
}
