/**
 * Deliberate breakages of src, each of which the fixed seeds must catch: what a checker does not find here it would not find in a
 * real mistake either. A mutation puts another method in the place of one of src, or another core in the place of the real one.
 */

import { TimeSkippingRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { CallbackState } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { ResetReapplyExcludeType } from "../../gen/wire/temporal/api/enums/v1/reset.js";
import { VersioningBehavior } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { ActivityDraft, ActivityState } from "../../src/core/activity-execution/activity-state.js";
import type { apply as Apply, Chain } from "../../src/core/engine.js";
import { apply } from "../../src/core/engine.js";
import { Archetype } from "../../src/core/execution.js";
import type { Env, Input } from "../../src/core/input.js";
import { NexusExecutionDraft, NexusExecutionState } from "../../src/core/nexus-operation/execution-state.js";
import { OutboundKind } from "../../src/core/outbound.js";
import { ScheduleState } from "../../src/core/scheduler/schedule-state.js";
import { CompiledSpec } from "../../src/core/scheduler/spec.js";
import type { Replies } from "../../src/core/transition.js";
import type { TaskVersion } from "../../src/core/versioning/task-version.js";
import { Run } from "../../src/core/workflow/context.js";
import { EventFactory } from "../../src/core/workflow/event-factory.js";
import { Kind, RunDraft } from "../../src/core/workflow/mutable-state.js";
import { Acceptance } from "../../src/history/acceptance.js";
import { Clocks, NamespaceClock } from "../../src/history/clocks.js";
import { EventsNotifier } from "../../src/history/events-notifier.js";
import { ExecutionCache } from "../../src/history/execution-cache.js";
import { GroupCommit, OpenBatch } from "../../src/history/group-commit.js";
import { frameOffsets } from "../../src/history/history-reader.js";
import { KeyAllocator } from "../../src/history/ids.js";
import { InputLoop } from "../../src/history/input-loop.js";
import { TransferQueue } from "../../src/history/queues/transfer-queue.js";
import { DEPLOYMENT_REGISTRY_KIND, Deployments } from "../../src/matching/deployments.js";
import { MatchingEngine } from "../../src/matching/matching-engine.js";
import { NexusQueues } from "../../src/matching/nexus-queues.js";
import { TaskRoutes } from "../../src/matching/task-routes.js";
import { type RoutedTask, VersionRouter } from "../../src/matching/version-router.js";
import type { NexusTask } from "../../src/nexus/contract.js";
import { Batch, type RowWrite } from "../../src/persistence/batch.js";
import { Journal } from "../../src/persistence/sqlite/journal.js";
import { PendingRows } from "../../src/persistence/sqlite/pending-rows.js";
import { VersionDrainage } from "../../src/worker/version-drainage.js";
import { swarmOf } from "./simulation.js";
import { isUntroubled, type Swarm } from "./world.js";

export interface Mutation {
  readonly name: string;
  /** Only seeds that do this at all, or spare what makes tasks time out, can find it. */
  readonly needs?: keyof Swarm | "untroubled";
  /** Breaks src; answers how to mend it, and the core to use. */
  readonly begin: () => { undo: () => void; apply?: typeof Apply };
}

/** The fixed seeds; of those that do what a mutation needs, and are fewer, from twice as many. */
export const FIXED_SEEDS = 100;

export function seedsFor({ needs }: Mutation): number[] {
  const all = Array.from({ length: needs === undefined ? FIXED_SEEDS : 2 * FIXED_SEEDS }, (_, i) => i + 1);
  if (needs === undefined) return all;
  return all.filter((seed) => (needs === "untroubled" ? isUntroubled(swarmOf(seed)) : swarmOf(seed)[needs]));
}

// biome-ignore lint/suspicious/noExplicitAny: methods of src are replaced by name, private ones too.
type Any = any;

export function replace(prototype: object, name: string, make: (original: Any) => Any): { undo: () => void } {
  const target = prototype as Record<string, Any>;
  const original = target[name];
  if (typeof original !== "function") throw new Error(`src has no method ${name} any more: the mutation means nothing`);
  target[name] = make(original);
  return {
    undo: () => {
      target[name] = original;
    },
  };
}

/** A core that gets another input, or another environment. */
function core(change: (input: Input, env: Env, chain: Parameters<typeof Apply>[0]) => { input?: Input; env?: Env } | "stale"): {
  undo: () => void;
  apply: typeof Apply;
} {
  const broken: Any = (chain: Any, address: Any, input: Input, env: Env, loaded: Any) => {
    const changed = change(input, env, chain);
    if (changed === "stale") return { outcome: "stale" };
    return (apply as Any)(chain, address, changed.input ?? input, changed.env ?? env, loaded);
  };
  return { undo: () => undefined, apply: broken };
}

/** A core that answers an input of this kind in another way. */
function answering<K extends keyof Replies>(kind: K, change: (reply: Replies[K]) => Replies[K]): { undo: () => void; apply: typeof Apply } {
  const broken: Any = (...all: Parameters<typeof Apply>) => {
    const outcome: Any = apply(...all);
    const isIt = (all[2] as Input).kind === kind && outcome.outcome === "accepted";
    return isIt ? Object.assign(outcome, { reply: change(outcome.reply) }) : outcome;
  };
  return { undo: () => undefined, apply: broken };
}

/** A core that does something else beside to a run with an input of this kind. */
function beside(kind: Input["kind"], change: (draft: RunDraft, outcome: Any) => void): { undo: () => void; apply: typeof Apply } {
  const broken: Any = (...all: Parameters<typeof Apply>) => {
    const outcome = apply(...all);
    if ((all[2] as Input).kind === kind && outcome.outcome === "accepted")
      for (const draft of outcome.runs) if (draft instanceof RunDraft) change(draft, outcome);
    return outcome;
  };
  return { undo: () => undefined, apply: broken };
}

/** A core that writes a standalone operation's due row for later, where `isIt` says so. */
function puttingOff(isIt: (info: NexusExecutionDraft["info"], now: number) => boolean): { undo: () => void; apply: typeof Apply } {
  const broken: Any = (...all: Parameters<typeof Apply>) => {
    const outcome = apply(...all);
    if (outcome.outcome !== "accepted") return outcome;
    for (const draft of outcome.runs)
      if (draft instanceof NexusExecutionDraft && draft.isOpen && isIt(draft.info, (all[3] as Env).now)) draft.info.due += 5_000_000;
    return outcome;
  };
  return { undo: () => undefined, apply: broken };
}

/** Matching that understands in another way which workers a task is for. */
function asked(change: (said: TaskVersion) => TaskVersion): { undo: () => void } {
  return replace(
    VersionRouter.prototype,
    "place",
    (original) =>
      function (this: VersionRouter, task: RoutedTask, queue: string) {
        return original.call(this, task.version === undefined ? task : { ...task, version: change(task.version) }, queue);
      },
  );
}

/** Every n-th call goes wrong. */
function every(n: number): () => boolean {
  let calls = 0;
  return () => ++calls % n === 0;
}

/** Component rows of a kind are not written. */
function withoutRows(kind: Kind, isLost: () => boolean = () => true): { undo: () => void } {
  return replace(
    Batch.prototype,
    "writeComponent",
    (original) =>
      function (this: Batch, key: number, k: number, id: number | string, write: RowWrite) {
        if (k !== kind || write.op === "delete" || !isLost()) original.call(this, key, k, id, write);
      },
  );
}

/** Now and then what is written of an execution is what was written before. */
function withOldRecords(prototype: object): { undo: () => void } {
  const hit = every(7);
  const last = new WeakMap<object, Uint8Array>();
  return replace(
    prototype,
    "encodeRecord",
    (encodeRecord) =>
      function (this: object) {
        const before = last.get(this);
        const now = encodeRecord.call(this) as Uint8Array;
        last.set(this, now);
        return before !== undefined && hit() ? before : now;
      },
  );
}

/** Its row of timers stays where it was. */
const keepsDue = (draft: RunDraft): void => {
  draft.info.due = draft.base.info.due;
};

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "a reply leaves before its commit",
    begin: () => replace(GroupCommit.prototype, "release", () => (_sequence: number, f: () => void) => f()),
  },
  {
    name: "answers are released newest first",
    begin: () =>
      replace(
        GroupCommit.prototype,
        "runAll",
        (original) =>
          function (this: GroupCommit, batch: OpenBatch) {
            (batch.replies as Any).reverse();
            original.call(this, batch);
          },
      ),
  },
  { name: "a timer row is not written", begin: () => replace(Batch.prototype, "insertDue", () => () => undefined) },
  {
    name: "a timer row is too late",
    begin: () =>
      replace(
        Batch.prototype,
        "insertDue",
        (original) =>
          function (this: Batch, clock: number, due: number, key: number) {
            original.call(this, clock, due + 60_000_000, key);
          },
      ),
  },
  {
    name: "a timer fires early",
    begin: () => core((input, env) => (input.kind === "due" ? { env: Object.create(env, { now: { value: env.now + 2_000_000 } }) as Env } : {})),
  },
  {
    name: "a task is given to a poller that has gone",
    begin: () =>
      replace(
        MatchingEngine.prototype,
        "reserve",
        (original) =>
          function (this: MatchingEngine, task: Any) {
            const r = original.call(this, task);
            if (r !== undefined) r.isGone = () => false;
            return r;
          },
      ),
  },
  {
    name: "a task that could not be delivered does not come back",
    begin: () => replace(InputLoop.prototype, "undeliver", () => () => undefined),
  },
  {
    name: "a visibility row is skipped",
    begin: () => {
      const isLost = every(50);
      return replace(
        Batch.prototype,
        "putVisibility",
        (original) =>
          function (this: Batch, row: Any, isNew: boolean) {
            if (!isLost()) original.call(this, row, isNew);
          },
      );
    },
  },
  {
    name: "events of a batch change places",
    begin: () => {
      const isSwapped = every(50);
      return replace(
        Batch.prototype,
        "appendHistory",
        (original) =>
          function (this: Batch, branch: number, first: number, data: Uint8Array) {
            const at = frameOffsets(data);
            const second = at[1] as number;
            const third = at[2];
            const swapped =
              third !== undefined && isSwapped()
                ? Buffer.concat([data.subarray(second, third), data.subarray(0, second), data.subarray(third)])
                : data;
            original.call(this, branch, first, swapped);
          },
      );
    },
  },
  {
    name: "buffered events are written in another order",
    begin: () =>
      replace(
        EventFactory.prototype,
        "flushBuffered",
        (original) =>
          function (this: EventFactory) {
            const { draft } = this as unknown as { draft: RunDraft };
            const rows = [...draft.buffered.values()];
            const events = rows.map((r) => r.events).reverse();
            rows.forEach((r, i) => {
              draft.buffered.set(r.rowId, { ...r, events: events[i] ?? [] });
            });
            return original.call(this);
          },
      ),
  },
  { name: "a buffered event is not stored", begin: () => withoutRows(Kind.BUFFERED_EVENT) },
  {
    name: "the size of events that no longer wait is kept",
    begin: () =>
      replace(
        RunDraft.prototype,
        "takeBuffered",
        (original) =>
          function (this: RunDraft) {
            const { bufferedSizeBytes } = this;
            const events = original.call(this);
            this.bufferedSizeBytes = bufferedSizeBytes;
            return events;
          },
      ),
  },
  { name: "a transfer task is not stored", begin: () => withoutRows(Kind.TRANSFER, every(2)) },
  { name: "a transfer task is not run", begin: () => replace(TransferQueue.prototype, "add", () => () => undefined) },
  { name: "the row of a request id is not written", begin: () => withoutRows(Kind.REQUEST_ID) },
  {
    name: "a stale task token is accepted",
    begin: () =>
      core((input, _env, chain) => {
        if (input.kind !== "completeActivity" || input.activity.by !== "token") return {};
        const { token } = input.activity;
        if ((token.archetype as Archetype) !== Archetype.WORKFLOW) return {};
        const now = (chain as Chain).run(token.runId)?.activities.base.get(token.scheduledEventId);
        if (now === undefined) return {};
        return { input: { ...input, activity: { by: "token", token: { ...token, attempt: now.attempt, nonce: now.nonce } } } };
      }),
  },
  {
    name: "the attempts of an activity are not counted",
    begin: () =>
      replace(
        RunDraft.prototype,
        "putActivity",
        (original) =>
          function (this: RunDraft, a: Any) {
            original.call(this, a.waitsForRetry ? { ...a, attempt: Math.max(1, a.attempt - 1) } : a);
          },
      ),
  },
  {
    name: "a stored task has no row",
    begin: () =>
      replace(
        Batch.prototype,
        "writeBacklog",
        (original) =>
          function (this: Batch, at: unknown, write: RowWrite) {
            if (write.op === "delete") original.call(this, at, write);
          },
      ),
  },
  { name: "a run is not found by its name", begin: () => replace(Batch.prototype, "insertRun", () => () => undefined) },
  {
    name: "what a process that died left in the journal is not read",
    begin: () => replace(Journal.prototype, "unapplied", () => () => []),
  },
  {
    name: "reads do not look at what waits in the journal",
    begin: () =>
      replace(PendingRows.prototype, "loadExecution", () => (key: number, record: () => Uint8Array | undefined, live: () => []) => {
        const stored = record();
        return stored === undefined ? undefined : { key, record: stored, live: live() };
      }),
  },
  {
    name: "due rows that wait in the journal are lost",
    begin: () =>
      replace(
        PendingRows.prototype,
        "merge",
        (original) =>
          function (this: PendingRows, b: Batch) {
            original.call(this, b);
            this.rows.dues.clear();
          },
      ),
  },
  {
    name: "the record of a run is not written",
    begin: () => {
      const isLost = every(100);
      return replace(
        OpenBatch.prototype,
        "putRun",
        (original) =>
          function (this: OpenBatch, state: unknown, shard: number, isNew: boolean) {
            if (isNew || !isLost()) original.call(this, state, shard, isNew);
          },
      );
    },
  },
  {
    name: "the keys that are in use are forgotten",
    begin: () => replace(KeyAllocator.prototype, "writeTo", () => () => undefined),
  },
  {
    name: "a refused batch stays in memory",
    begin: () => replace(ExecutionCache.prototype, "evict", () => () => undefined),
  },
  { name: "the end of a child is not reported", begin: () => core((input) => (input.kind === "childClosed" ? "stale" : {})) },
  {
    name: "a start that comes again is another start",
    begin: () => {
      let n = 0;
      const broken: Any = (chain: Any, address: Any, input: Input, env: Env, loaded: Any) => {
        if (input.kind !== "start") return (apply as Any)(chain, address, input, env, loaded);
        const { requestId } = input.request;
        const outcome = (apply as Any)(chain, address, { ...input, request: { ...input.request, requestId: `${requestId}/${n++}` } }, env, loaded);
        if (outcome.outcome === "accepted")
          for (const draft of outcome.runs) if (draft.isNew) Object.assign(draft.info, { startRequestId: requestId });
        return outcome;
      };
      return { undo: () => undefined, apply: broken };
    },
  },
  { name: "an accepted update is not stored", begin: () => withoutRows(Kind.UPDATE) },
  {
    name: "a completed update is kept only in memory",
    begin: () => withoutRows(Kind.COMPLETED_UPDATE),
  },
  {
    name: "a reset leaves the signals of its base behind",
    begin: () =>
      core((input) =>
        input.kind === "reset"
          ? { input: { ...input, request: { ...input.request, resetReapplyExcludeTypes: [ResetReapplyExcludeType.SIGNAL] } } }
          : {},
      ),
  },
  {
    name: "a reset forks one workflow task too early",
    begin: () =>
      core((input) =>
        input.kind === "reset"
          ? { input: { ...input, request: { ...input.request, workflowTaskFinishEventId: Math.min(4, input.request.workflowTaskFinishEventId) } } }
          : {},
      ),
  },
  {
    name: "a reset that comes again is another reset",
    begin: () => {
      let n = 0;
      return core((input) =>
        input.kind === "reset" ? { input: { ...input, request: { ...input.request, requestId: `${input.request.requestId}/${n++}` } } } : {},
      );
    },
  },
  {
    name: "a workflow that is unpaused stays paused",
    begin: () => core((input) => (input.kind === "unpauseWorkflow" ? "stale" : {})),
  },
  {
    name: "an activity that is unpaused is not offered again",
    needs: "operates",
    begin: () => core((input) => (input.kind === "unpauseActivity" ? "stale" : {})),
  },
  { name: "the end of a schedule's action is not reported", begin: () => core((input) => (input.kind === "actionClosed" ? "stale" : {})) },
  {
    name: "a schedule passes over a time",
    begin: () => {
      const hit = every(9);
      return replace(
        CompiledSpec.prototype,
        "next",
        (next) =>
          function (this: Any, seed: string, after: number, stepsMax: number) {
            const time = next.call(this, seed, after, stepsMax);
            return time !== undefined && hit() ? next.call(this, seed, time.actual, stepsMax) : time;
          },
      );
    },
  },
  { name: "a change of a schedule is not written", begin: () => withOldRecords(ScheduleState.prototype) },
  { name: "a change of a standalone activity is not written", begin: () => withOldRecords(ActivityState.prototype) },
  {
    name: "the outcome of a standalone activity is not stored",
    begin: () =>
      replace(
        ActivityDraft.prototype,
        "componentWrites",
        (original) =>
          function (this: ActivityDraft) {
            const outcome = 49;
            return original.call(this).filter((row: { kind: number }) => row.kind !== outcome);
          },
      ),
  },
  {
    name: "an attempt of a standalone activity that could not be delivered does not come back",
    needs: "untroubled",
    begin: () => core((input, _env, chain) => (input.kind === "undelivered" && chain.current()?.archetype === Archetype.ACTIVITY ? "stale" : {})),
  },
  {
    name: "a call that leaves the store is kept only in memory",
    begin: () => withoutRows(Kind.OUTBOUND),
  },
  {
    name: "a call that has been made stays to be made",
    begin: () =>
      replace(
        Batch.prototype,
        "writeComponent",
        (original) =>
          function (this: Batch, key: number, kind: number, id: number | string, write: RowWrite) {
            if (kind !== Kind.OUTBOUND || write.op !== "delete") original.call(this, key, kind, id, write);
          },
      ),
  },
  {
    name: "an operation that has ended may end once more",
    begin: () => replace(RunDraft.prototype, "deleteNexusOperation", () => () => undefined),
  },
  {
    name: "who waits for the end of a standalone activity is not told",
    begin: () => replace(EventsNotifier.prototype, "notify", () => () => undefined),
  },
  { name: "a change of a standalone operation is not written", needs: "operations", begin: () => withOldRecords(NexusExecutionState.prototype) },
  {
    name: "the outcome of a standalone operation is not stored",
    needs: "operations",
    begin: () =>
      replace(
        NexusExecutionDraft.prototype,
        "componentWrites",
        (original) =>
          function (this: NexusExecutionDraft) {
            const outcome = 57;
            return original.call(this).filter((row: { kind: number }) => row.kind !== outcome);
          },
      ),
  },
  {
    name: "nobody asks for the cancellation of a standalone operation",
    needs: "operations",
    begin: () =>
      replace(
        NexusExecutionDraft.prototype,
        "call",
        (original) =>
          function (this: NexusExecutionDraft, call: { kind: OutboundKind }) {
            if (call.kind !== OutboundKind.CANCEL_OPERATION) original.call(this, call);
          },
      ),
  },
  {
    name: "a standalone operation that was refused for now has failed",
    needs: "operations",
    begin: () =>
      core((input, _env, chain) =>
        input.kind === "nexusStarted" && input.outcome.kind === "retry" && chain.current()?.archetype === Archetype.NEXUS_OPERATION
          ? { input: { ...input, outcome: { kind: "failed", cause: input.outcome.failure } } }
          : {},
      ),
  },
  {
    name: "the completion of a standalone operation is acknowledged and dropped",
    needs: "operations",
    begin: () =>
      core((input, _env, chain) => (input.kind === "nexusCompleted" && chain.current()?.archetype === Archetype.NEXUS_OPERATION ? "stale" : {})),
  },
  { name: "the deadlines of a standalone operation come late", needs: "operations", begin: () => puttingOff(({ due }) => due > 0) },
  {
    name: "a deadline of a standalone operation that has passed is put off when the operation changes",
    needs: "operations",
    begin: () => puttingOff(({ due }, now) => due === now + 1),
  },
  { name: "a completion callback is not stored", needs: "callbacks", begin: () => withoutRows(Kind.CALLBACK) },
  {
    name: "a completion callback is taken for delivered that was not",
    needs: "callbacks",
    begin: () => core((input) => (input.kind === "callbackDelivered" ? { input: { ...input, outcome: { kind: "done" } } } : {})),
  },
  {
    name: "a completion callback leaves before the commit of the close",
    needs: "callbacks",
    begin: () => {
      const isCallback = (p: Any): boolean => p?.input.kind === "callbackCall";
      const early = replace(
        GroupCommit.prototype,
        "release",
        (original) =>
          function (this: GroupCommit, sequence: number, f: () => void, p: unknown, ...more: unknown[]) {
            if (isCallback(p)) f();
            else original.call(this, sequence, f, p, ...more);
          },
      );
      const begun = replace(
        Acceptance.prototype,
        "beginOutbound",
        (original) =>
          function (this: Acceptance, record: { kind: OutboundKind }, open: OpenBatch) {
            original.call(this, record, open);
            if (record.kind === OutboundKind.CALLBACK) open.timers.pop()?.();
          },
      );
      return {
        undo: () => {
          early.undo();
          begun.undo();
        },
      };
    },
  },
  {
    name: "a completion callback goes to another address",
    needs: "callbacks",
    begin: () => {
      const hit = every(20);
      return answering("callbackCall", (call) => (hit() ? { ...call, url: `${call.url}0` } : call));
    },
  },
  {
    name: "a completion callback tells another outcome",
    needs: "callbacks",
    begin: () =>
      answering("callbackCall", (call) => (call.outcome.kind === "canceled" ? { ...call, outcome: { ...call.outcome, kind: "failed" } } : call)),
  },
  {
    name: "a callback of a standalone activity that was delivered is delivered again by the next process",
    needs: "callbacks",
    begin: () => {
      const ofCallbacks = 50;
      const stored = replace(
        ActivityDraft.prototype,
        "componentWrites",
        (original) =>
          function (this: ActivityDraft) {
            const isOver = (id: number): boolean => this.callbacks.get(id)?.state === CallbackState.SUCCEEDED;
            return original.call(this).filter((row: { kind: number; id: number }) => row.kind !== ofCallbacks || !isOver(row.id));
          },
      );
      const row = replace(ActivityDraft.prototype, "callDone", () => () => undefined);
      return {
        undo: () => {
          stored.undo();
          row.undo();
        },
      };
    },
  },
  {
    name: "a callback of a standalone activity that was delivered is delivered once more",
    needs: "callbacks",
    begin: () => {
      const delivered = new Set<string>();
      return core((input, _env, chain) => {
        if (input.kind !== "callbackDelivered" || input.outcome.kind !== "done" || chain.current()?.archetype !== Archetype.ACTIVITY) return {};
        const id = `${chain.current()?.info.runId} ${input.callbackId}`;
        if (delivered.has(id)) return {};
        delivered.add(id);
        return { input: { ...input, outcome: { kind: "retry", message: "not heard" } } };
      });
    },
  },
  {
    name: "a start that finds a standalone activity running does not attach its callbacks",
    needs: "callbacks",
    begin: () =>
      core((input, _env, chain) =>
        input.kind === "startActivityExecution" && chain.current()?.isOpen === true
          ? { input: { ...input, request: { ...input.request, completionCallbacks: [] } } }
          : {},
      ),
  },
  {
    name: "a start that comes again attaches its callbacks to a standalone activity once more",
    needs: "callbacks",
    begin: () => {
      let n = 0;
      return core((input, _env, chain) =>
        input.kind === "startActivityExecution" && chain.current()?.isOpen === true
          ? { input: { ...input, request: { ...input.request, requestId: `${input.request.requestId}/${n++}` } } }
          : {},
      );
    },
  },
  {
    name: "tasks of a pinned run go by the routing",
    needs: "versions",
    begin: () => asked((said) => (said.behavior === VersioningBehavior.PINNED ? { ...said, behavior: VersioningBehavior.AUTO_UPGRADE } : said)),
  },
  {
    name: "a run that goes by the routing stays where it is",
    needs: "versions",
    begin: () =>
      asked((said) =>
        said.behavior === VersioningBehavior.AUTO_UPGRADE && said.version !== undefined ? { ...said, behavior: VersioningBehavior.PINNED } : said,
      ),
  },
  {
    name: "the ramp is as great as it is small",
    needs: "versions",
    begin: () =>
      replace(
        Deployments.prototype,
        "recompute",
        (original) =>
          function (this: Deployments, queues: unknown) {
            original.call(this, queues);
            const { present } = this as Any;
            for (const [key, q] of present?.queues ?? [])
              if (q.ramping !== undefined) present.queues.set(key, { ...q, rampPercentage: 100 - q.rampPercentage });
          },
      ),
  },
  {
    name: "a change of the routing is kept only in memory",
    needs: "versions",
    begin: () =>
      replace(
        Batch.prototype,
        "writeRegistry",
        (original) =>
          function (this: Batch, kind: string, id: string, version: number, write: RowWrite) {
            if (kind !== DEPLOYMENT_REGISTRY_KIND || write.op !== "put") original.call(this, kind, id, version, write);
          },
      ),
  },
  {
    name: "what waits stays where it is when the routing changes",
    needs: "versions",
    begin: () => replace(TaskRoutes.prototype, "reroute", () => () => undefined),
  },
  {
    name: "a version is drained that has workflows",
    needs: "versions",
    begin: () => replace(VersionDrainage.prototype, "hasWorkflows", () => () => Promise.resolve(false)),
  },
  {
    name: "an override of a run's version is acknowledged and dropped",
    needs: "versions",
    begin: () =>
      core((input) =>
        input.kind === "updateOptions" && input.request.updateMask?.paths[0] === "versioning_override"
          ? { input: { ...input, request: { ...input.request, workflowExecutionOptions: undefined } } }
          : {},
      ),
  },
  {
    name: "commands for a worker are not sent",
    needs: "commands",
    begin: () =>
      replace(
        Run.prototype,
        "outbound",
        (original) =>
          function (this: Run, call: { kind: OutboundKind }) {
            if (call.kind !== OutboundKind.WORKER_COMMANDS) original.call(this, call);
          },
      ),
  },
  {
    name: "commands for a worker go to another one",
    needs: "commands",
    begin: () =>
      replace(
        NexusQueues.prototype,
        "dispatchNexusTask",
        (original) =>
          function (this: NexusQueues, task: NexusTask) {
            const taskQueue = task.taskQueue.replace(/worker-(\d)$/, (_, n) => `worker-${n === "0" ? 2 : 0}`);
            return original.call(this, { ...task, taskQueue });
          },
      ),
  },
  {
    name: "the process of the worker before is told of an attempt that another worker has",
    needs: "commands",
    begin: () => {
      const before = new Map<string, string | undefined>();
      return core((input, env, chain) => {
        if (input.kind !== "startActivity" || chain.current()?.archetype !== Archetype.WORKFLOW) return {};
        const id = `${chain.current()?.info.runId} ${input.scheduledEventId}`;
        const first = before.get(id) ?? input.poller.controlTaskQueue;
        before.set(id, first);
        return { env, input: { ...input, poller: { ...input.poller, controlTaskQueue: first } } };
      });
    },
  },
  {
    name: "a worker is told to cancel an activity that nobody has canceled",
    needs: "commands",
    begin: () => {
      const before: Uint8Array[] = [];
      return answering("workerCommands", (commands) => {
        const [other] = before;
        before.unshift(...commands.cancel);
        return other === undefined ? commands : { cancel: [other] };
      });
    },
  },
  { name: "a skip is not written", needs: "testClock", begin: () => replace(NamespaceClock.prototype, "write", () => () => undefined) },
  {
    name: "time is skipped while somebody works",
    needs: "testClock",
    begin: () =>
      replace(
        Clocks.prototype,
        "maySkip",
        () =>
          function (this: Clocks, clock: NamespaceClock) {
            return clock.counted === "yes" && clock.locks <= 0;
          },
      ),
  },
  {
    name: "a lock is acknowledged and not counted",
    needs: "testClock",
    begin: () => replace(Clocks.prototype, "lock", () => () => Promise.resolve()),
  },
  {
    name: "a sleeper wakes early",
    needs: "testClock",
    begin: () =>
      replace(
        Clocks.prototype,
        "sleepOn",
        (original) =>
          function (this: Clocks, clock: unknown, due: number, ...more: unknown[]) {
            return original.call(this, clock, due - 1_000_000, ...more);
          },
      ),
  },
  {
    name: "a time is told that is not durable",
    needs: "testClock",
    begin: () =>
      replace(
        Clocks.prototype,
        "toldNow",
        () =>
          function (this: Any, clock: NamespaceClock) {
            return this.now(clock);
          },
      ),
  },
  {
    name: "a run skips past its next deadline",
    needs: "ownClocks",
    begin: () =>
      replace(
        EventFactory.prototype,
        "add",
        (original) =>
          function (this: EventFactory, type: EventType, name: string, attributes: Any, ...more: unknown[]) {
            const { targetTime } = attributes;
            const isSkip = type === EventType.WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED && targetTime !== undefined;
            const later = isSkip ? { ...attributes, targetTime: { ...targetTime, seconds: targetTime.seconds + 7 } } : attributes;
            return original.call(this, type, name, later, ...more);
          },
      ),
  },
  { name: "the clock of a run is not stored", needs: "ownClocks", begin: () => withoutRows(Kind.TIME_SKIPPING) },
  {
    name: "the skips of a run are not counted",
    needs: "ownClocks",
    begin: () =>
      replace(TimeSkippingRecord, "copy", (original) => (r: TimeSkippingRecord, changes: object) => {
        const isSkip = "skipCount" in changes;
        return original(r, isSkip ? { ...changes, skipCount: 0, config: r.config } : changes);
      }),
  },
  {
    name: "the external payloads of a signal are not counted",
    begin: () =>
      beside("signal", (draft) => {
        draft.info.externalPayloadCount = draft.base.info.externalPayloadCount;
      }),
  },
  {
    name: "a run whose tasks are refreshed gets no timers",
    needs: "repairs",
    begin: () => beside("refreshTasks", keepsDue),
  },
  {
    name: "a rebuild leaves a damage where it is",
    needs: "repairs",
    begin: () =>
      beside("rebuild", (draft) => {
        for (const [id, t] of draft.base.timers.base) if (draft.timers.has(id)) draft.putTimer(t);
      }),
  },
  {
    name: "a rebuild forgets how often an activity was tried",
    needs: "repairs",
    begin: () =>
      beside("rebuild", (draft) => {
        for (const a of [...draft.activities.values()]) draft.putActivity({ ...a, attempt: 1 });
      }),
  },
  {
    name: "a row of timers that an operator takes away stays",
    needs: "repairs",
    begin: () => beside("dropTimers", keepsDue),
  },
  {
    name: "an imported history loses its end",
    needs: "repairs",
    begin: () =>
      core((input) => (input.kind === "importRun" && input.batches.length > 1 ? { input: { ...input, batches: input.batches.slice(0, -1) } } : {})),
  },
  {
    name: "the tasks of an imported run are not offered",
    needs: "repairs",
    begin: () =>
      beside("importRun", (_draft, outcome) => {
        outcome.dispatch = [];
      }),
  },
];
