/**
 * What a transition has made of an execution, as rows of the open batch, and what follows when these are durable: timers are set,
 * readers that wait are told, caches learn of it.
 */
import { type Config, ofNamespace } from "../config/dynamic-config.js";
import type { ExecutionDraft } from "../core/execution.js";
import type { NamespaceDirectory, NamespaceView } from "../core/namespace-view.js";
import type { VisibilityRow } from "../core/visibility/row.js";
import { beginsBatch } from "../core/workflow/event-factory.js";
import { REAL_CLOCK } from "../core/workflow/execution-clock.js";
import { Kind, RunDraft, RunState } from "../core/workflow/mutable-state.js";
import { assert } from "../lib/assert.js";
import type { Logger } from "../lib/runtime.js";
import { runSpace } from "../persistence/run-space.js";
import type { Clocks } from "./clocks.js";
import type { CompletionTally } from "./completion-tally.js";
import type { EventsCache } from "./events-cache.js";
import type { EventsNotifier } from "./events-notifier.js";
import type { CachedChain, ExecutionCache } from "./execution-cache.js";
import type { OpenBatch } from "./group-commit.js";
import type { KeyAllocator } from "./ids.js";
import { warnOfSizes } from "./limit-warnings.js";
import type { Retention } from "./queues/retention.js";
import type { TimerQueue } from "./queues/timer-queue.js";
import type { StatusChanges } from "./status-changes.js";
import type { UndurableEvents } from "./undurable-events.js";

export interface ExecutionWriterOptions {
  readonly logger: Logger;
  readonly config: () => Config;
  readonly namespaces: () => NamespaceDirectory;
  /** Events of a namespace are being written. */
  readonly onEvents: ((namespace: string, count: number) => void) | undefined;
  readonly cache: ExecutionCache;
  readonly eventsCache: EventsCache;
  readonly undurable: UndurableEvents;
  readonly notifier: EventsNotifier;
  readonly keys: KeyAllocator;
  readonly timers: TimerQueue;
  readonly clocks: () => Clocks;
  readonly retention: Retention;
  readonly changes: StatusChanges;
  readonly completions: CompletionTally;
  /** The chain takes input again. */
  readonly wake: (chain: CachedChain) => void;
}

const ONE = new Uint8Array([1]);

export class ExecutionWriter {
  constructor(private readonly o: ExecutionWriterOptions) {}

  write(chain: CachedChain, draft: ExecutionDraft, open: OpenBatch): void {
    const { rows } = open;
    const { info, key } = draft;
    const namespace = this.o.namespaces().byId(info.namespaceId);
    assert(namespace !== undefined, "an execution has a namespace");
    const old = draft.base.info;
    const oldDue = draft.isNew ? 0 : old.due;
    const oldClock = draft.isNew ? 0 : old.dueClock;
    if (draft.removed) {
      if (oldDue > 0) rows.deleteDue(oldClock, oldDue, key);
      this.remove(chain, draft, namespace, open);
      return;
    }
    const components = draft.componentWrites();
    const { due } = info;
    if (due !== oldDue || info.dueClock !== oldClock) {
      const clock = info.dueClock;
      if (oldDue > 0) rows.deleteDue(oldClock, oldDue, key);
      if (due > 0) rows.insertDue(clock, due, key);
      open.timers.push(() => {
        if (oldDue > 0) this.timersOf(oldClock)?.leave({ clock: oldClock, due: oldDue, key });
        if (due > 0) this.timersOf(clock)?.add({ clock, due, key });
      });
    }
    if (draft.isNew) {
      this.o.keys.writeTo(rows);
      rows.insertRun({ namespaceKey: runSpace(namespace.key, chain.archetype), workflowId: info.workflowId, runId: info.runId, key });
      for (const s of draft.history?.segments ?? [])
        rows.forks.push({ parentBranch: s.branch, childBranch: draft.history?.branch ?? 0, endEventId: s.endEventId });
    }
    for (const b of draft.batches) {
      rows.appendHistory(b.branch, b.firstEventId, b.data, b.events.length, beginsBatch(b.events[0]?.eventType));
      this.o.onEvents?.(namespace.name, b.events.length);
      this.o.undurable.add(b, open);
    }
    for (const c of components) rows.writeComponent(key, c.kind, c.id, c.op === "delete" ? { op: "delete" } : { op: c.op, value: c.value });
    for (const r of draft.requestIds) if (r.id !== info.startRequestId) rows.writeComponent(key, Kind.REQUEST_ID, r.id, { op: "put", value: ONE });
    for (const id of draft.doneTransfers) rows.writeComponent(0, Kind.TRANSFER, id, { op: "delete" });
    if (draft.doneOutbound !== undefined) for (const id of draft.doneOutbound) rows.writeComponent(0, Kind.OUTBOUND, id, { op: "delete" });
    if (draft.visibility !== undefined) {
      rows.putVisibility(draft.visibility, draft.isNew);
      if (this.o.changes.isKeeping) this.keepStatusChange(draft, draft.visibility, open);
    }
    this.take(chain, draft, namespace, open);
  }

