/**
 * What the clocks of namespaces (clocks.ts) need of the engine: when everything is at rest, how a deadline is applied together with
 * the skip to it, and that nothing which was computed from an offset is durable before the offset is.
 */
import { ExecutionHeader } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../api/wire.js";
import type { Archetype, ExecutionInfo } from "../core/execution.js";
import { nextDeadline } from "../core/followed-clock.js";
import type { ExecutionAddress, Input, InputKind } from "../core/input.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { RunState } from "../core/workflow/mutable-state.js";
import type { Store } from "../persistence/store.js";
import type { Applier } from "./applier.js";
import type { ClockHost, Clocks, NamespaceClock } from "./clocks.js";
import type { CachedChain, ExecutionCache } from "./execution-cache.js";
import type { GroupCommit, OpenBatch } from "./group-commit.js";
import { addressOf, openRuns, transferSources } from "./open-runs.js";
import type { OwnRows } from "./own-rows.js";
import type { PendingInput } from "./pending-input.js";
import type { DueRow } from "./queues/timer-queue.js";

/** They change nothing: a clock does not wait for them. */
const READING: ReadonlySet<InputKind> = new Set([
  "describe",
  "historyPosition",
  "isTransferAwaited",
  "timeSkippingState",
  "describeSchedule",
  "scheduleMatchingTimes",
  "describeActivityExecution",
  "activityOutcome",
]);

type Skip = NonNullable<PendingInput["skip"]>;

export interface EngineClocksOptions {
  readonly store: Store;
  readonly cache: ExecutionCache;
  readonly commits: GroupCommit;
  readonly clocks: () => Clocks;
  readonly applier: Pick<Applier, "realNow">;
  readonly fire: (row: DueRow) => Promise<void>;
  readonly submit: (address: ExecutionAddress, input: Input, skip?: Skip) => Promise<unknown>;
  readonly rows: Pick<OwnRows, "commit">;
}

export class EngineClocks implements ClockHost {
  constructor(private readonly o: EngineClocksOptions) {}

  realNow(): number {
    return this.o.applier.realNow();
  }

  isQuiet(follows: (namespaceId: string) => boolean): boolean {
    const { durable } = this.o.commits;
    for (const c of this.o.cache.all()) {
      const isAtRest = !c.isBlocked && c.sequence <= durable && c.queue.every((p) => READING.has(p.input.kind));
      if (!isAtRest && follows(c.namespaceId)) return false;
    }
    return true;
  }

  fire(row: DueRow): Promise<void> {
    return this.o.fire(row);
  }

  commitClock(clock: NamespaceClock, adopted: boolean): Promise<void> {
    this.hold(clock);
    return this.o.rows.commit((rows) => clock.write(rows, adopted));
  }

  async settle(address: ExecutionAddress): Promise<void> {
    await this.o.submit(address, { kind: "due", settle: true });
  }

  settled(): Promise<void> {
    return this.o.rows.commit(() => undefined);
  }

  transferSources(): Promise<ExecutionAddress[]> {
    return transferSources(this.o.store);
  }

  transitionsOf(key: number): number | undefined {
    const state = this.o.cache.byKey(key)?.state;
    return state instanceof RunState ? state.info.stateTransitionCount : undefined;
  }

  openRuns(namespace: NamespaceView): AsyncIterable<ExecutionAddress> {
    return openRuns(this.o.store, namespace);
  }

  /** Lets the clock go on to a row's time together with what is due then. A row that its run has left behind is forgotten. */
  async skip(clock: NamespaceClock, row: DueRow): Promise<void> {
    const found = await this.executionOf(row);
    if (found === undefined || found.info.due !== row.due || found.info.dueClock !== row.clock) {
      clock.queue?.discard(row);
      return;
    }
    await this.o.submit(addressOf(found.info, found.archetype), { kind: "due" }, { clock, row });
  }

  private async executionOf(row: DueRow): Promise<{ info: Omit<ExecutionInfo, "startRequestId">; archetype: Archetype } | undefined> {
    const cached = this.o.cache.byKey(row.key)?.state;
    if (cached !== undefined) return cached;
    const rows = await this.o.store.loadExecution(row.key);
    if (rows === undefined) return undefined;
    const info = decode(ExecutionHeader, rows.record);
    return { info, archetype: info.archetype };
  }

  /** Moves the clock to the row's time, if that is the execution's exact deadline. `write` makes it part of the open batch. */
  advance(chain: CachedChain, { clock, row }: Skip): { undo(): void; write(): void } | undefined {
    const state = this.o.cache.byKey(row.key)?.state;
    if (state === undefined || state.info.due !== row.due || state.info.dueClock !== row.clock) return undefined;
    const deadline = nextDeadline(state);
    if (deadline.at !== row.due) return undefined;
    const before = clock.offset;
    const from = this.o.applier.realNow() + before;
    if (from >= row.due) return undefined;
    const offset = before + row.due - from;
    clock.moveTo(offset);
    const undo = (): void => clock.moveTo(before);
    const { runId } = state.info;
    const { reason } = deadline;
    return {
      undo,
      write: () => {
        const open = this.hold(clock);
        clock.write(open.rows, true);
        open.undo.push(undo);
        open.replies.push(() => {
          this.o.clocks().skipIsDurable(clock, offset);
          this.o.clocks().log(clock, from, row.due, reason, { workflowId: chain.workflowId, runId });
        });
      },
    };
  }

  /** The open batch holds the clock's offset. */
  private hold(clock: NamespaceClock): OpenBatch {
    const { open } = this.o.commits;
    open.chains.add(clock.tie);
    clock.tie.sequence = open.sequence;
    return open;
  }

  /** A batch that was computed from an offset which is not durable goes no further than the batch that holds it. */
  tie(chain: CachedChain, open: OpenBatch): void {
    const { tie } = this.o.clocks().clockOf(chain.namespaceId);
    if (tie.sequence > this.o.commits.durable) open.chains.add(tie);
  }
}
