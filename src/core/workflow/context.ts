/**
 * One application of one input: the environment, the drafts it opened, and what it has to say to the shell. Handlers change
 * drafts through `Run` and leave by returning a reply, or by throwing a ServiceError, Stale or Need, which drops everything.
 */

import { ChildRecord, type OutboundRecord, type TransferRecord, UpdateRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { ServiceError } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { Random } from "../../lib/random.js";
import type { Chain } from "../engine.js";
import type { Env } from "../input.js";
import type { Answer, DispatchTask, EventReference, HistoryRange, Loaded, Outcome } from "../transition.js";
import { applyEvent } from "./apply-events.js";
import { type AttributesCase, type AttributesOf, type EventExtra, EventFactory } from "./event-factory.js";
import { executionNow, realNow } from "./execution-clock.js";
import { RunDraft, RunState } from "./mutable-state.js";

/** Thrown by a handler whose input no longer concerns anything. */
export class Stale extends Error {}

/** Thrown by a handler that needs rows which are not loaded. */
export class Need extends Error {
  constructor(
    readonly events: readonly EventReference[],
    readonly requestIds: readonly string[],
    /** Further runs of the workflow id (empty: the current one), whole histories, and updates that may have been completed. */
    readonly more: { readonly runs?: readonly string[]; readonly histories?: readonly HistoryRange[]; readonly updateIds?: readonly string[] } = {},
  ) {
    super("rows needed");
  }

  get need(): Extract<Outcome, { outcome: "need" }> {
    return { outcome: "need", events: this.events, requestIds: this.requestIds, ...this.more };
  }
}

/** A run under change. */
export class Run {
  readonly events: EventFactory;
  /** Whether the visibility row must be written at the end. */
  visibilityChanged = false;
  /** The speculative task was scheduled by this transition: what it writes does not concern it. */
  hasNewSpeculative = false;
  /** Lower bound of the earliest deadline that this transition made; 0 is none. */
  private earliest = 0;

  constructor(
    readonly ctx: Context,
    readonly draft: RunDraft,
  ) {
    this.events = new EventFactory(draft);
  }

  get info(): RunDraft["info"] {
    return this.draft.info;
  }

  /** The present in the run's clock: what events, deadlines and answers are stamped with. */
  get now(): number {
    return executionNow(this.ctx.env, this.draft.timeSkipping);
  }

  /** A time of the run's clock in real time: what matching reckons with. */
  real(time: number): number {
    return time - (this.now - realNow(this.ctx.env));
  }

  get isOpen(): boolean {
    return this.draft.isOpen;
  }

  /** Makes an event and applies it. */
  add<C extends AttributesCase>(type: EventType, attributes: C, value: Init<AttributesOf<C>>, extra?: EventExtra): HistoryEvent {
    const event = this.events.add(type, attributes, value, extra?.time ?? this.now, extra);
    applyEvent(this.draft, event, this.ctx.env.config.limits.updateCallbacks);
    return event;
  }

  /** Gives waiting events their ids; the state follows. */
  flushBuffered(): void {
    followIds(this.draft, this.events.flushBuffered());
  }

  transfer(record: Init<TransferRecord>): void {
    const info = this.info;
    this.draft.transfers.push({
      id: this.draft.transfers.length,
      record: {
        ...EMPTY_TRANSFER,
        ...record,
        sourceNamespaceId: info.namespaceId,
        sourceNamespace: this.ctx.env.namespace.name,
        sourceWorkflowId: info.workflowId,
        sourceRunId: info.runId,
        rootWorkflowId: info.rootWorkflowId,
        rootRunId: info.rootRunId,
      } as TransferRecord,
    });
    info.pendingTransfers++;
    this.draft.dirty = true;
  }

  transferDone(id: number): void {
    this.draft.doneTransfers.push(id);
    this.info.pendingTransfers = Math.max(0, this.info.pendingTransfers - 1);
    this.draft.dirty = true;
  }

  /** A call that leaves the store: made when the transition is durable. */
  outbound(call: Pick<OutboundRecord, "kind" | "componentId" | "attempt" | "destination">): void {
    const { namespaceId, workflowId, runId } = this.info;
    this.draft.outbound ??= [];
    this.draft.outbound.push({ rowId: 0, namespaceId, workflowId, runId, archetype: 0, ...call });
    this.draft.dirty = true;
  }

  outboundDone(id: number): void {
    this.draft.doneOutbound ??= [];
    this.draft.doneOutbound.push(id);
    this.draft.dirty = true;
  }

  /** A deadline exists from now on: the due row must not be later. */
  deadline(time: number): void {
    if (time > 0 && (this.earliest === 0 || time < this.earliest)) this.earliest = time;
  }

  get earliestDeadline(): number {
    return this.earliest;
  }
}

export const EMPTY_TRANSFER: TransferRecord = {
  rowId: 0,
  kind: 0,
  initiatedEventId: 0,
  namespaceId: "",
  workflowId: "",
  runId: "",
  event: undefined,
  reason: "",
  attempt: 0,
  nextTime: 0,
  lastError: "",
  firstRunId: "",
  identity: "",
  sourceNamespaceId: "",
  sourceWorkflowId: "",
  sourceRunId: "",
  childWorkflowOnly: false,
  baseRunIds: [],
  requestId: "",
  namespace: "",
  parentClosePolicy: 0,
  rootWorkflowId: "",
  rootRunId: "",
  sourceNamespace: "",
  sourceArchetype: 0,
  archetype: 0,
  startRequest: new Uint8Array(0),
  inheritedVersion: undefined,
};

/** Buffered events now have ids: records that refer to them follow. */
export function followIds(draft: RunDraft, flushed: readonly HistoryEvent[]): void {
  for (const event of flushed) {
    if (event.attributes.case === "workflowExecutionOptionsUpdatedEventAttributes") {
      const { attachedRequestId } = event.attributes.value;
      draft.info.attachedRequests = draft.info.attachedRequests.map((r) =>
        r.requestId === attachedRequestId ? { ...r, eventId: event.eventId } : r,
      );
    }
    if (event.attributes.case === "workflowExecutionUpdateAdmittedEventAttributes") {
      const record = draft.updateRecordOf(event.attributes.value.request?.meta?.updateId ?? "");
      if (record === undefined) continue;
      draft.updateRecords.delete(record.admittedEventId);
      draft.updateRecords.set(event.eventId, UpdateRecord.copy(record, { admittedEventId: event.eventId }));
      continue;
    }
    if (event.attributes.case !== "childWorkflowExecutionStartedEventAttributes") continue;
    const child = draft.children.get(event.attributes.value.initiatedEventId);
    if (child !== undefined) draft.children.set(child.initiatedEventId, ChildRecord.copy(child, { startedEventId: event.eventId }));
  }
}

export class Context {
  readonly random: Random;
  runs: Run[] = [];
  dispatch: DispatchTask[] = [];
  answers: { waiter: number; result: Answer }[] = [];
  deferred = false;
  /** What the input was to do is not done; what changed instead stands. */
  refused: ServiceError | undefined;

  constructor(
    readonly chain: Chain,
    readonly env: Env,
    readonly loaded: Loaded,
  ) {
    this.random = new Random(env.seed);
  }

  /** Forgets every draft: the input goes on from the state as it was. */
  reset(): void {
    this.runs = [];
    this.dispatch = [];
    this.answers = [];
    this.refused = undefined;
  }

  /** Opens (once) the draft of a run in memory. */
  open(state: RunState): Run {
    for (const run of this.runs) if (run.draft.base === state) return run;
    const run = new Run(this, new RunDraft(state, false));
    this.runs.push(run);
    return run;
  }

  /** Opens the draft of a run that begins with this input. */
  create(info: RunState["info"]): Run {
    assert(
      this.runs.every((r) => !r.draft.isNew),
      "one new run per input",
    );
    const run = new Run(this, new RunDraft(new RunState(this.env.newKey, info), true));
    run.draft.dirty = true;
    this.runs.push(run);
    return run;
  }

  /** An event of the run that is in history already. */
  event(run: Run, eventId: number): HistoryEvent {
    for (const batch of run.draft.batches) for (const e of batch.events) if (e.eventId === eventId) return e;
    const reference = eventReference(run.draft, eventId);
    const event = this.loaded.event(reference);
    if (event === undefined) throw new Need([reference], []);
    return event;
  }
}

export function eventReference(draft: RunDraft, eventId: number): EventReference {
  return { segments: segmentsOf(draft), eventId };
}

/** All of a run's history: shared prefixes, then its own branch without an end. */
export function segmentsOf(draft: Pick<RunDraft, "info">): { branch: number; endEventId: number }[] {
  return [...draft.info.segments, { branch: draft.info.branch, endEventId: Number.MAX_SAFE_INTEGER }];
}
