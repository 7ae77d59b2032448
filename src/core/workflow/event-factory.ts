/**
 * Makes history events. An event gets its id when it enters a batch; while a workflow task is running (and until the end of the
 * transition) events that are not caused by commands wait in the buffer, in the official server's order: see BUFFERED below and
 * service/history/historybuilder/event_store.go of the official server.
 */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { timestampMicros, timestampOf } from "../../api/time.js";
import { type Init, Writer } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { addExternalPayloads } from "./external-payloads.js";
import type { RunDraft } from "./mutable-state.js";
import { eventSizeBytes } from "./state-size.js";

export type EventAttributes = Exclude<HistoryEvent["attributes"], { case: undefined }>;
export type AttributesCase = EventAttributes["case"];
export type AttributesOf<C extends AttributesCase> = Extract<EventAttributes, { case: C }>["value"];

/** Id of an event that waits in the buffer. */
export const BUFFERED_EVENT_ID = -123;

/** Types that wait while a workflow task is running. Events caused by commands, of workflow tasks and of the close do not. */
const BUFFERED: ReadonlySet<EventType> = new Set([
  EventType.WORKFLOW_EXECUTION_SIGNALED,
  EventType.WORKFLOW_EXECUTION_CANCEL_REQUESTED,
  EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED,
  EventType.WORKFLOW_EXECUTION_PAUSED,
  EventType.WORKFLOW_EXECUTION_UNPAUSED,
  EventType.WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
  EventType.WORKFLOW_EXECUTION_UPDATE_ADMITTED,
  EventType.ACTIVITY_TASK_STARTED,
  EventType.ACTIVITY_TASK_COMPLETED,
  EventType.ACTIVITY_TASK_FAILED,
  EventType.ACTIVITY_TASK_TIMED_OUT,
  EventType.ACTIVITY_TASK_CANCELED,
  EventType.TIMER_FIRED,
  EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED,
  EventType.CHILD_WORKFLOW_EXECUTION_STARTED,
  EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED,
  EventType.CHILD_WORKFLOW_EXECUTION_FAILED,
  EventType.CHILD_WORKFLOW_EXECUTION_CANCELED,
  EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
  EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED,
  EventType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
  EventType.EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
  EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
  EventType.EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
  EventType.NEXUS_OPERATION_STARTED,
  EventType.NEXUS_OPERATION_COMPLETED,
  EventType.NEXUS_OPERATION_FAILED,
  EventType.NEXUS_OPERATION_CANCELED,
  EventType.NEXUS_OPERATION_TIMED_OUT,
  EventType.NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED,
  EventType.NEXUS_OPERATION_CANCEL_REQUEST_FAILED,
]);

/** Types that a flush puts behind all others: results of activities and children, so that their started events come first. */
const FLUSHED_LAST: ReadonlySet<EventType> = new Set([
  EventType.ACTIVITY_TASK_COMPLETED,
  EventType.ACTIVITY_TASK_FAILED,
  EventType.ACTIVITY_TASK_CANCELED,
  EventType.ACTIVITY_TASK_TIMED_OUT,
  EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED,
  EventType.CHILD_WORKFLOW_EXECUTION_FAILED,
  EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
  EventType.CHILD_WORKFLOW_EXECUTION_CANCELED,
  EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED,
]);

const FINISHING: ReadonlySet<EventType> = new Set([
  EventType.WORKFLOW_EXECUTION_COMPLETED,
  EventType.WORKFLOW_EXECUTION_FAILED,
  EventType.WORKFLOW_EXECUTION_TIMED_OUT,
  EventType.WORKFLOW_EXECUTION_TERMINATED,
  EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
  EventType.WORKFLOW_EXECUTION_CANCELED,
]);

/** What a workflow task's end must begin (docs/ARCHITECTURE.md section 5): reset forks there. */
const BEGINS_BATCH: ReadonlySet<EventType> = new Set([
  EventType.WORKFLOW_TASK_COMPLETED,
  EventType.WORKFLOW_TASK_FAILED,
  EventType.WORKFLOW_TASK_TIMED_OUT,
]);

