/**
 * State of one run, and its draft.
 *
 * `RunState` is what was accepted last; `RunDraft` is a transition's overlay on it. A draft is opened per input, changed by the
 * core, and then either accepted (its changes become the state, its rows go into the batch) or dropped, which costs nothing.
 * Records are values: replaced, never changed in place, except `draft.info`, which is the draft's own copy.
 *
 * Every field is `history` (replaying the run's events gives it) or `side`; `replay.ts` holds the list and the check.
 */
import {
  ActivityRecord,
  BufferedEventRecord,
  CallbackRecord,
  ChildRecord,
  CompletedUpdateRecord,
  ExecutionRecord,
  ExternalRecord,
  MemoRecord,
  NexusOperationRecord,
  type OutboundRecord,
  SearchAttributesRecord,
  TimerRecord,
  TimeSkippingRecord,
  type TransferRecord,
  UpdateRecord,
  type WorkflowTaskRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Memo, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode, encode, type MessageType } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { type DraftRows, Rows } from "../../lib/rows.js";
import { Archetype, type ExecutionDraft, type ExecutionState } from "../execution.js";
import type { VisibilityRow } from "../visibility/row.js";
import { draftStateSize, EMPTY_STATE_BYTES, eventSizeBytes, fullBufferedSize, fullStateSize } from "./state-size.js";
import type { PendingUpdate } from "./update/registry.js";

/** Component kinds of the store (records.proto). */
export enum Kind {
  ACTIVITY = 1,
  TIMER = 2,
  CHILD = 3,
  EXTERNAL_SIGNAL = 4,
  EXTERNAL_CANCEL = 5,
  BUFFERED_EVENT = 6,
  MEMO = 7,
  SEARCH_ATTRIBUTES = 8,
  UPDATE = 9,
  NEXUS_OPERATION = 10,
  CALLBACK = 11,
  TIME_SKIPPING = 13,
  REQUEST_ID = 64,
  TRANSFER = 65,
  COMPLETED_UPDATE = 66,
  OUTBOUND = 67,
}

/** Type of a WorkflowTaskRecord that is in memory only (workflow/workflow-task.ts). */
export const TASK_SPECULATIVE = 3;
/** Of a run with nothing pending, as a heap snapshot shows it: the record, its strings and lists, tables that are empty. */
const RUN_BYTES = 1_800;
const NO_UPDATES: readonly PendingUpdate[] = [];

/** A buffered query: it waits for the workflow task in progress. Ephemeral. */
export interface PendingQuery {
  readonly waiter: number;
  /** Key in PollWorkflowTaskQueueResponse.queries. */
  readonly id: string;
  /** Encoded temporal.api.query.v1.WorkflowQuery. */
  readonly query: Uint8Array;
  /** Whether the workflow task in progress has been given the query. */
  readonly sent: boolean;
}

export interface EventBatch {
  readonly branch: number;
  readonly firstEventId: number;
  readonly events: readonly HistoryEvent[];
  /** Field-1-framed. */
  readonly data: Uint8Array;
}

export interface ComponentWrite {
  readonly kind: number;
  readonly id: number | string;
  readonly op: "insert" | "put" | "delete";
  readonly value: Uint8Array;
}

