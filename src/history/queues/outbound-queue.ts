/**
 * Calls that leave the store: requests of Nexus operations and completion callbacks. Each has a row from the transition that asks
 * for it to the one that records its outcome, so that a call is made at least once, whatever happens in between. Calls of one kind
 * to one destination of one namespace share a limit and a circuit breaker: behind an open one they wait here, in their state
 * SCHEDULED, and nobody else waits with them.
 */
import { OutboundRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { MICROS_PER_MS } from "../../api/time.js";
import { decode } from "../../api/wire.js";
import { Kind } from "../../core/workflow/mutable-state.js";
import { CircuitBreaker } from "../../lib/circuit-breaker.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { Store } from "../../persistence/store.js";

/** Calls under way in one group (official: history.outboundQueue.groupLimiter.concurrency). */
const GROUP_CONCURRENCY = 100;
const READ_ROWS = 1_000;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;

/** `done`: the row is gone. `isDown`: the destination is to blame. `retry`: the outcome could not be recorded. */
export type OutboundOutcome = { done: true; isDown: boolean } | { done: false; problem: string };

export interface OutboundQueueOptions {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** Ids from here on are given out by this process, which adds their rows itself. */
  readonly ownIdsFrom: number;
  readonly run: (id: number, record: OutboundRecord) => Promise<OutboundOutcome>;
}

interface Call {
  readonly id: number;
  readonly record: OutboundRecord;
  tries: number;
}

interface Group {
  readonly breaker: CircuitBreaker;
  readonly waiting: Call[];
  running: number;
  stopWake: (() => void) | undefined;
}

export class OutboundQueue {
  private readonly groups = new Map<string, Group>();
  private readonly resting = new Set<() => void>();
  private isStopped = false;

  constructor(private readonly o: OutboundQueueOptions) {}

  /** Takes up what an earlier process left. */
  async start(): Promise<void> {
    let after: number | undefined;
    for (;;) {
      const rows = await this.o.store.listComponents(0, Kind.OUTBOUND, after, READ_ROWS);
      for (const r of rows) {
        const id = Number(r.id);
        if (id < this.o.ownIdsFrom) this.add(id, decode(OutboundRecord, r.value));
      }
      if (rows.length < READ_ROWS) return;
      after = Number(rows.at(-1)?.id);
    }
  }

  /** A row that is durable. */
  add(id: number, record: OutboundRecord): void {
    const group = this.group(keyOf(record.kind, record.namespaceId, record.destination));
    group.waiting.push({ id, record, tries: 0 });
    this.pump(group);
  }

  /** An operator has taken the row away: what waits is forgotten, what is under way goes on. */
  remove(id: number, { kind, namespaceId, destination }: OutboundRecord): void {
    const waiting = this.groups.get(keyOf(kind, namespaceId, destination))?.waiting;
    const i = waiting?.findIndex((call) => call.id === id) ?? -1;
    if (i >= 0) waiting?.splice(i, 1);
  }

  /** Whether calls to the destination are held back. */
  isBlocked(kind: number, namespaceId: string, destination: string): boolean {
    const group = this.groups.get(keyOf(kind, namespaceId, destination));
    return group !== undefined && !group.breaker.isClosed(this.o.runtime.nowMicros());
  }

  stop(): void {
    this.isStopped = true;
    for (const stop of this.resting) stop();
    for (const g of this.groups.values()) g.stopWake?.();
  }

  private group(key: string): Group {
    let group = this.groups.get(key);
    if (group === undefined) this.groups.set(key, (group = { breaker: new CircuitBreaker(), waiting: [], running: 0, stopWake: undefined }));
    return group;
  }

  private pump(group: Group): void {
    while (!this.isStopped && group.running < GROUP_CONCURRENCY && group.waiting.length > 0) {
      const now = this.o.runtime.nowMicros();
      const end = group.breaker.tryBegin(now);
      if (end === undefined) {
        this.wakeWhenOpen(group, now);
        return;
      }
      const call = group.waiting.shift() as Call;
      group.running++;
      this.o.run(call.id, call.record).then(
        (outcome) => this.ended(group, call, end, outcome),
        (e: unknown) => this.ended(group, call, end, { done: false, problem: e instanceof Error ? e.message : String(e) }),
      );
    }
  }

  private wakeWhenOpen(group: Group, now: number): void {
    const at = group.breaker.opensAt(now);
    if (at === undefined || group.stopWake !== undefined) return;
    group.stopWake = this.o.runtime.setTimer(Math.ceil((at - now) / MICROS_PER_MS), () => {
      group.stopWake = undefined;
      this.pump(group);
    });
  }

  private ended(group: Group, call: Call, end: (success: boolean, now: number) => void, outcome: OutboundOutcome): void {
    group.running--;
    end(!(outcome.done && outcome.isDown), this.o.runtime.nowMicros());
    if (!outcome.done && !this.isStopped) {
      this.o.logger.warn({ outbound: call.id, problem: outcome.problem }, "the outcome of an outbound call could not be recorded");
      this.rest(group, call);
    }
    this.pump(group);
    if (group.running === 0 && group.waiting.length === 0 && group.breaker.isFresh) {
      const { kind, namespaceId, destination } = call.record;
      const key = keyOf(kind, namespaceId, destination);
      if (this.groups.get(key) === group && this.resting.size === 0) this.groups.delete(key);
    }
  }

  private rest(group: Group, call: Call): void {
    const delayMs = Math.min(RETRY_MS_MIN * 2 ** call.tries++, RETRY_MS_MAX);
    const stop = this.o.runtime.setTimer(delayMs, () => {
      this.resting.delete(stop);
      group.waiting.push(call);
      this.pump(group);
    });
    this.resting.add(stop);
  }
}

function keyOf(kind: number, namespaceId: string, destination: string): string {
  return `${kind}/${namespaceId}/${destination}`;
}