export interface EventExtra {
  userMetadata?: HistoryEvent["userMetadata"];
  links?: HistoryEvent["links"];
  eventGroupMarkers?: HistoryEvent["eventGroupMarkers"];
  workerMayIgnore?: boolean;
  /** Microseconds; now unless said otherwise. */
  time?: number;
}

/** Whether another transition than that of the event before wrote this one, as far as a history tells. */
export function beginsTransaction(before: HistoryEvent, event: HistoryEvent): boolean {
  const type = event.eventType;
  if (BEGINS_BATCH.has(type) || BUFFERED.has(type) || type === EventType.WORKFLOW_TASK_STARTED) return true;
  return timestampMicros(before.eventTime) !== timestampMicros(event.eventTime);
}

export function beginsBatch(type: EventType | undefined): boolean {
  return type === undefined || BEGINS_BATCH.has(type);
}

/** Events of one transition of one run: the open batch, and those that wait in memory for the end of the transition. */
export class EventFactory {
  private open: HistoryEvent[] = [];
  private waiting: HistoryEvent[] = [];
  /** How many of them have been measured, and their bytes. */
  private measured = 0;
  private measuredBytes = 0;
  private finished = false;
  /** Started event of an activity or child that left the buffer, by scheduled or initiated event id. */
  private startedIds: Map<number, number> | undefined;

  constructor(private readonly draft: RunDraft) {}

  /** Adds an event. Its id is BUFFERED_EVENT_ID while it waits. */
  add<C extends AttributesCase>(type: EventType, attributes: C, value: Init<AttributesOf<C>>, now: number, extra?: EventExtra): HistoryEvent {
    assert(!this.finished, `event ${EventType[type]} after the close event`);
    const event = HistoryEvent.create({
      eventTime: timestampOf(now),
      eventType: type,
      attributes: { case: attributes, value } as Init<HistoryEvent["attributes"]>,
      userMetadata: extra?.userMetadata,
      links: extra?.links ?? [],
      workerMayIgnore: extra?.workerMayIgnore ?? false,
      eventGroupMarkers: extra?.eventGroupMarkers ?? [],
    } as Init<HistoryEvent>);
    this.draft.dirty = true;
    if (BUFFERED.has(type)) {
      event.eventId = BUFFERED_EVENT_ID;
      this.waiting.push(event);
      return event;
    }
    if (BEGINS_BATCH.has(type)) this.endBatch();
    this.append(event);
    if (FINISHING.has(type)) {
      this.finished = true;
      this.takeWaiting();
    }
    return event;
  }

  private append(event: HistoryEvent): void {
    const info = this.draft.info;
    event.eventId = info.nextEventId++;
    event.taskId = info.branch * 4096 + event.eventId;
    this.open.push(event);
  }

  get hasBuffered(): boolean {
    return this.bufferedCount > 0;
  }

  get bufferedCount(): number {
    return this.waiting.length + this.draft.bufferedCount;
  }

  /** Of events that this transition adds to the buffer. */
  get waitingSizeBytes(): number {
    for (; this.measured < this.waiting.length; this.measured++) this.measuredBytes += eventSizeBytes(this.waiting[this.measured] as HistoryEvent);
    return this.measuredBytes;
  }

  get bufferedSizeBytes(): number {
    return this.draft.bufferedSizeBytes + this.waitingSizeBytes;
  }

  private takeWaiting(): HistoryEvent[] {
    const { waiting } = this;
    this.waiting = [];
    this.measured = 0;
    this.measuredBytes = 0;
    return waiting;
  }

  /** Removes a waiting event, wherever it waits. Answers whether there was one. */
  removeBuffered(predicate: (e: HistoryEvent) => boolean): HistoryEvent | undefined {
    const found = this.waiting.find(predicate);
    if (found !== undefined) {
      this.waiting = this.takeWaiting().filter((e) => e !== found);
      return found;
    }
    if (this.draft.bufferedCount === 0) return undefined;
    for (const row of this.draft.buffered.values()) {
      const event = row.events.find(predicate);
      if (event === undefined) continue;
      this.draft.deleteBuffered(row, event);
      return event;
    }
    return undefined;
  }