export class RunState implements ExecutionState {
  readonly activities = new Rows<ActivityRecord>();
  readonly timers = new Rows<TimerRecord>();
  readonly children = new Rows<ChildRecord>();
  readonly externalSignals = new Rows<ExternalRecord>();
  readonly externalCancels = new Rows<ExternalRecord>();
  readonly buffered = new Rows<BufferedEventRecord>();
  /** Made when first asked for: most runs have none. */
  private nexusRows: Rows<NexusOperationRecord> | undefined;
  private callbackRows: Rows<CallbackRecord> | undefined;
  /** Indexes by the workflow's own names. */
  readonly activityIds = new Rows<number, string>();
  readonly timerIds = new Rows<number, string>();
  memo: Memo | undefined;
  searchAttributes: SearchAttributes | undefined;
  /** The run's own clock; undefined when it follows its namespace's. */
  timeSkipping: TimeSkippingRecord | undefined;
  /** Ephemeral: never stored. */
  queries: readonly PendingQuery[] = [];
  /** Updates that are not in history yet, and those that somebody waits for. Ephemeral: never stored. */
  updates: readonly PendingUpdate[] = NO_UPDATES;
  /** Updates in history that are not completed. Undefined: there has been none. */
  updateRecords: Rows<UpdateRecord> | undefined;
  /** Completed updates and the events that hold their results. It knows all of them when it is as large as they are many. */
  completedUpdates: Map<string, number> | undefined;
  /** Every request id applied to the run and those that it continues, when that is known without asking the store: from its start in this process on. */
  knownRequestIds: Set<string> | undefined;
  /** Estimate that limit.mutableStateSize is compared with. */
  stateSizeBytes = EMPTY_STATE_BYTES;
  /** Events that wait in rows for the end of a workflow task: how many, and how much of the state's size they are. */
  bufferedCount = 0;
  bufferedSizeBytes = 0;

  constructor(
    readonly key: number,
    public info: ExecutionRecord,
  ) {}

  get archetype(): Archetype {
    return Archetype.WORKFLOW;
  }

  get nexusOperations(): Rows<NexusOperationRecord> {
    return (this.nexusRows ??= new Rows());
  }
  get callbacks(): Rows<CallbackRecord> {
    return (this.callbackRows ??= new Rows());
  }
  get hasNexusOperations(): boolean {
    return this.nexusRows !== undefined;
  }
  get hasCallbacks(): boolean {
    return this.callbackRows !== undefined;
  }

  get isOpen(): boolean {
    return this.info.status === WorkflowExecutionStatus.RUNNING || this.info.status === WorkflowExecutionStatus.PAUSED;
  }

  encodeRecord(): Uint8Array {
    return encode(ExecutionRecord, this.stored);
  }

  /** Whether the state must stay in memory: it holds what no row has. */
  get isPinned(): boolean {
    return this.queries.length > 0 || this.updates.length > 0 || this.info.workflowTask?.type === TASK_SPECULATIVE;
  }

  get waiters(): readonly number[] {
    if (this.queries.length === 0 && this.updates.length === 0) return NOBODY;
    return [...this.queries, ...this.updates.flatMap((u) => u.waiters)].map((w) => w.waiter);
  }

  /** The record as the store gets it. */
  get stored(): ExecutionRecord {
    return this.info.workflowTask?.type === TASK_SPECULATIVE ? ExecutionRecord.copy(this.info, { workflowTask: undefined }) : this.info;
  }

  /** From the rows of the store. */
  static load(key: number, record: Uint8Array, live: readonly { kind: number; id: number | string; value: Uint8Array }[]): RunState {
    const state = new RunState(key, decode(ExecutionRecord, record));
    for (const row of live) {
      const id = Number(row.id);
      switch (row.kind) {
        case Kind.ACTIVITY: {
          const a = decode(ActivityRecord, row.value);
          state.activities.put(id, a);
          state.activityIds.put(a.activityId, id);
          break;
        }
        case Kind.TIMER: {
          const t = decode(TimerRecord, row.value);
          state.timers.put(id, t);
          state.timerIds.put(t.timerId, id);
          break;
        }
        case Kind.CHILD:
          state.children.put(id, decode(ChildRecord, row.value));
          break;
        case Kind.EXTERNAL_SIGNAL:
          state.externalSignals.put(id, decode(ExternalRecord, row.value));
          break;
        case Kind.EXTERNAL_CANCEL:
          state.externalCancels.put(id, decode(ExternalRecord, row.value));
          break;
        case Kind.BUFFERED_EVENT:
          state.buffered.put(id, decode(BufferedEventRecord, row.value));
          break;
        case Kind.MEMO:
          state.memo = decode(MemoRecord, row.value).memo;
          break;
        case Kind.SEARCH_ATTRIBUTES:
          state.searchAttributes = decode(SearchAttributesRecord, row.value).searchAttributes;
          break;
        case Kind.UPDATE:
          state.updateRecords ??= new Rows();
          state.updateRecords.put(id, decode(UpdateRecord, row.value));
          break;
        case Kind.NEXUS_OPERATION:
          state.nexusOperations.put(id, decode(NexusOperationRecord, row.value));
          break;
        case Kind.CALLBACK:
          state.callbacks.put(id, decode(CallbackRecord, row.value));
          break;
        case Kind.TIME_SKIPPING:
          state.timeSkipping = decode(TimeSkippingRecord, row.value);
          break;
        default:
          assert(false, `live component kind ${row.kind} is not known`);
      }
    }
    for (const { events } of state.buffered.base.values()) state.bufferedCount += events.length;
    state.bufferedSizeBytes = fullBufferedSize(state.buffered);
    state.stateSizeBytes = fullStateSize(state);
    return state;
  }

