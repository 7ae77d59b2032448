/**
 * State of one standalone activity, and its draft. The record changes with every attempt; what the activity was asked for (with its
 * input) and how it ended have rows of their own, each written once.
 */
import {
  ActivityExecutionRecord,
  ActivityOutcomeRecord,
  type ActivityRecord,
  ActivityRequestRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import { decode, encode } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { ComponentDraft } from "../component.js";
import { Archetype, type ExecutionState } from "../execution.js";
import type { ComponentWrite } from "../workflow/mutable-state.js";

/** Component kinds of the store: 48 to 55 are those of standalone activities. */
enum Kind {
  REQUEST = 48,
  OUTCOME = 49,
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
  private requestBytes: number | undefined;

  constructor(
    readonly key: number,
    public info: ActivityExecutionRecord,
    public request: ActivityRequestRecord,
    public outcome: ActivityOutcomeRecord | undefined,
  ) {}

  static load(key: number, record: Uint8Array, live: readonly { kind: number; value: Uint8Array }[]): ActivityState {
    let request: ActivityRequestRecord | undefined;
    let outcome: ActivityOutcomeRecord | undefined;
    for (const row of live) {
      if (row.kind === Kind.REQUEST) request = decode(ActivityRequestRecord, row.value);
      else if (row.kind === Kind.OUTCOME) outcome = decode(ActivityOutcomeRecord, row.value);
      else assert(false, `component kind ${row.kind} of an activity is not known`);
    }
    assert(request !== undefined, "an activity has a request");
    return new ActivityState(key, decode(ActivityExecutionRecord, record), request, outcome);
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

  get sizeBytes(): number {
    this.requestBytes ??= encode(ActivityRequestRecord, this.request).length;
    const { outcome } = this;
    return STATE_BYTES + this.requestBytes + (outcome?.result?.length ?? 0) + (this.activity.lastHeartbeatDetails?.length ?? 0);
  }

  /** What describes and lists say of its size. */
  get stateSizeBytes(): number {
    this.requestBytes ??= encode(ActivityRequestRecord, this.request).length;
    return this.encodeRecord().length + this.requestBytes + (this.outcome === undefined ? 0 : encode(ActivityOutcomeRecord, this.outcome).length);
  }

  encodeRecord(): Uint8Array {
    return encode(ActivityExecutionRecord, this.info);
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
  /** Attempts to be offered to the pollers. */
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
    return base;
  }
}