  hasBufferedWhere(predicate: (e: HistoryEvent) => boolean): boolean {
    if (this.waiting.some(predicate)) return true;
    if (this.draft.bufferedCount > 0) for (const row of this.draft.buffered.values()) if (row.events.some(predicate)) return true;
    return false;
  }

  /** Gives ids to all waiting events, in flush order. The events that now have ids are answered for the state to follow. */
  flushBuffered(): HistoryEvent[] {
    if (!this.hasBuffered) return [];
    // What waited in rows is a value: others may look at it.
    const all = [...this.draft.takeBuffered().map((e) => HistoryEvent.create(e)), ...this.takeWaiting()];
    if (this.finished) return [];
    const ordered = [...all.filter((e) => !FLUSHED_LAST.has(e.eventType)), ...all.filter((e) => FLUSHED_LAST.has(e.eventType))];
    for (const event of ordered) {
      this.append(event);
      this.wire(event);
    }
    return ordered;
  }

  /** Events that refer to the started event of the same activity or child learn its id. */
  private wire(event: HistoryEvent): void {
    const a = event.attributes;
    switch (a.case) {
      case "activityTaskStartedEventAttributes":
        (this.startedIds ??= new Map()).set(a.value.scheduledEventId, event.eventId);
        return;
      case "childWorkflowExecutionStartedEventAttributes":
        (this.startedIds ??= new Map()).set(a.value.initiatedEventId, event.eventId);
        return;
      case "activityTaskCompletedEventAttributes":
      case "activityTaskFailedEventAttributes":
      case "activityTaskTimedOutEventAttributes":
      case "activityTaskCanceledEventAttributes":
        a.value.startedEventId = this.startedIds?.get(a.value.scheduledEventId) ?? Math.max(a.value.startedEventId, 0);
        return;
      case "childWorkflowExecutionCompletedEventAttributes":
      case "childWorkflowExecutionFailedEventAttributes":
      case "childWorkflowExecutionCanceledEventAttributes":
      case "childWorkflowExecutionTimedOutEventAttributes":
      case "childWorkflowExecutionTerminatedEventAttributes":
        a.value.startedEventId = this.startedIds?.get(a.value.initiatedEventId) ?? Math.max(a.value.startedEventId, 0);
        return;
      default:
    }
  }

  /** Ends the open batch: it becomes one row of history. */
  endBatch(): void {
    const first = this.open[0];
    if (first === undefined) return;
    const data = frame(this.open);
    const info = this.draft.info;
    this.draft.batches.push({ branch: info.branch, firstEventId: first.eventId, events: this.open, data });
    info.historySizeBytes += data.length;
    addExternalPayloads(info, this.open);
    this.open = [];
  }

  /** First event id of the batch that an event added now would be in. */
  get batchFirstEventId(): number {
    return this.open[0]?.eventId ?? this.draft.info.nextEventId;
  }

  /** Ends the transition. With a workflow task running, what waits is stored as rows. */
  finish(taskIsRunning: boolean): HistoryEvent[] {
    let flushed: HistoryEvent[] = [];
    if (!taskIsRunning) flushed = this.flushBuffered();
    else if (this.waiting.length > 0) {
      const sizeBytes = this.waitingSizeBytes;
      this.draft.addBuffered(this.takeWaiting(), sizeBytes);
    }
    this.endBatch();
    return flushed;
  }
}

const writer = new Writer(1 << 14);
const EVENT_TAG = 10;

/** Events as fields 1 of temporal.api.history.v1.History. */
export function frame(events: readonly HistoryEvent[]): Uint8Array {
  writer.reset();
  for (const event of events) {
    writer.tag(EVENT_TAG);
    const start = writer.fork();
    HistoryEvent.write(writer, event);
    writer.join(start);
  }
  return writer.take();
}