  /** Rough size in memory, for the cache's bound. */
  get sizeBytes(): number {
    return (
      RUN_BYTES +
      this.stateSizeBytes +
      600 * (this.activities.base.size + this.bufferedCount) +
      250 * (this.timers.base.size + this.children.base.size + this.externalSignals.base.size + this.externalCancels.base.size) +
      (this.updates.length === 0 ? 0 : this.updates.reduce((sum, u) => sum + 300 + u.sizeBytes, 0)) +
      100 * (this.knownRequestIds?.size ?? 0) +
      150 * ((this.updateRecords?.base.size ?? 0) + (this.completedUpdates?.size ?? 0)) +
      800 * ((this.nexusRows?.base.size ?? 0) + (this.callbackRows?.base.size ?? 0))
    );
  }
}

export class RunDraft implements ExecutionDraft {
  /** The draft's own copy: may be changed. Records inside it are replaced, not changed. */
  readonly info: ExecutionRecord;
  readonly activities: DraftRows<ActivityRecord>;
  readonly timers: DraftRows<TimerRecord>;
  readonly children: DraftRows<ChildRecord>;
  readonly externalSignals: DraftRows<ExternalRecord>;
  readonly externalCancels: DraftRows<ExternalRecord>;
  /** Changed by `addBuffered`, `deleteBuffered` and `takeBuffered`, which count the events and their bytes. */
  readonly buffered: DraftRows<BufferedEventRecord>;
  bufferedCount: number;
  bufferedSizeBytes: number;
  private nexusDraft: DraftRows<NexusOperationRecord> | undefined;
  private callbackDraft: DraftRows<CallbackRecord> | undefined;
  private activityIdChanges: Map<string, number | undefined> | undefined;
  private timerIdChanges: Map<string, number | undefined> | undefined;
  private updateRows: DraftRows<UpdateRecord> | undefined;
  /** Updates that this transition completes: id and event. */
  private completed: Map<string, number> | undefined;
  memo: Memo | undefined;
  searchAttributes: SearchAttributes | undefined;
  timeSkipping: TimeSkippingRecord | undefined;
  queries: readonly PendingQuery[];
  updates: readonly PendingUpdate[];
  /** The run's clock skipped at the end of this transition: for the log. */
  skip: { from: number; to: number; reason: string } | undefined;

  /** Batches of this transition; the last one may still be open (`pending`). */
  readonly batches: EventBatch[] = [];
  /** Rows of request ids applied by this transition. */
  readonly requestIds: { id: string; eventType: number; eventId: number }[] = [];
  readonly transfers: { id: number; record: TransferRecord }[] = [];
  /** Transfer rows that are done. */
  readonly doneTransfers: number[] = [];
  /** Calls that leave the store, and the rows of those that are done. */
  outbound: OutboundRecord[] | undefined;
  doneOutbound: number[] | undefined;
  /** Set when the visibility row changes. */
  visibility: VisibilityRow | undefined;
  /** The run that this one continues. */
  predecessor: RunState | undefined;
  /** The run and all its rows go. */
  removed = false;
  /** Whether anything but ephemeral state changed. */
  dirty = false;

