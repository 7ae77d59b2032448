/**
 * Effects of an execution on others: within the batch that causes them when both sides are in memory and nobody waits before them,
 * else as durable transfer tasks, which are tried until their source has learned the result (queues/transfer-queue.ts).
 */
import { TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { Code, internal, ServiceError } from "../api/service-error.js";
import { encode } from "../api/wire.js";
import type { ExecutionAddress, Input } from "../core/input.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { Replies } from "../core/transition.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { awaitedQuestion, orphanEffects, transferInput, transferResult } from "../core/workflow/transfer.js";
import { TransferKind } from "../core/workflow/transfer-kind.js";
import type { Acceptance } from "./acceptance.js";
import type { Applier } from "./applier.js";
import type { ChainRenewal } from "./chain-renewal.js";
import type { CachedChain, ExecutionCache } from "./execution-cache.js";
import type { OpenBatch } from "./group-commit.js";
import type { KeyAllocator } from "./ids.js";
import { addressOf } from "./open-runs.js";
import type { OwnRows } from "./own-rows.js";
import type { TransferOutcome, TransferQueue } from "./queues/transfer-queue.js";

/** Effects that follow from each other in one batch. */
const DEPTH_MAX = 3;

/** What the engine does for them. */
export interface EffectsHost {
  readonly cache: ExecutionCache;
  readonly keys: KeyAllocator;
  readonly transfers: () => TransferQueue;
  readonly namespaces: () => NamespaceDirectory;
  /** Off: each effect waits for durability. */
  readonly mayJoinBatch: () => boolean;
  readonly archive: ((record: TransferRecord) => Promise<void>) | undefined;
  readonly applier: Pick<Applier, "apply">;
  readonly acceptance: Pick<Acceptance, "accept">;
  readonly renewal: Pick<ChainRenewal, "quarantine">;
  /** An input of the server's own; `transferRow` goes when it is stale. */
  submit(address: ExecutionAddress, input: Input, transferRow?: number): Promise<unknown>;
  deleteRow(id: number): void;
  readonly rows: Pick<OwnRows, "commitSurely">;
}

export class Effects {
  constructor(private readonly host: EffectsHost) {}

  begin(record: TransferRecord, open: OpenBatch, depth: number): void {
    const { keys } = this.host;
    const id = keys.next();
    keys.writeTo(open.rows);
    open.rows.writeComponent(0, Kind.TRANSFER, id, { op: "insert", value: encode(TransferRecord, { ...record, rowId: id }) });
    // An input that runs alone is to fail for its own rows only.
    if (this.host.mayJoinBatch() && open.alone === undefined && depth < DEPTH_MAX && this.carryNow(id, record, depth)) return;
    open.timers.push(() => this.host.transfers().add(id, record));
  }

  /** Answers whether the effect is carried within the batch. */
  private carryNow(id: number, record: TransferRecord, depth: number): boolean {
    const { cache, namespaces } = this.host;
    if (record.kind === TransferKind.ARCHIVE) return false;
    const source = cache.find(record.sourceNamespaceId, record.sourceWorkflowId, record.sourceArchetype);
    if (source === undefined || source.isLoading || source.isBlocked) return false;
    const isAwaited = this.isAwaitedNow(source, record);
    if (isAwaited === undefined) return false;
    const ask = transferInput(id, record, namespaces(), isAwaited);
    let result: Input | "retry";
    if ("result" in ask) result = ask.result;
    else {
      const target = cache.find(ask.address.namespaceId, ask.address.workflowId, ask.address.archetype);
      if (target === undefined || target.isLoading || target.isBlocked || target.queue.length > 0 || !target.isLoaded(ask.address)) return false;
      const outcome = this.host.applier.apply(target, ask);
      if (outcome === "bug") this.host.renewal.quarantine(target, undefined);
      if (outcome === "bug" || outcome.outcome === "need") return false;
      if (outcome.outcome === "accepted") {
        this.host.acceptance.accept(target, outcome, depth + 1);
        result = transferResult(id, record, outcome.refused === undefined ? { reply: outcome.reply } : { error: outcome.refused });
      } else result = transferResult(id, record, outcome.outcome === "error" ? { error: outcome.error } : { reply: undefined });
    }
    if (result === "retry") return false;
    const address = sourceOf(record);
    // The target may have been this very chain, and have gone.
    if (source.isBlocked || !source.isLoaded(address)) return false;
    const outcome = this.host.applier.apply(source, { address, input: result });
    if (outcome === "bug") this.host.renewal.quarantine(source, undefined);
    if (outcome === "bug" || outcome.outcome === "need") return false;
    if (outcome.outcome === "error" && orphanEffects(record, result).length > 0) return false;
    if (outcome.outcome === "accepted") this.host.acceptance.accept(source, outcome, depth + 1);
    else this.host.deleteRow(id);
    // A source that ended instead of learning the result learns it as an ended one.
    return outcome.outcome !== "accepted" || outcome.refused === undefined;
  }

  /** Undefined: it cannot be said now. */
  private isAwaitedNow(source: CachedChain, record: TransferRecord): boolean | undefined {
    const question = awaitedQuestion(record);
    if (question === undefined) return true;
    const address = sourceOf(record);
    if (!source.isLoaded(address)) return undefined;
    const outcome = this.host.applier.apply(source, { address, input: question });
    if (outcome === "bug") this.host.renewal.quarantine(source, undefined);
    return outcome !== "bug" && outcome.outcome === "accepted" ? (outcome.reply as Replies["isTransferAwaited"]) : undefined;
  }

  /** One attempt of a durable transfer task: done when its row is gone. */
  async run(id: number, record: TransferRecord): Promise<TransferOutcome> {
    if (record.kind === TransferKind.ARCHIVE) await this.host.archive?.(record);
    try {
      await this.tellSource(id, record, await this.ask(id, record, await this.isAwaited(record)));
      return "done";
    } catch (e) {
      return { retry: e instanceof Error ? e.message : String(e) };
    }
  }

  private async isAwaited(record: TransferRecord): Promise<boolean> {
    const question = awaitedQuestion(record);
    if (question === undefined) return true;
    try {
      return (await this.host.submit(sourceOf(record), question)) as Replies["isTransferAwaited"];
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.NOT_FOUND) return false;
      throw e;
    }
  }

  /** Answers what the source learns. @throws what says nothing for good. */
  private async ask(id: number, record: TransferRecord, isAwaited: boolean): Promise<Input> {
    const ask = transferInput(id, record, this.host.namespaces(), isAwaited);
    if ("result" in ask) return ask.result;
    let answer: { reply: unknown } | { error: ServiceError };
    try {
      answer = { reply: await this.host.submit(ask.address, ask.input) };
    } catch (e) {
      answer = { error: e instanceof ServiceError ? e : internal(String(e)) };
    }
    const result = transferResult(id, record, answer);
    if (result === "retry") throw "error" in answer ? answer.error : internal("the target has not answered");
    return result;
  }

  /** Removed by hand: its source learns no more than that it is over. */
  async remove(id: number, record: TransferRecord): Promise<void> {
    this.host.transfers().remove(id);
    await this.tellSource(id, record, { kind: "transferDone", transferId: id });
  }

  private async tellSource(id: number, record: TransferRecord, result: Input): Promise<void> {
    try {
      await this.host.submit(sourceOf(record), result, id);
    } catch (e) {
      if (!(e instanceof ServiceError) || e.code !== Code.NOT_FOUND) throw e;
      // The source is gone.
      for (const effect of orphanEffects(record, result)) await this.ask(id, effect, true);
      await this.host.rows.commitSurely((rows) => rows.writeComponent(0, Kind.TRANSFER, id, { op: "delete" }));
    }
  }
}

function sourceOf(record: TransferRecord): ExecutionAddress {
  const { sourceNamespaceId, sourceWorkflowId, sourceRunId, sourceArchetype } = record;
  return addressOf({ namespaceId: sourceNamespaceId, workflowId: sourceWorkflowId, runId: sourceRunId }, sourceArchetype);
}
