/**
 * What executions without a history have in common: a draft that gathers rows and transfer tasks, and the context of one input.
 * A handler changes drafts, and leaves by returning a reply, or by throwing a ServiceError or Stale, which drops everything.
 */
import type { OutboundRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { ServiceError } from "../api/service-error.js";
import type { Init } from "../api/wire.js";
import { Random } from "../lib/random.js";
import type { ExecutionChain, ExecutionDraft, ExecutionInfo, ExecutionState } from "./execution.js";
import type { Env, ExecutionAddress, InputKind, InputOf } from "./input.js";
import type { DispatchTask, Notice, Outcome, Replies } from "./transition.js";
import type { VisibilityRow } from "./visibility/row.js";
import { EMPTY_TRANSFER, Stale } from "./workflow/context.js";
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
  outbound: OutboundRecord[] | undefined;
  doneOutbound: number[] | undefined;
  /** Tasks to be offered. */
  readonly dispatch: DispatchTask[] = [];
  visibility: VisibilityRow | undefined;
  removed = false;
  dirty = false;

  get key(): number {
    return this.base.key;
  }

  get changes(): number | undefined {
    return undefined;
  }

  get history(): undefined {
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

  /** A call that leaves the store. */
  call(call: Pick<OutboundRecord, "kind" | "attempt" | "componentId" | "destination">): void {
    const { namespaceId, workflowId, runId } = this.info;
    this.outbound ??= [];
    this.outbound.push({ rowId: 0, namespaceId, workflowId, runId, archetype: this.base.archetype, ...call });
    this.dirty = true;
  }

  callDone(id: number): void {
    this.doneOutbound ??= [];
    this.doneOutbound.push(id);
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

/** How an archetype's handlers come by the draft of what is addressed. */
export interface Addressing<S extends ExecutionState, D extends ComponentDraft> {
  open(ctx: ComponentContext<D>, state: S): D;
  /** @throws what `missing` gives */
  existing(ctx: ComponentContext<D>, address: ExecutionAddress): D;
  /** For inputs without a caller: it may be gone. @throws Stale */
  remaining(ctx: ComponentContext<D>, address: ExecutionAddress): D;
  /** For an existing one: as of a workflow, by whoever deletes runs without asking what they are. */
  delete(ctx: ComponentContext<D>, address: ExecutionAddress): Replies["delete"];
}

export function addressing<S extends ExecutionState, D extends ComponentDraft>(
  draftOf: (state: S) => D,
  missing: (id: string) => ServiceError,
): Addressing<S, D> {
  const open = (ctx: ComponentContext<D>, state: S): D => {
    const draft = draftOf(state);
    ctx.drafts.push(draft);
    return draft;
  };
  const existing = (ctx: ComponentContext<D>, address: ExecutionAddress): D => {
    const state = ctx.addressed(address);
    if (state === undefined) throw missing(address.workflowId);
    return open(ctx, state as S);
  };
  return {
    open,
    existing,
    remaining: (ctx, address) => {
      const state = ctx.addressed(address);
      if (state === undefined) throw new Stale();
      return open(ctx, state as S);
    },
    delete: (ctx, address) => {
      const draft = existing(ctx, address);
      remove(draft);
      return { runId: draft.info.runId };
    },
  };
}

export function remove(draft: ComponentDraft): void {
  draft.removed = true;
  draft.dirty = true;
}

/** Handlers of the inputs that an archetype takes. */
export type ComponentHandlers<D extends ComponentDraft> = {
  readonly [K in InputKind]?: (ctx: ComponentContext<D>, address: ExecutionAddress, input: InputOf<K>) => Replies[K] | undefined;
};

/** One input on one component. `what` it is, with its article; `finish` ends the transition of each draft. */
export function applyToComponent<D extends ComponentDraft, K extends InputKind>(
  what: string,
  handlers: ComponentHandlers<D>,
  finish: (ctx: ComponentContext<D>, draft: D, kind: InputKind) => void,
  [chain, address, input, env]: readonly [ExecutionChain, ExecutionAddress, InputOf<K>, Env],
): Outcome<K> {
  const ctx = new ComponentContext<D>(chain, env);
  const handler = handlers[input.kind as K] as ((c: ComponentContext<D>, a: ExecutionAddress, i: InputOf<K>) => Replies[K] | undefined) | undefined;
  if (handler === undefined) throw new Error(`${what} takes no ${input.kind}`);
  try {
    const reply = handler(ctx, address, input);
    for (const draft of ctx.drafts) finish(ctx, draft, input.kind);
    return {
      outcome: "accepted",
      runs: ctx.drafts,
      reply,
      deferred: false,
      answers: [],
      dispatch: ctx.drafts.flatMap((d) => d.dispatch),
      transfers: ctx.drafts.flatMap((d) => d.transfers),
      notices: ctx.notices.length === 0 ? undefined : ctx.notices,
    };
  } catch (e) {
    if (e instanceof ServiceError) return { outcome: "error", error: e };
    if (e instanceof Stale) return { outcome: "stale" };
    throw e;
  }
}