  constructor(
    readonly base: RunState,
    readonly isNew: boolean,
  ) {
    this.info = ExecutionRecord.copy(base.info);
    this.activities = base.activities.draft();
    this.timers = base.timers.draft();
    this.children = base.children.draft();
    this.externalSignals = base.externalSignals.draft();
    this.externalCancels = base.externalCancels.draft();
    this.buffered = base.buffered.draft();
    this.bufferedCount = base.bufferedCount;
    this.bufferedSizeBytes = base.bufferedSizeBytes;
    this.memo = base.memo;
    this.searchAttributes = base.searchAttributes;
    this.timeSkipping = base.timeSkipping;
    this.queries = base.queries;
    this.updates = base.updates;
  }

  get key(): number {
    return this.base.key;
  }

  get isOpen(): boolean {
    return this.info.status === WorkflowExecutionStatus.RUNNING || this.info.status === WorkflowExecutionStatus.PAUSED;
  }

  get history(): NonNullable<ExecutionDraft["history"]> {
    return { branch: this.info.branch, lastEventId: this.info.nextEventId - 1, segments: this.info.segments };
  }

  get task(): WorkflowTaskRecord | undefined {
    return this.info.workflowTask;
  }

  get stateSizeBytes(): number {
    return draftStateSize(this);
  }

  /** Updates in history that are not completed, by the event that began them. */
  get updateRecords(): DraftRows<UpdateRecord> {
    this.updateRows ??= (this.base.updateRecords ??= new Rows()).draft();
    return this.updateRows;
  }

  get updateRecordCount(): number {
    return this.updateRows?.size ?? this.base.updateRecords?.base.size ?? 0;
  }

  get changedUpdateRecords(): DraftRows<UpdateRecord> | undefined {
    return this.updateRows;
  }

  updateRecordOf(updateId: string): UpdateRecord | undefined {
    if (this.updateRecordCount === 0) return undefined;
    for (const record of this.updateRecords.values()) if (record.updateId === updateId) return record;
    return undefined;
  }

  completeUpdate(updateId: string, eventId: number): void {
    const record = this.updateRecordOf(updateId);
    if (record !== undefined) this.updateRecords.delete(record.admittedEventId || record.acceptedEventId);
    this.completed ??= new Map();
    this.completed.set(updateId, eventId);
  }

  /** The event that completed the update; null when none has, undefined when only the store knows. */
  completedUpdate(updateId: string): number | null | undefined {
    const here = this.completed?.get(updateId) ?? this.base.completedUpdates?.get(updateId);
    if (here !== undefined) return here;
    const known = (this.completed?.size ?? 0) + (this.base.completedUpdates?.size ?? 0);
    return known === this.info.totalUpdateCount - this.updateRecordCount ? null : undefined;
  }

  activityByName(activityId: string): ActivityRecord | undefined {
    const id = this.activityIdChanges?.has(activityId) ? this.activityIdChanges.get(activityId) : this.base.activityIds.base.get(activityId);
    return id === undefined ? undefined : this.activities.get(id);
  }

  putActivity(a: ActivityRecord): void {
    if (!this.activities.has(a.scheduledEventId)) {
      this.activityIdChanges ??= new Map();
      this.activityIdChanges.set(a.activityId, a.scheduledEventId);
    }
    this.activities.set(a.scheduledEventId, a);
    this.dirty = true;
  }

  deleteActivity(a: ActivityRecord): void {
    this.activities.delete(a.scheduledEventId);
    this.activityIdChanges ??= new Map();
    this.activityIdChanges.set(a.activityId, undefined);
    this.dirty = true;
  }

