/**
 * What an operator sees of the history service and does to it: the state of a run in memory and in the store, shards, the tasks that
 * are on their way. Reads are of committed rows. A shard is a number that every execution has (its own column in the store); one
 * process owns all of them, and closing one lets go what is in memory of its executions and reads the timers again.
 */
import { ExecutionHeader, OutboundRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../api/wire.js";
import { Archetype, type ExecutionState } from "../core/execution.js";
import type { ExecutionAddress } from "../core/input.js";
import { loadState } from "../core/load-state.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { TransferKind } from "../core/workflow/transfer-kind.js";
import type { Runtime } from "../lib/runtime.js";
import { runSpace } from "../persistence/run-space.js";
import type { Store } from "../persistence/store.js";
import type { ExecutionCache } from "./execution-cache.js";
import { shardOf } from "./shard.js";

export interface ShardStatus {
  /** How often the shard was opened since the server started. */
  readonly rangeId: number;
  /** Microseconds. */
  readonly openedAt: number;
}

/** An effect on somebody else that is not confirmed yet. */
export interface EffectTask {
  readonly id: number;
  readonly record: TransferRecord;
}

/** A call whose outcome is not recorded yet. */
export interface OutboundTask {
  readonly id: number;
  readonly record: OutboundRecord;
}

/** The row of an execution's earliest deadline. */
export interface TimerTask {
  readonly due: number;
  readonly state: ExecutionState;
}

export interface TaskPage<T, P> {
  readonly tasks: readonly T[];
  /** Where the next page begins; undefined after the last one. */
  readonly next: P | undefined;
}

/** `due` is a time of the clock. */
export type TimerPosition = { readonly clock: number; readonly due: number; readonly key: number };

export interface HistoryAdmin {
  /** When this process began. */
  readonly startedAt: number;
  /** Undefined: the store has no such run. */
  state(address: ExecutionAddress): Promise<{ cached: ExecutionState | undefined; stored: ExecutionState } | undefined>;
  /** Ids of requests that the run has taken, as far as they have rows of their own. */
  requestIds(state: ExecutionState, limit: number): Promise<string[]>;
  shard(shardId: number): ShardStatus;
  /** Resolves when what was in memory of the shard is gone, durable, and its timers are in memory again. */
  closeShard(shardId: number): Promise<void>;
  /** Tasks of a shard with ids in [from, end). Few rows are looked at in a call, so that a page may be short. */
  effects(shardId: number, kind: "transfer" | "archival", from: number, end: number, limit: number): Promise<TaskPage<EffectTask, number>>;
  outbound(shardId: number, from: number, end: number, limit: number): Promise<TaskPage<OutboundTask, number>>;
  /** Timers of a shard due before `until`, behind a position. */
  timers(shardId: number, after: TimerPosition | undefined, until: number, limit: number): Promise<TaskPage<TimerTask, TimerPosition>>;
  /** It is not carried out any more. Nothing happens when there is none. */
  removeEffect(id: number): Promise<void>;
  /** It is not made any more, unless it is under way. */
  removeOutbound(id: number): Promise<void>;
  /** The execution whose timer row has this position. */
  timer(position: Omit<TimerPosition, "clock">): Promise<ExecutionState | undefined>;
  /** Milliseconds that a read of the store takes. */
  readMs(): Promise<number>;
}

export interface HistoryAdminParts {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly cache: ExecutionCache;
  readonly namespaces: () => NamespaceDirectory;
  /** In ascending order. */
  readonly clocks: () => readonly number[];
  readonly close: (shardId: number) => Promise<void>;
  readonly removeEffect: (id: number, record: TransferRecord) => Promise<void>;
  readonly removeOutbound: (id: number, record: OutboundRecord) => Promise<void>;
}

/** Rows that one call looks at, in windows between which others have their turn. */
const ROWS_MAX = 20_000;
const WINDOW = 500;

export class EngineAdmin implements HistoryAdmin {
  readonly startedAt: number;
  private readonly opened = new Map<number, ShardStatus>();

  constructor(private readonly p: HistoryAdminParts) {
    this.startedAt = p.runtime.nowMicros();
  }

  async state(address: ExecutionAddress): Promise<{ cached: ExecutionState | undefined; stored: ExecutionState } | undefined> {
    const namespace = this.p.namespaces().byId(address.namespaceId);
    if (namespace === undefined) return undefined;
    const archetype = address.archetype ?? Archetype.WORKFLOW;
    const { workflowId, runId } = address;
    const found = await this.p.store.findRun({ namespaceKey: runSpace(namespace.key, archetype), workflowId, runId });
    const rows = found === undefined ? undefined : await this.p.store.loadExecution(found.key);
    if (rows === undefined) return undefined;
    return { cached: this.p.cache.byKey(rows.key)?.state, stored: loadState(archetype, rows) };
  }

  async requestIds(state: ExecutionState, limit: number): Promise<string[]> {
    const rows = await this.p.store.listComponents(state.key, Kind.REQUEST_ID, undefined, limit);
    return rows.map((r) => String(r.id));
  }

  shard(shardId: number): ShardStatus {
    return this.opened.get(shardId) ?? { rangeId: 1, openedAt: this.startedAt };
  }

  async closeShard(shardId: number): Promise<void> {
    await this.p.close(shardId);
    this.opened.set(shardId, { rangeId: this.shard(shardId).rangeId + 1, openedAt: this.p.runtime.nowMicros() });
  }

  effects(shardId: number, kind: "transfer" | "archival", from: number, end: number, limit: number): Promise<TaskPage<EffectTask, number>> {
    return this.rows(Kind.TRANSFER, from, end, limit, (value) => {
      const record = decode(TransferRecord, value);
      if ((record.kind === TransferKind.ARCHIVE) !== (kind === "archival")) return undefined;
      return shardOf({ namespaceId: record.sourceNamespaceId, workflowId: record.sourceWorkflowId }) === shardId ? record : undefined;
    });
  }

  outbound(shardId: number, from: number, end: number, limit: number): Promise<TaskPage<OutboundTask, number>> {
    return this.rows(Kind.OUTBOUND, from, end, limit, (value) => {
      const record = decode(OutboundRecord, value);
      return shardOf(record) === shardId ? record : undefined;
    });
  }

  /** Rows that are under no execution, in order of their ids. `of`: undefined is none that is looked for. */
  private async rows<T>(
    kind: number,
    from: number,
    end: number,
    limit: number,
    of: (value: Uint8Array) => T | undefined,
  ): Promise<TaskPage<{ id: number; record: T }, number>> {
    const tasks: { id: number; record: T }[] = [];
    let after = from - 1;
    for (let looked = 0; looked < ROWS_MAX; looked += WINDOW) {
      const rows = await this.p.store.listComponents(0, kind, after, WINDOW);
      for (const row of rows) {
        const id = Number(row.id);
        if (id >= end) return { tasks, next: undefined };
        if (tasks.length >= limit) return { tasks, next: id };
        after = id;
        const record = of(row.value);
        if (record !== undefined) tasks.push({ id, record });
      }
      if (rows.length < WINDOW) return { tasks, next: undefined };
      await this.pause();
    }
    return { tasks, next: after + 1 };
  }

  async timers(shardId: number, after: TimerPosition | undefined, until: number, limit: number): Promise<TaskPage<TimerTask, TimerPosition>> {
    const tasks: TimerTask[] = [];
    let last = after;
    let looked = 0;
    for (const clock of this.p.clocks()) {
      if (after !== undefined && clock < after.clock) continue;
      for (;;) {
        const rows = await this.p.store.readDue(clock, until - 1, last?.clock === clock ? last : undefined, WINDOW);
        for (const row of rows) {
          if (tasks.length >= limit) return { tasks, next: last };
          last = { clock, due: row.due, key: row.key };
          const state = await this.load(row.key);
          if (state !== undefined && shardOf(state.info) === shardId) tasks.push({ due: row.due, state });
        }
        if (rows.length < WINDOW) break;
        looked += rows.length;
        if (looked >= ROWS_MAX) return { tasks, next: last };
        await this.pause();
      }
    }
    return { tasks, next: undefined };
  }

  async removeEffect(id: number): Promise<void> {
    const value = await this.p.store.loadComponent(0, Kind.TRANSFER, id);
    if (value !== undefined) await this.p.removeEffect(id, decode(TransferRecord, value));
  }

  async removeOutbound(id: number): Promise<void> {
    const value = await this.p.store.loadComponent(0, Kind.OUTBOUND, id);
    if (value !== undefined) await this.p.removeOutbound(id, decode(OutboundRecord, value));
  }

  async timer({ due, key }: Omit<TimerPosition, "clock">): Promise<ExecutionState | undefined> {
    const state = await this.load(key);
    return state?.info.due === due ? state : undefined;
  }

  async readMs(): Promise<number> {
    const begin = this.p.runtime.nowMicros();
    await this.p.store.nextDue(0);
    return (this.p.runtime.nowMicros() - begin) / 1000;
  }

  private async load(key: number): Promise<ExecutionState | undefined> {
    const rows = await this.p.store.loadExecution(key);
    return rows === undefined ? undefined : loadState(decode(ExecutionHeader, rows.record).archetype, rows);
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => this.p.runtime.defer(resolve));
  }
}