  private timersOf(clock: number): TimerQueue | undefined {
    return clock === REAL_CLOCK ? this.o.timers : this.o.clocks().queueOf(clock);
  }

  /** The draft becomes the state. */
  private take(chain: CachedChain, draft: ExecutionDraft, namespace: NamespaceView, open: OpenBatch): void {
    const { info, key } = draft;
    const lastEventId = draft.batches.length > 0 ? draft.history?.lastEventId : draft.changes;
    const { base } = draft;
    const oldRun = base instanceof RunState ? base.info : undefined;
    const oldStateBytes = base instanceof RunState ? base.stateSizeBytes : 0;
    const state = draft.accept();
    const { limits } = ofNamespace(this.o.config(), namespace.name);
    if (oldRun !== undefined) warnOfSizes(this.o.logger, limits, namespace.name, oldRun, oldStateBytes, state as RunState);
    open.putRun(state, chain.shard, draft.isNew);
    if (draft.isNew) {
      chain.began(state);
      this.o.cache.index(chain, state);
    }
    if (draft instanceof RunDraft && draft.timeSkipping !== undefined) {
      const { skip } = draft;
      if (skip !== undefined) open.replies.push(() => this.o.clocks().logSkip(info, skip));
      open.polls.push(() => this.o.clocks().executionChanged(key));
    }
    if (lastEventId !== undefined) {
      const isClosed = !state.isOpen;
      if (isClosed && state instanceof RunState) open.replies.push(() => this.o.completions.note(state.info));
      open.polls.push(() => this.o.notifier.notify(key, lastEventId, isClosed));
    }
  }

  private remove(chain: CachedChain, draft: ExecutionDraft, namespace: NamespaceView, open: OpenBatch): void {
    const { rows } = open;
    const { info, key, history } = draft;
    const remove = this.o.retention.remove(rows, {
      key,
      namespaceKey: namespace.key,
      space: runSpace(namespace.key, chain.archetype),
      workflowId: info.workflowId,
      runId: info.runId,
      history,
      shard: chain.shard,
    });
    for (const id of draft.doneTransfers) rows.writeComponent(0, Kind.TRANSFER, id, { op: "delete" });
    open.timers.push(remove);
    open.runs.delete(draft.base);
    this.o.cache.unindex(key);
    chain.runs.delete(info.runId);
    chain.addMissing(info.runId);
    if (chain.currentRunId === info.runId) chain.currentRunId = undefined;
    // The store still has the run until the batch is durable: nothing of the workflow id is loaded before.
    chain.isBlocked = true;
    const unblock = (): void => {
      chain.isBlocked = false;
      this.o.wake(chain);
    };
    open.replies.push(unblock);
    open.undo.push(unblock);
    if (draft.changes !== undefined) open.polls.push(() => this.o.notifier.notify(key, 0, true));
    if (history !== undefined)
      open.polls.push(() => {
        this.o.eventsCache.drop(history.branch);
        this.o.notifier.notify(key, history.lastEventId + 1, true);
      });
  }

  private keepStatusChange(draft: ExecutionDraft, row: VisibilityRow, open: OpenBatch): void {
    if (!(draft.base instanceof RunState) || (!draft.isNew && draft.base.info.status === row.status)) return;
    const durable = this.o.changes.add(open.rows, row);
    if (durable !== undefined) open.polls.push(durable);
  }
}