  timerByName(timerId: string): TimerRecord | undefined {
    const id = this.timerIdChanges?.has(timerId) ? this.timerIdChanges.get(timerId) : this.base.timerIds.base.get(timerId);
    return id === undefined ? undefined : this.timers.get(id);
  }

  putTimer(t: TimerRecord): void {
    this.timers.set(t.startedEventId, t);
    this.timerIdChanges ??= new Map();
    this.timerIdChanges.set(t.timerId, t.startedEventId);
    this.dirty = true;
  }

  deleteTimer(t: TimerRecord): void {
    this.timers.delete(t.startedEventId);
    this.timerIdChanges ??= new Map();
    this.timerIdChanges.set(t.timerId, undefined);
    this.dirty = true;
  }

  get nexusOperations(): DraftRows<NexusOperationRecord> {
    return (this.nexusDraft ??= this.base.nexusOperations.draft());
  }
  get callbacks(): DraftRows<CallbackRecord> {
    return (this.callbackDraft ??= this.base.callbacks.draft());
  }
  get hasNexusOperations(): boolean {
    return this.nexusDraft !== undefined || this.base.hasNexusOperations;
  }
  get hasCallbacks(): boolean {
    return this.callbackDraft !== undefined || this.base.hasCallbacks;
  }

  putNexusOperation(op: NexusOperationRecord): void {
    this.nexusOperations.set(op.scheduledEventId, op);
    this.dirty = true;
  }

  deleteNexusOperation(scheduledEventId: number): void {
    this.nexusOperations.delete(scheduledEventId);
    this.dirty = true;
  }

  putCallback(c: CallbackRecord): void {
    this.callbacks.set(c.id, c);
    this.dirty = true;
  }

  /** Events of this transition wait in one row. */
  addBuffered(events: HistoryEvent[], sizeBytes: number): void {
    const rowId = Math.max(this.info.nextRowId, 1);
    this.info.nextRowId = rowId + 1;
    this.buffered.set(rowId, { rowId, events });
    this.bufferedCount += events.length;
    this.bufferedSizeBytes += sizeBytes;
  }

  /** The event waits no longer; others of its row do. */
  deleteBuffered({ rowId, events }: BufferedEventRecord, event: HistoryEvent): void {
    if (events.length === 1) this.buffered.delete(rowId);
    else this.buffered.set(rowId, { rowId, events: events.filter((e) => e !== event) });
    this.bufferedCount--;
    this.bufferedSizeBytes -= eventSizeBytes(event);
  }

  /** None waits any longer. Answers those that did, in the order in which they came. */
  takeBuffered(): HistoryEvent[] {
    if (this.bufferedCount === 0) return [];
    const rows = [...this.buffered.values()].sort((a, b) => a.rowId - b.rowId);
    for (const { rowId } of rows) this.buffered.delete(rowId);
    this.bufferedCount = 0;
    this.bufferedSizeBytes = 0;
    return rows.flatMap((row) => row.events);
  }

  encodeInfo(): Uint8Array {
    return encode(ExecutionRecord, this.info);
  }

