/**
 * Back to what the store has. When a batch is lost, or the core has failed on an input, what is in memory of the chains concerned is
 * let go, and the next input loads it again; here is what becomes of the inputs: they run again, at the head of their chain's queue,
 * or are refused.
 *
 * Invariants: an input runs again only if its reply has not left; a chain whose memory is not trusted takes no input before its batch
 * has settled; what waits in the memory of a run is an input again before the run goes.
 */
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { internal, resourceExhausted } from "../api/service-error.js";
import type { InputKind } from "../core/input.js";
import type { Logger } from "../lib/runtime.js";
import type { Clocks } from "./clocks.js";
import type { CachedChain, ExecutionCache } from "./execution-cache.js";
import type { FailureKind, GroupCommit, OpenBatch } from "./group-commit.js";
import type { PendingInput } from "./pending-input.js";
import type { ReadyChains } from "./ready-chains.js";

/** They need no room on a full disk. */
const GOES_ON_WHEN_FULL: ReadonlySet<InputKind> = new Set([
  "delete",
  "describe",
  "historyPosition",
  "isTransferAwaited",
  "query",
  "dropQuery",
  "pollUpdate",
  "endUpdateWait",
  "describeActivityExecution",
  "activityOutcome",
]);

export const diskFull = () => resourceExhausted("the disk is full", ResourceExhaustedCause.PERSISTENCE_LIMIT, ResourceExhaustedScope.SYSTEM);

/** What the engine does for it. */
export interface ChainRenewalHost {
  readonly logger: Logger;
  readonly cache: ExecutionCache;
  readonly commits: Pick<GroupCommit, "durable" | "release">;
  readonly ready: Pick<ReadyChains, "wake" | "scheduleTurn">;
  readonly clocks: () => Pick<Clocks, "isCounting" | "recount">;
  /** Inputs that wait in the memory of a run, by its number for them. */
  readonly waiters: Map<number, PendingInput>;
  /** Nothing is applied or answered any more. */
  stop(error: Error): void;
}

export class ChainRenewal {
  constructor(private readonly host: ChainRenewalHost) {}

  /** Batches that will never be durable: memory goes back to what the store has, and the inputs run again or are refused. */
  lost(lost: OpenBatch[], kind: FailureKind): void {
    if (kind === "lost") {
      // Nobody may learn anything from here on: the outcome is unknown.
      this.host.stop(new Error("a commit has an unknown outcome"));
      return;
    }
    const { cache, clocks, commits, logger, ready } = this.host;
    for (const b of [...lost].reverse()) for (const f of [...b.undo].reverse()) f(kind);
    const chains = new Set<CachedChain>();
    for (const b of lost) for (const c of b.chains) chains.add(c);
    const again: PendingInput[] = [];
    for (const c of chains) {
      for (const p of this.takeWaiting(c)) again.push(p);
      c.sequence = commits.durable;
      cache.evict(c);
    }
    if (clocks().isCounting) clocks().recount();
    const failed = lost[0];
    for (const b of lost)
      for (const p of b.inputs) {
        if (kind === "full" && b === failed && !(GOES_ON_WHEN_FULL.has(p.input.kind) && p !== b.alone)) p.reject(diskFull());
        else if (kind === "refused" && p === failed?.alone) {
          logger.error({ kind: p.input.kind, workflowId: p.address.workflowId }, "an input makes rows that the store does not take");
          p.reject(internal("the input could not be stored"));
        } else
          again.push({
            ...p,
            isAlone: b === failed || p.isAlone,
            loadedEvents: undefined,
            loadedRequestIds: undefined,
            loadedHistories: undefined,
            loadedUpdates: undefined,
          });
      }
    const byChain = new Map<CachedChain, PendingInput[]>();
    for (const p of again) {
      const chain = cache.get(p.address.namespaceId, p.address.workflowId, p.address.archetype);
      const inputs = byChain.get(chain);
      if (inputs === undefined) byChain.set(chain, [p]);
      else inputs.push(p);
    }
    for (const [chain, inputs] of byChain) {
      chain.queue.unshift(...inputs);
      ready.wake(chain);
    }
    for (const c of chains) if (c.queue.length > 0) this.reopen(c);
    ready.scheduleTurn();
  }

  /** After a bug of the core nothing of the chain is trusted: it takes no input until its batch has settled, and is loaded anew. */
  quarantine(chain: CachedChain, p: PendingInput | undefined): void {
    if (chain.isBlocked) p?.reject(internal("internal error"));
    else this.renew(chain, p, () => p?.reject(internal("internal error")));
  }

  /** Resolves when everything of the chains is durable and has left memory. */
  renewAll(chains: readonly CachedChain[]): Promise<void[]> {
    const free = chains.filter((chain) => !chain.isBlocked);
    return Promise.all(free.map((chain) => new Promise<void>((resolve) => this.renew(chain, undefined, resolve))));
  }

  /** Lets the chain go when its batch has settled; what waits in it then goes on from the store. */
  private renew(chain: CachedChain, p: PendingInput | undefined, then: () => void): void {
    chain.isBlocked = true;
    this.host.commits.release(
      chain.sequence,
      () => {
        chain.isBlocked = false;
        const waiting = this.takeWaiting(chain);
        this.host.cache.evict(chain);
        then();
        chain.queue.unshift(...waiting);
        this.reopen(chain);
      },
      p,
      () => {
        chain.isBlocked = false;
        if (p === undefined) then();
      },
    );
  }

  /** Queries and updates that wait in memory only are asked again when the memory goes. */
  private takeWaiting(chain: CachedChain): PendingInput[] {
    const { waiters } = this.host;
    const out: PendingInput[] = [];
    for (const state of chain.runs.values())
      for (const waiter of state.waiters) {
        const waiting = waiters.get(waiter);
        if (waiting === undefined) continue;
        waiters.delete(waiter);
        out.push(waiting);
      }
    return out;
  }

  /** An evicted chain with input left goes on under its name. */
  private reopen(chain: CachedChain): void {
    const queue = chain.queue.splice(0);
    const next = this.host.cache.get(chain.namespaceId, chain.workflowId, chain.archetype);
    next.queue.push(...queue);
    next.sequence = Math.max(next.sequence, chain.sequence);
    this.host.ready.wake(next);
  }
}
