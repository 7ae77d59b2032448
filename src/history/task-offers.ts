/**
 * Tasks on their way to pollers: a poller that waits is held, and starting the task for it becomes one more input of the batch; else
 * the task is stored with the batch.
 */
import { Archetype } from "../core/execution.js";
import type { ExecutionAddress } from "../core/input.js";
import type { DispatchTask, Replies } from "../core/transition.js";
import type { Acceptance } from "./acceptance.js";
import type { Applier } from "./applier.js";
import type { ChainRenewal } from "./chain-renewal.js";
import type { Reservation, TaskDispatcher } from "./contract.js";
import type { CachedChain } from "./execution-cache.js";
import type { OpenBatch } from "./group-commit.js";
import type { HeldCompletions } from "./held-completions.js";
import { addressOf } from "./open-runs.js";

type Started = Replies["startWorkflowTask"] | Replies["startActivity"];

/** What the engine does for them. */
export interface TaskOffersHost {
  readonly dispatcher: TaskDispatcher;
  readonly applier: Pick<Applier, "apply">;
  readonly acceptance: Pick<Acceptance, "accept">;
  readonly renewal: Pick<ChainRenewal, "quarantine">;
  /** Its poller has gone: the task goes back. */
  undeliver(address: ExecutionAddress, task: "workflow" | "activity", reply: Started): void;
}

export class TaskOffers {
  /** Batches that hold stored tasks. */
  private readonly storing = new Set<OpenBatch>();

  constructor(
    private readonly host: TaskOffersHost,
    private readonly held: HeldCompletions,
  ) {}

  offer(chain: CachedChain, task: DispatchTask, open: OpenBatch, depth: number): void {
    const reservation = this.held.reserve(task) ?? this.host.dispatcher.reserve(task);
    if (reservation === undefined) {
      this.store(task, open);
      return;
    }
    const address = addressOf(task, task.archetype ?? Archetype.WORKFLOW);
    const outcome = this.host.applier.apply(chain, { address, input: reservation.input });
    if (outcome === "bug" || outcome.outcome !== "accepted") {
      reservation.release();
      if (outcome === "bug") this.host.renewal.quarantine(chain, undefined);
      else if (outcome.outcome === "stale") return;
      this.store(task, open);
      return;
    }
    this.host.acceptance.accept(chain, outcome, depth);
    if (outcome.refused !== undefined) {
      reservation.release();
      return;
    }
    open.undo.push(() => reservation.release());
    const reply = outcome.reply as Started;
    open.dispatch.push(() => this.confirm(reservation, address, reply));
  }

  private confirm(reservation: Reservation, address: ExecutionAddress, reply: Started): void {
    if (reservation.isGone()) {
      reservation.release();
      this.host.undeliver(address, reservation.input.kind === "startActivity" ? "activity" : "workflow", reply);
      return;
    }
    reservation.confirm(reply);
  }

  private store(task: DispatchTask, open: OpenBatch): void {
    const { dispatcher } = this.host;
    if (task.isSpeculative === true) {
      dispatcher.keep(task);
      return;
    }
    dispatcher.store(task, open.rows);
    if (this.storing.has(open)) return;
    this.storing.add(open);
    const settled = (isStored: boolean) => (): void => {
      this.storing.delete(open);
      dispatcher.settled(open.rows, isStored);
    };
    open.dispatch.push(settled(true));
    open.undo.push(settled(false));
  }
}
