/**
 * Takes a transition into the state and the open batch, answers those who have waited for it, offers its tasks, and begins its
 * effects on others. Effects within the batch and tasks that find a poller lead to further transitions of the same batch.
 */
import { OutboundRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { ServiceError } from "../api/service-error.js";
import { encode } from "../api/wire.js";
import type { Transition } from "../core/transition.js";
import { Kind, RunDraft, TASK_SPECULATIVE } from "../core/workflow/mutable-state.js";
import type { Logger } from "../lib/runtime.js";
import type { Clocks } from "./clocks.js";
import type { Effects } from "./effects.js";
import type { EngineClocks } from "./engine-clocks.js";
import type { CachedChain, ExecutionCache } from "./execution-cache.js";
import type { ExecutionWriter } from "./execution-writer.js";
import type { GroupCommit, OpenBatch } from "./group-commit.js";
import type { KeyAllocator } from "./ids.js";
import type { PendingInput } from "./pending-input.js";
import type { OutboundQueue } from "./queues/outbound-queue.js";
import type { SpeculativeTimers } from "./speculative-timers.js";
import type { TaskOffers } from "./task-offers.js";

export interface AcceptanceHost {
  readonly logger: Logger;
  readonly cache: ExecutionCache;
  readonly commits: GroupCommit;
  readonly keys: KeyAllocator;
  readonly writer: ExecutionWriter;
  readonly speculative: SpeculativeTimers;
  readonly clocks: () => Clocks;
  readonly engineClocks: () => EngineClocks;
  readonly offers: () => TaskOffers;
  readonly effects: () => Effects;
  readonly outbound: () => OutboundQueue | undefined;
  /** Inputs that wait in the memory of a run, by its number for them. */
  readonly waiters: Map<number, PendingInput>;
}

export class Acceptance {
  constructor(private readonly host: AcceptanceHost) {}

  /** `depth`: how many effects within the batch have led to it. */
  accept(chain: CachedChain, t: Transition, depth: number): void {
    const { commits, cache, writer, speculative, logger } = this.host;
    const clocks = this.host.clocks();
    const { open } = commits;
    if (clocks.isActive) this.host.engineClocks().tie(chain, open);
    chain.sequence = Math.max(chain.sequence, t.runs.some((r) => r.dirty) ? open.sequence : 0);
    for (const draft of t.runs) {
      if (!draft.dirty && !draft.isNew) draft.accept();
      else {
        open.chains.add(chain);
        writer.write(chain, draft, open);
      }
      if (draft instanceof RunDraft && draft.info.workflowTask?.type === TASK_SPECULATIVE) speculative.watch(draft.base);
      if (clocks.isCounting) {
        if (draft.removed) clocks.forget(draft.key);
        else clocks.note(draft.base, draft.dirty || draft.isNew);
      }
    }
    cache.count(chain);
    if (t.notices !== undefined) for (const n of t.notices) logger[n.level]({ workflowId: chain.workflowId, ...n.fields }, n.text);
    for (const a of t.answers) this.answer(chain, a);
    for (const task of t.dispatch) this.host.offers().offer(chain, task, commits.open, depth);
    for (const draft of t.runs) for (const transfer of draft.transfers) this.host.effects().begin(transfer.record, open, depth);
    for (const draft of t.runs) if (draft.outbound !== undefined) for (const record of draft.outbound) this.beginOutbound(record, open);
  }

  /** Of an input that was deferred. */
  private answer(chain: CachedChain, { waiter, result }: Transition["answers"][number]): void {
    const waiting = this.host.waiters.get(waiter);
    if (waiting === undefined) return;
    this.host.waiters.delete(waiter);
    this.host.commits.release(
      chain.sequence,
      () => {
        if (result instanceof ServiceError) waiting.reject(result);
        else waiting.resolve(result as never);
      },
      waiting,
    );
  }

  private beginOutbound(record: OutboundRecord, open: OpenBatch): void {
    const { keys } = this.host;
    const id = keys.next();
    keys.writeTo(open.rows);
    open.rows.writeComponent(0, Kind.OUTBOUND, id, { op: "insert", value: encode(OutboundRecord, { ...record, rowId: id }) });
    open.timers.push(() => this.host.outbound()?.add(id, record));
  }
}
