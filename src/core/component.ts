/**
 * What executions without a history have in common: a draft that gathers rows and transfer tasks, and the context of one input.
 * A handler changes drafts, and leaves by returning a reply, or by throwing a ServiceError or Stale, which drops everything.
 */
import type { TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { Init } from "../api/wire.js";
import { Random } from "../lib/random.js";
import type { ExecutionChain, ExecutionDraft, ExecutionInfo, ExecutionState } from "./execution.js";
import type { Env, ExecutionAddress, InputKind, InputOf } from "./input.js";
import type { Notice, Replies } from "./transition.js";
import type { VisibilityRow } from "./visibility/row.js";
import { EMPTY_TRANSFER } from "./workflow/context.js";
import type { ComponentWrite } from "./workflow/mutable-state.js";

/** What the draft of a component may change of its own copy of the record. */
export type MutableInfo = { -readonly [K in keyof ExecutionInfo]: ExecutionInfo[K] } & { pendingTransfers: number };

export abstract class ComponentDraft implements ExecutionDraft {
  abstract readonly base: ExecutionState;
  abstract readonly info: MutableInfo;
  abstract readonly isNew: boolean;
  readonly batches: ExecutionDraft["batches"] = [];
  readonly requestIds: ExecutionDraft["requestIds"] = [];
  readonly transfers: { id: number; record: TransferRecord }[] = [];
  readonly doneTransfers: number[] = [];
  visibility: VisibilityRow | undefined;
  removed = false;
  dirty = false;

  get key(): number {
    return this.base.key;
  }

  get history(): undefined {
    return undefined;
  }

  get pollPosition(): number | undefined {
    return undefined;
  }

  abstract componentWrites(): ComponentWrite[];
  abstract accept(): ExecutionState;

  transfer(env: Env, record: Init<TransferRecord>): void {
    const { info } = this;
    this.transfers.push({
      id: this.transfers.length,
      record: {
        ...EMPTY_TRANSFER,
        ...record,
        sourceNamespaceId: info.namespaceId,
        sourceNamespace: env.namespace.name,
        sourceWorkflowId: info.workflowId,
        sourceRunId: info.runId,
        sourceArchetype: this.base.archetype,
      } as TransferRecord,
    });
    info.pendingTransfers++;
    this.dirty = true;
  }

  transferDone(id: number): void {
    this.doneTransfers.push(id);
    this.info.pendingTransfers = Math.max(0, this.info.pendingTransfers - 1);
    this.dirty = true;
  }
}

export class ComponentContext<D extends ComponentDraft> {
  readonly random: Random;
  readonly drafts: D[] = [];
  readonly notices: Notice[] = [];

  constructor(
    readonly chain: ExecutionChain,
    readonly env: Env,
  ) {
    this.random = new Random(env.seed);
  }

  addressed(address: ExecutionAddress): ExecutionState | undefined {
    return address.runId === "" ? this.chain.current() : this.chain.run(address.runId);
  }
}

/** Handlers of the inputs that an archetype takes. */
export type ComponentHandlers<D extends ComponentDraft> = {
  readonly [K in InputKind]?: (ctx: ComponentContext<D>, address: ExecutionAddress, input: InputOf<K>) => Replies[K] | undefined;
};