  /** Rows of table `component` under this run's key. */
  componentWrites(): ComponentWrite[] {
    const out: ComponentWrite[] = [];
    const put = <V>(kind: Kind, type: MessageType<V>, rows: DraftRows<V>) => {
      if (!rows.isDirty) return;
      rows.eachChange((id, value, old) => {
        if (value === undefined) out.push({ kind, id, op: "delete", value: NOTHING });
        else out.push({ kind, id, op: old === undefined ? "insert" : "put", value: encode(type, value as never) });
      });
    };
    put(Kind.ACTIVITY, ActivityRecord, this.activities);
    put(Kind.TIMER, TimerRecord, this.timers);
    put(Kind.CHILD, ChildRecord, this.children);
    put(Kind.EXTERNAL_SIGNAL, ExternalRecord, this.externalSignals);
    put(Kind.EXTERNAL_CANCEL, ExternalRecord, this.externalCancels);
    put(Kind.BUFFERED_EVENT, BufferedEventRecord, this.buffered);
    if (this.updateRows !== undefined) put(Kind.UPDATE, UpdateRecord, this.updateRows);
    if (this.completed !== undefined)
      for (const [id, completedEventId] of this.completed)
        out.push({ kind: Kind.COMPLETED_UPDATE, id, op: "put", value: encode(CompletedUpdateRecord, { completedEventId }) });
    if (this.nexusDraft !== undefined) put(Kind.NEXUS_OPERATION, NexusOperationRecord, this.nexusDraft);
    if (this.callbackDraft !== undefined) put(Kind.CALLBACK, CallbackRecord, this.callbackDraft);
    if (this.memo !== this.base.memo || (this.isNew && this.memo !== undefined))
      out.push({ kind: Kind.MEMO, id: 0, op: this.isNew ? "insert" : "put", value: encode(MemoRecord, { memo: this.memo }) });
    if (this.searchAttributes !== this.base.searchAttributes || (this.isNew && this.searchAttributes !== undefined))
      out.push({
        kind: Kind.SEARCH_ATTRIBUTES,
        id: 0,
        op: this.isNew ? "insert" : "put",
        value: encode(SearchAttributesRecord, { searchAttributes: this.searchAttributes }),
      });
    if (this.timeSkipping !== undefined && (this.isNew || this.timeSkipping !== this.base.timeSkipping))
      out.push({ kind: Kind.TIME_SKIPPING, id: 0, op: this.isNew ? "insert" : "put", value: encode(TimeSkippingRecord, this.timeSkipping) });
    return out;
  }

  /** Makes the draft the state. The draft must not be used afterwards. */
  accept(): RunState {
    const s = this.base;
    s.stateSizeBytes = this.stateSizeBytes;
    s.bufferedCount = this.bufferedCount;
    s.bufferedSizeBytes = this.bufferedSizeBytes;
    s.info = this.info;
    this.activities.accept();
    this.timers.accept();
    this.children.accept();
    this.externalSignals.accept();
    this.externalCancels.accept();
    this.buffered.accept();
    this.nexusDraft?.accept();
    this.callbackDraft?.accept();
    if (this.activityIdChanges !== undefined) fold(s.activityIds, this.activityIdChanges);
    if (this.timerIdChanges !== undefined) fold(s.timerIds, this.timerIdChanges);
    s.memo = this.memo;
    s.searchAttributes = this.searchAttributes;
    s.timeSkipping = this.timeSkipping;
    s.queries = this.queries;
    s.updates = this.updates;
    this.updateRows?.accept();
    if (this.completed !== undefined) {
      s.completedUpdates ??= new Map();
      for (const [id, eventId] of this.completed) s.completedUpdates.set(id, eventId);
    }
    if (this.isNew) {
      // A caller that asks again may find the next run: what the one before has taken is taken.
      const before = this.predecessor === undefined ? new Set<string>() : this.predecessor.knownRequestIds;
      s.knownRequestIds = before === undefined ? undefined : new Set(before);
    }
    if (s.knownRequestIds !== undefined) {
      for (const r of this.requestIds) s.knownRequestIds.add(r.id);
      if (s.knownRequestIds.size > KNOWN_REQUEST_IDS_MAX) s.knownRequestIds = undefined;
    }
    return s;
  }
}

/** Beyond this a run asks the store whether a request was applied. */
const KNOWN_REQUEST_IDS_MAX = 2000;

const NOTHING = new Uint8Array(0);
const NOBODY: readonly number[] = [];

function fold(rows: Rows<number, string>, changes: Map<string, number | undefined>): void {
  for (const [name, id] of changes) {
    if (id === undefined) rows.remove(name);
    else rows.put(name, id);
  }
}
